/* SPDX-License-Identifier: Apache-2.0 */
/* profile_print.c: a profile as a table for people, bottlenecks first, as JSON, and as a trace of every event. */
#include "profile.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BOUNDS = 8 };

static double share(const profile_data *d, double us)
{
    return d->p->wall_us > 0 ? 100 * us / d->p->wall_us : 0;
}

static const char *time_text(double us, char text[24])
{
    double size = fabs(us); /* differences may be negative */
    double scale = size < 1e3 ? 1 : size < 1e6 ? 1e-3 : 1e-6;
    snprintf(text, 24, size < 1e3 ? "%.2f us" : size < 1e6 ? "%.3f ms" : "%.3f s", scale * us);
    return text;
}

static bool by_flops(const profile_row *row)
{
    return strcmp(row->bound, "compute") == 0 || (strcmp(row->bound, "latency") == 0 && row->flop > 0);
}

/* ---- Table -------------------------------------------------------------------------------------------------------------- */

static void print_speed(const profile_row *row)
{
    if (!row->known || row->us <= 0)
        printf("%15s %6s", "", "");
    else if (by_flops(row))
        printf("%7.1f GFLOP/s %4.0f %%", 1e-3 * row->flop / row->us, 100 * row->roof_us / row->us);
    else
        printf("%7.1f GB/s    %4.0f %%", 1e-3 * row->bytes / row->us, 100 * row->roof_us / row->us);
}

static void print_row(const profile_data *d, const profile_row *row)
{
    char time[24], expected[24] = "", interpreted[24] = "";
    const char *kernel = "";
    printf("%11s %5.1f %% ", time_text(row->us, time), share(d, row->us));
    print_speed(row);
    if (row->known) time_text(row->expected_us, expected);
    printf("  %-7s %10s ", row->bound, expected);
    if (row->shared)
        printf("%7.2f  ", row->balance);
    else
        printf("%7s  ", "");
    if (d->nodes) {
        if (row->interpreted_us > 0) time_text(row->interpreted_us, interpreted);
        printf("%11s ", interpreted);
        if (row->interpreted_us > 0 && row->us > 0)
            printf("%6.0f x  ", row->interpreted_us / row->us);
        else
            printf("%8s  ", "");
    }
    if (d->o->by == PROFILE_BY_KERNEL && d->x->unit[row->unit].kernel >= 0)
        kernel = d->x->kernel[d->x->unit[row->unit].kernel].name;
    if (*kernel) printf("%s ", kernel);
    if (row->n > 1) printf("%dx ", (int)row->n);
    if (d->x->unit[row->unit].kind == FX_UNIT_LOOP) printf("loop of ");
    if (d->x->unit[row->unit].kind == FX_UNIT_IF) printf("choice of ");
    printf("%s", row->label);
    printf(d->o->by == PROFILE_BY_UNIT ? "  #%d\n" : "\n", (int)row->unit);
}

/* How much of a run each thread worked at units, and how much the first one waited for others. */
static void print_threads(const profile_data *d)
{
    if (d->p->threads == 1) return;
    printf("threads at work:");
    for (int32_t t = 0; t < d->p->threads && t < FX_PROFILE_THREADS; t++) {
        double busy = 0;
        for (int32_t i = 0; i < d->p->n_unit; i++) busy += d->p->unit[i].busy_us[t];
        printf("%s %.1f %%", t ? "," : "", 100 * busy * (double)d->p->runs / d->p->total_us);
    }
    printf(" of the time; the first waits for others %.1f %%\n", 100 * d->p->wait_us * (double)d->p->runs / d->p->total_us);
}

static void print_head(const profile_data *d)
{
    char median[24], least[24], most[24];
    printf("%s: %d thread%s, %lld runs of %s (%s to %s)\n", d->o->model, (int)d->p->threads, d->p->threads == 1 ? "" : "s",
           (long long)d->p->runs, time_text(d->p->wall_us, median), time_text(d->p->wall_min_us, least),
           time_text(d->p->wall_max_us, most));
    printf("units %.1f %% of a run, entry %.1f %%", share(d, d->p->units_us), share(d, d->p->entry_us));
    printf("; %d init units ran when compiling\n", (int)(d->x->n_unit - d->p->n_unit));
    print_threads(d);
    printf("machine: %.1f GFLOP/s and %.1f GB/s from memory with one thread", d->machine.gflops[0],
           d->machine.level[FX_MACHINE_LEVELS - 1].read_gbps[0]);
    if (d->machine.threads > 1)
        printf(", %.1f and %.1f with %d", d->machine.gflops[1], d->machine.level[FX_MACHINE_LEVELS - 1].read_gbps[1],
               (int)d->machine.threads);
    printf("\n\n");
}

/* What bounds how much of the time. */
static void print_bounds(const profile_data *d, const profile_row *rows, int32_t n)
{
    const char *name[MOST_BOUNDS];
    double us[MOST_BOUNDS] = {0}, roof = 0, known = 0;
    int bounds = 0;
    for (int32_t i = 0; i < n; i++) {
        const char *bound = *rows[i].bound ? rows[i].bound : "other things";
        int at = 0;
        while (at < bounds && strcmp(name[at], bound) != 0) at++;
        if (at == MOST_BOUNDS) continue;
        if (at == bounds) name[bounds++] = bound;
        us[at] += rows[i].us;
        roof += rows[i].roof_us;
        known += rows[i].known ? rows[i].us : 0;
    }
    printf("\nbound by");
    for (int i = 0; i < bounds; i++) printf("%s %s %.1f %%", i ? "," : "", name[i], share(d, us[i]));
    if (known > 0) printf("; all kernels at %.0f %% of the roof\n", 100 * roof / known);
    if (!(known > 0)) printf("\n");
}

static void print_left_out(const profile_data *d)
{
    const profile_without *w = &d->without;
    char with[24], less[24], low[24], high[24], took[24];
    if (w->pairs == 0) return;
    printf("\nwithout");
    for (int i = 0; i < d->o->n_leave_out; i++)
        printf("%s %s #%d", i ? "," : "", d->x->unit[d->leave_out[i]].label, (int)d->leave_out[i]);
    printf("\na run of %s is shorter by %s (95 %% sure: %s to %s, from %d pairs of runs), where %s was measured inside: %.2f of it\n",
           time_text(w->with_us, with), time_text(w->less_us, less), time_text(w->low_us, low), time_text(w->high_us, high),
           (int)w->pairs, time_text(w->inside_us, took), w->inside_us > 0 ? w->less_us / w->inside_us : 0);
    if (w->high_us - w->low_us > w->inside_us)
        printf("the machine does too much else for a closer answer; --seconds gives more pairs of runs\n");
}

void profile_print(const profile_data *d, const profile_row *rows, int32_t n)
{
    static const char *const what[] = {"unit", "kernel", "node"};
    int32_t shown = d->o->top > 0 && d->o->top < n ? (int32_t)d->o->top : n;
    double rest = 0;
    print_head(d);
    printf("%11s %7s %15s %6s  %-7s %10s %7s  ", "time", "share", "speed", "of roof", "bound", "expected", "balance");
    if (d->nodes) printf("%11s %8s  ", "interpreted", "ratio");
    printf("%s\n", what[d->o->by]);
    for (int32_t i = 0; i < shown; i++) print_row(d, &rows[i]);
    for (int32_t i = shown; i < n; i++) rest += rows[i].us;
    if (shown < n) printf("%d more, %.1f %% (--top 0 shows all)\n", (int)(n - shown), share(d, rest));
    print_bounds(d, rows, n);
    if (d->o->by == PROFILE_BY_NODE) printf("the time of a unit of several nodes is shared out among them by their operations\n");
    if (d->nodes)
        printf("interpreted: %.3f ms a run, %.1f times as long\n", 1e-3 * d->nodes->wall_us, d->nodes->wall_us / d->p->wall_us);
    print_left_out(d);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */

static json_t *row_json(const profile_data *d, const profile_row *row)
{
    const fx_unit *unit = &d->x->unit[row->unit];
    const fx_unit_time *time = &d->p->unit[row->unit];
    json_t *o = json_pack("{s:o,s:i,s:i,s:f,s:f}", "label", tool_text(row->label), "unit", (int)row->unit, "n", (int)row->n, "us", row->us,
                          "share", 0.01 * share(d, row->us));
    if (row->known)
        json_object_update_new(o, json_pack("{s:f,s:f,s:f,s:f,s:s}", "flop", row->flop, "bytes", row->bytes, "roof_us",
                                            row->roof_us, "expected_us", row->expected_us, "bound", row->bound));
    if (d->nodes) json_object_set_new(o, "interpreted_us", json_real(row->interpreted_us));
    if (unit->kernel >= 0) json_object_set_new(o, "kernel", json_string(d->x->kernel[unit->kernel].name));
    if (d->o->by != PROFILE_BY_UNIT) return o;
    json_t *busy = json_array();
    for (int32_t t = 0; t < d->p->threads && t < FX_PROFILE_THREADS; t++) json_array_append_new(busy, json_real(time->busy_us[t]));
    json_object_update_new(o, json_pack("{s:f,s:f,s:f,s:f,s:f,s:o}", "median_us", time->median_us, "min_us", time->min_us, "max_us",
                                        time->max_us, "wait_us", time->wait_us, "balance", time->balance, "busy_us", busy));
    return o;
}

static json_t *without_json(const profile_without *w)
{
    return json_pack("{s:f,s:f,s:{s:i,s:f,s:f,s:f,s:f}}", "with_us", w->with_us, "without_us", w->with_us - w->less_us, "left_out",
                     "pairs", (int)w->pairs, "less_us", w->less_us, "low_us", w->low_us, "high_us", w->high_us, "inside_us",
                     w->inside_us);
}

json_t *profile_json(const profile_data *d, const profile_row *rows, int32_t n)
{
    static const char *const what[] = {"units", "kernels", "nodes"};
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++) json_array_append_new(list, row_json(d, &rows[i]));
    json_t *o = json_pack("{s:o,s:i,s:I,s:f,s:f,s:f,s:f,s:o}", "model", tool_text(d->o->model), "threads", (int)d->p->threads, "runs",
                          (json_int_t)d->p->runs, "wall_us", d->p->wall_us, "units_us", d->p->units_us, "entry_us", d->p->entry_us,
                          "wait_us", d->p->wait_us, "machine", tool_machine_json(&d->machine));
    json_object_set_new(o, what[d->o->by], list);
    if (d->nodes) json_object_set_new(o, "interpreted_us", json_real(d->nodes->wall_us));
    if (d->without.pairs) json_object_update_new(o, without_json(&d->without));
    return o;
}

/* ---- Trace -------------------------------------------------------------------------------------------------------------- */

static json_t *event_json(const profile_data *d, const fx_profile_event *e)
{
    char run[32];
    const fx_unit *unit = e->unit >= 0 ? &d->x->unit[e->unit] : NULL;
    snprintf(run, sizeof run, "run %d", (int)e->run + 1);
    json_t *o = json_pack("{s:o,s:s,s:s,s:f,s:f,s:i,s:i}", "name", tool_text(unit ? unit->label : run), "cat", unit ? unit->role : "run", "ph",
                          "X", "ts", e->begin_us, "dur", e->end_us - e->begin_us, "pid", 1, "tid", (int)e->thread);
    if (unit)
        json_object_set_new(o, "args",
                            json_pack("{s:i,s:s,s:I,s:I}", "unit", (int)e->unit, "kernel",
                                      unit->kernel >= 0 ? d->x->kernel[unit->kernel].name : "", "flop", (json_int_t)unit->flop,
                                      "bytes", (json_int_t)(unit->bytes_in + unit->bytes_out + unit->bytes_const)));
    return o;
}

static json_t *name_json(const char *what, int thread, const char *name)
{
    return json_pack("{s:s,s:s,s:i,s:i,s:{s:o}}", "name", what, "ph", "M", "pid", 1, "tid", thread, "args", "name", tool_text(name));
}

fx_status profile_write_trace(const profile_data *d, const char *path)
{
    char name[32];
    json_t *events = json_array();
    json_array_append_new(events, name_json("process_name", 0, d->o->model));
    for (int t = 0; t < (int)d->p->threads; t++) {
        snprintf(name, sizeof name, "thread %d", t);
        json_array_append_new(events, name_json("thread_name", t, name));
    }
    for (int64_t i = 0; i < d->p->n_event; i++) json_array_append_new(events, event_json(d, &d->p->event[i]));
    json_t *trace = json_pack("{s:s,s:o}", "displayTimeUnit", "ns", "traceEvents", events);
    char *text = json_dumps(trace, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fx_status status = text ? FX_OK : FX_E_OOM;
    if (text && tool_write_file(path, text, strlen(text)) != TOOL_OK) status = FX_E_IO;
    json_decref(trace);
    free(text);
    return status;
}
