/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_nn.c: adapters of products, convolution, pooling and normalisation. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>
#include <string.h>

/* ---- Products --------------------------------------------------------------------------------------------------------------- */

/* Whole numbers stay integers, so that integer matrices can be scaled by them. */
static fx_attr number(double value)
{
    return value == floor(value) && fabs(value) < 1e9 ? fx_int((int64_t)value) : fx_float(value);
}

static fx_attr transposed(fx_onnx_call *call, fx_attr value, bool wanted)
{
    return wanted ? FX_EMIT(call, "aten.transpose.int", value, fx_int(0), fx_int(1)) : value;
}

static void gemm_general(fx_onnx_call *call, fx_attr a, fx_attr b, double alpha, double beta)
{
    a = transposed(call, a, fx__onnx_int(call, "transA", 0) != 0);
    b = transposed(call, b, fx__onnx_int(call, "transB", 0) != 0);
    if (fx__onnx_has(call, 2))
        FX_GIVE(call, "aten.addmm.default", fx__onnx_in(call, 2), a, b, number(beta), number(alpha));
    else if (alpha == 1.0)
        FX_GIVE(call, "aten.mm.default", a, b);
    else
        FX_GIVE(call, "aten.mul.Scalar", FX_EMIT(call, "aten.mm.default", a, b), number(alpha));
}

/* The exported form of a fully connected layer is `linear`; the rest is addmm. */
static void build_gemm(fx_onnx_call *call)
{
    fx_attr a = fx__onnx_in(call, 0), b = fx__onnx_in(call, 1), c = fx__onnx_in(call, 2);
    double alpha = fx__onnx_float(call, "alpha", 1.0), beta = fx__onnx_float(call, "beta", 1.0);
    const fx_type *bias = fx__onnx_type(c), *weight = fx__onnx_type(b);
    bool plain = alpha == 1.0 && !fx__onnx_int(call, "transA", 0) && fx__onnx_int(call, "transB", 0);
    bool layer = !fx__onnx_has(call, 2) ||
                 (beta == 1.0 && bias && bias->rank == 1 && weight && weight->rank == 2 && bias->dim[0] == weight->dim[0]);
    if (plain && layer)
        FX_GIVE(call, "aten.linear.default", a, b, c);
    else
        gemm_general(call, a, b, alpha, beta);
}

static void build_matmul(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.matmul.default", fx__onnx_in(call, 0), fx__onnx_in(call, 1));
}

/* ---- Windows: what convolution and pooling share --------------------------------------------------------------------------- */

typedef struct window {
    int32_t n; /* spatial dimensions */
    int64_t kernel[FX_RANK], stride[FX_RANK], dilation[FX_RANK], begin[FX_RANK], end[FX_RANK];
    bool symmetric;
} window;

static bool read_list(fx_onnx_call *call, const char *name, int32_t n, int64_t out[FX_RANK], int64_t fallback)
{
    int64_t values[FX_RANK];
    int32_t given = fx__onnx_ints(call, name, values);
    for (int32_t i = 0; i < n; i++) out[i] = given == n ? values[i] : fallback;
    if (given >= 0 && given != n)
        fx__onnx_error(call, FX_E_FORMAT, "attribute \"%s\" has %d values instead of %d", name, (int)given, (int)n);
    return !call->failed;
}

/* SAME: as many outputs as inputs divided by the stride, rounded up. */
static bool pad_same(fx_onnx_call *call, const fx_type *x, window *w, bool upper)
{
    for (int32_t i = 0; i < w->n; i++) {
        fx_dim size = x->dim[i + 2];
        int64_t span = (w->kernel[i] - 1) * w->dilation[i] + 1, total = span - 1;
        if (w->stride[i] != 1 && !fx_dim_is_const(size)) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "auto_pad with strides needs a constant size");
            return false;
        }
        if (fx_dim_is_const(size)) total = ((size + w->stride[i] - 1) / w->stride[i] - 1) * w->stride[i] + span - size;
        if (total < 0) total = 0;
        w->begin[i] = upper ? total / 2 : total - total / 2;
        w->end[i] = total - w->begin[i];
    }
    return true;
}

static bool read_pads(fx_onnx_call *call, const fx_type *x, window *w)
{
    int64_t pads[FX_RANK];
    const char *automatic = fx__onnx_text(call, "auto_pad", "NOTSET");
    if (strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0)
        return pad_same(call, x, w, automatic[5] == 'U');
    if (strcmp(automatic, "NOTSET") != 0 && strcmp(automatic, "VALID") != 0)
        fx__onnx_error(call, FX_E_FORMAT, "auto_pad \"%s\"", automatic);
    bool explicit_pads = strcmp(automatic, "NOTSET") == 0;
    if (!read_list(call, "pads", 2 * w->n, pads, 0)) return false;
    for (int32_t i = 0; i < w->n; i++) {
        w->begin[i] = explicit_pads ? pads[i] : 0;
        w->end[i] = explicit_pads ? pads[i + w->n] : 0;
    }
    return true;
}

static bool sane(fx_onnx_call *call, const window *w)
{
    for (int32_t i = 0; i < w->n; i++) {
        bool in_range = w->kernel[i] > 0 && w->stride[i] > 0 && w->dilation[i] > 0 && w->kernel[i] < INT32_MAX &&
                        w->dilation[i] < INT32_MAX && w->stride[i] < INT32_MAX && w->begin[i] >= 0 && w->end[i] >= 0;
        if (!in_range) fx__onnx_error(call, FX_E_FORMAT, "kernel, strides, dilations or pads are out of range");
    }
    return !call->failed;
}

/* kernel: the weight's sizes of a convolution; NULL: from the attribute. */
static bool read_window(fx_onnx_call *call, const fx_type *x, const fx_dim *kernel, window *w)
{
    *w = (window){.n = x->rank - 2, .symmetric = true};
    if (w->n < 1 || w->n > 3) {
        fx__onnx_error(call, FX_E_SHAPE, "an input of %d dimensions; 3 to 5 are supported", (int)x->rank);
        return false;
    }
    if (!read_list(call, "kernel_shape", w->n, w->kernel, 0)) return false;
    for (int32_t i = 0; kernel && i < w->n; i++) w->kernel[i] = kernel[i];
    if (!read_list(call, "strides", w->n, w->stride, 1) || !read_list(call, "dilations", w->n, w->dilation, 1)) return false;
    if (!sane(call, w) || !read_pads(call, x, w) || !sane(call, w)) return false;
    for (int32_t i = 0; i < w->n; i++) w->symmetric = w->symmetric && w->begin[i] == w->end[i];
    return true;
}

static const char *by_rank(const window *w, const char *const names[3])
{
    return names[w->n - 1];
}

/* Uneven padding becomes a node of its own. */
static fx_attr padded(fx_onnx_call *call, fx_attr x, window *w, fx_attr value)
{
    int64_t pads[2 * FX_RANK];
    for (int32_t i = 0; i < w->n; i++) {
        pads[2 * i] = w->begin[w->n - 1 - i];
        pads[2 * i + 1] = w->end[w->n - 1 - i];
    }
    fx_attr result = FX_EMIT(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pads, 2 * w->n), value);
    memset(w->begin, 0, sizeof w->begin);
    memset(w->end, 0, sizeof w->end);
    w->symmetric = true;
    return result;
}

#define LIST(field) fx__onnx_list(call, w.field, w.n)

/* ---- Convolution ------------------------------------------------------------------------------------------------------------- */

enum { CONV_ARGS = 7 };

/* The row that fits and its arguments; NULL after an error. */
static const char *conv_args(fx_onnx_call *call, fx_attr x, fx_attr weight, fx_attr bias, fx_attr out[CONV_ARGS])
{
    static const char *const targets[] = {"aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default"};
    const fx_type *type = fx__onnx_need_type(call, x), *kernel = fx__onnx_need_type(call, weight);
    window w;
    if (!type || !kernel) return NULL;
    if (kernel->rank != type->rank) {
        fx__onnx_error(call, FX_E_SHAPE, "its input has %d dimensions, its weight %d", (int)type->rank, (int)kernel->rank);
        return NULL;
    }
    if (!read_window(call, type, kernel->dim + 2, &w)) return NULL;
    if (!w.symmetric) x = padded(call, x, &w, fx_int(0));
    const fx_attr args[CONV_ARGS] = {
        x, weight, bias, LIST(stride), LIST(begin), LIST(dilation), fx_int(fx__onnx_int(call, "group", 1))};
    for (int i = 0; i < CONV_ARGS; i++) out[i] = args[i];
    return by_rank(&w, targets);
}

fx_attr fx__onnx_conv(fx_onnx_call *call, fx_attr x, fx_attr weight, fx_attr bias)
{
    fx_attr args[CONV_ARGS];
    const char *target = conv_args(call, x, weight, bias, args);
    return target ? fx__onnx_emit(call, target, args, CONV_ARGS) : fx_none();
}

static void build_conv(fx_onnx_call *call)
{
    fx_attr args[CONV_ARGS];
    const char *target = conv_args(call, fx__onnx_in(call, 0), fx__onnx_in(call, 1), fx__onnx_in(call, 2), args);
    if (target) fx__onnx_emit_out(call, target, args, CONV_ARGS);
}

/* ---- Transposed convolution ----------------------------------------------------------------------------------------------------
 */

/* What the input spreads to before anything is cut off. */
static int64_t spread(const window *w, int32_t i, int64_t size, int64_t more)
{
    return w->stride[i] * (size - 1) + (w->kernel[i] - 1) * w->dilation[i] + 1 + more;
}

/* Wanted output sizes tell the padding: output_shape, or SAME's input size times stride. */
static bool pads_from_size(fx_onnx_call *call, const fx_type *x, const int64_t *more, window *w)
{
    int64_t wanted[FX_RANK];
    bool upper = strcmp(fx__onnx_text(call, "auto_pad", "NOTSET"), "SAME_UPPER") == 0;
    int32_t given = fx__onnx_ints(call, "output_shape", wanted), skip = given == w->n + 2 ? 2 : 0;
    bool fits = given < 0 || given == w->n + skip;
    for (int32_t i = 0; fits && i < w->n; i++) {
        fits = fx_dim_is_const(x->dim[i + 2]);
        int64_t size = given >= 0 ? wanted[i + skip] : x->dim[i + 2] * w->stride[i];
        int64_t total = spread(w, i, x->dim[i + 2], more[i]) - size;
        int64_t half = total >= 0 ? total / 2 : -((1 - total) / 2); /* rounded down: too small an input is padded at its end */
        w->begin[i] = upper ? half : total - half;
        w->end[i] = total - w->begin[i];
    }
    if (!fits) fx__onnx_error(call, FX_E_UNSUPPORTED, "output_shape and SAME need one constant size per axis");
    return fits;
}

/* torch cuts the same at both ends and then appends output_padding, which is smaller than a step. False: that cannot be said so. */
static bool torch_cuts(const window *w, const int64_t *more, int64_t *out_padding)
{
    bool fits = true;
    for (int32_t i = 0; i < w->n; i++) {
        out_padding[i] = more[i] + w->begin[i] - w->end[i];
        int64_t step = w->stride[i] > w->dilation[i] ? w->stride[i] : w->dilation[i];
        fits = fits && w->begin[i] >= 0 && out_padding[i] >= 0 && out_padding[i] < step;
    }
    return fits;
}

static const char *const transposed_targets[] = {"aten.conv_transpose1d.default", "aten.conv_transpose2d.input",
                                                 "aten.conv_transpose3d.input"};

/* Computes all of it, cuts or appends by padding, and adds the bias last, since appended elements have it too. */
static void conv_transpose_cut(fx_onnx_call *call, fx_attr x, window w, const int64_t *more)
{
    int64_t nothing[FX_RANK] = {0};
    fx_attr none = fx__onnx_list(call, nothing, w.n), bias = fx__onnx_in(call, 2);
    fx_attr y = FX_EMIT(call, by_rank(&w, transposed_targets), x, fx__onnx_in(call, 1), fx_none(), LIST(stride), none, none,
                        fx_int(fx__onnx_int(call, "group", 1)), LIST(dilation));
    for (int32_t i = 0; i < w.n; i++) {
        w.begin[i] = -w.begin[i];
        w.end[i] = more[i] - w.end[i];
    }
    y = padded(call, y, &w, fx_int(0));
    for (int32_t i = 0; i < w.n && fx__onnx_has(call, 2); i++) bias = FX_EMIT(call, "aten.unsqueeze.default", bias, fx_int(-1));
    fx__onnx_give(call, 0, fx__onnx_has(call, 2) ? FX_EMIT(call, "aten.add.Tensor", y, bias) : y);
}

static bool sizes_tell_pads(fx_onnx_call *call)
{
    return fx__onnx_attr(call, "output_shape") || strncmp(fx__onnx_text(call, "auto_pad", "NOTSET"), "SAME", 4) == 0;
}

static void build_conv_transpose(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), weight = fx__onnx_in(call, 1);
    const fx_type *type = fx__onnx_need_type(call, x), *kernel = fx__onnx_need_type(call, weight);
    int64_t more[FX_RANK], out_padding[FX_RANK];
    window w;
    if (!type || !kernel) return;
    if (kernel->rank != type->rank) {
        fx__onnx_error(call, FX_E_SHAPE, "its input has %d dimensions, its weight %d", (int)type->rank, (int)kernel->rank);
        return;
    }
    if (!read_window(call, type, kernel->dim + 2, &w) || !read_list(call, "output_padding", w.n, more, 0)) return;
    if (sizes_tell_pads(call) && !pads_from_size(call, type, more, &w)) return;
    if (!torch_cuts(&w, more, out_padding)) {
        conv_transpose_cut(call, x, w, more);
        return;
    }
    FX_GIVE(call, by_rank(&w, transposed_targets), x, weight, fx__onnx_in(call, 2), LIST(stride), LIST(begin),
            fx__onnx_list(call, out_padding, w.n), fx_int(fx__onnx_int(call, "group", 1)), LIST(dilation));
}

/* ---- Pooling ----------------------------------------------------------------------------------------------------------------- */

/* The value that never wins a maximum. */
static fx_attr lowest(fx_dtype dtype)
{
    if (fx_dtype_is_float(dtype)) return fx_float(-(double)INFINITY);
    if (!fx_dtype_is_signed(dtype)) return fx_int(0);
    return fx_int(dtype == FX_I8 ? INT8_MIN : dtype == FX_I16 ? INT16_MIN : dtype == FX_I32 ? INT32_MIN : INT64_MIN);
}

/* torch pads by at most half a kernel, and evenly. */
static bool torch_pads(const window *w)
{
    bool fits = w->symmetric;
    for (int32_t i = 0; i < w->n; i++) fits = fits && 2 * w->begin[i] <= w->kernel[i];
    return fits;
}

static void build_max_pool(fx_onnx_call *call)
{
    static const char *const targets[] = {"aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default"};
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    window w;
    if (!type || !read_window(call, type, NULL, &w)) return;
    if (fx__onnx_int(call, "storage_order", 0)) fx__onnx_error(call, FX_E_UNSUPPORTED, "storage_order 1 is not supported");
    if (!torch_pads(&w)) x = padded(call, x, &w, lowest(type->dtype));
    FX_GIVE(call, by_rank(&w, targets), x, LIST(kernel), LIST(stride), LIST(begin), LIST(dilation),
            fx_bool(fx__onnx_int(call, "ceil_mode", 0) != 0));
}

static const char *const average_pools[] = {"aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default"};

static fx_attr average(fx_onnx_call *call, fx_attr x, window w, bool ceil_mode)
{
    return FX_EMIT(call, by_rank(&w, average_pools), x, LIST(kernel), LIST(stride), LIST(begin), fx_bool(ceil_mode), fx_bool(true));
}

/* 1 inside the image, 0 in its padding: [1, 1, spatial sizes with pads]. */
static fx_attr inside_mask(fx_onnx_call *call, const fx_type *type, const window *w)
{
    int64_t dims[FX_RANK] = {1, 1}, at[FX_RANK] = {0};
    for (int32_t i = 0; i < w->n; i++) dims[i + 2] = type->dim[i + 2] + w->begin[i] + w->end[i];
    fx_tensor mask;
    if (!fx__onnx_new_tensor(call, type->dtype, type->rank, dims, &mask)) return fx_none();
    for (int64_t index = 0; index < fx_tensor_elems(&mask); index++) {
        bool inside = true;
        for (int32_t i = 0; i < w->n; i++) inside = inside && at[i] >= w->begin[i] && at[i] < w->begin[i] + type->dim[i + 2];
        fx_tensor_set(&mask, index, inside);
        for (int32_t i = w->n - 1; i >= 0 && ++at[i] == dims[i + 2]; i--) at[i] = 0;
    }
    return fx__onnx_constant(call, &mask);
}

/* Uneven padding that does not count: the mean with zeros, divided by the share of each window that lies inside. */
static void average_of_inside(fx_onnx_call *call, fx_attr x, const fx_type *type, window w, bool ceil_mode)
{
    for (int32_t i = 0; i < w.n; i++)
        if (!fx_dim_is_const(type->dim[i + 2])) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "uneven padding of a symbolic size is not supported");
            return;
        }
    fx_attr mask = inside_mask(call, type, &w), values = padded(call, x, &w, fx_int(0));
    FX_GIVE(call, "aten.div.Tensor", average(call, values, w, ceil_mode), average(call, mask, w, ceil_mode));
}

static void build_average_pool(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    bool counts = fx__onnx_int(call, "count_include_pad", 0) != 0, ceil_mode = fx__onnx_int(call, "ceil_mode", 0) != 0;
    window w;
    if (!type || !read_window(call, type, NULL, &w)) return;
    for (int32_t i = 0; i < w.n; i++)
        if (w.dilation[i] != 1) fx__onnx_error(call, FX_E_UNSUPPORTED, "dilated average pooling is not supported");
    if (!torch_pads(&w) && !counts) {
        average_of_inside(call, x, type, w, ceil_mode);
        return;
    }
    if (!torch_pads(&w)) x = padded(call, x, &w, fx_int(0));
    FX_GIVE(call, by_rank(&w, average_pools), x, LIST(kernel), LIST(stride), LIST(begin), fx_bool(ceil_mode), fx_bool(counts));
}

static void build_global(fx_onnx_call *call, const char *target)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    if (!type) return;
    for (int32_t i = 2; i < type->rank; i++) axes[i - 2] = i;
    FX_GIVE(call, target, x, fx__onnx_list(call, axes, type->rank > 2 ? type->rank - 2 : 0), fx_bool(true));
}

static void build_global_average_pool(fx_onnx_call *call)
{
    build_global(call, "aten.mean.dim");
}
static void build_global_max_pool(fx_onnx_call *call)
{
    build_global(call, "aten.amax.default");
}

/* ---- Normalisation ------------------------------------------------------------------------------------------------------------
 */

static void build_batch_norm(fx_onnx_call *call)
{
    if (fx__onnx_int(call, "training_mode", 0) || !fx__onnx_int(call, "spatial", 1)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "training_mode 1 and spatial 0 are not supported");
        return;
    }
    fx_attr momentum = fx_float(1.0 - fx__onnx_float(call, "momentum", 0.9)); /* weighs the other one of the two in torch */
    FX_GIVE(call, "aten.batch_norm.default", fx__onnx_in(call, 0), fx__onnx_in(call, 1), fx__onnx_in(call, 2), fx__onnx_in(call, 3),
            fx__onnx_in(call, 4), fx_bool(false), momentum, fx_float(fx__onnx_float(call, "epsilon", 1e-5)), fx_bool(false));
}

/* Until opset 6 an attribute told training from evaluation. */
static void build_batch_norm_attrs(fx_onnx_call *call)
{
    if (fx__onnx_int(call, "is_test", 0))
        build_batch_norm(call);
    else
        fx__onnx_error(call, FX_E_UNSUPPORTED, "is_test 0 (training) is not supported");
}

/* (x - mean) / sqrt(variance + epsilon) over the given axes. */
static fx_attr normalised(fx_onnx_call *call, fx_attr x, fx_attr axes, double epsilon, fx_attr *out_mean, fx_attr *out_scale)
{
    *out_mean = FX_EMIT(call, "aten.mean.dim", x, axes, fx_bool(true));
    fx_attr centred = FX_EMIT(call, "aten.sub.Tensor", x, *out_mean);
    fx_attr variance = FX_EMIT(call, "aten.mean.dim", FX_EMIT(call, "aten.mul.Tensor", centred, centred), axes, fx_bool(true));
    *out_scale = FX_EMIT(call, "aten.rsqrt.default", FX_EMIT(call, "aten.add.Scalar", variance, fx_float(epsilon)));
    return FX_EMIT(call, "aten.mul.Tensor", centred, *out_scale);
}

/* The usual form has an operator of its own; others, and those whose mean and scale are wanted, are spelt out. */
static bool is_plain_norm(const fx_onnx_call *call, const fx_type *x, const fx_type *weight, const fx_type *bias, int32_t axis)
{
    bool plain = !(call->node->n_outputs > 1) && weight && weight->rank == x->rank - axis && (!bias || bias->rank == weight->rank);
    for (int32_t i = axis; i < x->rank && plain; i++)
        plain = weight->dim[i - axis] == x->dim[i] && (!bias || bias->dim[i - axis] == x->dim[i]);
    return plain;
}

static void build_layer_norm(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), mean, scale;
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank), n = type->rank - axis;
    double epsilon = fx__onnx_float(call, "epsilon", 1e-5);
    fx_attr weight = fx__onnx_in(call, 1), bias = fx__onnx_in(call, 2);
    if (is_plain_norm(call, type, fx__onnx_type(weight), fx__onnx_type(bias), axis)) {
        FX_GIVE(call, "aten.layer_norm.default", x, fx__onnx_dims(call, type->dim + axis, n), weight, bias, fx_float(epsilon));
        return;
    }
    for (int32_t i = axis; i < type->rank; i++) axes[i - axis] = i;
    fx_attr y = normalised(call, x, fx__onnx_list(call, axes, n), epsilon, &mean, &scale);
    if (fx__onnx_has(call, 2)) {
        FX_GIVE(call, "aten.add.Tensor", FX_EMIT(call, "aten.mul.Tensor", y, weight), bias);
    } else {
        FX_GIVE(call, "aten.mul.Tensor", y, weight);
    }
    fx__onnx_give(call, 1, mean);
    fx__onnx_give(call, 2, scale);
}

/* Scale and bias are per channel: [C] as [C, 1, ...]. */
static fx_attr per_channel(fx_onnx_call *call, fx_attr value, int32_t rank)
{
    for (int32_t i = 2; i < rank; i++) value = FX_EMIT(call, "aten.unsqueeze.default", value, fx_int(-1));
    return value;
}

static void build_instance_norm(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), mean, scale;
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    if (!type) return;
    for (int32_t i = 2; i < type->rank; i++) axes[i - 2] = i;
    fx_attr list = fx__onnx_list(call, axes, type->rank > 2 ? type->rank - 2 : 0);
    fx_attr y = normalised(call, x, list, fx__onnx_float(call, "epsilon", 1e-5), &mean, &scale);
    fx_attr scaled = FX_EMIT(call, "aten.mul.Tensor", y, per_channel(call, fx__onnx_in(call, 1), type->rank));
    FX_GIVE(call, "aten.add.Tensor", scaled, per_channel(call, fx__onnx_in(call, 2), type->rank));
}

static void build_dropout(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_onnx_known *training = fx__onnx_has(call, 2) ? fx__onnx_need_known(call, 2, "training_mode") : NULL;
    if (training && training->n == 1 && training->item[0]) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "training_mode true is not supported");
        return;
    }
    fx__onnx_give(call, 0, x);
    if (call->node->n_outputs < 2 || !*call->node->outputs[1]) return;
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    fx__onnx_give(call, 1, fx__onnx_full(call, type->dim, type->rank, FX_BOOL, 1));
}

const fx_onnx_op fx__onnx_ops_nn[] = {
    {"AveragePool", 1, 1, 1, 1, build_average_pool},
    {"BatchNormalization", 6, 5, 5, 1, build_batch_norm_attrs},
    {"BatchNormalization", 7, 5, 5, 1, build_batch_norm},
    {"Conv", 1, 2, 3, 1, build_conv},
    {"ConvTranspose", 1, 2, 3, 1, build_conv_transpose},
    {"Dropout", 7, 1, 3, 2, build_dropout},
    {"Gemm", 6, 2, 3, 1, build_gemm},
    {"GlobalAveragePool", 1, 1, 1, 1, build_global_average_pool},
    {"GlobalMaxPool", 1, 1, 1, 1, build_global_max_pool},
    {"InstanceNormalization", 6, 3, 3, 1, build_instance_norm},
    {"LayerNormalization", 17, 2, 3, 3, build_layer_norm},
    {"MatMul", 1, 2, 2, 1, build_matmul},
    {"MaxPool", 1, 1, 1, 1, build_max_pool},
    {0},
};
