/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile_fetch.c: prefetches, while a tile runs, what later ones read: A's next rows, and B's next panel or block of panels.
 * Such a part is spread over all the sweeps that run before it is needed: with every step of K go sched.fetch_a or fetch_b bytes
 * of it, in the order of memory. A prefetch never faults, so the walk may pass the end of a tensor. */
#include "codegen/tile.h"

enum { LINE_BYTES = 64 };

static fx_dim panel_stride(const fx_frame *f, const fx_tile_stream *stream, int axis)
{
    fx_dim stride = fx__access_stride(f->program, f->kernel, &f->kernel->access[stream->access], (uint8_t)axis);
    return stride == FX_DIM_BAD ? 0 : stride;
}

bool fx__tile_is_panel(const fx_tile_stream *stream)
{
    return !stream->general && stream->row == 0 && stream->vec != 0;
}

int fx__tile_panel_axis(const fx_frame *f, const fx_tile_sweep *sweep, int row, int vec)
{
    for (int i = f->n_order - 1; i >= 0; i--)
        for (int s = 0; s < sweep->n_stream && f->order[i] != row && f->order[i] != vec; s++)
            if (fx__tile_is_panel(&sweep->stream[s]) && panel_stride(f, &sweep->stream[s], f->order[i]) != 0) return f->order[i];
    return -1;
}

/* ---- How far the walk has come -------------------------------------------------------------------------------------------- */

/* Where an axis's loop is, and how often it runs. */
static LLVMValueRef iteration(const fx_tile *tile, uint8_t axis, LLVMValueRef *out_count)
{
    fx_frame *f = tile->f;
    LLVMValueRef step = e_i64(&f->e, fx__sched_step(&f->kernel->sched, axis));
    *out_count = e_ceildiv(&f->e, f->extent[axis], step);
    if (axis == tile->row) return tile->number;
    return axis == tile->vec ? e_floordiv(&f->e, f->coord[axis], step) : f->coord[axis];
}

/* Sweeps that ran since the loop at `level` of the order moved on, or since its block began. */
static LLVMValueRef sweeps_since(const fx_tile *tile, int level)
{
    fx_frame *f = tile->f;
    LLVMValueRef number = e_i64(&f->e, 0), count;
    for (int i = level + 1; i < f->n_order; i++) {
        if (f->point[f->order[i]] || (tile->in_block && f->order[i] == tile->vec)) continue;
        LLVMValueRef at = iteration(tile, f->order[i], &count);
        number = e_add(&f->e, e_mul(&f->e, number, count), at);
    }
    if (!tile->in_block) return number;
    return e_add(&f->e, e_mul(&f->e, number, e_i64(&f->e, f->kernel->sched.block)), tile->in_block);
}

static int level_of(const fx_frame *f, int axis)
{
    int level = 0;
    while (level < f->n_order && f->order[level] != axis) level++;
    return level;
}

/* ---- Prefetches ----------------------------------------------------------------------------------------------------------- */

/* Not inbounds: the walk may leave the tensor. */
static LLVMValueRef forward(fx_e *e, LLVMValueRef ptr, LLVMValueRef bytes)
{
    return LLVMBuildGEP2(e->builder, e->ty_i8, ptr, &bytes, 1, "");
}

static void prefetch(fx_e *e, LLVMValueRef at)
{
    LLVMValueRef arg[] = {at, e_i32(e, 0), e_i32(e, 2), e_i32(e, 1)}; /* to read, into the second level, data */
    e_intrinsic(e, "llvm.prefetch", &e->ty_ptr, 1, arg, 4);
}

/* `bytes` for each of the steps, of the part that is `count` strides away. */
static void walk(fx_tile *tile, const fx_tile_stream *stream, LLVMValueRef base, int64_t count, fx_dim stride, LLVMValueRef step,
                 int64_t bytes, int steps)
{
    fx_frame *f = tile->f;
    fx_e *e = &f->e;
    fx_dtype dtype = f->kernel->arg[f->kernel->access[stream->access].arg].dtype;
    LLVMValueRef distance = e_mul(e, e_i64(e, count * (int64_t)fx_dtype_bytes(dtype)), fx__frame_dim(f, stride));
    LLVMValueRef at = forward(e, forward(e, base, distance), e_mul(e, step, e_i64(e, bytes)));
    for (int64_t line = 0; line < bytes * steps; line += LINE_BYTES) prefetch(e, forward(e, at, e_i64(e, line)));
}

void fx__tile_fetch(fx_tile *tile, const fx_tile_stream *stream, const fx_tile_loop *loop, LLVMValueRef base, LLVMValueRef index,
                    int steps)
{
    fx_frame *f = tile->f;
    const fx_sched *sched = &f->kernel->sched;
    bool panel = fx__tile_is_panel(stream), rows = !stream->general && stream->row != 0 && stream->vec == 0;
    if (!(rows && sched->fetch_a > 0) && !(panel && sched->fetch_b > 0 && tile->panel >= 0)) return;
    LLVMValueRef sweeps = sweeps_since(tile, level_of(f, rows ? tile->row : tile->panel));
    LLVMValueRef step = e_add(&f->e, e_mul(&f->e, sweeps, fx__frame_dim(f, loop->extent)), index);
    if (rows)
        walk(tile, stream, base, tile->height, stream->row, step, sched->fetch_a, steps);
    else
        walk(tile, stream, base, sched->block > 0 ? sched->block : 1, panel_stride(f, stream, tile->panel), step, sched->fetch_b,
             steps);
}
