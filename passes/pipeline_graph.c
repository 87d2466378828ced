/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pipeline_graph.c: the graph half of the pipeline: from any well-formed graph to a small core graph. */
#include "passes/core.h"
#include "passes/pass.h"
#include "passes/rounding.h"

/* From any spelling to the core. */
static const char *const to_core[] = {"inline", "spell", "functionalise", "normalise", NULL};
/* Over the core, again while something changes. */
static const char *const simplify[] = {"decompose", "rewrite", "fold", "cse", "dce", NULL};
/* The same where every node keeps its own rounding. */
static const char *const simplify_strictly[] = {"decompose", "rewrite_exact", "fold", "cse", "dce", NULL};
/* Once, at the end. */
static const char *const finish[] = {"layout", "dce", NULL};

enum { ROUNDS = 8 };

static fx_status run_passes(fx_graph *graph, const char *const *names, const fx_pass_options *options, int32_t rounds)
{
    fx_pass_manager *manager = fx_pass_manager_new(graph->context);
    if (!manager) return FX_E_OOM;
    fx_status status = FX_OK;
    fx_pass_manager_check_each(manager, options && options->verify);
    if (options) fx_pass_manager_set_check(manager, options->after_graph, options->after_user);
    for (int32_t i = 0; names[i] && status == FX_OK; i++) {
        fx_pass pass = *fx_pass_find(names[i]);
        pass.after = NULL; /* the stages above are in order */
        status = fx_pass_manager_add(manager, &pass);
    }
    if (status == FX_OK) status = fx_pass_manager_run(manager, graph, rounds, NULL);
    fx_pass_manager_free(manager);
    return status;
}

/* Types recorded for other inputs than those of this compilation would be wrong, and are computed anew. */
static void forget_types(fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode != FX_PLACEHOLDER && node->opcode != FX_GET_ATTR) fx_node_set_type(node, 0, NULL);
}

fx_status fx__pipeline_core(fx_graph *graph, const fx_pass_options *options)
{
    if (!fx__module_ensure(graph)) return FX_E_OOM;
    forget_types(graph);
    FX_TRY(fx__rounding_forget(graph));
    FX_TRY(fx_graph_lint(graph));
    FX_TRY(run_passes(graph, to_core, options, 1));
    FX_TRY(fx_graph_propagate(graph));
    return options && options->after_graph ? options->after_graph(options->after_user, "types", graph) : FX_OK;
}

fx_status fx__pipeline_graph(fx_graph *graph, const fx_pass_options *options)
{
    FX_TRY(fx__pipeline_core(graph, options));
    bool strict = options && options->precision == FX_PRECISION_STRICT;
    FX_TRY(run_passes(graph, strict ? simplify_strictly : simplify, options, ROUNDS));
    return run_passes(graph, finish, options, 1);
}
