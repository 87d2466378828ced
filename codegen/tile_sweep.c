/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile_sweep.c: the micro-kernel. Loops over reduced axes carry height x vectors accumulators; in the innermost body every
 * operand is loaded once: along the vector axis as vectors, else as one scalar that all lanes share. */
#include "codegen/tile.h"

/* Pointers of a sweep's streams at one level of the nest. */
typedef struct tile_ptrs {
    LLVMValueRef base[TILE_STREAMS]; /* of row 0 */
    LLVMValueRef row[TILE_ROWS];     /* split: of every row of the guarded stream, chosen at run time */
    LLVMValueRef made;               /* row of the panel that this tile makes */
    bool split;
} tile_ptrs;

typedef struct tile_nest {
    fx_tile *t;
    const fx_tile_sweep *sweep;
    const fx_kstage *stage;
    bool general; /* some load goes through the frame */
} tile_nest;

static fx_e *emitter(const tile_nest *nest)
{
    return &nest->t->f->e;
}

static const fx_arg *stream_arg(const tile_nest *nest, int s)
{
    const fx_kernel *kernel = nest->t->f->kernel;
    return &kernel->arg[kernel->access[nest->sweep->stream[s].access].arg];
}

/* ---- Panels in scratch: elements are accumulators ------------------------------------------------------------------------- */

static bool from_panel(const tile_nest *nest, int s)
{
    return nest->t->pack == TILE_READS_PANEL && fx__tile_is_panel(&nest->sweep->stream[s]);
}

static LLVMTypeRef stream_type(const tile_nest *nest, int s)
{
    return from_panel(nest, s) ? e_type(emitter(nest), nest->stage->acc) : e_mem_type(emitter(nest), stream_arg(nest, s)->dtype);
}

/* Elements between the panel's rows of neighbouring steps of a loop. */
static LLVMValueRef panel_stride(const tile_nest *nest, const fx_tile_loop *loop)
{
    const fx_tile *t = nest->t;
    LLVMValueRef stride = e_i64(emitter(nest), (int64_t)t->f->kernel->sched.nv * t->lanes);
    for (const fx_tile_loop *inner = loop + 1; inner < nest->sweep->loop + nest->sweep->n_loop; inner++)
        stride = e_mul(emitter(nest), stride, fx__frame_dim(t->f, inner->extent));
    return stride;
}

static LLVMValueRef panel_at(const tile_nest *nest, LLVMValueRef panel, LLVMValueRef elements)
{
    return e_at(emitter(nest), e_type(emitter(nest), nest->stage->acc), panel, elements);
}

/* ---- Pointers ------------------------------------------------------------------------------------------------------------- */

/* Not inbounds: where a guard clips the loops, a pointer to row -1 is made and not used. */
static LLVMValueRef step(const tile_nest *nest, int s, LLVMValueRef ptr, LLVMValueRef elements)
{
    int64_t known;
    if (e_const(elements, &known) && known == 0) return ptr;
    return LLVMBuildGEP2(emitter(nest)->builder, stream_type(nest, s), ptr, &elements, 1, "");
}

static LLVMValueRef times(const tile_nest *nest, int64_t count, fx_dim stride)
{
    return e_mul(emitter(nest), e_i64(emitter(nest), count), fx__frame_dim(nest->t->f, stride));
}

static tile_ptrs first_ptrs(const tile_nest *nest)
{
    const fx_frame *f = nest->t->f;
    tile_ptrs ptrs = {.made = nest->t->scratch_panel};
    for (int s = 0; s < nest->sweep->n_stream; s++) {
        if (nest->sweep->stream[s].general) continue;
        const fx_access *access = &f->kernel->access[nest->sweep->stream[s].access];
        ptrs.base[s] = from_panel(nest, s) ? nest->t->scratch_panel
                                           : step(nest, s, f->arg[access->arg], f->acc[nest->sweep->stream[s].access].offset);
    }
    return ptrs;
}

static tile_ptrs advance(const tile_nest *nest, const tile_ptrs *ptrs, const fx_tile_loop *loop, LLVMValueRef index)
{
    tile_ptrs next = *ptrs;
    for (int s = 0; s < nest->sweep->n_stream; s++) {
        if (nest->sweep->stream[s].general) continue;
        LLVMValueRef stride = from_panel(nest, s) ? panel_stride(nest, loop) : fx__frame_dim(nest->t->f, loop->stride[s]);
        LLVMValueRef by = e_mul(emitter(nest), index, stride);
        next.base[s] = step(nest, s, next.base[s], by);
        if (!ptrs->split || s != nest->sweep->guard_stream) continue;
        for (int r = 0; r < nest->t->height; r++) next.row[r] = step(nest, s, next.row[r], by);
    }
    if (nest->t->pack == TILE_MAKES_PANEL)
        next.made = panel_at(nest, next.made, e_mul(emitter(nest), index, panel_stride(nest, loop)));
    return next;
}

/* ---- Innermost body ------------------------------------------------------------------------------------------------------ */

static LLVMValueRef row_ptr(const tile_nest *nest, const tile_ptrs *ptrs, int s, int r)
{
    if (ptrs->split && s == nest->sweep->guard_stream) return ptrs->row[r];
    return step(nest, s, ptrs->base[s], times(nest, r, nest->sweep->stream[s].row));
}

static LLVMValueRef to_acc(const tile_nest *nest, int s, LLVMValueRef value)
{
    fx_e *e = emitter(nest);
    return e_splat(e, fx__math_cast(e, stream_arg(nest, s)->dtype, nest->stage->acc, value), nest->t->lanes);
}

static LLVMValueRef plain_value(const tile_nest *nest, const tile_ptrs *ptrs, int s, int r, int j)
{
    const fx_tile *t = nest->t;
    fx_e *e = emitter(nest);
    const fx_tile_stream *stream = &nest->sweep->stream[s];
    bool vector = stream->vec != 0 && t->lanes > 1;
    LLVMValueRef ptr = step(nest, s, row_ptr(nest, ptrs, s, r), times(nest, (int64_t)j * t->lanes, stream->vec));
    LLVMTypeRef type = e_vec(e_mem_type(e, stream_arg(nest, s)->dtype), vector ? t->lanes : 1);
    bool whole = !vector || !t->mask[j];
    return to_acc(nest, s,
                  fx__math_unpack(e, stream_arg(nest, s)->dtype,
                                  whole ? e_load(e, type, ptr) : e_load_masked(e, type, ptr, t->mask[j], NULL)));
}

/* Through the frame, at full coordinates: any index, any guard. */
static LLVMValueRef general_value(const tile_nest *nest, int s, int r, int j)
{
    fx_tile *t = nest->t;
    const fx_tile_stream *stream = &nest->sweep->stream[s];
    return to_acc(nest, s, fx__tile_load(t, stream->stage, stream->expr, r, j));
}

static LLVMValueRef stream_value(const tile_nest *nest, const tile_ptrs *ptrs, int s, int r, int j)
{
    if (from_panel(nest, s)) {
        LLVMTypeRef type = e_vec(stream_type(nest, s), nest->t->lanes);
        return e_load(emitter(nest), type, panel_at(nest, ptrs->base[s], e_i64(emitter(nest), (int64_t)j * nest->t->lanes)));
    }
    return nest->sweep->stream[s].general ? general_value(nest, s, r, j) : plain_value(nest, ptrs, s, r, j);
}

/* A stream's values for one row; what does not move is loaded once. */
static void load_row(const tile_nest *nest, const tile_ptrs *ptrs, int s, int r, LLVMValueRef out[TILE_VECS])
{
    const fx_tile_stream *stream = &nest->sweep->stream[s];
    for (int j = 0; j < nest->t->n_vec; j++)
        out[j] = j > 0 && !stream->general && stream->vec == 0 ? out[0] : stream_value(nest, ptrs, s, r, j);
}

static void make_panel_row(const tile_nest *nest, const tile_ptrs *ptrs, LLVMValueRef value[TILE_VECS])
{
    for (int j = 0; j < nest->t->n_vec; j++)
        e_store(emitter(nest), value[j], panel_at(nest, ptrs->made, e_i64(emitter(nest), (int64_t)j * nest->t->lanes)));
}

static void multiply_row(const tile_nest *nest, int r, LLVMValueRef value[TILE_STREAMS][TILE_VECS])
{
    fx_tile *t = nest->t;
    for (int c = 0; c < nest->sweep->n_stage; c++) {
        const LLVMValueRef *a = value[nest->sweep->operand[c][0]], *b = value[nest->sweep->operand[c][1]];
        for (int j = 0; j < t->n_vec; j++) {
            LLVMValueRef *acc = &t->acc[fx__tile_acc(t, c, r, j)];
            *acc = e_is_float(*acc)
                       ? e_fma(emitter(nest), a[j], b[j], *acc)
                       : LLVMBuildAdd(emitter(nest)->builder, *acc, LLVMBuildMul(emitter(nest)->builder, a[j], b[j], ""), "");
        }
    }
}

static void emit_body(const tile_nest *nest, const tile_ptrs *ptrs, int r0, int r1)
{
    LLVMValueRef value[TILE_STREAMS][TILE_VECS];
    const fx_tile_sweep *sweep = nest->sweep;
    for (int s = 0; s < sweep->n_stream; s++) {
        if (sweep->stream[s].general || sweep->stream[s].row != 0) continue;
        load_row(nest, ptrs, s, 0, value[s]);
        if (nest->t->pack == TILE_MAKES_PANEL && fx__tile_is_panel(&sweep->stream[s])) make_panel_row(nest, ptrs, value[s]);
    }
    for (int r = r0; r < r1; r++) {
        for (int s = 0; s < sweep->n_stream; s++)
            if (sweep->stream[s].general || sweep->stream[s].row != 0) load_row(nest, ptrs, s, r, value[s]);
        multiply_row(nest, r, value);
    }
}

/* ---- Guards --------------------------------------------------------------------------------------------------------------- */

/* [*lo, *hi) of one clip: 0 <= rest + coef * k < extent. */
static void clip_range(const tile_nest *nest, const fx_tile_clip *clip, LLVMValueRef *lo, LLVMValueRef *hi)
{
    fx_frame *f = nest->t->f;
    fx_e *e = &f->e;
    const fx_access *access = &f->kernel->access[nest->sweep->stream[clip->stream].access];
    uint8_t axis = clip->point ? FX_NO_AXIS : nest->stage->red[clip->red];
    LLVMValueRef rest, extent = fx__index_arg_dim(f, access, clip->dim), zero = e_i64(e, 0);
    int64_t coef;
    if (!fx__index_split(f, access, clip->dim, axis, &rest, &coef)) {
        fx__frame_refuse(f, "a guard moves with an unknown axis");
        return;
    }
    if (clip->point) {
        LLVMValueRef inside = e_icmp(e, LLVMIntULT, rest, extent);
        *hi = e_select(e, inside, *hi, zero);
        return;
    }
    LLVMValueRef below = e_sub(e, zero, rest), last = e_sub(e, e_sub(e, extent, e_i64(e, 1)), rest); /* below <= coef * k <= last */
    LLVMValueRef width = e_i64(e, coef < 0 ? -coef : coef);
    LLVMValueRef from = coef > 0 ? e_ceildiv(e, below, width) : e_ceildiv(e, e_sub(e, zero, last), width);
    LLVMValueRef to = coef > 0 ? e_floordiv(e, last, width) : e_floordiv(e, rest, width);
    *lo = e_max(e, *lo, from);
    *hi = e_min(e, *hi, e_add(e, to, e_i64(e, 1)));
}

/* Pointers of rows outside go to zeros; the others to their rows. */
static void choose_rows(const tile_nest *nest, tile_ptrs *ptrs)
{
    fx_frame *f = nest->t->f;
    fx_e *e = &f->e;
    int s = nest->sweep->guard_stream, d = nest->sweep->guard_dim;
    const fx_access *access = &f->kernel->access[nest->sweep->stream[s].access];
    LLVMValueRef rest, extent = fx__index_arg_dim(f, access, d), row0 = f->coord[nest->t->row];
    int64_t coef;
    if (!fx__index_split(f, access, d, (uint8_t)nest->t->row, &rest, &coef)) {
        fx__frame_refuse(f, "a guard moves with an unknown axis");
        return;
    }
    for (int r = 0; r < nest->t->height; r++) {
        LLVMValueRef row = e_add(e, row0, e_i64(e, r)), at = e_add(e, rest, e_mul(e, row, e_i64(e, coef)));
        ptrs->row[r] = e_select(e, e_icmp(e, LLVMIntULT, at, extent), row_ptr(nest, ptrs, s, r), nest->t->zeros);
    }
    ptrs->split = true;
}

/* ---- Nest ----------------------------------------------------------------------------------------------------------------- */

static void emit_level(const tile_nest *nest, int level, const tile_ptrs *ptrs, int r0, int r1);

/* The accumulators of rows [r0, r1), packed for a loop to carry, and back. */
static int pack(const tile_nest *nest, int r0, int r1, LLVMValueRef *out)
{
    const fx_tile *t = nest->t;
    int n = 0;
    for (int c = 0; c < nest->sweep->n_stage; c++)
        for (int r = r0; r < r1; r++)
            for (int j = 0; j < t->n_vec; j++) out[n++] = t->acc[fx__tile_acc(t, c, r, j)];
    return n;
}

static void unpack(const tile_nest *nest, int r0, int r1, const LLVMValueRef *in)
{
    fx_tile *t = nest->t;
    int n = 0;
    for (int c = 0; c < nest->sweep->n_stage; c++)
        for (int r = r0; r < r1; r++)
            for (int j = 0; j < t->n_vec; j++) t->acc[fx__tile_acc(t, c, r, j)] = in[n++];
}

/* One step of a loop: the levels below, at the loop's index; ptrs are there already. */
static void emit_step(const tile_nest *nest, int level, const tile_ptrs *ptrs, LLVMValueRef index, int r0, int r1)
{
    fx_frame *f = nest->t->f;
    const fx_tile_loop *loop = &nest->sweep->loop[level];
    uint8_t axis = nest->stage->red[loop->red];
    tile_ptrs here = *ptrs;
    bool enters = nest->general && loop->n_red == 1;
    LLVMValueRef *saved = enters ? fx__frame_enter(f, axis, index) : NULL;
    f->coord[axis] = index; /* guards ask for it */
    if (nest->sweep->row_guard && !nest->sweep->row_guard_static && nest->sweep->guard_red == loop->red) choose_rows(nest, &here);
    emit_level(nest, level + 1, &here, r0, r1);
    if (enters) fx__frame_leave(f, axis, saved);
    f->coord[axis] = NULL;
}

/* `steps` steps from index on, and the prefetches that go with them. */
static void emit_turn(const tile_nest *nest, int level, const tile_ptrs *ptrs, LLVMValueRef index, int steps, int r0, int r1)
{
    fx_e *e = emitter(nest);
    const fx_tile_sweep *sweep = nest->sweep;
    const fx_tile_loop *loop = &sweep->loop[level];
    tile_ptrs first = advance(nest, ptrs, loop, index);
    for (int i = 0; i < steps; i++) {
        tile_ptrs here = i > 0 ? advance(nest, &first, loop, e_i64(e, i)) : first;
        emit_step(nest, level, &here, e_add(e, index, e_i64(e, i)), r0, r1);
    }
    for (int s = 0; s < sweep->n_stream && level + 1 == sweep->n_loop; s++)
        fx__tile_fetch(nest->t, &sweep->stream[s], loop, ptrs->base[s], index, steps);
}

/* Turns of `steps` steps over [lo, hi), whose length is a multiple of it. */
static void emit_turns(const tile_nest *nest, int level, const tile_ptrs *ptrs, LLVMValueRef lo, LLVMValueRef hi, int steps, int r0,
                       int r1)
{
    fx_e *e = emitter(nest);
    LLVMValueRef carry[E_CARRY];
    int64_t from, to;
    if (e_const(lo, &from) && e_const(hi, &to) && to - from <= steps) {
        if (to > from) emit_turn(nest, level, ptrs, lo, steps, r0, r1);
        return;
    }
    int n = pack(nest, r0, r1, carry);
    const char *name = nest->t->f->kernel->axis[nest->stage->red[nest->sweep->loop[level].red]].name;
    fx_loop loop = e_loop_begin(e, name, lo, hi, steps, n, carry);
    unpack(nest, r0, r1, loop.carry);
    emit_turn(nest, level, ptrs, loop.index, steps, r0, r1);
    pack(nest, r0, r1, carry);
    e_loop_end(e, &loop, carry);
    unpack(nest, r0, r1, loop.carry);
}

/* The innermost loop takes sched.unroll steps in a turn, then what is left one by one. lo and hi are multiples of the loop's span.
 */
static void emit_range(const tile_nest *nest, int level, const tile_ptrs *ptrs, LLVMValueRef lo, LLVMValueRef hi, int r0, int r1)
{
    fx_e *e = emitter(nest);
    int unroll = level + 1 == nest->sweep->n_loop ? nest->t->f->kernel->sched.unroll : 1;
    fx_dim span = nest->sweep->loop[level].span;
    LLVMValueRef full = hi;
    if (unroll > 1 && !(fx_dim_is_const(span) && span % unroll == 0)) {
        LLVMValueRef turns = e_floordiv(e, e_max(e, e_sub(e, hi, lo), e_i64(e, 0)), e_i64(e, unroll));
        full = e_add(e, lo, e_mul(e, turns, e_i64(e, unroll)));
    }
    emit_turns(nest, level, ptrs, lo, full, unroll > 1 ? unroll : 1, r0, r1);
    if (full != hi) emit_turns(nest, level, ptrs, full, hi, 1, r0, r1);
}

/* Every guard that clips this loop; a row guard's runs may have the same loop. */
static void clip_loop(const tile_nest *nest, int level, LLVMValueRef *lo, LLVMValueRef *hi)
{
    const fx_tile_sweep *sweep = nest->sweep;
    for (int c = 0; c < sweep->n_clip; c++)
        if (sweep->clip[c].red == sweep->loop[level].red) clip_range(nest, &sweep->clip[c], lo, hi);
}

/* Border tiles: runs of the guard's axis, each with its rows. */
static void emit_runs(const tile_nest *nest, int level, const tile_ptrs *ptrs)
{
    fx_e *e = emitter(nest);
    const fx_tile_class *cls = nest->t->cls;
    for (int i = 0; i < cls->n_run; i++) {
        const fx_tile_run *run = &cls->run[i];
        LLVMValueRef span = fx__frame_dim(nest->t->f, nest->sweep->loop[level].span);
        LLVMValueRef lo = e_i64(e, run->k0), hi = e_i64(e, run->k1);
        clip_loop(nest, level, &lo, &hi);
        emit_range(nest, level, ptrs, e_mul(e, lo, span), e_mul(e, hi, span), run->r0, run->r1);
    }
}

/* A class that this sweep's guard made and that leaves some rows outside. */
static bool at_border(const tile_nest *nest)
{
    return nest->sweep->row_guard_static && nest->t->cls && nest->t->cls->n_run >= 0;
}

static void emit_level(const tile_nest *nest, int level, const tile_ptrs *ptrs, int r0, int r1)
{
    const fx_tile_sweep *sweep = nest->sweep;
    if (level == sweep->n_loop) {
        emit_body(nest, ptrs, r0, r1);
        return;
    }
    const fx_tile_loop *loop = &sweep->loop[level];
    if (at_border(nest) && loop->red == sweep->guard_red) {
        emit_runs(nest, level, ptrs);
        return;
    }
    fx_e *e = emitter(nest);
    uint8_t axis = nest->stage->red[loop->red];
    LLVMValueRef lo = e_i64(e, 0), hi = fx__frame_dim(nest->t->f, nest->t->f->kernel->axis[axis].extent);
    LLVMValueRef span = fx__frame_dim(nest->t->f, loop->span);
    clip_loop(nest, level, &lo, &hi);
    emit_range(nest, level, ptrs, e_mul(e, lo, span), e_mul(e, hi, span), r0, r1);
}

void fx__tile_emit_sweep(fx_tile *tile, const fx_tile_sweep *sweep)
{
    tile_nest nest = {.t = tile, .sweep = sweep, .stage = &tile->f->kernel->stage[sweep->stage[0]]};
    LLVMValueRef zero = LLVMConstNull(e_vec(e_type(&tile->f->e, nest.stage->acc), tile->lanes));
    for (int s = 0; s < sweep->n_stream; s++) nest.general = nest.general || sweep->stream[s].general;
    tile_ptrs ptrs = first_ptrs(&nest);
    int r0 = 0, r1 = tile->height;
    for (int i = 0; i < sweep->n_stage * tile->height * tile->n_vec; i++) tile->acc[i] = zero;
    if (sweep->row_guard && sweep->guard_red < 0) {
        if (at_border(&nest)) {
            r0 = tile->cls->n_run ? tile->cls->run[0].r0 : 0;
            r1 = tile->cls->n_run ? tile->cls->run[0].r1 : 0;
        } else if (!sweep->row_guard_static) {
            choose_rows(&nest, &ptrs);
        }
    }
    if (r0 < r1) emit_level(&nest, 0, &ptrs, r0, r1);
}
