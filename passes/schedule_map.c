/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule_map.c: loops of kernels without a CONTRACT: FLAT, COPY2D, COLUMN, ROW. The vector axis is the one along which
 * most accesses have stride 1; a kernel without such an axis runs in scalars. */
#include "passes/schedule.h"
#include <string.h>

enum { FLAT_UNROLL = 4, ROW_UNROLL = 4, ACCUMULATORS = 8, BLOCK_LEAST = 4 };

/* ---- MAP only ------------------------------------------------------------------------------------------------------------ */

/* The outer axis with most stride-1 accesses of this sort; the later one on a tie. */
static uint8_t find_unit(const fx_schedule *s, bool stores)
{
    uint8_t best = FX_NO_AXIS;
    int most = 0;
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) {
        int counts[3];
        if (s->kernel->axis[i].extent == 1) continue;
        fx__schedule_strides(s, i, stores, counts);
        if (counts[1] == 0 || counts[1] < most) continue;
        most = counts[1];
        best = i;
    }
    return best;
}

/* Loads that jump along vec but walk along some other axis are transposed in blocks. */
static uint8_t find_second(const fx_schedule *s, uint8_t vec)
{
    int along[3], across[3];
    uint8_t axis = find_unit(s, false);
    if (axis == FX_NO_AXIS || axis == vec || fx__schedule_strides(s, vec, false, along)) return FX_NO_AXIS;
    fx__schedule_strides(s, axis, false, across);
    bool pays = across[1] >= along[2] && fx__schedule_extent(s, vec) >= BLOCK_LEAST && fx__schedule_extent(s, axis) >= BLOCK_LEAST;
    for (int i = 0; i < s->kernel->n_access; i++) {
        const fx_access *access = &s->kernel->access[i];
        if (access->guarded || access->clamped) return FX_NO_AXIS;
    }
    return pays ? axis : FX_NO_AXIS;
}

/* A local holds one point's values: several points at a time would need several of it. */
static bool has_local(const fx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_arg; i++)
        if (kernel->arg[i].role == FX_ARG_LOCAL) return true;
    return false;
}

void fx__schedule_flat(fx_schedule *s)
{
    fx_sched *sched = &s->kernel->sched;
    sched->emit = FX_EMIT_FLAT;
    sched->vec = find_unit(s, true);
    if (sched->vec == FX_NO_AXIS) sched->vec = find_unit(s, false);
    if (sched->vec != FX_NO_AXIS && !has_local(s->kernel)) {
        sched->lanes = (uint8_t)fx__schedule_lanes(s->target, s->kernel);
        sched->unroll = FLAT_UNROLL;
        sched->vec2 = find_second(s, sched->vec);
    }
    if (sched->vec2 != FX_NO_AXIS) {
        sched->emit = FX_EMIT_COPY2D;
        sched->unroll = 1;
    }
    if (sched->lanes == 1) {
        sched->vec = sched->vec2 = FX_NO_AXIS;
        sched->emit = FX_EMIT_FLAT;
    }
    const uint8_t last[2] = {sched->vec2, sched->vec};
    fx__schedule_order(s, last, 2);
}

/* ---- REDUCE -------------------------------------------------------------------------------------------------------------- */

/* Counts over reductions only: they are the work. */
static void reduce_strides(const fx_schedule *s, uint8_t axis, int counts[3])
{
    counts[0] = counts[1] = counts[2] = 0;
    for (int i = 0; i < s->kernel->n_stage; i++) {
        const fx_kstage *stage = &s->kernel->stage[i];
        for (int e = 0; e < stage->n_expr && stage->kind == FX_STAGE_REDUCE; e++)
            if (stage->expr[e].op == FX_X_LOAD) fx__schedule_count(s, stage->expr[e].u.access, axis, counts);
    }
}

static bool is_outer(const fx_kernel *kernel, uint8_t axis)
{
    return axis < kernel->n_outer;
}

/* The axis along which the reductions' loads have stride 1 or none, most of them 1. */
static uint8_t find_reduce_vec(const fx_schedule *s, bool outer)
{
    uint8_t best = FX_NO_AXIS;
    int most = 0;
    for (uint8_t i = 0; i < s->kernel->n_axis; i++) {
        int counts[3], stores[3];
        if (is_outer(s->kernel, i) != outer || s->kernel->axis[i].extent == 1) continue;
        reduce_strides(s, i, counts);
        bool stored = fx__schedule_strides(s, i, true, stores) || !outer;
        if (counts[1] == 0 || counts[2] > 0 || counts[1] < most || !stored) continue;
        most = counts[1];
        best = i;
    }
    return best;
}

static bool has_inner(const fx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_stage; i++)
        if (kernel->stage[i].n_inner > 0 || kernel->stage[i].prefix) return true;
    return false;
}

/* Does every stage that runs along inner or reduced axes run along this one? */
static bool runs_everywhere(const fx_kernel *kernel, uint8_t axis)
{
    for (int i = 0; i < kernel->n_stage; i++) {
        const fx_kstage *stage = &kernel->stage[i];
        int n_red = stage->kind == FX_STAGE_MAP ? 0 : stage->n_red;
        bool found = stage->n_inner + n_red == 0;
        if (stage->prefix) return false;
        for (int a = 0; a < stage->n_inner; a++) found = found || stage->inner[a] == axis;
        for (int a = 0; a < n_red; a++) found = found || stage->red[a] == axis;
        if (!found) return false;
    }
    return true;
}

/* Another outer axis that the reductions' loads move along: its points share a tile when they divide evenly. */
static void choose_column_tile(fx_schedule *s)
{
    fx_sched *sched = &s->kernel->sched;
    int64_t vectors = (fx__schedule_extent(s, sched->vec) + sched->lanes - 1) / sched->lanes;
    int best = 0;
    sched->mr = 1;
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) {
        int counts[3];
        fx_dim extent = s->kernel->axis[i].extent;
        reduce_strides(s, i, counts);
        if (i == sched->vec || extent == 1 || !fx_dim_is_const(extent) || counts[1] + counts[2] == 0) continue;
        for (int mr = 2; mr <= ACCUMULATORS; mr++) {
            int nv = vectors >= 2 && 2 * mr <= ACCUMULATORS ? 2 : 1;
            if (extent % mr != 0 || mr * nv < best) continue;
            best = mr * nv;
            sched->row = i;
            sched->mr = (uint8_t)mr;
            sched->nv = (uint8_t)nv;
        }
    }
    if (sched->row == FX_NO_AXIS) sched->nv = (uint8_t)(vectors < 4 ? vectors : 4);
    if (sched->nv == 0) sched->nv = 1;
}

void fx__schedule_rows(fx_schedule *s)
{
    fx_sched *sched = &s->kernel->sched;
    int32_t lanes = fx__schedule_lanes(s->target, s->kernel);
    uint8_t column = has_inner(s->kernel) ? FX_NO_AXIS : find_reduce_vec(s, true), row = find_reduce_vec(s, false);
    if (row != FX_NO_AXIS && !runs_everywhere(s->kernel, row)) row = FX_NO_AXIS;
    sched->emit = FX_EMIT_ROW;
    if (column != FX_NO_AXIS && lanes > 1) {
        sched->emit = FX_EMIT_COLUMN;
        sched->vec = column;
        sched->lanes = (uint8_t)lanes;
        choose_column_tile(s);
    } else if (row != FX_NO_AXIS && lanes > 1) {
        sched->vec = row;
        sched->lanes = (uint8_t)lanes;
        sched->unroll = ROW_UNROLL;
    }
    const uint8_t last[2] = {sched->row, sched->emit == FX_EMIT_COLUMN ? sched->vec : FX_NO_AXIS};
    fx__schedule_order(s, last, 2);
}

/* Windows of neighbouring rows share what they read, if it is still near: for small images one block of channels at a time is. */
void fx__schedule_vec_first(fx_schedule *s)
{
    fx_sched *sched = &s->kernel->sched;
    int64_t slices = fx__dim_hint(s->program->dims, fx__sched_count(s->program->dims, s->kernel, sched->vec));
    for (int i = 0; i + 1 < sched->n_task; i++) slices *= fx__schedule_extent(s, sched->task[i]);
    if (sched->row == FX_NO_AXIS || sched->n_order < 2 || slices < 1) return;
    if ((s->kernel->cost.read_bytes + s->kernel->cost.write_bytes) / slices > s->target->l1) return;
    memmove(sched->order + 1, sched->order, (size_t)sched->n_order - 1); /* vec was the last one */
    sched->order[0] = sched->vec;
}
