/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/frame.c: builds a kernel's module: body, thunk, dims. The table `emitters` is the way from a schedule to its emitter;
 * loops over axes and chunks are in chunk.c. */
#include "codegen/frame.h"
#include "ir/diag.h"
#include <inttypes.h>
#include <string.h>

static const fx_emitter emitters[] = {
    [FX_EMIT_NONE] = fx__emit_row, /* an unscheduled kernel: row with one lane is the general form */
    [FX_EMIT_FLAT] = fx__emit_flat, [FX_EMIT_COPY2D] = fx__emit_copy2d, [FX_EMIT_COLUMN] = fx__emit_column,
    [FX_EMIT_ROW] = fx__emit_row,   [FX_EMIT_TILE] = fx__emit_tile,
    [FX_EMIT_BLOCK] = fx__emit_block,
};

enum { MAX_PARAMS = FX_ARGS + FX_KERNEL_SYMS + 4 };

void fx__frame_name(const fx_kernel *kernel, bool body, char out[40])
{
    snprintf(out, 40, "k_%016" PRIx64 "%s", kernel->hash, body ? ".body" : "");
}

bool fx__frame_gathers(const fx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_access; i++) {
        if (kernel->access[i].clamped) return true;
    }
    return false;
}

static unsigned body_params(const fx_e *e, const fx_program *program, const fx_kernel *kernel, LLVMTypeRef *out)
{
    int32_t syms[FX_KERNEL_SYMS];
    unsigned n = 0;
    for (int i = 0; i < kernel->n_arg; i++) {
        if (kernel->arg[i].role != FX_ARG_LOCAL) out[n++] = e->ty_ptr;
    }
    if (fx__frame_gathers(kernel)) out[n++] = e->ty_ptr;
    int32_t n_sym = fx__kernel_syms(program, kernel, syms);
    for (int32_t i = 0; i < n_sym; i++) out[n++] = e->ty_i64;
    out[n++] = e->ty_i64;
    out[n++] = e->ty_i64;
    out[n++] = e->ty_ptr;
    return n;
}

LLVMTypeRef fx__frame_body_type(const fx_e *e, const fx_program *program, const fx_kernel *kernel)
{
    LLVMTypeRef param[MAX_PARAMS];
    unsigned n = body_params(e, program, kernel, param);
    return LLVMFunctionType(e->ty_void, param, n, 0);
}

static LLVMTypeRef thunk_type(const fx_e *e)
{
    return LLVMFunctionType(e->ty_void, (LLVMTypeRef[]){e->ty_ptr, e->ty_i64, e->ty_i64, e->ty_ptr}, 4, 0);
}

LLVMValueRef fx__frame_declare(fx_e *e, const fx_program *program, const fx_kernel *kernel, bool body)
{
    char name[40];
    fx__frame_name(kernel, body, name);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, name);
    if (fn) return fn;
    fn = LLVMAddFunction(e->module, name, body ? fx__frame_body_type(e, program, kernel) : thunk_type(e));
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    return fn;
}

fx_status fx__frame_refuse(fx_frame *f, const char *why)
{
    char name[40];
    fx__frame_name(f->kernel, false, name);
    if (f->status == FX_OK) f->status = fx__diag(f->context, FX_E_CODEGEN, NULL, "kernel %s: %s", name, why);
    return f->status;
}

/* ---- Dims --------------------------------------------------------------------------------------------------------------- */

struct fx_dim_memo {
    fx_dim dim;
    LLVMValueRef value;
};

LLVMValueRef fx__frame_dim_value(fx_e *e, const fx_dims *dims, const LLVMValueRef *sym, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return e_i64(e, dim);
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_CONST) return e_i64(e, node.value);
    if (node.op == FX_DIM_SYM) return sym[node.value];
    LLVMValueRef a = fx__frame_dim_value(e, dims, sym, node.a), b = fx__frame_dim_value(e, dims, sym, node.b);
    switch (node.op) {
    case FX_DIM_ADD:
        return e_add(e, a, b);
    case FX_DIM_MUL:
        return e_mul(e, a, b);
    case FX_DIM_FLOORDIV:
        return e_floordiv(e, a, b);
    case FX_DIM_MOD:
        return e_floormod(e, a, b);
    case FX_DIM_MIN:
        return e_min(e, a, b);
    default:
        return e_max(e, a, b);
    }
}

LLVMValueRef fx__frame_dim(fx_frame *f, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return e_i64(&f->e, dim);
    for (int32_t i = 0; i < f->n_memo; i++) {
        if (f->memo[i].dim == dim) return f->memo[i].value;
    }
    LLVMBasicBlockRef here = e_here(&f->e);
    e_put(&f->e, f->entry);
    LLVMValueRef value = fx__frame_dim_value(&f->e, f->program->dims, f->sym, dim);
    e_put(&f->e, here);
    struct fx_dim_memo *grown = fx__arena_grow(f->arena, f->memo, &f->cap_memo, f->n_memo, sizeof *f->memo);
    if (!grown) {
        f->status = FX_E_OOM;
        return value;
    }
    f->memo = grown;
    f->memo[f->n_memo++] = (struct fx_dim_memo){dim, value};
    return value;
}

/* ---- Body and thunk ----------------------------------------------------------------------------------------------------- */

static void name_value(LLVMValueRef value, const char *name)
{
    LLVMSetValueName2(value, name, strlen(name));
}

static void place_local(fx_frame *f, int i)
{
    const fx_arg *arg = &f->kernel->arg[i];
    if (arg->home >= 0)
        f->arg[i] = f->arg[arg->home];
    else
        f->arg[i] = e_at_bytes(&f->e, f->scratch, e_i64(&f->e, fx__kernel_local_offset(f->program, f->kernel, i)));
}

static void name_params(fx_frame *f)
{
    const fx_kernel *k = f->kernel;
    int32_t syms[FX_KERNEL_SYMS];
    unsigned n = 0;
    for (int i = 0; i < k->n_arg; i++) {
        if (k->arg[i].role == FX_ARG_LOCAL) continue;
        f->arg[i] = LLVMGetParam(f->e.fn, n++);
        if (k->arg[i].name) name_value(f->arg[i], k->arg[i].name);
    }
    if (fx__frame_gathers(k)) name_value(f->error = LLVMGetParam(f->e.fn, n++), "error");
    int32_t n_sym = fx__kernel_syms(f->program, k, syms);
    for (int32_t i = 0; i < n_sym; i++) f->sym[syms[i]] = LLVMGetParam(f->e.fn, n++);
    name_value(f->lo = LLVMGetParam(f->e.fn, n++), "lo");
    name_value(f->hi = LLVMGetParam(f->e.fn, n++), "hi");
    name_value(f->scratch = LLVMGetParam(f->e.fn, n++), "scratch");
    for (int i = 0; i < k->n_arg; i++) {
        if (k->arg[i].role == FX_ARG_LOCAL) place_local(f, i);
    }
}

static void set_order(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    bool scheduled = sched->emit != FX_EMIT_NONE;
    f->n_order = scheduled ? sched->n_order : f->kernel->n_outer;
    for (int i = 0; i < f->n_order; i++) f->order[i] = scheduled ? sched->order[i] : (uint8_t)i;
}

static fx_status build_body(fx_frame *f, const char *section)
{
    LLVMTypeRef param[MAX_PARAMS];
    char name[40];
    unsigned n = body_params(&f->e, f->program, f->kernel, param);
    fx__frame_name(f->kernel, true, name);
    LLVMSetVisibility(e_function(&f->e, name, f->e.ty_void, param, n, section), LLVMHiddenVisibility);
    f->entry = e_here(&f->e);
    name_params(f);
    for (int i = 0; i < f->kernel->n_axis; i++) {
        f->extent[i] = f->end[i] = fx__frame_dim(f, f->kernel->axis[i].extent);
        f->begin[i] = e_i64(&f->e, 0);
    }
    set_order(f);
    FX_TRY(fx__index_open(f));
    LLVMBasicBlockRef start = e_block(&f->e, "start");
    e_put(&f->e, start);
    FX_TRY(emitters[f->kernel->sched.emit](f));
    LLVMBuildRetVoid(f->e.builder);
    e_put(&f->e, f->entry); /* closed last: dims were added to it all the while */
    e_goto(&f->e, start);
    return f->status;
}

static void build_thunk(fx_frame *f, const char *section)
{
    fx_e *e = &f->e;
    const fx_kernel *k = f->kernel;
    LLVMValueRef body = e->fn, arg[MAX_PARAMS];
    int32_t syms[FX_KERNEL_SYMS];
    char name[40];
    unsigned n = 0;
    fx__frame_name(k, false, name);
    LLVMSetVisibility(e_function(e, name, e->ty_void, (LLVMTypeRef[]){e->ty_ptr, e->ty_i64, e->ty_i64, e->ty_ptr}, 4, section),
                      LLVMHiddenVisibility);
    LLVMValueRef job = LLVMGetParam(e->fn, 0);
    LLVMValueRef args = e_field(e, e->ty_ptr, job, offsetof(fx_rt_job, arg));
    LLVMValueRef dims = e_field(e, e->ty_ptr, job, offsetof(fx_rt_job, dim));
    for (int i = 0; i < k->n_arg; i++) {
        if (k->arg[i].role != FX_ARG_LOCAL) arg[n++] = e_field(e, e->ty_ptr, args, (size_t)i * sizeof(void *));
    }
    if (f->error) arg[n++] = e_field(e, e->ty_ptr, args, (size_t)k->n_arg * sizeof(void *));
    int32_t n_sym = fx__kernel_syms(f->program, k, syms);
    for (int32_t i = 0; i < n_sym; i++) arg[n++] = e_field(e, e->ty_i64, dims, (size_t)i * sizeof(int64_t));
    for (unsigned i = 1; i < 4; i++) arg[n++] = LLVMGetParam(e->fn, i);
    LLVMBuildCall2(e->builder, e_function_type(body), body, arg, n, "");
    LLVMBuildRetVoid(e->builder);
}

fx_status fx__frame_build(fx_frame *f, LLVMContextRef context, const fx_program *program, const fx_kernel *kernel,
                          const fx_target *target)
{
    char name[40], section[48];
    *f = (fx_frame){.context = program->context, .program = program, .kernel = kernel};
    fx__frame_name(kernel, false, name);
    snprintf(section, sizeof section, ".text.%s", name);
    e_open_in(&f->e, context, target, name);
    f->e.exact = kernel->exact;
    f->arena = fx__arena_new(program->context);
    if (!f->arena) return FX_E_OOM;
    f->sym = FX_NEW_ARRAY(f->arena, LLVMValueRef, fx__dims_sym_count(program->dims) + 1);
    f->acc = FX_NEW_ARRAY(f->arena, fx_acc, kernel->n_access + 1);
    if (!f->sym || !f->acc) return FX_E_OOM;
    int32_t syms[FX_KERNEL_SYMS];
    if (fx__kernel_syms(program, kernel, syms) > FX_KERNEL_SYMS) return fx__frame_refuse(f, "too many symbols");
    FX_TRY(build_body(f, section));
    build_thunk(f, section);
    return FX_OK;
}

void fx__frame_close(fx_frame *f)
{
    e_close(&f->e);
    fx__arena_free(f->arena);
}
