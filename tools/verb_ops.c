/* SPDX-License-Identifier: Apache-2.0 */
/* verb_ops.c: `fxjit ops`: the operator table, and which operators of ONNX the importer translates. */
#include "tool.h"
#include <string.h>

typedef struct ops_options {
    tool_options common;
    const char *only;
} ops_options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ops_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case ARGP_KEY_ARG:
        if (o->only) tool_usage("ops", "one operator at a time, not '%s' too", arg);
        o->only = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {
    NULL,
    parse,
    "[OPERATOR]",
    "Lists the operators with their schemas and the ONNX operators that they serve, then all ONNX operators "
    "that the importer translates."
    "\vExamples:\n"
    "  fxjit ops\n"
    "  fxjit ops softmax\n"
    "  fxjit ops --json\n",
    children,
    NULL,
    NULL};

static json_t *words(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t length = strcspn(text, " ");
        if (length) json_array_append_new(list, json_stringn(text, length));
        text += length + (text[length] == ' ');
    }
    return list;
}

static json_t *dtypes_json(const fx_op *op)
{
    json_t *list = json_array();
    for (fx_dtype dtype = 0; dtype < FX_DTYPE_COUNT; dtype++)
        if (fx_op_takes(op, dtype)) json_array_append_new(list, json_string(fx_dtype_name(dtype)));
    return list;
}

static json_t *row_json(const fx_op *op)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "name", fx_op_name(op), "target", fx_op_target(op), "schema",
                     fx_op_schema(op), "family", fx_op_family(op), "form", fx_op_form(op), "dtypes", dtypes_json(op), "onnx",
                     words(fx_op_onnx(op)));
}

static json_t *onnx_json(const char *name)
{
    return json_pack("{s:s,s:i}", "name", name, "since", (int)fx_onnx_op_since(name));
}

static void print_row(const fx_op *op)
{
    const char *onnx = fx_op_onnx(op);
    printf("%-28s %s%s%s\n", fx_op_name(op), fx_op_schema(op), *onnx ? "  ONNX: " : "", onnx);
}

static int print_json(const fx_op *only)
{
    json_t *rows = json_array(), *onnx = json_array();
    for (int32_t i = 0; i < fx_op_count(); i++)
        if (!only || only == fx_op_at(i)) json_array_append_new(rows, row_json(fx_op_at(i)));
    for (int32_t i = 0; !only && fx_onnx_op_at(i); i++) json_array_append_new(onnx, onnx_json(fx_onnx_op_at(i)));
    tool_print_json(json_pack("{s:o,s:o}", "operators", rows, "onnx", onnx));
    return TOOL_OK;
}

static int print_table(const fx_op *only)
{
    int n = 0;
    for (int32_t i = 0; i < fx_op_count(); i++)
        if (!only || only == fx_op_at(i)) print_row(fx_op_at(i));
    if (only) return TOOL_OK;
    printf("\n%d operators. ONNX operators translated:\n", (int)fx_op_count());
    for (; fx_onnx_op_at(n); n++) printf(n ? " %s" : "%s", fx_onnx_op_at(n));
    printf("\n%d ONNX operators.\n", n);
    return TOOL_OK;
}

int tool_ops(int argc, char **argv)
{
    ops_options o = {.common = tool_defaults("ops")};
    tool_parse(&argp, argc, argv, &o);
    const fx_op *only = o.only ? fx_op_find(o.only) : NULL;
    if (o.only && !only) {
        fprintf(stderr, "error: there is no operator '%s'\n", o.only);
        return TOOL_FAILED;
    }
    return o.common.json ? print_json(only) : print_table(only);
}
