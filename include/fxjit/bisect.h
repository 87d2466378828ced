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
/* The first element that is further from the expected one than bound (f64, of the same dims) says, and half a unit of the last
 * place for its own rounding (nothing where the bound is 0); bound NULL: than `ulp` units of the
 * last place. Where the bound is infinite, and where both are NaN, nothing differs. True: all agree. *out may be NULL. */
FX_API bool fx_tensor_agrees(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, double ulp, fx_difference *out);

/* ---- A mismatch -------------------------------------------------------------------------------------------------------- */

/* The forms of a compilation, in order. */
typedef enum fx_bisect_form {
    FX_BISECT_CORE,    /* operators with all their arguments: interpreted */
    FX_BISECT_GRAPH,   /* the same, simplified: interpreted */
    FX_BISECT_PROGRAM, /* kernels: evaluated with plain loops */
    FX_BISECT_NATIVE   /* machine code */
} fx_bisect_form;
FX_API const char *fx_bisect_form_name(fx_bisect_form form); /* "core graph", "graph", "program", "native code" */

typedef struct fx_bisect_options {
    const fx_compile_options *compile; /* what is examined; NULL: defaults */
    const fx_compile_options *against; /* held against this; NULL: against the interpreter, within the error bound that it derives */
    double ulp;              /* against other options: how far apart results may be; below 0: twice the derived bound */
    fx_progress progress;    /* phase: "comparing", "first node", "fewer nodes", "forms". False ends the search: FX_E_ARG */
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

#ifdef __cplusplus
}
#endif
#endif
