/* SPDX-License-Identifier: Apache-2.0 */
/* Pass `inline`: submodules and bodies in the place of their calls: nested, called twice, with constants, defaults and keywords as
 * inputs, several outputs as tuples, lists and dicts, parameters shared, source locations kept. */
#include "harness.h"
#include "fxjit/compile.h"
#include "fxjit/passes.h"
#include "ir/graph.h"
#include <string.h>

static fx_context *context;

/* A module read from graph.json without tensors but w (f32[2]: 10, 20). */
static fx_module *import(const char *module_json)
{
    static float values[2] = {10, 20};
    fx_named_tensor tensor = {"w", fx_tensor_view(values, FX_F32, 1, (int64_t[]){2})};
    fx_text text;
    fx_module *module = NULL;
    fx__text_init(&text, context);
    fx__text_append(&text, "{\"format\": \"fxjit\", \"version\": 1, \"module\": %s}", module_json);
    char *json = fx__text_finish(&text);
    CHECK_OK(context, fx_import_graph(context, json, strlen(json), "test", &tensor, 1, &module));
    fx_text_free(json);
    return module;
}

static void run(const char *module_json, int32_t n_outputs, fx_tensor *out)
{
    float values[2] = {1, 2};
    fx_tensor x = fx_tensor_view(values, FX_F32, 1, (int64_t[]){2});
    fx_module *module = import(module_json);
    CHECK_OK(context, fx_interpret(module, &x, 1, out, n_outputs));
    fx_module_free(module);
}

static void expect(const char *module_json, double first, double second)
{
    context = fx_context_new();
    fx_tensor out = {0};
    run(module_json, 1, &out);
    ck_assert_msg(fx_tensor_get(&out, 0) == first && fx_tensor_get(&out, 1) == second, "%g %g", fx_tensor_get(&out, 0),
                  fx_tensor_get(&out, 1));
    fx_tensor_release(&out);
    fx_context_free(context);
}

#define IN(name) "{\"name\": \"" name "\", \"op\": \"placeholder\", \"target\": \"" name "\"}"
#define IN_OR(name, value) "{\"name\": \"" name "\", \"op\": \"placeholder\", \"target\": \"" name "\", \"args\": [" value "]}"
#define N(name) "{\"node\": \"" name "\"}"
#define CALL(name, target, args)                                                                                                   \
    "{\"name\": \"" name "\", \"op\": \"call_function\", \"target\": \"" target "\", \"args\": [" args "]}"
#define SUB(name, target, args)                                                                                                    \
    "{\"name\": \"" name "\", \"op\": \"call_module\", \"target\": \"" target "\", \"args\": [" args "]}"
#define ATTR(name, target) "{\"name\": \"" name "\", \"op\": \"get_attr\", \"target\": \"" target "\"}"
#define OUT(value) "{\"name\": \"output\", \"op\": \"output\", \"args\": [" value "]}"
#define GRAPH(nodes) "\"graph\": {\"nodes\": [" nodes "]}"
#define W "\"tensors\": {\"weight\": {\"tensor\": \"w\"}}"

/* add.weight + x */
#define ADDS                                                                                                                       \
    "{" W                                                                                                                          \
    ", " GRAPH(IN("x") "," ATTR("weight", "weight") "," CALL("add", "operator.add", N("x") "," N("weight")) "," OUT(N("add"))) "}"

START_TEST(called_twice_with_one_weight)
{
    expect("{\"modules\": {\"add\": " ADDS
           "}, " GRAPH(IN("x") "," SUB("a", "add", N("x")) "," SUB("b", "add", N("a")) "," OUT(N("b"))) "}",
           21, 42);
}
END_TEST

START_TEST(nested_modules)
{
    expect("{\"modules\": {\"outer\": {\"modules\": {\"add\": " ADDS
           "}, " GRAPH(IN("y") "," SUB("s", "add", N("y")) "," ATTR("w", "add.weight") "," CALL(
               "m", "operator.mul", N("s") "," N("w")) "," OUT(N("m"))) "}}, " GRAPH(IN("x") "," SUB("o", "outer",
                                                                                                     N("x")) "," OUT(N("o"))) "}",
           110, 440);
}
END_TEST

static const char *module_of(const fx_module *module, const char *name)
{
    const fx_attr *path = fx_node_meta(fx_graph_find(fx_module_graph(module), name), "module_path");
    return path ? path->u.s : "";
}

#define TOLD                                                                                                                       \
    "{\"name\": \"m\", \"op\": \"call_function\", \"target\": \"operator.neg\", \"args\": [" N("s") "], "                              \
    "\"meta\": {\"module_path\": \"act\"}}"
#define OUTER                                                                                                                      \
    "{\"modules\": {\"add\": " ADDS "}, " GRAPH(                                                                                   \
        IN("y") "," SUB("s", "add", N("y")) "," TOLD "," CALL("r", "operator.neg", N("m")) "," OUT(N("r"))) "}"

/* Nodes say which module they come from once its call is gone: the innermost one, and what the inner graph itself says of it. */
START_TEST(nodes_tell_their_module)
{
    context = fx_context_new();
    bool modified;
    fx_module *module = import("{\"modules\": {\"outer\": " OUTER "}, " GRAPH(
        IN("x") "," SUB("o", "outer", N("x")) "," CALL("z", "operator.neg", N("o")) "," OUT(N("z"))) "}");
    CHECK_OK(context, fx_pass_find("inline")->run(fx_module_graph(module), NULL, &modified));
    ck_assert_str_eq(module_of(module, "add"), "outer.add");
    ck_assert_str_eq(module_of(module, "m"), "outer.act");
    ck_assert_str_eq(module_of(module, "r"), "outer");
    ck_assert_str_eq(module_of(module, "z"), "");
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* x * by + plus, plus by default 1. */
#define SCALES                                                                                                                     \
    "{" GRAPH(IN("x") "," IN("by") "," IN_OR("plus", "1") "," CALL("m", "operator.mul", N("x") "," N("by")) "," CALL(              \
        "p", "operator.add", N("m") "," N("plus")) "," OUT(N("p"))) "}"

START_TEST(constants_keywords_and_defaults)
{
    expect("{\"modules\": {\"f\": " SCALES "}, " GRAPH(IN("x") "," SUB("a", "f", N("x") ", 3") "," OUT(N("a"))) "}", 4, 7);
    expect("{\"modules\": {\"f\": " SCALES
           "}, " GRAPH(IN("x") ",{\"name\": \"a\", \"op\": \"call_module\", \"target\": \"f\", \"args\": [" N(
               "x") "], \"kwargs\": {\"plus\": 0.5, \"by\": 2}}," OUT(N("a"))) "}",
           2.5, 4.5);
}
END_TEST

#define TWO                                                                                                                        \
    "{" GRAPH(IN("x") "," CALL("n", "operator.neg", N("x")) "," CALL("d", "operator.add", N("x") "," N("x")) "," OUT(              \
        "{\"tuple\": [" N("n") ", [" N("d") ", 7]]}")) "}"

START_TEST(several_outputs)
{
    expect(
        "{\"modules\": {\"f\": " TWO
        "}, " GRAPH(IN("x") "," SUB("t", "f", N("x")) "," CALL("a", "operator.getitem", N("t") ", 0") "," CALL(
            "l", "operator.getitem",
            N("t") ", -1") "," CALL("b", "operator.getitem",
                                    N("l") ", 0") "," CALL("seven", "operator.getitem",
                                                           N("l") ", 1") "," CALL("m", "operator.mul",
                                                                                  N("b") "," N(
                                                                                      "seven")) "," CALL("r", "operator.add",
                                                                                                         N("m") "," N(
                                                                                                             "a")) "," OUT(N("r"))) "}",
        13, 26);
    context = fx_context_new();
    fx_tensor out[2] = {{0}, {0}}; /* the tuple as a whole */
    run("{\"modules\": {\"f\": {" GRAPH(IN("x") "," CALL("n", "operator.neg", N("x")) "," OUT("{\"dict\": {\"a\": " N(
            "n") ", \"b\": " N("x") "}}")) "}}, " GRAPH(IN("x") "," SUB("t", "f", N("x")) "," OUT(N("t"))) "}",
        2, out);
    ck_assert(fx_tensor_get(&out[0], 1) == -2 && fx_tensor_get(&out[1], 1) == 2);
    fx_tensor_release(&out[0]);
    fx_tensor_release(&out[1]);
    fx_context_free(context);
    expect("{\"modules\": {\"f\": {" GRAPH(IN("x") "," CALL("n", "operator.neg", N("x")) "," OUT("{\"dict\": {\"a\": " N(
               "n") "}}")) "}}, " GRAPH(IN("x") "," SUB("t", "f", N("x")) "," CALL("a", "operator.getitem",
                                                                                   N("t") ", \"a\"") "," OUT(N("a"))) "}",
           -1, -2);
}
END_TEST

#define BODY(name, args, nodes)                                                                                                    \
    "{\"name\": \"" name "\", \"op\": \"call_function\", \"target\": \"my.f\", \"args\": [" args                                   \
    "], \"body\": {\"nodes\": [" nodes "]}}"

/* A body inside a submodule uses the submodule's weight; its inputs are the nodes that the call uses, in order. */
START_TEST(bodies)
{
    expect("{" GRAPH(IN("x") "," CALL("n", "operator.neg", N("x")) "," BODY(
               "f", "[3, " N("n") "], " N("x") ", " N("n"),
               IN("a") "," IN("b") "," CALL("s", "operator.sub", N("a") "," N("b")) "," OUT(N("s"))) "," OUT(N("f"))) "}",
           -2, -4);
    expect("{\"modules\": {\"m\": {" W ", " GRAPH(IN("x") "," BODY(
               "f", N("x"),
               IN("a") "," ATTR("w", "weight") "," BODY(
                   "g", N("a") "," N("w"),
                   IN("p") "," IN("q") "," CALL("s", "operator.mul", N("p") "," N("q")) "," OUT(N(
                       "s"))) "," OUT(N("g"))) "," OUT(N("f"))) "}}, " GRAPH(IN("x") "," SUB("a", "m", N("x")) "," OUT(N("a"))) "}",
           10, 40);
}
END_TEST

START_TEST(locations_are_kept)
{
    context = fx_context_new();
    bool modified;
    fx_module *m =
        import(
            "{\"modules\": {\"f\": {" GRAPH(IN("x") ",{\"name\": \"n\", \"op\": \"call_function\", \"target\": \"operator.neg\", "
                                                    "\"args\": [" N("x") "], \"loc\": {\"file\": \"inner.py\", \"line\": 3}}," CALL(
                                                        "d", "operator.neg",
                                                        N("n")) "," OUT(N("d"))) "}}, " GRAPH(IN("x") ",{\"name\": \"t\", \"op\": "
                                                                                                      "\"call_module\", "
                                                                                                      "\"target\": \"f\", "
                                                                                                      "\"args\": [" N("x") "], "
                                                                                                                           "\"loc\""
                                                                                                                           ": "
                                                                                                                           "{\"file"
                                                                                                                           "\": "
                                                                                                                           "\"outer"
                                                                                                                           ".py\", "
                                                                                                                           "\"line"
                                                                                                                           "\": "
                                                                                                                           "8}}"
                                                                                                                           "," OUT(N("t"))) "}");
    CHECK_OK(context, fx_pass_find("inline")->run(fx_module_graph(m), NULL, &modified));
    ck_assert(modified);
    ck_assert_str_eq(fx_node_loc(fx_graph_find(fx_module_graph(m), "n")).file, "inner.py");
    ck_assert_int_eq(fx_node_loc(fx_graph_find(fx_module_graph(m), "d")).line, 8); /* without one of its own: where it was called */
    fx_module_free(m);
    fx_context_free(context);
}
END_TEST

static void refuse(const char *module_json, const char *why)
{
    context = fx_context_new();
    bool modified;
    fx_module *m = import(module_json);
    ck_assert_int_ne(fx_pass_find("inline")->run(fx_module_graph(m), NULL, &modified), FX_OK);
    CHECK_DIAG(context, why);
    fx_module_free(m);
    fx_context_free(context);
}

START_TEST(what_cannot_be_inlined_is_told)
{
    refuse("{\"modules\": {\"f\": " SCALES "}, " GRAPH(IN("x") "," SUB("a", "f", N("x")) "," OUT(N("a"))) "}",
           "input by of the submodule is missing");
    refuse("{\"modules\": {\"f\": " SCALES "}, " GRAPH(IN("x") "," SUB("a", "f", "1, 2, 3, 4") "," OUT(N("a"))) "}",
           "the submodule has 3 inputs, 4 arguments are given");
    refuse("{\"modules\": {\"f\": {}}, " GRAPH(IN("x") "," SUB("a", "f", "") "," OUT(N("a"))) "}", "has no output");
    refuse("{" GRAPH(IN("x") "," BODY("f", N("x"), IN("a") "," IN("b") "," OUT(N("b"))) "," OUT(N("f"))) "}",
           "its body has more inputs than the call uses nodes (1)");
}
END_TEST

FX_TESTS("inline", called_twice_with_one_weight, nested_modules, nodes_tell_their_module, constants_keywords_and_defaults,
         several_outputs, bodies, locations_are_kept, what_cannot_be_inlined_is_told)
