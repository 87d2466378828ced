/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/profile.h: where a run's time goes: measured time of every unit of compiled code (fx_explain of fxjit/inspect.h says what
 * the units are), of every node interpreted, and what the machine at hand could do at best. Nothing measured here enters a
 * compilation. */
#ifndef FXJIT_PROFILE_H
#define FXJIT_PROFILE_H

#include "fxjit/compile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Compiled code ----------------------------------------------------------------------------------------------------- */

enum { FX_PROFILE_THREADS = 64 }; /* threads beyond are not told apart from idle ones */

typedef struct fx_profile_options {
    int32_t runs;    /* at least so many timed runs; 0: 10 */
    double seconds;  /* and more until so much time is spent on them */
    int32_t warm_up; /* runs before, which are not timed; 0: 3, -1: none */
    /* Units that timed runs do not execute, which leaves their outputs as they happen to be: for measuring what a run takes without
     * them. Only what runs a kernel or calls can be left out, inside an IF or LOOP, too. */
    const int32_t *leave_out;
    int32_t n_leave_out;
    int32_t traced_runs; /* of so many timed runs, the first ones, every event is kept */
    /* Called on the calling thread around every execution of a unit in a timed run; a hook's own time is no unit's, but counts in
     * the run's. before: false leaves the unit out this time. us: what the execution took. Either may be NULL. */
    bool (*before)(void *user, int32_t unit);
    void (*after)(void *user, int32_t unit, double us);
    void *user;
} fx_profile_options;

/* One unit, by its index in fx_explain's list, whose init units, which are behind the others, have none. A unit in a loop is
 * executed several times in a run. An IF or LOOP takes the time of what is inside. */
typedef struct fx_unit_time {
    int64_t runs;                    /* executions in all timed runs; 0: none, or left out */
    double median_us;                /* of one execution: the median over runs of a run's mean */
    double min_us, max_us, total_us; /* of single executions; total: all of them in all timed runs */
    double run_us;                   /* median over runs: all executions of a run together */
    double own_us;                   /* the same without the units inside an IF or LOOP */
    double busy_us[FX_PROFILE_THREADS]; /* mean over runs: how long each thread worked at it */
    double wait_us;                     /* mean over runs: how long the first thread waited for the others */
    double balance; /* what threads did on average, by what the busiest did: 1 is even, 0: no work */
} fx_unit_time;

/* What one thread did from when to when, since the first timed run's begin. unit -1: a whole run. */
typedef struct fx_profile_event {
    int32_t run, unit, thread;
    double begin_us, end_us;
} fx_profile_event;

typedef struct fx_profile {
    const fx_unit_time *unit; /* [n_unit] */
    int32_t n_unit;
    int32_t threads;         /* that runs may use */
    int64_t runs;            /* timed */
    double wall_us;          /* median time of a run, that is of fx_run */
    double wall_min_us, wall_max_us;
    double total_us;         /* of all timed runs together */
    double units_us;         /* median over runs: time inside units */
    double entry_us;         /* median over runs: time outside of them: checking the call, starting threads, measuring */
    double wait_us;          /* mean over runs: the first thread's waiting in all units */
    const fx_profile_event *event; /* [n_event] in order of their ends */
    int64_t n_event;
    void *memory;
} fx_profile;

/* Runs code compiled with fx_compile_options.profile many times on the same inputs (which runs may change, as fx_run does; state is
 * the graph's own) and measures. FX_E_ARG: not compiled for profiling, no such unit, inputs do not fit; FX_E_UNSUPPORTED: LLVM
 * could not serve; otherwise as fx_run. context may be NULL. Several threads may profile at once; they measure each other, too. */
FX_API fx_status fx_profile_run(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                                const fx_profile_options *options, FX_GIVES fx_profile **out);
FX_API void fx_profile_free(FX_TAKES fx_profile *profile);

/* ---- Interpreted code -------------------------------------------------------------------------------------------------- */

typedef struct fx_node_time {
    const fx_node *node; /* of the core graph that fx_explain's units name; lives as long as the compiled graph */
    double median_us, min_us;
} fx_node_time;
typedef struct fx_node_profile {
    const fx_node_time *node; /* [n_node] in the order of the graph */
    int32_t n_node;
    int64_t runs;
    double wall_us; /* median time of a run */
    void *memory;
} fx_node_profile;
/* Interprets the compiled graph's core graph `runs` times (0: 3) and measures every node. Inputs that the graph changes are
 * changed; fx_run's state is not. Fails as fx_interpreter_run does. One thread at a time for one compiled graph. */
FX_API fx_status fx_profile_interpreter(const fx_compiled *compiled, const fx_tensor *inputs, int32_t n_inputs, int32_t runs,
                                        FX_GIVES fx_node_profile **out);
FX_API void fx_node_profile_free(FX_TAKES fx_node_profile *profile);

/* ---- The machine ------------------------------------------------------------------------------------------------------- */

enum { FX_MACHINE_LEVELS = 4, FX_MACHINE_NAME = 96 };

typedef struct fx_machine_level {
    const char *name;    /* "L1", "L2", "L3", "DRAM" */
    int64_t bytes;       /* a core's share counts as whole; DRAM: all memory; 0: the machine has no such level */
    double read_gbps[2]; /* reading what lies there: of all threads together */
} fx_machine_level;
/* What this machine does at best, measured by generated loops, with one thread ([0]) and with all of them ([1]). */
typedef struct fx_machine {
    char cpu[FX_MACHINE_NAME]; /* as the system and LLVM call it */
    int32_t threads;           /* all */
    double clock_ghz;          /* of one core during the measurement */
    double gflops[2];          /* fused multiply-adds on f32 in registers */
    fx_machine_level level[FX_MACHINE_LEVELS];
    int64_t measured; /* when, in seconds since 1970 */
} fx_machine;

/* Measures the machine, which takes about a second and, for a moment, memory of twice its last cache. FX_E_OOM, FX_E_CODEGEN. */
FX_API fx_status fx_machine_measure(fx_context *context, fx_machine *out);
/* The last measurement that was kept of this machine by this version, from $XDG_CACHE_HOME/fxjit (~/.cache/fxjit). FX_E_NOT_FOUND:
 * there is none, or it is damaged; nothing is written to the context. */
FX_API fx_status fx_machine_read(fx_context *context, fx_machine *out);
/* Keeps a measurement; the file appears when it is whole. FX_E_IO. Reports read it, compilations never. */
FX_API fx_status fx_machine_write(fx_context *context, const fx_machine *machine);
/* GB/s of the first level that holds so many bytes, for one thread or for all. */
FX_API double fx_machine_gbps(const fx_machine *machine, int64_t bytes, bool all_threads);

#ifdef __cplusplus
}
#endif
#endif
