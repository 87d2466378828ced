/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting modules by callback, by tag and by capability: what the parts look like, that inlining gives the values back, and what
 * is refused. Random graphs are split at random and compared with themselves. */
#include "harness.h"
#include "random_graph.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

static fx_context *context;
static fx_graph *graph;
static fx_module *module;

static void setup(const char *body)
{
    char text[3000];
    context = fx_context_new();
    snprintf(text, sizeof text, "%s\n}\n", body);
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    module = fx__module_ensure(graph);
}

static void teardown(void)
{
    fx_module_free(module);
    fx_context_free(context);
}

#define G "graph {\n"
#define PX "%x = placeholder \"x\"\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(value) "%output = output(" value ")\n"

static void check_text(const fx_module *it, const char *expected)
{
    ck_assert_ptr_nonnull(it);
    char *text = fx_graph_to_string(fx_module_graph(it));
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

/* The last digit of a node's name is its part; without one it stays outside. */
static int32_t part_by_digit(void *user, const fx_node *node)
{
    const char *name = fx_node_name(node);
    char last = name[strlen(name) - 1];
    (void)user;
    return last >= '0' && last <= '9' ? last - '0' : FX_SPLIT_OUTSIDE;
}

START_TEST(parts_become_submodules)
{
    setup(G PX CALL("a0", "torch.exp", "%x") CALL("b0", "torch.neg", "%a0") CALL("c1", "torch.add", "%a0, %b0")
              CALL("d1", "torch.mul", "%c1, %x") OUT("(%d1, %b0)"));
    fx_module *out;
    CHECK_OK(context, fx_split_module(module, part_by_digit, NULL, &out));
    CHECK_OK(context, fx_graph_lint(fx_module_graph(out)));
    check_text(out, "graph():\n    %x : [num_users=2] = placeholder[target=x]\n"
                    "    %submod_0 : [num_users=2] = call_module[target=submod_0](args = (%x,), kwargs = {})\n"
                    "    %getitem : [num_users=2] = call_function[target=operator.getitem](args = (%submod_0, 0), kwargs = {})\n"
                    "    %getitem_1 : [num_users=1] = call_function[target=operator.getitem](args = (%submod_0, 1), kwargs = {})\n"
                    "    %submod_1 : [num_users=1] = call_module[target=submod_1](args = (%getitem_1, %getitem, %x), kwargs = {})\n"
                    "    return (submod_1, getitem)");
    check_text(fx_module_submodule(out, "submod_0"),
               "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
               "    %a0 : [num_users=2] = call_function[target=torch.exp](args = (%x,), kwargs = {})\n"
               "    %b0 : [num_users=1] = call_function[target=torch.neg](args = (%a0,), kwargs = {})\n    return (b0, a0)");
    check_text(fx_module_submodule(out, "submod_1"),
               "graph():\n    %a0 : [num_users=1] = placeholder[target=a0]\n    %b0 : [num_users=1] = placeholder[target=b0]\n"
               "    %x : [num_users=1] = placeholder[target=x]\n"
               "    %c1 : [num_users=1] = call_function[target=torch.add](args = (%a0, %b0), kwargs = {})\n"
               "    %d1 : [num_users=1] = call_function[target=torch.mul](args = (%c1, %x), kwargs = {})\n    return d1");
    fx_module_free(out);
    teardown();
}
END_TEST

/* torch.fx's sample (fx-ir.md 3.2, "split"): modules of a Sequential. */
START_TEST(modules_go_with_their_calls)
{
    setup(G "%input_1 = placeholder \"input\"\n%_0 = call_module \"block.0\"(%input_1)\n%_1 = call_module \"block.1\"(%_0)\n" OUT(
        "%_1"));
    for (int i = 0; i < 2; i++) {
        fx_module *leaf = fx_module_new(context, "leaf");
        fx_graph *inner = fx_module_graph(leaf);
        fx_node *x = fx_graph_placeholder(inner, "x", NULL);
        fx_attr arg = fx_node_attr(x);
        fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, i ? "torch.neg" : "torch.exp", &arg, 1)));
        CHECK_OK(context, fx_module_add_submodule(module, i ? "block.1" : "block.0", leaf));
    }
    fx_module *out;
    CHECK_OK(context, fx_split_module(module, part_by_digit, NULL, &out));
    check_text(out, "graph():\n    %input_1 : [num_users=1] = placeholder[target=input]\n"
                    "    %submod_0 : [num_users=1] = call_module[target=submod_0](args = (%input_1,), kwargs = {})\n"
                    "    %submod_1 : [num_users=1] = call_module[target=submod_1](args = (%submod_0,), kwargs = {})\n"
                    "    return submod_1");
    check_text(fx_module_submodule(out, "submod_1"),
               "graph():\n    %_0 : [num_users=1] = placeholder[target=_0]\n"
               "    %_1 : [num_users=1] = call_module[target=block_1](args = (%_0,), kwargs = {})\n    return _1");
    float data[2] = {0, 1}, result[2];
    fx_tensor x = fx_tensor_view(data, FX_F32, 1, (int64_t[]){2}), y = fx_tensor_view(result, FX_F32, 1, (int64_t[]){2});
    fx_interpreter *it = fx_interpreter_new(fx_module_graph(out));
    CHECK_OK(context, fx_interpreter_run(it, &x, 1, &y, 1));
    ck_assert_double_eq_tol(result[1], -2.718281828, 1e-6);
    fx_interpreter_free(it);
    bool modified;
    CHECK_OK(context, fx_pass_find("inline")->run(fx_module_graph(out), NULL, &modified));
    CHECK_OK(context, fx_interpret(out, &x, 1, &y, 1));
    ck_assert_double_eq_tol(result[1], -2.718281828, 1e-6);
    fx_module_free(out);
    teardown();
}
END_TEST

START_TEST(parameters_and_outside_calls_stay)
{
    setup("module \"m\"\nparameter \"w\" : f32[2]\n" G PX "%w = get_attr \"w\"\n" CALL("a0", "torch.mul", "%x, %w")
              CALL("b", "torch.neg", "%a0") CALL("c1", "torch.add", "%b, %w") OUT("%c1"));
    fx_module *out;
    CHECK_OK(context, fx_split_module(module, part_by_digit, NULL, &out));
    CHECK_OK(context, fx_graph_lint(fx_module_graph(out)));
    check_text(out, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    %w : [num_users=2] = get_attr[target=w]\n"
                    "    %submod_0 : [num_users=1] = call_module[target=submod_0](args = (%x, %w), kwargs = {})\n"
                    "    %b : [num_users=1] = call_function[target=torch.neg](args = (%submod_0,), kwargs = {})\n"
                    "    %submod_1 : [num_users=1] = call_module[target=submod_1](args = (%b, %w), kwargs = {})\n"
                    "    return submod_1");
    fx_module_free(out);
    teardown();
}
END_TEST

/* Part 1 stands first in the graph but needs part 0. */
START_TEST(parts_are_put_in_order)
{
    setup(G PX CALL("a1", "torch.exp", "%x") CALL("b0", "torch.neg", "%x") CALL("c1", "torch.add", "%a1, %b0") OUT("%c1"));
    fx_module *out;
    CHECK_OK(context, fx_split_module(module, part_by_digit, NULL, &out));
    check_text(out, "graph():\n    %x : [num_users=2] = placeholder[target=x]\n"
                    "    %submod_0 : [num_users=1] = call_module[target=submod_0](args = (%x,), kwargs = {})\n"
                    "    %submod_1 : [num_users=1] = call_module[target=submod_1](args = (%x, %submod_0), kwargs = {})\n"
                    "    return submod_1");
    fx_module_free(out);
    teardown();
}
END_TEST

static int32_t part_below(void *user, const fx_node *node)
{
    (void)user, (void)node;
    return -2;
}

START_TEST(cycles_and_bad_parts_are_refused)
{
    setup(G PX CALL("a0", "torch.exp", "%x") CALL("b1", "torch.neg", "%a0") CALL("m", "torch.abs", "%b1")
              CALL("c0", "torch.add", "%a0, %m") OUT("%c0"));
    char *before = fx_graph_to_string(graph);
    fx_module *out = (fx_module *)&out;
    ck_assert_int_eq(fx_split_module(module, part_by_digit, NULL, &out), FX_E_GRAPH);
    CHECK_DIAG(context, "the parts of the split form a cycle: ");
    CHECK_DIAG(context, "submod_0 needs m");
    CHECK_DIAG(context, "m needs submod_1");
    CHECK_DIAG(context, "submod_1 needs submod_0");
    ck_assert_ptr_null(out);
    ck_assert_int_eq(fx_split_module(module, part_below, NULL, &out), FX_E_ARG);
    CHECK_DIAG(context, "-2 is no part of a split");
    char *after = fx_graph_to_string(graph);
    ck_assert_str_eq(before, after);
    fx_text_free(before);
    fx_text_free(after);
    teardown();
}
END_TEST

static void tag(const char *name, const char *text)
{
    CHECK_OK(context, fx_node_set_meta(fx_graph_find(graph, name), "tag", fx_str(graph, text)));
}

START_TEST(tags_name_the_parts)
{
    setup(G PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") CALL("c", "torch.abs", "%b") OUT("%c"));
    tag("a", "front");
    tag("b", "back");
    static const char *const tags[] = {"back", "front"};
    fx_module *out;
    CHECK_OK(context, fx_split_by_tag(module, tags, 2, &out));
    check_text(out, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                    "    %front : [num_users=1] = call_module[target=front](args = (%x,), kwargs = {})\n"
                    "    %back : [num_users=1] = call_module[target=back](args = (%front,), kwargs = {})\n"
                    "    %c : [num_users=1] = call_function[target=torch.abs](args = (%back,), kwargs = {})\n    return c");
    fx_module_free(out);
    ck_assert_int_eq(fx_split_by_tag(module, tags, 1, &out), FX_E_ARG);
    CHECK_DIAG(context, "its tag front is not in the list");
    ck_assert_int_eq(fx_split_by_tag(module, (const char *const[]){"back", "front", "no name"}, 3, &out), FX_E_ARG);
    CHECK_DIAG(context, "tag no name is no name for a new submodule");
    ck_assert_ptr_null(out);
    teardown();
}
END_TEST

/* What a body names is in the submodule that its call goes to. */
START_TEST(bodies_keep_their_constants)
{
    setup(G PX CALL("f0", "my.wrapped", "%x") CALL("g1", "torch.neg", "%f0") OUT("%g1"));
    float w[2] = {3, 4}, data[2] = {1, 2}, result[2];
    fx_tensor tensor = fx_tensor_view(w, FX_F32, 1, (int64_t[]){2}), x = fx_tensor_view(data, FX_F32, 1, (int64_t[]){2});
    fx_tensor y = fx_tensor_view(result, FX_F32, 1, (int64_t[]){2});
    CHECK_OK(context, fx_module_add_tensor(module, "constant", &tensor, false, NULL, NULL));
    fx_graph *body = fx_graph_new(context);
    fx_attr args[] = {fx_node_attr(fx_graph_placeholder(body, "a", NULL)), fx_node_attr(fx_graph_get_attr(body, "constant"))};
    fx_graph_output(body, fx_node_attr(fx_graph_call(body, "torch.mul", args, 2)));
    CHECK_OK(context, fx_node_set_body(fx_graph_find(graph, "f0"), body));
    fx_module *out;
    CHECK_OK(context, fx_split_module(module, part_by_digit, NULL, &out));
    fx_interpreter *it = fx_interpreter_new(fx_module_graph(out));
    CHECK_OK(context, fx_interpreter_run(it, &x, 1, &y, 1));
    ck_assert_double_eq(result[1], -8);
    fx_interpreter_free(it);
    bool modified;
    CHECK_OK(context, fx_pass_find("inline")->run(fx_module_graph(out), NULL, &modified));
    CHECK_OK(context, fx_interpret(out, &x, 1, &y, 1));
    ck_assert_double_eq(result[0], -3);
    fx_module_free(out);
    teardown();
}
END_TEST

/* ---- Capability ------------------------------------------------------------------------------------------------------------- */

static bool supports_exp_and_add(void *user, const fx_node *node)
{
    (void)user;
    return strcmp(fx_node_target(node), "torch.neg") != 0;
}

static bool is_abs(void *user, const fx_node *node)
{
    (void)user;
    return strcmp(fx_node_target(node), "torch.abs") == 0;
}

/* a and d cannot be one part, as b stands between them; a and c can. */
START_TEST(supported_calls_join_without_cycles)
{
    setup(G PX CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%a") CALL("c", "torch.exp", "%a")
              CALL("d", "torch.add", "%b, %c") CALL("e", "torch.exp", "%d") OUT("%e"));
    fx_module *out;
    int32_t parts;
    CHECK_OK(context, fx_partition_module(module, supports_exp_and_add, NULL, NULL, &out, &parts));
    ck_assert_int_eq(parts, 1);
    check_text(out, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                    "    %a : [num_users=2] = call_function[target=torch.exp](args = (%x,), kwargs = {})\n"
                    "    %b : [num_users=1] = call_function[target=torch.neg](args = (%a,), kwargs = {})\n"
                    "    %fused_0 : [num_users=1] = call_module[target=fused_0](args = (%a, %b), kwargs = {})\n    return fused_0");
    fx_module_free(out);
    CHECK_OK(context,
             fx_partition_module(module, supports_exp_and_add, NULL, &(fx_partition_options){.single = true}, &out, &parts));
    ck_assert_int_eq(parts, 2);
    fx_module_free(out);
    teardown();
}
END_TEST

START_TEST(getitem_goes_with_its_producer)
{
    setup(G "%x = placeholder \"x\" : f32[4]\n" CALL("e", "torch.exp", "%x") CALL("s", "torch.split", "%e, 2")
              CALL("i", "operator.getitem", "%s, 0") CALL("n", "torch.neg", "%i") CALL("j", "operator.getitem", "%s, 1")
                  CALL("t", "torch.add", "%n, %j") CALL("u", "torch.exp", "%t") OUT("%u"));
    CHECK_OK(context, fx_graph_propagate(graph));
    fx_module *out;
    int32_t parts;
    CHECK_OK(context, fx_partition_module(module, supports_exp_and_add, NULL, NULL, &out, &parts));
    ck_assert_int_eq(parts, 2);
    ck_assert_ptr_nonnull(fx_graph_find(fx_module_graph(fx_module_submodule(out, "fused_0")), "j"));
    ck_assert_ptr_nonnull(fx_graph_find(fx_module_graph(fx_module_submodule(out, "fused_1")), "u"));
    CHECK_OK(context, fx_graph_lint(fx_module_graph(out)));
    fx_module_free(out);
    teardown();
}
END_TEST

START_TEST(calls_that_do_not_count)
{
    setup(G PX CALL("a", "torch.abs", "%x") CALL("b", "torch.abs", "%a") CALL("n", "torch.neg", "%b") CALL("c", "torch.abs", "%n")
              CALL("d", "torch.exp", "%c") OUT("%d"));
    fx_module *out;
    int32_t parts;
    fx_partition_options options = {.single = true, .non_compute = is_abs};
    CHECK_OK(context, fx_partition_module(module, supports_exp_and_add, NULL, &options, &out, &parts));
    ck_assert_int_eq(parts, 1);
    ck_assert_int_eq(fx_graph_size(fx_module_graph(fx_module_submodule(out, "fused_0"))), 4);
    fx_module_free(out);
    teardown();
}
END_TEST

/* ---- Random graphs ---------------------------------------------------------------------------------------------------------- */

/* Contiguous stretches never form a cycle. */
static int32_t part_by_stretch(void *user, const fx_node *node)
{
    int32_t part = fx_node_id(node) / 5;
    (void)user;
    return part % 3 == 2 ? FX_SPLIT_OUTSIDE : part;
}

static bool supports_some(void *user, const fx_node *node)
{
    uint64_t seed = *(uint64_t *)user + (uint64_t)fx_node_id(node) * 7919;
    return fx_test_random(&seed) % 4 != 0;
}

static void check_bits(const fx_tensor *a, const fx_tensor *b)
{
    ck_assert_int_eq(a->dtype, b->dtype);
    ck_assert_int_eq(fx_tensor_bytes(a), fx_tensor_bytes(b));
    ck_assert_int_eq(memcmp(a->data, b->data, (size_t)fx_tensor_bytes(a)), 0);
}

static void check_inlined(fx_module *split, const fx_tensor *inputs, int32_t n, const fx_tensor *expected, int32_t m)
{
    fx_tensor actual[8] = {{0}};
    bool modified;
    CHECK_OK(context, fx_graph_lint(fx_module_graph(split)));
    CHECK_OK(context, fx_pass_find("inline")->run(fx_module_graph(split), NULL, &modified));
    CHECK_OK(context, fx_interpret(split, inputs, n, actual, m));
    for (int32_t i = 0; i < m; i++) {
        check_bits(&expected[i], &actual[i]);
        fx_tensor_release(&actual[i]);
    }
    fx_module_free(split);
}

static void check_random(uint64_t seed)
{
    context = fx_context_new();
    module = fx_test_random_module(context, seed, &(fx_random_options){.min_nodes = 8, .max_nodes = 30});
    fx_tensor inputs[8] = {{0}}, expected[8] = {{0}};
    int32_t n = fx_module_input_count(module), m = fx_module_output_count(module);
    fx_module *out;
    fx_test_random_inputs(module, seed, false, inputs);
    CHECK_OK(context, fx_interpret(module, inputs, n, expected, m));
    CHECK_OK(context, fx_split_module(module, part_by_stretch, NULL, &out));
    check_inlined(out, inputs, n, expected, m);
    CHECK_OK(context, fx_partition_module(module, supports_some, &seed, NULL, &out, NULL));
    check_inlined(out, inputs, n, expected, m);
    for (int i = 0; i < 8; i++) {
        fx_tensor_release(&inputs[i]);
        fx_tensor_release(&expected[i]);
    }
    teardown();
}

START_TEST(random_graphs_keep_their_values)
{
    for (uint64_t seed = 1; seed <= 60; seed++) check_random(seed);
}
END_TEST

FX_TESTS("split", parts_become_submodules, modules_go_with_their_calls, parameters_and_outside_calls_stay, parts_are_put_in_order,
         cycles_and_bad_parts_are_refused, tags_name_the_parts, bodies_keep_their_constants, supported_calls_join_without_cycles,
         getitem_goes_with_its_producer, calls_that_do_not_count, random_graphs_keep_their_values)
