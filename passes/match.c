/* SPDX-License-Identifier: Apache-2.0 */
/* passes/match.c: pattern rewriting. A pattern is a graph; a node of it matches a node of the same operator whose arguments, bound
 * to the operator's schema, match in turn, in either order where the operator commutes; a placeholder matches any value, a
 * get_attr any get_attr. Built-in rewrites use this. */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

/* A pattern made ready once per fx_graph_rewrite. */
typedef struct matcher {
    fx_graph *graph;
    const fx_rewrite *rewrite;
    fx_arena *arena;
    fx_node **pattern; /* [n] by position */
    int32_t n;
    fx_map position; /* pattern node -> 1 + position */
    fx_attr *bound;  /* [n] the pattern nodes' arguments, bound */
    const fx_node *anchor;
    int32_t first_new; /* nodes made by this rewrite have ids from here on and are not matched again */
    /* the match under way */
    fx_node **nodes; /* [n] */
    fx_attr *values; /* [n] */
    int32_t *trail;  /* [n] positions matched so far, to take some back */
    int32_t n_trail;
} matcher;

/* ---- Arguments --------------------------------------------------------------------------------------------------------- */

static fx_status bind_args(fx_graph *graph, const fx_node *node, bool pattern, fx_attr *out)
{
    const fx_op *op = fx__op_of(node);
    *out = node->args;
    if (!op || graph->core) return FX_OK;
    fx_attr bound[FX_PARAMS];
    int32_t n;
    fx__op_params(op, &n);
    FX_TRY((pattern ? fx__op_bind_pattern : fx__op_bind)(graph, node, op, bound));
    *out = fx_tuple(graph, bound, n);
    return out->kind == FX_ATTR_TUPLE ? FX_OK : FX_E_OOM;
}

static bool same_function(const fx_node *a, const fx_node *b)
{
    const fx_op *op_a = fx__op_of(a), *op_b = fx__op_of(b);
    if (op_a || op_b) return op_a == op_b;
    return a->opcode == b->opcode && strcmp(a->target, b->target) == 0;
}

/* ---- Matching ---------------------------------------------------------------------------------------------------------- */

static bool match_value(matcher *m, const fx_attr *pattern, const fx_attr *value);

static int32_t position_of(const matcher *m, const fx_node *pattern)
{
    return (int32_t)(intptr_t)fx__map_get(&m->position, pattern) - 1;
}

static bool match_items(matcher *m, const fx_attr *pattern, const fx_attr *value)
{
    if (pattern->n != value->n) return false;
    for (int32_t i = 0; i < pattern->n; i++) {
        if (pattern->kind == FX_ATTR_DICT && strcmp(pattern->keys[i], value->keys[i]) != 0) return false;
        if (!match_value(m, &pattern->u.items[i], &value->u.items[i])) return false;
    }
    return true;
}

static void take_back(matcher *m, int32_t n_trail)
{
    while (m->n_trail > n_trail) {
        int32_t at = m->trail[--m->n_trail];
        m->nodes[at] = NULL;
        m->values[at].kind = FX_ATTR_KIND_COUNT;
    }
}

static bool may_swap(const fx_op *op, const fx_attr *args)
{
    int32_t n_params;
    const fx_param *params = op ? fx__op_params(op, &n_params) : NULL;
    if (!params || !op->commutes || args->n != n_params) return false;
    for (int32_t i = 2; i < args->n; i++)
        if (!fx_attr_equal(&args->u.items[i], &params[i].fallback)) return false;
    return true;
}

/* x + 1 is 1 + x too. The first order that fits is taken, and not reconsidered when something further out does not match. */
static bool match_args(matcher *m, int32_t at, const fx_op *op, const fx_attr *args)
{
    int32_t n_trail = m->n_trail;
    if (match_items(m, &m->bound[at], args)) return true;
    take_back(m, n_trail);
    if (!may_swap(op, args)) return false;
    fx_attr items[FX_PARAMS], swapped = *args;
    for (int32_t i = 0; i < args->n; i++) items[i] = args->u.items[i < 2 ? 1 - i : i];
    swapped.u.items = items;
    if (match_items(m, &m->bound[at], &swapped)) return true;
    take_back(m, n_trail);
    return false;
}

static bool match_call(matcher *m, int32_t at, fx_node *node)
{
    fx_node *pattern = m->pattern[at];
    if (node->id >= m->first_new || !same_function(pattern, node)) return false;
    fx_attr args;
    if (bind_args(m->graph, node, false, &args) != FX_OK || !match_args(m, at, fx__op_of(node), &args)) return false;
    return fx__op_of(node) || match_items(m, &pattern->kwargs, &node->kwargs);
}

static bool match_node(matcher *m, fx_node *pattern, const fx_attr *value)
{
    int32_t at = position_of(m, pattern);
    if (m->values[at].kind != FX_ATTR_KIND_COUNT) return fx_attr_equal(&m->values[at], value);
    fx_node *node = value->kind == FX_ATTR_NODE ? value->u.node : NULL;
    bool is_call = pattern->opcode != FX_PLACEHOLDER && pattern->opcode != FX_GET_ATTR;
    if (pattern->opcode == FX_GET_ATTR && (!node || node->opcode != FX_GET_ATTR)) return false;
    if (is_call && (!node || !match_call(m, at, node))) return false;
    m->nodes[at] = node;
    m->values[at] = *value;
    m->trail[m->n_trail++] = at;
    return true;
}

static bool has_node(const fx_attr *value)
{
    if (value->kind == FX_ATTR_NODE) return true;
    for (int32_t i = 0; fx__attr_has_items(value->kind) && i < value->n; i++)
        if (has_node(&value->u.items[i])) return true;
    return false;
}

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_FLOAT;
}

static float number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT ? (float)value->u.i : (float)value->u.f;
}

static bool match_literal(const fx_rewrite *rewrite, const fx_attr *pattern, const fx_attr *value)
{
    if (rewrite->ignore_literals && !has_node(value)) return true;
    if (rewrite->round_literals && is_number(pattern) && is_number(value)) return number(pattern) == number(value);
    return fx_attr_equal(pattern, value);
}

static bool match_value(matcher *m, const fx_attr *pattern, const fx_attr *value)
{
    if (pattern->kind == FX_ATTR_NODE) return match_node(m, pattern->u.node, value);
    if (!has_node(pattern)) return match_literal(m->rewrite, pattern, value);
    return fx__attr_has_items(pattern->kind) && pattern->kind == value->kind && match_items(m, pattern, value);
}

static bool is_inner(const matcher *m, int32_t at)
{
    fx_opcode opcode = m->pattern[at]->opcode;
    return m->nodes[at] && m->pattern[at] != m->anchor && opcode != FX_PLACEHOLDER && opcode != FX_GET_ATTR;
}

static bool is_matched_call(const matcher *m, const fx_node *node)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->nodes[i] == node && (is_inner(m, i) || m->pattern[i] == m->anchor)) return true;
    return false;
}

/* What the match computes on the way must not be used elsewhere: it goes away. */
static bool inner_nodes_are_private(const matcher *m)
{
    for (int32_t i = 0; i < m->n; i++) {
        if (!is_inner(m, i)) continue;
        for (int32_t u = 0; u < m->nodes[i]->n_users; u++)
            if (!is_matched_call(m, m->nodes[i]->users[u])) return false;
    }
    return true;
}

static bool match_at(matcher *m, fx_node *node)
{
    for (int32_t i = 0; i < m->n; i++) {
        m->nodes[i] = NULL;
        m->values[i].kind = FX_ATTR_KIND_COUNT; /* not matched yet */
    }
    m->n_trail = 0;
    fx_attr anchor = fx_node_attr(node), pattern = fx_node_attr((fx_node *)(intptr_t)m->anchor);
    return match_value(m, &pattern, &anchor) && inner_nodes_are_private(m);
}

static int32_t position_by_name(const fx_match *match, const char *name)
{
    int32_t at = 0;
    for (const fx_node *node = match->pattern->first; node && at < match->n_nodes; node = node->next, at++)
        if (strcmp(node->name, name) == 0) return at;
    return -1;
}

fx_node *fx_match_node(const fx_match *match, const char *pattern_name)
{
    int32_t at = position_by_name(match, pattern_name);
    return at < 0 ? NULL : match->nodes[at];
}

const fx_attr *fx_match_value(const fx_match *match, const char *pattern_name)
{
    int32_t at = position_by_name(match, pattern_name);
    return at < 0 ? NULL : &match->values[at];
}

/* ---- Replacing --------------------------------------------------------------------------------------------------------- */

typedef struct copying {
    matcher *m;
    fx_map here;     /* replacement node -> fx_attr * */
    fx_node *anchor; /* in the graph */
} copying;

static fx_attr copy_value(copying *c, const fx_attr *value);

static fx_attr copy_items(copying *c, const fx_attr *value)
{
    fx_attr *items = FX_NEW_ARRAY(c->m->arena, fx_attr, value->n);
    if (!items) return fx_none();
    for (int32_t i = 0; i < value->n; i++) items[i] = copy_value(c, &value->u.items[i]);
    if (value->kind == FX_ATTR_DICT) return fx_dict(c->m->graph, value->keys, items, value->n);
    fx_attr copy = fx_tuple(c->m->graph, items, value->n);
    if (copy.kind == FX_ATTR_TUPLE) copy.kind = value->kind;
    return copy;
}

static fx_attr copy_value(copying *c, const fx_attr *value)
{
    if (fx__attr_has_items(value->kind)) return copy_items(c, value);
    if (value->kind != FX_ATTR_NODE) return fx__attr_copy(c->m->graph, value, NULL, NULL);
    const fx_attr *here = fx__map_get(&c->here, value->u.node);
    return here ? *here : fx_none();
}

static bool remember(copying *c, const fx_node *there, fx_attr value)
{
    fx_attr *kept = FX_NEW(c->m->arena, fx_attr);
    if (!kept) return false;
    *kept = value;
    return fx__map_put(&c->here, there, kept);
}

/* The value of the pattern's i-th placeholder. */
static fx_attr placeholder_value(const matcher *m, int32_t index)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->pattern[i]->opcode == FX_PLACEHOLDER && index-- == 0) return m->values[i];
    return fx_none();
}

static bool copy_node(copying *c, const fx_node *node)
{
    fx_node_spec spec = {node->opcode, node->target,  copy_value(c, &node->args), copy_value(c, &node->kwargs), node->name,
                         false,        c->anchor->loc};
    fx_node *copy = fx_graph_create_node(c->m->graph, &spec);
    return copy && remember(c, node, fx_node_attr(copy));
}

/* Copies the replacement graph before the anchor; its output names what stands for it. */
static fx_node *build_replacement(copying *c)
{
    const fx_graph *replacement = c->m->rewrite->replacement;
    int32_t n_inputs = 0;
    fx__map_init(&c->here, c->m->arena);
    FX_EACH_NODE(node, replacement)
    {
        if (node->opcode == FX_OUTPUT) {
            fx_attr value = copy_value(c, fx__arg(node, 0));
            return value.kind == FX_ATTR_NODE ? value.u.node : NULL;
        }
        fx_attr input = node->opcode == FX_PLACEHOLDER ? placeholder_value(c->m, n_inputs++) : fx_none();
        bool good =
            node->opcode == FX_PLACEHOLDER ? input.kind != FX_ATTR_KIND_COUNT && remember(c, node, input) : copy_node(c, node);
        if (!good) return NULL;
    }
    return NULL;
}

static fx_node *build(matcher *m, const fx_match *match)
{
    if (m->rewrite->build) return m->rewrite->build(m->rewrite->user, m->graph, match);
    copying c = {.m = m, .anchor = match->anchor};
    return build_replacement(&c);
}

/* Erases nodes made in vain, newest first. */
static fx_status discard(fx_graph *graph, fx_node *before, const fx_node *anchor)
{
    for (fx_node *node = anchor->prev; node && node != before;) {
        fx_node *prev = node->prev;
        if (node->n_users == 0) FX_TRY(fx_graph_erase(graph, node));
        node = prev;
    }
    return FX_OK;
}

static fx_status erase_match(matcher *m)
{
    for (int32_t i = m->n - 1; i >= 0; i--) {
        bool ours = m->pattern[i] == m->anchor || is_inner(m, i);
        if (ours && m->nodes[i] && !m->nodes[i]->erased && m->nodes[i]->n_users == 0) FX_TRY(fx_graph_erase(m->graph, m->nodes[i]));
    }
    return FX_OK;
}

/* Later nodes get their types anew when the replacement's type is another one. */
static fx_status replace(matcher *m, fx_node *anchor, fx_node *with)
{
    const fx_type *type = fx_node_type(anchor, 0);
    bool retype = type && fx_node_type(with, 0) && !fx__core_same_type(anchor, with);
    if (fx_node_replace_all_uses(anchor, with) < 0) return FX_E_GRAPH;
    FX_TRY(erase_match(m));
    return retype ? fx_graph_propagate(m->graph) : FX_OK;
}

static fx_status rewrite_at(matcher *m, fx_node *anchor, int32_t *count)
{
    fx_match match = {anchor, m->nodes, m->n, m->rewrite->pattern, m->values};
    if (m->rewrite->filter && !m->rewrite->filter(m->rewrite->user, &match)) return FX_OK;
    fx_node *before = anchor->prev;
    fx_status status = fx_context_status(m->graph->context);
    fx_point point = fx_graph_insert_before(m->graph, anchor);
    fx_node *with = build(m, &match);
    fx_graph_set_point(m->graph, point);
    if (!with || with == anchor) {
        FX_TRY(discard(m->graph, before, anchor));
        return status == FX_OK ? fx_context_status(m->graph->context) : FX_OK;
    }
    FX_TRY(fx__core_settle_range(before ? before->next : m->graph->first, anchor));
    ++*count;
    return replace(m, anchor, with);
}

/* ---- Setting up -------------------------------------------------------------------------------------------------------- */

static fx_status read_pattern(matcher *m, const fx_graph *pattern)
{
    const fx_node *output = fx_graph_output_node(pattern);
    const fx_attr *value = output ? fx__arg(output, 0) : NULL;
    bool good = value && value->kind == FX_ATTR_NODE;
    good = good && value->u.node->opcode != FX_PLACEHOLDER && value->u.node->opcode != FX_GET_ATTR;
    if (!good) return fx__diag(m->graph->context, FX_E_ARG, NULL, "rewrite %s: the pattern's output is no call", m->rewrite->name);
    m->anchor = value->u.node;
    FX_EACH_NODE(node, pattern)
    {
        m->pattern[m->n] = node;
        if (!fx__map_put(&m->position, node, (void *)(intptr_t)(m->n + 1))) return FX_E_OOM;
        bool is_call = node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD;
        if (is_call) FX_TRY(bind_args((fx_graph *)(intptr_t)pattern, node, true, &m->bound[m->n]));
        m->n++;
    }
    return FX_OK;
}

static fx_status set_up(matcher *m)
{
    const fx_graph *pattern = m->rewrite->pattern;
    int32_t n = pattern ? pattern->n_nodes : 0;
    if (!n || (!m->rewrite->replacement && !m->rewrite->build))
        return fx__diag(m->graph->context, FX_E_ARG, NULL, "a rewrite needs a pattern and a replacement");
    m->pattern = FX_NEW_ARRAY(m->arena, fx_node *, n);
    m->bound = FX_NEW_ARRAY(m->arena, fx_attr, n);
    m->nodes = FX_NEW_ARRAY(m->arena, fx_node *, n);
    m->values = FX_NEW_ARRAY(m->arena, fx_attr, n);
    m->trail = FX_NEW_ARRAY(m->arena, int32_t, n);
    fx__map_init(&m->position, m->arena);
    if (!m->pattern || !m->bound || !m->nodes || !m->values || !m->trail) return FX_E_OOM;
    m->first_new = m->graph->next_id;
    return read_pattern(m, pattern);
}

static fx_status rewrite_all(matcher *m, int32_t *count)
{
    for (fx_node *node = m->graph->first, *next; node; node = next) {
        next = node->next;
        if (match_at(m, node)) FX_TRY(rewrite_at(m, node, count));
        while (next && next->erased) next = next->next;
    }
    return FX_OK;
}

fx_status fx_graph_rewrite(fx_graph *graph, const fx_rewrite *rewrite, int32_t *out_count)
{
    int32_t count = 0;
    matcher m = {.graph = graph, .rewrite = rewrite, .arena = fx__arena_new(graph->context)};
    if (!m.arena) return FX_E_OOM;
    fx_status status = set_up(&m);
    if (status == FX_OK) status = rewrite_all(&m, &count);
    fx__arena_free(m.arena);
    if (out_count) *out_count = count;
    return status;
}
