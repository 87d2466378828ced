/* SPDX-License-Identifier: Apache-2.0 */
/* Target descriptions: known CPUs, features that add or remove, and refusals. */
#include "harness.h"
#include "ir/target.h"

static fx_target describe(const char *triple, const char *cpu, const char *features)
{
    fx_context *context = fx_context_new();
    fx_target target;
    CHECK_OK(context, fx__target_describe(context, triple, cpu, features, &target));
    target.triple = target.cpu = target.features = NULL; /* they die with the context */
    fx_context_free(context);
    return target;
}

START_TEST(levels_of_x86_64_have_their_vectors)
{
    const char *triple = "x86_64-unknown-linux-gnu";
    const struct {
        const char *cpu;
        int32_t vec_bytes, vregs, reserve;
        bool fma;
    } row[] = {{"x86-64", 16, 16, 1, false},   {"x86-64-v2", 16, 16, 1, false},     {"x86-64-v3", 32, 16, 1, true},
               {"x86-64-v4", 64, 32, 3, true}, {"sapphirerapids", 64, 32, 3, true}, {"znver5", 64, 32, 3, true},
               {"haswell", 32, 16, 1, true},   {"unheard-of", 16, 16, 1, false}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        fx_target target = describe(triple, row[i].cpu, "");
        ck_assert_int_eq(target.vec_bytes, row[i].vec_bytes);
        ck_assert_int_eq(target.vregs, row[i].vregs);
        ck_assert_int_eq(target.reserve, row[i].reserve);
        ck_assert_int_eq(target.has_fma, row[i].fma);
        ck_assert(target.l1 > 0 && target.l2 > target.l1 && target.fma_per_cycle > 0 && target.dram_bytes_per_cycle > 0);
        ck_assert_int_eq(fx__target_lanes(&target, FX_F32), row[i].vec_bytes / 4);
        ck_assert_int_eq(fx__target_lanes(&target, FX_BOOL), row[i].vec_bytes);
    }
}
END_TEST

START_TEST(features_outweigh_the_name)
{
    const char *triple = "x86_64-unknown-linux-gnu";
    ck_assert_int_eq(describe(triple, "unheard-of", "+avx512f,+avx512vl,+avx512bw").vec_bytes, 64);
    ck_assert_int_eq(describe(triple, "unheard-of", "+avx512f,+avx2").vec_bytes, 32);
    ck_assert_int_eq(describe(triple, "sapphirerapids", "-avx512f").vec_bytes, 32);
    ck_assert_int_eq(describe(triple, "sapphirerapids", "+avx512fp16,-avx512f,+avx512f").vec_bytes, 64);
    ck_assert_int_eq(describe(triple, "sapphirerapids", "-fma").vec_bytes, 32);
    ck_assert_int_eq(describe(triple, "sapphirerapids", "-sse4.1").vec_bytes, 16); /* which takes away all that rests on it */
    ck_assert(describe(triple, "znver4", "").has_bf16 && !describe(triple, "znver4", "-avx512bf16").has_bf16);
}
END_TEST

START_TEST(aarch64_is_described_and_others_are_refused)
{
    fx_target target = describe("aarch64-linux-gnu", "neoverse-n1", "+neon");
    ck_assert(target.vec_bytes == 16 && target.vregs == 32 && target.has_fma && !target.has_masked);
    ck_assert_int_eq(describe("aarch64-linux-gnu", "generic", "").vec_bytes, 16);
    fx_context *context = fx_context_new();
    ck_assert_int_eq(fx__target_describe(context, "riscv64-linux-gnu", "generic", "", &target), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "riscv64");
    fx_context_free(context);
}
END_TEST

FX_TESTS("target", levels_of_x86_64_have_their_vectors, features_outweigh_the_name, aarch64_is_described_and_others_are_refused)
