/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/profile.c: fx_profile_run: runs compiled code many times with meters listening, and takes medians. Of each run every
 * unit's sum is kept, so that a median is over runs, loops or not. */
#include "frontend/meter.h"
#include "ir/diag.h"
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RUNS = 10, DEFAULT_WARM_UP = 3, MOST_SAMPLES = 1 << 23 };

/* Sums of runs: [run][wall, units, then of each unit: all executions, their mean, and what is in none of its inner units]. */
typedef struct samples {
    double *value, *column; /* column: [cap] one sum of all runs, to be sorted */
    size_t width, n, cap;
} samples;

enum { WALL, UNITS, ENTRY, FIRST_UNIT, PER_UNIT = 3 };

/* ---- Gathering ---------------------------------------------------------------------------------------------------------- */

static fx_status make_room(samples *s)
{
    if (s->n < s->cap) return FX_OK;
    size_t cap = s->cap ? 2 * s->cap : 32;
    double *grown = realloc(s->value, cap * s->width * sizeof *grown);
    if (!grown) return FX_E_OOM;
    s->value = grown;
    s->cap = cap;
    return FX_OK;
}

static void take_sample(samples *s, const fx_meters *m, uint64_t begin, uint64_t end)
{
    double *row = s->value + s->n++ * s->width, *unit = row + FIRST_UNIT;
    memset(row, 0, s->width * sizeof *row);
    row[WALL] = (double)(end - begin) * m->clock.us;
    for (int32_t i = 0; i < m->n_unit; i++) {
        const fx_meter *it = &m->unit[i];
        double us = (double)it->ticks * m->clock.us;
        unit[PER_UNIT * i] = us;
        unit[PER_UNIT * i + 1] = it->turns ? us / (double)it->turns : 0;
        unit[PER_UNIT * i + 2] += us;
        *(it->parent < 0 ? &row[UNITS] : &unit[PER_UNIT * it->parent + 2]) += it->parent < 0 ? us : -us;
    }
    row[ENTRY] = row[WALL] - row[UNITS];
}

typedef struct session {
    fx_compiled *compiled;
    fx_context *context;
    const fx_tensor *inputs;
    int32_t n_inputs;
    fx_tensor *outputs; /* allocated by the first run */
    const fx_profile_options *options;
    fx_meters meters;
    samples samples;
} session;

static fx_status run_once(session *s)
{
    return fx__run_profiled(s->compiled, s->context, s->inputs, s->n_inputs, s->outputs, s->compiled->n_output,
                            &s->meters.listener);
}

static fx_status timed_run(session *s)
{
    fx_meters *m = &s->meters;
    FX_TRY(make_room(&s->samples));
    fx__meters_begin_run(m);
    uint64_t begin = fx__ticks_now(&m->clock);
    if (s->samples.n == 0) m->origin = begin;
    fx_status status = run_once(s);
    uint64_t end = fx__ticks_now(&m->clock);
    fx__meters_end_run(m, begin, end);
    if (status == FX_OK) take_sample(&s->samples, m, begin, end);
    return status == FX_OK && m->lost ? FX_E_OOM : status;
}

static fx_status all_runs(session *s)
{
    const fx_profile_options *o = s->options;
    int32_t warm = o->warm_up ? o->warm_up : DEFAULT_WARM_UP;
    size_t runs = o->runs > 0 ? (size_t)o->runs : DEFAULT_RUNS, most = MOST_SAMPLES / s->samples.width + 1;
    for (int32_t i = 0; i < warm; i++) FX_TRY(run_once(s));
    double start = fx__compile_now_ms();
    while (s->samples.n < runs || (s->samples.n < most && fx__compile_now_ms() - start < 1e3 * o->seconds)) FX_TRY(timed_run(s));
    return FX_OK;
}

/* ---- Results ------------------------------------------------------------------------------------------------------------ */

typedef struct spread {
    double least, median, most;
} spread;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static spread spread_of(samples *s, size_t column)
{
    for (size_t i = 0; i < s->n; i++) s->column[i] = s->value[i * s->width + column];
    qsort(s->column, s->n, sizeof *s->column, by_value);
    size_t half = s->n / 2;
    return (spread){s->column[0], s->n % 2 ? s->column[half] : 0.5 * (s->column[half - 1] + s->column[half]), s->column[s->n - 1]};
}

static double balance_of(const double *busy, int32_t threads)
{
    double sum = 0, most = 0;
    for (int32_t t = 0; t < threads; t++) {
        sum += busy[t];
        if (busy[t] > most) most = busy[t];
    }
    return most > 0 ? sum / (most * threads) : 0;
}

static void sum_up_unit(session *s, int32_t index, fx_unit_time *out)
{
    const fx_meter *it = &s->meters.unit[index];
    size_t column = FIRST_UNIT + PER_UNIT * (size_t)index;
    double tick = s->meters.clock.us, per_run = tick / (double)s->samples.n;
    *out = (fx_unit_time){.runs = it->runs, .total_us = (double)it->total * tick, .max_us = (double)it->max * tick};
    if (it->runs) out->min_us = (double)it->min * tick;
    out->run_us = spread_of(&s->samples, column).median;
    out->median_us = spread_of(&s->samples, column + 1).median;
    out->own_us = spread_of(&s->samples, column + 2).median;
    out->wait_us = (double)it->wait * per_run;
    for (int32_t t = 0; t < s->meters.threads; t++) out->busy_us[t] = (double)it->busy[t] * per_run;
    out->balance = balance_of(out->busy_us, s->meters.threads);
}

/* One block: the profile, its units, its events. */
static fx_status sum_up(session *s, fx_profile **out)
{
    fx_meters *m = &s->meters;
    size_t n_unit = (size_t)m->n_unit, n_event = (size_t)m->n_event;
    char *memory = calloc(1, sizeof(fx_profile) + n_unit * sizeof(fx_unit_time) + n_event * sizeof(fx_profile_event));
    s->samples.column = malloc((s->samples.n + 1) * sizeof(double));
    if (!memory || !s->samples.column) {
        free(memory);
        return FX_E_OOM;
    }
    fx_profile *p = (fx_profile *)(void *)memory;
    fx_unit_time *unit = (fx_unit_time *)(void *)(p + 1);
    fx_profile_event *event = (fx_profile_event *)(void *)(unit + n_unit);
    spread wall = spread_of(&s->samples, WALL);
    *p = (fx_profile){.unit = unit, .n_unit = m->n_unit, .threads = s->compiled->threads, .runs = (int64_t)s->samples.n};
    p->wall_us = wall.median;
    p->wall_min_us = wall.least;
    p->wall_max_us = wall.most;
    p->units_us = spread_of(&s->samples, UNITS).median;
    p->entry_us = spread_of(&s->samples, ENTRY).median;
    for (size_t i = 0; i < s->samples.n; i++) p->total_us += s->samples.value[i * s->samples.width + WALL];
    for (int32_t i = 0; i < m->n_unit; i++) {
        sum_up_unit(s, i, &unit[i]);
        p->wait_us += unit[i].wait_us;
    }
    if (n_event) memcpy(event, m->event, n_event * sizeof *event);
    p->event = event;
    p->n_event = m->n_event;
    p->memory = memory;
    *out = p;
    return FX_OK;
}

/* ---- All of it ---------------------------------------------------------------------------------------------------------- */

static fx_status refuse(fx_context *context, fx_status status, const char *why)
{
    return context ? fx__diag(context, status, NULL, "%s", why) : status;
}

static fx_status profile(session *s, fx_profile **out)
{
    s->outputs = calloc((size_t)s->compiled->n_output + 1, sizeof *s->outputs);
    if (!s->outputs) return FX_E_OOM;
    FX_TRY(fx__meters_open(&s->meters, s->compiled, s->context, s->options));
    s->samples.width = FIRST_UNIT + PER_UNIT * (size_t)s->meters.n_unit;
    FX_TRY(all_runs(s));
    return sum_up(s, out);
}

fx_status fx_profile_run(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                         const fx_profile_options *options, fx_profile **out)
{
    static const fx_profile_options defaults;
    *out = NULL;
    if (!compiled->options.profile) return refuse(context, FX_E_ARG, "only code compiled with the option profile can be profiled");
    if (!compiled->jit) return refuse(context, FX_E_UNSUPPORTED, "the graph is interpreted, as LLVM could not serve");
    session s = {.compiled = (fx_compiled *)(uintptr_t)compiled, .context = context, .inputs = inputs, .n_inputs = n_inputs};
    s.options = options ? options : &defaults;
    fx_status status = profile(&s, out);
    for (int32_t i = 0; s.outputs && i < compiled->n_output; i++)
        if (s.outputs[i].data) fx_tensor_release(&s.outputs[i]);
    free(s.outputs);
    free(s.samples.value);
    free(s.samples.column);
    fx__meters_close(&s.meters);
    return status == FX_E_OOM && context ? fx__diag_oom(context) : status;
}

void fx_profile_free(fx_profile *profile)
{
    if (profile) free(profile->memory);
}
