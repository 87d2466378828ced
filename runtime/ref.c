/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/ref.c: how reference kernels walk tensors: an odometer over coordinates and element access through any strides. */
#include "runtime/ref.h"

bool fx__ref_empty(int32_t rank, const int64_t *dim)
{
    for (int32_t d = 0; d < rank; d++)
        if (dim[d] == 0) return true;
    return false;
}

bool fx__ref_next(int32_t rank, const int64_t *dim, int64_t *at)
{
    for (int32_t d = rank - 1; d >= 0; d--) {
        if (++at[d] < dim[d]) return true;
        at[d] = 0;
    }
    return false;
}

void *fx__ref_at(const fx_tensor *tensor, const int64_t *at)
{
    return fx__ref_bcast(tensor, tensor->rank, at);
}

void *fx__ref_bcast(const fx_tensor *tensor, int32_t rank, const int64_t *at)
{
    int64_t offset = 0;
    const int64_t *mine = at + (rank - tensor->rank);
    for (int32_t d = 0; d < tensor->rank; d++)
        if (tensor->dim[d] != 1) offset += mine[d] * tensor->stride[d];
    return (char *)tensor->data + offset * (int64_t)fx_dtype_bytes(tensor->dtype);
}

fx_imm fx__ref_load(const fx_tensor *tensor, const int64_t *at)
{
    return fx__scalar_load(tensor->dtype, fx__ref_at(tensor, at));
}

void fx__ref_store(const fx_tensor *tensor, const int64_t *at, fx_imm value)
{
    fx__scalar_store(tensor->dtype, fx__ref_at(tensor, at), value);
}

double fx__ref_get(const fx_tensor *tensor, const int64_t *at)
{
    return fx__scalar_to_double(tensor->dtype, fx__ref_load(tensor, at));
}

void fx__ref_set(const fx_tensor *tensor, const int64_t *at, double value)
{
    fx__ref_store(tensor, at, fx__scalar_from_double(tensor->dtype, value));
}

double fx__ref_eps(fx_dtype dtype)
{
    switch (dtype) {
    case FX_F16:
        return 0x1p-11;
    case FX_BF16:
        return 0x1p-8;
    case FX_F32:
        return 0x1p-24;
    case FX_F64:
        return 0x1p-53;
    default:
        return 0;
    }
}

double fx__ref_tiny(fx_dtype dtype)
{
    switch (dtype) {
    case FX_F16:
        return 0x1p-24;
    case FX_BF16:
        return 0x1p-133;
    case FX_F32:
        return 0x1p-149;
    case FX_F64:
        return 0x1p-1074;
    default:
        return 0;
    }
}
