/* SPDX-License-Identifier: Apache-2.0 */
/* str(graph) and print_tabular against what torch printed for the same graphs (goldens; num_users and qualified names as in
 * docs/), and Python's repr of single values. */
#include "harness.h"
#include "ir/graph.h"
#include <math.h>
#include <string.h>

static fx_context *context;
static fx_graph *g;

static void setup(void)
{
    context = fx_context_new();
    g = fx_graph_new(context);
}

static void teardown(void)
{
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    fx_graph_free(g);
    fx_context_free(context);
}

#define ITEMS(...) ((const fx_attr[]){__VA_ARGS__}), (int32_t)(sizeof(((const fx_attr[]){__VA_ARGS__})) / sizeof(fx_attr))
#define N(node) fx_node_attr(node)
#define TUPLE(...) fx_tuple(g, ITEMS(__VA_ARGS__))
#define LIST(...) fx_list(g, ITEMS(__VA_ARGS__))
#define KW(key, value) fx_dict(g, (const char *const[]){key}, (const fx_attr[]){value}, 1)

static fx_node *node_named(fx_opcode opcode, const char *target, fx_attr args, fx_attr kwargs, const char *name)
{
    fx_node *node = fx_graph_create_node(g, &(fx_node_spec){opcode, target, args, kwargs, name, false, {0}});
    ck_assert_ptr_nonnull(node);
    return node;
}

static fx_node *call(const char *target, fx_attr args, fx_attr kwargs)
{
    return node_named(FX_CALL_FUNCTION, target, args, kwargs, NULL);
}

static fx_node *method(const char *target, fx_attr args, fx_attr kwargs)
{
    return node_named(FX_CALL_METHOD, target, args, kwargs, NULL);
}

static fx_node *relu_named(fx_node *clamp, const char *name)
{
    return node_named(FX_CALL_FUNCTION, "torch.relu", TUPLE(N(clamp)), fx_none(), name);
}

START_TEST(small_graph)
{
    setup();
    fx_node *x = fx_graph_placeholder(g, "x", NULL), *w = fx_graph_get_attr(g, "linear.weight");
    fx_node *add = call("operator.add", TUPLE(N(x), N(w)), fx_none());
    fx_node *linear = node_named(FX_CALL_MODULE, "linear", TUPLE(N(add)), fx_none(), NULL);
    fx_node *relu = method("relu", TUPLE(N(linear)), fx_none());
    fx_node *sum = call("torch.sum", TUPLE(N(relu)), KW("dim", fx_int(-1)));
    fx_node *topk = call("torch.topk", TUPLE(N(sum), fx_int(3)), fx_none());
    fx_graph_output(g, N(topk));
    char *text = fx_graph_to_string(g), *table = fx_graph_to_table(g);
    CHECK_GOLDEN("graph_small.txt", text);
    CHECK_GOLDEN("table_small.txt", table);
    fx_text_free(text);
    fx_text_free(table);
    teardown();
}
END_TEST

/* Every kind of argument: the largest of the samples. */
static void build_big(void)
{
    fx_attr none = fx_none();
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    node_named(FX_PLACEHOLDER, "y", TUPLE(fx_none()), none, NULL);
    node_named(FX_PLACEHOLDER, "z", TUPLE(fx_float(1.5)), none, NULL);
    fx_graph_placeholder(g, "*args", NULL);
    fx_graph_placeholder(g, "**kwargs", NULL);
    fx_attr index = TUPLE(fx_slice(g, none, none, none), fx_slice(g, fx_int(1), none, none), {.kind = FX_ATTR_ELLIPSIS}, fx_none(),
                          fx_slice(g, none, none, fx_int(2)));
    fx_node *getitem = call("operator.getitem", TUPLE(N(x), index), none);
    fx_node *view = method("view", TUPLE(N(getitem), TUPLE(fx_int(2), fx_int(-1))), none);
    fx_node *cat = call("torch.cat", TUPLE(LIST(N(view), N(getitem))), KW("dim", fx_int(-1)));
    fx_attr zeros_kw =
        fx_dict(g, (const char *const[]){"device", "dtype", "layout"},
                (const fx_attr[]){
                    {.kind = FX_ATTR_DEVICE, .u.s = "cpu"}, fx_dtype_attr(FX_F16), {.kind = FX_ATTR_NAME, .u.s = "torch.strided"}},
                3);
    fx_node *zeros = call("torch.zeros", TUPLE(TUPLE(fx_int(3), fx_int(4))), zeros_kw);
    fx_node *add = call("torch.add", TUPLE(N(cat), fx_int(2)), KW("alpha", fx_int(3)));
    fx_node *truediv = call("operator.truediv", TUPLE(N(add), fx_int(2)), none);
    fx_node *add_1 = call("operator.add", TUPLE(N(truediv), fx_float(INFINITY)), none);
    fx_node *neg = call("operator.neg", TUPLE(N(add_1)), none);
    fx_node *relu = call("torch.nn.functional.relu", TUPLE(N(neg)), KW("inplace", fx_bool(true)));
    fx_node *matmul = call("operator.matmul", TUPLE(N(relu), N(neg)), none);
    fx_node *pow_1 = call("operator.pow", TUPLE(N(matmul), fx_int(2)), none);
    fx_node *gt = call("operator.gt", TUPLE(N(pow_1), fx_float(0.5)), none);
    fx_node *where = call("torch.where", TUPLE(N(gt), N(pow_1), N(zeros)), none);
    fx_node *getattr_1 = call("builtins.getattr", TUPLE(N(where), fx_str(g, "shape")), none);
    fx_node *mul = call("torch.ops.aten.mul.Tensor", TUPLE(N(where), N(where)), none);
    fx_node *conv = call("torch.conv2d",
                         TUPLE(N(mul), N(where), fx_none(), TUPLE(fx_int(1), fx_int(1)), TUPLE(fx_int(0), fx_int(0)),
                               TUPLE(fx_int(1), fx_int(1)), fx_int(1)),
                         none);
    fx_node *sum_1 = call("torch.sum", TUPLE(N(conv)), none);
    fx_node *sum_2 =
        call("torch.sum", TUPLE(N(conv)),
             fx_dict(g, (const char *const[]){"dim", "keepdim"}, (const fx_attr[]){LIST(fx_int(0), fx_int(1)), fx_bool(false)}, 2));
    fx_node *to = method("to", TUPLE(N(sum_2), fx_dtype_attr(FX_I64)),
                         KW("memory_format", ((fx_attr){.kind = FX_ATTR_NAME, .u.s = "torch.channels_last"})));
    call("operator.setitem", TUPLE(N(to), fx_int(0), N(sum_1)), none);
    call("operator.iadd", TUPLE(N(to), N(sum_1)), none);
    fx_node *len_1 = call("builtins.len", TUPLE(N(to)), none);
    call("math.sqrt", TUPLE(N(len_1)), none);
    call("operator.getitem", TUPLE(N(getattr_1), fx_int(-1)), none);
    fx_node *w = fx_graph_get_attr(g, "linear.weight");
    fx_node *linear = node_named(FX_CALL_MODULE, "linear", TUPLE(N(w)), none, NULL);
    fx_node *chunk = method("chunk", TUPLE(N(linear), fx_int(2)), KW("dim", fx_int(1)));
    fx_node *item = call("operator.getitem", TUPLE(N(chunk), fx_int(0)), none);
    fx_node *clamp = call("torch.clamp", TUPLE(N(item)),
                          fx_dict(g, (const char *const[]){"min", "max"}, (const fx_attr[]){fx_float(1e-5), fx_float(1e20)}, 2));
    fx_node *and_ = call("operator.and_", TUPLE(N(gt), fx_bool(true)), none);
    call("operator.invert", TUPLE(N(and_)), none);
    fx_node *my_name = relu_named(clamp, "my_name_3");
    const char *const names[] = {"my_name_4", "my_name", "3bad name.x", "if", "inf", "torch"};
    for (int i = 0; i < 6; i++) relu_named(clamp, names[i]);
    fx_node *camel = relu_named(clamp, "camelCase");
    fx_node *add_2 = method("__add__", TUPLE(N(camel), fx_int(1)), none);
    fx_node *flatten = method("flattenDims",
                              TUPLE(N(camel), fx_float(-0.0), fx_float(1e16), fx_float(123456789.123), fx_float(1.0 / 3),
                                    fx_float(1e-7), {.kind = FX_ATTR_COMPLEX, .u.c = {2, 3}}, fx_str(g, "a\"b'c\n")),
                              none);
    fx_attr l = LIST(N(add_2), TUPLE(N(my_name)), fx_none(), fx_float(1e-5), fx_str(g, "str"), fx_dtype_attr(FX_F32),
                     fx_slice(g, fx_int(1), none, none));
    fx_graph_output(g,
                    fx_dict(g, (const char *const[]){"out", "l", "t"}, (const fx_attr[]){N(flatten), l, fx_tuple(g, NULL, 0)}, 3));
}

START_TEST(every_kind_of_argument)
{
    setup();
    build_big();
    char *text = fx_graph_to_string(g), *table = fx_graph_to_table(g), *dot = fx_graph_to_dot(g);
    CHECK_GOLDEN("graph_big.txt", text);
    CHECK_GOLDEN("table_big.txt", table);
    ck_assert(strncmp(dot, "digraph fx {", 12) == 0);
    fx_text_free(text);
    fx_text_free(table);
    fx_text_free(dot);
    teardown();
}
END_TEST

static void check_repr(fx_attr value, const char *expected)
{
    fx_text text;
    fx__text_init(&text, context);
    fx__attr_repr(&text, g, &value);
    char *got = fx__text_finish(&text);
    ck_assert_str_eq(got, expected);
    fx_text_free(got);
}

START_TEST(python_repr_of_values)
{
    setup();
    check_repr(fx_str(g, "it's"), "\"it's\"");
    check_repr(fx_str(g, "it's \"x\""), "'it\\'s \"x\"'");
    check_repr(fx_str(g, "\x01\t\\"), "'\\x01\\t\\\\'");
    check_repr((fx_attr){.kind = FX_ATTR_COMPLEX, .u.c = {0, 2}}, "2j");
    check_repr((fx_attr){.kind = FX_ATTR_COMPLEX, .u.c = {1.5, -2}}, "(1.5-2j)");
    check_repr((fx_attr){.kind = FX_ATTR_DEVICE, .u.s = "cuda:1"}, "device(type='cuda', index=1)");
    check_repr((fx_attr){.kind = FX_ATTR_RANGE, .n = 3, .u.items = (const fx_attr[]){fx_int(0), fx_int(3), fx_int(1)}},
               "range(0, 3)");
    check_repr(fx_tuple(g, NULL, 0), "()");
    check_repr(TUPLE(fx_int(1)), "(1,)");
    check_repr(fx_float(-NAN), "nan");
    teardown();
}
END_TEST

START_TEST(empty_and_identity)
{
    setup();
    char *text = fx_graph_to_string(g);
    ck_assert_str_eq(text, "graph():");
    fx_text_free(text);
    fx_node *x = fx_graph_placeholder(g, "x", NULL);
    fx_graph_output(g, N(x));
    text = fx_graph_to_string(g);
    ck_assert_str_eq(text, "graph():\n    %x : [num_users=1] = placeholder[target=x]\n    return x");
    fx_text_free(text);
    char *line = fx_node_to_string(x);
    ck_assert_str_eq(line, "%x : [num_users=1] = placeholder[target=x]");
    fx_text_free(line);
    teardown();
}
END_TEST

FX_TESTS("print", small_graph, every_kind_of_argument, python_repr_of_values, empty_and_identity)
