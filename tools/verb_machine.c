/* SPDX-License-Identifier: Apache-2.0 */
/* verb_machine.c: `fxjit machine`: what this machine does at best: the measurement that is kept, or a new one. */
#include "tool.h"
#include <time.h>

enum { KEY_MEASURE = 512 };

typedef struct machine_options {
    tool_options common;
    bool measure;
} machine_options;

static const struct argp_option options[] = {{"measure", KEY_MEASURE, NULL, 0, "measure anew, and keep it", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    machine_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case KEY_MEASURE:
        o->measure = true;
        return 0;
    case ARGP_KEY_ARG:
        tool_usage("machine", "no model is asked for, so what is '%s'?", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "",
    "Shows what this machine does at best: multiply-adds and memory, with one thread and with all. The measurement takes a second "
    "and "
    "is kept in the user's cache. It serves reports (fxjit profile); generated code never depends on it."
    "\vExamples:\n"
    "  fxjit machine\n"
    "  fxjit machine --measure --json\n",
    children,
    NULL,
    NULL};

static void print_size(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 4; unit++) size /= 1024;
    printf("%6.4g %-4s", size, units[unit]);
}

static void print_table(const fx_machine *m)
{
    char day[64] = "";
    time_t when = (time_t)m->measured;
    struct tm parts;
    if (localtime_r(&when, &parts)) strftime(day, sizeof day, "%Y-%m-%d %H:%M", &parts);
    printf("%s; %d threads; %.2f GHz; measured %s\n\n", m->cpu, (int)m->threads, m->clock_ghz, day);
    printf("%-22s %14s %14s\n", "", "1 thread", "all threads");
    printf("%-22s %8.1f GFLOP/s %6.1f GFLOP/s\n", "multiply-adds of f32", m->gflops[0], m->gflops[1]);
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) {
        if (m->level[i].bytes == 0) continue;
        printf("%-5s", m->level[i].name);
        print_size(m->level[i].bytes);
        printf("%6s %8.1f GB/s    %6.1f GB/s\n", "read", m->level[i].read_gbps[0], m->level[i].read_gbps[1]);
    }
}

json_t *tool_machine_json(const fx_machine *m)
{
    json_t *levels = json_array();
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) {
        if (m->level[i].bytes == 0) continue;
        json_array_append_new(levels,
                              json_pack("{s:s,s:I,s:[f,f]}", "name", m->level[i].name, "bytes", (json_int_t)m->level[i].bytes,
                                        "read_gbps", m->level[i].read_gbps[0], m->level[i].read_gbps[1]));
    }
    return json_pack("{s:s,s:i,s:f,s:[f,f],s:o,s:I}", "cpu", m->cpu, "threads", (int)m->threads, "clock_ghz", m->clock_ghz,
                     "gflops", m->gflops[0], m->gflops[1], "levels", levels, "measured", (json_int_t)m->measured);
}

fx_status tool_measure_machine(fx_context *context, fx_machine *out)
{
    fx_status status = fx_machine_measure(context, out);
    if (status == FX_OK && fx_machine_write(context, out) != FX_OK) {
        fx_context_print(context, stderr); /* a cache that cannot be written is worth a word, but the numbers are good */
        fx_context_clear(context);
    }
    return status;
}

int tool_machine(int argc, char **argv)
{
    machine_options o = {.common = tool_defaults("machine")};
    tool_parse(&argp, argc, argv, &o);
    fx_machine machine;
    fx_context *context = fx_context_new();
    fx_status status = o.measure ? FX_E_NOT_FOUND : fx_machine_read(context, &machine);
    if (status == FX_E_NOT_FOUND) status = tool_measure_machine(context, &machine);
    int result = status == FX_OK ? TOOL_OK : tool_fail(context, status, o.common.json);
    if (status == FX_OK && o.common.json) tool_print_json(tool_machine_json(&machine));
    if (status == FX_OK && !o.common.json) print_table(&machine);
    fx_context_free(context);
    return result;
}
