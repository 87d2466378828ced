/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/reduce_ref.c: for every element of the result, one walk over the reduced coordinates. Float sums and products are long
 * double, integer ones wrap. Over nothing: the identity (0, 1, the lowest or highest value), and NaN for a mean. */
#include "ir/ops/reduce_ref.h"
#include <math.h>

/* ---- Walking --------------------------------------------------------------------------------------------------------------- */

/* Which axes of the input are reduced, and where the walk stands. */
typedef struct walk {
    const fx_tensor *in;
    bool reduced[FX_RANK], keeps;
    int64_t kept_dim[FX_RANK]; /* extent in the result, 1 for reduced axes */
    int64_t red_dim[FX_RANK];  /* extent of the reduced axes, 1 for kept ones */
    int64_t at[FX_RANK];       /* in the input */
    int64_t count;             /* elements per result */
} walk;

static void mark(walk *w, int64_t axis)
{
    int64_t d = axis < 0 ? axis + w->in->rank : axis;
    if (d >= 0 && d < w->in->rank) w->reduced[d] = true;
}

/* args: tensor, axes (None or an empty list: all), keepdim. */
static walk walk_new(const fx_rt_arg *args)
{
    walk w = {.in = args[0].u.tensor, .count = 1};
    bool all = args[1].kind == FX_RT_NONE || (args[1].kind == FX_RT_INTS && args[1].n == 0);
    if (args[1].kind == FX_RT_INT) mark(&w, args[1].u.i);
    for (int32_t i = 0; args[1].kind == FX_RT_INTS && i < args[1].n; i++) mark(&w, args[1].u.ints[i]);
    w.keeps = args[2].kind == FX_RT_INT && args[2].u.i != 0;
    for (int32_t d = 0; d < w.in->rank; d++) {
        w.reduced[d] |= all;
        w.kept_dim[d] = w.reduced[d] ? 1 : w.in->dim[d];
        w.red_dim[d] = w.reduced[d] ? w.in->dim[d] : 1;
        w.count *= w.red_dim[d];
    }
    return w;
}

/* Coordinates of the result's element that the kept coordinates name. */
static void result_at(const walk *w, const int64_t *kept, int64_t *at)
{
    int32_t n = 0;
    for (int32_t d = 0; d < w->in->rank; d++)
        if (w->keeps || !w->reduced[d]) at[n++] = kept[d];
}

static void input_at(walk *w, const int64_t *kept, const int64_t *red)
{
    for (int32_t d = 0; d < w->in->rank; d++) w->at[d] = kept[d] + red[d];
}

/* One element of the result from all elements behind it: `reduce` reads w->in at w->at after each step of the inner odometer. */
typedef struct cell {
    walk *w;
    const int64_t *kept;
} cell;

typedef void (*visitor)(void *state, const walk *w, int64_t index);

/* Calls visit for each element behind one result, in row-major order. */
static void each_element(const cell *c, visitor visit, void *state)
{
    int64_t red[FX_RANK] = {0}, index = 0;
    if (c->w->count == 0) return;
    do {
        input_at(c->w, c->kept, red);
        visit(state, c->w, index++);
    } while (fx__ref_next(c->w->in->rank, c->w->red_dim, red));
}

typedef void (*cell_function)(const cell *c, void *user, const int64_t *at);

/* Calls function for each element of the result. */
static void each_cell(walk *w, cell_function function, void *user)
{
    int64_t kept[FX_RANK] = {0}, at[FX_RANK] = {0};
    if (fx__ref_empty(w->in->rank, w->kept_dim)) return;
    do {
        result_at(w, kept, at);
        function(&(cell){w, kept}, user, at);
    } while (fx__ref_next(w->in->rank, w->kept_dim, kept));
}

/* ---- Combining ------------------------------------------------------------------------------------------------------------- */

typedef struct combination {
    fx_scalar_op op;
    fx_tensor *result;
    fx_dtype dtype;  /* of the accumulator */
    long double sum; /* ADD and MUL of floats */
    fx_imm value;    /* all else */
    bool is_mean;
} combination;

static void combine(void *state, const walk *w, int64_t index)
{
    combination *c = state;
    fx_imm element = fx__scalar_cast(w->in->dtype, c->dtype, fx__ref_load(w->in, w->at));
    bool wide = fx_dtype_is_float(c->dtype);
    (void)index;
    if (wide && c->op == FX_SCALAR_ADD)
        c->sum += element.f;
    else if (wide && c->op == FX_SCALAR_MUL)
        c->sum *= element.f;
    else
        c->value = fx__scalar_apply(c->op, c->dtype, c->value, element);
}

static double lowest_or_highest(fx_scalar_op op)
{
    return op == FX_SCALAR_MAX ? -INFINITY : INFINITY;
}

static void start(combination *c)
{
    bool is_product = c->op == FX_SCALAR_MUL || c->op == FX_SCALAR_AND;
    c->sum = is_product ? 1 : 0;
    c->value = fx__scalar_cast(FX_I64, c->dtype, (fx_imm){.i = is_product});
    if (c->op == FX_SCALAR_MAX || c->op == FX_SCALAR_MIN) c->value = fx__scalar_from_double(c->dtype, lowest_or_highest(c->op));
    if (c->dtype == FX_BOOL && c->op == FX_SCALAR_MAX) c->value.i = 0;
}

static void combine_cell(const cell *where, void *user, const int64_t *at)
{
    combination *c = user;
    start(c);
    each_element(where, combine, c);
    bool sums = fx_dtype_is_float(c->dtype) && (c->op == FX_SCALAR_ADD || c->op == FX_SCALAR_MUL);
    if (sums) c->value.f = (double)(c->is_mean ? c->sum / (long double)where->w->count : c->sum);
    fx__ref_store(c->result, at, c->value);
}

static fx_status reduce(fx_scalar_op op, const fx_rt_arg *args, fx_tensor *result, bool is_mean)
{
    walk w = walk_new(args);
    combination c = {.op = op, .result = result, .dtype = result->dtype == FX_F32 ? FX_F64 : result->dtype, .is_mean = is_mean};
    if (op == FX_SCALAR_MAX || op == FX_SCALAR_MIN) c.dtype = w.in->dtype;
    each_cell(&w, combine_cell, &c);
    return FX_OK;
}

fx_status fx__ref_sum(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce(FX_SCALAR_ADD, args, results, false);
}
fx_status fx__ref_mean(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce(FX_SCALAR_ADD, args, results, true);
}
fx_status fx__ref_prod(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce(FX_SCALAR_MUL, args, results, false);
}
fx_status fx__ref_amax(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce(FX_SCALAR_MAX, args, results, false);
}
fx_status fx__ref_amin(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce(FX_SCALAR_MIN, args, results, false);
}

/* Elements are true or not, also where the result is u8. */
static fx_status reduce_truth(fx_scalar_op op, const fx_rt_arg *args, fx_tensor *result)
{
    walk w = walk_new(args);
    combination c = {.op = op, .result = result, .dtype = FX_BOOL};
    each_cell(&w, combine_cell, &c);
    return FX_OK;
}

fx_status fx__ref_any(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce_truth(FX_SCALAR_OR, args, results);
}
fx_status fx__ref_all(const fx_rt_arg *args, fx_tensor *results)
{
    return reduce_truth(FX_SCALAR_AND, args, results);
}

/* ---- Positions of extremes: the first of equal ones; NaN is beyond everything --------------------------------------------- */

typedef struct extreme {
    fx_scalar_op better; /* GT or LT */
    fx_tensor *result;
    fx_imm best;
    int64_t where;
} extreme;

static bool is_nan(fx_dtype dtype, fx_imm value)
{
    return fx_dtype_is_float(dtype) && isnan(value.f);
}

static void consider(void *state, const walk *w, int64_t index)
{
    extreme *e = state;
    fx_dtype dtype = w->in->dtype;
    fx_imm element = fx__ref_load(w->in, w->at);
    bool wins = index == 0 ||
                (!is_nan(dtype, e->best) && (is_nan(dtype, element) || fx__scalar_apply(e->better, dtype, element, e->best).i));
    if (!wins) return;
    e->best = element;
    e->where = index;
}

static void extreme_cell(const cell *where, void *user, const int64_t *at)
{
    extreme *e = user;
    e->where = 0;
    each_element(where, consider, e);
    fx__ref_store(e->result, at, (fx_imm){.i = e->where});
}

static fx_status find_extreme(fx_scalar_op better, const fx_rt_arg *args, fx_tensor *result)
{
    walk w = walk_new(args);
    extreme e = {.better = better, .result = result};
    each_cell(&w, extreme_cell, &e);
    return FX_OK;
}

fx_status fx__ref_argmax(const fx_rt_arg *args, fx_tensor *results)
{
    return find_extreme(FX_SCALAR_GT, args, results);
}
fx_status fx__ref_argmin(const fx_rt_arg *args, fx_tensor *results)
{
    return find_extreme(FX_SCALAR_LT, args, results);
}

/* ---- Bounds ---------------------------------------------------------------------------------------------------------------- */

/* Sums over one result: of magnitudes and of errors; products of magnitudes without and with errors, and of those above 1. */
typedef struct tally {
    const fx_rt_bound *call;
    double magnitude, error, product, product_wide, growth;
} tally;

static double error_here(const tally *t, const walk *w)
{
    const fx_rt_arg *error = &t->call->arg_errors[0];
    return error->kind == FX_RT_TENSOR ? fx__ref_get(error->u.tensor, w->at) : 0;
}

static void count_element(void *state, const walk *w, int64_t index)
{
    tally *t = state;
    double size = fabs(fx__ref_get(w->in, w->at)), error = error_here(t, w);
    (void)index;
    t->magnitude += size;
    t->error += error;
    t->product *= size;
    t->product_wide *= size + error;
    t->growth *= fmax(1, size + error);
}

static tally tally_of(const cell *where, const fx_rt_bound *call)
{
    tally t = {call, 0, 0, 1, 1, 1};
    each_element(where, count_element, &t);
    return t;
}

static void sum_cell(const cell *where, void *user, const int64_t *at)
{
    const fx_rt_bound *call = user;
    tally t = tally_of(where, call);
    fx__ref_set(call->errors, at, t.error + (double)(where->w->count + 2) * call->eps * t.magnitude);
}

static void mean_cell(const cell *where, void *user, const int64_t *at)
{
    const fx_rt_bound *call = user;
    tally t = tally_of(where, call);
    double n = (double)where->w->count;
    if (n > 0) fx__ref_set(call->errors, at, (t.error + (n + 4) * call->eps * t.magnitude) / n);
}

/* In any order each product so far loses at most the smallest number below the normal range, which later factors multiply. */
static void prod_cell(const cell *where, void *user, const int64_t *at)
{
    const fx_rt_bound *call = user;
    tally t = tally_of(where, call);
    double n = (double)where->w->count, tiny = fx__ref_tiny(fx__scalar_compute(call->results->dtype));
    fx__ref_set(call->errors, at, t.product_wide - t.product + (n + 2) * call->eps * t.product_wide + n * tiny * t.growth);
}

static fx_status bound(const fx_rt_bound *call, cell_function function)
{
    fx_rt_bound copy = *call;
    walk w = walk_new(call->args);
    each_cell(&w, function, &copy);
    return FX_OK;
}

fx_status fx__bound_sum(const fx_rt_bound *call)
{
    return bound(call, sum_cell);
}
fx_status fx__bound_mean(const fx_rt_bound *call)
{
    return bound(call, mean_cell);
}
fx_status fx__bound_prod(const fx_rt_bound *call)
{
    return bound(call, prod_cell);
}

/* Any element that could be the extreme may be chosen: the distance to the farthest of them. */
typedef struct rivals {
    tally t;
    double sign, best, best_error;
    int64_t where, farthest;
} rivals;

static void note_best(void *state, const walk *w, int64_t index)
{
    rivals *r = state;
    if (index != r->where) return;
    r->best = r->sign * fx__ref_get(w->in, w->at);
    r->best_error = error_here(&r->t, w);
}

static void note_rival(void *state, const walk *w, int64_t index)
{
    rivals *r = state;
    double value = r->sign * fx__ref_get(w->in, w->at), error = error_here(&r->t, w);
    int64_t away = index > r->where ? index - r->where : r->where - index;
    bool possible = error + r->best_error > 0 && value + error >= r->best - r->best_error;
    if (possible && away > r->farthest) r->farthest = away;
}

static void rivals_cell(const cell *where, const fx_rt_bound *call, const int64_t *at, double sign)
{
    rivals r = {.t = {.call = call}, .sign = sign, .where = fx__ref_load(call->results, at).i};
    each_element(where, note_best, &r);
    each_element(where, note_rival, &r);
    fx__ref_set(call->errors, at, (double)r.farthest);
}

static void argmax_cell(const cell *where, void *user, const int64_t *at)
{
    rivals_cell(where, user, at, 1);
}
static void argmin_cell(const cell *where, void *user, const int64_t *at)
{
    rivals_cell(where, user, at, -1);
}

fx_status fx__bound_argmax(const fx_rt_bound *call)
{
    return bound(call, argmax_cell);
}
fx_status fx__bound_argmin(const fx_rt_bound *call)
{
    return bound(call, argmin_cell);
}
