/* SPDX-License-Identifier: Apache-2.0 */
/* test_draw.c: drawings of graphs, and the groups of nodes by module (fxjit/draw.h). */
#include "fxjit/draw.h"
#include "fxjit/graph.h"
#include "harness.h"
#include <string.h>

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

static fx_node *call(const char *name, const char *from, fx_node *a, fx_node *b)
{
    fx_attr args[2] = {fx_node_attr(a)};
    if (b) args[1] = fx_node_attr(b);
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = b ? "torch.add" : "torch.relu", .name = name, .keep_name = true};
    if (from) spec.loc = (fx_loc){.file = "net.onnx", .function = from};
    spec.args = fx_tuple(graph, args, b ? 2 : 1);
    fx_node *node = fx_graph_create_node(graph, &spec);
    fx_type type = {.dtype = FX_F32, .rank = 2, .dim = {3, 500}};
    CHECK_OK(context, fx_node_set_type(node, 0, &type));
    return node;
}

/* "layers.0>norm" of a node's group. */
static const char *place(const fx_groups *groups, const fx_node *node)
{
    static char text[200];
    char inner[200];
    text[0] = 0;
    for (int32_t g = fx_groups_of(groups, node); g > 0; g = fx_groups_parent(groups, g)) {
        snprintf(inner, sizeof inner, "%s", text);
        snprintf(text, sizeof text, "%.90s%s%.90s", fx_groups_name(groups, g), *inner ? ">" : "", inner);
    }
    return text;
}

START_TEST(nodes_lie_in_the_modules_they_come_from)
{
    setup();
    fx_node *x = fx_graph_placeholder(graph, "x", NULL);
    fx_node *weight = fx_graph_get_attr(graph, "layers.0.norm.weight");
    fx_node *by_parameter = call("a", NULL, x, weight);
    fx_node *by_file = call("b", "/layers.0/attention/MatMul", by_parameter, NULL);
    fx_node *between = call("c", NULL, by_file, by_parameter);
    fx_node *by_meta = call("d", "/layers.0/norm/Add", between, NULL);
    CHECK_OK(context, fx_node_set_meta(by_meta, "module_path", fx_str(graph, "layers.1.up")));
    fx_node *own = fx_graph_get_attr(graph, "onnx::Add_1");
    fx_node *by_none = call("e", NULL, x, own);
    fx_node *module = fx_graph_call_module(graph, "head.2.3", fx_tuple(graph, (fx_attr[]){fx_node_attr(by_meta)}, 1), fx_none());
    fx_node *output = fx_graph_output(graph, fx_node_attr(module));
    fx_groups *groups;
    CHECK_OK(context, fx_graph_groups(graph, &groups));
    ck_assert_str_eq(place(groups, by_parameter), "layers.0>norm");
    ck_assert_str_eq(place(groups, weight), "layers.0>norm");
    ck_assert_str_eq(place(groups, by_file), "layers.0>attention");
    ck_assert_str_eq(place(groups, between), "");
    ck_assert_str_eq(place(groups, by_meta), "layers.1>up");
    ck_assert_str_eq(place(groups, by_none), "");
    ck_assert_str_eq(place(groups, module), "head.2.3");
    ck_assert_str_eq(place(groups, x), "");
    ck_assert_str_eq(place(groups, output), "");
    ck_assert_ptr_null(fx_groups_name(groups, fx_groups_count(groups)));
    ck_assert_int_eq(fx_groups_parent(groups, 0), -1);
    fx_groups_free(groups);
    teardown();
}
END_TEST

/* What connects nodes of one module belongs to it, also over several steps. */
START_TEST(nodes_between_lie_in_the_smallest_group_around)
{
    setup();
    fx_node *x = fx_graph_placeholder(graph, "x", NULL);
    fx_node *first = call("a", "/block/one/Relu", x, NULL);
    fx_node *second = call("b", NULL, first, NULL);
    fx_node *third = call("c", NULL, second, NULL);
    fx_node *last = call("d", "/block/two/Relu", third, NULL);
    fx_groups *groups;
    CHECK_OK(context, fx_graph_groups(graph, &groups));
    ck_assert_str_eq(place(groups, second), "block>one");
    ck_assert_str_eq(place(groups, third), "block");
    ck_assert_str_eq(place(groups, last), "block>two");
    fx_groups_free(groups);
    teardown();
}
END_TEST

/* A residual block's own addition reads a value from outside, and stands between the calls of the block's modules. */
START_TEST(nodes_of_a_forward_stand_between_its_modules)
{
    setup();
    fx_node *x = fx_graph_placeholder(graph, "x", NULL);
    fx_node *first = call("a", "/stem/Relu", x, NULL);
    fx_node *inner = call("b", "/block/one/Relu", first, NULL);
    fx_node *rest = call("c", NULL, inner, first);
    fx_node *last = call("d", "/block/two/Relu", rest, NULL);
    fx_groups *groups;
    CHECK_OK(context, fx_graph_groups(graph, &groups));
    ck_assert_str_eq(place(groups, rest), "block");
    ck_assert_str_eq(place(groups, last), "block>two");
    fx_groups_free(groups);
    teardown();
}
END_TEST

static void build_hostile(void)
{
    fx_type type = {.dtype = FX_F16, .rank = 2, .dim = {3, fx_graph_symbol(graph, "s0", 1, 100, 64, 1)}};
    fx_node *x = fx_graph_placeholder(graph, "x", &type);
    fx_node *a = call("a", "/<img onerror=\"alert(1)\">/x\\/Add", x, NULL);
    fx_node *b = call("b", "/<img onerror=\"alert(1)\">/`&#]|/Mul", a, x);
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = "</script>\"\\n\n`", .name = "c", .keep_name = true};
    spec.args = fx_tuple(graph, (fx_attr[]){fx_node_attr(b), fx_str(graph, "\"</b>\\")}, 2);
    fx_graph_output(graph, fx_node_attr(fx_graph_create_node(graph, &spec)));
}

START_TEST(drawings_escape_what_is_not_theirs)
{
    setup();
    build_hostile();
    double us[8] = {-1, 12.5, 1500, -1, -1};
    fx_draw_options options = {.us = us};
    char *dot = fx_graph_to_dot_with(graph, &options), *mermaid = fx_graph_to_mermaid(graph, &options);
    CHECK_GOLDEN("draw.dot", dot);
    CHECK_GOLDEN("draw.mermaid", mermaid);
    fx_text_free(dot);
    fx_text_free(mermaid);
    teardown();
}
END_TEST

START_TEST(an_empty_graph_is_drawn)
{
    setup();
    char *dot = fx_graph_to_dot(graph), *mermaid = fx_graph_to_mermaid(graph, NULL);
    ck_assert(strncmp(dot, "digraph fx {\n", 13) == 0);
    ck_assert_str_eq(mermaid, "flowchart TB\n");
    fx_text_free(dot);
    fx_text_free(mermaid);
    teardown();
}
END_TEST

FX_TESTS("draw", nodes_lie_in_the_modules_they_come_from, nodes_between_lie_in_the_smallest_group_around,
         nodes_of_a_forward_stand_between_its_modules, drawings_escape_what_is_not_theirs, an_empty_graph_is_drawn)
