/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_cut.c: a part of a graph as a module of its own. The graph is copied, what is not kept becomes inputs where it is
 * needed, and the rest is dead code. Names, types and symbols stay, so that passes meet the same nodes as in the whole graph. */
#include "frontend/bisect.h"
#include "ir/in_place.h"
#include "ir/interp.h"
#include <string.h>

fx_module *fx__cut_copy(const fx_module *module)
{
    fx_graph *graph = fx_graph_clone(module->graph);
    fx_module *copy = graph ? fx__module_ensure(graph) : NULL;
    if (!copy && graph) fx_graph_free(graph);
    return copy;
}

typedef struct cutting {
    const fx_module *from;
    const fx_capture *capture;
    bool *keep;       /* [ids] */
    const bool *outs; /* [ids] */
    bool *need;       /* [ids] */
    fx_node **here;   /* [ids] the copy's nodes */
    fx_cut *cut;
} cutting;

/* ---- What belongs to it ---------------------------------------------------------------------------------------------------- */

/* Whether the node's value is given instead of computed. */
static bool is_given(const cutting *c, const fx_node *node)
{
    return !c->keep[node->id] && c->capture->value[node->id].data && fx__capture_has_value(node);
}

/* Backwards from the outputs: keep becomes exactly what is computed. */
static void find_needs(const cutting *c)
{
    for (const fx_node *node = c->from->graph->last; node; node = node->prev) {
        bool is_out = c->outs[node->id];
        if (is_out) c->keep[node->id] = c->need[node->id] = true;
        bool computed = c->need[node->id] && !is_given(c, node);
        c->keep[node->id] = computed;
        for (int32_t i = 0; i < node->n_inputs && computed; i++) c->need[node->inputs[i]->id] = true;
    }
}

/* ---- Making it ------------------------------------------------------------------------------------------------------------- */

static fx_status set_outputs(cutting *c, fx_graph *graph)
{
    fx_attr *items = FX_NEW_ARRAY(c->cut->arena, fx_attr, graph->n_nodes + 1);
    c->cut->output = FX_NEW_ARRAY(c->cut->arena, const fx_node *, graph->n_nodes + 1);
    if (!items || !c->cut->output) return FX_E_OOM;
    FX_EACH_NODE(node, c->from->graph)
    {
        if (!c->outs[node->id]) continue;
        c->cut->output[c->cut->n_out] = node;
        items[c->cut->n_out++] = fx_node_attr(c->here[node->id]);
    }
    fx_attr all = fx_tuple(graph, items, c->cut->n_out), args = fx_tuple(graph, &all, 1);
    if (args.kind == FX_ATTR_NONE || !fx_graph_output_node(graph)) return FX_E_OOM;
    graph->in_spec = graph->out_spec = NULL; /* inputs and outputs are others */
    return fx_node_set_args(fx_graph_output_node(graph), args, fx_none());
}

/* The copy of a node becomes an input of its type, in its place. */
static fx_status give_value(cutting *c, fx_node *node)
{
    fx_graph *graph = node->graph;
    const char *name = fx__arena_format(c->cut->arena, "%s_in", node->name);
    fx_type type = *fx_node_type(node, 0);
    (void)fx_graph_insert_before(graph, graph->first);
    fx_node *input = name ? fx_graph_placeholder(graph, name, &type) : NULL;
    if (!input || fx_node_replace_all_uses(node, input) < 0) return FX_E_OOM;
    fx_node_set_loc(input, node->loc);
    c->here[node->id] = input;
    return FX_OK;
}

static bool names_symbols(const fx_node *node)
{
    for (int32_t d = 0; node->n_result > 0 && d < node->result[0].rank; d++)
        if (!fx_dim_is_const(node->result[0].dim[d])) return true;
    return false;
}

/* Inputs that give symbols their values stay. */
static bool stays(void *user, const fx_node *node)
{
    (void)user;
    return node->opcode == FX_PLACEHOLDER && names_symbols(node);
}

static void drop_writes(fx_graph *graph)
{
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (fx__is_write_back(node) && node->n_users == 0) fx_graph_erase(graph, node);
    }
}

static void drop_tensors(fx_module *module)
{
    for (int32_t i = module->n_tensors; i-- > 0 && !module->graph->regions;) {
        bool used = false;
        FX_EACH_NODE(node, module->graph) used |= node->opcode == FX_GET_ATTR && strcmp(node->target, module->tensors[i].path) == 0;
        if (!used) fx_module_delete_tensor(module, module->tensors[i].path);
    }
    fx_module_delete_unused(module);
}

/* Values of the inputs in their order, and names that are the nodes' own. */
static fx_status take_inputs(cutting *c)
{
    fx_module *module = c->cut->module;
    module->input_names.n = module->output_names.n = 0; /* those of the whole graph's inputs and outputs */
    c->cut->in = FX_NEW_ARRAY(c->cut->arena, fx_tensor, module->graph->n_nodes + 1);
    if (!c->cut->in) return FX_E_OOM;
    FX_EACH_NODE(node, module->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        for (int32_t id = 0; id < c->from->graph->next_id; id++)
            if (c->here[id] == node) c->cut->in[c->cut->n_in] = c->capture->value[id];
        FX_TRY(fx_module_set_input_name(module, c->cut->n_in++, node->name));
    }
    return FX_OK;
}

static fx_status take_outputs(cutting *c)
{
    fx_cut *cut = c->cut;
    cut->expected = FX_NEW_ARRAY(cut->arena, fx_tensor, cut->n_out + 1);
    cut->bound = c->capture->bound ? FX_NEW_ARRAY(cut->arena, fx_tensor, cut->n_out + 1) : NULL;
    if (!cut->expected || (c->capture->bound && !cut->bound)) return FX_E_OOM;
    for (int32_t i = 0; i < cut->n_out; i++) {
        cut->expected[i] = c->capture->value[cut->output[i]->id];
        if (cut->bound) cut->bound[i] = c->capture->bound[cut->output[i]->id];
        FX_TRY(fx_module_set_output_name(cut->module, i, cut->output[i]->name));
    }
    return FX_OK;
}

static fx_status make_cut(cutting *c)
{
    fx_graph *graph = c->cut->module->graph;
    FX_EACH_NODE(node, graph) c->here[node->id] = node;
    find_needs(c);
    FX_TRY(set_outputs(c, graph));
    FX_EACH_NODE(node, c->from->graph)
    if (c->need[node->id] && is_given(c, node)) FX_TRY(give_value(c, c->here[node->id]));
    drop_writes(graph);
    fx_graph_eliminate_dead_code_with(graph, stays, NULL);
    FX_TRY(take_inputs(c));
    FX_TRY(take_outputs(c));
    drop_tensors(c->cut->module);
    return FX_OK;
}

fx_status fx__cut(const fx_module *module, const fx_capture *capture, bool *keep, const bool *outs, fx_cut *out)
{
    *out = (fx_cut){.arena = fx__arena_new(module->context), .module = fx__cut_copy(module)};
    cutting c = {.from = module, .capture = capture, .keep = keep, .outs = outs, .cut = out};
    if (out->arena && out->module) {
        c.need = FX_NEW_ARRAY(out->arena, bool, module->graph->next_id + 1);
        c.here = FX_NEW_ARRAY(out->arena, fx_node *, module->graph->next_id + 1);
    }
    fx_status status = c.need && c.here ? make_cut(&c) : FX_E_OOM;
    if (status != FX_OK) fx__cut_free(out);
    return status;
}

void fx__cut_free(fx_cut *cut)
{
    if (cut->module) fx_module_free(cut->module);
    fx__arena_free(cut->arena);
    *cut = (fx_cut){0};
}

/* ---- Sizes as they are ----------------------------------------------------------------------------------------------------- */

typedef struct sizing {
    const fx_graph *graph;
    const int64_t *syms;
} sizing;

static fx_attr size_of(void *user, const fx_attr *value)
{
    const sizing *s = user;
    return value->kind == FX_ATTR_SYMINT ? fx_int(fx__dim_eval(s->graph->dims, value->u.dim, s->syms)) : *value;
}

static fx_status size_node(const sizing *s, fx_node *node)
{
    fx_attr args, kwargs;
    if (fx__attr_has_symbol(&node->args) || fx__attr_has_symbol(&node->kwargs)) {
        FX_TRY(fx_attr_map(node->graph, &node->args, size_of, (void *)(uintptr_t)s, &args));
        FX_TRY(fx_attr_map(node->graph, &node->kwargs, size_of, (void *)(uintptr_t)s, &kwargs));
        FX_TRY(fx_node_set_args(node, args, kwargs));
    }
    for (int32_t r = 0; r < node->n_result; r++) {
        fx_type type = node->result[r];
        for (int32_t d = 0; d < type.rank; d++) type.dim[d] = fx__dim_eval(s->graph->dims, type.dim[d], s->syms);
        FX_TRY(fx_node_set_type(node, r, &type));
    }
    return FX_OK;
}

/* Whether an input's size is this symbol: others depend on data, or count turns. */
static bool is_bound(const fx_graph *graph, int32_t symbol)
{
    FX_EACH_NODE(node, graph)
    {
        for (int32_t d = 0; node->opcode == FX_PLACEHOLDER && node->n_result && d < node->result[0].rank; d++) {
            fx_dim dim = node->result[0].dim[d];
            fx_dim_node expression = fx__dim_node(graph->dims, dim);
            if (!fx_dim_is_const(dim) && expression.op == FX_DIM_SYM && expression.value == symbol) return true;
        }
    }
    return false;
}

static bool can_be_sized(const fx_graph *graph)
{
    for (int32_t i = 0; i < fx__dims_sym_count(graph->dims); i++)
        if (!is_bound(graph, i)) return false;
    return !graph->regions;
}

static fx_status size_all(const fx_graph *from, const fx_tensor *inputs, int32_t n_inputs, fx_arena *arena, fx_graph *graph)
{
    int64_t *syms = FX_NEW_ARRAY(arena, int64_t, fx__dims_sym_count(from->dims) + 1);
    fx_dims *none = fx__dims_new(graph->context);
    const sizing s = {from, syms};
    fx_status status = syms && none ? fx__interp_check_inputs(from, inputs, n_inputs, syms) : FX_E_OOM;
    for (fx_node *node = graph->first; node && status == FX_OK; node = node->next) status = size_node(&s, node);
    if (none) {
        fx__dims_free(graph->dims);
        graph->dims = none;
    }
    return status;
}

fx_status fx__cut_sizes(const fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_module **out)
{
    *out = NULL;
    if (!can_be_sized(module->graph)) return FX_OK;
    fx_arena *arena = fx__arena_new(module->context);
    fx_module *copy = fx__cut_copy(module);
    fx_status status = arena && copy ? size_all(module->graph, inputs, n_inputs, arena, copy->graph) : FX_E_OOM;
    fx__arena_free(arena);
    if (status == FX_OK) {
        *out = copy;
    } else if (copy) {
        fx_module_free(copy);
    }
    return status;
}
