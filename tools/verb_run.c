/* SPDX-License-Identifier: Apache-2.0 */
/* verb_run.c: `fxjit run`: one run of a model; outputs go to .npy files or are summed up on the screen. */
#include "tool.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct run_options {
    tool_options common;
    const char *model, *directory;
    bool *changed; /* [inputs] */
} run_options;

static const struct argp_option options[] = {
    {"output-dir", 'o', "DIR", 0, "write every output, and every input that the model changes, to DIR/NAME.npy", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    run_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 4; i++) state->child_inputs[i] = &o->common;
        return 0;
    case 'o':
        o->directory = arg;
        return 0;
    default:
        return tool_one_model("run", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {{&tool_argp_input, 0, NULL, 0},
                                             {&tool_argp_engine, 0, NULL, 0},
                                             {&tool_argp_compile, 0, NULL, 0},
                                             {&tool_argp_json, 0, NULL, 0},
                                             {0}};
static const struct argp argp = {options,
                                 parse,
                                 "MODEL",
                                 "Runs a model once, compiled unless told otherwise."
                                 "\vExamples:\n"
                                 "  fxjit run resnet18.onnx\n"
                                 "  fxjit run --input image.npy --output-dir out resnet18.onnx\n"
                                 "  fxjit run --input ids=ids.npy --input mask=mask.npy --engine interpreter bert.onnx\n"
                                 "  fxjit run --dim batch=4 mlp_dynamic.onnx\n",
                                 children,
                                 NULL,
                                 NULL};

static fx_status run_compiled(fx_context *context, fx_module *module, run_options *o, const tool_tensors *in, tool_tensors *out)
{
    fx_compiled *compiled = NULL;
    const fx_tensor *examples = tool_has_types(module) ? NULL : in->tensor;
    fx_status status = fx_compile(module, examples, examples ? in->n : 0, &o->common.compile, &compiled);
    for (int32_t i = 0; status == FX_OK && i < in->n; i++) o->changed[i] = fx_compiled_input_is_written(compiled, i);
    if (status == FX_OK) status = fx_run(compiled, context, in->tensor, in->n, out->tensor, out->n);
    fx_compiled_free(compiled);
    return status;
}

static void summarise(const char *name, const fx_tensor *tensor)
{
    char type[256];
    int64_t n = fx_tensor_elems(tensor);
    double lo = INFINITY, hi = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double value = fx_tensor_get(tensor, i);
        lo = fmin(lo, value);
        hi = fmax(hi, value);
        sum += value;
    }
    printf("%s: %s", name, tool_type_text(tensor, type, sizeof type));
    if (n > 0) printf(" min %.6g max %.6g mean %.6g", lo, hi, sum / (double)n);
    printf(" [");
    for (int64_t i = 0; i < n && i < 4; i++) printf(i ? ", %.6g" : "%.6g", fx_tensor_get(tensor, i));
    printf(n > 4 ? ", ...]\n" : "]\n");
}

/* Under names that the outputs leave free. */
static fx_status save_changed(fx_context *context, const fx_module *module, const run_options *o, const tool_tensors *in)
{
    char path[PATH_MAX];
    fx_status status = FX_OK;
    for (int32_t i = 0; i < in->n && status == FX_OK; i++) {
        if (!o->changed[i]) continue;
        const char *name = fx_module_input_name(module, i);
        int same = tool_same_names(module, false, fx_module_output_count(module), name) + tool_same_names(module, true, i, name);
        bool fits = tool_npy_path(path, sizeof path, o->directory, name, same);
        status = fits ? fx_tensor_save_npy(context, path, &in->tensor[i]) : FX_E_IO;
    }
    return status;
}

/* Whether the interpreter changed an input, which nobody said before. */
static void find_changed(const tool_tensors *before, const tool_tensors *after, bool *changed)
{
    for (int32_t i = 0; i < after->n; i++) changed[i] = tool_compare(&after->tensor[i], &before->tensor[i], 0, 0).max_abs > 0;
}

static fx_status interpret(fx_module *module, run_options *o, const tool_tensors *in, tool_tensors *out)
{
    tool_tensors before = {0};
    fx_status status = tool_tensors_copy(in, &before);
    tool_progress_silent("interpreting");
    if (status == FX_OK) status = fx_interpret(module, in->tensor, in->n, out->tensor, out->n);
    if (status == FX_OK) find_changed(&before, in, o->changed);
    tool_tensors_free(&before);
    return status;
}

static fx_status save_outputs(fx_context *context, const fx_module *module, const char *directory, const tool_tensors *out)
{
    char path[PATH_MAX];
    fx_status status = FX_OK;
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        tool_tell("%s: %s", directory, strerror(errno));
        return FX_E_IO;
    }
    for (int32_t i = 0; i < out->n && status == FX_OK; i++) {
        const char *name = fx_module_output_name(module, i);
        bool fits = tool_npy_path(path, sizeof path, directory, name, tool_same_names(module, false, i, name));
        status = fits ? fx_tensor_save_npy(context, path, &out->tensor[i]) : FX_E_IO;
    }
    return status;
}

static void print_changed(const fx_module *module, const run_options *o, const tool_tensors *in)
{
    char name[256];
    for (int32_t i = 0; i < in->n; i++) {
        if (!o->changed[i]) continue;
        snprintf(name, sizeof name, "%s (input, changed)", fx_module_input_name(module, i));
        summarise(name, &in->tensor[i]);
    }
}

static void print_outputs(const fx_module *module, const run_options *o, const tool_tensors *out)
{
    json_t *list = json_array();
    char type[256];
    for (int32_t i = 0; i < out->n; i++) {
        const char *name = fx_module_output_name(module, i);
        if (o->common.json)
            json_array_append_new(list,
                                  json_pack("{s:o,s:s}", "name", tool_text(name), "type", tool_type_text(&out->tensor[i], type, sizeof type)));
        else
            summarise(name, &out->tensor[i]);
    }
    if (o->common.json)
        tool_print_json(json_pack("{s:o,s:o}", "model", tool_text(o->model), "outputs", list));
    else
        json_decref(list);
}

static fx_status run_model(fx_context *context, fx_module *module, run_options *o)
{
    tool_tensors in, out = tool_tensors_new(fx_module_output_count(module));
    fx_status status = tool_inputs(context, module, &o->common, &in);
    o->changed = calloc((size_t)fx_module_input_count(module) + 1, sizeof *o->changed);
    if (!o->changed) status = FX_E_OOM;
    tool_progress_begin(&o->common);
    if (status == FX_OK)
        status = o->common.compiled ? run_compiled(context, module, o, &in, &out) : interpret(module, o, &in, &out);
    tool_progress_end();
    if (status == FX_OK && o->directory) status = save_outputs(context, module, o->directory, &out);
    if (status == FX_OK && o->directory) status = save_changed(context, module, o, &in);
    if (status == FX_OK) print_outputs(module, o, &out);
    if (status == FX_OK && !o->common.json) print_changed(module, o, &in);
    free(o->changed);
    tool_tensors_free(&in);
    tool_tensors_free(&out);
    return status;
}

int tool_run(int argc, char **argv)
{
    run_options o = {.common = tool_defaults("run")};
    tool_parse(&argp, argc, argv, &o);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_load(context, o.model, &module);
    if (status == FX_OK) status = run_model(context, module, &o);
    int result = status == FX_OK ? TOOL_OK : tool_fail(context, status, o.common.json);
    fx_module_free(module);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
