/* SPDX-License-Identifier: Apache-2.0 */
/* What precision says: under `strict` every node rounds for itself, bit for bit; by default neighbours share a kernel and round
 * less often, which shows. */
#include "compare.h"
#include "fxjit/inspect.h"
#include "probe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"

/* 0 .. n - 1 */
static int draw(uint64_t *state, int n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((*state >> 33) % (uint64_t)n);
}

static bool same_bits(const fx_probe *p, const fx_tensor *a, const fx_tensor *b)
{
    for (int32_t i = 0; i < p->n_out; i++)
        if (memcmp(a[i].data, b[i].data, (size_t)fx_tensor_bytes(&a[i])) != 0) return false;
    return true;
}

/* Whether a run gives the interpreter's bits: each of these nodes is one correctly rounded operation there. */
static bool is_node_by_node(fx_probe *p, fx_precision precision)
{
    fx_tensor out[FX_PROBE_TENSORS] = {{0}};
    fx_probe_run(p, &(fx_compile_options){.threads = 1, .precision = precision}, out);
    bool same = same_bits(p, p->expected, out);
    fx_probe_release(out, p->n_out);
    return same;
}

static void check_chain(const char *lines)
{
    fx_probe p = fx_probe_text(lines, false);
    ck_assert_msg(is_node_by_node(&p, FX_PRECISION_STRICT), "strict: %s", lines);
    ck_assert_msg(!is_node_by_node(&p, FX_PRECISION_DEFAULT), "nothing shows that nodes were joined: %s", lines);
    fx_probe_free(&p);
}

START_TEST(a_product_and_a_sum_round_twice)
{
    check_chain(IN("x", "f32[40, 50]") IN("z", "f32[40, 50]") CALL("m", "mul.Tensor", "(%x, %z)")
                    CALL("y", "add.Tensor", "(%m, %x)"));
    check_chain(IN("x", "f64[40, 50]") IN("z", "f64[40, 50]") CALL("m", "mul.Tensor", "(%x, %z)")
                    CALL("y", "sub.Tensor", "(%m, %x)"));
}
END_TEST

START_TEST(half_precision_is_rounded_between_nodes)
{
    check_chain(IN("x", "f16[40, 50]") IN("z", "f16[40, 50]") CALL("m", "mul.Tensor", "(%x, %z)")
                    CALL("y", "add.Tensor", "(%m, %x)"));
    check_chain(IN("x", "bf16[40, 50]") IN("z", "bf16[40, 50]") CALL("m", "add.Tensor", "(%x, %z)")
                    CALL("n", "mul.Tensor", "(%m, %z)") CALL("y", "sub.Tensor", "(%n, %x)"));
}
END_TEST

/* ---- Rewriting ------------------------------------------------------------------------------------------------------------------
 */

#define CONV CALL("c", "conv2d.default", "(%x, %w, %wb, [1, 1], [1, 1])")
#define NORM "(%c, %wg, %wh, %wm, %wv, False, 0.1, 0.5, False)"
#define WEIGHTS IN("w", "f32[8, 4, 3, 3]") IN("wb", "f32[8]")
#define STATISTICS IN("wg", "f32[8]") IN("wh", "f32[8]") IN("wm", "f32[8]") IN("wv", "f32[8]")

/* Batch normalisation does not go into the weights before it. */
START_TEST(every_node_has_its_kernel)
{
    fx_probe p = fx_probe_text(IN("x", "f32[2, 4, 9, 9]") WEIGHTS STATISTICS CONV CALL("n", "batch_norm.default", NORM)
                                   CALL("r", "relu.default", "(%n)") CALL("y", "add.Tensor", "(%r, %n)"),
                               false);
    fx_compiled *strict = fx_probe_compile(&p, &(fx_compile_options){.threads = 1, .precision = FX_PRECISION_STRICT});
    fx_compiled *relaxed = fx_probe_compile(&p, &(fx_compile_options){.threads = 1});
    ck_assert_int_ge(fx_compiled_kernel_count(strict), 4);
    ck_assert_int_lt(fx_compiled_kernel_count(relaxed), 4);
    fx_compiled_free(strict);
    fx_compiled_free(relaxed);
    fx_probe_free(&p);
}
END_TEST

/* ---- What is told of it -------------------------------------------------------------------------------------------------------
 */

/* One mode: outputs, and how many things its explanation says were allowed. */
static int32_t run_mode(fx_probe *p, fx_precision precision, fx_tensor *out)
{
    fx_explanation *e = NULL;
    fx_compiled *compiled = fx_probe_compile(p, &(fx_compile_options){.threads = 1, .precision = precision});
    CHECK_OK(p->context, fx_explain(compiled, &e));
    CHECK_OK(p->context, fx_run(compiled, p->context, p->in, p->n_in, out, p->n_out));
    int32_t n = e->n_allowance;
    for (int32_t k = 0; k < e->n_kernel; k++) ck_assert(n > 0 || !*e->kernel[k].precision);
    fx_explanation_free(e);
    fx_compiled_free(compiled);
    return n;
}

typedef struct shown {
    bool listed, differs;
} shown;

/* Nothing is listed under `strict`; where nothing is listed by default, both give the same bits. */
static shown check_list(fx_probe *p)
{
    fx_tensor relaxed[FX_PROBE_TENSORS] = {{0}}, strict[FX_PROBE_TENSORS] = {{0}};
    ck_assert_msg(run_mode(p, FX_PRECISION_STRICT, strict) == 0, "%s: strict allows something", p->name);
    shown found = {.listed = run_mode(p, FX_PRECISION_DEFAULT, relaxed) > 0};
    for (int32_t i = 0; i < p->n_out; i++) found.differs |= fx_test_difference(&relaxed[i], &strict[i], NULL) != NULL;
    if (!found.listed && found.differs) fx_probe_fail(p, "default and strict differ, and nothing is listed", 0, "");
    fx_probe_release(relaxed, p->n_out);
    fx_probe_release(strict, p->n_out);
    return found;
}

/* A chain of operators that round, choose, reduce and broadcast; each reads the latest value, many an earlier one too. */
static void draw_chain(uint64_t *state, char *text, size_t bytes)
{
    static const char *const dtypes[] = {"f32", "f16", "bf16", "f64"};
    static const char *const unary[] = {"relu.default", "neg.default",  "abs.default", "sigmoid.default", "tanh.default",
                                        "exp.default",  "silu.default", "sin.default", "rsqrt.default",   "gelu.default"};
    static const char *const binary[] = {"add.Tensor", "sub.Tensor", "mul.Tensor", "maximum.default",
                                         "div.Tensor", "add.Tensor", "mul.Tensor"};
    static const char *const row[] = {"sum.dim_IntList\"(%%%s, [-1], True)\n", "mean.dim\"(%%%s, [-1], True)\n",
                                      "amax.default\"(%%%s, [-1], True)\n", "softmax.int\"(%%%s, -1)\n",
                                      "cumsum.default\"(%%%s, 1)\n"};
    const char *dtype = dtypes[draw(state, 4)];
    char names[12][8] = {"x", "z"};
    int n = 2, nodes = 3 + draw(state, 6),
        at = snprintf(text, bytes, "%%x = placeholder \"x\" : %s[6, 37]\n%%z = placeholder \"z\" : %s[6, 37]\n", dtype, dtype);
    for (int i = 0; i < nodes; i++, n++) {
        const char *latest = names[n - 1], *earlier = names[draw(state, n)];
        snprintf(names[n], sizeof names[n], i == nodes - 1 ? "y" : "t%d", i);
        at += snprintf(text + at, bytes - (size_t)at, "%%%s = call_function \"torch.ops.aten.", names[n]);
        int kind = draw(state, 8);
        if (kind < 3)
            at += snprintf(text + at, bytes - (size_t)at, "%s\"(%%%s)\n", unary[draw(state, 10)], latest);
        else if (kind < 7)
            at += snprintf(text + at, bytes - (size_t)at, "%s\"(%%%s, %%%s)\n", binary[draw(state, 7)], latest, earlier);
        else
            at += snprintf(text + at, bytes - (size_t)at, row[draw(state, 5)], latest);
    }
}

enum { GRAPHS = 16 };

START_TEST(whatever_differs_is_listed)
{
    int32_t listed = 0, differing = 0;
    uint64_t state = 4711;
    const char *many = getenv("FXJIT_SEEDS");
    int32_t n = many ? atoi(many) : GRAPHS;
    for (int32_t i = 0; i < n; i++) {
        char text[2048];
        draw_chain(&state, text, sizeof text);
        fx_probe p = fx_probe_text(text, false);
        shown found = check_list(&p);
        listed += found.listed;
        differing += found.differs;
        fx_probe_free(&p);
    }
    printf("%d graphs: something is allowed in %d of them, and shows in %d\n", (int)n, (int)listed, (int)differing);
    ck_assert_int_ge(differing, n / 4);
    ck_assert_int_lt(listed, n);
}
END_TEST

/* Graphs for each rewrite and each kind of joining, and whether something is to be listed. */
START_TEST(rewrites_and_joins_are_listed)
{
    static const struct {
        const char *text, *what; /* NULL: nothing is allowed */
    } cases[] = {
        {IN("x", "f32[2, 4, 9, 9]") WEIGHTS STATISTICS CONV CALL("y", "batch_norm.default", NORM), "batch normalisation"},
        {IN("x", "f32[2, 4, 9, 9]") WEIGHTS CONV CALL("y", "relu.default", "(%c)"), NULL},
        {IN("x", "f32[5, 40]") IN("w", "f32[24, 40]") CALL("t", "t.default", "(%w)") CALL("y", "mm.default", "(%x, %t)"),
         "linear layer"},
        {IN("x", "f32[7, 33]") CALL("s", "sigmoid.default", "(%x)") CALL("y", "mul.Tensor", "(%x, %s)"), "activation"},
        {IN("q", "f32[2, 3, 20, 16]") IN("k", "f32[2, 3, 16, 20]") IN("v", "f32[2, 3, 20, 16]")
             CALL("a", "matmul.default", "(%q, %k)") CALL("p", "softmax.int", "(%a, -1)") CALL("y", "matmul.default", "(%p, %v)"),
         NULL},
        {IN("x", "f16[6, 20]") IN("z", "f16[6, 20]") CALL("a", "maximum.default", "(%x, %z)") CALL("y", "sigmoid.default", "(%a)"),
         NULL},
        {IN("x", "bf16[6, 20]") CALL("a", "tanh.default", "(%x)") CALL("y", "exp.default", "(%a)"), "bf16 stays in f32"},
        {IN("x", "f64[6, 20]") CALL("a", "mul.Tensor", "(%x, %x)") CALL("y", "sum.dim_IntList", "(%a, [-1], False)"), "round once"},
        {IN("x", "f32[6, 40]") CALL("a", "mean.dim", "(%x, [-1], True)") CALL("y", "sigmoid.default", "(%a)"), "shorter vectors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fx_probe p = fx_probe_text(cases[i].text, false);
        fx_explanation *e = NULL;
        shown found = check_list(&p);
        ck_assert_msg(found.listed == (cases[i].what != NULL), "%s: %s", cases[i].what ? "not listed" : "listed", cases[i].text);
        fx_compiled *compiled = fx_probe_compile(&p, &(fx_compile_options){.threads = 1});
        CHECK_OK(p.context, fx_explain(compiled, &e));
        bool told = !cases[i].what;
        for (int32_t a = 0; a < e->n_allowance; a++) told |= cases[i].what && strstr(e->allowance[a].what, cases[i].what) != NULL;
        ck_assert_msg(told, "'%s' is not said of %s", cases[i].what, cases[i].text);
        fx_explanation_free(e);
        fx_compiled_free(compiled);
        fx_probe_free(&p);
    }
}
END_TEST

FX_TESTS("precision", a_product_and_a_sum_round_twice, half_precision_is_rounded_between_nodes, every_node_has_its_kernel,
         whatever_differs_is_listed, rewrites_and_joins_are_listed)
