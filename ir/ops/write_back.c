/* SPDX-License-Identifier: Apache-2.0 */
/* copy_: the one operator with an effect in a core graph: a write-back of a value to an input or a buffer of the module. The pass
 * `functionalise` makes it of all other changes, passes/lower.c makes it a writeback of the program. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__copy_in_place_ref(const fx_rt_arg *args, fx_tensor *results);

static fx_status shape_copy(fx_call *call)
{
    const fx_type *self = fx__call_type(call, 0), *source = fx__call_type(call, 1);
    fx_type both;
    call->result[0] = *self;
    if (fx__broadcast(call->dims, self, source, &both) && both.rank == self->rank) {
        int32_t d = 0;
        while (d < both.rank && fx__dim_equal(call->dims, both.dim[d], self->dim[d])) d++;
        if (d == both.rank) return FX_OK;
    }
    return fx__call_error(call, FX_E_SHAPE, "%s does not broadcast to %s", fx__check_type(call, source).s,
                          fx__check_type(call, self).s);
}

const fx_op fx_op_copy_ = {
    .name = "copy_",
    .target = "torch.ops.aten.copy_.default",
    .schema = "copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor",
    .names = "method:copy_",
    .family = "moves",
    .dtypes = FX_ANY,
    .impure = true,
    .ulp = FX_ULP_EXACT,
    .dtype = fx__rule_dtype_same,
    .shape = shape_copy,
    .reference = fx__copy_in_place_ref,
};
