/* SPDX-License-Identifier: Apache-2.0 */
/* passes/match.c: finding patterns. A node of a pattern matches a node of the same operator whose arguments, bound to the
 * operator's schema, match in turn, in either order where the operator commutes; a placeholder matches any value, a get_attr any
 * get_attr. Built-in rewrites use this. */
#include "passes/match.h"
#include <string.h>

/* ---- What a node calls --------------------------------------------------------------------------------------------------- */

static bool is_leaf_value(const fx_attr *value)
{
    if (value->kind == FX_ATTR_NODE) return value->u.node->opcode == FX_PLACEHOLDER;
    for (int32_t i = 0; fx__attr_has_items(value->kind) && i < value->n; i++)
        if (!is_leaf_value(&value->u.items[i])) return false;
    return true;
}

/* The one call that a submodule without parameters consists of (a ReLU, a Flatten); NULL: it is another one. */
static const fx_node *leaf_call(const fx_node *node)
{
    const fx_graph *graph = node->graph;
    const fx_module *module = graph->module ? fx_module_submodule(graph->module, node->target) : NULL;
    const fx_node *output = module ? fx_graph_output_node(module->graph) : NULL;
    const fx_attr *value = output ? fx__arg(output, 0) : NULL;
    const fx_node *call = value && value->kind == FX_ATTR_NODE ? value->u.node : NULL;
    if (!call || !fx__op_of(call) || !is_leaf_value(&call->args) || !is_leaf_value(&call->kwargs)) return NULL;
    FX_EACH_NODE(inner, module->graph)
    if (inner->opcode != FX_PLACEHOLDER && inner != call && inner != output) return NULL;
    return call;
}

static const fx_attr *module_argument(const fx_node *node, const fx_node *placeholder)
{
    int32_t index = 0;
    for (const fx_node *it = placeholder->prev; it; it = it->prev) index += it->opcode == FX_PLACEHOLDER;
    if (index < node->args.n) return fx__arg(node, index);
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], placeholder->target) == 0) return &node->kwargs.u.items[i];
    return NULL;
}

/* The value of an argument of the leaf's call, in terms of the module call's arguments. */
static bool leaf_argument(fx_graph *graph, const fx_node *node, const fx_attr *value, fx_attr *out)
{
    fx_attr items[FX_PARAMS];
    if (value->kind == FX_ATTR_NODE) {
        const fx_attr *given = module_argument(node, value->u.node);
        if (given) *out = *given;
        return given != NULL;
    }
    *out = *value;
    if (!fx__attr_has_items(value->kind) || value->n == 0) return true;
    if (value->kind == FX_ATTR_DICT || value->n > FX_PARAMS) return false;
    for (int32_t i = 0; i < value->n; i++)
        if (!leaf_argument(graph, node, &value->u.items[i], &items[i])) return false;
    *out = fx_tuple(graph, items, value->n);
    out->kind = out->kind == FX_ATTR_TUPLE ? value->kind : FX_ATTR_NONE;
    return out->kind != FX_ATTR_NONE;
}

/* What a call means: its row and the call whose arguments fit the row's schema. NULL: no row. */
static const fx_op *op_of(const fx_node *node, const fx_node **out_call)
{
    *out_call = node;
    if (node->opcode != FX_CALL_MODULE) return fx__op_of(node);
    const fx_node *leaf = leaf_call(node);
    if (leaf) *out_call = leaf;
    return leaf ? fx__op_of(leaf) : NULL;
}

/* False also where the arguments do not fit: nothing is said of it. */
static bool bind_args(fx_graph *graph, const fx_node *node, const fx_node *call, const fx_op *op, bool pattern, fx_attr *out)
{
    fx_attr bound[FX_PARAMS];
    int32_t n;
    *out = node->args;
    if (graph->core && call == node) return true;
    fx__op_params(op, &n);
    fx_diag_mark mark = fx__diag_mark(graph->context);
    if ((pattern ? fx__op_bind_pattern : fx__op_bind)(graph, call, op, bound) != FX_OK) {
        fx__diag_rewind(graph->context, mark);
        return false;
    }
    for (int32_t i = 0; i < n && call != node; i++)
        if (!leaf_argument(graph, node, &bound[i], &bound[i])) return false;
    *out = fx_tuple(graph, bound, n);
    return out->kind == FX_ATTR_TUPLE;
}

/* ---- Values -------------------------------------------------------------------------------------------------------------- */

static bool match_value(fx_matcher *m, const fx_attr *pattern, const fx_attr *value);

static int32_t position_of(const fx_matcher *m, const fx_node *pattern)
{
    return (int32_t)(intptr_t)fx__map_get(&m->position, pattern) - 1;
}

static const fx_attr *entry_of(const fx_attr *dict, const char *key)
{
    for (int32_t i = 0; i < dict->n; i++)
        if (strcmp(dict->keys[i], key) == 0) return &dict->u.items[i];
    return NULL;
}

static bool match_items(fx_matcher *m, const fx_attr *pattern, const fx_attr *value)
{
    if (pattern->n != value->n) return false;
    for (int32_t i = 0; i < pattern->n; i++) {
        const fx_attr *item = pattern->kind == FX_ATTR_DICT ? entry_of(value, pattern->keys[i]) : &value->u.items[i];
        if (!item || !match_value(m, &pattern->u.items[i], item)) return false;
    }
    return true;
}

static void take_back(fx_matcher *m, int32_t n_trail)
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
static bool match_args(fx_matcher *m, int32_t at, const fx_op *op, const fx_attr *args)
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

static bool match_raw(fx_matcher *m, int32_t at, const fx_node *node)
{
    const fx_node *pattern = m->pattern[at];
    if (pattern->opcode != node->opcode || strcmp(pattern->target, node->target) != 0) return false;
    return match_args(m, at, NULL, &node->args) && match_items(m, &pattern->kwargs, &node->kwargs);
}

static bool match_call(fx_matcher *m, int32_t at, fx_node *node)
{
    fx_attr args;
    if (node->id >= m->first_new || node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR) return false;
    if (!m->ops[at]) return match_raw(m, at, node);
    const fx_node *call;
    if (op_of(node, &call) != m->ops[at] || !bind_args(m->graph, node, call, m->ops[at], false, &args)) return false;
    return match_args(m, at, m->ops[at], &args);
}

static bool match_node(fx_matcher *m, fx_node *pattern, const fx_attr *value)
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

static bool match_value(fx_matcher *m, const fx_attr *pattern, const fx_attr *value)
{
    if (pattern->kind == FX_ATTR_NODE) return match_node(m, pattern->u.node, value);
    if (!has_node(pattern)) return match_literal(m->rewrite, pattern, value);
    return fx__attr_has_items(pattern->kind) && pattern->kind == value->kind && match_items(m, pattern, value);
}

/* ---- Whole matches ------------------------------------------------------------------------------------------------------- */

bool fx__matcher_has_call(const fx_matcher *m, const fx_node *node)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->nodes[i] == node && fx__matcher_is_call(m, i)) return true;
    return false;
}

static bool is_output(const fx_matcher *m, int32_t at)
{
    for (int32_t i = 0; i < m->n_outputs; i++)
        if (m->outputs[i] == at) return true;
    return false;
}

/* What the match computes on the way must not be used elsewhere: it goes away. Nor may it belong to an earlier match. */
static bool is_contained(const fx_matcher *m)
{
    for (int32_t i = 0; i < m->n; i++) {
        if (!fx__matcher_is_call(m, i)) continue;
        if (fx__map_get(&m->taken, m->nodes[i])) return false;
        for (int32_t u = 0; u < m->nodes[i]->n_users && !is_output(m, i); u++)
            if (!fx__matcher_has_call(m, m->nodes[i]->users[u])) return false;
    }
    return true;
}

/* An output that is also an input of the match would have to exist before its own replacement. */
static bool outputs_are_no_inputs(const fx_matcher *m)
{
    for (int32_t i = 0; i < m->n_outputs; i++)
        for (int32_t k = 0; k < m->n; k++)
            if (m->nodes[k] == m->nodes[m->outputs[i]] && !fx__matcher_is_call(m, k)) return false;
    return true;
}

static bool outputs_differ(const fx_matcher *m)
{
    for (int32_t i = 0; i < m->n_anchors; i++)
        for (int32_t k = 0; k < i; k++)
            if (m->nodes[m->anchors[i]] == m->nodes[m->anchors[k]]) return false;
    return true;
}

/* With several outputs, a node in between may need one of them and be needed for another: the match cannot become one piece. */
static bool is_convex(fx_matcher *m)
{
    fx_map between;
    if (m->n_outputs < 2) return true;
    fx__map_init(&between, m->arena);
    FX_EACH_NODE(node, m->graph)
    {
        bool inside = fx__matcher_has_call(m, node), follows = false;
        for (int32_t i = 0; i < node->n_inputs; i++) {
            bool after = fx__map_get(&between, node->inputs[i]) != NULL;
            if (inside && after) return false;
            follows |= after || fx__matcher_has_call(m, node->inputs[i]);
        }
        if (follows && !inside && !fx__map_put(&between, node, node)) return false;
    }
    return true;
}

/* The other anchors may be anywhere in the graph. */
static bool match_anchors(fx_matcher *m, int32_t index)
{
    if (index == m->n_anchors) return outputs_differ(m) && outputs_are_no_inputs(m) && is_contained(m) && is_convex(m);
    FX_EACH_NODE(node, m->graph)
    {
        int32_t n_trail = m->n_trail;
        fx_attr value = fx_node_attr(node);
        if (match_node(m, m->pattern[m->anchors[index]], &value) && match_anchors(m, index + 1)) return true;
        take_back(m, n_trail);
    }
    return false;
}

bool fx__matcher_at(fx_matcher *m, fx_node *node)
{
    for (int32_t i = 0; i < m->n; i++) {
        m->nodes[i] = NULL;
        m->values[i].kind = FX_ATTR_KIND_COUNT;
    }
    m->n_trail = 0;
    fx_attr value = fx_node_attr(node);
    return match_node(m, m->pattern[m->anchors[0]], &value) && match_anchors(m, 1);
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

/* ---- Reading the pattern --------------------------------------------------------------------------------------------------- */

int32_t fx__match_outputs(const fx_graph *graph, const fx_attr **out)
{
    const fx_node *output = fx_graph_output_node(graph);
    const fx_attr *value = output ? fx__arg(output, 0) : NULL;
    if (!value) return -1;
    bool many = value->kind == FX_ATTR_TUPLE || value->kind == FX_ATTR_LIST;
    const fx_attr *items = many ? value->u.items : value;
    int32_t n = many ? value->n : 1;
    for (int32_t i = 0; i < n; i++)
        if (items[i].kind != FX_ATTR_NODE) return -1;
    if (out) *out = items;
    return n;
}

static fx_status refuse(const fx_matcher *m, const char *what, const fx_node *node)
{
    return fx__diag(m->graph->context, FX_E_ARG, node ? &node->loc : NULL, "rewrite %s: %s%s%s",
                    m->rewrite->name ? m->rewrite->name : "?", what, node ? ": " : "", node ? node->name : "");
}

static fx_status read_outputs(fx_matcher *m)
{
    const fx_attr *items = NULL;
    int32_t n = fx__match_outputs(m->rewrite->pattern, &items);
    if (n < 1) return refuse(m, "the pattern has no output that names its values", NULL);
    m->outputs = FX_NEW_ARRAY(m->arena, int32_t, n);
    m->anchors = FX_NEW_ARRAY(m->arena, int32_t, n);
    if (!m->outputs || !m->anchors) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) {
        fx_node *node = items[i].u.node;
        if (node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR)
            return refuse(m, "the pattern's output is no call", node);
        bool again = is_output(m, position_of(m, node));
        m->outputs[m->n_outputs++] = position_of(m, node);
        if (!again && node->n_users == 1) m->anchors[m->n_anchors++] = position_of(m, node);
    }
    return FX_OK;
}

static fx_status read_node(fx_matcher *m, fx_node *node)
{
    int32_t at = m->n++;
    m->pattern[at] = node;
    m->bound[at] = node->args;
    m->n_inputs += node->opcode == FX_PLACEHOLDER;
    if (!fx__map_put(&m->position, node, (void *)(intptr_t)m->n)) return FX_E_OOM;
    bool is_call = node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE;
    if (!is_call && node->opcode != FX_GET_ATTR) return FX_OK;
    if (node->n_users == 0) return refuse(m, "the pattern has dead code", node);
    const fx_node *call;
    m->ops[at] = is_call ? op_of(node, &call) : NULL;
    if (!m->ops[at] || bind_args((fx_graph *)(intptr_t)m->rewrite->pattern, node, call, m->ops[at], true, &m->bound[at]))
        return FX_OK;
    return fx_context_status(m->graph->context) == FX_E_OOM ? FX_E_OOM : refuse(m, "the arguments in the pattern do not fit", node);
}

fx_status fx__matcher_set_up(fx_matcher *m)
{
    const fx_graph *pattern = m->rewrite->pattern;
    int32_t n = pattern ? pattern->n_nodes : 0;
    if (pattern == m->graph) return refuse(m, "the pattern is the graph itself", NULL);
    m->pattern = FX_NEW_ARRAY(m->arena, fx_node *, n + 1);
    m->ops = FX_NEW_ARRAY(m->arena, const fx_op *, n + 1);
    m->bound = FX_NEW_ARRAY(m->arena, fx_attr, n + 1);
    m->nodes = FX_NEW_ARRAY(m->arena, fx_node *, n + 1);
    m->values = FX_NEW_ARRAY(m->arena, fx_attr, n + 1);
    m->trail = FX_NEW_ARRAY(m->arena, int32_t, n + 1);
    fx__map_init(&m->position, m->arena);
    fx__map_init(&m->taken, m->arena);
    if (!m->pattern || !m->ops || !m->bound || !m->nodes || !m->values || !m->trail) return FX_E_OOM;
    m->first_new = m->graph->next_id;
    fx_status status = pattern ? FX_OK : refuse(m, "it has no pattern", NULL);
    for (fx_node *node = pattern ? pattern->first : NULL; node; node = node->next) {
        fx_status one = read_node(m, node);
        if (status == FX_OK) status = one;
    }
    return status == FX_OK ? read_outputs(m) : status;
}
