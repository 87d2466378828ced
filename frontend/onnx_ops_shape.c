/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_shape.c: adapters of operators that move elements, and of constants. What they do to integers that are known while
 * importing stands in onnx_shape.c. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <string.h>

/* ---- Shapes ------------------------------------------------------------------------------------------------------------------ */

static void build_flatten(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return;
    int64_t axis = fx__onnx_int(call, "axis", 1);
    int32_t at = axis == type->rank ? type->rank : fx__onnx_axis(call, axis, type->rank);
    fx_dim out[2] = {1, 1};
    for (int32_t i = 0; i < type->rank; i++) out[i >= at] = fx__dim_mul(call->import->graph->dims, out[i >= at], type->dim[i]);
    if (at == 1 && type->rank > 1)
        FX_GIVE(call, "aten.flatten.using_ints", x, fx_int(1), fx_int(-1));
    else
        FX_GIVE(call, "aten.reshape.default", x, fx__onnx_dims(call, out, 2));
}

static void build_reshape(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_onnx_known *shape = fx__onnx_need_known(call, 1, "shape");
    if (!type || !shape) return;
    bool zero_copies = !fx__onnx_int(call, "allowzero", 0);
    fx_dim dims[FX_RANK];
    if (shape->n > FX_RANK) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "more than %d dimensions", FX_RANK);
        return;
    }
    for (int32_t i = 0; i < shape->n; i++) {
        bool copies = shape->item[i] == 0 && zero_copies;
        if (copies && i >= type->rank)
            fx__onnx_error(call, FX_E_SHAPE, "size 0 at %d copies a dimension that is not there", (int)i);
        dims[i] = copies && i < type->rank ? type->dim[i] : shape->item[i];
    }
    FX_GIVE(call, "aten.reshape.default", x, fx__onnx_dims(call, dims, shape->n));
}

static void build_transpose(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t perm[FX_RANK];
    if (!type) return;
    int32_t n = fx__onnx_ints(call, "perm", perm);
    for (int32_t i = 0; n < 0 && i < type->rank; i++) perm[i] = type->rank - 1 - i;
    FX_GIVE(call, "aten.permute.default", x, fx__onnx_list(call, perm, n < 0 ? type->rank : n));
}

static bool listed(const int64_t *axes, int32_t n, int32_t axis)
{
    for (int32_t i = 0; i < n; i++)
        if (axes[i] == axis) return true;
    return false;
}

/* From the last axis on, so that the numbers of earlier ones stay right. Without axes: all that are surely 1. */
static void build_squeeze(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    if (!type) return;
    int32_t n = fx__onnx_ints_of(call, 1, "axes", axes), rank = type->rank;
    for (int32_t i = 0; i < n; i++) axes[i] = fx__onnx_axis(call, axes[i], rank);
    for (int32_t axis = rank - 1; axis >= 0; axis--) {
        fx_dim size = type->dim[axis];
        bool drop = n >= 0 ? listed(axes, n, axis) : size == 1;
        if (drop && n >= 0 && fx_dim_is_const(size) && size != 1)
            fx__onnx_error(call, FX_E_SHAPE, "axis %d has size %lld, not 1", (int)axis, (long long)size);
        if (drop) x = FX_EMIT(call, "aten.squeeze.dim", x, fx_int(axis));
    }
    fx__onnx_give(call, 0, x);
}

static void build_unsqueeze(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    int32_t n = fx__onnx_ints_of(call, 1, "axes", axes);
    if (!type || n < 0 || call->failed) {
        if (type && !call->failed) fx__onnx_error(call, FX_E_FORMAT, "has no axes");
        return;
    }
    int32_t rank = type->rank + n;
    if (rank > FX_RANK) fx__onnx_error(call, FX_E_UNSUPPORTED, "more than %d dimensions", FX_RANK);
    for (int32_t i = 0; i < n; i++) axes[i] = fx__onnx_axis(call, axes[i], rank);
    for (int32_t axis = 0; axis < rank; axis++)
        if (listed(axes, n, axis)) x = FX_EMIT(call, "aten.unsqueeze.default", x, fx_int(axis));
    const fx_type *result = fx__onnx_type(x);
    if (result && result->rank != rank) fx__onnx_error(call, FX_E_FORMAT, "an axis is repeated");
    fx__onnx_give(call, 0, x);
}

/* The shape and the input's broadcast against each other: 1 in the shape keeps a size. */
static void build_expand(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_onnx_known *shape = fx__onnx_need_known(call, 1, "shape");
    if (!type || !shape) return;
    int32_t rank = type->rank > shape->n ? type->rank : shape->n;
    fx_dim dims[FX_RANK];
    if (rank > FX_RANK) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "more than %d dimensions", FX_RANK);
        return;
    }
    for (int32_t i = 0; i < rank; i++) {
        int32_t own = i - (rank - type->rank), wanted = i - (rank - shape->n);
        bool keeps = wanted < 0 || shape->item[wanted] == 1;
        dims[i] = !keeps ? shape->item[wanted] : own >= 0 ? type->dim[own] : 1;
    }
    FX_GIVE(call, "aten.expand.default", x, fx__onnx_dims(call, dims, rank));
}

/* ---- Joining and cutting -------------------------------------------------------------------------------------------------------
 */

static void build_concat(fx_onnx_call *call)
{
    int32_t n = fx__onnx_inputs(call);
    const fx_type *type = fx__onnx_need_type(call, fx__onnx_in(call, 0));
    fx_attr *parts = FX_NEW_ARRAY(call->import->arena, fx_attr, n);
    if (!type || !parts) return;
    for (int32_t i = 0; i < n; i++) parts[i] = fx__onnx_in(call, i);
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 1), type->rank);
    FX_GIVE(call, "aten.cat.default", fx_list(call->import->graph, parts, n), fx_int(axis));
}

typedef struct cut {
    int32_t axis;
    fx_dim start, end;
    int64_t step;
} cut;

static int64_t clamp(int64_t value, int64_t lo, int64_t hi)
{
    return value < lo ? lo : value > hi ? hi : value;
}

/* A negative step reads the flipped axis forwards. */
static fx_attr cut_backwards(fx_onnx_call *call, fx_attr x, fx_dim size, cut c)
{
    if (!fx_dim_is_const(size) || !fx_dim_is_const(c.start) || !fx_dim_is_const(c.end) || c.step < -INT32_MAX) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "a negative step needs constant sizes");
        return fx_none();
    }
    int64_t start = clamp(c.start < 0 ? c.start + size : c.start, -1, size - 1);
    int64_t end = clamp(c.end < 0 ? c.end + size : c.end, -1, size - 1);
    fx_attr turned = FX_EMIT(call, "aten.flip.default", x, fx__onnx_list(call, &(int64_t){c.axis}, 1));
    return FX_EMIT(call, "aten.slice.Tensor", turned, fx_int(c.axis), fx_int(size - 1 - start), fx_int(size - 1 - end),
                   fx_int(-c.step));
}

static fx_attr cut_one(fx_onnx_call *call, fx_attr x, cut c)
{
    const fx_type *type = fx__onnx_type(x);
    if (!type) return fx_none();
    if (c.step < 0) return cut_backwards(call, x, type->dim[c.axis], c);
    if (c.step == 0) fx__onnx_error(call, FX_E_FORMAT, "a step of 0");
    return FX_EMIT(call, "aten.slice.Tensor", x, fx_int(c.axis), fx_dim_attr(c.start), fx_dim_attr(c.end), fx_int(c.step));
}

static void build_slice_attrs(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t starts[FX_RANK], ends[FX_RANK], axes[FX_RANK];
    if (!type) return;
    int32_t n = fx__onnx_ints(call, "starts", starts), m = fx__onnx_ints(call, "ends", ends), k = fx__onnx_ints(call, "axes", axes);
    if (n < 0 || m != n || (k >= 0 && k != n) || n > type->rank) {
        fx__onnx_error(call, FX_E_FORMAT, "starts, ends and axes do not fit together");
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        int32_t axis = fx__onnx_axis(call, k >= 0 ? axes[i] : i, type->rank);
        x = cut_one(call, x, (cut){axis, clamp(starts[i], FX_DIM_EXPR, INT64_MAX), clamp(ends[i], FX_DIM_EXPR, INT64_MAX), 1});
    }
    fx__onnx_give(call, 0, x);
}

static void build_slice(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_onnx_known *starts = fx__onnx_need_known(call, 1, "starts"), *ends = fx__onnx_need_known(call, 2, "ends");
    int64_t axes[FX_RANK], steps[FX_RANK];
    int32_t n_axes = fx__onnx_ints_of(call, 3, "axes", axes), n_steps = fx__onnx_ints_of(call, 4, "steps", steps);
    if (!type || !starts || !ends || call->failed) return;
    int32_t n = starts->n;
    if (ends->n != n || n > type->rank || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n)) {
        fx__onnx_error(call, FX_E_FORMAT, "starts, ends, axes and steps do not fit together");
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        int32_t axis = fx__onnx_axis(call, n_axes >= 0 ? axes[i] : i, type->rank);
        x = cut_one(call, x, (cut){axis, starts->item[i], ends->item[i], n_steps >= 0 ? steps[i] : 1});
    }
    fx__onnx_give(call, 0, x);
}

/* Sizes of the pieces: an attribute, an input, or equal shares of which the last may be smaller. */
static bool split_sizes(fx_onnx_call *call, fx_dim size, fx_dim *out)
{
    int32_t n = call->node->n_outputs;
    const fx_onnx_attr *attr = fx__onnx_attr(call, "split");
    const fx_onnx_known *input = fx__onnx_has(call, 1) ? fx__onnx_need_known(call, 1, "split") : NULL;
    int32_t given = input ? input->n : attr ? attr->n : n;
    if (call->failed || given != n || (!input && !attr && !fx_dim_is_const(size))) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its pieces are not known when importing");
        return false;
    }
    int64_t share = input || attr ? 0 : (size + n - 1) / n;
    for (int32_t i = 0; i < n; i++) {
        if (input)
            out[i] = input->item[i];
        else
            out[i] = attr ? attr->ints[i] : clamp(size - i * share, 0, share);
    }
    return true;
}

static void build_split(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    fx_dim *sizes = FX_NEW_ARRAY(call->import->arena, fx_dim, call->node->n_outputs);
    if (!type || !sizes) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    fx_dim at = 0;
    if (call->failed || !split_sizes(call, type->dim[axis], sizes)) return;
    for (int32_t i = 0; i < call->node->n_outputs; i++) {
        fx_dim end = fx__dim_add(call->import->graph->dims, at, sizes[i]);
        fx__onnx_give(call, i, FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_dim_attr(at), fx_dim_attr(end), fx_int(1)));
        at = end;
    }
}

/* ---- Padding --------------------------------------------------------------------------------------------------------------------
 */

/* pads: all begins, then all ends, of the given axes; torch counts pairs from the last axis on. */
static void pad_axes(fx_onnx_call *call, const int64_t *pads, int32_t n, const int64_t *axes, int32_t n_axes, fx_attr value)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t pairs[2 * FX_RANK] = {0};
    if (!type) return;
    const char *mode = fx__onnx_text(call, "mode", "constant");
    if (n != 2 * n_axes) {
        fx__onnx_error(call, FX_E_FORMAT, "%d pads; two per axis are needed", (int)n);
        return;
    }
    if (strcmp(mode, "constant") != 0) {
        fx__onnx_pad_by_input(call, mode, pads, axes, n_axes);
        return;
    }
    for (int32_t i = 0; i < n_axes; i++) {
        int32_t axis = fx__onnx_axis(call, axes[i], type->rank);
        pairs[2 * (type->rank - 1 - axis)] = pads[i];
        pairs[2 * (type->rank - 1 - axis) + 1] = pads[i + n_axes];
    }
    FX_GIVE(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pairs, 2 * type->rank), value);
}

static int32_t all_axes(fx_onnx_call *call, int64_t axes[FX_RANK])
{
    const fx_type *type = fx__onnx_need_type(call, fx__onnx_in(call, 0));
    for (int32_t i = 0; type && i < type->rank; i++) axes[i] = i;
    return type ? type->rank : 0;
}

static void build_pad_attrs(fx_onnx_call *call)
{
    int64_t axes[FX_RANK];
    const fx_onnx_attr *pads = fx__onnx_attr(call, "pads");
    int32_t n_axes = all_axes(call, axes);
    if (pads && pads->ints)
        pad_axes(call, pads->ints, pads->n, axes, n_axes, fx_float(fx__onnx_float(call, "value", 0)));
    else
        fx__onnx_error(call, FX_E_FORMAT, "has no pads");
}

static fx_attr pad_value(fx_onnx_call *call)
{
    if (!fx__onnx_has(call, 2)) return fx_int(0);
    const fx_tensor *tensor = fx__onnx_tensor(call, 2);
    if (!tensor || fx_tensor_elems(tensor) != 1) {
        if (!call->failed) fx__onnx_error(call, FX_E_UNSUPPORTED, "its value must be known when importing");
        return fx_none();
    }
    if (tensor->dtype == FX_I64) return fx_int(*(const int64_t *)tensor->data);
    double value = fx_tensor_get(tensor, 0);
    return fx_dtype_is_float(tensor->dtype) ? fx_float(value) : fx_int((int64_t)value);
}

static void build_pad(fx_onnx_call *call)
{
    int64_t axes[FX_RANK], pads[2 * FX_RANK];
    const fx_onnx_known *known = fx__onnx_need_known(call, 1, "pads");
    int32_t n_axes = fx__onnx_has(call, 3) ? fx__onnx_ints_of(call, 3, "axes", axes) : all_axes(call, axes);
    fx_attr value = pad_value(call);
    if (!known || call->failed) return;
    for (int32_t i = 0; i < known->n && i < 2 * FX_RANK; i++) {
        pads[i] = known->item[i];
        if (!fx_dim_is_const(known->item[i])) fx__onnx_error(call, FX_E_UNSUPPORTED, "pads that depend on a symbol");
    }
    pad_axes(call, pads, known->n, axes, n_axes, value);
}

/* Axes cut or filled with zeros around their middle. */
static void build_center_crop_pad(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t size[FX_RANK], axes[FX_RANK];
    int32_t n = fx__onnx_ints_of(call, 1, "shape", size), listed_axes = fx__onnx_ints(call, "axes", axes);
    if (!type || call->failed) return;
    if (listed_axes < 0 ? n != type->rank : n != listed_axes) fx__onnx_error(call, FX_E_FORMAT, "its shape does not fit its axes");
    for (int32_t i = 0; i < n && !call->failed; i++) {
        int32_t axis = listed_axes < 0 ? i : fx__onnx_axis(call, axes[i], type->rank);
        fx_dim own = type->dim[axis];
        if (!fx_dim_is_const(own)) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "axis %d has no constant size", (int)axis);
        } else if (size[i] < own) {
            x = cut_one(call, x, (cut){axis, (own - size[i]) / 2, (own - size[i]) / 2 + size[i], 1});
        } else if (size[i] > own) {
            int64_t pads[2 * FX_RANK] = {0};
            int32_t behind = type->rank - 1 - axis;
            pads[2 * behind] = (size[i] - own) / 2;
            pads[2 * behind + 1] = size[i] - own - pads[2 * behind];
            x = FX_EMIT(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pads, 2 * behind + 2), fx_int(0));
        }
    }
    fx__onnx_give(call, 0, x);
}

/* ---- Blocks and depth
 * ------------------------------------------------------------------------------------------------------------- */

/* Splits or joins axes by a reshape, a permutation and a reshape. */
static void rearrange(fx_onnx_call *call, fx_attr x, const fx_dim *first, const int64_t *perm, const fx_dim *last)
{
    fx_attr blocks = FX_EMIT(call, "aten.reshape.default", x, fx__onnx_dims(call, first, 6));
    fx_attr moved = FX_EMIT(call, "aten.permute.default", blocks, fx__onnx_list(call, perm, 6));
    FX_GIVE(call, "aten.reshape.default", moved, fx__onnx_dims(call, last, 4));
}

static const fx_type *image_type(fx_onnx_call *call, fx_attr x, int64_t block)
{
    const fx_type *type = fx__onnx_need_type(call, x);
    bool constant =
        type && type->rank == 4 && fx_dim_is_const(type->dim[1]) && fx_dim_is_const(type->dim[2]) && fx_dim_is_const(type->dim[3]);
    if (type && (!constant || block < 1 || block > INT16_MAX))
        fx__onnx_error(call, FX_E_UNSUPPORTED, "needs an image [N, C, H, W] of constant C, H, W");
    return constant && !call->failed ? type : NULL;
}

static void build_depth_to_space(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    int64_t b = fx__onnx_int(call, "blocksize", 0);
    const fx_type *t = image_type(call, x, b);
    if (!t) return;
    bool columns = strcmp(fx__onnx_text(call, "mode", "DCR"), "CRD") == 0;
    fx_dim c = t->dim[1] / (b * b), h = t->dim[2], w = t->dim[3], n = t->dim[0];
    fx_dim dcr[6] = {n, b, b, c, h, w}, crd[6] = {n, c, b, b, h, w}, last[4] = {n, c, h * b, w * b};
    const int64_t dcr_perm[6] = {0, 3, 4, 1, 5, 2}, crd_perm[6] = {0, 1, 4, 2, 5, 3};
    rearrange(call, x, columns ? crd : dcr, columns ? crd_perm : dcr_perm, last);
}

static void build_space_to_depth(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    int64_t b = fx__onnx_int(call, "blocksize", 0);
    const fx_type *t = image_type(call, x, b);
    if (!t) return;
    fx_dim n = t->dim[0], c = t->dim[1], h = t->dim[2] / b, w = t->dim[3] / b;
    rearrange(call, x, (fx_dim[]){n, c, h, b, w, b}, (int64_t[]){0, 3, 5, 1, 2, 4}, (fx_dim[]){n, c * b * b, h, w});
}

/* ---- Constants
 * --------------------------------------------------------------------------------------------------------------------- */

static void give_numbers(fx_onnx_call *call, const fx_onnx_attr *attr, fx_dtype dtype, int32_t rank, int32_t n)
{
    fx_tensor tensor;
    int64_t dim = n;
    if (!fx__onnx_new_tensor(call, dtype, rank, &dim, &tensor)) return;
    for (int32_t i = 0; i < n; i++) {
        if (dtype == FX_I64)
            ((int64_t *)tensor.data)[i] = rank ? attr->ints[i] : attr->i;
        else
            ((float *)tensor.data)[i] = (float)(rank ? attr->floats[i] : attr->f);
    }
    fx__onnx_give_tensor(call, 0, &tensor);
}

static void build_constant(fx_onnx_call *call)
{
    const fx_onnx_attr *attr = call->node->n_attrs == 1 ? &call->node->attrs[0] : NULL;
    fx_tensor tensor;
    switch (attr ? attr->type : 0) {
    case FX_ONNX_TENSOR:
        if (fx__onnx_read(call, attr->message, &tensor)) fx__onnx_give_tensor(call, 0, &tensor);
        return;
    case FX_ONNX_FLOAT:
        give_numbers(call, attr, FX_F32, 0, 1);
        return;
    case FX_ONNX_INT:
        give_numbers(call, attr, FX_I64, 0, 1);
        return;
    case FX_ONNX_FLOATS:
        give_numbers(call, attr, FX_F32, 1, attr->n);
        return;
    case FX_ONNX_INTS:
        give_numbers(call, attr, FX_I64, 1, attr->n);
        return;
    default:
        fx__onnx_error(call, FX_E_TYPE, "its value is no number or tensor");
    }
}

/* A fill's number is a double, which not every wide integer is. */
static bool is_exact(const fx_tensor *number)
{
    const double most = 0x1p53, value = fx_tensor_get(number, 0);
    return (number->dtype != FX_I64 && number->dtype != FX_U64) || (value >= -most && value <= most);
}

static void build_constant_of_shape(fx_onnx_call *call)
{
    const fx_onnx_known *shape = fx__onnx_need_known(call, 0, "shape");
    const fx_onnx_attr *value = fx__onnx_attr(call, "value");
    float zero = 0;
    fx_tensor tensor = fx_tensor_view(&zero, FX_F32, 0, NULL);
    if (!shape || (value && !fx__onnx_read(call, value->message, &tensor))) return;
    if (fx_tensor_elems(&tensor) != 1 || shape->n > FX_RANK) {
        fx__onnx_error(call, FX_E_FORMAT, "its value is not one number, or there are more than %d dimensions", FX_RANK);
        return;
    }
    fx_type type = {.dtype = tensor.dtype, .rank = shape->n};
    for (int32_t i = 0; i < shape->n; i++) type.dim[i] = shape->item[i];
    const fx_tensor number = fx_tensor_view(tensor.data, tensor.dtype, 0, NULL);
    if (is_exact(&number))
        fx__onnx_give_fill(call, 0, &type, fx_tensor_get(&number, 0));
    else
        fx__onnx_give(call, 0, FX_EMIT(call, "aten.expand.default", fx__onnx_constant(call, &number), fx__onnx_dims(call, type.dim, type.rank)));
}

static void build_identity(fx_onnx_call *call)
{
    fx_onnx_slot value = fx__onnx_input_value(call, 0);
    if (value.is_sequence)
        fx__onnx_give_value(call, 0, &value);
    else
        fx__onnx_give(call, 0, fx__onnx_in(call, 0));
}

/* These only exist on known integers. */
static void build_unknown_shape(fx_onnx_call *call)
{
    fx__onnx_error(call, FX_E_UNSUPPORTED, "its result is not known when importing");
}

const fx_onnx_op fx__onnx_ops_shape[] = {
    {"CenterCropPad", 18, 2, 2, 1, build_center_crop_pad},
    {"Concat", 4, 1, FX_ONNX_ANY, 1, build_concat},
    {"Constant", 1, 0, 0, 1, build_constant},
    {"ConstantOfShape", 9, 1, 1, 1, build_constant_of_shape},
    {"DepthToSpace", 1, 1, 1, 1, build_depth_to_space},
    {"Expand", 8, 2, 2, 1, build_expand},
    {"Flatten", 1, 1, 1, 1, build_flatten},
    {"Identity", 1, 1, 1, 1, build_identity},
    {"Pad", 2, 1, 1, 1, build_pad_attrs},
    {"Pad", 11, 2, 4, 1, build_pad},
    {"Reshape", 5, 2, 2, 1, build_reshape},
    {"Shape", 1, 1, 1, 1, build_unknown_shape},
    {"Size", 1, 1, 1, 1, build_unknown_shape},
    {"Slice", 1, 1, 1, 1, build_slice_attrs},
    {"Slice", 10, 3, 5, 1, build_slice},
    {"SpaceToDepth", 1, 1, 1, 1, build_space_to_depth},
    {"Split", 2, 1, 2, INT8_MAX, build_split},
    {"Squeeze", 1, 1, 2, 1, build_squeeze},
    {"Transpose", 1, 1, 1, 1, build_transpose},
    {"Unsqueeze", 1, 1, 2, 1, build_unsqueeze},
    {0},
};
