/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/npy.h: .npy from memory, for the fuzzer and for archives of arrays. */
#ifndef FX_FRONTEND_NPY_H
#define FX_FRONTEND_NPY_H

#include "fxjit/types.h"

/* As fx_tensor_load_npy; name stands in messages. */
fx_status fx__npy_read(fx_context *context, const char *name, const void *data, size_t bytes, FX_GIVES fx_tensor *out);

#endif
