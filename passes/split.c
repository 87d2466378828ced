/* SPDX-License-Identifier: Apache-2.0 */
/* passes/split.c: fx_split_module and its kin. A unit is a part, or a call that stays outside; units are put into an order in which
 * each comes after what it needs, and the outer graph calls them so. Inside its submodule a node keeps its name. */
#include "ir/op.h"
#include "passes/split.h"
#include <string.h>

typedef struct unit {
    int32_t part; /* FX_SPLIT_OUTSIDE: one call */
    fx_node *first;
    int32_t n_needs; /* uses of other units' values that are not there yet */
    bool done;
    fx_node **inputs, **outputs; /* values that come in and go out, in order of first use */
    int32_t n_inputs, cap_inputs, n_outputs, cap_outputs;
    fx_module *module;
    fx_map here; /* node -> node of the submodule */
} unit;

typedef struct split {
    const fx_splitting *how;
    fx_module *from, *to;
    fx_arena *scratch;
    unit *units;
    int32_t n_units;
    int32_t *unit_of; /* by node id; -1: no call */
    fx_map outer;     /* node -> node of the outer graph */
} split;

/* ---- Units ------------------------------------------------------------------------------------------------------------------ */

static const fx_node *producer_of(const fx_node *node)
{
    bool selects = node->opcode == FX_CALL_FUNCTION && strcmp(node->target, "operator.getitem") == 0 && node->args.n == 2;
    const fx_attr *from = selects ? fx__arg(node, 0) : NULL;
    const fx_node *producer = from && from->kind == FX_ATTR_NODE ? from->u.node : NULL;
    if (!producer || !fx__split_is_call(producer)) return NULL;
    const fx_op *op = fx__op_of(producer);
    bool is_tensor = op ? fx__op_schema_results(op) == 1 : producer->n_result == 1;
    return is_tensor ? NULL : producer;
}

const fx_node *fx__split_root(const fx_node *node)
{
    for (const fx_node *producer; (producer = producer_of(node)) != NULL;) node = producer;
    return node;
}

static int32_t find_unit(const split *s, int32_t part)
{
    for (int32_t i = 0; i < s->n_units && part != FX_SPLIT_OUTSIDE; i++)
        if (s->units[i].part == part) return i;
    return -1;
}

static fx_status make_units(split *s)
{
    const fx_graph *graph = s->from->graph;
    s->units = FX_NEW_ARRAY(s->scratch, unit, graph->n_nodes + 1);
    s->unit_of = FX_NEW_ARRAY(s->scratch, int32_t, graph->next_id + 1);
    if (!s->units || !s->unit_of) return FX_E_OOM;
    FX_EACH_NODE(node, graph)
    {
        s->unit_of[node->id] = -1;
        if (!fx__split_is_call(node)) continue;
        int32_t part = s->how->part[fx__split_root(node)->id], at = find_unit(s, part);
        if (at < 0) {
            at = s->n_units++;
            s->units[at] = (unit){.part = part, .first = node};
            fx__map_init(&s->units[at].here, s->scratch);
        }
        s->unit_of[node->id] = at;
    }
    return FX_OK;
}

static unit *unit_of(const split *s, const fx_node *node)
{
    int32_t at = s->unit_of[node->id];
    return at < 0 ? NULL : &s->units[at];
}

static bool holds(fx_node *const *list, int32_t n, const fx_node *node)
{
    for (int32_t i = 0; i < n; i++)
        if (list[i] == node) return true;
    return false;
}

static fx_status add(const split *s, fx_node ***list, int32_t *n, int32_t *capacity, fx_node *node)
{
    if (holds(*list, *n, node)) return FX_OK;
    fx_node **grown = fx__arena_grow(s->scratch, *list, capacity, *n, sizeof(fx_node *));
    if (!grown) return FX_E_OOM;
    *list = grown;
    grown[(*n)++] = node;
    return FX_OK;
}

/* A value made in one unit and used in another, or by the output. */
static fx_status note_use(split *s, fx_node *value, const fx_node *user)
{
    unit *made = unit_of(s, value), *used = unit_of(s, user);
    if (made == used) return FX_OK;
    if (made) FX_TRY(add(s, &made->outputs, &made->n_outputs, &made->cap_outputs, value));
    if (!used) return FX_OK;
    used->n_needs += made != NULL;
    return add(s, &used->inputs, &used->n_inputs, &used->cap_inputs, value);
}

/* The output's values first, as torch.fx orders results. */
static fx_status note_uses(split *s)
{
    const fx_node *output = fx_graph_output_node(s->from->graph);
    for (int32_t i = 0; i < output->n_inputs; i++) FX_TRY(note_use(s, output->inputs[i], output));
    FX_EACH_NODE(node, s->from->graph)
    for (int32_t i = 0; i < node->n_inputs && node != output; i++) FX_TRY(note_use(s, node->inputs[i], node));
    return FX_OK;
}

/* ---- Cycles ----------------------------------------------------------------------------------------------------------------- */

/* A unit that is not done and that this one needs. */
static int32_t awaited(const split *s, int32_t index)
{
    for (int32_t i = 0; i < s->units[index].n_inputs; i++) {
        int32_t at = s->unit_of[s->units[index].inputs[i]->id];
        if (at >= 0 && !s->units[at].done) return at;
    }
    return -1;
}

static void put_unit(const split *s, fx_text *text, int32_t index)
{
    const unit *it = &s->units[index];
    const char *name = it->part == FX_SPLIT_OUTSIDE ? it->first->name : s->how->name_of(s->how->user, s->scratch, it->part);
    fx__text_append(text, "%s", name ? name : "?");
}

static fx_status report_cycle(const split *s)
{
    int32_t at = 0;
    while (s->units[at].done) at++;
    for (int32_t i = 0; i < s->n_units; i++) at = awaited(s, at); /* into the cycle */
    fx_text text;
    fx__text_init(&text, s->from->context);
    put_unit(s, &text, at);
    for (int32_t i = awaited(s, at);; i = awaited(s, i)) {
        fx__text_append(&text, " needs ");
        put_unit(s, &text, i);
        if (i == at) break;
    }
    char *cycle = fx__text_finish(&text);
    if (!cycle) return FX_E_OOM;
    fx__diag(s->from->context, FX_E_GRAPH, NULL, "the parts of the split form a cycle: %s", cycle);
    fx_text_free(cycle);
    return FX_E_GRAPH;
}

/* ---- Submodules ------------------------------------------------------------------------------------------------------------- */

/* Sizes mean the same in every graph of the split. */
static fx_status share_dims(fx_graph *graph, const fx_graph *from)
{
    fx__dims_free(graph->dims);
    graph->dims = fx__dims_clone(from->dims);
    return graph->dims ? FX_OK : FX_E_OOM;
}

static const char *flat_path(const split *s, const unit *u, const char *path)
{
    char *flat = fx__arena_copy(s->scratch, path, strlen(path));
    for (char *at = flat; at && *at; at++)
        if (*at == '.') *at = '_';
    const fx_module *wanted = fx_module_submodule(s->from, path);
    for (int32_t i = 1; flat; i++) {
        const fx_module *there = fx_module_submodule(u->module, flat);
        if (!there || there == wanted) return flat;
        flat = fx__arena_format(s->scratch, "%s_%d", flat, (int)i);
    }
    return NULL;
}

/* A submodule of the old module under a name of its own. */
static fx_status borrow_submodule(const split *s, const unit *u, fx_node *node, const char *path)
{
    fx_module *inner = fx_module_submodule(s->from, path);
    const char *flat = flat_path(s, u, path);
    if (!flat) return FX_E_OOM;
    if (inner && !fx_module_submodule(u->module, flat)) FX_TRY(fx__module_attach(u->module, flat, inner, true));
    return fx_node_set_target(node, flat);
}

static fx_node *node_here(void *user, fx_node *there)
{
    return fx__map_get(user, there);
}

/* Without its operator, a tuple of one tensor could not be told from the tensor. */
static bool is_single_tuple(const fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    return op && fx__op_schema_results(op) != 1 && node->n_result == 1;
}

static fx_status copy_types(fx_node *to, const fx_node *from)
{
    if (to->op != from->op && is_single_tuple(from)) return FX_OK;
    for (int32_t r = 0; r < from->n_result; r++)
        if (fx_node_type(from, r)) FX_TRY(fx_node_set_type(to, r, fx_node_type(from, r)));
    return FX_OK;
}

static fx_status copy_meta(fx_node *to, const fx_node *from)
{
    for (int32_t i = 0; i < fx_node_meta_count(from); i++)
        FX_TRY(fx_node_set_meta(to, fx_node_meta_key(from, i), *fx_node_meta(from, fx_node_meta_key(from, i))));
    return FX_OK;
}

static fx_status borrow_path(const split *s, const unit *u, const fx_node *node)
{
    if (node->opcode == FX_CALL_MODULE) {
        fx_module *inner = fx_module_submodule(s->from, node->target);
        if (!inner || fx_module_submodule(u->module, node->target)) return FX_OK;
        return fx__module_attach(u->module, node->target, inner, true);
    }
    const fx_tensor *tensor = fx_module_tensor(s->from, node->target);
    if (!tensor || fx_module_tensor(u->module, node->target)) return FX_OK;
    return fx_module_add_tensor(u->module, node->target, tensor, false, NULL, NULL);
}

/* A body names things of the module around it, which is the submodule now. */
static fx_status borrow_for_body(const split *s, const unit *u, const fx_graph *body)
{
    FX_EACH_NODE(node, body)
    {
        if (node->opcode == FX_GET_ATTR || node->opcode == FX_CALL_MODULE) FX_TRY(borrow_path(s, u, node));
        if (node->body) FX_TRY(borrow_for_body(s, u, node->body));
    }
    return FX_OK;
}

static fx_status copy_node(const split *s, unit *u, fx_node *node)
{
    fx_node *copy = fx_graph_copy_node(u->module->graph, node, node_here, &u->here);
    if (!copy || !fx__map_put(&u->here, node, copy)) return fx__diag_failure(s->from->context, FX_E_GRAPH);
    FX_TRY(copy_types(copy, node));
    if (node->body) FX_TRY(borrow_for_body(s, u, node->body));
    return node->opcode == FX_CALL_MODULE ? borrow_submodule(s, u, copy, node->target) : FX_OK;
}

static fx_status copy_inputs(const split *s, unit *u)
{
    for (int32_t i = 0; i < u->n_inputs; i++) {
        const fx_node *value = u->inputs[i];
        fx_node *input = fx_graph_placeholder(u->module->graph, value->name, NULL);
        if (!input || !fx__map_put(&u->here, value, input)) return fx__diag_failure(s->from->context, FX_E_GRAPH);
        FX_TRY(copy_types(input, value));
        FX_TRY(copy_meta(input, value));
    }
    return FX_OK;
}

static fx_status copy_outputs(const split *s, unit *u)
{
    fx_attr *values = FX_NEW_ARRAY(s->scratch, fx_attr, u->n_outputs + 1);
    if (!values) return FX_E_OOM;
    for (int32_t i = 0; i < u->n_outputs; i++) values[i] = fx_node_attr(fx__map_get(&u->here, u->outputs[i]));
    fx_attr value = u->n_outputs == 1 ? values[0] : fx_tuple(u->module->graph, values, u->n_outputs);
    return fx_graph_output(u->module->graph, value) ? FX_OK : fx__diag_failure(s->from->context, FX_E_GRAPH);
}

static fx_status fill_submodule(const split *s, unit *u)
{
    FX_TRY(share_dims(u->module->graph, s->from->graph));
    FX_TRY(copy_inputs(s, u));
    FX_EACH_NODE(node, s->from->graph)
    if (unit_of(s, node) == u) FX_TRY(copy_node(s, u, node));
    return copy_outputs(s, u);
}

static fx_status make_submodule(const split *s, unit *u, const char *name)
{
    u->module = fx_module_new(s->from->context, name);
    if (!u->module) return FX_E_OOM;
    fx_status status = fill_submodule(s, u);
    if (status != FX_OK) {
        fx_module_free(u->module);
        return status;
    }
    return fx_module_add_submodule(s->to, name, u->module);
}

/* ---- The outer graph -------------------------------------------------------------------------------------------------------- */

static fx_status copy_outside(split *s, fx_node *node)
{
    fx_node *copy = fx_graph_copy_node(s->to->graph, node, node_here, &s->outer);
    if (!copy || !fx__map_put(&s->outer, node, copy)) return fx__diag_failure(s->from->context, FX_E_GRAPH);
    return copy_types(copy, node);
}

static fx_status take_result(split *s, const unit *u, fx_node *call, int32_t index)
{
    const fx_attr args[] = {fx_node_attr(call), fx_int(index)};
    fx_node *value = u->n_outputs == 1 ? call : fx_graph_call(s->to->graph, "operator.getitem", args, 2);
    const fx_node *old = u->outputs[index];
    if (!value || !fx__map_put(&s->outer, old, value)) return fx__diag_failure(s->from->context, FX_E_GRAPH);
    return copy_types(value, old);
}

/* A tuple has types when each of its values is one tensor. */
static fx_status type_tuple(const unit *u, fx_node *call)
{
    bool good = u->n_outputs > 1 && u->n_outputs <= FX_RESULTS;
    for (int32_t i = 0; i < u->n_outputs; i++)
        good = good && u->outputs[i]->n_result == 1 && fx_node_type(u->outputs[i], 0) && !is_single_tuple(u->outputs[i]);
    for (int32_t i = 0; good && i < u->n_outputs; i++) FX_TRY(fx_node_set_type(call, i, fx_node_type(u->outputs[i], 0)));
    return FX_OK;
}

static fx_status call_part(split *s, unit *u)
{
    const char *name = s->how->name_of(s->how->user, s->scratch, u->part);
    fx_attr *args = FX_NEW_ARRAY(s->scratch, fx_attr, u->n_inputs + 1);
    if (!name || !args) return FX_E_OOM;
    FX_TRY(make_submodule(s, u, name));
    for (int32_t i = 0; i < u->n_inputs; i++) args[i] = fx_node_attr(fx__map_get(&s->outer, u->inputs[i]));
    fx_attr tuple = fx_tuple(s->to->graph, args, u->n_inputs);
    fx_node *call = tuple.kind == FX_ATTR_TUPLE ? fx_graph_call_module(s->to->graph, name, tuple, fx_none()) : NULL;
    if (!call) return fx__diag_failure(s->from->context, FX_E_GRAPH);
    for (int32_t i = 0; i < u->n_outputs; i++) FX_TRY(take_result(s, u, call, i));
    return type_tuple(u, call);
}

static void finish_unit(const split *s, const unit *done)
{
    FX_EACH_NODE(node, s->from->graph)
    for (int32_t i = 0; i < node->n_inputs; i++) {
        unit *user = unit_of(s, node);
        if (user && user != done && unit_of(s, node->inputs[i]) == done) user->n_needs--;
    }
}

/* In the order of their first nodes, as far as needs allow. */
static fx_status call_units(split *s)
{
    for (int32_t left = s->n_units; left > 0; left--) {
        int32_t next = 0;
        while (next < s->n_units && (s->units[next].done || s->units[next].n_needs > 0)) next++;
        if (next == s->n_units) return report_cycle(s);
        unit *u = &s->units[next];
        FX_TRY(u->part == FX_SPLIT_OUTSIDE ? copy_outside(s, u->first) : call_part(s, u));
        u->done = true;
        finish_unit(s, u);
    }
    return FX_OK;
}

static fx_status copy_leaves(split *s)
{
    FX_EACH_NODE(node, s->from->graph)
    if (node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR) FX_TRY(copy_outside(s, node));
    return FX_OK;
}

static fx_status run_split(split *s)
{
    fx__map_init(&s->outer, s->scratch);
    FX_TRY(make_units(s));
    FX_TRY(note_uses(s));
    FX_TRY(copy_leaves(s));
    FX_TRY(call_units(s));
    return copy_outside(s, fx_graph_output_node(s->from->graph));
}

/* An empty graph with a module that borrows what the old one has. */
static fx_module *new_outer(fx_module *from)
{
    fx_graph *graph = fx_graph_new(from->context);
    if (!graph) return NULL;
    graph->module = from;
    fx_module *module = share_dims(graph, from->graph) == FX_OK ? fx__module_ensure(graph) : NULL;
    if (!module) fx_graph_free(graph);
    return module;
}

fx_status fx__split(fx_module *module, const fx_splitting *splitting, fx_module **out)
{
    *out = NULL;
    if (!fx_graph_output_node(module->graph)) return fx__diag(module->context, FX_E_GRAPH, NULL, "the graph has no output");
    split s = {.how = splitting, .from = module, .scratch = fx__arena_new(module->context)};
    s.to = s.scratch ? new_outer(module) : NULL;
    fx_status status = s.to ? run_split(&s) : FX_E_OOM;
    fx__arena_free(s.scratch);
    if (status == FX_OK)
        *out = s.to;
    else
        fx_module_free(s.to);
    return status;
}

/* ---- By callback and by tag ------------------------------------------------------------------------------------------------- */

static const char *number_name(void *user, fx_arena *scratch, int32_t part)
{
    (void)user;
    return fx__arena_format(scratch, "submod_%d", (int)part);
}

static fx_status ask_parts(const fx_module *module, fx_part_of part_of, void *user, int32_t *part)
{
    FX_EACH_NODE(node, module->graph)
    {
        part[node->id] = fx__split_is_call(node) ? part_of(user, node) : FX_SPLIT_OUTSIDE;
        if (part[node->id] < FX_SPLIT_OUTSIDE)
            return fx__diag_node(node, FX_E_ARG, "%d is no part of a split", (int)part[node->id]);
    }
    return FX_OK;
}

static fx_status split_with(fx_module *module, fx_part_of part_of, void *user, fx_splitting how, fx_module **out)
{
    *out = NULL;
    fx_arena *scratch = fx__arena_new(module->context);
    int32_t *part = scratch ? FX_NEW_ARRAY(scratch, int32_t, module->graph->next_id + 1) : NULL;
    fx_status status = part ? ask_parts(module, part_of, user, part) : FX_E_OOM;
    how.part = part;
    if (status == FX_OK) status = fx__split(module, &how, out);
    fx__arena_free(scratch);
    return status;
}

fx_status fx_split_module(fx_module *module, fx_part_of part_of, void *user, fx_module **out)
{
    return split_with(module, part_of, user, (fx_splitting){.name_of = number_name}, out);
}

typedef struct tag_list {
    const char *const *tags;
    int32_t n;
} tag_list;

static int32_t find_tag(const tag_list *list, const char *tag)
{
    for (int32_t i = 0; i < list->n; i++)
        if (strcmp(list->tags[i], tag) == 0) return i;
    return -1;
}

static const char *tag_of(const fx_node *node)
{
    const fx_attr *tag = fx_node_meta(node, "tag");
    return tag && tag->kind == FX_ATTR_STR ? tag->u.s : NULL;
}

static int32_t part_of_tag(void *user, const fx_node *node)
{
    const char *tag = tag_of(node);
    return tag ? find_tag(user, tag) : FX_SPLIT_OUTSIDE;
}

static const char *tag_name(void *user, fx_arena *scratch, int32_t part)
{
    (void)scratch;
    return ((const tag_list *)user)->tags[part];
}

static fx_status check_tags(const fx_module *module, const tag_list *list)
{
    fx_status status = FX_OK;
    for (int32_t i = 0; i < list->n; i++)
        if (!fx__text_is_identifier(list->tags[i]) || fx_module_submodule(module, list->tags[i]))
            status = fx__diag(module->context, FX_E_ARG, NULL, "tag %s is no name for a new submodule", list->tags[i]);
    FX_EACH_NODE(node, module->graph)
    if (fx__split_is_call(node) && tag_of(node) && find_tag(list, tag_of(node)) < 0)
        status = fx__diag_node(node, FX_E_ARG, "its tag %s is not in the list", tag_of(node));
    return status;
}

fx_status fx_split_by_tag(fx_module *module, const char *const *tags, int32_t n_tags, fx_module **out)
{
    tag_list list = {tags, n_tags};
    *out = NULL;
    FX_TRY(check_tags(module, &list));
    return split_with(module, part_of_tag, &list, (fx_splitting){.name_of = tag_name, .user = &list}, out);
}
