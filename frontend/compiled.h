/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/compiled.h: what fx_compile hands out. Immutable after compiling, but for the cached workspace. */
#ifndef FX_FRONTEND_COMPILED_H
#define FX_FRONTEND_COMPILED_H

#include "codegen/codegen.h"
#include "fxjit/compile.h"
#include "passes/pass.h"
#include "runtime/ffi.h"
#include <stdatomic.h>

enum { FX_PHASES = 8 };

struct fx_compiled {
    fx_context *context; /* the module's */
    fx_module *module;   /* a copy that borrows the weights; its graph is the core graph that the program's nodes point into */
    fx_program *program;
    fx_jit *jit; /* NULL: LLVM could not serve, the interpreter runs the graph */
    fx_target target;
    fx_compile_options options;
    int32_t threads;
    int32_t n_input, n_output;
    fx_type *input, *output; /* dims in program->dims */
    const char **input_name, **output_name;
    bool *writes; /* [n_input]: runs change it */
    struct fx_state_entry {
        const char *path;
        fx_type type;
        int64_t offset; /* bytes */
    } * state_entry;
    int32_t n_state;
    void *state_image; /* [state_bytes]: the first values; NULL without state */
    fx_state *state;   /* fx_run's */
    const fx_step **call; /* CALL steps in program order */
    int32_t n_call;
    const fx_step **assertion; /* ASSERT steps in program order */
    int32_t n_assertion;
    const char **fallback; /* one sentence per CALL step, or per node when the interpreter runs */
    int32_t n_fallback;
    const char *prototype;
    fx_closure *closure;
    struct {
        const char *name;
        double ms;
    } phase[FX_PHASES];
    int32_t n_phase;
    struct fx_watch *watch; /* frontend/watch.h; NULL: nobody wants to know, and when compiling has ended */
    _Atomic(struct fx_workspace *) spare; /* one workspace kept from run to run */
};

/* options with every default filled in. */
fx_status fx__compile_prepare(fx_module *module, const fx_tensor *examples, int32_t n_examples, const fx_compile_options *options,
                              FX_GIVES fx_compiled **out);
/* The steps of the driver, in order; fx_compile runs all, the text of a form and AOT stop earlier. */
fx_status fx__compile_graph(fx_compiled *it);
fx_status fx__compile_program(fx_compiled *it);
fx_status fx__compile_native(fx_compiled *it);
fx_pass_options fx__compile_pass_options(fx_compiled *it);
fx_codegen_options fx__compile_codegen_options(const fx_compiled *it);

/* frontend/calls.c: the fx_rt_step of compiled graphs. */
int32_t fx__calls_step(fx_rt_call *call, int32_t index, void *const *view);
/* Counts and lists CALL and ASSERT steps. */
fx_status fx__calls_collect(fx_compiled *it);

/* frontend/run.c: sizes of one run. values: [symbols]. */
fx_status fx__run_bind_symbols(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, int64_t *values);
size_t fx__run_workspace_bytes(const fx_compiled *it, const int64_t *values);
void fx__run_free_spare(fx_compiled *it);
/* fx_run with somebody who listens to it. */
fx_status fx__run_profiled(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                           fx_tensor *outputs, int32_t n_outputs, fx_rt_profile *profile);

/* frontend/state.c: takes the module's values and makes the graph's own state. */
fx_status fx__state_collect(fx_compiled *it);
void fx__state_drop(fx_compiled *it);
/* Whether the state was made for this graph; graphs without state take any. */
bool fx__state_fits(const fx_compiled *it, const fx_state *state);
/* Finds a buffer of a state for the interpreter; an fx_interp_lookup. */
fx_tensor *fx__state_lookup(void *user, const char *path);

/* frontend/native.c */
fx_signature fx__native_signature(const fx_compiled *it);
bool fx__native_is_keyword(const char *name); /* of C or C++ */
fx_status fx__native_prototype(fx_compiled *it, const char *symbol, bool weights, fx_text *text);

/* runtime clock in milliseconds */
double fx__compile_now_ms(void);

#endif
