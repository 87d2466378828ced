/* SPDX-License-Identifier: Apache-2.0 */
/* passes/algo_split.c: long reductions to few points (a loss, a norm of everything) become partial reductions of fixed chunks,
 * which run side by side, and a reduction of the partials. Chunks depend on the shape alone, so the sum is the same for any number
 * of threads. */
#include "passes/algo.h"
#include "ir/diag.h"
#include <string.h>

enum { LONG = 1 << 17, FEW_POINTS = 4, LEAST_CHUNKS = 8, MOST_CHUNKS = 256 };

/* A number of chunks that divides the axis; 0: none. */
static int64_t chunk_count(int64_t extent)
{
    for (int64_t chunks = 64; chunks <= MOST_CHUNKS; chunks++)
        if (extent % chunks == 0) return chunks;
    for (int64_t chunks = 63; chunks >= LEAST_CHUNKS; chunks--)
        if (extent % chunks == 0) return chunks;
    return 0;
}

static bool is_splittable(const fx_kernel *kernel)
{
    const fx_kstage *stage = &kernel->stage[0];
    if (stage->kind != FX_STAGE_REDUCE || stage->prefix || stage->n_inner > 0 || stage->n_out > 0 || stage->n_red == 0)
        return false;
    if (stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX) return false;
    for (int s = 1; s < kernel->n_stage; s++)
        if (kernel->stage[s].kind != FX_STAGE_MAP || kernel->stage[s].n_inner > 0) return false;
    return kernel->n_stage > 1 && kernel->n_axis < FX_AXES;
}

/* The longest reduced axis. */
static uint8_t longest(const fx_kernel *kernel)
{
    const fx_kstage *stage = &kernel->stage[0];
    uint8_t best = stage->red[0];
    for (int i = 1; i < stage->n_red; i++)
        if (kernel->axis[stage->red[i]].extent > kernel->axis[best].extent) best = stage->red[i];
    return best;
}

/* Kernel of the partials: outer axes as before and the chunk; the cut axis shrinks. */
static fx_kernel *make_partials(fx_program *program, const fx_kernel *old, uint8_t cut, int64_t chunks, const fx_arg *part,
                                fx_bound *bound)
{
    fx_index by[FX_AXES];
    fx_kernel *kernel = bound->kernel = fx__kernel_new(program);
    if (!kernel) return NULL;
    uint8_t chunk = old->n_outer;
    for (uint8_t i = 0; i < old->n_axis; i++) {
        uint8_t to = (uint8_t)(i < old->n_outer ? i : i + 1);
        kernel->axis[to] = old->axis[i];
        by[i] = fx__index_axis(to);
    }
    fx_dim length = old->axis[cut].extent / chunks;
    kernel->axis[cut + 1].extent = length;
    kernel->axis[chunk] = (fx_axis){.name = "chunk", .extent = chunks};
    kernel->n_axis = (uint8_t)(old->n_axis + 1);
    kernel->n_outer = (uint8_t)(old->n_outer + 1);
    fx_index start = fx__index_axis(chunk);
    if (!fx__index_scale(program->dims, &start, length, &start) || !fx__index_add(program->dims, &by[cut], &start, &by[cut]))
        return NULL;
    for (int a = 0; a < old->n_arg; a++) fx__kernel_add_arg(kernel, &old->arg[a]);
    int out = fx__kernel_add_arg(kernel, part);
    fx_kstage *stage = fx__kernel_add_stage(program, kernel, FX_STAGE_REDUCE), *map;
    if (out < 0 || !stage) return NULL;
    *stage = old->stage[0];
    stage->expr = NULL;
    stage->n_expr = stage->cap_expr = 0;
    for (int i = 0; i < stage->n_red; i++) stage->red[i]++;
    fx_graft graft = {.program = program, .from = old, .stage = &old->stage[0], .to = kernel, .by = by};
    if (!fx__graft_run(&graft)) return NULL;
    kernel->stage[0].value = graft.memo[old->stage[0].value];
    map = fx__kernel_add_stage(program, kernel, FX_STAGE_MAP);
    if (!map) return NULL;
    fx_expr result = {
        .op = FX_X_STAGE, .dtype = (uint8_t)fx__stage_dtype(&old->stage[0]), .a = FX_NO_EXPR, .b = FX_NO_EXPR, .c = FX_NO_EXPR};
    fx_access store = {.arg = (uint8_t)out, .rank = part->rank};
    for (int d = 0; d < part->rank; d++) store.at[d] = fx__index_axis((uint8_t)d);
    int to = fx__kernel_add_access(program, kernel, &store);
    if (to < 0) return NULL;
    map->out[map->n_out++] = (fx_store){.expr = fx__stage_expr(program, map, &result), .access = (uint16_t)to};
    return kernel;
}

/* The old kernel with its first stage reading the partials. */
static fx_kernel *make_final(fx_program *program, const fx_kernel *old, const fx_arg *part, int64_t chunks)
{
    fx_kernel *kernel = fx__kernel_clone(program, old);
    if (!kernel) return NULL;
    fx_arg in = *part;
    in.role = FX_ARG_IN;
    int arg = fx__kernel_add_arg(kernel, &in), axis = fx__kernel_add_axis(program, kernel, "chunk", chunks, false);
    if (arg < 0 || axis < 0) return NULL;
    fx_kstage *stage = &kernel->stage[0];
    stage->n_expr = stage->cap_expr = 0;
    stage->expr = NULL;
    stage->red[0] = (uint8_t)axis;
    stage->n_red = 1;
    if (stage->combine == FX_COMBINE_COUNT) stage->combine = FX_COMBINE_SUM;
    fx_access load = {.arg = (uint8_t)arg, .rank = part->rank};
    for (int d = 0; d + 1 < part->rank; d++) load.at[d] = fx__index_axis((uint8_t)d);
    load.at[part->rank - 1] = fx__index_axis((uint8_t)axis);
    int access = fx__kernel_add_access(program, kernel, &load);
    if (access < 0) return NULL;
    fx_expr expr = {.op = FX_X_LOAD,
                    .dtype = (uint8_t)part->dtype,
                    .a = FX_NO_EXPR,
                    .b = FX_NO_EXPR,
                    .c = FX_NO_EXPR,
                    .u.access = (uint16_t)access};
    stage->value = fx__stage_expr(program, stage, &expr);
    return kernel;
}

/* A buffer [outer..., chunks] for the partials. */
static int32_t add_part(fx_program *program, const fx_kernel *old, int64_t chunks, fx_arg *out)
{
    fx_buf buf = {.name = "part",
                  .dtype = fx__stage_dtype(&old->stage[0]),
                  .role = FX_BUF_TEMP,
                  .index = -1,
                  .parent = -1,
                  .first = -1,
                  .last = -1};
    for (int i = 0; i < old->n_outer; i++) buf.dim[buf.rank++] = old->axis[i].extent;
    buf.dim[buf.rank++] = chunks;
    *out = (fx_arg){.name = "part", .role = FX_ARG_OUT, .dtype = buf.dtype, .rank = buf.rank, .home = -1};
    fx_dim stride = 1;
    for (int d = buf.rank - 1; d >= 0; d--) {
        out->dim[d] = buf.dim[d];
        out->stride[d] = stride;
        stride = fx__dim_mul(program->dims, stride, buf.dim[d]);
    }
    return fx__program_add_buf(program, &buf);
}

static fx_status insert_steps(fx_program *program, fx_block *block, int32_t *at, fx_bound *partials, fx_kernel *last, int32_t part)
{
    fx_step first = block->step[*at], second = first;
    int n_arg = program->kernel[first.kernel]->n_arg;
    memcpy(partials->bind, first.bind, sizeof first.bind);
    partials->bind[n_arg].buf = second.bind[n_arg].buf = part;
    for (int a = n_arg - 1; a >= 0; a--)
        if (partials->kernel->arg[a].role == FX_ARG_OUT || partials->kernel->arg[a].role == FX_ARG_INOUT)
            fx__bound_drop_arg(partials, a, -1);
    fx_bound final = {.program = program, .kernel = last};
    memcpy(final.bind, second.bind, sizeof second.bind);
    if (!fx__bound_drop_unused(partials) || !fx__bound_drop_unused(&final)) return fx__diag_oom(program->context);
    memcpy(first.bind, partials->bind, sizeof first.bind);
    memcpy(second.bind, final.bind, sizeof second.bind);
    first.kernel = fx__program_add_kernel(program, partials->kernel);
    second.kernel = fx__program_add_kernel(program, last);
    if (first.kernel < 0 || second.kernel < 0 || !fx__block_add(program, block, &second)) return fx__diag_oom(program->context);
    for (int32_t i = block->n - 1; i > *at + 1; i--) block->step[i] = block->step[i - 1];
    block->step[*at] = first;
    block->step[++*at] = second;
    return FX_OK;
}

fx_status fx__algo_split(fx_algo *algo, fx_block *block, int32_t *at)
{
    fx_program *program = algo->program;
    const fx_kernel *old = program->kernel[block->step[*at].kernel];
    if (!is_splittable(old) || old->n_outer + 1 > FX_RANK || old->n_arg == FX_ARGS) return FX_OK;
    int64_t points = 1, terms = 1;
    for (int i = 0; i < old->n_outer; i++) points *= fx__dim_hint(program->dims, old->axis[i].extent);
    for (int i = 0; i < old->stage[0].n_red; i++) terms *= fx__dim_hint(program->dims, old->axis[old->stage[0].red[i]].extent);
    uint8_t cut = longest(old);
    int64_t chunks = fx_dim_is_const(old->axis[cut].extent) ? chunk_count(old->axis[cut].extent) : 0;
    if (points > FEW_POINTS || terms < LONG || chunks == 0) return FX_OK;
    fx_arg part;
    int32_t buf = add_part(program, old, chunks, &part);
    fx_bound partials = {.program = program};
    if (buf < 0 || !make_partials(program, old, cut, chunks, &part, &partials)) return FX_OK;
    fx_kernel *last = make_final(program, old, &part, chunks);
    return last ? insert_steps(program, block, at, &partials, last, buf) : FX_OK;
}
