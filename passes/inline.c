/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    puts the graphs of submodules in the place of call_module nodes, and functions in the place of methods.
 * Needs:   a linted graph; submodules with graphs of their own.
 * Ensures: no call_module is left; a method is left only when the operator table does not know it.
 * Cost:    linear in the nodes of graph and submodules. */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

enum { INLINE_DEPTH = 64 }; /* a module that holds itself would never end */

typedef struct inlining {
    fx_graph *graph;
    fx_node *call;
    fx_arena *scratch;
    fx_map here; /* node of the submodule -> node here */
} inlining;

static fx_node *node_here(void *user, fx_node *there)
{
    return fx__map_get(user, there);
}

/* The argument of the call for the submodule's i-th input: by position, by keyword, or the input's default. */
static const fx_attr *find_argument(const inlining *in, const fx_node *placeholder, int32_t index)
{
    const fx_attr *args = &in->call->args, *kwargs = &in->call->kwargs;
    if (index < args->n) return &args->u.items[index];
    for (int32_t i = 0; i < kwargs->n; i++)
        if (strcmp(kwargs->keys[i], placeholder->target) == 0) return &kwargs->u.items[i];
    return NULL;
}

static fx_status bind_input(inlining *in, fx_node *placeholder, int32_t index)
{
    const fx_attr *value = find_argument(in, placeholder, index);
    if (value && value->kind == FX_ATTR_NODE) return fx__map_put(&in->here, placeholder, value->u.node) ? FX_OK : FX_E_OOM;
    if (placeholder->n_users == 0) return FX_OK;
    return fx__diag_node(in->call, FX_E_UNSUPPORTED, value ? "input %s of the submodule is not a tensor" : "input %s is missing",
                         placeholder->target);
}

static fx_status copy_inner(inlining *in, fx_node *there)
{
    fx_node *copy = fx_graph_copy_node(in->graph, there, node_here, &in->here);
    if (!copy || !fx__map_put(&in->here, there, copy)) return FX_E_GRAPH;
    if (there->opcode != FX_GET_ATTR && there->opcode != FX_CALL_MODULE) return FX_OK;
    const char *path = fx__arena_format(in->scratch, "%s.%s", in->call->target, there->target);
    return path ? fx_node_set_target(copy, path) : FX_E_OOM;
}

/* A tuple of values is taken apart by getitem nodes only. */
static fx_status replace_items(inlining *in, const fx_attr *value)
{
    while (in->call->n_users) {
        fx_node *user = in->call->users[0];
        bool is_item = user->opcode == FX_CALL_FUNCTION && strcmp(user->target, "operator.getitem") == 0 && user->args.n == 2;
        const fx_attr *index = is_item ? fx__arg(user, 1) : NULL;
        if (!index || index->kind != FX_ATTR_INT || index->u.i < -value->n || index->u.i >= value->n)
            return fx__diag_node(user, FX_E_UNSUPPORTED, "the outputs of submodule %s are used as a whole", in->call->target);
        const fx_attr *item = &value->u.items[index->u.i < 0 ? index->u.i + value->n : index->u.i];
        if (item->kind != FX_ATTR_NODE) return fx__diag_node(user, FX_E_UNSUPPORTED, "this output of the submodule is no tensor");
        FX_TRY(fx__core_replace(user, fx__map_get(&in->here, item->u.node)));
    }
    return fx_graph_erase(in->graph, in->call);
}

static fx_status replace_call(inlining *in, const fx_node *output)
{
    if (!output) return fx__diag_node(in->call, FX_E_GRAPH, "the submodule's graph has no output");
    const fx_attr *value = fx__arg(output, 0);
    if (value->kind == FX_ATTR_NODE) return fx__core_replace(in->call, fx__map_get(&in->here, value->u.node));
    if (value->kind == FX_ATTR_TUPLE || value->kind == FX_ATTR_LIST) return replace_items(in, value);
    return fx__diag_node(in->call, FX_E_UNSUPPORTED, "the submodule's output is neither a tensor nor a tuple of tensors");
}

static fx_status copy_graph(inlining *in, const fx_graph *inner)
{
    int32_t n_inputs = 0;
    FX_EACH_NODE(node, inner)
    {
        if (node->opcode == FX_PLACEHOLDER)
            FX_TRY(bind_input(in, node, n_inputs++));
        else if (node->opcode != FX_OUTPUT)
            FX_TRY(copy_inner(in, node));
    }
    return replace_call(in, fx_graph_output_node(inner));
}

static fx_status inline_module(fx_node *call)
{
    const fx_module *module = call->graph->module ? fx_module_submodule(call->graph->module, call->target) : NULL;
    if (!module) return fx__diag_node(call, FX_E_NOT_FOUND, "no submodule %s", call->target);
    inlining in = {.graph = call->graph, .call = call, .scratch = fx__arena_new(call->graph->context)};
    if (!in.scratch) return FX_E_OOM;
    fx__map_init(&in.here, in.scratch);
    fx_point point = fx_graph_insert_before(call->graph, call);
    fx_status status = copy_graph(&in, module->graph);
    fx_graph_set_point(call->graph, point);
    fx__arena_free(in.scratch);
    return status;
}

static fx_status replace_method(fx_node *node, bool *out_modified)
{
    const fx_op *op = fx__op_of(node);
    if (!op) return FX_OK;
    fx_node_spec spec = {FX_CALL_FUNCTION, op->target, node->args, node->kwargs, node->name, false, node->loc};
    fx_point point = fx_graph_insert_before(node->graph, node);
    fx_node *call = fx_graph_create_node(node->graph, &spec);
    fx_graph_set_point(node->graph, point);
    if (!call) return FX_E_OOM;
    *out_modified = true;
    return fx__core_replace(node, call);
}

/* One level of submodules; *out_found says whether there was any. */
static fx_status inline_level(fx_graph *graph, bool *out_found)
{
    fx_status first = FX_OK;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode != FX_CALL_MODULE) continue;
        *out_found = true;
        fx_status status = inline_module(node);
        if (first == FX_OK) first = status;
    }
    return first;
}

fx_status fx__pass_inline(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    bool found = true;
    for (int depth = 0; found; depth++) {
        if (depth == INLINE_DEPTH) return fx__diag(graph->context, FX_E_GRAPH, NULL, "submodules are nested without end");
        found = false;
        FX_TRY(inline_level(graph, &found));
        *out_modified |= found;
    }
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode == FX_CALL_METHOD) FX_TRY(replace_method(node, out_modified));
    }
    return FX_OK;
}
