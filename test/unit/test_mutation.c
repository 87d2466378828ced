/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs that change their inputs and buffers, through every form: the interpreter, which works on strided memory as torch does;
 * the core graph with its write-backs, also read back from its text; native code with one and two threads, in place and with every
 * value apart. After each of several runs outputs, inputs and state must agree. What torch gives stands beside each case in
 * numbers. */
#include "harness.h"
#include "fxjit/compile.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4, RUNS = 3 };

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

/* A module whose tensors and inputs count from 1 on. */
static fx_module *read_module(const char *text)
{
    fx_graph *graph;
    CHECK_OK(context, fx_graph_parse(context, "case", text, strlen(text), &graph));
    fx_module *module = fx__module_ensure(graph);
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_module_tensor_entry *entry = &module->tensors[i];
        ck_assert_int_eq(fx_tensor_alloc(entry->tensor.dtype, entry->tensor.rank, entry->tensor.dim, &entry->tensor), FX_OK);
        entry->release = fx__module_release_tensor;
        for (int64_t e = 0; e < fx_tensor_elems(&entry->tensor); e++) fx_tensor_set(&entry->tensor, e, (double)(e + 1));
    }
    return module;
}

typedef struct values {
    fx_tensor in[MOST], out[MOST];
    int32_t n_in, n_out;
} values;

static values make_values(const fx_module *module, int64_t symbol)
{
    values v = {.n_in = fx_module_input_count(module), .n_out = fx_module_output_count(module)};
    ck_assert_int_le(v.n_in, MOST);
    for (int32_t i = 0; i < v.n_in; i++) {
        const fx_type *type = fx_module_input_type(module, i);
        int64_t dim[FX_RANK];
        for (int32_t d = 0; d < type->rank; d++) dim[d] = fx_dim_is_const(type->dim[d]) ? type->dim[d] : symbol;
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, dim, &v.in[i]), FX_OK);
        for (int64_t e = 0; e < fx_tensor_elems(&v.in[i]); e++) fx_tensor_set(&v.in[i], e, (double)(e + 1 + 10 * i));
    }
    return v;
}

static void drop_outputs(values *v)
{
    for (int32_t i = 0; i < v->n_out; i++) fx_tensor_release(&v->out[i]);
}

static void drop_values(values *v)
{
    drop_outputs(v);
    for (int32_t i = 0; i < v->n_in; i++) fx_tensor_release(&v->in[i]);
}

static void expect_equal(const char *form, int run, const char *what, const fx_tensor *have, const fx_tensor *want)
{
    ck_assert_int_eq(fx_tensor_elems(have), fx_tensor_elems(want));
    for (int64_t e = 0; e < fx_tensor_elems(want); e++) {
        double a = fx_tensor_get(have, e), b = fx_tensor_get(want, e);
        ck_assert_msg(fabs(a - b) <= 1e-5 * fmax(1, fabs(b)), "%s, run %d, %s, element %d: %.9g, expected %.9g", form, run, what,
                      (int)e, a, b);
    }
}

/* The interpreter's values after each run. */
typedef struct expected {
    values v[RUNS];
    fx_tensor state[RUNS][MOST];
} expected;

static fx_tensor copy_of(const fx_tensor *from)
{
    fx_tensor copy;
    ck_assert_int_eq(fx_tensor_alloc(from->dtype, from->rank, from->dim, &copy), FX_OK);
    ck_assert_int_eq(fx_tensor_copy(&copy, from), FX_OK);
    return copy;
}

static void interpret_runs(const char *text, int64_t symbol, expected *out)
{
    fx_module *module = read_module(text);
    values now = make_values(module, symbol);
    for (int run = 0; run < RUNS; run++) {
        CHECK_OK(context, fx_interpret(module, now.in, now.n_in, now.out, now.n_out));
        out->v[run] = now;
        for (int32_t i = 0; i < now.n_in; i++) out->v[run].in[i] = copy_of(&now.in[i]);
        memset(now.out, 0, sizeof now.out);
        for (int32_t i = 0; i < module->n_tensors; i++)
            out->state[run][i] = copy_of(fx_module_tensor(module, module->tensors[i].path));
    }
    for (int32_t i = 0; i < now.n_in; i++) fx_tensor_release(&now.in[i]);
    fx_module_free(module);
}

static void drop_expected(expected *e)
{
    for (int run = 0; run < RUNS; run++) {
        drop_values(&e->v[run]);
        for (int i = 0; i < MOST; i++) fx_tensor_release(&e->state[run][i]);
    }
}

static void expect_run(const char *form, int run, const expected *want, const values *have)
{
    for (int32_t i = 0; i < have->n_out; i++) expect_equal(form, run, "output", &have->out[i], &want->v[run].out[i]);
    for (int32_t i = 0; i < have->n_in; i++) expect_equal(form, run, "input", &have->in[i], &want->v[run].in[i]);
}

static void check_compiled(const char *text, int64_t symbol, const char *form, const fx_compile_options *options,
                           const expected *want)
{
    fx_module *module = read_module(text);
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, NULL, 0, options, &net));
    values now = make_values(module, symbol);
    for (int run = 0; run < RUNS; run++) {
        CHECK_OK(context, fx_run(net, context, now.in, now.n_in, now.out, now.n_out));
        expect_run(form, run, want, &now);
        for (int32_t i = 0; i < module->n_tensors; i++) {
            fx_tensor state;
            if (fx_compiled_state(net) && fx_state_tensor(fx_compiled_state(net), module->tensors[i].path, &state) == FX_OK)
                expect_equal(form, run, module->tensors[i].path, &state, &want->state[run][i]);
            else /* unchanged */
                expect_equal(form, run, module->tensors[i].path, &module->tensors[i].tensor, &want->state[run][i]);
        }
        drop_outputs(&now);
        memset(now.out, 0, sizeof now.out);
    }
    drop_values(&now);
    fx_compiled_free(net);
    fx_module_free(module);
}

static void check_core_run(fx_module *core, int64_t symbol, const char *form, const expected *want)
{
    values now = make_values(core, symbol);
    for (int run = 0; run < RUNS; run++) {
        CHECK_OK(context, fx_interpret(core, now.in, now.n_in, now.out, now.n_out));
        expect_run(form, run, want, &now);
        drop_outputs(&now);
        memset(now.out, 0, sizeof now.out);
    }
    drop_values(&now);
}

/* The core graph, as it is and as read back from its text (whose tensors have no values there). */
static void check_core(const char *text, int64_t symbol, const expected *want)
{
    fx_module *module = read_module(text);
    fx_pass_options options = {.verify = true};
    CHECK_OK(context, fx__pipeline_graph(module->graph, &options));
    char *core = fx_graph_to_fx(module->graph);
    fx_graph *back;
    CHECK_OK(context, fx_graph_parse(context, "core", core, strlen(core), &back));
    char *again = fx_graph_to_fx(back);
    ck_assert_str_eq(core, again);
    check_core_run(module, symbol, "core graph", want);
    fx_text_free(core);
    fx_text_free(again);
    fx_module_free(fx_graph_module(back));
    fx_module_free(module);
}

static expected check_all(const char *text, int64_t symbol)
{
    expected want = {0};
    interpret_runs(text, symbol, &want);
    check_core(text, symbol, &want);
    check_compiled(text, symbol, "one thread", &(fx_compile_options){.threads = 1, .verify = true}, &want);
    check_compiled(text, symbol, "two threads", &(fx_compile_options){.threads = 2, .verify = true}, &want);
    check_compiled(text, symbol, "apart", &(fx_compile_options){.threads = 1, .no_in_place = true, .verify = true}, &want);
    check_compiled(text, symbol, "no fusion", &(fx_compile_options){.threads = 1, .no_fusion = true, .verify = true}, &want);
    return want;
}

static void check_only(const char *text)
{
    setup();
    expected want = check_all(text, 0);
    drop_expected(&want);
    teardown();
}

#define IN(name, shape) "%" name " = placeholder \"" name "\" : f32" shape "\n"
#define CALL(name, target, args) "%" name " = call_function \"" target "\"(" args ")\n"
#define METHOD(name, target, args) "%" name " = call_method \"" target "\"(" args ")\n"
#define OUT(values) "%output = output(" values ")\n}\n"

START_TEST(inputs_are_changed)
{
    setup();
    expected want = check_all("graph {\n" IN("x", "[3]") IN("y", "[3]") METHOD("a", "add_", "%x, %y") METHOD("b", "mul_", "%a, 2.0")
                                  CALL("r", "operator.iadd", "%y, %x") OUT("(%b, %r, %x)"),
                              0);
    /* torch: x = [1, 2, 3], y = [11, 12, 13]; x.add_(y).mul_(2); y += x */
    const double x[] = {24, 28, 32}, y[] = {35, 40, 45};
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq(fx_tensor_get(&want.v[0].in[0], i), x[i]);
        ck_assert_double_eq(fx_tensor_get(&want.v[0].in[1], i), y[i]);
        ck_assert_double_eq(fx_tensor_get(&want.v[0].out[2], i), x[i]);
    }
    drop_expected(&want);
    teardown();
}
END_TEST

/* inplace=True is the same by position and by keyword, with a row of its own or without. */
START_TEST(functions_work_in_place)
{
    static const char *const functions[][2] = {{"relu", "%a"},      {"hardtanh", "%a, -1.0, 1.0"},
                                               {"elu", "%a, 1.5"},  {"leaky_relu", "%a, 0.25"},
                                               {"hardswish", "%a"}, {"dropout", "%a, 0.5, False"}};
    for (size_t i = 0; i < 2 * sizeof functions / sizeof functions[0]; i++) {
        char call[100], text[600];
        const char *const *f = functions[i / 2];
        snprintf(call, sizeof call, "%%f = call_function \"torch.nn.functional.%s\"(%s, %sTrue)\n", f[0], f[1],
                 i % 2 ? "inplace=" : "");
        snprintf(text, sizeof text, "%s%s%s", "graph {\n" IN("x", "[4]") METHOD("a", "sub_", "%x, 2.5"), call,
                 CALL("y", "torch.add", "%a, %x") OUT("(%y, %f)"));
        setup();
        expected want = check_all(text, 0);
        double first = i / 2 == 5 ? -1.5 : i / 2 == 0 ? 0 : fx_tensor_get(&want.v[0].out[1], 0);
        ck_assert_double_eq(fx_tensor_get(&want.v[0].in[0], 0), first); /* the caller sees it */
        ck_assert_double_eq(fx_tensor_get(&want.v[0].out[0], 0), 2 * first);
        drop_expected(&want);
        teardown();
    }
}
END_TEST

START_TEST(views_share_memory)
{
    check_only("graph {\n" IN("x", "[4, 6]") METHOD("t", "transpose", "%x, 0, 1")
                   METHOD("s", "__getitem__", "%t, (slice(1, 5, 2), 2)") METHOD("a", "add_", "%s, 100")
                       METHOD("v", "view", "%x, [2, 12]") CALL("r", "operator.getitem", "%v, -1") METHOD("m", "mul_", "%r, 3.0")
                           CALL("y", "torch.add", "%t, 0.5") OUT("(%y, %m)"));
    /* a reshape of a transposed tensor is a copy: nothing reaches x */
    check_only("graph {\n" IN("x", "[4, 6]") METHOD("t", "t", "%x") METHOD("c", "reshape", "%t, [24]") METHOD("a", "add_", "%c, 7")
                   METHOD("p", "contiguous", "%x") METHOD("b", "mul_", "%p, 2") METHOD("q", "contiguous", "%t")
                       METHOD("z", "zero_", "%q") OUT("(%a, %x)"));
    /* but a reshape that merges no moved dims is a view */
    check_only("graph {\n" IN("x", "[4, 6]") METHOD("t", "t", "%x") METHOD("c", "reshape", "%t, [2, 3, 4]") METHOD(
        "a", "add_", "%c, 7") METHOD("u", "unsqueeze", "%c, 0") METHOD("w", "squeeze", "%u") METHOD("b", "neg_", "%w") OUT("%t"));
}
END_TEST

START_TEST(pieces_are_views)
{
    check_only("graph {\n" IN("x", "[5, 4]") METHOD("c", "chunk", "%x, 2, 0") CALL("a", "operator.getitem", "%c, 0")
                   CALL("b", "operator.getitem", "%c, 1") METHOD("m", "mul_", "%b, 10") METHOD("s", "copy_", "%a, 0.5")
                       METHOD("u", "unbind", "%x, 1") CALL("k", "operator.getitem", "%u, -1") METHOD("l", "sub_", "%k, 1")
                           CALL("y", "torch.cat", "[%a, %b], 0") CALL("z", "torch.stack", "%u, 1") OUT("(%y, %z)"));
    check_only("graph {\n" IN("x", "[2, 7]") METHOD("c", "split", "%x, [3, 4], 1") CALL("a", "operator.getitem", "%c, 0")
                   METHOD("e", "sqrt_", "%a") CALL("b", "operator.getitem", "%c, 1") METHOD("n", "neg_", "%b") OUT("%x"));
}
END_TEST

START_TEST(items_are_set)
{
    check_only("graph {\n" IN("x", "[4, 6]") IN("y", "[6]") CALL("a", "operator.setitem", "%x, (1, slice(None, None, 2)), 9.0")
                   CALL("b", "operator.setitem", "%x, (..., -1), 5") CALL("c", "operator.setitem", "%x, 2, %y")
                       CALL("d", "operator.setitem", "%x, (slice(None, None, 3), None, slice(2, 4, None)), -1.5") OUT("%x"));
    check_only("graph {\n" IN("x", "[4, 3]") CALL("m", "torch.gt", "%x, 5.5") CALL("a", "operator.setitem", "%x, %m, -1.0") CALL(
        "n", "torch.sum", "%x, [1]") CALL("k", "torch.lt", "%n, 0.0") CALL("b", "operator.setitem", "%x, %k, 3") OUT("%x"));
    check_only("module \"m\"\nbuffer \"rows\" : i64[2]\n"
               "graph {\n" IN("x", "[4, 3]")
                   IN("y", "[2, 3]") "%rows = get_attr \"rows\"\n" CALL("a", "operator.setitem", "%x, %rows, %y")
                       CALL("b", "operator.setitem", "%x, (slice(1, None, None), %rows), 0.25") OUT("%x"));
}
END_TEST

START_TEST(buffers_persist)
{
    setup();
    expected want = check_all("module \"m\"\nbuffer \"count\" : f32[2, 3]\nparameter \"w\" : f32[3]\n"
                              "graph {\n" IN("x", "[2, 3]") "%count = get_attr \"count\"\n%w = get_attr \"w\"\n" METHOD(
                                  "a", "add_", "%count, %x") CALL("y", "torch.mul", "%a, %w") OUT("%y"),
                              0);
    ck_assert_double_eq(fx_tensor_get(&want.state[2][0], 5), 6 + 3 * 6);
    ck_assert_double_eq(fx_tensor_get(&want.state[2][1], 2), 3);
    drop_expected(&want);
    teardown();
    /* two nodes for one buffer: each sees what goes through the other */
    check_only("module \"m\"\nbuffer \"b\" : f32[3]\ngraph {\n" IN("x", "[3]") "%b = get_attr \"b\"\n%c = get_attr \"b\"\n" METHOD(
        "a", "add_", "%b, %x") METHOD("m", "mul_", "%c, 2") OUT("(%b, %c)"));
}
END_TEST

/* Values that trade places must all be read before one is written. */
START_TEST(old_values_are_read_before_new_ones_are_written)
{
    check_only("graph {\n" IN("x", "[3, 3]") IN("y", "[3, 3]") METHOD("k", "clone", "%x") METHOD("a", "copy_", "%x, %y")
                   METHOD("b", "copy_", "%y, %k") OUT("(%k, %x)"));
    check_only("graph {\n" IN("x", "[3, 3]") IN("y", "[3, 3]") METHOD("t", "t", "%y") METHOD("k", "clone", "%x")
                   METHOD("a", "copy_", "%x, %t") METHOD("b", "copy_", "%y, %k") METHOD("c", "add_", "%x, 1") OUT("(%k, %t)"));
    check_only("graph {\n" IN("x", "[3, 3]") METHOD("t", "t", "%x") METHOD("a", "copy_", "%x, %t")
                   CALL("m", "torch.matmul", "%x, %x") METHOD("b", "copy_", "%x, %m") OUT("(%m, %m, %t)"));
    check_only("module \"m\"\nbuffer \"a\" : f32[4]\nbuffer \"b\" : f32[4]\ngraph {\n" IN(
        "x", "[4]") "%a = get_attr \"a\"\n%b = get_attr \"b\"\n" CALL("n", "torch.add", "%a, %b") METHOD("p", "copy_", "%a, %b")
                   METHOD("q", "copy_", "%b, %n") OUT("(%a, %b)"));
}
END_TEST

START_TEST(running_statistics_follow_the_batches)
{
    setup();
    const char *text =
        "module \"bn\"\nparameter \"w\" : f32[3]\nparameter \"b\" : f32[3]\nbuffer \"mean\" : f32[3]\nbuffer \"var\" : f32[3]\n"
        "graph {\n" IN("x", "[4, 3, 5, 2]") "%w = get_attr \"w\"\n%b = get_attr \"b\"\n%mean = get_attr \"mean\"\n"
                                            "%var = get_attr \"var\"\n" CALL("t", "torch.ops.aten.native_batch_norm.default",
                                                                             "%x, %w, %b, %mean, %var, True, 0.1, 1e-05")
                                                CALL("y", "operator.getitem", "%t, 0") CALL("s", "operator.getitem", "%t, 1")
                                                    CALL("i", "operator.getitem", "%t, 2") OUT("(%y, %s, %i)");
    expected want = check_all(text, 0);
    /* channel 0 of x = 1..120 holds 30 n + [1, 10]: mean 50.5, unbiased variance 8.25 * 40 / 39 + 1125 * 40 / 39 */
    ck_assert_double_eq_tol(fx_tensor_get(&want.state[0][2], 0), 0.9 * 1 + 0.1 * 50.5, 1e-5);
    ck_assert_double_eq_tol(fx_tensor_get(&want.state[0][3], 0), 0.9 * 1 + 0.1 * 1133.25 * 40 / 39, 1e-3);
    drop_expected(&want);
    teardown();
    check_only("module \"bn\"\nbuffer \"mean\" : f32[3]\nbuffer \"var\" : f32[3]\n"
               "graph {\n" IN("x", "[7, 3]") "%mean = get_attr \"mean\"\n%var = get_attr \"var\"\n" CALL(
                   "y", "torch.nn.functional.batch_norm", "%x, %mean, %var, training=True, momentum=0.25") OUT("%y"));
}
END_TEST

/* A cache of keys: each step writes one row at a symbolic place, and reads what is there so far. */
START_TEST(a_cache_is_updated_in_place)
{
    setup();
    const char *text =
        "module \"kv\"\nbuffer \"cache\" : f32[2, 16, 8]\ngraph {\nsymbol p [0, 15] hint 4 multiple 1\n" IN("x", "[2, 1, 8]")
            IN("past", "[p]") "%cache = get_attr \"cache\"\n" CALL("at", "torch.narrow", "%cache, 1, dim(p), 1")
                METHOD("w", "copy_", "%at, %x") CALL("all", "torch.narrow", "%cache, 1, 0, dim(p + 1)")
                    CALL("sum", "torch.sum", "%all, [1]") OUT("%sum");
    static const int64_t places[] = {0, 1, 7, 15};
    for (int i = 0; i < 4; i++) {
        expected want = check_all(text, places[i]);
        drop_expected(&want);
    }
    fx_module *module = read_module(text);
    char *program;
    CHECK_OK(context, fx_compile_text(module, NULL, 0, &(fx_compile_options){.threads = 1}, FX_STAGE_PROGRAM, &program, NULL));
    ck_assert_msg(strstr(program, "workspace 0 "), "the cache is copied:\n%s", program);
    fx_text_free(program);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(symbolic_sizes)
{
    setup();
    const char *text = "graph {\nsymbol s [0, 64] hint 5 multiple 1\n" IN("x", "[s, 4]")
        CALL("h", "operator.getitem", "%x, (slice(None, None, None), slice(1, 3, None))") METHOD("a", "add_", "%h, 1")
            METHOD("t", "transpose", "%x, 0, 1") METHOD("b", "mul_", "%t, 2.0") OUT("%t");
    for (int64_t n = 0; n < 20; n += 6) {
        expected want = check_all(text, n);
        drop_expected(&want);
    }
    teardown();
}
END_TEST

/* ---- States ------------------------------------------------------------------------------------------------------------ */

static const char counter[] =
    "module \"m\"\nbuffer \"n\" : f32[2]\ngraph {\n" IN("x", "[2]") "%n = get_attr \"n\"\n" METHOD("a", "add_", "%n, %x") OUT("%a");

static double run_once(fx_compiled *net, fx_state *state)
{
    float x[] = {1, 2}, y[2];
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){2}), out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){2});
    CHECK_OK(context, fx_run_with(net, state, context, &in, 1, &out, 1));
    return (double)y[1];
}

START_TEST(states_are_independent)
{
    setup();
    fx_module *module = read_module(counter);
    fx_compiled *net;
    fx_state *mine;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    fx_module_free(module);
    ck_assert_int_eq(fx_state_new(net, &mine), FX_OK);
    ck_assert_int_eq(fx_compiled_state_count(net), 1);
    ck_assert_str_eq(fx_compiled_state_path(net, 0), "n");
    ck_assert_double_eq(run_once(net, NULL), 4);
    ck_assert_double_eq(run_once(net, NULL), 6);
    ck_assert_double_eq(run_once(net, mine), 4);
    fx_state_reset(fx_compiled_state(net));
    ck_assert_double_eq(run_once(net, NULL), 4);
    ck_assert_double_eq(run_once(net, mine), 6);
    fx_tensor n;
    ck_assert_int_eq(fx_state_tensor(mine, "m", &n), FX_E_NOT_FOUND);
    ck_assert_int_eq(fx_state_tensor(mine, "n", &n), FX_OK);
    fx_tensor_set(&n, 1, 100);
    ck_assert_double_eq(run_once(net, mine), 102);
    fx_module *again = read_module(counter);
    fx_compiled *other;
    float x[2] = {0}, y[2] = {0};
    fx_tensor in = fx_tensor_view(x, FX_F32, 1, (int64_t[]){2}), out = fx_tensor_view(y, FX_F32, 1, (int64_t[]){2});
    CHECK_OK(context, fx_compile(again, NULL, 0, NULL, &other));
    ck_assert_int_eq(fx_run_with(other, mine, context, &in, 1, &out, 1), FX_E_ARG);
    CHECK_DIAG(context, "the state is another compiled graph's");
    fx_compiled_free(other);
    fx_module_free(again);
    fx_state_free(mine);
    fx_compiled_free(net);
    teardown();
}
END_TEST

START_TEST(functions_take_the_state)
{
    setup();
    fx_module *module = read_module(counter);
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &net));
    ck_assert_ptr_nonnull(strstr(fx_compiled_prototype(net), "void *restrict workspace, void *restrict state"));
    float x[] = {1, 2}, y[2];
    void *workspace = aligned_alloc(64, (fx_compiled_workspace_bytes(net) / 64 + 1) * 64),
         *state = fx_state_data(fx_compiled_state(net));
    void *px = x, *py = y;
    void *args[] = {&px, &py, &workspace, &state};
    CHECK_OK(context, fx_compiled_invoke(net, args, 4));
    ck_assert_float_eq(y[1], 4);
    int32_t (*closure)(const float *, float *);
    void *code = fx_compiled_closure(net);
    memcpy(&closure, &code, sizeof code);
    ck_assert_int_eq(closure(x, y), 0);
    ck_assert_float_eq(y[1], 6);
    state = NULL;
    ck_assert_int_eq(fx_compiled_invoke(net, args, 4), FX_E_ARG);
    free(workspace);
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(prototypes_say_which_inputs_change)
{
    setup();
    fx_module *module = read_module("graph {\n" IN("x", "[3]") IN("y", "[3]") METHOD("a", "add_", "%x, %y") OUT("%a"));
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    ck_assert_str_eq(fx_compiled_prototype(net), "int32_t fx_entry(float in0_x[restrict 3], const float in1_y[restrict 3], float "
                                                 "out0_a_1[restrict 3], void *restrict workspace)");
    ck_assert(fx_compiled_input_is_written(net, 0) && !fx_compiled_input_is_written(net, 1));
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

/* ---- Aliases ------------------------------------------------------------------------------------------------------------- */

START_TEST(aliases_of_changed_inputs)
{
    setup();
    fx_module *module = read_module("graph {\n" IN("x", "[2, 3]") IN("y", "[2, 3]") METHOD("a", "add_", "%x, %y") OUT("%a"));
    fx_compiled *net;
    CHECK_OK(context, fx_compile(module, NULL, 0, NULL, &net));
    float memory[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, y[6];
    fx_tensor in[2] = {fx_tensor_view(memory, FX_F32, 2, (int64_t[]){2, 3}),
                       fx_tensor_view(memory + 5, FX_F32, 2, (int64_t[]){2, 3})};
    fx_tensor out = fx_tensor_view(y, FX_F32, 2, (int64_t[]){2, 3});
    ck_assert_int_eq(fx_run(net, context, in, 2, &out, 1), FX_E_ALIAS);
    CHECK_DIAG(context, "the memory of input `x`, which is changed, overlaps that of input `y`");
    in[1].data = memory + 6;
    in[0].stride[0] = 0;
    ck_assert_int_eq(fx_run(net, context, in, 2, &out, 1), FX_E_ALIAS);
    CHECK_DIAG(context, "more than one element of the written-to tensor refers to a single memory location");
    in[0].stride[0] = 1; /* columns first: copied for the run, and back */
    in[0].stride[1] = 2;
    CHECK_OK(context, fx_run(net, context, in, 2, &out, 1));
    const float columns[] = {1 + 7, 2 + 10, 3 + 8, 4 + 11, 5 + 9, 6 + 12};
    for (int i = 0; i < 6; i++) ck_assert_float_eq(memory[i], columns[i]);
    CHECK_OK(context, fx_interpret(module, in, 2, &out, 1));
    for (int i = 0; i < 6; i++) ck_assert_float_eq(memory[i], 2 * columns[i] - (float)(i + 1));
    fx_compiled_free(net);
    fx_module_free(module);
    teardown();
}
END_TEST

static void check_refused(const char *text, fx_status status, const char *reason)
{
    setup();
    fx_module *module = read_module(text);
    values v = make_values(module, 0);
    fx_compiled *net;
    ck_assert_int_eq(fx_compile(module, NULL, 0, NULL, &net), status);
    CHECK_DIAG(context, reason);
    fx_context_clear(context);
    ck_assert_int_eq(fx_interpret(module, v.in, v.n_in, v.out, v.n_out), status);
    CHECK_DIAG(context, reason);
    drop_values(&v);
    fx_module_free(module);
    teardown();
}

/* An index that leads outside, found after an input, a strided one, a view of a buffer and a buffer have been changed. */
static const char failing[] =
    "module \"m\"\nbuffer \"count\" : f32[2, 3]\nbuffer \"sum\" : f32[3]\n"
    "graph {\n" IN("x", "[2, 3]") IN("y", "[3, 2]") "%i = placeholder \"i\" : i64[2]\n%count = get_attr \"count\"\n%sum = get_attr "
                                                    "\"sum\"\n" METHOD("a", "add_", "%x, 1") METHOD("b", "mul_", "%y, 2")
                                                        METHOD("r", "select", "%count, 0, 1") METHOD("c", "add_", "%r, 100")
                                                            METHOD("d", "copy_", "%sum, %r") METHOD("e", "add_", "%a, 1")
                                                                CALL("g", "torch.index_select", "%x, 0, %i") OUT("%g");

static void run_failing(fx_module *module, bool fails, float *x, float *y)
{
    int64_t index[2] = {0, fails ? 7 : 1};
    const fx_tensor in[] = {fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 3}),
                            {y, FX_F32, 2, {3, 2}, {1, 3}},
                            fx_tensor_view(index, FX_I64, 1, (int64_t[]){2})};
    fx_tensor out = {0};
    fx_context_clear(context);
    ck_assert_int_eq(fx_interpret(module, in, 3, &out, 1), fails ? FX_E_INDEX : FX_OK);
    if (fails) CHECK_DIAG(context, "node g");
    if (fails) ck_assert_ptr_null(out.data);
    fx_tensor_release(&out);
}

static void check_failing(fx_module *module)
{
    for (int turn = 0; turn < 4; turn++) {
        float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {1, 2, 3, 4, 5, 6};
        bool fails = turn != 2;
        float by = turn >= 2 ? 100 : 0; /* what the one good run has left in the buffer */
        run_failing(module, fails, x, y);
        for (int i = 0; i < 6; i++) {
            ck_assert_float_eq(x[i], (float)(i + 1 + (fails ? 0 : 2)));
            ck_assert_float_eq(y[i], (float)((i + 1) * (fails ? 1 : 2)));
            ck_assert_double_eq(fx_tensor_get(fx_module_tensor(module, "count"), i), i + 1 + (double)(i < 3 ? 0 : by));
        }
        for (int i = 0; i < 3; i++)
            ck_assert_double_eq(fx_tensor_get(fx_module_tensor(module, "sum"), i), i + 1 + (double)(by > 0 ? by + 3 : 0));
    }
}

START_TEST(a_failing_run_changes_nothing)
{
    setup();
    fx_module *module = read_module(failing), *core;
    check_failing(module);
    fx_module_free(module);
    module = read_module(failing); /* in core form, whose write-backs take place at the end; the buffers are the module's */
    CHECK_OK(context, fx_module_core(module, NULL, 0, &core));
    const float before[] = {1, 2, 3, 4, 5, 6};
    float x[6], y[6];
    memcpy(x, before, sizeof x);
    memcpy(y, before, sizeof y);
    run_failing(core, true, x, y);
    ck_assert_mem_eq(x, before, sizeof x);
    ck_assert_mem_eq(y, before, sizeof y);
    fx_module_free(core);
    fx_module_free(module);
    teardown();
}
END_TEST

START_TEST(impossible_changes_are_refused)
{
    check_refused("graph {\n" IN("x", "[3]") CALL("s", "operator.setitem", "%x, (..., 0, 0, 0), 1.0") OUT("%x"), FX_E_UNSUPPORTED,
                  "item 0 of the index"); /* more items than dims */
    check_refused("graph {\n" IN("x", "[1, 3]") METHOD("e", "expand", "%x, [4, 3]") METHOD("a", "add_", "%e, 1") OUT("%a"),
                  FX_E_ALIAS, "more than one element of the written-to tensor");
    check_refused("graph {\n" IN("x", "[1, 3]") IN("y", "[4, 3]") METHOD("a", "add_", "%x, %y") OUT("%a"), FX_E_SHAPE,
                  "the tensor's shape does not match the shape of what it would become");
    check_refused("module \"m\"\nbuffer \"n\" : i64[3]\ngraph {\n" IN("x", "[3]") "%n = get_attr \"n\"\n" METHOD(
                      "a", "add_", "%n, 1.5") OUT("%a"),
                  FX_E_TYPE, "cannot be cast");
    check_refused("graph {\n" IN("x", "[2, 3]") METHOD("a", "t_", "%x") OUT("%a"), FX_E_UNSUPPORTED,
                  "the shape of a tensor is changed in place");
}
END_TEST

FX_TESTS("mutation", inputs_are_changed, functions_work_in_place, views_share_memory, pieces_are_views, items_are_set,
         buffers_persist, old_values_are_read_before_new_ones_are_written, running_statistics_follow_the_batches,
         a_cache_is_updated_in_place, symbolic_sizes, states_are_independent, functions_take_the_state,
         prototypes_say_which_inputs_change, aliases_of_changed_inputs, a_failing_run_changes_nothing,
         impossible_changes_are_refused)
