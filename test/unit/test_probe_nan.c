/* SPDX-License-Identifier: Apache-2.0 */
/* Probe of index maps, padding, tails and masks: one odd value (NaN, infinity, -0, a denormal) at each input position in turn; the
 * set of outputs that become NaN must be the interpreter's, and the others must keep within the bound. */
#include "compare.h"
#include "ir/op.h"
#include "probe.h"
#include <math.h>
#include <string.h>

enum { MOST_POSITIONS = 24 };

static const double odd[] = {NAN, INFINITY, -0.0, 0x1p-140};

static void expect_same_set(const fx_probe *p, const fx_tensor *actual, double value, int64_t at)
{
    char what[96];
    snprintf(what, sizeof what, "%g at element %lld", value, (long long)at);
    for (int32_t i = 0; i < p->n_out; i++) {
        for (int64_t e = 0; e < fx_tensor_elems(&actual[i]); e++)
            if (isnan(fx_tensor_get(&p->expected[i], e)) != isnan(fx_tensor_get(&actual[i], e)))
                fx_probe_fail(p, what, i, isnan(fx_tensor_get(&actual[i], e)) ? "a NaN too many" : "a NaN is lost");
    }
    if (!isnan(value)) fx_probe_expect(p, what, p->expected, actual, true);
}

/* A long product may underflow to 0 in one order and not in another; what meets an infinity then is NaN or not. */
static bool has_product(const fx_probe *p)
{
    FX_EACH_NODE(node, fx_module_graph(p->module))
    if (fx__op_is(node, FX_OP_prod)) return true;
    return false;
}

static void check_position(fx_probe *p, const fx_compiled *compiled, int32_t input, int64_t at)
{
    double before = fx_tensor_get(&p->in[input], at);
    for (size_t k = 0; k < sizeof odd / sizeof odd[0]; k++) {
        fx_tensor out[FX_PROBE_TENSORS] = {{0}};
        if (isinf(odd[k]) && has_product(p)) continue;
        fx_tensor_set(&p->in[input], at, odd[k]);
        fx_probe_interpret(p);
        CHECK_OK(p->context, fx_run(compiled, p->context, p->in, p->n_in, out, p->n_out));
        expect_same_set(p, out, odd[k], at);
        fx_probe_release(out, p->n_out);
    }
    fx_tensor_set(&p->in[input], at, before);
}

static void check(fx_probe *p)
{
    fx_compiled *compiled = fx_probe_compile(p, &(fx_compile_options){.threads = 1});
    for (int32_t i = 0; i < p->n_in; i++) {
        if (!fx_dtype_is_float(p->in[i].dtype)) continue;
        int64_t n = fx_tensor_elems(&p->in[i]), step = n > MOST_POSITIONS ? n / MOST_POSITIONS : 1;
        for (int64_t at = 0; at < n; at += step) check_position(p, compiled, i, at);
    }
    fx_compiled_free(compiled);
    fx_probe_free(p);
}

static void check_text(const char *lines)
{
    fx_probe p = fx_probe_text(lines, false);
    check(&p);
}

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(op, args) "%y = call_function \"torch.ops.aten." op "\"" args "\n"

START_TEST(hand_made_graphs)
{
    check_text(IN("x", "f32[1, 3, 5, 6]") IN("w", "f32[17, 3, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 1)"));
    check_text(IN("x", "f32[1, 3, 7, 6]") IN("w", "f32[5, 3, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [2, 2], [1, 1], [2, 2], 1)"));
    check_text(IN("x", "f32[1, 5, 6, 6]") IN("w", "f32[5, 1, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 5)"));
    check_text(IN("x", "f32[1, 2, 5, 5]") CALL("max_pool2d.default", "(%x, [3, 3], [2, 2], [1, 1])"));
    check_text(IN("x", "f32[1, 18, 4, 5]") CALL("max_pool2d.default", "(%x, [2, 2], [1, 1], [1, 1])"));
    check_text(IN("x", "f32[1, 2, 5, 5]") CALL("avg_pool2d.default", "(%x, [3, 3], [2, 2], [1, 1])"));
    check_text(IN("x", "f32[3, 19]") CALL("_softmax.default", "(%x, 1, False)"));
    check_text(IN("x", "f32[3, 19]") CALL("_softmax.default", "(%x, 0, False)"));
    check_text(IN("x", "f32[3, 37]") IN("w", "f32[19, 37]") IN("wb", "f32[19]") CALL("linear.default", "(%x, %w, %wb)"));
    check_text(IN("x", "f32[5, 7]") IN("z", "f32[7, 33]") CALL("mm.default", "(%x, %z)"));
    check_text(IN("x", "f32[1, 7]") IN("z", "f32[7, 33]") CALL("mm.default", "(%x, %z)"));
    check_text(IN("x", "f32[5, 33]") CALL("sum.dim_IntList", "(%x, [1])"));
    check_text(IN("x", "f32[5, 33]") CALL("sum.dim_IntList", "(%x, [0])"));
    check_text(IN("x", "f32[5, 33]") CALL("amax.default", "(%x, [1])"));
    check_text(IN("x", "f32[5, 33]") CALL("amin.default", "(%x, [0])"));
    check_text(IN("x", "f32[5, 33]") CALL("mean.dim", "(%x, [1])"));
    check_text(IN("q", "f32[1, 5, 4]") IN("k", "f32[1, 3, 4]") IN("v", "f32[1, 3, 4]")
                   CALL("scaled_dot_product_attention.default", "(%q, %k, %v)"));
    check_text(IN("x", "f32[37]") CALL("relu.default", "(%x)"));
    check_text(IN("x", "f32[37]") CALL("clamp.default", "(%x, -1.0, 1.0)"));
    check_text(IN("x", "f32[3, 5]") CALL("constant_pad_nd.default", "(%x, [1, 2], 0.5)"));
}
END_TEST

/* Not a number beside padding: zeros of the padding are never multiplied with the weight, in both engines. */
START_TEST(odd_weights_beside_padding)
{
    check_text(IN("x", "f32[1, 2, 4, 4]") IN("z", "f32[3, 2, 3, 3]")
                   CALL("conv2d.default", "(%x, %z, None, [1, 1], [1, 1], [1, 1], 1)"));
}
END_TEST

START_TEST(random_graphs)
{
    for (uint64_t seed = 3000; seed < 3060; seed++) {
        fx_probe p = fx_probe_random(seed, false, 2, 5);
        check(&p);
    }
}
END_TEST

FX_TESTS("probe_nan", hand_made_graphs, odd_weights_beside_padding, random_graphs)
