/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/scalar.h: the meaning of scalar.def, one element at a time: used by reference kernels and by the evaluator. */
#ifndef FX_RUNTIME_SCALAR_H
#define FX_RUNTIME_SCALAR_H

#include "fxjit/types.h"

typedef enum fx_scalar_op {
#define FX_SCALAR(name, text, operands, classes, cost) FX_SCALAR_##name,
#include "runtime/scalar.def"
#undef FX_SCALAR
    FX_SCALAR_COUNT
} fx_scalar_op;

/* One scalar of any dtype: floats in f, signed integers and bool in i, unsigned integers in u. */
typedef union fx_imm {
    double f;
    int64_t i;
    uint64_t u;
} fx_imm;

const char *fx__scalar_name(fx_scalar_op op);
/* -1: no such name. */
int fx__scalar_find(const char *name);
int fx__scalar_operands(fx_scalar_op op);
int fx__scalar_cost(fx_scalar_op op);
bool fx__scalar_is_comparison(fx_scalar_op op); /* the result is bool */
bool fx__scalar_allows(fx_scalar_op op, fx_dtype dtype);
/* The operation that tensor arithmetic means: on bool, add is or and mul is and, as in torch. */
fx_scalar_op fx__scalar_on(fx_scalar_op op, fx_dtype dtype);
/* What a dtype is computed in: f32 for f16 and bf16, else itself. */
fx_dtype fx__scalar_compute(fx_dtype dtype);
/* Applies op to operands of `dtype`. Float results are computed in double and rounded to dtype (f32 for f16 and bf16: storage
 * rounds, see fx__scalar_store); integer results wrap to dtype. */
fx_imm fx__scalar_apply(fx_scalar_op op, fx_dtype dtype, fx_imm a, fx_imm b);
/* Converts with the rules at the top of scalar.def. */
fx_imm fx__scalar_cast(fx_dtype from, fx_dtype to, fx_imm value);
/* One element of memory. f16 and bf16 are read into and rounded (nearest even) from double. */
fx_imm fx__scalar_load(fx_dtype dtype, const void *at);
void fx__scalar_store(fx_dtype dtype, void *at, fx_imm value);
/* As double, whatever the dtype; and back. */
double fx__scalar_to_double(fx_dtype dtype, fx_imm value);
fx_imm fx__scalar_from_double(fx_dtype dtype, double value);

/* torch's type promotion. Operands fall in three ranks: tensors with dims, 0-dim tensors, Python numbers; a lower rank counts
 * only when its category (bool < integer < float) is higher. Start from {{-1, -1, -1}}. */
typedef enum fx_operand_rank { FX_OPERAND_DIMS, FX_OPERAND_ZERO_DIM, FX_OPERAND_NUMBER } fx_operand_rank;
typedef struct fx_promotion {
    int8_t dtype[3]; /* per fx_operand_rank; -1: none so far */
} fx_promotion;
#define FX_PROMOTION_EMPTY ((fx_promotion){{-1, -1, -1}})
/* Two tensors of one rank. u16, u32 and u64, which torch leaves open: with a signed type the next wider signed one, at most i64. */
fx_dtype fx__scalar_promote(fx_dtype a, fx_dtype b);
void fx__promotion_add(fx_promotion *promotion, fx_operand_rank rank, fx_dtype dtype);
fx_dtype fx__promotion_result(const fx_promotion *promotion); /* f32 when nothing was added */

#endif
