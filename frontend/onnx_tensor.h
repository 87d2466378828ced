/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/onnx_tensor.h: TensorProto to fx_tensor, and the memory that imported tensors live in: mapped files and copies. */
#ifndef FX_FRONTEND_ONNX_TENSOR_H
#define FX_FRONTEND_ONNX_TENSOR_H

#include "frontend/onnx_file.h"

/* Owns what a module's tensors point to. One context's, so one thread at a time. */
typedef struct fx_store fx_store;
FX_GIVES fx_store *fx__store_new(fx_context *context); /* NULL: out of memory */
void fx__store_free(FX_TAKES fx_store *store);
fx_context *fx__store_context(const fx_store *store);
/* Maps a whole file for reading; mapped once per path. An empty file gives bytes 0. */
fx_status fx__store_map(fx_store *store, const char *path, const void **out_data, size_t *out_bytes);
/* Uninitialised memory, 64-byte aligned. */
void *fx__store_alloc(fx_store *store, size_t bytes);

/* Makes *out a row-major view of the tensor's values. Data is used where it lies when `borrow` is set and its address suits the
 * element type, else copied into the store. directory: where external data lies (NULL: refused).
 * FX_E_FORMAT for a broken or dishonest tensor, FX_E_TYPE for an element type that fxjit lacks, FX_E_IO, FX_E_OOM. */
fx_status fx__onnx_tensor_read(fx_store *store, const char *file, const char *directory, const fx_onnx_tensor *tensor, bool borrow,
                               fx_tensor *out);

#endif
