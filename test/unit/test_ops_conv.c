/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution: values worked out by hand for every attribute, and what is refused. */
#include "op_run.h"

#define CONV2D "torch.ops.aten.conv2d.default"
static const char image[] = "f32[1, 1, 3, 3] 1 2 3 4 5 6 7 8 9";

START_TEST(window_slides_over_the_image)
{
    op_expect(CONV2D, "(%a, %b)", OP_IN(image, "f32[1, 1, 2, 2] 1 10 100 1000"), "f32[1, 1, 2, 2] 5421 6532 8754 9865");
    op_expect(CONV2D, "(%a, %b, %c)", OP_IN(image, "f32[2, 1, 1, 1] 1 -1", "f32[2] 100 0"),
              "f32[1, 2, 3, 3] 101 102 103 104 105 106 107 108 109 -1 -2 -3 -4 -5 -6 -7 -8 -9");
}
END_TEST

START_TEST(padding_has_four_ends)
{
    op_expect(CONV2D, "(%a, %b, None, 1, 1)", OP_IN("f32[1, 1, 1, 1] 5", "f32[1, 1, 3, 3] 1 2 3 4 5 6 7 8 9"),
              "f32[1, 1, 1, 1] 25");
    op_expect(CONV2D, "(%a, %b, None, 1, [0, 1])", OP_IN("f32[1, 1, 1, 2] 1 2", "f32[1, 1, 1, 2] 1 10"), "f32[1, 1, 1, 3] 10 21 2");
    op_expect(CONV2D, "(%a, %b, None, 1, [0, 2, 0, 0])", OP_IN("f32[1, 1, 1, 2] 1 2", "f32[1, 1, 1, 2] 1 10"),
              "f32[1, 1, 1, 3] 0 10 21");
    op_expect(CONV2D, "(%a, %b, None, 1, [1, 0, 0, 2])", OP_IN("f32[1, 1, 1, 2] 1 2", "f32[1, 1, 2, 2] 0 0 1 10"),
              "f32[1, 1, 1, 3] 21 2 0");
}
END_TEST

START_TEST(stride_and_dilation_take_every_other)
{
    op_expect(CONV2D, "(%a, %b, None, 2)", OP_IN(image, "f32[1, 1, 1, 1] 1"), "f32[1, 1, 2, 2] 1 3 7 9");
    op_expect(CONV2D, "(%a, %b, None, [1, 2])", OP_IN(image, "f32[1, 1, 1, 1] 1"), "f32[1, 1, 3, 2] 1 3 4 6 7 9");
    op_expect(CONV2D, "(%a, %b, None, 1, 0, 2)", OP_IN(image, "f32[1, 1, 2, 2] 1 10 100 1000"), "f32[1, 1, 1, 1] 9731");
}
END_TEST

START_TEST(groups_keep_to_their_channels)
{
    op_expect(CONV2D, "(%a, %b, None, 1, 0, 1, 2)", OP_IN("f32[1, 4, 1, 1] 1 2 3 4", "f32[2, 2, 1, 1] 1 10 1 10"),
              "f32[1, 2, 1, 1] 21 43");
    op_expect(CONV2D, "(%a, %b, None, 1, 0, 1, 2)", OP_IN("f32[1, 2, 1, 1] 1 2", "f32[4, 1, 1, 1] 1 10 100 1000"),
              "f32[1, 4, 1, 1] 1 10 200 2000");
}
END_TEST

START_TEST(batches_and_none)
{
    op_expect(CONV2D, "(%a, %b)", OP_IN("f32[1, 2, 2] 1 2 3 4", "f32[1, 1, 2, 2] 1 10 100 1000"), "f32[1, 1, 1] 4321");
    op_expect(CONV2D, "(%a, %b)", OP_IN("f32[2, 1, 1, 1] 1 2", "f32[1, 1, 1, 1] 3"), "f32[2, 1, 1, 1] 3 6");
    op_expect(CONV2D, "(%a, %b)", OP_IN("f32[0, 1, 2, 2]", "f32[1, 1, 2, 2]"), "f32[0, 1, 1, 1]");
}
END_TEST

START_TEST(other_spellings)
{
    op_expect("torch.ops.aten.conv1d.default", "(%a, %b, None, 2, 1)", OP_IN("f32[1, 1, 4] 1 2 3 4", "f32[1, 1, 3] 1 10 100"),
              "f32[1, 1, 2] 210 432");
    op_expect("torch.ops.aten.conv2d.padding", "(%a, %b, None, 1, \"same\")", OP_IN("f32[1, 1, 1, 2] 1 2", "f32[1, 1, 1, 2] 1 10"),
              "f32[1, 1, 1, 2] 21 2");
    op_expect("torch.ops.aten.convolution.default", "(%a, %b, None, [1], [0], [1], False, [0], 1)",
              OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 2] 1 10"), "f32[1, 1, 1] 21");
    op_expect("torch.ops.aten.conv3d.default", "(%a, %b)", OP_IN("f32[1, 1, 2, 1, 1] 1 2", "f32[1, 1, 2, 1, 1] 1 10"),
              "f32[1, 1, 1, 1, 1] 21");
    op_expect(CONV2D, "(%a, %b)", OP_IN("i8[1, 1, 1, 2] 100 100", "i8[1, 1, 1, 2] 1 1"), "i8[1, 1, 1, 1] -56");
}
END_TEST

START_TEST(transposed_windows_add_up)
{
    op_expect("torch.nn.functional.conv_transpose1d", "(%a, %b)", OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 2] 1 10"),
              "f32[1, 1, 3] 1 12 20");
    op_expect("torch.nn.functional.conv_transpose1d", "(%a, %b, %c, 2, 0, 1)",
              OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 1] 10", "f32[1] 5"), "f32[1, 1, 4] 15 5 25 5");
    op_expect("torch.nn.functional.conv_transpose2d", "(%a, %b, None, 1, [0, 1])",
              OP_IN("f32[1, 1, 1, 2] 1 2", "f32[1, 1, 2, 2] 1 10 100 1000"), "f32[1, 1, 2, 1] 12 1200");
    op_expect("torch.ops.aten.convolution.default", "(%a, %b, None, [1], [0], [1], True, [0], 1)",
              OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 2] 1 10"), "f32[1, 1, 3] 1 12 20");
    op_expect("torch.nn.functional.conv_transpose3d", "(%a, %b)", OP_IN("f32[1, 1, 2, 1, 2] 1 2 3 4", "f32[1, 1, 1, 1, 2] 1 10"),
              "f32[1, 1, 2, 1, 3] 1 12 20 3 34 40");
}
END_TEST

START_TEST(transposed_windows_have_gaps)
{
    op_expect("torch.nn.functional.conv_transpose1d", "(%a, %b, None, 1, 0, 0, 1, 2)",
              OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 2] 1 10"), "f32[1, 1, 4] 1 2 10 20");
    op_expect("torch.nn.functional.conv_transpose1d", "(%a, %b, %c, 2, 1, 1, 1, 2)",
              OP_IN("f32[1, 1, 3] 1 2 3", "f32[1, 1, 2] 1 10", "f32[1] 5"), "f32[1, 1, 6] 5 17 5 28 5 35");
    op_expect("torch.nn.functional.conv_transpose1d", "(%a, %b, None, 2, 0, 0, 1, 3)",
              OP_IN("f32[1, 1, 2] 1 2", "f32[1, 1, 2] 1 10"), "f32[1, 1, 6] 1 0 2 10 0 20");
}
END_TEST

START_TEST(shapes_that_do_not_fit)
{
    op_refuse(CONV2D, "(%a, %b)", OP_IN("f32[1, 3, 8, 8]", "f32[2, 4, 3, 3]"), "input has 3 channels, weight expects 4");
    op_refuse(CONV2D, "(%a, %b, None, 1, 0, 1, 2)", OP_IN("f32[1, 4, 8, 8]", "f32[3, 2, 3, 3]"),
              "3 output channels do not divide into 2 groups");
    op_refuse(CONV2D, "(%a, %b)", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 3, 3]"), "padded input size 2 is smaller than the window, 3");
    op_refuse(CONV2D, "(%a, %b, %c)", OP_IN("f32[1, 1, 2, 2]", "f32[2, 1, 1, 1]", "f32[3]"), "bias is f32[3], expected [2]");
    op_refuse(CONV2D, "(%a, %b, None, 0)", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 1, 1]"), "stride is 0, expected at least 1");
    op_refuse(CONV2D, "(%a, %b, None, 1, [1, 2, 3])", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 1, 1]"), "padding needs 1 or 2 entries");
    op_refuse(CONV2D, "(%a, %b, None, 1, -1)", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 1, 1]"), "padding is -1");
    op_refuse(CONV2D, "(%a, %b)", OP_IN("f32[1, 2]", "f32[1, 1, 1, 1]"), "input is f32[1, 2], expected 3 to 4 dimensions");
    op_refuse("torch.ops.aten.conv2d.padding", "(%a, %b, None, 2, \"same\")", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 1, 1]"),
              "needs stride 1");
    op_refuse("torch.nn.functional.conv_transpose2d", "(%a, %b)", OP_IN("f32[1, 2, 2, 2]", "f32[3, 1, 2, 2]"),
              "input has 2 channels, weight expects 3");
    op_refuse("torch.nn.functional.conv_transpose2d", "(%a, %b, None, 2, 0, 2)", OP_IN("f32[1, 1, 2, 2]", "f32[1, 1, 2, 2]"),
              "output_padding is 2, expected less than stride or dilation");
}
END_TEST

FX_TESTS("ops_conv", window_slides_over_the_image, padding_has_four_ends, stride_and_dilation_take_every_other,
         groups_keep_to_their_channels, batches_and_none, other_spellings, transposed_windows_add_up, transposed_windows_have_gaps,
         shapes_that_do_not_fit)
