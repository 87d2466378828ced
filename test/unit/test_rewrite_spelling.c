/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that exporters spell out: which chains become one call, which only look alike, and that values stay the same. Chains
 * are written in the language of the rules: an expression over x and parameters. */
#include "harness.h"
#include "fxjit/compile.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>
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

static void fill(fx_tensor *tensor, double lo, double hi)
{
    uint64_t state = 7;
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) fx_tensor_set(tensor, i, fx_test_uniform(&state, lo, hi));
}

static void release_tensor(void *user, void *data)
{
    (void)user;
    free(data);
}

/* A graph of x : f32[3, 8] and parameters w, b : f32[8], v : f32[3, 1]. */
static fx_module *read_module(const char *body)
{
    fx_graph *graph;
    char text[2000];
    snprintf(text, sizeof text,
             "module \"m\"\nparameter \"w\" : f32[8]\nparameter \"b\" : f32[8]\nparameter \"v\" : f32[3, 1]\ngraph {\n"
             "%%x = placeholder \"x\" : f32[3, 8]\n%%w = get_attr \"w\"\n%%b = get_attr \"b\"\n%%v = get_attr \"v\"\n%s}\n",
             body);
    CHECK_OK(context, fx_graph_parse(context, "case", text, strlen(text), &graph));
    fx_module *module = fx__module_ensure(graph);
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_module_tensor_entry *entry = &module->tensors[i];
        ck_assert_int_eq(fx_tensor_alloc(entry->tensor.dtype, entry->tensor.rank, entry->tensor.dim, &entry->tensor), FX_OK);
        entry->release = release_tensor;
        fill(&entry->tensor, 0.5, 1.5);
    }
    return module;
}

static fx_tensor run_module(fx_module *module)
{
    fx_tensor x, y = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (const int64_t[]){3, 8}, &x), FX_OK);
    fill(&x, -5, 5);
    CHECK_OK(context, fx_interpret(module, &x, 1, &y, 1));
    fx_tensor_release(&x);
    return y;
}

/* Calls of the operator after the graph passes; the values must not change. */
static int calls_after(const char *body, const char *op)
{
    fx_module *module = read_module(body);
    fx_tensor before = run_module(module);
    CHECK_OK(context, fx__pipeline_graph(module->graph, NULL));
    fx_tensor after = run_module(module);
    for (int64_t i = 0; i < fx_tensor_elems(&before); i++) {
        double a = fx_tensor_get(&before, i), b = fx_tensor_get(&after, i);
        ck_assert_msg(fabs(a - b) <= 2e-6 * fmax(1, fabs(a)), "%s: element %d: %.9g, %.9g", body, (int)i, a, b);
    }
    fx_tensor_release(&before);
    fx_tensor_release(&after);
    int n = 0;
    FX_EACH_NODE(node, module->graph) n += node->op && strcmp(node->op->name, op) == 0;
    fx_module_free(module);
    return n;
}

#define CALL(name, target, args) "%" name " = call_function \"torch.ops.aten." target "\"(" args ")\n"
#define OUT(name) "%output = output(%" name ")\n"
#define BECOMES(op, body) ck_assert_msg(calls_after(body, op) == 1, "not recognised: %s", body)
#define STAYS(op, body) ck_assert_msg(calls_after(body, op) == 0, "wrongly recognised: %s", body)

START_TEST(products_with_a_sigmoid)
{
    setup();
    BECOMES("silu", CALL("s", "sigmoid.default", "%x") CALL("y", "mul.Tensor", "%x, %s") OUT("y"));
    BECOMES("silu", CALL("s", "sigmoid.default", "%x") CALL("y", "mul.Tensor", "%s, %x") OUT("y"));
    BECOMES("hardswish", CALL("s", "hardsigmoid.default", "%x") CALL("y", "mul.Tensor", "%x, %s") OUT("y"));
    BECOMES("mish", CALL("p", "softplus.default", "%x") CALL("t", "tanh.default", "%p") CALL("y", "mul.Tensor", "%t, %x") OUT("y"));
    STAYS("silu", CALL("s", "sigmoid.default", "%x") CALL("y", "mul.Tensor", "%w, %s") OUT("y"));
    STAYS("silu", CALL("s", "sigmoid.default", "%x") CALL("y", "mul.Tensor", "%x, %s") CALL("z", "add.Tensor", "%y, %s") OUT("z"));
    STAYS("silu", CALL("s", "sigmoid.default", "%v") CALL("y", "mul.Tensor", "%v, %s") CALL("z", "div.Tensor", "%x, %s") OUT("z"));
    STAYS("mish",
          CALL("p", "softplus.default", "%x, 2") CALL("t", "tanh.default", "%p") CALL("y", "mul.Tensor", "%t, %x") OUT("y"));
    teardown();
}
END_TEST

#define SHIFTED(offset) CALL("a", "add.Tensor", "%x, " offset)
START_TEST(clamped_lines)
{
    setup();
    BECOMES("hardsigmoid", SHIFTED("3") CALL("c", "clamp.default", "%a, 0, 6") CALL("y", "div.Tensor", "%c, 6") OUT("y"));
    BECOMES("hardsigmoid", SHIFTED("3.0") CALL("c", "relu6.default", "%a") CALL("y", "div.Tensor", "%c, 6.0") OUT("y"));
    BECOMES("hardswish", SHIFTED("3.0") CALL("c", "relu6.default", "%a") CALL("m", "mul.Tensor", "%x, %c")
                             CALL("y", "div.Tensor", "%m, 6.0") OUT("y"));
    BECOMES("hardswish", SHIFTED("3.0") CALL("c", "hardtanh.default", "%a, 0, 6") CALL("m", "div.Tensor", "%c, 6.0")
                             CALL("y", "mul.Tensor", "%m, %x") OUT("y"));
    STAYS("hardsigmoid", SHIFTED("2") CALL("c", "clamp.default", "%a, 0, 6") CALL("y", "div.Tensor", "%c, 6") OUT("y"));
    STAYS("hardsigmoid", SHIFTED("3, alpha=2") CALL("c", "clamp.default", "%a, 0, 6") CALL("y", "div.Tensor", "%c, 6") OUT("y"));
    STAYS("hardsigmoid", SHIFTED("3") CALL("c", "clamp.default", "%a, 0, 5") CALL("y", "div.Tensor", "%c, 6") OUT("y"));
    STAYS("hardsigmoid", SHIFTED("3") CALL("c", "clamp.default", "%a, 0, 6") CALL("y", "div.Tensor", "%c, 6.1") OUT("y"));
    STAYS("hardsigmoid",
          SHIFTED("3") CALL("c", "clamp.default", "%a, 0, 6") CALL("y", "div.Tensor", "%c, 6, rounding_mode=\"floor\"") OUT("y"));
    teardown();
}
END_TEST

#define ERF(scaled) CALL("e", "erf.default", scaled) CALL("o", "add.Tensor", "%e, 1.0")
START_TEST(gelu_by_erf)
{
    setup();
    BECOMES("gelu", CALL("d", "div.Tensor", "%x, 1.4142135381698608") ERF("%d") CALL("m", "mul.Tensor", "%x, %o")
                        CALL("y", "mul.Tensor", "%m, 0.5") OUT("y"));
    BECOMES("gelu", CALL("d", "mul.Tensor", "%x, 0.7071067811865476") ERF("%d") CALL("m", "mul.Tensor", "0.5, %x")
                        CALL("y", "mul.Tensor", "%o, %m") OUT("y"));
    BECOMES("gelu", CALL("d", "div.Tensor", "%x, 1.4142135381698608") ERF("%d") CALL("m", "mul.Tensor", "%o, 0.5")
                        CALL("y", "mul.Tensor", "%m, %x") OUT("y"));
    STAYS("gelu", CALL("d", "div.Tensor", "%x, 1.4142") ERF("%d") CALL("m", "mul.Tensor", "%x, %o")
                      CALL("y", "mul.Tensor", "%m, 0.5") OUT("y"));
    STAYS("gelu", CALL("d", "div.Tensor", "%x, 1.4142135381698608") ERF("%d") CALL("m", "mul.Tensor", "%w, %o")
                      CALL("y", "mul.Tensor", "%m, 0.5") OUT("y"));
    STAYS("gelu", CALL("d", "div.Tensor", "%x, 1.4142135381698608") CALL("e", "erf.default", "%d") CALL(
                      "o", "add.Tensor", "%e, 2.0") CALL("m", "mul.Tensor", "%x, %o") CALL("y", "mul.Tensor", "%m, 0.5") OUT("y"));
    teardown();
}
END_TEST

#define TANH(inside)                                                                                                               \
    CALL("i", "mul.Tensor", inside ", 0.7978845834732056")                                                                         \
    CALL("t", "tanh.default", "%i") CALL("o", "add.Tensor", "%t, 1.0") CALL("h", "mul.Tensor", "%x, 0.5")                          \
        CALL("y", "mul.Tensor", "%h, %o") OUT("y")
START_TEST(gelu_by_tanh)
{
    setup();
    BECOMES("gelu", CALL("p", "pow.Tensor_Scalar", "%x, 3.0") CALL("c", "mul.Tensor", "0.044715, %p")
                        CALL("s", "add.Tensor", "%x, %c") TANH("%s"));
    BECOMES("gelu", CALL("c", "mul.Tensor", "%x, 0.044714998453855515") CALL("p", "mul.Tensor", "%c, %x")
                        CALL("q", "mul.Tensor", "%p, %x") CALL("s", "add.Tensor", "%q, %x") TANH("%s"));
    STAYS("gelu", CALL("p", "pow.Tensor_Scalar", "%x, 2.0") CALL("c", "mul.Tensor", "0.044715, %p")
                      CALL("s", "add.Tensor", "%x, %c") TANH("%s"));
    STAYS("gelu", CALL("p", "pow.Tensor_Scalar", "%x, 3.0") CALL("c", "mul.Tensor", "0.0447, %p") CALL("s", "add.Tensor", "%x, %c")
                      TANH("%s"));
    STAYS("gelu", CALL("p", "pow.Tensor_Scalar", "%x, 3.0") CALL("c", "mul.Tensor", "0.044715, %p")
                      CALL("s", "add.Tensor", "%x, %c, alpha=2") TANH("%s"));
    teardown();
}
END_TEST

#define CENTRED(dims) CALL("m", "mean.dim", "%x, " dims ", True") CALL("c", "sub.Tensor", "%x, %m")
#define VARIANCE(square, dims) square CALL("u", "mean.dim", "%q, " dims ", True") CALL("e", "add.Tensor", "%u, 1e-05")
#define POWER(n) CALL("q", "pow.Tensor_Scalar", "%c, " n)
#define DIVIDED CALL("r", "sqrt.default", "%e") CALL("n", "div.Tensor", "%c, %r")
START_TEST(layer_norm_by_means)
{
    setup();
    const char *affine = CENTRED("[-1]") VARIANCE(POWER("2.0"), "[-1]") DIVIDED CALL("s", "mul.Tensor", "%n, %w")
        CALL("y", "add.Tensor", "%s, %b") OUT("y");
    BECOMES("layer_norm", affine);
    ck_assert_int_eq(calls_after(affine, "mul") + calls_after(affine, "add"), 0);
    BECOMES("layer_norm", CENTRED("[1]") VARIANCE(CALL("q", "mul.Tensor", "%c, %c"), "[-1]") CALL("r", "rsqrt.default", "%e")
                              CALL("y", "mul.Tensor", "%r, %c") OUT("y"));
    BECOMES("layer_norm", CENTRED("[0, 1]") VARIANCE(CALL("q", "square.default", "%c"), "[1, 0]") DIVIDED OUT("n"));
    STAYS("layer_norm", CENTRED("[0]") VARIANCE(POWER("2.0"), "[0]") DIVIDED OUT("n"));
    STAYS("layer_norm", CENTRED("[1]") VARIANCE(POWER("2.0"), "[0]") DIVIDED OUT("n"));
    STAYS("layer_norm", CENTRED("[1]") VARIANCE(POWER("4.0"), "[1]") DIVIDED OUT("n"));
    STAYS("layer_norm", CENTRED("[1]") CALL("q", "pow.Tensor_Scalar", "%c, 2.0") CALL("u", "mean.dim", "%q, [1], True")
                            CALL("e", "add.Tensor", "%u, %v") DIVIDED OUT("n"));
    teardown();
}
END_TEST

/* A factor per row is no weight, and a product that others read stays. */
START_TEST(parameters_of_layer_norm_fit)
{
    setup();
    const char *rows = CENTRED("[-1]") VARIANCE(POWER("2.0"), "[-1]") DIVIDED CALL("y", "mul.Tensor", "%n, %v") OUT("y");
    BECOMES("layer_norm", rows);
    ck_assert_int_eq(calls_after(rows, "mul"), 1);
    const char *read_twice = CENTRED("[-1]") VARIANCE(POWER("2.0"), "[-1]") DIVIDED CALL("s", "mul.Tensor", "%n, %w")
        CALL("y", "add.Tensor", "%s, %n") OUT("y");
    BECOMES("layer_norm", read_twice);
    ck_assert_int_eq(calls_after(read_twice, "mul"), 1);
    teardown();
}
END_TEST

FX_TESTS("rewrite_spelling", products_with_a_sigmoid, clamped_lines, gelu_by_erf, gelu_by_tanh, layer_norm_by_means,
         parameters_of_layer_norm_fit)
