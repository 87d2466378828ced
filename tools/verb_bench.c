/* SPDX-License-Identifier: Apache-2.0 */
/* verb_bench.c: `fxjit bench`: speed of compiled code against the interpreter. Four input sets are cycled, so that no two runs in
 * a row see one input, and inputs and state that runs change are restored between them; every timed run's outputs are compared with
 * an untimed run's, and those of the given set with what is expected. The model is compiled before anything else is read: compile_ms
 * counts from the start of the process. */
#include "tool.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { KEY_SECONDS = 512, KEY_INPUTS, KEY_EXPECT, SETS = 4, MIN_RUNS = 10, MAX_RUNS = 100000 };

typedef struct bench_options {
    tool_options common;
    const char *model, *inputs, *expect;
    double seconds;
} bench_options;

static const struct argp_option options[] = {{"seconds", KEY_SECONDS, "S", 0, "time to spend on timed runs (1)", 0},
                                             {"inputs", KEY_INPUTS, "DIR", 0, "read inputs from DIR/NAME.npy", 0},
                                             {"expect", KEY_EXPECT, "DIR", 0, "compare outputs with DIR/NAME.npy", 0},
                                             {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bench_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 4; i++) state->child_inputs[i] = &o->common;
        return 0;
    case KEY_SECONDS:
        o->seconds = tool_duration("bench", "seconds", arg);
        return 0;
    case KEY_INPUTS:
        o->inputs = arg;
        return 0;
    case KEY_EXPECT:
        o->expect = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->expect && !o->inputs) tool_usage("bench", "--expect needs --inputs");
        return tool_one_model("bench", key, arg, &o->model);
    default:
        return tool_one_model("bench", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {{&tool_argp_compile, 0, NULL, 0},
                                             {&tool_argp_input, 0, NULL, 0},
                                             {&tool_argp_engine, 0, NULL, 0},
                                             {&tool_argp_json, 0, NULL, 0},
                                             {0}};
static const struct argp argp = {
    options,
    parse,
    "MODEL",
    "Measures compiled code against the interpreter (which runs once; --engine compiled leaves it out)."
    "\vExamples:\n"
    "  fxjit bench resnet18.onnx\n"
    "  fxjit bench --threads 1 --seconds 3 --json mlp.onnx\n"
    "  fxjit bench --inputs in --expect out --engine compiled resnet18.onnx\n",
    children,
    NULL,
    NULL};

/* ---- What a benchmark holds
 * ------------------------------------------------------------------------------------------------------ */

typedef struct timing {
    double median_ms, min_ms, max_ms;
    int runs;
} timing;

typedef struct bench {
    bench_options *o;
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
    tool_tensors in[SETS], untimed[SETS], out, expected;
    tool_tensors given; /* to the next run: inputs that it changes are copies */
    int32_t threads;
    size_t workspace_bytes; /* of a run with in[0] */
    int64_t flop;
    double compile_ms, max_abs, max_rel;
    bool checked; /* max_abs and max_rel mean something */
    timing fast, slow;
} bench;

/* ---- Inputs
 * ------------------------------------------------------------------------------------------------------------------------ */

static fx_status scaled_copy(const fx_tensor *from, int set, fx_tensor *to)
{
    fx_status status = fx_tensor_alloc(from->dtype, from->rank, from->dim, to);
    if (status == FX_OK) status = fx_tensor_copy(to, from);
    if (status != FX_OK || !fx_dtype_is_float(from->dtype)) return status;
    for (int64_t i = 0; i < fx_tensor_elems(to); i++) fx_tensor_set(to, i, fx_tensor_get(to, i) * (1.0 - 0.05 * set));
    return FX_OK;
}

static fx_status make_sets(bench *b)
{
    fx_status status = FX_OK;
    for (int s = 1; s < SETS; s++) {
        b->in[s] = tool_tensors_new(b->in[0].n);
        for (int32_t i = 0; i < b->in[0].n && status == FX_OK; i++)
            status = scaled_copy(&b->in[0].tensor[i], s, &b->in[s].tensor[i]);
    }
    return status;
}

static fx_status read_given(bench *b)
{
    if (b->o->inputs) return tool_load_named(b->context, b->module, b->o->inputs, true, &b->in[0]);
    return tool_inputs(b->context, b->module, &b->o->common, &b->in[0]);
}

/* ---- Compiling
 * ---------------------------------------------------------------------------------------------------------------------- */

static fx_status compile_model(bench *b)
{
    bool typed = tool_has_types(b->module);
    fx_status status = typed ? FX_OK : read_given(b);
    if (status == FX_OK)
        status = fx_compile(b->module, typed ? NULL : b->in[0].tensor, b->in[0].n, &b->o->common.compile, &b->compiled);
    if (status == FX_OK && !fx_compiled_entry(b->compiled)) status = FX_E_CODEGEN;
    b->compile_ms = 1e3 * tool_process_seconds();
    return status == FX_OK && typed ? read_given(b) : status;
}

/* ---- Running and checking
 * ------------------------------------------------------------------------------------------------------------ */

/* Every run finds what the first one found: runs may change inputs and state. */
static fx_status prepare_run(bench *b, int set)
{
    fx_status status = FX_OK;
    fx_state *state = fx_compiled_state(b->compiled);
    if (!b->given.tensor) b->given = tool_tensors_new(b->in[0].n);
    for (int32_t i = 0; i < b->in[set].n && status == FX_OK; i++) {
        fx_tensor *to = &b->given.tensor[i], *from = &b->in[set].tensor[i];
        if (!fx_compiled_input_is_written(b->compiled, i)) {
            *to = *from;
            continue;
        }
        if (!to->data) status = fx_tensor_alloc(from->dtype, from->rank, from->dim, to);
        if (status == FX_OK) status = fx_tensor_copy(to, from);
    }
    if (state) fx_state_reset(state);
    return status;
}

static void free_given(bench *b)
{
    for (int32_t i = 0; i < b->given.n; i++)
        if (!fx_compiled_input_is_written(b->compiled, i)) b->given.tensor[i].data = NULL; /* another's */
    tool_tensors_free(&b->given);
}

static fx_status run_prepared(bench *b, tool_tensors *out)
{
    return fx_run(b->compiled, b->context, b->given.tensor, b->given.n, out->tensor, out->n);
}

static fx_status run_once(bench *b, int set, tool_tensors *out)
{
    fx_status status = prepare_run(b, set);
    return status == FX_OK ? run_prepared(b, out) : status;
}

static void note_error(bench *b, const tool_tensors *actual, const tool_tensors *expected)
{
    for (int32_t i = 0; i < expected->n; i++) {
        tool_error e = tool_compare(&actual->tensor[i], &expected->tensor[i], 0, 0);
        if (!e.same_type) e.max_abs = e.max_rel = INFINITY;
        b->max_abs = fmax(b->max_abs, e.max_abs);
        b->max_rel = fmax(b->max_rel, e.max_rel);
    }
    b->checked = true;
}

/* Timed runs must give the very bytes of the untimed ones. */
static fx_status same_bytes(bench *b, int set)
{
    for (int32_t i = 0; i < b->out.n; i++) {
        const fx_tensor *now = &b->out.tensor[i], *then = &b->untimed[set].tensor[i];
        if (memcmp(now->data, then->data, (size_t)fx_tensor_bytes(then)) == 0) continue;
        tool_tell("output '%s' of a timed run differs from the same run before", fx_module_output_name(b->module, i));
        return FX_E_INTERNAL;
    }
    return FX_OK;
}

static fx_status untimed_runs(bench *b)
{
    fx_status status = FX_OK;
    for (int s = 0; s < SETS && status == FX_OK; s++) {
        b->untimed[s] = tool_tensors_new(fx_module_output_count(b->module));
        status = run_once(b, s, &b->untimed[s]);
    }
    if (status != FX_OK || !b->o->expect) return status;
    status = tool_load_named(b->context, b->module, b->o->expect, false, &b->expected);
    if (status == FX_OK) note_error(b, &b->untimed[0], &b->expected);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static timing summary(double *ms, int runs)
{
    qsort(ms, (size_t)runs, sizeof *ms, by_value);
    return (timing){ms[runs / 2], ms[0], ms[runs - 1], runs};
}

static fx_status timed_runs(bench *b)
{
    double *ms = malloc(MAX_RUNS * sizeof *ms);
    int runs = 0;
    fx_status status = ms ? FX_OK : FX_E_OOM;
    b->out = tool_tensors_new(fx_module_output_count(b->module));
    double warm = b->o->seconds < 0.2 ? b->o->seconds : 0.2;
    for (double begin = tool_seconds(); status == FX_OK && tool_seconds() - begin < warm;) status = run_once(b, 0, &b->out);
    for (double begin = tool_seconds();
         status == FX_OK && runs < MAX_RUNS && (runs < MIN_RUNS || tool_seconds() - begin < b->o->seconds); runs++) {
        status = prepare_run(b, runs % SETS);
        double start = tool_seconds();
        if (status == FX_OK) status = run_prepared(b, &b->out);
        ms[runs] = 1e3 * (tool_seconds() - start);
        if (status == FX_OK) status = same_bytes(b, runs % SETS);
        tool_progress_items("timed runs", runs, MAX_RUNS);
    }
    if (status == FX_OK) b->fast = summary(ms, runs);
    free(ms);
    return status;
}

static fx_status interpret_once(bench *b)
{
    tool_tensors out = tool_tensors_new(fx_module_output_count(b->module));
    double start = tool_seconds();
    fx_status status = fx_interpret(b->module, b->in[0].tensor, b->in[0].n, out.tensor, out.n);
    double ms = 1e3 * (tool_seconds() - start);
    if (status == FX_OK && b->o->expect && !b->o->common.compiled) {
        status = tool_load_named(b->context, b->module, b->o->expect, false, &b->expected);
        if (status == FX_OK) note_error(b, &out, &b->expected);
    }
    if (status == FX_OK && b->o->common.compiled && !b->o->expect) note_error(b, &b->untimed[0], &out);
    b->slow = (timing){ms, ms, ms, 1};
    tool_tensors_free(&out);
    return status;
}

static fx_status measure(bench *b)
{
    tool_progress_silent("compiling"); /* its time is measured: no callbacks */
    fx_status status = fx_load(b->context, b->o->model, &b->module);
    if (status == FX_OK) status = b->o->common.compiled ? compile_model(b) : read_given(b);
    if (status == FX_OK) status = make_sets(b);
    if (status == FX_OK && b->compiled)
        status = fx_compiled_needs(b->compiled, b->context, b->in[0].tensor, b->in[0].n, &b->workspace_bytes, &b->flop);
    tool_progress_silent("running");
    if (status == FX_OK && b->o->common.compiled) status = untimed_runs(b);
    if (status == FX_OK && b->o->common.compiled) status = timed_runs(b);
    tool_progress_silent("interpreting");
    if (status == FX_OK && b->o->common.interpreted) status = interpret_once(b);
    tool_progress_end();
    return status;
}

/* ---- Report
 * ---------------------------------------------------------------------------------------------------------------------------- */

static json_t *timing_json(const timing *t)
{
    return json_pack("{s:f,s:f,s:i}", "median_ms", t->median_ms, "min_ms", t->min_ms, "runs", t->runs);
}

/* JSON has no infinity. */
static double json_finite(double value)
{
    return isfinite(value) ? value : 1e308;
}

static void print_json(const bench *b)
{
    json_t *object = json_pack("{s:o,s:i}", "model", tool_text(b->o->model), "threads", (int)b->threads);
    if (b->compiled) {
        json_object_set_new(object, "compile_ms", json_real(b->compile_ms));
        json_object_set_new(object, "compiled", timing_json(&b->fast));
        json_object_set_new(object, "gflop", json_real((double)b->flop * 1e-9));
        json_object_set_new(object, "workspace_bytes", json_integer((json_int_t)b->workspace_bytes));
        json_object_set_new(object, "kernels", json_integer(fx_compiled_kernel_count(b->compiled)));
        json_object_set_new(object, "fallbacks", json_integer(fx_compiled_fallback_count(b->compiled)));
    }
    if (b->slow.runs) json_object_set_new(object, "interpreted", timing_json(&b->slow));
    if (b->checked) {
        json_object_set_new(object, "max_abs_error", json_real(json_finite(b->max_abs)));
        json_object_set_new(object, "max_rel_error", json_real(json_finite(b->max_rel)));
    }
    tool_print_json(object);
}

static void print_phases(const bench *b)
{
    double ms;
    const char *name;
    printf("  compile      %.1f ms from process start", b->compile_ms);
    for (int32_t i = 0; (name = fx_compiled_phase(b->compiled, i, &ms)) != NULL; i++)
        printf("%s%s %.1f", i ? ", " : " (", name, ms);
    printf(fx_compiled_phase(b->compiled, 0, &ms) ? ")\n" : "\n");
}

static void print_speed(const bench *b)
{
    double gflops = (double)b->flop * 1e-6 / b->fast.median_ms, peak = fx_measure_peak_gflops(b->context);
    printf("  compiled     %.4f ms median, %.4f min, %.4f max, %d runs\n", b->fast.median_ms, b->fast.min_ms, b->fast.max_ms,
           b->fast.runs);
    printf("  speed        %.2f GFLOP/s", gflops);
    if (peak > 0) printf(", %.1f %% of %d x %.1f GFLOP/s measured", 100 * gflops / (peak * b->threads), (int)b->threads, peak);
    printf("\n");
}

static void print_memory(const bench *b)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("  memory       %.2f MB workspace, %.2f MB constants, %.1f MB resident at most\n", (double)b->workspace_bytes * 1e-6,
           (double)fx_compiled_const_bytes(b->compiled) * 1e-6, (double)usage.ru_maxrss * 1e-3);
    printf("  kernels      %d, %d nodes not compiled\n", (int)fx_compiled_kernel_count(b->compiled),
           (int)fx_compiled_fallback_count(b->compiled));
    for (int32_t i = 0; i < fx_compiled_fallback_count(b->compiled); i++)
        printf("               %s\n", fx_compiled_fallback(b->compiled, i));
}

static int32_t threads_of(const fx_compiled *compiled)
{
    fx_rt_call call = {0};
    fx_compiled_call(compiled, &call);
    return call.threads;
}

static void print_report(const bench *b)
{
    printf(b->compiled ? "%s, %d threads\n" : "%s\n", b->o->model, (int)b->threads);
    if (b->compiled) {
        print_speed(b);
        print_phases(b);
        print_memory(b);
    }
    if (b->slow.runs) printf("  interpreted  %.2f ms\n", b->slow.median_ms);
    if (b->slow.runs && b->compiled) printf("  ratio        %.1f times faster\n", b->slow.median_ms / b->fast.median_ms);
    if (b->checked)
        printf("  error        %.3g absolute, %.3g of the largest value, against the %s\n", b->max_abs, b->max_rel,
               b->o->expect ? "expected outputs" : "interpreter");
}

int tool_bench(int argc, char **argv)
{
    bench_options o = {.common = tool_defaults("bench"), .seconds = 1};
    tool_parse(&argp, argc, argv, &o);
    bench b = {.o = &o, .context = fx_context_new()};
    fx_status status = measure(&b);
    b.threads = o.common.compile.threads;
    if (b.compiled) b.threads = threads_of(b.compiled);
    int result = status == FX_OK ? TOOL_OK : tool_fail(b.context, status, o.common.json);
    if (status == FX_OK && o.common.json) print_json(&b);
    if (status == FX_OK && !o.common.json) print_report(&b);
    free_given(&b);
    for (int s = 0; s < SETS; s++) {
        tool_tensors_free(&b.in[s]);
        tool_tensors_free(&b.untimed[s]);
    }
    tool_tensors_free(&b.out);
    tool_tensors_free(&b.expected);
    fx_compiled_free(b.compiled);
    fx_module_free(b.module);
    fx_context_free(b.context);
    tool_options_free(&o.common);
    return result;
}
