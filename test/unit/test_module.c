/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: tensors and submodules by path, ownership, inputs and outputs, and the module made for a clone. */
#include "harness.h"
#include "ir/graph.h"
#include <string.h>

static int released;

static void count_release(void *user, void *data)
{
    (void)data;
    *(int *)user += 1;
}

static fx_tensor view_of(float *data, int64_t n)
{
    return fx_tensor_view(data, FX_F32, 1, &n);
}

START_TEST(tensors_by_path)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "net"), *inner = fx_module_new(context, "inner");
    static float data[300];
    char path[32];
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "layer%d.weight", i);
        fx_tensor tensor = view_of(data + i, i);
        CHECK_OK(context, fx_module_add_tensor(module, path, &tensor, false, NULL, NULL));
    }
    fx_tensor tensor = view_of(data + 200, 7);
    CHECK_OK(context, fx_module_add_tensor(inner, "conv.bias", &tensor, true, NULL, NULL));
    CHECK_OK(context, fx_module_add_submodule(module, "block.0", inner));
    ck_assert_ptr_eq(fx_module_tensor(module, "layer42.weight")->data, data + 42);
    ck_assert_ptr_eq(fx_module_tensor(module, "block.0.conv.bias")->data, data + 200);
    ck_assert_ptr_null(fx_module_tensor(module, "block.0.conv"));
    ck_assert_ptr_null(fx_module_tensor(module, "block"));
    ck_assert_ptr_eq(fx_module_submodule(module, "block.0"), inner);
    ck_assert_int_eq(fx_module_tensor_count(module), 100);
    ck_assert_str_eq(fx_module_tensor_path(module, 99), "layer99.weight");
    ck_assert_ptr_null(fx_module_tensor_path(module, 100));
    const fx_type *type = fx_node_type(fx_graph_get_attr(fx_module_graph(module), "block.0.conv.bias"), 0);
    ck_assert_int_eq(type->dim[0], 7);
    ck_assert_int_eq(fx_module_add_tensor(module, "layer1.weight", &tensor, false, NULL, NULL), FX_E_ARG);
    ck_assert_int_eq(fx_module_add_tensor(module, "", &tensor, false, NULL, NULL), FX_E_ARG);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(memory_is_released_with_the_module)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, NULL);
    float data[2];
    fx_tensor tensor = view_of(data, 2);
    released = 0;
    CHECK_OK(context, fx_module_add_tensor(module, "w", &tensor, false, count_release, &released));
    ck_assert_str_eq(fx_module_name(module), "GraphModule");
    fx_module_free(module);
    ck_assert_int_eq(released, 1);
    fx_module_free(NULL);
    fx_context_free(context);
}
END_TEST

START_TEST(inputs_and_outputs)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "net");
    fx_graph *g = fx_module_graph(module);
    fx_type type = {FX_I64, 1, {4}};
    fx_node *x = fx_graph_placeholder(g, "input", &type), *y = fx_graph_placeholder(g, "y", NULL);
    uint64_t edits = fx_module_edits(module);
    fx_attr items[] = {fx_node_attr(y), fx_none(), fx_node_attr(x), fx_node_attr(y)};
    fx_graph_output(g, fx_tuple(g, items, 4));
    ck_assert(fx_module_edits(module) > edits);
    ck_assert_int_eq(fx_module_input_count(module), 2);
    ck_assert_str_eq(fx_module_input_name(module, 0), "input"); /* the node's name is input_1 */
    ck_assert_ptr_null(fx_module_input_name(module, 2));
    ck_assert_int_eq(fx_module_input_type(module, 0)->dtype, FX_I64);
    ck_assert_ptr_null(fx_module_input_type(module, 1));
    ck_assert_int_eq(fx_module_output_count(module), 3);
    ck_assert_str_eq(fx_module_output_name(module, 1), "input_1");
    CHECK_OK(context, fx_module_set_output_name(module, 2, "probabilities"));
    ck_assert_str_eq(fx_module_output_name(module, 2), "probabilities");
    ck_assert_str_eq(fx_module_output_name(module, 0), "y");
    ck_assert_int_eq(fx_module_output_type(module, 1)->dim[0], 4);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* A clone may get constants without the user's module noticing. */
START_TEST(a_clone_has_a_module_of_its_own)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "net");
    float data[2] = {0};
    fx_tensor tensor = view_of(data, 2);
    released = 0;
    CHECK_OK(context, fx_module_add_tensor(module, "w", &tensor, false, count_release, &released));
    fx_graph_output(fx_module_graph(module), fx_node_attr(fx_graph_get_attr(fx_module_graph(module), "w")));
    ck_assert_ptr_eq(fx__module_ensure(fx_module_graph(module)), module);
    fx_graph *clone = fx_graph_clone(fx_module_graph(module));
    fx_module *own = fx__module_ensure(clone);
    ck_assert_ptr_ne(own, module);
    ck_assert_ptr_eq(fx_module_tensor(own, "w")->data, data);
    const char *path = fx__module_add_constant(own, "folded", &tensor, count_release, &released);
    ck_assert_ptr_nonnull(fx_module_tensor(own, path));
    ck_assert_ptr_null(fx_module_tensor(module, path));
    CHECK_OK(context, fx_graph_lint(clone));
    fx_graph_free(clone);
    ck_assert_int_eq(released, 1);
    clone = fx_graph_clone(fx_module_graph(module));
    fx_module_free(fx__module_ensure(clone)); /* frees the graph too */
    fx_module_free(module);
    ck_assert_int_eq(released, 2);
    fx_context_free(context);
}
END_TEST

/* ---- The tree ---------------------------------------------------------------------------------------------------------------- */

static fx_module *tree(fx_context *context)
{
    static float data[8];
    fx_module *m = fx_module_new(context, "net");
    fx_tensor tensor = view_of(data, 8);
    static const char *const paths[] = {"features.0", "features.1.conv", "features.1.act", "head.fc", "spare.a.b"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        fx_module *leaf = fx_module_new(context, "leaf");
        CHECK_OK(context, fx_module_add_tensor(leaf, "weight", &tensor, i % 2 == 1, NULL, NULL));
        CHECK_OK(context, fx_module_add_submodule(m, paths[i], leaf));
    }
    return m;
}

static void append_path(void *user, const char *path, fx_module *module)
{
    (void)module;
    strcat(user, path);
    strcat(user, ";");
}

static void append_tensor(void *user, const char *path, const fx_tensor *tensor, bool is_buffer)
{
    ck_assert_int_eq(tensor->dim[0], 8);
    strcat(user, path);
    strcat(user, is_buffer ? "*;" : ";");
}

static void check_tree(fx_module *m, const char *expected)
{
    char text[400] = "";
    ck_assert_int_eq(fx_module_each(m, append_path, text), FX_OK);
    ck_assert_str_eq(text, expected);
}

START_TEST(ways_are_made_and_walked)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    char text[400] = "";
    check_tree(m, ";features;features.0;features.1;features.1.conv;features.1.act;head;head.fc;spare;spare.a;spare.a.b;");
    CHECK_OK(context, fx_module_each_tensor(m, append_tensor, text));
    ck_assert_str_eq(text, "features.0.weight;features.1.conv.weight*;features.1.act.weight;head.fc.weight*;spare.a.b.weight;");
    ck_assert_int_eq(fx_module_submodule_count(m), 3);
    ck_assert_str_eq(fx_module_submodule_path(m, 1), "head");
    ck_assert_ptr_null(fx_module_submodule_path(m, 3));
    ck_assert_str_eq(fx_module_submodule_path(fx_module_submodule(m, "features.1"), 1), "act");
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

static void refuse_submodule(fx_module *m, const char *path, const char *why)
{
    fx_context *context = fx_module_context(m);
    uint64_t edits = fx_module_edits(m);
    ck_assert_int_eq(fx_module_add_submodule(m, path, fx_module_new(context, "late")), FX_E_ARG);
    CHECK_DIAG(context, why);
    ck_assert_uint_eq(fx_module_edits(m), edits);
    fx_context_clear(context);
}

START_TEST(what_is_in_the_way_is_told)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    static const char whole[] = ";features;features.0;features.1;features.1.conv;features.1.act;head;head.fc;spare;spare.a;spare.a.b;";
    float data[8];
    fx_tensor tensor = view_of(data, 8);
    refuse_submodule(m, "features.0", "has a submodule features.0 already");
    refuse_submodule(m, "features", "has a submodule features already");
    refuse_submodule(m, "head.fc.weight", "submodule head.fc.weight is blocked by the tensor weight");
    refuse_submodule(m, "head.fc.weight.deep.er", "is blocked by the tensor weight");
    refuse_submodule(m, "head..x", "path head..x has an empty word");
    refuse_submodule(m, "", "a submodule has no path");
    ck_assert_int_eq(fx_module_add_tensor(m, "head", &tensor, false, NULL, NULL), FX_E_ARG);
    CHECK_DIAG(context, "tensor head is blocked by the submodule of this name");
    ck_assert_int_eq(fx_module_delete_submodule(m, "head.nothing"), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "has no submodule head.nothing");
    ck_assert_int_eq(fx_module_delete_tensor(m, "head.fc.bias"), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "has no tensor head.fc.bias");
    check_tree(m, whole);
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

START_TEST(parts_are_deleted)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    float data[2];
    fx_tensor tensor = view_of(data, 2);
    uint64_t edits = fx_module_edits(m);
    CHECK_OK(context, fx_module_delete_submodule(m, "features.1"));
    ck_assert(fx_module_edits(m) > edits);
    check_tree(m, ";features;features.0;head;head.fc;spare;spare.a;spare.a.b;");
    released = 0;
    CHECK_OK(context, fx_module_add_tensor(m, "a", &tensor, false, count_release, &released));
    CHECK_OK(context, fx_module_add_tensor(m, "b", &tensor, true, count_release, &released));
    CHECK_OK(context, fx_module_add_tensor(m, "c", &tensor, false, count_release, &released));
    CHECK_OK(context, fx_module_delete_tensor(m, "a"));
    ck_assert_int_eq(released, 1);
    ck_assert_ptr_null(fx_module_tensor(m, "a"));
    ck_assert_ptr_eq(fx_module_tensor(m, "c")->data, data);
    ck_assert(fx_module_tensor_is_buffer(m, 0));
    CHECK_OK(context, fx_module_add_tensor(m, "a", &tensor, false, count_release, &released));
    CHECK_OK(context, fx_module_delete_tensor(m, "head.fc.weight"));
    ck_assert_ptr_null(fx_module_tensor(m, "head.fc.weight"));
    fx_module_free(m);
    ck_assert_int_eq(released, 4);
    fx_context_free(context);
}
END_TEST

/* torch's rule: on the way to a target is needed, and all below a called module. */
START_TEST(unused_submodules_are_deleted)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    fx_graph *g = fx_module_graph(m);
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_node_spec call = {FX_CALL_MODULE, "features.1", fx_tuple(g, (fx_attr[]){fx_node_attr(x)}, 1), fx_none(), NULL, false, {0}};
    fx_node *y = fx_graph_create_node(g, &call), *w = fx_graph_get_attr(g, "head.fc.weight");
    fx_graph_output(g, fx_tuple(g, (fx_attr[]){fx_node_attr(y), fx_node_attr(w)}, 2));
    ck_assert_int_eq(fx_module_delete_unused(m), 4); /* features.0, spare, spare.a, spare.a.b */
    check_tree(m, ";features;features.1;features.1.conv;features.1.act;head;head.fc;");
    ck_assert_int_eq(fx_module_delete_unused(m), 0);
    CHECK_OK(context, fx_graph_lint(g));
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

START_TEST(edits_below_are_counted)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    uint64_t edits = fx_module_edits(m);
    fx_graph_placeholder(fx_module_graph(fx_module_submodule(m, "spare.a.b")), "x", NULL);
    ck_assert(fx_module_edits(m) > edits);
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

START_TEST(classes_and_attributes)
{
    fx_context *context = fx_context_new();
    fx_module *m = tree(context);
    fx_graph *g = fx_module_graph(m);
    ck_assert_ptr_null(fx_module_class(m));
    CHECK_OK(context, fx_module_set_class(m, "nets.Net"));
    ck_assert_str_eq(fx_module_class(m), "nets.Net");
    CHECK_OK(context, fx_module_set_attribute(m, "stride", fx_ints(g, (int64_t[]){1, 2}, 2)));
    CHECK_OK(context, fx_module_set_attribute(m, "eps", fx_float(1e-5)));
    CHECK_OK(context, fx_module_set_attribute(m, "stride", fx_int(3)));
    CHECK_OK(context, fx_module_set_attribute(m, "bias", fx_none()));
    ck_assert_int_eq(fx_module_attributes(m).n, 3);
    ck_assert_int_eq(fx_module_attribute(m, "stride")->u.i, 3);
    ck_assert_str_eq(fx_module_attributes(m).keys[1], "eps");
    ck_assert_ptr_null(fx_module_attribute(m, "nothing"));
    ck_assert_int_eq(fx_module_set_attribute(m, "x", fx_node_attr(fx_graph_placeholder(g, "x", NULL))), FX_E_ARG);
    CHECK_DIAG(context, "attribute x is no constant");
    ck_assert_int_eq(fx_module_set_attribute(m, "", fx_int(1)), FX_E_ARG);
    fx_module_set_training(m, true);
    ck_assert(fx_module_training(fx_module_submodule(m, "spare.a.b")));
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

START_TEST(bodies_belong_to_their_node)
{
    fx_context *context = fx_context_new();
    fx_module *m = fx_module_new(context, "net");
    fx_graph *g = fx_module_graph(m), *body = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *y = fx_graph_call(g, "my.f", (fx_attr[]){fx_node_attr(x)}, 1);
    ck_assert_ptr_null(fx_node_body(y));
    CHECK_OK(context, fx_node_set_body(y, body));
    ck_assert_ptr_eq(fx_node_body(y), body);
    ck_assert_int_eq(fx_node_set_body(x, fx_graph_new(context)), FX_E_ARG);
    CHECK_DIAG(context, "only calls have a body");
    ck_assert_int_eq(fx_node_set_body(y, body), FX_E_ARG); /* it belongs to this one already */
    fx_graph *clone = fx_graph_clone(g);
    ck_assert_ptr_nonnull(fx_node_body(fx_graph_find(clone, "f")));
    ck_assert_ptr_ne(fx_node_body(fx_graph_find(clone, "f")), body);
    fx_graph_free(clone);
    CHECK_OK(context, fx_node_set_body(y, NULL));
    ck_assert_ptr_null(fx_node_body(y));
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

FX_TESTS("module", ways_are_made_and_walked, what_is_in_the_way_is_told, parts_are_deleted, unused_submodules_are_deleted, edits_below_are_counted,
         classes_and_attributes, bodies_belong_to_their_node, tensors_by_path, memory_is_released_with_the_module, inputs_and_outputs, a_clone_has_a_module_of_its_own)
