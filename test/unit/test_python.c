/* SPDX-License-Identifier: Apache-2.0 */
/* Generated Python where test/torch/test_source.py does not go: hooks, verbose form with shapes and places, imports, names that are
 * none in Python, files of modules, nested listings. */
#include "harness.h"
#include "fxjit/source.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;
static fx_module *module;
static fx_graph *g;

static void setup(void)
{
    context = fx_context_new();
    module = fx_module_new(context, "net");
    g = fx_module_graph(module);
}

static void teardown(void)
{
    fx_module_free(module);
    fx_context_free(context);
}

static fx_node *call(const char *target, fx_node *a)
{
    fx_attr arg = fx_node_attr(a);
    return fx_graph_call(g, target, &arg, 1);
}

static void check_python(const fx_python_options *options, const char *expected)
{
    char *text = fx_graph_to_python(g, options);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
    fx_text_free(text);
}

START_TEST(the_empty_graph)
{
    setup();
    check_python(NULL, "\n\n\ndef forward(self):\n    pass\n    ");
    teardown();
}
END_TEST

START_TEST(a_body_of_statements)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *w = fx_graph_get_attr(g, "layers.0.weight");
    fx_graph_call(g, "operator.setitem", (fx_attr[]){fx_node_attr(x), fx_int(0), fx_node_attr(w)}, 3);
    fx_graph_call(g, "operator.add", (fx_attr[]){fx_node_attr(x)}, 1); /* too few for an infix form */
    fx_graph_output(g, fx_node_attr(call("math.sqrt", x)));
    check_python(&(fx_python_options){.root = "model", .imports = true},
                 "import torch\nfrom math import inf\nfrom math import nan\nNoneType = type(None)\nfrom torch import device\n"
                 "import torch.fx._pytree as fx_pytree\nimport torch.utils._pytree as pytree\n"
                 "from _operator import add as _operator_add\nfrom math import sqrt as math_sqrt\n"
                 "\n\n\ndef forward(self, x):\n"
                 "    layers_0_weight = getattr(model.layers, \"0\").weight\n"
                 "    x[0] = layers_0_weight;  setitem = x;  layers_0_weight = None\n"
                 "    add = _operator_add(x)\n"
                 "    sqrt = math_sqrt(x);  x = None\n"
                 "    return sqrt\n    \n");
    teardown();
}
END_TEST

/* Parameters must be identifiers; Python's own words are no variables. */
START_TEST(names_of_files_become_names_of_python)
{
    setup();
    fx_node *x = fx_graph_create_node(
        g, &(fx_node_spec){.opcode = FX_PLACEHOLDER, .target = "input.1", .name = "data/in:0", .keep_name = true});
    fx_attr arg = fx_node_attr(x);
    fx_node *y = fx_graph_create_node(
        g,
        &(fx_node_spec){
            .opcode = FX_CALL_FUNCTION, .target = "torch.relu", .args = fx_tuple(g, &arg, 1), .name = "lambda", .keep_name = true});
    fx_graph_output(g, fx_node_attr(y));
    check_python(NULL, "\n\n\ndef forward(self, data_in_0):\n    lambda_1 = torch.relu(data_in_0);  data_in_0 = None\n"
                       "    return lambda_1\n    ");
    teardown();
}
END_TEST

START_TEST(shapes_and_places)
{
    setup();
    fx_dim n = fx_graph_symbol(g, "s0", 1, 64, 8, 1);
    fx_node *x = fx_graph_placeholder(g, "x", &(fx_type){FX_F32, 2, {n, 3}}), *a = call("torch.relu", x), *b = call("torch.neg", a);
    fx_node *c = call("torch.isnan", b), *d = call("torch.exp", c);
    fx_node_set_type(c, 0, &(fx_type){FX_BOOL, 0, {0}});
    fx_node_set_loc(a, (fx_loc){"m.py", 7, "forward"});
    fx_node_set_loc(b, (fx_loc){"m.py", 7, "forward"});
    fx_node_set_loc(c, (fx_loc){"net.onnx", 0, "/IsNaN"});
    fx_node_set_annotation(d, "torch.Tensor");
    fx_node_set_meta(d, "stack_trace",
                     fx_str(g, "Grad of relu\n  File \"dir/m.py\", line 12, in block\n    y = x.exp()  \n  File \"main.py\", line "
                               "1, in <module>\n    run()\n"));
    fx_graph_output(g, fx_node_attr(d));
    check_python(&(fx_python_options){.verbose = true}, "\n\n\ndef forward(self, x: \"f32[s0, 3]\"):\n"
                                                        "    \n    # File: m.py:7 in forward\n"
                                                        "    relu = torch.relu(x);  x = None\n"
                                                        "    neg = torch.neg(relu);  relu = None\n"
                                                        "    \n    # File: net.onnx in /IsNaN\n"
                                                        "    isnan: \"b8[]\" = torch.isnan(neg);  neg = None\n"
                                                        "    \n    # Grad of relu, File: dir/m.py:12 in block, code: y = x.exp()\n"
                                                        "    exp : torch.Tensor = torch.exp(isnan);  isnan = None\n"
                                                        "    return exp\n    ");
    teardown();
}
END_TEST

/* ---- Hooks ------------------------------------------------------------------------------------------------------------- */

static fx_status add_comment(void *user, fx_lines *lines)
{
    char text[64];
    snprintf(text, sizeof text, "# %s of %d", (const char *)user, (int)fx_lines_count(lines));
    return fx_lines_insert(lines, 0, text);
}

static fx_status shorten(void *user, fx_lines *lines)
{
    (void)user;
    ck_assert_str_eq(fx_lines_at(lines, 2), "return relu");
    ck_assert_ptr_null(fx_lines_at(lines, 3));
    fx_status status = fx_lines_set(lines, 2, "return x");
    return status == FX_OK ? fx_lines_delete(lines, 1) : status;
}

static fx_status refuse(void *user, fx_lines *lines)
{
    (void)user;
    ck_assert_int_eq(fx_lines_set(lines, 9, ""), FX_E_ARG);
    ck_assert_int_eq(fx_lines_delete(lines, -1), FX_E_ARG);
    return fx_lines_insert(lines, 9, "");
}

START_TEST(hooks_change_the_lines)
{
    int32_t first, second, third;
    setup();
    fx_graph_output(g, fx_node_attr(call("torch.relu", fx_graph_placeholder(g, "x", NULL))));
    CHECK_OK(context, fx_graph_add_code_hook(g, add_comment, "first", &first));
    CHECK_OK(context, fx_graph_add_code_hook(g, shorten, NULL, &second));
    CHECK_OK(context, fx_graph_add_code_hook(g, add_comment, "third", &third));
    check_python(NULL, "\n\n\ndef forward(self, x):\n    # third of 2\n    # first of 2\n    return x\n    ");
    CHECK_OK(context, fx_graph_remove_code_hook(g, second));
    CHECK_OK(context, fx_graph_remove_code_hook(g, first));
    check_python(NULL, "\n\n\ndef forward(self, x):\n    # third of 2\n    relu = torch.relu(x);  x = None\n    return relu\n    ");
    ck_assert_int_eq(fx_graph_remove_code_hook(g, first), FX_E_NOT_FOUND);
    CHECK_DIAG(context, "the graph has no code hook 0");
    CHECK_OK((fx_context_clear(context), context), fx_graph_add_code_hook(g, refuse, NULL, &first));
    ck_assert_ptr_null(fx_graph_to_python(g, NULL));
    CHECK_DIAG(context, "there is no line 9; the text has 3");
    teardown();
}
END_TEST

/* ---- Modules ----------------------------------------------------------------------------------------------------------- */

static void add_root(fx_graph *graph)
{
    fx_attr x = fx_node_attr(fx_graph_placeholder(graph, "x", NULL));
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "math.sqrt", &x, 1)));
}

static void add_tensor(fx_module *to, const char *path, fx_dtype dtype, bool is_buffer)
{
    fx_tensor tensor = fx_tensor_view(NULL, dtype, 2, (int64_t[]){2, 3});
    CHECK_OK(context, fx_module_add_tensor(to, path, &tensor, is_buffer, NULL, NULL));
}

START_TEST(modules_are_files_and_listings)
{
    setup();
    fx_module *child = fx_module_new(context, "Block");
    add_root(fx_module_graph(child));
    add_tensor(child, "weight", FX_F32, false);
    add_tensor(child, "steps", FX_I64, false);
    add_tensor(module, "scale", FX_F64, true);
    CHECK_OK(context, fx_module_add_submodule(module, "block", child));
    CHECK_OK(context, fx_module_set_class(module, "my.models.Net"));
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", NULL));
    fx_node *block = fx_graph_call_module(g, "block", fx_tuple(g, &x, 1), fx_none());
    ck_assert_str_eq(fx_node_rename(block, "math_sqrt"), "math_sqrt"); /* in the file that is a function */
    fx_graph_output(g, fx_node_attr(block));
    char *file = fx_module_to_python(module, NULL), *listing = fx_module_to_readable(module);
    CHECK_GOLDEN("module.py.txt", file);
    CHECK_GOLDEN("module_readable.txt", listing);
    fx_text_free(file);
    fx_text_free(listing);
    teardown();
}
END_TEST

FX_TESTS("python", the_empty_graph, a_body_of_statements, names_of_files_become_names_of_python, shapes_and_places,
         hooks_change_the_lines, modules_are_files_and_listings)
