/* SPDX-License-Identifier: Apache-2.0 */
/* fx_explain: laws that hold for every explanation (each node is told once, sums agree, memory is shared by disjoint lives only), and
 * what it says of graphs whose answer is known. */
#include "fxjit/fxjit.h"
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Graphs -------------------------------------------------------------------------------------------------------------- */

static fx_module *from_file(fx_context *context, const char *file)
{
    char path[512];
    fx_module *module = NULL;
    snprintf(path, sizeof path, "%s/test/%s", FX_SOURCE_DIR, file);
    CHECK_OK(context, fx_load(context, path, &module));
    return module;
}

static fx_value zeros(fx_scope *scope, const char *name, int32_t rank, const int64_t *dim)
{
    static float memory[64 * 64 * 9];
    fx_tensor tensor = fx_tensor_view(memory, FX_F32, rank, dim);
    return fx_parameter(scope, name, &tensor, NULL, NULL);
}

/* A residual block: y = relu(conv(x)); relu(conv(y) + y). */
static fx_module *residual(fx_context *context)
{
    fx_scope *scope = fx_trace_begin(context, "residual");
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 4, {1, 16, 12, 12}}), out[1];
    fx_value w = zeros(scope, "first", 4, (int64_t[]){16, 16, 3, 3}), v = zeros(scope, "second", 4, (int64_t[]){16, 16, 3, 3});
    fx_value y = fx_relu(fx_conv2d(x, w, FX_NO_VALUE, &(fx_conv2d_options){.padding = FX_LIST(1, 1)}));
    out[0] = fx_relu(fx_add(fx_conv2d(y, v, FX_NO_VALUE, &(fx_conv2d_options){.padding = FX_LIST(1, 1)}), y));
    fx_module *module = NULL;
    CHECK_OK(context, fx_trace_finish(scope, out, 1, &module));
    return module;
}

/* Two values in one, which a convolution reads: there is nothing to copy. Views that need no kernel. */
static fx_module *pieces(fx_context *context)
{
    fx_scope *scope = fx_trace_begin(context, "pieces");
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 4, {1, 8, 12, 12}}), out[1];
    fx_value w = zeros(scope, "w", 4, (int64_t[]){16, 8, 1, 1}), v = zeros(scope, "v", 4, (int64_t[]){16, 16, 2, 2});
    fx_value y = fx_relu(fx_conv2d(x, w, FX_NO_VALUE)), z = fx_max_pool2d(y, FX_LIST(2, 2));
    z = fx_conv_transpose2d(z, v, FX_NO_VALUE, &(fx_conv_transpose2d_options){.stride = FX_LIST(2, 2)});
    fx_value both = fx_cat(FX_VALUES(z, y), &(fx_cat_options){.dim = FX_ARG(1)});
    out[0] = fx_conv2d(both, zeros(scope, "u", 4, (int64_t[]){5, 32, 12, 12}), FX_NO_VALUE);
    out[0] = fx_reshape(out[0], FX_LIST(5));
    fx_module *module = NULL;
    CHECK_OK(context, fx_trace_finish(scope, out, 1, &module));
    return module;
}

/* A sort has no compiled form; its results are items of a tuple. */
static fx_module *sorted(fx_context *context)
{
    fx_scope *scope = fx_trace_begin(context, "sorted");
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {4, 33}}), out[1];
    out[0] = fx_relu(fx_cumsum(fx_flip(fx_exp(x), FX_LIST(1)), 1));
    fx_module *module = NULL;
    CHECK_OK(context, fx_trace_finish(scope, out, 1, &module));
    return module;
}

/* ---- Laws ---------------------------------------------------------------------------------------------------------------- */

static int32_t units_of(const fx_explanation *e, const fx_node *node)
{
    int32_t n = 0;
    for (int32_t i = 0; i < e->n_unit; i++)
        for (int32_t j = 0; j < e->unit[i].n_nodes; j++) n += e->unit[i].nodes[j] == node;
    return n;
}

/* Each node of a pair is in a unit; each elsewhere is in none. */
static void check_nodes(const fx_explanation *e)
{
    for (int32_t i = 0; i < e->n_elsewhere; i++) ck_assert_int_eq(units_of(e, e->elsewhere[i].node), 0);
    for (int32_t i = 0; i < e->n_pair; i++) {
        ck_assert_int_gt(units_of(e, e->pair[i].from), 0);
        if (strcmp(e->pair[i].verdict, "PLACED") != 0) ck_assert_int_gt(units_of(e, e->pair[i].to), 0);
        ck_assert_str_ne(e->pair[i].verdict, "");
        ck_assert_str_ne(e->pair[i].reason, "");
    }
}

static void check_sums(const fx_explanation *e, const fx_compiled *compiled)
{
    int64_t top = 0, leaves = 0;
    double us = 0;
    for (int32_t i = 0; i < e->n_unit; i++) {
        const fx_unit *u = &e->unit[i];
        ck_assert_int_eq(u->index, i);
        ck_assert_int_lt(u->parent, i);
        ck_assert_int_eq(u->kind == FX_UNIT_RUN, u->kernel >= 0);
        ck_assert(!(u->init && i < e->n_unit - 1 && !e->unit[i + 1].init));
        if (u->init || u->kind == FX_UNIT_CALL) continue;
        if (u->parent < 0) top += u->flop;
        if (u->kind == FX_UNIT_RUN) leaves += u->flop * u->turns;
    }
    for (int32_t i = 0; i < e->n_unit; i++)
        if (!e->unit[i].init && e->unit[i].parent < 0) us += e->unit[i].expected_us;
    ck_assert_int_eq(top, fx_compiled_flop(compiled));
    ck_assert_int_eq(leaves, e->flop);
    ck_assert_int_eq(e->flop, top);
    ck_assert(e->expected_us == us);
}

static bool disjoint(const fx_buffer_info *a, const fx_buffer_info *b)
{
    return a->last < b->first || b->last < a->first || a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
}

static void check_memory(const fx_explanation *e)
{
    for (int32_t i = 0; i < e->n_buffer; i++) {
        const fx_buffer_info *a = &e->buffer[i];
        if (strcmp(a->kind, "workspace") != 0 || a->parent >= 0 || a->first < 0) continue;
        ck_assert_int_le(a->offset + a->bytes, e->workspace_bytes - e->scratch_bytes * e->threads);
        ck_assert_int_lt(a->last, e->n_unit);
        for (int32_t j = 0; j < i; j++) {
            const fx_buffer_info *b = &e->buffer[j];
            if (strcmp(b->kind, "workspace") != 0 || b->parent >= 0 || b->first < 0) continue;
            ck_assert(disjoint(a, b));
        }
        if (a->reuses >= 0) ck_assert_int_lt(e->buffer[a->reuses].last, a->first);
    }
}

static void check_kernels(const fx_explanation *e, const fx_compiled *compiled)
{
    ck_assert_int_eq(e->n_kernel, fx_compiled_kernel_count(compiled));
    for (int32_t k = 0; k < e->n_kernel; k++) {
        int32_t n = 0;
        for (int32_t i = 0; i < e->n_unit; i++) n += e->unit[i].kernel == k;
        ck_assert_int_eq(e->kernel[k].n_units, n);
        ck_assert_int_gt(n, 0);
        ck_assert(strncmp(e->kernel[k].hash, "k_", 2) == 0 && strlen(e->kernel[k].hash) == 18);
        ck_assert(strncmp(e->kernel[k].stages, "kernel ", 7) == 0);
        ck_assert_str_ne(e->kernel[k].schedule, "");
        ck_assert_str_ne(e->kernel[k].emitter, "none");
    }
}

static fx_explanation *explain(fx_context *context, fx_module *module, const fx_compile_options *options, fx_compiled **compiled)
{
    fx_explanation *e;
    CHECK_OK(context, fx_compile(module, NULL, 0, options, compiled));
    CHECK_OK(context, fx_explain(*compiled, &e));
    check_nodes(e);
    check_sums(e, *compiled);
    check_memory(e);
    check_kernels(e, *compiled);
    return e;
}

static void check_laws(fx_context *context, fx_module *module)
{
    static const fx_compile_options options[] = {
        {.threads = 1}, {.threads = 2, .precision = FX_PRECISION_STRICT}, {.threads = 1, .no_fusion = true, .no_in_place = true}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        fx_compiled *compiled;
        fx_explanation_free(explain(context, module, &options[i], &compiled));
        fx_compiled_free(compiled);
    }
    fx_module_free(module);
    fx_context_free(context);
}

START_TEST(laws_hold_for_files)
{
    static const char *const files[] = {"data/mlp/model.onnx", "data/convnet/model.onnx", "data/mlp_dynamic/model.onnx",
                                        "fuzz/corpus/fuzz_fx/moves.fx"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fx_context *context = fx_context_new();
        check_laws(context, from_file(context, files[i]));
    }
}
END_TEST

START_TEST(laws_hold_for_traced_graphs)
{
    fx_module *(*const graphs[])(fx_context *) = {residual, pieces, sorted};
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        fx_context *context = fx_context_new();
        check_laws(context, graphs[i](context));
    }
}
END_TEST

/* ---- Known answers --------------------------------------------------------------------------------------------------------- */

typedef struct known {
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
    fx_explanation *e;
} known;

static known open_known(fx_module *(*graph)(fx_context *), const fx_compile_options *options)
{
    known k = {.context = fx_context_new()};
    k.module = graph(k.context);
    k.e = explain(k.context, k.module, options, &k.compiled);
    return k;
}

static void close_known(known *k)
{
    fx_explanation_free(k->e);
    fx_compiled_free(k->compiled);
    fx_module_free(k->module);
    fx_context_free(k->context);
}

static const fx_neighbours *find_pair(const fx_explanation *e, const char *from, const char *to)
{
    for (int32_t i = 0; i < e->n_pair; i++)
        if (strcmp(fx_node_name(e->pair[i].from), from) == 0 && strcmp(fx_node_name(e->pair[i].to), to) == 0) return &e->pair[i];
    ck_abort_msg("no pair %s -> %s", from, to);
    return NULL;
}

static void check_pair(const fx_explanation *e, const char *from, const char *to, bool joined, const char *verdict, int64_t saved)
{
    const fx_neighbours *pair = find_pair(e, from, to);
    ck_assert_str_eq(pair->verdict, verdict);
    ck_assert_int_eq(pair->joined, joined);
    ck_assert_int_eq(pair->bytes_saved, saved);
}

START_TEST(pairs_have_reasons)
{
    known k = open_known(residual, &(fx_compile_options){.threads = 1});
    enum { BYTES = 16 * 12 * 12 * 4 };
    check_pair(k.e, "conv2d", "relu", true, "TAIL", 2 * BYTES);
    check_pair(k.e, "relu", "conv2d_1", false, "FOOTPRINT", 2 * BYTES);
    check_pair(k.e, "conv2d_1", "add", true, "TAIL", 2 * BYTES);
    check_pair(k.e, "add", "relu_1", true, "TAIL", 2 * BYTES);
    ck_assert_ptr_nonnull(strstr(find_pair(k.e, "relu", "conv2d_1")->reason, "combines many elements"));
    close_known(&k);
    k = open_known(residual, &(fx_compile_options){.threads = 1, .precision = FX_PRECISION_STRICT});
    check_pair(k.e, "conv2d", "relu", false, "OPTION", 2 * BYTES);
    for (int32_t i = 0; i < k.e->n_kernel; i++) ck_assert_str_eq(k.e->kernel[i].precision, "");
    close_known(&k);
}
END_TEST

static const char *what_of(const fx_explanation *e, const char *name)
{
    for (int32_t i = 0; i < e->n_elsewhere; i++)
        if (strcmp(fx_node_name(e->elsewhere[i].node), name) == 0) return e->elsewhere[i].what;
    return "a unit";
}

START_TEST(nodes_without_unit_say_why)
{
    known k = open_known(pieces, &(fx_compile_options){.threads = 1});
    check_pair(k.e, "relu", "cat", true, "PLACED", 2 * 16 * 12 * 12 * 4);
    check_pair(k.e, "relu", "conv2d_1", false, "ORDER", 32 * 12 * 12 * 4);
    ck_assert_str_eq(what_of(k.e, "x"), "input");
    ck_assert_str_eq(what_of(k.e, "w"), "constant");
    ck_assert_str_eq(what_of(k.e, "reshape"), "view");
    ck_assert_str_eq(what_of(k.e, "cat"), "placed");
    ck_assert_str_eq(what_of(k.e, "max_pool2d"), "a unit");
    close_known(&k);
}
END_TEST

START_TEST(filters_choose_units)
{
    known k = open_known(residual, &(fx_compile_options){.threads = 1});
    fx_explain_filter one = {.node = "conv2d_?"}, none = {.node = "absent"}, memory = {.parts = FX_EXPLAIN_MEMORY};
    char *text = fx_explanation_to_string(k.e, &one);
    ck_assert_ptr_nonnull(strstr(text, "conv2d_1 + add + relu_1"));
    ck_assert_ptr_null(strstr(text, " conv2d + relu"));
    ck_assert_ptr_nonnull(strstr(text, "over ")); /* its stages */
    fx_text_free(text);
    for (int32_t i = 0; i < k.e->n_unit; i++) ck_assert(!fx_explain_wants(k.e, &none, i));
    text = fx_explanation_to_string(k.e, &memory);
    ck_assert_ptr_null(strstr(text, "Neighbours"));
    ck_assert_ptr_nonnull(strstr(text, "workspace"));
    fx_text_free(text);
    text = fx_explanation_to_json(k.e, &one);
    ck_assert_ptr_nonnull(strstr(text, "\"conv2d_1 + add + relu_1\""));
    fx_text_free(text);
    close_known(&k);
}
END_TEST

/* A machine that is named, whatever this one is. */
START_TEST(text_is_as_written)
{
    known k = open_known(residual, &(fx_compile_options){.threads = 2, .target_triple = "x86_64-unknown-linux-gnu",
                                                         .target_cpu = "x86-64-v3", .target_features = ""});
    fx_explain_filter filter = {.parts = FX_EXPLAIN_UNITS | FX_EXPLAIN_PAIRS | FX_EXPLAIN_FALLBACKS | FX_EXPLAIN_COPIES |
                                         FX_EXPLAIN_MEMORY | FX_EXPLAIN_PRECISION | FX_EXPLAIN_NODES};
    char *text = fx_explanation_to_string(k.e, &filter);
    CHECK_GOLDEN("explain_residual.txt", text);
    fx_text_free(text);
    close_known(&k);
}
END_TEST

START_TEST(kernels_have_three_forms)
{
    fx_context *context = fx_context_new();
    fx_module *module = residual(context);
    fx_compiled *compiled;
    fx_explanation *e = explain(context, module, &(fx_compile_options){.threads = 1}, &compiled);
    static const fx_stage_form forms[] = {FX_STAGE_PROGRAM, FX_STAGE_LLVM, FX_STAGE_ASM};
    for (int32_t k = 0; k < e->n_kernel; k++) {
        for (int f = 0; f < 3; f++) {
            char *text;
            CHECK_OK(context, fx_explain_kernel(compiled, k, forms[f], &text));
            ck_assert_ptr_nonnull(strstr(text, f == 0 ? e->kernel[k].name : e->kernel[k].hash));
            fx_text_free(text);
        }
    }
    char *text;
    ck_assert_int_eq(fx_explain_kernel(compiled, e->n_kernel, FX_STAGE_LLVM, &text), FX_E_ARG);
    ck_assert_int_eq(fx_explain_kernel(compiled, 0, FX_STAGE_CORE, &text), FX_E_ARG);
    fx_explanation_free(e);
    fx_compiled_free(compiled);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* Without native code the same is told, of other machines too; a run is interpreted. */
START_TEST(plans_tell_the_same)
{
    known k = open_known(residual, &(fx_compile_options){.threads = 1});
    fx_compiled *plan, *other;
    fx_explanation *e;
    CHECK_OK(k.context, fx_compile_plan(k.module, NULL, 0, &(fx_compile_options){.threads = 1}, &plan));
    CHECK_OK(k.context, fx_explain(plan, &e));
    char *a = fx_explanation_to_json(k.e, NULL), *b = fx_explanation_to_json(e, NULL);
    ck_assert_str_eq(a, b);
    fx_text_free(a);
    fx_text_free(b);
    fx_tensor in, out = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 4, (int64_t[]){1, 16, 12, 12}, &in), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&in); i++) ((float *)in.data)[i] = (float)(i % 7) - 3;
    CHECK_OK(k.context, fx_run(plan, k.context, &in, 1, &out, 1));
    fx_tensor_release(&in);
    fx_tensor_release(&out);
    fx_explanation_free(e);
    fx_compiled_free(plan);
    const fx_compile_options arm = {.threads = 1, .target_triple = "aarch64-unknown-linux-gnu", .target_features = ""};
    CHECK_OK(k.context, fx_compile_plan(k.module, NULL, 0, &arm, &other));
    CHECK_OK(k.context, fx_explain(other, &e));
    ck_assert_ptr_nonnull(strstr(e->target, "aarch64"));
    fx_explanation_free(e);
    fx_compiled_free(other);
    close_known(&k);
}
END_TEST

static fx_module *argsorted(fx_context *context)
{
    fx_scope *scope = fx_trace_begin(context, "argsorted");
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {4, 33}}), out[1] = {fx_argsort(x)};
    fx_module *module = NULL;
    CHECK_OK(context, fx_trace_finish(scope, out, 1, &module));
    return module;
}

/* 4 rows of 33 elements: 667 comparisons and 264 elements fetched or stored, ten thousand cycles and more. */
START_TEST(calls_have_expected_times)
{
    known k = open_known(argsorted, &(fx_compile_options){.threads = 1});
    int32_t calls = 0;
    for (int32_t i = 0; i < k.e->n_unit; i++) {
        const fx_unit *u = &k.e->unit[i];
        if (u->kind != FX_UNIT_CALL) continue;
        calls++;
        ck_assert_double_ge(u->expected_us, 4);
        ck_assert_double_le(u->expected_us, 40);
    }
    ck_assert_int_gt(calls, 0);
    close_known(&k);
}
END_TEST

FX_TESTS("explain", laws_hold_for_files, laws_hold_for_traced_graphs, pairs_have_reasons, nodes_without_unit_say_why,
         filters_choose_units, text_is_as_written, kernels_have_three_forms, plans_tell_the_same, calls_have_expected_times)
