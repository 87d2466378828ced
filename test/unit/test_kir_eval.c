/* SPDX-License-Identifier: Apache-2.0 */
/* test_kir_eval.c: the evaluator against loops written here, on programs given as text. */
#include "harness.h"
#include "ir/kir.h"
#include <math.h>
#include <string.h>

static fx_program *parse(fx_context *context, const char *text)
{
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    return program;
}

static void fill(float *x, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++) x[i] = (float)fx_test_uniform(&seed, -2, 2);
}

static fx_tensor vector(void *data, fx_dtype dtype, int64_t n)
{
    return fx_tensor_view(data, dtype, 1, &n);
}

START_TEST(relu_of_a_sum)
{
    static float a[8 * 256], b[256], y[8 * 256];
    fx_context *context = fx_context_new();
    fx_program *program = parse(context, "program inputs 2 outputs 1\n"
                                         "buf %x: f32[8,256] input 0\nbuf %b: f32[256] input 1\nbuf %y: f32[8,256] output 0\n"
                                         "kernel k1(a: f32[8,256], b: f32[256], out y: f32[8,256]) {\n"
                                         "  for i:8 j:256\n  y[i,j] = relu(a[i,j] + b[j])\n}\n"
                                         "run k1(%x, %b, %y)\n");
    fill(a, 8 * 256, 1);
    fill(b, 256, 2);
    fx_tensor in[2] = {vector(a, FX_F32, 8 * 256), vector(b, FX_F32, 256)}, out = vector(y, FX_F32, 8 * 256);
    CHECK_OK(context, fx__program_eval(program, in, &out, NULL, NULL));
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 256; j++) ck_assert_float_eq(y[i * 256 + j], fmaxf(a[i * 256 + j] + b[j], 0));
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* Panels of weights, guarded loads, a residual in place. */
START_TEST(convolution_in_place)
{
    enum { H = 5, W = 6, C = 3, O = 4 };
    static float x[H * W * C], p[2 * 9 * C * 2], b[O], r[H * W * O], expected[H * W * O];
    fx_context *context = fx_context_new();
    fx_program *program =
        parse(context,
              "program inputs 4\n"
              "buf %x: f32[1,5,6,3] input 0\nbuf %p: f32[2,3,3,3,2] input 1\nbuf %b: f32[4] input 2\nbuf %r: f32[1,5,6,4] input 3\n"
              "kernel k2(x: f32[1,5,6,3], p: f32[2,3,3,3,2], b: f32[4], inout r: f32[1,5,6,4]) {\n"
              "  for n:1 h:5 w:6 q:2 o:2\n"
              "  c = dot(x[n,h+kh-1,w+kw-1,ic]?0 * p[q,kh,kw,ic,o]) over kh:3 kw:3 ic:3\n"
              "  r[n,h,w,2*q+o] = relu(c + b[2*q+o] + r[n,h,w,2*q+o])\n}\n"
              "run k2(%x, %p, %b, %r)\n");
    fill(x, H * W * C, 1);
    fill(p, 2 * 9 * C * 2, 2);
    fill(b, O, 3);
    fill(r, H * W * O, 4);
    for (int i = 0; i < H * W * O; i++) {
        int o = i % O, w = i / O % W, h = i / O / W;
        double sum = 0;
        for (int k = 0; k < 9 * C; k++) {
            int ic = k % C, iw = w + k / C % 3 - 1, ih = h + k / C / 3 - 1;
            if (ih < 0 || ih >= H || iw < 0 || iw >= W) continue;
            sum += (double)x[(ih * W + iw) * C + ic] * (double)p[(o / 2 * 9 * C + k) * 2 + o % 2];
        }
        expected[i] = fmaxf((float)sum + b[o] + r[i], 0);
    }
    fx_tensor in[4] = {vector(x, FX_F32, H * W * C), vector(p, FX_F32, 108), vector(b, FX_F32, O), vector(r, FX_F32, H * W * O)};
    CHECK_OK(context, fx__program_eval(program, in, NULL, NULL, NULL));
    for (int i = 0; i < H * W * O; i++) ck_assert_float_eq_tol(r[i], expected[i], 2e-6f);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(softmax_over_rows)
{
    static float x[6 * 10], y[6 * 10];
    fx_context *context = fx_context_new();
    fx_program *program = parse(context, "program inputs 1 outputs 1\nbuf %x: f32[6,10] input 0\nbuf %y: f32[6,10] output 0\n"
                                         "kernel k3(x: f32[6,10], out y: f32[6,10], local e: f32[10] in y) {\n"
                                         "  for i:6\n  m = max(x[i,j]) over j:10\n  e[j] = exp(x[i,j] - m) over j\n"
                                         "  s = sum(e[j]) over j\n  y[i,j] = e[j] / s over j\n}\n"
                                         "run k3(%x, %y, _)\n");
    fill(x, 60, 1);
    fx_tensor in = vector(x, FX_F32, 60), out = vector(y, FX_F32, 60);
    CHECK_OK(context, fx__program_eval(program, &in, &out, NULL, NULL));
    for (int i = 0; i < 6; i++) {
        double sum = 0;
        for (int j = 0; j < 10; j++) sum += exp((double)x[i * 10 + j]);
        for (int j = 0; j < 10; j++) ck_assert_double_eq_tol((double)y[i * 10 + j], exp((double)x[i * 10 + j]) / sum, 1e-6);
    }
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* Every combination, running results, reductions without elements. */
START_TEST(reductions)
{
    static const float x[6] = {3, -1, 4, 1, -5, 2};
    int64_t y[8];
    fx_context *context = fx_context_new();
    fx_program *program = parse(
        context,
        "program inputs 1 outputs 1\nbuf %x: f32[6] input 0\nbuf %y: i64[8] output 0\n"
        "kernel k(x: f32[6], out y: i64[8], local l: f32[6]) {\n"
        "  for ; j:6 e:0\n"
        "  s = prefix sum(x[j]) to l[j] over j\n  p = prod(x[j]) over j\n  hi = max(x[j]) over j\n  lo = argmin(x[j]) over j\n"
        "  all = and(lt(x[j], 4.0)) over j\n  any = or(lt(x[j], -4.0)) over j\n  none = min(x[e]) over e\n"
        "  y[0] = i64(l[2]);\n    y[1] = i64(p);\n    y[2] = i64(hi);\n    y[3] = lo\n"
        "  y[4] = i64(all);\n    y[5] = i64(any);\n    y[6] = i64(none);\n    y[7] = i64(s)\n}\n"
        "run k(%x, %y, _)\n");
    fx_tensor in = vector((void *)x, FX_F32, 6), out = vector(y, FX_I64, 8);
    CHECK_OK(context, fx__program_eval(program, &in, &out, NULL, NULL));
    static const int64_t expected[8] = {6, 120, 4, 4, 0, 1, INT64_MAX, 4};
    for (int i = 0; i < 8; i++) ck_assert_msg(y[i] == expected[i], "y[%d] is %lld", i, (long long)y[i]);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* An index outside is clamped, and the run says so. */
START_TEST(gathers_are_clamped)
{
    static const float x[4] = {10, 11, 12, 13};
    int64_t index[3] = {2, 0, 3};
    float y[3];
    fx_context *context = fx_context_new();
    fx_program *program =
        parse(context, "program inputs 2 outputs 1\nbuf %x: f32[4] input 0\nbuf %i: i64[3] input 1\nbuf %y: f32[3] output 0\n"
                       "kernel k(x: f32[4], ix: i64[3], out y: f32[3]) {\n  for i:3\n  y[i] = x[{ix[i]}]!\n}\n"
                       "run k(%x, %i, %y)\n");
    fx_tensor in[2] = {vector((void *)x, FX_F32, 4), vector(index, FX_I64, 3)}, out = vector(y, FX_F32, 3);
    CHECK_OK(context, fx__program_eval(program, in, &out, NULL, NULL));
    ck_assert_float_eq(y[0], 12);
    ck_assert_float_eq(y[2], 13);
    index[1] = -1;
    index[2] = 9;
    ck_assert_int_eq(fx__program_eval(program, in, &out, NULL, NULL), FX_E_INDEX);
    ck_assert_float_eq(y[1], 10);
    ck_assert_float_eq(y[2], 13);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* Init steps, slices of a parent, IF, LOOP, writebacks into an input; symbols. */
START_TEST(steps)
{
    float x[5] = {1, 2, 3, 4, 5}, y[10];
    bool flag = true;
    int64_t turns = 3, syms[1] = {5};
    fx_context *context = fx_context_new();
    fx_program *program =
        parse(context, "program inputs 3 outputs 1\nsym s in [1,9] hint 4 multiple 1 from input 0 axis 0\n"
                       "buf %x: f32[s] input 0\nbuf %flag: bool[] input 1\nbuf %n: i64[] input 2\nbuf %y: f32[s*2] output 0\n"
                       "buf %both: f32[s*2] temp\nbuf %low: f32[s] temp in %both [0]\nbuf %high: f32[s] temp in %both [s]\n"
                       "buf %two: f32[] const\n"
                       "kernel c(out y: f32[]) exact {\n  for\n  y[] = 2.0\n}\n"
                       "kernel times(x: f32[s], const t: f32[], out y: f32[s]) {\n  for i:(s)\n  y[i] = x[i] * t[]\n}\n"
                       "kernel again(const t: f32[], inout y: f32[s]) {\n  for i:(s)\n  y[i] = y[i] * t[]\n}\n"
                       "init run c(%two)\n"
                       "run times(%x, %two, %low)\n"
                       "if %flag {\n  run times(%low, %two, %high)\n} else {\n  run times(%x, %two, %high)\n}\n"
                       "loop %n {\n  run again(%two, %high)\n}\n"
                       "writeback %both -> %y\nwriteback %low -> %x\n");
    int64_t one = 1;
    fx_tensor in[3] = {vector(x, FX_F32, 5), fx_tensor_view(&flag, FX_BOOL, 0, &one), fx_tensor_view(&turns, FX_I64, 0, &one)};
    fx_tensor out = vector(y, FX_F32, 10);
    CHECK_OK(context, fx__program_eval(program, in, &out, NULL, syms));
    for (int i = 0; i < 5; i++) {
        ck_assert_float_eq(x[i], (float)(2 * (i + 1)));
        ck_assert_float_eq(y[i], x[i]);
        ck_assert_float_eq(y[5 + i], x[i] * 16);
    }
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(an_access_outside_is_reported)
{
    float x[4] = {0}, y[4];
    fx_context *context = fx_context_new();
    fx_program *program = parse(context, "program inputs 1 outputs 1\nbuf %x: f32[4] input 0\nbuf %y: f32[4] output 0\n"
                                         "kernel k(x: f32[4], out y: f32[4]) {\n  for i:4\n  y[i] = x[i+1]\n}\nrun k(%x, %y)\n");
    fx_tensor in = vector(x, FX_F32, 4), out = vector(y, FX_F32, 4);
    ck_assert_int_eq(fx__program_eval(program, &in, &out, NULL, NULL), FX_E_INTERNAL);
    CHECK_DIAG(context, "at 4 in dim 0 of size 4");
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

FX_TESTS("kir_eval", relu_of_a_sum, convolution_in_place, softmax_over_rows, reductions, gathers_are_clamped, steps,
         an_access_outside_is_reported)
