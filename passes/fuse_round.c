/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse_round.c: what joining two kernels changes of the rounding between their nodes. A value that is stored is rounded to
 * its type, and a product that is stored is rounded before it is added to; in a register neither need happen. */
#include "passes/fuse.h"

static bool is_narrow(fx_dtype dtype)
{
    return dtype == FX_F16 || dtype == FX_BF16;
}

/* In registers f16 and bf16 are f32. */
static bool same_register(fx_dtype a, fx_dtype b)
{
    return a == b || ((a == FX_F32 || is_narrow(a)) && (b == FX_F32 || is_narrow(b)));
}

static bool is_scalar(const fx_expr *x, fx_scalar_op op)
{
    return x->op == FX_X_SCALAR && x->scalar == op;
}

/* ---- Narrow types ----------------------------------------------------------------------------------------------------------- */

/* Rounding the result is rounding the operands: these choose, or change a sign. */
static bool commutes(const fx_expr *x)
{
    return is_scalar(x, FX_SCALAR_NEG) || is_scalar(x, FX_SCALAR_ABS) || is_scalar(x, FX_SCALAR_RELU) ||
           is_scalar(x, FX_SCALAR_MAX) || is_scalar(x, FX_SCALAR_MIN);
}

/* The value is one of the narrow type already: it was loaded as such, or chosen among such. */
static bool is_rounded(const fx_kstage *stage, uint16_t at, fx_dtype dtype)
{
    const fx_expr *x = &stage->expr[at];
    if (x->op == FX_X_LOAD) return x->dtype == dtype;
    if (x->op == FX_X_IMM) {
        fx_imm there = fx__scalar_cast((fx_dtype)x->dtype, dtype, x->u.imm),
               back = fx__scalar_cast(dtype, (fx_dtype)x->dtype, there);
        return same_register(x->dtype, dtype) && back.f == x->u.imm.f;
    }
    if (x->op == FX_X_SELECT) return is_rounded(stage, x->b, dtype) && is_rounded(stage, x->c, dtype);
    if (x->op == FX_X_CAST) return stage->expr[x->a].dtype == FX_BOOL || is_rounded(stage, x->a, dtype);
    if (!commutes(x)) return false;
    return is_rounded(stage, x->a, dtype) && (fx__expr_operands(x) == 1 || is_rounded(stage, x->b, dtype));
}

/* Of each expression: does it hold the value of argument `arg`, perhaps as one of several to choose from, or something computed of
 * it? */
typedef enum holding { NOTHING, VALUE, COMPUTED } holding;

static holding holding_of(const fx_kernel *kernel, const fx_kstage *stage, const fx_expr *x, int arg, const holding *known)
{
    holding most = NOTHING;
    if (x->op == FX_X_LOAD) return kernel->access[x->u.access].arg == arg ? VALUE : NOTHING;
    const uint16_t operand[3] = {x->a, x->b, x->c};
    for (int i = 0; i < fx__expr_operands(x); i++)
        if (known[operand[i]] > most) most = known[operand[i]];
    if (most != VALUE) return most;
    bool casts = x->op == FX_X_CAST && same_register(x->dtype, stage->expr[x->a].dtype);
    return casts || commutes(x) || (x->op == FX_X_SELECT && known[x->a] == NOTHING) ? VALUE : COMPUTED;
}

/* All that the stage does with the argument is to store it, in the same type, where it is rounded all the same. */
static bool stage_moves(const fx_kernel *kernel, const fx_kstage *stage, int arg)
{
    holding known[FX_FUSE_EXPRS + 1] = {NOTHING};
    if (stage->n_expr > FX_FUSE_EXPRS) return false;
    for (int e = 0; e < stage->n_expr; e++) known[e] = holding_of(kernel, stage, &stage->expr[e], arg, known);
    if (stage->kind != FX_STAGE_MAP) return known[stage->value] == NOTHING;
    for (int o = 0; o < stage->n_out; o++) {
        const fx_arg *to = &kernel->arg[kernel->access[stage->out[o].access].arg];
        holding held = known[stage->out[o].expr];
        if (held == COMPUTED || (held == VALUE && to->dtype != kernel->arg[arg].dtype)) return false;
    }
    return true;
}

static bool only_moves(const fx_kernel *kernel, int arg)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (!stage_moves(kernel, &kernel->stage[s], arg)) return false;
    return true;
}

/* ---- Products that are added to --------------------------------------------------------------------------------------------- */

static int count_uses(const fx_kstage *stage, uint16_t at)
{
    int uses = stage->kind != FX_STAGE_MAP && stage->value == at;
    for (int e = 0; e < stage->n_expr; e++) {
        const fx_expr *x = &stage->expr[e];
        const uint16_t operand[3] = {x->a, x->b, x->c};
        for (int i = 0; i < fx__expr_operands(x); i++) uses += operand[i] == at;
    }
    for (int o = 0; o < stage->n_out && stage->kind == FX_STAGE_MAP; o++) uses += stage->out[o].expr == at;
    return uses;
}

/* A multiplication and an addition still become one instruction with this between them. */
static bool is_transparent(const fx_kstage *stage, const fx_expr *x)
{
    return is_scalar(x, FX_SCALAR_NEG) || (x->op == FX_X_CAST && same_register(x->dtype, stage->expr[x->a].dtype));
}

/* Its only use is the store. */
static bool is_product(const fx_kstage *stage, uint16_t at)
{
    while (is_transparent(stage, &stage->expr[at]) && count_uses(stage, at) == 1) at = stage->expr[at].a;
    return is_scalar(&stage->expr[at], FX_SCALAR_MUL) && count_uses(stage, at) == 1;
}

static uint16_t user_of(const fx_kstage *stage, uint16_t at)
{
    for (uint16_t e = 0; e < stage->n_expr; e++) {
        const fx_expr *x = &stage->expr[e];
        const uint16_t operand[3] = {x->a, x->b, x->c};
        for (int i = 0; i < fx__expr_operands(x); i++)
            if (operand[i] == at) return e;
    }
    return FX_NO_EXPR;
}

static bool is_summand(const fx_kstage *stage, uint16_t at)
{
    while (count_uses(stage, at) == 1) {
        uint16_t user = user_of(stage, at);
        if (user == FX_NO_EXPR) return stage->kind == FX_STAGE_REDUCE && stage->combine == FX_COMBINE_SUM;
        if (is_scalar(&stage->expr[user], FX_SCALAR_ADD) || is_scalar(&stage->expr[user], FX_SCALAR_SUB)) return true;
        if (!is_transparent(stage, &stage->expr[user])) return false;
        at = user;
    }
    return false;
}

static bool has_summand(const fx_kernel *kernel, int arg)
{
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        for (uint16_t e = 0; e < stage->n_expr; e++) {
            const fx_expr *x = &stage->expr[e];
            if (x->op == FX_X_LOAD && kernel->access[x->u.access].arg == arg && is_summand(stage, e)) return true;
        }
    }
    return false;
}

/* ---- Both ------------------------------------------------------------------------------------------------------------------- */

const char *fx__fuse_rounding(const fx_pair *pair, bool has_fma)
{
    int s, o;
    fx_dtype dtype = pair->program->buf[pair->buf].dtype;
    if (!fx_dtype_is_float(dtype) || !fx__fuse_store(pair->producer, pair->from_arg, &s, &o)) return NULL;
    const fx_kstage *stage = &pair->producer->stage[s];
    if (stage->kind != FX_STAGE_MAP) return NULL;
    uint16_t value = stage->out[o].expr;
    if (is_narrow(dtype) && !is_rounded(stage, value, dtype) && !only_moves(pair->consumer, pair->to_arg))
        return dtype == FX_F16 ? "f16 stays in f32 between them" : "bf16 stays in f32 between them";
    bool contracts = has_fma && pair->sole && is_product(stage, value) && has_summand(pair->consumer, pair->to_arg);
    return contracts ? "a product and a sum round once" : NULL;
}
