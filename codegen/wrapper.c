/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/wrapper.c: the typed wrapper NAME of an entry: one pointer per tensor, one integer per symbol, a workspace. It describes
 * the tensors as dense, fills an fx_rt_call on its stack and calls the entry. */
#include "codegen/entry.h"
#include "ir/diag.h"
#include <stddef.h>

static LLVMValueRef external(fx_entry_module *m, const char *suffix)
{
    const char *name = fx__arena_format(m->arena, "%s%s", m->symbol, suffix);
    LLVMValueRef global = LLVMAddGlobal(m->e.module, m->e.ty_i8, name);
    /* inside an object it is near; in the JIT it is anywhere, and the address comes from a table */
    if (m->use != FX_ENTRY_JIT) LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}

static void set_field(fx_e *e, LLVMValueRef base, size_t offset, LLVMValueRef value)
{
    e_store(e, value, e_at_bytes(e, base, e_i64(e, (int64_t)offset)));
}

static void describe(fx_entry_module *m, LLVMValueRef tensors, const fx_buf *buf, LLVMValueRef data)
{
    fx_e *e = &m->e;
    LLVMValueRef at = e_at_bytes(e, tensors, e_i64(e, (int64_t)((size_t)buf->index * sizeof(fx_tensor)))), stride = e_i64(e, 1);
    set_field(e, at, offsetof(fx_tensor, data), data);
    set_field(e, at, offsetof(fx_tensor, dtype), e_i32(e, (int32_t)buf->dtype));
    set_field(e, at, offsetof(fx_tensor, rank), e_i32(e, buf->rank));
    for (int d = buf->rank - 1; d >= 0; d--) {
        LLVMValueRef dim = fx__frame_dim_value(e, m->program->dims, m->sym, buf->dim[d]);
        set_field(e, at, offsetof(fx_tensor, dim) + (size_t)d * sizeof(int64_t), dim);
        set_field(e, at, offsetof(fx_tensor, stride) + (size_t)d * sizeof(int64_t), stride);
        stride = e_mul(e, stride, dim);
    }
}

static LLVMValueRef array(fx_e *e, size_t bytes, const char *name)
{
    return e_alloca(e, LLVMArrayType2(e->ty_i8, bytes ? bytes : 1), name);
}

/* NAME's parameters: tensors, symbols, workspace, and weights or state where there are any. */
static LLVMValueRef begin_wrapper(fx_entry_module *m, bool takes_weights, bool takes_state)
{
    fx_e *e = &m->e;
    int32_t n_tensor = m->program->n_input + m->program->n_output, n_sym = fx__dims_param_count(m->program->dims);
    LLVMTypeRef *param = FX_NEW_ARRAY(m->arena, LLVMTypeRef, n_tensor + n_sym + 3);
    unsigned n = 0;
    if (!param) return NULL;
    for (int32_t i = 0; i < n_tensor; i++) param[n++] = e->ty_ptr;
    for (int32_t i = 0; i < n_sym; i++) param[n++] = e->ty_i64;
    param[n++] = e->ty_ptr;
    if (takes_weights) param[n++] = e->ty_ptr;
    if (takes_state) param[n++] = e->ty_ptr;
    return e_function(e, m->symbol, e->ty_i32, param, n, NULL);
}

static LLVMValueRef describe_all(fx_entry_module *m, LLVMValueRef fn, fx_role role)
{
    const fx_program *program = m->program;
    int32_t count = role == FX_BUF_INPUT ? program->n_input : program->n_output,
            first = role == FX_BUF_INPUT ? 0 : program->n_input;
    LLVMValueRef tensors = array(&m->e, (size_t)count * sizeof(fx_tensor), role == FX_BUF_INPUT ? "in" : "out");
    for (int32_t i = 0; i < program->n_buf; i++) {
        const fx_buf *buf = &program->buf[i];
        if (buf->role == role && buf->parent < 0) describe(m, tensors, buf, LLVMGetParam(fn, (unsigned)(first + buf->index)));
    }
    return tensors;
}

/* Behind the temporaries, which end at a multiple of 64 bytes. */
static LLVMValueRef scratch_in(fx_entry_module *m, LLVMValueRef workspace)
{
    fx_e *e = &m->e;
    LLVMValueRef bytes = fx__frame_dim_value(e, m->program->dims, m->sym, m->program->workspace_bytes), line = e_i64(e, 64);
    return e_at_bytes(e, workspace, e_mul(e, e_ceildiv(e, bytes, line), line));
}

/* The JIT's template knows how to run CALL steps; elsewhere there are none. */
static LLVMValueRef start_call(fx_entry_module *m)
{
    fx_e *e = &m->e;
    LLVMValueRef call = array(e, sizeof(fx_rt_call), "call");
    LLVMValueRef bytes = e_i64(e, sizeof(fx_rt_call));
    if (m->use == FX_ENTRY_JIT)
        LLVMBuildMemCpy(e->builder, call, 8, external(m, "_call"), 8, bytes);
    else
        LLVMBuildMemSet(e->builder, call, LLVMConstNull(e->ty_i8), bytes, 8);
    return call;
}

static void fill_call(fx_entry_module *m, LLVMValueRef call, LLVMValueRef in, LLVMValueRef out, LLVMValueRef workspace)
{
    fx_e *e = &m->e;
    int32_t n_sym = fx__dims_sym_count(m->program->dims);
    int64_t scratch_bytes = (m->program->scratch_bytes + 63) / 64 * 64;
    set_field(e, call, offsetof(fx_rt_call, in), in);
    set_field(e, call, offsetof(fx_rt_call, out), out);
    set_field(e, call, offsetof(fx_rt_call, n_in), e_i32(e, m->program->n_input));
    set_field(e, call, offsetof(fx_rt_call, n_out), e_i32(e, m->program->n_output));
    set_field(e, call, offsetof(fx_rt_call, dim), array(e, (size_t)n_sym * sizeof(int64_t), "dim"));
    set_field(e, call, offsetof(fx_rt_call, workspace), workspace);
    set_field(e, call, offsetof(fx_rt_call, scratch), scratch_in(m, workspace));
    set_field(e, call, offsetof(fx_rt_call, scratch_bytes), e_i64(e, scratch_bytes));
    set_field(e, call, offsetof(fx_rt_call, threads), e_i32(e, m->options->threads > 0 ? m->options->threads : 1));
}

fx_status fx__entry_wrapper(fx_entry_module *m, LLVMValueRef entry)
{
    fx_e *e = &m->e;
    const fx_program *program = m->program;
    bool takes_weights = m->use == FX_ENTRY_WEIGHTS_ARGUMENT && program->const_bytes > 0, takes_state = program->n_state > 0;
    LLVMValueRef fn = begin_wrapper(m, takes_weights, takes_state);
    if (!fn) return FX_E_OOM;
    unsigned n = (unsigned)(program->n_input + program->n_output);
    for (int32_t i = 0; i < fx__dims_param_count(program->dims); i++) m->sym[i] = LLVMGetParam(fn, n++);
    LLVMValueRef call = start_call(m), in = describe_all(m, fn, FX_BUF_INPUT), out = describe_all(m, fn, FX_BUF_OUTPUT);
    fill_call(m, call, in, out, LLVMGetParam(fn, n++));
    if (takes_weights)
        set_field(e, call, offsetof(fx_rt_call, consts), LLVMGetParam(fn, n++));
    else if (program->const_bytes > 0)
        set_field(e, call, offsetof(fx_rt_call, consts), external(m, "_weights"));
    if (takes_state) set_field(e, call, offsetof(fx_rt_call, state), LLVMGetParam(fn, n++));
    LLVMBuildRet(e->builder, LLVMBuildCall2(e->builder, e_function_type(entry), entry, &call, 1, ""));
    return FX_OK;
}
