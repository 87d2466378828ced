/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_forward.c: a number of one point that one MAP leaves in a local and later stages read: they compute it themselves instead.
 * Emitters take several points at a time, and such a local has room for one. */
#include "ir/kir.h"

typedef struct forwarding {
    fx_program *program;
    fx_kernel *kernel;
    int local, writer, out; /* argument; stage and its store */
    bool failed;            /* out of memory */
} forwarding;

static bool is_gathered(const fx_access *access)
{
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].value >= 0) return true;
    return false;
}

/* Its expressions have no numbers that accesses know. */
static bool may_renumber(const fx_kernel *kernel, const fx_kstage *stage)
{
    for (int e = 0; e < stage->n_expr; e++)
        if (stage->expr[e].op == FX_X_LOAD && is_gathered(&kernel->access[stage->expr[e].u.access])) return false;
    for (int o = 0; o < stage->n_out; o++)
        if (is_gathered(&kernel->access[stage->out[o].access])) return false;
    return true;
}

static bool loads_local(const forwarding *f, const fx_expr *x)
{
    return x->op == FX_X_LOAD && f->kernel->access[x->u.access].arg == f->local;
}

static bool reads(const forwarding *f, const fx_kstage *stage)
{
    for (int e = 0; e < stage->n_expr; e++)
        if (loads_local(f, &stage->expr[e])) return true;
    return false;
}

/* The only store to the local; false: there are several, or none, or not of a plain MAP. */
static bool find_writer(forwarding *f)
{
    int found = 0;
    for (int s = 0; s < f->kernel->n_stage; s++)
        for (int o = 0; o < f->kernel->stage[s].n_out; o++) {
            if (f->kernel->access[f->kernel->stage[s].out[o].access].arg != f->local) continue;
            found++;
            f->writer = s;
            f->out = o;
        }
    const fx_kstage *stage = &f->kernel->stage[f->writer];
    return found == 1 && stage->kind == FX_STAGE_MAP && stage->n_inner == 0 && may_renumber(f->kernel, stage);
}

static bool may_forward(forwarding *f)
{
    const fx_arg *arg = &f->kernel->arg[f->local];
    if (arg->role != FX_ARG_LOCAL || arg->rank != 0 || !find_writer(f)) return false;
    for (int s = 0; s < f->kernel->n_stage; s++) {
        const fx_kstage *stage = &f->kernel->stage[s];
        if (reads(f, stage) && (s <= f->writer || stage->kind == FX_STAGE_CONTRACT || !may_renumber(f->kernel, stage)))
            return false;
    }
    return true;
}

/* The writer's expression as one of `to`. */
static uint16_t copy_value(forwarding *f, fx_kstage *to, uint16_t expr)
{
    fx_expr x = f->kernel->stage[f->writer].expr[expr];
    uint16_t *operand[3] = {&x.a, &x.b, &x.c};
    for (int i = 0; i < fx__expr_operands(&x); i++) *operand[i] = copy_value(f, to, *operand[i]);
    uint16_t copy = fx__stage_expr(f->program, to, &x);
    f->failed = f->failed || copy == FX_NO_EXPR;
    return copy;
}

static uint16_t renumbered(forwarding *f, fx_kstage *to, const fx_expr *old, const uint16_t *number)
{
    fx_expr x = *old;
    uint16_t *operand[3] = {&x.a, &x.b, &x.c};
    if (loads_local(f, old)) return copy_value(f, to, f->kernel->stage[f->writer].out[f->out].expr);
    for (int i = 0; i < fx__expr_operands(&x); i++) *operand[i] = number[*operand[i]];
    return fx__stage_expr(f->program, to, &x);
}

/* The stage's expressions once more, in order, with the value where it was loaded. */
static void rebuild(forwarding *f, fx_kstage *stage)
{
    const fx_expr *old = stage->expr;
    uint16_t n = stage->n_expr, *number = FX_NEW_ARRAY(f->program->arena, uint16_t, n + 1);
    f->failed = f->failed || !number;
    stage->expr = NULL;
    stage->n_expr = stage->cap_expr = 0;
    for (uint16_t e = 0; e < n && !f->failed; e++) {
        number[e] = renumbered(f, stage, &old[e], number);
        f->failed = f->failed || number[e] == FX_NO_EXPR;
    }
    if (f->failed) return;
    if (stage->kind == FX_STAGE_MAP)
        for (int o = 0; o < stage->n_out; o++) stage->out[o].expr = number[stage->out[o].expr];
    else
        stage->value = number[stage->value];
}

static void remove_stage(fx_kernel *kernel, int at)
{
    for (int s = at; s + 1 < kernel->n_stage; s++) kernel->stage[s] = kernel->stage[s + 1];
    kernel->n_stage--;
    for (int s = at; s < kernel->n_stage; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++) {
            fx_expr *x = &kernel->stage[s].expr[e];
            if (x->op == FX_X_STAGE && x->u.stage > at) x->u.stage--;
        }
}

static void forward(forwarding *f)
{
    fx_kstage *from = &f->kernel->stage[f->writer];
    for (int s = f->writer + 1; s < f->kernel->n_stage; s++)
        if (reads(f, &f->kernel->stage[s])) rebuild(f, &f->kernel->stage[s]);
    for (int o = f->out; o + 1 < from->n_out; o++) from->out[o] = from->out[o + 1];
    if (--from->n_out == 0) remove_stage(f->kernel, f->writer);
}

fx_status fx__kernel_forward(fx_program *program, fx_kernel *kernel)
{
    for (int a = 0; a < kernel->n_arg; a++) {
        forwarding f = {.program = program, .kernel = kernel, .local = a};
        if (!may_forward(&f)) continue;
        forward(&f);
        if (f.failed) return FX_E_OOM;
    }
    return FX_OK;
}
