/* SPDX-License-Identifier: Apache-2.0 */
/* Where a model's time goes: every kernel of its compiled program, run alone on one thread with its arguments in the caches that
 * they fit. Prints, slowest first, milliseconds of all its steps together, how many these are, GFLOP/s, GB/s of what it reads and
 * writes, and its name in `fxjit show --stage program`. Kernels with symbols are left out; integers are zeros.
 *
 *     taskset -c 1 bench_kernels MODEL [FILTER]        FILTER: part of an emitter's name */
#include "ir/graph.h"
#include "passes/pass.h"
#include "runtime/memory.h"
#include "tile_case.h"
#include <fxjit/compile.h>
#include <fxjit/ops.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5 };
static const double round_ms = 2;
static const char *const emitters[] = {"none", "flat", "copy2d", "column", "row", "tile", "block"};

typedef struct line {
    int32_t kernel, steps;
    double ms;
} line;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + 1e-6 * (double)t.tv_nsec;
}

/* Memory for an argument; strides of slices are the argument's own. Small weights and all else ones: neither must what is
 * multiplied in place again and again become subnormal, nor what goes into an exponential be large. */
static void *make_arg(const fx_arg *arg)
{
    size_t elems = 1, bytes = fx_dtype_bytes(arg->dtype);
    for (int d = 0; d < arg->rank; d++)
        if (arg->dim[d] > 0) elems += (size_t)(arg->dim[d] - 1) * (size_t)arg->stride[d];
    char *memory = fx__memory_alloc(elems * bytes);
    if (!memory) return NULL;
    memset(memory, 0, elems * bytes);
    bool weight = arg->role == FX_ARG_CONST;
    for (size_t i = 0; i < elems && arg->dtype == FX_F32; i++)
        ((float *)(void *)memory)[i] = weight ? ((float)(i % 17) - 8) / 128 : 1;
    return memory;
}

static double best_ms(const kernel_code *code, void **args, int64_t chunks, void *scratch)
{
    fx_rt_job job = {.arg = args};
    double best = 1e9;
    code->run(&job, 0, chunks, scratch);
    for (int r = 0; r < ROUNDS; r++) {
        double start = now(), spent;
        int runs = 0;
        do {
            code->run(&job, 0, chunks, scratch);
            runs++;
            spent = now() - start;
        } while (spent < round_ms);
        if (spent / runs < best) best = spent / runs;
    }
    return best;
}

static bool is_static(const fx_program *program, const fx_kernel *kernel)
{
    int32_t syms[FX_KERNEL_SYMS];
    return fx__kernel_syms(program, kernel, syms) == 0;
}

static fx_status time_kernel(fx_context *context, const fx_program *program, line *l)
{
    const fx_kernel *kernel = program->kernel[l->kernel];
    kernel_code code;
    void *args[FX_ARGS] = {0}, *scratch = fx__memory_alloc((size_t)program->scratch_bytes + 64);
    fx_status status = kernel_compile(context, program, l->kernel, &code);
    for (int i = 0; i < kernel->n_arg && status == FX_OK; i++) {
        if (kernel->arg[i].role == FX_ARG_LOCAL) continue;
        args[i] = make_arg(&kernel->arg[i]);
        if (!args[i]) status = FX_E_OOM;
    }
    if (status == FX_OK && scratch) l->ms = l->steps * best_ms(&code, args, fx__sched_chunks(program->dims, kernel), scratch);
    for (int i = 0; i < kernel->n_arg; i++) free(args[i]);
    free(scratch);
    kernel_free(&code);
    return status;
}

static int slower(const void *a, const void *b)
{
    double x = ((const line *)a)->ms, y = ((const line *)b)->ms;
    return (x < y) - (x > y);
}

static void count_steps(const fx_block *block, line *lines)
{
    for (int32_t i = 0; i < block->n; i++) {
        if (block->step[i].kind == FX_STEP_RUN) lines[block->step[i].kernel].steps++;
        for (int b = 0; b < 2; b++) count_steps(&block->step[i].body[b], lines);
    }
}

static void print_lines(const fx_program *program, line *lines)
{
    double total = 0;
    qsort(lines, (size_t)program->n_kernel, sizeof *lines, slower);
    for (int32_t i = 0; i < program->n_kernel; i++) {
        const line *l = &lines[i];
        const fx_kernel *kernel = program->kernel[l->kernel];
        double each = l->ms / (l->steps ? l->steps : 1);
        if (l->ms <= 0) continue;
        total += l->ms;
        printf("%9.4f ms  %3d x %8.4f  %-6s %7.1f GFLOP/s %7.1f GB/s  k%d\n", l->ms, (int)l->steps, each,
               emitters[kernel->sched.emit], 1e-6 * (double)kernel->cost.flop / each,
               1e-6 * (double)(kernel->cost.read_bytes + kernel->cost.write_bytes) / each, (int)l->kernel);
    }
    printf("%9.4f ms\n", total);
}

static fx_status bench(fx_context *context, const fx_program *program, const char *filter)
{
    fx_status status = FX_OK;
    line *lines = calloc((size_t)program->n_kernel + 1, sizeof *lines);
    if (!lines) return FX_E_OOM;
    for (int32_t k = 0; k < program->n_kernel; k++) lines[k].kernel = k;
    count_steps(&program->steps, lines);
    for (int32_t k = 0; k < program->n_kernel && status == FX_OK; k++)
        if (lines[k].steps > 0 && is_static(program, program->kernel[k]) &&
            (!filter || strstr(emitters[program->kernel[k]->sched.emit], filter)))
            status = time_kernel(context, program, &lines[k]);
    print_lines(program, lines);
    free(lines);
    return status;
}

int main(int argc, char **argv)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_program *program = NULL;
    fx_target target;
    fx_status status = argc > 1 && context ? fx_load(context, argv[1], &module) : FX_E_ARG;
    if (status == FX_OK) status = fx__session_target(context, NULL, NULL, NULL, &target);
    fx_pass_options options = {.target = &target};
    if (status == FX_OK) status = fx__pipeline_graph(fx_module_graph(module), &options);
    if (status == FX_OK) status = fx__pipeline_program(fx_module_graph(module), &options, &program);
    if (status == FX_OK) status = bench(context, program, argc > 2 ? argv[2] : NULL);
    if (context) fx_context_print(context, stderr);
    if (program) fx__program_free(program);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK ? 0 : 1;
}
