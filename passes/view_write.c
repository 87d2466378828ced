/* SPDX-License-Identifier: Apache-2.0 */
/* passes/view_write.c: writing through views, for `functionalise`: what a base becomes when a value is written to a view of it.
 * Renumberings and permutations are undone; parts are spliced in between slices of the old base. */
#include "passes/mutate.h"
#include <string.h>

static fx_node *write_same(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)before;
    (void)view;
    (void)base;
    return value;
}

static fx_node *write_reshape(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    const fx_type *type = fx_node_type(base, 0);
    if (!type) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a view of unknown shape is changed in place");
        return NULL;
    }
    const fx_attr args[] = {fx_node_attr(value), fx__core_dims(before->graph, type)};
    return fx__core_call(before, "reshape", args, 2);
}

/* Transposing is its own inverse. */
static fx_node *write_transpose(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)base;
    fx_attr bound[FX_PARAMS];
    int32_t n;
    fx__op_params(view->op, &n);
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    bound[0] = fx_node_attr(value);
    return fx__core_call(before, view->op->target, bound, n);
}

static fx_node *write_permute(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)base;
    fx_attr bound[FX_PARAMS];
    int64_t inverse[FX_RANK] = {0};
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int32_t rank = bound[1].n;
    for (int32_t i = 0; i < rank && i < FX_RANK; i++) {
        int64_t from = bound[1].u.items[i].u.i;
        from += from < 0 ? rank : 0;
        if (from < 0 || from >= FX_RANK) return NULL;
        inverse[from] = i;
    }
    const fx_attr args[] = {fx_node_attr(value), fx_ints(before->graph, inverse, rank)};
    return fx__core_call(before, "permute", args, 2);
}

static fx_node *slice_of(fx_node *before, fx_node *base, int64_t dim, int64_t from, int64_t to)
{
    const fx_attr args[] = {fx_node_attr(base), fx_int(dim), fx_int(from), fx_int(to), fx_int(1)};
    return fx__core_call(before, "slice", args, 5);
}

/* base[:from], value, base[to:] along dim. */
static fx_node *splice(fx_node *before, fx_node *base, fx_node *value, int64_t dim, int64_t from, int64_t to, int64_t size)
{
    fx_attr parts[3];
    int32_t n = 0;
    fx_node *head = from > 0 ? slice_of(before, base, dim, 0, from) : NULL;
    fx_node *tail = to < size ? slice_of(before, base, dim, to, size) : NULL;
    if ((from > 0 && !head) || (to < size && !tail)) return NULL;
    if (head) parts[n++] = fx_node_attr(head);
    parts[n++] = fx_node_attr(value);
    if (tail) parts[n++] = fx_node_attr(tail);
    if (n == 1) return value;
    const fx_attr args[] = {fx_list(before->graph, parts, n), fx_int(dim)};
    return fx__core_call(before, "cat", args, 2);
}

/* The extent of the dim that a slice or select takes a part of; -1: not known now. */
static int64_t part_dim(const fx_node *base, const fx_attr *dim, int64_t *out_dim)
{
    const fx_type *type = fx_node_type(base, 0);
    if (!type || dim->kind != FX_ATTR_INT) return -1;
    *out_dim = dim->u.i + (dim->u.i < 0 ? type->rank : 0);
    if (*out_dim < 0 || *out_dim >= type->rank || !fx_dim_is_const(type->dim[*out_dim])) return -1;
    return type->dim[*out_dim];
}

static int64_t clamp_bound(const fx_attr *bound, int64_t size, int64_t otherwise)
{
    if (bound->kind != FX_ATTR_INT) return otherwise;
    int64_t at = bound->u.i + (bound->u.i < 0 ? size : 0);
    return at < 0 ? 0 : at > size ? size : at;
}

static fx_node *write_slice(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t dim = 0;
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int64_t size = part_dim(base, &bound[1], &dim);
    bool known = bound[2].kind != FX_ATTR_SYMINT && bound[3].kind != FX_ATTR_SYMINT && bound[4].kind == FX_ATTR_INT;
    if (size < 0 || !known || bound[4].u.i != 1) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a slice with a step, or of unknown bounds, is changed in place");
        return NULL;
    }
    int64_t from = clamp_bound(&bound[2], size, 0), to = clamp_bound(&bound[3], size, size);
    return splice(before, base, value, dim, from, to > from ? to : from, size);
}

static fx_node *write_select(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t dim = 0;
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int64_t size = part_dim(base, &bound[1], &dim);
    if (size < 0 || bound[2].kind != FX_ATTR_INT) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "an element of unknown place is changed in place");
        return NULL;
    }
    int64_t at = bound[2].u.i + (bound[2].u.i < 0 ? size : 0);
    const fx_attr args[] = {fx_node_attr(value), fx_int(dim)};
    fx_node *row = fx__core_call(before, "unsqueeze", args, 2);
    return row ? splice(before, base, row, dim, at, at + 1, size) : NULL;
}

static fx_node *write_narrow(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t dim = 0;
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int64_t size = part_dim(base, &bound[1], &dim);
    if (size < 0 || bound[2].kind != FX_ATTR_INT || bound[3].kind != FX_ATTR_INT) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a part of unknown bounds is changed in place");
        return NULL;
    }
    int64_t from = bound[2].u.i + (bound[2].u.i < 0 ? size : 0);
    return splice(before, base, value, dim, from, from + bound[3].u.i, size);
}

static fx_node *write_refused(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)before;
    (void)base;
    (void)value;
    fx__diag_node(view, FX_E_UNSUPPORTED, "a view whose elements overlap is changed in place");
    return NULL;
}

/* Operators whose result shares its input's memory, by row. */
fx__view_write fx__view_write_of(const fx_node *node)
{
    static const struct {
        const char *name;
        fx__view_write write;
    } views[] = {{"alias", write_same},        {"view", write_reshape},        {"reshape", write_reshape},
                 {"flatten", write_reshape},   {"unflatten", write_reshape},   {"squeeze", write_reshape},
                 {"unsqueeze", write_reshape}, {"transpose", write_transpose}, {"t", write_transpose},
                 {"permute", write_permute},   {"slice", write_slice},         {"select", write_select},
                 {"expand", write_refused},    {"narrow", write_narrow}};
    if (!node->op || node->args.n == 0 || fx__arg(node, 0)->kind != FX_ATTR_NODE) return NULL;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (strcmp(node->op->name, views[i].name) == 0) return views[i].write;
    return NULL;
}
