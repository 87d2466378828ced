/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_cost.c: what can be counted in a kernel without knowing the machine: symbols, operations, bytes, scratch. */
#include "ir/kir.h"
#include "ir/saturate.h"
#include <string.h>

/* ---- Symbols ----------------------------------------------------------------------------------------------------------------- */

typedef struct sym_set {
    const fx_dims *dims;
    int32_t *sym; /* ascending */
    int32_t n;    /* FX_KERNEL_SYMS + 1: more than fit */
} sym_set;

static void add_sym(sym_set *set, int32_t sym)
{
    int32_t at = 0;
    while (at < set->n && at < FX_KERNEL_SYMS && set->sym[at] < sym) at++;
    if (set->n > FX_KERNEL_SYMS || (at < set->n && set->sym[at] == sym)) return;
    if (set->n < FX_KERNEL_SYMS) {
        memmove(set->sym + at + 1, set->sym + at, (size_t)(set->n - at) * sizeof *set->sym);
        set->sym[at] = sym;
    }
    set->n++;
}

static void add_syms(sym_set *set, fx_dim dim)
{
    if (fx_dim_is_const(dim) || dim == FX_DIM_BAD) return;
    fx_dim_node node = fx__dim_node(set->dims, dim);
    if (node.op == FX_DIM_CONST) return;
    if (node.op == FX_DIM_SYM) {
        add_sym(set, (int32_t)node.value);
        return;
    }
    add_syms(set, node.a);
    add_syms(set, node.b);
}

static void add_access_syms(sym_set *set, const fx_access *access)
{
    for (int d = 0; d < access->rank; d++) {
        add_syms(set, access->at[d].base);
        for (int t = 0; t < access->at[d].n; t++) {
            add_syms(set, access->at[d].term[t].coef);
            add_syms(set, access->at[d].term[t].div);
            add_syms(set, access->at[d].term[t].mod);
        }
    }
}

static void add_kernel_syms(sym_set *set, const fx_kernel *kernel)
{
    for (int a = 0; a < kernel->n_arg; a++) {
        for (int d = 0; d < kernel->arg[a].rank; d++) {
            add_syms(set, kernel->arg[a].dim[d]);
            add_syms(set, kernel->arg[a].stride[d]);
        }
    }
    for (int i = 0; i < kernel->n_axis; i++) add_syms(set, kernel->axis[i].extent);
    for (int i = 0; i < kernel->n_access; i++) add_access_syms(set, &kernel->access[i]);
    for (int s = 0; s < kernel->n_stage; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++)
            if (kernel->stage[s].expr[e].op == FX_X_SYM) add_syms(set, kernel->stage[s].expr[e].u.dim);
}

int32_t fx__kernel_syms(const fx_program *program, const fx_kernel *kernel, int32_t out[FX_KERNEL_SYMS])
{
    sym_set set = {.dims = program->dims, .sym = out};
    add_kernel_syms(&set, kernel);
    return set.n;
}

/* ---- Operations and bytes -----------------------------------------------------------------------------------------------------
 */

static int64_t hint(const fx_program *program, fx_dim dim)
{
    return fx_dim_is_const(dim) ? dim : fx__dim_hint(program->dims, dim);
}

/* values: [symbols]; NULL: the hints. */
static int64_t size_at(const fx_program *program, fx_dim dim, const int64_t *values)
{
    return values ? fx__dim_eval(program->dims, dim, values) : hint(program, dim);
}

static int64_t extents(const fx_program *program, const fx_kernel *kernel, const uint8_t *axis, int n, const int64_t *values)
{
    int64_t points = 1;
    for (int i = 0; i < n; i++) points = fx__saturate_mul(points, size_at(program, kernel->axis[axis[i]].extent, values));
    return points;
}

static int64_t stage_flop(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage, const int64_t *values)
{
    int64_t ops = 0, points = 1;
    for (int i = 0; i < kernel->n_outer; i++) points = fx__saturate_mul(points, size_at(program, kernel->axis[i].extent, values));
    points = fx__saturate_mul(points, extents(program, kernel, stage->inner, stage->n_inner, values));
    if (stage->kind != FX_STAGE_MAP) points = fx__saturate_mul(points, extents(program, kernel, stage->red, stage->n_red, values));
    for (int e = 0; e < stage->n_expr; e++) ops += stage->expr[e].op == FX_X_SCALAR || stage->expr[e].op == FX_X_SELECT;
    return fx__saturate_mul(points, ops + (stage->kind != FX_STAGE_MAP));
}

static int64_t kernel_flop(const fx_program *program, const fx_kernel *kernel, const int64_t *values)
{
    int64_t flop = 0;
    for (int s = 0; s < kernel->n_stage; s++) flop = fx__saturate_add(flop, stage_flop(program, kernel, &kernel->stage[s], values));
    return flop;
}

static int64_t block_flop(const fx_program *program, const fx_block *block, const int64_t *values)
{
    int64_t flop = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        int64_t own = 0;
        if (step->kind == FX_STEP_RUN) own = kernel_flop(program, program->kernel[step->kernel], values);
        if (step->kind == FX_STEP_IF) {
            int64_t yes = block_flop(program, &step->body[0], values), no = block_flop(program, &step->body[1], values);
            own = yes > no ? yes : no;
        }
        if (step->kind == FX_STEP_LOOP) {
            int64_t turns = step->turns == -1 ? 1 : size_at(program, step->turns, values);
            own = fx__saturate_mul(turns, block_flop(program, &step->body[0], values));
        }
        flop = fx__saturate_add(flop, own);
    }
    return flop;
}

int64_t fx__program_flop(const fx_program *program, const int64_t *values)
{
    return block_flop(program, &program->steps, values);
}

/* Elements that an access can touch: its axes' extents (a gather may move along any axis), at most the whole argument. */
static int64_t footprint(const fx_program *program, const fx_kernel *kernel, const fx_access *access)
{
    bool used[FX_AXES] = {false};
    int64_t touched = 1, whole = 1;
    bool gathers = false;
    for (int d = 0; d < access->rank; d++) {
        whole = fx__saturate_mul(whole, hint(program, kernel->arg[access->arg].dim[d]));
        for (int t = 0; t < access->at[d].n; t++) used[access->at[d].term[t].axis] = true;
        gathers = gathers || access->at[d].value >= 0;
    }
    for (int i = 0; i < kernel->n_axis; i++)
        if (used[i] || gathers) touched = fx__saturate_mul(touched, hint(program, kernel->axis[i].extent));
    return whole < touched ? whole : touched;
}

int64_t fx__kernel_arg_bytes(const fx_program *program, const fx_kernel *kernel, int arg)
{
    int64_t touched = 0, whole = 1;
    for (int i = 0; i < kernel->n_access; i++)
        if (kernel->access[i].arg == arg) touched = fx__saturate_add(touched, footprint(program, kernel, &kernel->access[i]));
    for (int d = 0; d < kernel->arg[arg].rank; d++) whole = fx__saturate_mul(whole, hint(program, kernel->arg[arg].dim[d]));
    return fx__saturate_mul(touched < whole ? touched : whole, (int64_t)fx_dtype_bytes(kernel->arg[arg].dtype));
}

fx_cost fx__kernel_cost(const fx_program *program, const fx_kernel *kernel)
{
    fx_cost cost = {.flop = kernel_flop(program, kernel, NULL)};
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_arg_role role = kernel->arg[a].role;
        if (role == FX_ARG_LOCAL) continue;
        int64_t bytes = fx__kernel_arg_bytes(program, kernel, a);
        if (role != FX_ARG_OUT) cost.read_bytes = fx__saturate_add(cost.read_bytes, bytes);
        if (role == FX_ARG_OUT || role == FX_ARG_INOUT) cost.write_bytes = fx__saturate_add(cost.write_bytes, bytes);
    }
    return cost;
}

/* ---- Scratch ------------------------------------------------------------------------------------------------------------------
 */

enum { LOCAL_ALIGN = 64 };

/* Bytes of one local for a block of rows, at the upper bounds of its dims; 0 when it is not in scratch. */
static int64_t local_bytes(const fx_program *program, const fx_kernel *kernel, int arg)
{
    const fx_arg *local = &kernel->arg[arg];
    if (local->role != FX_ARG_LOCAL || local->home >= 0) return 0;
    int64_t bytes = (int64_t)fx_dtype_bytes(local->dtype);
    for (int d = 0; d < local->rank; d++) {
        int64_t lo = local->dim[d], hi = local->dim[d];
        fx__dim_guarded_range(program->dims, local->dim[d], &lo, &hi);
        bytes = fx__saturate_mul(bytes, hi);
    }
    if (kernel->sched.emit == FX_EMIT_BLOCK) {
        int64_t lo, hi;
        fx__dim_guarded_range(program->dims, fx__sched_local_row(program, kernel, arg), &lo, &hi);
        bytes = fx__saturate_mul(fx__saturate_mul(hi, (int64_t)fx_dtype_bytes(local->dtype)), kernel->sched.mr);
    }
    return bytes > INT64_MAX - LOCAL_ALIGN ? INT64_MAX : (bytes + LOCAL_ALIGN - 1) / LOCAL_ALIGN * LOCAL_ALIGN;
}

int64_t fx__kernel_local_offset(const fx_program *program, const fx_kernel *kernel, int arg)
{
    int64_t offset = 0;
    for (int a = 0; a < arg; a++) offset = fx__saturate_add(offset, local_bytes(program, kernel, a));
    return offset;
}

int64_t fx__kernel_scratch_bytes(const fx_program *program, const fx_kernel *kernel)
{
    return fx__saturate_add(fx__kernel_local_offset(program, kernel, kernel->n_arg), fx__sched_pack_bytes(kernel));
}
