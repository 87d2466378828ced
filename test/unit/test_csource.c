/* SPDX-License-Identifier: Apache-2.0 */
/* fx_graph_to_c: the C that test/source/make.c wrote of each graph is part of this program; tracing it again gives an equal graph.
 * And what has no form in C is refused. */
#include "harness.h"
#include "fxjit/analysis.h"
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
    }
    for (fx_graph *inner = graph->regions; inner; inner = inner->next_region) forget_places(inner); /* bodies are among them */
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

static int32_t collect_tensors(const fx_module *module, fx_tensor *out, int32_t n)
{
    for (int32_t i = 0; i < module->n_tensors; i++) out[n++] = module->tensors[i].tensor;
    for (int32_t i = 0; i < module->n_submodules; i++) n = collect_tensors(module->submodules[i].module, out, n);
    return n;
}

static void check_facts(const fx_module *a, const fx_module *b)
{
    ck_assert_str_eq(fx_module_name(a), fx_module_name(b));
    ck_assert_pstr_eq(fx_module_class(a), fx_module_class(b));
    ck_assert_int_eq(fx_module_training(a), fx_module_training(b));
    ck_assert_int_eq(a->attributes.n, b->attributes.n);
    for (int32_t i = 0; i < a->attributes.n; i++) {
        ck_assert_str_eq(a->attributes.keys[i], b->attributes.keys[i]);
        ck_assert(fx_attr_equal(&a->attributes.u.items[i], &b->attributes.u.items[i]));
    }
    ck_assert_int_eq(a->n_tensors, b->n_tensors);
    for (int32_t i = 0; i < a->n_tensors; i++) {
        ck_assert_str_eq(a->tensors[i].path, b->tensors[i].path);
        ck_assert_int_eq(a->tensors[i].is_buffer, b->tensors[i].is_buffer);
        ck_assert_ptr_eq(a->tensors[i].tensor.data, b->tensors[i].tensor.data);
    }
    ck_assert_int_eq(a->n_submodules, b->n_submodules);
    for (int32_t i = 0; i < a->n_submodules; i++) ck_assert_str_eq(a->submodules[i].path, b->submodules[i].path);
}

static void check_equal(const fx_module *a, const fx_module *b)
{
    char *before = text_of(a), *after = text_of(b);
    fx_diff *diff = NULL;
    ck_assert_str_eq(before, after);
    ck_assert_pstr_eq(fx_graph_in_spec(a->graph), fx_graph_in_spec(b->graph));
    ck_assert_pstr_eq(fx_graph_out_spec(a->graph), fx_graph_out_spec(b->graph));
    CHECK_OK(fx_module_context(a), fx_graph_diff(a->graph, b->graph, &diff));
    ck_assert_int_eq(fx_diff_count(diff), 0);
    check_facts(a, b);
    fx_diff_free(diff);
    fx_text_free(before);
    fx_text_free(after);
    for (int32_t i = 0; i < a->n_submodules; i++) check_equal(a->submodules[i].module, b->submodules[i].module);
}

static void check_graph(const char *name, builder build)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_test_source_graph(context, name), *again = NULL;
    ck_assert_ptr_nonnull(module);
    fx_tensor *tensors = calloc(1000, sizeof *tensors);
    ck_assert_int_lt(collect_tensors(module, tensors, 0), 1000);
    CHECK_OK(context, build(context, tensors, &again));
    check_equal(module, again);
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
    ck_assert_ptr_null(fx_graph_to_python(g, NULL));
    CHECK_DIAG(context, "a region of control flow has no form in Python; operator torch.cond, node cond");
    fx_graph_free(g);
    fx_context_free(context);
}
END_TEST

FX_TESTS("csource", traced_again, functions_of_the_tracer, what_has_no_form)
