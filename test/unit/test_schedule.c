/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: which emitter, vector axis, tile and tasks a kernel gets; rules that hold for every schedule. */
#include "passes/tile.h"
#include "program_check.h"

static fx_program *schedule(fx_context *context, const char *text, const char *cpu)
{
    const pc_pass passes[] = {fx__pass_algo, fx__pass_place, fx__pass_schedule};
    fx_target target = pc_target(context, cpu);
    fx_pass_options options = {.target = &target};
    fx_program *program = pc_check(context, text, passes, 3, &options);
    ck_assert(program->scheduled);
    return program;
}

/* What must hold for any schedule, whatever was chosen. */
static void check_rules(const fx_program *program, const fx_target *target)
{
    for (int32_t i = 0; i < program->n_kernel; i++) {
        const fx_kernel *kernel = program->kernel[i];
        const fx_sched *s = &kernel->sched;
        bool seen[FX_AXES] = {false};
        ck_assert_int_eq(s->n_order, kernel->n_outer);
        for (int o = 0; o < s->n_order; o++) {
            ck_assert(s->order[o] < kernel->n_outer && !seen[s->order[o]]);
            seen[s->order[o]] = true;
        }
        for (int t = 0; t < s->n_task; t++) {
            int at = 0;
            while (s->order[at] != s->task[t]) at++;
            ck_assert(t == 0 || s->order[at - 1] == s->task[t - 1]);
        }
        ck_assert_int_eq(s->n_task > 0, s->grain > 0);
        ck_assert((s->lanes == 1) == (s->vec == FX_NO_AXIS));
        if (s->emit == FX_EMIT_TILE) ck_assert_int_le(s->mr * s->nv + s->nv + 1, target->vregs - target->reserve);
    }
}

static void check(const char *text, const char *expected)
{
    fx_context *context = fx_context_new();
    static const char *const cpus[] = {"sapphirerapids", "x86-64-v3", "x86-64", "x86-64-v4"};
    for (int i = 0; i < 4; i++) {
        fx_target target = pc_target(context, cpus[i]);
        fx_program *program = schedule(context, text, cpus[i]);
        check_rules(program, &target);
        if (i == 0 && pc_count(program, expected) == 0) {
            pc_dump(program);
            ck_abort_msg("no \"%s\"", expected);
        }
        fx__program_free(program);
    }
    fx_context_free(context);
}

START_TEST(maps_run_along_their_unit_axis)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %y: f32[8,20] output 0\n"
          "kernel k(a: f32[8,20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = relu(a[i,j])\n}\nrun k(%x, %y)\n",
          "sched flat vec i*16 unroll 4 order(i)");
    check("program inputs 2 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %b: f32[20] input 1\nbuf %y: f32[8,20] output 0\n"
          "kernel k(a: f32[8,20], b: f32[20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = relu(a[i,j] + b[j])\n}\n"
          "run k(%x, %b, %y)\n",
          "sched flat vec j*16 unroll 4 order(i,j)");
    check("program inputs 1 outputs 1\nbuf %x: i8[8,200] input 0\nbuf %y: f64[8,200] output 0\n"
          "kernel k(a: i8[8,200], out y: f64[8,200]) {\n for i:8 j:200\n y[i,j] = f64(a[i,j])\n}\nrun k(%x, %y)\n",
          "sched flat vec i*8");
    check("program inputs 1 outputs 1\nbuf %x: f32[] input 0\nbuf %y: f32[] output 0\n"
          "kernel k(a: f32[], out y: f32[]) {\n for\n y[] = relu(a[])\n}\nrun k(%x, %y)\n",
          "sched flat vec _*1");
}
END_TEST

START_TEST(transposes_are_blocked)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[80,200] input 0\nbuf %y: f32[200,80] output 0\n"
          "kernel k(a: f32[80,200], out y: f32[200,80]) {\n for i:200 j:80\n y[i,j] = a[j,i]\n}\nrun k(%x, %y)\n",
          "sched copy2d vec j*16 unroll 1 vec2 i");
}
END_TEST

START_TEST(large_maps_are_shared_out)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[1000,2000] input 0\nbuf %y: f32[1000,2000] output 0\n"
          "kernel k(a: f32[1000,2000], out y: f32[1000,2000]) {\n for i:1000 j:2000\n y[i,j] = relu(a[i,j])\n}\nrun k(%x, %y)\n",
          "parallel");
    check("program inputs 1 outputs 1\nbuf %x: f32[2000000] input 0\nbuf %y: f32[2000000] output 0\n"
          "kernel k(a: f32[2000000], out y: f32[2000000]) {\n for i:2000000\n y[i] = relu(a[i])\n}\nrun k(%x, %y)\n",
          "task(i)");
}
END_TEST

START_TEST(reductions_run_in_columns_or_rows)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[2,8,8,40] input 0\nbuf %y: f32[2,4,4,40] output 0\n"
          "kernel pool(x: f32[2,8,8,40], out y: f32[2,4,4,40]) {\n for n:2 h:4 w:4 c:40 ; kh:2 kw:2\n m = "
          "max(x[n,2*h+kh,2*w+kw,c]) over kh kw\n"
          " y[n,h,w,c] = m\n}\nrun pool(%x, %y)\n",
          "sched column vec c*16");
    check("program inputs 1 outputs 1\nbuf %x: f32[6,200] input 0\nbuf %y: f32[6,200] output 0\n"
          "kernel softmax(x: f32[6,200], out y: f32[6,200], local e: f32[200] in y) {\n for i:6 ; j:200\n m = max(x[i,j]) over j\n"
          " e[j] = x[i,j] - m over j\n s = sum(e[j]) over j\n y[i,j] = e[j] + s over j\n}\nrun softmax(%x, %y, _)\n",
          "sched row vec j*16 unroll 4");
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[60,50] input 0\nbuf %y: f32[50] output 0\n"
        "kernel down(x: f32[60,50], out y: f32[50]) {\n for j:50 ; i:60\n s = sum(x[i,j]) over i\n y[j] = s\n}\nrun down(%x, %y)\n",
        "sched column vec j*16");
    check("program inputs 1 outputs 1\nbuf %x: f32[60,50] input 0\nbuf %y: f32[60] output 0\n"
          "kernel along(x: f32[60,50], out y: f32[60]) {\n for i:60 ; j:50\n s = sum(x[i,j]) over j\n y[i] = s\n}\nrun along(%x, "
          "%y)\n",
          "sched row vec j*16");
}
END_TEST

static void check_large(const char *text, const char *expected)
{
    fx_context *context = fx_context_new();
    fx_program *program;
    fx_target target = pc_target(context, "sapphirerapids");
    fx_pass_options options = {.target = &target};
    CHECK_OK(context, fx__program_parse(context, "kernel", text, strlen(text), &program));
    CHECK_OK(context, fx__pass_algo(program, &options));
    CHECK_OK(context, fx__pass_schedule(program, &options));
    check_rules(program, &target);
    if (pc_count(program, expected) == 0) {
        pc_dump(program);
        ck_abort_msg("no \"%s\"", expected);
    }
    fx__program_free(program);
    fx_context_free(context);
}

/* The tile's own axis is no task, so that its border is known; small images are walked through by blocks of channels. */
START_TEST(depthwise_convolutions_share_rows)
{
    static const char form[] =
        "program inputs 2 outputs 1\nbuf %%x: f32[1,%d,%d,%d] input 0\nbuf %%w: f32[3,3,%d] input 1\n"
        "buf %%y: f32[1,%d,%d,%d] output 0\n"
        "kernel conv(x: f32[1,%d,%d,%d], w: f32[3,3,%d], out y: f32[1,%d,%d,%d]) {\n for h:%d i:%d c:%d ; kh:3 kw:3\n"
        " s = sum(x[0,h+kh-1,i+kw-1,c]?0 * w[kh,kw,c]) over kh kw\n y[0,h,i,c] = relu(s)\n}\nrun conv(%%x, %%w, %%y)\n";
    char text[1024];
    for (int i = 0; i < 2; i++) {
        int n = i ? 14 : 56, c = i ? 384 : 144;
        snprintf(text, sizeof text, form, n, n, c, c, n, n, c, n, n, c, c, n, n, c, n, n, c);
        check_large(text, i ? "row i mr 7 nv 1 task(h) grain 3 order(c,h,i)\n" : "row i mr 8 nv 1 task(h) grain 1 order(h,i,c)");
    }
}
END_TEST

/* Entering the team costs more than one kernel of a dozen microseconds gains. */
START_TEST(a_short_run_shares_nothing)
{
    static const char kernel[] = "kernel k(a: f32[240,512], out y: f32[240,512]) {\n for i:240 j:512\n y[i,j] = exp(a[i,j])\n}\n";
    char text[1024];
    for (int runs = 1; runs <= 8; runs += 7) {
        int at = snprintf(text, sizeof text, "program inputs 1 outputs %d\nbuf %%x: f32[240,512] input 0\n", runs);
        for (int r = 0; r < runs; r++)
            at += snprintf(text + at, sizeof text - (size_t)at, "buf %%y%d: f32[240,512] output %d\n", r, r);
        at += snprintf(text + at, sizeof text - (size_t)at, "%s", kernel);
        for (int r = 0; r < runs; r++) at += snprintf(text + at, sizeof text - (size_t)at, "run k(%%x, %%y%d)\n", r);
        check_large(text, runs == 1 ? "task(i) grain 384 order(i)\n" : "task(i) grain 384 order(i) parallel");
    }
}
END_TEST

START_TEST(products_have_tiles)
{
    check("program inputs 1 outputs 1\nbuf %x: f32[64,12] input 0\nbuf %w: f32[96,12] const\nbuf %out: f32[64,96] output 0\n"
          "kernel gemm(a: f32[64,12], w: f32[96,12], out y: f32[64,96]) {\n for m:64 n:96 ; k:12\n"
          " c = dot(a[m,k] * w[n,k]) over k\n y[m,n] = relu(c)\n}\nrun gemm(%x, %w, %out)\n",
          "sched tile vec n*16 unroll 2 row m mr 13 nv 2");
    check("program inputs 1 outputs 1\nbuf %x: f32[1,12] input 0\nbuf %w: f32[1000,12] const\nbuf %out: f32[1,1000] output 0\n"
          "kernel gemv(a: f32[1,12], w: f32[1000,12], out y: f32[1,1000]) {\n for m:1 n:1000 ; k:12\n"
          " c = dot(a[m,k] * w[n,k]) over k\n y[m,n] = relu(c)\n}\nrun gemv(%x, %w, %out)\n",
          "nv 8");
}
END_TEST

/* A product, too large to be evaluated here, by a constant [n,k] or a run-time B [k,n]. */
static void check_product(int m, int n, int k, bool constant, const char *expected)
{
    char text[1024], w[32];
    snprintf(w, sizeof w, "f32[%d,%d]", constant ? n : k, constant ? k : n);
    snprintf(text, sizeof text,
             "program inputs 2 outputs 1\nbuf %%x: f32[%d,%d] input 0\nbuf %%w: %s %s\nbuf %%out: f32[%d,%d] output 0\n"
             "kernel gemm(a: f32[%d,%d], w: %s, out y: f32[%d,%d]) {\n for m:%d n:%d ; k:%d\n"
             " c = dot(a[m,k] * w[%s]) over k\n y[m,n] = relu(c)\n}\nrun gemm(%%x, %%w, %%out)\n",
             m, k, w, constant ? "const" : "input 1", m, n, m, k, w, m, n, m, n, k, constant ? "n,k" : "k,n");
    check_large(text, expected);
}

/* A B that fits the second-level cache is met by tile after tile, whose next rows are fetched; a larger one goes through it once,
 * by panels when A fits, else by blocks of panels. Rows that lie whole pages apart make low tiles. */
START_TEST(products_walk_through_caches)
{
    check_product(500, 512, 500, true, "mr 13 nv 2 task(m) grain 1 order(m,q,n) fetch a 4 parallel");
    check_product(49, 2048, 500, true, "mr 13 nv 2 task(q) grain 1 order(q,m,n) fetch b 32 parallel");
    check_product(900, 960, 900, true, "mr 13 nv 2 task(q) grain 1 order(q,m,n) block 6 fetch a 9 fetch b 2 parallel");
    check_product(1024, 1024, 1024, true, "mr 6 nv 4 task(q) grain 1 order(q,m,n) block 2 fetch a 12 fetch b 2 parallel");
}
END_TEST

/* A run-time B beyond the second-level cache goes through panels that the first tile of rows makes, unless rows are few. */
START_TEST(products_make_panels)
{
    check_product(1024, 1024, 1024, false, "mr 6 nv 4 task(n) grain 1 order(m,n) block 2 pack fetch a 12 parallel");
    check_product(500, 512, 500, false, "mr 13 nv 2 task(m) grain 1 order(m,n) fetch a 4 parallel");
    check_product(60, 1024, 1024, false, "mr 6 nv 4 task(m) grain 1 order(m,n) fetch a 2 parallel");
}
END_TEST

/* A product with one row is a walk through its weights: shared by columns when these come from beyond the second-level cache. */
START_TEST(single_rows_share_columns)
{
    check_product(1, 1024, 1024, true, "mr 1 nv 8 task(q) grain 1 order(q,n) parallel");
    check_product(1, 256, 256, true, "mr 1 nv 8 order(q,n)\n");
}
END_TEST

START_TEST(convolutions_merge_their_inner_loops)
{
    check(
        "program inputs 1 outputs 1\nbuf %x: f32[1,14,14,32] input 0\nbuf %w: f32[64,32,3,3] const\nbuf %out: f32[1,14,14,64] "
        "output 0\n"
        "kernel conv(x: f32[1,14,14,32], w: f32[64,32,3,3], out y: f32[1,14,14,64]) {\n for n:1 h:14 w_:14 o:64 ; kh:3 kw:3 c:32\n"
        " s = dot(x[n,h+kh-1,w_+kw-1,c]?0 * w[o,c,kh,kw]) over kh kw c\n y[n,h,w_,o] = relu(s)\n}\nrun conv(%x, %w, %out)\n",
        "row w_ mr 7 nv 2 k(0,1,1)");
}
END_TEST

/* Small at the hint of a size, and large in another run: cut into chunks that are worth a thread. */
START_TEST(sizes_of_a_run_decide_what_is_shared)
{
    check("program inputs 1 outputs 1\nsym s0 in [1,4096] hint 64 multiple 1 from input 0 axis 0\nbuf %x: f32[s0,64] input 0\n"
          "buf %y: f32[s0,64] output 0\n"
          "kernel k(a: f32[s0,64], out y: f32[s0,64]) {\n for i:(s0) j:64\n y[i,j] = relu(a[i,j])\n}\nrun k(%x, %y)\n",
          "task(i) grain 750 order(i) parallel");
}
END_TEST

/* Rows whose distance is known at run time only need a pointer each: fewer of them. */
START_TEST(tiles_of_far_rows_are_low)
{
    fx_context *context = fx_context_new();
    fx_target target = pc_target(context, "sapphirerapids");
    fx_tile_task task = {.lanes = 16, .rows = 512, .columns = 64, .row_bytes = 2048, .contracts = 1};
    ck_assert_int_eq(fx__tile_choose(&target, &task, 0).mr, 13);
    task.far_rows = true;
    ck_assert_int_le(fx__tile_choose(&target, &task, 0).mr, 8);
    fx_context_free(context);
}
END_TEST

FX_TESTS("schedule", maps_run_along_their_unit_axis, transposes_are_blocked, large_maps_are_shared_out,
         sizes_of_a_run_decide_what_is_shared, reductions_run_in_columns_or_rows, depthwise_convolutions_share_rows,
         a_short_run_shares_nothing, products_have_tiles, tiles_of_far_rows_are_low, products_walk_through_caches,
         products_make_panels, single_rows_share_columns, convolutions_merge_their_inner_loops)
