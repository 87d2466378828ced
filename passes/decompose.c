/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    replaces nodes of operators that have a decomposition by nodes of simpler operators, repeatedly. A row with a lowering,
 *          too, declines where the lowering serves.
 * Needs:   a core graph with types.
 * Ensures: no such node is left, unless its decomposition declined.
 * Cost:    linear in the nodes made. */
#include "passes/core.h"
#include "passes/pass.h"

/* The first node that the hook made; *out_with is what stands for the old one, NULL when the hook declined. */
static fx_node *run_hook(fx_node *node, fx_node **out_with)
{
    fx_graph *graph = node->graph;
    fx_call call;
    fx__op_call(node, &call);
    fx_node *before = node->prev;
    fx_point point = fx_graph_insert_before(graph, node);
    *out_with = node->op->decompose(graph, &call);
    fx_graph_set_point(graph, point);
    return before ? before->next : graph->first;
}

static fx_status decompose_node(fx_node *node, fx_node **out_next, bool *out_modified)
{
    fx_context *context = node->graph->context;
    fx_status before = fx_context_status(context);
    fx_node *with, *first = run_hook(node, &with);
    if (!with) return before == FX_OK ? fx_context_status(context) : FX_OK; /* declined, or failed and said so */
    *out_modified = true;
    for (fx_node *made = first; made && made != node; made = made->next) FX_TRY(fx__core_keep_module(made, node));
    FX_TRY(fx__core_settle_range(first, node));
    fx_node *after = node->next;
    FX_TRY(fx__core_replace(node, with));
    *out_next = first->erased ? after : first; /* what was made may itself decompose */
    return FX_OK;
}

fx_status fx__pass_decompose(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        FX_TRY(fx__tick(graph->context));
        if (node->opcode != FX_CALL_FUNCTION || !node->op || !node->op->decompose) continue;
        FX_TRY(decompose_node(node, &next, out_modified));
    }
    return FX_OK;
}
