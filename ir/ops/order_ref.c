/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of sorting: along one dim, equal elements in the order in which they stand, NaN above all numbers. */
#include "runtime/ref.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    uint64_t key; /* in the order of the elements */
    int64_t index;
} entry;

/* Integers and floats as unsigned integers of the same order. */
static uint64_t key_of(fx_dtype dtype, fx_imm value)
{
    const uint64_t sign = UINT64_C(1) << 63;
    if (!fx_dtype_is_float(dtype)) return fx_dtype_is_signed(dtype) ? value.u ^ sign : value.u;
    if (isnan(value.f)) return UINT64_MAX;
    if (value.f == 0) value.f = 0; /* -0 */
    return value.u & sign ? ~value.u : value.u | sign;
}

static int compare(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

typedef struct sorting {
    const fx_tensor *x;
    int32_t dim;
    bool descending;
    int64_t n;
    int64_t others[FX_RANK]; /* sizes, 1 for dim */
    entry *entry;            /* [n] */
} sorting;

static fx_status sorting_open(sorting *s, const fx_tensor *x, int64_t dim, bool descending)
{
    int32_t span = x->rank ? x->rank : 1;
    *s = (sorting){.x = x, .dim = (int32_t)(dim < 0 ? dim + span : dim), .descending = descending};
    for (int32_t d = 0; d < x->rank; d++) s->others[d] = d == s->dim ? 1 : x->dim[d];
    s->n = x->rank ? x->dim[s->dim] : 1;
    s->entry = calloc((size_t)s->n + 1, sizeof *s->entry);
    return s->entry ? FX_OK : FX_E_OOM;
}

static void sort_row(sorting *s, int64_t *at)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (s->x->rank) at[s->dim] = i;
        uint64_t key = key_of(s->x->dtype, fx__ref_load(s->x, at));
        s->entry[i] = (entry){s->descending ? ~key : key, i};
    }
    qsort(s->entry, (size_t)s->n, sizeof *s->entry, compare);
}

/* Stores the first elements of the sorted row; values may be NULL. */
static void store_row(const sorting *s, int64_t *at, const fx_tensor *values, const fx_tensor *indices)
{
    int64_t kept = indices->rank ? indices->dim[s->dim] : 1, from[FX_RANK];
    memcpy(from, at, sizeof from);
    for (int64_t i = 0; i < kept; i++) {
        if (s->x->rank) at[s->dim] = i;
        if (s->x->rank) from[s->dim] = s->entry[i].index;
        if (values) fx__ref_store(values, at, fx__ref_load(s->x, from));
        fx__ref_store(indices, at, (fx_imm){.i = s->entry[i].index});
    }
    if (s->x->rank) at[s->dim] = 0;
}

static fx_status sort(sorting *s, const fx_tensor *values, const fx_tensor *indices)
{
    int64_t at[FX_RANK] = {0};
    if (!fx__ref_empty(s->x->rank, s->others)) do {
            sort_row(s, at);
            store_row(s, at, values, indices);
        } while (fx__ref_next(s->x->rank, s->others, at));
    free(s->entry);
    return FX_OK;
}

/* sort(self, dim, descending) */
fx_status fx__sort_ref(const fx_rt_arg *args, fx_tensor *results)
{
    sorting s;
    fx_status status = sorting_open(&s, args[0].u.tensor, args[1].u.i, args[2].u.i != 0);
    return status == FX_OK ? sort(&s, &results[0], &results[1]) : status;
}

/* argsort(self, dim, descending) */
fx_status fx__argsort_ref(const fx_rt_arg *args, fx_tensor *results)
{
    sorting s;
    fx_status status = sorting_open(&s, args[0].u.tensor, args[1].u.i, args[2].u.i != 0);
    return status == FX_OK ? sort(&s, NULL, &results[0]) : status;
}

/* topk(self, k, dim, largest, sorted): always sorted */
fx_status fx__topk_ref(const fx_rt_arg *args, fx_tensor *results)
{
    sorting s;
    fx_status status = sorting_open(&s, args[0].u.tensor, args[2].u.i, args[3].u.i != 0);
    return status == FX_OK ? sort(&s, &results[0], &results[1]) : status;
}

/* ---- Bounds: the i-th largest value moves by no more than the largest error of its row; which element it is may be any
 * ------------- */

static double row_error(const fx_rt_bound *call, const sorting *s, int64_t *at)
{
    const fx_rt_arg *error = &call->arg_errors[0];
    double most = 0;
    if (error->kind == FX_RT_NONE || !error->u.tensor->data) return 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->x->rank) at[s->dim] = i;
        double e = fx__ref_get(error->u.tensor, at);
        most = e > most || isnan(e) ? e : most;
    }
    if (s->x->rank) at[s->dim] = 0;
    return isnan(most) ? INFINITY : most;
}

static void fill_row(const fx_tensor *errors, int32_t dim, int64_t *at, double error)
{
    int64_t n = errors->rank ? errors->dim[dim] : 1;
    for (int64_t i = 0; i < n; i++) {
        if (errors->rank) at[dim] = i;
        fx__ref_set(errors, at, error);
    }
    if (errors->rank) at[dim] = 0;
}

/* indices: their number among the results; values, if any, are before them. */
static fx_status bound(const fx_rt_bound *call, int32_t dim, int32_t indices)
{
    sorting s;
    int64_t at[FX_RANK] = {0};
    fx_status status = sorting_open(&s, call->args[0].u.tensor, call->args[dim].u.i, false);
    if (status != FX_OK) return status;
    if (!fx__ref_empty(s.x->rank, s.others)) do {
            double error = row_error(call, &s, at);
            if (indices > 0) fill_row(&call->errors[0], s.dim, at, error);
            fill_row(&call->errors[indices], s.dim, at, error > 0 ? INFINITY : 0);
        } while (fx__ref_next(s.x->rank, s.others, at));
    free(s.entry);
    return FX_OK;
}

fx_status fx__sort_bound(const fx_rt_bound *call)
{
    return bound(call, 1, 1);
}
fx_status fx__argsort_bound(const fx_rt_bound *call)
{
    return bound(call, 1, 0);
}
fx_status fx__topk_bound(const fx_rt_bound *call)
{
    return bound(call, 2, 1);
}
