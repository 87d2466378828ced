/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/block.c: BLOCK, kernels that a block of rows goes through: contractions as register tiles of the block's rows by some
 * vectors of an inner axis, and row stages between them, row by row (attention). Locals get a dim for the rows: their pointers are
 * moved back by the block's first row, so that every index is that of the whole axis. */
#include "codegen/tile.h"
#include <string.h>

enum { BLOCK_GROUPS = 8 };

/* Stages [first, last): a contraction and the MAPs over its columns, or row stages. */
typedef struct group {
    int first, last;
    bool contracts;
    fx_tile_sweep sweep;
} group;

typedef struct block_job {
    fx_frame *f;
    fx_tile t;
    fx_kpoint rows;
    group group[BLOCK_GROUPS];
    int n_group;
    LLVMValueRef local[FX_ARGS]; /* scratch of each LOCAL */
} block_job;

/* ---- Locals with rows ------------------------------------------------------------------------------------------------------ */

static void add_row_dim(fx_arg *local, fx_dim extent, fx_dim stride)
{
    for (int d = local->rank; d > 0; d--) {
        local->dim[d] = local->dim[d - 1];
        local->stride[d] = local->stride[d - 1];
    }
    local->dim[0] = extent;
    local->stride[0] = stride;
    local->rank++;
}

static void add_row_index(fx_access *access, uint8_t row)
{
    for (int d = access->rank; d > 0; d--) access->at[d] = access->at[d - 1];
    access->at[0] = fx__index_axis(row);
    access->rank++;
}

/* Panels [..., q, ..., lane] of a contraction's columns, read at their digits. Tiles of columns begin where panels do: within a
 * tile the access moves with stride 1, from tile to tile by whole panels. */
static int panel_dim(const fx_access *access)
{
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].n == 1 && access->at[d].term[0].div != 1 && access->at[d].term[0].mod == 0) return d;
    return -1;
}

static void read_within_panel(fx_access *access)
{
    int d = panel_dim(access);
    if (d < 0) return;
    access->at[d] = fx__index_const(0);
    access->at[access->rank - 1].term[0].mod = 0;
}

/* Elements from one column to the next over whole panels: the distance of panels by their width. */
static void step_by_panels(fx_frame *f, const fx_kernel *old)
{
    for (int i = 0; i < old->n_access; i++) {
        int d = panel_dim(&old->access[i]);
        if (d < 0) continue;
        const fx_term *term = &old->access[i].at[d].term[0];
        fx_dim stride = old->arg[old->access[i].arg].stride[d];
        f->acc[i].coef[term->axis] = fx__frame_dim(f, fx__dim_floordiv(f->program->dims, stride, term->div));
    }
}

/* The kernel with a first dim for the rows in every local, and reads within panels. */
static const fx_kernel *with_rows(fx_frame *f)
{
    const fx_kernel *old = f->kernel;
    fx_kernel *kernel = FX_NEW(f->arena, fx_kernel);
    fx_access *access = FX_NEW_ARRAY(f->arena, fx_access, old->n_access + 1);
    if (!kernel || !access) return NULL;
    *kernel = *old;
    kernel->access = access;
    for (int a = 0; a < old->n_arg; a++) {
        if (old->arg[a].role != FX_ARG_LOCAL) continue;
        if (old->arg[a].rank == FX_RANK) return NULL;
        add_row_dim(&kernel->arg[a], old->axis[old->sched.row].extent, fx__sched_local_row(f->program, old, a));
    }
    for (int i = 0; i < old->n_access; i++) {
        access[i] = old->access[i];
        if (old->arg[access[i].arg].role == FX_ARG_LOCAL) add_row_index(&access[i], old->sched.row);
        read_within_panel(&access[i]);
    }
    return kernel;
}

/* Index `row` of a local is its first row from here on. */
static void move_locals(block_job *job, LLVMValueRef row)
{
    fx_frame *f = job->f;
    fx_e *e = &f->e;
    for (int a = 0; a < f->kernel->n_arg; a++) {
        const fx_arg *arg = &f->kernel->arg[a];
        if (arg->role != FX_ARG_LOCAL) continue;
        LLVMValueRef stride = e_mul(e, fx__frame_dim(f, arg->stride[0]), e_i64(e, (int64_t)fx_dtype_bytes(arg->dtype)));
        f->arg[a] = e_at_bytes(e, job->local[a], e_sub(e, e_i64(e, 0), e_mul(e, row, stride)));
    }
}

/* ---- Plan ------------------------------------------------------------------------------------------------------------------ */

static bool is_map_over(const fx_kstage *stage, uint8_t axis)
{
    return stage->kind == FX_STAGE_MAP && stage->n_inner == 1 && stage->inner[0] == axis;
}

static bool plan_group(block_job *job, int first, group *out)
{
    const fx_kernel *kernel = job->f->kernel;
    const fx_kstage *stage = &kernel->stage[first];
    *out = (group){.first = first, .last = first + 1, .contracts = stage->kind == FX_STAGE_CONTRACT};
    if (!out->contracts) {
        while (out->last < kernel->n_stage && kernel->stage[out->last].kind != FX_STAGE_CONTRACT) out->last++;
        return true;
    }
    if (stage->n_inner != 1) return false;
    while (out->last < kernel->n_stage && is_map_over(&kernel->stage[out->last], stage->inner[0])) out->last++;
    job->f->late |= UINT32_C(1) << stage->inner[0];
    return fx__tile_plan_sweep(job->f->program, kernel, first, job->t.row, stage->inner[0], NULL, &out->sweep) &&
           out->sweep.n_stage == 1 && !out->sweep.row_guard;
}

static bool plan(block_job *job)
{
    for (int s = 0; s < job->f->kernel->n_stage; s = job->group[job->n_group - 1].last)
        if (job->n_group == BLOCK_GROUPS || !plan_group(job, s, &job->group[job->n_group++])) return false;
    return true;
}

/* ---- Contractions ---------------------------------------------------------------------------------------------------------- */

/* Vectors from a column on; columns: how many are left there, NULL: enough for all. */
static void emit_columns(block_job *job, const group *g, LLVMValueRef column, int n_vec, LLVMValueRef columns)
{
    fx_tile *t = &job->t;
    fx_e *e = &job->f->e;
    int64_t known;
    LLVMValueRef *saved = fx__frame_enter(job->f, (uint8_t)t->vec, column);
    t->n_vec = n_vec;
    for (int j = 0; j < n_vec; j++) {
        bool full = !columns || (e_const(columns, &known) && known >= (int64_t)(j + 1) * t->lanes);
        t->mask[j] = full ? NULL : e_mask_first(e, t->lanes, e_sub(e, columns, e_i64(e, (int64_t)j * t->lanes)));
    }
    fx__tile_begin(t);
    fx__tile_emit_sweep(t, &g->sweep);
    fx__tile_keep(t, &g->sweep);
    for (int s = g->first + 1; s < g->last; s++) fx__tile_emit_map(t, s);
    fx__frame_leave(job->f, (uint8_t)t->vec, saved);
}

/* Full tiles, and one that is masked at its end. */
static void emit_contraction(block_job *job, const group *g)
{
    fx_frame *f = job->f;
    fx_e *e = &f->e;
    fx_tile *t = &job->t;
    t->vec = f->kernel->stage[g->first].inner[0];
    t->point.vec = (uint8_t)t->vec;
    int nv = f->kernel->sched.nv;
    int64_t known, step = (int64_t)t->lanes * nv;
    LLVMValueRef end = f->extent[t->vec], full = e_mul(e, e_floordiv(e, end, e_i64(e, step)), e_i64(e, step));
    bool is_static = e_const(end, &known);
    if (!is_static || known >= step) {
        fx_loop loop = e_loop_begin(e, f->kernel->axis[t->vec].name, e_i64(e, 0), full, step, 0, NULL);
        emit_columns(job, g, loop.index, nv, NULL);
        e_loop_end(e, &loop, NULL);
    }
    if (is_static && known % step == 0) return;
    int n_vec = is_static ? (int)((known % step + t->lanes - 1) / t->lanes) : nv;
    fx_if rest = e_if_begin(e, "narrow", e_icmp(e, LLVMIntSLT, full, end));
    emit_columns(job, g, full, n_vec, e_sub(e, end, full));
    e_if_end(e, &rest);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static void emit_rows(block_job *job, const group *g, LLVMValueRef row, int height)
{
    fx_frame *f = job->f;
    fx_loop loop = e_loop_begin(&f->e, "row", row, e_add(&f->e, row, e_i64(&f->e, height)), 1, 0, NULL);
    LLVMValueRef *saved = fx__frame_enter(f, (uint8_t)job->t.row, loop.index);
    fx__point_run(&job->rows, g->first, g->last);
    fx__frame_leave(f, (uint8_t)job->t.row, saved);
    e_loop_end(&f->e, &loop, NULL);
}

/* All stages for `height` rows from `row` on. */
static void emit_block(block_job *job, LLVMValueRef row, int height)
{
    move_locals(job, row);
    job->t.height = height;
    for (int g = 0; g < job->n_group && job->f->status == FX_OK; g++) {
        if (!job->group[g].contracts) {
            emit_rows(job, &job->group[g], row, height);
            continue;
        }
        LLVMValueRef *saved = fx__frame_enter(job->f, (uint8_t)job->t.row, row);
        emit_contraction(job, &job->group[g]);
        fx__frame_leave(job->f, (uint8_t)job->t.row, saved);
    }
}

/* ---- Blocks ---------------------------------------------------------------------------------------------------------------- */

/* Tiles [from, to) of `height` rows; tile i begins at row i * height + offset. */
static void emit_even(block_job *job, LLVMValueRef from, LLVMValueRef to, int64_t height, int64_t offset)
{
    fx_e *e = &job->f->e;
    fx_loop loop = e_loop_begin(e, "tile", from, to, 1, 0, NULL);
    emit_block(job, e_add(e, e_mul(e, loop.index, e_i64(e, height)), e_i64(e, offset)), (int)height);
    e_loop_end(e, &loop, NULL);
}

/* A constant extent: tiles of two adjacent heights. */
static void emit_static_blocks(block_job *job, LLVMValueRef begin, LLVMValueRef end, int64_t rows)
{
    fx_e *e = &job->f->e;
    int64_t mr = job->f->kernel->sched.mr, tiles = (rows + mr - 1) / mr, low = tiles ? rows / tiles : 0, more = rows - low * tiles;
    LLVMValueRef border = e_i64(e, more);
    if (more > 0) emit_even(job, begin, e_min(e, end, border), low + 1, 0);
    if (more < tiles) emit_even(job, e_max(e, begin, border), end, low, more);
}

/* mr rows at a time, then what is left in smaller and smaller pieces. */
static void emit_symbolic_blocks(block_job *job, LLVMValueRef begin, LLVMValueRef end)
{
    fx_frame *f = job->f;
    fx_e *e = &f->e;
    LLVMValueRef mr = e_i64(e, f->kernel->sched.mr), row = e_mul(e, begin, mr);
    LLVMValueRef last = e_min(e, e_mul(e, end, mr), f->extent[job->t.row]);
    for (int height = f->kernel->sched.mr; height > 0; height /= 2) {
        LLVMValueRef size = e_i64(e, height), left = e_max(e, e_sub(e, last, row), e_i64(e, 0));
        LLVMValueRef stop = e_add(e, row, e_mul(e, e_floordiv(e, left, size), size));
        fx_loop loop = e_loop_begin(e, "rows", row, stop, height, 0, NULL);
        emit_block(job, loop.index, height);
        e_loop_end(e, &loop, NULL);
        row = stop;
    }
}

static void emit_blocks(block_job *job)
{
    fx_frame *f = job->f;
    const fx_sched *sched = &f->kernel->sched;
    LLVMValueRef extent = f->extent[sched->row], begin = e_i64(&f->e, 0), end = e_ceildiv(&f->e, extent, e_i64(&f->e, sched->mr));
    int64_t rows;
    for (int i = 0; i < sched->n_task; i++) {
        if (sched->task[i] != sched->row) continue;
        begin = f->begin[sched->row];
        end = f->end[sched->row];
    }
    if (e_const(extent, &rows))
        emit_static_blocks(job, begin, end, rows);
    else
        emit_symbolic_blocks(job, begin, end);
}

static fx_status emit(fx_frame *f, const fx_kernel *old)
{
    const fx_sched *sched = &f->kernel->sched;
    block_job job = {.f = f, .t = {.f = f, .row = sched->row, .lanes = sched->lanes, .panel = -1}};
    fx_nest nest;
    FX_TRY(fx__index_open(f));
    step_by_panels(f, old);
    FX_TRY(fx__point_open(&job.rows, f));
    FX_TRY(fx__point_open(&job.t.point, f));
    job.rows.sweep = sched->vec;
    job.t.point.row = sched->row;
    job.t.point.lanes = sched->lanes;
    uint32_t late = f->late;
    f->late |= UINT32_C(1) << sched->row;
    if (sched->mr * sched->nv > FX_COPIES || !plan(&job)) return fx__frame_refuse(f, "its stages are none for blocks of rows");
    memcpy(job.local, f->arg, sizeof job.local);
    fx__frame_nest_begin(f, &nest, f->n_order - 1);
    emit_blocks(&job);
    fx__frame_nest_end(f, &nest);
    f->late = late;
    return f->status;
}

fx_status fx__emit_block(fx_frame *f)
{
    const fx_kernel *kernel = f->kernel;
    f->kernel = with_rows(f);
    if (!f->kernel) {
        f->kernel = kernel;
        return fx__frame_refuse(f, "no room for the rows of its locals");
    }
    fx_status status = emit(f, kernel);
    f->kernel = kernel;
    return status;
}
