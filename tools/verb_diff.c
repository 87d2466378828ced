/* SPDX-License-Identifier: Apache-2.0 */
/* verb_diff.c: `fxjit diff`: how the graphs of two models differ, node by node. */
#include "fxjit/analysis.h"
#include "tool.h"

typedef struct diff_options {
    tool_options common;
    const char *before, *after;
} diff_options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    diff_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case ARGP_KEY_ARG:
        if (o->after) tool_usage("diff", "two models, and not '%s' too", arg);
        *(o->before ? &o->after : &o->before) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->after) tool_usage("diff", "which two models?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {NULL,
                                 parse,
                                 "BEFORE AFTER",
                                 "Prints how the graph of AFTER differs from that of BEFORE: nodes that were added (+), removed "
                                 "(-) and changed (~), by name. Exit "
                                 "status: 0 when the graphs are equal, 1 when they differ or cannot be read."
                                 "\vExamples:\n"
                                 "  fxjit diff resnet18.onnx resnet18.fxm\n"
                                 "  fxjit show --format fx mlp.onnx -o mlp.fx && fxjit diff mlp.onnx mlp.fx\n",
                                 children,
                                 NULL,
                                 NULL};

static json_t *to_json(const fx_change *change)
{
    static const char *const kinds[] = {"added", "removed", "changed"};
    return json_pack("{s:s,s:o,s:s*,s:o*,s:o*}", "kind", kinds[change->kind], "node", tool_text(change->name), "field", change->field,
                     "before", change->before ? tool_text(change->before) : NULL, "after",
                     change->after ? tool_text(change->after) : NULL);
}

static void print_json(const fx_diff *diff)
{
    json_t *changes = json_array();
    for (int32_t i = 0; i < fx_diff_count(diff); i++) json_array_append_new(changes, to_json(fx_diff_get(diff, i)));
    tool_print_json(json_pack("{s:o}", "changes", changes));
}

static fx_status print_text(const fx_diff *diff)
{
    char *text = fx_diff_to_string(diff);
    if (!text) return FX_E_OOM;
    fputs(text, stdout);
    fx_text_free(text);
    return FX_OK;
}

static fx_status print_diff(const diff_options *o, const fx_module *before, const fx_module *after, bool *out_equal)
{
    fx_diff *diff;
    fx_status status = fx_graph_diff(fx_module_graph(before), fx_module_graph(after), &diff);
    if (status != FX_OK) return status;
    *out_equal = fx_diff_count(diff) == 0;
    if (o->common.json)
        print_json(diff);
    else
        status = print_text(diff);
    fx_diff_free(diff);
    return status;
}

int tool_diff(int argc, char **argv)
{
    diff_options o = {.common = tool_defaults("diff")};
    tool_parse(&argp, argc, argv, &o);
    fx_context *context = fx_context_new();
    fx_module *before = NULL, *after = NULL;
    bool equal = false;
    fx_status status = fx_load(context, o.before, &before);
    if (status == FX_OK) status = fx_load(context, o.after, &after);
    if (status == FX_OK) status = print_diff(&o, before, after, &equal);
    int result = status != FX_OK ? tool_fail(context, status, o.common.json) : equal ? TOOL_OK : TOOL_FAILED;
    fx_module_free(before);
    fx_module_free(after);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
