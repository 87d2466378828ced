/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_stride.c: spellings that take elements at strides of their own: diagonals, as_strided, unfold. */
#include "ir/in_place.h"
#include "passes/spell.h"

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

/* ---- Diagonals --------------------------------------------------------------------------------------------------------------- */

/* Elements of [.., rows, columns] in a row: every (columns + 1)-th of them lies on a diagonal. */
static fx_spelled take_diagonal(fx_node *node, fx_attr x, int64_t offset, int32_t dim1, int32_t dim2, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &x);
    int64_t order[FX_RANK], n = 0;
    for (int32_t d = 0; d < type->rank; d++)
        if (d != dim1 && d != dim2) order[n++] = d;
    order[n] = dim1, order[n + 1] = dim2;
    int64_t rows = type->dim[dim1], columns = type->dim[dim2];
    int64_t start = offset >= 0 ? offset : -offset * columns;
    int64_t count = offset >= 0 ? columns - offset : rows + offset, most = offset >= 0 ? rows : columns;
    count = count > most ? most : count < 0 ? 0 : count;
    int64_t end = count ? start + (count - 1) * (columns + 1) + 1 : 0;
    return EVALUATE(node, "x order start end step", "slice(flatten(permute(x, order), -2, -1), -1, start, end, step)", out, x,
                    fx_ints(node->graph, order, type->rank), fx_int(count ? start : 0), fx_int(end), fx_int(columns + 1));
}

fx_spelled fx__spell_build_diagonal(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    int32_t dim1 = fx__spell_dim(node, arg[2].u.i, type->rank), dim2 = fx__spell_dim(node, arg[3].u.i, type->rank);
    if (dim1 < 0 || dim2 < 0) return FX_SPELL_FAILED;
    if (type->rank < 2 || dim1 == dim2) return fx__spell_fail(node, "a diagonal lies in two dims");
    if (!fx_dim_is_const(type->dim[dim1]) || !fx_dim_is_const(type->dim[dim2]))
        return fx__spell_fail(node, "a diagonal of symbolic sizes");
    return take_diagonal(node, arg[0], arg[1].u.i, dim1, dim2, out);
}

/* The last dim as a diagonal of two new last dims. */
static fx_spelled embed(fx_node *node, fx_attr x, int64_t offset, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &x);
    if (!type) return FX_SPELL_FAILED;
    if (type->rank == 0 || type->rank == FX_RANK) return fx__spell_fail(node, "a tensor of 0 or 8 dims");
    return EVALUATE(node, "x n pad row offset",
                    "masked_fill(unsqueeze(constant_pad_nd(x, [0, pad]), row), ne(add(unsqueeze(arange(add(n, pad)), 1), offset), "
                    "arange(add(n, pad))), 0)",
                    out, x, fx_dim_attr(type->dim[type->rank - 1]), fx_int(offset < 0 ? -offset : offset),
                    fx_int(offset < 0 ? -2 : -1), fx_int(offset));
}

fx_spelled fx__spell_build_diag_embed(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    int32_t dim1 = fx__spell_dim(node, arg[2].u.i, type->rank + 1), dim2 = fx__spell_dim(node, arg[3].u.i, type->rank + 1);
    if (dim1 < 0 || dim2 < 0) return FX_SPELL_FAILED;
    int64_t order[FX_RANK + 1], rank = type->rank, next = 0;
    if (embed(node, arg[0], arg[1].u.i, out) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (dim1 == rank - 1 && dim2 == rank) return FX_SPELL_DONE;
    for (int64_t d = 0; d <= rank; d++) order[d] = d == dim1 ? rank - 1 : d == dim2 ? rank : next++;
    return EVALUATE(node, "x order", "permute(x, order)", out, *out, fx_ints(node->graph, order, (int32_t)rank + 1));
}

/* diag of a vector or a matrix, diagflat, trace */
fx_spelled fx__spell_build_diag(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    bool is_trace = fx__spell_is_called(node, "trace");
    fx_attr row = arg[0];
    if (!type) return FX_SPELL_FAILED;
    if (fx__spell_is_called(node, "diagflat")) {
        fx_spelled done = EVALUATE(node, "x", "reshape(x, [-1])", &row, row);
        return done == FX_SPELL_DONE ? embed(node, row, arg[1].u.i, out) : done;
    }
    if (!is_trace && type->rank == 1) return embed(node, row, arg[1].u.i, out);
    if (type->rank != 2) return fx__spell_fail(node, "its input is neither a vector nor a matrix");
    const fx_attr plane[] = {row, is_trace ? fx_int(0) : arg[1], fx_int(0), fx_int(1)};
    fx_spelled done = fx__spell_build_diagonal(node, plane, out);
    return is_trace && done == FX_SPELL_DONE ? EVALUATE(node, "x", "sum(x)", out, *out) : done;
}

/* Matrices along a diagonal: each padded to the whole width. */
fx_spelled fx__spell_build_block_diag(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr rows[FX_RESULTS];
    int64_t width = 0, before = 0;
    if (arg[0].n > FX_RESULTS) return fx__spell_fail(node, "more than 16 matrices");
    for (int32_t i = 0; i < arg[0].n; i++) {
        const fx_type *type = fx__spell_type(node, &arg[0].u.items[i]);
        if (!type) return FX_SPELL_FAILED;
        if (type->rank != 2 || !fx_dim_is_const(type->dim[1])) return fx__spell_fail(node, "matrices of constant widths only");
        width += type->dim[1];
    }
    for (int32_t i = 0; i < arg[0].n; i++) {
        int64_t own = fx_node_type(arg[0].u.items[i].u.node, 0)->dim[1];
        if (EVALUATE(node, "x before after", "constant_pad_nd(x, [before, after])", &rows[i], arg[0].u.items[i], fx_int(before),
                     fx_int(width - before - own)) != FX_SPELL_DONE)
            return FX_SPELL_FAILED;
        before += own;
    }
    return EVALUATE(node, "rows", "cat(rows, 0)", out, fx_list(node->graph, rows, arg[0].n));
}

/* ---- Any strides ------------------------------------------------------------------------------------------------------------- */

/* Numbers of elements: the sum of index times stride over dims. */
static fx_spelled element_numbers(fx_node *node, const fx_attr *sizes, const fx_attr *strides, fx_attr offset, fx_attr *out)
{
    int32_t n = sizes->n;
    if (EVALUATE(node, "offset", "full([], offset, dtype=i64)", out, offset) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    for (int32_t d = 0; d < n; d++) {
        int64_t shape[FX_RANK];
        for (int32_t i = d; i < n; i++) shape[i - d] = i == d ? -1 : 1;
        fx_attr to = fx_ints(node->graph, shape, n - d);
        if (EVALUATE(node, "sum n stride to", "add(sum, reshape(mul(arange(n), stride), to))", out, *out, sizes->u.items[d],
                     strides->u.items[d], to) != FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    }
    return FX_SPELL_DONE;
}

/* Strides count in memory, whose order only tensors tell that are no views. */
fx_spelled fx__spell_build_as_strided(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr number, offset = arg[3].kind == FX_ATTR_NONE ? fx_int(0) : arg[3];
    if (arg[1].n != arg[2].n || arg[1].n > FX_RANK) return fx__spell_fail(node, "sizes and strides differ in number");
    if (fx__alias_kind(arg[0].u.node) != FX_ALIAS_NONE) return fx__spell_fail(node, "strides of a view");
    if (element_numbers(node, &arg[1], &arg[2], offset, &number) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    return EVALUATE(node, "x number", "take(x, number)", out, arg[0], number);
}

/* Windows of a dim, which stand in a new last dim. */
fx_spelled fx__spell_build_unfold(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int32_t dim = type ? fx__spell_dim(node, arg[1].u.i, type->rank) : -1;
    fx_dims *dims = node->graph->dims;
    fx_attr items[FX_RANK], count;
    int64_t size = arg[2].u.i, step = arg[3].u.i, order[FX_RANK + 1];
    if (dim < 0) return FX_SPELL_FAILED;
    if (size < 0 || step < 1 || type->rank == 0 || type->rank == FX_RANK) return fx__spell_fail(node, "no such windows");
    if (fx_dim_is_const(type->dim[dim]) && type->dim[dim] < size) return fx__spell_fail(node, "a window is larger than the tensor");
    count = fx_dim_attr(fx__dim_add(dims, fx__dim_floordiv(dims, fx__dim_sub(dims, type->dim[dim], size), step), 1));
    const fx_attr windows[] = {count, fx_int(step), fx_int(size)};
    if (fx__spell_evaluate(node, "n step size", windows, "add(unsqueeze(mul(arange(n), step), 1), arange(size))", &items[dim]) !=
        FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    for (int32_t d = 0; d < dim; d++) items[d] = fx_none();
    for (int32_t d = 0; d <= type->rank; d++) order[d] = d <= dim ? d : d < type->rank ? d + 1 : dim + 1;
    return EVALUATE(node, "x items order", "permute(index(x, items), order)", out, arg[0], fx_list(node->graph, items, dim + 1),
                    fx_ints(node->graph, order, type->rank + 1));
}
