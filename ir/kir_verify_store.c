/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_verify_store.c: rule 3: within a stage no two points store to one element, and stores of different stages to one argument
 * are disjoint. What cannot be decided because of symbols is accepted. */
#include "ir/kir_verify.h"
#include <string.h>

/* An axis, or one digit of it, as a variable of its own. */
typedef struct digit_var {
    int64_t coef, count; /* |coefficient|, number of values */
    int axis;
    int64_t div, mod;
} digit_var;

static bool constant_term(const fx_term *term)
{
    return fx_dim_is_const(term->coef) && fx_dim_is_const(term->div) && fx_dim_is_const(term->mod);
}

/* Values of (axis / div) % mod. */
static int64_t digit_count(int64_t extent, int64_t div, int64_t mod)
{
    int64_t count = (extent + div - 1) / div;
    return mod > 0 && mod < count ? mod : count;
}

static int sort_by_coef(digit_var *var, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && var[j].coef < var[j - 1].coef; j--) {
            digit_var swap = var[j];
            var[j] = var[j - 1];
            var[j - 1] = swap;
        }
    return n;
}

/* Each coefficient exceeds all that the smaller ones can sum up to: the sum determines every variable. */
static bool super_increasing(digit_var *var, int n)
{
    int64_t below = 0, part;
    sort_by_coef(var, n);
    for (int i = 0; i < n; i++) {
        if (var[i].coef <= below) return false;
        if (__builtin_mul_overflow(var[i].coef, var[i].count - 1, &part) || __builtin_add_overflow(below, part, &below))
            return false;
    }
    return true;
}

typedef struct known_digits {
    digit_var var[FX_RANK * FX_TERMS];
    int n;
} known_digits;

static bool is_known(const known_digits *known, const fx_term *term)
{
    for (int i = 0; i < known->n; i++)
        if (known->var[i].axis == term->axis && known->var[i].div == term->div && known->var[i].mod == term->mod) return true;
    return false;
}

/* Adds what this dim's index determines, given what is known; true when that was something new. */
static bool learn(const fx_kernel *kernel, const fx_index *index, known_digits *known)
{
    digit_var var[FX_TERMS];
    int n = 0;
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        int64_t count = digit_count(kernel->axis[term->axis].extent, term->div, term->mod);
        if (count <= 1 || is_known(known, term)) continue;
        int64_t coef = term->coef < 0 ? -term->coef : term->coef;
        var[n++] = (digit_var){coef, count, term->axis, term->div, term->mod};
    }
    if (n == 0 || !super_increasing(var, n)) return false;
    for (int i = 0; i < n; i++) known->var[known->n++] = var[i];
    return true;
}

/* The known digits of an axis give back the axis: 1, m0, m0*m1, ... up to its extent. */
static bool axis_is_known(const known_digits *known, int axis, int64_t extent)
{
    int64_t covered = 1;
    for (bool grew = true; grew && covered < extent;) {
        grew = false;
        for (int i = 0; i < known->n && !grew; i++) {
            const digit_var *var = &known->var[i];
            if (var->axis != axis || var->div != covered) continue;
            grew = var->mod == 0 || var->mod > 1;
            if (grew && (var->mod == 0 || __builtin_mul_overflow(covered, var->mod, &covered))) covered = INT64_MAX;
        }
    }
    return covered >= extent;
}

static bool all_constant(const fx_kernel *kernel, const fx_access *access)
{
    for (int i = 0; i < kernel->n_axis; i++)
        if (!fx_dim_is_const(kernel->axis[i].extent)) return false;
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++)
            if (!constant_term(&access->at[d].term[t])) return false;
    return true;
}

/* Without a point there is no store. */
static bool stage_is_empty(const fx_kernel *kernel, const fx_kstage *stage)
{
    for (int i = 0; i < kernel->n_outer; i++)
        if (kernel->axis[i].extent == 0) return true;
    for (int i = 0; i < stage->n_inner; i++)
        if (kernel->axis[stage->inner[i]].extent == 0) return true;
    return false;
}

static bool injective(const fx_kernel *kernel, const fx_kstage *stage, const fx_access *access)
{
    known_digits known = {.n = 0};
    bool more = true;
    while (more) {
        more = false;
        for (int d = 0; d < access->rank; d++) more = (access->at[d].value < 0 && learn(kernel, &access->at[d], &known)) || more;
    }
    for (int i = 0; i < kernel->n_outer && kernel->arg[access->arg].role != FX_ARG_LOCAL; i++)
        if (!axis_is_known(&known, i, kernel->axis[i].extent)) return false;
    for (int i = 0; i < stage->n_inner; i++)
        if (!axis_is_known(&known, stage->inner[i], kernel->axis[stage->inner[i]].extent)) return false;
    return true;
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a < 0 ? -a : a;
}

/* In some dim the ranges do not meet, or the indices differ by what no term can make up for. */
static bool disjoint(const fx_verifier *v, const fx_access *a, const fx_access *b)
{
    for (int d = 0; d < a->rank; d++) {
        fx_dim a_lo, a_hi, b_lo, b_hi;
        int64_t step = 0;
        fx__index_range(v->program->dims, v->kernel, &a->at[d], &a_lo, &a_hi);
        fx__index_range(v->program->dims, v->kernel, &b->at[d], &b_lo, &b_hi);
        bool known = a->at[d].value < 0 && b->at[d].value < 0 && a_lo != FX_DIM_BAD && b_lo != FX_DIM_BAD && a_hi != FX_DIM_BAD &&
                     b_hi != FX_DIM_BAD;
        if (!known) continue;
        if (fx__dim_le(v->program->dims, fx__dim_add(v->program->dims, a_hi, 1), b_lo)) return true;
        if (fx__dim_le(v->program->dims, fx__dim_add(v->program->dims, b_hi, 1), a_lo)) return true;
        for (int t = 0; t < a->at[d].n; t++) step = gcd(step, a->at[d].term[t].coef);
        for (int t = 0; t < b->at[d].n; t++) step = gcd(step, b->at[d].term[t].coef);
        bool constant = fx_dim_is_const(a->at[d].base) && fx_dim_is_const(b->at[d].base);
        if (constant && step > 1 && (a->at[d].base - b->at[d].base) % step != 0) return true;
    }
    return false;
}

static void verify_pair(fx_verifier *v, int s, const fx_access *a, int t, const fx_access *b)
{
    if (a->arg != b->arg || v->kernel->arg[a->arg].role == FX_ARG_LOCAL) return;
    if (!all_constant(v->kernel, a) || !all_constant(v->kernel, b) || disjoint(v, a, b)) return;
    fx__verify_fail(v, "3 (stores)", "stages %d and %d may store to one element of argument %d", s, t, a->arg);
}

static void verify_pairs(fx_verifier *v, int s, int o, const fx_access *access)
{
    const fx_kernel *kernel = v->kernel;
    for (int t = 0; t <= s; t++)
        for (int p = 0; p < (t == s ? o : kernel->stage[t].n_out); p++)
            verify_pair(v, t, &kernel->access[kernel->stage[t].out[p].access], s, access);
}

void fx__verify_stores(fx_verifier *v)
{
    const fx_kernel *kernel = v->kernel;
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        for (int o = 0; o < stage->n_out; o++) {
            const fx_access *access = &kernel->access[stage->out[o].access];
            fx_arg_role role = kernel->arg[access->arg].role;
            if (role == FX_ARG_IN || role == FX_ARG_CONST || (role != FX_ARG_LOCAL && stage->kind != FX_STAGE_MAP))
                fx__verify_fail(v, "3 (stores)", "stage %d may not store to argument %d", s, access->arg);
            if (all_constant(kernel, access) && !stage_is_empty(kernel, stage) && !injective(kernel, stage, access))
                fx__verify_fail(v, "3 (stores)", "stage %d: two points store to one element of argument %d", s, access->arg);
            if (!stage_is_empty(kernel, stage)) verify_pairs(v, s, o, access);
        }
    }
}
