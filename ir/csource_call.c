/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource_call.c: calls of fxjit/ops.h: which nodes these functions record exactly, and how they are written. */
#include "ir/csource.h"
#include "ir/op_c.h"
#include <math.h>
#include <string.h>

enum { LIST_MAX = 16 }; /* fxjit/ops.h takes up to 64 integers in all lists of a call */

/* The value given for each parameter of the schema; NULL: none. */
typedef struct given {
    const fx_param *param;
    int32_t n;
    const fx_attr *value[FX_PARAMS];
} given;

static bool read_given(const fx_node *node, given *g)
{
    *g = (given){0};
    g->param = fx__op_params(node->op, &g->n);
    if (!g->param || node->args.n > g->n) return false;
    for (int32_t i = 0; i < node->args.n; i++) g->value[i] = fx__arg(node, i);
    for (int32_t i = 0; i < node->kwargs.n; i++) {
        int32_t at = fx__op_param(node->op, node->kwargs.keys[i]);
        if (at < 0 || g->value[at]) return false;
        g->value[at] = &node->kwargs.u.items[i];
    }
    return true;
}

/* ---- What C can say ------------------------------------------------------------------------------------------------------ */

static bool all_of(const fx_attr *list, fx_attr_kind kind, fx_attr_kind other, int32_t most)
{
    if (list->kind != FX_ATTR_LIST || list->n < 1 || list->n > most) return false;
    for (int32_t i = 0; i < list->n; i++)
        if (list->u.items[i].kind != kind && list->u.items[i].kind != other) return false;
    return true;
}

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_SYMINT || (value->kind == FX_ATTR_FLOAT && !isnan(value->u.f));
}

static bool is_expressible(const fx_param *param, const fx_attr *value)
{
    switch (param->kind) {
    case FX_PARAM_TENSOR:
        return value->kind == FX_ATTR_NODE || (value->kind == FX_ATTR_NONE && param->optional);
    case FX_PARAM_TENSORS:
        return all_of(value, FX_ATTR_NODE, FX_ATTR_NODE, INT32_MAX);
    case FX_PARAM_OPERAND:
        return value->kind == FX_ATTR_NODE || is_number(value);
    case FX_PARAM_INTS:
        return all_of(value, FX_ATTR_INT, FX_ATTR_SYMINT, LIST_MAX);
    case FX_PARAM_BOOL:
        return value->kind == FX_ATTR_BOOL && (fx__op_c_is_positional(param) || fx__op_c_is_flag(param));
    case FX_PARAM_DTYPE:
        return value->kind == FX_ATTR_DTYPE;
    case FX_PARAM_STR:
        return value->kind == FX_ATTR_STR;
    case FX_PARAM_OTHER:
        return false;
    default:
        return is_number(value);
    }
}

static bool is_default(const fx_param *param, const fx_attr *value)
{
    return !value || (param->has_default && fx_attr_equal(value, &param->fallback));
}

/* fx_apply leaves out what has its default, gives by position what follows without a gap, and the rest by name in the schema's
 * order: the node must have been made so. */
static bool is_recorded_so(const fx_node *node, const given *g)
{
    int32_t n_args = 0, n_kwargs = 0;
    for (int32_t i = 0; i < g->n; i++) {
        if (is_default(&g->param[i], g->value[i])) {
            if (!g->param[i].has_default) return false;
            continue;
        }
        if (!is_expressible(&g->param[i], g->value[i])) return false;
        if (n_args == i && !g->param[i].keyword_only) {
            n_args++;
        } else if (n_kwargs == node->kwargs.n || strcmp(node->kwargs.keys[n_kwargs++], g->param[i].name) != 0) {
            return false;
        }
    }
    return n_args == node->args.n && n_kwargs == node->kwargs.n;
}

static bool has_types(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return fx_node_type(node, 0) != NULL;
}

static bool uses_a_tensor(const given *g)
{
    for (int32_t i = 0; i < g->n; i++)
        if (g->value[i] && (g->value[i]->kind == FX_ATTR_NODE || g->param[i].kind == FX_PARAM_TENSORS)) return true;
    return false;
}

bool fx__csource_has_function(const fx_node *node)
{
    given g;
    if (node->opcode != FX_CALL_FUNCTION || !node->op || fx__op_code(node->op) < 0 || fx__op_c_is_double(node->op)) return false;
    if (strcmp(node->target, node->op->target) != 0 || node->has_order || !has_types(node)) return false;
    return read_given(node, &g) && is_recorded_so(node, &g) && uses_a_tensor(&g);
}

/* ---- How it is written --------------------------------------------------------------------------------------------------- */

static void put(fx_csource *c, const char *bytes)
{
    fx__text_put(c->text, bytes, strlen(bytes));
}

static void put_node(fx_csource *c, const fx_attr *value)
{
    put(c, value->kind == FX_ATTR_NODE ? fx__csource_variable(c, value->u.node) : "FX_NO_VALUE");
}

static void put_dim_or_number(fx_csource *c, const fx_attr *value)
{
    fx_attr dim = *value;
    if (value->kind == FX_ATTR_FLOAT) {
        fx__csource_double(c, value->u.f);
        return;
    }
    const char *text = value->kind == FX_ATTR_SYMINT ? fx_graph_dim_text(c->graph, dim.u.dim) : NULL;
    if (!text) {
        fx__csource_int(c, value->u.i);
        return;
    }
    put(c, "fx_graph_parse_dim(graph, ");
    fx__csource_string(c, text);
    put(c, ")");
}

static void put_list(fx_csource *c, const char *macro, const fx_attr *list)
{
    fx__text_append(c->text, "%s(", macro);
    for (int32_t i = 0; i < list->n; i++) {
        if (i) put(c, ", ");
        if (list->u.items[i].kind == FX_ATTR_NODE)
            put_node(c, &list->u.items[i]);
        else
            put_dim_or_number(c, &list->u.items[i]);
    }
    put(c, ")");
}

static void put_argument(fx_csource *c, const fx_param *param, const fx_attr *value, bool option)
{
    fx_attr dtype = *value;
    switch (param->kind) {
    case FX_PARAM_TENSOR:
        put_node(c, value);
        break;
    case FX_PARAM_TENSORS:
        put_list(c, "FX_VALUES", value);
        break;
    case FX_PARAM_INTS:
        put_list(c, "FX_LIST", value);
        break;
    case FX_PARAM_BOOL:
        put(c, value->u.i ? "true" : "false");
        break;
    case FX_PARAM_DTYPE:
        fx__text_append(c->text, option ? "&(fx_dtype){" : "");
        fx__csource_dtype(c, dtype.u.dtype);
        put(c, option ? "}" : "");
        break;
    case FX_PARAM_STR:
        fx__csource_string(c, value->u.s);
        break;
    default:
        put(c, option ? "FX_ARG(" : "");
        if (value->kind == FX_ATTR_NODE)
            put_node(c, value);
        else
            put_dim_or_number(c, value);
        put(c, option ? ")" : "");
        break;
    }
}

static void put_options(fx_csource *c, const given *g, const char *name)
{
    const char *before = "";
    for (int32_t i = 0; i < g->n; i++) {
        const fx_param *param = &g->param[i];
        if (!fx__op_c_is_option(param) || is_default(param, g->value[i])) continue;
        if (!*before) fx__text_append(c->text, ", &(fx_%s_options){", name);
        fx__text_append(c->text, "%s.%s = ", before, param->name);
        put_argument(c, param, g->value[i], true);
        before = ", ";
    }
    if (*before) put(c, "}");
}

void fx__csource_call(fx_csource *c, const fx_node *node)
{
    static const fx_attr none = {.kind = FX_ATTR_NONE};
    char name[96];
    const char *comma = "";
    given g;
    read_given(node, &g);
    fx__text_append(c->text, "fx_%s(", fx__op_c_name(node->op, name));
    for (int32_t i = 0; i < g.n; i++) {
        if (!fx__op_c_is_positional(&g.param[i])) continue;
        put(c, comma);
        put_argument(c, &g.param[i], g.value[i] ? g.value[i] : &none, false);
        comma = ", ";
    }
    put_options(c, &g, name);
    put(c, ")");
}
