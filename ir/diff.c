/* SPDX-License-Identifier: Apache-2.0 */
/* ir/diff.c: how two graphs differ (fxjit/analysis.h): nodes are paired by name, their fields compared as texts. */
#include "fxjit/analysis.h"
#include "ir/graph.h"
#include <string.h>

struct fx_diff {
    fx_arena *arena;
    fx_change *changes;
    int32_t n, capacity;
};

static fx_status add(fx_diff *diff, fx_change change)
{
    fx_change *changes = fx__arena_grow(diff->arena, diff->changes, &diff->capacity, diff->n, sizeof *changes);
    if (!changes) return FX_E_OOM;
    diff->changes = changes;
    changes[diff->n++] = change;
    return FX_OK;
}

/* Takes a text into the diff's memory; NULL: out of memory. */
static const char *keep(fx_diff *diff, FX_TAKES char *text)
{
    char *kept = text ? fx__arena_copy(diff->arena, text, strlen(text)) : NULL;
    fx_text_free(text);
    return kept;
}

static const char *node_text(fx_diff *diff, const fx_node *node)
{
    return keep(diff, fx_node_to_string(node));
}

static const char *value_text(fx_diff *diff, const fx_graph *graph, const fx_attr *value)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    fx__attr_print(&text, graph, value);
    return keep(diff, fx__text_finish(&text));
}

static const char *type_text(fx_diff *diff, const fx_node *node)
{
    fx_text text;
    fx__text_init(&text, node->graph->context);
    for (int32_t r = 0; r < node->n_result; r++) {
        if (r) fx__text_append(&text, ", ");
        if (fx_node_type(node, r))
            fx__type_print(&text, node->graph->dims, &node->result[r]);
        else
            fx__text_append(&text, "?");
    }
    if (node->n_result == 0) fx__text_append(&text, "None");
    return keep(diff, fx__text_finish(&text));
}

static fx_status compare(fx_diff *diff, const fx_node *node, const char *field, const char *before, const char *after)
{
    if (!before || !after) return FX_E_OOM;
    if (strcmp(before, after) == 0) return FX_OK;
    return add(diff, (fx_change){FX_CHANGED, node->name, field, before, after});
}

static const char *annotation_of(const fx_node *node)
{
    return node->annotation ? node->annotation : "None";
}

static fx_status compare_nodes(fx_diff *diff, const fx_node *a, const fx_node *b)
{
    FX_TRY(compare(diff, a, "opcode", fx_opcode_name(a->opcode), fx_opcode_name(b->opcode)));
    FX_TRY(compare(diff, a, "target", a->target, b->target));
    FX_TRY(compare(diff, a, "args", value_text(diff, a->graph, &a->args), value_text(diff, b->graph, &b->args)));
    FX_TRY(compare(diff, a, "kwargs", value_text(diff, a->graph, &a->kwargs), value_text(diff, b->graph, &b->kwargs)));
    FX_TRY(compare(diff, a, "annotation", annotation_of(a), annotation_of(b)));
    return compare(diff, a, "type", type_text(diff, a), type_text(diff, b));
}

/* Names of both contexts, as pointers of the first one. */
static bool map_names(fx_map *names, fx_arena *arena, const fx_graph *graph, fx_context *context)
{
    fx__map_init(names, arena);
    FX_EACH_NODE(node, graph)
    if (!fx__map_put(names, fx__intern(context, node->name), node)) return false;
    return true;
}

static fx_status compare_graphs(fx_diff *diff, const fx_graph *before, const fx_graph *after)
{
    fx_map old, new;
    fx_context *context = before->context;
    if (!map_names(&old, diff->arena, before, context) || !map_names(&new, diff->arena, after, context)) return FX_E_OOM;
    FX_EACH_NODE(node, before)
    {
        const fx_node *other = fx__map_get(&new, fx__intern(context, node->name));
        const char *text = other ? NULL : node_text(diff, node);
        if (!other && !text) return FX_E_OOM;
        FX_TRY(other ? compare_nodes(diff, node, other) : add(diff, (fx_change){FX_REMOVED, node->name, NULL, text, NULL}));
    }
    FX_EACH_NODE(node, after)
    {
        const char *name = fx__intern(context, node->name);
        if (fx__map_get(&old, name)) continue;
        const char *text = node_text(diff, node);
        FX_TRY(text ? add(diff, (fx_change){FX_ADDED, name, NULL, NULL, text}) : FX_E_OOM);
    }
    return FX_OK;
}

fx_status fx_graph_diff(const fx_graph *before, const fx_graph *after, fx_diff **out)
{
    fx_arena *arena = fx__arena_new(before->context);
    fx_diff *diff = arena ? FX_NEW(arena, fx_diff) : NULL;
    fx_status status = FX_E_OOM;
    *out = NULL;
    if (diff) {
        diff->arena = arena;
        status = compare_graphs(diff, before, after);
    }
    if (status == FX_OK)
        *out = diff;
    else
        fx__arena_free(arena);
    return status;
}

int32_t fx_diff_count(const fx_diff *diff)
{
    return diff->n;
}

const fx_change *fx_diff_get(const fx_diff *diff, int32_t index)
{
    return index >= 0 && index < diff->n ? &diff->changes[index] : NULL;
}

void fx_diff_free(fx_diff *diff)
{
    if (diff) fx__arena_free(diff->arena);
}

char *fx_diff_to_string(const fx_diff *diff)
{
    fx_text text;
    fx__text_init(&text, fx__arena_context(diff->arena));
    for (int32_t i = 0; i < diff->n; i++) {
        const fx_change *it = &diff->changes[i];
        if (it->kind == FX_CHANGED)
            fx__text_append(&text, "~ %%%s: %s: %s -> %s\n", it->name, it->field, it->before, it->after);
        else
            fx__text_append(&text, "%c %s\n", it->kind == FX_ADDED ? '+' : '-', it->kind == FX_ADDED ? it->after : it->before);
    }
    return fx__text_finish(&text);
}
