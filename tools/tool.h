/* SPDX-License-Identifier: Apache-2.0 */
/* tools/tool.h: what the verbs of the program share: exit codes, common options, models with their inputs, comparing tensors,
 * JSON and progress. The program uses public headers only. */
#ifndef FX_TOOLS_TOOL_H
#define FX_TOOLS_TOOL_H

#include "fxjit/compile.h"
#include "fxjit/profile.h"
#include <argp.h>
#include <jansson.h>

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

/* ---- Verbs ------------------------------------------------------------------------------------------------------------------ */

typedef struct tool_verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "fxjit VERB" */
} tool_verb;
int tool_show(int argc, char **argv);
int tool_run(int argc, char **argv);
int tool_verify(int argc, char **argv);
int tool_explain(int argc, char **argv);
int tool_bench(int argc, char **argv);
int tool_compile(int argc, char **argv);
int tool_convert(int argc, char **argv);
int tool_diff(int argc, char **argv);
int tool_ops(int argc, char **argv);
int tool_machine(int argc, char **argv);
int tool_report(int argc, char **argv);
int tool_profile(int argc, char **argv);

/* fx_nearest_word for names that are long and perhaps meant in part: the one that nearly contains the word. Stars in it are left out. */
const char *tool_nearest_name(const char *word, const char *const *names, int n);
/* "error: what 'word'; did you mean ...?" on stderr; near may be NULL. */
void tool_complain(const char *what, const char *word, const char *near);
/* For the shells: see complete.c. */
void tool_list_options(const struct argp *argp);
void tool_list_values(const char *const *words);
/* Parses argv; an unknown option is answered with the nearest one. Usage errors end the program with TOOL_USAGE. */
void tool_parse(const struct argp *argp, int argc, char **argv, void *input);
/* A usage error of one's own: message, hint at --help, exit. */
void tool_usage(const char *verb, const char *format, ...) FX_PRINTF(2, 3) __attribute__((noreturn));

/* ---- Common options --------------------------------------------------------------------------------------------------------- */

enum { TOOL_LIST = 64 };
typedef struct tool_pair {
    char *name; /* "" when only a value was given */
    const char *value;
} tool_pair;

typedef struct tool_options {
    const char *verb;
    fx_compile_options compile;
    bool compiled, interpreted; /* engines wanted; both at first */
    bool json;
    uint64_t seed;
    tool_pair dims[TOOL_LIST], inputs[TOOL_LIST];
    int n_dims, n_inputs;
} tool_options;
tool_options tool_defaults(const char *verb);
void tool_options_free(tool_options *options);
/* Child parsers; each takes the same tool_options as input. */
extern const struct argp tool_argp_compile; /* --threads --precision --target --cpu --features --check */
extern const struct argp tool_argp_input;   /* --input --dim --seed */
extern const struct argp tool_argp_engine;  /* --engine */
extern const struct argp tool_argp_json;    /* --json */
long tool_number(const char *verb, const char *option, const char *text, long lo, long hi);
double tool_duration(const char *verb, const char *option, const char *text); /* 0 to 3600, with decimals */
/* A verb's argument MODEL: exactly one must be given. For what its parser has no option for. */
error_t tool_one_model(const char *verb, int key, const char *arg, const char **model);
/* Index of `text` in `words` (NULL-terminated); a usage error when it is none of them. */
int tool_choice(const char *verb, const char *option, const char *text, const char *const *words);

/* ---- Models ------------------------------------------------------------------------------------------------------------------ */

typedef struct tool_tensors {
    fx_tensor *tensor;
    int32_t n;
} tool_tensors;
tool_tensors tool_tensors_new(int32_t n);
void tool_tensors_free(tool_tensors *tensors);
/* Tensors of their own with the same values: runs may change inputs. */
fx_status tool_tensors_copy(const tool_tensors *from, tool_tensors *out);

/* The module's inputs: files as told by --input, the rest random. */
fx_status tool_inputs(fx_context *context, fx_module *module, const tool_options *options, tool_tensors *out);
/* DIRECTORY/NAME.npy: slashes of the name become underscores, and a name that `same` earlier ones of the folder have a number. false,
 * after a message: too long a path. */
bool tool_npy_path(char *path, size_t bytes, const char *directory, const char *name, int same);
/* How many of the first n inputs or outputs have this name in a folder. */
int tool_same_names(const fx_module *module, bool inputs, int32_t n, const char *name);
/* DIR/NAME.npy for every input or output, as `fxjit run` writes them. */
fx_status tool_load_named(fx_context *context, fx_module *module, const char *directory, bool inputs, tool_tensors *out);
/* "f32[1, 3, 224, 224]" */
const char *tool_type_text(const fx_tensor *tensor, char *text, size_t bytes);
/* True when every input's type is known, so that nothing but the model is needed to compile it. */
bool tool_has_types(const fx_module *module);

/* ---- Comparing ----------------------------------------------------------------------------------------------------------------
 */

typedef struct tool_error {
    bool same_type;          /* dtype and shape */
    double max_abs;          /* largest difference; infinite where only one value is NaN */
    double max_rel;          /* the same by the largest expected magnitude */
    double ratio;            /* largest difference by its tolerance atol + rtol * |expected|: at most 1 is good */
    int64_t worst;           /* element of ratio */
    double actual, expected; /* there */
} tool_error;
tool_error tool_compare(const fx_tensor *actual, const fx_tensor *expected, double rtol, double atol);

/* ---- Output -------------------------------------------------------------------------------------------------------------------
 */

/* Measures and keeps what the machine does at best; a cache that cannot be written is a warning. An object of it. */
fx_status tool_measure_machine(fx_context *context, fx_machine *out);
json_t *tool_machine_json(const fx_machine *machine);
/* From now on a program whose standard output cannot be written ends with TOOL_FAILED. */
void tool_watch_stdout(void);
/* A text of a file or a command line as JSON: bytes that are no UTF-8 become question marks. */
json_t *tool_text(const char *text);
/* Prints an object on one line and frees it. */
void tool_print_json(json_t *object);
/* A file that appears when it is whole, in the place of the one that is there; a device or a pipe is written as it goes. path NULL or
 * "-": standard output, whose failures are told when the program ends. open: false after a message. close: whole false gives the
 * file up; TOOL_OK, or TOOL_FAILED, after a message if it could not be written. */
typedef struct tool_file {
    FILE *out;
    const char *path;       /* NULL: standard output */
    char *real, *temporary; /* NULL: written in place */
    int why;                /* errno of a write that failed; 0: none, or not known */
} tool_file;
bool tool_file_open(tool_file *file, const char *path);
int tool_file_close(tool_file *file, bool whole);
int tool_write_file(const char *path, const char *text, size_t bytes);
/* "error: ..." on stderr, which tool_fail does not say again. */
void tool_tell(const char *format, ...) FX_PRINTF(1, 2);
/* Prints what the context knows, or only the status; returns TOOL_FAILED. With json: {"error": ...} on stdout too. */
int tool_fail(fx_context *context, fx_status status, bool json);
double tool_seconds(void); /* monotonic */
/* Seconds since this process was started, program loading included. */
double tool_process_seconds(void);
/* Shows progress on a terminal once work has taken a second. */
void tool_progress_begin(tool_options *options);
void tool_progress_items(const char *what, int64_t done, int64_t total);
void tool_progress_silent(const char *what); /* what goes on from here without telling */
void tool_progress_end(void);

#endif
