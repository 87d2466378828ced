/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_nn.c: adapters of products and convolution. */
#include "frontend/onnx_ops.h"
#include "frontend/onnx_window.h"
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

#define LIST(field) FX_ONNX_WINDOW_LIST(field)

/* ---- Convolution ------------------------------------------------------------------------------------------------------------- */

enum { CONV_ARGS = 7 };

/* The row that fits and its arguments; NULL after an error. */
static const char *conv_args(fx_onnx_call *call, fx_attr x, fx_attr weight, fx_attr bias, fx_attr out[CONV_ARGS])
{
    static const char *const targets[] = {"aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default"};
    const fx_type *type = fx__onnx_need_type(call, x), *kernel = fx__onnx_need_type(call, weight);
    fx_onnx_window w;
    if (!type || !kernel) return NULL;
    if (kernel->rank != type->rank) {
        fx__onnx_error(call, FX_E_SHAPE, "its input has %d dimensions, its weight %d", (int)type->rank, (int)kernel->rank);
        return NULL;
    }
    if (!fx__onnx_window_read(call, type, kernel->dim + 2, &w)) return NULL;
    if (!w.symmetric) x = fx__onnx_window_pad(call, x, &w, fx_int(0));
    const fx_attr args[CONV_ARGS] = {
        x, weight, bias, LIST(stride), LIST(begin), LIST(dilation), fx_int(fx__onnx_int(call, "group", 1))};
    for (int i = 0; i < CONV_ARGS; i++) out[i] = args[i];
    return fx__onnx_window_target(&w, targets);
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
static int64_t spread(const fx_onnx_window *w, int32_t i, int64_t size, int64_t more)
{
    return w->stride[i] * (size - 1) + (w->kernel[i] - 1) * w->dilation[i] + 1 + more;
}

/* Wanted output sizes tell the padding: output_shape, or SAME's input size times stride. */
static bool pads_from_size(fx_onnx_call *call, const fx_type *x, const int64_t *more, fx_onnx_window *w)
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
static bool torch_cuts(const fx_onnx_window *w, const int64_t *more, int64_t *out_padding)
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
static void conv_transpose_cut(fx_onnx_call *call, fx_attr x, fx_onnx_window w, const int64_t *more)
{
    int64_t nothing[FX_RANK] = {0};
    fx_attr none = fx__onnx_list(call, nothing, w.n), bias = fx__onnx_in(call, 2);
    fx_attr y = FX_EMIT(call, fx__onnx_window_target(&w, transposed_targets), x, fx__onnx_in(call, 1), fx_none(), LIST(stride),
                        none, none, fx_int(fx__onnx_int(call, "group", 1)), LIST(dilation));
    for (int32_t i = 0; i < w.n; i++) {
        w.begin[i] = -w.begin[i];
        w.end[i] = more[i] - w.end[i];
    }
    y = fx__onnx_window_pad(call, y, &w, fx_int(0));
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
    fx_onnx_window w;
    if (!type || !kernel) return;
    if (kernel->rank != type->rank) {
        fx__onnx_error(call, FX_E_SHAPE, "its input has %d dimensions, its weight %d", (int)type->rank, (int)kernel->rank);
        return;
    }
    if (!fx__onnx_window_read(call, type, kernel->dim + 2, &w) || !fx__onnx_window_list(call, "output_padding", w.n, more, 0))
        return;
    if (sizes_tell_pads(call) && !pads_from_size(call, type, more, &w)) return;
    if (!torch_cuts(&w, more, out_padding)) {
        conv_transpose_cut(call, x, w, more);
        return;
    }
    FX_GIVE(call, fx__onnx_window_target(&w, transposed_targets), x, weight, fx__onnx_in(call, 2), LIST(stride), LIST(begin),
            fx__onnx_list(call, out_padding, w.n), fx_int(fx__onnx_int(call, "group", 1)), LIST(dilation));
}

/* ---- Columns to images --------------------------------------------------------------------------------------------------------
 */

/* One weight per input channel, which holds element k of the blocks of its group: 1 there. */
static fx_attr placing_weights(fx_onnx_call *call, fx_dtype dtype, int64_t channels, const fx_onnx_window *w)
{
    int64_t dims[FX_RANK], block = 1;
    fx_tensor weights;
    for (int32_t i = 0; i < w->n; i++) block *= dims[i + 2] = w->kernel[i];
    dims[0] = channels * block;
    dims[1] = 1;
    if (!fx__onnx_new_tensor(call, dtype, w->n + 2, dims, &weights)) return fx_none();
    for (int64_t i = 0; i < dims[0]; i++) fx_tensor_set(&weights, i * block + i % block, 1);
    return fx__onnx_constant(call, &weights);
}

/* The number of blocks along an axis, and how much of the image the last one leaves out. */
static int64_t blocks_along(const fx_onnx_window *w, int32_t i, int64_t size, int64_t *out_rest)
{
    int64_t room = size + w->begin[i] + w->end[i] - (w->kernel[i] - 1) * w->dilation[i] - 1;
    *out_rest = room >= 0 ? room % w->stride[i] : 0;
    return room >= 0 ? room / w->stride[i] + 1 : 0;
}

/* Overlapping blocks are added: the transposed convolution with placing weights. */
static void build_col2im(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t image[FX_RANK], rest[FX_RANK], block = 1, padding[FX_RANK];
    fx_onnx_window w = {.symmetric = true};
    int32_t n = fx__onnx_ints_of(call, 1, "image_shape", image);
    w.n = fx__onnx_ints_of(call, 2, "block_shape", w.kernel);
    if (!type || call->failed) return;
    bool good = type->rank == 3 && n == w.n && n >= 1 && n <= 3 && fx_dim_is_const(type->dim[1]);
    if (!good || !fx__onnx_window_list(call, "strides", n, w.stride, 1) ||
        !fx__onnx_window_list(call, "dilations", n, w.dilation, 1) || !fx__onnx_window_list(call, "pads", 2 * n, padding, 0)) {
        if (!call->failed) fx__onnx_error(call, FX_E_UNSUPPORTED, "needs blocks of 1 to 3 constant sizes");
        return;
    }
    fx_dim dims[FX_RANK] = {type->dim[0], type->dim[1]};
    for (int32_t i = 0; i < n; i++) {
        w.begin[i] = padding[i];
        w.end[i] = padding[i + n];
        block *= w.kernel[i];
        good = good && w.begin[i] == w.end[i] && w.kernel[i] > 0 && w.stride[i] > 0 && block > 0 && block < INT16_MAX;
        dims[i + 2] = good ? blocks_along(&w, i, image[i], &rest[i]) : 0;
    }
    if (!good || type->dim[1] % block) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "needs even pads, and channels that are a multiple of a block");
        return;
    }
    int64_t channels = type->dim[1] / block;
    FX_GIVE(call, fx__onnx_window_target(&w, transposed_targets),
            FX_EMIT(call, "aten.reshape.default", x, fx__onnx_dims(call, dims, n + 2)),
            placing_weights(call, type->dtype, channels, &w), fx_none(), LIST(stride), LIST(begin), fx__onnx_list(call, rest, n),
            fx_int(channels), LIST(dilation));
}

/* ---- Dropout ------------------------------------------------------------------------------------------------------------------
 */

static void build_dropout(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_onnx_known *training = fx__onnx_has(call, 2) ? fx__onnx_need_known(call, 2, "training_mode") : NULL;
    const fx_tensor *ratio = fx__onnx_has(call, 1) ? fx__onnx_tensor(call, 1) : NULL;
    bool keeps_all = ratio && fx_tensor_elems(ratio) == 1 && fx_tensor_get(ratio, 0) == 0;
    if (training && training->n == 1 && training->item[0] && !keeps_all) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "training_mode true with a ratio other than 0 is not supported");
        return;
    }
    fx__onnx_give(call, 0, x);
    if (call->node->n_outputs < 2 || !*call->node->outputs[1]) return;
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    fx__onnx_give(call, 1, fx__onnx_full(call, type->dim, type->rank, FX_BOOL, 1));
}

const fx_onnx_op fx__onnx_ops_nn[] = {
    {"Col2Im", 18, 3, 3, 1, build_col2im},
    {"Conv", 1, 2, 3, 1, build_conv},
    {"ConvTranspose", 1, 2, 3, 1, build_conv_transpose},
    {"Dropout", 7, 1, 3, 2, build_dropout},
    {"Gemm", 6, 2, 3, 1, build_gemm},
    {"MatMul", 1, 2, 2, 1, build_matmul},
    {0},
};
