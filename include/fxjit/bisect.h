/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/bisect.h: where two ways of computing a graph part: over the forms of a compilation, over nodes and kernels, down to the
 * smallest graph that still shows the difference; where two graphs part; and where NaN and infinity arise. */
#ifndef FXJIT_BISECT_H
#define FXJIT_BISECT_H

#include "fxjit/compile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Comparing --------------------------------------------------------------------------------------------------------- */

/* One element of two tensors. */
typedef struct fx_difference {
    bool same_type;          /* dtype and dims agree; else nothing below means anything */
    int64_t element;         /* in row-major order; -1: all elements agree */
    int32_t rank;
    int64_t position[FX_RANK];
    fx_dtype dtype;
    double actual, expected, bound;
    double ulp;              /* distance in units of the last place of the expected value; 0 for integers, infinite beside a NaN */
} fx_difference;
/* Whether all elements agree. They do within bound (f64, of the same dims) and half a unit of the last place for their own
 * rounding, the latter not where the bound is 0; bound NULL: within `ulp` units of the last place. An element with an infinite
 * bound agrees, and so do two NaN. *out, which may be NULL, is the first element that does not. Thread-safe. */
FX_API bool fx_tensor_agrees(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, double ulp, fx_difference *out);

/* fx_interpret_bound for whole models. Its bounds are those of the worst case and grow with every node; these are never above what
 * rounding does: 64 times how far the furthest element of the output is from what the same graph computes in f64, and 64 roundings of
 * its largest element. Not for f64, integers, and elements without a bound. As fx_interpret_bound otherwise. */
FX_API fx_status fx_interpret_tolerance(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                                        fx_tensor *tolerances, int32_t n_outputs);

/* ---- A mismatch -------------------------------------------------------------------------------------------------------- */

/* The forms of a compilation, in order. */
typedef enum fx_bisect_form {
    FX_BISECT_CORE,    /* operators with all their arguments: interpreted */
    FX_BISECT_GRAPH,   /* the same, simplified: interpreted */
    FX_BISECT_PROGRAM, /* kernels: evaluated with plain loops */
    FX_BISECT_NATIVE,   /* machine code, also of plain loops on one thread */
    FX_BISECT_SCHEDULE, /* the same with vectors, tiles, tasks, as scheduled */
    FX_BISECT_THREADS   /* the same on several threads */
} fx_bisect_form;
FX_API const char *fx_bisect_form_name(fx_bisect_form form); /* "core graph", "graph", "program", "native code", "schedule", "threads" */

typedef struct fx_bisect_options {
    const fx_compile_options *compile; /* what is examined; NULL: defaults */
    const fx_compile_options *against; /* held against this; NULL: against the interpreter, as fx_interpret_tolerance says */
    double ulp;              /* against other options: how far apart results may be; below 0: twice that tolerance */
    fx_progress progress;    /* phase: "comparing", "first node", "fewer nodes", "forms", "loops". False: FX_E_CANCELLED */
    void *progress_user;
} fx_bisect_options;

/* What the search found. Texts belong to it. */
typedef struct fx_mismatch {
    fx_bisect_form form;     /* the first one of that side that is wrong */
    const char *pass;        /* after which it is wrong for the first time: "fuse", "codegen", ... */
    const char *why;         /* the pass left a form that breaks a rule: which; else "" */
    const char *node, *op;   /* whose value is wrong for the first time, and its operator (its target, when it has none) */
    const char *place;       /* where it was traced: "model.py:12, forward"; "" when not known */
    const char *kernel;      /* that computes it: "k3 (tile): conv1, relu1"; "" when the form has no kernels or it has none */
    const char *loops;       /* SCHEDULE, THREADS: the smallest change of one kernel's loops that makes the reduced graph right: "k3: tiles
                                of 1 row instead of 6"; else "" */
    const char *without;     /* options that make the difference go away: "fusion=off, threads=1"; "" when none of them does */
    bool first_is_wrong;     /* against other options: `compile` is the side that leaves the interpreter's bound or, where neither
                                does, is further away from it; else `against` is */
    const char *const *nodes; /* calls of the reduced graph, in order */
    int32_t n_nodes;
    fx_difference at;        /* of the node's value in the reduced graph */
} fx_mismatch;
typedef struct fx_bisection fx_bisection;
/* Runs the module both ways; where they differ, finds the form, the pass and the node, and the smallest graph that shows it: with
 * inputs that the interpreter computed. Inputs and buffers that a run changes are left as they are. Takes as long as some dozens of
 * compilations. The module must outlive the bisection. FX_E_NOT_FOUND: nothing differs (no message); the statuses of fx_compile,
 * fx_run and fx_interpret when already the whole module cannot be run; FX_E_OOM. */
FX_API fx_status fx_bisect(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, const fx_bisect_options *options,
                           FX_GIVES fx_bisection **out);
FX_API const fx_mismatch *fx_bisection_mismatch(const fx_bisection *bisection);
FX_API fx_module *fx_bisection_module(const fx_bisection *bisection); /* the reduced graph, with its tensors borrowed */
FX_API void fx_bisection_free(FX_TAKES fx_bisection *bisection);
/* Writes the reduced graph as a folder that `fxjit verify` runs by itself: model.fxm, in/NAME.npy, out/NAME.npy (what the
 * interpreter says), bound/NAME.npy, reproducer.json (options, form, pass, node) and README. The folder appears when it is whole
 * and takes the place of an earlier reproducer, but of nothing else. FX_E_IO, FX_E_OOM. */
FX_API fx_status fx_bisection_save(const fx_bisection *bisection, const char *folder);

/* ---- NaN and infinity -------------------------------------------------------------------------------------------------- */

/* A tensor that a node reads. */
typedef struct fx_operand {
    const char *name;
    fx_dtype dtype;
    int32_t rank;
    int64_t dim[FX_RANK];
    bool has_value;      /* value is what broadcasting puts beside the element; false: it is not read element by element */
    double value;
    double least, most;  /* of the finite elements; both NaN when there are none */
    int64_t n_nan, n_inf;
} fx_operand;
/* A value with NaN whose operands, constants among them, have none, or one with infinity whose operands have neither; an input or a
 * weight that is given with NaN (op: its path), but not with infinity, as masks are. */
typedef struct fx_nonfinite {
    const char *node, *op, *place; /* as in fx_mismatch */
    bool is_nan;
    double value;
    int64_t element;               /* the first such one, in row-major order */
    int32_t rank;
    int64_t position[FX_RANK];
    int64_t n, n_of;               /* so many such elements of so many */
    const fx_operand *operand;
    int32_t n_operand;
} fx_nonfinite;
typedef struct fx_nonfinites fx_nonfinites; /* in the order of execution */
/* Where NaN and infinity arise when the module runs: compiled (options NULL: defaults), with every value as an output, or in the
 * interpreter. Inputs and buffers stay as they are. The statuses of fx_compile, fx_run and fx_interpret; FX_E_OOM. */
FX_API fx_status fx_find_nonfinite(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, const fx_compile_options *compile,
                                   bool compiled, FX_GIVES fx_nonfinites **out);
FX_API int32_t fx_nonfinites_count(const fx_nonfinites *found);
FX_API const fx_nonfinite *fx_nonfinites_get(const fx_nonfinites *found, int32_t index); /* NULL: no such one */
FX_API void fx_nonfinites_free(FX_TAKES fx_nonfinites *found);                          /* NULL is allowed */

/* ---- Two graphs -------------------------------------------------------------------------------------------------------- */

/* Where two graphs of one model part. Texts belong to it. */
typedef struct fx_parting {
    bool agrees;                      /* all outputs agree; node is NULL then, or what differs inside and does not show there */
    const char *output;               /* the first that does not, of the first graph */
    const char *node, *op, *place;    /* the first node whose value the other graph has nowhere, though it has what the node reads */
    const char *other, *other_op, *other_place; /* the same of the other graph; "" when there is none */
    const char *read;                 /* what the node reads, and as which node the other graph has it: "x = input0, relu_1 = Relu_3" */
    int32_t n_matched, n_nodes;       /* so many values of the first graph are in the other one, too */
    fx_difference at;                 /* of both nodes where their types agree, else of the output */
    bool at_output;
    void *memory;
} fx_parting;
/* Interprets both modules, in core form, with the same inputs: those of `a`, which belong to inputs of `b` by name, or else by
 * place. Outputs are compared in the same way: within the sum of both tolerances (fx_interpret_tolerance), or (ulp 0 or more) within so many units of
 * the last place. Values inside are compared by name first, then each with each. Both modules must outlive the parting. FX_E_ARG:
 * other numbers or types of inputs or outputs; the statuses of fx_interpret; FX_E_OOM. */
FX_API fx_status fx_find_parting(fx_module *a, fx_module *b, const fx_tensor *inputs, int32_t n_inputs, double ulp,
                                 FX_GIVES fx_parting **out);
FX_API void fx_parting_free(FX_TAKES fx_parting *parting); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
