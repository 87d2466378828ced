/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_inner.c: graphs inside a run: submodules that are called, and bodies. Each is a run of its own on the same memory: its
 * inputs are the caller's values, and its outputs become the node's, wherever they lie. */
#include "ir/interp_state.h"
#include <string.h>

typedef fx_interp_value value;

/* ---- Arguments -------------------------------------------------------------------------------------------------------------- */

static const fx_attr *module_argument(const fx_node *call, const fx_node *placeholder, int32_t index)
{
    if (index < call->args.n) return fx__arg(call, index);
    for (int32_t i = 0; i < call->kwargs.n; i++)
        if (strcmp(call->kwargs.keys[i], placeholder->target) == 0) return &call->kwargs.u.items[i];
    return NULL;
}

/* All of a value once more; its errors too. */
static fx_status share(const fx_interp *it, value *to, const value *from)
{
    FX_TRY(fx__interp_value_new(it, to, from->n));
    memcpy(to->tensor, from->tensor, (size_t)from->n * sizeof *to->tensor);
    for (int32_t r = 0; r < from->n; r++) fx__interp_value_lie_in(to, r, from->block[r]);
    to->tuple = from->tuple;
    if (!from->error) return FX_OK;
    to->error = FX_NEW_ARRAY(it->shared->arena, fx_tensor, from->n + 1);
    if (!to->error) return FX_E_OOM;
    memcpy(to->error, from->error, (size_t)from->n * sizeof *to->error);
    return FX_OK;
}

static fx_status give_argument(fx_interp *inner, const fx_node *placeholder, const value *from)
{
    value *v = fx__interp_value_of(inner, placeholder);
    FX_TRY(share(inner, v, from));
    v->skipped = true;
    return FX_OK;
}

static fx_status give_arguments(fx_interp *inner, const fx_node *call)
{
    int32_t index = 0;
    FX_EACH_NODE(node, inner->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_attr *argument = module_argument(call, node, index++);
        if (!argument) continue; /* its default, or an error that names it */
        if (argument->kind != FX_ATTR_NODE)
            return fx__diag_node(call, FX_E_UNSUPPORTED, "input %s of the submodule is no tensor", node->target);
        FX_TRY(give_argument(inner, node, fx__interp_value_of(inner->outer, argument->u.node)));
    }
    if (call->args.n <= index) return FX_OK;
    return fx__diag_node(call, FX_E_ARG, "%d arguments; the submodule takes %d", (int)call->args.n, (int)index);
}

/* A body's placeholders take the node's inputs in order. */
static fx_status give_inputs(fx_interp *inner, const fx_node *call)
{
    int32_t index = 0;
    FX_EACH_NODE(node, inner->graph)
    {
        if (node->opcode != FX_PLACEHOLDER || index == call->n_inputs) continue;
        FX_TRY(give_argument(inner, node, fx__interp_value_of(inner->outer, call->inputs[index++])));
    }
    return FX_OK;
}

/* ---- Results ---------------------------------------------------------------------------------------------------------------- */

typedef struct collector {
    const fx_interp *inner;
    value *v; /* NULL: count only */
    int32_t n;
} collector;

static void collect(void *user, fx_node *node)
{
    collector *c = user;
    const value *from = fx__interp_value_of(c->inner, node);
    for (int32_t r = 0; r < from->n; r++, c->n++) {
        if (!c->v) continue;
        c->v->tensor[c->n] = from->tensor[r];
        fx__interp_value_lie_in(c->v, c->n, from->block[r]);
        if (c->v->error) c->v->error[c->n] = from->error[r];
    }
}

/* Whether an output is several values, were it a tuple of one element. */
static bool is_tuple(const fx_interp *inner, const fx_attr *given)
{
    return given->kind != FX_ATTR_NODE || fx__interp_value_of(inner, given->u.node)->tuple;
}

static fx_status take_outputs(fx_interp *inner, const fx_node *output, value *v)
{
    collector count = {.inner = inner}, c = {.inner = inner, .v = v};
    fx__attr_each_node(&output->args, collect, &count);
    FX_TRY(fx__interp_value_new(inner, v, count.n));
    if (inner->bounds) v->error = FX_NEW_ARRAY(inner->shared->arena, fx_tensor, count.n + 1);
    if (inner->bounds && !v->error) return FX_E_OOM;
    fx__attr_each_node(&output->args, collect, &c);
    v->tuple = is_tuple(inner, fx__arg(output, 0));
    return FX_OK;
}

/* ---- Runs ------------------------------------------------------------------------------------------------------------------- */

typedef fx_status (*give_fn)(fx_interp *inner, const fx_node *call);

static fx_status run_inner(fx_interp *inner, const fx_node *node, give_fn give, value *v)
{
    const fx_node *output = fx_graph_output_node(inner->source);
    if (!output) return fx__diag_node(node, FX_E_GRAPH, "the graph inside has no output");
    if (inner->depth > FX_INTERP_DEPTH) return fx__diag_node(node, FX_E_GRAPH, "submodules are nested without end");
    FX_TRY(fx__interp_begin(inner, true));
    FX_TRY(give(inner, node));
    FX_TRY(fx__interp_read_symbols(inner));
    FX_TRY(fx__interp_run_nodes(inner));
    return take_outputs(inner, inner->here[output->id], v);
}

static fx_status run_graph(fx_interp *it, const fx_node *node, fx_graph *graph, fx_module *module, give_fn give, value *v)
{
    fx_interp inner = {.context = it->context,
                       .module = module,
                       .source = graph,
                       .shared = it->shared,
                       .outer = it,
                       .bounds = it->bounds,
                       .all_errors = it->all_errors,
                       .mutates = it->mutates,
                       .depth = it->depth + 1};
    fx_status status = run_inner(&inner, node, give, v);
    fx__interp_end(&inner);
    return status;
}

fx_status fx__interp_run_module(fx_interp *it, fx_node *node, value *v)
{
    fx_module *module = it->module ? fx_module_submodule(it->module, node->target) : NULL;
    if (!module) return fx__diag_node(node, FX_E_NOT_FOUND, "there is no submodule %s", node->target);
    return run_graph(it, node, module->graph, module, give_arguments, v);
}

fx_status fx__interp_run_body(fx_interp *it, fx_node *node, fx_graph *body, value *v)
{
    return run_graph(it, node, body, it->module, give_inputs, v);
}
