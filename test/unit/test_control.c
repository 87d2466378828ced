/* SPDX-License-Identifier: Apache-2.0 */
/* IF and LOOP steps: counters, limits, conditions, carried values; each form against numbers worked out here, each rule of the
 * verifier with a fault planted for it, and random nests of both through every program pass to native code. */
#include "native_run.h"
#include "passes/pass.h"

#define HEAD                                                                                                                       \
    "program inputs 3 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"                                                         \
    "sym s0 in [0,9] hint 3 multiple 1 from input 2 axis 0\nsym t in [0,8] hint 1 multiple 1 counter\n"                            \
    "sym u in [0,3] hint 1 multiple 1 counter\nguard le t + 1, s0\n"                                                               \
    "buf %flag: bool[] input 0\nbuf %n: i32[] input 1\nbuf %s: i32[s0] input 2\nbuf %y: i32[4] output 0\n"                         \
    "buf %a: i32[4] temp\nbuf %b: i32[4] temp\nbuf %c: i32[4] temp\nbuf %d: i32[4] temp\nbuf %go: bool[] temp\n"                   \
    "buf %rows: i32[s0,4] temp\n"                                                                                                  \
    "kernel one(out y: i32[4]) {\n  for i:4\n  y[i] = 1_i32\n}\n"                                                                  \
    "kernel copy(x: i32[4], out y: i32[4]) {\n  for i:4\n  y[i] = x[i]\n}\n"                                                       \
    "kernel twice(x: i32[4], out y: i32[4]) {\n  for i:4\n  y[i] = x[i] + x[i]\n}\n"                                               \
    "kernel plus_t(x: i32[4], out y: i32[4]) {\n  for i:4\n  y[i] = x[i] + i32(dim(t))\n}\n"                                       \
    "kernel plus_tu(x: i32[4], out y: i32[4]) {\n  for i:4\n  y[i] = x[i] + i32(dim(t)) * 10_i32 + i32(dim(u))\n}\n"               \
    "kernel add(x: i32[4], z: i32[4], out y: i32[4]) {\n  for i:4\n  y[i] = x[i] + z[i]\n}\n"                                      \
    "kernel row(x: i32[4], out y: i32[(s0),4]) {\n  for i:4\n  y[(t),i] = x[i]\n}\n"                                               \
    "kernel sum(x: i32[(s0),4], out y: i32[4]) {\n  for i:4\n  m = sum(x[r,i]) over r:(s0)\n  y[i] = m\n}\n"                       \
    "kernel less(x: i32[4], out y: bool[]) {\n  for i:1\n  y[] = lt(x[i], 100_i32)\n}\n"

typedef struct case_inputs {
    int flag, n, s0;
} case_inputs;

/* The program after schedule, dedup and plan. */
static void open_planned(native *n, const char *text, int threads)
{
    native_parse(n, text, threads);
    fx_pass_options options = {.target = &n->target};
    CHECK_OK(n->context, fx__program_verify(n->program, "parse"));
    CHECK_OK(n->context, fx__pass_schedule(n->program, &options));
    CHECK_OK(n->context, fx__kir_dedup(n->program));
    CHECK_OK(n->context, fx__pass_plan(n->program, &options));
    CHECK_OK(n->context, fx__program_verify(n->program, "plan"));
    CHECK_OK(n->context, fx__plan_check(n->program));
    native_compile(n);
}

static void set_inputs(native *n, const case_inputs *in)
{
    n->sym[0] = in->s0;
    native_tensors(n, 1, 0, 1);
    fx_tensor_set(&n->in[0], 0, in->flag);
    fx_tensor_set(&n->in[1], 0, in->n);
}

/* Native code gives what the evaluation gives, and that is `want`. */
static void check_value(const char *steps, const case_inputs *in, double want)
{
    native n;
    char text[4096];
    snprintf(text, sizeof text, "%s%s", HEAD, steps);
    open_planned(&n, text, 1);
    set_inputs(&n, in);
    native_check(&n, 0, 0);
    ck_assert_msg(fx_tensor_get(&n.out[0], 3) == want, "%s: %g, expected %g", steps, fx_tensor_get(&n.out[0], 3), want);
    native_close(&n);
}

START_TEST(a_constant_number_of_turns)
{
    check_value("run one(%a)\nloop for u < 4 carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%a, %y)\n", &(case_inputs){0}, 16);
    check_value("run one(%a)\nloop for u < 3 carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%a, %y)\n", &(case_inputs){0}, 8);
    check_value("run one(%a)\nloop for u < 0 carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%a, %y)\n", &(case_inputs){0}, 1);
}
END_TEST

START_TEST(a_symbolic_number_of_turns)
{
    static const char steps[] = "run one(%a)\nloop for t < s0 carry %a/%b {\n  run plus_t(%a, %b)\n}\nrun copy(%a, %y)\n";
    for (int s0 = 0; s0 < 5; s0++) check_value(steps, &(case_inputs){.s0 = s0}, 1 + s0 * (s0 - 1) / 2);
}
END_TEST

START_TEST(a_number_of_turns_in_memory)
{
    static const char steps[] = "run one(%a)\nloop %n carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%a, %y)\n";
    for (int turns = -1; turns < 4; turns++) check_value(steps, &(case_inputs){.n = turns}, turns < 0 ? 1 : 1 << turns);
    static const char limited[] = "run one(%a)\nloop %n for u < 3 carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%a, %y)\n";
    check_value(limited, &(case_inputs){.n = 2}, 4);
    check_value(limited, &(case_inputs){.n = 5}, 8);
}
END_TEST

START_TEST(a_condition_before_every_turn)
{
    check_value(
        "run one(%a)\nrun less(%a, %go)\nloop %go carry %a/%b {\n  run twice(%a, %b)\n  run less(%b, %go)\n}\nrun copy(%a, %y)\n",
        &(case_inputs){0}, 128);
    check_value("run one(%a)\nrun less(%a, %go)\n"
                "loop %go for u < 4 carry %a/%b {\n  run twice(%a, %b)\n  run less(%b, %go)\n}\nrun copy(%a, %y)\n",
                &(case_inputs){0}, 16);
}
END_TEST

START_TEST(rows_are_stored_turn_by_turn)
{
    static const char steps[] = "run one(%a)\nloop for t < s0 carry %a/%b {\n  run twice(%a, %b)\n  run row(%a, %rows)\n}\n"
                                "run sum(%rows, %y)\n";
    for (int s0 = 0; s0 < 5; s0++) check_value(steps, &(case_inputs){.s0 = s0}, (1 << s0) - 1);
}
END_TEST

/* The inner loop's pair starts anew, in its first places, in every turn of the outer one. */
START_TEST(loops_nest)
{
    static const char steps[] =
        "run one(%c)\nloop for t < s0 carry %c/%d {\n  run copy(%c, %a)\n"
        "  loop for u < 3 carry %a/%b {\n    run plus_tu(%a, %b)\n  }\n  run copy(%a, %d)\n}\nrun copy(%c, %y)\n";
    for (int s0 = 0; s0 < 4; s0++) check_value(steps, &(case_inputs){.s0 = s0}, 1 + 30 * (s0 * (s0 - 1) / 2) + 3 * s0);
}
END_TEST

START_TEST(both_branches_may_write)
{
    static const char steps[] =
        "run one(%a)\nif %flag {\n  loop for u < 3 carry %a/%b {\n    run twice(%a, %b)\n  }\n  run copy(%a, %y)\n"
        "} else {\n  run copy(%a, %y)\n}\n";
    check_value(steps, &(case_inputs){.flag = 1}, 8);
    check_value(steps, &(case_inputs){.flag = 0}, 1);
}
END_TEST

/* Two pairs, one reading the other's old value: Fibonacci. */
START_TEST(pairs_change_places_together)
{
    check_value("run one(%a)\nrun one(%c)\nloop for t < s0 carry %a/%b, %c/%d {\n  run add(%a, %c, %b)\n  run copy(%a, %d)\n}\n"
                "run copy(%a, %y)\n",
                &(case_inputs){.s0 = 6}, 21);
}
END_TEST

/* Twice the value before the loop is not computed behind it, where the value is another. */
START_TEST(nothing_moves_past_the_loop_that_changes_it)
{
    static const char steps[] =
        "run one(%a)\nrun twice(%a, %c)\nloop for u < 3 carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%c, %y)\n";
    native n;
    char text[4096];
    snprintf(text, sizeof text, "%s%s", HEAD, steps);
    native_parse(&n, text, 1);
    fx_pass_options options = {.target = &n.target};
    CHECK_OK(n.context, fx__pass_fuse(n.program, &options));
    CHECK_OK(n.context, fx__program_verify(n.program, "fuse"));
    set_inputs(&n, &(case_inputs){0});
    native_eval(&n);
    ck_assert_double_eq(fx_tensor_get(&n.expected[0], 0), 2);
    native_close(&n);
}
END_TEST

/* ---- Verifier ------------------------------------------------------------------------------------------------------------- */

static void check_broken(const char *steps, const char *message)
{
    char text[4096];
    fx_program *program;
    fx_context *context = fx_context_new();
    snprintf(text, sizeof text, "%s%s", HEAD, steps);
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    ck_assert_msg(fx__program_verify(program, "test") == FX_E_INTERNAL, "%s: accepted", steps);
    CHECK_DIAG(context, message);
    fx__program_free(program);
    fx_context_free(context);
}

START_TEST(broken_loops_are_refused)
{
    check_broken("loop {\n  run one(%a)\n}\n", "a loop without end");
    check_broken("loop for u {\n  run one(%a)\n}\n", "a loop without end");
    check_broken("loop %go {\n  run one(%a)\n}\n", "is read before it is written");
    check_broken("loop %s {\n  run one(%a)\n}\n", "is no condition");
    check_broken("if %s {\n  run one(%a)\n}\n", "is no condition");
    check_broken("run one(%a)\nrun plus_t(%a, %b)\n", "a counter is used outside of its loop");
    check_broken("run one(%a)\nloop for t < s0 {\n  run one(%b)\n}\nrun plus_t(%a, %b)\n", "a counter is used outside of its loop");
    check_broken("loop for u < 4 {\n  loop for u < 4 {\n    run one(%a)\n  }\n}\n", "or one around this one");
    check_broken("loop for u < 5 {\n  run one(%a)\n}\n", "counter u may leave its range");
    check_broken("loop %n for u {\n  run one(%a)\n}\n", "counter u may leave its range");
    check_broken("loop for t < 9 {\n  run one(%a)\n}\n", "counter t may leave its range"); /* the guard says below s0 */
    check_broken("loop for u < t {\n  run one(%a)\n}\n", "turns of a counter");
    check_broken("buf %odd: i32[t] temp\n", "depends on a counter");
}
END_TEST

START_TEST(broken_pairs_are_refused)
{
    check_broken("run one(%a)\nloop %n carry %a/%a {\n  run one(%b)\n}\n", "is carried twice");
    check_broken("run one(%a)\nloop %n carry %a/%b, %c/%b {\n  run one(%b)\n}\n", "is carried twice");
    check_broken("run one(%a)\nloop %n carry %a/%go {\n  run less(%a, %go)\n}\n", "with one of another type");
    check_broken("run one(%a)\nloop %n carry %a/%y {\n  run twice(%a, %y)\n}\n", "has a fixed place");
    check_broken("buf %low: i32[2] temp in %c [0]\nbuf %high: i32[2] temp in %c [2]\nrun one(%c)\nloop %n carry %low/%high {\n}\n",
                 "has a fixed place");
    check_broken("loop %n carry %a/%b {\n  run one(%b)\n}\n", "is read before it is written");
    check_broken("run one(%a)\nloop %n carry %a/%b {\n  run one(%c)\n}\n", "the body does not write it");
    check_broken("run one(%a)\nloop %n carry %a/%b {\n  run twice(%b, %c)\n  run twice(%a, %b)\n}\n",
                 "is read before it is written");
    check_broken("run one(%a)\nloop %n carry %a/%b {\n  run twice(%a, %b)\n}\nrun copy(%b, %y)\n", "is read before it is written");
    check_broken("run one(%a)\nif %flag {\n  loop %n carry %a/%b {\n    run twice(%a, %b)\n  }\n}\nrun copy(%a, %y)\n",
                 "is read before it is written");
}
END_TEST

START_TEST(what_may_not_run_has_not_written)
{
    check_broken("if %flag {\n  run one(%a)\n}\nrun copy(%a, %y)\n", "is read before it is written");
    check_broken("if %flag {\n  run one(%a)\n} else {\n  run one(%b)\n}\nrun copy(%a, %y)\n", "is read before it is written");
    check_broken("loop %n {\n  run one(%a)\n}\nrun copy(%a, %y)\n", "is read before it is written");
}
END_TEST

/* Both of a pair live as long as either: a plan that lets the second one die with the loop is caught. */
START_TEST(pairs_live_together)
{
    static const char steps[] =
        "run one(%a)\nloop for u < 3 carry %a/%b {\n  run twice(%a, %b)\n}\nrun one(%c)\nrun add(%a, %c, %y)\n";
    native n;
    char text[4096];
    snprintf(text, sizeof text, "%s%s", HEAD, steps);
    open_planned(&n, text, 1);
    int32_t buf[3] = {-1, -1, -1};
    for (int32_t i = 0; i < n.program->n_buf; i++)
        for (int k = 0; k < 3; k++)
            if (n.program->buf[i].name && strcmp(n.program->buf[i].name, (const char *[]){"a", "b", "c"}[k]) == 0) buf[k] = i;
    ck_assert_int_eq(n.program->buf[buf[0]].last, n.program->buf[buf[1]].last);
    ck_assert_int_ne(n.program->buf[buf[2]].offset, n.program->buf[buf[1]].offset);
    n.program->buf[buf[2]].offset = n.program->buf[buf[1]].offset;
    ck_assert_int_eq(fx__plan_check(n.program), FX_E_INTERNAL);
    native_close(&n);
}
END_TEST

/* ---- Text ------------------------------------------------------------------------------------------------------------------- */

static char *reprint(fx_context *context, const char *text, size_t bytes)
{
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, bytes, &program));
    char *printed = fx__program_print(program);
    fx__program_free(program);
    return printed;
}

START_TEST(every_form_prints_as_it_is_read)
{
    static const char steps[] =
        "run k0(%a)\nrun k0(%c)\nloop %n for u < 2 carry %a/%b, %c/%d nodes x, y {\n  run k1(%a, %b)\n  run k1(%c, %d)\n}\n"
        "loop for t < s0 {\n  if %flag nodes z {\n    loop %n {\n      run k0(%y)\n    }\n  } else {\n    run k0(%y)\n  }\n}\n"
        "loop %n for u {\n  run k0(%y)\n}\n";
    char text[4096];
    fx_context *context = fx_context_new();
    snprintf(text, sizeof text, "%sloop %%n {\n}\n", HEAD);
    char *once = reprint(context, text, strlen(text));
    char *cut = strstr(once, "loop %n {");
    ck_assert_ptr_nonnull(cut);
    char all[8192];
    snprintf(all, sizeof all, "%.*s%s", (int)(cut - once), once, steps);
    char *twice = reprint(context, all, strlen(all));
    ck_assert_str_eq(twice, all);
    fx_text_free(once);
    fx_text_free(twice);
    fx_context_free(context);
}
END_TEST

START_TEST(bad_text_is_told)
{
    static const char *const bad[][2] = {{"loop for s0 < 3 {\n}\n", "is no counter"},
                                         {"loop for t < s1 {\n}\n", "not a size"},
                                         {"loop %n carry %a {\n}\n", "'/' expected"},
                                         {"loop %n carry %a/%none {\n}\n", "unknown buffer"},
                                         {"loop %n {\n  run one(%a)\n", "unknown statement"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[4096];
        fx_program *program;
        fx_context *context = fx_context_new();
        snprintf(text, sizeof text, "%s%s", HEAD, bad[i][0]);
        ck_assert_int_eq(fx__program_parse(context, "text", text, strlen(text), &program), FX_E_FORMAT);
        if (i < 4) CHECK_DIAG(context, bad[i][1]);
        fx_context_free(context);
    }
}
END_TEST

FX_TESTS("control", a_constant_number_of_turns, a_symbolic_number_of_turns, a_number_of_turns_in_memory,
         a_condition_before_every_turn, rows_are_stored_turn_by_turn, loops_nest, both_branches_may_write,
         pairs_change_places_together, nothing_moves_past_the_loop_that_changes_it, broken_loops_are_refused,
         broken_pairs_are_refused, what_may_not_run_has_not_written, pairs_live_together, every_form_prints_as_it_is_read,
         bad_text_is_told)
