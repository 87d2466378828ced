/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_refine.c: the axes of a kernel. fx__kernel_refine splits axes at the factors of their digits, so that digits become plain
 * axes; fx__kernel_collapse drops axes of extent 1 and merges axes that every access walks contiguously. Both keep the meaning. */
#include "ir/kir_text.h"
#include <string.h>

static bool has_digits(const fx_term *term)
{
    return term->div != 1 || term->mod != 0;
}

static bool coordinate_used(const fx_kernel *kernel, int axis)
{
    for (int s = 0; s < kernel->n_stage; s++)
        for (int e = 0; e < kernel->stage[s].n_expr; e++)
            if (kernel->stage[s].expr[e].op == FX_X_AXIS && kernel->stage[s].expr[e].u.axis == axis) return true;
    return false;
}

static int place_in(const uint8_t *list, int n, int axis)
{
    for (int i = 0; i < n; i++)
        if (list[i] == axis) return i;
    return -1;
}

/* argmin, argmax and running results know their one reduced axis by its number. */
static bool order_matters(const fx_kstage *stage)
{
    return stage->prefix ||
           (stage->kind == FX_STAGE_REDUCE && (stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX));
}

/* ---- Refine
 * ---------------------------------------------------------------------------------------------------------------------- */

enum { CUTS = 6 };

/* The places where an axis is cut: 1 < c1 < c2 ... < extent, each a divisor of the next. */
typedef struct cuts {
    int64_t at[CUTS];
    int n;
} cuts;

static bool add_cut(cuts *c, int64_t at, int64_t extent)
{
    int place = 0;
    if (at <= 1 || at >= extent) return true;
    while (place < c->n && c->at[place] < at) place++;
    if (place < c->n && c->at[place] == at) return true;
    if (c->n == CUTS) return false;
    memmove(&c->at[place + 1], &c->at[place], (size_t)(c->n - place) * sizeof c->at[0]);
    c->at[place] = at;
    c->n++;
    return true;
}

static bool cut_at_term(cuts *c, const fx_term *term, int64_t extent)
{
    int64_t above;
    if (!fx_dim_is_const(term->div) || !fx_dim_is_const(term->mod)) return false;
    if (!add_cut(c, term->div, extent)) return false;
    return term->mod == 0 || (!__builtin_mul_overflow(term->div, term->mod, &above) && add_cut(c, above, extent));
}

/* All cuts of an axis; false: none, or they do not fit into each other. */
static bool find_cuts(const fx_kernel *kernel, int axis, cuts *c)
{
    fx_dim extent = kernel->axis[axis].extent;
    *c = (cuts){.n = 0};
    if (!fx_dim_is_const(extent)) return false;
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++)
            for (int t = 0; t < kernel->access[i].at[d].n; t++) {
                const fx_term *term = &kernel->access[i].at[d].term[t];
                if (term->axis == axis && has_digits(term) && !cut_at_term(c, term, extent)) return false;
            }
    int64_t below = 1;
    for (int i = 0; i < c->n; below = c->at[i++])
        if (c->at[i] % below != 0) return false;
    return c->n > 0 && extent % below == 0;
}

static bool split_list(uint8_t *list, uint8_t *n, int axis, int parts)
{
    int place = place_in(list, *n, axis);
    for (int i = 0; i < *n; i++)
        if (list[i] > axis) list[i] = (uint8_t)(list[i] + parts - 1);
    if (place < 0) return true;
    if (*n + parts - 1 > FX_REDS) return false;
    memmove(&list[place + parts], &list[place + 1], (size_t)(*n - place - 1));
    for (int p = 0; p < parts; p++) list[place + p] = (uint8_t)(axis + p);
    *n = (uint8_t)(*n + parts - 1);
    return true;
}

static void split_axis_table(fx_kernel *kernel, int axis, const cuts *c)
{
    fx_axis old = kernel->axis[axis];
    int parts = c->n + 1;
    memmove(&kernel->axis[axis + parts], &kernel->axis[axis + 1], (size_t)(kernel->n_axis - axis - 1) * sizeof old);
    for (int p = 0; p < parts; p++) {
        int64_t above = p == 0 ? old.extent : c->at[c->n - p], below = p == c->n ? 1 : c->at[c->n - p - 1];
        kernel->axis[axis + p] = (fx_axis){.extent = above / below};
        snprintf(kernel->axis[axis + p].name, sizeof old.name, "%.4s%c", old.name, '0' + p);
    }
    kernel->n_axis = (uint8_t)(kernel->n_axis + parts - 1);
    if (axis < kernel->n_outer) kernel->n_outer = (uint8_t)(kernel->n_outer + parts - 1);
}

/* by[old axis]: its index over the new axes. */
static bool new_indices(fx_dims *dims, int n_old, int axis, const cuts *c, fx_index *by)
{
    for (int i = 0; i < n_old; i++) by[i] = fx__index_axis((uint8_t)(i <= axis ? i : i + c->n));
    by[axis] = fx__index_const(0);
    for (int p = 0; p <= c->n; p++) {
        fx_index part = fx__index_axis((uint8_t)(axis + p));
        if (!fx__index_scale(dims, &part, p == c->n ? 1 : c->at[c->n - p - 1], &part) ||
            !fx__index_add(dims, &by[axis], &part, &by[axis]))
            return false;
    }
    return true;
}

static bool substitute_all(fx_program *program, fx_kernel *kernel, const fx_index *by, int n)
{
    fx_dim extent[FX_AXES];
    for (int i = 0; i < kernel->n_axis; i++) extent[i] = kernel->axis[i].extent;
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++)
            if (!fx__index_substitute(program->dims, &kernel->access[i].at[d], by, n, extent, &kernel->access[i].at[d]))
                return false;
    return true;
}

static bool may_split(const fx_kernel *kernel, int axis)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (order_matters(&kernel->stage[s]) && place_in(kernel->stage[s].red, kernel->stage[s].n_red, axis) >= 0) return false;
    return !coordinate_used(kernel, axis) && kernel->sched.emit == FX_EMIT_NONE;
}

static bool split_axis(fx_program *program, fx_kernel *kernel, int axis, const cuts *c)
{
    fx_index by[FX_AXES];
    int n_old = kernel->n_axis;
    if (n_old + c->n > FX_AXES || !may_split(kernel, axis) || !new_indices(program->dims, n_old, axis, c, by)) return false;
    split_axis_table(kernel, axis, c);
    if (!substitute_all(program, kernel, by, n_old)) return false;
    for (int s = 0; s < kernel->n_stage; s++) {
        fx_kstage *stage = &kernel->stage[s];
        if (!split_list(stage->inner, &stage->n_inner, axis, c->n + 1) || !split_list(stage->red, &stage->n_red, axis, c->n + 1))
            return false;
        for (int e = 0; e < stage->n_expr; e++)
            if (stage->expr[e].op == FX_X_AXIS && stage->expr[e].u.axis > axis)
                stage->expr[e].u.axis = (uint16_t)(stage->expr[e].u.axis + c->n);
    }
    return true;
}

/* Tries on a copy: what does not work out leaves the kernel as it was. */
fx_status fx__kernel_refine(fx_program *program, fx_kernel *kernel)
{
    FX_TRY(fx__kernel_normalise(program, kernel));
    for (int axis = kernel->n_axis - 1; axis >= 0; axis--) {
        cuts c;
        if (!find_cuts(kernel, axis, &c)) continue;
        fx_kernel *copy = fx__kernel_clone(program, kernel);
        if (!copy) return FX_E_OOM;
        if (split_axis(program, copy, axis, &c)) *kernel = *copy;
    }
    return FX_OK;
}

/* ---- Collapse: axes of extent 1
 * ----------------------------------------------------------------------------------------------------- */

static void drop_terms(fx_kernel *kernel, int axis)
{
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++) {
            fx_index *index = &kernel->access[i].at[d], kept = *index;
            kept.n = 0;
            for (int t = 0; t < index->n; t++)
                if (index->term[t].axis != axis) kept.term[kept.n++] = index->term[t];
            for (int t = kept.n; t < FX_TERMS; t++) kept.term[t] = (fx_term){0};
            *index = kept;
        }
}

static void drop_from_list(uint8_t *list, uint8_t *n, int axis)
{
    int place = place_in(list, *n, axis);
    if (place < 0) return;
    memmove(&list[place], &list[place + 1], (size_t)(*n - place - 1));
    --*n;
}

static bool may_drop(const fx_kernel *kernel, int axis)
{
    if (kernel->axis[axis].extent != 1 || coordinate_used(kernel, axis)) return false;
    for (int s = 0; s < kernel->n_stage; s++)
        if (kernel->stage[s].n_red == 1 && kernel->stage[s].red[0] == axis) return false; /* a reduction keeps one axis */
    return true;
}

static void drop_units(fx_kernel *kernel)
{
    for (int axis = kernel->n_axis - 1; axis >= 0; axis--) {
        if (!may_drop(kernel, axis)) continue;
        drop_terms(kernel, axis);
        for (int s = 0; s < kernel->n_stage; s++) {
            drop_from_list(kernel->stage[s].inner, &kernel->stage[s].n_inner, axis);
            drop_from_list(kernel->stage[s].red, &kernel->stage[s].n_red, axis);
        }
        fx__kernel_remove_axis(kernel, axis);
    }
}

/* ---- Collapse: merging
 * ------------------------------------------------------------------------------------------------------------- */

/* Makes dims d and d + 1 of an argument one, in the argument and in all its accesses. */
static bool merge_dims(fx_program *program, fx_kernel *kernel, int a, int d)
{
    fx_arg *arg = &kernel->arg[a];
    fx_dim inner = arg->dim[d + 1];
    if (arg->stride[d] != fx__dim_mul(program->dims, inner, arg->stride[d + 1])) return false;
    for (int i = 0; i < kernel->n_access; i++) {
        fx_access *access = &kernel->access[i];
        fx_index high;
        if (access->arg != a) continue;
        if (access->guarded || access->at[d].value >= 0 || access->at[d + 1].value >= 0) return false;
        if (!fx__index_scale(program->dims, &access->at[d], inner, &high) ||
            !fx__index_add(program->dims, &high, &access->at[d + 1], &access->at[d]))
            return false;
        memmove(&access->at[d + 1], &access->at[d + 2], (size_t)(access->rank - d - 2) * sizeof access->at[0]);
        access->rank--;
    }
    arg->dim[d] = fx__dim_mul(program->dims, arg->dim[d], inner);
    arg->stride[d] = arg->stride[d + 1];
    for (int e = d + 1; e + 1 < arg->rank; e++) {
        arg->dim[e] = arg->dim[e + 1];
        arg->stride[e] = arg->stride[e + 1];
    }
    arg->rank--;
    return arg->dim[d] != FX_DIM_BAD;
}

/* The dim in which an access has this axis; -1: none. -2: several, or as a digit. */
static int dim_of(const fx_access *access, int axis)
{
    int found = -1;
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++) {
            if (access->at[d].term[t].axis != axis) continue;
            if (found != -1 || has_digits(&access->at[d].term[t])) return -2;
            found = d;
        }
    return found;
}

static fx_term *term_of(fx_index *index, int axis)
{
    for (int t = 0; t < index->n; t++)
        if (index->term[t].axis == axis) return &index->term[t];
    return NULL;
}

/* Axes i and j of one access become axis i: coef_i must be extent_j * coef_j. */
static bool merge_in_access(fx_program *program, fx_kernel *kernel, int number, int i, int j)
{
    fx_access *access = &kernel->access[number];
    int di = dim_of(access, i), dj = dim_of(access, j);
    if (di == -1 && dj == -1) return true;
    if (di < 0 || dj < 0) return false;
    while (dj > di) {
        if (!merge_dims(program, kernel, access->arg, di)) return false;
        dj--;
    }
    if (di != dj) return false;
    fx_term *ti = term_of(&access->at[di], i), *tj = term_of(&access->at[di], j);
    if (!ti || !tj || ti->coef != fx__dim_mul(program->dims, tj->coef, kernel->axis[j].extent)) return false;
    fx_index rest = fx__index_const(access->at[di].base);
    rest.value = access->at[di].value;
    fx_index merged = fx__index_axis((uint8_t)i);
    merged.term[0].coef = tj->coef;
    for (int t = 0; t < access->at[di].n; t++) {
        fx_term *term = &access->at[di].term[t];
        if (term == ti || term == tj) continue;
        rest.term[rest.n++] = *term;
    }
    return fx__index_add(program->dims, &rest, &merged, &access->at[di]);
}

/* i directly before j, or neither. */
static bool neighbours(const uint8_t *list, int n, int i, int j)
{
    int pi = place_in(list, n, i), pj = place_in(list, n, j);
    return pi < 0 ? pj < 0 : pj == pi + 1;
}

static bool may_merge(const fx_kernel *kernel, int i, int j)
{
    bool outer = i < kernel->n_outer;
    if (outer != (j < kernel->n_outer) || coordinate_used(kernel, i) || coordinate_used(kernel, j)) return false;
    for (int s = 0; s < kernel->n_stage && !outer; s++)
        if (!neighbours(kernel->stage[s].inner, kernel->stage[s].n_inner, i, j) ||
            !neighbours(kernel->stage[s].red, kernel->stage[s].n_red, i, j))
            return false;
    return true;
}

static bool merge_axes(fx_program *program, fx_kernel *kernel, int i, int j)
{
    for (int number = 0; number < kernel->n_access; number++)
        if (!merge_in_access(program, kernel, number, i, j)) return false;
    kernel->axis[i].extent = fx__dim_mul(program->dims, kernel->axis[i].extent, kernel->axis[j].extent);
    if (kernel->axis[i].extent == FX_DIM_BAD) return false;
    for (int s = 0; s < kernel->n_stage; s++) {
        drop_from_list(kernel->stage[s].inner, &kernel->stage[s].n_inner, j);
        drop_from_list(kernel->stage[s].red, &kernel->stage[s].n_red, j);
    }
    fx__kernel_remove_axis(kernel, j);
    return true;
}

/* A pair that merges, tried on a copy; *out_merged: found one. */
static fx_status merge_some_pair(fx_program *program, fx_kernel *kernel, bool *out_merged)
{
    *out_merged = false;
    for (int i = 0; i < kernel->n_axis; i++) {
        for (int j = 0; j < kernel->n_axis; j++) {
            if (i == j || !may_merge(kernel, i, j)) continue;
            fx_kernel *copy = fx__kernel_clone(program, kernel);
            if (!copy) return FX_E_OOM;
            if (!merge_axes(program, copy, i, j)) continue;
            *kernel = *copy;
            *out_merged = true;
            return FX_OK;
        }
    }
    return FX_OK;
}

fx_status fx__kernel_collapse(fx_program *program, fx_kernel *kernel)
{
    bool merged = true;
    if (kernel->sched.emit != FX_EMIT_NONE) return FX_OK; /* its schedule names the axes */
    FX_TRY(fx__kernel_normalise(program, kernel));        /* dead accesses would stand in the way */
    drop_units(kernel);
    while (merged) FX_TRY(merge_some_pair(program, kernel, &merged));
    return fx__kernel_normalise(program, kernel);
}
