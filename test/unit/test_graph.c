/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs and nodes: order, uses, erasing, copying, cloning, what is refused. */
#include "harness.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;
static fx_graph *g;

static void setup(void)
{
    context = fx_context_new();
    g = fx_graph_new(context);
}

static void teardown(void)
{
    fx_graph_free(g);
    fx_context_free(context);
}

static fx_node *call(const char *target, fx_node *a, fx_node *b)
{
    fx_attr args[] = {fx_node_attr(a), fx_node_attr(b)};
    return fx_graph_call(g, target, args, b ? 2 : 1);
}

static void check_order(const char *names)
{
    char got[256] = "";
    FX_EACH_NODE(node, g)
    {
        strcat(got, node->name);
        if (node->next) strcat(got, " ");
    }
    ck_assert_str_eq(got, names);
    int32_t n = 0;
    const fx_node *last = NULL;
    for (fx_node *node = fx_graph_last(g); node; node = fx_node_prev(node)) n++, last = node;
    ck_assert_int_eq(n, fx_graph_size(g));
    ck_assert_ptr_eq(last, fx_graph_first(g));
}

START_TEST(insertion_points)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_node *b = call("m.b", x, NULL);
    fx_point end = fx_graph_insert_before(g, b);
    call("m.a", x, NULL);
    call("m.a2", x, NULL);
    check_order("x a a2 b");
    fx_graph_insert_after(g, b);
    call("m.c", b, NULL);
    check_order("x a a2 b c");
    fx_graph_insert_before(g, NULL);
    fx_graph_placeholder(g, "w", NULL);
    check_order("w x a a2 b c");
    fx_graph_set_point(g, end);
    call("m.d", b, NULL);
    check_order("w x a a2 b c d");
    ck_assert_ptr_eq(fx_graph_find(g, "a2")->next, b);
    ck_assert_ptr_null(fx_graph_find(g, "nothing"));
    teardown();
}
END_TEST

START_TEST(an_insertion_point_survives_its_node)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", x, NULL);
    fx_point end = fx_graph_insert_before(g, a);
    CHECK_OK(context, fx_graph_erase(g, a));
    call("m.c", x, NULL);
    check_order("x c b");
    fx_point before_b = fx_graph_insert_before(g, b);
    (void)before_b;
    fx_point at_b = fx_graph_insert_before(g, x);
    CHECK_OK(context, fx_graph_erase(g, b));
    fx_graph_set_point(g, at_b);
    call("m.d", x, NULL);
    check_order("x c d");
    fx_graph_set_point(g, end);
    teardown();
}
END_TEST

START_TEST(uses_follow_arguments)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *y = fx_graph_placeholder(g, "y", NULL);
    fx_node *a = call("m.a", x, x), *b = call("m.b", a, x), *c = call("m.c", x, a);
    ck_assert_int_eq(fx_node_user_count(x), 3);
    ck_assert_ptr_eq(fx_node_user(x, 0), a);
    ck_assert_ptr_eq(fx_node_user(x, 2), c);
    ck_assert_ptr_null(fx_node_user(x, 3));
    ck_assert_int_eq(fx_node_input_count(a), 1);
    ck_assert_ptr_eq(fx_node_input(c, 1), a);
    ck_assert_int_eq(fx_node_replace_all_uses(x, y), 3);
    ck_assert_int_eq(fx_node_user_count(x), 0);
    ck_assert_int_eq(fx_node_user_count(y), 3);
    fx_attr nested = fx_list(g, (const fx_attr[]){fx_node_attr(x), fx_node_attr(y)}, 2);
    CHECK_OK(context, fx_node_set_args(b, fx_tuple(g, &nested, 1),
                                       fx_dict(g, (const char *const[]){"k"}, (const fx_attr[]){fx_node_attr(a)}, 1)));
    ck_assert_int_eq(fx_node_input_count(b), 3);
    ck_assert_ptr_eq(fx_node_input(b, 2), a);
    ck_assert_int_eq(fx_node_user_count(x), 1);
    ck_assert_ptr_eq(fx_node_user(y, 2), b);
    teardown();
}
END_TEST

/* relu takes x's place everywhere but in itself. */
START_TEST(a_replacement_keeps_its_own_use)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *relu = call("torch.relu", x, NULL), *b = call("m.b", x, NULL);
    ck_assert_int_eq(fx_node_replace_all_uses(x, relu), 1);
    ck_assert_ptr_eq(fx_node_input(relu, 0), x);
    ck_assert_ptr_eq(fx_node_input(b, 0), relu);
    teardown();
}
END_TEST

START_TEST(used_nodes_are_not_erased)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL);
    ck_assert_int_eq(fx_graph_erase(g, x), FX_E_GRAPH);
    CHECK_DIAG(context, "x cannot be erased: it has 1 user, a; placeholder x, node x");
    CHECK_OK(context, fx_graph_erase(g, a));
    ck_assert_int_eq(fx_graph_erase(g, a), FX_E_GRAPH);
    CHECK_OK(context, fx_graph_erase(g, x));
    check_order("");
    teardown();
}
END_TEST

START_TEST(malformed_nodes_are_refused)
{
    setup();
    fx_graph *other = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *foreign = fx_graph_placeholder(other, "y", NULL),
            *dead = call("m.d", x, NULL);
    CHECK_OK(context, fx_graph_erase(g, dead));
    ck_assert_ptr_null(call("m.a", foreign, NULL));
    CHECK_DIAG(context, "argument y belongs to another graph");
    ck_assert_ptr_null(call("m.a", dead, NULL));
    CHECK_DIAG(context, "argument d was erased");
    ck_assert_ptr_null(fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_CALL_FUNCTION}));
    CHECK_DIAG(context, "no target");
    ck_assert_ptr_null(fx_graph_create_node(g, &(fx_node_spec){.opcode = (fx_opcode)9, .target = "t"}));
    ck_assert_ptr_null(fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_CALL_FUNCTION, .target = "t", .args = fx_int(1)}));
    CHECK_DIAG(context, "args must be a tuple");
    ck_assert_ptr_null(
        fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_PLACEHOLDER, .target = "x", .name = "x", .keep_name = true}));
    CHECK_DIAG(context, "node name x is taken");
    fx_attr deep = fx_int(0);
    for (int i = 0; i < 200; i++) deep = fx_list(g, &deep, 1);
    ck_assert_ptr_null(fx_graph_call(g, "t", &deep, 1));
    CHECK_DIAG(context, "nested more than 64 deep");
    ck_assert_ptr_nonnull(fx_graph_output(g, fx_node_attr(x)));
    ck_assert_ptr_null(fx_graph_output(g, fx_node_attr(x)));
    CHECK_DIAG(context, "the graph has an output already");
    check_order("x output");
    fx_graph_free(other);
    teardown();
}
END_TEST

START_TEST(types_are_checked)
{
    setup();
    fx_type good = {FX_F32, 2, {2, 3}}, bad = {FX_F32, 9, {0}}, negative = {FX_F32, 1, {-1}};
    fx_node *x = fx_graph_placeholder(g, "x", &good);
    ck_assert_int_eq(fx_node_type(x, 0)->dim[1], 3);
    ck_assert_ptr_null(fx_node_type(x, 1));
    ck_assert_ptr_null(fx_graph_placeholder(g, "y", &bad));
    ck_assert_ptr_null(fx_graph_placeholder(g, "z", &negative));
    check_order("x");
    CHECK_OK((fx_context_clear(context), context), fx_node_set_type(x, 2, &good));
    ck_assert_int_eq(fx_node_result_count(x), 3);
    ck_assert_ptr_null(fx_node_type(x, 1));
    CHECK_OK(context, fx_node_set_type(x, 0, NULL));
    ck_assert_int_eq(fx_node_result_count(x), 0);
    teardown();
}
END_TEST

START_TEST(symbols_have_names)
{
    setup();
    fx_dim n = fx_graph_symbol(g, "n", 1, 100, 8, 1);
    ck_assert(!fx_dim_is_const(n));
    ck_assert_str_eq(fx_graph_dim_text(g, n), "n");
    ck_assert_int_eq(fx_graph_dim_hint(g, n), 8);
    ck_assert_int_eq(fx_graph_dim_value(g, fx_graph_parse_dim(g, "2*n+1"), &(int64_t){5}), 11);
    ck_assert_str_eq(fx_graph_symbol_name(g, 0), "n");
    ck_assert_ptr_null(fx_graph_symbol_name(g, 1));
    ck_assert_ptr_null(fx_graph_symbol_name(g, -1));
    ck_assert_int_eq(fx_graph_symbol(g, "n", 1, 2, 1, 1), FX_DIM_BAD);
    ck_assert_int_eq(fx_graph_symbol(g, "m", 5, 2, 3, 1), FX_DIM_BAD);
    ck_assert_str_eq(fx_graph_dim_text(g, fx_graph_symbol(g, "batch size", 1, 4, 2, 1)), "s_batch_size");
    ck_assert_str_eq(fx_graph_dim_text(g, fx_graph_symbol(g, "batch-size", 1, 4, 2, 1)), "s_batch_size_1");
    teardown();
}
END_TEST

START_TEST(clones_are_equal_and_apart)
{
    setup();
    fx_dim n = fx_graph_symbol(g, "n", 1, 100, 8, 1);
    fx_type type = {FX_F32, 2, {n, 3}};
    fx_node *x = fx_graph_placeholder(g, "x", &type), *a = call("torch.relu", x, NULL);
    fx_node_set_loc(a, (fx_loc){"m.py", 3, "f"});
    fx_graph_output(g, fx_node_attr(a));
    fx_graph *clone = fx_graph_clone(g);
    char *before = fx_graph_to_fx(g), *after = fx_graph_to_fx(clone);
    ck_assert_str_eq(before, after);
    ck_assert_int_eq(fx_node_type(fx_graph_first(clone), 0)->dim[0], n);
    fx_node_set_target(fx_graph_find(clone, "relu"), "torch.exp");
    ck_assert_str_eq(fx_node_target(a), "torch.relu");
    fx_text_free(before);
    fx_text_free(after);
    fx_graph_free(clone);
    teardown();
}
END_TEST

static fx_node *map_to(void *user, fx_node *there)
{
    (void)there;
    return user;
}

START_TEST(nodes_are_copied_between_graphs)
{
    setup();
    fx_graph *other = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("torch.relu", x, NULL), *y = fx_graph_placeholder(other, "y", NULL);
    fx_node *copy = fx_graph_copy_node(other, a, map_to, y);
    ck_assert_ptr_eq(fx_node_input(copy, 0), y);
    ck_assert_str_eq(fx_node_name(copy), "relu");
    ck_assert_ptr_null(fx_graph_copy_node(other, a, map_to, NULL));
    CHECK_DIAG(context, "its input x has no counterpart");
    fx_graph_free(other);
    teardown();
}
END_TEST

START_TEST(values_compare_by_content)
{
    setup();
    fx_attr a = fx_tuple(g, (const fx_attr[]){fx_int(1), fx_str(g, "x"), fx_float(0.0)}, 3);
    fx_attr b = fx_tuple(g, (const fx_attr[]){fx_int(1), fx_str(g, "x"), fx_float(0.0)}, 3);
    fx_attr c = fx_tuple(g, (const fx_attr[]){fx_int(1), fx_str(g, "x"), fx_float(-0.0)}, 3);
    ck_assert(fx_attr_equal(&a, &b) && !fx_attr_equal(&a, &c));
    b.kind = FX_ATTR_LIST;
    ck_assert(!fx_attr_equal(&a, &b));
    fx_attr ints = fx_ints(g, (const int64_t[]){1, 2}, 2), bools[] = {fx_bool(true), fx_int(1)};
    ck_assert_int_eq(ints.u.items[1].u.i, 2);
    ck_assert(!fx_attr_equal(&bools[0], &bools[1]));
    teardown();
}
END_TEST

START_TEST(effects_are_known)
{
    static const struct {
        fx_opcode opcode;
        const char *target;
        bool impure;
    } cases[] = {{FX_CALL_FUNCTION, "torch.relu", false},
                 {FX_CALL_FUNCTION, "torch.ops.aten.add_.Tensor", true},
                 {FX_CALL_FUNCTION, "operator.and_", false},
                 {FX_CALL_FUNCTION, "operator.setitem", true},
                 {FX_CALL_FUNCTION, "operator.iadd", true},
                 {FX_CALL_FUNCTION, "torch._assert", true},
                 {FX_CALL_METHOD, "add_", true},
                 {FX_CALL_METHOD, "__add__", false},
                 {FX_CALL_METHOD, "relu", false},
                 {FX_GET_ATTR, "w", false},
                 {FX_CALL_FUNCTION, "torch.ops.aten.copy_.default", true}};
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_attr arg = fx_node_attr(x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fx_node *node = fx_graph_create_node(g, &(fx_node_spec){cases[i].opcode, cases[i].target, .args = fx_tuple(g, &arg, 1)});
        ck_assert_msg(fx_node_is_impure(node) == cases[i].impure, "%s", cases[i].target);
    }
    ck_assert(fx_node_is_impure(x));
    teardown();
}
END_TEST

FX_TESTS("graph", insertion_points, an_insertion_point_survives_its_node, uses_follow_arguments, a_replacement_keeps_its_own_use,
         used_nodes_are_not_erased, malformed_nodes_are_refused, types_are_checked, symbols_have_names, clones_are_equal_and_apart,
         nodes_are_copied_between_graphs, values_compare_by_content, effects_are_known)
