/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse_tail.c: the rule TAIL: a consumer MAP over exactly the elements of a value moves into the stage that stores the
 * value, and reads it in a register: bias, activation, residual after a contraction or a reduction; or a second reader of a MAP.
 * The consumer's axes become the indices at which the producer stores. A value with other readers is stored as before. */
#include "passes/fuse.h"

typedef struct tailer {
    fx_pair *pair;
    fx_bound *out;
    int stage;             /* of the producer: where values are stored */
    int from_arg[FX_ARGS]; /* per consumer argument: the producer's OUT that it is bound to; -1: none */
} tailer;

/* The producer's store into one of its arguments, if it stands in the common stage. */
static const fx_store *store_of(const tailer *t, int arg)
{
    int s, o;
    const fx_kernel *producer = t->pair->producer;
    if (!fx__fuse_store(producer, arg, &s, &o) || (t->stage >= 0 && s != t->stage)) return NULL;
    return &producer->stage[s].out[o];
}

/* Pairs the consumer's inputs with what the producer stores. */
static void match_args(tailer *t)
{
    const fx_pair *pair = t->pair;
    const fx_step *from = &pair->program->steps.step[pair->from], *to = &pair->program->steps.step[pair->to];
    for (int a = 0; a < pair->consumer->n_arg; a++) {
        t->from_arg[a] = -1;
        fx_arg_role role = pair->consumer->arg[a].role;
        for (int b = 0; b < pair->producer->n_arg && (role == FX_ARG_IN || role == FX_ARG_CONST); b++)
            if (pair->producer->arg[b].role == FX_ARG_OUT && from->bind[b].buf == to->bind[a].buf) t->from_arg[a] = b;
    }
}

/* The consumer's axes over the producer's: the load of the value at its own axes is the producer's store. Every axis must occur
 * and have the value's extent, so that each element is visited once. */
static bool map_axes(const tailer *t, const fx_access *load, const fx_access *store, fx_index *by)
{
    const fx_kernel *consumer = t->pair->consumer;
    fx_dims *dims = t->pair->program->dims;
    for (int i = 0; i < consumer->n_axis; i++) by[i] = fx__index_const(consumer->axis[i].extent == 1 ? 0 : FX_DIM_BAD);
    for (int d = 0; d < load->rank; d++) {
        uint8_t axis = fx__index_single(&load->at[d]);
        fx_dim extent = consumer->arg[load->arg].dim[d];
        if (axis == FX_NO_AXIS) {
            if (extent != 1 || load->at[d].n != 0 || load->at[d].value >= 0) return false;
            continue;
        }
        if (by[axis].n != 0 || !fx__dim_equal(dims, consumer->axis[axis].extent, extent)) return false;
        by[axis] = store->at[d];
    }
    for (int i = 0; i < consumer->n_axis; i++)
        if (by[i].base == FX_DIM_BAD) return false;
    return true;
}

/* Hook: what the producer stores at this very index is already an expression of the stage. */
static uint16_t reuse_value(fx_graft *graft, const fx_access *access, bool *failed)
{
    const tailer *t = graft->user;
    int arg = t->from_arg[access->arg];
    if (arg < 0) return FX_NO_EXPR;
    *failed = true;
    const fx_store *store = store_of(t, arg);
    fx_access moved;
    if (!store || access->guarded || access->clamped || !fx__graft_access(graft, access, &moved)) return FX_NO_EXPR;
    const fx_access *stored = &t->pair->producer->access[store->access];
    for (int d = 0; d < moved.rank; d++)
        if (!fx__index_same(graft->to, &moved.at[d], &stored->at[d])) return FX_NO_EXPR;
    *failed = false;
    return fx__graft_cast(graft, store->expr, t->pair->producer->arg[arg].dtype);
}

static bool add_args(tailer *t, uint8_t arg[FX_ARGS])
{
    const fx_pair *pair = t->pair;
    const fx_step *to = &pair->program->steps.step[pair->to];
    for (int a = 0; a < pair->consumer->n_arg; a++) {
        arg[a] = 0;
        if (t->from_arg[a] >= 0) continue;
        int index = fx__bound_add_arg(t->out, &pair->consumer->arg[a], to->bind[a].buf);
        if (index < 0) return false;
        arg[a] = (uint8_t)index;
    }
    return true;
}

static bool add_stores(tailer *t, const fx_graft *graft)
{
    const fx_kernel *consumer = t->pair->consumer;
    const fx_kstage *from = &consumer->stage[0];
    for (int o = 0; o < from->n_out; o++) {
        fx_access access;
        fx_kstage *to = &t->out->kernel->stage[t->stage];
        if (to->n_out == FX_OUTS || !fx__graft_access(graft, &consumer->access[from->out[o].access], &access)) return false;
        int index = fx__kernel_add_access(t->out->program, t->out->kernel, &access);
        if (index < 0) return false;
        to->out[to->n_out++] = (fx_store){.expr = graft->memo[from->out[o].expr], .access = (uint16_t)index};
    }
    return true;
}

/* The vector axis of the joined kernel will be the one along which the producer stores with stride 1. What the consumer adds must
 * go along it as well: stores with stride 1, and behind a reduction also loads with stride 1 or 0. */
static bool keeps_unit_axis(const tailer *t, const fx_access *stored, int first_store, uint16_t first_access)
{
    const fx_kernel *kernel = t->out->kernel;
    fx_program *program = t->pair->program;
    const fx_kstage *stage = &kernel->stage[t->stage];
    uint8_t unit = 0;
    while (unit < kernel->n_axis && (kernel->axis[unit].extent == 1 || fx__access_stride(program, kernel, stored, unit) != 1))
        unit++;
    if (unit == kernel->n_axis) return true;
    for (int o = first_store; o < stage->n_out; o++)
        if (fx__access_stride(program, kernel, &kernel->access[stage->out[o].access], unit) != 1) return false;
    for (uint16_t i = first_access; i < kernel->n_access && kernel->n_stage > 1; i++) {
        fx_dim stride = fx__access_stride(program, kernel, &kernel->access[i], unit);
        if (stride != 0 && stride != 1) return false;
    }
    return true;
}

/* An argument of the new kernel in whose rows a local may live instead: same type, stored at the same index. */
static int find_heir(const tailer *t, int arg, uint16_t access)
{
    const fx_kernel *kernel = t->out->kernel;
    const fx_kstage *stage = &kernel->stage[t->stage];
    for (int o = 0; o < stage->n_out; o++) {
        const fx_access *other = &kernel->access[stage->out[o].access];
        bool same = other->arg != arg && other->rank == kernel->access[access].rank && !other->guarded &&
                    kernel->arg[other->arg].dtype == kernel->arg[arg].dtype;
        for (int d = 0; d < other->rank && same; d++)
            same = fx__index_same(kernel, &other->at[d], &kernel->access[access].at[d]) &&
                   kernel->arg[other->arg].dim[d] == kernel->arg[arg].dim[d];
        if (same) return other->arg;
    }
    return -1;
}

/* The value itself is no longer stored when nobody else reads it. */
static void drop_store(tailer *t)
{
    int s, o, arg = t->pair->from_arg;
    fx_kernel *kernel = t->out->kernel;
    if (!t->pair->sole || !fx__fuse_store(kernel, arg, &s, &o)) return;
    fx_kstage *stage = &kernel->stage[s];
    int heir = find_heir(t, arg, stage->out[o].access);
    stage->n_out--;
    for (int i = o; i < stage->n_out; i++) stage->out[i] = stage->out[i + 1];
    fx__bound_drop_arg(t->out, arg, heir);
}

static fx_verdict check(tailer *t)
{
    const fx_kernel *producer = t->pair->producer, *consumer = t->pair->consumer;
    int o;
    bool plain = consumer->n_stage == 1 && consumer->stage[0].kind == FX_STAGE_MAP && consumer->stage[0].n_inner == 0;
    if (!plain) return fx__fuse_refuse(t->pair, FX_WHY_FOOTPRINT, "the reader combines many elements of the value at each point");
    if (producer->exact != consumer->exact) return fx__fuse_refuse(t->pair, FX_WHY_FOOTPRINT, "one of them is computed exactly");
    if (!fx__fuse_store(producer, t->pair->from_arg, &t->stage, &o) || !fx__fuse_covers(t->pair))
        return fx__fuse_refuse(t->pair, FX_WHY_FOOTPRINT, "the value is stored in parts");
    return FX_WHY_TAIL;
}

static const fx_access *first_load(const fx_kernel *kernel, int arg)
{
    for (int e = 0; e < kernel->stage[0].n_expr; e++) {
        const fx_expr *expr = &kernel->stage[0].expr[e];
        if (expr->op == FX_X_LOAD && kernel->access[expr->u.access].arg == arg) return &kernel->access[expr->u.access];
    }
    return NULL;
}

fx_verdict fx__fuse_tail(fx_pair *pair, fx_bound *out)
{
    tailer t = {.pair = pair, .out = out, .stage = -1};
    fx_index by[FX_AXES];
    uint8_t arg[FX_ARGS];
    fx_verdict verdict = check(&t);
    if (verdict != FX_WHY_TAIL) return verdict;
    const fx_access *load = first_load(pair->consumer, pair->to_arg), *store;
    match_args(&t);
    const fx_store *stored = store_of(&t, pair->from_arg);
    store = stored ? &pair->producer->access[stored->access] : NULL;
    if (!load || !store || !map_axes(&t, load, store, by))
        return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the reader does not meet each element of the value just once");
    out->kernel = fx__kernel_clone(pair->program, pair->producer);
    if (!out->kernel) return FX_WHY_BUDGET;
    for (int a = 0; a < FX_ARGS; a++) out->bind[a] = pair->program->steps.step[pair->from].bind[a];
    if (!add_args(&t, arg)) return fx__fuse_refuse(pair, FX_WHY_BUDGET, "it would have too many arguments");
    fx_graft graft = {.program = pair->program,
                      .from = pair->consumer,
                      .stage = &pair->consumer->stage[0],
                      .to = out->kernel,
                      .to_stage = t.stage,
                      .by = by,
                      .arg = arg,
                      .load = reuse_value,
                      .user = &t};
    int first_store = out->kernel->stage[t.stage].n_out;
    uint16_t first_access = out->kernel->n_access;
    if (!fx__graft_run(&graft) || !add_stores(&t, &graft))
        return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the reader needs other elements of the value than the one that is there");
    if (!keeps_unit_axis(&t, store, first_store, first_access))
        return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the reader's memory order runs across the vectors of the value's kernel");
    drop_store(&t);
    if (!fx__bound_drop_unused(out)) return FX_WHY_BUDGET;
    if (!fx__fuse_within_budget(out->kernel)) return fx__fuse_refuse(pair, FX_WHY_BUDGET, "it would have too many operands");
    return FX_WHY_TAIL;
}
