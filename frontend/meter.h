/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/meter.h: the listener of profiled runs: a meter for every unit. profile.c makes results of what it has gathered. */
#ifndef FX_FRONTEND_METER_H
#define FX_FRONTEND_METER_H

#include "frontend/compiled.h"
#include "frontend/ticks.h"
#include "fxjit/profile.h"

typedef struct fx_meter {
    int32_t parent; /* the IF or LOOP around it; -1: none */
    bool holds;     /* is one itself */
    bool stays; /* cannot be left out */
    bool left_out;
    uint64_t begin; /* of the execution going on */
    uint64_t ticks; /* this run's */
    int64_t turns;  /* this run's */
    int64_t runs;   /* all executions */
    uint64_t total, min, max, wait, busy[FX_PROFILE_THREADS];
} fx_meter;

/* Where a thread is; a cache line for each. */
typedef struct fx_meter_slot {
    _Alignas(64) uint64_t enter;
    uint64_t leave;
    bool told;
} fx_meter_slot;

typedef struct fx_meters {
    fx_rt_profile listener;
    fx_ticks clock;
    const fx_profile_options *options;
    fx_meter *unit;
    int32_t n_unit, threads;
    fx_meter_slot slot[FX_PROFILE_THREADS];
    bool timing;     /* a timed run is going on */
    int32_t run;     /* its number */
    uint64_t origin; /* the first timed run's begin */
    fx_profile_event *event;
    int64_t n_event, cap_event;
    bool lost; /* no memory for an event */
} fx_meters;

/* Meters for all steps of a program, in its order. FX_E_ARG: a unit to leave out that there is not; FX_E_OOM. */
fx_status fx__meters_open(fx_meters *m, const fx_compiled *compiled, fx_context *context, const fx_profile_options *options);
void fx__meters_close(fx_meters *m);
/* Around a timed run; end: notes the whole run as an event. */
void fx__meters_begin_run(fx_meters *m);
void fx__meters_end_run(fx_meters *m, uint64_t begin, uint64_t end);

#endif
