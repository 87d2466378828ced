/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, reviewing and comparing graphs: figures worked out by hand, each rule once, each kind of change once. */
#include "harness.h"
#include "random_graph.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;

static fx_graph *read_text(const char *text)
{
    fx_graph *graph;
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    return graph;
}

static void free_graph(fx_graph *graph)
{
    if (fx_graph_module(graph))
        fx_module_free(fx_graph_module(graph));
    else
        fx_graph_free(graph);
}

#define G "graph {\n"
#define PX "%x = placeholder \"x\" : f32[2, 3, 8, 8]\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(value) "%output = output(" value ")\n}\n"

/* ---- Counting ---------------------------------------------------------------------------------------------------------------- */

/* Flops of one call on inputs of these types. */
static void check_flops(const char *inputs, const char *call, int64_t flops)
{
    char text[800];
    fx_graph_stats stats;
    snprintf(text, sizeof text, "graph {\n%s%%r = call_function %s\n%%output = output(%%r)\n}\n", inputs, call);
    fx_graph *graph = read_text(text);
    CHECK_OK(context, fx_graph_measure(graph, &stats));
    ck_assert_msg(stats.flops == flops, "%s: %lld flops, not %lld", call, (long long)stats.flops, (long long)flops);
    ck_assert_int_eq(stats.unknown, 0);
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    (void)fx_graph_propagate(graph);
    int64_t sum = 0, sum_bytes = 0, one, bytes;
    FX_EACH_NODE(node, graph) if (fx_node_work(node, &one, &bytes)) sum += one, sum_bytes += bytes;
    ck_assert_msg(sum == flops && sum_bytes == stats.bytes, "%s: nodes have %lld flops", call, (long long)sum);
    fx_graph_stats_free(&stats);
    free_graph(graph);
}

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"

START_TEST(flops_by_hand)
{
    context = fx_context_new();
    check_flops(IN("x", "f32[2, 3]") IN("y", "f32[3, 5]"), "\"torch.mm\"(%x, %y)", 2 * 2 * 5 * 3);
    check_flops(IN("x", "f32[7, 2, 3]") IN("y", "f32[7, 3, 5]"), "\"torch.matmul\"(%x, %y)", 7 * 2 * 2 * 5 * 3);
    check_flops(IN("x", "f32[2, 3]") IN("w", "f32[5, 3]") IN("b", "f32[5]"), "\"torch.nn.functional.linear\"(%x, %w, %b)",
                2 * 2 * 5 * 3 + 10);
    check_flops(IN("b", "f32[5]") IN("x", "f32[2, 3]") IN("y", "f32[3, 5]"), "\"torch.addmm\"(%b, %x, %y)", 2 * 2 * 5 * 3 + 10);
    check_flops(IN("x", "f32[1, 4, 8, 8]") IN("w", "f32[6, 2, 3, 3]"), "\"torch.conv2d\"(%x, %w, None, 1, 1, 1, 2)",
                2 * 6 * 64 * 2 * 9);
    check_flops(IN("x", "f32[1, 4, 8, 8]") IN("w", "f32[4, 6, 2, 2]"), "\"torch.conv_transpose2d\"(%x, %w, None, 2)",
                2 * 4 * 64 * 6 * 4);
    check_flops(IN("x", "f32[2, 3]"), "\"torch.exp\"(%x)", 6);
    check_flops(IN("x", "f32[2, 1]") IN("y", "f32[3]"), "\"torch.add\"(%x, %y)", 6);
    check_flops(IN("x", "f32[2, 3]"), "\"torch.sum\"(%x)", 6);
    check_flops(IN("x", "f32[2, 3]"), "\"torch.softmax\"(%x, 1)", 30);
    check_flops(IN("x", "f32[1, 2, 8, 8]"), "\"torch.max_pool2d\"(%x, 2)", 2 * 16 * 4);
    check_flops(IN("x", "f32[1, 2, 8, 8]"), "\"torch.max_pool2d\"(%x, [2, 4], [2, 4])", 2 * 8 * 8);
    check_flops(IN("x", "f32[2, 3]"), "\"torch.transpose\"(%x, 0, 1)", 0);
    check_flops(IN("x", "f32[2, 3]"), "\"torch.cat\"([%x, %x])", 0);
    check_flops(IN("q", "f32[1, 2, 4, 8]") IN("k", "f32[1, 2, 6, 8]"),
                "\"torch.nn.functional.scaled_dot_product_attention\"(%q, %k, %k)", 2 * (2 * 2 * 4 * 6 * 8) + 5 * 2 * 4 * 6);
    fx_context_free(context);
}
END_TEST

START_TEST(graphs_are_counted)
{
    context = fx_context_new();
    fx_graph *graph = read_text("module \"m\"\nparameter \"w\" : f32[3]\n" G
                                "%x = placeholder \"x\" : f32[2, 3]\n%w = get_attr \"w\"\n" CALL("a", "torch.add", "%x, %w")
                                    CALL("b", "torch.mul", "%a, %a") CALL("t", "torch.transpose", "%b, 0, 1")
                                        CALL("u", "my.unknown", "%a") "%m = call_module \"act\"(%t)\n" OUT("(%m, %a, %u)"));
    fx_module *act = fx_module_new(context, "act");
    float data[5] = {0};
    fx_tensor tensor = fx_tensor_view(data, FX_F32, 1, (int64_t[]){5});
    fx_graph *inner = fx_module_graph(act);
    fx_attr in = fx_node_attr(fx_graph_placeholder(inner, "in", NULL));
    fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, "torch.exp", &in, 1)));
    CHECK_OK(context, fx_module_add_tensor(act, "unused", &tensor, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_submodule(fx_graph_module(graph), "act", act));
    fx_graph_stats stats;
    CHECK_OK(context, fx_graph_measure(graph, &stats));
    ck_assert_int_eq(stats.nodes, 8);
    ck_assert_int_eq(stats.by_opcode[FX_CALL_FUNCTION], 4);
    ck_assert_int_eq(stats.by_opcode[FX_CALL_MODULE], 1);
    ck_assert_int_eq(stats.depth, 4);
    ck_assert_int_eq(stats.max_fan_in, 3);
    ck_assert_str_eq(fx_node_name(stats.widest_in), "output");
    ck_assert_int_eq(stats.max_fan_out, 3);
    ck_assert_str_eq(fx_node_name(stats.widest_out), "a");
    ck_assert_int_eq(stats.tensors, 2);
    ck_assert_int_eq(stats.parameters, 8);
    ck_assert_int_eq(stats.parameter_bytes, 32);
    ck_assert_int_eq(stats.flops, 18);                              /* add, mul, exp: 6 each */
    ck_assert_int_eq(stats.bytes, (6 + 3 + 6 + 6 + 6 + 6 + 6) * 4); /* add, mul (one input), exp */
    ck_assert_int_eq(stats.unknown, 1);
    char *text = fx_graph_stats_to_string(graph, &stats);
    ck_assert_ptr_nonnull(strstr(text, "18 flops, 156 bytes read and written; 1 calls are of unknown cost"));
    ck_assert_ptr_nonnull(strstr(text, "largest fan-out  3 (a)"));
    fx_text_free(text);
    fx_graph_stats_free(&stats);
    free_graph(graph);
    fx_context_free(context);
}
END_TEST

/* ---- Reviewing -----------------------------------------------------------------------------------------------------------------
 */

static void check_review(const char *text, int32_t count, const char *expected)
{
    fx_review *review;
    fx_graph *graph = read_text(text);
    CHECK_OK(context, fx_graph_review(graph, 3, &review));
    char *lines = fx_review_to_string(review);
    ck_assert_msg(fx_review_count(review) == count && strstr(lines, expected), "%s", lines);
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    fx_text_free(lines);
    fx_review_free(review);
    free_graph(graph);
}

START_TEST(each_rule_is_found)
{
    context = fx_context_new();
    check_review(G PX CALL("a", "torch.exp", "%x") OUT("%a"), 0, "");
    check_review(G PX "}\n", 2, "error: the graph has no output [no-output]\n");
    check_review(G OUT("3"), 1, "warning: the graph has no input");
    check_review(G PX "%y = placeholder \"y\"\n" CALL("a", "torch.exp", "%x") OUT("%a"), 1,
                 "note: %y: nothing uses this input [unused-input]");
    check_review(G PX CALL("d", "torch.neg", "%x") CALL("a", "torch.exp", "%x") OUT("%a"), 1,
                 "warning: %d: nothing uses its result: dce removes it [dead-code]");
    check_review(G PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") CALL("c", "torch.abs", "%a")
                     CALL("d", "torch.sin", "%a") OUT("(%b, %c, %d)"),
                 1, "warning: %a: 3 nodes use it [fan-out]");
    check_review(G PX CALL("a", "torch.transpose", "%x, 0, 1") "%b = call_method \"permute\"(%a, 1, 0, 2, 3)\n" OUT("%b"), 1,
                 "%b: it transposes what a transposed [double-transpose]");
    check_review(G PX CALL("a", "torch.neg", "%x") CALL("b", "operator.neg", "%a") OUT("%b"), 1,
                 "%b: it undoes a [double-negation]");
    check_review(G PX CALL("a", "torch.relu", "%x") CALL("b", "torch.relu", "%a") OUT("%b"), 1,
                 "%b: a did the same before [repeated]");
    check_review(G PX CALL("a", "torch.reshape", "%x, [6, 64]") CALL("b", "torch.reshape", "%a, [2, 192]") OUT("%b"), 1,
                 "%b: it and a are one reshape [view-chain]");
    check_review(G PX CALL("a", "torch.exp", "%x") CALL("b", "torch.exp", "%x") OUT("(%a, %b)"), 1,
                 "%b: an earlier node computes the same: cse merges them [duplicate]");
    check_review("module \"m\"\nparameter \"w\" : f32[3]\n" G
                 "%x = placeholder \"x\"\n%w = get_attr \"w\"\n" CALL("a", "torch.exp", "%w") CALL("b", "torch.add", "%x, %a")
                     OUT("%b"),
                 1, "%a: it depends on constants only [constant]");
    fx_context_free(context);
}
END_TEST

START_TEST(types_make_more_rules_apply)
{
    context = fx_context_new();
    fx_graph *graph =
        read_text(G PX CALL("a", "torch.reshape", "%x, [2, 3, 8, 8]") "%h = call_method \"to\"(%a, dtype(f16))\n" OUT("%h"));
    fx_node *x = fx_graph_first(graph);
    CHECK_OK(context, fx_node_set_type(fx_graph_find(graph, "a"), 0, fx_node_type(x, 0)));
    fx_review *review;
    CHECK_OK(context, fx_graph_review(graph, 0, &review));
    ck_assert_int_eq(fx_review_count(review), 1);
    ck_assert_str_eq(fx_review_get(review, 0)->rule, "no-op");
    ck_assert_int_eq(fx_review_get(review, 0)->severity, FX_NOTE);
    ck_assert_ptr_null(fx_review_get(review, 1));
    fx_review_free(review);
    free_graph(graph);
    fx_context_free(context);
}
END_TEST

/* What lint says comes first, as findings. */
START_TEST(ill_formed_graphs_are_findings)
{
    context = fx_context_new();
    fx_graph *graph = read_text(G PX CALL("d", "torch.neg", "%x") CALL("a", "torch.exp", "%x") OUT("%a"));
    fx_node *d = fx_graph_find(graph, "d"), *a = fx_graph_find(graph, "a");
    CHECK_OK(context, fx_node_replace_input(d, fx_graph_first(graph), a)); /* used before it is defined */
    fx_review *review;
    CHECK_OK(context, fx_graph_review(graph, 0, &review));
    ck_assert_int_eq(fx_review_count(review), 2);
    ck_assert_str_eq(fx_review_get(review, 0)->rule, "ill-formed");
    ck_assert_ptr_nonnull(strstr(fx_review_get(review, 0)->text, "before it"));
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    ck_assert_int_eq(fx_context_status(context), FX_OK);
    fx_review_free(review);
    free_graph(graph);
    fx_context_free(context);
}
END_TEST

/* ---- Comparing -----------------------------------------------------------------------------------------------------------------
 */

START_TEST(every_change_is_told)
{
    context = fx_context_new();
    fx_context *other = fx_context_new();
    const char *after = G "%x = placeholder \"x\" : f32[2, 3, 8, 9]\n" CALL(
        "a", "torch.sum", "%x, 1, keepdim=True") "%b = call_method \"neg\"(%a)\n" CALL("n", "torch.abs", "%b") OUT("%n");
    fx_graph *old =
        read_text(G PX CALL("a", "torch.sum", "%x, 2") CALL("b", "torch.neg", "%a") CALL("d", "torch.exp", "%b") OUT("%b"));
    fx_graph *new;
    CHECK_OK(other, fx_graph_parse(other, "after", after, strlen(after), &new));
    fx_diff *diff;
    CHECK_OK(context, fx_graph_diff(old, new, &diff));
    char *text = fx_diff_to_string(diff);
    ck_assert_str_eq(
        text, "~ %x: type: f32[2, 3, 8, 8] -> f32[2, 3, 8, 9]\n~ %a: args: (%x, 2) -> (%x, 1)\n"
              "~ %a: kwargs: {} -> {keepdim: True}\n~ %b: opcode: call_function -> call_method\n~ %b: target: torch.neg -> neg\n"
              "- %d : [num_users=0] = call_function[target=torch.exp](args = (%b,), kwargs = {})\n"
              "~ %output: args: (%b,) -> (%n,)\n"
              "+ %n : [num_users=1] = call_function[target=torch.abs](args = (%b,), kwargs = {})\n");
    ck_assert_int_eq(fx_diff_count(diff), 8);
    ck_assert_int_eq(fx_diff_get(diff, 5)->kind, FX_REMOVED);
    ck_assert_ptr_null(fx_diff_get(diff, 8));
    fx_text_free(text);
    fx_diff_free(diff);
    CHECK_OK(context, fx_node_set_annotation(fx_graph_first(old), "torch.Tensor"));
    CHECK_OK(context, fx_graph_diff(old, old, &diff));
    ck_assert_int_eq(fx_diff_count(diff), 0);
    fx_diff_free(diff);
    fx_graph_free(new);
    free_graph(old);
    fx_context_free(other);
    fx_context_free(context);
}
END_TEST

START_TEST(random_graphs_are_equal_to_their_clones)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        context = fx_context_new();
        fx_module *module = fx_test_random_module(context, seed, &(fx_random_options){0});
        fx_graph *clone = fx_graph_clone(fx_module_graph(module));
        fx_diff *diff;
        fx_review *review;
        fx_graph_stats stats;
        CHECK_OK(context, fx_graph_diff(fx_module_graph(module), clone, &diff));
        ck_assert_int_eq(fx_diff_count(diff), 0);
        CHECK_OK(context, fx_graph_review(clone, 0, &review));
        CHECK_OK(context, fx_graph_measure(clone, &stats));
        ck_assert_int_eq(stats.unknown, 0);
        ck_assert_int_eq(fx_context_diag_count(context), 0);
        fx_graph_stats_free(&stats);
        fx_review_free(review);
        fx_diff_free(diff);
        fx_graph_free(clone);
        fx_module_free(module);
        fx_context_free(context);
    }
}
END_TEST

FX_TESTS("analysis", flops_by_hand, graphs_are_counted, each_rule_is_found, types_make_more_rules_apply,
         ill_formed_graphs_are_findings, every_change_is_told, random_graphs_are_equal_to_their_clones)
