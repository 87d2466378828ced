/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim_prove.c: proofs that a polynomial is nowhere negative. Intervals of single terms decide most; rounded sizes (x rounded up
 * to 64) need to know that floordiv grows with its first operand and lies close below the true quotient. */
#include "ir/dim_poly.h"

static void remove_term(fx_poly *p, int32_t at)
{
    p->n--;
    for (int32_t i = at; i < p->n; i++) p->term[i] = p->term[i + 1];
}

/* A term c * floordiv(x, d) with a constant d. */
static bool is_quotient(const fx_dims *dims, const fx_mono *term, fx_dim_node *out)
{
    if (term->n != 1) return false;
    *out = fx__dim_node(dims, term->atom[0]);
    return out->op == FX_DIM_FLOORDIV && fx_dim_is_const(out->b) && out->b > 0;
}

/* c * floordiv(x, d) - c * floordiv(y, d) with y <= x is not negative: both go. */
static bool drop_pair(const fx_dims *dims, fx_poly *p)
{
    fx_dim_node x, y;
    for (int32_t i = 0; i < p->n; i++) {
        if (p->term[i].coef <= 0 || !is_quotient(dims, &p->term[i], &x)) continue;
        for (int32_t j = 0; j < p->n; j++) {
            bool opposite = p->term[j].coef == -p->term[i].coef && is_quotient(dims, &p->term[j], &y) && x.b == y.b;
            if (!opposite || !fx__dim_le(dims, y.a, x.a)) continue;
            remove_term(p, i > j ? i : j);
            remove_term(p, i > j ? j : i);
            return true;
        }
    }
    return false;
}

/* Replaces c * floordiv(x, d), d dividing c, by what it cannot be below: c/d * (x - d + 1) for c > 0, c/d * x for c < 0. */
static bool lower_quotient(const fx_dims *dims, fx_poly *p)
{
    fx_dim_node node;
    for (int32_t i = 0; i < p->n; i++) {
        if (!is_quotient(dims, &p->term[i], &node) || p->term[i].coef % node.b != 0) continue;
        int64_t factor = p->term[i].coef / node.b, slack;
        fx_poly x = fx__poly_of(dims, node.a);
        if (__builtin_mul_overflow(factor, factor > 0 ? 1 - node.b : 0, &slack)) return false;
        fx_poly constant = fx__poly_of(dims, slack);
        remove_term(p, i);
        fx__poly_add(dims, p, &x, factor);
        fx__poly_add(dims, p, &constant, 1);
        return !p->bad;
    }
    return false;
}

static bool range_says(const fx_dims *dims, const fx_poly *p)
{
    int64_t lo, hi;
    fx__poly_range(dims, p, &lo, &hi);
    return !p->bad && lo >= 0;
}

bool fx__poly_not_negative(const fx_dims *dims, const fx_poly *p)
{
    if (range_says(dims, p)) return true;
    fx_poly rest = *p;
    while (drop_pair(dims, &rest))
        if (range_says(dims, &rest)) return true;
    while (lower_quotient(dims, &rest))
        if (range_says(dims, &rest)) return true;
    return false;
}
