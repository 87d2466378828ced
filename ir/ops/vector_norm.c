/* SPDX-License-Identifier: Apache-2.0 */
/* Norms of the elements along some axes: (sum of |x|^p)^(1/p), the largest or smallest |x| for p = inf and -inf, the number of
 * elements that are not 0 for p = 0. Sums are taken in f32 at least. */
#include "ir/ops/check.h"
#include <math.h>

fx_status fx__norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__norm_bound(const fx_rt_bound *call);

enum { SELF, P, DIM, KEEP, DTYPE };

static double order_of(const fx_call *call)
{
    return fx__call_is_none(call, P) ? 2 : fx__call_float(call, P);
}

static fx_status dtype_norm(fx_call *call)
{
    fx_dtype dtype = fx__call_type(call, SELF)->dtype;
    fx__call_dtype(call, DTYPE, &dtype);
    call->result[0].dtype = dtype;
    if (fx_dtype_is_float(dtype)) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "a norm of %s is not defined", fx_dtype_name(dtype));
}

/* sum has the same rules. */
static fx_status shape_norm(fx_call *call)
{
    fx_attr args[] = {call->arg[SELF], call->arg[DIM], call->arg[KEEP], fx_none()};
    fx_call sum = *call;
    sum.op = fx__op(FX_OP_sum);
    sum.arg = args;
    if (isnan(order_of(call))) return fx__call_error(call, FX_E_ARG, "p is no number");
    FX_TRY(sum.op->shape(&sum));
    call->result[0].rank = sum.result[0].rank;
    for (int32_t d = 0; d < sum.result[0].rank; d++) call->result[0].dim[d] = sum.result[0].dim[d];
    return FX_OK;
}

typedef struct maker {
    fx_graph *graph;
    const fx_call *call;
} maker;

/* op(x) or op(x, second); NULL is passed on. */
static fx_node *apply(const maker *m, fx_op_code op, fx_node *x, fx_attr second, int32_t n_args)
{
    return x ? fx__check_insert(m->graph, m->call, op, (fx_attr[]){fx_node_attr(x), second}, n_args) : NULL;
}

/* sum has a dtype, too. */
static fx_node *over_axes(const maker *m, fx_op_code op, fx_node *x)
{
    fx_attr axes = m->call->arg[DIM], none = fx_list(m->graph, NULL, 0);
    if (axes.kind == FX_ATTR_NONE) axes = none;
    if (!x) return NULL;
    const fx_attr args[] = {fx_node_attr(x), axes, m->call->arg[KEEP], fx_none()};
    return fx__check_insert(m->graph, m->call, op, args, op == FX_OP_sum ? 4 : 3);
}

static fx_node *cast(const maker *m, fx_node *x, fx_dtype dtype)
{
    if (!x || x->result[0].dtype == dtype) return x;
    fx_attr none = fx_none();
    const fx_attr args[] = {fx_node_attr(x), fx_dtype_attr(dtype), none, none, none, fx_bool(false), none};
    return fx__check_insert(m->graph, m->call, FX_OP__to_copy, args, 7);
}

static fx_node *combined(const maker *m, fx_node *x, double p)
{
    fx_attr none = fx_none();
    if (p == 0) return over_axes(m, FX_OP_sum, cast(m, apply(m, FX_OP_ne, x, fx_int(0), 2), x->result[0].dtype));
    if (p == 2) return apply(m, FX_OP_sqrt, over_axes(m, FX_OP_sum, apply(m, FX_OP_mul, x, fx_node_attr(x), 2)), none, 1);
    fx_node *size = apply(m, FX_OP_abs, x, none, 1);
    if (isinf(p)) return over_axes(m, p > 0 ? FX_OP_amax : FX_OP_amin, size);
    if (p == 1) return over_axes(m, FX_OP_sum, size);
    return apply(m, FX_OP_pow, over_axes(m, FX_OP_sum, apply(m, FX_OP_pow, size, fx_float(p), 2)), fx_float(1 / p), 2);
}

static fx_node *decompose_norm(fx_graph *graph, const fx_call *call)
{
    maker m = {graph, call};
    fx_dtype dtype = call->result[0].dtype;
    fx_node *x = cast(&m, call->arg[SELF].u.node, fx__scalar_compute(dtype));
    return x ? cast(&m, combined(&m, x, order_of(call)), dtype) : NULL;
}

const fx_op fx_op_norm = {
    .name = "norm",
    .target = "torch.ops.aten.norm.ScalarOpt_dim",
    .schema =
        "norm.ScalarOpt_dim(Tensor self, Scalar? p=2, int[]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .names =
        "torch.ops.aten.linalg_vector_norm.default torch.ops.aten.norm.Scalar torch.ops.aten.norm.ScalarOpt_dim_dtype torch.norm "
        "method:norm torch.linalg.vector_norm",
    .onnx = "",
    .family = "reduction",
    .dtypes = FX_ANY,
    .dtype = dtype_norm,
    .shape = shape_norm,
    .reference = fx__norm_ref,
    .bound = fx__norm_bound,
    .decompose = decompose_norm,
    .cases = (const fx_case[]){{"(f32[2, 3, 33], 2, [-1], True)", "rows"},
                               {"(f32[3, 5, 7], 1, [0, 2])", "sums"},
                               {"(f32[3, 17], 3, [0])", "another power"},
                               {"(f32[3, 17], 0.5, [1])", "a root"},
                               {"(f32[3, 17], 0, [1])", "a count"},
                               {"(f32[4, 5])", "all"},
                               {"(f32[0, 5], 2, [0])", "over nothing"},
                               {"(f32[s0, 5], 2, [1])", "symbolic"},
                               {NULL, NULL}},
};
