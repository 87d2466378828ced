/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of batch normalisation in inference: y = (x - mean) / sqrt(var + eps) * weight + bias per channel (dim 1). */
#include "ir/ops/norm_train_ref.h"
#include <math.h>
#include <string.h>

/* Positions of the arguments differ between the rows. */
typedef struct batch_norm {
    const fx_rt_arg *x, *weight, *bias, *mean, *var;
    double eps;
} batch_norm;

static double entry(const fx_rt_arg *vector, int64_t channel, double fallback)
{
    return vector->kind == FX_RT_TENSOR ? fx__ref_get(vector->u.tensor, &channel) : fallback;
}

static fx_status normalise(const batch_norm *b, fx_tensor *out)
{
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0};
    do {
        int64_t c = at[1];
        long double scale = (long double)entry(b->weight, c, 1) / sqrtl((long double)entry(b->var, c, 1) + (long double)b->eps);
        long double centred = (long double)fx__ref_get(b->x->u.tensor, at) - (long double)entry(b->mean, c, 0);
        fx__ref_set(out, at, (double)(centred * scale + (long double)entry(b->bias, c, 0)));
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

static double error_at(const fx_rt_arg *error, const int64_t *at)
{
    return error->kind == FX_RT_TENSOR && error->u.tensor->data ? fx__ref_get(error->u.tensor, at) : 0;
}

/* First order in every input, plus 8 roundings of the three terms x * scale, mean * scale and bias, which may cancel. */
static double bound_at(const batch_norm *b, const batch_norm *e, double eps, const int64_t *at)
{
    const int64_t *c = &at[1];
    double weight = entry(b->weight, *c, 1), var = entry(b->var, *c, 1) + b->eps, inverse = 1 / sqrt(var), scale = weight * inverse;
    double x = fx__ref_get(b->x->u.tensor, at), mean = entry(b->mean, *c, 0), centred = fabs(x - mean);
    double rounding = 8 * eps * ((fabs(x) + fabs(mean)) * fabs(scale) + fabs(entry(b->bias, *c, 0)));
    double first = (error_at(e->x, at) + error_at(e->mean, c)) * fabs(scale) + centred * inverse * error_at(e->weight, c);
    return rounding + first + centred * fabs(scale) / (2 * var) * error_at(e->var, c) + error_at(e->bias, c);
}

static fx_status fill_bound(const batch_norm *b, const batch_norm *e, double eps, fx_tensor *out)
{
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0};
    do fx__ref_set(out, at, bound_at(b, e, eps, at));
    while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

/* ---- By statistics of the input's own -------------------------------------------------------------------------------------------
 */

fx_status fx__group_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__group_norm_bound(const fx_rt_bound *call);

/* As the arguments of a group_norm of one channel per group. */
static void group_order(const fx_rt_arg *args, int64_t channels, fx_rt_arg out[5])
{
    const fx_rt_arg order[] = {args[0], {.kind = FX_RT_INT, .u.i = channels}, args[1], args[2], args[7]};
    memcpy(out, order, sizeof order);
}

/* [N, C, ...] seen as one image of C channels, [1, C, N, ...]. */
static fx_tensor one_image(const fx_tensor *x)
{
    fx_tensor view = *x;
    view.rank = x->rank + 1;
    for (int32_t d = 1; d < view.rank; d++) {
        int32_t from = d == 1 ? 1 : d == 2 ? 0 : d - 1;
        view.dim[d] = x->dim[from];
        view.stride[d] = x->stride[from];
    }
    view.dim[0] = 1;
    view.stride[0] = 0;
    return view;
}

static fx_status batch_statistics(const fx_rt_arg *args, fx_tensor *results)
{
    fx_rt_arg group[5];
    fx_tensor x = one_image(args[0].u.tensor), y = one_image(results);
    group_order(args, args[0].u.tensor->dim[1], group);
    group[0].u.tensor = &x;
    return fx__group_norm_ref(group, &y);
}

static fx_status batch_statistics_bound(const fx_rt_bound *call)
{
    fx_rt_arg group[5], errors[5];
    fx_tensor x = one_image(call->args[0].u.tensor), y = one_image(call->results), out = one_image(call->errors), error;
    fx_rt_bound copy = {group, errors, &y, &out, call->eps};
    group_order(call->args, call->args[0].u.tensor->dim[1], group);
    group_order(call->arg_errors, 0, errors);
    group[0].u.tensor = &x;
    if (errors[0].kind == FX_RT_TENSOR) {
        error = one_image(errors[0].u.tensor);
        errors[0].u.tensor = &error;
    }
    return fx__group_norm_bound(&copy);
}

/* batch_norm(input, weight, bias, mean, var, training, momentum, eps, ...), native_batch_norm */
static batch_norm aten_order(const fx_rt_arg *a, double eps)
{
    return (batch_norm){&a[0], &a[1], &a[2], &a[3], &a[4], eps};
}

fx_status fx__batch_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    batch_norm b = aten_order(args, args[7].u.f);
    if (args[5].u.i) return batch_statistics(args, results);
    return normalise(&b, results);
}

fx_status fx__batch_norm_bound(const fx_rt_bound *call)
{
    if (call->args[5].u.i) return batch_statistics_bound(call);
    batch_norm b = aten_order(call->args, call->args[7].u.f), e = aten_order(call->arg_errors, 0);
    return fill_bound(&b, &e, call->eps, call->errors);
}

/* The same with the batch's statistics as results 1 and 2, which are empty in inference. */
fx_status fx__native_batch_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    if (args[5].u.i) fx__train_saved_ref(&args[0], NULL, args[7].u.f, 0, &results[1], NULL);
    return fx__batch_norm_ref(args, results);
}

fx_status fx__native_batch_norm_bound(const fx_rt_bound *call)
{
    const fx_rt_arg *args = call->args;
    fx_tensor saved[] = {call->results[1], call->results[2]};
    if (args[5].u.i) fx__train_saved_ref(&args[0], &call->arg_errors[0], args[7].u.f, call->eps, saved, &call->errors[1]);
    return fx__batch_norm_bound(call);
}

/* _native_batch_norm_legit_no_training(input, weight, bias, mean, var, momentum, eps); results 1 and 2 are empty */
fx_status fx__batch_norm_no_training_ref(const fx_rt_arg *args, fx_tensor *results)
{
    batch_norm b = aten_order(args, args[6].u.f);
    return normalise(&b, results);
}

fx_status fx__batch_norm_no_training_bound(const fx_rt_bound *call)
{
    batch_norm b = aten_order(call->args, call->args[6].u.f), e = aten_order(call->arg_errors, 0);
    return fill_bound(&b, &e, call->eps, call->errors);
}

/* torch.nn.functional.batch_norm(input, mean, var, weight, bias, training, momentum, eps) in batch_norm's order. */
static void turned(const fx_rt_arg *a, fx_rt_arg out[8])
{
    const fx_rt_arg order[] = {a[0], a[3], a[4], a[1], a[2], a[5], a[6], a[7]};
    memcpy(out, order, sizeof order);
}

fx_status fx__functional_batch_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    fx_rt_arg order[8];
    turned(args, order);
    return fx__batch_norm_ref(order, results);
}

fx_status fx__functional_batch_norm_bound(const fx_rt_bound *call)
{
    fx_rt_arg args[8], errors[8];
    fx_rt_bound copy = *call;
    turned(call->args, args);
    turned(call->arg_errors, errors);
    copy.args = args;
    copy.arg_errors = errors;
    return fx__batch_norm_bound(&copy);
}

/* ---- instance_norm(input, weight, bias, mean, var, use_input_stats, momentum, eps) ---- */

fx_status fx__instance_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    fx_rt_arg group[5];
    if (!args[5].u.i) return fx__batch_norm_ref(args, results);
    group_order(args, args[0].u.tensor->dim[1], group);
    return fx__group_norm_ref(group, results);
}

fx_status fx__instance_norm_bound(const fx_rt_bound *call)
{
    fx_rt_arg group[5], errors[5];
    fx_rt_bound copy = *call;
    if (!call->args[5].u.i) return fx__batch_norm_bound(call);
    group_order(call->args, call->args[0].u.tensor->dim[1], group);
    group_order(call->arg_errors, 0, errors);
    copy.args = group;
    copy.arg_errors = errors;
    return fx__group_norm_bound(&copy);
}
