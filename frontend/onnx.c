/* SPDX-License-Identifier: Apache-2.0 */
/* onnx.c: the walk over an ONNX graph: names are collected first, so that missing, doubled and circular ones are all known; then
 * nodes are translated in dependency order by the adapters of onnx_ops.c. A node that fails is reported once, everything that
 * depends on it is passed over, and the walk goes on, so one import tells all that is wrong with a file. */
#include "frontend/onnx.h"
#include "ir/op.h"
#include <ctype.h>
#include <string.h>

enum { FX_ONNX_OLDEST = 1, FX_ONNX_NEWEST = 28, FX_ONNX_HINT = 64 };

static void problem(fx_onnx_import *im, fx_status status)
{
    if (im->status == FX_OK) im->status = status;
}

#define PROBLEM(im, status, ...) problem((im), fx__diag((im)->context, (status), NULL, __VA_ARGS__))

/* What a node is called in messages and locations. */
static const char *node_label(const fx_onnx_node *node)
{
    if (*node->name) return node->name;
    return node->n_outputs ? node->outputs[0] : "";
}

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

fx_onnx_slot *fx__onnx_slot(const fx_onnx_import *im, const char *name)
{
    for (const fx_onnx_scope *scope = im->scope; scope; scope = scope->outer) {
        fx_onnx_slot *slot = fx__map_get(&scope->slots, name);
        if (slot) return slot;
    }
    return NULL;
}

/* A name of this very scope: names around may be used again. */
static fx_onnx_slot *own_slot(const fx_onnx_import *im, const char *name)
{
    return fx__map_get(&im->scope->slots, name);
}

static fx_onnx_slot *new_slot(fx_onnx_import *im, const char *name, int32_t producer)
{
    fx_onnx_slot *slot = FX_NEW(im->arena, fx_onnx_slot);
    if (!slot || !fx__map_put(&im->scope->slots, name, slot)) {
        problem(im, FX_E_OOM);
        return NULL;
    }
    slot->name = name;
    slot->producer = producer;
    return slot;
}

static void define_tensors(fx_onnx_import *im)
{
    const fx_onnx_graph *graph = im->scope->graph;
    for (int32_t i = 0; i < graph->n_tensors; i++) {
        const fx_onnx_tensor *tensor = &graph->tensors[i];
        if (!*tensor->name)
            PROBLEM(im, FX_E_FORMAT, "%s: initializer %d has no name", im->file, (int)i);
        else if (own_slot(im, tensor->name))
            PROBLEM(im, FX_E_FORMAT, "%s: initializer \"%s\" is defined twice", im->file, tensor->name);
        else {
            fx_onnx_slot *slot = new_slot(im, tensor->name, -1);
            if (slot) slot->initializer = tensor;
        }
    }
}

static void define_outputs(fx_onnx_import *im, int32_t index)
{
    const fx_onnx_node *node = &im->scope->graph->nodes[index];
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const char *name = node->outputs[i];
        if (!*name) continue;
        if (own_slot(im, name))
            PROBLEM(im, FX_E_FORMAT, "%s: %s node \"%s\" defines \"%s\", which is defined already", im->file, node->op,
                    node_label(node), name);
        else
            new_slot(im, name, index);
    }
}

/* ---- Inputs ---------------------------------------------------------------------------------------------------------------- */

/* A symbol needs a name that is an identifier and not another symbol's. */
static const char *symbol_name(fx_onnx_import *im, const char *wanted)
{
    char *name = fx__arena_format(im->arena, "%s%s", isalpha((unsigned char)*wanted) ? "" : "s", wanted);
    if (!name) return NULL;
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    for (int32_t i = 0; i < fx__dims_sym_count(im->graph->dims); i++)
        if (strcmp(fx__dims_sym(im->graph->dims, i)->name, name) == 0)
            return symbol_name(im, fx__arena_format(im->arena, "%s_%d", name, (int)i));
    return name;
}

/* Equal names of the file are one symbol; an unnamed dimension is a symbol of its own. */
static fx_dim symbol_for(fx_onnx_import *im, const fx_onnx_value *value, int32_t axis)
{
    const char *param = value->param[axis] && *value->param[axis] ? value->param[axis] : NULL;
    fx_dim *known = param ? fx__map_get(&im->symbols, param) : NULL;
    if (known) return *known;
    const char *wanted = param ? param : fx__arena_format(im->arena, "%s_%d", value->name, (int)axis);
    const char *name = wanted ? symbol_name(im, wanted) : NULL;
    fx_dim dim = name ? fx_graph_symbol(im->graph, name, 0, INT32_MAX, FX_ONNX_HINT, 1) : FX_DIM_BAD;
    fx_dim *kept = FX_NEW(im->arena, fx_dim);
    if (dim == FX_DIM_BAD || !kept) {
        problem(im, FX_E_OOM);
        return FX_DIM_BAD;
    }
    *kept = dim;
    if (param && !fx__map_put(&im->symbols, param, kept)) problem(im, FX_E_OOM);
    return dim;
}

static bool input_type(fx_onnx_import *im, const fx_onnx_value *value, fx_type *out)
{
    if (!value->is_tensor) {
        PROBLEM(im, FX_E_TYPE, "%s: input \"%s\" is no tensor: fxjit has no sequences, maps or optionals", im->file, value->name);
        return false;
    }
    if (!fx__onnx_dtype(value->type, &out->dtype)) {
        PROBLEM(im, FX_E_TYPE, "%s: input \"%s\": fxjit has no element type %s (%d)", im->file, value->name,
                fx__onnx_type_name(value->type), (int)value->type);
        return false;
    }
    if (value->rank > FX_RANK) {
        PROBLEM(im, FX_E_UNSUPPORTED, "%s: input \"%s\" has more than %d dimensions", im->file, value->name, FX_RANK);
        return false;
    }
    out->rank = value->rank;
    for (int32_t i = 0; i < value->rank; i++) {
        out->dim[i] = value->dim[i] >= 0 ? value->dim[i] : symbol_for(im, value, i);
        if (out->dim[i] == FX_DIM_BAD) return false;
    }
    return true;
}

static void add_placeholder(fx_onnx_import *im, const fx_onnx_value *value, fx_onnx_slot *slot)
{
    fx_type type = {0};
    bool typed = input_type(im, value, &type);
    slot->failed = !typed;
    if (!typed) return;
    slot->node = fx_graph_placeholder(im->graph, value->name, type.rank >= 0 ? &type : NULL);
    slot->failed = !slot->node;
    if (slot->failed) problem(im, FX_E_OOM);
}

static const fx_tensor *fixed_value(const fx_onnx_import *im, const char *name)
{
    for (int32_t i = 0; i < im->source.n_fixed; i++)
        if (strcmp(im->source.fixed[i].name, name) == 0) return im->source.fixed[i].value;
    return NULL;
}

static void fix_input(fx_onnx_import *im, const fx_tensor *value, fx_onnx_slot *slot)
{
    fx_tensor copy = fx_tensor_view(NULL, value->dtype, value->rank, value->dim);
    copy.data = fx__store_alloc(im->store, (size_t)fx_tensor_bytes(&copy));
    fx_status status = copy.data ? fx_tensor_copy(&copy, value) : FX_E_OOM;
    if (status != FX_OK) problem(im, status);
    slot->tensor = copy;
    slot->has_tensor = status == FX_OK;
}

static void define_input(fx_onnx_import *im, const fx_onnx_value *value)
{
    fx_onnx_slot *slot = new_slot(im, value->name, -1);
    const fx_tensor *fixed = fixed_value(im, value->name);
    if (slot && fixed)
        fix_input(im, fixed, slot);
    else if (slot)
        add_placeholder(im, value, slot);
}

/* In old files every initializer is listed as an input too, as its default: it stays a constant. */
static void define_inputs(fx_onnx_import *im)
{
    const fx_onnx_graph *graph = &im->model.graph;
    for (int32_t i = 0; i < graph->n_inputs; i++) {
        const fx_onnx_value *value = &graph->inputs[i];
        const fx_onnx_slot *slot = own_slot(im, value->name);
        if (slot && slot->initializer) continue;
        if (!*value->name || slot) {
            PROBLEM(im, FX_E_FORMAT, "%s: input \"%s\" is nameless or defined twice", im->file, value->name);
            continue;
        }
        define_input(im, value);
    }
}

/* ---- Order: depth first over producers, with a stack of our own ------------------------------------------------------------- */

typedef struct visit {
    int32_t node, next_input;
} visit;

typedef struct sorter {
    fx_onnx_import *im;
    int32_t *order, n_order;
    uint8_t *state; /* per node: 0 new, 1 open, 2 done */
    visit *stack;
    int32_t depth;
} sorter;

static int32_t producer_of(const fx_onnx_import *im, const char *name)
{
    const fx_onnx_slot *slot = own_slot(im, name);
    return slot ? slot->producer : -1;
}

static void report_cycle(const sorter *s, int32_t index)
{
    const fx_onnx_node *node = &s->im->scope->graph->nodes[index];
    PROBLEM(s->im, FX_E_GRAPH, "%s: %s node \"%s\" is part of a cycle", s->im->file, node->op, node_label(node));
    for (int32_t i = 0; i < node->n_outputs; i++) {
        fx_onnx_slot *slot = own_slot(s->im, node->outputs[i]);
        if (slot) slot->failed = true;
    }
}

static void push_visit(sorter *s, int32_t node)
{
    s->state[node] = 1;
    s->stack[s->depth++] = (visit){node, 0};
}

static void visit_step(sorter *s)
{
    visit *top = &s->stack[s->depth - 1];
    const fx_onnx_node *node = &s->im->scope->graph->nodes[top->node];
    if (top->next_input == node->n_inputs) {
        s->state[top->node] = 2;
        s->order[s->n_order++] = top->node;
        s->depth--;
        return;
    }
    int32_t producer = producer_of(s->im, node->inputs[top->next_input++]);
    if (producer < 0 || s->state[producer] == 2) return;
    if (s->state[producer] == 1)
        report_cycle(s, top->node);
    else
        push_visit(s, producer);
}

/* Node indices so that producers come first; NULL when out of memory. */
static const int32_t *sort_nodes(fx_onnx_import *im)
{
    int32_t n = im->scope->graph->n_nodes;
    sorter s = {.im = im};
    s.order = FX_NEW_ARRAY(im->arena, int32_t, n + 1);
    s.state = FX_NEW_ARRAY(im->arena, uint8_t, n + 1);
    s.stack = FX_NEW_ARRAY(im->arena, visit, n + 1);
    if (!s.order || !s.state || !s.stack) return NULL;
    for (int32_t i = 0; i < n; i++) {
        if (s.state[i] == 0) push_visit(&s, i);
        while (s.depth > 0) visit_step(&s);
    }
    return s.order;
}

/* ---- One node --------------------------------------------------------------------------------------------------------------- */

static void fail_outputs(fx_onnx_import *im, const fx_onnx_node *node)
{
    for (int32_t i = 0; i < node->n_outputs; i++) {
        fx_onnx_slot *slot = fx__onnx_slot(im, node->outputs[i]);
        if (slot) slot->failed = true;
    }
}

/* Reports missing inputs; false when the node cannot be translated. */
static bool inputs_ready(fx_onnx_call *call)
{
    bool ready = true;
    for (int32_t i = 0; i < call->node->n_inputs; i++) {
        const char *name = call->node->inputs[i];
        const fx_onnx_slot *slot = *name ? fx__onnx_slot(call->import, name) : NULL;
        if (*name && !slot) fx__onnx_error(call, FX_E_FORMAT, "nothing defines its input \"%s\"", name);
        ready = ready && (!*name || (slot && !slot->failed));
    }
    return ready;
}

static bool arity_fits(fx_onnx_call *call, const fx_onnx_op *op)
{
    int32_t n_in = call->node->n_inputs, n_out = call->node->n_outputs, given = 0;
    for (int32_t i = 0; i < n_in && i < op->min_in; i++) given += fx__onnx_has(call, i);
    if (given < op->min_in || (op->max_in >= 0 && n_in > op->max_in))
        fx__onnx_error(call, FX_E_FORMAT, "has %d inputs; it takes %d to %d", (int)n_in, op->min_in,
                       op->max_in < 0 ? INT32_MAX : op->max_in);
    if (n_out < 1) fx__onnx_error(call, FX_E_FORMAT, "has no output");
    for (int32_t i = op->max_out; i < n_out; i++)
        if (*call->node->outputs[i])
            fx__onnx_error(call, FX_E_UNSUPPORTED, "output %d (\"%s\") is not supported", (int)i, call->node->outputs[i]);
    return !call->failed;
}

static const fx_onnx_op *find_op(fx_onnx_call *call)
{
    bool known = false;
    const char *domain = call->node->domain;
    bool standard = !*domain || strcmp(domain, "ai.onnx") == 0;
    const fx_onnx_op *op = standard ? fx__onnx_op(call->node->op, call->opset, &known) : NULL;
    if (op) return op;
    if (!standard)
        fx__onnx_error(call, FX_E_UNSUPPORTED, "operator of domain \"%s\" is not supported", domain);
    else
        fx__onnx_error(call, FX_E_UNSUPPORTED,
                       known ? "operator is not supported in opset %lld" : "operator is not supported (opset %lld)",
                       (long long)call->opset);
    return NULL;
}

static bool all_given(const fx_onnx_call *call)
{
    const fx_onnx_node *node = call->node;
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const fx_onnx_slot *slot = fx__onnx_slot(call->import, node->outputs[i]);
        if (slot && !slot->node && !slot->has_tensor && !slot->known && !slot->fill && !slot->is_sequence) return false;
    }
    return true;
}

static bool inline_function(fx_onnx_call *call, const fx_onnx_function *function, const fx_onnx_slot *in, int32_t n,
                            fx_onnx_slot *out);

static const fx_onnx_function *find_function(const fx_onnx_import *im, const fx_onnx_node *node)
{
    for (int32_t i = 0; i < im->model.n_functions; i++) {
        const fx_onnx_function *function = &im->model.functions[i];
        if (strcmp(function->name, node->op) == 0 && strcmp(function->domain, node->domain) == 0) return function;
    }
    return NULL;
}

static void translate_call(fx_onnx_call *call, const fx_onnx_function *function)
{
    fx_arena *arena = call->import->arena;
    int32_t n = call->node->n_inputs < function->n_inputs ? call->node->n_inputs : function->n_inputs;
    fx_onnx_slot *in = FX_NEW_ARRAY(arena, fx_onnx_slot, n + 1), *out = FX_NEW_ARRAY(arena, fx_onnx_slot, function->n_outputs + 1);
    if (!in || !out) {
        call->failed = true;
        problem(call->import, FX_E_OOM);
        return;
    }
    for (int32_t i = 0; i < n; i++) in[i] = fx__onnx_input_value(call, i);
    if (!inline_function(call, function, in, n, out)) return;
    for (int32_t i = 0; i < function->n_outputs; i++) fx__onnx_give_value(call, i, &out[i]);
}

static void translate(fx_onnx_import *im, const fx_onnx_node *node)
{
    fx_onnx_call call = {
        .import = im, .node = node, .scope = im->scope, .opset = im->scope->opset, .loc = {im->file, 0, node_label(node)}};
    int32_t errors = fx_context_diag_count(im->context);
    const fx_onnx_function *function = find_function(im, node);
    const fx_onnx_op *op = function ? NULL : find_op(&call);
    bool ready = inputs_ready(&call);
    if (function && ready) translate_call(&call, function);
    if (op && arity_fits(&call, op) && ready && !fx__onnx_fold(&call)) op->build(&call);
    if ((op || function) && ready && !call.failed && !all_given(&call)) {
        call.failed = true;
        if (fx_context_diag_count(im->context) == errors) fx__onnx_error(&call, FX_E_OOM, "could not be translated");
    }
    if (call.failed || !(op || function) || !ready) fail_outputs(im, node);
}

/* ---- Graphs in the place of a node --------------------------------------------------------------------------------------------
 */

enum { DEEPEST = 16, MOST_NODES = 1 << 18 };

static void bind_slot(fx_onnx_import *im, const char *name, const fx_onnx_slot *value)
{
    fx_onnx_slot *slot = *name && !own_slot(im, name) ? new_slot(im, name, -1) : NULL;
    if (!slot) return;
    *slot = *value;
    slot->name = name;
    slot->producer = -1;
}

static bool translate_nodes(fx_onnx_import *im)
{
    const fx_onnx_graph *graph = im->scope->graph;
    for (int32_t i = 0; i < graph->n_nodes; i++) define_outputs(im, i);
    const int32_t *order = sort_nodes(im);
    for (int32_t i = 0; order && i < graph->n_nodes; i++) translate(im, &graph->nodes[order[i]]);
    return order != NULL;
}

static bool read_output(fx_onnx_call *call, const char *name, fx_onnx_slot *out)
{
    const fx_onnx_slot *slot = fx__onnx_slot(call->import, name);
    if (!slot) fx__onnx_error(call, FX_E_FORMAT, "nothing defines the output \"%s\" of its graph", name);
    if (!slot || slot->failed) {
        call->failed = true;
        return false;
    }
    *out = *slot;
    return true;
}

/* Runs the nodes of a scope whose inputs are bound. names: its outputs. */
static bool translate_scope(fx_onnx_call *call, fx_onnx_scope *scope, const char *const *names, int32_t n, fx_onnx_slot *out)
{
    fx_onnx_import *im = call->import;
    im->n_nodes += scope->graph->n_nodes;
    if (scope->depth > DEEPEST || im->n_nodes > MOST_NODES) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "graphs inside graphs are too deep or have too many nodes");
        return false;
    }
    define_tensors(im);
    bool good = translate_nodes(im);
    for (int32_t i = 0; i < n && good; i++) good = read_output(call, names[i], &out[i]);
    return good;
}

static fx_onnx_scope scope_inside(const fx_onnx_call *call, const fx_onnx_graph *graph)
{
    fx_onnx_scope scope = *call->scope;
    scope.graph = graph;
    scope.depth++;
    fx__map_init(&scope.slots, call->import->arena);
    return scope;
}

static bool inline_function(fx_onnx_call *call, const fx_onnx_function *function, const fx_onnx_slot *in, int32_t n,
                            fx_onnx_slot *out)
{
    fx_onnx_import *im = call->import;
    fx_onnx_scope scope = scope_inside(call, &function->body), *around = im->scope;
    scope.outer = NULL;
    scope.caller = call;
    scope.function = function;
    if (function->opset) scope.opset = function->opset;
    im->scope = &scope;
    for (int32_t i = 0; i < function->n_inputs; i++)
        bind_slot(im, function->inputs[i], i < n ? &in[i] : &(fx_onnx_slot){.absent = true});
    bool good = translate_scope(call, &scope, function->outputs, function->n_outputs, out);
    im->scope = around;
    return good;
}

bool fx__onnx_inline(fx_onnx_call *call, const fx_onnx_graph *graph, const fx_onnx_slot *in, int32_t n_in, fx_onnx_slot *out)
{
    fx_onnx_import *im = call->import;
    fx_onnx_scope scope = scope_inside(call, graph), *around = im->scope;
    scope.outer = around;
    const char **names = FX_NEW_ARRAY(im->arena, const char *, graph->n_outputs + 1);
    if (!names) return false;
    for (int32_t i = 0; i < graph->n_outputs; i++) names[i] = graph->outputs[i].name;
    im->scope = &scope;
    for (int32_t i = 0; i < n_in && i < graph->n_inputs; i++) bind_slot(im, graph->inputs[i].name, &in[i]);
    bool good = translate_scope(call, &scope, names, graph->n_outputs, out);
    im->scope = around;
    return good;
}

bool fx__onnx_graph(fx_onnx_call *call, const char *name, fx_onnx_graph *out)
{
    fx_onnx_import *im = call->import;
    const fx_onnx_attr *attr = fx__onnx_attr(call, name);
    if (!attr || attr->type != FX_ONNX_GRAPH) {
        fx__onnx_error(call, FX_E_FORMAT, "has no graph \"%s\"", name);
        return false;
    }
    fx_status status = fx__onnx_file_graph(im->arena, im->file, attr->message, out);
    if (status != FX_OK) {
        call->failed = true;
        problem(im, status);
    }
    return status == FX_OK;
}

/* ---- Outputs ---------------------------------------------------------------------------------------------------------------- */

static fx_attr output_value(fx_onnx_import *im, const char *name)
{
    static const fx_onnx_node nowhere = {.name = "", .op = "output", .domain = ""};
    fx_onnx_call call = {.import = im, .node = &nowhere, .scope = im->scope, .opset = im->scope->opset, .loc = {im->file, 0, name}};
    fx_onnx_slot *slot = fx__onnx_slot(im, name);
    if (!slot) PROBLEM(im, FX_E_FORMAT, "%s: nothing defines the output \"%s\"", im->file, name);
    return slot && !slot->failed ? fx__onnx_slot_node(&call, slot) : fx_none();
}

static void add_outputs(fx_onnx_import *im)
{
    const fx_onnx_graph *graph = &im->model.graph;
    fx_attr *values = FX_NEW_ARRAY(im->arena, fx_attr, graph->n_outputs + 1);
    if (!values || graph->n_outputs == 0) {
        PROBLEM(im, FX_E_FORMAT, "%s: the graph has no outputs", im->file);
        return;
    }
    for (int32_t i = 0; i < graph->n_outputs; i++) values[i] = output_value(im, graph->outputs[i].name);
    if (im->status != FX_OK) return;
    fx_attr value = fx_tuple(im->graph, values, graph->n_outputs);
    if (!fx_graph_output(im->graph, value)) problem(im, FX_E_OOM);
    for (int32_t i = 0; i < graph->n_outputs; i++) {
        fx_status status = fx_module_set_output_name(im->module, i, graph->outputs[i].name);
        if (status != FX_OK) problem(im, status);
    }
}

/* ---- The whole file --------------------------------------------------------------------------------------------------------- */

static void check_model(fx_onnx_import *im)
{
    int64_t opset = im->model.opset;
    if (opset < FX_ONNX_OLDEST || opset > FX_ONNX_NEWEST)
        PROBLEM(im, FX_E_UNSUPPORTED, "%s: opset %lld; known are %d to %d", im->file, (long long)opset, FX_ONNX_OLDEST,
                FX_ONNX_NEWEST);
    if (im->model.graph.has_sparse) PROBLEM(im, FX_E_TYPE, "%s: fxjit has no sparse tensors", im->file);
}

static fx_status walk(fx_onnx_import *im)
{
    check_model(im);
    define_tensors(im);
    define_inputs(im);
    if (!translate_nodes(im)) return FX_E_OOM;
    add_outputs(im);
    return im->status;
}

static void release_store(void *user, void *data)
{
    (void)data;
    fx__store_free(user);
}

static fx_status import_into(fx_onnx_import *im)
{
    FX_TRY(fx__onnx_file_decode(im->arena, im->file, im->source.data, im->source.bytes, &im->model));
    const char *name = *im->model.graph.name ? im->model.graph.name : "model";
    im->module = fx_module_new(im->context, name);
    if (!im->module) return FX_E_OOM;
    im->module->on_free = release_store;
    im->module->on_free_user = im->store;
    im->store_given = true;
    im->graph = fx_module_graph(im->module);
    fx__map_init(&im->symbols, im->arena);
    fx__map_init(&im->values, im->arena);
    fx_onnx_scope scope = {.graph = &im->model.graph, .opset = im->model.opset};
    fx__map_init(&scope.slots, im->arena);
    im->scope = &scope;
    return walk(im);
}

fx_status fx__onnx_import(fx_context *context, const fx_onnx_source *source, fx_store *store, fx_module **out)
{
    fx_onnx_import im = {.context = context, .store = store, .source = *source};
    im.file = fx__intern(context, source->file);
    im.arena = fx__arena_new(context);
    fx_status status = im.arena && im.file ? import_into(&im) : FX_E_OOM;
    if (status != FX_OK) status = fx__diag_failure(context, status);
    if (status == FX_OK)
        *out = im.module;
    else
        fx_module_free(im.module);
    if (!im.store_given) fx__store_free(store);
    fx__arena_free(im.arena);
    return status;
}

fx_status fx_import_onnx(fx_context *context, const void *data, size_t bytes, const char *name, const char *directory,
                         fx_module **out)
{
    fx_onnx_source source = {.file = name ? name : "model", .directory = directory, .data = data, .bytes = bytes};
    fx_store *store = fx__store_new(context);
    return store ? fx__onnx_import(context, &source, store, out) : FX_E_OOM;
}
