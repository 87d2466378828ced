/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter: graphs raw and typed, symbols and guards, checked inputs, messages, bounds, single nodes. */
#include "harness.h"
#include "ir/interp.h"
#include <math.h>
#include <string.h>

static fx_tensor vector(float *data, int64_t n)
{
    return fx_tensor_view(data, FX_F32, 1, &n);
}

/* relu(x + x) over x of the given type; NULL: unknown. */
static fx_module *doubled(fx_context *context, const fx_type *type)
{
    fx_module *module = fx_module_new(context, "doubled");
    fx_graph *graph = fx_module_graph(module);
    fx_node *x = fx_graph_placeholder(graph, "x", type);
    fx_attr args[] = {fx_node_attr(x), fx_node_attr(x)};
    fx_node *sum = fx_graph_call(graph, "operator.add", args, 2);
    fx_node_set_loc(sum, (fx_loc){"net.py", 12, NULL});
    fx_attr of_sum = fx_node_attr(sum);
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.nn.functional.relu", &of_sum, 1)));
    return module;
}

START_TEST(raw_graphs_are_typed_as_they_run)
{
    fx_context *context = fx_context_new();
    fx_module *module = doubled(context, NULL);
    float data[] = {1, -2, 3}, expected[] = {2, 0, 6};
    fx_tensor in = vector(data, 3), out = {0};
    CHECK_OK(context, fx_interpret(module, &in, 1, &out, 1));
    ck_assert_mem_eq(out.data, expected, sizeof expected);
    fx_tensor_release(&out);
    ck_assert_ptr_null(fx_node_type(fx_graph_first(fx_module_graph(module)), 0)); /* the graph itself stays as it was */
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(methods_run)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "m");
    fx_graph *graph = fx_module_graph(module);
    fx_attr x = fx_node_attr(fx_graph_placeholder(graph, "x", NULL));
    fx_node *node = fx_graph_create_node(
        graph, &(fx_node_spec){.opcode = FX_CALL_METHOD, .target = "add", .args = fx_tuple(graph, (fx_attr[]){x, fx_int(1)}, 2)});
    fx_graph_output(graph, fx_node_attr(node));
    float data[] = {1, 2};
    fx_tensor in = vector(data, 2), out = {0};
    CHECK_OK(context, fx_interpret(module, &in, 1, &out, 1));
    ck_assert_float_eq(((float *)out.data)[1], 3);
    fx_tensor_release(&out);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(outputs_may_be_given_and_strided)
{
    fx_context *context = fx_context_new();
    fx_module *module = doubled(context, &(fx_type){FX_F32, 1, {3}});
    float data[] = {3, 2, 1}, memory[6] = {9, 9, 9, 9, 9, 9}, expected[] = {2, 9, 4, 9, 6, 9};
    fx_tensor in = {data + 2, FX_F32, 1, {3}, {-1}}, out = {memory, FX_F32, 1, {3}, {2}};
    CHECK_OK(context, fx_graph_propagate(fx_module_graph(module)));
    CHECK_OK(context, fx_interpret(module, &in, 1, &out, 1));
    ck_assert_mem_eq(memory, expected, sizeof expected);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(bad_inputs_are_named)
{
    fx_context *context = fx_context_new();
    fx_module *module = doubled(context, &(fx_type){FX_F32, 1, {3}});
    float data[4] = {0};
    fx_tensor in = vector(data, 4), out = {0}, ints = in, square = {data, FX_F32, 2, {2, 2}, {2, 1}}, right = vector(data, 3);
    fx_tensor outs[2] = {{0}};
    ck_assert_int_eq(fx_interpret(module, &in, 1, &out, 1), FX_E_SHAPE);
    CHECK_DIAG(context, "input x, dim 0: 4; expected 3");
    ints.dtype = FX_I32;
    ck_assert_int_eq(fx_interpret(module, &ints, 1, &out, 1), FX_E_TYPE);
    CHECK_DIAG(context, "input x: dtype i32; expected f32");
    ck_assert_int_eq(fx_interpret(module, &square, 1, &out, 1), FX_E_SHAPE);
    CHECK_DIAG(context, "input x: 2 dims; expected 1");
    ck_assert_int_eq(fx_interpret(module, &in, 0, &out, 1), FX_E_ARG);
    CHECK_DIAG(context, "0 inputs given; the graph has 1");
    ck_assert_int_eq(fx_interpret(module, &right, 1, outs, 2), FX_E_ARG);
    CHECK_DIAG(context, "2 outputs given; the graph has 1");
    ck_assert_ptr_null(out.data);
    ck_assert_ptr_null(outs[0].data);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(symbols_are_read_from_the_inputs)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "m");
    fx_graph *graph = fx_module_graph(module);
    fx_dim s0 = fx_graph_symbol(graph, "s0", 1, 3, 2, 1);
    fx_attr args[] = {fx_node_attr(fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {s0}})),
                      fx_node_attr(fx_graph_placeholder(graph, "y", &(fx_type){FX_F32, 1, {s0}}))};
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.ops.aten.mul.Tensor", args, 2)));
    CHECK_OK(context, fx_graph_propagate(graph));
    float data[4] = {1, 2, 3, 4};
    for (int64_t n = 1; n <= 3; n++) {
        fx_tensor in[] = {vector(data, n), vector(data, n)}, out = {0};
        CHECK_OK(context, fx_interpret(module, in, 2, &out, 1));
        ck_assert(out.dim[0] == n && ((float *)out.data)[n - 1] == (float)(n * n));
        fx_tensor_release(&out);
    }
    fx_tensor uneven[] = {vector(data, 2), vector(data, 3)}, large[] = {vector(data, 4), vector(data, 4)}, out = {0};
    ck_assert_int_eq(fx_interpret(module, uneven, 2, &out, 1), FX_E_SHAPE);
    CHECK_DIAG(context, "input y, dim 0: 3, but s0 is 2");
    ck_assert_int_eq(fx_interpret(module, large, 2, &out, 1), FX_E_GUARD);
    CHECK_DIAG(context, "4 is outside s0 in [1, 3]");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(guards_are_checked)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "m");
    fx_graph *graph = fx_module_graph(module);
    fx_dim s0 = fx_graph_symbol(graph, "s0", 1, 9, 2, 1), s1 = fx_graph_symbol(graph, "s1", 1, 9, 2, 1);
    fx_attr args[] = {fx_node_attr(fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {s0}})),
                      fx_node_attr(fx_graph_placeholder(graph, "y", &(fx_type){FX_F32, 1, {s1}}))};
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.ops.aten.mul.Tensor", args, 2)));
    CHECK_OK(context, fx_graph_propagate(graph));
    float data[4] = {1, 2, 3, 4};
    fx_tensor in[] = {vector(data, 2), vector(data, 1)}, out = {0};
    ck_assert_int_eq(fx_interpret(module, in, 2, &out, 1), FX_E_GUARD);
    CHECK_DIAG(context, "operands of one shape");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(messages_say_where_a_node_was_traced)
{
    fx_context *context = fx_context_new();
    fx_module *module = doubled(context, NULL);
    fx_graph *graph = fx_module_graph(module);
    fx_node *sum = fx_node_next(fx_graph_first(graph));
    fx_attr bad[] = {fx_node_attr(fx_graph_first(graph)), fx_str(graph, "one")};
    CHECK_OK(context, fx_node_set_args(sum, fx_tuple(graph, bad, 2), fx_none()));
    float data[3] = {0};
    fx_tensor in = vector(data, 3), out = {0};
    ck_assert_int_eq(fx_interpret(module, &in, 1, &out, 1), FX_E_TYPE);
    CHECK_DIAG(context, "argument 'other' of add is str");
    CHECK_DIAG(context, "net.py:12");
    CHECK_DIAG(context, fx_node_name(sum));
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(unknown_operators_are_named)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "m");
    fx_graph *graph = fx_module_graph(module);
    fx_attr x = fx_node_attr(fx_graph_placeholder(graph, "x", NULL));
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.no_such_function", &x, 1)));
    float data[1] = {0};
    fx_tensor in = vector(data, 1), out = {0};
    ck_assert_int_eq(fx_interpret(module, &in, 1, &out, 1), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "torch.no_such_function");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* exp(x) with an error of one ulp in x has an error of about x ulp; a sum adds the errors of its terms. */
START_TEST(bounds_grow_along_the_graph)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "m");
    fx_graph *graph = fx_module_graph(module);
    fx_attr x = fx_node_attr(fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {2}}));
    fx_node *inner = fx_graph_call(graph, "torch.exp", &x, 1);
    fx_attr of_inner = fx_node_attr(inner);
    fx_node *outer = fx_graph_call(graph, "torch.exp", &of_inner, 1);
    fx_attr items[] = {of_inner, fx_node_attr(outer), x};
    fx_graph_output(graph, fx_tuple(graph, items, 3));
    float data[] = {1, 2};
    fx_tensor in = vector(data, 2), out[3] = {{0}}, bound[3];
    CHECK_OK(context, fx_interpret_bound(module, &in, 1, out, bound, 3));
    for (int64_t i = 0; i < 2; i++) {
        double ulp = 0x1p-23, y = exp(data[i]), z = exp(y), first = fx_tensor_get(&bound[0], i),
               second = fx_tensor_get(&bound[1], i);
        ck_assert_double_eq_tol(first, 4 * ulp * y, 0.01 * ulp * y);
        ck_assert_double_eq_tol(second, z * first + 4 * ulp * z, 0.01 * second);
        ck_assert_double_eq(fx_tensor_get(&bound[2], i), 0);
    }
    for (int i = 0; i < 3; i++) fx_tensor_release(&out[i]), fx_tensor_release(&bound[i]);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* Where an error of the input can move floor over a step, the bound is that step. */
START_TEST(bounds_see_steps)
{
    const int64_t dim = 2;
    double value[] = {2.0, 2.5}, error[] = {1e-6, 1e-6}, result[2], out[2] = {0};
    fx_tensor x = fx_tensor_view(value, FX_F64, 1, &dim), e = fx_tensor_view(error, FX_F64, 1, &dim);
    fx_tensor y = fx_tensor_view(result, FX_F64, 1, &dim), bound = fx_tensor_view(out, FX_F64, 1, &dim);
    fx_rt_arg arg = {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = &x}, arg_error = {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = &e};
    ck_assert_int_eq(fx__op(FX_OP_floor)->reference(&arg, &y), FX_OK);
    ck_assert_int_eq(fx__interp_bound(fx__op(FX_OP_floor), &arg, &arg_error, &y, 1, &bound), FX_OK);
    ck_assert_double_eq(out[0], 1);
    ck_assert_double_eq(out[1], 0);
}
END_TEST

START_TEST(one_node_runs_alone)
{
    fx_context *context = fx_context_new();
    fx_graph *graph = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {2}});
    fx_node *y = fx_graph_placeholder(graph, "y", &(fx_type){FX_F32, 1, {2}});
    fx_attr args[] = {fx_node_attr(y), fx_node_attr(x)};
    fx_node *node = fx_graph_call(graph, "torch.sub", args, 2);
    CHECK_OK(context, fx__op_infer(node));
    float left[] = {5, 7}, right[] = {1, 2};
    fx_tensor in[] = {vector(left, 2), vector(right, 2)}, out = {0};
    CHECK_OK(context, fx__interp_node(node, in, &out));
    ck_assert_float_eq(((float *)out.data)[0], 4);
    ck_assert_float_eq(((float *)out.data)[1], 5);
    fx_tensor_release(&out);
    fx_graph_free(graph);
    fx_context_free(context);
}
END_TEST

FX_TESTS("interpreter", raw_graphs_are_typed_as_they_run, methods_run, outputs_may_be_given_and_strided, bad_inputs_are_named,
         symbols_are_read_from_the_inputs, guards_are_checked, messages_say_where_a_node_was_traced, unknown_operators_are_named,
         bounds_grow_along_the_graph, bounds_see_steps, one_node_runs_alone)
