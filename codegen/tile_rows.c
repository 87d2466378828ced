/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile_rows.c: cuts a static row axis into tiles of two adjacent heights (17 = 9 + 8), and where a guard moves with the row
 * (padding along the width of a convolution) sorts the tiles into classes: the interior, which carries no test, and border tiles
 * whose rows are inside for constant runs of the kernel's columns. */
#include "codegen/tile.h"
#include <string.h>

/* The guarded dim as base + row_coef * row + red_coef * k, inside when in [0, extent). */
typedef struct row_guard {
    int64_t base, row_coef, red_coef, extent, n_red;
} row_guard;

static bool add_term(const fx_kernel *kernel, const fx_tile_sweep *sweep, int row, const fx_term *term, row_guard *out)
{
    const fx_kstage *stage = &kernel->stage[sweep->stage[0]];
    if (!fx_dim_is_const(term->coef)) return false;
    if (term->axis == row)
        out->row_coef = term->coef;
    else if (sweep->guard_red >= 0 && term->axis == stage->red[sweep->guard_red])
        out->red_coef = term->coef;
    else
        return false;
    return true;
}

/* False: not all of it is constant. */
static bool read_guard(const fx_kernel *kernel, const fx_tile_sweep *sweep, int row, row_guard *out)
{
    const fx_access *access = &kernel->access[sweep->stream[sweep->guard_stream].access];
    const fx_index *index = &access->at[sweep->guard_dim];
    fx_dim extent = kernel->arg[access->arg].dim[sweep->guard_dim];
    fx_dim n_red = sweep->guard_red < 0 ? 1 : kernel->axis[kernel->stage[sweep->stage[0]].red[sweep->guard_red]].extent;
    if (!fx_dim_is_const(index->base) || !fx_dim_is_const(extent) || !fx_dim_is_const(n_red)) return false;
    *out = (row_guard){.base = index->base, .extent = extent, .n_red = n_red};
    for (int t = 0; t < index->n; t++)
        if (!add_term(kernel, sweep, row, &index->term[t], out)) return false;
    return true;
}

static bool inside(const row_guard *guard, int64_t row, int64_t k)
{
    int64_t at = guard->base + guard->row_coef * row + guard->red_coef * k;
    return at >= 0 && at < guard->extent;
}

/* Rows of the tile that are inside for k: an interval, since the index is linear in the row. */
static fx_tile_run rows_inside(const row_guard *guard, int64_t row, int32_t height, int64_t k)
{
    fx_tile_run run = {.k0 = (int32_t)k, .k1 = (int32_t)k + 1};
    while (run.r0 < height && !inside(guard, row + run.r0, k)) run.r0++;
    for (run.r1 = run.r0; run.r1 < height && inside(guard, row + run.r1, k);) run.r1++;
    return run;
}

static bool find_runs(const row_guard *guard, fx_tile_class *cls)
{
    cls->n_run = 0;
    for (int64_t k = 0; k < guard->n_red; k++) {
        fx_tile_run run = rows_inside(guard, cls->row, cls->height, k);
        fx_tile_run *last = cls->n_run ? &cls->run[cls->n_run - 1] : NULL;
        if (run.r0 == run.r1) continue;
        if (last && last->k1 == run.k0 && last->r0 == run.r0 && last->r1 == run.r1)
            last->k1++;
        else if (cls->n_run == TILE_RUNS)
            return false;
        else
            cls->run[cls->n_run++] = run;
    }
    const fx_tile_run *only = &cls->run[0];
    if (cls->n_run == 1 && only->k0 == 0 && only->k1 == guard->n_red && only->r0 == 0 && only->r1 == cls->height) cls->n_run = -1;
    return true;
}

static bool same_class(const fx_tile_class *a, const fx_tile_class *b)
{
    if (a->height != b->height || a->n_run != b->n_run) return false;
    return a->n_run <= 0 || memcmp(a->run, b->run, (size_t)a->n_run * sizeof a->run[0]) == 0;
}

static bool add_tile(fx_tile_rows *rows, const fx_tile_class *tile)
{
    fx_tile_class *last = rows->n_class ? &rows->cls[rows->n_class - 1] : NULL;
    if (last && same_class(last, tile)) {
        last->count++;
        return true;
    }
    if (rows->n_class == TILE_CLASSES) return false;
    rows->cls[rows->n_class++] = *tile;
    return true;
}

static void split_evenly(int64_t rows, int mr, fx_tile_rows *out)
{
    *out = (fx_tile_rows){.tiles = (rows + mr - 1) / mr};
    if (!out->tiles) return;
    out->low = rows / out->tiles;
    out->more = rows % out->tiles;
}

/* guard NULL: all rows are inside. */
static bool find_classes(const row_guard *guard, fx_tile_rows *out)
{
    int64_t row = 0;
    out->n_class = 0;
    for (int64_t t = 0; t < out->tiles; t++) {
        fx_tile_class tile = {.first = t, .count = 1, .row = row, .height = (int32_t)(out->low + (t < out->more)), .n_run = -1};
        if (guard && !find_runs(guard, &tile)) return false;
        if (!add_tile(out, &tile)) return false;
        row += tile.height;
    }
    return true;
}

bool fx__tile_plan_rows(const fx_kernel *kernel, const fx_tile_sweep *sweep, int row, int64_t rows, int mr, fx_tile_rows *out)
{
    row_guard guard;
    split_evenly(rows, mr, out);
    if (sweep->row_guard && read_guard(kernel, sweep, row, &guard) && find_classes(&guard, out)) return true;
    find_classes(NULL, out);
    return !sweep->row_guard;
}
