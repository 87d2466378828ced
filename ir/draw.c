/* SPDX-License-Identifier: Apache-2.0 */
/* ir/draw.c: what the drawings of graphs share: the walk through groups, and texts of types, sizes and times. */
#include "ir/draw.h"
#include <string.h>

/* ---- Texts ------------------------------------------------------------------------------------------------------------------- */

static void put_bytes(fx_text *text, const fx_node *node, const fx_type *type)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double bytes = (double)fx_dtype_bytes(type->dtype);
    int unit = 0;
    for (int32_t i = 0; i < type->rank; i++) bytes *= (double)fx_graph_dim_hint(node->graph, type->dim[i]);
    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    fx__text_append(text, ", %.3g %s", bytes, units[unit]);
}

void fx__drawing_types(fx_text *text, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++) {
        const fx_type *type = fx_node_type(node, i);
        if (i) fx__text_append(text, "; ");
        if (!type) continue;
        fx__type_print(text, node->graph->dims, type);
        put_bytes(text, node, type);
    }
}

bool fx__drawing_time(const fx_drawing *d, const fx_node *node, char text[32])
{
    double us = d->options && d->options->us ? d->options->us[node->id] : -1;
    if (us >= 1000)
        snprintf(text, 32, "%.3g ms", us / 1000);
    else if (us >= 1 || us == 0)
        snprintf(text, 32, "%.3g us", us);
    else
        snprintf(text, 32, "%.3g ns", us * 1000);
    return us >= 0;
}

const char *fx__drawing_module(const fx_drawing *d, const fx_node *node)
{
    int32_t group = fx_groups_of(d->groups, node);
    const char *name = fx_groups_name(d->groups, group);
    return d->frame[group] != group && !strstr(node->name, name) && !strstr(node->target, name) ? name : NULL;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------------- */

static bool is_shown(const fx_drawing *d, const fx_node *node)
{
    return !d->options || !d->options->shown || d->options->shown[node->id];
}

/* A group with a single node would be a box around a box: its node lies in the group around it. By group: where its nodes go. */
static int32_t *find_frames(const fx_drawing *d, fx_arena *arena)
{
    int32_t n = fx_groups_count(d->groups), *frame = FX_NEW_ARRAY(arena, int32_t, n), *count = FX_NEW_ARRAY(arena, int32_t, n);
    if (!frame || !count) return NULL;
    for (int32_t g = 0; g < n; g++) count[g] = 0;
    FX_EACH_NODE(node, d->graph)
    count[fx_groups_of(d->groups, node)]++;
    for (int32_t g = n - 1; g > 0; g--) count[fx_groups_parent(d->groups, g)] += count[g];
    for (int32_t g = 0; g < n; g++) frame[g] = g && count[g] <= 1 ? frame[fx_groups_parent(d->groups, g)] : g;
    return frame;
}

/* Lists are made from their ends, so that they come in order; groups without anything shown are in none. */
static bool sort_nodes(fx_drawing *d, fx_arena *arena)
{
    int32_t n = fx_groups_count(d->groups);
    d->first = FX_NEW_ARRAY(arena, fx_node *, n);
    d->next = FX_NEW_ARRAY(arena, fx_node *, fx_graph_id_count(d->graph));
    d->child = FX_NEW_ARRAY(arena, int32_t, n);
    d->sibling = FX_NEW_ARRAY(arena, int32_t, n);
    d->frame = find_frames(d, arena);
    if (!d->first || !d->next || !d->child || !d->sibling || !d->frame) return false;
    for (fx_node *node = d->graph->last; node; node = node->prev) {
        int32_t g = d->frame[fx_groups_of(d->groups, node)];
        if (!is_shown(d, node)) continue;
        d->next[node->id] = d->first[g];
        d->first[g] = node;
    }
    for (int32_t g = 0; g < n; g++) d->child[g] = -1;
    for (int32_t g = n - 1; g > 0; g--) { /* children are behind their parents */
        int32_t parent = fx_groups_parent(d->groups, g);
        if (!d->first[g] && d->child[g] < 0) continue;
        d->sibling[g] = d->child[parent];
        d->child[parent] = g;
    }
    return true;
}

/* Depth is that of paths in names, which files bound; the walk goes without recursion all the same: up by parents. */
static void walk(fx_drawing *d, const fx_drawing_words *words)
{
    int32_t group = 0;
    for (int depth = 1;;) {
        for (const fx_node *node = d->first[group]; node; node = d->next[node->id]) words->node(d, node, depth);
        int32_t down = d->child[group];
        while (down < 0 && group > 0) {
            words->close(d, --depth);
            down = d->sibling[group];
            group = fx_groups_parent(d->groups, group);
        }
        if (down < 0) return;
        group = down;
        words->open(d, group, depth++);
    }
}

char *fx__drawing_make(const fx_graph *graph, const fx_draw_options *options, const fx_drawing_words *words)
{
    fx_drawing d = {.graph = graph, .options = options};
    fx_arena *arena = fx__arena_new(graph->context);
    fx__text_init(&d.text, graph->context);
    d.text.failed = !arena || fx_graph_groups(graph, &d.groups) != FX_OK || !sort_nodes(&d, arena);
    fx__text_append(&d.text, "%s", words->head);
    if (!d.text.failed) walk(&d, words);
    FX_EACH_NODE(node, graph)
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (is_shown(&d, node->inputs[i]) && is_shown(&d, node)) words->edge(&d, node->inputs[i], node);
    fx__text_append(&d.text, "%s", words->tail);
    fx_groups_free(d.groups);
    fx__arena_free(arena);
    return fx__text_finish(&d.text);
}
