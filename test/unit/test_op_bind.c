/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table from outside: names, schemas, and binding of every spelling to the schema's parameters. */
#include "fxjit/compile.h"
#include "harness.h"
#include "ir/op_schema.h"
#include <string.h>

typedef struct bench {
    fx_context *context;
    fx_graph *graph;
    fx_node *x;
    fx_attr bound[FX_PARAMS];
} bench;

static bench setup(void)
{
    bench b = {.context = fx_context_new()};
    b.graph = fx_graph_new(b.context);
    b.x = fx_graph_placeholder(b.graph, "x", &(fx_type){FX_F32, 2, {2, 3}});
    ck_assert_ptr_nonnull(b.x);
    return b;
}

static void teardown(bench *b)
{
    fx_graph_free(b->graph);
    fx_context_free(b->context);
}

static fx_status bind(bench *b, const char *target, const fx_attr *args, int32_t n, const char *key, fx_attr value)
{
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = target, .args = fx_tuple(b->graph, args, n)};
    if (key) spec.kwargs = fx_dict(b->graph, &key, &value, 1);
    fx_node *node = fx_graph_create_node(b->graph, &spec);
    ck_assert_ptr_nonnull(node);
    ck_assert_ptr_nonnull(node->op);
    return fx__op_bind(b->graph, node, node->op, b->bound);
}

#define X(b) fx_node_attr((b).x)
#define ARGS(...) (const fx_attr[]){__VA_ARGS__}, (int32_t)(sizeof((const fx_attr[]){__VA_ARGS__}) / sizeof(fx_attr))

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

START_TEST(rows_have_many_names)
{
    const fx_op *relu = fx_op_find("relu");
    ck_assert_ptr_nonnull(relu);
    ck_assert_ptr_eq(fx_op_find("torch.ops.aten.relu.default"), relu);
    ck_assert_ptr_eq(fx_op_find("aten.relu.default"), relu);
    ck_assert_ptr_eq(fx_op_find("torch.nn.functional.relu"), relu);
    ck_assert_ptr_eq(fx_op_find("method:relu"), relu);
    ck_assert_ptr_eq(fx_op_find("aten.add.Scalar"), fx_op_find("operator.add"));
    ck_assert_ptr_null(fx_op_find("rel"));
    ck_assert_ptr_null(fx_op_find(""));
}
END_TEST

/* ---- Schemas --------------------------------------------------------------------------------------------------------------- */

START_TEST(a_schema_is_read)
{
    fx_schema s;
    ck_assert(fx__schema_parse("f.o(Tensor(a!) self, Tensor? w=None, int[2] stride=1, SymInt[]? size=None, float eps=1e-05, *, "
                               "str mode='none', bool flag=True, Layout layout=torch.strided_) -> (Tensor a, Tensor b)",
                               &s) == false); /* a dot is no part of a word */
    ck_assert(fx__schema_parse("f.o(Tensor(a!) self, Tensor? w=None, int[2] stride=1, SymInt[]? size=None, float eps=1e-05, *, "
                               "str mode='none', bool flag=True, Layout layout=strided) -> (Tensor a, Tensor b)",
                               &s));
    ck_assert_int_eq(s.n_params, 8);
    ck_assert_int_eq(s.n_results, 2);
    ck_assert_str_eq(s.param[0].name, "self");
    ck_assert(!s.param[0].optional && !s.param[0].has_default);
    ck_assert(s.param[1].optional && s.param[1].has_default && s.param[1].fallback.kind == FX_ATTR_NONE);
    ck_assert_int_eq(s.param[2].fallback.n, 2);
    ck_assert_int_eq(s.param[2].fallback.u.items[1].u.i, 1);
    ck_assert(s.param[3].kind == FX_PARAM_INTS && s.param[3].optional);
    ck_assert_double_eq(s.param[4].fallback.u.f, 1e-05);
    ck_assert(!s.param[4].keyword_only && s.param[5].keyword_only);
    ck_assert_str_eq(s.param[5].fallback.u.s, "none");
    ck_assert_int_eq(s.param[6].fallback.u.i, 1);
}
END_TEST

START_TEST(malformed_schemas_are_refused)
{
    static const char *const bad[] = {"f",
                                      "f(Tensor self",
                                      "f(Tensor) -> Tensor",
                                      "f(Matrix self) -> Tensor",
                                      "f(Tensor self) -> ",
                                      "f(Tensor self, int n=) -> Tensor",
                                      "f(Tensor self, int[2 n) -> Tensor",
                                      "f(Tensor self) -> (Tensor, Tensor",
                                      "f(Tensor self) -> Tensor, Tensor",
                                      "f(str s='open) -> Tensor"};
    fx_schema s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert_msg(!fx__schema_parse(bad[i], &s), "accepted: %s", bad[i]);
}
END_TEST

/* ---- Binding --------------------------------------------------------------------------------------------------------------- */

START_TEST(defaults_are_filled)
{
    bench b = setup();
    CHECK_OK(b.context, bind(&b, "torch.ops.aten.add.Tensor", ARGS(X(b), fx_float(1.5)), NULL, fx_none()));
    ck_assert_int_eq(b.bound[1].kind, FX_ATTR_FLOAT);
    ck_assert(b.bound[2].kind == FX_ATTR_INT && b.bound[2].u.i == 1);
    CHECK_OK(b.context, bind(&b, "torch.ops.aten.add.Tensor", ARGS(X(b), X(b)), "alpha", fx_int(3)));
    ck_assert_int_eq(b.bound[2].u.i, 3);
    teardown(&b);
}
END_TEST

START_TEST(torchs_other_keywords_are_known)
{
    bench b = setup();
    CHECK_OK(b.context, bind(&b, "torch.nn.functional.relu", NULL, 0, "input", X(b)));
    ck_assert_ptr_eq(b.bound[0].u.node, b.x);
    CHECK_OK(b.context, bind(&b, "torch.sum", ARGS(X(b)), "axis", fx_int(1)));
    ck_assert_int_eq(b.bound[1].n, 1);
    CHECK_OK(b.context, bind(&b, "torch.nn.functional.softmax", ARGS(X(b), fx_int(1)), "_stacklevel", fx_int(3)));
    CHECK_OK(b.context, bind(&b, "torch.nn.functional.relu", ARGS(X(b)), "inplace", fx_bool(false)));
    teardown(&b);
}
END_TEST

START_TEST(integers_become_lists)
{
    bench b = setup();
    CHECK_OK(b.context, bind(&b, "torch.nn.functional.max_pool2d", ARGS(X(b), fx_int(3)), NULL, fx_none()));
    ck_assert_int_eq(b.bound[1].n, 2);
    ck_assert_int_eq(b.bound[1].u.items[1].u.i, 3);
    CHECK_OK(b.context, bind(&b, "torch.ops.aten.view.default", ARGS(X(b), fx_int(3), fx_int(2)), NULL, fx_none()));
    ck_assert(b.bound[1].kind == FX_ATTR_LIST && b.bound[1].n == 2);
    fx_attr sizes = fx_tuple(b.graph, ARGS(fx_int(-1)));
    CHECK_OK(b.context, bind(&b, "torch.ops.aten.view.default", ARGS(X(b), sizes), NULL, fx_none()));
    ck_assert(b.bound[1].kind == FX_ATTR_LIST && b.bound[1].n == 1);
    teardown(&b);
}
END_TEST

/* As many as with the keyword-only ones there are parameters. */
START_TEST(the_last_size_is_no_keyword)
{
    bench b = setup();
    CHECK_OK(b.context, bind(&b, "method:expand", ARGS(X(b), fx_int(4), fx_int(3)), NULL, fx_none()));
    ck_assert(b.bound[1].kind == FX_ATTR_LIST && b.bound[1].n == 2);
    ck_assert(b.bound[2].kind == FX_ATTR_BOOL && !b.bound[2].u.i);
    fx_attr sizes = fx_list(b.graph, ARGS(fx_int(4), fx_int(3)));
    CHECK_OK(b.context, bind(&b, "torch.ops.aten.expand.default", ARGS(X(b), sizes, fx_bool(true)), NULL, fx_none()));
    ck_assert(b.bound[1].n == 2 && b.bound[2].u.i);
    teardown(&b);
}
END_TEST

START_TEST(all_problems_of_a_call_are_named)
{
    bench b = setup();
    fx_attr text = fx_str(b.graph, "x");
    ck_assert_int_eq(bind(&b, "torch.ops.aten.relu.default", ARGS(X(b), fx_int(1)), NULL, fx_none()), FX_E_ARG);
    CHECK_DIAG(b.context, "takes 1 positional arguments, not 2");
    ck_assert_int_eq(bind(&b, "torch.ops.aten.relu.default", ARGS(X(b)), "self", X(b)), FX_E_ARG);
    CHECK_DIAG(b.context, "given twice");
    ck_assert_int_eq(bind(&b, "torch.ops.aten.relu.default", ARGS(fx_int(1)), "unknown", fx_int(2)), FX_E_ARG);
    CHECK_DIAG(b.context, "no argument 'unknown'");
    CHECK_DIAG(b.context, "argument 'self' of relu is int; expected Tensor");
    ck_assert_int_eq(bind(&b, "torch.ops.aten.add.Tensor", NULL, 0, "alpha", text), FX_E_ARG);
    CHECK_DIAG(b.context, "misses its argument 'self'");
    CHECK_DIAG(b.context, "misses its argument 'other'");
    CHECK_DIAG(b.context, "argument 'alpha' of add is str; expected number");
    teardown(&b);
}
END_TEST

/* ---- Inference ------------------------------------------------------------------------------------------------------------- */

static fx_node *infer_add(bench *b, fx_type left, fx_type right, fx_status expected)
{
    fx_attr args[] = {fx_node_attr(fx_graph_placeholder(b->graph, "a", &left)),
                      fx_node_attr(fx_graph_placeholder(b->graph, "b", &right))};
    fx_node *node = fx_graph_call(b->graph, "torch.ops.aten.add.Tensor", args, 2);
    ck_assert_int_eq(fx__op_infer(node), expected);
    return node;
}

START_TEST(shapes_broadcast)
{
    bench b = setup();
    fx_node *node = infer_add(&b, (fx_type){FX_I32, 3, {4, 1, 3}}, (fx_type){FX_F16, 2, {5, 1}}, FX_OK);
    ck_assert(node->result[0].dtype == FX_F16 && node->result[0].rank == 3);
    ck_assert(node->result[0].dim[0] == 4 && node->result[0].dim[1] == 5 && node->result[0].dim[2] == 3);
    infer_add(&b, (fx_type){FX_F32, 1, {2}}, (fx_type){FX_F32, 1, {3}}, FX_E_SHAPE);
    CHECK_DIAG(b.context, "f32[2] and f32[3]");
    infer_add(&b, (fx_type){FX_F32, 1, {0}}, (fx_type){FX_F32, 1, {1}}, FX_OK);
    teardown(&b);
}
END_TEST

START_TEST(a_symbol_is_no_stretched_one)
{
    bench b = setup();
    fx_dim s0 = fx_graph_symbol(b.graph, "s0", 0, 64, 8, 1), s1 = fx_graph_symbol(b.graph, "s1", 0, 64, 8, 1);
    int32_t before = fx__dims_guard_count(b.graph->dims);
    fx_node *node = infer_add(&b, (fx_type){FX_F32, 1, {s0}}, (fx_type){FX_F32, 1, {1}}, FX_OK);
    ck_assert(node->result[0].dim[0] == s0);
    ck_assert_int_eq(fx__dims_guard_count(b.graph->dims), before);
    infer_add(&b, (fx_type){FX_F32, 1, {s0}}, (fx_type){FX_F32, 1, {s1}}, FX_OK);
    ck_assert_int_eq(fx__dims_guard_count(b.graph->dims), before + 1);
    ck_assert_int_eq(fx__dims_guard(b.graph->dims, before)->kind, FX_GUARD_EQ);
    infer_add(&b, (fx_type){FX_F32, 1, {s0}}, (fx_type){FX_F32, 1, {100}}, FX_E_SHAPE);
    teardown(&b);
}
END_TEST

START_TEST(undeclared_dtypes_are_refused)
{
    bench b = setup();
    fx_attr arg = fx_node_attr(fx_graph_placeholder(b.graph, "t", &(fx_type){FX_BOOL, 1, {2}}));
    ck_assert_int_eq(fx__op_infer(fx_graph_call(b.graph, "torch.ops.aten.neg.default", &arg, 1)), FX_E_TYPE);
    CHECK_DIAG(b.context, "neg is not defined on bool");
    arg = fx_node_attr(fx_graph_placeholder(b.graph, "u", NULL));
    ck_assert_int_eq(fx__op_infer(fx_graph_call(b.graph, "torch.ops.aten.neg.default", &arg, 1)), FX_E_SHAPE);
    CHECK_DIAG(b.context, "the type of its input u is not known");
    teardown(&b);
}
END_TEST

FX_TESTS("operator table", rows_have_many_names, a_schema_is_read, malformed_schemas_are_refused, defaults_are_filled,
         torchs_other_keywords_are_known, integers_become_lists, the_last_size_is_no_keyword, all_problems_of_a_call_are_named,
         shapes_broadcast, a_symbol_is_no_stretched_one, undeclared_dtypes_are_refused)
