/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_state.h: a run of the interpreter, for ir/interp*.c and ir/interpreter.c. A value is what a node yields: tensors, each
 * in a block of memory, which it may share with its views, with an input of the caller or with a tensor of the module. */
#ifndef FX_IR_INTERP_STATE_H
#define FX_IR_INTERP_STATE_H

#include "fxjit/interp.h"
#include "ir/interp.h"

enum { FX_INTERP_DEPTH = 64 }; /* of graphs inside others: a module that holds itself would never end */

/* Memory that values lie in. */
typedef struct fx_interp_block {
    fx_tensor whole, error; /* error: f64, of the same shape and dense; data NULL: exact, or bounds are not wanted */
    int32_t refs;           /* values that lie in it, and 1 when it waits for the end of the run */
    bool owned;             /* else somebody else's: an input, a tensor of the module, what a function lent */
    bool written;
    fx_tensor before;  /* what memory of others held before it was written; data NULL: it is owned */
    fx_tensor input;   /* an input that it is a copy of, whose elements lie in another order; data NULL: none */
    fx_module *module; /* of the tensor at path, which becomes its own when it is written; NULL: it is no such tensor */
    const char *path;
    struct fx_interp_block *next; /* of the blocks that wait for the end */
} fx_interp_block;

/* The results of one node. */
typedef struct fx_interp_value {
    fx_tensor *tensor, *error; /* [n]; error NULL: exact, or bounds are not wanted */
    fx_interp_block **block;   /* [n] */
    int32_t n, uses;           /* users that have not run yet */
    bool tuple;                /* getitem selects from it, were it of one element */
    bool skipped;              /* given beforehand, or not needed */
} fx_interp_value;

/* What a run and those of the graphs inside it share. */
typedef struct fx_interp_shared {
    fx_arena *arena;
    fx_interp_block *waiting; /* changed ones that are others', the last one first */
    fx_map tensors;           /* of modules: data -> block */
} fx_interp_shared;

typedef struct fx_interp {
    fx_context *context;
    fx_module *module;       /* of parameters and submodules; NULL: there are none */
    fx_graph *graph;         /* whose nodes are executed: the caller's, or a copy that takes the types of the tensors at hand */
    fx_graph *source;        /* the caller's */
    fx_node **there, **here; /* by id: the caller's node for one of the copy, and the other way; NULL: it is no copy */
    int32_t n_here;
    const fx_interp_memory *memory; /* of tensors that a core graph changes; NULL: the module's */
    fx_interp_shared *shared;
    struct fx_interp *outer; /* the run this one happens inside of */
    fx_interpreter *owner;   /* its functions are asked first; NULL: nobody */
    fx_interp_value *values; /* by id of the graph's node */
    int64_t *syms;
    int32_t n_syms;
    const fx_tensor *inputs;
    int32_t n_inputs, n_taken, depth;
    bool bounds, all_errors; /* all: of exact values too, since views and graphs inside share them */
    bool mutates;            /* some call changes a tensor, so that views share memory as torch's do */
    bool keep;               /* values until the end of the run */
} fx_interp;

static inline fx_interp_value *fx__interp_value_of(const fx_interp *it, const fx_node *node)
{
    return &it->values[node->id];
}
/* The caller's node. */
static inline fx_node *fx__interp_origin(const fx_interp *it, fx_node *node)
{
    return it->there ? it->there[node->id] : node;
}

/* ---- interp.c --------------------------------------------------------------------------------------------------------------- */

/* A run's arrays, and its copy of the graph. To be ended whatever it returns. */
fx_status fx__interp_begin(fx_interp *it, bool copied);
/* Values of the symbols, when all inputs are there; of the others, hints. */
fx_status fx__interp_read_symbols(fx_interp *it);
fx_status fx__interp_run_nodes(fx_interp *it); /* all but the output */
void fx__interp_end(fx_interp *it);
/* Where the run's results go: memory where data is NULL is allocated, and freed again when the run fails. */
typedef struct fx_interp_outputs {
    fx_tensor *tensor, *bound; /* [n]; bound may be NULL */
    int32_t n;
} fx_interp_outputs;
/* All nodes, outputs, changes: what others see is as before when it fails. */
fx_status fx__interp_run(fx_interp *it, const fx_interp_outputs *outputs);
/* The value of a node becomes what a function gave; takes the memory. */
fx_status fx__interp_put(fx_interp *it, const fx_node *node, const fx_results *results);

/* ---- interp_value.c --------------------------------------------------------------------------------------------------------- */

fx_status fx__interp_value_new(const fx_interp *it, fx_interp_value *v, int32_t n); /* n results without memory */
fx_status fx__interp_value_own(const fx_interp *it, fx_interp_value *v, int32_t r, const fx_tensor *tensor);
fx_status fx__interp_value_lend(const fx_interp *it, fx_interp_value *v, int32_t r, const fx_tensor *tensor);
void fx__interp_value_lie_in(fx_interp_value *v, int32_t r, fx_interp_block *block);
fx_status fx__interp_value_same(const fx_interp *it, fx_interp_value *v, const fx_interp_value *from, int32_t r);
void fx__interp_value_free(fx_interp_value *v);
fx_status fx__interp_add_errors(const fx_interp *it, fx_interp_value *v); /* of zero, for values without */
/* The module's tensor as the value of a get_attr node. */
fx_status fx__interp_take_tensor(fx_interp *it, const fx_node *node, fx_interp_value *v);
fx_status fx__interp_take_input(const fx_interp *it, fx_interp_value *v, const fx_tensor *input);
/* Before a value is written: what others see is saved. Its tensor may have moved afterwards. */
fx_status fx__interp_open_write(fx_interp *it, const fx_node *node, fx_interp_value *v);
/* After the last node: copies of inputs go back, or everything is as it was. */
void fx__interp_settle_writes(fx_interp_shared *shared, bool good);

/* ---- interp_step.c ---------------------------------------------------------------------------------------------------------- */

/* What torch.fx's Interpreter does with a node. */
fx_status fx__interp_step(fx_interp *it, fx_node *node, fx_interp_value *v);
/* Runs op on the node's bound arguments into a new value. */
fx_status fx__interp_run_op(fx_interp *it, const fx_node *node, const fx_op *op, const fx_attr *bound, fx_interp_value *v);
/* Where calls of this run find their tensors. */
fx_interp_source fx__interp_tensors(const fx_interp *it);

/* ---- interp_inner.c --------------------------------------------------------------------------------------------------------- */

fx_status fx__interp_run_module(fx_interp *it, fx_node *node, fx_interp_value *v);
fx_status fx__interp_run_body(fx_interp *it, fx_node *node, fx_graph *body, fx_interp_value *v);

/* ---- interp_view.c, interp_index.c, interp_write.c ------------------------------------------------------------------------------
 */

/* Does the node if its result lies in memory of its argument; *out_done says whether it did. */
fx_status fx__interp_run_alias(fx_interp *it, fx_node *node, fx_interp_value *v, bool *out_done);
/* x[1:3, None]: with other items than one number, and without tensors. */
bool fx__interp_is_index(const fx_node *node);
fx_status fx__interp_run_index(fx_interp *it, fx_node *node, fx_interp_value *v);
/* A tensor or number that is written; error NULL: exact. */
typedef struct fx_interp_written {
    fx_tensor tensor;
    const fx_tensor *error;
    union {
        int64_t i;
        double f;
    } number;
} fx_interp_written;
fx_status fx__interp_put_item(fx_interp *it, const fx_node *node, fx_interp_value *self, const fx_interp_written *from);
bool fx__interp_fits(const fx_tensor *from, const fx_tensor *to); /* whether it broadcasts to that shape */
/* In the type of `like`, in memory of its own, so that it may have been part of what is written. */
fx_status fx__interp_converted(const fx_tensor *from, const fx_tensor *like, fx_tensor *out);
fx_status fx__interp_write(fx_tensor *to, fx_tensor *to_error, const fx_interp_written *from);

/* Whether some call of a graph, or of a graph inside it, changes a tensor: never in a core graph. */
bool fx__interp_mutates(const fx_graph *graph);
/* Does the node if it changes a tensor. */
fx_status fx__interp_mutate(fx_interp *it, fx_node *node, fx_interp_value *v, bool *out_done);
/* After the outputs: the write-backs of a core graph, whose values are still there. All or none. */
fx_status fx__interp_write_back(const fx_interp *it);

/* ---- interpreter.c ---------------------------------------------------------------------------------------------------------- */

/* Whether a function of the owner executes the caller's node; if so: its value becomes what that gives. */
bool fx__interpreter_has_function(const fx_interpreter *it, const fx_node *node);
fx_status fx__interpreter_call(fx_interpreter *it, fx_node *node);

#endif
