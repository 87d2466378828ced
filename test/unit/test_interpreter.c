/* SPDX-License-Identifier: Apache-2.0 */
/* fx_interpreter and fx_transform: overrides by opcode and node, given values, lifetimes, submodules, the texts of errors, and
 * agreement with fx_interpret on random graphs. */
#include "harness.h"
#include "random_graph.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

static fx_context *context;
static fx_graph *graph;
static fx_interpreter *interpreter;

static void setup(const char *body)
{
    char text[2000];
    context = fx_context_new();
    snprintf(text, sizeof text, "graph {\n%s\n}\n", body);
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    interpreter = fx_interpreter_new(graph);
}

static void teardown(void)
{
    fx_interpreter_free(interpreter);
    fx_graph_free(graph);
    fx_context_free(context);
}

#define PX "%x = placeholder \"x\"\n"
#define PY "%y = placeholder \"y\"\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(value) "%output = output(" value ")\n"

static float x_data[3] = {-1, 2, 3}, y_data[3] = {10, 20, 30};

static fx_tensor vector(float *data)
{
    return fx_tensor_view(data, FX_F32, 1, (int64_t[]){3});
}

/* One output of three floats. */
static void check_run(const fx_tensor *inputs, int32_t n, float a, float b, float c)
{
    fx_tensor y = {0};
    CHECK_OK(context, fx_interpreter_run(interpreter, inputs, n, &y, 1));
    const float *data = y.data;
    ck_assert_msg(data[0] == a && data[1] == b && data[2] == c, "%g %g %g", (double)data[0], (double)data[1], (double)data[2]);
    fx_tensor_release(&y);
}

static void check_fails(const fx_tensor *inputs, int32_t n, int32_t n_outputs, fx_status status, const char *text)
{
    fx_tensor out[3] = {{0}};
    fx_context_clear(context);
    ck_assert_int_eq(fx_interpreter_run(interpreter, inputs, n, out, n_outputs), status);
    CHECK_DIAG(context, text);
    for (int i = 0; i < 3; i++) ck_assert_ptr_null(out[i].data);
}

START_TEST(runs_untyped_graphs_of_any_spelling)
{
    setup(PX PY "%a = call_method \"relu\"(%x)\n" CALL("b", "operator.add", "%a, %y") CALL("c", "torch.mul", "%b, 2") OUT("%c"));
    fx_tensor inputs[] = {vector(x_data), vector(y_data)};
    check_run(inputs, 2, 20, 44, 66);
    check_run(inputs, 2, 20, 44, 66);                               /* again, with nothing left from the first time */
    ck_assert_ptr_null(fx_node_type(fx_graph_find(graph, "a"), 0)); /* the graph is as it was */
    teardown();
}
END_TEST

static fx_status count_nodes(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    ++*(int *)user;
    return fx_interpreter_dispatch(it, node, results);
}

/* Negation in the place of whatever the function is. */
static fx_status negate(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)user;
    const fx_tensor *x = fx_interpreter_value(it, fx_node_input(node, 0), 0);
    FX_TRY(fx_tensor_alloc(x->dtype, x->rank, x->dim, &results->tensor[0]));
    for (int64_t i = 0; i < fx_tensor_elems(x); i++) fx_tensor_set(&results->tensor[0], i, -fx_tensor_get(x, i));
    results->n = 1;
    return FX_OK;
}

START_TEST(every_step_may_be_replaced)
{
    setup(PX CALL("a", "my.unknown", "%x") "%b = call_method \"relu\"(%a)\n" CALL("c", "torch.abs", "%b") OUT("%c"));
    fx_tensor x = vector(x_data);
    int count = 0;
    CHECK_OK(context, fx_interpreter_override(interpreter, fx_graph_find(graph, "a"), negate, NULL));
    check_run(&x, 1, 1, 0, 0);
    fx_interp_hooks hooks = {.node = count_nodes, .user = &count};
    fx_interpreter_set_hooks(interpreter, &hooks);
    check_run(&x, 1, 1, 0, 0);
    ck_assert_int_eq(count, 5);
    /* by opcode: the two functions; the node's own comes first and can be taken back */
    fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.opcode = {[FX_CALL_FUNCTION] = negate}});
    check_run(&x, 1, -1, 0, 0);
    CHECK_OK(context, fx_interpreter_override(interpreter, fx_graph_find(graph, "a"), NULL, NULL));
    check_run(&x, 1, -1, 0, 0);
    fx_interpreter_set_hooks(interpreter, NULL);
    check_fails(&x, 1, 1, FX_E_UNSUPPORTED, "no operator of the table, and no override");
    teardown();
}
END_TEST

static fx_status swap_input(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)it, (void)node;
    results->tensor[results->n++] = *(fx_tensor *)user;
    results->borrowed = true;
    return FX_OK;
}

static fx_status replace_output(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    return swap_input(user, it, node, results);
}

static fx_status return_input(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)user;
    results->tensor[results->n++] = *fx_interpreter_value(it, fx_node_input(node, 0), 0);
    results->borrowed = true;
    return FX_OK;
}

START_TEST(inputs_and_outputs_are_steps_too)
{
    setup(PX CALL("a", "torch.neg", "%x") OUT("%a"));
    fx_tensor x = vector(x_data), y = vector(y_data);
    fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.opcode = {[FX_PLACEHOLDER] = swap_input}, .user = &y});
    check_run(&x, 1, -10, -20, -30);
    fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.opcode = {[FX_OUTPUT] = replace_output}, .user = &y});
    check_run(&x, 1, 10, 20, 30);
    teardown();
}
END_TEST

START_TEST(given_values_are_not_computed)
{
    setup(PX PY CALL("a", "my.unknown", "%x") CALL("b", "torch.add", "%a, %y") OUT("%b"));
    fx_tensor x = vector(x_data), y = vector(y_data);
    CHECK_OK(context, fx_interpreter_give(interpreter, fx_graph_find(graph, "a"), &x, 1));
    fx_tensor both[] = {x, y};
    check_run(both, 2, 9, 22, 33);
    /* y as well: nothing but the addition is left, and no input is needed */
    CHECK_OK(context, fx_interpreter_give(interpreter, fx_graph_find(graph, "y"), &x, 1));
    check_run(NULL, 0, -2, 4, 6);
    check_run(&x, 1, -2, 4, 6); /* for x, which nobody reads */
    fx_interpreter_forget(interpreter);
    check_fails(both, 2, 1, FX_E_UNSUPPORTED, "node a");
    teardown();
}
END_TEST

START_TEST(values_are_kept_on_demand)
{
    setup(PX CALL("a", "torch.neg", "%x") CALL("b", "torch.abs", "%a") OUT("%b"));
    fx_tensor x = vector(x_data);
    fx_node *a = fx_graph_find(graph, "a");
    check_run(&x, 1, 1, 2, 3);
    ck_assert_ptr_null(fx_interpreter_value(interpreter, a, 0));
    fx_interpreter_keep(interpreter, true);
    check_run(&x, 1, 1, 2, 3);
    ck_assert_double_eq(fx_tensor_get(fx_interpreter_value(interpreter, a, 0), 1), -2);
    ck_assert_ptr_null(fx_interpreter_value(interpreter, a, 1));
    ck_assert_ptr_eq(fx_interpreter_graph(interpreter), graph);
    teardown();
}
END_TEST

static fx_status is_freed(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)user;
    ck_assert_ptr_null(fx_interpreter_value(it, fx_graph_find(graph, "a"), 0));
    ck_assert_ptr_nonnull(fx_interpreter_value(it, fx_graph_find(graph, "b"), 0));
    return fx_interpreter_compute(it, node, results);
}

START_TEST(values_go_after_their_last_use)
{
    setup(PX CALL("a", "torch.neg", "%x") CALL("b", "torch.abs", "%a") CALL("c", "torch.neg", "%b") OUT("%c"));
    fx_tensor x = vector(x_data);
    CHECK_OK(context, fx_interpreter_override(interpreter, fx_graph_find(graph, "c"), is_freed, NULL));
    check_run(&x, 1, -1, -2, -3);
    teardown();
}
END_TEST

START_TEST(several_results_and_defaults)
{
    setup(PX "%n = placeholder \"n\"(None)\n" CALL("s", "torch.split", "%x, 2") CALL("a", "operator.getitem", "%s, 0")
              CALL("b", "operator.getitem", "%s, -1") OUT("(%b, [%a])"));
    fx_tensor x = vector(x_data), out[2] = {{0}};
    CHECK_OK(context, fx_interpreter_run(interpreter, &x, 1, out, 2));
    ck_assert_int_eq(out[0].dim[0], 1);
    ck_assert_int_eq(out[1].dim[0], 2);
    ck_assert_double_eq(fx_tensor_get(&out[0], 0), 3);
    fx_tensor_release(&out[0]);
    fx_tensor_release(&out[1]);
    teardown();
}
END_TEST

static fx_module *module_of(const char *name, const char *target)
{
    fx_module *module = fx_module_new(context, name);
    fx_graph *inner = fx_module_graph(module);
    fx_node *a = fx_graph_placeholder(inner, "a", NULL), *b = fx_graph_placeholder(inner, "b", NULL);
    fx_node *sum = fx_graph_call(inner, target, (fx_attr[]){fx_node_attr(a), fx_node_attr(b)}, 2);
    fx_node *neg = fx_graph_call(inner, "torch.neg", (fx_attr[]){fx_node_attr(sum)}, 1);
    fx_graph_output(inner, fx_tuple(inner, (fx_attr[]){fx_node_attr(sum), fx_node_attr(neg)}, 2));
    return module;
}

START_TEST(submodules_are_run)
{
    setup(PX OUT("%x"));
    fx_module *root = fx_module_new(context, "root");
    fx_graph *outer = fx_module_graph(root);
    CHECK_OK(context, fx_module_add_submodule(root, "inner", module_of("inner", "torch.sub")));
    fx_node *p = fx_graph_placeholder(outer, "p", NULL), *q = fx_graph_placeholder(outer, "q", NULL);
    fx_attr kwargs = fx_dict(outer, (const char *const[]){"b"}, (fx_attr[]){fx_node_attr(q)}, 1);
    fx_node *call = fx_graph_call_module(outer, "inner", fx_tuple(outer, (fx_attr[]){fx_node_attr(p)}, 1), kwargs);
    fx_node *item = fx_graph_call(outer, "operator.getitem", (fx_attr[]){fx_node_attr(call), fx_int(1)}, 2);
    fx_graph_output(outer, fx_node_attr(item));
    fx_interpreter_free(interpreter);
    interpreter = fx_interpreter_new(outer);
    fx_tensor inputs[] = {vector(x_data), vector(y_data)};
    check_run(inputs, 2, 11, 18, 27);
    CHECK_OK(context, fx_node_set_args(call, fx_tuple(outer, (fx_attr[]){fx_node_attr(p)}, 1), fx_none()));
    check_fails(inputs, 2, 1, FX_E_ARG, "expected a value for input b");
    fx_interpreter_free(interpreter);
    fx_module_free(root);
    interpreter = NULL;
    teardown();
}
END_TEST

START_TEST(bodies_are_run)
{
    setup(PX PY CALL("f", "my.wrapped", "%y, 3, %x") OUT("%f"));
    fx_graph *body = fx_graph_new(context);
    fx_node *a = fx_graph_placeholder(body, "a", NULL), *b = fx_graph_placeholder(body, "b", NULL);
    fx_graph_output(body, fx_node_attr(fx_graph_call(body, "torch.sub", (fx_attr[]){fx_node_attr(a), fx_node_attr(b)}, 2)));
    CHECK_OK(context, fx_node_set_body(fx_graph_find(graph, "f"), body));
    fx_tensor inputs[] = {vector(x_data), vector(y_data)};
    check_run(inputs, 2, 11, 18, 27);
    teardown();
}
END_TEST

START_TEST(failures_are_named)
{
    setup(PX PY CALL("a", "torch.add", "%x, %y") "%w = get_attr \"weight\"\n" CALL("b", "torch.mul", "%a, %w") OUT("%b"));
    fx_tensor inputs[] = {vector(x_data), fx_tensor_view(y_data, FX_F32, 1, (int64_t[]){2}), vector(x_data)};
    fx_node_set_loc(fx_graph_find(graph, "a"), (fx_loc){"model.py", 12, "forward"});
    check_fails(inputs, 2, 1, FX_E_SHAPE, "model.py:12");
    CHECK_DIAG(context, "while executing %a : [num_users=1] = call_function[target=torch.add](args = (%x, %y), kwargs = {})");
    check_fails(inputs, 1, 1, FX_E_ARG, "expected a value for input y, but only 1 inputs were given");
    check_fails(inputs, 3, 1, FX_E_ARG, "3 inputs given; the graph takes 2");
    inputs[1] = vector(y_data);
    check_fails(inputs, 2, 1, FX_E_NOT_FOUND, "there is no tensor weight");
    CHECK_OK(context, fx_interpreter_give(interpreter, fx_graph_find(graph, "w"), inputs, 1));
    check_fails(inputs, 2, 2, FX_E_ARG, "2 outputs given; the graph has 1");
    fx_tensor small = fx_tensor_view(y_data, FX_F32, 1, (int64_t[]){2});
    ck_assert_int_eq(fx_interpreter_run(interpreter, inputs, 2, &small, 1), FX_E_SHAPE);
    CHECK_DIAG(context, "output 0: the memory given has another type or shape");
    ck_assert_int_eq(fx_interpreter_give(interpreter, fx_graph_find(graph, "w"), inputs, 0), FX_E_ARG);
    CHECK_DIAG(context, "0 tensors are no value");
    fx_graph *other = fx_graph_new(context);
    fx_node *foreign = fx_graph_placeholder(other, "foreign", NULL);
    ck_assert_int_eq(fx_interpreter_give(interpreter, foreign, inputs, 1), FX_E_GRAPH);
    ck_assert_int_eq(fx_interpreter_override(interpreter, foreign, negate, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "node foreign is not in the interpreter's graph");
    fx_results results = {.n = 0};
    ck_assert_int_eq(fx_interpreter_compute(interpreter, fx_graph_find(graph, "a"), &results), FX_E_ARG);
    CHECK_DIAG(context, "the interpreter is not running");
    fx_graph_free(other);
    teardown();
}
END_TEST

static fx_status give_nothing(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)it, (void)node;
    results->n = *(int32_t *)user;
    return FX_OK;
}

START_TEST(values_that_are_missing)
{
    int32_t n = 0;
    setup(PX CALL("a", "my.f", "%x") CALL("b", "torch.abs", "%a") OUT("%b"));
    fx_tensor x = vector(x_data);
    CHECK_OK(context, fx_interpreter_override(interpreter, fx_graph_find(graph, "a"), give_nothing, &n));
    check_fails(&x, 1, 1, FX_E_ARG, "its input a has no value");
    n = 17;
    check_fails(&x, 1, 1, FX_E_ARG, "an impossible number of results");
    teardown();
}
END_TEST

START_TEST(shared_writes_are_seen)
{
    static const struct {
        const char *body;
        float y[3], x[3];
    } cases[] = {
        {PX CALL("a", "torch.neg", "%x") "%b = call_method \"add_\"(%a, 1)\n" CALL("c", "torch.add", "%a, %b") OUT("%c"),
         {4, -2, -4},
         {-1, 2, 3}},
        {PX CALL("a", "torch.neg", "%x") CALL("v", "torch.reshape", "%a, [3]")
             CALL("b", "torch.nn.functional.relu", "%v, inplace=True") CALL("c", "torch.sub", "%a, %x") OUT("%c"),
         {2, -2, -3},
         {-1, 2, 3}},                                                                                   /* through a view */
        {PX CALL("b", "torch.nn.functional.relu", "%x, inplace=True") OUT("%b"), {0, 2, 3}, {0, 2, 3}}, /* the caller's tensor */
        {PX CALL("a", "torch.neg", "%x") "%b = call_method \"add_\"(%a, 1, alpha=2)\n" OUT("%b"), {3, 0, -1}, {-1, 2, 3}},
        {PX "%z = call_method \"zero_\"(%x)\n" CALL("c", "torch.add", "%x, 5") OUT("%c"), {5, 5, 5}, {0, 0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float data[3] = {-1, 2, 3};
        fx_tensor x = vector(data);
        setup(cases[i].body);
        check_run(&x, 1, cases[i].y[0], cases[i].y[1], cases[i].y[2]);
        for (int e = 0; e < 3; e++) ck_assert_float_eq(data[e], cases[i].x[e]);
        teardown();
    }
}
END_TEST

static fx_node *method(fx_graph *in, const char *name, fx_attr self, fx_attr other)
{
    return fx_graph_call_method(in, name, fx_tuple(in, (fx_attr[]){self, other}, 2), fx_none());
}

/* The submodule changes its argument, a view of the caller's input, and its own buffer; it returns a view once more. */
static fx_module *changing_module(void)
{
    static const float ones[3] = {1, 1, 1};
    fx_module *module = fx_module_new(context, "inner");
    fx_graph *inner = fx_module_graph(module);
    fx_tensor counts = vector((float *)(uintptr_t)ones);
    CHECK_OK(context, fx_module_add_tensor(module, "counts", &counts, true, NULL, NULL));
    fx_attr a = fx_node_attr(fx_graph_placeholder(inner, "a", NULL)), count = fx_node_attr(fx_graph_get_attr(inner, "counts"));
    fx_node *sum = method(inner, "add_", a, fx_int(10));
    method(inner, "add_", count, fx_node_attr(sum));
    fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, "torch.t", &a, 1)));
    return module;
}

static fx_status by_compute(void *user, fx_interpreter *it, fx_node *node, fx_results *results)
{
    (void)user;
    return fx_interpreter_compute(it, node, results);
}

static void check_changing(bool hooked)
{
    setup(PX OUT("%x"));
    fx_interpreter_free(interpreter);
    fx_module *root = fx_module_new(context, "root");
    fx_graph *outer = fx_module_graph(root);
    CHECK_OK(context, fx_module_add_submodule(root, "inner", changing_module()));
    fx_attr x = fx_node_attr(fx_graph_placeholder(outer, "x", NULL));
    fx_attr view =
        fx_node_attr(fx_graph_call(outer, "torch.ops.aten.slice.Tensor", (fx_attr[]){x, fx_int(0), fx_int(0), fx_int(3)}, 4));
    fx_node *call = fx_graph_call_module(outer, "inner", fx_tuple(outer, &view, 1), fx_none());
    method(outer, "mul_", fx_node_attr(call), fx_int(2));
    fx_graph_output(outer, fx_node_attr(call));
    interpreter = fx_interpreter_new(outer);
    if (hooked) fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.node = by_compute});
    float data[3] = {1, 2, 3};
    fx_tensor in = vector(data);
    check_run(&in, 1, 22, 24, 26);
    for (int i = 0; i < 3; i++) {
        ck_assert_float_eq(data[i], (float)(22 + 2 * i));
        ck_assert_double_eq(fx_tensor_get(fx_module_tensor(root, "inner.counts"), i), 12 + i);
    }
    fx_interpreter_free(interpreter);
    interpreter = NULL;
    fx_module_free(root);
    teardown();
}

START_TEST(submodules_change_what_they_are_given)
{
    check_changing(false);
    check_changing(true); /* and through functions that call the default */
}
END_TEST

START_TEST(a_function_may_return_its_input)
{
    setup(PX CALL("a", "torch.neg", "%x") CALL("b", "my.identity", "%a") CALL("c", "torch.abs", "%b") OUT("(%c, %b)"));
    fx_tensor x = vector(x_data), y[2] = {{0}};
    CHECK_OK(context, fx_interpreter_override(interpreter, fx_graph_find(graph, "b"), return_input, NULL));
    CHECK_OK(context, fx_interpreter_run(interpreter, &x, 1, y, 2));
    ck_assert(fx_tensor_get(&y[0], 1) == 2 && fx_tensor_get(&y[1], 1) == -2);
    for (int i = 0; i < 2; i++) fx_tensor_release(&y[i]);
    teardown();
}
END_TEST

/* ---- The same as fx_interpret ------------------------------------------------------------------------------------------------ */

static void check_bits(const fx_tensor *a, const fx_tensor *b)
{
    ck_assert_int_eq(a->dtype, b->dtype);
    ck_assert_int_eq(fx_tensor_bytes(a), fx_tensor_bytes(b));
    ck_assert_int_eq(memcmp(a->data, b->data, (size_t)fx_tensor_bytes(a)), 0);
}

static void check_random(uint64_t seed, bool transformed)
{
    context = fx_context_new();
    fx_module *module = fx_test_random_module(context, seed, &(fx_random_options){.min_nodes = 5, .max_nodes = 25}), *copy = NULL;
    fx_tensor inputs[8] = {{0}}, expected[8] = {{0}}, actual[8] = {{0}};
    int32_t n = fx_module_input_count(module), m = fx_module_output_count(module);
    fx_test_random_inputs(module, seed, false, inputs);
    CHECK_OK(context, fx_interpret(module, inputs, n, expected, m));
    if (transformed) CHECK_OK(context, fx_transform(module, NULL, &copy));
    if (transformed) CHECK_OK(context, fx_graph_lint(fx_module_graph(copy)));
    interpreter = fx_interpreter_new(fx_module_graph(transformed ? copy : module));
    CHECK_OK(context, fx_interpreter_run(interpreter, inputs, n, actual, m));
    for (int32_t i = 0; i < m; i++) check_bits(&expected[i], &actual[i]);
    for (int i = 0; i < 8; i++) {
        fx_tensor_release(&inputs[i]);
        fx_tensor_release(&expected[i]);
        fx_tensor_release(&actual[i]);
    }
    fx_interpreter_free(interpreter);
    fx_module_free(copy);
    fx_module_free(module);
    fx_context_free(context);
}

START_TEST(agrees_with_fx_interpret)
{
    for (uint64_t seed = 1; seed <= 40; seed++) check_random(seed, seed % 2);
}
END_TEST

START_TEST(symbols_are_read_from_inputs)
{
    setup(PX OUT("%x"));
    fx_scope *scope = fx_trace_begin(context, "net");
    fx_dim rows = fx_trace_symbol(scope, "rows", 1, 100, 8);
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {rows, 3}});
    fx_value y = fx_view(x, ((fx_int_list){(const fx_dim[]){rows, 3}, 2}));
    y = fx_expand(fx_sum(y, &(fx_sum_options){.dim = FX_LIST(1), .keepdim = true}), ((fx_int_list){(const fx_dim[]){rows, 4}, 2}));
    fx_module *module;
    CHECK_OK(context, fx_trace_finish(scope, &y, 1, &module));
    fx_interpreter *it = fx_interpreter_new(fx_module_graph(module));
    for (int64_t n = 1; n < 4; n++) {
        float data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
        fx_tensor in = fx_tensor_view(data, FX_F32, 2, (int64_t[]){n, 3}), out = {0};
        CHECK_OK(context, fx_interpreter_run(it, &in, 1, &out, 1));
        ck_assert_int_eq(out.dim[0], n);
        ck_assert_int_eq(out.dim[1], 4);
        ck_assert_double_eq(fx_tensor_get(&out, 4 * n - 1), (double)(9 * n - 3));
        fx_tensor_release(&out);
    }
    fx_tensor none = fx_tensor_view(x_data, FX_F32, 2, (int64_t[]){0, 3}), out = {0};
    ck_assert_int_eq(fx_interpreter_run(it, &none, 1, &out, 1), FX_E_GUARD);
    fx_interpreter_free(it);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Transformer ------------------------------------------------------------------------------------------------------------- */

static fx_attr sigmoid_to_neg(void *user, fx_transformer *transformer, const fx_transform_step *step)
{
    (void)user;
    fx_transform_step changed = *step;
    if (strcmp(step->target, "torch.sigmoid") == 0) changed.target = "torch.neg";
    return fx_transformer_emit(transformer, &changed);
}

static fx_module *read_module(void)
{
    return fx__module_ensure(graph);
}

/* torch.fx's own example (fx-ir.md 3.2, "transformer"). */
START_TEST(sigmoid_becomes_neg)
{
    setup(PX CALL("sigmoid", "torch.sigmoid", "%x") "%relu = call_method \"relu\"(%sigmoid)\n" OUT("%relu"));
    char *before = fx_graph_to_string(graph);
    fx_module *out;
    CHECK_OK(context, fx_transform(read_module(), &(fx_transform_hooks){.opcode = {[FX_CALL_FUNCTION] = sigmoid_to_neg}}, &out));
    char *text = fx_graph_to_string(fx_module_graph(out)), *after = fx_graph_to_string(graph);
    ck_assert_str_eq(text, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                           "    %neg : [num_users=1] = call_function[target=torch.neg](args = (%x,), kwargs = {})\n"
                           "    %relu : [num_users=1] = call_method[target=relu](args = (%neg,), kwargs = {})\n    return relu");
    ck_assert_str_eq(before, after);
    fx_text_free(before);
    fx_text_free(after);
    fx_text_free(text);
    fx_module_free(out);
    teardown();
}
END_TEST

/* A step may become several nodes, a tuple, a number, or none at all. */
static fx_attr expand(void *user, fx_transformer *transformer, const fx_transform_step *step)
{
    fx_graph *made = fx_transformer_graph(transformer);
    const fx_attr *args = step->args.u.items;
    (void)user;
    if (strcmp(step->target, "my.pair") == 0) return fx_tuple(made, (fx_attr[]){args[0], fx_int(3)}, 2);
    if (strcmp(step->target, "operator.getitem") == 0 && args[0].kind == FX_ATTR_TUPLE) return args[0].u.items[args[1].u.i];
    if (strcmp(step->target, "my.identity") == 0) return args[0];
    if (strcmp(step->target, "my.two") == 0) return fx_node_attr(fx_graph_call(made, "torch.exp", args, step->args.n));
    return fx_transformer_emit(transformer, step);
}

START_TEST(steps_become_any_value)
{
    setup(PX CALL("p", "my.pair", "%x") CALL("a", "operator.getitem", "%p, 0") CALL("b", "operator.getitem", "%p, 1")
              CALL("i", "my.identity", "%a") CALL("t", "my.two", "%i") CALL("s", "torch.add", "%t, %b") OUT("%s"));
    fx_module *out;
    CHECK_OK(context, fx_transform(read_module(), &(fx_transform_hooks){.opcode = {[FX_CALL_FUNCTION] = expand}}, &out));
    char *text = fx_graph_to_string(fx_module_graph(out));
    ck_assert_str_eq(text, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
                           "    %exp : [num_users=1] = call_function[target=torch.exp](args = (%x,), kwargs = {})\n"
                           "    %s : [num_users=1] = call_function[target=torch.add](args = (%exp, 3), kwargs = {})\n    return s");
    fx_text_free(text);
    fx_module_free(out);
    teardown();
}
END_TEST

static fx_attr fail_step(void *user, fx_transformer *transformer, const fx_transform_step *step)
{
    (void)user, (void)step;
    fx_graph_call(fx_transformer_graph(transformer), "", NULL, 0);
    return fx_none();
}

START_TEST(failing_steps_end_the_transformation)
{
    setup(PX CALL("a", "torch.neg", "%x") OUT("%a"));
    fx_module *out = (fx_module *)&out;
    ck_assert_int_eq(fx_transform(read_module(), &(fx_transform_hooks){.opcode = {[FX_CALL_FUNCTION] = fail_step}}, &out),
                     FX_E_ARG);
    CHECK_DIAG(context, "while transforming a");
    ck_assert_ptr_null(out);
    teardown();
}
END_TEST

FX_TESTS("interpreter", runs_untyped_graphs_of_any_spelling, every_step_may_be_replaced, inputs_and_outputs_are_steps_too,
         given_values_are_not_computed, values_are_kept_on_demand, values_go_after_their_last_use, several_results_and_defaults,
         submodules_are_run, bodies_are_run, failures_are_named, values_that_are_missing, shared_writes_are_seen,
         submodules_change_what_they_are_given, a_function_may_return_its_input, agrees_with_fx_interpret,
         symbols_are_read_from_inputs, sigmoid_becomes_neg, steps_become_any_value, failing_steps_end_the_transformation)
