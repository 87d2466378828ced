/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of indices: negative ones count from the end; what lies outside is an error of the interpreter, of the evaluator and of
 * native code alike, in any lane; masks, wrong shapes and wrong types are refused. */
#include "op_run.h"

#define ATEN "torch.ops.aten."

START_TEST(negative_indices_count_from_the_end)
{
    op_expect(ATEN "index_select.default", "(%a, 0, %b)", OP_IN("f32[3, 2] 1 2 3 4 5 6", "i64[4] -1 0 -3 2"),
              "f32[4, 2] 5 6 1 2 1 2 5 6");
    op_expect(ATEN "embedding.default", "(%a, %b, 0)", OP_IN("f32[3, 2] 1 2 3 4 5 6", "i32[1, 2] -2 2"), "f32[1, 2, 2] 3 4 5 6");
    op_expect(ATEN "gather.default", "(%a, 1, %b)", OP_IN("f32[2, 3] 1 2 3 4 5 6", "i64[2, 2] -1 0 1 -3"), "f32[2, 2] 3 1 5 4");
    op_expect(ATEN "take.default", "(%a, %b)", OP_IN("i32[2, 3] 1 2 3 4 5 6", "i64[3] -1 0 3"), "i32[3] 6 1 4");
}
END_TEST

START_TEST(indices_are_the_views_index)
{
    op_expect(ATEN "index.Tensor", "(%a, [%b, %c])", OP_IN("f32[2, 3] 1 2 3 4 5 6", "i64[2, 1] 0 -1", "i32[2] 0 -1"),
              "f32[2, 2] 1 3 4 6");
    op_expect(ATEN "index.Tensor", "(%a, [%b, None, %c])", OP_IN("f32[2, 1, 2] 1 2 3 4", "i64[1] 1", "i64[3] 0 1 0"),
              "f32[3, 1] 3 4 3");
    op_expect(ATEN "index_select.default", "(%a, 1, %b)", OP_IN("bool[1, 2] 1 0", "i64[] 1"), "bool[1, 1] 0");
}
END_TEST

START_TEST(the_last_of_several_stays_or_all_are_combined)
{
    op_expect(ATEN "scatter.src", "(%a, 0, %b, %c)", OP_IN("f32[3] 1 2 3", "i64[4] 2 0 2 -3", "f32[4] 5 6 7 8"), "f32[3] 8 2 7");
    op_expect(ATEN "scatter_add.default", "(%a, 0, %b, %c)", OP_IN("i32[3] 1 2 3", "i64[3] 2 -1 0", "i32[4] 5 6 7 8"),
              "i32[3] 8 2 14");
    op_expect(ATEN "scatter_reduce.two", "(%a, 0, %b, %c, \"mean\", include_self=False)",
              OP_IN("f32[3] 1 2 3", "i64[3] 2 2 0", "f32[3] 5 6 7"), "f32[3] 7 2 5.5");
    op_expect(ATEN "index_put.default", "(%a, [%b, %b], %c, True)", OP_IN("f32[2, 2] 1 2 3 4", "i64[3] 1 1 0", "f32[] 10"),
              "f32[2, 2] 11 2 3 24");
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    op_refuse(ATEN "scatter.src", "(%a, 0, %b, %c)", OP_IN("f32[3] 1", "i64[2] 0 3", "f32[2] 1"), "outside");
    op_refuse(ATEN "scatter.src", "(%a, 0, %b, %c)", OP_IN("f32[3] 1", "i64[2] 0 1", "f64[2] 1"), "equal element types");
    op_refuse(ATEN "scatter.src", "(%a, 0, %b, %c)", OP_IN("f32[3] 1", "i64[2] 0 1", "f32[1] 1"), "does not fit into f32[1]");
    op_refuse(ATEN "index_add.default", "(%a, 0, %b, %c)", OP_IN("f32[3, 2] 1", "i64[2] 0 -4", "f32[2, 2] 1"), "outside");
    op_refuse(ATEN "index_add.default", "(%a, 0, %b, %c)", OP_IN("f32[3, 2] 1", "i64[2] 0 1", "f32[2, 3] 1"), "does not fit");
    op_refuse(ATEN "index_put.default", "(%a, [%b], %c)", OP_IN("f32[3] 1", "i64[2] 0 1", "f32[3] 1"), "do not broadcast");
    op_refuse(ATEN "index_put.default", "(%a, [%b], %c)", OP_IN("f32[3] 1", "i64[2] 0 7", "f32[] 1"), "outside");
    op_refuse(ATEN "scatter_reduce.two", "(%a, 0, %b, %a, \"median\")", OP_IN("f32[3] 1", "i64[3] 0"), "expected sum");
}
END_TEST

/* One index of many is outside: of 37, in a full vector or in the masked tail. */
static void expect_outside(const char *target, const char *args, const char *const *in, int32_t n_in, int32_t which, double outside)
{
    op_run run;
    fx_compiled *native;
    fx_tensor got = {0};
    ck_assert_int_eq(op_start(&run, target, args, in, n_in, 1), FX_OK);
    CHECK_OK(run.context, fx_compile(run.module, NULL, 0, &(fx_compile_options){.threads = 1}, &native));
    ck_assert_int_eq(fx_compiled_fallback_count(native), 0);
    for (int64_t i = 0; i < fx_tensor_elems(&run.in[which]); i += 5) {
        double inside = fx_tensor_get(&run.in[which], i);
        fx_tensor_set(&run.in[which], i, outside);
        fx_tensor_release(&run.out[0]);
        ck_assert_int_eq(fx_interpret(run.module, run.in, n_in, run.out, 1), FX_E_INDEX);
        ck_assert_int_eq(fx_run(native, run.context, run.in, n_in, &got, 1), FX_E_INDEX);
        fx_tensor_release(&got);
        fx_tensor_set(&run.in[which], i, inside);
        CHECK_OK(run.context, (fx_context_clear(run.context), fx_interpret(run.module, run.in, n_in, run.out, 1)));
        CHECK_OK(run.context, fx_run(native, run.context, run.in, n_in, &got, 1));
        op_compare_tensors(&got, &run.out[0], 0, target);
        fx_tensor_release(&got);
    }
    fx_compiled_free(native);
    op_done(&run);
}

START_TEST(an_index_outside_is_an_error_and_is_not_read)
{
    static const double outside[] = {5, -6, 1e15, -1e15};
    for (int i = 0; i < 4; i++) {
        expect_outside(ATEN "index_select.default", "(%a, 0, %b)", OP_IN("f32[5, 3] 1 2 3", "i64[37] 0 4 2"), 1, outside[i]);
        expect_outside(ATEN "index_select.default", "(%a, 1, %b)", OP_IN("f32[3, 5] 1 2 3", "i64[37] 0 4 2"), 1, outside[i]);
        expect_outside(ATEN "gather.default", "(%a, 1, %b)", OP_IN("f32[3, 5] 1 2 3 4", "i64[3, 37] 0 4 2 -5"), 1, outside[i]);
        expect_outside(ATEN "index.Tensor", "(%a, [%b, %c])", OP_IN("f32[5, 5] 1 2 3", "i64[37] 0 -5", "i64[37] 4 1"), 2,
                       outside[i]);
        expect_outside(ATEN "take.default", "(%a, %b)", OP_IN("f32[1, 5] 1 2 3", "i64[37] 0 4 2"), 1, outside[i]);
    }
    op_refuse(ATEN "index_select.default", "(%a, 0, %b)", OP_IN("f32[0, 3]", "i64[1] 0"), "outside");
}
END_TEST

START_TEST(what_is_no_index_is_refused)
{
    op_refuse(ATEN "index.Tensor", "(%a, [%b])", OP_IN("f32[3] 1", "bool[3] 1"), "mask");
    op_refuse(ATEN "index.Tensor", "(%a, [%b, %b])", OP_IN("f32[3] 1", "i64[3] 1"), "2 indices for f32[3]");
    op_refuse(ATEN "index.Tensor", "(%a, [%b, %c])", OP_IN("f32[3, 3] 1", "i64[3] 1", "i64[2] 1"), "do not broadcast");
    op_refuse(ATEN "embedding.default", "(%a, %b)", OP_IN("f32[3, 2] 1", "f32[2] 1"), "expected i64 or i32");
    op_refuse(ATEN "gather.default", "(%a, 0, %b)", OP_IN("f32[3, 2] 1", "i64[3, 4] 1"), "is larger than f32[3, 2]");
    op_refuse(ATEN "index_select.default", "(%a, 0, %b)", OP_IN("f32[3, 2] 1", "i64[1, 1] 1"), "dimensions");
    op_refuse("torch.nn.functional.embedding", "(%b, %a, None, 1.0)", OP_IN("f32[3, 2] 1", "i64[1] 1"), "max_norm");
}
END_TEST

FX_TESTS("ops_index", negative_indices_count_from_the_end, indices_are_the_views_index,
         the_last_of_several_stays_or_all_are_combined, what_cannot_be_written_is_refused,
         an_index_outside_is_an_error_and_is_not_read, what_is_no_index_is_refused)
