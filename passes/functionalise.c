/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    makes calls that change a tensor in place pure: x.add_(1) computes a new value, and whatever used x, or a view of what x
 *          is a view of, afterwards uses what it would then have seen. A change through a view becomes a new base. Takes indices
 * such as x[1:3, None] apart into views, and makes x[...] = v a write through such views. Needs:   an inlined graph; types of the
 * inputs where shapes matter. Ensures: no in-place call is left. A change of an input is not carried back to the caller (a warning
 * says so); one of a parameter is refused, as are changes through views that cannot be undone. Cost:    linear in nodes, times the
 * length of view chains. */
#include "passes/mutate.h"
#include "passes/pass.h"
#include <string.h>

/* What one original node stands for while the graph is walked. */
typedef struct alias {
    fx_node *base;    /* the node that this one is a view of; NULL: it has memory of its own */
    fx_node *current; /* its value now */
    fx_node *seen;    /* value of base that `current` was derived from */
} alias;

typedef struct state {
    fx_graph *graph;
    fx_arena *arena;
    fx_map aliases; /* node -> alias */
    bool modified;
} state;

/* ---- Values now -------------------------------------------------------------------------------------------------------- */

static alias *alias_of(state *s, fx_node *node)
{
    return fx__map_get(&s->aliases, node);
}

static fx_node *replace_first(fx_node *node, fx_node *view, fx_node *base)
{
    fx_attr args[FX_PARAMS];
    if (view->args.n > FX_PARAMS) return NULL;
    for (int32_t i = 0; i < view->args.n; i++) args[i] = *fx__arg(view, i);
    args[0] = fx_node_attr(base);
    fx_node_spec spec = {FX_CALL_FUNCTION, view->target, fx_tuple(view->graph, args, view->args.n), view->kwargs, view->name, false,
                         node->loc};
    fx_node *copy = fx_graph_create_node(view->graph, &spec);
    return copy && fx__core_settle(copy) == FX_OK ? copy : NULL;
}

/* The value of an original node before `user`: a view of a base that has changed since is taken anew. */
static fx_node *value_now(state *s, fx_node *node, fx_node *user)
{
    alias *a = alias_of(s, node);
    if (!a) return node;
    if (!a->base) return a->current;
    fx_node *base = value_now(s, a->base, user);
    if (!base || base == a->seen) return base ? a->current : NULL;
    a->current = replace_first(user, node, base);
    a->seen = base;
    return a->current;
}

typedef struct refresh {
    state *s;
    fx_node *user;
} refresh;

static fx_node *map_now(void *user, fx_node *node)
{
    refresh *r = user;
    return value_now(r->s, node, r->user);
}

/* Every input becomes its value now, all at once: a value may itself be a node that has changed since. */
static fx_status refresh_inputs(state *s, fx_node *node)
{
    bool changed = false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        fx_node *now = value_now(s, node->inputs[i], node);
        if (!now) return FX_E_UNSUPPORTED;
        changed |= now != node->inputs[i];
    }
    if (!changed) return FX_OK;
    s->modified = true;
    refresh r = {s, node};
    fx_attr args = fx__attr_copy(s->graph, &node->args, map_now, &r);
    return fx_node_set_args(node, args, fx__attr_copy(s->graph, &node->kwargs, map_now, &r));
}

static fx_status check_root(const fx_node *root, const fx_node *change)
{
    if (root->opcode == FX_GET_ATTR)
        return fx__diag_node(change, FX_E_UNSUPPORTED, "parameter or buffer %s is changed in place", root->target);
    if (root->opcode == FX_PLACEHOLDER)
        fx__diag_warn(root->graph->context, &change->loc, "%s changes input %s: the caller's tensor is not changed", change->name,
                      root->name);
    return FX_OK;
}

/* `target` (an original node) has `value` from now on, and so has the part of its base. */
static fx_status write_value(state *s, fx_node *target, fx_node *value, fx_node *change)
{
    alias *a = alias_of(s, target);
    if (!a->base) {
        FX_TRY(check_root(target, change));
        a->current = value;
        return FX_OK;
    }
    fx_node *base = value_now(s, a->base, change);
    fx_node *whole = base ? fx__view_write_of(target)(change, target, base, value) : NULL;
    if (!whole) return FX_E_UNSUPPORTED;
    FX_TRY(write_value(s, a->base, whole, change));
    a->current = value;
    a->seen = value_now(s, a->base, change);
    return FX_OK;
}

static alias *add_alias(state *s, fx_node *node, fx_node *base)
{
    alias *a = FX_NEW(s->arena, alias);
    if (!a || !fx__map_put(&s->aliases, node, a)) return NULL;
    *a = (alias){.base = base, .current = node};
    return a;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------- */

/* The original node that the first argument named, before inputs became their values now. */
static fx_node *changed_node(const fx_node *node)
{
    const fx_attr *self = node->args.n ? fx__arg(node, 0) : NULL;
    for (int32_t i = 0; !self && i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "input") == 0 || strcmp(node->kwargs.keys[i], "self") == 0)
            self = &node->kwargs.u.items[i];
    return self && self->kind == FX_ATTR_NODE ? self->u.node : NULL;
}

/* The call's own result is what it changed: its users are users of the target. */
static fx_status drop_call(state *s, fx_node *node, fx_node *target)
{
    s->modified = true;
    while (node->n_users) FX_TRY(fx_node_replace_input(node->users[0], node, target));
    return fx_graph_erase(s->graph, node);
}

static fx_status change_in_place(state *s, fx_node *node)
{
    fx_node *target = changed_node(node);
    if (!target) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(refresh_inputs(s, node));
    fx_node *self = value_now(s, target, node), *value = self ? fx__pure_value(node, self) : NULL;
    if (!value) return FX_E_UNSUPPORTED;
    FX_TRY(write_value(s, target, value, node));
    return drop_call(s, node, target);
}

static fx_status keep(state *s, fx_node *node)
{
    fx_node *base = fx__view_write_of(node) ? fx__arg(node, 0)->u.node : NULL;
    FX_TRY(refresh_inputs(s, node));
    if (node->opcode == FX_CALL_FUNCTION && node->n_result == 0) FX_TRY(fx__core_settle(node));
    alias *a = add_alias(s, node, base);
    if (!a) return FX_E_OOM;
    a->seen = base ? fx__arg(node, 0)->u.node : NULL;
    return FX_OK;
}

/* The nodes that were made between two others are views like those of the graph; those of the value `now` are views of `x`. */
static fx_status keep_new(state *s, fx_node *after, const fx_node *end, const fx_node *now, fx_node *x)
{
    for (fx_node *node = after ? after->next : s->graph->first; node != end; node = node->next) {
        fx_node *base = fx__view_write_of(node) ? fx__arg(node, 0)->u.node : NULL;
        alias *a = add_alias(s, node, base && base == now ? x : base);
        if (!a) return FX_E_OOM;
        a->seen = base;
    }
    return FX_OK;
}

static fx_status take_index_apart(state *s, fx_node *node, const fx_attr *index, fx_node *x, fx_node **out)
{
    fx_node *now = value_now(s, x, node), *before = node->prev;
    *out = now ? fx__index_views(node, now, index) : NULL;
    if (!*out) return FX_E_UNSUPPORTED;
    FX_TRY(keep_new(s, before, node, now, x));
    if (*out == now) *out = x; /* the index takes all of it */
    return FX_OK;
}

static fx_status read_index(state *s, fx_node *node)
{
    fx_node *view;
    FX_TRY(take_index_apart(s, node, fx__arg(node, 1), fx__arg(node, 0)->u.node, &view));
    return drop_call(s, node, view);
}

/* x[index] = value. */
static fx_status write_index(state *s, fx_node *node)
{
    fx_node *view, *x = node->args.n == 3 && fx__arg(node, 0)->kind == FX_ATTR_NODE ? fx__arg(node, 0)->u.node : NULL;
    if (!x) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(take_index_apart(s, node, fx__arg(node, 1), x, &view));
    fx_attr value = *fx__arg(node, 2);
    if (value.kind == FX_ATTR_NODE && !(value.u.node = value_now(s, value.u.node, node))) return FX_E_UNSUPPORTED;
    fx_node *now = value_now(s, view, node), *whole = now ? fx__pure_spread(node, now, &value) : NULL;
    if (!whole) return FX_E_UNSUPPORTED;
    FX_TRY(write_value(s, view, whole, node));
    return drop_call(s, node, x);
}

static bool is_setitem(const fx_node *node)
{
    return strcmp(node->target, node->opcode == FX_CALL_METHOD ? "__setitem__" : "operator.setitem") == 0;
}

static fx_status visit(state *s, fx_node *node)
{
    if (fx__index_is_views(node)) return read_index(s, node);
    if (!fx__node_is_in_place(node)) return keep(s, node);
    return is_setitem(node) ? write_index(s, node) : change_in_place(s, node);
}

static bool has_work(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (fx__node_is_in_place(node) || fx__index_is_views(node)) return true;
    return false;
}

static fx_status walk(state *s)
{
    for (fx_node *node = s->graph->first, *next; node; node = next) {
        next = node->next;
        fx_graph_insert_before(s->graph, node);
        FX_TRY(visit(s, node));
    }
    return FX_OK;
}

fx_status fx__pass_functionalise(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    if (!has_work(graph)) return FX_OK;
    state s = {.graph = graph, .arena = fx__arena_new(graph->context)};
    if (!s.arena) return FX_E_OOM;
    fx__map_init(&s.aliases, s.arena);
    fx_point point = {graph->insert_before};
    fx_status status = walk(&s);
    fx_graph_set_point(graph, point);
    fx__arena_free(s.arena);
    *out_modified = s.modified;
    return status;
}
