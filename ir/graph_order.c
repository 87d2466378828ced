/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph_order.c: the list of nodes: linking, insertion points, moving, comparing and mending their order. Erased nodes keep
 * their `next`, so that insertion points that name them stay meaningful. */
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

/* ---- The list ---------------------------------------------------------------------------------------------------------- */

void fx__graph_link(fx_graph *graph, fx_node *node, fx_node *before)
{
    node->next = before;
    node->prev = before ? before->prev : graph->last;
    if (node->prev)
        node->prev->next = node;
    else
        graph->first = node;
    if (before)
        before->prev = node;
    else
        graph->last = node;
    if (before)
        graph->numbered = false;
    else
        node->position = node->prev ? node->prev->position + 1 : 0;
    graph->n_nodes++;
    graph->edits++;
}

static void take_out(fx_graph *graph, const fx_node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        graph->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        graph->last = node->prev;
    graph->n_nodes--;
    graph->edits++;
}

void fx__graph_unlink(fx_graph *graph, fx_node *node)
{
    take_out(graph, node);
    if (graph->insert_before == node) graph->insert_before = node->next;
}

void fx__graph_number(const fx_graph *graph)
{
    if (graph->numbered) return;
    int32_t position = 0;
    FX_EACH_NODE(node, graph) node->position = position++;
    ((fx_graph *)graph)->numbered = true; /* a cache */
}

bool fx_node_is_before(const fx_node *a, const fx_node *b)
{
    if (a->graph != b->graph || a->erased || b->erased) return false;
    fx__graph_number(a->graph);
    return a->position < b->position;
}

/* ---- Insertion points -------------------------------------------------------------------------------------------------- */

fx_point fx_graph_insert_before(fx_graph *graph, fx_node *node)
{
    fx_point earlier = {graph->insert_before};
    fx_graph_set_point(graph, (fx_point){node ? node : graph->first});
    return earlier;
}

fx_point fx_graph_insert_after(fx_graph *graph, fx_node *node)
{
    fx_point earlier = {graph->insert_before};
    fx_graph_set_point(graph, (fx_point){node ? node->next : NULL});
    return earlier;
}

static fx_status check_point(const fx_graph *graph, const fx_node *node)
{
    if (!node || node->graph == graph) return FX_OK;
    return fx__diag(graph->context, FX_E_GRAPH, NULL, "insertion point %s belongs to another graph", node->name);
}

void fx_graph_set_point(fx_graph *graph, fx_point point)
{
    if (check_point(graph, point.before) != FX_OK) return;
    while (point.before && point.before->erased) point.before = point.before->next;
    graph->insert_before = point.before;
}

static fx_status push_point(fx_graph *graph)
{
    fx_point *points = fx__arena_grow(graph->arena, graph->points, &graph->cap_points, graph->n_points, sizeof *points);
    if (!points) return FX_E_OOM;
    graph->points = points;
    graph->points[graph->n_points++] = (fx_point){graph->insert_before};
    return FX_OK;
}

fx_status fx_graph_push_before(fx_graph *graph, fx_node *node)
{
    FX_TRY(check_point(graph, node));
    FX_TRY(push_point(graph));
    fx_graph_insert_before(graph, node);
    return FX_OK;
}

fx_status fx_graph_push_after(fx_graph *graph, fx_node *node)
{
    FX_TRY(check_point(graph, node));
    FX_TRY(push_point(graph));
    fx_graph_insert_after(graph, node);
    return FX_OK;
}

fx_status fx_graph_pop_point(fx_graph *graph)
{
    if (graph->n_points == 0)
        return fx__diag(graph->context, FX_E_GRAPH, NULL, "there is no earlier insertion point to go back to");
    fx_graph_set_point(graph, graph->points[--graph->n_points]);
    return FX_OK;
}

/* ---- Moving ------------------------------------------------------------------------------------------------------------ */

static fx_status check_move(const fx_node *node, const fx_node *moved)
{
    if (node->graph != moved->graph)
        return fx__diag_node(moved, FX_E_GRAPH, "%s cannot stand beside %s of another graph", moved->name, node->name);
    if (node->erased || moved->erased)
        return fx__diag_node(moved, FX_E_GRAPH, "%s cannot be moved beside %s: %s was erased", moved->name, node->name,
                             node->erased ? node->name : moved->name);
    return FX_OK;
}

static bool is_itself(const fx_node *node, const fx_node *moved)
{
    if (node == moved) fx__diag_warn(node->graph->context, &node->loc, "node %s is to stand beside itself: not moved", node->name);
    return node == moved;
}

/* The insertion point stays with its node, wherever that goes. */
static void move_before(fx_node *moved, fx_node *next)
{
    if (moved == next || moved->next == next) return;
    take_out(moved->graph, moved);
    fx__graph_link(moved->graph, moved, next);
}

fx_status fx_node_prepend(fx_node *node, fx_node *moved)
{
    FX_TRY(check_move(node, moved));
    if (!is_itself(node, moved)) move_before(moved, node);
    return FX_OK;
}

fx_status fx_node_append(fx_node *node, fx_node *moved)
{
    FX_TRY(check_move(node, moved));
    if (!is_itself(node, moved)) move_before(moved, node->next);
    return FX_OK;
}

/* ---- Topological order ------------------------------------------------------------------------------------------------- */

typedef struct sorting {
    fx_graph *graph;
    fx_arena *arena;
    int32_t *missing; /* [ids]: inputs that do not stand in `order` yet */
    bool *passed;     /* [ids]: its turn in the old order has come */
    fx_node **order, **stack;
    int32_t n_order;
} sorting;

static int latest_first(const void *a, const void *b)
{
    const fx_node *const *x = a, *const *y = b;
    return ((*x)->position < (*y)->position) - ((*x)->position > (*y)->position);
}

/* Users that waited for this node alone and whose turn has come go onto the stack, the earliest on top. */
static int32_t release_users(sorting *s, const fx_node *node, int32_t top)
{
    int32_t first = top;
    for (int32_t i = 0; i < node->n_users; i++) {
        fx_node *user = node->users[i];
        if (--s->missing[user->id] == 0 && s->passed[user->id]) s->stack[top++] = user;
    }
    if (top - first > 1) qsort(s->stack + first, (size_t)(top - first), sizeof(fx_node *), latest_first);
    return top;
}

static void place(sorting *s, fx_node *node)
{
    int32_t top = 0;
    s->stack[top++] = node;
    while (top) {
        node = s->stack[--top];
        s->order[s->n_order++] = node;
        top = release_users(s, node, top);
    }
}

static void sort_nodes(sorting *s)
{
    fx_node *output = fx_graph_output_node(s->graph);
    FX_EACH_NODE(node, s->graph) s->missing[node->id] = node->n_inputs;
    FX_EACH_NODE(node, s->graph)
    {
        if (node == output) continue;
        s->passed[node->id] = true;
        if (s->missing[node->id] == 0) place(s, node);
    }
    if (output && s->missing[output->id] == 0) s->order[s->n_order++] = output;
}

static fx_node *unplaced_input(const sorting *s, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (s->missing[node->inputs[i]->id] > 0) return node->inputs[i];
    return NULL;
}

/* From any node that could not be placed, inputs that could not either lead into a circle. */
static fx_status name_circle(const sorting *s)
{
    const fx_node *node = s->graph->first;
    while (s->missing[node->id] == 0) node = node->next;
    for (int32_t i = 0; i < s->graph->n_nodes; i++) node = unplaced_input(s, node);
    fx_text text;
    fx__text_init(&text, s->graph->context);
    fx__text_append(&text, "%s", node->name);
    for (const fx_node *at = unplaced_input(s, node); at != node; at = unplaced_input(s, at))
        fx__text_append(&text, " needs %s, which", at->name);
    fx__text_append(&text, " needs %s", node->name);
    char *circle = fx__text_finish(&text);
    fx_status status = fx__diag_node(node, FX_E_GRAPH, "values depend on themselves: %s", circle ? circle : node->name);
    fx_text_free(circle);
    return status;
}

static void relink(fx_graph *graph, fx_node *const *order, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        order[i]->prev = i ? order[i - 1] : NULL;
        order[i]->next = i + 1 < n ? order[i + 1] : NULL;
        order[i]->position = i;
    }
    graph->first = order[0];
    graph->last = order[n - 1];
    graph->edits++;
}

static fx_status legalize(sorting *s)
{
    fx_graph *graph = s->graph;
    s->missing = FX_NEW_ARRAY(s->arena, int32_t, graph->next_id);
    s->passed = FX_NEW_ARRAY(s->arena, bool, graph->next_id);
    s->order = FX_NEW_ARRAY(s->arena, fx_node *, graph->n_nodes);
    s->stack = FX_NEW_ARRAY(s->arena, fx_node *, graph->n_nodes);
    if (!s->missing || !s->passed || !s->order || !s->stack) return FX_E_OOM;
    graph->numbered = false; /* without gaps */
    fx__graph_number(graph);
    sort_nodes(s);
    if (s->n_order < graph->n_nodes) return name_circle(s);
    for (int32_t i = 0; i < s->n_order; i++) {
        if (s->order[i]->position == i) continue;
        relink(graph, s->order, s->n_order);
        break;
    }
    return FX_OK;
}

fx_status fx_graph_legalize(fx_graph *graph)
{
    sorting s = {.graph = graph, .arena = fx__arena_new(graph->context)};
    if (!s.arena) return FX_E_OOM;
    fx_status status = legalize(&s);
    fx__arena_free(s.arena);
    return status;
}
