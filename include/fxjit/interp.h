/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/interp.h: torch.fx's Interpreter and Transformer. An interpreter executes a graph node by node through the reference
 * kernels, a transformer executes it on nodes of a new graph; in both, a program may do any step itself. For plain execution
 * fx_interpret (fxjit/compile.h) is enough. */
#ifndef FXJIT_INTERP_H
#define FXJIT_INTERP_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Interpreter ------------------------------------------------------------------------------------------------------- */

/* Executes one graph, any number of times; one thread at a time. The graph must not change while it runs, and must outlive it. */
typedef struct fx_interpreter fx_interpreter;

enum { FX_RUN_RESULTS = 16 };
/* What a node yields: empty when a function is called, filled by it. Memory is made by fx_tensor_alloc and becomes the
 * interpreter's, which frees it after the last use; or it is borrowed, all of it, and lives until the run ends or, being part of a
 * value of one of the node's inputs, as long as that. */
typedef struct fx_results {
    fx_tensor tensor[FX_RUN_RESULTS];
    int32_t n;
    bool borrowed;
    bool tuple; /* a tuple, were it of one element: getitem selects from it. More than one tensor always is */
} fx_results;

/* Executes one node. Anything but FX_OK ends the run. */
typedef fx_status (*fx_run_fn)(void *user, fx_interpreter *interpreter, fx_node *node, fx_results *results);

/* What to do instead of the default; NULL: the default. */
typedef struct fx_interp_hooks {
    fx_run_fn node;                    /* every node; the default is fx_interpreter_dispatch */
    fx_run_fn opcode[FX_OPCODE_COUNT]; /* nodes of one opcode; the default is fx_interpreter_compute. An output's results, if any,
                                          are the run's outputs instead of the values that the output node names */
    void *user;
} fx_interp_hooks;

FX_API FX_GIVES fx_interpreter *fx_interpreter_new(fx_graph *graph); /* NULL: out of memory */
FX_API void fx_interpreter_free(FX_TAKES fx_interpreter *interpreter);
FX_API void fx_interpreter_set_hooks(fx_interpreter *interpreter, const fx_interp_hooks *hooks); /* copied; NULL: none */
/* The same for a single node, before the hook of its opcode; NULL takes it back. FX_E_GRAPH: a node of another graph. */
FX_API fx_status fx_interpreter_override(fx_interpreter *interpreter, fx_node *node, fx_run_fn run, void *user);
/* Gives a node its value beforehand: it is not executed, nor is what only such nodes need. The tensors are borrowed, the value
 * holds for all runs until fx_interpreter_forget. FX_E_GRAPH: a node of another graph; FX_E_ARG: no or too many tensors. */
FX_API fx_status fx_interpreter_give(fx_interpreter *interpreter, fx_node *node, const fx_tensor *tensors, int32_t n);
FX_API void fx_interpreter_forget(fx_interpreter *interpreter); /* all given values */
/* Keeps all values until the next run, instead of freeing each after its last use. */
FX_API void fx_interpreter_keep(fx_interpreter *interpreter, bool on);
/* Runs the graph. inputs: for the placeholders that were not given a value, in order; those nobody needs and those whose default is
 * None may be missing at the end. outputs: as for fx_interpret; memory where data is NULL is allocated and belongs to the caller.
 * call_module runs the submodule's graph. Changes in place are seen by views, inputs, given values and buffers, as for fx_interpret;
 * a run that fails leaves them as they were. FX_E_ARG: a number of inputs or outputs that does not fit, a value that is missing;
 * FX_E_UNSUPPORTED: a node without an operator of the table; FX_E_ALIAS: a change of elements that share memory; FX_E_NOT_FOUND: a
 * path that leads nowhere; FX_E_TYPE, FX_E_SHAPE, FX_E_GUARD: inputs that do not fit. The message names the node and where it was
 * traced, and the calls it stands in. */
FX_API fx_status fx_interpreter_run(fx_interpreter *interpreter, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                                    int32_t n_outputs);
/* A node's value, in a function that is executing a node, or of the last run when values are kept; NULL: it has none (any more). */
FX_API const fx_tensor *fx_interpreter_value(const fx_interpreter *interpreter, const fx_node *node, int32_t result);
FX_API fx_graph *fx_interpreter_graph(const fx_interpreter *interpreter);
/* The defaults, for functions that only add something: dispatch calls the node's override or the hook of its opcode, compute does
 * what torch.fx's class does. */
FX_API fx_status fx_interpreter_dispatch(fx_interpreter *interpreter, fx_node *node, fx_results *results);
FX_API fx_status fx_interpreter_compute(fx_interpreter *interpreter, fx_node *node, fx_results *results);

/* ---- Transformer ------------------------------------------------------------------------------------------------------- */

/* Builds a new module by executing a graph on nodes. */
typedef struct fx_transformer fx_transformer;

/* A step: a node of the old graph, with its arguments as values of the new one. */
typedef struct fx_transform_step {
    fx_opcode opcode;
    const char *target;
    fx_attr args, kwargs;
    const fx_node *node;
} fx_transform_step;

/* Returns what stands for the step in the new graph: a node of it, a tuple of such, a constant; fx_none() with an error in the
 * context ends the transformation. */
typedef fx_attr (*fx_transform_fn)(void *user, fx_transformer *transformer, const fx_transform_step *step);
typedef struct fx_transform_hooks {
    fx_transform_fn opcode[FX_OPCODE_COUNT]; /* NULL: fx_transformer_emit */
    void *user;
} fx_transform_hooks;

/* The new module has parameters and submodules of the old one, which must outlive it, and the types that can be inferred. Nodes
 * that nobody uses any more stay. hooks NULL: a copy. The old graph is not changed. */
FX_API fx_status fx_transform(fx_module *module, const fx_transform_hooks *hooks, FX_GIVES fx_module **out);
FX_API fx_graph *
fx_transformer_graph(const fx_transformer *transformer); /* the new graph: all functions that make nodes may be used */
/* The default: records the step, changed or not, as a node, named after the old one if its target is the same. */
FX_API fx_attr fx_transformer_emit(fx_transformer *transformer, const fx_transform_step *step);

#ifdef __cplusplus
}
#endif
#endif
