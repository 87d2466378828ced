/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_index.c: the algebra of indices (sums of scaled, possibly digit-taking axes), their composition, and what intervals
 * prove about them. Terms are kept sorted by axis, div and mod, so that equal indices are equal field by field. */
#include "ir/kir.h"
#include <string.h>

fx_index fx__index_const(fx_dim base)
{
    return (fx_index){.base = base, .value = -1};
}

fx_index fx__index_axis(uint8_t axis)
{
    return (fx_index){.n = 1, .value = -1, .term[0] = {.axis = axis, .coef = 1, .div = 1, .mod = 0}};
}

static bool same_digits(const fx_term *a, const fx_term *b)
{
    return a->axis == b->axis && a->div == b->div && a->mod == b->mod;
}

bool fx__index_equal(const fx_index *a, const fx_index *b)
{
    if (a->base != b->base || a->n != b->n || a->value != b->value) return false;
    for (int t = 0; t < a->n; t++)
        if (!same_digits(&a->term[t], &b->term[t]) || a->term[t].coef != b->term[t].coef) return false;
    return true;
}

static bool term_before(const fx_term *a, const fx_term *b)
{
    if (a->axis != b->axis) return a->axis < b->axis;
    if (a->div != b->div) return a->div > b->div; /* the high digit first, as numbers are written */
    return a->mod < b->mod;
}

static void remove_term(fx_index *index, int t)
{
    memmove(&index->term[t], &index->term[t + 1], (size_t)(index->n - t - 1) * sizeof index->term[0]);
    index->n--;
    index->term[index->n] = (fx_term){0};
}

static bool add_term(fx_dims *dims, fx_index *index, const fx_term *term)
{
    if (term->coef == 0) return true;
    int t = 0;
    while (t < index->n && !same_digits(&index->term[t], term) && term_before(&index->term[t], term)) t++;
    if (t < index->n && same_digits(&index->term[t], term)) {
        fx_dim coef = fx__dim_add(dims, index->term[t].coef, term->coef);
        if (coef == FX_DIM_BAD) return false;
        index->term[t].coef = coef;
        if (coef == 0) remove_term(index, t);
        return true;
    }
    if (index->n == FX_TERMS) return false;
    memmove(&index->term[t + 1], &index->term[t], (size_t)(index->n - t) * sizeof index->term[0]);
    index->term[t] = *term;
    index->n++;
    return true;
}

bool fx__index_add(fx_dims *dims, const fx_index *a, const fx_index *b, fx_index *out)
{
    if (a->value >= 0 && b->value >= 0) return false;
    fx_index sum = *a;
    sum.base = fx__dim_add(dims, a->base, b->base);
    if (sum.base == FX_DIM_BAD) return false;
    if (b->value >= 0) sum.value = b->value;
    for (int t = 0; t < b->n; t++)
        if (!add_term(dims, &sum, &b->term[t])) return false;
    *out = sum;
    return true;
}

bool fx__index_scale(fx_dims *dims, const fx_index *a, fx_dim factor, fx_index *out)
{
    if (a->value >= 0 && factor != 1) return false;
    fx_index product = fx__index_const(fx__dim_mul(dims, a->base, factor));
    if (product.base == FX_DIM_BAD) return false;
    product.value = a->value;
    for (int t = 0; t < a->n; t++) {
        fx_term term = a->term[t];
        term.coef = fx__dim_mul(dims, term.coef, factor);
        if (term.coef == FX_DIM_BAD || !add_term(dims, &product, &term)) return false;
    }
    *out = product;
    return true;
}

/* ---- Intervals --------------------------------------------------------------------------------------------------------- */

/* -1, 0, 1 for a coefficient of known sign, 2 otherwise. */
static int sign_of(const fx_dims *dims, fx_dim coef)
{
    int64_t lo, hi;
    if (fx_dim_is_const(coef)) return coef < 0 ? -1 : coef > 0;
    fx__dim_range(dims, coef, &lo, &hi);
    return lo >= 0 ? 1 : hi <= 0 ? -1 : 2;
}

/* Largest value of (axis / div) % mod; the smallest is 0. */
static fx_dim digit_max(fx_dims *dims, const fx_term *term, fx_dim extent)
{
    fx_dim top = fx__dim_sub(dims, extent, 1);
    if (term->div != 1) top = fx__dim_floordiv(dims, top, term->div);
    if (term->mod != 0) {
        fx_dim last = fx__dim_sub(dims, term->mod, 1);
        top = fx__dim_le(dims, top, last) ? top : fx__dim_le(dims, last, top) ? last : fx__dim_min(dims, top, last);
    }
    return top;
}

static void range_over(fx_dims *dims, const fx_dim *extent, const fx_index *index, fx_dim *out_lo, fx_dim *out_hi)
{
    fx_dim lo = index->base, hi = index->base;
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        fx_dim far = fx__dim_mul(dims, term->coef, digit_max(dims, term, extent[term->axis]));
        int sign = sign_of(dims, term->coef);
        if (sign == 2 || far == FX_DIM_BAD) lo = hi = FX_DIM_BAD;
        if (sign > 0) hi = fx__dim_add(dims, hi, far);
        if (sign < 0) lo = fx__dim_add(dims, lo, far);
    }
    *out_lo = index->value >= 0 ? FX_DIM_BAD : lo;
    *out_hi = index->value >= 0 ? FX_DIM_BAD : hi;
}

void fx__index_range(const fx_dims *dims, const fx_kernel *kernel, const fx_index *index, fx_dim *out_lo, fx_dim *out_hi)
{
    fx_dim extent[FX_AXES];
    for (int i = 0; i < kernel->n_axis; i++) extent[i] = kernel->axis[i].extent;
    range_over((fx_dims *)dims, extent, index, out_lo, out_hi);
}

static bool known_le(const fx_dims *dims, fx_dim a, fx_dim b)
{
    if (a == FX_DIM_BAD || b == FX_DIM_BAD) return false;
    return fx_dim_is_const(a) && fx_dim_is_const(b) ? a <= b : fx__dim_le(dims, a, b);
}

/* Provably lo <= index < end over these extents. */
static bool within(fx_dims *dims, const fx_dim *extent, const fx_index *index, fx_dim end)
{
    fx_dim lo, hi;
    range_over(dims, extent, index, &lo, &hi);
    return known_le(dims, 0, lo) && known_le(dims, hi, fx__dim_sub(dims, end, 1));
}

bool fx__access_in_bounds(const fx_program *program, const fx_kernel *kernel, const fx_access *access)
{
    fx_dim extent[FX_AXES];
    for (int i = 0; i < kernel->n_axis; i++) {
        extent[i] = kernel->axis[i].extent;
        if (extent[i] == 0) return true; /* no point touches memory */
    }
    for (int d = 0; d < access->rank; d++)
        if (!within(program->dims, extent, &access->at[d], kernel->arg[access->arg].dim[d])) return false;
    return true;
}

fx_dim fx__access_stride(const fx_program *program, const fx_kernel *kernel, const fx_access *access, uint8_t axis)
{
    const fx_arg *arg = &kernel->arg[access->arg];
    fx_dim stride = 0;
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) {
            const fx_term *term = &access->at[d].term[t];
            if (term->axis != axis) continue;
            if (term->div != 1 || term->mod != 0) return FX_DIM_BAD;
            stride = fx__dim_add(program->dims, stride, fx__dim_mul(program->dims, term->coef, arg->stride[d]));
        }
    }
    return stride;
}

/* The only term of an access that has the axis, and its dim; NULL: none or several. */
static const fx_term *only_term(const fx_access *access, uint8_t axis, int *out_dim)
{
    const fx_term *only = NULL;
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) {
            if (access->at[d].term[t].axis != axis) continue;
            if (only) return NULL;
            only = &access->at[d].term[t];
            *out_dim = d;
        }
    }
    return only;
}

bool fx__access_spreads(const fx_program *program, const fx_kernel *kernel, const fx_access *access, uint8_t axis, int32_t lanes,
                        int64_t *out_div, int64_t *out_stride)
{
    int d = 0;
    const fx_term *term = only_term(access, axis, &d);
    if (!term || term->mod != 0 || !fx_dim_is_const(term->div) || term->div < 2 || lanes % term->div != 0) return false;
    fx_dim stride = fx__dim_mul(program->dims, term->coef, kernel->arg[access->arg].stride[d]);
    if (!fx_dim_is_const(stride) || stride < 1 || stride > lanes) return false;
    *out_div = term->div;
    *out_stride = stride;
    return stride * (lanes / term->div - 1) < lanes;
}

/* ---- Digits of sums ---------------------------------------------------------------------------------------------------- */

static bool divides(fx_dims *dims, fx_dim by, fx_dim of)
{
    if (fx_dim_is_const(by) && fx_dim_is_const(of)) return by != 0 && of % by == 0;
    return fx__dim_mod(dims, of, by) == 0;
}

/* Splits index = by * high + low, where high takes every term (and as much of the base) as `by` divides. */
static bool split_multiples(fx_dims *dims, const fx_index *index, fx_dim by, fx_index *high, fx_index *low)
{
    *high = fx__index_const(0);
    *low = fx__index_const(0);
    for (int t = 0; t < index->n; t++) {
        fx_term term = index->term[t];
        bool whole = divides(dims, by, term.coef);
        if (whole) term.coef = fx__dim_floordiv(dims, term.coef, by);
        if (!add_term(dims, whole ? high : low, &term)) return false;
    }
    if (divides(dims, by, index->base)) {
        high->base = fx__dim_floordiv(dims, index->base, by);
    } else if (fx_dim_is_const(by) && fx_dim_is_const(index->base) && by > 0) {
        low->base = fx__dim_mod(dims, index->base, by);
        high->base = fx__dim_floordiv(dims, index->base, by);
    } else {
        low->base = index->base;
    }
    return high->base != FX_DIM_BAD && low->base != FX_DIM_BAD;
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

/* A number by which both a term's coefficient and the divisor can be divided; 1 when there is none. */
static fx_dim common_factor(fx_dims *dims, fx_dim coef, fx_dim by)
{
    if (fx_dim_is_const(coef) && fx_dim_is_const(by)) return gcd(coef, by);
    return sign_of(dims, coef) == 1 && divides(dims, coef, by) ? coef : 1;
}

/* A single digit of an axis, nothing else: digits of digits are digits. */
static bool single_digit(fx_dims *dims, const fx_index *index, fx_dim by, bool want_mod, fx_index *out)
{
    if (index->n != 1 || index->base != 0 || index->term[0].coef != 1) return false;
    fx_term term = index->term[0];
    if (want_mod) {
        if (term.mod != 0 && !divides(dims, by, term.mod)) return false;
        term.mod = by;
    } else {
        if (term.mod != 0) {
            if (!divides(dims, by, term.mod)) return false;
            term.mod = fx__dim_floordiv(dims, term.mod, by);
        }
        term.div = fx__dim_mul(dims, term.div, by);
    }
    *out = fx__index_const(0);
    return term.div != FX_DIM_BAD && add_term(dims, out, &term);
}

enum { DIGIT_DEPTH = 8 };
static bool digit(fx_dims *dims, const fx_dim *extent, const fx_index *index, fx_dim by, bool want_mod, int depth, fx_index *out);

/* index = g * high + low with 0 <= low < g and g | by: the quotient is high's by by/g, the remainder g * (high % (by/g)) + low. */
static bool digit_factored(fx_dims *dims, const fx_dim *extent, const fx_index *index, fx_dim by, bool want_mod, int depth,
                           fx_index *out)
{
    for (int t = 0; t < index->n; t++) {
        fx_dim g = common_factor(dims, index->term[t].coef, by);
        fx_index high, low, part;
        if (g == 1 || g == by || g == FX_DIM_BAD) continue;
        if (!split_multiples(dims, index, g, &high, &low) || !within(dims, extent, &low, g)) continue;
        if (!digit(dims, extent, &high, fx__dim_floordiv(dims, by, g), want_mod, depth + 1, &part)) continue;
        if (!want_mod) {
            *out = part;
            return true;
        }
        return fx__index_scale(dims, &part, g, &part) && fx__index_add(dims, &part, &low, out);
    }
    return false;
}

/* floor(index / by), or index mod by. */
static bool digit(fx_dims *dims, const fx_dim *extent, const fx_index *index, fx_dim by, bool want_mod, int depth, fx_index *out)
{
    fx_index high, low, rest;
    if (index->value >= 0 || depth > DIGIT_DEPTH || sign_of(dims, by) != 1) return false;
    if (!split_multiples(dims, index, by, &high, &low)) return false;
    if (within(dims, extent, &low, by)) {
        *out = want_mod ? low : high;
        return true;
    }
    bool found = single_digit(dims, &low, by, want_mod, &rest) || digit_factored(dims, extent, &low, by, want_mod, depth, &rest);
    if (!found) return false;
    if (!want_mod) return fx__index_add(dims, &high, &rest, out);
    *out = rest;
    return true;
}

bool fx__index_substitute(fx_dims *dims, const fx_index *outer, const fx_index *by, int32_t n, const fx_dim *extent, fx_index *out)
{
    fx_index sum = fx__index_const(outer->base);
    sum.value = outer->value;
    for (int t = 0; t < outer->n; t++) {
        const fx_term *term = &outer->term[t];
        if (term->axis >= n) return false;
        fx_index part = by[term->axis];
        if (term->div != 1 && !digit(dims, extent, &part, term->div, false, 0, &part)) return false;
        if (term->mod != 0 && !digit(dims, extent, &part, term->mod, true, 0, &part)) return false;
        if (!fx__index_scale(dims, &part, term->coef, &part) || !fx__index_add(dims, &sum, &part, &sum)) return false;
    }
    *out = sum;
    return true;
}
