/* SPDX-License-Identifier: Apache-2.0 */
/* fxm_write.c: a module as graph.json: one node per line, keys in a fixed order, what is absent left out, so that equal modules
 * give equal bytes and what was read is written again as it was. */
#include "frontend/fxm.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct writing {
    fx_text *text;
    fx_arena *arena;
    fx_fxm_key key;
    void *user;
    bool failed; /* reported, or out of memory */
} writing;

static void put_graph(writing *w, const fx_graph *graph, int indent);

static void put(writing *w, const char *bytes)
{
    fx__text_put(w->text, bytes, strlen(bytes));
}

static void put_text(writing *w, const char *value)
{
    if (fx__json_put_text(w->text, value)) return;
    if (!w->failed) fx__diag(w->text->context, FX_E_ARG, NULL, "text \"%.80s\" is not UTF-8: it cannot be written as JSON", value);
    w->failed = true;
}

/* The next member of an object: a comma unless it is the first, and the key. */
static void put_key(writing *w, bool *first, const char *key)
{
    put(w, *first ? "\"" : ", \"");
    put(w, key);
    put(w, "\": ");
    *first = false;
}

static void put_member(writing *w, bool *first, const char *key, const char *value)
{
    put_key(w, first, key);
    put_text(w, value);
}

static void put_line(writing *w, int indent)
{
    fx__text_append(w->text, "\n%*s", indent, "");
}

/* ---- Values ----------------------------------------------------------------------------------------------------------------- */

static void put_value(writing *w, const fx_graph *graph, const fx_attr *value, int indent);

static void put_unreal(writing *w, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isinf(value))
        put(w, value > 0 ? "\"inf\"" : "\"-inf\"");
    else if (bits == UINT64_C(0x7ff8000000000000))
        put(w, "\"nan\"");
    else
        fx__text_append(w->text, "\"nan(0x%016" PRIx64 ")\"", bits);
}

static void put_float(writing *w, double value)
{
    if (isfinite(value)) {
        fx__text_double(w->text, value);
        return;
    }
    put(w, "{\"float\": ");
    put_unreal(w, value);
    put(w, "}");
}

static void put_word(writing *w, const char *kind, const char *text)
{
    fx__text_append(w->text, "{\"%s\": ", kind);
    put_text(w, text);
    put(w, "}");
}

static void put_dim(writing *w, const fx_graph *graph, fx_dim dim)
{
    if (fx_dim_is_const(dim)) {
        fx__text_append(w->text, "%" PRId64, dim);
        return;
    }
    put(w, "\"");
    fx__dim_print(graph->dims, dim, w->text);
    put(w, "\"");
}

static void put_items(writing *w, const fx_graph *graph, const fx_attr *value, int indent)
{
    put(w, "[");
    for (int32_t i = 0; i < value->n; i++) {
        if (i) put(w, ", ");
        put_value(w, graph, &value->u.items[i], indent);
    }
    put(w, "]");
}

static void put_dict(writing *w, const fx_graph *graph, const fx_attr *value, int indent)
{
    put(w, "{");
    for (int32_t i = 0; i < value->n; i++) {
        if (i) put(w, ", ");
        put_text(w, value->keys[i]);
        put(w, ": ");
        put_value(w, graph, &value->u.items[i], indent);
    }
    put(w, "}");
}

static void put_leaf(writing *w, const fx_graph *graph, const fx_attr *value, int indent)
{
    switch (value->kind) {
    case FX_ATTR_NONE:
        put(w, "null");
        break;
    case FX_ATTR_ELLIPSIS:
        put(w, "{\"ellipsis\": true}");
        break;
    case FX_ATTR_BOOL:
        put(w, value->u.i ? "true" : "false");
        break;
    case FX_ATTR_INT:
        fx__text_append(w->text, "%" PRId64, value->u.i);
        break;
    case FX_ATTR_FLOAT:
        put_float(w, value->u.f);
        break;
    case FX_ATTR_COMPLEX:
        put(w, "{\"complex\": [");
        put_float(w, value->u.c[0]);
        put(w, ", ");
        put_float(w, value->u.c[1]);
        put(w, "]}");
        break;
    case FX_ATTR_STR:
        put_text(w, value->u.s);
        break;
    case FX_ATTR_DTYPE:
        put_word(w, "dtype", fx_dtype_torch_name(value->u.dtype));
        break;
    case FX_ATTR_DEVICE:
        put_word(w, "device", value->u.s);
        break;
    case FX_ATTR_NAME:
        put_word(w, "name", value->u.s);
        break;
    case FX_ATTR_NODE:
        put_word(w, "node", value->u.node->name);
        break;
    case FX_ATTR_SYMINT:
        put(w, "{\"dim\": ");
        put_dim(w, graph, value->u.dim);
        put(w, "}");
        break;
    default:
        put(w, "{\"graph\": ");
        put_graph(w, value->u.graph, indent + 2);
        put(w, "}");
        break;
    }
}

static void put_value(writing *w, const fx_graph *graph, const fx_attr *value, int indent)
{
    static const char *const kinds[FX_ATTR_KIND_COUNT] = {
        [FX_ATTR_TUPLE] = "tuple", [FX_ATTR_DICT] = "dict", [FX_ATTR_SLICE] = "slice", [FX_ATTR_RANGE] = "range"};
    if (!fx__attr_has_items(value->kind)) {
        put_leaf(w, graph, value, indent);
        return;
    }
    const char *kind = kinds[value->kind];
    if (kind) fx__text_append(w->text, "{\"%s\": ", kind);
    if (value->kind == FX_ATTR_DICT)
        put_dict(w, graph, value, indent);
    else
        put_items(w, graph, value, indent);
    if (kind) put(w, "}");
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------ */

static void put_types(writing *w, const fx_node *node)
{
    put(w, "[");
    for (int32_t i = 0; i < node->n_result; i++) {
        const fx_type *type = fx_node_type(node, i);
        if (i) put(w, ", ");
        if (!type) {
            put(w, "null");
            continue;
        }
        fx__text_append(w->text, "{\"dtype\": \"%s\", \"shape\": [", fx_dtype_name(type->dtype));
        for (int32_t d = 0; d < type->rank; d++) {
            if (d) put(w, ", ");
            put_dim(w, node->graph, type->dim[d]);
        }
        put(w, "]}");
    }
    put(w, "]");
}

static void put_loc(writing *w, const fx_loc *loc)
{
    bool first = true;
    put(w, "{");
    if (loc->file) put_member(w, &first, "file", loc->file);
    if (loc->line) {
        put_key(w, &first, "line");
        fx__text_append(w->text, "%d", (int)loc->line);
    }
    if (loc->function) put_member(w, &first, "function", loc->function);
    put(w, "}");
}

static void put_meta(writing *w, const fx_node *node)
{
    put(w, "{");
    for (int32_t i = 0; i < node->n_meta; i++) {
        const char *key = fx_node_meta_key(node, i);
        if (i) put(w, ", ");
        put_text(w, key);
        put(w, ": ");
        put_value(w, node->graph, fx_node_meta(node, key), 0);
    }
    put(w, "}");
}

static void put_node(writing *w, const fx_node *node, int indent)
{
    bool first = true;
    put(w, "{");
    put_member(w, &first, "name", node->name);
    put_member(w, &first, "op", fx_opcode_name(node->opcode));
    put_member(w, &first, "target", node->target);
    if (node->args.n) {
        put_key(w, &first, "args");
        put_items(w, node->graph, &node->args, indent);
    }
    if (node->kwargs.n) {
        put_key(w, &first, "kwargs");
        put_dict(w, node->graph, &node->kwargs, indent);
    }
    if (node->annotation) put_member(w, &first, "annotation", node->annotation);
    if (node->n_result) {
        put_key(w, &first, "types");
        put_types(w, node);
    }
    if (node->n_meta) {
        put_key(w, &first, "meta");
        put_meta(w, node);
    }
    if (node->loc.file || node->loc.line || node->loc.function) {
        put_key(w, &first, "loc");
        put_loc(w, &node->loc);
    }
    if (node->body) {
        put_key(w, &first, "body");
        put_graph(w, node->body, indent + 2);
    }
    put(w, "}");
}

/* ---- Graphs ----------------------------------------------------------------------------------------------------------------- */

static void put_symbol(writing *w, const fx_sym *sym)
{
    put(w, "{\"name\": ");
    put_text(w, sym->name);
    fx__text_append(w->text, ", \"min\": %" PRId64 ", \"max\": %" PRId64 ", \"hint\": %" PRId64 ", \"multiple\": %" PRId64, sym->lo,
                    sym->hi, sym->hint, sym->multiple);
    if (sym->input >= 0) fx__text_append(w->text, ", \"input\": %d, \"axis\": %d", sym->input, sym->axis);
    put(w, "}");
}

static void put_guard(writing *w, const fx_graph *graph, const fx_guard *guard)
{
    static const char *const signs[] = {[FX_GUARD_EQ] = "==", [FX_GUARD_NE] = "!=", [FX_GUARD_LE] = "<="};
    put(w, "[");
    put_dim(w, graph, guard->a);
    fx__text_append(w->text, ", \"%s\", ", signs[guard->kind]);
    put_dim(w, graph, guard->b);
    if (guard->why) {
        put(w, ", ");
        put_text(w, guard->why);
    }
    put(w, "]");
}

static void put_symbols(writing *w, const fx_graph *graph, bool *first, int indent)
{
    int32_t n = fx__dims_sym_count(graph->dims), n_guards = fx__dims_guard_count(graph->dims);
    if (n) put_key(w, first, "symbols");
    for (int32_t i = 0; i < n; i++) {
        put(w, i ? ",\n" : "[\n");
        fx__text_append(w->text, "%*s", indent, "");
        put_symbol(w, fx__dims_sym(graph->dims, i));
    }
    if (n) put(w, "]");
    if (n_guards) put_key(w, first, "assume");
    for (int32_t i = 0; i < n_guards; i++) {
        put(w, i ? ", " : "[");
        put_guard(w, graph, fx__dims_guard(graph->dims, i));
    }
    if (n_guards) put(w, "]");
}

/* It was checked when it was read. */
static void put_spec(writing *w, bool *first, const char *key, const char *spec)
{
    if (!spec) return;
    put_key(w, first, key);
    put(w, spec);
}

static void put_graph(writing *w, const fx_graph *graph, int indent)
{
    bool first = true, first_node = true;
    put(w, "{");
    put_symbols(w, graph, &first, indent);
    put_spec(w, &first, "in_spec", graph->in_spec);
    put_spec(w, &first, "out_spec", graph->out_spec);
    put_key(w, &first, "nodes");
    put(w, "[");
    FX_EACH_NODE(node, graph)
    {
        if (!first_node) put(w, ",");
        first_node = false;
        put_line(w, indent);
        put_node(w, node, indent);
    }
    put(w, "]}");
}

/* ---- Modules ---------------------------------------------------------------------------------------------------------------- */

static void put_tensors(writing *w, const fx_module *module, const char *dotted, int indent)
{
    put(w, "{");
    for (int32_t i = 0; i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        const char *path = fx__arena_format(w->arena, "%s%s", dotted, entry->path), *key = path ? w->key(w->user, path) : NULL;
        if (i) put(w, ",");
        put_line(w, indent);
        put_text(w, entry->path);
        put(w, ": {\"tensor\": ");
        put_text(w, key ? key : "");
        put(w, entry->is_buffer ? ", \"buffer\": true}" : ", \"buffer\": false}");
        w->failed |= !key;
    }
    put(w, "}");
}

static void put_names(writing *w, bool *first, const char *key, const fx_name_list *list)
{
    if (!list->n) return;
    put_key(w, first, key);
    put(w, "[");
    for (int32_t i = 0; i < list->n; i++) {
        if (i) put(w, ", ");
        if (list->name[i])
            put_text(w, list->name[i]);
        else
            put(w, "null");
    }
    put(w, "]");
}

static void put_module(writing *w, const fx_module *module, const char *dotted, int indent);

static void put_submodules(writing *w, const fx_module *module, const char *dotted, int indent)
{
    put(w, "{");
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const char *inner = fx__arena_format(w->arena, "%s%s.", dotted, module->submodules[i].path);
        w->failed |= !inner;
        if (!inner) break;
        if (i) put(w, ",");
        put_line(w, indent);
        put_text(w, module->submodules[i].path);
        put(w, ": ");
        put_module(w, module->submodules[i].module, inner, indent + 1);
    }
    put(w, "}");
}

/* The name is written where it is not what a reader would take for it. */
static void put_facts(writing *w, const fx_module *module, bool *first)
{
    const char *usual = fx__module_short_name(module->class_name);
    if (!usual || strcmp(usual, module->name) != 0) put_member(w, first, "name", module->name);
    if (module->class_name) put_member(w, first, "class", module->class_name);
    if (module->attributes.n) {
        put_key(w, first, "attributes");
        put_dict(w, module->graph, &module->attributes, 0);
    }
    if (module->training) {
        put_key(w, first, "training");
        put(w, "true");
    }
}

static void put_module(writing *w, const fx_module *module, const char *dotted, int indent)
{
    bool first = true;
    put(w, "{");
    put_facts(w, module, &first);
    if (module->n_tensors) {
        put_key(w, &first, "tensors");
        put_tensors(w, module, dotted, indent);
    }
    if (module->n_submodules) {
        put_key(w, &first, "modules");
        put_submodules(w, module, dotted, indent);
    }
    put_names(w, &first, "inputs", &module->input_names);
    put_names(w, &first, "outputs", &module->output_names);
    if (module->graph->n_nodes) {
        put_key(w, &first, "graph");
        put_graph(w, module->graph, indent);
    }
    put(w, "}");
}

bool fx__fxm_write(fx_text *text, fx_module *module, fx_fxm_key key, void *user)
{
    writing w = {.text = text, .arena = fx__arena_new(module->context), .key = key, .user = user};
    if (!w.arena) return false;
    fx__text_append(text, "{\"format\": \"fxjit\", \"version\": %d, \"producer\": \"fxjit %s\", \"module\":\n", (int)FX_FXM_VERSION,
                    fx_version());
    put_module(&w, module, "", 1);
    put(&w, "}\n");
    fx__arena_free(w.arena);
    return !w.failed && !text->failed;
}
