/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_cut.c: a kernel cut in two at the boundary of two stages, and two kernels joined into one: inverses of each other. What
 * crosses the boundary is a local of one point inside a kernel and a TEMP, with the outer axes before its dims, between two. */
#include "ir/kir_text.h"
#include <string.h>

static bool loads(const fx_kernel *kernel, int from, int to, int arg)
{
    for (int s = from; s < to; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++)
            if (kernel->stage[s].expr[e].op == FX_X_LOAD && kernel->access[kernel->stage[s].expr[e].u.access].arg == arg)
                return true;
    return false;
}

static bool stores(const fx_kernel *kernel, int from, int to, int arg)
{
    for (int s = from; s < to; s++)
        for (int o = 0; o < kernel->stage[s].n_out; o++)
            if (kernel->access[kernel->stage[s].out[o].access].arg == arg) return true;
    return false;
}

static bool uses_result(const fx_kernel *kernel, int from, int result)
{
    for (int s = from; s < kernel->n_stage; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++)
            if (kernel->stage[s].expr[e].op == FX_X_STAGE && kernel->stage[s].expr[e].u.stage == result) return true;
    return false;
}

static int32_t add_temp(fx_program *program, const fx_arg *arg, const char *name)
{
    fx_buf buf = {.name = name, .dtype = arg->dtype, .rank = arg->rank, .role = FX_BUF_TEMP, .index = -1, .parent = -1};
    memcpy(buf.dim, arg->dim, sizeof buf.dim);
    return fx__program_add_buf(program, &buf);
}

static bool set_strides(fx_program *program, fx_arg *arg)
{
    fx_dim stride = 1;
    for (int d = arg->rank - 1; d >= 0; d--) {
        arg->stride[d] = stride;
        stride = fx__dim_mul(program->dims, stride, arg->dim[d]);
    }
    return stride != FX_DIM_BAD;
}

/* ---- Cut
 * ------------------------------------------------------------------------------------------------------------------------- */

typedef struct cutting {
    fx_program *program;
    const fx_kernel *whole;
    fx_kernel *head, *tail; /* stages [0, at) and [at, n) */
    fx_step head_step, tail_step;
    int at;
} cutting;

/* The TEMP of a crossing value with these dims: OUT in the head, IN in the tail. Its argument's number in both; -1: no room. */
static int add_crossing(cutting *c, const fx_dim *dim, int rank, fx_dtype dtype)
{
    int outer = c->whole->n_outer, place = c->head->n_arg;
    fx_arg arg = {.role = FX_ARG_OUT, .dtype = dtype, .rank = (uint8_t)(outer + rank), .home = -1};
    if (outer + rank > FX_RANK || place != c->tail->n_arg || place == FX_ARGS) return -1;
    for (int i = 0; i < outer; i++) arg.dim[i] = c->whole->axis[i].extent;
    for (int d = 0; d < rank; d++) arg.dim[outer + d] = dim[d];
    int32_t buf = set_strides(c->program, &arg) ? add_temp(c->program, &arg, "cut") : -1;
    if (buf < 0 || fx__kernel_add_arg(c->head, &arg) < 0) return -1;
    arg.role = FX_ARG_IN;
    fx__kernel_add_arg(c->tail, &arg);
    c->head_step.bind[place].buf = c->tail_step.bind[place].buf = buf;
    return place;
}

static fx_access crossing_access(const cutting *c, int arg, const fx_index *inner, int rank)
{
    int outer = c->whole->n_outer;
    fx_access access = {.arg = (uint8_t)arg, .rank = (uint8_t)(outer + rank)};
    for (int i = 0; i < outer; i++) access.at[i] = fx__index_axis((uint8_t)i);
    for (int d = 0; d < rank; d++) access.at[outer + d] = inner[d];
    return access;
}

/* Ends the head with a MAP that stores the value. */
static bool store_crossing(cutting *c, int arg, const fx_expr *value, const uint8_t *inner, int rank)
{
    fx_index at[FX_RANK];
    if (rank > FX_REDS) return false;
    for (int d = 0; d < rank; d++) at[d] = fx__index_axis(inner[d]);
    fx_access access = crossing_access(c, arg, at, rank);
    int number = fx__kernel_add_access(c->program, c->head, &access);
    fx_kstage *stage = fx__kernel_add_stage(c->program, c->head, FX_STAGE_MAP);
    if (number < 0 || !stage) return false;
    memcpy(stage->inner, inner, (size_t)rank);
    stage->n_inner = (uint8_t)rank;
    stage->out[0] = (fx_store){.expr = fx__stage_expr(c->program, stage, value), .access = (uint16_t)number};
    stage->n_out = 1;
    return stage->out[0].expr != FX_NO_EXPR;
}

static bool cross_local(cutting *c, int local)
{
    fx_arg arg = c->whole->arg[local];
    uint8_t inner[FX_RANK];
    fx_access load = {.arg = (uint8_t)local, .rank = arg.rank};
    int place = add_crossing(c, arg.dim, arg.rank, arg.dtype);
    if (place < 0) return false;
    for (int d = 0; d < arg.rank; d++) {
        int axis = fx__kernel_add_axis(c->program, c->head, NULL, arg.dim[d], false);
        if (axis < 0) return false;
        inner[d] = (uint8_t)axis;
        load.at[d] = fx__index_axis(inner[d]);
    }
    int number = fx__kernel_add_access(c->program, c->head, &load);
    fx_expr value = {.op = FX_X_LOAD, .dtype = (uint8_t)arg.dtype, .u.access = (uint16_t)number};
    if (number < 0 || !store_crossing(c, place, &value, inner, arg.rank)) return false;
    for (int i = 0; i < c->tail->n_access; i++) {
        fx_access *access = &c->tail->access[i], old = *access;
        if (old.arg != local) continue;
        *access = crossing_access(c, place, old.at, old.rank);
        access->guarded = old.guarded;
        access->clamped = old.clamped;
        access->fill = old.fill;
    }
    return true;
}

static bool cross_result(cutting *c, int result)
{
    const fx_kstage *from = &c->whole->stage[result];
    fx_dtype dtype = fx__stage_dtype(from);
    fx_dim dim[FX_REDS];
    fx_index at[FX_REDS];
    for (int i = 0; i < from->n_inner; i++) {
        dim[i] = c->whole->axis[from->inner[i]].extent;
        at[i] = fx__index_axis(from->inner[i]);
    }
    int place = add_crossing(c, dim, from->n_inner, dtype);
    fx_expr value = {.op = FX_X_STAGE, .dtype = (uint8_t)dtype, .u.stage = (uint16_t)result};
    if (place < 0 || !store_crossing(c, place, &value, from->inner, from->n_inner)) return false;
    fx_access access = crossing_access(c, place, at, from->n_inner);
    int number = fx__kernel_add_access(c->program, c->tail, &access);
    for (int s = c->at; s < c->tail->n_stage && number >= 0; s++)
        for (int e = 0; e < c->tail->stage[s].n_expr; e++) {
            fx_expr *x = &c->tail->stage[s].expr[e];
            if (x->op != FX_X_STAGE || x->u.stage != result) continue;
            x->op = FX_X_LOAD;
            x->u.access = (uint16_t)number;
        }
    return number >= 0;
}

static bool cross_all(cutting *c)
{
    const fx_kernel *whole = c->whole;
    for (int a = 0; a < whole->n_arg; a++) {
        if (whole->arg[a].role != FX_ARG_LOCAL || !stores(whole, 0, c->at, a) || !loads(whole, c->at, whole->n_stage, a)) continue;
        if (stores(whole, c->at, whole->n_stage, a) || !cross_local(c, a)) return false;
    }
    for (int s = 0; s < c->at; s++)
        if (uses_result(whole, c->at, s) && !cross_result(c, s)) return false;
    return true;
}

/* Roles follow from what is left; a local whose home is gone moves to scratch. */
static void settle_roles(fx_kernel *kernel)
{
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_arg *arg = &kernel->arg[a];
        bool loaded = loads(kernel, 0, kernel->n_stage, a), stored = stores(kernel, 0, kernel->n_stage, a);
        if (arg->role == FX_ARG_INOUT && !stored) arg->role = FX_ARG_IN;
        if (arg->role == FX_ARG_INOUT && !loaded) arg->role = FX_ARG_OUT;
        if (arg->role == FX_ARG_LOCAL) arg->home = -1;
    }
}

static void keep_tail(cutting *c)
{
    fx_kernel *tail = c->tail;
    memmove(tail->stage, tail->stage + c->at, (size_t)(tail->n_stage - c->at) * sizeof *tail->stage);
    tail->n_stage = (uint8_t)(tail->n_stage - c->at);
    for (int s = 0; s < tail->n_stage; s++)
        for (int e = 0; e < tail->stage[s].n_expr; e++)
            if (tail->stage[s].expr[e].op == FX_X_STAGE)
                tail->stage[s].expr[e].u.stage = (uint16_t)(tail->stage[s].expr[e].u.stage - c->at);
}

static fx_status insert_step(fx_program *program, fx_block *block, int32_t place, const fx_step *step)
{
    if (!fx__block_add(program, block, step)) return FX_E_OOM;
    memmove(&block->step[place + 1], &block->step[place], (size_t)(block->n - 1 - place) * sizeof *block->step);
    block->step[place] = *step;
    return FX_OK;
}

fx_status fx__kernel_cut(fx_program *program, fx_block *block, int32_t step, int at)
{
    const fx_step old = block->step[step];
    const fx_kernel *whole = program->kernel[old.kernel];
    if (at <= 0 || at >= whole->n_stage || whole->sched.emit != FX_EMIT_NONE || block == &program->init) return FX_E_UNSUPPORTED;
    cutting c = {.program = program, .whole = whole, .at = at, .head_step = old, .tail_step = old};
    c.head = fx__kernel_clone(program, whole);
    c.tail = fx__kernel_clone(program, whole);
    if (!c.head || !c.tail) return FX_E_OOM;
    c.head->n_stage = (uint8_t)at;
    int32_t n_buf = program->n_buf;
    if (!cross_all(&c)) {
        program->n_buf = n_buf;
        return FX_E_UNSUPPORTED;
    }
    keep_tail(&c);
    settle_roles(c.head);
    settle_roles(c.tail);
    c.head_step.kernel = fx__program_add_kernel(program, c.head);
    c.tail_step.kernel = fx__program_add_kernel(program, c.tail);
    if (c.head_step.kernel < 0 || c.tail_step.kernel < 0) return FX_E_OOM;
    block->step[step] = c.tail_step;
    FX_TRY(insert_step(program, block, step, &c.head_step));
    return fx__kir_tidy(program);
}

/* ---- Join
 * ------------------------------------------------------------------------------------------------------------------------ */

typedef struct joining {
    fx_program *program;
    fx_block *block;
    int32_t first;
    const fx_kernel *a, *b;
    fx_kernel *both;
    fx_step step;
    uint8_t arg[FX_ARGS], axis[FX_AXES]; /* of b, in both */
    uint16_t *access;                    /* of b, in both */
} joining;

static bool is_plain(const fx_index *index, int axis)
{
    fx_index plain = fx__index_axis((uint8_t)axis);
    return fx__index_equal(index, &plain);
}

static bool is_plain_outer(const fx_kernel *kernel, const fx_index *index)
{
    return index->n == 1 && index->term[0].axis < kernel->n_outer && is_plain(index, index->term[0].axis);
}

static int32_t count_in_block(const fx_program *program, const fx_block *block, int32_t buf)
{
    int32_t uses = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        for (int a = 0; step->kind == FX_STEP_RUN && a < program->kernel[step->kernel]->n_arg; a++)
            uses += step->bind[a].buf >= 0 && fx__buf_root(program, step->bind[a].buf) == buf;
        for (int32_t v = 0; step->kind == FX_STEP_CALL && v < step->n_view; v++)
            uses += fx__buf_root(program, step->view[v].buf) == buf;
        uses += step->kind >= FX_STEP_IF && step->cond >= 0 && fx__buf_root(program, step->cond) == buf;
        uses += count_in_block(program, &step->body[0], buf) + count_in_block(program, &step->body[1], buf);
    }
    return uses;
}

/* Only the two steps know the buffer. */
static bool is_private(const fx_program *program, int32_t buf)
{
    if (program->buf[buf].role != FX_BUF_TEMP || program->buf[buf].parent >= 0) return false;
    for (int32_t i = 0; i < program->n_writeback; i++)
        if (program->writeback[i].from == buf || program->writeback[i].to == buf) return false;
    return count_in_block(program, &program->init, buf) + count_in_block(program, &program->steps, buf) == 2;
}

/* The one store to arg, at plain axes of which every outer one is there (those of extent 1 need not be); NULL otherwise. */
static const fx_access *plain_store(const fx_kernel *kernel, int arg)
{
    const fx_access *found = NULL;
    for (int s = 0; s < kernel->n_stage; s++)
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            const fx_access *access = &kernel->access[kernel->stage[s].out[o].access];
            if (access->arg != arg) continue;
            if (found || access->guarded) return NULL;
            found = access;
        }
    int outer = 0, wanted = 0;
    for (int d = 0; found && d < found->rank; d++) {
        const fx_index *at = &found->at[d];
        if (kernel->arg[arg].dim[d] == 1 && at->n == 0 && at->base == 0 && at->value < 0) continue;
        if (at->n != 1 || !is_plain(at, at->term[0].axis)) return NULL;
        if (kernel->axis[at->term[0].axis].extent != kernel->arg[arg].dim[d]) return NULL;
        outer += at->term[0].axis < kernel->n_outer && kernel->axis[at->term[0].axis].extent != 1;
    }
    for (int i = 0; i < kernel->n_outer; i++) wanted += kernel->axis[i].extent != 1;
    return found && outer == wanted ? found : NULL;
}

/* Every load of b's argument is at the same outer axes as the store. */
static bool loads_match(const fx_kernel *a, const fx_access *store, const fx_kernel *b, int arg)
{
    for (int i = 0; i < b->n_access; i++) {
        if (b->access[i].arg != arg) continue;
        for (int d = 0; d < store->rank; d++)
            if (is_plain_outer(a, &store->at[d]) && !is_plain(&b->access[i].at[d], store->at[d].term[0].axis)) return false;
    }
    return true;
}

/* Has a local no such dim: is it one of the point's own coordinates, or of extent 1? */
static bool is_dropped(const fx_kernel *a, const fx_index *stored)
{
    return stored->n == 0 || is_plain_outer(a, stored);
}

/* Drops the outer dims of an access, or of the argument itself. */
static void keep_inner_dims(const fx_kernel *a, const fx_access *store, fx_access *access)
{
    int rank = 0;
    for (int d = 0; d < store->rank; d++)
        if (!is_dropped(a, &store->at[d])) access->at[rank++] = access->at[d];
    access->rank = (uint8_t)rank;
}

static bool to_local(joining *j, int arg, const fx_access *store)
{
    fx_arg *local = &j->both->arg[arg];
    int rank = 0;
    for (int d = 0; d < store->rank; d++)
        if (!is_dropped(j->a, &store->at[d])) local->dim[rank++] = local->dim[d];
    local->rank = (uint8_t)rank;
    local->role = FX_ARG_LOCAL;
    local->home = -1;
    j->step.bind[arg].buf = -1;
    for (int i = 0; i < j->both->n_access; i++)
        if (j->both->access[i].arg == arg) keep_inner_dims(j->a, store, &j->both->access[i]);
    return set_strides(j->program, local);
}

static bool written(const fx_arg *arg)
{
    return arg->role == FX_ARG_OUT || arg->role == FX_ARG_INOUT;
}

static int arg_with_root(const joining *j, int32_t buf)
{
    const fx_step *step = &j->block->step[j->first];
    for (int a = 0; a < j->a->n_arg; a++)
        if (step->bind[a].buf >= 0 && fx__buf_root(j->program, step->bind[a].buf) == fx__buf_root(j->program, buf)) return a;
    return -1;
}

/* An argument of b: one of a's, a local that was a's output, or a new one. */
static bool join_arg(joining *j, int number)
{
    const fx_arg *arg = &j->b->arg[number];
    int32_t buf = j->block->step[j->first + 1].bind[number].buf;
    int same = buf < 0 ? -1 : arg_with_root(j, buf);
    if (same >= 0 && (written(arg) || written(&j->a->arg[same]))) {
        const fx_access *store = plain_store(j->a, same);
        bool exact = j->block->step[j->first].bind[same].buf == buf && j->a->arg[same].role == FX_ARG_OUT && !written(arg);
        if (!exact || !store || !is_private(j->program, buf) || !loads_match(j->a, store, j->b, number)) return false;
        j->arg[number] = (uint8_t)same;
        return to_local(j, same, store);
    }
    if (same >= 0 && j->block->step[j->first].bind[same].buf == buf) {
        j->arg[number] = (uint8_t)same;
        return true;
    }
    int place = fx__kernel_add_arg(j->both, arg);
    if (place < 0) return false;
    j->arg[number] = (uint8_t)place;
    j->step.bind[place].buf = buf;
    return true;
}

static bool join_axes(joining *j)
{
    for (int i = 0; i < j->b->n_outer; i++) {
        if (j->a->axis[i].extent != j->b->axis[i].extent) return false;
        j->axis[i] = (uint8_t)i;
    }
    for (int i = j->b->n_outer; i < j->b->n_axis; i++) {
        int axis = fx__kernel_add_axis(j->program, j->both, j->b->axis[i].name, j->b->axis[i].extent, false);
        if (axis < 0) return false;
        j->axis[i] = (uint8_t)axis;
    }
    return true;
}

static bool join_access(joining *j, int number)
{
    fx_access access = j->b->access[number];
    const fx_access *store = plain_store(j->a, j->arg[access.arg]);
    bool local = j->both->arg[j->arg[access.arg]].role == FX_ARG_LOCAL && j->b->arg[access.arg].role != FX_ARG_LOCAL;
    for (int d = 0; d < access.rank; d++)
        for (int t = 0; t < access.at[d].n; t++) access.at[d].term[t].axis = j->axis[access.at[d].term[t].axis];
    access.arg = j->arg[access.arg];
    if (local) keep_inner_dims(j->a, store, &access);
    int added = fx__kernel_add_access(j->program, j->both, &access);
    j->access[number] = (uint16_t)added;
    return added >= 0;
}

static void rename_axes(const joining *j, uint8_t *list, int n)
{
    for (int i = 0; i < n; i++) list[i] = j->axis[list[i]];
}

static bool join_stage(joining *j, const fx_kernel *b, int s)
{
    fx_kstage *stage = fx__kernel_add_stage(j->program, j->both, b->stage[s].kind);
    if (!stage) return false;
    *stage = b->stage[s];
    rename_axes(j, stage->inner, stage->n_inner);
    rename_axes(j, stage->red, stage->n_red);
    for (int o = 0; o < stage->n_out; o++) stage->out[o].access = j->access[stage->out[o].access];
    for (int e = 0; e < stage->n_expr; e++) {
        fx_expr *x = &stage->expr[e];
        if (x->op == FX_X_LOAD) x->u.access = j->access[x->u.access];
        if (x->op == FX_X_AXIS) x->u.axis = j->axis[x->u.axis];
        if (x->op == FX_X_STAGE) x->u.stage = (uint16_t)(x->u.stage + j->a->n_stage);
    }
    return true;
}

static bool join_all(joining *j)
{
    if (!join_axes(j)) return false;
    for (int a = 0; a < j->b->n_arg; a++)
        if (!join_arg(j, a)) return false;
    for (int i = 0; i < j->b->n_access; i++)
        if (!join_access(j, i)) return false;
    const fx_kernel *copy = fx__kernel_clone(j->program, j->b); /* its expressions are changed */
    for (int s = 0; copy && s < copy->n_stage; s++)
        if (!join_stage(j, copy, s)) return false;
    return copy != NULL;
}

static bool join_nodes(joining *j, const fx_step *a, const fx_step *b)
{
    j->step.nodes = FX_NEW_ARRAY(j->program->arena, const fx_node *, a->n_nodes + b->n_nodes + 1);
    if (!j->step.nodes) return false;
    for (int32_t i = 0; i < a->n_nodes; i++) j->step.nodes[i] = a->nodes[i];
    for (int32_t i = 0; i < b->n_nodes; i++) j->step.nodes[a->n_nodes + i] = b->nodes[i];
    j->step.n_nodes = a->n_nodes + b->n_nodes;
    return true;
}

static bool may_join(const fx_program *program, const fx_block *block, int32_t first)
{
    if (first < 0 || first + 1 >= block->n || block->step[first].kind != FX_STEP_RUN || block->step[first + 1].kind != FX_STEP_RUN)
        return false;
    const fx_kernel *a = program->kernel[block->step[first].kernel], *b = program->kernel[block->step[first + 1].kernel];
    return a->n_outer == b->n_outer && a->exact == b->exact && a->sched.emit == FX_EMIT_NONE && b->sched.emit == FX_EMIT_NONE &&
           a->n_stage + b->n_stage < UINT8_MAX;
}

/* Of one number per point, read still. */
static bool keeps_scalar(const fx_kernel *kernel)
{
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role == FX_ARG_LOCAL && kernel->arg[a].rank == 0 && loads(kernel, 0, kernel->n_stage, a)) return true;
    return false;
}

fx_status fx__kernel_join(fx_program *program, fx_block *block, int32_t first)
{
    if (!may_join(program, block, first)) return FX_E_UNSUPPORTED;
    joining j = {.program = program, .block = block, .first = first, .step = block->step[first]};
    j.a = program->kernel[block->step[first].kernel];
    j.b = program->kernel[block->step[first + 1].kernel];
    j.both = fx__kernel_clone(program, j.a);
    j.access = FX_NEW_ARRAY(program->arena, uint16_t, j.b->n_access + 1);
    if (!j.both || !j.access || !join_nodes(&j, &block->step[first], &block->step[first + 1])) return FX_E_OOM;
    if (!join_all(&j)) return FX_E_UNSUPPORTED;
    FX_TRY(fx__kernel_forward(program, j.both));
    if (keeps_scalar(j.both)) return FX_E_UNSUPPORTED;
    j.step.kernel = fx__program_add_kernel(program, j.both);
    if (j.step.kernel < 0) return FX_E_OOM;
    block->step[first] = j.step;
    fx__block_remove(block, first + 1);
    return fx__kir_tidy(program);
}
