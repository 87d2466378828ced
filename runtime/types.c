/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/types.c: the tables behind fx_dtype and fx_status. */
#include "fxjit/types.h"
#include <string.h>

static const struct {
    const char *name, *torch_name;
    size_t bytes;
} dtypes[FX_DTYPE_COUNT] = {
#define FX_DTYPE_ROW(name, text, torch, bytes) [FX_##name] = {text, torch, bytes},
    FX_DTYPE_MAP(FX_DTYPE_ROW)
#undef FX_DTYPE_ROW
};

static bool is_dtype(fx_dtype dtype)
{
    return (unsigned)dtype < FX_DTYPE_COUNT;
}

size_t fx_dtype_bytes(fx_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].bytes : 0;
}

const char *fx_dtype_name(fx_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "?";
}

const char *fx_dtype_torch_name(fx_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].torch_name : "?";
}

bool fx_dtype_parse(const char *text, fx_dtype *out_dtype)
{
    for (int i = 0; text && i < FX_DTYPE_COUNT; i++) {
        if (strcmp(text, dtypes[i].name) != 0 && strcmp(text, dtypes[i].torch_name) != 0) continue;
        *out_dtype = (fx_dtype)i;
        return true;
    }
    return false;
}

bool fx_dtype_is_float(fx_dtype dtype)
{
    return dtype == FX_F16 || dtype == FX_F32 || dtype == FX_F64 || dtype == FX_BF16;
}

bool fx_dtype_is_signed(fx_dtype dtype)
{
    return fx_dtype_is_float(dtype) || dtype == FX_I8 || dtype == FX_I16 || dtype == FX_I32 || dtype == FX_I64;
}

bool fx_dtype_is_int(fx_dtype dtype)
{
    return is_dtype(dtype) && !fx_dtype_is_float(dtype) && dtype != FX_BOOL;
}

const char *fx_status_text(fx_status status)
{
    switch (status) {
#define FX_STATUS_CASE(name, value, text)                                                                                          \
    case FX_##name:                                                                                                                \
        return text;
        FX_STATUS_MAP(FX_STATUS_CASE)
#undef FX_STATUS_CASE
    }
    return "unknown status";
}
