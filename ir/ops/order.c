/* SPDX-License-Identifier: Apache-2.0 */
/* sort, argsort, topk: run through their reference kernels. Sorting is stable and NaN counts as the largest value; topk is sorted
 * whether asked to or not, and of equal elements the first ones come first. */
#include "ir/ops/check.h"

fx_status fx__sort_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__sort_bound(const fx_rt_bound *call);
fx_status fx__argsort_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__argsort_bound(const fx_rt_bound *call);
fx_status fx__topk_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__topk_bound(const fx_rt_bound *call);

static fx_status dtype_pair(fx_call *call)
{
    FX_TRY(fx__rule_dtype_same(call));
    call->result[1].dtype = FX_I64;
    return FX_OK;
}

static fx_status dtype_index(fx_call *call)
{
    call->result[0].dtype = FX_I64;
    return FX_OK;
}

/* All results have the input's shape. */
static fx_status shape_sort(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    if (fx__call_axis(call, fx__call_int(call, 1), x->rank) < 0) return FX_E_ARG;
    for (int32_t r = 0; r < call->n_results; r++) {
        fx_dtype dtype = call->result[r].dtype;
        call->result[r] = *x;
        call->result[r].dtype = dtype;
    }
    return FX_OK;
}

static fx_status shape_topk(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t dim = fx__call_axis(call, fx__call_int(call, 2), x->rank);
    fx_dim k[FX_RANK];
    if (dim < 0 || fx__call_dims(call, 1, 1, k) != 1) return FX_E_ARG;
    fx_dim size = x->rank ? x->dim[dim] : 1;
    if (!fx__dims_assume(call->dims, FX_GUARD_LE, 0, k[0], "topk of a count") ||
        !fx__dims_assume(call->dims, FX_GUARD_LE, k[0], size, "topk of no more than there are") || (x->rank == 0 && k[0] != 1))
        return fx__call_error(call, FX_E_SHAPE, "k is %s, expected 0 to %s", fx__check_dim(call, k[0]).s,
                              fx__check_dim(call, size).s);
    for (int32_t r = 0; r < 2; r++) {
        fx_dtype dtype = call->result[r].dtype;
        call->result[r] = *x;
        call->result[r].dtype = dtype;
        if (x->rank) call->result[r].dim[dim] = k[0];
    }
    return FX_OK;
}

static const fx_case cases_sort[] = {
    {"(f32[3, 17])", "last dim"},      {"(f32[5, 4], 0, True)", "columns, descending"},
    {"(i32[2, 6, 3], 1)", "integers"}, {"(bool[9], 0, True)", "truth values"},
    {"(f32[3, 0])", "nothing"},        {"(f32[], 0)", "a scalar"},
    {"(f32[s0, 5])", "symbolic"},      {NULL, NULL},
};

const fx_op fx_op_sort = {
    .name = "sort",
    .target = "torch.ops.aten.sort.default",
    .schema = "sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
    .names = "torch.sort method:sort",
    .family = "order",
    .dtypes = FX_ANY,
    .dtype = dtype_pair,
    .shape = shape_sort,
    .reference = fx__sort_ref,
    .bound = fx__sort_bound,
    .cases = cases_sort,
};

const fx_op fx_op_argsort = {
    .name = "argsort",
    .target = "torch.ops.aten.argsort.default",
    .schema = "argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor",
    .names = "torch.argsort method:argsort",
    .family = "order",
    .dtypes = FX_ANY,
    .dtype = dtype_index,
    .shape = shape_sort,
    .reference = fx__argsort_ref,
    .bound = fx__argsort_bound,
    .cases = cases_sort,
};

const fx_op fx_op_topk = {
    .name = "topk",
    .target = "torch.ops.aten.topk.default",
    .schema = "topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
    .names = "torch.topk method:topk",
    .onnx = "TopK",
    .family = "order",
    .dtypes = FX_ANY,
    .dtype = dtype_pair,
    .shape = shape_topk,
    .reference = fx__topk_ref,
    .bound = fx__topk_bound,
    .cases = (const fx_case[]){{"(f32[3, 17], 4)", "last dim"},
                               {"(f32[5, 4], 2, 0, False)", "columns, smallest"},
                               {"(i32[7], 7)", "all"},
                               {"(f32[3, 5], 0)", "none"},
                               {"(f32[], 1)", "a scalar"},
                               {"(f32[s0, 5], 3)", "symbolic"},
                               {NULL, NULL}},
};
