/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements: cat, stack, padding, splits, copies. */
#include "op_run.h"

#define PAD "torch.ops.aten.constant_pad_nd.default"
static const char six[] = "f32[2, 3] 1 2 3 4 5 6";

START_TEST(pieces_join)
{
    op_expect("torch.cat", "([%a, %b], 0)", OP_IN("f32[1, 2] 1 2", "f32[2, 2] 3 4 5 6"), "f32[3, 2] 1 2 3 4 5 6");
    op_expect("torch.cat", "([%a, %b], -1)", OP_IN("f32[2, 1] 1 2", "f32[2, 2] 3 4 5 6"), "f32[2, 3] 1 3 4 2 5 6");
    op_expect("torch.cat", "([%a, %b, %a], 0)", OP_IN("f32[1] 1", "f32[0]"), "f32[2] 1 1");
    op_expect("torch.cat", "([%a, %b], 1)", OP_IN("f32[0]", "f32[1, 2] 3 4"), "f32[1, 2] 3 4");
    op_expect("torch.cat", "([%a, %b], 0)", OP_IN("i32[1] 1", "f32[1] 2.5"), "f32[2] 1 2.5");
    op_expect("torch.stack", "([%a, %b], 0)", OP_IN("f32[2] 1 2", "f32[2] 3 4"), "f32[2, 2] 1 2 3 4");
    op_expect("torch.stack", "([%a, %b], -1)", OP_IN("f32[2] 1 2", "f32[2] 3 4"), "f32[2, 2] 1 3 2 4");
    op_expect("torch.stack", "([%a, %b])", OP_IN("f32[] 1", "f32[] 3"), "f32[2] 1 3");
}
END_TEST

START_TEST(padding_and_cropping)
{
    op_expect(PAD, "(%a, [1, 2])", OP_IN("f32[2] 1 2"), "f32[5] 0 1 2 0 0");
    op_expect(PAD, "(%a, [0, 0, 1, 0], 7)", OP_IN("f32[1, 2] 1 2"), "f32[2, 2] 7 7 1 2");
    op_expect(PAD, "(%a, [-1, -1])", OP_IN(six), "f32[2, 1] 2 5");
    op_expect(PAD, "(%a, [-1, 1, 1, -1], 9)", OP_IN(six), "f32[2, 3] 9 9 9 2 3 9");
    op_expect(PAD, "(%a, [-3, 3], 9)", OP_IN(six), "f32[2, 3] 9");
    op_expect(PAD, "(%a, [1, 0], 2.75)", OP_IN("i32[1] 1"), "i32[2] 2 1");
    op_expect("torch.nn.functional.pad", "(%a, [1, 0])", OP_IN("f32[1] 5"), "f32[2] 0 5");
    op_expect("torch.nn.functional.pad", "(%a, [1, 0], \"constant\", 2.5)", OP_IN("f32[1] 5"), "f32[2] 2.5 5");
}
END_TEST

static void expect_pieces(const char *target, const char *args, const char *in, const char *const *want, int32_t n)
{
    op_run run;
    fx_status status = op_start(&run, target, args, &in, 1, n);
    CHECK_OK(run.context, status);
    for (int32_t i = 0; i < n; i++) op_compare(&run.out[i], want[i], 0, args);
    op_done(&run);
}

START_TEST(pieces_part)
{
    expect_pieces("torch.split", "(%a, 2, 1)", six, OP_IN("f32[2, 2] 1 2 4 5", "f32[2, 1] 3 6"));
    expect_pieces("torch.split", "(%a, [1, 2], 1)", six, OP_IN("f32[2, 1] 1 4", "f32[2, 2] 2 3 5 6"));
    expect_pieces("torch.chunk", "(%a, 2, 1)", six, OP_IN("f32[2, 2] 1 2 4 5", "f32[2, 1] 3 6"));
    expect_pieces("torch.unbind", "(%a)", six, OP_IN("f32[3] 1 2 3", "f32[3] 4 5 6"));
    op_expect("operator.getitem", "(%a, -1)", OP_IN(six), "f32[3] 4 5 6");
}
END_TEST

START_TEST(copies_are_equal)
{
    op_expect("torch.clone", "(%a)", OP_IN(six), six);
    op_expect("torch.detach", "(%a)", OP_IN(six), six);
    op_expect("torch.ops.aten.contiguous.default", "(%a)", OP_IN("bool[2] 1 0"), "bool[2] 1 0");
    op_expect("torch.nn.functional.dropout", "(%a, 0.5, False)", OP_IN(six), six);
}
END_TEST

START_TEST(what_is_refused)
{
    op_refuse("torch.cat", "([%a, %b], 0)", OP_IN("f32[1, 2]", "f32[1, 3]"),
              "tensor 1 is f32[1, 3], which differs from f32[1, 2] outside dim 0");
    op_refuse("torch.cat", "([%a, %b], 2)", OP_IN("f32[1, 2]", "f32[1, 2]"), "dim 2 is outside");
    op_refuse("torch.stack", "([%a, %b])", OP_IN("f32[1]", "f32[2]"), "tensor 1 is f32[2]");
    op_refuse(PAD, "(%a, [1])", OP_IN(six), "pad has 1 entries");
    op_refuse(PAD, "(%a, [-2, -2])", OP_IN(six), "dim 1 of f32[2, 3] becomes -1");
    op_refuse("torch.split", "(%a, [1, 1], 1)", OP_IN(six), "sizes add up to 2, dim 1 of f32[2, 3] does not");
    op_refuse("torch.split", "(%a, 1)", OP_IN("f32[17]"), "17 pieces, at most 16");
    op_refuse("torch.nn.functional.dropout", "(%a)", OP_IN(six), "training=True");
    op_refuse("operator.getitem", "(%a, 2)", OP_IN(six), "index 2 is outside dim 0 of f32[2, 3]");
}
END_TEST

FX_TESTS("ops_shape", pieces_join, padding_and_cropping, pieces_part, copies_are_equal, what_is_refused)
