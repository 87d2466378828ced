/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/index.h: tensors of indices along dims of a tensor, as x[i, :, j] means them; shared by reading (index.c) and writing
 * (scatter.c). */
#ifndef FX_OPS_INDEX_H
#define FX_OPS_INDEX_H

#include "ir/op.h"

typedef struct fx_picks {
    const fx_type *x;
    const fx_attr *index[FX_RANK]; /* node per dim of x; NULL: all of the dim */
    int32_t n;                     /* dims with indices */
    fx_type common;                /* what the indices broadcast to */
    int32_t first;                 /* where its dims stand in the result: those of neighbouring indices stay, others go in front */
} fx_picks;

/* FX_E_TYPE unless these are indices. */
fx_status fx__pick_check(const fx_call *call, const fx_type *index);
fx_status fx__pick_add(const fx_call *call, fx_picks *p, int32_t d, const fx_attr *index);
/* A list parameter, "Tensor?[] indices"; None takes the whole dim. */
fx_status fx__pick_list(const fx_call *call, int32_t list, fx_picks *p);
fx_status fx__pick_shape(const fx_call *call, const fx_picks *p, fx_type *out);

#endif
