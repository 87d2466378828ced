/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node_body.c: graphs that say what a call means: torch.fx.wrap keeps a function whole, its body tells what it computes. */
#include "ir/graph.h"

fx_graph *fx_node_body(const fx_node *node)
{
    return node->body;
}

fx_status fx_node_set_body(fx_node *node, fx_graph *body)
{
    fx_status status = FX_OK;
    if (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD && node->opcode != FX_CALL_MODULE)
        status = fx__diag_node(node, FX_E_ARG, "only calls have a body");
    else if (body && (body->parent || body->own_module || body->module || body->context != node->graph->context))
        status = fx__diag_node(node, FX_E_ARG, "the body belongs to a module or to another graph");
    if (status != FX_OK) {
        if (body && !body->parent && !body->module) fx_graph_free(body);
        return status;
    }
    if (body) {
        fx__graph_adopt(node->graph, body);
        body->module = node->graph->module;
    }
    node->body = body; /* an earlier one stays the graph's until this is freed */
    node->graph->edits++;
    return FX_OK;
}

fx_status fx__node_copy_body(fx_node *to, const fx_node *from)
{
    fx_graph *body = from->body ? fx_graph_clone(from->body) : NULL;
    if (!body) return from->body ? FX_E_OOM : FX_OK;
    body->module = NULL;
    return fx_node_set_body(to, body);
}
