/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_math.c: adapters of element-wise operators. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>
#include <string.h>

/* ---- One input, one output: the two systems agree --------------------------------------------------------------------------- */

#define UNARY(name, target)                                                                                                        \
    static void build_##name(fx_onnx_call *call)                                                                                   \
    {                                                                                                                              \
        FX_GIVE(call, target, fx__onnx_in(call, 0));                                                                               \
    }
UNARY(abs, "aten.abs.default")
UNARY(acos, "aten.acos.default")
UNARY(acosh, "aten.acosh.default")
UNARY(asin, "aten.asin.default")
UNARY(asinh, "aten.asinh.default")
UNARY(atan, "aten.atan.default")
UNARY(atanh, "aten.atanh.default")
UNARY(bitwise_not, "aten.bitwise_not.default")
UNARY(ceil, "aten.ceil.default")
UNARY(cos, "aten.cos.default")
UNARY(cosh, "aten.cosh.default")
UNARY(erf, "aten.erf.default")
UNARY(exp, "aten.exp.default")
UNARY(floor, "aten.floor.default")
UNARY(log, "aten.log.default")
UNARY(neg, "aten.neg.default")
UNARY(not, "aten.logical_not.default")
UNARY(reciprocal, "aten.reciprocal.default")
UNARY(round, "aten.round.default") /* both: halves to even */
UNARY(sign, "aten.sign.default")
UNARY(sin, "aten.sin.default")
UNARY(sinh, "aten.sinh.default")
UNARY(sqrt, "aten.sqrt.default")
UNARY(tan, "aten.tan.default")
UNARY(tanh, "aten.tanh.default")
UNARY(is_nan, "aten.isnan.default")

/* ---- Two inputs ----------------------------------------------------------------------------------------------------------------
 */

/* Before opset 7 the second input's axes could be placed inside the first one's: attribute axis tells where they begin. */
static fx_attr second_input(fx_onnx_call *call)
{
    fx_attr a = fx__onnx_in(call, 0), b = fx__onnx_in(call, 1);
    const fx_type *wide = fx__onnx_type(a), *narrow = fx__onnx_type(b);
    if (call->opset >= 7 || !fx__onnx_attr(call, "axis") || !wide || !narrow) return b;
    int64_t behind = wide->rank - narrow->rank - fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), wide->rank);
    for (int64_t i = 0; i < behind; i++) b = FX_EMIT(call, "aten.unsqueeze.default", b, fx_int(-1));
    return b;
}

#define BINARY(name, target)                                                                                                       \
    static void build_##name(fx_onnx_call *call)                                                                                   \
    {                                                                                                                              \
        FX_GIVE(call, target, fx__onnx_in(call, 0), second_input(call));                                                           \
    }
BINARY(add, "aten.add.Tensor")
BINARY(sub, "aten.sub.Tensor")
BINARY(mul, "aten.mul.Tensor")
BINARY(equal, "aten.eq.Tensor")
BINARY(less, "aten.lt.Tensor")
BINARY(less_equal, "aten.le.Tensor")
BINARY(greater, "aten.gt.Tensor")
BINARY(greater_equal, "aten.ge.Tensor")
BINARY(and, "aten.logical_and.default")
BINARY(or, "aten.logical_or.default")
BINARY(bitwise_and, "aten.bitwise_and.Tensor")
BINARY(bitwise_or, "aten.bitwise_or.Tensor")
BINARY(bitwise_xor, "aten.bitwise_xor.Tensor")
BINARY(xor, "aten.logical_xor.default")

/* Integers divide towards zero. */
static void build_div(fx_onnx_call *call)
{
    fx_attr a = fx__onnx_in(call, 0), b = second_input(call);
    const fx_type *type = fx__onnx_need_type(call, a);
    if (type && fx_dtype_is_int(type->dtype))
        FX_GIVE(call, "aten.div.Tensor_mode", a, b, fx_str(call->import->graph, "trunc"));
    else
        FX_GIVE(call, "aten.div.Tensor", a, b);
}

/* The base's type is the result's, whatever the exponent's. */
static void build_pow(fx_onnx_call *call)
{
    fx_attr a = fx__onnx_in(call, 0), b = second_input(call);
    const fx_type *type = fx__onnx_need_type(call, a), *exponent = fx__onnx_need_type(call, b);
    if (!type || !exponent) return;
    if (type->dtype == exponent->dtype) {
        FX_GIVE(call, "aten.pow.Tensor_Tensor", a, b);
        return;
    }
    fx_attr power = FX_EMIT(call, "aten.pow.Tensor_Tensor", a, b);
    fx__onnx_give(call, 0, fx__onnx_cast(call, power, type->dtype));
}

/* The result's sign is the divisor's, or with fmod the dividend's. */
static void build_mod(fx_onnx_call *call)
{
    const char *target = fx__onnx_int(call, "fmod", 0) ? "aten.fmod.Tensor" : "aten.remainder.Tensor";
    FX_GIVE(call, target, fx__onnx_in(call, 0), fx__onnx_in(call, 1));
}

static void build_bit_shift(fx_onnx_call *call)
{
    bool left = strcmp(fx__onnx_text(call, "direction", ""), "LEFT") == 0;
    FX_GIVE(call, left ? "aten.bitwise_left_shift.Tensor" : "aten.bitwise_right_shift.Tensor", fx__onnx_in(call, 0),
            fx__onnx_in(call, 1));
}

/* ---- Any number of inputs
 * -------------------------------------------------------------------------------------------------------- */

static void chain(fx_onnx_call *call, const char *target)
{
    int32_t n = fx__onnx_inputs(call);
    fx_attr value = fx__onnx_in(call, 0);
    for (int32_t i = 1; i + 1 < n; i++) value = FX_EMIT(call, target, value, fx__onnx_in(call, i));
    if (n > 1)
        FX_GIVE(call, target, value, fx__onnx_in(call, n - 1));
    else
        fx__onnx_give(call, 0, value);
}

static void build_max(fx_onnx_call *call)
{
    chain(call, "aten.maximum.default");
}
static void build_min(fx_onnx_call *call)
{
    chain(call, "aten.minimum.default");
}
static void build_sum(fx_onnx_call *call)
{
    chain(call, "aten.add.Tensor");
}

static void build_mean(fx_onnx_call *call)
{
    int32_t n = fx__onnx_inputs(call);
    fx_attr value = fx__onnx_in(call, 0);
    for (int32_t i = 1; i < n; i++) value = FX_EMIT(call, "aten.add.Tensor", value, fx__onnx_in(call, i));
    FX_GIVE(call, "aten.div.Scalar", value, fx_float((double)n));
}

/* ---- Choice, conversion, clamping
 * ------------------------------------------------------------------------------------------------- */

/* A filled tensor on one side, as masks have it, is a number. */
static void build_where(fx_onnx_call *call)
{
    bool filled = fx__onnx_is_fill(call, 1);
    fx_attr other = fx__onnx_in(call, filled ? 2 : 1), value = fx__onnx_operand(call, filled ? 1 : 2, fx__onnx_type(other));
    FX_GIVE(call, "aten.where.self", fx__onnx_in(call, 0), filled ? value : other, filled ? other : value);
}

static void build_cast(fx_onnx_call *call)
{
    fx_attr value = fx__onnx_in(call, 0);
    int64_t to = fx__onnx_int(call, "to", 0);
    fx_dtype dtype;
    if (to < 0 || to > FX_ONNX_TYPE_COUNT || !fx__onnx_dtype((int32_t)to, &dtype)) {
        fx__onnx_error(call, FX_E_TYPE, "fxjit has no element type %s (%lld)", fx__onnx_type_name((int32_t)to), (long long)to);
        return;
    }
    const fx_type *type = fx__onnx_type(value);
    if (type && type->dtype == dtype)
        fx__onnx_give(call, 0, value);
    else
        FX_GIVE(call, "aten._to_copy.default", value, fx_dtype_attr(dtype));
}

static void build_cast_like(fx_onnx_call *call)
{
    const fx_type *like = fx__onnx_need_type(call, fx__onnx_in(call, 1));
    if (like) fx__onnx_give(call, 0, fx__onnx_cast(call, fx__onnx_in(call, 0), like->dtype));
}

/* A number where the constant is known and its type can hold it exactly; none otherwise. */
static fx_attr bound_of(fx_onnx_call *call, int32_t index)
{
    const fx_tensor *tensor = fx__onnx_tensor(call, index);
    if (!tensor || fx_tensor_elems(tensor) != 1) return fx_none();
    if (tensor->dtype == FX_I64) return fx_int(*(const int64_t *)tensor->data);
    double value = fx_tensor_get(tensor, 0);
    return fx_dtype_is_float(tensor->dtype) ? fx_float(value) : fx_int((int64_t)value);
}

static bool computed(fx_onnx_call *call, int32_t index)
{
    return fx__onnx_has(call, index) && !fx__onnx_tensor(call, index);
}

/* Opset 11 on: bounds are scalars, often constant. torch and ONNX both give max where min > max. */
static void build_clip(fx_onnx_call *call)
{
    fx_attr value = fx__onnx_in(call, 0);
    if (!fx__onnx_has(call, 1) && !fx__onnx_has(call, 2)) {
        fx__onnx_give(call, 0, value);
    } else if (!computed(call, 1) && !computed(call, 2)) {
        FX_GIVE(call, "aten.clamp.default", value, bound_of(call, 1), bound_of(call, 2));
    } else {
        if (fx__onnx_has(call, 1)) value = FX_EMIT(call, "aten.maximum.default", value, fx__onnx_in(call, 1));
        if (fx__onnx_has(call, 2)) value = FX_EMIT(call, "aten.minimum.default", value, fx__onnx_in(call, 2));
        fx__onnx_give(call, 0, value);
    }
}

static void build_clip_attrs(fx_onnx_call *call)
{
    fx_attr value = fx__onnx_in(call, 0);
    bool has_min = fx__onnx_attr(call, "min"), has_max = fx__onnx_attr(call, "max");
    fx_attr lo = has_min ? fx_float(fx__onnx_float(call, "min", 0)) : fx_none();
    fx_attr hi = has_max ? fx_float(fx__onnx_float(call, "max", 0)) : fx_none();
    if (has_min || has_max)
        FX_GIVE(call, "aten.clamp.default", value, lo, hi);
    else
        fx__onnx_give(call, 0, value);
}

static void build_is_inf(fx_onnx_call *call)
{
    bool negative = fx__onnx_int(call, "detect_negative", 1), positive = fx__onnx_int(call, "detect_positive", 1);
    fx_attr x = fx__onnx_in(call, 0);
    if (negative && positive)
        FX_GIVE(call, "aten.eq.Scalar", FX_EMIT(call, "aten.abs.default", x), fx_float((double)INFINITY));
    else if (positive || negative)
        FX_GIVE(call, "aten.eq.Scalar", x, fx_float(positive ? (double)INFINITY : -(double)INFINITY));
    else
        fx__onnx_error(call, FX_E_UNSUPPORTED, "detects no infinity at all");
}

const fx_onnx_op fx__onnx_ops_math[] = {
    {"Abs", 1, 1, 1, 1, build_abs},
    {"Acos", 7, 1, 1, 1, build_acos},
    {"Acosh", 9, 1, 1, 1, build_acosh},
    {"Add", 1, 2, 2, 1, build_add},
    {"And", 1, 2, 2, 1, build_and},
    {"Asin", 7, 1, 1, 1, build_asin},
    {"Asinh", 9, 1, 1, 1, build_asinh},
    {"Atan", 7, 1, 1, 1, build_atan},
    {"Atanh", 9, 1, 1, 1, build_atanh},
    {"BitShift", 11, 2, 2, 1, build_bit_shift},
    {"BitwiseAnd", 18, 2, 2, 1, build_bitwise_and},
    {"BitwiseNot", 18, 1, 1, 1, build_bitwise_not},
    {"BitwiseOr", 18, 2, 2, 1, build_bitwise_or},
    {"BitwiseXor", 18, 2, 2, 1, build_bitwise_xor},
    {"Cast", 6, 1, 1, 1, build_cast},
    {"CastLike", 15, 2, 2, 1, build_cast_like},
    {"Ceil", 1, 1, 1, 1, build_ceil},
    {"Clip", 1, 1, 1, 1, build_clip_attrs},
    {"Clip", 11, 1, 3, 1, build_clip},
    {"Cos", 7, 1, 1, 1, build_cos},
    {"Cosh", 9, 1, 1, 1, build_cosh},
    {"Div", 1, 2, 2, 1, build_div},
    {"Equal", 1, 2, 2, 1, build_equal},
    {"Erf", 9, 1, 1, 1, build_erf},
    {"Exp", 1, 1, 1, 1, build_exp},
    {"Floor", 1, 1, 1, 1, build_floor},
    {"Greater", 1, 2, 2, 1, build_greater},
    {"GreaterOrEqual", 12, 2, 2, 1, build_greater_equal},
    {"IsInf", 10, 1, 1, 1, build_is_inf},
    {"IsNaN", 9, 1, 1, 1, build_is_nan},
    {"Less", 1, 2, 2, 1, build_less},
    {"LessOrEqual", 12, 2, 2, 1, build_less_equal},
    {"Log", 1, 1, 1, 1, build_log},
    {"Max", 1, 1, FX_ONNX_ANY, 1, build_max},
    {"Mean", 1, 1, FX_ONNX_ANY, 1, build_mean},
    {"Min", 1, 1, FX_ONNX_ANY, 1, build_min},
    {"Mod", 10, 2, 2, 1, build_mod},
    {"Mul", 1, 2, 2, 1, build_mul},
    {"Neg", 1, 1, 1, 1, build_neg},
    {"Not", 1, 1, 1, 1, build_not},
    {"Or", 1, 2, 2, 1, build_or},
    {"Pow", 1, 2, 2, 1, build_pow},
    {"Reciprocal", 1, 1, 1, 1, build_reciprocal},
    {"Round", 11, 1, 1, 1, build_round},
    {"Sign", 9, 1, 1, 1, build_sign},
    {"Sin", 7, 1, 1, 1, build_sin},
    {"Sinh", 9, 1, 1, 1, build_sinh},
    {"Sqrt", 1, 1, 1, 1, build_sqrt},
    {"Sub", 1, 2, 2, 1, build_sub},
    {"Sum", 1, 1, FX_ONNX_ANY, 1, build_sum},
    {"Tan", 7, 1, 1, 1, build_tan},
    {"Tanh", 1, 1, 1, 1, build_tanh},
    {"Where", 9, 3, 3, 1, build_where},
    {"Xor", 1, 2, 2, 1, build_xor},
    {0},
};
