/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_step.c: what the interpreter does with a node, by opcode; calls of operators with their memory and their error bounds.
 */
#include "ir/in_place.h"
#include "ir/interp_state.h"

typedef fx_interp_value value;

/* ---- Where arguments come from ---------------------------------------------------------------------------------------------- */

static const fx_tensor *node_tensor(void *user, const fx_node *node, int32_t result)
{
    const value *v = fx__interp_value_of(user, node);
    return result < v->n ? &v->tensor[result] : NULL;
}

static const fx_tensor *node_error(void *user, const fx_node *node, int32_t result)
{
    const value *v = fx__interp_value_of(user, node);
    return v->error && result < v->n ? &v->error[result] : NULL;
}

fx_interp_source fx__interp_tensors(const fx_interp *it)
{
    return (fx_interp_source){node_tensor, (void *)(uintptr_t)it, it->graph->dims, it->syms};
}

/* ---- Operators -------------------------------------------------------------------------------------------------------------- */

static fx_status allocate_results(const fx_interp *it, const fx_node *node, value *v)
{
    FX_TRY(fx__interp_value_new(it, v, node->n_result));
    for (int32_t r = 0; r < v->n; r++) {
        const fx_type *type = &node->result[r];
        int64_t dim[FX_RANK];
        fx_tensor tensor;
        for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_eval(it->graph->dims, type->dim[d], it->syms);
        FX_TRY(fx_tensor_alloc(type->dtype, type->rank, dim, &tensor));
        if (fx__interp_value_own(it, v, r, &tensor) == FX_OK) continue;
        fx_tensor_release(&tensor);
        return FX_E_OOM;
    }
    return FX_OK;
}

static fx_status bound_results(fx_interp *it, const fx_op *op, const fx_attr *bound, const fx_rt_arg *args, value *v)
{
    const fx_interp_source source = {node_error, it, it->graph->dims, it->syms};
    fx_interp_args errors;
    FX_TRY(fx__interp_add_errors(it, v));
    FX_TRY(fx__interp_args_build(op, bound, &source, &errors));
    int32_t n;
    fx__op_params(op, &n);
    for (int32_t p = 0; p < n; p++)
        if (errors.arg[p].kind != FX_RT_TENSOR && errors.arg[p].kind != FX_RT_TENSORS) errors.arg[p].kind = FX_RT_NONE;
    fx_status status = fx__interp_bound(op, args, errors.arg, v->tensor, v->n, v->error);
    fx__interp_args_free(&errors);
    return status;
}

/* A dimension that depends on data (a symbol an operator sets) may be lowered by the kernel: the tensor says so itself. */
fx_status fx__interp_run_op(fx_interp *it, const fx_node *node, const fx_op *op, const fx_attr *bound, value *v)
{
    const fx_interp_source source = fx__interp_tensors(it);
    fx_interp_args args;
    fx_status status = fx__interp_args_build(op, bound, &source, &args);
    if (status != FX_OK) return fx__diag_node(node, status, "an argument is no value that can be computed");
    status = allocate_results(it, node, v);
    if (status == FX_OK) status = op->reference(args.arg, v->tensor);
    if (status == FX_OK && it->bounds) status = bound_results(it, op, bound, args.arg, v);
    fx__interp_args_free(&args);
    v->tuple = fx__op_schema_results(op) != 1;
    return status == FX_OK ? FX_OK : fx__interp_fail(node, op, bound, status);
}

/* Symbols that a shape rule has made just now are sizes that depend on data: their upper bound serves. */
static fx_status add_symbols(fx_interp *it)
{
    int32_t n = fx__dims_sym_count(it->graph->dims);
    if (n <= it->n_syms) return FX_OK;
    int64_t *syms = FX_NEW_ARRAY(it->shared->arena, int64_t, n + 1);
    if (!syms) return FX_E_OOM;
    for (int32_t s = 0; s < n; s++) syms[s] = s < it->n_syms ? it->syms[s] : fx__dims_sym(it->graph->dims, s)->hi;
    it->syms = syms;
    it->n_syms = n;
    return FX_OK;
}

/* The types of a copy follow the tensors. */
static fx_status infer(fx_interp *it, fx_node *node)
{
    if (!it->there) return FX_OK;
    node->n_result = 0;
    FX_TRY(fx__op_infer(node));
    return add_symbols(it);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------------ */

/* An item of a tuple, which lies where it lies, with its error. */
static bool selects(const fx_interp *it, const fx_node *node)
{
    if (fx__op_of(node) != fx__op(FX_OP_getitem) || node->args.n != 2 || node->kwargs.n) return false;
    if (fx__arg(node, 0)->kind != FX_ATTR_NODE || fx__arg(node, 1)->kind != FX_ATTR_INT) return false;
    return fx__interp_value_of(it, fx__arg(node, 0)->u.node)->tuple;
}

static fx_status select_item(const fx_interp *it, const fx_node *node, value *v)
{
    const value *from = fx__interp_value_of(it, fx__arg(node, 0)->u.node);
    int64_t index = fx__arg(node, 1)->u.i, at = index < 0 ? index + from->n : index;
    if (at < 0 || at >= from->n) return fx__diag_node(node, FX_E_INDEX, "item %lld of %d", (long long)index, (int)from->n);
    return fx__interp_value_same(it, v, from, (int32_t)at);
}

static fx_status run_operator(fx_interp *it, fx_node *node, value *v)
{
    const fx_op *op = fx__op_of(node);
    fx_attr bound[FX_PARAMS];
    bool done = false, is_in_place = it->mutates && fx__in_place_kind(node) != FX_IN_PLACE_NONE;
    if (op && !is_in_place) FX_TRY(infer(it, node));
    if (it->mutates) FX_TRY(fx__interp_mutate(it, node, v, &done));
    if (done) return FX_OK;
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "no operator of the table%s", it->owner ? ", and no override" : "");
    if (it->graph->core) return fx__interp_run_op(it, node, op, node->args.u.items, v);
    FX_TRY(fx__op_bind(it->graph, node, op, bound));
    return fx__interp_run_op(it, node, op, bound, v);
}

static fx_status run_call(fx_interp *it, fx_node *node, value *v)
{
    fx_graph *body = fx__interp_origin(it, node)->body;
    if (body) return fx__interp_run_body(it, node, body, v);
    if (selects(it, node)) return select_item(it, node, v);
    if (fx__interp_is_index(node)) return fx__interp_run_index(it, node, v);
    return run_operator(it, node, v);
}

/* ---- Other opcodes ---------------------------------------------------------------------------------------------------------- */

static fx_status run_placeholder(fx_interp *it, const fx_node *node, value *v)
{
    bool is_none = node->args.n == 1 && fx__arg(node, 0)->kind == FX_ATTR_NONE;
    if (it->n_taken < it->n_inputs) return fx__interp_take_input(it, v, &it->inputs[it->n_taken++]);
    if (is_none) return FX_OK;
    return fx__diag_node(node, FX_E_ARG, "expected a value for input %s, but only %d inputs were given", node->target,
                         it->n_inputs);
}

static fx_status check_values(const fx_interp *it, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (fx__interp_value_of(it, node->inputs[i])->n == 0)
            return fx__diag_node(node, FX_E_ARG, "its input %s has no value", node->inputs[i]->name);
    return FX_OK;
}

fx_status fx__interp_step(fx_interp *it, fx_node *node, value *v)
{
    FX_TRY(check_values(it, node));
    switch (node->opcode) {
    case FX_PLACEHOLDER:
        return run_placeholder(it, node, v);
    case FX_GET_ATTR:
        return fx__interp_take_tensor(it, node, v);
    case FX_CALL_MODULE:
        return fx__interp_run_module(it, node, v);
    case FX_OUTPUT:
        return FX_OK;
    default:
        return run_call(it, node, v);
    }
}
