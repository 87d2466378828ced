/* SPDX-License-Identifier: Apache-2.0 */
/* verb_ops.c: `fxjit ops`: the operator table, and which operators of ONNX the importer translates. */
#include "tool.h"
#include <string.h>

typedef struct ops_options {
    tool_options common;
    const char *only;
    bool names;
} ops_options;

enum { KEY_NAMES = 512 };
static const struct argp_option options[] = {{"list-names", KEY_NAMES, NULL, OPTION_HIDDEN, "for the shells", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ops_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case KEY_NAMES:
        o->names = true;
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
    options,
    parse,
    "[OPERATOR]",
    "Lists the operators with their schemas and the ONNX operators that they serve, then all ONNX operators "
    "that the importer translates; or one, by its name here or in ONNX."
    "\vExamples:\n"
    "  fxjit ops\n"
    "  fxjit ops softmax\n"
    "  fxjit ops LeakyRelu\n"
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

static bool serves(const fx_op *op, const char *onnx)
{
    const char *at = fx_op_onnx(op);
    for (size_t length = strlen(onnx), n; *at; at += n + (at[n] == ' ')) {
        n = strcspn(at, " ");
        if (n == length && strncmp(at, onnx, n) == 0) return true;
    }
    return false;
}

/* Rows that are wanted: all, the operator of this name, or those that serve the ONNX operator of this name. */
static bool is_wanted(const fx_op *op, const char *only)
{
    const fx_op *named = only ? fx_op_find(only) : NULL;
    return !only || (named ? op == named : serves(op, only));
}

static int count_wanted(const char *only)
{
    int n = 0;
    for (int32_t i = 0; i < fx_op_count(); i++) n += is_wanted(fx_op_at(i), only);
    return n;
}

static int print_json(const char *only)
{
    json_t *rows = json_array(), *onnx = json_array();
    for (int32_t i = 0; i < fx_op_count(); i++)
        if (is_wanted(fx_op_at(i), only)) json_array_append_new(rows, row_json(fx_op_at(i)));
    for (int32_t i = 0; fx_onnx_op_at(i); i++)
        if (!only || strcmp(fx_onnx_op_at(i), only) == 0) json_array_append_new(onnx, onnx_json(fx_onnx_op_at(i)));
    tool_print_json(json_pack("{s:o,s:o}", "operators", rows, "onnx", onnx));
    return TOOL_OK;
}

static int print_table(const char *only)
{
    int n = 0;
    for (int32_t i = 0; i < fx_op_count(); i++)
        if (is_wanted(fx_op_at(i), only)) print_row(fx_op_at(i));
    if (only) return TOOL_OK;
    printf("\n%d operators. ONNX operators translated:\n", (int)fx_op_count());
    for (; fx_onnx_op_at(n); n++) printf(n ? " %s" : "%s", fx_onnx_op_at(n));
    printf("\n%d ONNX operators.\n", n);
    return TOOL_OK;
}

/* ONNX operators without a row of their own are translated into several. */
static int print_without_row(const char *onnx)
{
    printf("%-28s ONNX, since opset %d: translated into several operators\n", onnx, (int)fx_onnx_op_since(onnx));
    return TOOL_OK;
}

static int print_names(void)
{
    for (int32_t i = 0; i < fx_op_count(); i++) puts(fx_op_name(fx_op_at(i)));
    return TOOL_OK;
}

static int unknown_operator(const char *word, bool json)
{
    enum { MOST = 4096 };
    const char *names[MOST];
    int n = 0;
    for (int32_t i = 0; i < fx_op_count() && n < MOST; i++) names[n++] = fx_op_name(fx_op_at(i));
    for (int32_t i = 0; fx_onnx_op_at(i) && n < MOST; i++) names[n++] = fx_onnx_op_at(i);
    tool_complain("there is no operator", word, fx_nearest_word(word, names, n));
    return tool_fail(NULL, FX_E_NOT_FOUND, json);
}

int tool_ops(int argc, char **argv)
{
    ops_options o = {.common = tool_defaults("ops")};
    tool_parse(&argp, argc, argv, &o);
    if (o.names) return print_names();
    bool has_row = !o.only || count_wanted(o.only) > 0;
    if (!has_row && !fx_onnx_op_since(o.only)) return unknown_operator(o.only, o.common.json);
    if (o.common.json) return print_json(o.only);
    return has_row ? print_table(o.only) : print_without_row(o.only);
}
