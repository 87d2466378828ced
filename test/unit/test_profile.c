/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: every unit of every run is measured, sums fit into what holds them, units can be left out and listened to, and code
 * that was not compiled for it is refused. Times themselves are held against each other, never against a number. */
#include "fxjit/fxjit.h"
#include "fxjit/inspect.h"
#include "fxjit/profile.h"
#include "probe.h"
#include <math.h>
#include <string.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"

enum { RUNS = 12 };

#define PERCEPTRON(rows)                                                                                                           \
    IN("x", "f32[" rows ", 128]")                                                                                                  \
    IN("w1", "f32[256, 128]")                                                                                                      \
    IN("wb", "f32[256]")                                                                                                           \
    IN("w2", "f32[40, 256]")                                                                                                       \
    CALL("a", "linear.default", "(%x, %w1, %wb)")                                                                                  \
    CALL("g", "relu.default", "(%a)") CALL("h", "linear.default", "(%g, %w2)") CALL("y", "_softmax.default", "(%h, 1, False)")
static const char perceptron[] = PERCEPTRON("16"), wide[] = PERCEPTRON("160"); /* worth sharing */
static const char lstm[] =
    IN("x", "f32[12, 4, 40]") IN("h", "f32[1, 4, 48]") IN("w1", "f32[192, 40]") IN("w2", "f32[192, 48]") IN("wb", "f32[192]")
        CALL("l", "lstm.input",
             "(%x, [%h, %h], [%w1, %w2, %wb, %wb], True, 1, 0.0, False, False, False)") "%y = call_function "
                                                                                        "\"operator.getitem\"(%l, 0)\n";

typedef struct subject {
    fx_probe probe;
    fx_compiled *compiled;
    fx_explanation *explanation;
} subject;

static subject open_subject(const char *lines, int32_t threads)
{
    subject s = {.probe = fx_probe_text(lines, false)};
    s.compiled = fx_probe_compile(&s.probe, &(fx_compile_options){.threads = threads, .profile = true});
    CHECK_OK(s.probe.context, fx_explain(s.compiled, &s.explanation));
    return s;
}

static void close_subject(subject *s)
{
    fx_explanation_free(s->explanation);
    fx_compiled_free(s->compiled);
    fx_probe_free(&s->probe);
}

static fx_profile *profile(subject *s, fx_profile_options options)
{
    fx_profile *p;
    options.runs = RUNS;
    CHECK_OK(s->probe.context, fx_profile_run(s->compiled, s->probe.context, s->probe.in, s->probe.n_in, &options, &p));
    ck_assert_int_eq(p->runs, RUNS);
    return p;
}

static int32_t count_units(const fx_explanation *x)
{
    int32_t n = 0;
    for (int32_t i = 0; i < x->n_unit; i++) n += !x->unit[i].init;
    return n;
}

/* ---- Numbers ------------------------------------------------------------------------------------------------------------ */

static void check_unit(const fx_unit_time *t, const fx_unit *unit, const fx_profile *p)
{
    ck_assert_int_eq(t->runs, RUNS * unit->turns);
    ck_assert(t->min_us > 0 && t->min_us <= t->median_us && t->median_us <= t->max_us && t->max_us <= t->total_us);
    ck_assert(t->run_us <= p->wall_max_us && t->own_us <= t->run_us && t->own_us >= 0);
    for (int32_t i = p->threads; i < FX_PROFILE_THREADS; i++) ck_assert(t->busy_us[i] == 0);
    if (unit->kind == FX_UNIT_LOOP) {
        ck_assert(t->busy_us[0] == 0 && t->wait_us == 0); /* that is what is inside */
        return;
    }
    ck_assert(t->busy_us[0] > 0 && t->busy_us[0] + t->wait_us <= 1.001 * t->total_us / (double)RUNS && t->balance > 0 &&
              t->balance <= 1);
    if (unit->chunks == 1) ck_assert(t->wait_us == 0 && t->balance * p->threads < 1.001);
}

static void check_all(const char *lines, int32_t threads)
{
    subject s = open_subject(lines, threads);
    fx_profile *p = profile(&s, (fx_profile_options){0});
    double sum = 0;
    ck_assert_int_eq(p->n_unit, count_units(s.explanation));
    ck_assert_int_eq(p->threads, threads);
    for (int32_t i = 0; i < p->n_unit; i++) {
        check_unit(&p->unit[i], &s.explanation->unit[i], p);
        sum += s.explanation->unit[i].parent < 0 ? p->unit[i].total_us / (double)RUNS : 0;
    }
    ck_assert(p->wall_min_us <= p->wall_us && p->wall_us <= p->wall_max_us);
    ck_assert(p->units_us > 0 && p->units_us <= p->wall_us && p->entry_us > 0 && p->entry_us < p->wall_max_us);
    ck_assert(sum > 0 && sum <= p->wall_max_us && p->n_event == 0);
    fx_profile_free(p);
    close_subject(&s);
}

START_TEST(times_fit_into_each_other)
{
    for (int32_t threads = 1; threads <= 2; threads++) {
        check_all(wide, threads);
        check_all(lstm, threads);
    }
}
END_TEST

static int32_t find_loop(const fx_explanation *x)
{
    int32_t i = 0;
    while (x->unit[i].kind != FX_UNIT_LOOP) ck_assert_int_lt(++i, x->n_unit);
    return i;
}

/* A loop takes the time of its turns, and little of its own. */
START_TEST(turns_of_a_loop_are_counted)
{
    subject s = open_subject(lstm, 1);
    int32_t loop = find_loop(s.explanation);
    const fx_unit *inside = &s.explanation->unit[loop + 1];
    fx_profile *p = profile(&s, (fx_profile_options){0});
    ck_assert_int_eq(inside->parent, loop);
    ck_assert_int_eq(p->unit[loop].runs, RUNS);
    ck_assert_int_eq(p->unit[loop + 1].runs, 12 * RUNS);
    ck_assert(p->unit[loop + 1].total_us < p->unit[loop].total_us && p->unit[loop].own_us < 0.5 * p->unit[loop].run_us);
    ck_assert(fabs(p->unit[loop + 1].run_us - 12 * p->unit[loop + 1].median_us) <= 1e-6 * p->unit[loop + 1].run_us);
    fx_profile_free(p);
    close_subject(&s);
}
END_TEST

/* ---- Leaving out and listening ------------------------------------------------------------------------------------------ */

START_TEST(units_are_left_out)
{
    subject s = open_subject(lstm, 1);
    int32_t loop = find_loop(s.explanation), out[] = {loop, loop + 1};
    fx_profile *p = profile(&s, (fx_profile_options){.leave_out = out, .n_leave_out = 2});
    ck_assert_int_eq(p->unit[loop].runs, RUNS); /* a loop stays */
    ck_assert_int_eq(p->unit[loop + 1].runs, 0);
    ck_assert(p->unit[loop + 1].run_us == 0 && p->unit[loop + 1].total_us == 0 && p->unit[loop + 1].min_us == 0);
    ck_assert_int_eq(p->unit[0].runs, RUNS);
    fx_profile_free(p);
    fx_profile_options wrong = {.leave_out = out, .n_leave_out = 1};
    out[0] = count_units(s.explanation);
    ck_assert_int_eq(fx_profile_run(s.compiled, s.probe.context, s.probe.in, s.probe.n_in, &wrong, &p), FX_E_ARG);
    ck_assert_ptr_null(p);
    CHECK_DIAG(s.probe.context, "to leave out");
    close_subject(&s);
}
END_TEST

/* An assertion is a unit that steers the run; asked to be left out, it is measured all the same. */
START_TEST(assertions_stay)
{
    subject s = open_subject(IN("x", "f32[8, 8]") CALL("s", "sum.default", "(%x)") CALL("t", "ge.Scalar", "(%s, -1000.0)")
                                 CALL("c", "_assert_async.msg", "(%t, \"small\")") CALL("y", "neg.default", "(%x)"),
                             1);
    int32_t at = 0;
    while (s.explanation->unit[at].kind != FX_UNIT_ASSERT) ck_assert_int_lt(++at, s.explanation->n_unit);
    fx_profile *p = profile(&s, (fx_profile_options){.leave_out = &at, .n_leave_out = 1});
    ck_assert_int_eq(p->unit[at].runs, RUNS);
    ck_assert(p->unit[at].total_us < p->total_us);
    fx_profile_free(p);
    close_subject(&s);
}
END_TEST

typedef struct audience {
    int32_t befores, afters, refused;
    double us;
} audience;

static bool before(void *user, int32_t unit)
{
    audience *a = user;
    a->befores++;
    return unit != a->refused;
}

static void after(void *user, int32_t unit, double us)
{
    audience *a = user;
    ck_assert_int_ne(unit, a->refused);
    a->afters++;
    a->us += us;
}

START_TEST(hooks_hear_of_timed_runs_only)
{
    subject s = open_subject(perceptron, 1);
    audience all = {.refused = -1}, most = {.refused = 0};
    int32_t n = count_units(s.explanation);
    fx_profile *p = profile(&s, (fx_profile_options){.before = before, .after = after, .user = &all});
    double total = 0;
    for (int32_t i = 0; i < n; i++) total += p->unit[i].total_us;
    ck_assert_int_eq(all.befores, n * RUNS);
    ck_assert_int_eq(all.afters, n * RUNS);
    ck_assert(fabs(all.us - total) <= 1e-6 * total);
    fx_profile_free(p);
    p = profile(&s, (fx_profile_options){.before = before, .after = after, .user = &most, .warm_up = -1});
    ck_assert_int_eq(most.befores, n * RUNS);
    ck_assert_int_eq(most.afters, (n - 1) * RUNS);
    ck_assert_int_eq(p->unit[0].runs, 0);
    fx_profile_free(p);
    close_subject(&s);
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------------------------------- */

/* Lanes: what one thread does never overlaps, but for a loop and what is inside, and lies inside its run. */
START_TEST(events_lie_inside_their_run)
{
    subject s = open_subject(wide, 2);
    fx_profile *p = profile(&s, (fx_profile_options){.traced_runs = 3});
    double run_begin[3], run_end[3], last[2] = {0};
    int32_t runs = 0, others = 0;
    for (int64_t i = 0; i < p->n_event; i++) {
        const fx_profile_event *e = &p->event[i];
        if (e->unit >= 0) continue;
        ck_assert_int_eq(e->run, runs);
        run_begin[runs] = e->begin_us;
        run_end[runs++] = e->end_us;
    }
    ck_assert_int_eq(runs, 3);
    ck_assert(run_begin[0] == 0 && run_end[0] <= run_begin[1] && run_end[1] <= run_begin[2]);
    for (int64_t i = 0; i < p->n_event; i++) {
        const fx_profile_event *e = &p->event[i];
        ck_assert(e->begin_us <= e->end_us && e->begin_us >= run_begin[e->run] && e->end_us <= run_end[e->run]);
        if (e->unit < 0) continue;
        ck_assert(e->thread >= 0 && e->thread < 2 && e->begin_us >= last[e->thread]);
        last[e->thread] = e->end_us;
        others += e->thread == 1;
    }
    ck_assert_int_gt(others, 0);
    fx_profile_free(p);
    close_subject(&s);
}
END_TEST

/* ---- The same numbers as without ---------------------------------------------------------------------------------------- */

START_TEST(profiled_code_computes_the_same)
{
    subject s = open_subject(lstm, 2);
    fx_tensor with = {0}, without = {0};
    CHECK_OK(s.probe.context, fx_run(s.compiled, s.probe.context, s.probe.in, s.probe.n_in, &with, 1));
    fx_compiled *plain = fx_probe_compile(&s.probe, &(fx_compile_options){.threads = 2});
    CHECK_OK(s.probe.context, fx_run(plain, s.probe.context, s.probe.in, s.probe.n_in, &without, 1));
    ck_assert_mem_eq(with.data, without.data, (size_t)fx_tensor_bytes(&with));
    ck_assert_uint_eq(fx_compiled_code_hash(plain), fx_compiled_code_hash(s.compiled));
    fx_profile *p;
    ck_assert_int_eq(fx_profile_run(plain, s.probe.context, s.probe.in, s.probe.n_in, NULL, &p), FX_E_ARG);
    CHECK_DIAG(s.probe.context, "option profile");
    ck_assert_int_eq(fx_profile_run(s.compiled, NULL, s.probe.in, s.probe.n_in - 1, NULL, &p), FX_E_ARG);
    fx_tensor_release(&with);
    fx_tensor_release(&without);
    fx_compiled_free(plain);
    close_subject(&s);
}
END_TEST

START_TEST(nodes_are_interpreted_one_by_one)
{
    subject s = open_subject(perceptron, 1);
    fx_node_profile *p;
    CHECK_OK(s.probe.context, fx_profile_interpreter(s.compiled, s.probe.in, s.probe.n_in, 2, &p));
    double sum = 0, linear = 0;
    for (int32_t i = 0; i < p->n_node; i++) {
        ck_assert(p->node[i].min_us >= 0 && p->node[i].min_us <= p->node[i].median_us);
        sum += p->node[i].min_us;
        if (strcmp(fx_node_name(p->node[i].node), "a") == 0) linear = p->node[i].min_us;
    }
    ck_assert_int_eq(p->runs, 2);
    ck_assert(linear > 10 * p->node[0].min_us && sum <= p->wall_us); /* the first node is an input */
    for (int32_t u = 0; u < s.explanation->n_unit; u++) {
        for (int32_t i = 0; i < s.explanation->unit[u].n_nodes; i++) {
            int32_t at = 0;
            while (at < p->n_node && p->node[at].node != s.explanation->unit[u].nodes[i]) at++;
            ck_assert_int_lt(at, p->n_node); /* the very nodes that units name */
        }
    }
    fx_node_profile_free(p);
    close_subject(&s);
}
END_TEST

static fx_status add_one(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_neg(fx_add_(in[0], 1.0));
    return FX_OK;
}

/* Three runs before the timed ones, then those, then two interpreted ones. */
START_TEST(changes_in_place_take_place)
{
    float data[64] = {0};
    fx_context *context = fx_context_new();
    fx_module *module;
    fx_compiled *compiled;
    fx_profile *p;
    fx_node_profile *nodes;
    fx_type type = {FX_F32, 1, {64}};
    fx_tensor x = fx_tensor_view(data, FX_F32, 1, type.dim);
    CHECK_OK(context, fx_trace(context, "net", add_one, NULL, &type, 1, 1, &module));
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.profile = true}, &compiled));
    CHECK_OK(context, fx_profile_run(compiled, context, &x, 1, NULL, &p));
    ck_assert_float_eq(data[5], 3 + 10);
    CHECK_OK(context, fx_profile_interpreter(compiled, &x, 1, 2, &nodes));
    ck_assert_float_eq(data[5], 3 + 10 + 2);
    fx_node_profile_free(nodes);
    fx_profile_free(p);
    fx_compiled_free(compiled);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

FX_TESTS("profile", times_fit_into_each_other, turns_of_a_loop_are_counted, units_are_left_out, assertions_stay,
         hooks_hear_of_timed_runs_only, events_lie_inside_their_run, profiled_code_computes_the_same,
         nodes_are_interpreted_one_by_one, changes_in_place_take_place)
