/* SPDX-License-Identifier: Apache-2.0 */
/* One compiled artefact for all batch sizes: a network traced from C with a symbolic batch is compiled once and run at many sizes;
 * it agrees with the interpreter and with a static compile of each size, and refuses sizes outside its range. */
#include "harness.h"
#include "compare.h"
#include "fxjit/fxjit.h"
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 40, CHANNELS = 3, EXTENT = 10, CLASSES = 5 };
static const int64_t sizes[] = {0, 1, 2, 7, 15, 16, 17, LARGEST};

static fx_value weight(fx_scope *scope, const char *path, int32_t rank, const int64_t *dim, double lo, double hi)
{
    static uint64_t random = 11;
    fx_tensor tensor;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, rank, dim, &tensor), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, fx_test_uniform(&random, lo, hi));
    fx_value value = fx_parameter(scope, path, &tensor, NULL, NULL);
    ck_assert(fx_value_ok(value));
    return value;
}

/* A residual block, pooling and a classifier. */
static fx_value network(fx_scope *scope, fx_value x)
{
    int64_t wide = 8;
    fx_value y = fx_conv2d(x, weight(scope, "conv.weight", 4, (int64_t[]){wide, CHANNELS, 3, 3}, -0.5, 0.5), FX_NO_VALUE,
                           &(fx_conv2d_options){.padding = FX_LIST(1, 1)});
    y = fx_batch_norm(y, weight(scope, "bn.weight", 1, &wide, 0.5, 1.5), weight(scope, "bn.bias", 1, &wide, -1, 1),
                      weight(scope, "bn.running_mean", 1, &wide, -1, 1), weight(scope, "bn.running_var", 1, &wide, 0.5, 1.5));
    y = fx_max_pool2d(fx_relu(y), FX_LIST(2, 2));
    fx_value z = fx_conv2d(y, weight(scope, "again.weight", 4, (int64_t[]){wide, wide, 3, 3}, -0.3, 0.3),
                           weight(scope, "again.bias", 1, &wide, -1, 1), &(fx_conv2d_options){.padding = FX_LIST(1, 1)});
    y = fx_relu(fx_add(y, z));
    y = fx_flatten(fx_adaptive_avg_pool2d(y, FX_LIST(1, 1)), &(fx_flatten_options){.start_dim = FX_ARG(1)});
    return fx_softmax(fx_linear(y, weight(scope, "fc.weight", 2, (int64_t[]){CLASSES, wide}, -1, 1), FX_NO_VALUE), -1);
}

/* batch < 0: symbolic. Weights are the same for all: their stream starts anew with each process, so they are made once and shared.
 */
static fx_module *trace(fx_context *context, fx_module *same_weights, int64_t batch)
{
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_dim n = batch < 0 ? fx_trace_symbol(scope, "batch", 0, LARGEST, 8) : batch;
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 4, {n, CHANNELS, EXTENT, EXTENT}});
    fx_value y = network(scope, x);
    fx_module *module;
    CHECK_OK(context, fx_trace_finish(scope, &y, 1, &module));
    for (int32_t i = 0; same_weights && i < fx_module_tensor_count(module); i++) {
        fx_tensor to = *fx_module_tensor(module, fx_module_tensor_path(module, i));
        ck_assert_int_eq(fx_tensor_copy(&to, fx_module_tensor(same_weights, fx_module_tensor_path(module, i))), FX_OK);
    }
    return module;
}

static void free_module(fx_module *module)
{
    for (int32_t i = 0; i < fx_module_tensor_count(module); i++) {
        fx_tensor tensor = *fx_module_tensor(module, fx_module_tensor_path(module, i));
        fx_tensor_release(&tensor);
    }
    fx_module_free(module);
}

static void expect_within(const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound, const char *what, int64_t n)
{
    const char *difference = fx_test_difference(expected, actual, bound);
    ck_assert_msg(!difference, "%s, batch %lld: %s", what, (long long)n, difference);
}

static void check_size(fx_context *context, fx_module *symbolic, const fx_compiled *compiled, int64_t n)
{
    uint64_t random = (uint64_t)n + 5;
    fx_tensor x, expected = {0}, bound = {0}, actual = {0}, of_static = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 4, (int64_t[]){n, CHANNELS, EXTENT, EXTENT}, &x), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&x); i++) fx_tensor_set(&x, i, fx_test_uniform(&random, -1, 1));
    CHECK_OK(context, fx_interpret_bound(symbolic, &x, 1, &expected, &bound, 1));
    CHECK_OK(context, fx_run(compiled, context, &x, 1, &actual, 1));
    expect_within(&expected, &actual, &bound, "symbolic", n);

    fx_module *module = trace(context, symbolic, n);
    fx_compiled *fixed;
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &fixed));
    CHECK_OK(context, fx_run(fixed, context, &x, 1, &of_static, 1));
    expect_within(&expected, &of_static, &bound, "static", n);
    fx_compiled_free(fixed);
    free_module(module);
    fx_tensor_release(&x);
    fx_tensor_release(&expected);
    fx_tensor_release(&bound);
    fx_tensor_release(&actual);
    fx_tensor_release(&of_static);
}

START_TEST(one_artefact_serves_every_batch)
{
    fx_context *context = fx_context_new();
    fx_module *module = trace(context, NULL, -1);
    fx_compiled *compiled;
    int64_t before = fx_compile_count();
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 2, .verify = true}, &compiled));
    ck_assert_int_eq(fx_compile_count() - before, 1);
    ck_assert_int_eq(fx_compiled_fallback_count(compiled), 0);
    uint64_t hash = fx_compiled_code_hash(compiled);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_size(context, module, compiled, sizes[i]);
    ck_assert_uint_eq(fx_compiled_code_hash(compiled), hash);
    fx_compiled_free(compiled);
    free_module(module);
    fx_context_free(context);
}
END_TEST

START_TEST(sizes_outside_the_range_are_refused)
{
    fx_context *context = fx_context_new();
    fx_module *module = trace(context, NULL, -1);
    fx_compiled *compiled;
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled));
    fx_tensor x, y = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 4, (int64_t[]){LARGEST + 1, CHANNELS, EXTENT, EXTENT}, &x), FX_OK);
    ck_assert_int_eq(fx_run(compiled, context, &x, 1, &y, 1), FX_E_GUARD);
    CHECK_DIAG(context, "dimension 0 of input `x` is 41");
    fx_tensor_release(&x);
    fx_compiled_free(compiled);
    free_module(module);
    fx_context_free(context);
}
END_TEST

START_TEST(a_run_needs_what_its_own_sizes_ask_for)
{
    fx_context *context = fx_context_new();
    fx_module *module = trace(context, NULL, -1);
    fx_compiled *compiled;
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled));
    size_t bytes[2];
    int64_t flop[2], batch[2] = {1, LARGEST};
    for (int i = 0; i < 2; i++) {
        fx_tensor x = fx_tensor_view(NULL, FX_F32, 4, (int64_t[]){batch[i], CHANNELS, EXTENT, EXTENT});
        CHECK_OK(context, fx_compiled_needs(compiled, context, &x, 1, &bytes[i], &flop[i]));
    }
    ck_assert_int_eq(flop[1], LARGEST * flop[0]);
    ck_assert_uint_lt(bytes[0], bytes[1]);
    ck_assert_uint_le(bytes[1], fx_compiled_workspace_bytes(compiled));
    fx_tensor wrong = fx_tensor_view(NULL, FX_F64, 4, (int64_t[]){1, CHANNELS, EXTENT, EXTENT});
    ck_assert_int_eq(fx_compiled_needs(compiled, context, &wrong, 1, NULL, NULL), FX_E_TYPE);
    fx_compiled_free(compiled);
    free_module(module);
    fx_context_free(context);
}
END_TEST

FX_TESTS("symbols", a_run_needs_what_its_own_sizes_ask_for, one_artefact_serves_every_batch, sizes_outside_the_range_are_refused)
