/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions about values that only a run knows: torch._assert and its kin hold or end the run with FX_E_GUARD and the graph's own
 * words, interpreted, evaluated, called, compiled and ahead of time; they are never dead code. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/kir.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

#define F(target, args) "call_function \"" target "\" (" args ")\n"

/* sqrt(x) of four numbers, if all are positive and the first one is below 100. */
static const char positive[] =
    "graph {\n%x = placeholder \"x\" : f32[4]\n%g = " F("operator.gt", "%x, 0") "%a = " F("torch.all", "%g") "%held = " F(
        "torch._assert",
        "%a, \"x must be positive\"") "%first = " F("operator.getitem",
                                                    "%x, 0") "%b "
                                                             "= " F("operator.lt", "%first, 100") "%near = " F(
                                                                 "torch._assert",
                                                                 "%b, \"x[0] must be near\"") "%y = " F("torch.sqrt",
                                                                                                        "%x") "%output = "
                                                                                                              "output(%y)\n}\n";

static fx_module *read_module(const char *text)
{
    fx_graph *graph = NULL;
    CHECK_OK(context, fx_graph_parse(context, "assertions", text, strlen(text), &graph));
    return fx__module_ensure(graph);
}

/* What an engine says of a run: its status, and in the context the words. */
typedef fx_status (*engine)(fx_module *module, const fx_tensor *in, fx_tensor *out);

static fx_status interpreted(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    return fx_interpret(module, in, 1, out, 1);
}

static fx_status with_bounds(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    fx_tensor bound = {0};
    fx_status status = fx_interpret_bound(module, in, 1, out, &bound, 1);
    if (bound.data) fx_tensor_release(&bound);
    return status;
}

static fx_status core_interpreted(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    fx_module *core;
    CHECK_OK(context, fx_module_core(module, in, 1, &core));
    fx_status status = fx_interpret(core, in, 1, out, 1);
    fx_module_free(core);
    return status;
}

static fx_status lowered(fx_module *module, const fx_tensor *in, fx_tensor *out, bool calls)
{
    fx_module *core;
    fx_program *program;
    CHECK_OK(context, fx_module_core(module, in, 1, &core));
    CHECK_OK(context, fx__lower_graph(fx_module_graph(core), calls, &program));
    CHECK_OK(context, fx_tensor_alloc(FX_F32, 1, (int64_t[]){4}, out));
    fx_status status = fx__program_eval(program, in, out, NULL, NULL);
    fx__program_free(program);
    fx_module_free(core);
    return status;
}

static fx_status evaluated(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    return lowered(module, in, out, false);
}

static fx_status called(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    return lowered(module, in, out, true);
}

static fx_status compiled_with(fx_module *module, const fx_tensor *in, fx_tensor *out, const fx_compile_options *options)
{
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, in, 1, options, &net));
    ck_assert_int_eq(fx_compiled_fallback_count(net), 0);
    fx_status status = fx_run(net, context, in, 1, out, 1);
    fx_compiled_free(net);
    return status;
}

static fx_status compiled(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    return compiled_with(module, in, out, &(fx_compile_options){.verify = true});
}

static fx_status compiled_strictly(fx_module *module, const fx_tensor *in, fx_tensor *out)
{
    return compiled_with(module, in, out, &(fx_compile_options){.precision = FX_PRECISION_STRICT, .threads = 1, .verify = true});
}

static const engine engines[] = {interpreted, with_bounds, core_interpreted, evaluated, called, compiled, compiled_strictly};
enum { ENGINES = sizeof engines / sizeof engines[0], CALLED = 4 };

static void expect(const char *text, const float values[4], const char *words)
{
    for (int e = 0; e < ENGINES; e++) {
        setup();
        fx_module *module = read_module(text);
        float x[4];
        memcpy(x, values, sizeof x);
        fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4}), out = {0};
        fx_status status = engines[e](module, &in, &out);
        ck_assert_msg(status == (words ? FX_E_GUARD : FX_OK), "engine %d: %s", e, fx_status_text(status));
        if (words && e != CALLED) CHECK_DIAG(context, words); /* what stands for an operator there has no words */
        for (int i = 0; i < 4 && !words; i++) ck_assert_float_eq(((float *)out.data)[i], sqrtf(values[i]));
        if (out.data) fx_tensor_release(&out);
        fx_module_free(module);
        teardown();
    }
}

START_TEST(every_engine_holds_what_the_graph_asserts)
{
    expect(positive, (float[]){1, 4, 9, 16}, NULL);
    expect(positive, (float[]){1, 4, 9, 0}, "assertion failed: x must be positive; operator torch.");
    expect(positive, (float[]){121, 4, 9, 4}, "assertion failed: x[0] must be near; operator torch.");
    expect(positive, (float[]){121, 4, 9, -4}, "node held"); /* the first one */
    expect(positive, (float[]){121, 4, 9, 4}, "node near");
}
END_TEST

/* One element of any rank and dtype, and what torch has beside torch._assert. */
START_TEST(conditions_are_numbers_of_one_element)
{
#define OF_SLICE(call)                                                                                                             \
    "graph {\n%x = placeholder \"x\" : f32[4]\n%c = " F("operator.getitem", "%x, slice(2, 3, None)") "%k = " call "%y = " F(       \
        "torch.sqrt", "%x") "%output = output(%y)\n}\n"
    const char *cases[] = {
        OF_SLICE("call_function \"torch._assert\" (%c, message=\"not zero\")\n"),
        OF_SLICE(F("torch._assert_async", "%c")),
        OF_SLICE(F("torch.ops.aten._assert_async.default", "%c")),
        OF_SLICE(F("torch.ops.aten._assert_async.msg", "%c, \"not zero\"")),
        OF_SLICE(F("torch.fx.proxy.assert_fn", "%c")),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup();
        fx_module *module = read_module(cases[i]);
        float x[4] = {0, 0, 0.25f, 0};
        fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4}), out = {0};
        CHECK_OK(context, compiled(module, &in, &out));
        fx_tensor_release(&out);
        x[2] = NAN; /* is not zero */
        CHECK_OK(context, core_interpreted(module, &in, &out));
        fx_tensor_release(&out);
        CHECK_OK(context, compiled(module, &in, &out));
        fx_tensor_release(&out);
        x[2] = -0.0f;
        ck_assert_int_eq(core_interpreted(module, &in, &out), FX_E_GUARD);
        ck_assert_int_eq(compiled(module, &in, &out), FX_E_GUARD);
        fx_module_free(module);
        teardown();
    }
}
END_TEST

START_TEST(many_elements_are_no_condition)
{
    setup();
    fx_compiled *net;
    fx_module *module = read_module(
        "graph {\n%x = placeholder \"x\" : bool[4]\n%k = " F("torch._assert", "%x, \"all\"") "%output = output(%x)\n}\n");
    ck_assert_int_eq(fx_compile(module, NULL, 0, NULL, &net), FX_E_SHAPE);
    CHECK_DIAG(context, "the condition is bool[4]; expected one element");
    fx_module_free(module);
    teardown();
}
END_TEST

/* What torch.export writes of types and sizes is decided when compiling, or tested at entry. */
START_TEST(types_and_sizes_are_asserted_without_a_run)
{
    static const struct {
        const char *words, *before, *call;
    } cases[] = {
        {NULL, "", F("torch.ops.aten._assert_tensor_metadata.default", "%x, None, None, dtype(f32)")},
        {NULL, "", F("torch.ops.aten._assert_tensor_metadata.default", "%x, (%s, 3), (3, 1)")},
        {"a tensor has another dtype", "", F("torch.ops.aten._assert_tensor_metadata.default", "%x, None, None, dtype(f64)")},
        {"a tensor has another shape", "", F("torch.ops.aten._assert_tensor_metadata.default", "%x, (%s, 4)")},
        {"a tensor has another shape", "", F("torch.ops.aten._assert_tensor_metadata.default", "%x, (%s,)")},
        {NULL, "", "call_function \"torch.ops.aten.sym_constrain_range_for_size.default\" (%s, min=1, max=None)\n"},
        {"sizes break an assumption", "", "call_function \"torch.ops.aten.sym_constrain_range.default\" (%s, min=2)\n"},
        {"a size is outside its range", "", "call_function \"torch.ops.aten.sym_constrain_range.default\" (%s, max=0)\n"},
        {NULL, "%c = " F("operator.le", "1, %s"), F("torch.ops.aten._assert_scalar.default", "%c, \"one row\"")},
        {"sizes break an assumption", "%c = " F("operator.ge", "%s, 2"), F("torch.ops.aten._assert_scalar.default", "%c, \"two\"")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup();
        char text[1024];
        float x[3] = {1, 2, 3};
        fx_tensor in = fx_tensor_view(x, FX_F32, 2, (int64_t[]){1, 3}), out = {0};
        snprintf(text, sizeof text,
                 "graph {\nsymbol n [1, 8] hint 4 multiple 1\n%%x = placeholder \"x\" : f32[n, 3]\n"
                 "%%s = call_method \"size\" (%%x, 0)\n%s%%k = %s%%y = call_method \"neg\" (%%x)\n%%output = output(%%y)\n}\n",
                 cases[i].before, cases[i].call);
        fx_module *module = read_module(text);
        fx_status status = fx_interpret(module, &in, 1, &out, 1);
        ck_assert_msg((status == FX_OK) == !cases[i].words, "case %d: %s", (int)i, fx_status_text(status));
        if (cases[i].words) CHECK_DIAG(context, cases[i].words);
        if (out.data) fx_tensor_release(&out);
        fx_module_free(module);
        teardown();
    }
}
END_TEST

static int32_t count_assertions(const fx_graph *graph)
{
    int32_t n = 0;
    FX_EACH_NODE(node, graph) n += strstr(node->target, "_assert") != NULL;
    return n;
}

START_TEST(assertions_live_on_in_every_form)
{
    setup();
    fx_module *module = read_module(positive), *core;
    float x[4] = {1, 1, 1, 1};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4});
    fx_graph *graph = fx_module_graph(module), *again;
    ck_assert_int_eq(fx_graph_eliminate_dead_code(graph), 0);
    CHECK_OK(context, fx_module_core(module, &in, 1, &core));
    ck_assert_int_eq(fx_graph_eliminate_dead_code(fx_module_graph(core)), 0);
    ck_assert_int_eq(count_assertions(fx_module_graph(core)), 2);
    char *text = fx_graph_to_fx(fx_module_graph(core));
    CHECK_OK(context, fx_graph_parse(context, "again", text, strlen(text), &again));
    ck_assert_int_eq(count_assertions(again), 2);
    char *second = fx_graph_to_fx(again);
    ck_assert_str_eq(text, second);
    fx_text_free(text);
    fx_text_free(second);
    fx_graph_free(again);
    fx_module_free(core);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(assertions_are_units_of_explanations)
{
    setup();
    fx_compiled *net;
    fx_explanation *explain;
    fx_module *module = read_module(positive);
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_explain(net, &explain));
    char *json = fx_explanation_to_json(explain, NULL), *text = fx_explanation_to_string(explain, NULL);
    ck_assert_ptr_nonnull(strstr(json, "assert\""));
    ck_assert_ptr_nonnull(strstr(text, " assert "));
    fx_text_free(json);
    fx_text_free(text);
    fx_explanation_free(explain);
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(programs_with_assertions_are_read_back)
{
    setup();
    fx_module *module = read_module(positive), *core;
    float x[4] = {1, 1, 1, 1};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4});
    fx_program *program, *again;
    CHECK_OK(context, fx_module_core(module, &in, 1, &core));
    CHECK_OK(context, fx__lower_graph(fx_module_graph(core), false, &program));
    char *text = fx__program_print(program);
    ck_assert_ptr_nonnull(strstr(text, "assert %held \"x must be positive\" nodes held\n"));
    CHECK_OK(context, fx__program_parse(context, "again", text, strlen(text), &again));
    char *second = fx__program_print(again);
    ck_assert_str_eq(text, second);
    CHECK_OK(context, fx__program_verify(again, "reading"));
    fx_text_free(text);
    fx_text_free(second);
    fx__program_free(again);
    fx__program_free(program);
    fx_module_free(core);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Written in C ---------------------------------------------------------------------------------------------------------- */

static fx_status root(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope;
    fx_value holds = fx_all(fx_ge(in[0], 0));
    *(int *)user = __LINE__ + 1;
    fx_assert_async(holds, "roots are of what is not negative");
    out[0] = fx_sqrt(in[0]);
    return FX_OK;
}

START_TEST(a_traced_function_asserts)
{
    setup();
    int line;
    char place[32];
    fx_module *module;
    float x[4] = {4, 4, 4, -1}, y[4] = {7, 7, 7, 7};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4}), out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){4});
    CHECK_OK(context, fx_trace(context, "root", root, &line, &(fx_type){FX_F32, 1, {4}}, 1, 1, &module));
    snprintf(place, sizeof place, "test_assert.c:%d in root", line);
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    ck_assert_int_eq(fx_run(net, context, &in, 1, &out, 1), FX_E_GUARD);
    CHECK_DIAG(context, "assertion failed: roots are of what is not negative");
    CHECK_DIAG(context, place);
    ck_assert_int_eq(fx_run(net, NULL, &in, 1, &out, 1), FX_E_GUARD);
    x[3] = 0;
    CHECK_OK(context, fx_run(net, NULL, &in, 1, &out, 1));
    ck_assert_float_eq(y[0], 2);
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(eager_values_are_asserted_at_once)
{
    setup();
    int line;
    float x[4] = {4, 4, 4, -1};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){4});
    fx_scope *scope = fx_scope_new(context);
    fx_value value = fx_value_from(scope, &in), out;
    CHECK_OK(context, root(scope, &value, &out, &line));
    ck_assert_int_eq(fx_context_status(context), FX_E_GUARD);
    CHECK_DIAG(context, "assertion failed: roots are of what is not negative");
    fx_scope_free(scope);
    teardown();
}
END_TEST

/* ---- Ahead of time --------------------------------------------------------------------------------------------------------- */

START_TEST(objects_assert_too)
{
    setup();
    char folder[] = "/tmp/fxjit-assert-XXXXXX", path[64], command[512];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    fx_module *module = read_module(positive);
    CHECK_OK(context, fx_module_set_output_name(module, 0, "y"));
    snprintf(path, sizeof path, "%s/net.o", folder);
    CHECK_OK(context,
             fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, &(fx_emit_options){.symbol = "net"}, path));
    snprintf(path, sizeof path, "%s/main.c", folder);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(out, "#include \"net.h\"\n"
                 "static _Alignas(64) char workspace[NET_WORKSPACE_BYTES + 64];\n"
                 "int main(void)\n{\n    float x[4] = {1, 4, 9, 16}, y[4];\n"
                 "    if (net(x, y, workspace) || y[3] != 4) return 1;\n"
                 "    x[2] = -1;\n"
                 "    return net(x, y, workspace);\n}\n");
    fclose(out);
    snprintf(command, sizeof command,
             "cd %s && cc -std=c17 -o main main.c net.o && { ./main; test $? = %d; } && grep -q '1  x must be positive' net.h",
             folder, FX_E_GUARD);
    ck_assert_int_eq(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    fx_module_free(module);
    teardown();
}
END_TEST

FX_TESTS("assert", every_engine_holds_what_the_graph_asserts, conditions_are_numbers_of_one_element, many_elements_are_no_condition,
         types_and_sizes_are_asserted_without_a_run, assertions_live_on_in_every_form, programs_with_assertions_are_read_back,
         assertions_are_units_of_explanations, a_traced_function_asserts, eager_values_are_asserted_at_once, objects_assert_too)
