/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/window.h: the sliding windows of convolution and pooling over one to three spatial dims. */
#ifndef FX_IR_OPS_WINDOW_H
#define FX_IR_OPS_WINDOW_H

#include "ir/lower.h"

enum { FX_WINDOW_DIMS = 3 };

/* Point o of the result sees input positions o * stride + k * dilation - begin, 0 <= k < size, per spatial dim. */
typedef struct fx_window {
    int32_t n; /* spatial dims */
    fx_dim size[FX_WINDOW_DIMS];
    int64_t stride[FX_WINDOW_DIMS], dilation[FX_WINDOW_DIMS], begin[FX_WINDOW_DIMS], end[FX_WINDOW_DIMS];
    bool ceil; /* a last window may begin inside and end outside the padded input */
} fx_window;

/* Fills all but size, n and ceil from arguments. stride: absent or empty means size. padding: one number, one per spatial dim, or
 * [begin..., end...], or "same" and "valid". dilation -1: all 1. */
fx_status fx__window_read(const fx_call *call, int32_t stride, int32_t padding, int32_t dilation, fx_window *window);
/* Result size of spatial dim i, FX_E_SHAPE when no window fits. */
fx_status fx__window_out(const fx_call *call, const fx_window *window, int32_t i, fx_dim in, fx_dim *out);
/* The input position as an index over an axis of the result and an axis of the window. */
fx_index fx__window_index(const fx_window *window, int32_t i, uint8_t out_axis, uint8_t window_axis);
/* Whether positions outside the input can occur. */
bool fx__window_leaves(const fx_window *window, const fx_dim *in);
/* "h", "w" (and "d" before them) of spatial dim i, for axis names. */
const char *fx__window_name(const fx_window *window, int32_t i);
const char *fx__window_kernel_name(const fx_window *window, int32_t i);

#endif
