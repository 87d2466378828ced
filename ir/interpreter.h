/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interpreter.h: what stands behind fx_interpreter, for ir/interpreter*.c: its settings, and the values of a run. */
#ifndef FX_IR_INTERPRETER_H
#define FX_IR_INTERPRETER_H

#include "fxjit/interp.h"
#include "ir/interp.h"

typedef struct fx_run_value {
    fx_tensor *tensor; /* [n] */
    int32_t n, uses;   /* users that have not run yet */
    bool owned, tuple, skipped;
} fx_run_value;

typedef struct fx_run_override {
    fx_run_fn run;
    void *user;
} fx_run_override;

struct fx_interpreter {
    fx_context *context;
    fx_graph *graph;
    const fx_module *module; /* of parameters and submodules; NULL: there are none */
    fx_arena *arena;
    fx_map overrides; /* node -> fx_run_override * */
    fx_map given;     /* node -> fx_run_value * */
    int32_t n_given;
    fx_interp_hooks hooks;
    bool keep;
    int32_t depth; /* of submodules */
    /* a run */
    fx_arena *scratch;
    fx_graph *twins; /* the typed copy */
    fx_node **twin;  /* by id of the graph's node */
    fx_run_value *values; /* by id */
    int32_t n_values;
    const fx_tensor *inputs;
    int32_t n_inputs, n_taken;
    fx_tensor *outputs;
    int32_t n_outputs;
};

static inline fx_run_value *fx__interpreter_value(const fx_interpreter *it, const fx_node *node)
{
    return node->graph == it->graph && node->id < it->n_values ? &it->values[node->id] : NULL;
}
fx_status fx__interpreter_check_node(const fx_interpreter *it, const fx_node *node);
/* fx_interpreter_give, of a tuple of one element too. */
fx_status fx__interpreter_give(fx_interpreter *it, fx_node *node, const fx_tensor *tensors, int32_t n, bool tuple);

#endif
