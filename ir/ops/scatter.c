/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that write where a tensor of indices says: scatter, scatter_add, scatter_reduce, index_add, index_copy, index_put. Two
 * elements may go to one place, so a kernel's independent points cannot do it: these run through their reference kernels. Indices
 * are read as by index.c: below 0 they count from the end, outside they are FX_E_INDEX. */
#include "ir/ops/check.h"
#include "ir/ops/index.h"
#include <string.h>

fx_status fx__scatter_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__scatter_bound(const fx_rt_bound *call);
fx_status fx__scatter_add_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__scatter_add_bound(const fx_rt_bound *call);
fx_status fx__scatter_reduce_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__scatter_reduce_bound(const fx_rt_bound *call);
fx_status fx__index_add_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__index_add_bound(const fx_rt_bound *call);
fx_status fx__index_copy_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__index_copy_bound(const fx_rt_bound *call);
fx_status fx__index_put_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__index_put_bound(const fx_rt_bound *call);

enum { SELF, DIM, INDEX, SOURCE, REDUCE };

/* ---- Rules ---------------------------------------------------------------------------------------------------------------- */

static fx_status dtype_source(fx_call *call, int32_t source)
{
    const fx_type *x = fx__call_type(call, SELF), *from = fx__call_type(call, source);
    call->result[0].dtype = x->dtype;
    if (!from || from->dtype == x->dtype) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "self is %s, what is written is %s; expected equal element types",
                          fx_dtype_name(x->dtype), fx_dtype_name(from->dtype));
}

static fx_status dtype_scatter(fx_call *call)
{
    return dtype_source(call, SOURCE);
}
static fx_status dtype_put(fx_call *call)
{
    return dtype_source(call, 2);
}

static bool fits(const fx_call *call, const fx_type *index, const fx_type *in, int32_t but)
{
    if (index->rank != in->rank) return false;
    for (int32_t d = 0; d < index->rank; d++)
        if (d != but && !fx__dims_assume(call->dims, FX_GUARD_LE, index->dim[d], in->dim[d], "scatter stays inside")) return false;
    return true;
}

static fx_status shape_scatter(fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF), *index = fx__call_type(call, INDEX), *source = fx__call_type(call, SOURCE);
    FX_TRY(fx__check_rank(call, SELF, 1, FX_RANK));
    FX_TRY(fx__pick_check(call, index));
    int32_t dim = fx__call_axis(call, fx__call_int(call, DIM), x->rank);
    if (dim < 0) return FX_E_ARG;
    if (!fits(call, index, x, dim))
        return fx__call_error(call, FX_E_SHAPE, "index %s does not fit into %s", fx__check_type(call, index).s,
                              fx__check_type(call, x).s);
    if (source && !fits(call, index, source, -1))
        return fx__call_error(call, FX_E_SHAPE, "index %s does not fit into %s", fx__check_type(call, index).s,
                              fx__check_type(call, source).s);
    return fx__rule_shape_same(call);
}

static fx_status shape_scatter_reduce(fx_call *call)
{
    const char *reduce = call->arg[REDUCE].u.s;
    bool known = false;
    for (const char *const *name = (const char *const[]){"sum", "prod", "mean", "amax", "amin", NULL}; *name; name++)
        known = known || strcmp(*name, reduce) == 0;
    if (!known) return fx__call_error(call, FX_E_ARG, "reduce is '%s', expected sum, prod, mean, amax or amin", reduce);
    return shape_scatter(call);
}

/* The source is self with as many slices along dim as there are indices. */
static fx_status shape_slices(fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF), *index = fx__call_type(call, INDEX), *source = fx__call_type(call, SOURCE);
    FX_TRY(fx__check_rank(call, SELF, 1, FX_RANK));
    FX_TRY(fx__pick_check(call, index));
    FX_TRY(fx__check_rank(call, INDEX, 1, 1));
    int32_t dim = fx__call_axis(call, fx__call_int(call, DIM), x->rank);
    if (dim < 0) return FX_E_ARG;
    bool equal = source->rank == x->rank;
    for (int32_t d = 0; equal && d < x->rank; d++)
        equal = fx__check_equal(call, source->dim[d], d == dim ? index->dim[0] : x->dim[d], "slices have self's shape");
    if (!equal)
        return fx__call_error(call, FX_E_SHAPE, "source %s does not fit into %s at %s indices", fx__check_type(call, source).s,
                              fx__check_type(call, x).s, fx__check_dim(call, index->dim[0]).s);
    return fx__rule_shape_same(call);
}

static fx_status shape_put(fx_call *call)
{
    fx_picks p = {.x = fx__call_type(call, SELF)};
    fx_type places, both;
    FX_TRY(fx__pick_list(call, 1, &p));
    FX_TRY(fx__pick_shape(call, &p, &places));
    const fx_type *values = fx__call_type(call, 2);
    bool fit = fx__broadcast(call->dims, &places, values, &both) && both.rank == places.rank;
    for (int32_t d = 0; fit && d < both.rank; d++) fit = fx__check_equal(call, both.dim[d], places.dim[d], "one value per place");
    if (!fit)
        return fx__call_error(call, FX_E_SHAPE, "values %s do not broadcast to the places, %s", fx__check_type(call, values).s,
                              fx__check_type(call, &places).s);
    return fx__rule_shape_same(call);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static const fx_case cases_scatter[] = {
    {"(f32[4, 17], 0, i64[3, 17], f32[3, 17])", "rows"},
    {"(f32[3, 5, 4], 1, i32[2, 7, 3], f32[3, 8, 4])", "a larger source"},
    {"(i32[5], -1, i64[8], i32[8])", "vector"},
    {"(f32[3, 4], 1, i64[3, 0], f32[3, 4])", "nothing"},
    {"(f32[s0, 4], 1, i64[s0, 2], f32[s0, 2])", "symbolic"},
    {NULL, NULL},
};

const fx_op fx_op_scatter = {
    .name = "scatter",
    .target = "torch.ops.aten.scatter.src",
    .schema = "scatter.src(Tensor self, int dim, Tensor index, TensorOrScalar src) -> Tensor",
    .names = "torch.ops.aten.scatter.value torch.scatter method:scatter",
    .onnx = "ScatterElements",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_scatter,
    .shape = shape_scatter,
    .reference = fx__scatter_ref,
    .bound = fx__scatter_bound,
    .cases = (const fx_case[]){{"(f32[4, 17], 0, i64[3, 17], f32[3, 17])", "rows"},
                               {"(f32[3, 5], 1, i64[3, 2], 2.5)", "a number"},
                               {"(i32[5], -1, i64[8], i32[8])", "vector"},
                               {"(f32[s0, 4], 1, i64[s0, 2], f32[s0, 2])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_scatter_add = {
    .name = "scatter_add",
    .target = "torch.ops.aten.scatter_add.default",
    .schema = "scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
    .names = "torch.scatter_add method:scatter_add",
    .onnx = "ScatterElements",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_scatter,
    .shape = shape_scatter,
    .reference = fx__scatter_add_ref,
    .bound = fx__scatter_add_bound,
    .cases = cases_scatter,
};

const fx_op fx_op_scatter_reduce = {
    .name = "scatter_reduce",
    .target = "torch.ops.aten.scatter_reduce.two",
    .schema = "scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
    .names = "torch.scatter_reduce method:scatter_reduce",
    .onnx = "ScatterElements",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_scatter,
    .shape = shape_scatter_reduce,
    .reference = fx__scatter_reduce_ref,
    .bound = fx__scatter_reduce_bound,
    .cases = (const fx_case[]){{"(f32[4, 17], 0, i64[6, 17], f32[6, 17], 'sum')", "sum"},
                               {"(f32[4, 7], 0, i64[6, 7], f32[6, 7], 'prod')", "product"},
                               {"(f32[4, 7], 1, i64[4, 9], f32[4, 9], 'mean', False)", "mean, without self"},
                               {"(i32[4, 7], 1, i64[4, 9], i32[4, 9], 'mean')", "mean of integers"},
                               {"(f32[4, 7], 1, i64[4, 9], f32[4, 9], 'amax')", "largest"},
                               {"(f32[5], 0, i64[9], f32[9], 'amin', False)", "smallest, without self"},
                               {"(f32[s0, 4], 1, i64[s0, 2], f32[s0, 2], 'sum')", "symbolic"},
                               {NULL, NULL}},
};

static const fx_case cases_slices[] = {
    {"(f32[4, 17], 0, i64[3], f32[3, 17])", "rows"},     {"(f32[3, 5, 4], -2, i32[7], f32[3, 7, 4])", "middle"},
    {"(i32[5], 0, i64[8], i32[8])", "vector"},           {"(f32[3, 4], 1, i64[0], f32[3, 0])", "nothing"},
    {"(f32[4, s0], 0, i64[2], f32[2, s0])", "symbolic"}, {NULL, NULL},
};

const fx_op fx_op_index_add = {
    .name = "index_add",
    .target = "torch.ops.aten.index_add.default",
    .schema = "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    .names = "torch.index_add method:index_add",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_scatter,
    .shape = shape_slices,
    .reference = fx__index_add_ref,
    .bound = fx__index_add_bound,
    .cases = cases_slices,
};

const fx_op fx_op_index_copy = {
    .name = "index_copy",
    .target = "torch.ops.aten.index_copy.default",
    .schema = "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
    .names = "torch.index_copy method:index_copy",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_scatter,
    .shape = shape_slices,
    .reference = fx__index_copy_ref,
    .bound = fx__index_copy_bound,
    .cases = cases_slices,
};

const fx_op fx_op_index_put = {
    .name = "index_put",
    .target = "torch.ops.aten.index_put.default",
    .schema = "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    .names = "torch.index_put method:index_put",
    .onnx = "ScatterND",
    .family = "index",
    .dtypes = FX_ANY,
    .dtype = dtype_put,
    .shape = shape_put,
    .reference = fx__index_put_ref,
    .bound = fx__index_put_bound,
    .cases = (const fx_case[]){{"(f32[4, 17], [i64[3]], f32[3, 17])", "rows"},
                               {"(f32[4, 17], [i64[3]], f32[17], True)", "added, broadcast"},
                               {"(f32[3, 5, 4], [None, i64[2, 6]], f32[])", "a scalar"},
                               {"(f32[3, 5, 4], [i64[2, 1], None, i64[1, 6]], f32[2, 6, 5], True)", "dims apart"},
                               {"(i32[3, 5], [i64[7], i64[7]], i32[7])", "points"},
                               {"(f32[s0, 4], [None, i64[2]], f32[2])", "symbolic"},
                               {NULL, NULL}},
};
