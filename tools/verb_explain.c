/* SPDX-License-Identifier: Apache-2.0 */
/* verb_explain.c: `fxjit explain`: what the compiler made of a model, and why. */
#include "part.h"

static const char *const parts[] = {"units", "kernels", "pairs", "fallbacks", "copies", "memory", "precision", "nodes", NULL};
static const char *const stages[] = {"program", "llvm", "asm", NULL};
enum { KEY_NODE = 768, KEY_KERNEL, KEY_ONLY, KEY_STAGE };

typedef struct explain_options {
    tool_options common;
    const char *model;
    fx_explain_filter filter;
    int stage; /* -1: none */
} explain_options;

static const struct argp_option options[] = {
    {"node", KEY_NODE, "GLOB", 0, "units with such a node (name or place in its file), in detail: conv*", 0},
    {"kernel", KEY_KERNEL, "NAME", 0, "units of one kernel, in detail: k3, or the beginning of its hash", 0},
    {"only", KEY_ONLY, "PART", 0,
     "one part of the text, or several with several --only: units, kernels, pairs (neighbours that were not joined, and why), "
     "fallbacks, copies, memory, precision or nodes (those that no unit computes)",
     0},
    {"stage", KEY_STAGE, "FORM", 0, "code of the chosen kernels instead: program, llvm or asm", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    explain_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 3; i++) state->child_inputs[i] = &o->common;
        return 0;
    case KEY_NODE:
        o->filter.node = arg;
        return 0;
    case KEY_KERNEL:
        o->filter.kernel = arg;
        return 0;
    case KEY_ONLY:
        o->filter.parts |= 1u << tool_choice("explain", "only", arg, parts);
        return 0;
    case KEY_STAGE:
        o->stage = tool_choice("explain", "stage", arg, stages);
        return 0;
    case ARGP_KEY_END:
        if (o->stage >= 0 && o->common.json) tool_usage("explain", "--stage is text, not JSON");
        return tool_one_model("explain", key, arg, &o->model);
    default:
        return tool_one_model("explain", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {
    {&tool_argp_compile, 0, NULL, 0}, {&tool_argp_input, 0, NULL, 0}, {&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "MODEL",
    "Tells what the compiler made of a model and why: units of a run with their kernels, nodes, tiles, "
    "bytes, operations and expected times (of the target's description, nothing is measured); neighbours "
    "that were not joined; nodes without compiled form; copies; the plan of memory; what the precision "
    "setting allowed."
    "\vExamples:\n"
    "  fxjit explain resnet18.onnx\n"
    "  fxjit explain --only pairs resnet18.onnx\n"
    "  fxjit explain --node '*conv1*' resnet18.onnx\n"
    "  fxjit explain --kernel k3 --stage asm mlp.onnx\n"
    "  fxjit explain --json resnet18.onnx\n",
    children,
    NULL,
    NULL};

static fx_status print_explanation(const explain_options *o, const fx_explanation *e)
{
    char *text = o->common.json ? fx_explanation_to_json(e, &o->filter) : fx_explanation_to_string(e, &o->filter);
    if (!text) return FX_E_OOM;
    fputs(text, stdout);
    if (o->common.json) putchar('\n');
    fx_text_free(text);
    return FX_OK;
}

static int explain(fx_context *context, const explain_options *o, const fx_compiled *compiled)
{
    static const fx_stage_form forms[] = {FX_STAGE_PROGRAM, FX_STAGE_LLVM, FX_STAGE_ASM};
    fx_explanation *e;
    fx_status status = fx_explain(compiled, &e);
    if (status != FX_OK) return tool_fail(context, status, o->common.json);
    int result = TOOL_OK;
    if (!part_has_units(e, &o->filter)) {
        result = TOOL_FAILED;
    } else {
        status = o->stage >= 0 ? part_print_kernels(stdout, compiled, e, &o->filter, forms[o->stage]) : print_explanation(o, e);
        if (status != FX_OK) result = tool_fail(context, status, o->common.json);
    }
    fx_explanation_free(e);
    return result;
}

static fx_status compile(fx_context *context, explain_options *o, fx_module *module, fx_compiled **out)
{
    tool_tensors inputs = {0};
    fx_status status = tool_has_types(module) ? FX_OK : tool_inputs(context, module, &o->common, &inputs);
    tool_progress_begin(&o->common);
    if (status == FX_OK) status = fx_compile_plan(module, inputs.tensor, inputs.n, &o->common.compile, out);
    tool_progress_end();
    tool_tensors_free(&inputs);
    return status;
}

int tool_explain(int argc, char **argv)
{
    explain_options o = {.common = tool_defaults("explain"), .stage = -1};
    tool_parse(&argp, argc, argv, &o);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_status status = fx_load(context, o.model, &module);
    if (status == FX_OK) status = compile(context, &o, module, &compiled);
    int result = status != FX_OK ? tool_fail(context, status, o.common.json) : explain(context, &o, compiled);
    fx_compiled_free(compiled);
    fx_module_free(module);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
