/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of padding with elements of the tensor itself. */
#include "runtime/ref.h"

typedef int64_t (*place_fn)(int64_t at, int64_t size); /* the element that stands at a position outside */

static int64_t mirrored(int64_t at, int64_t size)
{
    if (at < 0) at = -at;
    return at < size ? at : 2 * (size - 1) - at;
}
static int64_t repeated(int64_t at, int64_t size)
{
    return at < 0 ? 0 : at < size ? at : size - 1;
}
static int64_t wrapped(int64_t at, int64_t size)
{
    return at < 0 ? at + size : at < size ? at : at - size;
}

/* (self, padding): pairs (before, after) from the last dim on; negative ones crop. */
static fx_status pad(const fx_rt_arg *args, fx_tensor *result, place_fn place)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        for (int32_t d = 0; d < x->rank; d++) {
            int32_t pair = 2 * (x->rank - 1 - d);
            from[d] = place(at[d] - (pair < args[1].n ? args[1].u.ints[pair] : 0), x->dim[d]);
        }
        fx__ref_store(result, at, fx__ref_load(x, from));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__pad_reflect_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return pad(args, results, mirrored);
}
fx_status fx__pad_replicate_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return pad(args, results, repeated);
}
fx_status fx__pad_circular_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return pad(args, results, wrapped);
}
