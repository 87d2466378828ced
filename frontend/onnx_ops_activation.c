/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_activation.c: adapters of activation functions. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"

#define UNARY(name, target)                                                                                                        \
    static void build_##name(fx_onnx_call *call)                                                                                   \
    {                                                                                                                              \
        FX_GIVE(call, target, fx__onnx_in(call, 0));                                                                               \
    }
UNARY(hard_swish, "aten.hardswish.default")
UNARY(mish, "aten.mish.default")
UNARY(relu, "aten.relu.default")
UNARY(sigmoid, "aten.sigmoid.default")
UNARY(softsign, "aten.softsign.default")

static fx_attr float_attr(fx_onnx_call *call, const char *name, double fallback)
{
    return fx_float(fx__onnx_float(call, name, fallback));
}

static void build_celu(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.celu.default", fx__onnx_in(call, 0), float_attr(call, "alpha", 1));
}

static void build_elu(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.elu.default", fx__onnx_in(call, 0), float_attr(call, "alpha", 1));
}

static void build_selu(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.elu.default", fx__onnx_in(call, 0), float_attr(call, "alpha", (double)1.67326319217681884765625f),
            float_attr(call, "gamma", (double)1.05070102214813232421875f));
}

/* Before opset 6 the constants were rounded. */
static void build_selu_rounded(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.elu.default", fx__onnx_in(call, 0), float_attr(call, "alpha", (double)1.6732f),
            float_attr(call, "gamma", (double)1.0507f));
}

static void build_gelu(fx_onnx_call *call)
{
    const char *approximate = fx__onnx_text(call, "approximate", "none");
    FX_GIVE(call, "aten.gelu.default", fx__onnx_in(call, 0), fx_str(call->import->graph, approximate));
}

static void build_leaky_relu(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.leaky_relu.default", fx__onnx_in(call, 0), float_attr(call, "alpha", (double)0.01f));
}

/* clamp(alpha * x + beta, 0, 1); torch's has alpha 1/6 and beta 1/2. */
static void build_hard_sigmoid(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    double alpha = fx__onnx_float(call, "alpha", (double)0.2f), beta = fx__onnx_float(call, "beta", 0.5);
    if ((float)alpha == (float)(1.0 / 6) && beta == 0.5) {
        FX_GIVE(call, "aten.hardsigmoid.default", x);
        return;
    }
    fx_attr line = FX_EMIT(call, "aten.add.Scalar", FX_EMIT(call, "aten.mul.Scalar", x, fx_float(alpha)), fx_float(beta));
    FX_GIVE(call, "aten.clamp.default", line, fx_float(0), fx_float(1));
}

static void give_prelu(fx_onnx_call *call, fx_attr slope)
{
    fx_attr x = fx__onnx_in(call, 0), scaled = FX_EMIT(call, "aten.mul.Tensor", x, slope);
    FX_GIVE(call, "aten.where.self", FX_EMIT(call, "aten.lt.Scalar", x, fx_int(0)), scaled, x);
}

static void build_prelu(fx_onnx_call *call)
{
    give_prelu(call, fx__onnx_in(call, 1));
}

/* Before opset 7 the slopes are one, or one per channel. */
static void build_prelu_channels(fx_onnx_call *call)
{
    fx_attr slope = fx__onnx_in(call, 1);
    const fx_type *type = fx__onnx_need_type(call, fx__onnx_in(call, 0));
    for (int32_t i = 2; type && i < type->rank; i++) slope = FX_EMIT(call, "aten.unsqueeze.default", slope, fx_int(-1));
    give_prelu(call, slope);
}

static fx_attr bound_of_type(const fx_type *type, double value)
{
    return fx_dtype_is_float(type->dtype) ? fx_float(value) : fx_int((int64_t)value);
}

/* Beyond +-lambd the input moved towards 0 by bias, 0 between. */
static void build_shrink(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    double lambd = fx__onnx_float(call, "lambd", 0.5), bias = fx__onnx_float(call, "bias", 0);
    if (!type) return;
    fx_attr shift = bound_of_type(type, bias), low = FX_EMIT(call, "aten.lt.Scalar", x, fx_float(-lambd));
    fx_attr below = FX_EMIT(call, "aten.where.self", low, FX_EMIT(call, "aten.add.Scalar", x, shift), bound_of_type(type, 0));
    fx_attr high = FX_EMIT(call, "aten.gt.Scalar", x, fx_float(lambd));
    FX_GIVE(call, "aten.where.self", high, FX_EMIT(call, "aten.sub.Scalar", x, shift), below);
}

/* torch's is the identity beyond a threshold: 20 is exact in f32, 40 in f64. */
static void build_softplus(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (type) FX_GIVE(call, "aten.softplus.default", x, fx_int(1), fx_int(type->dtype == FX_F64 ? 40 : 20));
}

static void build_swish(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    double alpha = fx__onnx_float(call, "alpha", 1);
    if (alpha == 1)
        FX_GIVE(call, "aten.silu.default", x);
    else
        FX_GIVE(call, "aten.mul.Tensor", x,
                FX_EMIT(call, "aten.sigmoid.default", FX_EMIT(call, "aten.mul.Scalar", x, fx_float(alpha))));
}

static void build_thresholded_relu(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.threshold.default", fx__onnx_in(call, 0), float_attr(call, "alpha", 1), fx_float(0));
}

const fx_onnx_op fx__onnx_ops_activation[] = {
    {"Celu", 12, 1, 1, 1, build_celu},
    {"Elu", 1, 1, 1, 1, build_elu},
    {"Gelu", 20, 1, 1, 1, build_gelu},
    {"HardSigmoid", 1, 1, 1, 1, build_hard_sigmoid},
    {"HardSwish", 14, 1, 1, 1, build_hard_swish},
    {"LeakyRelu", 1, 1, 1, 1, build_leaky_relu},
    {"Mish", 18, 1, 1, 1, build_mish},
    {"PRelu", 1, 2, 2, 1, build_prelu_channels},
    {"PRelu", 7, 2, 2, 1, build_prelu},
    {"Relu", 1, 1, 1, 1, build_relu},
    {"Selu", 1, 1, 1, 1, build_selu_rounded},
    {"Selu", 6, 1, 1, 1, build_selu},
    {"Shrink", 9, 1, 1, 1, build_shrink},
    {"Sigmoid", 1, 1, 1, 1, build_sigmoid},
    {"Softplus", 1, 1, 1, 1, build_softplus},
    {"Softsign", 1, 1, 1, 1, build_softsign},
    {"Swish", 24, 1, 1, 1, build_swish},
    {"ThresholdedRelu", 10, 1, 1, 1, build_thresholded_relu},
    {0},
};
