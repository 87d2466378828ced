/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    repairs calls whose tensors have dtypes that do not go together, by casts to the dtype that torch's promotion gives.
 * Needs:   a linted graph with typed inputs.
 * Ensures: every node that can be typed so is; the others are reported as fx_graph_propagate reports them.
 * Cost:    linear; one trial more for each call that is repaired. */
#include "passes/core.h"
#include "passes/pass.h"

static bool is_number(fx_dtype dtype)
{
    return dtype < FX_DTYPE_COUNT && (FX_NUMBERS >> dtype & 1);
}

/* What all tensors of the call become together; false: they have one dtype already. */
static bool common_dtype(const fx_node *node, fx_dtype *out)
{
    bool differ = false;
    *out = FX_DTYPE_COUNT;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_type *type = fx_node_type(node->inputs[i], 0);
        if (!type || !is_number(type->dtype)) return false;
        differ |= *out != FX_DTYPE_COUNT && type->dtype != *out;
        *out = *out == FX_DTYPE_COUNT ? type->dtype : fx__dtype_promote(*out, type->dtype);
    }
    return differ;
}

static fx_node *make_cast(fx_node *before, fx_node *x, fx_dtype dtype)
{
    static const char *const keys[] = {"dtype"};
    fx_graph *graph = before->graph;
    fx_attr value = fx_node_attr(x), to = fx_dtype_attr(dtype);
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = fx__op(FX_OP__to_copy)->target, .name = "cast", .loc = before->loc};
    spec.args = fx_tuple(graph, &value, 1);
    spec.kwargs = fx_dict(graph, keys, &to, 1);
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *cast = spec.args.kind == FX_ATTR_TUPLE ? fx_graph_create_node(graph, &spec) : NULL;
    fx_graph_set_point(graph, point);
    return cast && fx__core_settle(cast) == FX_OK ? cast : NULL;
}

static fx_status cast_inputs(fx_node *node, fx_dtype dtype)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        fx_node *input = node->inputs[i];
        if (fx_node_type(input, 0)->dtype == dtype) continue;
        fx_node *cast = make_cast(node, input, dtype);
        if (!cast) return fx__diag_failure(node->graph->context, FX_E_GRAPH);
        FX_TRY(fx_node_replace_input(node, input, cast));
        i = -1; /* the inputs are another list now */
    }
    return FX_OK;
}

/* Back to the arguments that the node had, without the casts. */
static fx_status undo(fx_node *node, fx_attr args, fx_attr kwargs, const fx_node *before)
{
    FX_TRY(fx_node_set_args(node, args, kwargs));
    for (fx_node *cast = node->prev, *prev; cast && cast != before; cast = prev) {
        prev = cast->prev;
        FX_TRY(fx_graph_erase(node->graph, cast));
    }
    return FX_OK;
}

static fx_status repair(fx_node *node, bool *out_modified)
{
    fx_context *context = node->graph->context;
    fx_diag_mark mark = fx__diag_mark(context);
    fx_attr args = node->args, kwargs = node->kwargs;
    const fx_node *before = node->prev;
    fx_dtype dtype;
    node->n_result = 0;
    fx_status status = fx__op_infer(node);
    if (status != FX_E_TYPE || !common_dtype(node, &dtype)) return status;
    fx_diag_mark told = fx__diag_mark(context);
    FX_TRY(cast_inputs(node, dtype));
    if (fx__op_infer(node) == FX_OK) {
        fx__diag_rewind(context, mark);
        *out_modified = true;
        return FX_OK;
    }
    fx__diag_rewind(context, told);
    FX_TRY(undo(node, args, kwargs, before));
    return status;
}

static bool inputs_are_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return true;
}

fx_status fx__pass_insert_casts(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    fx_status first = FX_OK;
    FX_EACH_NODE(node, graph)
    {
        fx_status status = FX_OK;
        if (node->opcode == FX_GET_ATTR && !fx_node_type(node, 0) && graph->module &&
            fx_module_tensor(graph->module, node->target)) {
            fx_type type = fx__type_of_tensor(fx_module_tensor(graph->module, node->target));
            status = fx_node_set_type(node, 0, &type);
        }
        if (fx__op_of(node) && !node->body && inputs_are_typed(node)) status = repair(node, out_modified);
        if (first == FX_OK) first = status;
    }
    return first;
}
