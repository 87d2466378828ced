/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/reduce.c: accumulators. A stage whose reduced axes are plain loops keeps one per copy and carries them as phis; a
 * guard whose fill changes nothing clips the loops instead of being tested. The step and the final fold are shared with
 * the sweeps of ROW. */
#include "codegen/point.h"
#include <math.h>
#include <string.h>

static const fx_kstage *stage_of(const fx_kpoint *p, int stage)
{
    return &p->f->kernel->stage[stage];
}

static bool is_arg(const fx_kstage *stage)
{
    return stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX;
}

int fx__reduce_width(const fx_kstage *stage)
{
    return is_arg(stage) ? 2 : 1;
}

static fx_dtype value_dtype(const fx_kstage *stage)
{
    return (fx_dtype)stage->expr[stage->value].dtype;
}

/* The dtype values are compared or combined in. */
static fx_dtype combine_dtype(const fx_kstage *stage)
{
    return is_arg(stage) ? value_dtype(stage) : stage->acc;
}

fx_dtype fx__reduce_dtype(const fx_kstage *stage)
{
    return is_arg(stage) ? FX_I64 : stage->acc;
}

void fx__reduce_identity(fx_kpoint *p, int stage, LLVMValueRef *acc)
{
    const fx_kstage *st = stage_of(p, stage);
    acc[0] = fx__math_identity(&p->f->e, st->combine, combine_dtype(st), p->lanes);
    if (is_arg(st)) acc[1] = e_integer(&p->f->e, e_vec(p->f->e.ty_i64, p->lanes), 0);
}

/* ---- One step ----------------------------------------------------------------------------------------------------------- */

/* Whether (value, at) replaces (best, best_at): larger (smaller), or NaN where the best is none, or equal and earlier. */
static LLVMValueRef is_better(fx_e *e, const fx_kstage *st, const LLVMValueRef *best, LLVMValueRef value, LLVMValueRef at)
{
    fx_dtype dtype = combine_dtype(st);
    fx_scalar_op op = st->combine == FX_COMBINE_ARGMAX ? FX_SCALAR_GT : FX_SCALAR_LT;
    LLVMValueRef better = fx__math_scalar(e, op, dtype, value, best[0]);
    LLVMValueRef same = fx__math_scalar(e, FX_SCALAR_EQ, dtype, value, best[0]);
    if (fx_dtype_is_float(dtype)) {
        LLVMValueRef value_nan = fx__math_scalar(e, FX_SCALAR_ISNAN, dtype, value, NULL);
        LLVMValueRef best_nan = fx__math_scalar(e, FX_SCALAR_ISNAN, dtype, best[0], NULL);
        better =
            LLVMBuildOr(e->builder, better, LLVMBuildAnd(e->builder, value_nan, LLVMBuildNot(e->builder, best_nan, ""), ""), "");
        same = LLVMBuildOr(e->builder, same, LLVMBuildAnd(e->builder, value_nan, best_nan, ""), "");
    }
    LLVMValueRef earlier = LLVMBuildAnd(e->builder, same, e_icmp(e, LLVMIntSLT, at, best[1]), "");
    return LLVMBuildOr(e->builder, better, earlier, "");
}

static void combine(fx_e *e, const fx_kstage *st, LLVMValueRef *acc, const LLVMValueRef *next)
{
    if (is_arg(st)) {
        LLVMValueRef better = is_better(e, st, acc, next[0], next[1]);
        acc[0] = e_select(e, better, next[0], acc[0]);
        acc[1] = e_select(e, better, next[1], acc[1]);
        return;
    }
    acc[0] = fx__math_combine(e, st->combine, st->acc, acc[0], next[0]);
}

static LLVMValueRef coordinate_of_red(fx_kpoint *p, const fx_kstage *st, const fx_copy *copy)
{
    fx_e *e = &p->f->e;
    LLVMValueRef at = p->f->coord[st->red[0]];
    if (st->red[0] != p->vec) return e_splat(e, at, p->lanes);
    at = e_splat(e, e_add(e, at, e_i64(e, copy->dv)), p->lanes);
    return p->lanes == 1 ? at : e_add(e, at, e_iota(e, e->ty_i64, p->lanes));
}

/* Whether an expression is the combiner's identity wherever access id is outside and yields its fill. */
static bool vanishes(const fx_kpoint *p, const fx_kstage *st, uint16_t expr, uint16_t id)
{
    if (expr == FX_NO_EXPR) return false;
    const fx_expr *x = &st->expr[expr];
    bool sum = st->combine == FX_COMBINE_SUM;
    if (x->op == FX_X_CAST) return vanishes(p, st, x->a, id);
    if (x->op == FX_X_SCALAR && sum && x->scalar == FX_SCALAR_MUL) return vanishes(p, st, x->a, id) || vanishes(p, st, x->b, id);
    if (x->op != FX_X_LOAD || x->u.access != id) return false;
    double fill = fx__scalar_to_double((fx_dtype)x->dtype, p->f->kernel->access[id].fill);
    if (sum) return fill == 0;
    if (!fx_dtype_is_float((fx_dtype)x->dtype)) return false;
    return (st->combine == FX_COMBINE_MAX && fill == -HUGE_VAL) || (st->combine == FX_COMBINE_MIN && fill == HUGE_VAL);
}

/* At constant coordinates of a border tile some steps are known to change nothing. */
static bool step_vanishes(fx_kpoint *p, const fx_kstage *st, int copy)
{
    int64_t known;
    if (p->row == FX_NO_AXIS || !e_const(p->f->coord[p->row], &known) || st->prefix || is_arg(st)) return false;
    for (int i = 0; i < st->n_expr; i++) {
        if (st->expr[i].op != FX_X_LOAD || !p->f->kernel->access[st->expr[i].u.access].guarded) continue;
        uint16_t id = st->expr[i].u.access;
        if (vanishes(p, st, st->value, id) && fx__value_is_outside(p, copy, id)) return true;
    }
    return false;
}

void fx__reduce_step(fx_kpoint *p, int stage, int copy, LLVMValueRef *acc)
{
    fx_e *e = &p->f->e;
    const fx_kstage *st = stage_of(p, stage);
    LLVMValueRef *memo = fx__value_memo(p, stage), next[2], identity[2];
    if (!memo || step_vanishes(p, st, copy)) return;
    LLVMValueRef value = fx__value_expr(p, stage, copy, st->value, memo);
    next[0] = e_splat(e, fx__math_cast(e, value_dtype(st), combine_dtype(st), value), p->lanes);
    if (is_arg(st)) next[1] = coordinate_of_red(p, st, &p->copy[copy]);
    if (p->copy[copy].mask) {
        fx__reduce_identity(p, stage, identity);
        for (int i = 0; i < fx__reduce_width(st); i++) next[i] = e_select(e, p->copy[copy].mask, next[i], identity[i]);
    }
    combine(e, st, acc, next);
}

static void fold_lanes(fx_e *e, const fx_kstage *st, LLVMValueRef *acc)
{
    for (int lanes = e_lanes(acc[0]); lanes > 1; lanes /= 2) {
        LLVMValueRef upper[2], lower[2];
        for (int i = 0; i < fx__reduce_width(st); i++) {
            int index[64];
            for (int l = 0; l < lanes; l++) index[l] = l;
            lower[i] = e_shuffle(e, acc[i], acc[i], index, lanes / 2);
            upper[i] = e_shuffle(e, acc[i], acc[i], index + lanes / 2, lanes / 2);
        }
        combine(e, st, lower, upper);
        memcpy(acc, lower, sizeof lower);
        if (lanes == 2) {
            for (int i = 0; i < fx__reduce_width(st); i++) acc[i] = e_extract(e, acc[i], 0);
        }
    }
}

LLVMValueRef fx__reduce_fold(fx_kpoint *p, int stage, LLVMValueRef *acc, int n)
{
    const fx_kstage *st = stage_of(p, stage);
    int width = fx__reduce_width(st);
    for (int left = n; left > 1; left = (left + 1) / 2) {
        for (int i = 0; i < left / 2; i++) combine(&p->f->e, st, acc + i * width, acc + (left - 1 - i) * width);
    }
    fold_lanes(&p->f->e, st, acc);
    return acc[width - 1];
}

/* ---- Clipping ----------------------------------------------------------------------------------------------------------- */

static bool index_has_axis(const fx_index *index, uint8_t axis)
{
    for (int t = 0; t < index->n; t++) {
        if (index->term[t].axis == axis) return true;
    }
    return false;
}

/* Copies that lie apart in a dim would need bounds of their own. */
static bool copies_share_index(const fx_kpoint *p, const fx_index *index)
{
    if (p->vec != FX_NO_AXIS && index_has_axis(index, p->vec)) return false;
    return p->row == FX_NO_AXIS || p->rows == 1 || !index_has_axis(index, p->row);
}

/* Narrows [begin, end) of an axis to where 0 <= rest + coef * axis < dim. */
static void narrow(fx_frame *f, uint8_t axis, LLVMValueRef rest, int64_t coef, LLVMValueRef dim)
{
    fx_e *e = &f->e;
    LLVMValueRef zero = e_i64(e, 0), one = e_i64(e, 1), step = e_i64(e, coef < 0 ? -coef : coef), lo, hi;
    if (coef > 0) {
        lo = e_ceildiv(e, e_sub(e, zero, rest), step);
        hi = e_ceildiv(e, e_sub(e, dim, rest), step);
    } else {
        lo = e_add(e, e_floordiv(e, e_sub(e, rest, dim), step), one);
        hi = e_add(e, e_floordiv(e, rest, step), one);
    }
    f->begin[axis] = e_max(e, f->begin[axis], lo);
    f->end[axis] = e_min(e, f->end[axis], hi);
}

static void clip_access(fx_kpoint *p, int stage, uint8_t axis, uint16_t id)
{
    const fx_access *access = &p->f->kernel->access[id];
    if (!access->guarded || !vanishes(p, stage_of(p, stage), stage_of(p, stage)->value, id)) return;
    for (int d = 0; d < access->rank; d++) {
        LLVMValueRef rest;
        int64_t coef;
        if (p->safe[id] >> d & 1 || !copies_share_index(p, &access->at[d])) continue;
        if (!index_has_axis(&access->at[d], axis) || !fx__index_split(p->f, access, d, axis, &rest, &coef) || coef == 0) continue;
        narrow(p->f, axis, rest, coef, fx__index_arg_dim(p->f, access, d));
        p->safe[id] |= (uint8_t)(1u << d);
    }
}

static void clip(fx_kpoint *p, int stage, uint8_t axis)
{
    const fx_kstage *st = stage_of(p, stage);
    if (st->prefix || is_arg(st)) return;
    for (int i = 0; i < st->n_expr; i++) {
        if (st->expr[i].op == FX_X_LOAD) clip_access(p, stage, axis, st->expr[i].u.access);
    }
}

/* ---- Loops over reduced axes -------------------------------------------------------------------------------------------- */

static void store_running(fx_kpoint *p, int stage, int copy, const LLVMValueRef *acc)
{
    const fx_kstage *st = stage_of(p, stage);
    LLVMValueRef *memo = fx__value_memo(p, stage);
    for (int i = 0; memo && i < st->n_out; i++) {
        fx__value_store(p, stage, copy, st->out[i].access, fx__reduce_dtype(st), acc[fx__reduce_width(st) - 1], memo);
    }
}

/* Results of other stages that one step has to compute may depend on the reduced axes: they are forgotten behind it. */
static void step_all(fx_kpoint *p, int stage, LLVMValueRef *acc)
{
    int width = fx__reduce_width(stage_of(p, stage)), n = p->f->kernel->n_stage;
    LLVMValueRef *known = FX_NEW_ARRAY(p->f->arena, LLVMValueRef, p->n_copy * n + 1);
    if (!known) {
        p->f->status = FX_E_OOM;
        return;
    }
    for (int c = 0; c < p->n_copy; c++) memcpy(known + c * n, p->copy[c].result, (size_t)n * sizeof *known);
    for (int c = 0; c < p->n_copy; c++) {
        fx__reduce_step(p, stage, c, acc + c * width);
        if (stage_of(p, stage)->prefix) store_running(p, stage, c, acc + c * width);
    }
    for (int c = 0; c < p->n_copy; c++) memcpy(p->copy[c].result, known + c * n, (size_t)n * sizeof *known);
}

/* A short innermost loop with known ends is written out: its addresses become displacements. */
static bool writes_out(const fx_kpoint *p, const fx_kstage *st, uint8_t axis)
{
    int64_t lo, hi;
    if (!e_const(p->f->begin[axis], &lo) || !e_const(p->f->end[axis], &hi)) return false;
    return hi > lo && (hi - lo) * p->n_copy * st->n_expr <= 160 && hi - lo <= 8;
}

static void red_loop(fx_kpoint *p, int stage, int depth, LLVMValueRef *acc);

static void written_out(fx_kpoint *p, int stage, int depth, LLVMValueRef *acc)
{
    uint8_t axis = stage_of(p, stage)->red[depth];
    int64_t lo = 0, hi = 0;
    e_const(p->f->begin[axis], &lo);
    e_const(p->f->end[axis], &hi);
    for (int64_t i = lo; i < hi; i++) {
        LLVMValueRef *saved = fx__frame_enter(p->f, axis, e_i64(&p->f->e, i));
        red_loop(p, stage, depth + 1, acc);
        fx__frame_leave(p->f, axis, saved);
    }
}

static void counted(fx_kpoint *p, int stage, int depth, LLVMValueRef *acc)
{
    uint8_t axis = stage_of(p, stage)->red[depth];
    int n = p->n_copy * fx__reduce_width(stage_of(p, stage));
    LLVMValueRef next[E_CARRY];
    fx_axis_loop loop;
    fx__frame_axis_begin(p->f, &loop, axis, 1, n, acc);
    memcpy(next, loop.loop.carry, (size_t)n * sizeof *next);
    red_loop(p, stage, depth + 1, next);
    fx__frame_axis_end(p->f, &loop, next);
    memcpy(acc, loop.loop.carry, (size_t)n * sizeof *acc);
}

static void red_loop(fx_kpoint *p, int stage, int depth, LLVMValueRef *acc)
{
    fx_frame *f = p->f;
    const fx_kstage *st = stage_of(p, stage);
    if (depth == st->n_red) {
        step_all(p, stage, acc);
        return;
    }
    uint8_t axis = st->red[depth], *safe = p->safe;
    LLVMValueRef begin = f->begin[axis], end = f->end[axis];
    p->safe = FX_NEW_ARRAY(f->arena, uint8_t, f->kernel->n_access + 1);
    if (!p->safe) {
        p->safe = safe;
        f->status = FX_E_OOM;
        return;
    }
    memcpy(p->safe, safe, f->kernel->n_access);
    clip(p, stage, axis);
    if (depth == st->n_red - 1 && writes_out(p, st, axis))
        written_out(p, stage, depth, acc);
    else
        counted(p, stage, depth, acc);
    p->safe = safe;
    f->begin[axis] = begin;
    f->end[axis] = end;
}

void fx__reduce_stage(fx_kpoint *p, int stage)
{
    int width = fx__reduce_width(stage_of(p, stage));
    LLVMValueRef acc[FX_COPIES * 2];
    if (p->n_copy * width > E_CARRY) {
        fx__frame_refuse(p->f, "too many accumulators side by side");
        return;
    }
    for (int c = 0; c < p->n_copy; c++) fx__reduce_identity(p, stage, acc + c * width);
    red_loop(p, stage, 0, acc);
    for (int c = 0; c < p->n_copy; c++) p->copy[c].result[stage] = acc[c * width + width - 1];
}
