/* SPDX-License-Identifier: Apache-2.0 */
/* Graph passes: what each makes of small graphs (the core text), that the values stay the same (interpreter before and after), that
 * a second run changes nothing, and that all problems are reported at once. */
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

static void release_tensor(void *user, void *data)
{
    (void)user;
    free(data);
}

static void fill(fx_tensor *tensor, uint64_t *state)
{
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) fx_tensor_set(tensor, i, fx_test_uniform(state, 0.5, 1.5));
}

/* Reads a graph and gives its parameters values. */
static fx_module *read_module(const char *text)
{
    fx_graph *graph;
    uint64_t state = 7;
    CHECK_OK(context, fx_graph_parse(context, "case", text, strlen(text), &graph));
    fx_module *module = fx__module_ensure(graph);
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_module_tensor_entry *entry = &module->tensors[i];
        ck_assert_int_eq(fx_tensor_alloc(entry->tensor.dtype, entry->tensor.rank, entry->tensor.dim, &entry->tensor), FX_OK);
        entry->release = release_tensor;
        fill(&entry->tensor, &state);
    }
    return module;
}

static fx_tensor run_module(fx_module *module)
{
    fx_tensor inputs[8], output = {0};
    uint64_t state = 11;
    int32_t n = fx_module_input_count(module);
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx_module_input_type(module, i);
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, type->dim, &inputs[i]), FX_OK);
        fill(&inputs[i], &state);
    }
    CHECK_OK(context, fx_interpret(module, inputs, n, &output, 1));
    for (int32_t i = 0; i < n; i++) fx_tensor_release(&inputs[i]);
    return output;
}

static void check_same(const fx_tensor *a, const fx_tensor *b, double tolerance)
{
    ck_assert_int_eq(a->rank, b->rank);
    for (int32_t d = 0; d < a->rank; d++) ck_assert_int_eq(a->dim[d], b->dim[d]);
    for (int64_t i = 0; i < fx_tensor_elems(a); i++) {
        double x = fx_tensor_get(a, i), y = fx_tensor_get(b, i);
        ck_assert_msg(fabs(x - y) <= tolerance * fmax(1, fabs(x)), "element %d: %.9g, %.9g", (int)i, x, y);
    }
}

static int count_op(const fx_graph *graph, const char *name)
{
    int n = 0;
    FX_EACH_NODE(node, graph) n += node->op && strcmp(node->op->name, name) == 0;
    return n;
}

/* Runs the whole graph pipeline; the values must stay within tolerance of `expected` (NULL: of the graph itself). */
static fx_module *optimise(const char *text, const char *expected, double tolerance)
{
    fx_module *module = read_module(text), *reference = expected ? read_module(expected) : NULL;
    fx_tensor before = run_module(reference ? reference : module);
    fx_pass_options options = {.verify = true};
    CHECK_OK(context, fx__pipeline_graph(module->graph, &options));
    ck_assert(module->graph->core);
    fx_tensor after = run_module(module);
    check_same(&before, &after, tolerance);
    fx_tensor_release(&before);
    fx_tensor_release(&after);
    fx_module_free(reference);
    return module;
}

static void check_idempotent(fx_graph *graph)
{
    static const char *const names[] = {"inline", "functionalise", "normalise", "decompose", "rewrite", "fold", "cse", "dce"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool modified = true;
        CHECK_OK(context, fx_pass_find(names[i])->run(graph, NULL, &modified));
        ck_assert_msg(!modified, "%s changed the graph again", names[i]);
    }
}

#define MODULE(tensors) "module \"m\"\n" tensors "graph {\n"
#define X(shape) "%x = placeholder \"x\" : f32" shape "\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(name) "%output = output(%" name ")\n}\n"

START_TEST(spellings_become_one)
{
    setup();
    fx_module *m =
        optimise("graph {\n" X("[2, 3]")
                     CALL("a", "torch.add", "%x, %x, alpha=2") "%b = call_method \"relu\"(%a)\n" CALL("c", "operator.mul", "%b, %x")
                         OUT("c"),
                 NULL, 0);
    ck_assert_int_eq(count_op(m->graph, "add") + count_op(m->graph, "relu") + count_op(m->graph, "mul"), 3);
    ck_assert_str_eq(fx_node_target(fx_graph_find(m->graph, "a")), "torch.ops.aten.add.Tensor");
    check_idempotent(m->graph);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(unsupported_operators_are_all_reported)
{
    setup();
    fx_module *m = read_module("graph {\n" X("[2, 3]") CALL("a", "my.first", "%x") CALL("b", "my.second", "%a") OUT("b"));
    ck_assert_int_eq(fx__pipeline_graph(m->graph, NULL), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "my.first");
    CHECK_DIAG(context, "my.second");
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(convolution_takes_batch_norm)
{
    setup();
    const char *text = MODULE("parameter \"w\" : f32[4, 3, 3, 3]\nparameter \"g\" : f32[4]\nparameter \"h\" : f32[4]\n"
                              "buffer \"m\" : f32[4]\nbuffer \"v\" : f32[4]\n")
        X("[1, 3, 6, 5]") "%w = get_attr \"w\"\n%g = get_attr \"g\"\n%h = get_attr \"h\"\n%m = get_attr \"m\"\n%v = get_attr "
                          "\"v\"\n" CALL("c", "torch.conv2d", "%x, %w, None, [2, 1], 1")
                              CALL("n", "torch.nn.functional.batch_norm", "%c, %m, %v, %g, %h, eps=0.001")
                                  CALL("r", "torch.relu", "%n") OUT("r");
    fx_module *m = optimise(text, NULL, 1e-5);
    ck_assert_int_eq(count_op(m->graph, "batch_norm"), 0);
    ck_assert_int_eq(count_op(m->graph, "conv2d"), 1);
    ck_assert_int_eq(fx_graph_size(m->graph), 6); /* x, two constants, conv2d, relu, output */
    check_idempotent(m->graph);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(batch_norm_after_an_image_without_batch_stays)
{
    setup();
    const char *text =
        MODULE("parameter \"w\" : f32[4, 3, 1]\nbuffer \"m\" : f32[4]\nbuffer \"v\" : f32[4]\n") /* as many columns as channels */
        X("[3, 4]") "%w = get_attr \"w\"\n%m = get_attr \"m\"\n%v = get_attr \"v\"\n" CALL("c", "torch.conv1d", "%x, %w")
            CALL("n", "torch.nn.functional.batch_norm", "%c, %m, %v") OUT("n");
    fx_module *m = optimise(text, NULL, 1e-5);
    ck_assert_int_eq(count_op(m->graph, "batch_norm"), 1);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(exported_batch_norm_is_folded)
{
    setup();
    const char *text =
        MODULE("parameter \"w\" : f32[4, 3, 1, 1]\nparameter \"b\" : f32[4]\nbuffer \"m\" : f32[4]\nbuffer \"v\" : f32[4]\n")
            X("[2, 3, 4, 4]") "%w = get_attr \"w\"\n%b = get_attr \"b\"\n%m = get_attr \"m\"\n%v = get_attr \"v\"\n" CALL(
                "c", "torch.ops.aten.convolution.default", "%x, %w, %b, [1, 1], [0, 0], [1, 1], False, [0, 0], 1")
                CALL("n", "torch.ops.aten._native_batch_norm_legit_no_training.default", "%c, None, None, %m, %v, 0.1, 1e-05")
                    CALL("y", "operator.getitem", "%n, 0") OUT("y");
    fx_module *m = optimise(text, NULL, 1e-5);
    ck_assert_int_eq(count_op(m->graph, "conv2d"), 1);
    ck_assert_int_eq(fx_graph_size(m->graph), 5);
    fx_module_free(m);
    teardown();
}
END_TEST

/* The convolution's result is used twice: its weights must stay. */
START_TEST(shared_convolution_keeps_its_weights)
{
    setup();
    const char *text = MODULE("parameter \"w\" : f32[3, 3, 1, 1]\nbuffer \"m\" : f32[3]\nbuffer \"v\" : f32[3]\n")
        X("[1, 3, 2, 2]") "%w = get_attr \"w\"\n%m = get_attr \"m\"\n%v = get_attr \"v\"\n" CALL("c", "torch.conv2d", "%x, %w")
            CALL("n", "torch.nn.functional.batch_norm", "%c, %m, %v") CALL("y", "torch.add", "%n, %c") OUT("y");
    fx_module *m = optimise(text, NULL, 1e-5);
    ck_assert_int_eq(count_op(m->graph, "batch_norm"), 1);
    fx_module_free(m);
    teardown();
}
END_TEST

#define NORM_TENSORS "parameter \"w\" : f32[6]\nparameter \"b\" : f32[6]\nparameter \"e\" : f32[]\n"
#define NORM(dim, centre, scale)                                                                                                   \
    MODULE(NORM_TENSORS)                                                                                                           \
    X("[2, 3, 6]")                                                                                                                 \
    "%w = get_attr \"w\"\n%b = get_attr \"b\"\n%e = get_attr \"e\"\n" CALL("z", "torch.add", "%x, %x")                             \
        CALL("m", "torch.mean", "%z, [" dim "], True") CALL("d", "torch.sub", "%z, %m")                                            \
            centre CALL("v", "torch.mean", "%p, [" dim "], True") CALL("s", "torch.add", "%v, %e")                                 \
                scale CALL("g", "torch.mul", "%q, %w") CALL("y", "torch.add", "%b, %g") OUT("y")
#define POWER CALL("p", "torch.pow", "%d, 2")
#define QUOTIENT CALL("r", "torch.sqrt", "%s") CALL("q", "torch.div", "%d, %r")

/* As exporters write it: the epsilon a constant of no dims, the bias first or last. */
START_TEST(layer_norm_written_out_becomes_one_call)
{
    static const char *const texts[] = {NORM("-1", POWER, QUOTIENT), NORM("2", CALL("p", "torch.mul", "%d, %d"), QUOTIENT),
                                        NORM("2", POWER, CALL("r", "torch.rsqrt", "%s") CALL("q", "torch.mul", "%d, %r"))};
    setup();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fx_module *m = optimise(texts[i], NULL, 1e-5);
        ck_assert_int_eq(count_op(m->graph, "layer_norm"), 1);
        ck_assert_int_eq(fx_graph_size(m->graph), 6); /* x, w, b, add, layer_norm, output */
        check_idempotent(m->graph);
        fx_module_free(m);
    }
    teardown();
}
END_TEST

START_TEST(what_only_looks_like_layer_norm_stays)
{
    static const char *const texts[] = {NORM("1", POWER, QUOTIENT), NORM("-1", CALL("p", "torch.pow", "%d, 3"), QUOTIENT)};
    setup();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fx_module *m = optimise(texts[i], NULL, 1e-5);
        ck_assert_int_eq(count_op(m->graph, "layer_norm"), 0);
        fx_module_free(m);
    }
    teardown();
}
END_TEST

/* A constant of one element is a number; one that gives the result its shape, and a vector, stay. */
START_TEST(constants_of_one_element_become_numbers)
{
    setup();
    const char *text = MODULE("parameter \"c\" : f32[1]\nparameter \"k\" : f32[1, 1, 1]\nparameter \"w\" : f32[3]\n")
        X("[2, 3]") "%c = get_attr \"c\"\n%k = get_attr \"k\"\n%w = get_attr \"w\"\n" CALL("a", "torch.mul", "%x, %c")
            CALL("b", "torch.add", "%a, %k") CALL("d", "torch.add", "%b, %w") OUT("d");
    fx_module *m = optimise(text, NULL, 1e-6);
    ck_assert_int_eq(fx__arg(fx_graph_find(m->graph, "a"), 1)->kind, FX_ATTR_FLOAT);
    ck_assert_int_eq(fx__arg(fx_graph_find(m->graph, "b"), 1)->kind, FX_ATTR_NODE);
    ck_assert_int_eq(fx__arg(fx_graph_find(m->graph, "d"), 1)->kind, FX_ATTR_NODE);
    check_idempotent(m->graph);
    fx_module_free(m);
    teardown();
}
END_TEST

/* Both sorts of convolution store channels last, and what follows them element by element does too. */
START_TEST(convolutions_keep_channels_last)
{
    static const char *const calls[] = {CALL("c", "torch.conv2d", "%x, %w"), CALL("c", "torch.conv_transpose2d", "%x, %w")};
    static const int8_t last[] = {0, 2, 3, 1};
    setup();
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s%s",
                 MODULE("parameter \"w\" : f32[3, 3, 2, 2]\n") X("[1, 3, 4, 4]") "%w = get_attr \"w\"\n", calls[i],
                 CALL("r", "torch.relu", "%c") OUT("r"));
        fx_module *m = optimise(text, NULL, 1e-5);
        for (int n = 0; n < 2; n++) {
            const fx_node *node = fx_graph_find(m->graph, n ? "r" : "c");
            ck_assert(node->has_order);
            ck_assert_mem_eq(node->order, last, sizeof last);
        }
        fx_module_free(m);
    }
    teardown();
}
END_TEST

START_TEST(linear_takes_bias_and_batch_norm)
{
    setup();
    const char *text =
        MODULE("parameter \"w\" : f32[4, 3]\nparameter \"b\" : f32[4]\nbuffer \"m\" : f32[4]\nbuffer \"v\" : f32[4]\n")
            X("[2, 3]") "%w = get_attr \"w\"\n%b = get_attr \"b\"\n%m = get_attr \"m\"\n%v = get_attr \"v\"\n" CALL(
                "t", "torch.t", "%w") CALL("p", "torch.matmul", "%x, %t") CALL("s", "torch.add", "%p, %b")
                CALL("n", "torch.nn.functional.batch_norm", "%s, %m, %v") OUT("n");
    fx_module *m = optimise(text, NULL, 1e-5);
    ck_assert_int_eq(count_op(m->graph, "linear"), 1);
    ck_assert_int_eq(fx_graph_size(m->graph), 5);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(addmm_of_transposed_weight_is_linear)
{
    setup();
    const char *text = MODULE("parameter \"w\" : f32[4, 3]\nparameter \"b\" : f32[4]\n")
        X("[2, 3]") "%w = get_attr \"w\"\n%b = get_attr \"b\"\n" CALL("t", "torch.ops.aten.transpose.int", "%w, 0, 1")
            CALL("y", "torch.ops.aten.addmm.default", "%b, %x, %t") OUT("y");
    fx_module *m = optimise(text, NULL, 1e-6);
    ck_assert_int_eq(count_op(m->graph, "linear"), 1);
    ck_assert_int_eq(fx_graph_size(m->graph), 5);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(calls_that_do_nothing_go)
{
    setup();
    const char *text = "graph {\n" X("[2, 3]") CALL("a", "torch.dropout", "%x, 0.5, False")
        CALL("b", "torch.clone", "%a") "%c = call_method \"contiguous\"(%b)\n%d = call_method \"to\"(%c, dtype(f32))\n" CALL(
            "e", "torch.relu", "%d") CALL("f", "torch.relu", "%e") CALL("g", "torch.transpose", "%f, 0, 1")
            CALL("h", "torch.transpose", "%g, 0, 1") CALL("i", "torch.reshape", "%h, [6]") CALL("j", "torch.reshape", "%i, [3, 2]")
                CALL("k", "torch.flatten", "%j") CALL("l", "torch.reshape", "%k, [2, 3]") OUT("l");
    fx_module *m = optimise(text, NULL, 0);
    char *got = fx_graph_to_string(m->graph);
    ck_assert_msg(fx_graph_size(m->graph) == 3, "%s", got);
    fx_text_free(got);
    check_idempotent(m->graph);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(permutations_are_composed)
{
    setup();
    const char *text = "graph {\n" X("[2, 3, 4]") CALL("a", "torch.permute", "%x, [1, 2, 0]")
        CALL("b", "torch.permute", "%a, [0, -1, 1]") CALL("c", "torch.relu", "%b") OUT("c");
    fx_module *m = optimise(text, NULL, 0);
    ck_assert_int_eq(count_op(m->graph, "permute"), 1);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(equal_computations_are_one)
{
    setup();
    const char *text = "graph {\n" X("[2, 3]") CALL("a", "torch.exp", "%x") CALL("b", "torch.exp", "%x")
        CALL("c", "torch.add", "%a, %b") CALL("d", "torch.add", "%a, %b, alpha=2") CALL("e", "torch.mul", "%c, %d") OUT("e");
    fx_module *m = optimise(text, NULL, 0);
    ck_assert_int_eq(count_op(m->graph, "exp"), 1);
    ck_assert_int_eq(count_op(m->graph, "add"), 2);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(small_constants_are_computed)
{
    setup();
    const char *text = MODULE("parameter \"w\" : f32[4]\nparameter \"big\" : f32[200, 200]\n")
        X("[200, 200]") "%w = get_attr \"w\"\n%v = get_attr \"big\"\n" CALL("a", "torch.exp", "%w") CALL("b", "torch.sum", "%a")
            CALL("c", "torch.exp", "%v") CALL("d", "torch.mul", "%x, %c") CALL("e", "torch.add", "%d, %b") OUT("e");
    fx_module *m = optimise(text, NULL, 1e-6);
    ck_assert_int_eq(count_op(m->graph, "exp"), 1); /* that of 160000 bytes */
    ck_assert_int_eq(count_op(m->graph, "sum"), 0);
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- In place ---------------------------------------------------------------------------------------------------------- */

START_TEST(changes_are_seen_later)
{
    setup();
    const char *text = "graph {\n" X("[2, 3]")
        CALL("a", "torch.exp", "%x") "%b = call_method \"mul_\"(%a, 2.0)\n" CALL("c", "torch.ops.aten.add_.Tensor", "%a, %x")
            CALL("d", "torch.add", "%a, %b") OUT("d");
    const char *pure = "graph {\n" X("[2, 3]") CALL("a", "torch.exp", "%x") CALL("b", "torch.mul", "%a, 2.0")
        CALL("c", "torch.add", "%b, %x") CALL("d", "torch.add", "%c, %c") OUT("d");
    fx_module_free(optimise(text, pure, 0));
    teardown();
}
END_TEST

/* Old values that were already read stay as they were. */
START_TEST(earlier_reads_keep_the_old_value)
{
    setup();
    const char *text = "graph {\n" X("[2, 3]") CALL("a", "torch.exp", "%x") CALL("o", "torch.neg", "%a")
        CALL("b", "torch.nn.functional.relu", "%a, inplace=True") CALL("i", "operator.iadd", "%b, %o")
            CALL("d", "torch.mul", "%a, %o") OUT("d");
    const char *pure = "graph {\n" X("[2, 3]") CALL("a", "torch.exp", "%x") CALL("o", "torch.neg", "%a")
        CALL("b", "torch.relu", "%a") CALL("i", "torch.add", "%b, %o") CALL("d", "torch.mul", "%i, %o") OUT("d");
    fx_module_free(optimise(text, pure, 0));
    teardown();
}
END_TEST

START_TEST(views_write_through)
{
    setup();
    const char *text = "graph {\n" X("[4, 3]") CALL("a", "torch.exp", "%x") CALL("t", "torch.transpose", "%a, 0, 1")
        CALL("s", "torch.ops.aten.slice.Tensor", "%t, 1, 1, 3") CALL("r", "torch.select", "%s, 0, 1")
            CALL("f", "torch.flatten", "%a") CALL("w", "torch.ops.aten.mul_.Tensor", "%r, 10.0")
                CALL("u", "torch.ops.aten.add_.Tensor", "%f, 1.0") CALL("y", "torch.add", "%a, %a") OUT("y");
    /* a[1:3, 1] *= 10; a += 1: as a mask */
    const char *pure = "graph {\n" X("[4, 3]") CALL("a", "torch.exp", "%x") CALL("l", "torch.ops.aten.slice.Tensor", "%a, 1, 0, 1")
        CALL("m", "torch.ops.aten.slice.Tensor", "%a, 1, 1, 2") CALL("n", "torch.ops.aten.slice.Tensor", "%a, 1, 2, 3")
            CALL("m0", "torch.ops.aten.slice.Tensor", "%m, 0, 0, 1") CALL("m1", "torch.ops.aten.slice.Tensor", "%m, 0, 1, 3")
                CALL("m2", "torch.ops.aten.slice.Tensor", "%m, 0, 3, 4") CALL("k", "torch.mul", "%m1, 10.0")
                    CALL("mm", "torch.cat", "[%m0, %k, %m2], 0") CALL("b", "torch.cat", "[%l, %mm, %n], 1")
                        CALL("c", "torch.add", "%b, 1.0") CALL("y", "torch.add", "%c, %c") OUT("y");
    fx_module_free(optimise(text, pure, 1e-6));
    teardown();
}
END_TEST

START_TEST(copies_hold_what_was_copied)
{
    setup();
    const char *text = "graph {\n" X("[2, 3]") CALL("a", "torch.exp", "%x") CALL("b", "torch.neg", "%x")
        CALL("c", "torch.ops.aten.copy_.default", "%a, %b") CALL("z", "torch.ops.aten.add_.Tensor", "%b, 1.0")
            CALL("y", "torch.sub", "%a, %b") OUT("y");
    const char *pure = "graph {\n" X("[2, 3]") CALL("b", "torch.neg", "%x") CALL("z", "torch.add", "%b, 1.0")
        CALL("y", "torch.sub", "%b, %z") OUT("y");
    fx_module_free(optimise(text, pure, 0));
    teardown();
}
END_TEST

START_TEST(indices_are_views)
{
    setup();
    const char *text = "graph {\n" X("[4, 3, 2]") CALL("a", "operator.getitem", "%x, (slice(1, 3, None), ..., None, 0)")
        CALL("b", "operator.getitem", "%x, slice(None, 2, None)") "%c = call_method \"__getitem__\"(%b, (..., 1))\n" CALL(
            "d", "operator.getitem", "%a, (slice(None, None, None), slice(None, None, None), 0)") CALL("y", "torch.add", "%c, %d")
            OUT("y");
    const char *pure = "graph {\n" X("[4, 3, 2]") CALL("a", "torch.ops.aten.slice.Tensor", "%x, 0, 1, 3")
        CALL("b", "torch.select", "%a, 2, 0") CALL("c", "torch.ops.aten.slice.Tensor", "%x, 0, 0, 2")
            CALL("d", "torch.select", "%c, 2, 1") CALL("y", "torch.add", "%d, %b") OUT("y");
    fx_module_free(optimise(text, pure, 0));
    teardown();
}
END_TEST

START_TEST(items_are_set)
{
    setup();
    const char *text = "graph {\n" X("[4, 3]") CALL("a", "torch.exp", "%x") CALL("v", "torch.transpose", "%a, 0, 1")
        CALL("r", "operator.getitem", "%x, 0") CALL("s", "operator.setitem", "%a, (slice(1, 3, None), slice(None, None, None)), %r")
            CALL("t", "operator.setitem", "%v, 0, 7.5") CALL("u", "operator.setitem", "%a, (-1, 1), 3")
                CALL("y", "torch.transpose", "%v, 0, 1") OUT("y");
    const char *pure = "graph {\n" X("[4, 3]") CALL("a", "torch.exp", "%x") CALL("h", "torch.ops.aten.slice.Tensor", "%a, 0, 0, 1")
        CALL("r", "torch.ops.aten.slice.Tensor", "%x, 0, 0, 1") CALL("e", "torch.ops.aten.slice.Tensor", "%a, 0, 3, 4")
            CALL("b", "torch.cat", "[%h, %r, %r, %e], 0") CALL("l", "torch.ops.aten.slice.Tensor", "%b, 1, 1, 3")
                CALL("k", "torch.ops.aten.slice.Tensor", "%b, 1, 0, 1") CALL("k0", "torch.mul", "%k, 0.0")
                    CALL("k7", "torch.add", "%k0, 7.5") CALL("c", "torch.cat", "[%k7, %l], 1")
                        CALL("p", "torch.ops.aten.slice.Tensor", "%c, 0, 0, 3")
                            CALL("q", "torch.ops.aten.slice.Tensor", "%c, 0, 3, 4")
                                CALL("q0", "torch.ops.aten.slice.Tensor", "%q, 1, 0, 1")
                                    CALL("q2", "torch.ops.aten.slice.Tensor", "%q, 1, 2, 3") CALL("z", "torch.mul", "%q0, 0.0")
                                        CALL("z3", "torch.add", "%z, 3.0") CALL("w", "torch.cat", "[%q0, %z3, %q2], 1")
                                            CALL("y", "torch.cat", "[%p, %w], 0") OUT("y");
    fx_module_free(optimise(text, pure, 0));
    teardown();
}
END_TEST

START_TEST(a_changed_buffer_is_written_back_once)
{
    setup();
    fx_module *m = read_module(MODULE("buffer \"n\" : f32[3]\n") X("[2, 3]") "%n = get_attr \"n\"\n%k = get_attr \"n\"\n" CALL(
        "a", "torch.ops.aten.add_.Tensor", "%n, 1.0") CALL("b", "torch.ops.aten.mul_.Tensor", "%k, 2.0")
                                   CALL("y", "torch.add", "%x, %a") OUT("y"));
    CHECK_OK(context, fx__pipeline_graph(m->graph, NULL));
    ck_assert_int_eq(count_op(m->graph, "copy_"), 1);
    ck_assert_int_eq(count_op(m->graph, "add") + count_op(m->graph, "mul"), 3);
    check_idempotent(m->graph);
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- Modules ----------------------------------------------------------------------------------------------------------- */

START_TEST(submodules_are_inlined)
{
    setup();
    fx_module *m = read_module("graph {\n" X("[2, 3]") "%s = call_module \"block\"(%x)\n" CALL("a", "operator.getitem", "%s, 0")
                                   CALL("b", "operator.getitem", "%s, -1") CALL("y", "torch.add", "%a, %b") OUT("y"));
    fx_module *inner = read_module(MODULE("parameter \"w\" : f32[3]\n") "%in = placeholder \"in\"\n%w = get_attr \"w\"\n" CALL(
        "p", "torch.mul", "%in, %w") CALL("q", "torch.relu", "%in") "%output = output((%p, %q))\n}\n");
    CHECK_OK(context, fx_module_add_submodule(m, "block", inner));
    CHECK_OK(context, fx__pipeline_graph(m->graph, NULL));
    ck_assert_int_eq(count_op(m->graph, "mul") + count_op(m->graph, "relu") + count_op(m->graph, "add"), 3);
    FX_EACH_NODE(node, m->graph) ck_assert_int_ne(node->opcode, FX_CALL_MODULE);
    fx_tensor y = run_module(m);
    fx_tensor_release(&y);
    fx_module_free(m);
    teardown();
}
END_TEST

FX_TESTS("passes_graph", spellings_become_one, unsupported_operators_are_all_reported, convolution_takes_batch_norm,
         batch_norm_after_an_image_without_batch_stays, exported_batch_norm_is_folded, shared_convolution_keeps_its_weights,
         convolutions_keep_channels_last, layer_norm_written_out_becomes_one_call, what_only_looks_like_layer_norm_stays,
         constants_of_one_element_become_numbers, linear_takes_bias_and_batch_norm, addmm_of_transposed_weight_is_linear,
         calls_that_do_nothing_go, permutations_are_composed, equal_computations_are_one, small_constants_are_computed,
         changes_are_seen_later, earlier_reads_keep_the_old_value, views_write_through, copies_hold_what_was_copied,
         indices_are_views, items_are_set, a_changed_buffer_is_written_back_once, submodules_are_inlined)
