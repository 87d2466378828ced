/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/safetensors.h: named tensors in one run of bytes: the length of a JSON header, the header, the data. */
#ifndef FX_FRONTEND_SAFETENSORS_H
#define FX_FRONTEND_SAFETENSORS_H

#include "frontend/onnx_tensor.h"
#include "fxjit/compile.h"

/* Views of all tensors, in the header's order, in memory of the arena. Data stay where they lie, but those whose address does not
 * suit their elements are copied into the store. All problems are reported: FX_E_FORMAT, FX_E_TYPE; FX_E_OOM. */
fx_status fx__safetensors_read(fx_store *store, fx_arena *arena, const char *file, const void *data, size_t bytes,
                               fx_named_tensor **out, int32_t *out_n);

/* The header of tensors that follow it in this order without gaps; its length is a multiple of 64. False: out of memory, or a name
 * that is not UTF-8, which is reported. */
bool fx__safetensors_header(fx_text *text, const fx_named_tensor *tensors, int32_t n);

#endif
