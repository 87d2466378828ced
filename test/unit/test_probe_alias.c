/* SPDX-License-Identifier: Apache-2.0 */
/* Alias attack: memory that appears twice gives the right result or a clean refusal. */
#include "probe.h"
#include <string.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define LET(name, op, args) "%" name " = call_function \"torch.ops.aten." op "\"" args "\n"
#define OUT(list) "%output = output((" list ",))\n"

static const char sum[] = IN("x", "f32[4, 9]") IN("z", "f32[4, 9]") LET("y", "add.Tensor", "(%x, %z)");

static void run_and_expect(fx_probe *p, const char *what)
{
    fx_tensor out[FX_PROBE_TENSORS];
    fx_probe_interpret(p);
    for (int32_t threads = 1; threads <= 2; threads++) {
        fx_probe_run(p, &(fx_compile_options){.threads = threads}, out);
        fx_probe_expect(p, what, p->expected, out, true);
        fx_probe_release(out, p->n_out);
    }
}

START_TEST(one_tensor_as_two_inputs)
{
    fx_probe p = fx_probe_text(sum, false);
    fx_tensor second = p.in[1];
    p.in[1] = p.in[0];
    run_and_expect(&p, "one tensor twice");
    p.in[1] = second;
    fx_probe_free(&p);
}
END_TEST

START_TEST(overlapping_slices_as_inputs)
{
    fx_probe p = fx_probe_text(sum, false);
    fx_tensor own[2] = {p.in[0], p.in[1]}, big;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){6, 9}, &big), FX_OK);
    for (int64_t i = 0; i < 54; i++) fx_tensor_set(&big, i, (double)i);
    p.in[0] = fx_tensor_view(big.data, FX_F32, 2, (int64_t[]){4, 9});
    p.in[1] = fx_tensor_view((float *)big.data + 9, FX_F32, 2, (int64_t[]){4, 9});
    run_and_expect(&p, "overlapping rows");
    p.in[1].stride[0] = 0; /* every row the same memory */
    run_and_expect(&p, "an expanded input");
    p.in[0] = own[0];
    p.in[1] = own[1];
    fx_tensor_release(&big);
    fx_probe_free(&p);
}
END_TEST

static void expect_refusal(fx_probe *p, fx_compiled *compiled, fx_tensor out)
{
    ck_assert_int_eq(fx_run(compiled, p->context, p->in, p->n_in, &out, 1), FX_E_ALIAS);
    CHECK_DIAG(p->context, "overlaps that of input");
    fx_context_clear(p->context);
}

START_TEST(outputs_over_inputs_are_refused)
{
    fx_probe p = fx_probe_text(sum, false);
    fx_compiled *compiled = fx_probe_compile(&p, NULL);
    expect_refusal(&p, compiled, p.in[0]);
    expect_refusal(&p, compiled, p.in[1]);
    fx_tensor shifted = p.in[1];
    shifted.data = (float *)shifted.data + 35; /* the last element only */
    expect_refusal(&p, compiled, shifted);
    fx_compiled_free(compiled);
    fx_probe_free(&p);
}
END_TEST

START_TEST(outputs_over_each_other_are_refused)
{
    fx_probe p =
        fx_probe_text(IN("x", "f32[8]") LET("a", "relu.default", "(%x)") LET("b", "neg.default", "(%x)") OUT("%a, %b"), false);
    fx_compiled *compiled = fx_probe_compile(&p, NULL);
    fx_tensor out[2];
    fx_probe_outputs(&p, out);
    fx_tensor both[2] = {out[0], out[0]};
    ck_assert_int_eq(fx_run(compiled, p.context, p.in, 1, both, 2), FX_E_ALIAS);
    CHECK_DIAG(p.context, "overlaps that of output");
    fx_probe_release(out, 2);
    fx_compiled_free(compiled);
    fx_probe_free(&p);
}
END_TEST

START_TEST(values_returned_in_unusual_ways)
{
    static const char *const graphs[] = {
        IN("x", "f32[3, 5]") LET("a", "relu.default", "(%x)") OUT("%a, %a"),
        IN("x", "f32[3, 5]") OUT("%x"),
        IN("x", "f32[3, 5]") LET("a", "relu.default", "(%x)") OUT("%x, %a, %x"),
        IN("x", "f32[3, 5]") LET("a", "permute.default", "(%x, [1, 0])") OUT("%a"),
        IN("x", "f32[3, 5]") LET("a", "slice.Tensor", "(%x, 1, 1, 4, 1)") OUT("%a, %x"),
        IN("x", "f32[3, 5]") LET("a", "exp.default", "(%x)") LET("b", "permute.default", "(%a, [1, 0])")
            LET("c", "slice.Tensor", "(%a, 0, 1, 3, 1)") LET("d", "slice.Tensor", "(%a, 0, 0, 2, 1)") OUT("%d, %a, %b, %c"),
        IN("x", "f32[3, 5]") LET("a", "view.default", "(%x, [15])") LET("b", "relu.default", "(%a)")
            LET("c", "view.default", "(%b, [5, 3])") OUT("%b, %c, %a"),
        IN("w", "f32[3, 5]") IN("x", "f32[3, 5]") LET("a", "add.Tensor", "(%x, %x)") OUT("%w, %a"),
        IN("x", "f32[1, 5]") LET("a", "expand.default", "(%x, [4, 5])") OUT("%a"),
    };
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        fx_probe p = fx_probe_text(graphs[i], false);
        run_and_expect(&p, "outputs");
        fx_probe_free(&p);
    }
}
END_TEST

FX_TESTS("probe_alias", one_tensor_as_two_inputs, overlapping_slices_as_inputs, outputs_over_inputs_are_refused,
         outputs_over_each_other_are_refused, values_returned_in_unusual_ways)
