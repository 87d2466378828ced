/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/column.c: COLUMN, reductions whose vector axis is kept: accumulators of mr points of `row` times nv vectors stand side by
 * side while the reduced axes are plain loops. Where vec is first in the order, its loop is around all others: a block of
 * channels walks the whole image, and what neighbouring windows share stays in the first-level cache.
 *
 * Guards that depend on the row axis (the width of a padded convolution or pooling window) cannot clip the loops of several
 * rows at once. With known extents the tiles at the border are emitted one by one at constant coordinates, where every such
 * guard is a constant and steps outside vanish; the tiles between them are a loop without tests. Otherwise a test chooses
 * for each tile: inside it runs without further tests, at the border row by row, where clipping works again. */
#include "codegen/point.h"
#include <string.h>

static void vector_body(fx_kpoint *p, void *user, LLVMValueRef *carry)
{
    (void)user;
    (void)carry;
    fx__point_stages(p);
}

static void vectors(fx_kpoint *p)
{
    const fx_sched *sched = &p->f->kernel->sched;
    if (p->vec != FX_NO_AXIS) { /* inside the vector loop */
        fx__point_set_rows(p, p->rows);
        fx__point_stages(p);
        return;
    }
    if (sched->vec == FX_NO_AXIS) {
        fx__point_stages(p);
        return;
    }
    p->lanes = sched->lanes;
    fx__point_vec_loop(p, sched->vec, sched->nv, NULL, 0, vector_body, NULL);
    p->lanes = 1;
}

/* ---- Interior and border ------------------------------------------------------------------------------------------------ */

/* Range of an index over a tile: the row axis runs over mr rows, the axes not entered over all of their extents. */
typedef struct range {
    LLVMValueRef lo, hi;
} range;

static void widen_range(fx_e *e, range *r, LLVMValueRef coef, LLVMValueRef first, LLVMValueRef last)
{
    LLVMValueRef a = e_mul(e, coef, first), b = e_mul(e, coef, last);
    r->lo = e_add(e, r->lo, e_min(e, a, b));
    r->hi = e_add(e, r->hi, e_max(e, a, b));
}

/* False: the index has digits or is gathered. */
static bool tile_range(fx_frame *f, const fx_index *index, range *out)
{
    fx_e *e = &f->e;
    const fx_sched *sched = &f->kernel->sched;
    *out = (range){fx__frame_dim(f, index->base), fx__frame_dim(f, index->base)};
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        LLVMValueRef at = f->coord[term->axis], last;
        if (index->value >= 0 || term->div != 1 || term->mod != 0) return false;
        if (term->axis == sched->row)
            last = e_add(e, at, e_i64(e, sched->mr - 1));
        else if (at)
            last = at;
        else
            last = e_sub(e, f->extent[term->axis], e_i64(e, 1));
        widen_range(e, out, fx__frame_dim(f, term->coef), at ? at : e_i64(e, 0), last);
    }
    return true;
}

static bool moves_with_row(const fx_frame *f, const fx_index *index)
{
    for (int t = 0; t < index->n; t++) {
        if (index->term[t].axis == f->kernel->sched.row) return true;
    }
    return false;
}

/* Condition under which every guard that moves with the row axis holds for a whole tile, those dims then marked in safe; NULL:
 * there are none. */
static LLVMValueRef interior(fx_kpoint *p, uint8_t *safe)
{
    fx_frame *f = p->f;
    fx_e *e = &f->e;
    LLVMValueRef all = NULL;
    for (int i = 0; i < f->kernel->n_access; i++) {
        const fx_access *access = &f->kernel->access[i];
        for (int d = 0; access->guarded && d < access->rank; d++) {
            range r;
            if (!moves_with_row(f, &access->at[d]) || !tile_range(f, &access->at[d], &r)) continue;
            all = e_and(e, all, e_icmp(e, LLVMIntSGE, r.lo, e_i64(e, 0)));
            all = e_and(e, all, e_icmp(e, LLVMIntSLT, r.hi, fx__index_arg_dim(f, access, d)));
            safe[i] |= (uint8_t)(1u << d);
        }
    }
    return all;
}

/* ---- Rows --------------------------------------------------------------------------------------------------------------- */

static void single_rows(fx_kpoint *p, uint8_t row)
{
    fx_axis_loop loop;
    p->rows = 1;
    fx__frame_axis_begin(p->f, &loop, row, 1, 0, NULL);
    vectors(p);
    fx__frame_axis_end(p->f, &loop, NULL);
}

/* Rows [begin, begin + mr) side by side, or one by one where some lie at the border. */
static void full_tile(fx_kpoint *p, uint8_t row, LLVMValueRef begin)
{
    fx_frame *f = p->f;
    fx_e *e = &f->e;
    int mr = f->kernel->sched.mr;
    uint8_t *outside = p->safe, *safe = FX_NEW_ARRAY(f->arena, uint8_t, f->kernel->n_access + 1);
    if (!safe) {
        f->status = FX_E_OOM;
        return;
    }
    memcpy(safe, outside, f->kernel->n_access);
    LLVMValueRef *saved = fx__frame_enter(f, row, begin), inside = interior(p, safe);
    LLVMBasicBlockRef after = NULL, border = NULL;
    if (inside) {
        LLVMBasicBlockRef tile = e_block(e, "interior");
        border = e_block(e, "border");
        after = e_block(e, "tile.end");
        e_branch(e, inside, tile, border);
        e_put(e, tile);
    }
    p->rows = mr;
    p->safe = safe;
    vectors(p);
    p->safe = outside;
    fx__frame_leave(f, row, saved);
    if (!inside) return;
    e_goto(e, after);
    e_put(e, border);
    f->begin[row] = begin;
    f->end[row] = e_add(e, begin, e_i64(e, mr));
    single_rows(p, row);
    e_goto(e, after);
    e_put(e, after);
}

/* Rows [begin, end) of any number, begin and end known at run time only. */
static void open_rows(fx_kpoint *p, uint8_t row)
{
    fx_frame *f = p->f;
    fx_e *e = &f->e;
    LLVMValueRef begin = f->begin[row], end = f->end[row], mr = e_i64(e, f->kernel->sched.mr);
    LLVMValueRef full = e_add(e, begin, e_mul(e, e_floordiv(e, e_sub(e, end, begin), mr), mr));
    fx_loop loop = e_loop_begin(e, f->kernel->axis[row].name, begin, full, f->kernel->sched.mr, 0, NULL);
    full_tile(p, row, loop.index);
    e_loop_end(e, &loop, NULL);
    f->begin[row] = full;
    f->end[row] = end;
    single_rows(p, row);
    f->begin[row] = begin;
}

/* ---- Known extents ------------------------------------------------------------------------------------------------------ */

enum { MOST_PEELED = 4 };
typedef struct known_rows {
    int64_t begin, end;
    int64_t inside, behind; /* tiles [inside, behind) from begin need no tests */
    uint8_t *safe;
} known_rows;

static void tile_at(fx_kpoint *p, uint8_t row, LLVMValueRef at, int n_rows)
{
    LLVMValueRef *saved = fx__frame_enter(p->f, row, at);
    p->rows = n_rows;
    vectors(p);
    fx__frame_leave(p->f, row, saved);
}

/* Whether tile t is known to be inside; the condition is a constant there. */
static bool is_inside(fx_kpoint *p, uint8_t row, const known_rows *k, int64_t t)
{
    fx_e *e = &p->f->e;
    LLVMValueRef *saved = fx__frame_enter(p->f, row, e_i64(e, k->begin + t * p->f->kernel->sched.mr));
    LLVMValueRef inside = interior(p, k->safe);
    fx__frame_leave(p->f, row, saved);
    return !inside || inside == e_i1(e, true);
}

/* False: too many tiles would have to be written out. */
static bool find_inside(fx_kpoint *p, uint8_t row, known_rows *k)
{
    int64_t n = (k->end - k->begin) / p->f->kernel->sched.mr;
    while (k->inside < n && k->inside <= MOST_PEELED && !is_inside(p, row, k, k->inside)) k->inside++;
    k->behind = n;
    while (k->behind > k->inside && n - k->behind <= MOST_PEELED && !is_inside(p, row, k, k->behind - 1)) k->behind--;
    return k->inside + n - k->behind <= MOST_PEELED;
}

static void known_tiles(fx_kpoint *p, uint8_t row, const known_rows *k)
{
    fx_e *e = &p->f->e;
    int mr = p->f->kernel->sched.mr;
    uint8_t *outside = p->safe;
    int64_t n = (k->end - k->begin) / mr, left = (k->end - k->begin) % mr;
    for (int64_t t = 0; t < k->inside; t++) tile_at(p, row, e_i64(e, k->begin + t * mr), mr);
    if (k->inside < k->behind) {
        fx_loop loop = e_loop_begin(e, p->f->kernel->axis[row].name, e_i64(e, k->begin + k->inside * mr),
                                    e_i64(e, k->begin + k->behind * mr), mr, 0, NULL);
        p->safe = k->safe;
        tile_at(p, row, loop.index, mr);
        p->safe = outside;
        e_loop_end(e, &loop, NULL);
    }
    for (int64_t t = k->behind; t < n; t++) tile_at(p, row, e_i64(e, k->begin + t * mr), mr);
    if (left > 0) tile_at(p, row, e_i64(e, k->begin + n * mr), (int)left);
}

static void rows(fx_kpoint *p, uint8_t row)
{
    fx_frame *f = p->f;
    known_rows k = {.safe = FX_NEW_ARRAY(f->arena, uint8_t, f->kernel->n_access + 1)};
    uint32_t late = f->late;
    if (!k.safe) {
        f->status = FX_E_OOM;
        return;
    }
    memcpy(k.safe, p->safe, f->kernel->n_access);
    p->row = row;
    f->late |= UINT32_C(1) << row;
    bool known = e_const(f->begin[row], &k.begin) && e_const(f->end[row], &k.end) && k.begin < k.end;
    if (known && find_inside(p, row, &k))
        known_tiles(p, row, &k);
    else
        open_rows(p, row);
    f->late = late;
    p->row = FX_NO_AXIS;
    p->rows = 1;
}

/* The last axis of the nest is the row axis where there is one. */
static void tiles(fx_kpoint *p)
{
    const fx_sched *sched = &p->f->kernel->sched;
    if (sched->row == FX_NO_AXIS)
        vectors(p);
    else if (sched->mr > 1 && sched->mr * sched->nv <= FX_COPIES)
        rows(p, sched->row);
    else
        single_rows(p, sched->row);
}

/* Loops over f->order[at] and on, up to the row axis. */
static void inner_loops(fx_kpoint *p, int at)
{
    fx_frame *f = p->f;
    fx_axis_loop loop;
    if (at == f->n_order - (f->kernel->sched.row != FX_NO_AXIS)) {
        tiles(p);
        return;
    }
    fx__frame_axis_begin(f, &loop, f->order[at], 1, 0, NULL);
    inner_loops(p, at + 1);
    fx__frame_axis_end(f, &loop, NULL);
}

static void vector_outside(fx_kpoint *p, void *user, LLVMValueRef *carry)
{
    (void)user;
    (void)carry;
    inner_loops(p, 1);
}

fx_status fx__emit_column(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    fx_kpoint p;
    fx_nest nest;
    FX_TRY(fx__point_open(&p, f));
    bool vec_first = sched->vec != FX_NO_AXIS && f->n_order > 1 && f->order[0] == sched->vec;
    int left = (sched->vec != FX_NO_AXIS) + (sched->row != FX_NO_AXIS); /* row, then vec are the last ones */
    fx__frame_nest_begin(f, &nest, vec_first ? 0 : f->n_order - left);
    if (vec_first) {
        p.lanes = sched->lanes;
        fx__point_vec_loop(&p, sched->vec, sched->nv, NULL, 0, vector_outside, NULL);
    } else {
        tiles(&p);
    }
    fx__frame_nest_end(f, &nest);
    return f->status;
}
