/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose result is a view of their input, with sizes renumbered or in another order: view, reshape, flatten, unflatten,
 * squeeze, unsqueeze, permute, transpose, t, expand. None makes a kernel: the view hook composes indices. Those that take a part
 * of their input stand in slice.c. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__reshape_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__permute_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__transpose_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__t_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__expand_ref(const fx_rt_arg *args, fx_tensor *results);

static fx_type *copy_type(fx_call *call)
{
    call->result[0] = *fx__call_type(call, 0);
    return &call->result[0];
}

static fx_status view_renumber(fx_view *view, const fx_call *call)
{
    (void)call;
    return fx__view_reshape(view);
}

/* Row-major number of a point whose axes are numbered from 0, as one sum. */
static bool number_of(fx_dims *dims, const fx_type *type, fx_index *out)
{
    fx_dim stride = 1;
    *out = fx__index_const(0);
    for (int32_t d = type->rank - 1; d >= 0; d--) {
        fx_index axis = fx__index_axis((uint8_t)d);
        if (type->dim[d] != 1 && (!fx__index_scale(dims, &axis, stride, &axis) || !fx__index_add(dims, out, &axis, out)))
            return false;
        stride = fx__dim_mul(dims, stride, type->dim[d]);
    }
    return true;
}

/* Copies between a value and a row of all its elements. */
static fx_status copy_row(fx_lower *lw, const fx_call *call, const fx_type *type, fx_lvalue value, fx_lvalue row, bool to_row)
{
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index at[FX_RANK], number;
    for (int32_t d = 0; d < type->rank; d++) {
        const char name[8] = {'i', (char)('0' + d), 0};
        at[d] = fx__index_axis(fx__kb_axis(k, name, type->dim[d], true));
    }
    if (!number_of(fx__lower_dims(lw), type, &number)) return fx__lower_decline(lw, "a reshape of too many dimensions at once");
    uint16_t e = fx__kb_load(k, to_row ? value : row, to_row ? at : &number);
    fx__kb_store(k, to_row ? row : value, to_row ? &number : at, e);
    return fx__kb_finish(k);
}

/* Where one index would need digits of a sum: through a row of all elements. */
static fx_status lower_renumber(fx_lower *lw, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *out = &call->result[0];
    fx_type flat = {.dtype = x->dtype, .rank = 1, .dim = {1}};
    for (int32_t d = 0; d < x->rank; d++) flat.dim[0] = fx__dim_mul(fx__lower_dims(lw), flat.dim[0], x->dim[d]);
    fx_lvalue row = fx__lower_temp(lw, "row", &flat);
    FX_TRY(copy_row(lw, call, x, fx__lower_arg(lw, call, 0), row, true));
    return copy_row(lw, call, out, fx__lower_result(lw, call, 0), row, false);
}

/* ---- Sizes anew ---------------------------------------------------------------------------------------------------------- */

/* Replaces the -1 among n sizes so that their product is `elems`, or checks that it is. */
static fx_status resolve_sizes(const fx_call *call, fx_dim elems, fx_dim *size, int32_t n)
{
    int32_t hole = -1;
    fx_dim known = 1;
    for (int32_t i = 0; i < n; i++) {
        if (size[i] == -1 && hole >= 0) return fx__call_error(call, FX_E_ARG, "only one size may be -1");
        if (size[i] == -1)
            hole = i;
        else if (fx_dim_is_const(size[i]) && size[i] < 0)
            return fx__call_error(call, FX_E_ARG, "size %lld is negative", (long long)size[i]);
        else
            known = fx__dim_mul(call->dims, known, size[i]);
    }
    if (hole >= 0 && known == 0) return fx__call_error(call, FX_E_SHAPE, "-1 beside a size of 0 stands for any size");
    if (hole >= 0) size[hole] = fx__dim_floordiv(call->dims, elems, known);
    fx_dim product = hole >= 0 ? fx__dim_mul(call->dims, known, size[hole]) : known;
    if (fx__check_equal(call, product, elems, "elements of a reshape")) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "%s has %s elements, which do not fit into sizes of product %s",
                          fx__check_type(call, fx__call_type(call, 0)).s, fx__check_dim(call, elems).s,
                          fx__check_dim(call, known).s);
}

static fx_status shape_view(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim size[FX_RANK];
    int32_t n = fx__call_dims(call, 1, 0, size);
    if (n < 0) return FX_E_SHAPE;
    FX_TRY(resolve_sizes(call, fx__check_product(call, x, 0, x->rank), size, n));
    fx_type *out = copy_type(call);
    out->rank = n;
    for (int32_t d = 0; d < n; d++) out->dim[d] = size[d];
    return FX_OK;
}

static fx_status shape_flatten(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t start = fx__call_axis(call, fx__call_int(call, 1), x->rank), end = fx__call_axis(call, fx__call_int(call, 2), x->rank);
    if (start < 0 || end < 0) return FX_E_ARG;
    if (start > end) return fx__call_error(call, FX_E_ARG, "start_dim %d comes after end_dim %d", start, end);
    fx_type *out = copy_type(call);
    out->dim[start] = fx__check_product(call, x, start, x->rank ? end + 1 : 0);
    for (int32_t d = end + 1; d < x->rank; d++) out->dim[start + d - end] = x->dim[d];
    out->rank = x->rank ? x->rank - (end - start) : 1;
    return FX_OK;
}

static fx_status shape_unflatten(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim size[FX_RANK];
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), x->rank), n = fx__call_dims(call, 2, 0, size);
    if (dim < 0 || n < 0) return FX_E_ARG;
    if (x->rank == 0 || n == 0) return fx__call_error(call, FX_E_ARG, "nothing to unflatten");
    if (x->rank - 1 + n > FX_RANK) return fx__call_error(call, FX_E_SHAPE, "the result has more than %d dimensions", FX_RANK);
    FX_TRY(resolve_sizes(call, x->dim[dim], size, n));
    fx_type *out = copy_type(call);
    for (int32_t d = 0; d < n; d++) out->dim[dim + d] = size[d];
    for (int32_t d = dim + 1; d < x->rank; d++) out->dim[d + n - 1] = x->dim[d];
    out->rank = x->rank - 1 + n;
    return FX_OK;
}

/* ---- Size-1 dims --------------------------------------------------------------------------------------------------------- */

/* Which dims squeeze removes: bits. A symbolic size is not taken for 1, and is then assumed not to be. */
static fx_status squeezed(const fx_call *call, uint32_t *out)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t dims[FX_RANK];
    uint32_t asked = fx__call_is_none(call, 1) ? ~0u : 0;
    int32_t n = asked ? 0 : fx__call_ints(call, 1, 0, dims);
    if (n < 0) return FX_E_ARG;
    for (int32_t i = 0; i < n; i++) {
        int32_t d = fx__call_axis(call, dims[i], x->rank);
        if (d < 0) return FX_E_ARG;
        asked |= 1u << d;
    }
    *out = 0;
    for (int32_t d = 0; d < x->rank; d++) {
        if (!(asked >> d & 1)) continue;
        if (x->dim[d] == 1)
            *out |= 1u << d;
        else if (!fx__dims_assume(call->dims, FX_GUARD_NE, x->dim[d], 1, "squeeze keeps this dim"))
            return fx__call_error(call, FX_E_SHAPE, "size %s may only be 1", fx__check_dim(call, x->dim[d]).s);
    }
    return FX_OK;
}

static fx_status shape_squeeze(fx_call *call)
{
    uint32_t removed;
    FX_TRY(squeezed(call, &removed));
    const fx_type *x = fx__call_type(call, 0);
    fx_type *out = copy_type(call);
    out->rank = 0;
    for (int32_t d = 0; d < x->rank; d++)
        if (!(removed >> d & 1)) out->dim[out->rank++] = x->dim[d];
    return FX_OK;
}

static fx_status view_squeeze(fx_view *view, const fx_call *call)
{
    uint32_t removed;
    FX_TRY(squeezed(call, &removed));
    uint8_t axis = 0;
    for (int32_t d = 0; d < view->in->rank; d++) view->at[d] = removed >> d & 1 ? fx__index_const(0) : fx__index_axis(axis++);
    return FX_OK;
}

static fx_status shape_unsqueeze(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), x->rank + 1);
    if (dim < 0) return FX_E_ARG;
    if (x->rank == FX_RANK) return fx__call_error(call, FX_E_SHAPE, "the result has more than %d dimensions", FX_RANK);
    fx_type *out = copy_type(call);
    for (int32_t d = x->rank; d > dim; d--) out->dim[d] = x->dim[d - 1];
    out->dim[dim] = 1;
    out->rank = x->rank + 1;
    return FX_OK;
}

static fx_status view_unsqueeze(fx_view *view, const fx_call *call)
{
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), view->in->rank + 1);
    for (int32_t d = 0; d < view->in->rank; d++) view->at[d] = fx__index_axis((uint8_t)(d < dim ? d : d + 1));
    return FX_OK;
}

/* ---- Another order ------------------------------------------------------------------------------------------------------- */

/* out[d]: dim of the input that dim d of the result is. */
static fx_status read_order(const fx_call *call, int32_t rank, int32_t *out)
{
    int64_t dims[FX_RANK];
    int32_t n = fx__call_ints(call, 1, 0, dims);
    uint32_t seen = 0;
    if (n < 0) return FX_E_ARG;
    if (n != rank) return fx__call_error(call, FX_E_ARG, "dims has %d entries for a tensor of %d dimensions", n, rank);
    for (int32_t d = 0; d < n; d++) {
        out[d] = fx__call_axis(call, dims[d], rank);
        if (out[d] < 0) return FX_E_ARG;
        if (seen >> out[d] & 1) return fx__call_error(call, FX_E_ARG, "dim %lld occurs twice in dims", (long long)dims[d]);
        seen |= 1u << out[d];
    }
    return FX_OK;
}

static fx_status order_transpose(const fx_call *call, int32_t rank, int32_t *out)
{
    int32_t a = fx__call_axis(call, fx__call_int(call, 1), rank), b = fx__call_axis(call, fx__call_int(call, 2), rank);
    if (a < 0 || b < 0) return FX_E_ARG;
    for (int32_t d = 0; d < rank; d++) out[d] = d == a ? b : d == b ? a : d;
    return FX_OK;
}

static fx_status order_t(const fx_call *call, int32_t rank, int32_t *out)
{
    FX_TRY(fx__check_rank(call, 0, 0, 2));
    for (int32_t d = 0; d < rank; d++) out[d] = rank - 1 - d;
    return FX_OK;
}

typedef fx_status (*order_fn)(const fx_call *call, int32_t rank, int32_t *out);

static fx_status shape_ordered(fx_call *call, order_fn read)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t order[FX_RANK];
    FX_TRY(read(call, x->rank, order));
    fx_type *out = copy_type(call);
    for (int32_t d = 0; d < x->rank; d++) out->dim[d] = x->dim[order[d]];
    return FX_OK;
}

static fx_status view_ordered(fx_view *view, const fx_call *call, order_fn read)
{
    int32_t order[FX_RANK];
    FX_TRY(read(call, view->in->rank, order));
    for (int32_t d = 0; d < view->in->rank; d++) view->at[order[d]] = fx__index_axis((uint8_t)d);
    return FX_OK;
}

static fx_status shape_permute(fx_call *call)
{
    return shape_ordered(call, read_order);
}
static fx_status view_permute(fx_view *view, const fx_call *call)
{
    return view_ordered(view, call, read_order);
}
static fx_status shape_transpose(fx_call *call)
{
    return shape_ordered(call, order_transpose);
}
static fx_status view_transpose(fx_view *view, const fx_call *call)
{
    return view_ordered(view, call, order_transpose);
}
static fx_status shape_t(fx_call *call)
{
    return shape_ordered(call, order_t);
}
static fx_status view_t(fx_view *view, const fx_call *call)
{
    return view_ordered(view, call, order_t);
}

/* ---- Repetition ---------------------------------------------------------------------------------------------------------- */

static fx_status shape_expand(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim size[FX_RANK];
    int32_t n = fx__call_dims(call, 1, 0, size), front = n - x->rank;
    if (n < 0) return FX_E_ARG;
    if (front < 0)
        return fx__call_error(call, FX_E_SHAPE, "%d sizes for %s, which has more dimensions", n, fx__check_type(call, x).s);
    fx_type *out = copy_type(call);
    out->rank = n;
    for (int32_t d = 0; d < n; d++) {
        fx_dim own = d < front ? 1 : x->dim[d - front];
        if (d < front && size[d] == -1) return fx__call_error(call, FX_E_SHAPE, "size -1 of a new dimension has no meaning");
        out->dim[d] = size[d] == -1 ? own : size[d];
        if (own != 1 && !fx__check_equal(call, own, out->dim[d], "expand keeps this dim"))
            return fx__call_error(call, FX_E_SHAPE, "dim %d of %s cannot expand to %s", d - front, fx__check_type(call, x).s,
                                  fx__check_dim(call, size[d]).s);
    }
    return FX_OK;
}

static fx_status view_expand(fx_view *view, const fx_call *call)
{
    (void)call;
    int32_t front = view->out->rank - view->in->rank;
    for (int32_t d = 0; d < view->in->rank; d++) {
        bool repeats = view->in->dim[d] == 1 && view->out->dim[front + d] != 1;
        view->at[d] = repeats ? fx__index_const(0) : fx__index_axis((uint8_t)(front + d));
    }
    return FX_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

static const fx_case cases_view[] = {{"(f32[2, 3, 4], [6, 4])", "merge"},
                                     {"(f32[6, 4], [2, 3, 4])", "split"},
                                     {"(f32[2, 3, 4], [-1])", "flat"},
                                     {"(f32[2, 6], [3, -1])", "split across rows"},
                                     {"(f32[4, 6], [3, 8])", "no common boundary"},
                                     {"(f32[2, 3], [1, 2, 1, 3, 1])", "size-1 dims come"},
                                     {"(f32[1, 2, 1, 3], [2, 3])", "size-1 dims go"},
                                     {"(f32[], [1, 1])", "from a scalar"},
                                     {"(f32[1, 1], [])", "to a scalar"},
                                     {"(f32[0, 3], [3, 0])", "empty"},
                                     {"(f32[0, 3], [-1, 3])", "empty, inferred"},
                                     {"(f32[2, 12], [2, 3, 2, 2])", "heads"},
                                     {"(f32[s0, 3, 4], [-1, 12])", "symbolic, inferred"},
                                     {"(f32[2, s0, 8], [2, -1, 2, 4])", "symbolic heads"},
                                     {"(f32[s0, s1], [-1])", "symbolic, flat"},
                                     {NULL, NULL}};

#define VIEW(name_, target_, schema_, names_, onnx_, reference_, hook, lower_, cases_)                                             \
    const fx_op fx_op_##name_ = {                                                                                                  \
        .name = #name_,                                                                                                            \
        .target = "torch.ops.aten." target_,                                                                                       \
        .schema = schema_,                                                                                                         \
        .names = names_,                                                                                                           \
        .onnx = onnx_,                                                                                                             \
        .family = "views",                                                                                                         \
        .dtypes = FX_ANY,                                                                                                          \
        .shape = shape_##name_,                                                                                                    \
        .reference = fx__##reference_##_ref,                                                                                       \
        .view = view_##hook,                                                                                                       \
        .lower = lower_,                                                                                                           \
        .cases = cases_,                                                                                                           \
    };

VIEW(view, "view.default", "view(Tensor self, SymInt[] size) -> Tensor",
     "torch.ops.aten._unsafe_view.default torch.ops.aten.view_copy.default method:view", "Reshape", reshape, renumber,
     lower_renumber, cases_view)

/* What a view becomes when torch is traced below autograd; the strides follow from the sizes. */
const fx_op fx_op_reshape_alias = {
    .name = "reshape_alias",
    .target = "torch.ops.aten._reshape_alias.default",
    .schema = "_reshape_alias(Tensor self, SymInt[] size, SymInt[] stride) -> Tensor",
    .names = "",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_view,
    .reference = fx__reshape_ref,
    .view = view_renumber,
    .lower = lower_renumber,
    .cases = (const fx_case[]){{"(f32[2, 3, 4], [6, 4], [4, 1])", NULL},
                               {"(f32[s0, 6], [-1, 2, 3], [6, 3, 1])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_reshape = {
    .name = "reshape",
    .target = "torch.ops.aten.reshape.default",
    .schema = "reshape(Tensor self, SymInt[] shape) -> Tensor",
    .names = "torch.reshape method:reshape",
    .onnx = "Reshape",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_view,
    .reference = fx__reshape_ref,
    .view = view_renumber,
    .lower = lower_renumber,
    .cases = cases_view,
};

static const fx_case cases_flatten[] = {{"(f32[2, 3, 4], 1)", "tail"},
                                        {"(f32[2, 3, 4])", "all"},
                                        {"(f32[2, 3, 4, 5], 1, -2)", "middle"},
                                        {"(f32[2, 3], 1, 1)", "nothing to do"},
                                        {"(f32[])", "scalar"},
                                        {"(f32[0, 3, 2], 1)", "empty"},
                                        {"(f32[s0, 3, 2, 2], 1)", "symbolic batch"},
                                        {"(f32[2, s0, 4], 0, 1)", "symbolic, merged"},
                                        {NULL, NULL}};
VIEW(flatten, "flatten.using_ints", "flatten.using_ints(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor",
     "torch.flatten method:flatten", "Flatten", reshape, renumber, lower_renumber, cases_flatten)

static const fx_case cases_unflatten[] = {{"(f32[2, 12], 1, [3, 4])", NULL},
                                          {"(f32[2, 12, 5], -2, [2, -1, 3])", "inferred"},
                                          {"(f32[s0, 8], 1, [2, 4])", "symbolic batch"},
                                          {NULL, NULL}};
VIEW(unflatten, "unflatten.int", "unflatten.int(Tensor self, int dim, SymInt[] sizes) -> Tensor",
     "torch.unflatten method:unflatten", NULL, reshape, renumber, lower_renumber, cases_unflatten)

static const fx_case cases_squeeze[] = {{"(f32[1, 2, 1, 3, 1])", "all"},         {"(f32[1, 2, 1], 0)", "one"},
                                        {"(f32[2, 3], 0)", "a dim that stays"},  {"(f32[1, 2, 1, 3], [0, -2])", "two"},
                                        {"(f32[1, 1])", "to a scalar"},          {"(f32[], 0)", "scalar"},
                                        {"(f32[1, s0, 1], [0, 2])", "symbolic"}, {NULL, NULL}};
VIEW(squeeze, "squeeze.default", "squeeze(Tensor self, int[]? dim=None) -> Tensor",
     "torch.ops.aten.squeeze.dim torch.ops.aten.squeeze.dims torch.squeeze method:squeeze", "Squeeze", reshape, squeeze, NULL,
     cases_squeeze)

static const fx_case cases_unsqueeze[] = {{"(f32[2, 3], 0)", "front"},     {"(f32[2, 3], -1)", "back"},
                                          {"(f32[2, 3], 1)", "middle"},    {"(f32[], 0)", "scalar"},
                                          {"(f32[s0, 3], 1)", "symbolic"}, {NULL, NULL}};
VIEW(unsqueeze, "unsqueeze.default", "unsqueeze(Tensor self, int dim) -> Tensor", "torch.unsqueeze method:unsqueeze", "Unsqueeze",
     reshape, unsqueeze, NULL, cases_unsqueeze)

static const fx_case cases_permute[] = {{"(f32[2, 3, 4], [2, 0, 1])", "cycle"},
                                        {"(f32[2, 3, 4, 5], [0, 2, 3, 1])", "channels last"},
                                        {"(f32[2, 3], [-1, -2])", "negative"},
                                        {"(f32[], [])", "scalar"},
                                        {"(f32[17, 33], [1, 0])", "tails"},
                                        {"(f32[2, s0, 4], [0, 2, 1])", "symbolic"},
                                        {NULL, NULL}};
VIEW(permute, "permute.default", "permute(Tensor self, int[] dims) -> Tensor", "torch.permute method:permute", "Transpose", permute,
     permute, NULL, cases_permute)

static const fx_case cases_transpose[] = {{"(f32[2, 3, 4], 0, 2)", NULL},         {"(f32[2, 3, 4], -1, -2)", "negative"},
                                          {"(f32[2, 3], 1, 1)", "nothing to do"}, {"(f32[], 0, -1)", "scalar"},
                                          {"(f32[2, s0, 4], 1, 2)", "symbolic"},  {NULL, NULL}};
VIEW(transpose, "transpose.int", "transpose.int(Tensor self, int dim0, int dim1) -> Tensor",
     "torch.transpose method:transpose torch.swapaxes torch.swapdims method:swapaxes method:swapdims", "Transpose", transpose,
     transpose, NULL, cases_transpose)

static const fx_case cases_t[] = {
    {"(f32[2, 3])", NULL}, {"(f32[3])", "vector"}, {"(f32[])", "scalar"}, {"(f32[s0, 3])", "symbolic"}, {NULL, NULL}};
VIEW(t, "t.default", "t(Tensor self) -> Tensor", "torch.t method:t", "Transpose", t, t, NULL, cases_t)

static const fx_case cases_expand[] = {{"(f32[2, 1, 3], [2, 4, 3])", "repeat"},
                                       {"(f32[3], [2, -1])", "new dim"},
                                       {"(f32[], [2, 3])", "scalar"},
                                       {"(f32[1, 3], [1, 3])", "nothing to do"},
                                       {"(f32[1, 3], [0, 3])", "to nothing"},
                                       {"(f32[s0, 1], [-1, 5])", "symbolic dim stays"},
                                       {NULL, NULL}};
VIEW(expand, "expand.default", "expand(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor",
     "torch.ops.aten.broadcast_to.default torch.broadcast_to method:expand method:broadcast_to", "Expand", expand, expand, NULL,
     cases_expand)
