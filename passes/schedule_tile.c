/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule_tile.c: loops of contractions: register tile, merged loops over K, order of panels and rows, tasks. Rows are
 * shared out when there are enough of them, panels of columns otherwise: a thread then keeps its panels in its own cache. */
#include "passes/schedule.h"
#include "ir/diag.h"

enum { ENOUGH_TASKS = 8 };

/* Is red[i]'s loop, continued by red[i+1]'s, one contiguous walk through this factor? */
static bool continues(const fx_schedule *s, uint16_t access, uint8_t outer, uint8_t inner)
{
    const fx_access *a = &s->kernel->access[access];
    fx_dims *dims = s->program->dims;
    fx_dim step = fx__access_stride(s->program, s->kernel, a, outer), next = fx__access_stride(s->program, s->kernel, a, inner);
    return fx__dim_equal(dims, step, fx__dim_mul(dims, next, s->kernel->axis[inner].extent));
}

static void group_reduced(fx_schedule *s, const fx_roles *roles)
{
    const fx_kstage *stage = &s->kernel->stage[0];
    uint8_t group = 0;
    for (int i = 0; i < stage->n_red; i++) {
        bool merged = i > 0 && continues(s, roles->a, stage->red[i - 1], stage->red[i]) &&
                      continues(s, roles->b, stage->red[i - 1], stage->red[i]);
        if (i > 0 && !merged) group++;
        s->kernel->sched.kgroup[i] = group;
    }
}

/* Columns of one strip when B is a panel: its last dim, whose rows are zero-padded. */
static int32_t panel_vectors(const fx_schedule *s, const fx_roles *roles, int32_t lanes)
{
    const fx_access *b = &s->kernel->access[roles->b];
    const fx_arg *arg = &s->kernel->arg[b->arg];
    fx_dim width = arg->rank > 0 ? arg->dim[arg->rank - 1] : 0;
    bool whole = fx_dim_is_const(width) && width % lanes == 0 && width == s->kernel->axis[roles->vec].extent &&
                 fx__index_single(&b->at[arg->rank - 1]) == roles->vec;
    return whole && width / lanes <= 8 ? (int32_t)(width / lanes) : 0;
}

static fx_tile choose_tile(fx_schedule *s, const fx_roles *roles)
{
    int32_t lanes = fx__tile_lanes(s->target, &s->kernel->stage[0]), nv = panel_vectors(s, roles, lanes);
    int64_t columns = fx__schedule_extent(s, roles->vec);
    bool window = fx__tile_is_window(s->kernel, roles);
    int64_t rows = fx__tile_rows(s->program, s->kernel, roles);
    return fx__tile_choose(s->target, lanes, rows, columns, window, nv);
}

/* Counts the iterations of the outer axes that only move A (rows), and of those that only move B (panels), tiles and strips
 * included. */
static void order_loops(fx_schedule *s, const fx_roles *roles)
{
    fx_sched *sched = &s->kernel->sched;
    uint8_t shared[FX_AXES], rows[FX_AXES], panels[FX_AXES], task[3];
    int n_shared = 0, n_row = 0, n_panel = 0, n_task = 0;
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) {
        if (i == roles->row || i == roles->vec) continue;
        if (roles->in_a[i] == roles->in_b[i])
            shared[n_shared++] = i;
        else if (roles->in_a[i])
            rows[n_row++] = i;
        else
            panels[n_panel++] = i;
    }
    int64_t points[3] = {1, 1, 1};
    for (int i = 0; i < n_shared; i++) points[0] *= fx__schedule_extent(s, shared[i]);
    for (int i = 0; i < n_row; i++) points[1] *= fx__schedule_extent(s, rows[i]);
    for (int i = 0; i < n_panel; i++) points[2] *= fx__schedule_extent(s, panels[i]);
    int64_t tiles = roles->row == FX_NO_AXIS ? 1 : (fx__schedule_extent(s, roles->row) + sched->mr - 1) / sched->mr;
    int64_t strips =
        (fx__schedule_extent(s, roles->vec) + (int64_t)sched->nv * sched->lanes - 1) / ((int64_t)sched->nv * sched->lanes);
    sched->n_order = 0;
    for (int i = 0; i < n_shared; i++) sched->order[sched->n_order++] = shared[i];
    bool by_rows = points[1] >= ENOUGH_TASKS || points[1] * tiles >= points[2] * strips;
    bool by_shared = points[0] >= ENOUGH_TASKS;
    bool panels_first = !by_shared && !by_rows && n_panel > 0;
    for (int i = 0; i < n_panel && panels_first; i++) sched->order[sched->n_order++] = panels[i];
    if (by_shared) {
        for (int i = 0; i < n_shared && n_task < 3; i++) task[n_task++] = shared[i];
    } else if (panels_first) {
        for (int i = 0; i < n_panel && n_task < 3; i++) task[n_task++] = panels[i];
    } else if (by_rows && points[1] >= 2 && points[1] * 2 >= tiles) {
        for (int i = 0; i < n_row && n_task < 3; i++) task[n_task++] = rows[i];
    } else if (by_rows && roles->row != FX_NO_AXIS) {
        task[n_task++] = roles->row;
    } else {
        task[n_task++] = roles->vec;
    }
    for (int i = 0; i < n_panel && !panels_first; i++) sched->order[sched->n_order++] = panels[i];
    for (int i = 0; i < n_row; i++) sched->order[sched->n_order++] = rows[i];
    if (roles->row != FX_NO_AXIS) sched->order[sched->n_order++] = roles->row;
    sched->order[sched->n_order++] = roles->vec;
    fx__schedule_tasks(s, task, n_task);
}

/* Cycles: the tile's, times steps of K, times every outer axis that the tile does not cover. */
static double contract_cycles(const fx_schedule *s, const fx_roles *roles, const fx_tile *tile)
{
    const fx_kstage *stage = &s->kernel->stage[0];
    double cycles = tile->cycles;
    for (int i = 0; i < stage->n_red; i++) cycles *= (double)fx__schedule_extent(s, stage->red[i]);
    for (uint8_t i = 0; i < s->kernel->n_outer; i++)
        if (i != roles->row && i != roles->vec) cycles *= (double)fx__schedule_extent(s, i);
    return cycles;
}

fx_status fx__schedule_tile(fx_schedule *s)
{
    fx_roles roles;
    fx_sched *sched = &s->kernel->sched;
    if (!fx__tile_roles(s->program, s->kernel, &roles))
        return fx__diag(s->program->context, FX_E_INTERNAL, NULL, "a contraction without a tile reached schedule");
    fx_tile tile = choose_tile(s, &roles);
    sched->emit = FX_EMIT_TILE;
    sched->vec = roles.vec;
    sched->row = roles.row;
    sched->lanes = (uint8_t)fx__tile_lanes(s->target, &s->kernel->stage[0]);
    sched->mr = (uint8_t)tile.mr;
    sched->nv = (uint8_t)tile.nv;
    group_reduced(s, &roles);
    s->kernel->cost.cycles = fx__schedule_cycles(s, contract_cycles(s, &roles, &tile));
    order_loops(s, &roles);
    return FX_OK;
}
