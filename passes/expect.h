/* SPDX-License-Identifier: Apache-2.0 */
/* passes/expect.h: what the cost model that schedules were chosen by expects of each step: for people, nothing is decided here. */
#ifndef FX_PASSES_EXPECT_H
#define FX_PASSES_EXPECT_H

#include "ir/kir.h"
#include "ir/target.h"

typedef struct fx_expect {
    int64_t flop, bytes_in, bytes_out, bytes_const; /* of one turn, at the hints; constants are not in bytes_in */
    double us;                                      /* at one thread */
    const char *bound;                              /* "compute", "memory", "latency" */
} fx_expect;

typedef struct fx_expecter {
    fx_program *program; /* scheduled */
    const fx_target *target;
    bool far_consts;
} fx_expecter;
fx_status fx__expect_open(fx_program *program, const fx_target *target, fx_arena *arena, fx_expecter *out);
/* RUN and CALL; of IF and LOOP the longer branch and all turns. */
fx_expect fx__expect_step(const fx_expecter *expecter, const fx_step *step, bool again /* within a loop of several turns */);
/* Turns of a LOOP at the hints; 1 where a buffer says them. */
int64_t fx__expect_turns(const fx_program *program, const fx_step *step);

#endif
