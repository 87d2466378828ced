/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise.c: element-wise operators. Those that are one row of scalar.def are one line each; the others build an
 * expression in their lower hook. */
#include "ir/lower.h"
#include "ir/ops/pointwise_ref.h"
#include "ir/ops/pointwise_row.h"
#include "ir/ops/pointwise_vjp.h"
#include <math.h>
#include <string.h>

/* ---- Dtype rules ---------------------------------------------------------------------------------------------------------- */

static fx_status dtype_integral(fx_call *call)
{
    FX_TRY(fx__rule_dtype_promote(call));
    if (!fx_dtype_is_float(call->result[0].dtype)) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "%s is not defined on %s", call->op->name, fx_dtype_name(call->result[0].dtype));
}

static bool rounds(const fx_call *call)
{
    return call->arg[2].kind == FX_ATTR_STR;
}

static fx_status dtype_div(fx_call *call)
{
    const char *mode = rounds(call) ? call->arg[2].u.s : "floor";
    if (strcmp(mode, "floor") != 0 && strcmp(mode, "trunc") != 0)
        return fx__call_error(call, FX_E_ARG, "rounding_mode is '%s'; 'floor', 'trunc' and None are known", mode);
    if (!rounds(call)) return fx__rule_dtype_float(call);
    FX_TRY(fx__rule_dtype_promote(call));
    if (call->result[0].dtype == FX_BOOL) call->result[0].dtype = FX_I64; /* whole quotients of truth values are integers */
    return FX_OK;
}

/* The condition takes no part. */
static fx_status dtype_where(fx_call *call)
{
    fx_call values = *call;
    fx_attr arg[3] = {fx_none(), call->arg[1], call->arg[2]};
    values.arg = arg;
    call->result[0].dtype = fx__call_promoted(&values);
    return FX_OK;
}

static fx_status dtype_masked_fill(fx_call *call)
{
    const fx_type *mask = fx__call_type(call, 1);
    if (mask && mask->dtype != FX_BOOL)
        return fx__call_error(call, FX_E_TYPE, "masked_fill: mask is %s, expected bool", fx_dtype_name(mask->dtype));
    return fx__rule_dtype_same(call);
}

static fx_status dtype_to_copy(fx_call *call)
{
    FX_TRY(fx__rule_dtype_same(call));
    fx__call_dtype(call, 1, &call->result[0].dtype);
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------- */

static fx_dtype result_compute(const fx_call *call)
{
    return fx__scalar_compute(call->result[0].dtype);
}

/* arg[left] op alpha * arg[right] */
static fx_status lower_scaled(fx_lower *lower, const fx_call *call, fx_scalar_op op, int32_t left, int32_t right)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t a = fx__pw_operand(&pw, left, dtype), b = fx__pw_operand(&pw, right, dtype);
    if (fx__call_float(call, 2) != 1)
        b = fx__kb_scalar(pw.k, fx__scalar_on(FX_SCALAR_MUL, dtype), b, fx__pw_operand(&pw, 2, dtype));
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, fx__scalar_on(op, dtype), a, b));
}

static fx_status lower_add(fx_lower *lower, const fx_call *call)
{
    return lower_scaled(lower, call, FX_SCALAR_ADD, 0, 1);
}
static fx_status lower_sub(fx_lower *lower, const fx_call *call)
{
    return lower_scaled(lower, call, FX_SCALAR_SUB, 0, 1);
}
static fx_status lower_rsub(fx_lower *lower, const fx_call *call)
{
    return lower_scaled(lower, call, FX_SCALAR_SUB, 1, 0);
}

/* A power of two of moderate size: products with its inverse are the same quotients, and take a fraction of the time. */
static bool has_exact_inverse(double divisor)
{
    int exponent;
    return isfinite(divisor) && fabs(frexp(divisor, &exponent)) == 0.5 && exponent > -64 && exponent < 64;
}

static fx_status lower_div(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    bool floors = rounds(call) && call->arg[2].u.s[0] == 'f';
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t a = fx__pw_operand(&pw, 0, dtype), b = fx__pw_operand(&pw, 1, dtype);
    double divisor = call->arg[1].kind == FX_ATTR_FLOAT ? call->arg[1].u.f : 0;
    bool halves = has_exact_inverse(divisor) && !rounds(call) && (dtype == FX_F32 || dtype == FX_F64);
    if (halves) return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_MUL, a, fx__pw_number(&pw, dtype, 1 / divisor)));
    uint16_t quotient = fx__kb_scalar(pw.k, floors ? FX_SCALAR_FLOORDIV : FX_SCALAR_DIV, a, b);
    if (rounds(call) && !floors) quotient = fx__kb_scalar(pw.k, FX_SCALAR_TRUNC, quotient, FX_NO_EXPR);
    return fx__pw_finish(&pw, quotient);
}

/* x to the n by squaring, n > 0. */
static uint16_t whole_power(const fx_pw *pw, uint16_t x, uint32_t n)
{
    uint16_t result = FX_NO_EXPR;
    for (;; n >>= 1) {
        if (n & 1) result = result == FX_NO_EXPR ? x : fx__kb_scalar(pw->k, FX_SCALAR_MUL, result, x);
        if (n <= 1) return result;
        x = fx__kb_scalar(pw->k, FX_SCALAR_MUL, x, x);
    }
}

/* Exponents that a few products, a square root and a division express. */
static bool is_short_power(fx_dtype dtype, double exponent)
{
    double size = fabs(exponent);
    if (!fx_dtype_is_float(dtype)) return exponent >= 1 && exponent <= 64 && exponent == floor(exponent);
    return size == 0.5 || size == 1 || size == 2 || size == 3;
}

static fx_status lower_pow(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    bool constant = !fx__call_type(call, 1) && call->arg[1].kind != FX_ATTR_SYMINT;
    double exponent = constant ? fx__call_float(call, 1) : 0;
    bool is_short = constant && is_short_power(dtype, exponent);
    if (!is_short && !fx_dtype_is_float(dtype)) return fx__lower_decline(lower, "no rule for this exponent of integers");
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t x = fx__pw_operand(&pw, 0, dtype), power;
    if (!is_short)
        power = fx__kb_scalar(pw.k, FX_SCALAR_POW, x, fx__pw_operand(&pw, 1, dtype));
    else if (fabs(exponent) == 0.5)
        power = fx__kb_scalar(pw.k, FX_SCALAR_SQRT, x, FX_NO_EXPR);
    else
        power = whole_power(&pw, x, (uint32_t)fabs(exponent));
    if (is_short && exponent < 0) power = fx__kb_scalar(pw.k, FX_SCALAR_DIV, fx__pw_number(&pw, dtype, 1), power);
    return fx__pw_finish(&pw, power);
}

/* Limits: argument indices, -1 for none. */
static fx_status lower_limits(fx_lower *lower, const fx_call *call, int32_t lo, int32_t hi)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t x = fx__pw_operand(&pw, 0, dtype);
    if (lo >= 0 && !fx__call_is_none(call, lo)) x = fx__kb_scalar(pw.k, FX_SCALAR_MAX, x, fx__pw_operand(&pw, lo, dtype));
    if (hi >= 0 && !fx__call_is_none(call, hi)) x = fx__kb_scalar(pw.k, FX_SCALAR_MIN, x, fx__pw_operand(&pw, hi, dtype));
    return fx__pw_finish(&pw, x);
}

static fx_status lower_clamp(fx_lower *lower, const fx_call *call)
{
    return lower_limits(lower, call, 1, 2);
}
static fx_status lower_clamp_min(fx_lower *lower, const fx_call *call)
{
    return lower_limits(lower, call, 1, -1);
}
static fx_status lower_clamp_max(fx_lower *lower, const fx_call *call)
{
    return lower_limits(lower, call, -1, 1);
}

static uint16_t clip6(const fx_pw *pw, fx_dtype dtype, uint16_t x)
{
    uint16_t low = fx__kb_scalar(pw->k, FX_SCALAR_RELU, x, FX_NO_EXPR);
    return fx__kb_scalar(pw->k, FX_SCALAR_MIN, low, fx__pw_number(pw, dtype, 6));
}

static fx_status lower_relu6(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    return fx__pw_finish(&pw, clip6(&pw, dtype, fx__pw_operand(&pw, 0, dtype)));
}

/* clip6(x + 3), and x itself */
static uint16_t hard_gate(const fx_pw *pw, fx_dtype dtype, uint16_t *out_x)
{
    *out_x = fx__pw_operand(pw, 0, dtype);
    return clip6(pw, dtype, fx__kb_scalar(pw->k, FX_SCALAR_ADD, *out_x, fx__pw_number(pw, dtype, 3)));
}

static fx_status lower_hardsigmoid(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t x, gate = hard_gate(&pw, dtype, &x);
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_MUL, gate, fx__pw_number(&pw, dtype, 1.0 / 6)));
}

static fx_status lower_hardswish(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t x, gate = hard_gate(&pw, dtype, &x);
    uint16_t sixth = fx__kb_scalar(pw.k, FX_SCALAR_MUL, gate, fx__pw_number(&pw, dtype, 1.0 / 6));
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_MUL, x, sixth));
}

static fx_status lower_leaky_relu(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t x = fx__pw_operand(&pw, 0, dtype), scaled = fx__kb_scalar(pw.k, FX_SCALAR_MUL, x, fx__pw_operand(&pw, 1, dtype));
    uint16_t negative = fx__kb_scalar(pw.k, FX_SCALAR_LT, x, fx__pw_number(&pw, dtype, 0));
    return fx__pw_finish(&pw, fx__kb_select(pw.k, negative, scaled, x));
}

static fx_status lower_reciprocal(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t one = fx__pw_number(&pw, dtype, 1);
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_DIV, one, fx__pw_operand(&pw, 0, dtype)));
}

static fx_status lower_rsqrt(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = result_compute(call);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t one = fx__pw_number(&pw, dtype, 1),
             root = fx__kb_scalar(pw.k, FX_SCALAR_SQRT, fx__pw_operand(&pw, 0, dtype), FX_NO_EXPR);
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_DIV, one, root));
}

/* No arithmetic: values keep the result's own dtype. */
static fx_status lower_choice(fx_lower *lower, const fx_call *call, int32_t condition, int32_t yes, int32_t no)
{
    fx_dtype dtype = call->result[0].dtype;
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t take = fx__pw_operand(&pw, condition, FX_BOOL);
    uint16_t a = fx__pw_operand(&pw, yes, dtype), b = fx__pw_operand(&pw, no, dtype);
    return fx__pw_finish(&pw, fx__kb_select(pw.k, take, a, b));
}

static fx_status lower_where(fx_lower *lower, const fx_call *call)
{
    return lower_choice(lower, call, 0, 1, 2);
}
static fx_status lower_masked_fill(fx_lower *lower, const fx_call *call)
{
    return lower_choice(lower, call, 1, 2, 0);
}

static fx_status lower_to_copy(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = fx__pw_begin(lower, call);
    return fx__pw_finish(&pw, fx__pw_operand(&pw, 0, call->result[0].dtype));
}

/* ---- Cases ---------------------------------------------------------------------------------------------------------------- */

static const fx_case cases_unary[] = {
    {"(f32[2, 3])", NULL},
    {"(f32[])", "scalar"},
    {"(f32[0, 4])", "empty"},
    {"(f32[1, 1, 5])", "size 1"},
    {"(f32[3, 65])", "tails"},
    {"(f32[2, 3, 4, 5, 2])", "five dims"},
    {NULL, NULL},
};
static const fx_case cases_integral[] = {
    {"(i32[2, 3])", NULL}, {"(bool[2, 3])", "logical"}, {"(u8[0])", "empty"},
    {"(i64[])", "scalar"}, {"(i8[3, 65])", "tails"},    {NULL, NULL},
};
static const fx_case cases_binary[] = {
    {"(f32[2, 3], f32[2, 3])", NULL},
    {"(f32[2, 3], f32[3])", "broadcast"},
    {"(f32[2, 1], f32[1, 3])", "both broadcast"},
    {"(f32[], f32[4])", "0-dim"},
    {"(f32[2, 3], 1.5)", "number"},
    {"(2, f32[4])", "number first"},
    {"(f32[0, 3], f32[3])", "empty"},
    {"(i32[2, 3], f32[3])", "mixed"},
    {"(f32[3, 65], f32[3, 65])", "tails"},
    {NULL, NULL},
};
static const fx_case cases_binary_integral[] = {
    {"(i32[2, 3], i32[2, 3])", NULL}, {"(bool[2, 3], bool[3])", "logical"}, {"(u8[4], 3)", "number"},
    {"(i16[0, 2], i16[2])", "empty"}, {"(i8[3, 65], i32[65])", "mixed"},    {NULL, NULL},
};
static const fx_case cases_scaled[] = {
    {"(f32[2, 3], f32[2, 3], 1)", NULL},
    {"(f32[2, 3], f32[3], 2.5)", "alpha"},
    {"(i32[4], i32[4], 3)", "integer alpha"},
    {"(f32[2, 1], f32[1, 3], 1)", "broadcast"},
    {"(f32[4], 2, 1)", "number"},
    {"(f32[0, 3], f32[3], 1)", "empty"},
    {"(f32[], f32[3, 65], 1)", "0-dim"},
    {NULL, NULL},
};
static const fx_case cases_div[] = {
    {"(f32[2, 3], f32[2, 3], None)", NULL},
    {"(i32[2, 3], i32[3], None)", "true division"},
    {"(i32[2, 3], i32[3], 'floor')", "floor"},
    {"(i32[2, 3], i32[3], 'trunc')", "truncate"},
    {"(f32[4], f32[4], 'floor')", "floats, floor"},
    {"(f32[4], 3, 'trunc')", "floats, truncate"},
    {"(f32[0], f32[1], None)", "empty"},
    {"(f32[3, 65], f32[3, 1], None)", "broadcast"},
    {NULL, NULL},
};
static const fx_case cases_pow[] = {
    {"(f32[2, 3], 2)", "square"}, {"(f32[4], 3)", "cube"},
    {"(f32[4], 0.5)", "root"},    {"(f32[4], -0.5)", "inverse root"},
    {"(f32[4], -1)", "inverse"},  {"(f32[2, 3], f32[3])", "tensor"},
    {"(i32[4], 3)", "integers"},  {"(i32[4], 7)", "integers by squaring"},
    {"(f32[3, 65], 1.7)", "any"}, {"(2, f32[3, 65])", "number first"},
    {"(f32[0], 2.5)", "empty"},   {NULL, NULL},
};
static const fx_case cases_clamp[] = {
    {"(f32[2, 3], -0.5, 0.5)", NULL},
    {"(f32[2, 3], None, 0.5)", "upper"},
    {"(f32[2, 3], 0, None)", "lower"},
    {"(i32[4], 0, 1)", "integers"},
    {"(f32[2, 3], f32[3], 1)", "tensor"},
    {"(f32[0], 0, 1)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_hardtanh[] = {
    {"(f32[2, 3], -1, 1)", NULL},
    {"(f32[3, 65], -0.5, 0.25)", "tails"},
    {"(i32[4], -1, 2)", "integers"},
    {"(f32[], 0, 6)", "scalar"},
    {NULL, NULL},
};
static const fx_case cases_limit[] = {
    {"(f32[2, 3], 0.25)", NULL},
    {"(i32[4], 1)", "integers"},
    {"(f32[2, 3], f32[3])", "tensor"},
    {"(f32[0], 0)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_leaky_relu[] = {
    {"(f32[2, 3], 0.01)", NULL},
    {"(f32[3, 65], 0.2)", "tails"},
    {"(f32[], 0.1)", "scalar"},
    {"(f32[0], 0.1)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_where[] = {
    {"(bool[2, 3], f32[2, 3], f32[2, 3])", NULL}, {"(bool[3], f32[2, 3], f32[])", "broadcast"},
    {"(bool[2, 3], 1.5, f32[3])", "number"},      {"(bool[2, 1], i32[3], f32[2, 3])", "mixed"},
    {"(bool[0], f32[0], f32[0])", "empty"},       {NULL, NULL},
};
static const fx_case cases_masked_fill[] = {
    {"(f32[2, 3], bool[2, 3], -1.5)", NULL},
    {"(f32[2, 3], bool[3], f32[])", "0-dim value"},
    {"(i32[3, 65], bool[3, 1], 7)", "broadcast"},
    {NULL, NULL},
};
static const fx_case cases_to_copy[] = {
    {"(f32[2, 3], f16, None, None, None, False, None)", "narrower"},
    {"(f32[2, 3], i32, None, None, None, False, None)", "to integers"},
    {"(i32[2, 3], f32, None, None, None, False, None)", "to floats"},
    {"(f32[2, 3], bool, None, None, None, False, None)", "to bool"},
    {"(i32[2, 3], u8, None, None, None, False, None)", "wraps"},
    {"(f32[0], f64, None, None, None, False, None)", "empty"},
    {"(bool[3, 65], f32, None, None, None, False, None)", "from bool"},
    {NULL, NULL},
};

/* ---- Rows ----------------------------------------------------------------------------------------------------------------- */

#define NO_SUB (FX_ANY & ~FX_BIT(BOOL))
#define SCALED "(TensorOrScalar self, TensorOrScalar other, *, Scalar alpha=1)"

SCALAR1(abs, ABS, FX_NUMBERS, SAME, EXACT, NULL, cases_unary, "builtins.abs operator.abs method:__abs__", "Abs");
SCALAR1(bitwise_not, NOT, FX_INTS | FX_BIT(BOOL), SAME, EXACT, NULL, cases_integral, "operator.invert method:__invert__",
        "BitwiseNot");
SCALAR1(ceil, CEIL, FX_NUMBERS, SAME, EXACT, NULL, cases_unary, "", "Ceil");
SCALAR1(exp, EXP, FX_ANY, FLOAT, 0, fx__vjp_exp, cases_unary, "", "Exp");
SCALAR1(floor, FLOOR, FX_NUMBERS, SAME, EXACT, NULL, cases_unary, "", "Floor");
SCALAR1(isnan, ISNAN, FX_FLOATS, BOOLEAN, EXACT, NULL, cases_unary, "", "IsNaN");
SCALAR1(log, LOG, FX_ANY, FLOAT, 0, fx__vjp_log, cases_unary, "", "Log");
SCALAR1(logical_not, NOT, FX_ANY, BOOLEAN, EXACT, NULL, cases_integral, "", "Not");
SCALAR1(neg, NEG, FX_NUMBERS, SAME, EXACT, fx__vjp_neg, cases_unary, "torch.negative operator.neg method:__neg__ method:negative",
        "Neg");
SCALAR1(relu, RELU, FX_NUMBERS, SAME, EXACT, fx__vjp_relu, cases_unary, "torch.nn.functional.relu", "Relu");
SCALAR1(round, ROUND, FX_NUMBERS, SAME, EXACT, NULL, cases_unary, "", "Round");
SCALAR1(sigmoid, SIGMOID, FX_ANY, FLOAT, 0, fx__vjp_sigmoid, cases_unary, "torch.nn.functional.sigmoid torch.special.expit",
        "Sigmoid");
SCALAR1(sqrt, SQRT, FX_ANY, FLOAT, ROUNDED, fx__vjp_sqrt, cases_unary, "", "Sqrt");
SCALAR1(tanh, TANH, FX_ANY, FLOAT, 0, fx__vjp_tanh, cases_unary, "torch.nn.functional.tanh", "Tanh");
SCALAR1(trunc, TRUNC, FX_NUMBERS, SAME, EXACT, NULL, cases_unary, "torch.fix method:fix", "");

SCALAR2(bitwise_and, "Tensor", AND, FX_INTS | FX_BIT(BOOL), dtype_integral, EXACT, NULL, cases_binary_integral,
        "operator.and_ method:__and__ torch.ops.aten.__and__.Tensor", "BitwiseAnd", .commutes = true);
SCALAR2(bitwise_or, "Tensor", OR, FX_INTS | FX_BIT(BOOL), dtype_integral, EXACT, NULL, cases_binary_integral,
        "operator.or_ method:__or__ torch.ops.aten.__or__.Tensor", "BitwiseOr", .commutes = true);
SCALAR2(bitwise_xor, "Tensor", XOR, FX_INTS | FX_BIT(BOOL), dtype_integral, EXACT, NULL, cases_binary_integral,
        "operator.xor method:__xor__ torch.ops.aten.__xor__.Tensor", "BitwiseXor", .commutes = true);
SCALAR2(eq, "Tensor", EQ, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.eq method:__eq__", "Equal",
        .bound = fx__bound_equality, .commutes = true);
SCALAR2(floor_divide, "default", FLOORDIV, FX_NUMBERS, PROMOTE, EXACT, NULL, cases_binary, "operator.floordiv method:__floordiv__",
        "", .bound = fx__bound_floor_divide);
SCALAR2(ge, "Tensor", GE, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.ge torch.greater_equal method:__ge__",
        "GreaterOrEqual");
SCALAR2(gt, "Tensor", GT, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.gt torch.greater method:__gt__", "Greater");
SCALAR2(le, "Tensor", LE, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.le torch.less_equal method:__le__", "LessOrEqual");
SCALAR2(logical_and, "default", AND, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "", "And", .commutes = true);
SCALAR2(logical_or, "default", OR, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "", "Or", .commutes = true);
SCALAR2(logical_xor, "default", XOR, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "", "Xor", .commutes = true);
SCALAR2(lt, "Tensor", LT, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.lt torch.less method:__lt__", "Less");
SCALAR2(maximum, "default", MAX, FX_ANY, PROMOTE, EXACT, NULL, cases_binary, "torch.ops.aten.max.other", "Max", .commutes = true);
SCALAR2(minimum, "default", MIN, FX_ANY, PROMOTE, EXACT, NULL, cases_binary, "torch.ops.aten.min.other", "Min", .commutes = true);
SCALAR2(mul, "Tensor", MUL, FX_ANY, PROMOTE, ROUNDED, fx__vjp_mul, cases_binary,
        "operator.mul torch.multiply method:multiply method:__mul__ method:__rmul__", "Mul", .commutes = true);
SCALAR2(ne, "Tensor", NE, FX_ANY, BOOLEAN, EXACT, NULL, cases_binary, "operator.ne torch.not_equal method:__ne__", "",
        .bound = fx__bound_equality, .commutes = true);
SCALAR2(remainder, "Tensor", MOD, FX_NUMBERS, PROMOTE, 0, NULL, cases_binary, "operator.mod method:__mod__", "Mod",
        .bound = fx__bound_remainder);

const fx_op fx_op_add = {
    .name = "add",
    .target = "torch.ops.aten.add.Tensor",
    .schema = "add" SCALED " -> Tensor",
    .names = "torch.ops.aten.add.Scalar torch.add operator.add method:add method:__add__ method:__radd__",
    .onnx = "Add Sum",
    .family = "element-wise",
    .dtypes = FX_ANY,
    .commutes = true,
    .ulp = ROUNDED,
    .dtype = PROMOTE,
    .shape = BROADCAST,
    .reference = fx__ref_add,
    .bound = fx__bound_alpha,
    .lower = lower_add,
    .vjp = fx__vjp_add,
    .cases = cases_scaled,
};

const fx_op fx_op_sub = {
    .name = "sub",
    .target = "torch.ops.aten.sub.Tensor",
    .schema = "sub" SCALED " -> Tensor",
    .names = "torch.ops.aten.sub.Scalar torch.sub torch.subtract operator.sub method:sub method:subtract method:__sub__",
    .onnx = "Sub",
    .family = "element-wise",
    .dtypes = NO_SUB,
    .ulp = ROUNDED,
    .dtype = PROMOTE,
    .shape = BROADCAST,
    .reference = fx__ref_sub,
    .bound = fx__bound_alpha,
    .lower = lower_sub,
    .vjp = fx__vjp_sub,
    .cases = cases_scaled,
};

const fx_op fx_op_rsub = {
    .name = "rsub",
    .target = "torch.ops.aten.rsub.Tensor",
    .schema = "rsub" SCALED " -> Tensor",
    .names = "torch.ops.aten.rsub.Scalar torch.rsub method:__rsub__",
    .onnx = "",
    .family = "element-wise",
    .dtypes = NO_SUB,
    .ulp = ROUNDED,
    .dtype = PROMOTE,
    .shape = BROADCAST,
    .reference = fx__ref_rsub,
    .bound = fx__bound_alpha_reverse,
    .lower = lower_rsub,
    .cases = cases_scaled,
};

ROW(clamp, "default", "(Tensor self, TensorOrScalar? min=None, TensorOrScalar? max=None)", FX_NUMBERS, PROMOTE, BROADCAST, EXACT,
    lower_clamp, NULL, cases_clamp, "torch.ops.aten.clamp.Tensor torch.clamp torch.clip method:clamp method:clip", "Clip");
ROW(clamp_max, "default", "(Tensor self, TensorOrScalar max)", FX_NUMBERS, PROMOTE, BROADCAST, EXACT, lower_clamp_max, NULL,
    cases_limit, "torch.ops.aten.clamp_max.Tensor torch.clamp_max method:clamp_max", "");
ROW(clamp_min, "default", "(Tensor self, TensorOrScalar min)", FX_NUMBERS, PROMOTE, BROADCAST, EXACT, lower_clamp_min, NULL,
    cases_limit, "torch.ops.aten.clamp_min.Tensor torch.clamp_min method:clamp_min", "");
ROW(div, "Tensor", "(TensorOrScalar self, TensorOrScalar other, *, str? rounding_mode=None)", FX_ANY, dtype_div, BROADCAST, ROUNDED,
    lower_div, fx__vjp_div, cases_div,
    "torch.ops.aten.div.Scalar torch.ops.aten.div.Tensor_mode torch.ops.aten.div.Scalar_mode torch.ops.aten.true_divide.Tensor "
    "torch.div torch.divide torch.true_divide operator.truediv method:div method:divide method:__truediv__",
    "Div");
ROW(hardsigmoid, "default", "(Tensor self)", FX_FLOATS, SAME, KEEP, 0, lower_hardsigmoid, NULL, cases_unary,
    "torch.nn.functional.hardsigmoid", "HardSigmoid");
ROW(hardswish, "default", "(Tensor self)", FX_FLOATS, SAME, KEEP, 0, lower_hardswish, NULL, cases_unary,
    "torch.nn.functional.hardswish", "HardSwish");
ROW(hardtanh, "default", "(Tensor self, Scalar min_val=-1, Scalar max_val=1)", FX_NUMBERS, SAME, KEEP, EXACT, lower_clamp, NULL,
    cases_hardtanh, "torch.nn.functional.hardtanh", "");
ROW(leaky_relu, "default", "(Tensor self, Scalar negative_slope=0.01)", FX_FLOATS, SAME, KEEP, 0, lower_leaky_relu, NULL,
    cases_leaky_relu, "torch.nn.functional.leaky_relu", "LeakyRelu");
ROW(masked_fill, "Scalar", "(Tensor self, Tensor mask, TensorOrScalar value)", FX_ANY, dtype_masked_fill, BROADCAST, EXACT,
    lower_masked_fill, NULL, cases_masked_fill, "torch.ops.aten.masked_fill.Tensor torch.masked_fill method:masked_fill", "");
ROW(pow, "Tensor_Scalar", "(TensorOrScalar self, TensorOrScalar exponent)", FX_NUMBERS, PROMOTE, BROADCAST, 0, lower_pow, NULL,
    cases_pow, "torch.ops.aten.pow.Tensor_Tensor torch.ops.aten.pow.Scalar torch.pow operator.pow method:pow method:__pow__",
    "Pow");
ROW(reciprocal, "default", "(Tensor self)", FX_ANY, FLOAT, KEEP, ROUNDED, lower_reciprocal, NULL, cases_unary,
    "torch.reciprocal method:reciprocal", "Reciprocal");
ROW(relu6, "default", "(Tensor self)", FX_NUMBERS, SAME, KEEP, EXACT, lower_relu6, NULL, cases_unary, "torch.nn.functional.relu6",
    "");
ROW(rsqrt, "default", "(Tensor self)", FX_ANY, FLOAT, KEEP, 0, lower_rsqrt, NULL, cases_unary, "torch.rsqrt method:rsqrt", "");
ROW(_to_copy, "default",
    "(Tensor self, ScalarType? dtype=None, *, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool "
    "non_blocking=False, "
    "MemoryFormat? memory_format=None)",
    FX_ANY, dtype_to_copy, KEEP, ROUNDED, lower_to_copy, NULL, cases_to_copy,
    "torch.ops.aten.to.dtype torch.ops.prims.convert_element_type.default method:to", "Cast");
ROW(where, "self", "(Tensor condition, TensorOrScalar self, TensorOrScalar other)", FX_BIT(BOOL), dtype_where, BROADCAST, EXACT,
    lower_where, NULL, cases_where,
    "torch.ops.aten.where.ScalarSelf torch.ops.aten.where.ScalarOther torch.ops.aten.where.Scalar torch.where", "Where");
