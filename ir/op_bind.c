/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_bind.c: from the args and kwargs of any spelling to one value per parameter of the schema. */
#include "ir/op.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct binding {
    fx_graph *graph;
    const fx_node *node;
    const char *name; /* of the operator */
    const fx_param *param;
    int32_t n;
    const fx_attr *given[FX_PARAMS]; /* NULL: not given */
    fx_attr gathered;                /* sizes or tensors given one by one */
    fx_status status;                /* of the first problem */
    bool pattern;                    /* placeholders fit every parameter */
    bool quiet;                      /* problems are not reported */
} binding;

static void fail(binding *b, fx_status status, const char *format, ...) FX_PRINTF(3, 4);
static void fail(binding *b, fx_status status, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (!b->quiet) fx__diag_node(b->node, status, "%s", what);
    if (b->status == FX_OK) b->status = status;
}

/* ---- Which value goes to which parameter --------------------------------------------------------------------------------- */

/* What a parameter that is a keyword elsewhere holds in a bound call: no integer is among the flags, so that the last size of
 * x.expand(2, 3) is none. */
static bool holds_bound(const fx_param *param, const fx_attr *value)
{
    if (param->kind != FX_PARAM_BOOL && param->kind != FX_PARAM_DTYPE) return true;
    if (value->kind == FX_ATTR_NONE) return param->optional;
    return value->kind == (param->kind == FX_PARAM_BOOL ? FX_ATTR_BOOL : FX_ATTR_DTYPE);
}

/* A call that is bound already gives every parameter by position, also those that are keywords elsewhere. */
static bool is_bound(const binding *b)
{
    if (b->node->args.n != b->n || b->node->kwargs.n != 0) return false;
    for (int32_t i = 0; i < b->n; i++)
        if (b->param[i].keyword_only && !holds_bound(&b->param[i], &b->node->args.u.items[i])) return false;
    return true;
}

static int32_t count_positional(const binding *b)
{
    int32_t n = 0;
    if (is_bound(b)) return b->n;
    while (n < b->n && !b->param[n].keyword_only) n++;
    return n;
}

static bool is_int(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_SYMINT || value->kind == FX_ATTR_NODE;
}

/* x.view(2, 3), meshgrid(x, y): the last positional parameter is a list and takes all that is left. */
static bool gather(binding *b, int32_t at, const fx_attr *args, int32_t n_args)
{
    bool tensors = b->param[at].kind == FX_PARAM_TENSORS;
    if (!tensors && b->param[at].kind != FX_PARAM_INTS) return false;
    for (int32_t i = at; i < n_args; i++)
        if (tensors ? args[i].kind != FX_ATTR_NODE : !is_int(&args[i])) return false;
    b->gathered = fx_list(b->graph, args + at, n_args - at);
    b->given[at] = &b->gathered;
    return true;
}

static void bind_positional(binding *b)
{
    const fx_attr *args = b->node->args.u.items;
    int32_t n_args = b->node->args.n, n_positional = count_positional(b);
    int32_t last = n_positional - 1;
    bool gathers = n_args > n_positional && last >= 0 && gather(b, last, args, n_args);
    if (n_args > n_positional && !gathers) {
        fail(b, FX_E_ARG, "%s takes %d positional arguments, not %d", b->name, n_positional, n_args);
        n_args = n_positional;
    }
    for (int32_t i = 0; i < (gathers ? last : n_args); i++) b->given[i] = &args[i];
}

static int32_t find_param(const binding *b, const char *name)
{
    for (int32_t i = 0; i < b->n; i++)
        if (strcmp(b->param[i].name, name) == 0) return i;
    return -1;
}

/* torch's Python functions say input where ATen says self, and accept NumPy's words. */
static int32_t find_keyword(const binding *b, const char *name)
{
    static const char *const same[][2] = {{"input", "self"},        {"axis", "dim"},   {"dims", "dim"},
                                          {"keepdims", "keepdim"},  {"size", "shape"}, {"condition", "self"},
                                          {"message", "assert_msg"}};
    int32_t index = find_param(b, name);
    for (size_t i = 0; index < 0 && i < sizeof same / sizeof same[0]; i++)
        if (strcmp(name, same[i][0]) == 0) index = find_param(b, same[i][1]);
    return index;
}

static bool asks_for_nothing(const char *name, const fx_attr *value)
{
    return name[0] == '_' || value->kind == FX_ATTR_NONE || (value->kind == FX_ATTR_BOOL && !value->u.i);
}

static void bind_keywords(binding *b)
{
    const fx_attr *kwargs = &b->node->kwargs;
    for (int32_t i = 0; i < kwargs->n; i++) {
        const char *name = kwargs->keys[i];
        int32_t index = find_keyword(b, name);
        if (index < 0) {
            if (!asks_for_nothing(name, &kwargs->u.items[i])) fail(b, FX_E_ARG, "%s has no argument '%s'", b->name, name);
        } else if (b->given[index]) {
            fail(b, FX_E_ARG, "argument '%s' of %s is given twice", name, b->name);
        } else {
            b->given[index] = &kwargs->u.items[i];
        }
    }
}

/* ---- Values to the parameter's kind --------------------------------------------------------------------------------------- */

static bool is_list(const fx_attr *value)
{
    return value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
}

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_FLOAT || value->kind == FX_ATTR_BOOL ||
           value->kind == FX_ATTR_SYMINT;
}

/* A node stands for the list of its results: torch.cat(torch.split(x, 2)). */
static bool to_tensors(const fx_attr *list, fx_attr *out)
{
    if (list->kind == FX_ATTR_NODE) return true;
    if (!is_list(list)) return false;
    out->kind = FX_ATTR_LIST;
    for (int32_t i = 0; i < list->n; i++)
        if (list->u.items[i].kind != FX_ATTR_NODE && list->u.items[i].kind != FX_ATTR_NONE) return false;
    return true;
}

static bool all_ints(const fx_attr *list)
{
    for (int32_t i = 0; i < list->n; i++)
        if (!is_int(&list->u.items[i])) return false;
    return true;
}

/* One integer stands for a list of it, as long as the schema says. */
static bool to_ints(fx_graph *graph, const fx_param *param, const fx_attr *value, fx_attr *out)
{
    fx_attr items[FX_RANK];
    if (is_list(value)) {
        *out = *value;
        out->kind = FX_ATTR_LIST;
        return all_ints(value);
    }
    int32_t n = param->list > 0 && param->list <= FX_RANK ? param->list : 1;
    for (int32_t i = 0; i < n; i++) items[i] = *value;
    if (!is_int(value)) return false;
    *out = fx_list(graph, items, n);
    return true;
}

static bool to_float(const fx_attr *value, fx_attr *out)
{
    if (value->kind == FX_ATTR_FLOAT)
        *out = *value;
    else if (value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL)
        *out = fx_float((double)value->u.i);
    else
        return false;
    return true;
}

static bool to_floats(fx_graph *graph, const fx_attr *value, fx_attr *out)
{
    fx_attr items[FX_RANK];
    if ((value->kind != FX_ATTR_LIST && value->kind != FX_ATTR_TUPLE) || value->n > FX_RANK) return false;
    for (int32_t i = 0; i < value->n; i++)
        if (!to_float(&value->u.items[i], &items[i])) return false;
    *out = fx_list(graph, items, value->n);
    return true;
}

static bool to_int(const fx_attr *value, fx_attr *out)
{
    *out = value->kind == FX_ATTR_BOOL ? fx_int(value->u.i) : *value;
    return is_int(value) || value->kind == FX_ATTR_BOOL;
}

static bool to_bool(const fx_attr *value, fx_attr *out)
{
    *out = fx_bool(value->u.i != 0);
    return value->kind == FX_ATTR_BOOL || value->kind == FX_ATTR_INT;
}

/* False: the value does not fit the parameter. */
static bool convert(fx_graph *graph, const fx_param *param, const fx_attr *value, fx_attr *out)
{
    *out = *value;
    if (value->kind == FX_ATTR_NONE && param->optional) return true;
    switch (param->kind) {
    case FX_PARAM_TENSOR:
        return value->kind == FX_ATTR_NODE;
    case FX_PARAM_TENSORS:
        return to_tensors(value, out);
    case FX_PARAM_OPERAND:
        return value->kind == FX_ATTR_NODE || is_number(value);
    case FX_PARAM_INT:
        return to_int(value, out);
    case FX_PARAM_INTS:
        return to_ints(graph, param, value, out);
    case FX_PARAM_FLOAT:
        return to_float(value, out);
    case FX_PARAM_FLOATS:
        return to_floats(graph, value, out);
    case FX_PARAM_BOOL:
        return to_bool(value, out);
    case FX_PARAM_SCALAR:
        return is_number(value);
    case FX_PARAM_DTYPE:
        return value->kind == FX_ATTR_DTYPE;
    case FX_PARAM_STR:
        return value->kind == FX_ATTR_STR;
    default:
        return true;
    }
}

static const char *kind_word(fx_param_kind kind)
{
    static const char *const words[] = {
        [FX_PARAM_TENSOR] = "Tensor",  [FX_PARAM_TENSORS] = "Tensor[]", [FX_PARAM_OPERAND] = "Tensor or number",
        [FX_PARAM_INT] = "int",        [FX_PARAM_INTS] = "int[]",       [FX_PARAM_FLOAT] = "float",
        [FX_PARAM_FLOATS] = "float[]", [FX_PARAM_BOOL] = "bool",        [FX_PARAM_SCALAR] = "number",
        [FX_PARAM_DTYPE] = "dtype",    [FX_PARAM_STR] = "str",          [FX_PARAM_OTHER] = "anything",
    };
    return words[kind];
}

static bool is_placeholder(const fx_attr *value)
{
    return value->kind == FX_ATTR_NODE && value->u.node->opcode == FX_PLACEHOLDER;
}

static void finish(binding *b, int32_t i, fx_attr *out)
{
    const fx_param *param = &b->param[i];
    if (!b->given[i]) {
        *out = param->fallback;
        if (!param->has_default) fail(b, FX_E_ARG, "%s misses its argument '%s'", b->name, param->name);
    } else if (b->pattern && is_placeholder(b->given[i])) {
        *out = *b->given[i];
    } else if (!convert(b->graph, param, b->given[i], out)) {
        fail(b, FX_E_TYPE, "argument '%s' of %s is %s; expected %s%s", param->name, b->name, fx__attr_word(b->given[i]->kind),
             kind_word(param->kind), param->optional ? " or None" : "");
    }
}

static fx_status bind(binding *b, fx_attr out[FX_PARAMS])
{
    bind_positional(b);
    bind_keywords(b);
    for (int32_t i = 0; i < b->n; i++) finish(b, i, &out[i]);
    return b->status;
}

static fx_status bind_row(binding *b, const fx_op *op, fx_attr out[FX_PARAMS])
{
    b->param = fx__op_params(op, &b->n);
    b->name = op->name;
    if (!b->param) return fx__diag_node(b->node, FX_E_INTERNAL, "operator %s has a malformed schema", op->name);
    return bind(b, out);
}

fx_status fx__op_bind(fx_graph *graph, const fx_node *node, const fx_op *op, fx_attr out[FX_PARAMS])
{
    binding b = {.graph = graph, .node = node};
    return bind_row(&b, op, out);
}

fx_status fx__op_bind_pattern(fx_graph *pattern, const fx_node *node, const fx_op *op, fx_attr out[FX_PARAMS])
{
    binding b = {.graph = pattern, .node = node, .pattern = true};
    return bind_row(&b, op, out);
}

bool fx__op_fits(fx_graph *graph, const fx_node *node, const fx_param *params, int32_t n, fx_attr out[FX_PARAMS])
{
    binding b = {.graph = graph, .node = node, .name = node->target, .param = params, .n = n, .quiet = true};
    return bind(&b, out) == FX_OK;
}
