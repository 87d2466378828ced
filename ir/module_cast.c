/* SPDX-License-Identifier: Apache-2.0 */
/* ir/module_cast.c: a module in another element type: parameters, inputs and dtype arguments are changed, the rest follows from
 * the operators' rules. For checking a model in more digits than it was made for. */
#include "ir/graph.h"
#include "ir/op.h"

static fx_status cast_tensor(fx_module_tensor_entry *entry, fx_dtype to)
{
    fx_tensor wide, *narrow = &entry->tensor;
    FX_TRY(fx_tensor_alloc(to, narrow->rank, narrow->dim, &wide));
    for (int64_t i = 0; i < fx_tensor_elems(narrow); i++) fx_tensor_set(&wide, i, fx_tensor_get(narrow, i));
    if (entry->release) entry->release(entry->release_user, narrow->data);
    entry->tensor = wide;
    entry->release = fx__module_release_tensor;
    entry->release_user = NULL;
    return FX_OK;
}

static fx_status cast_input(fx_node *node, fx_dtype from, fx_dtype to)
{
    const fx_type *type = fx_node_type(node, 0);
    if (!type || type->dtype != from) return FX_OK;
    fx_type changed = *type;
    changed.dtype = to;
    return fx_node_set_type(node, 0, &changed);
}

/* The items of args or kwargs with the dtype replaced; false when there is none. */
static bool replace_dtype(fx_graph *graph, fx_attr *value, fx_dtype from, fx_dtype to)
{
    fx_attr *items = value->n ? FX_NEW_ARRAY(graph->arena, fx_attr, value->n) : NULL;
    bool found = false;
    for (int32_t i = 0; items && i < value->n; i++) {
        items[i] = value->u.items[i];
        if (items[i].kind != FX_ATTR_DTYPE || items[i].u.dtype != from) continue;
        items[i].u.dtype = to;
        found = true;
    }
    if (found) value->u.items = items;
    return found;
}

static fx_status cast_arguments(fx_node *node, fx_dtype from, fx_dtype to)
{
    fx_attr args = node->args, kwargs = node->kwargs;
    bool in_args = replace_dtype(node->graph, &args, from, to), in_kwargs = replace_dtype(node->graph, &kwargs, from, to);
    return in_args || in_kwargs ? fx_node_set_args(node, args, kwargs) : FX_OK;
}

/* Bodies and regions are graphs of the same module. */
static fx_status cast_graph(fx_graph *graph, fx_dtype from, fx_dtype to)
{
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR)
            FX_TRY(cast_input(node, from, to));
        else
            FX_TRY(fx_node_set_type(node, 0, NULL));
        FX_TRY(cast_arguments(node, from, to));
    }
    for (fx_graph *inner = graph->regions; inner; inner = inner->next_region) FX_TRY(cast_graph(inner, from, to));
    return FX_OK;
}

static fx_status cast_module(fx_module *module, fx_dtype from, fx_dtype to)
{
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (module->tensors[i].tensor.dtype == from) FX_TRY(cast_tensor(&module->tensors[i], to));
    FX_TRY(cast_graph(module->graph, from, to));
    module->graph->edits++;
    for (int32_t i = 0; i < module->n_submodules; i++) /* borrowed ones are another module's, and so are their tensors */
        if (!module->submodules[i].borrowed) FX_TRY(cast_module(module->submodules[i].module, from, to));
    return FX_OK;
}

/* Types go through operators; a graph of modules gets them when it is compiled. */
static bool has_operators_only(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        bool is_call = node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD;
        if (node->opcode == FX_CALL_MODULE || node->body || (is_call && !fx__op_of(node))) return false;
    }
    return true;
}

fx_status fx_module_cast(fx_module *module, fx_dtype from, fx_dtype to)
{
    if (!fx_dtype_bytes(from) || !fx_dtype_bytes(to)) return fx__diag(module->context, FX_E_ARG, NULL, "cast: no such dtype");
    FX_TRY(cast_module(module, from, to));
    return has_operators_only(module->graph) ? fx_graph_propagate(module->graph) : FX_OK;
}
