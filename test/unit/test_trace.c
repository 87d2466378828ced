/* SPDX-License-Identifier: Apache-2.0 */
/* The tracer beyond single operators: changes in place, eagerly and traced; modules of the host program as leaves and traced
 * through; and each misuse with its own message. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
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

static const fx_type square = {FX_F32, 2, {2, 3}};

/* A counter that each call moves: its second row by the input's sum, all of it by one. */
static fx_status count(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_value n = fx_buffer(scope, "n", user, NULL, NULL), row = fx_select(n, 0, 1);
    fx_add_(n, 1);
    fx_add_(row, fx_sum(in[0], &(fx_sum_options){.dim = FX_LIST(0)}));
    fx_copy_(fx_select(n, 1, 0), in[1]);
    out[0] = fx_mul(row, 2);
    return FX_OK;
}

START_TEST(changes_are_made_eagerly_and_traced_alike)
{
    setup();
    float n[2][3] = {{1, 2, 3}, {4, 5, 6}}, again[2][3], x[2][3] = {{1, 1, 1}, {2, 2, 2}}, z[2] = {-7, -8}, y[3];
    memcpy(again, n, sizeof n);
    fx_tensor buffer = fx_tensor_view(n, FX_F32, 2, (int64_t[]){2, 3}), other = fx_tensor_view(again, FX_F32, 2, (int64_t[]){2, 3});
    fx_tensor in[2] = {fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 3}), fx_tensor_view(z, FX_F32, 1, (int64_t[]){2})};
    fx_tensor result = fx_tensor_view(y, FX_F32, 1, (int64_t[]){3});
    fx_scope *scope = fx_scope_new(context);
    fx_value values[2] = {fx_value_from(scope, &in[0]), fx_value_from(scope, &in[1])}, out[1];
    CHECK_OK(context, count(scope, values, out, &buffer));
    const float expected[2][3] = {{-7, 3, 4}, {-8, 9, 10}};
    ck_assert_mem_eq(n, expected, sizeof n);
    ck_assert_float_eq(((float *)fx_value_tensor(out[0])->data)[2], 20);
    fx_scope_free(scope);

    fx_module *module;
    fx_compiled *net;
    CHECK_OK(context, fx_trace(context, "count", count, &other, (fx_type[]){square, {FX_F32, 1, {2}}}, 2, 1, &module));
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_run(net, context, in, 2, &result, 1));
    ck_assert_float_eq(y[0], -16);
    ck_assert_float_eq(y[2], 20);
    fx_tensor state;
    ck_assert_int_eq(fx_state_tensor(fx_compiled_state(net), "n", &state), FX_OK);
    ck_assert_mem_eq(state.data, expected, sizeof expected);
    ck_assert_float_eq(again[0][0], 1); /* what the module was made from */
    char *text = fx_graph_to_string(fx_module_graph(module));
    ck_assert_ptr_nonnull(
        strstr(text, "%add_ : [num_users=0] = call_function[target=torch.ops.aten.add_.Tensor](args = (%n, 1), kwargs = {})"));
    fx_text_free(text);
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Modules ------------------------------------------------------------------------------------------------------------ */

typedef struct scale {
    fx_tensor weight;
} scale;

static fx_status scale_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    scale *self = user;
    out[0] = fx_mul(in[0], fx_parameter(scope, "weight", &self->weight, NULL, NULL));
    return FX_OK;
}

typedef struct block {
    scale inner[2];
} block;

static fx_status block_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    block *self = user;
    FX_TRY(fx_module_call(scope, "0", &(fx_nn){"Scale", scale_forward, &self->inner[0]}, in, 1, out, 1));
    FX_TRY(fx_module_call(scope, "1", &(fx_nn){"Scale", scale_forward, &self->inner[1]}, out, 1, out + 1, 1));
    out[0] = fx_relu(out[0]);
    return FX_OK;
}

static fx_status net_forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_value both[2];
    FX_TRY(fx_module_call(scope, "layer", &(fx_nn){"Block", block_forward, user}, in, 1, both, 2));
    out[0] = fx_add(both[0], both[1]);
    return FX_OK;
}

static bool leaf_class(void *user, const char *path, const char *class_name)
{
    (void)path;
    return strcmp(class_name, user) == 0;
}

static fx_module *trace_net(block *self, const char *leaf)
{
    fx_module *module;
    fx_scope *scope = fx_trace_begin(context, "Net");
    if (leaf) fx_trace_set_leaf(scope, leaf_class, (void *)(uintptr_t)leaf);
    fx_value in = fx_trace_input(scope, "x", &square), out;
    CHECK_OK(context, net_forward(scope, &in, &out, self));
    CHECK_OK(context, fx_trace_finish(scope, &out, 1, &module));
    return module;
}

static void expect_graph(fx_module *module, const char *expected)
{
    char *text = fx_graph_to_string(fx_module_graph(module));
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

START_TEST(modules_are_leaves_or_traced_through)
{
    setup();
    float w[2][3] = {{1, 2, 3}, {-1, 4, 5}}, x[2][3] = {{1, -1, 2}, {3, 0, 1}}, y[2][3], first[2][3];
    block self = {{{fx_tensor_view(w[0], FX_F32, 1, (int64_t[]){3})}, {fx_tensor_view(w[1], FX_F32, 1, (int64_t[]){3})}}};
    fx_tensor in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 3}), out = fx_tensor_view(y, FX_F32, 2, (int64_t[]){2, 3});
    static const char *const leaves[] = {NULL, "Scale", "Block"};
    static const char *const graphs[] = {
        "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    %layer_0_weight : [num_users=1] = "
        "get_attr[target=layer.0.weight]\n"
        "    %mul : [num_users=2] = call_function[target=torch.ops.aten.mul.Tensor](args = (%x, %layer_0_weight), kwargs = {})\n"
        "    %layer_1_weight : [num_users=1] = get_attr[target=layer.1.weight]\n"
        "    %mul_1 : [num_users=1] = call_function[target=torch.ops.aten.mul.Tensor](args = (%mul, %layer_1_weight), kwargs = "
        "{})\n"
        "    %relu : [num_users=1] = call_function[target=torch.ops.aten.relu.default](args = (%mul,), kwargs = {})\n"
        "    %add : [num_users=1] = call_function[target=torch.ops.aten.add.Tensor](args = (%relu, %mul_1), kwargs = {})\n    "
        "return add",
        "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    %layer_0 : [num_users=2] = call_module[target=layer.0](args "
        "= (%x,), kwargs = {})\n"
        "    %layer_1 : [num_users=1] = call_module[target=layer.1](args = (%layer_0,), kwargs = {})\n"
        "    %relu : [num_users=1] = call_function[target=torch.ops.aten.relu.default](args = (%layer_0,), kwargs = {})\n"
        "    %add : [num_users=1] = call_function[target=torch.ops.aten.add.Tensor](args = (%relu, %layer_1), kwargs = {})\n    "
        "return add",
        "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    %layer : [num_users=2] = call_module[target=layer](args = "
        "(%x,), kwargs = {})\n"
        "    %getitem : [num_users=1] = call_function[target=operator.getitem](args = (%layer, 0), kwargs = {})\n"
        "    %getitem_1 : [num_users=1] = call_function[target=operator.getitem](args = (%layer, 1), kwargs = {})\n"
        "    %add : [num_users=1] = call_function[target=torch.ops.aten.add.Tensor](args = (%getitem, %getitem_1), kwargs = {})\n  "
        "  return add"};
    for (int i = 0; i < 3; i++) {
        fx_module *module = trace_net(&self, leaves[i]);
        fx_compiled *net;
        expect_graph(module, graphs[i]);
        CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
        CHECK_OK(context, fx_run(net, context, &in, 1, &out, 1));
        if (i == 0) memcpy(first, y, sizeof y);
        ck_assert_mem_eq(first, y, sizeof y);
        fx_compiled_free(net);
        fx_module_free(module);
    }
    fx_scope *scope = fx_scope_new(context);
    fx_value value = fx_value_from(scope, &in), result;
    CHECK_OK(context, net_forward(scope, &value, &result, &self));
    ck_assert_mem_eq(fx_value_tensor(result)->data, first, sizeof first);
    fx_scope_free(scope);
    teardown();
}
END_TEST

static fx_status call_twice(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const fx_nn shared = {"Scale", scale_forward, user};
    FX_TRY(fx_module_call(scope, "s", &shared, in, 1, out, 1));
    fx_value last = fx_select(in[0], FX_ARG(0), FX_ARG(1));
    return fx_module_call(scope, "s", &shared, &last, 1, out + 1, 1);
}

/* A leaf is traced for the types of its first call: the second one here is traced through, with the leaf's parameters. */
START_TEST(leaves_called_with_other_types_are_traced_through)
{
    setup();
    float w[3] = {1, 2, 3}, x[2][3] = {{1, -1, 2}, {3, 0, 1}}, y[2][3], z[3];
    scale self = {fx_tensor_view(w, FX_F32, 1, (int64_t[]){3})};
    fx_tensor in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 3});
    fx_tensor out[] = {fx_tensor_view(y, FX_F32, 2, (int64_t[]){2, 3}), fx_tensor_view(z, FX_F32, 1, (int64_t[]){3})};
    fx_module *module;
    fx_compiled *net;
    fx_scope *scope = fx_trace_begin(context, "Net");
    fx_trace_set_leaf(scope, leaf_class, (void *)(uintptr_t) "Scale");
    fx_value input = fx_trace_input(scope, "x", &square), outputs[2];
    CHECK_OK(context, call_twice(scope, &input, outputs, &self));
    ck_assert_int_eq(fx_value_type(outputs[1])->rank, 1);
    CHECK_OK(context, fx_trace_finish(scope, outputs, 2, &module));
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_run(net, context, &in, 1, out, 2));
    ck_assert_float_eq(z[2], 1 * 3);
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Misuse -------------------------------------------------------------------------------------------------------------- */

static fx_status endless(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    return fx_module_call(scope, "self", &(fx_nn){"Endless", endless, user}, in, 1, out, 1);
}

START_TEST(misuse_is_told)
{
    setup();
    fx_module *module;
    float w[3] = {1, 2, 3}, v[3] = {1, 2, 3};
    fx_tensor weight = fx_tensor_view(w, FX_F32, 1, (int64_t[]){3}), other = fx_tensor_view(v, FX_F32, 1, (int64_t[]){3});
    ck_assert_int_eq(fx_trace(context, "m", endless, NULL, &square, 1, 1, &module), FX_E_GRAPH);
    CHECK_DIAG(context, "module `self.self` calls itself: `self` is the same module");

    fx_scope *scope = fx_trace_begin(context, "m"), *stranger = fx_trace_begin(context, "n");
    fx_value x = fx_trace_input(scope, "x", &square), y = fx_trace_input(stranger, "y", &square), out;
    ck_assert(!fx_value_ok(fx_add(x, y)));
    CHECK_DIAG(context, "values of different scopes cannot be combined");
    const fx_trace_arg only = {.kind = FX_ARG_VALUE, .value = x};
    ck_assert(!fx_value_ok(fx_apply(fx_op_find("no.such.operator"), &only, 1, FX_HERE)));
    CHECK_DIAG(context, "a call without an operator");
    ck_assert_ptr_null(fx_value_tensor(x));
    CHECK_DIAG(context, "test_trace.c");
    CHECK_DIAG(context, "the data of `x` was asked for while tracing");
    ck_assert(fx_value_ok(fx_parameter(scope, "w", &weight, NULL, NULL)));
    ck_assert(!fx_value_ok(fx_parameter(scope, "w", &other, NULL, NULL)));
    CHECK_DIAG(context, "parameter `w` is already another tensor of module `m`");
    ck_assert(!fx_value_ok(fx_add_(fx_sum(x), x)));
    CHECK_DIAG(context, "the tensor's shape does not match the shape of what it would become");
    fx_trace_set_leaf(scope, leaf_class, (void *)(uintptr_t) "Scale");
    scale self = {weight};
    ck_assert_int_eq(fx_module_call(scope, "s", &(fx_nn){"Scale", scale_forward, &self}, &y, 1, &out, 1), FX_E_ARG);
    CHECK_DIAG(context, "module `s` is given a value of another scope");
    CHECK_OK(context, fx_module_call(scope, "s", &(fx_nn){"Scale", scale_forward, &self}, &x, 1, &out, 1));
    ck_assert_int_eq(fx_module_call(scope, "s", &(fx_nn){"Scale", scale_forward, &self}, &x, 1, (fx_value[2]){x, x}, 2), FX_E_ARG);
    CHECK_DIAG(context, "module `s` has 1 outputs, 2 are asked for");
    fx_scope_free(scope);
    fx_scope_free(stranger);
    teardown();
}
END_TEST

FX_TESTS("trace", changes_are_made_eagerly_and_traced_alike, modules_are_leaves_or_traced_through, leaves_called_with_other_types_are_traced_through, misuse_is_told)
