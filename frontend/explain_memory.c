/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_memory.c: buffers: where each lies, for how long, whose place it takes. */
#include "frontend/explain.h"
#include "ir/kir_text.h"
#include <string.h>

static const char *kind_of(fx_role role)
{
    return role == FX_BUF_TEMP ? "workspace" : fx__kir_buf_word(role);
}

/* The node of the one unit that writes the buffer; of one that writes several values the node of the buffer's own name. */
static const fx_node *node_of(const fx_explainer *x, int32_t index)
{
    const fx_buf *buf = &x->program->buf[index];
    const fx_unit *writer = NULL;
    for (int32_t i = 0; i < x->out->n_unit; i++) {
        bool writes = false;
        for (int32_t w = 0; w < x->unit[i].n_writes; w++) writes = writes || x->unit[i].writes[w] == index;
        if (!writes || x->unit[i].kind == FX_UNIT_LOOP) continue;
        if (writer) return NULL;
        writer = &x->unit[i];
    }
    fx_node *named = buf->name ? fx_graph_find(x->it->module->graph, buf->name) : NULL;
    if (!writer) return named;
    for (int32_t i = 0; i < writer->n_nodes; i++)
        if (writer->nodes[i] == named) return named;
    return writer->n_nodes ? writer->nodes[writer->n_nodes - 1] : NULL;
}

static bool overlap(const fx_buffer_info *a, const fx_buffer_info *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static int32_t find_reused(const fx_buffer_info *list, int32_t n, int32_t index)
{
    const fx_buffer_info *own = &list[index];
    int32_t found = -1;
    if (own->first < 0 || own->parent >= 0 || strcmp(own->kind, "workspace") != 0) return -1;
    for (int32_t i = 0; i < n; i++) {
        const fx_buffer_info *other = &list[i];
        if (other->parent >= 0 || other->first < 0 || strcmp(other->kind, "workspace") != 0 || other->last >= own->first) continue;
        if (overlap(own, other) && (found < 0 || other->last > list[found].last)) found = i;
    }
    return found;
}

static bool fill_buffer(const fx_explainer *x, int32_t index, const char *name, fx_buffer_info *out)
{
    const fx_program *program = x->program;
    const fx_buf *buf = &program->buf[index];
    bool placed = buf->role != FX_BUF_INPUT && buf->role != FX_BUF_OUTPUT;
    *out = (fx_buffer_info){.name = fx__arena_copy(x->arena, name, strlen(name)),
                            .node = node_of(x, index),
                            .kind = kind_of(buf->role),
                            .dtype = buf->dtype,
                            .rank = buf->rank,
                            .bytes = fx__buf_bytes_hint(program, index),
                            .offset = placed ? fx__dim_hint(program->dims, buf->offset) : -1,
                            .parent = buf->parent,
                            .first = buf->first,
                            .last = buf->last,
                            .reuses = -1};
    for (int d = 0; d < buf->rank; d++) out->dim[d] = fx__dim_hint(program->dims, buf->dim[d]);
    if (buf->role == FX_BUF_TEMP && buf->first < 0) out->offset = -1;
    return out->name != NULL;
}

fx_status fx__explain_buffers(fx_explainer *x)
{
    int32_t n = x->program->n_buf;
    fx_buffer_info *list = FX_NEW_ARRAY(x->arena, fx_buffer_info, n + 1);
    char(*names)[FX_NAME_BYTES] = fx__arena_alloc(x->arena, (size_t)n + 1, FX_NAME_BYTES);
    if (!list || !names) return FX_E_OOM;
    fx__kir_buf_names(x->program, names);
    for (int32_t i = 0; i < n; i++)
        if (!fill_buffer(x, i, names[i], &list[i])) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) list[i].reuses = find_reused(list, n, i);
    x->out->buffer = list;
    x->out->n_buffer = n;
    return FX_OK;
}
