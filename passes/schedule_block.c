/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule_block.c: loops of kernels that a block of rows goes through (block.h): one register tile for all contractions,
 * tasks of batch and rows. */
#include "passes/block.h"
#include "passes/schedule.h"

enum { STEPS_OF_A_TURN = 2 };

/* All multiply-adds at full speed; row stages take about a quarter of that again. */
static double block_cycles(const fx_schedule *s, const fx_block_roles *roles)
{
    double steps = 0, points = 1.25;
    for (int g = 0; g < roles->n_group; g++) {
        const fx_kstage *stage = &s->kernel->stage[roles->group[g].first];
        if (!roles->group[g].contracts) continue;
        double product = (double)fx__schedule_extent(s, roles->group[g].columns);
        for (int i = 0; i < stage->n_red; i++) product *= (double)fx__schedule_extent(s, stage->red[i]);
        steps += product;
    }
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) points *= (double)fx__schedule_extent(s, i);
    return steps * points / s->kernel->sched.lanes / s->target->fma_per_cycle;
}

bool fx__schedule_block(fx_schedule *s)
{
    fx_block_roles roles;
    fx_sched *sched = &s->kernel->sched;
    int32_t lanes = fx__target_lanes(s->target, FX_F32);
    if (lanes == 1 || !fx__block_roles(s->program, s->kernel, &roles)) return false;
    fx_tile tile = fx__block_tile(s->target, s->program, s->kernel, &roles);
    sched->emit = FX_EMIT_BLOCK;
    sched->vec = roles.sweep;
    sched->row = roles.row;
    sched->lanes = (uint8_t)lanes;
    sched->mr = (uint8_t)tile.mr;
    sched->nv = (uint8_t)tile.nv;
    sched->unroll = STEPS_OF_A_TURN;
    fx__schedule_order(s, &roles.row, 1);
    s->kernel->cost.cycles = fx__schedule_cycles(s, block_cycles(s, &roles));
    uint8_t task[3];
    int n = 0;
    for (int i = sched->n_order > 3 ? sched->n_order - 3 : 0; i < sched->n_order; i++) task[n++] = sched->order[i];
    fx__schedule_tasks(s, task, n);
    return true;
}
