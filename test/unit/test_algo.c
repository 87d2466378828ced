/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms: panels of constant factors, transposed run-time factors, permuted weights, split reductions. */
#include "program_check.h"

static fx_program *algo(fx_context *context, const char *text, const char *cpu)
{
    const pc_pass passes[] = {fx__pass_algo};
    fx_target target = pc_target(context, cpu);
    fx_pass_options options = {.target = &target};
    return pc_check(context, text, passes, 1, &options);
}

/* Numbers of init steps and steps afterwards, and a piece of text that must be there. */
static void check(const char *text, int n_init, int n_steps, const char *piece)
{
    fx_context *context = fx_context_new();
    static const char *const cpus[] = {"sapphirerapids", "x86-64-v3", "x86-64"};
    for (int i = 0; i < 3; i++) {
        fx_program *program = algo(context, text, cpus[i]);
        bool found = i > 0 || pc_count(program, piece) > 0;
        if (program->init.n != n_init || program->steps.n != n_steps || !found) {
            pc_dump(program);
            ck_abort_msg("%d init steps, %d steps; expected %d, %d and %s", program->init.n, program->steps.n, n_init, n_steps,
                         piece);
        }
        fx__program_free(program);
    }
    fx_context_free(context);
}

static const char linear[] =
    "program inputs 1 outputs 1\nbuf %%x: f32[%d,12] input 0\nbuf %%w: f32[%d,12] const\nbuf %%b: f32[%d] const\n"
    "buf %%out: f32[%d,%d] output 0\n"
    "kernel gemm(a: f32[%d,12], w: f32[%d,12], bias: f32[%d], out y: f32[%d,%d]) {\n for m:%d n:%d ; k:12\n"
    " c = dot(a[m,k] * w[n,k]) over k\n y[m,n] = c + bias[n]\n}\nrun gemm(%%x, %%w, %%b, %%out)\n";

static void check_linear(int m, int n, const char *piece)
{
    char text[1000];
    snprintf(text, sizeof text, linear, m, n, n, m, n, m, n, n, m, n, m, n);
    check(text, 1, 1, piece);
}

START_TEST(constant_factors_become_panels)
{
    check_linear(64, 96, "[3,12,32]");
    check_linear(64, 100, "[1,12,112]"); /* seven vectors, none in vain */
    check_linear(64, 1000, "[32,12,32]");
    check_linear(8, 20, "[1,12,32]");
    check_linear(1, 1000, "[8,12,128]"); /* one row: wide panels */
    check_linear(3, 7, "[1,12,16]");
}
END_TEST

START_TEST(a_single_column_is_a_reduction)
{
    fx_context *context = fx_context_new();
    char text[1000];
    snprintf(text, sizeof text, linear, 8, 1, 1, 8, 1, 8, 1, 1, 8, 1, 8, 1);
    fx_program *program = algo(context, text, "sapphirerapids");
    ck_assert_int_eq(pc_count(program, "dot("), pc_count(program, "dot(")); /* either form computes the same: pc_check saw to it */
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(convolutions_have_panels_of_their_windows)
{
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[2,9,9,5] input 0\nbuf %w: f32[40,5,3,3] const\nbuf %out: f32[2,9,9,40] output 0\n"
        "kernel conv(x: f32[2,9,9,5], w: f32[40,5,3,3], out y: f32[2,9,9,40]) {\n for n:2 h:9 w_:9 o:40 ; kh:3 kw:3 c:5\n"
        " s = dot(x[n,h+kh-1,w_+kw-1,c]?0 * w[o,c,kh,kw]) over kh kw c\n y[n,h,w_,o] = relu(s)\n}\nrun conv(%x, %w, %out)\n",
        1, 1, "[1,3,3,5,48]");
}
END_TEST

/* An image of three planes: K runs along rows of pixels, as memory does. */
START_TEST(loops_over_k_follow_the_first_factor)
{
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[2,3,9,9] input 0\nbuf %w: f32[40,3,3,3] const\nbuf %out: f32[2,9,9,40] output 0\n"
        "kernel conv(x: f32[2,3,9,9], w: f32[40,3,3,3], out y: f32[2,9,9,40]) {\n for n:2 h:9 w_:9 o:40 ; kh:3 kw:3 c:3\n"
        " s = dot(x[n,c,h+kh-1,w_+kw-1]?0 * w[o,c,kh,kw]) over kh kw c\n y[n,h,w_,o] = relu(s)\n}\nrun conv(%x, %w, %out)\n",
        1, 1, "over c kh kw");
}
END_TEST

START_TEST(groups_are_batches_of_panels)
{
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[2,9,9,10] input 0\nbuf %w: f32[40,5,3,3] const\nbuf %out: f32[2,9,9,40] output 0\n"
        "kernel conv(x: f32[2,9,9,10], w: f32[40,5,3,3], out y: f32[2,9,9,40]) {\n for n:2 h:9 w_:9 g:2 o:20 ; kh:3 kw:3 c:5\n"
        " s = dot(x[n,h+kh-1,w_+kw-1,5*g+c]?0 * w[20*g+o,c,kh,kw]) over kh kw c\n y[n,h,w_,20*g+o] = relu(s)\n}\nrun conv(%x, %w, "
        "%out)\n",
        1, 1, "[2,3,3,5,20]");
}
END_TEST

/* Scores of attention: the second factor's unit stride is K, so it is turned around by a step of its own. */
START_TEST(run_time_factors_are_turned_when_needed)
{
    check("program inputs 2 outputs 1\nbuf %q: f32[2,3,10,16] input 0\nbuf %k: f32[2,3,11,16] input 1\nbuf %out: f32[2,3,10,11] "
          "output 0\n"
          "kernel scores(q: f32[2,3,10,16], k: f32[2,3,11,16], out y: f32[2,3,10,11]) {\n for b:2 h:3 i:10 j:11 ; d:16\n"
          " s = dot(q[b,h,i,d] * k[b,h,j,d]) over d\n y[b,h,i,j] = s * 0.25\n}\nrun scores(%q, %k, %out)\n",
          0, 2, "f32[6,1,16,16]");
    check("program inputs 2 outputs 1\nbuf %p: f32[2,3,10,11] input 0\nbuf %v: f32[2,3,11,16] input 1\nbuf %out: f32[2,3,10,16] "
          "output 0\n"
          "kernel mix(p: f32[2,3,10,11], v: f32[2,3,11,16], out y: f32[2,3,10,16]) {\n for b:2 h:3 i:10 d:16 ; j:11\n"
          " s = dot(p[b,h,i,j] * v[b,h,j,d]) over j\n y[b,h,i,d] = s\n}\nrun mix(%p, %v, %out)\n",
          0, 1, "dot(");
}
END_TEST

/* The result's unit axis belongs to the first factor: the roles change. */
START_TEST(roles_follow_the_result)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[12,40] input 0\nbuf %w: f32[20,12] const\nbuf %out: f32[20,40] output 0\n"
          "kernel left(a: f32[12,40], w: f32[20,12], out y: f32[20,40]) {\n for m:40 n:20 ; k:12\n"
          " c = dot(a[k,m] * w[n,k]) over k\n y[n,m] = c\n}\nrun left(%x, %w, %out)\n",
          0, 1, "dot(");
}
END_TEST

START_TEST(weights_of_depthwise_convolutions_are_permuted)
{
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[2,9,9,24] input 0\nbuf %w: f32[24,1,3,3] const\nbuf %out: f32[2,9,9,24] output 0\n"
        "kernel conv(x: f32[2,9,9,24], w: f32[24,1,3,3], out y: f32[2,9,9,24]) {\n for n:2 h:9 w_:9 g:24 ; kh:3 kw:3\n"
        " s = sum(x[n,h+kh-1,w_+kw-1,g]?0 * w[g,0,kh,kw]) over kh kw\n y[n,h,w_,g] = relu(s)\n}\nrun conv(%x, %w, %out)\n",
        1, 1, "f32[3,3,24] const");
}
END_TEST

START_TEST(long_reductions_are_cut)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[600,500] input 0\nbuf %out: f32[] output 0\n"
          "kernel mean(x: f32[600,500], out y: f32[]) {\n for ; i:600 j:500\n s = sum(x[i,j] * 2.0) over i j\n y[] = s * 0.5\n}\n"
          "run mean(%x, %out)\n",
          0, 2, "chunk:75");
    check("program inputs 1 outputs 1\nbuf %x: f32[2,300000] input 0\nbuf %out: f32[2] output 0\n"
          "kernel top(x: f32[2,300000], out y: f32[2]) {\n for i:2 ; j:300000\n s = max(x[i,j]) over j\n y[i] = s\n}\nrun top(%x, "
          "%out)\n",
          0, 2, "part");
    check("program inputs 1 outputs 1\nbuf %x: f32[60,50] input 0\nbuf %out: f32[] output 0\n"
          "kernel mean(x: f32[60,50], out y: f32[]) {\n for ; i:60 j:50\n s = sum(x[i,j]) over i j\n y[] = s\n}\nrun mean(%x, "
          "%out)\n",
          0, 1, "sum(");
}
END_TEST

/* Channels of several groups share a vector, and the weights lie as it reads them; groups of many channels keep their tile. */
START_TEST(narrow_groups_join)
{
    static const char form[] =
        "program inputs 1 outputs 1\nbuf %%x: f32[6,6,%d] input 0\nbuf %%w: f32[8,%d,%d,3,3] const\nbuf %%b: f32[%d] const\n"
        "buf %%out: f32[6,6,%d] output 0\n"
        "kernel conv(x: f32[6,6,%d], w: f32[8,%d,%d,3,3], b: f32[%d], out y: f32[6,6,%d]) {\n"
        " for h:6 i:6 g:8 o:%d ; c:%d kh:3 kw:3\n"
        " s = dot(x[h+kh-1,i+kw-1,%d*g+c]?0 * w[g,o,c,kh,kw]) over c kh kw\n y[h,i,%d*g+o] = relu(s + b[%d*g+o])\n}\n"
        "run conv(%%x, %%w, %%b, %%out)\n";
    for (int width = 2; width <= 8; width *= 2) {
        char text[1500];
        int c = 8 * width;
        snprintf(text, sizeof text, form, c, width, width, c, c, c, width, width, c, c, width, width, width, width, width);
        check(text, 1, 1, width == 2 ? "2*o/2+" : width == 4 ? "4*o/4+" : "dot(");
    }
}
END_TEST

FX_TESTS("algo", narrow_groups_join, constant_factors_become_panels, a_single_column_is_a_reduction,
         convolutions_have_panels_of_their_windows, loops_over_k_follow_the_first_factor, groups_are_batches_of_panels,
         run_time_factors_are_turned_when_needed, roles_follow_the_result, weights_of_depthwise_convolutions_are_permuted,
         long_reductions_are_cut)
