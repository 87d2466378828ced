/* SPDX-License-Identifier: Apache-2.0 */
/* verb_verify.c: `fxjit verify`: goes through models and folders of cases, keeps the tally, prints what failed. */
#include "verify.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_DTYPE = 512, KEY_REPRODUCER, KEY_NO_BISECT, KEY_AGAINST, KEY_ULP, KEY_NAN };

static const struct argp_option options[] = {{"dtype", KEY_DTYPE, "f32|f64", 0, "f64 casts weights and inputs before running", 0},
                                             {"reproducer", KEY_REPRODUCER, "DIR", 0,
                                              "where the smallest graph goes that shows a mismatch; default NAME.repro", 0},
                                             {"no-bisect", KEY_NO_BISECT, NULL, 0, "do not look for where a mismatch begins", 0},
                                             {"against", KEY_AGAINST, "OPTIONS|MODEL", 0,
                                              "compare with other options (threads, precision, fusion, in_place, target, cpu, "
                                              "features), or with another model, instead of with the interpreter",
                                              0},
                                             {"ulp", KEY_ULP, "N", 0,
                                              "with --against: results may be so many units of the last place apart; default: the derived "
                                              "error bounds",
                                              0},
                                             {"nan", KEY_NAN, NULL, 0, "find where NaN and infinity arise, in both engines", 0},
                                             {"verbose", 'v', NULL, 0, "also name what passed", 0},
                                             {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const dtypes[] = {"f32", "f64", NULL};
    verify_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 4; i++) state->child_inputs[i] = &o->common;
        return 0;
    case KEY_DTYPE:
        o->in_f64 = tool_choice("verify", "dtype", arg, dtypes) == 1;
        return 0;
    case KEY_REPRODUCER:
        o->reproducer = arg;
        return 0;
    case KEY_NO_BISECT:
        o->no_bisect = true;
        return 0;
    case KEY_AGAINST:
        o->against = arg;
        return 0;
    case KEY_NAN:
        o->nan = true;
        return 0;
    case KEY_ULP:
        o->ulp = (double)tool_number("verify", "ulp", arg, 0, INT32_MAX);
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        o->paths[o->n_paths++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->n_paths) tool_usage("verify", "which model or folder?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tool_argp_engine, 0, NULL, 0},
                                             {&tool_argp_compile, 0, NULL, 0},
                                             {&tool_argp_input, 0, NULL, 0},
                                             {&tool_argp_json, 0, NULL, 0},
                                             {0}};
static const struct argp argp = {options,
                                 parse,
                                 "MODEL|FOLDER...",
                                 "Compares results. A model alone: compiled code against the interpreter; on a mismatch the form, the "
                                 "pass, the node and the kernel where it begins are found, and the smallest graph that shows it is "
                                 "written as a folder that verify runs by itself. A folder with model.onnx or model.fxm and "
                                 "test_data_set_N (cases of ONNX) or with in, out or sizes (files NAME.npy): both engines against "
                                 "the expected outputs. Any other "
                                 "folder: all such folders inside. A model with an unsupported operator has failed; skipped are "
                                 "only value types that fxjit lacks."
                                 "\vExamples:\n"
                                 "  fxjit verify resnet18.onnx\n"
                                 "  fxjit verify /usr/share/libonnx-testdata/data/node\n"
                                 "  fxjit verify --against precision=strict,fusion=off resnet18.onnx\n"
                                 "  fxjit verify --against cpu=haswell --ulp 4 resnet18.onnx\n"
                                 "  fxjit verify --against resnet18.onnx resnet18.fxm\n"
                                 "  fxjit verify --nan --input x=x.npy model.fxm\n"
                                 "  fxjit verify --engine interpreter --dtype f64 models/mlp_dynamic\n",
                                 children,
                                 NULL,
                                 NULL};

/* ---- Tally
 * ----------------------------------------------------------------------------------------------------------------------- */

static void count(const subject *s, bool good)
{
    verify_options *o = s->o;
    const char *result = good ? "passed" : s->skip ? "skipped" : "failed";
    o->passed += good;
    o->skipped += !good && s->skip;
    o->failed += !good && !s->skip;
    o->with_fallbacks += s->compiled && fx_compiled_fallback_count(s->compiled) > 0;
    tool_progress_end();
    if (o->common.json) {
        json_t *one = json_pack("{s:o,s:s,s:o}", "name", tool_text(s->name), "result", result, "why", tool_text(good ? "" : s->why));
        if (s->mismatch) json_object_set(one, o->nan ? "nonfinite" : "mismatch", s->mismatch);
        json_array_append_new(o->cases, one);
        return;
    }
    if (!good) printf("%s %s: %s\n", s->skip ? "skip" : "FAIL", s->name, s->why);
    if (!good && s->details) fputs(s->details, stdout);
    if (good && (o->verbose || (s->details && *s->details))) printf("ok   %s\n", s->name);
    if (good && s->details) fputs(s->details, stdout);
}

static bool check(subject *s, const char *folder, bool (*verify)(subject *, const char *))
{
    if (s->o->nan) return verify_nan(s, folder);
    if (s->o->against) return verify_against(s, folder);
    return folder ? verify(s, folder) : verify_bare_model(s);
}

static void verify_one(verify_options *o, const char *name, const char *model, const char *folder,
                       bool (*verify)(subject *, const char *))
{
    subject s = {.o = o, .name = name, .context = fx_context_new(), .compile = o->common.compile};
    fx_status read = folder ? verify_load_case(&s, model, folder) : fx_load(s.context, model, &s.module);
    bool good = verify_status(&s, "reading", read);
    if (good && o->in_f64) good = verify_status(&s, "casting", fx_module_cast(s.module, FX_F32, FX_F64));
    if (good) good = check(&s, folder, verify);
    count(&s, good);
    free(s.details);
    json_decref(s.mismatch);
    fx_compiled_free(s.compiled);
    fx_module_free(s.module);
    fx_context_free(s.context);
    json_decref(s.recipe);
}

/* ---- Folders
 * ----------------------------------------------------------------------------------------------------------------------- */

static bool exists(const char *folder, const char *name)
{
    char path[4096];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

enum { DEEPEST = 8 };

static bool verify_folder(verify_options *o, const char *folder, int depth);

/* Number of cases found inside. */
static int verify_entries(verify_options *o, const char *folder, int depth)
{
    struct dirent **entries;
    char path[4096];
    int found = 0, n = scandir(folder, &entries, visible, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (is_folder(path) && depth < DEEPEST) found += verify_folder(o, path, depth + 1);
        tool_progress_items(folder, i, n);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    return found;
}

/* False: neither a case nor a folder of some. */
static bool verify_folder(verify_options *o, const char *folder, int depth)
{
    char model[4096];
    const char *name = exists(folder, "model.onnx") ? "model.onnx" : "model.fxm";
    snprintf(model, sizeof model, "%s/%s", folder, name);
    if (!exists(folder, name)) return verify_entries(o, folder, depth) > 0;
    bool bench = exists(folder, "in") || exists(folder, "sizes");
    if (bench || exists(folder, "test_data_set_0"))
        verify_one(o, last_part(folder), model, folder, bench ? verify_bench_case : verify_onnx_case);
    else
        verify_one(o, last_part(folder), model, NULL, NULL);
    return true;
}

static void verify_path(verify_options *o, char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') path[--length] = 0;
    if (!is_folder(path)) {
        verify_one(o, path, path, NULL, NULL);
    } else if (!verify_folder(o, path, 0)) {
        fprintf(stderr, "error: %s: no model.onnx or model.fxm in it or below\n", path);
        o->failed++;
    }
}

int tool_verify(int argc, char **argv)
{
    verify_options o = {.common = tool_defaults("verify"), .paths = calloc((size_t)argc, sizeof *o.paths), .cases = json_array(), .ulp = -1};
    if (!o.paths) return TOOL_FAILED;
    tool_parse(&argp, argc, argv, &o);
    tool_progress_begin(&o.common);
    for (int i = 0; i < o.n_paths; i++) {
        char *path = strdup(o.paths[i]);
        if (path) verify_path(&o, path);
        free(path);
    }
    tool_progress_end();
    if (o.common.json)
        tool_print_json(
            json_pack("{s:i,s:i,s:i,s:O}", "passed", o.passed, "failed", o.failed, "skipped", o.skipped, "cases", o.cases));
    if (o.with_fixed && !o.common.json) printf("%d of them with inputs for shapes fixed when importing\n", o.with_fixed);
    if (o.with_fallbacks && !o.common.json) printf("%d of them with nodes that have no compiled form\n", o.with_fallbacks);
    if (!o.common.json) printf("%d passed, %d failed, %d skipped\n", o.passed, o.failed, o.skipped);
    json_decref(o.cases);
    free(o.paths);
    tool_options_free(&o.common);
    return o.failed ? TOOL_FAILED : TOOL_OK;
}
