/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node_meta.c: what is known of a node beside its call: source location, annotation, types of its results, and facts by name. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

struct fx_meta {
    const char *key; /* interned */
    fx_attr value;
};

/* ---- Location and types ------------------------------------------------------------------------------------------------ */

void fx_node_set_loc(fx_node *node, fx_loc loc)
{
    fx_context *context = node->graph->context;
    node->loc = (fx_loc){fx__intern(context, loc.file), loc.line, fx__intern(context, loc.function)};
}

const fx_type *fx_node_type(const fx_node *node, int32_t index)
{
    if (index < 0 || index >= node->n_result || node->result[index].dtype == FX_DTYPE_COUNT) return NULL;
    return &node->result[index];
}

static bool type_is_legal(const fx_type *type)
{
    if (!fx_dtype_bytes(type->dtype) || type->rank < 0 || type->rank > FX_RANK) return false;
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] == FX_DIM_BAD || (fx_dim_is_const(type->dim[d]) && type->dim[d] < 0)) return false;
    return true;
}

fx_status fx__node_reserve_results(fx_node *node, int32_t n)
{
    if (n <= node->n_result) return FX_OK;
    fx_type *result = FX_NEW_ARRAY(node->graph->arena, fx_type, n);
    if (!result) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) result[i] = i < node->n_result ? node->result[i] : (fx_type){.dtype = FX_DTYPE_COUNT};
    node->result = result;
    node->n_result = n;
    return FX_OK;
}

/* A NULL type forgets all results. */
fx_status fx_node_set_type(fx_node *node, int32_t index, const fx_type *type)
{
    if (!type) {
        node->n_result = 0;
        return FX_OK;
    }
    if (index < 0 || index >= FX_RESULTS) return fx__diag_node(node, FX_E_ARG, "result index %d", (int)index);
    if (!type_is_legal(type)) return fx__diag_node(node, FX_E_ARG, "the type of result %d is not a type", (int)index);
    FX_TRY(fx__node_reserve_results(node, index + 1));
    node->result[index] = *type;
    return FX_OK;
}

fx_status fx_node_set_annotation(fx_node *node, const char *annotation)
{
    const char *text = annotation && *annotation ? fx__intern(node->graph->context, annotation) : NULL;
    if (!text && annotation && *annotation) return FX_E_OOM;
    node->annotation = text;
    node->graph->edits++;
    return FX_OK;
}

/* ---- Facts by name ----------------------------------------------------------------------------------------------------- */

static struct fx_meta *find_meta(const fx_node *node, const char *key)
{
    for (int32_t i = 0; i < node->n_meta; i++)
        if (strcmp(node->meta[i].key, key) == 0) return &node->meta[i];
    return NULL;
}

static bool is_plain(void *user, const fx_attr *value)
{
    (void)user;
    return value->kind != FX_ATTR_NODE && value->kind != FX_ATTR_GRAPH;
}

static fx_status check_meta(const fx_node *node, const char *key, const fx_attr *value)
{
    if (!key || !*key) return fx__diag_node(node, FX_E_ARG, "meta of %s has no key", node->name);
    FX_TRY(fx__attr_check(node->graph, value, 0, &node->loc));
    if (fx_attr_each(value, is_plain, NULL)) return FX_OK;
    return fx__diag_node(node, FX_E_ARG, "meta %s of %s holds a node or a graph; expected plain values", key, node->name);
}

static struct fx_meta *add_meta(fx_node *node, const char *key)
{
    struct fx_meta *meta = fx__arena_grow(node->graph->arena, node->meta, &node->cap_meta, node->n_meta, sizeof *meta);
    const char *kept = fx__intern(node->graph->context, key);
    if (!meta || !kept) return NULL;
    node->meta = meta;
    node->meta[node->n_meta] = (struct fx_meta){.key = kept};
    return &node->meta[node->n_meta++];
}

fx_status fx_node_set_meta(fx_node *node, const char *key, fx_attr value)
{
    FX_TRY(check_meta(node, key, &value));
    fx_attr copy = fx__attr_copy(node->graph, &value, NULL, NULL);
    if (copy.kind != value.kind) return FX_E_OOM;
    struct fx_meta *meta = find_meta(node, key);
    if (!meta) meta = add_meta(node, key);
    if (!meta) return FX_E_OOM;
    meta->value = copy;
    return FX_OK;
}

const fx_attr *fx_node_meta(const fx_node *node, const char *key)
{
    const struct fx_meta *meta = key ? find_meta(node, key) : NULL;
    return meta ? &meta->value : NULL;
}

int32_t fx_node_meta_count(const fx_node *node)
{
    return node->n_meta;
}

const char *fx_node_meta_key(const fx_node *node, int32_t index)
{
    return index >= 0 && index < node->n_meta ? node->meta[index].key : NULL;
}

fx_status fx_node_delete_meta(fx_node *node, const char *key)
{
    struct fx_meta *meta = key ? find_meta(node, key) : NULL;
    if (!meta) return fx__diag_node(node, FX_E_NOT_FOUND, "%s has no meta %s", node->name, key ? key : "without a key");
    ptrdiff_t after = node->meta + node->n_meta - (meta + 1);
    memmove(meta, meta + 1, (size_t)after * sizeof *meta);
    node->n_meta--;
    return FX_OK;
}

/* ---- Copies ------------------------------------------------------------------------------------------------------------ */

fx_status fx__node_copy_meta(fx_node *to, const fx_node *from)
{
    to->n_meta = 0;
    for (int32_t i = 0; i < from->n_meta; i++) FX_TRY(fx_node_set_meta(to, from->meta[i].key, from->meta[i].value));
    return FX_OK;
}

static fx_status copy_results(fx_node *to, const fx_node *from)
{
    if (!from->n_result) return FX_OK;
    to->result = FX_NEW_ARRAY(to->graph->arena, fx_type, from->n_result);
    if (!to->result) return FX_E_OOM;
    memcpy(to->result, from->result, (size_t)from->n_result * sizeof *to->result);
    to->n_result = from->n_result;
    return FX_OK;
}

fx_status fx__node_copy_facts(fx_node *to, const fx_node *from, bool types)
{
    to->annotation = from->annotation;
    FX_TRY(fx__node_copy_meta(to, from));
    FX_TRY(fx__node_copy_body(to, from));
    if (!types) return FX_OK;
    to->has_order = from->has_order;
    memcpy(to->order, from->order, sizeof to->order);
    return copy_results(to, from);
}
