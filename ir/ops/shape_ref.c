/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of operators that move elements: cat, stack, constant_pad_nd, copies. */
#include "runtime/ref.h"
#include <string.h>

fx_status fx__pad_reflect_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pad_replicate_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pad_circular_ref(const fx_rt_arg *args, fx_tensor *results);

fx_status fx__copy_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return fx_tensor_copy(results, args[0].u.tensor);
}

static int32_t axis(int32_t rank, int64_t d)
{
    return (int32_t)(d < 0 ? d + rank : d);
}

/* Stores x, converted, into result at coordinates shifted by `offset` along dim d. */
static void store_piece(const fx_tensor *x, fx_tensor *result, int32_t d, int64_t offset)
{
    int64_t at[FX_RANK] = {0}, to[FX_RANK];
    if (fx__ref_empty(x->rank, x->dim)) return;
    do {
        for (int32_t i = 0; i < x->rank; i++) to[i] = at[i] + (i == d ? offset : 0);
        fx__ref_store(result, to, fx__scalar_cast(x->dtype, result->dtype, fx__ref_load(x, at)));
    } while (fx__ref_next(x->rank, x->dim, at));
}

/* cat(tensors, dim); an old habit of torch: tensors of shape [0] are left out. */
fx_status fx__cat_ref(const fx_rt_arg *args, fx_tensor *results)
{
    int32_t d = axis(results->rank, args[1].u.i);
    int64_t offset = 0;
    for (int32_t i = 0; i < args[0].n; i++) {
        const fx_tensor *x = &args[0].u.tensor[i];
        if (x->rank != results->rank) continue;
        store_piece(x, results, d, offset);
        offset += x->dim[d];
    }
    return offset == results->dim[d] ? FX_OK : FX_E_SHAPE;
}

/* stack(tensors, dim) */
fx_status fx__stack_ref(const fx_rt_arg *args, fx_tensor *results)
{
    int32_t d = axis(results->rank, args[1].u.i);
    for (int32_t i = 0; i < args[0].n; i++) {
        const fx_tensor *x = &args[0].u.tensor[i];
        fx_tensor piece = *results;
        piece.data = x->data;
        piece.dtype = x->dtype;
        for (int32_t r = 0; r < results->rank; r++) {
            piece.dim[r] = r == d ? 1 : x->dim[r < d ? r : r - 1];
            piece.stride[r] = r == d ? 0 : x->stride[r < d ? r : r - 1];
        }
        store_piece(&piece, results, d, i);
    }
    return FX_OK;
}

static fx_imm fill_value(const fx_rt_arg *value, fx_dtype dtype)
{
    if (value->kind == FX_RT_FLOAT) return fx__scalar_from_double(dtype, value->u.f);
    return fx__scalar_cast(FX_I64, dtype, (fx_imm){.i = value->kind == FX_RT_INT ? value->u.i : 0});
}

static fx_status pad(const fx_rt_arg *args, const fx_rt_arg *value, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_imm fill = fill_value(value, x->dtype);
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        bool inside = true;
        for (int32_t d = 0; d < x->rank; d++) {
            int32_t pair = 2 * (x->rank - 1 - d);
            from[d] = at[d] - (pair < args[1].n ? args[1].u.ints[pair] : 0);
            inside = inside && from[d] >= 0 && from[d] < x->dim[d];
        }
        fx__ref_store(results, at, inside ? fx__ref_load(x, from) : fill);
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* constant_pad_nd(self, pad, value): pairs (before, after) from the last dim on; negative ones crop. */
fx_status fx__constant_pad_nd_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return pad(args, &args[2], results);
}
/* pad(self, pad, mode, value) */
fx_status fx__pad_ref(const fx_rt_arg *args, fx_tensor *results)
{
    if (strcmp(args[2].u.s, "reflect") == 0) return fx__pad_reflect_ref(args, results);
    if (strcmp(args[2].u.s, "replicate") == 0) return fx__pad_replicate_ref(args, results);
    if (strcmp(args[2].u.s, "circular") == 0) return fx__pad_circular_ref(args, results);
    return pad(args, &args[3], results);
}
