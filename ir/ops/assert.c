/* SPDX-License-Identifier: Apache-2.0 */
/* _assert_async: what torch._assert and torch._assert_async say of values that only a run knows. A run whose condition is zero ends
 * with FX_E_GUARD. Torch gives None; the row gives the condition as a bool, so that every row has a result. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__assert_async_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__assert_async_bound(const fx_rt_bound *call);

enum { CONDITION, MESSAGE };

static fx_status shape_assert(fx_call *call)
{
    const fx_type *condition = fx__call_type(call, CONDITION);
    for (int32_t d = 0; d < condition->rank; d++)
        if (!fx__check_equal(call, condition->dim[d], 1, "a condition has one element"))
            return fx__call_error(call, FX_E_SHAPE, "the condition is %s; expected one element", fx__check_type(call, condition).s);
    call->result[0].rank = 0;
    return FX_OK;
}

static fx_status lower_assert(fx_lower *lw, const fx_call *call)
{
    const fx_type *condition = fx__call_type(call, CONDITION);
    fx_lvalue result = fx__lower_result(lw, call, 0);
    fx_index at[FX_RANK];
    for (int32_t d = 0; d < condition->rank; d++) at[d] = fx__index_const(0);
    fx_kb *k = fx__lower_kernel(lw, call);
    uint16_t value = fx__kb_load(k, fx__lower_arg(lw, call, CONDITION), at);
    uint16_t holds = fx__kb_scalar(k, FX_SCALAR_NE, value, fx__kb_imm(k, condition->dtype, 0));
    fx__kb_store(k, result, NULL, condition->dtype == FX_BOOL ? value : holds);
    FX_TRY(fx__kb_finish(k));
    return fx__lower_assert(lw, result, call->arg[MESSAGE].u.s);
}

const fx_op fx_op__assert_async = {
    .name = "_assert_async",
    .target = "torch.ops.aten._assert_async.msg",
    .schema = "_assert_async(Tensor self, str assert_msg) -> Tensor",
    .names = "torch._assert",
    .family = "control",
    .dtypes = FX_ANY,
    .impure = true,
    .ulp = FX_ULP_EXACT,
    .dtype = fx__rule_dtype_bool,
    .shape = shape_assert,
    .reference = fx__assert_async_ref,
    .bound = fx__assert_async_bound,
    .lower = lower_assert,
};
