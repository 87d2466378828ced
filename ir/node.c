/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node.c: nodes: reading them, and their arguments with the use lists that follow from these. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

const char *fx_opcode_name(fx_opcode opcode)
{
    static const char *const names[FX_OPCODE_COUNT] = {"placeholder", "get_attr",    "call_function",
                                                       "call_method", "call_module", "output"};
    return (unsigned)opcode < FX_OPCODE_COUNT ? names[opcode] : "?";
}

fx_opcode fx_node_opcode(const fx_node *node)
{
    return node->opcode;
}
const char *fx_node_name(const fx_node *node)
{
    return node->name;
}
const char *fx_node_target(const fx_node *node)
{
    return node->target;
}
const fx_op *fx_node_op(const fx_node *node)
{
    return node->op;
}
fx_graph *fx_node_graph(const fx_node *node)
{
    return node->graph;
}
fx_attr fx_node_args(const fx_node *node)
{
    return node->args;
}
fx_attr fx_node_kwargs(const fx_node *node)
{
    return node->kwargs;
}
fx_loc fx_node_loc(const fx_node *node)
{
    return node->loc;
}
int32_t fx_node_id(const fx_node *node)
{
    return node->id;
}
const char *fx_node_annotation(const fx_node *node)
{
    return node->annotation;
}
fx_node *fx_node_next(const fx_node *node)
{
    return node->next;
}
fx_node *fx_node_prev(const fx_node *node)
{
    return node->prev;
}
int32_t fx_node_user_count(const fx_node *node)
{
    return node->n_users;
}
int32_t fx_node_input_count(const fx_node *node)
{
    return node->n_inputs;
}
int32_t fx_node_result_count(const fx_node *node)
{
    return node->n_result;
}

fx_node *fx_node_user(const fx_node *node, int32_t index)
{
    return index >= 0 && index < node->n_users ? node->users[index] : NULL;
}

fx_node *fx_node_input(const fx_node *node, int32_t index)
{
    return index >= 0 && index < node->n_inputs ? node->inputs[index] : NULL;
}

/* ---- Uses -------------------------------------------------------------------------------------------------------------- */

static void remove_user(fx_node *node, const fx_node *user)
{
    int32_t at = 0;
    while (at < node->n_users && node->users[at] != user) at++;
    if (at == node->n_users) return;
    node->n_users--;
    memmove(node->users + at, node->users + at + 1, (size_t)(node->n_users - at) * sizeof(fx_node *));
}

void fx__node_drop_inputs(fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) remove_user(node->inputs[i], node);
    node->n_inputs = 0;
}

static void count_node(void *user, fx_node *node)
{
    (void)node;
    ++*(int32_t *)user;
}

static bool uses(const fx_node *node, const fx_node *input)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == input) return true;
    return false;
}

static void collect(void *user, fx_node *input)
{
    fx_node *draft = user;
    if (!uses(draft, input)) draft->inputs[draft->n_inputs++] = input;
}

/* A place for one user more: what follows cannot fail. */
static bool reserve_user(fx_node *node)
{
    fx_node **users = fx__arena_grow(node->graph->arena, node->users, &node->cap_users, node->n_users, sizeof(fx_node *));
    if (users) node->users = users;
    return users != NULL;
}

/* The node's arguments are already checked; only memory may be missing, and then nothing has changed. */
fx_status fx__node_bind(fx_node *node, fx_attr args, fx_attr kwargs)
{
    int32_t n = 0;
    fx__attr_each_node(&args, count_node, &n);
    fx__attr_each_node(&kwargs, count_node, &n);
    fx_node draft = {.inputs = FX_NEW_ARRAY(node->graph->arena, fx_node *, n)};
    if (!draft.inputs) return FX_E_OOM;
    fx__attr_each_node(&args, collect, &draft);
    fx__attr_each_node(&kwargs, collect, &draft);
    for (int32_t i = 0; i < draft.n_inputs; i++)
        if (!reserve_user(draft.inputs[i])) return FX_E_OOM;
    fx__node_drop_inputs(node);
    node->inputs = draft.inputs;
    node->n_inputs = draft.n_inputs;
    node->args = args;
    node->kwargs = kwargs;
    for (int32_t i = 0; i < node->n_inputs; i++) node->inputs[i]->users[node->inputs[i]->n_users++] = node;
    return FX_OK;
}

static bool has_twice(const fx_attr *dict, int32_t *out_at)
{
    for (int32_t i = 0; i < dict->n; i++)
        for (int32_t j = 0; j < i; j++)
            if (strcmp(dict->keys[i], dict->keys[j]) == 0) return *out_at = i, true;
    return false;
}

/* None stands for no arguments at all; containers are copied by whoever made them. */
fx_status fx__node_check_args(const fx_graph *graph, const char *what, const fx_loc *loc, fx_attr *args, fx_attr *kwargs)
{
    int32_t at = 0;
    if (args->kind == FX_ATTR_NONE) *args = (fx_attr){.kind = FX_ATTR_TUPLE};
    if (kwargs->kind == FX_ATTR_NONE) *kwargs = (fx_attr){.kind = FX_ATTR_DICT};
    if (args->kind != FX_ATTR_TUPLE)
        return fx__diag(graph->context, FX_E_ARG, loc, "%s: args must be a tuple, not %s", what, fx__attr_word(args->kind));
    if (kwargs->kind != FX_ATTR_DICT)
        return fx__diag(graph->context, FX_E_ARG, loc, "%s: kwargs must be a dict, not %s", what, fx__attr_word(kwargs->kind));
    fx_status status = fx__attr_check(graph, args, 0, loc);
    if (status == FX_OK) status = fx__attr_check(graph, kwargs, 0, loc);
    if (status == FX_OK && has_twice(kwargs, &at))
        status = fx__diag(graph->context, FX_E_ARG, loc, "%s: keyword argument %s is given twice", what, kwargs->keys[at]);
    else if (status != FX_OK && status != FX_E_OOM)
        fx__diag_note(graph->context, loc, "in the arguments of %s", what);
    return status;
}

static void adopt_regions(fx_graph *graph, const fx_attr *value)
{
    if (value->kind == FX_ATTR_GRAPH && !value->u.graph->parent && value->u.graph != graph) fx__graph_adopt(graph, value->u.graph);
    if (!fx__attr_has_items(value->kind)) return;
    for (int32_t i = 0; i < value->n; i++) adopt_regions(graph, &value->u.items[i]);
}

void fx__node_adopt_regions(fx_node *node)
{
    adopt_regions(node->graph, &node->args);
    adopt_regions(node->graph, &node->kwargs);
}

fx_status fx_node_set_args(fx_node *node, fx_attr args, fx_attr kwargs)
{
    fx_graph *graph = node->graph;
    if (node->erased) return fx__diag(graph->context, FX_E_GRAPH, &node->loc, "node %s was erased from the graph", node->name);
    FX_TRY(fx__node_check_args(graph, node->name, &node->loc, &args, &kwargs));
    if (node->opcode == FX_OUTPUT && args.n != 1)
        return fx__diag_node(node, FX_E_ARG, "an output has %d arguments instead of one", args.n);
    FX_TRY(fx__node_bind(node, args, kwargs));
    fx__node_adopt_regions(node);
    graph->edits++;
    return FX_OK;
}

fx_status fx_node_set_target(fx_node *node, const char *target)
{
    const char *text = target && *target ? fx__intern(node->graph->context, target) : NULL;
    if (!text) return fx__diag(node->graph->context, target && *target ? FX_E_OOM : FX_E_ARG, &node->loc, "a target is empty");
    node->target = text;
    node->op = node->opcode == FX_CALL_FUNCTION ? fx__op_find(text) : NULL;
    node->graph->edits++;
    return FX_OK;
}
