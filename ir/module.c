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
        if (entry->release) entry->release(entry->release_user, entry->given ? entry->given : entry->tensor.data);
        if (entry->owns_copy) fx_tensor_release(&entry->tensor);
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
    if (fx_module_submodule(module, path))
        return fx__diag(context, FX_E_ARG, NULL, "module %s: tensor %s is blocked by the submodule of this name", module->name, path);
    bool legal = tensor->rank >= 0 && tensor->rank <= FX_RANK && fx_dtype_bytes(tensor->dtype);
    if (!legal || fx_tensor_bytes(tensor) < 0) return fx__diag(context, FX_E_ARG, NULL, "tensor %s: no legal type", path);
    return FX_OK;
}

fx_status fx_module_add_tensor(fx_module *module, const char *path, const fx_tensor *tensor, bool is_buffer, fx_release release,
                               void *user)
{
    FX_TRY(check_tensor(module, path, tensor));
    fx_module_tensor_entry entry = {
        .path = fx__intern(module->context, path), .tensor = *tensor, .is_buffer = is_buffer, .release = release, .release_user = user};
    fx_module_tensor_entry *tensors =
        fx__arena_grow(module->arena, module->tensors, &module->cap_tensors, module->n_tensors, sizeof entry);
    if (!entry.path || !tensors) return FX_E_OOM;
    module->tensors = tensors;
    if (!fx__map_put(&module->tensor_index, entry.path, (void *)(intptr_t)(module->n_tensors + 1))) return FX_E_OOM;
    module->tensors[module->n_tensors++] = entry;
    module->edits++;
    return FX_OK;
}

fx_module *fx__module_split_path(const fx_module *module, const char *path, int32_t from, int32_t *out_index, const char **out_rest)
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
    if (!path) return NULL;
    const fx_module_tensor_entry *entry = own_entry(module, path);
    if (entry) return &entry->tensor;
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = fx__module_split_path(module, path, at, &at, &rest)) != NULL; at++) {
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

bool fx_module_tensor_is_buffer(const fx_module *module, int32_t index)
{
    return index >= 0 && index < module->n_tensors && module->tensors[index].is_buffer;
}

static fx_status remove_entry(fx_module *module, int32_t index)
{
    fx_module_tensor_entry gone = module->tensors[index];
    if (!fx__map_put(&module->tensor_index, gone.path, NULL)) return FX_E_OOM;
    for (int32_t i = index + 1; i < module->n_tensors; i++) /* after the first no entry needs memory */
        (void)fx__map_put(&module->tensor_index, module->tensors[i].path, (void *)(intptr_t)i);
    module->n_tensors--;
    memmove(module->tensors + index, module->tensors + index + 1, (size_t)(module->n_tensors - index) * sizeof gone);
    if (gone.release) gone.release(gone.release_user, gone.tensor.data);
    module->edits++;
    return FX_OK;
}

static fx_status delete_tensor(fx_module *module, const char *path)
{
    const fx_module_tensor_entry *entry = own_entry(module, path);
    if (entry) return remove_entry(module, (int32_t)(entry - module->tensors));
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = fx__module_split_path(module, path, at, &at, &rest)) != NULL; at++)
        if (delete_tensor(inner, rest) == FX_OK) return FX_OK;
    return FX_E_NOT_FOUND;
}

fx_status fx_module_delete_tensor(fx_module *module, const char *path)
{
    if (path && delete_tensor(module, path) == FX_OK) return FX_OK;
    return fx__diag(module->context, FX_E_NOT_FOUND, NULL, "module %s has no tensor %s", module->name, path ? path : "(NULL)");
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
        FX_TRY(fx__module_attach(to, from->submodules[i].path, from->submodules[i].module, true));
    return FX_OK;
}

static fx_status borrow_names(fx_module *to, const fx_module *from)
{
    for (int32_t i = 0; i < from->input_names.n; i++)
        if (from->input_names.name[i]) FX_TRY(fx_module_set_input_name(to, i, from->input_names.name[i]));
    for (int32_t i = 0; i < from->output_names.n; i++)
        if (from->output_names.name[i]) FX_TRY(fx_module_set_output_name(to, i, from->output_names.name[i]));
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

static const char *given_name(const fx_name_list *list, int32_t index)
{
    return index >= 0 && index < list->n ? list->name[index] : NULL;
}

const char *fx_module_input_name(const fx_module *module, int32_t index)
{
    const fx_node *node = index < 0 ? NULL : input_node(module, index);
    const char *given = node ? given_name(&module->input_names, index) : NULL;
    return given || !node ? given : node->target;
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
    const char *given = given_name(&module->output_names, index);
    const fx_node *node = given ? NULL : find_output(module, index).found;
    return node ? node->name : given;
}

const fx_type *fx_module_output_type(const fx_module *module, int32_t index)
{
    const fx_node *node = find_output(module, index).found;
    return node ? fx_node_type(node, 0) : NULL;
}

/* ---- Names of inputs and outputs --------------------------------------------------------------------------------------- */

static fx_status set_name(fx_module *module, fx_name_list *list, int32_t index, const char *name)
{
    if (index < 0 || !name) return fx__diag(module->context, FX_E_ARG, NULL, "module %s: input or output name", module->name);
    if (index >= list->n) {
        const char **names = FX_NEW_ARRAY(module->arena, const char *, index + 1);
        if (!names) return FX_E_OOM;
        if (list->n) memcpy((void *)names, (const void *)list->name, (size_t)list->n * sizeof *names);
        *list = (fx_name_list){names, index + 1};
    }
    list->name[index] = fx__intern(module->context, name);
    return list->name[index] ? FX_OK : FX_E_OOM;
}

fx_status fx_module_set_input_name(fx_module *module, int32_t index, const char *name)
{
    return set_name(module, &module->input_names, index, name);
}

fx_status fx_module_set_output_name(fx_module *module, int32_t index, const char *name)
{
    return set_name(module, &module->output_names, index, name);
}
