/* SPDX-License-Identifier: Apache-2.0 */
/* glu: the first half along a dim times the logistic function of the second half. */
#include "ir/ops/check.h"

fx_status fx__glu_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__glu_bound(const fx_rt_bound *call);

static int32_t axis_of(const fx_call *call)
{
    return fx__call_axis(call, fx__call_int(call, 1), fx__call_type(call, 0)->rank);
}

static fx_status shape_glu(fx_call *call)
{
    FX_TRY(fx__check_rank(call, 0, 1, FX_RANK));
    const fx_type *x = fx__call_type(call, 0);
    int32_t d = axis_of(call);
    if (d < 0) return FX_E_ARG;
    if (!fx__check_equal(call, fx__dim_mod(call->dims, x->dim[d], 2), 0, "two halves"))
        return fx__call_error(call, FX_E_SHAPE, "dim %d of %s has no two halves", d, fx__check_type(call, x).s);
    FX_TRY(fx__rule_shape_same(call));
    call->result[0].dim[d] = fx__dim_floordiv(call->dims, x->dim[d], 2);
    return FX_OK;
}

static fx_node *decompose_glu(fx_graph *graph, const fx_call *call)
{
    int32_t d = axis_of(call);
    fx_attr size = fx_dim_attr(call->result[0].dim[d]), whole = fx_dim_attr(fx__call_type(call, 0)->dim[d]);
    const fx_attr first[] = {call->arg[0], fx_int(d), fx_int(0), size, fx_int(1)},
                  second[] = {call->arg[0], fx_int(d), size, whole, fx_int(1)};
    fx_node *value = fx__check_insert(graph, call, FX_OP_slice, first, 5),
            *gate = fx__check_insert(graph, call, FX_OP_slice, second, 5);
    gate = gate ? fx__check_insert(graph, call, FX_OP_sigmoid, (fx_attr[]){fx_node_attr(gate)}, 1) : NULL;
    return value && gate ? fx__check_insert(graph, call, FX_OP_mul, (fx_attr[]){fx_node_attr(value), fx_node_attr(gate)}, 2) : NULL;
}

const fx_op fx_op_glu = {
    .name = "glu",
    .target = "torch.ops.aten.glu.default",
    .schema = "glu(Tensor self, int dim=-1) -> Tensor",
    .names = "torch.nn.functional.glu torch._C._nn.glu",
    .family = "activation",
    .dtypes = FX_FLOATS,
    .shape = shape_glu,
    .reference = fx__glu_ref,
    .bound = fx__glu_bound,
    .decompose = decompose_glu,
    .cases =
        (const fx_case[]){{"(f32[2, 34])", "rows"}, {"(f32[3, 4, 5], 1)", "middle"}, {"(f32[s0, 6])", "symbolic"}, {NULL, NULL}},
};
