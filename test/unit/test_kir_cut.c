/* SPDX-License-Identifier: Apache-2.0 */
/* test_kir_cut.c: kernels cut at every stage boundary, and joined again, mean what they meant. */
#include "harness.h"
#include "ir/kir.h"
#include <string.h>

enum { ROWS = 5, COLUMNS = 7 };

static const char *const texts[] = {
    /* softmax */
    "program inputs 2 outputs 1\nbuf %x: f32[5,7] input 0\nbuf %w: f32[7,7] input 1\nbuf %y: f32[5,7] output 0\n"
    "kernel k(x: f32[5,7], out y: f32[5,7], local e: f32[7] in y) {\n  for i:5 ; j:7\n"
    "  m = max(x[i,j]) over j\n  e[j] = exp(x[i,j] - m) over j\n  s = sum(e[j]) over j\n  y[i,j] = e[j] / s over j\n}\n"
    "run k(%x, %y, _) nodes softmax\n",
    /* a product, what is largest in its row, and both used */
    "program inputs 2 outputs 1\nbuf %x: f32[5,7] input 0\nbuf %w: f32[7,7] input 1\nbuf %y: f32[5,7] output 0\n"
    "kernel k(x: f32[5,7], w: f32[7,7], out y: f32[5,7], local c: f32[7]) {\n  for i:5 ; j:7 k:7\n"
    "  d = dot(x[i,k] * w[k,j]) to c[j] over k each j\n  p = argmax(c[j]) over j\n  q = prod(c[j]) over j\n"
    "  y[i,j] = (c[6-j] + d) * f32(p) + q over j\n}\n"
    "run k(%x, %w, %y, _) nodes product, place\n",
};

static void evaluate(fx_context *context, const fx_program *program, float y[ROWS * COLUMNS])
{
    static float x[ROWS * COLUMNS], w[COLUMNS * COLUMNS];
    uint64_t random = 1;
    int64_t n = ROWS * COLUMNS, m = COLUMNS * COLUMNS;
    for (int i = 0; i < n; i++) x[i] = (float)fx_test_uniform(&random, -1, 1);
    for (int i = 0; i < m; i++) w[i] = (float)fx_test_uniform(&random, -1, 1);
    memset(y, 0, sizeof(float) * ROWS * COLUMNS);
    fx_tensor in[2] = {fx_tensor_view(x, FX_F32, 1, &n), fx_tensor_view(w, FX_F32, 1, &m)}, out = fx_tensor_view(y, FX_F32, 1, &n);
    CHECK_OK(context, fx__program_verify(program, "test"));
    CHECK_OK(context, fx__program_eval(program, in, &out, NULL, NULL));
}

static void expect_same(fx_context *context, const fx_program *program, const float *want, const char *what, int at)
{
    float y[ROWS * COLUMNS];
    evaluate(context, program, y);
    if (memcmp(y, want, sizeof y) == 0) return;
    char *text = fx__program_print(program);
    fprintf(stderr, "%s\n", text);
    ck_abort_msg("%s at %d changes the result", what, at);
}

START_TEST(cutting_and_joining_keep_the_meaning)
{
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        for (int at = 1; at < 4; at++) {
            fx_context *context = fx_context_new();
            fx_program *program;
            float want[ROWS * COLUMNS];
            CHECK_OK(context, fx__program_parse(context, "text", texts[t], strlen(texts[t]), &program));
            evaluate(context, program, want);
            CHECK_OK(context, fx__kernel_cut(program, &program->steps, 0, at));
            ck_assert_int_eq(program->steps.n, 2);
            expect_same(context, program, want, "cutting", at);
            CHECK_OK(context, fx__kernel_join(program, &program->steps, 0));
            ck_assert_int_eq(program->steps.n, 1);
            ck_assert_int_eq(program->n_kernel, 1);
            expect_same(context, program, want, "joining", at);
            fx__program_free(program);
            fx_context_free(context);
        }
    }
}
END_TEST

START_TEST(a_stage_may_be_a_kernel)
{
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        fx_context *context = fx_context_new();
        fx_program *program;
        float want[ROWS * COLUMNS];
        CHECK_OK(context, fx__program_parse(context, "text", texts[t], strlen(texts[t]), &program));
        evaluate(context, program, want);
        for (int32_t s = 0; program->kernel[program->steps.step[s].kernel]->n_stage > 1; s++)
            CHECK_OK(context, fx__kernel_cut(program, &program->steps, s, 1));
        ck_assert_int_eq(program->steps.n, 4);
        expect_same(context, program, want, "cutting everywhere", 0);
        fx__program_free(program);
        fx_context_free(context);
    }
}
END_TEST

static void check_not_joined(const char *first, const char *second)
{
    char text[2048];
    fx_context *context = fx_context_new();
    fx_program *program;
    snprintf(text, sizeof text,
             "program inputs 1 outputs 1\nbuf %%x: f32[5,7] input 0\nbuf %%t: f32[5,7] temp\nbuf %%y: f32[5,7] output 0\n"
             "kernel a(x: f32[5,7], out y: f32[5,7]) {\n%s}\nkernel b(x: f32[5,7], out y: f32[5,7]) {\n%s}\n"
             "run a(%%x, %%t)\nrun b(%%t, %%y)\n",
             first, second);
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    ck_assert_int_eq(fx__kernel_join(program, &program->steps, 0), FX_E_UNSUPPORTED);
    ck_assert_int_eq(program->steps.n, 2);
    fx__program_free(program);
    fx_context_free(context);
}

START_TEST(other_points_are_not_read)
{
    check_not_joined("  for i:5 ; j:7\n  y[i,j] = relu(x[i,j]) over j\n", "  for i:5 ; j:7\n  y[i,j] = x[4-i,j] over j\n");
    check_not_joined("  for i:5 ; j:7\n  y[i,j] = relu(x[i,j]) over j\n", "  for j:7 ; i:5\n  y[i,j] = x[i,j] over i\n");
    check_not_joined("  for i:5 ; j:7\n  y[i,6-j] = relu(x[i,j]) over j\n", "  for i:5 ; j:7\n  y[i,j] = x[i,j] over j\n");
}
END_TEST

FX_TESTS("kir_cut", cutting_and_joining_keep_the_meaning, a_stage_may_be_a_kernel, other_points_are_not_read)
