/* SPDX-License-Identifier: Apache-2.0 */
/* passes/index.c: Python indices as views: an integer selects, a slice slices, None adds a dim, an Ellipsis skips dims. */
#include "passes/mutate.h"
#include <string.h>

static bool is_getitem(const fx_node *node)
{
    bool is_call = node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD;
    const char *name = node->opcode == FX_CALL_METHOD ? "__getitem__" : "operator.getitem";
    return is_call && node->args.n == 2 && strcmp(node->target, name) == 0 && fx__arg(node, 0)->kind == FX_ATTR_NODE;
}

bool fx__index_is_views(const fx_node *node)
{
    if (!is_getitem(node)) return false;
    fx_attr_kind kind = fx__arg(node, 1)->kind;
    return kind == FX_ATTR_TUPLE || kind == FX_ATTR_SLICE || kind == FX_ATTR_NONE || kind == FX_ATTR_ELLIPSIS;
}

typedef struct walk {
    fx_node *before, *x;
    int32_t dim;
    fx_node **tensors; /* [FX_RANK]: by dim of x; NULL: there must be none */
} walk;

static bool replace(walk *w, const char *name, const fx_attr *args, int32_t n)
{
    w->x = fx__core_call(w->before, name, args, n);
    return w->x != NULL;
}

static bool apply_slice(walk *w, const fx_attr *slice)
{
    const fx_attr *bounds = slice->u.items, step = bounds[2].kind == FX_ATTR_NONE ? fx_int(1) : bounds[2];
    bool takes_all = bounds[0].kind == FX_ATTR_NONE && bounds[1].kind == FX_ATTR_NONE && step.kind == FX_ATTR_INT && step.u.i == 1;
    const fx_attr args[] = {fx_node_attr(w->x), fx_int(w->dim++), bounds[0], bounds[1], step};
    return takes_all || replace(w, "slice", args, 5);
}

/* Dims that the items of an index take up. */
static int32_t count_taken(const fx_attr *items, int32_t n)
{
    int32_t taken = 0;
    for (int32_t i = 0; i < n; i++) taken += items[i].kind != FX_ATTR_NONE && items[i].kind != FX_ATTR_ELLIPSIS;
    return taken;
}

/* A mask of several dims stands for as many items. */
static bool is_wide_mask(const fx_node *node)
{
    const fx_type *type = fx_node_type(node, 0);
    return !type || (type->dtype == FX_BOOL && type->rank != 1);
}

static bool apply_item(walk *w, const fx_attr *items, int32_t i, int32_t n)
{
    const fx_type *type = fx_node_type(w->x, 0);
    const fx_attr args[] = {fx_node_attr(w->x), fx_int(w->dim), items[i]};
    switch (items[i].kind) {
    case FX_ATTR_INT:
    case FX_ATTR_SYMINT:
        return replace(w, "select", args, 3);
    case FX_ATTR_SLICE:
        return apply_slice(w, &items[i]);
    case FX_ATTR_NONE:
        w->dim++;
        return replace(w, "unsqueeze", args, 2);
    case FX_ATTR_NODE:
        if (!w->tensors || w->dim >= FX_RANK || (n > 1 && is_wide_mask(items[i].u.node))) break;
        w->tensors[w->dim++] = items[i].u.node;
        return true;
    case FX_ATTR_ELLIPSIS:
        if (!type || type->rank - count_taken(items + i + 1, n - i - 1) < w->dim) break; /* more items than dims */
        w->dim = type->rank - count_taken(items + i + 1, n - i - 1);
        return true;
    default:
        break;
    }
    fx__diag_node(w->before, FX_E_UNSUPPORTED, "item %d of the index is no integer, slice, None or Ellipsis", (int)i);
    return false;
}

fx_node *fx__index_views(fx_node *before, fx_node *x, const fx_attr *index, fx_node *tensors[FX_RANK])
{
    walk w = {before, x, 0, tensors};
    const fx_attr *items = index->kind == FX_ATTR_TUPLE ? index->u.items : index;
    int32_t n = index->kind == FX_ATTR_TUPLE ? index->n : 1;
    for (int32_t i = 0; i < n; i++)
        if (!apply_item(&w, items, i, n)) return NULL;
    return w.x;
}
