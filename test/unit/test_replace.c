/* SPDX-License-Identifier: Apache-2.0 */
/* fx_graph_replace_pattern: torch.fx's semantics on graphs of any spelling, several outputs, what it returns, and what it refuses
 * without touching the graph. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

static fx_graph *read_graph(const char *body)
{
    fx_graph *graph;
    char text[3000];
    snprintf(text, sizeof text, "graph {\n%s\n}\n", body);
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    return graph;
}

#define PX "%x = placeholder \"x\"\n"
#define PY "%y = placeholder \"y\"\n"
#define PZ "%z = placeholder \"z\"\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define METHOD(name, target, args) "%" name " = call_method \"" target "\"(" args ")\n"
#define MODULE(name, target, args) "%" name " = call_module \"" target "\"(" args ")\n"
#define OUT(value) "%output = output(" value ")\n"

static void check_text(const fx_graph *graph, const char *expected)
{
    char *text = fx_graph_to_string(graph);
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

/* Replaces, lints, and compares the whole str(graph) with expected; NULL: only the number of matches. */
static void check_replace(const char *body, const char *pattern, const char *replacement, int32_t count, const char *expected)
{
    fx_graph *graph = read_graph(body), *from = read_graph(pattern), *to = read_graph(replacement);
    fx_replacements *done = NULL;
    CHECK_OK(context, fx_graph_replace_pattern(graph, &(fx_rewrite){.name = "test", .pattern = from, .replacement = to}, &done));
    ck_assert_int_eq(fx_replacements_count(done), count);
    CHECK_OK(context, fx_graph_lint(graph));
    if (expected) check_text(graph, expected);
    fx_replacements_free(done);
    fx_graph_free(graph);
    fx_graph_free(from);
    fx_graph_free(to);
}

/* torch.fx's own example (fx-ir.md 3.2, "replaced"). */
START_TEST(as_torch_prints_it)
{
    setup();
    check_replace(PX PY PZ CALL("cat", "torch.cat", "[%y, %z]") METHOD("sum_1", "sum", "%cat")
                      CALL("add", "operator.add", "%x, %sum_1") CALL("cat_1", "torch.cat", "[%y, %z]")
                          METHOD("sum_2", "sum", "%cat_1") CALL("add_1", "operator.add", "%add, %sum_2") OUT("%add_1"),
                  PY PZ CALL("cat", "torch.cat", "[%y, %z]") METHOD("sum_1", "sum", "%cat") OUT("%sum_1"),
                  PY PZ CALL("stack", "torch.stack", "[%y, %z]") CALL("max_1", "torch.max", "%stack") OUT("%max_1"), 2,
                  "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    %y : [num_users=2] = placeholder[target=y]\n"
                  "    %z : [num_users=2] = placeholder[target=z]\n"
                  "    %stack : [num_users=1] = call_function[target=torch.stack](args = ([%y, %z],), kwargs = {})\n"
                  "    %max_1 : [num_users=1] = call_function[target=torch.max](args = (%stack,), kwargs = {})\n"
                  "    %add : [num_users=1] = call_function[target=operator.add](args = (%x, %max_1), kwargs = {})\n"
                  "    %stack_1 : [num_users=1] = call_function[target=torch.stack](args = ([%y, %z],), kwargs = {})\n"
                  "    %max_2 : [num_users=1] = call_function[target=torch.max](args = (%stack_1,), kwargs = {})\n"
                  "    %add_1 : [num_users=1] = call_function[target=operator.add](args = (%add, %max_2), kwargs = {})\n"
                  "    return add_1");
    teardown();
}
END_TEST

START_TEST(spellings_match_alike)
{
    setup();
    const char *to = PX CALL("r", "torch.neg", "%x") OUT("%r");
    static const char *const relus[] = {PX CALL("a", "torch.relu", "%x") OUT("%a"), PX METHOD("a", "relu", "%x") OUT("%a"),
                                        PX CALL("a", "torch.ops.aten.relu.default", "%x") OUT("%a"),
                                        PX CALL("a", "torch.nn.functional.relu", "input=%x") OUT("%a")};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) check_replace(relus[i], relus[k], to, 1, NULL);
    const char *sum = PX CALL("a", "torch.sum", "%x, dim=[1], keepdim=True") OUT("%a");
    check_replace(sum, PX METHOD("a", "sum", "%x, 1, True") OUT("%a"), to, 1, NULL);
    check_replace(sum, PX METHOD("a", "sum", "%x, keepdim=True, axis=1") OUT("%a"), to, 1, NULL);
    check_replace(sum, PX METHOD("a", "sum", "%x, 1") OUT("%a"), to, 0, NULL);
    teardown();
}
END_TEST

/* Without a row: opcode, target and arguments, keywords in any order. */
START_TEST(unknown_targets_match_as_they_are)
{
    setup();
    const char *to = PX CALL("r", "torch.neg", "%x") OUT("%r");
    const char *module = PX MODULE("a", "layer.0", "%x, k=1, j=2.5") OUT("%a");
    check_replace(module, PX MODULE("a", "layer.0", "%x, j=2.5, k=1") OUT("%a"), to, 1, NULL);
    check_replace(module, PX MODULE("a", "layer.1", "%x, j=2.5, k=1") OUT("%a"), to, 0, NULL);
    check_replace(module, PX MODULE("a", "layer.0", "%x, j=2.5, k=1.0") OUT("%a"), to, 0, NULL); /* 1 is not 1.0 */
    check_replace(module, PX CALL("a", "layer.0", "%x, j=2.5, k=1") OUT("%a"), to, 0, NULL);
    check_replace(PX METHOD("a", "mine", "%x") OUT("%a"), PX METHOD("a", "mine", "%x") OUT("%a"), to, 1, NULL);
    teardown();
}
END_TEST

/* A submodule that is one call of an operator (torch.nn.ReLU) is a spelling of it. */
START_TEST(leaf_modules_are_spellings)
{
    setup();
    fx_module *root = fx_module_new(context, "root"), *act = fx_module_new(context, "ReLU");
    fx_graph *inner = fx_module_graph(act), *graph = fx_module_graph(root);
    fx_node *x = fx_graph_placeholder(inner, "input", NULL);
    fx_attr args[] = {fx_node_attr(x), fx_float(0.25)};
    fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, "torch.nn.functional.leaky_relu", args, 2)));
    CHECK_OK(context, fx_module_add_submodule(root, "act", act));
    fx_node *y = fx_graph_placeholder(graph, "y", NULL);
    fx_node *call = fx_graph_create_node(
        graph,
        &(fx_node_spec){.opcode = FX_CALL_MODULE, .target = "act", .args = fx_tuple(graph, (fx_attr[]){fx_node_attr(y)}, 1)});
    fx_graph_output(graph, fx_node_attr(call));
    fx_graph *from = read_graph(PX CALL("a", "torch.ops.aten.leaky_relu.default", "%x, 0.25") OUT("%a"));
    fx_graph *other = read_graph(PX CALL("a", "torch.ops.aten.leaky_relu.default", "%x, 0.5") OUT("%a"));
    fx_graph *to = read_graph(PX CALL("r", "torch.neg", "%x") OUT("%r"));
    fx_replacements *done;
    CHECK_OK(context, fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = other, .replacement = to}, &done));
    ck_assert_int_eq(fx_replacements_count(done), 0);
    fx_replacements_free(done);
    CHECK_OK(context, fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = from, .replacement = to}, &done));
    ck_assert_int_eq(fx_replacements_count(done), 1);
    fx_replacements_free(done);
    check_text(graph, "graph():\n    %y : [num_users=1] = placeholder[target=y]\n"
                      "    %r : [num_users=1] = call_function[target=torch.neg](args = (%y,), kwargs = {})\n    return r");
    fx_graph_free(from);
    fx_graph_free(other);
    fx_graph_free(to);
    fx_module_free(root);
    teardown();
}
END_TEST

#define PAIR PX PY CALL("s", "my.sin", "%x") CALL("c", "my.cos", "%y") OUT("(%s, %c)")

START_TEST(several_outputs)
{
    setup();
    /* The first output is used before the second input exists: the users move. */
    check_replace(PX CALL("a", "my.sin", "%x") CALL("u", "my.use", "%a") CALL("v", "my.use", "%u") CALL("w", "my.other", "%x")
                      CALL("b", "my.cos", "%w") CALL("d", "my.join", "%v, %b") OUT("%d"),
                  PAIR,
                  PX PY CALL("p", "my.sincos", "%x, %y") CALL("q", "operator.getitem", "%p, 0")
                      CALL("r", "operator.getitem", "%p, 1") OUT("(%q, %r)"),
                  1,
                  "graph():\n    %x : [num_users=2] = placeholder[target=x]\n"
                  "    %w : [num_users=1] = call_function[target=my.other](args = (%x,), kwargs = {})\n"
                  "    %p : [num_users=2] = call_function[target=my.sincos](args = (%x, %w), kwargs = {})\n"
                  "    %q : [num_users=1] = call_function[target=operator.getitem](args = (%p, 0), kwargs = {})\n"
                  "    %r : [num_users=1] = call_function[target=operator.getitem](args = (%p, 1), kwargs = {})\n"
                  "    %u : [num_users=1] = call_function[target=my.use](args = (%q,), kwargs = {})\n"
                  "    %v : [num_users=1] = call_function[target=my.use](args = (%u,), kwargs = {})\n"
                  "    %d : [num_users=1] = call_function[target=my.join](args = (%v, %r), kwargs = {})\n    return d");
    /* The second input needs the first output: no replacement of both at once is possible. */
    check_replace(PX CALL("a", "my.sin", "%x") CALL("w", "my.other", "%a") CALL("b", "my.cos", "%w") OUT("(%a, %b)"), PAIR, PAIR, 0,
                  NULL);
    /* Nor is it where the input is the output itself. */
    check_replace(PX CALL("a", "my.sin", "%x") CALL("b", "my.cos", "%a") OUT("%b"), PAIR, PAIR, 0, NULL);
    /* Each call takes part once. */
    check_replace(PX CALL("a", "my.sin", "%x") OUT("%a"), PX PY CALL("s", "my.sin", "%x") CALL("c", "my.sin", "%y") OUT("(%s, %c)"),
                  PAIR, 0, NULL);
    teardown();
}
END_TEST

/* An output that another output needs may have users outside; the rest may not. */
START_TEST(outputs_may_be_used_elsewhere)
{
    setup();
    const char *pattern = PX CALL("s", "my.sin", "%x") CALL("c", "my.cos", "%s") OUT("(%c, %s)");
    const char *body = PX CALL("a", "my.sin", "%x") CALL("b", "my.cos", "%a") CALL("d", "my.join", "%a, %b") OUT("%d");
    check_replace(body, pattern, PX CALL("p", "my.p", "%x") CALL("q", "my.q", "%x") OUT("(%q, %p)"), 1,
                  "graph():\n    %x : [num_users=2] = placeholder[target=x]\n"
                  "    %p : [num_users=1] = call_function[target=my.p](args = (%x,), kwargs = {})\n"
                  "    %q : [num_users=1] = call_function[target=my.q](args = (%x,), kwargs = {})\n"
                  "    %d : [num_users=1] = call_function[target=my.join](args = (%p, %q), kwargs = {})\n    return d");
    check_replace(body, PX CALL("s", "my.sin", "%x") CALL("c", "my.cos", "%s") OUT("%c"), PX CALL("q", "my.q", "%x") OUT("%q"), 0,
                  NULL);
    teardown();
}
END_TEST

/* Matches are those of the graph as it was: what a replacement makes possible waits for the next call. */
START_TEST(matches_are_of_the_first_graph)
{
    setup();
    const char *pattern = PX CALL("n", "my.b", "%x") CALL("m", "my.a", "%n") OUT("%m");
    check_replace(PX CALL("b1", "my.b", "%x") CALL("b2", "my.b", "%b1") CALL("a1", "my.a", "%b2") CALL("a2", "my.a", "%a1")
                      OUT("%a2"),
                  pattern, PX OUT("%x"), 1,
                  "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                  "    %b1 : [num_users=1] = call_function[target=my.b](args = (%x,), kwargs = {})\n"
                  "    %a2 : [num_users=1] = call_function[target=my.a](args = (%b1,), kwargs = {})\n    return a2");
    /* Three in a row: the first two, and the third is left over. */
    check_replace(PX CALL("n1", "my.n", "%x") CALL("n2", "my.n", "%n1") CALL("n3", "my.n", "%n2") OUT("%n3"),
                  PX CALL("a", "my.n", "%x") CALL("b", "my.n", "%a") OUT("%b"), PX CALL("t", "my.twice", "%x") OUT("%t"), 1,
                  "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                  "    %t : [num_users=1] = call_function[target=my.twice](args = (%x,), kwargs = {})\n"
                  "    %n3 : [num_users=1] = call_function[target=my.n](args = (%t,), kwargs = {})\n    return n3");
    teardown();
}
END_TEST

/* What one match replaces is the input of the next one, inside a list too. */
START_TEST(chained_matches_follow_what_was_replaced)
{
    setup();
    check_replace(PX CALL("a", "my.f", "[%x]") CALL("b", "my.f", "[%a, %x]") CALL("c", "my.f", "[%b]") OUT("%c"),
                  PX CALL("s", "my.f", "%x") OUT("%s"), PX CALL("g", "my.g", "%x") OUT("%g"), 3,
                  "graph():\n    %x : [num_users=2] = placeholder[target=x]\n"
                  "    %g : [num_users=1] = call_function[target=my.g](args = ([%x],), kwargs = {})\n"
                  "    %g_1 : [num_users=1] = call_function[target=my.g](args = ([%g, %x],), kwargs = {})\n"
                  "    %g_2 : [num_users=1] = call_function[target=my.g](args = ([%g_1],), kwargs = {})\n    return g_2");
    teardown();
}
END_TEST

static const fx_graph *choose_by_number(void *user, const fx_match *match)
{
    const fx_attr *number = fx_match_value(match, "y");
    return number->kind == FX_ATTR_INT ? ((const fx_graph **)user)[number->u.i] : NULL;
}

START_TEST(the_result_lists_what_was_done)
{
    setup();
    fx_graph *graph = read_graph(PX CALL("a", "my.f", "%x, 0") CALL("b", "my.f", "%a, 1") CALL("c", "my.f", "%b, %x") OUT("%c"));
    fx_graph *pattern = read_graph(PX PY CALL("f", "my.f", "%x, %y") OUT("%f"));
    fx_graph *choices[] = {read_graph(PX PY CALL("one", "my.one", "%x") OUT("%one")),
                           read_graph(PX PY CALL("p", "my.p", "%x") CALL("q", "my.q", "%p, %y") OUT("%q"))};
    fx_replacements *done;
    CHECK_OK(context, fx_graph_replace_pattern(
                          graph, &(fx_rewrite){.pattern = pattern, .choose = choose_by_number, .user = choices}, &done));
    ck_assert_int_eq(fx_replacements_count(done), 2);
    const fx_replaced *first = fx_replacements_get(done, 0), *second = fx_replacements_get(done, 1);
    ck_assert_str_eq(fx_node_name(first->match.anchor), "a");
    ck_assert_int_eq(first->n_made, 1);
    ck_assert_ptr_eq(fx_match_node(&second->match, "x"), first->made[0]);
    ck_assert_int_eq(fx_match_value(&second->match, "y")->u.i, 1);
    ck_assert_int_eq(second->n_made, 2);
    ck_assert_str_eq(fx_node_target(second->made[1]), "my.q");
    ck_assert_ptr_null(fx_replacements_get(done, 2));
    fx_replacements_free(done);
    ck_assert_int_eq(fx_graph_size(graph), 6);
    fx_graph_free(graph);
    fx_graph_free(pattern);
    fx_graph_free(choices[0]);
    fx_graph_free(choices[1]);
    teardown();
}
END_TEST

static bool only_even(void *user, const fx_match *match)
{
    (void)user;
    return fx_match_value(match, "y")->u.i % 2 == 0;
}

START_TEST(filters_choose)
{
    setup();
    fx_graph *graph = read_graph(PX CALL("a", "my.f", "%x, 1") CALL("b", "my.f", "%a, 2") OUT("%b"));
    fx_graph *pattern = read_graph(PX PY CALL("f", "my.f", "%x, %y") OUT("%f")), *to = read_graph(PX PY OUT("%x"));
    fx_rewrite rewrite = {.pattern = pattern, .replacement = to, .filter = only_even};
    CHECK_OK(context, fx_graph_replace_pattern(graph, &rewrite, NULL));
    check_text(graph, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                      "    %a : [num_users=1] = call_function[target=my.f](args = (%x, 1), kwargs = {})\n    return a");
    fx_graph_free(graph);
    fx_graph_free(pattern);
    fx_graph_free(to);
    teardown();
}
END_TEST

/* ---- Patterns traced from C ------------------------------------------------------------------------------------------------- */

static fx_status from_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    static float zeros[6];
    fx_tensor weight = fx_tensor_view(zeros, FX_F32, 2, (int64_t[]){2, 3});
    (void)user;
    out[0] = fx_relu(fx_linear(in[0], fx_parameter(scope, "any", &weight, NULL, NULL), FX_NO_VALUE));
    return FX_OK;
}

static fx_status to_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_sum(in[0], &(fx_sum_options){.dim = FX_LIST(-1), .keepdim = true});
    static float three[1] = {3};
    fx_tensor factor = fx_tensor_view(three, FX_F32, 1, (int64_t[]){1});
    out[0] = fx_mul(out[0], fx_parameter(scope, "factor", &factor, NULL, NULL));
    return FX_OK;
}

static fx_status net_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    static float values[6] = {1, 2, 3, 4, 5, 6};
    fx_tensor weight = fx_tensor_view(values, FX_F32, 2, (int64_t[]){2, 3});
    (void)user;
    out[0] = fx_tanh(fx_relu(fx_linear(in[0], fx_parameter(scope, "weight", &weight, NULL, NULL), FX_NO_VALUE)));
    return FX_OK;
}

START_TEST(patterns_are_traced)
{
    setup();
    fx_module *net, *from, *to;
    fx_type type = {FX_F32, 2, {1, 3}}, other = {FX_F32, 2, {7, 3}};
    CHECK_OK(context, fx_trace(context, "net", net_forward, NULL, &type, 1, 1, &net));
    CHECK_OK(context, fx_trace(context, "from", from_forward, NULL, &other, 1, 1, &from));
    CHECK_OK(context, fx_trace(context, "to", to_forward, NULL, &other, 1, 1, &to));
    fx_rewrite rewrite = {.pattern = fx_module_graph(from), .replacement = fx_module_graph(to)};
    CHECK_OK(context, fx_graph_replace_pattern(fx_module_graph(net), &rewrite, NULL));
    fx_module_free(from);
    fx_module_free(to); /* its parameter was copied */
    fx_graph_eliminate_dead_code(fx_module_graph(net));
    CHECK_OK(context, fx_graph_lint(fx_module_graph(net)));
    ck_assert_int_eq(fx_module_output_type(net, 0)->dim[1], 1); /* types are inferred anew */
    float x[3] = {0.01f, 0.02f, 0.03f}, y[1];
    fx_tensor in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){1, 3}), out = fx_tensor_view(y, FX_F32, 2, (int64_t[]){1, 1});
    CHECK_OK(context, fx_interpret(net, &in, 1, &out, 1));
    ck_assert_double_eq_tol(y[0], 0.178080868, 1e-6); /* tanh(3 * 0.06) */
    fx_module_free(net);
    teardown();
}
END_TEST

/* ---- Misuse ------------------------------------------------------------------------------------------------------------------ */

static void check_refused(const char *pattern, const char *replacement, const char *message)
{
    fx_graph *graph = read_graph(PX CALL("a", "my.f", "%x, 3") CALL("b", "my.f", "%a, 4") OUT("%b"));
    fx_graph *from = pattern ? read_graph(pattern) : NULL, *to = replacement ? read_graph(replacement) : NULL;
    char *before = fx_graph_to_string(graph);
    fx_replacements *done = (fx_replacements *)&done;
    ck_assert_int_eq(fx_graph_replace_pattern(graph, &(fx_rewrite){.name = "bad", .pattern = from, .replacement = to}, &done),
                     FX_E_ARG);
    ck_assert_ptr_null(done);
    CHECK_DIAG(context, message);
    CHECK_DIAG(context, "rewrite bad");
    fx_context_clear(context);
    check_text(graph, before);
    fx_text_free(before);
    fx_graph_free(graph);
    fx_graph_free(from);
    fx_graph_free(to);
}

START_TEST(misuse_is_refused_and_the_graph_unchanged)
{
    setup();
    const char *pattern = PX PY CALL("f", "my.f", "%x, %y") OUT("%f"), *to = PX PY CALL("g", "my.g", "%x, %y") OUT("%g");
    check_refused(PX PY CALL("f", "my.f", "%x, %y") CALL("d", "my.f", "%x, 7") OUT("%f"), to, "dead code: d");
    check_refused(PX PY CALL("f", "my.f", "%x, %y") "%w = get_attr \"w\"\n" OUT("%f"), to, "dead code: w");
    check_refused(PX PY CALL("f", "my.f", "%x, %y"), to, "dead code: f");
    check_refused(PX PY, to, "the pattern has no output");
    check_refused(PX PY OUT("%x"), to, "the pattern's output is no call: x");
    check_refused(PX PY CALL("f", "my.f", "%x, %y") OUT("[%f, 3]"), to, "no output that names its values");
    check_refused(PX PY CALL("f", "torch.relu", "%x, %y, 1, 2, 3") OUT("%f"), to, "the arguments in the pattern do not fit: f");
    check_refused(pattern, PX CALL("g", "my.g", "%x") OUT("%g"), "the pattern has 2 inputs, the replacement 1");
    check_refused(pattern, PX PY PZ CALL("g", "my.g", "%x") OUT("%g"), "the pattern has 2 inputs, the replacement 3");
    check_refused(pattern, PX PY CALL("g", "my.g", "%x"), "the replacement has no output");
    check_refused(pattern, PX PY CALL("g", "my.g", "%x") OUT("(%g, %g)"), "the pattern has 1 outputs, the replacement 2");
    check_refused(pattern, PX PY OUT("%y"), "the replacement is its input y, which matched no node");
    check_refused(PX PY CALL("f", "my.f", "%x, 3") OUT("%f"), to, "input y of the replacement has no value");
    check_refused(pattern, NULL, "it has no replacement");
    check_refused(NULL, to, "it has no pattern");
    teardown();
}
END_TEST

static fx_node *build_nothing(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user, (void)graph, (void)match;
    return NULL;
}

START_TEST(one_by_one_needs_one_output)
{
    setup();
    fx_graph *graph = read_graph(PX CALL("a", "my.sin", "%x") OUT("%a")), *pair = read_graph(PAIR);
    fx_graph *one = read_graph(PX CALL("a", "my.sin", "%x") OUT("%a"));
    ck_assert_int_eq(fx_graph_rewrite(graph, &(fx_rewrite){.pattern = pair, .replacement = pair}, NULL), FX_E_ARG);
    CHECK_DIAG(context, "need fx_graph_replace_pattern");
    ck_assert_int_eq(fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = pair, .build = build_nothing}, NULL), FX_E_ARG);
    CHECK_DIAG(context, "needs a replacement graph");
    ck_assert_int_eq(fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = graph, .replacement = one}, NULL), FX_E_ARG);
    CHECK_DIAG(context, "the pattern is the graph itself");
    ck_assert_int_eq(fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = one, .replacement = graph}, NULL), FX_E_ARG);
    CHECK_DIAG(context, "the replacement is the graph itself");
    fx_context_clear(context);
    fx_replacements *done;
    CHECK_OK(context, fx_graph_replace_pattern(graph, &(fx_rewrite){.pattern = one, .build = build_nothing}, &done));
    ck_assert_int_eq(fx_replacements_count(done), 0); /* the match stays */
    fx_replacements_free(done);
    fx_graph_free(graph);
    fx_graph_free(pair);
    fx_graph_free(one);
    teardown();
}
END_TEST

FX_TESTS("replace", as_torch_prints_it, spellings_match_alike, unknown_targets_match_as_they_are, leaf_modules_are_spellings,
         several_outputs, outputs_may_be_used_elsewhere, matches_are_of_the_first_graph, chained_matches_follow_what_was_replaced,
         the_result_lists_what_was_done, filters_choose, patterns_are_traced, misuse_is_refused_and_the_graph_unchanged,
         one_by_one_needs_one_output)
