/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph.c: graphs: making, ordering, erasing, copying nodes. Nodes form a list in order of execution; erased nodes stay in
 * memory, and keep their `next`, until the graph is freed, so that insertion points that name them stay meaningful. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

fx_graph *fx_graph_new(fx_context *context)
{
    fx_graph *graph = fx__alloc(context, sizeof *graph);
    if (!graph) return NULL;
    graph->context = context;
    graph->arena = fx__arena_new(context);
    graph->dims = graph->arena ? fx__dims_new(context) : NULL;
    graph->names = graph->dims ? fx__names_new(graph->arena) : NULL;
    if (graph->names) return graph;
    fx_graph_free(graph);
    return NULL;
}

void fx_graph_free(fx_graph *graph)
{
    if (!graph) return;
    for (fx_graph *region = graph->regions, *next; region; region = next) {
        next = region->next_region;
        fx_graph_free(region);
    }
    if (graph->own_module) {
        graph->own_module = false;
        graph->module->graph = NULL;
        fx_module_free(graph->module);
    }
    if (graph->dims) fx__dims_free(graph->dims);
    fx__arena_free(graph->arena);
    fx__free(graph->context, graph);
}

fx_context *fx_graph_context(const fx_graph *graph)
{
    return graph->context;
}
fx_module *fx_graph_module(const fx_graph *graph)
{
    return graph->module;
}
fx_node *fx_graph_first(const fx_graph *graph)
{
    return graph->first;
}
fx_node *fx_graph_last(const fx_graph *graph)
{
    return graph->last;
}
int32_t fx_graph_size(const fx_graph *graph)
{
    return graph->n_nodes;
}

void fx__graph_adopt(fx_graph *graph, fx_graph *region)
{
    region->parent = graph;
    region->next_region = graph->regions;
    graph->regions = region;
}

/* ---- Symbols ----------------------------------------------------------------------------------------------------------- */

static bool symbol_exists(fx_graph *graph, const char *name)
{
    for (int32_t i = 0; i < fx__dims_sym_count(graph->dims); i++)
        if (strcmp(fx__dims_sym(graph->dims, i)->name, name) == 0) return true;
    return false;
}

/* Symbols stand in expressions, so their names are identifiers; a name of a file that is none gets a near one of its own. */
static const char *symbol_name(fx_graph *graph, const char *name)
{
    if (fx__text_is_identifier(name)) {
        if (!symbol_exists(graph, name)) return fx__intern(graph->context, name);
        fx__diag(graph->context, FX_E_ARG, NULL, "symbol %s exists already", name);
        return NULL;
    }
    char *plain = fx__arena_format(graph->arena, "s_%s", name);
    for (char *at = plain; at && *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *at)) *at = '_';
    const char *unused = plain;
    for (int i = 1; unused && symbol_exists(graph, unused); i++) unused = fx__arena_format(graph->arena, "%s_%d", plain, i);
    return unused ? fx__intern(graph->context, unused) : NULL;
}

fx_dim fx_graph_symbol(fx_graph *graph, const char *name, int64_t lo, int64_t hi, int64_t hint, int64_t multiple)
{
    fx_sym sym = {.lo = lo, .hi = hi, .hint = hint, .multiple = multiple, .input = -1};
    if (lo < 0 || hi < lo || hint < lo || hint > hi || multiple < 1 || !name || !*name) {
        fx__diag(graph->context, FX_E_ARG, NULL, "symbol %s: range [%lld, %lld], hint %lld and multiple %lld do not fit together",
                 name ? name : "?", (long long)lo, (long long)hi, (long long)hint, (long long)multiple);
        return FX_DIM_BAD;
    }
    sym.name = symbol_name(graph, name);
    int32_t index = sym.name ? fx__dims_add_sym(graph->dims, &sym) : -1;
    graph->edits++;
    return index < 0 ? FX_DIM_BAD : fx__dim_sym(graph->dims, index);
}

const char *fx_graph_dim_text(const fx_graph *graph, fx_dim dim)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    fx__dim_print(graph->dims, dim, &text);
    char *whole = fx__text_finish(&text);
    const char *kept = whole ? fx__intern(graph->context, whole) : NULL;
    fx_text_free(whole);
    return kept;
}

int64_t fx_graph_dim_hint(const fx_graph *graph, fx_dim dim)
{
    return fx__dim_hint(graph->dims, dim);
}

/* ---- Order ------------------------------------------------------------------------------------------------------------- */

static void link_node(fx_graph *graph, fx_node *node, fx_node *before)
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
    graph->n_nodes++;
    graph->edits++;
}

static void unlink_node(fx_graph *graph, fx_node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        graph->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        graph->last = node->prev;
    if (graph->insert_before == node) graph->insert_before = node->next;
    graph->n_nodes--;
    graph->edits++;
}

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

void fx_graph_set_point(fx_graph *graph, fx_point point)
{
    if (point.before && point.before->graph != graph) {
        fx__diag(graph->context, FX_E_GRAPH, NULL, "insertion point %s belongs to another graph", point.before->name);
        return;
    }
    while (point.before && point.before->erased) point.before = point.before->next;
    graph->insert_before = point.before;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

static fx_status check_spec(const fx_graph *graph, fx_node_spec *spec)
{
    fx_context *context = graph->context;
    if ((unsigned)spec->opcode >= FX_OPCODE_COUNT) return fx__diag(context, FX_E_ARG, &spec->loc, "a node has no opcode");
    if (!spec->target || !*spec->target) return fx__diag(context, FX_E_ARG, &spec->loc, "a node has no target");
    if (spec->keep_name && (!spec->name || !*spec->name))
        return fx__diag(context, FX_E_ARG, &spec->loc, "a name that is to be kept is missing");
    if (spec->opcode == FX_OUTPUT && fx_graph_output_node(graph))
        return fx__diag(context, FX_E_GRAPH, &spec->loc, "the graph has an output already");
    FX_TRY(fx__node_check_args(graph, &spec->loc, &spec->args, &spec->kwargs));
    if (spec->opcode == FX_OUTPUT && spec->args.n != 1)
        return fx__diag(context, FX_E_ARG, &spec->loc, "an output has %d arguments instead of one", spec->args.n);
    return FX_OK;
}

static const char *choose_name(fx_graph *graph, const fx_node_spec *spec)
{
    if (spec->keep_name) {
        if (fx__names_is_used(graph->names, spec->name)) {
            fx__diag(graph->context, FX_E_ARG, &spec->loc, "node name %s is taken", spec->name);
            return NULL;
        }
        return fx__names_create(graph->names, spec->name, true);
    }
    const char *candidate = spec->name ? spec->name : fx__names_candidate(graph->arena, spec->opcode, spec->target);
    return candidate ? fx__names_create(graph->names, candidate, false) : NULL;
}

fx_node *fx_graph_create_node(fx_graph *graph, const fx_node_spec *given)
{
    fx_node_spec spec = *given;
    if (check_spec(graph, &spec) != FX_OK) return NULL;
    const char *name = choose_name(graph, &spec);
    fx_node *node = name ? FX_NEW(graph->arena, fx_node) : NULL;
    if (!node) return NULL;
    node->graph = graph;
    node->id = graph->next_id++;
    node->opcode = spec.opcode;
    node->name = name;
    node->target = fx__intern(graph->context, spec.target);
    if (!node->target || fx__node_bind(node, spec.args, spec.kwargs) != FX_OK) {
        fx__node_drop_inputs(node);
        return NULL;
    }
    fx_node_set_loc(node, spec.loc);
    if (node->opcode == FX_CALL_FUNCTION) node->op = fx__op_find(node->target);
    fx__node_adopt_regions(node);
    link_node(graph, node, graph->insert_before);
    return node;
}

fx_node *fx_graph_placeholder(fx_graph *graph, const char *name, const fx_type *type)
{
    fx_node *node = fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_PLACEHOLDER, .target = name});
    if (!node || !type || fx_node_set_type(node, 0, type) == FX_OK) return node;
    fx_graph_erase(graph, node);
    return NULL;
}

fx_node *fx_graph_get_attr(fx_graph *graph, const char *path)
{
    fx_node *node = fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_GET_ATTR, .target = path});
    const fx_tensor *tensor = node && graph->module ? fx_module_tensor(graph->module, path) : NULL;
    if (!tensor) return node;
    fx_type type = fx__type_of_tensor(tensor);
    return fx_node_set_type(node, 0, &type) == FX_OK ? node : NULL;
}

fx_node *fx_graph_call(fx_graph *graph, const char *target, const fx_attr *args, int32_t n_args)
{
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = target, .args = fx_tuple(graph, args, n_args)};
    return spec.args.kind == FX_ATTR_NONE ? NULL : fx_graph_create_node(graph, &spec);
}

fx_node *fx_graph_output(fx_graph *graph, fx_attr value)
{
    fx_node_spec spec = {.opcode = FX_OUTPUT, .target = "output", .args = fx_tuple(graph, &value, 1)};
    return spec.args.kind == FX_ATTR_NONE ? NULL : fx_graph_create_node(graph, &spec);
}

fx_status fx_graph_erase(fx_graph *graph, fx_node *node)
{
    if (node->graph != graph || node->erased)
        return fx__diag(graph->context, FX_E_GRAPH, NULL, "node %s is not in this graph", node->name);
    if (node->n_users)
        return fx__diag(graph->context, FX_E_GRAPH, NULL, "node %s is still used by %d nodes, first %s", node->name, node->n_users,
                        node->users[0]->name);
    fx__node_drop_inputs(node);
    unlink_node(graph, node);
    node->erased = true;
    return FX_OK;
}

fx_node *fx_graph_find(const fx_graph *graph, const char *name)
{
    const char *wanted = fx__intern(graph->context, name);
    FX_EACH_NODE(node, graph)
    if (node->name == wanted) return node;
    return NULL;
}

fx_node *fx_graph_output_node(const fx_graph *graph)
{
    for (fx_node *node = graph->last; node; node = node->prev)
        if (node->opcode == FX_OUTPUT) return node;
    return NULL;
}

/* ---- Copies ------------------------------------------------------------------------------------------------------------ */

struct checked_map {
    fx_node_map map;
    void *user;
    const fx_node *missing;
};

static fx_node *map_checked(void *user, fx_node *there)
{
    struct checked_map *checked = user;
    fx_node *here = checked->map(checked->user, there);
    if (!here && !checked->missing) checked->missing = there;
    return here;
}

static fx_status copy_meta(fx_node *to, const fx_node *from)
{
    to->has_order = from->has_order;
    memcpy(to->order, from->order, sizeof to->order);
    if (!from->n_result) return FX_OK;
    to->result = FX_NEW_ARRAY(to->graph->arena, fx_type, from->n_result);
    if (!to->result) return FX_E_OOM;
    memcpy(to->result, from->result, (size_t)from->n_result * sizeof *to->result);
    to->n_result = from->n_result;
    return FX_OK;
}

/* Types with symbols mean something in the same dimension table only. */
static bool has_symbols(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++)
        for (int32_t d = 0; d < node->result[i].rank; d++)
            if (!fx_dim_is_const(node->result[i].dim[d])) return true;
    return false;
}

static fx_node *copy_node(fx_graph *graph, const fx_node *node, struct checked_map *map, bool keep_name, bool keep_type)
{
    fx_node_spec spec = {
        .opcode = node->opcode, .target = node->target, .name = node->name, .keep_name = keep_name, .loc = node->loc};
    spec.args = fx__attr_copy(graph, &node->args, map_checked, map);
    spec.kwargs = fx__attr_copy(graph, &node->kwargs, map_checked, map);
    if (map->missing) {
        fx__diag(graph->context, FX_E_GRAPH, &node->loc, "node %s cannot be copied: its input %s has no counterpart", node->name,
                 map->missing->name);
        return NULL;
    }
    fx_node *copy = fx_graph_create_node(graph, &spec);
    return !copy || !keep_type || copy_meta(copy, node) == FX_OK ? copy : NULL;
}

fx_node *fx_graph_copy_node(fx_graph *graph, fx_node *node, fx_node_map map, void *user)
{
    struct checked_map checked = {.map = map, .user = user};
    bool same_dims = node->graph == graph || !has_symbols(node);
    return copy_node(graph, node, &checked, false, same_dims);
}

static fx_node *clone_of(void *user, fx_node *there)
{
    return fx__map_get(user, there);
}

static fx_status clone_nodes(fx_graph *clone, const fx_graph *graph)
{
    fx_map counterpart;
    fx__map_init(&counterpart, clone->arena);
    struct checked_map checked = {.map = clone_of, .user = &counterpart};
    FX_EACH_NODE(node, graph)
    {
        fx_node *copy = copy_node(clone, node, &checked, true, true);
        if (!copy || !fx__map_put(&counterpart, node, copy)) return FX_E_OOM;
        copy->id = node->id;
    }
    return FX_OK;
}

fx_graph *fx_graph_clone(const fx_graph *graph)
{
    fx_graph *clone = fx_graph_new(graph->context);
    if (!clone) return NULL;
    clone->module = graph->module;
    clone->core = graph->core;
    fx__dims_free(clone->dims);
    clone->dims = fx__dims_clone(graph->dims);
    if (clone->dims && clone_nodes(clone, graph) == FX_OK) {
        clone->next_id = graph->next_id;
        clone->names = fx__names_clone(clone->arena, graph->names); /* erased nodes' names stay taken */
        if (clone->names) return clone;
    }
    fx_graph_free(clone);
    return NULL;
}
