/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling images, [N, C, spatial...], to a given size: nearest, linear, cubic, for one to three spatial dims. One MAP over the
 * result with gathered loads: positions are computed in f64, weights once per dim. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <stdio.h>

fx_status fx__upsample_nearest_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__upsample_nearest_bound(const fx_rt_bound *call);
fx_status fx__upsample_exact_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__upsample_exact_bound(const fx_rt_bound *call);
fx_status fx__upsample_linear_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__upsample_linear_bound(const fx_rt_bound *call);
fx_status fx__upsample_bicubic_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__upsample_bicubic_bound(const fx_rt_bound *call);

enum { SELF, SIZE, ALIGN, TAPS = 4, DIMS = 3 };

/* ---- Shape ------------------------------------------------------------------------------------------------------------------- */

static fx_status shape_upsample(fx_call *call, int32_t n)
{
    const fx_type *x = fx__call_type(call, SELF);
    fx_dim size[FX_RANK];
    FX_TRY(fx__check_rank(call, SELF, n + 2, n + 2));
    if (fx__call_dims(call, SIZE, n, size) != n) return fx__call_error(call, FX_E_ARG, "output_size needs %d entries", n);
    call->result[0] = *x;
    for (int32_t d = 0; d < n; d++) {
        call->result[0].dim[2 + d] = size[d];
        if (!fx__dims_assume(call->dims, FX_GUARD_LE, 1, size[d], "an image has pixels") ||
            !fx__dims_assume(call->dims, FX_GUARD_LE, 1, x->dim[2 + d], "an image has pixels"))
            return fx__call_error(call, FX_E_SHAPE, "%s cannot be resampled to size %s", fx__check_type(call, x).s,
                                  fx__check_dim(call, size[d]).s);
    }
    return FX_OK;
}

static fx_status shape_1d(fx_call *call)
{
    return shape_upsample(call, 1);
}
static fx_status shape_2d(fx_call *call)
{
    return shape_upsample(call, 2);
}
static fx_status shape_3d(fx_call *call)
{
    return shape_upsample(call, 3);
}

/* ---- Lowering ---------------------------------------------------------------------------------------------------------------- */

typedef struct taps {
    int32_t n;
    uint16_t index[TAPS], weight[TAPS]; /* no weights: one element as it is */
} taps;

typedef struct sampler {
    fx_kb *k;
    fx_lvalue x;
    fx_dtype dtype; /* computed in */
    fx_index at[FX_RANK], from[FX_RANK];
    taps of[DIMS];
    int32_t n;
} sampler;

static uint16_t f64(fx_kb *k, double value)
{
    return fx__kb_imm(k, FX_F64, value);
}
static uint16_t i64(fx_kb *k, int64_t value)
{
    return fx__kb_imm_int(k, FX_I64, value);
}
static uint16_t two(fx_kb *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(k, op, a, b);
}

static uint16_t clamped(fx_kb *k, uint16_t index, fx_dim size)
{
    uint16_t last = two(k, FX_SCALAR_SUB, fx__kb_dim(k, size), i64(k, 1));
    return two(k, FX_SCALAR_MAX, two(k, FX_SCALAR_MIN, index, last), i64(k, 0));
}

/* The scale argument of a dim; 0: none. */
static double scale_of(const fx_call *call, int32_t first, int32_t d)
{
    return fx__call_is_none(call, first + d) ? 0 : fx__call_float(call, first + d);
}

static uint16_t position(const sampler *s, const fx_call *call, int32_t d)
{
    (void)call;
    return fx__kb_coord(s->k, s->at[2 + d].term[0].axis);
}

/* floor((at + 1/2) * in / out), that is floor((2 at + 1) in / (2 out)), or in f32 by a given scale. */
static void exact_tap(sampler *s, const fx_call *call, int32_t d)
{
    fx_kb *k = s->k;
    fx_dim in = fx__call_type(call, SELF)->dim[2 + d], out = call->result[0].dim[2 + d];
    double scale = scale_of(call, ALIGN, d);
    uint16_t at = position(s, call, d), index;
    if (scale > 0) {
        uint16_t middle = two(k, FX_SCALAR_ADD, fx__kb_cast(k, FX_F32, at), fx__kb_imm(k, FX_F32, 0.5));
        uint16_t point = two(k, FX_SCALAR_MUL, middle, fx__kb_imm(k, FX_F32, (double)(float)(1 / scale)));
        index = clamped(k, fx__kb_cast(k, FX_I64, fx__kb_scalar(k, FX_SCALAR_FLOOR, point, FX_NO_EXPR)), in);
    } else {
        uint16_t twice = two(k, FX_SCALAR_ADD, two(k, FX_SCALAR_MUL, at, i64(k, 2)), i64(k, 1));
        uint16_t whole = two(k, FX_SCALAR_MUL, fx__kb_dim(k, out), i64(k, 2));
        index = two(k, FX_SCALAR_FLOORDIV, two(k, FX_SCALAR_MUL, twice, fx__kb_dim(k, in)), whole);
    }
    s->of[d] = (taps){.n = 1, .index = {index}, .weight = {FX_NO_EXPR}};
}

/* floor(at * in / out), or in f32 by a given scale, as torch does. */
static void nearest_tap(sampler *s, const fx_call *call, int32_t d)
{
    fx_kb *k = s->k;
    fx_dim in = fx__call_type(call, SELF)->dim[2 + d], out = call->result[0].dim[2 + d];
    double scale = scale_of(call, ALIGN, d);
    uint16_t at = position(s, call, d), index;
    if (scale > 0) {
        uint16_t point = two(k, FX_SCALAR_MUL, fx__kb_cast(k, FX_F32, at), fx__kb_imm(k, FX_F32, (double)(float)(1 / scale)));
        index = clamped(k, fx__kb_cast(k, FX_I64, fx__kb_scalar(k, FX_SCALAR_FLOOR, point, FX_NO_EXPR)), in);
    } else {
        index = two(k, FX_SCALAR_FLOORDIV, two(k, FX_SCALAR_MUL, at, fx__kb_dim(k, in)), fx__kb_dim(k, out));
    }
    s->of[d] = (taps){.n = 1, .index = {index}, .weight = {FX_NO_EXPR}};
}

/* Where the element at this position comes from, in f64. */
static uint16_t source_of(const sampler *s, const fx_call *call, int32_t d, bool below_zero)
{
    fx_kb *k = s->k;
    fx_dim in = fx__call_type(call, SELF)->dim[2 + d], out = call->result[0].dim[2 + d];
    uint16_t at = fx__kb_cast(k, FX_F64, position(s, call, d)), one = i64(k, 1);
    double scale = scale_of(call, ALIGN + 1, d);
    if (fx__call_int(call, ALIGN)) {
        uint16_t steps = two(k, FX_SCALAR_MAX, two(k, FX_SCALAR_SUB, fx__kb_dim(k, out), one), one); /* of 1: position 0 */
        uint16_t span = fx__kb_cast(k, FX_F64, two(k, FX_SCALAR_SUB, fx__kb_dim(k, in), one));
        return two(k, FX_SCALAR_MUL, at, two(k, FX_SCALAR_DIV, span, fx__kb_cast(k, FX_F64, steps)));
    }
    uint16_t ratio = two(k, FX_SCALAR_DIV, fx__kb_cast(k, FX_F64, fx__kb_dim(k, in)), fx__kb_cast(k, FX_F64, fx__kb_dim(k, out)));
    uint16_t step = scale > 0 ? f64(k, 1 / scale) : ratio, half = f64(k, 0.5);
    uint16_t source = two(k, FX_SCALAR_SUB, two(k, FX_SCALAR_MUL, two(k, FX_SCALAR_ADD, at, half), step), half);
    return below_zero ? source : two(k, FX_SCALAR_MAX, source, f64(k, 0));
}

/* (((a t + b) t + c) t + d */
static uint16_t cubic(fx_kb *k, uint16_t t, double a, double b, double c, double d)
{
    uint16_t y = two(k, FX_SCALAR_ADD, two(k, FX_SCALAR_MUL, t, f64(k, a)), f64(k, b));
    y = two(k, FX_SCALAR_ADD, two(k, FX_SCALAR_MUL, y, t), f64(k, c));
    return two(k, FX_SCALAR_ADD, two(k, FX_SCALAR_MUL, y, t), f64(k, d));
}

/* Keys' cubic convolution with a = -0.75. */
static uint16_t near_weight(fx_kb *k, uint16_t t)
{
    return cubic(k, t, 1.25, -2.25, 0, 1);
}
static uint16_t far_weight(fx_kb *k, uint16_t t)
{
    return cubic(k, t, -0.75, 3.75, -6, 3);
}

static void smooth_taps(sampler *s, const fx_call *call, int32_t d, bool is_cubic)
{
    fx_kb *k = s->k;
    fx_dim in = fx__call_type(call, SELF)->dim[2 + d];
    uint16_t source = source_of(s, call, d, is_cubic), floor = fx__kb_scalar(k, FX_SCALAR_FLOOR, source, FX_NO_EXPR);
    uint16_t first = fx__kb_cast(k, FX_I64, floor), t = two(k, FX_SCALAR_SUB, source, floor);
    uint16_t rest = two(k, FX_SCALAR_SUB, f64(k, 1), t);
    taps linear = {.n = 2, .weight = {rest, t}}, *of = &s->of[d];
    *of = linear;
    if (is_cubic)
        *of = (taps){.n = 4,
                     .weight = {far_weight(k, two(k, FX_SCALAR_ADD, t, f64(k, 1))), near_weight(k, t), near_weight(k, rest),
                                far_weight(k, two(k, FX_SCALAR_ADD, rest, f64(k, 1)))}};
    for (int32_t i = 0; i < of->n; i++) {
        of->index[i] = clamped(k, two(k, FX_SCALAR_ADD, first, i64(k, is_cubic ? i - 1 : i)), in);
        of->weight[i] = fx__kb_cast(k, s->dtype, of->weight[i]);
    }
}

/* Weighted sum over the dims from d on. */
static uint16_t sum_taps(sampler *s, int32_t d)
{
    if (d >= s->n || d >= DIMS) return fx__kb_cast(s->k, s->dtype, fx__kb_load_gather(s->k, s->x, s->from));
    uint16_t sum = FX_NO_EXPR;
    for (int32_t i = 0; i < s->of[d].n; i++) {
        s->from[2 + d] = (fx_index){.value = (int16_t)s->of[d].index[i]};
        uint16_t term = sum_taps(s, d + 1);
        if (s->of[d].weight[i] != FX_NO_EXPR) term = two(s->k, FX_SCALAR_MUL, term, s->of[d].weight[i]);
        sum = sum == FX_NO_EXPR ? term : two(s->k, FX_SCALAR_ADD, sum, term);
    }
    return sum;
}

static fx_status lower_upsample(fx_lower *lower, const fx_call *call, int32_t n_taps, bool exact)
{
    const fx_type *out = &call->result[0];
    bool moves = n_taps == 1; /* no arithmetic: values keep their dtype */
    sampler s = {.k = fx__lower_kernel(lower, call), .x = fx__lower_arg(lower, call, SELF), .n = out->rank - 2};
    s.dtype = moves ? out->dtype : fx__scalar_compute(out->dtype);
    for (int32_t d = 0; d < out->rank; d++) {
        char name[8];
        snprintf(name, sizeof name, "i%d", (int)(d & 15));
        s.at[d] = s.from[d] = fx__index_axis(fx__kb_axis(s.k, name, out->dim[d], true));
    }
    for (int32_t d = 0; d < s.n; d++) {
        if (moves && exact)
            exact_tap(&s, call, d);
        else if (moves)
            nearest_tap(&s, call, d);
        else
            smooth_taps(&s, call, d, n_taps == 4);
    }
    fx__kb_store(s.k, fx__lower_result(lower, call, 0), s.at, sum_taps(&s, 0));
    return fx__kb_finish(s.k);
}

static fx_status lower_nearest(fx_lower *lower, const fx_call *call)
{
    return lower_upsample(lower, call, 1, false);
}
static fx_status lower_exact(fx_lower *lower, const fx_call *call)
{
    return lower_upsample(lower, call, 1, true);
}
static fx_status lower_linear(fx_lower *lower, const fx_call *call)
{
    return lower_upsample(lower, call, 2, false);
}
static fx_status lower_bicubic(fx_lower *lower, const fx_call *call)
{
    return lower_upsample(lower, call, 4, false);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------------- */

#define UPSAMPLE(name_, schema_, dtypes_, n_, method_, cases_) UPSAMPLE_AS(name_, "", schema_, dtypes_, n_, method_, cases_)
#define UPSAMPLE_AS(name_, mark_, schema_, dtypes_, n_, method_, cases_)                                                           \
    const fx_op fx_op_upsample_##name_ = {.name = "upsample_" #name_,                                                              \
                                          .target = "torch.ops.aten." mark_ "upsample_" #name_ ".default",                         \
                                          .schema = mark_ "upsample_" #name_ schema_ " -> Tensor",                                 \
                                          .names = "torch._C._nn." mark_ "upsample_" #name_,                                       \
                                          .onnx = "Resize Upsample",                                                               \
                                          .family = "resampling",                                                                  \
                                          .dtypes = dtypes_,                                                                       \
                                          .shape = shape_##n_##d,                                                                  \
                                          .reference = fx__upsample_##method_##_ref,                                               \
                                          .bound = fx__upsample_##method_##_bound,                                                 \
                                          .lower = lower_##method_,                                                                \
                                          .cases = cases_}
#define HW "float? scales_h=None, float? scales_w=None)"

UPSAMPLE(nearest1d, "(Tensor self, SymInt[1] output_size, float? scales=None)", FX_ANY, 1, nearest,
         ((const fx_case[]){{"(f32[2, 3, 5], [10])", "twice"}, {"(f32[1, 2, 17], [6])", "smaller"}, {NULL, NULL}}));
UPSAMPLE(nearest2d, "(Tensor self, SymInt[2] output_size, " HW, FX_ANY, 2, nearest,
         ((const fx_case[]){{"(f32[2, 3, 5, 4], [10, 8])", "twice"},
                            {"(f32[1, 2, 5, 7], [3, 11])", "no whole ratio"},
                            {"(f32[1, 2, 5, 7], [6, 17], 1.3, 2.5)", "scales"},
                            {"(i32[1, 2, 3, 3], [6, 3])", "integers"},
                            {"(f32[s0, 2, 3, 3], [6, 6])", "symbolic"},
                            {NULL, NULL}}));
UPSAMPLE(nearest3d, "(Tensor self, SymInt[3] output_size, float? scales_d=None, " HW, FX_ANY, 3, nearest,
         ((const fx_case[]){{"(f32[1, 2, 2, 3, 4], [4, 5, 8])", NULL}, {NULL, NULL}}));
UPSAMPLE(linear1d, "(Tensor self, SymInt[1] output_size, bool align_corners, float? scales=None)", FX_FLOATS, 1, linear,
         ((const fx_case[]){{"(f32[2, 3, 5], [12], False)", "centres"}, {"(f32[1, 2, 17], [6], True)", "corners"}, {NULL, NULL}}));
UPSAMPLE(bilinear2d, "(Tensor self, SymInt[2] output_size, bool align_corners, " HW, FX_FLOATS, 2, linear,
         ((const fx_case[]){{"(f32[2, 3, 5, 4], [10, 8], False)", "centres"},
                            {"(f32[1, 2, 5, 7], [3, 33], True)", "corners"},
                            {"(f32[1, 2, 5, 7], [6, 17], False, 1.3, 2.5)", "scales"},
                            {"(f32[1, 2, 3, 3], [1, 1], True)", "one pixel"},
                            {"(f32[s0, 2, 3, 3], [6, 6], False)", "symbolic"},
                            {NULL, NULL}}));
UPSAMPLE(trilinear3d, "(Tensor self, SymInt[3] output_size, bool align_corners, float? scales_d=None, " HW, FX_FLOATS, 3, linear,
         ((const fx_case[]){{"(f32[1, 2, 2, 3, 4], [4, 5, 8], False)", NULL}, {NULL, NULL}}));
UPSAMPLE(bicubic2d, "(Tensor self, SymInt[2] output_size, bool align_corners, " HW, FX_FLOATS, 2, bicubic,
         ((const fx_case[]){
             {"(f32[1, 2, 5, 4], [10, 9], False)", "centres"}, {"(f32[1, 2, 6, 7], [3, 17], True)", "corners"}, {NULL, NULL}}));
UPSAMPLE_AS(nearest_exact1d, "_", "(Tensor self, SymInt[1] output_size, float? scales=None)", FX_ANY, 1, exact,
            ((const fx_case[]){{"(f32[2, 3, 5], [10])", "twice"}, {"(f32[1, 2, 17], [6])", "smaller"}, {NULL, NULL}}));
UPSAMPLE_AS(nearest_exact2d, "_", "(Tensor self, SymInt[2] output_size, " HW, FX_ANY, 2, exact,
            ((const fx_case[]){{"(f32[1, 2, 5, 7], [3, 11])", "no whole ratio"},
                               {"(f32[1, 2, 5, 7], [6, 17], 1.3, 2.5)", "scales"},
                               {"(f32[s0, 2, 3, 3], [6, 6])", "symbolic"},
                               {NULL, NULL}}));
UPSAMPLE_AS(nearest_exact3d, "_", "(Tensor self, SymInt[3] output_size, float? scales_d=None, " HW, FX_ANY, 3, exact,
            ((const fx_case[]){{"(f32[1, 2, 2, 3, 4], [4, 5, 8])", NULL}, {NULL, NULL}}));
