/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/recurrent.c: one recurrent layer in one direction: lstm_layer, gru_layer, rnn_layer. They are given the input's part of
 * every gate (with biases) for all steps, which is one matrix product elsewhere, and do what depends on the state: a LOOP over the
 * steps around a kernel whose CONTRACTs, one per gate, read the state once. Narrow floats are carried as f32. What they compute
 * stands at the top of recurrent_ref.c.
 */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__ref_lstm_layer(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__bound_lstm_layer(const fx_rt_bound *call);
fx_status fx__ref_gru_layer(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__bound_gru_layer(const fx_rt_bound *call);
fx_status fx__ref_rnn_layer(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__bound_rnn_layer(const fx_rt_bound *call);

enum { GATES = 4 };

/* Where a row has its arguments; -1: it has none such. */
typedef struct layout {
    int32_t gates, cx, weight, bias, lengths, options; /* options: reverse, batch_first, clip, and one more */
} layout;

static const layout of_lstm = {4, 2, 3, -1, 4, 5}, of_gru = {3, -1, 2, 3, 4, 5}, of_rnn = {1, -1, 2, -1, 3, 4};

/* ---- Types --------------------------------------------------------------------------------------------------------------- */

/* All tensors but the lengths have the dtype of the gates, and so have all results. */
static fx_status dtype_layer(fx_call *call, const layout *at)
{
    fx_dtype dtype = fx__call_type(call, 0)->dtype;
    const int32_t others[] = {1, at->cx, at->weight, at->bias};
    for (int i = 0; i < 4; i++) {
        if (others[i] < 0 || fx__call_is_none(call, others[i])) continue;
        fx_dtype other = fx__call_type(call, others[i])->dtype;
        if (other != dtype)
            return fx__call_error(call, FX_E_TYPE, "gates is %s, argument %d is %s; expected equal element types",
                                  fx_dtype_name(dtype), (int)others[i], fx_dtype_name(other));
    }
    if (!fx__call_is_none(call, at->lengths) && !fx_dtype_is_int(fx__call_type(call, at->lengths)->dtype))
        return fx__call_error(call, FX_E_TYPE, "lengths are no integers");
    call->n_results = at->cx >= 0 ? 3 : 2;
    for (int32_t r = 0; r < call->n_results; r++) call->result[r].dtype = dtype;
    return FX_OK;
}

static bool is_state(const fx_call *call, int32_t index, fx_dim batch, fx_dim size)
{
    const fx_type *type = fx__call_type(call, index);
    return type->rank == 2 && fx__check_equal(call, type->dim[0], batch, "one state per sequence") &&
           fx__check_equal(call, type->dim[1], size, "states of one size");
}

static fx_status shape_layer(fx_call *call, const layout *at)
{
    FX_TRY(fx__check_rank(call, 0, 3, 3));
    FX_TRY(fx__check_rank(call, at->weight, 2, 2));
    const fx_type *x = fx__call_type(call, 0), *w = fx__call_type(call, at->weight);
    bool batch_first = fx__call_int(call, at->options + 1) != 0;
    fx_dim size = w->dim[1], batch = x->dim[batch_first ? 0 : 1], width = fx__dim_mul(call->dims, size, at->gates);
    if (!fx__check_equal(call, w->dim[0], width, "the weights of all gates") ||
        !fx__check_equal(call, x->dim[2], width, "all gates of the input"))
        return fx__call_error(call, FX_E_SHAPE, "gates %s and weights %s are not %d times the size of the state",
                              fx__check_type(call, x).s, fx__check_type(call, w).s, (int)at->gates);
    if (!is_state(call, 1, batch, size) || (at->cx >= 0 && !is_state(call, at->cx, batch, size)))
        return fx__call_error(call, FX_E_SHAPE, "a state is not [%s, %s]", fx__check_dim(call, batch).s,
                              fx__check_dim(call, size).s);
    if (at->bias >= 0) FX_TRY(fx__check_vector(call, at->bias, size));
    FX_TRY(fx__check_vector(call, at->lengths, batch));
    for (int32_t r = 0; r < call->n_results; r++) {
        fx_type *out = &call->result[r];
        *out = (fx_type){.dtype = out->dtype, .rank = r == 0 ? 3 : 2, .dim = {batch, size}};
        if (r == 0) *out = (fx_type){.dtype = out->dtype, .rank = 3, .dim = {x->dim[0], x->dim[1], size}};
    }
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* The layer, and one kernel of it: point (b, u) of the turn at hand. */
typedef struct lowering {
    fx_lower *lower;
    const fx_call *call;
    const layout *at;
    fx_lower_loop loop;
    fx_dim steps, batch, size, time;
    bool batch_first;
    fx_dtype dtype; /* computed in */
    fx_kb *k;
    uint8_t b, u, red;
} lowering;

static lowering begin(fx_lower *lower, const fx_call *call, const layout *at)
{
    const fx_type *x = fx__call_type(call, 0);
    lowering l = {.lower = lower, .call = call, .at = at, .batch_first = fx__call_int(call, at->options + 1) != 0};
    l.steps = x->dim[l.batch_first ? 1 : 0];
    l.batch = x->dim[l.batch_first ? 0 : 1];
    l.size = fx__call_type(call, at->weight)->dim[1];
    l.dtype = fx__scalar_compute(x->dtype);
    return l;
}

static fx_status begin_turn(lowering *l)
{
    fx_dims *dims = fx__lower_dims(l->lower);
    fx_dim turn = fx__lower_loop_begin(l->lower, l->steps, &l->loop);
    bool reverse = fx__call_int(l->call, l->at->options) != 0;
    l->time = reverse ? fx__dim_sub(dims, fx__dim_sub(dims, l->steps, 1), turn) : turn;
    return turn == FX_DIM_BAD || l->time == FX_DIM_BAD ? FX_E_OOM : FX_OK;
}

static void begin_kernel(lowering *l)
{
    l->k = fx__lower_kernel(l->lower, l->call);
    l->b = fx__kb_axis(l->k, "b", l->batch, true);
    l->u = fx__kb_axis(l->k, "u", l->size, true);
    l->red = fx__kb_axis(l->k, "k", l->size, false);
}

static uint16_t computed(const lowering *l, uint16_t e)
{
    return fx__kb_cast(l->k, l->dtype, e);
}
static uint16_t two(const lowering *l, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(l->k, op, a, b);
}
static uint16_t one(const lowering *l, fx_scalar_op op, uint16_t a)
{
    return fx__kb_scalar(l->k, op, a, FX_NO_EXPR);
}

/* Unit u of one gate: number `gate` of those along a row. */
static fx_index unit_of(const lowering *l, int gate)
{
    fx_index index = fx__index_axis(l->u);
    index.base = fx__dim_mul(fx__lower_dims(l->lower), l->size, gate);
    return index;
}

/* Row u of one gate's weights times the state. */
static fx_kresult product(const lowering *l, const char *name, int gate, fx_lvalue state)
{
    const fx_index at_state[] = {fx__index_axis(l->b), fx__index_axis(l->red)};
    const fx_index at_weight[] = {unit_of(l, gate), fx__index_axis(l->red)};
    uint16_t a = computed(l, fx__kb_load(l->k, state, at_state));
    uint16_t w = computed(l, fx__kb_load(l->k, fx__lower_arg(l->lower, l->call, l->at->weight), at_weight));
    return fx__kb_contract(l->k, name, &l->red, 1, a, w);
}

static uint16_t load_unit(const lowering *l, fx_lvalue state)
{
    const fx_index at[] = {fx__index_axis(l->b), fx__index_axis(l->u)};
    return computed(l, fx__kb_load(l->k, state, at));
}

static void store_unit(const lowering *l, fx_lvalue state, uint16_t e)
{
    const fx_index at[] = {fx__index_axis(l->b), fx__index_axis(l->u)};
    fx__kb_store(l->k, state, at, e);
}

static void at_time(const lowering *l, fx_index unit, fx_index out[3])
{
    out[l->batch_first ? 0 : 1] = fx__index_axis(l->b);
    out[l->batch_first ? 1 : 0] = fx__index_const(l->time);
    out[2] = unit;
}

static uint16_t input_part(const lowering *l, int gate)
{
    fx_index at[3];
    at_time(l, unit_of(l, gate), at);
    return computed(l, fx__kb_load(l->k, fx__lower_arg(l->lower, l->call, 0), at));
}

static uint16_t clipped(const lowering *l, uint16_t e)
{
    int32_t clip = l->at->options + 2;
    if (fx__call_is_none(l->call, clip)) return e;
    double limit = fx__call_float(l->call, clip);
    uint16_t below = two(l, FX_SCALAR_MIN, e, fx__kb_imm(l->k, l->dtype, limit));
    return two(l, FX_SCALAR_MAX, below, fx__kb_imm(l->k, l->dtype, -limit));
}

static uint16_t gate_sum(const lowering *l, int gate, fx_kresult sum)
{
    return clipped(l, two(l, FX_SCALAR_ADD, input_part(l, gate), fx__kb_result(l->k, sum)));
}

/* Is this sequence not yet over at the turn's time? FX_NO_EXPR: sequences are as long as the input. */
static uint16_t is_running(const lowering *l)
{
    fx_lvalue lengths = fx__lower_arg(l->lower, l->call, l->at->lengths);
    const fx_index at = fx__index_axis(l->b);
    if (lengths < 0) return FX_NO_EXPR;
    uint16_t length = fx__kb_cast(l->k, FX_I64, fx__kb_load(l->k, lengths, &at));
    return two(l, FX_SCALAR_LT, fx__kb_dim(l->k, l->time), length);
}

static uint16_t where(const lowering *l, uint16_t condition, uint16_t yes, uint16_t no)
{
    return condition == FX_NO_EXPR ? yes : fx__kb_select(l->k, condition, yes, no);
}

/* Stores the turn's state and output; past its end a sequence keeps its state and gives zeros. */
static void store_state(const lowering *l, fx_lvalue now, fx_lvalue next, uint16_t value)
{
    fx_index at[3];
    uint16_t running = is_running(l);
    at_time(l, fx__index_axis(l->u), at);
    store_unit(l, next, running == FX_NO_EXPR ? value : where(l, running, value, load_unit(l, now)));
    fx__kb_store(l->k, fx__lower_result(l->lower, l->call, 0), at, where(l, running, value, fx__kb_imm(l->k, l->dtype, 0)));
}

static fx_status lower_lstm_turn(lowering *l, fx_lvalue h, fx_lvalue c)
{
    static const char *const name[GATES] = {"i", "f", "g", "o"};
    fx_lvalue next_h = fx__lower_loop_carry(l->lower, &l->loop, h), next_c = fx__lower_loop_carry(l->lower, &l->loop, c);
    fx_kresult sum[GATES];
    begin_kernel(l);
    for (int g = 0; g < GATES; g++) sum[g] = product(l, name[g], g, h);
    uint16_t in = one(l, FX_SCALAR_SIGMOID, gate_sum(l, 0, sum[0])), forget = one(l, FX_SCALAR_SIGMOID, gate_sum(l, 1, sum[1]));
    uint16_t cell = one(l, FX_SCALAR_TANH, gate_sum(l, 2, sum[2])), out = one(l, FX_SCALAR_SIGMOID, gate_sum(l, 3, sum[3]));
    uint16_t old = load_unit(l, c);
    uint16_t memory = two(l, FX_SCALAR_ADD, two(l, FX_SCALAR_MUL, forget, old), two(l, FX_SCALAR_MUL, in, cell));
    store_unit(l, next_c, where(l, is_running(l), memory, old));
    store_state(l, h, next_h, two(l, FX_SCALAR_MUL, out, one(l, FX_SCALAR_TANH, memory)));
    return fx__kb_finish(l->k);
}

static fx_status lower_lstm(fx_lower *lower, const fx_call *call)
{
    lowering l = begin(lower, call, &of_lstm);
    fx_lvalue h = fx__lower_copy_of(lower, "h", fx__lower_arg(lower, call, 1), l.dtype);
    fx_lvalue c = fx__lower_copy_of(lower, "c", fx__lower_arg(lower, call, 2), l.dtype);
    if (l.steps != 0) {
        FX_TRY(begin_turn(&l));
        FX_TRY(lower_lstm_turn(&l, h, c));
        FX_TRY(fx__lower_loop_end(lower, &l.loop));
    }
    FX_TRY(fx__lower_give(lower, call, 1, h));
    return fx__lower_give(lower, call, 2, c);
}

/* n + z (h - n), where n = tanh(xn + hidden). */
static void store_gru(const lowering *l, fx_lvalue h, fx_lvalue next, uint16_t z, uint16_t hidden)
{
    uint16_t n = one(l, FX_SCALAR_TANH, clipped(l, two(l, FX_SCALAR_ADD, input_part(l, 2), hidden)));
    uint16_t back = two(l, FX_SCALAR_MUL, z, two(l, FX_SCALAR_SUB, load_unit(l, h), n));
    store_state(l, h, next, two(l, FX_SCALAR_ADD, n, back));
}

static uint16_t biased(const lowering *l, uint16_t hidden)
{
    const fx_index at = fx__index_axis(l->u);
    fx_lvalue bias = fx__lower_arg(l->lower, l->call, l->at->bias);
    return bias < 0 ? hidden : two(l, FX_SCALAR_ADD, hidden, computed(l, fx__kb_load(l->k, bias, &at)));
}

static fx_status lower_gru_turn(lowering *l, fx_lvalue h, fx_lvalue next)
{
    begin_kernel(l);
    fx_kresult r = product(l, "r", 0, h), z = product(l, "z", 1, h), n = product(l, "n", 2, h);
    uint16_t reset = one(l, FX_SCALAR_SIGMOID, gate_sum(l, 0, r)), update = one(l, FX_SCALAR_SIGMOID, gate_sum(l, 1, z));
    store_gru(l, h, next, update, two(l, FX_SCALAR_MUL, reset, biased(l, fx__kb_result(l->k, n))));
    return fx__kb_finish(l->k);
}

/* The reset gate before the product: a kernel for the gates, and one for the product of what they leave. */
static fx_status lower_reset_first_turn(lowering *l, fx_lvalue h, fx_lvalue next)
{
    const fx_type *state = fx__call_type(l->call, 1);
    fx_type wide = *state;
    wide.dtype = l->dtype;
    fx_lvalue left = fx__lower_temp(l->lower, "rh", &wide), update = fx__lower_temp(l->lower, "z", &wide);
    begin_kernel(l);
    fx_kresult r = product(l, "r", 0, h), z = product(l, "z", 1, h);
    store_unit(l, left, two(l, FX_SCALAR_MUL, one(l, FX_SCALAR_SIGMOID, gate_sum(l, 0, r)), load_unit(l, h)));
    store_unit(l, update, one(l, FX_SCALAR_SIGMOID, gate_sum(l, 1, z)));
    FX_TRY(fx__kb_finish(l->k));
    begin_kernel(l);
    fx_kresult n = product(l, "n", 2, left);
    uint16_t hidden = biased(l, fx__kb_result(l->k, n));
    store_gru(l, h, next, load_unit(l, update), hidden);
    return fx__kb_finish(l->k);
}

static fx_status lower_gru(fx_lower *lower, const fx_call *call)
{
    lowering l = begin(lower, call, &of_gru);
    fx_lvalue h = fx__lower_copy_of(lower, "h", fx__lower_arg(lower, call, 1), l.dtype);
    if (l.steps != 0) {
        FX_TRY(begin_turn(&l));
        fx_lvalue next = fx__lower_loop_carry(lower, &l.loop, h);
        bool reset_first = fx__call_int(call, of_gru.options + 3) != 0;
        FX_TRY(reset_first ? lower_reset_first_turn(&l, h, next) : lower_gru_turn(&l, h, next));
        FX_TRY(fx__lower_loop_end(lower, &l.loop));
    }
    return fx__lower_give(lower, call, 1, h);
}

static fx_status lower_rnn(fx_lower *lower, const fx_call *call)
{
    lowering l = begin(lower, call, &of_rnn);
    fx_lvalue h = fx__lower_copy_of(lower, "h", fx__lower_arg(lower, call, 1), l.dtype);
    bool relu = fx__call_int(call, of_rnn.options + 3) != 0;
    if (l.steps != 0) {
        FX_TRY(begin_turn(&l));
        fx_lvalue next = fx__lower_loop_carry(lower, &l.loop, h);
        begin_kernel(&l);
        uint16_t sum = gate_sum(&l, 0, product(&l, "n", 0, h));
        store_state(&l, h, next, one(&l, relu ? FX_SCALAR_RELU : FX_SCALAR_TANH, sum));
        FX_TRY(fx__kb_finish(l.k));
        FX_TRY(fx__lower_loop_end(lower, &l.loop));
    }
    return fx__lower_give(lower, call, 1, h);
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

static fx_status dtype_lstm(fx_call *call)
{
    return dtype_layer(call, &of_lstm);
}
static fx_status shape_lstm(fx_call *call)
{
    return shape_layer(call, &of_lstm);
}
static fx_status dtype_gru(fx_call *call)
{
    return dtype_layer(call, &of_gru);
}
static fx_status shape_gru(fx_call *call)
{
    return shape_layer(call, &of_gru);
}
static fx_status dtype_rnn(fx_call *call)
{
    return dtype_layer(call, &of_rnn);
}
static fx_status shape_rnn(fx_call *call)
{
    return shape_layer(call, &of_rnn);
}

const fx_op fx_op_lstm_layer = {
    .name = "lstm_layer",
    .target = "torch.ops.fxjit.lstm_layer.default",
    .schema = "lstm_layer(Tensor gates, Tensor hx, Tensor cx, Tensor weight_hh, Tensor? lengths=None, bool reverse=False, "
              "bool batch_first=False, float? clip=None) -> (Tensor, Tensor, Tensor)",
    .names = "",
    .onnx = "LSTM",
    .family = "recurrent",
    .dtypes = FX_FLOATS,
    .dtype = dtype_lstm,
    .shape = shape_lstm,
    .reference = fx__ref_lstm_layer,
    .bound = fx__bound_lstm_layer,
    .lower = lower_lstm,
    .cases = (const fx_case[]){{"(f32[3, 2, 20], f32[2, 5], f32[2, 5], f32[20, 5])", "plain"},
                               {"(f32[2, 3, 20], f32[2, 5], f32[2, 5], f32[20, 5], None, True, True)", "backwards, batch first"},
                               {"(f32[4, 1, 72], f32[1, 18], f32[1, 18], f32[72, 18])", "one sequence, units beyond a vector"},
                               {"(f32[1, 2, 12], f32[2, 3], f32[2, 3], f32[12, 3])", "one step"},
                               {"(f32[0, 2, 12], f32[2, 3], f32[2, 3], f32[12, 3])", "no step"},
                               {"(f32[2, 0, 12], f32[0, 3], f32[0, 3], f32[12, 3])", "no sequence"},
                               {"(f32[3, 2, 12], f32[2, 3], f32[2, 3], f32[12, 3], i32[2], False, False, 0.5)", "lengths, clipped"},
                               {"(f32[3, 2, 12], f32[2, 3], f32[2, 3], f32[12, 3], i64[2], True)", "lengths, backwards"},
                               {"(f32[s0, 2, 12], f32[2, 3], f32[2, 3], f32[12, 3])", "symbolic steps"},
                               {"(f32[s0, 3, 12], f32[s0, 3], f32[s0, 3], f32[12, 3], None, True, True)", "symbolic batch"},
                               {NULL, NULL}},
};

const fx_op fx_op_gru_layer = {
    .name = "gru_layer",
    .target = "torch.ops.fxjit.gru_layer.default",
    .schema = "gru_layer(Tensor gates, Tensor hx, Tensor weight_hh, Tensor? bias_n=None, Tensor? lengths=None, bool reverse=False, "
              "bool batch_first=False, float? clip=None, bool reset_first=False) -> (Tensor, Tensor)",
    .names = "",
    .onnx = "GRU",
    .family = "recurrent",
    .dtypes = FX_FLOATS,
    .dtype = dtype_gru,
    .shape = shape_gru,
    .reference = fx__ref_gru_layer,
    .bound = fx__bound_gru_layer,
    .lower = lower_gru,
    .cases = (const fx_case[]){{"(f32[3, 2, 15], f32[2, 5], f32[15, 5])", "plain"},
                               {"(f32[3, 2, 15], f32[2, 5], f32[15, 5], f32[5], None, True)", "bias, backwards"},
                               {"(f32[2, 3, 15], f32[2, 5], f32[15, 5], f32[5], None, False, True, None, True)", "reset first"},
                               {"(f32[2, 1, 54], f32[1, 18], f32[54, 18], f32[18])", "one sequence, units beyond a vector"},
                               {"(f32[1, 2, 9], f32[2, 3], f32[9, 3])", "one step"},
                               {"(f32[0, 2, 9], f32[2, 3], f32[9, 3])", "no step"},
                               {"(f32[3, 2, 9], f32[2, 3], f32[9, 3], None, i32[2], False, False, 0.5, True)", "lengths, clipped"},
                               {"(f32[s0, 2, 9], f32[2, 3], f32[9, 3], f32[3])", "symbolic steps"},
                               {NULL, NULL}},
};

const fx_op fx_op_rnn_layer = {
    .name = "rnn_layer",
    .target = "torch.ops.fxjit.rnn_layer.default",
    .schema = "rnn_layer(Tensor gates, Tensor hx, Tensor weight_hh, Tensor? lengths=None, bool reverse=False, "
              "bool batch_first=False, float? clip=None, bool relu=False) -> (Tensor, Tensor)",
    .names = "",
    .onnx = "RNN",
    .family = "recurrent",
    .dtypes = FX_FLOATS,
    .dtype = dtype_rnn,
    .shape = shape_rnn,
    .reference = fx__ref_rnn_layer,
    .bound = fx__bound_rnn_layer,
    .lower = lower_rnn,
    .cases =
        (const fx_case[]){{"(f32[3, 2, 5], f32[2, 5], f32[5, 5])", "plain"},
                          {"(f32[2, 3, 5], f32[2, 5], f32[5, 5], None, True, True, None, True)", "relu, backwards, batch first"},
                          {"(f32[3, 1, 18], f32[1, 18], f32[18, 18])", "one sequence, units beyond a vector"},
                          {"(f32[3, 2, 5], f32[2, 5], f32[5, 5], i64[2], False, False, 0.5)", "lengths, clipped"},
                          {"(f32[s0, 2, 5], f32[2, 5], f32[5, 5])", "symbolic steps"},
                          {NULL, NULL}},
};
