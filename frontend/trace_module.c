/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace_module.c: modules of the host program. In an eager scope, and where the scope's callback says that a module is no
 * leaf, a call runs the module's forward function, with parameters under the module's path. A leaf is traced on its own, once for
 * its path, and recorded as call_module. */
#include "frontend/scope.h"
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

void fx_trace_set_leaf(fx_scope *scope, fx_is_leaf is_leaf, void *user)
{
    if (!scope) return;
    scope->is_leaf = is_leaf;
    scope->is_leaf_user = user;
}

/* ---- Paths ------------------------------------------------------------------------------------------------------------------- */

const char *fx__scope_path(fx_scope *scope, const char *path)
{
    if (!scope->level) return path;
    return fx__arena_format(scope->graph->arena, "%s%s", scope->level->path, path);
}

static fx_status enter(fx_scope *scope, const char *path, const fx_nn *module)
{
    int depth = 0;
    for (const fx_scope_level *level = scope->level; level; level = level->outer, depth++)
        if (level->forward == module->forward && level->user == module->user)
            return fx__diag(scope->context, FX_E_GRAPH, NULL, "module `%s` calls itself: `%.*s` is the same module", path,
                            (int)strlen(level->path) - 1, level->path);
    if (depth >= DEEPEST)
        return fx__diag(scope->context, FX_E_GRAPH, NULL, "module `%s`: modules are nested deeper than %d", path, DEEPEST);
    fx_scope_level *level = fx__alloc(scope->context, sizeof *level);
    size_t bytes = strlen(path) + 2;
    char *text = level ? fx__alloc(scope->context, bytes) : NULL;
    if (!text) {
        fx__free(scope->context, level);
        return FX_E_OOM;
    }
    snprintf(text, bytes, "%s.", path);
    *level = (fx_scope_level){scope->level, text, module->forward, module->user};
    scope->level = level;
    return FX_OK;
}

void fx__scope_leave(fx_scope *scope)
{
    fx_scope_level *level = scope->level;
    scope->level = level->outer;
    fx__free(scope->context, level->path);
    fx__free(scope->context, level);
}

void fx__scope_leave_all(fx_scope *scope)
{
    while (scope->level) fx__scope_leave(scope);
}

static fx_status run_through(fx_scope *scope, const char *path, const fx_nn *module, const fx_value *inputs, fx_value *outputs)
{
    FX_TRY(enter(scope, path, module));
    fx_status status = module->forward(scope, inputs, outputs, module->user);
    fx__scope_leave(scope);
    return status;
}

/* ---- Leaves -------------------------------------------------------------------------------------------------------------------
 */

static fx_status trace_leaf(fx_scope *scope, const char *path, const fx_nn *module, const fx_value *inputs, int32_t n_inputs,
                            int32_t n_outputs)
{
    fx_module *submodule;
    fx_type *types = fx__alloc(scope->context, (size_t)(n_inputs + 1) * sizeof *types);
    if (!types) return FX_E_OOM;
    fx_status status = FX_OK;
    for (int32_t i = 0; i < n_inputs && status == FX_OK; i++) {
        const fx_type *type = fx_value_type(inputs[i]);
        if (type)
            types[i] = *type;
        else
            status = fx__diag(scope->context, FX_E_ARG, NULL, "input %d of module `%s` has no known type", (int)i, path);
    }
    if (status == FX_OK)
        status = fx_trace(scope->context, module->class_name ? module->class_name : path, module->forward, module->user, types,
                          n_inputs, n_outputs, &submodule);
    fx__free(scope->context, types);
    FX_TRY(status);
    if (module->class_name) status = fx_module_set_class(submodule, module->class_name);
    if (status == FX_OK) return fx_module_add_submodule(scope->module, path, submodule);
    fx_module_free(submodule);
    return status;
}

fx_status fx__scope_check_inputs(const fx_scope *scope, const char *what, const fx_value *inputs, int32_t n_inputs)
{
    for (int32_t i = 0; i < n_inputs; i++) {
        if (inputs[i].scope == scope && fx__scope_entry(inputs[i])) continue;
        return fx__diag(scope->context, FX_E_ARG, NULL, "%s is given %s as input %d", what,
                        inputs[i].scope ? "a value of another scope" : "no value", (int)i);
    }
    return FX_OK;
}

static fx_status record_call(fx_scope *scope, const char *path, const fx_value *inputs, int32_t n_inputs, fx_node **out)
{
    fx_graph *graph = scope->graph;
    fx_attr *args = fx__alloc(scope->context, (size_t)(n_inputs + 1) * sizeof *args);
    if (!args) return FX_E_OOM;
    for (int32_t i = 0; i < n_inputs; i++) args[i] = fx_node_attr(fx__scope_entry(inputs[i])->node);
    fx_node_spec spec = {.opcode = FX_CALL_MODULE, .target = path, .args = fx_tuple(graph, args, n_inputs)};
    *out = fx_graph_create_node(graph, &spec);
    fx__free(scope->context, args);
    return *out ? FX_OK : fx__diag_failure(scope->context, FX_E_GRAPH);
}

fx_status fx__scope_give_outputs(fx_scope *scope, fx_node *call, const fx_type *types, fx_value *outputs, int32_t n_outputs)
{
    for (int32_t i = 0; i < n_outputs; i++) {
        const fx_attr args[] = {fx_node_attr(call), fx_int(i)};
        fx_node *node = n_outputs == 1 ? call : fx_graph_call(scope->graph, "operator.getitem", args, 2);
        const fx_type *type = types[i].dtype == FX_DTYPE_COUNT ? NULL : &types[i];
        if (!node) return fx__diag_failure(scope->context, FX_E_GRAPH);
        if (type) FX_TRY(fx_node_set_type(node, 0, type));
        if (type && n_outputs > 1) FX_TRY(fx_node_set_type(call, i, type));
        outputs[i] = fx__scope_add(scope, &(fx_scope_entry){.node = node});
    }
    return FX_OK;
}

/* The types are those that the submodule's own trace found; both count their constants alike. */
static fx_status give_module_outputs(fx_scope *scope, const char *path, fx_node *call, fx_value *outputs, int32_t n_outputs)
{
    const fx_module *submodule = fx_module_submodule(scope->module, path);
    if (fx_module_output_count(submodule) != n_outputs)
        return fx__diag(scope->context, FX_E_ARG, NULL, "module `%s` has %d outputs, %d are asked for", path,
                        (int)fx_module_output_count(submodule), (int)n_outputs);
    fx_type *types = fx__alloc(scope->context, (size_t)(n_outputs + 1) * sizeof *types);
    if (!types) return FX_E_OOM;
    for (int32_t i = 0; i < n_outputs; i++) {
        const fx_type *type = fx_module_output_type(submodule, i);
        types[i] = type ? *type : (fx_type){.dtype = FX_DTYPE_COUNT};
    }
    fx_status status = fx__scope_give_outputs(scope, call, types, outputs, n_outputs);
    fx__free(scope->context, types);
    return status;
}

static bool is_symbolic(fx_value value)
{
    const fx_type *type = fx_value_type(value);
    for (int32_t d = 0; type && d < type->rank; d++)
        if (!fx_dim_is_const(type->dim[d])) return true;
    return false;
}

/* A leaf is traced once, for the types of its first call. */
static bool fits_first_call(const fx_scope *scope, const char *path, const fx_value *inputs, int32_t n_inputs)
{
    const fx_module *first = fx_module_submodule(scope->module, path);
    for (int32_t i = 0; first && i < n_inputs && i < fx_module_input_count(first); i++) {
        const fx_type *known = fx_module_input_type(first, i), *type = fx_value_type(inputs[i]);
        if (known && type && !fx__type_equal(known, type)) return false;
    }
    return true;
}

/* Sizes that are symbols of this trace mean nothing in another: such a module is traced through. */
static bool is_leaf(const fx_scope *scope, const char *path, const fx_nn *module, const fx_value *inputs, int32_t n_inputs)
{
    if (!scope->tracing || !scope->is_leaf || !scope->is_leaf(scope->is_leaf_user, path, module->class_name)) return false;
    for (int32_t i = 0; i < n_inputs; i++)
        if (is_symbolic(inputs[i])) return false;
    return fits_first_call(scope, path, inputs, n_inputs);
}

fx_status fx_module_call(fx_scope *scope, const char *path, const fx_nn *module, const fx_value *inputs, int32_t n_inputs,
                         fx_value *outputs, int32_t n_outputs)
{
    for (int32_t i = 0; i < n_outputs; i++) outputs[i] = FX_NO_VALUE;
    if (!scope) return FX_E_ARG;
    if (!path || !*path || !module || !module->forward)
        return fx__diag(scope->context, FX_E_ARG, NULL, "a call of a module needs its path and its forward function");
    const char *full = fx__scope_path(scope, path);
    if (!full) return FX_E_OOM;
    if (!is_leaf(scope, full, module, inputs, n_inputs)) return run_through(scope, full, module, inputs, outputs);
    const char *what = fx__arena_format(scope->graph->arena, "module `%s`", full);
    if (!what) return FX_E_OOM;
    FX_TRY(fx__scope_check_inputs(scope, what, inputs, n_inputs));
    if (!fx_module_submodule(scope->module, full)) FX_TRY(trace_leaf(scope, full, module, inputs, n_inputs, n_outputs));
    fx_node *call;
    FX_TRY(record_call(scope, full, inputs, n_inputs, &call));
    return give_module_outputs(scope, full, call, outputs, n_outputs);
}
