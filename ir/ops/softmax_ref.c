/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/softmax_ref.c: row by row: the largest element, the exponentials of the distances to it, their sum, the quotients. */
#include "ir/ops/softmax_ref.h"
#include <math.h>

/* One row along the axis. */
typedef struct row {
    const fx_tensor *x, *error; /* error: NULL when exact */
    int32_t axis;
    int64_t n, at[FX_RANK];
    double largest;
    long double sum; /* of exp(x - largest) */
} row;

static double element(row *r, int64_t i)
{
    r->at[r->axis] = i;
    return fx__ref_get(r->x, r->at);
}

static double error_of(row *r, int64_t i)
{
    r->at[r->axis] = i;
    return r->error ? fx__ref_get(r->error, r->at) : 0;
}

static void measure(row *r)
{
    r->largest = -INFINITY;
    r->sum = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double x = element(r, i);
        if (x > r->largest || isnan(x)) r->largest = x;
        if (isnan(x)) break;
    }
    for (int64_t i = 0; i < r->n; i++) r->sum += expl((long double)element(r, i) - r->largest);
}

typedef void (*row_function)(row *r, void *user);

/* args: tensor, axis. A tensor without dims is one row of one element. */
static void each_row(const fx_tensor *x, const fx_tensor *error, const fx_rt_arg *axis, row_function function, void *user)
{
    row r = {.x = x, .error = error};
    int64_t dim[FX_RANK];
    r.axis = (int32_t)(axis->u.i < 0 ? axis->u.i + (x->rank ? x->rank : 1) : axis->u.i);
    r.n = x->rank ? x->dim[r.axis] : 1;
    for (int32_t d = 0; d < x->rank; d++) dim[d] = d == r.axis ? 1 : x->dim[d];
    if (fx__ref_empty(x->rank, x->dim)) return;
    do {
        measure(&r);
        function(&r, user);
        r.at[r.axis] = 0;
    } while (fx__ref_next(x->rank, dim, r.at));
}

static void softmax_row(row *r, void *user)
{
    fx_tensor *result = user;
    for (int64_t i = 0; i < r->n; i++) {
        long double e = expl((long double)element(r, i) - r->largest);
        fx__ref_set(result, r->at, (double)(e / r->sum));
    }
}

static void log_softmax_row(row *r, void *user)
{
    fx_tensor *result = user;
    long double log_sum = logl(r->sum);
    for (int64_t i = 0; i < r->n; i++) {
        double x = element(r, i);
        fx__ref_set(result, r->at, (double)((long double)x - r->largest - log_sum));
    }
}

fx_status fx__ref_softmax(const fx_rt_arg *args, fx_tensor *results)
{
    each_row(args[0].u.tensor, NULL, &args[1], softmax_row, results);
    return FX_OK;
}

fx_status fx__ref_log_softmax(const fx_rt_arg *args, fx_tensor *results)
{
    each_row(args[0].u.tensor, NULL, &args[1], log_softmax_row, results);
    return FX_OK;
}

/* ---- Bounds: an exponential moves by the error of its argument, e_i + eps |x_i - max|, relatively, and is 4 ulp off; the sum by
 * the weighted mean of these plus (n + 2) eps.
 * --------------------------------------------------------------------------------------- */

/* Relative error of one exponential. */
static double exponential_error(row *r, int64_t i, double eps)
{
    double distance = r->largest - element(r, i);
    return error_of(r, i) + eps * ((isfinite(distance) ? distance : 0) + 8);
}

static double sum_error(row *r, double eps)
{
    double error = 0;
    for (int64_t i = 0; i < r->n; i++)
        error += (double)(expl((long double)element(r, i) - r->largest) / r->sum) * exponential_error(r, i, eps);
    return error + (double)(r->n + 2) * eps;
}

static void softmax_bound(row *r, void *user)
{
    const fx_rt_bound *call = user;
    double of_sum = sum_error(r, call->eps), tiny = fx__ref_tiny(call->results->dtype);
    for (int64_t i = 0; i < r->n; i++) {
        double relative = of_sum + exponential_error(r, i, call->eps) + 2 * call->eps;
        double y = fx__ref_get(call->results, r->at);
        fx__ref_set(call->errors, r->at, isnan(y) ? 0 : y * expm1(relative) + 4 * tiny);
    }
}

static void log_softmax_bound(row *r, void *user)
{
    const fx_rt_bound *call = user;
    double of_sum = sum_error(r, call->eps), of_log = call->eps * 8 * fabs((double)logl(r->sum));
    for (int64_t i = 0; i < r->n; i++) {
        double absolute = expm1(of_sum) + of_log + exponential_error(r, i, call->eps);
        double y = fx__ref_get(call->results, r->at);
        fx__ref_set(call->errors, r->at, isfinite(y) ? absolute + 2 * call->eps * fabs(y) : 0);
    }
}

static fx_status bound(const fx_rt_bound *call, row_function function)
{
    fx_rt_bound copy = *call;
    const fx_tensor *error = call->arg_errors[0].kind == FX_RT_TENSOR ? call->arg_errors[0].u.tensor : NULL;
    each_row(call->args[0].u.tensor, error, &call->args[1], function, &copy);
    return FX_OK;
}

fx_status fx__bound_softmax(const fx_rt_bound *call)
{
    return bound(call, softmax_bound);
}
fx_status fx__bound_log_softmax(const fx_rt_bound *call)
{
    return bound(call, log_softmax_bound);
}
