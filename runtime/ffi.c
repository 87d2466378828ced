/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/ffi.c: libffi behind two calls: one to call generated code, one to make native functions. */
#include "runtime/ffi.h"
#include <ffi.h>
#include <stdlib.h>

typedef struct interface {
    ffi_cif cif;
    ffi_type **type;
} interface;

static fx_status interface_init(interface *it, fx_signature signature)
{
    int32_t n = fx__signature_args(signature);
    it->type = malloc((size_t)(n ? n : 1) * sizeof(ffi_type *));
    if (!it->type) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) {
        bool is_dim = i >= signature.n_pointers && i < signature.n_pointers + signature.n_dims;
        it->type[i] = is_dim ? &ffi_type_sint64 : &ffi_type_pointer;
    }
    if (ffi_prep_cif(&it->cif, FFI_DEFAULT_ABI, (unsigned)n, &ffi_type_sint32, it->type) == FFI_OK) return FX_OK;
    free(it->type);
    it->type = NULL;
    return FX_E_ARG;
}

fx_status fx__ffi_call(void *function, fx_signature signature, void *const *args, int32_t *out_result)
{
    interface it;
    fx_status status = interface_init(&it, signature);
    if (status != FX_OK) return status;
    int32_t n = fx__signature_args(signature);
    void **values = malloc((size_t)(n ? n : 1) * sizeof(void *));
    if (!values) {
        free(it.type);
        return FX_E_OOM;
    }
    for (int32_t i = 0; i < n; i++) values[i] = args[i];
    ffi_arg result = 0;
    union {
        void *data;
        void (*code)(void);
    } address = {function};
    ffi_call(&it.cif, address.code, &result, values);
    *out_result = (int32_t)result;
    free(values);
    free(it.type);
    return FX_OK;
}

struct fx_closure {
    interface it;
    ffi_closure *closure;
    void *code;
    fx_ffi_target target;
    void *user;
};

static void enter(ffi_cif *cif, void *result, void **args, void *user)
{
    (void)cif;
    fx_closure *closure = user;
    *(ffi_arg *)result = (ffi_arg)closure->target(closure->user, args);
}

fx_closure *fx__ffi_closure_new(fx_signature signature, fx_ffi_target target, void *user)
{
    fx_closure *it = calloc(1, sizeof *it);
    if (!it) return NULL;
    it->target = target;
    it->user = user;
    if (interface_init(&it->it, signature) != FX_OK) {
        free(it);
        return NULL;
    }
    it->closure = ffi_closure_alloc(sizeof(ffi_closure), &it->code);
    if (!it->closure || ffi_prep_closure_loc(it->closure, &it->it.cif, enter, it, it->code) != FFI_OK) {
        fx__ffi_closure_free(it);
        return NULL;
    }
    return it;
}

void *fx__ffi_closure_code(const fx_closure *closure)
{
    return closure->code;
}

void fx__ffi_closure_free(fx_closure *closure)
{
    if (!closure) return;
    if (closure->closure) ffi_closure_free(closure->closure);
    free(closure->it.type);
    free(closure);
}
