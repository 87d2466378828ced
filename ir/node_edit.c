/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node_edit.c: changing nodes: single arguments, names, and the replacement of one value by another. */
#include "ir/graph.h"
#include <string.h>

/* ---- Single arguments -------------------------------------------------------------------------------------------------- */

static fx_status refuse_index(const fx_node *node, int32_t index, int32_t last)
{
    if (last < 0) return fx__diag_node(node, FX_E_ARG, "%s has no argument %d: it has none", node->name, index);
    return fx__diag_node(node, FX_E_ARG, "%s has no argument %d; expected 0 to %d", node->name, index, last);
}

/* The positional arguments with `value` in the place of `drop` arguments at `index`. */
static fx_status splice(fx_node *node, int32_t index, int32_t drop, const fx_attr *value)
{
    int32_t n = node->args.n, grown = n + 1 - drop;
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, grown);
    if (!items) return FX_E_OOM;
    if (index) memcpy(items, node->args.u.items, (size_t)index * sizeof *items);
    items[index] = *value;
    int32_t after = n - index - drop;
    if (after) memcpy(items + index + 1, node->args.u.items + index + drop, (size_t)after * sizeof *items);
    return fx_node_set_args(node, (fx_attr){.kind = FX_ATTR_TUPLE, .n = grown, .u.items = items}, node->kwargs);
}

fx_status fx_node_set_arg(fx_node *node, int32_t index, fx_attr value)
{
    if (index < 0 || index >= node->args.n) return refuse_index(node, index, node->args.n - 1);
    return splice(node, index, 1, &value);
}

fx_status fx_node_insert_arg(fx_node *node, int32_t index, fx_attr value)
{
    if (index < 0 || index > node->args.n) return refuse_index(node, index, node->args.n);
    return splice(node, index, 0, &value);
}

static int32_t find_key(const fx_attr *dict, const char *key)
{
    int32_t at = 0;
    while (at < dict->n && strcmp(dict->keys[at], key) != 0) at++;
    return at;
}

fx_status fx_node_set_kwarg(fx_node *node, const char *key, fx_attr value)
{
    if (!key || !*key) return fx__diag_node(node, FX_E_ARG, "a keyword argument of %s has no name", node->name);
    int32_t n = node->kwargs.n, at = find_key(&node->kwargs, key), grown = at == n ? n + 1 : n;
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, grown);
    const char **keys = FX_NEW_ARRAY(node->graph->arena, const char *, grown);
    const char *kept = fx__intern(node->graph->context, key);
    if (!items || !keys || !kept) return FX_E_OOM;
    if (n) memcpy(items, node->kwargs.u.items, (size_t)n * sizeof *items);
    if (n) memcpy((void *)keys, (const void *)node->kwargs.keys, (size_t)n * sizeof *keys);
    items[at] = value;
    keys[at] = kept;
    return fx_node_set_args(node, node->args, (fx_attr){.kind = FX_ATTR_DICT, .n = grown, .keys = keys, .u.items = items});
}

fx_status fx_node_delete_kwarg(fx_node *node, const char *key)
{
    int32_t n = node->kwargs.n, at = key ? find_key(&node->kwargs, key) : n, left = 0;
    if (at == n)
        return fx__diag_node(node, FX_E_NOT_FOUND, "%s has no keyword argument %s", node->name, key ? key : "without a name");
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, n);
    const char **keys = FX_NEW_ARRAY(node->graph->arena, const char *, n);
    if (!items || !keys) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) {
        if (i == at) continue;
        items[left] = node->kwargs.u.items[i];
        keys[left++] = node->kwargs.keys[i];
    }
    return fx_node_set_args(node, node->args, (fx_attr){.kind = FX_ATTR_DICT, .n = left, .keys = keys, .u.items = items});
}

const char *fx_node_rename(fx_node *node, const char *name)
{
    if (!name || !*name) {
        fx__diag_node(node, FX_E_ARG, "the new name of %s is empty", node->name);
        return NULL;
    }
    if (strcmp(name, node->name) == 0) return node->name;
    const char *unused = fx__names_create(node->graph->names, name, false);
    if (!unused) return NULL;
    node->graph->edits++;
    return node->name = unused;
}

fx_status fx_node_set_name(fx_node *node, const char *name)
{
    if (!name || !*name) return fx__diag_node(node, FX_E_ARG, "the new name of %s is empty", node->name);
    if (strcmp(name, node->name) == 0) return FX_OK;
    if (fx__names_is_used(node->graph->names, name))
        return fx__diag_node(node, FX_E_ARG, "%s cannot be called %s: the name is taken", node->name, name);
    const char *kept = fx__names_create(node->graph->names, name, true);
    if (!kept) return FX_E_OOM;
    node->name = kept;
    node->graph->edits++;
    return FX_OK;
}

/* ---- Replacing values -------------------------------------------------------------------------------------------------- */

struct replacement {
    fx_node *old, *with;
};

static fx_node *replace_node(void *user, fx_node *node)
{
    const struct replacement *r = user;
    return node == r->old ? r->with : node;
}

static fx_status check_replacement(const fx_node *node, const fx_node *with)
{
    if (!with) return fx__diag_node(node, FX_E_GRAPH, "uses of %s cannot become uses of nothing", node->name);
    if (with->graph != node->graph)
        return fx__diag_node(node, FX_E_GRAPH, "uses of %s cannot become uses of %s, a node of another graph", node->name,
                             with->name);
    if (with->erased)
        return fx__diag_node(node, FX_E_GRAPH, "uses of %s cannot become uses of %s, which was erased", node->name, with->name);
    return FX_OK;
}

static fx_status replace_input(fx_node *node, fx_node *old, fx_node *with)
{
    struct replacement r = {old, with};
    fx__observe_replaced(old, with, node);
    fx_attr args = fx__attr_copy(node->graph, &node->args, replace_node, &r);
    fx_attr kwargs = fx__attr_copy(node->graph, &node->kwargs, replace_node, &r);
    if (args.kind == FX_ATTR_NONE || kwargs.kind == FX_ATTR_NONE) return FX_E_OOM;
    return fx_node_set_args(node, args, kwargs);
}

fx_status fx_node_replace_input(fx_node *node, fx_node *old, fx_node *with)
{
    FX_TRY(check_replacement(old, with));
    if (node->graph != old->graph)
        return fx__diag_node(node, FX_E_GRAPH, "%s cannot use %s, a node of another graph", node->name, with->name);
    return old == with ? FX_OK : replace_input(node, old, with);
}

/* What `with` does not know itself it takes over. */
static fx_status propagate_meta(const fx_node *node, fx_node *with)
{
    bool keeps_types = with->n_result > 0;
    const char *annotation = with->annotation;
    FX_TRY(fx__node_copy_facts(with, node, !keeps_types));
    if (annotation) with->annotation = annotation;
    if (!with->loc.file) with->loc = node->loc;
    return FX_OK;
}

/* `with` itself keeps its use of the node: f(x) can stand for x everywhere else. */
static int32_t replace_users(fx_node *node, fx_node *with, const fx_replace_options *options)
{
    int32_t n_users = node->n_users, changed = 0;
    fx_node **users = FX_NEW_ARRAY(node->graph->arena, fx_node *, n_users);
    if (!users) return -1;
    if (n_users) memcpy(users, node->users, (size_t)n_users * sizeof(fx_node *));
    for (int32_t i = 0; i < n_users; i++) {
        if (users[i] == with || users[i]->erased || (options->filter && !options->filter(options->user, users[i]))) continue;
        if (replace_input(users[i], node, with) != FX_OK) return -1;
        changed++;
    }
    return changed;
}

int32_t fx_node_replace_all_uses_with(fx_node *node, fx_node *with, const fx_replace_options *options)
{
    static const fx_replace_options all = {0};
    if (!options) options = &all;
    if (check_replacement(node, with) != FX_OK) return -1;
    if (node == with) return 0;
    if (options->propagate_meta && with->n_meta) {
        fx__diag_node(with, FX_E_ARG, "the meta of %s cannot go over to %s, which has meta of its own", node->name, with->name);
        return -1;
    }
    if (options->propagate_meta && propagate_meta(node, with) != FX_OK) return -1;
    return replace_users(node, with, options);
}

int32_t fx_node_replace_all_uses(fx_node *node, fx_node *with)
{
    return fx_node_replace_all_uses_with(node, with, NULL);
}
