/* SPDX-License-Identifier: Apache-2.0 */
/* passes/steps.h: walking a program's steps in execution order, and which buffers each one reads and writes. */
#ifndef FX_PASSES_STEPS_H
#define FX_PASSES_STEPS_H

#include "ir/kir.h"

/* Steps of a block in pre-order; end[i] is the last step nested in i (i itself for RUN and CALL). */
typedef struct fx_flat {
    fx_step **step;
    int32_t *end;
    int32_t n;
} fx_flat;
bool fx__steps_flatten(fx_arena *arena, const fx_block *block, fx_flat *out); /* false: out of memory */

/* Every buffer a step names, once per argument or view; of IF and LOOP what they name themselves, not their bodies. */
typedef void (*fx_use_fn)(void *user, int32_t buf, bool reads, bool writes);
void fx__step_uses(const fx_program *program, const fx_step *step, fx_use_fn visit, void *user);
/* Removes TEMPs and constants that no step, slice or writeback names, and renumbers the rest. False: out of memory. */
bool fx__steps_drop_bufs(fx_program *program);

#endif
