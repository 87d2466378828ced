/* SPDX-License-Identifier: Apache-2.0 */
/* ir/module.c: modules: a graph with its parameters, buffers and submodules by dotted path. Tensors are borrowed or come with a
 * release function; nothing is copied. */
#include "ir/graph.h"
#include <string.h>

fx_module *fx_module_new(fx_context *context, const char *name)
{
    fx_module *module = fx__alloc(context, sizeof *module);
    if (!module) return NULL;
    module->context = context;
    module->arena = fx__arena_new(context);
    module->name = module->arena ? fx__intern(context, name ? name : "GraphModule") : NULL;
    module->graph = module->name ? fx_graph_new(context) : NULL;
    if (!module->graph) {
        fx_module_free(module);
        return NULL;
    }
    module->graph->module = module;
    fx__map_init(&module->tensor_index, module->arena);
    return module;
}

void fx_module_free(fx_module *module)
{
    if (!module) return;
    if (module->graph && module->graph->own_module) { /* the graph owns the module, not the other way round */
        fx_graph_free(module->graph);
        return;
    }
    fx_graph_free(module->graph);
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (!module->submodules[i].borrowed) fx_module_free(module->submodules[i].module);
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_module_tensor_entry *entry = &module->tensors[i];
        if (entry->release) entry->release(entry->release_user, entry->tensor.data);
    }
    if (module->on_free) module->on_free(module->on_free_user, NULL);
    fx__arena_free(module->arena);
    fx__free(module->context, module);
}

const char *fx_module_name(const fx_module *module)
{
    return module->name;
}
fx_context *fx_module_context(const fx_module *module)
{
    return module->context;
}
fx_graph *fx_module_graph(const fx_module *module)
{
    return module->graph;
}
uint64_t fx_module_edits(const fx_module *module)
{
    return module->graph->edits;
}

/* ---- Tensors ----------------------------------------------------------------------------------------------------------- */

static fx_module_tensor_entry *own_entry(const fx_module *module, const char *path)
{
    intptr_t index = (intptr_t)fx__map_get(&module->tensor_index, fx__intern(module->context, path));
    return index ? &module->tensors[index - 1] : NULL;
}

static fx_status check_tensor(const fx_module *module, const char *path, const fx_tensor *tensor)
{
    fx_context *context = module->context;
    if (!path || !*path) return fx__diag(context, FX_E_ARG, NULL, "module %s: a tensor has no path", module->name);
    if (own_entry(module, path)) return fx__diag(context, FX_E_ARG, NULL, "module %s has a tensor %s already", module->name, path);
    bool legal = tensor->rank >= 0 && tensor->rank <= FX_RANK && fx_dtype_bytes(tensor->dtype);
    if (!legal || fx_tensor_bytes(tensor) < 0) return fx__diag(context, FX_E_ARG, NULL, "tensor %s: no legal type", path);
    return FX_OK;
}

fx_status fx_module_add_tensor(fx_module *module, const char *path, const fx_tensor *tensor, bool is_buffer, fx_release release,
                               void *user)
{
    FX_TRY(check_tensor(module, path, tensor));
    fx_module_tensor_entry entry = {fx__intern(module->context, path), *tensor, is_buffer, release, user};
    fx_module_tensor_entry *tensors =
        fx__arena_grow(module->arena, module->tensors, &module->cap_tensors, module->n_tensors, sizeof entry);
    if (!entry.path || !tensors) return FX_E_OOM;
    module->tensors = tensors;
    if (!fx__map_put(&module->tensor_index, entry.path, (void *)(intptr_t)(module->n_tensors + 1))) return FX_E_OOM;
    module->tensors[module->n_tensors++] = entry;
    if (module->graph) module->graph->edits++;
    return FX_OK;
}

/* The submodule whose path is followed by a dot in `path`, and the rest after it; NULL when there is none from `from` on. */
static fx_module *split_path(const fx_module *module, const char *path, int32_t from, int32_t *out_index, const char **out_rest)
{
    for (int32_t i = from; i < module->n_submodules; i++) {
        size_t length = strlen(module->submodules[i].path);
        if (strncmp(module->submodules[i].path, path, length) != 0 || path[length] != '.') continue;
        *out_index = i;
        *out_rest = path + length + 1;
        return module->submodules[i].module;
    }
    return NULL;
}

const fx_tensor *fx_module_tensor(const fx_module *module, const char *path)
{
    const fx_module_tensor_entry *entry = own_entry(module, path);
    if (entry) return &entry->tensor;
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = split_path(module, path, at, &at, &rest)) != NULL; at++) {
        const fx_tensor *tensor = fx_module_tensor(inner, rest);
        if (tensor) return tensor;
    }
    return NULL;
}

int32_t fx_module_tensor_count(const fx_module *module)
{
    return module->n_tensors;
}

const char *fx_module_tensor_path(const fx_module *module, int32_t index)
{
    return index >= 0 && index < module->n_tensors ? module->tensors[index].path : NULL;
}

const char *fx__module_add_constant(fx_module *module, const char *stem, const fx_tensor *tensor, fx_release release, void *user)
{
    for (int32_t i = module->n_tensors; i < INT32_MAX; i++) {
        const char *path = fx__arena_format(module->arena, "%s_%d", stem, (int)i);
        if (!path) return NULL;
        if (fx_module_tensor(module, path)) continue;
        if (fx_module_add_tensor(module, path, tensor, false, release, user) != FX_OK) return NULL;
        return module->tensors[module->n_tensors - 1].path;
    }
    return NULL;
}

void fx__module_release_tensor(void *user, void *data)
{
    (void)user;
    fx_tensor_release(&(fx_tensor){.data = data});
}

/* ---- Submodules -------------------------------------------------------------------------------------------------------- */

static fx_status add_submodule(fx_module *module, const char *path, fx_module *submodule, bool borrowed)
{
    fx_context *context = module->context;
    if (!path || !*path) return fx__diag(context, FX_E_ARG, NULL, "module %s: a submodule has no path", module->name);
    if (fx_module_submodule(module, path))
        return fx__diag(context, FX_E_ARG, NULL, "module %s has a submodule %s already", module->name, path);
    void *submodules = fx__arena_grow(module->arena, module->submodules, &module->cap_submodules, module->n_submodules,
                                      sizeof module->submodules[0]);
    const char *kept = fx__intern(context, path);
    if (!submodules || !kept) return FX_E_OOM;
    module->submodules = submodules;
    module->submodules[module->n_submodules++] = (struct fx_submodule){kept, submodule, borrowed};
    module->graph->edits++;
    return FX_OK;
}

fx_status fx_module_add_submodule(fx_module *module, const char *path, fx_module *submodule)
{
    fx_status status = add_submodule(module, path, submodule, false);
    if (status != FX_OK) fx_module_free(submodule);
    return status;
}

fx_module *fx_module_submodule(const fx_module *module, const char *path)
{
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (strcmp(module->submodules[i].path, path) == 0) return module->submodules[i].module;
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = split_path(module, path, at, &at, &rest)) != NULL; at++) {
        fx_module *found = fx_module_submodule(inner, rest);
        if (found) return found;
    }
    return NULL;
}

/* ---- A module for a graph without one ---------------------------------------------------------------------------------- */

static fx_status borrow_tensors(fx_module *to, const fx_module *from, const char *prefix)
{
    for (int32_t i = 0; i < from->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &from->tensors[i];
        const char *path = fx__arena_format(to->arena, "%s%s", prefix, entry->path);
        if (!path) return FX_E_OOM;
        if (own_entry(to, path)) continue;
        FX_TRY(fx_module_add_tensor(to, path, &entry->tensor, entry->is_buffer, NULL, NULL));
    }
    for (int32_t i = 0; i < from->n_submodules; i++) {
        const char *inner = fx__arena_format(to->arena, "%s%s.", prefix, from->submodules[i].path);
        if (!inner) return FX_E_OOM;
        FX_TRY(borrow_tensors(to, from->submodules[i].module, inner));
    }
    return FX_OK;
}

static fx_status borrow_submodules(fx_module *to, const fx_module *from)
{
    for (int32_t i = 0; i < from->n_submodules; i++)
        FX_TRY(add_submodule(to, from->submodules[i].path, from->submodules[i].module, true));
    return FX_OK;
}

static fx_status borrow_names(fx_module *to, const fx_module *from)
{
    for (int32_t i = 0; i < from->n_output_names; i++)
        if (from->output_names[i]) FX_TRY(fx_module_set_output_name(to, i, from->output_names[i]));
    return FX_OK;
}

static fx_status borrow_all(fx_module *to, const fx_module *from)
{
    FX_TRY(borrow_tensors(to, from, ""));
    FX_TRY(borrow_submodules(to, from));
    return borrow_names(to, from);
}

fx_module *fx__module_ensure(fx_graph *graph)
{
    const fx_module *earlier = graph->module;
    if (earlier && earlier->graph == graph) return graph->module;
    fx_module *module = fx_module_new(graph->context, earlier ? earlier->name : NULL);
    if (!module) return NULL;
    if (earlier && borrow_all(module, earlier) != FX_OK) {
        fx_module_free(module);
        return NULL;
    }
    fx_graph_free(module->graph);
    module->graph = graph;
    graph->module = module;
    graph->own_module = true;
    return module;
}

/* ---- Inputs and outputs ------------------------------------------------------------------------------------------------ */

static fx_node *input_node(const fx_module *module, int32_t index)
{
    FX_EACH_NODE(node, module->graph)
    if (node->opcode == FX_PLACEHOLDER && index-- == 0) return node;
    return NULL;
}

int32_t fx_module_input_count(const fx_module *module)
{
    int32_t n = 0;
    FX_EACH_NODE(node, module->graph) n += node->opcode == FX_PLACEHOLDER;
    return n;
}

const char *fx_module_input_name(const fx_module *module, int32_t index)
{
    const fx_node *node = index < 0 ? NULL : input_node(module, index);
    return node ? node->target : NULL;
}

const fx_type *fx_module_input_type(const fx_module *module, int32_t index)
{
    const fx_node *node = index < 0 ? NULL : input_node(module, index);
    return node ? fx_node_type(node, 0) : NULL;
}

struct output_search {
    int32_t index, count;
    fx_node *found;
};

static void visit_output(void *user, fx_node *node)
{
    struct output_search *search = user;
    if (search->count++ == search->index) search->found = node;
}

static struct output_search find_output(const fx_module *module, int32_t index)
{
    struct output_search search = {.index = index};
    const fx_node *output = fx_graph_output_node(module->graph);
    if (output) fx__attr_each_node(&output->args, visit_output, &search);
    return search;
}

int32_t fx_module_output_count(const fx_module *module)
{
    return find_output(module, -1).count;
}

const char *fx_module_output_name(const fx_module *module, int32_t index)
{
    if (index >= 0 && index < module->n_output_names && module->output_names[index]) return module->output_names[index];
    const fx_node *node = find_output(module, index).found;
    return node ? node->name : NULL;
}

const fx_type *fx_module_output_type(const fx_module *module, int32_t index)
{
    const fx_node *node = find_output(module, index).found;
    return node ? fx_node_type(node, 0) : NULL;
}

fx_status fx_module_set_output_name(fx_module *module, int32_t index, const char *name)
{
    if (index < 0 || !name) return fx__diag(module->context, FX_E_ARG, NULL, "module %s: output name", module->name);
    if (index >= module->n_output_names) {
        const char **names = FX_NEW_ARRAY(module->arena, const char *, index + 1);
        if (!names) return FX_E_OOM;
        if (module->n_output_names)
            memcpy((void *)names, (const void *)module->output_names, (size_t)module->n_output_names * sizeof *names);
        module->output_names = names;
        module->n_output_names = index + 1;
    }
    module->output_names[index] = fx__intern(module->context, name);
    return module->output_names[index] ? FX_OK : FX_E_OOM;
}
