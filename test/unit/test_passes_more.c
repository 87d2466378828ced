/* SPDX-License-Identifier: Apache-2.0 */
/* Graph passes that programs use by name: each by hand on what it is for and on the corners (NaN, -0.0, infinities, integers,
 * broadcasts), and all of them on random graphs, whose values must stay what they were, bit for bit. */
#include "harness.h"
#include "random_graph.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include "ir/op.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static fx_context *context;
static fx_graph *graph;
static fx_module *module;

static void setup(const char *body)
{
    char text[3000];
    context = fx_context_new();
    snprintf(text, sizeof text, "%s}\n", body);
    CHECK_OK(context, fx_graph_parse(context, "test", text, strlen(text), &graph));
    module = fx__module_ensure(graph);
}

static void teardown(void)
{
    fx_module_free(module);
    fx_context_free(context);
}

static bool run_pass(const char *name)
{
    bool modified = false;
    CHECK_OK(context, fx_pass_find(name)->run(graph, NULL, &modified));
    CHECK_OK(context, fx_graph_lint(graph));
    return modified;
}

static void make_core(void)
{
    run_pass("normalise");
    CHECK_OK(context, fx_graph_propagate(graph));
}

static int count_calls(void)
{
    int n = 0;
    FX_EACH_NODE(node, graph)
    n += node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_MODULE || node->opcode == FX_CALL_METHOD;
    return n;
}

static void check_text(const char *expected)
{
    char *text = fx_graph_to_string(graph);
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

#define G "graph {\n"
#define X(type) "%x = placeholder \"x\" : " type "\n"
#define Y(type) "%y = placeholder \"y\" : " type "\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define OUT(value) "%output = output(" value ")\n"

/* ---- propagate --------------------------------------------------------------------------------------------------------------- */

static fx_module *leaf_of(const char *target, fx_attr second)
{
    fx_module *leaf = fx_module_new(context, "leaf");
    fx_graph *inner = fx_module_graph(leaf);
    fx_node *in = fx_graph_placeholder(inner, "input", NULL);
    fx_attr args[] = {fx_node_attr(in), second};
    fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, target, args, second.kind == FX_ATTR_NONE ? 1 : 2)));
    return leaf;
}

START_TEST(types_go_through_modules_and_bodies)
{
    setup(G X("f32[2, 3]") "%m = call_module \"m\"(%x)\n" CALL("f", "my.wrapped", "%m") CALL("s", "torch.sum", "%f, 1") OUT("%s"));
    CHECK_OK(context, fx_module_add_submodule(module, "m", leaf_of("torch.transpose", fx_none())));
    fx_node *call = fx_graph_first(fx_module_graph(fx_module_submodule(module, "m")))->next;
    fx_graph *inner = fx_node_graph(call);
    CHECK_OK(context,
             fx_node_set_args(call, fx_tuple(inner, (fx_attr[]){fx_node_attr(call->prev), fx_int(0), fx_int(1)}, 3), fx_none()));
    fx_graph *body = fx_graph_new(context);
    fx_attr in = fx_node_attr(fx_graph_placeholder(body, "in", NULL));
    fx_graph_output(body, fx_node_attr(fx_graph_call(body, "torch.exp", &in, 1)));
    CHECK_OK(context, fx_node_set_body(fx_graph_find(graph, "f"), body));
    ck_assert(run_pass("propagate"));
    ck_assert_int_eq(fx_node_type(fx_graph_find(graph, "f"), 0)->dim[0], 3);
    ck_assert_int_eq(fx_node_type(fx_graph_find(graph, "s"), 0)->dim[0], 3);
    ck_assert(!run_pass("propagate"));
    teardown();
}
END_TEST

START_TEST(types_that_cannot_be_are_all_reported)
{
    setup(G X("f32[2, 3]") CALL("a", "torch.mm", "%x, %x")
              CALL("b", "my.unknown", "%x") "%c = call_module \"none\"(%x)\n" OUT("(%a, %b, %c)"));
    bool modified;
    ck_assert_int_eq(fx_pass_find("propagate")->run(graph, NULL, &modified), FX_E_SHAPE);
    CHECK_DIAG(context, "node a");
    CHECK_DIAG(context, "node b");
    CHECK_DIAG(context, "no submodule none");
    teardown();
}
END_TEST

/* ---- simplify ---------------------------------------------------------------------------------------------------------------- */

/* One call on x, and how many calls are left. */
static void check_simplified(const char *type, const char *calls, int left)
{
    char text[600];
    snprintf(text, sizeof text, G "%%x = placeholder \"x\" : %s\n%s%s", type, calls, OUT("%r"));
    setup(text);
    make_core();
    run_pass("simplify");
    ck_assert_msg(count_calls() == left, "%s of %s: %d calls are left, not %d", calls, type, count_calls(), left);
    ck_assert(!run_pass("simplify"));
    teardown();
}

START_TEST(what_changes_nothing_goes)
{
    static const char *const floats[] = {CALL("r", "torch.add", "%x, -0.0"),
                                         CALL("r", "torch.add", "-0.0, %x"),
                                         CALL("r", "torch.sub", "%x, 0"),
                                         CALL("r", "torch.sub", "%x, 0.0"),
                                         CALL("r", "torch.mul", "%x, 1"),
                                         CALL("r", "torch.mul", "1.0, %x"),
                                         CALL("r", "torch.div", "%x, 1"),
                                         CALL("r", "torch.pow", "%x, 1"),
                                         CALL("a", "torch.neg", "%x") CALL("r", "torch.neg", "%a"),
                                         CALL("r", "torch.reshape", "%x, [2, 3]"),
                                         CALL("a", "torch.transpose", "%x, 0, 1") CALL("r", "torch.transpose", "%a, 0, 1"),
                                         CALL("r", "torch.ops.aten._to_copy.default", "%x, dtype=dtype(f32)"),
                                         CALL("r", "torch.maximum", "%x, %x"),
                                         CALL("a", "torch.flip", "%x, [1]") CALL("r", "torch.flip", "%a, [1]"),
                                         CALL("a", "torch.reshape", "%x, [6]") CALL("r", "torch.reshape", "%a, [2, 3]")};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) check_simplified("f32[2, 3]", floats[i], 0);
    static const char *const integers[] = {CALL("r", "torch.add", "%x, 0"),
                                           CALL("r", "torch.mul", "%x, 1"),
                                           CALL("r", "torch.bitwise_or", "%x, 0"),
                                           CALL("r", "torch.bitwise_xor", "0, %x"),
                                           CALL("r", "torch.bitwise_and", "%x, -1"),
                                           CALL("r", "torch.floor_divide", "%x, 1"),
                                           CALL("a", "torch.bitwise_not", "%x") CALL("r", "torch.bitwise_not", "%a")};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) check_simplified("i32[2, 3]", integers[i], 0);
    check_simplified("bool[4]", CALL("a", "torch.logical_not", "%x") CALL("r", "torch.logical_not", "%a"), 0);
    check_simplified("f32[2, 3]", CALL("a", "torch.neg", "%x") CALL("r", "torch.abs", "%a"), 1);
    check_simplified("f32[2, 3]", CALL("a", "torch.floor", "%x") CALL("r", "torch.floor", "%a"), 1);
}
END_TEST

START_TEST(what_changes_something_stays)
{
    static const char *const floats[] = {CALL("r", "torch.add", "%x, 0"),
                                         CALL("r", "torch.add", "%x, 0.0"),
                                         CALL("r", "torch.sub", "%x, -0.0"), /* -0.0 + 0.0 is 0.0 */
                                         CALL("r", "torch.sub", "0.0, %x"),
                                         CALL("r", "torch.mul", "%x, 0"),
                                         CALL("r", "torch.add", "%x, -0.0, alpha=-1"),
                                         CALL("r", "torch.div", "1, %x"),
                                         CALL("r", "torch.div", "%x, 1, rounding_mode=\"floor\""),
                                         CALL("r", "torch.pow", "1, %x"),
                                         CALL("r", "torch.floor_divide", "%x, 1"),
                                         CALL("r", "torch.sub", "%x, %x"),
                                         CALL("r", "torch.mul", "%x, 1.0000001")};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) check_simplified("f32[2, 3]", floats[i], 1);
    static const char *const integers[] = {CALL("r", "torch.add", "%x, 0.0"), CALL("r", "torch.mul", "%x, 1.0"),
                                           CALL("r", "torch.div", "%x, 1"), CALL("r", "torch.bitwise_and", "%x, 1")};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) check_simplified("i32[2, 3]", integers[i], 1);
    check_simplified("bool[4]", CALL("r", "torch.mul", "%x, 1"), 1);                                          /* an integer */
    check_simplified("f32[4]", CALL("a", "torch.logical_not", "%x") CALL("r", "torch.logical_not", "%a"), 2); /* a bool */
    check_simplified("u8[4]", CALL("a", "torch.neg", "%x") CALL("r", "torch.abs", "%a"), 2);                  /* -1 is 255 */
    check_simplified("f32[2, 3]", CALL("a", "torch.flip", "%x, [0]") CALL("r", "torch.flip", "%a, [1]"), 2);
}
END_TEST

/* ---- merge_matmul --------------------------------------------------------------------------------------------------------------
 */

static void fill(fx_tensor *tensor, uint64_t *state)
{
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) fx_tensor_set(tensor, i, fx_test_uniform(state, -2, 2));
}

enum { OUTPUTS = 4 };

/* Runs the graph on seeded inputs. */
static void run_graph(fx_tensor outputs[OUTPUTS])
{
    fx_tensor inputs[8] = {{0}};
    uint64_t state = 5;
    int32_t n = fx_module_input_count(module), m = fx_module_output_count(module);
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx_module_input_type(module, i);
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, type->dim, &inputs[i]), FX_OK);
        fill(&inputs[i], &state);
    }
    memset(outputs, 0, OUTPUTS * sizeof *outputs);
    fx_interpreter *it = fx_interpreter_new(graph);
    CHECK_OK(context, fx_interpreter_run(it, inputs, n, outputs, m));
    fx_interpreter_free(it);
    for (int32_t i = 0; i < n; i++) fx_tensor_release(&inputs[i]);
}

static void check_outputs(fx_tensor *a, fx_tensor *b, double tolerance)
{
    for (int i = 0; i < OUTPUTS; i++) {
        ck_assert_int_eq(a[i].dtype, b[i].dtype);
        ck_assert_int_eq(fx_tensor_bytes(&a[i]), fx_tensor_bytes(&b[i]));
        for (int64_t k = 0; a[i].data && k < fx_tensor_elems(&a[i]); k++) {
            double x = fx_tensor_get(&a[i], k), y = fx_tensor_get(&b[i], k);
            bool same =
                (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y)) || fabs(x - y) <= tolerance * fmax(1, fabs(x));
            ck_assert_msg(same, "output %d, element %d: %.9g became %.9g", i, (int)k, x, y);
        }
        fx_tensor_release(&a[i]);
        fx_tensor_release(&b[i]);
    }
}

static bool check_pass(const char *name, double tolerance)
{
    fx_tensor before[OUTPUTS], after[OUTPUTS];
    run_graph(before);
    bool modified = run_pass(name);
    run_graph(after);
    check_outputs(before, after, tolerance);
    return modified;
}

static int count_op(const char *name)
{
    int n = 0;
    FX_EACH_NODE(node, graph) n += node->op && strcmp(node->op->name, name) == 0;
    return n;
}

START_TEST(independent_products_are_merged)
{
    setup(G X("f32[2, 3]") Y("f32[4, 3]") "%w = placeholder \"w\" : f32[3, 3]\n" CALL("a", "torch.mm", "%x, %w")
              CALL("u", "torch.exp", "%a") CALL("z", "torch.neg", "%y") CALL("b", "torch.mm", "%z, %w")
                  CALL("c", "torch.mm", "%b, %w") OUT("(%u, %b, %c)"));
    make_core();
    ck_assert(check_pass("merge_matmul", 0)); /* a and b; c needs b */
    ck_assert_int_eq(count_op("mm"), 2);
    ck_assert_int_eq(count_op("cat"), 1);
    ck_assert(!run_pass("merge_matmul"));
    teardown();
}
END_TEST

START_TEST(other_products_stay)
{
    setup(G X("f32[2, 3]") "%y = placeholder \"y\" : f64[4, 3]\n%w = placeholder \"w\" : f32[3, 3]\n%v = placeholder \"v\" : "
                           "f32[3, 3]\n" CALL("a", "torch.mm", "%x, %w") CALL("b", "torch.mm", "%x, %v")
                               CALL("c", "torch.matmul", "%x, %w") OUT("(%a, %b, %c)"));
    make_core();
    ck_assert(!run_pass("merge_matmul"));
    teardown();
}
END_TEST

START_TEST(linear_layers_with_one_weight_are_merged)
{
    setup("module \"m\"\n" G X("f32[2, 3]")
              Y("f32[1, 3]") "%w = placeholder \"w\" : f32[5, 3]\n%b = placeholder \"b\" : f32[5]\n" CALL(
                  "p", "torch.nn.functional.linear", "%x, %w, %b") CALL("q", "torch.nn.functional.linear", "%y, %w, %b")
                  CALL("r", "torch.nn.functional.linear", "%y, %w") OUT("(%p, %q, %r)"));
    make_core();
    ck_assert(check_pass("merge_matmul", 0));
    ck_assert_int_eq(count_op("linear"), 2);
    teardown();
}
END_TEST

/* ---- insert_casts -------------------------------------------------------------------------------------------------------------
 */

START_TEST(mixed_products_are_cast)
{
    setup(G X("f32[2, 3]") Y("f16[3, 2]") CALL("a", "torch.mm", "%x, %y") CALL("s", "torch.add", "%x, 1") OUT("(%a, %s)"));
    bool modified = false;
    ck_assert_int_eq(fx_graph_propagate(graph), FX_E_TYPE); /* as it is, it has no types */
    fx_context_clear(context);
    ck_assert(run_pass("insert_casts"));
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    ck_assert_int_eq(count_op("_to_copy"), 1);
    ck_assert_int_eq(fx_node_type(fx_graph_find(graph, "a"), 0)->dtype, FX_F32);
    ck_assert(!run_pass("insert_casts"));
    fx_tensor out[OUTPUTS];
    run_graph(out);
    fx_tensor_release(&out[0]);
    fx_tensor_release(&out[1]);
    CHECK_OK(context, fx_pass_find("normalise")->run(graph, NULL, &modified));
    teardown();
}
END_TEST

START_TEST(what_casts_do_not_repair_is_reported)
{
    setup(G X("f32[2, 3]") Y("i32[2, 2]") CALL("a", "torch.mm", "%x, %y") OUT("%a"));
    char *before = fx_graph_to_string(graph);
    bool modified = true;
    ck_assert_int_ne(fx_pass_find("insert_casts")->run(graph, NULL, &modified), FX_OK);
    CHECK_DIAG(context, "node a");
    ck_assert(!modified);
    check_text(before);
    fx_text_free(before);
    teardown();
}
END_TEST

/* ---- remove_dropout ------------------------------------------------------------------------------------------------------------
 */

START_TEST(idle_dropout_goes)
{
    setup(
        G X("f32[2, 3]") CALL("a", "torch.nn.functional.dropout", "%x, training=False") CALL("b", "torch.dropout", "%a, 0.5, False")
            CALL("c", "torch.nn.functional.dropout", "%b, p=0.0") "%d = call_module \"drop\"(%c)\n" CALL("e", "torch.exp", "%d")
                OUT("%e"));
    fx_module *leaf = leaf_of("torch.nn.functional.dropout", fx_float(0.5));
    fx_graph *inner = fx_module_graph(leaf);
    CHECK_OK(context, fx_node_set_kwarg(fx_graph_first(inner)->next, "training", fx_bool(false)));
    CHECK_OK(context, fx_module_add_submodule(module, "drop", leaf));
    ck_assert(run_pass("remove_dropout"));
    check_text("graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
               "    %e : [num_users=1] = call_function[target=torch.exp](args = (%x,), kwargs = {})\n    return e");
    ck_assert(!run_pass("remove_dropout"));
    teardown();
}
END_TEST

START_TEST(working_dropout_stays)
{
    setup(G X("f32[2, 3]") CALL("a", "torch.nn.functional.dropout", "%x")
              CALL("b", "torch.dropout", "%a, 0.5, True") "%c = call_module \"other\"(%b)\n" OUT("%c"));
    CHECK_OK(context, fx_module_add_submodule(module, "other", leaf_of("torch.exp", fx_none())));
    bool modified = true;
    CHECK_OK(context, fx_pass_find("remove_dropout")->run(graph, NULL, &modified));
    ck_assert(!modified);
    teardown();
}
END_TEST

/* ---- normalise_arguments --------------------------------------------------------------------------------------------------------
 */

START_TEST(arguments_become_keywords)
{
    setup(G X("f32[2, 3]") CALL("a", "torch.sum", "%x, -1") "%b = call_method \"add\"(%a, 2)\n" CALL("c", "my.unknown", "%b, 3")
              CALL("d", "torch.nn.functional.relu", "%a, inplace=True") OUT("(%c, %d)"));
    ck_assert(run_pass("normalise_arguments"));
    fx_attr sum = fx_node_kwargs(fx_graph_find(graph, "a"));
    ck_assert_int_eq(fx_node_args(fx_graph_find(graph, "a")).n, 0);
    ck_assert_str_eq(sum.keys[1], "dim");
    ck_assert_int_eq(sum.u.items[1].kind, FX_ATTR_LIST);
    ck_assert_str_eq(sum.keys[2], "keepdim");
    ck_assert_int_eq(fx_node_args(fx_graph_find(graph, "b")).n, 1); /* the object */
    ck_assert_int_eq(fx_node_args(fx_graph_find(graph, "c")).n, 2);
    ck_assert_int_eq(fx_node_args(fx_graph_find(graph, "d")).n, 1); /* what is changed */
    ck_assert(!run_pass("normalise_arguments"));
    teardown();
}
END_TEST

/* ---- fuse_conv_bn
 * ---------------------------------------------------------------------------------------------------------------- */

static void add_tensor(fx_module *to, const char *path, int32_t rank, const int64_t *dim, uint64_t *state)
{
    fx_tensor tensor;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, rank, dim, &tensor), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, fx_test_uniform(state, 0.5, 1.5));
    CHECK_OK(context, fx_module_add_tensor(to, path, &tensor, false, fx__module_release_tensor, NULL));
}

/* A leaf module: input and tensors of these names to one call. */
static fx_module *layer_of(const char *target, const char *const *names, const int64_t *weight, int32_t rank)
{
    fx_module *leaf = fx_module_new(context, "layer");
    fx_graph *inner = fx_module_graph(leaf);
    uint64_t state = 3;
    fx_attr args[8] = {fx_node_attr(fx_graph_placeholder(inner, "input", NULL))};
    int32_t n = 1;
    for (; names[n - 1]; n++) {
        add_tensor(leaf, names[n - 1], n == 1 && rank ? rank : 1, weight, &state);
        args[n] = fx_node_attr(fx_graph_get_attr(inner, names[n - 1]));
    }
    fx_graph_output(inner, fx_node_attr(fx_graph_call(inner, target, args, n)));
    CHECK_OK(context, fx_module_set_class(leaf, target));
    return leaf;
}

static const char *const norm_names[] = {"running_mean", "running_var", "weight", "bias", NULL};
static const char *const biased[] = {"weight", "bias", NULL}, *const plain[] = {"weight", NULL};

static void check_fused(const char *input, const char *target, const char *const *names, const int64_t *weight, int32_t rank,
                        int left)
{
    char text[300];
    snprintf(text, sizeof text,
             G "%%x = placeholder \"x\" : %s\n%%c = call_module \"block.conv\"(%%x)\n%%n = call_module \"bn\"(%%c)\n%s", input,
             OUT("%n"));
    setup(text);
    CHECK_OK(context, fx_module_add_submodule(module, "block.conv", layer_of(target, names, weight, rank)));
    CHECK_OK(context, fx_module_add_submodule(module, "bn", layer_of("torch.nn.functional.batch_norm", norm_names, weight, 0)));
    ck_assert_int_eq(check_pass("fuse_conv_bn", 1e-5), left == 1);
    ck_assert_int_eq(count_calls(), left);
    teardown();
}

START_TEST(leaf_modules_are_fused)
{
    check_fused("f32[2, 3, 7]", "torch.conv1d", biased, (int64_t[]){4, 3, 2}, 3, 1);
    check_fused("f32[2, 3, 7, 6]", "torch.conv2d", plain, (int64_t[]){4, 3, 2, 3}, 4, 1);
    check_fused("f32[1, 3, 4, 4, 4]", "torch.conv3d", biased, (int64_t[]){4, 3, 2, 2, 2}, 5, 1);
    check_fused("f32[2, 3]", "torch.nn.functional.linear", biased, (int64_t[]){4, 3}, 2, 1);
    check_fused("f32[2, 4, 3]", "torch.nn.functional.linear", biased, (int64_t[]){4, 3}, 2, 2); /* dim 1 is not the features' */
}
END_TEST

/* Without types, and in place of the module, whose facts stay. */
START_TEST(the_layer_keeps_its_path)
{
    setup(G "%x = placeholder \"x\"\n%c = call_module \"conv\"(%x)\n%n = call_module \"bn\"(%c)\n" OUT("%n"));
    fx_module *conv = layer_of("torch.conv2d", plain, (int64_t[]){4, 3, 2, 3}, 4);
    CHECK_OK(context, fx_module_set_attribute(conv, "bias", fx_bool(false)));
    CHECK_OK(context, fx_module_add_submodule(module, "conv", conv));
    CHECK_OK(context,
             fx_module_add_submodule(module, "bn", layer_of("torch.nn.functional.batch_norm", norm_names, (int64_t[]){4}, 0)));
    fx_module *copy;
    CHECK_OK(context, fx_transform(module, NULL, &copy));
    bool modified = false;
    CHECK_OK(context, fx_pass_find("fuse_conv_bn")->run(fx_module_graph(copy), NULL, &modified));
    ck_assert(modified); /* a borrowed module is not touched */
    ck_assert_str_eq(fx_node_target(fx_graph_find(fx_module_graph(copy), "c")), "fused_0");
    ck_assert_ptr_eq(fx_module_submodule(module, "conv"), conv);
    fx_module_free(copy);
    check_text("graph():\n    %x : [num_users=1] = placeholder[target=x]\n"
               "    %c : [num_users=1] = call_module[target=conv](args = (%x,), kwargs = {})\n"
               "    %n : [num_users=1] = call_module[target=bn](args = (%c,), kwargs = {})\n    return n");
    teardown();
}
END_TEST

START_TEST(shared_layers_are_copied)
{
    setup(G X("f32[1, 3, 4, 4]") "%c = call_module \"conv\"(%x)\n%n = call_module \"bn\"(%c)\n%d = call_module \"conv\"(%x)\n" OUT(
        "(%n, %d)"));
    CHECK_OK(context, fx_module_add_submodule(module, "conv", layer_of("torch.conv2d", plain, (int64_t[]){4, 3, 2, 3}, 4)));
    CHECK_OK(context,
             fx_module_add_submodule(module, "bn", layer_of("torch.nn.functional.batch_norm", norm_names, (int64_t[]){4}, 0)));
    ck_assert(check_pass("fuse_conv_bn", 1e-5));
    ck_assert_str_eq(fx_node_target(fx_graph_find(graph, "d")), "conv");
    ck_assert_str_eq(fx_node_target(fx_graph_find(graph, "c")), "fused_0");
    ck_assert_str_eq(fx_module_class(fx_module_submodule(module, "fused_0")), "torch.conv2d");
    teardown();
}
END_TEST

START_TEST(used_convolutions_and_others_stay)
{
    setup(G X("f32[1, 3, 4, 4]") "%c = call_module \"conv\"(%x)\n%n = call_module \"bn\"(%c)\n%e = call_module \"act\"(%n)\n%m = "
                                 "call_module "
                                 "\"bn\"(%e)\n" OUT("(%m, %c)"));
    CHECK_OK(context, fx_module_add_submodule(module, "conv", layer_of("torch.conv2d", plain, (int64_t[]){4, 3, 2, 3}, 4)));
    CHECK_OK(context,
             fx_module_add_submodule(module, "bn", layer_of("torch.nn.functional.batch_norm", norm_names, (int64_t[]){4}, 0)));
    CHECK_OK(context, fx_module_add_submodule(module, "act", leaf_of("torch.exp", fx_none())));
    ck_assert(!check_pass("fuse_conv_bn", 0));
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    teardown();
}
END_TEST

/* ---- Random graphs
 * --------------------------------------------------------------------------------------------------------------- */

/* Values that show whether arithmetic was left out where it must not be. */
static void spoil(fx_tensor *inputs, int32_t n)
{
    static const double odd[] = {-0.0, 0.0, INFINITY, -INFINITY, NAN, 1e-42};
    for (int32_t i = 0; i < n; i++)
        for (int64_t k = 0; fx_dtype_is_float(inputs[i].dtype) && k < 6 && k < fx_tensor_elems(&inputs[i]); k++)
            fx_tensor_set(&inputs[i], k, odd[k]);
}

static void check_random(const char *name, uint64_t seed)
{
    context = fx_context_new();
    module = fx_test_random_module(context, seed, &(fx_random_options){.min_nodes = 8, .max_nodes = 30});
    graph = fx_module_graph(module);
    fx_tensor inputs[8] = {{0}}, before[OUTPUTS] = {{0}}, after[OUTPUTS] = {{0}};
    int32_t n = fx_module_input_count(module), m = fx_module_output_count(module);
    fx_test_random_inputs(module, seed, false, inputs);
    spoil(inputs, n);
    make_core();
    fx_status status = fx_interpret(module, inputs, n, before, m); /* indices may have become wrong */
    run_pass(name);
    ck_assert_int_eq(fx_interpret(module, inputs, n, after, m), status);
    check_outputs(before, after, 0);
    for (int32_t i = 0; i < n; i++) fx_tensor_release(&inputs[i]);
    teardown();
}

START_TEST(random_graphs_keep_their_values)
{
    static const char *const names[] = {"simplify",  "merge_matmul",        "insert_casts", "remove_dropout",
                                        "propagate", "normalise_arguments", "cse"};
    for (uint64_t seed = 1; seed <= 105; seed++) check_random(names[seed % 7], 1000 + seed);
}
END_TEST

FX_TESTS("passes_more", types_go_through_modules_and_bodies, types_that_cannot_be_are_all_reported, what_changes_nothing_goes,
         what_changes_something_stays, independent_products_are_merged, other_products_stay,
         linear_layers_with_one_weight_are_merged, mixed_products_are_cast, what_casts_do_not_repair_is_reported, idle_dropout_goes,
         working_dropout_stays, arguments_become_keywords, leaf_modules_are_fused, the_layer_keeps_its_path,
         shared_layers_are_copied, used_convolutions_and_others_stay, random_graphs_keep_their_values)
