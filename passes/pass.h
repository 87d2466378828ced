/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pass.h: every pass, graph passes first, then program passes, in the order of the pipeline (passes/pipeline.c).
 * Each file opens with Does, Needs, Ensures, Cost. */
#ifndef FX_PASSES_PASS_H
#define FX_PASSES_PASS_H

#include "fxjit/compile.h"
#include "fxjit/passes.h"
#include "ir/kir.h"
#include "ir/op.h"
#include "ir/target.h"

/* ---- Graph passes (fx_pass_fn) ------------------------------------------------------------------------------------------ */
fx_status fx__pass_inline(fx_graph *graph, void *user, bool *out_modified); /* call_module of known leaves, submodules */
fx_status fx__pass_spell(fx_graph *graph, void *user, bool *out_modified); /* sizes, tuples and spellings of torch to rows */
fx_status fx__pass_normalise(fx_graph *graph, void *user,
                             bool *out_modified); /* any spelling to table calls, all arguments bound */
fx_status fx__pass_functionalise(fx_graph *graph, void *user, bool *out_modified); /* mutation to pure calls and writebacks */
fx_status fx__pass_decompose(fx_graph *graph, void *user, bool *out_modified);     /* rows with decompose and without lower */
fx_status fx__pass_rewrite_exact(fx_graph *graph, void *user, bool *out_modified); /* of the next one, what changes no bit */
fx_status fx__pass_rewrite(fx_graph *graph, void *user, bool *out_modified); /* conv + batch_norm, dropout, no-op casts and views */
fx_status fx__pass_fold(fx_graph *graph, void *user, bool *out_modified);    /* small constant subgraphs by the interpreter */
fx_status fx__pass_cse(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_dce(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_propagate(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_simplify(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_merge_matmul(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_insert_casts(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_remove_dropout(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_fuse_conv_bn(fx_graph *graph, void *user, bool *out_modified);
fx_status fx__pass_normalise_arguments(fx_graph *graph, void *user, bool *out_modified);
/* Computes every call on constants of a core graph, however large. */
fx_status fx__fold_all(fx_graph *graph);
fx_status fx__pass_layout(fx_graph *graph, void *user, bool *out_modified); /* node->order: NHWC near convolutions */

/* ---- Core graph to program (passes/lower.c). State, inputs, outputs and constants become buffers, every value one TEMP in the
 * order of node->order, outputs writebacks. Nodes that are not lowered become CALL steps with their reason. Steps that read only
 * constants are init steps. ---- */
fx_status fx__lower_graph(const fx_graph *graph, bool force_calls /* tests: lower nothing */, FX_GIVES fx_program **out);

/* ---- Program passes ----------------------------------------------------------------------------------------------------- */
typedef struct fx_pass_options {
    const fx_target *target;
    fx_precision precision;
    bool no_fusion, no_in_place, verify;
    /* Called after every graph pass, and as "types" when the core graph has its types; may be NULL. Not FX_OK ends the pipeline. */
    fx_status (*after_graph)(void *user, const char *pass, fx_graph *graph);
    /* Called after every program pass (dump, tests); may be NULL. Not FX_OK ends the pipeline with that status. */
    fx_status (*after)(void *user, const char *pass, const fx_program *program);
    void *after_user; /* of both */
} fx_pass_options;

fx_status fx__pass_fuse(fx_program *program, const fx_pass_options *options);
fx_status fx__pass_algo(fx_program *program, const fx_pass_options *options);
fx_status fx__pass_place(fx_program *program, const fx_pass_options *options);
fx_status fx__pass_schedule(fx_program *program, const fx_pass_options *options);
fx_status fx__pass_plan(fx_program *program, const fx_pass_options *options);
/* Independent checker: no two live roots overlap, slices lie inside, offsets are aligned. */
fx_status fx__plan_check(const fx_program *program);

/* Brings a graph into core form, with all types; nothing is simplified. */
fx_status fx__pipeline_core(fx_graph *graph, const fx_pass_options *options);
/* Runs the graph passes on graph (which becomes a core graph). */
fx_status fx__pipeline_graph(fx_graph *graph, const fx_pass_options *options);
/* Lowers the core graph and runs the program passes. */
fx_status fx__pipeline_program(const fx_graph *graph, const fx_pass_options *options, FX_GIVES fx_program **out);

#endif
