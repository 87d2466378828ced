/* SPDX-License-Identifier: Apache-2.0 */
/* passes/lower.c: core graph to program.
 * Does     gives every value a home: inputs, constants, state and results have buffers, views are indices into them; asks each
 *          operator's hook for kernels; what is not lowered becomes a CALL step with its reason; write-backs and outputs become
 *          writebacks of the program.
 * Needs    a core graph with types; node->order where memory shall not be row-major.
 * Ensures  each value is stored by one step, steps stand in node order, steps that read constants only are init steps.
 * Cost     linear in nodes, but for hooks that meet a view no index expresses: those are asked again after a copy. */
#include "ir/in_place.h"
#include "ir/lower_state.h"
#include "passes/pass.h"
#include <string.h>

/* A copy_ of the graph: what the buffer of an input or a state will hold. */
typedef struct pending {
    fx_lvalue value;
    int32_t to;
} pending;

typedef struct lowering {
    fx_lower lower;
    const fx_graph *graph;
    bool force_calls;
    fx_status status; /* of the first problem */
    bool *is_output;  /* [n_buf at the outputs]: already written back */
    pending *pending;
    int32_t n_pending, cap_pending;
} lowering;

static void note(lowering *l, fx_status status)
{
    if (l->status == FX_OK) l->status = status;
}

static fx_status set_first(lowering *l, const fx_node *node, fx_lvalue value)
{
    return value >= 0 && fx__map_put(&l->lower.first, node, (void *)(intptr_t)(value + 1)) ? FX_OK : FX_E_OOM;
}

static fx_lvalue first_of(const lowering *l, const fx_node *node)
{
    return (fx_lvalue)(intptr_t)fx__map_get(&l->lower.first, node) - 1;
}

/* ---- Inputs and constants
 * -------------------------------------------------------------------------------------------------------- */

/* What a file says of the places where symbols are read is not believed. */
static void unbind_symbols(fx_program *program)
{
    for (int32_t i = 0; i < fx__dims_sym_count(program->dims); i++) fx__dims_sym(program->dims, i)->input = -1;
}

/* A symbol is read where an input's size is the bare symbol for the first time. */
static void bind_symbols(fx_program *program, const fx_type *type, int32_t input)
{
    for (int d = 0; d < type->rank; d++) {
        fx_dim_node dim = fx__dim_node(program->dims, type->dim[d]);
        if (dim.op != FX_DIM_SYM) continue;
        fx_sym *sym = fx__dims_sym(program->dims, (int32_t)dim.value);
        if (sym->input >= 0) continue;
        sym->input = (int16_t)input;
        sym->axis = (int16_t)d;
    }
}

static fx_status lower_placeholder(lowering *l, const fx_node *node)
{
    fx_program *program = l->lower.program;
    if (node->n_result != 1) return fx__diag_node(node, FX_E_TYPE, "the input's type is not known");
    fx_lvalue value = fx__lower_add_buf(&l->lower, node->name, &node->result[0], NULL);
    if (value < 0) return FX_E_OOM;
    fx_buf *buf = &program->buf[l->lower.value[value].buf];
    buf->role = FX_BUF_INPUT;
    buf->index = program->n_input++;
    bind_symbols(program, &node->result[0], buf->index);
    return set_first(l, node, value);
}

static int32_t parameter_number(const fx_module *module, const char *path)
{
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (strcmp(module->tensors[i].path, path) == 0) return i;
    return -1;
}

/* The module's memory, or a packed copy of it when it has gaps. */
static const void *packed_data(lowering *l, const fx_tensor *tensor)
{
    if (fx_tensor_is_contiguous(tensor)) return tensor->data;
    fx_arena *arena = l->lower.program->arena;
    fx_tensor copy = fx_tensor_view(NULL, tensor->dtype, tensor->rank, tensor->dim);
    copy.data = fx__arena_alloc(arena, (size_t)fx_tensor_bytes(tensor) + 1, 1);
    return copy.data && fx_tensor_copy(&copy, tensor) == FX_OK ? copy.data : NULL;
}

/* Two get_attr nodes of one path share the buffer. */
static fx_lvalue find_constant(const lowering *l, const char *path)
{
    for (fx_lvalue v = 0; v < l->lower.n_value; v++) {
        const fx_buf *buf = &l->lower.program->buf[l->lower.value[v].buf];
        if (buf->path && strcmp(buf->path, path) == 0 && fx__home_is_whole(&l->lower, &l->lower.value[v])) return v;
    }
    return FX_NO_LVALUE;
}

/* A tensor of the module that some node of the graph writes back to. */
static bool is_state(const lowering *l, const char *path)
{
    FX_EACH_NODE(node, l->graph)
    if (node->opcode == FX_GET_ATTR && node->target == path && fx__is_written_back(node)) return true;
    return false;
}

static fx_status lower_get_attr(lowering *l, const fx_node *node)
{
    const fx_module *module = l->graph->module;
    int32_t number = module ? parameter_number(module, node->target) : -1;
    if (number < 0) return fx__diag_node(node, FX_E_NOT_FOUND, "the module has no tensor \"%s\"", node->target);
    fx_lvalue value = find_constant(l, node->target);
    if (value >= 0) return set_first(l, node, value);
    const fx_tensor *tensor = &module->tensors[number].tensor;
    fx_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int d = 0; d < tensor->rank; d++) type.dim[d] = tensor->dim[d];
    bool state = is_state(l, node->target);
    l->lower.constant = !state;
    value = fx__lower_add_buf(&l->lower, node->name, &type, NULL);
    l->lower.constant = false;
    if (value < 0) return FX_E_OOM;
    fx_buf *buf = &l->lower.program->buf[l->lower.value[value].buf];
    buf->path = module->tensors[number].path;
    if (state) {
        buf->role = FX_BUF_STATE;
        buf->index = l->lower.program->n_state++;
        return set_first(l, node, value);
    }
    if (!tensor->data && fx_tensor_elems(tensor) > 0) return fx__diag_no_data(node);
    buf->index = number;
    buf->data = packed_data(l, tensor);
    return buf->data || fx_tensor_elems(tensor) == 0 ? set_first(l, node, value) : FX_E_OOM;
}

/* ---- Calls
 * ------------------------------------------------------------------------------------------------------------------------ */

/* What lowering a node has made so far, to be undone when its hook declines. */
typedef struct mark {
    int32_t n_buf, n_kernel, n_value, n_steps, n_init;
} mark;

static mark mark_here(const lowering *l)
{
    const fx_program *p = l->lower.program;
    return (mark){p->n_buf, p->n_kernel, l->lower.n_value, p->steps.n, p->init.n};
}

static void roll_back(lowering *l, const mark *m)
{
    fx_program *p = l->lower.program;
    p->n_buf = m->n_buf;
    p->n_kernel = m->n_kernel;
    p->steps.n = m->n_steps;
    p->init.n = m->n_init;
    l->lower.n_value = m->n_value;
    l->lower.block = NULL;
    for (int32_t i = 0; i < l->lower.n_counter; i++) l->lower.counter[i].open = false;
}

typedef struct value_list {
    const lowering *l;
    fx_lvalue *value;
    int32_t n, capacity;
    bool failed;
} value_list;

static void add_node_values(void *user, fx_node *node)
{
    value_list *list = user;
    fx_lvalue first = first_of(list->l, node);
    int32_t count = node->n_result > 1 ? node->n_result : 1;
    if (first < 0) list->failed = true;
    for (int32_t i = 0; i < count && !list->failed; i++) {
        fx_lvalue *items = fx__arena_grow(list->l->lower.program->arena, list->value, &list->capacity, list->n, sizeof *items);
        list->failed = items == NULL;
        if (list->failed) return;
        list->value = items;
        items[list->n++] = first + i;
    }
}

static bool values_of(const lowering *l, const fx_attr *attr, value_list *out)
{
    *out = (value_list){.l = l};
    fx__attr_each_node(attr, add_node_values, out);
    return !out->failed;
}

static bool static_type(const fx_type *type)
{
    for (int d = 0; d < type->rank; d++)
        if (!fx_dim_is_const(type->dim[d])) return false;
    return true;
}

/* Reads constants only, no symbol either, and has results of fixed size: done once, when compiling. */
static bool is_constant(const lowering *l, const fx_node *node)
{
    value_list list;
    if (node->op->impure || node->op->reads_values || !node->op->lower || fx__attr_has_symbol(&node->args)) return false;
    if (!values_of(l, &node->args, &list)) return false;
    for (int32_t i = 0; i < list.n; i++)
        if (l->lower.program->buf[l->lower.value[list.value[i]].buf].role != FX_BUF_CONST) return false;
    for (int32_t r = 0; r < node->n_result; r++)
        if (!static_type(&node->result[r])) return false;
    return true;
}

static fx_status add_results(lowering *l, const fx_node *node)
{
    for (int32_t r = 0; r < node->n_result; r++) {
        const int8_t *order = r == 0 && node->has_order ? node->order : NULL;
        fx_lvalue value = fx__lower_add_buf(&l->lower, node->name, &node->result[r], order);
        if (value < 0) return FX_E_OOM;
        if (r == 0) FX_TRY(set_first(l, node, value));
    }
    return FX_OK;
}

static bool kview_of(lowering *l, fx_lvalue value, fx_kview *out)
{
    const fx_home *home = &l->lower.value[value];
    *out = (fx_kview){.buf = home->buf, .type = home->type};
    return fx__home_strides(&l->lower, home, &out->base, out->stride);
}

static fx_status call_views(lowering *l, const fx_node *node, fx_step *step)
{
    value_list list;
    if (!values_of(l, &node->args, &list)) return FX_E_OOM;
    step->n_view_in = list.n;
    step->n_view = list.n + node->n_result;
    step->view = FX_NEW_ARRAY(l->lower.program->arena, fx_kview, step->n_view + 1);
    if (!step->view) return FX_E_OOM;
    for (int32_t i = 0; i < list.n; i++) {
        if (kview_of(l, list.value[i], &step->view[i])) continue;
        FX_TRY(fx__lower_materialise(&l->lower, list.value[i]));
        if (!kview_of(l, list.value[i], &step->view[i])) return FX_E_INTERNAL;
    }
    for (int32_t r = 0; r < node->n_result; r++) kview_of(l, first_of(l, node) + r, &step->view[list.n + r]);
    return FX_OK;
}

static fx_status lower_to_call(lowering *l, const fx_node *node, const char *why)
{
    fx_step step = {.kind = FX_STEP_CALL, .kernel = -1, .cond = -1, .op = node->op, .node = node, .why_call = why};
    l->lower.constant = false;
    FX_TRY(add_results(l, node));
    FX_TRY(call_views(l, node, &step));
    return fx__lower_add_step(&l->lower, &step) ? FX_OK : FX_E_OOM;
}

/* Asks the hook; where a view stands in its way, copies that and asks again. */
static fx_status lower_by_hook(lowering *l, const fx_call *call)
{
    enum { TRIES = 1 + FX_PARAMS };
    for (int i = 0; i < TRIES; i++) {
        l->lower.constant = is_constant(l, call->node);
        mark m = mark_here(l);
        l->lower.copy_wanted = FX_NO_LVALUE;
        l->lower.declined = NULL;
        FX_TRY(add_results(l, call->node));
        fx_status status = call->op->lower(&l->lower, call);
        if (status == FX_OK) return FX_OK;
        roll_back(l, &m);
        if (status != FX_E_UNSUPPORTED || l->lower.copy_wanted == FX_NO_LVALUE) return status;
        if (l->lower.copy_wanted >= m.n_value) return status; /* one of its own */
        FX_TRY(fx__lower_materialise(&l->lower, l->lower.copy_wanted));
    }
    return FX_E_UNSUPPORTED;
}

/* A view of a view that no index expresses becomes a view of a copy. */
static fx_status lower_view(lowering *l, const fx_call *call)
{
    fx_lvalue input = fx__lower_arg(&l->lower, call, 0);
    fx_view view = {.dims = l->lower.program->dims, .in = fx__call_type(call, 0), .out = &call->result[0]};
    fx_home home;
    if (input < 0 || !view.in) return FX_E_UNSUPPORTED;
    FX_TRY(call->op->view(&view, call));
    if (!fx__home_compose(&l->lower, &l->lower.value[input], &view, &home)) {
        FX_TRY(fx__lower_materialise(&l->lower, input));
        if (!fx__home_compose(&l->lower, &l->lower.value[input], &view, &home)) return FX_E_UNSUPPORTED;
    }
    return set_first(l, call->node, fx__lower_add_value(&l->lower, &home));
}

/* getitem of a tensor is a call like any other. */
static bool takes_from_tuple(const fx_node *node)
{
    const fx_attr *from = fx__arg(node, 0);
    return from->kind == FX_ATTR_NODE && from->u.node->op && fx__op_schema_results(from->u.node->op) != 1;
}

/* One of a tuple's values: its home is known. */
static fx_status lower_getitem(lowering *l, const fx_node *node)
{
    const fx_attr *tuple = fx__arg(node, 0), *index = fx__arg(node, 1);
    fx_lvalue first = tuple->kind == FX_ATTR_NODE ? first_of(l, tuple->u.node) : FX_NO_LVALUE;
    if (first < 0 || index->kind != FX_ATTR_INT) return fx__diag_node(node, FX_E_GRAPH, "getitem of something that is no tuple");
    int64_t n = tuple->u.node->n_result, i = index->u.i < 0 ? index->u.i + n : index->u.i;
    if (i < 0 || i >= n) return fx__diag_node(node, FX_E_INDEX, "item %lld of %lld", (long long)index->u.i, (long long)n);
    return set_first(l, node, first + (fx_lvalue)i);
}

/* Takes place when everything has been computed: lower_output. */
static fx_status lower_write_back(lowering *l, const fx_node *node)
{
    const fx_attr *target = fx__arg(node, 0), *source = fx__arg(node, 1);
    fx_lvalue to = target->kind == FX_ATTR_NODE ? first_of(l, target->u.node) : FX_NO_LVALUE;
    fx_lvalue value = source->kind == FX_ATTR_NODE ? first_of(l, source->u.node) : FX_NO_LVALUE;
    if (to < 0 || value < 0) return fx__diag_node(node, FX_E_GRAPH, "a write-back needs two tensors");
    const fx_home *home = &l->lower.value[to];
    fx_role role = l->lower.program->buf[home->buf].role;
    bool is_root = (role == FX_BUF_INPUT || role == FX_BUF_STATE) && fx__home_is_whole(&l->lower, home);
    if (!is_root) return fx__diag_node(node, FX_E_GRAPH, "a write-back goes to an input or a tensor of the module");
    if (!fx__type_equal(&home->type, &l->lower.value[value].type))
        return fx__diag_node(node, FX_E_TYPE, "a write-back of another type than its target's");
    pending *items = fx__arena_grow(l->lower.program->arena, l->pending, &l->cap_pending, l->n_pending, sizeof *items);
    if (!items) return FX_E_OOM;
    l->pending = items;
    items[l->n_pending++] = (pending){value, home->buf};
    return set_first(l, node, value);
}

static fx_status lower_call(lowering *l, const fx_node *node)
{
    fx_call call;
    fx_status status = FX_E_UNSUPPORTED;
    const char *why = l->force_calls ? "compiled forms are off" : "the operator has no compiled form";
    if (!node->op) return fx__diag_node(node, FX_E_UNSUPPORTED, "\"%s\" is no operator of the table", node->target);
    if (fx__op_is(node, FX_OP_getitem) && takes_from_tuple(node)) return lower_getitem(l, node);
    if (fx__is_write_back(node)) return lower_write_back(l, node);
    if (node->n_result < 1) return fx__diag_node(node, FX_E_TYPE, "the result's type is not known");
    fx__op_call(node, &call);
    call.dims = l->lower.program->dims; /* a clone: equal handles, and hooks may add to it */
    l->lower.declined = NULL;
    if (!l->force_calls && node->op->view) status = lower_view(l, &call);
    if (!l->force_calls && node->op->lower && status == FX_E_UNSUPPORTED) status = lower_by_hook(l, &call);
    if (status != FX_E_UNSUPPORTED) return status;
    return lower_to_call(l, node, l->lower.declined ? l->lower.declined : why);
}

/* ---- Outputs
 * ---------------------------------------------------------------------------------------------------------------------- */

static bool may_be_written_back(const lowering *l, fx_lvalue value)
{
    const fx_home *home = &l->lower.value[value];
    return l->lower.program->buf[home->buf].role == FX_BUF_TEMP && fx__home_is_whole(&l->lower, home) && !l->is_output[home->buf];
}

static fx_status add_writeback(fx_program *program, int32_t from, int32_t to)
{
    fx_writeback *items =
        fx__arena_grow(program->arena, program->writeback, &program->cap_writeback, program->n_writeback, sizeof *items);
    if (!items) return FX_E_OOM;
    program->writeback = items;
    items[program->n_writeback++] = (fx_writeback){from, to};
    return FX_OK;
}

/* A value that cannot live in `to`, because it lives in another place for good, is copied. */
static fx_status write_back(lowering *l, fx_lvalue value, int32_t to)
{
    if (!may_be_written_back(l, value)) {
        fx_type type = l->lower.value[value].type;
        fx_lvalue copy = fx__lower_temp(&l->lower, "result", &type);
        FX_TRY(fx__lower_copy(&l->lower, value, copy));
        value = copy;
    } else {
        l->is_output[l->lower.value[value].buf] = true;
    }
    return add_writeback(l->lower.program, l->lower.value[value].buf, to);
}

static int32_t add_output(lowering *l, const fx_type *type)
{
    fx_program *program = l->lower.program;
    char name[16];
    snprintf(name, sizeof name, "out%d", program->n_output);
    fx_lvalue output = fx__lower_temp(&l->lower, name, type);
    if (output < 0) return -1;
    fx_buf *buf = &program->buf[l->lower.value[output].buf];
    buf->role = FX_BUF_OUTPUT;
    buf->index = program->n_output++;
    return l->lower.value[output].buf;
}

static fx_status lower_output_value(lowering *l, fx_lvalue value)
{
    fx_type type = l->lower.value[value].type;
    int32_t to = add_output(l, &type);
    return to < 0 ? FX_E_OOM : write_back(l, value, to);
}

/* Inputs and state first: a value that is an output too had better be computed in its place there. */
static fx_status lower_output(lowering *l, const fx_node *node)
{
    value_list list;
    if (!values_of(l, &node->args, &list)) return fx__diag_node(node, FX_E_GRAPH, "an output that has no value");
    /* copies add buffers, but only those that exist now can be asked for twice */
    l->is_output = FX_NEW_ARRAY(l->lower.program->arena, bool, l->lower.program->n_buf + 2 * (list.n + l->n_pending) + 1);
    if (!l->is_output) return FX_E_OOM;
    for (int32_t i = 0; i < l->n_pending; i++) FX_TRY(write_back(l, l->pending[i].value, l->pending[i].to));
    for (int32_t i = 0; i < list.n; i++) FX_TRY(lower_output_value(l, list.value[i]));
    return FX_OK;
}

/* ---- Graph
 * ------------------------------------------------------------------------------------------------------------------------ */

static fx_status lower_node(lowering *l, const fx_node *node)
{
    l->lower.node = node;
    l->lower.constant = false;
    switch (node->opcode) {
    case FX_PLACEHOLDER:
        return lower_placeholder(l, node);
    case FX_GET_ATTR:
        return lower_get_attr(l, node);
    case FX_CALL_FUNCTION:
        return lower_call(l, node);
    case FX_OUTPUT:
        return lower_output(l, node);
    case FX_CALL_METHOD:
    case FX_CALL_MODULE:
    case FX_OPCODE_COUNT:
        break;
    }
    return fx__diag_node(node, FX_E_GRAPH, "not a node of a core graph");
}

/* After a problem its users have no value: only nodes whose inputs are there are looked at, so that each problem is told once. */
static bool inputs_are_lowered(const lowering *l, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (first_of(l, node->inputs[i]) < 0) return false;
    return true;
}

fx_status fx__lower_graph(const fx_graph *graph, bool force_calls, fx_program **out)
{
    *out = NULL;
    fx_program *program = fx__program_new(graph->context, graph->dims);
    if (!program) return FX_E_OOM;
    lowering l = {.graph = graph, .force_calls = force_calls};
    l.lower.context = graph->context;
    l.lower.program = program;
    fx__map_init(&l.lower.first, program->arena);
    unbind_symbols(program);
    FX_EACH_NODE(node, graph)
    {
        if (l.status != FX_OK && !inputs_are_lowered(&l, node)) continue;
        fx_status status = fx__tick(graph->context);
        if (status == FX_OK) status = lower_node(&l, node);
        if (status != FX_OK) note(&l, status);
    }
    if (l.status != FX_OK) {
        fx__program_free(program);
        return l.status;
    }
    *out = program;
    return FX_OK;
}
