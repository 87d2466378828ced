/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    turns every call into a call of the operator table, with one positional value per parameter of its schema.
 * Needs:   inlined, functionalised graph.
 * Ensures: a core graph (graph->core); or a diagnostic for every node that has no row or whose arguments do not fit.
 * Cost:    linear. */
#include "passes/core.h"
#include "passes/pass.h"

static fx_status normalise_node(fx_node *node, bool *out_modified)
{
    const fx_op *op = fx__op_of(node);
    if (!op) return fx__op_unsupported(node);
    if (node->opcode == FX_CALL_METHOD) return fx__diag_node(node, FX_E_GRAPH, "a method is left: `spell` must run before");
    if (node->target != fx__intern(node->graph->context, op->target)) {
        FX_TRY(fx_node_set_target(node, op->target));
        *out_modified = true;
    }
    return fx__core_bind(node, out_modified);
}

fx_status fx__pass_normalise(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    fx_status first = FX_OK;
    FX_EACH_NODE(node, graph)
    {
        FX_TRY(fx__tick(graph->context));
        fx_status status = FX_OK;
        if (node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD)
            status = normalise_node(node, out_modified);
        else if (node->opcode == FX_CALL_MODULE)
            status = fx__diag_node(node, FX_E_UNSUPPORTED, "a module call is left: `inline` must run before");
        if (first == FX_OK) first = status;
    }
    if (!fx_graph_output_node(graph)) return fx__diag(graph->context, FX_E_GRAPH, NULL, "the graph has no output");
    *out_modified |= first == FX_OK && !graph->core;
    if (first == FX_OK) graph->core = true;
    return first;
}
