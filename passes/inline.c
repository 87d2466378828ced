/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    puts the graphs of submodules in the place of call_module nodes, and bodies in the place of calls that have one.
 * Needs:   a linted graph; submodules with graphs of their own.
 * Ensures: no call_module and no body is left; copied nodes say by their meta module_path which module they come from.
 * Cost:    linear in the nodes of graph, submodules and bodies. */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

enum { INLINE_DEPTH = 64 }; /* a module that holds itself would never end */

typedef struct inlining {
    fx_graph *graph;
    const fx_graph *inner;
    fx_node *call;
    const char *prefix; /* of the inner graph's paths: "conv1."; NULL: they are those of this graph */
    fx_arena *scratch;
    fx_map here;         /* node of the inner graph -> fx_attr: its value here */
    fx_status status;    /* of a value that could not be taken over */
    const fx_node *node; /* being copied */
} inlining;

/* ---- Inputs ------------------------------------------------------------------------------------------------------------- */

static fx_status set_value(inlining *in, const fx_node *there, const fx_attr *value)
{
    fx_attr *kept = FX_NEW(in->scratch, fx_attr);
    if (!kept || !fx__map_put(&in->here, there, kept)) return FX_E_OOM;
    *kept = *value;
    return FX_OK;
}

/* The argument of the call for the submodule's i-th input: by position, by keyword, or the input's default. */
static const fx_attr *find_argument(const inlining *in, const fx_node *placeholder, int32_t index)
{
    const fx_attr *args = &in->call->args, *kwargs = &in->call->kwargs;
    if (index < args->n) return &args->u.items[index];
    for (int32_t i = 0; i < kwargs->n; i++)
        if (strcmp(kwargs->keys[i], placeholder->target) == 0) return &kwargs->u.items[i];
    return placeholder->args.n ? fx__arg(placeholder, 0) : NULL;
}

static fx_status bind_input(inlining *in, const fx_node *placeholder, int32_t index)
{
    const fx_attr *value = find_argument(in, placeholder, index);
    if (value) return set_value(in, placeholder, value);
    if (placeholder->n_users == 0) return FX_OK;
    return fx__diag_node(in->call, FX_E_ARG, "input %s of the submodule is missing", placeholder->target);
}

/* A body's inputs are the nodes that the call uses. */
static fx_status bind_body_input(inlining *in, const fx_node *placeholder, int32_t index)
{
    if (index >= in->call->n_inputs)
        return fx__diag_node(in->call, FX_E_GRAPH, "its body has more inputs than the call uses nodes (%d)", in->call->n_inputs);
    const fx_attr value = fx_node_attr(in->call->inputs[index]);
    return set_value(in, placeholder, &value);
}

static fx_status bind_inputs(inlining *in)
{
    int32_t n = 0;
    FX_EACH_NODE(node, in->inner)
    if (node->opcode == FX_PLACEHOLDER) FX_TRY(in->prefix ? bind_input(in, node, n++) : bind_body_input(in, node, n++));
    if (in->prefix && in->call->args.n > n)
        return fx__diag_node(in->call, FX_E_ARG, "the submodule has %d inputs, %d arguments are given", n, in->call->args.n);
    return FX_OK;
}

/* ---- Values and nodes --------------------------------------------------------------------------------------------------- */

static void note(inlining *in, fx_status status)
{
    if (in->status == FX_OK) in->status = status;
}

/* Symbols of the same name are the same size. */
static fx_attr size_here(inlining *in, const fx_attr *value)
{
    const char *text = fx_graph_dim_text(in->inner, value->u.dim);
    fx_dim dim = text ? fx__dim_parse(in->graph->dims, &text) : FX_DIM_BAD;
    if (dim == FX_DIM_BAD)
        note(in, fx__diag_node(in->node, FX_E_UNSUPPORTED, "a symbolic size of the inner graph is not known outside"));
    return fx_dim_attr(dim);
}

static fx_attr value_here(void *user, const fx_attr *value)
{
    inlining *in = user;
    if (value->kind == FX_ATTR_SYMINT) return size_here(in, value);
    if (value->kind == FX_ATTR_NODE) {
        const fx_attr *here = fx__map_get(&in->here, value->u.node);
        if (!here) note(in, fx__diag_node(in->node, FX_E_ARG, "it uses input %s, which the call leaves out", value->u.node->name));
        return here ? *here : fx_none();
    }
    fx_attr copy = fx__attr_copy(in->graph, value, NULL, NULL);
    if (copy.kind != value->kind) note(in, FX_E_OOM);
    return copy;
}

/* Paths of a graph that came from a submodule, and of the graphs inside it. */
static fx_status prefix_paths(inlining *in, fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode != FX_GET_ATTR && node->opcode != FX_CALL_MODULE) continue;
        const char *path = fx__arena_format(in->scratch, "%s%s", in->prefix, node->target);
        FX_TRY(path ? fx_node_set_target(node, path) : FX_E_OOM);
    }
    for (fx_graph *region = graph->regions; region; region = region->next_region) FX_TRY(prefix_paths(in, region));
    return FX_OK;
}

static fx_status prefix_regions(inlining *in, const fx_attr *value)
{
    if (value->kind == FX_ATTR_GRAPH) return prefix_paths(in, value->u.graph);
    for (int32_t i = 0; fx__attr_has_items(value->kind) && i < value->n; i++) FX_TRY(prefix_regions(in, &value->u.items[i]));
    return FX_OK;
}

static fx_status prefix_node(inlining *in, fx_node *node)
{
    if (!in->prefix) return FX_OK;
    if (node->body) FX_TRY(prefix_paths(in, node->body));
    FX_TRY(prefix_regions(in, &node->args));
    FX_TRY(prefix_regions(in, &node->kwargs));
    if (node->opcode != FX_GET_ATTR && node->opcode != FX_CALL_MODULE) return FX_OK;
    const char *path = fx__arena_format(in->scratch, "%s%s", in->prefix, node->target);
    return path ? fx_node_set_target(node, path) : FX_E_OOM;
}

/* The module that a node comes from outlives its call: paths that the inner graph tells lie within it. */
static fx_status tell_module(const inlining *in, fx_node *copy)
{
    const fx_attr *own = fx_node_meta(copy, "module_path"), *outer = fx_node_meta(in->call, "module_path");
    const char *path = in->call->opcode == FX_CALL_MODULE ? in->call->target : NULL;
    if (copy->opcode == FX_GET_ATTR || copy->opcode == FX_CALL_MODULE) return FX_OK;
    if (!path && outer && outer->kind == FX_ATTR_STR) path = outer->u.s;
    if (own && own->kind == FX_ATTR_STR) path = in->prefix ? fx__arena_format(in->scratch, "%s%s", in->prefix, own->u.s) : own->u.s;
    if (!path) return in->prefix && own ? FX_E_OOM : FX_OK;
    return fx_node_set_meta(copy, "module_path", fx_str(in->graph, path));
}

static fx_status copy_inner(inlining *in, const fx_node *there)
{
    fx_loc loc = there->loc.file ? there->loc : in->call->loc;
    fx_node_spec spec = {.opcode = there->opcode, .target = there->target, .name = there->name, .loc = loc};
    in->node = there;
    FX_TRY(fx_attr_map(in->graph, &there->args, value_here, in, &spec.args));
    FX_TRY(fx_attr_map(in->graph, &there->kwargs, value_here, in, &spec.kwargs));
    FX_TRY(in->status);
    fx_node *copy = fx_graph_create_node(in->graph, &spec);
    if (!copy) return fx__diag_failure(in->graph->context, FX_E_GRAPH);
    FX_TRY(fx__node_copy_facts(copy, there, false));
    FX_TRY(prefix_node(in, copy));
    FX_TRY(tell_module(in, copy));
    const fx_attr value = fx_node_attr(copy);
    return set_value(in, there, &value);
}

/* ---- One call ----------------------------------------------------------------------------------------------------------- */

static fx_status replace_call(inlining *in)
{
    const fx_node *output = fx_graph_output_node(in->inner);
    if (!output) return fx__diag_node(in->call, FX_E_GRAPH, "the graph that it stands for has no output");
    fx_attr value;
    in->node = output;
    FX_TRY(fx_attr_map(in->graph, fx__arg(output, 0), value_here, in, &value));
    FX_TRY(in->status);
    return fx__core_give(in->call, &value);
}

static fx_status copy_graph(inlining *in)
{
    FX_TRY(bind_inputs(in));
    FX_EACH_NODE(node, in->inner)
    if (node->opcode != FX_PLACEHOLDER && node->opcode != FX_OUTPUT) FX_TRY(copy_inner(in, node));
    return replace_call(in);
}

/* The graph that a call stands for, and the prefix of its paths; NULL after a diagnostic. */
static const fx_graph *graph_behind(inlining *in)
{
    fx_node *call = in->call;
    if (call->body) return call->body;
    const fx_module *module = call->graph->module ? fx_module_submodule(call->graph->module, call->target) : NULL;
    if (!module) {
        fx__diag_node(call, FX_E_NOT_FOUND, "no submodule %s", call->target);
        return NULL;
    }
    in->prefix = fx__arena_format(in->scratch, "%s.", call->target);
    return in->prefix ? module->graph : NULL;
}

static fx_status inline_call(fx_node *call)
{
    inlining in = {.graph = call->graph, .call = call, .scratch = fx__arena_new(call->graph->context)};
    if (!in.scratch) return FX_E_OOM;
    fx__map_init(&in.here, in.scratch);
    in.inner = graph_behind(&in);
    fx_point point = fx_graph_insert_before(call->graph, call);
    fx_status status = in.inner ? copy_graph(&in) : fx__diag_failure(call->graph->context, FX_E_NOT_FOUND);
    fx_graph_set_point(call->graph, point);
    fx__arena_free(in.scratch);
    return status;
}

/* One level of submodules and bodies; *out_found says whether there was any. */
static fx_status inline_level(fx_graph *graph, bool *out_found)
{
    fx_status first = FX_OK;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode != FX_CALL_MODULE && !node->body) continue;
        *out_found = true;
        FX_TRY(fx__tick(graph->context));
        fx_status status = inline_call(node);
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
    return FX_OK;
}
