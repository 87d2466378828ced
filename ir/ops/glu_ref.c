/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of glu: a / (1 + exp(-b)), a and b the halves along a dim. */
#include "runtime/ref.h"
#include <math.h>

/* glu(self, dim): the numbers of this tensor that element `at` of the result comes from. */
static void halves(const fx_rt_arg *args, const fx_tensor *from, const fx_tensor *result, const int64_t *at, double *a, double *b)
{
    int32_t d = (int32_t)(args[1].u.i < 0 ? args[1].u.i + result->rank : args[1].u.i);
    int64_t other[FX_RANK];
    for (int32_t i = 0; i < result->rank; i++) other[i] = at[i] + (i == d ? result->dim[d] : 0);
    *a = fx__ref_get(from, at);
    *b = fx__ref_get(from, other);
}

fx_status fx__glu_ref(const fx_rt_arg *args, fx_tensor *results)
{
    int64_t at[FX_RANK] = {0};
    double a, b;
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        halves(args, args[0].u.tensor, results, at, &a, &b);
        fx__ref_set(results, at, a / (1 + exp(-b)));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* The gate moves by at most a quarter of b's error. It has 4 ulp where it is computed, and is rounded once more where it is kept in the
 * tensor's own type; then the product rounds. */
fx_status fx__glu_bound(const fx_rt_bound *call)
{
    const fx_rt_arg *error = &call->arg_errors[0];
    bool some = error->kind == FX_RT_TENSOR && error->u.tensor->data;
    int64_t at[FX_RANK] = {0};
    double a, b, a_error = 0, b_error = 0;
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return FX_OK;
    do {
        halves(call->args, call->args[0].u.tensor, call->results, at, &a, &b);
        if (some) halves(call->args, error->u.tensor, call->results, at, &a_error, &b_error);
        double gate = 1 / (1 + exp(-b)), tiny = fx__ref_tiny(call->results->dtype) * (fabs(a) + 1);
        double own = (12 * call->eps + fx__ref_eps(call->results->dtype)) * fabs(a) * gate + tiny;
        double moved = (fabs(a) + a_error) * b_error / 4 + a_error * gate, bound = moved + own;
        fx__ref_set(call->errors, at, isfinite(bound) ? bound : 0);
    } while (fx__ref_next(call->errors->rank, call->errors->dim, at));
    return FX_OK;
}
