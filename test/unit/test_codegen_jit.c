/* SPDX-License-Identifier: Apache-2.0 */
/* The JIT: many kernels at a time, the same code and the same results whatever the number of threads; progress and cancelling; and
 * what the IR must look like: one vector width, no calls. */
#include "native_run.h"

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

enum { KERNELS = 24 };

static void many_kernels(char *text, size_t bytes)
{
    size_t n = (size_t)snprintf(text, bytes,
                                "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                                "buf %%x: f32[64,37] input 0\nbuf %%y: f32[64,37] output 0\n"
                                "kernel first(x: f32[64,37], out y: f32[64,37]) {\n  for i:64 j:37\n  y[i,j] = tanh(x[i,j])\n"
                                "  sched flat vec j*16 unroll 2 task(i) grain 4 order(i,j) parallel\n" COST "}\n");
    for (int i = 0; i < KERNELS; i++) {
        n += (size_t)snprintf(
            text + n, bytes - n,
            "kernel k%d(x: f32[64,37], inout y: f32[64,37]) {\n  for i:64 j:37\n  y[i,j] = y[i,j] + exp(x[i,j] * %d.5)\n"
            "  sched flat vec j*16 unroll 2 task(i) grain 3 order(i,j) parallel\n" COST "}\n",
            i, i - 12);
    }
    n += (size_t)snprintf(text + n, bytes - n, "run first(%%x, %%y)\n");
    for (int i = 0; i < KERNELS; i++) n += (size_t)snprintf(text + n, bytes - n, "run k%d(%%x, %%y)\n", i);
}

START_TEST(threads_change_neither_code_nor_results)
{
    static char text[32768];
    uint64_t hash = 0;
    many_kernels(text, sizeof text);
    fx_tensor before = {0};
    for (int threads = 1; threads <= 2; threads++) {
        native n;
        native_open(&n, text, threads);
        native_tensors(&n, 5, -1, 1);
        ck_assert_int_eq(native_call(&n, 0xff), FX_OK);
        if (threads == 1) {
            hash = fx__jit_code_hash(n.jit);
            before = n.out[0];
            n.out[0].data = NULL;
        } else {
            ck_assert_uint_eq(hash, fx__jit_code_hash(n.jit));
            ck_assert_mem_eq(before.data, n.out[0].data, 64 * 37 * 4);
        }
        ck_assert_double_gt(fx__jit_ms(n.jit, "codegen"), 0);
        native_close(&n);
    }
    fx_tensor_release(&before);
}
END_TEST

static bool stop_at_half(void *user, const char *phase, int32_t percent)
{
    ck_assert_str_eq(phase, "codegen");
    *(int32_t *)user = percent;
    return percent < 50;
}

START_TEST(progress_is_told_and_may_cancel)
{
    static char text[32768];
    int32_t reached = 0;
    native n = {.context = fx_context_new()};
    many_kernels(text, sizeof text);
    CHECK_OK(n.context, fx__session_target(n.context, NULL, NULL, NULL, &n.target));
    n.options = (fx_codegen_options){.target = &n.target, .threads = 1, .progress = stop_at_half, .progress_user = &reached};
    CHECK_OK(n.context, fx__program_parse(n.context, "text", text, strlen(text), &n.program));
    CHECK_OK(n.context, fx__kir_dedup(n.program));
    ck_assert_int_ne(fx__jit_new(n.program, &n.options, &n.jit), FX_OK);
    ck_assert_ptr_null(n.jit);
    ck_assert_int_ge(reached, 50);
    fx__program_free(n.program);
    fx_context_free(n.context);
}
END_TEST

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) n++;
    return n;
}

static char *llvm_text(native *n, const char *program, const char *cpu)
{
    char *text;
    *n = (native){.context = fx_context_new()};
    CHECK_OK(n->context, fx__session_target(n->context, "x86_64-pc-linux-gnu", cpu, NULL, &n->target));
    n->options = (fx_codegen_options){.target = &n->target, .threads = 1};
    CHECK_OK(n->context, fx__program_parse(n->context, "text", program, strlen(program), &n->program));
    CHECK_OK(n->context, fx__kir_dedup(n->program));
    CHECK_OK(n->context, fx__codegen_text(n->program, &n->options, false, &text));
    return text;
}

START_TEST(kernels_have_vectors_and_no_calls)
{
    static const char program[] = "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                                  "buf %x: f32[64] input 0\nbuf %y: f32[64] output 0\n"
                                  "kernel k0(x: f32[64], out y: f32[64]) {\n  for i:64\n  y[i] = sigmoid(x[i]) * x[i]\n"
                                  "  sched flat vec i*16 unroll 4 task(i) grain 1 order(i)\n" COST "}\nrun k0(%x, %y)\n";
    native n;
    char *text = llvm_text(&n, program, "skylake-avx512");
    ck_assert_int_eq(count(text, "load <16 x float>"), 4);
    ck_assert_int_eq(count(text, "store <16 x float>"), 4);
    ck_assert_int_eq(count(text, "llvm.x86.avx512.mask.scalef.ps.512("), 4 + 1); /* and the declaration */
    ck_assert_int_eq(count(text, "masked.load"), 0);                             /* 64 is a multiple of the width */
    fx_text_free(text);
    fx__program_free(n.program);
    fx_context_free(n.context);
}
END_TEST

START_TEST(a_target_without_the_instruction_does_without)
{
    static const char program[] = "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                                  "buf %x: f16[67] input 0\nbuf %y: f32[67] output 0\n"
                                  "kernel k0(x: f16[67], out y: f32[67]) {\n  for i:67\n  y[i] = exp(f32(x[i]))\n"
                                  "  sched flat vec i*4 unroll 4 task(i) grain 1 order(i)\n" COST "}\nrun k0(%x, %y)\n";
    native n;
    char *text = llvm_text(&n, program, "x86-64");
    ck_assert_int_eq(count(text, "avx512"), 0);
    ck_assert_int_eq(count(text, "llvm.fma"), 0);
    ck_assert_int_eq(count(text, "half"), 0);
    fx_text_free(text);
    CHECK_OK(n.context, fx__codegen_text(n.program, &n.options, true, &text));
    ck_assert_int_eq(count(text, "zmm") + count(text, "ymm"), 0);
    fx_text_free(text);
    fx__program_free(n.program);
    fx_context_free(n.context);
}
END_TEST

FX_TESTS("codegen_jit", threads_change_neither_code_nor_results, progress_is_told_and_may_cancel, kernels_have_vectors_and_no_calls,
         a_target_without_the_instruction_does_without)
