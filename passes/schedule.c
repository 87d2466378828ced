/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule.c: gives every kernel its loops.
 *
 * Does     Chooses an emitter per kernel and fills fx_sched: vector axis, tile, loop order, tasks; and fx_cost.cycles.
 * Needs    Kernels as fuse, algo and place left them. CONTRACT stages that have no tile were turned into REDUCE by algo.
 * Ensures  Codegen makes no choice; nothing depends on the number of threads or on measurements.
 * Cost     Linear in the program's kernels; at most a few dozen tile shapes are tried for each CONTRACT.
 *
 * What the fields mean. "Points" are those of the outer axes; axes outside 0..n_outer are reduced or inner.
 *
 *   order    All outer axes except those named below, outermost loop first. Axes of extent 1 may be among them.
 *   step     fx__sched_step: elements of an axis that one iteration covers. fx__sched_count: iterations. A loop over an axis with
 *            step > 1 ends with a partial iteration (mask or narrower body), except `row`, see TILE.
 *   task     Outer axes whose iterations are shared out; they stand next to each other in order and in the same sequence. Their
 *            counts' product (last task axis fastest) is cut into chunks of `grain`: chunk c covers [c*grain, min((c+1)*grain,
 *            points)). A body called with chunks [lo, hi) runs [lo*grain, min(hi*grain, points)). Axes before the task axes in
 *            `order` loop outside that range inside one call, axes behind them inside it. n_task 0: one chunk, everything.
 *   parallel False: the entry calls the body once with all chunks. True: worth fx_rt_parallel. A run whose shared kernels together
 *            would not repay the team's entry has none.
 *   lanes    Lanes of every vector value in the kernel, from its widest computed type; 1: scalar code, vec FX_NO_AXIS.
 *   access   Along vec an access has stride 1 (vector load or store), 0 (one scalar, broadcast), or anything else: lane by lane.
 *   FX_NO_AXIS in vec, vec2, row: there is none.
 *
 *   FLAT     MAP stages without inner axes only. order: all outer axes, vec last. `unroll` vectors per iteration of vec.
 *            vec is a task axis only when it is the only one.
 *   COPY2D   As FLAT, but stores have stride 1 along vec and the main loads along vec2: blocks of lanes x lanes, transposed in
 *            registers; loads with stride 1 along vec or 0 in both may occur beside them. order: all outer axes, the last two
 *            are vec2, vec. vec or vec2 is a task axis only when it is the only one.
 *   COLUMN   REDUCE stages without inner axes, and MAPs; vec is an outer axis. Accumulators for mr points of `row` (may be
 *            FX_NO_AXIS: mr 1) times nv vectors of vec are side by side; reduced axes are plain loops in the stage's sequence.
 *            order: all outer axes, row before vec and vec last; or vec first and row last, where a slice of one step of vec
 *            stays in the first-level cache: then vec's loop is around the last task axis and all axes behind it.
 *   ROW      REDUCE and MAP stages with inner or reduced axes; vec is such an axis and has the same number in every stage that
 *            runs along it; a stage that does not contain vec runs in scalars, its other inner and reduced axes are plain
 *            loops around. `unroll` accumulators or vectors per iteration. order: all outer axes.
 *            ROW with lanes 1 runs any kernel without CONTRACT.
 *   TILE     Stage 0 is a CONTRACT without inner axes; MAP stages without inner axes follow and run on the registers. vec is an
 *            outer axis that occurs in one factor ("B", stride 1 along vec) and not in the other ("A"); row is an outer axis
 *            of A and not of B (FX_NO_AXIS: mr 1). The register tile is mr rows by nv vectors of vec.
 *            row: its iterations are tiles of even height: T = ceil(extent / mr) tiles, H = ceil(extent / T), the first
 *            extent - T*(H-1) have height H, the others H-1; never a remainder tile. As a task axis its points are those tiles.
 *            vec: when B is a panel (a buffer whose last dim is nv*lanes, zero-padded), vec's extent is nv*lanes exactly, loads
 *            of B are never masked, and the stores and the epilogue's loads are guarded when the real extent ends in the
 *            middle. Otherwise vec is looped over in steps of nv*lanes with masked loads and stores at the end.
 *            order: all outer axes; vec after row. Where the row axis stands, its tiles are looped over. block > 0: where the
 *            innermost axis of B's panels stands, blocks of so many panels are looped over, and the panels of a block directly
 *            before vec, so that each tile of rows between them meets a block from cache. Without an axis of panels the strips of
 *            vec run in blocks so, around row's loop, when vec stands directly behind row. pack: the first tile of rows then
 *            copies what it reads of B into panels in scratch, [K][nv*lanes] of accumulators for each strip of a block, and the
 *            other tiles read these; row is no task axis, K is constant. Where a guard, a sibling or rows unknown until run time
 *            are in the way, tiles read B itself. kgroup[i] belongs to red[i] of stage 0:
 * neighbours with one number are contiguous in A and in B (B's step: the panel's width) and run as one loop, longest run innermost;
 * a guarded axis inside a merged run (kw of (kw,ic)) clips it to a sub-run. `unroll` steps of the innermost of these loops make one
 * turn of it. fetch: with each step of that loop go so many bytes of a prefetch, in the order of memory: fetch_a of the rows of A
 * behind the tile's, spread over the tile's sweeps; fetch_b of B's next panel or block, spread over the tiles of this one.
 *
 *   BLOCK    Contractions over one inner axis ("columns") and row stages between them (passes/block.h); order: all outer axes, row,
 *            the last outer axis, last. Its iterations are tiles of rows as in TILE: even heights where the extent is constant,
 * else mr rows and what is left in halves, quarters, ... of mr. A tile of rows goes through all stages: contractions in register
 * tiles of all its rows by nv vectors, `unroll` steps of K to a turn; row stages row by row, as in ROW, along vec. Every local has
 * a row of its own for each row of the tile, fx__sched_local_row apart.
 */
#include "passes/schedule.h"
#include "ir/diag.h"
#include "passes/pass.h"
#include "passes/steps.h"

/* ---- What schedule_*.c share --------------------------------------------------------------------------------------------- */

static int64_t dtype_bytes_computed(fx_dtype dtype)
{
    if (dtype == FX_BOOL) return 1;
    return dtype == FX_F16 || dtype == FX_BF16 ? 4 : (int64_t)fx_dtype_bytes(dtype);
}

/* Does the expression differ between lanes? Values of sizes and immediates are computed once. */
static bool is_vector(const fx_kstage *stage, uint16_t e)
{
    const fx_expr *expr = &stage->expr[e];
    if (expr->op == FX_X_LOAD || expr->op == FX_X_AXIS || expr->op == FX_X_STAGE) return true;
    const uint16_t operand[3] = {expr->a, expr->b, expr->c};
    for (int i = 0; i < fx__expr_operands(expr); i++)
        if (is_vector(stage, operand[i])) return true;
    return false;
}

int32_t fx__schedule_lanes(const fx_target *target, const fx_kernel *kernel)
{
    int64_t widest = 1;
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        if (stage->kind != FX_STAGE_MAP && dtype_bytes_computed(fx__stage_dtype(stage)) > widest)
            widest = dtype_bytes_computed(fx__stage_dtype(stage));
        for (uint16_t e = 0; e < stage->n_expr; e++) {
            int64_t bytes = dtype_bytes_computed((fx_dtype)stage->expr[e].dtype);
            if (bytes > widest && is_vector(stage, e)) widest = bytes;
        }
    }
    return (int32_t)(target->vec_bytes / widest);
}

bool fx__schedule_strides(const fx_schedule *s, uint8_t axis, bool stores, int counts[3])
{
    counts[0] = counts[1] = counts[2] = 0;
    for (int i = 0; i < s->kernel->n_stage; i++) {
        const fx_kstage *stage = &s->kernel->stage[i];
        for (int e = 0; e < stage->n_expr && !stores; e++)
            if (stage->expr[e].op == FX_X_LOAD) fx__schedule_count(s, stage->expr[e].u.access, axis, counts);
        for (int o = 0; o < stage->n_out && stores; o++) fx__schedule_count(s, stage->out[o].access, axis, counts);
    }
    return counts[2] == 0;
}

void fx__schedule_count(const fx_schedule *s, uint16_t access, uint8_t axis, int counts[3])
{
    const fx_access *a = &s->kernel->access[access];
    fx_dim stride = fx__access_stride(s->program, s->kernel, a, axis);
    int64_t div, step;
    if (stride == FX_DIM_BAD &&
        fx__access_spreads(s->program, s->kernel, a, axis, fx__schedule_lanes(s->target, s->kernel), &div, &step))
        stride = 0; /* nearly as good as one element for all */
    for (int d = 0; d < a->rank; d++)
        if (a->at[d].value >= 0 && stride == 0) stride = FX_DIM_BAD; /* a gather may move along any axis */
    counts[stride == 0 ? 0 : stride == 1 ? 1 : 2]++;
}

int64_t fx__schedule_extent(const fx_schedule *s, uint8_t axis)
{
    return fx__dim_hint(s->program->dims, s->kernel->axis[axis].extent);
}

void fx__schedule_order(fx_schedule *s, const uint8_t *last, int n_last)
{
    fx_sched *sched = &s->kernel->sched;
    sched->n_order = 0;
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) {
        bool late = false;
        for (int l = 0; l < n_last; l++) late = late || last[l] == i;
        if (!late) sched->order[sched->n_order++] = i;
    }
    for (int l = 0; l < n_last; l++)
        if (last[l] != FX_NO_AXIS && last[l] < s->kernel->n_outer) sched->order[sched->n_order++] = last[l];
}

/* ---- Cost and tasks -------------------------------------------------------------------------------------------------------- */

/* Cycles that share out: below it (about 5 microseconds), posting a kernel to the waiting team costs more than it saves. */
enum { WORTH_SHARING = 16000, WORTH_A_CHUNK = 8000, MOST_CHUNKS = 64 };

static double expression_cycles(const fx_schedule *s, const fx_kstage *stage)
{
    double cycles = 0;
    for (int e = 0; e < stage->n_expr; e++) {
        const fx_expr *expr = &stage->expr[e];
        cycles += expr->op == FX_X_SCALAR ? fx__scalar_cost((fx_scalar_op)expr->scalar) : expr->op == FX_X_LOAD ? 0.5 : 0.25;
    }
    int32_t lanes = s->kernel->sched.lanes > 0 ? s->kernel->sched.lanes : 1;
    return cycles * (double)fx__dim_hint(s->program->dims, fx__stage_points(s->program, s->kernel, stage)) / lanes / 2;
}

static double const_bytes(const fx_schedule *s)
{
    double bytes = 0;
    for (int a = 0; a < s->kernel->n_arg; a++)
        if (s->kernel->arg[a].role == FX_ARG_CONST) bytes += (double)fx__kernel_arg_bytes(s->program, s->kernel, a);
    return bytes;
}

double fx__schedule_memory_cycles(const fx_schedule *s)
{
    const fx_cost *cost = &s->kernel->cost;
    double bytes = (double)cost->read_bytes + (double)cost->write_bytes, far = s->far_consts ? const_bytes(s) : 0;
    double rate = bytes > (double)s->target->l2 ? s->target->dram_bytes_per_cycle : s->target->l2_bytes_per_cycle;
    double near = bytes > far ? bytes - far : 0;
    return near / rate + far / s->target->dram_bytes_per_cycle;
}

int64_t fx__schedule_cycles(const fx_schedule *s, double compute)
{
    double memory = fx__schedule_memory_cycles(s), cycles = compute > memory ? compute : memory;
    return cycles > 9e18 ? INT64_MAX : (int64_t)cycles;
}

static double all_expressions(const fx_schedule *s)
{
    double cycles = 0;
    for (int i = 0; i < s->kernel->n_stage; i++) cycles += expression_cycles(s, &s->kernel->stage[i]);
    return cycles;
}

static int64_t count(const fx_schedule *s, uint8_t axis)
{
    return fx__dim_hint(s->program->dims, fx__sched_count(s->program->dims, s->kernel, axis));
}

/* May a run have more work than at the hints? */
static bool may_grow(const fx_schedule *s)
{
    for (int i = 0; i < s->kernel->n_axis; i++)
        if (!fx_dim_is_const(s->kernel->axis[i].extent)) return true;
    return false;
}

/* Points of a chunk. What is not worth sharing at the hints is cut into chunks that are: a run that is small has one, and stays on
 * its thread. */
static int64_t choose_grain(int64_t cycles, int64_t points)
{
    int64_t chunks = cycles / WORTH_A_CHUNK, worth = points * WORTH_A_CHUNK / (cycles > 0 ? cycles : 1);
    if (cycles < WORTH_SHARING) return worth > 0 ? worth : 1;
    if (chunks > MOST_CHUNKS) chunks = MOST_CHUNKS;
    if (chunks > points) chunks = points;
    return (points + chunks - 1) / chunks;
}

void fx__schedule_tasks(fx_schedule *s, const uint8_t *axes, int n)
{
    fx_sched *sched = &s->kernel->sched;
    int64_t points = 1, cycles = s->kernel->cost.cycles;
    sched->n_task = 0;
    sched->grain = 0;
    sched->parallel = false;
    if (cycles < WORTH_SHARING && !may_grow(s)) return;
    for (int i = 0; i < n && i < 3; i++) {
        sched->task[sched->n_task++] = axes[i];
        points *= count(s, axes[i]);
    }
    if (points < 2) {
        sched->n_task = 0;
        return;
    }
    sched->grain = choose_grain(cycles, points);
    sched->parallel = true;
}

/* The first axes of the loop order that give enough points to share, leaving vec (the last one) whole, and the row of a COLUMN's
 * tiles, whose border is known then; vec alone when it is all there is. */
void fx__schedule_leading_tasks(fx_schedule *s)
{
    const fx_sched *sched = &s->kernel->sched;
    uint8_t axes[3];
    int n = 0, loops = sched->n_order - (sched->vec != FX_NO_AXIS && sched->vec < s->kernel->n_outer ? 1 : 0);
    int64_t points = 1;
    loops -= sched->emit == FX_EMIT_COLUMN && sched->row != FX_NO_AXIS;
    for (int i = 0; i < loops && n < 3 && points < MOST_CHUNKS; i++) {
        axes[n++] = sched->order[i];
        points *= count(s, sched->order[i]);
    }
    if (points < 8 && loops < sched->n_order && count(s, sched->vec) > points) {
        axes[0] = sched->vec;
        n = 1;
    }
    fx__schedule_tasks(s, axes, n);
}

/* ---- Choice of emitter ------------------------------------------------------------------------------------------------------ */

static bool has_stage(const fx_kernel *kernel, fx_stage_kind kind)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (kernel->stage[s].kind == kind) return true;
    return false;
}

static bool has_inner(const fx_kernel *kernel)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (kernel->stage[s].n_inner > 0) return true;
    return false;
}

static fx_status choose(fx_schedule *s)
{
    fx_kernel *kernel = s->kernel;
    kernel->sched = (fx_sched){.vec = FX_NO_AXIS, .vec2 = FX_NO_AXIS, .row = FX_NO_AXIS, .lanes = 1, .unroll = 1};
    kernel->cost = fx__kernel_cost(s->program, kernel);
    if (fx__schedule_block(s)) return FX_OK;
    if (has_stage(kernel, FX_STAGE_CONTRACT)) return fx__schedule_tile(s);
    bool rows = has_stage(kernel, FX_STAGE_REDUCE) || has_inner(kernel);
    if (rows)
        fx__schedule_rows(s);
    else
        fx__schedule_flat(s);
    kernel->cost.cycles = fx__schedule_cycles(s, all_expressions(s));
    fx__schedule_leading_tasks(s);
    if (kernel->sched.emit == FX_EMIT_COLUMN) fx__schedule_vec_first(s);
    return FX_OK;
}

/* Bytes of the constants that the steps of a run read, each once. */
static int64_t run_const_bytes(const fx_program *program, const fx_block *block, bool *seen)
{
    int64_t bytes = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        for (int b = 0; b < 2; b++) bytes += run_const_bytes(program, &step->body[b], seen);
        for (int a = 0; step->kind == FX_STEP_RUN && a < program->kernel[step->kernel]->n_arg; a++) {
            if (program->kernel[step->kernel]->arg[a].role != FX_ARG_CONST) continue;
            int32_t root = fx__buf_root(program, step->bind[a].buf);
            if (!seen[root]) bytes += fx__buf_bytes_hint(program, root);
            seen[root] = true;
        }
    }
    return bytes;
}

/* Cycles of a whole run's shared kernels that it must have before a team is worth entering: with two threads half of them are
 * saved, and entering, with what the threads then read from each other's caches, costs as much as 60000 (dlrm of batch 32 has 50000
 * shared cycles, and took 47 microseconds on two threads, 38 on one). */
enum { WORTH_A_TEAM = 120000 };

static double shared_cycles(const fx_program *program, const fx_block *block)
{
    double cycles = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        double turns = step->kind == FX_STEP_LOOP && step->turns != -1 ? (double)fx__dim_hint(program->dims, step->turns) : 1;
        for (int b = 0; b < 2; b++) cycles += turns * shared_cycles(program, &step->body[b]);
        if (step->kind != FX_STEP_RUN) continue;
        const fx_kernel *kernel = program->kernel[step->kernel];
        if (kernel->sched.parallel) cycles += (double)kernel->cost.cycles;
    }
    return cycles;
}

static bool has_symbols(const fx_program *program)
{
    return fx__dims_sym_count(program->dims) > 0;
}

static void share_nothing(fx_program *program)
{
    for (int32_t i = 0; i < program->n_kernel; i++) program->kernel[i]->sched.parallel = false;
}

fx_status fx__schedule_far_consts(const fx_program *program, const fx_target *target, fx_arena *arena, bool *out)
{
    bool *seen = FX_NEW_ARRAY(arena, bool, program->n_buf + 1);
    if (!seen) return fx__diag_oom(program->context);
    *out = run_const_bytes(program, &program->steps, seen) > target->l2;
    return FX_OK;
}

fx_status fx__pass_schedule(fx_program *program, const fx_pass_options *options)
{
    bool far_consts = false;
    FX_TRY(fx__schedule_far_consts(program, options->target, program->arena, &far_consts));
    for (int32_t i = 0; i < program->n_kernel; i++) {
        fx_schedule s = {.program = program, .kernel = program->kernel[i], .target = options->target, .far_consts = far_consts};
        FX_TRY(fx__tick(program->context));
        FX_TRY(fx__kernel_collapse(program, s.kernel));
        FX_TRY(choose(&s));
    }
    if (!has_symbols(program) && shared_cycles(program, &program->steps) < (double)WORTH_A_TEAM) share_nothing(program);
    program->scheduled = true;
    return FX_OK;
}
