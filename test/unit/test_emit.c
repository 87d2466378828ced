/* SPDX-License-Identifier: Apache-2.0 */
/* Ahead of time: an object is linked into a C program with nothing beside it and gives the JIT's bits; failures leave no files. */
#include "harness.h"
#include "compare.h"
#include "fxjit/compile.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/fxjit-emit-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    char *it = path[next++ % 4];
    snprintf(it, sizeof path[0], "%s/%s", folder, name);
    return it;
}

static int shell(const char *format, const char *a, const char *b, const char *c)
{
    char command[1024];
    snprintf(command, sizeof command, format, a, b, c);
    return system(command);
}

/* relu(x @ w.T + b) with a weight that lives inside the object. */
static fx_module *linear(fx_context *context, fx_tensor *w, fx_tensor *b)
{
    fx_module *module = fx_module_new(context, "tiny-net");
    fx_graph *graph = fx_module_graph(module);
    uint64_t random = 3;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){5, 7}, w), FX_OK);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 1, (int64_t[]){5}, b), FX_OK);
    for (int64_t i = 0; i < 35; i++) fx_tensor_set(w, i, fx_test_uniform(&random, -1, 1));
    for (int64_t i = 0; i < 5; i++) fx_tensor_set(b, i, fx_test_uniform(&random, -1, 1));
    CHECK_OK(context, fx_module_add_tensor(module, "w", w, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(module, "b", b, false, NULL, NULL));
    fx_type type = {FX_F32, 2, {3, 7}};
    fx_attr args[3] = {fx_node_attr(fx_graph_placeholder(graph, "x", &type)), fx_node_attr(fx_graph_get_attr(graph, "w")),
                       fx_node_attr(fx_graph_get_attr(graph, "b"))};
    fx_attr y = fx_node_attr(fx_graph_call(graph, "torch.ops.aten.linear.default", args, 3));
    fx_graph_output(graph, fx_node_attr(fx_graph_call(graph, "torch.ops.aten.relu.default", &y, 1)));
    CHECK_OK(context, fx_graph_propagate(graph));
    return module;
}

static void write_program(const char *path, const char *prepare, const char *call)
{
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(out,
            "#include \"net.h\"\n#include <stdio.h>\n#include <stdlib.h>\n"
            "int main(void)\n{\n"
            "    float x[3][7], y[3][5];\n"
            "    for (int i = 0; i < 21; i++) x[0][i] = (float)(i - 10) / 8;\n"
            "    void *workspace = aligned_alloc(64, TINY_NET_WORKSPACE_BYTES + 64);\n%s"
            "    int status = %s;\n"
            "    for (int i = 0; i < 15; i++) printf(\"%%a\\n\", (double)y[0][i]);\n"
            "    return status;\n}\n",
            prepare, call);
    fclose(out);
}

static void compare_with_interpreter(fx_context *context, fx_module *module, const char *lines)
{
    fx_tensor x, expected = {0}, bound = {0}, actual;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){3, 7}, &x), FX_OK);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){3, 5}, &actual), FX_OK);
    for (int i = 0; i < 21; i++) fx_tensor_set(&x, i, (i - 10) / 8.0);
    CHECK_OK(context, fx_interpret_bound(module, &x, 1, &expected, &bound, 1));
    FILE *in = fopen(lines, "r");
    ck_assert_ptr_nonnull(in);
    for (int i = 0; i < 15; i++) {
        double value;
        ck_assert_int_eq(fscanf(in, "%la", &value), 1);
        fx_tensor_set(&actual, i, value);
    }
    fclose(in);
    const char *difference = fx_test_difference(&expected, &actual, &bound);
    ck_assert_msg(!difference, "%s", difference);
    fx_tensor_release(&x);
    fx_tensor_release(&expected);
    fx_tensor_release(&bound);
    fx_tensor_release(&actual);
}

static void emit_and_run(bool weights_in_file)
{
    fx_context *context = fx_context_new();
    fx_tensor w, b;
    fx_module *module = linear(context, &w, &b);
    fx_emit_options emit = {.weights_in_file = weights_in_file};
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, &emit, in_folder("net.o")));
    const char *load = "    void *weights = aligned_alloc(64, TINY_NET_WEIGHTS_BYTES + 64);\n"
                       "    FILE *in = fopen(\"net.weights\", \"rb\");\n"
                       "    if (!in || fread(weights, 1, TINY_NET_WEIGHTS_BYTES, in) != TINY_NET_WEIGHTS_BYTES) return 99;\n";
    write_program(in_folder("main.c"), weights_in_file ? load : "",
                  weights_in_file ? "tiny_net(x, y, workspace, weights)" : "tiny_net(x, y, workspace)");
    ck_assert_int_eq(shell("cd %s && cc -std=c17 -Wall -Werror -o main main.c net.o -lm && ./main >%s%s", folder, "out.txt", ""),
                     0);
    ck_assert_int_eq(access(in_folder("net.weights"), F_OK) == 0, weights_in_file);
    compare_with_interpreter(context, module, in_folder("out.txt"));
    fx_module_free(module);
    fx_tensor_release(&w);
    fx_tensor_release(&b);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}

START_TEST(an_object_needs_nothing)
{
    emit_and_run(false);
}
END_TEST

START_TEST(weights_may_stand_beside)
{
    emit_and_run(true);
}
END_TEST

START_TEST(only_the_entry_and_no_foreign_symbols)
{
    fx_context *context = fx_context_new();
    fx_tensor w, b;
    fx_module *module = linear(context, &w, &b);
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, NULL, in_folder("net.o")));
    ck_assert_int_eq(
        shell("nm -u %s | grep -vE ' (memcpy|memset|memmove)$' | grep -q . && exit 1 || exit 0%s%s", in_folder("net.o"), "", ""),
        0);
    ck_assert_int_eq(shell("nm -g --defined-only %s | grep -q ' T tiny_net$'%s%s", in_folder("net.o"), "", ""), 0);
    fx_module_free(module);
    fx_tensor_release(&w);
    fx_tensor_release(&b);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}
END_TEST

START_TEST(objects_are_reproducible)
{
    fx_context *context = fx_context_new();
    fx_tensor w, b;
    fx_module *module = linear(context, &w, &b);
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, NULL, in_folder("one.o")));
    void *shift = malloc(12345);
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, &(fx_emit_options){.symbol = "tiny_net"},
                                     in_folder("two.o")));
    ck_assert_int_eq(shell("cmp %s %s%s", in_folder("one.o"), in_folder("two.o"), ""), 0);
    free(shift);
    fx_module_free(module);
    fx_tensor_release(&w);
    fx_tensor_release(&b);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}
END_TEST

START_TEST(failures_leave_no_files)
{
    fx_context *context = fx_context_new();
    fx_tensor w, b;
    fx_module *module = linear(context, &w, &b);
    ck_assert_int_eq(fx_emit_object(module, NULL, 0, NULL, NULL, "/nonexistent/net.o"), FX_E_IO);
    CHECK_DIAG(context, "cannot write /nonexistent/net.o");
    ck_assert_int_eq(fx_emit_object(module, NULL, 0, NULL, &(fx_emit_options){.symbol = "a-b"}, in_folder("net.o")), FX_E_ARG);
    ck_assert_int_eq(
        fx_emit_object(module, NULL, 0, &(fx_compile_options){.target_triple = "vax-dec-ultrix"}, NULL, in_folder("net.o")),
        FX_E_UNSUPPORTED);
    ck_assert_int_eq(rmdir(folder), 0); /* still empty */
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    fx_module_free(module);
    fx_tensor_release(&w);
    fx_tensor_release(&b);
    fx_context_free(context);
}
END_TEST

START_TEST(another_architecture)
{
    fx_context *context = fx_context_new();
    fx_tensor w, b;
    fx_module *module = linear(context, &w, &b);
    fx_compile_options options = {.threads = 1, .target_triple = "aarch64-linux-gnu", .target_cpu = "neoverse-n1"};
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &options, NULL, in_folder("net.o")));
    ck_assert_int_eq(shell("file %s 2>/dev/null | grep -qi -e aarch64 || od -A n -t x2 -j 18 -N 2 %s | grep -q 00b7%s",
                           in_folder("net.o"), in_folder("net.o"), ""),
                     0);
    fx_module_free(module);
    fx_tensor_release(&w);
    fx_tensor_release(&b);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}
END_TEST

/* A buffer that each call moves, and an input that it changes: the object has the first values of the state. */
static const char counter[] = "graph {\n%x = placeholder \"x\" : f32[2]\n%n = get_attr \"n\"\n%w = get_attr \"w\"\n"
                              "%a = call_method \"add_\"(%n, %x)\n%m = call_method \"mul_\"(%x, %w)\n"
                              "%y = call_function \"torch.mul\"(%a, 2.0)\n%output = output(%y)\n}\n";
static const char counting[] =
    "#include \"net.h\"\n#include <stdlib.h>\n#include <string.h>\n"
    "int main(void)\n{\n"
    "    float x[2] = {1, 2}, y[2];\n"
    "    void *workspace = aligned_alloc(64, COUNT_WORKSPACE_BYTES + 64), *state = aligned_alloc(64, COUNT_STATE_BYTES);\n"
    "    memcpy(state, count_state, COUNT_STATE_BYTES);\n"
    "    int status = count(x, y, workspace, WEIGHTS state) || count(x, y, workspace, WEIGHTS state);\n"
    "    return status || y[0] != 2 * (5 + 1 + 3) || y[1] != 2 * (6 + 2 + 8) || x[0] != 9 || x[1] != 32;\n}\n";

static void emit_with_state(bool weights_in_file)
{
    fx_context *context = fx_context_new();
    fx_graph *graph;
    fx_attr output;
    float n[] = {5, 6}, w[] = {3, 4};
    fx_tensor tensors[] = {fx_tensor_view(n, FX_F32, 1, (int64_t[]){2}), fx_tensor_view(w, FX_F32, 1, (int64_t[]){2})};
    fx_module *module = fx_module_new(context, "count");
    CHECK_OK(context, fx_graph_parse(context, "count", counter, strlen(counter), &graph));
    CHECK_OK(context, fx_module_add_tensor(module, "n", &tensors[0], true, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(module, "w", &tensors[1], false, NULL, NULL));
    CHECK_OK(context, fx_graph_copy(fx_module_graph(module), graph, NULL, &output));
    fx_graph_output(fx_module_graph(module), output);
    fx_emit_options emit = {.weights_in_file = weights_in_file};
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, &emit, in_folder("net.o")));
    FILE *out = fopen(in_folder("main.c"), "w");
    ck_assert_ptr_nonnull(out);
    fputs(counting, out);
    fclose(out);
    const char *weights = weights_in_file ? "'-DWEIGHTS=(const float[]){3,4},'" : "-DWEIGHTS=";
    ck_assert_int_eq(shell("cd %s && cc -std=c17 -Wall -Werror %s -o main main.c net.o -lm && ./main%s", folder, weights, ""), 0);
    fx_graph_free(graph);
    fx_module_free(module);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}

START_TEST(state_is_the_callers)
{
    emit_with_state(false);
    emit_with_state(true);
}
END_TEST

/* Names of a file end no comment of the header, and mean nothing else in its prototype. */
START_TEST(any_name_stands_in_a_header)
{
    static const char text[] = "module \"int\"\noutput_name 0 \"y*/ int bad; /*\"\ngraph {\n  symbol long [1, 9] hint 4 multiple 1\n"
                               "  symbol workspace [1, 9] hint 4 multiple 1\n  symbol in0_x [1, 9] hint 4 multiple 1\n"
                               "%x = placeholder \"x\" : f32[long, workspace, in0_x]\n%a = call_function \"torch.relu\"(%x)\n%output = output((%a,))\n}\n";
    fx_context *context = fx_context_new();
    fx_module *module;
    FILE *out = fopen(in_folder("names.fx"), "w");
    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    fclose(out);
    CHECK_OK(context, fx_load(context, in_folder("names.fx"), &module));
    CHECK_OK(context, fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, NULL, in_folder("names.o")));
    ck_assert_int_eq(shell("cc -std=c17 -Wall -Wcomment -Werror -fsyntax-only -x c %s%s%s", in_folder("names.h"), "", ""), 0);
    ck_assert_int_eq(
        fx_emit_object(module, NULL, 0, &(fx_compile_options){.threads = 1}, &(fx_emit_options){.symbol = "while"}, in_folder("w.o")),
        FX_E_ARG);
    fx_module_free(module);
    fx_context_free(context);
    shell("rm -f %s/*%s%s", folder, "", "");
}
END_TEST

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    const TTest *const tests[] = {an_object_needs_nothing,  weights_may_stand_beside, only_the_entry_and_no_foreign_symbols,
                                  objects_are_reproducible, failures_leave_no_files,  another_architecture,
                                  state_is_the_callers,     any_name_stands_in_a_header};
    int result = fx_test_main("emit", tests, (int)(sizeof tests / sizeof tests[0]));
    rmdir(folder);
    return result;
}
