/* SPDX-License-Identifier: Apache-2.0 */
/* Views: values worked out by hand, sizes over symbols, and what is refused. */
#include "op_run.h"

static const char six[] = "f32[2, 3] 1 2 3 4 5 6";

START_TEST(sizes_are_renumbered)
{
    op_expect("torch.ops.aten.view.default", "(%a, [3, 2])", OP_IN(six), "f32[3, 2] 1 2 3 4 5 6");
    op_expect("torch.reshape", "(%a, [-1])", OP_IN(six), "f32[6] 1 2 3 4 5 6");
    op_expect("torch.reshape", "(%a, [-1, 3, 2])", OP_IN("f32[0, 6]"), "f32[0, 3, 2]");
    op_expect("torch.reshape", "(%a, [])", OP_IN("f32[1, 1] 7"), "f32[] 7");
    op_expect("torch.flatten", "(%a)", OP_IN("f32[] 7"), "f32[1] 7");
    op_expect("torch.flatten", "(%a, 1, 2)", OP_IN("f32[1, 2, 3, 1] 1 2 3 4 5 6"), "f32[1, 6, 1] 1 2 3 4 5 6");
    op_expect("torch.unflatten", "(%a, 1, [3, -1])", OP_IN(six), "f32[2, 3, 1] 1 2 3 4 5 6");
    op_expect("torch.squeeze", "(%a)", OP_IN("f32[1, 2, 1] 1 2"), "f32[2] 1 2");
    op_expect("torch.squeeze", "(%a, 1)", OP_IN("f32[1, 2, 1] 1 2"), "f32[1, 2, 1] 1 2");
    op_expect("torch.squeeze", "(%a, [0, -1])", OP_IN("f32[1, 2, 1] 1 2"), "f32[2] 1 2");
    op_expect("torch.unsqueeze", "(%a, -1)", OP_IN("f32[2] 1 2"), "f32[2, 1] 1 2");
}
END_TEST

START_TEST(orders_change)
{
    op_expect("torch.permute", "(%a, [1, 0])", OP_IN(six), "f32[3, 2] 1 4 2 5 3 6");
    op_expect("torch.permute", "(%a, [2, 0, 1])", OP_IN("f32[1, 2, 3] 1 2 3 4 5 6"), "f32[3, 1, 2] 1 4 2 5 3 6");
    op_expect("torch.transpose", "(%a, 0, -1)", OP_IN(six), "f32[3, 2] 1 4 2 5 3 6");
    op_expect("torch.t", "(%a)", OP_IN(six), "f32[3, 2] 1 4 2 5 3 6");
    op_expect("torch.flip", "(%a, [1])", OP_IN(six), "f32[2, 3] 3 2 1 6 5 4");
    op_expect("torch.flip", "(%a, [0, 1])", OP_IN(six), "f32[2, 3] 6 5 4 3 2 1");
}
END_TEST

START_TEST(expand_repeats)
{
    op_expect("torch.ops.aten.expand.default", "(%a, [2, 2, -1])", OP_IN("f32[1, 2] 1 2"), "f32[2, 2, 2] 1 2 1 2 1 2 1 2");
    op_expect("torch.ops.aten.expand.default", "(%a, [3])", OP_IN("f32[] 5"), "f32[3] 5");
    op_expect("torch.ops.aten.expand.default", "(%a, [0, 2])", OP_IN("f32[1, 2]"), "f32[0, 2]");
}
END_TEST

START_TEST(parts)
{
    op_expect("torch.ops.aten.slice.Tensor", "(%a, 1, 1)", OP_IN(six), "f32[2, 2] 2 3 5 6");
    op_expect("torch.ops.aten.slice.Tensor", "(%a, 1, -2, 9223372036854775807)", OP_IN(six), "f32[2, 2] 2 3 5 6");
    op_expect("torch.ops.aten.slice.Tensor", "(%a, -1, 0, 3, 2)", OP_IN(six), "f32[2, 2] 1 3 4 6");
    op_expect("torch.ops.aten.slice.Tensor", "(%a, 0, 5, 1)", OP_IN(six), "f32[0, 3]");
    op_expect("torch.select", "(%a, 1, -1)", OP_IN(six), "f32[2] 3 6");
    op_expect("torch.narrow", "(%a, 1, 1, 2)", OP_IN(six), "f32[2, 2] 2 3 5 6");
}
END_TEST

START_TEST(what_is_refused)
{
    op_refuse("torch.reshape", "(%a, [4])", OP_IN(six), "f32[2, 3] has 6 elements, which do not fit into sizes of product 4");
    op_refuse("torch.reshape", "(%a, [4, -1])", OP_IN(six), "do not fit into sizes of product 4");
    op_refuse("torch.reshape", "(%a, [-1, -1])", OP_IN(six), "only one size may be -1");
    op_refuse("torch.reshape", "(%a, [0, -1])", OP_IN("f32[0, 3]"), "-1 beside a size of 0");
    op_refuse("torch.permute", "(%a, [0, 0])", OP_IN(six), "dim 0 occurs twice");
    op_refuse("torch.permute", "(%a, [0])", OP_IN(six), "dims has 1 entries for a tensor of 2 dimensions");
    op_refuse("torch.t", "(%a)", OP_IN("f32[1, 2, 3]"), "expected 0 to 2 dimensions");
    op_refuse("torch.ops.aten.expand.default", "(%a, [2, 4])", OP_IN(six), "dim 1 of f32[2, 3] cannot expand to 4");
    op_refuse("torch.ops.aten.expand.default", "(%a, [3])", OP_IN(six), "has more dimensions");
    op_refuse("torch.ops.aten.slice.Tensor", "(%a, 0, 0, 2, 0)", OP_IN(six), "step is 0");
    op_refuse("torch.select", "(%a, 0, 2)", OP_IN(six), "index 2 is outside dim 0");
    op_refuse("torch.select", "(%a, 0, -3)", OP_IN(six), "index -3 is outside dim 0");
    op_refuse("torch.narrow", "(%a, 0, 1, 2)", OP_IN(six), "outside dim 0");
    op_refuse("torch.flip", "(%a, [0, 0])", OP_IN(six), "occurs twice");
}
END_TEST

/* The type of the last call of a graph with symbols s0 and s1, both in [0, 100]. */
static void expect_type(const char *input, const char *target, const char *args, const char *type)
{
    char text[512];
    fx_context *context = fx_context_new();
    fx_graph *graph = NULL;
    snprintf(text, sizeof text,
             "graph {\nsymbol s0 [0, 100] hint 8 multiple 1 input 0 axis 0\nsymbol s1 [0, 100] hint 8 multiple 1 input 0 axis 1\n"
             "%%a = placeholder \"a\" : %s\n%%y = call_function \"%s\" %s\n%%output = output(%%y)\n}\n",
             input, target, args);
    CHECK_OK(context, fx_graph_parse(context, "case", text, strlen(text), &graph));
    CHECK_OK(context, fx_graph_propagate(graph));
    fx_text got;
    fx__text_init(&got, context);
    fx__type_print(&got, graph->dims, fx_node_type(fx_graph_find(graph, "y"), 0));
    char *got_text = fx__text_finish(&got);
    ck_assert_str_eq(got_text, type);
    fx_text_free(got_text);
    fx_graph_free(graph);
    fx_context_free(context);
}

START_TEST(sizes_over_symbols)
{
    expect_type("f32[s0, 3, 4]", "torch.reshape", "(%a, [-1, 6])", "f32[s0*2, 6]");
    expect_type("f32[s0, s1, 8]", "torch.reshape", "(%a, [dim(s0), -1, 4])", "f32[s0, s1*2, 4]");
    expect_type("f32[s0, s1]", "torch.flatten", "(%a)", "f32[s0*s1]");
    expect_type("f32[s0, s1]", "torch.permute", "(%a, [1, 0])", "f32[s1, s0]");
    expect_type("f32[s0, 4]", "torch.ops.aten.slice.Tensor", "(%a, 1, 1, -1)", "f32[s0, 2]");
    expect_type("f32[1, 4]", "torch.ops.aten.expand.default", "(%a, [dim(s0), -1])", "f32[s0, 4]");
    expect_type("f32[s0, 1]", "torch.squeeze", "(%a, 1)", "f32[s0]");
    expect_type("f32[1, 3, s0, s1]", "torch.max_pool2d", "(%a, 2, 2)", "f32[1, 3, floordiv(s0, 2), floordiv(s1, 2)]");
    expect_type("f32[s0, s1]", "torch.ops.aten.constant_pad_nd.default", "(%a, [1, 2, -1, 1])", "f32[s0, s1 + 3]");
    expect_type("f32[s0, s1]", "torch.cat", "([%a, %a], 0)", "f32[s0*2, s1]");
}
END_TEST

FX_TESTS("ops_view", sizes_are_renumbered, orders_change, expand_repeats, parts, what_is_refused, sizes_over_symbols)
