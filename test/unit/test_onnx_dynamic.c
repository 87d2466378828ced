/* SPDX-License-Identifier: Apache-2.0 */
/* Transformers as exporters write them, with a symbolic number of steps: positions and masks are slices of constants by a symbol,
 * shapes are computed by nodes. One compiled artefact serves every size, and gives what a compilation for that size alone gives. */
#include "harness.h"
#include "fxjit/compile.h"
#include "onnx_writer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { F32 = 1, I64 = 7, BOOL = 9, WORDS = 7, WIDTH = 4, LONGEST = 24 };
#define DIMS(...)                                                                                                                  \
    (int64_t[])                                                                                                                    \
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

static void floats(ow_writer *w, const char *name, int rank, const int64_t *dim, double lo, double hi)
{
    float values[LONGEST * LONGEST];
    uint64_t state = (uint64_t)strlen(name) + (uint64_t)name[0];
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dim[i];
    for (int64_t i = 0; i < n; i++) values[i] = (float)fx_test_uniform(&state, lo, hi);
    ow_floats(w, name, rank, dim, values);
}

/* softmax(where(causal, x x^T, -1e4)) x, with x = token[ids] + position[steps]. */
static size_t write_model(int64_t steps, uint8_t **out)
{
    static int64_t numbers[LONGEST];
    static float causal[LONGEST * LONGEST];
    for (int i = 0; i < LONGEST; i++) numbers[i] = i;
    for (int i = 0; i < LONGEST * LONGEST; i++) causal[i] = i % LONGEST <= i / LONGEST;
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "ids", I64, 2, DIMS(1, steps));
    floats(&w, "token", 2, DIMS(WORDS, WIDTH), -1, 1);
    floats(&w, "place", 2, DIMS(LONGEST, WIDTH), -1, 1);
    ow_ints(&w, "steps", 2, DIMS(1, LONGEST), numbers);
    ow_floats(&w, "causal", 2, DIMS(LONGEST, LONGEST), causal);
    ow_ints(&w, "zero", 1, DIMS(1), DIMS(0));
    ow_ints(&w, "one", 1, DIMS(1), DIMS(1));
    ow_ints(&w, "at1", 0, NULL, DIMS(1));
    ow_floats(&w, "half", 0, NULL, (float[]){0.5f});
    ow_node(&w, "Shape", "ids", "shape");
    ow_node(&w, "Gather", "shape at1", "n");
    ow_node(&w, "Unsqueeze", "n zero", "length");
    ow_node(&w, "Slice", "steps zero length one", "own_steps");
    ow_node(&w, "Gather", "token ids", "words");
    ow_node(&w, "Gather", "place own_steps", "places");
    ow_node(&w, "Add", "words places", "x");
    ow_begin(&w, "Transpose", "x", "xt");
    ow_attr_ints(&w, "perm", 3, DIMS(0, 2, 1));
    ow_end(&w);
    ow_node(&w, "MatMul", "x xt", "scores");
    ow_node(&w, "Slice", "causal zero length zero", "causal_rows");
    ow_node(&w, "Slice", "causal_rows zero length one", "causal_part");
    ow_node(&w, "Greater", "causal_part half", "allowed");
    ow_node(&w, "Shape", "scores", "scores_shape");
    ow_begin(&w, "ConstantOfShape", "scores_shape", "never");
    ow_end(&w);
    ow_node(&w, "Where", "allowed scores never", "masked");
    ow_begin(&w, "Softmax", "masked", "weights");
    ow_attr_int(&w, "axis", -1);
    ow_end(&w);
    ow_node(&w, "MatMul", "weights x", "y");
    ow_output(&w, "y", F32, 3, DIMS(1, steps, WIDTH));
    return ow_finish(&w, out);
}

static fx_module *import_model(int64_t steps)
{
    uint8_t *data;
    fx_module *module;
    size_t bytes = write_model(steps, &data);
    CHECK_OK(context, fx_import_onnx(context, data, bytes, "test.onnx", NULL, &module));
    free(data);
    return module;
}

static fx_tensor make_ids(int64_t steps)
{
    fx_tensor ids;
    ck_assert_int_eq(fx_tensor_alloc(FX_I64, 2, DIMS(1, steps), &ids), FX_OK);
    for (int64_t i = 0; i < steps; i++) ((int64_t *)ids.data)[i] = (i * 5 + steps) % WORDS;
    return ids;
}

static void check_close(const fx_tensor *a, const fx_tensor *b, const char *what, int64_t steps)
{
    ck_assert_int_eq(a->rank, b->rank);
    for (int32_t d = 0; d < a->rank; d++) ck_assert_int_eq(a->dim[d], b->dim[d]);
    for (int64_t i = 0; i < fx_tensor_elems(a); i++) {
        double x = fx_tensor_get(a, i), y = fx_tensor_get(b, i);
        ck_assert_msg(fabs(x - y) < 1e-5, "%s, %d steps, element %d: %g, %g", what, (int)steps, (int)i, x, y);
    }
}

/* The one artefact against the interpreter and against a compilation for this size. */
static void check_size(const fx_compiled *any, int64_t steps)
{
    fx_tensor ids = make_ids(steps), got = {0}, meant = {0}, alone = {0};
    fx_module *module = import_model(steps);
    fx_compiled *compiled;
    CHECK_OK(context, fx_run(any, context, &ids, 1, &got, 1));
    CHECK_OK(context, fx_interpret(module, &ids, 1, &meant, 1));
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &compiled));
    CHECK_OK(context, fx_run(compiled, context, &ids, 1, &alone, 1));
    check_close(&got, &meant, "against the interpreter", steps);
    check_close(&got, &alone, "against a static compilation", steps);
    fx_compiled_free(compiled);
    fx_module_free(module);
    fx_tensor *tensors[] = {&ids, &got, &meant, &alone};
    for (int i = 0; i < 4; i++) fx_tensor_release(tensors[i]);
}

START_TEST(one_artefact_serves_all_sizes)
{
    static const int64_t sizes[] = {1, 2, 7, 8, 9, 16, 23, LONGEST};
    setup();
    fx_module *module = import_model(-1);
    fx_compiled *any;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &any));
    ck_assert_int_eq(fx_compiled_fallback_count(any), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_size(any, sizes[i]);
    fx_compiled_free(any);
    fx_module_free(module);
    teardown();
}
END_TEST

/* x / float(n) + range(n) + tril(x x^T), with n the symbolic size: sizes that are data, ranges and triangles of symbols. */
static size_t write_sizes_as_data(uint8_t **out)
{
    ow_writer w;
    ow_model(&w, 14);
    ow_input(&w, "x", F32, 2, DIMS(-1, 1));
    ow_ints(&w, "zero", 0, NULL, DIMS(0));
    ow_ints(&w, "one", 0, NULL, DIMS(1));
    ow_ints(&w, "last", 1, DIMS(1), DIMS(1));
    ow_node(&w, "Shape", "x", "shape");
    ow_node(&w, "Gather", "shape zero", "n");
    ow_begin(&w, "Cast", "n", "count");
    ow_attr_int(&w, "to", F32);
    ow_end(&w);
    ow_node(&w, "Div", "x count", "mean");
    ow_node(&w, "Range", "zero n one", "steps");
    ow_begin(&w, "Cast", "steps", "numbers");
    ow_attr_int(&w, "to", F32);
    ow_end(&w);
    ow_node(&w, "Unsqueeze", "numbers last", "column");
    ow_node(&w, "Add", "mean column", "sum");
    ow_node(&w, "Transpose", "x", "xt");
    ow_node(&w, "MatMul", "x xt", "products");
    ow_begin(&w, "Trilu", "products", "lower");
    ow_attr_int(&w, "upper", 0);
    ow_end(&w);
    ow_node(&w, "Add", "lower sum", "y");
    ow_output(&w, "y", F32, 2, DIMS(-1, -1));
    return ow_finish(&w, out);
}

static void check_sizes_as_data(const fx_compiled *compiled, int64_t n)
{
    fx_tensor x, y = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, DIMS(n, 1), &x), FX_OK);
    for (int64_t i = 0; i < n; i++) fx_tensor_set(&x, i, (double)(i + 1));
    CHECK_OK(context, fx_run(compiled, context, &x, 1, &y, 1));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double meant = (double)(i + 1) / (double)n + (double)i + (j <= i ? (double)((i + 1) * (j + 1)) : 0);
            ck_assert_msg(fabs(fx_tensor_get(&y, i * n + j) - meant) < 1e-4, "size %d, element %d, %d", (int)n, (int)i, (int)j);
        }
    fx_tensor_release(&x);
    fx_tensor_release(&y);
}

START_TEST(sizes_are_data_too)
{
    setup();
    uint8_t *data;
    fx_module *module;
    fx_compiled *compiled;
    size_t bytes = write_sizes_as_data(&data);
    CHECK_OK(context, fx_import_onnx(context, data, bytes, "test.onnx", NULL, &module));
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &compiled));
    ck_assert_int_eq(fx_compiled_fallback_count(compiled), 0);
    for (int64_t n = 1; n < 20; n += 6) check_sizes_as_data(compiled, n);
    free(data);
    fx_compiled_free(compiled);
    fx_module_free(module);
    teardown();
}
END_TEST

/* The constants end at LONGEST: more steps are an error, not a read beyond them. */
START_TEST(more_steps_than_positions_are_refused)
{
    setup();
    fx_module *module = import_model(-1);
    fx_compiled *any;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &any));
    fx_tensor ids = make_ids(LONGEST + 1), out = {0};
    ck_assert_int_ne(fx_run(any, NULL, &ids, 1, &out, 1), FX_OK);
    fx_tensor_release(&ids);
    fx_compiled_free(any);
    fx_module_free(module);
    teardown();
}
END_TEST

FX_TESTS("onnx_dynamic", one_artefact_serves_all_sizes, sizes_are_data_too, more_steps_than_positions_are_refused)
