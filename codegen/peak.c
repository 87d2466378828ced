/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/peak.c: what one core can do, as generated loops to be timed: independent fused multiply-adds, reading memory over and
 * over, a chain of instructions of one cycle each. Benchmarks and profiles quote speeds as shares of theirs, measured in the same run.
 * Nothing measured here enters a compilation. */
#include "codegen/emit.h"
#include "codegen/session.h"
#include "ir/diag.h"
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <time.h>

enum { PEAK_STEPS = 100000, PEAK_REPEATS = 7, PEAK_FREE_REGS = 4, SWEEP_CHAINS = 8, CHAIN_PAIRS = 16 };

/* Enough chains to hide the latency of an fma on every port: 4 to 5 cycles, 2 ports. */
static int chains(const fx_target *target)
{
    int most = target->vregs - PEAK_FREE_REGS;
    return most < 16 ? most : 16;
}

/* values[0], [1]: factors, and the sum goes to [0]: nothing can be left out. */
static void build_peak(fx_e *e, const fx_target *target)
{
    int lanes = target->vec_bytes / 4, n = chains(target);
    LLVMValueRef chain[E_CARRY];
    LLVMValueRef fn = e_function(e, "peak", e->ty_void, (LLVMTypeRef[]){e->ty_i64, e->ty_ptr}, 2, NULL);
    LLVMValueRef values = LLVMGetParam(fn, 1);
    LLVMValueRef a = e_splat(e, e_load(e, e->ty_f32, values), lanes);
    LLVMValueRef b = e_splat(e, e_load(e, e->ty_f32, e_at(e, e->ty_f32, values, e_i64(e, 1))), lanes);
    for (int i = 0; i < n; i++) chain[i] = e_real(e, e_vec(e->ty_f32, lanes), 0);
    fx_loop loop = e_loop_begin(e, "step", e_i64(e, 0), LLVMGetParam(fn, 0), 1, n, chain);
    for (int i = 0; i < n; i++) chain[i] = e_fma(e, a, b, loop.carry[i]);
    e_loop_end(e, &loop, chain);
    LLVMValueRef sum = loop.carry[0];
    for (int i = 1; i < n; i++) sum = e_fadd(e, sum, loop.carry[i]);
    e_store(e, e_extract(e, sum, 0), values);
    LLVMBuildRetVoid(e->builder);
}

/* Sums of what lies from data to data + bytes, a multiple of 8 vectors, `times` times over: nothing but loads takes time. */
static void build_sweep(fx_e *e, const fx_target *target)
{
    LLVMTypeRef vector = e_vec(e->ty_f32, target->vec_bytes / 4), param[] = {e->ty_ptr, e->ty_i64, e->ty_i64, e->ty_ptr};
    LLVMValueRef fn = e_function(e, "sweep", e->ty_void, param, 4, NULL), chain[E_CARRY];
    for (int i = 0; i < SWEEP_CHAINS; i++) chain[i] = e_real(e, vector, 0);
    fx_loop again = e_loop_begin(e, "again", e_i64(e, 0), LLVMGetParam(fn, 2), 1, SWEEP_CHAINS, chain);
    int64_t step = (int64_t)SWEEP_CHAINS * target->vec_bytes;
    fx_loop loop = e_loop_begin(e, "at", e_i64(e, 0), LLVMGetParam(fn, 1), step, SWEEP_CHAINS, again.carry);
    for (int i = 0; i < SWEEP_CHAINS; i++) {
        LLVMValueRef at = e_add(e, loop.index, e_i64(e, (int64_t)i * target->vec_bytes));
        chain[i] = e_fadd(e, loop.carry[i], e_load(e, vector, e_at_bytes(e, LLVMGetParam(fn, 0), at)));
    }
    e_loop_end(e, &loop, chain);
    e_loop_end(e, &again, loop.carry);
    LLVMValueRef sum = again.carry[0];
    for (int i = 1; i < SWEEP_CHAINS; i++) sum = e_fadd(e, sum, again.carry[i]);
    e_store(e, e_extract(e, sum, 0), LLVMGetParam(fn, 3));
    LLVMBuildRetVoid(e->builder);
}

/* Each addition and each exclusive or waits for the one before, and takes a cycle. */
static void build_chain(fx_e *e)
{
    LLVMValueRef fn = e_function(e, "chain", e->ty_void, (LLVMTypeRef[]){e->ty_i64, e->ty_ptr}, 2, NULL);
    LLVMValueRef values = LLVMGetParam(fn, 1), a = e_load(e, e->ty_i64, values);
    LLVMValueRef b = e_load(e, e->ty_i64, e_at(e, e->ty_i64, values, e_i64(e, 1))), x = a;
    fx_loop loop = e_loop_begin(e, "step", e_i64(e, 0), LLVMGetParam(fn, 0), 1, 1, &x);
    x = loop.carry[0];
    for (int i = 0; i < CHAIN_PAIRS; i++) x = LLVMBuildXor(e->builder, LLVMBuildAdd(e->builder, x, a, ""), b, "");
    e_loop_end(e, &loop, &x);
    e_store(e, loop.carry[0], values);
    LLVMBuildRetVoid(e->builder);
}

static void build(fx_e *e, const fx_target *target)
{
    e_open(e, target, "peak");
    build_peak(e, target);
    build_sweep(e, target);
    build_chain(e);
}

static fx_status fail(fx_context *context, LLVMErrorRef error)
{
    char *text = LLVMGetErrorMessage(error);
    fx_status status = fx__diag(context, FX_E_CODEGEN, NULL, "peak loop: %s", text);
    LLVMDisposeErrorMessage(text);
    return status;
}

static fx_status emit_object(fx_context *context, const fx_target *target, LLVMMemoryBufferRef *out)
{
    fx_e e;
    LLVMTargetMachineRef machine;
    char *problem = NULL;
    FX_TRY(fx__session_machine(context, target, &machine));
    build(&e, target);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(e.module, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(e.module, target->triple);
    fx_status status = FX_OK;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, e.module, LLVMObjectFile, &problem, out))
        status = fx__diag(context, FX_E_CODEGEN, NULL, "peak loop: %s", problem);
    LLVMDisposeMessage(problem);
    e_close(&e);
    LLVMDisposeTargetMachine(machine);
    return status;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double fx__peak_sweep(const fx_peak *peak, const void *data, int64_t bytes, int64_t times)
{
    float sum;
    double start = now();
    peak->sweep(data, bytes, times, &sum);
    return (double)bytes * (double)times / (now() - start) * 1e-9;
}

double fx__peak_clock(const fx_peak *peak, int64_t steps)
{
    int64_t values[2] = {3, 5};
    double start = now();
    peak->chain(steps, values);
    return (double)(2 * CHAIN_PAIRS * steps) / (now() - start) * 1e-9;
}

double fx__peak_burst(const fx_peak *peak, int64_t steps)
{
    float values[2] = {1e-9f, 1e-9f};
    double start = now();
    peak->loop(steps, values);
    return peak->flop * (double)steps / (now() - start) * 1e-9;
}

static fx_status find(fx_context *context, LLVMOrcLLJITRef jit, const char *name, uintptr_t *out)
{
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(jit, &address, name);
    *out = (uintptr_t)address;
    return error ? fail(context, error) : FX_OK;
}

fx_status fx__peak_open(fx_context *context, fx_peak *out)
{
    uintptr_t address;
    fx_target target;
    LLVMOrcLLJITRef jit;
    LLVMMemoryBufferRef object;
    *out = (fx_peak){.jit = NULL};
    FX_TRY(fx__session_target(context, NULL, NULL, NULL, &target));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit, NULL);
    if (error) return fail(context, error);
    *out = (fx_peak){.jit = jit, .flop = 2.0 * chains(&target) * (target.vec_bytes / 4)};
    out->sweep_bytes = (int64_t)SWEEP_CHAINS * target.vec_bytes;
    FX_TRY(emit_object(context, &target, &object));
    error = LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object);
    if (error) return fail(context, error);
    FX_TRY(find(context, jit, "peak", &address));
    out->loop = (void (*)(int64_t, float *))address;
    FX_TRY(find(context, jit, "sweep", &address));
    out->sweep = (void (*)(const void *, int64_t, int64_t, float *))address;
    FX_TRY(find(context, jit, "chain", &address));
    out->chain = (void (*)(int64_t, int64_t *))address;
    return FX_OK;
}

void fx__peak_close(fx_context *context, fx_peak *peak)
{
    LLVMErrorRef error = peak->jit ? LLVMOrcDisposeLLJIT(peak->jit) : NULL;
    if (error) fail(context, error);
}

double fx__peak_gflops(fx_context *context)
{
    fx_peak peak;
    double best = 0;
    bool open = fx__peak_open(context, &peak) == FX_OK;
    for (int r = 0; r < PEAK_REPEATS && open; r++) {
        double rate = fx__peak_burst(&peak, PEAK_STEPS);
        if (rate > best) best = rate;
    }
    fx__peak_close(context, &peak);
    return best;
}
