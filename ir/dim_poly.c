/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim_poly.c: polynomials with integer coefficients over atoms: order, sum, product, division with remainder, bounds.
 * Terms are kept in graded lexicographic order, which makes division by a polynomial terminate. */
#include "ir/dim_poly.h"

int64_t fx__dim_gcd(int64_t a, int64_t b)
{
    a = a < 0 ? -a : a;
    b = b < 0 ? -b : b;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int fx__dim_order(const fx_dims *dims, fx_dim a, fx_dim b)
{
    if (a == b) return 0;
    fx_dim_node x = fx__dim_node(dims, a), y = fx__dim_node(dims, b);
    if (x.op != y.op) return x.op < y.op ? -1 : 1;
    if (x.op == FX_DIM_CONST || x.op == FX_DIM_SYM) return x.value < y.value ? -1 : 1;
    int first = fx__dim_order(dims, x.a, y.a);
    return first != 0 ? first : fx__dim_order(dims, x.b, y.b);
}

/* Higher degree first, then by the first atom that differs. */
static int term_order(const fx_dims *dims, const fx_mono *a, const fx_mono *b)
{
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    for (int32_t i = 0; i < a->n; i++) {
        int order = fx__dim_order(dims, a->atom[i], b->atom[i]);
        if (order != 0) return order;
    }
    return 0;
}

static void add_term(const fx_dims *dims, fx_poly *p, const fx_mono *term)
{
    int32_t at = 0;
    int order = 1;
    while (at < p->n && (order = term_order(dims, &p->term[at], term)) < 0) at++;
    if (at < p->n && order == 0) {
        bool overflow = __builtin_add_overflow(p->term[at].coef, term->coef, &p->term[at].coef);
        if (overflow || !fx_dim_is_const(p->term[at].coef)) p->bad = true;
        if (p->term[at].coef != 0) return;
        p->n--;
        for (int32_t i = at; i < p->n; i++) p->term[i] = p->term[i + 1];
        return;
    }
    if (term->coef == 0) return;
    if (p->n == FX_POLY_TERMS || !fx_dim_is_const(term->coef)) {
        p->bad = true;
        return;
    }
    for (int32_t i = p->n++; i > at; i--) p->term[i] = p->term[i - 1];
    p->term[at] = *term;
}

static void add_atom(const fx_dims *dims, fx_mono *term, fx_dim atom, bool *bad)
{
    if (term->n == FX_POLY_DEGREE) {
        *bad = true;
        return;
    }
    int32_t at = term->n++;
    for (; at > 0 && fx__dim_order(dims, term->atom[at - 1], atom) > 0; at--) term->atom[at] = term->atom[at - 1];
    term->atom[at] = atom;
}

static void unfold_term(const fx_dims *dims, fx_dim dim, fx_poly *p)
{
    fx_mono term = {.coef = 1};
    fx_dim_node node = fx__dim_node(dims, dim);
    for (; node.op == FX_DIM_MUL; node = fx__dim_node(dims, dim)) {
        if (fx_dim_is_const(node.b))
            term.coef = node.b;
        else
            add_atom(dims, &term, node.b, &p->bad);
        dim = node.a;
    }
    if (node.op == FX_DIM_CONST)
        term.coef = node.value;
    else
        add_atom(dims, &term, dim, &p->bad);
    add_term(dims, p, &term);
}

fx_poly fx__poly_of(const fx_dims *dims, fx_dim dim)
{
    fx_poly p;
    p.n = 0;
    p.bad = false;
    fx_dim_node node = fx__dim_node(dims, dim);
    for (; node.op == FX_DIM_ADD; node = fx__dim_node(dims, dim)) {
        unfold_term(dims, node.b, &p);
        dim = node.a;
    }
    unfold_term(dims, dim, &p);
    return p;
}

void fx__poly_add(const fx_dims *dims, fx_poly *sum, const fx_poly *other, int64_t factor)
{
    sum->bad = sum->bad || other->bad;
    for (int32_t i = 0; i < other->n && !sum->bad; i++) {
        fx_mono term = other->term[i];
        if (__builtin_mul_overflow(term.coef, factor, &term.coef))
            sum->bad = true;
        else
            add_term(dims, sum, &term);
    }
}

static fx_mono mul_terms(const fx_dims *dims, const fx_mono *a, const fx_mono *b, bool *bad)
{
    fx_mono out = *a;
    if (__builtin_mul_overflow(a->coef, b->coef, &out.coef)) *bad = true;
    for (int32_t i = 0; i < b->n; i++) add_atom(dims, &out, b->atom[i], bad);
    return out;
}

void fx__poly_mul(const fx_dims *dims, const fx_poly *a, const fx_poly *b, fx_poly *out)
{
    out->n = 0;
    out->bad = a->bad || b->bad;
    for (int32_t i = 0; i < a->n; i++) {
        for (int32_t j = 0; j < b->n && !out->bad; j++) {
            fx_mono term = mul_terms(dims, &a->term[i], &b->term[j], &out->bad);
            if (!out->bad) add_term(dims, out, &term);
        }
    }
}

int64_t fx__mono_multiple(const fx_dims *dims, const fx_mono *term)
{
    int64_t multiple = term->coef < 0 ? -term->coef : term->coef;
    for (int32_t i = 0; i < term->n; i++) {
        int64_t product;
        if (!__builtin_mul_overflow(multiple, fx__dim_multiple(dims, term->atom[i]), &product)) multiple = product;
    }
    return multiple;
}

/* ---- Division ---------------------------------------------------------------------------------------------------------- */

/* floor(product of term's atoms / divisor), known to be exact; the factor that divides alone takes the division. */
static void exact_quotient(fx_dims *dims, const fx_mono *term, int64_t divisor, fx_poly *out)
{
    fx_mono rest = {.coef = term->coef};
    fx_dim divided = FX_DIM_BAD;
    for (int32_t i = 0; i < term->n; i++) {
        bool takes = divided == FX_DIM_BAD && fx__dim_multiple(dims, term->atom[i]) % divisor == 0;
        if (takes)
            divided = fx__dim_intern(dims, FX_DIM_FLOORDIV, term->atom[i], divisor, 0);
        else
            rest.atom[rest.n++] = term->atom[i];
    }
    if (divided == FX_DIM_BAD) {
        fx_poly whole = {.n = 1, .term = {*term}};
        whole.term[0].coef = 1;
        divided = fx__dim_intern(dims, FX_DIM_FLOORDIV, fx__poly_build(dims, &whole), divisor, 0);
        rest.n = 0;
    }
    if (divided == FX_DIM_BAD)
        out->bad = true;
    else
        add_atom(dims, &rest, divided, &out->bad);
    add_term(dims, out, &rest);
}

/* One term by a positive constant: the coefficient's quotient goes to q; the rest too when its atoms' known multiples allow. */
static void divide_term(fx_dims *dims, const fx_mono *term, int64_t divisor, fx_poly *q, fx_poly *r)
{
    fx_mono part = *term;
    part.coef = fx__dim_floor(term->coef, divisor);
    add_term(dims, q, &part);
    part.coef = term->coef - part.coef * divisor;
    if (part.coef == 0) return;
    if (fx__mono_multiple(dims, &part) % divisor != 0) {
        add_term(dims, r, &part);
        return;
    }
    int64_t common = fx__dim_gcd(part.coef, divisor);
    part.coef /= common;
    exact_quotient(dims, &part, divisor / common, q);
}

/* term / lead when it divides. */
static bool divide_monos(const fx_mono *term, const fx_mono *lead, fx_mono *out)
{
    if (term->coef % lead->coef != 0) return false;
    *out = (fx_mono){.coef = term->coef / lead->coef};
    int32_t j = 0;
    for (int32_t i = 0; i < term->n; i++) {
        if (j < lead->n && term->atom[i] == lead->atom[j])
            j++;
        else
            out->atom[out->n++] = term->atom[i];
    }
    return j == lead->n;
}

static void divide_long(const fx_dims *dims, const fx_poly *a, const fx_poly *b, fx_poly *q, fx_poly *r)
{
    fx_poly left = *a;
    while (left.n > 0 && !left.bad) {
        fx_mono lead = left.term[0], factor;
        if (!divide_monos(&lead, &b->term[0], &factor)) {
            add_term(dims, r, &lead);
            lead.coef = -lead.coef;
            add_term(dims, &left, &lead);
            continue;
        }
        fx_poly one = {.n = 1, .term = {factor}}, product;
        add_term(dims, q, &factor);
        fx__poly_mul(dims, &one, b, &product);
        fx__poly_add(dims, &left, &product, -1);
    }
    q->bad = q->bad || left.bad;
}

void fx__poly_divide(fx_dims *dims, const fx_poly *a, const fx_poly *b, fx_poly *q, fx_poly *r)
{
    q->n = r->n = 0;
    q->bad = r->bad = a->bad || b->bad || b->n == 0;
    if (q->bad) return;
    if (b->term[0].n > 0) {
        divide_long(dims, a, b, q, r);
        return;
    }
    for (int32_t i = 0; i < a->n; i++) divide_term(dims, &a->term[i], b->term[0].coef, q, r);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------------ */

static int64_t clamp128(__int128 value)
{
    if (value >= INT64_MAX) return INT64_MAX;
    return value <= -(__int128)INT64_MAX ? -INT64_MAX : (int64_t)value;
}

/* Sums stay unbounded once they are. */
static int64_t add_bound(int64_t a, int64_t b)
{
    if (a == INT64_MAX || a == -INT64_MAX) return a;
    if (b == INT64_MAX || b == -INT64_MAX) return b;
    return clamp128((__int128)a + b);
}

static void mul_bounds(int64_t *lo, int64_t *hi, int64_t lo2, int64_t hi2)
{
    const int64_t corner[4] = {clamp128((__int128)*lo * lo2), clamp128((__int128)*lo * hi2), clamp128((__int128)*hi * lo2),
                               clamp128((__int128)*hi * hi2)};
    *lo = *hi = corner[0];
    for (int i = 1; i < 4; i++) {
        if (corner[i] < *lo) *lo = corner[i];
        if (corner[i] > *hi) *hi = corner[i];
    }
}

static void floordiv_bounds(int64_t *lo, int64_t *hi, int64_t lo2, int64_t hi2)
{
    if (lo2 < 1) lo2 = 1; /* a divisor of zero has no value */
    if (hi2 < lo2) hi2 = lo2;
    if (*lo != -INT64_MAX) *lo = fx__dim_floor(*lo, *lo < 0 ? lo2 : hi2);
    if (*hi != INT64_MAX) *hi = fx__dim_floor(*hi, *hi < 0 ? hi2 : lo2);
}

static void mod_bounds(int64_t *lo, int64_t *hi, int64_t hi2)
{
    int64_t last = hi2 == INT64_MAX ? hi2 : hi2 - 1;
    *hi = *lo >= 0 && *hi < last ? *hi : last;
    *lo = 0;
}

static void atom_range(const fx_dims *dims, fx_dim atom, int64_t *lo, int64_t *hi)
{
    fx_dim_node node = fx__dim_node(dims, atom);
    if (node.op == FX_DIM_SYM) {
        *lo = dims->sym[node.value].lo;
        *hi = dims->sym[node.value].hi;
        return;
    }
    int64_t lo2, hi2;
    fx__dim_range(dims, node.a, lo, hi);
    fx__dim_range(dims, node.b, &lo2, &hi2);
    if (node.op == FX_DIM_FLOORDIV) floordiv_bounds(lo, hi, lo2, hi2);
    if (node.op == FX_DIM_MOD) mod_bounds(lo, hi, hi2);
    if (node.op == FX_DIM_MIN || node.op == FX_DIM_MAX) {
        bool min = node.op == FX_DIM_MIN;
        if (min ? lo2 < *lo : lo2 > *lo) *lo = lo2;
        if (min ? hi2 < *hi : hi2 > *hi) *hi = hi2;
    }
}

void fx__poly_range(const fx_dims *dims, const fx_poly *p, int64_t *out_lo, int64_t *out_hi)
{
    *out_lo = p->bad ? -INT64_MAX : 0;
    *out_hi = p->bad ? INT64_MAX : 0;
    for (int32_t i = 0; i < p->n; i++) {
        int64_t lo = p->term[i].coef, hi = lo, lo2, hi2;
        for (int32_t j = 0; j < p->term[i].n; j++) {
            atom_range(dims, p->term[i].atom[j], &lo2, &hi2);
            mul_bounds(&lo, &hi, lo2, hi2);
        }
        *out_lo = add_bound(*out_lo, lo);
        *out_hi = add_bound(*out_hi, hi);
    }
}

/* ---- Folding back into nodes ------------------------------------------------------------------------------------------- */

/* c * (x // d) with d dividing x: the common factor of c and d cancels. Replaces the term in p; false when nothing cancels. */
static bool cancel_term(fx_dims *dims, fx_poly *p, int32_t index)
{
    fx_mono term = p->term[index];
    for (int32_t i = 0; i < term.n; i++) {
        fx_dim_node node = fx__dim_node(dims, term.atom[i]);
        if (node.op != FX_DIM_FLOORDIV || !fx_dim_is_const(node.b) || fx__dim_multiple(dims, node.a) % node.b != 0) continue;
        int64_t common = fx__dim_gcd(term.coef, node.b);
        if (common <= 1) continue;
        fx_mono rest = {.coef = term.coef / common};
        for (int32_t j = 0; j < term.n; j++)
            if (j != i) rest.atom[rest.n++] = term.atom[j];
        fx_dim quotient = node.b == common ? node.a : fx__dim_intern(dims, FX_DIM_FLOORDIV, node.a, node.b / common, 0);
        if (quotient == FX_DIM_BAD) {
            p->bad = true;
            return false;
        }
        fx_poly one = {.n = 1, .term = {rest}}, by = fx__poly_of(dims, quotient), product;
        fx__poly_mul(dims, &one, &by, &product);
        term.coef = -term.coef;
        add_term(dims, p, &term);
        fx__poly_add(dims, p, &product, 1);
        return !p->bad;
    }
    return false;
}

static fx_dim build_term(fx_dims *dims, const fx_mono *term)
{
    if (term->n == 0) return term->coef;
    fx_dim product = term->atom[0];
    for (int32_t i = 1; i < term->n; i++) product = fx__dim_intern(dims, FX_DIM_MUL, product, term->atom[i], 0);
    return term->coef == 1 ? product : fx__dim_intern(dims, FX_DIM_MUL, product, term->coef, 0);
}

fx_dim fx__poly_build(fx_dims *dims, fx_poly *p)
{
    for (int32_t i = 0; i < p->n && !p->bad; i++)
        if (cancel_term(dims, p, i)) i = -1;
    if (p->bad) return FX_DIM_BAD;
    if (p->n == 0) return 0;
    fx_dim sum = build_term(dims, &p->term[0]);
    for (int32_t i = 1; i < p->n; i++) sum = fx__dim_intern(dims, FX_DIM_ADD, sum, build_term(dims, &p->term[i]), 0);
    return sum;
}
