/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile.c: kernels that hold a CONTRACT. Around a register tile of mr rows by nv vectors run the loops of sched.order; each
 * tile is a sweep over the reduced axes and, on its registers, the MAP stages that follow. Static row extents are cut into two
 * adjacent heights with a body each; for a symbolic one a switch chooses among bodies of 1 to mr rows. */
#include "codegen/tile.h"
#include "ir/diag.h"

typedef struct tile_job {
    fx_tile t;
    fx_tile_sweep sweep[TILE_CONTRACTS];
    int n_sweep;
    fx_tile_rows rows;
    bool rows_known;               /* static row extent */
    LLVMValueRef begin, end;       /* tiles of the row axis in this call */
    LLVMValueRef block, block_end; /* panels of this block, to be looped over before the vector axis; NULL: none are due */
    bool blocks_strips, packs;     /* without panels, blocks of strips of the vector axis; and panels made of these in scratch */
    LLVMValueRef strips;           /* first column of this block of strips; NULL: not inside one */
} tile_job;

/* ---- Plan ----------------------------------------------------------------------------------------------------------------- */

/* Memory for rows outside to point to. */
static void make_zeros(tile_job *job, const fx_tile_sweep *sweep)
{
    fx_e *e = &job->t.f->e;
    int64_t span = fx__tile_zero_span(job->t.f->kernel, sweep);
    const fx_kernel *kernel = job->t.f->kernel;
    fx_dtype dtype = kernel->arg[kernel->access[sweep->stream[sweep->guard_stream].access].arg].dtype;
    LLVMTypeRef type = LLVMArrayType2(e_mem_type(e, dtype), (uint64_t)span);
    job->t.zeros = e_alloca(e, type, "zeros");
    LLVMBuildMemSet(e->builder, job->t.zeros, LLVMConstNull(e->ty_i8), e_i64(e, span * (int64_t)fx_dtype_bytes(dtype)), 64);
}

static bool plan(tile_job *job)
{
    const fx_frame *f = job->t.f;
    const fx_kernel *kernel = f->kernel;
    fx_tile_rows *rows = job->rows_known ? &job->rows : NULL;
    for (int s = 0; s < kernel->n_stage; s++) {
        if (kernel->stage[s].kind == FX_STAGE_REDUCE || kernel->stage[s].n_inner > 0) return false;
        if (kernel->stage[s].kind == FX_STAGE_MAP) continue;
        if (job->n_sweep == TILE_CONTRACTS) return false;
        fx_tile_sweep *sweep = &job->sweep[job->n_sweep++];
        if (!fx__tile_plan_sweep(f->program, kernel, s, job->t.row, job->t.vec, rows, sweep)) return false;
        s += sweep->n_stage - 1;
        if (sweep->row_guard) rows = NULL; /* one set of classes: a second guard is left to run time */
    }
    return job->n_sweep > 0;
}

/* ---- One tile ------------------------------------------------------------------------------------------------------------- */

static void emit_tile(tile_job *job)
{
    fx_tile *t = &job->t;
    const fx_kernel *kernel = t->f->kernel;
    int next = 0;
    fx__tile_begin(t);
    for (int s = 0; s < kernel->n_stage; s++) {
        if (kernel->stage[s].kind == FX_STAGE_MAP) {
            fx__tile_emit_map(t, s);
            continue;
        }
        const fx_tile_sweep *sweep = &job->sweep[next++];
        fx__tile_emit_sweep(t, sweep);
        fx__tile_keep(t, sweep);
        s += sweep->n_stage - 1;
    }
}

/* ---- Loops ---------------------------------------------------------------------------------------------------------------- */

static void emit_axes(tile_job *job, int level);

/* One tile; `next` is the place in the order behind it. */
static void emit_rows_at(tile_job *job, int next, LLVMValueRef tile, LLVMValueRef row, int height)
{
    job->t.number = e_sub(&job->t.f->e, tile, job->begin);
    LLVMValueRef *saved = fx__frame_enter(job->t.f, (uint8_t)job->t.row, row);
    job->t.height = height;
    emit_axes(job, next);
    fx__frame_leave(job->t.f, (uint8_t)job->t.row, saved);
}

static void emit_class(tile_job *job, int next, const fx_tile_class *cls)
{
    fx_e *e = &job->t.f->e;
    LLVMValueRef first = e_i64(e, cls->first), last = e_i64(e, cls->first + cls->count);
    LLVMValueRef begin = e_max(e, job->begin, first);
    job->t.cls = cls;
    if (job->packs && cls->first == 0) { /* rows are no task: the first tile of all is here */
        job->t.pack = TILE_MAKES_PANEL;
        emit_rows_at(job, next, begin, e_i64(e, cls->row), cls->height);
        begin = e_add(e, begin, e_i64(e, 1));
        job->t.pack = TILE_READS_PANEL;
    }
    fx_loop loop = e_loop_begin(e, "tile", begin, e_min(e, job->end, last), 1, 0, NULL);
    LLVMValueRef row = e_add(e, e_i64(e, cls->row), e_mul(e, e_sub(e, loop.index, first), e_i64(e, cls->height)));
    emit_rows_at(job, next, loop.index, row, cls->height);
    e_loop_end(e, &loop, NULL);
    job->t.cls = NULL;
}

static LLVMValueRef tile_count(const tile_job *job)
{
    fx_frame *f = job->t.f;
    if (job->rows_known) return e_i64(&f->e, job->rows.tiles);
    return e_ceildiv(&f->e, f->extent[job->t.row], e_i64(&f->e, f->kernel->sched.mr));
}

/* A symbolic extent: heights low + 1 and low of the same even split, known at run time. */
static void emit_symbolic_rows(tile_job *job, int next)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    int mr = f->kernel->sched.mr;
    fx_if any = e_if_begin(e, "rows", e_icmp(e, LLVMIntSLT, job->begin, job->end)); /* no rows: no tiles to divide by */
    LLVMValueRef rows = f->extent[job->t.row], tiles = tile_count(job);
    LLVMValueRef low = LLVMBuildUDiv(e->builder, rows, tiles, "low"), more = e_sub(e, rows, e_mul(e, low, tiles));
    fx_loop loop = e_loop_begin(e, "tile", job->begin, job->end, 1, 0, NULL);
    LLVMValueRef row = e_add(e, e_mul(e, loop.index, low), e_min(e, loop.index, more));
    LLVMValueRef taller = LLVMBuildZExt(e->builder, e_icmp(e, LLVMIntSLT, loop.index, more), e->ty_i64, "");
    LLVMBasicBlockRef never = e_block(e, "never"), done = e_block(e, "tile.done");
    LLVMValueRef choice = LLVMBuildSwitch(e->builder, e_add(e, low, taller), never, (unsigned)mr);
    for (int height = 1; height <= mr; height++) {
        LLVMBasicBlockRef body = e_block(e, "rows%d", height);
        LLVMAddCase(choice, e_i64(e, height), body);
        e_put(e, body);
        emit_rows_at(job, next, loop.index, row, height);
        e_goto(e, done);
    }
    e_put(e, never);
    LLVMBuildUnreachable(e->builder);
    e_put(e, done);
    e_loop_end(e, &loop, NULL);
    e_if_end(e, &any);
}

static void emit_tiles(tile_job *job, int next)
{
    if (!job->rows_known) {
        emit_symbolic_rows(job, next);
        return;
    }
    for (int c = 0; c < job->rows.n_class; c++) emit_class(job, next, &job->rows.cls[c]);
}

/* Blocks of panels; those of a block are looped over further inside, so that each tile of rows meets all of them in cache. */
static void emit_blocks(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    LLVMValueRef end = f->end[job->t.panel];
    fx_loop loop = e_loop_begin(e, "block", f->begin[job->t.panel], end, f->kernel->sched.block, 0, NULL);
    job->block = loop.index;
    job->block_end = e_min(e, e_add(e, loop.index, e_i64(e, f->kernel->sched.block)), end);
    emit_axes(job, level + 1);
    job->block = NULL;
    e_loop_end(e, &loop, NULL);
}

static void emit_panels(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    LLVMValueRef block = job->block;
    fx_loop loop = e_loop_begin(e, f->kernel->axis[job->t.panel].name, block, job->block_end, 1, 0, NULL);
    LLVMValueRef *saved = fx__frame_enter(f, (uint8_t)job->t.panel, loop.index);
    job->t.in_block = e_sub(e, loop.index, block);
    job->block = NULL;
    emit_axes(job, level);
    job->block = block;
    fx__frame_leave(f, (uint8_t)job->t.panel, saved);
    e_loop_end(e, &loop, NULL);
}

/* Without an axis of panels: blocks of the vector axis's strips. */
static void emit_strips(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    int vec = job->t.vec;
    LLVMValueRef begin = f->begin[vec], end = f->end[vec];
    int64_t columns = (int64_t)job->t.lanes * f->kernel->sched.nv * f->kernel->sched.block;
    fx_loop loop = e_loop_begin(e, "block", begin, end, columns, 0, NULL);
    f->begin[vec] = job->strips = loop.index;
    f->end[vec] = e_min(e, e_add(e, loop.index, e_i64(e, columns)), end);
    emit_axes(job, level);
    job->strips = NULL;
    e_loop_end(e, &loop, NULL);
    f->begin[vec] = begin;
    f->end[vec] = end;
}

static void emit_row_axis(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    const fx_sched *sched = &f->kernel->sched;
    job->begin = e_i64(&f->e, 0);
    job->end = tile_count(job);
    for (int i = 0; i < sched->n_task; i++) {
        if (sched->task[i] != job->t.row) continue;
        job->begin = f->begin[job->t.row];
        job->end = f->end[job->t.row];
    }
    emit_tiles(job, level + 1);
}

/* The strip's place in its block, and its panel in scratch. */
static void enter_strip(tile_job *job, LLVMValueRef column)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    const fx_kernel *kernel = f->kernel;
    int64_t width = (int64_t)job->t.lanes * kernel->sched.nv, row_bytes = width * (int64_t)fx_dtype_bytes(kernel->stage[0].acc);
    job->t.in_block = e_floordiv(e, e_sub(e, column, job->strips), e_i64(e, width));
    if (!job->packs) return;
    LLVMValueRef panels = e_at_bytes(e, f->scratch, e_i64(e, fx__kernel_local_offset(f->program, kernel, kernel->n_arg)));
    job->t.scratch_panel = e_at_bytes(e, panels, e_mul(e, job->t.in_block, e_i64(e, row_bytes * fx__sched_panel_rows(kernel))));
}

/* Vectors from a column on; columns: how many are left there (constant or not), NULL: enough for all. */
static void emit_vecs_at(tile_job *job, int level, LLVMValueRef column, int n_vec, LLVMValueRef columns)
{
    fx_tile *t = &job->t;
    LLVMValueRef *saved = fx__frame_enter(t->f, (uint8_t)t->vec, column);
    int64_t known;
    t->n_vec = n_vec;
    if (job->strips) enter_strip(job, column);
    for (int j = 0; j < n_vec; j++) {
        bool full = !columns || (e_const(columns, &known) && known >= (int64_t)(j + 1) * t->lanes);
        LLVMValueRef left = columns ? e_sub(&t->f->e, columns, e_i64(&t->f->e, (int64_t)j * t->lanes)) : NULL;
        t->mask[j] = full ? NULL : e_mask_first(&t->f->e, t->lanes, left);
    }
    emit_axes(job, level + 1);
    fx__frame_leave(t->f, (uint8_t)t->vec, saved);
}

/* Full tiles, then one narrower tile whose last vector is masked. */
static void emit_static_vecs(tile_job *job, int level, int64_t extent)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    int64_t step = (int64_t)job->t.lanes * f->kernel->sched.nv, full = extent / step * step, rest = extent - full;
    LLVMValueRef begin = f->begin[job->t.vec], end = f->end[job->t.vec];
    int64_t from;
    if (full == step && rest == 0 && e_const(begin, &from) && from == 0) { /* a panel's width */
        emit_vecs_at(job, level, begin, f->kernel->sched.nv, NULL);
        return;
    }
    if (full > 0) {
        fx_loop loop = e_loop_begin(e, f->kernel->axis[job->t.vec].name, begin, e_min(e, end, e_i64(e, full)), step, 0, NULL);
        emit_vecs_at(job, level, loop.index, f->kernel->sched.nv, NULL);
        e_loop_end(e, &loop, NULL);
    }
    if (rest > 0) {
        fx_if last = e_if_begin(e, "narrow", e_icmp(e, LLVMIntSGT, end, e_i64(e, full)));
        emit_vecs_at(job, level, e_i64(e, full), (int)((rest + job->t.lanes - 1) / job->t.lanes), e_i64(e, rest));
        e_if_end(e, &last);
    }
}

static void emit_symbolic_vecs(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    fx_e *e = &f->e;
    int vec = job->t.vec;
    int64_t step = (int64_t)job->t.lanes * f->kernel->sched.nv;
    fx_loop loop = e_loop_begin(e, f->kernel->axis[vec].name, f->begin[vec], f->end[vec], step, 0, NULL);
    emit_vecs_at(job, level, loop.index, f->kernel->sched.nv, e_sub(e, f->extent[vec], loop.index));
    e_loop_end(e, &loop, NULL);
}

static void emit_plain(tile_job *job, int level)
{
    fx_axis_loop loop;
    fx__frame_axis_begin(job->t.f, &loop, job->t.f->order[level], 1, 0, NULL);
    emit_axes(job, level + 1);
    fx__frame_axis_end(job->t.f, &loop, NULL);
}

static void emit_axes(tile_job *job, int level)
{
    fx_frame *f = job->t.f;
    int axis = level < f->n_order ? f->order[level] : -1;
    int64_t extent;
    if (job->block && (level == f->n_order || axis == job->t.vec))
        emit_panels(job, level);
    else if (level == f->n_order)
        emit_tile(job);
    else if (f->kernel->sched.block > 0 && axis == job->t.panel)
        emit_blocks(job, level);
    else if (axis == job->t.row && job->blocks_strips && !job->strips)
        emit_strips(job, level);
    else if (axis == job->t.row)
        emit_row_axis(job, level);
    else if (axis == job->t.vec)
        e_const(f->extent[axis], &extent) ? emit_static_vecs(job, level, extent) : emit_symbolic_vecs(job, level);
    else
        emit_plain(job, level);
}

/* Axes of f->order before the first that the tile itself steps over. */
static int plain_axes(const tile_job *job)
{
    const fx_frame *f = job->t.f;
    int n = 0;
    while (n < f->n_order && f->order[n] != job->t.row && f->order[n] != job->t.vec) {
        if (f->kernel->sched.block > 0 && f->order[n] == job->t.panel) break;
        n++;
    }
    return n;
}

/* Strips may run in blocks when nothing runs between the tiles of rows and them. */
static bool may_block_strips(const tile_job *job)
{
    const fx_frame *f = job->t.f;
    int n = f->n_order;
    return f->kernel->sched.block > 0 && job->t.panel < 0 && n >= 2 && job->t.row >= 0 && f->order[n - 2] == job->t.row &&
           f->order[n - 1] == job->t.vec;
}

/* Panels are made whole by the first tile of rows, which must be known here, without a guard that leaves out steps. */
static bool may_pack(const tile_job *job)
{
    const fx_tile_sweep *sweep = &job->sweep[0];
    bool found = false;
    if (job->n_sweep != 1 || sweep->n_stage != 1 || sweep->row_guard || sweep->n_clip > 0 || !job->rows_known) return false;
    for (int s = 0; s < sweep->n_stream; s++) found = found || fx__tile_is_panel(&sweep->stream[s]);
    return found;
}

static int axis_or_none(uint8_t axis)
{
    return axis == FX_NO_AXIS ? -1 : axis;
}

fx_status fx__emit_tile(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    tile_job job = {.t = {.f = f,
                          .row = axis_or_none(sched->row),
                          .vec = axis_or_none(sched->vec),
                          .lanes = sched->lanes,
                          .height = 1,
                          .n_vec = 1}};
    job.rows_known = job.t.row >= 0 && fx_dim_is_const(f->kernel->axis[job.t.row].extent);
    if (sched->mr > TILE_ROWS || sched->nv > TILE_VECS || sched->mr * sched->nv > FX_COPIES)
        return fx__frame_refuse(f, "the tile is too large");
    FX_TRY(fx__point_open(&job.t.point, f));
    job.t.point.vec = sched->vec;
    job.t.point.row = sched->row;
    job.t.point.lanes = sched->lanes;
    if (sched->row != FX_NO_AXIS) f->late |= UINT32_C(1) << sched->row;
    if (sched->vec != FX_NO_AXIS) f->late |= UINT32_C(1) << sched->vec;
    if (!plan(&job)) return fx__frame_refuse(f, "its stages do not form a tile");
    for (int s = 0; s < job.n_sweep; s++)
        if (job.sweep[s].row_guard && !job.sweep[s].row_guard_static) make_zeros(&job, &job.sweep[s]);
    job.t.panel = fx__tile_panel_axis(f, &job.sweep[0], job.t.row, job.t.vec);
    job.blocks_strips = may_block_strips(&job);
    job.packs = sched->pack && job.blocks_strips && may_pack(&job);
    int n = plain_axes(&job);
    fx_nest nest;
    fx__frame_nest_begin(f, &nest, n);
    emit_axes(&job, n);
    fx__frame_nest_end(f, &nest);
    return f->status;
}
