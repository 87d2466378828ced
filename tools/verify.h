/* SPDX-License-Identifier: Apache-2.0 */
/* tools/verify.h: what the parts of `fxjit verify` share: the tally, one model under test, and running it. */
#ifndef FX_TOOLS_VERIFY_H
#define FX_TOOLS_VERIFY_H

#include "tool.h"
#include "fxjit/bisect.h"

typedef struct verify_options {
    tool_options common;
    bool in_f64, verbose, no_bisect, nan;
    const char *against;    /* options, or a model; NULL: the interpreter */
    double ulp;             /* below 0: the derived bounds */
    const char *reproducer; /* folder; NULL: after the model's name */
    int reproducers;        /* written so far */
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
    fx_compile_options compile; /* the common ones, or a reproducer's own */
    json_t *recipe;             /* reproducer.json; NULL: none */
    char *details;              /* printed below the reason; NULL: none */
    json_t *mismatch;           /* the same for JSON; NULL: none */
    fx_difference first;        /* of the first bad node's value */
    char first_node[256];
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

/* verify_mismatch.c: finds where compiled code goes wrong: s->details, s->mismatch, s->first and s->first_node; writes the
 * reproducer. inputs: as a run takes them. against NULL: the interpreter. False: nothing was found, or --no-bisect. */
bool verify_search(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp);
/* One line of the details: a word and a text. */
void verify_detail(FILE *out, const char *word, const char *format, ...) FX_PRINTF(3, 4);
json_t *verify_number(double value); /* text where JSON has no number */
json_t *verify_position(const fx_difference *at);

void verify_position_line(FILE *out, const fx_difference *at);

/* verify_against.c: two option sets, or two models. */
bool verify_against(subject *s, const char *folder);
/* "precision=strict,fusion=off,cpu=haswell" over the options that are there; a usage error when it is no such list. */
void verify_parse_options(const char *text, fx_compile_options *options, char *memory, size_t bytes);
/* Both on these inputs. ulp below 0: within twice the interpreter's bounds. */
bool verify_pair(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp);

/* Inputs of a folder with some, else as the command line says. */
bool verify_take_inputs(subject *s, const char *folder, tool_tensors *out);

/* verify_nan.c: where NaN and infinity arise; s->mismatch is a list. */
bool verify_nan(subject *s, const char *folder);

/* verify_recipe.c: what a reproducer wants to be run with. */
bool verify_read_recipe(subject *s, const char *folder);
bool verify_recipe_pair(const subject *s, fx_compile_options *against, double *ulp); /* false: it is held against the interpreter */

#endif
