/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of pooling over one to three spatial dims. Each point of the result has a region of input positions; those
 * outside the input are padding. */
#include "ir/ops/window_ref.h"
#include <math.h>

/* Positions start + k * step, 0 <= k < size, per spatial dim. */
typedef struct region {
    int32_t n;
    int64_t start[3], size[3], step[3];
} region;

typedef struct pool {
    const fx_tensor *x;
    int32_t lead; /* dims before the spatial ones */
    fx_window_ref w;
} pool;

static pool pool_of(const fx_tensor *x, const fx_tensor *out, int32_t n)
{
    pool p = {.x = x, .lead = x->rank - n, .w.n = n};
    for (int32_t i = 0; i < n; i++) p.w.in[i] = x->dim[p.lead + i], p.w.out[i] = out->dim[p.lead + i];
    return p;
}

/* poolN(self, kernel_size, stride, padding, [dilation]) */
static pool read_pool(const fx_rt_arg *args, const fx_tensor *out, int32_t n, const fx_rt_arg *dilation)
{
    pool p = pool_of(args[0].u.tensor, out, n);
    for (int32_t i = 0; i < n; i++) p.w.size[i] = fx__window_ref_entry(&args[1], i, 1);
    fx__window_ref_read(&p.w, &args[2], &args[3], dilation);
    return p;
}

static region region_at(const pool *p, const int64_t *at)
{
    region r = {.n = p->w.n};
    for (int32_t i = 0; i < r.n; i++) {
        r.start[i] = at[p->lead + i] * p->w.stride[i] - p->w.begin[i];
        r.size[i] = p->w.size[i];
        r.step[i] = p->w.dilation[i];
    }
    return r;
}

typedef region (*region_fn)(const pool *p, const int64_t *at);

/* Coordinates of position k in the input, whose leading ones are those of the result; false: padding. */
static bool position(const pool *p, const region *r, const int64_t *at, const int64_t *k, int64_t *in)
{
    for (int32_t d = 0; d < p->lead; d++) in[d] = at[d];
    for (int32_t i = 0; i < r->n; i++) {
        in[p->lead + i] = r->start[i] + k[i] * r->step[i];
        if (in[p->lead + i] < 0 || in[p->lead + i] >= p->w.in[i]) return false;
    }
    return true;
}

/* ---- Maximum ------------------------------------------------------------------------------------------------------------- */

static fx_imm lowest(fx_dtype dtype)
{
    return fx__scalar_from_double(dtype, -INFINITY);
}

static bool replaces(fx_dtype dtype, fx_imm value, fx_imm best)
{
    if (fx_dtype_is_float(dtype)) return value.f > best.f || isnan(value.f);
    return fx_dtype_is_signed(dtype) ? value.i > best.i : value.u > best.u;
}

/* Largest value of a region and its flat spatial index (-1: nothing but padding). A NaN wins. */
static fx_imm largest(const pool *p, region r, const int64_t *at, int64_t *out_index)
{
    fx_imm best = lowest(p->x->dtype);
    int64_t k[FX_RANK] = {0}, in[FX_RANK];
    *out_index = -1;
    do {
        if (!position(p, &r, at, k, in)) continue;
        fx_imm value = fx__ref_load(p->x, in);
        if (*out_index >= 0 && !replaces(p->x->dtype, value, best)) continue;
        best = value;
        *out_index = 0;
        for (int32_t i = 0; i < r.n; i++) *out_index = *out_index * p->w.in[i] + in[p->lead + i];
    } while (fx__ref_next(r.n, r.size, k));
    return best;
}

/* indices may be NULL */
static fx_status max_pool(const pool *p, region_fn where, fx_tensor *out, fx_tensor *indices)
{
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0}, index;
    do {
        fx__ref_store(out, at, largest(p, where(p, at), at, &index));
        if (indices) fx__ref_store(indices, at, (fx_imm){.i = index});
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

static fx_status max_pool_n(const fx_rt_arg *args, fx_tensor *results, int32_t n)
{
    pool p = read_pool(args, &results[0], n, &args[4]);
    return max_pool(&p, region_at, &results[0], NULL);
}

fx_status fx__max_pool1d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_n(args, results, 1);
}
fx_status fx__max_pool2d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_n(args, results, 2);
}
fx_status fx__max_pool3d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_n(args, results, 3);
}

static fx_status max_pool_indices(const fx_rt_arg *args, fx_tensor *results, int32_t n)
{
    pool p = read_pool(args, &results[0], n, &args[4]);
    return max_pool(&p, region_at, &results[0], &results[1]);
}

fx_status fx__max_pool1d_with_indices_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_indices(args, results, 1);
}
fx_status fx__max_pool2d_with_indices_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_indices(args, results, 2);
}
fx_status fx__max_pool3d_with_indices_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return max_pool_indices(args, results, 3);
}

/* ---- Average ------------------------------------------------------------------------------------------------------------- */

static long double sum_plain(const pool *p, const region *r, const int64_t *at)
{
    long double sum = 0;
    int64_t k[FX_RANK] = {0}, in[FX_RANK];
    if (fx__ref_empty(r->n, r->size)) return 0;
    do {
        if (position(p, r, at, k, in)) sum += (long double)fx__ref_get(p->x, in);
    } while (fx__ref_next(r->n, r->size, k));
    return sum;
}

/* Rounding (terms + 2) eps |x| and the inputs' own errors. */
static double sum_errors(const pool *p, const region *r, const int64_t *at, double eps, const fx_tensor *error)
{
    double sum = 0, terms = 1;
    int64_t k[FX_RANK] = {0}, in[FX_RANK];
    if (fx__ref_empty(r->n, r->size)) return 0;
    for (int32_t i = 0; i < r->n; i++) terms *= (double)r->size[i];
    do {
        if (!position(p, r, at, k, in)) continue;
        sum += (terms + 2) * eps * fabs(fx__ref_get(p->x, in));
        if (error) sum += fx__ref_get(error, in);
    } while (fx__ref_next(r->n, r->size, k));
    return sum;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* avg_poolN(self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override): positions of a region that
 * count: those inside the padded input, or inside the input. */
static int64_t divisor(const pool *p, const region *r, const fx_rt_arg *args)
{
    if (args[6].kind == FX_RT_INT) return args[6].u.i;
    int64_t count = 1;
    for (int32_t i = 0; i < r->n; i++) {
        int64_t stop = min(r->start[i] + r->size[i], p->w.in[i] + p->w.end[i]);
        if (args[5].u.i)
            count *= stop - r->start[i];
        else
            count *= max(min(stop, p->w.in[i]) - max(r->start[i], 0), 0);
    }
    return max(count, 1);
}

static const fx_rt_arg one = {.kind = FX_RT_INT, .u.i = 1};

static fx_status avg_pool_n(const fx_rt_arg *args, fx_tensor *out, int32_t n)
{
    pool p = read_pool(args, out, n, &one);
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0};
    do {
        region r = region_at(&p, at);
        fx__ref_set(out, at, (double)(sum_plain(&p, &r, at) / (long double)divisor(&p, &r, args)));
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

fx_status fx__avg_pool1d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return avg_pool_n(args, results, 1);
}
fx_status fx__avg_pool2d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return avg_pool_n(args, results, 2);
}
fx_status fx__avg_pool3d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return avg_pool_n(args, results, 3);
}

static const fx_tensor *input_error(const fx_rt_bound *call)
{
    const fx_rt_arg *error = &call->arg_errors[0];
    return error->kind == FX_RT_TENSOR && error->u.tensor->data ? error->u.tensor : NULL;
}

static fx_status avg_pool_bound(const fx_rt_bound *call, int32_t n)
{
    fx_tensor *out = call->errors;
    pool p = read_pool(call->args, out, n, &one);
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0};
    do {
        region r = region_at(&p, at);
        double d = fabs((double)divisor(&p, &r, call->args));
        fx__ref_set(out, at, sum_errors(&p, &r, at, call->eps, input_error(call)) / d);
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

fx_status fx__avg_pool1d_bound(const fx_rt_bound *call)
{
    return avg_pool_bound(call, 1);
}
fx_status fx__avg_pool2d_bound(const fx_rt_bound *call)
{
    return avg_pool_bound(call, 2);
}
fx_status fx__avg_pool3d_bound(const fx_rt_bound *call)
{
    return avg_pool_bound(call, 3);
}

/* The largest of values that are each off by at most their errors is off by at most the largest error. */
static fx_status bound_largest(const fx_rt_bound *call, pool p, region_fn where)
{
    const fx_tensor *error = input_error(call);
    fx_tensor *out = call->errors;
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0}, index;
    if (error) p.x = error;
    do {
        double worst = error ? fx__scalar_to_double(FX_F64, largest(&p, where(&p, at), at, &index)) : 0;
        fx__ref_set(out, at, error && index >= 0 ? worst : 0);
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

static fx_status max_pool_bound(const fx_rt_bound *call, int32_t n)
{
    return bound_largest(call, read_pool(call->args, call->errors, n, &call->args[4]), region_at);
}

fx_status fx__max_pool1d_bound(const fx_rt_bound *call)
{
    return max_pool_bound(call, 1);
}
fx_status fx__max_pool2d_bound(const fx_rt_bound *call)
{
    return max_pool_bound(call, 2);
}
fx_status fx__max_pool3d_bound(const fx_rt_bound *call)
{
    return max_pool_bound(call, 3);
}

/* Where inputs are not exact, any element may be the largest. */
static fx_status indices_bound(const fx_rt_bound *call, pool p, region_fn where)
{
    const fx_tensor *error = input_error(call), *x = call->args[0].u.tensor;
    double elements = 1;
    int64_t at[FX_RANK] = {0};
    for (int32_t i = 0; i < p.w.n; i++) elements *= (double)x->dim[x->rank - 1 - i];
    fx_status status = bound_largest(call, p, where);
    if (status != FX_OK || !error || fx__ref_empty(call->errors[1].rank, call->errors[1].dim)) return status;
    do fx__ref_set(&call->errors[1], at, elements);
    while (fx__ref_next(call->errors[1].rank, call->errors[1].dim, at));
    return FX_OK;
}

static fx_status max_indices_bound(const fx_rt_bound *call, int32_t n)
{
    return indices_bound(call, read_pool(call->args, call->errors, n, &call->args[4]), region_at);
}

fx_status fx__max_pool1d_with_indices_bound(const fx_rt_bound *call)
{
    return max_indices_bound(call, 1);
}
fx_status fx__max_pool2d_with_indices_bound(const fx_rt_bound *call)
{
    return max_indices_bound(call, 2);
}
fx_status fx__max_pool3d_with_indices_bound(const fx_rt_bound *call)
{
    return max_indices_bound(call, 3);
}

/* ---- Adaptive average ----------------------------------------------------------------------------------------------------- */

/* Point o of `out` averages positions floor(o in / out) to ceil((o + 1) in / out). */
static region adaptive_region(const pool *p, const int64_t *at)
{
    region r = {.n = p->w.n};
    for (int32_t i = 0; i < r.n; i++) {
        int64_t o = at[p->lead + i], in = p->w.in[i], out = p->w.out[i];
        r.start[i] = o * in / out;
        r.size[i] = ((o + 1) * in + out - 1) / out - r.start[i];
        r.step[i] = 1;
    }
    return r;
}

static double region_elems(const region *r)
{
    double n = 1;
    for (int32_t i = 0; i < r->n; i++) n *= (double)r->size[i];
    return n;
}

/* bound NULL: the averages; else their errors. */
static fx_status adaptive_pool(const fx_tensor *x, fx_tensor *out, int32_t n, const fx_rt_bound *bound)
{
    pool p = pool_of(x, out, n);
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    int64_t at[FX_RANK] = {0};
    do {
        region r = adaptive_region(&p, at);
        double sum = bound ? sum_errors(&p, &r, at, bound->eps, input_error(bound)) : 0;
        fx__ref_set(out, at, bound ? sum / region_elems(&r) : (double)(sum_plain(&p, &r, at) / (long double)region_elems(&r)));
    } while (fx__ref_next(out->rank, out->dim, at));
    return FX_OK;
}

fx_status fx__adaptive_avg_pool1d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_pool(args[0].u.tensor, results, 1, NULL);
}
fx_status fx__adaptive_avg_pool2d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_pool(args[0].u.tensor, results, 2, NULL);
}
fx_status fx__adaptive_avg_pool3d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_pool(args[0].u.tensor, results, 3, NULL);
}
fx_status fx__adaptive_avg_pool1d_bound(const fx_rt_bound *call)
{
    return adaptive_pool(call->args[0].u.tensor, call->errors, 1, call);
}
fx_status fx__adaptive_avg_pool2d_bound(const fx_rt_bound *call)
{
    return adaptive_pool(call->args[0].u.tensor, call->errors, 2, call);
}
fx_status fx__adaptive_avg_pool3d_bound(const fx_rt_bound *call)
{
    return adaptive_pool(call->args[0].u.tensor, call->errors, 3, call);
}

/* ---- Adaptive maximum: the same regions ---------------------------------------------------------------------------------------
 */

static fx_status adaptive_max(const fx_rt_arg *args, fx_tensor *results, int32_t n)
{
    pool p = pool_of(args[0].u.tensor, results, n);
    return max_pool(&p, adaptive_region, &results[0], &results[1]);
}

fx_status fx__adaptive_max_pool1d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_max(args, results, 1);
}
fx_status fx__adaptive_max_pool2d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_max(args, results, 2);
}
fx_status fx__adaptive_max_pool3d_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return adaptive_max(args, results, 3);
}

static fx_status adaptive_max_bound(const fx_rt_bound *call, int32_t n)
{
    return indices_bound(call, pool_of(call->args[0].u.tensor, call->errors, n), adaptive_region);
}

fx_status fx__adaptive_max_pool1d_bound(const fx_rt_bound *call)
{
    return adaptive_max_bound(call, 1);
}
fx_status fx__adaptive_max_pool2d_bound(const fx_rt_bound *call)
{
    return adaptive_max_bound(call, 2);
}
fx_status fx__adaptive_max_pool3d_bound(const fx_rt_bound *call)
{
    return adaptive_max_bound(call, 3);
}
