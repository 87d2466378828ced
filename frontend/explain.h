/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain.h: an explanation under construction. explain.c makes it, explain_unit.c tells units and kernels, explain_pair.c
 * neighbours, explain_memory.c buffers, explain_round.c what the precision setting allowed. */
#ifndef FX_FRONTEND_EXPLAIN_H
#define FX_FRONTEND_EXPLAIN_H

#include "frontend/compiled.h"
#include "fxjit/inspect.h"
#include "passes/expect.h"
#include "passes/steps.h"

/* One node of one unit; next: the same node's next unit. */
typedef struct fx_part {
    int32_t unit;
    struct fx_part *next;
} fx_part;

typedef struct fx_explainer {
    const fx_compiled *it;
    fx_program *program;
    fx_arena *arena;
    fx_explanation *out;
    fx_unit *unit;  /* those of a run, then init's */
    fx_step **step; /* [n_unit] */
    int32_t n_run;  /* units of a run */
    fx_map part;    /* node -> its first fx_part */
    fx_expecter expecter;
} fx_explainer;

fx_status fx__explain_units(fx_explainer *x);
fx_status fx__explain_kernels(fx_explainer *x);
fx_status fx__explain_elsewhere(fx_explainer *x);
fx_status fx__explain_pairs(fx_explainer *x);
fx_status fx__explain_buffers(fx_explainer *x);
fx_status fx__explain_allowances(fx_explainer *x);
/* Of one kernel's units, each sentence once. NULL: out of memory. */
const char *fx__explain_precision(const fx_explainer *x, int32_t kernel);
/* Does no unit compute the call because its parts are computed in their places? */
bool fx__explain_is_placed(const fx_explainer *x, const fx_node *node);

/* explain_text.c: what a filter lets through. */
bool fx__explain_wants_kernel(const fx_explanation *e, const fx_explain_filter *filter, int32_t kernel);
bool fx__explain_wants_node(const fx_explanation *e, const fx_explain_filter *filter, const fx_node *node);
bool fx__explain_wants_pair(const fx_explanation *e, const fx_explain_filter *filter, const fx_neighbours *pair);
bool fx__explain_wants_allowance(const fx_explanation *e, const fx_explain_filter *filter, int32_t index);
bool fx__explain_wants_buffer(const fx_explanation *e, const fx_explain_filter *filter, int32_t buffer);

#endif
