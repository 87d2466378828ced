/* SPDX-License-Identifier: Apache-2.0 */
/* ir/node.c: nodes: their arguments with the use lists that follow from them, and what is known of their results. */
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

static bool add_user(fx_node *node, fx_node *user)
{
    fx_node **users = fx__arena_grow(node->graph->arena, node->users, &node->cap_users, node->n_users, sizeof(fx_node *));
    if (!users) return false;
    node->users = users;
    node->users[node->n_users++] = user;
    return true;
}

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

static void add_input(void *user, fx_node *input)
{
    fx_node *node = user;
    if (!uses(node, input)) node->inputs[node->n_inputs++] = input;
}

/* The node's arguments are already checked; only memory may be missing, and then nothing has changed. */
fx_status fx__node_bind(fx_node *node, fx_attr args, fx_attr kwargs)
{
    int32_t n = 0;
    fx__attr_each_node(&args, count_node, &n);
    fx__attr_each_node(&kwargs, count_node, &n);
    fx_node **inputs = FX_NEW_ARRAY(node->graph->arena, fx_node *, n);
    if (!inputs) return FX_E_OOM;
    fx__node_drop_inputs(node);
    node->inputs = inputs;
    node->args = args;
    node->kwargs = kwargs;
    fx__attr_each_node(&args, add_input, node);
    fx__attr_each_node(&kwargs, add_input, node);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!add_user(node->inputs[i], node)) return FX_E_OOM;
    return FX_OK;
}

/* None stands for no arguments at all; containers are copied by whoever made them. */
fx_status fx__node_check_args(const fx_graph *graph, const fx_loc *loc, fx_attr *args, fx_attr *kwargs)
{
    if (args->kind == FX_ATTR_NONE) *args = (fx_attr){.kind = FX_ATTR_TUPLE};
    if (kwargs->kind == FX_ATTR_NONE) *kwargs = (fx_attr){.kind = FX_ATTR_DICT};
    if (args->kind != FX_ATTR_TUPLE) return fx__diag(graph->context, FX_E_ARG, loc, "args must be a tuple");
    if (kwargs->kind != FX_ATTR_DICT) return fx__diag(graph->context, FX_E_ARG, loc, "kwargs must be a dict");
    FX_TRY(fx__attr_check(graph, args, 0, loc));
    return fx__attr_check(graph, kwargs, 0, loc);
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
    FX_TRY(fx__node_check_args(graph, &node->loc, &args, &kwargs));
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

struct replacement {
    fx_node *old, *with;
};

static fx_node *replace_node(void *user, fx_node *node)
{
    const struct replacement *r = user;
    return node == r->old ? r->with : node;
}

fx_status fx__node_replace_input(fx_node *node, fx_node *old, fx_node *with)
{
    struct replacement r = {old, with};
    fx_attr args = fx__attr_copy(node->graph, &node->args, replace_node, &r);
    fx_attr kwargs = fx__attr_copy(node->graph, &node->kwargs, replace_node, &r);
    if (args.kind == FX_ATTR_NONE || kwargs.kind == FX_ATTR_NONE) return FX_E_OOM;
    return fx_node_set_args(node, args, kwargs);
}

/* `with` itself keeps its use of the node: f(x) can stand for x everywhere else. */
int32_t fx_node_replace_all_uses(fx_node *node, fx_node *with)
{
    fx_graph *graph = node->graph;
    if (!with || with->graph != graph || with->erased) {
        fx__diag(graph->context, FX_E_GRAPH, &node->loc, "uses of %s cannot become uses of a node of another graph", node->name);
        return -1;
    }
    int32_t n_users = node->n_users, changed = 0;
    fx_node **users = FX_NEW_ARRAY(graph->arena, fx_node *, n_users);
    if (!users) return -1;
    if (n_users) memcpy(users, node->users, (size_t)n_users * sizeof(fx_node *));
    for (int32_t i = 0; i < n_users && node != with; i++) {
        if (users[i] == with) continue;
        if (fx__node_replace_input(users[i], node, with) != FX_OK) return -1;
        changed++;
    }
    return changed;
}

/* ---- Effects ----------------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether a function or method name ends in the one underscore that says "in place"; length excludes an overload. */
static bool is_in_place_name(const char *name, size_t length)
{
    return length > 1 && name[length - 1] == '_' && name[length - 2] != '_';
}

static bool is_in_place_operator(const char *name)
{
    static const char *const names[] = {"setitem", "delitem", "iadd", "isub", "imul",    "itruediv", "ifloordiv", "imod",
                                        "ipow",    "iand",    "ior",  "ixor", "ilshift", "irshift",  "imatmul",   "iconcat"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_effect(const char *target)
{
    static const char *const prefixes[] = {"torch._assert",
                                           "torch.ops.aten._assert",
                                           "torch.ops.aten.sym_constrain_range",
                                           "torch.ops.profiler.",
                                           "torch.ops.inductor.accumulate_grad_",
                                           "torch._C._set_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(target, prefixes[i])) return true;
    return false;
}

/* The part of "torch.ops.aten.add_.Tensor" or "torch.relu_" that names the function. */
bool fx__node_is_in_place(const fx_node *node)
{
    const char *target = node->target;
    if (node->opcode == FX_CALL_METHOD) return is_in_place_name(target, strlen(target)) || strcmp(target, "__setitem__") == 0;
    if (node->opcode != FX_CALL_FUNCTION) return false;
    if (starts_with(target, "operator.")) return is_in_place_operator(target + 9);
    if (starts_with(target, "torch.ops.")) {
        const char *packet = strchr(target + 10, '.');
        packet = packet ? packet + 1 : target + 10;
        return is_in_place_name(packet, strcspn(packet, "."));
    }
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "inplace") == 0 && node->kwargs.u.items[i].kind == FX_ATTR_BOOL && node->kwargs.u.items[i].u.i)
            return true;
    return is_in_place_name(target, strlen(target));
}

static bool module_is_impure(const fx_node *node)
{
    const fx_module *module = node->graph->module ? fx_module_submodule(node->graph->module, node->target) : NULL;
    if (!module) return false;
    FX_EACH_NODE(inner, module->graph)
    {
        bool is_edge = inner->opcode == FX_PLACEHOLDER || inner->opcode == FX_OUTPUT;
        if (!is_edge && fx_node_is_impure(inner)) return true;
    }
    return false;
}

bool fx_node_is_impure(const fx_node *node)
{
    switch (node->opcode) {
    case FX_PLACEHOLDER:
    case FX_OUTPUT:
        return true;
    case FX_CALL_MODULE:
        return module_is_impure(node);
    case FX_CALL_FUNCTION:
        return (node->op && node->op->impure) || fx__node_is_in_place(node) || is_effect(node->target);
    case FX_CALL_METHOD:
        return fx__node_is_in_place(node);
    default:
        return false;
    }
}

/* ---- Meta -------------------------------------------------------------------------------------------------------------- */

void fx_node_set_loc(fx_node *node, fx_loc loc)
{
    fx_context *context = node->graph->context;
    node->loc = (fx_loc){fx__intern(context, loc.file), loc.line, fx__intern(context, loc.function)};
}

const fx_type *fx_node_type(const fx_node *node, int32_t index)
{
    if (index < 0 || index >= node->n_result || node->result[index].dtype == FX_DTYPE_COUNT) return NULL;
    return &node->result[index];
}

static bool type_is_legal(const fx_type *type)
{
    if (!fx_dtype_bytes(type->dtype) || type->rank < 0 || type->rank > FX_RANK) return false;
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] == FX_DIM_BAD || (fx_dim_is_const(type->dim[d]) && type->dim[d] < 0)) return false;
    return true;
}

fx_status fx__node_reserve_results(fx_node *node, int32_t n)
{
    if (n <= node->n_result) return FX_OK;
    fx_type *result = FX_NEW_ARRAY(node->graph->arena, fx_type, n);
    if (!result) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) result[i] = i < node->n_result ? node->result[i] : (fx_type){.dtype = FX_DTYPE_COUNT};
    node->result = result;
    node->n_result = n;
    return FX_OK;
}

/* A NULL type forgets all results. */
fx_status fx_node_set_type(fx_node *node, int32_t index, const fx_type *type)
{
    if (!type) {
        node->n_result = 0;
        return FX_OK;
    }
    if (index < 0 || index >= FX_RESULTS) return fx__diag_node(node, FX_E_ARG, "result index %d", (int)index);
    if (!type_is_legal(type)) return fx__diag_node(node, FX_E_ARG, "the type of result %d is not a type", (int)index);
    FX_TRY(fx__node_reserve_results(node, index + 1));
    node->result[index] = *type;
    return FX_OK;
}
