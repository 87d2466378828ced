/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/rt.h: the run-time ABI of generated code. Every generated entry point has the one signature fx_rt_entry.
 * Objects compiled for one thread need nothing from here but the structures; objects for several threads need
 * fx_rt_run and fx_rt_parallel from libfxjit_rt.a. */
#ifndef FXJIT_RT_H
#define FXJIT_RT_H

#include "fxjit/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fx_rt_call fx_rt_call;
typedef struct fx_rt_profile fx_rt_profile;

/* What one kernel is to do: argument pointers and dims in the kernel's own order. */
typedef struct fx_rt_job {
    void *const *arg;   /* [kernel arguments] */
    const int64_t *dim; /* [symbols of the kernel] */
} fx_rt_job;

/* Runs chunks [lo, hi) of a kernel; scratch holds one task's locals. */
typedef void (*fx_rt_kernel)(const fx_rt_job *job, int64_t lo, int64_t hi, void *scratch);
/* The body of an entry point, called by fx_rt_run. */
typedef int32_t (*fx_rt_body)(fx_rt_call *call);
/* Runs step `index` of the compiled graph through its reference kernel; set by the library, NULL in AOT programs. view: where the
 * buffer of each of the step's tensors begins. */
typedef int32_t (*fx_rt_step)(fx_rt_call *call, int32_t index, void *const *view);

struct fx_rt_call {
    const fx_tensor *in;  /* [n_in] */
    const fx_tensor *out; /* [n_out] */
    const void *consts;   /* weights, 64-byte aligned; its layout is fixed when compiling */
    void *state;          /* mutable buffers; NULL when the graph has none */
    void *workspace;      /* 64-byte aligned, workspace_bytes of the compiled graph */
    int64_t *dim;         /* [symbols], filled by the entry from the inputs' dims */
    void *scratch;        /* threads * scratch_bytes, 64-byte aligned; part of the workspace */
    size_t scratch_bytes; /* one task's share */
    int32_t n_in, n_out;
    int32_t threads;      /* at most this many tasks at a time; 1: no OpenMP */
    int32_t error;        /* set by kernels: an fx_status, e.g. FX_E_INDEX; by assertion n of the graph, which ends the run:
                             FX_E_GUARD + 256 * n, in order from 1 */
    fx_rt_step step;
    void *user; /* for step */
    void *team; /* the runtime's, while a parallel run is going on */
    fx_rt_profile *profile; /* read only by code compiled with fx_compile_options.profile; NULL: nobody listens */
};

/* Who listens to a run of code compiled with fx_compile_options.profile. Units are numbered in the order of the program, the bodies of
 * an IF or LOOP right behind it. The first thread calls begin and end; enter and leave are called by every thread that is given a
 * share of the unit, by each around all of its share, between the unit's begin and end. fx_profile_run (fxjit/profile.h) listens. */
struct fx_rt_profile {
    int32_t (*begin)(fx_rt_profile *profile, int32_t unit); /* 0: leave it out, if it is a RUN or a CALL; no end follows */
    void (*end)(fx_rt_profile *profile, int32_t unit);
    void (*enter)(fx_rt_profile *profile, int32_t thread);
    void (*leave)(fx_rt_profile *profile, int32_t thread);
};

/* Every generated entry: checks the call (ranks, sizes, dtypes, guards), runs, returns an fx_status. */
typedef int32_t (*fx_rt_entry)(fx_rt_call *call);

/* Calls body once, with a team of call->threads standing by for fx_rt_parallel. Runs serially inside a host's own parallel
 * region, in a forked child, or while another run holds the team. Returns body's status. */
FX_API int32_t fx_rt_run(fx_rt_call *call, fx_rt_body body);
/* Runs kernel over chunks [0, n_chunks), shared between the team's threads; returns when all are done. */
FX_API void fx_rt_parallel(fx_rt_call *call, fx_rt_kernel kernel, const fx_rt_job *job, int64_t n_chunks);
/* The same, telling call->profile, if there is one, when threads enter and leave. */
FX_API void fx_rt_parallel_profiled(fx_rt_call *call, fx_rt_kernel kernel, const fx_rt_job *job, int64_t n_chunks);

#ifdef __cplusplus
}
#endif
#endif
