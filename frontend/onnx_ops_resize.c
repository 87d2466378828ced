/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_resize.c: Resize and Upsample. Every mode works axis by axis: output i is a sum of a few elements of the input, whose
 * positions and weights are known while importing. So an axis is resized by look-ups in tables of positions times weights. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>
#include <string.h>

typedef enum place_mode {
    HALF_PIXEL,
    HALF_SYMMETRIC,
    TORCH_HALF_PIXEL,
    TF_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    CROP,
    PLACES
} place_mode;
typedef enum near_mode { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, OLD, NEARS } near_mode; /* OLD: before opset 11 */

typedef struct resizing {
    fx_onnx_call *call;
    bool nearest, cubic, antialias, exclude_outside;
    place_mode place;
    near_mode near;
    double cubic_a, extrapolation;
    int32_t rank;
    bool given[FX_RANK]; /* axes to resize */
    double scale[FX_RANK], roi[FX_RANK][2];
    fx_dim size[FX_RANK]; /* of the result */
} resizing;

/* One axis: its taps, at most `n` per output. */
typedef struct taps {
    int64_t in, out;
    int32_t n;
    int64_t *at;    /* [n][out] */
    double *weight; /* [n][out] */
    bool *outside;  /* [out] */
    bool any_outside;
} taps;

/* ---- Where an output element lies in the input ------------------------------------------------------------------------------ */

static double place(const resizing *r, int32_t axis, int64_t in, int64_t i)
{
    double x = (double)i, scale = r->scale[axis], width = scale * (double)in, last = (double)in - 1;
    double from = r->roi[axis][0], to = r->roi[axis][1];
    switch (r->place) {
    case ALIGN_CORNERS:
        return width == 1 ? 0 : x * last / (width - 1);
    case ASYMMETRIC:
        return x / scale;
    case TORCH_HALF_PIXEL:
        return width == 1 ? -0.5 : (x + 0.5) / scale - 0.5;
    case TF_HALF_PIXEL:
        return (x + 0.5) / scale;
    case HALF_SYMMETRIC:
        return (double)in / 2 * (1 - (double)r->size[axis] / width) + (x + 0.5) / scale - 0.5;
    case CROP:
        return width == 1 ? (to - from) * last / 2 + from * last : x * (to - from) * last / (width - 1) + from * last;
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static int64_t nearest(const resizing *r, double x, double scale)
{
    double below = floor(x), part = x - below;
    bool up = part > 0;
    switch (r->near) {
    case PREFER_FLOOR:
        up = part > 0.5;
        break;
    case PREFER_CEIL:
        up = part >= 0.5;
        break;
    case FLOOR:
        up = false;
        break;
    case OLD:
        up = up && scale < 1;
        break;
    default:
        break;
    }
    return (int64_t)below + up;
}

static double cubic_weight(double a, double x)
{
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Antialiasing stretches the kernel over all elements that a smaller output covers. */
static double stretch(const resizing *r, int32_t axis)
{
    return r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
}

static int32_t first_tap(const resizing *r, int32_t axis)
{
    return (int32_t)floor((r->cubic ? -2 : -1) / stretch(r, axis)) + 1;
}

/* ---- Taps of an axis ----------------------------------------------------------------------------------------------------------
 */

static void weigh(const resizing *r, int32_t axis, taps *t, int64_t i, double x)
{
    double below = floor(x), part = x - below, sum = 0;
    int32_t first = first_tap(r, axis);
    if (part == 0) { /* as the specification's reference has it: the element itself is the upper neighbour */
        below--;
        part = 1;
    }
    for (int32_t k = 0; k < t->n; k++) {
        int64_t at = (int64_t)below + first + k;
        double distance = (first + k - part) * stretch(r, axis);
        double weight = r->cubic ? cubic_weight(r->cubic_a, distance) : fmax(0, 1 - fabs(distance));
        if (r->exclude_outside && (at < 0 || at >= t->in)) weight = 0;
        t->weight[k * t->out + i] = weight;
        t->at[k * t->out + i] = at;
        sum += weight;
    }
    for (int32_t k = 0; k < t->n && sum != 0; k++) t->weight[k * t->out + i] /= sum;
}

static void make_taps(const resizing *r, int32_t axis, taps *t)
{
    for (int64_t i = 0; i < t->out; i++) {
        double x = place(r, axis, t->in, i);
        t->outside[i] = r->place == CROP && (x < 0 || x > (double)t->in - 1);
        t->any_outside = t->any_outside || t->outside[i];
        if (r->nearest)
            t->at[i] = nearest(r, x, r->scale[axis]);
        else
            weigh(r, axis, t, i, x);
        for (int32_t k = 0; k < t->n; k++) {
            int64_t *at = &t->at[k * t->out + i];
            *at = *at < 0 ? 0 : *at >= t->in ? t->in - 1 : *at;
        }
    }
}

static bool new_taps(const resizing *r, int32_t axis, int64_t in, taps *t)
{
    fx_arena *arena = r->call->import->arena;
    *t = (taps){.in = in, .out = r->size[axis], .n = r->nearest ? 1 : 2 - 2 * first_tap(r, axis)};
    if (in < 1 || t->out < 0 || t->out > (1 << 20) || t->n > 1024 || t->n * t->out > (1 << 22)) {
        fx__onnx_error(r->call, FX_E_UNSUPPORTED, "resizes axis %d from %lld to %lld elements", (int)axis, (long long)in,
                       (long long)t->out);
        return false;
    }
    t->at = FX_NEW_ARRAY(arena, int64_t, t->n * t->out + 1);
    t->weight = FX_NEW_ARRAY(arena, double, t->n * t->out + 1);
    t->outside = FX_NEW_ARRAY(arena, bool, t->out + 1);
    if (!t->at || !t->weight || !t->outside) return false;
    make_taps(r, axis, t);
    return true;
}

/* ---- Nodes ---------------------------------------------------------------------------------------------------------------------
 */

static fx_attr look_up(const resizing *r, fx_attr x, int32_t axis, const taps *t, int32_t k)
{
    fx_tensor at;
    if (!fx__onnx_new_tensor(r->call, FX_I64, 1, &t->out, &at)) return fx_none();
    for (int64_t i = 0; i < t->out; i++) ((int64_t *)at.data)[i] = t->at[k * t->out + i];
    return FX_EMIT(r->call, "aten.index_select.default", x, fx_int(axis), fx__onnx_constant(r->call, &at));
}

/* A value per output element of the axis, to be broadcast along the others. */
static bool along(const resizing *r, fx_dtype dtype, int32_t axis, int64_t n, fx_tensor *out)
{
    int64_t dim[FX_RANK];
    for (int32_t d = 0; d < r->rank; d++) dim[d] = d == axis ? n : 1;
    return fx__onnx_new_tensor(r->call, dtype, r->rank, dim, out);
}

static bool is_zero(const taps *t, int32_t k)
{
    for (int64_t i = 0; i < t->out; i++)
        if (t->weight[k * t->out + i] != 0) return false;
    return true;
}

static fx_attr weighted(const resizing *r, fx_attr x, int32_t axis, const taps *t, int32_t k)
{
    fx_tensor weight;
    const fx_type *type = fx__onnx_type(x);
    if (!type || !along(r, type->dtype, axis, t->out, &weight)) return fx_none();
    for (int64_t i = 0; i < t->out; i++) fx_tensor_set(&weight, i, t->weight[k * t->out + i]);
    return FX_EMIT(r->call, "aten.mul.Tensor", look_up(r, x, axis, t, k), fx__onnx_constant(r->call, &weight));
}

static fx_attr sum_of_taps(const resizing *r, fx_attr x, int32_t axis, const taps *t)
{
    fx_attr sum = fx_none();
    if (r->nearest) return look_up(r, x, axis, t, 0);
    for (int32_t k = 0; k < t->n; k++) {
        if (is_zero(t, k)) continue;
        fx_attr term = weighted(r, x, axis, t, k);
        sum = sum.kind == FX_ATTR_NONE ? term : FX_EMIT(r->call, "aten.add.Tensor", sum, term);
    }
    return sum;
}

static fx_attr with_extrapolation(const resizing *r, fx_attr x, int32_t axis, const taps *t)
{
    fx_tensor outside;
    if (!t->any_outside) return x;
    if (!along(r, FX_BOOL, axis, t->out, &outside)) return fx_none();
    memcpy(outside.data, t->outside, (size_t)t->out * sizeof(bool));
    return FX_EMIT(r->call, "aten.masked_fill.Scalar", x, fx__onnx_constant(r->call, &outside), fx_float(r->extrapolation));
}

/* Whole multiples of any size are repeated elements: [s, n] read as one axis. */
static fx_attr repeat_elements(const resizing *r, fx_attr x, int32_t axis, int64_t n)
{
    const fx_type *type = fx__onnx_type(x);
    fx_dim wide[FX_RANK], flat[FX_RANK];
    if (!type || type->rank == FX_RANK) return fx_none();
    for (int32_t i = 0; i < type->rank; i++) flat[i] = wide[i + (i > axis)] = type->dim[i];
    wide[axis + 1] = n;
    flat[axis] = r->size[axis];
    fx_attr apart = FX_EMIT(r->call, "aten.unsqueeze.default", x, fx_int(axis + 1));
    fx_attr many = FX_EMIT(r->call, "aten.expand.default", apart, fx__onnx_dims(r->call, wide, type->rank + 1));
    return FX_EMIT(r->call, "aten.reshape.default", many, fx__onnx_dims(r->call, flat, type->rank));
}

/* Each input element stands for `scale` neighbouring outputs. */
static bool repeats_elements(const resizing *r, int32_t axis)
{
    bool whole = r->scale[axis] == floor(r->scale[axis]) && r->scale[axis] < INT32_MAX;
    bool centres = (r->place == HALF_PIXEL || r->place == TORCH_HALF_PIXEL) && r->near == PREFER_FLOOR;
    bool corners = r->place == ASYMMETRIC && (r->near == FLOOR || r->near == OLD);
    return r->nearest && whole && (centres || corners);
}

static fx_attr resize_axis(const resizing *r, fx_attr x, int32_t axis)
{
    const fx_type *type = fx__onnx_type(x);
    taps t;
    if (!type || !r->given[axis]) return x;
    if (repeats_elements(r, axis)) return repeat_elements(r, x, axis, (int64_t)r->scale[axis]);
    if (!fx_dim_is_const(type->dim[axis]) || !fx_dim_is_const(r->size[axis])) {
        fx__onnx_error(r->call, FX_E_UNSUPPORTED, "axis %d has no constant size", (int)axis);
        return fx_none();
    }
    if (!new_taps(r, axis, type->dim[axis], &t)) return fx_none();
    return with_extrapolation(r, sum_of_taps(r, x, axis, &t), axis, &t);
}

static void give_resized(const resizing *r, fx_attr x)
{
    const fx_type *type = fx__onnx_type(x);
    fx_dtype dtype = type ? type->dtype : FX_F32;
    bool widen = !r->nearest && !fx_dtype_is_float(dtype);
    if (widen) x = fx__onnx_cast(r->call, x, FX_F32);
    for (int32_t axis = 0; axis < r->rank && !r->call->failed; axis++) x = resize_axis(r, x, axis);
    fx__onnx_give(r->call, 0, widen ? fx__onnx_cast(r->call, FX_EMIT(r->call, "aten.round.default", x), dtype) : x);
}

/* ---- Attributes ----------------------------------------------------------------------------------------------------------------
 */

static int32_t word(fx_onnx_call *call, const char *attr, const char *fallback, const char *const *words, int32_t n)
{
    const char *text = fx__onnx_text(call, attr, fallback);
    for (int32_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0) return i;
    fx__onnx_error(call, FX_E_UNSUPPORTED, "%s \"%s\"", attr, text);
    return 0;
}

static void read_modes(resizing *r)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const nears[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const char *const places[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn",
                                         "align_corners", "asymmetric",           "tf_crop_and_resize"};
    fx_onnx_call *call = r->call;
    bool old = call->opset < 11;
    bool upsample_bilinear = strcmp(fx__onnx_text(call, "mode", "nearest"), "bilinear") == 0;
    int32_t mode = upsample_bilinear ? 1 : word(call, "mode", "nearest", modes, 3);
    r->nearest = mode == 0;
    r->cubic = mode == 2;
    r->near = old ? OLD : (near_mode)word(call, "nearest_mode", nears[0], nears, OLD);
    r->place = old ? ASYMMETRIC : (place_mode)word(call, "coordinate_transformation_mode", places[0], places, PLACES);
    r->cubic_a = fx__onnx_float(call, "cubic_coeff_a", -0.75);
    r->extrapolation = fx__onnx_float(call, "extrapolation_value", 0);
    r->exclude_outside = fx__onnx_int(call, "exclude_outside", 0) != 0;
    r->antialias = fx__onnx_int(call, "antialias", 0) != 0;
}

/* Axes to which scales, sizes and roi belong: all of them, or those of the attribute. */
static int32_t read_axes(resizing *r, int64_t axes[FX_RANK])
{
    int32_t n = fx__onnx_ints(r->call, "axes", axes);
    if (n < 0) n = r->rank;
    bool listed = fx__onnx_attr(r->call, "axes") != NULL;
    for (int32_t i = 0; i < n; i++) axes[i] = listed ? fx__onnx_axis(r->call, axes[i], r->rank) : i;
    return n;
}

static const fx_tensor *numbers(fx_onnx_call *call, int32_t index, int32_t n, const char *what)
{
    if (!fx__onnx_has(call, index)) return NULL;
    const fx_tensor *tensor = fx__onnx_tensor(call, index);
    if (tensor && fx_tensor_elems(tensor) == 0) return NULL; /* an empty list is an absent one */
    if (tensor && fx_tensor_elems(tensor) == n) return tensor;
    if (!call->failed)
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its %s must be %d numbers that are known when importing", what, (int)n);
    return NULL;
}

static void set_scale(resizing *r, int32_t axis, const fx_type *x, double scale)
{
    fx_dim in = x->dim[axis];
    if (!(scale > 0)) fx__onnx_error(r->call, FX_E_FORMAT, "a scale of %g", scale);
    if (scale == 1 || r->call->failed) return;
    r->given[axis] = true;
    r->scale[axis] = scale;
    r->size[axis] = fx_dim_is_const(in)     ? (fx_dim)floor(scale * (double)in)
                    : scale == floor(scale) ? fx__dim_mul(r->call->import->graph->dims, in, (int64_t)scale)
                                            : FX_DIM_BAD;
    if (r->size[axis] == FX_DIM_BAD) fx__onnx_error(r->call, FX_E_UNSUPPORTED, "axis %d has no constant size", (int)axis);
}

static void read_scales(resizing *r, const fx_type *x, const fx_tensor *scales, const int64_t *axes, int32_t n)
{
    for (int32_t i = 0; i < n && !r->call->failed; i++) set_scale(r, (int32_t)axes[i], x, fx_tensor_get(scales, i));
}

/* One scale for all axes, so that none gets larger (or smaller) than asked for. */
static double common_scale(const resizing *r, const fx_type *x, const fx_onnx_known *sizes, const int64_t *axes)
{
    static const char *const words[] = {"stretch", "not_larger", "not_smaller"};
    int32_t policy = word(r->call, "keep_aspect_ratio_policy", words[0], words, 3);
    double common = 0;
    for (int32_t i = 0; i < sizes->n && policy; i++) {
        double scale = (double)sizes->item[i] / (double)x->dim[axes[i]];
        if (i == 0 || (policy == 1 ? scale < common : scale > common)) common = scale;
    }
    return common;
}

static void read_sizes(resizing *r, const fx_type *x, const fx_onnx_known *sizes, const int64_t *axes, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        fx_dim size = sizes->item[i], in = x->dim[axes[i]];
        if (size != in && (!fx_dim_is_const(size) || !fx_dim_is_const(in) || in < 1)) {
            fx__onnx_error(r->call, FX_E_UNSUPPORTED, "axis %d has no constant size", (int)axes[i]);
            return;
        }
    }
    double common = common_scale(r, x, sizes, axes);
    for (int32_t i = 0; i < n && !r->call->failed; i++) {
        int32_t axis = (int32_t)axes[i];
        fx_dim in = x->dim[axis], size = common > 0 ? (fx_dim)floor(common * (double)in + 0.5) : sizes->item[i];
        r->given[axis] = size != in || r->place == CROP;
        r->size[axis] = size;
        r->scale[axis] = common > 0 ? common : (double)size / (double)in;
    }
}

static void read_roi(resizing *r, const int64_t *axes, int32_t n)
{
    const fx_tensor *roi = r->place == CROP ? numbers(r->call, 1, 2 * n, "roi") : NULL;
    for (int32_t i = 0; i < n && roi; i++) {
        r->roi[axes[i]][0] = fx_tensor_get(roi, i);
        r->roi[axes[i]][1] = fx_tensor_get(roi, i + n);
        r->given[axes[i]] = r->given[axes[i]] || r->roi[axes[i]][0] != 0 || r->roi[axes[i]][1] != 1;
    }
}

static bool begin(fx_onnx_call *call, fx_attr x, resizing *r)
{
    const fx_type *type = fx__onnx_need_type(call, x);
    *r = (resizing){.call = call, .rank = type ? type->rank : 0};
    for (int32_t i = 0; i < r->rank; i++) {
        r->scale[i] = r->roi[i][1] = 1;
        r->size[i] = type->dim[i];
    }
    if (type) read_modes(r);
    return type && !call->failed;
}

static void build_resize(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    resizing r;
    int64_t axes[FX_RANK];
    if (!begin(call, x, &r)) return;
    const fx_type *type = fx__onnx_type(x);
    int32_t n = read_axes(&r, axes);
    const fx_tensor *scales = numbers(call, 2, n, "scales");
    const fx_onnx_known *sizes = !scales && fx__onnx_has(call, 3) ? fx__onnx_need_known(call, 3, "sizes") : NULL;
    if (!call->failed && !scales && (!sizes || sizes->n != n))
        fx__onnx_error(call, FX_E_FORMAT, "needs scales or sizes, one for each of %d axes", (int)n);
    if (call->failed) return;
    if (scales)
        read_scales(&r, type, scales, axes, n);
    else
        read_sizes(&r, type, sizes, axes, n);
    read_roi(&r, axes, n);
    if (!call->failed) give_resized(&r, x);
}

/* Upsample, and Resize of opset 10: scales only. */
static void build_upsample(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    resizing r;
    if (!begin(call, x, &r)) return;
    const fx_type *type = fx__onnx_type(x);
    const fx_onnx_attr *attr = fx__onnx_attr(call, "scales");
    const fx_tensor *scales = fx__onnx_has(call, 1) ? numbers(call, 1, r.rank, "scales") : NULL;
    if (!call->failed && !scales && (!attr || attr->n != r.rank || !attr->floats))
        fx__onnx_error(call, FX_E_FORMAT, "has no scales");
    for (int32_t i = 0; i < r.rank && !call->failed; i++)
        set_scale(&r, i, type, scales ? fx_tensor_get(scales, i) : attr->floats[i]);
    if (!call->failed) give_resized(&r, x);
}

const fx_onnx_op fx__onnx_ops_resize[] = {
    {"Resize", 10, 2, 2, 1, build_upsample},
    {"Resize", 11, 1, 4, 1, build_resize},
    {"Upsample", 7, 1, 2, 1, build_upsample},
    {0},
};
