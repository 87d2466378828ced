/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_norm.c: adapters of normalisations without a row of their own: across channels, by a norm, by the root mean square. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"

static fx_attr mean_over(fx_onnx_call *call, fx_attr x, const int64_t *axes, int32_t n)
{
    return FX_EMIT(call, "aten.mean.dim", x, fx__onnx_list(call, axes, n), fx_bool(true));
}

static fx_attr square(fx_onnx_call *call, fx_attr x)
{
    return FX_EMIT(call, "aten.mul.Tensor", x, x);
}

/* x / (bias + alpha / size * (sum of squares of `size` neighbouring channels)) ^ beta */
static void build_lrn(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), squares = square(call, x), sum = fx_none();
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t size = fx__onnx_int(call, "size", 0), pads[2 * FX_RANK] = {0};
    double alpha = fx__onnx_float(call, "alpha", (double)1e-4f), beta = fx__onnx_float(call, "beta", 0.75);
    if (!type) return;
    if (type->rank < 3 || size < 1 || size > 64 || !fx_dim_is_const(type->dim[1])) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "needs 3 or more dimensions, constant channels, and a size of at most 64");
        return;
    }
    int32_t channel = type->rank - 2; /* counted from the last dimension, as pads are */
    pads[2 * channel] = (size - 1) / 2;
    pads[2 * channel + 1] = size / 2;
    fx_attr wide = FX_EMIT(call, "aten.constant_pad_nd.default", squares, fx__onnx_list(call, pads, 2 * channel + 2), fx_int(0));
    for (int64_t i = 0; i < size; i++) {
        fx_attr part = FX_EMIT(call, "aten.slice.Tensor", wide, fx_int(1), fx_int(i), fx_int(i + type->dim[1]), fx_int(1));
        sum = i ? FX_EMIT(call, "aten.add.Tensor", sum, part) : part;
    }
    fx_attr scaled = FX_EMIT(call, "aten.mul.Scalar", sum, fx_float(alpha / (double)size));
    fx_attr base = FX_EMIT(call, "aten.add.Scalar", scaled, fx_float(fx__onnx_float(call, "bias", 1)));
    FX_GIVE(call, "aten.div.Tensor", x, FX_EMIT(call, "aten.pow.Tensor_Scalar", base, fx_float(beta)));
}

static void build_mean_variance(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    int64_t axes[FX_RANK] = {0, 2, 3};
    int32_t given = fx__onnx_ints(call, "axes", axes), n = given < 0 ? 3 : given;
    fx_attr centred = FX_EMIT(call, "aten.sub.Tensor", x, mean_over(call, x, axes, n));
    fx_attr deviation = FX_EMIT(call, "aten.sqrt.default", mean_over(call, square(call, centred), axes, n));
    FX_GIVE(call, "aten.div.Tensor", centred, FX_EMIT(call, "aten.add.Scalar", deviation, fx_float(1e-9)));
}

/* A zero vector stays zero. */
static void build_lp(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), axis = fx_int(fx__onnx_int(call, "axis", -1));
    int64_t p = fx__onnx_int(call, "p", 2);
    if (p != 1 && p != 2) fx__onnx_error(call, FX_E_FORMAT, "p is %lld, not 1 or 2", (long long)p);
    fx_attr axes = fx_list(call->import->graph, &axis, 1);
    fx_attr terms = p == 1 ? FX_EMIT(call, "aten.abs.default", x) : square(call, x);
    fx_attr norm = FX_EMIT(call, "aten.sum.dim_IntList", terms, axes, fx_bool(true));
    if (p == 2) norm = FX_EMIT(call, "aten.sqrt.default", norm);
    fx_attr zero = FX_EMIT(call, "aten.eq.Scalar", norm, fx_int(0));
    FX_GIVE(call, "aten.div.Tensor", x, FX_EMIT(call, "aten.masked_fill.Scalar", norm, zero, fx_int(1)));
}

/* x / sqrt(mean of squares from `axis` on + epsilon) * scale, computed in stash_type. */
static void build_rms(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    int32_t n = 0;
    if (!type) return;
    fx_dtype dtype = type->dtype, wide = dtype == FX_F64 || fx__onnx_int(call, "stash_type", 1) != 1 ? dtype : FX_F32;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank);
    for (int32_t i = axis; i < type->rank; i++) axes[n++] = i;
    fx_attr value = fx__onnx_cast(call, x, wide);
    fx_attr mean = FX_EMIT(call, "aten.add.Scalar", mean_over(call, square(call, value), axes, n),
                           fx_float(fx__onnx_float(call, "epsilon", (double)1e-5f)));
    fx_attr normal = FX_EMIT(call, "aten.mul.Tensor", value, FX_EMIT(call, "aten.rsqrt.default", mean));
    FX_GIVE(call, "aten.mul.Tensor", fx__onnx_cast(call, normal, dtype), fx__onnx_in(call, 1));
}

const fx_onnx_op fx__onnx_ops_norm[] = {
    {"LRN", 1, 1, 1, 1, build_lrn},
    {"LpNormalization", 1, 1, 1, 1, build_lp},
    {"MeanVarianceNormalization", 9, 1, 1, 1, build_mean_variance},
    {"RMSNormalization", 23, 2, 2, 1, build_rms},
    {0},
};
