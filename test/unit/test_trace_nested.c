/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of traced functions that are specialised or nested, and nested outputs: graphs and code as torch.fx prints them for
 * concrete_args (test/golden/nested_*.txt, by test/torch/make_nested.py), what runs assert, and paths to inputs and outputs. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

static const fx_type pair = {FX_F32, 1, {2}};

/* operator.add, as Python's tracer records it. */
static fx_value add(fx_scope *scope, fx_value a, fx_value b)
{
    const fx_attr args[] = {fx_node_attr(fx_value_node(a)), fx_node_attr(fx_value_node(b))};
    fx_node *node = fx_graph_call(fx_scope_graph(scope), "operator.add", args, 2);
    CHECK_OK(context, fx_node_set_type(node, 0, &pair));
    return fx_value_of_node(scope, node);
}

static fx_module *trace_flags(void)
{
    fx_module *module;
    fx_value none[1];
    fx_scope *scope = fx_trace_begin(context, "flags");
    fx_value x = fx_trace_input(scope, "x", &pair);
    const struct {
        const char *name;
        fx_attr value;
    } given[] = {{"flag", fx_bool(true)}, {"n", fx_int(-3)}, {"scale", fx_float(2.5)}, {"y", fx_none()}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        fx_nest constant = fx_nest_constant(given[i].value);
        CHECK_OK(context, fx_trace_argument(scope, given[i].name, &constant, none, 1));
        ck_assert(!fx_value_ok(none[0]));
    }
    CHECK_OK(context, fx_trace_finish(scope, &x, 1, &module));
    return module;
}

static fx_module *trace_nested(void)
{
    fx_module *module;
    fx_value d[3];
    fx_scope *scope = fx_trace_begin(context, "nested");
    fx_nest leaf = fx_nest_input(&pair);
    CHECK_OK(context, fx_trace_argument(scope, "d",
                                        &FX_NEST_DICT(fx_nest_key("a", leaf), fx_nest_key("b", FX_NEST_LIST(leaf, leaf))), d, 3));
    fx_value x = fx_trace_input(scope, "x", &pair);
    fx_nest boxes = FX_NEST_LIST(fx_nest_value(add(scope, d[0], x)), fx_nest_value(d[1]));
    CHECK_OK(context,
             fx_trace_finish_nested(
                 scope, &FX_NEST_DICT(fx_nest_key("boxes", boxes), fx_nest_key("n", FX_NEST_TUPLE(fx_nest_value(d[2])))), &module));
    return module;
}

static fx_module *trace_specialised(void)
{
    fx_module *module;
    fx_value d[3], none;
    fx_scope *scope = fx_trace_begin(context, "specialised");
    fx_nest leaf = fx_nest_input(&pair), three = fx_nest_constant(fx_int(3)), nothing = fx_nest_constant(fx_none());
    CHECK_OK(context, fx_trace_argument(scope, "d",
                                        &FX_NEST_DICT(fx_nest_key("a", leaf), fx_nest_key("b", FX_NEST_TUPLE(leaf, three))), d, 3));
    CHECK_OK(context, fx_trace_argument(scope, "x", &nothing, &none, 1));
    ck_assert(fx_value_ok(d[1]) && !fx_value_ok(d[2]));
    fx_nest boxes = FX_NEST_LIST(fx_nest_value(d[0]), fx_nest_value(d[1]));
    CHECK_OK(context, fx_trace_finish_nested(
                          scope, &FX_NEST_DICT(fx_nest_key("boxes", boxes), fx_nest_key("n", FX_NEST_TUPLE(three))), &module));
    return module;
}

static fx_module *trace_pairs(void)
{
    fx_module *module;
    fx_value a[2], b;
    fx_scope *scope = fx_trace_begin(context, "pairs");
    fx_nest leaf = fx_nest_input(&pair);
    CHECK_OK(context, fx_trace_argument(scope, "a", &FX_NEST_LIST(leaf, leaf), a, 2));
    CHECK_OK(context, fx_trace_argument(scope, "b", &FX_NEST_TUPLE(leaf), &b, 1));
    CHECK_OK(context,
             fx_trace_finish_nested(scope, &FX_NEST_LIST(fx_nest_value(add(scope, a[0], b)), fx_nest_value(a[1])), &module));
    return module;
}

static void check_text(fx_module *module, const char *golden)
{
    fx_text text;
    char *graph = fx_graph_to_string(fx_module_graph(module)), *code = fx_graph_to_python(fx_module_graph(module), NULL);
    fx__text_init(&text, context);
    fx__text_append(&text, "%s\n%s", graph, code);
    char *whole = fx__text_finish(&text);
    CHECK_GOLDEN(golden, whole);
    fx_text_free(whole);
    fx_text_free(graph);
    fx_text_free(code);
}

START_TEST(graphs_and_code_are_torchs)
{
    static const struct {
        const char *golden;
        fx_module *(*trace)(void);
    } cases[] = {{"nested_flags.txt", trace_flags},
                 {"nested_nested.txt", trace_nested},
                 {"nested_specialised.txt", trace_specialised},
                 {"nested_pairs.txt", trace_pairs}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup();
        fx_module *module = cases[i].trace();
        check_text(module, cases[i].golden);
        CHECK_OK(context, fx_graph_lint(fx_module_graph(module)));
        fx_module_free(module);
        teardown();
    }
}
END_TEST

/* ---- Runs ------------------------------------------------------------------------------------------------------------------- */

START_TEST(runs_assert_what_a_function_was_specialised_for)
{
    setup();
    float x[2] = {1, 2}, y[2];
    bool flag = true;
    int64_t n = -3;
    double scale = 2.5;
    fx_module *module = trace_flags();
    fx_compiled *net;
    fx_tensor in[5] = {fx_tensor_view(x, FX_F32, 1, (int64_t[]){2}), fx_tensor_view(&flag, FX_BOOL, 0, NULL),
                       fx_tensor_view(&n, FX_I64, 0, NULL), fx_tensor_view(&scale, FX_F64, 0, NULL),
                       fx_tensor_view(NULL, FX_BOOL, 1, (int64_t[]){0})};
    fx_tensor out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){2});
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.verify = true}, &net));
    CHECK_OK(context, fx_run(net, context, in, 5, &out, 1));
    ck_assert_float_eq(y[1], 2);
    CHECK_OK(context, fx_interpret(module, in, 5, &out, 1));
    scale = 2.25;
    ck_assert_int_eq(fx_run(net, context, in, 5, &out, 1), FX_E_GUARD);
    CHECK_DIAG(context, "scale has been specialized to have value 2.5 but got another value");
    ck_assert_int_eq(fx_interpret(module, in, 5, &out, 1), FX_E_GUARD);
    flag = false;
    ck_assert_int_eq(fx_run(net, context, in, 5, &out, 1), FX_E_GUARD);
    CHECK_DIAG(context, "flag has been specialized to have value True but got another value");
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

static void expect_path(char *path, const char *expected)
{
    if (expected)
        ck_assert_str_eq(path, expected);
    else
        ck_assert_ptr_null(path);
    fx_text_free(path);
}

static void check_paths(const fx_module *module)
{
    static const char *const inputs[] = {"d[\"a\"]", "d[\"b\"][0]", "d[\"b\"][1]", "x", NULL};
    static const char *const outputs[] = {"[\"boxes\"][0]", "[\"boxes\"][1]", "[\"n\"][0]", NULL};
    for (int32_t i = 0; i < 5; i++) expect_path(fx_module_input_path(module, i), inputs[i]);
    for (int32_t i = 0; i < 4; i++) expect_path(fx_module_output_path(module, i), outputs[i]);
    for (int32_t i = 0; i < 4; i++) ck_assert_int_eq(fx_module_find_input(module, inputs[i]), i);
    for (int32_t i = 0; i < 3; i++) ck_assert_int_eq(fx_module_find_output(module, outputs[i]), i);
    ck_assert_int_eq(fx_module_find_output(module, "[\"boxes\"]"), -1);
    ck_assert_int_eq(fx_module_find_output(module, "[\"n\"][1]"), -1);
    expect_path(fx_module_input_path(module, -1), NULL);
}

START_TEST(hosts_find_inputs_and_outputs_by_path)
{
    setup();
    fx_module *module = trace_nested(), *again;
    float v[4][2] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
    fx_tensor in[4], out[3] = {{0}};
    char file[] = "/tmp/fxjit-nested-XXXXXX";
    int descriptor = mkstemp(file);
    for (int i = 0; i < 4; i++) in[i] = fx_tensor_view(v[i], FX_F32, 1, (int64_t[]){2});
    check_paths(module);
    CHECK_OK(context, fx_module_save(module, file));
    CHECK_OK(context, fx_load(context, file, &again));
    check_paths(again);
    check_text(again, "nested_nested.txt");
    fx_compiled *net;
    CHECK_OK(context, fx_compile(again, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_run(net, context, in, 4, out, 3));
    const float *first = out[fx_module_find_output(again, "[\"boxes\"][0]")].data;
    ck_assert_float_eq(first[1], v[0][1] + v[fx_module_find_input(again, "x")][1]);
    for (int i = 0; i < 3; i++) fx_tensor_release(&out[i]);
    fx_compiled_free(net);
    fx_module_free(again);
    fx_module_free(module);
    close(descriptor);
    unlink(file);
    teardown();
}
END_TEST

/* What nests stands in every text of a graph. */
START_TEST(nesting_is_read_back)
{
    setup();
    fx_module *module = trace_nested();
    fx_graph *graph = fx_module_graph(module), *again;
    char *text = fx_graph_to_fx(graph), *source = fx_graph_to_c(graph, "build");
    ck_assert_ptr_nonnull(strstr(source, "    fx_graph_set_specs(graph, \"{\\\"tuple\\\":[{\\\"dict\\\":{\\\"a\\\":"));
    CHECK_OK(context, fx_graph_parse(context, "again", text, strlen(text), &again));
    ck_assert_str_eq(
        fx_graph_in_spec(again),
        "{\"tuple\":[{\"dict\":{\"a\":{\"leaf\":true},\"b\":{\"list\":[{\"leaf\":true},{\"leaf\":true}]}}},{\"leaf\":true}]}");
    ck_assert_str_eq(fx_graph_out_spec(again), fx_graph_out_spec(graph));
    fx_text_free(text);
    fx_text_free(source);
    fx_graph_free(again);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(other_nestings_are_refused)
{
    static const char *const wrong[] = {"",
                                        "{\"leaf\":true}", /* arguments stand in a tuple */
                                        "{\"tuple\":[{\"leaf\": true}]}",
                                        "{\"tuple\":[{\"leaf\":true},]}",
                                        "{\"tuple\":[{\"leaf\":true}]} ",
                                        "{\"tuple\":[{\"leaf\":true}]",
                                        "{\"tuple\":[{\"dict\":{a:{\"leaf\":true}}}]}",
                                        "{\"tuple\":[{\"dict\":{\"a\\x\":{\"leaf\":true}}}]}",
                                        "{\"tuple\":[{\"dict\":{\"a:{\"leaf\":true}}}]}",
                                        "{\"tuple\":[{\"dict\":[{\"leaf\":true}]}]}"};
    static const char good[] = "{\"tuple\":[{\"dict\":{\"a\\u0041\":{\"none\":true}}},{\"list\":[]}]}";
    setup();
    fx_graph *graph = fx_graph_new(context), *read;
    CHECK_OK(context, fx_graph_set_specs(graph, good, NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(fx_graph_set_specs(graph, wrong[i], NULL) == FX_E_FORMAT, "%s", wrong[i]);
        ck_assert_str_eq(fx_graph_in_spec(graph), good);
    }
    CHECK_OK(context, fx_graph_set_specs(graph, NULL, NULL));
    ck_assert_ptr_null(fx_graph_in_spec(graph));
    fx_graph_free(graph);
    fx_context_clear(context);
    static const char text[] = "graph {\nout_spec \"[]\"\n%output = output(None)\n}\n";
    ck_assert_int_eq(fx_graph_parse(context, "text", text, strlen(text), &read), FX_E_FORMAT);
    CHECK_DIAG(context, "text:2: no nesting of results");
    teardown();
}
END_TEST

START_TEST(constants_are_no_outputs_of_a_run)
{
    setup();
    fx_module *module = trace_specialised();
    ck_assert_int_eq(fx_module_output_count(module), 2);
    expect_path(fx_module_output_path(module, 1), "[\"boxes\"][1]");
    ck_assert_int_eq(fx_module_find_output(module, "[\"n\"][0]"), -1);
    expect_path(fx_module_input_path(module, 2), "d[\"b\"][1]");
    expect_path(fx_module_input_path(module, 3), "x");
    fx_module_free(module);
    teardown();
}
END_TEST

/* Outputs may nest where no argument does: the graph's value says how. */
START_TEST(values_nest_without_a_nested_argument)
{
    setup();
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "plain");
    fx_value x = fx_trace_input(scope, "x", &pair);
    fx_nest leaf = fx_nest_value(x);
    CHECK_OK(context, fx_trace_finish_nested(scope,
                                             &FX_NEST_DICT(fx_nest_key("a \"b\"", FX_NEST_TUPLE(fx_nest_constant(fx_none()), leaf)),
                                                           fx_nest_key("c", leaf)),
                                             &module));
    char *text = fx_graph_to_string(fx_module_graph(module));
    ck_assert_ptr_nonnull(strstr(text, "return {'a \"b\"': (None, x), 'c': x}"));
    fx_text_free(text);
    expect_path(fx_module_output_path(module, 0), "[\"a \\\"b\\\"\"][1]");
    ck_assert_int_eq(fx_module_find_output(module, "[\"c\"]"), 1);
    expect_path(fx_module_input_path(module, 0), "x");
    fx_module_free(module);

    scope = fx_trace_begin(context, "single");
    leaf = fx_nest_value(fx_trace_input(scope, "x_1", &pair));
    CHECK_OK(context, fx_trace_finish_nested(scope, &leaf, &module));
    expect_path(fx_module_output_path(module, 0), "");
    expect_path(fx_module_input_path(module, 0), "x_1");
    fx_module_free(module);
    teardown();
}
END_TEST

/* Beside a nested argument d, whose leaf is d_1, others may have names that end in numbers. */
START_TEST(other_arguments_keep_their_names)
{
    setup();
    fx_module *module;
    fx_nest leaf = fx_nest_input(&pair);
    fx_value x, d;
    fx_scope *scope = fx_trace_begin(context, "numbered");
    x = fx_trace_input(scope, "x_2", &pair);
    CHECK_OK(context, fx_trace_argument(scope, "d", &FX_NEST_LIST(leaf), &d, 1));
    fx_nest sum = fx_nest_value(fx_add(x, d));
    CHECK_OK(context, fx_trace_finish_nested(scope, &sum, &module));
    expect_path(fx_module_input_path(module, 0), "x_2");
    expect_path(fx_module_input_path(module, 1), "d[0]");
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Signatures ------------------------------------------------------------------------------------------------------------- */

START_TEST(signatures_have_defaults_and_annotations)
{
    setup();
    fx_module *module;
    fx_attr none = fx_none();
    fx_scope *scope = fx_trace_begin(context, "signature");
    fx_value x = fx_trace_input_with(scope, "x", &pair, NULL, "torch.Tensor"),
             y = fx_trace_input_with(scope, "y", &pair, &none, NULL);
    fx_value rest = fx_trace_input_with(scope, "*args", &pair, NULL, NULL);
    CHECK_OK(context, fx_trace_finish(scope, (fx_value[]){x, y, rest}, 3, &module));
    char *text = fx_graph_to_string(fx_module_graph(module)), *code = fx_graph_to_python(fx_module_graph(module), NULL);
    ck_assert_ptr_nonnull(strstr(text, "%x : torch.Tensor [num_users=1] = placeholder[target=x]"));
    ck_assert_ptr_nonnull(strstr(text, "%y : [num_users=1] = placeholder[target=y](default=None)"));
    ck_assert_ptr_nonnull(strstr(text, "%_args : [num_users=1] = placeholder[target=*args]"));
    ck_assert_ptr_nonnull(strstr(code, "def forward(self, x : torch.Tensor, y = None, *args):"));
    fx_text_free(text);
    fx_text_free(code);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Misuse ----------------------------------------------------------------------------------------------------------------- */

START_TEST(misuse_is_told)
{
    setup();
    fx_module *module;
    fx_value leaves[2], x;
    fx_nest leaf = fx_nest_input(&pair), word = fx_nest_constant((fx_attr){.kind = FX_ATTR_STR, .u.s = "fast"});
    fx_scope *scope = fx_trace_begin(context, "wrong"), *eager = fx_scope_new(context);
    ck_assert_int_eq(fx_trace_argument(scope, "d", &FX_NEST_LIST(leaf, leaf, leaf), leaves, 2), FX_E_ARG);
    CHECK_DIAG(context, "argument `d` has 3 leaves, 2 are asked for");
    ck_assert_int_eq(fx_trace_argument(scope, "mode", &word, leaves, 1), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "argument `mode`: no tensor stands for such a constant");
    ck_assert_int_eq(fx_trace_argument(scope, "e", &FX_NEST_DICT(leaf), leaves, 1), FX_E_ARG);
    CHECK_DIAG(context, "argument `e`: an item of a dict without a key");
    fx_nest twice = FX_NEST_DICT(fx_nest_key("k", leaf), fx_nest_key("k", leaf));
    ck_assert_int_eq(fx_trace_argument(scope, "twice", &twice, leaves, 2), FX_E_ARG);
    CHECK_DIAG(context, "argument `twice`: an item of a dict without a key of its own");
    ck_assert_int_eq(fx_trace_argument(eager, "d", &leaf, leaves, 1), FX_E_ARG);
    CHECK_DIAG(context, "argument `d`: an eager scope has no inputs");
    ck_assert(!fx_value_ok(leaves[0]));
    ck_assert_int_ne(fx_trace_finish_nested(scope, &leaf, &module), FX_OK);
    ck_assert_ptr_null(module);
    fx_scope_free(eager);
    fx_context_clear(context);

    scope = fx_trace_begin(context, "output");
    x = fx_trace_input(scope, "x", &pair);
    ck_assert(fx_value_ok(x));
    ck_assert_int_eq(fx_trace_finish_nested(scope, &FX_NEST_LIST(fx_nest_value(x), leaf), &module), FX_E_ARG);
    CHECK_DIAG(context, "leaf 1 of the output of module `output` is not a value of this trace");
    teardown();
}
END_TEST

FX_TESTS("trace_nested", graphs_and_code_are_torchs, runs_assert_what_a_function_was_specialised_for,
         hosts_find_inputs_and_outputs_by_path, nesting_is_read_back, other_nestings_are_refused, constants_are_no_outputs_of_a_run,
         values_nest_without_a_nested_argument, other_arguments_keep_their_names, signatures_have_defaults_and_annotations, misuse_is_told)
