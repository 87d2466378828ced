/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    computes dtype and shape of every node from those of the inputs, on abstract values (fx_graph_propagate).
 * Needs:   a linted graph with typed inputs; operators of the table, submodules with graphs.
 * Ensures: every node has its types; or a diagnostic for every node without.
 * Cost:    linear. */
#include "ir/graph.h"
#include "passes/pass.h"

typedef struct known {
    const fx_type *result;
    int32_t n;
} known;

static bool same_types(const fx_node *node, const known *before)
{
    if (node->n_result != before->n) return false;
    for (int32_t r = 0; r < before->n; r++)
        if (!fx__type_equal(&node->result[r], &before->result[r])) return false;
    return true;
}

static fx_status propagate(fx_graph *graph, fx_arena *scratch, bool *out_modified)
{
    known *before = FX_NEW_ARRAY(scratch, known, graph->next_id + 1);
    if (!before) return FX_E_OOM;
    FX_EACH_NODE(node, graph)
    {
        fx_type *copy = FX_NEW_ARRAY(scratch, fx_type, node->n_result + 1);
        if (!copy) return FX_E_OOM;
        for (int32_t r = 0; r < node->n_result; r++) copy[r] = node->result[r];
        before[node->id] = (known){copy, node->n_result};
    }
    fx_status status = fx_graph_propagate(graph);
    FX_EACH_NODE(node, graph) *out_modified |= !same_types(node, &before[node->id]);
    return status;
}

fx_status fx__pass_propagate(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    fx_arena *scratch = fx__arena_new(graph->context);
    if (!scratch) return FX_E_OOM;
    fx_status status = propagate(graph, scratch, out_modified);
    fx__arena_free(scratch);
    return status;
}
