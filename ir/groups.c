/* SPDX-License-Identifier: Apache-2.0 */
/* ir/groups.c: the tree of modules that a graph's nodes come from (fxjit/draw.h). Paths of every origin are cut into the same
 * words: a number stays with the word before it, so "layers.0.norm.weight" and "/layers.0/norm/Mul" meet in layers.0 > norm. */
#include "fxjit/draw.h"
#include "ir/graph.h"
#include <ctype.h>
#include <string.h>

typedef struct module_group {
    const char *name;                   /* interned */
    int32_t parent, depth, child, next; /* child, next: the children as a list */
} module_group;

struct fx_groups {
    fx_arena *arena;
    const fx_graph *graph;
    module_group *items;
    int32_t n, capacity;
    int32_t *of; /* by node id; UNKNOWN while building */
};
enum { UNKNOWN = -1 };

/* ---- The tree ---------------------------------------------------------------------------------------------------------------- */

static int32_t add_group(fx_groups *g, int32_t parent, const char *name)
{
    module_group *items = fx__arena_grow(g->arena, g->items, &g->capacity, g->n, sizeof *items);
    if (!items) return UNKNOWN;
    g->items = items;
    items[g->n] = (module_group){.name = name, .parent = parent, .child = UNKNOWN, .next = UNKNOWN};
    if (parent >= 0) {
        items[g->n].depth = items[parent].depth + 1;
        items[g->n].next = items[parent].child;
        items[parent].child = g->n;
    }
    return g->n++;
}

static int32_t child_named(fx_groups *g, int32_t parent, const char *word, size_t bytes)
{
    const char *name = fx__intern_n(fx__arena_context(g->arena), word, bytes);
    if (!name) return UNKNOWN;
    for (int32_t child = g->items[parent].child; child >= 0; child = g->items[child].next)
        if (g->items[child].name == name) return child;
    return add_group(g, parent, name);
}

static int32_t common(const fx_groups *g, int32_t a, int32_t b)
{
    while (a != b)
        if (g->items[a].depth >= g->items[b].depth)
            a = g->items[a].parent;
        else
            b = g->items[b].parent;
    return a;
}

/* ---- Paths ------------------------------------------------------------------------------------------------------------------- */

static bool is_number(const char *word, const char *end)
{
    const char *at = word;
    while (at < end && isdigit((unsigned char)*at)) at++;
    return at > word && (at == end || *at == '.' || *at == '/');
}

/* The end of the first word: a slash, or a dot that no number follows. */
static const char *word_end(const char *word, const char *end)
{
    const char *at = word;
    while (at < end && *at != '/' && !(*at == '.' && !is_number(at + 1, end))) at++;
    return at;
}

/* The group of path[0..bytes), made when it is new; UNKNOWN: out of memory. */
static int32_t group_of_path(fx_groups *g, const char *path, size_t bytes)
{
    const char *end = path + bytes;
    int32_t at = 0;
    for (const char *word = path; word < end && at >= 0;) {
        const char *stop = word_end(word, end);
        if (stop > word) at = child_named(g, at, word, (size_t)(stop - word));
        word = stop + 1;
    }
    return at;
}

static const char *parameter_path(const fx_node *node, size_t *bytes)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_node *input = node->inputs[i];
        const char *dot = input->opcode == FX_GET_ATTR ? strrchr(input->target, '.') : NULL;
        if (!dot || strpbrk(input->target, ":/")) continue; /* a file's own names are no paths */
        *bytes = (size_t)(dot - input->target);
        return input->target;
    }
    return NULL;
}

/* Where a node says it comes from, without its own last word; NULL: it does not say. */
static const char *told_path(const fx_node *node, size_t *bytes)
{
    const fx_attr *meta = fx_node_meta(node, "module_path");
    const char *whole = meta && meta->kind == FX_ATTR_STR ? meta->u.s : node->opcode == FX_CALL_MODULE ? node->target : NULL;
    if (whole) {
        *bytes = strlen(whole);
        return whole;
    }
    const char *name = node->loc.function;
    if (!name || name[0] != '/') return parameter_path(node, bytes);
    *bytes = (size_t)(strrchr(name, '/') - name);
    return name;
}

static bool is_call(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------- */

static fx_status place_told(fx_groups *g)
{
    FX_EACH_NODE(node, g->graph)
    {
        size_t bytes = 0;
        const char *path = is_call(node) ? told_path(node, &bytes) : NULL;
        g->of[node->id] = path ? group_of_path(g, path, bytes) : UNKNOWN;
        if (path && g->of[node->id] < 0) return FX_E_OOM;
    }
    return FX_OK;
}

static void join(const fx_groups *g, int32_t *group, const fx_node *other)
{
    int32_t theirs = is_call(other) ? g->of[other->id] : UNKNOWN;
    if (theirs >= 0) *group = *group < 0 ? theirs : common(g, *group, theirs);
}

static int32_t deeper(const fx_groups *g, int32_t a, int32_t b)
{
    if (a < 0 || b < 0) return a < 0 ? b : a;
    return g->items[b].depth > g->items[a].depth ? b : a;
}

/* The next group that a node tells, from here on. */
static int32_t next_told(const fx_groups *g, const fx_node *node)
{
    while (node && !(is_call(node) && g->of[node->id] >= 0)) node = node->next;
    return node ? g->of[node->id] : UNKNOWN;
}

/* What a module's forward does itself stands between the calls of its submodules. */
static void place_between(const fx_groups *g, int32_t *group)
{
    int32_t before = UNKNOWN, after = UNKNOWN;
    const fx_node *seen = NULL; /* `after` holds up to this node */
    FX_EACH_NODE(node, g->graph)
    {
        group[node->id] = UNKNOWN;
        if (!is_call(node)) continue;
        if (g->of[node->id] >= 0) {
            before = g->of[node->id];
            seen = NULL;
            continue;
        }
        if (!seen) after = next_told(g, node);
        seen = node;
        if (before >= 0 && after >= 0) group[node->id] = common(g, before, after);
    }
}

static void place_others(fx_groups *g, const int32_t *between)
{
    FX_EACH_NODE(node, g->graph)
    {
        int32_t group = UNKNOWN;
        if (!is_call(node) || g->of[node->id] >= 0) continue;
        for (int32_t i = 0; i < node->n_inputs; i++) join(g, &group, node->inputs[i]);
        for (int32_t i = 0; i < node->n_users; i++) join(g, &group, node->users[i]);
        group = deeper(g, group, between[node->id]);
        g->of[node->id] = group < 0 ? 0 : group;
    }
    FX_EACH_NODE(node, g->graph)
    {
        const fx_node *user = node->opcode == FX_GET_ATTR && node->n_users ? node->users[0] : NULL;
        if (!is_call(node)) g->of[node->id] = user && is_call(user) ? g->of[user->id] : 0;
    }
}

static fx_status fill(fx_groups *g)
{
    g->of = FX_NEW_ARRAY(g->arena, int32_t, fx_graph_id_count(g->graph));
    int32_t *between = FX_NEW_ARRAY(g->arena, int32_t, fx_graph_id_count(g->graph));
    if (!g->of || !between || add_group(g, UNKNOWN, "") < 0) return FX_E_OOM;
    FX_TRY(place_told(g));
    place_between(g, between);
    place_others(g, between);
    return FX_OK;
}

fx_status fx_graph_groups(const fx_graph *graph, FX_GIVES fx_groups **out)
{
    fx_arena *arena = fx__arena_new(graph->context);
    fx_groups *groups = arena ? FX_NEW(arena, fx_groups) : NULL;
    if (groups) *groups = (fx_groups){.arena = arena, .graph = graph};
    if (!groups || fill(groups) != FX_OK) {
        fx__arena_free(arena);
        return FX_E_OOM;
    }
    *out = groups;
    return FX_OK;
}

void fx_groups_free(FX_TAKES fx_groups *groups)
{
    if (groups) fx__arena_free(groups->arena);
}

int32_t fx_groups_count(const fx_groups *groups)
{
    return groups->n;
}

const char *fx_groups_name(const fx_groups *groups, int32_t group)
{
    return group >= 0 && group < groups->n ? groups->items[group].name : NULL;
}

int32_t fx_groups_parent(const fx_groups *groups, int32_t group)
{
    return group > 0 && group < groups->n ? groups->items[group].parent : UNKNOWN;
}

int32_t fx_groups_of(const fx_groups *groups, const fx_node *node)
{
    return node->graph == groups->graph ? groups->of[node->id] : 0;
}
