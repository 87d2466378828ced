/* SPDX-License-Identifier: Apache-2.0 */
/* Text under construction and numbers in Python's form. */
#include "harness.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_double(double value, const char *expected)
{
    fx_text text;
    fx__text_init(&text, NULL);
    fx__text_double(&text, value);
    char *got = fx__text_finish(&text);
    ck_assert_str_eq(got, expected);
    fx_text_free(got);
}

/* What Python 3 prints for repr() of these. */
START_TEST(doubles_print_as_python_does)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {-1.5, "-1.5"},
                 {1e-5, "1e-05"},
                 {0.0001, "0.0001"},
                 {1e16, "1e+16"},
                 {1e15, "1000000000000000.0"},
                 {123456789.123, "123456789.123"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1e-7, "1e-07"},
                 {1e20, "1e+20"},
                 {0.1, "0.1"},
                 {1e22, "1e+22"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {2.2250738585072014e-308, "2.2250738585072014e-308"},
                 {9007199254740993.0, "9007199254740992.0"},
                 {100.0, "100.0"},
                 {1234.5, "1234.5"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"},
                 {NAN, "nan"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e100, "1e+100"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_double(cases[i].value, cases[i].text);
}
END_TEST

START_TEST(doubles_read_back)
{
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = fx_test_random(&state);
        double value, back = 0;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value)) continue;
        fx_text text;
        fx__text_init(&text, NULL);
        fx__text_double(&text, value);
        ck_assert(fx__text_read_double(text.data, text.bytes, &back));
        ck_assert_msg(memcmp(&back, &value, sizeof back) == 0, "%s", text.data);
        fx_text_free(fx__text_finish(&text));
    }
}
END_TEST

START_TEST(floats_are_shortest)
{
    uint64_t state = 2;
    fx_text text;
    fx__text_init(&text, NULL);
    fx__text_float(&text, (double)0.1f, FX_F32);
    fx__text_put(&text, " ", 1);
    fx__text_float(&text, 3.4028234663852886e38, FX_F32);
    fx__text_put(&text, " ", 1);
    fx__text_float(&text, 1.401298464324817e-45, FX_F32);
    char *got = fx__text_finish(&text);
    ck_assert_str_eq(got, "0.1 3.4028235e+38 1e-45");
    fx_text_free(got);
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)fx_test_random(&state);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value)) continue;
        fx__text_float(&text, (double)value, FX_F32);
        ck_assert_msg(strtof(text.data, NULL) == value, "%s", text.data);
        fx_text_free(fx__text_finish(&text));
    }
}
END_TEST

START_TEST(bad_numbers_are_refused)
{
    double value;
    ck_assert(!fx__text_read_double("", 0, &value));
    ck_assert(!fx__text_read_double("1.5x", 4, &value));
    ck_assert(!fx__text_read_double(".", 1, &value));
    ck_assert(fx__text_read_double("1.5x", 3, &value) && value == 1.5);
}
END_TEST

START_TEST(texts_grow)
{
    fx_text text;
    fx__text_init(&text, NULL);
    for (int i = 0; i < 1000; i++) fx__text_append(&text, "%d,", i);
    ck_assert_uint_eq(text.bytes, 10 * 2 + 90 * 3 + 900 * 4);
    char *got = fx__text_finish(&text);
    ck_assert(strncmp(got, "0,1,2,", 6) == 0 && strlen(got) == 3890);
    fx_text_free(got);
    char *empty = fx__text_finish(&text);
    ck_assert_str_eq(empty, "");
    fx_text_free(empty);
}
END_TEST

FX_TESTS("text", doubles_print_as_python_does, doubles_read_back, floats_are_shortest, bad_numbers_are_refused, texts_grow)
