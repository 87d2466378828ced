/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/state.c: what a compiled graph keeps from run to run: the buffers of its module that it changes. Their first values are
 * taken when compiling; each fx_state is one block of memory that begins with them. */
#include "frontend/compiled.h"
#include "ir/in_place.h"
#include "runtime/memory.h"
#include <stdlib.h>
#include <string.h>

struct fx_state {
    const fx_compiled *compiled;
    void *data;
    fx_tensor *tensor; /* [n_state]: views of data */
};

/* ---- When compiling ----------------------------------------------------------------------------------------------------- */

static void collect_entries(fx_compiled *it)
{
    const fx_program *program = it->program;
    for (int32_t b = 0; b < program->n_buf; b++) {
        const fx_buf *buf = &program->buf[b];
        if (buf->role != FX_BUF_STATE || buf->parent >= 0) continue;
        struct fx_state_entry *entry = &it->state_entry[buf->index];
        *entry =
            (struct fx_state_entry){.path = buf->path, .type = {.dtype = buf->dtype, .rank = buf->rank}, .offset = buf->offset};
        memcpy(entry->type.dim, buf->dim, sizeof buf->dim);
    }
}

static fx_tensor tensor_in(const struct fx_state_entry *entry, void *data)
{
    return fx_tensor_view((char *)data + entry->offset, entry->type.dtype, entry->type.rank, entry->type.dim);
}

static fx_status copy_first_values(fx_compiled *it)
{
    it->state_image = fx__memory_alloc((size_t)it->program->state_bytes);
    if (!it->state_image) return fx__diag_oom(it->context);
    memset(it->state_image, 0, (size_t)it->program->state_bytes);
    for (int32_t i = 0; i < it->n_state; i++) {
        const struct fx_state_entry *entry = &it->state_entry[i];
        const fx_tensor *first = entry->path ? fx_module_tensor(it->module, entry->path) : NULL;
        fx_tensor tensor = tensor_in(entry, it->state_image);
        if (!first)
            return fx__diag(it->context, FX_E_NOT_FOUND, NULL, "the module has no tensor %s", entry->path ? entry->path : "?");
        if (first->data) FX_TRY(fx_tensor_copy(&tensor, first)); /* a graph read from text has types only: zero */
    }
    return FX_OK;
}

static void find_written(fx_compiled *it)
{
    int32_t i = 0;
    FX_EACH_NODE(node, it->module->graph)
    if (node->opcode == FX_PLACEHOLDER) it->writes[i++] = fx__is_written_back(node);
}

fx_status fx__state_collect(fx_compiled *it)
{
    it->n_state = it->program->n_state;
    it->writes = FX_NEW_ARRAY(it->program->arena, bool, it->n_input + 1);
    it->state_entry = FX_NEW_ARRAY(it->program->arena, struct fx_state_entry, it->n_state + 1);
    if (!it->writes || !it->state_entry) return FX_E_OOM;
    find_written(it);
    if (it->n_state == 0) return FX_OK;
    collect_entries(it);
    FX_TRY(copy_first_values(it));
    return fx_state_new(it, &it->state);
}

void fx__state_drop(fx_compiled *it)
{
    fx_state_free(it->state);
    free(it->state_image);
}

/* ---- States ------------------------------------------------------------------------------------------------------------- */

fx_status fx_state_new(const fx_compiled *compiled, fx_state **out)
{
    fx_state *state = *out = calloc(1, sizeof *state);
    if (!state) return FX_E_OOM;
    state->compiled = compiled;
    state->data = fx__memory_alloc((size_t)compiled->program->state_bytes);
    state->tensor = calloc((size_t)compiled->n_state + 1, sizeof *state->tensor);
    if (!state->data || !state->tensor) {
        fx_state_free(state);
        *out = NULL;
        return FX_E_OOM;
    }
    for (int32_t i = 0; i < compiled->n_state; i++) state->tensor[i] = tensor_in(&compiled->state_entry[i], state->data);
    fx_state_reset(state);
    return FX_OK;
}

void fx_state_free(fx_state *state)
{
    if (!state) return;
    free(state->data);
    free(state->tensor);
    free(state);
}

void fx_state_reset(fx_state *state)
{
    const fx_compiled *it = state->compiled;
    if (it->n_state > 0) memcpy(state->data, it->state_image, (size_t)it->program->state_bytes);
}

void *fx_state_data(fx_state *state)
{
    return state->data;
}

bool fx__state_fits(const fx_compiled *it, const fx_state *state)
{
    return !state || it->n_state == 0 || state->compiled == it;
}

fx_tensor *fx__state_lookup(void *user, const char *path)
{
    fx_state *state = user;
    for (int32_t i = 0; state && i < state->compiled->n_state; i++)
        if (strcmp(state->compiled->state_entry[i].path, path) == 0) return &state->tensor[i];
    return NULL;
}

fx_status fx_state_tensor(const fx_state *state, const char *path, fx_tensor *out)
{
    const fx_tensor *tensor = fx__state_lookup((void *)(uintptr_t)state, path);
    if (!tensor) return FX_E_NOT_FOUND;
    *out = *tensor;
    return FX_OK;
}

/* ---- What a compiled graph tells ---------------------------------------------------------------------------------------- */

fx_state *fx_compiled_state(fx_compiled *it)
{
    return it->state;
}

size_t fx_compiled_state_bytes(const fx_compiled *it)
{
    return (size_t)it->program->state_bytes;
}

int32_t fx_compiled_state_count(const fx_compiled *it)
{
    return it->n_state;
}

const char *fx_compiled_state_path(const fx_compiled *it, int32_t index)
{
    return index >= 0 && index < it->n_state ? it->state_entry[index].path : NULL;
}

bool fx_compiled_input_is_written(const fx_compiled *it, int32_t index)
{
    return index >= 0 && index < it->n_input && it->writes[index];
}
