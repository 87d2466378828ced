/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/interpret.c: fx_interpret for any graph: one whose calls all have rows, or change something in place, or stand for
 * such graphs, runs as it is, another in its core form, whose buffers are those of the module. */
#include "fxjit/compile.h"
#include "ir/in_place.h"
#include "ir/interp.h"

enum { MOST_DEPTH = 64 };

static bool runs_as_it_is(const fx_graph *graph, int depth);

static bool are_nodes(const fx_attr *list)
{
    for (int32_t i = 0; i < list->n; i++)
        if (list->u.items[i].kind != FX_ATTR_NODE) return false;
    return true;
}

/* A tensor, or a flat tuple of tensors. */
static bool gives_tensors(const fx_graph *graph)
{
    const fx_node *output = fx_graph_output_node(graph);
    const fx_attr *given = output ? fx__arg(output, 0) : NULL;
    bool is_tuple = given && (given->kind == FX_ATTR_TUPLE || given->kind == FX_ATTR_LIST);
    return given && (is_tuple ? are_nodes(given) : given->kind == FX_ATTR_NODE);
}

/* Whether the interpreter may run the graph that a call stands for: its inputs and outputs are tensors, none by default. A core
 * graph would hold write-backs, which belong to its own end. */
static bool runs_inside(const fx_node *call, const fx_graph *graph, int depth)
{
    int32_t n = 0;
    FX_EACH_NODE(node, graph) n += node->opcode == FX_PLACEHOLDER;
    bool all_given = call->body ? call->n_inputs == n : call->args.n == n && !call->kwargs.n && are_nodes(&call->args);
    return all_given && !graph->core && gives_tensors(graph) && runs_as_it_is(graph, depth + 1);
}

/* x.to("cpu") has the name of a row, and another signature. */
static bool fits(const fx_node *node, const fx_op *op)
{
    fx_attr bound[FX_PARAMS];
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    return params && fx__op_fits(node->graph, node, params, n, bound);
}

static bool is_operator(const fx_node *node, int depth)
{
    const fx_op *op = fx__op_of(node);
    const fx_module *module = node->opcode == FX_CALL_MODULE ? node->graph->module : NULL;
    if (module) module = fx_module_submodule(module, node->target);
    if (node->opcode == FX_CALL_MODULE) return module && runs_inside(node, module->graph, depth);
    if (node->body) return runs_inside(node, node->body, depth);
    if (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD) return true;
    if (fx__in_place_kind(node) != FX_IN_PLACE_NONE) return !fx__in_place_flag(node) || op; /* else spelled, then written */
    bool is_index = op && op == fx__op(FX_OP_getitem) && node->args.n == 2 && fx__arg(node, 1)->kind != FX_ATTR_INT;
    return op && !is_index && fits(node, op);
}

static bool runs_as_it_is(const fx_graph *graph, int depth)
{
    if (depth > MOST_DEPTH) return false;
    FX_EACH_NODE(node, graph)
    if (!is_operator(node, depth)) return false;
    return true;
}

/* A buffer that changes changes in the module, not in the core form, which goes after the run. */
static fx_tensor *find_buffer(void *user, const char *path)
{
    return fx_module_tensor(user, path) ? fx__module_own_tensor(user, path) : NULL;
}

static fx_status interpret(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, fx_tensor *bounds,
                           int32_t n_outputs)
{
    if (runs_as_it_is(module->graph, 0)) return fx__interp_module(module, NULL, inputs, n_inputs, outputs, bounds, n_outputs);
    fx_module *core;
    FX_TRY(fx_module_core(module, inputs, n_inputs, &core));
    const fx_interp_memory memory = {find_buffer, module};
    fx_status status = fx__interp_module(core, &memory, inputs, n_inputs, outputs, bounds, n_outputs);
    fx_module_free(core);
    return status;
}

fx_status fx_interpret(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, int32_t n_outputs)
{
    return interpret(module, inputs, n_inputs, outputs, NULL, n_outputs);
}

fx_status fx_interpret_bound(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, fx_tensor *bounds,
                             int32_t n_outputs)
{
    return interpret(module, inputs, n_inputs, outputs, bounds, n_outputs);
}
