/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    removes dropout that does nothing: calls in evaluation mode or with p = 0, in any spelling, and submodules that are
 *          nothing else.
 * Needs:   a linted graph, normalised or not.
 * Ensures: no such call is left. Dropout in training mode stays.
 * Cost:    linear. */
#include "passes/core.h"
#include "passes/pass.h"

static const fx_attr *argument(const fx_op *op, const fx_attr *bound, const char *name)
{
    int32_t index = fx__op_param(op, name);
    return index < 0 ? NULL : &bound[index];
}

static bool is_zero(const fx_attr *value)
{
    return value && ((value->kind == FX_ATTR_FLOAT && value->u.f == 0) || (value->kind == FX_ATTR_INT && value->u.i == 0));
}

static bool is_false(const fx_attr *value)
{
    return value && value->kind == FX_ATTR_BOOL && !value->u.i;
}

static bool is_dropout(const fx_op *op)
{
    return op == fx__op(FX_OP_dropout) || op == fx__op(FX_OP_functional_dropout);
}

/* What the call hands on; NULL: it is no dropout, or one that works. */
static fx_node *through_call(fx_node *node)
{
    fx_attr bound[FX_PARAMS];
    const fx_op *op = fx__op_of(node);
    if (!op || !is_dropout(op)) return NULL;
    fx_diag_mark mark = fx__diag_mark(node->graph->context);
    if (fx__op_bind(node->graph, node, op, bound) != FX_OK) {
        fx__diag_rewind(node->graph->context, mark);
        return NULL;
    }
    bool idle =
        is_zero(argument(op, bound, "p")) || is_false(argument(op, bound, "train")) || is_false(argument(op, bound, "training"));
    return idle && bound[0].kind == FX_ATTR_NODE ? bound[0].u.node : NULL;
}

/* A submodule whose output is its only input after idle dropout. */
static bool is_idle_module(const fx_module *module)
{
    const fx_node *output = fx_graph_output_node(module->graph);
    const fx_attr *value = output ? fx__arg(output, 0) : NULL;
    fx_node *node = value && value->kind == FX_ATTR_NODE ? value->u.node : NULL;
    bool drops = false;
    for (fx_node *before; node && (before = through_call(node)) != NULL; node = before) drops = true;
    return drops && node && node->opcode == FX_PLACEHOLDER && !node->prev;
}

static fx_node *through_module(const fx_node *node)
{
    const fx_module *root = node->graph->module;
    const fx_module *module = root ? fx_module_submodule(root, node->target) : NULL;
    if (!module || node->n_inputs != 1 || !is_idle_module(module)) return NULL;
    return node->inputs[0];
}

fx_status fx__pass_remove_dropout(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        fx_node *input = node->opcode == FX_CALL_MODULE ? through_module(node) : through_call(node);
        if (!input) continue;
        FX_TRY(fx__core_replace(node, input));
        *out_modified = true;
    }
    return FX_OK;
}
