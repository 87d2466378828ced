/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of contractions on one thread: square products with constant and with run-time B through the whole compiler, and the
 * kernel of every distinct convolution of ResNet-50 as the compiler makes it; before them one register tile whose operands stay in
 * the first-level cache, which is as fast as any of them can be. Prints GFLOP/s, the share of the peak loop measured in turn with
 * each, after a rest, and that of short bursts of the peak loop between runs, before the clock has recovered from the kernel: it
 * is lower under multiply-adds that load. Medians of all three.
 *
 *     taskset -c 1 bench_tile [rounds [FILTER]]        FILTER: part of a line's name */
#include "passes/pass.h"
#include "passes/tile.h"
#include "runtime/memory.h"
#include "tile_case.h"
#include <fxjit/compile.h>
#include <fxjit/ops.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_BYTES = 8192, MAX_ROUNDS = 101 };
/* The clock of dense vector code settles within a millisecond or two, and the caches were full of the compiler. */
static const double warm_ms = 3, round_ms = 16, slice_ms = 1;
enum { BURST_STEPS = 16000 }; /* 50 microseconds */

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

/* Something that can be run again and again. */
typedef struct layer {
    int ic, oc, in, kernel, stride;
} layer;

typedef struct subject {
    fx_context *context;
    const layer *layer;
    fx_compiled *net; /* NULL: the kernel below */
    fx_tensor in[2], out;
    int32_t n_in;
    kernel_code code;
    int64_t chunks;
    void *arg[FX_ARGS];
    double flop, compile_ms;
} subject;

static void run_once(subject *s)
{
    fx_rt_job job = {.arg = s->arg};
    if (s->net)
        fx_run(s->net, s->context, s->in, s->n_in, &s->out, 1);
    else
        s->code.run(&job, 0, s->chunks, NULL);
}

static void fill(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = (float)(i * 2654435761u >> 8 & 0xffff) / 65536.0f - 0.5f;
}

static void close_subject(subject *s)
{
    for (int i = 0; i < FX_ARGS; i++) free(s->arg[i]);
    for (int i = 0; i < 2; i++) fx_tensor_release(&s->in[i]);
    fx_tensor_release(&s->out);
    fx_compiled_free(s->net);
    kernel_free(&s->code);
    fx_context_free(s->context);
}

/* Seconds of runs for at least so long. */
static double run_for(subject *s, double ms, double *flop)
{
    double start = now(), seconds;
    do {
        run_once(s);
        *flop += s->flop;
        seconds = now() - start;
    } while (seconds * 1e3 < ms);
    return seconds;
}

static double time_one(subject *s)
{
    double flop = 0;
    run_for(s, warm_ms, &flop);
    flop = 0;
    double seconds = run_for(s, round_ms, &flop);
    return flop / seconds * 1e-9;
}

/* Share of the peak loop in bursts between slices of runs. */
static double same_clock_share(subject *s, const fx_peak *peak)
{
    double flop = 0, seconds = 0, peak_seconds = 0;
    int bursts = 0;
    while (seconds * 1e3 < round_ms) {
        seconds += run_for(s, slice_ms, &flop);
        peak_seconds += 1 / fx__peak_burst(peak, BURST_STEPS);
        bursts++;
    }
    return 100 * flop / seconds * 1e-9 * peak_seconds / bursts;
}

static void measure(subject *s, const fx_peak *peak, const char *name, int rounds)
{
    double speed[MAX_ROUNDS], share[MAX_ROUNDS], same[MAX_ROUNDS];
    time_one(s);
    for (int r = 0; r < rounds; r++) {
        double before = fx__peak_gflops(s->context);
        speed[r] = time_one(s);
        same[r] = same_clock_share(s, peak);
        share[r] = 200 * speed[r] / (before + fx__peak_gflops(s->context));
    }
    double gflops = median(speed, rounds);
    printf("%-28s %8.1f GFLOP/s %6.1f %% of peak %6.1f %% at its clock   compile %5.1f ms\n", name, gflops, median(share, rounds),
           median(same, rounds), s->compile_ms);
    fflush(stdout);
}

static void report(const char *name, subject *s, int rounds)
{
    fx_peak peak;
    if (fx__peak_open(s->context, &peak) == FX_OK) measure(s, &peak, name, rounds);
    fx__peak_close(s->context, &peak);
}

/* ---- Products ------------------------------------------------------------------------------------------------------------ */

static fx_status product_of_inputs(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_matmul(in[0], in[1]);
    return FX_OK;
}

static fx_status product_with_constant(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    out[0] = fx_matmul(in[0], fx_parameter(scope, "b", user, NULL, NULL));
    return FX_OK;
}

static void bench_product(int64_t n, bool constant, int rounds, const char *filter)
{
    char name[64];
    subject s = {.flop = 2.0 * (double)n * (double)n * (double)n, .n_in = constant ? 1 : 2};
    fx_type type[2] = {{FX_F32, 2, {n, n}}, {FX_F32, 2, {n, n}}};
    fx_module *module = NULL;
    snprintf(name, sizeof name, "gemm %d %s", (int)n, constant ? "constant b" : "run-time b");
    if (filter && !strstr(name, filter)) return;
    s.context = fx_context_new();
    for (int i = 0; i < 2; i++) {
        if (fx_tensor_alloc(FX_F32, 2, (int64_t[]){n, n}, &s.in[i]) != FX_OK) return;
        fill(s.in[i].data, (size_t)(n * n));
    }
    double start = now();
    fx_status status =
        fx_trace(s.context, "product", constant ? product_with_constant : product_of_inputs, &s.in[1], type, s.n_in, 1, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &s.net);
    s.compile_ms = (now() - start) * 1e3;
    if (status == FX_OK) status = fx_tensor_alloc(FX_F32, 2, (int64_t[]){n, n}, &s.out);
    if (status == FX_OK) report(name, &s, rounds);
    fx_context_print(s.context, stderr);
    fx_module_free(module);
    close_subject(&s);
}

/* ---- Convolutions -------------------------------------------------------------------------------------------------------- */

static const layer resnet50[] = {
    {3, 64, 224, 7, 2},     {64, 64, 56, 1, 1},   {64, 64, 56, 3, 1},    {64, 256, 56, 1, 1},   {256, 64, 56, 1, 1},
    {256, 128, 56, 1, 1},   {128, 128, 56, 3, 2}, {128, 512, 28, 1, 1},  {256, 512, 56, 1, 2},  {512, 128, 28, 1, 1},
    {128, 128, 28, 3, 1},   {512, 256, 28, 1, 1}, {256, 256, 28, 3, 2},  {256, 1024, 14, 1, 1}, {512, 1024, 28, 1, 2},
    {1024, 256, 14, 1, 1},  {256, 256, 14, 3, 1}, {1024, 512, 14, 1, 1}, {512, 512, 14, 3, 2},  {512, 2048, 7, 1, 1},
    {1024, 2048, 14, 1, 2}, {2048, 512, 7, 1, 1}, {512, 512, 7, 3, 1},
};

/* Between an operator that takes the image and one that takes the result, as in a network: inputs and outputs of a graph have an
 * order of their own. */
static fx_status convolve(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const subject *s = user;
    const layer *l = s->layer;
    fx_value weight = fx_parameter(scope, "weight", &s->in[0], NULL, NULL),
             bias = fx_parameter(scope, "bias", &s->in[1], NULL, NULL);
    int pad = l->kernel / 2;
    fx_value x = fx_relu(in[0]);
    x = fx_conv2d(x, weight, bias, &(fx_conv2d_options){.stride = FX_LIST(l->stride, l->stride), .padding = FX_LIST(pad, pad)});
    out[0] = fx_max_pool2d(fx_relu(x), FX_LIST(2, 2), NULL);
    return FX_OK;
}

static fx_status trace_layer(subject *s, fx_module **out)
{
    const layer *l = s->layer;
    fx_type image = {FX_F32, 4, {1, l->ic, l->in, l->in}};
    FX_TRY(fx_tensor_alloc(FX_F32, 4, (int64_t[]){l->oc, l->ic, l->kernel, l->kernel}, &s->in[0]));
    FX_TRY(fx_tensor_alloc(FX_F32, 1, (int64_t[]){l->oc}, &s->in[1]));
    return fx_trace(s->context, "layer", convolve, s, &image, 1, 1, out);
}

/* The tiled kernel of a program, compiled alone, and memory for its arguments. */
static fx_status open_kernel(subject *s, const fx_program *program)
{
    int32_t k = 0;
    while (k < program->n_kernel && program->kernel[k]->sched.emit != FX_EMIT_TILE) k++;
    if (k == program->n_kernel) return FX_E_INTERNAL;
    const fx_kernel *kernel = program->kernel[k];
    FX_TRY(kernel_compile(s->context, program, k, &s->code));
    s->chunks = fx__sched_chunks(program->dims, kernel);
    s->compile_ms = s->code.compile_ms;
    for (int i = 0; i < kernel->n_arg; i++) {
        size_t elems = 1;
        for (int d = 0; d < kernel->arg[i].rank; d++) elems *= (size_t)kernel->arg[i].dim[d];
        s->arg[i] = fx__memory_alloc(elems * 4);
        if (!s->arg[i]) return FX_E_OOM;
        fill(s->arg[i], elems);
    }
    return FX_OK;
}

static fx_status open_layer(subject *s, fx_module **module, fx_program **program)
{
    fx_target target;
    FX_TRY(fx__session_target(s->context, NULL, NULL, NULL, &target));
    fx_pass_options options = {.target = &target};
    FX_TRY(trace_layer(s, module));
    FX_TRY(fx__pipeline_graph(fx_module_graph(*module), &options));
    FX_TRY(fx__pipeline_program(fx_module_graph(*module), &options, program));
    return open_kernel(s, *program);
}

/* Taps of all outputs along one dim that are not padding: what a kernel leaves out is not its speed. */
static int taps_inside(const layer *l, int out)
{
    int n = 0;
    for (int o = 0; o < out; o++)
        for (int k = 0; k < l->kernel; k++) {
            int at = o * l->stride + k - l->kernel / 2;
            n += at >= 0 && at < l->in;
        }
    return n;
}

static void bench_layer(const layer *l, int rounds, const char *filter)
{
    char name[64];
    int out = (l->in + 2 * (l->kernel / 2) - l->kernel) / l->stride + 1, taps = taps_inside(l, out);
    subject s = {.layer = l, .flop = 2.0 * taps * taps * l->ic * l->oc};
    fx_module *module = NULL;
    fx_program *program = NULL;
    snprintf(name, sizeof name, "conv%dx%d s%d %d->%d@%d", l->kernel, l->kernel, l->stride, l->ic, l->oc, out);
    if (filter && !strstr(name, filter)) return;
    s.context = fx_context_new();
    if (open_layer(&s, &module, &program) == FX_OK) report(name, &s, rounds);
    fx_context_print(s.context, stderr);
    if (program) fx__program_free(program);
    fx_module_free(module);
    close_subject(&s);
}

/* ---- The ceiling --------------------------------------------------------------------------------------------------------- */

enum { SWEEPS = 64 };

/* Text of one register tile that meets the same operands again and again; they fill most of the first-level cache. */
static double tile_text(const fx_target *target, char *text)
{
    fx_tile_task task = {.lanes = fx__target_lanes(target, FX_F32), .rows = 1 << 12, .columns = 1 << 12, .contracts = 1};
    fx_tile tile = fx__tile_choose(target, &task, 0);
    int m = tile.mr, n = tile.nv * task.lanes, k = (int)(target->l1 * 3 / 4 / 4 / (m + n) / 8 * 8);
    snprintf(text, TEXT_BYTES,
             "program inputs 2 outputs 1 placed scheduled planned\n"
             "buf %%a: f32[%d,%d] input 0\nbuf %%b: f32[%d,%d] input 1\nbuf %%y: f32[%d,%d,%d] output 0\n"
             "kernel k0(a: f32[%d,%d], b: f32[%d,%d], out y: f32[%d,%d,%d]) {\n  for q:%d m:%d o:%d ; k:%d\n"
             "  s = dot(a[m,k] * b[k,o]) over k\n  y[q,m,o] = s\n"
             "  sched tile vec o*%d unroll 2 row m mr %d nv %d order(q,m,o)\n}\nrun k0(%%a, %%b, %%y)\n",
             m, k, k, n, SWEEPS, m, n, m, k, k, n, SWEEPS, m, n, SWEEPS, m, n, k, task.lanes, m, tile.nv);
    return 2.0 * (double)SWEEPS * m * n * k;
}

/* What loads beside the multiply-adds leave of the peak, and the end of each sum: no product can do better. */
static void bench_ceiling(int rounds, const char *filter)
{
    static const char name[] = "one tile, all in L1";
    char text[TEXT_BYTES];
    fx_target target;
    fx_program *program = NULL;
    if (filter && !strstr(name, filter)) return;
    subject s = {.context = fx_context_new()};
    if (fx__session_target(s.context, NULL, NULL, NULL, &target) == FX_OK) {
        s.flop = tile_text(&target, text);
        if (fx__program_parse(s.context, "tile", text, strlen(text), &program) == FX_OK && open_kernel(&s, program) == FX_OK)
            report(name, &s, rounds);
    }
    fx_context_print(s.context, stderr);
    if (program) fx__program_free(program);
    close_subject(&s);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    const char *filter = argc > 2 ? argv[2] : NULL;
    if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 5;
    static const int64_t sizes[] = {256, 512, 768, 1024};
    bench_ceiling(rounds, filter);
    for (int i = 0; i < 8; i++) bench_product(sizes[i % 4], i < 4, rounds, filter);
    for (size_t i = 0; i < sizeof resnet50 / sizeof resnet50[0]; i++) bench_layer(&resnet50[i], rounds, filter);
    return 0;
}
