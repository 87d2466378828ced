/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_rnn.c: adapters of LSTM, GRU and RNN: per direction the weights in the order of our gates, a linear for the input's
 * part, and one recurrent layer. Peepholes, other activations than the usual ones and coupled gates are refused by name. */
#include "frontend/onnx_ops.h"
#include <string.h>
#include <strings.h>

enum { GATES = 4 };

typedef struct recurrence {
    int32_t gates;
    int8_t order[GATES]; /* our gate g is ONNX's number order[g] */
    bool has_memory, splits_bias;
    const char *activation[3]; /* the usual ones; [0] NULL: Tanh or Relu */
    int32_t n_activation;
} recurrence;

static const recurrence lstm = {4, {0, 2, 3, 1}, true, false, {"Sigmoid", "Tanh", "Tanh"}, 3},
                        gru = {3, {1, 0, 2}, false, true, {"Sigmoid", "Tanh"}, 2}, rnn = {1, {0}, false, false, {NULL}, 1};

/* One node while it is translated. */
typedef struct translation {
    fx_onnx_call *call;
    const recurrence *r;
    int32_t directions;
    bool reverse, batch_first, relu;
    fx_dim size, batch;
    fx_dtype dtype;
    fx_attr clip;
} translation;

/* ---- What is refused --------------------------------------------------------------------------------------------------------- */

static void refuse(fx_onnx_call *call, const char *what)
{
    fx__onnx_error(call, FX_E_UNSUPPORTED, "%s", what);
}

static void check_activation(translation *t, const char *name, int32_t index)
{
    const char *usual = t->r->activation[index % t->r->n_activation];
    bool relu = strcasecmp(name, "Relu") == 0;
    if (usual ? strcasecmp(name, usual) == 0 : relu || strcasecmp(name, "Tanh") == 0) {
        if (!usual && index > 0 && relu != t->relu) refuse(t->call, "directions with different activations are not supported");
        t->relu = relu;
        return;
    }
    fx__onnx_error(t->call, FX_E_UNSUPPORTED, "activation \"%s\" is not supported here", name);
}

static void check_attributes(translation *t)
{
    const fx_onnx_attr *activations = fx__onnx_attr(t->call, "activations");
    for (int32_t i = 0; activations && i < activations->n_strings; i++) check_activation(t, activations->strings[i], i);
    if (fx__onnx_int(t->call, "input_forget", 0)) refuse(t->call, "input_forget is not supported");
    if (t->r->has_memory && fx__onnx_has(t->call, 7)) refuse(t->call, "peepholes (P) are not supported");
}

/* ---- Weights ------------------------------------------------------------------------------------------------------------------
 */

static fx_attr part_of(fx_onnx_call *call, fx_attr value, fx_dim from, fx_dim to)
{
    return FX_EMIT(call, "aten.slice.Tensor", value, fx_int(0), fx_dim_attr(from), fx_dim_attr(to), fx_int(1));
}

static fx_dim times(const translation *t, int64_t n)
{
    return fx__dim_mul(t->call->import->graph->dims, t->size, n);
}

/* The first `gates` of our gates, from rows that stand in ONNX's order behind row `first` of gates. */
static fx_attr ordered(const translation *t, fx_attr rows, int32_t first, int32_t gates)
{
    fx_attr piece[GATES];
    if (gates == 1) return part_of(t->call, rows, times(t, first + t->r->order[0]), times(t, first + t->r->order[0] + 1));
    for (int32_t g = 0; g < gates; g++)
        piece[g] = part_of(t->call, rows, times(t, first + t->r->order[g]), times(t, first + t->r->order[g] + 1));
    return FX_EMIT(t->call, "aten.cat.default", fx_list(t->call->import->graph, piece, gates), fx_int(0));
}

static fx_attr of_direction(const translation *t, int32_t input, int32_t d)
{
    return FX_EMIT(t->call, "aten.select.int", fx__onnx_in(t->call, input), fx_int(0), fx_int(d));
}

/* B: biases of the input's part, then of the hidden part. Where the last gate's stays with the hidden part, *out_own is that. */
static fx_attr gate_bias(const translation *t, int32_t d, fx_attr *out_own)
{
    fx_onnx_call *call = t->call;
    int32_t gates = t->r->gates, shared = t->r->splits_bias ? gates - 1 : gates;
    *out_own = fx_none();
    if (!fx__onnx_has(call, 3)) return fx_none();
    fx_attr all = of_direction(t, 3, d);
    fx_attr sum = FX_EMIT(call, "aten.add.Tensor", ordered(t, all, 0, shared), ordered(t, all, gates, shared), fx_int(1));
    if (!t->r->splits_bias) return sum;
    int32_t last = t->r->order[gates - 1];
    *out_own = part_of(call, all, times(t, gates + last), times(t, gates + last + 1));
    const fx_attr pieces[] = {sum, part_of(call, all, times(t, last), times(t, last + 1))};
    return FX_EMIT(call, "aten.cat.default", fx_list(call->import->graph, pieces, 2), fx_int(0));
}

/* ---- States and layers ----------------------------------------------------------------------------------------------------------
 */

/* [batch, size] of an initial state, which is [directions, batch, size] or has the batch first; zeros when there is none. */
static fx_attr initial_state(const translation *t, int32_t input, int32_t d)
{
    const fx_dim dim[] = {t->batch, t->size};
    if (!fx__onnx_has(t->call, input)) return fx__onnx_full(t->call, dim, 2, t->dtype, 0);
    return FX_EMIT(t->call, "aten.select.int", fx__onnx_in(t->call, input), fx_int(t->batch_first ? 1 : 0), fx_int(d));
}

static fx_attr emit_layer(const translation *t, fx_attr gates, fx_attr weight, fx_attr bias, bool reverse, int32_t d)
{
    fx_onnx_call *call = t->call;
    fx_attr lengths = fx__onnx_has(call, 4) ? fx__onnx_in(call, 4) : fx_none(), back = fx_bool(reverse),
            first = fx_bool(t->batch_first);
    fx_attr h = initial_state(t, 5, d);
    if (t->r->has_memory)
        return FX_EMIT(call, "fxjit.lstm_layer.default", gates, h, initial_state(t, 6, d), weight, lengths, back, first, t->clip);
    if (t->r->splits_bias) {
        fx_attr reset_first = fx_bool(fx__onnx_int(call, "linear_before_reset", 0) == 0);
        return FX_EMIT(call, "fxjit.gru_layer.default", gates, h, weight, bias, lengths, back, first, t->clip, reset_first);
    }
    return FX_EMIT(call, "fxjit.rnn_layer.default", gates, h, weight, lengths, back, first, t->clip, fx_bool(t->relu));
}

static void build_direction(const translation *t, int32_t d, fx_attr out[3])
{
    fx_onnx_call *call = t->call;
    fx_attr own, bias = gate_bias(t, d, &own), w = ordered(t, of_direction(t, 1, d), 0, t->r->gates);
    fx_attr weight = ordered(t, of_direction(t, 2, d), 0, t->r->gates);
    fx_attr gates = FX_EMIT(call, "aten.linear.default", fx__onnx_in(call, 0), w, bias);
    fx_attr layer = emit_layer(t, gates, weight, own, t->reverse || d == 1, d);
    int32_t axis[3] = {t->batch_first ? 2 : 1, t->batch_first ? 1 : 0, t->batch_first ? 1 : 0};
    for (int32_t i = 0; i < (t->r->has_memory ? 3 : 2); i++)
        out[i] = FX_EMIT(call, "aten.unsqueeze.default", FX_EMIT(call, "operator.getitem", layer, fx_int(i)), fx_int(axis[i]));
}

/* Output i of both directions along their axis. */
static void give_outputs(const translation *t, fx_attr out[2][3])
{
    fx_onnx_call *call = t->call;
    for (int32_t i = 0; i < (t->r->has_memory ? 3 : 2); i++) {
        if (i >= call->node->n_outputs || !*call->node->outputs[i]) continue;
        int32_t axis = i == 0 ? (t->batch_first ? 2 : 1) : t->batch_first ? 1 : 0;
        const fx_attr both[] = {out[0][i], out[1][i]};
        fx_attr value = out[0][i];
        if (t->directions == 2) value = FX_EMIT(call, "aten.cat.default", fx_list(call->import->graph, both, 2), fx_int(axis));
        fx__onnx_give(call, i, value);
    }
}

static void build(fx_onnx_call *call, const recurrence *r)
{
    translation t = {.call = call, .r = r, .directions = 1, .batch_first = fx__onnx_int(call, "layout", 0) != 0};
    const char *direction = fx__onnx_text(call, "direction", "forward");
    const fx_type *x = fx__onnx_need_type(call, fx__onnx_in(call, 0)), *w = fx__onnx_need_type(call, fx__onnx_in(call, 2));
    if (!x || !w) return;
    if (x->rank != 3 || w->rank != 3) {
        fx__onnx_error(call, FX_E_SHAPE, "X and R need 3 dimensions");
        return;
    }
    t.directions = strcasecmp(direction, "bidirectional") == 0 ? 2 : 1;
    t.reverse = strcasecmp(direction, "reverse") == 0;
    t.size = w->dim[2];
    t.batch = x->dim[t.batch_first ? 0 : 1];
    t.dtype = x->dtype;
    t.clip = fx__onnx_attr(call, "clip") ? fx_float(fx__onnx_float(call, "clip", 0)) : fx_none();
    check_attributes(&t);
    fx_attr out[2][3];
    for (int32_t d = 0; d < t.directions && !call->failed; d++) build_direction(&t, d, out[d]);
    if (!call->failed) give_outputs(&t, out);
}

static void build_lstm(fx_onnx_call *call)
{
    build(call, &lstm);
}
static void build_gru(fx_onnx_call *call)
{
    build(call, &gru);
}
static void build_rnn(fx_onnx_call *call)
{
    build(call, &rnn);
}

const fx_onnx_op fx__onnx_ops_rnn[] = {
    {"GRU", 7, 3, 6, 2, build_gru},
    {"LSTM", 7, 3, 8, 3, build_lstm},
    {"RNN", 7, 3, 6, 2, build_rnn},
    {0},
};
