/* SPDX-License-Identifier: Apache-2.0 */
/* passes/algo.h: inside of passes/algo*.c. */
#ifndef FX_PASSES_ALGO_H
#define FX_PASSES_ALGO_H

#include "passes/graft.h"
#include "passes/pass.h"
#include "passes/tile.h"

typedef struct fx_algo {
    fx_program *program;
    const fx_target *target;
} fx_algo;

/* A load of a stage that is to read a copy of its operand laid out by loops: dims are the extents of these axes. */
typedef struct fx_pack {
    uint16_t access, expr; /* the load */
    uint8_t stage;         /* of this stage */
    bool constant;         /* the copy is made once, by an init step */
    uint8_t axis[FX_RANK], n_axis;
    uint8_t split; /* this axis becomes q (in its place among axis[]) and a last one of `width`; FX_NO_AXIS: none */
    int64_t width;
    bool digits; /* the user keeps its axes and reads at the split one's digits: an inner axis, whose tiles begin at panels */
} fx_pack;

/* Order of a panel's axes: those of B outside, K, then vec. */
void fx__algo_panel_axes(const fx_program *program, const fx_kernel *kernel, const fx_roles *roles, fx_pack *pack);
/* Every axis of the access, reduced ones before vec, which is last. */
void fx__algo_column_axes(const fx_kernel *kernel, uint8_t vec, fx_pack *pack);
/* Adds the copy's buffer and step, makes step *at read it; *at follows the step. *out_packed false: it cannot be expressed. */
fx_status fx__algo_pack(fx_algo *algo, fx_block *block, int32_t *at, const fx_pack *pack, bool *out_packed);

/* A result's unit axis that is shorter than a vector joins the axis around it, where loads allow that: the sum is a REDUCE then. */
fx_status fx__algo_join_groups(fx_algo *algo, fx_step *step, uint8_t unit);

/* Cuts a long reduction to few points into partial ones and a final one. */
fx_status fx__algo_split(fx_algo *algo, fx_block *block, int32_t *at);

#endif
