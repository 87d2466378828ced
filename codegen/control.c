/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/control.c: IF, LOOP and ASSERT steps of an entry. A loop's counter is a value of its header, and so are the addresses of
 * carried buffers: changing places costs nothing. A body that is entered leaves no trace of its own loops' changes of place. */
#include "codegen/entry.h"
#include "codegen/math.h"
#include "ir/diag.h"
#include <stddef.h>
#include <string.h>

static LLVMValueRef first_element(fx_entry_module *m, int32_t buf)
{
    return e_load(&m->e, e_mem_type(&m->e, m->program->buf[buf].dtype), fx__entry_buffer(m, buf));
}

static LLVMValueRef is_true(fx_entry_module *m, int32_t buf)
{
    LLVMValueRef value = first_element(m, buf);
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(value));
    return e_is_float(value) ? LLVMBuildFCmp(m->e.builder, LLVMRealUNE, value, zero, "") : e_icmp(&m->e, LLVMIntNE, value, zero);
}

/* Emits a block whose own loops' carried buffers are in their first places again behind it. */
static fx_status emit_body(fx_entry_module *m, const fx_block *block)
{
    size_t bytes = (size_t)m->program->n_buf * sizeof *m->moved;
    LLVMValueRef *before = FX_NEW_ARRAY(m->arena, LLVMValueRef, m->program->n_buf + 1);
    if (!before) return FX_E_OOM;
    memcpy(before, m->moved, bytes);
    FX_TRY(fx__entry_steps(m, block));
    memcpy(m->moved, before, bytes);
    return FX_OK;
}

fx_status fx__entry_if(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    LLVMBasicBlockRef yes = e_block(e, "then"), no = e_block(e, "else"), after = e_block(e, "fi");
    e_branch(e, is_true(m, step->cond), yes, no);
    e_put(e, yes);
    FX_TRY(emit_body(m, &step->body[0]));
    e_goto(e, after);
    e_put(e, no);
    FX_TRY(emit_body(m, &step->body[1]));
    e_goto(e, after);
    e_put(e, after);
    return FX_OK;
}

/* Leaves the entry at once where it does not hold, and notes which one it was: rt.h says how. */
fx_status fx__entry_assert(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    LLVMBasicBlockRef fails = e_block(e, "fails"), holds = e_block(e, "holds");
    e_branch(e, is_true(m, step->cond), holds, fails);
    e_put(e, fails);
    e_store(e, e_i32(e, FX_E_GUARD + 256 * ++m->n_assert), fx__entry_error(m));
    LLVMBuildRet(e->builder, e_i32(e, FX_E_GUARD));
    e_put(e, holds);
    return FX_OK;
}

/* ---- LOOP --------------------------------------------------------------------------------------------------------------- */

typedef struct turning {
    LLVMBasicBlockRef test, body, after;
    LLVMValueRef turn, *now, *next; /* of the header; [n_carry] */
} turning;

static bool asks(const fx_entry_module *m, const fx_step *step)
{
    return step->cond >= 0 && m->program->buf[step->cond].dtype == FX_BOOL;
}

/* How many turns there are at most; NULL: no limit. */
static LLVMValueRef limit_of(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    LLVMValueRef limit = step->turns == -1 ? NULL : fx__entry_dim(m, step->turns);
    if (step->cond < 0 || asks(m, step)) return limit;
    LLVMValueRef count = fx__math_cast(e, m->program->buf[step->cond].dtype, FX_I64, first_element(m, step->cond));
    return limit ? e_min(e, limit, count) : count;
}

static LLVMValueRef header_value(fx_e *e, LLVMValueRef first, LLVMBasicBlockRef from, const char *name)
{
    LLVMValueRef phi = LLVMBuildPhi(e->builder, LLVMTypeOf(first), name);
    LLVMAddIncoming(phi, &first, &from, 1);
    return phi;
}

/* Enters the header: the counter and the carried addresses are values of it, those of the second name being the ones left over. */
static bool begin_header(fx_entry_module *m, const fx_step *step, turning *t)
{
    fx_e *e = &m->e;
    LLVMValueRef *first = FX_NEW_ARRAY(m->arena, LLVMValueRef, 2 * step->n_carry + 1);
    t->now = FX_NEW_ARRAY(m->arena, LLVMValueRef, step->n_carry + 1);
    t->next = FX_NEW_ARRAY(m->arena, LLVMValueRef, step->n_carry + 1);
    if (!first || !t->now || !t->next) return false;
    for (int32_t i = 0; i < step->n_carry; i++) {
        first[2 * i] = fx__entry_buffer(m, step->carry[i].now);
        first[2 * i + 1] = fx__entry_buffer(m, step->carry[i].next);
    }
    LLVMBasicBlockRef from = e_here(e);
    e_goto(e, t->test);
    e_put(e, t->test);
    t->turn = header_value(e, e_i64(e, 0), from, "turn");
    for (int32_t i = 0; i < step->n_carry; i++) {
        m->moved[step->carry[i].now] = t->now[i] = header_value(e, first[2 * i], from, "now");
        m->moved[step->carry[i].next] = t->next[i] = header_value(e, first[2 * i + 1], from, "next");
    }
    return true;
}

static void end_header(fx_e *e, const fx_step *step, const turning *t)
{
    LLVMBasicBlockRef latch = e_here(e);
    LLVMValueRef turn = e_add(e, t->turn, e_i64(e, 1));
    LLVMAddIncoming(t->turn, &turn, &latch, 1);
    for (int32_t i = 0; i < step->n_carry; i++) {
        LLVMAddIncoming(t->now[i], &t->next[i], &latch, 1);
        LLVMAddIncoming(t->next[i], &t->now[i], &latch, 1);
    }
    e_goto(e, t->test);
}

static bool has_calls(const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        if (step->kind == FX_STEP_CALL || has_calls(&step->body[0]) || has_calls(&step->body[1])) return true;
    }
    return false;
}

/* Kernels are given the counter; CALL steps find it among the call's dims. */
static void set_counter(fx_entry_module *m, const fx_step *step, LLVMValueRef turn)
{
    fx_e *e = &m->e;
    if (step->counter < 0) return;
    m->sym[step->counter] = turn;
    if (!m->call || !has_calls(&step->body[0])) return;
    LLVMValueRef dims = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, dim));
    e_store(e, turn, e_at(e, e->ty_i64, dims, e_i64(e, step->counter)));
}

fx_status fx__entry_loop(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    turning t = {.test = e_block(e, "loop"), .body = e_block(e, "turn"), .after = e_block(e, "done")};
    LLVMValueRef limit = limit_of(m, step);
    if (!begin_header(m, step, &t)) return FX_E_OOM;
    if (limit) {
        LLVMBasicBlockRef more = asks(m, step) ? e_block(e, "more") : t.body;
        e_branch(e, e_icmp(e, LLVMIntSLT, t.turn, limit), more, t.after);
        e_put(e, more);
    }
    if (asks(m, step)) {
        e_branch(e, is_true(m, step->cond), t.body, t.after);
        e_put(e, t.body);
    }
    set_counter(m, step, t.turn);
    FX_TRY(emit_body(m, &step->body[0]));
    end_header(e, step, &t);
    if (step->counter >= 0) m->sym[step->counter] = NULL;
    e_put(e, t.after);
    return FX_OK;
}
