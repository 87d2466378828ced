/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/einsum_ref.h: the equation of einsum, read once for shape rule, decomposition and reference: which letter each dim of each
 * operand has. Dims of an ellipsis have letters beyond the alphabet. */
#ifndef FX_OPS_EINSUM_REF_H
#define FX_OPS_EINSUM_REF_H

#include "runtime/ref.h"

enum { FX_EINSUM_OPERANDS = 16, FX_EINSUM_ELLIPSIS = 128, FX_EINSUM_LETTERS = FX_EINSUM_ELLIPSIS + FX_RANK };

typedef struct fx_einsum_term {
    int32_t n;
    uint8_t letter[FX_RANK];
} fx_einsum_term;

typedef struct fx_einsum {
    int32_t n;
    fx_einsum_term operand[FX_EINSUM_OPERANDS], result;
} fx_einsum;

/* ranks: of the n operands. NULL, or what is wrong with the equation. */
const char *fx__einsum_read(const char *equation, const int32_t *ranks, int32_t n, fx_einsum *out);
/* Where a term has a letter for the first time; -1: nowhere. */
int32_t fx__einsum_position(const fx_einsum_term *term, uint8_t letter);

#endif
