/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/bisect.h: the parts of fx_bisect: values of all nodes, cutting graphs, trying a cut, making it smaller, its forms. */
#ifndef FX_FRONTEND_BISECT_H
#define FX_FRONTEND_BISECT_H

#include "frontend/compiled.h"
#include "fxjit/bisect.h"

/* ---- bisect_capture.c: what every node of a graph computes ----------------------------------------------------------------- */

/* By node id; data NULL: the node has no value of its own (a tuple, a write-back, the output). Memory of `inputs` is borrowed. */
typedef struct fx_capture {
    fx_tensor *value, *bound; /* [n]; bound NULL: not wanted */
    int32_t n;                /* ids */
    fx_tensor *made, *limit;  /* [n_made]: the memory behind value and bound */
    int32_t n_made;
    fx_arena *arena;
} fx_capture;
/* Whether a call gives one tensor, which may become an output, or be given instead of computed. */
bool fx__capture_has_value(const fx_node *node);
/* Interprets the module with all values as outputs; bounds are tolerances. */
fx_status fx__capture(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, bool bounds, FX_GIVES fx_capture *out);
/* Types alone, without running anything: values are to be filled in. FX_E_NOT_FOUND: some are not known. */
fx_status fx__capture_types(const fx_module *module, const fx_tensor *inputs, int32_t n_inputs, FX_GIVES fx_capture *out);
void fx__capture_free(fx_capture *capture);

/* ---- bisect_tolerance.c: bounds no wider than what rounding does ----------------------------------------------------------- */

/* A copy in f64; NULL: it cannot be. Its inputs, allocated. */
FX_GIVES fx_module *fx__tolerance_module(const fx_module *core);
fx_status fx__tolerance_widen(const fx_tensor *from, int32_t n, fx_tensor *to);
void fx__tolerance_narrow(const fx_tensor *actual, const fx_tensor *wide, fx_tensor *bound);

/* ---- bisect_cut.c ---------------------------------------------------------------------------------------------------------- */

/* A part of a graph as a module of its own: what it needs from outside are inputs, with their captured values. */
typedef struct fx_cut {
    fx_module *module;
    fx_tensor *in, *expected, *bound; /* borrowed from the capture; bound NULL: none was captured */
    const fx_node **output;           /* [n_out] nodes of the graph that was cut */
    int32_t n_in, n_out;
    fx_arena *arena;
} fx_cut;
/* keep, outs: by node id; calls that are not kept become inputs where kept ones need them, but for tuples, which are kept then.
 * Outputs are kept. *keep is changed to what is in the cut. */
fx_status fx__cut(const fx_module *module, const fx_capture *capture, bool *keep, const bool *outs, FX_GIVES fx_cut *out);
void fx__cut_free(fx_cut *cut);
/* A copy of the module with a graph of its own and borrowed tensors; NULL: out of memory. */
FX_GIVES fx_module *fx__cut_copy(const fx_module *module);
/* A copy whose sizes are those of the inputs: no symbols. *out NULL: sizes depend on data, or are part of a region. */
fx_status fx__cut_sizes(const fx_module *module, const fx_tensor *inputs, int32_t n_inputs, FX_GIVES fx_module **out);

/* The call that a part of a tuple belongs to; any other node itself. */
const fx_node *fx__bisect_maker(const fx_node *node);
/* "model.py:12, forward"; "" when not known; NULL: out of memory. */
const char *fx__bisect_place(fx_arena *arena, const fx_node *node);

/* ---- bisect_trial.c: both ways of computing a cut -------------------------------------------------------------------------- */

typedef struct fx_trial {
    const fx_bisect_options *options;
    fx_compile_options compile, against;
    fx_context *context;
    int32_t percent; /* of the progress */
    int32_t n;       /* trials so far */
    bool cancelled;
    bool out_of_memory; /* in some trial: that nothing differs is not known then */
} fx_trial;
/* Whether the two ways differ for this cut; failures count as not. *out_output, *out (may be NULL): where. exact_bounds: derives
 * the bounds anew from the cut's own inputs, beside the captured ones. */
bool fx__trial_differs(fx_trial *trial, const fx_cut *cut, bool exact_bounds, int32_t *out_output, fx_difference *out);
/* Tells how far things are; false: cancelled. */
bool fx__trial_progress(fx_trial *trial, const char *phase);
/* Compiles and runs; inputs and the module stay as they are, out[cut->n_out] is allocated. */
fx_status fx__trial_native(const fx_cut *cut, const fx_compile_options *options, fx_tensor *out);
/* Runs what the cut was compiled to, on copies of its inputs. What it leaves out of an output is 0xff bytes: NaN in every float. */
fx_status fx__trial_run(const fx_cut *cut, const fx_compiled *compiled, fx_tensor *out);
/* The first output that differs; -1: none does. bounds NULL: ulp. factor: of the bounds. */
int32_t fx__trial_compare(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bounds, int32_t n, double factor,
                          double ulp, fx_difference *out);
/* The interpreter on the cut, with bounds, none above those that the cut has; the module stays as it is. */
fx_status fx__trial_interpret(const fx_cut *cut, fx_tensor *out, fx_tensor *bounds);
void fx__tensors_release(fx_tensor *tensors, int32_t n);
fx_status fx__tensors_copy(const fx_tensor *from, int32_t n, fx_tensor *to); /* allocated */

/* ---- bisect_reduce.c ------------------------------------------------------------------------------------------------------- */

/* Fewer nodes and outputs while the trial differs. keep and outs describe a cut that does. */
fx_status fx__reduce(fx_trial *trial, const fx_module *module, const fx_capture *capture, bool *keep, bool *outs);

/* ---- bisect_stage.c: the forms of one compilation -------------------------------------------------------------------------- */

typedef struct fx_stage {
    fx_bisect_form form;
    const char *pass, *why, *loops; /* why and loops: in the arena, "" */
} fx_stage;
/* The first form of the cut's compilation whose outputs leave the bounds, or (ulp 0 or more) are further from the expected ones
 * than that. When no form before it does, native code does: its plain loops, its schedule or its threads. */
fx_status fx__stage_find(fx_trial *trial, const fx_compile_options *options, const fx_cut *cut, double ulp, fx_arena *arena,
                         fx_stage *out);

/* bisect_loops.c: FX_BISECT_SCHEDULE or FX_BISECT_THREADS, with the smallest change of loops that makes it right. FX_E_NOT_FOUND:
 * plain loops are wrong, too, or cannot be generated. */
fx_status fx__loops_find(fx_trial *trial, const fx_compile_options *options, const fx_cut *cut, double ulp, fx_arena *arena,
                         fx_stage *out);

/* ---- The result: bisect.c fills it, bisect_save.c writes it ---------------------------------------------------------------- */

struct fx_bisection {
    fx_trial trial;
    fx_bisect_options options;
    fx_arena *arena;
    fx_module *module; /* that is cut: owned */
    fx_capture capture;
    fx_tensor *input; /* copies */
    int32_t n_input;
    bool *keep, *outs;           /* [ids] of module's graph */
    fx_cut cut;                  /* the reduced graph */
    fx_tensor *expected, *bound; /* [cut.n_out]: of its own inputs, exactly */
    fx_mismatch found;
    int32_t output; /* of the cut: where found is */
    bool rounding;  /* two option sets that both keep the bounds */
};

#endif
