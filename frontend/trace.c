/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace.c: fx_value, the handle that is a tensor or a proxy. A scope keeps one graph: while tracing it is the module that
 * comes out; in an eager scope it is a scratch graph whose nodes are computed as soon as they are made, so that both kinds of
 * scope bind arguments, check types and report errors through the same code. */
#include "frontend/scope.h"
#include "ir/in_place.h"
#include "ir/interp.h"
#include <stdlib.h>
#include <string.h>

static fx_scope *scope_new(fx_context *context, const char *name, bool tracing)
{
    fx_scope *scope = fx__alloc(context, sizeof *scope);
    if (!scope) return NULL;
    scope->context = context;
    scope->tracing = tracing;
    scope->n_diags = fx_context_diag_count(context);
    fx__text_init(&scope->arguments, context);
    scope->module = fx_module_new(context, name);
    scope->graph = scope->module ? fx_module_graph(scope->module) : NULL;
    if (scope->module) return scope;
    fx__free(context, scope);
    return NULL;
}

fx_scope *fx_scope_new(fx_context *context)
{
    return scope_new(context, "eager", false);
}

fx_scope *fx_trace_begin(fx_context *context, const char *module_name)
{
    return scope_new(context, module_name, true);
}

void fx_scope_free(fx_scope *scope)
{
    if (!scope) return;
    for (int32_t i = 0; i < scope->count; i++)
        if (scope->entries[i].owned) fx_tensor_release(&scope->entries[i].tensor);
    fx_module_free(scope->module);
    fx__scope_leave_all(scope);
    fx_text_free(fx__text_finish(&scope->arguments));
    free(scope->wrapped);
    free(scope->entries);
    fx__free(scope->context, scope);
}

fx_scope_entry *fx__scope_entry(fx_value value)
{
    if (!value.scope || value.id < 0 || value.id >= value.scope->count) return NULL;
    return &value.scope->entries[value.id];
}

fx_value fx__scope_add(fx_scope *scope, const fx_scope_entry *item)
{
    if (!item->node) return FX_NO_VALUE;
    if (scope->count == scope->capacity) {
        int32_t capacity = scope->capacity ? 2 * scope->capacity : 64;
        fx_scope_entry *grown = realloc(scope->entries, (size_t)capacity * sizeof *grown);
        if (!grown) {
            fx__diag_oom(scope->context);
            return FX_NO_VALUE;
        }
        scope->entries = grown;
        scope->capacity = capacity;
    }
    scope->entries[scope->count] = *item;
    return (fx_value){scope, scope->count++};
}

const fx_type *fx_value_type(fx_value value)
{
    fx_scope_entry *it = fx__scope_entry(value);
    return it ? fx_node_type(it->node, 0) : NULL;
}

fx_node *fx_value_node(fx_value value)
{
    fx_scope_entry *it = fx__scope_entry(value);
    return it && value.scope->tracing ? it->node : NULL;
}

fx_graph *fx_scope_graph(const fx_scope *scope)
{
    return scope && scope->tracing ? scope->graph : NULL;
}

fx_value fx_value_of_node(fx_scope *scope, fx_node *node)
{
    if (!scope || !node) return FX_NO_VALUE;
    if (node->graph == fx_scope_graph(scope)) return fx__scope_add(scope, &(fx_scope_entry){.node = node});
    fx__diag_node(node, FX_E_ARG, "the node is not of the graph being traced");
    return FX_NO_VALUE;
}

const fx_tensor *fx_value_tensor_at(fx_value value, const char *file, int32_t line)
{
    fx_scope_entry *it = fx__scope_entry(value);
    if (!it) return NULL;
    if (!value.scope->tracing) return &it->tensor;
    fx_loc loc = {file, line, NULL};
    fx__diag(value.scope->context, FX_E_ARG, &loc, "the data of `%s` was asked for while tracing: a proxy has a type, but no data",
             fx_node_name(it->node));
    fx__diag_note(value.scope->context, &it->node->loc, "`%s` was traced here", fx_node_name(it->node));
    return NULL;
}

fx_value fx_trace_input_with(fx_scope *scope, const char *name, const fx_type *type, const fx_attr *default_value,
                             const char *annotation)
{
    if (!scope) return FX_NO_VALUE;
    if (!scope->tracing) {
        fx__diag(scope->context, FX_E_ARG, NULL, "input `%s`: an eager scope has no inputs; use fx_value_from", name);
        return FX_NO_VALUE;
    }
    fx__scope_note_leaf(scope);
    fx_node *input = fx_graph_placeholder_with(scope->graph, name, type, default_value, annotation);
    return fx__scope_add(scope, &(fx_scope_entry){.node = input});
}

fx_value fx_trace_input(fx_scope *scope, const char *name, const fx_type *type)
{
    return fx_trace_input_with(scope, name, type, NULL, NULL);
}

fx_dim fx_trace_symbol(fx_scope *scope, const char *name, int64_t lo, int64_t hi, int64_t hint)
{
    return scope ? fx_graph_symbol(scope->graph, name, lo, hi, hint, 1) : FX_DIM_BAD;
}

static fx_node *find_get_attr(const fx_graph *graph, const char *path)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode == FX_GET_ATTR && strcmp(node->target, path) == 0) return node;
    return NULL;
}

static fx_type type_of(const fx_tensor *tensor)
{
    fx_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    memcpy(type.dim, tensor->dim, sizeof type.dim);
    return type;
}

static fx_value eager_value(fx_scope *scope, const char *name, const fx_tensor *tensor, bool owned)
{
    fx_type type = type_of(tensor);
    return fx__scope_add(
        scope, &(fx_scope_entry){.node = fx_graph_placeholder(scope->graph, name, &type), .tensor = *tensor, .owned = owned});
}

static fx_value module_tensor(fx_scope *scope, const char *path, const fx_tensor *tensor, bool is_buffer, fx_release release,
                              void *user)
{
    const fx_tensor *known = fx_module_tensor(scope->module, path);
    if (!known) {
        if (fx_module_add_tensor(scope->module, path, tensor, is_buffer, release, user) != FX_OK) return FX_NO_VALUE;
    } else if (known->data != tensor->data) {
        fx__diag(scope->context, FX_E_ARG, NULL, "parameter `%s` is already another tensor of module `%s`", path,
                 fx_module_name(scope->module));
        return FX_NO_VALUE;
    }
    fx_graph *graph = scope->graph;
    fx_node *node = find_get_attr(graph, path);
    return fx__scope_add(scope, &(fx_scope_entry){.node = node ? node : fx_graph_get_attr(graph, path)});
}

static fx_value attribute(fx_scope *scope, const char *path, const fx_tensor *tensor, bool is_buffer, fx_release release,
                          void *user)
{
    if (!scope || !tensor) return FX_NO_VALUE;
    if (!scope->tracing) return eager_value(scope, path, tensor, false);
    const char *full = fx__scope_path(scope, path);
    return full ? module_tensor(scope, full, tensor, is_buffer, release, user) : FX_NO_VALUE;
}

fx_value fx_parameter(fx_scope *scope, const char *path, const fx_tensor *tensor, fx_release release, void *user)
{
    return attribute(scope, path, tensor, false, release, user);
}

fx_value fx_buffer(fx_scope *scope, const char *path, const fx_tensor *tensor, fx_release release, void *user)
{
    return attribute(scope, path, tensor, true, release, user);
}

/* The module may have such a tensor of its own. */
static void next_constant(fx_scope *scope, char *path, size_t bytes)
{
    do snprintf(path, bytes, "_tensor_constant%d", (int)scope->n_constants++);
    while (fx_module_tensor(scope->module, path));
}

/* Where the module has this very tensor; NULL: nowhere. */
static const char *find_tensor(const fx_module *module, const fx_tensor *tensor)
{
    for (int32_t i = 0; i < fx_module_tensor_count(module); i++) {
        const fx_tensor *own = fx_module_tensor(module, fx_module_tensor_path(module, i));
        bool same = own->data == tensor->data && own->dtype == tensor->dtype && own->rank == tensor->rank;
        for (int32_t d = 0; same && d < own->rank; d++) same = own->dim[d] == tensor->dim[d] && own->stride[d] == tensor->stride[d];
        if (same) return fx_module_tensor_path(module, i);
    }
    return NULL;
}

fx_value fx_value_from(fx_scope *scope, const fx_tensor *tensor)
{
    if (!scope || !tensor) return FX_NO_VALUE;
    if (!scope->tracing) return eager_value(scope, "tensor", tensor, false);
    char path[40]; /* torch.fx's name for a tensor met while tracing */
    const char *known = find_tensor(scope->module, tensor);
    if (!known) next_constant(scope, path, sizeof path);
    return module_tensor(scope, known ? known : path, tensor, false, NULL, NULL); /* of the outermost module */
}

/* ---- Operators ---------------------------------------------------------------------------------------------------------- */

fx_value fx__scope_no_operator(const fx_trace_arg *args, int32_t n_args, fx_loc loc)
{
    for (int32_t i = 0; i < n_args; i++) {
        if (args[i].kind != FX_ARG_VALUE || !args[i].value.scope) continue;
        fx__diag(args[i].value.scope->context, FX_E_ARG, &loc, "a call without an operator: fx_op_find gives none for unknown names");
        break;
    }
    return FX_NO_VALUE;
}

fx_scope *fx__scope_common(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc)
{
    fx_scope *scope = NULL;
    for (int32_t i = 0; i < n_args; i++) {
        int32_t n = args[i].kind == FX_ARG_VALUE ? 1 : args[i].kind == FX_ARG_VALUES ? args[i].n : 0;
        const fx_value *values = args[i].kind == FX_ARG_VALUE ? &args[i].value : args[i].values;
        for (int32_t j = 0; j < n; j++) {
            if (!values[j].scope) continue;
            if (scope && values[j].scope != scope) {
                fx__diag(scope->context, FX_E_ARG, &loc, "%s: values of different scopes cannot be combined", fx_op_name(op));
                return NULL;
            }
            scope = values[j].scope;
        }
    }
    return scope;
}

/* An invalid value that stands for an error made earlier is passed on; None is legal where the schema says so. */
static bool argument(fx_scope *scope, const fx_param *param, const fx_trace_arg *arg, fx_attr *out)
{
    fx_graph *graph = scope->graph;
    if (arg->kind == FX_ARG_ATTR) {
        *out = fx__attr_copy(graph, &arg->attr, NULL, NULL);
        return true;
    }
    if (arg->kind == FX_ARG_VALUE) {
        fx_scope_entry *it = fx__scope_entry(arg->value);
        *out = it ? fx_node_attr(it->node) : fx_none();
        return it || param->optional;
    }
    fx_attr *items = calloc((size_t)(arg->n > 0 ? arg->n : 1), sizeof *items);
    bool ok = items != NULL;
    for (int32_t i = 0; ok && i < arg->n; i++) {
        fx_scope_entry *it = fx__scope_entry(arg->values[i]);
        ok = it != NULL;
        if (ok) items[i] = fx_node_attr(it->node);
    }
    if (ok) *out = fx_list(graph, items, arg->n);
    free(items);
    return ok && out->kind == FX_ATTR_LIST;
}

fx_node *fx__scope_record(fx_scope *scope, const fx_op *op, const char *target, const char *name, const fx_trace_arg *args,
                          int32_t n_args, fx_loc loc)
{
    int32_t n_params;
    const fx_param *params = fx__op_params(op, &n_params);
    if (n_args > n_params) {
        fx__diag(scope->context, FX_E_ARG, &loc, "%s takes at most %d arguments, got %d", fx_op_name(op), (int)n_params,
                 (int)n_args);
        return NULL;
    }
    fx_graph *graph = scope->graph;
    fx_attr items[FX_PARAMS];
    const char *keys[FX_PARAMS];
    fx_attr named[FX_PARAMS];
    int32_t n_items = 0, n_named = 0;
    for (int32_t i = 0; i < n_args; i++) {
        fx_attr value;
        if (!argument(scope, &params[i], &args[i], &value)) return NULL;
        if (params[i].has_default && fx_attr_equal(&value, &params[i].fallback)) continue;
        if (n_items == i && !params[i].keyword_only) {
            items[n_items++] = value;
        } else { /* after a default that was left out, or keyword-only */
            keys[n_named] = params[i].name;
            named[n_named++] = value;
        }
    }
    return fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_CALL_FUNCTION,
                                                       .target = target,
                                                       .name = name,
                                                       .args = fx_tuple(graph, items, n_items),
                                                       .kwargs = fx_dict(graph, keys, named, n_named),
                                                       .loc = loc});
}

/* Named as make_fx does: "relu", not "relu_default". */
static fx_node *record(fx_scope *scope, const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc)
{
    fx_node *node = fx__scope_record(scope, op, fx_op_target(op), fx_op_name(op), args, n_args, loc);
    if (!node || fx__op_infer(node) == FX_OK) return node;
    fx_graph_erase(scope->graph, node);
    return NULL;
}

fx_value fx_apply(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc)
{
    if (!op) return fx__scope_no_operator(args, n_args, loc);
    if (op->impure && op->name[strlen(op->name) - 1] == '_') return fx_apply_in_place(op, args, n_args, loc); /* copy_ */
    fx_scope *scope = fx__scope_common(op, args, n_args, loc);
    if (!scope) return FX_NO_VALUE;
    fx_scope_entry item = {.node = record(scope, op, args, n_args, loc)};
    if (!item.node) return FX_NO_VALUE;
    if (!scope->tracing && !fx__scope_compute(scope, item.node, &item)) return FX_NO_VALUE;
    fx_value value = fx__scope_add(scope, &item);
    if (!fx_value_ok(value) && item.owned) fx_tensor_release(&item.tensor);
    return value;
}

/* ---- Ending a trace ----------------------------------------------------------------------------------------------------- */

bool fx__scope_failed(const fx_scope *scope)
{
    for (int32_t i = scope->n_diags; i < fx_context_diag_count(scope->context); i++) {
        fx_severity severity;
        fx_context_diag(scope->context, i, &severity);
        if (severity == FX_ERROR) return true;
    }
    return false;
}

fx_status fx__scope_set_outputs(fx_scope *scope, const fx_value *outputs, int32_t n_outputs)
{
    fx_graph *graph = scope->graph;
    if (fx__scope_failed(scope)) return fx_context_status(scope->context);
    if (n_outputs == 0 && fx_graph_output_node(graph)) return FX_OK;
    fx_attr *items = fx__alloc(scope->context, (size_t)(n_outputs > 0 ? n_outputs : 1) * sizeof *items);
    if (!items) return FX_E_OOM;
    fx_status status = FX_OK;
    for (int32_t i = 0; i < n_outputs; i++) {
        fx_scope_entry *it = fx__scope_entry(outputs[i]);
        if (it && outputs[i].scope == scope) {
            items[i] = fx_node_attr(it->node);
        } else {
            status = fx__diag(scope->context, FX_E_ARG, NULL, "output %d of module `%s` is not a value of this trace", (int)i,
                              fx_module_name(scope->module));
        }
    }
    if (status == FX_OK && !fx_graph_output(graph, n_outputs == 1 ? items[0] : fx_tuple(graph, items, n_outputs)))
        status = fx_context_status(scope->context);
    fx__free(scope->context, items);
    return status;
}

fx_status fx__scope_end(fx_scope *scope, fx_status status, fx_module **out)
{
    if (status == FX_OK) status = fx__scope_set_in_spec(scope);
    *out = NULL;
    if (status == FX_OK) {
        *out = scope->module;
        scope->module = NULL;
    }
    fx_scope_free(scope);
    return status;
}

fx_status fx_trace_finish(fx_scope *scope, const fx_value *outputs, int32_t n_outputs, fx_module **out)
{
    *out = NULL;
    if (!scope) return FX_E_OOM;
    return fx__scope_end(scope, fx__scope_set_outputs(scope, outputs, n_outputs), out);
}

fx_status fx_trace(fx_context *context, const char *name, fx_forward forward, void *user, const fx_type *input_types,
                   int32_t n_inputs, int32_t n_outputs, fx_module **out)
{
    *out = NULL;
    fx_scope *scope = fx_trace_begin(context, name);
    fx_value *values = fx__alloc(context, (size_t)(n_inputs + n_outputs + 1) * sizeof *values);
    if (!scope || !values) {
        fx_scope_free(scope);
        fx__free(context, values);
        return FX_E_OOM;
    }
    for (int32_t i = 0; i < n_inputs; i++) {
        char input[32];
        snprintf(input, sizeof input, "x%d", (int)i);
        values[i] = fx_trace_input(scope, n_inputs == 1 ? "x" : input, &input_types[i]);
    }
    fx_status status = forward(scope, values, values + n_inputs, user);
    if (status == FX_OK) {
        status = fx_trace_finish(scope, values + n_inputs, n_outputs, out);
    } else {
        fx_scope_free(scope);
    }
    fx__free(context, values);
    return status;
}
