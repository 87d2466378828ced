/* SPDX-License-Identifier: Apache-2.0 */
/* passes/graft.c: building kernels out of parts of others, see graft.h. */
#include "passes/graft.h"
#include "ir/kir_text.h"

/* ---- Arguments --------------------------------------------------------------------------------------------------------- */

static bool is_read_only(const fx_arg *arg)
{
    return arg->role == FX_ARG_IN || arg->role == FX_ARG_CONST;
}

static bool same_shape(const fx_arg *a, const fx_arg *b)
{
    if (a->rank != b->rank || a->dtype != b->dtype) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d] || a->stride[d] != b->stride[d]) return false;
    return true;
}

int fx__bound_add_arg(fx_bound *bound, const fx_arg *arg, int32_t buf)
{
    fx_kernel *kernel = bound->kernel;
    for (int a = 0; a < kernel->n_arg; a++) {
        bool alike =
            is_read_only(arg) ? is_read_only(&kernel->arg[a]) : kernel->arg[a].role == FX_ARG_OUT && arg->role == FX_ARG_OUT;
        if (bound->bind[a].buf == buf && alike && same_shape(&kernel->arg[a], arg)) return a;
    }
    int index = fx__kernel_add_arg(kernel, arg);
    if (index >= 0) bound->bind[index].buf = buf;
    return index;
}

void fx__bound_drop_arg(fx_bound *bound, int arg, int heir)
{
    fx_kernel *kernel = bound->kernel;
    if (heir > arg) heir--;
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_arg *local = &kernel->arg[a];
        if (local->role != FX_ARG_LOCAL || local->home < 0) continue;
        if (local->home == arg)
            local->home = (int8_t)heir;
        else if (local->home > arg)
            local->home--;
    }
    for (int i = 0; i < kernel->n_access; i++)
        if (kernel->access[i].arg > arg) kernel->access[i].arg--;
    kernel->n_arg--;
    for (int a = arg; a < kernel->n_arg; a++) {
        kernel->arg[a] = kernel->arg[a + 1];
        bound->bind[a] = bound->bind[a + 1];
    }
}

bool fx__bound_drop_unused(fx_bound *bound)
{
    fx_kernel *kernel = bound->kernel;
    bool named[FX_ARGS] = {false};
    if (fx__kernel_normalise(bound->program, kernel) != FX_OK) return false;
    for (int i = 0; i < kernel->n_access; i++) named[kernel->access[i].arg] = true;
    for (int a = kernel->n_arg - 1; a >= 0; a--)
        if (!named[a] && is_read_only(&kernel->arg[a])) fx__bound_drop_arg(bound, a, -1);
    return true;
}

/* ---- Indices ----------------------------------------------------------------------------------------------------------- */

uint8_t fx__index_single(const fx_index *index)
{
    const fx_term *term = &index->term[0];
    bool single = index->n == 1 && index->base == 0 && index->value < 0 && term->coef == 1 && term->div == 1 && term->mod == 0;
    return single ? term->axis : FX_NO_AXIS;
}

fx_index fx__index_reduce(const fx_kernel *kernel, const fx_index *index)
{
    fx_index out = *index;
    out.n = 0;
    for (int t = 0; t < FX_TERMS; t++) out.term[t] = (fx_term){0};
    for (int t = 0; t < index->n; t++)
        if (kernel->axis[index->term[t].axis].extent != 1) out.term[out.n++] = index->term[t];
    return out;
}

bool fx__index_same(const fx_kernel *kernel, const fx_index *a, const fx_index *b)
{
    fx_index x = fx__index_reduce(kernel, a), y = fx__index_reduce(kernel, b);
    return fx__index_equal(&x, &y);
}

fx_dim fx__stage_points(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage)
{
    fx_dim points = 1;
    for (int i = 0; i < kernel->n_outer; i++) points = fx__dim_mul(program->dims, points, kernel->axis[i].extent);
    for (int i = 0; i < stage->n_inner; i++) points = fx__dim_mul(program->dims, points, kernel->axis[stage->inner[i]].extent);
    for (int i = 0; i < stage->n_red && stage->kind != FX_STAGE_MAP; i++)
        points = fx__dim_mul(program->dims, points, kernel->axis[stage->red[i]].extent);
    return points;
}

/* ---- Expressions ------------------------------------------------------------------------------------------------------- */

static bool substitute(const fx_graft *graft, const fx_index *index, fx_index *out)
{
    fx_dim extent[FX_AXES];
    if (!graft->by) {
        *out = *index;
        return true;
    }
    for (int i = 0; i < graft->to->n_axis; i++) extent[i] = graft->to->axis[i].extent;
    return fx__index_substitute(graft->program->dims, index, graft->by, graft->from->n_axis, extent, out);
}

bool fx__graft_access(const fx_graft *graft, const fx_access *access, fx_access *out)
{
    *out = *access;
    if (graft->arg) out->arg = graft->arg[access->arg];
    for (int d = 0; d < access->rank; d++) {
        fx_index plain = access->at[d];
        plain.value = -1;
        if (!substitute(graft, &plain, &out->at[d])) return false;
        if (access->at[d].value >= 0) out->at[d].value = (int16_t)graft->memo[access->at[d].value];
    }
    return true;
}

static fx_kstage *target_stage(const fx_graft *graft)
{
    return &graft->to->stage[graft->to_stage];
}

static uint16_t add_expr(const fx_graft *graft, const fx_expr *expr)
{
    return fx__stage_expr(graft->program, target_stage(graft), expr);
}

uint16_t fx__graft_cast(const fx_graft *graft, uint16_t expr, fx_dtype dtype)
{
    if (expr == FX_NO_EXPR || target_stage(graft)->expr[expr].dtype == dtype) return expr;
    fx_expr cast = {.op = FX_X_CAST, .dtype = (uint8_t)dtype, .a = expr, .b = FX_NO_EXPR, .c = FX_NO_EXPR};
    return add_expr(graft, &cast);
}

static uint16_t size_expr(const fx_graft *graft, fx_dim dim)
{
    fx_expr expr = {.op = FX_X_IMM, .dtype = FX_I64, .a = FX_NO_EXPR, .b = FX_NO_EXPR, .c = FX_NO_EXPR, .u.imm.i = dim};
    if (!fx_dim_is_const(dim)) {
        expr.op = FX_X_SYM;
        expr.u.dim = dim;
    }
    return add_expr(graft, &expr);
}

static uint16_t scalar_expr(const fx_graft *graft, fx_scalar_op op, uint16_t a, uint16_t b)
{
    fx_expr expr = {.op = FX_X_SCALAR, .scalar = (uint8_t)op, .dtype = FX_I64, .a = a, .b = b, .c = FX_NO_EXPR};
    return a == FX_NO_EXPR || b == FX_NO_EXPR ? FX_NO_EXPR : add_expr(graft, &expr);
}

static uint16_t term_expr(const fx_graft *graft, const fx_term *term)
{
    fx_expr axis = {.op = FX_X_AXIS, .dtype = FX_I64, .a = FX_NO_EXPR, .b = FX_NO_EXPR, .c = FX_NO_EXPR, .u.axis = term->axis};
    uint16_t value = add_expr(graft, &axis);
    if (term->div != 1) value = scalar_expr(graft, FX_SCALAR_FLOORDIV, value, size_expr(graft, term->div));
    if (term->mod != 0) value = scalar_expr(graft, FX_SCALAR_MOD, value, size_expr(graft, term->mod));
    if (term->coef != 1) value = scalar_expr(graft, FX_SCALAR_MUL, value, size_expr(graft, term->coef));
    return value;
}

/* A coordinate of `from` computed from those of `to`. */
static uint16_t coordinate(const fx_graft *graft, uint8_t axis)
{
    fx_index index = graft->by ? graft->by[axis] : fx__index_axis(axis);
    uint16_t sum = index.n == 0 || index.base != 0 ? size_expr(graft, index.base) : FX_NO_EXPR;
    for (int t = 0; t < index.n; t++) {
        uint16_t term = term_expr(graft, &index.term[t]);
        sum = sum == FX_NO_EXPR ? term : scalar_expr(graft, FX_SCALAR_ADD, sum, term);
    }
    return sum;
}

static uint16_t load_expr(fx_graft *graft, const fx_expr *expr)
{
    const fx_access *access = &graft->from->access[expr->u.access];
    bool failed = false;
    uint16_t replaced = graft->load ? graft->load(graft, access, &failed) : FX_NO_EXPR;
    if (failed || replaced != FX_NO_EXPR) return failed ? FX_NO_EXPR : replaced;
    fx_access moved;
    if (!fx__graft_access(graft, access, &moved)) return FX_NO_EXPR;
    int index = fx__kernel_add_access(graft->program, graft->to, &moved);
    if (index < 0) return FX_NO_EXPR;
    fx_expr load = *expr;
    load.u.access = (uint16_t)index;
    return add_expr(graft, &load);
}

static uint16_t copy_expr(fx_graft *graft, const fx_expr *expr)
{
    fx_expr copy = *expr;
    if (expr->op == FX_X_LOAD) return load_expr(graft, expr);
    if (expr->op == FX_X_AXIS) return coordinate(graft, (uint8_t)expr->u.axis);
    if (expr->op == FX_X_STAGE) copy.u.stage = (uint16_t)(expr->u.stage + graft->stage_base);
    uint16_t *operand[3] = {&copy.a, &copy.b, &copy.c};
    int n = fx__expr_operands(expr);
    for (int i = 0; i < n; i++) {
        *operand[i] = graft->memo[*operand[i]];
        if (*operand[i] == FX_NO_EXPR) return FX_NO_EXPR;
    }
    return add_expr(graft, &copy);
}

bool fx__graft_run(fx_graft *graft)
{
    graft->memo = FX_NEW_ARRAY(graft->program->arena, uint16_t, graft->stage->n_expr + 1);
    if (!graft->memo) return false;
    for (int e = 0; e < graft->stage->n_expr; e++) {
        graft->memo[e] = copy_expr(graft, &graft->stage->expr[e]);
        if (graft->memo[e] == FX_NO_EXPR) return false;
    }
    return true;
}
