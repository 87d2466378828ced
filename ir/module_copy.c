/* SPDX-License-Identifier: Apache-2.0 */
/* ir/module_copy.c: a module with memory of its own, equal to another one: tensors, submodules, output names and graph. */
#include "ir/graph.h"

static fx_status copy_tensor(fx_module *copy, const fx_module_tensor_entry *entry)
{
    fx_tensor tensor = fx_tensor_view(NULL, entry->tensor.dtype, entry->tensor.rank, entry->tensor.dim);
    if (!entry->tensor.data) return fx_module_add_tensor(copy, entry->path, &tensor, entry->is_buffer, NULL, NULL);
    if (fx_tensor_alloc(tensor.dtype, tensor.rank, tensor.dim, &tensor) != FX_OK) return fx__diag_oom(copy->context);
    fx_status status = fx_tensor_copy(&tensor, &entry->tensor);
    if (status == FX_OK)
        status = fx_module_add_tensor(copy, entry->path, &tensor, entry->is_buffer, fx__module_release_tensor, NULL);
    if (status != FX_OK) fx_tensor_release(&tensor);
    return status;
}

static fx_status copy_submodules(fx_module *copy, const fx_module *module)
{
    for (int32_t i = 0; i < module->n_submodules; i++) {
        fx_module *inner = fx__module_copy(module->submodules[i].module);
        if (!inner) return fx__diag_failure(copy->context, FX_E_GRAPH);
        FX_TRY(fx_module_add_submodule(copy, module->submodules[i].path, inner));
    }
    return FX_OK;
}

static fx_status copy_names(fx_module *copy, const fx_module *module)
{
    for (int32_t i = 0; i < module->input_names.n; i++)
        if (module->input_names.name[i]) FX_TRY(fx_module_set_input_name(copy, i, module->input_names.name[i]));
    for (int32_t i = 0; i < module->output_names.n; i++)
        if (module->output_names.name[i]) FX_TRY(fx_module_set_output_name(copy, i, module->output_names.name[i]));
    return FX_OK;
}

static fx_status copy_graph(fx_module *copy, const fx_module *module)
{
    fx_graph *graph = fx_graph_clone(module->graph);
    if (!graph) return fx__diag_failure(copy->context, FX_E_GRAPH);
    fx_graph_free(copy->graph);
    copy->graph = graph;
    graph->module = copy;
    return FX_OK;
}

/* After the graph, in whose memory the values are. */
static fx_status copy_facts(fx_module *copy, const fx_module *module)
{
    fx_attr attributes = module->attributes;
    for (int32_t i = 0; i < attributes.n; i++)
        FX_TRY(fx_module_set_attribute(copy, attributes.keys[i], attributes.u.items[i]));
    copy->training = module->training;
    return fx_module_set_class(copy, module->class_name);
}

static fx_status copy_parts(fx_module *copy, const fx_module *module)
{
    for (int32_t i = 0; i < module->n_tensors; i++) FX_TRY(copy_tensor(copy, &module->tensors[i]));
    FX_TRY(copy_submodules(copy, module));
    FX_TRY(copy_names(copy, module));
    FX_TRY(copy_graph(copy, module));
    return copy_facts(copy, module);
}

fx_module *fx__module_copy(const fx_module *module)
{
    fx_module *copy = fx_module_new(module->context, module->name);
    if (!copy || copy_parts(copy, module) == FX_OK) return copy;
    fx_module_free(copy);
    return NULL;
}
