/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_sched.c: what a schedule implies, for the pass that writes it and the emitters that obey it. */
#include "ir/kir.h"

int64_t fx__sched_step(const fx_sched *sched, uint8_t axis)
{
    switch (sched->emit) {
    case FX_EMIT_FLAT:
        return axis == sched->vec ? (int64_t)sched->lanes * sched->unroll : 1;
    case FX_EMIT_COPY2D:
        return axis == sched->vec || axis == sched->vec2 ? sched->lanes : 1;
    case FX_EMIT_COLUMN:
    case FX_EMIT_TILE:
        if (axis == sched->vec) return (int64_t)sched->lanes * sched->nv;
        return axis == sched->row ? sched->mr : 1;
    default:
        return 1;
    }
}

fx_dim fx__sched_count(fx_dims *dims, const fx_kernel *kernel, uint8_t axis)
{
    return fx__dim_ceildiv(dims, kernel->axis[axis].extent, fx__sched_step(&kernel->sched, axis));
}

fx_dim fx__sched_points(fx_dims *dims, const fx_kernel *kernel)
{
    fx_dim points = 1;
    for (int i = 0; i < kernel->sched.n_task; i++)
        points = fx__dim_mul(dims, points, fx__sched_count(dims, kernel, kernel->sched.task[i]));
    return points;
}

fx_dim fx__sched_chunks(fx_dims *dims, const fx_kernel *kernel)
{
    int64_t grain = kernel->sched.grain > 0 ? kernel->sched.grain : 1;
    return fx__dim_ceildiv(dims, fx__sched_points(dims, kernel), grain);
}
