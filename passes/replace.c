/* SPDX-License-Identifier: Apache-2.0 */
/* passes/replace.c: putting replacements in the place of what passes/match.c finds: one by one in a walk (fx_graph_rewrite), or all
 * matches of the graph as it was (fx_graph_replace_pattern). */
#include "passes/match.h"
#include "passes/rounding.h"
#include <string.h>

typedef struct replacing {
    fx_matcher m;
    fx_match match;
    const fx_graph *replacement; /* of this match; NULL: build */
    fx_map here;                 /* replacement node -> fx_attr * */
    fx_map changed;              /* node replaced by this rewriting -> what stands for it */
    fx_node *before;             /* where new nodes go; NULL: the end */
    fx_attr *outputs;            /* [m.n_outputs] what stands for the outputs */
    const char *rounding;        /* how replacements round otherwise than what was there; NULL: they do not */
} replacing;

/* ---- Checks ------------------------------------------------------------------------------------------------------------- */

static const char *name_of(const replacing *r)
{
    return r->m.rewrite->name ? r->m.rewrite->name : "?";
}

/* The pattern's i-th placeholder; -1: it has fewer. */
static int32_t input_position(const fx_matcher *m, int32_t index)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->pattern[i]->opcode == FX_PLACEHOLDER && index-- == 0) return i;
    return -1;
}

static fx_status check_inputs(const replacing *r, const fx_graph *replacement)
{
    fx_context *context = r->m.graph->context;
    int32_t n_inputs = 0;
    FX_EACH_NODE(node, replacement)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        int32_t at = input_position(&r->m, n_inputs++);
        if (at >= 0 && node->n_users && r->m.pattern[at]->n_users == 0)
            return fx__diag(context, FX_E_ARG, NULL,
                            "rewrite %s: input %s of the replacement has no value, as the pattern does not use %s", name_of(r),
                            node->name, r->m.pattern[at]->name);
    }
    if (n_inputs == r->m.n_inputs) return FX_OK;
    return fx__diag(context, FX_E_ARG, NULL, "rewrite %s: the pattern has %d inputs, the replacement %d", name_of(r), r->m.n_inputs,
                    n_inputs);
}

static fx_status check_replacement(const replacing *r, const fx_graph *replacement)
{
    fx_context *context = r->m.graph->context;
    int32_t n_outputs = fx__match_outputs(replacement, NULL);
    if (replacement == r->m.graph)
        return fx__diag(context, FX_E_ARG, NULL, "rewrite %s: the replacement is the graph itself", name_of(r));
    FX_TRY(check_inputs(r, replacement));
    if (n_outputs < 0)
        return fx__diag(context, FX_E_ARG, NULL, "rewrite %s: the replacement has no output that names its values", name_of(r));
    if (n_outputs == r->m.n_outputs) return FX_OK;
    return fx__diag(context, FX_E_ARG, NULL, "rewrite %s: the pattern has %d outputs, the replacement %d", name_of(r),
                    r->m.n_outputs, n_outputs);
}

/* ---- Copies of the replacement ------------------------------------------------------------------------------------------ */

static fx_attr copy_value(replacing *r, const fx_attr *value);

static fx_attr copy_items(replacing *r, const fx_attr *value)
{
    fx_attr *items = FX_NEW_ARRAY(r->m.arena, fx_attr, value->n);
    if (!items) return fx_none();
    for (int32_t i = 0; i < value->n; i++) items[i] = copy_value(r, &value->u.items[i]);
    if (value->kind == FX_ATTR_DICT) return fx_dict(r->m.graph, value->keys, items, value->n);
    fx_attr copy = fx_tuple(r->m.graph, items, value->n);
    if (copy.kind == FX_ATTR_TUPLE) copy.kind = value->kind;
    return copy;
}

static fx_attr copy_value(replacing *r, const fx_attr *value)
{
    if (fx__attr_has_items(value->kind)) return copy_items(r, value);
    if (value->kind != FX_ATTR_NODE) return fx__attr_copy(r->m.graph, value, NULL, NULL);
    const fx_attr *here = fx__map_get(&r->here, value->u.node);
    return here ? *here : fx_none();
}

static bool remember(replacing *r, const fx_node *there, fx_attr value)
{
    fx_attr *kept = FX_NEW(r->m.arena, fx_attr);
    if (!kept) return false;
    *kept = value;
    return fx__map_put(&r->here, there, kept);
}

static fx_status adopt_tensor(fx_module *module, const fx_module *from, const char *path)
{
    const fx_tensor *tensor = fx_module_tensor(module, path) ? NULL : fx_module_tensor(from, path);
    fx_tensor copy = {0};
    if (!tensor) return FX_OK;
    if (fx_tensor_alloc(tensor->dtype, tensor->rank, tensor->dim, &copy) != FX_OK) return fx__diag_oom(module->context);
    fx_status status = tensor->data ? fx_tensor_copy(&copy, tensor) : FX_OK;
    if (status == FX_OK) status = fx_module_add_tensor(module, path, &copy, false, fx__module_release_tensor, NULL);
    if (status != FX_OK) fx_tensor_release(&copy);
    return status;
}

static fx_status adopt_submodule(fx_module *module, const fx_module *from, const char *path)
{
    const fx_module *submodule = fx_module_submodule(module, path) ? NULL : fx_module_submodule(from, path);
    if (!submodule) return FX_OK;
    fx_module *copy = fx__module_copy(submodule);
    return copy ? fx_module_add_submodule(module, path, copy) : fx__diag_failure(module->context, FX_E_GRAPH);
}

/* What the replacement's module knows of a path, and this graph's does not, is copied. */
static fx_status adopt_path(replacing *r, const fx_node *node)
{
    const fx_module *from = node->graph->module;
    if (!from || (node->opcode != FX_GET_ATTR && node->opcode != FX_CALL_MODULE)) return FX_OK;
    fx_module *module = fx__module_ensure(r->m.graph);
    if (!module) return FX_E_OOM;
    return (node->opcode == FX_GET_ATTR ? adopt_tensor : adopt_submodule)(module, from, node->target);
}

static fx_status type_tensor(fx_node *node)
{
    const fx_module *module = node->graph->module;
    const fx_tensor *tensor = node->opcode == FX_GET_ATTR && module ? fx_module_tensor(module, node->target) : NULL;
    if (!tensor) return FX_OK;
    fx_type type = fx__type_of_tensor(tensor);
    return fx_node_set_type(node, 0, &type);
}

static fx_status copy_node(replacing *r, const fx_node *node)
{
    FX_TRY(adopt_path(r, node));
    fx_node_spec spec = {node->opcode, node->target, copy_value(r, &node->args), copy_value(r, &node->kwargs),
                         node->name,   false,        r->match.anchor->loc};
    fx_node *copy = fx_graph_create_node(r->m.graph, &spec);
    if (!copy || !remember(r, node, fx_node_attr(copy))) return fx__diag_failure(r->m.graph->context, FX_E_GRAPH);
    FX_TRY(fx__node_copy_facts(copy, node, false));
    return type_tensor(copy);
}

static fx_status copy_outputs(replacing *r)
{
    const fx_attr *items;
    int32_t n = fx__match_outputs(r->replacement, &items);
    for (int32_t i = 0; i < n; i++) r->outputs[i] = copy_value(r, &items[i]);
    return FX_OK;
}

/* Copies the replacement graph to the insertion point; its output names what stands for the pattern's. */
static fx_status copy_replacement(replacing *r)
{
    int32_t n_inputs = 0;
    fx__map_init(&r->here, r->m.arena);
    FX_EACH_NODE(node, r->replacement)
    {
        if (node->opcode == FX_OUTPUT) break;
        if (node->opcode != FX_PLACEHOLDER)
            FX_TRY(copy_node(r, node));
        else if (!remember(r, node, r->m.values[input_position(&r->m, n_inputs++)]))
            return FX_E_OOM;
    }
    return copy_outputs(r);
}

/* ---- One replacement ------------------------------------------------------------------------------------------------------ */

/* Fills r->outputs; NODE with NULL: the match stays. */
static fx_status build(replacing *r)
{
    fx_graph *graph = r->m.graph;
    fx_status earlier = fx_context_status(graph->context), status = FX_OK;
    fx_point point = fx_graph_insert_before(graph, r->before ? r->before : graph->first);
    if (!r->before) fx_graph_set_point(graph, (fx_point){NULL});
    if (r->replacement)
        status = copy_replacement(r);
    else
        r->outputs[0] = fx_node_attr(r->m.rewrite->build(r->m.rewrite->user, graph, &r->match));
    fx_graph_set_point(graph, point);
    return status == FX_OK && earlier == FX_OK ? fx_context_status(graph->context) : status;
}

/* Erases nodes made in vain, newest first. */
static void discard(const replacing *r, const fx_node *last_old)
{
    fx_node *node = r->before ? r->before->prev : r->m.graph->last;
    for (fx_node *prev; node && node != last_old; node = prev) {
        prev = node->prev;
        if (node->n_users == 0) fx_graph_erase(r->m.graph, node);
    }
}

static bool outputs_are_new(const replacing *r)
{
    for (int32_t i = 0; i < r->m.n_outputs; i++)
        if (r->outputs[i].kind != FX_ATTR_NODE || !r->outputs[i].u.node || r->outputs[i].u.node == fx__matcher_output(&r->m, i))
            return false;
    return true;
}

static fx_status erase_match(fx_matcher *m)
{
    for (int32_t i = m->n - 1; i >= 0; i--)
        if (fx__matcher_is_call(m, i) && !m->nodes[i]->erased && m->nodes[i]->n_users == 0)
            FX_TRY(fx_graph_erase(m->graph, m->nodes[i]));
    return FX_OK;
}

static bool changes_type(const replacing *r)
{
    for (int32_t i = 0; i < r->m.n_outputs; i++) {
        const fx_node *old = fx__matcher_output(&r->m, i), *with = r->outputs[i].u.node;
        if (fx_node_type(old, 0) && fx_node_type(with, 0) && !fx__core_same_type(old, with)) return true;
    }
    return false;
}

/* Later nodes get their types anew; what has no row, or an input without a type, has none. */
static fx_status retype(const replacing *r)
{
    fx_map changed;
    fx__map_init(&changed, r->m.arena);
    for (int32_t i = 0; i < r->m.n_outputs; i++)
        if (!fx__map_put(&changed, r->outputs[i].u.node, r->outputs[i].u.node)) return FX_E_OOM;
    FX_EACH_NODE(node, r->m.graph)
    {
        bool follows = false;
        for (int32_t i = 0; i < node->n_inputs; i++) follows |= fx__map_get(&changed, node->inputs[i]) != NULL;
        if (!follows || node->opcode == FX_OUTPUT) continue;
        fx_node_set_type(node, 0, NULL);
        if (!fx__map_put(&changed, node, node)) return FX_E_OOM;
        FX_TRY(fx__core_settle(node));
    }
    return FX_OK;
}

/* What takes a match's place takes over what was said of its calls. */
static fx_status note_rounding(const replacing *r, fx_node *with)
{
    const fx_matcher *m = &r->m;
    for (int32_t i = 0; i < m->n; i++) {
        if (!fx__matcher_is_call(m, i)) continue;
        if (r->rounding) FX_TRY(fx__rounding_succeed(with, r->rounding, m->nodes[i]));
        FX_TRY(fx__rounding_inherit(with, m->nodes[i]));
    }
    return FX_OK;
}

static fx_status swap(replacing *r)
{
    bool retypes = changes_type(r);
    for (int32_t i = 0; i < r->m.n_outputs; i++) {
        fx_node *old = fx__matcher_output(&r->m, i), *with = r->outputs[i].u.node;
        if (old->erased || fx__map_get(&r->changed, old)) continue; /* named twice */
        if (fx_node_replace_all_uses(old, with) < 0) return fx__diag_failure(r->m.graph->context, FX_E_GRAPH);
        if (!fx__map_put(&r->changed, old, with)) return FX_E_OOM;
        FX_TRY(note_rounding(r, with));
    }
    FX_TRY(erase_match(&r->m));
    return retypes ? retype(r) : FX_OK;
}

/* The call of the match that a new node stands for: one of the same operator, else the anchor. */
static const fx_node *origin_of(const replacing *r, const fx_node *node)
{
    for (int32_t i = 0; i < r->m.n; i++)
        if (fx__matcher_is_call(&r->m, i) && r->m.nodes[i]->op && r->m.nodes[i]->op == node->op) return r->m.nodes[i];
    return r->match.anchor;
}

/* New nodes come from where the old ones did. */
static fx_status keep_origins(const replacing *r, fx_node *first)
{
    for (fx_node *node = first; node && node != r->before; node = node->next) {
        const fx_node *origin = origin_of(r, node);
        const fx_attr *path = fx_node_meta(origin, "module_path");
        if (node->opcode == FX_GET_ATTR) continue;
        if (origin->loc.file) fx_node_set_loc(node, origin->loc);
        if (path) FX_TRY(fx_node_set_meta(node, "module_path", *path));
    }
    return FX_OK;
}

/* Replaces the match under way; *out_first is the first node made, or r->before when there is none. */
static fx_status replace(replacing *r, fx_node **out_first, bool *out_done)
{
    fx_graph *graph = r->m.graph;
    fx_node *last_old = r->before ? r->before->prev : graph->last;
    fx_status status = build(r);
    *out_first = last_old ? last_old->next : graph->first;
    *out_done = status == FX_OK && outputs_are_new(r);
    if (*out_done) status = keep_origins(r, *out_first);
    if (*out_done && status == FX_OK) status = fx__core_settle_range(*out_first, r->before);
    if (!*out_done || status != FX_OK) {
        discard(r, last_old);
        *out_first = r->before;
        return status;
    }
    return swap(r);
}

static fx_status set_up(replacing *r, fx_graph *graph, const fx_rewrite *rewrite)
{
    r->m = (fx_matcher){.graph = graph, .rewrite = rewrite, .arena = r->m.arena};
    fx__map_init(&r->changed, r->m.arena);
    if (!rewrite->replacement && !rewrite->build && !rewrite->choose)
        return fx__diag(graph->context, FX_E_ARG, NULL, "rewrite %s: it has no replacement", name_of(r));
    FX_TRY(fx__matcher_set_up(&r->m));
    r->outputs = FX_NEW_ARRAY(r->m.arena, fx_attr, r->m.n_outputs);
    if (!r->outputs) return FX_E_OOM;
    if (r->m.n_outputs > 1 && rewrite->build)
        return fx__diag(graph->context, FX_E_ARG, NULL, "rewrite %s: a pattern of several outputs needs a replacement graph",
                        name_of(r));
    r->replacement = rewrite->build || rewrite->choose ? NULL : rewrite->replacement;
    return r->replacement ? check_replacement(r, r->replacement) : FX_OK;
}

static fx_match match_under_way(const replacing *r)
{
    const fx_matcher *m = &r->m;
    return (fx_match){m->nodes[m->anchors[0]], m->nodes, m->n, m->rewrite->pattern, m->values};
}

/* ---- One by one ------------------------------------------------------------------------------------------------------------ */

static fx_status rewrite_at(replacing *r, fx_node *anchor, int32_t *count)
{
    fx_node *first;
    bool done;
    r->match = match_under_way(r);
    if (r->m.rewrite->filter && !r->m.rewrite->filter(r->m.rewrite->user, &r->match)) return FX_OK;
    r->before = anchor;
    FX_TRY(replace(r, &first, &done));
    *count += done;
    return FX_OK;
}

static fx_status rewrite_all(replacing *r, int32_t *count)
{
    if (r->m.n_outputs > 1 || r->m.rewrite->choose)
        return fx__diag(r->m.graph->context, FX_E_ARG, NULL,
                        "rewrite %s: several outputs, and chosen replacements, need "
                        "fx_graph_replace_pattern",
                        name_of(r));
    for (fx_node *node = r->m.graph->first, *next; node; node = next) {
        next = node->next;
        if (fx__matcher_at(&r->m, node)) FX_TRY(rewrite_at(r, node, count));
        while (next && next->erased) next = next->next;
    }
    return FX_OK;
}

fx_status fx__graph_rewrite(fx_graph *graph, const fx_rewrite *rewrite, const char *rounding, int32_t *out_count)
{
    int32_t count = 0;
    replacing r = {.m.arena = fx__arena_new(graph->context), .rounding = rounding};
    if (!r.m.arena) return FX_E_OOM;
    fx_status status = set_up(&r, graph, rewrite);
    if (status == FX_OK) status = rewrite_all(&r, &count);
    fx__arena_free(r.m.arena);
    if (out_count) *out_count = count;
    return status;
}

fx_status fx_graph_rewrite(fx_graph *graph, const fx_rewrite *rewrite, int32_t *out_count)
{
    return fx__graph_rewrite(graph, rewrite, NULL, out_count);
}

/* ---- All at once ----------------------------------------------------------------------------------------------------------- */

typedef struct found {
    fx_match match;
    fx_node **nodes;
    fx_attr *values;
    const fx_graph *replacement;
} found;

struct fx_replacements {
    fx_arena *arena;
    found *found;
    int32_t n_found, cap_found;
    fx_replaced *items;
    int32_t n;
};

/* Numbers cannot stand for nodes: an output of the replacement that is an input must have matched a node. */
static fx_status check_outputs(const replacing *r)
{
    const fx_attr *items;
    int32_t n = fx__match_outputs(r->replacement, &items);
    for (int32_t i = 0; i < n; i++) {
        int32_t index = 0;
        if (items[i].u.node->opcode != FX_PLACEHOLDER) continue;
        for (const fx_node *node = items[i].u.node->prev; node; node = node->prev) index += node->opcode == FX_PLACEHOLDER;
        if (r->m.values[input_position(&r->m, index)].kind != FX_ATTR_NODE)
            return fx__diag_node(r->match.anchor, FX_E_ARG, "rewrite %s: the replacement is its input %s, which matched no node",
                                 name_of(r), items[i].u.node->name);
    }
    return FX_OK;
}

/* *out_good: this match is to be replaced. */
static fx_status accept(replacing *r, bool *out_good)
{
    const fx_rewrite *rewrite = r->m.rewrite;
    r->match = match_under_way(r);
    *out_good = !rewrite->filter || rewrite->filter(rewrite->user, &r->match);
    if (!*out_good || rewrite->build) return FX_OK;
    if (rewrite->choose) {
        r->replacement = rewrite->choose(rewrite->user, &r->match);
        *out_good = r->replacement != NULL;
        if (!*out_good) return FX_OK;
        FX_TRY(check_replacement(r, r->replacement));
    }
    return check_outputs(r);
}

static fx_status keep(replacing *r, fx_replacements *list)
{
    fx_matcher *m = &r->m;
    found *all = fx__arena_grow(list->arena, list->found, &list->cap_found, list->n_found, sizeof *all);
    found it = {.nodes = FX_NEW_ARRAY(list->arena, fx_node *, m->n), .values = FX_NEW_ARRAY(list->arena, fx_attr, m->n)};
    if (!all || !it.nodes || !it.values) return FX_E_OOM;
    memcpy(it.nodes, m->nodes, (size_t)m->n * sizeof *it.nodes);
    memcpy(it.values, m->values, (size_t)m->n * sizeof *it.values);
    it.match = (fx_match){r->match.anchor, it.nodes, m->n, r->match.pattern, it.values};
    it.replacement = r->replacement;
    list->found = all;
    all[list->n_found++] = it;
    for (int32_t i = 0; i < m->n; i++)
        if (fx__matcher_is_call(m, i) && !fx__map_put(&m->taken, m->nodes[i], m->nodes[i])) return FX_E_OOM;
    return FX_OK;
}

static fx_status find_all(replacing *r, fx_replacements *list)
{
    FX_EACH_NODE(node, r->m.graph)
    {
        bool good;
        if (!fx__matcher_at(&r->m, node)) continue;
        FX_TRY(accept(r, &good));
        if (good) FX_TRY(keep(r, list));
    }
    return FX_OK;
}

static fx_node *node_now(void *user, fx_node *node)
{
    const replacing *r = user;
    for (fx_node *with; (with = fx__map_get(&r->changed, node)) != NULL;) node = with;
    return node;
}

/* Takes up a match again; inputs that an earlier match replaced are what replaced them. */
static fx_status resume(replacing *r, found *it)
{
    r->match = it->match;
    r->m.nodes = it->nodes;
    r->m.values = it->values;
    r->replacement = it->replacement;
    for (int32_t i = 0; i < r->m.n; i++) {
        if (fx__matcher_is_call(&r->m, i) || it->values[i].kind == FX_ATTR_KIND_COUNT) continue;
        it->values[i] = fx__attr_copy(r->m.graph, &it->values[i], node_now, r);
        it->nodes[i] = it->values[i].kind == FX_ATTR_NODE ? it->values[i].u.node : NULL;
    }
    return fx__diag_failure(r->m.graph->context, FX_OK);
}

static bool is_value(const fx_matcher *m, const fx_node *node)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->nodes[i] == node && !fx__matcher_is_call(m, i)) return true;
    return false;
}

/* Several outputs may be used before all inputs are there: such users, and what follows from them, move behind the last input. */
static fx_status make_room(replacing *r)
{
    fx_matcher *m = &r->m;
    fx_node *last = NULL;
    fx_map later;
    fx__map_init(&later, m->arena);
    FX_EACH_NODE(node, m->graph)
    if (is_value(m, node)) last = node;
    fx_node *end = last ? last->next : m->graph->first;
    for (fx_node *node = m->graph->first, *next; node && last && node != last; node = next) {
        bool follows = false;
        next = node->next;
        if (fx__matcher_has_call(m, node)) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            follows |= fx__map_get(&later, node->inputs[i]) || fx__matcher_has_call(m, node->inputs[i]);
        if (!follows) continue;
        if (!fx__map_put(&later, node, node)) return FX_E_OOM;
        FX_TRY(end ? fx_node_prepend(end, node) : fx_node_append(m->graph->last, node));
    }
    return FX_OK;
}

static bool uses_output(const fx_matcher *m, const fx_node *node)
{
    for (int32_t i = 0; i < m->n_outputs; i++)
        for (int32_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] == fx__matcher_output(m, i)) return true;
    return false;
}

/* The first user of an output; without users, what stands behind the match. */
static fx_node *insertion_point(const fx_matcher *m)
{
    fx_node *last = NULL;
    FX_EACH_NODE(node, m->graph)
    {
        bool inside = fx__matcher_has_call(m, node);
        if (!inside && uses_output(m, node)) return node;
        if (inside || is_value(m, node)) last = node;
    }
    return last->next;
}

static fx_status note_made(fx_replacements *list, fx_replaced *item, fx_node *first, const fx_node *end)
{
    int32_t n = 0;
    for (fx_node *node = first; node && node != end; node = node->next) n++;
    fx_node **made = FX_NEW_ARRAY(list->arena, fx_node *, n);
    if (!made) return FX_E_OOM;
    item->made = made;
    for (fx_node *node = first; node && node != end; node = node->next) made[item->n_made++] = node;
    return FX_OK;
}

static fx_status apply(replacing *r, fx_replacements *list, found *it)
{
    fx_node *first;
    bool done;
    FX_TRY(resume(r, it));
    if (r->m.n_outputs > 1) FX_TRY(make_room(r));
    r->before = r->m.rewrite->build ? it->match.anchor : insertion_point(&r->m);
    FX_TRY(replace(r, &first, &done));
    if (!done) return FX_OK;
    fx_replaced *item = &list->items[list->n++];
    item->match = it->match;
    return note_made(list, item, first, r->before);
}

static fx_status replace_all(replacing *r, fx_replacements *list)
{
    list->items = FX_NEW_ARRAY(list->arena, fx_replaced, list->n_found);
    if (!list->items) return FX_E_OOM;
    for (int32_t i = 0; i < list->n_found; i++) FX_TRY(apply(r, list, &list->found[i]));
    return FX_OK;
}

fx_status fx_graph_replace_pattern(fx_graph *graph, const fx_rewrite *rewrite, fx_replacements **out)
{
    fx_arena *arena = fx__arena_new(graph->context);
    fx_replacements *list = arena ? FX_NEW(arena, fx_replacements) : NULL;
    replacing r = {.m.arena = arena};
    fx_status status = list ? set_up(&r, graph, rewrite) : FX_E_OOM;
    if (list) list->arena = arena;
    if (status == FX_OK) status = find_all(&r, list);
    if (status == FX_OK) status = replace_all(&r, list);
    bool given = status == FX_OK && out;
    if (out) *out = given ? list : NULL;
    if (!given) fx__arena_free(arena);
    return status;
}

int32_t fx_replacements_count(const fx_replacements *replacements)
{
    return replacements->n;
}

const fx_replaced *fx_replacements_get(const fx_replacements *replacements, int32_t index)
{
    return index >= 0 && index < replacements->n ? &replacements->items[index] : NULL;
}

void fx_replacements_free(fx_replacements *replacements)
{
    if (replacements) fx__arena_free(replacements->arena);
}
