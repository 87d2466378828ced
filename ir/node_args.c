/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node_args.c: a node's arguments as a signature names them, with defaults: the schema of an operator, or the placeholders of a
 * submodule's graph. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

/* One value per parameter of a signature. */
typedef struct bound {
    const char *name[FX_PARAMS];
    fx_attr value[FX_PARAMS];
    bool keyword_only[FX_PARAMS];
    int32_t n;
} bound;

static fx_status list_schema(const fx_node *node, const fx_op *op, fx_status status)
{
    if (status != FX_E_OOM) fx__diag_note(node->graph->context, &node->loc, "the schema of %s is %s", node->target, op->schema);
    return status;
}

static fx_status bind_operator(fx_node *node, const fx_op *op, bound *b)
{
    const fx_param *params = fx__op_params(op, &b->n);
    fx_status status = fx__op_bind(node->graph, node, op, b->value);
    if (status != FX_OK) return list_schema(node, op, status);
    for (int32_t i = 0; i < b->n; i++) {
        b->name[i] = params[i].name;
        b->keyword_only[i] = params[i].keyword_only;
    }
    return FX_OK;
}

/* ---- Submodules -------------------------------------------------------------------------------------------------------- */

static const fx_attr *keyword(const fx_node *node, const char *name)
{
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], name) == 0) return &node->kwargs.u.items[i];
    return NULL;
}

static fx_status bind_placeholder(fx_node *node, const fx_node *placeholder, bound *b)
{
    const char *name = placeholder->target;
    if (name[0] == '*')
        return fx__diag_node(node, FX_E_UNSUPPORTED, "submodule %s takes any number of arguments (%s)", node->target, name);
    if (b->n == FX_PARAMS)
        return fx__diag_node(node, FX_E_UNSUPPORTED, "submodule %s has more than %d inputs", node->target, FX_PARAMS);
    const fx_attr *named = keyword(node, name), *value = named;
    if (b->n < node->args.n) value = fx__arg(node, b->n);
    if (named && value != named)
        return fx__diag_node(node, FX_E_ARG, "input %s of submodule %s is given twice", name, node->target);
    if (!value && placeholder->args.n) value = fx__arg(placeholder, 0);
    if (!value) return fx__diag_node(node, FX_E_ARG, "input %s of submodule %s is missing", name, node->target);
    b->name[b->n] = name;
    b->value[b->n++] = *value;
    return FX_OK;
}

static fx_status check_given(const fx_node *node, const bound *b)
{
    if (node->args.n > b->n)
        return fx__diag_node(node, FX_E_ARG, "submodule %s takes %d inputs, not %d", node->target, b->n, node->args.n);
    for (int32_t i = 0; i < node->kwargs.n; i++) {
        int32_t at = 0;
        while (at < b->n && strcmp(b->name[at], node->kwargs.keys[i]) != 0) at++;
        if (at == b->n) return fx__diag_node(node, FX_E_ARG, "submodule %s has no input %s", node->target, node->kwargs.keys[i]);
    }
    return FX_OK;
}

static fx_status bind_module(fx_node *node, bound *b)
{
    const fx_module *module = node->graph->module ? fx_module_submodule(node->graph->module, node->target) : NULL;
    if (!module || !module->graph) return fx__diag_node(node, FX_E_NOT_FOUND, "no submodule %s", node->target);
    FX_EACH_NODE(placeholder, module->graph)
    if (placeholder->opcode == FX_PLACEHOLDER) FX_TRY(bind_placeholder(node, placeholder, b));
    return check_given(node, b);
}

/* ---- The result -------------------------------------------------------------------------------------------------------- */

static fx_status bind_node(fx_node *node, bound *b)
{
    if (node->opcode == FX_CALL_MODULE) return bind_module(node, b);
    if (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD)
        return fx__diag_node(node, FX_E_ARG, "a %s has no arguments to normalise", fx_opcode_name(node->opcode));
    const fx_op *op = fx__op_of(node);
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "no schema is known for %s", node->target);
    return bind_operator(node, op, b);
}

fx_status fx_node_normalized_args(fx_node *node, bool kwargs_only, fx_attr *out_args, fx_attr *out_kwargs)
{
    bound b = {.n = 0};
    FX_TRY(bind_node(node, &b));
    int32_t n_args = 0;
    while (!kwargs_only && n_args < b.n && n_args < node->args.n && !b.keyword_only[n_args]) n_args++;
    fx_attr args = fx_tuple(node->graph, b.value, n_args);
    fx_attr kwargs = fx_dict(node->graph, b.name + n_args, b.value + n_args, b.n - n_args);
    if (args.kind != FX_ATTR_TUPLE || kwargs.kind != FX_ATTR_DICT) return FX_E_OOM;
    *out_args = args;
    *out_kwargs = kwargs;
    return FX_OK;
}
