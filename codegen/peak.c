/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/peak.c: what one core can do: a generated loop of independent fused multiply-adds, timed. Benchmarks quote their speed as
 * a share of it, measured in the same run. Nothing measured here enters a compilation. */
#include "codegen/emit.h"
#include "codegen/session.h"
#include "ir/diag.h"
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <time.h>

enum { PEAK_STEPS = 100000, PEAK_REPEATS = 7, PEAK_FREE_REGS = 4 };

/* Enough chains to hide the latency of an fma on every port: 4 to 5 cycles, 2 ports. */
static int chains(const fx_target *target)
{
    int most = target->vregs - PEAK_FREE_REGS;
    return most < 16 ? most : 16;
}

/* values[0], [1]: factors, and the sum goes to [0]: nothing can be left out. */
static void build(fx_e *e, const fx_target *target)
{
    int lanes = target->vec_bytes / 4, n = chains(target);
    LLVMValueRef chain[E_CARRY];
    e_open(e, target, "peak");
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

double fx__peak_burst(const fx_peak *peak, int64_t steps)
{
    float values[2] = {1e-9f, 1e-9f};
    double start = now();
    peak->loop(steps, values);
    return peak->flop * (double)steps / (now() - start) * 1e-9;
}

fx_status fx__peak_open(fx_context *context, fx_peak *out)
{
    fx_target target;
    LLVMOrcLLJITRef jit;
    LLVMMemoryBufferRef object;
    LLVMOrcExecutorAddress address;
    *out = (fx_peak){.jit = NULL};
    FX_TRY(fx__session_target(context, NULL, NULL, NULL, &target));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit, NULL);
    if (error) return fail(context, error);
    *out = (fx_peak){.jit = jit, .flop = 2.0 * chains(&target) * (target.vec_bytes / 4)};
    FX_TRY(emit_object(context, &target, &object));
    error = LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object);
    if (!error) error = LLVMOrcLLJITLookup(jit, &address, "peak");
    if (error) return fail(context, error);
    out->loop = (void (*)(int64_t, float *))(uintptr_t)address;
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
