/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/window_ref.h: attributes of sliding windows as reference kernels of convolution and pooling read them. */
#ifndef FX_IR_OPS_WINDOW_REF_H
#define FX_IR_OPS_WINDOW_REF_H

#include "runtime/ref.h"

/* Point o of the result sees input positions o * stride + k * dilation - begin, 0 <= k < size, per spatial dim. */
typedef struct fx_window_ref {
    int32_t n;
    int64_t in[3], out[3], size[3], stride[3], dilation[3], begin[3], end[3];
} fx_window_ref;

/* Entry i of an int list, of a list of one, or of a single int; fallback when absent or empty. */
int64_t fx__window_ref_entry(const fx_rt_arg *arg, int32_t i, int64_t fallback);
/* Fills stride (default: size), padding and dilation (NULL: 1); n, in, out and size must be set. */
void fx__window_ref_read(fx_window_ref *window, const fx_rt_arg *stride, const fx_rt_arg *padding, const fx_rt_arg *dilation);

#endif
