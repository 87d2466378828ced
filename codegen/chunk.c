/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/chunk.c: from chunk numbers to ranges of the task axes, and loops over axes that keep the accesses' partial offsets. */
#include "codegen/frame.h"
#include <string.h>

static LLVMValueRef task_points(fx_e *e, const fx_kernel *kernel, const LLVMValueRef *extent)
{
    LLVMValueRef points = e_i64(e, 1);
    for (int i = 0; i < kernel->sched.n_task; i++) points = e_mul(e, points, extent[kernel->sched.task[i]]);
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

/* What the axis's digit terms add at a coordinate. */
static LLVMValueRef digit_terms(fx_frame *f, const fx_access *access, uint8_t axis, LLVMValueRef coord)
{
    fx_e *e = &f->e;
    LLVMValueRef sum = e_i64(e, 0);
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) {
            const fx_term *term = &access->at[d].term[t];
            if (term->axis != axis || (term->div == 1 && term->mod == 0)) continue;
            LLVMValueRef digit = e_floordiv(e, coord, fx__frame_dim(f, term->div));
            if (term->mod != 0) digit = e_floormod(e, digit, fx__frame_dim(f, term->mod));
            LLVMValueRef step = e_mul(e, fx__frame_dim(f, term->coef), fx__index_arg_stride(f, access, d));
            sum = e_add(e, sum, e_mul(e, digit, step));
        }
    }
    return sum;
}

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
        if (acc->digits >> axis & 1) acc->offset = e_add(&f->e, acc->offset, digit_terms(f, &f->kernel->access[i], axis, coord));
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

/* ---- Chunks ------------------------------------------------------------------------------------------------------------- */

/* Coordinates of the leading task axes from their joint number. */
static void set_leading(fx_frame *f, LLVMValueRef row)
{
    const fx_sched *sched = &f->kernel->sched;
    for (int i = sched->n_task - 2; i >= 0; i--) {
        uint8_t axis = sched->task[i];
        LLVMValueRef at = i == 0 ? row : e_floormod(&f->e, row, f->extent[axis]);
        if (i > 0) row = e_floordiv(&f->e, row, f->extent[axis]);
        f->begin[axis] = at;
        f->end[axis] = e_add(&f->e, at, e_i64(&f->e, 1));
        f->point[axis] = true;
    }
}

static void begin_rows(fx_frame *f, fx_chunks *chunks, LLVMValueRef from, LLVMValueRef to)
{
    fx_e *e = &f->e;
    const fx_sched *sched = &f->kernel->sched;
    uint8_t last = sched->task[sched->n_task - 1];
    LLVMValueRef width = f->extent[last];
    chunks->has_row = sched->n_task > 1;
    if (!chunks->has_row) {
        f->begin[last] = from;
        f->end[last] = to;
        return;
    }
    chunks->row = e_loop_begin(e, "row", e_floordiv(e, from, width), e_ceildiv(e, to, width), 1, 0, NULL);
    LLVMValueRef first = e_mul(e, chunks->row.index, width);
    f->begin[last] = e_max(e, e_sub(e, from, first), e_i64(e, 0));
    f->end[last] = e_min(e, e_sub(e, to, first), width);
    set_leading(f, chunks->row.index);
}

void fx__frame_chunks_begin(fx_frame *f, fx_chunks *chunks, bool merged)
{
    fx_e *e = &f->e;
    *chunks = (fx_chunks){0};
    if (f->kernel->sched.n_task == 0) {
        chunks->once = e_if_begin(e, "once", e_icmp(e, LLVMIntSLT, f->lo, f->hi));
        return;
    }
    LLVMValueRef grain = e_i64(e, grain_of(f->kernel)), points = task_points(e, f->kernel, f->extent);
    LLVMValueRef lo = f->lo, hi = f->hi;
    if (merged) {
        chunks->once = e_if_begin(e, "once", e_icmp(e, LLVMIntSLT, lo, hi)); /* an empty range must not divide by an extent 0 */
    } else {
        chunks->chunk = e_loop_begin(e, "chunk", lo, hi, 1, 0, NULL);
        lo = chunks->chunk.index;
        hi = e_add(e, lo, e_i64(e, 1));
    }
    begin_rows(f, chunks, e_mul(e, lo, grain), e_min(e, e_mul(e, hi, grain), points));
}

void fx__frame_chunks_end(fx_frame *f, fx_chunks *chunks)
{
    const fx_sched *sched = &f->kernel->sched;
    if (chunks->has_row) e_loop_end(&f->e, &chunks->row, NULL);
    if (chunks->chunk.body)
        e_loop_end(&f->e, &chunks->chunk, NULL);
    else
        e_if_end(&f->e, &chunks->once);
    for (int i = 0; i < sched->n_task; i++) {
        f->begin[sched->task[i]] = e_i64(&f->e, 0);
        f->end[sched->task[i]] = f->extent[sched->task[i]];
        f->point[sched->task[i]] = false;
    }
}
