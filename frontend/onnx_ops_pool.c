/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_pool.c: adapters of pooling. */
#include "frontend/onnx_ops.h"
#include "frontend/onnx_window.h"
#include "ir/op.h"
#include <math.h>
#include <string.h>

#define LIST(field) FX_ONNX_WINDOW_LIST(field)

/* The value that never wins a maximum. */
static fx_attr lowest(fx_dtype dtype)
{
    if (fx_dtype_is_float(dtype)) return fx_float(-(double)INFINITY);
    if (!fx_dtype_is_signed(dtype)) return fx_int(0);
    return fx_int(dtype == FX_I8 ? INT8_MIN : dtype == FX_I16 ? INT16_MIN : dtype == FX_I32 ? INT32_MIN : INT64_MIN);
}

/* torch pads by at most half a kernel, and evenly. */
static bool torch_pads(const fx_onnx_window *w)
{
    bool fits = w->symmetric;
    for (int32_t i = 0; i < w->n; i++) fits = fits && 2 * w->begin[i] <= w->kernel[i];
    return fits;
}

/* torch counts positions within one image; ONNX goes on over channels and the batch. */
static void give_positions(fx_onnx_call *call, const fx_type *type, fx_attr positions)
{
    fx_dim area = 1;
    int64_t dims[FX_RANK] = {1, 1, 1, 1, 1};
    fx_tensor first;
    for (int32_t i = 2; i < type->rank; i++) area *= type->dim[i];
    dims[0] = type->dim[0];
    dims[1] = type->dim[1];
    if (!fx__onnx_new_tensor(call, FX_I64, type->rank, dims, &first)) return;
    for (int64_t i = 0; i < fx_tensor_elems(&first); i++) ((int64_t *)first.data)[i] = i * area;
    fx__onnx_give(call, 1, FX_EMIT(call, "aten.add.Tensor", positions, fx__onnx_constant(call, &first)));
}

/* Position h * W + w as w * H + h. */
static fx_attr column_major(fx_onnx_call *call, const fx_type *type, fx_attr positions)
{
    fx_attr width = fx_int(type->dim[3]), height = fx_int(type->dim[2]);
    fx_attr row = FX_EMIT(call, "aten.floor_divide.default", positions, width);
    fx_attr column = FX_EMIT(call, "aten.remainder.Scalar", positions, width);
    return FX_EMIT(call, "aten.add.Tensor", FX_EMIT(call, "aten.mul.Scalar", column, height), row);
}

static void max_pool_with_positions(fx_onnx_call *call, fx_attr x, const fx_type *type, fx_onnx_window w)
{
    bool constant = w.n == 2 && torch_pads(&w);
    for (int32_t i = 0; i < type->rank; i++) constant = constant && fx_dim_is_const(type->dim[i]) && type->dim[i] < INT16_MAX;
    if (!constant) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "positions need images of constant size and even pads of at most half a kernel");
        return;
    }
    fx_attr pair = FX_EMIT(call, "aten.max_pool2d_with_indices.default", x, LIST(kernel), LIST(stride), LIST(begin), LIST(dilation),
                           fx_bool(fx__onnx_int(call, "ceil_mode", 0) != 0));
    fx_attr positions = FX_EMIT(call, "getitem", pair, fx_int(1));
    fx__onnx_give(call, 0, FX_EMIT(call, "getitem", pair, fx_int(0)));
    give_positions(call, type, fx__onnx_int(call, "storage_order", 0) ? column_major(call, type, positions) : positions);
}

static void build_max_pool(fx_onnx_call *call)
{
    static const char *const targets[] = {"aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default"};
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    fx_onnx_window w;
    if (!type || !fx__onnx_window_read(call, type, NULL, &w)) return;
    if (call->node->n_outputs > 1 && *call->node->outputs[1]) {
        max_pool_with_positions(call, x, type, w);
        return;
    }
    if (!torch_pads(&w)) x = fx__onnx_window_pad(call, x, &w, lowest(type->dtype));
    FX_GIVE(call, fx__onnx_window_target(&w, targets), x, LIST(kernel), LIST(stride), LIST(begin), LIST(dilation),
            fx_bool(fx__onnx_int(call, "ceil_mode", 0) != 0));
}

static const char *const average_pools[] = {"aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default"};

static fx_attr average(fx_onnx_call *call, fx_attr x, fx_onnx_window w, bool ceil_mode)
{
    return FX_EMIT(call, fx__onnx_window_target(&w, average_pools), x, LIST(kernel), LIST(stride), LIST(begin), fx_bool(ceil_mode),
                   fx_bool(true));
}

/* 1 inside the image, 0 in its padding: [1, 1, spatial sizes with pads]. */
static fx_attr inside_mask(fx_onnx_call *call, const fx_type *type, const fx_onnx_window *w)
{
    int64_t dims[FX_RANK] = {1, 1}, at[FX_RANK] = {0};
    for (int32_t i = 0; i < w->n; i++) dims[i + 2] = type->dim[i + 2] + w->begin[i] + w->end[i];
    fx_tensor mask;
    if (!fx__onnx_new_tensor(call, type->dtype, type->rank, dims, &mask)) return fx_none();
    for (int64_t index = 0; index < fx_tensor_elems(&mask); index++) {
        bool inside = true;
        for (int32_t i = 0; i < w->n; i++) inside = inside && at[i] >= w->begin[i] && at[i] < w->begin[i] + type->dim[i + 2];
        fx_tensor_set(&mask, index, inside);
        for (int32_t i = w->n - 1; i >= 0 && ++at[i] == dims[i + 2]; i--) at[i] = 0;
    }
    return fx__onnx_constant(call, &mask);
}

/* Uneven padding that does not count: the mean with zeros, divided by the share of each window that lies inside. */
static void average_of_inside(fx_onnx_call *call, fx_attr x, const fx_type *type, fx_onnx_window w, bool ceil_mode)
{
    for (int32_t i = 0; i < w.n; i++)
        if (!fx_dim_is_const(type->dim[i + 2])) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "uneven padding of a symbolic size is not supported");
            return;
        }
    fx_attr mask = inside_mask(call, type, &w), values = fx__onnx_window_pad(call, x, &w, fx_int(0));
    FX_GIVE(call, "aten.div.Tensor", average(call, values, w, ceil_mode), average(call, mask, w, ceil_mode));
}

/* ---- Sums of windows, as convolutions with ones
 * ---------------------------------------------------------------------------------- */

static bool is_dilated(const fx_onnx_window *w)
{
    for (int32_t i = 0; i < w->n; i++)
        if (w->dilation[i] != 1) return true;
    return false;
}

/* The sum of each window, channel by channel; pads are zeros. */
static fx_attr window_sum(fx_onnx_call *call, fx_attr x, fx_onnx_window w)
{
    static const char *const targets[] = {"aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default"};
    const fx_type *type = fx__onnx_type(x);
    fx_dim dims[FX_RANK] = {type ? type->dim[1] : 1, 1};
    if (!type) return fx_none();
    if (!fx_dim_is_const(dims[0])) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "needs a constant number of channels");
        return fx_none();
    }
    for (int32_t i = 0; i < w.n; i++) dims[i + 2] = w.kernel[i];
    fx_attr ones = fx__onnx_full(call, dims, w.n + 2, type->dtype, 1);
    if (!w.symmetric) x = fx__onnx_window_pad(call, x, &w, fx_int(0));
    return FX_EMIT(call, fx__onnx_window_target(&w, targets), x, ones, fx_none(), LIST(stride), LIST(begin), LIST(dilation),
                   fx_int(dims[0]));
}

/* The last window may reach over the end, but not begin behind it. */
static void reach_over(const fx_type *type, fx_onnx_window *w)
{
    for (int32_t i = 0; i < w->n; i++) {
        int64_t size = type->dim[i + 2], span = (w->kernel[i] - 1) * w->dilation[i] + 1;
        int64_t room = size + w->begin[i] + w->end[i] - span, n = (room + w->stride[i] - 1) / w->stride[i];
        if (n * w->stride[i] >= size + w->begin[i]) n--;
        if (n * w->stride[i] > room) w->end[i] += n * w->stride[i] - room;
    }
    w->symmetric = false;
}

/* 1 where an element counts: [1, 1, spatial sizes]; pads that count are part of it. */
static fx_attr counted(fx_onnx_call *call, const fx_type *type, fx_onnx_window *w, bool pads_count)
{
    fx_dim dims[FX_RANK] = {1, 1};
    for (int32_t i = 0; i < w->n; i++) {
        dims[i + 2] = type->dim[i + 2] + (pads_count ? w->begin[i] + w->end[i] : 0);
        if (pads_count) w->begin[i] = w->end[i] = 0;
    }
    return fx__onnx_full(call, dims, type->rank, type->dtype, 1);
}

static void dilated_average(fx_onnx_call *call, fx_attr x, const fx_type *type, fx_onnx_window w, bool pads_count, bool ceil_mode)
{
    for (int32_t i = 0; i < w.n; i++)
        if (!fx_dim_is_const(type->dim[i + 2])) fx__onnx_error(call, FX_E_UNSUPPORTED, "dilation needs images of constant size");
    if (call->failed) return;
    fx_onnx_window over = w, of_ones = w;
    fx_attr ones = counted(call, type, &of_ones, pads_count);
    if (ceil_mode) reach_over(type, &over);
    for (int32_t i = 0; i < w.n; i++) of_ones.end[i] += over.end[i] - w.end[i];
    of_ones.symmetric = false;
    FX_GIVE(call, "aten.div.Tensor", window_sum(call, x, over), window_sum(call, ones, of_ones));
}

static void build_lp_pool(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t p = fx__onnx_int(call, "p", 2);
    fx_onnx_window w;
    if (!type || !fx__onnx_window_read(call, type, NULL, &w)) return;
    if (fx__onnx_int(call, "ceil_mode", 0)) reach_over(type, &w);
    if (p < 1) fx__onnx_error(call, FX_E_FORMAT, "p is %lld", (long long)p);
    fx_attr powers = FX_EMIT(call, "aten.pow.Tensor_Scalar", FX_EMIT(call, "aten.abs.default", x), fx_int(p));
    FX_GIVE(call, "aten.pow.Tensor_Scalar", window_sum(call, powers, w), fx_float(1 / (double)p));
}

static void build_average_pool(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    bool counts = fx__onnx_int(call, "count_include_pad", 0) != 0, ceil_mode = fx__onnx_int(call, "ceil_mode", 0) != 0;
    fx_onnx_window w;
    if (!type || !fx__onnx_window_read(call, type, NULL, &w)) return;
    if (is_dilated(&w)) {
        dilated_average(call, x, type, w, counts, ceil_mode);
        return;
    }
    if (!torch_pads(&w) && !counts) {
        average_of_inside(call, x, type, w, ceil_mode);
        return;
    }
    if (!torch_pads(&w)) x = fx__onnx_window_pad(call, x, &w, fx_int(0));
    FX_GIVE(call, fx__onnx_window_target(&w, average_pools), x, LIST(kernel), LIST(stride), LIST(begin), fx_bool(ceil_mode),
            fx_bool(counts));
}

static void build_global(fx_onnx_call *call, const char *target)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    if (!type) return;
    for (int32_t i = 2; i < type->rank; i++) axes[i - 2] = i;
    FX_GIVE(call, target, x, fx__onnx_list(call, axes, type->rank > 2 ? type->rank - 2 : 0), fx_bool(true));
}

static void build_global_average_pool(fx_onnx_call *call)
{
    build_global(call, "aten.mean.dim");
}
static void build_global_max_pool(fx_onnx_call *call)
{
    build_global(call, "aten.amax.default");
}

const fx_onnx_op fx__onnx_ops_pool[] = {
    {"AveragePool", 1, 1, 1, 1, build_average_pool},
    {"GlobalAveragePool", 1, 1, 1, 1, build_global_average_pool},
    {"GlobalMaxPool", 1, 1, 1, 1, build_global_max_pool},
    {"LpPool", 2, 1, 1, 1, build_lp_pool},
    {"MaxPool", 1, 1, 1, 2, build_max_pool},
    {0},
};
