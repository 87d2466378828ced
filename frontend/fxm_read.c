/* SPDX-License-Identifier: Apache-2.0 */
/* fxm_read.c: graph.json to a module: nodes, graphs, the tree of modules, and the document around them. A node that cannot be read
 * is reported and left out; what uses it is not reported again, so that every message names a cause. */
#include "frontend/fxm.h"
#include "ir/op.h"
#include <stdlib.h>
#include <string.h>

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------ */

static bool read_opcode(fx_json *json, const fx_json_at *at, const json_t *value, fx_opcode *out)
{
    const char *word = NULL;
    if (!fx__json_text(json, at, value, "op", true, &word)) return false;
    for (int i = 0; i < FX_OPCODE_COUNT; i++)
        if (strcmp(word, fx_opcode_name((fx_opcode)i)) == 0) return *out = (fx_opcode)i, true;
    return fx__json_error(json, at, "unknown node type \"%.40s\"", word);
}

static bool read_loc(fx_json *json, const fx_json_at *at, const json_t *node, fx_loc *out)
{
    bool bad = false;
    int64_t line = 0;
    const json_t *loc = fx__json_object(json, at, node, "loc", &bad);
    if (!loc) return !bad;
    fx_json_at place = fx__json_key(at, "loc");
    bool good = fx__json_text(json, &place, loc, "file", false, &out->file);
    good &= fx__json_text(json, &place, loc, "function", false, &out->function);
    good &= fx__json_int(json, &place, loc, "line", false, 0, INT32_MAX, &line);
    out->line = (int32_t)line;
    return good;
}

static bool read_arguments(fx_fxm_scope *scope, const fx_json_at *at, const json_t *node, fx_node_spec *spec)
{
    fx_json_at args = fx__json_key(at, "args"), kwargs = fx__json_key(at, "kwargs");
    const json_t *keyed = json_object_get(node, "kwargs");
    bool good = fx__fxm_items(scope, &args, json_object_get(node, "args"), FX_ATTR_TUPLE, &spec->args);
    return fx__fxm_dict(scope, &kwargs, json_is_null(keyed) ? NULL : keyed, &spec->kwargs) && good;
}

static bool read_types(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_node *node)
{
    bool bad = false;
    const json_t *types = fx__json_list(&scope->fxm->json, at, value, "types", &bad);
    fx_json_at at_types = fx__json_key(at, "types");
    if (json_array_size(types) > FX_RESULTS)
        return fx__json_error(&scope->fxm->json, &at_types, "more than %d results", (int)FX_RESULTS);
    for (size_t i = 0; i < json_array_size(types); i++) {
        fx_json_at place = fx__json_item(&at_types, i);
        const json_t *item = json_array_get(types, i);
        fx_type type;
        fx_status status = FX_OK;
        if (json_is_null(item))
            status = fx__node_reserve_results(node, (int32_t)i + 1);
        else if (fx__fxm_type(scope, &place, item, &type))
            status = fx_node_set_type(node, (int32_t)i, &type);
        else
            bad = true;
        if (status == FX_E_OOM) return fx__json_oom(&scope->fxm->json);
        if (status != FX_OK) return fx__json_error(&scope->fxm->json, &place, "the node refuses this type");
    }
    return !bad;
}

static bool read_meta(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_node *node)
{
    fx_json *json = &scope->fxm->json;
    const char *annotation = NULL;
    fx_attr meta = {.kind = FX_ATTR_DICT};
    const json_t *facts = json_object_get(value, "meta");
    fx_json_at place = fx__json_key(at, "meta");
    if (!fx__json_text(json, at, value, "annotation", false, &annotation)) return false;
    if (facts && !json_is_null(facts) && !fx__fxm_dict(scope, &place, facts, &meta)) return false;
    if (annotation && fx_node_set_annotation(node, annotation) != FX_OK) return fx__json_oom(json);
    for (int32_t i = 0; i < meta.n; i++)
        if (fx_node_set_meta(node, meta.keys[i], meta.u.items[i]) != FX_OK)
            return fx__json_error(json, &place, "the node refuses \"%.80s\"", meta.keys[i]);
    return true;
}

static bool read_body(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_node *node)
{
    fx_json *json = &scope->fxm->json;
    const json_t *body = json_object_get(value, "body");
    fx_json_at place = fx__json_key(at, "body");
    if (!body || json_is_null(body)) return true;
    fx_graph *graph = fx_graph_new(json->context);
    if (!graph) return fx__json_oom(json);
    bool good = fx__fxm_graph(scope->fxm, &place, body, graph);
    if (fx_node_set_body(node, graph) == FX_OK) return good;
    return fx__json_error(json, &place, "only calls have a body");
}

/* The parts that say what the node is; false: there is no such node. */
static fx_node *make_node(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, const char *name)
{
    fx_json *json = &scope->fxm->json;
    fx_node_spec spec = {.name = name, .keep_name = true, .target = NULL};
    bool good = read_opcode(json, at, value, &spec.opcode);
    good &= fx__json_text(json, at, value, "target", spec.opcode != FX_OUTPUT, &spec.target);
    if (!spec.target && spec.opcode == FX_OUTPUT) spec.target = "output";
    good &= read_arguments(scope, at, value, &spec);
    good &= read_loc(json, at, value, &spec.loc);
    if (!good) return NULL;
    fx_node *node = fx_graph_create_node(scope->graph, &spec);
    if (!node) fx__json_error(json, at, "the graph refuses this node");
    return node;
}

static bool check_name(fx_fxm_scope *scope, const fx_json_at *at, const char *name)
{
    fx_json *json = &scope->fxm->json;
    if (!fx__text_is_identifier(name)) return fx__json_error(json, at, "name \"%.80s\" is no identifier", name);
    return !fx__map_get(&scope->nodes, fx__intern(json->context, name)) ||
           fx__json_error(json, at, "node %.80s is defined twice", name);
}

static bool read_node(fx_fxm_scope *scope, fx_json_at *at, const json_t *value)
{
    fx_json *json = &scope->fxm->json;
    const char *name = NULL;
    if (!fx__json_is_object(json, at, value) || !fx__json_text(json, at, value, "name", true, &name)) return false;
    at->note = name;
    if (!check_name(scope, at, name)) return false;
    fx_node *node = make_node(scope, at, value, name);
    const char *kept = fx__intern(json->context, name);
    void *meaning = node ? (void *)node : (void *)scope;
    if (!kept || !fx__map_put(&scope->nodes, kept, meaning)) return fx__json_oom(json);
    if (!node) return false;
    bool good = read_types(scope, at, value, node);
    good &= read_meta(scope, at, value, node);
    return read_body(scope, at, value, node) && good;
}

/* ---- Graphs ----------------------------------------------------------------------------------------------------------------- */

/* SPEC = {"leaf": true} | {"none": true} | {"list": [SPEC]} | {"tuple": [SPEC]} | {"dict": {key: SPEC}} */
static bool check_spec(fx_json *json, const fx_json_at *at, const json_t *spec)
{
    void *first = json_object_iter((json_t *)(uintptr_t)spec);
    if (json_object_size(spec) != 1 || at->depth > FX_FXM_DEPTH) return fx__json_error(json, at, "no nesting of inputs or outputs");
    const char *kind = json_object_iter_key(first);
    json_t *inner = json_object_iter_value(first), *item;
    fx_json_at place = fx__json_key(at, kind);
    bool is_list = strcmp(kind, "list") == 0 || strcmp(kind, "tuple") == 0, good = true;
    if ((strcmp(kind, "leaf") == 0 || strcmp(kind, "none") == 0) && json_is_true(inner)) return true;
    if (!(is_list && json_is_array(inner)) && !(strcmp(kind, "dict") == 0 && json_is_object(inner)))
        return fx__json_error(json, &place, "no nesting of inputs or outputs");
    for (size_t i = 0; i < json_array_size(inner); i++) {
        fx_json_at at_item = fx__json_item(&place, i);
        good &= check_spec(json, &at_item, json_array_get(inner, i));
    }
    const char *key;
    json_object_foreach(is_list ? NULL : inner, key, item)
    {
        fx_json_at at_item = fx__json_key(&place, key);
        good &= check_spec(json, &at_item, item);
    }
    return good;
}

static bool read_spec(fx_fxm *fxm, const fx_json_at *at, const json_t *graph, const char *key, const char **out)
{
    const json_t *spec = json_object_get(graph, key);
    fx_json_at place = fx__json_key(at, key);
    if (!spec || json_is_null(spec)) return true;
    if (!check_spec(&fxm->json, &place, spec)) return false;
    char *text = json_dumps(spec, JSON_COMPACT);
    *out = text ? fx__intern(fxm->json.context, text) : NULL;
    free(text);
    return *out || fx__json_oom(&fxm->json);
}

static bool check_order(fx_fxm *fxm, const fx_json_at *at, const fx_graph *graph)
{
    const fx_node *output = fx_graph_output_node(graph);
    if (graph->n_nodes == 0) return true;
    if (!output) return fx__json_error(&fxm->json, at, "the graph has no output");
    return output == graph->last || fx__json_error(&fxm->json, at, "node %s stands after the output", output->next->name);
}

bool fx__fxm_graph(fx_fxm *fxm, const fx_json_at *at, const json_t *value, fx_graph *graph)
{
    fx_json *json = &fxm->json;
    fx_fxm_scope scope = {.fxm = fxm, .graph = graph};
    bool bad = false;
    fx__map_init(&scope.nodes, json->arena);
    if (at && at->depth > FX_FXM_DEPTH) return fx__json_error(json, at, "graphs are nested too deep");
    if (!fx__json_is_object(json, at, value)) return false;
    const json_t *nodes = fx__json_list(json, at, value, "nodes", &bad);
    if (!nodes) return !bad && fx__json_error(json, at, "\"nodes\" is missing");
    bad |= !fx__fxm_symbols(&scope, at, value);
    bad |= !read_spec(fxm, at, value, "in_spec", &graph->in_spec);
    bad |= !read_spec(fxm, at, value, "out_spec", &graph->out_spec);
    fx_json_at at_nodes = fx__json_key(at, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        fx_json_at place = fx__json_item(&at_nodes, i);
        bad |= !read_node(&scope, &place, json_array_get(nodes, i));
    }
    /* Last: what is assumed makes later expressions simpler, and the nodes' were written without it. */
    bad = bad || !fx__fxm_assumptions(&scope, at, value);
    return !bad && check_order(fxm, at, graph);
}

/* ---- Modules ---------------------------------------------------------------------------------------------------------------- */

static void read_module(fx_fxm *fxm, const fx_json_at *at, const json_t *value, fx_module *module);

static void read_tensor(fx_fxm *fxm, const fx_json_at *at, const char *path, const json_t *value, fx_module *module)
{
    fx_json *json = &fxm->json;
    const char *key = NULL;
    bool is_buffer = false;
    if (!fx__json_is_object(json, at, value)) return;
    if (!fx__json_bool(json, at, value, "buffer", &is_buffer) || !fx__json_text(json, at, value, "tensor", true, &key)) return;
    const fx_named_tensor *found = fx__map_get(&fxm->tensors, fx__intern(json->context, key));
    if (!found)
        fx__json_error(json, at, "there are no data of tensor \"%.200s\"", key);
    else if (fx_module_add_tensor(module, path, &found->tensor, is_buffer, NULL, NULL) != FX_OK)
        fx__json_error(json, at, "the module refuses this tensor");
}

static void read_tensors(fx_fxm *fxm, const fx_json_at *at, const json_t *module_value, fx_module *module)
{
    bool bad = false;
    const char *path;
    json_t *value;
    const json_t *tensors = fx__json_object(&fxm->json, at, module_value, "tensors", &bad);
    fx_json_at at_tensors = fx__json_key(at, "tensors");
    json_object_foreach((json_t *)(uintptr_t)tensors, path, value)
    {
        fx_json_at place = fx__json_key(&at_tensors, path);
        read_tensor(fxm, &place, path, value, module);
    }
}

static void read_submodule(fx_fxm *fxm, const fx_json_at *at, const char *path, const json_t *value, fx_module *module)
{
    fx_module *inner = fx_module_new(fxm->json.context, fx__module_short_name(path));
    if (!inner) {
        fx__json_oom(&fxm->json);
        return;
    }
    read_module(fxm, at, value, inner);
    if (fx_module_add_submodule(module, path, inner) != FX_OK) fx__json_error(&fxm->json, at, "the module refuses this submodule");
}

static void read_submodules(fx_fxm *fxm, const fx_json_at *at, const json_t *module_value, fx_module *module)
{
    bool bad = false;
    const char *path;
    json_t *value;
    const json_t *modules = fx__json_object(&fxm->json, at, module_value, "modules", &bad);
    fx_json_at at_modules = fx__json_key(at, "modules");
    json_object_foreach((json_t *)(uintptr_t)modules, path, value)
    {
        fx_json_at place = fx__json_key(&at_modules, path);
        read_submodule(fxm, &place, path, value, module);
    }
}

static void read_attributes(fx_fxm *fxm, const fx_json_at *at, const json_t *module_value, fx_module *module)
{
    fx_fxm_scope scope = {.fxm = fxm, .graph = module->graph};
    fx_json_at place = fx__json_key(at, "attributes");
    const json_t *attributes = json_object_get(module_value, "attributes");
    fx_attr dict;
    fx__map_init(&scope.nodes, fxm->json.arena);
    if (!attributes || json_is_null(attributes) || !fx__fxm_dict(&scope, &place, attributes, &dict)) return;
    for (int32_t i = 0; i < dict.n; i++)
        if (fx_module_set_attribute(module, dict.keys[i], dict.u.items[i]) != FX_OK)
            fx__json_error(&fxm->json, &place, "the module refuses attribute %.80s", dict.keys[i]);
}

typedef fx_status (*set_name)(fx_module *module, int32_t index, const char *name);

static void read_names(fx_fxm *fxm, const fx_json_at *at, const json_t *value, const char *key, fx_module *module, int32_t n,
                       set_name set)
{
    bool bad = false;
    const json_t *names = fx__json_list(&fxm->json, at, value, key, &bad);
    fx_json_at place = fx__json_key(at, key);
    if (json_array_size(names) > (size_t)n) fx__json_error(&fxm->json, &place, "%zu names for %d", json_array_size(names), (int)n);
    for (int32_t i = 0; i < n && (size_t)i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, (size_t)i);
        if (json_is_null(name)) continue;
        if (!json_is_string(name))
            fx__json_error(&fxm->json, &place, "name %d is no text", (int)i);
        else if (set(module, i, json_string_value(name)) != FX_OK)
            fx__json_oom(&fxm->json);
    }
}

static void check_target(fx_fxm *fxm, const fx_json_at *at, const fx_module *module, const fx_node *node)
{
    fx_json_at place = fx__json_key(at, "graph");
    place.note = node->name;
    if (node->opcode == FX_GET_ATTR && !fx_module_tensor(module, node->target) && !fx_module_submodule(module, node->target))
        fx__json_error(&fxm->json, &place, "the module has no tensor %.200s", node->target);
    if (node->opcode == FX_CALL_MODULE && !node->body && !fx_module_submodule(module, node->target))
        fx__json_error(&fxm->json, &place, "the module has no submodule %.200s", node->target);
}

/* Bodies and regions name what the module around them has. */
static void check_targets(fx_fxm *fxm, const fx_json_at *at, const fx_module *module, const fx_graph *graph)
{
    FX_EACH_NODE(node, graph) check_target(fxm, at, module, node);
    for (const fx_graph *inner = graph->regions; inner; inner = inner->next_region) check_targets(fxm, at, module, inner);
}

static void read_facts(fx_fxm *fxm, const fx_json_at *at, const json_t *value, fx_module *module)
{
    const char *name = NULL, *class_name = NULL;
    bool training = false;
    (void)fx__json_text(&fxm->json, at, value, "name", false, &name);
    (void)fx__json_text(&fxm->json, at, value, "class", false, &class_name);
    (void)fx__json_bool(&fxm->json, at, value, "training", &training);
    module->training = training;
    name = name ? name : fx__module_short_name(class_name);
    if (name) module->name = fx__intern(fxm->json.context, name);
    if (!module->name || fx_module_set_class(module, class_name) != FX_OK) fx__json_oom(&fxm->json);
}

static void read_module(fx_fxm *fxm, const fx_json_at *at, const json_t *value, fx_module *module)
{
    fx_json *json = &fxm->json;
    bool bad = false;
    if (at->depth > FX_FXM_DEPTH) {
        fx__json_error(json, at, "modules are nested too deep");
        return;
    }
    if (!fx__json_is_object(json, at, value)) return;
    read_facts(fxm, at, value, module);
    if (json->out_of_memory) return;
    read_attributes(fxm, at, value, module);
    read_tensors(fxm, at, value, module);
    read_submodules(fxm, at, value, module);
    const json_t *graph = fx__json_object(json, at, value, "graph", &bad);
    fx_json_at place = fx__json_key(at, "graph");
    if (graph && fx__fxm_graph(fxm, &place, graph, module->graph)) check_targets(fxm, at, module, module->graph);
    read_names(fxm, at, value, "inputs", module, fx_module_input_count(module), fx_module_set_input_name);
    read_names(fxm, at, value, "outputs", module, fx_module_output_count(module), fx_module_set_output_name);
}

/* ---- Documents -------------------------------------------------------------------------------------------------------------- */

/* A bare list of torch.fx nodes; the text of output's argument names a node. */
static void read_plain(fx_fxm *fxm, const json_t *document, fx_module *module)
{
    fxm->plain = true;
    (void)fx__fxm_graph(fxm, NULL, document, module->graph);
}

static void read_document(fx_fxm *fxm, const json_t *document, fx_module *module)
{
    fx_json *json = &fxm->json;
    const char *format = NULL;
    int64_t version = 0;
    fx_json_at at = fx__json_key(NULL, "module");
    if (!fx__json_is_object(json, NULL, document)) return;
    if (!json_object_get(document, "format") && json_object_get(document, "nodes")) {
        read_plain(fxm, document, module);
        return;
    }
    if (!fx__json_text(json, NULL, document, "format", true, &format)) return;
    if (strcmp(format, "fxjit") != 0) {
        fx__json_error(json, NULL, "format \"%.40s\" is not \"fxjit\"", format);
        return;
    }
    if (!fx__json_int(json, NULL, document, "version", true, 1, INT64_MAX, &version)) return;
    if (version > FX_FXM_VERSION) {
        fx__json_error(json, NULL, "version %lld of the format is newer than this library, which reads up to %d",
                       (long long)version, (int)FX_FXM_VERSION);
        return;
    }
    const json_t *value = json_object_get(document, "module");
    if (value)
        read_module(fxm, &at, value, module);
    else
        fx__json_error(json, NULL, "\"module\" is missing");
}

static bool index_tensors(fx_fxm *fxm, const fx_named_tensor *tensors, int32_t n)
{
    fx__map_init(&fxm->tensors, fxm->json.arena);
    for (int32_t i = 0; i < n; i++)
        if (!fx__map_put(&fxm->tensors, fx__intern(fxm->json.context, tensors[i].name), (void *)(uintptr_t)&tensors[i]))
            return fx__json_oom(&fxm->json);
    return true;
}

fx_status fx__fxm_read(fx_context *context, const char *json, size_t bytes, const char *name, const fx_named_tensor *tensors,
                       int32_t n_tensors, fx_module **out)
{
    *out = NULL;
    fx_fxm fxm = {.json = {context, fx__arena_new(context), name, 0, false}};
    fx_module *module = fxm.json.arena ? fx_module_new(context, NULL) : NULL;
    json_t *document = NULL;
    if (!module || !index_tensors(&fxm, tensors, n_tensors))
        fxm.json.out_of_memory = true;
    else
        document = fx__json_parse(&fxm.json, json, bytes);
    if (document) read_document(&fxm, document, module);
    json_decref(document);
    fx_status status = fx__json_status(&fxm.json);
    fx__arena_free(fxm.json.arena);
    if (status != FX_OK) {
        fx_module_free(module);
        return status;
    }
    *out = module;
    return FX_OK;
}

fx_status fx_import_graph(fx_context *context, const char *json, size_t bytes, const char *name, const fx_named_tensor *tensors,
                          int32_t n_tensors, fx_module **out)
{
    return fx__fxm_read(context, json, bytes, name ? name : "graph.json", tensors, n_tensors, out);
}
