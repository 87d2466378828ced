/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of scaled_dot_product_attention, and its error bound: for every query the scores of all keys, their softmax, and
 * the mean of the values under it. What a mask leaves out counts as a score of -inf, whatever its value is; a query that may look
 * at nothing gives zeros. */
#include "runtime/ref.h"
#include <math.h>
#include <stdlib.h>

enum { QUERY, KEY, VALUE, MASK, DROPOUT, CAUSAL, SCALE, GQA };

/* A tensor argument and its errors (NULL: exact). */
typedef struct operand {
    const fx_tensor *value, *error;
} operand;

typedef struct attention {
    operand q, k, v, mask; /* mask.value NULL: none */
    bool causal;
    int64_t keys, features, group; /* group: query heads per head of key and value */
    double scale, eps;             /* eps 0: values are wanted, else errors */
    long double *weight, *error;   /* [keys] of one query: scores, then their softmax; relative errors of it */
} attention;

static operand operand_at(const fx_rt_arg *args, const fx_rt_arg *errors, int index)
{
    operand o = {NULL, NULL};
    if (args[index].kind == FX_RT_TENSOR) o.value = args[index].u.tensor;
    if (errors && errors[index].kind == FX_RT_TENSOR && errors[index].u.tensor->data) o.error = errors[index].u.tensor;
    return o;
}

static attention begin(const fx_rt_arg *args, const fx_rt_arg *errors, double eps)
{
    attention a = {.causal = args[CAUSAL].u.i != 0, .eps = eps, .group = 1};
    a.q = operand_at(args, errors, QUERY);
    a.k = operand_at(args, errors, KEY);
    a.v = operand_at(args, errors, VALUE);
    a.mask = operand_at(args, errors, MASK);
    const fx_tensor *q = a.q.value, *k = a.k.value;
    a.features = q->dim[q->rank - 1];
    a.keys = k->dim[k->rank - 2];
    a.scale = args[SCALE].kind == FX_RT_NONE ? 1 / sqrt((double)a.features) : args[SCALE].u.f;
    if (args[GQA].u.i && k->dim[k->rank - 3] > 0) a.group = q->dim[q->rank - 3] / k->dim[k->rank - 3];
    return a;
}

/* Element of a tensor at the batch coordinates of `at`, a row and a column; 0 errors where there are none. */
static long double element(const fx_tensor *tensor, int32_t rank, const int64_t *at, int64_t group, int64_t row, int64_t column)
{
    int64_t here[FX_RANK];
    if (!tensor) return 0;
    for (int32_t d = 0; d < rank - 2; d++) here[d] = at[d];
    if (group > 1) here[rank - 3] /= group;
    here[rank - 2] = row;
    here[rank - 1] = column;
    fx_tensor one = {.dtype = tensor->dtype, .rank = 0, .data = fx__ref_bcast(tensor, rank, here)};
    return (long double)fx__ref_get(&one, NULL);
}

static bool is_left_out(const attention *a, int32_t rank, const int64_t *at, int64_t key)
{
    if (a->causal && key > at[rank - 2]) return true;
    bool is_bool = a->mask.value && a->mask.value->dtype == FX_BOOL;
    return is_bool && element(a->mask.value, rank, at, 1, at[rank - 2], key) == 0;
}

/* The score of one key, and its error. */
static long double score(const attention *a, int32_t rank, const int64_t *at, int64_t key, long double *error)
{
    long double sum = 0, magnitude = 0, moved = 0, added = 0;
    *error = 0;
    if (is_left_out(a, rank, at, key)) return -INFINITY;
    for (int64_t d = 0; d < a->features; d++) {
        long double q = element(a->q.value, rank, at, 1, at[rank - 2], d), k = element(a->k.value, rank, at, a->group, key, d);
        sum += q * k;
        magnitude += fabsl(q * k);
        if (a->eps > 0)
            moved += fabsl(q) * element(a->k.error, rank, at, a->group, key, d) +
                     fabsl(k) * element(a->q.error, rank, at, 1, at[rank - 2], d);
    }
    if (a->mask.value && a->mask.value->dtype != FX_BOOL) {
        added = element(a->mask.value, rank, at, 1, at[rank - 2], key);
        *error = element(a->mask.error, rank, at, 1, at[rank - 2], key);
    }
    long double terms = (long double)(a->features + 4), scale = (long double)a->scale;
    *error += fabsl(scale) * (moved + terms * (long double)a->eps * magnitude);
    if (isfinite((double)added)) *error += 2 * (long double)a->eps * fabsl(added);
    if (isinf(sum * scale + added)) *error = 0; /* and so in any order of evaluation */
    return sum * scale + added;
}

/* Softmax of one query's scores: weights, and for bounds the relative error of each (see softmax_ref.c). */
static void weigh(const attention *a, int32_t rank, const int64_t *at)
{
    long double largest = -INFINITY, sum = 0, of_sum = 0, eps = (long double)a->eps;
    for (int64_t j = 0; j < a->keys; j++) {
        a->weight[j] = score(a, rank, at, j, &a->error[j]);
        if (a->weight[j] > largest || isnan(a->weight[j])) largest = a->weight[j];
        if (isnan(largest)) break;
    }
    for (int64_t j = 0; j < a->keys; j++) {
        long double distance = largest == -INFINITY ? INFINITY : largest - a->weight[j];
        a->weight[j] = isnan(largest) ? (long double)NAN : expl(-distance);
        a->error[j] += eps * ((isfinite((double)distance) ? distance : 0) + 8);
        sum += a->weight[j];
    }
    for (int64_t j = 0; j < a->keys; j++) {
        if (sum != 0) a->weight[j] /= sum;
        of_sum += a->weight[j] * a->error[j];
    }
    for (int64_t j = 0; j < a->keys; j++) a->error[j] += of_sum + (long double)(a->keys + 6) * eps;
}

static double mean_of_values(const attention *a, int32_t rank, const int64_t *at)
{
    long double sum = 0;
    for (int64_t j = 0; j < a->keys; j++) sum += a->weight[j] * element(a->v.value, rank, at, a->group, j, at[rank - 1]);
    return (double)sum;
}

static double error_of_mean(const attention *a, int32_t rank, const int64_t *at)
{
    long double error = 0, terms = (long double)(a->keys + 4) * (long double)a->eps;
    for (int64_t j = 0; j < a->keys; j++) {
        long double v = fabsl(element(a->v.value, rank, at, a->group, j, at[rank - 1]));
        error += a->weight[j] * (v * (expm1l(a->error[j]) + terms) + element(a->v.error, rank, at, a->group, j, at[rank - 1]));
    }
    return isnan(error) ? 0 : (double)error;
}

static fx_status each_query(attention *a, const fx_tensor *out)
{
    int64_t at[FX_RANK] = {0}, rows[FX_RANK];
    int32_t rank = out->rank;
    if (fx__ref_empty(rank, out->dim)) return FX_OK;
    for (int32_t d = 0; d < rank; d++) rows[d] = d == rank - 1 ? 1 : out->dim[d];
    a->weight = calloc((size_t)a->keys + 1, sizeof *a->weight);
    a->error = calloc((size_t)a->keys + 1, sizeof *a->error);
    fx_status status = a->weight && a->error ? FX_OK : FX_E_OOM;
    for (bool more = status == FX_OK; more; at[rank - 1] = 0, more = fx__ref_next(rank, rows, at)) {
        weigh(a, rank, at);
        for (at[rank - 1] = 0; at[rank - 1] < out->dim[rank - 1]; at[rank - 1]++)
            fx__ref_set(out, at, a->eps > 0 ? error_of_mean(a, rank, at) : mean_of_values(a, rank, at));
    }
    free(a->weight);
    free(a->error);
    return status;
}

fx_status fx__attention_ref(const fx_rt_arg *args, fx_tensor *results)
{
    attention a = begin(args, NULL, 0);
    return each_query(&a, results);
}

fx_status fx__attention_bound(const fx_rt_bound *call)
{
    attention a = begin(call->args, call->arg_errors, call->eps);
    return each_query(&a, call->errors);
}
