/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/tensor.c: tensors as views of memory: describing, allocating, measuring, copying and reading single elements. */
#include "fxjit/types.h"
#include "runtime/memory.h"
#include "runtime/scalar.h"
#include <stdlib.h>
#include <string.h>

fx_tensor fx_tensor_view(void *data, fx_dtype dtype, int32_t rank, const int64_t *dim)
{
    fx_tensor tensor = {.data = data, .dtype = dtype, .rank = rank};
    int64_t step = 1;
    for (int32_t d = (rank < FX_RANK ? rank : FX_RANK) - 1; d >= 0; d--) {
        tensor.dim[d] = dim[d];
        tensor.stride[d] = step;
        /* An overflow is found by fx_tensor_elems; here it must only not be undefined. */
        if (__builtin_mul_overflow(step, dim[d] > 0 ? dim[d] : 1, &step)) step = 0;
    }
    return tensor;
}

int64_t fx_tensor_elems(const fx_tensor *tensor)
{
    int64_t elems = 1;
    bool overflow = false, empty = false;
    for (int32_t d = 0; d < tensor->rank; d++) {
        if (tensor->dim[d] < 0) return -1;
        empty |= tensor->dim[d] == 0;
        overflow |= __builtin_mul_overflow(elems, tensor->dim[d] ? tensor->dim[d] : 1, &elems);
    }
    return overflow ? -1 : empty ? 0 : elems;
}

int64_t fx_tensor_bytes(const fx_tensor *tensor)
{
    int64_t elems = fx_tensor_elems(tensor), bytes;
    if (elems < 0 || __builtin_mul_overflow(elems, (int64_t)fx_dtype_bytes(tensor->dtype), &bytes)) return -1;
    return bytes;
}

fx_status fx_tensor_alloc(fx_dtype dtype, int32_t rank, const int64_t *dim, fx_tensor *out)
{
    if (fx_dtype_bytes(dtype) == 0 || rank < 0 || rank > FX_RANK) return FX_E_ARG;
    fx_tensor tensor = fx_tensor_view(NULL, dtype, rank, dim);
    int64_t bytes = fx_tensor_bytes(&tensor);
    if (bytes < 0) return FX_E_SHAPE;
    tensor.data = fx__memory_alloc((size_t)bytes);
    if (!tensor.data) return FX_E_OOM;
    memset(tensor.data, 0, (size_t)bytes);
    *out = tensor;
    return FX_OK;
}

void fx_tensor_release(fx_tensor *tensor)
{
    free(tensor->data);
    tensor->data = NULL;
}

bool fx_tensor_is_contiguous(const fx_tensor *tensor)
{
    int64_t step = 1;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
        if (tensor->dim[d] == 0) return true;
        if (tensor->dim[d] != 1 && tensor->stride[d] != step) return false;
        step *= tensor->dim[d];
    }
    return true;
}

static fx_status check_same_form(const fx_tensor *a, const fx_tensor *b)
{
    if (a->dtype != b->dtype) return FX_E_TYPE;
    if (a->rank != b->rank) return FX_E_SHAPE;
    for (int32_t d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return FX_E_SHAPE;
    return FX_OK;
}

/* Copies dims [d, rank) by recursion; the depth is at most FX_RANK. */
static void copy_dims(const fx_tensor *form, int32_t d, char *to, const int64_t *to_step, const char *from,
                      const int64_t *from_step)
{
    int64_t bytes = (int64_t)fx_dtype_bytes(form->dtype);
    if (d == form->rank) {
        memmove(to, from, (size_t)bytes);
        return;
    }
    for (int64_t i = 0; i < form->dim[d]; i++)
        copy_dims(form, d + 1, to + i * to_step[d] * bytes, to_step, from + i * from_step[d] * bytes, from_step);
}

fx_status fx_tensor_copy(fx_tensor *to, const fx_tensor *from)
{
    fx_status status = check_same_form(to, from);
    if (status != FX_OK) return status;
    int64_t bytes = fx_tensor_bytes(to);
    if (bytes <= 0) return bytes < 0 ? FX_E_SHAPE : FX_OK;
    if (fx_tensor_is_contiguous(to) && fx_tensor_is_contiguous(from))
        memmove(to->data, from->data, (size_t)bytes);
    else
        copy_dims(to, 0, to->data, to->stride, from->data, from->stride);
    return FX_OK;
}

/* Address of row-major element `index`. */
static void *element(const fx_tensor *tensor, int64_t index)
{
    int64_t at = 0;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
        at += index % tensor->dim[d] * tensor->stride[d];
        index /= tensor->dim[d];
    }
    return (char *)tensor->data + at * (int64_t)fx_dtype_bytes(tensor->dtype);
}

double fx_tensor_get(const fx_tensor *tensor, int64_t index)
{
    return fx__scalar_to_double(tensor->dtype, fx__scalar_load(tensor->dtype, element(tensor, index)));
}

void fx_tensor_set(fx_tensor *tensor, int64_t index, double value)
{
    fx__scalar_store(tensor->dtype, element(tensor, index), fx__scalar_from_double(tensor->dtype, value));
}
