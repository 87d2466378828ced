/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interpreter_step.c: what an interpreter does with a node unless somebody else does it: by opcode; submodules and bodies are
 * graphs for interpreters of their own. */
#include "ir/in_place.h"
#include "ir/interpreter.h"
#include <string.h>

enum { INNER_DEPTH = 64 }; /* a module that holds itself would never end */

static fx_status check_values(const fx_interpreter *it, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_run_value *v = fx__interpreter_value(it, node->inputs[i]);
        if (v->n == 0) return fx__diag_node(node, FX_E_ARG, "its input %s has no value", node->inputs[i]->name);
    }
    return FX_OK;
}

/* ---- Nodes by opcode ---------------------------------------------------------------------------------------------------- */

static fx_status run_placeholder(fx_interpreter *it, const fx_node *node, fx_results *results)
{
    bool is_none = node->args.n == 1 && fx__arg(node, 0)->kind == FX_ATTR_NONE;
    results->borrowed = true;
    if (it->n_taken < it->n_inputs) {
        results->tensor[results->n++] = it->inputs[it->n_taken++];
        return FX_OK;
    }
    if (is_none) return FX_OK;
    return fx__diag_node(node, FX_E_ARG, "expected a value for input %s, but only %d inputs were given", node->target,
                         it->n_inputs);
}

static fx_status run_get_attr(const fx_interpreter *it, const fx_node *node, fx_results *results)
{
    const fx_tensor *tensor = it->module ? fx_module_tensor(it->module, node->target) : NULL;
    if (!tensor) return fx__diag_node(node, FX_E_NOT_FOUND, "there is no tensor %s", node->target);
    results->borrowed = true;
    results->tensor[results->n++] = *tensor;
    return FX_OK;
}

/* The tensors of a node's inputs in a row, as fx__interp_node wants them. */
static const fx_tensor *gather_inputs(const fx_interpreter *it, const fx_node *node)
{
    int32_t n = 1, at = 0;
    for (int32_t i = 0; i < node->n_inputs; i++) n += fx__interpreter_value(it, node->inputs[i])->n;
    fx_tensor *tensors = FX_NEW_ARRAY(it->scratch, fx_tensor, n);
    for (int32_t i = 0; tensors && i < node->n_inputs; i++) {
        const fx_run_value *v = fx__interpreter_value(it, node->inputs[i]);
        for (int32_t r = 0; r < v->n; r++) tensors[at++] = v->tensor[r];
    }
    return tensors;
}

static bool selects(const fx_interpreter *it, const fx_node *node)
{
    if (strcmp(node->target, "operator.getitem") != 0 || node->args.n != 2 || node->kwargs.n) return false;
    if (fx__arg(node, 0)->kind != FX_ATTR_NODE || fx__arg(node, 1)->kind != FX_ATTR_INT) return false;
    const fx_run_value *v = fx__interpreter_value(it, fx__arg(node, 0)->u.node);
    return v->tuple || v->n > 1;
}

static fx_status select_item(const fx_interpreter *it, const fx_node *node, fx_results *results)
{
    const fx_run_value *v = fx__interpreter_value(it, fx__arg(node, 0)->u.node);
    int64_t index = fx__arg(node, 1)->u.i, at = index < 0 ? index + v->n : index;
    if (at < 0 || at >= v->n) return fx__diag_node(node, FX_E_INDEX, "item %lld of %d", (long long)index, (int)v->n);
    const fx_tensor *from = &v->tensor[at];
    FX_TRY(fx_tensor_alloc(from->dtype, from->rank, from->dim, &results->tensor[0]));
    results->n = 1;
    return fx_tensor_copy(&results->tensor[0], from);
}

/* A write into memory that something else sees would have to reach it; values here lie in memory of their own. */
static bool is_shared_write(const fx_node *node)
{
    if (fx__train_is(node)) return true;
    if (fx__in_place_kind(node) == FX_IN_PLACE_NONE) return false;
    const fx_node *self = fx__in_place_kind(node) == FX_IN_PLACE_CALL && fx__in_place_op(node) ? fx__in_place_target(node) : NULL;
    return !self || self->n_users > 1 || fx__alias_base(self) || self->opcode == FX_PLACEHOLDER || self->opcode == FX_GET_ATTR;
}

/* Nobody but the call's users sees the change: the pure operator does. */
static fx_status make_pure(fx_node *twin)
{
    if (fx__in_place_kind(twin) != FX_IN_PLACE_CALL) return FX_OK;
    const char *target = fx__in_place_op(twin)->target;
    fx_attr kwargs = fx__in_place_kwargs(twin);
    twin->opcode = FX_CALL_FUNCTION;
    FX_TRY(fx_node_set_target(twin, target));
    return fx_node_set_args(twin, twin->args, kwargs);
}

/* ---- Submodules ------------------------------------------------------------------------------------------------------------ */

static void count_node(void *user, fx_node *node)
{
    (void)node;
    ++*(int32_t *)user;
}

static const fx_attr *module_argument(const fx_node *call, const fx_node *placeholder, int32_t index)
{
    if (index < call->args.n) return fx__arg(call, index);
    for (int32_t i = 0; i < call->kwargs.n; i++)
        if (strcmp(call->kwargs.keys[i], placeholder->target) == 0) return &call->kwargs.u.items[i];
    return NULL;
}

static fx_status give_arguments(fx_interpreter *inner, const fx_interpreter *it, const fx_node *call)
{
    int32_t index = 0;
    FX_EACH_NODE(node, inner->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_attr *argument = module_argument(call, node, index++);
        if (!argument) continue; /* its default, or an error that names it */
        if (argument->kind != FX_ATTR_NODE)
            return fx__diag_node(call, FX_E_UNSUPPORTED, "input %s of the submodule is no tensor", node->target);
        const fx_run_value *v = fx__interpreter_value(it, argument->u.node);
        FX_TRY(fx__interpreter_give(inner, node, v->tensor, v->n, v->tuple));
    }
    if (call->args.n <= index) return FX_OK;
    return fx__diag_node(call, FX_E_ARG, "%d arguments; the submodule takes %d", (int)call->args.n, (int)index);
}

/* Whether a value is several ones, were it a tuple of one element. */
static bool is_tuple(const fx_attr *given)
{
    const fx_op *op = given->kind == FX_ATTR_NODE ? fx__op_of(given->u.node) : NULL;
    return given->kind != FX_ATTR_NODE || (op && fx__op_schema_results(op) != 1);
}

/* Runs a graph inside this one; prepared: its inputs are given. Takes the interpreter. */
static fx_status run_inner(const fx_interpreter *it, const fx_node *node, FX_TAKES fx_interpreter *inner, fx_status prepared,
                           fx_results *results)
{
    const fx_node *output = fx_graph_output_node(inner->graph);
    int32_t n = 0;
    fx_status status = prepared;
    if (output) fx__attr_each_node(&output->args, count_node, &n);
    if (status == FX_OK && (n > FX_RUN_RESULTS || !output))
        status = fx__diag_node(node, FX_E_UNSUPPORTED, "the graph inside has %d outputs", (int)n);
    if (status == FX_OK && it->depth == INNER_DEPTH) status = fx__diag_node(node, FX_E_GRAPH, "submodules are nested without end");
    inner->depth = it->depth + 1;
    if (status == FX_OK) status = fx_interpreter_run(inner, NULL, 0, results->tensor, n);
    if (status == FX_OK) {
        results->n = n;
        results->tuple = is_tuple(fx__arg(output, 0));
    }
    fx_interpreter_free(inner);
    return status;
}

static fx_status run_module(const fx_interpreter *it, const fx_node *node, fx_results *results)
{
    fx_module *module = it->module ? fx_module_submodule(it->module, node->target) : NULL;
    if (!module) return fx__diag_node(node, FX_E_NOT_FOUND, "there is no submodule %s", node->target);
    fx_interpreter *inner = fx_interpreter_new(module->graph);
    return inner ? run_inner(it, node, inner, give_arguments(inner, it, node), results) : FX_E_OOM;
}

/* A body's placeholders take the node's inputs in order. */
static fx_status give_inputs(fx_interpreter *inner, const fx_interpreter *it, const fx_node *call)
{
    int32_t index = 0;
    FX_EACH_NODE(node, inner->graph)
    {
        if (node->opcode != FX_PLACEHOLDER || index == call->n_inputs) continue;
        const fx_run_value *v = fx__interpreter_value(it, call->inputs[index++]);
        FX_TRY(fx__interpreter_give(inner, node, v->tensor, v->n, v->tuple));
    }
    return FX_OK;
}

static fx_status run_body(const fx_interpreter *it, const fx_node *node, fx_results *results)
{
    fx_interpreter *inner = fx_interpreter_new(node->body);
    if (!inner) return FX_E_OOM;
    inner->module = it->module;
    return run_inner(it, node, inner, give_inputs(inner, it, node), results);
}

static fx_status run_call(const fx_interpreter *it, const fx_node *node, fx_results *results)
{
    fx_node *twin = it->twin[node->id];
    if (node->body) return run_body(it, node, results);
    if (selects(it, node)) return select_item(it, node, results);
    if (is_shared_write(node))
        return fx__diag_node(node, FX_E_UNSUPPORTED,
                             "it changes a tensor in place: run pass `functionalise` before, or override it");
    FX_TRY(make_pure(twin));
    if (!fx__op_of(twin)) return fx__diag_node(node, FX_E_UNSUPPORTED, "no operator of the table, and no override");
    twin->n_result = 0;
    FX_TRY(fx__op_infer(twin));
    if (twin->n_result > FX_RUN_RESULTS) return fx__diag_node(node, FX_E_UNSUPPORTED, "%d results", (int)twin->n_result);
    const fx_tensor *inputs = gather_inputs(it, node);
    if (!inputs) return FX_E_OOM;
    FX_TRY(fx__interp_node(twin, inputs, results->tensor));
    results->n = twin->n_result;
    results->tuple = fx__op_schema_results(fx__op_of(twin)) != 1;
    return FX_OK;
}

fx_status fx_interpreter_compute(fx_interpreter *it, fx_node *node, fx_results *results)
{
    FX_TRY(fx__interpreter_check_node(it, node));
    if (!it->scratch) return fx__diag_node(node, FX_E_ARG, "the interpreter is not running");
    FX_TRY(check_values(it, node));
    switch (node->opcode) {
    case FX_PLACEHOLDER:
        return run_placeholder(it, node, results);
    case FX_GET_ATTR:
        return run_get_attr(it, node, results);
    case FX_CALL_MODULE:
        return run_module(it, node, results);
    case FX_OUTPUT:
        return FX_OK;
    default:
        return run_call(it, node, results);
    }
}

fx_status fx_interpreter_dispatch(fx_interpreter *it, fx_node *node, fx_results *results)
{
    FX_TRY(fx__interpreter_check_node(it, node));
    const fx_run_override *own = fx__map_get(&it->overrides, node);
    if (own && own->run) return own->run(own->user, it, node, results);
    fx_run_fn hook = it->hooks.opcode[node->opcode];
    return hook ? hook(it->hooks.user, it, node, results) : fx_interpreter_compute(it, node, results);
}
