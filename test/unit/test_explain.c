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

/* A residual block: relu(conv(relu(conv(x))) + x), its transposed copy, and both in one. */
static fx_module *residual(fx_context *context)
{
    fx_scope *scope = fx_trace_begin(context, "residual");
    fx_value x = fx_trace_input(scope, "x", &(fx_type){FX_F32, 4, {1, 16, 12, 12}}), out[2];
    fx_value w = zeros(scope, "first", 4, (int64_t[]){16, 16, 3, 3}), v = zeros(scope, "second", 4, (int64_t[]){16, 16, 3, 3});
    fx_value y = fx_relu(fx_conv2d(x, w, FX_NO_VALUE, &(fx_conv2d_options){.padding = FX_LIST(1, 1)}));
    y = fx_add(fx_conv2d(y, v, FX_NO_VALUE, &(fx_conv2d_options){.padding = FX_LIST(1, 1)}), x);
    out[0] = fx_relu(y);
    out[1] = fx_cat(FX_VALUES(fx_sigmoid(out[0]), fx_tanh(fx_permute(out[0], FX_LIST(0, 1, 3, 2)))));
    fx_module *module = NULL;
    CHECK_OK(context, fx_trace_finish(scope, out, 2, &module));
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
        ck_assert_int_gt(units_of(e, e->pair[i].to), 0);
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
    fx_module *(*const graphs[])(fx_context *) = {residual, sorted};
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        fx_context *context = fx_context_new();
        check_laws(context, graphs[i](context));
    }
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

FX_TESTS("explain", laws_hold_for_files, laws_hold_for_traced_graphs, kernels_have_three_forms)
