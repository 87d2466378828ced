/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/recurrent_ref.c: one recurrent layer in one direction, sequence by sequence, step by step, unit by unit:
 *
 *     rnn    h' = f(x + W h)                                      f: tanh or relu
 *     lstm   i, f, g, o = x + W h;  c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c')                    s: sigmoid
 *     gru    r, z, n;  n = tanh(xn + s(r) (Wn h + b)) or tanh(xn + Wn (s(r) h) + b),  h' = (1 - s(z)) n + s(z) h
 *
 * where x, the input's part of every gate with its biases, is given. */
#include "ir/ops/recurrent_ref.h"
#include <math.h>
#include <stdlib.h>

/* ---- Numbers ----------------------------------------------------------------------------------------------------------------- */

static fx_num exact(long double v)
{
    return (fx_num){v, 0};
}

fx_num fx__num_get(const fx_tensor *tensor, const fx_tensor *error, const int64_t *at)
{
    return (fx_num){fx__ref_get(tensor, at), error->data ? fx__ref_get(error, at) : 0};
}

fx_num fx__num_add(double eps, fx_num a, fx_num b)
{
    long double v = a.v + b.v;
    return (fx_num){v, a.e + b.e + eps * fabs((double)v)};
}

static fx_num mul(double eps, fx_num a, fx_num b)
{
    long double v = a.v * b.v;
    return (fx_num){v, fabs((double)a.v) * b.e + fabs((double)b.v) * a.e + a.e * b.e + eps * fabs((double)v)};
}

static fx_num sub(double eps, fx_num a, fx_num b)
{
    return fx__num_add(eps, a, (fx_num){-b.v, b.e});
}

/* Functions that rise only: between their values at the ends. 4 ulp of their own. */
static fx_num monotone(double eps, long double (*function)(long double), fx_num a)
{
    fx_num out = exact(function(a.v));
    if (eps == 0) return out;
    double up = (double)(function(a.v + a.e) - out.v), down = (double)(out.v - function(a.v - a.e));
    out.e = (up > down ? up : down) + 8 * eps * fabs((double)out.v);
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

/* ---- Products ---------------------------------------------------------------------------------------------------------------- */

static long double wide_get(fx_wide wide, const void *rows, int64_t at)
{
    return wide == FX_WIDE_LONG ? ((const long double *)rows)[at] : (long double)((const double *)rows)[at];
}

static void wide_set(fx_wide wide, void *rows, int64_t at, long double value)
{
    if (wide == FX_WIDE_LONG)
        ((long double *)rows)[at] = value;
    else
        ((double *)rows)[at] = (double)value;
}

static void load_weight(fx_product *p, const fx_tensor *weight, const fx_tensor *error)
{
    for (int64_t j = 0; j < p->rows; j++) {
        for (int64_t k = 0; k < p->columns; k++) {
            fx_num w = fx__num_get(weight, error, (const int64_t[]){j, k});
            wide_set(p->wide, p->weight, k * p->rows + j, w.v);
            if (p->eps > 0) p->weight_error[k * p->rows + j] = w.e;
        }
    }
}

fx_status fx__product_open(fx_product *p, double eps, const fx_tensor *weight, const fx_tensor *error)
{
    *p = (fx_product){.wide = weight->dtype == FX_F64 ? FX_WIDE_LONG : FX_WIDE_DOUBLE, .eps = eps};
    p->rows = weight->dim[0];
    p->columns = weight->dim[1];
    p->weight = fx__contract_rows(p->wide, p->rows * p->columns);
    p->x = fx__contract_rows(p->wide, p->columns);
    p->y = fx__contract_rows(p->wide, p->rows);
    if (eps > 0) p->weight_error = calloc((size_t)(p->rows * p->columns) + 1, sizeof *p->weight_error);
    if (eps > 0) p->y_error = calloc((size_t)p->rows + 1, sizeof *p->y_error);
    if (!p->weight || !p->x || !p->y || (eps > 0 && (!p->weight_error || !p->y_error))) return FX_E_OOM;
    load_weight(p, weight, error);
    return FX_OK;
}

void fx__product_close(fx_product *p)
{
    free(p->weight);
    free(p->x);
    free(p->y);
    free(p->weight_error);
    free(p->y_error);
}

static double error_of_row(const fx_product *p, const fx_num *x, int64_t row)
{
    double error = 0, sum = 0;
    for (int64_t k = 0; k < p->columns; k++) {
        double w = fabs((double)wide_get(p->wide, p->weight, k * p->rows + row)), of_w = p->weight_error[k * p->rows + row];
        double v = fabs((double)x[k].v);
        sum += w * v;
        error += w * x[k].e + of_w * (v + x[k].e);
    }
    return error + (double)(p->columns + 2) * p->eps * sum;
}

void fx__product_run(fx_product *p, const fx_num *x, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++) wide_set(p->wide, p->y, j, 0);
    for (int64_t k = 0; k < p->columns; k++) {
        wide_set(p->wide, p->x, k, x[k].v);
        fx__contract_axpy(p->wide, p->y, from, p->x, k, p->weight, k * p->rows + from, 1, to - from);
    }
    for (int64_t j = from; j < to && p->eps > 0; j++) p->y_error[j] = error_of_row(p, x, j);
}

fx_num fx__product_get(const fx_product *p, int64_t row)
{
    return (fx_num){wide_get(p->wide, p->y, row), p->eps > 0 ? p->y_error[row] : 0};
}

/* ---- Cells: unit u of sequence b at time t ------------------------------------------------------------------------------------
 */

typedef struct run {
    const fx_layer *l;
    double eps;
    int64_t steps, batch, size;
    fx_product hidden;             /* W h */
    fx_num *state, *memory, *next; /* [size]: h, c, and the step's h */
} run;

static fx_num clipped(const run *r, fx_num a)
{
    if (a.v > r->l->clip) a.v = r->l->clip;
    if (a.v < -r->l->clip) a.v = -r->l->clip;
    return a;
}

static fx_num input_part(const run *r, int64_t t, int64_t b, int64_t gate, int64_t u)
{
    const int64_t at[3] = {r->l->batch_first ? b : t, r->l->batch_first ? t : b, gate * r->size + u};
    return fx__num_get(&r->l->x, &r->l->x_error, at);
}

static fx_num hidden_part(const run *r, int64_t gate, int64_t u)
{
    return fx__product_get(&r->hidden, gate * r->size + u);
}

static fx_num gate_sum(const run *r, int64_t t, int64_t b, int64_t gate, int64_t u)
{
    return clipped(r, fx__num_add(r->eps, input_part(r, t, b, gate, u), hidden_part(r, gate, u)));
}

static fx_num lstm_unit(const run *r, int64_t t, int64_t b, int64_t u)
{
    fx_num i = monotone(r->eps, sigmoid, gate_sum(r, t, b, 0, u)), f = monotone(r->eps, sigmoid, gate_sum(r, t, b, 1, u));
    fx_num g = monotone(r->eps, tanhl, gate_sum(r, t, b, 2, u)), o = monotone(r->eps, sigmoid, gate_sum(r, t, b, 3, u));
    r->memory[u] = fx__num_add(r->eps, mul(r->eps, f, r->memory[u]), mul(r->eps, i, g));
    return mul(r->eps, o, monotone(r->eps, tanhl, r->memory[u]));
}

static fx_num gru_unit(const run *r, int64_t t, int64_t b, int64_t u)
{
    fx_num z = monotone(r->eps, sigmoid, gate_sum(r, t, b, 1, u)), hidden = hidden_part(r, 2, u);
    if (r->l->bias.data) hidden = fx__num_add(r->eps, hidden, fx__num_get(&r->l->bias, &r->l->bias_error, &u));
    if (!r->l->reset_first) hidden = mul(r->eps, monotone(r->eps, sigmoid, gate_sum(r, t, b, 0, u)), hidden);
    fx_num n = monotone(r->eps, tanhl, clipped(r, fx__num_add(r->eps, input_part(r, t, b, 2, u), hidden)));
    return fx__num_add(r->eps, n, mul(r->eps, z, sub(r->eps, r->state[u], n)));
}

static fx_num new_unit(const run *r, int64_t t, int64_t b, int64_t u)
{
    if (r->l->cell == FX_CELL_LSTM) return lstm_unit(r, t, b, u);
    if (r->l->cell == FX_CELL_GRU) return gru_unit(r, t, b, u);
    return monotone(r->eps, r->l->cell == FX_CELL_TANH ? tanhl : relu, gate_sum(r, t, b, 0, u));
}

/* Where the reset gate comes before the product, that has its own. */
static void multiply(run *r, int64_t t, int64_t b)
{
    bool apart = r->l->cell == FX_CELL_GRU && r->l->reset_first;
    fx__product_run(&r->hidden, r->state, 0, apart ? 2 * r->size : r->hidden.rows);
    if (!apart) return;
    for (int64_t u = 0; u < r->size; u++) r->next[u] = mul(r->eps, monotone(r->eps, sigmoid, gate_sum(r, t, b, 0, u)), r->state[u]);
    fx__product_run(&r->hidden, r->next, 2 * r->size, 3 * r->size);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------------- */

/* As it is stored. What tanh made never leaves [-1, 1]: two such numbers are at most 2 apart. */
static fx_num stored(const run *r, fx_num a)
{
    bool bounded = r->l->cell == FX_CELL_TANH || r->l->cell == FX_CELL_LSTM;
    a.e += r->eps * fabs((double)a.v);
    if (bounded && a.e > 2 && fabs((double)a.v) <= 1) a.e = 2;
    return a;
}

static void put(const run *r, const fx_tensor *to, const int64_t *at, fx_num a)
{
    fx__ref_set(to, at, r->eps > 0 ? a.e : (double)a.v);
}

static void run_step(run *r, int64_t t, int64_t b)
{
    int64_t at[3] = {r->l->batch_first ? b : t, r->l->batch_first ? t : b, 0};
    bool over = r->l->lengths.data && (double)t >= fx__ref_get(&r->l->lengths, &b); /* as doubles: a length may be any number */
    if (!over) {
        multiply(r, t, b);
        for (int64_t u = 0; u < r->size; u++) r->next[u] = stored(r, new_unit(r, t, b, u));
        for (int64_t u = 0; u < r->size; u++) r->state[u] = r->next[u];
    }
    for (at[2] = 0; at[2] < r->size; at[2]++) put(r, &r->l->y, at, over ? exact(0) : r->state[at[2]]);
}

static fx_num stored_memory(const run *r, fx_num c)
{
    c.e += r->eps * fabs((double)c.v);
    return c;
}

static void run_sequence(run *r, int64_t b)
{
    int64_t at[2] = {b, 0};
    for (; at[1] < r->size; at[1]++) {
        r->state[at[1]] = fx__num_get(&r->l->h0, &r->l->h0_error, at);
        if (r->l->c0.data) r->memory[at[1]] = fx__num_get(&r->l->c0, &r->l->c0_error, at);
    }
    for (int64_t step = 0; step < r->steps; step++) run_step(r, r->l->reverse ? r->steps - 1 - step : step, b);
    for (at[1] = 0; at[1] < r->size; at[1]++) {
        put(r, &r->l->hn, at, stored(r, r->state[at[1]]));
        if (r->l->cn.data) put(r, &r->l->cn, at, stored_memory(r, r->memory[at[1]]));
    }
}

fx_status fx__layer_run(const fx_layer *l)
{
    run r = {.l = l, .eps = l->eps, .steps = l->x.dim[l->batch_first], .batch = l->x.dim[!l->batch_first], .size = l->h0.dim[1]};
    fx_status status = fx__product_open(&r.hidden, l->eps, &l->w, &l->w_error);
    r.state = calloc((size_t)(3 * r.size) + 1, sizeof *r.state);
    if (!r.state) status = FX_E_OOM;
    if (status == FX_OK) {
        r.memory = r.state + r.size;
        r.next = r.memory + r.size;
        for (int64_t b = 0; b < r.batch; b++) run_sequence(&r, b);
    }
    fx__product_close(&r.hidden);
    free(r.state);
    return status;
}

/* ---- Calls: tensors, and options: reverse, batch_first, clip --------------------------------------------------------------------
 */

static fx_tensor tensor_of(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR ? *arg->u.tensor : (fx_tensor){0};
}

static fx_layer new_layer(fx_cell cell, const fx_rt_arg *arg, int32_t weight, int32_t lengths, const fx_tensor *results)
{
    const fx_rt_arg *option = &arg[lengths + 1], *clip = &option[2];
    return (fx_layer){.cell = cell,
                      .x = tensor_of(&arg[0]),
                      .h0 = tensor_of(&arg[1]),
                      .w = tensor_of(&arg[weight]),
                      .lengths = tensor_of(&arg[lengths]),
                      .reverse = option[0].u.i != 0,
                      .batch_first = option[1].u.i != 0,
                      .clip = clip->kind == FX_RT_NONE    ? INFINITY
                              : clip->kind == FX_RT_FLOAT ? clip->u.f
                                                          : (double)clip->u.i,
                      .y = results[0],
                      .hn = results[1]};
}

static void take_errors(fx_layer *l, const fx_rt_bound *call, int32_t weight)
{
    l->eps = call->eps;
    l->x_error = tensor_of(&call->arg_errors[0]);
    l->h0_error = tensor_of(&call->arg_errors[1]);
    l->w_error = tensor_of(&call->arg_errors[weight]);
}

/* lstm_layer(gates, hx, cx, weight_hh, lengths, reverse, batch_first, clip) */
static fx_layer lstm_layer(const fx_rt_arg *args, const fx_tensor *results)
{
    fx_layer l = new_layer(FX_CELL_LSTM, args, 3, 4, results);
    l.c0 = tensor_of(&args[2]);
    l.cn = results[2];
    return l;
}

fx_status fx__ref_lstm_layer(const fx_rt_arg *args, fx_tensor *results)
{
    fx_layer l = lstm_layer(args, results);
    return fx__layer_run(&l);
}

fx_status fx__bound_lstm_layer(const fx_rt_bound *call)
{
    fx_layer l = lstm_layer(call->args, call->errors);
    take_errors(&l, call, 3);
    l.c0_error = tensor_of(&call->arg_errors[2]);
    return fx__layer_run(&l);
}

/* gru_layer(gates, hx, weight_hh, bias_n, lengths, reverse, batch_first, clip, reset_first) */
static fx_layer gru_layer(const fx_rt_arg *args, const fx_tensor *results)
{
    fx_layer l = new_layer(FX_CELL_GRU, args, 2, 4, results);
    l.bias = tensor_of(&args[3]);
    l.reset_first = args[8].u.i != 0;
    return l;
}

fx_status fx__ref_gru_layer(const fx_rt_arg *args, fx_tensor *results)
{
    fx_layer l = gru_layer(args, results);
    return fx__layer_run(&l);
}

fx_status fx__bound_gru_layer(const fx_rt_bound *call)
{
    fx_layer l = gru_layer(call->args, call->errors);
    take_errors(&l, call, 2);
    l.bias_error = tensor_of(&call->arg_errors[3]);
    return fx__layer_run(&l);
}

/* rnn_layer(gates, hx, weight_hh, lengths, reverse, batch_first, clip, relu) */
static fx_layer rnn_layer(const fx_rt_arg *args, const fx_tensor *results)
{
    return new_layer(args[7].u.i ? FX_CELL_RELU : FX_CELL_TANH, args, 2, 3, results);
}

fx_status fx__ref_rnn_layer(const fx_rt_arg *args, fx_tensor *results)
{
    fx_layer l = rnn_layer(args, results);
    return fx__layer_run(&l);
}

fx_status fx__bound_rnn_layer(const fx_rt_bound *call)
{
    fx_layer l = rnn_layer(call->args, call->errors);
    take_errors(&l, call, 2);
    return fx__layer_run(&l);
}
