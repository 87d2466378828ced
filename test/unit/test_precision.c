/* SPDX-License-Identifier: Apache-2.0 */
/* What precision says: under `strict` every node rounds for itself, bit for bit; by default neighbours share a kernel and round
 * less often, which shows. */
#include "probe.h"
#include <string.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"

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

FX_TESTS("precision", a_product_and_a_sum_round_twice, half_precision_is_rounded_between_nodes, every_node_has_its_kernel)
