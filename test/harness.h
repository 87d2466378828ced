/* SPDX-License-Identifier: Apache-2.0 */
/* test/harness.h: what every test program uses: one main, and the checks that Check lacks.
 *
 *     START_TEST(names_are_unique) { ... } END_TEST
 *     FX_TESTS("names", names_are_unique, suffixes_continue)
 */
#ifndef FX_TEST_HARNESS_H
#define FX_TEST_HARNESS_H

#include <check.h>
#include "fxjit/types.h"

int fx_test_main(const char *suite, const TTest *const *tests, int n_tests);
#define FX_TESTS(suite, ...)                                                                                                     \
    int main(void)                                                                                                               \
    {                                                                                                                            \
        const TTest *const tests[] = {__VA_ARGS__};                                                                              \
        return fx_test_main(suite, tests, (int)(sizeof tests / sizeof tests[0]));                                                \
    }

/* A status that must be FX_OK; otherwise prints the context's diagnostics and fails. */
void fx_test_ok(fx_context *context, fx_status status, const char *what, const char *file, int line);
#define CHECK_OK(context, call) fx_test_ok((context), (call), #call, __FILE__, __LINE__)
/* The context's diagnostics must contain this text. */
void fx_test_diag(const fx_context *context, const char *text, const char *file, int line);
#define CHECK_DIAG(context, text) fx_test_diag((context), (text), __FILE__, __LINE__)
/* Compares text with the golden file test/golden/NAME; FXJIT_UPDATE_GOLDEN=1 rewrites it. */
void fx_test_golden(const char *name, const char *text, const char *file, int line);
#define CHECK_GOLDEN(name, text) fx_test_golden((name), (text), __FILE__, __LINE__)
/* A reproducible stream of numbers. */
uint64_t fx_test_random(uint64_t *state);
double fx_test_uniform(uint64_t *state, double lo, double hi);
/* The folder ../shared beside the source tree, or NULL after printing one line that says what is skipped. */
const char *fx_test_shared(const char *what);

#endif
