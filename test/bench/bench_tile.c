/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of tiled kernels on one thread: square GEMM with constant panels and with run-time B, and every distinct convolution of
 * ResNet-50. Prints GFLOP/s and the share of the peak loop, which is measured in turn with each kernel: medians of both.
 *
 *     taskset -c 1 bench_tile [rounds [FILTER]]        FILTER: part of a line's name */
#include "tile_case.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_BYTES = 8192, MAX_ROUNDS = 101 };
static const double round_ms = 4;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

typedef struct bench {
    fx_context *context;
    kernel_code code;
    int64_t chunks;
    void *arg[FX_ARGS];
    double flop;
} bench;

static bool bench_open(bench *b, const char *text)
{
    fx_program *program;
    b->context = fx_context_new();
    if (fx__program_parse(b->context, "bench", text, strlen(text), &program) != FX_OK ||
        kernel_compile(b->context, program, 0, &b->code) != FX_OK) {
        fx_context_print(b->context, stdout);
        return false;
    }
    const fx_kernel *kernel = program->kernel[0];
    b->chunks = fx__sched_chunks(program->dims, kernel);
    for (int i = 0; i < kernel->n_arg; i++) {
        size_t elems = 1;
        for (int d = 0; d < kernel->arg[i].rank; d++) elems *= (size_t)kernel->arg[i].dim[d];
        float *values = aligned_alloc(64, (elems * 4 + 127) / 64 * 64);
        for (size_t e = 0; values && e < elems; e++) values[e] = (float)(e * 2654435761u >> 8 & 0xffff) / 65536.0f - 0.5f;
        b->arg[i] = values;
    }
    fx__program_free(program);
    return true;
}

static void bench_close(bench *b)
{
    for (int i = 0; i < FX_ARGS; i++) free(b->arg[i]);
    kernel_free(&b->code);
    fx_context_free(b->context);
}

static double time_one(bench *b)
{
    fx_rt_job job = {.arg = b->arg};
    double start = now(), seconds;
    int runs = 0;
    do {
        b->code.run(&job, 0, b->chunks, NULL);
        runs++;
        seconds = now() - start;
    } while (seconds * 1e3 < round_ms);
    return b->flop * runs / seconds * 1e-9;
}

static void report(const char *name, const char *text, double flop, int rounds)
{
    double speed[MAX_ROUNDS], share[MAX_ROUNDS];
    bench b = {.flop = flop};
    if (!bench_open(&b, text)) return;
    time_one(&b);
    for (int r = 0; r < rounds; r++) {
        double before = fx__peak_gflops(b.context);
        speed[r] = time_one(&b);
        double after = fx__peak_gflops(b.context);
        share[r] = 200 * speed[r] / (before + after);
    }
    double gflops = median(speed, rounds);
    printf("%-28s %8.1f GFLOP/s %6.1f %% of peak   compile %5.1f ms, %5.1f kB\n", name, gflops, median(share, rounds),
           b.code.compile_ms, (double)b.code.object_bytes / 1e3);
    fflush(stdout);
    bench_close(&b);
}

static void bench_gemm(int64_t n, bool panels, int rounds, const char *filter)
{
    char text[TEXT_BYTES], name[64];
    gemm_case c = {.m = n, .k = n, .n = n, .mr = 8, .nv = 3, .lanes = 16, .grain = 16, .panels = panels};
    if (n % 48) c.mr = 6, c.nv = 4;
    snprintf(name, sizeof name, "gemm %d %s", (int)n, panels ? "constant b" : "run-time b");
    if (filter && !strstr(name, filter)) return;
    gemm_text(&c, text, sizeof text);
    report(name, text, 2.0 * (double)n * (double)n * (double)n, rounds);
}

typedef struct layer {
    int ic, oc, in, kernel, stride;
} layer;
static const layer resnet50[] = {
    {3, 64, 224, 7, 2},     {64, 64, 56, 1, 1},   {64, 64, 56, 3, 1},    {64, 256, 56, 1, 1},   {256, 64, 56, 1, 1},
    {256, 128, 56, 1, 1},   {128, 128, 56, 3, 2}, {128, 512, 28, 1, 1},  {256, 512, 56, 1, 2},  {512, 128, 28, 1, 1},
    {128, 128, 28, 3, 1},   {512, 256, 28, 1, 1}, {256, 256, 28, 3, 2},  {256, 1024, 14, 1, 1}, {512, 1024, 28, 1, 2},
    {1024, 256, 14, 1, 1},  {256, 256, 14, 3, 1}, {1024, 512, 14, 1, 1}, {512, 512, 14, 3, 2},  {512, 2048, 7, 1, 1},
    {1024, 2048, 14, 1, 2}, {2048, 512, 7, 1, 1}, {512, 512, 7, 3, 1},
};

static void bench_layer(const layer *l, int rounds, const char *filter)
{
    char text[TEXT_BYTES], name[64];
    int pad = l->kernel / 2, out = (l->in + 2 * pad - l->kernel) / l->stride + 1;
    snprintf(name, sizeof name, "conv%dx%d s%d %d->%d@%d", l->kernel, l->kernel, l->stride, l->ic, l->oc, out);
    if (filter && !strstr(name, filter)) return;
    if (l->kernel == 1 && l->stride == 1) {
        gemm_case c = {
            .m = (int64_t)out * out, .k = l->ic, .n = l->oc, .mr = 13, .nv = 2, .lanes = 16, .grain = 16, .panels = true};
        gemm_text(&c, text, sizeof text);
    } else {
        conv_case c = {.n = 1,
                       .h = l->in,
                       .w = l->in,
                       .ic = l->ic,
                       .oc = l->oc,
                       .kh = l->kernel,
                       .kw = l->kernel,
                       .stride = l->stride,
                       .before = pad,
                       .after = pad,
                       .dilation = 1,
                       .groups = 1,
                       .mr = 7,
                       .nv = 2,
                       .lanes = 16};
        conv_text(&c, text, sizeof text);
    }
    double flop = 2.0 * out * out * l->ic * l->oc * l->kernel * l->kernel;
    report(name, text, flop, rounds);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    const char *filter = argc > 2 ? argv[2] : NULL;
    if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 5;
    static const int64_t sizes[] = {256, 512, 768, 1024};
    for (int i = 0; i < 8; i++) bench_gemm(sizes[i % 4], i < 4, rounds, filter);
    for (size_t i = 0; i < sizeof resnet50 / sizeof resnet50[0]; i++) bench_layer(&resnet50[i], rounds, filter);
    return 0;
}
