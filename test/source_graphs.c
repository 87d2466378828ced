/* SPDX-License-Identifier: Apache-2.0 */
/* test/source_graphs.c: models from files, a traced function with options of every kind, every kind of argument value, and names
 * that the tracer would not give. */
#include "source_graphs.h"
#include "fxjit/compile.h"
#include "fxjit/ops.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const files[][2] = {
    {"mlp", "data/mlp/model.onnx"},
    {"convnet", "data/convnet/model.onnx"},
    {"moves", "fuzz/corpus/fuzz_fx/moves.fx"},
    {"pool", "fuzz/corpus/fuzz_fx/pool.fx"},
    {"shapes", "fuzz/corpus/fuzz_fx/shapes.fx"},
    {"dynamic", "data/mlp_dynamic/model.onnx"},
};

static fx_module *loaded(fx_context *context, const char *file)
{
    char path[512];
    fx_module *module = NULL;
    snprintf(path, sizeof path, "%s/test/%s", FX_SOURCE_DIR, file);
    return fx_load(context, path, &module) == FX_OK ? module : NULL;
}

static fx_module *traced(fx_context *context)
{
    static float weights[2 * 3 * 3 * 3];
    fx_tensor weight = fx_tensor_view(weights, FX_F32, 4, (int64_t[]){2, 3, 3, 3});
    fx_scope *scope = fx_trace_begin(context, "traced");
    fx_dim rows = fx_trace_symbol(scope, "rows", 1, 64, 8);
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 4, {rows, 3, 8, 8}});
    fx_value y = fx_conv2d(x, fx_parameter(scope, "weight", &weight, NULL, NULL), FX_NO_VALUE,
                           &(fx_conv2d_options){.padding = FX_LIST(1, 1), .stride = FX_LIST(2, 1)});
    y = fx_add(fx_mul(y, 3), 0.5, &(fx_add_options){.alpha = FX_ARG(-2)});
    y = fx_cat(FX_VALUES(y, fx_relu(y), fx_relu(y)), &(fx_cat_options){.dim = FX_ARG(1)});
    fx_value z = fx_to_copy(fx_sum(fx_clamp(y, &(fx_clamp_options){.max = FX_ARG(1e30)})),
                            &(fx_to_copy_options){.dtype = &(fx_dtype){FX_F64}});
    fx_module *module = NULL;
    return fx_trace_finish(scope, (fx_value[]){y, z, y}, 3, &module) == FX_OK ? module : NULL;
}

static fx_attr all_values(fx_graph *g, fx_node *x)
{
    fx_attr list[] = {fx_none(),
                      fx_ellipsis(),
                      fx_bool(true),
                      fx_int(-3),
                      fx_int(INT64_MIN),
                      fx_int(INT64_MAX),
                      fx_float(0.1),
                      fx_float(-INFINITY),
                      fx_float(-0.0),
                      fx_complex(2, -3.5),
                      fx_str(g, "a\"b?\n\\\1"
                                "7"),
                      fx_dtype_attr(FX_BF16),
                      fx_device(g, "cuda:1"),
                      fx_name_attr(g, "torch.strided"),
                      fx_node_attr(x),
                      fx_float(1e22)};
    fx_attr inner = fx_list(g, list, 16);
    fx_attr tuple[] = {inner,
                       fx_tuple(g, &list[3], 1),
                       fx_slice(g, fx_int(1), fx_none(), fx_int(2)),
                       fx_range(g, fx_int(0), fx_int(3), fx_int(1)),
                       fx_list(g, NULL, 0),
                       fx_tuple(g, NULL, 0)};
    return fx_dict(g, (const char *[]){"k", "key two"}, (fx_attr[]){fx_tuple(g, tuple, 6), fx_dict(g, NULL, NULL, 0)}, 2);
}

static fx_module *arguments(fx_context *context)
{
    fx_module *module = fx_module_new(context, "all \"arguments\"");
    fx_graph *g = fx_module_graph(module);
    fx_attr three = fx_float(3);
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_graph_placeholder_with(g, "scale", NULL, &three, "float");
    fx_graph_placeholder(g, "**kwargs", NULL);
    fx_attr values = all_values(g, x), object = fx_node_attr(x);
    fx_node *f =
        fx_graph_call_function(g, "my.function", fx_tuple(g, &values, 1), fx_dict(g, (const char *[]){"alpha"}, &values, 1));
    fx_node_set_annotation(f, "typing.Optional[int]");
    fx_node_set_meta(f, "tag", fx_str(g, "first"));
    fx_node *m = fx_graph_call_method(g, "view", fx_tuple(g, (fx_attr[]){object, fx_int(-1)}, 2), fx_none());
    fx_graph_call(g, "torch.ops.aten.relu.default", &object, 1); /* of no known type */
    fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_CALL_MODULE, .target = "layer.0", .args = fx_tuple(g, &object, 1)});
    fx_graph_output(g, fx_dict(g, (const char *[]){"out"}, (fx_attr[]){fx_list(g, (fx_attr[]){fx_node_attr(m), fx_int(1)}, 2)}, 1));
    return module;
}

/* "add" is a name that the tracer gives to the first sum, which is not called so; it leaves out defaults, which the last sum has.
 */
static fx_module *names(fx_context *context)
{
    fx_module *module = fx_module_new(context, "names");
    fx_graph *g = fx_module_graph(module);
    static const char *const wanted[] = {"add_1", "add", "a/b:0", "int", "fx_relu", "scope", "_x", "add_7"};
    fx_node *x = fx_graph_placeholder(g, "input.1", &(fx_type){FX_F32, 1, {4}});
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        fx_attr args[] = {fx_node_attr(x), fx_node_attr(x)};
        x = fx_graph_create_node(g, &(fx_node_spec){.opcode = FX_CALL_FUNCTION,
                                                    .target = "torch.ops.aten.add.Tensor",
                                                    .args = fx_tuple(g, args, 2),
                                                    .name = wanted[i],
                                                    .keep_name = true});
    }
    fx_node_set_kwarg(x, "alpha", fx_int(1));
    fx_graph_set_specs(g, "{\"tuple\":[{\"dict\":{\"a \\\"b\\\" \\n\":{\"leaf\":true}}}]}", "{\"leaf\":true}");
    fx_graph_output(g, fx_node_attr(x));
    fx_graph_propagate(g);
    return module;
}

/* scale(x, factor) = x * factor, called by a body that is called itself. */
static fx_graph *body_of(fx_context *context, fx_graph *inner)
{
    fx_graph *g = fx_graph_new(context);
    fx_type type = {FX_F32, 1, {fx_graph_symbol(g, "n", 1, 9, 4, 1)}};
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", &type)), args[] = {x, x};
    fx_node *y = inner ? fx_graph_call(g, "my.inner", &x, 1) : fx_graph_call(g, "torch.ops.aten.mul.Tensor", args, 2);
    if (inner) fx_node_set_body(y, inner);
    fx_graph_output(g, fx_node_attr(y));
    return g;
}

static fx_module *bodies(fx_context *context)
{
    fx_module *module = fx_module_new(context, "bodies */");
    fx_graph *g = fx_module_graph(module);
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", NULL));
    fx_node *y = fx_graph_call(g, "my.outer", &x, 1), *z = fx_graph_call(g, "my.inner", &x, 1);
    fx_node_set_body(y, body_of(context, body_of(context, NULL)));
    fx_node_set_body(z, body_of(context, NULL));
    fx_graph_output(g, fx_node_attr(y));
    return module;
}

/* A branch that holds a branch, and a call with a body; a loop's condition and body in a list. */
static fx_module *regions(fx_context *context)
{
    fx_module *module = fx_module_new(context, "regions");
    fx_graph *g = fx_module_graph(module), *then = fx_graph_new(context);
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", NULL)), flag = fx_node_attr(fx_graph_placeholder(g, "flag", NULL));
    fx_attr p = fx_node_attr(fx_graph_placeholder(then, "p", NULL));
    fx_attr inner[] = {p, fx_graph_attr(body_of(context, NULL)), fx_graph_attr(body_of(context, body_of(context, NULL)))};
    fx_graph_output(then, fx_node_attr(fx_graph_call(then, "torch.cond", inner, 3)));
    fx_attr args[] = {flag, fx_graph_attr(then), fx_graph_attr(body_of(context, NULL)), fx_list(g, &x, 1)};
    fx_node *y = fx_graph_call(g, "torch.cond", args, 4);
    fx_attr loop[] = {fx_graph_attr(body_of(context, NULL)), fx_graph_attr(body_of(context, NULL))};
    fx_attr whole[] = {fx_list(g, loop, 2), fx_node_attr(y)};
    fx_graph_output(g, fx_node_attr(fx_graph_call(g, "torch.while_loop", whole, 2)));
    return module;
}

/* Symbols with ranges and multiples, what is assumed about them, and how inputs and outputs are nested. */
static fx_module *assumed(fx_context *context)
{
    fx_module *module = fx_module_new(context, "assumed");
    fx_graph *g = fx_module_graph(module);
    fx_dim n = fx_graph_symbol(g, "n", 2, 1000, 8, 2), m = fx_graph_symbol(g, "m", 1, INT64_C(1) << 40, 4, 1);
    fx_graph_assume(g, fx_graph_parse_dim(g, "n*2 + 1"), FX_AT_MOST, m, "rows \"fit\"");
    fx_graph_assume(g, m, FX_NOT_EQUAL, 7, NULL);
    fx_graph_assume(g, fx_graph_parse_dim(g, "floordiv(m, 3)"), FX_EQUAL, 5, "thirds");
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", &(fx_type){FX_F32, 2, {n, 3}}));
    fx_graph_placeholder(g, "y", &(fx_type){FX_F32, 1, {m}});
    fx_attr out = fx_node_attr(fx_graph_call(g, "torch.ops.aten.relu.default", &x, 1));
    fx_graph_output(g, fx_list(g, &out, 1));
    fx_graph_propagate(g);
    fx_graph_set_specs(g, "{\"tuple\":[{\"dict\":{\"a\":{\"leaf\":true}}},{\"leaf\":true}]}", "{\"list\":[{\"leaf\":true}]}");
    return module;
}

static void one_tensor(fx_module *module, const char *path, float *data, bool is_buffer)
{
    fx_tensor tensor = fx_tensor_view(data, FX_F32, 1, (int64_t[]){3});
    fx_module_add_tensor(module, path, &tensor, is_buffer, NULL, NULL);
}

static fx_module *leaf(fx_context *context, const char *name, float *data)
{
    fx_module *module = fx_module_new(context, name);
    fx_graph *g = fx_module_graph(module);
    fx_type type = {FX_F32, 1, {3}};
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", &type));
    one_tensor(module, "scale", data, true);
    fx_attr args[] = {x, fx_node_attr(fx_graph_get_attr(g, "scale"))};
    fx_graph_output(g, fx_node_attr(fx_graph_call(g, "torch.ops.aten.mul.Tensor", args, 2)));
    fx_graph_propagate(g);
    fx_module_set_class(module, "my.Scale");
    fx_module_set_attribute(module, "by", fx_tuple(g, (fx_attr[]){fx_int(2), fx_float(0.5)}, 2));
    return module;
}

/* Modules in modules, one of them a mere container, with tensors at every level. */
static fx_module *tree(fx_context *context)
{
    static float data[3][3];
    fx_module *module = fx_module_new(context, "tree");
    fx_graph *g = fx_module_graph(module);
    one_tensor(module, "bias", data[0], false);
    fx_module_add_submodule(module, "layers.0", leaf(context, "first", data[1]));
    fx_module_add_submodule(module, "layers.1", leaf(context, "second", data[2]));
    fx_module_set_training(fx_module_submodule(module, "layers.1"), true);
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", &(fx_type){FX_F32, 1, {3}}));
    for (int i = 0; i < 2; i++)
        x = fx_node_attr(fx_graph_call_module(g, i ? "layers.1" : "layers.0", fx_tuple(g, &x, 1), fx_none()));
    fx_attr args[] = {x, fx_node_attr(fx_graph_get_attr(g, "bias"))};
    fx_graph_output(g, fx_node_attr(fx_graph_call(g, "torch.ops.aten.add.Tensor", args, 2)));
    fx_graph_propagate(g);
    return module;
}

static fx_module *nothing(fx_context *context)
{
    fx_module *module = fx_module_new(context, "nothing");
    fx_graph_output(fx_module_graph(module), fx_none());
    return module;
}

fx_module *fx_test_source_graph(fx_context *context, const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(files[i][0], name) == 0) return loaded(context, files[i][1]);
    if (strcmp(name, "traced") == 0) return traced(context);
    if (strcmp(name, "arguments") == 0) return arguments(context);
    if (strcmp(name, "bodies") == 0) return bodies(context);
    if (strcmp(name, "regions") == 0) return regions(context);
    if (strcmp(name, "assumed") == 0) return assumed(context);
    if (strcmp(name, "tree") == 0) return tree(context);
    return strcmp(name, "names") == 0 ? names(context) : nothing(context);
}
