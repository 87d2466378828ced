/* SPDX-License-Identifier: Apache-2.0 */
/* passes/block.c: recognises kernels that a block of rows goes through, see block.h. */
#include "passes/block.h"

enum { HEIGHT_OF_A_SIZE = 8 }; /* rows of a number that is known at run time only: a power of two */

static bool uses_axis(const fx_access *access, uint8_t axis)
{
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++)
            if (access->at[d].term[t].axis == axis) return true;
    return false;
}

static bool is_plain(const fx_program *program, const fx_kernel *kernel, const fx_access *access)
{
    if (access->guarded || access->clamped) return false;
    for (uint8_t i = 0; i < kernel->n_axis; i++)
        if (fx__access_stride(program, kernel, access, i) == FX_DIM_BAD) return false;
    return true;
}

/* Width of the panels when an access is [..., column div width, ..., column mod width]; 0: it is not. */
static int64_t panel_width(const fx_access *access, uint8_t columns)
{
    int64_t width = 0;
    for (int d = 0; d + 1 < access->rank; d++) {
        const fx_term *term = &access->at[d].term[0];
        if (access->at[d].n == 1 && term->axis == columns && term->div > 1 && term->mod == 0) width = term->div;
    }
    if (width == 0) return 0;
    const fx_index *last = &access->at[access->rank - 1];
    bool fits = last->n == 1 && last->base == 0 && last->term[0].axis == columns && last->term[0].coef == 1 &&
                last->term[0].div == 1 && last->term[0].mod == width;
    return fits ? width : 0;
}

static uint16_t skip_casts(const fx_kstage *stage, uint16_t e)
{
    while (stage->expr[e].op == FX_X_CAST) e = stage->expr[e].a;
    return e;
}

/* One factor moves along the rows, the other along the columns. */
static bool find_factors(const fx_program *program, const fx_kernel *kernel, uint8_t row, fx_block_group *group)
{
    const fx_kstage *stage = &kernel->stage[group->first];
    const fx_expr *product = &stage->expr[stage->value];
    uint16_t e[2] = {skip_casts(stage, product->a), skip_casts(stage, product->b)};
    if (stage->expr[e[0]].op != FX_X_LOAD || stage->expr[e[1]].op != FX_X_LOAD || stage->acc != FX_F32) return false;
    int b = uses_axis(&kernel->access[stage->expr[e[0]].u.access], group->columns) ? 0 : 1;
    group->b_expr = e[b];
    group->b = stage->expr[e[b]].u.access;
    const fx_access *of_rows = &kernel->access[stage->expr[e[1 - b]].u.access], *of_columns = &kernel->access[group->b];
    group->panel = panel_width(of_columns, group->columns);
    if (!is_plain(program, kernel, of_rows) || (group->panel == 0 && !is_plain(program, kernel, of_columns))) return false;
    return uses_axis(of_columns, group->columns) && !uses_axis(of_columns, row) && !uses_axis(of_rows, group->columns);
}

static bool reads_result(const fx_kstage *stage, int first, int last)
{
    for (int e = 0; e < stage->n_expr; e++)
        if (stage->expr[e].op == FX_X_STAGE && (stage->expr[e].u.stage < first || stage->expr[e].u.stage >= last)) return true;
    return false;
}

static bool has_inner(const fx_kstage *stage, uint8_t axis)
{
    return stage->n_inner == 1 && stage->inner[0] == axis;
}

/* A contraction over one inner axis, whose result goes through MAPs over the same axis to where others find it. */
static bool read_contraction(const fx_program *program, const fx_kernel *kernel, uint8_t row, fx_block_group *group)
{
    const fx_kstage *stage = &kernel->stage[group->first];
    if (stage->n_inner != 1 || stage->n_out > 0) return false;
    group->contracts = true;
    group->columns = stage->inner[0];
    group->last = (uint8_t)(group->first + 1);
    while (group->last < kernel->n_stage && kernel->stage[group->last].kind == FX_STAGE_MAP &&
           has_inner(&kernel->stage[group->last], group->columns))
        group->last++;
    for (int s = group->first; s < group->last; s++)
        if (reads_result(&kernel->stage[s], group->first, group->last)) return false;
    return group->last > group->first + 1 && find_factors(program, kernel, row, group);
}

/* Row stages run along one axis, the same one in all of them, in f32. */
static bool read_rows(const fx_kernel *kernel, fx_block_group *group, uint8_t *sweep)
{
    group->last = group->first;
    for (; group->last < kernel->n_stage && kernel->stage[group->last].kind != FX_STAGE_CONTRACT; group->last++) {
        const fx_kstage *stage = &kernel->stage[group->last];
        bool reduces = stage->kind == FX_STAGE_REDUCE;
        if (stage->prefix || (reduces ? stage->n_inner != 0 || stage->n_red != 1 : stage->n_inner != 1)) return false;
        uint8_t axis = reduces ? stage->red[0] : stage->inner[0];
        if (*sweep != FX_NO_AXIS && axis != *sweep) return false;
        *sweep = axis;
        for (int e = 0; e < stage->n_expr; e++)
            if (stage->expr[e].dtype != FX_F32 && stage->expr[e].dtype != FX_BOOL) return false;
    }
    for (int s = group->first; s < group->last; s++)
        if (reads_result(&kernel->stage[s], group->first, group->last)) return false;
    return true;
}

fx_tile fx__block_tile(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_block_roles *roles)
{
    const fx_dims *dims = program->dims;
    fx_tile_task task = {.lanes = fx__target_lanes(target, FX_F32), .contracts = 1};
    int32_t nv = 0;
    task.rows = fx__dim_hint(dims, kernel->axis[roles->row].extent);
    for (int g = 0; g < roles->n_group; g++) {
        const fx_block_group *group = &roles->group[g];
        int64_t columns = group->contracts ? fx__dim_hint(dims, kernel->axis[group->columns].extent) : 0;
        if (columns > task.columns) task.columns = columns;
        if (group->contracts && group->panel > 0) nv = (int32_t)(group->panel / task.lanes);
    }
    fx_tile tile = fx__tile_choose(target, &task, nv);
    if (!fx_dim_is_const(kernel->axis[roles->row].extent) && tile.mr > HEIGHT_OF_A_SIZE) tile.mr = HEIGHT_OF_A_SIZE;
    return tile;
}

bool fx__block_reads(const fx_program *program, const fx_kernel *kernel, fx_block_roles *out)
{
    *out = (fx_block_roles){.sweep = FX_NO_AXIS};
    if (kernel->n_outer == 0) return false;
    out->row = (uint8_t)(kernel->n_outer - 1);
    for (int s = 0; s < kernel->n_stage;) {
        if (out->n_group == FX_BLOCK_GROUPS) return false;
        fx_block_group *group = &out->group[out->n_group++];
        *group = (fx_block_group){.first = (uint8_t)s};
        bool contracts = kernel->stage[s].kind == FX_STAGE_CONTRACT;
        bool good = contracts ? read_contraction(program, kernel, out->row, group) : read_rows(kernel, group, &out->sweep);
        if (!good) return false;
        s = group->last;
    }
    return true;
}

bool fx__block_roles(const fx_program *program, const fx_kernel *kernel, fx_block_roles *out)
{
    bool starts = kernel->n_stage > 0 && kernel->stage[0].kind == FX_STAGE_CONTRACT;
    return starts && fx__block_reads(program, kernel, out) && out->sweep != FX_NO_AXIS;
}
