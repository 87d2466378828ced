/* SPDX-License-Identifier: Apache-2.0 */
/* The public matcher: what matches, what does not, and what replacing leaves behind. */
#include "harness.h"
#include "fxjit/passes.h"
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
    char text[2000];
    snprintf(text, sizeof text, "graph {\n%s\n}\n", body);
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    return graph;
}

/* Rewrites body by pattern -> replacement and compares str(graph). */
static void check_rewrite(const char *body, const char *pattern, const char *replacement, bool ignore_literals, int32_t count,
                          const char *expected)
{
    fx_graph *graph = read_graph(body), *from = read_graph(pattern), *to = read_graph(replacement);
    fx_rewrite rewrite = {.name = "test", .pattern = from, .replacement = to, .ignore_literals = ignore_literals};
    int32_t n = -1;
    CHECK_OK(context, fx_graph_rewrite(graph, &rewrite, &n));
    ck_assert_int_eq(n, count);
    CHECK_OK(context, fx_graph_lint(graph));
    char *text = fx_graph_to_string(graph);
    ck_assert_ptr_nonnull(text);
    if (expected) ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
    fx_text_free(text);
    fx_graph_free(graph);
    fx_graph_free(from);
    fx_graph_free(to);
}

#define PX "%x = placeholder \"x\"\n"
#define PY "%y = placeholder \"y\"\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(name) "%output = output(%" name ")\n"

START_TEST(chains_are_replaced)
{
    setup();
    check_rewrite(PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") CALL("c", "torch.exp", "%b")
                      CALL("d", "torch.neg", "%c") OUT("d"),
                  PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") OUT("b"), PX CALL("r", "torch.relu", "%x") OUT("r"),
                  false, 2,
                  "%r : [num_users=1] = call_function[target=torch.relu](args = (%x,), kwargs = {})\n"
                  "    %r_1 : [num_users=1] = call_function[target=torch.relu](args = (%r,), kwargs = {})\n    return r_1");
    teardown();
}
END_TEST

/* torch.add, operator.add and a keyword are one operator with bound arguments. */
START_TEST(spellings_match)
{
    setup();
    check_rewrite(PX PY CALL("a", "operator.add", "%x, %y") OUT("a"),
                  PX PY CALL("a", "torch.ops.aten.add.Tensor", "%x, %y, alpha=1") OUT("a"),
                  PX PY CALL("s", "torch.sub", "%x, %y") OUT("s"), false, 1, "torch.sub](args = (%x, %y)");
    check_rewrite(PX PY CALL("a", "torch.add", "%x, %y, alpha=2") OUT("a"), PX PY CALL("a", "torch.add", "%x, %y") OUT("a"),
                  PX PY CALL("s", "torch.sub", "%x, %y") OUT("s"), false, 0, "torch.add");
    teardown();
}
END_TEST

START_TEST(literals_are_compared_or_ignored)
{
    setup();
    const char *body = PX CALL("a", "my.scale", "%x, 3, [1, 2]") OUT("a"), *to = PX CALL("r", "torch.relu", "%x") OUT("r");
    check_rewrite(body, PX CALL("a", "my.scale", "%x, 3, [1, 2]") OUT("a"), to, false, 1, "torch.relu");
    check_rewrite(body, PX CALL("a", "my.scale", "%x, 4, [1, 2]") OUT("a"), to, false, 0, "my.scale");
    check_rewrite(body, PX CALL("a", "my.scale", "%x, 4, [7]") OUT("a"), to, true, 1, "torch.relu");
    check_rewrite(body, PX CALL("a", "my.other", "%x, 3, [1, 2]") OUT("a"), to, true, 0, "my.scale");
    teardown();
}
END_TEST

START_TEST(inner_values_used_elsewhere_do_not_match)
{
    setup();
    check_rewrite(PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") CALL("c", "torch.add", "%a, %b") OUT("c"),
                  PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") OUT("b"), PX CALL("r", "torch.relu", "%x") OUT("r"),
                  false, 0, "torch.neg");
    teardown();
}
END_TEST

START_TEST(one_placeholder_is_one_value)
{
    setup();
    const char *pattern = PX CALL("a", "torch.add", "%x, %x") OUT("a"), *to = PX CALL("r", "torch.mul", "%x, 2") OUT("r");
    check_rewrite(PX PY CALL("a", "torch.add", "%x, %y") OUT("a"), pattern, to, false, 0, "torch.add");
    check_rewrite(PX PY CALL("a", "torch.add", "%y, %y") OUT("a"), pattern, to, false, 1, "torch.mul](args = (%y, 2)");
    teardown();
}
END_TEST

/* A placeholder also stands for a constant, in nested values too. */
START_TEST(placeholders_take_constants)
{
    setup();
    check_rewrite(PX CALL("a", "my.f", "%x, None, [%x, 5]") OUT("a"),
                  PX PY "%z = placeholder \"z\"\n" CALL("a", "my.f", "%x, %y, [%x, %z]") OUT("a"),
                  PX PY "%z = placeholder \"z\"\n" CALL("r", "my.g", "%z, (%y, %x)") OUT("r"), false, 1,
                  "my.g](args = (5, (None, %x))");
    teardown();
}
END_TEST

START_TEST(a_replacement_may_be_an_input)
{
    setup();
    check_rewrite(PX CALL("a", "torch.neg", "%x") CALL("b", "torch.neg", "%a") OUT("b"),
                  PX CALL("a", "torch.neg", "%x") CALL("b", "torch.neg", "%a") OUT("b"), PX OUT("x"), false, 1,
                  "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    return x");
    teardown();
}
END_TEST

/* A replacement that contains the pattern is not rewritten again. */
START_TEST(rewriting_ends)
{
    setup();
    check_rewrite(PX CALL("a", "torch.neg", "%x") OUT("a"), PX CALL("a", "torch.neg", "%x") OUT("a"),
                  PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") OUT("b"), false, 1, "torch.exp");
    teardown();
}
END_TEST

static bool refuse(void *user, const fx_match *match)
{
    ck_assert_str_eq(fx_node_name(fx_match_node(match, "x")), "q");
    ck_assert_ptr_null(fx_match_node(match, "nothing"));
    ck_assert_ptr_eq(fx_match_node(match, "a"), match->anchor);
    ++*(int *)user;
    return false;
}

START_TEST(operands_commute)
{
    setup();
    const char *pattern = PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "%e, 1") OUT("a");
    const char *to = PX CALL("r", "torch.relu", "%x") OUT("r");
    check_rewrite(PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "1, %e") OUT("a"), pattern, to, false, 1, "torch.relu");
    check_rewrite(PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "1, %e, alpha=2") OUT("a"), pattern, to, false, 0,
                  "torch.exp");
    check_rewrite(PX CALL("e", "torch.exp", "%x") CALL("a", "torch.sub", "1, %e") OUT("a"),
                  PX CALL("e", "torch.exp", "%x") CALL("a", "torch.sub", "%e, 1") OUT("a"), to, false, 0, "torch.exp");
    /* what the first order had matched is forgotten */
    check_rewrite(PX PY CALL("e", "torch.exp", "%y") CALL("a", "torch.add", "%x, %e") OUT("a"),
                  PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "%e, %x") OUT("a"), to, false, 0, "torch.exp");
    check_rewrite(PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "%x, %e") OUT("a"),
                  PX CALL("e", "torch.exp", "%x") CALL("a", "torch.add", "%e, %x") OUT("a"), to, false, 1, "torch.relu");
    teardown();
}
END_TEST

START_TEST(numbers_are_equal_in_single_precision)
{
    setup();
    fx_graph *pattern = read_graph(PX CALL("a", "torch.add", "%x, 0.1") OUT("a"));
    fx_graph *to = read_graph(PX CALL("r", "torch.relu", "%x") OUT("r"));
    static const struct {
        const char *number;
        int32_t count;
    } cases[] = {{"0.1", 1}, {"0.10000000149011612", 1}, {"0.1001", 0}, {"0", 0}, {"%x", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[300];
        snprintf(body, sizeof body, "%s%%a = call_function \"torch.add\"(%%x, %s)\n%s", PX, cases[i].number, OUT("a"));
        fx_graph *graph = read_graph(body);
        fx_rewrite rewrite = {.name = "test", .pattern = pattern, .replacement = to, .round_literals = true};
        int32_t n = -1;
        CHECK_OK(context, fx_graph_rewrite(graph, &rewrite, &n));
        ck_assert_int_eq(n, cases[i].count);
        fx_graph_free(graph);
    }
    fx_graph_free(pattern);
    fx_graph_free(to);
    teardown();
}
END_TEST

/* A placeholder in the place of a number stands for it, and hands it on. */
START_TEST(placeholders_take_numbers)
{
    setup();
    check_rewrite(PX CALL("a", "torch.add", "%x, 2.5") OUT("a"), PX PY CALL("a", "torch.add", "%x, %y") OUT("a"),
                  PX PY CALL("s", "torch.sub", "%x, %y") OUT("s"), false, 1, "torch.sub](args = (%x, 2.5)");
    teardown();
}
END_TEST

START_TEST(filters_see_the_match)
{
    setup();
    int seen = 0;
    fx_graph *graph = read_graph("%q = placeholder \"q\"\n" CALL("z", "torch.neg", "%q") OUT("z"));
    fx_graph *pattern = read_graph(PX CALL("a", "torch.neg", "%x") OUT("a"));
    fx_rewrite rewrite = {.name = "test", .pattern = pattern, .replacement = pattern, .filter = refuse, .user = &seen};
    CHECK_OK(context, fx_graph_rewrite(graph, &rewrite, NULL));
    ck_assert_int_eq(seen, 1);
    rewrite.replacement = NULL;
    ck_assert_int_eq(fx_graph_rewrite(graph, &rewrite, NULL), FX_E_ARG);
    fx_graph_free(graph);
    fx_graph_free(pattern);
    teardown();
}
END_TEST

FX_TESTS("match", chains_are_replaced, spellings_match, literals_are_compared_or_ignored, inner_values_used_elsewhere_do_not_match,
         one_placeholder_is_one_value, placeholders_take_constants, a_replacement_may_be_an_input, rewriting_ends, operands_commute,
         numbers_are_equal_in_single_precision, placeholders_take_numbers, filters_see_the_match)
