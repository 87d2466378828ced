/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/scope.h: what stands behind fx_scope, for the tracer's files: trace.c (values, operators, ending a trace), trace_eager.c
 * (what eager scopes compute, and calls in place), trace_module.c (modules of the host program), trace_nested.c (arguments that
 * are specialised or nested, nested outputs), trace_wrap.c (functions that stay whole), trace_ask.c (questions about data). */
#ifndef FX_FRONTEND_SCOPE_H
#define FX_FRONTEND_SCOPE_H

#include "fxjit/trace.h"
#include "ir/graph.h"
#include "ir/op.h"

typedef struct fx_scope_entry {
    fx_node *node;
    fx_tensor tensor; /* eager: the value; data NULL while tracing */
    bool owned;       /* eager: tensor is freed with the scope */
} fx_scope_entry;

/* A module of the host program that is being traced through. */
typedef struct fx_scope_level {
    struct fx_scope_level *outer;
    char *path; /* from the module of the scope on, with a final dot */
    fx_forward forward;
    void *user;
} fx_scope_level;

/* A call of a wrapped function, whose body later ones of the same inputs' types share. */
typedef struct fx_scope_wrapped {
    fx_wrapped function; /* target interned, constants NULL */
    fx_node *call;
    const char *path; /* of the module around it, interned */
    int32_t n_inputs, n_outputs;
} fx_scope_wrapped;

struct fx_scope {
    fx_context *context;
    fx_module *module;
    fx_graph *graph; /* the module's, or the body of a wrapped function */
    bool tracing;
    bool is_functional; /* changes in place are refused */
    int32_t n_diags;    /* diagnostics that were there before */
    int32_t n_constants;
    fx_scope_entry *entries;
    int32_t count, capacity;
    fx_scope_level *level; /* innermost one; NULL: the module of the scope itself */
    fx_is_leaf is_leaf;
    void *is_leaf_user;
    fx_text arguments; /* how each is nested, as JSON, with commas */
    bool is_nested;    /* one of them is no leaf */
    fx_scope_wrapped *wrapped;
    int32_t n_wrapped, cap_wrapped;
    fx_answer answer;
    void *answer_user;
};

/* ---- trace.c --------------------------------------------------------------------------------------------------------------- */
fx_scope_entry *fx__scope_entry(fx_value value); /* NULL: invalid */
fx_value fx__scope_add(fx_scope *scope, const fx_scope_entry *item);
/* The scope of all values among the arguments; NULL after a diagnostic, or when there is none. */
fx_scope *fx__scope_common(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc);
/* What a call of NULL comes to: an error that says so. */
fx_value fx__scope_no_operator(const fx_trace_arg *args, int32_t n_args, fx_loc loc);
/* A call of target with arguments as op's schema has them; its type is not inferred. */
fx_node *fx__scope_record(fx_scope *scope, const fx_op *op, const char *target, const char *name, const fx_trace_arg *args,
                          int32_t n_args, fx_loc loc);

fx_status fx__scope_set_outputs(fx_scope *scope, const fx_value *outputs, int32_t n_outputs);
bool fx__scope_failed(const fx_scope *scope); /* an error was reported since its beginning */
/* The module, or after a failure nothing; frees the scope. */
fx_status fx__scope_end(FX_TAKES fx_scope *scope, fx_status status, FX_GIVES fx_module **out);

/* ---- trace_nested.c -------------------------------------------------------------------------------------------------------- */
/* One more argument, which is not nested. */
void fx__scope_note_leaf(fx_scope *scope);
/* What the graph keeps of the arguments' nesting: nothing when there is none. FX_E_OOM. */
fx_status fx__scope_set_in_spec(fx_scope *scope);

/* ---- trace_eager.c --------------------------------------------------------------------------------------------------------- */
/* Computes a node on the tensors of its inputs; a view shares the memory of what it is a view of. */
bool fx__scope_compute(fx_scope *scope, fx_node *node, fx_scope_entry *out);

/* ---- trace_module.c -------------------------------------------------------------------------------------------------------- */
/* A path of the module being traced through, from the scope's module on; NULL: out of memory. */
const char *fx__scope_path(fx_scope *scope, const char *path);
void fx__scope_leave(fx_scope *scope); /* the innermost module */
void fx__scope_leave_all(fx_scope *scope);
/* FX_E_ARG unless these are values of the scope; what: "module `relu`". */
fx_status fx__scope_check_inputs(const fx_scope *scope, const char *what, const fx_value *inputs, int32_t n_inputs);
/* The results of a call: itself, or getitem nodes. Entry types[i] of dtype FX_DTYPE_COUNT: not known. */
fx_status fx__scope_give_outputs(fx_scope *scope, fx_node *call, const fx_type *types, fx_value *outputs, int32_t n_outputs);

#endif
