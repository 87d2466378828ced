/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_ref.c: element by element: convert to the common dtype, apply, store. */
#include "ir/ops/pointwise_ref.h"
#include <math.h>

/* ---- Operands: a tensor, or a number that stands for one ------------------------------------------------------------------ */

typedef struct operand {
    const fx_tensor *tensor; /* NULL: a number */
    fx_dtype dtype;
    fx_imm number;
} operand;

static operand operand_of(const fx_rt_arg *arg)
{
    if (arg->kind == FX_RT_TENSOR) return (operand){arg->u.tensor, arg->u.tensor->dtype, {0}};
    if (arg->kind == FX_RT_FLOAT) return (operand){NULL, FX_F64, {.f = arg->u.f}};
    return (operand){NULL, FX_I64, {.i = arg->u.i}};
}

/* The operand's element at a coordinate of the result, as `dtype`. */
static fx_imm operand_at(const operand *from, fx_dtype dtype, int32_t rank, const int64_t *at)
{
    fx_imm value = from->tensor ? fx__scalar_load(from->dtype, fx__ref_bcast(from->tensor, rank, at)) : from->number;
    return fx__scalar_cast(from->dtype, dtype, value);
}

static void promote(fx_promotion *promotion, const operand *from)
{
    if (from->tensor) fx__promotion_add(promotion, from->tensor->rank ? FX_OPERAND_DIMS : FX_OPERAND_ZERO_DIM, from->dtype);
    else fx__promotion_add(promotion, FX_OPERAND_NUMBER, from->dtype == FX_F64 ? FX_F32 : from->dtype);
}

/* Comparisons work in their operands' common dtype, all else in the result's. */
static fx_dtype common_dtype(fx_scalar_op op, const operand *a, const operand *b, const fx_tensor *result)
{
    if (!fx__scalar_is_comparison(op)) return result->dtype;
    fx_promotion promotion = FX_PROMOTION_EMPTY;
    promote(&promotion, a);
    promote(&promotion, b);
    return fx__promotion_result(&promotion);
}

/* ---- Loops ---------------------------------------------------------------------------------------------------------------- */

static fx_status unary(fx_scalar_op op, fx_scalar_op on_bool, const fx_rt_arg *args, fx_tensor *result)
{
    operand a = operand_of(&args[0]);
    fx_dtype dtype = common_dtype(op, &a, &a, result);
    fx_scalar_op apply = dtype == FX_BOOL ? on_bool : op;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        fx_imm value = operand_at(&a, dtype, result->rank, at);
        fx__ref_store(result, at, fx__scalar_apply(apply, dtype, value, value));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* alpha scales the second operand; NULL: by 1. */
static fx_status binary(fx_scalar_op op, fx_scalar_op on_bool, const fx_rt_arg *args, const fx_rt_arg *alpha, fx_tensor *result)
{
    operand a = operand_of(&args[0]), b = operand_of(&args[1]), scale = alpha ? operand_of(alpha) : (operand){NULL, FX_I64, {.i = 1}};
    fx_dtype dtype = common_dtype(op, &a, &b, result);
    fx_scalar_op apply = dtype == FX_BOOL ? on_bool : op;
    bool scales = fx__scalar_to_double(scale.dtype, scale.number) != 1;
    fx_imm factor = fx__scalar_cast(scale.dtype, dtype, scale.number);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        fx_imm x = operand_at(&a, dtype, result->rank, at), y = operand_at(&b, dtype, result->rank, at);
        if (scales) y = fx__scalar_apply(FX_SCALAR_MUL, dtype, y, factor);
        fx__ref_store(result, at, fx__scalar_apply(apply, dtype, x, y));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

#define REF_UNARY(name, scalar, on_bool)                                                                                         \
    fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results)                                                          \
    {                                                                                                                            \
        return unary(FX_SCALAR_##scalar, FX_SCALAR_##on_bool, args, results);                                                    \
    }
FX_POINTWISE_UNARY(REF_UNARY)

#define REF_BINARY(name, scalar, on_bool)                                                                                        \
    fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results)                                                          \
    {                                                                                                                            \
        return binary(FX_SCALAR_##scalar, FX_SCALAR_##on_bool, args, NULL, results);                                             \
    }
FX_POINTWISE_BINARY(REF_BINARY)
