/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/ffi.h: calls of generated functions whose signature is known only at run time, and native functions made at run time.
 * All of them return int32_t and take n_pointers pointers, then n_dims int64_t, then n_last more pointers. */
#ifndef FX_RUNTIME_FFI_H
#define FX_RUNTIME_FFI_H

#include "fxjit/types.h"

typedef struct fx_signature {
    int32_t n_pointers, n_dims, n_last;
} fx_signature;
static inline int32_t fx__signature_args(fx_signature s) { return s.n_pointers + s.n_dims + s.n_last; }

/* args[i] points to argument i. FX_E_ARG when libffi refuses the signature, FX_E_OOM. */
fx_status fx__ffi_call(void *function, fx_signature signature, void *const *args, int32_t *out_result);

/* A native function of this signature that hands its arguments to target. */
typedef int32_t (*fx_ffi_target)(void *user, void *const *args);
typedef struct fx_closure fx_closure;
FX_GIVES fx_closure *fx__ffi_closure_new(fx_signature signature, fx_ffi_target target, void *user);
void *fx__ffi_closure_code(const fx_closure *closure);
void fx__ffi_closure_free(FX_TAKES fx_closure *closure);

#endif
