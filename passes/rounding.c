/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rounding.c: notes on nodes about their rounding, see rounding.h. */
#include "passes/rounding.h"
#include <string.h>

/* NULL: none, or something else that bears the name. */
static const fx_attr *notes_of(const fx_node *node)
{
    const fx_attr *notes = fx_node_meta(node, FX_ROUNDING_KEY);
    if (!notes || notes->kind != FX_ATTR_DICT) return NULL;
    for (int32_t i = 0; i < notes->n; i++) {
        const fx_attr *names = &notes->u.items[i];
        if (names->kind != FX_ATTR_LIST) return NULL;
        for (int32_t k = 0; k < names->n; k++)
            if (names->u.items[k].kind != FX_ATTR_STR) return NULL;
    }
    return notes;
}

int32_t fx__rounding_count(const fx_node *node)
{
    const fx_attr *notes = notes_of(node);
    return notes ? notes->n : 0;
}

const char *fx__rounding_sentence(const fx_node *node, int32_t i)
{
    return notes_of(node)->keys[i];
}

const fx_attr *fx__rounding_names(const fx_node *node, int32_t i)
{
    return &notes_of(node)->u.items[i];
}

static int32_t find(const fx_attr *notes, const char *sentence)
{
    int32_t i = 0;
    while (notes && i < notes->n && strcmp(notes->keys[i], sentence) != 0) i++;
    return i;
}

static bool has_name(const fx_attr *names, const char *name)
{
    for (int32_t i = 0; i < names->n; i++)
        if (strcmp(names->u.items[i].u.s, name) == 0) return true;
    return false;
}

static fx_attr longer_list(fx_graph *graph, const fx_attr *names, const char *name)
{
    int32_t n = names ? names->n : 0;
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, n + 1);
    if (!items) return fx_none();
    if (n) memcpy(items, names->u.items, (size_t)n * sizeof *items);
    items[n] = fx_str(graph, name);
    return fx_list(graph, items, n + 1);
}

fx_status fx__rounding_add(fx_node *node, const char *sentence, const char *name)
{
    fx_graph *graph = node->graph;
    const fx_attr *notes = notes_of(node);
    int32_t n = notes ? notes->n : 0, at = find(notes, sentence);
    if (at < n && has_name(&notes->u.items[at], name)) return FX_OK;
    const char **keys = FX_NEW_ARRAY(graph->arena, const char *, n + 1);
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, n + 1);
    if (!keys || !items) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) {
        keys[i] = notes->keys[i];
        items[i] = notes->u.items[i];
    }
    keys[at] = sentence;
    items[at] = longer_list(graph, at < n ? &notes->u.items[at] : NULL, name);
    fx_attr dict = items[at].kind == FX_ATTR_LIST ? fx_dict(graph, keys, items, at < n ? n : n + 1) : fx_none();
    return dict.kind == FX_ATTR_DICT ? fx_node_set_meta(node, FX_ROUNDING_KEY, dict) : FX_E_OOM;
}

static fx_status add_names(fx_node *node, const char *sentence, const fx_attr *names)
{
    for (int32_t i = 0; i < names->n; i++) FX_TRY(fx__rounding_add(node, sentence, names->u.items[i].u.s));
    return FX_OK;
}

fx_status fx__rounding_succeed(fx_node *node, const char *sentence, const fx_node *old)
{
    const fx_attr *notes = notes_of(old);
    int32_t at = find(notes, sentence);
    if (notes && at < notes->n) return add_names(node, sentence, &notes->u.items[at]);
    return fx__rounding_add(node, sentence, old->name);
}

fx_status fx__rounding_inherit(fx_node *to, const fx_node *from)
{
    const fx_attr *notes = notes_of(from);
    for (int32_t i = 0; notes && to != from && i < notes->n; i++) FX_TRY(add_names(to, notes->keys[i], &notes->u.items[i]));
    return FX_OK;
}

fx_status fx__rounding_forget(fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (fx_node_meta(node, FX_ROUNDING_KEY)) FX_TRY(fx_node_delete_meta(node, FX_ROUNDING_KEY));
    return FX_OK;
}
