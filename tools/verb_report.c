/* SPDX-License-Identifier: Apache-2.0 */
/* verb_report.c: `fxjit report`: one page about a model and its compiled code, to be read in a browser without any network. */
#include "page.h"
#include <stdlib.h>
#include <string.h>

typedef struct report_options {
    tool_options common;
    const char *model, *output, *node;
    bool no_code, measure;
    double seconds;
} report_options;

enum { KEY_NO_CODE = 512, KEY_MEASURE, KEY_NODE };
static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the page to write (report.html); - is standard output", 0},
    {"measure", KEY_MEASURE, "SECONDS", OPTION_ARG_OPTIONAL,
     "run the model for so long (1) and show measured times; measure the machine, too, "
     "when that was not done before",
     0},
    {"node", KEY_NODE, "NAME", 0, "open the page with this node chosen", 0},
    {"no-code", KEY_NO_CODE, NULL, 0, "leave out LLVM IR and assembly, which are most of the page", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    report_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 2; i++) state->child_inputs[i] = &o->common;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_NO_CODE:
        o->no_code = true;
        return 0;
    case KEY_NODE:
        o->node = arg;
        return 0;
    case KEY_MEASURE:
        o->measure = o->common.compile.profile = true;
        o->seconds = arg ? tool_duration("report", "measure", arg) : 1;
        return 0;
    default:
        return tool_one_model("report", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {{&tool_argp_compile, 0, NULL, 0}, {&tool_argp_input, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "MODEL",
    "Writes a page about a model and its compiled code: the graph with search and modules that open and close, "
    "kernels, a roofline, memory over time, and of every node shapes, source, stages, LLVM IR and assembly. "
    "The page is one file and needs no network."
    "\vExamples:\n"
    "  fxjit report resnet18.onnx\n"
    "  fxjit report -o bert.html --threads 1 bert.onnx\n"
    "  fxjit report --measure bert.onnx\n"
    "  fxjit report --node conv1 resnet18.onnx\n"
    "  fxjit report --no-code -o - net.fxm >net.html\n",
    children,
    NULL,
    NULL};

/* [[LLVM IR, assembly], ...] by kernel. */
static fx_status collect_texts(const fx_compiled *compiled, const fx_explanation *code, json_t *texts)
{
    for (int32_t k = 0; k < code->n_kernel; k++) {
        char *llvm = NULL, *assembly = NULL;
        tool_progress_items("kernels", k, code->n_kernel);
        fx_status status = fx_explain_kernel(compiled, k, FX_STAGE_LLVM, &llvm);
        if (status == FX_OK) status = fx_explain_kernel(compiled, k, FX_STAGE_ASM, &assembly);
        if (status == FX_OK) json_array_append_new(texts, json_pack("[o, o]", page_text(llvm), page_text(assembly)));
        fx_text_free(llvm);
        fx_text_free(assembly);
        if (status != FX_OK) return status;
    }
    return FX_OK;
}

/* The node that the page begins with; an unknown one is a usage error with the nearest name. */
static void choose_node(json_t *page, const char *word)
{
    json_t *nodes = json_object_get(page, "nodes");
    int n = (int)json_array_size(nodes);
    const char **names = malloc(((size_t)n + 1) * sizeof *names);
    if (!names) exit(TOOL_FAILED);
    for (int i = 0; i < n; i++) {
        names[i] = json_string_value(json_object_get(json_array_get(nodes, (size_t)i), "n"));
        if (strcmp(names[i], word) == 0) json_object_set_new(page, "chosen", json_integer(i));
    }
    const char *near = json_object_get(page, "chosen") ? NULL : tool_nearest_name(word, names, n);
    free(names);
    if (near) tool_usage("report", "--node: the model has no node '%s'; did you mean '%s'?", word, near);
    if (!json_object_get(page, "chosen")) tool_usage("report", "--node: the model has no node '%s'", word);
}

/* ---- Times ------------------------------------------------------------------------------------------------------------------- */

static fx_status add_times(json_t *page, const fx_compiled *compiled, fx_context *context, const tool_tensors *inputs,
                           const report_options *o)
{
    fx_profile *profile = NULL;
    fx_profile_options how = {.seconds = o->seconds};
    fx_status status = fx_profile_run(compiled, context, inputs->tensor, inputs->n, &how, &profile);
    if (status == FX_OK) page_add_times(page, profile);
    fx_profile_free(profile);
    return status;
}

/* What is known of this machine says nothing about another target. Expected times are those of one thread. */
static fx_status add_machine(json_t *page, fx_context *context, const report_options *o, int32_t threads)
{
    fx_machine machine;
    const fx_compile_options *target = &o->common.compile;
    if (target->target_triple || target->target_cpu || target->target_features) return FX_OK;
    fx_status status = fx_machine_read(context, &machine);
    if (status != FX_OK && !o->measure) return FX_OK;
    if (status != FX_OK) status = tool_measure_machine(context, &machine);
    if (status == FX_OK) page_add_machine(page, &machine, o->measure && threads > 1);
    return status;
}

static fx_status fill_page(json_t *page, json_t *texts, const fx_compiled *compiled, fx_context *context,
                           const tool_tensors *inputs, const report_options *o)
{
    fx_explanation *code = NULL;
    fx_status status = fx_explain(compiled, &code);
    if (status != FX_OK) return status;
    page_nodes nodes = page_nodes_new();
    page_add_code(page, &nodes, code);
    if (o->node) choose_node(page, o->node);
    if (!o->no_code) status = collect_texts(compiled, code, texts);
    tool_progress_silent("measuring");
    if (status == FX_OK && o->measure) status = add_times(page, compiled, context, inputs, o);
    if (status == FX_OK) status = add_machine(page, context, o, code->threads);
    page_nodes_free(&nodes);
    fx_explanation_free(code);
    return status;
}

static fx_status make_page(fx_context *context, fx_module *module, report_options *o, json_t *page, json_t *texts)
{
    tool_tensors inputs = {0};
    fx_compiled *compiled = NULL;
    fx_status status = tool_has_types(module) && !o->measure ? FX_OK : tool_inputs(context, module, &o->common, &inputs);
    tool_progress_begin(&o->common);
    if (status == FX_OK) status = fx_compile(module, inputs.tensor, inputs.n, &o->common.compile, &compiled);
    if (status == FX_OK) status = fill_page(page, texts, compiled, context, &inputs, o);
    tool_progress_end();
    fx_compiled_free(compiled);
    tool_tensors_free(&inputs);
    return status;
}

int tool_report(int argc, char **argv)
{
    report_options o = {.common = tool_defaults("report"), .output = "report.html"};
    tool_parse(&argp, argc, argv, &o);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    json_t *page = page_begin(o.model), *texts = json_array();
    fx_status status = fx_load(context, o.model, &module);
    if (status == FX_OK) status = make_page(context, module, &o, page, texts);
    int result = status == FX_OK ? page_write(o.output, page, o.no_code ? NULL : texts) : tool_fail(context, status, false);
    json_decref(page);
    json_decref(texts);
    fx_module_free(module);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
