/* SPDX-License-Identifier: Apache-2.0 */
/* Names by current torch.fx's rule; the expected ones were worked out with torch.fx's own algorithm. */
#include "harness.h"
#include "ir/graph.h"

static fx_context *context;
static fx_graph *graph;

static void setup(void)
{
    context = fx_context_new();
    graph = fx_graph_new(context);
}

static void teardown(void)
{
    fx_graph_free(graph);
    fx_context_free(context);
}

static void check_name(const char *candidate, const char *expected)
{
    ck_assert_str_eq(fx__names_create(graph->names, candidate, false), expected);
}

static void check_candidate(fx_opcode opcode, const char *target, const char *expected)
{
    ck_assert_str_eq(fx__names_candidate(graph->arena, opcode, target), expected);
}

START_TEST(numbering_continues_from_the_largest)
{
    setup();
    check_name("add", "add");
    check_name("add", "add_1");
    check_name("add_3", "add_3");
    check_name("add", "add_4");
    check_name("add_3", "add_2");
    teardown();
}
END_TEST

START_TEST(reserved_names_get_a_number)
{
    setup();
    check_name("sum", "sum_1");
    check_name("sum", "sum_2");
    check_name("if", "if_1");
    check_name("inf", "inf_1");
    check_name("torch", "torch_1");
    check_name("input", "input_1");
    check_name("getattr", "getattr_1");
    check_name("NoneType", "NoneType_1");
    check_name("summer", "summer");
    teardown();
}
END_TEST

START_TEST(illegal_characters_become_underscores)
{
    setup();
    check_name("linear.weight", "linear_weight");
    check_name("3bad name!x", "_3bad_name_x");
    check_name("0", "_0");
    check_name("", "_unnamed");
    check_name("*args", "_args");
    check_name("**kwargs", "_kwargs");
    check_name("camelCase", "camelCase");
    check_name("a--b", "a_b");
    teardown();
}
END_TEST

START_TEST(suffixes_are_read_as_numbers)
{
    setup();
    check_name("x_01", "x_01");
    check_name("x", "x");
    check_name("x", "x_2");
    check_name("my_name_3", "my_name_3");
    check_name("my_name_3", "my_name_1");
    check_name("y_99999999999999999999", "y_99999999999999999999");
    check_name("y_99999999999999999999", "y_99999999999999999999_1");
    teardown();
}
END_TEST

START_TEST(exact_names_are_kept)
{
    setup();
    ck_assert_str_eq(fx__names_create(graph->names, "/layer/Conv.1", true), "/layer/Conv.1");
    ck_assert_ptr_null(fx__names_create(graph->names, "/layer/Conv.1", true));
    teardown();
}
END_TEST

START_TEST(candidates_of_targets)
{
    setup();
    check_candidate(FX_CALL_FUNCTION, "operator.add", "add");
    check_candidate(FX_CALL_FUNCTION, "torch.nn.functional.relu", "relu");
    check_candidate(FX_CALL_FUNCTION, "torch.ops.aten.mul.Tensor", "mul.tensor");
    check_candidate(FX_CALL_FUNCTION, "torch.ops.aten.relu.default", "relu.default");
    check_candidate(FX_CALL_FUNCTION, "torch.ops.aten.relu", "relu");
    check_candidate(FX_CALL_FUNCTION, "builtins.getattr", "getattr");
    check_candidate(FX_CALL_METHOD, "__add__", "add");
    check_candidate(FX_CALL_METHOD, "flattenDims", "flatten_dims");
    check_candidate(FX_GET_ATTR, "linear.weight", "linear.weight");
    check_candidate(FX_CALL_MODULE, "layer1.0.conv", "layer1.0.conv");
    check_candidate(FX_PLACEHOLDER, "inputIDs", "input_ids");
    teardown();
}
END_TEST

START_TEST(erased_names_stay_taken)
{
    setup();
    fx_node *x = fx_graph_placeholder(graph, "x", NULL);
    CHECK_OK(context, fx_graph_erase(graph, x));
    ck_assert_str_eq(fx_node_name(fx_graph_placeholder(graph, "x", NULL)), "x_1");
    fx_graph *clone = fx_graph_clone(graph);
    ck_assert_str_eq(fx_node_name(fx_graph_placeholder(clone, "x", NULL)), "x_2");
    fx_graph_free(clone);
    teardown();
}
END_TEST

FX_TESTS("names", numbering_continues_from_the_largest, reserved_names_get_a_number, illegal_characters_become_underscores,
         suffixes_are_read_as_numbers, exact_names_are_kept, candidates_of_targets, erased_names_stay_taken)
