/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile_plan.c: reads the loops of a tile out of CONTRACT stages: which loads move along row, vector and reduced axes, which
 * reduced axes are one loop, and what becomes of guards. A guard whose dim moves with a reduced axis clips that axis at run
 * time; one that moves with the row is left to tile_rows.c; anything else makes the load general. */
#include "codegen/tile.h"

static bool uses(const fx_index *index, int axis)
{
    for (int t = 0; t < index->n; t++)
        if (index->term[t].axis == axis) return true;
    return false;
}

/* Constant coefficient of an axis that occurs once and without digits. */
static bool plain_coef(const fx_index *index, int axis, int64_t *out)
{
    int found = 0;
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        if (term->axis != axis) continue;
        if (term->div != 1 || term->mod != 0 || !fx_dim_is_const(term->coef)) return false;
        *out = term->coef;
        found++;
    }
    return found == 1;
}

static bool dim_inside(const fx_program *program, const fx_kernel *kernel, const fx_access *access, int d)
{
    fx_dim lo, hi;
    fx__index_range(program->dims, kernel, &access->at[d], &lo, &hi);
    if (lo == FX_DIM_BAD || hi == FX_DIM_BAD) return false;
    return fx__dim_le(program->dims, 0, lo) &&
           fx__dim_le(program->dims, fx__dim_add(program->dims, hi, 1), kernel->arg[access->arg].dim[d]);
}

/* ---- Operands ------------------------------------------------------------------------------------------------------------ */

static bool find_load(const fx_kstage *stage, uint16_t expr, uint16_t *out)
{
    while (expr != FX_NO_EXPR && stage->expr[expr].op == FX_X_CAST) expr = stage->expr[expr].a;
    if (expr == FX_NO_EXPR || stage->expr[expr].op != FX_X_LOAD) return false;
    *out = expr;
    return true;
}

static bool stream_strides(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage, int row, int vec,
                           fx_tile_stream *stream)
{
    const fx_access *access = &kernel->access[stream->access];
    stream->row = row < 0 ? 0 : fx__access_stride(program, kernel, access, (uint8_t)row);
    stream->vec = vec < 0 ? 0 : fx__access_stride(program, kernel, access, (uint8_t)vec);
    bool ok = stream->row != FX_DIM_BAD && stream->vec != FX_DIM_BAD;
    for (int i = 0; i < stage->n_red; i++) {
        stream->red[i] = fx__access_stride(program, kernel, access, stage->red[i]);
        ok = ok && stream->red[i] != FX_DIM_BAD;
    }
    for (int d = 0; d < access->rank; d++) ok = ok && access->at[d].value < 0;
    return ok;
}

static int add_stream(const fx_program *program, const fx_kernel *kernel, int s, uint16_t expr, int row, int vec,
                      fx_tile_sweep *sweep)
{
    const fx_kstage *stage = &kernel->stage[s];
    uint16_t access = stage->expr[expr].u.access;
    for (int i = 0; i < sweep->n_stream; i++)
        if (sweep->stream[i].access == access) return i;
    if (sweep->n_stream == TILE_STREAMS) return -1;
    fx_tile_stream *stream = &sweep->stream[sweep->n_stream];
    *stream = (fx_tile_stream){.access = access, .expr = expr, .stage = (uint8_t)s};
    bool affine = stream_strides(program, kernel, stage, row, vec, stream);
    stream->general = !affine || (kernel->sched.lanes > 1 && stream->vec != 0 && stream->vec != 1);
    return sweep->n_stream++;
}

static bool add_contract(const fx_program *program, const fx_kernel *kernel, int s, int row, int vec, fx_tile_sweep *sweep)
{
    const fx_kstage *stage = &kernel->stage[s];
    const fx_expr *product = &stage->expr[stage->value];
    uint16_t load[2];
    if (product->op != FX_X_SCALAR || product->scalar != FX_SCALAR_MUL) return false;
    if (!find_load(stage, product->a, &load[0]) || !find_load(stage, product->b, &load[1])) return false;
    for (int i = 0; i < 2; i++) {
        int stream = add_stream(program, kernel, s, load[i], row, vec, sweep);
        if (stream < 0) return false;
        sweep->operand[sweep->n_stage][i] = (uint8_t)stream;
    }
    sweep->stage[sweep->n_stage++] = (uint8_t)s;
    return true;
}

/* ---- Guards -------------------------------------------------------------------------------------------------------------- */

/* The clipped axis of a dim: the last reduced axis it moves with, so that the others are known when its loop starts. */
static int last_red(const fx_kstage *stage, const fx_index *index)
{
    for (int i = stage->n_red - 1; i >= 0; i--)
        if (uses(index, stage->red[i])) return i;
    return -1;
}

static bool guard_rows(const fx_kstage *stage, const fx_index *index, int s, int d, int row, fx_tile_sweep *sweep)
{
    int64_t coef;
    int red = last_red(stage, index);
    if (sweep->row_guard || sweep->stream[s].vec != 0 || !plain_coef(index, row, &coef)) return false;
    if (red >= 0 && !plain_coef(index, stage->red[red], &coef)) return false;
    for (int i = 0; i < red; i++)
        if (uses(index, stage->red[i])) return false;
    sweep->row_guard = true;
    sweep->guard_stream = (uint8_t)s;
    sweep->guard_dim = (uint8_t)d;
    sweep->guard_red = (int8_t)red;
    return true;
}

static bool guard_dim(const fx_kernel *kernel, const fx_kstage *stage, int s, int d, int row, int vec, fx_tile_sweep *sweep)
{
    const fx_index *index = &kernel->access[sweep->stream[s].access].at[d];
    int64_t coef;
    if (vec >= 0 && uses(index, vec)) return false;
    if (row >= 0 && uses(index, row)) return guard_rows(stage, index, s, d, row, sweep);
    int red = last_red(stage, index);
    if (sweep->n_clip == TILE_CLIPS || (red < 0 && stage->n_red == 0)) return false;
    if (red >= 0 && !plain_coef(index, stage->red[red], &coef)) return false;
    sweep->clip[sweep->n_clip++] =
        (fx_tile_clip){.stream = (uint8_t)s, .dim = (uint8_t)d, .red = (uint8_t)(red < 0 ? 0 : red), .point = red < 0};
    return true;
}

/* All guarded dims of a stream; when one has no form, the stream goes general and its clips are dropped. */
static void plan_guards(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage, int s, int row, int vec,
                        fx_tile_sweep *sweep)
{
    const fx_access *access = &kernel->access[sweep->stream[s].access];
    fx_tile_sweep before = *sweep;
    if (!access->guarded || sweep->stream[s].general) return;
    for (int d = 0; d < access->rank; d++) {
        if (dim_inside(program, kernel, access, d)) continue;
        if (access->fill.u == 0 && guard_dim(kernel, stage, s, d, row, vec, sweep)) continue;
        *sweep = before;
        sweep->stream[s].general = true;
        return;
    }
}

enum { ZERO_ELEMS = 4096 };

int64_t fx__tile_zero_span(const fx_kernel *kernel, const fx_tile_sweep *sweep)
{
    const fx_kstage *stage = &kernel->stage[sweep->stage[0]];
    int64_t span = 1;
    for (int i = sweep->guard_red + 1; i < stage->n_red; i++) {
        fx_dim stride = sweep->stream[sweep->guard_stream].red[i], extent = kernel->axis[stage->red[i]].extent;
        if (!fx_dim_is_const(stride) || !fx_dim_is_const(extent) || stride < 0 || stride > ZERO_ELEMS || extent > ZERO_ELEMS)
            return 0;
        span += stride * (extent > 0 ? extent - 1 : 0);
        if (span > ZERO_ELEMS) return 0;
    }
    return span;
}

/* A row guard that can be left neither to classes nor to rows of zeros makes its stream general. */
static void settle_row_guard(const fx_kernel *kernel, int row, fx_tile_rows *rows, fx_tile_sweep *sweep)
{
    if (rows) sweep->row_guard_static = fx__tile_plan_rows(kernel, sweep, row, kernel->axis[row].extent, kernel->sched.mr, rows);
    if (!sweep->row_guard || sweep->row_guard_static || fx__tile_zero_span(kernel, sweep) > 0) return;
    sweep->row_guard = false;
    sweep->stream[sweep->guard_stream].general = true;
}

/* ---- Loops --------------------------------------------------------------------------------------------------------------- */

/* Reduced axes whose coordinate must be known inside the nest have a loop of their own. */
static bool alone(const fx_kernel *kernel, const fx_kstage *stage, const fx_tile_sweep *sweep, int i)
{
    for (int s = 0; s < sweep->n_stream; s++)
        if (sweep->stream[s].general) return true;
    if (sweep->row_guard && !sweep->row_guard_static && sweep->guard_red == i) return true;
    for (int c = 0; c < sweep->n_clip; c++) {
        const fx_tile_clip *clip = &sweep->clip[c];
        const fx_index *index = &kernel->access[sweep->stream[clip->stream].access].at[clip->dim];
        if (!clip->point && clip->red != i && uses(index, stage->red[i])) return true;
    }
    return false;
}

/* A clipped axis may only be the first of its loop. */
static bool starts_loop(const fx_tile_sweep *sweep, int i)
{
    if (sweep->row_guard && sweep->guard_red == i) return true;
    for (int c = 0; c < sweep->n_clip; c++)
        if (sweep->clip[c].red == i) return true;
    return false;
}

static bool contiguous(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage, const fx_tile_sweep *sweep,
                       int i)
{
    fx_dim extent = kernel->axis[stage->red[i]].extent;
    for (int s = 0; s < sweep->n_stream; s++) {
        const fx_dim *red = sweep->stream[s].red;
        if (!fx__dim_equal(program->dims, red[i - 1], fx__dim_mul(program->dims, extent, red[i]))) return false;
    }
    return true;
}

static bool merges(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage, const fx_tile_sweep *sweep, int i)
{
    const uint8_t *group = kernel->sched.kgroup;
    return i > 0 && group[i] == group[i - 1] && !alone(kernel, stage, sweep, i) && !alone(kernel, stage, sweep, i - 1) &&
           !starts_loop(sweep, i) && contiguous(program, kernel, stage, sweep, i);
}

static void plan_loops(const fx_program *program, const fx_kernel *kernel, fx_tile_sweep *sweep)
{
    const fx_kstage *stage = &kernel->stage[sweep->stage[0]];
    sweep->n_loop = 0;
    for (int i = 0; i < stage->n_red; i++) {
        fx_dim extent = kernel->axis[stage->red[i]].extent;
        if (!merges(program, kernel, stage, sweep, i))
            sweep->loop[sweep->n_loop++] = (fx_tile_loop){.red = (uint8_t)i, .extent = 1, .span = 1};
        fx_tile_loop *loop = &sweep->loop[sweep->n_loop - 1];
        if (loop->n_red++) loop->span = fx__dim_mul(program->dims, loop->span, extent);
        loop->extent = fx__dim_mul(program->dims, loop->extent, extent);
        for (int s = 0; s < sweep->n_stream; s++) loop->stride[s] = sweep->stream[s].red[i];
    }
}

/* ---- Sweeps -------------------------------------------------------------------------------------------------------------- */

/* A sibling runs in the same nest: same reduced and inner axes, same guards (those of shared loads), room for its accumulators. */
static bool is_sibling(const fx_kernel *kernel, const fx_tile_sweep *sweep, int s)
{
    const fx_kstage *a = &kernel->stage[sweep->stage[0]], *b = &kernel->stage[s];
    if (b->kind != FX_STAGE_CONTRACT || b->n_red != a->n_red || b->n_inner != a->n_inner || b->acc != a->acc) return false;
    for (int i = 0; i < a->n_red; i++)
        if (a->red[i] != b->red[i]) return false;
    for (int i = 0; i < a->n_inner; i++)
        if (a->inner[i] != b->inner[i]) return false;
    return sweep->n_stage < TILE_CONTRACTS && kernel->sched.mr * kernel->sched.nv * (sweep->n_stage + 1) <= E_CARRY;
}

/* A sibling whose load reads what this sweep is about to store must wait. */
static bool reads_result(const fx_kernel *kernel, const fx_tile_sweep *sweep, int s)
{
    for (int i = 0; i < sweep->n_stage; i++) {
        const fx_kstage *earlier = &kernel->stage[sweep->stage[i]];
        for (int o = 0; o < earlier->n_out; o++)
            for (int x = 0; x < kernel->stage[s].n_expr; x++) {
                const fx_expr *expr = &kernel->stage[s].expr[x];
                if (expr->op == FX_X_LOAD && kernel->access[expr->u.access].arg == kernel->access[earlier->out[o].access].arg)
                    return true;
            }
    }
    return false;
}

/* Adds a sibling unless it brings a guarded load of its own. */
static bool try_sibling(const fx_program *program, const fx_kernel *kernel, int s, int row, int vec, fx_tile_sweep *sweep)
{
    fx_tile_sweep joined = *sweep;
    if (!is_sibling(kernel, sweep, s) || reads_result(kernel, sweep, s)) return false;
    if (!add_contract(program, kernel, s, row, vec, &joined)) return false;
    for (int i = sweep->n_stream; i < joined.n_stream; i++)
        if (kernel->access[joined.stream[i].access].guarded || joined.stream[i].general) return false;
    *sweep = joined;
    return true;
}

bool fx__tile_plan_sweep(const fx_program *program, const fx_kernel *kernel, int stage, int row, int vec, fx_tile_rows *rows,
                         fx_tile_sweep *out)
{
    fx_tile_sweep sweep = {.guard_red = -1};
    if (!add_contract(program, kernel, stage, row, vec, &sweep)) return false;
    while (stage + sweep.n_stage < kernel->n_stage && try_sibling(program, kernel, stage + sweep.n_stage, row, vec, &sweep)) {
    }
    for (int s = 0; s < sweep.n_stream; s++) plan_guards(program, kernel, &kernel->stage[stage], s, row, vec, &sweep);
    settle_row_guard(kernel, row, rows, &sweep);
    plan_loops(program, kernel, &sweep);
    *out = sweep;
    return true;
}
