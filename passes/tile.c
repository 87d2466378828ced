/* SPDX-License-Identifier: Apache-2.0 */
/* passes/tile.c: roles and register tiles of contractions, see tile.h. The measure of a tile is cycles per step of K: FMAs, loads
 * and the latency that too few accumulators leave open; rows are split evenly, columns are padded to whole panels. */
#include "passes/tile.h"
#include <string.h>

/* ---- Roles ------------------------------------------------------------------------------------------------------------- */

static uint16_t skip_casts(const fx_kstage *stage, uint16_t expr)
{
    while (stage->expr[expr].op == FX_X_CAST) expr = stage->expr[expr].a;
    return expr;
}

static void mark_axes(const fx_access *access, bool *in)
{
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++) in[access->at[d].term[t].axis] = true;
}

/* The outer axis along which the result is stored with stride 1. */
static uint8_t find_unit_axis(const fx_program *program, const fx_kernel *kernel, const fx_access *store)
{
    for (uint8_t i = 0; i < kernel->n_outer; i++)
        if (kernel->axis[i].extent != 1 && fx__access_stride(program, kernel, store, i) == 1) return i;
    return FX_NO_AXIS;
}

static bool is_affine(const fx_program *program, const fx_kernel *kernel, const fx_access *access)
{
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].value >= 0) return false;
    for (uint8_t i = 0; i < kernel->n_axis; i++)
        if (fx__access_stride(program, kernel, access, i) == FX_DIM_BAD) return false;
    return true;
}

static bool is_sibling(const fx_kstage *a, const fx_kstage *b)
{
    if (b->kind != FX_STAGE_CONTRACT || b->n_red != a->n_red || b->acc != a->acc) return false;
    for (int i = 0; i < a->n_red; i++)
        if (a->red[i] != b->red[i]) return false;
    return true;
}

/* Contractions over the same axes first, then MAPs of the same points. 0: something else; else how many contractions. */
static int count_contracts(const fx_kernel *kernel)
{
    if (kernel->n_stage < 2 || kernel->stage[0].kind != FX_STAGE_CONTRACT) return 0;
    int n = 1;
    while (n < kernel->n_stage && n <= FX_SIBLINGS && is_sibling(&kernel->stage[0], &kernel->stage[n])) n++;
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        if (stage->n_inner > 0 || (s < n ? stage->n_out > 0 : stage->kind != FX_STAGE_MAP)) return 0;
    }
    return n < kernel->n_stage && kernel->stage[kernel->n_stage - 1].n_out > 0 ? n : 0;
}

enum { ROW_FILLS = 6 };

/* The innermost axis of A alone that fills a tile, because inner ones walk memory forward; else the longest. */
static uint8_t find_row(const fx_program *program, const fx_kernel *kernel, const fx_roles *roles)
{
    uint8_t best = FX_NO_AXIS;
    int64_t best_extent = 1;
    for (uint8_t i = 0; i < kernel->n_outer; i++) {
        int64_t extent = fx__dim_hint(program->dims, kernel->axis[i].extent);
        if (!roles->in_a[i] || roles->in_b[i] || kernel->axis[i].extent == 1) continue;
        if (best != FX_NO_AXIS && extent < best_extent && extent < ROW_FILLS) continue;
        best = i;
        best_extent = extent;
    }
    return best;
}

/* The B of stage s, whose other factor must be A and which must move along the axes of the first B. */
static bool find_sibling(const fx_program *program, const fx_kernel *kernel, int s, fx_roles *out)
{
    const fx_kstage *stage = &kernel->stage[s];
    const fx_expr *product = &stage->expr[stage->value];
    uint16_t a = skip_casts(stage, product->a), b = skip_casts(stage, product->b);
    if (stage->expr[a].op != FX_X_LOAD || stage->expr[b].op != FX_X_LOAD) return false;
    if (stage->expr[a].u.access != out->a) {
        uint16_t other = a;
        a = b;
        b = other;
    }
    const fx_access *access = &kernel->access[stage->expr[b].u.access];
    bool in[FX_AXES] = {false};
    mark_axes(access, in);
    if (stage->expr[a].u.access != out->a || memcmp(in, out->in_b, sizeof in) != 0 || access->guarded) return false;
    out->sibling_b[s - 1] = stage->expr[b].u.access;
    out->sibling_expr[s - 1] = b;
    return is_affine(program, kernel, access);
}

bool fx__tile_roles(const fx_program *program, const fx_kernel *kernel, fx_roles *out)
{
    int contracts = count_contracts(kernel);
    if (contracts == 0) return false;
    const fx_kstage *stage = &kernel->stage[0], *last = &kernel->stage[kernel->n_stage - 1];
    const fx_expr *product = &stage->expr[stage->value];
    uint16_t a = skip_casts(stage, product->a), b = skip_casts(stage, product->b);
    *out = (fx_roles){.a = stage->expr[a].u.access, .b = stage->expr[b].u.access, .b_expr = b, .store = last->out[0].access};
    out->vec = find_unit_axis(program, kernel, &kernel->access[out->store]);
    if (out->vec == FX_NO_AXIS || stage->expr[a].op != FX_X_LOAD || stage->expr[b].op != FX_X_LOAD) return false;
    mark_axes(&kernel->access[out->a], out->in_a);
    mark_axes(&kernel->access[out->b], out->in_b);
    if (out->in_a[out->vec] && !out->in_b[out->vec]) {
        uint16_t access = out->a;
        out->a = out->b;
        out->b = access;
        out->b_expr = a;
        for (int i = 0; i < FX_AXES; i++) {
            bool in = out->in_a[i];
            out->in_a[i] = out->in_b[i];
            out->in_b[i] = in;
        }
    }
    if (out->in_a[out->vec] || !out->in_b[out->vec] || kernel->access[out->b].guarded) return false;
    if (!is_affine(program, kernel, &kernel->access[out->a]) || !is_affine(program, kernel, &kernel->access[out->b])) return false;
    out->row = find_row(program, kernel, out);
    for (out->contracts = 1; out->contracts < contracts; out->contracts++)
        if (!find_sibling(program, kernel, out->contracts, out)) return false;
    return true;
}

/* Is A read through a guard or at a sum of axes? */
static bool is_window(const fx_access *a)
{
    if (a->guarded) return true;
    for (int d = 0; d < a->rank; d++)
        if (a->at[d].n > 1) return true;
    return false;
}

fx_tile_task fx__tile_task(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_roles *roles)
{
    const fx_access *a = &kernel->access[roles->a];
    fx_tile_task task = {.lanes = fx__target_lanes(target, kernel->stage[0].acc),
                         .rows = 1,
                         .contracts = roles->contracts,
                         .columns = fx__dim_hint(program->dims, kernel->axis[roles->vec].extent),
                         .window = is_window(a)};
    if (roles->row == FX_NO_AXIS) return task;
    int64_t stride = fx__dim_hint(program->dims, fx__access_stride(program, kernel, a, roles->row));
    task.rows = fx__dim_hint(program->dims, kernel->axis[roles->row].extent);
    task.row_bytes = stride * (int64_t)fx_dtype_bytes(kernel->arg[a->arg].dtype);
    task.far_rows = !fx_dim_is_const(fx__access_stride(program, kernel, a, roles->row));
    return task;
}

/* ---- Panels in scratch --------------------------------------------------------------------------------------------------- */

/* No outer axis but row and vec moves one factor alone, and rows are known. */
static bool is_plain_product(const fx_kernel *kernel, const fx_roles *roles)
{
    for (uint8_t i = 0; i < kernel->n_outer; i++)
        if (i != roles->row && i != roles->vec && roles->in_a[i] != roles->in_b[i]) return false;
    return roles->contracts == 1 && roles->row != FX_NO_AXIS && fx_dim_is_const(kernel->axis[roles->row].extent);
}

enum { ROWS_WORTH_PANELS = 64, COLUMNS_OF_A_PANEL = 32 };

bool fx__tile_makes_panels(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_roles *roles)
{
    const fx_access *b = &kernel->access[roles->b];
    if (!is_plain_product(kernel, roles) || kernel->access[roles->a].guarded) return false;
    if (fx__access_stride(program, kernel, b, roles->vec) != 1) return false;
    double row = (double)fx__sched_panel_rows(kernel) * (double)fx_dtype_bytes(kernel->arg[b->arg].dtype);
    double bytes = row * (double)fx__dim_hint(program->dims, kernel->axis[roles->vec].extent);
    return bytes > (double)target->l2 / 2 && row > 0 && row * (double)COLUMNS_OF_A_PANEL < (double)target->l2 / 2 &&
           fx__dim_hint(program->dims, kernel->axis[roles->row].extent) >= ROWS_WORTH_PANELS;
}

/* ---- Tile sizes -------------------------------------------------------------------------------------------------------- */

static const double fma_latency = 4, loads_per_cycle = 2;

/* Cycles of one step of K in a tile of this height. */
static double step_cycles(const fx_target *target, int32_t height, int32_t nv)
{
    double fma = (double)height * nv / target->fma_per_cycle, load = (double)(height + nv) / loads_per_cycle;
    double cycles = fma > load ? fma : load;
    return cycles > fma_latency ? cycles : fma_latency;
}

static double tile_cycles(const fx_target *target, const fx_tile_task *task, int32_t mr, int32_t nv)
{
    int64_t rows = task->rows, tiles = (rows + mr - 1) / mr, height = (rows + tiles - 1) / tiles,
            tall = rows - tiles * (height - 1);
    int64_t panels = (task->columns + (int64_t)task->lanes * nv - 1) / ((int64_t)task->lanes * nv);
    double sweep = (double)tall * step_cycles(target, (int32_t)height, nv * task->contracts);
    if (tall < tiles) sweep += (double)(tiles - tall) * step_cycles(target, (int32_t)height - 1, nv * task->contracts);
    return sweep * (double)panels;
}

/* Order in which equally good widths are taken. Tall and narrow first: bytes of B per FMA fall with the height, and B comes from
 * L2; measured, 7 x 2 vectors for convolutions and 13 x 2 for products are up to 14 % faster than 6 x 4. Where the rows of A lie
 * whole pages apart their lines compete for one set of the first-level cache, which has 8 to 12 places: few rows, and wide. */
enum { WIDTHS = 8, TALLEST_WINDOW = 8, TALLEST = 14, TALLEST_CROWDED = 8, TALLEST_FAR = 8, CROWDED_BYTES = 4096 };
static const int32_t narrow_first[WIDTHS] = {2, 3, 4, 1, 6, 8, 5, 7}, wide_first[WIDTHS] = {3, 4, 2, 1, 6, 8, 5, 7};

/* The best height for a width, if it beats `best`. */
static void try_width(const fx_target *target, const fx_tile_task *task, int32_t width, int32_t tallest, fx_tile *best)
{
    int32_t vectors = width * task->contracts, fitting = (target->vregs - target->reserve - 1 - vectors) / vectors;
    for (int32_t mr = tallest < fitting ? tallest : fitting; mr >= 1; mr--) {
        double cycles = tile_cycles(target, task, mr, width);
        if (best->cycles == 0 || cycles < best->cycles * 0.98) *best = (fx_tile){.mr = mr, .nv = width, .cycles = cycles};
    }
}

fx_tile fx__tile_choose(const fx_target *target, const fx_tile_task *given, int32_t nv)
{
    fx_tile_task task = *given;
    fx_tile best = {.mr = 1, .nv = 1};
    bool crowded = !task.window && task.row_bytes != 0 && task.row_bytes % CROWDED_BYTES == 0;
    if (task.rows < 1) task.rows = 1;
    if (task.columns < 1) task.columns = 1;
    for (int i = 0; i < WIDTHS; i++) {
        int32_t width = crowded ? wide_first[i] : narrow_first[i];
        bool empty = (int64_t)task.lanes * (width - 1) >= task.columns; /* some vector would hold no column at all */
        if (nv != 0 ? width != nv : empty) continue;
        int32_t tallest = task.window ? TALLEST_WINDOW : crowded ? TALLEST_CROWDED : task.far_rows ? TALLEST_FAR : TALLEST;
        try_width(target, &task, width, tallest, &best);
    }
    int64_t tiles = (task.rows + best.mr - 1) / best.mr;
    best.mr = (int32_t)((task.rows + tiles - 1) / tiles);
    return best;
}
