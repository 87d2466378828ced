/* SPDX-License-Identifier: Apache-2.0 */
/* Lint finds each broken rule, all at once; dead code goes, effects stay; types are propagated and problems gathered. Graphs are
 * broken through their fields, since the public functions refuse to. */
#include "fxjit/compile.h"
#include "harness.h"
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

static fx_context *context;
static fx_graph *g;
static fx_node *x, *relu, *output;

static fx_node *call(const char *target, fx_node *a)
{
    fx_attr arg = fx_node_attr(a);
    return fx_graph_call(g, target, &arg, 1);
}

static void setup(void)
{
    context = fx_context_new();
    g = fx_graph_new(context);
    fx_type type = {FX_F32, 2, {2, 3}};
    x = fx_graph_placeholder(g, "x", &type);
    relu = call("torch.ops.aten.relu.default", x);
    output = fx_graph_output(g, fx_node_attr(relu));
}

static void teardown(void)
{
    fx_graph_free(g);
    fx_context_free(context);
}

START_TEST(good_graphs_pass)
{
    setup();
    CHECK_OK(context, fx_graph_lint(g));
    CHECK_OK(context, fx_graph_propagate(g));
    CHECK_OK(context, fx_graph_lint(g));
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    teardown();
}
END_TEST

START_TEST(broken_rules_are_all_found)
{
    setup();
    fx_graph *other = fx_graph_new(context);
    fx_node *foreign = fx_graph_placeholder(other, "far", NULL);
    fx_attr args[] = {fx_node_attr(foreign), fx_node_attr(relu)};
    x->opcode = (fx_opcode)17;
    x->args = (fx_attr){.kind = FX_ATTR_TUPLE, .n = 2, .u.items = args};
    relu->name = x->name;
    fx_graph_insert_after(g, output);
    call("torch.exp", relu);
    ck_assert_int_eq(fx_graph_lint(g), FX_E_GRAPH);
    CHECK_DIAG(context, "unknown opcode 17");
    CHECK_DIAG(context, "argument far does not belong to this graph");
    CHECK_DIAG(context, "used before it is defined");
    CHECK_DIAG(context, "node name x is used twice");
    CHECK_DIAG(context, "node stands after the output");
    fx_graph_free(other);
    teardown();
}
END_TEST

START_TEST(wrong_types_are_found)
{
    setup();
    fx_type wrong = {FX_F32, 2, {3, 2}};
    CHECK_OK(context, fx_node_set_type(relu, 0, &wrong));
    ck_assert_int_eq(fx_graph_lint(g), FX_E_TYPE);
    CHECK_DIAG(context, "recorded type is f32[3, 2], the operator gives f32[2, 3]");
    ck_assert_int_eq(relu->result[0].dim[0], 3);
    teardown();
}
END_TEST

START_TEST(paths_must_exist)
{
    context = fx_context_new();
    fx_module *module = fx_module_new(context, "net");
    g = fx_module_graph(module);
    fx_graph_get_attr(g, "layer.weight");
    fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_CALL_MODULE, .target = "layer"});
    ck_assert_int_eq(fx_graph_lint(g), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "module net has no tensor layer.weight");
    CHECK_DIAG(context, "module net has no submodule layer");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(facts_of_modules_are_warned_of)
{
    context = fx_context_new();
    fx_module *module = fx_module_new(context, "net"), *layer = fx_module_new(context, "layer");
    g = fx_module_graph(module);
    CHECK_OK(context, fx_module_set_attribute(layer, "stride", fx_int(2)));
    CHECK_OK(context, fx_module_set_attribute(module, "scale", fx_float(0.5)));
    CHECK_OK(context, fx_module_add_submodule(module, "layer", layer));
    fx_graph_get_attr(g, "layer.stride");
    fx_graph_get_attr(g, "scale");
    fx_graph_output(g, fx_none());
    fx_context_clear(context);
    CHECK_OK(context, fx_graph_lint(g));
    CHECK_DIAG(context,
               "node layer_stride target layer.stride stride of layer does not reference an nn.Module, nn.Parameter, or buffer");
    CHECK_DIAG(context, "node scale target scale scale of net does not");
    fx_graph_insert_before(g, fx_graph_output_node(g));
    fx_graph_get_attr(g, "layer.padding");
    ck_assert_int_eq(fx_graph_lint(g), FX_E_NOT_FOUND);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(core_graphs_are_what_they_promise)
{
    setup();
    g->core = true;
    CHECK_OK(context, fx_graph_lint(g));
    fx_graph_insert_before(g, output);
    fx_graph_call(g, "torch.ops.aten.add.Tensor", (const fx_attr[]){fx_node_attr(x), fx_node_attr(x)}, 2);
    call("some.function", x);
    ck_assert_int_ne(fx_graph_lint(g), FX_OK);
    CHECK_DIAG(context, "a core graph binds all 3 by position");
    CHECK_DIAG(context, "calls operators of the table only");
    teardown();
}
END_TEST

START_TEST(dead_code_goes_and_effects_stay)
{
    setup();
    fx_graph_insert_before(g, output);
    fx_node *dead = call("torch.exp", x);
    call("torch.exp", dead);
    fx_graph_get_attr(g, "unused");
    fx_node *kept = call("torch.neg", relu);
    fx_attr items[] = {fx_node_attr(kept), fx_int(0), fx_node_attr(x)};
    fx_graph_call(g, "operator.setitem", items, 3);
    fx_attr arg = fx_node_attr(relu);
    fx_graph_create_node(g, &(fx_node_spec){FX_CALL_METHOD, "relu_", .args = fx_tuple(g, &arg, 1)});
    ck_assert_int_eq(fx_graph_eliminate_dead_code(g), 3);
    ck_assert_int_eq(fx_graph_eliminate_dead_code(g), 0);
    ck_assert_int_eq(fx_graph_size(g), 6);
    teardown();
}
END_TEST

START_TEST(unsupported_operators_are_gathered)
{
    setup();
    fx_graph_insert_before(g, output);
    fx_node *first = call("my.first", x);
    call("my.second", first);
    call("torch.exp", first);
    ck_assert_int_eq(fx_graph_propagate(g), FX_E_UNSUPPORTED);
    ck_assert_int_eq(fx_context_diag_count(context), 2);
    CHECK_DIAG(context, "unsupported operator; operator my.first, node first");
    CHECK_DIAG(context, "my.second");
    ck_assert_ptr_nonnull(fx_node_type(relu, 0));
    teardown();
}
END_TEST

/* A note beside the error, where a row is like the name; names that nothing is like, and short ones, get none. */
START_TEST(the_nearest_operator_is_named)
{
    static const char *const nearest[][2] = {{"torch.ops.aten.rleu.default", "relu"},
                                             {"torch.sofmax", "softmax"},
                                             {"torch.ops.aten.layernorm.default", "layer_norm"},
                                             {"matmull", "matmul"},
                                             {"my.first", NULL},
                                             {"x", NULL},
                                             {"", NULL}};
    for (size_t i = 0; i < sizeof nearest / sizeof nearest[0]; i++) {
        const fx_op *near = fx_op_nearest(nearest[i][0]);
        if (nearest[i][1])
            ck_assert_str_eq(near ? fx_op_name(near) : "none", nearest[i][1]);
        else
            ck_assert_ptr_null(near);
    }
    setup();
    fx_graph_insert_before(g, output);
    call("torch.ops.aten.rleu.default", x);
    ck_assert_int_eq(fx_graph_propagate(g), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "did you mean torch.ops.aten.relu.default?");
    teardown();
}
END_TEST

FX_TESTS("lint", good_graphs_pass, broken_rules_are_all_found, wrong_types_are_found, paths_must_exist,
         facts_of_modules_are_warned_of, core_graphs_are_what_they_promise, dead_code_goes_and_effects_stay,
         unsupported_operators_are_gathered, the_nearest_operator_is_named)
