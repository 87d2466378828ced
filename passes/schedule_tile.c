/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule_tile.c: loops of contractions: register tile, merged loops over K, order of panels and rows, tasks. Rows are
 * shared out when there are enough of them, panels of columns otherwise: a thread then keeps its panels in its own cache. */
#include "passes/schedule.h"
#include "ir/diag.h"

/* STEPS_AHEAD: of K; two hundred cycles or more, what the third-level cache takes. */
enum { ENOUGH_TASKS = 8, STEPS_AHEAD = 32 };

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

/* Outer axes besides row and vec, by the factors they move: both (a batch), A alone, B alone; and how often they step. */
typedef enum { SHARED, ROWS, PANELS, GROUPS } axis_group;
typedef struct axes {
    uint8_t axis[GROUPS][FX_AXES];
    int n[GROUPS];
    int64_t points[GROUPS]; /* tiles and strips included */
    int64_t tiles;          /* of the row axis */
    int64_t bytes[2];       /* of A and B, for one point of the batch */
} axes;

static int64_t factor_bytes(const fx_schedule *s, uint16_t access, int64_t batch)
{
    const fx_arg *arg = &s->kernel->arg[s->kernel->access[access].arg];
    int64_t elems = 1;
    for (int d = 0; d < arg->rank; d++) elems *= fx__dim_hint(s->program->dims, arg->dim[d]);
    return elems * (int64_t)fx_dtype_bytes(arg->dtype) / (batch > 0 ? batch : 1);
}

static void sort_axes(const fx_schedule *s, const fx_roles *roles, axes *out)
{
    const fx_sched *sched = &s->kernel->sched;
    int64_t step = (int64_t)sched->nv * sched->lanes;
    *out = (axes){.points = {1, 1, 1}, .tiles = 1};
    for (uint8_t i = 0; i < s->kernel->n_outer; i++) {
        if (i == roles->row || i == roles->vec) continue;
        axis_group group = roles->in_a[i] == roles->in_b[i] ? SHARED : roles->in_a[i] ? ROWS : PANELS;
        out->axis[group][out->n[group]++] = i;
        out->points[group] *= fx__schedule_extent(s, i);
    }
    if (roles->row != FX_NO_AXIS) out->tiles = (fx__schedule_extent(s, roles->row) + sched->mr - 1) / sched->mr;
    out->bytes[0] = factor_bytes(s, roles->a, out->points[SHARED]);
    out->bytes[1] = factor_bytes(s, roles->b, out->points[SHARED]);
    out->points[ROWS] *= out->tiles;
    out->points[PANELS] *= (fx__schedule_extent(s, roles->vec) + step - 1) / step;
}

static void append_group(fx_sched *sched, const axes *a, axis_group group)
{
    for (int i = 0; i < a->n[group]; i++) sched->order[sched->n_order++] = a->axis[group][i];
}

static void append_axis(fx_sched *sched, uint8_t axis)
{
    if (axis != FX_NO_AXIS) sched->order[sched->n_order++] = axis;
}

/* Rows of a pass: as many as leave L2 room for a panel beside them. */
static int32_t pass_rows(const fx_schedule *s, const fx_roles *roles, const axes *a)
{
    int64_t rows = fx__schedule_extent(s, roles->row), mr = s->kernel->sched.mr;
    int64_t fitting = s->target->l2 / 4 / (a->bytes[0] / rows + 1) / mr * mr;
    return (int32_t)(fitting > 4 * mr ? fitting : 4 * mr);
}

/* B that fits L2 is walked through for every tile of rows, whose A then stays in L1. A larger B is walked through once, panel by
 * panel, with all rows for each of them, or with as many as fit L2. */
static void order_loops(fx_schedule *s, const fx_roles *roles, const axes *a, bool panels_first)
{
    fx_sched *sched = &s->kernel->sched;
    bool passes = panels_first && a->n[ROWS] == 0 && a->tiles > 1 && a->bytes[0] > s->target->l2 / 2;
    sched->n_order = 0;
    append_group(sched, a, SHARED);
    if (passes) {
        sched->block = pass_rows(s, roles, a);
        append_axis(sched, roles->row);
    }
    if (panels_first) append_group(sched, a, PANELS);
    append_group(sched, a, ROWS);
    if (!passes) append_axis(sched, roles->row);
    if (!panels_first) append_group(sched, a, PANELS);
    append_axis(sched, roles->vec);
}

static void share_axes(fx_schedule *s, const fx_roles *roles, const axes *a, bool panels_first)
{
    uint8_t task[3];
    int n = 0;
    axis_group group = a->points[SHARED] >= ENOUGH_TASKS ? SHARED : panels_first ? PANELS : ROWS;
    int64_t row_points = a->tiles > 0 ? a->points[ROWS] / a->tiles : 0; /* no tiles: an axis of extent 0 */
    if (group == ROWS && (row_points < 2 || row_points * 2 < a->tiles) && roles->row != FX_NO_AXIS)
        task[n++] = roles->row;
    else if (group == PANELS && a->n[PANELS] == 0)
        task[n++] = roles->vec;
    else
        for (; n < a->n[group] && n < 3; n++) task[n] = a->axis[group][n];
    fx__schedule_tasks(s, task, n);
}

static void choose_loops(fx_schedule *s, const fx_roles *roles)
{
    axes a;
    sort_axes(s, roles, &a);
    bool streams = a.bytes[1] > s->target->l2 / 2;
    bool few_rows = a.points[ROWS] < ENOUGH_TASKS && a.points[ROWS] < a.points[PANELS];
    bool panels_first = a.n[PANELS] > 0 && (few_rows || (streams && a.points[PANELS] >= ENOUGH_TASKS));
    order_loops(s, roles, &a, panels_first);
    if (panels_first && streams) s->kernel->sched.ahead = STEPS_AHEAD;
    share_axes(s, roles, &a, panels_first || few_rows);
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
    choose_loops(s, &roles);
    return FX_OK;
}
