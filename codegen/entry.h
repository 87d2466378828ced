/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/entry.h: the module of a program's entry points, for options->symbol NAME:
 *
 *   int32_t NAME_entry(fx_rt_call *)                     fx_rt_entry: checks the call, then runs the steps
 *   int32_t NAME(const T *in..., T *out..., int64_t dim..., void *workspace[, const void *weights][, void *state])
 *                                                        the typed wrapper: makes a call on its stack, dense tensors, one dim
 *                                                        per symbol; the workspace holds temporaries, then scratch
 *   int32_t NAME_init(char *consts, void *const *table, char *scratch)    the init steps, JIT only. Constants that are read by
 *                                                        init steps only (offset -1) are found in table[buffer]
 *
 * NAME_weights is the constants' base for the wrapper, unless they are an argument. In the JIT the wrapper starts from the
 * fx_rt_call at NAME_call, which knows how to run CALL steps. */
#ifndef FX_CODEGEN_ENTRY_H
#define FX_CODEGEN_ENTRY_H

#include "codegen/frame.h"

typedef enum fx_entry_use { FX_ENTRY_JIT, FX_ENTRY_WEIGHTS_INSIDE, FX_ENTRY_WEIGHTS_ARGUMENT } fx_entry_use;

/* Under construction. */
typedef struct fx_entry_module {
    fx_e e;
    fx_context *context;
    const fx_program *program;
    const fx_codegen_options *options;
    const char *symbol;
    fx_entry_use use;
    LLVMValueRef call;                     /* fx_rt_call; NULL in init */
    LLVMValueRef *sym;                     /* [symbols] i64, those bound at entry; others NULL */
    LLVMValueRef *here_sym;                /* [symbols] what fx__entry_syms gives */
    LLVMValueRef consts, state, workspace; /* base pointers */
    LLVMValueRef *in, *out;                /* data pointers */
    LLVMValueRef *moved;                   /* [n_buf]: where a carried buffer is just now; NULL: in its own place */
    LLVMValueRef table, scratch;           /* init's */
    LLVMValueRef job_arg, job_dim, job;    /* memory for parallel kernels */
    LLVMValueRef views;                    /* memory for the addresses that CALL steps are given */
    int32_t n_call, n_assert;              /* CALL and ASSERT steps met so far */
    LLVMValueRef profile;                  /* fx_rt_profile, may be null at run time; NULL: not compiled for it */
    int32_t n_unit;                        /* steps met so far */
    fx_arena *arena;
} fx_entry_module;

fx_status fx__entry_build(fx_entry_module *m, LLVMContextRef context, const fx_program *program, const fx_codegen_options *options,
                          fx_entry_use use);
void fx__entry_close(fx_entry_module *m);
const char *fx__entry_symbol(const fx_codegen_options *options);

/* ---- check.c: everything the entry tests before it runs; returns from the function with a status where it fails -------------- */
void fx__entry_check(fx_entry_module *m);
/* ---- wrapper.c ------------------------------------------------------------------------------------------------------------ */
fx_status fx__entry_wrapper(fx_entry_module *m, LLVMValueRef entry);

/* ---- listen.c: brackets of a unit for call->profile ------------------------------------------------------------------------- */
typedef struct fx_bracket {
    int32_t unit;
    LLVMBasicBlockRef after;
} fx_bracket;
fx_bracket fx__listen_begin(fx_entry_module *m, const fx_step *step);
void fx__listen_end(fx_entry_module *m, const fx_bracket *bracket);
/* ---- control.c ------------------------------------------------------------------------------------------------------------ */
fx_status fx__entry_if(fx_entry_module *m, const fx_step *step);
fx_status fx__entry_loop(fx_entry_module *m, const fx_step *step);
fx_status fx__entry_assert(fx_entry_module *m, const fx_step *step);
/* ---- entry.c -------------------------------------------------------------------------------------------------------------- */
fx_status fx__entry_steps(fx_entry_module *m, const fx_block *block);
LLVMValueRef fx__entry_buffer(fx_entry_module *m, int32_t buf); /* its first element's address */
/* All symbols as values here; those that CALL steps set are read from the call. */
LLVMValueRef *fx__entry_syms(fx_entry_module *m);
LLVMValueRef fx__entry_dim(fx_entry_module *m, fx_dim dim);
LLVMValueRef fx__entry_error(fx_entry_module *m); /* address of the call's error, or of init's */

#endif
