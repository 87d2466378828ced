/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_class.c: adapters of operators over classes: one-hot codes, Hardmax and the losses of classifiers. Each compares indices
 * with the numbers of all classes, which needs no gather: a loss reads all scores anyway, and the comparison fuses with the sum. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <string.h>

/* 0 to n - 1 along dimension `axis` of `rank`, to be broadcast along the others. */
static fx_attr class_numbers(fx_onnx_call *call, fx_dtype dtype, int32_t rank, int32_t axis, fx_dim n)
{
    int64_t dims[FX_RANK];
    fx_tensor numbers;
    if (!fx_dim_is_const(n) || rank > FX_RANK) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "needs a constant number of classes and at most %d dimensions", FX_RANK);
        return fx_none();
    }
    for (int32_t i = 0; i < rank; i++) dims[i] = i == axis ? n : 1;
    if (!fx__onnx_new_tensor(call, dtype, rank, dims, &numbers)) return fx_none();
    for (int64_t i = 0; i < n; i++) fx_tensor_set(&numbers, i, (double)i);
    return fx__onnx_constant(call, &numbers);
}

/* Where the class along `axis`, a dimension that `indices` lack, is the index. */
static fx_attr is_class(fx_onnx_call *call, fx_attr indices, int32_t axis, fx_dim n)
{
    const fx_type *type = fx__onnx_need_type(call, indices);
    if (!type) return fx_none();
    fx_attr numbers = class_numbers(call, type->dtype, type->rank + 1, axis, n);
    return FX_EMIT(call, "aten.eq.Tensor", FX_EMIT(call, "aten.unsqueeze.default", indices, fx_int(axis)), numbers);
}

static void build_one_hot(fx_onnx_call *call)
{
    fx_attr indices = fx__onnx_cast(call, fx__onnx_in(call, 0), FX_I64), values = fx__onnx_in(call, 2);
    const fx_type *type = fx__onnx_need_type(call, indices);
    const fx_tensor *depth = fx__onnx_tensor(call, 1);
    if (!type) return;
    if (!depth || fx_tensor_elems(depth) != 1) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its depth must be one number that is known when importing");
        return;
    }
    int64_t n = (int64_t)fx_tensor_get(depth, 0);
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank + 1);
    fx_attr turned = FX_EMIT(call, "aten.add.Scalar", indices, fx_int(n)); /* negative indices count from the end */
    fx_attr index = FX_EMIT(call, "aten.where.self", FX_EMIT(call, "aten.lt.Scalar", indices, fx_int(0)), turned, indices);
    fx_attr off = FX_EMIT(call, "aten.select.int", values, fx_int(0), fx_int(0));
    fx_attr on = FX_EMIT(call, "aten.select.int", values, fx_int(0), fx_int(1));
    FX_GIVE(call, "aten.where.self", is_class(call, index, axis, n), on, off);
}

/* ---- Hardmax: 1 at the first of the largest, 0 elsewhere ------------------------------------------------------------------- */

static fx_attr hardmax(fx_onnx_call *call, fx_attr x, int32_t axis)
{
    const fx_type *type = fx__onnx_type(x);
    if (!type) return fx_none();
    fx_attr numbers = class_numbers(call, FX_I64, type->rank, axis, type->dim[axis]);
    fx_attr first = FX_EMIT(call, "aten.argmax.default", x, fx_int(axis), fx_bool(true));
    return fx__onnx_cast(call, FX_EMIT(call, "aten.eq.Tensor", first, numbers), type->dtype);
}

static void build_hardmax(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", -1), type->rank);
    if (!call->failed) fx__onnx_give(call, 0, hardmax(call, x, axis));
}

/* Before opset 13 the axes from `axis` on are one. */
static void build_hardmax_flat(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 1), type->rank);
    if (call->failed) return;
    fx_attr rows = FX_EMIT(call, "aten.flatten.using_ints", x, fx_int(axis), fx_int(-1));
    FX_GIVE(call, "aten.reshape.default", hardmax(call, rows, axis), fx__onnx_dims(call, type->dim, type->rank));
}

/* ---- Losses ------------------------------------------------------------------------------------------------------------------ */

static fx_attr sum_all(fx_onnx_call *call, fx_attr value)
{
    const fx_type *type = fx__onnx_type(value);
    int64_t axes[FX_RANK];
    for (int32_t i = 0; type && i < type->rank; i++) axes[i] = i;
    return FX_EMIT(call, "aten.sum.dim_IntList", value, fx__onnx_list(call, axes, type ? type->rank : 0), fx_bool(false));
}

/* The entry of `values` that belongs to each target's class. */
static fx_attr picked(fx_onnx_call *call, fx_attr chosen, fx_attr values)
{
    fx_attr only = FX_EMIT(call, "aten.where.self", chosen, values, fx_int(0));
    return FX_EMIT(call, "aten.sum.dim_IntList", only, fx__onnx_list(call, &(int64_t){1}, 1), fx_bool(false));
}

static fx_attr without_ignored(fx_onnx_call *call, fx_attr value, fx_attr target)
{
    if (!fx__onnx_attr(call, "ignore_index")) return value;
    fx_attr ignored = FX_EMIT(call, "aten.eq.Scalar", target, fx_int(fx__onnx_int(call, "ignore_index", 0)));
    return FX_EMIT(call, "aten.masked_fill.Scalar", value, ignored, fx_int(0));
}

/* What each target counts for: its class's weight, or 1. */
static fx_attr weight_of(fx_onnx_call *call, fx_attr chosen, const fx_type *scores, fx_attr target)
{
    fx_attr weight = fx__onnx_in(call, 2);
    const fx_type *type = fx__onnx_type(target);
    if (weight.kind == FX_ATTR_NONE)
        weight = type ? fx__onnx_full(call, type->dim, type->rank, scores->dtype, 1) : fx_none();
    else {
        for (int32_t i = 2; i < scores->rank; i++) weight = FX_EMIT(call, "aten.unsqueeze.default", weight, fx_int(-1));
        weight = picked(call, chosen, weight);
    }
    return without_ignored(call, weight, target);
}

static void give_loss(fx_onnx_call *call, fx_attr log_scores)
{
    fx_attr target = fx__onnx_in(call, 1);
    const fx_type *scores = fx__onnx_need_type(call, log_scores);
    const char *reduction = fx__onnx_text(call, "reduction", "mean");
    if (!scores || call->failed) return;
    if (scores->rank < 2) {
        fx__onnx_error(call, FX_E_SHAPE, "scores of %d dimensions; 2 or more are needed", (int)scores->rank);
        return;
    }
    fx_attr chosen = is_class(call, target, 1, scores->dim[1]);
    fx_attr loss = FX_EMIT(call, "aten.neg.default", picked(call, chosen, log_scores));
    fx_attr weight = weight_of(call, chosen, scores, target);
    loss = without_ignored(call, FX_EMIT(call, "aten.mul.Tensor", loss, weight), target);
    if (strcmp(reduction, "mean") == 0)
        FX_GIVE(call, "aten.div.Tensor", sum_all(call, loss), sum_all(call, weight));
    else
        fx__onnx_give(call, 0, strcmp(reduction, "sum") == 0 ? sum_all(call, loss) : loss);
}

static void build_nll_loss(fx_onnx_call *call)
{
    give_loss(call, fx__onnx_in(call, 0));
}

static void build_cross_entropy(fx_onnx_call *call)
{
    fx_attr log_scores = FX_EMIT(call, "aten.log_softmax.int", fx__onnx_in(call, 0), fx_int(1), fx_none());
    give_loss(call, log_scores);
    fx__onnx_give(call, 1, log_scores);
}

const fx_onnx_op fx__onnx_ops_class[] = {
    {"Hardmax", 1, 1, 1, 1, build_hardmax_flat},
    {"Hardmax", 13, 1, 1, 1, build_hardmax},
    {"NegativeLogLikelihoodLoss", 12, 2, 3, 1, build_nll_loss},
    {"OneHot", 9, 3, 3, 1, build_one_hot},
    {"SoftmaxCrossEntropyLoss", 12, 2, 3, 2, build_cross_entropy},
    {0},
};
