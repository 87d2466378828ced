/* SPDX-License-Identifier: Apache-2.0 */
/* ir/transformer.c: a graph executed on nodes of a new graph (fx_transform in fxjit/interp.h). Both graphs have equal dimension
 * tables, so sizes are copied as they are. */
#include "fxjit/interp.h"
#include "ir/op.h"

struct fx_transformer {
    const fx_graph *from;
    fx_graph *graph;
    const fx_transform_hooks *hooks;
    fx_arena *arena;
    fx_attr *values; /* by id of the old node */
};

fx_graph *fx_transformer_graph(const fx_transformer *transformer)
{
    return transformer->graph;
}

static bool inputs_are_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return true;
}

/* Inputs and parameters keep their types, results get them from the operator. */
static fx_status settle(fx_node *node, const fx_transform_step *step)
{
    bool same = node->opcode == step->node->opcode && node->target == step->node->target;
    bool is_call = node->opcode != FX_PLACEHOLDER && node->opcode != FX_GET_ATTR;
    if (same) FX_TRY(fx__node_copy_facts(node, step->node, !is_call));
    if (!is_call || node->opcode == FX_OUTPUT || !fx__op_of(node) || node->body || !inputs_are_typed(node)) return FX_OK;
    return fx__op_infer(node);
}

fx_attr fx_transformer_emit(fx_transformer *transformer, const fx_transform_step *step)
{
    fx_graph *graph = transformer->graph;
    fx_node_spec spec = {
        .opcode = step->opcode, .target = step->target, .args = step->args, .kwargs = step->kwargs, .loc = step->node->loc};
    const char *target = step->target ? fx__intern(graph->context, step->target) : NULL;
    if (step->opcode == step->node->opcode && target == step->node->target) spec.name = step->node->name;
    fx_node *node = fx_graph_create_node(graph, &spec);
    return node && settle(node, step) == FX_OK ? fx_node_attr(node) : fx_none();
}

static fx_attr new_value(void *user, const fx_attr *item)
{
    const fx_transformer *transformer = user;
    return item->kind == FX_ATTR_NODE ? transformer->values[item->u.node->id] : *item;
}

static fx_status take_step(fx_transformer *t, const fx_node *node)
{
    fx_transform_step step = {.opcode = node->opcode, .target = node->target, .node = node};
    fx_context *context = t->graph->context;
    int32_t n_diags = fx_context_diag_count(context);
    FX_TRY(fx_attr_map(t->graph, &node->args, new_value, t, &step.args));
    FX_TRY(fx_attr_map(t->graph, &node->kwargs, new_value, t, &step.kwargs));
    fx_transform_fn hook = t->hooks ? t->hooks->opcode[node->opcode] : NULL;
    t->values[node->id] = hook ? hook(t->hooks->user, t, &step) : fx_transformer_emit(t, &step);
    bool failed = t->values[node->id].kind == FX_ATTR_NONE && fx_context_diag_count(context) > n_diags;
    if (!failed) return FX_OK;
    fx__diag_note(context, &node->loc, "while transforming %s", node->name);
    fx_status status = fx_context_status(context);
    return status == FX_OK ? FX_E_GRAPH : status;
}

static fx_status transform_nodes(fx_transformer *t)
{
    t->values = FX_NEW_ARRAY(t->arena, fx_attr, t->from->next_id + 1);
    if (!t->values) return FX_E_OOM;
    FX_EACH_NODE(node, t->from) FX_TRY(take_step(t, node));
    return FX_OK;
}

/* An empty graph with the symbols of another one and a module that borrows from that one's. */
static fx_module *new_module(fx_module *module)
{
    fx_graph *graph = fx_graph_new(module->context);
    if (!graph) return NULL;
    fx__dims_free(graph->dims);
    graph->dims = fx__dims_clone(module->graph->dims);
    graph->module = module;
    fx_module *made = graph->dims ? fx__module_ensure(graph) : NULL;
    if (made && fx_module_set_class(made, module->class_name) == FX_OK) return made;
    fx_graph_free(graph);
    return NULL;
}

fx_status fx_transform(fx_module *module, const fx_transform_hooks *hooks, fx_module **out)
{
    *out = NULL;
    fx_arena *arena = fx__arena_new(module->context);
    fx_module *made = arena ? new_module(module) : NULL;
    fx_status status = FX_E_OOM;
    if (made) {
        fx_transformer transformer = {.from = module->graph, .graph = made->graph, .hooks = hooks, .arena = arena};
        status = transform_nodes(&transformer);
    }
    fx__arena_free(arena);
    if (status == FX_OK)
        *out = made;
    else
        fx_module_free(made);
    return status;
}
