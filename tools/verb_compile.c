/* SPDX-License-Identifier: Apache-2.0 */
/* verb_compile.c: `fxjit compile`: an object file and its header, for programs that link the model. */
#include "tool.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_WEIGHTS = 512, KEY_SYMBOL };

typedef struct emit_options {
    tool_options common;
    fx_emit_options emit;
    const char *model, *output;
} emit_options;

static const struct argp_option options[] = {
    {"output", 'o', "NAME.o", 0, "object file; the header is NAME.h beside it. Default: the model's name", 0},
    {"weights", KEY_WEIGHTS, "WHERE", 0, "inline (in the object, the default) or file (in NAME.weights)", 0},
    {"symbol", KEY_SYMBOL, "NAME", 0, "C name of the entry point", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const places[] = {"inline", "file", NULL};
    emit_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 3; i++) state->child_inputs[i] = &o->common;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_WEIGHTS:
        o->emit.weights_in_file = tool_choice("compile", "weights", arg, places) == 1;
        return 0;
    case KEY_SYMBOL:
        o->emit.symbol = arg;
        return 0;
    default:
        return tool_one_model("compile", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {
    {&tool_argp_compile, 0, NULL, 0}, {&tool_argp_input, 0, NULL, 0}, {&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "MODEL",
    "Compiles a model to an object file and a C header that need no library when compiled for one thread."
    "\vExamples:\n"
    "  fxjit compile -o net.o --threads 1 net.onnx\n"
    "  fxjit compile -o net.o --weights file resnet50.onnx\n"
    "  fxjit compile -o net.o --target x86_64-linux-gnu --cpu x86-64-v3 net.onnx\n",
    children,
    NULL,
    NULL};

/* "models/net.onnx" gives "net.o" in the current folder. */
static char *default_output(const char *model)
{
    const char *slash = strrchr(model, '/'), *base = slash ? slash + 1 : model, *dot = strrchr(base, '.');
    size_t stem = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    char *path = malloc(stem + 3);
    if (path) snprintf(path, stem + 3, "%.*s.o", (int)stem, base);
    return path;
}

static fx_status emit_model(fx_context *context, fx_module *module, emit_options *o, const char *path)
{
    tool_tensors inputs = {0};
    fx_status status = tool_has_types(module) ? FX_OK : tool_inputs(context, module, &o->common, &inputs);
    tool_progress_begin(&o->common);
    if (status == FX_OK) status = fx_emit_object(module, inputs.tensor, inputs.n, &o->common.compile, &o->emit, path);
    tool_progress_end();
    tool_tensors_free(&inputs);
    return status;
}

int tool_compile(int argc, char **argv)
{
    emit_options o = {.common = tool_defaults("compile")};
    tool_parse(&argp, argc, argv, &o);
    char *path = o.output ? strdup(o.output) : default_output(o.model);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = path ? fx_load(context, o.model, &module) : FX_E_OOM;
    if (status == FX_OK) status = emit_model(context, module, &o, path);
    if (status == FX_OK && o.common.json) tool_print_json(json_pack("{s:o,s:o}", "model", tool_text(o.model), "object", tool_text(path)));
    int result = status == FX_OK ? TOOL_OK : tool_fail(context, status, o.common.json);
    fx_module_free(module);
    fx_context_free(context);
    free(path);
    tool_options_free(&o.common);
    return result;
}
