/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/entry.c: a program's steps as code: pointers are bound (base + offset), kernels called directly or shared
 * out through fx_rt_parallel, CALL steps handed to call->step, IF and LOOP in control.c. The entry checks (check.c), then enters
 * the steps, by way of fx_rt_run when some kernel is worth sharing. */
#include "codegen/entry.h"
#include "codegen/math.h"
#include "ir/diag.h"
#include <stddef.h>
#include <string.h>

const char *fx__entry_symbol(const fx_codegen_options *options)
{
    return options->symbol ? options->symbol : "fx_entry";
}

/* ---- Symbols and buffers ------------------------------------------------------------------------------------------------ */

LLVMValueRef *fx__entry_syms(fx_entry_module *m)
{
    fx_e *e = &m->e;
    int32_t n = fx__dims_sym_count(m->program->dims);
    LLVMValueRef *all = m->here_sym;
    for (int32_t i = 0; i < n; i++) {
        all[i] = m->sym[i];
        if (all[i] || !m->call) continue;
        LLVMValueRef dims = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, dim));
        all[i] = e_load(e, e->ty_i64, e_at(e, e->ty_i64, dims, e_i64(e, i)));
    }
    return all;
}

LLVMValueRef fx__entry_dim(fx_entry_module *m, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return e_i64(&m->e, dim);
    return fx__frame_dim_value(&m->e, m->program->dims, fx__entry_syms(m), dim);
}

static LLVMValueRef root_pointer(fx_entry_module *m, int32_t root)
{
    fx_e *e = &m->e;
    const fx_buf *buf = &m->program->buf[root];
    if (m->moved[root]) return m->moved[root];
    switch (buf->role) {
    case FX_BUF_INPUT:
        return m->in[buf->index];
    case FX_BUF_OUTPUT:
        return m->out[buf->index];
    case FX_BUF_STATE:
        return e_at_bytes(e, m->state, fx__entry_dim(m, buf->offset));
    case FX_BUF_TEMP:
        return e_at_bytes(e, m->workspace, fx__entry_dim(m, buf->offset));
    case FX_BUF_CONST:
        break;
    }
    if (buf->offset < 0 && m->table) return e_field(e, e->ty_ptr, m->table, (size_t)root * sizeof(void *));
    return e_at_bytes(e, m->consts, fx__entry_dim(m, buf->offset));
}

LLVMValueRef fx__entry_buffer(fx_entry_module *m, int32_t index)
{
    fx_e *e = &m->e;
    fx_dim stride[FX_RANK];
    LLVMValueRef ptr = root_pointer(m, fx__buf_root(m->program, index)), elems = e_i64(e, 0);
    fx__buf_strides(m->program, index, stride);
    for (const fx_buf *buf = &m->program->buf[index]; buf->parent >= 0; buf = &m->program->buf[buf->parent]) {
        for (int d = 0; d < buf->rank; d++) {
            elems = e_add(e, elems, e_mul(e, fx__entry_dim(m, buf->at[d]), fx__entry_dim(m, stride[d])));
        }
    }
    return e_at(e, e_mem_type(e, m->program->buf[index].dtype), ptr, elems);
}

/* ---- Kernels ------------------------------------------------------------------------------------------------------------ */

enum { MAX_ARGS = FX_ARGS + 72 };

static bool is_shared(const fx_entry_module *m, const fx_kernel *kernel)
{
    return m->call && m->options->threads != 1 && kernel->sched.parallel && kernel->sched.n_task > 0;
}

LLVMValueRef fx__entry_error(fx_entry_module *m)
{
    fx_e *e = &m->e;
    if (!m->call) return e_at_bytes(e, m->table, e_i64(e, (int64_t)m->program->n_buf * 8)); /* init's is behind the table */
    return e_at_bytes(e, m->call, e_i64(e, offsetof(fx_rt_call, error)));
}

static LLVMValueRef scratch_of(fx_entry_module *m)
{
    if (!m->call) return m->scratch;
    return e_field(&m->e, m->e.ty_ptr, m->call, offsetof(fx_rt_call, scratch));
}

static LLVMValueRef chunk_count(fx_entry_module *m, const fx_kernel *kernel)
{
    LLVMValueRef extent[FX_AXES];
    if (kernel->sched.n_task == 0) return e_i64(&m->e, 1);
    for (int i = 0; i < kernel->n_axis; i++) extent[i] = fx__entry_dim(m, kernel->axis[i].extent);
    return fx__frame_chunk_count(&m->e, kernel, extent);
}

static void call_body(fx_entry_module *m, const fx_step *step, const fx_kernel *kernel)
{
    fx_e *e = &m->e;
    LLVMValueRef arg[MAX_ARGS], *sym = fx__entry_syms(m);
    int32_t syms[FX_KERNEL_SYMS], n_sym = fx__kernel_syms(m->program, kernel, syms);
    unsigned n = 0;
    for (int i = 0; i < kernel->n_arg; i++) {
        if (kernel->arg[i].role != FX_ARG_LOCAL) arg[n++] = fx__entry_buffer(m, step->bind[i].buf);
    }
    if (fx__frame_gathers(kernel)) arg[n++] = fx__entry_error(m);
    for (int32_t i = 0; i < n_sym; i++) arg[n++] = sym[syms[i]];
    arg[n++] = e_i64(e, 0);
    arg[n++] = chunk_count(m, kernel);
    arg[n++] = scratch_of(m);
    LLVMValueRef body = fx__frame_declare(e, m->program, kernel, true);
    LLVMBuildCall2(e->builder, e_function_type(body), body, arg, n, "");
}

static LLVMValueRef runtime_function(fx_entry_module *m, const char *name, LLVMTypeRef result, LLVMTypeRef *param, unsigned n)
{
    LLVMValueRef fn = LLVMGetNamedFunction(m->e.module, name);
    return fn ? fn : LLVMAddFunction(m->e.module, name, LLVMFunctionType(result, param, n, 0));
}

/* The job is made in memory that all parallel kernels of the entry share: each is done when the call returns. */
static void call_parallel(fx_entry_module *m, const fx_step *step, const fx_kernel *kernel)
{
    fx_e *e = &m->e;
    LLVMValueRef *sym = fx__entry_syms(m);
    int32_t syms[FX_KERNEL_SYMS], n_sym = fx__kernel_syms(m->program, kernel, syms);
    for (int i = 0; i < kernel->n_arg; i++) {
        if (kernel->arg[i].role == FX_ARG_LOCAL) continue;
        e_store(e, fx__entry_buffer(m, step->bind[i].buf), e_at(e, e->ty_ptr, m->job_arg, e_i64(e, i)));
    }
    if (fx__frame_gathers(kernel)) e_store(e, fx__entry_error(m), e_at(e, e->ty_ptr, m->job_arg, e_i64(e, kernel->n_arg)));
    for (int32_t i = 0; i < n_sym; i++) e_store(e, sym[syms[i]], e_at(e, e->ty_i64, m->job_dim, e_i64(e, i)));
    LLVMTypeRef param[] = {e->ty_ptr, e->ty_ptr, e->ty_ptr, e->ty_i64};
    LLVMValueRef fn = runtime_function(m, m->profile ? "fx_rt_parallel_profiled" : "fx_rt_parallel", e->ty_void, param, 4);
    LLVMValueRef thunk = fx__frame_declare(e, m->program, kernel, false);
    LLVMValueRef arg[] = {m->call, thunk, m->job, chunk_count(m, kernel)};
    LLVMBuildCall2(e->builder, e_function_type(fn), fn, arg, 4, "");
}

/* ---- Steps -------------------------------------------------------------------------------------------------------------- */

static void return_if_failed(fx_entry_module *m, LLVMValueRef status)
{
    fx_e *e = &m->e;
    LLVMBasicBlockRef failed = e_block(e, "failed"), next = e_block(e, "next");
    e_branch(e, e_icmp(e, LLVMIntEQ, status, e_i32(e, 0)), next, failed);
    e_put(e, failed);
    LLVMBuildRet(e->builder, status);
    e_put(e, next);
}

static fx_status emit_call(fx_entry_module *m, const fx_step *step)
{
    fx_e *e = &m->e;
    if (!m->call)
        return fx__diag(m->context, FX_E_CODEGEN, NULL, "an init step has no compiled form: %s",
                        step->why_call ? step->why_call : "");
    LLVMValueRef fn = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, step));
    LLVMBasicBlockRef missing = e_block(e, "no_step"), present = e_block(e, "step");
    e_branch(e, LLVMBuildIsNull(e->builder, fn, ""), missing, present);
    e_put(e, missing);
    LLVMBuildRet(e->builder, e_i32(e, FX_E_UNSUPPORTED));
    e_put(e, present);
    for (int32_t i = 0; i < step->n_view; i++)
        e_store(e, fx__entry_buffer(m, step->view[i].buf), e_at(e, e->ty_ptr, m->views, e_i64(e, i)));
    LLVMTypeRef type = LLVMFunctionType(e->ty_i32, (LLVMTypeRef[]){e->ty_ptr, e->ty_i32, e->ty_ptr}, 3, 0);
    LLVMValueRef arg[] = {m->call, e_i32(e, m->n_call++), m->views};
    return_if_failed(m, LLVMBuildCall2(e->builder, type, fn, arg, 3, "status"));
    return FX_OK;
}

static fx_status emit_unit(fx_entry_module *m, const fx_step *step)
{
    switch (step->kind) {
    case FX_STEP_RUN: {
        const fx_kernel *kernel = m->program->kernel[step->kernel];
        if (is_shared(m, kernel))
            call_parallel(m, step, kernel);
        else
            call_body(m, step, kernel);
        return FX_OK;
    }
    case FX_STEP_CALL:
        return emit_call(m, step);
    case FX_STEP_IF:
        return fx__entry_if(m, step);
    case FX_STEP_ASSERT:
        return fx__entry_assert(m, step);
    case FX_STEP_LOOP:
        break;
    }
    return fx__entry_loop(m, step);
}

static fx_status emit_step(fx_entry_module *m, const fx_step *step)
{
    if (!m->profile) return emit_unit(m, step);
    fx_bracket bracket = fx__listen_begin(m, step);
    FX_TRY(emit_unit(m, step));
    fx__listen_end(m, &bracket);
    return FX_OK;
}

fx_status fx__entry_steps(fx_entry_module *m, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) FX_TRY(emit_step(m, &block->step[i]));
    return FX_OK;
}

/* ---- Functions ---------------------------------------------------------------------------------------------------------- */

static bool block_is_shared(const fx_entry_module *m, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        if (step->kind == FX_STEP_RUN && is_shared(m, m->program->kernel[step->kernel])) return true;
        if (block_is_shared(m, &step->body[0]) || block_is_shared(m, &step->body[1])) return true;
    }
    return false;
}

static const char *name_of(fx_entry_module *m, const char *suffix)
{
    return fx__arena_format(m->arena, "%s%s", m->symbol, suffix);
}

static LLVMValueRef begin_function(fx_entry_module *m, const char *suffix, const LLVMTypeRef *param, unsigned n, bool hidden)
{
    LLVMValueRef fn = e_function(&m->e, name_of(m, suffix), m->e.ty_i32, param, n, NULL);
    if (hidden) LLVMSetVisibility(fn, LLVMHiddenVisibility);
    return fn;
}

static void read_bases(fx_entry_module *m)
{
    fx_e *e = &m->e;
    m->consts = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, consts));
    m->state = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, state));
    m->workspace = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, workspace));
    LLVMValueRef in = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, in));
    LLVMValueRef out = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, out));
    for (int32_t i = 0; i < m->program->n_input; i++) {
        m->in[i] = e_field(e, e->ty_ptr, in, (size_t)i * sizeof(fx_tensor) + offsetof(fx_tensor, data));
    }
    for (int32_t i = 0; i < m->program->n_output; i++) {
        m->out[i] = e_field(e, e->ty_ptr, out, (size_t)i * sizeof(fx_tensor) + offsetof(fx_tensor, data));
    }
}

static void make_job(fx_entry_module *m)
{
    fx_e *e = &m->e;
    m->job_arg = e_alloca(e, LLVMArrayType2(e->ty_ptr, FX_ARGS + 1), "job.arg");
    m->job_dim = e_alloca(e, LLVMArrayType2(e->ty_i64, 64), "job.dim");
    m->job = e_alloca(e, LLVMArrayType2(e->ty_ptr, 2), "job");
    e_store(e, m->job_arg, e_at_bytes(e, m->job, e_i64(e, offsetof(fx_rt_job, arg))));
    e_store(e, m->job_dim, e_at_bytes(e, m->job, e_i64(e, offsetof(fx_rt_job, dim))));
}

static int32_t most_views(const fx_block *block)
{
    int32_t most = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        const int32_t n[] = {step->n_view, most_views(&step->body[0]), most_views(&step->body[1])};
        for (int j = 0; j < 3; j++)
            if (n[j] > most) most = n[j];
    }
    return most;
}

static void bind_symbols(fx_entry_module *m)
{
    fx_e *e = &m->e;
    LLVMValueRef dims = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, dim));
    for (int32_t i = 0; i < fx__dims_sym_count(m->program->dims); i++) {
        bool bound = fx__dims_sym(m->program->dims, i)->input >= 0;
        m->sym[i] = bound ? e_load(e, e->ty_i64, e_at(e, e->ty_i64, dims, e_i64(e, i))) : NULL;
    }
}

/* int32_t NAME.run(fx_rt_call *): the steps, of an already checked call. */
static fx_status build_run(fx_entry_module *m, LLVMValueRef *out)
{
    fx_e *e = &m->e;
    *out = begin_function(m, ".run", &e->ty_ptr, 1, true);
    m->call = LLVMGetParam(*out, 0);
    bind_symbols(m);
    read_bases(m);
    if (m->options->profile && m->use == FX_ENTRY_JIT) m->profile = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, profile));
    if (block_is_shared(m, &m->program->steps)) make_job(m);
    int32_t n_view = most_views(&m->program->steps);
    m->views = LLVMConstNull(e->ty_ptr);
    if (n_view > 0) m->views = e_alloca(e, LLVMArrayType2(e->ty_ptr, (uint64_t)n_view), "views");
    FX_TRY(fx__entry_steps(m, &m->program->steps));
    LLVMBuildRet(e->builder, e_load(e, e->ty_i32, fx__entry_error(m)));
    return FX_OK;
}

static void build_entry(fx_entry_module *m, LLVMValueRef run, LLVMValueRef *out)
{
    fx_e *e = &m->e;
    *out = begin_function(m, "_entry", &e->ty_ptr, 1, false);
    m->call = LLVMGetParam(*out, 0);
    memset(m->sym, 0, (size_t)fx__dims_sym_count(m->program->dims) * sizeof *m->sym);
    fx__entry_check(m);
    e_store(e, e_i32(e, FX_OK), fx__entry_error(m));
    LLVMValueRef status;
    if (block_is_shared(m, &m->program->steps)) {
        LLVMTypeRef param[] = {e->ty_ptr, e->ty_ptr};
        LLVMValueRef fn = runtime_function(m, "fx_rt_run", e->ty_i32, param, 2);
        status = LLVMBuildCall2(e->builder, e_function_type(fn), fn, (LLVMValueRef[]){m->call, run}, 2, "");
    } else {
        status = LLVMBuildCall2(e->builder, e_function_type(run), run, &m->call, 1, "");
    }
    LLVMBuildRet(e->builder, status);
}

/* Behind the table and the error word: how many steps are done, and whether to stop. Read and written by another thread meanwhile. */
static void ask_whether_to_stop(fx_entry_module *m, int32_t done)
{
    fx_e *e = &m->e;
    LLVMValueRef words = e_at_bytes(e, m->table, e_i64(e, ((int64_t)m->program->n_buf + 1) * 8));
    LLVMValueRef store = LLVMBuildStore(e->builder, e_i32(e, done), words);
    LLVMValueRef stop = LLVMBuildLoad2(e->builder, e->ty_i32, e_at_bytes(e, words, e_i64(e, 4)), "stop");
    LLVMSetOrdering(store, LLVMAtomicOrderingMonotonic);
    LLVMSetOrdering(stop, LLVMAtomicOrderingMonotonic);
    LLVMSetAlignment(store, 4);
    LLVMSetAlignment(stop, 4);
    return_if_failed(m, stop);
}

static fx_status build_init(fx_entry_module *m)
{
    fx_e *e = &m->e;
    LLVMTypeRef param[] = {e->ty_ptr, e->ty_ptr, e->ty_ptr};
    LLVMValueRef fn = begin_function(m, "_init", param, 3, false);
    m->call = NULL;
    m->profile = NULL;
    memset(m->moved, 0, (size_t)m->program->n_buf * sizeof *m->moved);
    m->consts = LLVMGetParam(fn, 0);
    m->table = LLVMGetParam(fn, 1);
    m->scratch = LLVMGetParam(fn, 2);
    for (int32_t i = 0; i < m->program->init.n; i++) {
        FX_TRY(fx__entry_steps(m, &(fx_block){.step = &m->program->init.step[i], .n = 1}));
        ask_whether_to_stop(m, i + 1);
    }
    m->table = NULL;
    LLVMBuildRet(e->builder, e_i32(e, FX_OK));
    return FX_OK;
}

fx_status fx__entry_build(fx_entry_module *m, LLVMContextRef context, const fx_program *program, const fx_codegen_options *options,
                          fx_entry_use use)
{
    LLVMValueRef run = NULL, entry = NULL;
    *m = (fx_entry_module){.context = program->context, .program = program, .options = options, .use = use};
    m->symbol = fx__entry_symbol(options);
    e_open_in(&m->e, context, options->target, m->symbol);
    m->arena = fx__arena_new(program->context);
    if (!m->arena) return FX_E_OOM;
    m->sym = FX_NEW_ARRAY(m->arena, LLVMValueRef, fx__dims_sym_count(program->dims) + 1);
    m->here_sym = FX_NEW_ARRAY(m->arena, LLVMValueRef, fx__dims_sym_count(program->dims) + 1);
    m->in = FX_NEW_ARRAY(m->arena, LLVMValueRef, program->n_input + 1);
    m->out = FX_NEW_ARRAY(m->arena, LLVMValueRef, program->n_output + 1);
    m->moved = FX_NEW_ARRAY(m->arena, LLVMValueRef, program->n_buf + 1);
    if (!m->sym || !m->here_sym || !m->in || !m->out || !m->moved) return FX_E_OOM;
    FX_TRY(build_run(m, &run));
    build_entry(m, run, &entry);
    FX_TRY(fx__entry_wrapper(m, entry));
    return use == FX_ENTRY_JIT ? build_init(m) : FX_OK;
}

void fx__entry_close(fx_entry_module *m)
{
    e_close(&m->e);
    fx__arena_free(m->arena);
}
