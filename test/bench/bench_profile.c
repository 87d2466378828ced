/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile is worth: which share of a run's time units explain, what measuring costs against code that was compiled without
 * it, and whether a run gets shorter by a unit's time when the unit is left out. All of it in turns, medians of pairs.
 *
 *     bench_profile MODEL [THREADS [ROUNDS]] */
#include "fxjit/inspect.h"
#include "fxjit/profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_INPUTS = 16, MOST_ROUNDS = 1000, LARGEST = 3 };

typedef struct subject {
    fx_context *context;
    fx_module *module;
    fx_compiled *plain, *profiled;
    fx_explanation *explanation;
    fx_tensor in[MOST_INPUTS], out[MOST_INPUTS];
    int32_t n_in, n_out, threads, rounds;
} subject;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that a share of all is below. */
static double quantile(double *values, int32_t n, double share)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[(int32_t)(share * (n - 1))];
}

static double median(double *values, int32_t n)
{
    return quantile(values, n, 0.5);
}

static fx_status open_inputs(subject *s)
{
    s->n_in = fx_module_input_count(s->module);
    s->n_out = fx_module_output_count(s->module);
    if (s->n_in > MOST_INPUTS || s->n_out > MOST_INPUTS) return FX_E_ARG;
    for (int32_t i = 0; i < s->n_in; i++) {
        const fx_type *type = fx_module_input_type(s->module, i);
        fx_status status = type ? fx_tensor_alloc(type->dtype, type->rank, type->dim, &s->in[i]) : FX_E_ARG;
        if (status != FX_OK) return status;
        for (int64_t e = 0; e < fx_tensor_elems(&s->in[i]); e++)
            fx_tensor_set(&s->in[i], e, fx_dtype_is_float(type->dtype) ? 0.001 * (double)(e % 1999) - 1 : (double)(e % 2));
    }
    return FX_OK;
}

static fx_status open_subject(subject *s, const char *path)
{
    fx_compile_options options = {.threads = s->threads};
    fx_status status = fx_load(s->context, path, &s->module);
    if (status == FX_OK) status = open_inputs(s);
    if (status == FX_OK) status = fx_compile(s->module, NULL, 0, &options, &s->plain);
    options.profile = true;
    if (status == FX_OK) status = fx_compile(s->module, NULL, 0, &options, &s->profiled);
    return status == FX_OK ? fx_explain(s->profiled, &s->explanation) : status;
}

/* One run's time: of plain code, or measured with some unit left out (-1: none). */
static fx_status plain_us(subject *s, double *out)
{
    double start = now_us();
    fx_status status = fx_run(s->plain, s->context, s->in, s->n_in, s->out, s->n_out);
    *out = now_us() - start;
    return status;
}

static fx_status profiled_us(subject *s, int32_t without, fx_profile **out)
{
    fx_profile_options options = {.runs = 1, .warm_up = 1, .leave_out = &without, .n_leave_out = without >= 0};
    return fx_profile_run(s->profiled, s->context, s->in, s->n_in, &options, out);
}

static fx_status compare_overhead(subject *s, const fx_profile **keep)
{
    static double plain[MOST_ROUNDS], measured[MOST_ROUNDS], explained[MOST_ROUNDS];
    for (int32_t i = 0; i < s->rounds; i++) {
        double warm;
        fx_profile *p;
        fx_status status = plain_us(s, &warm);
        if (status == FX_OK) status = plain_us(s, &plain[i]);
        if (status == FX_OK) status = profiled_us(s, -1, &p);
        if (status != FX_OK) return status;
        measured[i] = p->wall_us / plain[i];
        explained[i] = p->units_us / p->wall_us;
        if (i == s->rounds - 1)
            *keep = p;
        else
            fx_profile_free(p);
    }
    double ratio = median(measured, s->rounds), share = median(explained, s->rounds);
    printf("units explain %.2f %% of a run; a measured run takes %+.2f %% (%.1f us without)\n", 100 * share, 100 * (ratio - 1),
           median(plain, s->rounds));
    return FX_OK;
}

/* What disturbs only ever adds, so the lower quartiles are compared. */
static fx_status compare_without(subject *s, int32_t unit)
{
    static double with[MOST_ROUNDS], without[MOST_ROUNDS], inside[MOST_ROUNDS];
    for (int32_t i = 0; i < s->rounds; i++) {
        fx_profile *p;
        fx_status status = profiled_us(s, -1, &p);
        if (status != FX_OK) return status;
        with[i] = p->wall_us;
        inside[i] = p->unit[unit].run_us;
        fx_profile_free(p);
        status = profiled_us(s, unit, &p);
        if (status != FX_OK) return status;
        without[i] = p->wall_us;
        fx_profile_free(p);
    }
    double took = quantile(inside, s->rounds, 0.25);
    double shorter = quantile(with, s->rounds, 0.25) - quantile(without, s->rounds, 0.25);
    printf("%10.1f us %10.1f us %+6.1f %%  %s\n", took, shorter, 100 * (shorter / took - 1), s->explanation->unit[unit].label);
    return FX_OK;
}

static fx_status measure(subject *s)
{
    const fx_profile *p = NULL;
    fx_status status = compare_overhead(s, &p);
    double last = 1e300;
    if (status == FX_OK) printf("%13s %13s\n", "unit took", "run shorter by");
    for (int row = 0; row < LARGEST && status == FX_OK; row++) {
        int32_t next = -1;
        for (int32_t i = 0; i < p->n_unit; i++) {
            fx_unit_kind kind = s->explanation->unit[i].kind;
            bool leaf = kind == FX_UNIT_RUN || kind == FX_UNIT_CALL;
            if (leaf && p->unit[i].run_us < last && (next < 0 || p->unit[i].run_us > p->unit[next].run_us)) next = i;
        }
        if (next < 0) break;
        last = p->unit[next].run_us;
        status = compare_without(s, next);
    }
    fx_profile_free((fx_profile *)(uintptr_t)p);
    return status;
}

int main(int argc, char **argv)
{
    subject s = {.context = fx_context_new(), .threads = argc > 2 ? atoi(argv[2]) : 1, .rounds = argc > 3 ? atoi(argv[3]) : 31};
    if (argc < 2 || s.rounds < 1 || s.rounds > MOST_ROUNDS) return 2;
    fx_status status = open_subject(&s, argv[1]);
    if (status == FX_OK) status = measure(&s);
    fx_context_print(s.context, stderr);
    for (int i = 0; i < MOST_INPUTS; i++) {
        fx_tensor_release(&s.in[i]);
        fx_tensor_release(&s.out[i]);
    }
    fx_explanation_free(s.explanation);
    fx_compiled_free(s.plain);
    fx_compiled_free(s.profiled);
    fx_module_free(s.module);
    fx_context_free(s.context);
    return status == FX_OK ? 0 : 1;
}
