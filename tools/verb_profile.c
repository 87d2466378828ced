/* SPDX-License-Identifier: Apache-2.0 */
/* verb_profile.c: `fxjit profile`: where a run's time goes, against what the machine, measured in the same process, does at best.
 */
#include "profile.h"
#include <stdlib.h>
#include <string.h>

enum {
    KEY_RUNS = 512,
    KEY_SECONDS,
    KEY_INPUTS,
    KEY_BY,
    KEY_TOP,
    KEY_INTERPRETED,
    KEY_TRACE,
    KEY_LEAVE_OUT,
    TRACED_RUNS = 8
};

static const struct argp_option options[] = {
    {"runs", KEY_RUNS, "N", 0, "timed runs at least (10)", 0},
    {"seconds", KEY_SECONDS, "S", 0, "time to spend on timed runs (1)", 0},
    {"inputs", KEY_INPUTS, "DIR", 0, "read inputs from DIR/NAME.npy", 0},
    {"by", KEY_BY, "WHAT", 0, "rows: unit (the default), kernel (units that run it together) or node", 0},
    {"top", KEY_TOP, "N", 0, "rows to print (20); 0: all", 0},
    {"interpreted", KEY_INTERPRETED, NULL, 0, "interpret every node, too, and compare", 0},
    {"trace", KEY_TRACE, "FILE", 0, "write every event of 8 runs as Chrome's trace events, for Perfetto", 0},
    {"leave-out", KEY_LEAVE_OUT, "UNIT", 0, "measure by how much a run is shorter without a unit, by number (#7) or label, from pairs of runs; may be repeated", 0},
    {0}};

static void add_left_out(profile_options *o, const char *arg)
{
    if (o->n_leave_out == PROFILE_LEFT_OUT) tool_usage("profile", "more than %d times --leave-out", PROFILE_LEFT_OUT);
    o->leave_out[o->n_leave_out++] = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const rows[] = {"unit", "kernel", "node", NULL};
    profile_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 3; i++) state->child_inputs[i] = &o->common;
        return 0;
    case KEY_RUNS:
        o->runs = (int32_t)tool_number("profile", "runs", arg, 1, 1000000);
        return 0;
    case KEY_SECONDS:
        o->seconds = tool_duration("profile", "seconds", arg);
        return 0;
    case KEY_INPUTS:
        o->inputs = arg;
        return 0;
    case KEY_BY:
        o->by = (profile_by)tool_choice("profile", "by", arg, rows);
        return 0;
    case KEY_TOP:
        o->top = tool_number("profile", "top", arg, 0, 1000000);
        return 0;
    case KEY_INTERPRETED:
        o->interpreted = true;
        return 0;
    case KEY_TRACE:
        o->trace = arg;
        return 0;
    case KEY_LEAVE_OUT:
        add_left_out(o, arg);
        return 0;
    default:
        return tool_one_model("profile", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {
    {&tool_argp_compile, 0, NULL, 0}, {&tool_argp_input, 0, NULL, 0}, {&tool_argp_json, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "MODEL",
    "Measures every unit of compiled code over many runs: time, speed against what this machine does at best (measured first, see "
    "fxjit machine), what bounds it, what the compiler expected, and how evenly threads share it. Slowest first."
    "\vExamples:\n"
    "  fxjit profile resnet18.onnx\n"
    "  fxjit profile --threads 1 --by node --interpreted mlp.onnx\n"
    "  fxjit profile --trace trace.json --runs 8 --seconds 0 resnet18.onnx    (open it at ui.perfetto.dev)\n"
    "  fxjit profile --leave-out 12 resnet18.onnx\n",
    children,
    NULL,
    NULL};

/* ---- Measuring ---------------------------------------------------------------------------------------------------------- */

static fx_status read_inputs(profile_data *d)
{
    if (d->o->inputs) return tool_load_named(d->context, d->module, d->o->inputs, true, &d->in);
    return tool_inputs(d->context, d->module, &d->o->common, &d->in);
}

static fx_status compile_model(profile_data *d)
{
    fx_compile_options compile = d->o->common.compile;
    compile.profile = true;
    fx_status status = fx_load(d->context, d->o->model, &d->module);
    if (status == FX_OK) status = read_inputs(d);
    bool typed = status == FX_OK && tool_has_types(d->module);
    if (status == FX_OK) status = fx_compile(d->module, typed ? NULL : d->in.tensor, d->in.n, &compile, &d->compiled);
    return status == FX_OK ? fx_explain(d->compiled, &d->x) : status;
}

static bool is_unit(const fx_unit *unit, const char *text)
{
    char *end;
    const char *digits = *text == '#' ? text + 1 : text;
    long number = strtol(digits, &end, 10);
    return !unit->init && (strcmp(unit->label, text) == 0 || (end != digits && !*end && number == unit->index));
}

static void find_left_out(profile_data *d)
{
    for (int i = 0; i < d->o->n_leave_out; i++) {
        int32_t at = 0;
        while (at < d->x->n_unit && !is_unit(&d->x->unit[at], d->o->leave_out[i])) at++;
        if (at == d->x->n_unit)
            tool_usage("profile", "--leave-out: there is no unit '%s'; fxjit profile --top 0 shows all", d->o->leave_out[i]);
        if (d->x->unit[at].kind != FX_UNIT_RUN && d->x->unit[at].kind != FX_UNIT_CALL)
            tool_usage("profile", "--leave-out: unit '%s' steers the run; only kernels and calls can be left out",
                       d->o->leave_out[i]);
        d->leave_out[i] = at;
    }
}

static fx_status run(profile_data *d, const fx_profile_options *o, fx_profile **out)
{
    return fx_profile_run(d->compiled, d->context, d->in.tensor, d->in.n, o, out);
}

static fx_status measure(profile_data *d)
{
    fx_status status = compile_model(d);
    tool_progress_end(); /* the next may end the program */
    if (status == FX_OK) find_left_out(d);
    tool_progress_silent("measuring the machine");
    if (status == FX_OK) status = tool_measure_machine(d->context, &d->machine);
    tool_progress_silent("measuring the model");
    fx_profile_options o = {.runs = d->o->runs, .seconds = d->o->seconds, .traced_runs = d->o->trace ? TRACED_RUNS : 0};
    if (status == FX_OK) status = run(d, &o, &d->p);
    if (status == FX_OK && d->o->n_leave_out) status = profile_measure_without(d, &d->without);
    tool_progress_silent("interpreting");
    if (status == FX_OK && d->o->interpreted) status = fx_profile_interpreter(d->compiled, d->in.tensor, d->in.n, 3, &d->nodes);
    if (status == FX_OK && d->o->trace) status = profile_write_trace(d, d->o->trace);
    return status;
}

static fx_status show(const profile_data *d)
{
    int32_t n;
    profile_row *rows = profile_rows(d, &n);
    if (!rows) return FX_E_OOM;
    if (d->o->common.json)
        tool_print_json(profile_json(d, rows, n));
    else
        profile_print(d, rows, n);
    free(rows);
    return FX_OK;
}

int tool_profile(int argc, char **argv)
{
    profile_options o = {.common = tool_defaults("profile"), .runs = 10, .seconds = 1, .top = 20};
    tool_parse(&argp, argc, argv, &o);
    profile_data d = {.o = &o, .context = fx_context_new()};
    tool_progress_begin(&o.common);
    fx_status status = measure(&d);
    tool_progress_end();
    if (status == FX_OK) status = show(&d);
    int result = status == FX_OK ? TOOL_OK : tool_fail(d.context, status, o.common.json);
    fx_node_profile_free(d.nodes);
    fx_profile_free(d.p);
    fx_explanation_free(d.x);
    tool_tensors_free(&d.in);
    fx_compiled_free(d.compiled);
    fx_module_free(d.module);
    fx_context_free(d.context);
    tool_options_free(&o.common);
    return result;
}
