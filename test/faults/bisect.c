/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong lowerings are found: each row of bisect.txt is planted in turn, and fx_bisect must name form, pass and node in a graph of
 * 300 nodes and reduce it to at most three, which fail by themselves where the fault is and pass where it is not. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern int fx_fault;

enum { ROWS = 18, WIDTH = 20, BLOCKS = 33, NODES = 300 };

typedef struct expectation {
    fx_bisect_form form;
    const char *pass, *node; /* node NULL: any */
    bool breaks_rule;
    const char *loops; /* part of what is said of loops; NULL: nothing is */
} expectation;

static const expectation expected[] = {
    {FX_BISECT_CORE, "normalise", "floor", false, NULL},
    {FX_BISECT_GRAPH, "rewrite", "turned", false, NULL},
    {FX_BISECT_PROGRAM, "lower", "rsub", false, NULL},
    {FX_BISECT_PROGRAM, "fuse", "atan2", false, NULL},
    {FX_BISECT_PROGRAM, "plan", NULL, true, NULL},
    {FX_BISECT_NATIVE, "codegen", "minimum", false, NULL},
    {FX_BISECT_SCHEDULE, "schedule", "first_mm", false, "plain loops instead of tile"},
    {FX_BISECT_SCHEDULE, "schedule", "softmax", false, "plain loops instead of row"},
    {FX_BISECT_SCHEDULE, "schedule", "total", false, "unroll 1 instead of 4"},
    {FX_BISECT_THREADS, "parallel", "first", false, "one task instead of chunks of "},
};
enum { FAULTS = sizeof expected / sizeof expected[0] };

/* ---- A graph of 300 nodes: a chain in which nothing fades ------------------------------------------------------------------ */

static fx_node *call(fx_graph *graph, const char *name, const char *op, fx_attr a, fx_attr b)
{
    char target[64];
    snprintf(target, sizeof target, "torch.%s", op);
    fx_attr args[] = {a, b};
    fx_node *node = fx_graph_call(graph, target, args, b.kind == FX_ATTR_NONE ? 1 : 2);
    ck_assert_ptr_nonnull(node);
    if (name) ck_assert_int_eq(fx_node_set_name(node, name), FX_OK);
    return node;
}

static fx_attr of(fx_node *node)
{
    return fx_node_attr(node);
}

static void release(void *user, void *data)
{
    (void)user;
    fx_tensor tensor = {.data = data};
    fx_tensor_release(&tensor);
}

static fx_node *weight(fx_module *module, const char *path, int64_t size, uint64_t *seed)
{
    fx_tensor tensor;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){size, size}, &tensor), FX_OK);
    for (int64_t i = 0; i < size * size; i++) fx_tensor_set(&tensor, i, fx_test_uniform(seed, -0.15, 0.15));
    ck_assert_int_eq(fx_module_add_tensor(module, path, &tensor, false, release, NULL), FX_OK);
    return fx_graph_get_attr(fx_module_graph(module), path);
}

/* x + 0.01 * special */
static fx_node *mix(fx_graph *graph, fx_node *x, fx_node *special, const char *name)
{
    fx_node *scaled = call(graph, name, "mul", of(special), fx_float(0.01));
    return call(graph, NULL, "add", of(x), of(scaled));
}

static fx_node *block(fx_module *module, fx_node *x, int index, uint64_t *seed)
{
    char path[16];
    fx_graph *graph = fx_module_graph(module);
    snprintf(path, sizeof path, "w%d", index);
    fx_node *product = call(graph, NULL, "mm", of(x), of(weight(module, path, WIDTH, seed)));
    fx_node *curve = call(graph, NULL, "tanh", of(product), fx_none());
    fx_node *left = call(graph, NULL, "relu", of(curve), fx_none());
    fx_node *sum = mix(graph, x, left, NULL);
    fx_node *gate = call(graph, NULL, "sigmoid", of(sum), fx_none());
    fx_node *part = call(graph, NULL, "mul", of(gate), fx_float(0.001));
    return call(graph, NULL, "sub", of(sum), of(part));
}

static fx_node *special(fx_graph *graph, fx_node *x, fx_node *input, int index)
{
    switch (index) {
    case 5:
        return mix(graph, x, call(graph, "minimum", "minimum", of(x), of(input)), NULL);
    case 10:
        return mix(graph, x, call(graph, "rsub", "rsub", of(x), fx_float(1)), NULL);
    case 15:
        x = call(graph, NULL, "flip", of(x), fx_ints(graph, (int64_t[]){0}, 1));
        return call(graph, "turned", "flip", of(x), fx_ints(graph, (int64_t[]){1}, 1));
    case 20:
        return mix(graph, x, call(graph, "atan2", "atan2", of(x), of(input)), "scaled_atan2");
    case 25:
        return mix(graph, x, call(graph, "floor", "floor", of(x), fx_none()), NULL);
    case 28:
        return mix(graph, x, call(graph, "softmax", "softmax", of(x), fx_int(1)), NULL);
    case 30:
        return mix(graph, x, call(graph, "total", "sum", of(x), fx_none()), NULL);
    default:
        return x;
    }
}

static fx_module *make_model(fx_context *context)
{
    uint64_t seed = 7;
    fx_module *module = fx_module_new(context, "chain");
    fx_graph *graph = fx_module_graph(module);
    const fx_type type = {.dtype = FX_F32, .rank = 2, .dim = {ROWS, WIDTH}};
    fx_node *input = fx_graph_placeholder(graph, "x", &type), *x = input;
    x = call(graph, "first_mm", "mm", of(x), of(weight(module, "a", WIDTH, &seed)));
    x = call(graph, "second_mm", "mm", of(weight(module, "b", ROWS, &seed)), of(x));
    x = call(graph, "third_mm", "mm", of(weight(module, "c", ROWS, &seed)), of(x));
    for (int i = 0; i < BLOCKS; i++) x = special(graph, block(module, x, i, &seed), input, i);
    for (int32_t n = fx_graph_size(graph) - 4 - BLOCKS; n < NODES; n++) x = call(graph, NULL, "mul", of(x), fx_float(0.97));
    ck_assert_ptr_nonnull(fx_graph_output(graph, of(x)));
    CHECK_OK(context, fx_graph_propagate(graph));
    return module;
}

/* One that is worth sharing between threads. */
static fx_module *make_large_model(fx_context *context)
{
    fx_module *module = fx_module_new(context, "large");
    fx_graph *graph = fx_module_graph(module);
    const fx_type type = {.dtype = FX_F32, .rank = 2, .dim = {3 * ROWS * ROWS, WIDTH * WIDTH}};
    fx_node *x = call(graph, "first", "neg", of(fx_graph_placeholder(graph, "x", &type)), fx_none());
    x = call(graph, "erf", "erf", of(x), fx_none());
    ck_assert_ptr_nonnull(fx_graph_output(graph, of(call(graph, NULL, "flip", of(x), fx_ints(graph, (int64_t[]){0}, 1)))));
    CHECK_OK(context, fx_graph_propagate(graph));
    return module;
}

/* ---- Finding --------------------------------------------------------------------------------------------------------------- */

static fx_tensor make_input(const fx_module *module)
{
    uint64_t seed = 3;
    fx_tensor tensor;
    const fx_type *type = fx_module_input_type(module, 0);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, type->dim, &tensor), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, fx_test_uniform(&seed, -3, 3));
    return tensor;
}

static int run_program(const char *program, int fault, const char *arguments, const char *out)
{
    char command[1024];
    snprintf(command, sizeof command, "FXJIT_FAULT=%d %s %s > %s 2>&1", fault, program, arguments, out);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_found(const fx_mismatch *found, const expectation *e)
{
    fprintf(stderr, "%s after %s: %s in %s, %d nodes; right with: %s; %s; %s\n", fx_bisect_form_name(found->form), found->pass,
            found->node, found->kernel, (int)found->n_nodes, found->loops, found->without, found->why);
    ck_assert_int_eq(found->form, e->form);
    ck_assert_str_eq(found->pass, e->pass);
    if (e->node) ck_assert_str_eq(found->node, e->node);
    ck_assert_int_eq(*found->why != 0, e->breaks_rule);
    ck_assert(e->loops ? strstr(found->loops, e->loops) != NULL : !*found->loops);
    ck_assert_int_ge(found->n_nodes, 1);
    ck_assert_int_le(found->n_nodes, 3);
    ck_assert_int_ge((int)found->at.element, 0);
    ck_assert(found->at.actual != found->at.expected);
    if (e->form >= FX_BISECT_PROGRAM) ck_assert(*found->kernel);
}

START_TEST(faults_are_found)
{
    char folder[64], arguments[128];
    fx_context *context = fx_context_new();
    fx_module *module = expected[_i].form == FX_BISECT_THREADS ? make_large_model(context) : make_model(context);
    fx_tensor input = make_input(module);
    fx_compile_options two_threads = {.threads = 2};
    fx_bisect_options options = {.compile = expected[_i].form == FX_BISECT_THREADS ? &two_threads : NULL};
    fx_bisection *found;
    fx_fault = _i + 1;
    CHECK_OK(context, fx_bisect(module, &input, 1, &options, &found));
    expect_found(fx_bisection_mismatch(found), &expected[_i]);
    snprintf(folder, sizeof folder, "bisect_%d.repro", _i + 1);
    CHECK_OK(context, fx_bisection_save(found, folder));
    CHECK_OK(context, fx_bisection_save(found, folder)); /* takes the place of the first */
    snprintf(arguments, sizeof arguments, "verify %s", folder);
    ck_assert_int_eq(run_program(FX_FAULTY_PROGRAM, fx_fault, arguments, "bisect.out"), 1);
    ck_assert_int_eq(run_program(FX_PROGRAM, 0, arguments, "bisect.out"), 0);
    fx_bisection_free(found);
    fx_fault = 0;
    fx_tensor_release(&input);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

START_TEST(without_a_fault_nothing_is_found)
{
    fx_context *context = fx_context_new();
    fx_module *module = make_model(context);
    fx_tensor input = make_input(module);
    fx_bisection *found;
    int32_t n = 0;
    fx_fault = 0;
    for (const fx_node *node = fx_graph_first(fx_module_graph(module)); node; node = fx_node_next(node))
        n += fx_node_opcode(node) == FX_CALL_FUNCTION;
    ck_assert_int_eq(n, NODES);
    ck_assert_int_eq(fx_bisect(module, &input, 1, NULL, &found), FX_E_NOT_FOUND);
    ck_assert_ptr_null(found);
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    CHECK_OK(context, fx_module_save(module, "bisect_chain.fxm"));
    ck_assert_int_eq(run_program(FX_FAULTY_PROGRAM, 0, "verify bisect_chain.fxm", "bisect.out"), 0);
    fx_tensor_release(&input);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* The program on the whole model, as people call it: what it prints, and the folder that it leaves. */
START_TEST(the_program_tells)
{
    static const char *const words[] = {"FAIL bisect_chain.fxm: output ",
                                        "form        program",
                                        "pass        lower",
                                        "node        rsub (rsub)",
                                        "position    [",
                                        "reproducer  1 node: fxjit verify bisect_told.repro",
                                        "0 passed, 1 failed"};
    char text[8192] = "";
    ck_assert_int_eq(run_program(FX_FAULTY_PROGRAM, 3, "verify --reproducer bisect_told.repro bisect_chain.fxm", "bisect.out"), 1);
    FILE *in = fopen("bisect.out", "r");
    ck_assert_ptr_nonnull(in);
    size_t bytes = fread(text, 1, sizeof text - 1, in);
    text[bytes] = 0;
    fclose(in);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_msg(strstr(text, words[i]), "no \"%s\" in:\n%s", words[i], text);
    ck_assert_int_eq(run_program(FX_FAULTY_PROGRAM, 3, "verify bisect_told.repro", "bisect.out"), 1);
    ck_assert_int_eq(run_program(FX_PROGRAM, 0, "verify bisect_told.repro", "bisect.out"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bisect");
    TCase *group = tcase_create("faults");
    tcase_set_timeout(group, 0);
    tcase_add_test(group, without_a_fault_nothing_is_found);
    tcase_add_loop_test(group, faults_are_found, 0, FAULTS);
    tcase_add_test(group, the_program_tells);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
