/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace_wrap.c: functions of the host program that stay one node (torch.fx.wrap). The function is traced into a graph of
 * its own, the node's body, by a scope that shares module and sizes with the one around it; equal calls share what was traced. */
#include "frontend/scope.h"
#include <stdlib.h>
#include <string.h>

/* ---- Bodies ------------------------------------------------------------------------------------------------------------------ */

/* The body of a call has one input per node that the call uses: the first place of the same value among the inputs. */
static int32_t first_use(const fx_value *inputs, int32_t i)
{
    const fx_node *node = fx_value_node(inputs[i]);
    int32_t first = 0;
    while (fx_value_node(inputs[first]) != node) first++;
    return first;
}

static fx_status add_inputs(fx_scope *inner, const fx_value *inputs, int32_t n_inputs, fx_value *own)
{
    char name[16];
    for (int32_t i = 0, n = 0; i < n_inputs; i++) {
        int32_t first = first_use(inputs, i);
        snprintf(name, sizeof name, "x%d", (int)n);
        if (first == i) {
            own[i] = fx_trace_input(inner, name, fx_value_type(inputs[i]));
            n++;
        } else {
            own[i] = own[first];
        }
        if (!fx_value_ok(own[i])) return fx__diag_failure(inner->context, FX_E_GRAPH);
    }
    return FX_OK;
}

/* A scope for a body: its sizes are those of the graph around it while it is traced. */
static fx_scope *open_body(fx_scope *scope)
{
    fx_scope *inner = fx__alloc(scope->context, sizeof *inner);
    fx_graph *graph = inner ? fx_graph_new(scope->context) : NULL;
    if (!graph) {
        fx__free(scope->context, inner);
        return NULL;
    }
    fx__dims_free(graph->dims);
    graph->dims = scope->graph->dims;
    graph->module = scope->module;
    *inner = (fx_scope){.context = scope->context,
                        .module = scope->module,
                        .graph = graph,
                        .tracing = true,
                        .is_functional = scope->is_functional,
                        .n_diags = fx_context_diag_count(scope->context),
                        .n_constants = scope->n_constants,
                        .level = scope->level,
                        .is_leaf = scope->is_leaf,
                        .is_leaf_user = scope->is_leaf_user,
                        .answer = scope->answer,
                        .answer_user = scope->answer_user};
    fx__text_init(&inner->arguments, scope->context);
    return inner;
}

/* The body, with sizes of its own; NULL when it is not wanted or memory ends. */
static fx_graph *close_body(fx_scope *scope, fx_scope *inner, bool wanted)
{
    fx_graph *body = inner->graph;
    scope->n_constants = inner->n_constants;
    while (inner->level != scope->level) fx__scope_leave(inner);
    inner->level = NULL;
    inner->module = NULL;
    fx_scope_free(inner);
    body->dims = wanted ? fx__dims_clone(scope->graph->dims) : NULL;
    body->module = NULL;
    if (body->dims) return body;
    fx_graph_free(body);
    return NULL;
}

static fx_status forward(fx_scope *inner, const fx_wrapped *function, const fx_value *in, fx_value *out, int32_t n_outputs,
                         fx_type *types)
{
    FX_TRY(function->forward(inner, in, out, function->user));
    FX_TRY(fx__scope_set_outputs(inner, out, n_outputs));
    for (int32_t i = 0; i < n_outputs; i++) {
        const fx_type *type = fx_value_type(out[i]);
        types[i] = type ? *type : (fx_type){.dtype = FX_DTYPE_COUNT};
    }
    return FX_OK;
}

static fx_status trace_body(fx_scope *scope, const fx_wrapped *function, const fx_value *inputs, int32_t n_inputs,
                            int32_t n_outputs, fx_type *types, fx_graph **out)
{
    *out = NULL;
    fx_scope *inner = open_body(scope);
    fx_value *values = fx__alloc(scope->context, (size_t)(n_inputs + n_outputs + 1) * sizeof *values);
    fx_status status = inner && values ? add_inputs(inner, inputs, n_inputs, values) : FX_E_OOM;
    if (status == FX_OK) status = forward(inner, function, values, values + n_inputs, n_outputs, types);
    if (inner) *out = close_body(scope, inner, status == FX_OK);
    fx__free(scope->context, values);
    return status == FX_OK && !*out ? FX_E_OOM : status;
}

/* ---- Calls that share a body ------------------------------------------------------------------------------------------------- */

static bool same_types(const fx_scope_wrapped *entry, const fx_value *inputs)
{
    for (int32_t i = 0; i < entry->n_inputs; i++) {
        const fx_node *before = fx__arg(entry->call, i)->u.node;
        const fx_type *type = fx_value_type(inputs[i]), *known = fx_node_type(before, 0);
        int32_t first = 0;
        while (fx__arg(entry->call, first)->u.node != before) first++;
        if (!type || !known || !fx__type_equal(type, known) || first != first_use(inputs, i)) return false;
    }
    return true;
}

static const char *path_around(const fx_scope *scope)
{
    return fx__intern(scope->context, scope->level ? scope->level->path : "");
}

static bool reads_by_name(const fx_graph *body)
{
    FX_EACH_NODE(node, body)
    {
        if (node->opcode == FX_GET_ATTR || node->opcode == FX_CALL_MODULE) return true;
        if (node->body && reads_by_name(node->body)) return true;
    }
    return false;
}

/* What a body reads by name is another module's elsewhere. */
static bool means_the_same_here(const fx_scope *scope, const fx_scope_wrapped *entry)
{
    return entry->path == path_around(scope) || !reads_by_name(entry->call->body);
}

static const fx_scope_wrapped *find_call(const fx_scope *scope, const fx_wrapped *function, const fx_value *inputs,
                                         int32_t n_inputs, int32_t n_outputs)
{
    for (int32_t i = 0; i < scope->n_wrapped; i++) {
        const fx_scope_wrapped *entry = &scope->wrapped[i];
        bool same = strcmp(entry->function.target, function->target) == 0 && entry->function.forward == function->forward &&
                    entry->function.user == function->user && entry->n_inputs == n_inputs && entry->n_outputs == n_outputs;
        if (same && !entry->call->erased && same_types(entry, inputs) && means_the_same_here(scope, entry)) return entry;
    }
    return NULL;
}

static fx_status keep_call(fx_scope *scope, const fx_wrapped *function, fx_node *call, int32_t n_inputs, int32_t n_outputs)
{
    if (scope->n_wrapped == scope->cap_wrapped) {
        int32_t capacity = scope->cap_wrapped ? 2 * scope->cap_wrapped : 8;
        fx_scope_wrapped *grown = realloc(scope->wrapped, (size_t)capacity * sizeof *grown);
        if (!grown) return fx__diag_oom(scope->context);
        scope->wrapped = grown;
        scope->cap_wrapped = capacity;
    }
    const fx_wrapped kept = {.target = call->target, .forward = function->forward, .user = function->user};
    const char *path = path_around(scope);
    if (!path) return FX_E_OOM;
    scope->wrapped[scope->n_wrapped++] = (fx_scope_wrapped){kept, call, path, n_inputs, n_outputs};
    return FX_OK;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

static fx_status record_call(fx_scope *scope, const fx_wrapped *function, const fx_value *inputs, int32_t n_inputs, fx_node **out)
{
    fx_graph *graph = scope->graph;
    int32_t n = n_inputs + function->n_constants;
    fx_attr *args = fx__alloc(scope->context, (size_t)(n + 1) * sizeof *args);
    if (!args) return FX_E_OOM;
    for (int32_t i = 0; i < n_inputs; i++) args[i] = fx_node_attr(fx_value_node(inputs[i]));
    for (int32_t i = n_inputs; i < n; i++) args[i] = fx__attr_copy(graph, &function->constants[i - n_inputs], NULL, NULL);
    *out = fx_graph_call(graph, function->target, args, n);
    fx__free(scope->context, args);
    return *out ? fx_node_set_meta(*out, "is_wrapped", fx_bool(true)) : fx__diag_failure(scope->context, FX_E_GRAPH);
}

/* The types of the results of a call that is there already. */
static void types_of(const fx_node *call, fx_type *types, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx_node_type(call, i);
        types[i] = type ? *type : (fx_type){.dtype = FX_DTYPE_COUNT};
    }
}

static fx_status call_whole(fx_scope *scope, const fx_wrapped *function, const fx_value *inputs, int32_t n_inputs, fx_type *types,
                            fx_value *outputs, int32_t n_outputs)
{
    const fx_scope_wrapped *known = find_call(scope, function, inputs, n_inputs, n_outputs);
    fx_node *call, *first = known ? known->call : NULL;
    fx_graph *body = NULL;
    if (!first) FX_TRY(trace_body(scope, function, inputs, n_inputs, n_outputs, types, &body));
    fx_status status = record_call(scope, function, inputs, n_inputs, &call);
    if (status != FX_OK) {
        fx_graph_free(body);
        return status;
    }
    if (first) types_of(first, types, n_outputs);
    FX_TRY(first ? fx__node_copy_body(call, first) : fx_node_set_body(call, body));
    FX_TRY(fx__scope_give_outputs(scope, call, types, outputs, n_outputs));
    return first ? FX_OK : keep_call(scope, function, call, n_inputs, n_outputs);
}

fx_status fx_wrapped_call(fx_scope *scope, const fx_wrapped *function, const fx_value *inputs, int32_t n_inputs, fx_value *outputs,
                          int32_t n_outputs)
{
    for (int32_t i = 0; i < n_outputs; i++) outputs[i] = FX_NO_VALUE;
    if (!scope) return FX_E_ARG;
    if (!function || !function->target || !*function->target || !function->forward)
        return fx__diag(scope->context, FX_E_ARG, NULL, "a call of a wrapped function needs its name and its forward function");
    const char *what = fx__arena_format(scope->graph->arena, "function `%s`", function->target);
    if (!what) return FX_E_OOM;
    FX_TRY(fx__scope_check_inputs(scope, what, inputs, n_inputs));
    if (!scope->tracing) return function->forward(scope, inputs, outputs, function->user);
    fx_type *types = fx__alloc(scope->context, (size_t)(n_outputs + 1) * sizeof *types);
    if (!types) return FX_E_OOM;
    fx_status status = call_whole(scope, function, inputs, n_inputs, types, outputs, n_outputs);
    fx__free(scope->context, types);
    return status;
}
