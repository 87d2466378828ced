/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of scalar.def: stated values where C has none, NaN and signed zero, conversions, 16-bit floats, promotion. */
#include "harness.h"
#include "runtime/scalar.h"
#include <math.h>
#include <string.h>

static int64_t ints(fx_scalar_op op, fx_dtype dtype, int64_t a, int64_t b)
{
    return fx__scalar_apply(op, dtype, (fx_imm){.i = a}, (fx_imm){.i = b}).i;
}

static double floats(fx_scalar_op op, double a, double b)
{
    return fx__scalar_apply(op, FX_F32, (fx_imm){.f = a}, (fx_imm){.f = b}).f;
}

static bool compares(fx_scalar_op op, double a, double b)
{
    return fx__scalar_apply(op, FX_F32, (fx_imm){.f = a}, (fx_imm){.f = b}).i != 0;
}

START_TEST(rows_are_found_by_their_names)
{
    for (int op = 0; op < FX_SCALAR_COUNT; op++) {
        ck_assert_int_eq(fx__scalar_find(fx__scalar_name((fx_scalar_op)op)), op);
        ck_assert_int_ge(fx__scalar_operands((fx_scalar_op)op), 1);
        ck_assert_int_ge(fx__scalar_cost((fx_scalar_op)op), 1);
    }
    ck_assert_int_eq(fx__scalar_find("no such name"), -1);
    ck_assert(fx__scalar_is_comparison(FX_SCALAR_ISNAN) && fx__scalar_is_comparison(FX_SCALAR_GE));
    ck_assert(!fx__scalar_is_comparison(FX_SCALAR_MAX));
    ck_assert(fx__scalar_allows(FX_SCALAR_AND, FX_BOOL) && !fx__scalar_allows(FX_SCALAR_AND, FX_F32));
    ck_assert(fx__scalar_allows(FX_SCALAR_EXP, FX_BF16) && !fx__scalar_allows(FX_SCALAR_EXP, FX_I32));
}
END_TEST

START_TEST(division_by_zero_has_a_value)
{
    static const fx_dtype dtypes[] = {FX_I8, FX_I32, FX_I64, FX_U8, FX_U64};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        ck_assert_int_eq(ints(FX_SCALAR_DIV, dtypes[i], 7, 0), 0);
        ck_assert_int_eq(ints(FX_SCALAR_FLOORDIV, dtypes[i], 7, 0), 0);
        ck_assert_int_eq(ints(FX_SCALAR_MOD, dtypes[i], 7, 0), 0);
    }
}
END_TEST

START_TEST(lowest_by_minus_one_wraps)
{
    static const struct {
        fx_dtype dtype;
        int64_t lowest;
    } rows[] = {{FX_I8, INT8_MIN}, {FX_I16, INT16_MIN}, {FX_I32, INT32_MIN}, {FX_I64, INT64_MIN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(ints(FX_SCALAR_DIV, rows[i].dtype, rows[i].lowest, -1), rows[i].lowest);
        ck_assert_int_eq(ints(FX_SCALAR_MOD, rows[i].dtype, rows[i].lowest, -1), 0);
        ck_assert_int_eq(ints(FX_SCALAR_NEG, rows[i].dtype, rows[i].lowest, 0), rows[i].lowest);
        ck_assert_int_eq(ints(FX_SCALAR_ABS, rows[i].dtype, rows[i].lowest, 0), rows[i].lowest);
    }
    ck_assert_int_eq(ints(FX_SCALAR_ADD, FX_I8, 127, 1), -128);
    ck_assert_int_eq(ints(FX_SCALAR_SUB, FX_U8, 0, 1), 255);
}
END_TEST

/* A rounded quotient may be the next whole number already. */
START_TEST(floored_quotients_go_with_their_remainders)
{
    static const struct {
        double a, b, floored;
    } rows[] = {{1, 0.1, 9}, {6, 0.1, 59}, {-1, 0.1, -10}, {1, -INFINITY, -1}, {-1, -INFINITY, 0}, {1, 0, INFINITY}, {0.3, 0.1, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_double_eq(floats(FX_SCALAR_FLOORDIV, rows[i].a, rows[i].b), rows[i].floored);
    ck_assert(isnan(floats(FX_SCALAR_FLOORDIV, INFINITY, 2)));
}
END_TEST

START_TEST(quotients_and_remainders_follow_python)
{
    static const struct {
        int64_t a, b, truncated, floored, rest;
    } rows[] = {{7, 2, 3, 3, 1}, {-7, 2, -3, -4, 1}, {7, -2, -3, -4, -1}, {-7, -2, 3, 3, -1}, {6, -3, -2, -2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(ints(FX_SCALAR_DIV, FX_I32, rows[i].a, rows[i].b), rows[i].truncated);
        ck_assert_int_eq(ints(FX_SCALAR_FLOORDIV, FX_I32, rows[i].a, rows[i].b), rows[i].floored);
        ck_assert_int_eq(ints(FX_SCALAR_MOD, FX_I32, rows[i].a, rows[i].b), rows[i].rest);
        ck_assert_double_eq(floats(FX_SCALAR_MOD, (double)rows[i].a, (double)rows[i].b), (double)rows[i].rest);
        ck_assert_double_eq(floats(FX_SCALAR_FLOORDIV, (double)rows[i].a, (double)rows[i].b), (double)rows[i].floored);
    }
}
END_TEST

START_TEST(nan_passes_through)
{
    ck_assert(isnan(floats(FX_SCALAR_MAX, NAN, 1)) && isnan(floats(FX_SCALAR_MAX, 1, NAN)));
    ck_assert(isnan(floats(FX_SCALAR_MIN, NAN, 1)) && isnan(floats(FX_SCALAR_MIN, 1, NAN)));
    ck_assert(isnan(floats(FX_SCALAR_RELU, NAN, 0)));
    ck_assert(compares(FX_SCALAR_ISNAN, NAN, 0) && !compares(FX_SCALAR_ISNAN, INFINITY, 0));
    ck_assert(!compares(FX_SCALAR_EQ, NAN, NAN) && compares(FX_SCALAR_NE, NAN, NAN) && !compares(FX_SCALAR_LE, NAN, NAN));
}
END_TEST

START_TEST(rounding_is_half_to_even)
{
    static const double rows[][2] = {{0.5, 0}, {1.5, 2}, {2.5, 2}, {-0.5, -0.0}, {-1.5, -2}, {2.4, 2}, {2.6, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_double_eq(floats(FX_SCALAR_ROUND, rows[i][0], 0), rows[i][1]);
    ck_assert(signbit(floats(FX_SCALAR_ROUND, -0.5, 0)) && signbit(floats(FX_SCALAR_CEIL, -0.5, 0)));
    ck_assert_double_eq(floats(FX_SCALAR_TRUNC, -1.7, 0), -1);
}
END_TEST

START_TEST(f32_results_are_rounded_to_f32)
{
    ck_assert_double_eq(floats(FX_SCALAR_DIV, 1, 3), (double)(1.0f / 3.0f));
    ck_assert_double_eq(floats(FX_SCALAR_ADD, 0x1p24, 1), 0x1p24);
    ck_assert_double_eq(fx__scalar_apply(FX_SCALAR_ADD, FX_F64, (fx_imm){.f = 0x1p24}, (fx_imm){.f = 1}).f, 0x1p24 + 1);
}
END_TEST

START_TEST(floats_convert_to_the_nearest_end)
{
    static const struct {
        fx_dtype dtype;
        int64_t lo;
        uint64_t hi;
    } rows[] = {{FX_I8, INT8_MIN, INT8_MAX},    {FX_I16, INT16_MIN, INT16_MAX}, {FX_I32, INT32_MIN, INT32_MAX},
                {FX_I64, INT64_MIN, INT64_MAX}, {FX_U8, 0, UINT8_MAX},          {FX_U16, 0, UINT16_MAX},
                {FX_U32, 0, UINT32_MAX},        {FX_U64, 0, UINT64_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(fx__scalar_from_double(rows[i].dtype, -1e30).i, rows[i].lo);
        ck_assert_uint_eq(fx__scalar_from_double(rows[i].dtype, 1e30).u, rows[i].hi);
        ck_assert_int_eq(fx__scalar_from_double(rows[i].dtype, NAN).i, 0);
        ck_assert_int_eq(fx__scalar_from_double(rows[i].dtype, 2.9).i, 2);
    }
    ck_assert_int_eq(fx__scalar_from_double(FX_BOOL, 0.25).i, 1);
    ck_assert_int_eq(fx__scalar_cast(FX_I32, FX_U8, (fx_imm){.i = -1}).i, 255);
    /* Rounded once: by way of f64 this would be a tie and go down. */
    ck_assert_double_eq(fx__scalar_cast(FX_I64, FX_F32, (fx_imm){.i = (INT64_C(1) << 60) + (INT64_C(1) << 36) + 1}).f,
                        0x1p60 + 0x1p37);
}
END_TEST

static uint16_t half_bits(fx_dtype dtype, double value)
{
    uint16_t bits;
    fx__scalar_store(dtype, &bits, (fx_imm){.f = value});
    return bits;
}

START_TEST(halves_round_to_nearest_even)
{
    static const struct {
        double value;
        uint16_t f16, bf16;
    } rows[] = {
        {1, 0x3c00, 0x3f80},
        {-2, 0xc000, 0xc000},
        {65504, 0x7bff, 0x4780},
        {65520, 0x7c00, 0x4780}, /* f16: the tie above the largest goes to infinity */
        {65519.99, 0x7bff, 0x4780},
        {1 + 0x1p-11, 0x3c00, 0x3f80}, /* a tie: to even */
        {1 + 0x1p-11 + 0x1p-30, 0x3c01, 0x3f80},
        {1 + 3 * 0x1p-11, 0x3c02, 0x3f80},
        {1 + 3 * 0x1p-8, 0x3c0c, 0x3f82},
        {0x1p-24, 0x0001, 0x3380}, /* the smallest f16 */
        {0x1p-25, 0x0000, 0x3300}, /* a tie: to even, 0 */
        {0x1.8p-25, 0x0001, 0x3340},
        {2047 * 0x1p-25, 0x0400, 0x3880}, /* a subnormal that rounds up to the smallest normal */
        {0x1p-133, 0x0000, 0x0001},
        {INFINITY, 0x7c00, 0x7f80},
        {1e300, 0x7c00, 0x7f80},
        {-0.0, 0x8000, 0x8000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_uint_eq(half_bits(FX_F16, rows[i].value), rows[i].f16);
        ck_assert_uint_eq(half_bits(FX_BF16, rows[i].value), rows[i].bf16);
    }
}
END_TEST

START_TEST(all_halves_survive_a_round_trip)
{
    static const fx_dtype dtypes[] = {FX_F16, FX_BF16};
    for (int d = 0; d < 2; d++)
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            uint16_t half = (uint16_t)bits;
            double value = fx__scalar_load(dtypes[d], &half).f;
            if (isnan(value))
                ck_assert(isnan(fx__scalar_load(dtypes[d], &(uint16_t){half_bits(dtypes[d], value)}).f));
            else
                ck_assert_uint_eq(half_bits(dtypes[d], value), half);
        }
}
END_TEST

START_TEST(promotion_is_torchs_table)
{
    static const fx_dtype rows[][3] = {
        {FX_BOOL, FX_U8, FX_U8},   {FX_U8, FX_I8, FX_I16},     {FX_U8, FX_I32, FX_I32},  {FX_I64, FX_F16, FX_F16},
        {FX_F16, FX_BF16, FX_F32}, {FX_F16, FX_F32, FX_F32},   {FX_F32, FX_F64, FX_F64}, {FX_BOOL, FX_F32, FX_F32},
        {FX_I8, FX_I16, FX_I16},   {FX_BF16, FX_I64, FX_BF16}, {FX_U32, FX_I32, FX_I64}, {FX_U64, FX_I8, FX_I64},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(fx__scalar_promote(rows[i][0], rows[i][1]), rows[i][2]);
        ck_assert_int_eq(fx__scalar_promote(rows[i][1], rows[i][0]), rows[i][2]);
    }
}
END_TEST

static fx_dtype promoted(fx_dtype dims, int zero_dim, int number)
{
    fx_promotion p = FX_PROMOTION_EMPTY;
    fx__promotion_add(&p, FX_OPERAND_DIMS, dims);
    if (zero_dim >= 0) fx__promotion_add(&p, FX_OPERAND_ZERO_DIM, (fx_dtype)zero_dim);
    if (number >= 0) fx__promotion_add(&p, FX_OPERAND_NUMBER, (fx_dtype)number);
    return fx__promotion_result(&p);
}

/* As torch.result_type says. */
START_TEST(numbers_count_by_category_only)
{
    ck_assert_int_eq(promoted(FX_F16, -1, FX_F32), FX_F16);
    ck_assert_int_eq(promoted(FX_F16, FX_F64, -1), FX_F16);
    ck_assert_int_eq(promoted(FX_I8, -1, FX_I64), FX_I8);
    ck_assert_int_eq(promoted(FX_I8, -1, FX_F32), FX_F32);
    ck_assert_int_eq(promoted(FX_I8, FX_F64, -1), FX_F64);
    ck_assert_int_eq(promoted(FX_BOOL, -1, FX_I64), FX_I64);
    ck_assert_int_eq(promoted(FX_BOOL, FX_U8, FX_I64), FX_U8);
    ck_assert_int_eq(promoted(FX_I32, FX_I64, FX_BOOL), FX_I32);
}
END_TEST

FX_TESTS("scalar", rows_are_found_by_their_names, division_by_zero_has_a_value, lowest_by_minus_one_wraps,
         quotients_and_remainders_follow_python, floored_quotients_go_with_their_remainders, nan_passes_through,
         rounding_is_half_to_even, f32_results_are_rounded_to_f32, floats_convert_to_the_nearest_end, halves_round_to_nearest_even,
         all_halves_survive_a_round_trip, promotion_is_torchs_table, numbers_count_by_category_only)
