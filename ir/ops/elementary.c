/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/elementary.c: the elementary functions, shifts and fmod: element-wise operators that are one row of scalar.def each. */
#include "ir/ops/pointwise_row.h"

static fx_status dtype_shift(fx_call *call)
{
    FX_TRY(fx__rule_dtype_promote(call));
    if (fx_dtype_is_int(call->result[0].dtype)) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "%s is not defined on %s", call->op->name, fx_dtype_name(call->result[0].dtype));
}

static const fx_case cases_unary[] = {
    {"(f32[2, 3])", NULL}, {"(f32[])", "scalar"}, {"(f32[0, 4])", "empty"}, {"(f32[3, 65])", "tails"}, {NULL, NULL},
};
static const fx_case cases_binary[] = {
    {"(f32[2, 3], f32[2, 3])", NULL}, {"(f32[2, 3], f32[3])", "broadcast"}, {"(f32[3, 65], f32[3, 65])", "tails"},
    {"(f32[0, 3], f32[3])", "empty"}, {"(f32[4], 1.5)", "number"},          {NULL, NULL},
};
static const fx_case cases_shift[] = {
    {"(i32[2, 3], i32[2, 3])", NULL},
    {"(u8[3, 65], u8[65])", "unsigned"},
    {"(i64[4], 3)", "number"},
    {"(i16[0], i16[1])", "empty"},
    {NULL, NULL},
};

#define FUNCTION(name_, scalar_, names_, onnx_)                                                                                    \
    SCALAR1(name_, scalar_, FX_ANY, FLOAT, 0, NULL, cases_unary, "torch.special." #name_ names_, onnx_)
#define CIRCLE(name_, scalar_, alias_, onnx_)                                                                                      \
    SCALAR1(name_, scalar_, FX_ANY, FLOAT, 0, NULL, cases_unary, "torch." alias_ " method:" alias_, onnx_)

FUNCTION(erf, ERF, "", "Erf");
FUNCTION(exp2, EXP2, "", "");
FUNCTION(expm1, EXPM1, "", "");
FUNCTION(log1p, LOG1P, "", "");
SCALAR1(log2, LOG2, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "");
SCALAR1(log10, LOG10, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "");
SCALAR1(sin, SIN, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "Sin", .bound = fx__bound_circle);
SCALAR1(cos, COS, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "Cos", .bound = fx__bound_circle);
SCALAR1(tan, TAN, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "Tan", .bound = fx__bound_tangent);
SCALAR1(sinh, SINH, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "Sinh");
SCALAR1(cosh, COSH, FX_ANY, FLOAT, 0, NULL, cases_unary, "", "Cosh");
CIRCLE(asin, ASIN, "arcsin", "Asin");
CIRCLE(acos, ACOS, "arccos", "Acos");
CIRCLE(atan, ATAN, "arctan", "Atan");
CIRCLE(asinh, ASINH, "arcsinh", "Asinh");
CIRCLE(acosh, ACOSH, "arccosh", "Acosh");
CIRCLE(atanh, ATANH, "arctanh", "Atanh");

SCALAR2(fmod, "Tensor", FMOD, FX_NUMBERS, PROMOTE, 0, NULL, cases_binary, "", "Mod", .bound = fx__bound_fmod);
SCALAR2(bitwise_left_shift, "Tensor", SHL, FX_INTS, dtype_shift, EXACT, NULL, cases_shift,
        "operator.lshift method:__lshift__ torch.ops.aten.__lshift__.Tensor", "BitShift");
SCALAR2(bitwise_right_shift, "Tensor", SHR, FX_INTS, dtype_shift, EXACT, NULL, cases_shift,
        "operator.rshift method:__rshift__ torch.ops.aten.__rshift__.Tensor", "BitShift");
SCALAR2(atan2, "default", ATAN2, FX_FLOATS, PROMOTE, 0, NULL, cases_binary, "torch.arctan2 method:arctan2", "");
