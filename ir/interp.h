/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp.h: running graphs through reference kernels: the meaning of every graph. fx_interpret and fx_interpret_bound
 * (frontend/interpret.c) bring graphs of modules and Python's spellings into core form before. */
#ifndef FX_IR_INTERP_H
#define FX_IR_INTERP_H

#include "fxjit/compile.h"
#include "ir/op.h"

/* ---- One node (interp_call.c) --------------------------------------------------------------------------------------------- */

/* Where a call's tensors and symbols come from. tensor may return NULL: the argument is FX_RT_NONE (in a list: data NULL). */
typedef struct fx_interp_source {
    const fx_tensor *(*tensor)(void *user, const fx_node *node, int32_t result);
    void *user;
    const fx_dims *dims;
    const int64_t *syms; /* value per symbol; NULL: there are none */
} fx_interp_source;

/* Run-time form of bound arguments. */
typedef struct fx_interp_args {
    fx_rt_arg arg[FX_PARAMS];
    void *memory; /* of lists */
} fx_interp_args;
fx_status fx__interp_args_build(const fx_op *op, const fx_attr *bound, const fx_interp_source *source, fx_interp_args *out);
void fx__interp_args_free(fx_interp_args *args);

/* Runs a node whose type is known, without symbols: constant folding, eager tracing. inputs: the tensors of node->inputs, in
 * order, all results of each. results[n_result]: memory where data is NULL is allocated, the caller releases it. */
fx_status fx__interp_node(const fx_node *node, const fx_tensor *inputs, fx_tensor *results);

/* Reports that a node's reference kernel has failed, and returns the status; a failed assertion in its own words. */
fx_status fx__interp_fail(const fx_node *node, const fx_op *op, const fx_attr *bound, fx_status status);

/* Views as places: each element of *out (i64, to be released) is the number of an element's place in memory; a reference kernel that
 * moves them tells where the elements of its result lie in `base`: *out, unless no strides express it (false). */
fx_status fx__interp_number_places(const fx_tensor *tensor, FX_GIVES fx_tensor *out);
bool fx__interp_fit_view(const fx_tensor *places, const fx_tensor *base, fx_tensor *out);
/* An expanded tensor, which cannot be written: elements share memory. */
bool fx__interp_overlaps(const fx_tensor *tensor);

/* Runs the reference kernel of a core graph's node: CALL steps. Touches no context, so any number of threads may do it at once.
 * in: tensors in the order in which the arguments name them, repetitions included; results: allocated. */
fx_status fx__interp_kernel(const fx_node *node, const fx_dims *dims, const fx_tensor *in, const int64_t *syms, fx_tensor *results);

/* Checks the inputs of a graph, one per placeholder, against their types and the guards, and gives every symbol of the dimension
 * table its value. */
fx_status fx__interp_check_inputs(const fx_graph *graph, const fx_tensor *inputs, int32_t n_inputs, int64_t *syms);

/* ---- Graphs of operators (interp.c) ----------------------------------------------------------------------------------------- */

/* Memory for tensors that the graph changes, instead of the module's: a path that it does not know (NULL) is the module's. */
typedef struct fx_interp_memory {
    fx_tensor *(*find)(void *user, const char *path);
    void *user;
} fx_interp_memory;
/* fx_interpret for graphs whose calls all have rows or change something in place. memory and bounds may be NULL. */
fx_status fx__interp_module(fx_module *module, const fx_interp_memory *memory, const fx_tensor *inputs, int32_t n_inputs,
                            fx_tensor *outputs, fx_tensor *bounds, int32_t n_outputs);

/* ---- Error bounds (interp_bound.c) ---------------------------------------------------------------------------------------- */

/* Fills errors (f64, allocated) of the results of one call: op->bound, or first order by finite differences of the reference. */
fx_status fx__interp_bound(const fx_op *op, const fx_rt_arg *args, const fx_rt_arg *arg_errors, const fx_tensor *results,
                           int32_t n_results, fx_tensor *errors);

#endif
