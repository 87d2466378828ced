/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_norm.c: adapters of normalisations: by mean and variance, across channels, by a norm, by the root mean square. */
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

/* x / sqrt(mean of squares from `axis` on + epsilon) * scale, computed in stash_type, which is f32 or what fxjit computes in. */
static void build_rms(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), shape[FX_RANK];
    const fx_type *type = fx__onnx_need_type(call, x), *scale = fx__onnx_need_type(call, fx__onnx_in(call, 1));
    int32_t n = 0;
    if (!type || !scale) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank);
    for (int32_t i = axis; i < type->rank; i++) shape[n++] = fx_dim_attr(type->dim[i]);
    bool whole = scale->rank == n && scale->dtype == type->dtype;
    for (int32_t i = 0; whole && i < n; i++) whole = scale->dim[i] == type->dim[axis + i];
    fx_attr dims = fx_list(call->import->graph, shape, n), eps = fx_float(fx__onnx_float(call, "epsilon", (double)1e-5f));
    fx_attr y = FX_EMIT(call, "aten.rms_norm.default", x, dims, whole ? fx__onnx_in(call, 1) : fx_none(), eps);
    fx__onnx_give(call, 0, whole ? y : FX_EMIT(call, "aten.mul.Tensor", y, fx__onnx_in(call, 1)));
}

/* ---- By mean and variance
 * ------------------------------------------------------------------------------------------------------------
 */

/* Scale and bias are per channel: [C] as [C, 1, ...]. */
static fx_attr per_channel(fx_onnx_call *call, fx_attr value, int32_t rank)
{
    for (int32_t i = 2; i < rank; i++) value = FX_EMIT(call, "aten.unsqueeze.default", value, fx_int(-1));
    return value;
}

/* running * momentum + current * (1 - momentum) */
static fx_attr running(fx_onnx_call *call, int32_t index, fx_attr current, double momentum)
{
    fx_attr old = FX_EMIT(call, "aten.mul.Scalar", fx__onnx_in(call, index), fx_float(momentum));
    return FX_EMIT(call, "aten.add.Tensor", old, FX_EMIT(call, "aten.mul.Scalar", current, fx_float(1 - momentum)));
}

/* By the statistics of this batch; outputs 1 and 2 are the new running ones. */
static void batch_norm_in_training(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    int32_t n = 0;
    double epsilon = fx__onnx_float(call, "epsilon", 1e-5), momentum = fx__onnx_float(call, "momentum", (double)0.9f);
    if (!type) return;
    for (int32_t i = 0; i < type->rank; i++)
        if (i != 1) axes[n++] = i;
    fx_attr list = fx__onnx_list(call, axes, n), mean = FX_EMIT(call, "aten.mean.dim", x, list, fx_bool(false));
    fx_attr centred = FX_EMIT(call, "aten.sub.Tensor", x, per_channel(call, mean, type->rank));
    fx_attr variance = FX_EMIT(call, "aten.mean.dim", FX_EMIT(call, "aten.mul.Tensor", centred, centred), list, fx_bool(false));
    fx_attr factor = FX_EMIT(call, "aten.rsqrt.default", FX_EMIT(call, "aten.add.Scalar", variance, fx_float(epsilon)));
    factor = FX_EMIT(call, "aten.mul.Tensor", factor, fx__onnx_in(call, 1));
    fx_attr scaled = FX_EMIT(call, "aten.mul.Tensor", centred, per_channel(call, factor, type->rank));
    FX_GIVE(call, "aten.add.Tensor", scaled, per_channel(call, fx__onnx_in(call, 2), type->rank));
    fx__onnx_give(call, 1, running(call, 3, mean, momentum));
    fx__onnx_give(call, 2, running(call, 4, variance, momentum));
}

static void build_batch_norm(fx_onnx_call *call)
{
    if (!fx__onnx_int(call, "spatial", 1)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "spatial 0 is not supported");
        return;
    }
    if (fx__onnx_int(call, "training_mode", 0)) {
        batch_norm_in_training(call);
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

/* Before opset 21 scale and bias were per group: each counts for the channels of its group. */
static fx_attr for_channels(fx_onnx_call *call, fx_attr value, fx_dim channels)
{
    const fx_type *type = fx__onnx_need_type(call, value);
    if (!type || call->opset >= 21 || !fx_dim_is_const(channels) || type->rank != 1 || type->dim[0] < 1) return value;
    const fx_dim wide[] = {type->dim[0], channels / type->dim[0]};
    fx_attr many = FX_EMIT(call, "aten.expand.default", FX_EMIT(call, "aten.unsqueeze.default", value, fx_int(1)),
                           fx__onnx_dims(call, wide, 2));
    return FX_EMIT(call, "aten.reshape.default", many, fx__onnx_list(call, &(int64_t){-1}, 1));
}

static void build_group_norm(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type || type->rank < 2) return;
    FX_GIVE(call, "aten.group_norm.default", x, fx_int(fx__onnx_int(call, "num_groups", 1)),
            for_channels(call, fx__onnx_in(call, 1), type->dim[1]), for_channels(call, fx__onnx_in(call, 2), type->dim[1]),
            fx_float(fx__onnx_float(call, "epsilon", 1e-5)));
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

const fx_onnx_op fx__onnx_ops_norm[] = {
    {"BatchNormalization", 6, 5, 5, 1, build_batch_norm_attrs},
    {"BatchNormalization", 7, 5, 5, 3, build_batch_norm},
    {"GroupNormalization", 18, 3, 3, 1, build_group_norm},
    {"InstanceNormalization", 6, 3, 3, 1, build_instance_norm},
    {"LRN", 1, 1, 1, 1, build_lrn},
    {"LayerNormalization", 17, 2, 3, 3, build_layer_norm},
    {"LpNormalization", 1, 1, 1, 1, build_lp},
    {"MeanVarianceNormalization", 9, 1, 1, 1, build_mean_variance},
    {"RMSNormalization", 23, 2, 2, 1, build_rms},
    {0},
};
