/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling over one to three spatial dims: maximum, average, and both over windows that cover the image evenly. Each lowers to one
 * kernel with the channel axis last among the outer ones: a REDUCE over the window, whose loads outside the input give the
 * identity, and a MAP. */
#include "ir/ops/check.h"
#include "ir/ops/window.h"
#include <math.h>

#define DECLARE(name)                                                                                                              \
    fx_status fx__##name##_ref(const fx_rt_arg *args, fx_tensor *results);                                                         \
    fx_status fx__##name##_bound(const fx_rt_bound *call);
DECLARE(max_pool1d)
DECLARE(max_pool2d)
DECLARE(max_pool3d)
DECLARE(avg_pool1d)
DECLARE(avg_pool2d)
DECLARE(avg_pool3d)
DECLARE(adaptive_avg_pool1d)
DECLARE(adaptive_avg_pool2d)
DECLARE(adaptive_avg_pool3d)
DECLARE(max_pool1d_with_indices)
DECLARE(max_pool2d_with_indices)
DECLARE(max_pool3d_with_indices)
DECLARE(adaptive_max_pool1d)
DECLARE(adaptive_max_pool2d)
DECLARE(adaptive_max_pool3d)

/* Argument positions. */
enum { SELF, KERNEL, STRIDE, PADDING };
enum { MAX_DILATION = 4, MAX_CEIL, MAX_RETURN_INDICES };
enum { AVG_CEIL = 4, AVG_INCLUDE_PAD, AVG_DIVISOR };

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

/* Spatial dims of the row: the length of its kernel_size or output_size. */
static int32_t spatial(const fx_call *call)
{
    return fx__op_params(call->op, &(int32_t){0})[KERNEL].list;
}

/* dilation -1: none. */
static fx_status read_window(const fx_call *call, int32_t n, int32_t dilation, int32_t ceil, fx_window *w)
{
    int64_t size[FX_RANK];
    int32_t count = fx__call_ints(call, KERNEL, n, size);
    if (count != n) return fx__call_error(call, FX_E_ARG, "kernel_size needs 1 or %d entries", n);
    *w = (fx_window){.n = n, .ceil = fx__call_int(call, ceil) != 0};
    for (int32_t i = 0; i < n; i++) {
        if (size[i] < 1) return fx__call_error(call, FX_E_ARG, "kernel_size is %lld, expected at least 1", (long long)size[i]);
        w->size[i] = size[i];
    }
    return fx__window_read(call, STRIDE, PADDING, dilation, w);
}

static fx_status shape_pool(fx_call *call, const fx_window *w)
{
    FX_TRY(fx__check_rank(call, SELF, w->n + 1, w->n + 2));
    const fx_type *x = fx__call_type(call, SELF);
    for (int32_t r = 0; r < call->n_results; r++) {
        fx_type *out = &call->result[r];
        out->rank = x->rank;
        for (int32_t d = 0; d < x->rank; d++) out->dim[d] = x->dim[d];
        for (int32_t i = 0; i < w->n; i++) {
            int32_t d = x->rank - w->n + i;
            FX_TRY(fx__window_out(call, w, i, x->dim[d], &out->dim[d]));
        }
    }
    return FX_OK;
}

static fx_status shape_max_indices(fx_call *call)
{
    fx_window w;
    FX_TRY(read_window(call, spatial(call), MAX_DILATION, MAX_CEIL, &w));
    return shape_pool(call, &w);
}

static fx_status shape_max(fx_call *call)
{
    if (fx__call_int(call, MAX_RETURN_INDICES))
        return fx__call_error(call, FX_E_UNSUPPORTED, "return_indices=True: use max_pool2d_with_indices");
    return shape_max_indices(call);
}

static fx_status dtype_max_indices(fx_call *call)
{
    call->n_results = 2;
    call->result[0].dtype = fx__call_type(call, SELF)->dtype;
    call->result[1].dtype = FX_I64;
    return FX_OK;
}

static fx_status shape_avg(fx_call *call)
{
    fx_window w;
    FX_TRY(read_window(call, spatial(call), -1, AVG_CEIL, &w));
    if (!fx__call_is_none(call, AVG_DIVISOR) && fx__call_int(call, AVG_DIVISOR) == 0)
        return fx__call_error(call, FX_E_ARG, "divisor_override is 0");
    return shape_pool(call, &w);
}

/* Averages, or largest values and where they stand. */
static fx_status shape_adaptive(fx_call *call)
{
    int32_t n = spatial(call);
    FX_TRY(fx__check_rank(call, SELF, n + 1, n + 2));
    const fx_type *x = fx__call_type(call, SELF);
    fx_type *out = &call->result[0];
    fx_dim size[FX_RANK];
    int32_t count = fx__call_dims(call, 1, n, size), lead = x->rank - n;
    if (count != n) return fx__call_error(call, FX_E_ARG, "output_size needs 1 or %d entries", n);
    out->rank = x->rank;
    for (int32_t d = 0; d < x->rank; d++) out->dim[d] = d < lead ? x->dim[d] : size[d - lead];
    for (int32_t d = lead; d < x->rank; d++)
        if (!fx__dims_assume(call->dims, FX_GUARD_LE, 1, x->dim[d], "an average needs an element"))
            return fx__call_error(call, FX_E_SHAPE, "self is %s, which has no elements to average", fx__check_type(call, x).s);
    for (int32_t r = 1; r < call->n_results; r++) {
        fx_dtype dtype = call->result[r].dtype;
        call->result[r] = *out;
        call->result[r].dtype = dtype;
    }
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* Axes of one pooling kernel: batch, positions, channels outside; the window inside. */
typedef struct pool_kernel {
    fx_kb *k;
    int32_t n, lead;
    uint8_t position[FX_WINDOW_DIMS], red[FX_WINDOW_DIMS];
    fx_index in[FX_RANK], out[FX_RANK];
} pool_kernel;

static void make_axes(pool_kernel *p, fx_lower *lw, const fx_call *call, const fx_window *w)
{
    const fx_type *out = &call->result[0];
    p->k = fx__lower_kernel(lw, call);
    p->n = w->n;
    p->lead = out->rank - w->n;
    if (p->lead == 2) p->in[0] = p->out[0] = fx__index_axis(fx__kb_axis(p->k, "n", out->dim[0], true));
    for (int32_t i = 0; i < w->n; i++) {
        p->position[i] = fx__kb_axis(p->k, fx__window_name(w, i), out->dim[p->lead + i], true);
        p->out[p->lead + i] = fx__index_axis(p->position[i]);
    }
    p->in[p->lead - 1] = p->out[p->lead - 1] = fx__index_axis(fx__kb_axis(p->k, "c", out->dim[p->lead - 1], true));
    for (int32_t i = 0; i < w->n; i++) {
        p->red[i] = fx__kb_axis(p->k, fx__window_kernel_name(w, i), w->size[i], false);
        p->in[p->lead + i] = fx__window_index(w, i, p->position[i], p->red[i]);
    }
}

static uint16_t load_window(const pool_kernel *p, fx_lower *lw, const fx_call *call, const fx_window *w, double fill)
{
    fx_lvalue x = fx__lower_arg(lw, call, SELF);
    bool leaves = fx__window_leaves(w, fx__call_type(call, SELF)->dim + p->lead);
    return leaves ? fx__kb_load_guarded(p->k, x, p->in, fill) : fx__kb_load(p->k, x, p->in);
}

static double lowest(fx_dtype dtype)
{
    if (fx_dtype_is_float(dtype)) return -INFINITY;
    return fx_dtype_is_signed(dtype) ? -ldexp(1, (int)(8 * fx_dtype_bytes(dtype) - 1)) : 0;
}

static uint16_t i64(fx_kb *k, int64_t value)
{
    return fx__kb_imm_int(k, FX_I64, value);
}

/* The input position of this step of the window, as i64, and whether it lies inside (FX_NO_EXPR: always). */
typedef struct place {
    uint16_t at[FX_WINDOW_DIMS], inside;
} place;

static place window_place(const pool_kernel *p, const fx_call *call, const fx_window *w)
{
    fx_kb *k = p->k;
    place here = {.inside = FX_NO_EXPR};
    for (int32_t i = 0; i < p->n; i++) {
        uint16_t first = fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_coord(k, p->position[i]), i64(k, w->stride[i]));
        uint16_t step = fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_coord(k, p->red[i]), i64(k, w->dilation[i]));
        uint16_t at = fx__kb_scalar(k, FX_SCALAR_SUB, fx__kb_scalar(k, FX_SCALAR_ADD, first, step), i64(k, w->begin[i]));
        uint16_t size = fx__kb_dim(k, fx__call_type(call, SELF)->dim[p->lead + i]);
        uint16_t within = fx__kb_scalar(k, FX_SCALAR_AND, fx__kb_scalar(k, FX_SCALAR_LE, i64(k, 0), at),
                                        fx__kb_scalar(k, FX_SCALAR_LT, at, size));
        here.inside = here.inside == FX_NO_EXPR ? within : fx__kb_scalar(k, FX_SCALAR_AND, here.inside, within);
        here.at[i] = at;
    }
    return here;
}

/* Where x is the largest value m, in row-major order of the image: the first such place, but the last NaN, as torch has it. The
 * smallest key is sought: the place, or -1 - place for a NaN. */
static void store_index(const pool_kernel *p, fx_lower *lw, const fx_call *call, const place *here, uint16_t x, fx_kresult m)
{
    fx_kb *k = p->k;
    uint16_t flat = here->at[0], none = i64(k, INT64_MAX), one = i64(k, 1), zero = i64(k, 0);
    for (int32_t i = 1; i < p->n; i++) {
        uint16_t size = fx__kb_dim(k, fx__call_type(call, SELF)->dim[p->lead + i]);
        flat = fx__kb_scalar(k, FX_SCALAR_ADD, fx__kb_scalar(k, FX_SCALAR_MUL, flat, size), here->at[i]);
    }
    uint16_t key = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_EQ, x, fx__kb_result(k, m)), flat, none);
    uint16_t behind = fx__kb_scalar(k, FX_SCALAR_SUB, fx__kb_scalar(k, FX_SCALAR_SUB, zero, flat), one);
    if (fx_dtype_is_float(call->result[0].dtype)) key = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_NE, x, x), behind, key);
    if (here->inside != FX_NO_EXPR) key = fx__kb_select(k, here->inside, key, none);
    uint16_t least = fx__kb_result(k, fx__kb_reduce(k, "p", FX_COMBINE_MIN, p->red, (uint8_t)p->n, key));
    none = i64(k, INT64_MAX), one = i64(k, 1), zero = i64(k, 0);
    uint16_t back = fx__kb_scalar(k, FX_SCALAR_SUB, fx__kb_scalar(k, FX_SCALAR_SUB, zero, least), one);
    uint16_t index = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_LT, least, zero), back, least);
    index = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_EQ, least, none), i64(k, -1), index);
    fx__kb_store(k, fx__lower_result(lw, call, 1), p->out, index);
}

static bool wants_index(const fx_call *call)
{
    return call->n_results == 2 && fx__check_uses(call, 1);
}

static fx_status lower_max(fx_lower *lw, const fx_call *call)
{
    pool_kernel p = {0};
    fx_window w;
    FX_TRY(read_window(call, spatial(call), MAX_DILATION, MAX_CEIL, &w));
    make_axes(&p, lw, call, &w);
    uint16_t x = load_window(&p, lw, call, &w, lowest(call->result[0].dtype));
    fx_kresult m = fx__kb_reduce(p.k, "m", FX_COMBINE_MAX, p.red, (uint8_t)p.n, x);
    if (wants_index(call)) {
        place here = window_place(&p, call, &w);
        x = load_window(&p, lw, call, &w, lowest(call->result[0].dtype));
        store_index(&p, lw, call, &here, x, m);
    }
    fx__kb_store(p.k, fx__lower_result(lw, call, 0), p.out, fx__kb_result(p.k, m));
    return fx__kb_finish(p.k);
}

static fx_dtype sum_dtype(fx_dtype dtype)
{
    return dtype == FX_F64 ? FX_F64 : FX_F32;
}

/* Positions of dim i that count at this point, as i64: up to the padded end, or within the input. */
static uint16_t count_positions(const pool_kernel *p, const fx_window *w, int32_t i, fx_dim in, bool include_pad)
{
    fx_kb *k = p->k;
    uint16_t step = fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_coord(k, p->position[i]), i64(k, w->stride[i]));
    uint16_t start = fx__kb_scalar(k, FX_SCALAR_SUB, step, i64(k, w->begin[i]));
    uint16_t stop = fx__kb_scalar(k, FX_SCALAR_ADD, start, i64(k, w->size[i])), size = fx__kb_dim(k, in);
    if (!include_pad) {
        stop = fx__kb_scalar(k, FX_SCALAR_MIN, stop, size);
        start = fx__kb_scalar(k, FX_SCALAR_MAX, start, i64(k, 0));
    } else {
        stop = fx__kb_scalar(k, FX_SCALAR_MIN, stop, fx__kb_scalar(k, FX_SCALAR_ADD, size, i64(k, w->end[i])));
    }
    return fx__kb_scalar(k, FX_SCALAR_MAX, fx__kb_scalar(k, FX_SCALAR_SUB, stop, start), i64(k, include_pad ? 1 : 0));
}

static bool is_padded(const fx_window *w)
{
    for (int32_t i = 0; i < w->n; i++)
        if (w->begin[i] || w->end[i]) return true;
    return false;
}

/* What the sum is divided by, in the sum's type. */
static uint16_t divisor(const pool_kernel *p, const fx_call *call, const fx_window *w, fx_dtype sum)
{
    bool include_pad = fx__call_int(call, AVG_INCLUDE_PAD) != 0;
    if (!fx__call_is_none(call, AVG_DIVISOR)) return fx__kb_imm(p->k, sum, (double)fx__call_int(call, AVG_DIVISOR));
    if (!w->ceil && (include_pad || !is_padded(w))) {
        double n = 1;
        for (int32_t i = 0; i < w->n; i++) n *= (double)w->size[i];
        return fx__kb_imm(p->k, sum, n);
    }
    uint16_t count = i64(p->k, 1);
    for (int32_t i = 0; i < w->n; i++) {
        fx_dim in = fx__call_type(call, SELF)->dim[p->lead + i];
        count = fx__kb_scalar(p->k, FX_SCALAR_MUL, count, count_positions(p, w, i, in, include_pad));
    }
    return fx__kb_cast(p->k, sum, fx__kb_scalar(p->k, FX_SCALAR_MAX, count, i64(p->k, 1)));
}

static fx_kresult sum_window(const pool_kernel *p, fx_lower *lw, const fx_call *call, const fx_window *w, fx_dtype sum)
{
    uint16_t x = fx__kb_cast(p->k, sum, load_window(p, lw, call, w, 0));
    return fx__kb_reduce(p->k, "s", FX_COMBINE_SUM, p->red, (uint8_t)p->n, x);
}

static fx_status lower_avg(fx_lower *lw, const fx_call *call)
{
    pool_kernel p = {0};
    fx_window w;
    fx_dtype sum = sum_dtype(call->result[0].dtype);
    FX_TRY(read_window(call, spatial(call), -1, AVG_CEIL, &w));
    make_axes(&p, lw, call, &w);
    uint16_t total = fx__kb_result(p.k, sum_window(&p, lw, call, &w, sum));
    uint16_t mean = fx__kb_scalar(p.k, FX_SCALAR_DIV, total, divisor(&p, call, &w, sum));
    fx__kb_store(p.k, fx__lower_result(lw, call, 0), p.out, mean);
    return fx__kb_finish(p.k);
}

/* One dim of an adaptive average: point o covers positions floor(o in / out) to ceil((o + 1) in / out). */
typedef struct adaptive_dim {
    fx_dim in, out;
    bool equal; /* all windows have one size */
} adaptive_dim;

/* First position and end of the window of this point, as i64. */
static void window_ends(const pool_kernel *p, int32_t i, const adaptive_dim *d, uint16_t *start, uint16_t *end)
{
    fx_kb *k = p->k;
    uint16_t in = fx__kb_dim(k, d->in), out = fx__kb_dim(k, d->out);
    uint16_t before = fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_coord(k, p->position[i]), in);
    uint16_t after = fx__kb_scalar(k, FX_SCALAR_ADD, before, fx__kb_scalar(k, FX_SCALAR_ADD, in, out));
    *start = fx__kb_scalar(k, FX_SCALAR_FLOORDIV, before, out);
    *end = fx__kb_scalar(k, FX_SCALAR_FLOORDIV, fx__kb_scalar(k, FX_SCALAR_SUB, after, i64(k, 1)), out);
}

/* The position of step i of a window; steps beyond its end, where *inside is false, stay at its last position. */
static fx_index gathered(const pool_kernel *p, int32_t i, const adaptive_dim *d, uint16_t *inside)
{
    fx_kb *k = p->k;
    uint16_t start, end;
    window_ends(p, i, d, &start, &end);
    uint16_t at = fx__kb_scalar(k, FX_SCALAR_ADD, start, fx__kb_coord(k, p->red[i])),
             within = fx__kb_scalar(k, FX_SCALAR_LT, at, end);
    *inside = *inside == FX_NO_EXPR ? within : fx__kb_scalar(k, FX_SCALAR_AND, *inside, within);
    return (fx_index){.value = (int16_t)fx__kb_scalar(k, FX_SCALAR_MIN, at, fx__kb_scalar(k, FX_SCALAR_SUB, end, i64(k, 1)))};
}

static fx_kresult sum_adaptive(pool_kernel *p, fx_lower *lw, const fx_call *call, const adaptive_dim *dim, fx_dtype sum)
{
    fx_lvalue x = fx__lower_arg(lw, call, SELF);
    uint16_t inside = FX_NO_EXPR;
    for (int32_t i = 0; i < p->n; i++)
        if (!dim[i].equal) p->in[p->lead + i] = gathered(p, i, &dim[i], &inside);
    uint16_t loaded = inside == FX_NO_EXPR ? fx__kb_load(p->k, x, p->in) : fx__kb_load_gather(p->k, x, p->in);
    uint16_t value = fx__kb_cast(p->k, sum, loaded);
    if (inside != FX_NO_EXPR) value = fx__kb_select(p->k, inside, value, fx__kb_imm(p->k, sum, 0));
    return fx__kb_reduce(p->k, "s", FX_COMBINE_SUM, p->red, (uint8_t)p->n, value);
}

static uint16_t adaptive_count(const pool_kernel *p, const fx_window *w, const adaptive_dim *dim)
{
    uint16_t count = i64(p->k, 1), start, end;
    for (int32_t i = 0; i < p->n; i++) {
        uint16_t size = fx__kb_dim(p->k, w->size[i]);
        if (!dim[i].equal) {
            window_ends(p, i, &dim[i], &start, &end);
            size = fx__kb_scalar(p->k, FX_SCALAR_SUB, end, start);
        }
        count = fx__kb_scalar(p->k, FX_SCALAR_MUL, count, size);
    }
    return count;
}

/* Windows, or room for the largest of them. A stride may be symbolic here: it becomes a coefficient. */
static void adaptive_window(fx_dims *dims, const fx_call *call, fx_window *w, adaptive_dim *dim)
{
    const fx_type *x = fx__call_type(call, SELF), *out = &call->result[0];
    for (int32_t i = 0; i < w->n; i++) {
        fx_dim in = x->dim[x->rank - w->n + i], o = out->dim[x->rank - w->n + i];
        dim[i] = (adaptive_dim){in, o, fx__dim_equal(dims, fx__dim_mod(dims, in, o), 0)};
        w->size[i] = dim[i].equal ? fx__dim_floordiv(dims, in, o) : fx__dim_add(dims, fx__dim_ceildiv(dims, in, o), 1);
        w->stride[i] = w->size[i];
        w->dilation[i] = 1;
    }
}

/* An element of the window; steps beyond its end see its last position again. */
static uint16_t load_adaptive(pool_kernel *p, fx_lower *lw, const fx_call *call, const adaptive_dim *dim, place *out_here)
{
    fx_kb *k = p->k;
    bool gathers = false;
    uint16_t ignored = FX_NO_EXPR, start, end;
    *out_here = (place){.inside = FX_NO_EXPR};
    for (int32_t i = 0; i < p->n; i++) {
        if (!dim[i].equal) {
            p->in[p->lead + i] = gathered(p, i, &dim[i], &ignored);
            out_here->at[i] = (uint16_t)p->in[p->lead + i].value;
            gathers = true;
        } else {
            window_ends(p, i, &dim[i], &start, &end);
            out_here->at[i] = fx__kb_scalar(k, FX_SCALAR_ADD, start, fx__kb_coord(k, p->red[i]));
        }
    }
    fx_lvalue x = fx__lower_arg(lw, call, SELF);
    return gathers ? fx__kb_load_gather(k, x, p->in) : fx__kb_load(k, x, p->in);
}

static fx_status lower_adaptive_max(fx_lower *lw, const fx_call *call)
{
    fx_window w = {.n = spatial(call)};
    adaptive_dim dim[FX_WINDOW_DIMS];
    pool_kernel p = {0};
    place here;
    for (int32_t d = 0; d < call->result[0].rank; d++)
        if (call->result[0].dim[d] == 0) return FX_OK; /* nothing to store */
    adaptive_window(fx__lower_dims(lw), call, &w, dim);
    make_axes(&p, lw, call, &w);
    uint16_t x = load_adaptive(&p, lw, call, dim, &here);
    fx_kresult m = fx__kb_reduce(p.k, "m", FX_COMBINE_MAX, p.red, (uint8_t)p.n, x);
    if (wants_index(call)) {
        x = load_adaptive(&p, lw, call, dim, &here);
        store_index(&p, lw, call, &here, x, m);
    }
    fx__kb_store(p.k, fx__lower_result(lw, call, 0), p.out, fx__kb_result(p.k, m));
    return fx__kb_finish(p.k);
}

static fx_status lower_adaptive(fx_lower *lw, const fx_call *call)
{
    fx_window w = {.n = spatial(call)};
    adaptive_dim dim[FX_WINDOW_DIMS];
    pool_kernel p = {0};
    fx_dtype sum = sum_dtype(call->result[0].dtype);
    for (int32_t d = 0; d < call->result[0].rank; d++)
        if (call->result[0].dim[d] == 0) return FX_OK; /* nothing to store */
    adaptive_window(fx__lower_dims(lw), call, &w, dim);
    make_axes(&p, lw, call, &w);
    uint16_t total = fx__kb_result(p.k, sum_adaptive(&p, lw, call, dim, sum));
    uint16_t count = fx__kb_cast(p.k, sum, adaptive_count(&p, &w, dim));
    fx__kb_store(p.k, fx__lower_result(lw, call, 0), p.out, fx__kb_scalar(p.k, FX_SCALAR_DIV, total, count));
    return fx__kb_finish(p.k);
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

#define MAX_POOL(n, names_, cases_)                                                                                                \
    const fx_op fx_op_max_pool##n##d = {                                                                                           \
        .name = "max_pool" #n "d",                                                                                                 \
        .target = "torch.ops.aten.max_pool" #n "d.default",                                                                        \
        .schema = "max_pool" #n "d(Tensor self, int[" #n "] kernel_size, int[" #n "]? stride=None, int[" #n "] padding=0, int[" #n \
                  "] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor",                                      \
        .names = names_,                                                                                                           \
        .onnx = "MaxPool GlobalMaxPool",                                                                                           \
        .family = "pooling",                                                                                                       \
        .dtypes = FX_NUMBERS,                                                                                                      \
        .shape = shape_max,                                                                                                        \
        .reference = fx__max_pool##n##d_ref,                                                                                       \
        .bound = fx__max_pool##n##d_bound,                                                                                         \
        .lower = lower_max,                                                                                                        \
        .cases = cases_,                                                                                                           \
    };

#define AVG_POOL(n, names_, cases_)                                                                                                \
    const fx_op fx_op_avg_pool##n##d = {                                                                                           \
        .name = "avg_pool" #n "d",                                                                                                 \
        .target = "torch.ops.aten.avg_pool" #n "d.default",                                                                        \
        .schema = "avg_pool" #n "d(Tensor self, int[" #n "] kernel_size, int[" #n "]? stride=None, int[" #n                        \
                  "] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",         \
        .names = names_,                                                                                                           \
        .onnx = "AveragePool",                                                                                                     \
        .family = "pooling",                                                                                                       \
        .dtypes = FX_FLOATS,                                                                                                       \
        .shape = shape_avg,                                                                                                        \
        .reference = fx__avg_pool##n##d_ref,                                                                                       \
        .bound = fx__avg_pool##n##d_bound,                                                                                         \
        .lower = lower_avg,                                                                                                        \
        .cases = cases_,                                                                                                           \
    };

#define ADAPTIVE_POOL(n, names_, cases_)                                                                                           \
    const fx_op fx_op_adaptive_avg_pool##n##d = {                                                                                  \
        .name = "adaptive_avg_pool" #n "d",                                                                                        \
        .target = "torch.ops.aten.adaptive_avg_pool" #n "d.default",                                                               \
        .schema = "adaptive_avg_pool" #n "d(Tensor self, SymInt[" #n "] output_size) -> Tensor",                                   \
        .names = names_,                                                                                                           \
        .onnx = "GlobalAveragePool",                                                                                               \
        .family = "pooling",                                                                                                       \
        .dtypes = FX_FLOATS,                                                                                                       \
        .shape = shape_adaptive,                                                                                                   \
        .reference = fx__adaptive_avg_pool##n##d_ref,                                                                              \
        .bound = fx__adaptive_avg_pool##n##d_bound,                                                                                \
        .lower = lower_adaptive,                                                                                                   \
        .cases = cases_,                                                                                                           \
    };

static const fx_case cases_max1[] = {{"(f32[2, 3, 9], 3, 2, 1)", NULL}, {"(f32[3, 9], 2)", "no batch dim"}, {NULL, NULL}};
static const fx_case cases_max2[] = {
    {"(f32[2, 3, 6, 8], 2)", "stride is the window"},
    {"(f32[2, 3, 6, 8], 2, None, 0)", "no stride given"},
    {"(f32[1, 17, 7, 7], 3, 2, 1)", "padding"},
    {"(f32[1, 3, 7, 9], [3, 2], [2, 1], [1, 0])", "uneven attributes"},
    {"(f32[1, 2, 6, 6], 3, 2, [0, 0, 1, 1])", "padding at the end only"},
    {"(f32[1, 2, 9, 9], 3, 1, 1, 2)", "dilation"},
    {"(f32[1, 2, 6, 7], 3, 2, 0, 1, True)", "last window is cut"},
    {"(f32[1, 2, 5, 5], 2, 2, 1, 1, True)", "a window in the padding alone is left out"},
    {"(f32[1, 2, 6, 8], [4, 3], 3, [2, 0, 1, 1], [1, 2], True)", "all attributes"},
    {"(f32[3, 6, 8], 2)", "no batch dim"},
    {"(f32[0, 3, 6, 8], 2)", "empty batch"},
    {"(f32[1, 1, 1, 1], 1)", "size 1"},
    {"(f32[1, 2, 5, 6], [5, 6])", "the whole image"},
    {"(f32[s0, 3, 8, 8], 3, 2, 1)", "symbolic batch"},
    {"(f32[1, 3, s0, s1], 3, 2, 1)", "symbolic image"},
    {"(f32[1, 3, s0, 8], 2, 2, 0, 1, True)", "symbolic image, last window cut"},
    {NULL, NULL},
};
static const fx_case cases_max3[] = {{"(f32[1, 2, 4, 6, 5], [2, 3, 2], 2, [1, 1, 0])", NULL}, {NULL, NULL}};
static const fx_case cases_avg1[] = {{"(f32[2, 3, 9], 3, 2, 1)", NULL}, {NULL, NULL}};
static const fx_case cases_avg2[] = {
    {"(f32[2, 3, 6, 8], 2)", "stride is the window"},
    {"(f32[1, 17, 7, 7], 3, 2, 1)", "padding counts"},
    {"(f32[1, 3, 7, 7], 3, 2, 1, False, False)", "padding does not count"},
    {"(f32[1, 3, 7, 8], [3, 2], [2, 3], [1, 0], True, True)", "last window is cut"},
    {"(f32[1, 3, 6, 6], 3, 2, 1, True, False)", "last window is cut, padding does not count"},
    {"(f32[1, 2, 6, 7], 3, 2, [0, 1, 2, 0], False, False)", "four paddings do not count"},
    {"(f32[1, 2, 6, 7], 3, 2, [0, 1, 2, 0], True)", "four paddings, last window is cut"},
    {"(f32[1, 3, 6, 6], 2, 2, 0, False, True, 3)", "own divisor"},
    {"(f32[3, 6, 6], 3, 1, 1)", "no batch dim"},
    {"(f32[0, 3, 6, 6], 2)", "empty batch"},
    {"(f32[s0, 3, 8, 8], 2)", "symbolic batch"},
    {"(f32[1, 3, s0, s1], 3, 2, 1, False, False)", "symbolic image"},
    {NULL, NULL},
};
static const fx_case cases_avg3[] = {{"(f32[1, 2, 4, 6, 5], [2, 3, 2], 2, [1, 1, 0])", NULL}, {NULL, NULL}};
static const fx_case cases_adaptive1[] = {{"(f32[2, 3, 8], 4)", NULL}, {NULL, NULL}};
static const fx_case cases_adaptive2[] = {
    {"(f32[2, 17, 7, 7], 1)", "global"},
    {"(f32[1, 3, 8, 6], [4, 3])", "equal windows"},
    {"(f32[1, 3, 6, 6], 6)", "the input itself"},
    {"(f32[1, 3, 7, 5], [3, 2])", "windows of several sizes"},
    {"(f32[1, 2, 3, 3], [5, 7])", "more results than elements"},
    {"(f32[3, 8, 6], [2, 2])", "no batch dim"},
    {"(f32[1, 3, 4, 4], 0)", "empty result"},
    {"(f32[s0, 3, 7, 7], 1)", "symbolic batch"},
    {"(f32[1, 3, s0, s1], 1)", "symbolic image"},
    {NULL, NULL},
};
static const fx_case cases_adaptive3[] = {{"(f32[1, 2, 4, 6, 2], [2, 3, 1])", NULL}, {NULL, NULL}};

MAX_POOL(1, "torch.nn.functional.max_pool1d torch.max_pool1d", cases_max1)
MAX_POOL(2, "torch.nn.functional.max_pool2d torch.max_pool2d", cases_max2)
MAX_POOL(3, "torch.nn.functional.max_pool3d torch.max_pool3d", cases_max3)
AVG_POOL(1, "torch.nn.functional.avg_pool1d torch.avg_pool1d", cases_avg1)
AVG_POOL(2, "torch.nn.functional.avg_pool2d torch._C._nn.avg_pool2d", cases_avg2)
AVG_POOL(3, "torch.nn.functional.avg_pool3d torch._C._nn.avg_pool3d", cases_avg3)
ADAPTIVE_POOL(1, "torch.nn.functional.adaptive_avg_pool1d torch.adaptive_avg_pool1d", cases_adaptive1)
ADAPTIVE_POOL(
    2, "torch.nn.functional.adaptive_avg_pool2d torch._C._nn.adaptive_avg_pool2d torch.ops.aten._adaptive_avg_pool2d.default",
    cases_adaptive2)
ADAPTIVE_POOL(
    3, "torch.nn.functional.adaptive_avg_pool3d torch._C._nn.adaptive_avg_pool3d torch.ops.aten._adaptive_avg_pool3d.default",
    cases_adaptive3)

#define MAX_POOL_INDICES(n, names_, cases_)                                                                                        \
    const fx_op fx_op_max_pool##n##d_with_indices = {                                                                              \
        .name = "max_pool" #n "d_with_indices",                                                                                    \
        .target = "torch.ops.aten.max_pool" #n "d_with_indices.default",                                                           \
        .schema = "max_pool" #n "d_with_indices(Tensor self, int[" #n "] kernel_size, int[" #n "]? stride=None, int[" #n           \
                  "] padding=0, int[" #n "] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",                                \
        .names = names_,                                                                                                           \
        .family = "pooling",                                                                                                       \
        .dtypes = FX_NUMBERS,                                                                                                      \
        .dtype = dtype_max_indices,                                                                                                \
        .shape = shape_max_indices,                                                                                                \
        .reference = fx__max_pool##n##d_with_indices_ref,                                                                          \
        .bound = fx__max_pool##n##d_with_indices_bound,                                                                            \
        .lower = lower_max,                                                                                                        \
        .cases = cases_,                                                                                                           \
    }
#define ADAPTIVE_MAX_POOL(n, names_, cases_)                                                                                       \
    const fx_op fx_op_adaptive_max_pool##n##d = {                                                                                  \
        .name = "adaptive_max_pool" #n "d",                                                                                        \
        .target = "torch.ops.aten.adaptive_max_pool" #n "d.default",                                                               \
        .schema = "adaptive_max_pool" #n "d(Tensor self, int[" #n "] output_size) -> (Tensor, Tensor)",                            \
        .names = names_,                                                                                                           \
        .family = "pooling",                                                                                                       \
        .dtypes = FX_NUMBERS,                                                                                                      \
        .dtype = dtype_max_indices,                                                                                                \
        .shape = shape_adaptive,                                                                                                   \
        .reference = fx__adaptive_max_pool##n##d_ref,                                                                              \
        .bound = fx__adaptive_max_pool##n##d_bound,                                                                                \
        .lower = lower_adaptive_max,                                                                                               \
        .cases = cases_,                                                                                                           \
    }

MAX_POOL_INDICES(1, "torch.nn.functional.max_pool1d_with_indices torch._C._nn.max_pool1d_with_indices",
                 ((const fx_case[]){{"(f32[2, 3, 9], 3, 2, 1)", NULL}, {NULL, NULL}}));
MAX_POOL_INDICES(2, "torch.nn.functional.max_pool2d_with_indices torch._C._nn.max_pool2d_with_indices",
                 ((const fx_case[]){{"(f32[2, 3, 6, 8], 2)", "stride is the window"},
                                    {"(f32[1, 2, 7, 7], 3, 2, 1, 1, True)", "padding"},
                                    {NULL, NULL}}));
MAX_POOL_INDICES(3, "torch.nn.functional.max_pool3d_with_indices torch._C._nn.max_pool3d_with_indices",
                 ((const fx_case[]){{"(f32[1, 2, 4, 6, 5], [2, 3, 2], 2, [1, 1, 0])", NULL}, {NULL, NULL}}));
ADAPTIVE_MAX_POOL(1, "torch.nn.functional.adaptive_max_pool1d_with_indices", cases_adaptive1);
ADAPTIVE_MAX_POOL(2, "torch.nn.functional.adaptive_max_pool2d_with_indices torch._C._nn.adaptive_max_pool2d", cases_adaptive2);
ADAPTIVE_MAX_POOL(3, "torch.nn.functional.adaptive_max_pool3d_with_indices torch._C._nn.adaptive_max_pool3d", cases_adaptive3);
