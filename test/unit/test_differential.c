/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs through all forms: the interpreter says what a graph means; the core graph, the program after every pass (evaluated
 * with scalar loops), and native code on one and two threads must agree. The first form that differs is named. FXJIT_SEEDS=N sets
 * the number of graphs, FXJIT_SEED=K runs one. */
#include "harness.h"
#include "compare.h"
#include "random_graph.h"
#include "codegen/codegen.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_IO = 4 };

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

static void check_native(subject *s)
{
    fx_tensor one[MAX_IO], two[MAX_IO], apart[MAX_IO];
    run_native(s, &(fx_compile_options){.threads = 1}, "codegen", one);
    run_native(s, &(fx_compile_options){.threads = 2}, "codegen with two threads", two);
    run_native(s, &(fx_compile_options){.threads = 1, .no_in_place = true}, "codegen with every value apart", apart);
    for (int32_t i = 0; i < s->n_out; i++) {
        ck_assert_msg(!fx_test_difference(&one[i], &two[i], NULL), "seed %llu: two threads give other bits",
                      (unsigned long long)s->seed);
        ck_assert_msg(!fx_test_difference(&one[i], &apart[i], NULL), "seed %llu: sharing memory changes bits",
                      (unsigned long long)s->seed);
    }
    release_all(one, s->n_out);
    release_all(two, s->n_out);
    release_all(apart, s->n_out);
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

static void check_seed(uint64_t seed, bool exact, int32_t *drawn)
{
    subject s = {.seed = seed, .exact = exact, .context = fx_context_new()};
    s.module = fx_test_random_module(s.context, seed, &(fx_random_options){.exact = exact, .drawn = drawn});
    ck_assert_ptr_nonnull(s.module);
    s.n_in = fx_module_input_count(s.module);
    s.n_out = fx_module_output_count(s.module);
    fx_test_random_inputs(s.module, seed, exact, s.in);
    CHECK_OK(s.context, fx_interpret_bound(s.module, s.in, s.n_in, s.expected, s.bound, s.n_out));
    check_forms(&s);
    check_native(&s);
    release_all(s.in, s.n_in);
    release_all(s.expected, s.n_out);
    release_all(s.bound, s.n_out);
    fx_module_free(s.module);
    fx_context_free(s.context);
}

static void check_seeds(uint64_t first, bool exact)
{
    const char *one = getenv("FXJIT_SEED"), *many = getenv("FXJIT_SEEDS");
    uint64_t n = many ? strtoull(many, NULL, 10) : 250;
    int32_t *drawn = calloc((size_t)fx_op_count(), sizeof *drawn);
    if (one) {
        check_seed(strtoull(one, NULL, 10), exact, drawn);
    } else {
        for (uint64_t seed = first; seed < first + n; seed++) check_seed(seed, exact, drawn);
    }
    printf("%llu %s graphs, operators drawn:", (unsigned long long)n, exact ? "exact" : "real");
    for (int32_t i = 0; i < fx_op_count(); i++) printf(" %s %d", fx_op_name(fx_op_at(i)), (int)drawn[i]);
    printf("\n");
    if (!one && n >= 2000 && !exact) /* enough graphs for every row */
        for (int32_t i = 0; i < fx_op_count(); i++)
            ck_assert_msg(drawn[i] >= 50, "operator %s was drawn %d times", fx_op_name(fx_op_at(i)), (int)drawn[i]);
    free(drawn);
}

START_TEST(real_numbers_agree_within_the_bound)
{
    check_seeds(0, false);
}
END_TEST

START_TEST(small_integers_agree_bit_for_bit)
{
    check_seeds(100000, true);
}
END_TEST

FX_TESTS("differential", real_numbers_agree_within_the_bound, small_integers_agree_bit_for_bit)
