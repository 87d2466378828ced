/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule.h: inside of passes/schedule*.c: the kernel being scheduled and what all choices look at. */
#ifndef FX_PASSES_SCHEDULE_H
#define FX_PASSES_SCHEDULE_H

#include "passes/graft.h"
#include "passes/tile.h"

typedef struct fx_schedule {
    fx_program *program;
    fx_kernel *kernel;
    const fx_target *target;
    bool far_consts; /* the program's constants do not fit the second-level cache: none is still there when it is read again */
} fx_schedule;

/* Each fills emit, vec, lanes, unroll and order of the kernel's schedule. */
void fx__schedule_flat(fx_schedule *s);      /* FLAT, COPY2D */
void fx__schedule_vec_first(fx_schedule *s); /* of a COLUMN, after its tasks */
void fx__schedule_rows(fx_schedule *s);      /* COLUMN, ROW */
fx_status fx__schedule_tile(fx_schedule *s); /* and tasks, cycles */
bool fx__schedule_block(fx_schedule *s);     /* and tasks, cycles; false: not of that form */

/* Lanes of the widest computed type. */
int32_t fx__schedule_lanes(const fx_target *target, const fx_kernel *kernel);
/* Counts loads (or stores) by their stride along an axis: [0] 0, [1] 1, [2] anything else. True when there is none of the last. */
bool fx__schedule_strides(const fx_schedule *s, uint8_t axis, bool stores, int counts[3]);
void fx__schedule_count(const fx_schedule *s, uint16_t access, uint8_t axis, int counts[3]);
int64_t fx__schedule_extent(const fx_schedule *s, uint8_t axis); /* at the hints */
/* All outer axes, those in `last` at the end in their sequence (others than outer ones are left out). */
void fx__schedule_order(fx_schedule *s, const uint8_t *last, int n_last);
/* Moving the kernel's bytes; the larger of computing and moving the kernel's bytes: constants from afar where they are, the rest from its place in the caches. */
double fx__schedule_memory_cycles(const fx_schedule *s);
int64_t fx__schedule_cycles(const fx_schedule *s, double compute);
fx_status fx__schedule_far_consts(const fx_program *program, const fx_target *target, fx_arena *arena, bool *out);
/* Shares out these axes' iterations when the kernel is worth it. */
void fx__schedule_tasks(fx_schedule *s, const uint8_t *axes, int n);
void fx__schedule_leading_tasks(fx_schedule *s);

#endif
