/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lines.c: lists of lines, the body of a generated function, and the hooks that may change them. */
#include "ir/lines.h"
#include <string.h>

/* ---- Lines ------------------------------------------------------------------------------------------------------------- */

fx_lines *fx__lines_new(fx_arena *arena)
{
    fx_lines *lines = FX_NEW(arena, fx_lines);
    if (lines) lines->arena = arena;
    return lines;
}

int32_t fx_lines_count(const fx_lines *lines)
{
    return lines->n;
}

const char *fx_lines_at(const fx_lines *lines, int32_t index)
{
    return index >= 0 && index < lines->n ? lines->line[index] : NULL;
}

static fx_status refuse(const fx_lines *lines, int32_t index)
{
    return fx__diag(fx__arena_context(lines->arena), FX_E_ARG, NULL, "there is no line %d; the text has %d", index, lines->n);
}

fx_status fx_lines_set(fx_lines *lines, int32_t index, const char *text)
{
    if (index < 0 || index >= lines->n) return refuse(lines, index);
    const char *copy = fx__arena_copy(lines->arena, text, strlen(text));
    if (!copy) return FX_E_OOM;
    lines->line[index] = copy;
    return FX_OK;
}

fx_status fx_lines_insert(fx_lines *lines, int32_t index, const char *text)
{
    if (index < 0 || index > lines->n) return refuse(lines, index);
    const char **line = fx__arena_grow(lines->arena, (void *)lines->line, &lines->capacity, lines->n, sizeof *line);
    const char *copy = fx__arena_copy(lines->arena, text, strlen(text));
    if (!line || !copy) return FX_E_OOM;
    lines->line = line;
    memmove((void *)(line + index + 1), (const void *)(line + index), (size_t)(lines->n - index) * sizeof *line);
    line[index] = copy;
    lines->n++;
    return FX_OK;
}

fx_status fx_lines_delete(fx_lines *lines, int32_t index)
{
    if (index < 0 || index >= lines->n) return refuse(lines, index);
    lines->n--;
    memmove((void *)(lines->line + index), (const void *)(lines->line + index + 1),
            (size_t)(lines->n - index) * sizeof *lines->line);
    return FX_OK;
}

fx_status fx__lines_add(fx_lines *lines, fx_text *text)
{
    char *line = fx__text_finish(text);
    fx_status status = line ? fx_lines_insert(lines, lines->n, line) : FX_E_OOM;
    fx_text_free(line);
    return status;
}

/* ---- Hooks ------------------------------------------------------------------------------------------------------------- */

struct fx_code_hooks {
    struct {
        fx_code_hook call; /* NULL: removed */
        void *user;
        int32_t id;
    } * item;
    int32_t n, capacity, next_id;
};

fx_status fx_graph_add_code_hook(fx_graph *graph, fx_code_hook hook, void *user, int32_t *out_id)
{
    struct fx_code_hooks *all = graph->code_hooks ? graph->code_hooks : FX_NEW(graph->arena, struct fx_code_hooks);
    if (!all) return FX_E_OOM;
    graph->code_hooks = all;
    void *item = fx__arena_grow(graph->arena, all->item, &all->capacity, all->n, sizeof *all->item);
    if (!item) return FX_E_OOM;
    all->item = item;
    all->item[all->n].call = hook;
    all->item[all->n].user = user;
    *out_id = all->item[all->n++].id = all->next_id++;
    return FX_OK;
}

fx_status fx_graph_remove_code_hook(fx_graph *graph, int32_t id)
{
    struct fx_code_hooks *all = graph->code_hooks;
    for (int32_t i = 0; all && i < all->n; i++) {
        if (all->item[i].id != id || !all->item[i].call) continue;
        all->item[i].call = NULL;
        return FX_OK;
    }
    return fx__diag(graph->context, FX_E_NOT_FOUND, NULL, "the graph has no code hook %d", id);
}

fx_status fx__lines_hooks(const fx_graph *graph, fx_lines *lines)
{
    const struct fx_code_hooks *all = graph->code_hooks;
    for (int32_t i = 0; all && i < all->n; i++)
        if (all->item[i].call) FX_TRY(all->item[i].call(all->item[i].user, lines));
    return FX_OK;
}
