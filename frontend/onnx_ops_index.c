/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_index.c: adapters of operators that read or write where a tensor of indices says. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <string.h>

/* ---- Gather ------------------------------------------------------------------------------------------------------------------ */

/* Indices that follow each other are a slice; this many others are slices side by side. */
enum { FEW = 3 };

static fx_attr take_slice(fx_onnx_call *call, fx_attr x, int32_t axis, int64_t from, int64_t to)
{
    return FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_int(from), fx_int(to), fx_int(1));
}

/* Constant indices, counted from the front; false: not constant, or reported. */
static bool constant_indices(fx_onnx_call *call, const fx_onnx_known *known, fx_dim size, int64_t *out)
{
    for (int32_t i = 0; known && i < known->n; i++) {
        int64_t index = known->item[i];
        if (!fx_dim_is_const(index) || (index < 0 && !fx_dim_is_const(size))) return false;
        if (fx_dim_is_const(size) && (index < -size || index >= size)) {
            fx__onnx_error(call, FX_E_INDEX, "index %lld is outside of its axis of %lld", (long long)index, (long long)size);
            return false;
        }
        out[i] = index < 0 ? index + size : index;
    }
    return known && known->n > 0;
}

static bool follow(const int64_t *index, int32_t n)
{
    for (int32_t i = 1; i < n; i++)
        if (index[i] != index[i - 1] + 1) return false;
    return true;
}

/* False: better looked up in a table. */
static bool gather_constants(fx_onnx_call *call, fx_attr x, int32_t axis, int32_t rank, const int64_t *index, int32_t n)
{
    fx_attr parts[FEW];
    if (rank == 0) {
        FX_GIVE(call, "aten.select.int", x, fx_int(axis), fx_int(index[0]));
        return true;
    }
    if (follow(index, n)) {
        FX_GIVE(call, "aten.slice.Tensor", x, fx_int(axis), fx_int(index[0]), fx_int(index[n - 1] + 1), fx_int(1));
        return true;
    }
    for (int32_t i = 0; i < n && n <= FEW; i++) parts[i] = take_slice(call, x, axis, index[i], index[i] + 1);
    if (n <= FEW) FX_GIVE(call, "aten.cat.default", fx_list(call->import->graph, parts, n), fx_int(axis));
    return n <= FEW;
}

/* None for the first `n` dims, then the index tensors. */
static fx_attr index_list(fx_onnx_call *call, int32_t n, const fx_attr *indices, int32_t n_indices)
{
    fx_attr items[2 * FX_RANK];
    for (int32_t i = 0; i < n; i++) items[i] = fx_none();
    for (int32_t i = 0; i < n_indices; i++) items[n + i] = indices[i];
    return fx_list(call->import->graph, items, n + n_indices);
}

static void gather_computed(fx_onnx_call *call, fx_attr x, const fx_type *type, int32_t axis)
{
    fx_attr indices = fx__onnx_in(call, 1);
    const fx_type *index_type = fx__onnx_need_type(call, indices);
    if (!index_type) return;
    if (axis == 0 && type->rank == 2)
        FX_GIVE(call, "aten.embedding.default", x, indices);
    else if (index_type->rank == 1)
        FX_GIVE(call, "aten.index_select.default", x, fx_int(axis), indices);
    else
        FX_GIVE(call, "aten.index.Tensor", x, index_list(call, axis, &indices, 1));
}

static void build_gather(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_onnx_known *known = fx__onnx_known(call, 1);
    int64_t index[FX_ONNX_KNOWN];
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    if (call->failed) return;
    bool constant = constant_indices(call, known, type->dim[axis], index);
    if (!constant || !gather_constants(call, x, axis, known->rank, index, known->n)) gather_computed(call, x, type, axis);
}

static void build_gather_elements(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    FX_GIVE(call, "aten.gather.default", x, fx_int(axis), fx__onnx_cast(call, fx__onnx_in(call, 1), FX_I64));
}

/* 0 to n - 1 along dimension `axis` of `rank`. */
static fx_attr positions(fx_onnx_call *call, int32_t axis, int32_t rank, fx_dim n)
{
    int64_t dims[FX_RANK];
    fx_tensor numbers;
    if (!fx_dim_is_const(n)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "batch dimensions must be constant");
        return fx_none();
    }
    for (int32_t i = 0; i < rank; i++) dims[i] = i == axis ? n : 1;
    if (!fx__onnx_new_tensor(call, FX_I64, rank, dims, &numbers)) return fx_none();
    for (int64_t i = 0; i < n; i++) ((int64_t *)numbers.data)[i] = i;
    return fx__onnx_constant(call, &numbers);
}

/* The last axis of the indices holds one index per dimension behind the batch. */
static void build_gather_nd(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), indices = fx__onnx_in(call, 1), all[2 * FX_RANK];
    const fx_type *type = fx__onnx_need_type(call, x), *index_type = fx__onnx_need_type(call, indices);
    int64_t batch = fx__onnx_int(call, "batch_dims", 0);
    if (!type || !index_type) return;
    int32_t rank = index_type->rank - 1;
    fx_dim depth = rank >= 0 ? index_type->dim[rank] : FX_DIM_BAD;
    if (rank < 0 || batch < 0 || batch > rank || !fx_dim_is_const(depth) || depth < 1 || depth > type->rank - batch) {
        fx__onnx_error(call, FX_E_SHAPE, "its indices do not fit the dimensions of its data");
        return;
    }
    for (int32_t i = 0; i < batch; i++) all[i] = positions(call, i, rank, type->dim[i]);
    for (int32_t i = 0; i < depth; i++) all[batch + i] = FX_EMIT(call, "aten.select.int", indices, fx_int(rank), fx_int(i));
    FX_GIVE(call, "aten.index.Tensor", x, index_list(call, 0, all, (int32_t)(batch + depth)));
}

/* ---- Scatter ------------------------------------------------------------------------------------------------------------------
 */

/* torch's word for a reduction; NULL: values are replaced, or the word is not known, which is reported. */
static const char *reduction_of(fx_onnx_call *call)
{
    static const char *const words[][2] = {{"add", "sum"}, {"mul", "prod"}, {"max", "amax"}, {"min", "amin"}};
    const char *text = fx__onnx_text(call, "reduction", "none");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i][0]) == 0) return words[i][1];
    if (strcmp(text, "none") != 0) fx__onnx_error(call, FX_E_UNSUPPORTED, "reduction \"%s\"", text);
    return NULL;
}

static fx_attr scattered(fx_onnx_call *call, fx_attr x, int32_t axis, fx_attr indices, fx_attr updates)
{
    const char *reduce = reduction_of(call);
    if (!reduce) return FX_EMIT(call, "aten.scatter.src", x, fx_int(axis), indices, updates);
    return FX_EMIT(call, "aten.scatter_reduce.two", x, fx_int(axis), indices, updates, fx_str(call->import->graph, reduce));
}

/* Counted from the front. */
static fx_attr from_front(fx_onnx_call *call, fx_attr indices, fx_dim size)
{
    fx_attr wide = fx__onnx_cast(call, indices, FX_I64);
    fx_attr turned = FX_EMIT(call, "aten.add.Tensor", wide, fx_dim_attr(size));
    return FX_EMIT(call, "aten.where.self", FX_EMIT(call, "aten.lt.Scalar", wide, fx_int(0)), turned, wide);
}

static void build_scatter_elements(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    fx__onnx_give(call, 0, scattered(call, x, axis, fx__onnx_cast(call, fx__onnx_in(call, 1), FX_I64), fx__onnx_in(call, 2)));
}

/* The first `depth` dims as one, which the last axis of the indices counts through: sum of index times stride. */
static fx_attr row_numbers(fx_onnx_call *call, const fx_type *type, fx_attr indices, int32_t rank, int64_t depth)
{
    fx_attr row = fx_none();
    int64_t stride = 1;
    for (int64_t i = depth - 1; i >= 0; stride *= type->dim[i--]) {
        fx_attr part = from_front(call, FX_EMIT(call, "aten.select.int", indices, fx_int(rank), fx_int(i)), type->dim[i]);
        if (stride != 1) part = FX_EMIT(call, "aten.mul.Scalar", part, fx_int(stride));
        row = row.kind == FX_ATTR_NONE ? part : FX_EMIT(call, "aten.add.Tensor", row, part);
    }
    return row;
}

/* Data as [rows, rest], updates as [updates, rest]. */
static void build_scatter_nd(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), indices = fx__onnx_in(call, 1);
    const fx_type *type = fx__onnx_need_type(call, x), *index_type = fx__onnx_need_type(call, indices);
    if (!type || !index_type) return;
    int32_t rank = index_type->rank - 1;
    fx_dim depth = rank >= 0 ? index_type->dim[rank] : FX_DIM_BAD, rows = 1, rest = 1, updates = 1;
    bool good = rank >= 0 && fx_dim_is_const(depth) && depth >= 1 && depth <= type->rank;
    for (int32_t i = 0; good && i < type->rank; i++) {
        good = fx_dim_is_const(type->dim[i]) && type->dim[i] < INT32_MAX && rows < INT32_MAX && rest < INT32_MAX;
        if (good) *(i < depth ? &rows : &rest) *= type->dim[i];
    }
    for (int32_t i = 0; good && i < rank; i++) updates = fx__dim_mul(call->import->graph->dims, updates, index_type->dim[i]);
    if (!good) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its data must be of constant size, and its indices must fit");
        return;
    }
    fx_attr row = row_numbers(call, type, indices, rank, depth), shape = fx__onnx_dims(call, (const fx_dim[]){updates, rest}, 2);
    row = FX_EMIT(call, "aten.reshape.default", row, fx__onnx_dims(call, (const fx_dim[]){updates, 1}, 2));
    fx_attr flat = FX_EMIT(call, "aten.reshape.default", x, fx__onnx_dims(call, (const fx_dim[]){rows, rest}, 2));
    fx_attr values = FX_EMIT(call, "aten.reshape.default", fx__onnx_in(call, 2), shape);
    fx_attr result = scattered(call, flat, 0, FX_EMIT(call, "aten.expand.default", row, shape), values);
    FX_GIVE(call, "aten.reshape.default", result, fx__onnx_dims(call, type->dim, type->rank));
}

/* ---- Rows that are kept or turned round ---------------------------------------------------------------------------------------
 */

/* Where a condition, which is known, holds. */
static void build_compress(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_tensor *condition = fx__onnx_tensor(call, 1);
    fx_tensor at;
    if (!type) return;
    if (!condition || condition->rank != 1) {
        if (!call->failed) fx__onnx_error(call, FX_E_UNSUPPORTED, "its condition must be known when importing");
        return;
    }
    int64_t n = 0, elems = condition->dim[0];
    for (int64_t i = 0; i < elems; i++) n += fx_tensor_get(condition, i) != 0;
    bool flat = !fx__onnx_attr(call, "axis");
    int32_t axis = flat ? 0 : fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    if (call->failed || !fx__onnx_new_tensor(call, FX_I64, 1, &n, &at)) return;
    for (int64_t i = 0, k = 0; i < elems; i++)
        if (fx_tensor_get(condition, i) != 0) ((int64_t *)at.data)[k++] = i;
    if (flat) x = FX_EMIT(call, "aten.reshape.default", x, fx__onnx_list(call, &(int64_t){-1}, 1));
    FX_GIVE(call, "aten.index_select.default", x, fx_int(axis), fx__onnx_constant(call, &at));
}

/* The first `length` steps of each row of the batch, backwards: step t comes from length - 1 - t. */
static void build_reverse_sequence(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), lengths = fx__onnx_cast(call, fx__onnx_in(call, 1), FX_I64);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t batch = fx__onnx_int(call, "batch_axis", 1), time = fx__onnx_int(call, "time_axis", 0);
    if (!type) return;
    if (type->rank < 2 || batch + time != 1 || batch * time != 0) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its batch and time must be the first two axes");
        return;
    }
    fx_attr step = positions(call, (int32_t)time, 2, type->dim[time]), row = positions(call, (int32_t)batch, 2, type->dim[batch]);
    fx_attr length = FX_EMIT(call, "aten.unsqueeze.default", lengths, fx_int(time));
    fx_attr turned = FX_EMIT(call, "aten.sub.Tensor", FX_EMIT(call, "aten.sub.Scalar", length, fx_int(1)), step);
    fx_attr from = FX_EMIT(call, "aten.where.self", FX_EMIT(call, "aten.lt.Tensor", step, length), turned, step);
    fx_attr index[2] = {time == 0 ? from : row, time == 0 ? row : from};
    FX_GIVE(call, "aten.index.Tensor", x, index_list(call, 0, index, 2));
}

const fx_onnx_op fx__onnx_ops_index[] = {
    {"Compress", 9, 2, 2, 1, build_compress},
    {"Gather", 1, 2, 2, 1, build_gather},
    {"GatherElements", 11, 2, 2, 1, build_gather_elements},
    {"GatherND", 11, 2, 2, 1, build_gather_nd},
    {"ReverseSequence", 10, 2, 2, 1, build_reverse_sequence},
    {"Scatter", 9, 3, 3, 1, build_scatter_elements},
    {"ScatterElements", 11, 3, 3, 1, build_scatter_elements},
    {"ScatterND", 11, 3, 3, 1, build_scatter_nd},
    {0},
};
