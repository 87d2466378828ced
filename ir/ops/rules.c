/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/rules.c: dtype and shape rules that many operators share: torch's promotion and broadcasting over symbolic dims. */
#include "ir/op.h"

fx_dtype fx__dtype_promote(fx_dtype a, fx_dtype b)
{
    return fx__scalar_promote(a, b);
}

static void promote_type(fx_promotion *promotion, const fx_type *type)
{
    if (type) fx__promotion_add(promotion, type->rank ? FX_OPERAND_DIMS : FX_OPERAND_ZERO_DIM, type->dtype);
}

static void promote_number(fx_promotion *promotion, const fx_attr *value)
{
    if (value->kind == FX_ATTR_BOOL) fx__promotion_add(promotion, FX_OPERAND_NUMBER, FX_BOOL);
    if (value->kind == FX_ATTR_INT || value->kind == FX_ATTR_SYMINT) fx__promotion_add(promotion, FX_OPERAND_NUMBER, FX_I64);
    if (value->kind == FX_ATTR_FLOAT) fx__promotion_add(promotion, FX_OPERAND_NUMBER, FX_F32);
}

/* Of tensors and of the numbers that stand where a tensor may stand; other scalars (alpha) take no part. */
fx_dtype fx__call_promoted(const fx_call *call)
{
    fx_promotion promotion = FX_PROMOTION_EMPTY;
    int32_t n;
    const fx_param *params = fx__op_params(call->op, &n);
    for (int32_t p = 0; p < n; p++) {
        fx_param_kind kind = params[p].kind;
        if (kind == FX_PARAM_TENSOR || kind == FX_PARAM_OPERAND) promote_type(&promotion, fx__call_type(call, p));
        if (kind == FX_PARAM_OPERAND) promote_number(&promotion, &call->arg[p]);
        for (int32_t i = 0; kind == FX_PARAM_TENSORS && i < fx__call_list_count(call, p); i++)
            promote_type(&promotion, fx__call_list_type(call, p, i));
    }
    return fx__promotion_result(&promotion);
}

static fx_status set_dtype(fx_call *call, fx_dtype dtype)
{
    for (int32_t r = 0; r < call->n_results; r++) call->result[r].dtype = dtype;
    return FX_OK;
}

fx_status fx__rule_dtype_promote(fx_call *call)
{
    return set_dtype(call, fx__call_promoted(call));
}

fx_status fx__rule_dtype_float(fx_call *call)
{
    fx_dtype dtype = fx__call_promoted(call);
    return set_dtype(call, (FX_FLOATS >> dtype) & 1 ? dtype : FX_F32);
}

fx_status fx__rule_dtype_bool(fx_call *call)
{
    return set_dtype(call, FX_BOOL);
}

static const fx_type *first_type(const fx_call *call)
{
    const fx_type *type = fx__call_type(call, 0);
    return type ? type : fx__call_list_type(call, 0, 0);
}

fx_status fx__rule_dtype_same(fx_call *call)
{
    const fx_type *type = first_type(call);
    if (!type) return fx__call_error(call, FX_E_TYPE, "its first argument is no tensor");
    return set_dtype(call, type->dtype);
}

fx_status fx__rule_shape_same(fx_call *call)
{
    const fx_type *type = first_type(call);
    if (!type) return fx__call_error(call, FX_E_SHAPE, "its first argument is no tensor");
    for (int32_t r = 0; r < call->n_results; r++) {
        call->result[r].rank = type->rank;
        for (int32_t d = 0; d < type->rank; d++) call->result[r].dim[d] = type->dim[d];
    }
    return FX_OK;
}

/* Two sizes side by side. A symbol is never taken for a 1 that is stretched: it is assumed to equal the other size. */
static bool broadcast_dim(fx_dims *dims, fx_dim a, fx_dim b, fx_dim *out)
{
    *out = a == 1 ? b : a;
    if (a == 1 || b == 1 || fx__dim_equal(dims, a, b)) return true;
    if (fx_dim_is_const(b)) *out = b;
    return fx__dims_assume(dims, FX_GUARD_EQ, a, b, "operands of one shape");
}

bool fx__broadcast(fx_dims *dims, const fx_type *a, const fx_type *b, fx_type *out)
{
    int32_t rank = a->rank > b->rank ? a->rank : b->rank;
    fx_type result = {.dtype = out->dtype, .rank = rank};
    for (int32_t d = 0; d < rank; d++) {
        int32_t at_a = d - (rank - a->rank), at_b = d - (rank - b->rank);
        if (!broadcast_dim(dims, at_a < 0 ? 1 : a->dim[at_a], at_b < 0 ? 1 : b->dim[at_b], &result.dim[d])) return false;
    }
    *out = result;
    return true;
}

static fx_status broadcast_error(const fx_call *call, const fx_type *a, const fx_type *b)
{
    fx_text text;
    fx__text_init(&text, call->context);
    fx__text_append(&text, "shapes do not broadcast: ");
    fx__type_print(&text, call->dims, a);
    fx__text_append(&text, " and ");
    fx__type_print(&text, call->dims, b);
    char *what = fx__text_finish(&text);
    fx_status status = what ? fx__call_error(call, FX_E_SHAPE, "%s", what) : FX_E_OOM;
    fx_text_free(what);
    return status;
}

fx_status fx__rule_shape_broadcast(fx_call *call)
{
    fx_type shape = {.dtype = call->result[0].dtype};
    int32_t n;
    fx__op_params(call->op, &n);
    for (int32_t p = 0; p < n; p++) {
        const fx_type *type = fx__call_type(call, p);
        if (type && !fx__broadcast(call->dims, &shape, type, &shape)) return broadcast_error(call, &shape, type);
    }
    for (int32_t r = 0; r < call->n_results; r++) {
        fx_dtype dtype = call->result[r].dtype;
        call->result[r] = shape;
        call->result[r].dtype = dtype;
    }
    return FX_OK;
}
