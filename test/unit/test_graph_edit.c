/* SPDX-License-Identifier: Apache-2.0 */
/* Editing graphs as torch.fx does: the six kinds of nodes, insertion points as a stack, moves, order, copies into other graphs,
 * nodes found by target, dead code by another's idea, observers. */
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
    fx_attr args[] = {fx_node_attr(a), b ? fx_node_attr(b) : fx_none()};
    return fx_graph_call(g, target, args, b ? 2 : 1);
}

static void check_order_of(const fx_graph *graph, const char *names)
{
    char got[256] = "";
    FX_EACH_NODE(node, graph)
    {
        strcat(got, node->name);
        if (node->next) strcat(got, " ");
        if (node->next) ck_assert_ptr_eq(node->next->prev, node);
    }
    ck_assert_str_eq(got, names);
}

static void check_order(const char *names)
{
    check_order_of(g, names);
}

static void check_text(const char *expected)
{
    char *text = fx_graph_to_string(g);
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

START_TEST(six_kinds_of_nodes)
{
    setup();
    fx_attr none = fx_none();
    fx_node *x = fx_graph_placeholder_with(g, "x", NULL, &none, "typing.Optional[torch.Tensor]");
    fx_node *w = fx_graph_get_attr(g, "layer.weight");
    fx_attr pair = fx_tuple(g, (fx_attr[]){fx_node_attr(x), fx_node_attr(w)}, 2), one = fx_node_attr(x);
    fx_node *f = fx_graph_call_function(g, "torch.add", pair, fx_dict(g, (const char *[]){"alpha"}, (fx_attr[]){fx_int(2)}, 1));
    fx_node *m = fx_graph_call_method(g, "relu", fx_tuple(g, &one, 1), none);
    fx_node *l = fx_graph_call_module(g, "layer", fx_tuple(g, &one, 1), none);
    fx_graph_output(g, fx_tuple(g, (fx_attr[]){fx_node_attr(f), fx_node_attr(m), fx_node_attr(l)}, 3));
    check_text("graph():\n"
               "    %x : typing.Optional[torch.Tensor] [num_users=3] = placeholder[target=x](default=None)\n"
               "    %layer_weight : [num_users=1] = get_attr[target=layer.weight]\n"
               "    %add : [num_users=1] = call_function[target=torch.add](args = (%x, %layer_weight), kwargs = {alpha: 2})\n"
               "    %relu : [num_users=1] = call_method[target=relu](args = (%x,), kwargs = {})\n"
               "    %layer : [num_users=1] = call_module[target=layer](args = (%x,), kwargs = {})\n"
               "    return (add, relu, layer)");
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    CHECK_OK(context, fx_graph_lint(g));
    teardown();
}
END_TEST

START_TEST(wrong_nodes_are_refused)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_attr one = fx_node_attr(x), twice[] = {one, one};
    ck_assert_ptr_null(fx_graph_call_method(g, "relu", fx_none(), fx_none()));
    CHECK_DIAG(context, "method relu is called on nothing; expected its object as first argument");
    ck_assert_ptr_null(fx_graph_call_function(g, "torch.relu", fx_list(g, &one, 1), fx_none()));
    CHECK_DIAG(context, "torch.relu: args must be a tuple, not list");
    ck_assert_ptr_null(fx_graph_call_function(g, "torch.relu", fx_none(), fx_int(1)));
    CHECK_DIAG(context, "torch.relu: kwargs must be a dict, not int");
    ck_assert_ptr_null(fx_graph_call_function(g, "torch.add", fx_none(), fx_dict(g, (const char *[]){"a", "a"}, twice, 2)));
    CHECK_DIAG(context, "torch.add: keyword argument a is given twice");
    ck_assert_ptr_null(fx_graph_call_function(g, "", fx_none(), fx_none()));
    CHECK_DIAG(context, "a node has no target; expected a qualified name such as torch.relu");
    check_order("x");
    teardown();
}
END_TEST

START_TEST(targets_are_linted)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_attr one = fx_node_attr(x);
    call("layer.0.weight", x, NULL);
    fx_graph_call_method(g, "torch.relu", fx_tuple(g, &one, 1), fx_none());
    call("__main__.<lambda>", x, NULL);
    ck_assert_int_eq(fx_graph_lint(g), FX_E_ARG);
    ck_assert_int_eq(fx_context_diag_count(context), 2);
    CHECK_DIAG(context, "target layer.0.weight is no function; expected a qualified name such as torch.relu");
    CHECK_DIAG(context, "target torch.relu is no method; expected one word such as relu");
    teardown();
}
END_TEST

START_TEST(paths_are_followed_atom_by_atom)
{
    context = fx_context_new();
    fx_module *module = fx_module_new(context, "net"), *layer = fx_module_new(context, "layer");
    fx_tensor tensor = fx_tensor_view(NULL, FX_F32, 1, (int64_t[]){2});
    CHECK_OK(context, fx_module_add_tensor(layer, "weight", &tensor, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_submodule(module, "block.layer", layer));
    g = fx_module_graph(module);
    fx_graph_get_attr(g, "block.layer.weight");
    fx_graph_get_attr(g, "block.layer");
    CHECK_OK(context, fx_graph_lint(g));
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    fx_graph_get_attr(g, "block.layer.bias");
    CHECK_DIAG(context, "get_attr node block_layer_bias: module net has no such tensor or submodule yet");
    fx_graph_get_attr(g, "block.norm.bias");
    fx_graph_call_module(g, "block.layer.weight", fx_none(), fx_none());
    fx_graph_call_module(g, "head.layer", fx_none(), fx_none());
    ck_assert_int_eq(fx_graph_lint(g), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "block.layer of module net has no tensor bias");
    CHECK_DIAG(context, "block of module net has no tensor norm.bias");
    CHECK_DIAG(context, "block.layer.weight of module net is not a submodule");
    CHECK_DIAG(context, "module net has no submodule head.layer");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(points_are_a_stack)
{
    setup();
    fx_graph *other = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", a, NULL);
    CHECK_OK(context, fx_graph_push_before(g, b));
    call("m.c", a, NULL);
    CHECK_OK(context, fx_graph_push_before(g, NULL));
    fx_graph_placeholder(g, "w", NULL);
    CHECK_OK(context, fx_graph_push_after(g, NULL));
    call("m.d", a, NULL);
    CHECK_OK(context, fx_graph_pop_point(g));
    CHECK_OK(context, fx_graph_pop_point(g));
    call("m.e", a, NULL);
    CHECK_OK(context, fx_graph_pop_point(g));
    call("m.f", a, NULL);
    check_order("w x a c e b d f");
    ck_assert_int_eq(fx_graph_pop_point(g), FX_E_GRAPH);
    CHECK_DIAG(context, "no earlier insertion point");
    ck_assert_int_eq(fx_graph_push_after(g, fx_graph_placeholder(other, "far", NULL)), FX_E_GRAPH);
    CHECK_DIAG(context, "insertion point far belongs to another graph");
    ck_assert_int_eq(g->n_points, 0);
    fx_graph_free(other);
    teardown();
}
END_TEST

START_TEST(nodes_move)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", x, NULL),
            *c = call("m.c", x, NULL);
    CHECK_OK(context, fx_node_prepend(a, c));
    check_order("x c a b");
    CHECK_OK(context, fx_node_append(b, c));
    check_order("x a b c");
    CHECK_OK(context, fx_node_append(a, b)); /* where it is */
    check_order("x a b c");
    ck_assert(fx_node_is_before(a, c) && !fx_node_is_before(c, a) && !fx_node_is_before(a, a));
    CHECK_OK(context, fx_node_prepend(x, c));
    ck_assert(fx_node_is_before(c, a) && fx_node_is_before(c, x));
    check_order("c x a b");
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    CHECK_OK(context, fx_node_append(a, a));
    CHECK_DIAG(context, "node a is to stand beside itself: not moved");
    fx_graph_insert_before(g, c);
    CHECK_OK(context, fx_node_append(b, c)); /* the point goes with its node */
    call("m.d", x, NULL);
    check_order("x a b d c");
    CHECK_OK(context, fx_graph_erase(g, b));
    ck_assert_int_eq(fx_node_append(b, c), FX_E_GRAPH);
    CHECK_DIAG(context, "c cannot be moved beside b: b was erased");
    ck_assert(!fx_node_is_before(b, c) && !fx_node_is_before(a, b));
    teardown();
}
END_TEST

/* Positions kept from appended nodes and those counted anew agree. */
START_TEST(order_is_known_after_every_edit)
{
    setup();
    uint64_t seed = 7;
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *nodes[40];
    for (int i = 0; i < 40; i++) nodes[i] = call("m.f", x, NULL);
    for (int round = 0; round < 300; round++) {
        fx_node *a = nodes[fx_test_random(&seed) % 40], *b = nodes[fx_test_random(&seed) % 40];
        if (a != b && round % 3 == 0) fx_node_append(a, b);
        if (a != b && round % 3 == 1) {
            fx_graph_insert_before(g, a);
            nodes[fx_test_random(&seed) % 40] = b = call("m.i", x, NULL);
            fx_graph_insert_after(g, NULL);
        }
        if (round % 7 == 0) fx_graph_insert_before(g, a), call("m.g", x, NULL), fx_graph_insert_after(g, NULL);
        if (round % 5 == 0) call("m.h", x, NULL);
        bool before = false;
        for (const fx_node *at = b->prev; at; at = at->prev) before = before || at == a;
        ck_assert(fx_node_is_before(a, b) == before);
    }
    teardown();
}
END_TEST

START_TEST(a_legal_order_moves_little)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", x, NULL), *c = call("m.c", a, b);
    fx_node *d = call("m.d", c, NULL);
    fx_graph_output(g, fx_node_attr(d));
    uint64_t edits = g->edits;
    CHECK_OK(context, fx_graph_legalize(g));
    check_order("x a b c d output");
    ck_assert(g->edits == edits);
    fx_node_append(d, b); /* c and d stand before b now, the output too */
    fx_node_append(d, fx_graph_output_node(g));
    call("m.e", a, NULL);
    check_order("x a c d output b e");
    ck_assert_int_ne(fx_graph_lint(g), FX_OK);
    CHECK_OK((fx_context_clear(context), context), fx_graph_legalize(g));
    check_order("x a b c d e output");
    CHECK_OK(context, fx_graph_lint(g));
    ck_assert(fx_node_is_before(b, c) && fx_node_is_before(d, a) == false);
    CHECK_OK(context, fx_graph_erase(g, fx_graph_find(g, "e")));
    edits = g->edits;
    CHECK_OK(context, fx_graph_legalize(g));
    ck_assert(g->edits == edits);
    teardown();
}
END_TEST

START_TEST(circles_are_named)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", a, NULL),
            *c = call("m.c", b, NULL);
    call("m.d", c, NULL);
    CHECK_OK(context, fx_node_set_arg(a, 0, fx_node_attr(c)));
    fx_node_append(c, x);
    ck_assert_int_eq(fx_graph_legalize(g), FX_E_GRAPH);
    CHECK_DIAG(context, "values depend on themselves: b needs a, which needs c, which needs b");
    check_order("a b c x d");
    teardown();
}
END_TEST

/* A chain in reverse: deep graphs need no deep stack. */
START_TEST(long_chains_are_ordered)
{
    setup();
    fx_node *at = fx_graph_placeholder(g, "x", NULL);
    for (int i = 0; i < 20000; i++) {
        fx_node *next = call("m.f", at, NULL);
        fx_node_prepend(g->first, next);
        at = next;
    }
    CHECK_OK(context, fx_graph_legalize(g));
    ck_assert_str_eq(g->first->name, "x");
    FX_EACH_NODE(node, g) ck_assert(!node->n_inputs || node->inputs[0] == node->prev);
    teardown();
}
END_TEST

START_TEST(graphs_are_copied_into_others)
{
    setup();
    fx_graph *to = fx_graph_new(context);
    fx_dim n = fx_graph_symbol(g, "n", 1, 100, 8, 1);
    fx_node *x = fx_graph_placeholder(g, "x", &(fx_type){FX_F32, 2, {n, 3}}), *a = call("m.a", x, NULL), *b = call("m.b", a, x);
    CHECK_OK(context, fx_node_set_meta(b, "tag", fx_int(5)));
    CHECK_OK(context, fx_node_set_annotation(a, "torch.Tensor"));
    CHECK_OK(context, fx_node_set_kwarg(b, "size", fx_list(g, (fx_attr[]){fx_dim_attr(n)}, 1)));
    fx_graph_output(g, fx_list(g, (fx_attr[]){fx_node_attr(b), fx_int(1)}, 2));
    fx_graph_symbol(to, "m", 1, 4, 2, 1);
    fx__dims_sym(g->dims, 0)->input = 0;
    fx_node *y = fx_graph_placeholder(to, "y", NULL), *map[8] = {0};
    ck_assert_int_le(fx_graph_id_count(g), 8);
    map[fx_node_id(x)] = y;
    fx_attr value;
    CHECK_OK(context, fx_graph_copy(to, g, map, &value));
    check_order_of(to, "y a b");
    ck_assert_ptr_eq(map[fx_node_id(b)]->inputs[1], y);
    ck_assert_ptr_eq(value.u.items[0].u.node, map[fx_node_id(b)]);
    ck_assert_int_eq(fx_node_meta(map[fx_node_id(b)], "tag")->u.i, 5);
    ck_assert_str_eq(fx_node_annotation(map[fx_node_id(a)]), "torch.Tensor");
    ck_assert_str_eq(fx_graph_dim_text(to, map[fx_node_id(b)]->kwargs.u.items[0].u.items[0].u.dim), "n");
    CHECK_OK(context, fx_graph_copy(to, g, NULL, NULL)); /* all of it, once more */
    check_order_of(to, "y a b x a_1 b_1");
    ck_assert_str_eq(fx_graph_dim_text(to, fx_node_type(fx_graph_find(to, "x"), 0)->dim[0]), "n");
    ck_assert_int_eq(fx__dims_sym_count(to->dims), 2);
    ck_assert_int_eq(fx__dims_sym(to->dims, 1)->input, -1);
    fx_graph_free(to);
    teardown();
}
END_TEST

START_TEST(failed_copies_leave_nothing)
{
    setup();
    fx_graph *to = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", a, NULL);
    fx_node *map[8] = {0};
    ck_assert_int_eq(fx_graph_copy(g, g, NULL, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "a graph cannot be copied into itself");
    map[fx_node_id(x)] = a;
    ck_assert_int_eq(fx_graph_copy(to, g, map, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "the counterpart a of x is not in the graph copied to");
    map[fx_node_id(x)] = NULL;
    fx_node_prepend(a, b);
    ck_assert_int_eq(fx_graph_copy(to, g, map, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "b uses a, which is not defined before it");
    check_order_of(to, "");
    ck_assert_ptr_null(map[fx_node_id(x)]);
    fx_graph_free(to);
    teardown();
}
END_TEST

START_TEST(nodes_are_found)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("torch.relu", x, NULL), *b = call("torch.neg", a, NULL);
    fx_graph_insert_before(g, a);
    fx_node *c = call("torch.relu", x, NULL), *found[2];
    ck_assert_int_eq(fx_graph_find_nodes(g, FX_CALL_FUNCTION, "torch.relu", found, 2), 2);
    ck_assert(found[0] == c && found[1] == a);
    ck_assert_int_eq(fx_graph_find_nodes(g, FX_CALL_FUNCTION, NULL, found, 2), 3);
    ck_assert(found[0] == c && found[1] == a);
    ck_assert_int_eq(fx_graph_find_nodes(g, FX_CALL_METHOD, "torch.relu", NULL, 0), 0);
    ck_assert_int_eq(fx_graph_find_nodes(g, FX_PLACEHOLDER, "x", NULL, 0), 1);
    ck_assert_ptr_null(fx_graph_output_node(g));
    ck_assert_ptr_eq(b->inputs[0], a);
    teardown();
}
END_TEST

static bool is_tagged(void *user, const fx_node *node)
{
    (void)user;
    return fx_node_meta(node, "keep") != NULL;
}

START_TEST(effects_are_declared)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_attr one = fx_node_attr(x);
    call("my.log", x, NULL);
    call("my.other", x, NULL);
    fx_graph_call_method(g, "notify", fx_tuple(g, &one, 1), fx_none());
    ck_assert_int_eq(fx_context_add_side_effect(context, ""), FX_E_ARG);
    CHECK_DIAG(context, "a function with a side effect has no name");
    CHECK_OK((fx_context_clear(context), context), fx_context_add_side_effect(context, "my.log"));
    CHECK_OK(context, fx_context_add_side_effect(context, "method:notify"));
    ck_assert_int_eq(fx_graph_eliminate_dead_code(g), 1);
    check_order("x log notify");
    CHECK_OK(context, fx_node_set_meta(fx_graph_find(g, "notify"), "keep", fx_bool(true)));
    fx_graph_output(g, fx_none());
    ck_assert_int_eq(fx_graph_eliminate_dead_code_with(g, is_tagged, NULL), 1);
    check_order("x notify output");
    teardown();
}
END_TEST

/* ---- Observers --------------------------------------------------------------------------------------------------------- */

static char heard[512];
static int32_t self_id;

static void on_created(void *user, fx_node *node)
{
    (void)user;
    strcat(strcat(heard, " +"), node->name);
}

static void on_erased(void *user, fx_node *node)
{
    (void)user;
    strcat(strcat(heard, " -"), node->name);
    if (node->n_inputs) strcat(strcat(heard, "("), node->inputs[0]->name), strcat(heard, ")");
}

static void on_replaced(void *user, fx_node *old, fx_node *with, fx_node *user_node)
{
    (void)user;
    strcat(strcat(heard, " "), user_node->name);
    strcat(strcat(strcat(strcat(heard, ":"), old->name), ">"), with->name);
}

static void on_created_once(void *user, fx_node *node)
{
    (void)user;
    strcat(strcat(heard, " !"), node->name);
    fx_graph_unobserve(node->graph, self_id);
}

START_TEST(observers_hear_of_edits)
{
    setup();
    int32_t id;
    heard[0] = 0;
    CHECK_OK(context, fx_graph_observe(g, &(fx_observer){.created = on_created_once}, &self_id));
    CHECK_OK(context,
             fx_graph_observe(g, &(fx_observer){.created = on_created, .erased = on_erased, .replaced = on_replaced}, &id));
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *a = call("m.a", x, NULL), *b = call("m.b", a, NULL);
    fx_node_replace_all_uses(a, x);
    fx_node_replace_input(b, x, a);
    fx_graph_erase(g, b);
    fx_graph *clone = fx_graph_clone(g);
    CHECK_OK(context, fx_graph_unobserve(g, id));
    call("m.c", x, NULL);
    ck_assert_str_eq(heard, " !x +x +a +b b:a>x b:x>a -b(a)");
    ck_assert_int_eq(fx_graph_unobserve(g, id), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "the graph has no observer 1");
    fx_graph_free(clone);
    teardown();
}
END_TEST

FX_TESTS("graph_edit", six_kinds_of_nodes, wrong_nodes_are_refused, targets_are_linted, paths_are_followed_atom_by_atom,
         points_are_a_stack, nodes_move, order_is_known_after_every_edit, a_legal_order_moves_little, circles_are_named,
         long_chains_are_ordered, graphs_are_copied_into_others, failed_copies_leave_nothing, nodes_are_found, effects_are_declared,
         observers_hear_of_edits)
