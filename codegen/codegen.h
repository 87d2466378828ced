/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/codegen.h: from a planned program to machine code. The only folder that includes llvm-c. */
#ifndef FX_CODEGEN_CODEGEN_H
#define FX_CODEGEN_CODEGEN_H

#include "fxjit/rt.h"
#include "ir/kir.h"
#include "ir/target.h"

/* ---- session.c: starts LLVM once per process, knows targets --------------------------------------------------------------- */
fx_status fx__session_start(fx_context *context);
/* NULLs: this machine. The strings are interned in the context. */
fx_status fx__session_target(fx_context *context, const char *triple, const char *cpu, const char *features, fx_target *out);

typedef struct fx_codegen_options {
    const fx_target *target;
    int32_t threads;    /* 1: calls bodies directly, no fx_rt_* symbols */
    bool profile;       /* JIT: the entry tells call->profile of every unit; kernels stay as they are */
    bool perf_map, gdb; /* JIT: kernels have names, perf's map is written, gdb is told */
    const char *symbol; /* of the typed wrapper; the fx_rt_entry is SYMBOL_entry; NULL: "fx_entry" */
    const void *state; /* objects: first values of the state, which becomes SYMBOL_state; NULL: there is none */
    bool (*progress)(void *user, const char *phase, int32_t percent);
    void *progress_user;
} fx_codegen_options;

/* ---- jit.c ---------------------------------------------------------------------------------------------------------------- */
typedef struct fx_jit fx_jit;
/* Compiles all kernels and the entry, runs the init steps, keeps the weights. */
fx_status fx__jit_new(const fx_program *program, const fx_codegen_options *options, FX_GIVES fx_jit **out);
void fx__jit_free(FX_TAKES fx_jit *jit);
fx_rt_entry fx__jit_entry(const fx_jit *jit);
void *fx__jit_wrapper(const fx_jit *jit); /* typed: f(in..., out..., dims..., workspace[, state]): see entry.h */
fx_rt_call *fx__jit_call(fx_jit *jit);    /* what the wrapper starts from; CALL steps need its step and user */
const void *fx__jit_consts(const fx_jit *jit);
uint64_t fx__jit_code_hash(const fx_jit *jit);           /* over the kernels' sections, in order */
double fx__jit_ms(const fx_jit *jit, const char *phase); /* "codegen", "link", "init" */

/* ---- aot.c ---------------------------------------------------------------------------------------------------------------- */
/* One object in memory: kernels, entry, typed wrapper, and the weights unless `weights` is NULL (then they are in a file).
 * For a host the weights come from a fx_jit of the same program. */
fx_status fx__aot_object(const fx_program *program, const fx_codegen_options *options, const void *weights, size_t weight_bytes,
                         FX_GIVES char **out_object, size_t *out_bytes);
/* Text of all modules: LLVM IR or assembly. */
fx_status fx__codegen_text(const fx_program *program, const fx_codegen_options *options, bool assembly, FX_GIVES char **out_text);
/* One module by its kernel's number; n_kernel: the entry. Bytes with a 0 behind them, freed with fx_text_free. */
typedef enum fx_code_form { FX_CODE_LLVM, FX_CODE_ASM, FX_CODE_OBJECT } fx_code_form;
fx_status fx__codegen_module(const fx_program *program, const fx_codegen_options *options, int32_t index, fx_code_form form,
                             FX_GIVES char **out, size_t *out_bytes);
/* Section bytes of one kernel, for tests: freed with fx_text_free. */
fx_status fx__codegen_kernel_section(const fx_program *program, const fx_codegen_options *options, int32_t kernel,
                                     FX_GIVES char **out, size_t *out_bytes);

/* ---- peak.c --------------------------------------------------------------------------------------------------------------- */
double fx__peak_gflops(fx_context *context); /* the best of a few bursts of a third of a millisecond; 0: see the diagnostics */
/* The loop itself, for bursts beside something else: each step is `flop` operations, and as rate come GFLOP/s. Also close what
 * failed to open. */
typedef struct fx_peak {
    void *jit;
    void (*loop)(int64_t steps, float *values);
    void (*sweep)(const void *data, int64_t bytes, int64_t times, float *sum);
    void (*chain)(int64_t steps, int64_t *values);
    double flop;
    int64_t sweep_bytes;
} fx_peak;
fx_status fx__peak_open(fx_context *context, fx_peak *out);
double fx__peak_burst(const fx_peak *peak, int64_t steps);
/* GB/s of reading `bytes` (a multiple of peak->sweep_bytes) so many times; GHz of the core just now, a step being 32 cycles. */
double fx__peak_sweep(const fx_peak *peak, const void *data, int64_t bytes, int64_t times);
double fx__peak_clock(const fx_peak *peak, int64_t steps);
void fx__peak_close(fx_context *context, fx_peak *peak);

#endif
