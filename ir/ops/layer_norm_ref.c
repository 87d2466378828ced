/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of layer_norm, rms_norm and group_norm: the elements of one row share mean and variance; weight and bias have
 * their own index within the row. y = (x - mean) / sqrt(var + eps) * weight + bias. rms_norm takes 0 for the mean. */
#include "runtime/ref.h"
#include <math.h>

typedef struct norm {
    const fx_rt_arg *x, *weight, *bias; /* weight and bias may be absent */
    const fx_rt_arg *x_error, *weight_error, *bias_error;
    double eps;
    int32_t outer;          /* layer_norm: leading dims; group_norm: 1 */
    int64_t per_group;      /* group_norm: channels of a group; layer_norm: 0 */
    bool about_zero;        /* rms_norm */
    fx_tensor *mean, *rstd; /* of each row; NULL: not wanted */
    double round;           /* bound: rounding step of the result; 0: compute values */
} norm;

/* Sums over a row. */
typedef struct row {
    long double n, mean, var, magnitude, error, weighted; /* means of |x|, of errors, of |z| * errors */
} row;

static const fx_tensor *present(const fx_rt_arg *arg)
{
    return arg && arg->kind == FX_RT_TENSOR && arg->u.tensor->data ? arg->u.tensor : NULL;
}

static double error_at(const fx_rt_arg *error, const int64_t *at)
{
    return present(error) ? fx__ref_get(present(error), at) : 0;
}

/* Coordinates [from, rank) of the row's elements; group_norm: channels [first, first + per_group). */
static void row_dims(const norm *p, int64_t *dim, int32_t *rank)
{
    const fx_tensor *x = p->x->u.tensor;
    *rank = x->rank - p->outer;
    for (int32_t d = 0; d < *rank; d++) dim[d] = x->dim[p->outer + d];
    if (p->per_group) dim[0] = p->per_group;
}

/* Element `at` of a row that begins at `start`. */
static void element(const norm *p, const int64_t *start, const int64_t *at, int64_t *out)
{
    const fx_tensor *x = p->x->u.tensor;
    for (int32_t d = 0; d < x->rank; d++) out[d] = start[d] + (d >= p->outer ? at[d - p->outer] : 0);
}

typedef void (*visit_fn)(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out);

static void each(const norm *p, const int64_t *start, row *r, fx_tensor *out, visit_fn visit)
{
    int64_t dim[FX_RANK], at[FX_RANK] = {0}, x_at[FX_RANK];
    int32_t rank;
    row_dims(p, dim, &rank);
    do {
        element(p, start, at, x_at);
        visit(p, r, x_at, p->per_group ? &x_at[1] : at, out);
    } while (fx__ref_next(rank, dim, at));
}

static void add_mean(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out)
{
    (void)parameter, (void)out;
    double x = fx__ref_get(p->x->u.tensor, at);
    r->n++;
    r->mean += (long double)x;
    r->magnitude += (long double)fabs(x);
    r->error += (long double)error_at(p->x_error, at);
}

static void add_variance(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out)
{
    (void)parameter, (void)out;
    long double d = (long double)fx__ref_get(p->x->u.tensor, at) - r->mean;
    r->var += d * d;
}

static long double inverse(const norm *p, const row *r)
{
    return 1 / sqrtl(r->var + (long double)p->eps);
}

static void store_value(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out)
{
    long double y = ((long double)fx__ref_get(p->x->u.tensor, at) - r->mean) * inverse(p, r);
    if (present(p->weight)) y *= (long double)fx__ref_get(p->weight->u.tensor, parameter);
    if (present(p->bias)) y += (long double)fx__ref_get(p->bias->u.tensor, parameter);
    fx__ref_set(out, at, (double)y);
}

/* Error of x - mean: its own, the mean's, and the rounding of both. */
static long double centred_error(const norm *p, const row *r, const int64_t *at)
{
    if (p->about_zero) return (long double)error_at(p->x_error, at);
    long double rounding = (long double)fabs(fx__ref_get(p->x->u.tensor, at)) + (r->n + 2) * r->magnitude;
    return (long double)error_at(p->x_error, at) + r->error + (long double)p->round * rounding;
}

static void add_weighted(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out)
{
    (void)parameter, (void)out;
    long double z = ((long double)fx__ref_get(p->x->u.tensor, at) - r->mean) * inverse(p, r);
    r->weighted += fabsl(z) * centred_error(p, r, at);
}

/* First order: z = (x - mean) / sigma moves by error / sigma, and by z times the relative error of sigma. */
static void store_bound(const norm *p, row *r, const int64_t *at, const int64_t *parameter, fx_tensor *out)
{
    long double s = inverse(p, r), z = fabsl(((long double)fx__ref_get(p->x->u.tensor, at) - r->mean) * s);
    long double weight = present(p->weight) ? (long double)fabs(fx__ref_get(p->weight->u.tensor, parameter)) : 1;
    long double bias = present(p->bias) ? (long double)fabs(fx__ref_get(p->bias->u.tensor, parameter)) : 0;
    long double z_error = s * centred_error(p, r, at) + z * (s * r->weighted + (r->n + 8) * (long double)p->round);
    long double own = 4 * (long double)p->round * (z * weight + bias);
    long double parameters =
        z * (long double)error_at(p->weight_error, parameter) + (long double)error_at(p->bias_error, parameter);
    fx__ref_set(out, at, (double)(weight * z_error + own + parameters));
}

/* The row's mean and 1 / sqrt(var + eps), or their errors. */
static void store_row(const norm *p, const row *r, const int64_t *at)
{
    double s = (double)inverse(p, r), round = p->round, n = (double)r->n;
    fx__ref_set(p->mean, at, round != 0 ? (double)r->error + (n + 2) * round * (double)r->magnitude : (double)r->mean);
    fx__ref_set(p->rstd, at, round != 0 ? s * (s * (double)r->weighted + (n + 8) * round) : s);
}

static void one_row(const norm *p, const int64_t *start, fx_tensor *out)
{
    row r = {0};
    each(p, start, &r, NULL, add_mean);
    r.mean = p->about_zero ? 0 : r.mean / r.n;
    r.magnitude /= r.n;
    r.error /= r.n;
    each(p, start, &r, NULL, add_variance);
    r.var /= r.n;
    if (p->round != 0) each(p, start, &r, NULL, add_weighted);
    r.weighted /= r.n;
    each(p, start, &r, out, p->round != 0 ? store_bound : store_value);
    int64_t group[2] = {start[0], p->per_group ? start[1] / p->per_group : 0};
    if (p->mean) store_row(p, &r, p->per_group ? group : start);
}

/* Rows of no elements: torch's mean is 0, and nothing has no variance. */
static void fill_empty(const norm *p)
{
    int64_t at[FX_RANK] = {0};
    if (!p->rstd || p->round != 0 || fx__ref_empty(p->rstd->rank, p->rstd->dim)) return;
    do {
        fx__ref_set(p->mean, at, 0);
        fx__ref_set(p->rstd, at, NAN);
    } while (fx__ref_next(p->rstd->rank, p->rstd->dim, at));
}

static fx_status each_row(const norm *p, fx_tensor *out)
{
    const fx_tensor *x = p->x->u.tensor;
    if (fx__ref_empty(x->rank, x->dim)) return fill_empty(p), FX_OK;
    int64_t outer[FX_RANK] = {0}, dim[FX_RANK], start[FX_RANK] = {0};
    for (int32_t d = 0; d < p->outer; d++) dim[d] = x->dim[d];
    int32_t rank = p->outer;
    if (p->per_group) dim[rank++] = x->dim[1] / p->per_group;
    do {
        for (int32_t d = 0; d < p->outer; d++) start[d] = outer[d];
        if (p->per_group) start[1] = outer[1] * p->per_group;
        one_row(p, start, out);
    } while (fx__ref_next(rank, dim, outer));
    return FX_OK;
}

/* layer_norm(input, normalized_shape, weight, bias, eps) */
static norm layer(const fx_rt_arg *args)
{
    return (norm){
        .x = &args[0], .weight = &args[2], .bias = &args[3], .eps = args[4].u.f, .outer = args[0].u.tensor->rank - args[1].n};
}

fx_status fx__layer_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    norm p = layer(args);
    return each_row(&p, results);
}

/* rms_norm(input, normalized_shape, weight, eps): without eps, the step from 1 in the type that torch computes in */
static norm rms(const fx_rt_arg *args)
{
    norm p = {.x = &args[0], .weight = &args[2], .outer = args[0].u.tensor->rank - args[1].n, .about_zero = true};
    p.eps = args[3].kind == FX_RT_FLOAT ? args[3].u.f : 2 * fx__ref_eps(fx__scalar_compute(args[0].u.tensor->dtype));
    return p;
}

fx_status fx__rms_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    norm p = rms(args);
    return each_row(&p, results);
}

/* group_norm(input, num_groups, weight, bias, eps) */
static norm group(const fx_rt_arg *args)
{
    return (norm){.x = &args[0],
                  .weight = &args[2],
                  .bias = &args[3],
                  .eps = args[4].u.f,
                  .outer = 1,
                  .per_group = args[0].u.tensor->dim[1] / args[1].u.i};
}

fx_status fx__group_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    norm p = group(args);
    return each_row(&p, results);
}

static fx_status bound(const fx_rt_bound *call, norm p)
{
    p.x_error = &call->arg_errors[0];
    p.weight_error = &call->arg_errors[2];
    p.bias_error = p.bias ? &call->arg_errors[3] : NULL;
    p.round = call->eps;
    return each_row(&p, call->errors);
}

fx_status fx__layer_norm_bound(const fx_rt_bound *call)
{
    return bound(call, layer(call->args));
}
fx_status fx__rms_norm_bound(const fx_rt_bound *call)
{
    return bound(call, rms(call->args));
}
fx_status fx__group_norm_bound(const fx_rt_bound *call)
{
    return bound(call, group(call->args));
}

/* ---- With the statistics of each row ------------------------------------------------------------------------------------------
 */

static fx_status with_statistics(norm p, fx_tensor *results)
{
    p.mean = &results[1];
    p.rstd = &results[2];
    return each_row(&p, results);
}

/* native_layer_norm(input, normalized_shape, weight, bias, eps) */
fx_status fx__native_layer_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return with_statistics(layer(args), results);
}

/* native_group_norm(input, weight, bias, N, C, HxW, group, eps) */
static norm native_group(const fx_rt_arg *args)
{
    norm p = {.x = &args[0], .weight = &args[1], .bias = &args[2], .eps = args[7].u.f, .outer = 1};
    p.per_group = args[0].u.tensor->dim[1] / args[6].u.i;
    return p;
}

fx_status fx__native_group_norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return with_statistics(native_group(args), results);
}

static fx_status native_bound(const fx_rt_bound *call, norm p, int32_t weight)
{
    p.x_error = &call->arg_errors[0];
    p.weight_error = &call->arg_errors[weight];
    p.bias_error = &call->arg_errors[weight + 1];
    p.round = call->eps;
    return with_statistics(p, call->errors);
}

fx_status fx__native_layer_norm_bound(const fx_rt_bound *call)
{
    return native_bound(call, layer(call->args), 2);
}
fx_status fx__native_group_norm_bound(const fx_rt_bound *call)
{
    return native_bound(call, native_group(call->args), 1);
}
