/* SPDX-License-Identifier: Apache-2.0 */
/* The generated peak loop must run as fast as one written by hand for this machine, or shares of the peak would flatter. */
#include "codegen/codegen.h"
#include "harness.h"
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
/* 16 chains on zmm2 to zmm17. */
#define FMA(i) "vfmadd231ps %%zmm0, %%zmm1, %%zmm" #i "\n"
static double by_hand(void)
{
    double best = 0;
    if (!__builtin_cpu_supports("avx512f")) return 0;
    for (int r = 0; r < 7; r++) {
        long steps = 1000000;
        double start = now();
        __asm__ volatile("vzeroall\n1:\n" FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8) FMA(9) FMA(10) FMA(11) FMA(12) FMA(13)
                             FMA(14) FMA(15) FMA(16) FMA(17) "dec %0\njnz 1b\nvzeroupper\n"
                         : "+r"(steps)
                         :
                         : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                           "xmm12", "xmm13", "xmm14", "xmm15");
        double rate = 1e6 * 16 * 32 / (now() - start) * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}
#else
static double by_hand(void)
{
    return 0;
}
#endif

/* Neighbours disturb either side, so the best of a few alternating runs is compared. */
START_TEST(generated_loop_is_as_fast_as_by_hand)
{
    fx_context *context = fx_context_new();
    double ours = 0, hand = 0;
    for (int r = 0; r < 20 && (r < 3 || ours < 0.97 * hand || ours > 1.10 * hand); r++) {
        double a = fx__peak_gflops(context), b = by_hand();
        ours = a > ours ? a : ours;
        hand = b > hand ? b : hand;
    }
    ck_assert(ours > 1);
    if (hand > 0) ck_assert_msg(ours >= 0.97 * hand && ours <= 1.10 * hand, "generated %.1f, by hand %.1f GFLOP/s", ours, hand);
    fx_context_free(context);
}
END_TEST

FX_TESTS("peak", generated_loop_is_as_fast_as_by_hand)
