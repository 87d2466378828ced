/* SPDX-License-Identifier: Apache-2.0 */
/* fx_graph_to_c: the C that test/source/make.c wrote of each graph is part of this program; tracing it again gives an equal graph.
 * And what has no form in C is refused. */
#include "harness.h"
#include "fxjit/source.h"
#include "ir/graph.h"
#include "source_graphs.h"
#include <stdlib.h>
#include <string.h>

typedef fx_status (*builder)(fx_context *context, const fx_tensor *tensors, fx_module **out);
#define DECLARE(name) fx_status build_##name(fx_context *context, const fx_tensor *tensors, fx_module **out);
FX_SOURCE_GRAPHS(DECLARE)

static const struct {
    const char *name;
    builder build;
} graphs[] = {
#define ROW(name) {#name, build_##name},
    FX_SOURCE_GRAPHS(ROW)};

static void forget_places(fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        fx_node_set_loc(node, (fx_loc){0});
        if (node->body) forget_places(node->body);
    }
}

/* Lines of C are other places than those of the model, and names of outputs in its file are not the graph's. */
static char *text_of(const fx_module *module)
{
    fx_graph *graph = fx_module_graph(module);
    forget_places(graph);
    char *whole = fx_graph_to_fx(graph), *from = strstr(whole, "graph");
    ck_assert_ptr_nonnull(from);
    memmove(whole, from, strlen(from) + 1);
    return whole;
}

static void check_graph(const char *name, builder build)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_test_source_graph(context, name), *again = NULL;
    ck_assert_ptr_nonnull(module);
    fx_tensor *tensors = calloc((size_t)module->n_tensors + 1, sizeof *tensors);
    for (int32_t i = 0; i < module->n_tensors; i++) tensors[i] = module->tensors[i].tensor;
    CHECK_OK(context, build(context, tensors, &again));
    char *before = text_of(module), *after = text_of(again);
    ck_assert_str_eq(before, after);
    ck_assert_str_eq(fx_module_name(module), fx_module_name(again));
    ck_assert_int_eq(module->n_tensors, again->n_tensors);
    for (int32_t i = 0; i < again->n_tensors; i++) {
        ck_assert_str_eq(module->tensors[i].path, again->tensors[i].path);
        ck_assert_int_eq(module->tensors[i].is_buffer, again->tensors[i].is_buffer);
    }
    fx_text_free(before);
    fx_text_free(after);
    free(tensors);
    fx_module_free(again);
    fx_module_free(module);
    fx_context_free(context);
}

START_TEST(traced_again)
{
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) check_graph(graphs[i].name, graphs[i].build);
}
END_TEST

/* The tracer's functions are used where they can be, and there only. */
START_TEST(functions_of_the_tracer)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_test_source_graph(context, "traced");
    char *text = fx_graph_to_c(fx_module_graph(module), NULL);
    ck_assert_ptr_nonnull(strstr(text, "fx_status build(fx_context *context, const fx_tensor *tensors, fx_module **out)\n{"));
    ck_assert_ptr_nonnull(strstr(text, "fx_conv2d(x, weight, FX_NO_VALUE, &(fx_conv2d_options){.stride = FX_LIST(2, 1), "));
    ck_assert_ptr_nonnull(strstr(text, "fx_cat(FX_VALUES(add, relu, relu_1), &(fx_cat_options){.dim = FX_ARG(1)})"));
    ck_assert_ptr_nonnull(strstr(text, ".dtype = &(fx_dtype){FX_F64}"));
    ck_assert_ptr_null(strstr(text, "FX_CALL_FUNCTION"));
    fx_text_free(text);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(what_has_no_form)
{
    fx_context *context = fx_context_new();
    fx_graph *g = fx_graph_new(context), *region = fx_graph_new(context);
    ck_assert_ptr_null(fx_graph_to_c(g, "not a name"));
    CHECK_DIAG(context, "'not a name' is no name of a C function");
    fx_attr inner = {.kind = FX_ATTR_GRAPH, .u.graph = region};
    fx_graph_call(g, "torch.cond", &inner, 1);
    ck_assert_ptr_null(fx_graph_to_c(g, NULL));
    CHECK_DIAG(context, "a region of control flow has no form in C source; operator torch.cond, node cond");
    ck_assert_ptr_null(fx_graph_to_python(g, NULL));
    CHECK_DIAG(context, "a region of control flow has no form in Python; operator torch.cond, node cond");
    fx_graph_free(g);
    fx_context_free(context);
}
END_TEST

FX_TESTS("csource", traced_again, functions_of_the_tracer, what_has_no_form)
