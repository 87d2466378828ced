/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/activation.c: element-wise functions of neural networks that are short expressions of the rows of scalar.def. */
#include "ir/ops/activation_ref.h"
#include "ir/ops/pointwise_row.h"
#include <math.h>
#include <string.h>

/* ---- Building expressions --------------------------------------------------------------------------------------------------- */

typedef struct maker {
    fx_pw pw;
    fx_dtype dtype; /* of the arithmetic */
    uint16_t x;
} maker;

static maker begin(fx_lower *lower, const fx_call *call)
{
    maker m = {.pw = fx__pw_begin(lower, call), .dtype = fx__scalar_compute(call->result[0].dtype)};
    m.x = fx__pw_operand(&m.pw, 0, m.dtype);
    return m;
}
static fx_status finish(const maker *m, uint16_t e)
{
    return fx__pw_finish(&m->pw, e);
}
static uint16_t arg(const maker *m, int32_t index)
{
    return fx__pw_operand(&m->pw, index, m->dtype);
}
static uint16_t number(const maker *m, double value)
{
    return fx__pw_number(&m->pw, m->dtype, value);
}
static uint16_t one(const maker *m, fx_scalar_op op, uint16_t a)
{
    return fx__kb_scalar(m->pw.k, op, a, FX_NO_EXPR);
}
static uint16_t two(const maker *m, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(m->pw.k, op, a, b);
}
static uint16_t choose(const maker *m, uint16_t condition, uint16_t a, uint16_t b)
{
    return fx__kb_select(m->pw.k, condition, a, b);
}
static uint16_t above(const maker *m, uint16_t a, double limit)
{
    return two(m, FX_SCALAR_GT, a, number(m, limit));
}

#define ADD FX_SCALAR_ADD
#define SUB FX_SCALAR_SUB
#define MUL FX_SCALAR_MUL
#define DIV FX_SCALAR_DIV

/* ---- gelu ------------------------------------------------------------------------------------------------------------------- */

static bool by_tanh(const fx_call *call)
{
    return strcmp(call->arg[1].u.s, "tanh") == 0;
}

static fx_status dtype_gelu(fx_call *call)
{
    if (!by_tanh(call) && strcmp(call->arg[1].u.s, "none") != 0)
        return fx__call_error(call, FX_E_ARG, "approximate is '%s'; 'none' and 'tanh' are known", call->arg[1].u.s);
    return fx__rule_dtype_same(call);
}

/* x / 2 (1 + f), f = erf(x / sqrt(2)) or tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
static fx_status lower_gelu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t f;
    if (by_tanh(call)) {
        uint16_t cubic = two(&m, MUL, two(&m, MUL, m.x, m.x), number(&m, 0.044715));
        uint16_t inner = two(&m, MUL, m.x, two(&m, ADD, cubic, number(&m, 1)));
        f = one(&m, FX_SCALAR_TANH, two(&m, MUL, inner, number(&m, 0x1.9884533d43651p-1)));
    } else {
        f = one(&m, FX_SCALAR_ERF, two(&m, MUL, m.x, number(&m, 0x1.6a09e667f3bcdp-1)));
    }
    return finish(&m, two(&m, MUL, two(&m, MUL, m.x, number(&m, 0.5)), two(&m, ADD, f, number(&m, 1))));
}

/* ---- Exponential units ------------------------------------------------------------------------------------------------------ */

/* x > 0 ? x * positive : expm1(x * inner) * negative; FX_NO_EXPR: times 1 */
static fx_status exponential_unit(const maker *m, uint16_t positive, uint16_t inner, uint16_t negative)
{
    uint16_t scaled = inner == FX_NO_EXPR ? m->x : two(m, MUL, m->x, inner);
    uint16_t low = two(m, MUL, one(m, FX_SCALAR_EXPM1, scaled), negative);
    uint16_t high = positive == FX_NO_EXPR ? m->x : two(m, MUL, m->x, positive);
    return finish(m, choose(m, above(m, m->x, 0), high, low));
}

static fx_status lower_elu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    double alpha = fx__call_float(call, 1), scale = fx__call_float(call, 2);
    return exponential_unit(&m, scale == 1 ? FX_NO_EXPR : arg(&m, 2), fx__call_float(call, 3) == 1 ? FX_NO_EXPR : arg(&m, 3),
                            number(&m, alpha * scale));
}

static fx_status lower_selu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return exponential_unit(&m, number(&m, FX_SELU_SCALE), FX_NO_EXPR, number(&m, FX_SELU_ALPHA * FX_SELU_SCALE));
}

static fx_status lower_celu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return exponential_unit(&m, FX_NO_EXPR, number(&m, 1 / fx__call_float(call, 1)), arg(&m, 1));
}

/* ---- Logarithmic and rational ----------------------------------------------------------------------------------------------- */

/* beta x > threshold ? x : log1p(exp(beta x)) / beta */
static fx_status lower_softplus(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t scaled = two(&m, MUL, m.x, arg(&m, 1));
    uint16_t soft = two(&m, DIV, one(&m, FX_SCALAR_LOG1P, one(&m, FX_SCALAR_EXP, scaled)), arg(&m, 1));
    return finish(&m, choose(&m, two(&m, FX_SCALAR_GT, scaled, arg(&m, 2)), m.x, soft));
}

/* min(x, 0) - log1p(exp(-|x|)) */
static fx_status lower_log_sigmoid(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t power = one(&m, FX_SCALAR_EXP, one(&m, FX_SCALAR_NEG, one(&m, FX_SCALAR_ABS, m.x)));
    return finish(&m, two(&m, SUB, two(&m, FX_SCALAR_MIN, m.x, number(&m, 0)), one(&m, FX_SCALAR_LOG1P, power)));
}

/* tanh(log(1 + z)) is n / (n + 2) with n = z (z + 2); from 20 on it is 1 */
static fx_status lower_mish(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t z = one(&m, FX_SCALAR_EXP, m.x), n = two(&m, MUL, z, two(&m, ADD, z, number(&m, 2)));
    uint16_t gate = two(&m, DIV, n, two(&m, ADD, n, number(&m, 2)));
    return finish(&m, choose(&m, above(&m, m.x, 20), m.x, two(&m, MUL, m.x, gate)));
}

static fx_status lower_silu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return finish(&m, two(&m, MUL, m.x, one(&m, FX_SCALAR_SIGMOID, m.x)));
}

static fx_status lower_softsign(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return finish(&m, two(&m, DIV, m.x, two(&m, ADD, one(&m, FX_SCALAR_ABS, m.x), number(&m, 1))));
}

/* ---- Thresholds ------------------------------------------------------------------------------------------------------------- */

static fx_status lower_hardshrink(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t inside = two(&m, FX_SCALAR_LE, one(&m, FX_SCALAR_ABS, m.x), arg(&m, 1));
    return finish(&m, choose(&m, inside, number(&m, 0), m.x));
}

/* Inside: x * 0, which keeps NaN. */
static fx_status lower_softshrink(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t limit = arg(&m, 1), low = two(&m, FX_SCALAR_LT, m.x, one(&m, FX_SCALAR_NEG, limit));
    uint16_t rest = choose(&m, low, two(&m, ADD, m.x, limit), two(&m, MUL, m.x, number(&m, 0)));
    return finish(&m, choose(&m, two(&m, FX_SCALAR_GT, m.x, limit), two(&m, SUB, m.x, limit), rest));
}

static fx_status lower_threshold(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return finish(&m, choose(&m, two(&m, FX_SCALAR_LE, m.x, arg(&m, 1)), arg(&m, 2), m.x));
}

/* NaN has no sign: 0. */
static fx_status lower_sign(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t zero = number(&m, 0), low = choose(&m, two(&m, FX_SCALAR_LT, m.x, zero), number(&m, -1), zero);
    return finish(&m, choose(&m, above(&m, m.x, 0), number(&m, 1), low));
}

static fx_status against_infinity(fx_lower *lower, const fx_call *call, fx_scalar_op op)
{
    fx_dtype dtype = fx__scalar_compute(fx__call_type(call, 0)->dtype);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t size = fx__kb_scalar(pw.k, FX_SCALAR_ABS, fx__pw_operand(&pw, 0, dtype), FX_NO_EXPR);
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, op, size, fx__pw_number(&pw, dtype, INFINITY)));
}
static fx_status lower_isinf(fx_lower *lower, const fx_call *call)
{
    return against_infinity(lower, call, FX_SCALAR_EQ);
}
static fx_status lower_isfinite(fx_lower *lower, const fx_call *call)
{
    return against_infinity(lower, call, FX_SCALAR_LT);
}

/* ---- Products ---------------------------------------------------------------------------------------------------------------- */

static fx_status lower_square(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    return finish(&m, two(&m, MUL, m.x, m.x));
}

/* self + value * a op b */
static fx_status add_scaled(fx_lower *lower, const fx_call *call, fx_scalar_op op)
{
    maker m = begin(lower, call);
    uint16_t term = two(&m, op, arg(&m, 1), arg(&m, 2));
    if (fx__call_float(call, 3) != 1) term = two(&m, MUL, arg(&m, 3), term);
    return finish(&m, two(&m, ADD, m.x, term));
}
static fx_status lower_addcmul(fx_lower *lower, const fx_call *call)
{
    return add_scaled(lower, call, MUL);
}
static fx_status lower_addcdiv(fx_lower *lower, const fx_call *call)
{
    return add_scaled(lower, call, DIV);
}

/* From the nearer end, so that weights 0 and 1 are exact. */
static fx_status lower_lerp(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    uint16_t end = arg(&m, 1), weight = arg(&m, 2), way = two(&m, SUB, end, m.x);
    uint16_t ahead = two(&m, ADD, m.x, two(&m, MUL, weight, way));
    uint16_t back = two(&m, SUB, end, two(&m, MUL, way, two(&m, SUB, number(&m, 1), weight)));
    return finish(&m, choose(&m, two(&m, FX_SCALAR_LT, weight, number(&m, 0.5)), ahead, back));
}

/* One slope, or one per channel (dim 1). */
static fx_status shape_prelu(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *slope = fx__call_type(call, 1);
    fx_dim channels = x->rank > 1 ? x->dim[1] : 1, have = slope->rank == 0 ? 1 : slope->dim[0];
    if (slope->rank > 1 || (have != 1 && have != channels))
        return fx__call_error(call, FX_E_SHAPE, "prelu: weight must have one element, or one per channel");
    return fx__rule_shape_same(call);
}

static fx_status lower_prelu(fx_lower *lower, const fx_call *call)
{
    maker m = begin(lower, call);
    const fx_type *slope = fx__call_type(call, 1);
    bool shared = slope->rank == 0 || slope->dim[0] == 1;
    fx_index at[FX_RANK] = {shared ? fx__index_const(0) : m.pw.at[1]};
    uint16_t weight = fx__kb_cast(m.pw.k, m.dtype, fx__kb_load(m.pw.k, fx__lower_arg(lower, call, 1), at));
    return finish(&m, choose(&m, above(&m, m.x, 0), m.x, two(&m, MUL, weight, m.x)));
}

/* ---- Cases ------------------------------------------------------------------------------------------------------------------ */

static const fx_case cases_unary[] = {
    {"(f32[2, 3])", NULL}, {"(f32[])", "scalar"}, {"(f32[0, 4])", "empty"}, {"(f32[3, 65])", "tails"}, {NULL, NULL},
};
static const fx_case cases_gelu[] = {
    {"(f32[2, 3], 'none')", NULL}, {"(f32[3, 65], 'none')", "tails"}, {"(f32[3, 65], 'tanh')", "tanh"},
    {"(f32[], 'tanh')", "scalar"}, {"(f32[0], 'none')", "empty"},     {NULL, NULL},
};
static const fx_case cases_elu[] = {
    {"(f32[2, 3], 1, 1, 1)", NULL},
    {"(f32[3, 65], 0.5, 1.5, 0.75)", "scales"},
    {"(f32[0], 1, 1, 1)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_one_number[] = {
    {"(f32[2, 3], 0.5)", NULL}, {"(f32[3, 65], 1.25)", "tails"}, {"(f32[], 1)", "scalar"}, {"(f32[0], 1)", "empty"}, {NULL, NULL},
};
static const fx_case cases_two_numbers[] = {
    {"(f32[2, 3], 1, 20)", NULL},
    {"(f32[3, 65], 2, 0.5)", "tails"},
    {"(f32[], 1, 20)", "scalar"},
    {"(f32[0], 1, 20)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_addc[] = {
    {"(f32[2, 3], f32[2, 3], f32[2, 3], 1)", NULL},
    {"(f32[3, 65], f32[65], f32[3, 1], -0.5)", "broadcast"},
    {"(f32[0], f32[0], f32[1], 1)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_lerp[] = {
    {"(f32[2, 3], f32[2, 3], 0.25)", NULL},
    {"(f32[3, 65], f32[65], 0.75)", "broadcast"},
    {"(f32[4], f32[4], f32[4])", "tensor"},
    {"(f32[0], f32[0], 1)", "empty"},
    {NULL, NULL},
};
static const fx_case cases_prelu[] = {
    {"(f32[2, 3, 5], f32[3])", NULL},
    {"(f32[3, 65], f32[1])", "shared"},
    {"(f32[], f32[])", "scalar"},
    {"(f32[0, 2], f32[2])", "empty"},
    {NULL, NULL},
};

/* ---- Rows ------------------------------------------------------------------------------------------------------------------- */

#define F "torch.nn.functional."
#define ACTIVATION(name_, schema_, ulp_, cases_, names_, onnx_, ...)                                                               \
    ROW(name_, "default", schema_, FX_FLOATS, SAME, KEEP, ulp_, lower_##name_, NULL, cases_, names_, onnx_, __VA_ARGS__)
#define PRODUCT(name_, schema_, dtypes_, names_, cases_)                                                                           \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ ".default",                                                    \
                                 .schema = #name_ schema_ " -> Tensor",                                                            \
                                 .names = "torch." #name_ " method:" #name_ names_,                                                \
                                 .onnx = "",                                                                                       \
                                 .family = "element-wise",                                                                         \
                                 .dtypes = dtypes_,                                                                                \
                                 .dtype = PROMOTE,                                                                                 \
                                 .shape = BROADCAST,                                                                               \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .bound = fx__bound_##name_,                                                                       \
                                 .lower = lower_##name_,                                                                           \
                                 .cases = cases_}

ACTIVATION(celu, "(Tensor self, Scalar alpha=1.0)", 6, cases_one_number, F "celu torch.celu", "Celu", .bound = fx__bound_celu);
ACTIVATION(elu, "(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1)", 6, cases_elu, F "elu", "Elu",
           .bound = fx__bound_elu);
ACTIVATION(hardshrink, "(Tensor self, Scalar lambd=0.5)", EXACT, cases_one_number, F "hardshrink torch.hardshrink", "");
ACTIVATION(log_sigmoid, "(Tensor self)", 6, cases_unary, F "logsigmoid", "");
ACTIVATION(mish, "(Tensor self)", 8, cases_unary, F "mish", "", .bound = fx__bound_mish);
ACTIVATION(selu, "(Tensor self)", 6, cases_unary, F "selu torch.selu", "Selu");
ACTIVATION(silu, "(Tensor self)", 6, cases_unary, F "silu", "", .bound = fx__bound_silu);
ACTIVATION(softshrink, "(Tensor self, Scalar lambd=0.5)", 1, cases_one_number, F "softshrink", "");
ACTIVATION(softsign, "(Tensor self)", 0, cases_unary, F "softsign", "Softsign");
ACTIVATION(threshold, "(Tensor self, Scalar threshold, Scalar value)", EXACT, cases_two_numbers, F "threshold torch.threshold",
           "ThresholdedRelu");

const fx_op fx_op_gelu = {
    .name = "gelu",
    .target = "torch.ops.aten.gelu.default",
    .schema = "gelu(Tensor self, *, str approximate='none') -> Tensor",
    .names = F "gelu torch._C._nn.gelu",
    .onnx = "",
    .family = "element-wise",
    .dtypes = FX_FLOATS,
    .dtype = dtype_gelu,
    .shape = KEEP,
    .reference = fx__ref_gelu,
    .bound = fx__bound_gelu,
    .lower = lower_gelu,
    .cases = cases_gelu,
};

const fx_op fx_op_softplus = {
    .name = "softplus",
    .target = "torch.ops.aten.softplus.default",
    .schema = "softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
    .names = F "softplus torch._C._nn.softplus",
    .onnx = "Softplus",
    .family = "element-wise",
    .dtypes = FX_FLOATS,
    .dtype = SAME,
    .shape = KEEP,
    .reference = fx__ref_softplus,
    .bound = fx__bound_softplus,
    .lower = lower_softplus,
    .cases = cases_two_numbers,
};

ROW(isfinite, "default", "(Tensor self)", FX_FLOATS, BOOLEAN, KEEP, EXACT, lower_isfinite, NULL, cases_unary,
    "torch.isfinite method:isfinite", "");
ROW(isinf, "default", "(Tensor self)", FX_FLOATS, BOOLEAN, KEEP, EXACT, lower_isinf, NULL, cases_unary, "torch.isinf method:isinf",
    "IsInf");
ROW(prelu, "default", "(Tensor self, Tensor weight)", FX_FLOATS, SAME, shape_prelu, ROUNDED, lower_prelu, NULL, cases_prelu,
    F "prelu torch.prelu method:prelu", "PRelu");
ROW(sign, "default", "(Tensor self)", FX_NUMBERS, SAME, KEEP, EXACT, lower_sign, NULL, cases_unary, "torch.sign method:sign",
    "Sign");
ROW(square, "default", "(Tensor self)", FX_NUMBERS, SAME, KEEP, ROUNDED, lower_square, NULL, cases_unary,
    "torch.square method:square", "");

PRODUCT(addcdiv, "(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", FX_FLOATS, "", cases_addc);
PRODUCT(addcmul, "(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", FX_NUMBERS, "", cases_addc);
PRODUCT(lerp, "(Tensor self, Tensor end, TensorOrScalar weight)", FX_FLOATS,
        " torch.ops.aten.lerp.Scalar torch.ops.aten.lerp.Tensor", cases_lerp);
