/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_verify_kernel.c: what must hold inside one kernel: ranges, dtypes, scopes, bounds, locals, schedule. */
#include "ir/kir_verify.h"
#include <string.h>

/* ---- 1: everything that is a number of something names something ------------------------------------------------------------- */

static bool axes_in_range(const fx_kernel *kernel, const uint8_t *axis, int n)
{
    for (int i = 0; i < n; i++) {
        if (axis[i] >= kernel->n_axis || axis[i] < kernel->n_outer) return false;
        for (int j = 0; j < i; j++)
            if (axis[i] == axis[j]) return false;
    }
    return true;
}

static bool access_in_range(const fx_kernel *kernel, const fx_access *access)
{
    if (access->arg >= kernel->n_arg || access->rank != kernel->arg[access->arg].rank) return false;
    for (int d = 0; d < access->rank; d++) {
        if (access->at[d].n > FX_TERMS) return false;
        for (int t = 0; t < access->at[d].n; t++)
            if (access->at[d].term[t].axis >= kernel->n_axis || access->at[d].term[t].div == 0) return false;
    }
    return true;
}

static bool gathers_before(const fx_kernel *kernel, uint16_t access, uint16_t limit)
{
    for (int d = 0; d < kernel->access[access].rank; d++)
        if (kernel->access[access].at[d].value >= (int32_t)limit) return false;
    return true;
}

static bool expr_in_range(const fx_kernel *kernel, int s, const fx_kstage *stage, uint16_t number)
{
    const fx_expr *e = &stage->expr[number];
    const uint16_t operand[3] = {e->a, e->b, e->c};
    if (e->op > FX_X_SCALAR || e->dtype >= FX_DTYPE_COUNT || (e->op == FX_X_SCALAR && e->scalar >= FX_SCALAR_COUNT)) return false;
    for (int i = 0; i < fx__expr_operands(e); i++)
        if (operand[i] >= number) return false;
    if (e->op == FX_X_LOAD) return e->u.access < kernel->n_access && gathers_before(kernel, e->u.access, number);
    if (e->op == FX_X_AXIS) return e->u.axis < kernel->n_axis;
    return e->op != FX_X_STAGE || (e->u.stage < s && kernel->stage[e->u.stage].kind != FX_STAGE_MAP);
}

static bool stage_in_range(const fx_kernel *kernel, int s)
{
    const fx_kstage *stage = &kernel->stage[s];
    if (stage->n_inner > FX_REDS || stage->n_red > FX_REDS || stage->n_out > FX_OUTS) return false;
    if (!axes_in_range(kernel, stage->inner, stage->n_inner) || !axes_in_range(kernel, stage->red, stage->n_red)) return false;
    for (int i = 0; i < stage->n_red; i++)
        if (memchr(stage->inner, stage->red[i], stage->n_inner)) return false;
    for (uint16_t e = 0; e < stage->n_expr; e++)
        if (!expr_in_range(kernel, s, stage, e)) return false;
    for (int o = 0; o < stage->n_out; o++) {
        if (stage->out[o].access >= kernel->n_access || !gathers_before(kernel, stage->out[o].access, stage->n_expr)) return false;
        if (stage->kind == FX_STAGE_MAP && stage->out[o].expr >= stage->n_expr) return false;
    }
    return stage->kind == FX_STAGE_MAP || (stage->value < stage->n_expr && (unsigned)stage->combine < FX_COMBINE_COUNT);
}

bool fx__verify_ranges(fx_verifier *v)
{
    const fx_kernel *kernel = v->kernel;
    int before = v->problems;
    if (kernel->n_arg > FX_ARGS || kernel->n_axis > FX_AXES || kernel->n_outer > kernel->n_axis)
        fx__verify_fail(v, "1 (range)", "too many arguments or axes");
    for (int a = 0; a < kernel->n_arg && v->problems == before; a++)
        if (kernel->arg[a].rank > FX_RANK || kernel->arg[a].dtype >= FX_DTYPE_COUNT)
            fx__verify_fail(v, "1 (range)", "argument %d has no type", a);
    for (int i = 0; i < kernel->n_access && v->problems == before; i++)
        if (!access_in_range(kernel, &kernel->access[i]))
            fx__verify_fail(v, "1 (range)", "access %d names an argument, dim or axis that is not there", i);
    for (int s = 0; s < kernel->n_stage && v->problems == before; s++)
        if (!stage_in_range(kernel, s))
            fx__verify_fail(v, "1 (range)", "stage %d names an axis, expression or access that is not there", s);
    return v->problems == before;
}

/* ---- 1: dtypes agree at every expression ---------------------------------------------------------------------------------------
 */

static bool dtype_agrees(const fx_kernel *kernel, const fx_kstage *stage, const fx_expr *e)
{
    const fx_expr *x = stage->expr;
    switch ((fx_expr_op)e->op) {
    case FX_X_LOAD:
        return e->dtype == kernel->arg[kernel->access[e->u.access].arg].dtype;
    case FX_X_IMM:
    case FX_X_CAST:
        return true;
    case FX_X_AXIS:
    case FX_X_SYM:
        return e->dtype == FX_I64;
    case FX_X_STAGE:
        return e->dtype == fx__stage_dtype(&kernel->stage[e->u.stage]);
    case FX_X_SELECT:
        return x[e->a].dtype == FX_BOOL && x[e->b].dtype == e->dtype && x[e->c].dtype == e->dtype;
    case FX_X_SCALAR:
        break;
    }
    fx_scalar_op op = (fx_scalar_op)e->scalar;
    fx_dtype dtype = (fx_dtype)x[e->a].dtype, result = fx__scalar_is_comparison(op) ? FX_BOOL : dtype;
    return e->dtype == result && fx__scalar_allows(op, dtype) && (fx__scalar_operands(op) < 2 || x[e->b].dtype == dtype);
}

static bool gathers_are_integers(const fx_kernel *kernel, const fx_kstage *stage, uint16_t access)
{
    for (int d = 0; d < kernel->access[access].rank; d++) {
        int16_t value = kernel->access[access].at[d].value;
        if (value >= 0 && !fx_dtype_is_int((fx_dtype)stage->expr[value].dtype)) return false;
    }
    return true;
}

static void verify_stage_dtypes(fx_verifier *v, int s)
{
    const fx_kernel *kernel = v->kernel;
    const fx_kstage *stage = &kernel->stage[s];
    for (int e = 0; e < stage->n_expr; e++) {
        if (!dtype_agrees(kernel, stage, &stage->expr[e])) fx__verify_fail(v, "1 (dtype)", "expression %d of stage %d", e, s);
        if (stage->expr[e].op == FX_X_LOAD && !gathers_are_integers(kernel, stage, stage->expr[e].u.access))
            fx__verify_fail(v, "1 (dtype)", "expression %d of stage %d gathers by a value that is no integer", e, s);
    }
    for (int o = 0; o < stage->n_out; o++) {
        fx_dtype to = kernel->arg[kernel->access[stage->out[o].access].arg].dtype;
        fx_dtype from = stage->kind == FX_STAGE_MAP ? (fx_dtype)stage->expr[stage->out[o].expr].dtype : fx__stage_dtype(stage);
        if (from != to) fx__verify_fail(v, "1 (dtype)", "stage %d stores %s as %s", s, fx_dtype_name(from), fx_dtype_name(to));
    }
}

void fx__verify_dtypes(fx_verifier *v)
{
    for (int s = 0; s < v->kernel->n_stage; s++) verify_stage_dtypes(v, s);
}

/* ---- 1: a stage uses the axes it iterates
 * ------------------------------------------------------------------------------------------ */

static bool in_list(const uint8_t *axis, int n, int which)
{
    for (int i = 0; i < n; i++)
        if (axis[i] == which) return true;
    return false;
}

static bool iterates(const fx_kernel *kernel, const fx_kstage *stage, int axis, bool with_red)
{
    return axis < kernel->n_outer || in_list(stage->inner, stage->n_inner, axis) ||
           (with_red && in_list(stage->red, stage->n_red, axis));
}

static bool access_in_scope(const fx_kernel *kernel, const fx_kstage *stage, uint16_t access, bool with_red)
{
    const fx_access *a = &kernel->access[access];
    for (int d = 0; d < a->rank; d++)
        for (int t = 0; t < a->at[d].n; t++)
            if (!iterates(kernel, stage, a->at[d].term[t].axis, with_red)) return false;
    return true;
}

static bool expr_in_scope(const fx_kernel *kernel, const fx_kstage *stage, const fx_expr *e)
{
    if (e->op == FX_X_LOAD) return access_in_scope(kernel, stage, e->u.access, true);
    if (e->op == FX_X_AXIS) return iterates(kernel, stage, e->u.axis, true);
    if (e->op != FX_X_STAGE) return true;
    const fx_kstage *earlier = &kernel->stage[e->u.stage];
    for (int i = 0; i < earlier->n_inner; i++)
        if (!in_list(stage->inner, stage->n_inner, earlier->inner[i]) && !in_list(stage->red, stage->n_red, earlier->inner[i]))
            return false;
    return true;
}

void fx__verify_scopes(fx_verifier *v)
{
    for (int s = 0; s < v->kernel->n_stage; s++) {
        const fx_kstage *stage = &v->kernel->stage[s];
        for (int e = 0; e < stage->n_expr; e++)
            if (!expr_in_scope(v->kernel, stage, &stage->expr[e]))
                fx__verify_fail(v, "1 (scope)", "expression %d of stage %d uses an axis that the stage does not iterate", e, s);
        for (int o = 0; o < stage->n_out; o++)
            if (!access_in_scope(v->kernel, stage, stage->out[o].access, stage->prefix))
                fx__verify_fail(v, "1 (scope)", "store %d of stage %d uses an axis that the stage does not iterate", o, s);
    }
}

/* ---- 1: shapes of stages
 * ------------------------------------------------------------------------------------------------------------ */

static bool is_operand(const fx_kstage *stage, uint16_t e)
{
    while (stage->expr[e].op == FX_X_CAST) e = stage->expr[e].a;
    return stage->expr[e].op == FX_X_LOAD;
}

void fx__verify_contracts(fx_verifier *v)
{
    for (int s = 0; s < v->kernel->n_stage; s++) {
        const fx_kstage *stage = &v->kernel->stage[s];
        bool place = stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX;
        if (stage->kind == FX_STAGE_MAP) continue;
        const fx_expr *e = &stage->expr[stage->value];
        bool product = e->op == FX_X_SCALAR && e->scalar == FX_SCALAR_MUL && is_operand(stage, e->a) && is_operand(stage, e->b);
        if (stage->kind == FX_STAGE_CONTRACT && (!product || stage->combine != FX_COMBINE_SUM || stage->prefix))
            fx__verify_fail(v, "1 (contract)", "stage %d is no sum of a product of two loads", s);
        if (stage->kind == FX_STAGE_REDUCE && (place || stage->prefix) && stage->n_red != 1)
            fx__verify_fail(v, "1 (reduce)", "stage %d needs exactly one reduced axis", s);
    }
}

/* ---- 2: bounds
 * -------------------------------------------------------------------------------------------------------------------- */

typedef enum reach { REACH_INSIDE, REACH_UNKNOWN, REACH_OUTSIDE } reach;

/* With symbols what cannot be proved either way is left to the guards. */
static reach reach_of(const fx_verifier *v, const fx_access *access)
{
    fx_dim lo, hi;
    bool symbolic = false;
    if (fx__access_in_bounds(v->program, v->kernel, access)) return REACH_INSIDE;
    for (int d = 0; d < access->rank; d++) {
        if (access->clamped && access->at[d].value >= 0) continue;
        fx__index_range(v->program->dims, v->kernel, &access->at[d], &lo, &hi);
        fx_dim dim = v->kernel->arg[access->arg].dim[d];
        bool known = lo != FX_DIM_BAD && fx_dim_is_const(lo) && hi != FX_DIM_BAD && fx_dim_is_const(hi) && fx_dim_is_const(dim);
        if (known && (lo < 0 || hi >= dim) && lo <= hi) return REACH_OUTSIDE;
        symbolic = symbolic || !known;
    }
    return symbolic ? REACH_UNKNOWN : REACH_INSIDE;
}

static bool unclamped_gather(const fx_access *access)
{
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].value >= 0 && !access->clamped && !access->guarded) return true;
    return false;
}

static void verify_reach(fx_verifier *v, int s, const fx_access *access, const char *what)
{
    if (unclamped_gather(access))
        fx__verify_fail(v, "2 (bounds)", "stage %d: a gathered %s that is neither clamped nor guarded", s, what);
    if (!access->guarded && reach_of(v, access) == REACH_OUTSIDE)
        fx__verify_fail(v, "2 (bounds)", "stage %d: a %s of argument %d leaves its extents and is not guarded", s, what,
                        access->arg);
}

void fx__verify_bounds(fx_verifier *v)
{
    const fx_kernel *kernel = v->kernel;
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        for (int e = 0; e < stage->n_expr; e++) {
            if (stage->expr[e].op != FX_X_LOAD) continue;
            const fx_access *access = &kernel->access[stage->expr[e].u.access];
            verify_reach(v, s, access, "load");
            if (stage->kind == FX_STAGE_CONTRACT && access->guarded && access->fill.u != 0)
                fx__verify_fail(v, "2 (bounds)", "stage %d: a guarded operand of a contraction has a fill other than 0", s);
        }
        for (int o = 0; o < stage->n_out; o++) verify_reach(v, s, &kernel->access[stage->out[o].access], "store");
    }
}

/* ---- 4: locals
 * -------------------------------------------------------------------------------------------------------------------- */

/* Smallest and largest index that earlier stages store in dim d; false: not known. */
static bool stored_range(const fx_verifier *v, int arg, int before, int d, fx_dim *lo, fx_dim *hi)
{
    const fx_kernel *kernel = v->kernel;
    bool any = false;
    *lo = *hi = 0;
    for (int s = 0; s < before; s++) {
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            const fx_access *access = &kernel->access[kernel->stage[s].out[o].access];
            fx_dim a, b;
            if (access->arg != arg) continue;
            fx__index_range(v->program->dims, kernel, &access->at[d], &a, &b);
            if (!fx_dim_is_const(a) || !fx_dim_is_const(b)) return false;
            *lo = any && *lo < a ? *lo : a;
            *hi = any && *hi > b ? *hi : b;
            any = true;
        }
    }
    return any;
}

static bool is_stored(const fx_kernel *kernel, int arg, int before)
{
    for (int s = 0; s < before; s++)
        for (int o = 0; o < kernel->stage[s].n_out; o++)
            if (kernel->access[kernel->stage[s].out[o].access].arg == arg) return true;
    return false;
}

static void verify_local_load(fx_verifier *v, int s, const fx_access *access)
{
    if (!is_stored(v->kernel, access->arg, s)) {
        fx__verify_fail(v, "4 (locals)", "stage %d reads local %d before it is written", s, access->arg);
        return;
    }
    for (int d = 0; d < access->rank; d++) {
        fx_dim lo, hi, a, b;
        fx__index_range(v->program->dims, v->kernel, &access->at[d], &a, &b);
        if (access->guarded || !fx_dim_is_const(a) || !fx_dim_is_const(b) || !stored_range(v, access->arg, s, d, &lo, &hi))
            continue;
        if (a < lo || b > hi) fx__verify_fail(v, "4 (locals)", "stage %d reads local %d where nothing was written", s, access->arg);
    }
}

static bool same_place(const fx_access *a, const fx_access *b)
{
    for (int d = 0; d < a->rank; d++)
        if (!fx__index_equal(&a->at[d], &b->at[d])) return false;
    return true;
}

/* An INOUT argument is read exactly where it is written. */
static bool read_where_written(const fx_kernel *kernel, const fx_access *load)
{
    for (int s = 0; s < kernel->n_stage; s++)
        for (int o = 0; o < kernel->stage[s].n_out; o++) {
            const fx_access *store = &kernel->access[kernel->stage[s].out[o].access];
            if (store->arg == load->arg && same_place(load, store)) return true;
        }
    return false;
}

static void verify_load(fx_verifier *v, int s, const fx_access *access)
{
    fx_arg_role role = v->kernel->arg[access->arg].role;
    if (role == FX_ARG_LOCAL) verify_local_load(v, s, access);
    if (role == FX_ARG_OUT) fx__verify_fail(v, "4 (locals)", "stage %d reads argument %d, which is OUT", s, access->arg);
    if (role == FX_ARG_INOUT && !read_where_written(v->kernel, access))
        fx__verify_fail(v, "4 (locals)", "stage %d reads the INOUT argument %d elsewhere than it writes it", s, access->arg);
}

void fx__verify_locals(fx_verifier *v)
{
    const fx_kernel *kernel = v->kernel;
    for (int s = 0; s < kernel->n_stage; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++)
            if (kernel->stage[s].expr[e].op == FX_X_LOAD) verify_load(v, s, &kernel->access[kernel->stage[s].expr[e].u.access]);
    for (int a = 0; a < kernel->n_arg; a++) {
        const fx_arg *arg = &kernel->arg[a];
        bool home_ok = arg->home < kernel->n_arg &&
                       (arg->home < 0 || kernel->arg[arg->home].role == FX_ARG_OUT || kernel->arg[arg->home].role == FX_ARG_INOUT);
        if (arg->role == FX_ARG_LOCAL && !home_ok)
            fx__verify_fail(v, "4 (locals)", "local %d lives in an argument that is not OUT", a);
    }
}

/* ---- 7: schedule
 * ------------------------------------------------------------------------------------------------------------------ */

enum { MOST_REGISTERS = 32 }; /* of any target: the target's own number is schedule's business */

static bool axis_or_none(const fx_kernel *kernel, uint8_t axis)
{
    return axis == FX_NO_AXIS || axis < kernel->n_axis;
}

static bool outer_list(const fx_kernel *kernel, const uint8_t *axis, int n)
{
    for (int i = 0; i < n; i++) {
        if (axis[i] >= kernel->n_axis) return false;
        for (int j = 0; j < i; j++)
            if (axis[i] == axis[j]) return false;
    }
    return true;
}

enum { MOST_FETCHED = 256, MOST_STEPS = 16 };

/* The first tile of rows makes the panels for all others of the same call, with the vector axis directly inside. */
static void verify_pack(fx_verifier *v, const fx_sched *s)
{
    bool ok = s->emit == FX_EMIT_TILE && s->row != FX_NO_AXIS && s->block > 0 && fx__sched_panel_rows(v->kernel) > 0;
    for (int i = 0; i < s->n_task && i < 3; i++) ok = ok && s->task[i] != s->row;
    ok = ok && s->n_order >= 2 && s->order[s->n_order - 2] == s->row && s->order[s->n_order - 1] == s->vec;
    if (!ok) fx__verify_fail(v, "7 (schedule)", "panels that no first tile of rows makes for the others");
}

static void verify_tile(fx_verifier *v, const fx_sched *s)
{
    if (s->mr * s->nv + s->nv + 1 > MOST_REGISTERS)
        fx__verify_fail(v, "7 (schedule)", "a tile of %d by %d needs more than %d registers", s->mr, s->nv, MOST_REGISTERS);
    if (s->unroll > MOST_STEPS) fx__verify_fail(v, "7 (schedule)", "%d steps of a sum in one turn", s->unroll);
    if (s->fetch_a < 0 || s->fetch_a > MOST_FETCHED || s->fetch_b < 0 || s->fetch_b > MOST_FETCHED)
        fx__verify_fail(v, "7 (schedule)", "a fetch of %d and %d bytes with each step", (int)s->fetch_a, (int)s->fetch_b);
    if (s->block < 0 || (s->fetch_a > 0 && s->row == FX_NO_AXIS))
        fx__verify_fail(v, "7 (schedule)", "blocks of %d panels, or next rows of a tile without rows", (int)s->block);
}

void fx__verify_schedule(fx_verifier *v)
{
    const fx_kernel *kernel = v->kernel;
    const fx_sched *s = &kernel->sched;
    if (s->emit == FX_EMIT_NONE) {
        if (v->program->scheduled) fx__verify_fail(v, "7 (schedule)", "a kernel without schedule");
        return;
    }
    if (!axis_or_none(kernel, s->vec) || !axis_or_none(kernel, s->vec2) || !axis_or_none(kernel, s->row))
        fx__verify_fail(v, "7 (schedule)", "a scheduled axis that is not there");
    if (s->n_task > 3 || s->n_order > FX_AXES || !outer_list(kernel, s->task, s->n_task) ||
        !outer_list(kernel, s->order, s->n_order))
        fx__verify_fail(v, "7 (schedule)", "task or order names an axis twice, or one that is not there");
    for (int i = 0; i < s->n_task && s->n_task <= 3; i++)
        if (s->task[i] >= kernel->n_outer) fx__verify_fail(v, "7 (schedule)", "a task axis that is not outer");
    if (s->lanes == 0 || (s->lanes > 1 && s->vec >= kernel->n_axis))
        fx__verify_fail(v, "7 (schedule)", "%d lanes without a vector axis", s->lanes);
    for (int a = 0; a < kernel->n_arg && s->lanes > 1 && (s->emit == FX_EMIT_FLAT || s->emit == FX_EMIT_COPY2D); a++)
        if (kernel->arg[a].role == FX_ARG_LOCAL) fx__verify_fail(v, "7 (schedule)", "several points at a time share a local");
    if (s->emit == FX_EMIT_TILE || s->emit == FX_EMIT_BLOCK) verify_tile(v, s);
    if (s->emit == FX_EMIT_BLOCK && (s->row != kernel->n_outer - 1 || s->mr == 0 || s->nv == 0 || s->vec < kernel->n_outer))
        fx__verify_fail(v, "7 (schedule)", "blocks of rows that are not the last outer axis, or rows without a vector axis");
    if (s->pack) verify_pack(v, s);
}
