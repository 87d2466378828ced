/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of running sums and products along one dim: floats in long double, integers wrap. */
#include "runtime/ref.h"
#include <math.h>

/* Walks the rows along one dim: at[] is where a row begins. */
typedef struct rows {
    int32_t rank, dim;
    int64_t others[FX_RANK]; /* sizes, 1 for the dim itself */
    int64_t n;
} rows;

static rows rows_of(const fx_tensor *x, int64_t dim)
{
    rows r = {.rank = x->rank, .dim = (int32_t)(dim < 0 ? dim + x->rank : dim)};
    for (int32_t d = 0; d < x->rank; d++) r.others[d] = d == r.dim ? 1 : x->dim[d];
    r.n = x->rank ? x->dim[r.dim] : 1;
    return r;
}

static void scan_row(const fx_tensor *x, const fx_tensor *result, const rows *r, int64_t *at, bool product)
{
    long double f = product;
    fx_imm total = fx__scalar_from_double(result->dtype, product);
    fx_scalar_op op = fx__scalar_on(product ? FX_SCALAR_MUL : FX_SCALAR_ADD, result->dtype);
    for (int64_t i = 0; i < r->n; i++) {
        if (r->rank) at[r->dim] = i;
        fx_imm value = fx__scalar_cast(x->dtype, result->dtype, fx__ref_load(x, at));
        if (fx_dtype_is_float(result->dtype)) {
            f = product ? f * value.f : f + value.f;
            value.f = (double)f;
        } else {
            total = value = fx__scalar_apply(op, result->dtype, total, value);
        }
        fx__ref_store(result, at, value);
    }
    if (r->rank) at[r->dim] = 0;
}

static fx_status scan(const fx_rt_arg *args, bool product, fx_tensor *result)
{
    const fx_tensor *x = args[0].u.tensor;
    rows r = rows_of(x, args[1].u.i);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(r.rank, r.others)) return FX_OK;
    do scan_row(x, result, &r, at, product);
    while (fx__ref_next(r.rank, r.others, at));
    return FX_OK;
}

/* cumsum(self, dim, dtype), cumprod(self, dim, dtype) */
fx_status fx__cumsum_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return scan(args, false, results);
}
fx_status fx__cumprod_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return scan(args, true, results);
}

/* ---- Bounds -------------------------------------------------------------------------------------------------------------------
 */

static double error_at(const fx_rt_bound *call, const int64_t *at)
{
    const fx_rt_arg *error = &call->arg_errors[0];
    return error->kind == FX_RT_NONE || !error->u.tensor->data ? 0 : fx__ref_get(error->u.tensor, at);
}

/* f16 and bf16: the reference rounds, too, and to another neighbour where the exact value lies between two. */
static double other_neighbour(const fx_rt_bound *call, const int64_t *at)
{
    fx_dtype dtype = call->results->dtype;
    double y = fabs(fx__ref_get(call->results, at));
    return fx__scalar_compute(dtype) != dtype && isfinite(y) ? fx__ref_eps(dtype) * y : 0;
}

/* After i terms: their errors, and i + 1 roundings of at most the sum of their sizes. */
static void sum_row_errors(const fx_rt_bound *call, const rows *r, int64_t *at)
{
    double size = 0, error = 0;
    for (int64_t i = 0; i < r->n; i++) {
        if (r->rank) at[r->dim] = i;
        error += error_at(call, at);
        size += fabs(fx__ref_get(call->args[0].u.tensor, at)) + error_at(call, at);
        double own = isfinite(size) ? (double)(i + 2) * call->eps * size : 0;
        fx__ref_set(call->errors, at, error + own + other_neighbour(call, at));
    }
    if (r->rank) at[r->dim] = 0;
}

/* The largest product minus that of the sizes, i roundings, and what is lost below the normal range, multiplied by later factors.
 */
static void product_row_errors(const fx_rt_bound *call, const rows *r, int64_t *at)
{
    double size = 1, most = 1, lost = 0, tiny = fx__ref_tiny(fx__scalar_compute(call->results->dtype));
    for (int64_t i = 0; i < r->n; i++) {
        if (r->rank) at[r->dim] = i;
        double x = fabs(fx__ref_get(call->args[0].u.tensor, at)), e = error_at(call, at);
        size *= x;
        most *= x + e;
        lost = lost * fmax(1, x + e) + tiny;
        double error = most - size + (double)(i + 2) * 2 * call->eps * most + lost + other_neighbour(call, at);
        bool exact = most == size && !isfinite(size);
        fx__ref_set(call->errors, at, exact ? 0 : isnan(error) ? INFINITY : error);
    }
    if (r->rank) at[r->dim] = 0;
}

static fx_status bound(const fx_rt_bound *call, void (*row)(const fx_rt_bound *call, const rows *r, int64_t *at))
{
    rows r = rows_of(call->results, call->args[1].u.i);
    int64_t at[FX_RANK] = {0};
    if (!fx_dtype_is_float(call->results->dtype) || fx__ref_empty(r.rank, r.others)) return FX_OK;
    do row(call, &r, at);
    while (fx__ref_next(r.rank, r.others, at));
    return FX_OK;
}

fx_status fx__cumsum_bound(const fx_rt_bound *call)
{
    return bound(call, sum_row_errors);
}
fx_status fx__cumprod_bound(const fx_rt_bound *call)
{
    return bound(call, product_row_errors);
}
