/* SPDX-License-Identifier: Apache-2.0 */
/* passes/algo_group.c: grouped convolutions with few channels in a group. A result whose unit axis is shorter than a vector would
 * leave most lanes idle; the axis joins the groups around it: c = width * group + channel. Loads that move with the group alone
 * then read one element for `width` lanes, at floor(c / width), which the emitter takes from one vector; constants of the sum
 * are laid out anew by permute_consts. */
#include "passes/algo.h"
#include "ir/diag.h"

/* A tile on an eighth or a quarter of the lanes is slower than a column on all of them; on half of them it is not. */
enum { LEAST_IDLE = 4 };
typedef struct pair {
    uint8_t group, unit;
    int64_t width, lanes; /* extent of unit; lanes of a vector */
} pair;

static const fx_access *access_of(const fx_kernel *kernel, uint16_t id)
{
    return &kernel->access[id];
}

/* The outer axis around unit in the result: one step of it is unit's whole extent. */
static bool find_pair(const fx_algo *algo, const fx_kernel *kernel, uint8_t unit, pair *out)
{
    const fx_kstage *last = &kernel->stage[kernel->n_stage - 1];
    if (unit == FX_NO_AXIS || last->n_out == 0 || !fx_dim_is_const(kernel->axis[unit].extent)) return false;
    *out = (pair){.unit = unit, .width = kernel->axis[unit].extent, .lanes = fx__target_lanes(algo->target, kernel->stage[0].acc)};
    int64_t most = kernel->stage[0].kind == FX_STAGE_CONTRACT ? out->lanes / LEAST_IDLE : out->lanes / 2;
    if (out->width < 2 || out->width > most || out->lanes % out->width != 0) return false;
    for (uint8_t i = 0; i < kernel->n_outer; i++) {
        fx_dim extent = kernel->axis[i].extent;
        out->group = i;
        if (i == unit || !fx_dim_is_const(extent) || extent < 2) continue;
        if (fx__access_stride(algo->program, kernel, access_of(kernel, last->out[0].access), i) == out->width) return true;
    }
    return false;
}

/* Both axes as one, or groups of lanes near enough for one vector, or neither. */
static bool suits(const fx_algo *algo, const fx_kernel *kernel, uint16_t id, const pair *p)
{
    const fx_access *access = access_of(kernel, id);
    fx_dim group = fx__access_stride(algo->program, kernel, access, p->group);
    fx_dim unit = fx__access_stride(algo->program, kernel, access, p->unit);
    if (!fx_dim_is_const(group) || !fx_dim_is_const(unit)) return false;
    if (unit != 0) return unit == 1 && group == p->width;
    return group == 0 || (group > 0 && group * (p->lanes / p->width - 1) < p->lanes);
}

static bool is_constant(const fx_algo *algo, const fx_step *step, const fx_access *access)
{
    return algo->program->buf[fx__buf_root(algo->program, step->bind[access->arg].buf)].role == FX_BUF_CONST;
}

static bool stage_suits(const fx_algo *algo, const fx_step *step, const fx_kernel *kernel, int s, const pair *p)
{
    const fx_kstage *stage = &kernel->stage[s];
    if (stage->n_inner > 0 || (s > 0 && stage->kind != FX_STAGE_MAP)) return false;
    for (int i = 0; i < stage->n_expr; i++) {
        const fx_expr *x = &stage->expr[i];
        if (x->op == FX_X_AXIS && (x->u.axis == p->group || x->u.axis == p->unit)) return false;
        if (x->op != FX_X_LOAD || (s == 0 && is_constant(algo, step, access_of(kernel, x->u.access)))) continue;
        if (!suits(algo, kernel, x->u.access, p)) return false;
    }
    for (int o = 0; o < stage->n_out; o++)
        if (!suits(algo, kernel, stage->out[o].access, p)) return false;
    return true;
}

static bool add_digit(fx_dims *dims, fx_index *index, const pair *p, fx_dim coef, fx_dim div, fx_dim mod)
{
    fx_index digit = {.n = 1, .value = -1, .term[0] = {.axis = p->unit, .coef = coef, .div = div, .mod = mod}};
    return coef == 0 || fx__index_add(dims, index, &digit, index);
}

/* In terms of the joint axis, which takes unit's number. */
static bool join_index(fx_dims *dims, const pair *p, fx_index *index)
{
    fx_index joined = *index;
    fx_dim group = 0, unit = 0;
    joined.n = 0;
    for (int t = 0; t < FX_TERMS; t++) joined.term[t] = (fx_term){0};
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        if (term->axis == p->group || term->axis == p->unit) {
            if (term->div != 1 || term->mod != 0) return false;
            *(term->axis == p->group ? &group : &unit) = term->coef;
        } else {
            joined.term[joined.n++] = *term;
        }
    }
    bool whole = unit != 0 && fx__dim_equal(dims, group, fx__dim_mul(dims, unit, p->width));
    bool ok = whole ? add_digit(dims, &joined, p, unit, 1, 0)
                    : add_digit(dims, &joined, p, group, p->width, 0) && add_digit(dims, &joined, p, unit, 1, p->width);
    *index = joined;
    return ok;
}

static bool join_axes(fx_program *program, fx_kernel *kernel, const pair *p)
{
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++)
            if (!join_index(program->dims, p, &kernel->access[i].at[d])) return false;
    kernel->axis[p->unit].extent = kernel->axis[p->group].extent * p->width;
    kernel->axis[p->group].extent = 1;
    return true;
}

fx_status fx__algo_join_groups(fx_algo *algo, fx_step *step, uint8_t unit)
{
    fx_program *program = algo->program;
    const fx_kernel *old = program->kernel[step->kernel];
    pair p;
    if (old->stage[0].kind == FX_STAGE_MAP || !find_pair(algo, old, unit, &p)) return FX_OK;
    for (int s = 0; s < old->n_stage; s++)
        if (!stage_suits(algo, step, old, s, &p)) return FX_OK;
    fx_kernel *kernel = fx__kernel_clone(program, old);
    if (!kernel) return fx__diag_oom(program->context);
    if (!join_axes(program, kernel, &p)) return FX_OK;
    kernel->stage[0].combine = kernel->stage[0].kind == FX_STAGE_CONTRACT ? FX_COMBINE_SUM : kernel->stage[0].combine;
    kernel->stage[0].kind = FX_STAGE_REDUCE;
    FX_TRY(fx__kernel_collapse(program, kernel));
    step->kernel = fx__program_add_kernel(program, kernel);
    return step->kernel < 0 ? fx__diag_oom(program->context) : FX_OK;
}
