/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: values worked out by hand, and what is refused. */
#include "op_run.h"

START_TEST(linear_adds_its_bias)
{
    op_expect("torch.ops.aten.linear.default", "(%a, %b, %c)",
              OP_IN("f32[2, 2] 1 2 3 4", "f32[3, 2] 1 0 0 1 1 1", "f32[3] 10 20 30"), "f32[2, 3] 11 22 33 13 24 37");
    op_expect("torch.nn.functional.linear", "(%a, %b)", OP_IN("f32[2] 1 2", "f32[3, 2] 1 0 0 1 1 1"), "f32[3] 1 2 3");
    op_expect("torch.ops.aten.linear.default", "(%a, %b, %c)", OP_IN("f32[2, 0]", "f32[3, 0]", "f32[3] 1 2 3"),
              "f32[2, 3] 1 2 3 1 2 3");
}
END_TEST

START_TEST(matmul_takes_every_rank)
{
    op_expect("torch.matmul", "(%a, %b)", OP_IN("f32[2] 1 2", "f32[2] 3 4"), "f32[] 11");
    op_expect("torch.matmul", "(%a, %b)", OP_IN("f32[2, 2] 1 2 3 4", "f32[2] 1 10"), "f32[2] 21 43");
    op_expect("torch.matmul", "(%a, %b)", OP_IN("f32[2] 1 10", "f32[2, 2] 1 2 3 4"), "f32[2] 31 42");
    op_expect("operator.matmul", "(%a, %b)", OP_IN("f32[1, 2] 1 2", "f32[2, 2] 1 2 3 4"), "f32[1, 2] 7 10");
    op_expect("torch.matmul", "(%a, %b)", OP_IN("f32[2, 1, 1, 2] 1 2 3 4", "f32[2, 2, 1] 1 1 10 10"), "f32[2, 2, 1, 1] 3 30 7 70");
    op_expect("torch.matmul", "(%a, %b)", OP_IN("f32[2, 0]", "f32[0, 2]"), "f32[2, 2] 0");
}
END_TEST

START_TEST(integers_wrap_and_f64_is_exact)
{
    op_expect("torch.mm", "(%a, %b)", OP_IN("i8[1, 2] 100 100", "i8[2, 1] 2 1"), "i8[1, 1] 44");
    op_expect("torch.mm", "(%a, %b)", OP_IN("u8[1, 2] 200 100", "u8[2, 1] 1 1"), "u8[1, 1] 44");
    op_expect("torch.mm", "(%a, %b)", OP_IN("f64[1, 3] 1e16 1 -1e16", "f64[3, 1] 1"), "f64[1, 1] 1");
}
END_TEST

START_TEST(addmm_scales)
{
    op_expect("torch.addmm", "(%a, %b, %c, beta=2, alpha=3)", OP_IN("f32[2] 1 2", "f32[1, 2] 1 2", "f32[2, 2] 1 2 3 4"),
              "f32[1, 2] 23 34");
    op_expect("torch.addmm", "(%a, %b, %c, beta=0)", OP_IN("f32[] nan", "f32[1, 1] 2", "f32[1, 1] 3"), "f32[1, 1] 6");
    op_expect("torch.baddbmm", "(%a, %b, %c)", OP_IN("f32[1] 1", "f32[2, 1, 1] 2 3", "f32[2, 1, 1] 4 5"), "f32[2, 1, 1] 9 16");
}
END_TEST

START_TEST(shapes_that_do_not_fit)
{
    op_refuse("torch.matmul", "(%a, %b)", OP_IN("f32[2, 3]", "f32[4, 5]"),
              "self f32[2, 3] and other f32[4, 5] differ in the summed size");
    op_refuse("torch.matmul", "(%a, %b)", OP_IN("f32[2, 2, 3]", "f32[3, 3, 5]"), "differ in batch sizes");
    op_refuse("torch.matmul", "(%a, %b)", OP_IN("f32[]", "f32[2]"), "self is f32[], expected 1 to 8 dimensions");
    op_refuse("torch.matmul", "(%a, %b)", OP_IN("f32[2]", "f64[2]"), "self is f32, other is f64");
    op_refuse("torch.nn.functional.linear", "(%a, %b, %c)", OP_IN("f32[2]", "f32[3, 2]", "f32[2]"), "bias is f32[2], expected [3]");
    op_refuse("torch.addmm", "(%a, %b, %c)", OP_IN("f32[3]", "f32[2, 2]", "f32[2, 2]"), "does not expand to the product f32[2, 2]");
}
END_TEST

FX_TESTS("ops_linear", linear_adds_its_bias, matmul_takes_every_rank, integers_wrap_and_f64_is_exact, addmm_scales,
         shapes_that_do_not_fit)
