/* SPDX-License-Identifier: Apache-2.0 */
/* passes/algo.c: chooses algorithms: how a contraction reads its factors, and how long reductions are cut.
 *
 * Does     Axes that every access walks as one become one, so that tiles see the longest rows. CONTRACT: B goes into zero-padded
 *          panels [..., q, K..., NR] as wide as the register tile (algo_pack.c): by an init step when it is constant, by a copy
 *          kernel when its unit stride is K; without a vector axis it becomes a REDUCE of a product. REDUCE over a vector axis:
 *          constants along which it would jump are permuted. Long reductions to few points become partial ones (algo_split.c).
 * Needs    place: a collapsed kernel no longer has the dims of its buffers, by which slices are recognised.
 * Ensures  schedule finds a tile for every CONTRACT; the same sums in the same precision.
 * Cost     Linear in steps. */
#include "passes/algo.h"
#include "ir/diag.h"
#include "passes/block.h"

/* ---- Contractions ------------------------------------------------------------------------------------------------------ */

/* A kernel of this step alone, to be changed. */
static fx_kernel *own_kernel(fx_program *program, fx_step *step)
{
    fx_kernel *kernel = fx__kernel_clone(program, program->kernel[step->kernel]);
    int32_t index = kernel ? fx__program_add_kernel(program, kernel) : -1;
    if (index < 0) return NULL;
    step->kernel = index;
    return kernel;
}

static fx_status make_reduce(fx_program *program, fx_step *step)
{
    fx_kernel *kernel = own_kernel(program, step);
    if (!kernel) return fx__diag_oom(program->context);
    for (int s = 0; s < kernel->n_stage; s++) {
        if (kernel->stage[s].kind != FX_STAGE_CONTRACT) continue;
        kernel->stage[s].kind = FX_STAGE_REDUCE;
        kernel->stage[s].combine = FX_COMBINE_SUM;
    }
    return FX_OK;
}

/* May the columns past the end of a last panel be cut off by the stores' own extents? Then vec stands alone in a dim of its own
 * extent. */
static bool tail_is_guarded(const fx_program *program, const fx_kernel *kernel, uint8_t vec)
{
    for (int s = 1; s < kernel->n_stage; s++) {
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            const fx_access *store = &kernel->access[kernel->stage[s].out[o].access];
            bool alone = false;
            for (int d = 0; d < store->rank; d++)
                alone = alone || (fx__index_single(&store->at[d]) == vec &&
                                  fx__dim_equal(program->dims, kernel->arg[store->arg].dim[d], kernel->axis[vec].extent));
            if (!alone) return false;
        }
    }
    return true;
}

/* Width of the panels; 0: B keeps the axis whole. */
static int64_t panel_width(const fx_algo *algo, const fx_kernel *kernel, const fx_roles *roles)
{
    fx_dim columns = kernel->axis[roles->vec].extent;
    if (!fx_dim_is_const(columns)) return 0;
    fx_tile_task task = fx__tile_task(algo->target, algo->program, kernel, roles);
    int64_t width = (int64_t)fx__tile_choose(algo->target, &task, 0).nv * task.lanes;
    bool padded = roles->contracts == 1 && tail_is_guarded(algo->program, kernel, roles->vec);
    return columns % width == 0 || padded ? width : 0;
}

/* B is laid out by the loops over K, so these may follow A: its largest steps outside, runs of stride 1 innermost. */
static fx_status sort_reduced(fx_program *program, fx_step *step, const fx_roles *roles)
{
    const fx_kernel *kernel = program->kernel[step->kernel];
    const fx_access *a = &kernel->access[roles->a];
    fx_dim stride[FX_REDS];
    uint8_t red[FX_REDS];
    int n = kernel->stage[0].n_red;
    bool moved = false;
    for (int i = 0; i < n; i++) {
        fx_dim own = fx__access_stride(program, kernel, a, kernel->stage[0].red[i]);
        int at = i;
        if (!fx_dim_is_const(own)) return FX_OK;
        for (; at > 0 && stride[at - 1] < own; at--) {
            stride[at] = stride[at - 1];
            red[at] = red[at - 1];
            moved = true;
        }
        stride[at] = own;
        red[at] = kernel->stage[0].red[i];
    }
    if (!moved) return FX_OK;
    fx_kernel *own = own_kernel(program, step);
    if (!own) return fx__diag_oom(program->context);
    for (int i = 0; i < n; i++) own->stage[0].red[i] = red[i];
    return FX_OK;
}

enum { ROWS_WORTH_PACKING = 64 };

/* A run-time B beyond L2 is read column by column in strips, whose rows lie far apart: lines and pages are fetched anew for every
 * tile of rows, unless it is copied into panels first or the tile makes them. */
static bool worth_packing(const fx_algo *algo, const fx_kernel *kernel, const fx_roles *roles)
{
    const fx_dims *dims = algo->program->dims;
    const fx_kstage *stage = &kernel->stage[0];
    int64_t bytes = (int64_t)fx_dtype_bytes(kernel->arg[kernel->access[roles->b].arg].dtype);
    for (int i = 0; i < stage->n_red; i++) bytes *= fx__dim_hint(dims, kernel->axis[stage->red[i]].extent);
    bytes *= fx__dim_hint(dims, kernel->axis[roles->vec].extent);
    if (fx__tile_makes_panels(algo->target, algo->program, kernel, roles)) return false;
    return bytes > algo->target->l2 / 2 && fx__tile_task(algo->target, algo->program, kernel, roles).rows >= ROWS_WORTH_PACKING;
}

/* The B of stage s, after the first one has cut the columns into panels: its own panels beside them. */
static fx_status pack_sibling(fx_algo *algo, fx_block *block, int32_t *at, int s, bool *out_packed)
{
    const fx_kernel *kernel = algo->program->kernel[block->step[*at].kernel];
    fx_roles roles;
    *out_packed = false;
    if (!fx__tile_roles(algo->program, kernel, &roles)) return FX_OK;
    fx_pack pack = {.access = roles.sibling_b[s - 1],
                    .expr = roles.sibling_expr[s - 1],
                    .stage = (uint8_t)s,
                    .constant = true,
                    .split = FX_NO_AXIS};
    fx__algo_panel_axes(algo->program, kernel, &roles, &pack);
    return fx__algo_pack(algo, block, at, &pack, out_packed);
}

static bool reads_constant(const fx_program *program, const fx_step *step, const fx_access *access)
{
    return program->buf[fx__buf_root(program, step->bind[access->arg].buf)].role == FX_BUF_CONST;
}

static bool siblings_are_constant(const fx_program *program, const fx_step *step, const fx_roles *roles)
{
    const fx_kernel *kernel = program->kernel[step->kernel];
    for (int s = 1; s < roles->contracts; s++)
        if (!reads_constant(program, step, &kernel->access[roles->sibling_b[s - 1]])) return false;
    return true;
}

enum { BLOCK_ROWS_WORTH_PACKING = 16 };

/* A block's contractions read their columns from panels as wide as the tile: where they would jump along the columns, and where there
 * are rows enough to make up for the copy, as heads that lie side by side would compete for the same sets of the cache. */
static fx_status pack_factors(fx_algo *algo, fx_block *block, int32_t *at)
{
    fx_program *program = algo->program;
    fx_block_roles roles;
    for (int g = 0; fx__block_roles(program, program->kernel[block->step[*at].kernel], &roles) && g < roles.n_group; g++) {
        const fx_kernel *kernel = program->kernel[block->step[*at].kernel];
        const fx_block_group *group = &roles.group[g];
        if (!group->contracts || group->panel > 0) continue;
        bool few = fx__dim_hint(program->dims, kernel->axis[roles.row].extent) < BLOCK_ROWS_WORTH_PACKING;
        if (few && fx__access_stride(program, kernel, &kernel->access[group->b], group->columns) == 1) continue;
        fx_pack pack = {.access = group->b,
                        .expr = group->b_expr,
                        .stage = group->first,
                        .constant = reads_constant(program, &block->step[*at], &kernel->access[group->b]),
                        .split = group->columns,
                        .digits = true};
        pack.width = (int64_t)fx__block_tile(algo->target, program, kernel, &roles).nv * fx__target_lanes(algo->target, FX_F32);
        fx__algo_column_axes(kernel, group->columns, &pack);
        bool packed = false;
        FX_TRY(fx__algo_pack(algo, block, at, &pack, &packed));
        if (!packed) return make_reduce(program, &block->step[*at]);
    }
    return FX_OK;
}

static fx_status contract(fx_algo *algo, fx_block *block, int32_t *at)
{
    fx_program *program = algo->program;
    fx_step *step = &block->step[*at];
    const fx_kernel *kernel = program->kernel[step->kernel];
    fx_roles roles;
    fx_block_roles rows;
    if (fx__block_roles(program, kernel, &rows)) return pack_factors(algo, block, at);
    if (!fx__tile_roles(program, kernel, &roles)) return make_reduce(program, step);
    const fx_access *b = &kernel->access[roles.b];
    bool constant = reads_constant(program, step, b), direct = fx__access_stride(program, kernel, b, roles.vec) == 1;
    if (roles.contracts > 1 && (!constant || !siblings_are_constant(program, step, &roles))) return make_reduce(program, step);
    if (!constant && direct && !worth_packing(algo, kernel, &roles)) return FX_OK;
    FX_TRY(sort_reduced(program, step, &roles));
    kernel = program->kernel[step->kernel];
    b = &kernel->access[roles.b];
    fx_pack pack = {.access = roles.b, .expr = roles.b_expr, .constant = constant};
    fx__algo_panel_axes(program, kernel, &roles, &pack);
    pack.width = panel_width(algo, kernel, &roles);
    pack.split = pack.width > 0 ? roles.vec : FX_NO_AXIS;
    bool packed = false;
    FX_TRY(fx__algo_pack(algo, block, at, &pack, &packed));
    for (int s = 1; s < roles.contracts && packed; s++) FX_TRY(pack_sibling(algo, block, at, s, &packed));
    return packed || (direct && roles.contracts == 1) ? FX_OK : make_reduce(program, &block->step[*at]);
}

/* ---- Reductions over columns ------------------------------------------------------------------------------------------- */

static uint8_t store_axis(const fx_program *program, const fx_kernel *kernel)
{
    const fx_kstage *last = &kernel->stage[kernel->n_stage - 1];
    if (last->n_out == 0) return FX_NO_AXIS;
    const fx_access *store = &kernel->access[last->out[0].access];
    for (uint8_t i = 0; i < kernel->n_outer; i++)
        if (kernel->axis[i].extent != 1 && fx__access_stride(program, kernel, store, i) == 1) return i;
    return FX_NO_AXIS;
}

/* A constant that a reduction reads with a jump along the result's unit axis (weights of a depthwise convolution) is stored anew.
 */
static fx_status permute_consts(fx_algo *algo, fx_block *block, int32_t *at)
{
    fx_program *program = algo->program;
    const fx_kernel *kernel = program->kernel[block->step[*at].kernel];
    uint8_t vec = store_axis(program, kernel);
    for (uint16_t e = 0; vec != FX_NO_AXIS && e < kernel->stage[0].n_expr; e++) {
        const fx_expr *expr = &kernel->stage[0].expr[e];
        if (expr->op != FX_X_LOAD) continue;
        const fx_access *access = &kernel->access[expr->u.access];
        fx_dim stride = fx__access_stride(program, kernel, access, vec);
        bool constant = program->buf[fx__buf_root(program, block->step[*at].bind[access->arg].buf)].role == FX_BUF_CONST;
        if (!constant || stride == 0 || stride == 1 || access->guarded || access->clamped) continue;
        fx_pack pack = {.access = expr->u.access, .expr = e, .constant = true, .split = FX_NO_AXIS};
        fx__algo_column_axes(kernel, vec, &pack);
        bool packed = false;
        return fx__algo_pack(algo, block, at, &pack, &packed);
    }
    return FX_OK;
}

/* ---- Pass -------------------------------------------------------------------------------------------------------------- */

static bool has_contract(const fx_kernel *kernel)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (kernel->stage[s].kind == FX_STAGE_CONTRACT) return true;
    return false;
}

static fx_status visit(fx_algo *algo, fx_block *block)
{
    for (int32_t at = 0; at < block->n; at++) {
        FX_TRY(fx__tick(algo->program->context));
        for (int b = 0; b < 2; b++) FX_TRY(visit(algo, &block->step[at].body[b]));
        if (block->step[at].kind != FX_STEP_RUN) continue;
        const fx_kernel *kernel = algo->program->kernel[block->step[at].kernel];
        FX_TRY(fx__algo_join_groups(algo, &block->step[at], store_axis(algo->program, kernel)));
        kernel = algo->program->kernel[block->step[at].kernel];
        if (has_contract(kernel)) FX_TRY(contract(algo, block, &at));
        kernel = algo->program->kernel[block->step[at].kernel];
        if (kernel->n_stage > 0 && kernel->stage[0].kind == FX_STAGE_REDUCE && kernel->stage[0].n_inner == 0) {
            FX_TRY(permute_consts(algo, block, &at));
            FX_TRY(fx__algo_split(algo, block, &at));
        }
    }
    return FX_OK;
}

/* Init steps run once: nothing is laid out for them, but there too a contraction without a tile becomes a reduction. */
static fx_status reduce_untiled(fx_algo *algo, fx_block *block)
{
    for (int32_t at = 0; at < block->n; at++) {
        fx_step *step = &block->step[at];
        fx_roles roles;
        for (int b = 0; b < 2; b++) FX_TRY(reduce_untiled(algo, &step->body[b]));
        bool run = step->kind == FX_STEP_RUN && has_contract(algo->program->kernel[step->kernel]);
        if (run && !fx__tile_roles(algo->program, algo->program->kernel[step->kernel], &roles))
            FX_TRY(make_reduce(algo->program, step));
    }
    return FX_OK;
}

fx_status fx__pass_algo(fx_program *program, const fx_pass_options *options)
{
    fx_algo algo = {.program = program, .target = options->target};
    for (int32_t i = 0; i < program->n_kernel; i++) {
        FX_TRY(fx__tick(program->context));
        FX_TRY(fx__kernel_collapse(program, program->kernel[i]));
    }
    FX_TRY(visit(&algo, &program->steps));
    FX_TRY(reduce_untiled(&algo, &program->init));
    return fx__kir_tidy(program);
}
