/* SPDX-License-Identifier: Apache-2.0 */
/* The tile emitter against the evaluator, bit for bit: inputs are small integers, so sums are exact in any order. Outputs and
 * scratch are poisoned before each run, and chunks are run in two calls. */
#include "harness.h"
#include "tile_case.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 8192, MARGIN = 64 };

/* ---- Running a text both ways -------------------------------------------------------------------------------------------- */

typedef struct trial {
    fx_context *context;
    fx_program *program;
    int64_t sym[4];
    fx_tensor in[FX_ARGS], want[FX_ARGS], got[FX_ARGS];
    int n_in, n_out;
} trial;

static fx_tensor make(trial *t, const fx_buf *buf)
{
    int64_t dim[FX_RANK];
    fx_tensor tensor;
    for (int d = 0; d < buf->rank; d++) dim[d] = fx__dim_eval(t->program->dims, buf->dim[d], t->sym);
    CHECK_OK(t->context, fx_tensor_alloc(buf->dtype, buf->rank, dim, &tensor));
    return tensor;
}

static void fill(fx_tensor *tensor, uint64_t *seed)
{
    int64_t n = fx_tensor_elems(tensor);
    int low = fx_dtype_is_signed(tensor->dtype) ? -3 : 0;
    for (int64_t i = 0; i < n; i++) fx_tensor_set(tensor, i, (double)((int)(fx_test_random(seed) % 7) + low));
}

static void open_trial(trial *t, const char *text, int64_t sym)
{
    uint64_t seed = 12345;
    *t = (trial){.context = fx_context_new(), .sym = {sym}};
    CHECK_OK(t->context, fx__program_parse(t->context, "tile", text, strlen(text), &t->program));
    for (int b = 0; b < t->program->n_buf; b++) {
        const fx_buf *buf = &t->program->buf[b];
        if (buf->role == FX_BUF_INPUT) {
            t->in[buf->index] = make(t, buf);
            fill(&t->in[buf->index], &seed);
            t->n_in++;
        } else {
            t->want[buf->index] = make(t, buf);
            t->got[buf->index] = make(t, buf);
            t->n_out++;
        }
    }
}

static void close_trial(trial *t)
{
    for (int i = 0; i < t->n_in; i++) fx_tensor_release(&t->in[i]);
    for (int i = 0; i < t->n_out; i++) {
        fx_tensor_release(&t->want[i]);
        fx_tensor_release(&t->got[i]);
    }
    fx__program_free(t->program);
    fx_context_free(t->context);
}

/* The kernel's chunks in two calls, with exact-size copies of all tensors behind a poisoned margin. */
static void run_native(trial *t)
{
    const fx_program *program = t->program;
    const fx_kernel *kernel = program->kernel[0];
    const fx_step *step = &program->steps.step[0];
    kernel_code code;
    void *arg[FX_ARGS + 1] = {0};
    int64_t dim[4];
    int32_t syms[FX_KERNEL_SYMS];
    for (int i = 0; i < kernel->n_arg; i++) {
        const fx_buf *buf = &program->buf[step->bind[i].buf];
        arg[i] = buf->role == FX_BUF_INPUT ? t->in[buf->index].data : t->got[buf->index].data;
    }
    int32_t n_sym = fx__kernel_syms(program, kernel, syms);
    for (int32_t i = 0; i < n_sym; i++) dim[i] = t->sym[syms[i]];
    for (int i = 0; i < t->n_out; i++) memset(t->got[i].data, 0xa5, (size_t)fx_tensor_bytes(&t->got[i]));
    CHECK_OK(t->context, kernel_compile(t->context, program, 0, &code));
    int64_t chunks = fx__dim_eval(program->dims, fx__sched_chunks(program->dims, kernel), t->sym), half = chunks / 2;
    int64_t scratch_bytes = fx__kernel_scratch_bytes(program, kernel);
    size_t room = (size_t)(scratch_bytes + 63) / 64 * 64;
    unsigned char *scratch = aligned_alloc(64, room + MARGIN);
    ck_assert(scratch != NULL);
    memset(scratch, 0x5a, room + MARGIN);
    fx_rt_job job = {.arg = arg, .dim = dim};
    code.run(&job, half, chunks, scratch);
    code.run(&job, 0, half, scratch);
    for (int i = 0; i < MARGIN; i++) ck_assert_msg(scratch[room + (size_t)i] == 0x5a, "scratch is too small");
    free(scratch);
    kernel_free(&code);
}

static void check_same(const trial *t, const char *text)
{
    for (int i = 0; i < t->n_out; i++) {
        int64_t bytes = fx_tensor_bytes(&t->want[i]), n = fx_tensor_elems(&t->want[i]);
        if (memcmp(t->want[i].data, t->got[i].data, (size_t)bytes) == 0) continue;
        int64_t first = 0;
        while (first < n && fx_tensor_get(&t->want[i], first) == fx_tensor_get(&t->got[i], first)) first++;
        ck_abort_msg("%s\nsymbol %ld, output %d, element %ld: want %g, got %g", text, (long)t->sym[0], i, (long)first,
                     fx_tensor_get(&t->want[i], first), fx_tensor_get(&t->got[i], first));
    }
}

static void check_text(const char *text, int64_t sym)
{
    trial t;
    open_trial(&t, text, sym);
    CHECK_OK(t.context, fx__program_verify(t.program, "the test"));
    CHECK_OK(t.context, fx__program_eval(t.program, t.in, t.want, NULL, t.sym));
    run_native(&t);
    check_same(&t, text);
    close_trial(&t);
}

static void check_gemm(gemm_case c)
{
    char text[TEXT_BYTES];
    gemm_text(&c, text, sizeof text);
    check_text(text, c.rows);
}

static void check_conv(conv_case c, int64_t width)
{
    char text[TEXT_BYTES];
    conv_text(&c, text, sizeof text);
    check_text(text, width);
}

/* ---- Matrix products ------------------------------------------------------------------------------------------------------ */

START_TEST(gemm_sizes_around_the_tile)
{
    static const int64_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 65};
    for (int i = 0; i < 28; i++) {
        int64_t n = sizes[i / 2];
        bool panels = i % 2;
        check_gemm((gemm_case){.m = 17, .k = 5, .n = n, .mr = 8, .nv = 3, .lanes = 16, .grain = 2, .panels = panels});
        check_gemm((gemm_case){.m = n, .k = 19, .n = 20, .mr = 6, .nv = 2, .lanes = 8, .grain = 3, .panels = panels});
    }
}
END_TEST

START_TEST(gemm_short_reductions)
{
    for (int64_t k = 0; k < 3; k++)
        check_gemm((gemm_case){.m = 9, .k = k, .n = 21, .mr = 4, .nv = 1, .lanes = 16, .grain = 1, .panels = true});
}
END_TEST

START_TEST(gemm_empty)
{
    check_gemm((gemm_case){.m = 0, .k = 4, .n = 16, .mr = 4, .nv = 1, .lanes = 16, .grain = 1, .panels = true});
}
END_TEST

START_TEST(gemm_one_row_wide_panel)
{
    check_gemm((gemm_case){.m = 1, .k = 33, .n = 300, .mr = 1, .nv = 8, .lanes = 16, .grain = 1, .panels = true});
    check_gemm((gemm_case){.m = 1, .k = 100, .n = 16, .mr = 1, .nv = 1, .lanes = 16, .grain = 1, .panels = true});
    check_gemm((gemm_case){.m = 1, .k = 7, .n = 3, .mr = 1, .nv = 1, .lanes = 1, .grain = 1});
}
END_TEST

START_TEST(gemm_symbolic_rows)
{
    static const int64_t rows[] = {0, 1, 2, 3, 5, 6, 7, 12, 13, 100};
    for (int i = 0; i < 20; i++)
        check_gemm((gemm_case){
            .m = -1, .rows = rows[i / 2], .k = 11, .n = 40, .mr = 6, .nv = 2, .lanes = 16, .grain = 2, .panels = i % 2});
}
END_TEST

/* Loop orders change when, not what: also blocks that end in the middle, and prefetching past the end. */
START_TEST(gemm_orders)
{
    for (int rows = -1; rows < 53; rows += 53) /* symbolic, then static */
        for (int block = 0; block <= 3; block++)
            check_gemm((gemm_case){.m = rows < 0 ? -1 : rows + 1,
                                   .rows = 53,
                                   .k = 21,
                                   .n = 100,
                                   .mr = 5,
                                   .nv = 2,
                                   .lanes = 16,
                                   .grain = 3,
                                   .panels = true,
                                   .rows_first = block == 0,
                                   .block = block == 1 ? 0 : block,
                                   .unroll = 1 + block,
                                   .fetch_a = 70,
                                   .fetch_b = block * 6});
}
END_TEST

START_TEST(gemm_dtypes)
{
    static const char *const types[][2] = {{"f64", "f64"}, {"f16", "f32"}, {"bf16", "f32"}, {"i8", "i32"},
                                           {"u8", "i32"},  {"i32", "i32"}, {"i64", "i64"}};
    for (int i = 0; i < 14; i++) {
        const char *const *type = types[i / 2];
        int lanes = strstr(type[1], "64") ? 8 : 16;
        check_gemm((gemm_case){
            .m = 11, .k = 13, .n = 27, .mr = 5, .nv = 2, .lanes = lanes, .grain = 2, .panels = i % 2, .a = type[0], .y = type[1]});
    }
}
END_TEST

/* Panels in scratch: columns and blocks that end in the middle, one tile of rows and several heights, chunks of a few strips. */
START_TEST(gemm_panels_made_by_the_tile)
{
    static const int64_t rows[] = {0, 1, 5, 6, 23, 25}, columns[] = {1, 16, 31, 32, 33, 64, 97, 160};
    for (int i = 0; i < 48; i++)
        check_gemm((gemm_case){.m = rows[i / 8],
                               .k = 1 + i % 5,
                               .n = columns[i % 8],
                               .mr = 5,
                               .nv = 2,
                               .lanes = 16,
                               .grain = 1 + i % 3,
                               .block = 1 + i % 4,
                               .unroll = 1 + i % 2,
                               .fetch_a = i % 3 * 8,
                               .pack = true});
}
END_TEST

/* Panels hold what is computed with; rows unknown until run time do without panels. */
START_TEST(gemm_made_panels_of_dtypes)
{
    static const char *const types[][2] = {{"f64", "f64"}, {"f16", "f32"}, {"bf16", "f32"}, {"i8", "i32"}, {"i64", "i64"}};
    for (int i = 0; i < 10; i++) {
        const char *const *type = types[i / 2];
        int lanes = strstr(type[1], "64") ? 8 : 16;
        check_gemm((gemm_case){.m = i % 2 ? 11 : -1,
                               .rows = 11,
                               .k = 13,
                               .n = 75,
                               .mr = 5,
                               .nv = 2,
                               .lanes = lanes,
                               .grain = 2,
                               .block = 2,
                               .pack = true,
                               .a = type[0],
                               .y = type[1]});
    }
}
END_TEST

/* Sums over two axes that A does not walk as one, in a batch that neither factor leaves out, and columns of two tiles. */
START_TEST(made_panels_of_a_batch)
{
    check_text("program inputs 2 outputs 1 placed scheduled planned\n"
               "buf %a: f32[3,17,5,7] input 0\nbuf %b: f32[3,7,5,72] input 1\nbuf %y: f32[3,17,72] output 0\n"
               "kernel k0(a: f32[3,17,5,7], b: f32[3,7,5,72], out y: f32[3,17,72]) {\n  for n:3 m:17 o:72 ; p:7 k:5\n"
               "  s = dot(a[n,m,k,p] * b[n,p,k,o]) over p k\n  y[n,m,o] = s\n"
               "  sched tile vec o*16 unroll 2 row m mr 6 nv 2 k(0,1) task(n) grain 2 order(n,m,o) block 2 pack\n}\n"
               "run k0(%a, %b, %y)\n",
               0);
}
END_TEST

START_TEST(gemm_scalar_lanes)
{
    check_gemm((gemm_case){.m = 5, .k = 7, .n = 6, .mr = 2, .nv = 2, .lanes = 1, .grain = 2});
}
END_TEST

/* ---- Convolutions --------------------------------------------------------------------------------------------------------- */

static const conv_case convs[] = {
    {.n = 1,
     .h = 7,
     .w = 7,
     .ic = 3,
     .oc = 32,
     .kh = 3,
     .kw = 3,
     .stride = 1,
     .before = 1,
     .after = 1,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 2},
    {.n = 2,
     .h = 9,
     .w = 30,
     .ic = 4,
     .oc = 20,
     .kh = 3,
     .kw = 3,
     .stride = 1,
     .before = 1,
     .after = 1,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 1},
    {.n = 1,
     .h = 12,
     .w = 29,
     .ic = 3,
     .oc = 16,
     .kh = 7,
     .kw = 7,
     .stride = 2,
     .before = 3,
     .after = 3,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 1},
    {.n = 1,
     .h = 10,
     .w = 17,
     .ic = 2,
     .oc = 40,
     .kh = 5,
     .kw = 5,
     .stride = 1,
     .before = 4,
     .after = 0,
     .dilation = 1,
     .groups = 1,
     .mr = 5,
     .nv = 2},
    {.n = 1,
     .h = 14,
     .w = 33,
     .ic = 5,
     .oc = 16,
     .kh = 3,
     .kw = 3,
     .stride = 1,
     .before = 4,
     .after = 4,
     .dilation = 4,
     .groups = 1,
     .mr = 3,
     .nv = 1},
    {.n = 1,
     .h = 8,
     .w = 15,
     .ic = 2,
     .oc = 16,
     .kh = 3,
     .kw = 3,
     .stride = 3,
     .before = 0,
     .after = 2,
     .dilation = 2,
     .groups = 2,
     .mr = 4,
     .nv = 1},
    {.n = 1,
     .h = 6,
     .w = 11,
     .ic = 3,
     .oc = 18,
     .kh = 2,
     .kw = 4,
     .stride = 2,
     .before = 1,
     .after = 1,
     .dilation = 1,
     .groups = 3,
     .mr = 6,
     .nv = 1},
    {.n = 1,
     .h = 5,
     .w = 9,
     .ic = 7,
     .oc = 16,
     .kh = 1,
     .kw = 1,
     .stride = 1,
     .before = 0,
     .after = 0,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 1},
    {.n = 1,
     .h = 5,
     .w = 9,
     .ic = 7,
     .oc = 16,
     .kh = 1,
     .kw = 1,
     .stride = 2,
     .before = 1,
     .after = 1,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 1},
    {.n = 1,
     .h = 3,
     .w = 2,
     .ic = 3,
     .oc = 16,
     .kh = 5,
     .kw = 5,
     .stride = 1,
     .before = 2,
     .after = 2,
     .dilation = 1,
     .groups = 1,
     .mr = 7,
     .nv = 1},
    {.n = 1,
     .h = 4,
     .w = 40,
     .ic = 2,
     .oc = 16,
     .kh = 3,
     .kw = 9,
     .stride = 1,
     .before = 12,
     .after = 12,
     .dilation = 3,
     .groups = 1,
     .mr = 2,
     .nv = 1}, /* more classes than there is room for */
};

START_TEST(conv_shapes)
{
    for (size_t i = 0; i < sizeof convs / sizeof convs[0]; i++) {
        conv_case c = convs[i];
        c.lanes = 16;
        check_conv(c, 0);
        c.unroll = 4;
        c.block = 2;
        c.fetch_a = c.fetch_b = 5;
        check_conv(c, 0);
        c.rows_first = true;
        c.unroll = 2;
        c.fetch_a = 100;
        check_conv(c, 0);
    }
}
END_TEST

START_TEST(conv_symbolic_width)
{
    static const int64_t widths[] = {0, 1, 2, 3, 8, 15, 40};
    for (int i = 0; i < 7; i++)
        check_conv((conv_case){.n = 1,
                               .h = 6,
                               .w = 10,
                               .ic = 5,
                               .oc = 20,
                               .kh = 3,
                               .kw = 3,
                               .stride = 1,
                               .before = 1,
                               .after = 1,
                               .dilation = 1,
                               .groups = 1,
                               .mr = 4,
                               .nv = 2,
                               .lanes = 16,
                               .symbolic_width = true},
                   widths[i]);
}
END_TEST

/* ---- What is not a plain product ------------------------------------------------------------------------------------------ */

#define SCHED "  sched tile vec o*16 unroll 1 row m mr 4 nv 2"

static const char *const forms[] = {
    /* two products over one A, a third operand in the epilogue */
    "program inputs 4 outputs 1 placed scheduled planned\n"
    "buf %a: f32[9,7] input 0\nbuf %b: f32[7,37] input 1\nbuf %d: f32[7,37] input 2\nbuf %r: f32[9,37] input 3\n"
    "buf %y: f32[9,37] output 0\n"
    "kernel k(a: f32[9,7], b: f32[7,37], d: f32[7,37], r: f32[9,37], out y: f32[9,37]) {\n"
    "  for m:9 o:37 ; k:7\n  s = dot(a[m,k] * b[k,o]) over k\n  t = dot(a[m,k] * d[k,o]) over k\n  y[m,o] = s * t + r[m,o]\n" SCHED
    " order(m,o)\n}\nrun k(%a, %b, %d, %r, %y)\n",
    /* a batch, and B shared by half of it */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[3,2,9,5] input 0\nbuf %b: f32[3,5,20] input 1\nbuf %y: f32[3,2,9,20] output 0\n"
    "kernel k(a: f32[3,2,9,5], b: f32[3,5,20], out y: f32[3,2,9,20]) {\n"
    "  for h:3 i:2 m:9 o:20 ; k:5\n  s = dot(a[h,i,m,k] * b[h,k,o]) over k\n  y[h,i,m,o] = s\n" SCHED
    " task(h) grain 2 order(h,i,m,o)\n}\nrun k(%a, %b, %y)\n",
    /* digits of a reduced axis, and of the row */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[3,4,2,3] input 0\nbuf %b: f32[6,20] input 1\nbuf %y: f32[12,20] output 0\n"
    "kernel k(a: f32[3,4,2,3], b: f32[6,20], out y: f32[12,20]) {\n"
    "  for m:12 o:20 ; k:6\n  s = dot(a[m/4,m%4,k/3,k%3] * b[k,o]) over k\n  y[m,o] = s\n" SCHED
    " order(m,o)\n}\nrun k(%a, %b, %y)\n",
    /* B guarded along the vectors, a transposed store, the coordinate in the epilogue */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[9,5] input 0\nbuf %b: f32[5,18] input 1\nbuf %y: f32[20,9] output 0\n"
    "kernel k(a: f32[9,5], b: f32[5,18], out y: f32[20,9]) {\n"
    "  for m:9 o:20 ; k:5\n  s = dot(a[m,k] * b[k,o + -1]?0) over k\n  y[o,m] = s + f32(o) + f32(m)\n" SCHED
    " order(m,o)\n}\nrun k(%a, %b, %y)\n",
    /* a flipped window: the clipped axis counts down, along rows and beside them */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[6,11,3] input 0\nbuf %b: f32[3,4,3,20] input 1\nbuf %y: f32[8,14,20] output 0\n"
    "kernel k(a: f32[6,11,3], b: f32[3,4,3,20], out y: f32[8,14,20]) {\n"
    "  for h:8 m:14 o:20 ; i:3 j:4 c:3\n  s = dot(a[h + -1*i,m + -1*j,c]?0 * b[i,j,c,o]) over i j c\n  y[h,m,o] = s\n" SCHED
    " k(0,1,1) task(h) grain 3 order(h,m,o)\n}\nrun k(%a, %b, %y)\n",
    /* rows outside with nothing reduced to clip, and a guard that moves with the batch alone */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[2,9,5] input 0\nbuf %b: f32[5,20] input 1\nbuf %y: f32[4,12,20] output 0\n"
    "kernel k(a: f32[2,9,5], b: f32[5,20], out y: f32[4,12,20]) {\n"
    "  for h:4 m:12 o:20 ; k:5\n  s = dot(a[h + -1,m + -2,k]?0 * b[k,o]) over k\n  y[h,m,o] = s\n" SCHED
    " order(h,m,o)\n}\nrun k(%a, %b, %y)\n",
    /* columns as tasks, one row, no row axis */
    "program inputs 2 outputs 1 placed scheduled planned\n"
    "buf %a: f32[5] input 0\nbuf %b: f32[5,150] input 1\nbuf %y: f32[150] output 0\n"
    "kernel k(a: f32[5], b: f32[5,150], out y: f32[150]) {\n"
    "  for o:150 ; k:5\n  s = dot(a[k] * b[k,o]) over k\n  y[o] = s\n"
    "  sched tile vec o*16 unroll 1 mr 1 nv 2 task(o) grain 2 order(o)\n}\nrun k(%a, %b, %y)\n",
};

START_TEST(other_forms)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) check_text(forms[i], 0);
}
END_TEST

FX_TESTS("codegen_tile", gemm_sizes_around_the_tile, gemm_short_reductions, gemm_empty, gemm_one_row_wide_panel, gemm_symbolic_rows,
         gemm_orders, gemm_dtypes, gemm_panels_made_by_the_tile, gemm_made_panels_of_dtypes, made_panels_of_a_batch,
         gemm_scalar_lanes, conv_shapes, conv_symbolic_width, other_forms)
