/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that a trace keeps whole, with their bodies; tensors met while tracing; what C functions ask of values; in-place calls
 * that a trace refuses. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <math.h>
#include <string.h>

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

static const fx_type row = {FX_F32, 1, {3}};

static void expect_graph(const fx_graph *graph, const char *expected)
{
    char *text = fx_graph_to_string(graph);
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

/* ---- Wrapped functions ------------------------------------------------------------------------------------------------------ */

static int traced; /* how often the function below has run */

/* x * weight + x1, and its root. */
static fx_status scaled(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    traced++;
    out[0] = fx_add(fx_mul(in[0], fx_parameter(scope, "weight", user, NULL, NULL)), in[1]);
    out[1] = fx_sqrt(out[0]);
    return FX_OK;
}

static fx_status net(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const fx_attr two = fx_int(2);
    const fx_wrapped function = {"mylib.scaled", scaled, user, &two, 1};
    fx_value first[2], second[2], third[2];
    FX_TRY(fx_wrapped_call(scope, &function, (fx_value[]){in[0], in[1]}, 2, first, 2));
    FX_TRY(fx_wrapped_call(scope, &function, (fx_value[]){first[0], in[1]}, 2, second, 2));
    FX_TRY(fx_wrapped_call(scope, &function, (fx_value[]){in[0], in[0]}, 2, third, 2)); /* another body: one input */
    out[0] = fx_add(second[0], first[1]);
    out[1] = third[0];
    return FX_OK;
}

static const char wrapped_graph[] =
    "graph():\n    %x0 : [num_users=2] = placeholder[target=x0]\n    %x1 : [num_users=2] = placeholder[target=x1]\n"
    "    %scaled : [num_users=2] = call_function[target=mylib.scaled](args = (%x0, %x1, 2), kwargs = {})\n"
    "    %getitem : [num_users=1] = call_function[target=operator.getitem](args = (%scaled, 0), kwargs = {})\n"
    "    %getitem_1 : [num_users=1] = call_function[target=operator.getitem](args = (%scaled, 1), kwargs = {})\n"
    "    %scaled_1 : [num_users=2] = call_function[target=mylib.scaled](args = (%getitem, %x1, 2), kwargs = {})\n"
    "    %getitem_2 : [num_users=1] = call_function[target=operator.getitem](args = (%scaled_1, 0), kwargs = {})\n"
    "    %getitem_3 : [num_users=0] = call_function[target=operator.getitem](args = (%scaled_1, 1), kwargs = {})\n"
    "    %scaled_2 : [num_users=2] = call_function[target=mylib.scaled](args = (%x0, %x0, 2), kwargs = {})\n"
    "    %getitem_4 : [num_users=1] = call_function[target=operator.getitem](args = (%scaled_2, 0), kwargs = {})\n"
    "    %getitem_5 : [num_users=0] = call_function[target=operator.getitem](args = (%scaled_2, 1), kwargs = {})\n"
    "    %add : [num_users=1] = call_function[target=torch.ops.aten.add.Tensor](args = (%getitem_2, %getitem_1), kwargs = {})\n"
    "    return (add, getitem_4)";

static const char body_graph[] =
    "graph():\n    %x0 : [num_users=1] = placeholder[target=x0]\n    %x1 : [num_users=1] = placeholder[target=x1]\n"
    "    %weight : [num_users=1] = get_attr[target=weight]\n"
    "    %mul : [num_users=1] = call_function[target=torch.ops.aten.mul.Tensor](args = (%x0, %weight), kwargs = {})\n"
    "    %add : [num_users=2] = call_function[target=torch.ops.aten.add.Tensor](args = (%mul, %x1), kwargs = {})\n"
    "    %sqrt : [num_users=1] = call_function[target=torch.ops.aten.sqrt.default](args = (%add,), kwargs = {})\n"
    "    return (add, sqrt)";

static void check_values(const fx_tensor out[2], const float *x, const float *z, const float *w)
{
    for (int i = 0; i < 3; i++) {
        float first = x[i] * w[i] + z[i];
        ck_assert_float_eq_tol(((float *)out[0].data)[i], first * w[i] + z[i] + sqrtf(first), 1e-5f);
        ck_assert_float_eq(((float *)out[1].data)[i], x[i] * w[i] + x[i]);
    }
}

START_TEST(wrapped_functions_are_one_node_and_traced_once)
{
    setup();
    float w[3] = {1, 2, 3}, x[3] = {4, 5, 6}, z[3] = {0.5f, 1, 2}, y[2][3];
    fx_tensor weight = fx_tensor_view(w, FX_F32, 1, (int64_t[]){3});
    fx_tensor in[2] = {fx_tensor_view(x, FX_F32, 1, (int64_t[]){3}), fx_tensor_view(z, FX_F32, 1, (int64_t[]){3})},
              out[2] = {fx_tensor_view(y[0], FX_F32, 1, (int64_t[]){3}), fx_tensor_view(y[1], FX_F32, 1, (int64_t[]){3})};
    fx_module *module;
    fx_compiled *compiled;
    traced = 0;
    CHECK_OK(context, fx_trace(context, "net", net, &weight, (fx_type[]){row, row}, 2, 2, &module));
    ck_assert_int_eq(traced, 2);
    expect_graph(fx_module_graph(module), wrapped_graph);
    expect_graph(fx_node_body(fx_graph_find(fx_module_graph(module), "scaled")), body_graph);
    expect_graph(fx_node_body(fx_graph_find(fx_module_graph(module), "scaled_1")), body_graph);
    CHECK_OK(context, fx_graph_lint(fx_module_graph(module)));
    char *code = fx_graph_to_python(fx_module_graph(module), NULL);
    ck_assert_ptr_nonnull(strstr(code, "wrap(\"mylib_scaled\")"));
    fx_text_free(code);
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &compiled));
    CHECK_OK(context, fx_run(compiled, context, in, 2, out, 2));
    check_values(out, x, z, w);
    CHECK_OK(context, fx_interpret(module, in, 2, out, 2));
    check_values(out, x, z, w);
    fx_compiled_free(compiled);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(eager_scopes_compute_wrapped_functions)
{
    setup();
    float w[3] = {1, 2, 3}, x[3] = {4, 5, 6}, z[3] = {0.5f, 1, 2};
    fx_tensor weight = fx_tensor_view(w, FX_F32, 1, (int64_t[]){3});
    fx_tensor in[2] = {fx_tensor_view(x, FX_F32, 1, (int64_t[]){3}), fx_tensor_view(z, FX_F32, 1, (int64_t[]){3})};
    fx_scope *scope = fx_scope_new(context);
    fx_value values[2] = {fx_value_from(scope, &in[0]), fx_value_from(scope, &in[1])}, out[2];
    CHECK_OK(context, net(scope, values, out, &weight));
    check_values((fx_tensor[]){*fx_value_tensor(out[0]), *fx_value_tensor(out[1])}, x, z, w);
    fx_scope_free(scope);
    teardown();
}
END_TEST

/* Inside of a module, of symbolic sizes, a wrapped function in a wrapped function. */
static fx_status inner(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    out[0] = fx_mul(in[0], fx_parameter(scope, "scale", user, NULL, NULL));
    return FX_OK;
}

static fx_status outer(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_value half;
    FX_TRY(fx_wrapped_call(scope, &(fx_wrapped){.target = "mylib.inner", .forward = inner, .user = user}, in, 1, &half, 1));
    out[0] = fx_reshape(half, FX_LIST(-1));
    return FX_OK;
}

static fx_status layer(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    return fx_wrapped_call(scope, &(fx_wrapped){.target = "mylib.outer", .forward = outer, .user = user}, in, 1, out, 1);
}

START_TEST(bodies_share_modules_and_sizes)
{
    setup();
    float scale = 3, x[2][3] = {{1, 2, 3}, {4, 5, 6}}, y[6];
    fx_tensor weight = fx_tensor_view(&scale, FX_F32, 0, NULL), in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 3}),
              out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){6});
    fx_module *module;
    fx_compiled *compiled;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_type type = {FX_F32, 2, {fx_trace_symbol(scope, "rows", 1, 64, 4), 3}};
    fx_value value = fx_trace_input(scope, "x", &type), result;
    CHECK_OK(context, fx_module_call(scope, "layer", &(fx_nn){"Layer", layer, &weight}, &value, 1, &result, 1));
    ck_assert_str_eq(fx_graph_dim_text(fx_scope_graph(scope), fx_value_type(result)->dim[0]), "rows*3");
    CHECK_OK(context, fx_trace_finish(scope, &result, 1, &module));
    ck_assert_ptr_nonnull(fx_module_tensor(module, "layer.scale"));
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &compiled));
    CHECK_OK(context, fx_run(compiled, context, &in, 1, &out, 1));
    ck_assert_float_eq(y[5], 18);
    fx_compiled_free(compiled);
    fx_module_free(module);
    teardown();
}
END_TEST

static const fx_tensor *scale_of_now;

static fx_status scaled_by_module(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)user;
    traced++;
    out[0] = fx_mul(in[0], fx_parameter(scope, "scale", scale_of_now, NULL, NULL));
    return FX_OK;
}

static fx_status doubled(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    traced++;
    out[0] = fx_add(in[0], in[0]);
    return FX_OK;
}

static fx_status scaling_layer(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_value twice;
    scale_of_now = user;
    FX_TRY(fx_wrapped_call(scope, &(fx_wrapped){.target = "mylib.doubled", .forward = doubled}, in, 1, &twice, 1));
    return fx_wrapped_call(scope, &(fx_wrapped){.target = "mylib.scaled", .forward = scaled_by_module}, &twice, 1, out, 1);
}

/* The same function in two modules reads each one's own parameters; one that reads nothing is traced once. */
START_TEST(bodies_read_the_module_around_them)
{
    setup();
    float a = 3, b = 5, x[3] = {1, 2, 3}, y[3];
    fx_tensor scales[] = {fx_tensor_view(&a, FX_F32, 0, NULL), fx_tensor_view(&b, FX_F32, 0, NULL)};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){3}), out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){3});
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_value value = fx_trace_input(scope, "x", &row), between;
    traced = 0;
    CHECK_OK(context, fx_module_call(scope, "one", &(fx_nn){"Layer", scaling_layer, &scales[0]}, &value, 1, &between, 1));
    CHECK_OK(context, fx_module_call(scope, "two", &(fx_nn){"Layer", scaling_layer, &scales[1]}, &between, 1, &value, 1));
    ck_assert_int_eq(traced, 3);
    CHECK_OK(context, fx_trace_finish(scope, &value, 1, &module));
    ck_assert_ptr_nonnull(fx_module_tensor(module, "two.scale"));
    CHECK_OK(context, fx_interpret(module, &in, 1, &out, 1));
    ck_assert_float_eq(y[1], 2 * 2 * 2 * 3 * 5);
    fx_module_free(module);
    teardown();
}
END_TEST

static fx_status fails(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_add(in[0], *(fx_value *)user); /* a value of the trace around */
    return FX_OK;
}

START_TEST(misuse_of_wrapped_functions_is_told)
{
    setup();
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_value x = fx_trace_input(scope, "x", &row), y;
    const fx_wrapped function = {.target = "mylib.fails", .forward = fails, .user = &x};
    ck_assert_int_eq(fx_wrapped_call(scope, &function, &x, 1, &y, 1), FX_E_ARG);
    CHECK_DIAG(context, "add: values of different scopes cannot be combined");
    ck_assert(!fx_value_ok(y));
    ck_assert_int_eq(fx_wrapped_call(scope, &function, &y, 1, &y, 1), FX_E_ARG);
    CHECK_DIAG(context, "function `mylib.fails` is given no value as input 0");
    ck_assert_int_eq(fx_wrapped_call(scope, &(fx_wrapped){.forward = fails}, &x, 1, &y, 1), FX_E_ARG);
    CHECK_DIAG(context, "a call of a wrapped function needs its name");
    ck_assert_int_eq(fx_trace_finish(scope, &x, 1, &module), FX_E_ARG);
    teardown();
}
END_TEST

/* ---- Tensors met while tracing ---------------------------------------------------------------------------------------------- */

START_TEST(tensors_become_constants_of_the_module)
{
    setup();
    float a[3] = {1, 2, 3}, b[3] = {4, 5, 6}, c[3] = {7, 8, 9};
    fx_tensor one = fx_tensor_view(a, FX_F32, 1, (int64_t[]){3}), two = fx_tensor_view(b, FX_F32, 1, (int64_t[]){3}),
              known = fx_tensor_view(c, FX_F32, 1, (int64_t[]){3});
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_value x = fx_trace_input(scope, "x", &row), taken = fx_parameter(scope, "_tensor_constant1", &known, NULL, NULL);
    x = fx_add(x, fx_value_from(scope, &one));
    x = fx_add(x, fx_value_from(scope, &two));   /* the name 1 is taken */
    x = fx_add(x, fx_value_from(scope, &one));   /* met before */
    x = fx_add(x, fx_value_from(scope, &known)); /* the module's own */
    ck_assert(fx_value_ok(taken));
    CHECK_OK(context, fx_trace_finish(scope, &x, 1, &module));
    ck_assert_int_eq(fx_module_tensor_count(module), 3);
    ck_assert_ptr_eq(fx_module_tensor(module, "_tensor_constant0")->data, a);
    ck_assert_ptr_eq(fx_module_tensor(module, "_tensor_constant2")->data, b);
    ck_assert_int_eq(fx_node_user_count(fx_graph_find(fx_module_graph(module), "_tensor_constant0")), 2);
    ck_assert_int_eq(fx_node_user_count(fx_graph_find(fx_module_graph(module), "_tensor_constant1")), 1);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Questions -------------------------------------------------------------------------------------------------------------- */

START_TEST(eager_values_answer)
{
    setup();
    float x[2][2] = {{-2.75f, 3}, {5, 0}};
    fx_tensor in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 2});
    fx_scope *scope = fx_scope_new(context);
    fx_value value = fx_value_from(scope, &in), rows[2], first[2], second[2];
    ck_assert_int_eq(fx_value_len(value), 2);
    ck_assert(fx_value_unpack(value, rows, 2));
    ck_assert(fx_value_unpack(rows[0], first, 2) && fx_value_unpack(rows[1], second, 2));
    ck_assert_double_eq(fx_value_item(first[0]), -2.75);
    ck_assert_int_eq(fx_value_int(first[0]), -2);
    ck_assert(fx_value_bool(second[0]) && !fx_value_bool(second[1]));
    ck_assert(isnan(fx_value_item(rows[0])));
    CHECK_DIAG(context, "has not one element");
    ck_assert(!fx_value_unpack(value, first, 1));
    CHECK_DIAG(context, "has 2 parts, 1 are asked for");
    int64_t wide = (INT64_C(1) << 60) + 1;
    const fx_tensor number = fx_tensor_view(&wide, FX_I64, 1, (int64_t[]){1});
    ck_assert_int_eq(fx_value_int(fx_value_from(scope, &number)), wide);
    fx_scope_free(scope);
    teardown();
}
END_TEST

START_TEST(proxies_name_the_line_that_asks)
{
    static const struct {
        const char *words, *instead;
    } expected[] = {{"the number of `sum_1` was asked for while tracing", "compute with the value itself"},
                    {"the integer of `sum_1` was asked for while tracing", "fx_trace_symbol"},
                    {"the truth of `sum_1` was asked for while tracing", "use fx_where to choose, fx_assert_async to insist"},
                    {"the length of `x` is symbolic, rows", "fx_value_type(value)->dim[0] as a size"},
                    {"`sum_1` has no length", "it has no dimension"}};
    for (int i = 0; i < 5; i++) {
        setup();
        fx_module *module;
        int line = 0;
        char place[64];
        fx_value parts[2];
        fx_scope *scope = fx_trace_begin(context, "net");
        fx_type type = {FX_F32, 2, {fx_trace_symbol(scope, "rows", 1, 64, 4), 3}};
        fx_value x = fx_trace_input(scope, "x", &type), sum = fx_sum(x);
        bool good = false;
        if (i == 0) good = (line = __LINE__, isnan(fx_value_item(sum)));
        if (i == 1) good = (line = __LINE__, fx_value_int(sum) == 0);
        if (i == 2) good = (line = __LINE__, !fx_value_bool(sum));
        if (i == 3) good = (line = __LINE__, fx_value_len(x) == -1);
        if (i == 4) good = (line = __LINE__, !fx_value_unpack(sum, parts, 2));
        ck_assert(good);
        snprintf(place, sizeof place, "test_trace_wrap.c:%d", line);
        CHECK_DIAG(context, place);
        CHECK_DIAG(context, expected[i].words);
        CHECK_DIAG(context, expected[i].instead);
        ck_assert_int_ne(fx_trace_finish(scope, &x, 1, &module), FX_OK);
        teardown();
    }
}
END_TEST

static bool answer(void *user, const fx_node *node, double *out)
{
    *out = *(double *)user;
    return strcmp(fx_node_name(node), "sum_1") == 0;
}

START_TEST(a_host_may_answer_for_proxies)
{
    setup();
    double number = 2.5;
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_trace_set_answer(scope, answer, &number);
    fx_value x = fx_trace_input(scope, "x", &row), sum = fx_sum(x), parts[3];
    ck_assert_double_eq(fx_value_item(sum), 2.5);
    ck_assert_int_eq(fx_value_int(sum), 2);
    ck_assert(fx_value_bool(sum));
    ck_assert_int_eq(fx_value_len(x), 3);
    ck_assert(fx_value_unpack(x, parts, 3));
    CHECK_OK(context, fx_trace_finish(scope, parts, 3, &module));
    ck_assert_int_eq(fx_module_output_count(module), 3);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(results_of_one_operator_are_unpacked)
{
    setup();
    float x[3] = {3, 9, 4}, y[2];
    int64_t at[2];
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){3});
    fx_tensor out[2] = {fx_tensor_view(at, FX_I64, 1, (int64_t[]){2}), fx_tensor_view(y, FX_F32, 1, (int64_t[]){2})};
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_value both[2];
    ck_assert(fx_value_unpack(fx_topk(fx_trace_input(scope, "x", &row), 2), both, 2));
    CHECK_OK(context, fx_trace_finish(scope, (fx_value[]){both[1], both[0]}, 2, &module));
    CHECK_OK(context, fx_interpret(module, &in, 1, out, 2));
    ck_assert_int_eq(at[0], 1);
    ck_assert_float_eq(y[1], 4);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(functional_traces_refuse_changes)
{
    setup();
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_value x = fx_trace_input(scope, "x", &row);
    fx_trace_set_functional(scope, true);
    int line = __LINE__ + 1;
    ck_assert(!fx_value_ok(fx_add_(x, 1)));
    char place[64];
    snprintf(place, sizeof place, "test_trace_wrap.c:%d", line);
    CHECK_DIAG(context, place);
    CHECK_DIAG(context, "add would change a tensor in place");
    ck_assert_int_eq(fx_trace_finish(scope, &x, 1, &module), FX_E_GRAPH);
    teardown();
}
END_TEST

FX_TESTS("trace_wrap", wrapped_functions_are_one_node_and_traced_once, eager_scopes_compute_wrapped_functions,
         bodies_share_modules_and_sizes, bodies_read_the_module_around_them, misuse_of_wrapped_functions_is_told, tensors_become_constants_of_the_module,
         eager_values_answer, proxies_name_the_line_that_asks, a_host_may_answer_for_proxies, results_of_one_operator_are_unpacked,
         functional_traces_refuse_changes)
