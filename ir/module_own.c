/* SPDX-License-Identifier: Apache-2.0 */
/* ir/module_own.c: tensors of a module that a graph changes. What a module was given may be a mapped file or somebody's array: it
 * is copied before the first change, and the copy is the module's. */
#include "ir/graph.h"
#include <string.h>

static fx_module_tensor_entry *find_entry(fx_module *module, const char *path)
{
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (strcmp(module->tensors[i].path, path) == 0) return &module->tensors[i];
    for (int32_t i = 0; i < module->n_submodules; i++) {
        size_t length = strlen(module->submodules[i].path);
        if (strncmp(module->submodules[i].path, path, length) != 0 || path[length] != '.') continue;
        fx_module_tensor_entry *found = find_entry(module->submodules[i].module, path + length + 1);
        if (found) return found;
    }
    return NULL;
}

static bool same_view(const fx_tensor *a, const fx_tensor *b)
{
    bool same = a->data && a->data == b->data && a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d] && a->stride[d] == b->stride[d];
    return same;
}

static void use_copy(fx_module *module, const fx_tensor *old, const fx_tensor *copy)
{
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_module_tensor_entry *entry = &module->tensors[i];
        if (!same_view(&entry->tensor, old)) continue;
        entry->given = entry->tensor.data;
        entry->tensor = *copy;
    }
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (!module->submodules[i].borrowed) use_copy(module->submodules[i].module, old, copy);
}

fx_tensor *fx__module_own_tensor(fx_module *module, const char *path)
{
    fx_module_tensor_entry *entry = find_entry(module, path);
    if (!entry || entry->owns_copy || entry->given) return entry ? &entry->tensor : NULL;
    fx_tensor old = entry->tensor, copy;
    fx_status status = fx_tensor_alloc(old.dtype, old.rank, old.dim, &copy);
    if (status == FX_OK && old.data) fx_tensor_copy(&copy, &old);
    if (status != FX_OK) {
        fx__diag_oom(module->context);
        return NULL;
    }
    use_copy(module, &old, &copy);
    if (!old.data) entry->tensor = copy; /* a graph read from text has no memory */
    entry->owns_copy = true;
    return &entry->tensor;
}
