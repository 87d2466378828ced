/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_ref.c: element by element: convert to the common dtype, apply, store. */
#include "ir/ops/pointwise_ref.h"
#include <math.h>
#include <string.h>

/* ---- Operands: a tensor, or a number that stands for one ------------------------------------------------------------------ */

typedef struct operand {
    const fx_tensor *tensor; /* NULL: a number */
    fx_dtype dtype;
    fx_imm number;
} operand;

static operand operand_of(const fx_rt_arg *arg)
{
    if (arg->kind == FX_RT_TENSOR) return (operand){arg->u.tensor, arg->u.tensor->dtype, {0}};
    if (arg->kind == FX_RT_FLOAT) return (operand){NULL, FX_F64, {.f = arg->u.f}};
    return (operand){NULL, FX_I64, {.i = arg->u.i}};
}

/* The operand's element at a coordinate of the result, as `dtype`. */
static fx_imm operand_at(const operand *from, fx_dtype dtype, int32_t rank, const int64_t *at)
{
    fx_imm value = from->tensor ? fx__scalar_load(from->dtype, fx__ref_bcast(from->tensor, rank, at)) : from->number;
    return fx__scalar_cast(from->dtype, dtype, value);
}

static double number_of(const fx_rt_arg *arg)
{
    operand number = operand_of(arg);
    return fx__scalar_to_double(number.dtype, number.number);
}

static void promote(fx_promotion *promotion, const operand *from)
{
    if (from->tensor)
        fx__promotion_add(promotion, from->tensor->rank ? FX_OPERAND_DIMS : FX_OPERAND_ZERO_DIM, from->dtype);
    else
        fx__promotion_add(promotion, FX_OPERAND_NUMBER, from->dtype == FX_F64 ? FX_F32 : from->dtype);
}

/* Comparisons work in their operands' common dtype, all else in the result's. */
static fx_dtype common_dtype(fx_scalar_op op, const operand *a, const operand *b, const fx_tensor *result)
{
    if (!fx__scalar_is_comparison(op)) return result->dtype;
    fx_promotion promotion = FX_PROMOTION_EMPTY;
    promote(&promotion, a);
    promote(&promotion, b);
    return fx__promotion_result(&promotion);
}

/* ---- Rows of scalar.def --------------------------------------------------------------------------------------------------- */

static fx_status unary(fx_scalar_op op, const fx_rt_arg *args, fx_tensor *result)
{
    operand a = operand_of(&args[0]);
    fx_dtype dtype = common_dtype(op, &a, &a, result);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        fx_imm value = operand_at(&a, dtype, result->rank, at);
        fx__ref_store(result, at, fx__scalar_apply(op, dtype, value, value));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static fx_status binary(fx_scalar_op op, const fx_rt_arg *left, const fx_rt_arg *right, fx_tensor *result)
{
    operand a = operand_of(left), b = operand_of(right);
    fx_dtype dtype = common_dtype(op, &a, &b, result);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    op = fx__scalar_on(op, dtype);
    do {
        fx_imm x = operand_at(&a, dtype, result->rank, at), y = operand_at(&b, dtype, result->rank, at);
        fx__ref_store(result, at, fx__scalar_apply(op, dtype, x, y));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

#define REF_UNARY(name, scalar)                                                                                                    \
    fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results)                                                            \
    {                                                                                                                              \
        return unary(FX_SCALAR_##scalar, args, results);                                                                           \
    }
#define REF_BINARY(name, scalar)                                                                                                   \
    fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results)                                                            \
    {                                                                                                                              \
        return binary(FX_SCALAR_##scalar, &args[0], &args[1], results);                                                            \
    }
FX_POINTWISE_UNARY(REF_UNARY)
FX_POINTWISE_BINARY(REF_BINARY)

/* ---- Sums with alpha ------------------------------------------------------------------------------------------------------ */

/* left op alpha * right */
static fx_status scaled(fx_scalar_op op, const fx_rt_arg *left, const fx_rt_arg *right, const fx_rt_arg *alpha, fx_tensor *result)
{
    operand a = operand_of(left), b = operand_of(right), scale = operand_of(alpha);
    fx_dtype dtype = result->dtype;
    fx_scalar_op apply = fx__scalar_on(op, dtype), times = fx__scalar_on(FX_SCALAR_MUL, dtype);
    fx_imm factor = fx__scalar_cast(scale.dtype, dtype, scale.number);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        fx_imm x = operand_at(&a, dtype, result->rank, at), y = operand_at(&b, dtype, result->rank, at);
        fx__ref_store(result, at, fx__scalar_apply(apply, dtype, x, fx__scalar_apply(times, dtype, y, factor)));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__ref_add(const fx_rt_arg *args, fx_tensor *results)
{
    return scaled(FX_SCALAR_ADD, &args[0], &args[1], &args[2], results);
}

fx_status fx__ref_sub(const fx_rt_arg *args, fx_tensor *results)
{
    return scaled(FX_SCALAR_SUB, &args[0], &args[1], &args[2], results);
}

fx_status fx__ref_rsub(const fx_rt_arg *args, fx_tensor *results)
{
    return scaled(FX_SCALAR_SUB, &args[1], &args[0], &args[2], results);
}

static double error_at(const fx_rt_arg *error, int32_t rank, const int64_t *at)
{
    return error->kind == FX_RT_TENSOR ? *(const double *)fx__ref_bcast(error->u.tensor, rank, at) : 0;
}

/* e(a) + |alpha| e(b), the rounding of the product (unless alpha is 1) and that of the sum. */
static fx_status bound_scaled(const fx_rt_bound *call, int32_t left, int32_t right)
{
    const fx_tensor *result = call->results;
    operand b = operand_of(&call->args[right]);
    double alpha = fabs(number_of(&call->args[2]));
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        double product = alpha == 1 ? 0 : alpha * fabs(operand_at(&b, FX_F64, result->rank, at).f);
        double error =
            error_at(&call->arg_errors[left], result->rank, at) + alpha * error_at(&call->arg_errors[right], result->rank, at);
        fx__ref_set(call->errors, at, error + call->eps * (product + fabs(fx__ref_get(result, at))));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__bound_equality(const fx_rt_bound *call)
{
    const fx_tensor *result = call->results;
    operand a = operand_of(&call->args[0]), b = operand_of(&call->args[1]);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        double x = operand_at(&a, FX_F64, result->rank, at).f, y = operand_at(&b, FX_F64, result->rank, at).f;
        double reach = error_at(&call->arg_errors[0], result->rank, at) + error_at(&call->arg_errors[1], result->rank, at);
        fx__ref_set(call->errors, at, reach > 0 && !(fabs(x - y) > reach) ? 1 : 0);
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* How far floor(x / y) may be off; |y| at most, and the error of x - floor(x / y) * y while it is not. */
static double quotient_slack(const fx_rt_bound *call, const operand *a, const operand *b, const int64_t *at, double *out_y,
                             double *out_error)
{
    int32_t rank = call->results->rank;
    double x = operand_at(a, FX_F64, rank, at).f, y = operand_at(b, FX_F64, rank, at).f;
    double ex = error_at(&call->arg_errors[0], rank, at), ey = error_at(&call->arg_errors[1], rank, at);
    double quotient = x / y, slack = (ex + fabs(quotient) * ey) / fmax(fabs(y) - ey, 0) + 2 * call->eps * fabs(quotient);
    *out_y = fabs(y) + ey;
    *out_error = ex + fmax(fabs(quotient), fabs(floor(quotient))) * ey;
    return floor(quotient + slack) - floor(quotient - slack);
}

/* A floored quotient jumps by whole numbers wherever the error reaches the next one. */
fx_status fx__bound_floor_divide(const fx_rt_bound *call)
{
    const fx_tensor *result = call->results;
    operand a = operand_of(&call->args[0]), b = operand_of(&call->args[1]);
    int64_t at[FX_RANK] = {0};
    double y, error;
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_set(call->errors, at, quotient_slack(call, &a, &b, at, &y, &error));
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* x - floor(x / y) * y: the operands' errors, the jumps of the quotient, and four roundings. */
fx_status fx__bound_remainder(const fx_rt_bound *call)
{
    const fx_tensor *result = call->results;
    operand a = operand_of(&call->args[0]), b = operand_of(&call->args[1]);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        double y, error, jumps = quotient_slack(call, &a, &b, at, &y, &error);
        fx__ref_set(call->errors, at, error + (jumps > 0 ? y : 0) + 8 * call->eps * fabs(fx__ref_get(result, at)));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* x - trunc(x / y) * y: as above; the quotient also jumps where its sign may change, but there both pieces meet at 0. */
fx_status fx__bound_fmod(const fx_rt_bound *call)
{
    return fx__bound_remainder(call);
}

/* ---- Sine and its kin: differences at the ends of an interval say nothing once it holds a turn ------------------------------- */

typedef double (*function_bound)(double x, double error);

/* The rule's error and 4 ulp. */
static fx_status bound_by(function_bound rule, const fx_rt_bound *call)
{
    const fx_tensor *result = call->results;
    operand a = operand_of(&call->args[0]);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        double moved = rule(operand_at(&a, FX_F64, result->rank, at).f, error_at(&call->arg_errors[0], result->rank, at));
        double own = 8 * call->eps * fabs(fx__ref_get(result, at));
        fx__ref_set(call->errors, at, moved + (isfinite(own) ? own : 0) + 4 * fx__ref_tiny(result->dtype));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* |sin'| <= 1, and no two values are more than 2 apart; an argument that may be infinite has no sine. */
static double circle_moves(double x, double error)
{
    return !isfinite(x) || error == 0 ? 0 : isfinite(error) ? fmin(error, 2) : INFINITY;
}

/* Between two poles the ends are the extremes. */
static double tangent_moves(double x, double error)
{
    const double pi = 3.14159265358979323846;
    if (!isfinite(x) || error == 0) return 0;
    if (!(floor((x - error) / pi - 0.5) == floor((x + error) / pi - 0.5))) return INFINITY;
    return fmax(fabs(tan(x + error) - tan(x)), fabs(tan(x - error) - tan(x)));
}

fx_status fx__bound_circle(const fx_rt_bound *call)
{
    return bound_by(circle_moves, call);
}
fx_status fx__bound_tangent(const fx_rt_bound *call)
{
    return bound_by(tangent_moves, call);
}

fx_status fx__bound_alpha(const fx_rt_bound *call)
{
    return bound_scaled(call, 0, 1);
}
fx_status fx__bound_alpha_reverse(const fx_rt_bound *call)
{
    return bound_scaled(call, 1, 0);
}

/* ---- Quotients and powers ------------------------------------------------------------------------------------------------- */

static fx_imm divide_truncating(fx_dtype dtype, fx_imm x, fx_imm y)
{
    fx_imm quotient = fx__scalar_apply(FX_SCALAR_DIV, dtype, x, y);
    return fx__scalar_apply(FX_SCALAR_TRUNC, dtype, quotient, quotient);
}

fx_status fx__ref_div(const fx_rt_arg *args, fx_tensor *results)
{
    const char *mode = args[2].kind == FX_RT_STR ? args[2].u.s : "";
    if (strcmp(mode, "floor") == 0) return binary(FX_SCALAR_FLOORDIV, &args[0], &args[1], results);
    if (strcmp(mode, "trunc") != 0) return binary(FX_SCALAR_DIV, &args[0], &args[1], results);
    operand a = operand_of(&args[0]), b = operand_of(&args[1]);
    fx_dtype dtype = results->dtype;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        fx_imm x = operand_at(&a, dtype, results->rank, at), y = operand_at(&b, dtype, results->rank, at);
        fx__ref_store(results, at, divide_truncating(dtype, x, y));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* By squaring, modulo 2^64; a negative exponent gives 0 except for the bases 1 and -1. */
static int64_t power_int(int64_t base, int64_t exponent)
{
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    uint64_t result = 1, factor = (uint64_t)base;
    for (; exponent; exponent >>= 1, factor *= factor)
        if (exponent & 1) result *= factor;
    return (int64_t)result;
}

/* Exponents that torch computes in another way, which differs at -0 and -inf. */
static double power(double base, double exponent)
{
    if (exponent == 0.5) return sqrt(base);
    if (exponent == -0.5) return 1 / sqrt(base);
    return pow(base, exponent);
}

fx_status fx__ref_pow(const fx_rt_arg *args, fx_tensor *results)
{
    operand a = operand_of(&args[0]), b = operand_of(&args[1]);
    fx_dtype dtype = results->dtype;
    bool is_float = fx_dtype_is_float(dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        fx_imm x = operand_at(&a, dtype, results->rank, at), y = operand_at(&b, dtype, results->rank, at);
        fx_imm value = is_float ? (fx_imm){.f = b.tensor ? pow(x.f, y.f) : power(x.f, y.f)} : (fx_imm){.i = power_int(x.i, y.i)};
        fx__ref_store(results, at, fx__scalar_cast(is_float ? FX_F64 : FX_I64, dtype, value));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* ---- Clamps --------------------------------------------------------------------------------------------------------------- */

/* lo or hi of kind NONE: no limit on that side. */
static fx_status clamp(const fx_rt_arg *value, const fx_rt_arg *lo, const fx_rt_arg *hi, fx_tensor *result)
{
    operand v = operand_of(value), low = operand_of(lo), high = operand_of(hi);
    fx_dtype dtype = result->dtype;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        fx_imm x = operand_at(&v, dtype, result->rank, at);
        if (lo->kind != FX_RT_NONE) x = fx__scalar_apply(FX_SCALAR_MAX, dtype, x, operand_at(&low, dtype, result->rank, at));
        if (hi->kind != FX_RT_NONE) x = fx__scalar_apply(FX_SCALAR_MIN, dtype, x, operand_at(&high, dtype, result->rank, at));
        fx__ref_store(result, at, x);
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static const fx_rt_arg no_limit = {.kind = FX_RT_NONE};

fx_status fx__ref_clamp(const fx_rt_arg *args, fx_tensor *results)
{
    return clamp(&args[0], &args[1], &args[2], results);
}
fx_status fx__ref_clamp_min(const fx_rt_arg *args, fx_tensor *results)
{
    return clamp(&args[0], &args[1], &no_limit, results);
}
fx_status fx__ref_clamp_max(const fx_rt_arg *args, fx_tensor *results)
{
    return clamp(&args[0], &no_limit, &args[1], results);
}
fx_status fx__ref_hardtanh(const fx_rt_arg *args, fx_tensor *results)
{
    return clamp(&args[0], &args[1], &args[2], results);
}

fx_status fx__ref_relu6(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_rt_arg lo = {.kind = FX_RT_INT, .u.i = 0}, hi = {.kind = FX_RT_INT, .u.i = 6};
    return clamp(&args[0], &lo, &hi, results);
}

/* ---- Functions of one float, in double ------------------------------------------------------------------------------------- */

typedef double (*float_function)(double x, double parameter);

static fx_status map(float_function function, const fx_rt_arg *args, double parameter, fx_tensor *result)
{
    operand a = operand_of(&args[0]);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_set(result, at, function(operand_at(&a, FX_F64, result->rank, at).f, parameter));
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static double clip6(double x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}
static double hardsigmoid(double x, double unused)
{
    return (void)unused, clip6(x + 3) / 6;
}
static double hardswish(double x, double unused)
{
    return (void)unused, x * clip6(x + 3) / 6;
}
static double leaky_relu(double x, double slope)
{
    return x < 0 ? x * slope : x;
}
static double reciprocal(double x, double unused)
{
    return (void)unused, 1 / x;
}
static double rsqrt(double x, double unused)
{
    return (void)unused, 1 / sqrt(x);
}

fx_status fx__ref_hardsigmoid(const fx_rt_arg *args, fx_tensor *results)
{
    return map(hardsigmoid, args, 0, results);
}
fx_status fx__ref_hardswish(const fx_rt_arg *args, fx_tensor *results)
{
    return map(hardswish, args, 0, results);
}
fx_status fx__ref_leaky_relu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(leaky_relu, args, number_of(&args[1]), results);
}
fx_status fx__ref_reciprocal(const fx_rt_arg *args, fx_tensor *results)
{
    return map(reciprocal, args, 0, results);
}
fx_status fx__ref_rsqrt(const fx_rt_arg *args, fx_tensor *results)
{
    return map(rsqrt, args, 0, results);
}

/* ---- Choice and conversion ------------------------------------------------------------------------------------------------ */

static fx_status choose(const fx_rt_arg *condition, const fx_rt_arg *yes, const fx_rt_arg *no, fx_tensor *result)
{
    operand c = operand_of(condition), a = operand_of(yes), b = operand_of(no);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        bool take = operand_at(&c, FX_BOOL, result->rank, at).i != 0;
        fx__ref_store(result, at, operand_at(take ? &a : &b, result->dtype, result->rank, at));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__ref_where(const fx_rt_arg *args, fx_tensor *results)
{
    return choose(&args[0], &args[1], &args[2], results);
}
fx_status fx__ref_masked_fill(const fx_rt_arg *args, fx_tensor *results)
{
    return choose(&args[1], &args[2], &args[0], results);
}

fx_status fx__ref__to_copy(const fx_rt_arg *args, fx_tensor *results)
{
    operand a = operand_of(&args[0]);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do fx__ref_store(results, at, operand_at(&a, results->dtype, results->rank, at));
    while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}
