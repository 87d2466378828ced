/* SPDX-License-Identifier: Apache-2.0 */
/* ir/grad.c: reverse-mode differentiation of core graphs: gradients are kept per node and result while the calls are walked
 * backwards, and are summed as they arrive. */
#include "ir/grad.h"

struct fx_grad {
    fx_graph *graph;
    fx_arena *arena;
    fx_map flows; /* node -> its gradients, fx_node *[n_result] */
    const fx_call *call;
    const fx_node *node; /* of call */
};

/* ---- Gradients that have arrived -------------------------------------------------------------------------------------------- */

static fx_node **flows_of(const fx_grad *g, const fx_node *node)
{
    return fx__map_get(&g->flows, node);
}

static fx_status put_flow(fx_grad *g, const fx_node *node, int32_t result, fx_node *gradient)
{
    fx_node **flows = flows_of(g, node);
    if (!flows) {
        flows = FX_NEW_ARRAY(g->arena, fx_node *, node->n_result);
        if (!flows || !fx__map_put(&g->flows, node, flows)) return FX_E_OOM;
    }
    if (flows[result]) gradient = fx__grad_call2(g, FX_OP_add, fx_node_attr(flows[result]), fx_node_attr(gradient));
    flows[result] = gradient;
    return gradient ? FX_OK : fx_context_status(g->graph->context);
}

fx_node *fx__grad_flow(const fx_grad *grad, int32_t result)
{
    fx_node **flows = flows_of(grad, grad->node);
    return flows ? flows[result] : NULL;
}

fx_attr fx__grad_result(const fx_grad *grad)
{
    return fx_node_attr((fx_node *)(uintptr_t)grad->node);
}

/* ---- New nodes -------------------------------------------------------------------------------------------------------------- */

fx_node *fx__grad_call(fx_grad *grad, fx_op_code code, const fx_attr *args, int32_t n)
{
    const fx_op *op = fx__op(code);
    fx_attr bound[FX_PARAMS];
    int32_t n_params;
    const fx_param *params = fx__op_params(op, &n_params);
    for (int32_t i = 0; i < n; i++)
        if (args[i].kind == FX_ATTR_NODE && !args[i].u.node) return NULL;
    for (int32_t i = 0; i < n_params; i++) bound[i] = i < n ? args[i] : params[i].fallback;
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = op->target, .args = fx_tuple(grad->graph, bound, n_params)};
    if (grad->node) spec.loc = grad->node->loc;
    fx_node *node = fx_graph_create_node(grad->graph, &spec);
    return node && fx__op_infer(node) == FX_OK ? node : NULL;
}

fx_node *fx__grad_call1(fx_grad *grad, fx_op_code op, fx_attr a)
{
    return fx__grad_call(grad, op, &a, 1);
}

fx_node *fx__grad_call2(fx_grad *grad, fx_op_code op, fx_attr a, fx_attr b)
{
    const fx_attr args[] = {a, b};
    return fx__grad_call(grad, op, args, 2);
}

fx_attr fx__grad_sizes(fx_grad *grad, const fx_type *type)
{
    fx_attr items[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) items[d] = fx_dim_attr(type->dim[d]);
    return fx_list(grad->graph, items, type->rank);
}

/* ---- From the result's shape to the argument's ------------------------------------------------------------------------------- */

/* Axes along which the argument was stretched. */
static int32_t stretched(const fx_type *from, const fx_type *to, fx_attr axes[FX_RANK])
{
    int32_t n = 0, skip = from->rank - to->rank;
    for (int32_t d = 0; d < from->rank; d++)
        if (d < skip || (to->dim[d - skip] == 1 && from->dim[d] != 1)) axes[n++] = fx_int(d);
    return n;
}

static fx_node *reduce_to(fx_grad *g, fx_node *gradient, const fx_type *to)
{
    fx_attr axes[FX_RANK];
    const fx_type *from = &gradient->result[0];
    int32_t n = stretched(from, to, axes);
    bool drops = from->rank > to->rank;
    if (n == 0) return gradient;
    const fx_attr args[] = {fx_node_attr(gradient), fx_list(g->graph, axes, n), fx_bool(true)};
    gradient = fx__grad_call(g, FX_OP_sum, args, 3);
    return gradient && drops ? fx__grad_call2(g, FX_OP_reshape, fx_node_attr(gradient), fx__grad_sizes(g, to)) : gradient;
}

fx_status fx__grad_add(fx_grad *grad, int32_t index, fx_node *gradient)
{
    const fx_attr *arg = &grad->call->arg[index];
    if (arg->kind != FX_ATTR_NODE || !fx_dtype_is_float(arg->u.node->result[0].dtype)) return FX_OK;
    const fx_type *to = &arg->u.node->result[0];
    if (gradient) gradient = reduce_to(grad, gradient, to);
    if (gradient && gradient->result[0].dtype != to->dtype)
        gradient = fx__grad_call2(grad, FX_OP__to_copy, fx_node_attr(gradient), fx_dtype_attr(to->dtype));
    if (!gradient) return fx_context_status(grad->graph->context) != FX_OK ? fx_context_status(grad->graph->context) : FX_E_OOM;
    return put_flow(grad, arg->u.node, 0, gradient);
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------------- */

static fx_status step_back(fx_grad *g, const fx_node *node)
{
    fx_call call;
    if (node->opcode != FX_CALL_FUNCTION || !flows_of(g, node)) return FX_OK;
    if (!node->op || !node->op->vjp) return fx__diag_node(node, FX_E_UNSUPPORTED, "there is no gradient rule");
    fx__op_call(node, &call);
    g->call = &call;
    g->node = node;
    fx_status status = node->op->vjp(g, &call);
    g->node = NULL;
    return status;
}

static fx_status walk(fx_grad *g, fx_node *of, fx_node *seed)
{
    fx_status status = put_flow(g, of, 0, seed);
    for (fx_node *node = of; node && (status == FX_OK || status == FX_E_UNSUPPORTED); node = node->prev) {
        fx_status one = step_back(g, node); /* all operators without a rule are named */
        if (status == FX_OK) status = one;
    }
    return status;
}

fx_status fx__grad_build(fx_graph *graph, fx_node *of, fx_node *seed, fx_node *const *wrt, int32_t n, fx_node **gradients)
{
    fx_grad g = {.graph = graph, .arena = fx__arena_new(graph->context)};
    if (!g.arena) return FX_E_OOM;
    fx__map_init(&g.flows, g.arena);
    fx_point point = fx_graph_insert_before(graph, fx_graph_output_node(graph));
    fx_status status = walk(&g, of, seed);
    fx_graph_set_point(graph, point);
    for (int32_t i = 0; i < n; i++) {
        fx_node **flows = flows_of(&g, wrt[i]);
        gradients[i] = status == FX_OK && flows ? flows[0] : NULL;
    }
    fx__arena_free(g.arena);
    return status;
}
