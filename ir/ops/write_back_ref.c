/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of copy_: the source, cast and broadcast to the type of what it is copied into. */
#include "runtime/ref.h"

fx_status fx__copy_in_place_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *source = args[1].u.tensor;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        fx_imm value = fx__scalar_load(source->dtype, fx__ref_bcast(source, results->rank, at));
        fx__ref_store(results, at, fx__scalar_cast(source->dtype, results->dtype, value));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}
