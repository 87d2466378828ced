/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/nested.c: where the flat inputs and outputs of a run stand in nested arguments and results, by paths as Python writes
 * them. A graph says how its own are nested by in_spec and out_spec (JSON, docs/FORMAT.md), or by its output's value. */
#include "frontend/json.h"
#include "fxjit/trace.h"
#include "ir/graph.h"
#include <string.h>

/* Paths of the inputs or outputs, in order. */
typedef struct places {
    fx_context *context;
    fx_arena *arena;
    const char **path;
    int32_t n, capacity;
    const fx_attr *leaves; /* values of a nested output; NULL: each leaf is an input */
    int32_t n_leaves, at;  /* leaves met */
    bool failed;
} places;

static void add(places *p, const char *path)
{
    const char **items = fx__arena_grow(p->arena, p->path, &p->capacity, p->n, sizeof *items);
    if (!items || !path) {
        p->failed = true;
        return;
    }
    p->path = items;
    items[p->n++] = path;
}

static const char *at_index(const places *p, const char *path, size_t index)
{
    return fx__arena_format(p->arena, "%s[%zu]", path, index);
}

static const char *at_key(places *p, const char *path, const char *key)
{
    fx_text text;
    fx__text_init(&text, p->context);
    fx__text_append(&text, "%s[", path);
    fx__json_put_text(&text, key);
    fx__text_append(&text, "]");
    char *whole = fx__text_finish(&text);
    const char *kept = whole ? fx__arena_copy(p->arena, whole, strlen(whole)) : NULL;
    fx_text_free(whole);
    return kept;
}

/* ---- A nesting as JSON ------------------------------------------------------------------------------------------------------- */

/* Constants among the leaves of an output are no outputs of a run. */
static void add_leaf(places *p, const char *path)
{
    int32_t index = p->at++;
    if (!p->leaves || (index < p->n_leaves && p->leaves[index].kind == FX_ATTR_NODE)) add(p, path);
}

static void walk_spec(places *p, const json_t *spec, const char *path)
{
    const json_t *dict = json_object_get(spec, "dict"), *list = json_object_get(spec, "list");
    const char *key;
    json_t *item;
    if (!path) p->failed = true;
    if (!list) list = json_object_get(spec, "tuple");
    if (!dict && !list && !json_object_get(spec, "none")) add_leaf(p, path);
    for (size_t i = 0; i < json_array_size(list) && !p->failed; i++) walk_spec(p, json_array_get(list, i), at_index(p, path, i));
    json_object_foreach((json_t *)(uintptr_t)dict, key, item)
    {
        if (!p->failed) walk_spec(p, item, at_key(p, path, key));
    }
}

static json_t *parse_spec(fx_context *context, const char *text)
{
    fx_json json = {.context = context, .file = "the nesting of inputs or outputs"};
    return fx__json_parse(&json, text, strlen(text));
}

static int32_t count_leaves(const json_t *spec)
{
    int32_t n = 0;
    const json_t *list = json_object_get(spec, "list") ? json_object_get(spec, "list") : json_object_get(spec, "tuple");
    const json_t *dict = json_object_get(spec, "dict");
    const char *key;
    json_t *item;
    if (!list && !dict) return json_object_get(spec, "none") ? 0 : 1;
    for (size_t i = 0; i < json_array_size(list); i++) n += count_leaves(json_array_get(list, i));
    json_object_foreach((json_t *)(uintptr_t)dict, key, item) n += count_leaves(item);
    return n;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------------------------ */

static const fx_node *next_input(const fx_node *node)
{
    while (node && node->opcode != FX_PLACEHOLDER) node = node->next;
    return node;
}

/* The leaves of argument d are inputs d_1, d_2, ...; this is the first one's. An argument that is not nested keeps its name. */
static const char *argument_name(const places *p, const fx_node *input)
{
    size_t bytes = strlen(input->target);
    bool is_first = bytes > 2 && strcmp(input->target + bytes - 2, "_1") == 0;
    return fx__arena_copy(p->arena, input->target, is_first ? bytes - 2 : bytes);
}

/* Python's `self` stands before the arguments of a method. */
static void walk_arguments(places *p, const fx_graph *graph, const json_t *spec)
{
    const json_t *list = json_object_get(spec, "tuple");
    const fx_node *input = next_input(graph->first);
    bool has_self = count_leaves(spec) > fx_module_input_count(graph->module);
    for (size_t i = has_self; i < json_array_size(list) && input && !p->failed; i++) {
        const json_t *argument = json_array_get(list, i);
        int32_t n = count_leaves(argument);
        if (n) walk_spec(p, argument, argument_name(p, input));
        while (n-- > 0 && input) input = next_input(input->next);
    }
}

static void find_inputs(places *p, const fx_module *module)
{
    const fx_graph *graph = module->graph;
    json_t *spec = graph->in_spec ? parse_spec(p->context, graph->in_spec) : NULL;
    if (graph->in_spec && !spec) p->failed = true;
    if (spec) walk_arguments(p, graph, spec);
    for (int32_t i = 0; !graph->in_spec && i < fx_module_input_count(module); i++) add(p, fx_module_input_name(module, i));
    json_decref(spec);
}

/* ---- Outputs ----------------------------------------------------------------------------------------------------------------- */

static void walk_value(places *p, const fx_attr *value, const char *path)
{
    if (!path || p->failed) {
        p->failed = true;
        return;
    }
    if (value->kind == FX_ATTR_NODE) add(p, path);
    if (!fx__attr_has_items(value->kind)) return;
    for (int32_t i = 0; i < value->n; i++) {
        bool is_dict = value->kind == FX_ATTR_DICT;
        walk_value(p, &value->u.items[i], is_dict ? at_key(p, path, value->keys[i]) : at_index(p, path, (size_t)i));
    }
}

static void find_outputs(places *p, const fx_module *module)
{
    const fx_graph *graph = module->graph;
    const fx_node *output = fx_graph_output_node(graph);
    if (!output || !output->args.n) return;
    const fx_attr *value = &output->args.u.items[0];
    json_t *spec = graph->out_spec ? parse_spec(p->context, graph->out_spec) : NULL;
    if (graph->out_spec && !spec) p->failed = true;
    bool is_flat = value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
    p->leaves = is_flat ? value->u.items : value;
    p->n_leaves = is_flat ? value->n : 1;
    if (spec) walk_spec(p, spec, "");
    if (!graph->out_spec) walk_value(p, value, "");
    json_decref(spec);
}

/* ---- Both -------------------------------------------------------------------------------------------------------------------- */

typedef void (*finder)(places *p, const fx_module *module);

static bool find_places(places *p, const fx_module *module, finder find)
{
    *p = (places){.context = module->context, .arena = fx__arena_new(module->context)};
    if (!p->arena) return false;
    find(p, module);
    if (!p->failed) return true;
    fx__arena_free(p->arena);
    return false;
}

static char *path_of(const fx_module *module, int32_t index, finder find)
{
    places p;
    fx_text text;
    if (!find_places(&p, module, find)) return NULL;
    fx__text_init(&text, p.context);
    bool good = index >= 0 && index < p.n;
    if (good) fx__text_append(&text, "%s", p.path[index]);
    char *path = good ? fx__text_finish(&text) : NULL;
    fx__arena_free(p.arena);
    return path;
}

static int32_t index_of(const fx_module *module, const char *path, finder find)
{
    places p;
    int32_t found = -1;
    if (!path || !find_places(&p, module, find)) return -1;
    for (int32_t i = 0; i < p.n && found < 0; i++)
        if (strcmp(p.path[i], path) == 0) found = i;
    fx__arena_free(p.arena);
    return found;
}

char *fx_module_input_path(const fx_module *module, int32_t index)
{
    return path_of(module, index, find_inputs);
}

char *fx_module_output_path(const fx_module *module, int32_t index)
{
    return path_of(module, index, find_outputs);
}

int32_t fx_module_find_input(const fx_module *module, const char *path)
{
    return index_of(module, path, find_inputs);
}

int32_t fx_module_find_output(const fx_module *module, const char *path)
{
    return index_of(module, path, find_outputs);
}
