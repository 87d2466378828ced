/* SPDX-License-Identifier: Apache-2.0 */
/* tools/verify.h: what the parts of `fxjit verify` share: the tally, one model under test, and running it. */
#ifndef FX_TOOLS_VERIFY_H
#define FX_TOOLS_VERIFY_H

#include "tool.h"

typedef struct verify_options {
    tool_options common;
    bool in_f64, verbose;
    const char **paths;
    int n_paths;
    int passed, failed, skipped, with_fallbacks, with_fixed;
    json_t *cases;
} verify_options;

/* A model being verified; why: the first reason for failing. */
typedef struct subject {
    verify_options *o;
    const char *name;
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
    bool skip;
    char why[512];
} subject;

typedef enum verify_engine { ENGINE_COMPILED, ENGINE_INTERPRETER, ENGINES } verify_engine;
bool verify_wants(const subject *s, verify_engine engine);
const char *verify_engine_name(verify_engine engine);
/* Keeps the first reason. Returns false, for use in conditions. */
bool verify_fault(subject *s, const char *format, ...) FX_PRINTF(2, 3);
/* The same with what the context knows of a failed call; a value type that fxjit lacks makes it a skip. */
bool verify_status(subject *s, const char *what, fx_status status);
/* Compiles when that engine is wanted and nothing is compiled yet. examples are used where the model lacks types. */
bool verify_compile(subject *s, const tool_tensors *examples);
bool verify_run(subject *s, verify_engine engine, const tool_tensors *inputs, tool_tensors *out);
/* Inputs or expected outputs become f64 with --dtype f64. */
bool verify_widen(subject *s, tool_tensors *tensors);

/* fx_load; when inputs must be known to import the model, those of the case's first data set are fixed. */
fx_status verify_load_case(subject *s, const char *model, const char *folder);
/* The three kinds of subjects. */
bool verify_onnx_case(subject *s, const char *folder);  /* test_data_set_N/input_N.pb, output_N.pb */
bool verify_bench_case(subject *s, const char *folder); /* in/, out/, sizes/N/{in,out} */
bool verify_bare_model(subject *s);                     /* compiled against interpreter */

#endif
