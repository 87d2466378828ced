/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim.c: the table of dimension expressions and their arithmetic. Each expression is a hash-consed binary node; the normal
 * form is a left-leaning chain of ADD over terms (highest degree first, the constant last), each a left-leaning chain of MUL
 * over sorted atoms with its coefficient last. Atoms are symbols, floordiv, mod, min and max. Arithmetic unfolds operands into
 * flat polynomials (ir/dim_poly.c), computes there, and folds the result back into nodes. */
#include "ir/dim_poly.h"
#include "ir/diag.h"
#include <string.h>

enum { GUARDED_SYMS = 64 };

/* ---- Table ------------------------------------------------------------------------------------------------------------- */

fx_dims *fx__dims_new(fx_context *context)
{
    fx_arena *arena = fx__arena_new(context);
    if (!arena) return NULL;
    fx_dims *dims = FX_NEW(arena, fx_dims);
    if (!dims) {
        fx__arena_free(arena);
        return NULL;
    }
    dims->arena = arena;
    return dims;
}

void fx__dims_free(fx_dims *dims)
{
    if (dims) fx__arena_free(dims->arena);
}

/* Copies an array of count items; an empty one stays NULL. */
static bool copy_array(fx_arena *arena, void **out, const void *items, int32_t count, size_t size)
{
    if (count == 0) return true;
    *out = fx__arena_alloc(arena, (size_t)count, size);
    if (!*out) return false;
    memcpy(*out, items, (size_t)count * size);
    return true;
}

fx_dims *fx__dims_clone(const fx_dims *from)
{
    fx_dims *dims = fx__dims_new(fx__arena_context(from->arena));
    if (!dims) return NULL;
    fx_arena *arena = dims->arena;
    *dims = *from;
    dims->arena = arena;
    dims->sym = NULL;
    dims->guard = NULL;
    dims->node = NULL;
    dims->slot = NULL;
    dims->cap_sym = from->n_sym;
    dims->cap_guard = from->n_guard;
    dims->cap_node = from->n_node;
    if (copy_array(arena, (void **)&dims->sym, from->sym, from->n_sym, sizeof *from->sym) &&
        copy_array(arena, (void **)&dims->guard, from->guard, from->n_guard, sizeof *from->guard) &&
        copy_array(arena, (void **)&dims->node, from->node, from->n_node, sizeof *from->node) &&
        copy_array(arena, (void **)&dims->slot, from->slot, from->n_slot, sizeof *from->slot))
        return dims;
    fx__dims_free(dims);
    return NULL;
}

int32_t fx__dims_sym_count(const fx_dims *dims)
{
    return dims->n_sym;
}
int32_t fx__dims_param_count(const fx_dims *dims)
{
    int32_t n = dims->n_sym;
    while (n > 0 && dims->sym[n - 1].counter) n--;
    return n;
}
fx_sym *fx__dims_sym(fx_dims *dims, int32_t index)
{
    return &dims->sym[index];
}
int32_t fx__dims_guard_count(const fx_dims *dims)
{
    return dims->n_guard;
}
const fx_guard *fx__dims_guard(const fx_dims *dims, int32_t index)
{
    return &dims->guard[index];
}

int32_t fx__dims_add_sym(fx_dims *dims, const fx_sym *sym)
{
    if (!sym->counter && fx__dims_param_count(dims) < dims->n_sym) return -1;
    fx_sym *grown = fx__arena_grow(dims->arena, dims->sym, &dims->cap_sym, dims->n_sym, sizeof *grown);
    const char *name = fx__intern(fx__arena_context(dims->arena), sym->name);
    if (!grown || !name) return -1;
    dims->sym = grown;
    grown[dims->n_sym] = *sym;
    grown[dims->n_sym].name = name;
    if (sym->multiple < 1) grown[dims->n_sym].multiple = 1;
    return dims->n_sym++;
}

static uint64_t hash_node(const fx_dim_node *node)
{
    uint64_t hash = (uint64_t)node->op;
    const int64_t part[3] = {node->a, node->b, node->value};
    for (int i = 0; i < 3; i++) {
        hash = (hash ^ (uint64_t)part[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static bool same_node(const fx_dim_node *a, const fx_dim_node *b)
{
    return a->op == b->op && a->a == b->a && a->b == b->b && a->value == b->value;
}

/* Slot of an equal node, or the empty slot where it belongs. Slots hold index + 1. */
static int32_t *find_slot(const fx_dims *dims, const fx_dim_node *node)
{
    uint64_t mask = (uint64_t)dims->n_slot - 1;
    for (uint64_t at = hash_node(node) & mask;; at = (at + 1) & mask) {
        int32_t *slot = &dims->slot[at];
        if (*slot == 0 || same_node(&dims->node[*slot - 1], node)) return slot;
    }
}

static bool grow_slots(fx_dims *dims)
{
    if (2 * (dims->n_node + 1) <= dims->n_slot) return true;
    int32_t n_slot = dims->n_slot ? 2 * dims->n_slot : 64;
    int32_t *slot = FX_NEW_ARRAY(dims->arena, int32_t, n_slot);
    if (!slot) return false;
    dims->slot = slot;
    dims->n_slot = n_slot;
    for (int32_t i = 0; i < dims->n_node; i++) *find_slot(dims, &dims->node[i]) = i + 1;
    return true;
}

fx_dim fx__dim_intern(fx_dims *dims, fx_dim_op op, fx_dim a, fx_dim b, int64_t value)
{
    if (a == FX_DIM_BAD || b == FX_DIM_BAD || !dims || !grow_slots(dims)) return FX_DIM_BAD;
    fx_dim_node node = {.op = op, .a = a, .b = b, .value = value};
    int32_t *slot = find_slot(dims, &node);
    if (*slot == 0) {
        fx_dim_node *grown = fx__arena_grow(dims->arena, dims->node, &dims->cap_node, dims->n_node, sizeof *grown);
        if (!grown) return FX_DIM_BAD;
        dims->node = grown;
        grown[dims->n_node] = node;
        *slot = ++dims->n_node;
    }
    return FX_DIM_BAD + *slot;
}

fx_dim_node fx__dim_node(const fx_dims *dims, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return (fx_dim_node){.op = FX_DIM_CONST, .value = dim};
    return dims->node[dim - FX_DIM_BAD - 1];
}

/* A constant or a handle of this table. */
static bool is_valid(const fx_dims *dims, fx_dim dim)
{
    return fx_dim_is_const(dim) || (dims && dim != FX_DIM_BAD && dim - FX_DIM_BAD <= dims->n_node);
}

/* ---- Arithmetic -------------------------------------------------------------------------------------------------------- */

static bool both_const(fx_dim a, fx_dim b)
{
    return fx_dim_is_const(a) && fx_dim_is_const(b);
}
static fx_dim const_or_bad(bool overflow, const int64_t *value)
{
    return overflow || !fx_dim_is_const(*value) ? FX_DIM_BAD : *value;
}

fx_dim fx__dim_sym(fx_dims *dims, int32_t sym)
{
    if (sym < 0 || sym >= dims->n_sym) return FX_DIM_BAD;
    return fx__dim_intern(dims, FX_DIM_SYM, 0, 0, sym);
}

fx_dim fx__dim_add(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return FX_DIM_BAD;
    int64_t sum;
    if (both_const(a, b)) return const_or_bad(__builtin_add_overflow(a, b, &sum), &sum);
    fx_poly p = fx__poly_of(dims, a), q = fx__poly_of(dims, b);
    fx__poly_add(dims, &p, &q, 1);
    return fx__poly_build(dims, &p);
}

fx_dim fx__dim_sub(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return FX_DIM_BAD;
    int64_t difference;
    if (both_const(a, b)) return const_or_bad(__builtin_sub_overflow(a, b, &difference), &difference);
    fx_poly p = fx__poly_of(dims, a), q = fx__poly_of(dims, b);
    fx__poly_add(dims, &p, &q, -1);
    return fx__poly_build(dims, &p);
}

fx_dim fx__dim_mul(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return FX_DIM_BAD;
    int64_t product;
    if (both_const(a, b)) return const_or_bad(__builtin_mul_overflow(a, b, &product), &product);
    fx_poly p = fx__poly_of(dims, a), q = fx__poly_of(dims, b), out;
    fx__poly_mul(dims, &p, &q, &out);
    return fx__poly_build(dims, &out);
}

int64_t fx__dim_floor(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/* The quotient of what is left after exact division, as an atom; constants come out of nested divisions. */
static fx_dim floordiv_atom(fx_dims *dims, fx_dim a, fx_dim b)
{
    fx_dim_node node = fx__dim_node(dims, a);
    int64_t product;
    bool nested = node.op == FX_DIM_FLOORDIV && both_const(node.b, b) && !__builtin_mul_overflow(node.b, b, &product);
    if (nested) return fx__dim_intern(dims, FX_DIM_FLOORDIV, node.a, product, 0);
    return fx__dim_intern(dims, FX_DIM_FLOORDIV, a, b, 0);
}

/* Divides a constant divisor and the coefficients of r by what they have in common: floor((gx + c) / gd) = floor((x + c/g) / d). */
static void divide_content(fx_poly *r, int64_t *divisor)
{
    int64_t common = *divisor;
    for (int32_t i = 0; i < r->n; i++)
        if (r->term[i].n > 0) common = fx__dim_gcd(common, r->term[i].coef);
    if (common <= 1) return;
    *divisor /= common;
    int32_t kept = 0;
    for (int32_t i = 0; i < r->n; i++) {
        r->term[i].coef = fx__dim_floor(r->term[i].coef, common);
        if (r->term[i].coef != 0) r->term[kept++] = r->term[i];
    }
    r->n = kept;
}

/* Is 0 <= r < b for all values of the symbols? */
static bool is_remainder(const fx_dims *dims, const fx_poly *r, const fx_poly *b)
{
    int64_t lo, hi;
    fx__poly_range(dims, r, &lo, &hi);
    if (lo < 0) return false;
    fx_poly gap = *b;
    fx__poly_add(dims, &gap, r, -1);
    fx__poly_range(dims, &gap, &lo, &hi);
    return !gap.bad && lo > 0;
}

fx_dim fx__dim_floordiv(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b) || b == 0) return FX_DIM_BAD;
    if (both_const(a, b)) return fx__dim_floor(a, b);
    if (fx_dim_is_const(b) && b < 0) return FX_DIM_BAD;
    fx_poly p = fx__poly_of(dims, a), d = fx__poly_of(dims, b), q, r;
    fx__poly_divide(dims, &p, &d, &q, &r);
    if (q.bad || r.bad) return FX_DIM_BAD;
    if (r.n == 0 || is_remainder(dims, &r, &d)) return fx__poly_build(dims, &q);
    if (fx_dim_is_const(b)) divide_content(&r, &b);
    return fx__dim_add(dims, fx__poly_build(dims, &q), floordiv_atom(dims, fx__poly_build(dims, &r), b));
}

fx_dim fx__dim_ceildiv(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (both_const(a, b)) return b == 0 ? FX_DIM_BAD : -fx__dim_floor(-a, b);
    return fx__dim_floordiv(dims, fx__dim_add(dims, a, fx__dim_sub(dims, b, 1)), b);
}

fx_dim fx__dim_mod(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b) || b == 0) return FX_DIM_BAD;
    if (both_const(a, b)) return a - b * fx__dim_floor(a, b);
    if (fx_dim_is_const(b) && b < 0) return FX_DIM_BAD;
    fx_poly p = fx__poly_of(dims, a), d = fx__poly_of(dims, b), q, r;
    fx__poly_divide(dims, &p, &d, &q, &r);
    if (q.bad || r.bad) return FX_DIM_BAD;
    fx_dim rest = fx__poly_build(dims, &r);
    if (rest == 0 || is_remainder(dims, &r, &d)) return rest;
    return fx__dim_intern(dims, FX_DIM_MOD, rest, b, 0);
}

static fx_dim pick(fx_dims *dims, fx_dim_op op, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return FX_DIM_BAD;
    if (fx__dim_le(dims, a, b)) return op == FX_DIM_MIN ? a : b;
    if (fx__dim_le(dims, b, a)) return op == FX_DIM_MIN ? b : a;
    bool swap = fx__dim_order(dims, a, b) > 0;
    return fx__dim_intern(dims, op, swap ? b : a, swap ? a : b, 0);
}

fx_dim fx__dim_min(fx_dims *dims, fx_dim a, fx_dim b)
{
    return pick(dims, FX_DIM_MIN, a, b);
}
fx_dim fx__dim_max(fx_dims *dims, fx_dim a, fx_dim b)
{
    return pick(dims, FX_DIM_MAX, a, b);
}

/* ---- Values and relations ---------------------------------------------------------------------------------------------- */

static bool eval_binary(fx_dim_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case FX_DIM_ADD:
        return !__builtin_add_overflow(a, b, out);
    case FX_DIM_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case FX_DIM_FLOORDIV:
    case FX_DIM_MOD:
        if (b == 0 || (b == -1 && a == INT64_MIN)) return false;
        *out = op == FX_DIM_FLOORDIV ? fx__dim_floor(a, b) : a - b * fx__dim_floor(a, b);
        return true;
    case FX_DIM_MIN:
        *out = a < b ? a : b;
        return true;
    case FX_DIM_MAX:
        *out = a > b ? a : b;
        return true;
    default:
        return false;
    }
}

int64_t fx__dim_eval(const fx_dims *dims, fx_dim dim, const int64_t *sym_values)
{
    if (fx_dim_is_const(dim)) return dim;
    if (!is_valid(dims, dim)) return INT64_MIN;
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_SYM) return sym_values ? sym_values[node.value] : dims->sym[node.value].hint;
    int64_t a = fx__dim_eval(dims, node.a, sym_values), b = fx__dim_eval(dims, node.b, sym_values), out;
    if (a == INT64_MIN || b == INT64_MIN || !eval_binary(node.op, a, b, &out)) return INT64_MIN;
    return out;
}

int64_t fx__dim_hint(const fx_dims *dims, fx_dim dim)
{
    int64_t value = fx__dim_eval(dims, dim, NULL);
    return value == INT64_MIN ? INT64_MAX : value;
}

void fx__dim_range(const fx_dims *dims, fx_dim dim, int64_t *out_lo, int64_t *out_hi)
{
    *out_lo = -INT64_MAX;
    *out_hi = INT64_MAX;
    if (!is_valid(dims, dim)) return;
    fx_poly p = fx__poly_of(dims, dim);
    fx__poly_range(dims, &p, out_lo, out_hi);
}

/* Counters exist inside their loops only: what is assumed of them says nothing before. */
static bool uses_counter(const fx_dims *dims, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return false;
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_CONST) return false;
    if (node.op == FX_DIM_SYM) return dims->sym[node.value].counter;
    return uses_counter(dims, node.a) || uses_counter(dims, node.b);
}

/* small <= large: what that says of a bare symbol on either side. */
static void narrow(fx_dims *dims, fx_dim small, fx_dim large)
{
    fx_dim_node at_most = fx__dim_node(dims, small), at_least = fx__dim_node(dims, large);
    int64_t small_lo, large_hi, unused;
    if (uses_counter(dims, small) || uses_counter(dims, large)) return;
    fx__dim_range(dims, small, &small_lo, &unused);
    fx__dim_range(dims, large, &unused, &large_hi);
    fx_sym *low = at_most.op == FX_DIM_SYM ? &dims->sym[at_most.value] : NULL;
    fx_sym *high = at_least.op == FX_DIM_SYM ? &dims->sym[at_least.value] : NULL;
    if (low && large_hi >= low->lo && large_hi < low->hi) low->hi = large_hi;
    if (high && small_lo <= high->hi && small_lo > high->lo) high->lo = small_lo;
}

void fx__dim_guarded_range(const fx_dims *dims, fx_dim dim, int64_t *out_lo, int64_t *out_hi)
{
    fx_sym sym[GUARDED_SYMS];
    fx__dim_range(dims, dim, out_lo, out_hi);
    if (fx_dim_is_const(dim) || dims->n_sym > GUARDED_SYMS) return;
    fx_dims copy = *dims;
    memcpy(sym, dims->sym, (size_t)dims->n_sym * sizeof *sym);
    copy.sym = sym;
    for (int32_t i = 0; i < dims->n_guard; i++) {
        const fx_guard *guard = &dims->guard[i];
        if (guard->kind != FX_GUARD_NE) narrow(&copy, guard->a, guard->b);
        if (guard->kind == FX_GUARD_EQ) narrow(&copy, guard->b, guard->a);
    }
    fx__dim_range(&copy, dim, out_lo, out_hi);
}

int64_t fx__dim_multiple(const fx_dims *dims, fx_dim dim)
{
    if (!is_valid(dims, dim)) return 1;
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_CONST) return node.value < 0 ? -node.value : node.value;
    if (node.op == FX_DIM_SYM) return dims->sym[node.value].multiple;
    int64_t a = fx__dim_multiple(dims, node.a), b = fx__dim_multiple(dims, node.b), product;
    switch (node.op) {
    case FX_DIM_MUL:
        return __builtin_mul_overflow(a, b, &product) ? a : product;
    case FX_DIM_FLOORDIV:
        return fx_dim_is_const(node.b) && a % b == 0 ? a / b : 1;
    default:
        return fx__dim_gcd(a, b);
    }
}

static fx_poly difference(const fx_dims *dims, fx_dim a, fx_dim b)
{
    fx_poly p = fx__poly_of(dims, a), q = fx__poly_of(dims, b);
    fx__poly_add(dims, &p, &q, -1);
    return p;
}

/* Is p, less `times` the difference of the guard's sides, equal to zero (or, for LE, nowhere negative)? */
static bool follows(const fx_dims *dims, const fx_poly *p, const fx_guard *guard, int64_t times, bool or_more)
{
    fx_poly rest = *p, known = difference(dims, guard->b, guard->a);
    fx__poly_add(dims, &rest, &known, -times);
    int64_t lo, hi;
    fx__poly_range(dims, &rest, &lo, &hi);
    return !rest.bad && lo >= 0 && (or_more || hi == 0);
}

bool fx__dim_equal(const fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return false;
    if (a == b || both_const(a, b)) return a == b;
    fx_poly gap = difference(dims, b, a);
    int64_t lo, hi;
    fx__poly_range(dims, &gap, &lo, &hi);
    if (!gap.bad && lo == 0 && hi == 0) return true;
    for (int32_t i = 0; i < dims->n_guard; i++) {
        const fx_guard *guard = &dims->guard[i];
        if (guard->kind != FX_GUARD_EQ) continue;
        if (follows(dims, &gap, guard, 1, false) || follows(dims, &gap, guard, -1, false)) return true;
    }
    return false;
}

bool fx__dim_le(const fx_dims *dims, fx_dim a, fx_dim b)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return false;
    if (a == b || both_const(a, b)) return a <= b;
    fx_poly gap = difference(dims, b, a);
    if (fx__poly_not_negative(dims, &gap)) return true;
    for (int32_t i = 0; i < dims->n_guard; i++) {
        const fx_guard *guard = &dims->guard[i];
        if (guard->kind == FX_GUARD_NE) continue;
        if (follows(dims, &gap, guard, 1, true)) return true;
        if (guard->kind == FX_GUARD_EQ && follows(dims, &gap, guard, -1, true)) return true;
    }
    return false;
}

/* ---- Guards ------------------------------------------------------------------------------------------------------------ */

typedef enum { NEVER, OPEN, ALWAYS } truth;

static truth negate(truth value)
{
    return (truth)(ALWAYS - value);
}

static truth decide_equal(const fx_dims *dims, fx_dim a, fx_dim b)
{
    if (fx__dim_equal(dims, a, b)) return ALWAYS;
    fx_poly gap = difference(dims, b, a);
    int64_t lo, hi, rest = 0, common = 0;
    fx__poly_range(dims, &gap, &lo, &hi);
    if (gap.bad) return OPEN;
    if (lo > 0 || hi < 0) return NEVER;
    for (int32_t i = 0; i < gap.n; i++) {
        const fx_mono *term = &gap.term[i];
        if (term->n == 0)
            rest = term->coef;
        else
            common = fx__dim_gcd(common, fx__mono_multiple(dims, term));
    }
    return common > 1 && rest % common != 0 ? NEVER : OPEN;
}

static truth decide(const fx_dims *dims, fx_guard_kind kind, fx_dim a, fx_dim b)
{
    if (kind == FX_GUARD_EQ) return decide_equal(dims, a, b);
    if (kind == FX_GUARD_NE) return negate(decide_equal(dims, a, b));
    if (fx__dim_le(dims, a, b)) return ALWAYS;
    fx_poly gap = difference(dims, b, a);
    int64_t lo, hi;
    fx__poly_range(dims, &gap, &lo, &hi);
    return hi < 0 ? NEVER : OPEN;
}

static bool is_recorded(const fx_dims *dims, fx_guard_kind kind, fx_dim a, fx_dim b)
{
    for (int32_t i = 0; i < dims->n_guard; i++) {
        const fx_guard *guard = &dims->guard[i];
        bool crossed = guard->a == b && guard->b == a && kind != FX_GUARD_LE;
        if (guard->kind == kind && (crossed || (guard->a == a && guard->b == b))) return true;
    }
    return false;
}

bool fx__dims_assume(fx_dims *dims, fx_guard_kind kind, fx_dim a, fx_dim b, const char *why)
{
    if (!is_valid(dims, a) || !is_valid(dims, b)) return false;
    if (!dims) return kind == FX_GUARD_LE ? a <= b : (a == b) == (kind == FX_GUARD_EQ);
    truth known = decide(dims, kind, a, b);
    if (known != OPEN) return known == ALWAYS;
    if (is_recorded(dims, kind, a, b)) return true;
    fx_guard *grown = fx__arena_grow(dims->arena, dims->guard, &dims->cap_guard, dims->n_guard, sizeof *grown);
    if (!grown) return false;
    dims->guard = grown;
    grown[dims->n_guard++] =
        (fx_guard){.kind = kind, .a = a, .b = b, .why = fx__intern(fx__arena_context(dims->arena), why ? why : "")};
    return true;
}
