/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_linear.c: products of tensors that are matrix products once their dims are in order. */
#include "passes/spell.h"
#include <math.h>
#include <string.h>

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

static bool is_list(const fx_attr *value)
{
    return value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
}

/* ---- Sums over dims of both ---------------------------------------------------------------------------------------------------
 */

/* One factor: which dims are summed, in order. */
typedef struct factor {
    fx_attr x;
    const fx_type *type;
    int64_t summed[FX_RANK], order[FX_RANK]; /* order: the others, then the summed ones */
    int32_t n;
} factor;

static bool order_dims(fx_node *node, factor *f)
{
    int32_t n = 0;
    for (int32_t d = 0; d < f->type->rank; d++) {
        bool is_summed = false;
        for (int32_t i = 0; i < f->n; i++) is_summed |= f->summed[i] == d;
        if (!is_summed) f->order[n++] = d;
    }
    if (n + f->n != f->type->rank) return fx__spell_fail(node, "a dim is summed twice"), false;
    for (int32_t i = 0; i < f->n; i++) f->order[n++] = f->summed[i];
    return true;
}

/* [others, summed] */
static bool as_matrix(fx_node *node, factor *f, fx_attr *out)
{
    fx_dim size = 1;
    if (!order_dims(node, f)) return false;
    for (int32_t i = 0; i < f->n; i++) size = fx__dim_mul(node->graph->dims, size, f->type->dim[f->summed[i]]);
    fx_dim others = 1;
    for (int32_t i = 0; i < f->type->rank - f->n; i++) others = fx__dim_mul(node->graph->dims, others, f->type->dim[f->order[i]]);
    fx_attr order = fx_ints(node->graph, f->order, f->type->rank);
    return EVALUATE(node, "x order others summed", "reshape(permute(x, order), [others, summed])", out, f->x, order,
                    fx_dim_attr(others), fx_dim_attr(size)) == FX_SPELL_DONE;
}

static fx_spelled contract(fx_node *node, factor *a, factor *b, fx_attr *out)
{
    fx_attr left, right, sizes[2 * FX_RANK];
    int32_t n = 0;
    if (!as_matrix(node, a, &left) || !as_matrix(node, b, &right)) return FX_SPELL_FAILED;
    for (int32_t i = 0; i < a->type->rank - a->n; i++) sizes[n++] = fx_dim_attr(a->type->dim[a->order[i]]);
    for (int32_t i = 0; i < b->type->rank - b->n; i++) sizes[n++] = fx_dim_attr(b->type->dim[b->order[i]]);
    if (n > FX_RANK) return fx__spell_fail(node, "its result has more than 8 dims");
    return EVALUATE(node, "a b sizes", "reshape(mm(a, transpose(b, 0, 1)), sizes)", out, left, right,
                    fx_list(node->graph, sizes, n));
}

static bool read_dims(fx_node *node, const fx_attr *dims, factor *f)
{
    if (!is_list(dims) || dims->n > f->type->rank) return fx__spell_fail(node, "its dims are two lists or a number"), false;
    f->n = dims->n;
    for (int32_t i = 0; i < f->n; i++) {
        if (dims->u.items[i].kind != FX_ATTR_INT) return fx__spell_fail(node, "a dim is no number"), false;
        f->summed[i] = fx__spell_dim(node, dims->u.items[i].u.i, f->type->rank);
        if (f->summed[i] < 0) return false;
    }
    return true;
}

/* The last `count` dims of a, the first of b. */
static bool count_dims(fx_node *node, int64_t count, factor *a, factor *b)
{
    if (count < 0 || count > a->type->rank || count > b->type->rank)
        return fx__spell_fail(node, "it sums more dims than there are"), false;
    a->n = b->n = (int32_t)count;
    for (int32_t i = 0; i < a->n; i++) {
        a->summed[i] = a->type->rank - a->n + i;
        b->summed[i] = i;
    }
    return true;
}

fx_spelled fx__spell_build_tensordot(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    factor a = {.x = arg[0], .type = fx__spell_type(node, &arg[0])}, b = {.x = arg[1], .type = fx__spell_type(node, &arg[1])};
    if (!a.type || !b.type) return FX_SPELL_FAILED;
    const fx_attr *dims = &arg[2];
    bool is_pair = is_list(dims) && dims->n == 2;
    if (dims->kind != FX_ATTR_INT && !is_pair) return fx__spell_fail(node, "its dims are two lists or a number");
    bool is_read = is_pair ? read_dims(node, &dims->u.items[0], &a) && read_dims(node, &dims->u.items[1], &b)
                           : count_dims(node, dims->u.i, &a, &b);
    if (!is_read) return FX_SPELL_FAILED;
    return a.n == b.n ? contract(node, &a, &b, out) : fx__spell_fail(node, "it sums different numbers of dims");
}

fx_spelled fx__spell_build_inner(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    factor a = {.x = arg[0], .type = fx__spell_type(node, &arg[0])}, b = {.x = arg[1], .type = fx__spell_type(node, &arg[1])};
    if (!a.type || !b.type) return FX_SPELL_FAILED;
    if (a.type->rank == 0 || b.type->rank == 0) return EVALUATE(node, "a b", "mul(a, b)", out, arg[0], arg[1]);
    a.n = b.n = 1;
    a.summed[0] = a.type->rank - 1;
    b.summed[0] = b.type->rank - 1;
    return contract(node, &a, &b, out);
}

/* ---- Matrices in a row ---------------------------------------------------------------------------------------------------------
 */

fx_spelled fx__spell_build_chain(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    if (!is_list(&arg[0]) || arg[0].n == 0) return fx__spell_fail(node, "it takes matrices");
    *out = arg[0].u.items[0];
    for (int32_t i = 1; i < arg[0].n; i++)
        if (EVALUATE(node, "a b", "matmul(a, b)", out, *out, arg[0].u.items[i]) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    return FX_SPELL_DONE;
}

/* By squaring. */
fx_spelled fx__spell_build_power(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr square = arg[0];
    const fx_type *type = fx__spell_type(node, &square);
    bool has_product = false;
    if (!type) return FX_SPELL_FAILED;
    if (type->rank < 2 || arg[1].u.i < 0) return fx__spell_fail(node, "an inverse, or no matrix");
    for (int64_t n = arg[1].u.i; n; n >>= 1) {
        fx_spelled done = FX_SPELL_DONE;
        if (n & 1 && !has_product)
            *out = square;
        else if (n & 1)
            done = EVALUATE(node, "a b", "matmul(a, b)", out, *out, square);
        has_product |= n & 1;
        if (n > 1 && done == FX_SPELL_DONE) done = EVALUATE(node, "a", "matmul(a, a)", &square, square);
        if (done != FX_SPELL_DONE) return done;
    }
    if (has_product) return FX_SPELL_DONE;
    return EVALUATE(node, "x n", "expand(eye(n, dtype=dtype(x)), shape(x))", out, arg[0], fx_dim_attr(type->dim[type->rank - 1]));
}

/* ---- Others
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Every element of the one times all of the other: [a0, 1, a1, 1, ..] times [1, b0, 1, b1, ..]. */
fx_spelled fx__spell_build_kron(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *a = fx__spell_type(node, &arg[0]), *b = fx__spell_type(node, &arg[1]);
    fx_attr of_a[FX_RANK], of_b[FX_RANK], sizes[FX_RANK];
    if (!a || !b) return FX_SPELL_FAILED;
    int32_t rank = a->rank > b->rank ? a->rank : b->rank;
    if (2 * rank > FX_RANK) return fx__spell_fail(node, "tensors of more than 4 dims");
    for (int32_t d = 0; d < rank; d++) {
        fx_dim x = d < rank - a->rank ? 1 : a->dim[d - (rank - a->rank)], y = d < rank - b->rank ? 1 : b->dim[d - (rank - b->rank)];
        of_a[2 * d] = fx_dim_attr(x), of_a[2 * d + 1] = of_b[2 * d] = fx_int(1), of_b[2 * d + 1] = fx_dim_attr(y);
        sizes[d] = fx_dim_attr(fx__dim_mul(node->graph->dims, x, y));
    }
    fx_graph *graph = node->graph;
    return EVALUATE(node, "a b of_a of_b sizes", "reshape(mul(reshape(a, of_a), reshape(b, of_b)), sizes)", out, arg[0], arg[1],
                    fx_list(graph, of_a, 2 * rank), fx_list(graph, of_b, 2 * rank), fx_list(graph, sizes, rank));
}

fx_spelled fx__spell_build_cross(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    int32_t dim = arg[2].kind == FX_ATTR_INT ? fx__spell_dim(node, arg[2].u.i, type->rank) : 0;
    while (arg[2].kind == FX_ATTR_NONE && dim < type->rank && type->dim[dim] != 3) dim++;
    if (dim < 0 || dim >= type->rank || type->dim[dim] != 3) return fx__spell_fail(node, "no dim of size 3");
    return EVALUATE(node, "a b d", "sub(mul(roll(a, [-1], [d]), roll(b, [-2], [d])), mul(roll(a, [-2], [d]), roll(b, [-1], [d])))",
                    out, arg[0], arg[1], fx_int(dim));
}

/* sum over i and j of x1[i] * weight[o, i, j] * x2[j] */
fx_spelled fx__spell_build_bilinear(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_spelled done = EVALUATE(node, "x1 x2 w",
                               "sum(mul(unflatten(matmul(x1, flatten(permute(w, [1, 0, 2]), 1)), -1, [size(w, 0), size(w, 2)]), "
                               "unsqueeze(x2, -2)), [-1])",
                               out, arg[0], arg[1], arg[2]);
    if (done != FX_SPELL_DONE || arg[3].kind == FX_ATTR_NONE) return done;
    return EVALUATE(node, "x bias", "add(x, bias)", out, *out, arg[3]);
}

/* ---- Norms ---------------------------------------------------------------------------------------------------------------------
 */

/* Sums of magnitudes along one dim, and of those the largest or smallest. */
static fx_spelled sums_norm(fx_node *node, const fx_attr *x, const fx_attr *dims, double order, bool keepdim, fx_attr *out)
{
    bool is_largest = order > 0, is_along_rows = isinf(order);
    fx_attr summed = dims->u.items[is_along_rows], other = dims->u.items[!is_along_rows];
    fx_spelled done = EVALUATE(node, "x summed other",
                               is_largest ? "amax(sum(abs(x), [summed], True), [other], True)"
                                          : "amin(sum(abs(x), [summed], True), [other], True)",
                               out, *x, summed, other);
    if (done != FX_SPELL_DONE || keepdim) return done;
    return EVALUATE(node, "x dims", "squeeze(x, dims)", out, *out, *dims);
}

static fx_spelled matrix_norm(fx_node *node, const fx_attr *arg, fx_attr dims, fx_attr *out)
{
    const fx_attr *order = &arg[1];
    double p = order->kind == FX_ATTR_INT ? (double)order->u.i : order->kind == FX_ATTR_FLOAT ? order->u.f : 0;
    bool keepdim = arg[3].u.i;
    if (order->kind == FX_ATTR_STR && strcmp(order->u.s, "fro") == 0)
        return EVALUATE(node, "x dims keep", "norm(x, 2, dims, keep)", out, arg[0], dims, fx_bool(keepdim));
    if (isinf(p) || fabs(p) == 1) return sums_norm(node, &arg[0], &dims, p, keepdim, out);
    return fx__spell_fail(node, "a norm of a matrix that needs its singular values");
}

/* linalg.norm: with an order, two dims are a matrix; linalg.matrix_norm. */
fx_spelled fx__spell_build_linalg_norm(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    bool has_order = arg[1].kind != FX_ATTR_NONE, is_given = is_list(&arg[2]);
    if (!type) return FX_SPELL_FAILED;
    if (has_order && !is_given && type->rank > 2) return fx__spell_fail(node, "its dims are not given");
    if (has_order && (is_given ? arg[2].n : type->rank) == 2)
        return matrix_norm(node, arg, is_given ? arg[2] : fx_ints(node->graph, (const int64_t[]){0, 1}, 2), out);
    if (arg[1].kind == FX_ATTR_STR) return fx__spell_fail(node, "a norm of a matrix, which has two dims");
    return EVALUATE(node, "x p dims keep", "norm(x, p, dims, keep)", out, arg[0], has_order ? arg[1] : fx_int(2), arg[2], arg[3]);
}
