/* SPDX-License-Identifier: Apache-2.0 */
/* Importing ONNX: what nodes mean (checked by the interpreter), names, symbols, shape arithmetic, opset differences, initializers.
 */
#include "harness.h"
#include "fxjit/compile.h"
#include "onnx_writer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { F32 = 1, I64 = 7 };
static fx_context *context;
static fx_module *module;

static void setup(void)
{
    context = fx_context_new();
}

static void teardown(void)
{
    fx_module_free(module);
    module = NULL;
    fx_context_free(context);
}

static fx_status finish(ow_writer *w)
{
    uint8_t *data;
    size_t bytes = ow_finish(w, &data);
    fx_status status = fx_import_onnx(context, data, bytes, "test.onnx", NULL, &module);
    free(data); /* nothing may point into it any more */
    return status;
}

/* Runs the module on one f32 input 0, 1, 2, ... of this shape; the caller releases the result. */
static fx_tensor run(int32_t rank, const int64_t *dim)
{
    fx_tensor in, out = {0};
    CHECK_OK(context, fx_tensor_alloc(FX_F32, rank, dim, &in));
    for (int64_t i = 0; i < fx_tensor_elems(&in); i++) fx_tensor_set(&in, i, (double)i);
    CHECK_OK(context, fx_interpret(module, &in, 1, &out, 1));
    fx_tensor_release(&in);
    return out;
}

static void check_values(fx_tensor out, int32_t rank, const int64_t *dim, const double *values)
{
    ck_assert_int_eq(out.rank, rank);
    for (int32_t i = 0; i < rank; i++) ck_assert_int_eq(out.dim[i], dim[i]);
    for (int64_t i = 0; i < fx_tensor_elems(&out); i++)
        ck_assert_msg(fabs(fx_tensor_get(&out, i) - values[i]) < 1e-5, "element %lld is %g, expected %g", (long long)i,
                      fx_tensor_get(&out, i), values[i]);
    fx_tensor_release(&out);
}

#define DIMS(...)                                                                                                                  \
    (int64_t[])                                                                                                                    \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }
#define VALUES(...)                                                                                                                \
    (double[])                                                                                                                     \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }

START_TEST(names_and_locations_are_the_files)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "in.put:1", F32, 1, DIMS(3));
    ow_node(&w, "Relu", "in.put:1", "/a/Relu_output");
    ow_output(&w, "/a/Relu_output", F32, 1, DIMS(3));
    CHECK_OK(context, finish(&w));
    ck_assert_str_eq(fx_module_input_name(module, 0), "in.put:1");
    ck_assert_str_eq(fx_module_output_name(module, 0), "/a/Relu_output");
    const fx_node *relu = fx_graph_find(fx_module_graph(module), "_a_Relu_output");
    ck_assert_ptr_nonnull(relu);
    ck_assert_str_eq(fx_node_target(relu), "torch.ops.aten.relu.default");
    ck_assert_str_eq(fx_node_loc(relu).file, "test.onnx");
    ck_assert_str_eq(fx_node_loc(relu).function, "/a/Relu_output");
    CHECK_OK(context, fx_graph_lint(fx_module_graph(module)));
}
END_TEST

START_TEST(gemm_scales_and_transposes)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(2, 2)); /* [[0, 1], [2, 3]], transposed [[0, 2], [1, 3]] */
    ow_floats(&w, "b", 2, DIMS(2, 1), (float[]){1, 10});
    ow_floats(&w, "c", 1, DIMS(1), (float[]){100});
    ow_begin(&w, "Gemm", "x b c", "y");
    ow_attr_float(&w, "alpha", 2);
    ow_attr_float(&w, "beta", 0.5f);
    ow_attr_int(&w, "transA", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(2, 1));
    CHECK_OK(context, finish(&w));
    check_values(run(2, DIMS(2, 2)), 2, DIMS(2, 1), VALUES(2 * 20 + 50, 2 * 31 + 50));
}
END_TEST

START_TEST(layer_form_of_gemm_is_linear)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(-1, 2));
    ow_floats(&w, "w", 2, DIMS(1, 2), (float[]){1, 10});
    ow_floats(&w, "b", 1, DIMS(1), (float[]){100});
    ow_begin(&w, "Gemm", "x w b", "y");
    ow_attr_int(&w, "transB", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(-1, 1));
    CHECK_OK(context, finish(&w));
    const fx_node *y = fx_graph_find(fx_module_graph(module), "y");
    ck_assert_str_eq(fx_node_target(y), "torch.ops.aten.linear.default");
    check_values(run(2, DIMS(2, 2)), 2, DIMS(2, 1), VALUES(110, 132));
    check_values(run(2, DIMS(1, 2)), 2, DIMS(1, 1), VALUES(110));
}
END_TEST

START_TEST(equal_dimension_names_are_one_symbol)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "a", F32, 2, DIMS(-1, -2));
    ow_input(&w, "b", F32, 2, DIMS(-1, 3));
    ow_node(&w, "Relu", "a", "y");
    ow_output(&w, "y", F32, 2, DIMS(-1, -2));
    CHECK_OK(context, finish(&w));
    const fx_type *a = fx_module_input_type(module, 0), *b = fx_module_input_type(module, 1);
    ck_assert(a->dim[0] == b->dim[0] && !fx_dim_is_const(a->dim[0]) && !fx_dim_is_const(a->dim[1]) && a->dim[0] != a->dim[1]);
    ck_assert_str_eq(fx_graph_dim_text(fx_module_graph(module), a->dim[0]), "batch");
}
END_TEST

/* What exporters write for x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, Reshape. */
START_TEST(shape_arithmetic_with_a_symbol)
{
    ow_writer w;
    ow_model(&w, 11);
    ow_input(&w, "x", F32, 3, DIMS(-1, 2, 2));
    ow_ints(&w, "zero", 0, NULL, DIMS(0));
    ow_ints(&w, "rest", 1, DIMS(1), DIMS(-1));
    ow_node(&w, "Shape", "x", "shape");
    ow_begin(&w, "Gather", "shape zero", "size");
    ow_attr_int(&w, "axis", 0);
    ow_end(&w);
    ow_begin(&w, "Unsqueeze", "size", "sizes");
    ow_attr_ints(&w, "axes", 1, DIMS(0));
    ow_end(&w);
    ow_begin(&w, "Concat", "sizes rest", "wanted");
    ow_attr_int(&w, "axis", 0);
    ow_end(&w);
    ow_node(&w, "Reshape", "x wanted", "y");
    ow_output(&w, "y", F32, 2, DIMS(-1, 4));
    CHECK_OK(context, finish(&w));
    check_values(run(3, DIMS(1, 2, 2)), 2, DIMS(1, 4), VALUES(0, 1, 2, 3));
    check_values(run(3, DIMS(2, 2, 2)), 2, DIMS(2, 4), VALUES(0, 1, 2, 3, 4, 5, 6, 7));
}
END_TEST

/* Where(Equal(shape, -1), 1, shape), as exporters write it for Expand. */
START_TEST(shape_choice_with_a_symbol)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(-1, 1));
    ow_ints(&w, "minus", 1, DIMS(2), DIMS(-1, -1));
    ow_ints(&w, "ones", 1, DIMS(2), DIMS(1, 1));
    ow_ints(&w, "factor", 1, DIMS(2), DIMS(1, 3));
    ow_node(&w, "Shape", "x", "shape");
    ow_node(&w, "Mul", "shape factor", "scaled");
    ow_node(&w, "Equal", "scaled minus", "unknown");
    ow_node(&w, "Where", "unknown ones scaled", "wanted");
    ow_node(&w, "Expand", "x wanted", "y");
    ow_output(&w, "y", F32, 2, DIMS(-1, 3));
    CHECK_OK(context, finish(&w));
    check_values(run(2, DIMS(2, 1)), 2, DIMS(2, 3), VALUES(0, 0, 0, 1, 1, 1));
}
END_TEST

static void softmax_of(int64_t opset)
{
    ow_writer w;
    ow_model(&w, opset);
    ow_input(&w, "x", F32, 3, DIMS(1, 2, 2));
    ow_begin(&w, "Softmax", "x", "y");
    ow_attr_int(&w, "axis", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 3, DIMS(1, 2, 2));
    CHECK_OK(context, finish(&w));
}

START_TEST(softmax_flattens_before_opset_13)
{
    double e[4], sum = 0;
    for (int i = 0; i < 4; i++) sum += e[i] = exp(i);
    softmax_of(11);
    check_values(run(3, DIMS(1, 2, 2)), 3, DIMS(1, 2, 2), VALUES(e[0] / sum, e[1] / sum, e[2] / sum, e[3] / sum));
}
END_TEST

START_TEST(softmax_is_along_its_axis_from_opset_13)
{
    double low = 1 / (1 + exp(2)), high = 1 - low;
    softmax_of(13);
    check_values(run(3, DIMS(1, 2, 2)), 3, DIMS(1, 2, 2), VALUES(low, low, high, high));
}
END_TEST

START_TEST(clip_by_attributes_and_by_inputs)
{
    ow_writer w;
    ow_model(&w, 6);
    ow_input(&w, "x", F32, 1, DIMS(5));
    ow_begin(&w, "Clip", "x", "y");
    ow_attr_float(&w, "min", 1);
    ow_attr_float(&w, "max", 3);
    ow_end(&w);
    ow_output(&w, "y", F32, 1, DIMS(5));
    CHECK_OK(context, finish(&w));
    check_values(run(1, DIMS(5)), 1, DIMS(5), VALUES(1, 1, 2, 3, 3));
    fx_module_free(module);
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(5));
    ow_floats(&w, "high", 0, NULL, (float[]){2});
    ow_node(&w, "Clip", "x - high", "y");
    ow_output(&w, "y", F32, 1, DIMS(5));
    CHECK_OK(context, finish(&w));
    check_values(run(1, DIMS(5)), 1, DIMS(5), VALUES(0, 1, 2, 2, 2));
}
END_TEST

static void slice_of(int64_t start, int64_t end, int64_t step)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(6));
    ow_ints(&w, "start", 1, DIMS(1), &start);
    ow_ints(&w, "end", 1, DIMS(1), &end);
    ow_ints(&w, "axis", 1, DIMS(1), DIMS(0));
    ow_ints(&w, "step", 1, DIMS(1), &step);
    ow_node(&w, "Slice", "x start end axis step", "y");
    ow_output(&w, "y", F32, 1, DIMS(-2));
    CHECK_OK(context, finish(&w));
}

START_TEST(slices_as_numpy_cuts)
{
    static const int64_t ends[] = {INT64_MIN, -100, -7, -6, -3, -1, 0, 2, 5, 6, 100, INT64_MAX};
    static const int64_t steps[] = {1, 2, -1, -2};
    int64_t start = ends[_i % 12], end = ends[_i / 12 % 12], step = steps[_i / 144];
    int64_t first = start < 0 ? (start < -6 ? -1 : start + 6) : start, last = end < 0 ? (end < -6 ? -1 : end + 6) : end, n = 0;
    double want[6];
    if (step > 0) {
        for (int64_t k = first < 0 ? 0 : first; k < 6 && k < (last < 0 ? 0 : last); k += step) want[n++] = (double)k;
    } else {
        for (int64_t k = first > 5 ? 5 : first; k >= 0 && k > last; k += step) want[n++] = (double)k;
    }
    slice_of(start, end, step);
    check_values(run(1, DIMS(6)), 1, &n, want);
}
END_TEST

START_TEST(convolution_with_uneven_padding)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 4, DIMS(1, 1, 2, 2));
    ow_floats(&w, "k", 4, DIMS(1, 1, 2, 2), (float[]){1, 1, 1, 1});
    ow_begin(&w, "Conv", "x k", "y");
    ow_attr_ints(&w, "pads", 4, DIMS(1, 0, 0, 1)); /* a row above, a column to the right */
    ow_end(&w);
    ow_output(&w, "y", F32, 4, DIMS(1, 1, 2, 2));
    CHECK_OK(context, finish(&w));
    check_values(run(4, DIMS(1, 1, 2, 2)), 4, DIMS(1, 1, 2, 2), VALUES(0 + 1, 1, 0 + 1 + 2 + 3, 1 + 3));
}
END_TEST

START_TEST(average_pool_same_does_not_count_padding)
{
    ow_writer w;
    ow_model(&w, 11);
    ow_input(&w, "x", F32, 4, DIMS(1, 1, 1, 3));
    ow_begin(&w, "AveragePool", "x", "y");
    ow_attr_text(&w, "auto_pad", "SAME_UPPER");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(1, 2));
    ow_end(&w);
    ow_output(&w, "y", F32, 4, DIMS(1, 1, 1, 3));
    CHECK_OK(context, finish(&w));
    check_values(run(4, DIMS(1, 1, 1, 3)), 4, DIMS(1, 1, 1, 3), VALUES(0.5, 1.5, 2));
}
END_TEST

START_TEST(max_pool_pads_with_nothing)
{
    ow_writer w;
    ow_model(&w, 12);
    ow_input(&w, "x", F32, 4, DIMS(1, 1, 1, 3));
    ow_node(&w, "Neg", "x", "n");
    ow_begin(&w, "MaxPool", "n", "y");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(1, 2));
    ow_attr_ints(&w, "pads", 4, DIMS(0, 0, 0, 1));
    ow_end(&w);
    ow_output(&w, "y", F32, 4, DIMS(1, 1, 1, 3));
    CHECK_OK(context, finish(&w));
    check_values(run(4, DIMS(1, 1, 1, 3)), 4, DIMS(1, 1, 1, 3), VALUES(0, -1, -2));
}
END_TEST

START_TEST(initializers_listed_as_inputs_stay_constants)
{
    ow_writer w;
    ow_model(&w, 9);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_input(&w, "w", F32, 1, DIMS(2));
    ow_floats(&w, "w", 1, DIMS(2), (float[]){5, 6});
    ow_floats(&w, "unused", 1, DIMS(1), (float[]){0});
    ow_node(&w, "Add", "x w", "y");
    ow_output(&w, "y", F32, 1, DIMS(2));
    CHECK_OK(context, finish(&w));
    ck_assert_int_eq(fx_module_input_count(module), 1);
    ck_assert_int_eq(fx_module_tensor_count(module), 1);
    check_values(run(1, DIMS(2)), 1, DIMS(2), VALUES(5, 7));
}
END_TEST

START_TEST(nodes_in_any_order)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_node(&w, "Neg", "a", "y");
    ow_node(&w, "Exp", "x", "a");
    ow_output(&w, "y", F32, 1, DIMS(2));
    CHECK_OK(context, finish(&w));
    check_values(run(1, DIMS(2)), 1, DIMS(2), VALUES(-1, -exp(1)));
}
END_TEST

START_TEST(outputs_may_be_inputs_and_constants)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_floats(&w, "c", 1, DIMS(1), (float[]){4});
    ow_node(&w, "Identity", "x", "same");
    ow_output(&w, "same", F32, 1, DIMS(2));
    ow_output(&w, "c", F32, 1, DIMS(1));
    ow_output(&w, "x", F32, 1, DIMS(2));
    CHECK_OK(context, finish(&w));
    fx_tensor in, out[3] = {{0}};
    CHECK_OK(context, fx_tensor_alloc(FX_F32, 1, DIMS(2), &in));
    CHECK_OK(context, fx_interpret(module, &in, 1, out, 3));
    ck_assert(fx_tensor_get(&out[1], 0) == 4);
    for (int i = 0; i < 3; i++) fx_tensor_release(&out[i]);
    fx_tensor_release(&in);
    ck_assert_str_eq(fx_module_output_name(module, 0), "same");
    ck_assert_str_eq(fx_module_output_name(module, 2), "x");
}
END_TEST

/* One row [0, 1], kernel [1, 2, 3], step 2: [0, 0, 0 + 1, 2, 3]. Uneven pads cut; a larger output shape appends zeros and bias. */
START_TEST(transposed_convolution_with_uneven_padding)
{
    static const struct {
        int64_t pads[2], shape, size;
        double values[6];
    } rows[] = {{{0, 0}, 0, 5, {10, 10, 11, 12, 13}},
                {{0, 1}, 0, 4, {10, 10, 11, 12}},
                {{2, 1}, 0, 2, {11, 12}},
                {{0, 0}, 6, 6, {10, 10, 11, 12, 13, 10}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ow_writer w;
        ow_model(&w, 11);
        ow_input(&w, "x", F32, 3, DIMS(1, 1, 2));
        ow_floats(&w, "w", 3, DIMS(1, 1, 3), (float[]){1, 2, 3});
        ow_floats(&w, "b", 1, DIMS(1), (float[]){10});
        ow_begin(&w, "ConvTranspose", "x w b", "y");
        ow_attr_ints(&w, "strides", 1, DIMS(2));
        if (rows[i].shape)
            ow_attr_ints(&w, "output_shape", 1, &rows[i].shape);
        else
            ow_attr_ints(&w, "pads", 2, rows[i].pads);
        ow_end(&w);
        ow_output(&w, "y", F32, 3, DIMS(1, 1, -2));
        CHECK_OK(context, finish(&w));
        check_values(run(3, DIMS(1, 1, 2)), 3, DIMS(1, 1, rows[i].size), rows[i].values);
        fx_module_free(module);
        module = NULL;
    }
}
END_TEST

/* Scores 0 to 5 of two samples over three classes; the mean divides by the weights of what is not ignored. */
START_TEST(losses_weigh_and_ignore)
{
    static const struct {
        const char *reduction;
        int64_t ignore;
        double value;
    } rows[] = {{"sum", -1, -(2 * 3 + 3 * 1)}, {"mean", -1, -(2 * 3 + 3 * 1) / 4.0}, {"mean", 2, -3}, {"sum", 2, -3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ow_writer w;
        ow_model(&w, 13);
        ow_input(&w, "x", F32, 2, DIMS(2, 3));
        ow_ints(&w, "target", 1, DIMS(2), (int64_t[]){2, 0});
        ow_floats(&w, "weight", 1, DIMS(3), (float[]){1, 2, 3});
        ow_begin(&w, "NegativeLogLikelihoodLoss", "x target weight", "y");
        ow_attr_text(&w, "reduction", rows[i].reduction);
        if (rows[i].ignore >= 0) ow_attr_int(&w, "ignore_index", rows[i].ignore);
        ow_end(&w);
        ow_output(&w, "y", F32, 0, NULL);
        CHECK_OK(context, finish(&w));
        check_values(run(2, DIMS(2, 3)), 0, NULL, &rows[i].value);
        fx_module_free(module);
        module = NULL;
    }
}
END_TEST

/* [0, 1, 2] with two elements before and one behind. */
START_TEST(padding_with_elements_of_the_input)
{
    static const struct {
        const char *mode;
        double values[6];
    } rows[] = {{"edge", {0, 0, 0, 1, 2, 2}}, {"reflect", {2, 1, 0, 1, 2, 1}}, {"wrap", {1, 2, 0, 1, 2, 0}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ow_writer w;
        ow_model(&w, 19);
        ow_input(&w, "x", F32, 1, DIMS(3));
        ow_ints(&w, "pads", 1, DIMS(2), (int64_t[]){2, 1});
        ow_begin(&w, "Pad", "x pads", "y");
        ow_attr_text(&w, "mode", rows[i].mode);
        ow_end(&w);
        ow_output(&w, "y", F32, 1, DIMS(6));
        CHECK_OK(context, finish(&w));
        check_values(run(1, DIMS(3)), 1, DIMS(6), rows[i].values);
        fx_module_free(module);
        module = NULL;
    }
}
END_TEST

START_TEST(triangles_are_cut_and_rows_repeated)
{
    ow_writer w;
    ow_model(&w, 14);
    ow_input(&w, "x", F32, 2, DIMS(2, 3));
    ow_ints(&w, "k", 0, NULL, (int64_t[]){1});
    ow_ints(&w, "twice", 1, DIMS(2), (int64_t[]){2, 1});
    ow_node(&w, "Trilu", "x k", "t");
    ow_node(&w, "Tile", "t twice", "y");
    ow_output(&w, "y", F32, 2, DIMS(4, 3));
    CHECK_OK(context, finish(&w));
    check_values(run(2, DIMS(2, 3)), 2, DIMS(4, 3), VALUES(0, 1, 2, 0, 0, 5, 0, 1, 2, 0, 0, 5));
}
END_TEST

START_TEST(a_module_in_f64)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_floats(&w, "w", 1, DIMS(2), (float[]){5, 6});
    ow_node(&w, "Mul", "x w", "y");
    ow_output(&w, "y", F32, 1, DIMS(2));
    CHECK_OK(context, finish(&w));
    CHECK_OK(context, fx_module_cast(module, FX_F32, FX_F64));
    ck_assert_int_eq(fx_module_input_type(module, 0)->dtype, FX_F64);
    ck_assert_int_eq(fx_module_output_type(module, 0)->dtype, FX_F64);
    ck_assert_int_eq(fx_module_tensor(module, "w")->dtype, FX_F64);
    ck_assert(fx_tensor_get(fx_module_tensor(module, "w"), 1) == 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("onnx_import");
    TCase *cases = tcase_create("onnx_import");
    tcase_add_checked_fixture(cases, setup, teardown);
    const TTest *const tests[] = {names_and_locations_are_the_files,
                                  gemm_scales_and_transposes,
                                  layer_form_of_gemm_is_linear,
                                  equal_dimension_names_are_one_symbol,
                                  shape_arithmetic_with_a_symbol,
                                  shape_choice_with_a_symbol,
                                  softmax_flattens_before_opset_13,
                                  softmax_is_along_its_axis_from_opset_13,
                                  clip_by_attributes_and_by_inputs,
                                  convolution_with_uneven_padding,
                                  average_pool_same_does_not_count_padding,
                                  max_pool_pads_with_nothing,
                                  initializers_listed_as_inputs_stay_constants,
                                  nodes_in_any_order,
                                  outputs_may_be_inputs_and_constants,
                                  transposed_convolution_with_uneven_padding,
                                  losses_weigh_and_ignore,
                                  padding_with_elements_of_the_input,
                                  triangles_are_cut_and_rows_repeated,
                                  a_module_in_f64};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) tcase_add_test(cases, tests[i]);
    tcase_add_loop_test(cases, slices_as_numpy_cuts, 0, 12 * 12 * 4);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
