/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/rnn.c: ATen's recurrent operators: stacks of layers in one or two directions (lstm, gru, rnn_tanh, rnn_relu) and single
 * cells. All decompose: per layer and direction one linear for the input's part of the gates, and a row of recurrent.c for the
 * rest. */
#include "ir/op.h"
#include "ir/ops/check.h"

/* ---- What the rows differ in ---------------------------------------------------------------------------------------------- */

typedef struct kind {
    fx_op_code layer;
    int32_t gates;
    bool has_memory, relu, splits_bias; /* splits_bias: the last gate's hidden bias belongs to the hidden part */
} kind;

static const kind lstm_kind = {FX_OP_lstm_layer, 4, true, false, false}, gru_kind = {FX_OP_gru_layer, 3, false, false, true},
                  tanh_kind = {FX_OP_rnn_layer, 1, false, false, false}, relu_kind = {FX_OP_rnn_layer, 1, false, true, false};

/* Weights of one layer in one direction. */
typedef struct weights {
    fx_attr w_ih, w_hh, b_ih, b_hh;
} weights;

static int32_t state_count(const kind *k)
{
    return k->has_memory ? 2 : 1;
}

/* State number i (h, c): a list of two, or one tensor. */
static fx_attr state_arg(const fx_call *call, const kind *k, int32_t i)
{
    return k->has_memory ? call->arg[1].u.items[i] : call->arg[1];
}

static const fx_type *type_of(const fx_attr *value)
{
    return value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
}

/* ---- Types ---------------------------------------------------------------------------------------------------------------- */

static fx_status same_dtype(const fx_call *call, const fx_attr *value, const char *what)
{
    const fx_type *type = type_of(value), *x = fx__call_type(call, 0);
    if (!type) return fx__call_error(call, FX_E_ARG, "%s is no tensor", what);
    if (type->dtype == x->dtype) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "input is %s, %s is %s; expected equal element types", fx_dtype_name(x->dtype), what,
                          fx_dtype_name(type->dtype));
}

static fx_status set_dtypes(fx_call *call, const kind *k, int32_t n_results)
{
    call->n_results = n_results;
    for (int32_t r = 0; r < n_results; r++) call->result[r].dtype = fx__call_type(call, 0)->dtype;
    if (k->has_memory && fx__call_list_count(call, 1) != 2) return fx__call_error(call, FX_E_ARG, "hx is not a list of two states");
    for (int32_t i = 0; i < state_count(k); i++) {
        fx_attr state = state_arg(call, k, i);
        FX_TRY(same_dtype(call, &state, "a state"));
    }
    return FX_OK;
}

static bool has_dims(const fx_call *call, const fx_attr *value, int32_t rank, const fx_dim *dim)
{
    const fx_type *type = type_of(value);
    if (!type || type->rank != rank) return false;
    for (int32_t d = 0; d < rank; d++)
        if (!fx__check_equal(call, type->dim[d], dim[d], "recurrent layers fit together")) return false;
    return true;
}

/* The weights of a layer whose input has `features` and whose state `size` units. */
static fx_status check_weights(const fx_call *call, const kind *k, const weights *w, fx_dim features, fx_dim size)
{
    fx_dim width = fx__dim_mul(call->dims, size, k->gates);
    FX_TRY(same_dtype(call, &w->w_ih, "a weight"));
    FX_TRY(same_dtype(call, &w->w_hh, "a weight"));
    if (!has_dims(call, &w->w_ih, 2, (const fx_dim[]){width, features}) ||
        !has_dims(call, &w->w_hh, 2, (const fx_dim[]){width, size}))
        return fx__call_error(call, FX_E_SHAPE, "weights %s and %s are not [%s, %s] and [%s, %s]",
                              fx__check_type(call, type_of(&w->w_ih)).s, fx__check_type(call, type_of(&w->w_hh)).s,
                              fx__check_dim(call, width).s, fx__check_dim(call, features).s, fx__check_dim(call, width).s,
                              fx__check_dim(call, size).s);
    const fx_attr *bias[] = {&w->b_ih, &w->b_hh};
    for (int i = 0; i < 2; i++) {
        if (bias[i]->kind == FX_ATTR_NONE) continue;
        FX_TRY(same_dtype(call, bias[i], "a bias"));
        if (!has_dims(call, bias[i], 1, &width))
            return fx__call_error(call, FX_E_SHAPE, "bias %s is not [%s]", fx__check_type(call, type_of(bias[i])).s,
                                  fx__check_dim(call, width).s);
    }
    return FX_OK;
}

/* ---- Stacks: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
 * ------------------------------ */

typedef struct stack {
    int32_t layers, directions;
    bool biases, batch_first;
} stack;

static fx_status read_stack(const fx_call *call, const kind *k, stack *out)
{
    int64_t layers = fx__call_int(call, 4);
    *out = (stack){.directions = fx__call_int(call, 7) ? 2 : 1,
                   .biases = fx__call_int(call, 3) != 0,
                   .batch_first = fx__call_int(call, 8) != 0};
    if (layers < 1 || layers > 1000) return fx__call_error(call, FX_E_ARG, "%lld layers", (long long)layers);
    out->layers = (int32_t)layers;
    int32_t n = fx__call_list_count(call, 2), want = out->layers * out->directions * (out->biases ? 4 : 2);
    if (n == out->layers * out->directions * (out->biases ? 5 : 3) && k->has_memory)
        return fx__call_error(call, FX_E_UNSUPPORTED, "projections of the state (proj_size) are not supported");
    if (n != want) return fx__call_error(call, FX_E_ARG, "%d parameters, expected %d", (int)n, (int)want);
    bool drops = fx__call_int(call, 6) != 0 && fx__call_float(call, 5) > 0 && layers > 1;
    return drops ? fx__call_error(call, FX_E_UNSUPPORTED, "dropout between layers while training is not supported") : FX_OK;
}

static weights weights_of(const fx_call *call, const stack *s, int32_t index)
{
    const fx_attr *params = &call->arg[2].u.items[index * (s->biases ? 4 : 2)];
    weights w = {params[0], params[1], fx_none(), fx_none()};
    if (s->biases) w.b_ih = params[2], w.b_hh = params[3];
    return w;
}

static fx_status dtype_stack(fx_call *call, const kind *k)
{
    return set_dtypes(call, k, 1 + state_count(k));
}

static fx_status shape_stack(fx_call *call, const kind *k)
{
    stack s;
    FX_TRY(read_stack(call, k, &s));
    FX_TRY(fx__check_rank(call, 0, 3, 3));
    const fx_type *x = fx__call_type(call, 0);
    fx_attr first = state_arg(call, k, 0);
    if (type_of(&first)->rank != 3) return fx__call_error(call, FX_E_SHAPE, "a state has not 3 dimensions");
    fx_dim size = type_of(&first)->dim[2], batch = x->dim[s.batch_first ? 0 : 1], features = x->dim[2];
    const fx_dim states[] = {s.layers * s.directions, batch, size};
    for (int32_t i = 0; i < state_count(k); i++) {
        fx_attr state = state_arg(call, k, i);
        if (!has_dims(call, &state, 3, states))
            return fx__call_error(call, FX_E_SHAPE, "state %s is not [%d, %s, %s]", fx__check_type(call, type_of(&state)).s,
                                  (int)(s.layers * s.directions), fx__check_dim(call, batch).s, fx__check_dim(call, size).s);
        call->result[1 + i] = (fx_type){.dtype = x->dtype, .rank = 3, .dim = {states[0], batch, size}};
    }
    for (int32_t i = 0; i < s.layers * s.directions; i++) {
        weights w = weights_of(call, &s, i);
        if (i == s.directions) features = fx__dim_mul(call->dims, size, s.directions);
        FX_TRY(check_weights(call, k, &w, features, size));
    }
    call->result[0] =
        (fx_type){.dtype = x->dtype, .rank = 3, .dim = {x->dim[0], x->dim[1], fx__dim_mul(call->dims, size, s.directions)}};
    return FX_OK;
}

/* ---- Decomposing: fx_none() after a problem, which the first failing node has told
 * -------------------------------------------------- */

typedef struct maker {
    fx_graph *graph;
    const fx_call *call;
    const kind *kind;
    bool failed;
} maker;

static fx_attr make(maker *m, fx_op_code op, const fx_attr *args, int32_t n)
{
    fx_node *node = m->failed ? NULL : fx__check_insert(m->graph, m->call, op, args, n);
    m->failed = node == NULL;
    return node ? fx_node_attr(node) : fx_none();
}

#define MAKE(m, op, ...)                                                                                                           \
    make((m), FX_OP_##op, (const fx_attr[]){__VA_ARGS__}, (int32_t)(sizeof((const fx_attr[]){__VA_ARGS__}) / sizeof(fx_attr)))

static fx_attr list_of(maker *m, const fx_attr *items, int32_t n)
{
    fx_attr list = fx_list(m->graph, items, n);
    m->failed = m->failed || list.kind == FX_ATTR_NONE;
    return list;
}

static fx_attr part_of(maker *m, fx_attr vector, fx_dim from, fx_dim to)
{
    return MAKE(m, slice, vector, fx_int(0), fx_dim_attr(from), fx_dim_attr(to), fx_int(1));
}

/* What the input's part may take of the hidden bias: all but the last gate's, which is 0 instead. */
static fx_attr hidden_bias(maker *m, fx_attr bias, fx_dim size)
{
    if (!m->kind->splits_bias) return bias;
    const fx_attr pad[] = {fx_int(0), fx_dim_attr(size)};
    return MAKE(m, constant_pad_nd, part_of(m, bias, 0, fx__dim_mul(m->call->dims, size, 2)), list_of(m, pad, 2), fx_int(0));
}

/* The bias of the input's part. */
static fx_attr gate_bias(maker *m, const weights *w, fx_dim size)
{
    if (w->b_hh.kind == FX_ATTR_NONE) return w->b_ih;
    fx_attr hidden = hidden_bias(m, w->b_hh, size);
    return w->b_ih.kind == FX_ATTR_NONE ? hidden : MAKE(m, add, w->b_ih, hidden, fx_int(1));
}

/* One layer in one direction: out[0] all steps, out[1] and out[2] the last states. x and the output have three dims. */
static void make_layer(maker *m, fx_attr x, const fx_attr state[2], const weights *w, bool reverse, bool batch_first,
                       fx_attr out[3])
{
    const kind *k = m->kind;
    fx_dim size = type_of(&w->w_hh)->dim[1];
    fx_attr gates = MAKE(m, linear, x, w->w_ih, gate_bias(m, w, size)), back = fx_bool(reverse), first = fx_bool(batch_first),
            none = fx_none();
    fx_attr layer, bias = none;
    if (k->splits_bias && w->b_hh.kind != FX_ATTR_NONE)
        bias = part_of(m, w->b_hh, fx__dim_mul(m->call->dims, size, 2), fx__dim_mul(m->call->dims, size, 3));
    if (k->layer == FX_OP_lstm_layer)
        layer = MAKE(m, lstm_layer, gates, state[0], state[1], w->w_hh, none, back, first, none);
    else if (k->layer == FX_OP_gru_layer)
        layer = MAKE(m, gru_layer, gates, state[0], w->w_hh, bias, none, back, first, none, fx_bool(false));
    else
        layer = MAKE(m, rnn_layer, gates, state[0], w->w_hh, none, back, first, none, fx_bool(k->relu));
    for (int32_t i = 0; i <= state_count(k); i++) out[i] = MAKE(m, getitem, layer, fx_int(i));
}

/* Reads each direction of one layer; returns what the next layer reads. */
static fx_attr make_directions(maker *m, const stack *s, fx_attr x, int32_t layer, fx_attr *states[2])
{
    fx_attr y[2];
    for (int32_t d = 0; d < s->directions; d++) {
        int32_t index = layer * s->directions + d;
        weights w = weights_of(m->call, s, index);
        fx_attr state[2] = {fx_none(), fx_none()}, out[3];
        for (int32_t i = 0; i < state_count(m->kind); i++)
            state[i] = MAKE(m, select, state_arg(m->call, m->kind, i), fx_int(0), fx_int(index));
        make_layer(m, x, state, &w, d == 1, s->batch_first, out);
        y[d] = out[0];
        for (int32_t i = 0; i < state_count(m->kind); i++) states[i][index] = out[1 + i];
    }
    return s->directions == 1 ? y[0] : MAKE(m, cat, list_of(m, y, 2), fx_int(2));
}

static fx_node *decompose_stack(fx_graph *graph, const fx_call *call, const kind *k)
{
    stack s;
    maker m = {graph, call, k, false};
    if (read_stack(call, k, &s) != FX_OK) return NULL;
    int32_t n = s.layers * s.directions;
    fx_attr *states[2] = {FX_NEW_ARRAY(graph->arena, fx_attr, n), FX_NEW_ARRAY(graph->arena, fx_attr, n)}, out[3], x = call->arg[0];
    if (!states[0] || !states[1]) return NULL;
    for (int32_t layer = 0; layer < s.layers; layer++) x = make_directions(&m, &s, x, layer, states);
    out[0] = x;
    for (int32_t i = 0; i < state_count(k); i++) out[1 + i] = MAKE(&m, stack, list_of(&m, states[i], n), fx_int(0));
    fx_attr all = MAKE(&m, tuple, list_of(&m, out, 1 + state_count(k)));
    return m.failed ? NULL : all.u.node;
}

/* ---- Cells: (input, hx, w_ih, w_hh, b_ih, b_hh)
 * -------------------------------------------------------------------------------------- */

static weights cell_weights(const fx_call *call)
{
    return (weights){call->arg[2], call->arg[3], call->arg[4], call->arg[5]};
}

static fx_status dtype_cell(fx_call *call, const kind *k)
{
    return set_dtypes(call, k, state_count(k));
}

static fx_status shape_cell(fx_call *call, const kind *k)
{
    FX_TRY(fx__check_rank(call, 0, 2, 2));
    FX_TRY(fx__check_rank(call, 3, 2, 2));
    const fx_type *x = fx__call_type(call, 0);
    const fx_dim states[] = {x->dim[0], fx__call_type(call, 3)->dim[1]};
    weights w = cell_weights(call);
    FX_TRY(check_weights(call, k, &w, x->dim[1], states[1]));
    for (int32_t i = 0; i < state_count(k); i++) {
        fx_attr state = state_arg(call, k, i);
        if (!has_dims(call, &state, 2, states))
            return fx__call_error(call, FX_E_SHAPE, "state %s is not [%s, %s]", fx__check_type(call, type_of(&state)).s,
                                  fx__check_dim(call, states[0]).s, fx__check_dim(call, states[1]).s);
        call->result[i] = (fx_type){.dtype = x->dtype, .rank = 2, .dim = {states[0], states[1]}};
    }
    return FX_OK;
}

/* A stack that runs for one step. */
static fx_node *decompose_cell(fx_graph *graph, const fx_call *call, const kind *k)
{
    maker m = {graph, call, k, false};
    weights w = cell_weights(call);
    fx_attr x = MAKE(&m, unsqueeze, call->arg[0], fx_int(0)), state[2] = {fx_none(), fx_none()}, out[3];
    for (int32_t i = 0; i < state_count(k); i++) state[i] = state_arg(call, k, i);
    make_layer(&m, x, state, &w, false, false, out);
    fx_attr result = k->has_memory ? MAKE(&m, tuple, list_of(&m, &out[1], 2)) : out[1];
    return m.failed ? NULL : result.u.node;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

#define STACK_ARGS                                                                                                                 \
    ", Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> "
#define CELL_ARGS ", Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> "

/* The hooks and the descriptor of a row `name`, whose cell is `kind`. */
#define ROW(name_, kind_, what_, target_, schema_, names_, cases_)                                                                 \
    fx_status fx__ref_##name_(const fx_rt_arg *args, fx_tensor *results);                                                          \
    fx_status fx__bound_##name_(const fx_rt_bound *call);                                                                          \
    static fx_status dtype_##name_(fx_call *call)                                                                                  \
    {                                                                                                                              \
        return dtype_##what_(call, &kind_##_kind);                                                                                 \
    }                                                                                                                              \
    static fx_status shape_##name_(fx_call *call)                                                                                  \
    {                                                                                                                              \
        return shape_##what_(call, &kind_##_kind);                                                                                 \
    }                                                                                                                              \
    static fx_node *decompose_##name_(fx_graph *graph, const fx_call *call)                                                        \
    {                                                                                                                              \
        return decompose_##what_(graph, call, &kind_##_kind);                                                                      \
    }                                                                                                                              \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." target_,                                                              \
                                 .schema = schema_,                                                                                \
                                 .names = names_,                                                                                  \
                                 .family = "recurrent",                                                                            \
                                 .dtypes = FX_FLOATS,                                                                              \
                                 .dtype = dtype_##name_,                                                                           \
                                 .shape = shape_##name_,                                                                           \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .bound = fx__bound_##name_,                                                                       \
                                 .decompose = decompose_##name_,                                                                   \
                                 .cases = cases_}

static const fx_case cases_lstm[] = {
    {"(f32[3, 2, 4], [f32[1, 2, 3], f32[1, 2, 3]], [f32[12, 4], f32[12, 3], f32[12], f32[12]], True, 1, 0.0, False, False, False)",
     "one layer"},
    {"(f32[2, 3, 4], [f32[1, 2, 3], f32[1, 2, 3]], [f32[12, 4], f32[12, 3]], False, 1, 0.0, False, False, True)",
     "batch first, no biases"},
    {"(f32[2, 1, 4], [f32[4, 1, 2], f32[4, 1, 2]], [f32[8, 4], f32[8, 2], f32[8], f32[8], f32[8, 4], f32[8, 2], f32[8], f32[8], "
     "f32[8, 4], f32[8, 2], f32[8], f32[8], f32[8, 4], f32[8, 2], f32[8], f32[8]], True, 2, 0.5, False, True, False)",
     "two layers in both directions"},
    {"(f32[s0, 2, 4], [f32[1, 2, 3], f32[1, 2, 3]], [f32[12, 4], f32[12, 3], f32[12], f32[12]], True, 1, 0.0, False, False, False)",
     "symbolic steps"},
    {NULL, NULL},
};
static const fx_case cases_gru[] = {
    {"(f32[3, 2, 4], f32[1, 2, 3], [f32[9, 4], f32[9, 3], f32[9], f32[9]], True, 1, 0.0, False, False, False)", "one layer"},
    {"(f32[2, 3, 4], f32[2, 2, 3], [f32[9, 4], f32[9, 3], f32[9, 3], f32[9, 3]], False, 2, 0.0, False, False, True)",
     "two layers, batch first, no biases"},
    {"(f32[2, 1, 4], f32[2, 1, 2], [f32[6, 4], f32[6, 2], f32[6], f32[6], f32[6, 4], f32[6, 2], f32[6], f32[6]], True, 1, 0.0, "
     "False, True, False)",
     "both directions"},
    {NULL, NULL},
};
static const fx_case cases_rnn[] = {
    {"(f32[3, 2, 4], f32[1, 2, 3], [f32[3, 4], f32[3, 3], f32[3], f32[3]], True, 1, 0.0, False, False, False)", "one layer"},
    {"(f32[2, 3, 4], f32[2, 2, 3], [f32[3, 4], f32[3, 3], f32[3, 4], f32[3, 3]], False, 1, 0.0, False, True, True)",
     "both directions, batch first, no biases"},
    {NULL, NULL},
};
static const fx_case cases_lstm_cell[] = {
    {"(f32[2, 4], [f32[2, 3], f32[2, 3]], f32[12, 4], f32[12, 3], f32[12], f32[12])", "plain"},
    {"(f32[1, 4], [f32[1, 18], f32[1, 18]], f32[72, 4], f32[72, 18])", "no biases, units beyond a vector"},
    {"(f32[s0, 4], [f32[s0, 3], f32[s0, 3]], f32[12, 4], f32[12, 3], f32[12], f32[12])", "symbolic batch"},
    {NULL, NULL},
};
static const fx_case cases_gru_cell[] = {
    {"(f32[2, 4], f32[2, 3], f32[9, 4], f32[9, 3], f32[9], f32[9])", "plain"},
    {"(f32[2, 4], f32[2, 3], f32[9, 4], f32[9, 3], None, f32[9])", "hidden bias only"},
    {"(f32[1, 4], f32[1, 18], f32[54, 4], f32[54, 18])", "no biases, units beyond a vector"},
    {NULL, NULL},
};
static const fx_case cases_rnn_cell[] = {
    {"(f32[2, 4], f32[2, 3], f32[3, 4], f32[3, 3], f32[3], f32[3])", "plain"},
    {"(f32[2, 4], f32[2, 3], f32[3, 4], f32[3, 3])", "no biases"},
    {NULL, NULL},
};

ROW(lstm, lstm, stack, "lstm.input", "lstm.input(Tensor input, Tensor[] hx" STACK_ARGS "(Tensor, Tensor, Tensor)",
    "torch.lstm torch._VF.lstm", cases_lstm);
ROW(gru, gru, stack, "gru.input", "gru.input(Tensor input, Tensor hx" STACK_ARGS "(Tensor, Tensor)", "torch.gru torch._VF.gru",
    cases_gru);
ROW(rnn_tanh, tanh, stack, "rnn_tanh.input", "rnn_tanh.input(Tensor input, Tensor hx" STACK_ARGS "(Tensor, Tensor)",
    "torch.rnn_tanh torch._VF.rnn_tanh", cases_rnn);
ROW(rnn_relu, relu, stack, "rnn_relu.input", "rnn_relu.input(Tensor input, Tensor hx" STACK_ARGS "(Tensor, Tensor)",
    "torch.rnn_relu torch._VF.rnn_relu", cases_rnn);
ROW(lstm_cell, lstm, cell, "lstm_cell.default", "lstm_cell(Tensor input, Tensor[] hx" CELL_ARGS "(Tensor, Tensor)",
    "torch.lstm_cell torch._VF.lstm_cell", cases_lstm_cell);
ROW(gru_cell, gru, cell, "gru_cell.default", "gru_cell(Tensor input, Tensor hx" CELL_ARGS "Tensor",
    "torch.gru_cell torch._VF.gru_cell", cases_gru_cell);
ROW(rnn_tanh_cell, tanh, cell, "rnn_tanh_cell.default", "rnn_tanh_cell(Tensor input, Tensor hx" CELL_ARGS "Tensor",
    "torch.rnn_tanh_cell torch._VF.rnn_tanh_cell", cases_rnn_cell);
ROW(rnn_relu_cell, relu, cell, "rnn_relu_cell.default", "rnn_relu_cell(Tensor input, Tensor hx" CELL_ARGS "Tensor",
    "torch.rnn_relu_cell torch._VF.rnn_relu_cell", cases_rnn_cell);
