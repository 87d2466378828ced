/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_quant.c: adapters of quantized operators. A quantized value is an integer q that means (q - zero point) * scale; here
 * it is just that arithmetic on integers, with products summed in i32. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"

/* ---- Scales and zero points -----------------------------------------------------------------------------------------------------
 */

/* One value for all, one per index of `axis`, or one per block of an axis: as wide as needed to be broadcast against `like`. */
static fx_attr spread(fx_onnx_call *call, fx_attr value, const fx_type *like, int64_t axis)
{
    const fx_type *type = fx__onnx_need_type(call, value);
    int64_t block = fx__onnx_int(call, "block_size", 0);
    if (!type || type->rank == 0 || (type->rank == 1 && type->dim[0] == 1 && like->rank != 1)) {
        return type && type->rank == 1 ? FX_EMIT(call, "aten.select.int", value, fx_int(0), fx_int(0)) : value;
    }
    int32_t at = fx__onnx_axis(call, axis, like->rank);
    if (type->rank == 1) {
        for (int32_t i = at + 1; i < like->rank; i++) value = FX_EMIT(call, "aten.unsqueeze.default", value, fx_int(-1));
        return value;
    }
    if (type->rank != like->rank || block < 1 || type->rank == FX_RANK) {
        fx__onnx_error(call, FX_E_SHAPE, "a scale of %d dimensions for %d", (int)type->rank, (int)like->rank);
        return fx_none();
    }
    fx_dim wide[FX_RANK], flat[FX_RANK];
    for (int32_t i = 0; i < type->rank; i++) flat[i] = wide[i + (i > at)] = type->dim[i];
    wide[at + 1] = block;
    flat[at] = fx__dim_mul(call->import->graph->dims, type->dim[at], block);
    fx_attr many = FX_EMIT(call, "aten.expand.default", FX_EMIT(call, "aten.unsqueeze.default", value, fx_int(at + 1)),
                           fx__onnx_dims(call, wide, type->rank + 1));
    fx_attr all = FX_EMIT(call, "aten.reshape.default", many, fx__onnx_dims(call, flat, type->rank));
    return FX_EMIT(call, "aten.slice.Tensor", all, fx_int(at), fx_int(0), fx_dim_attr(like->dim[at]), fx_int(1));
}

static bool range_of(fx_dtype dtype, double *lo, double *hi)
{
    static const struct {
        fx_dtype dtype;
        double lo, hi;
    } ranges[] = {{FX_U8, 0, UINT8_MAX}, {FX_I8, INT8_MIN, INT8_MAX}, {FX_U16, 0, UINT16_MAX}, {FX_I16, INT16_MIN, INT16_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].dtype == dtype) {
            *lo = ranges[i].lo;
            *hi = ranges[i].hi;
            return true;
        }
    return false;
}

/* round(x) + zero point, within the type's range; x is already divided by the scale. */
static fx_attr to_quantized(fx_onnx_call *call, fx_attr x, fx_attr zero, fx_dtype dtype)
{
    const fx_type *type = fx__onnx_need_type(call, x);
    double lo = 0, hi = 0;
    if (!type) return fx_none();
    if (!range_of(dtype, &lo, &hi)) {
        fx__onnx_error(call, FX_E_TYPE, "quantizes to %s", fx_dtype_name(dtype));
        return fx_none();
    }
    fx_attr moved = FX_EMIT(call, "aten.round.default", x);
    if (zero.kind == FX_ATTR_NODE) moved = FX_EMIT(call, "aten.add.Tensor", moved, fx__onnx_cast(call, zero, type->dtype));
    return fx__onnx_cast(call, FX_EMIT(call, "aten.clamp.default", moved, fx_float(lo), fx_float(hi)), dtype);
}

/* ---- Quantizing and back
 * --------------------------------------------------------------------------------------------------------- */

static void build_dequantize(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), scale = fx__onnx_in(call, 1), zero = fx__onnx_in(call, 2);
    const fx_type *type = fx__onnx_need_type(call, x), *of_scale = fx__onnx_need_type(call, scale);
    int64_t axis = fx__onnx_int(call, "axis", 1);
    if (!type || !of_scale) return;
    fx_dtype dtype = of_scale->dtype, wide = dtype == FX_F64 ? FX_F64 : FX_F32;
    fx_attr value = fx__onnx_cast(call, x, wide);
    if (zero.kind == FX_ATTR_NODE)
        value = FX_EMIT(call, "aten.sub.Tensor", value, fx__onnx_cast(call, spread(call, zero, type, axis), wide));
    value = FX_EMIT(call, "aten.mul.Tensor", value, fx__onnx_cast(call, spread(call, scale, type, axis), wide));
    fx__onnx_give(call, 0, fx__onnx_cast(call, value, dtype));
}

static void build_quantize(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), scale = fx__onnx_in(call, 1), zero = fx__onnx_in(call, 2);
    const fx_type *type = fx__onnx_need_type(call, x), *of_zero = fx__onnx_type(zero);
    int64_t axis = fx__onnx_int(call, "axis", 1), to = fx__onnx_int(call, "output_dtype", 0);
    fx_dtype dtype = of_zero ? of_zero->dtype : FX_U8, wide = type && type->dtype == FX_F64 ? FX_F64 : FX_F32;
    if (!type) return;
    if (!of_zero && to > 0 && (to > FX_ONNX_TYPE_COUNT || !fx__onnx_dtype((int32_t)to, &dtype)))
        fx__onnx_error(call, FX_E_TYPE, "output_dtype %lld", (long long)to);
    fx_attr ratio =
        FX_EMIT(call, "aten.div.Tensor", fx__onnx_cast(call, x, wide), fx__onnx_cast(call, spread(call, scale, type, axis), wide));
    fx_attr offset = of_zero ? spread(call, zero, type, axis) : zero;
    fx__onnx_give(call, 0, to_quantized(call, ratio, offset, dtype));
}

static fx_attr over_all(fx_onnx_call *call, const char *target, fx_attr x)
{
    return FX_EMIT(call, target, x, fx_list(call->import->graph, NULL, 0), fx_bool(false));
}

/* The scale is such that 0 and the extremes fit into u8. */
static void build_dynamic_quantize(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    fx_attr least = FX_EMIT(call, "aten.clamp.default", over_all(call, "aten.amin.default", x), fx_none(), fx_float(0));
    fx_attr most = FX_EMIT(call, "aten.clamp.default", over_all(call, "aten.amax.default", x), fx_float(0), fx_none());
    fx_attr scale = FX_EMIT(call, "aten.div.Scalar", FX_EMIT(call, "aten.sub.Tensor", most, least), fx_float(255));
    fx_attr zero = FX_EMIT(call, "aten.neg.default", FX_EMIT(call, "aten.div.Tensor", least, scale));
    zero = to_quantized(call, zero, fx_none(), FX_U8);
    fx__onnx_give(call, 0, to_quantized(call, FX_EMIT(call, "aten.div.Tensor", x, scale), zero, FX_U8));
    fx__onnx_give(call, 1, scale);
    fx__onnx_give(call, 2, zero);
}

/* ---- Products
 * --------------------------------------------------------------------------------------------------------------------- */

/* q - zero point in i32. Zero points of a matrix: one, or one per row (of a) or per column (of b); of a weight: per channel. */
static fx_attr centred(fx_onnx_call *call, int32_t index, int32_t zero_index, int64_t axis)
{
    fx_attr q = fx__onnx_in(call, index), zero = fx__onnx_in(call, zero_index);
    const fx_type *type = fx__onnx_need_type(call, q), *of_zero = fx__onnx_type(zero);
    fx_attr value = fx__onnx_cast(call, q, FX_I32);
    if (!type || !of_zero) return value;
    if (of_zero->rank <= 1) zero = spread(call, zero, type, axis < 0 && type->rank == 1 ? 0 : axis);
    return FX_EMIT(call, "aten.sub.Tensor", value, fx__onnx_cast(call, zero, FX_I32));
}

static void build_matmul_integer(fx_onnx_call *call)
{
    FX_GIVE(call, "aten.matmul.default", centred(call, 0, 2, -2), centred(call, 1, 3, -1));
}

static void build_conv_integer(fx_onnx_call *call)
{
    fx__onnx_give(call, 0, fx__onnx_conv(call, centred(call, 0, 2, 1), centred(call, 1, 3, 0), fx_none()));
}

/* A sum in i32 as a quantized value of the result: times a factor that is computed in f32, with its own zero point. */
static void give_requantized(fx_onnx_call *call, fx_attr sum, fx_attr factor, int32_t zero_index)
{
    fx_attr zero = fx__onnx_in(call, zero_index);
    const fx_type *type = fx__onnx_need_type(call, sum), *of_zero = fx__onnx_need_type(call, zero);
    if (!type || !of_zero) return;
    fx_attr value = FX_EMIT(call, "aten.mul.Tensor", fx__onnx_cast(call, sum, FX_F32), factor);
    fx__onnx_give(call, 0, to_quantized(call, value, spread(call, zero, type, 1), of_zero->dtype));
}

/* a_scale * b_scale / y_scale, each one number or one per index of the result's axis. */
static fx_attr factor_of(fx_onnx_call *call, const fx_type *like, int32_t a, int64_t axis_a, int32_t b, int64_t axis_b, int32_t y)
{
    fx_attr scale_a = fx__onnx_cast(call, spread(call, fx__onnx_in(call, a), like, axis_a), FX_F32);
    fx_attr scale_b = fx__onnx_cast(call, spread(call, fx__onnx_in(call, b), like, axis_b), FX_F32);
    fx_attr scale_y = fx__onnx_cast(call, spread(call, fx__onnx_in(call, y), like, 1), FX_F32);
    return FX_EMIT(call, "aten.div.Tensor", FX_EMIT(call, "aten.mul.Tensor", scale_a, scale_b), scale_y);
}

/* a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero */
static void build_qlinear_matmul(fx_onnx_call *call)
{
    fx_attr sum = FX_EMIT(call, "aten.matmul.default", centred(call, 0, 2, -2), centred(call, 3, 5, -1));
    const fx_type *type = fx__onnx_need_type(call, sum);
    if (type) give_requantized(call, sum, factor_of(call, type, 1, -2, 4, -1, 6), 7);
}

/* x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias in i32 */
static void build_qlinear_conv(fx_onnx_call *call)
{
    fx_attr sum = fx__onnx_conv(call, centred(call, 0, 2, 1), centred(call, 3, 5, 0), fx__onnx_in(call, 8));
    const fx_type *type = fx__onnx_need_type(call, sum);
    if (type) give_requantized(call, sum, factor_of(call, type, 1, 1, 4, 1, 6), 7);
}

const fx_onnx_op fx__onnx_ops_quant[] = {
    {"ConvInteger", 10, 2, 4, 1, build_conv_integer},
    {"DequantizeLinear", 10, 2, 3, 1, build_dequantize},
    {"DynamicQuantizeLinear", 11, 1, 1, 3, build_dynamic_quantize},
    {"MatMulInteger", 10, 2, 4, 1, build_matmul_integer},
    {"QLinearConv", 10, 8, 9, 1, build_qlinear_conv},
    {"QLinearMatMul", 10, 8, 8, 1, build_qlinear_matmul},
    {"QuantizeLinear", 10, 2, 3, 1, build_quantize},
    {0},
};
