/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs inside an ONNX file: functions of the file with their attributes, branches that are known or computed, loops that are
 * written out; and what is refused: graphs too deep, loops without a known end, names that leak out of a body. */
#include "harness.h"
#include "fxjit/compile.h"
#include "onnx_writer.h"
#include <math.h>
#include <stdlib.h>

enum { F32 = 1, I64 = 7, BOOL = 9, ATTR_FLOAT = 1 };
#define DIMS(...)                                                                                                                  \
    (int64_t[])                                                                                                                    \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }

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
    free(data);
    return status;
}

/* The module's f32 output for x = -1, 0, 1, 2. */
static void check(const double *expected)
{
    fx_tensor x, y = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 1, DIMS(4), &x), FX_OK);
    for (int64_t i = 0; i < 4; i++) fx_tensor_set(&x, i, (double)(i - 1));
    CHECK_OK(context, fx_interpret(module, &x, 1, &y, 1));
    for (int64_t i = 0; i < fx_tensor_elems(&y); i++)
        ck_assert_msg(fabs(fx_tensor_get(&y, i) - expected[i]) < 1e-6, "element %d is %g, expected %g", (int)i,
                      fx_tensor_get(&y, i), expected[i]);
    fx_tensor_release(&x);
    fx_tensor_release(&y);
}

static void begin(ow_writer *w)
{
    ow_model(w, 13);
    ow_input(w, "x", F32, 1, DIMS(4));
    ow_floats(w, "two", 0, NULL, (float[]){2});
}

/* leak(x; slope) = leaky_relu(x, slope) and both(x, y) = leak(x; 0.5) + y: names of a body are its own, attributes the call's. */
START_TEST(functions_are_called)
{
    setup();
    ow_writer w, body;
    begin(&w);
    ow_body(&body);
    ow_begin(&body, "LeakyRelu", "a", "x");
    ow_attr_ref(&body, "alpha", ATTR_FLOAT, "slope");
    ow_end(&body);
    ow_function(&w, &body, "my", "leak", "a", "x", "slope");
    ow_body(&body);
    ow_begin(&body, "leak", "p", "x");
    ow_domain(&body, "my");
    ow_attr_float(&body, "slope", 0.5f);
    ow_end(&body);
    ow_node(&body, "Add", "x q", "r");
    ow_function(&w, &body, "my", "both", "p q", "r", "");
    ow_begin(&w, "both", "x two", "h");
    ow_domain(&w, "my");
    ow_end(&w);
    ow_begin(&w, "leak", "h", "y");
    ow_domain(&w, "my");
    ow_attr_float(&w, "slope", 0.25f);
    ow_end(&w);
    ow_output(&w, "y", F32, 1, DIMS(4));
    CHECK_OK(context, finish(&w));
    check((double[]){1.5, 2, 3, 4});
    teardown();
}
END_TEST

/* A body sees its inputs, not what is around it. */
START_TEST(functions_do_not_see_around)
{
    setup();
    ow_writer w, body;
    begin(&w);
    ow_body(&body);
    ow_node(&body, "Add", "a two", "b");
    ow_function(&w, &body, "my", "peeks", "a", "b", "");
    ow_begin(&w, "peeks", "x", "y");
    ow_domain(&w, "my");
    ow_end(&w);
    ow_output(&w, "y", F32, 1, DIMS(4));
    ck_assert_int_ne(finish(&w), FX_OK);
    CHECK_DIAG(context, "\"two\"");
    teardown();
}
END_TEST

START_TEST(functions_that_call_themselves_are_refused)
{
    setup();
    ow_writer w, body;
    begin(&w);
    ow_body(&body);
    ow_begin(&body, "again", "a", "b");
    ow_domain(&body, "my");
    ow_end(&body);
    ow_function(&w, &body, "my", "again", "a", "b", "");
    ow_begin(&w, "again", "x", "y");
    ow_domain(&w, "my");
    ow_end(&w);
    ow_output(&w, "y", F32, 1, DIMS(4));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "too deep");
    teardown();
}
END_TEST

/* y = cond ? x + 2 : x * 2, where both branches read names around them. */
static void add_if(ow_writer *w, const char *cond)
{
    ow_writer then_branch = {0}, else_branch = {0};
    ow_node(&then_branch, "Add", "x two", "sum");
    ow_output(&then_branch, "sum", F32, 1, DIMS(4));
    ow_node(&else_branch, "Mul", "x two", "product");
    ow_output(&else_branch, "product", F32, 1, DIMS(4));
    ow_begin(w, "If", cond, "y");
    ow_attr_graph(w, "then_branch", &then_branch);
    ow_attr_graph(w, "else_branch", &else_branch);
    ow_end(w);
    ow_output(w, "y", F32, 1, DIMS(4));
}

START_TEST(branches_are_known_or_chosen)
{
    for (int sign = -1; sign <= 1; sign += 2)
        for (int computed = 0; computed < 2; computed++) {
            ow_writer w;
            setup();
            begin(&w);
            ow_floats(&w, "limit", 0, NULL, (float[]){(float)(100 * sign)});
            ow_floats(&w, "one", 0, NULL, (float[]){1});
            ow_begin(&w, "ReduceSum", "x", "total");
            ow_attr_int(&w, "keepdims", 0);
            ow_end(&w);
            ow_node(&w, "Less", computed ? "total limit" : "one limit", "cond");
            add_if(&w, "cond");
            CHECK_OK(context, finish(&w));
            check(sign > 0 ? (double[]){1, 2, 3, 4} : (double[]){-2, 0, 2, 4});
            teardown();
        }
}
END_TEST

/* x doubled three times; what each turn had is stacked. */
static void add_loop(ow_writer *w, const char *limit, const char *outputs)
{
    ow_writer body = {0};
    ow_input(&body, "turn", I64, 0, NULL);
    ow_input(&body, "go", BOOL, 0, NULL);
    ow_input(&body, "v", F32, 1, DIMS(4));
    ow_node(&body, "Identity", "go", "go_on");
    ow_node(&body, "Mul", "v two", "doubled");
    ow_node(&body, "Identity", "v", "had");
    ow_output(&body, "go_on", BOOL, 0, NULL);
    ow_output(&body, "doubled", F32, 1, DIMS(4));
    ow_output(&body, "had", F32, 1, DIMS(4));
    ow_begin(w, "Loop", limit, outputs);
    ow_attr_graph(w, "body", &body);
    ow_end(w);
}

START_TEST(loops_are_written_out)
{
    setup();
    ow_writer w;
    begin(&w);
    ow_ints(&w, "three", 0, NULL, DIMS(3));
    add_loop(&w, "three - x", "y all");
    ow_output(&w, "y", F32, 1, DIMS(4));
    CHECK_OK(context, finish(&w));
    check((double[]){-8, 0, 8, 16});
    teardown();
    setup();
    begin(&w);
    ow_ints(&w, "three", 0, NULL, DIMS(3));
    add_loop(&w, "three - x", "last y");
    ow_output(&w, "y", F32, 2, DIMS(3, 4));
    CHECK_OK(context, finish(&w));
    check((double[]){-1, 0, 1, 2, -2, 0, 2, 4, -4, 0, 4, 8});
    teardown();
}
END_TEST

START_TEST(loops_need_a_known_end)
{
    setup();
    ow_writer w;
    begin(&w);
    ow_input(&w, "n", I64, 0, NULL);
    add_loop(&w, "n - x", "y all");
    ow_output(&w, "y", F32, 1, DIMS(4));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "number of turns");
    teardown();
    setup();
    begin(&w);
    add_loop(&w, "- - x", "y all");
    ow_output(&w, "y", F32, 1, DIMS(4));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "turns");
    teardown();
}
END_TEST

FX_TESTS("onnx_inner", functions_are_called, functions_do_not_see_around, functions_that_call_themselves_are_refused,
         branches_are_known_or_chosen, loops_are_written_out, loops_need_a_known_end)
