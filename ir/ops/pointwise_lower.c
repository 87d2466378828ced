/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_lower.c: element-wise operators as one MAP stage: an outer axis per dim of the result, operands loaded with
 * broadcasting. f16 and bf16 are computed in f32; stores round. */
#include "ir/lower.h"
#include <stdio.h>

fx_pw fx__pw_begin(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = {.lower = lower, .call = call, .k = fx__lower_kernel(lower, call)};
    for (int32_t d = 0; d < call->result[0].rank; d++) {
        char name[8];
        snprintf(name, sizeof name, "i%d", (int)(d & 15));
        pw.at[d] = fx__index_axis(fx__kb_axis(pw.k, name, call->result[0].dim[d], true));
    }
    return pw;
}

/* A size of 1 is read at 0 whatever the result's coordinate. */
static uint16_t load_broadcast(const fx_pw *pw, int32_t index, const fx_type *type)
{
    fx_index at[FX_RANK];
    int32_t skip = pw->call->result[0].rank - type->rank;
    for (int32_t d = 0; d < type->rank; d++) at[d] = type->dim[d] == 1 ? fx__index_const(0) : pw->at[skip + d];
    return fx__kb_load(pw->k, fx__lower_arg(pw->lower, pw->call, index), at);
}

uint16_t fx__pw_number(const fx_pw *pw, fx_dtype dtype, double value)
{
    fx_imm imm = fx__scalar_from_double(dtype, value);
    return fx_dtype_is_float(dtype) ? fx__kb_imm(pw->k, dtype, imm.f) : fx__kb_imm_int(pw->k, dtype, imm.i);
}

static uint16_t load_number(const fx_pw *pw, const fx_attr *value, fx_dtype dtype)
{
    if (value->kind == FX_ATTR_FLOAT) return fx__pw_number(pw, dtype, value->u.f);
    if (value->kind == FX_ATTR_SYMINT) return fx__kb_cast(pw->k, dtype, fx__kb_dim(pw->k, value->u.dim));
    fx_imm imm = fx__scalar_cast(FX_I64, dtype, (fx_imm){.i = value->u.i});
    return fx_dtype_is_float(dtype) ? fx__kb_imm(pw->k, dtype, imm.f) : fx__kb_imm_int(pw->k, dtype, imm.i);
}

uint16_t fx__pw_operand(const fx_pw *pw, int32_t index, fx_dtype dtype)
{
    const fx_type *type = fx__call_type(pw->call, index);
    if (!type) return load_number(pw, &pw->call->arg[index], dtype);
    return fx__kb_cast(pw->k, dtype, load_broadcast(pw, index, type));
}

fx_status fx__pw_finish(const fx_pw *pw, uint16_t e)
{
    fx__kb_store(pw->k, fx__lower_result(pw->lower, pw->call, 0), pw->at, e);
    return fx__kb_finish(pw->k);
}

fx_status fx__lower_scalar(fx_lower *lower, const fx_call *call)
{
    fx_scalar_op op = (fx_scalar_op)(call->op->scalar - 1);
    fx_dtype common = fx__scalar_is_comparison(op) ? fx__call_promoted(call) : call->result[0].dtype;
    fx_dtype dtype = fx__scalar_compute(common);
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t a = fx__pw_operand(&pw, 0, dtype);
    uint16_t b = fx__scalar_operands(op) == 2 ? fx__pw_operand(&pw, 1, dtype) : FX_NO_EXPR;
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, fx__scalar_on(op, dtype), a, b));
}
