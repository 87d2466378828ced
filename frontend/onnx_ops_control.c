/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_control.c: If, Loop and Scan. A graph here is pure, so a branch that is not known when importing is computed on both
 * sides and chosen from; loops whose number of turns is known are written out. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"

enum { MOST_TURNS = 512 };

static fx_onnx_slot *new_slots(fx_onnx_call *call, int32_t n)
{
    fx_onnx_slot *slots = FX_NEW_ARRAY(call->import->arena, fx_onnx_slot, n + 1);
    if (!slots) fx__onnx_error(call, FX_E_OOM, "out of memory");
    return slots;
}

/* An integer or truth value that is known. */
static bool known_slot(fx_onnx_call *call, fx_dtype dtype, int64_t value, fx_onnx_slot *out)
{
    fx_onnx_known *known = FX_NEW(call->import->arena, fx_onnx_known);
    fx_dim *item = FX_NEW(call->import->arena, fx_dim);
    if (!known || !item) {
        fx__onnx_error(call, FX_E_OOM, "out of memory");
        return false;
    }
    *item = value;
    *known = (fx_onnx_known){dtype, 0, 1, item};
    *out = (fx_onnx_slot){.name = "", .producer = -1, .known = known};
    return true;
}

/* 0 or 1; -1: not known. */
static int truth(fx_onnx_call *call, fx_onnx_slot *slot)
{
    if (slot->known && slot->known->n == 1 && fx_dim_is_const(slot->known->item[0])) return slot->known->item[0] != 0;
    const fx_tensor *tensor = fx__onnx_slot_tensor(call, slot);
    return tensor && fx_tensor_elems(tensor) == 1 ? fx_tensor_get(tensor, 0) != 0 : -1;
}

/* ---- If -------------------------------------------------------------------------------------------------------------------------
 */

static bool run_branch(fx_onnx_call *call, const char *name, fx_onnx_slot **out)
{
    fx_onnx_graph graph;
    if (!fx__onnx_graph(call, name, &graph)) return false;
    if (graph.n_outputs < call->node->n_outputs || graph.n_inputs) {
        fx__onnx_error(call, FX_E_FORMAT, "%s has %d inputs and %d outputs", name, (int)graph.n_inputs, (int)graph.n_outputs);
        return false;
    }
    *out = new_slots(call, graph.n_outputs);
    return *out && fx__onnx_inline(call, &graph, NULL, 0, *out);
}

static void choose(fx_onnx_call *call, int32_t index, fx_onnx_slot *then_slot, fx_onnx_slot *else_slot)
{
    fx_attr a = fx__onnx_slot_node(call, then_slot), b = fx__onnx_slot_node(call, else_slot), cond = fx__onnx_in(call, 0);
    const fx_type *type_a = fx__onnx_need_type(call, a), *type_b = fx__onnx_need_type(call, b),
                  *flag = fx__onnx_need_type(call, cond);
    if (!type_a || !type_b || !flag) return;
    if (!fx__type_equal(type_a, type_b)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its branches differ in type, and its condition is not known when importing");
        return;
    }
    if (flag->rank > 0) cond = FX_EMIT(call, "aten.reshape.default", cond, fx_list(call->import->graph, NULL, 0));
    fx__onnx_give(call, index, FX_EMIT(call, "aten.where.self", cond, a, b));
}

static void build_if(fx_onnx_call *call)
{
    fx_onnx_slot cond = fx__onnx_input_value(call, 0), *then_slots, *else_slots;
    int known = truth(call, &cond);
    if (known >= 0) {
        if (!run_branch(call, known ? "then_branch" : "else_branch", &then_slots)) return;
        for (int32_t i = 0; i < call->node->n_outputs; i++) fx__onnx_give_value(call, i, &then_slots[i]);
        return;
    }
    if (!run_branch(call, "then_branch", &then_slots) || !run_branch(call, "else_branch", &else_slots)) return;
    for (int32_t i = 0; i < call->node->n_outputs; i++) choose(call, i, &then_slots[i], &else_slots[i]);
}

/* ---- Turns
 * ------------------------------------------------------------------------------------------------------------------------ */

/* What Loop and Scan share: values that go from turn to turn, and results of all turns side by side. */
typedef struct turns {
    fx_onnx_call *call;
    fx_onnx_graph body;
    int32_t n_carried, n_stacked, n_turns;
    fx_onnx_slot *in, *out; /* of the body */
    fx_attr *parts;         /* [n_stacked][MOST_TURNS] */
} turns;

static bool begin_turns(turns *t, int32_t n_in, int32_t n_carried, int32_t before)
{
    t->n_carried = n_carried;
    t->n_stacked = t->body.n_outputs - before - n_carried;
    if (t->n_stacked < 0 || t->body.n_inputs < n_in || t->call->node->n_outputs > n_carried + t->n_stacked) {
        fx__onnx_error(t->call, FX_E_FORMAT, "its body has %d inputs and %d outputs", (int)t->body.n_inputs,
                       (int)t->body.n_outputs);
        return false;
    }
    t->in = new_slots(t->call, n_in);
    t->out = new_slots(t->call, t->body.n_outputs);
    t->parts = FX_NEW_ARRAY(t->call->import->arena, fx_attr, (t->n_stacked + 1) * MOST_TURNS);
    return t->in && t->out && t->parts;
}

/* One turn; behind `before` outputs come the carried values, then the results of the turn. */
static bool turn(turns *t, int32_t n_in, int32_t before, int32_t first_carried)
{
    if (t->n_turns == MOST_TURNS) {
        fx__onnx_error(t->call, FX_E_UNSUPPORTED, "more than %d turns", MOST_TURNS);
        return false;
    }
    if (!fx__onnx_inline(t->call, &t->body, t->in, n_in, t->out)) return false;
    for (int32_t i = 0; i < t->n_carried; i++) t->in[first_carried + i] = t->out[before + i];
    for (int32_t i = 0; i < t->n_stacked; i++)
        t->parts[i * MOST_TURNS + t->n_turns] = fx__onnx_slot_node(t->call, &t->out[before + t->n_carried + i]);
    t->n_turns++;
    return !t->call->failed;
}

static void give_stack(turns *t, int32_t index, int64_t axis, bool backwards)
{
    fx_attr *parts = &t->parts[index * MOST_TURNS];
    if (t->n_turns == 0) {
        fx__onnx_error(t->call, FX_E_UNSUPPORTED, "results of a loop without turns");
        return;
    }
    for (int32_t i = 0; i < t->n_turns / 2 && backwards; i++) {
        fx_attr part = parts[i];
        parts[i] = parts[t->n_turns - 1 - i];
        parts[t->n_turns - 1 - i] = part;
    }
    fx_attr list = fx_list(t->call->import->graph, parts, t->n_turns);
    fx__onnx_give(t->call, t->n_carried + index, FX_EMIT(t->call, "aten.stack.default", list, fx_int(axis)));
}

/* ---- Loop
 * ------------------------------------------------------------------------------------------------------------------------- */

enum { LOOP_BEFORE = 2 }; /* inputs before the carried ones: limit and condition; of the body: turn and condition */

/* The number of turns if only the limit ends them; INT32_MAX: no limit. */
static bool read_limit(fx_onnx_call *call, int64_t *out)
{
    *out = INT32_MAX;
    if (!fx__onnx_has(call, 0)) return true;
    const fx_tensor *limit = fx__onnx_tensor(call, 0);
    if (limit && fx_tensor_elems(limit) == 1) *out = (int64_t)fx_tensor_get(limit, 0);
    if (!limit) fx__onnx_error(call, FX_E_UNSUPPORTED, "its number of turns must be known when importing");
    return limit != NULL;
}

static int goes_on(turns *t, fx_onnx_slot *cond)
{
    int known = cond->absent ? 1 : truth(t->call, cond);
    if (known < 0) fx__onnx_error(t->call, FX_E_UNSUPPORTED, "whether it goes on must be known when importing");
    return known > 0;
}

static void build_loop(fx_onnx_call *call)
{
    turns t = {.call = call};
    int32_t n_carried = fx__onnx_inputs(call) - LOOP_BEFORE;
    int64_t limit;
    fx_onnx_slot cond = fx__onnx_input_value(call, 1);
    if (!read_limit(call, &limit) || !fx__onnx_graph(call, "body", &t.body)) return;
    if (n_carried < 0) n_carried = 0;
    if (!begin_turns(&t, n_carried + LOOP_BEFORE, n_carried, 1)) return;
    for (int32_t i = 0; i < n_carried; i++) t.in[LOOP_BEFORE + i] = fx__onnx_input_value(call, LOOP_BEFORE + i);
    for (int64_t i = 0; i < limit && goes_on(&t, &cond); i++, cond = t.out[0])
        if (!known_slot(call, FX_I64, i, &t.in[0]) || !known_slot(call, FX_BOOL, 1, &t.in[1]) ||
            !turn(&t, n_carried + LOOP_BEFORE, 1, LOOP_BEFORE))
            return;
    for (int32_t i = 0; i < n_carried && !call->failed; i++) fx__onnx_give_value(call, i, &t.in[LOOP_BEFORE + i]);
    for (int32_t i = 0; i < t.n_stacked && !call->failed; i++) give_stack(&t, i, 0, false);
}

/* ---- Scan
 * ------------------------------------------------------------------------------------------------------------------------- */

/* Entry `index` of a list attribute. */
static int64_t entry(fx_onnx_call *call, const char *name, int32_t index)
{
    const fx_onnx_attr *attr = fx__onnx_attr(call, name);
    return attr && attr->type == FX_ONNX_INTS && index < attr->n ? attr->ints[index] : 0;
}

typedef struct scanned {
    fx_attr x;
    int32_t axis;
    bool backwards;
} scanned;

/* The common length of all scanned inputs; -1 after an error. */
static int64_t read_scanned(fx_onnx_call *call, int32_t first, int32_t n, scanned *out)
{
    int64_t length = -1;
    for (int32_t i = 0; i < n; i++) {
        out[i].x = fx__onnx_in(call, first + i);
        const fx_type *type = fx__onnx_need_type(call, out[i].x);
        if (!type) return -1;
        out[i].axis = fx__onnx_axis(call, entry(call, "scan_input_axes", i), type->rank);
        out[i].backwards = entry(call, "scan_input_directions", i) != 0;
        fx_dim size = type->dim[out[i].axis];
        if (!fx_dim_is_const(size) || (i && size != length) || size > MOST_TURNS) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "scans need one constant length of at most %d", MOST_TURNS);
            return -1;
        }
        length = size;
    }
    return length;
}

static void build_scan(fx_onnx_call *call)
{
    turns t = {.call = call};
    int32_t n_scanned = (int32_t)fx__onnx_int(call, "num_scan_inputs", 0), n = fx__onnx_inputs(call), n_carried = n - n_scanned;
    if (n_scanned < 1 || n_carried < 0) {
        fx__onnx_error(call, FX_E_FORMAT, "scans %d of %d inputs", (int)n_scanned, (int)n);
        return;
    }
    scanned *lists = FX_NEW_ARRAY(call->import->arena, scanned, n_scanned);
    if (!lists || !fx__onnx_graph(call, "body", &t.body) || !begin_turns(&t, n, n_carried, 0)) return;
    int64_t length = read_scanned(call, n_carried, n_scanned, lists);
    for (int32_t i = 0; i < n_carried; i++) t.in[i] = fx__onnx_input_value(call, i);
    for (int64_t i = 0; i < length; i++) {
        for (int32_t k = 0; k < n_scanned; k++) {
            int64_t at = lists[k].backwards ? length - 1 - i : i;
            fx_attr row = FX_EMIT(call, "aten.select.int", lists[k].x, fx_int(lists[k].axis), fx_int(at));
            t.in[n_carried + k] = (fx_onnx_slot){.name = "", .producer = -1, .node = row.kind == FX_ATTR_NODE ? row.u.node : NULL};
        }
        if (call->failed || !turn(&t, n, 0, 0)) return;
    }
    for (int32_t i = 0; i < n_carried && !call->failed; i++) fx__onnx_give_value(call, i, &t.in[i]);
    for (int32_t i = 0; i < t.n_stacked && !call->failed; i++)
        give_stack(&t, i, entry(call, "scan_output_axes", i), entry(call, "scan_output_directions", i) != 0);
}

const fx_onnx_op fx__onnx_ops_control[] = {
    {"If", 1, 1, 1, INT8_MAX, build_if},
    {"Loop", 1, 0, FX_ONNX_ANY, INT8_MAX, build_loop},
    {"Scan", 9, 1, FX_ONNX_ANY, INT8_MAX, build_scan},
    {0},
};
