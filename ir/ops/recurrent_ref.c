/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/recurrent_ref.c: one recurrent layer in one direction, batch by batch, step by step, unit by unit:
 *
 *     rnn    h' = f(x + W h)                                      f: tanh or relu
 *     lstm   i, f, g, o = x + W h;  c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c')                    s: sigmoid
 *     gru    r, z, n;  n = tanh(xn + s(r) (Wn h + b)) or tanh(xn + Wn (s(r) h) + b),  h' = (1 - s(z)) n + s(z) h
 *
 * where x, the input's part of every gate with its biases, is given. Numbers carry bounds of their errors along: those of the
 * inputs, and eps for every operation; the reference itself is the case of eps 0 and exact inputs. */
#include "ir/ops/contract_ref.h"
#include <math.h>
#include <stdlib.h>

typedef enum cell { CELL_TANH, CELL_RELU, CELL_LSTM, CELL_GRU } cell;

typedef struct num {
    long double v;
    double e; /* at most so far off */
} num;

typedef struct layer {
    cell cell;
    const fx_tensor *x, *h0, *c0, *w, *bias, *lengths;                     /* bias, lengths: NULL when there are none */
    const fx_tensor *x_error, *h0_error, *c0_error, *w_error, *bias_error; /* NULL: exact */
    bool reverse, batch_first, reset_first;
    double clip, eps; /* of gates; INFINITY: none. eps 0: no bounds are wanted */
    fx_tensor *y, *hn, *cn;
    fx_wide wide;
    int64_t steps, batch, size, width; /* width: gates * size */
    void *weight;                      /* [size][width], wide: w transposed */
    double *weight_error;              /* the same, bounds */
    void *h, *part;                    /* [size], [width], wide: the state, and W h */
    num *state, *memory;               /* [size]: h and c */
    double *part_error;                /* [width] */
} layer;

/* ---- Numbers ----------------------------------------------------------------------------------------------------------------- */

static num exact(long double v)
{
    return (num){v, 0};
}

static num add(const layer *l, num a, num b)
{
    long double v = a.v + b.v;
    return (num){v, a.e + b.e + l->eps * fabs((double)v)};
}

static num mul(const layer *l, num a, num b)
{
    long double v = a.v * b.v;
    return (num){v, fabs((double)a.v) * b.e + fabs((double)b.v) * a.e + a.e * b.e + l->eps * fabs((double)v)};
}

static num sub(const layer *l, num a, num b)
{
    return add(l, a, (num){-b.v, b.e});
}

/* Functions that rise only: between their values at the ends. 4 ulp of their own. */
static num monotone(const layer *l, long double (*function)(long double), num a)
{
    num out = exact(function(a.v));
    if (l->eps == 0) return out;
    double up = (double)(function(a.v + a.e) - out.v), down = (double)(out.v - function(a.v - a.e));
    out.e = (up > down ? up : down) + 8 * l->eps * fabs((double)out.v);
    return out;
}

static long double sigmoid(long double x)
{
    return 1 / (1 + expl(-x));
}
static long double relu(long double x)
{
    return x > 0 || isnan(x) ? x : 0;
}

static num clipped(const layer *l, num a)
{
    if (a.v > l->clip) a.v = l->clip;
    if (a.v < -l->clip) a.v = -l->clip;
    return a;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------------- */

static long double wide_get(const layer *l, const void *rows, int64_t at)
{
    return l->wide == FX_WIDE_LONG ? ((const long double *)rows)[at] : (long double)((const double *)rows)[at];
}

static void wide_set(const layer *l, void *rows, int64_t at, long double value)
{
    if (l->wide == FX_WIDE_LONG)
        ((long double *)rows)[at] = value;
    else
        ((double *)rows)[at] = (double)value;
}

static double error_at(const fx_tensor *error, const int64_t *at)
{
    return error ? fx__ref_get(error, at) : 0;
}

static num element(const layer *l, const fx_tensor *tensor, const fx_tensor *error, const int64_t *at)
{
    return (num){fx__ref_get(tensor, at), l->eps > 0 ? error_at(error, at) : 0};
}

/* Columns [from, to) of W times a state. */
static void multiply(layer *l, const num *state, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++) wide_set(l, l->part, j, 0);
    for (int64_t k = 0; k < l->size; k++) {
        wide_set(l, l->h, k, state[k].v);
        fx__contract_axpy(l->wide, l->part, from, l->h, k, l->weight, k * l->width + from, 1, to - from);
    }
    for (int64_t j = from; j < to && l->eps > 0; j++) {
        double error = 0, sum = 0;
        for (int64_t k = 0; k < l->size; k++) {
            double w = fabs((double)wide_get(l, l->weight, k * l->width + j)), of_w = l->weight_error[k * l->width + j];
            double h = fabs((double)state[k].v);
            sum += w * h;
            error += w * state[k].e + of_w * (h + state[k].e);
        }
        l->part_error[j] = error + (double)(l->size + 2) * l->eps * sum;
    }
}

static num recurrent_part(const layer *l, int64_t gate, int64_t u)
{
    int64_t j = gate * l->size + u;
    return (num){wide_get(l, l->part, j), l->eps > 0 ? l->part_error[j] : 0};
}

/* ---- Cells: unit u of batch b at time t, from l->part ------------------------------------------------------------------------ */

static num input_part(const layer *l, int64_t t, int64_t b, int64_t gate, int64_t u)
{
    const int64_t at[3] = {l->batch_first ? b : t, l->batch_first ? t : b, gate * l->size + u};
    return element(l, l->x, l->x_error, at);
}

static num gate_sum(const layer *l, int64_t t, int64_t b, int64_t gate, int64_t u)
{
    return clipped(l, add(l, input_part(l, t, b, gate, u), recurrent_part(l, gate, u)));
}

static num lstm_unit(const layer *l, int64_t t, int64_t b, int64_t u)
{
    num i = monotone(l, sigmoid, gate_sum(l, t, b, 0, u)), f = monotone(l, sigmoid, gate_sum(l, t, b, 1, u));
    num g = monotone(l, tanhl, gate_sum(l, t, b, 2, u)), o = monotone(l, sigmoid, gate_sum(l, t, b, 3, u));
    l->memory[u] = add(l, mul(l, f, l->memory[u]), mul(l, i, g));
    return mul(l, o, monotone(l, tanhl, l->memory[u]));
}

static num gru_bias(const layer *l, int64_t u)
{
    return l->bias ? element(l, l->bias, l->bias_error, &u) : exact(0);
}

static num gru_unit(const layer *l, int64_t t, int64_t b, int64_t u)
{
    num z = monotone(l, sigmoid, gate_sum(l, t, b, 1, u)), hidden = add(l, recurrent_part(l, 2, u), gru_bias(l, u));
    if (!l->reset_first) hidden = mul(l, monotone(l, sigmoid, gate_sum(l, t, b, 0, u)), hidden);
    num n = monotone(l, tanhl, clipped(l, add(l, input_part(l, t, b, 2, u), hidden)));
    return add(l, n, mul(l, z, sub(l, l->state[u], n)));
}

static num new_unit(const layer *l, int64_t t, int64_t b, int64_t u)
{
    if (l->cell == CELL_LSTM) return lstm_unit(l, t, b, u);
    if (l->cell == CELL_GRU) return gru_unit(l, t, b, u);
    return monotone(l, l->cell == CELL_TANH ? tanhl : relu, gate_sum(l, t, b, 0, u));
}

/* The reset gate may come before the product: then it has a product of its own. */
static void multiply_reset(layer *l, int64_t t, int64_t b, num *scaled)
{
    for (int64_t u = 0; u < l->size; u++) scaled[u] = mul(l, monotone(l, sigmoid, gate_sum(l, t, b, 0, u)), l->state[u]);
    multiply(l, scaled, 2 * l->size, 3 * l->size);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------------- */

static num stored(const layer *l, num a)
{
    a.e += l->eps * fabs((double)a.v);
    return a;
}

/* What tanh made never leaves [-1, 1]: two such numbers are at most 2 apart. */
static num stored_unit(const layer *l, num a)
{
    num out = stored(l, a);
    bool bounded = l->cell == CELL_TANH || l->cell == CELL_LSTM;
    if (bounded && out.e > 2) out.e = 2;
    return out;
}

static void put(const layer *l, fx_tensor *value, const int64_t *at, num a)
{
    fx__ref_set(value, at, l->eps > 0 ? a.e : (double)a.v);
}

static void run_step(layer *l, int64_t t, int64_t b, num *next)
{
    int64_t at[3] = {l->batch_first ? b : t, l->batch_first ? t : b, 0}, length = l->steps;
    if (l->lengths) length = (int64_t)fx__ref_get(l->lengths, &b);
    if (t < length) {
        multiply(l, l->state, 0, l->reset_first ? 2 * l->size : l->width);
        if (l->reset_first) multiply_reset(l, t, b, next);
        for (int64_t u = 0; u < l->size; u++) next[u] = stored_unit(l, new_unit(l, t, b, u));
        for (int64_t u = 0; u < l->size; u++) l->state[u] = next[u];
    }
    for (at[2] = 0; at[2] < l->size; at[2]++) put(l, l->y, at, t < length ? l->state[at[2]] : exact(0));
}

static void run_batch(layer *l, int64_t b, num *next)
{
    int64_t at[2] = {b, 0};
    for (at[1] = 0; at[1] < l->size; at[1]++) {
        l->state[at[1]] = element(l, l->h0, l->h0_error, at);
        if (l->c0) l->memory[at[1]] = element(l, l->c0, l->c0_error, at);
    }
    for (int64_t step = 0; step < l->steps; step++) run_step(l, l->reverse ? l->steps - 1 - step : step, b, next);
    for (at[1] = 0; at[1] < l->size; at[1]++) {
        put(l, l->hn, at, l->state[at[1]]);
        if (l->cn) put(l, l->cn, at, stored(l, l->memory[at[1]]));
    }
}

static void load_weight(layer *l)
{
    for (int64_t j = 0; j < l->width; j++) {
        for (int64_t k = 0; k < l->size; k++) {
            num w = element(l, l->w, l->w_error, (const int64_t[]){j, k});
            wide_set(l, l->weight, k * l->width + j, w.v);
            if (l->eps > 0) l->weight_error[k * l->width + j] = w.e;
        }
    }
}

static fx_status run(layer *l)
{
    fx_status status = FX_E_OOM;
    int64_t row = l->size > 0 ? l->size : 1, all = row * (l->width > 0 ? l->width : 1);
    l->weight = fx__contract_rows(l->wide, all);
    l->part = fx__contract_rows(l->wide, l->width);
    l->h = fx__contract_rows(l->wide, row);
    l->weight_error = calloc((size_t)all, sizeof *l->weight_error);
    l->part_error = calloc((size_t)l->width + 1, sizeof *l->part_error);
    l->state = calloc((size_t)row, sizeof *l->state);
    l->memory = calloc((size_t)row, sizeof *l->memory);
    num *next = calloc((size_t)row, sizeof *next);
    if (l->weight && l->part && l->h && l->weight_error && l->part_error && l->state && l->memory && next) {
        load_weight(l);
        for (int64_t b = 0; b < l->batch; b++) run_batch(l, b, next);
        status = FX_OK;
    }
    void *const memory[] = {l->weight, l->part, l->h, l->weight_error, l->part_error, l->state, l->memory, next};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) free(memory[i]);
    return status;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

static const fx_tensor *tensor_or_null(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR ? arg->u.tensor : NULL;
}

/* arg: gates, hx, ... weight_hh; error likewise, NULL when only values are wanted. options: reverse, batch_first. */
static layer new_layer(cell kind, const fx_rt_arg *arg, int32_t weight, int32_t lengths, const fx_rt_arg *options,
                       fx_tensor *results)
{
    layer l = {
        .cell = kind, .x = arg[0].u.tensor, .h0 = arg[1].u.tensor, .w = arg[weight].u.tensor, .y = &results[0], .hn = &results[1]};
    l.lengths = tensor_or_null(&arg[lengths]);
    l.reverse = options[0].u.i != 0;
    l.batch_first = options[1].u.i != 0;
    l.clip = options[2].kind == FX_RT_NONE ? INFINITY : options[2].kind == FX_RT_FLOAT ? options[2].u.f : (double)options[2].u.i;
    l.wide = l.x->dtype == FX_F64 ? FX_WIDE_LONG : FX_WIDE_DOUBLE;
    l.steps = l.x->dim[l.batch_first];
    l.batch = l.x->dim[!l.batch_first];
    l.size = l.h0->dim[1];
    l.width = l.w->dim[0];
    return l;
}

static void take_errors(layer *l, const fx_rt_bound *call, int32_t weight)
{
    l->eps = call->eps;
    l->x_error = tensor_or_null(&call->arg_errors[0]);
    l->h0_error = tensor_or_null(&call->arg_errors[1]);
    l->w_error = tensor_or_null(&call->arg_errors[weight]);
}

/* lstm_layer(gates, hx, cx, weight_hh, lengths, reverse, batch_first, clip) */
static layer lstm_layer(const fx_rt_arg *args, fx_tensor *results)
{
    layer l = new_layer(CELL_LSTM, args, 3, 4, &args[5], results);
    l.c0 = args[2].u.tensor;
    l.cn = &results[2];
    return l;
}

fx_status fx__ref_lstm_layer(const fx_rt_arg *args, fx_tensor *results)
{
    layer l = lstm_layer(args, results);
    return run(&l);
}

fx_status fx__bound_lstm_layer(const fx_rt_bound *call)
{
    layer l = lstm_layer(call->args, call->errors);
    take_errors(&l, call, 3);
    l.c0_error = tensor_or_null(&call->arg_errors[2]);
    return run(&l);
}

/* gru_layer(gates, hx, weight_hh, bias_n, lengths, reverse, batch_first, clip, reset_first) */
static layer gru_layer(const fx_rt_arg *args, fx_tensor *results)
{
    layer l = new_layer(CELL_GRU, args, 2, 4, &args[5], results);
    l.bias = tensor_or_null(&args[3]);
    l.reset_first = args[8].u.i != 0;
    return l;
}

fx_status fx__ref_gru_layer(const fx_rt_arg *args, fx_tensor *results)
{
    layer l = gru_layer(args, results);
    return run(&l);
}

fx_status fx__bound_gru_layer(const fx_rt_bound *call)
{
    layer l = gru_layer(call->args, call->errors);
    take_errors(&l, call, 2);
    l.bias_error = tensor_or_null(&call->arg_errors[3]);
    return run(&l);
}

/* rnn_layer(gates, hx, weight_hh, lengths, reverse, batch_first, clip, relu) */
static layer rnn_layer(const fx_rt_arg *args, fx_tensor *results)
{
    return new_layer(args[7].u.i ? CELL_RELU : CELL_TANH, args, 2, 3, &args[4], results);
}

fx_status fx__ref_rnn_layer(const fx_rt_arg *args, fx_tensor *results)
{
    layer l = rnn_layer(args, results);
    return run(&l);
}

fx_status fx__bound_rnn_layer(const fx_rt_bound *call)
{
    layer l = rnn_layer(call->args, call->errors);
    take_errors(&l, call, 2);
    return run(&l);
}
