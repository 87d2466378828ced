/* SPDX-License-Identifier: Apache-2.0 */
/* passes/uses.h: who reads and writes each buffer, as places in the main block in ascending order: a pass that changes steps one by
 * one asks here instead of walking the block again. What is nested counts as the step of the block around it, a slice as its root.
 */
#ifndef FX_PASSES_USES_H
#define FX_PASSES_USES_H

#include "ir/kir.h"

typedef struct fx_places {
    int32_t *at; /* ascending; once for each argument */
    int32_t n, cap;
} fx_places;
typedef struct fx_uses {
    const fx_program *program;
    fx_arena *arena;
    fx_places *reads, *writes; /* [n_buf], at roots */
    bool failed;               /* out of memory */
} fx_uses;

/* Of the whole block. False: out of memory. */
bool fx__uses_open(const fx_program *program, fx_arena *arena, fx_uses *out);
/* Before a step changes or goes, and behind it: forgets and notes what the step at this place uses. False: out of memory. */
void fx__uses_remove(fx_uses *uses, int32_t at);
bool fx__uses_add(fx_uses *uses, int32_t at);

const fx_places *fx__uses_reads(const fx_uses *uses, int32_t buf);
const fx_places *fx__uses_writes(const fx_uses *uses, int32_t buf);
/* Is one of the places in [begin, end)? */
bool fx__places_within(const fx_places *places, int32_t begin, int32_t end);
/* The first place other than `ignore`; -1: none. */
int32_t fx__places_first(const fx_places *places, int32_t ignore);
static inline int32_t fx__places_last(const fx_places *places)
{
    return places->n ? places->at[places->n - 1] : -1;
}

#endif
