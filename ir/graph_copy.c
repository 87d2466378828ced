/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph_copy.c: copies of nodes and graphs: one node, all nodes into another graph, and clones. */
#include "ir/graph.h"
#include <string.h>

/* ---- One node ---------------------------------------------------------------------------------------------------------- */

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

/* Types with symbols mean something in the same dimension table only. */
static bool has_symbols(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++)
        for (int32_t d = 0; d < node->result[i].rank; d++)
            if (!fx_dim_is_const(node->result[i].dim[d])) return true;
    return false;
}

static fx_node_spec spec_of(const fx_node *node, bool keep_name)
{
    return (fx_node_spec){
        .opcode = node->opcode, .target = node->target, .name = node->name, .keep_name = keep_name, .loc = node->loc};
}

static fx_node *copy_node(fx_graph *graph, const fx_node *node, struct checked_map *map, bool keep_name, bool keep_type)
{
    fx_node_spec spec = spec_of(node, keep_name);
    spec.args = fx__attr_copy(graph, &node->args, map_checked, map);
    spec.kwargs = fx__attr_copy(graph, &node->kwargs, map_checked, map);
    if (map->missing) {
        fx__diag(graph->context, FX_E_GRAPH, &node->loc, "node %s cannot be copied: its input %s has no counterpart", node->name,
                 map->missing->name);
        return NULL;
    }
    fx_node *copy = fx_graph_create_node(graph, &spec);
    return !copy || fx__node_copy_facts(copy, node, keep_type) == FX_OK ? copy : NULL;
}

fx_node *fx_graph_copy_node(fx_graph *graph, fx_node *node, fx_node_map map, void *user)
{
    struct checked_map checked = {.map = map, .user = user};
    bool same_dims = node->graph == graph || !has_symbols(node);
    return copy_node(graph, node, &checked, false, same_dims);
}

/* ---- All nodes into another graph ---------------------------------------------------------------------------------------- */

typedef struct copying {
    fx_graph *to;
    const fx_graph *from;
    fx_node **map;  /* [ids of from] */
    fx_node **made; /* those copied, in order */
    int32_t n_made;
    const fx_node *node; /* being copied; NULL: the output */
    fx_status status;    /* of the first problem */
} copying;

static void note(copying *c, fx_status status)
{
    if (c->status == FX_OK) c->status = status;
}

static bool has_symbol(fx_dims *dims, const char *name)
{
    for (int32_t i = 0; i < fx__dims_sym_count(dims); i++)
        if (strcmp(fx__dims_sym(dims, i)->name, name) == 0) return true;
    return false;
}

static fx_status take_symbols(fx_graph *to, const fx_graph *from)
{
    for (int32_t i = 0; i < fx__dims_param_count(from->dims); i++) {
        fx_sym sym = *fx__dims_sym(from->dims, i);
        sym.input = -1; /* the inputs are others */
        if (!has_symbol(to->dims, sym.name) && fx__dims_add_sym(to->dims, &sym) < 0) return FX_E_OOM;
    }
    return FX_OK;
}

static fx_dim dim_there(copying *c, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return dim;
    const char *text = fx_graph_dim_text(c->from, dim);
    fx_dim there = text ? fx__dim_parse(c->to->dims, &text) : FX_DIM_BAD;
    if (there == FX_DIM_BAD) note(c, fx__diag_failure(c->to->context, FX_E_SHAPE));
    return there;
}

static fx_attr value_there(void *user, const fx_attr *value)
{
    copying *c = user;
    if (value->kind == FX_ATTR_SYMINT) return fx_dim_attr(dim_there(c, value->u.dim));
    if (value->kind != FX_ATTR_NODE) {
        fx_attr copy = fx__attr_copy(c->to, value, NULL, NULL);
        if (copy.kind != value->kind) note(c, FX_E_OOM);
        return copy;
    }
    fx_node *there = c->map[value->u.node->id];
    if (!there)
        note(c, fx__diag(c->to->context, FX_E_GRAPH, &value->u.node->loc, "%s uses %s, which is not defined before it",
                         c->node ? c->node->name : "the output", value->u.node->name));
    return there ? fx_node_attr(there) : fx_none();
}

static fx_status copy_types(copying *c, fx_node *copy, const fx_node *node)
{
    for (int32_t i = 0; i < copy->n_result; i++)
        for (int32_t d = 0; d < copy->result[i].rank; d++) copy->result[i].dim[d] = dim_there(c, node->result[i].dim[d]);
    return c->status;
}

static fx_status copy_one(copying *c, fx_node *node)
{
    fx_node_spec spec = spec_of(node, false);
    c->node = node;
    FX_TRY(fx_attr_map(c->to, &node->args, value_there, c, &spec.args));
    FX_TRY(fx_attr_map(c->to, &node->kwargs, value_there, c, &spec.kwargs));
    FX_TRY(c->status);
    fx_node *copy = fx_graph_create_node(c->to, &spec);
    if (!copy) return fx__diag_failure(c->to->context, FX_E_GRAPH);
    c->made[c->n_made++] = node;
    c->map[node->id] = copy;
    FX_TRY(fx__node_copy_facts(copy, node, true));
    return copy_types(c, copy, node);
}

static fx_status check_map(const copying *c)
{
    FX_EACH_NODE(node, c->from)
    {
        const fx_node *there = c->map[node->id];
        if (there && (there->graph != c->to || there->erased))
            return fx__diag_node(node, FX_E_GRAPH, "the counterpart %s of %s is not in the graph copied to", there->name,
                                 node->name);
    }
    return FX_OK;
}

static fx_status copy_all(copying *c, fx_attr *out_value)
{
    FX_TRY(check_map(c));
    FX_TRY(take_symbols(c->to, c->from));
    FX_EACH_NODE(node, c->from)
    if (node->opcode != FX_OUTPUT && !c->map[node->id]) FX_TRY(copy_one(c, node));
    const fx_node *output = fx_graph_output_node(c->from);
    c->node = NULL;
    *out_value = fx_none();
    if (output) FX_TRY(fx_attr_map(c->to, fx__arg(output, 0), value_there, c, out_value));
    return c->status;
}

static void undo(copying *c)
{
    while (c->n_made) {
        const fx_node *node = c->made[--c->n_made];
        fx_graph_erase(c->to, c->map[node->id]);
        c->map[node->id] = NULL;
    }
}

fx_status fx_graph_copy(fx_graph *to, const fx_graph *from, fx_node **map, fx_attr *out_value)
{
    if (to == from) return fx__diag(to->context, FX_E_GRAPH, NULL, "a graph cannot be copied into itself");
    fx_arena *scratch = fx__arena_new(to->context);
    if (!scratch) return FX_E_OOM;
    copying c = {.to = to, .from = from, .map = map ? map : FX_NEW_ARRAY(scratch, fx_node *, from->next_id)};
    c.made = FX_NEW_ARRAY(scratch, fx_node *, from->n_nodes);
    fx_attr value;
    fx_status status = c.map && c.made ? copy_all(&c, out_value ? out_value : &value) : FX_E_OOM;
    if (status != FX_OK && c.made) undo(&c);
    fx__arena_free(scratch);
    return status;
}

/* ---- Clones ------------------------------------------------------------------------------------------------------------ */

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
    clone->in_spec = graph->in_spec;
    clone->out_spec = graph->out_spec;
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
