/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_state.h: a run of the interpreter, for ir/interp.c, which goes through the nodes, and ir/interp_mutate.c, which does
 * what changes tensors. */
#ifndef FX_IR_INTERP_STATE_H
#define FX_IR_INTERP_STATE_H

#include "ir/interp.h"

/* The results of one node. */
typedef struct fx_interp_value {
    fx_tensor *tensor, *error; /* [n]; error NULL: exact, or bounds are not wanted */
    int32_t n, uses;           /* users that have not run yet, and values that lie in its memory */
    bool owned;
    bool written;                 /* a call has changed it */
    struct fx_interp_value *base; /* whose memory this is; a use of it */
} fx_interp_value;

typedef struct fx_interp {
    fx_context *context;
    fx_module *module; /* of parameters */
    fx_graph *graph;
    const fx_interp_memory *memory; /* of tensors that the graph changes; NULL: the module's */
    fx_arena *arena;
    fx_interp_value *values; /* by node id */
    int64_t *syms;
    const fx_tensor *inputs;
    int32_t n_inputs;
    bool bounds;
    bool mutates; /* some call changes a tensor, so that views share memory as torch's do */
} fx_interp;

static inline fx_interp_value *fx__interp_value_of(const fx_interp *it, const fx_node *node)
{
    return &it->values[node->id];
}

/* ---- interp.c -------------------------------------------------------------------------------------------------------------------
 */

fx_status fx__interp_value_new(const fx_interp *it, fx_interp_value *v, const fx_node *node, int32_t n);
void fx__interp_value_free(fx_interp_value *v);
fx_status fx__interp_add_errors(const fx_interp *it, fx_interp_value *v); /* of zero, for values without */
/* Runs op on the node's bound arguments into a new value of the node. */
fx_status fx__interp_run_op(fx_interp *it, const fx_node *node, const fx_op *op, const fx_attr *bound);
/* Where calls of this run find their tensors. */
fx_interp_source fx__interp_tensors(const fx_interp *it);

/* ---- interp_mutate.c
 * ------------------------------------------------------------------------------------------------------------- */

/* Whether some call of a graph that is no core graph changes a tensor. */
bool fx__interp_mutates(const fx_graph *graph);
/* Before the first node: inputs whose elements do not lie in order are copied; after the last one: changes go back to them. */
fx_status fx__interp_take_input(fx_interp *it, fx_node *node, int32_t index);
fx_status fx__interp_give_inputs(fx_interp *it);
/* The tensor of a get_attr node: memory that may be written when the graph writes it. */
const fx_tensor *fx__interp_attribute(fx_interp *it, const fx_node *node);
/* Does the node if it changes a tensor, or its result lies in memory of its argument; *out_done says whether it did. To be asked in
 * a graph that mutates, and for an index. */
fx_status fx__interp_mutate(fx_interp *it, fx_node *node, bool *out_done);
bool fx__interp_is_index(const fx_node *node);
/* After the outputs: the write-backs of a core graph, whose values are still there. */
fx_status fx__interp_write_back(fx_interp *it);

#endif
