/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/onnx_window.h: what convolution and pooling share: kernel, strides, dilations and pads from attributes. */
#ifndef FX_FRONTEND_ONNX_WINDOW_H
#define FX_FRONTEND_ONNX_WINDOW_H

#include "frontend/onnx.h"

typedef struct fx_onnx_window {
    int32_t n; /* spatial dimensions */
    int64_t kernel[FX_RANK], stride[FX_RANK], dilation[FX_RANK], begin[FX_RANK], end[FX_RANK];
    bool symmetric;
} fx_onnx_window;

/* kernel: the weight's sizes of a convolution; NULL: from the attribute. False after an error. */
bool fx__onnx_window_read(fx_onnx_call *call, const fx_type *x, const fx_dim *kernel, fx_onnx_window *w);
/* n integers of an attribute, or the fallback n times. */
bool fx__onnx_window_list(fx_onnx_call *call, const char *name, int32_t n, int64_t out[FX_RANK], int64_t fallback);
/* Of the names for 1, 2 and 3 spatial dimensions. */
const char *fx__onnx_window_target(const fx_onnx_window *w, const char *const names[3]);
/* Padding becomes a node of its own, and is none afterwards. */
fx_attr fx__onnx_window_pad(fx_onnx_call *call, fx_attr x, fx_onnx_window *w, fx_attr value);
#define FX_ONNX_WINDOW_LIST(field) fx__onnx_list(call, w.field, w.n)

#endif
