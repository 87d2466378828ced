/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion: what joins, what does not and why, and that values stay the same to the bit. */
#include "program_check.h"

static fx_program *fuse(fx_context *context, const char *text)
{
    const pc_pass passes[] = {fx__pass_fuse};
    fx_target target = pc_target(context, "sapphirerapids");
    fx_pass_options options = {.target = &target};
    return pc_check(context, text, passes, 1, &options);
}

static void check_steps(const char *text, int expected)
{
    fx_context *context = fx_context_new();
    fx_program *program = fuse(context, text);
    if (program->steps.n != expected) {
        pc_dump(program);
        ck_abort_msg("%d steps, expected %d", program->steps.n, expected);
    }
    fx__program_free(program);
    fx_context_free(context);
}

#define ADD(name) "kernel " name "(a: f32[8,20], b: f32[8,20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = a[i,j] + b[i,j]\n}\n"
#define RELU(name) "kernel " name "(a: f32[8,20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = relu(a[i,j])\n}\n"
#define GEMM                                                                                                                       \
    "kernel gemm(a: f32[8,12], w: f32[20,12], bias: f32[20], out y: f32[8,20]) {\n for m:8 n:20 ; k:12\n"                          \
    " c = dot(a[m,k] * w[n,k]) over k\n y[m,n] = c + bias[n]\n}\n"
#define HEAD                                                                                                                       \
    "program inputs 2 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %out: f32[8,20] output 0\n"             \
    "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\nbuf %v: f32[8,20] temp\n"

#define HEAD3                                                                                                                      \
    "program inputs 3 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %out: f32[8,20] output 0\n"             \
    "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\nbuf %v: f32[8,20] temp\n"
#define GEMM_INPUTS "buf %g: f32[8,12] input 2\nbuf %w: f32[20,12] const\nbuf %b: f32[20] const\nbuf %s: f32[8,20] temp\n"

START_TEST(chains_become_one)
{
    check_steps(HEAD ADD("add") RELU("relu") "run add(%x, %z, %t)\nrun relu(%t, %u)\nrun add(%u, %x, %v)\nwriteback %v -> %out\n",
                1);
}
END_TEST

START_TEST(a_value_with_two_readers_is_computed_once)
{
    /* silu-like: t feeds relu and the last add; everything joins through tails, t is not stored any more */
    check_steps(HEAD ADD("add") RELU("relu") "run add(%x, %z, %t)\nrun relu(%t, %u)\nrun add(%u, %t, %v)\nwriteback %v -> %out\n",
                1);
}
END_TEST

/* Each value's last reader joins through another value: neither is stored any more. */
START_TEST(values_without_readers_are_not_stored)
{
    fx_context *context = fx_context_new();
    fx_program *program =
        fuse(context, HEAD3 GEMM_INPUTS ADD("add") RELU("relu") GEMM
             "run gemm(%g, %w, %b, %t)\nrun relu(%t, %u)\nrun add(%u, %t, %v)\nrun add(%v, %t, %s)\nwriteback %s -> %out\n");
    ck_assert_int_eq(program->steps.n, 1);
    ck_assert_int_eq(program->kernel[program->steps.step[0].kernel]->stage[1].n_out, 1);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(values_that_are_kept_are_stored)
{
    fx_context *context = fx_context_new();
    fx_program *program = fuse(
        context, "program inputs 2 outputs 2\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %o0: f32[8,20] output 0\n"
                 "buf %o1: f32[8,20] output 1\nbuf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\n" ADD("add")
                     RELU("relu") "run add(%x, %z, %t)\nrun relu(%t, %u)\nwriteback %t -> %o0\nwriteback %u -> %o1\n");
    ck_assert_int_eq(program->steps.n, 1);
    ck_assert_int_eq(program->kernel[program->steps.step[0].kernel]->stage[0].n_out, 2);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(tails_follow_contractions_and_reductions)
{
    check_steps("program inputs 2 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %z: f32[8,20] input 1\nbuf %w: f32[20,12] const\n"
                "buf %b: f32[20] const\nbuf %out: f32[8,20] output 0\nbuf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\nbuf %v: "
                "f32[8,20] temp\n" GEMM ADD("add")
                    RELU("relu") "run gemm(%x, %w, %b, %t)\nrun add(%t, %z, %u)\nrun relu(%u, %v)\nwriteback %v -> %out\n",
                1);
    check_steps(
        "program inputs 2 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %z: f32[8] input 1\nbuf %t: f32[8] temp\nbuf %u: f32[8] temp\n"
        "buf %out: f32[8] output 0\n"
        "kernel mean(x: f32[8,12], out y: f32[8]) {\n for i:8 ; j:12\n s = sum(x[i,j]) over j\n y[i] = s * 0.25\n}\n"
        "kernel add(a: f32[8], b: f32[8], out y: f32[8]) {\n for i:8\n y[i] = a[i] + b[i]\n}\n"
        "run mean(%x, %t)\nrun add(%t, %z, %u)\nwriteback %u -> %out\n",
        1);
}
END_TEST

/* A MAP never enters a CONTRACT's operand; the record says so. */
START_TEST(operands_of_contractions_stay_loads)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %w: f32[20,12] const\nbuf %b: f32[20] const\n"
                "buf %t: f32[8,12] temp\nbuf %u: f32[8,20] temp\nbuf %out: f32[8,20] output 0\n"
                "kernel relu(a: f32[8,12], out y: f32[8,12]) {\n for i:8 j:12\n y[i,j] = relu(a[i,j])\n}\n" GEMM
                "run relu(%x, %t)\nrun gemm(%t, %w, %b, %u)\nwriteback %u -> %out\n",
                2);
    check_steps(
        "program inputs 1 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %w: f32[12] const\nbuf %t: f32[8,12] temp\n"
        "buf %u: f32[8] temp\nbuf %out: f32[8] output 0\n"
        "kernel relu(a: f32[8,12], out y: f32[8,12]) {\n for i:8 j:12\n y[i,j] = relu(a[i,j])\n}\n"
        "kernel gemv(x: f32[8,12], w: f32[12], out y: f32[8]) {\n for i:8 ; k:12\n s = dot(x[i,k] * w[k]) over k\n y[i] = s\n}\n"
        "run relu(%x, %t)\nrun gemv(%t, %w, %u)\nwriteback %u -> %out\n",
        2); /* even when each element is loaded once */
}
END_TEST

/* Residual block: the sum's tail goes to the later producer; the earlier one is stored and loaded. */
START_TEST(tails_skip_over_unrelated_steps)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %w: f32[20,12] const\nbuf %b: f32[20] const\n"
                "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\nbuf %v: f32[8,20] temp\nbuf %r: f32[8,20] temp\nbuf %out: "
                "f32[8,20] output 0\n" GEMM ADD("add")
                    RELU("relu") "run gemm(%x, %w, %b, %t)\nrun gemm(%x, %w, %b, %u)\nrun add(%t, %u, %v)\nrun relu(%v, %r)\n"
                                 "writeback %r -> %out\n",
                2);
}
END_TEST

/* x -> a -> b and c = f(a, b): joining a with c would put c before b. */
START_TEST(a_path_through_a_third_kernel_keeps_them_apart)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %w: f32[20,12] const\nbuf %v2: f32[20,20] const\nbuf "
                "%b: f32[20] const\n"
                "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\nbuf %v: f32[8,20] temp\nbuf %out: f32[8,20] output 0\n" GEMM
                "kernel square(a: f32[8,20], w: f32[20,20], out y: f32[8,20]) {\n for m:8 n:20 ; k:20\n c = dot(a[m,k] * w[n,k]) "
                "over k\n y[m,n] = c\n}\n" ADD(
                    "add") "run gemm(%x, %w, %b, %t)\nrun square(%t, %v2, %u)\nrun add(%t, %u, %v)\nwriteback %v -> %out\n",
                2);
}
END_TEST

/* Permutations, broadcasts, windows: indices compose, expensive expressions are not repeated. */
START_TEST(indices_compose)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %t: f32[20,8] temp\nbuf %u: f32[20,8] temp\nbuf %out: "
                "f32[20,8] output 0\n"
                "kernel turn(a: f32[8,20], out y: f32[20,8]) {\n for i:20 j:8\n y[i,j] = a[j,i] * f32(i)\n}\n"
                "kernel relu(a: f32[20,8], out y: f32[20,8]) {\n for i:20 j:8\n y[i,j] = relu(a[i,j])\n}\n"
                "run turn(%x, %t)\nrun relu(%t, %u)\nwriteback %u -> %out\n",
                1);
    const char *pool = "program inputs 1 outputs 1\nbuf %%x: f32[22] input 0\nbuf %%t: f32[22] temp\nbuf %%u: f32[20] temp\nbuf "
                       "%%out: f32[20] output 0\n"
                       "kernel pre(a: f32[22], out y: f32[22]) {\n for i:22\n y[i] = %s(a[i])\n}\n"
                       "kernel pool(a: f32[22], out y: f32[20]) {\n for i:20 ; k:3\n m = max(a[i+k]) over k\n y[i] = m\n}\n"
                       "run pre(%%x, %%t)\nrun pool(%%t, %%u)\nwriteback %%u -> %%out\n";
    char text[1000];
    snprintf(text, sizeof text, pool, "relu");
    check_steps(text, 1);
    snprintf(text, sizeof text, pool, "exp");
    check_steps(text, 2);
}
END_TEST

/* A reader behind a guard gets the fill, not f(fill). */
START_TEST(nothing_is_inlined_through_a_guard)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[20] input 0\nbuf %t: f32[20] temp\nbuf %u: f32[24] temp\nbuf %out: "
                "f32[24] output 0\n"
                "kernel pre(a: f32[20], out y: f32[20]) {\n for i:20\n y[i] = a[i] + 1.0\n}\n"
                "kernel pad(a: f32[20], out y: f32[24]) {\n for i:24\n y[i] = a[i-2]?0\n}\n"
                "run pre(%x, %t)\nrun pad(%t, %u)\nwriteback %u -> %out\n",
                2);
}
END_TEST

/* A result that leaves channels-last is turned by a copy of its own, not by scattered stores of the contraction. */
START_TEST(a_transposing_copy_is_no_tail)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,12] input 0\nbuf %w: f32[20,12] const\nbuf %b: f32[20] const\n"
                "buf %t: f32[8,20] temp\nbuf %u: f32[20,8] temp\nbuf %out: f32[20,8] output 0\n" GEMM
                "kernel turn(a: f32[8,20], out y: f32[20,8]) {\n for i:20 j:8\n y[i,j] = a[j,i]\n}\n"
                "run gemm(%x, %w, %b, %t)\nrun turn(%t, %u)\nwriteback %u -> %out\n",
                2);
}
END_TEST

START_TEST(softmax_takes_a_tail_and_keeps_its_local)
{
    const char *text =
        "program inputs 2 outputs 1\nbuf %x: f32[6,20] input 0\nbuf %z: f32[6,20] input 1\nbuf %t: f32[6,20] temp\n"
        "buf %u: f32[6,20] temp\nbuf %out: f32[6,20] output 0\n"
        "kernel softmax(x: f32[6,20], out y: f32[6,20], local e: f32[20] in y) {\n for i:6 ; j:20\n m = max(x[i,j]) over j\n"
        " e[j] = exp(x[i,j] - m) over j\n s = sum(e[j]) over j\n y[i,j] = e[j] / s over j\n}\n"
        "kernel add(a: f32[6,20], b: f32[6,20], out y: f32[6,20]) {\n for i:6 j:20\n y[i,j] = a[i,j] + b[i,j]\n}\n"
        "run softmax(%x, %t, _)\nrun add(%t, %z, %u)\nwriteback %u -> %out\n";
    check_steps(text, 1);
}
END_TEST

START_TEST(the_option_keeps_everything_apart)
{
    fx_context *context = fx_context_new();
    const pc_pass passes[] = {fx__pass_fuse};
    fx_pass_options options = {.no_fusion = true};
    fx_program *program = pc_check(
        context, HEAD ADD("add") RELU("relu") "run add(%x, %z, %t)\nrun relu(%t, %u)\nwriteback %u -> %out\n", passes, 1, &options);
    ck_assert_int_eq(program->steps.n, 2);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* Attention: scores, softmax, mean of the values; heads lie side by side in memory. */
#define ATTENTION_KERNELS                                                                                                          \
    "kernel scores(q: f32[5,2,8], k: f32[7,2,8], out y: f32[2,5,7]) {\n for h:2 t:5 j:7 ; d:8\n"                                   \
    " c = dot(q[t,h,d] * k[j,h,d]) over d\n y[h,t,j] = c * 0.5\n}\n"                                                               \
    "kernel softmax(x: f32[2,5,7], out y: f32[2,5,7], local e: f32[7]) {\n for h:2 t:5 ; j:7\n m = max(x[h,t,j]) over j\n"         \
    " e[j] = exp(x[h,t,j] - m) over j\n s = sum(e[j]) over j\n y[h,t,j] = e[j] * (1.0 / s) over j\n}\n"                            \
    "kernel mean(p: f32[2,5,7], v: f32[7,2,8], out y: f32[5,2,8]) {\n for h:2 t:5 e:8 ; j:7\n"                                     \
    " c = dot(p[h,t,j] * v[j,h,e]) over j\n y[t,h,e] = c\n}\n"
#define ATTENTION_HEAD                                                                                                             \
    "program inputs 3 outputs 1\nbuf %q: f32[5,2,8] input 0\nbuf %k: f32[7,2,8] input 1\nbuf %v: f32[7,2,8] input 2\n"             \
    "buf %s: f32[2,5,7] temp\nbuf %p: f32[2,5,7] temp\nbuf %y: f32[5,2,8] temp\nbuf %out: f32[5,2,8] output 0\n"

START_TEST(rows_between_contractions_stay_with_them)
{
    fx_context *context = fx_context_new();
    fx_program *program = fuse(context, ATTENTION_HEAD ATTENTION_KERNELS
                               "run scores(%q, %k, %s)\nrun softmax(%s, %p, _)\nrun mean(%p, %v, %y)\nwriteback %y -> %out\n");
    ck_assert_int_eq(program->steps.n, 1);
    const fx_kernel *kernel = program->kernel[program->steps.step[0].kernel];
    int locals = 0;
    for (int a = 0; a < kernel->n_arg; a++) locals += kernel->arg[a].role == FX_ARG_LOCAL;
    ck_assert_int_eq(locals, 1); /* scores, exponentials and weights take the same place in turn */
    ck_assert_int_eq(kernel->n_outer, 2);
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

/* Scores that leave the program are stored: nothing is joined. */
START_TEST(scores_that_others_read_are_stored)
{
    check_steps("program inputs 3 outputs 2\nbuf %q: f32[5,2,8] input 0\nbuf %k: f32[7,2,8] input 1\nbuf %v: f32[7,2,8] input 2\n"
                "buf %s: f32[2,5,7] temp\nbuf %p: f32[2,5,7] temp\nbuf %y: f32[5,2,8] temp\nbuf %out: f32[5,2,8] output 0\n"
                "buf %o1: f32[2,5,7] output 1\n" ATTENTION_KERNELS
                "run scores(%q, %k, %s)\nrun softmax(%s, %p, _)\nrun mean(%p, %v, %y)\nwriteback %y -> %out\nwriteback %s -> %o1\n",
                3);
}
END_TEST

FX_TESTS("fuse", rows_between_contractions_stay_with_them, scores_that_others_read_are_stored, chains_become_one,
         a_value_with_two_readers_is_computed_once, values_that_are_kept_are_stored, values_without_readers_are_not_stored,
         tails_follow_contractions_and_reductions, operands_of_contractions_stay_loads, tails_skip_over_unrelated_steps,
         a_path_through_a_third_kernel_keeps_them_apart, indices_compose, nothing_is_inlined_through_a_guard,
         a_transposing_copy_is_no_tail, softmax_takes_a_tail_and_keeps_its_local, the_option_keeps_everything_apart)
