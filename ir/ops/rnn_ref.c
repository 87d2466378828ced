/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/rnn_ref.c: stacks of recurrent layers, and single cells, which are stacks of one layer that run for one step. Layer by
 * layer and direction by direction: the input's part of the gates, then the layer; what is between layers is f64. */
#include "ir/ops/recurrent_ref.h"
#include <math.h>
#include <stdlib.h>

typedef struct weights {
    const fx_tensor *w_ih, *w_hh, *b_ih, *b_hh; /* biases: NULL when there are none */
} weights;

typedef struct stack {
    fx_cell cell;
    double eps; /* 0: values are wanted, else errors */
    int32_t layers, directions;
    bool batch_first;
    weights *w, *w_error;                             /* [layers * directions] */
    fx_tensor x, x_error, h0, h0_error, c0, c0_error; /* states: [layers * directions, batch, size] */
    fx_tensor y, hn, cn;
    int64_t steps, batch, size, width; /* width: of all gates */
} stack;

/* Values, and errors where they are wanted. */
typedef struct pair {
    fx_tensor value, error;
} pair;

static fx_status pair_open(pair *p, const stack *s, int32_t rank, const int64_t *dim)
{
    *p = (pair){0};
    fx_status status = fx_tensor_alloc(FX_F64, rank, dim, &p->value);
    if (status == FX_OK && s->eps > 0) status = fx_tensor_alloc(FX_F64, rank, dim, &p->error);
    return status;
}

static void pair_close(pair *p)
{
    if (p->value.data) fx_tensor_release(&p->value);
    if (p->error.data) fx_tensor_release(&p->error);
}

/* Row `index` of the first dim. */
static fx_tensor row_of(const fx_tensor *tensor, int64_t index)
{
    fx_tensor row = *tensor;
    if (!tensor->data) return row;
    row.rank--;
    for (int32_t d = 0; d < row.rank; d++) {
        row.dim[d] = tensor->dim[d + 1];
        row.stride[d] = tensor->stride[d + 1];
    }
    row.data = (char *)tensor->data + index * tensor->stride[0] * (int64_t)fx_dtype_bytes(tensor->dtype);
    return row;
}

/* Units [from, from + n) of the last dim. */
static fx_tensor units_of(const fx_tensor *tensor, int64_t from, int64_t n)
{
    fx_tensor units = *tensor;
    if (!tensor->data) return units;
    units.dim[units.rank - 1] = n;
    units.data = (char *)tensor->data + from * tensor->stride[units.rank - 1] * (int64_t)fx_dtype_bytes(tensor->dtype);
    return units;
}

static fx_tensor or_none(const fx_tensor *tensor)
{
    return tensor ? *tensor : (fx_tensor){0};
}

/* ---- The input's part ----------------------------------------------------------------------------------------------------------
 */

/* As a tensor of this dtype holds it: what is rounded is off already. */
static fx_num stored(fx_dtype dtype, fx_num a)
{
    a.e += fx__ref_eps(dtype) * (fabs((double)a.v) + a.e) + fx__ref_tiny(dtype) / 2;
    return a;
}

static fx_num bias_at(const fx_tensor *bias, const fx_tensor *error, int64_t j)
{
    static const fx_tensor none;
    return bias ? fx__num_get(bias, error ? error : &none, &j) : (fx_num){0};
}

/* Of GRU's last gate the hidden bias stays with the hidden part. */
static fx_num biased(const stack *s, const weights *w, const weights *error, fx_num a, int64_t j)
{
    fx_num in = bias_at(w->b_ih, error->b_ih, j), hidden = bias_at(w->b_hh, error->b_hh, j);
    if (s->cell == FX_CELL_GRU && j >= 2 * s->size) hidden = (fx_num){0};
    return fx__num_add(s->eps, a, stored(s->x.dtype, fx__num_add(s->eps, in, hidden)));
}

static fx_status run_gates(const stack *s, const pair *x, const weights *w, const weights *error, const pair *gates)
{
    fx_product p;
    fx_tensor w_error = or_none(error->w_ih);
    fx_status status = fx__product_open(&p, s->eps, w->w_ih, &w_error);
    fx_num *row = calloc((size_t)p.columns + 1, sizeof *row);
    if (!row) status = FX_E_OOM;
    int64_t at[3] = {0};
    for (; status == FX_OK && at[0] < x->value.dim[0]; at[0]++) {
        for (at[1] = 0; at[1] < x->value.dim[1]; at[1]++) {
            for (at[2] = 0; at[2] < p.columns; at[2]++) row[at[2]] = fx__num_get(&x->value, &x->error, at);
            fx__product_run(&p, row, 0, p.rows);
            for (at[2] = 0; at[2] < p.rows; at[2]++) {
                fx_num gate = stored(s->x.dtype, biased(s, w, error, fx__product_get(&p, at[2]), at[2]));
                fx__ref_set(&gates->value, at, (double)gate.v);
                if (s->eps > 0) fx__ref_set(&gates->error, at, gate.e);
            }
        }
    }
    fx__product_close(&p);
    free(row);
    return status;
}

/* ---- Layers --------------------------------------------------------------------------------------------------------------------
 */

static fx_layer layer_of(const stack *s, int32_t index, const pair *gates)
{
    const weights *w = &s->w[index], *error = &s->w_error[index];
    fx_layer l = {.cell = s->cell,
                  .x = gates->value,
                  .x_error = gates->error,
                  .h0 = row_of(&s->h0, index),
                  .h0_error = row_of(&s->h0_error, index),
                  .c0 = row_of(&s->c0, index),
                  .c0_error = row_of(&s->c0_error, index),
                  .w = *w->w_hh,
                  .w_error = or_none(error->w_hh),
                  .reverse = index % s->directions == 1,
                  .batch_first = s->batch_first,
                  .clip = INFINITY};
    if (s->cell == FX_CELL_GRU && w->b_hh) l.bias = units_of(w->b_hh, 2 * s->size, s->size);
    if (s->cell == FX_CELL_GRU && error->b_hh) l.bias_error = units_of(error->b_hh, 2 * s->size, s->size);
    return l;
}

/* Values, whose states are wanted only when errors are not; then errors. */
static fx_status run_direction(const stack *s, int32_t index, const pair *gates, const pair *y, const pair *unused)
{
    fx_layer l = layer_of(s, index, gates);
    int64_t from = index % s->directions * s->size;
    l.y = units_of(&y->value, from, s->size);
    l.hn = s->eps > 0 ? unused->value : row_of(&s->hn, index);
    l.cn = s->eps > 0 && s->cn.data ? unused->value : row_of(&s->cn, index);
    fx_status status = fx__layer_run(&l);
    if (status != FX_OK || s->eps == 0) return status;
    l.eps = s->eps;
    l.y = units_of(&y->error, from, s->size);
    l.hn = row_of(&s->hn, index);
    l.cn = row_of(&s->cn, index);
    return fx__layer_run(&l);
}

static fx_status run_layer(const stack *s, int32_t layer, const pair *x, const pair *y)
{
    const int64_t dim[] = {x->value.dim[0], x->value.dim[1], s->width}, state[] = {s->batch, s->size};
    pair gates, unused = {0};
    fx_status status = pair_open(&gates, s, 3, dim);
    if (status == FX_OK) status = pair_open(&unused, s, 2, state);
    for (int32_t d = 0; d < s->directions && status == FX_OK; d++) {
        int32_t index = layer * s->directions + d;
        status = run_gates(s, x, &s->w[index], &s->w_error[index], &gates);
        if (status == FX_OK) status = run_direction(s, index, &gates, y, &unused);
    }
    pair_close(&gates);
    pair_close(&unused);
    return status;
}

/* What the next layer reads has been stored. */
static void add_rounding(const stack *s, const pair *y)
{
    int64_t at[FX_RANK] = {0};
    if (s->eps == 0 || fx__ref_empty(3, y->value.dim)) return;
    do {
        fx_num a = stored(s->x.dtype, fx__num_get(&y->value, &y->error, at));
        fx__ref_set(&y->error, at, a.e);
    } while (fx__ref_next(3, y->value.dim, at));
}

static void copy_out(const fx_tensor *from, const fx_tensor *to)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(to->rank, to->dim)) return;
    do fx__ref_set(to, at, fx__ref_get(from, at));
    while (fx__ref_next(to->rank, to->dim, at));
}

static fx_status run_stack(const stack *s)
{
    const int64_t dim[] = {s->x.dim[0], s->x.dim[1], s->directions * s->size};
    pair x = {s->x, s->x_error}, before = {0};
    fx_status status = FX_OK;
    for (int32_t layer = 0; layer < s->layers && status == FX_OK; layer++) {
        pair y;
        status = pair_open(&y, s, 3, dim);
        if (status == FX_OK) status = run_layer(s, layer, &x, &y);
        if (status == FX_OK) add_rounding(s, &y);
        pair_close(&before);
        before = x = y;
    }
    if (status == FX_OK && s->layers > 0) copy_out(s->eps > 0 ? &x.error : &x.value, &s->y);
    pair_close(&before);
    return status;
}

/* ---- Calls: stacks -------------------------------------------------------------------------------------------------------------
 */

static fx_tensor tensor_of(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR ? *arg->u.tensor : (fx_tensor){0};
}

static const fx_tensor *item(const fx_rt_arg *list, int32_t index)
{
    if (list->kind != FX_RT_TENSORS || index >= list->n || !list->u.tensor[index].data) return NULL;
    return &list->u.tensor[index];
}

/* params: w_ih, w_hh[, b_ih, b_hh] per layer and direction. */
static void take_weights(const fx_rt_arg *params, bool biases, int32_t n, weights *out)
{
    int32_t each = biases ? 4 : 2;
    for (int32_t i = 0; i < n; i++) {
        out[i] = (weights){.w_ih = item(params, i * each), .w_hh = item(params, i * each + 1)};
        if (!biases) continue;
        out[i].b_ih = item(params, i * each + 2);
        out[i].b_hh = item(params, i * each + 3);
    }
}

/* (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first); errors: NULL for values. */
static fx_status call_stack(fx_cell cell, const fx_rt_arg *args, const fx_rt_arg *errors, double eps, const fx_tensor *results)
{
    static const fx_rt_arg none[3];
    const fx_rt_arg *error = errors ? errors : none;
    bool lstm = cell == FX_CELL_LSTM;
    stack s = {.cell = cell,
               .eps = eps,
               .layers = (int32_t)args[4].u.i,
               .directions = args[7].u.i ? 2 : 1,
               .batch_first = args[8].u.i != 0};
    int32_t n = s.layers * s.directions;
    s.x = tensor_of(&args[0]);
    s.x_error = tensor_of(&error[0]);
    s.h0 = lstm ? args[1].u.tensor[0] : tensor_of(&args[1]);
    s.h0_error = lstm ? or_none(item(&error[1], 0)) : tensor_of(&error[1]);
    if (lstm) s.c0 = args[1].u.tensor[1];
    if (lstm) s.c0_error = or_none(item(&error[1], 1));
    s.y = results[0];
    s.hn = results[1];
    if (lstm) s.cn = results[2];
    s.batch = s.x.dim[!s.batch_first];
    s.size = s.h0.dim[2];
    s.w = calloc(2 * (size_t)n + 1, sizeof *s.w);
    if (!s.w) return FX_E_OOM;
    s.w_error = s.w + n;
    take_weights(&args[2], args[3].u.i != 0, n, s.w);
    take_weights(&error[2], args[3].u.i != 0, n, s.w_error);
    s.width = n > 0 ? s.w[0].w_hh->dim[0] : 0;
    fx_status status = run_stack(&s);
    free(s.w);
    return status;
}

fx_status fx__ref_lstm(const fx_rt_arg *args, fx_tensor *results)
{
    return call_stack(FX_CELL_LSTM, args, NULL, 0, results);
}
fx_status fx__bound_lstm(const fx_rt_bound *call)
{
    return call_stack(FX_CELL_LSTM, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_gru(const fx_rt_arg *args, fx_tensor *results)
{
    return call_stack(FX_CELL_GRU, args, NULL, 0, results);
}
fx_status fx__bound_gru(const fx_rt_bound *call)
{
    return call_stack(FX_CELL_GRU, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_rnn_tanh(const fx_rt_arg *args, fx_tensor *results)
{
    return call_stack(FX_CELL_TANH, args, NULL, 0, results);
}
fx_status fx__bound_rnn_tanh(const fx_rt_bound *call)
{
    return call_stack(FX_CELL_TANH, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_rnn_relu(const fx_rt_arg *args, fx_tensor *results)
{
    return call_stack(FX_CELL_RELU, args, NULL, 0, results);
}
fx_status fx__bound_rnn_relu(const fx_rt_bound *call)
{
    return call_stack(FX_CELL_RELU, call->args, call->arg_errors, call->eps, call->errors);
}

/* ---- Calls: cells --------------------------------------------------------------------------------------------------------------
 */

/* [1, ...] of a tensor. */
static fx_tensor with_front(fx_tensor t)
{
    if (!t.data) return t;
    for (int32_t d = t.rank; d > 0; d--) {
        t.dim[d] = t.dim[d - 1];
        t.stride[d] = t.stride[d - 1];
    }
    t.dim[0] = 1;
    t.rank++;
    return t;
}

static const fx_tensor *tensor_or_null(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_TENSOR && arg->u.tensor->data ? arg->u.tensor : NULL;
}

static weights cell_weights(const fx_rt_arg *args)
{
    return (weights){tensor_or_null(&args[2]), tensor_or_null(&args[3]), tensor_or_null(&args[4]), tensor_or_null(&args[5])};
}

/* (input, hx, w_ih, w_hh, b_ih, b_hh) */
static fx_status call_cell(fx_cell cell, const fx_rt_arg *args, const fx_rt_arg *errors, double eps, const fx_tensor *results)
{
    static const fx_rt_arg none[6];
    const fx_rt_arg *error = errors ? errors : none;
    bool lstm = cell == FX_CELL_LSTM;
    weights w = cell_weights(args), w_error = cell_weights(error);
    stack s = {.cell = cell, .eps = eps, .layers = 1, .directions = 1, .w = &w, .w_error = &w_error};
    s.x = with_front(tensor_of(&args[0]));
    s.x_error = with_front(tensor_of(&error[0]));
    s.h0 = with_front(lstm ? args[1].u.tensor[0] : tensor_of(&args[1]));
    s.h0_error = with_front(lstm ? or_none(item(&error[1], 0)) : tensor_of(&error[1]));
    if (lstm) s.c0 = with_front(args[1].u.tensor[1]);
    if (lstm) s.c0_error = with_front(or_none(item(&error[1], 1)));
    s.y = s.hn = with_front(results[0]);
    if (lstm) s.cn = with_front(results[1]);
    s.batch = s.x.dim[1];
    s.size = s.h0.dim[2];
    s.width = w.w_hh->dim[0];
    return run_stack(&s);
}

fx_status fx__ref_lstm_cell(const fx_rt_arg *args, fx_tensor *results)
{
    return call_cell(FX_CELL_LSTM, args, NULL, 0, results);
}
fx_status fx__bound_lstm_cell(const fx_rt_bound *call)
{
    return call_cell(FX_CELL_LSTM, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_gru_cell(const fx_rt_arg *args, fx_tensor *results)
{
    return call_cell(FX_CELL_GRU, args, NULL, 0, results);
}
fx_status fx__bound_gru_cell(const fx_rt_bound *call)
{
    return call_cell(FX_CELL_GRU, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_rnn_tanh_cell(const fx_rt_arg *args, fx_tensor *results)
{
    return call_cell(FX_CELL_TANH, args, NULL, 0, results);
}
fx_status fx__bound_rnn_tanh_cell(const fx_rt_bound *call)
{
    return call_cell(FX_CELL_TANH, call->args, call->arg_errors, call->eps, call->errors);
}
fx_status fx__ref_rnn_relu_cell(const fx_rt_arg *args, fx_tensor *results)
{
    return call_cell(FX_CELL_RELU, args, NULL, 0, results);
}
fx_status fx__bound_rnn_relu_cell(const fx_rt_bound *call)
{
    return call_cell(FX_CELL_RELU, call->args, call->arg_errors, call->eps, call->errors);
}
