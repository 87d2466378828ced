/* SPDX-License-Identifier: Apache-2.0 */
#include "differential.h"
#include "compare.h"
#include "harness.h"
#include "random_graph.h"
#include "codegen/codegen.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_IO = 4,
    APART_EVERY = 4, /* every fourth graph is also compiled with every value in memory of its own */
    LEAST_DRAWS = 50,
};

typedef struct subject {
    uint64_t seed;
    bool exact;
    fx_context *context;
    fx_module *module;
    int32_t n_in, n_out;
    fx_tensor in[MAX_IO], expected[MAX_IO], bound[MAX_IO], actual[MAX_IO];
} subject;

static void release_all(fx_tensor *tensors, int32_t n)
{
    for (int32_t i = 0; i < n; i++) fx_tensor_release(&tensors[i]);
}

static void fail_with_graph(const subject *s, const char *form, int32_t output, const char *difference)
{
    char *text = fx_graph_to_fx(fx_module_graph(s->module));
    fprintf(stderr, "%s\n", text ? text : "");
    fx_text_free(text);
    ck_abort_msg("seed %llu, after %s, output %d: %s", (unsigned long long)s->seed, form, (int)output, difference);
}

static void expect_outputs(const subject *s, const char *form, const fx_tensor *actual)
{
    for (int32_t i = 0; i < s->n_out; i++) {
        const char *difference = fx_test_difference(&s->expected[i], &actual[i], s->exact ? NULL : &s->bound[i]);
        if (difference) fail_with_graph(s, form, i, difference);
    }
}

static void allocate_outputs(subject *s)
{
    for (int32_t i = 0; i < s->n_out; i++)
        ck_assert_int_eq(fx_tensor_alloc(s->expected[i].dtype, s->expected[i].rank, s->expected[i].dim, &s->actual[i]), FX_OK);
}

static fx_status evaluate_after(void *user, const char *pass, const fx_program *program)
{
    subject *s = user;
    allocate_outputs(s);
    fx_status status = fx__program_eval(program, s->in, s->actual, NULL, NULL);
    if (status == FX_OK) expect_outputs(s, pass, s->actual);
    release_all(s->actual, s->n_out);
    return status;
}

static void run_native(subject *s, const fx_compile_options *options, const char *form, fx_tensor *out)
{
    fx_compiled *compiled;
    CHECK_OK(s->context, fx_compile(s->module, NULL, 0, options, &compiled));
    memset(out, 0, sizeof(fx_tensor) * MAX_IO);
    CHECK_OK(s->context, fx_run(compiled, s->context, s->in, s->n_in, out, s->n_out));
    expect_outputs(s, form, out);
    fx_compiled_free(compiled);
}

static void expect_same_bits(const subject *s, const fx_tensor *a, const fx_tensor *b, const char *complaint)
{
    for (int32_t i = 0; i < s->n_out; i++)
        ck_assert_msg(!fx_test_difference(&a[i], &b[i], NULL), "seed %llu: %s", (unsigned long long)s->seed, complaint);
}

static void check_native(subject *s)
{
    fx_tensor one[MAX_IO], other[MAX_IO];
    run_native(s, &(fx_compile_options){.threads = 1}, "codegen", one);
    run_native(s, &(fx_compile_options){.threads = 2}, "codegen with two threads", other);
    expect_same_bits(s, one, other, "two threads give other bits");
    release_all(other, s->n_out);
    if (s->seed % APART_EVERY == 0) {
        run_native(s, &(fx_compile_options){.threads = 1, .no_in_place = true}, "codegen with every value apart", other);
        expect_same_bits(s, one, other, "sharing memory changes bits");
        release_all(other, s->n_out);
    }
    release_all(one, s->n_out);
}

static void check_forms(subject *s)
{
    fx_target target;
    CHECK_OK(s->context, fx__session_target(s->context, NULL, NULL, NULL, &target));
    fx_pass_options options = {.target = &target, .verify = true, .after = evaluate_after, .after_user = s};
    fx_graph *core = fx_graph_clone(fx_module_graph(s->module));
    CHECK_OK(s->context, fx__pipeline_graph(core, &options));
    CHECK_OK(s->context, fx_interpret(fx_graph_module(core), s->in, s->n_in, s->actual, s->n_out));
    expect_outputs(s, "the graph passes", s->actual);
    release_all(s->actual, s->n_out);
    fx_program *program;
    CHECK_OK(s->context, fx__pipeline_program(core, &options, &program));
    fx__program_free(program);
    fx_module *core_module = fx_graph_module(core);
    fx_module_free(core_module);
}

/* ---- Many ---------------------------------------------------------------------------------------------------------------- */

typedef struct tally {
    int32_t *drawn; /* by row */
    int64_t elems, unbounded;
    int64_t graphs, blind; /* blind: most elements of the outputs are unbounded, so that little was compared */
} tally;

/* An infinite bound says nothing about its element: such elements are counted, so that they stay few. */
static void count_unbounded(const subject *s, tally *t)
{
    int64_t elems = 0, unbounded = 0;
    for (int32_t i = 0; i < s->n_out; i++)
        for (int64_t e = 0; e < fx_tensor_elems(&s->bound[i]); e++, elems++) unbounded += !isfinite(fx_tensor_get(&s->bound[i], e));
    t->elems += elems;
    t->unbounded += unbounded;
    t->graphs++;
    t->blind += 2 * unbounded > elems;
}

static void check_seed(uint64_t seed, bool exact, tally *t)
{
    subject s = {.seed = seed, .exact = exact, .context = fx_context_new()};
    s.module = fx_test_random_module(s.context, seed, &(fx_random_options){.exact = exact, .drawn = t->drawn});
    ck_assert_ptr_nonnull(s.module);
    s.n_in = fx_module_input_count(s.module);
    s.n_out = fx_module_output_count(s.module);
    fx_test_random_inputs(s.module, seed, exact, s.in);
    CHECK_OK(s.context, fx_interpret_bound(s.module, s.in, s.n_in, s.expected, s.bound, s.n_out));
    if (!exact) count_unbounded(&s, t);
    check_forms(&s);
    check_native(&s);
    release_all(s.in, s.n_in);
    release_all(s.expected, s.n_out);
    release_all(s.bound, s.n_out);
    fx_module_free(s.module);
    fx_context_free(s.context);
}

static int compare_counts(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

static void print_histogram(const tally *t, const char *kind)
{
    int32_t n = 0, *sorted = calloc((size_t)fx_op_count(), sizeof *sorted);
    printf("%s graphs, operators drawn:", kind);
    for (int32_t i = 0; i < fx_op_count(); i++) {
        if (t->drawn[i] > 0) printf(" %s %d", fx_op_name(fx_op_at(i)), (int)t->drawn[i]);
        if (t->drawn[i] > 0) sorted[n++] = t->drawn[i];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, compare_counts);
    if (n > 0)
        printf("\n%d rows: least %d, median %d, most %d draws\n", (int)n, (int)sorted[0], (int)sorted[n / 2], (int)sorted[n - 1]);
    if (t->elems > 0)
        printf("%.1f %% of the results' elements have no bound; in %lld of %lld graphs it is most of them\n",
               100 * (double)t->unbounded / (double)t->elems, (long long)t->blind, (long long)t->graphs);
    free(sorted);
}

void fx_test_differential(uint64_t first, uint64_t default_graphs, bool exact)
{
    const char *one = getenv("FXJIT_SEED"), *many = getenv("FXJIT_SEEDS");
    uint64_t n = one ? 1 : many ? strtoull(many, NULL, 10) : default_graphs;
    tally t = {.drawn = calloc((size_t)fx_op_count(), sizeof *t.drawn)};
    if (one) first = strtoull(one, NULL, 10);
    for (uint64_t seed = first; seed < first + n; seed++) check_seed(seed, exact, &t);
    print_histogram(&t, exact ? "exact" : "real");
    ck_assert_msg(10 * t.blind <= t.graphs || n < default_graphs, "in %lld graphs hardly anything was compared",
                  (long long)t.blind);
    for (int32_t i = 0; i < fx_op_count() && n >= default_graphs; i++)
        ck_assert_msg(t.drawn[i] >= LEAST_DRAWS || fx_op_at(i)->impure || (exact && t.drawn[i] == 0), "operator %s was drawn %d times",
                      fx_op_name(fx_op_at(i)), (int)t.drawn[i]);
    free(t.drawn);
}
