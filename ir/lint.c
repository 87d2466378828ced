/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lint.c: what a well-formed graph is: torch.fx's rules, then ours (one output, last; types that the operators give), and what
 * makes a graph a core graph. Every problem is reported. */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

typedef struct lint {
    const fx_graph *graph;
    fx_arena *arena;
    fx_map defined; /* node -> node, so far */
    fx_map names;   /* name -> node */
    const fx_node *node;
    const fx_node *output;
    fx_status status; /* of the first problem */
} lint;

static void note(lint *l, fx_status status)
{
    if (l->status == FX_OK) l->status = status;
}

/* ---- torch.fx's rules -------------------------------------------------------------------------------------------------- */

static void check_argument(void *user, fx_node *input)
{
    lint *l = user;
    if (input->graph != l->graph)
        note(l, fx__diag_node(l->node, FX_E_GRAPH, "argument %s does not belong to this graph", input->name));
    else if (input->erased)
        note(l, fx__diag_node(l->node, FX_E_GRAPH, "argument %s was erased", input->name));
    else if (!fx__map_get(&l->defined, input))
        note(l, fx__diag_node(l->node, FX_E_GRAPH, "argument %s is used before it is defined: nodes are not in topological order",
                              input->name));
}

static void check_name(lint *l, fx_node *node)
{
    if (fx__map_get(&l->names, node->name)) note(l, fx__diag_node(node, FX_E_GRAPH, "node name %s is used twice", node->name));
    if (!fx__map_put(&l->names, node->name, node) || !fx__map_put(&l->defined, node, node)) note(l, FX_E_OOM);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------------- */

static bool path_begins(const char *path, const char *prefix, size_t bytes)
{
    return strncmp(path, prefix, bytes) == 0 && (path[bytes] == 0 || path[bytes] == '.');
}

/* Whether something of the module or its submodules bears this path or one that it begins. */
static bool has_prefix(const fx_module *module, const char *path, size_t bytes)
{
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (path_begins(module->tensors[i].path, path, bytes)) return true;
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const char *inner = module->submodules[i].path;
        size_t length = strlen(inner);
        if (path_begins(inner, path, bytes)) return true;
        if (length < bytes && path_begins(path, inner, length) &&
            has_prefix(module->submodules[i].module, path + length + 1, bytes - length - 1))
            return true;
    }
    return false;
}

/* The first atom of a dotted path at which nothing is found. */
static void refuse_path(lint *l, const fx_node *node, const char *what)
{
    const fx_module *module = l->graph->module;
    size_t before = 0, bytes = strcspn(node->target, ".");
    while (node->target[bytes] && has_prefix(module, node->target, bytes)) {
        before = bytes;
        bytes += 1 + strcspn(node->target + bytes + 1, ".");
    }
    if (has_prefix(module, node->target, bytes))
        note(l, fx__diag_node(node, FX_E_NOT_FOUND, "%s of module %s is not a %s", node->target, module->name, what));
    else if (before)
        note(l, fx__diag_node(node, FX_E_NOT_FOUND, "%.*s of module %s has no %s %s", (int)before, node->target, module->name, what,
                              node->target + before + 1));
    else
        note(l, fx__diag_node(node, FX_E_NOT_FOUND, "module %s has no %s %s", module->name, what, node->target));
}

/* A fact of a module ("stride") is there, though no tensor: torch warns, too. */
static bool warn_of_fact(lint *l, const fx_node *node)
{
    const char *dot = strrchr(node->target, '.'), *atom = dot ? dot + 1 : node->target;
    size_t bytes = dot ? (size_t)(dot - node->target) : 0;
    char *path = fx__arena_copy(l->arena, node->target, bytes);
    const fx_module *owner = !dot || !path ? l->graph->module : fx_module_submodule(l->graph->module, path);
    if (!path || !owner || !fx_module_attribute(owner, atom)) return false;
    fx__diag_warn(l->graph->context, &node->loc,
                  "node %s target %s %s of %s does not reference an nn.Module, nn.Parameter, or buffer, which is what 'get_attr' "
                  "nodes typically target",
                  node->name, node->target, atom, dot ? path : owner->name);
    return true;
}

static void check_path(lint *l, const fx_node *node)
{
    const fx_module *module = l->graph->module;
    if (!module) return;
    if (node->opcode == FX_GET_ATTR && !fx_module_tensor(module, node->target) && !fx_module_submodule(module, node->target) &&
        !warn_of_fact(l, node))
        refuse_path(l, node, "tensor");
    if (node->opcode == FX_CALL_MODULE && !fx_module_submodule(module, node->target)) refuse_path(l, node, "submodule");
}

/* "torch.nn.functional.relu", "__main__.<lambda>": words between dots. */
static bool is_function_name(const char *target)
{
    for (const char *at = target;; at++) {
        size_t bytes = strcspn(at, ".");
        if (!fx__text_is_word(at, bytes) && !(bytes == 8 && strncmp(at, "<lambda>", 8) == 0)) return false;
        at += bytes;
        if (!*at) return true;
    }
}

static void check_target(lint *l, const fx_node *node)
{
    if (node->opcode == FX_CALL_FUNCTION && !is_function_name(node->target))
        note(l,
             fx__diag_node(node, FX_E_ARG, "target %s is no function; expected a qualified name such as torch.relu", node->target));
    if (node->opcode == FX_CALL_METHOD && !fx__text_is_identifier(node->target))
        note(l, fx__diag_node(node, FX_E_ARG, "target %s is no method; expected one word such as relu", node->target));
    check_path(l, node);
}

static void check_form(lint *l, const fx_node *node)
{
    if ((unsigned)node->opcode >= FX_OPCODE_COUNT) note(l, fx__diag_node(node, FX_E_GRAPH, "unknown opcode %d", (int)node->opcode));
    if (node->graph != l->graph) note(l, fx__diag_node(node, FX_E_GRAPH, "node does not belong to this graph"));
    if (node->opcode == FX_CALL_METHOD && node->args.n == 0)
        note(l, fx__diag_node(node, FX_E_GRAPH, "a method call has no object"));
    if (node->opcode == FX_PLACEHOLDER && node->args.n > 1)
        note(l, fx__diag_node(node, FX_E_GRAPH, "placeholder with %d arguments; expected its default value or none", node->args.n));
    if (l->output) note(l, fx__diag_node(node, FX_E_GRAPH, "node stands after the output"));
    if (node->opcode == FX_OUTPUT) l->output = node;
}

static void check_region(lint *l, const fx_attr *value)
{
    if (value->kind == FX_ATTR_GRAPH) note(l, fx_graph_lint(value->u.graph));
    if (!fx__attr_has_items(value->kind)) return;
    for (int32_t i = 0; i < value->n; i++) check_region(l, &value->u.items[i]);
}

/* ---- Types ------------------------------------------------------------------------------------------------------------- */

static void check_tensor_type(lint *l, const fx_node *node)
{
    const fx_tensor *tensor = l->graph->module ? fx_module_tensor(l->graph->module, node->target) : NULL;
    const fx_type *type = fx_node_type(node, 0);
    if (!tensor || !type) return;
    fx_type actual = fx__type_of_tensor(tensor);
    if (!fx__type_equal(type, &actual)) note(l, fx__diag_node(node, FX_E_TYPE, "recorded type differs from the tensor's"));
}

static bool inputs_are_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return true;
}

static char *types_text(const fx_node *node, const fx_type *types, int32_t n)
{
    fx_text text;
    fx__text_init(&text, node->graph->context);
    for (int32_t i = 0; i < n; i++) {
        if (i) fx__text_append(&text, ", ");
        fx__type_print(&text, node->graph->dims, &types[i]);
    }
    return fx__text_finish(&text);
}

static bool types_equal(const fx_type *a, int32_t n_a, const fx_type *b, int32_t n_b)
{
    if (n_a != n_b) return false;
    for (int32_t i = 0; i < n_a; i++)
        if (!fx__type_equal(&a[i], &b[i])) return false;
    return true;
}

/* The recorded types against those that the operator gives now. */
static void check_call_type(lint *l, fx_node *node)
{
    fx_type *recorded = node->result;
    int32_t n_recorded = node->n_result;
    if (!n_recorded || !node->op || fx__node_is_in_place(node) || !inputs_are_typed(node)) return;
    node->n_result = 0;
    node->result = NULL;
    fx_status status = fx__op_infer(node);
    if (status != FX_OK) {
        note(l, status);
    } else if (!types_equal(recorded, n_recorded, node->result, node->n_result)) {
        char *actual = types_text(node, recorded, n_recorded), *expected = types_text(node, node->result, node->n_result);
        note(l, fx__diag_node(node, FX_E_TYPE, "recorded type is %s, the operator gives %s", actual ? actual : "?",
                              expected ? expected : "?"));
        fx_text_free(actual);
        fx_text_free(expected);
    }
    node->result = recorded;
    node->n_result = n_recorded;
}

static void check_node(lint *l, fx_node *node)
{
    l->node = node;
    check_form(l, node);
    fx__attr_each_node(&node->args, check_argument, l);
    fx__attr_each_node(&node->kwargs, check_argument, l);
    check_name(l, node);
    check_target(l, node);
    check_region(l, &node->args);
    check_region(l, &node->kwargs);
    if (node->opcode == FX_GET_ATTR) check_tensor_type(l, node);
    if (node->opcode == FX_CALL_FUNCTION && l->status == FX_OK) check_call_type(l, node);
}

fx_status fx_graph_lint(const fx_graph *graph)
{
    lint l = {.graph = graph, .arena = fx__arena_new(graph->context)};
    if (!l.arena) return FX_E_OOM;
    fx__map_init(&l.defined, l.arena);
    fx__map_init(&l.names, l.arena);
    if (graph->core) note(&l, fx__graph_check_core(graph)); /* first: inference reads a core graph's arguments by index */
    FX_EACH_NODE(node, graph) check_node(&l, node);
    fx__arena_free(l.arena);
    return l.status;
}

/* ---- Core graphs ------------------------------------------------------------------------------------------------------- */

static fx_status check_core_call(const fx_node *node)
{
    int32_t n_params = 0;
    if (!node->op) return fx__diag_node(node, FX_E_UNSUPPORTED, "a core graph calls operators of the table only");
    fx__op_params(node->op, &n_params);
    if (node->args.n != n_params || node->kwargs.n)
        return fx__diag_node(node, FX_E_GRAPH, "%d positional and %d keyword arguments; a core graph binds all %d by position",
                             node->args.n, node->kwargs.n, n_params);
    fx_attr bound[FX_PARAMS];
    return fx__op_bind(node->graph, node, node->op, bound);
}

fx_status fx__graph_check_core(const fx_graph *graph)
{
    fx_status first = FX_OK;
    FX_EACH_NODE(node, graph)
    {
        fx_status status = FX_OK;
        if (node->opcode == FX_CALL_FUNCTION)
            status = check_core_call(node);
        else if (node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE)
            status = fx__diag_node(node, FX_E_GRAPH, "a core graph has no %s", fx_opcode_name(node->opcode));
        if (first == FX_OK) first = status;
    }
    if (!fx_graph_output_node(graph)) return fx__diag(graph->context, FX_E_GRAPH, NULL, "the graph has no output");
    return first;
}
