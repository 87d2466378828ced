/* SPDX-License-Identifier: Apache-2.0 */
/* verb_convert.c: `fxjit convert`: a readable model in another format, told by the output's name. */
#include "tool.h"
#include "fxjit/passes.h"
#include <string.h>

typedef struct convert_options {
    tool_options common;
    const char *model, *output;
} convert_options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    convert_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case ARGP_KEY_ARG:
        if (o->output) tool_usage("convert", "IN and OUT, and not '%s' too", arg);
        *(o->model ? &o->output : &o->model) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->output) tool_usage("convert", "which model, and what is it to become?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {NULL,
                                 parse,
                                 "IN OUT",
                                 "Writes a model in the format that OUT's name tells: .fxm (graph and weights) or .fx (text of the "
                                 "graph, submodules put in place, "
                                 "without weights)."
                                 "\vExamples:\n"
                                 "  fxjit convert resnet50.onnx resnet50.fxm\n"
                                 "  fxjit convert resnet50.fxm resnet50.fx\n",
                                 children,
                                 NULL,
                                 NULL};

/* The text holds one graph: what submodules and bodies say is put in the place of their calls. */
static fx_status write_fx(fx_module *module, const char *path)
{
    fx_graph *graph = fx_module_graph(module);
    const fx_pass *pass = fx_pass_find("inline");
    bool modified;
    fx_status status = pass->run(graph, pass->user, &modified);
    char *text = status == FX_OK ? fx_graph_to_fx(graph) : NULL;
    if (status == FX_OK && !text) status = FX_E_OOM;
    if (text && tool_write_file(path, text, strlen(text)) != TOOL_OK) status = FX_E_IO;
    fx_text_free(text);
    return status;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n > n_end && strcmp(text + n - n_end, end) == 0;
}

int tool_convert(int argc, char **argv)
{
    convert_options o = {.common = tool_defaults("convert")};
    tool_parse(&argp, argc, argv, &o);
    bool is_text = ends_in(o.output, ".fx");
    if (!is_text && !ends_in(o.output, ".fxm")) tool_usage("convert", "'%s' ends neither in .fxm nor in .fx", o.output);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_load(context, o.model, &module);
    if (status == FX_OK) status = is_text ? write_fx(module, o.output) : fx_module_save(module, o.output);
    if (status == FX_OK && o.common.json) tool_print_json(json_pack("{s:o,s:o}", "model", tool_text(o.model), "output", tool_text(o.output)));
    int result = status == FX_OK ? TOOL_OK : tool_fail(context, status, o.common.json);
    fx_module_free(module);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
