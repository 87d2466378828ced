/* SPDX-License-Identifier: Apache-2.0 */
/* Editing nodes as torch.fx does: single arguments, names, replacement with filter and meta, facts by name, normalised arguments;
 * every refusal leaves the node as it was. */
#include "harness.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;
static fx_graph *g;
static fx_node *x, *y, *f;

static void setup(void)
{
    context = fx_context_new();
    g = fx_graph_new(context);
    x = fx_graph_placeholder(g, "x", NULL);
    y = fx_graph_placeholder(g, "y", NULL);
    fx_attr args[] = {fx_node_attr(x), fx_int(2)};
    f = fx_graph_call_function(g, "my.f", fx_tuple(g, args, 2), fx_dict(g, (const char *[]){"k"}, (fx_attr[]){fx_node_attr(x)}, 1));
}

static void teardown(void)
{
    fx_graph_free(g);
    fx_context_free(context);
}

static void check_call(const fx_node *node, const char *args_and_kwargs)
{
    char *text = fx_node_to_string(node), *at = strstr(text, "](");
    ck_assert_str_eq(at ? at + 1 : text, args_and_kwargs);
    fx_text_free(text);
}

START_TEST(single_arguments)
{
    setup();
    CHECK_OK(context, fx_node_set_arg(f, 0, fx_node_attr(y)));
    check_call(f, "(args = (%y, 2), kwargs = {k: %x})");
    CHECK_OK(context, fx_node_insert_arg(f, 0, fx_bool(true)));
    CHECK_OK(context, fx_node_insert_arg(f, 3, fx_none()));
    check_call(f, "(args = (True, %y, 2, None), kwargs = {k: %x})");
    CHECK_OK(context, fx_node_set_kwarg(f, "k", fx_float(0.5)));
    CHECK_OK(context, fx_node_set_kwarg(f, "l", fx_list(g, (fx_attr[]){fx_node_attr(y)}, 1)));
    check_call(f, "(args = (True, %y, 2, None), kwargs = {k: 0.5, l: [%y]})");
    ck_assert_int_eq(fx_node_user_count(x), 0);
    ck_assert_int_eq(fx_node_user_count(y), 1);
    CHECK_OK(context, fx_node_delete_kwarg(f, "k"));
    check_call(f, "(args = (True, %y, 2, None), kwargs = {l: [%y]})");
    teardown();
}
END_TEST

START_TEST(wrong_arguments_change_nothing)
{
    setup();
    fx_graph *other = fx_graph_new(context);
    fx_node *far = fx_graph_placeholder(other, "far", NULL);
    ck_assert_int_eq(fx_node_set_arg(f, 2, fx_int(1)), FX_E_ARG);
    CHECK_DIAG(context, "f has no argument 2; expected 0 to 1");
    ck_assert_int_eq(fx_node_insert_arg(f, 3, fx_int(1)), FX_E_ARG);
    CHECK_DIAG(context, "f has no argument 3; expected 0 to 2");
    ck_assert_int_eq(fx_node_set_arg(x, 0, fx_int(1)), FX_E_ARG);
    CHECK_DIAG(context, "x has no argument 0: it has none");
    ck_assert_int_eq(fx_node_set_arg(f, 0, fx_node_attr(far)), FX_E_GRAPH);
    CHECK_DIAG(context, "argument far belongs to another graph");
    CHECK_DIAG(context, "in the arguments of f");
    ck_assert_int_eq(fx_node_set_kwarg(f, "", fx_int(1)), FX_E_ARG);
    CHECK_DIAG(context, "a keyword argument of f has no name");
    ck_assert_int_eq(fx_node_delete_kwarg(f, "nothing"), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "f has no keyword argument nothing");
    check_call(f, "(args = (%x, 2), kwargs = {k: %x})");
    ck_assert_int_eq(fx_node_user_count(x), 1);
    ck_assert_int_eq(fx_node_user_count(far), 0);
    fx_graph_free(other);
    teardown();
}
END_TEST

START_TEST(names_are_changed)
{
    setup();
    ck_assert_str_eq(fx_node_rename(f, "result"), "result");
    ck_assert_str_eq(fx_node_rename(f, "result"), "result");
    ck_assert_str_eq(fx_node_rename(f, "x"), "x_1");
    ck_assert_str_eq(fx_node_rename(f, "len"), "len_1");
    ck_assert_ptr_eq(fx_graph_find(g, "len_1"), f);
    ck_assert_ptr_null(fx_node_rename(f, ""));
    CHECK_DIAG(context, "the new name of len_1 is empty");
    CHECK_OK((fx_context_clear(context), context), fx_node_set_name(f, "a/b:0"));
    ck_assert_int_eq(fx_node_set_name(f, "result"), FX_E_ARG); /* names are never released */
    CHECK_DIAG(context, "a/b:0 cannot be called result: the name is taken");
    ck_assert_str_eq(fx_node_name(f), "a/b:0");
    teardown();
}
END_TEST

static bool is_not_first(void *user, const fx_node *node)
{
    return node != user;
}

START_TEST(uses_are_replaced_by_choice)
{
    setup();
    fx_attr one = fx_node_attr(f);
    fx_node *a = fx_graph_call(g, "my.a", &one, 1), *b = fx_graph_call(g, "my.b", &one, 1);
    CHECK_OK(context, fx_node_set_meta(f, "tag", fx_int(7)));
    CHECK_OK(context, fx_node_set_annotation(f, "torch.Tensor"));
    fx_node_set_loc(f, (fx_loc){"m.py", 3, "forward"});
    ck_assert_int_eq(fx_node_replace_all_uses_with(f, y, &(fx_replace_options){is_not_first, a, true}), 1);
    ck_assert_ptr_eq(fx_node_input(a, 0), f);
    ck_assert_ptr_eq(fx_node_input(b, 0), y);
    ck_assert_int_eq(fx_node_meta(y, "tag")->u.i, 7);
    ck_assert_str_eq(fx_node_annotation(y), "torch.Tensor");
    ck_assert_int_eq(fx_node_loc(y).line, 3);
    CHECK_OK(context, fx_node_set_annotation(x, "int")); /* what is known already stays */
    CHECK_OK(context, fx_node_set_type(x, 0, &(fx_type){FX_I64, 0, {0}}));
    ck_assert_int_eq(
        fx_node_replace_all_uses_with(y, x, &(fx_replace_options){.filter = is_not_first, .user = b, .propagate_meta = true}), 0);
    ck_assert_str_eq(fx_node_annotation(x), "int");
    ck_assert_int_eq(fx_node_type(x, 0)->dtype, FX_I64);
    ck_assert_int_eq(fx_node_meta(x, "tag")->u.i, 7);
    ck_assert_int_eq(fx_node_replace_all_uses_with(f, y, &(fx_replace_options){.propagate_meta = true}), -1);
    CHECK_DIAG(context, "the meta of f cannot go over to y, which has meta of its own");
    ck_assert_int_eq(fx_node_replace_all_uses(f, NULL), -1);
    CHECK_DIAG(context, "uses of f cannot become uses of nothing");
    CHECK_OK((fx_context_clear(context), context), fx_node_replace_input(b, y, x));
    ck_assert_ptr_eq(fx_node_input(b, 0), x);
    CHECK_OK(context, fx_graph_erase(g, b));
    ck_assert_int_eq(fx_node_replace_all_uses(f, b), -1);
    CHECK_DIAG(context, "uses of f cannot become uses of b, which was erased");
    ck_assert_ptr_eq(fx_node_input(a, 0), f);
    teardown();
}
END_TEST

START_TEST(facts_are_kept)
{
    setup();
    CHECK_OK(context, fx_node_set_meta(f, "shape", fx_ints(g, (int64_t[]){2, 3}, 2)));
    CHECK_OK(context, fx_node_set_meta(f, "tag", fx_str(g, "a")));
    CHECK_OK(context, fx_node_set_meta(f, "shape", fx_bool(false)));
    ck_assert_int_eq(fx_node_meta_count(f), 2);
    ck_assert_str_eq(fx_node_meta_key(f, 1), "tag");
    ck_assert_ptr_null(fx_node_meta_key(f, 2));
    ck_assert_int_eq(fx_node_meta(f, "shape")->kind, FX_ATTR_BOOL);
    fx_graph *clone = fx_graph_clone(g);
    CHECK_OK(context, fx_node_delete_meta(f, "shape"));
    ck_assert_ptr_null(fx_node_meta(f, "shape"));
    ck_assert_str_eq(fx_node_meta(f, "tag")->u.s, "a");
    ck_assert_int_eq(fx_node_meta_count(fx_graph_find(clone, "f")), 2);
    ck_assert_int_eq(fx_node_delete_meta(f, "shape"), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "f has no meta shape");
    ck_assert_int_eq(fx_node_set_meta(f, "node", fx_list(g, (fx_attr[]){fx_node_attr(x)}, 1)), FX_E_ARG);
    CHECK_DIAG(context, "meta node of f holds a node or a graph; expected plain values");
    ck_assert_int_eq(fx_node_set_meta(f, "", fx_int(1)), FX_E_ARG);
    CHECK_OK((fx_context_clear(context), context), fx_node_set_annotation(f, "int"));
    CHECK_OK(context, fx_node_set_annotation(f, NULL));
    ck_assert_ptr_null(fx_node_annotation(f));
    fx_graph_free(clone);
    teardown();
}
END_TEST

/* ---- Nested values ----------------------------------------------------------------------------------------------------- */

static fx_attr doubled(void *user, const fx_attr *value)
{
    ++*(int *)user;
    if (value->kind == FX_ATTR_NODE) return fx_node_attr(y);
    return value->kind == FX_ATTR_INT ? fx_int(2 * value->u.i) : *value;
}

static bool is_no_text(void *user, const fx_attr *value)
{
    ++*(int *)user;
    return value->kind != FX_ATTR_STR;
}

START_TEST(nested_values_are_mapped)
{
    setup();
    fx_attr slice = fx_slice(g, fx_int(1), fx_none(), fx_int(3)), items[] = {slice, fx_node_attr(x), fx_str(g, "a"), fx_int(4)};
    fx_attr nested = fx_dict(g, (const char *[]){"k", "l"}, (fx_attr[]){fx_list(g, items, 4), fx_tuple(g, NULL, 0)}, 2),
            out = fx_int(9);
    int calls = 0;
    CHECK_OK(context, fx_attr_map(g, &nested, doubled, &calls, &out));
    ck_assert_int_eq(calls, 6);
    CHECK_OK(context, fx_node_set_args(f, fx_tuple(g, &out, 1), fx_none()));
    check_call(f, "(args = ({k: [slice(2, None, 6), %y, a, 8], l: ()},), kwargs = {})");
    calls = 0;
    ck_assert(!fx_attr_each(&nested, is_no_text, &calls));
    ck_assert_int_eq(calls, 5);
    fx_attr deep = fx_int(0);
    for (int i = 0; i < 70; i++) deep = fx_list(g, &deep, 1);
    out = fx_int(9);
    ck_assert_int_eq(fx_attr_map(g, &deep, doubled, &calls, &out), FX_E_ARG);
    CHECK_DIAG(context, "values are nested more than 64 deep");
    ck_assert_int_eq(out.u.i, 9);
    teardown();
}
END_TEST

/* ---- Normalised arguments ---------------------------------------------------------------------------------------------- */

static void check_normalised(fx_node *node, bool kwargs_only, const char *expected)
{
    fx_attr args, kwargs;
    CHECK_OK(context, fx_node_normalized_args(node, kwargs_only, &args, &kwargs));
    fx_text text;
    fx__text_init(&text, context);
    fx__attr_print(&text, g, &args);
    fx__text_put(&text, " ", 1);
    fx__attr_print(&text, g, &kwargs);
    char *got = fx__text_finish(&text);
    ck_assert_str_eq(got, expected);
    fx_text_free(got);
}

START_TEST(arguments_are_normalised)
{
    setup();
    fx_attr xy = fx_tuple(g, (fx_attr[]){fx_node_attr(x), fx_node_attr(y)}, 2);
    fx_node *add = fx_graph_call_function(g, "torch.add", xy, fx_none());
    check_normalised(add, false, "(%x, %y) {alpha: 1}");
    check_normalised(add, true, "() {self: %x, other: %y, alpha: 1}");
    fx_attr two = fx_int(2);
    fx_node *conv = fx_graph_call_function(g, "torch.conv2d", xy, fx_dict(g, (const char *[]){"padding"}, &two, 1));
    check_normalised(conv, false, "(%x, %y) {bias: None, stride: [1, 1], padding: [2, 2], dilation: [1, 1], groups: 1}");
    fx_node *method = fx_graph_call_method(g, "softmax", fx_tuple(g, (fx_attr[]){fx_node_attr(x), fx_int(-1)}, 2), fx_none());
    check_normalised(method, false, "(%x, -1) {dtype: None}");
    ck_assert_int_eq(method->args.n, 2);
    teardown();
}
END_TEST

START_TEST(arguments_that_do_not_fit)
{
    setup();
    fx_attr args, kwargs, one = fx_node_attr(x);
    ck_assert_int_eq(fx_node_normalized_args(f, false, &args, &kwargs), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "no schema is known for my.f");
    ck_assert_int_eq(fx_node_normalized_args(x, false, &args, &kwargs), FX_E_ARG);
    CHECK_DIAG(context, "a placeholder has no arguments to normalise");
    fx_node *conv = fx_graph_call_function(g, "torch.conv2d", fx_tuple(g, &one, 1), fx_none());
    fx_context_clear(context);
    ck_assert_int_eq(fx_node_normalized_args(conv, false, &args, &kwargs), FX_E_ARG);
    CHECK_DIAG(context, "conv2d misses its argument 'weight'");
    CHECK_DIAG(context, "the schema of torch.conv2d is conv2d(Tensor input, Tensor weight, Tensor? bias=None");
    teardown();
}
END_TEST

START_TEST(a_submodule_has_a_signature)
{
    context = fx_context_new();
    fx_module *module = fx_module_new(context, "net"), *inner = fx_module_new(context, "inner");
    fx_attr three = fx_int(3);
    fx_graph_placeholder(fx_module_graph(inner), "a", NULL);
    fx_graph_placeholder_with(fx_module_graph(inner), "b", NULL, &three, NULL);
    CHECK_OK(context, fx_module_add_submodule(module, "inner", inner));
    g = fx_module_graph(module);
    x = fx_graph_placeholder(g, "x", NULL);
    fx_attr one = fx_node_attr(x), args, kwargs;
    fx_node *call = fx_graph_call_module(g, "inner", fx_tuple(g, &one, 1), fx_none());
    check_normalised(call, false, "(%x,) {b: 3}");
    CHECK_OK(context, fx_node_set_args(call, fx_none(), fx_dict(g, (const char *[]){"b", "a"}, (fx_attr[]){fx_int(1), one}, 2)));
    check_normalised(call, true, "() {a: %x, b: 1}");
    CHECK_OK(context, fx_node_set_kwarg(call, "c", fx_int(1)));
    ck_assert_int_eq(fx_node_normalized_args(call, false, &args, &kwargs), FX_E_ARG);
    CHECK_DIAG(context, "submodule inner has no input c");
    CHECK_OK((fx_context_clear(context), context), fx_node_set_args(call, fx_tuple(g, NULL, 0), fx_none()));
    ck_assert_int_eq(fx_node_normalized_args(call, false, &args, &kwargs), FX_E_ARG);
    CHECK_DIAG(context, "input a of submodule inner is missing");
    CHECK_OK((fx_context_clear(context), context), fx_node_set_args(call, fx_tuple(g, (fx_attr[]){one, one, one}, 3), fx_none()));
    ck_assert_int_eq(fx_node_normalized_args(call, false, &args, &kwargs), FX_E_ARG);
    CHECK_DIAG(context, "submodule inner takes 2 inputs, not 3");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

FX_TESTS("node_edit", single_arguments, wrong_arguments_change_nothing, names_are_changed, uses_are_replaced_by_choice,
         facts_are_kept, nested_values_are_mapped, arguments_are_normalised, arguments_that_do_not_fit, a_submodule_has_a_signature)
