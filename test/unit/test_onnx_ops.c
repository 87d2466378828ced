/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX operators that adapters write out in others: small cases with results by hand, beside those that ONNX itself has
 * (docs/OPERATORS.md counts them). Each is interpreted and compiled. */
#include "harness.h"
#include "fxjit/compile.h"
#include "onnx_writer.h"
#include <math.h>
#include <stdlib.h>

enum { F32 = 1, I64 = 7 };
#define DIMS(...)                                                                                                                  \
    (int64_t[])                                                                                                                    \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }
#define FLOATS(...)                                                                                                                \
    (float[])                                                                                                                      \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }
#define VALUES(...)                                                                                                                \
    (double[])                                                                                                                     \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}

static void teardown(void)
{
    fx_context_free(context);
}

static fx_module *finish(ow_writer *w)
{
    uint8_t *data;
    fx_module *module;
    size_t bytes = ow_finish(w, &data);
    CHECK_OK(context, fx_import_onnx(context, data, bytes, "test.onnx", NULL, &module));
    free(data);
    return module;
}

static void check_values(const fx_tensor *y, const double *expected, const char *engine)
{
    for (int64_t i = 0; i < fx_tensor_elems(y); i++)
        ck_assert_msg(fabs(fx_tensor_get(y, i) - expected[i]) < 1e-5, "%s: element %d is %g, expected %g", engine, (int)i,
                      fx_tensor_get(y, i), expected[i]);
}

/* The output for an f32 input of this shape with values 1, 2, 3, ... */
static void check(ow_writer *w, int32_t rank, const int64_t *dim, int64_t n, const double *expected)
{
    fx_module *module = finish(w);
    fx_compiled *compiled;
    fx_tensor x, y = {0}, z = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, rank, dim, &x), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&x); i++) fx_tensor_set(&x, i, (double)(i + 1));
    CHECK_OK(context, fx_interpret(module, &x, 1, &y, 1));
    ck_assert_int_eq(fx_tensor_elems(&y), n);
    check_values(&y, expected, "interpreter");
    CHECK_OK(context, fx_compile(module, &x, 1, NULL, &compiled));
    CHECK_OK(context, fx_run(compiled, context, &x, 1, &z, 1));
    check_values(&z, expected, "compiled");
    fx_compiled_free(compiled);
    fx_module_free(module);
    fx_tensor_release(&x);
    fx_tensor_release(&y);
    fx_tensor_release(&z);
}

/* Row 0 sees key 0 alone; row 1 sees both, whose weights are 1/3 and 2/3. Queries are 1, 1 (x / x). */
START_TEST(attention_is_a_mean_of_values)
{
    ow_writer w;
    setup();
    ow_model(&w, 23);
    ow_input(&w, "x", F32, 4, DIMS(1, 1, 2, 1));
    ow_floats(&w, "k", 4, DIMS(1, 1, 2, 1), FLOATS(0, 0.693147181f));
    ow_floats(&w, "v", 4, DIMS(1, 1, 2, 2), FLOATS(1, 10, 4, 40));
    ow_node(&w, "Div", "x x", "q");
    ow_begin(&w, "Attention", "q k v", "y");
    ow_attr_int(&w, "is_causal", 1);
    ow_attr_float(&w, "scale", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 4, DIMS(1, 1, 2, 2));
    check(&w, 4, DIMS(1, 1, 2, 1), 4, VALUES(1, 10, 3, 30));
    teardown();
}
END_TEST

static void einsum(const char *equation, int64_t n, const double *expected)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(2, 2)); /* [[1, 2], [3, 4]] */
    ow_floats(&w, "b", 2, DIMS(2, 2), FLOATS(1, 10, 100, 1000));
    ow_begin(&w, "Einsum", "x b", "y");
    ow_attr_text(&w, "equation", equation);
    ow_end(&w);
    ow_output(&w, "y", F32, -1, NULL);
    check(&w, 2, DIMS(2, 2), n, expected);
}

START_TEST(einsum_sums_what_is_left_out)
{
    setup();
    einsum("ij,jk->ik", 4, VALUES(201, 2010, 403, 4030));
    einsum("ij,jk", 4, VALUES(201, 2010, 403, 4030));
    einsum("ij,kj->ki", 4, VALUES(21, 43, 2100, 4300));
    einsum("ij,ij->", 1, VALUES(1 + 20 + 300 + 4000));
    einsum("ij,kl->il", 4, VALUES(303, 3030, 707, 7070));
    einsum("ii,ij->ji", 4, VALUES(1, 400, 10, 4000));
    einsum("...,...->...", 4, VALUES(1, 20, 300, 4000));
    teardown();
}
END_TEST

/* A batch that is no constant: elements are repeated, not looked up. */
START_TEST(resizing_repeats_or_weighs)
{
    ow_writer w;
    setup();
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(-1, 2));
    ow_floats(&w, "scales", 1, DIMS(2), FLOATS(1, 2));
    ow_begin(&w, "Resize", "x - scales", "y");
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(-1, 4));
    check(&w, 2, DIMS(2, 2), 8, VALUES(1, 1, 2, 2, 3, 3, 4, 4));
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(-1, 2));
    ow_floats(&w, "scales", 1, DIMS(2), FLOATS(1, 2));
    ow_begin(&w, "Resize", "x - scales", "y");
    ow_attr_text(&w, "mode", "linear");
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(-1, 4));
    check(&w, 2, DIMS(1, 2), 4, VALUES(1, 1.25, 1.75, 2));
    teardown();
}
END_TEST

/* round(x / 0.5) + 3 up to 8 bits, and back. */
START_TEST(quantizing_rounds_and_clamps)
{
    ow_writer w;
    setup();
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(3));
    ow_floats(&w, "factor", 0, NULL, FLOATS(60.2f));
    ow_floats(&w, "scale", 0, NULL, FLOATS(0.5f));
    ow_node(&w, "Mul", "x factor", "big");
    ow_node(&w, "QuantizeLinear", "big scale", "q");
    ow_node(&w, "DequantizeLinear", "q scale", "y");
    ow_output(&w, "y", F32, 1, DIMS(3));
    check(&w, 1, DIMS(3), 3, VALUES(60, 120.5, 127.5));
    teardown();
}
END_TEST

/* Updates of one element by rows and by element; a negative index counts from the end. */
START_TEST(scattering_writes_where_indices_say)
{
    ow_writer w;
    setup();
    ow_model(&w, 16);
    ow_input(&w, "x", F32, 2, DIMS(2, 2));
    ow_ints(&w, "at", 2, DIMS(1, 1), DIMS(-1));
    ow_floats(&w, "row", 2, DIMS(1, 2), FLOATS(10, 20));
    ow_begin(&w, "ScatterND", "x at row", "sums");
    ow_attr_text(&w, "reduction", "add");
    ow_end(&w);
    ow_floats(&w, "one", 2, DIMS(1, 1), FLOATS(7));
    ow_begin(&w, "ScatterElements", "sums at one", "y");
    ow_attr_int(&w, "axis", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(2, 2));
    check(&w, 2, DIMS(2, 2), 4, VALUES(1, 7, 13, 24));
    teardown();
}
END_TEST

FX_TESTS("onnx_ops", attention_is_a_mean_of_values, einsum_sums_what_is_left_out, resizing_repeats_or_weighs,
         quantizing_rounds_and_clamps, scattering_writes_where_indices_say)
