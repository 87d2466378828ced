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

FX_TESTS("module", tensors_by_path, memory_is_released_with_the_module, inputs_and_outputs, a_clone_has_a_module_of_its_own)
