/* SPDX-License-Identifier: Apache-2.0 */
/* Places: writebacks, slices of a larger value, dying inputs; and that values stay the same, also with the plan applied. */
#include "program_check.h"

static fx_program *place(fx_context *context, const char *text, bool apart)
{
    const pc_pass passes[] = {fx__pass_place, fx__pass_plan};
    fx_target target = pc_target(context, "sapphirerapids");
    fx_pass_options options = {.target = &target, .no_in_place = apart};
    fx_program *program = pc_check(context, text, passes, 2, &options);
    ck_assert_int_eq(program->n_writeback, 0);
    return program;
}

static void check_steps(const char *text, int together, int apart)
{
    fx_context *context = fx_context_new();
    for (int i = 0; i < 2; i++) {
        fx_program *program = place(context, text, i == 1);
        int expected = i ? apart : together;
        if (program->steps.n != expected) {
            pc_dump(program);
            ck_abort_msg("%d steps, expected %d", program->steps.n, expected);
        }
        fx__program_free(program);
    }
    fx_context_free(context);
}

static void check_count(const char *text, const char *piece, int expected)
{
    fx_context *context = fx_context_new();
    fx_program *program = place(context, text, false);
    if (pc_count(program, piece) != expected) {
        pc_dump(program);
        ck_abort_msg("\"%s\" not %d times", piece, expected);
    }
    fx__program_free(program);
    fx_context_free(context);
}

#define ADD "kernel add(a: f32[8,20], b: f32[8,20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = a[i,j] + b[i,j]\n}\n"
#define RELU "kernel relu(a: f32[8,20], out y: f32[8,20]) {\n for i:8 j:20\n y[i,j] = relu(a[i,j])\n}\n"

START_TEST(values_live_in_their_outputs)
{
    const char *text =
        "program inputs 2 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %out: f32[8,20] output 0\n"
        "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\n" ADD RELU "run add(%x, %z, %t)\nrun relu(%t, %u)\nwriteback %u -> %out\n";
    check_steps(text, 2, 3);
    check_count(text, "inout", 1); /* t dies at relu: it is computed in the output's memory */
    check_count(text, "temp", 0);
}
END_TEST

START_TEST(one_value_for_two_outputs_is_copied_once)
{
    check_steps("program inputs 2 outputs 2\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %o0: f32[8,20] output 0\n"
                "buf %o1: f32[8,20] output 1\nbuf %t: f32[8,20] temp\n" ADD
                "run add(%x, %z, %t)\nwriteback %t -> %o0\nwriteback %t -> %o1\n",
                2, 3);
}
END_TEST

START_TEST(states_are_updated_when_the_old_value_is_dead)
{
    const char *head =
        "program inputs 1 outputs 1 states 1\nbuf %x: f32[8,20] input 0\nbuf %s: f32[8,20] state 0\nbuf %out: f32[8,20] output 0\n"
        "buf %t: f32[8,20] temp\nbuf %u: f32[8,20] temp\n" ADD RELU;
    char text[2000];
    snprintf(text, sizeof text, "%srun relu(%%s, %%u)\nrun relu(%%x, %%t)\nwriteback %%u -> %%out\nwriteback %%t -> %%s\n", head);
    check_steps(text, 2, 4); /* the state is read before the new value is stored */
    snprintf(text, sizeof text, "%srun relu(%%x, %%t)\nrun add(%%s, %%t, %%u)\nwriteback %%u -> %%out\nwriteback %%t -> %%s\n",
             head);
    check_steps(text, 3, 4); /* it is read afterwards: a copy at the end */
}
END_TEST

#define PIECES                                                                                                                     \
    "kernel left(a: f32[8,20], out y: f32[8,50]) {\n for i:8 j:20\n y[i,j] = a[i,j]\n}\n"                                          \
    "kernel right(a: f32[8,30], out y: f32[8,50]) {\n for i:8 j:30\n y[i,j+20] = a[i,j]\n}\n"
#define CAT_HEAD                                                                                                                   \
    "program inputs 2 outputs 2\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,30] input 1\nbuf %out: f32[8,50] output 0\n"             \
    "buf %o1: f32[8,20] output 1\nbuf %p: f32[8,20] temp\nbuf %q: f32[8,30] temp\nbuf %c: f32[8,50] temp\nbuf %r: f32[8,20] "      \
    "temp\n"                                                                                                                       \
    "kernel wide(a: f32[8,30], out y: f32[8,30]) {\n for i:8 j:30\n y[i,j] = a[i,j] * 2.0\n}\n" PIECES RELU

START_TEST(pieces_are_computed_where_they_belong)
{
    const char *text = CAT_HEAD "run relu(%x, %p)\nrun wide(%z, %q)\nrun left(%p, %c)\nrun right(%q, %c)\nrun relu(%p, %r)\n"
                                "writeback %c -> %out\nwriteback %r -> %o1\n";
    check_steps(text, 3, 7);
    check_count(text, "in %out", 2);
    check_count(text, "{50,1}", 3); /* strides of the two results, and of p where relu reads it */
}
END_TEST

START_TEST(an_input_is_copied_into_a_concat)
{
    check_steps(CAT_HEAD "run relu(%x, %r)\nrun left(%x, %c)\nrun right(%z, %c)\nwriteback %c -> %out\nwriteback %r -> %o1\n", 3,
                5);
}
END_TEST

/* The same value twice in one concat: one slice, one copy. */
START_TEST(a_piece_has_one_place)
{
    check_steps("program inputs 1 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %out: f32[8,40] output 0\nbuf %p: f32[8,20] temp\nbuf "
                "%c: f32[8,40] temp\n"
                "kernel left(a: f32[8,20], out y: f32[8,40]) {\n for i:8 j:20\n y[i,j] = a[i,j]\n}\n"
                "kernel right(a: f32[8,20], out y: f32[8,40]) {\n for i:8 j:20\n y[i,j+20] = a[i,j]\n}\n" RELU
                "run relu(%x, %p)\nrun left(%p, %c)\nrun right(%p, %c)\nwriteback %c -> %out\n",
                3, 4);
}
END_TEST

START_TEST(inputs_of_the_program_are_not_overwritten)
{
    const char *text =
        "program inputs 2 outputs 1\nbuf %x: f32[8,20] input 0\nbuf %z: f32[8,20] input 1\nbuf %out: f32[8,20] output 0\n"
        "buf %t: f32[8,20] temp\n" ADD "run add(%x, %z, %t)\nwriteback %t -> %out\n";
    check_count(text, "inout", 0);
}
END_TEST

START_TEST(a_value_read_at_another_index_is_not_overwritten)
{
    const char *text =
        "program inputs 1 outputs 1\nbuf %x: f32[20,20] input 0\nbuf %out: f32[20,20] output 0\nbuf %t: f32[20,20] temp\n"
        "buf %u: f32[20,20] temp\nbuf %v: f32[20,20] temp\n"
        "kernel relu(a: f32[20,20], out y: f32[20,20]) {\n for i:20 j:20\n y[i,j] = relu(a[i,j])\n}\n"
        "kernel turn(a: f32[20,20], out y: f32[20,20]) {\n for i:20 j:20\n y[i,j] = a[j,i] + a[i,j]\n}\n"
        "run relu(%x, %t)\nrun turn(%t, %u)\nrun relu(%u, %v)\nwriteback %v -> %out\n";
    check_count(text, "inout", 1);
}
END_TEST

/* Softmax overwrites its input: every stage reads the row before the last one stores it. */
START_TEST(rows_may_be_overwritten_by_their_result)
{
    const char *text = "program inputs 1 outputs 1\nbuf %x: f32[6,20] input 0\nbuf %t: f32[6,20] temp\nbuf %u: f32[6,20] temp\nbuf "
                       "%out: f32[6,20] output 0\n"
                       "kernel relu(a: f32[6,20], out y: f32[6,20]) {\n for i:6 j:20\n y[i,j] = relu(a[i,j])\n}\n"
                       "kernel norm(x: f32[6,20], out y: f32[6,20]) {\n for i:6 ; j:20\n s = sum(x[i,j]) over j\n"
                       " y[i,j] = x[i,j] - s over j\n}\n"
                       "run relu(%x, %t)\nrun norm(%t, %u)\nwriteback %u -> %out\n";
    check_count(text, "inout", 1);
}
END_TEST

FX_TESTS("place", values_live_in_their_outputs, one_value_for_two_outputs_is_copied_once,
         states_are_updated_when_the_old_value_is_dead, pieces_are_computed_where_they_belong, an_input_is_copied_into_a_concat,
         a_piece_has_one_place, inputs_of_the_program_are_not_overwritten, a_value_read_at_another_index_is_not_overwritten,
         rows_may_be_overwritten_by_their_result)
