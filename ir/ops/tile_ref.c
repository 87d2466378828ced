/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of copies side by side and of elements moved round: where each element of the result comes from. */
#include "runtime/ref.h"
#include <string.h>

/* repeat(self, repeats), tile(self, dims) */
fx_status fx__repeat_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        for (int32_t d = 0; d < x->rank; d++) from[d] = at[results->rank - x->rank + d] % x->dim[d];
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

static int64_t moved(int64_t at, int64_t shift, int64_t size)
{
    return ((at - shift % size) % size + size) % size;
}

/* All elements in row-major order. */
static void roll_all(const fx_tensor *x, int64_t shift, const fx_tensor *result)
{
    int64_t at[FX_RANK] = {0}, from[FX_RANK], n = fx_tensor_elems(x), i = 0;
    do {
        int64_t number = moved(i++, shift, n);
        for (int32_t d = x->rank - 1; d >= 0; d--) {
            from[d] = number % x->dim[d];
            number /= x->dim[d];
        }
        fx__ref_store(result, at, fx__ref_load(x, from));
    } while (fx__ref_next(x->rank, x->dim, at));
}

/* roll(self, shifts, dims) */
fx_status fx__roll_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    if (args[2].n == 0) {
        roll_all(x, args[1].u.ints[0], results);
        return FX_OK;
    }
    do {
        memcpy(from, at, sizeof from);
        for (int32_t i = 0; i < args[2].n; i++) {
            int64_t dim = args[2].u.ints[i], d = dim < 0 ? dim + x->rank : dim;
            from[d] = moved(from[d], args[1].u.ints[i], x->dim[d]);
        }
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(x->rank, x->dim, at));
    return FX_OK;
}

/* The small image holds, in r * r channels, what the large one holds in blocks of r by r. */
static fx_status shuffle(const fx_tensor *x, int64_t r, bool grows, const fx_tensor *result)
{
    const fx_tensor *large = grows ? result : x;
    int64_t at[FX_RANK] = {0}, small[FX_RANK];
    int32_t c = x->rank - 3, h = x->rank - 2, w = x->rank - 1;
    if (fx__ref_empty(large->rank, large->dim)) return FX_OK;
    do {
        memcpy(small, at, sizeof small);
        small[c] = (at[c] * r + at[h] % r) * r + at[w] % r;
        small[h] = at[h] / r;
        small[w] = at[w] / r;
        fx__ref_store(result, grows ? at : small, fx__ref_load(x, grows ? small : at));
    } while (fx__ref_next(large->rank, large->dim, at));
    return FX_OK;
}

/* pixel_shuffle(self, upscale_factor) */
fx_status fx__pixel_shuffle_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return shuffle(args[0].u.tensor, args[1].u.i, true, results);
}
/* pixel_unshuffle(self, downscale_factor) */
fx_status fx__pixel_unshuffle_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return shuffle(args[0].u.tensor, args[1].u.i, false, results);
}

/* channel_shuffle(self, groups): channel c comes from number c / groups of group c % groups. */
fx_status fx__channel_shuffle_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK], groups = args[1].u.i;
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        for (int32_t d = 0; d < x->rank; d++) from[d] = at[d];
        from[1] = at[1] % groups * (x->dim[1] / groups) + at[1] / groups;
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}
