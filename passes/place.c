/* SPDX-License-Identifier: Apache-2.0 */
/* passes/place.c: decides which buffer every value lives in.
 *
 * Does     In this order: a value written back lives in its output, state or input when no step reads the old contents later, or
 *          only the very element that it writes (INOUT), and elements that stay as they are are not copied; a piece that is only copied into a larger value (concat, cache update) is computed there, as a slice; a kernel's result
 *          takes over an input that dies at it and is read at the result's own index (INOUT). What is left of writebacks becomes
 *          copy kernels.
 * Needs    lower, fuse: values in buffers of their own, each stored by the steps before its readers.
 * Ensures  No writebacks; arguments have the strides of their roots; no two arguments of a step overlap unless both are read.
 *          no_in_place: everything stays apart, writebacks are copies.
 * Cost     O(steps^2) for the concats and dying inputs. */
#include "passes/graft.h"
#include "passes/pass.h"
#include "passes/steps.h"
#include "ir/diag.h"
#include <string.h>

typedef struct placer {
    fx_program *program;
    fx_arena *arena;
    fx_flat flat;
} placer;

/* ---- Uses ---------------------------------------------------------------------------------------------------------------- */

/* First and last steps (in pre-order) that read and that write a buffer or a slice of it; -1: none. */
typedef struct life {
    const fx_program *program;
    int32_t root, now, first_read, last_read, first_write, last_write, n_write;
} life;

static void see_use(void *user, int32_t buf, bool reads, bool writes)
{
    life *l = user;
    if (fx__buf_root(l->program, buf) != l->root) return;
    if (reads) {
        if (l->first_read < 0) l->first_read = l->now;
        l->last_read = l->now;
    }
    if (writes) {
        if (l->first_write < 0) l->first_write = l->now;
        l->last_write = l->now;
        l->n_write++;
    }
}

static life find_life(const placer *p, int32_t buf)
{
    life l = {.program = p->program,
              .root = fx__buf_root(p->program, buf),
              .first_read = -1,
              .last_read = -1,
              .first_write = -1,
              .last_write = -1};
    for (l.now = 0; l.now < p->flat.n; l.now++) fx__step_uses(p->program, p->flat.step[l.now], see_use, &l);
    return l;
}

/* One of two buffers that change places in a loop. */
static bool is_carried(const placer *p, int32_t buf)
{
    for (int32_t i = 0; i < p->flat.n; i++)
        for (int32_t c = 0; c < p->flat.step[i]->n_carry; c++)
            if (p->flat.step[i]->carry[c].now == buf || p->flat.step[i]->carry[c].next == buf) return true;
    return false;
}

/* May its value live elsewhere? */
static bool is_movable(const placer *p, int32_t buf)
{
    return p->program->buf[buf].role == FX_BUF_TEMP && p->program->buf[buf].parent < 0 && !is_carried(p, buf);
}

static bool has_slices(const fx_program *program, int32_t buf)
{
    for (int32_t i = 0; i < program->n_buf; i++)
        if (program->buf[i].parent == buf) return true;
    return false;
}

static bool same_type(const fx_program *program, int32_t a, int32_t b)
{
    const fx_buf *x = &program->buf[a], *y = &program->buf[b];
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (int d = 0; d < x->rank; d++)
        if (!fx__dim_equal(program->dims, x->dim[d], y->dim[d])) return false;
    return true;
}

/* ---- Replacing one buffer by another --------------------------------------------------------------------------------------- */

static void replace_in_step(const fx_program *program, fx_step *step, int32_t from, int32_t to)
{
    int n_arg = step->kind == FX_STEP_RUN ? program->kernel[step->kernel]->n_arg : 0;
    for (int a = 0; a < n_arg; a++)
        if (step->bind[a].buf == from) step->bind[a].buf = to;
    for (int32_t v = 0; v < step->n_view; v++)
        if (step->view[v].buf == from) step->view[v].buf = to;
    if (step->kind != FX_STEP_RUN && step->cond == from) step->cond = to;
}

static void replace_buffer(const placer *p, int32_t from, int32_t to)
{
    fx_program *program = p->program;
    for (int32_t i = 0; i < p->flat.n; i++) replace_in_step(program, p->flat.step[i], from, to);
    for (int32_t i = 0; i < program->n_buf; i++)
        if (program->buf[i].parent == from) program->buf[i].parent = to;
    for (int32_t i = 0; i < program->n_writeback; i++)
        if (program->writeback[i].from == from) program->writeback[i].from = to;
}

/* ---- Writebacks ------------------------------------------------------------------------------------------------------------ */

static void arg_of_buf(const fx_program *program, int32_t buf, fx_arg_role role, fx_arg *out)
{
    const fx_buf *b = &program->buf[buf];
    *out = (fx_arg){.name = role == FX_ARG_OUT ? "y" : "x", .role = role, .dtype = b->dtype, .rank = b->rank, .home = -1};
    memcpy(out->dim, b->dim, sizeof out->dim);
    fx__buf_strides(program, buf, out->stride);
}

static fx_kernel *make_copy_kernel(fx_program *program, int32_t from, int32_t to)
{
    fx_arg in, out;
    fx_access access[2] = {{.arg = 0}, {.arg = 1}};
    fx_kernel *kernel = fx__kernel_new(program);
    if (!kernel) return NULL;
    arg_of_buf(program, from, FX_ARG_IN, &in);
    arg_of_buf(program, to, FX_ARG_OUT, &out);
    fx__kernel_add_arg(kernel, &in);
    fx__kernel_add_arg(kernel, &out);
    for (int d = 0; d < in.rank; d++) {
        int axis = fx__kernel_add_axis(program, kernel, "d", in.dim[d], true);
        access[0].at[d] = access[1].at[d] = fx__index_axis((uint8_t)axis);
    }
    access[0].rank = access[1].rank = in.rank;
    fx_kstage *stage = fx__kernel_add_stage(program, kernel, FX_STAGE_MAP);
    int load = fx__kernel_add_access(program, kernel, &access[0]), store = fx__kernel_add_access(program, kernel, &access[1]);
    if (!stage || load < 0 || store < 0) return NULL;
    fx_expr expr = {
        .op = FX_X_LOAD, .dtype = (uint8_t)in.dtype, .a = FX_NO_EXPR, .b = FX_NO_EXPR, .c = FX_NO_EXPR, .u.access = (uint16_t)load};
    stage->out[stage->n_out++] = (fx_store){.expr = fx__stage_expr(program, stage, &expr), .access = (uint16_t)store};
    return kernel;
}

static fx_status add_copy(placer *p, int32_t from, int32_t to)
{
    fx_program *program = p->program;
    fx_kernel *kernel = make_copy_kernel(program, from, to);
    fx_step step = {.kind = FX_STEP_RUN, .cond = -1, .bind = {{from}, {to}}};
    step.kernel = kernel ? fx__program_add_kernel(program, kernel) : -1;
    if (step.kernel < 0 || !fx__block_add(program, &program->steps, &step)) return fx__diag_oom(program->context);
    return fx__steps_flatten(p->arena, &program->steps, &p->flat) ? FX_OK : fx__diag_oom(program->context);
}

/* May the value live in `to` from its first store on? Old contents must have been read, and nothing else may write there. A loop
 * around the value would read the old contents again. */
static bool may_live_in(const placer *p, int32_t from, int32_t to)
{
    if (!is_movable(p, from) || p->program->buf[to].parent >= 0 || !same_type(p->program, from, to)) return false;
    life value = find_life(p, from), target = find_life(p, to);
    if (target.n_write > 0 || value.n_write == 0) return false;
    for (int32_t i = 0; i < p->flat.n; i++)
        if (p->flat.step[i]->kind == FX_STEP_LOOP && target.last_read >= 0) return false;
    return target.last_read < value.first_write;
}

/* ---- Slices ---------------------------------------------------------------------------------------------------------------- */

/* One MAP that loads one argument at its own axes and stores it, unchanged, at these plus constants: a piece of a concat. */
static bool is_piece_copy(const fx_kernel *kernel, fx_dim at[FX_RANK])
{
    if (kernel->n_stage != 1 || kernel->n_arg != 2 || kernel->stage[0].kind != FX_STAGE_MAP || kernel->stage[0].n_out != 1)
        return false;
    const fx_kstage *stage = &kernel->stage[0];
    const fx_expr *value = &stage->expr[stage->out[0].expr];
    if (value->op != FX_X_LOAD || stage->n_inner > 0) return false;
    const fx_access *load = &kernel->access[value->u.access], *store = &kernel->access[stage->out[0].access];
    if (load->rank != store->rank || load->guarded || store->guarded || load->clamped) return false;
    if (kernel->arg[load->arg].dtype != kernel->arg[store->arg].dtype || kernel->arg[store->arg].role != FX_ARG_OUT) return false;
    for (int d = 0; d < load->rank; d++) {
        fx_index shifted = fx__index_reduce(kernel, &store->at[d]), loaded = fx__index_reduce(kernel, &load->at[d]);
        shifted.base = 0;
        bool unit = kernel->arg[load->arg].dim[d] == 1 && loaded.n == 0 && loaded.base == 0 && shifted.n == 0;
        uint8_t axis = fx__index_single(&loaded);
        bool same =
            axis != FX_NO_AXIS && fx__index_equal(&shifted, &loaded) && kernel->axis[axis].extent == kernel->arg[load->arg].dim[d];
        if ((!unit && !same) || store->at[d].value >= 0) return false;
        at[d] = store->at[d].base;
    }
    return true;
}

/* Every kernel that names the buffer takes it with its own dims, so that strides can be replaced; views of CALLs are not changed.
 */
static bool has_own_dims_everywhere(const placer *p, int32_t buf)
{
    const fx_program *program = p->program;
    const fx_buf *b = &program->buf[buf];
    for (int32_t i = 0; i < p->flat.n; i++) {
        const fx_step *step = p->flat.step[i];
        const fx_kernel *kernel = step->kind == FX_STEP_RUN ? program->kernel[step->kernel] : NULL;
        for (int32_t v = 0; v < step->n_view; v++)
            if (step->view[v].buf == buf) return false;
        if (step->kind != FX_STEP_RUN && step->cond == buf) return false;
        for (int a = 0; kernel && a < kernel->n_arg; a++) {
            if (kernel->arg[a].role == FX_ARG_LOCAL || step->bind[a].buf != buf) continue;
            if (kernel->arg[a].rank != b->rank) return false;
            for (int d = 0; d < b->rank; d++)
                if (!fx__dim_equal(program->dims, kernel->arg[a].dim[d], b->dim[d])) return false;
        }
    }
    return true;
}

/* The value computed where its copy goes: nothing may read the rest of the parent before, and no step may have both as arguments.
 */
static bool may_be_slice(const placer *p, int32_t piece, int32_t parent, int32_t copy)
{
    const fx_program *program = p->program;
    if (!is_movable(p, piece) || has_slices(program, piece) || program->buf[piece].rank != program->buf[parent].rank) return false;
    if (program->buf[parent].parent >= 0 || program->buf[parent].role == FX_BUF_CONST) return false;
    if (!has_own_dims_everywhere(p, piece)) return false;
    life value = find_life(p, piece), whole = find_life(p, parent);
    if (value.n_write == 0 || value.first_write >= copy || (whole.first_read >= 0 && whole.first_read < copy)) return false;
    for (int32_t i = 0; i < p->flat.n; i++) { /* a step that writes to the parent must not also read the piece */
        const fx_step *step = p->flat.step[i];
        int n_arg = step->kind == FX_STEP_RUN ? program->kernel[step->kernel]->n_arg : 0;
        bool reads_piece = false, writes_parent = false;
        if (i == copy) continue;
        for (int a = 0; a < n_arg; a++) {
            fx_arg_role role = program->kernel[step->kernel]->arg[a].role;
            if (role == FX_ARG_LOCAL) continue;
            reads_piece = reads_piece || step->bind[a].buf == piece;
            writes_parent = writes_parent || (fx__buf_root(program, step->bind[a].buf) == parent && role == FX_ARG_OUT);
        }
        if (reads_piece && writes_parent) return false;
    }
    return true;
}

/* The value is computed in its place in what `copy` would have made. */
static fx_status note_piece(fx_program *program, const fx_step *copy, int32_t piece)
{
    const fx_node *to = copy->n_nodes ? copy->nodes[0] : NULL, *from = NULL;
    const char *name = program->buf[piece].name;
    for (int32_t i = 0; to && name && i < to->n_inputs; i++)
        if (strcmp(to->inputs[i]->name, name) == 0) from = to->inputs[i];
    fx_why why = {.from = from, .to = to, .verdict = FX_WHY_PLACED, .bytes_saved = 2 * fx__buf_bytes_hint(program, piece)};
    return !from || fx__program_add_why(program, &why) ? FX_OK : fx__diag_oom(program->context);
}

static fx_status make_slices(placer *p)
{
    fx_program *program = p->program;
    for (int32_t i = 0; i < program->steps.n; i++) {
        fx_step *step = &program->steps.step[i];
        fx_dim at[FX_RANK];
        FX_TRY(fx__tick(program->context));
        if (step->kind != FX_STEP_RUN || !is_piece_copy(program->kernel[step->kernel], at)) continue;
        const fx_kernel *kernel = program->kernel[step->kernel];
        int store = kernel->access[kernel->stage[0].out[0].access].arg;
        int32_t piece = step->bind[1 - store].buf, parent = step->bind[store].buf, copy = 0;
        while (p->flat.step[copy] != step) copy++;
        if (!may_be_slice(p, piece, parent, copy)) continue;
        FX_TRY(note_piece(program, step, piece));
        program->buf[piece].parent = parent;
        memcpy(program->buf[piece].at, at, sizeof at);
        fx__block_remove(&program->steps, i--);
        if (!fx__steps_flatten(p->arena, &program->steps, &p->flat)) return fx__diag_oom(program->context);
    }
    return FX_OK;
}

/* ---- Dying inputs ------------------------------------------------------------------------------------------------------------ */

/* The only store of an argument; NULL when there are several or none. */
static const fx_access *only_store(const fx_kernel *kernel, int arg, int *out_stage)
{
    const fx_access *found = NULL;
    for (int s = 0; s < kernel->n_stage; s++) {
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            const fx_access *access = &kernel->access[kernel->stage[s].out[o].access];
            if (access->arg != arg) continue;
            if (found) return NULL;
            found = access;
            *out_stage = s;
        }
    }
    return found;
}

static bool has_home_in(const fx_kernel *kernel, int arg)
{
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role == FX_ARG_LOCAL && kernel->arg[a].home == arg) return true;
    return false;
}

/* Is every load of `in` at the index of the store to `out`, and none in a later stage? */
static bool loads_match(const fx_kernel *kernel, int in, int out)
{
    int stage = 0;
    const fx_access *store = only_store(kernel, out, &stage);
    if (!store || has_home_in(kernel, out)) return false;
    for (int s = 0; s < kernel->n_stage; s++) {
        for (int e = 0; e < kernel->stage[s].n_expr; e++) {
            const fx_expr *expr = &kernel->stage[s].expr[e];
            const fx_access *load = expr->op == FX_X_LOAD ? &kernel->access[expr->u.access] : NULL;
            if (!load || load->arg != in) continue;
            if (s > stage || load->rank != store->rank || load->clamped || load->guarded != store->guarded) return false;
            for (int d = 0; d < load->rank; d++)
                if (load->at[d].value >= 0 || !fx__index_same(kernel, &load->at[d], &store->at[d])) return false;
        }
    }
    return true;
}

static bool same_shape(const fx_arg *a, const fx_arg *b)
{
    if (a->rank != b->rank || a->dtype != b->dtype) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d] || a->stride[d] != b->stride[d]) return false;
    return true;
}

static int times_bound(const fx_kernel *kernel, const fx_step *step, int32_t buf)
{
    int n = 0;
    for (int a = 0; a < kernel->n_arg; a++) n += kernel->arg[a].role != FX_ARG_LOCAL && step->bind[a].buf == buf;
    return n;
}

/* Is the input's last use this step, and the result's first? Then they can share a buffer. */
static bool may_share(const placer *p, int32_t now, int32_t in, int32_t out)
{
    const fx_program *program = p->program;
    const fx_buf *x = &program->buf[in], *y = &program->buf[out];
    if (!is_movable(p, in) || has_slices(program, in) || y->parent >= 0 || has_slices(program, out)) return false;
    if (is_carried(p, out)) return false;
    if ((y->role != FX_BUF_TEMP && y->role != FX_BUF_OUTPUT) || !same_type(program, in, out) || x->align != y->align) return false;
    life before = find_life(p, in), after = find_life(p, out);
    if (before.last_read != now || before.last_write >= now || after.first_write != now || after.n_write != 1) return false;
    if (after.first_read >= 0 && after.first_read <= now) return false;
    for (int32_t i = 0; i < p->flat.n; i++) /* in a loop, "last" is not last */
        if (p->flat.step[i]->kind == FX_STEP_LOOP && i < now && now <= p->flat.end[i]) return false;
    return true;
}

/* One kernel argument instead of two: loads of `in` become loads of `out`, which is INOUT, at the very index of the store. */
static fx_status merge_args(placer *p, fx_step *step, int in, int out)
{
    fx_program *program = p->program;
    fx_bound made = {.program = program, .kernel = fx__kernel_clone(program, program->kernel[step->kernel])};
    if (!made.kernel) return fx__diag_oom(program->context);
    memcpy(made.bind, step->bind, sizeof made.bind);
    made.kernel->arg[out].role = FX_ARG_INOUT;
    int stage = 0;
    const fx_access *store = only_store(made.kernel, out, &stage);
    for (int i = 0; i < made.kernel->n_access; i++) {
        fx_access *access = &made.kernel->access[i];
        if (access->arg != in) continue;
        access->arg = (uint8_t)out;
        memcpy(access->at, store->at, sizeof access->at);
    }
    fx__bound_drop_arg(&made, in, -1);
    step->kernel = fx__program_add_kernel(program, made.kernel);
    if (step->kernel < 0) return fx__diag_oom(program->context);
    memcpy(step->bind, made.bind, sizeof made.bind);
    return FX_OK;
}

/* The result takes over the input's buffer; where it is an output, the input is computed in that. */
static fx_status share(placer *p, fx_step *step, int in, int out)
{
    int32_t x = step->bind[in].buf, y = step->bind[out].buf;
    bool keeps_out = p->program->buf[y].role == FX_BUF_OUTPUT;
    FX_TRY(merge_args(p, step, in, out));
    replace_buffer(p, keeps_out ? x : y, keeps_out ? y : x);
    return FX_OK;
}

static fx_status share_dying(placer *p)
{
    for (int32_t now = 0; now < p->flat.n; now++) {
        FX_TRY(fx__tick(p->program->context));
        fx_step *step = p->flat.step[now];
        const fx_kernel *kernel = step->kind == FX_STEP_RUN ? p->program->kernel[step->kernel] : NULL;
        bool done = false;
        for (int out = 0; kernel && out < kernel->n_arg && !done; out++) {
            for (int in = 0; in < kernel->n_arg && kernel->arg[out].role == FX_ARG_OUT && !done; in++) {
                int32_t x = step->bind[in].buf, y = step->bind[out].buf;
                if (kernel->arg[in].role != FX_ARG_IN || !same_shape(&kernel->arg[in], &kernel->arg[out])) continue;
                if (times_bound(kernel, step, x) != 1 || !loads_match(kernel, in, out) || !may_share(p, now, x, y)) continue;
                FX_TRY(share(p, step, in, out));
                done = true;
            }
        }
    }
    return FX_OK;
}

/* ---- Updates in place -------------------------------------------------------------------------------------------------------- */

/* One MAP that stores elements of `in`, unchanged, at their own places. */
static bool is_identity(const fx_kernel *kernel, int in, int out)
{
    const fx_kstage *stage = &kernel->stage[0];
    if (kernel->n_stage != 1 || kernel->n_arg != 2 || stage->kind != FX_STAGE_MAP || stage->n_out != 1) return false;
    const fx_expr *value = &stage->expr[stage->out[0].expr];
    if (value->op != FX_X_LOAD) return false;
    const fx_access *load = &kernel->access[value->u.access], *store = &kernel->access[stage->out[0].access];
    if (load->arg != in || store->arg != out || load->guarded || store->guarded || load->clamped) return false;
    for (int d = 0; d < load->rank; d++)
        if (load->at[d].value >= 0 || store->at[d].value >= 0 || !fx__index_same(kernel, &load->at[d], &store->at[d])) return false;
    return true;
}

/* The argument of a step that is bound to a buffer; -1: none, or several. */
static int only_arg(const fx_kernel *kernel, const fx_step *step, int32_t buf)
{
    int found = -1;
    for (int a = 0; a < kernel->n_arg; a++) {
        if (kernel->arg[a].role == FX_ARG_LOCAL || step->bind[a].buf != buf) continue;
        if (found >= 0) return -1;
        found = a;
    }
    return found;
}

static bool is_top_level(const placer *p, const fx_step *step)
{
    const fx_block *block = &p->program->steps;
    return step >= block->step && step < block->step + block->n;
}

/* A step that reads the old contents of `to` while `from` is being written may do so where it stores the new ones. */
static bool may_read_old(const placer *p, const fx_step *step, int32_t from, int32_t to)
{
    if (step->kind != FX_STEP_RUN || !is_top_level(p, step)) return false;
    const fx_kernel *kernel = p->program->kernel[step->kernel];
    int in = only_arg(kernel, step, to), out = only_arg(kernel, step, from);
    if (in < 0 || out < 0 || kernel->arg[in].role != FX_ARG_IN || kernel->arg[out].role != FX_ARG_OUT) return false;
    return same_shape(&kernel->arg[in], &kernel->arg[out]) && (is_identity(kernel, in, out) || loads_match(kernel, in, out));
}

typedef struct reads {
    const fx_program *program;
    int32_t root;
    bool found;
} reads;

static void see_read(void *user, int32_t buf, bool is_read, bool is_written)
{
    reads *r = user;
    (void)is_written;
    r->found = r->found || (is_read && fx__buf_root(r->program, buf) == r->root);
}

static bool step_reads(const placer *p, int32_t i, int32_t root)
{
    reads r = {p->program, root, false};
    fx__step_uses(p->program, p->flat.step[i], see_read, &r);
    return r.found;
}

/* May the value be computed in the place of what it replaces, though steps that write it read the old contents? */
static bool may_update(const placer *p, int32_t from, int32_t to)
{
    if (!is_movable(p, from) || has_slices(p->program, from) || p->program->buf[to].parent >= 0 || !same_type(p->program, from, to))
        return false;
    life value = find_life(p, from), target = find_life(p, to);
    if (target.n_write > 0 || value.n_write == 0) return false;
    for (int32_t i = 0; i < p->flat.n; i++) {
        if (p->flat.step[i]->kind == FX_STEP_LOOP) return false;
        if (i >= value.first_write && step_reads(p, i, to) && !may_read_old(p, p->flat.step[i], from, to)) return false;
    }
    return true;
}

/* Steps that would copy an element onto itself go; the others get one INOUT argument. */
static fx_status update_in_place(placer *p, int32_t from, int32_t to)
{
    fx_block *block = &p->program->steps;
    for (int32_t i = 0; i < block->n; i++) {
        fx_step *step = &block->step[i];
        const fx_kernel *kernel = step->kind == FX_STEP_RUN ? p->program->kernel[step->kernel] : NULL;
        int in = kernel ? only_arg(kernel, step, to) : -1, out = kernel ? only_arg(kernel, step, from) : -1;
        if (in < 0 || out < 0) continue;
        if (is_identity(kernel, in, out))
            fx__block_remove(block, i--);
        else
            FX_TRY(merge_args(p, step, in, out));
    }
    if (!fx__steps_flatten(p->arena, block, &p->flat)) return fx__diag_oom(p->program->context);
    replace_buffer(p, from, to);
    return FX_OK;
}

static fx_status resolve_writebacks(placer *p, bool apart)
{
    fx_program *program = p->program;
    for (int32_t i = 0; i < program->n_writeback; i++) {
        int32_t from = program->writeback[i].from, to = program->writeback[i].to;
        if (from == to) continue;
        if (!apart && may_live_in(p, from, to))
            replace_buffer(p, from, to);
        else if (!apart && may_update(p, from, to))
            FX_TRY(update_in_place(p, from, to));
        else
            FX_TRY(add_copy(p, from, to));
    }
    program->n_writeback = 0;
    return FX_OK;
}

/* ---- Strides ------------------------------------------------------------------------------------------------------------------
 */

/* Arguments bound to slices have their roots' strides; the kernel becomes this step's own when that changes it. */
static fx_status restride(placer *p, fx_step *step)
{
    fx_program *program = p->program;
    const fx_kernel *kernel = program->kernel[step->kernel];
    fx_kernel *own = NULL;
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_dim stride[FX_RANK] = {0};
        if (kernel->arg[a].role == FX_ARG_LOCAL || program->buf[step->bind[a].buf].parent < 0) continue;
        fx__buf_strides(program, step->bind[a].buf, stride);
        if (memcmp(stride, kernel->arg[a].stride, kernel->arg[a].rank * sizeof *stride) == 0) continue;
        if (!own) own = fx__kernel_clone(program, kernel);
        if (!own) return fx__diag_oom(program->context);
        memcpy(own->arg[a].stride, stride, sizeof stride);
    }
    if (!own) return FX_OK;
    step->kernel = fx__program_add_kernel(program, own);
    return step->kernel < 0 ? fx__diag_oom(program->context) : FX_OK;
}

static fx_status place(placer *p, bool apart)
{
    FX_TRY(resolve_writebacks(p, apart));
    if (!apart) FX_TRY(make_slices(p));
    if (!apart) FX_TRY(share_dying(p));
    for (int32_t i = 0; i < p->flat.n; i++)
        if (p->flat.step[i]->kind == FX_STEP_RUN) FX_TRY(restride(p, p->flat.step[i]));
    p->program->placed = true;
    if (!fx__steps_drop_bufs(p->program)) return fx__diag_oom(p->program->context);
    return fx__kir_tidy(p->program);
}

fx_status fx__pass_place(fx_program *program, const fx_pass_options *options)
{
    placer p = {.program = program, .arena = fx__arena_new(program->context)};
    if (!p.arena) return fx__diag_oom(program->context);
    fx_status status =
        fx__steps_flatten(p.arena, &program->steps, &p.flat) ? place(&p, options->no_in_place) : fx__diag_oom(program->context);
    fx__arena_free(p.arena);
    return status;
}
