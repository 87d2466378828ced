/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/reduce.c: reductions over some axes: one REDUCE stage over them and a MAP that stores. All rows begin with the arguments
 * self, dim (None or an empty list: all axes), keepdim. */
#include "ir/grad.h"
#include "ir/lower.h"
#include "ir/ops/check.h"
#include "ir/ops/reduce_ref.h"
#include <stdio.h>

/* ---- Rules ----------------------------------------------------------------------------------------------------------------- */

/* Bit per reduced axis. */
static fx_status reduced_axes(const fx_call *call, uint32_t *out)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t axes[FX_RANK];
    int32_t n = fx__call_is_none(call, 1) ? 0 : fx__call_ints(call, 1, 1, axes);
    if (n < 0) return FX_E_ARG;
    *out = n == 0 ? (1u << x->rank) - 1 : 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t axis = fx__call_axis(call, axes[i], x->rank);
        if (axis < 0) return FX_E_ARG;
        if (*out >> axis & 1) return fx__call_error(call, FX_E_ARG, "dim %d is named twice", axis);
        if (x->rank > 0) *out |= 1u << axis;
    }
    return FX_OK;
}

static fx_status shape_reduce(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    bool keeps = fx__call_int(call, 2) != 0;
    fx_type *out = &call->result[0];
    uint32_t reduced;
    FX_TRY(reduced_axes(call, &reduced));
    out->rank = 0;
    for (int32_t d = 0; d < x->rank; d++) {
        if (!(reduced >> d & 1))
            out->dim[out->rank++] = x->dim[d];
        else if (keeps)
            out->dim[out->rank++] = 1;
    }
    return FX_OK;
}

/* sum, prod: integers and bool are summed in i64 unless told otherwise. */
static fx_status dtype_sum(fx_call *call)
{
    fx_dtype in = fx__call_type(call, 0)->dtype;
    call->result[0].dtype = fx_dtype_is_float(in) ? in : FX_I64;
    fx__call_dtype(call, 3, &call->result[0].dtype);
    return FX_OK;
}

static fx_status dtype_mean(fx_call *call)
{
    fx_dtype dtype = fx__call_type(call, 0)->dtype;
    fx__call_dtype(call, 3, &dtype);
    if (!fx_dtype_is_float(dtype)) return fx__call_error(call, FX_E_TYPE, "a mean of %s is not defined", fx_dtype_name(dtype));
    call->result[0].dtype = dtype;
    return FX_OK;
}

/* torch keeps u8, which its own bool was once. */
static fx_status dtype_truth(fx_call *call)
{
    call->result[0].dtype = fx__call_type(call, 0)->dtype == FX_U8 ? FX_U8 : FX_BOOL;
    return FX_OK;
}

static fx_status dtype_index(fx_call *call)
{
    call->result[0].dtype = FX_I64;
    return FX_OK;
}

/* ---- Lowering -------------------------------------------------------------------------------------------------------------- */

typedef struct reduction {
    fx_kb *k;
    fx_index in[FX_RANK], out[FX_RANK];
    uint8_t red[FX_REDS], n_red;
    fx_dim count; /* elements per result */
} reduction;

static uint8_t add_axis(fx_kb *k, int32_t d, fx_dim extent, bool outer)
{
    char name[8];
    snprintf(name, sizeof name, "%c%d", outer ? 'i' : 'r', (int)(d & 15));
    return fx__kb_axis(k, name, extent, outer);
}

/* Kept axes are outer and come first. */
static fx_status begin(fx_lower *lower, const fx_call *call, reduction *r)
{
    const fx_type *x = fx__call_type(call, 0);
    bool keeps = fx__call_int(call, 2) != 0;
    uint32_t reduced;
    int32_t n_out = 0;
    FX_TRY(reduced_axes(call, &reduced));
    if (__builtin_popcount(reduced) > FX_REDS) return fx__lower_decline(lower, "more than %d reduced axes", FX_REDS);
    *r = (reduction){.k = fx__lower_kernel(lower, call), .count = 1};
    for (int32_t d = 0; d < x->rank; d++)
        if (!(reduced >> d & 1)) r->in[d] = fx__index_axis(add_axis(r->k, d, x->dim[d], true));
    for (int32_t d = 0; d < x->rank; d++) {
        if (!(reduced >> d & 1)) {
            r->out[n_out++] = r->in[d];
            continue;
        }
        uint8_t axis = add_axis(r->k, d, x->dim[d], false);
        r->in[d] = fx__index_axis(axis);
        r->red[r->n_red++] = axis;
        r->count = fx__dim_mul(fx__lower_dims(lower), r->count, x->dim[d]);
        if (keeps) r->out[n_out++] = fx__index_const(0);
    }
    return FX_OK;
}

/* The combined elements, computed in dtype. */
static uint16_t combined(fx_lower *lower, const fx_call *call, const reduction *r, fx_combine combine, fx_dtype dtype)
{
    uint16_t x = fx__kb_cast(r->k, dtype, fx__kb_load(r->k, fx__lower_arg(lower, call, 0), r->in));
    if (r->n_red == 0) return x;
    return fx__kb_result(r->k, fx__kb_reduce(r->k, "r", combine, r->red, r->n_red, x));
}

static fx_status finish(fx_lower *lower, const fx_call *call, const reduction *r, uint16_t e)
{
    fx__kb_store(r->k, fx__lower_result(lower, call, 0), r->out, e);
    return fx__kb_finish(r->k);
}

static fx_status lower_reduce(fx_lower *lower, const fx_call *call, fx_combine combine)
{
    reduction r;
    FX_TRY(begin(lower, call, &r));
    return finish(lower, call, &r, combined(lower, call, &r, combine, fx__scalar_compute(call->result[0].dtype)));
}

static fx_status lower_sum(fx_lower *lower, const fx_call *call)
{
    return lower_reduce(lower, call, FX_COMBINE_SUM);
}
static fx_status lower_prod(fx_lower *lower, const fx_call *call)
{
    return lower_reduce(lower, call, FX_COMBINE_PROD);
}
static fx_status lower_amax(fx_lower *lower, const fx_call *call)
{
    return lower_reduce(lower, call, FX_COMBINE_MAX);
}
static fx_status lower_amin(fx_lower *lower, const fx_call *call)
{
    return lower_reduce(lower, call, FX_COMBINE_MIN);
}

/* Elements are true or not, also where the result is u8. */
static fx_status lower_truth(fx_lower *lower, const fx_call *call, fx_combine combine)
{
    reduction r;
    FX_TRY(begin(lower, call, &r));
    uint16_t truth = combined(lower, call, &r, combine, FX_BOOL);
    return finish(lower, call, &r, fx__kb_cast(r.k, call->result[0].dtype, truth));
}

static fx_status lower_any(fx_lower *lower, const fx_call *call)
{
    return lower_truth(lower, call, FX_COMBINE_OR);
}
static fx_status lower_all(fx_lower *lower, const fx_call *call)
{
    return lower_truth(lower, call, FX_COMBINE_AND);
}

static fx_status lower_mean(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = fx__scalar_compute(call->result[0].dtype);
    reduction r;
    FX_TRY(begin(lower, call, &r));
    uint16_t sum = combined(lower, call, &r, FX_COMBINE_SUM, dtype);
    uint16_t count =
        fx_dim_is_const(r.count) ? fx__kb_imm(r.k, dtype, (double)r.count) : fx__kb_cast(r.k, dtype, fx__kb_dim(r.k, r.count));
    return finish(lower, call, &r, fx__kb_scalar(r.k, FX_SCALAR_DIV, sum, count));
}

/* A position is the coordinate of one reduced axis. */
static fx_status lower_position(fx_lower *lower, const fx_call *call, fx_combine combine)
{
    reduction r;
    uint32_t reduced;
    FX_TRY(reduced_axes(call, &reduced));
    if (__builtin_popcount(reduced) != 1) return fx__lower_decline(lower, "a position over %d axes", __builtin_popcount(reduced));
    FX_TRY(begin(lower, call, &r));
    return finish(lower, call, &r, combined(lower, call, &r, combine, fx__scalar_compute(fx__call_type(call, 0)->dtype)));
}

static fx_status lower_argmax(fx_lower *lower, const fx_call *call)
{
    return lower_position(lower, call, FX_COMBINE_ARGMAX);
}
static fx_status lower_argmin(fx_lower *lower, const fx_call *call)
{
    return lower_position(lower, call, FX_COMBINE_ARGMIN);
}

/* Over all of several axes: a position in row-major order is that in the vector of all elements. */
static fx_node *decompose_position(fx_graph *graph, const fx_call *call, fx_op_code op)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_attr ones[FX_RANK], all = fx_list(graph, (fx_attr[]){fx_int(-1)}, 1);
    if (x->rank == 1 || !fx__call_is_none(call, 1)) return NULL;
    for (int32_t d = 0; d < FX_RANK; d++) ones[d] = fx_int(1);
    fx_node *flat = fx__check_insert(graph, call, FX_OP_reshape, (fx_attr[]){call->arg[0], all}, 2);
    if (!flat) return NULL;
    fx_node *at = fx__check_insert(graph, call, op, (fx_attr[]){fx_node_attr(flat), fx_int(0), fx_bool(false)}, 3);
    if (!at || call->result[0].rank == 0) return at;
    return fx__check_insert(graph, call, FX_OP_reshape, (fx_attr[]){fx_node_attr(at), fx_list(graph, ones, x->rank)}, 2);
}

static fx_node *decompose_argmax(fx_graph *graph, const fx_call *call)
{
    return decompose_position(graph, call, FX_OP_argmax);
}
static fx_node *decompose_argmin(fx_graph *graph, const fx_call *call)
{
    return decompose_position(graph, call, FX_OP_argmin);
}

/* ---- Gradients ------------------------------------------------------------------------------------------------------------- */

/* The gradient of the result in the argument's shape: reduced dims come back as 1 and are stretched. */
static fx_node *spread(fx_grad *grad, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_type kept = *x;
    uint32_t reduced;
    if (reduced_axes(call, &reduced) != FX_OK) return NULL;
    for (int32_t d = 0; d < x->rank; d++)
        if (reduced >> d & 1) kept.dim[d] = 1;
    fx_node *flow = fx__grad_call2(grad, FX_OP_reshape, fx_node_attr(fx__grad_flow(grad, 0)), fx__grad_sizes(grad, &kept));
    return fx__grad_call2(grad, FX_OP_expand, fx_node_attr(flow), fx__grad_sizes(grad, x));
}

static fx_status vjp_sum(fx_grad *grad, const fx_call *call)
{
    return fx__grad_add(grad, 0, spread(grad, call));
}

static fx_status vjp_mean(fx_grad *grad, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    uint32_t reduced;
    fx_dim count = 1;
    FX_TRY(reduced_axes(call, &reduced));
    for (int32_t d = 0; d < x->rank; d++)
        if (reduced >> d & 1) count = fx__dim_mul(call->dims, count, x->dim[d]);
    fx_node *spread_out = spread(grad, call);
    return fx__grad_add(grad, 0, fx__grad_call2(grad, FX_OP_div, fx_node_attr(spread_out), fx_dim_attr(count)));
}

/* ---- Cases ----------------------------------------------------------------------------------------------------------------- */

static const fx_case cases_sum[] = {
    {"(f32[2, 3, 4], [1], False)", "middle"},      {"(f32[2, 3, 4], [-1], True)", "last, kept"},
    {"(f32[2, 3, 4], [0, 2], False)", "two axes"}, {"(f32[2, 3], None, False)", "all"},
    {"(f32[2, 3], [], True)", "all, kept"},        {"(f32[], None, False)", "scalar"},
    {"(f32[0, 3], [0], False)", "over nothing"},   {"(f32[3, 0], [0], False)", "empty"},
    {"(i32[3, 65], [1], False)", "integers"},      {"(bool[3, 5], [0], False)", "bool"},
    {"(f32[3, 1], [1], False)", "size 1"},         {"(f32[65, 17], [0], False)", "tails"},
    {"(f32[2, 3], [1], False, f64)", "wider"},     {NULL, NULL},
};
static const fx_case cases_mean[] = {
    {"(f32[2, 3, 4], [1], False)", "middle"},
    {"(f32[2, 3, 4, 5], [-1, -2], True)", "pool"},
    {"(f32[2, 3], None, False)", "all"},
    {"(f32[3, 0], [0], False)", "empty"},
    {"(f32[3, 65], [1], False)", "tails"},
    {"(i32[4], None, False, f32)", "integers"},
    {NULL, NULL},
};
static const fx_case cases_extreme[] = {
    {"(f32[2, 3, 4], [1], False)", "middle"},
    {"(f32[2, 3, 4], [0, 2], True)", "two axes"},
    {"(f32[2, 3], [], False)", "all"},
    {"(i32[3, 65], [1], False)", "integers"},
    {"(f32[3, 0], [0], False)", "empty"},
    {"(f32[65, 17], [0], False)", "tails"},
    {NULL, NULL},
};
static const fx_case cases_prod[] = {
    {"(f32[2, 3, 4], 1, False)", "middle"},
    {"(f32[2, 3], None, False)", "all"},
    {"(i32[2, 3], 0, True)", "integers"},
    {"(f32[0, 3], 0, False)", "over nothing"},
    {NULL, NULL},
};
static const fx_case cases_any[] = {
    {"(bool[2, 3, 4], [1], False)", "middle"},    {"(f32[2, 3], None, False)", "floats"},
    {"(i32[2, 3], [0, 1], True)", "integers"},    {"(u8[2, 3], [1], False)", "bytes"},
    {"(bool[0, 3], [0], False)", "over nothing"}, {NULL, NULL},
};
static const fx_case cases_position[] = {
    {"(f32[2, 3, 4], 1, False)", "middle"}, {"(f32[3, 65], -1, True)", "last, kept"},  {"(f32[2, 3], None, False)", "all"},
    {"(i32[5, 7], 0, False)", "integers"},  {"(f32[4], 0, False)", "vector"},          {"(f32[3, 5, 7], None, True)", "all, kept"},
    {"(f32[], None, False)", "scalar"},     {"(f32[s0, 3], None, False)", "symbolic"}, {NULL, NULL},
};

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

#define REDUCE(name_, overload_, schema_, dtypes_, dtype_, ulp_, bound_, vjp_, cases_, names_, onnx_, ...)                         \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ overload_,                                                     \
                                 .schema = #name_ schema_ " -> Tensor",                                                            \
                                 .names = "torch." #name_ " method:" #name_ names_,                                                \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "reduction",                                                                            \
                                 .dtypes = dtypes_,                                                                                \
                                 .ulp = ulp_,                                                                                      \
                                 .dtype = dtype_,                                                                                  \
                                 .shape = shape_reduce,                                                                            \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .bound = bound_,                                                                                  \
                                 .lower = lower_##name_,                                                                           \
                                 .vjp = vjp_,                                                                                      \
                                 .cases = cases_,                                                                                  \
                                 __VA_ARGS__}
#define AXES "(Tensor self, int[]? dim=None, bool keepdim=False"
#define AXIS "(Tensor self, int? dim=None, bool keepdim=False"

REDUCE(all, ".dims", AXES ")", FX_ANY, dtype_truth, FX_ULP_EXACT, NULL, NULL, cases_any,
       " torch.ops.aten.all.default torch.ops.aten.all.dim", "");
REDUCE(amax, ".default", "(Tensor self, int[] dim=[], bool keepdim=False)", FX_ANY, fx__rule_dtype_same, FX_ULP_EXACT, NULL, NULL,
       cases_extreme, " torch.ops.aten.max.default", "ReduceMax");
REDUCE(amin, ".default", "(Tensor self, int[] dim=[], bool keepdim=False)", FX_ANY, fx__rule_dtype_same, FX_ULP_EXACT, NULL, NULL,
       cases_extreme, " torch.ops.aten.min.default", "ReduceMin");
REDUCE(any, ".dims", AXES ")", FX_ANY, dtype_truth, FX_ULP_EXACT, NULL, NULL, cases_any,
       " torch.ops.aten.any.default torch.ops.aten.any.dim", "");
REDUCE(argmax, ".default", AXIS ")", FX_NUMBERS, dtype_index, FX_ULP_EXACT, fx__bound_argmax, NULL, cases_position, "", "ArgMax",
       .decompose = decompose_argmax);
REDUCE(argmin, ".default", AXIS ")", FX_NUMBERS, dtype_index, FX_ULP_EXACT, fx__bound_argmin, NULL, cases_position, "", "ArgMin",
       .decompose = decompose_argmin);
REDUCE(mean, ".dim", AXES ", *, ScalarType? dtype=None)", FX_ANY, dtype_mean, 0, fx__bound_mean, vjp_mean, cases_mean,
       " torch.ops.aten.mean.default", "ReduceMean GlobalAveragePool");
REDUCE(prod, ".dim_int", AXIS ", *, ScalarType? dtype=None)", FX_ANY, dtype_sum, 0, fx__bound_prod, NULL, cases_prod,
       " torch.ops.aten.prod.default", "ReduceProd");
REDUCE(sum, ".dim_IntList", AXES ", *, ScalarType? dtype=None)", FX_ANY, dtype_sum, 0, fx__bound_sum, vjp_sum, cases_sum,
       " torch.ops.aten.sum.default", "ReduceSum");
