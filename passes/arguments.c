/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    gives every call all arguments of its schema by keyword, defaults filled in (torch.fx's NormalizeArgs).
 * Needs:   a linted graph.
 * Ensures: calls of operators of the table and of submodules have keyword arguments only, besides a method's object and what a call
 *          changes in place. What has no schema, or arguments that do not fit it, stays as it is. The graph is no core graph any
 *          more.
 * Cost:    linear. */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

static bool is_call(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE;
}

/* A method's object is its first argument, whatever its name in the schema, and so is what a call changes in place. */
static fx_status keep_object(fx_node *node, fx_attr *args, fx_attr *kwargs)
{
    if ((node->opcode != FX_CALL_METHOD && !fx__node_is_in_place(node)) || args->n || kwargs->n == 0) return FX_OK;
    *args = fx_tuple(node->graph, &kwargs->u.items[0], 1);
    if (args->kind != FX_ATTR_TUPLE) return FX_E_OOM;
    *kwargs = (fx_attr){.kind = FX_ATTR_DICT, .n = kwargs->n - 1, .keys = kwargs->keys + 1, .u.items = kwargs->u.items + 1};
    return FX_OK;
}

static fx_status normalise_node(fx_node *node, bool *out_modified)
{
    fx_attr args, kwargs;
    fx_context *context = node->graph->context;
    fx_diag_mark mark = fx__diag_mark(context);
    fx_status status = fx_node_normalized_args(node, true, &args, &kwargs);
    if (status == FX_E_OOM) return status;
    if (status != FX_OK) {
        fx__diag_rewind(context, mark);
        return FX_OK;
    }
    FX_TRY(keep_object(node, &args, &kwargs));
    if (fx_attr_equal(&args, &node->args) && fx_attr_equal(&kwargs, &node->kwargs)) return FX_OK;
    *out_modified = true;
    node->graph->core = false;
    return fx_node_set_args(node, args, kwargs);
}

fx_status fx__pass_normalise_arguments(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    FX_EACH_NODE(node, graph)
    if (is_call(node)) FX_TRY(normalise_node(node, out_modified));
    return FX_OK;
}
