/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/onnx_ops.h: the tables of adapters, one per subject; each ends with a row without a name. */
#ifndef FX_FRONTEND_ONNX_OPS_H
#define FX_FRONTEND_ONNX_OPS_H

#include "frontend/onnx.h"

enum { FX_ONNX_ANY = -1 }; /* any number of inputs */

extern const fx_onnx_op fx__onnx_ops_activation[]; /* activation functions */
extern const fx_onnx_op fx__onnx_ops_attention[];  /* attention and its positions */
extern const fx_onnx_op fx__onnx_ops_class[];      /* one-hot codes and losses over classes */
extern const fx_onnx_op fx__onnx_ops_control[];    /* graphs inside graphs */
extern const fx_onnx_op fx__onnx_ops_einsum[];     /* Einsum */
extern const fx_onnx_op fx__onnx_ops_fill[];       /* made from sizes, or repeated */
extern const fx_onnx_op fx__onnx_ops_index[];      /* reading and writing where indices say */
extern const fx_onnx_op fx__onnx_ops_math[];       /* element-wise */
extern const fx_onnx_op fx__onnx_ops_nn[];         /* products and convolution */
extern const fx_onnx_op fx__onnx_ops_norm[];       /* normalisation */
extern const fx_onnx_op fx__onnx_ops_pool[];       /* pooling */
extern const fx_onnx_op fx__onnx_ops_quant[];      /* quantized values */
extern const fx_onnx_op fx__onnx_ops_reduce[];     /* reductions and softmax */
extern const fx_onnx_op fx__onnx_ops_resize[];     /* Resize, Upsample */
extern const fx_onnx_op fx__onnx_ops_rnn[];        /* recurrent layers */
extern const fx_onnx_op fx__onnx_ops_sample[];     /* images at computed places */
extern const fx_onnx_op fx__onnx_ops_signal[];     /* Fourier transforms */
extern const fx_onnx_op fx__onnx_ops_sequence[];   /* lists of tensors while importing */
extern const fx_onnx_op fx__onnx_ops_shape[];      /* what moves elements without computing */

/* The node's convolution, by its attributes, of these values. */
fx_attr fx__onnx_conv(fx_onnx_call *call, fx_attr x, fx_attr weight, fx_attr bias);
/* Pads n axes (begins, then ends) with the input's own elements: mode edge, reflect or wrap. */
void fx__onnx_pad_by_input(fx_onnx_call *call, const char *mode, const int64_t *pads, const int64_t *axes, int32_t n);

#endif
