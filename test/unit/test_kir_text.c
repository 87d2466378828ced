/* SPDX-License-Identifier: Apache-2.0 */
/* test_kir_text.c: the text form of programs: what is printed is read back, and prints the same; hostile text is refused. */
#include "harness.h"
#include "ir/kir.h"
#include <stdlib.h>
#include <string.h>

static const char relu[] = "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                           "buf  %x: f32[8,256] input 0\n"
                           "buf  %bias: f32[256] input 1\n"
                           "buf  %y: f32[8,256] output 0\n"
                           "kernel k0(a: f32[8,256], b: f32[256], out y: f32[8,256]) {\n"
                           "  for i:8 j:256\n"
                           "  y[i,j] = relu(a[i,j] + b[j])\n"
                           "  sched flat vec j*16 unroll 4 task(i) grain 8\n"
                           "  cost flop 4096 read 9216 write 8192 cycles 140\n"
                           "}\n"
                           "run k0(%x, %bias, %y) nodes add, relu\n"
                           "why add -> relu: INLINE saves 16384 cost 0\n";

static const char conv[] =
    "program inputs 2 outputs 0 states 0 placed scheduled workspace 0 consts 0 scratch 0\n"
    "buf  %x: f32[1,56,56,64] temp\n"
    "buf  %p: f32[2,3,3,64,32] const\n"
    "buf  %bias: f32[64] const 7 \"layer1.0.bias\" align 64\n"
    "buf  %skip: f32[1,56,56,64] input 0 live 0 1\n"
    "kernel k0(x: f32[1,56,56,64], const p: f32[2,3,3,64,32], const b: f32[64], inout r: f32[1,56,56,64]) {\n"
    "  for n:1 h:56 w:56 q:2 o:32 ; kh:3 kw:3 ic:64\n"
    "  c = dot(x[n,h+kh-1,w+kw-1,ic]?0 * p[q,kh,kw,ic,o]) over kh kw ic\n"
    "  r[n,h,w,32*q+o] = relu(c + b[32*q+o] + r[n,h,w,32*q+o])\n"
    "  sched tile vec o*16 unroll 0 row w mr 7 nv 2 k(0,1,1) task(n,h) grain 2 order(q,n,h,w) block 2 pack "
    "fetch a 7 fetch b 19\n"
    "  cost flop 231813120 read 1753344 write 802816 cycles 3900000\n"
    "}\n"
    "run k0(%x, %p, %bias, %skip) nodes conv1, bn1, add, relu\n"
    "writeback %skip -> %skip\n"
    "why conv1 -> add: TAIL saves 1605632 cost 3\n";

static const char softmax[] = "program inputs 1 outputs 1 states 0 planned workspace 0 consts 0 scratch 0\n"
                              "buf  %x: f32[64,1000] input 0 at 0\n"
                              "buf  %y: f32[64,1000] output 0 at 0\n"
                              "kernel k0(x: f32[64,1000], out y: f32[64,1000], local e: f32[1000] in y) {\n"
                              "  for i:64 ; j:1000\n"
                              "  m = max(x[i,j]) over j\n"
                              "  e[j] = exp(x[i,j] - m) over j\n"
                              "  s:f64 = sum(e[j]) over j\n"
                              "  y[i,j] = e[j] / f32(s) over j\n"
                              "  sched row vec j*16 unroll 4 task(i) grain 4 parallel\n"
                              "  cost flop 320000 read 256000 write 256000 cycles 58000\n"
                              "}\n"
                              "run k0(%x, %y, _)\n";

/* Everything else that the text form has. */
static const char rest[] =
    "program inputs 2 outputs 1 states 1 workspace 256 consts 64 scratch 128\n"
    "sym  s0 in [2,512] hint 128 multiple 2 from input 0 axis 1\n"
    "sym  s1 in [1,64] hint 8 multiple 1\n"
    "guard le s1, 32, \"because \\\"so\\\"\"\n"
    "buf  %x: f32[3,s0,s1] input 0\n"
    "buf  %1: i64[s0] input 1\n"
    "buf  %y: f32[3,s0,s1] output 0\n"
    "buf  %y.3: f16[4,4] state 0\n"
    "buf  %t: i32[2] const data 01000000ff000000\n"
    "buf  %u: f16[2,4] temp in %y.3 [2,0] align 64 at 32 live 1 2\n"
    "buf  %flag: bool[] temp\n"
    "kernel k0(x: f32[3,s0,s1]{s0*s1*2,s1,1}, ix: i64[s0], out y: f32[3,s0,s1], local l: f32[s1]) exact {\n"
    "  for i:3 j:(s0) ; k:(s1)\n"
    "  $0 = sigmoid(x[i,j,k]) + 0.5;\n"
    "    l[k] = $0 * ($0 - 1e-05) / x[i,j,-k+(s1 - 1)] over k\n"
    "  c = prefix sum(l[k]) to l[k] over k\n"
    "  best = argmax(l[k]) over k\n"
    "  y[i,j,k] = select(lt(j, best + dim(s0)), x[i,{ix[j]},k%(s1)]!, x[i,j/3%2,k]?-inf) * f32(3_i32) over k\n"
    "}\n"
    "kernel k1(a0: f16[2,4]{8,2}, out a1: f16[2,4]) {\n"
    "  for i0:2 i1:4\n"
    "  a1[i0,i1]?0 = f16(max(f32(a0[i0,i1]), nan));\n"
    "    a1[i0,-i1+3] = a0[i0,i1]\n"
    "}\n"
    "kernel k2(out a: f32[]) {\n"
    "  for\n"
    "  a[] = 0.0\n"
    "  sched flat vec _*1 unroll 1\n"
    "}\n"
    "init run k1(%u, %u)\n"
    "run k0(%x, %1, %y, _)\n"
    "if %flag nodes cond {\n"
    "  run k1(%u, %u)\n"
    "} else {\n"
    "  loop %flag {\n"
    "    run k1(%u, %u)\n"
    "  }\n"
    "}\n"
    "why \"a b\" -> c: MULTI_USE saves -3 cost 0\n";

static char *print_parsed(fx_context *context, const char *text, size_t bytes)
{
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, bytes, &program));
    char *out = fx__program_print(program);
    fx__program_free(program);
    ck_assert_ptr_nonnull(out);
    return out;
}

static void check_fixed_point(const char *text)
{
    fx_context *context = fx_context_new();
    char *out = print_parsed(context, text, strlen(text));
    ck_assert_str_eq(out, text);
    fx_text_free(out);
    fx_context_free(context);
}

START_TEST(examples_print_as_they_are_written)
{
    check_fixed_point(relu);
    check_fixed_point(conv);
    check_fixed_point(softmax);
    check_fixed_point(rest);
}
END_TEST

/* The forms that KERNELS' examples use besides: axes declared where they are reduced, comments. */
START_TEST(axes_may_be_declared_late)
{
    static const char text[] = "program inputs 1 outputs 1\n"
                               "buf %x: f32[4,5] input 0   # a comment\n"
                               "buf %y: f32[4] output 0\n"
                               "kernel sum(x: f32[4,5], out y: f32[4]) {   # { not a brace\n"
                               "  for i:4\n"
                               "  s = sum(x[i,j]) over j:5\n"
                               "  y[i] = s\n"
                               "}\n"
                               "run sum(%x, %y)\n";
    fx_context *context = fx_context_new();
    char *out = print_parsed(context, text, strlen(text));
    ck_assert_ptr_nonnull(strstr(out, "for i:4 ; j:5\n  s = sum(x[i,j]) over j\n"));
    fx_text_free(out);
    fx_context_free(context);
}
END_TEST

START_TEST(equal_kernels_become_one)
{
    static const char text[] =
        "program inputs 1 outputs 1\n"
        "buf %x: f32[4] input 0\n"
        "buf %t: f32[4] temp\n"
        "buf %y: f32[4] output 0\n"
        "kernel a(x: f32[4], dead: f32[4], out y: f32[4]) {\n  for i:4\n  y[i] = relu(x[i]) + relu(x[i])\n}\n"
        "kernel b(u: f32[4], out v: f32[4]) {\n  for k:4\n  $0 = relu(u[k]);\n v[k] = $0 + $0\n}\n"
        "kernel unused(u: f32[4], out v: f32[4]) {\n  for k:4\n  v[k] = u[k]\n}\n"
        "run a(%x, %x, %t)\nrun b(%t, %y)\n";
    fx_context *context = fx_context_new();
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    CHECK_OK(context, fx__kir_tidy(program));
    ck_assert_int_eq(program->n_kernel, 2);
    CHECK_OK(context, fx__kir_dedup(program));
    ck_assert_int_eq(program->n_kernel, 1);
    ck_assert_int_eq(program->steps.step[1].kernel, 0);
    ck_assert_int_eq(program->kernel[0]->n_arg, 2);
    ck_assert_int_eq(program->steps.step[0].bind[1].buf, 1);
    ck_assert_uint_ne(program->kernel[0]->hash, 0);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

static void check_refused(const char *text, const char *message)
{
    fx_context *context = fx_context_new();
    fx_program *program;
    ck_assert_int_eq(fx__program_parse(context, "bad", text, strlen(text), &program), FX_E_FORMAT);
    ck_assert_ptr_null(program);
    CHECK_DIAG(context, message);
    fx_context_free(context);
}

START_TEST(problems_are_named_with_their_lines)
{
    check_refused("program inputs 1\nbuf %x: f33[2] temp\n", "bad:2");
    check_refused("buf %x: f33[2] temp\n", "\"f33\" is no dtype");
    check_refused("buf %x: f32[-2] temp\n", "a size of -2");
    check_refused("run k9()\n", "unknown kernel");
    check_refused("kernel k(out a: f32[2]) {\n for i:2\n a[i,i] = 0.0\n}\n", "a has 1 dimensions");
    check_refused("kernel k(out a: f32[2]) {\n for i:2\n a[i] = b[i]\n", "unknown argument \"b\"");
    check_refused("kernel k(out a: f32[2]) {\n for i:2\n a[i] = foo(1.0)\n}\n", "unknown function \"foo\"");
    check_refused("nonsense\nmore\nbuf\n", "bad:3");
}
END_TEST

/* Cut, and with any byte replaced: a program or diagnostics, never a crash. */
START_TEST(hostile_text_is_refused)
{
    const char *texts[] = {relu, conv, softmax, rest};
    uint64_t random = 1;
    for (int t = 0; t < 4; t++) {
        size_t bytes = strlen(texts[t]);
        char *copy = malloc(bytes + 1);
        for (int i = 0; i < 3000; i++) {
            fx_context *context = fx_context_new();
            fx_program *program;
            memcpy(copy, texts[t], bytes + 1);
            for (int k = 0; k <= i % 3; k++) {
                size_t at = fx_test_random(&random) % bytes;
                copy[at] = (i & 1) ? texts[t][fx_test_random(&random) % bytes] : (char)fx_test_random(&random);
            }
            size_t length = i % 5 ? bytes : fx_test_random(&random) % bytes;
            if (fx__program_parse(context, "bad", copy, length, &program) == FX_OK) {
                char *once = fx__program_print(program);
                char *twice = print_parsed(context, once, strlen(once));
                ck_assert_str_eq(once, twice);
                fx_text_free(once);
                fx_text_free(twice);
                fx__program_free(program);
            }
            fx_context_free(context);
        }
        free(copy);
    }
}
END_TEST

FX_TESTS("kir_text", examples_print_as_they_are_written, axes_may_be_declared_late, equal_kernels_become_one,
         problems_are_named_with_their_lines, hostile_text_is_refused)
