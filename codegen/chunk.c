/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/chunk.c: loops over axes, which keep the accesses' partial offsets, and the nest of a kernel's outer axes: from chunk
 * numbers to ranges of the task axes. */
#include "codegen/frame.h"

static LLVMValueRef iterations(fx_e *e, const fx_kernel *kernel, uint8_t axis, LLVMValueRef extent)
{
    return e_ceildiv(e, extent, e_i64(e, fx__sched_step(&kernel->sched, axis)));
}

static LLVMValueRef task_points(fx_e *e, const fx_kernel *kernel, const LLVMValueRef *extent)
{
    const fx_sched *sched = &kernel->sched;
    LLVMValueRef points = e_i64(e, 1);
    for (int i = 0; i < sched->n_task; i++)
        points = e_mul(e, points, iterations(e, kernel, sched->task[i], extent[sched->task[i]]));
    return points;
}

static int64_t grain_of(const fx_kernel *kernel)
{
    return kernel->sched.grain > 0 ? kernel->sched.grain : 1;
}

LLVMValueRef fx__frame_chunk_count(fx_e *e, const fx_kernel *kernel, const LLVMValueRef *extent)
{
    return e_ceildiv(e, task_points(e, kernel, extent), e_i64(e, grain_of(kernel)));
}

/* ---- Axis loops --------------------------------------------------------------------------------------------------------- */

LLVMValueRef *fx__frame_enter(fx_frame *f, uint8_t axis, LLVMValueRef coord)
{
    int n = f->kernel->n_access;
    LLVMValueRef *saved = FX_NEW_ARRAY(f->arena, LLVMValueRef, n + 1);
    if (!saved) {
        f->status = FX_E_OOM;
        return NULL;
    }
    f->coord[axis] = coord;
    for (int i = 0; i < n; i++) {
        fx_acc *acc = &f->acc[i];
        saved[i] = acc->offset;
        if (acc->coef[axis]) acc->offset = e_add(&f->e, acc->offset, e_mul(&f->e, coord, acc->coef[axis]));
        if ((acc->digits & ~f->late) >> axis & 1) {
            acc->offset = e_add(&f->e, acc->offset, fx__index_digits(f, &f->kernel->access[i], axis, coord));
        }
    }
    return saved;
}

void fx__frame_leave(fx_frame *f, uint8_t axis, LLVMValueRef *saved)
{
    f->coord[axis] = NULL;
    for (int i = 0; saved && i < f->kernel->n_access; i++) f->acc[i].offset = saved[i];
}

void fx__frame_axis_begin(fx_frame *f, fx_axis_loop *loop, uint8_t axis, int64_t step, int n_carry, const LLVMValueRef *init)
{
    loop->axis = axis;
    loop->looped = !f->point[axis];
    if (loop->looped) {
        loop->loop = e_loop_begin(&f->e, f->kernel->axis[axis].name, f->begin[axis], f->end[axis], step, n_carry, init);
    } else {
        loop->loop.n_carry = n_carry;
        for (int i = 0; i < n_carry; i++) loop->loop.carry[i] = init[i];
    }
    loop->saved = fx__frame_enter(f, axis, loop->looped ? loop->loop.index : f->begin[axis]);
}

void fx__frame_axis_end(fx_frame *f, fx_axis_loop *loop, const LLVMValueRef *next)
{
    fx__frame_leave(f, loop->axis, loop->saved);
    if (loop->looped)
        e_loop_end(&f->e, &loop->loop, next);
    else
        for (int i = 0; i < loop->loop.n_carry; i++) loop->loop.carry[i] = next[i];
}

/* ---- The nest of outer axes --------------------------------------------------------------------------------------------- */

/* Iterations [from, to) of an axis as its elements; a TILE's row axis counts in tiles. */
static void set_range(fx_frame *f, uint8_t axis, LLVMValueRef from, LLVMValueRef to)
{
    fx_e *e = &f->e;
    const fx_sched *sched = &f->kernel->sched;
    int64_t step = fx__sched_step(sched, axis);
    bool tiles = (sched->emit == FX_EMIT_TILE || sched->emit == FX_EMIT_BLOCK) && axis == sched->row;
    f->begin[axis] = tiles ? from : e_mul(e, from, e_i64(e, step));
    f->end[axis] = tiles ? to : e_mul(e, to, e_i64(e, step));
    if (!tiles && step > 1) f->end[axis] = e_min(e, f->end[axis], f->extent[axis]);
}

/* Positions of the leading task axes from their joint number. */
static void set_leading(fx_frame *f, LLVMValueRef row)
{
    const fx_sched *sched = &f->kernel->sched;
    for (int i = sched->n_task - 2; i >= 0; i--) {
        uint8_t axis = sched->task[i];
        LLVMValueRef count = iterations(&f->e, f->kernel, axis, f->extent[axis]);
        LLVMValueRef at = i == 0 ? row : e_floormod(&f->e, row, count);
        if (i > 0) row = e_floordiv(&f->e, row, count);
        set_range(f, axis, at, e_add(&f->e, at, e_i64(&f->e, 1)));
        f->point[axis] = true;
    }
}

static void begin_rows(fx_frame *f, fx_nest *nest, LLVMValueRef from, LLVMValueRef to)
{
    fx_e *e = &f->e;
    const fx_sched *sched = &f->kernel->sched;
    uint8_t last = sched->task[sched->n_task - 1];
    nest->has_row = sched->n_task > 1;
    if (!nest->has_row) {
        set_range(f, last, from, to);
        return;
    }
    LLVMValueRef width = iterations(e, f->kernel, last, f->extent[last]);
    nest->row = e_loop_begin(e, "row", e_floordiv(e, from, width), e_ceildiv(e, to, width), 1, 0, NULL);
    LLVMValueRef first = e_mul(e, nest->row.index, width);
    set_range(f, last, e_max(e, e_sub(e, from, first), e_i64(e, 0)), e_min(e, e_sub(e, to, first), width));
    set_leading(f, nest->row.index);
}

/* Inside, chunks lo..hi are not empty, so no task axis has extent 0 and divisions by extents are safe. */
static void begin_tasks(fx_frame *f, fx_nest *nest)
{
    fx_e *e = &f->e;
    LLVMValueRef grain = e_i64(e, grain_of(f->kernel)), points = task_points(e, f->kernel, f->extent);
    begin_rows(f, nest, e_mul(e, f->lo, grain), e_min(e, e_mul(e, f->hi, grain), points));
}

static bool is_task(const fx_sched *sched, uint8_t axis)
{
    for (int i = 0; i < sched->n_task; i++) {
        if (sched->task[i] == axis) return true;
    }
    return false;
}

void fx__frame_nest_begin(fx_frame *f, fx_nest *nest, int n)
{
    const fx_sched *sched = &f->kernel->sched;
    *nest = (fx_nest){.n = n};
    nest->any = e_if_begin(&f->e, "any", e_icmp(&f->e, LLVMIntSLT, f->lo, f->hi));
    while (nest->n_outside < n && !is_task(sched, f->order[nest->n_outside])) {
        fx__frame_axis_begin(f, &nest->loop[nest->n_outside], f->order[nest->n_outside], 1, 0, NULL);
        nest->n_outside++;
    }
    if (sched->n_task > 0) begin_tasks(f, nest);
    for (int i = nest->n_outside; i < n; i++) fx__frame_axis_begin(f, &nest->loop[i], f->order[i], 1, 0, NULL);
}

static void forget_ranges(fx_frame *f)
{
    for (int i = 0; i < f->kernel->n_axis; i++) {
        f->begin[i] = e_i64(&f->e, 0);
        f->end[i] = f->extent[i];
        f->point[i] = false;
    }
}

void fx__frame_nest_end(fx_frame *f, fx_nest *nest)
{
    for (int i = nest->n - 1; i >= nest->n_outside; i--) fx__frame_axis_end(f, &nest->loop[i], NULL);
    if (nest->has_row) e_loop_end(&f->e, &nest->row, NULL);
    for (int i = nest->n_outside - 1; i >= 0; i--) fx__frame_axis_end(f, &nest->loop[i], NULL);
    e_if_end(&f->e, &nest->any);
    forget_ranges(f);
}
