/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse_inline.c: the rule INLINE: the consumer computes what it used to load. Legal for a MAP without inner axes that
 * stores each element of the buffer once at its own axes, when the consumer's index composes; worth it when elements are computed
 * about once, or are cheap. Never into an operand of a CONTRACT, never through a guard (the fill is not f(fill)). */
#include "passes/fuse.h"
#include "ir/saturate.h"

typedef struct inliner {
    fx_pair *pair;
    const fx_store *store; /* the producer's */
    uint8_t producer_arg[FX_ARGS];
    const fx_index *moved; /* the load's index over the new kernel's axes */
} inliner;

bool fx__fuse_store(const fx_kernel *kernel, int arg, int *out_stage, int *out_store)
{
    int found = 0;
    for (int s = 0; s < kernel->n_stage; s++) {
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            if (kernel->access[kernel->stage[s].out[o].access].arg != arg) continue;
            *out_stage = s;
            *out_store = o;
            found++;
        }
    }
    return found == 1;
}

bool fx__fuse_covers(const fx_pair *pair)
{
    int s, o;
    const fx_kernel *kernel = pair->producer;
    if (!fx__fuse_store(kernel, pair->from_arg, &s, &o)) return false;
    const fx_access *store = &kernel->access[kernel->stage[s].out[o].access];
    const fx_arg *arg = &kernel->arg[pair->from_arg];
    fx_dim elems = 1;
    if (store->guarded || kernel->stage[s].kind != FX_STAGE_MAP) return false;
    for (int d = 0; d < arg->rank; d++) {
        if (store->at[d].value >= 0) return false;
        elems = fx__dim_mul(pair->program->dims, elems, arg->dim[d]);
    }
    return fx__dim_equal(pair->program->dims, elems, fx__buf_elems(pair->program, pair->buf)) &&
           fx__dim_equal(pair->program->dims, elems, fx__stage_points(pair->program, kernel, &kernel->stage[s]));
}

/* The producer's axes in terms of the load's index: by[axis of dim d] = at[d]. */
static bool invert(const inliner *in, fx_index *by)
{
    const fx_kernel *producer = in->pair->producer;
    const fx_access *store = &producer->access[in->store->access];
    for (int i = 0; i < producer->n_axis; i++) by[i] = fx__index_const(producer->axis[i].extent == 1 ? 0 : FX_DIM_BAD);
    for (int d = 0; d < store->rank; d++) {
        uint8_t axis = fx__index_single(&store->at[d]);
        if (axis != FX_NO_AXIS)
            by[axis] = in->moved[d];
        else if (store->at[d].n != 0)
            return false;
    }
    for (int i = 0; i < producer->n_axis; i++)
        if (by[i].base == FX_DIM_BAD) return false;
    return true;
}

/* Hook of the consumer's graft: a load of the buffer becomes the producer's expression. */
static uint16_t inline_load(fx_graft *graft, const fx_access *access, bool *failed)
{
    inliner *in = graft->user;
    fx_access moved;
    fx_index by[FX_AXES];
    if (access->arg != in->pair->to_arg) return FX_NO_EXPR;
    *failed = true;
    if (access->guarded || access->clamped || !fx__graft_access(graft, access, &moved)) return FX_NO_EXPR;
    in->moved = moved.at;
    if (!invert(in, by)) return FX_NO_EXPR;
    const fx_kernel *producer = in->pair->producer;
    fx_graft inner = {.program = graft->program,
                      .from = producer,
                      .stage = &producer->stage[0],
                      .to = graft->to,
                      .to_stage = graft->to_stage,
                      .by = by,
                      .arg = in->producer_arg,
                      .user = in};
    if (!fx__graft_run(&inner)) return FX_NO_EXPR;
    *failed = false;
    return fx__graft_cast(graft, inner.memo[in->store->expr], producer->arg[in->pair->from_arg].dtype);
}

/* ---- Worth ------------------------------------------------------------------------------------------------------------- */

static int64_t expression_cost(const fx_kstage *stage)
{
    int64_t cost = 0;
    for (int e = 0; e < stage->n_expr; e++) {
        const fx_expr *expr = &stage->expr[e];
        if (expr->op == FX_X_SCALAR) cost += fx__scalar_cost((fx_scalar_op)expr->scalar);
        if (expr->op == FX_X_SELECT || expr->op == FX_X_CAST) cost++;
    }
    return cost;
}

static bool loads(const fx_kernel *kernel, const fx_kstage *stage, int arg)
{
    for (int e = 0; e < stage->n_expr; e++)
        if (stage->expr[e].op == FX_X_LOAD && kernel->access[stage->expr[e].u.access].arg == arg) return true;
    return false;
}

/* Evaluations per element of the buffer, rounded up. */
static int64_t duplication(const fx_pair *pair)
{
    const fx_kernel *kernel = pair->consumer;
    fx_dims *dims = pair->program->dims;
    int64_t elems = fx__dim_hint(dims, fx__buf_elems(pair->program, pair->buf)), evaluations = 0;
    for (int s = 0; s < kernel->n_stage; s++) {
        bool seen[FX_ARGS * 16] = {false};
        for (int e = 0; e < kernel->stage[s].n_expr; e++) {
            const fx_expr *expr = &kernel->stage[s].expr[e];
            if (expr->op != FX_X_LOAD || kernel->access[expr->u.access].arg != pair->to_arg) continue;
            if (expr->u.access < sizeof seen && seen[expr->u.access]) continue;
            if (expr->u.access < sizeof seen) seen[expr->u.access] = true;
            evaluations =
                fx__saturate_add(evaluations, fx__dim_hint(dims, fx__stage_points(pair->program, kernel, &kernel->stage[s])));
        }
    }
    return elems > 0 ? evaluations / elems + (evaluations % elems != 0) : 1;
}

/* A transposed read inside a reduction is walked lane by lane there, while a copy transposes in registers. */
static bool spoils_reduction(const fx_pair *pair)
{
    const fx_kernel *producer = pair->producer;
    bool reduces = false;
    for (int s = 0; s < pair->consumer->n_stage; s++) reduces = reduces || pair->consumer->stage[s].kind != FX_STAGE_MAP;
    if (!reduces) return false;
    const fx_access *store = &producer->access[producer->stage[0].out[0].access];
    for (int i = 0; i < producer->n_axis; i++) {
        if (fx__access_stride(pair->program, producer, store, (uint8_t)i) != 1 || producer->axis[i].extent == 1) continue;
        for (int a = 0; a < producer->n_access; a++) {
            fx_dim stride = fx__access_stride(pair->program, producer, &producer->access[a], (uint8_t)i);
            if (stride != 0 && stride != 1) return true;
        }
    }
    return false;
}

/* ---- Rule -------------------------------------------------------------------------------------------------------------- */

static fx_verdict check(fx_pair *pair)
{
    const fx_kernel *producer = pair->producer, *consumer = pair->consumer;
    bool plain = producer->n_stage == 1 && producer->stage[0].kind == FX_STAGE_MAP && producer->stage[0].n_inner == 0 &&
                 producer->stage[0].n_out == 1;
    if (!plain) return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the value is no expression of its inputs at one point");
    if (!fx__fuse_covers(pair)) return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the value is stored in parts");
    for (int s = 0; s < consumer->n_stage; s++)
        if (consumer->stage[s].kind == FX_STAGE_CONTRACT && loads(consumer, &consumer->stage[s], pair->to_arg))
            return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "the reader is a contraction, which loads each element many times");
    int64_t times = duplication(pair), price = expression_cost(&producer->stage[0]);
    int64_t elems = fx__dim_hint(pair->program->dims, fx__buf_elems(pair->program, pair->buf));
    pair->cost = fx__saturate_mul(fx__saturate_mul(times - 1, price), elems);
    if (times > 1 && (price > 2 || times > 4))
        return fx__fuse_refuse(pair, FX_WHY_RECOMPUTE, "the reader loads each element several times and would compute it each time");
    if (spoils_reduction(pair))
        return fx__fuse_refuse(pair, FX_WHY_RECOMPUTE, "a reduction would walk a transposed operand element by element");
    return FX_WHY_INLINE;
}

/* Arguments of the new kernel: the consumer's without the buffer, then the producer's inputs. */
static bool add_args(inliner *in, fx_bound *out, uint8_t consumer_arg[FX_ARGS])
{
    const fx_pair *pair = in->pair;
    const fx_step *from = &pair->program->steps.step[pair->from], *to = &pair->program->steps.step[pair->to];
    for (int a = 0; a < pair->consumer->n_arg; a++) {
        consumer_arg[a] = 0;
        if (a == pair->to_arg) continue;
        fx_arg arg = pair->consumer->arg[a];
        if (arg.role == FX_ARG_LOCAL && arg.home > pair->to_arg) arg.home--;
        int index = fx__kernel_add_arg(out->kernel, &arg);
        if (index < 0) return false;
        out->bind[index] = to->bind[a];
        consumer_arg[a] = (uint8_t)index;
    }
    for (int a = 0; a < pair->producer->n_arg; a++) {
        in->producer_arg[a] = 0;
        if (a == pair->from_arg) continue;
        int index = fx__bound_add_arg(out, &pair->producer->arg[a], from->bind[a].buf);
        if (index < 0) return false;
        in->producer_arg[a] = (uint8_t)index;
    }
    return true;
}

/* Stage s of the consumer, with its loads replaced. */
static bool add_stage(inliner *in, fx_bound *out, int s, const uint8_t *consumer_arg)
{
    const fx_kernel *consumer = in->pair->consumer;
    const fx_kstage *from = &consumer->stage[s];
    fx_kstage *to = fx__kernel_add_stage(out->program, out->kernel, from->kind);
    if (!to) return false;
    fx_kstage made = *from;
    made.expr = NULL;
    made.n_expr = made.cap_expr = 0;
    *to = made;
    fx_graft graft = {.program = out->program,
                      .from = consumer,
                      .stage = from,
                      .to = out->kernel,
                      .to_stage = s,
                      .arg = consumer_arg,
                      .load = inline_load,
                      .user = in};
    if (!fx__graft_run(&graft)) return false;
    to = &out->kernel->stage[s];
    if (from->value != FX_NO_EXPR && from->kind != FX_STAGE_MAP) to->value = graft.memo[from->value];
    for (int o = 0; o < from->n_out; o++) {
        fx_access access;
        if (!fx__graft_access(&graft, &consumer->access[from->out[o].access], &access)) return false;
        int index = fx__kernel_add_access(out->program, out->kernel, &access);
        if (index < 0) return false;
        to = &out->kernel->stage[s];
        to->out[o].access = (uint16_t)index;
        if (from->kind == FX_STAGE_MAP) to->out[o].expr = graft.memo[from->out[o].expr];
    }
    return true;
}

fx_verdict fx__fuse_inline(fx_pair *pair, fx_bound *out)
{
    fx_verdict verdict = check(pair);
    if (verdict != FX_WHY_INLINE) return verdict;
    inliner in = {.pair = pair, .store = &pair->producer->stage[0].out[0]};
    uint8_t consumer_arg[FX_ARGS];
    out->kernel = fx__kernel_new(pair->program);
    if (!out->kernel) return FX_WHY_BUDGET;
    const fx_kernel *consumer = pair->consumer;
    for (int i = 0; i < consumer->n_axis; i++) out->kernel->axis[i] = consumer->axis[i];
    out->kernel->n_axis = consumer->n_axis;
    out->kernel->n_outer = consumer->n_outer;
    out->kernel->exact = consumer->exact;
    if (!add_args(&in, out, consumer_arg)) return fx__fuse_refuse(pair, FX_WHY_BUDGET, "it would have too many arguments");
    for (int s = 0; s < consumer->n_stage; s++)
        if (!add_stage(&in, out, s, consumer_arg))
            return fx__fuse_refuse(pair, FX_WHY_FOOTPRINT, "no index of the joined kernel expresses where the reader reads");
    if (!fx__bound_drop_unused(out)) return FX_WHY_BUDGET;
    if (!fx__fuse_within_budget(out->kernel)) return fx__fuse_refuse(pair, FX_WHY_BUDGET, "it would have too many operands");
    return FX_WHY_INLINE;
}
