/* SPDX-License-Identifier: Apache-2.0 */
/* ir/observe.c: observers: who wants to be told when nodes are made, erased and replaced. An observer may add and remove observers
 * while it is called: removed ones stay in the list, without functions, and numbers are never given twice. */
#include "ir/graph.h"

struct fx_observers {
    struct {
        fx_observer call;
        int32_t id;
    } * item;
    int32_t n, capacity, next_id;
};

fx_status fx_graph_observe(fx_graph *graph, const fx_observer *observer, int32_t *out_id)
{
    struct fx_observers *all = graph->observers ? graph->observers : FX_NEW(graph->arena, struct fx_observers);
    if (!all) return FX_E_OOM;
    graph->observers = all;
    void *item = fx__arena_grow(graph->arena, all->item, &all->capacity, all->n, sizeof *all->item);
    if (!item) return FX_E_OOM;
    all->item = item;
    all->item[all->n].call = *observer;
    *out_id = all->item[all->n++].id = all->next_id++;
    return FX_OK;
}

fx_status fx_graph_unobserve(fx_graph *graph, int32_t id)
{
    struct fx_observers *all = graph->observers;
    for (int32_t i = 0; all && i < all->n; i++) {
        if (all->item[i].id != id) continue;
        all->item[i].call = (fx_observer){0};
        all->item[i].id = -1;
        return FX_OK;
    }
    return fx__diag(graph->context, FX_E_NOT_FOUND, NULL, "the graph has no observer %d", id);
}

/* By value: the list may move while one of them is called. */
static fx_observer observer_at(const struct fx_observers *all, int32_t index)
{
    return all->item[index].call;
}

void fx__observe_created(fx_node *node)
{
    const struct fx_observers *all = node->graph->observers;
    for (int32_t i = 0; all && i < all->n; i++) {
        fx_observer observer = observer_at(all, i);
        if (observer.created) observer.created(observer.user, node);
    }
}

void fx__observe_erased(fx_node *node)
{
    const struct fx_observers *all = node->graph->observers;
    for (int32_t i = 0; all && i < all->n; i++) {
        fx_observer observer = observer_at(all, i);
        if (observer.erased) observer.erased(observer.user, node);
    }
}

void fx__observe_replaced(fx_node *old, fx_node *with, fx_node *user_node)
{
    const struct fx_observers *all = old->graph->observers;
    for (int32_t i = 0; all && i < all->n; i++) {
        fx_observer observer = observer_at(all, i);
        if (observer.replaced) observer.replaced(observer.user, old, with, user_node);
    }
}
