/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/point.c: the stages of one outer point as sweeps. A sweep is a nest over one set of axes in which consecutive stages run
 * together: MAPs and inner REDUCEs whose inner axes are that set, and, in ROW, REDUCEs across it. A new sweep starts where a
 * stage runs over other axes, needs a complete result of the sweep, or reads a local elsewhere than where it was just written. */
#include "codegen/point.h"
#include <string.h>

static const fx_kstage *stage_of(const fx_kpoint *p, int stage)
{
    return &p->f->kernel->stage[stage];
}

static LLVMValueRef *new_results(fx_kpoint *p, const LLVMValueRef *from)
{
    int n = p->f->kernel->n_stage;
    LLVMValueRef *results = FX_NEW_ARRAY(p->f->arena, LLVMValueRef, n + 1);
    if (!results)
        p->f->status = FX_E_OOM;
    else if (from)
        memcpy(results, from, (size_t)n * sizeof *results);
    return results;
}

fx_status fx__point_open(fx_kpoint *p, fx_frame *f)
{
    const fx_kernel *k = f->kernel;
    *p = (fx_kpoint){.f = f, .vec = FX_NO_AXIS, .row = FX_NO_AXIS, .sweep = FX_NO_AXIS, .lanes = 1, .rows = 1, .n_copy = 1};
    p->hoisted = FX_NEW_ARRAY(f->arena, LLVMValueRef *, k->n_stage + 1);
    p->safe = FX_NEW_ARRAY(f->arena, uint8_t, k->n_access + 1);
    p->copy[0].result = new_results(p, NULL);
    return p->hoisted && p->safe && p->copy[0].result ? FX_OK : FX_E_OOM;
}

/* ---- Vector loops ------------------------------------------------------------------------------------------------------- */

/* nv vectors for each of the rows, knowing the results that `from` knows. */
static bool make_copies(fx_kpoint *p, const LLVMValueRef *from, int nv, LLVMValueRef mask)
{
    p->n_copy = 0;
    for (int r = 0; r < p->rows; r++) {
        for (int v = 0; v < nv; v++) {
            fx_copy *copy = &p->copy[p->n_copy++];
            *copy = (fx_copy){.dv = (int64_t)v * p->lanes, .dr = r, .mask = mask, .result = new_results(p, from)};
            if (!copy->result) return false;
        }
    }
    return true;
}

void fx__point_set_rows(fx_kpoint *p, int n)
{
    int nv = 0;
    while (nv < p->n_copy && p->copy[nv].dr == 0) nv++;
    p->rows = n;
    make_copies(p, p->copy[0].result, nv, p->copy[0].mask);
}

typedef struct vec_loop {
    fx_kpoint *p;
    uint8_t axis;
    const LLVMValueRef *known; /* results from before the loop */
    int width;
    fx_vec_body body;
    void *user;
} vec_loop;

static void run_body(vec_loop *l, LLVMValueRef at, int nv, LLVMValueRef mask, LLVMValueRef *carry)
{
    fx_kpoint *p = l->p;
    if (!make_copies(p, l->known, nv, mask)) return;
    LLVMValueRef *saved = fx__frame_enter(p->f, l->axis, at);
    l->body(p, l->user, carry);
    fx__frame_leave(p->f, l->axis, saved);
}

/* Nothing is carried where there are no reductions, and then there is no array. */
static void copy_values(LLVMValueRef *to, const LLVMValueRef *from, int n)
{
    for (int i = 0; i < n; i++) to[i] = from[i];
}

/* nv vectors per turn over [begin, end); masked: the last ones may reach past the end. */
static void run_loop(vec_loop *l, LLVMValueRef begin, LLVMValueRef end, int nv, bool masked, LLVMValueRef *carry)
{
    fx_e *e = &l->p->f->e;
    int lanes = l->p->lanes, n = nv * l->p->rows * l->width;
    int64_t lo, hi;
    bool known = e_const(begin, &lo) && e_const(end, &hi);
    if (known && lo >= hi) return;
    if (known && hi - lo <= (int64_t)nv * lanes) {
        run_body(l, begin, nv, masked ? e_mask_first(e, lanes, e_i64(e, hi - lo)) : NULL, carry);
        return;
    }
    LLVMValueRef next[E_CARRY];
    fx_loop loop = e_loop_begin(e, l->p->f->kernel->axis[l->axis].name, begin, end, (int64_t)nv * lanes, n, carry);
    copy_values(next, loop.carry, n);
    run_body(l, loop.index, nv, masked ? e_mask_first(e, lanes, e_sub(e, end, loop.index)) : NULL, next);
    e_loop_end(e, &loop, next);
    copy_values(carry, loop.carry, n);
}

/* The end of the whole steps of `step` that fit into [begin, end). */
static LLVMValueRef whole(fx_e *e, LLVMValueRef begin, LLVMValueRef end, int64_t step)
{
    LLVMValueRef length = e_sub(e, end, begin), size = e_i64(e, step);
    return e_add(e, begin, e_mul(e, e_floordiv(e, length, size), size));
}

/* Whether the range ends where a step of that size does: ranges begin at a multiple of every step and end at one or at the extent.
 */
static bool ends_at(const vec_loop *l, int64_t step)
{
    const fx_program *program = l->p->f->program;
    return fx__dim_multiple(program->dims, l->p->f->kernel->axis[l->axis].extent) % step == 0;
}

/* Known ends: single vectors without a mask are split off, and the masked one gets a constant mask. */
static void run_rest(vec_loop *l, LLVMValueRef begin, LLVMValueRef end, LLVMValueRef *carry)
{
    fx_e *e = &l->p->f->e;
    int64_t lo, hi;
    if (ends_at(l, l->p->lanes)) {
        run_loop(l, begin, end, 1, false, carry);
        return;
    }
    if (e_const(begin, &lo) && e_const(end, &hi)) {
        LLVMValueRef full = whole(e, begin, end, l->p->lanes);
        run_loop(l, begin, full, 1, false, carry);
        begin = full;
    }
    run_loop(l, begin, end, 1, true, carry);
}

void fx__point_vec_loop(fx_kpoint *p, uint8_t axis, int unroll, LLVMValueRef *carry, int width, fx_vec_body body, void *user)
{
    fx_frame *f = p->f;
    fx_kpoint outside = *p;
    uint32_t late = f->late;
    vec_loop l = {p, axis, outside.copy[0].result, width, body, user};
    LLVMValueRef begin = f->begin[axis], end = f->end[axis];
    p->vec = axis;
    if (p->lanes > 1) f->late |= UINT32_C(1) << axis;
    if (unroll * p->rows > FX_COPIES || unroll * p->rows * width > E_CARRY) unroll = 1;
    if (unroll > 1) {
        LLVMValueRef full = whole(&f->e, begin, end, (int64_t)unroll * p->lanes);
        run_loop(&l, begin, full, unroll, false, carry);
        begin = full;
    }
    if (unroll == 1 || !ends_at(&l, (int64_t)unroll * p->lanes)) run_rest(&l, begin, end, carry);
    f->late = late;
    *p = outside;
}

/* ---- Sweeps ------------------------------------------------------------------------------------------------------------- */

typedef struct sweep {
    int first, last; /* stages [first, last) */
    uint32_t axes;
    uint8_t axis[FX_AXES];
    int n_axis;  /* without the vector axis */
    bool vector; /* the point's sweep axis is one of them */
    int width;   /* accumulator values of all REDUCEs across, per copy */
} sweep;

static uint32_t set_of(const uint8_t *axis, int n)
{
    uint32_t set = 0;
    for (int i = 0; i < n; i++) set |= UINT32_C(1) << axis[i];
    return set;
}

/* A REDUCE whose reduced axes are the sweep itself, with the vector axis among them. A running result has an order: no lanes. */
static bool is_across(const fx_kpoint *p, const fx_kstage *st)
{
    if (st->kind == FX_STAGE_MAP || st->prefix || p->sweep == FX_NO_AXIS || st->n_inner > 0) return false;
    return set_of(st->red, st->n_red) >> p->sweep & 1;
}

static uint32_t sweep_axes(const fx_kpoint *p, const fx_kstage *st)
{
    return is_across(p, st) ? set_of(st->red, st->n_red) : set_of(st->inner, st->n_inner);
}

static const fx_access *access_of(const fx_kpoint *p, uint16_t id)
{
    return &p->f->kernel->access[id];
}

static bool same_place(const fx_access *a, const fx_access *b)
{
    for (int d = 0; d < a->rank; d++) {
        if (!fx__index_equal(&a->at[d], &b->at[d])) return false;
    }
    return true;
}

/* The local is stored by stage `by` at another index than `load` reads. */
static bool reads_elsewhere(const fx_kpoint *p, const fx_access *load, const fx_kstage *by)
{
    for (int o = 0; o < by->n_out; o++) {
        const fx_access *store = access_of(p, by->out[o].access);
        if (store->arg == load->arg && !same_place(store, load)) return true;
    }
    return false;
}

/* Stage t needs more of stage s, which runs before it in the same body, than the current point. */
static bool must_wait(const fx_kpoint *p, int t, int s)
{
    const fx_kstage *later = stage_of(p, t), *earlier = stage_of(p, s);
    bool whole_result = is_across(p, earlier) || earlier->prefix;
    for (int i = 0; i < later->n_expr; i++) {
        const fx_expr *x = &later->expr[i];
        if (x->op == FX_X_STAGE && x->u.stage == s && whole_result) return true;
        if (x->op != FX_X_LOAD) continue;
        for (int o = 0; whole_result && o < earlier->n_out; o++) {
            if (access_of(p, earlier->out[o].access)->arg == access_of(p, x->u.access)->arg) return true;
        }
        if (reads_elsewhere(p, access_of(p, x->u.access), earlier)) return true;
    }
    return false;
}

static bool joins(const fx_kpoint *p, const sweep *w, int t)
{
    if (sweep_axes(p, stage_of(p, t)) != w->axes) return false;
    for (int s = w->first; s < t; s++) {
        if (must_wait(p, t, s)) return false;
    }
    return true;
}

static sweep sweep_from(const fx_kpoint *p, int first, int end)
{
    const fx_kstage *st = stage_of(p, first);
    const uint8_t *axis = is_across(p, st) ? st->red : st->inner;
    int n = is_across(p, st) ? st->n_red : st->n_inner;
    sweep w = {.first = first, .last = first + 1, .axes = sweep_axes(p, st)};
    w.vector = p->sweep != FX_NO_AXIS && (w.axes >> p->sweep & 1);
    for (int i = 0; i < n; i++) {
        if (!w.vector || axis[i] != p->sweep) w.axis[w.n_axis++] = axis[i];
    }
    while (w.last < end && joins(p, &w, w.last)) w.last++;
    for (int s = w.first; s < w.last; s++) {
        if (is_across(p, stage_of(p, s))) w.width += fx__reduce_width(stage_of(p, s));
    }
    return w;
}

/* ---- What runs inside --------------------------------------------------------------------------------------------------- */

static void map_stage(fx_kpoint *p, int stage)
{
    const fx_kstage *st = stage_of(p, stage);
    for (int c = 0; c < p->n_copy; c++) {
        LLVMValueRef *memo = fx__value_memo(p, stage);
        if (!memo) return;
        for (int o = 0; o < st->n_out; o++) { /* all values before the first store: an INOUT may be read by a later one */
            fx__value_expr(p, stage, c, st->out[o].expr, memo);
        }
        for (int o = 0; o < st->n_out; o++) {
            uint16_t x = st->out[o].expr;
            fx__value_store(p, stage, c, st->out[o].access, (fx_dtype)st->expr[x].dtype, memo[x], memo);
        }
    }
}

static void store_results(fx_kpoint *p, int stage)
{
    const fx_kstage *st = stage_of(p, stage);
    for (int c = 0; c < p->n_copy; c++) {
        LLVMValueRef *memo = fx__value_memo(p, stage);
        if (!memo) return;
        for (int o = 0; o < st->n_out; o++) {
            fx__value_store(p, stage, c, st->out[o].access, fx__reduce_dtype(st), p->copy[c].result[stage], memo);
        }
    }
}

static void sweep_body(fx_kpoint *p, void *user, LLVMValueRef *carry)
{
    const sweep *w = user;
    int at = 0;
    for (int s = w->first; s < w->last; s++) {
        const fx_kstage *st = stage_of(p, s);
        if (is_across(p, st)) {
            for (int c = 0; c < p->n_copy; c++) fx__reduce_step(p, s, c, carry + c * w->width + at);
            at += fx__reduce_width(st);
        } else if (st->kind == FX_STAGE_MAP) {
            map_stage(p, s);
        } else {
            if (!p->copy[0].result[s]) fx__reduce_stage(p, s);
            if (!st->prefix) store_results(p, s);
        }
    }
}

/* A loop that surely runs may have its unchanging loads and divisions in front of it. */
static bool surely_runs(const fx_kpoint *p, uint8_t axis)
{
    int64_t lo, hi;
    fx__dim_range(p->f->program->dims, p->f->kernel->axis[axis].extent, &lo, &hi);
    return lo >= 1;
}

static void vector_loop(fx_kpoint *p, sweep *w, int unroll, LLVMValueRef *carry)
{
    bool hoists = surely_runs(p, p->sweep);
    for (int s = w->first; hoists && s < w->last; s++) {
        const fx_kstage *st = stage_of(p, s);
        fx__value_hoist(p, s, w->axes | set_of(st->inner, st->n_inner) | set_of(st->red, st->n_red));
    }
    p->lanes = p->f->kernel->sched.lanes;
    fx__point_vec_loop(p, p->sweep, unroll, carry, w->width, sweep_body, w);
    p->lanes = 1;
    for (int s = w->first; s < w->last; s++) fx__value_unhoist(p, s);
}

static void sweep_nest(fx_kpoint *p, sweep *w, int depth, int unroll, LLVMValueRef *carry)
{
    if (depth == w->n_axis) {
        if (w->vector)
            vector_loop(p, w, unroll, carry);
        else
            sweep_body(p, w, carry);
        return;
    }
    int n = unroll * w->width;
    LLVMValueRef next[E_CARRY];
    fx_axis_loop loop;
    fx__frame_axis_begin(p->f, &loop, w->axis[depth], 1, n, carry);
    memcpy(next, loop.loop.carry, (size_t)n * sizeof *next);
    sweep_nest(p, w, depth + 1, unroll, next);
    fx__frame_axis_end(p->f, &loop, next);
    memcpy(carry, loop.loop.carry, (size_t)n * sizeof *carry);
}

static void start_accumulators(fx_kpoint *p, const sweep *w, int unroll, LLVMValueRef *carry)
{
    int lanes = p->lanes;
    p->lanes = p->f->kernel->sched.lanes;
    for (int c = 0, at = 0; c < unroll; c++) {
        for (int s = w->first; s < w->last; s++) {
            if (!is_across(p, stage_of(p, s))) continue;
            fx__reduce_identity(p, s, carry + at);
            at += fx__reduce_width(stage_of(p, s));
        }
    }
    p->lanes = lanes;
}

static void finish_accumulators(fx_kpoint *p, const sweep *w, int unroll, const LLVMValueRef *carry)
{
    int at = 0;
    for (int s = w->first; s < w->last; s++) {
        if (!is_across(p, stage_of(p, s))) continue;
        LLVMValueRef acc[E_CARRY];
        int width = fx__reduce_width(stage_of(p, s));
        for (int c = 0; c < unroll; c++) memcpy(acc + c * width, carry + c * w->width + at, (size_t)width * sizeof *acc);
        p->copy[0].result[s] = fx__reduce_fold(p, s, acc, unroll);
        at += width;
        store_results(p, s);
    }
}

static void run_sweep(fx_kpoint *p, sweep *w)
{
    int unroll = w->vector && p->f->kernel->sched.unroll > 1 ? p->f->kernel->sched.unroll : 1, n = p->f->kernel->n_stage;
    if (unroll > FX_COPIES || unroll * w->width > E_CARRY) unroll = 1;
    LLVMValueRef carry[E_CARRY], *known[FX_COPIES];
    if (w->width > E_CARRY) {
        fx__frame_refuse(p->f, "too many reductions in one sweep");
        return;
    }
    if (w->axes == 0) {
        sweep_body(p, w, carry);
        return;
    }
    for (int c = 0; c < p->n_copy; c++) known[c] = new_results(p, p->copy[c].result);
    if (p->f->status != FX_OK) return;
    start_accumulators(p, w, unroll, carry);
    sweep_nest(p, w, 0, unroll, carry);
    /* what was computed inside the loops is not known behind them */
    for (int c = 0; c < p->n_copy; c++) memcpy(p->copy[c].result, known[c], (size_t)n * sizeof *known[c]);
    finish_accumulators(p, w, unroll, carry);
}

void fx__point_run(fx_kpoint *p, int first, int last)
{
    for (int s = first; s < last && p->f->status == FX_OK;) {
        sweep w = sweep_from(p, s, last);
        run_sweep(p, &w);
        s = w.last;
    }
    for (int c = 0; c < p->n_copy; c++) memset(p->copy[c].result, 0, (size_t)p->f->kernel->n_stage * sizeof(LLVMValueRef));
}

void fx__point_stages(fx_kpoint *p)
{
    fx__point_run(p, 0, p->f->kernel->n_stage);
}
