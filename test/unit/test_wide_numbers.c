/* SPDX-License-Identifier: Apache-2.0 */
/* Integers at the ends of 64 bits, which are no doubles: as arguments and as values of a file, interpreted and compiled. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "onnx_writer.h"
#include <stdlib.h>
#include <string.h>

static fx_context *context;

/* Both engines give these values for this input. */
static void expect_values(fx_module *module, int64_t *input, int32_t n, const int64_t *expected)
{
    fx_tensor x = fx_tensor_view(input, FX_I64, 1, (int64_t[]){n}), y = {0};
    fx_compiled *net;
    CHECK_OK(context, fx_interpret(module, &x, 1, &y, 1));
    ck_assert_mem_eq(y.data, expected, (size_t)n * sizeof *expected);
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_run(net, context, &x, 1, &y, 1));
    ck_assert_mem_eq(y.data, expected, (size_t)n * sizeof *expected);
    fx_compiled_free(net);
    fx_tensor_release(&y);
}

START_TEST(the_least_integer_is_an_argument)
{
    static const char text[] = "{\"nodes\": [{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"args\": [], \"types\": "
                               "[{\"dtype\": \"i64\", \"shape\": [3]}]},"
                               "{\"name\": \"f\", \"op\": \"call_function\", \"target\": \"torch.full\", \"args\": [[3], -9223372036854775808]},"
                               "{\"name\": \"m\", \"op\": \"call_function\", \"target\": \"torch.maximum\", \"args\": [\"x\", \"f\"]},"
                               "{\"name\": \"output\", \"op\": \"output\", \"args\": [\"m\"]}]}";
    context = fx_context_new();
    fx_module *module;
    int64_t values[] = {INT64_MIN, -1, INT64_MAX};
    CHECK_OK(context, fx_import_graph(context, text, sizeof text - 1, "full", NULL, 0, &module));
    expect_values(module, values, 3, values);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* ConstantOfShape of the largest integer, of a symbolic size. */
START_TEST(the_largest_integer_fills_a_shape)
{
    context = fx_context_new();
    ow_writer w;
    ow_bytes attr = {0}, tensor = {0};
    uint8_t *data;
    fx_module *module;
    int64_t most = INT64_MAX, values[] = {0, -1, -7};
    ow_model(&w, 17);
    ow_input(&w, "x", 7, 1, (int64_t[]){-1});
    ow_node(&w, "Shape", "x", "shape");
    ow_begin(&w, "ConstantOfShape", "shape", "most");
    ow_field_int(&tensor, 1, 1); /* dims */
    ow_field_int(&tensor, 2, 7); /* int64 */
    ow_field_bytes(&tensor, 9, &most, sizeof most);
    ow_field_text(&attr, 1, "value");
    ow_field_message(&attr, 5, &tensor);
    ow_field_int(&attr, 20, 4);
    ow_field_message(&w.node, 5, &attr);
    ow_end(&w);
    ow_node(&w, "Add", "x most", "y");
    ow_output(&w, "y", 7, 1, (int64_t[]){-1});
    size_t bytes = ow_finish(&w, &data);
    CHECK_OK(context, fx_import_onnx(context, data, bytes, "most.onnx", NULL, &module));
    expect_values(module, values, 3, (int64_t[]){INT64_MAX, INT64_MAX - 1, INT64_MAX - 7});
    fx_module_free(module);
    free(data);
    fx_context_free(context);
}
END_TEST

FX_TESTS("wide_numbers", the_least_integer_is_an_argument, the_largest_integer_fills_a_shape)
