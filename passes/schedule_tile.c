/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule_tile.c: loops of contractions: register tile, merged loops over K, order of panels and rows, tasks. Rows are
 * shared out when there are enough of them, panels of columns otherwise: a thread then keeps its panels in its own cache. */
#include "passes/schedule.h"
#include "ir/diag.h"

enum { ENOUGH_TASKS = 8, STEPS_OF_A_TURN = 2 };

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

/* Outer axes besides row and vec, by the factors they move: both (a batch), A alone, B alone; and how often they step. */
typedef enum { SHARED, ROWS, PANELS, GROUPS } axis_group;
typedef struct axes {
    uint8_t axis[GROUPS][FX_AXES];
    int n[GROUPS];
    int64_t points[GROUPS]; /* tiles and strips included */
    int64_t tiles;          /* of the row axis */
    int64_t bytes[2];       /* of A and B, for one point of the batch */
} axes;

/* What is read of a factor: windows overlap, and strides leave out. */
static int64_t factor_bytes(const fx_schedule *s, uint16_t access, const bool *in, int64_t batch)
{
    const fx_arg *arg = &s->kernel->arg[s->kernel->access[access].arg];
    double elems = 1, points = 1;
    for (int d = 0; d < arg->rank; d++) elems *= (double)fx__dim_hint(s->program->dims, arg->dim[d]);
    for (uint8_t i = 0; i < s->kernel->n_axis; i++)
        if (in[i]) points *= (double)fx__schedule_extent(s, i);
    double bytes = (points < elems ? points : elems) * (double)fx_dtype_bytes(arg->dtype) / (double)(batch > 0 ? batch : 1);
    return bytes < 1e18 ? (int64_t)bytes : INT64_MAX / 8;
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
    out->bytes[0] = factor_bytes(s, roles->a, roles->in_a, out->points[SHARED]);
    out->bytes[1] = factor_bytes(s, roles->b, roles->in_b, out->points[SHARED]);
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

/* Panels of a block: as many as leave the second-level cache room for the next block beside them. */
static int64_t block_panels(const fx_schedule *s, const axes *a)
{
    int64_t panel = a->bytes[1] / (a->points[PANELS] > 0 ? a->points[PANELS] : 1);
    return s->target->l2 / 3 / (panel > 0 ? panel : 1);
}

/* B that fits L2 is walked through for every tile of rows, whose A then stays in L1. A larger B is walked through once, panel by
 * panel, with all rows for each of them; when these do not fit L2 either, in blocks of panels that do, as where the tile makes the
 * panels. */
static void order_loops(fx_schedule *s, const fx_roles *roles, const axes *a, bool panels_first)
{
    fx_sched *sched = &s->kernel->sched;
    int64_t block = block_panels(s, a);
    sched->n_order = 0;
    append_group(sched, a, SHARED);
    if (panels_first) append_group(sched, a, PANELS);
    append_group(sched, a, ROWS);
    append_axis(sched, roles->row);
    if (!panels_first) append_group(sched, a, PANELS);
    append_axis(sched, roles->vec);
    sched->pack = fx__tile_makes_panels(s->target, s->program, s->kernel, roles);
    if (sched->pack)
        sched->block = (int32_t)(block < 1 ? 1 : block < a->points[PANELS] ? block : a->points[PANELS]);
    else if (panels_first && a->bytes[0] > s->target->l2 / 2 && block > 1 && block < a->points[PANELS])
        sched->block = (int32_t)block;
}

/* Steps of the innermost loop over K. */
static int64_t inner_steps(const fx_schedule *s)
{
    const fx_kstage *stage = &s->kernel->stage[0];
    const uint8_t *group = s->kernel->sched.kgroup;
    int64_t steps = 1;
    for (int i = stage->n_red - 1; i >= 0 && group[i] == group[stage->n_red - 1]; i--)
        steps *= fx__schedule_extent(s, stage->red[i]);
    return steps > 0 ? steps : 1;
}

static int64_t stride_bytes(const fx_schedule *s, uint16_t access, uint8_t axis)
{
    const fx_access *a = &s->kernel->access[access];
    int64_t stride = fx__dim_hint(s->program->dims, fx__access_stride(s->program, s->kernel, a, axis));
    return (stride < 0 ? -stride : stride) * (int64_t)fx_dtype_bytes(s->kernel->arg[a->arg].dtype);
}

enum { FETCH_MOST = 128 };

/* Bytes with each step, when so many are needed after so many steps; 0: none, or too many to be worth it. */
static int32_t fetch_of(int64_t bytes, int64_t steps)
{
    int64_t each = steps > 0 ? (bytes + steps - 1) / steps : 0;
    return each <= FETCH_MOST ? (int32_t)each : 0;
}

/* A's next rows are wanted when all panels, or those of a block, have met a tile; the next panels when all tiles have met these.
 * What lies in the first-level cache anyway is left alone, and so is a panel that meets one tile only: it is a stream. */
static void choose_fetch(fx_schedule *s, const fx_roles *roles, const axes *a, bool panels_first)
{
    fx_sched *sched = &s->kernel->sched;
    int64_t sweeps = sched->block > 0 ? sched->block : a->points[PANELS], tiles = a->points[ROWS];
    if ((!panels_first || sched->block > 0) && roles->row != FX_NO_AXIS && a->bytes[0] > s->target->l1)
        sched->fetch_a = fetch_of(sched->mr * stride_bytes(s, roles->a, roles->row), sweeps * inner_steps(s));
    if (panels_first && tiles > 1 && a->bytes[1] > s->target->l1)
        sched->fetch_b = fetch_of((int64_t)sched->nv * sched->lanes * stride_bytes(s, roles->b, roles->vec), tiles);
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
    choose_fetch(s, roles, &a, panels_first);
    share_axes(s, roles, &a, panels_first || few_rows || s->kernel->sched.pack);
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
    fx_tile_task task = fx__tile_task(s->target, s->program, s->kernel, &roles);
    fx_tile tile = fx__tile_choose(s->target, &task, panel_vectors(s, &roles, task.lanes));
    sched->emit = FX_EMIT_TILE;
    sched->vec = roles.vec;
    sched->row = roles.row;
    sched->lanes = (uint8_t)task.lanes;
    sched->mr = (uint8_t)tile.mr;
    sched->nv = (uint8_t)tile.nv;
    sched->unroll = STEPS_OF_A_TURN;
    group_reduced(s, &roles);
    s->kernel->cost.cycles = fx__schedule_cycles(s, contract_cycles(s, &roles, &tile));
    choose_loops(s, &roles);
    return FX_OK;
}
