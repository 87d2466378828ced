/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/value.c: expressions of a stage as values: a scalar where nothing moves along the vector axis, else a vector. Loads
 * are a vector load, one broadcast element or a gather, by the access's stride along the vector axis. Operands come first and
 * every expression is computed once per copy. */
#include "codegen/point.h"
#include <string.h>

enum { MAX_LANES = 64 };

/* ---- Coordinates -------------------------------------------------------------------------------------------------------- */

/* Coordinate of an axis for a copy: a vector along the vector axis, NULL outside the axis's loop. */
static LLVMValueRef coordinate(fx_kpoint *p, const fx_copy *copy, uint8_t axis)
{
    fx_e *e = &p->f->e;
    LLVMValueRef at = p->f->coord[axis];
    if (!at) return NULL;
    if (axis == p->row) at = e_add(e, at, e_i64(e, copy->dr));
    if (axis != p->vec) return at;
    at = e_add(e, at, e_i64(e, copy->dv));
    if (p->lanes == 1) return at;
    return e_add(e, e_splat(e, at, p->lanes), e_iota(e, e->ty_i64, p->lanes));
}

static void coordinates(fx_kpoint *p, const fx_copy *copy, const fx_access *access, LLVMValueRef out[FX_AXES])
{
    memset(out, 0, FX_AXES * sizeof *out);
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) {
            uint8_t axis = access->at[d].term[t].axis;
            if (!out[axis]) out[axis] = coordinate(p, copy, axis);
        }
    }
}

/* ---- Addresses ---------------------------------------------------------------------------------------------------------- */

typedef struct place {
    LLVMValueRef base;   /* pointer, without the copy's displacement */
    LLVMValueRef ptr;    /* of lane 0, when lanes follow a stride */
    LLVMValueRef ptrs;   /* vector of pointers; NULL: lanes follow the stride */
    int64_t stride;      /* 0: does not move; 1: contiguous */
    int64_t spread;      /* so many neighbouring lanes share an element, and the next ones that `stride` further; 0: no */
    LLVMValueRef guard;  /* NULL: surely inside; scalar or vector of i1 */
    LLVMTypeRef element; /* memory type */
    fx_dtype dtype;
} place;

/* Index into a gathered dim, clamped; what lies outside is noted in *outside. */
static LLVMValueRef gathered_index(fx_kpoint *p, const fx_access *access, int d, const LLVMValueRef *coord, LLVMValueRef value,
                                   LLVMValueRef *outside)
{
    fx_e *e = &p->f->e;
    LLVMValueRef index = fx__index_add_wide(e, fx__index_dim(p->f, access, d, coord), value);
    int lanes = e_lanes(index);
    LLVMValueRef dim = e_splat(e, fx__index_arg_dim(p->f, access, d), lanes);
    LLVMValueRef out = e_icmp(e, LLVMIntUGE, index, dim);
    *outside = *outside ? LLVMBuildOr(e->builder, e_splat(e, *outside, lanes), e_splat(e, out, e_lanes(*outside)), "") : out;
    LLVMValueRef last = e_sub(e, dim, e_integer(e, LLVMTypeOf(dim), 1));
    return e_max(e, e_min(e, index, last), LLVMConstNull(LLVMTypeOf(index)));
}

/* Sets the call's error where an active lane is outside. */
static void note_outside(fx_kpoint *p, const fx_copy *copy, LLVMValueRef outside)
{
    fx_e *e = &p->f->e;
    if (!outside || !p->f->error) return;
    if (e_lanes(outside) > 1) {
        LLVMValueRef active = e_and(e, outside, copy->mask);
        LLVMTypeRef bits = LLVMIntTypeInContext(e->context, (unsigned)e_lanes(active));
        LLVMValueRef word = LLVMBuildBitCast(e->builder, active, bits, "");
        outside = e_icmp(e, LLVMIntNE, word, LLVMConstNull(bits));
    }
    fx_if branch = e_if_begin(e, "outside", outside);
    LLVMValueRef store = LLVMBuildStore(e->builder, e_i32(e, FX_E_INDEX), p->f->error);
    LLVMSetAlignment(store, 4);
    LLVMSetOrdering(store, LLVMAtomicOrderingMonotonic); /* several tasks may find one at a time */
    e_if_end(e, &branch);
}

/* A gathered dim that may be empty has no element to clamp to. */
static bool may_be_empty(const fx_kpoint *p, const fx_access *access, int d)
{
    int64_t lo, hi;
    fx__dim_range(p->f->program->dims, p->f->kernel->arg[access->arg].dim[d], &lo, &hi);
    return lo < 1;
}

/* Vectors of an outer axis begin at multiples of their lanes. */
static bool is_spread(const fx_kpoint *p, uint16_t id, place *at)
{
    const fx_access *access = &p->f->kernel->access[id];
    const fx_acc *acc = &p->f->acc[id];
    if (p->lanes == 1 || p->sweep != FX_NO_AXIS || acc->gathered || !((acc->digits & p->f->late) >> p->vec & 1)) return false;
    return fx__access_spreads(p->f->program, p->f->kernel, access, p->vec, p->lanes, &at->spread, &at->stride);
}

/* Offsets of gathered dims and of digits along the copies' axes, and what they add to the guard. */
static LLVMValueRef irregular_offset(fx_kpoint *p, int stage, int c, uint16_t id, LLVMValueRef *memo, place *at)
{
    fx_e *e = &p->f->e;
    const fx_access *access = &p->f->kernel->access[id];
    const fx_acc *acc = &p->f->acc[id];
    LLVMValueRef coord[FX_AXES], sum = e_i64(e, 0), outside = NULL;
    coordinates(p, &p->copy[c], access, coord);
    if (at->spread) coord[p->vec] = e_add(e, p->f->coord[p->vec], e_i64(e, p->copy[c].dv)); /* of lane 0 */
    for (int axis = 0; axis < p->f->kernel->n_axis; axis++) {
        if ((acc->digits & p->f->late) >> axis & 1) {
            sum = fx__index_add_wide(e, sum, fx__index_digits(p->f, access, (uint8_t)axis, coord[axis]));
        }
    }
    for (int d = 0; d < access->rank; d++) {
        if (!(acc->gathered >> d & 1)) continue;
        const fx_expr *index = &p->f->kernel->stage[stage].expr[access->at[d].value];
        LLVMValueRef value = fx__value_expr(p, stage, c, (uint16_t)access->at[d].value, memo);
        value = fx__math_cast(e, (fx_dtype)index->dtype, FX_I64, value);
        LLVMValueRef in = gathered_index(p, access, d, coord, value, &outside);
        sum = fx__index_add_wide(e, sum, fx__index_mul_wide(e, in, fx__index_arg_stride(p->f, access, d)));
        if (may_be_empty(p, access, d)) {
            LLVMValueRef some = e_icmp(e, LLVMIntSGT, fx__index_arg_dim(p->f, access, d), e_i64(e, 0));
            at->guard = e_and(e, at->guard, some);
        }
    }
    note_outside(p, &p->copy[c], outside);
    return sum;
}

/* Whether dim d of a guarded access can leave its extents at all. */
static bool must_test(const fx_kpoint *p, uint16_t id, int d)
{
    const fx_frame *f = p->f;
    const fx_access *access = &f->kernel->access[id];
    fx_dim lo, hi;
    if (p->safe[id] >> d & 1 || access->at[d].value >= 0) return false;
    fx__index_range(f->program->dims, f->kernel, &access->at[d], &lo, &hi);
    if (lo == FX_DIM_BAD || hi == FX_DIM_BAD) return true;
    return !fx__dim_le(f->program->dims, 0, lo) ||
           !fx__dim_le(f->program->dims, fx__dim_add(f->program->dims, hi, 1), f->kernel->arg[access->arg].dim[d]);
}

static LLVMValueRef guard_of(fx_kpoint *p, const fx_copy *copy, uint16_t id)
{
    fx_e *e = &p->f->e;
    const fx_access *access = &p->f->kernel->access[id];
    LLVMValueRef coord[FX_AXES], guard = NULL;
    if (!access->guarded) return NULL;
    coordinates(p, copy, access, coord);
    for (int d = 0; d < access->rank; d++) {
        if (!must_test(p, id, d)) continue;
        LLVMValueRef index = fx__index_dim(p->f, access, d, coord);
        LLVMValueRef dim = e_splat(e, fx__index_arg_dim(p->f, access, d), e_lanes(index));
        LLVMValueRef inside = e_icmp(e, LLVMIntULT, index, dim); /* below zero is above every dim, too */
        if (inside != LLVMConstAllOnes(LLVMTypeOf(inside))) guard = e_and(e, guard, inside);
    }
    return guard;
}

static bool is_never(LLVMValueRef guard)
{
    return guard && LLVMIsConstant(guard) && LLVMIsNull(guard);
}

bool fx__value_is_outside(fx_kpoint *p, int copy, uint16_t access)
{
    return is_never(guard_of(p, &p->copy[copy], access));
}

/* Offset of a copy from the loops' coordinates. */
static LLVMValueRef displacement(fx_kpoint *p, const fx_copy *copy, const fx_acc *acc)
{
    fx_e *e = &p->f->e;
    LLVMValueRef sum = e_i64(e, 0);
    if (p->vec != FX_NO_AXIS && acc->coef[p->vec]) sum = e_mul(e, acc->coef[p->vec], e_i64(e, copy->dv));
    if (p->row != FX_NO_AXIS && acc->coef[p->row]) sum = e_add(e, sum, e_mul(e, acc->coef[p->row], e_i64(e, copy->dr)));
    return sum;
}

static place place_of(fx_kpoint *p, int stage, int c, uint16_t id, LLVMValueRef *memo)
{
    fx_e *e = &p->f->e;
    const fx_access *access = &p->f->kernel->access[id];
    const fx_acc *acc = &p->f->acc[id];
    place at = {.dtype = p->f->kernel->arg[access->arg].dtype};
    at.element = e_mem_type(e, at.dtype);
    at.guard = guard_of(p, &p->copy[c], id);
    if ((at.guard && e_lanes(at.guard) > 1) || !is_spread(p, id, &at)) at.spread = at.stride = 0;
    LLVMValueRef extra = irregular_offset(p, stage, c, id, memo, &at);
    LLVMValueRef step = p->lanes > 1 ? acc->coef[p->vec] : NULL;
    bool fixed = !step || e_const(step, &at.stride);
    at.base = fx__index_ptr(p->f, id);
    at.ptr = e_at(e, at.element, at.base, displacement(p, &p->copy[c], acc));
    if (e_lanes(extra) == 1) at.ptr = e_at(e, at.element, at.ptr, extra);
    if (at.spread) return at;
    if (e_lanes(extra) == 1 && fixed && (at.stride == 0 || at.stride == 1)) return at;
    LLVMValueRef lane = step ? fx__index_mul_wide(e, e_iota(e, e->ty_i64, p->lanes), step) : e_i64(e, 0);
    if (e_lanes(extra) > 1) lane = fx__index_add_wide(e, lane, extra);
    at.ptrs = e_at(e, at.element, at.ptr, lane);
    return at;
}

/* ---- Loads -------------------------------------------------------------------------------------------------------------- */

static LLVMValueRef load_if(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr, LLVMValueRef condition, LLVMValueRef other)
{
    LLVMBasicBlockRef from = e_here(e), then = e_block(e, "inside"), after = e_block(e, "inside.end");
    e_branch(e, condition, then, after);
    e_put(e, then);
    LLVMValueRef value = e_load(e, type, ptr);
    e_goto(e, after);
    e_put(e, after);
    return e_phi2(e, value, then, other, from);
}

static LLVMValueRef load_vector(fx_kpoint *p, const place *at, LLVMValueRef mask, LLVMValueRef other)
{
    fx_e *e = &p->f->e;
    LLVMTypeRef type = e_vec(at->element, p->lanes);
    LLVMValueRef guard = at->guard;
    if (at->ptrs) {
        LLVMValueRef all = e_and(e, guard, mask);
        all = all ? e_splat(e, all, p->lanes) : LLVMConstAllOnes(e_vec(e->ty_i1, p->lanes));
        return e_gather(e, type, at->ptrs, all, other);
    }
    if (guard && e_lanes(guard) == 1 && !mask && !e->target->has_masked) return load_if(e, type, at->ptr, guard, other);
    LLVMValueRef all = e_and(e, guard, mask);
    if (!all) return e_load(e, type, at->ptr);
    return e_load_masked(e, type, at->ptr, e_splat(e, all, p->lanes), other);
}

/* One vector in which every stride-th lane counts, each for `spread` lanes of the result. */
static LLVMValueRef load_spread(fx_kpoint *p, const place *at, LLVMValueRef mask, LLVMValueRef other)
{
    fx_e *e = &p->f->e;
    LLVMValueRef all = e_and(e, at->guard, mask), wanted[MAX_LANES];
    int from[MAX_LANES], to[MAX_LANES], lanes = p->lanes;
    for (int l = 0; l < lanes; l++) {
        int64_t element = l / at->stride;
        bool counts = l % at->stride == 0 && element < lanes / at->spread;
        wanted[l] = e_i1(e, counts);
        from[l] = counts ? (int)(element * at->spread) : 0;
        to[l] = (int)(l / at->spread * at->stride);
    }
    LLVMValueRef mine = LLVMConstVector(wanted, (unsigned)lanes);
    if (all) {
        all = e_splat(e, all, lanes);
        mine = e_and(e, mine, e_shuffle(e, all, all, from, lanes));
    }
    LLVMValueRef value = e_load_masked(e, e_vec(at->element, lanes), at->ptr, mine, other);
    return e_shuffle(e, value, value, to, lanes);
}

static LLVMValueRef load(fx_kpoint *p, int stage, int c, uint16_t id, LLVMValueRef *memo)
{
    fx_e *e = &p->f->e;
    const fx_access *access = &p->f->kernel->access[id];
    place at = place_of(p, stage, c, id, memo);
    bool moves = at.ptrs || at.spread || at.stride == 1 || (at.guard && e_lanes(at.guard) > 1);
    int lanes = moves && !is_never(at.guard) ? p->lanes : 1;
    fx_imm fill = access->guarded ? access->fill : (fx_imm){0};
    LLVMValueRef other = fx__math_pack(e, at.dtype, e_imm(e, at.dtype, fill, lanes)), value;
    if (is_never(at.guard)) {
        value = other;
    } else if (at.spread) {
        value = load_spread(p, &at, p->copy[c].mask, other);
    } else if (!moves) {
        value = at.guard ? load_if(e, at.element, at.ptr, at.guard, other) : e_load(e, at.element, at.ptr);
    } else if (!at.ptrs && at.stride == 0) { /* one element, but some lanes are outside */
        at.ptrs = e_splat(e, at.ptr, lanes);
        value = load_vector(p, &at, p->copy[c].mask, other);
    } else {
        value = load_vector(p, &at, p->copy[c].mask, other);
    }
    return fx__math_unpack(e, at.dtype, value);
}

/* ---- Expressions -------------------------------------------------------------------------------------------------------- */

static int widest(LLVMValueRef a, LLVMValueRef b)
{
    int n = a ? e_lanes(a) : 1, m = b ? e_lanes(b) : 1;
    return n > m ? n : m;
}

static LLVMValueRef operand(fx_kpoint *p, int stage, int c, uint16_t expr, LLVMValueRef *memo)
{
    return expr == FX_NO_EXPR ? NULL : fx__value_expr(p, stage, c, expr, memo);
}

static LLVMValueRef select_value(fx_e *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    int lanes = widest(b, c);
    if (e_lanes(a) > lanes) lanes = e_lanes(a);
    return e_select(e, a, e_splat(e, b, lanes), e_splat(e, c, lanes)); /* a scalar condition may choose vectors */
}

static LLVMValueRef stage_result(fx_kpoint *p, int c, int of)
{
    if (!p->copy[c].result[of]) fx__reduce_stage(p, of); /* its loops ended before these: computed anew here */
    return p->copy[c].result[of];
}

static LLVMValueRef compute(fx_kpoint *p, int stage, int c, const fx_expr *x, LLVMValueRef *memo)
{
    fx_e *e = &p->f->e;
    const fx_kstage *st = &p->f->kernel->stage[stage];
    LLVMValueRef a = operand(p, stage, c, x->a, memo), b = operand(p, stage, c, x->b, memo);
    switch ((fx_expr_op)x->op) {
    case FX_X_LOAD:
        return load(p, stage, c, x->u.access, memo);
    case FX_X_IMM:
        return e_imm(e, (fx_dtype)x->dtype, x->u.imm, 1);
    case FX_X_AXIS:
        return coordinate(p, &p->copy[c], (uint8_t)x->u.axis);
    case FX_X_SYM:
        return fx__frame_dim(p->f, x->u.dim);
    case FX_X_STAGE:
        return stage_result(p, c, x->u.stage);
    case FX_X_CAST:
        return fx__math_cast(e, (fx_dtype)st->expr[x->a].dtype, (fx_dtype)x->dtype, a);
    case FX_X_SELECT:
        return select_value(e, a, b, operand(p, stage, c, x->c, memo));
    default:
        break;
    }
    int lanes = widest(a, b);
    if (b) b = e_splat(e, b, lanes);
    return fx__math_scalar(e, (fx_scalar_op)x->scalar, (fx_dtype)st->expr[x->a].dtype, e_splat(e, a, lanes), b);
}

LLVMValueRef fx__value_expr(fx_kpoint *p, int stage, int copy, uint16_t expr, LLVMValueRef *memo)
{
    if (!memo[expr]) memo[expr] = compute(p, stage, copy, &p->f->kernel->stage[stage].expr[expr], memo);
    return memo[expr];
}

LLVMValueRef *fx__value_memo(fx_kpoint *p, int stage)
{
    int n = p->f->kernel->stage[stage].n_expr;
    LLVMValueRef *memo = FX_NEW_ARRAY(p->f->arena, LLVMValueRef, n + 1);
    if (!memo)
        p->f->status = FX_E_OOM;
    else if (p->hoisted[stage])
        memcpy(memo, p->hoisted[stage], (size_t)n * sizeof *memo);
    return memo;
}

/* ---- Stores ------------------------------------------------------------------------------------------------------------- */

static void store_vector(fx_kpoint *p, const place *at, LLVMValueRef value, LLVMValueRef mask)
{
    fx_e *e = &p->f->e;
    LLVMValueRef all = e_and(e, at->guard, mask);
    if (all) all = e_splat(e, all, p->lanes);
    if (at->ptrs)
        e_scatter(e, value, at->ptrs, all ? all : LLVMConstAllOnes(e_vec(e->ty_i1, p->lanes)));
    else if (all)
        e_store_masked(e, value, at->ptr, all);
    else
        e_store(e, value, at->ptr);
}

void fx__value_store(fx_kpoint *p, int stage, int copy, uint16_t access, fx_dtype from, LLVMValueRef value, LLVMValueRef *memo)
{
    fx_e *e = &p->f->e;
    place at = place_of(p, stage, copy, access, memo);
    value = fx__math_pack(e, at.dtype, fx__math_cast(e, from, at.dtype, value));
    if (at.ptrs || at.stride == 1) {
        store_vector(p, &at, e_splat(e, value, p->lanes), p->copy[copy].mask);
        return;
    }
    fx_if branch = e_if_begin(e, "store", at.guard ? at.guard : e_i1(e, true));
    e_store(e, e_extract(e, value, 0), at.ptr);
    e_if_end(e, &branch);
}

/* ---- What depends on what ----------------------------------------------------------------------------------------------- */

/* Expressions that a value is made of; each is looked at once, however many read it. */
typedef struct needed {
    uint64_t bit[(UINT16_MAX + 1) / 64];
} needed;

static void need(needed *set, int32_t expr)
{
    if (expr >= 0 && expr != FX_NO_EXPR) set->bit[expr / 64] |= UINT64_C(1) << (expr % 64);
}

static uint32_t access_axes(const fx_access *access, needed *set)
{
    uint32_t axes = 0;
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) axes |= UINT32_C(1) << access->at[d].term[t].axis;
        need(set, access->at[d].value);
    }
    return axes;
}

static uint32_t stage_axes(const fx_kernel *kernel, int stage)
{
    const fx_kstage *st = &kernel->stage[stage];
    uint32_t axes = (UINT32_C(1) << kernel->n_outer) - 1;
    for (int i = 0; i < st->n_inner; i++) axes |= UINT32_C(1) << st->inner[i];
    return axes;
}

/* Its axes without those of its operands, which are needed then. */
static uint32_t own_axes(const fx_kernel *kernel, const fx_expr *x, needed *set)
{
    switch ((fx_expr_op)x->op) {
    case FX_X_LOAD:
        return access_axes(&kernel->access[x->u.access], set);
    case FX_X_AXIS:
        return UINT32_C(1) << x->u.axis;
    case FX_X_STAGE:
        return stage_axes(kernel, x->u.stage);
    case FX_X_IMM:
    case FX_X_SYM:
        return 0;
    default:
        break;
    }
    need(set, x->a);
    need(set, x->b);
    need(set, x->c);
    return 0;
}

uint32_t fx__value_axes(const fx_kpoint *p, int stage, uint16_t expr)
{
    const fx_kernel *kernel = p->f->kernel;
    needed set;
    uint32_t axes = 0;
    if (expr == FX_NO_EXPR) return 0;
    memset(set.bit, 0, ((size_t)expr / 64 + 1) * sizeof set.bit[0]);
    need(&set, expr);
    for (int32_t i = expr; i >= 0; i--) /* operands come first */
        if (set.bit[i / 64] >> (i % 64) & 1) axes |= own_axes(kernel, &kernel->stage[stage].expr[i], &set);
    return axes;
}

/* Worth a register over a loop: neither a constant nor a result that is in one already. */
static bool is_worth_hoisting(const fx_expr *x)
{
    return x->op != FX_X_IMM && x->op != FX_X_SYM && x->op != FX_X_STAGE;
}

void fx__value_hoist(fx_kpoint *p, int stage, uint32_t axes)
{
    const fx_kstage *st = &p->f->kernel->stage[stage];
    LLVMValueRef *memo = fx__value_memo(p, stage);
    if (!memo) return;
    for (uint16_t i = 0; i < st->n_expr; i++) {
        if (is_worth_hoisting(&st->expr[i]) && !(fx__value_axes(p, stage, i) & axes)) fx__value_expr(p, stage, 0, i, memo);
    }
    p->hoisted[stage] = memo;
}

void fx__value_unhoist(fx_kpoint *p, int stage)
{
    p->hoisted[stage] = NULL;
}
