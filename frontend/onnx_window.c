/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_window.c: reading the windows of convolution and pooling (onnx_window.h). */
#include "frontend/onnx_window.h"
#include "ir/op.h"
#include <string.h>

bool fx__onnx_window_list(fx_onnx_call *call, const char *name, int32_t n, int64_t out[FX_RANK], int64_t fallback)
{
    int64_t values[FX_RANK];
    int32_t given = fx__onnx_ints(call, name, values);
    for (int32_t i = 0; i < n; i++) out[i] = given == n ? values[i] : fallback;
    if (given >= 0 && given != n)
        fx__onnx_error(call, FX_E_FORMAT, "attribute \"%s\" has %d values instead of %d", name, (int)given, (int)n);
    return !call->failed;
}

/* SAME: as many outputs as inputs divided by the stride, rounded up. */
static bool pad_same(fx_onnx_call *call, const fx_type *x, fx_onnx_window *w, bool upper)
{
    for (int32_t i = 0; i < w->n; i++) {
        fx_dim size = x->dim[i + 2];
        int64_t span = (w->kernel[i] - 1) * w->dilation[i] + 1, total = span - 1;
        if (w->stride[i] != 1 && !fx_dim_is_const(size)) {
            fx__onnx_error(call, FX_E_UNSUPPORTED, "auto_pad with strides needs a constant size");
            return false;
        }
        if (fx_dim_is_const(size)) total = ((size + w->stride[i] - 1) / w->stride[i] - 1) * w->stride[i] + span - size;
        if (total < 0) total = 0;
        w->begin[i] = upper ? total / 2 : total - total / 2;
        w->end[i] = total - w->begin[i];
    }
    return true;
}

static bool read_pads(fx_onnx_call *call, const fx_type *x, fx_onnx_window *w)
{
    int64_t pads[FX_RANK];
    const char *automatic = fx__onnx_text(call, "auto_pad", "NOTSET");
    if (strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0)
        return pad_same(call, x, w, automatic[5] == 'U');
    if (strcmp(automatic, "NOTSET") != 0 && strcmp(automatic, "VALID") != 0)
        fx__onnx_error(call, FX_E_FORMAT, "auto_pad \"%s\"", automatic);
    bool explicit_pads = strcmp(automatic, "NOTSET") == 0;
    if (!fx__onnx_window_list(call, "pads", 2 * w->n, pads, 0)) return false;
    for (int32_t i = 0; i < w->n; i++) {
        w->begin[i] = explicit_pads ? pads[i] : 0;
        w->end[i] = explicit_pads ? pads[i + w->n] : 0;
    }
    return true;
}

static bool sane(fx_onnx_call *call, const fx_onnx_window *w)
{
    for (int32_t i = 0; i < w->n; i++) {
        bool in_range = w->kernel[i] > 0 && w->stride[i] > 0 && w->dilation[i] > 0 && w->kernel[i] < INT32_MAX &&
                        w->dilation[i] < INT32_MAX && w->stride[i] < INT32_MAX && w->begin[i] >= 0 && w->end[i] >= 0;
        if (!in_range) fx__onnx_error(call, FX_E_FORMAT, "kernel, strides, dilations or pads are out of range");
    }
    return !call->failed;
}

bool fx__onnx_window_read(fx_onnx_call *call, const fx_type *x, const fx_dim *kernel, fx_onnx_window *w)
{
    *w = (fx_onnx_window){.n = x->rank - 2, .symmetric = true};
    if (w->n < 1 || w->n > 3) {
        fx__onnx_error(call, FX_E_SHAPE, "an input of %d dimensions; 3 to 5 are supported", (int)x->rank);
        return false;
    }
    if (!fx__onnx_window_list(call, "kernel_shape", w->n, w->kernel, 0)) return false;
    for (int32_t i = 0; kernel && i < w->n; i++) w->kernel[i] = kernel[i];
    if (!fx__onnx_window_list(call, "strides", w->n, w->stride, 1) ||
        !fx__onnx_window_list(call, "dilations", w->n, w->dilation, 1))
        return false;
    if (!sane(call, w) || !read_pads(call, x, w) || !sane(call, w)) return false;
    for (int32_t i = 0; i < w->n; i++) w->symmetric = w->symmetric && w->begin[i] == w->end[i];
    return true;
}

const char *fx__onnx_window_target(const fx_onnx_window *w, const char *const names[3])
{
    return names[w->n - 1];
}

fx_attr fx__onnx_window_pad(fx_onnx_call *call, fx_attr x, fx_onnx_window *w, fx_attr value)
{
    int64_t pads[2 * FX_RANK];
    for (int32_t i = 0; i < w->n; i++) {
        pads[2 * i] = w->begin[w->n - 1 - i];
        pads[2 * i + 1] = w->end[w->n - 1 - i];
    }
    fx_attr result = FX_EMIT(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pads, 2 * w->n), value);
    memset(w->begin, 0, sizeof w->begin);
    memset(w->end, 0, sizeof w->end);
    w->symmetric = true;
    return result;
}
