/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of embedding_bag: one bag after the other, row by row. */
#include "ir/ops/index_ref.h"
#include <math.h>
#include <string.h>

enum { SUM, MEAN, MAX };

/* Arguments of both spellings. offsets NULL: the bags are rows of a matrix of indices. */
typedef struct bags {
    const fx_tensor *weight, *indices, *offsets, *samples;
    const fx_tensor *weight_error, *samples_error; /* of bounds; NULL: exact */
    int64_t mode, padding;                         /* padding below 0: none */
    int64_t n;                                     /* indices */
    double eps;                                    /* 0: values */
} bags;

static const fx_tensor *tensor_of(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR && arg->u.tensor->data ? arg->u.tensor : NULL;
}

static int64_t elems(const fx_tensor *t)
{
    int64_t n = 1;
    for (int32_t d = 0; d < t->rank; d++) n *= t->dim[d];
    return n;
}

/* embedding_bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx)
 */
static bags aten_bags(const fx_rt_arg *a)
{
    bags g = {.weight = a[0].u.tensor, .indices = a[1].u.tensor, .offsets = a[2].u.tensor, .samples = tensor_of(&a[6])};
    g.mode = a[4].u.i;
    g.padding = a[8].kind == FX_RT_INT ? a[8].u.i : -1;
    g.n = elems(g.indices);
    return g;
}

/* embedding_bag(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights,
 * include_last_offset, padding_idx) of torch.nn.functional */
static bags functional_bags(const fx_rt_arg *a)
{
    bags g = {.weight = a[1].u.tensor, .indices = a[0].u.tensor, .samples = tensor_of(&a[8])};
    g.offsets = a[2].kind == FX_RT_TENSOR ? a[2].u.tensor : NULL;
    g.mode = strcmp(a[6].u.s, "sum") == 0 ? SUM : strcmp(a[6].u.s, "mean") == 0 ? MEAN : MAX;
    g.padding = a[10].kind == FX_RT_INT ? a[10].u.i : -1;
    if (g.padding < 0 && a[10].kind == FX_RT_INT) g.padding += g.weight->dim[0];
    g.n = elems(g.indices);
    return g;
}

static int64_t offset_at(const bags *g, int64_t bag)
{
    if (!g->offsets) return bag * g->indices->dim[1];
    if (bag >= g->offsets->dim[0]) return g->n;
    int64_t at = fx__scalar_load(g->offsets->dtype, fx__ref_at(g->offsets, &bag)).i;
    return at < 0 ? 0 : at < g->n ? at : g->n;
}

/* Coordinates of index number `at`. */
static const int64_t *place(const bags *g, int64_t at, int64_t out[2])
{
    out[0] = g->offsets ? at : at / g->indices->dim[1];
    out[1] = g->offsets ? 0 : at % g->indices->dim[1];
    return out;
}

/* What one result is made of. */
typedef struct tally {
    double n, value, size, error; /* rows that count; their sum or largest; sums of sizes and of errors (max: the largest) */
} tally;

static void add(const bags *g, tally *t, int64_t row, int64_t column, const int64_t *index)
{
    int64_t at[2] = {row, column};
    double w = fx__ref_get(g->weight, at), e = g->weight_error ? fx__ref_get(g->weight_error, at) : 0;
    double s = g->samples ? fx__ref_get(g->samples, index) : 1,
           s_error = g->samples_error ? fx__ref_get(g->samples_error, index) : 0;
    bool first = t->n++ == 0;
    t->size += fabs(w * s);
    if (g->mode == MAX) {
        t->value = first || w > t->value || isnan(w) ? w : t->value;
        t->error = fmax(t->error, e);
    } else {
        t->value += w * s;
        t->error += fabs(w) * s_error + (fabs(s) + s_error) * e;
    }
}

static fx_status tally_bag(const bags *g, const int64_t *at, tally *out)
{
    int64_t end = offset_at(g, at[0] + 1), index[2];
    *out = (tally){0};
    for (int64_t i = offset_at(g, at[0]); i < end; i++) {
        int64_t row = fx__index_at(g->indices, g->indices->rank, place(g, i, index), g->weight->dim[0]);
        if (row < 0) return FX_E_INDEX;
        if (row != g->padding) add(g, out, row, at[1], index);
    }
    return FX_OK;
}

/* A sum's rounding is (n + 2) eps of the sizes; a mean's has one division more. */
static double result_of(const bags *g, const tally *t)
{
    double mean = g->mode == MEAN && t->n > 0 ? 1 / t->n : 1;
    if (g->eps == 0) return t->n > 0 ? t->value * mean : 0;
    double rounding = g->mode == MAX ? 0 : (t->n + 4) * g->eps * t->size;
    return (t->error + rounding) * mean;
}

static fx_status run(const bags *g, fx_tensor *out)
{
    int64_t at[FX_RANK] = {0};
    tally t;
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    do {
        fx_status status = tally_bag(g, at, &t);
        if (status != FX_OK) return status;
        fx__ref_set(out, at, result_of(g, &t));
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

fx_status fx__embedding_bag_ref(const fx_rt_arg *args, fx_tensor *results)
{
    bags g = aten_bags(args);
    return run(&g, results);
}
fx_status fx__functional_embedding_bag_ref(const fx_rt_arg *args, fx_tensor *results)
{
    bags g = functional_bags(args);
    return run(&g, results);
}

static fx_status bound(const fx_rt_bound *call, bags g, int32_t weight, int32_t indices, int32_t samples)
{
    if (fx__index_in_doubt(call, indices) || fx__index_in_doubt(call, 2)) {
        fx__index_no_bound(call);
        return FX_OK;
    }
    g.weight_error = tensor_of(&call->arg_errors[weight]);
    g.samples_error = tensor_of(&call->arg_errors[samples]);
    g.eps = call->eps;
    return run(&g, call->errors);
}

fx_status fx__embedding_bag_bound(const fx_rt_bound *call)
{
    return bound(call, aten_bags(call->args), 0, 1, 6);
}
fx_status fx__functional_embedding_bag_bound(const fx_rt_bound *call)
{
    return bound(call, functional_bags(call->args), 1, 0, 8);
}
