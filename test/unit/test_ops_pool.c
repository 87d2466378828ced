/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling and batch normalisation: values worked out by hand, and what is refused. */
#include "op_run.h"

#define MAX "torch.ops.aten.max_pool2d.default"
#define AVG "torch.ops.aten.avg_pool2d.default"
#define ADAPTIVE "torch.ops.aten.adaptive_avg_pool2d.default"
static const char image[] = "f32[1, 1, 3, 3] 1 2 3 4 5 6 7 8 9";

START_TEST(maximum_of_windows)
{
    op_expect(MAX, "(%a, 2, 1)", OP_IN(image), "f32[1, 1, 2, 2] 5 6 8 9");
    op_expect(MAX, "(%a, 2)", OP_IN(image), "f32[1, 1, 1, 1] 5");
    op_expect(MAX, "(%a, 2, None, 0, 1, True)", OP_IN(image), "f32[1, 1, 2, 2] 5 6 8 9");
    op_expect(MAX, "(%a, 2, 2, 1)", OP_IN(image), "f32[1, 1, 2, 2] 1 3 7 9");
    op_expect(MAX, "(%a, 2, 2, [0, 0, 1, 1])", OP_IN(image), "f32[1, 1, 2, 2] 5 6 8 9");
    op_expect(MAX, "(%a, 2, 1, 0, 2)", OP_IN(image), "f32[1, 1, 1, 1] 9");
    op_expect(MAX, "(%a, [1, 3])", OP_IN("f32[1, 1, 3] -3 -2 -1"), "f32[1, 1, 1] -1");
}
END_TEST

START_TEST(padding_never_wins)
{
    op_expect(MAX, "(%a, 3, 1, 1)", OP_IN("f32[1, 1, 1, 1] -7"), "f32[1, 1, 1, 1] -7");
    op_expect(MAX, "(%a, 3, 1, 1)", OP_IN("i8[1, 1, 1, 1] -7"), "i8[1, 1, 1, 1] -7");
    op_expect(MAX, "(%a, 1, 2, 1)", OP_IN("i8[1, 1, 1, 1] 5"), "i8[1, 1, 2, 2] -128");
    op_expect(MAX, "(%a, 1, 2, 1)", OP_IN("f32[1, 1, 1, 1] 5"), "f32[1, 1, 2, 2] -inf");
}
END_TEST

START_TEST(nan_goes_through_the_maximum)
{
    op_expect(MAX, "(%a, [1, 2], 1)", OP_IN("f32[1, 1, 1, 4] 1 nan 2 3"), "f32[1, 1, 1, 3] nan nan 3");
}
END_TEST

START_TEST(indices_of_the_maximum)
{
    op_run run;
    fx_status status = op_start(&run, "torch.ops.aten.max_pool2d_with_indices.default", "(%a, 2, 1)",
                                OP_IN("f32[1, 1, 3, 3] 9 2 3 4 5 6 7 8 1"), 2);
    CHECK_OK(run.context, status);
    op_compare(&run.out[0], "f32[1, 1, 2, 2] 9 6 8 8", 0, "values");
    op_compare(&run.out[1], "i64[1, 1, 2, 2] 0 5 7 7", 0, "indices");
    op_done(&run);
}
END_TEST

START_TEST(average_counts_its_padding)
{
    op_expect(AVG, "(%a, 2, 1)", OP_IN(image), "f32[1, 1, 2, 2] 3 4 6 7");
    op_expect(AVG, "(%a, 2, 2, 1)", OP_IN(image), "f32[1, 1, 2, 2] 0.25 1.25 2.75 7");
    op_expect(AVG, "(%a, 2, 2, 1, False, False)", OP_IN(image), "f32[1, 1, 2, 2] 1 2.5 5.5 7");
    op_expect(AVG, "(%a, 2, 2, 0, True)", OP_IN(image), "f32[1, 1, 2, 2] 3 4.5 7.5 9");
    op_expect(AVG, "(%a, 2, 1, 0, False, True, 2)", OP_IN(image), "f32[1, 1, 2, 2] 6 8 12 14");
    op_expect(AVG, "(%a, 2, 2, [1, 0, 0, 1], False, False)", OP_IN(image), "f32[1, 1, 2, 2] 1.5 3 6 7.5");
}
END_TEST

START_TEST(adaptive_windows)
{
    op_expect(ADAPTIVE, "(%a, 1)", OP_IN(image), "f32[1, 1, 1, 1] 5");
    op_expect(ADAPTIVE, "(%a, [2, 1])", OP_IN("f32[1, 4, 2] 1 2 3 4 5 6 7 8"), "f32[1, 2, 1] 2.5 6.5");
    op_expect(ADAPTIVE, "(%a, 2)", OP_IN(image), "f32[1, 1, 2, 2] 3 4 6 7");
    op_expect(ADAPTIVE, "(%a, [1, 3])", OP_IN("f32[1, 1, 1, 2] 1 2"), "f32[1, 1, 1, 3] 1 1.5 2");
}
END_TEST

START_TEST(batch_norm_shifts_and_scales)
{
    op_expect("torch.ops.aten.batch_norm.default", "(%a, %b, %c, %d, %e, False, 0.1, 1.0, False)",
              OP_IN("f32[1, 2, 2] 1 3 5 7", "f32[2] 2 4", "f32[2] 10 20", "f32[2] 1 5", "f32[2] 3 15"), "f32[1, 2, 2] 10 12 20 22");
    op_expect("torch.nn.functional.batch_norm", "(%a, %b, %c, None, None, False, 0.1, 0.0)",
              OP_IN("f32[1, 2] 1 3", "f32[2] 0 1", "f32[2] 4 16"), "f32[1, 2] 0.5 0.5");
}
END_TEST

START_TEST(what_is_refused)
{
    op_refuse(MAX, "(%a, 4)", OP_IN(image), "padded input size 3 is smaller than the window, 4");
    op_refuse(MAX, "(%a, 0)", OP_IN(image), "kernel_size is 0, expected at least 1");
    op_refuse(MAX, "(%a, [1, 2, 3])", OP_IN(image), "kernel_size needs 1 or 2 entries");
    op_refuse(AVG, "(%a, 2, None, 0, False, True, 0)", OP_IN(image), "divisor_override is 0");
    op_refuse(ADAPTIVE, "(%a, 1)", OP_IN("f32[1, 1, 0, 3]"), "no elements to average");
    op_refuse("torch.nn.functional.batch_norm", "(%a, %b, %b)", OP_IN("f32[2, 3]", "f32[2]"),
              "running_mean is f32[2], expected [3]");
    op_refuse("torch.nn.functional.batch_norm", "(%a, None, None)", OP_IN("f32[2, 3]"), "running_mean and running_var are needed");
}
END_TEST

FX_TESTS("ops_pool", maximum_of_windows, padding_never_wins, nan_goes_through_the_maximum, indices_of_the_maximum,
         average_counts_its_padding, adaptive_windows, batch_norm_shifts_and_scales, what_is_refused)
