/* SPDX-License-Identifier: Apache-2.0 */
/* ir/attr.c: argument values: making them in a graph's memory, comparing, walking and copying them. Values are immutable, so a
 * change of a node's arguments is a new value. Depth is bounded where values enter a node (fx__attr_check). */
#include "ir/graph.h"
#include <string.h>

fx_attr fx_str(fx_graph *graph, const char *text)
{
    char *copy = text ? fx__arena_copy(graph->arena, text, strlen(text)) : NULL;
    return copy ? (fx_attr){.kind = FX_ATTR_STR, .u.s = copy} : fx_none();
}

static fx_attr make_items(fx_graph *graph, fx_attr_kind kind, const fx_attr *items, int32_t n)
{
    fx_attr *copy = FX_NEW_ARRAY(graph->arena, fx_attr, n < 0 ? 0 : n);
    if (!copy || n < 0) return fx_none();
    if (n) memcpy(copy, items, (size_t)n * sizeof *copy);
    return (fx_attr){.kind = kind, .n = n, .u.items = copy};
}

fx_attr fx_tuple(fx_graph *graph, const fx_attr *items, int32_t n)
{
    return make_items(graph, FX_ATTR_TUPLE, items, n);
}

fx_attr fx_list(fx_graph *graph, const fx_attr *items, int32_t n)
{
    return make_items(graph, FX_ATTR_LIST, items, n);
}

fx_attr fx_ints(fx_graph *graph, const int64_t *values, int32_t n)
{
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, n < 0 ? 0 : n);
    if (!items || n < 0) return fx_none();
    for (int32_t i = 0; i < n; i++) items[i] = fx_int(values[i]);
    return (fx_attr){.kind = FX_ATTR_LIST, .n = n, .u.items = items};
}

fx_attr fx_dict(fx_graph *graph, const char *const *keys, const fx_attr *items, int32_t n)
{
    fx_attr dict = make_items(graph, FX_ATTR_DICT, items, n);
    if (dict.kind == FX_ATTR_NONE) return dict;
    const char **copies = FX_NEW_ARRAY(graph->arena, const char *, n);
    if (!copies) return fx_none();
    for (int32_t i = 0; i < n; i++) {
        copies[i] = fx__intern(graph->context, keys[i]);
        if (!copies[i]) return fx_none();
    }
    dict.keys = copies;
    return dict;
}

fx_attr fx_slice(fx_graph *graph, fx_attr start, fx_attr stop, fx_attr step)
{
    return make_items(graph, FX_ATTR_SLICE, (const fx_attr[]){start, stop, step}, 3);
}

fx_attr fx_range(fx_graph *graph, fx_attr start, fx_attr stop, fx_attr step)
{
    return make_items(graph, FX_ATTR_RANGE, (const fx_attr[]){start, stop, step}, 3);
}

static fx_attr make_text(fx_graph *graph, fx_attr_kind kind, const char *text)
{
    const char *copy = fx__intern(graph->context, text);
    return copy ? (fx_attr){.kind = kind, .u.s = copy} : fx_none();
}

fx_attr fx_device(fx_graph *graph, const char *text)
{
    return make_text(graph, FX_ATTR_DEVICE, text);
}

fx_attr fx_name_attr(fx_graph *graph, const char *text)
{
    return make_text(graph, FX_ATTR_NAME, text);
}

const char *fx__attr_word(fx_attr_kind kind)
{
    static const char *const words[FX_ATTR_KIND_COUNT] = {"None", "...",   "bool",   "int",   "float",  "complex",
                                                          "str",  "dtype", "device", "name",  "Tensor", "tuple",
                                                          "list", "dict",  "slice",  "range", "SymInt", "graph"};
    return (unsigned)kind < FX_ATTR_KIND_COUNT ? words[kind] : "no value";
}

bool fx__attr_has_items(fx_attr_kind kind)
{
    return kind == FX_ATTR_TUPLE || kind == FX_ATTR_LIST || kind == FX_ATTR_DICT || kind == FX_ATTR_SLICE || kind == FX_ATTR_RANGE;
}

bool fx__attr_has_symbol(const fx_attr *value)
{
    if (value->kind == FX_ATTR_SYMINT) return true;
    for (int32_t i = 0; fx__attr_has_items(value->kind) && i < value->n; i++)
        if (fx__attr_has_symbol(&value->u.items[i])) return true;
    return false;
}

static bool equal_items(const fx_attr *a, const fx_attr *b)
{
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++) {
        if (a->kind == FX_ATTR_DICT && strcmp(a->keys[i], b->keys[i]) != 0) return false;
        if (!fx_attr_equal(&a->u.items[i], &b->u.items[i])) return false;
    }
    return true;
}

bool fx_attr_equal(const fx_attr *a, const fx_attr *b)
{
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case FX_ATTR_NONE:
    case FX_ATTR_ELLIPSIS:
        return true;
    case FX_ATTR_BOOL:
    case FX_ATTR_INT:
        return a->u.i == b->u.i;
    case FX_ATTR_FLOAT:
        return memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0;
    case FX_ATTR_COMPLEX:
        return memcmp(a->u.c, b->u.c, sizeof a->u.c) == 0;
    case FX_ATTR_STR:
    case FX_ATTR_DEVICE:
    case FX_ATTR_NAME:
        return strcmp(a->u.s, b->u.s) == 0;
    case FX_ATTR_DTYPE:
        return a->u.dtype == b->u.dtype;
    case FX_ATTR_NODE:
        return a->u.node == b->u.node;
    case FX_ATTR_SYMINT:
        return a->u.dim == b->u.dim;
    case FX_ATTR_GRAPH:
        return a->u.graph == b->u.graph;
    default:
        return equal_items(a, b);
    }
}

void fx__attr_each_node(const fx_attr *value, void (*visit)(void *user, fx_node *node), void *user)
{
    if (value->kind == FX_ATTR_NODE) visit(user, value->u.node);
    if (!fx__attr_has_items(value->kind)) return;
    for (int32_t i = 0; i < value->n; i++) fx__attr_each_node(&value->u.items[i], visit, user);
}

bool fx_attr_each(const fx_attr *value, fx_attr_visit visit, void *user)
{
    if (!fx__attr_has_items(value->kind)) return visit(user, value);
    for (int32_t i = 0; i < value->n; i++)
        if (!fx_attr_each(&value->u.items[i], visit, user)) return false;
    return true;
}

static fx_status map_items(fx_graph *graph, const fx_attr *value, fx_attr_map_fn map, void *user, int depth, fx_attr *out);

static fx_status map_value(fx_graph *graph, const fx_attr *value, fx_attr_map_fn map, void *user, int depth, fx_attr *out)
{
    if (depth > FX_ATTR_DEPTH)
        return fx__diag(graph->context, FX_E_ARG, NULL, "values are nested more than %d deep", (int)FX_ATTR_DEPTH);
    if (fx__attr_has_items(value->kind)) return map_items(graph, value, map, user, depth, out);
    *out = map(user, value);
    return FX_OK;
}

static fx_status map_items(fx_graph *graph, const fx_attr *value, fx_attr_map_fn map, void *user, int depth, fx_attr *out)
{
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, value->n);
    if (!items) return FX_E_OOM;
    for (int32_t i = 0; i < value->n; i++) FX_TRY(map_value(graph, &value->u.items[i], map, user, depth + 1, &items[i]));
    bool keyed = value->kind == FX_ATTR_DICT;
    *out = keyed ? fx_dict(graph, value->keys, items, value->n) : (fx_attr){.kind = value->kind, .n = value->n, .u.items = items};
    return out->kind == value->kind ? FX_OK : FX_E_OOM;
}

fx_status fx_attr_map(fx_graph *graph, const fx_attr *value, fx_attr_map_fn map, void *user, fx_attr *out)
{
    fx_attr mapped;
    FX_TRY(map_value(graph, value, map, user, 0, &mapped));
    *out = mapped;
    return FX_OK;
}

/* A region of another graph is cloned; one of this graph is kept. */
static fx_attr copy_graph(fx_graph *graph, const fx_attr *value)
{
    if (value->u.graph->parent == graph) return *value;
    fx_graph *clone = fx_graph_clone(value->u.graph);
    if (!clone) return fx_none();
    fx__graph_adopt(graph, clone);
    return (fx_attr){.kind = FX_ATTR_GRAPH, .u.graph = clone};
}

static fx_attr copy_items(fx_graph *graph, const fx_attr *value, fx_node_map map, void *user)
{
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, value->n);
    if (!items) return fx_none();
    for (int32_t i = 0; i < value->n; i++) items[i] = fx__attr_copy(graph, &value->u.items[i], map, user);
    if (value->kind == FX_ATTR_DICT) return fx_dict(graph, value->keys, items, value->n);
    return (fx_attr){.kind = value->kind, .n = value->n, .u.items = items};
}

fx_attr fx__attr_copy(fx_graph *graph, const fx_attr *value, fx_node_map map, void *user)
{
    switch (value->kind) {
    case FX_ATTR_STR:
    case FX_ATTR_DEVICE:
    case FX_ATTR_NAME: {
        const char *copy = fx__intern(graph->context, value->u.s);
        return copy ? (fx_attr){.kind = value->kind, .u.s = copy} : fx_none();
    }
    case FX_ATTR_NODE:
        return fx_node_attr(map ? map(user, value->u.node) : value->u.node);
    case FX_ATTR_GRAPH:
        return copy_graph(graph, value);
    default:
        return fx__attr_has_items(value->kind) ? copy_items(graph, value, map, user) : *value;
    }
}

static fx_status check_items(const fx_graph *graph, const fx_attr *value, int depth, const fx_loc *loc)
{
    if (value->n < 0 || (value->n > 0 && !value->u.items)) return fx__diag(graph->context, FX_E_ARG, loc, "a value has no items");
    if (value->kind == FX_ATTR_SLICE || value->kind == FX_ATTR_RANGE)
        if (value->n != 3) return fx__diag(graph->context, FX_E_ARG, loc, "a slice or range has %d items instead of 3", value->n);
    if (value->kind == FX_ATTR_DICT && value->n > 0 && !value->keys)
        return fx__diag(graph->context, FX_E_ARG, loc, "a dict has no keys");
    for (int32_t i = 0; i < value->n; i++) FX_TRY(fx__attr_check(graph, &value->u.items[i], depth + 1, loc));
    return FX_OK;
}

fx_status fx__attr_check(const fx_graph *graph, const fx_attr *value, int depth, const fx_loc *loc)
{
    if (depth > FX_ATTR_DEPTH)
        return fx__diag(graph->context, FX_E_ARG, loc, "values are nested more than %d deep", (int)FX_ATTR_DEPTH);
    if (fx__attr_has_items(value->kind)) return check_items(graph, value, depth, loc);
    switch (value->kind) {
    case FX_ATTR_STR:
    case FX_ATTR_DEVICE:
    case FX_ATTR_NAME:
        if (!value->u.s) return fx__diag(graph->context, FX_E_ARG, loc, "a text value is NULL");
        return FX_OK;
    case FX_ATTR_NODE:
        if (!value->u.node) return fx__diag(graph->context, FX_E_ARG, loc, "a node value is NULL");
        if (value->u.node->graph != graph)
            return fx__diag(graph->context, FX_E_GRAPH, loc, "argument %s belongs to another graph", value->u.node->name);
        if (value->u.node->erased)
            return fx__diag(graph->context, FX_E_GRAPH, loc, "argument %s was erased from the graph", value->u.node->name);
        return FX_OK;
    case FX_ATTR_DTYPE:
        if (!fx_dtype_bytes(value->u.dtype)) return fx__diag(graph->context, FX_E_ARG, loc, "a dtype value is out of range");
        return FX_OK;
    case FX_ATTR_GRAPH:
        if (!value->u.graph) return fx__diag(graph->context, FX_E_ARG, loc, "a graph value is NULL");
        return FX_OK;
    default:
        if ((unsigned)value->kind >= FX_ATTR_KIND_COUNT) return fx__diag(graph->context, FX_E_ARG, loc, "a value has no kind");
        return FX_OK;
    }
}
