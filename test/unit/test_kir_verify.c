/* SPDX-License-Identifier: Apache-2.0 */
/* test_kir_verify.c: each rule of the verifier fires on a violation planted for it, and on nothing that is right. */
#include "harness.h"
#include "ir/kir.h"
#include <string.h>

static fx_program *parse(fx_context *context, const char *text)
{
    fx_program *program;
    CHECK_OK(context, fx__program_parse(context, "text", text, strlen(text), &program));
    return program;
}

static void expect_broken(fx_context *context, fx_program *program, const char *message)
{
    ck_assert_int_eq(fx__program_verify(program, "test"), FX_E_INTERNAL);
    CHECK_DIAG(context, message);
    fx__program_free(program);
    fx_context_free(context);
}

static void check_broken(const char *text, const char *message)
{
    fx_context *context = fx_context_new();
    expect_broken(context, parse(context, text), message);
}

#define BUFS                                                                                                                       \
    "program inputs 2 outputs 1\nbuf %x: f32[4,6] input 0\nbuf %i: i64[4] input 1\nbuf %y: f32[4,6] output 0\n"                    \
    "buf %t: f32[4,6] temp\nbuf %low: f32[2,6] temp in %t [0,0]\nbuf %mid: f32[2,6] temp in %t [1,0]\n"
#define HEAD "kernel k(x: f32[4,6], i: i64[4], out y: f32[4,6], local l: f32[6]) {\n  for n:4 ; j:6 r:6\n"
#define TAIL "}\nrun k(%x, %i, %y, _)\n"
#define COPY "  y[n,j] = x[n,j] over j\n"

static const char good[] = BUFS HEAD "  m = max(x[n,r]) over r\n"
                                     "  l[j] = exp(x[n,j] - m) over j\n"
                                     "  y[n,5-j] = l[j] + x[{i[n]},j]! + x[n-1,j]?0 over j\n" TAIL;

START_TEST(a_right_program_is_accepted)
{
    fx_context *context = fx_context_new();
    fx_program *program = parse(context, good);
    CHECK_OK(context, fx__program_verify(program, "test"));
    fx__program_free(program);
    fx_context_free(context);
}
END_TEST

START_TEST(dtypes_agree)
{
    check_broken(BUFS HEAD "  y[n,j] = x[n,j] + f64(x[n,j]) over j\n" TAIL, "rule 1 (dtype)");
    check_broken(BUFS HEAD "  y[n,j] = f64(x[n,j]) over j\n" TAIL, "stores f64 as f32");
    check_broken(BUFS HEAD "  y[n,j] = select(x[n,j], 1.0, 2.0) over j\n" TAIL, "rule 1 (dtype)");
    check_broken(BUFS HEAD "  y[n,j] = x[{x[n,j]},j]! over j\n" TAIL, "no integer");
    check_broken(BUFS HEAD "  y[n,j] = f32(exp(i[n])) over j\n" TAIL, "rule 1 (dtype)");
}
END_TEST

START_TEST(stages_use_their_own_axes)
{
    check_broken(BUFS HEAD "  y[n,j] = x[n,r] over j\n" TAIL, "rule 1 (scope)");
    check_broken(BUFS HEAD COPY "  y[n,j] = 1.0\n" TAIL, "store 0 of stage 1 uses an axis");
    check_broken(BUFS HEAD "  c = dot((x[n,r] + 1.0) * x[n,r]) over r\n" COPY TAIL, "rule 1 (contract)");
    check_broken(BUFS HEAD "  c = argmax(x[j,r]) over j r\n" COPY TAIL, "exactly one reduced axis");
    check_broken(BUFS HEAD "  c = sum(x[n,r]) over r each r\n" COPY TAIL, "rule 1");
}
END_TEST

START_TEST(accesses_stay_inside)
{
    check_broken(BUFS HEAD "  y[n,j] = x[n,j+1] over j\n" TAIL, "rule 2 (bounds)");
    check_broken(BUFS HEAD "  y[n+1,j] = x[n,j] over j\n" TAIL, "a store of argument 2 leaves");
    check_broken(BUFS HEAD "  y[n,j] = x[{i[n]},j] over j\n" TAIL, "neither clamped nor guarded");
    check_broken(BUFS HEAD "  c = dot(x[n,r+1]?1 * x[n,r]) over r\n" COPY TAIL, "fill other than 0");
}
END_TEST

START_TEST(stores_do_not_meet)
{
    check_broken(BUFS HEAD "  y[0,j] = x[n,j] over j\n" TAIL, "two points store");
    check_broken(BUFS HEAD "  y[n,j/2] = x[n,j] over j\n" TAIL, "two points store");
    check_broken(BUFS HEAD COPY "  y[n,0] = 1.0\n" TAIL, "rule 3 (stores): stages 0 and 1");
    check_broken(BUFS HEAD "  x[n,j] = 1.0 over j\n" TAIL, "may not store");
    check_broken(BUFS HEAD "  c = sum(x[n,r]) to y[n,0] over r\n" TAIL, "may not store");
}
END_TEST

START_TEST(locals_are_written_first)
{
    check_broken(BUFS HEAD "  y[n,j] = l[j] over j\n" TAIL, "before it is written");
    check_broken(BUFS HEAD "  l[j/2] = 1.0 over j\n  y[n,j] = l[j] over j\n" TAIL, "where nothing was written");
    check_broken(BUFS HEAD COPY "  l[j] = y[n,j] over j\n" TAIL, "which is OUT");
    check_broken(BUFS "kernel k(inout y: f32[4,6]) {\n  for n:4 j:6\n  y[n,j] = y[n,5-j]\n}\nrun k(%t)\n",
                 "elsewhere than it writes");
    check_broken(BUFS "kernel k(x: f32[4,6], out y: f32[4,6], local l: f32[6] in x) {\n  for n:4 ; j:6\n" COPY
                      "}\nrun k(%x, %y, _)\n",
                 "not OUT");
}
END_TEST

#define TWO "kernel k(x: f32[2,6], out y: f32[2,6]) {\n  for n:2 j:6\n  y[n,j] = x[n,j]\n}\n"
#define FILL "kernel f(out y: f32[4,6]) {\n  for n:4 j:6\n  y[n,j] = 1.0\n}\nrun f(%t)\n"

START_TEST(arguments_of_a_step_are_apart)
{
    check_broken(BUFS FILL TWO "run k(%low, %mid)\n", "rule 5 (aliases)");
    check_broken(BUFS FILL TWO "run k(%mid, %mid)\n", "rule 5 (aliases)");
}
END_TEST

START_TEST(programs_hold_together)
{
    check_broken(BUFS TWO "run k(%x, %low)\n", "another type or strides");
    check_broken(BUFS "buf %c: f32[4,6] const 0 \"w\"\nkernel f(out y: f32[4,6]) {\n  for n:4 j:6\n  y[n,j] = 1.0\n}\nrun f(%c)\n",
                 "constant 6 is written");
    check_broken(BUFS "kernel f(out y: f32[4,6]) exact {\n  for n:4 j:6\n  y[n,j] = 1.0\n}\ninit run f(%t)\n",
                 "which is no constant");
    check_broken(BUFS "kernel k(x: f32[4,6], out y: f32[4,6]) {\n  for n:4 j:6\n"
                      "  y[n,j] = x[n,j]\n}\nrun k(%t, %y)\n",
                 "read before it is written");
    check_broken(BUFS "buf %out: f32[3,6] temp in %t [2,0]\n", "slice 6 leaves its parent");
    check_broken(BUFS "writeback %low -> %y\n", "two types");
    check_broken(BUFS HEAD COPY "}\nrun k(%x, %i, _, _)\n", "bound to no buffer");
}
END_TEST

START_TEST(schedules_are_possible)
{
    check_broken(BUFS HEAD COPY "  sched row vec j*16 unroll 1 task(j)\n" TAIL, "a task axis that is not outer");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 1 row n mr 15 nv 2\n" TAIL, "needs more than 32 registers");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 17 row n mr 4 nv 2\n" TAIL, "17 steps of a sum");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 2 row n mr 4 nv 2 fetch b 300\n" TAIL, "a fetch of 0 and 300 bytes");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 2 mr 1 nv 2 fetch a 3\n" TAIL, "next rows of a tile without rows");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 2 row n mr 4 nv 2 order(n,j) pack\n" TAIL, "panels that no first tile");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 2 row n mr 4 nv 2 task(n) order(n,j) block 1 pack\n" TAIL,
                 "panels that no first tile");
    check_broken(BUFS HEAD COPY "  sched tile vec j*16 unroll 2 row n mr 4 nv 2 order(j,n) block 1 pack\n" TAIL,
                 "panels that no first tile");
    check_broken(BUFS HEAD COPY "  sched row vec _*16 unroll 1\n" TAIL, "without a vector axis");
    check_broken(BUFS HEAD COPY "  sched row vec j*16 unroll 1 order(n,n)\n" TAIL, "names an axis twice");
    check_broken("program scheduled\n" BUFS HEAD COPY TAIL, "a kernel without schedule");
}
END_TEST

/* Numbers out of range: what no text can say. */
START_TEST(numbers_are_in_range)
{
    for (int fault = 0; fault < 7; fault++) {
        fx_context *context = fx_context_new();
        fx_program *program = parse(context, good);
        fx_kernel *k = program->kernel[0];
        if (fault == 0) k->access[0].arg = 9;
        if (fault == 1) k->access[0].rank = 1;
        if (fault == 2) k->access[0].at[0].term[0].axis = 14;
        if (fault == 3) k->stage[1].inner[0] = 0;
        if (fault == 4) k->stage[1].out[0].expr = 500;
        if (fault == 5) k->stage[1].expr[k->stage[1].n_expr - 1].a = (uint16_t)(k->stage[1].n_expr - 1);
        if (fault == 6) k->n_outer = 9;
        expect_broken(context, program, "rule 1 (range)");
    }
}
END_TEST

FX_TESTS("kir_verify", a_right_program_is_accepted, dtypes_agree, stages_use_their_own_axes, accesses_stay_inside,
         stores_do_not_meet, locals_are_written_first, arguments_of_a_step_are_apart, programs_hold_together,
         schedules_are_possible, numbers_are_in_range)
