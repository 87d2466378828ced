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
    case FX_EMIT_BLOCK:
        return axis == sched->row ? sched->mr : 1;
    default:
        return 1;
    }
}

fx_dim fx__sched_count(fx_dims *dims, const fx_kernel *kernel, uint8_t axis)
{
    return fx__dim_ceildiv(dims, kernel->axis[axis].extent, fx__sched_step(&kernel->sched, axis));
}

enum { LINE_BYTES = 64 };

fx_dim fx__sched_local_row(const fx_program *program, const fx_kernel *kernel, int arg)
{
    const fx_arg *local = &kernel->arg[arg];
    int64_t line = LINE_BYTES / (int64_t)fx_dtype_bytes(local->dtype);
    fx_dim elems = 1;
    for (int d = 0; d < local->rank; d++) elems = fx__dim_mul(program->dims, elems, local->dim[d]);
    fx_dim lines = fx__dim_add(program->dims, fx__dim_ceildiv(program->dims, elems, line), 1);
    return fx__dim_mul(program->dims, lines, line);
}

int64_t fx__sched_panel_rows(const fx_kernel *kernel)
{
    const fx_kstage *stage = &kernel->stage[0];
    int64_t rows = 1;
    for (int i = 0; i < stage->n_red; i++) {
        fx_dim extent = kernel->axis[stage->red[i]].extent;
        if (!fx_dim_is_const(extent) || __builtin_mul_overflow(rows, extent, &rows)) return 0;
    }
    return rows;
}

int64_t fx__sched_pack_bytes(const fx_kernel *kernel)
{
    const fx_sched *sched = &kernel->sched;
    int64_t width = (int64_t)sched->nv * sched->lanes * (sched->block > 0 ? sched->block : 1), bytes;
    if (!sched->pack) return 0;
    width *= (int64_t)fx_dtype_bytes(kernel->stage[0].acc);
    return __builtin_mul_overflow(width, fx__sched_panel_rows(kernel), &bytes) ? INT64_MAX : bytes;
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
