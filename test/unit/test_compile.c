/* SPDX-License-Identifier: Apache-2.0 */
/* The thread through all forms, on relu(a + b) and a small network: every way into compiled code gives the interpreter's numbers,
 * and every wrong call is refused in words. */
#include "harness.h"
#include "compare.h"
#include "fxjit/compile.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 8, COLUMNS = 37 };

static fx_module *relu_add(fx_context *context, fx_dim rows)
{
    fx_module *module = fx_module_new(context, "relu_add");
    fx_graph *graph = fx_module_graph(module);
    fx_type matrix = {FX_F32, 2, {rows, COLUMNS}}, row = {FX_F32, 1, {COLUMNS}};
    fx_attr args[2] = {fx_node_attr(fx_graph_placeholder(graph, "a", &matrix)),
                       fx_node_attr(fx_graph_placeholder(graph, "b", &row))};
    fx_attr sum = fx_node_attr(fx_graph_call(graph, "torch.ops.aten.add.Tensor", args, 2));
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.ops.aten.relu.default", &sum, 1)));
    CHECK_OK(context, fx_graph_propagate(graph));
    return module;
}

typedef struct setup {
    fx_context *context;
    fx_module *module;
    fx_tensor in[2], expected;
} setup;

static setup begin(void)
{
    setup s = {.context = fx_context_new()};
    s.module = relu_add(s.context, ROWS);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){ROWS, COLUMNS}, &s.in[0]), FX_OK);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 1, (int64_t[]){COLUMNS}, &s.in[1]), FX_OK);
    uint64_t random = 1;
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) fx_tensor_set(&s.in[0], i, fx_test_uniform(&random, -1, 1));
    for (int64_t i = 0; i < COLUMNS; i++) fx_tensor_set(&s.in[1], i, fx_test_uniform(&random, -1, 1));
    CHECK_OK(s.context, fx_interpret(s.module, s.in, 2, &s.expected, 1));
    return s;
}

static void end(setup *s)
{
    fx_tensor_release(&s->in[0]);
    fx_tensor_release(&s->in[1]);
    fx_tensor_release(&s->expected);
    fx_module_free(s->module);
    fx_context_free(s->context);
}

/* relu_add as a submodule, called by a graph that has methods besides. */
START_TEST(core_of_modules_and_methods)
{
    fx_context *context = fx_context_new();
    fx_module *outer = fx_module_new(context, "outer"), *core;
    fx_graph *graph = fx_module_graph(outer);
    CHECK_OK(context, fx_module_add_submodule(outer, "inner", relu_add(context, 2)));
    fx_attr args[2] = {fx_node_attr(fx_graph_placeholder(graph, "a", NULL)), fx_node_attr(fx_graph_placeholder(graph, "b", NULL))};
    fx_attr call = fx_tuple(graph, args, 2);
    fx_node_spec inner = {FX_CALL_MODULE, "inner", call, fx_none(), NULL, false, FX_HERE};
    fx_attr value = fx_node_attr(fx_graph_create_node(graph, &inner));
    fx_node_spec method = {FX_CALL_METHOD, "neg", fx_tuple(graph, &value, 1), fx_none(), NULL, false, FX_HERE};
    fx_graph_output(graph, fx_node_attr(fx_graph_create_node(graph, &method)));

    float a[2][COLUMNS] = {{1, -3}}, b[COLUMNS] = {1, 1};
    fx_tensor in[2] = {fx_tensor_view(a, FX_F32, 2, (int64_t[]){2, COLUMNS}), fx_tensor_view(b, FX_F32, 1, (int64_t[]){COLUMNS})};
    fx_tensor out = {0};
    ck_assert_int_eq(fx_module_core(outer, NULL, 0, &core), FX_E_ARG); /* nothing tells the types */
    ck_assert_ptr_null(core);
    fx_context_clear(context);
    CHECK_OK(context, fx_module_core(outer, in, 2, &core));
    CHECK_OK(context, fx_interpret(core, in, 2, &out, 1));
    ck_assert_float_eq((float)fx_tensor_get(&out, 0), -2);
    ck_assert_float_eq((float)fx_tensor_get(&out, 1), 0);
    fx_tensor_release(&out);
    fx_module_free(core);
    fx_module_free(outer);
    fx_context_free(context);
}
END_TEST

static fx_compiled *compile(setup *s)
{
    fx_compiled *compiled;
    CHECK_OK(s->context, fx_compile(s->module, NULL, 0, &(fx_compile_options){.threads = 1, .verify = true}, &compiled));
    ck_assert_int_eq(fx_compiled_fallback_count(compiled), 0);
    return compiled;
}

#define CHECK_SAME(expected, actual)                                                                                               \
    do {                                                                                                                           \
        const char *difference = fx_test_difference((expected), (actual), NULL);                                                   \
        ck_assert_msg(!difference, "%s", difference);                                                                              \
    } while (0)

START_TEST(every_way_in_gives_the_same)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    fx_tensor out = {0};
    CHECK_OK(s.context, fx_run(compiled, s.context, s.in, 2, &out, 1));
    CHECK_SAME(&s.expected, &out);

    memset(out.data, 0x55, (size_t)fx_tensor_bytes(&out));
    void *workspace = aligned_alloc(64, fx_compiled_workspace_bytes(compiled) + 64);
    union {
        void *data;
        int32_t (*code)(const void *, const void *, void *, void *);
    } typed = {fx_entry(compiled)};
    ck_assert_int_eq(typed.code(s.in[0].data, s.in[1].data, out.data, workspace), FX_OK);
    CHECK_SAME(&s.expected, &out);

    memset(out.data, 0x55, (size_t)fx_tensor_bytes(&out));
    ck_assert_int_eq(fx_compiled_invoke(compiled, (void *[]){&s.in[0].data, &s.in[1].data, &out.data, &workspace}, 4), FX_OK);
    CHECK_SAME(&s.expected, &out);

    memset(out.data, 0x55, (size_t)fx_tensor_bytes(&out));
    union {
        void *data;
        int32_t (*code)(const void *, const void *, void *);
    } closure = {fx_compiled_closure(compiled)};
    ck_assert_int_eq(closure.code(s.in[0].data, s.in[1].data, out.data), FX_OK);
    CHECK_SAME(&s.expected, &out);

    free(workspace);
    fx_tensor_release(&out);
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

START_TEST(the_prototype_is_c)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    ck_assert_str_eq(fx_compiled_prototype(compiled),
                     "int32_t fx_entry(const float in0_a[restrict 8][37], const float in1_b[restrict 37], "
                     "float out0_relu_default[restrict 8][37], void *restrict workspace)");
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

START_TEST(strided_inputs_are_copied)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    fx_tensor turned;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){COLUMNS, ROWS}, &turned), FX_OK);
    fx_tensor view = turned;
    view.dim[0] = ROWS, view.dim[1] = COLUMNS;
    view.stride[0] = 1, view.stride[1] = ROWS;
    ck_assert_int_eq(fx_tensor_copy(&view, &s.in[0]), FX_OK);
    fx_tensor in[2] = {view, s.in[1]}, out = {0};
    CHECK_OK(s.context, fx_run(compiled, s.context, in, 2, &out, 1));
    CHECK_SAME(&s.expected, &out);
    fx_tensor_release(&out);
    fx_tensor_release(&turned);
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

static void expect_refusal(setup *s, fx_compiled *compiled, const fx_tensor *in, int32_t n_in, fx_tensor *out, fx_status status,
                           const char *text)
{
    fx_context_clear(s->context);
    ck_assert_int_eq(fx_run(compiled, s->context, in, n_in, out, 1), status);
    CHECK_DIAG(s->context, text);
}

START_TEST(wrong_calls_are_refused_in_words)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    fx_tensor out = {0}, bad[2];
    expect_refusal(&s, compiled, s.in, 1, &out, FX_E_ARG, "2 inputs and 1 outputs; got 1 and 1");
    bad[0] = s.in[1], bad[1] = s.in[1];
    expect_refusal(&s, compiled, bad, 2, &out, FX_E_SHAPE, "input `a` has 1 dimensions, expected 2");
    bad[0] = s.in[0], bad[0].dim[0] = ROWS - 1;
    expect_refusal(&s, compiled, bad, 2, &out, FX_E_SHAPE, "dimension 0 of input `a` is 7, expected 8");
    bad[0] = s.in[0], bad[0].dtype = FX_I32;
    expect_refusal(&s, compiled, bad, 2, &out, FX_E_TYPE, "input `a` is i32, expected f32");
    out = s.in[0];
    expect_refusal(&s, compiled, s.in, 2, &out, FX_E_ALIAS, "the memory of output `relu_default` overlaps that of input `a`");
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

typedef struct worker {
    setup *s;
    fx_compiled *compiled;
    bool ok;
} worker;

static void *run_often(void *user)
{
    worker *w = user;
    fx_tensor out = {0};
    w->ok = true;
    for (int i = 0; i < 200 && w->ok; i++)
        w->ok = fx_run(w->compiled, NULL, w->s->in, 2, &out, 1) == FX_OK && !fx_test_difference(&w->s->expected, &out, NULL);
    fx_tensor_release(&out);
    return NULL;
}

START_TEST(many_threads_run_one_compiled_graph)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    worker w[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        w[i] = (worker){&s, compiled, false};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_often, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(w[i].ok);
    }
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

START_TEST(the_module_may_be_freed_after_compiling)
{
    setup s = begin();
    fx_compiled *compiled = compile(&s);
    fx_module_free(s.module);
    s.module = NULL;
    fx_tensor out = {0};
    CHECK_OK(s.context, fx_run(compiled, s.context, s.in, 2, &out, 1));
    CHECK_SAME(&s.expected, &out);
    fx_tensor_release(&out);
    fx_compiled_free(compiled);
    end(&s);
}
END_TEST

START_TEST(every_form_has_a_text)
{
    static const struct {
        fx_stage_form form;
        const char *holds;
    } forms[] = {{FX_STAGE_FX, "torch.ops.aten.add.Tensor"},
                 {FX_STAGE_CORE, "torch.ops.aten.relu.default"},
                 {FX_STAGE_PROGRAM, "relu("},
                 {FX_STAGE_LLVM, "define "},
                 {FX_STAGE_ASM, ".text"},
                 {FX_STAGE_OBJ, "ELF"}};
    setup s = begin();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *text;
        size_t bytes;
        CHECK_OK(s.context, fx_compile_text(s.module, NULL, 0, NULL, forms[i].form, &text, &bytes));
        ck_assert_msg(memmem(text, bytes, forms[i].holds, strlen(forms[i].holds)), "form %d lacks \"%s\"", (int)i, forms[i].holds);
        fx_text_free(text);
    }
    end(&s);
}
END_TEST

START_TEST(untyped_inputs_take_the_types_of_examples)
{
    setup s = begin();
    fx_module *module = fx_module_new(s.context, "untyped");
    fx_graph *graph = fx_module_graph(module);
    fx_attr args[2] = {fx_node_attr(fx_graph_placeholder(graph, "a", NULL)), fx_node_attr(fx_graph_placeholder(graph, "b", NULL))};
    fx_attr sum = fx_node_attr(fx_graph_call(graph, "torch.ops.aten.add.Tensor", args, 2));
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.ops.aten.relu.default", &sum, 1)));
    fx_compiled *compiled;
    ck_assert_int_eq(fx_compile(module, NULL, 0, NULL, &compiled), FX_E_ARG);
    CHECK_DIAG(s.context, "give example inputs");
    fx_context_clear(s.context);
    CHECK_OK(s.context, fx_compile(module, s.in, 2, NULL, &compiled));
    fx_tensor out = {0};
    CHECK_OK(s.context, fx_run(compiled, s.context, s.in, 2, &out, 1));
    CHECK_SAME(&s.expected, &out);
    fx_tensor_release(&out);
    fx_compiled_free(compiled);
    fx_module_free(module);
    end(&s);
}
END_TEST

static bool cancel(void *user, const char *phase, int32_t percent)
{
    (void)phase;
    (void)percent;
    return --*(int *)user >= 0;
}

START_TEST(progress_can_cancel)
{
    setup s = begin();
    for (int calls = 0; calls < 3; calls++) {
        int left = calls;
        fx_compiled *compiled;
        fx_status status =
            fx_compile(s.module, NULL, 0, &(fx_compile_options){.progress = cancel, .progress_user = &left}, &compiled);
        ck_assert_int_eq(status, FX_E_CANCELLED);
        CHECK_DIAG(s.context, "cancelled");
        fx_context_clear(s.context);
    }
    end(&s);
}
END_TEST

/* Each value is read twice by the next one: a walk that follows both reads would never come to an end. */
START_TEST(values_read_twice_are_looked_at_once)
{
    enum { SUMS = 100 };
    fx_context *context = fx_context_new();
    fx_module *module = fx_module_new(context, "sums");
    fx_graph *graph = fx_module_graph(module);
    fx_type type = {FX_F64, 1, {3}};
    fx_node *x = fx_graph_placeholder(graph, "x", &type);
    for (int32_t i = 0; i < SUMS; i++) {
        fx_attr both[2] = {fx_node_attr(x), fx_node_attr(x)};
        x = fx_graph_call(graph, "torch.ops.aten.add.Tensor", both, 2);
    }
    fx_graph_output(graph, fx_node_attr(x));
    CHECK_OK(context, fx_graph_propagate(graph));
    fx_tensor in, out = {0};
    fx_compiled *compiled;
    ck_assert_int_eq(fx_tensor_alloc(FX_F64, 1, type.dim, &in), FX_OK);
    fx_tensor_set(&in, 1, 3);
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled));
    CHECK_OK(context, fx_run(compiled, context, &in, 1, &out, 1));
    ck_assert_double_eq(fx_tensor_get(&out, 1), 3 * 0x1p100);
    fx_compiled_free(compiled);
    fx_tensor_release(&in);
    fx_tensor_release(&out);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

FX_TESTS("compile", every_way_in_gives_the_same, the_prototype_is_c, strided_inputs_are_copied, wrong_calls_are_refused_in_words,
         many_threads_run_one_compiled_graph, the_module_may_be_freed_after_compiling, every_form_has_a_text,
         untyped_inputs_take_the_types_of_examples, progress_can_cancel, values_read_twice_are_looked_at_once,
         core_of_modules_and_methods)
