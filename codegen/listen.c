/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/listen.c: the brackets that an entry compiled for profiling puts around every step: where somebody listens at
 * call->profile, its `begin` is called before the step, may leave it out, and its `end` after it. */
#include "codegen/entry.h"
#include <stddef.h>

static LLVMValueRef call_listener(fx_entry_module *m, size_t field, LLVMTypeRef result, int32_t unit)
{
    fx_e *e = &m->e;
    LLVMTypeRef type = LLVMFunctionType(result, (LLVMTypeRef[]){e->ty_ptr, e->ty_i32}, 2, 0);
    LLVMValueRef arg[] = {m->profile, e_i32(e, unit)};
    return LLVMBuildCall2(e->builder, type, e_field(e, e->ty_ptr, m->profile, field), arg, 2, "");
}

/* An IF or LOOP stays: what follows it names values that it makes. */
fx_bracket fx__listen_begin(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    fx_bracket b = {m->n_unit++, e_block(e, "left")};
    LLVMBasicBlockRef tell = e_block(e, "tell"), unit = e_block(e, "unit");
    e_branch(e, LLVMBuildIsNull(e->builder, m->profile, ""), unit, tell);
    e_put(e, tell);
    LLVMValueRef wanted = call_listener(m, offsetof(fx_rt_profile, begin), e->ty_i32, b.unit);
    if (step->kind == FX_STEP_RUN || step->kind == FX_STEP_CALL)
        e_branch(e, e_icmp(e, LLVMIntNE, wanted, e_i32(e, 0)), unit, b.after);
    else
        e_goto(e, unit);
    e_put(e, unit);
    return b;
}

void fx__listen_end(fx_entry_module *m, const fx_bracket *bracket)
{
    fx_e *e = &m->e;
    LLVMBasicBlockRef tell = e_block(e, "tell");
    e_branch(e, LLVMBuildIsNull(e->builder, m->profile, ""), bracket->after, tell);
    e_put(e, tell);
    call_listener(m, offsetof(fx_rt_profile, end), e->ty_void, bracket->unit);
    e_goto(e, bracket->after);
    e_put(e, bracket->after);
}
