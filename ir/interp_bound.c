/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_bound.c: how errors of a call's inputs become errors of its results. Without a rule of its own an operator gets the
 * first-order one: the reference is run in f64 with each input moved up and down by its error, which is right whenever an element
 * of the result depends on one element of each input (element-wise operators, views, copies, maxima). To that comes the
 * operator's own rounding: ulp of its row. */
#include "ir/interp.h"
#include <math.h>
#include <stdlib.h>

/* A call in f64: all tensors copied, floats and results of float type in f64. */
typedef struct wide_call {
    const fx_op *op;
    fx_rt_arg arg[FX_PARAMS];
    fx_tensor *copies; /* [n_copies], the first ones of each argument in row */
    int32_t n_copies, n_args, n_results;
    fx_tensor base[FX_RESULTS], moved[FX_RESULTS];
} wide_call;

static int32_t tensors_of(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR ? 1 : arg->kind == FX_RT_TENSORS ? arg->n : 0;
}

/* to = from + factor * error, element by element; error may be NULL. to is dense f64 of the same shape. */
static void move(fx_tensor *to, const fx_tensor *from, double factor, const fx_tensor *error)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(from->rank, from->dim)) return;
    do fx__ref_set(to, at, fx__ref_get(from, at) + (error ? factor * fx__ref_get(error, at) : 0));
    while (fx__ref_next(from->rank, from->dim, at));
}

/* Elements that may be zero within their error become zero: the truth of a number jumps there. */
static void snap(fx_tensor *to, const fx_tensor *from, const fx_tensor *error)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(from->rank, from->dim)) return;
    do {
        double value = fx__ref_get(from, at);
        fx__ref_set(to, at, fabs(value) <= fx__ref_get(error, at) ? 0 : value);
    } while (fx__ref_next(from->rank, from->dim, at));
}

static void wide_free(wide_call *wide)
{
    for (int32_t i = 0; i < wide->n_copies; i++) fx_tensor_release(&wide->copies[i]);
    free(wide->copies);
    for (int32_t r = 0; r < wide->n_results; r++) {
        fx_tensor_release(&wide->base[r]);
        fx_tensor_release(&wide->moved[r]);
    }
}

/* Floats in f64; integers as they are, since f64 does not hold all of them. */
static fx_status duplicate(fx_tensor *to, const fx_tensor *from)
{
    if (to->dtype == from->dtype) return fx_tensor_copy(to, from);
    move(to, from, 0, NULL);
    return FX_OK;
}

static fx_status widen_arg(wide_call *wide, fx_rt_arg *arg)
{
    const fx_tensor *from = arg->u.tensor;
    int32_t n = tensors_of(arg);
    if (n == 0) return FX_OK;
    arg->u.tensor = wide->copies + wide->n_copies;
    for (int32_t i = 0; i < n; i++) {
        fx_tensor *copy = &wide->copies[wide->n_copies++];
        if (!from[i].data) continue;
        fx_dtype dtype = fx_dtype_is_float(from[i].dtype) ? FX_F64 : from[i].dtype;
        FX_TRY(fx_tensor_alloc(dtype, from[i].rank, from[i].dim, copy));
        FX_TRY(duplicate(copy, &from[i]));
    }
    return FX_OK;
}

static fx_status widen(wide_call *wide, const fx_rt_arg *args, const fx_tensor *results)
{
    size_t tensors = 1;
    for (int32_t p = 0; p < wide->n_args; p++) tensors += (size_t)tensors_of(&args[p]);
    wide->copies = calloc(tensors, sizeof *wide->copies);
    if (!wide->copies) return FX_E_OOM;
    for (int32_t p = 0; p < wide->n_args; p++) {
        wide->arg[p] = args[p];
        FX_TRY(widen_arg(wide, &wide->arg[p]));
    }
    for (int32_t r = 0; r < wide->n_results; r++) {
        fx_dtype dtype = fx_dtype_is_float(results[r].dtype) ? FX_F64 : results[r].dtype;
        FX_TRY(fx_tensor_alloc(dtype, results[r].rank, results[r].dim, &wide->base[r]));
        FX_TRY(fx_tensor_alloc(dtype, results[r].rank, results[r].dim, &wide->moved[r]));
    }
    return wide->op->reference(wide->arg, wide->base);
}

/* An infinite or undefined difference is no bound at all, unless both values are the same infinity or both no number. */
static double distance(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b))) return 0;
    double d = fabs(a - b);
    return isnan(d) ? INFINITY : d;
}

/* larger[i] = max(larger[i], |moved[i] - base[i]|) */
static void note_distance(const fx_tensor *base, const fx_tensor *moved, fx_tensor *larger)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(base->rank, base->dim)) return;
    do {
        double d = distance(fx__ref_get(moved, at), fx__ref_get(base, at));
        if (d > fx__ref_get(larger, at)) fx__ref_set(larger, at, d);
    } while (fx__ref_next(base->rank, base->dim, at));
}

enum { DOWN = -1, BACK = 0, UP = 1, TO_ZERO = 2 };

static void move_arg(const wide_call *wide, int32_t p, const fx_rt_arg *arg, const fx_rt_arg *error, int direction)
{
    fx_tensor *copies = wide->copies + (wide->arg[p].u.tensor - wide->copies);
    for (int32_t i = 0; i < tensors_of(arg); i++) {
        if (!error->u.tensor[i].data) continue;
        if (direction == BACK)
            duplicate(&copies[i], &arg->u.tensor[i]);
        else if (direction == TO_ZERO)
            snap(&copies[i], &arg->u.tensor[i], &error->u.tensor[i]);
        else
            move(&copies[i], &arg->u.tensor[i], direction, &error->u.tensor[i]);
    }
}

static void add_into(fx_tensor *sum, const fx_tensor *more)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(sum->rank, sum->dim)) return;
    do fx__ref_set(sum, at, fx__ref_get(sum, at) + fx__ref_get(more, at));
    while (fx__ref_next(sum->rank, sum->dim, at));
}

static void raise_to(fx_tensor *least, const fx_tensor *other)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(least->rank, least->dim)) return;
    do {
        double a = fx__ref_get(least, at), b = fx__ref_get(other, at);
        fx__ref_set(least, at, a >= b ? a : b); /* an undefined distance wins */
    } while (fx__ref_next(least->rank, least->dim, at));
}

typedef struct argument_range {
    int32_t first, end; /* arguments that move together */
} argument_range;

static void move_range(const wide_call *wide, argument_range range, const fx_rt_arg *args, const fx_rt_arg *errors, int direction)
{
    for (int32_t p = range.first; p < range.end; p++)
        if (tensors_of(&args[p]) && errors[p].kind != FX_RT_NONE) move_arg(wide, p, &args[p], &errors[p], direction);
}

/* The largest distance from the base that moving these arguments makes, per element of each result. */
static fx_status effect_of(wide_call *wide, argument_range range, const fx_rt_arg *args, const fx_rt_arg *errors, fx_tensor *effect)
{
    static const int directions[] = {DOWN, UP, TO_ZERO};
    fx_status status = FX_OK;
    for (size_t i = 0; status == FX_OK && i < sizeof directions / sizeof directions[0]; i++) {
        move_range(wide, range, args, errors, directions[i]);
        status = wide->op->reference(wide->arg, wide->moved);
        for (int32_t r = 0; status == FX_OK && r < wide->n_results; r++) note_distance(&wide->base[r], &wide->moved[r], &effect[r]);
    }
    move_range(wide, range, args, errors, BACK);
    return status;
}

typedef void (*combine_errors)(fx_tensor *errors, const fx_tensor *effect);

static fx_status apply_effect(wide_call *wide, argument_range range, const fx_rt_arg *args, const fx_rt_arg *arg_errors,
                              combine_errors combine, fx_tensor *errors)
{
    fx_tensor effect[FX_RESULTS] = {{0}};
    fx_status status = FX_OK;
    for (int32_t r = 0; status == FX_OK && r < wide->n_results; r++)
        status = fx_tensor_alloc(FX_F64, errors[r].rank, errors[r].dim, &effect[r]);
    if (status == FX_OK) status = effect_of(wide, range, args, arg_errors, effect);
    for (int32_t r = 0; r < wide->n_results; r++) {
        if (status == FX_OK) combine(&errors[r], &effect[r]);
        fx_tensor_release(&effect[r]);
    }
    return status;
}

static fx_status bound_by_differences(const fx_op *op, const fx_rt_arg *args, const fx_rt_arg *arg_errors, const fx_tensor *results,
                                      int32_t n_results, fx_tensor *errors)
{
    wide_call wide = {.op = op, .n_results = n_results};
    fx__op_params(op, &wide.n_args);
    fx_status status = widen(&wide, args, results);
    for (int32_t p = 0; status == FX_OK && p < wide.n_args; p++)
        if (tensors_of(&args[p]) && arg_errors[p].kind != FX_RT_NONE)
            status = apply_effect(&wide, (argument_range){p, p + 1}, args, arg_errors, add_into, errors);
    /* One value may stand in several arguments: they move together too. */
    if (status == FX_OK && wide.n_args > 1)
        status = apply_effect(&wide, (argument_range){0, wide.n_args}, args, arg_errors, raise_to, errors);
    wide_free(&wide);
    return status;
}

/* Adds ulp units in the last place of each value. */
static void add_rounding(const fx_tensor *result, double ulp, fx_tensor *errors)
{
    double step = 2 * fx__ref_eps(result->dtype), tiny = fx__ref_tiny(result->dtype);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim) || !fx_dtype_is_float(result->dtype) || ulp <= 0) return;
    do {
        double value = fabs(fx__ref_get(result, at));
        if (isfinite(value)) fx__ref_set(errors, at, fx__ref_get(errors, at) + ulp * (step * value + tiny));
    } while (fx__ref_next(result->rank, result->dim, at));
}

static double own_ulp(const fx_op *op)
{
    if (op->view) return FX_ULP_EXACT;
    return op->ulp != 0 ? op->ulp : 4;
}

fx_status fx__interp_bound(const fx_op *op, const fx_rt_arg *args, const fx_rt_arg *arg_errors, const fx_tensor *results,
                           int32_t n_results, fx_tensor *errors)
{
    if (!op->bound) {
        FX_TRY(bound_by_differences(op, args, arg_errors, results, n_results, errors));
        for (int32_t r = 0; r < n_results; r++) add_rounding(&results[r], own_ulp(op), &errors[r]);
        return FX_OK;
    }
    double eps = fx__ref_eps(fx__scalar_compute(results[0].dtype));
    FX_TRY(op->bound(&(fx_rt_bound){args, arg_errors, results, errors, eps}));
    for (int32_t r = 0; r < n_results; r++)
        if (fx__scalar_compute(results[r].dtype) != results[r].dtype) add_rounding(&results[r], 0.5, &errors[r]);
    return FX_OK;
}
