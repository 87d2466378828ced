/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/flow.c: the control-flow words of emit.h: blocks, counted loops with carried values, conditions. */
#include "codegen/emit.h"
#include <stdarg.h>
#include <stdio.h>

LLVMBasicBlockRef e_block(fx_e *e, const char *format, ...)
{
    char name[64];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    return LLVMAppendBasicBlockInContext(e->context, e->fn, name);
}

LLVMBasicBlockRef e_here(const fx_e *e)
{
    return LLVMGetInsertBlock(e->builder);
}
void e_goto(fx_e *e, LLVMBasicBlockRef block)
{
    LLVMBuildBr(e->builder, block);
}
void e_put(fx_e *e, LLVMBasicBlockRef block)
{
    LLVMPositionBuilderAtEnd(e->builder, block);
}

void e_branch(fx_e *e, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
    LLVMBuildCondBr(e->builder, condition, yes, no);
}

static void add_incoming(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from)
{
    LLVMAddIncoming(phi, &value, &from, 1);
}

LLVMValueRef e_phi2(fx_e *e, LLVMValueRef a, LLVMBasicBlockRef from_a, LLVMValueRef b, LLVMBasicBlockRef from_b)
{
    LLVMValueRef phi = LLVMBuildPhi(e->builder, LLVMTypeOf(a), "");
    add_incoming(phi, a, from_a);
    add_incoming(phi, b, from_b);
    return phi;
}

/* True when both ends are constants and the loop runs at least once. */
static bool surely_runs(LLVMValueRef begin, LLVMValueRef end)
{
    int64_t lo, hi;
    return e_const(begin, &lo) && e_const(end, &hi) && lo < hi;
}

fx_loop e_loop_begin(fx_e *e, const char *name, LLVMValueRef begin, LLVMValueRef end, int64_t step, int n_carry,
                     const LLVMValueRef *init)
{
    fx_loop loop = {
        .end = end, .step = step, .n_carry = n_carry, .body = e_block(e, "%s", name), .after = e_block(e, "%s.end", name)};
    LLVMBasicBlockRef from = e_here(e);
    if (surely_runs(begin, end)) {
        e_goto(e, loop.body);
    } else {
        loop.before = from;
        e_branch(e, e_icmp(e, LLVMIntSLT, begin, end), loop.body, loop.after);
    }
    e_put(e, loop.body);
    loop.index = LLVMBuildPhi(e->builder, e->ty_i64, name);
    add_incoming(loop.index, begin, from);
    for (int i = 0; i < n_carry; i++) {
        loop.init[i] = init[i];
        loop.carry[i] = LLVMBuildPhi(e->builder, LLVMTypeOf(init[i]), "carry");
        add_incoming(loop.carry[i], init[i], from);
    }
    return loop;
}

void e_loop_end(fx_e *e, fx_loop *loop, const LLVMValueRef *next)
{
    LLVMBasicBlockRef latch = e_here(e);
    LLVMValueRef index = LLVMBuildNSWAdd(e->builder, loop->index, e_i64(e, loop->step), "");
    add_incoming(loop->index, index, latch);
    for (int i = 0; i < loop->n_carry; i++) add_incoming(loop->carry[i], next[i], latch);
    e_branch(e, e_icmp(e, LLVMIntSLT, index, loop->end), loop->body, loop->after);
    LLVMMoveBasicBlockAfter(loop->after, latch);
    e_put(e, loop->after);
    for (int i = 0; i < loop->n_carry; i++) {
        loop->carry[i] = loop->before ? e_phi2(e, next[i], latch, loop->init[i], loop->before) : next[i];
    }
}

fx_if e_if_begin(fx_e *e, const char *name, LLVMValueRef condition)
{
    int64_t known;
    if (e_const(condition, &known) && known) return (fx_if){NULL};
    fx_if branch = {e_block(e, "%s.end", name)};
    LLVMBasicBlockRef then = e_block(e, "%s", name);
    LLVMMoveBasicBlockBefore(then, branch.after);
    e_branch(e, condition, then, branch.after);
    e_put(e, then);
    return branch;
}

void e_if_end(fx_e *e, fx_if *branch)
{
    if (!branch->after) return;
    LLVMBasicBlockRef last = e_here(e);
    e_goto(e, branch->after);
    LLVMMoveBasicBlockAfter(branch->after, last);
    e_put(e, branch->after);
}
