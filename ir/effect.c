/* SPDX-License-Identifier: Apache-2.0 */
/* ir/effect.c: which nodes have effects beside their results, and the removal of nodes that have neither these nor users. */
#include "ir/context.h"
#include "ir/graph.h"
#include "ir/in_place.h"
#include "ir/op.h"
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether a function or method name ends in the one underscore that says "in place"; length excludes an overload. */
static bool is_in_place_name(const char *name, size_t length)
{
    return length > 1 && name[length - 1] == '_' && name[length - 2] != '_';
}

static bool is_in_place_operator(const char *name)
{
    static const char *const names[] = {"setitem", "delitem", "iadd", "isub", "imul",    "itruediv", "ifloordiv", "imod",
                                        "ipow",    "iand",    "ior",  "ixor", "ilshift", "irshift",  "imatmul",   "iconcat"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_effect(const char *target)
{
    static const char *const prefixes[] = {"torch._assert",
                                           "torch.ops.aten._assert",
                                           "torch.fx.proxy.assert_fn",
                                           "torch.fx._symbolic_trace._assert_is_none",
                                           "torch.ops.aten.sym_constrain_range",
                                           "torch.ops.profiler.",
                                           "torch.ops.inductor.accumulate_grad_",
                                           "torch._C._set_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(target, prefixes[i])) return true;
    return false;
}

/* The part of "torch.ops.aten.add_.Tensor" or "torch.relu_" that names the function. */
bool fx__node_is_in_place(const fx_node *node)
{
    const char *target = node->target;
    if (node->opcode == FX_CALL_METHOD) return is_in_place_name(target, strlen(target)) || strcmp(target, "__setitem__") == 0;
    if (node->opcode != FX_CALL_FUNCTION) return false;
    if (starts_with(target, "operator.")) return is_in_place_operator(target + 9);
    if (starts_with(target, "torch.ops.")) {
        const char *packet = strchr(target + 10, '.');
        packet = packet ? packet + 1 : target + 10;
        return is_in_place_name(packet, strcspn(packet, "."));
    }
    return fx__in_place_flag(node) || is_in_place_name(target, strlen(target));
}

/* What fx_context_add_side_effect declared. */
static bool is_declared(fx_context *context, const char *target)
{
    return context->effects.count && fx__map_get(&context->effects, fx__intern(context, target));
}

static bool method_is_declared(const fx_node *node)
{
    char name[128];
    int bytes = snprintf(name, sizeof name, "method:%s", node->target);
    return bytes > 0 && bytes < (int)sizeof name && is_declared(node->graph->context, name);
}

fx_status fx_context_add_side_effect(fx_context *context, const char *target)
{
    if (!target || !*target) return fx__diag(context, FX_E_ARG, NULL, "a function with a side effect has no name");
    const char *name = fx__intern(context, target);
    return name && fx__map_put(&context->effects, name, (void *)(uintptr_t)name) ? FX_OK : FX_E_OOM;
}

static bool module_is_impure(const fx_node *node)
{
    const fx_module *module = node->graph->module ? fx_module_submodule(node->graph->module, node->target) : NULL;
    if (!module) return false;
    FX_EACH_NODE(inner, module->graph)
    {
        bool is_edge = inner->opcode == FX_PLACEHOLDER || inner->opcode == FX_OUTPUT;
        if (!is_edge && fx_node_is_impure(inner)) return true;
    }
    return false;
}

bool fx_node_is_impure(const fx_node *node)
{
    switch (node->opcode) {
    case FX_PLACEHOLDER:
    case FX_OUTPUT:
        return true;
    case FX_CALL_MODULE:
        return module_is_impure(node);
    case FX_CALL_FUNCTION:
        return (node->op && node->op->impure) || fx__node_is_in_place(node) || is_effect(node->target) ||
               is_declared(node->graph->context, node->target);
    case FX_CALL_METHOD:
        return fx__node_is_in_place(node) || method_is_declared(node);
    default:
        return false;
    }
}

/* ---- Dead code --------------------------------------------------------------------------------------------------------- */

static bool is_impure(void *user, const fx_node *node)
{
    (void)user;
    return fx_node_is_impure(node);
}

/* Backwards, so that a node whose last user goes is seen after it. */
int32_t fx_graph_eliminate_dead_code_with(fx_graph *graph, fx_node_predicate predicate, void *user)
{
    int32_t removed = 0;
    for (fx_node *node = graph->last, *prev; node; node = prev) {
        prev = node->prev;
        if (node->n_users || node->opcode == FX_OUTPUT || predicate(user, node)) continue;
        removed += fx_graph_erase(graph, node) == FX_OK;
    }
    return removed;
}

int32_t fx_graph_eliminate_dead_code(fx_graph *graph)
{
    return fx_graph_eliminate_dead_code_with(graph, is_impure, NULL);
}
