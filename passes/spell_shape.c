/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_shape.c: spellings that join, split, repeat and turn tensors, whose form depends on the ranks of their inputs. */
#include "passes/spell.h"
#include <string.h>

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

static bool is_list(const fx_attr *value)
{
    return value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
}

static fx_spelled give_tuple(fx_node *node, const fx_attr *items, int32_t n, fx_attr *out)
{
    return EVALUATE(node, "items", "tuple(items)", out, fx_list(node->graph, items, n));
}

/* ---- At least so many dims ------------------------------------------------------------------------------------------------- */

/* As atleast_1d, atleast_2d and atleast_3d place the dims that there are. */
static fx_spelled raise_rank(fx_node *node, fx_attr x, int32_t rank, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &x);
    if (!type) return FX_SPELL_FAILED;
    *out = x;
    if (type->rank >= rank) return FX_SPELL_DONE;
    if (rank == 1) return EVALUATE(node, "x", "reshape(x, [1])", out, x);
    if (type->rank == 2) return EVALUATE(node, "x", "unsqueeze(x, 2)", out, x);
    return EVALUATE(node, "x", rank == 2 ? "reshape(x, [1, -1])" : "reshape(x, [1, -1, 1])", out, x);
}

fx_spelled fx__spell_build_at_least(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    return raise_rank(node, arg[0], strstr(node->target, "_1d") ? 1 : strstr(node->target, "_2d") ? 2 : 3, out);
}

/* hstack, vstack, row_stack, dstack, column_stack */
fx_spelled fx__spell_build_join(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    bool is_horizontal = fx__spell_is_called(node, "hstack"), is_column = fx__spell_is_called(node, "column_stack");
    int32_t rank = is_horizontal ? 1 : fx__spell_is_called(node, "dstack") ? 3 : 2, n = arg[0].n;
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, n);
    int64_t dim = is_column ? 1 : rank == 3 ? 2 : 0;
    if (!items || !is_list(&arg[0])) return fx__spell_fail(node, "it joins a list of tensors");
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx__spell_type(node, &arg[0].u.items[i]);
        if (!type) return FX_SPELL_FAILED;
        if (is_horizontal && type->rank > 1) dim = 1;
        bool is_short = is_column && type->rank < 2;
        fx_spelled done = is_short ? EVALUATE(node, "x", "reshape(x, [-1, 1])", &items[i], arg[0].u.items[i])
                                   : raise_rank(node, arg[0].u.items[i], rank, &items[i]);
        if (done != FX_SPELL_DONE) return done;
    }
    return EVALUATE(node, "items dim", "cat(items, dim)", out, fx_list(node->graph, items, n), fx_int(dim));
}

/* ---- Shapes that several tensors make together ------------------------------------------------------------------------------ */

static fx_spelled stretch_all(fx_node *node, const fx_attr *list, const fx_type *shape, fx_attr *out)
{
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, list->n), sizes = fx__core_dims(node->graph, shape);
    for (int32_t i = 0; items && i < list->n; i++)
        if (EVALUATE(node, "x sizes", "expand(x, sizes)", &items[i], list->u.items[i], sizes) != FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    return items ? give_tuple(node, items, list->n, out) : FX_SPELL_FAILED;
}

fx_spelled fx__spell_build_broadcast(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_type shape = {.rank = 0};
    if (!is_list(&arg[0])) return fx__spell_fail(node, "it takes a list of tensors");
    for (int32_t i = 0; i < arg[0].n; i++) {
        const fx_type *type = fx__spell_type(node, &arg[0].u.items[i]);
        if (!type) return FX_SPELL_FAILED;
        if (!fx__broadcast(node->graph->dims, &shape, type, &shape)) return fx__spell_fail(node, "shapes do not broadcast");
    }
    return stretch_all(node, &arg[0], &shape, out);
}

/* Indexing 'xy' has the first two dims in the other order. */
fx_spelled fx__spell_build_meshgrid(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_type shape = {.rank = arg[0].n};
    fx_attr along[FX_RANK];
    bool is_turned = arg[1].kind == FX_ATTR_STR && strcmp(arg[1].u.s, "xy") == 0 && arg[0].n > 1;
    if (!is_list(&arg[0]) || arg[0].n > FX_RANK) return fx__spell_fail(node, "it takes a list of at most 8 tensors");
    for (int32_t i = 0; i < arg[0].n; i++) {
        const fx_type *type = fx__spell_type(node, &arg[0].u.items[i]);
        int64_t sizes[FX_RANK];
        int32_t at = is_turned && i < 2 ? 1 - i : i;
        if (!type) return FX_SPELL_FAILED;
        if (type->rank > 1) return fx__spell_fail(node, "its tensors have one dim");
        for (int32_t d = 0; d < arg[0].n; d++) sizes[d] = d == at ? -1 : 1;
        fx_attr to = fx_ints(node->graph, sizes, arg[0].n);
        if (EVALUATE(node, "x to", "reshape(x, to)", &along[i], arg[0].u.items[i], to) != FX_SPELL_DONE) return FX_SPELL_FAILED;
        shape.dim[at] = type->rank ? type->dim[0] : 1;
    }
    const fx_attr list = {.kind = FX_ATTR_LIST, .n = arg[0].n, .u.items = along};
    return stretch_all(node, &list, &shape, out);
}

/* Sums over what was stretched. */
fx_spelled fx__spell_build_sum_to_size(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int64_t dims[FX_RANK];
    int32_t n = 0, extra = type ? type->rank - arg[1].n : -1;
    if (extra < 0) return fx__spell_fail(node, "its sizes are more than the tensor has");
    for (int32_t d = 0; d < type->rank; d++) {
        const fx_attr *size = d < extra ? NULL : &arg[1].u.items[d - extra];
        if (!size || (size->kind == FX_ATTR_INT && size->u.i == 1 && type->dim[d] != 1)) dims[n++] = d;
    }
    *out = arg[0];
    if (n == 0) return FX_SPELL_DONE;
    return EVALUATE(node, "x dims sizes", "reshape(sum(x, dims), sizes)", out, arg[0], fx_ints(node->graph, dims, n), arg[1]);
}

/* ---- Parts ------------------------------------------------------------------------------------------------------------------ */

static fx_spelled take_parts(fx_node *node, fx_attr x, int32_t dim, const fx_attr *ends, int32_t n, fx_attr *out)
{
    fx_attr parts[FX_RESULTS], start = fx_int(0);
    if (n > FX_RESULTS) return fx__spell_fail(node, "more than 16 parts");
    for (int32_t i = 0; i < n; start = ends[i++])
        if (EVALUATE(node, "x dim start end", "slice(x, dim, start, end)", &parts[i], x, fx_int(dim), start, ends[i]) !=
            FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    return give_tuple(node, parts, n, out);
}

/* Where equal parts end; the first ones have one element more when it does not divide. */
static bool equal_ends(fx_node *node, fx_dim size, int64_t n, fx_attr *ends)
{
    if (n < 1 || n > FX_RESULTS || !fx_dim_is_const(size))
        return fx__spell_fail(node, "parts of a symbolic size, or too many"), false;
    for (int64_t i = 0, end = 0; i < n; i++) {
        end += size / n + (i < size % n);
        ends[i] = fx_int(end);
    }
    return true;
}

/* tensor_split, and hsplit, vsplit and dsplit, which know their dim */
fx_spelled fx__spell_build_tensor_split(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    fx_attr ends[FX_RESULTS];
    if (!type) return FX_SPELL_FAILED;
    int64_t along = fx__spell_is_called(node, "hsplit")   ? type->rank > 1
                    : fx__spell_is_called(node, "vsplit") ? 0
                    : fx__spell_is_called(node, "dsplit") ? 2
                                                          : arg[2].u.i;
    int32_t dim = fx__spell_dim(node, along, type->rank), n = is_list(&arg[1]) ? arg[1].n : 0;
    if (dim < 0) return FX_SPELL_FAILED;
    if (arg[1].kind == FX_ATTR_INT)
        return equal_ends(node, type->dim[dim], arg[1].u.i, ends) ? take_parts(node, arg[0], dim, ends, (int32_t)arg[1].u.i, out)
                                                                  : FX_SPELL_FAILED;
    if (!is_list(&arg[1]) || n >= FX_RESULTS) return fx__spell_fail(node, "where to split is no list of at most 15 indices");
    for (int32_t i = 0; i < n; i++) ends[i] = arg[1].u.items[i];
    ends[n] = fx_dim_attr(type->dim[dim]);
    return take_parts(node, arg[0], dim, ends, n + 1, out);
}

/* ---- Repeats ----------------------------------------------------------------------------------------------------------------- */

/* The sum of a constant's elements; -1: it is none, which is reported. */
static int64_t constant_sum(fx_node *node, const fx_node *repeats)
{
    const fx_tensor *tensor =
        repeats->opcode == FX_GET_ATTR && node->graph->module ? fx_module_tensor(node->graph->module, repeats->target) : NULL;
    if (!tensor || tensor->rank != 1 || (tensor->dtype != FX_I64 && tensor->dtype != FX_I32)) {
        fx__spell_fail(node, "how many elements the result has is only known at run time; give output_size");
        return -1;
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < tensor->dim[0]; i++) sum += (int64_t)fx__ref_get(tensor, &i);
    return sum;
}

/* An element of the result belongs to the first repeat that ends after it. */
static fx_spelled repeat_by_tensor(fx_node *node, fx_attr x, fx_attr repeats, int32_t dim, fx_attr size, fx_attr *out)
{
    if (size.kind == FX_ATTR_NONE) size = fx_int(constant_sum(node, repeats.u.node));
    if (size.kind == FX_ATTR_INT && size.u.i < 0) return FX_SPELL_FAILED;
    return EVALUATE(node, "x repeats dim n",
                    "index_select(x, dim, sum(le(unsqueeze(cumsum(repeats, 0), 0), unsqueeze(arange(n), 1)), [1]))", out, x,
                    repeats, fx_int(dim), size);
}

fx_spelled fx__spell_build_interleave(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr x = arg[0], sizes[FX_RANK];
    const fx_type *type = fx__spell_type(node, &x);
    int32_t dim = 0;
    if (!type) return FX_SPELL_FAILED;
    if (arg[2].kind == FX_ATTR_NONE && EVALUATE(node, "x", "reshape(x, [-1])", &x, x) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (arg[2].kind != FX_ATTR_NONE) dim = fx__spell_dim(node, arg[2].u.i, type->rank);
    if (dim < 0) return FX_SPELL_FAILED;
    int32_t rank = arg[2].kind == FX_ATTR_NONE ? 1 : type->rank;
    if (arg[1].kind == FX_ATTR_NODE) return repeat_by_tensor(node, x, arg[1], dim, arg[3], out);
    if (rank == FX_RANK) return fx__spell_fail(node, "a tensor of 8 dims");
    for (int32_t d = 0; d <= rank; d++) sizes[d] = d == dim + 1 ? arg[1] : fx_int(-1);
    return EVALUATE(node, "x sizes dim next", "flatten(expand(unsqueeze(x, next), sizes), dim, next)", out, x,
                    fx_list(node->graph, sizes, rank + 1), fx_int(dim), fx_int(dim + 1));
}

/* ---- Others ------------------------------------------------------------------------------------------------------------------ */

fx_spelled fx__spell_build_rot90(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    static const char *const turned[] = {"x", "transpose(flip(x, [b]), a, b)", "flip(x, [a, b])", "transpose(flip(x, [a]), a, b)"};
    if (arg[2].n != 2) return fx__spell_fail(node, "it turns two dims");
    return EVALUATE(node, "x a b", turned[((arg[1].u.i % 4) + 4) % 4], out, arg[0], arg[2].u.items[0], arg[2].u.items[1]);
}

fx_spelled fx__spell_build_index_fill(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int32_t dim = type ? fx__spell_dim(node, arg[1].u.i, type->rank) : -1;
    int64_t sizes[FX_RANK];
    if (dim < 0) return FX_SPELL_FAILED;
    if (type->rank == 0) return fx__spell_fail(node, "a tensor of 0 dims");
    for (int32_t d = dim; d < type->rank; d++) sizes[d - dim] = d == dim ? -1 : 1;
    return EVALUATE(
        node, "x index value n sizes",
        "masked_fill(x, reshape(any(eq(unsqueeze(arange(n), 1), where(lt(index, 0), add(index, n), index)), [1]), sizes), "
        "value)",
        out, arg[0], arg[2], arg[3], fx_dim_attr(type->dim[dim]), fx_ints(node->graph, sizes, type->rank - dim));
}

/* Sizes that both have together, except along the dim, where each keeps its own. */
fx_spelled fx__spell_build_take_along(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]), *places = fx__spell_type(node, &arg[1]);
    int32_t dim = type ? fx__spell_dim(node, arg[2].u.i, type->rank) : -1;
    fx_type a, b, both;
    if (dim < 0 || !places) return FX_SPELL_FAILED;
    if (type->rank != places->rank || type->rank == 0) return fx__spell_fail(node, "its tensors differ in their number of dims");
    a = *type, b = *places;
    a.dim[dim] = b.dim[dim] = 1;
    if (!fx__broadcast(node->graph->dims, &a, &b, &both)) return fx__spell_fail(node, "shapes do not broadcast");
    both.dim[dim] = type->dim[dim];
    fx_attr sizes = fx__core_dims(node->graph, &both);
    both.dim[dim] = places->dim[dim];
    return EVALUATE(node, "x places d sizes of_places", "gather(expand(x, sizes), d, expand(places, of_places))", out, arg[0],
                    arg[1], fx_int(dim), sizes, fx__core_dims(node->graph, &both));
}
