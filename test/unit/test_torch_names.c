/* SPDX-License-Identifier: Apache-2.0 */
/* Pass `spell`: functions, methods and operators as torch.fx prints them, and what Python computed beside the tensors. The
 * results of each spelling are held against the interpreter's of rows that mean the same, or against numbers. */
#include "harness.h"
#include "fxjit/compile.h"
#include "fxjit/passes.h"
#include "ir/graph.h"
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

/* x: f32[2, 3, 4]; y: f32[3, 4]; i: i64[2] of places 0..1; body: .fx statements that define %r, the result. */
static fx_module *read_body(const char *body)
{
    fx_text text;
    fx_graph *graph = NULL;
    fx__text_init(&text, context);
    fx__text_append(
        &text,
        "graph {\n%%x = placeholder \"x\" : f32[2, 3, 4]\n%%y = placeholder \"y\" : f32[3, 4]\n%%i = placeholder \"i\" : i64[2]\n"
        "%s\n%%output = output(%%r)\n}\n",
        body);
    char *whole = fx__text_finish(&text);
    CHECK_OK(context, fx_graph_parse(context, "body", whole, strlen(whole), &graph));
    fx_text_free(whole);
    return fx__module_ensure(graph);
}

static float x_values[24], y_values[12];
static int64_t i_values[2] = {1, 0};

static void make_inputs(fx_tensor in[3])
{
    for (int i = 0; i < 24; i++) x_values[i] = (float)((i * 7) % 11) / 4 - 1;
    for (int i = 0; i < 12; i++) y_values[i] = (float)((i * 5) % 7) / 2 - 1.25f;
    in[0] = fx_tensor_view(x_values, FX_F32, 3, (int64_t[]){2, 3, 4});
    in[1] = fx_tensor_view(y_values, FX_F32, 2, (int64_t[]){3, 4});
    in[2] = fx_tensor_view(i_values, FX_I64, 1, (int64_t[]){2});
}

/* The core form of a body, interpreted. */
static fx_tensor meaning_of(const char *body)
{
    fx_tensor in[3], out = {0};
    fx_module *m = read_body(body), *core = NULL;
    make_inputs(in);
    CHECK_OK(context, fx_module_core(m, in, 3, &core));
    CHECK_OK(context, fx_interpret(core, in, 3, &out, 1));
    fx_module_free(core);
    fx_module_free(m);
    return out;
}

static fx_tensor compiled_of(const char *body)
{
    fx_tensor in[3], out = {0};
    fx_compiled *compiled = NULL;
    fx_module *m = read_body(body);
    make_inputs(in);
    CHECK_OK(context, fx_compile(m, in, 3, &(fx_compile_options){.threads = 1}, &compiled));
    CHECK_OK(context, fx_run(compiled, context, in, 3, &out, 1));
    fx_compiled_free(compiled);
    fx_module_free(m);
    return out;
}

static void check_same(const char *body, const fx_tensor *a, const fx_tensor *b)
{
    ck_assert_msg(a->dtype == b->dtype && a->rank == b->rank, "%s: another type: %s, rank %d", body, fx_dtype_name(b->dtype),
                  b->rank);
    for (int32_t d = 0; d < a->rank; d++) ck_assert_msg(a->dim[d] == b->dim[d], "%s: dim %d", body, (int)d);
    for (int64_t i = 0; i < fx_tensor_elems(a); i++) {
        double p = fx_tensor_get(a, i), q = fx_tensor_get(b, i);
        bool same =
            (isnan(p) && isnan(q)) || (isinf(p) && signbit(p) == signbit(q) && isinf(q)) || fabs(p - q) <= 2e-6 * fmax(1, fabs(p));
        ck_assert_msg(same, "%s: element %d: %.9g, expected %.9g", body, (int)i, q, p);
    }
}

/* What is compiled is the core form that the interpreter ran: some suffice. */
enum { COMPILE_EACH = 6 };

/* Two texts that mean the same: the rows interpreted, the spelling interpreted, and some compiled. */
typedef struct pair {
    const char *spelling, *rows;
} pair;

#define F(name, args) "call_function \"" name "\"(" args ")"
#define M(name, args) "call_method \"" name "\"(" args ")"

static void check_pairs(const pair *pairs, size_t n)
{
    char spelling[1024], rows[1024];
    setup();
    for (size_t i = 0; i < n; i++) {
        snprintf(spelling, sizeof spelling, "%s%s", *pairs[i].spelling == '%' ? "" : "%r = ", pairs[i].spelling);
        snprintf(rows, sizeof rows, "%s%s", *pairs[i].rows == '%' ? "" : "%r = ", pairs[i].rows);
        fx_tensor expected = meaning_of(rows), slow = meaning_of(spelling);
        check_same(pairs[i].spelling, &expected, &slow);
        if (i % COMPILE_EACH == 0) {
            fx_tensor fast = compiled_of(spelling);
            check_same(pairs[i].spelling, &expected, &fast);
            fx_tensor_release(&fast);
        }
        fx_tensor_release(&expected);
        fx_tensor_release(&slow);
    }
    printf("%zu spellings\n", n);
    teardown();
}
#define CHECK_PAIRS(pairs) check_pairs(pairs, sizeof pairs / sizeof pairs[0])

START_TEST(functions_and_methods)
{
    static const pair pairs[] = {
        {F("operator.add", "%x, %y"), F("aten.add.Tensor", "%x, %y")},
        {F("_operator.add", "%x, 2"), F("aten.add.Tensor", "%x, 2")},
        {F("operator.sub", "1, %x"), F("aten.rsub.Scalar", "%x, 1")},
        {F("operator.truediv", "%x, 4"), F("aten.div.Tensor", "%x, 4")},
        {F("operator.floordiv", "%x, 2"), F("aten.floor_divide.default", "%x, 2")},
        {F("operator.mod", "%x, 2"), F("aten.remainder.Scalar", "%x, 2")},
        {F("operator.pow", "%x, 2"), F("aten.mul.Tensor", "%x, %x")},
        {F("operator.neg", "%x"), F("aten.neg.default", "%x")},
        {F("operator.pos", "%x"), F("aten.clone.default", "%x")},
        {F("operator.gt", "%x, 0.5"), F("aten.gt.Scalar", "%x, 0.5")},
        {F("torch.add", "%x, %y, alpha=2"), F("aten.add.Tensor", "%x, %y, alpha=2")},
        {F("torch.flatten", "%x, 1"), F("aten.reshape.default", "%x, [2, 12]")},
        {M("flatten", "%x, start_dim=1"), F("aten.reshape.default", "%x, [2, 12]")},
        {F("torch.permute", "%x, (2, 0, 1)"), F("aten.permute.default", "%x, [2, 0, 1]")},
        {M("permute", "%x, 2, 0, 1"), F("aten.permute.default", "%x, [2, 0, 1]")},
        {M("view", "%x, 2, -1"), F("aten.reshape.default", "%x, [2, 12]")},
        {M("reshape", "%x, (6, 4)"), F("aten.reshape.default", "%x, [6, 4]")},
        {M("transpose", "%x, 1, 2"), F("aten.permute.default", "%x, [0, 2, 1]")},
        {F("torch.swapaxes", "%x, 0, 2"), F("aten.permute.default", "%x, [2, 1, 0]")},
        {M("unsqueeze", "%x, 0"), F("aten.reshape.default", "%x, [1, 2, 3, 4]")},
        {F("torch.squeeze", "%x"), F("aten.clone.default", "%x")},
        {F("torch.movedim", "%x, 0, -1"), F("aten.permute.default", "%x, [1, 2, 0]")},
        {F("torch.movedim", "%x, (0, 1), (2, 0)"), F("aten.permute.default", "%x, [1, 2, 0]")},
        {F("torch.broadcast_to", "%y, (2, 3, 4)"), F("aten.expand.default", "%y, [2, 3, 4]")},
        {M("expand", "%y, 2, -1, -1"), F("aten.expand.default", "%y, [2, 3, 4]")},
        {M("expand_as", "%y, %x"), F("aten.expand.default", "%y, [2, 3, 4]")},
        {M("view_as", "%y, %y"), F("aten.clone.default", "%y")},
        {F("torch.ravel", "%x"), F("aten.reshape.default", "%x, [24]")},
        {F("builtins.getattr", "%y, \"T\""), F("aten.permute.default", "%y, [1, 0]")},
        {F("getattr", "%x, \"mT\""), F("aten.permute.default", "%x, [0, 2, 1]")},
        {F("torch.cat", "[%x, %x], dim=1"), F("aten.cat.default", "[%x, %x], 1")},
        {F("torch.stack", "[%y, %y], 0"), F("aten.stack.default", "[%y, %y], 0")},
        {F("torch.nn.functional.relu", "%x, inplace=False"), F("aten.relu.default", "%x")},
        {F("torch.nn.functional.relu", "%x, False"), F("aten.relu.default", "%x")},
        {F("torch.nn.functional.relu6", "%x"), F("aten.clamp.default", "%x, 0, 6")},
        {F("torch.nn.functional.silu", "%x, inplace=True"), F("aten.silu.default", "%x")},
        {F("torch.nn.functional.hardtanh", "%x, -0.5, 0.5"), F("aten.clamp.default", "%x, -0.5, 0.5")},
        {F("torch.nn.functional.hardtanh", "%x, -0.5, 0.5, True"), F("aten.clamp.default", "%x, -0.5, 0.5")},
        {F("torch.nn.functional.leaky_relu", "%x, 0.1, True"), F("aten.leaky_relu.default", "%x, 0.1")},
        {F("torch.nn.functional.elu", "%x, 0.5, False"), F("aten.elu.default", "%x, 0.5")},
        {F("torch._C._nn.gelu", "%x"), F("aten.gelu.default", "%x")},
        {F("torch.nn.functional.gelu", "%x, approximate=\"tanh\""), F("aten.gelu.default", "%x, approximate=\"tanh\"")},
        {F("torch.nn.functional.tanhshrink", "%x"), "%t = " F("aten.tanh.default", "%x") "\n%r = " F("aten.sub.Tensor", "%x, %t")},
        {F("torch.nn.functional.softmax", "%x, dim=1, _stacklevel=3, dtype=None"), F("aten.softmax.int", "%x, 1")},
        {F("torch.nn.functional.softmax", "%x, 1, 3, None"), F("aten.softmax.int", "%x, 1")},
        {M("softmax", "%x, -1"), F("aten.softmax.int", "%x, 2")},
        {F("torch.log_softmax", "%x, 1"), F("aten.log_softmax.int", "%x, 1")},
        {F("torch.nn.functional.softmin", "%x, 2"), "%n = " F("aten.neg.default", "%x") "\n%r = " F("aten.softmax.int", "%n, 2")},
        {F("torch.nn.functional.glu", "%x, -1"),
         "%a = " F("aten.slice.Tensor", "%x, 2, 0, 2") "\n%b = " F("aten.slice.Tensor", "%x, 2, 2, 4") "\n%c = " F(
             "aten.sigmoid.default", "%b") "\n%r = " F("aten.mul.Tensor", "%a, %c")},
        {F("torch.nn.functional.dropout", "%x, p=0.5, training=False, inplace=False"), F("aten.clone.default", "%x")},
        {F("torch.nn.functional.avg_pool2d", "%x, 2, 1"), F("aten.avg_pool2d.default", "%x, [2, 2], [1, 1]")},
        {F("torch._C._nn.avg_pool2d", "%x, kernel_size=2, stride=1, padding=0"),
         F("aten.avg_pool2d.default", "%x, [2, 2], [1, 1]")},
        {F("torch.nn.functional.max_pool2d", "%x, 2, stride=1, padding=0, dilation=1, ceil_mode=False, return_indices=False"),
         F("aten.max_pool2d.default", "%x, [2, 2], [1, 1]")},
        {F("torch.nn.functional.adaptive_avg_pool2d", "%x, (1, 1)"), F("aten.mean.dim", "%x, [1, 2], True")},
        {F("torch.nn.functional.layer_norm", "%x, (4,), weight=None, bias=None, eps=1e-05"),
         F("aten.layer_norm.default", "%x, [4]")},
        {F("torch.nn.functional.instance_norm", "%x"), F("aten.group_norm.default", "%x, 3")},
        {F("torch.nn.functional.pad", "%x, (1, 2), mode=\"constant\", value=0"),
         F("aten.constant_pad_nd.default", "%x, [1, 2], 0")},
        {F("torch.nn.functional.normalize", "%x, p=2.0, dim=1"),
         "%s = " F("aten.mul.Tensor", "%x, %x") "\n%t = " F("aten.sum.dim_IntList", "%s, [1], True") "\n%u = " F(
             "aten.sqrt.default", "%t") "\n%r = " F("aten.div.Tensor", "%x, %u")},
        {F("torch.nn.functional.mse_loss", "%x, %y, reduction=\"sum\""),
         "%d = " F("aten.sub.Tensor", "%x, %y") "\n%s = " F("aten.mul.Tensor", "%d, %d") "\n%r = " F("aten.sum.default", "%s")},
        {F("torch.nn.functional.linear", "%x, %y"), F("aten.linear.default", "%x, %y")},
        {F("torch.nn.functional.one_hot", "%i, 3"),
         "%a = " F("aten.eye.default", "3, dtype=dtype(i64)") "\n%r = " F("aten.index_select.default", "%a, 0, %i")},
    };
    CHECK_PAIRS(pairs);
}
END_TEST

START_TEST(overloads_are_told_by_their_arguments)
{
    static const pair pairs[] = {
        {"%m = " F("torch.max", "%x, 1") "\n%r = " F("operator.getitem", "%m, 0"), F("aten.amax.default", "%x, [1]")},
        {"%m = " M("max", "%x, dim=-1, keepdim=True") "\n%r = " F("operator.getitem", "%m, 1"),
         F("aten.argmax.default", "%x, 2, True")},
        {"%m = " F("torch.min", "%x, 0") "\n%v = " F("operator.getitem", "%m, 0") "\n%r = " F("torch.min", "%v"),
         F("aten.amin.default", "%x")},
        {F("torch.max", "%x, %y"), F("aten.maximum.default", "%x, %y")},
        {F("torch.min", "%y, %x"), F("aten.minimum.default", "%x, %y")},
        {M("max", "%x"), F("aten.amax.default", "%x")},
        {F("torch.sum", "%x"), F("aten.sum.default", "%x")},
        {F("torch.sum", "%x, dim=[0, 1], keepdim=False"), F("aten.sum.dim_IntList", "%x, [0, 1]")},
        {M("mean", "%x, (1, 2)"), F("aten.mean.dim", "%x, [1, 2]")},
        {F("torch.mean", "%x, dim=(0, 2), keepdim=True"), F("aten.mean.dim", "%x, [0, 2], True")},
        {M("float", "%i"), F("aten._to_copy.default", "%i, dtype=dtype(f32)")},
        {M("to", "%x, dtype(f64)"), F("aten._to_copy.default", "%x, dtype=dtype(f64)")},
        {M("to", "%i, %x"), F("aten._to_copy.default", "%i, dtype=dtype(f32)")},
        {M("to", "%x, device(\"cpu\"), dtype(i64)"), F("aten._to_copy.default", "%x, dtype=dtype(i64)")},
        {M("to", "%x, dtype=dtype(f16)"), F("aten._to_copy.default", "%x, dtype=dtype(f16)")},
        {M("to", "%x, memory_format=name(\"torch.channels_last\")"), F("aten.clone.default", "%x")},
        {M("requires_grad_", "%x, False"), F("aten.clone.default", "%x")},
        {M("cpu", "%x"), F("aten.clone.default", "%x")},
        {M("type_as", "%i, %x"), F("aten._to_copy.default", "%i, dtype=dtype(f32)")},
        {M("new_zeros", "%x, 2, 2"), F("aten.zeros.default", "[2, 2]")},
        {M("new_full", "%i, (2,), 7"), F("aten.full.default", "[2], 7, dtype=dtype(i64)")},
        {F("torch.var", "%x, 1, False"),
         "%m = " F("aten.mean.dim", "%x, [1], True") "\n%d = " F("aten.sub.Tensor", "%x, %m") "\n%s = " F(
             "aten.mul.Tensor", "%d, %d") "\n%r = " F("aten.mean.dim", "%s, [1]")},
        {M("std", "%x, dim=1, keepdim=True"),
         "%m = " F("aten.mean.dim", "%x, [1], True") "\n%d = " F("aten.sub.Tensor", "%x, %m") "\n%s = " F(
             "aten.mul.Tensor", "%d, %d") "\n%t = " F("aten.sum.dim_IntList",
                                                      "%s, [1], True") "\n%u = " F("aten.div.Tensor",
                                                                                   "%t, 2") "\n%r = " F("aten.sqrt.default", "%u")},
        {"%v = " F("torch.var_mean", "%x, unbiased=False") "\n%r = " F("operator.getitem", "%v, 1"), F("aten.mean.default", "%x")},
        {F("torch.norm", "%x, 2, dim=1"), "%s = " F("aten.mul.Tensor", "%x, %x") "\n%t = " F(
                                              "aten.sum.dim_IntList", "%s, [1]") "\n%r = " F("aten.sqrt.default", "%t")},
        {F("torch.norm", "%x, p=1, dim=(0, 2)"),
         "%s = " F("aten.abs.default", "%x") "\n%r = " F("aten.sum.dim_IntList", "%s, [0, 2]")},
        {F("torch.linalg.vector_norm", "%x, inf"), "%s = " F("aten.abs.default", "%x") "\n%r = " F("aten.amax.default", "%s")},
        {F("torch.tensor", "2.5"), F("aten.full.default", "[], 2.5")},
    };
    CHECK_PAIRS(pairs);
}
END_TEST

START_TEST(indices)
{
    static const pair pairs[] = {
        {F("operator.getitem", "%x, 1"), F("aten.select.int", "%x, 0, 1")},
        {F("operator.getitem", "%x, -1"), F("aten.select.int", "%x, 0, 1")},
        {F("operator.getitem", "%x, (slice(None, None, None), 1)"), F("aten.select.int", "%x, 1, 1")},
        {F("operator.getitem", "%x, slice(1, None, None)"), F("aten.slice.Tensor", "%x, 0, 1, 2")},
        {F("operator.getitem", "%x, (..., slice(None, None, 2))"), F("aten.slice.Tensor", "%x, 2, 0, 4, 2")},
        {F("operator.getitem", "%x, (None, ..., 0, None)"),
         "%s = " F("aten.select.int", "%x, 2, 0") "\n%r = " F("aten.reshape.default", "%s, [1, 2, 3, 1]")},
        {F("operator.getitem", "%x, %i"), F("aten.index_select.default", "%x, 0, %i")},
        {F("operator.getitem", "%x, (slice(None, None, None), %i)"), F("aten.index_select.default", "%x, 1, %i")},
        {F("operator.getitem", "%x, (..., %i)"), F("aten.index_select.default", "%x, 2, %i")},
        {F("operator.getitem", "%x, (0, slice(1, None, None), %i)"),
         "%a = " F("aten.select.int", "%x, 0, 0") "\n%b = " F("aten.slice.Tensor",
                                                              "%a, 0, 1, 3") "\n%r = " F("aten.index_select.default", "%b, 1, %i")},
        {F("operator.getitem", "%x, [1, 0]"), F("aten.index_select.default", "%x, 0, %i")},
        {M("__getitem__", "%x, 0"), F("aten.select.int", "%x, 0, 0")},
        {"%c = " F("torch.split", "%x, 1, dim=1") "\n%t = " F("operator.getitem",
                                                              "%c, slice(1, None, None)") "\n%r = " F("torch.cat", "%t, 1"),
         F("aten.slice.Tensor", "%x, 1, 1, 3")},
        {"%c = " M("chunk", "%x, 2, dim=-1") "\n%n = " F("builtins.len", "%c") "\n%a = " F("operator.getitem", "%c, 1") "\n%r = " F(
             "operator.mul", "%a, %n"),
         "%a = " F("aten.slice.Tensor", "%x, 2, 2, 4") "\n%r = " F("aten.mul.Tensor", "%a, 2")},
        {"%s = " F("operator.setitem", "%x, %i, 0.5") "\n%r = " F("operator.add", "%x, 0"),
         F("aten.full.default", "[2, 3, 4], 0.5")},
        {"%m = " F("operator.gt", "%x, 0") "\n%s = " F("operator.setitem", "%x, %m, 0") "\n%r = " F("operator.add", "%x, 0"),
         F("aten.clamp_max.default", "%x, 0")},
    };
    CHECK_PAIRS(pairs);
}
END_TEST

START_TEST(sizes_are_values)
{
    static const pair pairs[] = {
        {"%s = " M("size", "%x") "\n%t = " F("operator.getitem", "%s, slice(None, None, -1)") "\n%r = " M("reshape", "%x, %t"),
         F("aten.reshape.default", "%x, [4, 3, 2]")},
        {"%s = " M("size", "%x") "\n%t = " F("operator.getitem", "%s, slice(-1, -9, -2)") "\n%u = " F(
             "operator.add", "%t, (3,)") "\n%r = " M("reshape", "%x, %u"),
         F("aten.reshape.default", "%x, [4, 2, 3]")},
        {"%b = " M("size", "%x, 0") "\n%r = " M("view", "%x, %b, -1"), F("aten.reshape.default", "%x, [2, 12]")},
        {"%s = " F("builtins.getattr", "%x, \"shape\"") "\n%b = " F("operator.getitem", "%s, 0") "\n%c = " F(
             "operator.getitem", "%s, -1") "\n%d = " F("operator.mul", "%b, %c") "\n%r = " M("reshape", "%x, (%d, -1)"),
         F("aten.reshape.default", "%x, [8, 3]")},
        {"%s = " M("size", "%x") "\n%t = " F("operator.getitem", "%s, slice(None, -1, None)") "\n%u = " F(
             "operator.add", "%t, (2, 2)") "\n%r = " M("view", "%x, %u"),
         F("aten.reshape.default", "%x, [2, 3, 2, 2]")},
        {"%b = " M("size", "%x, dim=-1") "\n%h = " F("operator.floordiv", "%b, 2") "\n%r = " F("operator.getitem",
                                                                                               "%x, (..., slice(%h, None, None))"),
         F("aten.slice.Tensor", "%x, 2, 2, 4")},
        {"%b = " M("size", "%x, 2") "\n%q = " F("math.sqrt", "%b") "\n%r = " F("operator.truediv", "%x, %q"),
         F("aten.div.Tensor", "%x, 2.0")},
        {"%b = " F("builtins.len", "%x") "\n%f = " F("operator.truediv", "%b, 4") "\n%g = " F("builtins.int", "3.9") "\n%p = " F(
             "operator.add", "%f, %g") "\n%r = " F("operator.add", "%x, %p"),
         F("aten.add.Tensor", "%x, 3.5")},
        {"%d = " M("dim", "%x") "\n%n = " F("torch.numel", "%x") "\n%e = " F("operator.sub", "%n, %d") "\n%r = " F("operator.add",
                                                                                                                   "%x, %e"),
         F("aten.add.Tensor", "%x, 21")},
        {"%d = " F("builtins.getattr", "%x, \"dtype\"") "\n%r = " M("to", "%i, %d"),
         F("aten._to_copy.default", "%i, dtype=dtype(f32)")},
        {"%d = " F("builtins.getattr", "%x, \"device\"") "\n%r = " F("torch.zeros", "(2, 2), device=%d"),
         F("aten.zeros.default", "[2, 2]")},
        {"%s = " M("size", "%x, 1") "\n%e = " F("operator.eq", "%s, 3") "\n%a = " F("torch._assert", "%e, \"three\"") "\n%r = " F(
             "torch.relu", "%x"),
         F("aten.relu.default", "%x")},
        {"%m = " F("builtins.max", "2, 3") "\n%n = " F("builtins.min", "%m, 2.5") "\n%k = " F("operator.neg", "%n") "\n%r = " F(
             "operator.mul", "%x, %k"),
         F("aten.mul.Tensor", "%x, -2.5")},
        {"%m = " F("operator.mod", "-7, 3") "\n%n = " F("operator.floordiv", "-7, 2") "\n%k = " F(
             "operator.mul", "%m, %n") "\n%r = " F("operator.mul", "%x, %k"),
         F("aten.mul.Tensor", "%x, -8")},
    };
    CHECK_PAIRS(pairs);
}
END_TEST

/* The body of a symbolic x, compiled once and run at two sizes. */
static void check_symbolic(const char *body, const int64_t (*expected)[3], size_t n)
{
    char text[1024];
    fx_graph *graph = NULL;
    fx_compiled *compiled = NULL;
    setup();
    snprintf(text, sizeof text,
             "graph {\nsymbol b [1, 64] hint 4 multiple 1\n%%x = placeholder \"x\" : f32[b, 6]\n%s\n%%output = output(%%r)\n}\n",
             body);
    CHECK_OK(context, fx_graph_parse(context, "symbolic", text, strlen(text), &graph));
    fx_module *m = fx__module_ensure(graph);
    CHECK_OK(context, fx_compile(m, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled));
    for (size_t i = 0; i < n; i++) {
        fx_tensor x, y = {0};
        CHECK_OK(context, fx_tensor_alloc(FX_F32, 2, (int64_t[]){expected[i][0], 6}, &x));
        CHECK_OK(context, fx_run(compiled, context, &x, 1, &y, 1));
        ck_assert_int_eq(y.dim[0], expected[i][1]);
        ck_assert_int_eq(y.dim[1], expected[i][2]);
        fx_tensor_release(&x);
        fx_tensor_release(&y);
    }
    fx_compiled_free(compiled);
    fx_module_free(m);
    teardown();
}

START_TEST(sizes_may_be_symbols)
{
    static const int64_t flat[][3] = {{4, 8, 3}, {7, 14, 3}}, twice[][3] = {{4, 8, 6}, {5, 10, 6}};
    check_symbolic("%b = " M("size", "%x, 0") "\n%c = " F("operator.mul", "%b, 2") "\n%r = " M("view", "%x, %c, -1"), flat, 2);
    check_symbolic("%s = " F("builtins.getattr", "%x, \"shape\"") "\n%b = " F("operator.getitem", "%s, 0") "\n%c = " F(
                       "operator.floordiv", "%b, 1") "\n%e = " M("new_zeros", "%x, %c, 6") "\n%r = " F("torch.cat", "[%x, %e]"),
                   twice, 2);
}
END_TEST

START_TEST(asserted_sizes_are_tested_at_entry)
{
    fx_graph *graph = NULL;
    fx_compiled *compiled = NULL;
    setup();
    static const char text[] =
        "graph {\nsymbol b [1, 64] hint 4 multiple 1\n%x = placeholder \"x\" : f32[b, 6]\n%s = " M("size", "%x, 0") "\n%e = " F(
            "operator.eq", "%s, 4") "\n%a = " F("torch._assert",
                                                "%e, \"four rows\"") "\n%r = " F("torch.relu", "%x") "\n%output = output(%r)\n}\n";
    CHECK_OK(context, fx_graph_parse(context, "asserted", text, strlen(text), &graph));
    fx_module *m = fx__module_ensure(graph);
    CHECK_OK(context, fx_compile(m, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled));
    for (int64_t rows = 4; rows < 6; rows++) {
        fx_tensor x, y = {0};
        CHECK_OK(context, fx_tensor_alloc(FX_F32, 2, (int64_t[]){rows, 6}, &x));
        ck_assert_int_eq(fx_run(compiled, context, &x, 1, &y, 1), rows == 4 ? FX_OK : FX_E_GUARD);
        fx_tensor_release(&x);
        fx_tensor_release(&y);
    }
    fx_compiled_free(compiled);
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------------------------------------- */

static void refuse(const char *body, const char *why)
{
    fx_module *m = read_body(body), *core = NULL;
    fx_tensor in[3];
    make_inputs(in);
    ck_assert_int_ne(fx_module_core(m, in, 3, &core), FX_OK);
    CHECK_DIAG(context, why);
    fx_context_clear(context);
    fx_module_free(m);
}

START_TEST(what_cannot_be_spelled_is_told)
{
    setup();
    refuse("%r = " F("torch.nn.functional.interpolate", "%x, scale_factor=2, mode=\"bicubic\""), "mode 'bicubic' on a tensor of 3 dims");
    refuse("%r = " M("size", "%x, 5"), "dim 5 is outside a tensor of 3 dims");
    refuse("%s = " M("size", "%x") "\n%r = " F("operator.getitem", "%s, 3"), "index 3 is outside a tuple of 3");
    refuse("%r = " F("builtins.getattr", "%x, \"grad\""), "attribute grad of a tensor");
    refuse("%r = " F("torch.max", "%x, \"dim\""), "these arguments are not supported");
    refuse("%d = " F("operator.floordiv", "3, 0") "\n%r = " F("operator.add", "%x, %d"), "division by zero");
    refuse("%e = " F("operator.eq", "2, 3") "\n%a = " F("torch._assert", "%e, \"two is three\"") "\n%r = " F("torch.relu", "%x"),
           "two is three");
    refuse("%m = " F("operator.gt", "%x, 0") "\n%s = " F("operator.setitem", "%x, %m, %x") "\n%r = " F("torch.relu", "%x"),
           "x[mask] = tensor");
    teardown();
}
END_TEST

START_TEST(all_unsupported_calls_are_told_at_once)
{
    setup();
    fx_module *m = read_body(
        "%a = call_function \"my.first\"(%x) @ \"net.py\":3 in \"forward\"\n%b = call_method \"second\"(%a) @ \"net.py\":4\n"
        "%c = call_function \"torch.relu\"(%b)\n%r = call_function \"my.third\"(%c)");
    fx_module *core = NULL;
    fx_tensor in[3];
    make_inputs(in);
    ck_assert_int_eq(fx_module_core(m, in, 3, &core), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "unsupported operator; operator my.first, node a, traced at net.py:3 in forward");
    CHECK_DIAG(context, "unsupported operator; call_method second, node b, traced at net.py:4");
    CHECK_DIAG(context, "operator my.third, node r");
    int errors = 0;
    for (int32_t i = 0; i < fx_context_diag_count(context); i++)
        errors += strstr(fx_context_diag(context, i, NULL), "torch.relu") != NULL;
    ck_assert_int_eq(errors, 0); /* it only uses one of them */
    fx_module_free(m);
    teardown();
}
END_TEST

FX_TESTS("torch_names", functions_and_methods, overloads_are_told_by_their_arguments, indices, sizes_are_values,
         sizes_may_be_symbols, asserted_sizes_are_tested_at_entry, what_cannot_be_spelled_is_told,
         all_unsupported_calls_are_told_at_once)
