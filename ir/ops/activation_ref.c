/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/activation_ref.c: activations element by element, in double; bounds of those whose error is not relative to the result. */
#include "ir/ops/activation_ref.h"
#include <math.h>
#include <string.h>

/* ---- Operands --------------------------------------------------------------------------------------------------------------- */

static double number_of(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_FLOAT ? arg->u.f : (double)arg->u.i;
}

/* A parameter as the type of the arithmetic holds it: where a comparison with it falls must not depend on who compares. */
static double held(const fx_tensor *result, const fx_rt_arg *arg)
{
    double value = number_of(arg);
    return result->dtype == FX_F64 ? value : (double)(float)value;
}

/* Element of a tensor (broadcast) or a number. */
static double value_at(const fx_rt_arg *arg, int32_t rank, const int64_t *at)
{
    if (arg->kind != FX_RT_TENSOR) return number_of(arg);
    return fx__scalar_to_double(arg->u.tensor->dtype,
                                fx__scalar_load(arg->u.tensor->dtype, fx__ref_bcast(arg->u.tensor, rank, at)));
}

static double error_at(const fx_rt_arg *error, int32_t rank, const int64_t *at)
{
    return error->kind == FX_RT_TENSOR && error->u.tensor->data ? *(const double *)fx__ref_bcast(error->u.tensor, rank, at) : 0;
}

/* ---- Functions of one element ----------------------------------------------------------------------------------------------- */

typedef double (*function)(double x, const double *p);

static fx_status map(function f, const fx_rt_arg *args, const double *p, fx_tensor *result)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_set(result, at, f(fx__ref_get(args[0].u.tensor, at), p));
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static double gelu(double x, const double *p)
{
    if (p[0] != 0) return 0.5 * x * (1 + tanh(0x1.9884533d43651p-1 * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1 + erf(x * 0x1.6a09e667f3bcdp-1));
}
static double elu(double x, const double *p)
{
    return x > 0 ? x * p[1] : p[0] * p[1] * expm1(x * p[2]);
}
static double celu(double x, const double *p)
{
    return x > 0 ? x : p[0] * expm1(x / p[0]);
}
static double softplus(double x, const double *p)
{
    return x * p[0] > p[1] ? x : log1p(exp(x * p[0])) / p[0];
}
static double log_sigmoid(double x, const double *p)
{
    (void)p;
    return (x < 0 ? x : x > 0 ? 0 : x) - log1p(exp(-fabs(x)));
}
static double mish(double x, const double *p)
{
    return (void)p, x > 40 ? x : x * tanh(log1p(exp(x)));
}
static double silu(double x, const double *p)
{
    return (void)p, x / (1 + exp(-x));
}
static double softsign(double x, const double *p)
{
    return (void)p, x / (1 + fabs(x));
}
static double hardshrink(double x, const double *p)
{
    return fabs(x) <= p[0] ? 0 : x;
}
static double softshrink(double x, const double *p)
{
    return x > p[0] ? x - p[0] : x < -p[0] ? x + p[0] : x * 0;
}
static double threshold(double x, const double *p)
{
    return x <= p[0] ? p[1] : x;
}
static double infinite(double x, const double *p)
{
    return (void)p, isinf(x) ? 1 : 0;
}
static double finite_value(double x, const double *p)
{
    return (void)p, isfinite(x) ? 1 : 0;
}

static double tanh_wanted(const fx_rt_arg *args)
{
    return strcmp(args[1].u.s, "tanh") == 0;
}

fx_status fx__ref_gelu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(gelu, args, (double[]){tanh_wanted(args)}, results);
}
fx_status fx__ref_elu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(elu, args, (double[]){number_of(&args[1]), number_of(&args[2]), number_of(&args[3])}, results);
}
fx_status fx__ref_selu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(elu, args, (double[]){FX_SELU_ALPHA, FX_SELU_SCALE, 1}, results);
}
fx_status fx__ref_celu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(celu, args, (double[]){number_of(&args[1])}, results);
}
fx_status fx__ref_softplus(const fx_rt_arg *args, fx_tensor *results)
{
    return map(softplus, args, (double[]){number_of(&args[1]), number_of(&args[2])}, results);
}
fx_status fx__ref_log_sigmoid(const fx_rt_arg *args, fx_tensor *results)
{
    return map(log_sigmoid, args, NULL, results);
}
fx_status fx__ref_silu(const fx_rt_arg *args, fx_tensor *results)
{
    return map(silu, args, NULL, results);
}
fx_status fx__ref_mish(const fx_rt_arg *args, fx_tensor *results)
{
    return map(mish, args, NULL, results);
}
fx_status fx__ref_softsign(const fx_rt_arg *args, fx_tensor *results)
{
    return map(softsign, args, NULL, results);
}
fx_status fx__ref_hardshrink(const fx_rt_arg *args, fx_tensor *results)
{
    return map(hardshrink, args, (double[]){held(results, &args[1])}, results);
}
fx_status fx__ref_softshrink(const fx_rt_arg *args, fx_tensor *results)
{
    return map(softshrink, args, (double[]){held(results, &args[1])}, results);
}
fx_status fx__ref_threshold(const fx_rt_arg *args, fx_tensor *results)
{
    return map(threshold, args, (double[]){held(results, &args[1]), held(results, &args[2])}, results);
}
fx_status fx__ref_isinf(const fx_rt_arg *args, fx_tensor *results)
{
    return map(infinite, args, NULL, results);
}
fx_status fx__ref_isfinite(const fx_rt_arg *args, fx_tensor *results)
{
    return map(finite_value, args, NULL, results);
}

/* ---- Numbers of any type ---------------------------------------------------------------------------------------------------- */

static fx_imm signum(fx_dtype dtype, fx_imm x)
{
    double value = fx__scalar_to_double(dtype, x);
    return fx__scalar_from_double(dtype, value > 0 ? 1 : value < 0 ? -1 : 0);
}
static fx_imm squared(fx_dtype dtype, fx_imm x)
{
    return fx__scalar_apply(FX_SCALAR_MUL, dtype, x, x);
}

static fx_status map_number(fx_imm (*f)(fx_dtype dtype, fx_imm x), const fx_rt_arg *args, fx_tensor *result)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_store(result, at, f(result->dtype, fx__ref_load(args[0].u.tensor, at)));
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__ref_sign(const fx_rt_arg *args, fx_tensor *results)
{
    return map_number(signum, args, results);
}
fx_status fx__ref_square(const fx_rt_arg *args, fx_tensor *results)
{
    return map_number(squared, args, results);
}

/* ---- Several tensors -------------------------------------------------------------------------------------------------------- */

fx_status fx__ref_prelu(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *slope = args[1].u.tensor;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        bool shared = slope->rank == 0 || slope->dim[0] == 1;
        double x = fx__ref_get(args[0].u.tensor, at), a = fx__ref_get(slope, (int64_t[]){shared ? 0 : at[1]});
        fx__ref_set(results, at, x > 0 ? x : a * x);
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

static fx_imm cast_at(const fx_rt_arg *arg, const fx_tensor *result, const int64_t *at)
{
    if (arg->kind == FX_RT_TENSOR) {
        const fx_tensor *t = arg->u.tensor;
        return fx__scalar_cast(t->dtype, result->dtype, fx__scalar_load(t->dtype, fx__ref_bcast(t, result->rank, at)));
    }
    if (arg->kind == FX_RT_FLOAT) return fx__scalar_cast(FX_F64, result->dtype, (fx_imm){.f = arg->u.f});
    return fx__scalar_cast(FX_I64, result->dtype, (fx_imm){.i = arg->u.i});
}

static fx_status add_scaled(fx_scalar_op op, const fx_rt_arg *args, fx_tensor *result)
{
    fx_dtype dtype = result->dtype;
    bool real = fx_dtype_is_float(dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        if (real) {
            double a = value_at(&args[1], result->rank, at), b = value_at(&args[2], result->rank, at);
            double term = number_of(&args[3]) * (op == FX_SCALAR_MUL ? a * b : a / b);
            fx__ref_set(result, at, value_at(&args[0], result->rank, at) + term);
        } else {
            fx_imm term = fx__scalar_apply(op, dtype, cast_at(&args[1], result, at), cast_at(&args[2], result, at));
            term = fx__scalar_apply(FX_SCALAR_MUL, dtype, cast_at(&args[3], result, at), term);
            fx__ref_store(result, at, fx__scalar_apply(FX_SCALAR_ADD, dtype, cast_at(&args[0], result, at), term));
        }
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__ref_addcmul(const fx_rt_arg *args, fx_tensor *results)
{
    return add_scaled(FX_SCALAR_MUL, args, results);
}
fx_status fx__ref_addcdiv(const fx_rt_arg *args, fx_tensor *results)
{
    return add_scaled(FX_SCALAR_DIV, args, results);
}

fx_status fx__ref_lerp(const fx_rt_arg *args, fx_tensor *results)
{
    int32_t rank = results->rank;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(rank, results->dim)) return FX_OK;
    do {
        double start = value_at(&args[0], rank, at), end = value_at(&args[1], rank, at), w = value_at(&args[2], rank, at);
        fx__ref_set(results, at, w < 0.5 ? start + w * (end - start) : end - (end - start) * (1 - w));
    } while (fx__ref_next(rank, results->dim, at));
    return FX_OK;
}

/* ---- Bounds ----------------------------------------------------------------------------------------------------------------- */

/* |gelu'| <= 1.13. The factor 1 + f has an absolute error: 4 ulp of f <= 1 are 8 eps, its argument's roundings move it by less
 * than 2 eps, the sum rounds by 2 eps: 12 eps / 2 of |x|. Two products round the result. */
fx_status fx__bound_gelu(const fx_rt_bound *call)
{
    const fx_tensor *x = call->args[0].u.tensor;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    do {
        double size = fabs(fx__ref_get(x, at)), y = fabs(fx__ref_get(call->results, at));
        double own = isfinite(size) ? call->eps * (6 * size + 2 * y) : 0;
        fx__ref_set(call->errors, at, 1.13 * error_at(&call->arg_errors[0], x->rank, at) + own);
    } while (fx__ref_next(x->rank, x->dim, at));
    return FX_OK;
}

/* x * gate(x): 8 ulp of the value; a gate below the normal range has an absolute error, of 4 steps there, which x multiplies. */
static fx_status bound_gated(function f, const fx_rt_bound *call)
{
    const fx_tensor *x = call->args[0].u.tensor;
    double tiny = fx__ref_tiny(call->results->dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    do {
        double value = fx__ref_get(x, at), y = f(value, NULL), error = error_at(&call->arg_errors[0], x->rank, at);
        double moved = fmax(fabs(f(value + error, NULL) - y), fabs(f(value - error, NULL) - y));
        double own = 16 * call->eps * fabs(y) + (4 * fabs(value) + 1) * tiny;
        if (error == 0 || !isfinite(value)) moved = 0;
        fx__ref_set(call->errors, at, (isfinite(error) ? moved : INFINITY) + (isfinite(own) ? own : 0));
    } while (fx__ref_next(x->rank, x->dim, at));
    return FX_OK;
}

/* expm1 of a scaled argument: the scale, a quotient perhaps, and the product round, which is an error of x; 6 ulp of the value. */
static fx_status bound_exponential(function f, const double *p, const fx_rt_bound *call)
{
    const fx_tensor *x = call->args[0].u.tensor;
    double tiny = fx__ref_tiny(call->results->dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    do {
        double value = fx__ref_get(x, at), y = f(value, p);
        double error = error_at(&call->arg_errors[0], x->rank, at) + 2 * call->eps * fabs(value);
        double moved = fmax(fabs(f(value + error, p) - y), fabs(f(value - error, p) - y)), own = 12 * call->eps * fabs(y) + tiny;
        if (!isfinite(value)) moved = 0;
        fx__ref_set(call->errors, at, (isnan(moved) ? INFINITY : moved) + (isfinite(own) ? own : 0));
    } while (fx__ref_next(x->rank, x->dim, at));
    return FX_OK;
}

fx_status fx__bound_elu(const fx_rt_bound *call)
{
    const fx_rt_arg *args = call->args;
    return bound_exponential(elu, (double[]){number_of(&args[1]), number_of(&args[2]), number_of(&args[3])}, call);
}
fx_status fx__bound_celu(const fx_rt_bound *call)
{
    return bound_exponential(celu, (double[]){number_of(&call->args[1])}, call);
}

fx_status fx__bound_silu(const fx_rt_bound *call)
{
    return bound_gated(silu, call);
}
fx_status fx__bound_mish(const fx_rt_bound *call)
{
    return bound_gated(mish, call);
}

/* The slope is sigmoid(beta x), at most its value at the upper end; the product beta x rounds, which is an error of x; exp and
 * log1p have 4 ulp each, the quotient a half: 17 eps. Where the choice may fall either way the two differ by less than
 * exp(-threshold) / beta, which is part of the value when threshold is small. */
fx_status fx__bound_softplus(const fx_rt_bound *call)
{
    const fx_tensor *x = call->args[0].u.tensor;
    double beta = number_of(&call->args[1]), limit = number_of(&call->args[2]), tiny = fx__ref_tiny(call->results->dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    do {
        double value = fx__ref_get(x, at), moved = error_at(&call->arg_errors[0], x->rank, at) + call->eps * fabs(value);
        double slope = 1 / (1 + exp(-(value * beta + fabs(beta) * moved)));
        double jump = fabs(value * beta - limit) <= fabs(beta) * moved ? log1p(exp(-limit)) / fabs(beta) : 0;
        if (!isfinite(value)) moved = 0;
        fx__ref_set(call->errors, at, moved * slope + jump + 17 * (call->eps * fabs(fx__ref_get(call->results, at)) + tiny));
    } while (fx__ref_next(x->rank, x->dim, at));
    return FX_OK;
}

/* The operands' errors; the term rounds three times at most, the sum once here and once in the reference. */
fx_status fx__bound_addcmul(const fx_rt_bound *call)
{
    const fx_tensor *y = call->results;
    double scale = fabs(number_of(&call->args[3]));
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(y->rank, y->dim)) return FX_OK;
    do {
        double a = fabs(value_at(&call->args[1], y->rank, at)), b = fabs(value_at(&call->args[2], y->rank, at));
        double ea = error_at(&call->arg_errors[1], y->rank, at), eb = error_at(&call->arg_errors[2], y->rank, at);
        double moved = error_at(&call->arg_errors[0], y->rank, at) + scale * (a * eb + b * ea + ea * eb);
        fx__ref_set(call->errors, at, moved + call->eps * (3 * scale * a * b + 2 * fabs(fx__ref_get(y, at))));
    } while (fx__ref_next(y->rank, y->dim, at));
    return FX_OK;
}

fx_status fx__bound_addcdiv(const fx_rt_bound *call)
{
    const fx_tensor *y = call->results;
    double scale = fabs(number_of(&call->args[3]));
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(y->rank, y->dim)) return FX_OK;
    do {
        double a = fabs(value_at(&call->args[1], y->rank, at)), b = fabs(value_at(&call->args[2], y->rank, at));
        double ea = error_at(&call->arg_errors[1], y->rank, at), eb = error_at(&call->arg_errors[2], y->rank, at), q = a / b;
        double moved = error_at(&call->arg_errors[0], y->rank, at) + scale * (ea + q * eb) / fmax(b - eb, 0);
        if (ea + eb == 0) moved = error_at(&call->arg_errors[0], y->rank, at);
        fx__ref_set(call->errors, at, moved + call->eps * (3 * scale * q + 2 * fabs(fx__ref_get(y, at))));
    } while (fx__ref_next(y->rank, y->dim, at));
    return FX_OK;
}

/* Both forms are the same number; their roundings are relative to the ends: the way and its part round, 1 - w rounds, the sum
 * rounds here and in the reference. */
fx_status fx__bound_lerp(const fx_rt_bound *call)
{
    const fx_tensor *y = call->results;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(y->rank, y->dim)) return FX_OK;
    do {
        double s = value_at(&call->args[0], y->rank, at), e = value_at(&call->args[1], y->rank, at);
        double w = value_at(&call->args[2], y->rank, at), es = error_at(&call->arg_errors[0], y->rank, at);
        double ee = error_at(&call->arg_errors[1], y->rank, at), ew = error_at(&call->arg_errors[2], y->rank, at);
        double moved = (fabs(1 - w) + ew) * es + (fabs(w) + ew) * ee + fabs(e - s) * ew;
        double sizes = (fabs(s) + fabs(e)) * (1 + fabs(w));
        fx__ref_set(call->errors, at, moved + call->eps * (4 * sizes + 2 * fabs(fx__ref_get(y, at))));
    } while (fx__ref_next(y->rank, y->dim, at));
    return FX_OK;
}
