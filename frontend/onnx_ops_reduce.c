/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_reduce.c: adapters of reductions and softmax. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"

typedef struct reduction {
    fx_attr x;
    const fx_type *type;
    int64_t axes[FX_RANK];
    int32_t n;
    bool keep, nothing; /* nothing: noop_with_empty_axes holds */
} reduction;

/* Axes come as an attribute, later as an input; no axes mean all of them. */
static bool read_reduction(fx_onnx_call *call, reduction *r)
{
    *r = (reduction){.x = fx__onnx_in(call, 0)};
    r->type = fx__onnx_need_type(call, r->x);
    if (!r->type) return false;
    r->keep = fx__onnx_int(call, "keepdims", 1) != 0;
    r->n = fx__onnx_ints_of(call, 1, "axes", r->axes);
    if (call->failed) return false;
    for (int32_t i = 0; i < r->n; i++) r->axes[i] = fx__onnx_axis(call, r->axes[i], r->type->rank);
    r->nothing = r->n <= 0 && fx__onnx_int(call, "noop_with_empty_axes", 0);
    if (r->n > 0) return !call->failed;
    r->n = r->type->rank;
    for (int32_t i = 0; i < r->n; i++) r->axes[i] = i;
    return !call->failed;
}

static fx_attr axes_of(fx_onnx_call *call, const reduction *r)
{
    return fx__onnx_list(call, r->axes, r->n);
}

/* torch sums narrow integers in i64 unless told otherwise; ONNX keeps the type. */
static fx_attr kept_type(const reduction *r)
{
    return fx_dtype_is_int(r->type->dtype) ? fx_dtype_attr(r->type->dtype) : fx_none();
}

/* The sum of `value`, which has the reduction's shape. */
static fx_attr sum_of(fx_onnx_call *call, const reduction *r, fx_attr value)
{
    if (r->nothing) return value;
    return FX_EMIT(call, "aten.sum.dim_IntList", value, axes_of(call, r), fx_bool(r->keep), kept_type(r));
}

static void build_sum(fx_onnx_call *call)
{
    reduction r;
    if (!read_reduction(call, &r)) return;
    if (r.nothing)
        fx__onnx_give(call, 0, r.x);
    else
        FX_GIVE(call, "aten.sum.dim_IntList", r.x, axes_of(call, &r), fx_bool(r.keep), kept_type(&r));
}

static void build_plain(fx_onnx_call *call, const char *target)
{
    reduction r;
    if (!read_reduction(call, &r)) return;
    if (r.nothing)
        fx__onnx_give(call, 0, r.x);
    else
        FX_GIVE(call, target, r.x, axes_of(call, &r), fx_bool(r.keep));
}

static void build_mean(fx_onnx_call *call)
{
    build_plain(call, "aten.mean.dim");
}
static void build_max(fx_onnx_call *call)
{
    build_plain(call, "aten.amax.default");
}
static void build_min(fx_onnx_call *call)
{
    build_plain(call, "aten.amin.default");
}

/* torch multiplies along one axis at a time; from the last one on, earlier axes keep their numbers. */
static void build_prod(fx_onnx_call *call)
{
    reduction r;
    if (!read_reduction(call, &r)) return;
    fx_attr value = r.x;
    for (int32_t axis = r.type->rank - 1; axis >= 0 && !r.nothing; axis--)
        for (int32_t i = 0; i < r.n; i++)
            if (r.axes[i] == axis) {
                value = FX_EMIT(call, "aten.prod.dim_int", value, fx_int(axis), fx_bool(r.keep), kept_type(&r));
                break;
            }
    fx__onnx_give(call, 0, value);
}

static void build_l1(fx_onnx_call *call)
{
    reduction r;
    if (read_reduction(call, &r)) fx__onnx_give(call, 0, sum_of(call, &r, FX_EMIT(call, "aten.abs.default", r.x)));
}

static void build_sum_square(fx_onnx_call *call)
{
    reduction r;
    if (read_reduction(call, &r)) fx__onnx_give(call, 0, sum_of(call, &r, FX_EMIT(call, "aten.mul.Tensor", r.x, r.x)));
}

static void build_l2(fx_onnx_call *call)
{
    reduction r;
    if (read_reduction(call, &r)) FX_GIVE(call, "aten.sqrt.default", sum_of(call, &r, FX_EMIT(call, "aten.mul.Tensor", r.x, r.x)));
}

static void build_log_sum(fx_onnx_call *call)
{
    reduction r;
    if (read_reduction(call, &r)) FX_GIVE(call, "aten.log.default", sum_of(call, &r, r.x));
}

static fx_attr without_axes(fx_onnx_call *call, const reduction *r, fx_attr value)
{
    for (int32_t axis = r->type->rank - 1; axis >= 0 && !r->keep; axis--)
        for (int32_t i = 0; i < r->n; i++)
            if (r->axes[i] == axis) {
                value = FX_EMIT(call, "aten.squeeze.dim", value, fx_int(axis));
                break;
            }
    return value;
}

/* The largest value is taken out first, so that nothing overflows. */
static void build_log_sum_exp(fx_onnx_call *call)
{
    reduction r;
    if (!read_reduction(call, &r)) return;
    if (r.nothing) {
        fx__onnx_give(call, 0, r.x);
        return;
    }
    fx_attr most = FX_EMIT(call, "aten.amax.default", r.x, axes_of(call, &r), fx_bool(true));
    fx_attr terms = FX_EMIT(call, "aten.exp.default", FX_EMIT(call, "aten.sub.Tensor", r.x, most));
    fx_attr sum = FX_EMIT(call, "aten.sum.dim_IntList", terms, axes_of(call, &r), fx_bool(true));
    fx_attr result = FX_EMIT(call, "aten.add.Tensor", FX_EMIT(call, "aten.log.default", sum), most);
    fx__onnx_give(call, 0, without_axes(call, &r, result));
}

/* ---- Positions of extremes --------------------------------------------------------------------------------------------------- */

/* The last of equal extremes is the first one of the flipped axis. */
static void last_index(fx_onnx_call *call, const char *target, fx_attr x, fx_dim size, int32_t axis, bool keep)
{
    fx_attr flipped = FX_EMIT(call, "aten.flip.default", x, fx__onnx_list(call, &(int64_t){axis}, 1));
    fx_attr index = FX_EMIT(call, target, flipped, fx_int(axis), fx_bool(keep));
    if (!fx_dim_is_const(size)) fx__onnx_error(call, FX_E_UNSUPPORTED, "select_last_index of a symbolic size is not supported");
    FX_GIVE(call, "aten.rsub.Scalar", index, fx_int(size - 1));
}

static void build_arg(fx_onnx_call *call, const char *target)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    bool keep = fx__onnx_int(call, "keepdims", 1) != 0;
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    if (call->failed) return;
    if (fx__onnx_int(call, "select_last_index", 0))
        last_index(call, target, x, type->dim[axis], axis, keep);
    else
        FX_GIVE(call, target, x, fx_int(axis), fx_bool(keep));
}

static void build_arg_max(fx_onnx_call *call)
{
    build_arg(call, "aten.argmax.default");
}
static void build_arg_min(fx_onnx_call *call)
{
    build_arg(call, "aten.argmin.default");
}

static void give_topk(fx_onnx_call *call, fx_dim k)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank);
    fx_attr pair = FX_EMIT(call, "aten.topk.default", x, fx_dim_attr(k), fx_int(axis),
                           fx_bool(fx__onnx_int(call, "largest", 1) != 0), fx_bool(fx__onnx_int(call, "sorted", 1) != 0));
    fx__onnx_give(call, 0, FX_EMIT(call, "getitem", pair, fx_int(0)));
    fx__onnx_give(call, 1, FX_EMIT(call, "getitem", pair, fx_int(1)));
}

static void build_topk(fx_onnx_call *call)
{
    const fx_onnx_known *k = fx__onnx_need_known(call, 1, "k");
    if (k && k->n == 1) give_topk(call, k->item[0]);
    if (k && k->n != 1) fx__onnx_error(call, FX_E_FORMAT, "its k is not one number");
}

static void build_topk_attrs(fx_onnx_call *call)
{
    give_topk(call, fx__onnx_int(call, "k", 0));
}

/* ---- Softmax ------------------------------------------------------------------------------------------------------------------
 */

static void softmax_along(fx_onnx_call *call, const char *target, int64_t fallback)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (type) FX_GIVE(call, target, x, fx_int(fx__onnx_axis(call, fx__onnx_int(call, "axis", fallback), type->rank)), fx_none());
}

/* Before opset 13 the axes from `axis` on are one: the input is a matrix for the softmax. */
static void softmax_flat(fx_onnx_call *call, const char *target)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 1), type->rank);
    if (call->failed) return;
    if (axis == type->rank - 1) {
        FX_GIVE(call, target, x, fx_int(axis), fx_none());
        return;
    }
    fx_attr rows = FX_EMIT(call, "aten.flatten.using_ints", x, fx_int(axis), fx_int(-1));
    fx_attr result = FX_EMIT(call, target, rows, fx_int(axis), fx_none());
    FX_GIVE(call, "aten.reshape.default", result, fx__onnx_dims(call, type->dim, type->rank));
}

static void build_softmax(fx_onnx_call *call)
{
    softmax_along(call, "aten.softmax.int", -1);
}
static void build_log_softmax(fx_onnx_call *call)
{
    softmax_along(call, "aten.log_softmax.int", -1);
}
static void build_softmax_flat(fx_onnx_call *call)
{
    softmax_flat(call, "aten.softmax.int");
}
static void build_log_softmax_flat(fx_onnx_call *call)
{
    softmax_flat(call, "aten.log_softmax.int");
}

const fx_onnx_op fx__onnx_ops_reduce[] = {
    {"ArgMax", 1, 1, 1, 1, build_arg_max},
    {"ArgMin", 1, 1, 1, 1, build_arg_min},
    {"LogSoftmax", 1, 1, 1, 1, build_log_softmax_flat},
    {"LogSoftmax", 13, 1, 1, 1, build_log_softmax},
    {"ReduceL1", 1, 1, 2, 1, build_l1},
    {"ReduceL2", 1, 1, 2, 1, build_l2},
    {"ReduceLogSum", 1, 1, 2, 1, build_log_sum},
    {"ReduceLogSumExp", 1, 1, 2, 1, build_log_sum_exp},
    {"ReduceMax", 1, 1, 2, 1, build_max},
    {"ReduceMean", 1, 1, 2, 1, build_mean},
    {"ReduceMin", 1, 1, 2, 1, build_min},
    {"ReduceProd", 1, 1, 2, 1, build_prod},
    {"ReduceSum", 1, 1, 2, 1, build_sum},
    {"ReduceSumSquare", 1, 1, 2, 1, build_sum_square},
    {"Softmax", 1, 1, 1, 1, build_softmax_flat},
    {"Softmax", 13, 1, 1, 1, build_softmax},
    {"TopK", 1, 1, 1, 2, build_topk_attrs},
    {"TopK", 10, 2, 2, 2, build_topk},
    {0},
};
