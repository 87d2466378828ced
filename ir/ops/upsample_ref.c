/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of resampling images, [N, C, spatial...]: every element of the result is a weighted sum of the input's around
 * the point that it comes from; positions and weights in double, per dim. */
#include "runtime/ref.h"
#include <math.h>
#include <string.h>

typedef enum method {
    NEAREST,
    EXACT,
    LINEAR,
    CUBIC,
    COVER
} method; /* COVER: all that another method may touch, each with weight 1 */

enum { TAPS = 4, DIMS = 3 };

typedef struct taps {
    int32_t n;
    int64_t index[TAPS];
    double weight[TAPS];
} taps;

typedef struct resampling {
    const fx_tensor *x;
    method method;
    bool align, absolute; /* corners on corners; sizes of the weights */
    double scale[DIMS];   /* 0: the sizes' ratio */
    int32_t n;            /* spatial dims */
} resampling;

/* Keys' cubic convolution with a = -0.75, inside and outside of one step. */
static double near_weight(double t)
{
    return (1.25 * t - 2.25) * t * t + 1;
}
static double far_weight(double t)
{
    return ((-0.75 * t + 3.75) * t - 6) * t + 3;
}

static int64_t clamp(int64_t i, int64_t size)
{
    return i < 0 ? 0 : i < size ? i : size - 1;
}

/* Where the first element's centre, or with aligned corners the element itself, comes from. */
static double source_of(const resampling *r, int32_t d, int64_t at, int64_t in, int64_t out)
{
    if (r->align) return out > 1 ? (double)at * ((double)(in - 1) / (double)(out - 1)) : 0;
    double step = r->scale[d] > 0 ? 1 / r->scale[d] : (double)in / (double)out;
    double source = ((double)at + 0.5) * step - 0.5;
    return r->method == LINEAR && source < 0 ? 0 : source;
}

static int64_t nearest(const resampling *r, int32_t d, int64_t at, int64_t in, int64_t out)
{
    float middle = r->method == EXACT ? 0.5f : 0;
    if (r->scale[d] > 0) return clamp((int64_t)floorf(((float)at + middle) * (float)(1 / r->scale[d])), in);
    return r->method == EXACT ? (2 * at + 1) * in / (2 * out) : at * in / out;
}

static taps taps_of(const resampling *r, int32_t d, int64_t at, int64_t in, int64_t out)
{
    if (r->method <= EXACT) return (taps){1, {nearest(r, d, at, in, out)}, {1}};
    double source = source_of(r, d, at, in, out), first = floor(source), t = source - first;
    int64_t i = (int64_t)first;
    if (r->method == LINEAR) return (taps){2, {clamp(i, in), clamp(i + 1, in)}, {1 - t, t}};
    taps cubic = {4,
                  {clamp(i - 1, in), clamp(i, in), clamp(i + 1, in), clamp(i + 2, in)},
                  {far_weight(t + 1), near_weight(t), near_weight(1 - t), far_weight(2 - t)}};
    for (int32_t k = 0; k < 4 && r->method == COVER; k++) cubic.weight[k] = 1;
    return cubic;
}

/* What lies beside the taps counts by its size alone: an infinity there is no part of the result. */
static double element(const resampling *r, const int64_t *from)
{
    double x = fx__ref_get(r->x, from);
    if (r->method == COVER && !isfinite(x)) return 0;
    return r->absolute ? fabs(x) : x;
}

static double sum_of(const resampling *r, const taps *of, int32_t d, int64_t *from)
{
    double sum = 0;
    if (d >= r->n || d >= DIMS) return element(r, from);
    for (int32_t k = 0; k < of[d].n; k++) {
        from[r->x->rank - r->n + d] = of[d].index[k];
        double weight = r->absolute ? fabs(of[d].weight[k]) : of[d].weight[k];
        sum += weight * sum_of(r, of, d + 1, from);
    }
    return sum;
}

static double value_at(const resampling *r, const fx_tensor *result, const int64_t *at)
{
    taps of[DIMS];
    int64_t from[FX_RANK];
    memcpy(from, at, sizeof from);
    for (int32_t d = 0; d < r->n; d++) {
        int32_t dim = r->x->rank - r->n + d;
        of[d] = taps_of(r, d, at[dim], r->x->dim[dim], result->dim[dim]);
    }
    return sum_of(r, of, 0, from);
}

/* args: self, output_size, then align_corners but for nearest, then a scale for each dim. */
static resampling resampling_of(const fx_rt_arg *args, method how)
{
    resampling r = {.x = args[0].u.tensor, .method = how, .n = args[0].u.tensor->rank - 2};
    r.align = how > EXACT && args[2].u.i != 0;
    const fx_rt_arg *scale = args + (how <= EXACT ? 2 : 3);
    for (int32_t d = 0; d < r.n; d++) r.scale[d] = scale[d].kind == FX_RT_FLOAT ? scale[d].u.f : 0;
    return r;
}

static fx_status resample(const fx_rt_arg *args, method how, fx_tensor *result)
{
    resampling r = resampling_of(args, how);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_set(result, at, value_at(&r, result, at));
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static fx_status move(const fx_rt_arg *args, method how, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    resampling r = resampling_of(args, how);
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        memcpy(from, at, sizeof from);
        for (int32_t d = 0; d < r.n; d++) from[2 + d] = nearest(&r, d, at[2 + d], x->dim[2 + d], results->dim[2 + d]);
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}
/* upsample_nearest1d .. 3d(self, output_size, scales...) */
fx_status fx__upsample_nearest_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return move(args, NEAREST, results);
}
/* _upsample_nearest_exact1d .. 3d(self, output_size, scales...) */
fx_status fx__upsample_exact_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return move(args, EXACT, results);
}
/* upsample_linear1d, upsample_bilinear2d, upsample_trilinear3d(self, output_size, align_corners, scales...) */
fx_status fx__upsample_linear_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return resample(args, LINEAR, results);
}
/* upsample_bicubic2d(self, output_size, align_corners, scales...) */
fx_status fx__upsample_bicubic_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return resample(args, CUBIC, results);
}

/* ---- Bounds: weighted errors; at most 16 roundings of the terms; positions that differ by a rounding in double -----------------
 */

static double spread_at(resampling r, const fx_rt_bound *call, const int64_t *at)
{
    double positions = 0;
    r.absolute = true;
    for (int32_t d = 0; d < r.n; d++) positions += (double)(r.x->dim[r.x->rank - r.n + d] + 8);
    double terms = value_at(&r, call->results, at);
    r.method = COVER;
    double near = value_at(&r, call->results, at);
    double spread = 16 * call->eps * terms + 8 * 0x1p-53 * positions * near;
    return isfinite(spread) ? spread : 0;
}

/* f16 and bf16: the reference rounds, too, and to another neighbour where the exact value lies between two. */
static double other_neighbour(const fx_rt_bound *call, const int64_t *at)
{
    fx_dtype dtype = call->results->dtype;
    double y = fabs(fx__ref_get(call->results, at));
    return fx__scalar_compute(dtype) != dtype && isfinite(y) ? fx__ref_eps(dtype) * y : 0;
}

static fx_status bound(const fx_rt_bound *call, method how)
{
    resampling r = resampling_of(call->args, how), errors = r;
    const fx_rt_arg *error = &call->arg_errors[0];
    bool some = error->kind != FX_RT_NONE && error->u.tensor->data;
    int64_t at[FX_RANK] = {0};
    if (some) errors.x = error->u.tensor;
    errors.absolute = true;
    if (fx__ref_empty(call->results->rank, call->results->dim)) return FX_OK;
    do {
        double own = how <= EXACT ? 0 : spread_at(r, call, at) + other_neighbour(call, at) + fx__ref_tiny(call->results->dtype);
        fx__ref_set(call->errors, at, own + (some ? value_at(&errors, call->results, at) : 0));
    } while (fx__ref_next(call->results->rank, call->results->dim, at));
    return FX_OK;
}

fx_status fx__upsample_nearest_bound(const fx_rt_bound *call)
{
    return bound(call, NEAREST);
}
fx_status fx__upsample_exact_bound(const fx_rt_bound *call)
{
    return bound(call, EXACT);
}
fx_status fx__upsample_linear_bound(const fx_rt_bound *call)
{
    return bound(call, LINEAR);
}
fx_status fx__upsample_bicubic_bound(const fx_rt_bound *call)
{
    return bound(call, CUBIC);
}

/* ---- The .vec overloads: (input, output_size, [align_corners], scale_factors) --------------------------------------------------
 */

/* The same arguments with one scale per dim. */
static void one_by_one(const fx_rt_arg *args, method how, fx_rt_arg *out)
{
    int32_t first = how <= EXACT ? 2 : 3;
    memcpy(out, args, sizeof *args * (size_t)first);
    for (int32_t d = 0; d < DIMS; d++) {
        bool given = args[first].kind == FX_RT_FLOATS && d < args[first].n;
        out[first + d] = given ? (fx_rt_arg){.kind = FX_RT_FLOAT, .u.f = args[first].u.floats[d]} : (fx_rt_arg){.kind = FX_RT_NONE};
    }
}

static fx_status resample_vec(const fx_rt_arg *args, method how, fx_tensor *results)
{
    fx_rt_arg given[3 + DIMS];
    one_by_one(args, how, given);
    return how <= EXACT ? move(given, how, results) : resample(given, how, results);
}

static fx_status bound_vec(const fx_rt_bound *call, method how)
{
    fx_rt_arg given[3 + DIMS];
    fx_rt_bound copy = *call;
    one_by_one(call->args, how, given);
    copy.args = given;
    return bound(&copy, how);
}

#define VEC(name_, how_)                                                                                                           \
    fx_status fx__upsample_##name_##_vec_ref(const fx_rt_arg *args, fx_tensor *results)                                            \
    {                                                                                                                              \
        return resample_vec(args, how_, results);                                                                                  \
    }                                                                                                                              \
    fx_status fx__upsample_##name_##_vec_bound(const fx_rt_bound *call)                                                            \
    {                                                                                                                              \
        return bound_vec(call, how_);                                                                                              \
    }
VEC(nearest, NEAREST)
VEC(exact, EXACT)
VEC(linear, LINEAR)
VEC(bicubic, CUBIC)
