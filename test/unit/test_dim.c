/* SPDX-License-Identifier: Apache-2.0 */
/* Dimension expressions: identities that passes rely on, random expressions against direct evaluation, text, guards. */
#include "harness.h"
#include "ir/graph.h"
#include "ir/dim.h"
#include <string.h>

typedef struct {
    fx_context *context;
    fx_dims *dims;
    fx_dim s0, s1, s2; /* s0 in [2, 512]; s1 in [1, 64], a multiple of 4; s2 in [0, 100] */
} fixture;

static fx_dim add_sym(fx_dims *dims, const char *name, int64_t lo, int64_t hi, int64_t hint, int64_t multiple)
{
    fx_sym sym = {.name = name, .lo = lo, .hi = hi, .hint = hint, .multiple = multiple, .input = -1};
    return fx__dim_sym(dims, fx__dims_add_sym(dims, &sym));
}

static fixture setup(void)
{
    fixture f = {.context = fx_context_new()};
    f.dims = fx__dims_new(f.context);
    ck_assert_ptr_nonnull(f.dims);
    f.s0 = add_sym(f.dims, "s0", 2, 512, 128, 1);
    f.s1 = add_sym(f.dims, "s1", 4, 64, 16, 4);
    f.s2 = add_sym(f.dims, "s2", 0, 100, 10, 1);
    return f;
}

static void teardown(fixture *f)
{
    fx__dims_free(f->dims);
    fx_context_free(f->context);
}

static char *print(fixture *f, fx_dim dim)
{
    fx_text text;
    fx__text_init(&text, f->context);
    fx__dim_print(f->dims, dim, &text);
    return fx__text_finish(&text);
}

static fx_dim parse(fixture *f, const char *text)
{
    return fx__dim_parse(f->dims, &text);
}

#define CHECK_SAME(a, b)                                                                                                           \
    do {                                                                                                                           \
        fx_dim x_ = parse(&f, a), y_ = parse(&f, b);                                                                               \
        char *px_ = print(&f, x_), *py_ = print(&f, y_);                                                                           \
        ck_assert_msg(x_ == y_, "%s is %s, %s is %s", a, px_, b, py_);                                                             \
        fx_text_free(px_);                                                                                                         \
        fx_text_free(py_);                                                                                                         \
    } while (0)

START_TEST(equal_polynomials_have_equal_handles)
{
    fixture f = setup();
    CHECK_SAME("s0 + s1", "s1 + s0");
    CHECK_SAME("(s0 + 1)*(s0 - 1)", "s0*s0 - 1");
    CHECK_SAME("s0*2 + s0*3", "s0*5");
    CHECK_SAME("s0 - s0", "0");
    CHECK_SAME("(s0 + s1)*(s0 + s1) - s0*s0 - s1*s1", "2*s1*s0");
    CHECK_SAME("(s0 + 1)*0", "0");
    teardown(&f);
}
END_TEST

START_TEST(division_is_exact_where_it_goes)
{
    fixture f = setup();
    CHECK_SAME("floordiv(s0*512, 512)", "s0");
    CHECK_SAME("floordiv(s0*s1*6, s1*3)", "s0*2");
    CHECK_SAME("floordiv(s0*s0 - 1, s0 + 1)", "s0 - 1");
    CHECK_SAME("floordiv(s0*4 + 3, 4)", "s0");
    CHECK_SAME("floordiv(s0 - 1, 2) + 1", "floordiv(s0 + 1, 2)");
    CHECK_SAME("floordiv(floordiv(s0, 2), 3)", "floordiv(s0, 6)");
    CHECK_SAME("floordiv(s0*2 + 1, 4)", "floordiv(s0, 2)");
    CHECK_SAME("floordiv(s1, 4)*4", "s1");
    CHECK_SAME("floordiv(s1, 4)*2", "floordiv(s1, 2)");
    CHECK_SAME("floordiv(s1, 4)*2 + floordiv(s1, 4)*2", "s1");
    CHECK_SAME("floordiv(s0*s1, 4)", "s0*floordiv(s1, 4)");
    CHECK_SAME("mod(s0*512, 512)", "0");
    CHECK_SAME("mod(s1 + 5, 4)", "1");
    CHECK_SAME("mod(s0*s1, s1)", "0");
    CHECK_SAME("mod(s2, 101)", "s2");
    CHECK_SAME("floordiv(s2, 101)", "0");
    CHECK_SAME("mod(s0*4 + 3, 4)", "3");
    ck_assert(fx__dim_ceildiv(f.dims, fx__dim_mul(f.dims, f.s0, 16), 16) == f.s0);
    ck_assert(fx__dim_ceildiv(f.dims, 17, 16) == 2 && fx__dim_ceildiv(f.dims, -17, 16) == -1);
    teardown(&f);
}
END_TEST

START_TEST(ranges_decide_min_and_max)
{
    fixture f = setup();
    CHECK_SAME("min(s0, 600)", "s0");
    CHECK_SAME("max(s0, 2)", "s0");
    CHECK_SAME("max(s0 + 1, s0)", "s0 + 1");
    CHECK_SAME("max(s1, s0)", "max(s0, s1)");
    int64_t lo, hi;
    fx__dim_range(f.dims, parse(&f, "s0*s1 - s2"), &lo, &hi);
    ck_assert_int_eq(lo, 2 * 4 - 100);
    ck_assert_int_eq(hi, 512 * 64);
    fx__dim_range(f.dims, parse(&f, "mod(s0, 8) + floordiv(s0, 3)"), &lo, &hi);
    ck_assert_int_eq(lo, 0);
    ck_assert_int_eq(hi, 7 + 170);
    ck_assert_int_eq(fx__dim_multiple(f.dims, parse(&f, "s1*s0*6 + 16")), 8);
    ck_assert(fx__dim_le(f.dims, f.s2, parse(&f, "s2*s0 + 1")) == false); /* not provable term by term */
    ck_assert(fx__dim_le(f.dims, parse(&f, "s0*12"), parse(&f, "floordiv(s0*12 + 63, 64)*64")));
    ck_assert(!fx__dim_le(f.dims, parse(&f, "s0*12 + 1"), parse(&f, "floordiv(s0*12 + 63, 64)*64")));
    ck_assert(fx__dim_le(f.dims, parse(&f, "floordiv(s0*12 + 63, 64)"), parse(&f, "floordiv(s0*20 + 63, 64)")));
    ck_assert(!fx__dim_le(f.dims, parse(&f, "floordiv(s0*20 + 63, 64)"), parse(&f, "floordiv(s0*12 + 63, 64)")));
    ck_assert(fx__dim_le(f.dims, 1, f.s0) && !fx__dim_le(f.dims, 3, f.s0));
    teardown(&f);
}
END_TEST

START_TEST(overflow_and_nonsense_are_bad)
{
    fixture f = setup();
    int64_t big = INT64_MAX / 2;
    ck_assert(fx__dim_mul(f.dims, big, 3) == FX_DIM_BAD);
    ck_assert(fx__dim_add(f.dims, INT64_MAX, 1) == FX_DIM_BAD);
    ck_assert(fx__dim_sub(f.dims, FX_DIM_EXPR, 1) == FX_DIM_BAD);
    ck_assert(fx__dim_floordiv(f.dims, 1, 0) == FX_DIM_BAD && fx__dim_mod(f.dims, f.s0, 0) == FX_DIM_BAD);
    ck_assert(fx__dim_add(f.dims, FX_DIM_BAD, 1) == FX_DIM_BAD);
    fx_dim huge = fx__dim_mul(f.dims, f.s0, big);
    ck_assert(huge != FX_DIM_BAD && fx__dim_mul(f.dims, huge, 3) == FX_DIM_BAD);
    int64_t values[3] = {512, 4, 0};
    ck_assert(fx__dim_eval(f.dims, huge, values) == INT64_MIN);
    ck_assert(parse(&f, "s9") == FX_DIM_BAD && parse(&f, "floordiv(s0 2)") == FX_DIM_BAD && parse(&f, "(") == FX_DIM_BAD);
    ck_assert(parse(&f, "99999999999999999999") == FX_DIM_BAD);
    char deep[200];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    ck_assert(parse(&f, deep) == FX_DIM_BAD);
    teardown(&f);
}
END_TEST

START_TEST(guards_are_proven_recorded_or_refused)
{
    fixture f = setup();
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_NE, f.s0, 1, "broadcast"));
    ck_assert_int_eq(fx__dims_guard_count(f.dims), 0);
    ck_assert(!fx__dims_assume(f.dims, FX_GUARD_EQ, f.s1, 7, "never"));
    ck_assert(!fx__dims_assume(f.dims, FX_GUARD_EQ, fx__dim_mul(f.dims, f.s2, 2), 7, "odd"));
    ck_assert(!fx__dims_assume(f.dims, FX_GUARD_LE, f.s0, 1, "never"));
    ck_assert(!fx__dim_equal(f.dims, f.s0, f.s2));
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_EQ, f.s0, f.s2, "same"));
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_EQ, f.s2, f.s0, "same"));
    ck_assert_int_eq(fx__dims_guard_count(f.dims), 1);
    ck_assert(fx__dim_equal(f.dims, fx__dim_add(f.dims, f.s0, 3), fx__dim_add(f.dims, f.s2, 3)));
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_LE, f.s1, f.s2, "fits"));
    ck_assert(fx__dim_le(f.dims, f.s1, fx__dim_add(f.dims, f.s2, 1)));
    fx_dims *copy = fx__dims_clone(f.dims);
    ck_assert_int_eq(fx__dims_guard_count(copy), 2);
    ck_assert(fx__dim_equal(copy, f.s0, f.s2));
    ck_assert(fx__dim_add(copy, f.s0, 12345) == fx__dim_add(f.dims, f.s0, 12345));
    fx__dims_free(copy);
    teardown(&f);
}
END_TEST

/* What is assumed of a symbol alone narrows what is sized by it; the symbol itself stays as it was declared. */
START_TEST(assumptions_narrow_guarded_ranges)
{
    fixture f = setup();
    int64_t lo, hi;
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_EQ, f.s0, fx__dim_min(f.dims, f.s0, 60), "at most 60"));
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_LE, 20, f.s2, "at least 20"));
    ck_assert(fx__dims_assume(f.dims, FX_GUARD_NE, f.s0, f.s2, "differ"));
    fx__dim_guarded_range(f.dims, fx__dim_mul(f.dims, f.s0, 3), &lo, &hi);
    ck_assert(lo == 6 && hi == 180);
    fx__dim_guarded_range(f.dims, f.s2, &lo, &hi);
    ck_assert(lo == 20 && hi == 100);
    fx__dim_range(f.dims, f.s0, &lo, &hi);
    ck_assert(lo == 2 && hi == 512);
    fx__dim_guarded_range(f.dims, 7, &lo, &hi);
    ck_assert(lo == 7 && hi == 7);
    teardown(&f);
}
END_TEST

/* ---- Random expressions: the table against plain arithmetic. ---------------------------------------------------------------- */

typedef struct {
    fx_dim dim;
    int64_t value; /* INT64_MIN: undefined */
} pair;

static int64_t floor_of(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static pair combine(fixture *f, uint64_t kind, pair a, pair b)
{
    bool positive = b.value > 0;
    int64_t lo, hi;
    fx__dim_range(f->dims, b.dim, &lo, &hi);
    switch (kind) {
    case 0:
        return (pair){fx__dim_add(f->dims, a.dim, b.dim), a.value + b.value};
    case 1:
        return (pair){fx__dim_sub(f->dims, a.dim, b.dim), a.value - b.value};
    case 2:
        return (pair){fx__dim_mul(f->dims, a.dim, b.dim), a.value * b.value};
    case 3:
        return (pair){fx__dim_min(f->dims, a.dim, b.dim), a.value < b.value ? a.value : b.value};
    case 4:
        return (pair){fx__dim_max(f->dims, a.dim, b.dim), a.value > b.value ? a.value : b.value};
    default:
        break;
    }
    if (lo < 1 || !positive) return a; /* divisors are sizes that cannot be zero */
    if (kind == 5) return (pair){fx__dim_floordiv(f->dims, a.dim, b.dim), floor_of(a.value, b.value)};
    if (kind == 6) return (pair){fx__dim_ceildiv(f->dims, a.dim, b.dim), -floor_of(-a.value, b.value)};
    return (pair){fx__dim_mod(f->dims, a.dim, b.dim), a.value - b.value * floor_of(a.value, b.value)};
}

static void check_pair(fixture *f, pair p, const int64_t *values)
{
    int64_t lo, hi;
    char *text = print(f, p.dim);
    ck_assert_msg(fx__dim_eval(f->dims, p.dim, values) == p.value, "%s is not %lld", text, (long long)p.value);
    fx__dim_range(f->dims, p.dim, &lo, &hi);
    ck_assert_msg(lo <= p.value && p.value <= hi, "%s leaves its range", text);
    int64_t multiple = fx__dim_multiple(f->dims, p.dim);
    ck_assert_msg(multiple == 0 ? p.value == 0 : p.value % multiple == 0, "%s is no multiple of %lld", text, (long long)multiple);
    ck_assert_msg(parse(f, text) == p.dim, "%s does not read back", text);
    fx_text_free(text);
}

START_TEST(random_expressions_evaluate_and_read_back)
{
    uint64_t seed = 11;
    for (int round = 0; round < 4000; round++) {
        fixture f = setup();
        int64_t values[3] = {2 + (int64_t)(fx_test_random(&seed) % 511), 4 + 4 * (int64_t)(fx_test_random(&seed) % 16),
                             (int64_t)(fx_test_random(&seed) % 101)};
        pair pool[16] = {{f.s0, values[0]}, {f.s1, values[1]}, {f.s2, values[2]}};
        int n = 3;
        for (; n < 7; n++) {
            int64_t constant = (int64_t)(fx_test_random(&seed) % 20) - 4;
            pool[n] = (pair){constant, constant};
        }
        for (; n < 14; n++) {
            pair a = pool[fx_test_random(&seed) % (uint64_t)n], b = pool[fx_test_random(&seed) % (uint64_t)n];
            pool[n] = combine(&f, fx_test_random(&seed) % 8, a, b);
            if (pool[n].dim == FX_DIM_BAD || pool[n].value > 1000000000 || pool[n].value < -1000000000) break;
            check_pair(&f, pool[n], values);
        }
        teardown(&f);
    }
}
END_TEST

/* Walking nodes, as code generation does, must give the same value as the table. */
static int64_t walk(const fx_dims *dims, fx_dim dim, const int64_t *values)
{
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_CONST) return node.value;
    if (node.op == FX_DIM_SYM) return values[node.value];
    int64_t a = walk(dims, node.a, values), b = walk(dims, node.b, values);
    switch (node.op) {
    case FX_DIM_ADD:
        return a + b;
    case FX_DIM_MUL:
        return a * b;
    case FX_DIM_FLOORDIV:
        return floor_of(a, b);
    case FX_DIM_MOD:
        return a - b * floor_of(a, b);
    case FX_DIM_MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

START_TEST(nodes_can_be_walked)
{
    fixture f = setup();
    const int64_t values[3] = {37, 12, 5};
    fx_dim dim = parse(&f, "max(s0*s1*3 - s2, 17)*floordiv(s0 + 2, 5) + mod(s2, 3) - 1");
    ck_assert_int_eq(walk(f.dims, dim, values), fx__dim_eval(f.dims, dim, values));
    ck_assert_int_eq(walk(f.dims, dim, values), (37 * 12 * 3 - 5) * 7 + 2 - 1);
    ck_assert_int_eq(fx__dim_hint(f.dims, parse(&f, "s0 + s1")), 144);
    const char *text = "s0*2 + 1, rest";
    fx__dim_parse(f.dims, &text);
    ck_assert_str_eq(text, ", rest");
    teardown(&f);
}
END_TEST

FX_TESTS("dim", equal_polynomials_have_equal_handles, division_is_exact_where_it_goes, ranges_decide_min_and_max,
         overflow_and_nonsense_are_bad, guards_are_proven_recorded_or_refused, assumptions_narrow_guarded_ranges,
         random_expressions_evaluate_and_read_back, nodes_can_be_walked)
