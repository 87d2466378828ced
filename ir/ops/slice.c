/* SPDX-License-Identifier: Apache-2.0 */
/* Views of a part of the input: slice, narrow, select, and flip. The view hook sets base and coefficient of one dim's index. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__slice_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__narrow_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__select_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__flip_ref(const fx_rt_arg *args, fx_tensor *results);

/* A part of one dim: start + i * step, i < length. */
typedef struct part {
    int32_t dim;
    fx_dim start, length;
    int64_t step;
} part;
typedef fx_status (*part_fn)(const fx_call *call, part *out);

/* An int or symbolic int argument. */
static fx_status read_size(const fx_call *call, int32_t index, fx_dim *out)
{
    fx_dim size[FX_RANK];
    if (fx__call_dims(call, index, 1, size) != 1) return FX_E_ARG;
    *out = size[0];
    return FX_OK;
}

static fx_status read_dim(const fx_call *call, part *out)
{
    const fx_type *x = fx__call_type(call, 0);
    if (x->rank == 0) return fx__call_error(call, FX_E_SHAPE, "a scalar has no parts");
    out->dim = fx__call_axis(call, fx__call_int(call, 1), x->rank);
    return out->dim < 0 ? FX_E_ARG : FX_OK;
}

/* Python's rule: a negative bound counts from the end, and bounds outside are moved to the ends. */
static fx_dim clamp_bound(fx_dims *dims, fx_dim bound, fx_dim size)
{
    if (bound == INT64_MAX) return size;
    if (fx_dim_is_const(bound) && bound < 0) bound = fx__dim_add(dims, bound, size);
    return fx__dim_max(dims, 0, fx__dim_min(dims, bound, size));
}

static fx_status part_slice(const fx_call *call, part *out)
{
    FX_TRY(read_dim(call, out));
    fx_dim size = fx__call_type(call, 0)->dim[out->dim], start = 0, end = size, step;
    if (!fx__call_is_none(call, 2)) FX_TRY(read_size(call, 2, &start));
    if (!fx__call_is_none(call, 3)) FX_TRY(read_size(call, 3, &end));
    FX_TRY(read_size(call, 4, &step));
    if (!fx_dim_is_const(step)) return fx__call_error(call, FX_E_UNSUPPORTED, "step must be a constant");
    if (step < 1) return fx__call_error(call, FX_E_ARG, "step is %lld, expected at least 1", (long long)step);
    out->start = clamp_bound(call->dims, start, size);
    end = clamp_bound(call->dims, end, size);
    out->step = step;
    fx_dim length = fx__dim_ceildiv(call->dims, fx__dim_sub(call->dims, end, out->start), step);
    out->length = fx__dim_le(call->dims, out->start, end) ? length : fx__dim_max(call->dims, 0, length);
    return FX_OK;
}

/* index < 0 counts from the end; index + count must not exceed the size. */
static fx_status locate(const fx_call *call, part *out, fx_dim index, fx_dim count)
{
    fx_dim size = fx__call_type(call, 0)->dim[out->dim];
    out->start = fx_dim_is_const(index) && index < 0 ? fx__dim_add(call->dims, index, size) : index;
    out->length = count;
    out->step = 1;
    if (fx__dims_assume(call->dims, FX_GUARD_LE, 0, out->start, "an index is not negative") &&
        fx__dims_assume(call->dims, FX_GUARD_LE, fx__dim_add(call->dims, out->start, count), size, "an index lies inside"))
        return FX_OK;
    return fx__call_error(call, FX_E_INDEX, "index %s is outside dim %d of %s", fx__check_dim(call, index).s, out->dim,
                          fx__check_type(call, fx__call_type(call, 0)).s);
}

static fx_status part_narrow(const fx_call *call, part *out)
{
    fx_dim start, length;
    FX_TRY(read_dim(call, out));
    FX_TRY(read_size(call, 2, &start));
    FX_TRY(read_size(call, 3, &length));
    if (fx_dim_is_const(length) && length < 0) return fx__call_error(call, FX_E_ARG, "length %lld is negative", (long long)length);
    return locate(call, out, start, length);
}

static fx_status part_select(const fx_call *call, part *out)
{
    fx_dim index;
    FX_TRY(read_dim(call, out));
    FX_TRY(read_size(call, 2, &index));
    return locate(call, out, index, 1);
}

static fx_index part_index(const part *p, int32_t axis)
{
    return (fx_index){.base = p->start, .n = 1, .term = {{.axis = (uint8_t)axis, .coef = p->step, .div = 1}}, .value = -1};
}

static fx_status shape_part(fx_call *call, part_fn read)
{
    part p = {0};
    FX_TRY(read(call, &p));
    call->result[0] = *fx__call_type(call, 0);
    call->result[0].dim[p.dim] = p.length;
    return FX_OK;
}

static fx_status view_part(fx_view *view, const fx_call *call, part_fn read)
{
    part p = {0};
    FX_TRY(read(call, &p));
    for (int32_t d = 0; d < view->in->rank; d++) view->at[d] = d == p.dim ? part_index(&p, d) : fx__index_axis((uint8_t)d);
    return FX_OK;
}

static fx_status shape_slice(fx_call *call)
{
    return shape_part(call, part_slice);
}
static fx_status view_slice(fx_view *view, const fx_call *call)
{
    return view_part(view, call, part_slice);
}
static fx_status shape_narrow(fx_call *call)
{
    return shape_part(call, part_narrow);
}
static fx_status view_narrow(fx_view *view, const fx_call *call)
{
    return view_part(view, call, part_narrow);
}

static fx_status shape_select(fx_call *call)
{
    part p = {0};
    FX_TRY(part_select(call, &p));
    fx_type *out = &call->result[0];
    *out = *fx__call_type(call, 0);
    out->rank--;
    for (int32_t d = p.dim; d < out->rank; d++) out->dim[d] = out->dim[d + 1];
    return FX_OK;
}

static fx_status view_select(fx_view *view, const fx_call *call)
{
    part p = {0};
    FX_TRY(part_select(call, &p));
    for (int32_t d = 0; d < view->in->rank; d++)
        view->at[d] = d == p.dim ? fx__index_const(p.start) : fx__index_axis((uint8_t)(d < p.dim ? d : d - 1));
    return FX_OK;
}

/* Dims that flip turns round: bits. */
static fx_status flipped(const fx_call *call, uint32_t *out)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t dims[FX_RANK];
    int32_t n = fx__call_ints(call, 1, 0, dims);
    if (n < 0) return FX_E_ARG;
    *out = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t d = fx__call_axis(call, dims[i], x->rank);
        if (d < 0) return FX_E_ARG;
        if (*out >> d & 1) return fx__call_error(call, FX_E_ARG, "dim %lld occurs twice in dims", (long long)dims[i]);
        *out |= 1u << d;
    }
    return FX_OK;
}

static fx_status shape_flip(fx_call *call)
{
    uint32_t turned;
    FX_TRY(flipped(call, &turned));
    return fx__rule_shape_same(call);
}

static fx_status view_flip(fx_view *view, const fx_call *call)
{
    uint32_t turned;
    FX_TRY(flipped(call, &turned));
    for (int32_t d = 0; d < view->in->rank; d++) {
        part whole = {.dim = d,
                      .start = turned >> d & 1 ? fx__dim_sub(view->dims, view->in->dim[d], 1) : 0,
                      .step = turned >> d & 1 ? -1 : 1};
        view->at[d] = part_index(&whole, d);
    }
    return FX_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_slice = {
    .name = "slice",
    .target = "torch.ops.aten.slice.Tensor",
    .schema = "slice.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor",
    .names = "",
    .onnx = "Slice",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_slice,
    .reference = fx__slice_ref,
    .view = view_slice,
    .cases = (const fx_case[]){{"(f32[5, 6], 0, 1, 4)", "middle"},
                               {"(f32[5, 6], 1, 0, 9223372036854775807)", "all"},
                               {"(f32[5, 17], 1, 1, None, 3)", "step"},
                               {"(f32[5, 6], -1, -3, -1)", "negative bounds"},
                               {"(f32[5, 6], 0, 4, 2)", "empty"},
                               {"(f32[5, 6], 0, -100, 100)", "bounds outside"},
                               {"(f32[s0, 6], 0, 1, None)", "symbolic, without the first"},
                               {"(f32[s0, 6], 0, None, -1)", "symbolic, without the last"},
                               {"(f32[s0, 6], 0, None, 4, 2)", "symbolic, at most four"},
                               {NULL, NULL}},
};

const fx_op fx_op_narrow = {
    .name = "narrow",
    .target = "torch.ops.aten.narrow.default",
    .schema = "narrow(Tensor self, int dim, SymInt start, SymInt length) -> Tensor",
    .names = "torch.narrow method:narrow",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_narrow,
    .reference = fx__narrow_ref,
    .view = view_narrow,
    .cases = (const fx_case[]){{"(f32[5, 6], 1, 2, 3)", NULL},
                               {"(f32[5, 6], 0, -2, 2)", "from the end"},
                               {"(f32[5, 6], 0, 5, 0)", "empty"},
                               {NULL, NULL}},
};

const fx_op fx_op_select = {
    .name = "select",
    .target = "torch.ops.aten.select.int",
    .schema = "select.int(Tensor self, int dim, SymInt index) -> Tensor",
    .names = "torch.select method:select",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_select,
    .reference = fx__select_ref,
    .view = view_select,
    .cases = (const fx_case[]){{"(f32[5, 6], 0, 2)", "row"},
                               {"(f32[5, 6], 1, -1)", "last column"},
                               {"(f32[3], 0, 0)", "to a scalar"},
                               {"(f32[2, s0, 4], 1, 0)", "symbolic, first"},
                               {"(f32[2, s0, 4], 1, -1)", "symbolic, last"},
                               {NULL, NULL}},
};

const fx_op fx_op_flip = {
    .name = "flip",
    .target = "torch.ops.aten.flip.default",
    .schema = "flip(Tensor self, int[] dims) -> Tensor",
    .names = "torch.flip method:flip",
    .family = "views",
    .dtypes = FX_ANY,
    .shape = shape_flip,
    .reference = fx__flip_ref,
    .view = view_flip,
    .cases = (const fx_case[]){{"(f32[2, 17], [1])", "columns"},
                               {"(f32[2, 3, 4], [0, -1])", "two dims"},
                               {"(f32[2, 0], [1])", "empty"},
                               {"(f32[s0, 3], [0])", "symbolic"},
                               {NULL, NULL}},
};
