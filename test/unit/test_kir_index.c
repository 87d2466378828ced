/* SPDX-License-Identifier: Apache-2.0 */
/* test_kir_index.c: the algebra of indices against evaluation at every point. */
#include "harness.h"
#include "ir/kir.h"
#include <string.h>

static int64_t value_at(const fx_index *index, const int64_t *at)
{
    int64_t sum = index->base;
    for (int t = 0; t < index->n; t++) {
        int64_t digit = at[index->term[t].axis] / index->term[t].div;
        if (index->term[t].mod) digit %= index->term[t].mod;
        sum += index->term[t].coef * digit;
    }
    return sum;
}

static fx_index random_index(fx_dims *dims, uint64_t *random, int axes, bool digits)
{
    fx_index sum = fx__index_const((fx_dim)(fx_test_random(random) % 5));
    for (int n = (int)(fx_test_random(random) % 4); n >= 0; n--) {
        fx_index term = fx__index_axis((uint8_t)(fx_test_random(random) % (uint64_t)axes));
        if (digits && fx_test_random(random) % 3 == 0) term.term[0].div = 1 + (fx_dim)(fx_test_random(random) % 4);
        if (digits && fx_test_random(random) % 3 == 0) term.term[0].mod = 2 + (fx_dim)(fx_test_random(random) % 4);
        fx__index_scale(dims, &term, 1 + (fx_dim)(fx_test_random(random) % 12), &term);
        fx__index_add(dims, &sum, &term, &sum);
    }
    return sum;
}

static bool next(int64_t *at, const fx_dim *extent, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        if (++at[i] < extent[i]) return true;
        at[i] = 0;
    }
    return false;
}

/* outer(by(point)) = substituted(point), for every point, whenever a substitution is given. */
START_TEST(substitution_means_composition)
{
    fx_context *context = fx_context_new();
    fx_dims *dims = fx__dims_new(context);
    uint64_t random = 3;
    int32_t given = 0;
    for (int round = 0; round < 20000; round++) {
        fx_dim extent[3];
        fx_index by[2], outer = random_index(dims, &random, 2, true), out;
        for (int i = 0; i < 3; i++) extent[i] = 1 + (fx_dim)(fx_test_random(&random) % 6);
        for (int i = 0; i < 2; i++) by[i] = random_index(dims, &random, 3, round & 1);
        if (!fx__index_substitute(dims, &outer, by, 2, extent, &out)) continue;
        given++;
        int64_t at[3] = {0};
        do {
            int64_t inner[2] = {value_at(&by[0], at), value_at(&by[1], at)};
            ck_assert_int_eq(value_at(&out, at), value_at(&outer, inner));
        } while (next(at, extent, 3));
    }
    ck_assert_int_gt(given, 4000);
    fx__dims_free(dims);
    fx_context_free(context);
}
END_TEST

/* Row-major renumbering there and back is the identity. */
START_TEST(digits_of_a_flat_index_resolve)
{
    fx_context *context = fx_context_new();
    fx_dims *dims = fx__dims_new(context);
    const fx_dim extent[3] = {4, 5, 6};
    fx_index flat = fx__index_const(0), part, digit;
    const fx_dim stride[3] = {30, 6, 1};
    for (uint8_t i = 0; i < 3; i++) {
        fx_index axis = fx__index_axis(i);
        ck_assert(fx__index_scale(dims, &axis, stride[i], &part));
        ck_assert(fx__index_add(dims, &flat, &part, &flat));
    }
    for (uint8_t i = 0; i < 3; i++) {
        fx_index whole = fx__index_axis(0), axis = fx__index_axis(i);
        whole.term[0].div = stride[i];
        whole.term[0].mod = extent[i];
        ck_assert(fx__index_substitute(dims, &whole, &flat, 1, extent, &digit));
        ck_assert(fx__index_equal(&digit, &axis));
    }
    fx__dims_free(dims);
    fx_context_free(context);
}
END_TEST

START_TEST(ranges_hold_every_value)
{
    fx_context *context = fx_context_new();
    fx_program *program = fx__program_new(context, NULL);
    uint64_t random = 5;
    for (int round = 0; round < 3000; round++) {
        fx_kernel *kernel = fx__kernel_new(program);
        fx_dim lo, hi, extent[2] = {1 + (fx_dim)(fx_test_random(&random) % 7), 1 + (fx_dim)(fx_test_random(&random) % 7)};
        for (int i = 0; i < 2; i++) fx__kernel_add_axis(program, kernel, "i", extent[i], true);
        fx_index index = random_index(program->dims, &random, 2, true);
        fx__index_scale(program->dims, &index, round & 1 ? -2 : 1, &index);
        fx__index_range(program->dims, kernel, &index, &lo, &hi);
        int64_t at[2] = {0};
        do {
            ck_assert_int_ge(value_at(&index, at), lo);
            ck_assert_int_le(value_at(&index, at), hi);
        } while (next(at, extent, 2));
    }
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(terms_are_few_and_sorted)
{
    fx_context *context = fx_context_new();
    fx_dims *dims = fx__dims_new(context);
    fx_index sum = fx__index_const(1), back = fx__index_const(1);
    for (int i = 0; i < FX_TERMS; i++) {
        fx_index up = fx__index_axis((uint8_t)i), down = fx__index_axis((uint8_t)(FX_TERMS - 1 - i));
        ck_assert(fx__index_add(dims, &sum, &up, &sum));
        ck_assert(fx__index_add(dims, &back, &down, &back));
    }
    ck_assert(fx__index_equal(&sum, &back));
    fx_index more = fx__index_axis(FX_TERMS), minus;
    ck_assert(!fx__index_add(dims, &sum, &more, &more));
    ck_assert(fx__index_scale(dims, &sum, -1, &minus));
    ck_assert(fx__index_add(dims, &sum, &minus, &minus));
    ck_assert_int_eq(minus.n, 0);
    ck_assert_int_eq(minus.base, 0);
    fx__dims_free(dims);
    fx_context_free(context);
}
END_TEST

/* i:24 read as digits and walked contiguously elsewhere: split for the digits, then merged as far as accesses allow. */
START_TEST(axes_split_and_merge)
{
    static const char text[] =
        "program inputs 1 outputs 1\nbuf %x: f32[1,4,6] input 0\nbuf %y: f32[24,5] output 0\n"
        "kernel k(x: f32[1,4,6], out y: f32[24,5]) {\n  for i:24 j:5\n  y[i,j] = x[0,i/6,i%6]\n}\nrun k(%x, %y)\n";
    fx_context *context = fx_context_new();
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    CHECK_OK(context, fx__kernel_refine(program, program->kernel[0]));
    ck_assert_int_eq(program->kernel[0]->n_axis, 3);
    CHECK_OK(context, fx__program_verify(program, "refine"));
    CHECK_OK(context, fx__kernel_collapse(program, program->kernel[0]));
    ck_assert_int_eq(program->kernel[0]->n_axis, 2);
    ck_assert_int_eq(program->kernel[0]->axis[0].extent, 24);
    CHECK_OK(context, fx__program_verify(program, "collapse"));
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

FX_TESTS("kir_index", substitution_means_composition, digits_of_a_flat_index_resolve, ranges_hold_every_value,
         terms_are_few_and_sorted, axes_split_and_merge)
