/* SPDX-License-Identifier: Apache-2.0 */
/* ir/propagate.c: types of all nodes from those of the inputs, by the rules of the operators: shapes may be symbolic, no data is
 * needed. Calls of submodules, and of functions that have bodies, get the types that the graphs inside give. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

enum { INNER_DEPTH = 64 }; /* a module that holds itself would never end */

static fx_status propagate(fx_graph *graph, int depth);

static fx_status propagate_tensor(fx_node *node)
{
    const fx_tensor *tensor = node->graph->module ? fx_module_tensor(node->graph->module, node->target) : NULL;
    if (!tensor && fx_node_type(node, 0)) return FX_OK;
    if (!tensor) return fx__diag_node(node, FX_E_NOT_FOUND, "no tensor %s", node->target);
    fx_type type = fx__type_of_tensor(tensor);
    return fx_node_set_type(node, 0, &type);
}

static bool has_untyped_input(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]->n_result == 0) return true;
    return false;
}

/* ---- Graphs inside ------------------------------------------------------------------------------------------------------- */

static const fx_node *argument_node(const fx_node *call, const fx_node *placeholder, int32_t index)
{
    const fx_attr *value = NULL;
    if (call->body) return index < call->n_inputs ? call->inputs[index] : NULL;
    if (index < call->args.n) value = fx__arg(call, index);
    for (int32_t i = 0; i < call->kwargs.n && !value; i++)
        if (strcmp(call->kwargs.keys[i], placeholder->target) == 0) value = &call->kwargs.u.items[i];
    return value && value->kind == FX_ATTR_NODE ? value->u.node : NULL;
}

static fx_status type_inputs(fx_graph *inner, const fx_node *call)
{
    int32_t index = 0;
    FX_EACH_NODE(node, inner)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_node *given = argument_node(call, node, index++);
        FX_TRY(fx_node_set_type(node, 0, given ? fx_node_type(given, 0) : NULL));
    }
    return FX_OK;
}

typedef struct taking {
    fx_node *call;
    int32_t n;
    fx_status status;
} taking;

static void take_types(void *user, fx_node *node)
{
    taking *t = user;
    for (int32_t r = 0; r < node->n_result && t->status == FX_OK; r++)
        if (fx_node_type(node, r)) t->status = fx_node_set_type(t->call, t->n++, fx_node_type(node, r));
}

static fx_status propagate_copy(fx_graph *copy, fx_node *call, int depth)
{
    const fx_node *output = fx_graph_output_node(copy);
    taking t = {call, 0, FX_OK};
    FX_TRY(type_inputs(copy, call));
    FX_TRY(propagate(copy, depth + 1));
    call->n_result = 0;
    if (output) fx__attr_each_node(&output->args, take_types, &t);
    return t.status;
}

/* The copy works in the outer graph's table of dimensions, so that sizes mean the same in both. */
static fx_status propagate_inner(const fx_graph *inner, fx_node *call, int depth)
{
    if (depth == INNER_DEPTH) return fx__diag_node(call, FX_E_GRAPH, "submodules are nested without end");
    if (fx__dims_sym_count(inner->dims)) return fx__diag_node(call, FX_E_UNSUPPORTED, "the graph inside has symbols of its own");
    fx_graph *copy = fx_graph_clone(inner);
    if (!copy) return fx__diag_failure(call->graph->context, FX_E_GRAPH);
    fx_dims *own = copy->dims;
    copy->dims = call->graph->dims;
    fx_status status = propagate_copy(copy, call, depth);
    copy->dims = own;
    fx_graph_free(copy);
    return status;
}

static fx_status propagate_module(fx_node *node, int depth)
{
    const fx_module *module = node->graph->module ? fx_module_submodule(node->graph->module, node->target) : NULL;
    if (!module) return fx__diag_node(node, FX_E_NOT_FOUND, "no submodule %s", node->target);
    return propagate_inner(module->graph, node, depth);
}

/* ---- Nodes --------------------------------------------------------------------------------------------------------------- */

/* A node behind a failed one has nothing to say: only the cause is reported. */
static fx_status propagate_call(fx_node *node, int depth)
{
    node->n_result = 0;
    if (node->opcode == FX_CALL_MODULE) return has_untyped_input(node) ? FX_OK : propagate_module(node, depth);
    if (node->body) return has_untyped_input(node) ? FX_OK : propagate_inner(node->body, node, depth);
    if (!fx__op_of(node)) return fx__op_unsupported(node);
    return has_untyped_input(node) ? FX_OK : fx__op_infer(node);
}

static fx_status propagate_node(fx_node *node, int depth)
{
    switch (node->opcode) {
    case FX_PLACEHOLDER:
        if (fx_node_type(node, 0) || node->n_users == 0) return FX_OK;
        return fx__diag_node(node, FX_E_TYPE, "the input's type is not known");
    case FX_GET_ATTR:
        return propagate_tensor(node);
    case FX_OUTPUT:
        return FX_OK;
    default:
        return propagate_call(node, depth);
    }
}

static fx_status propagate(fx_graph *graph, int depth)
{
    fx_status first = FX_OK;
    FX_EACH_NODE(node, graph)
    {
        FX_TRY(fx__tick(graph->context));
        fx_status status = propagate_node(node, depth);
        if (first == FX_OK) first = status;
    }
    return first;
}

fx_status fx_graph_propagate(fx_graph *graph)
{
    return propagate(graph, 0);
}
