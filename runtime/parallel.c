/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/parallel.c: the team that generated code shares its kernels with. One OpenMP region is entered per run: its first
 * thread runs the entry's body, the others wait, spinning, for the kernels that the body posts. Entering a region for each kernel
 * would cost more than most kernels. This file alone is libfxjit_rt.a, what threaded ahead-of-time programs link.
 *
 * Process-wide: one team at a time. A second run that starts meanwhile goes serial, because two spinning teams on the same
 * cores hinder each other far more than they help. */
#include "fxjit/rt.h"
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct team {
    _Atomic uint32_t posted; /* grows with every kernel, and once more at the end */
    _Atomic int64_t next;    /* first chunk not taken */
    _Atomic int32_t working; /* threads that have not finished the posted kernel */
    _Atomic bool finished;
    fx_rt_kernel kernel;
    const fx_rt_job *job;
    fx_rt_profile *profile; /* of the posted kernel; NULL: nobody listens */
    int64_t n_chunks;
    int32_t threads;
    char *scratch;
    size_t scratch_bytes;
} team;

static atomic_flag team_taken = ATOMIC_FLAG_INIT;
static _Atomic pid_t first_process; /* the process that entered a region first; OpenMP hangs in its forked children */

static void pause_briefly(int32_t *spins)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (++*spins > 20000) { /* about a millisecond: somebody else may need the core */
        *spins = 0;
        sched_yield();
    }
}

/* Takes pieces that shrink as the work runs out: few pieces keep a kernel's own loop order, small last ones level the load. */
static void take_chunks(team *t, int32_t thread)
{
    void *scratch = t->scratch + (size_t)thread * t->scratch_bytes;
    int64_t lo = atomic_load_explicit(&t->next, memory_order_relaxed);
    while (lo < t->n_chunks) {
        int64_t piece = (t->n_chunks - lo) / (2 * t->threads);
        int64_t hi = lo + (piece > 1 ? piece : 1);
        if (!atomic_compare_exchange_weak_explicit(&t->next, &lo, hi, memory_order_relaxed, memory_order_relaxed)) continue;
        t->kernel(t->job, lo, hi, scratch);
        lo = atomic_load_explicit(&t->next, memory_order_relaxed);
    }
}

static void take_share(team *t, int32_t thread)
{
    fx_rt_profile *profile = t->profile;
    if (profile) profile->enter(profile, thread);
    take_chunks(t, thread);
    if (profile) profile->leave(profile, thread);
}

static void serve(team *t, int32_t thread)
{
    uint32_t seen = 0;
    int32_t spins = 0;
    for (;;) {
        uint32_t posted = atomic_load_explicit(&t->posted, memory_order_acquire);
        if (posted == seen) {
            pause_briefly(&spins);
            continue;
        }
        seen = posted;
        spins = 0;
        if (atomic_load_explicit(&t->finished, memory_order_relaxed)) return;
        take_share(t, thread);
        atomic_fetch_sub_explicit(&t->working, 1, memory_order_release);
    }
}

static int32_t lead(team *t, fx_rt_call *call, fx_rt_body body)
{
    call->team = t;
    int32_t status = body(call);
    call->team = NULL;
    atomic_store_explicit(&t->finished, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->posted, 1, memory_order_release);
    return status;
}

static bool may_share(const fx_rt_call *call)
{
    if (call->threads <= 1 || omp_in_parallel()) return false;
    pid_t self = getpid(), none = 0;
    return atomic_compare_exchange_strong(&first_process, &none, self) || none == self;
}

int32_t fx_rt_run(fx_rt_call *call, fx_rt_body body)
{
    call->team = NULL;
    if (!may_share(call) || atomic_flag_test_and_set_explicit(&team_taken, memory_order_acquire)) return body(call);
    team t = {.threads = call->threads, .scratch = call->scratch, .scratch_bytes = call->scratch_bytes};
    int32_t status = FX_OK;
#pragma omp parallel num_threads(call->threads) default(none) shared(t, status, call, body)
    {
#pragma omp single
        t.threads = omp_get_num_threads(); /* may be fewer than asked for; the implied barrier publishes it */
        int32_t thread = omp_get_thread_num();
        if (thread == 0) {
            status = lead(&t, call, body);
        } else {
            serve(&t, thread);
        }
    }
    atomic_flag_clear_explicit(&team_taken, memory_order_release);
    return status;
}

static void share_out(fx_rt_call *call, fx_rt_kernel kernel, const fx_rt_job *job, int64_t n_chunks, fx_rt_profile *profile)
{
    team *t = call->team;
    if (!t || t->threads == 1 || n_chunks <= 1) {
        kernel(job, 0, n_chunks, call->scratch);
        return;
    }
    t->kernel = kernel;
    t->job = job;
    t->profile = profile;
    t->n_chunks = n_chunks;
    atomic_store_explicit(&t->next, 0, memory_order_relaxed);
    atomic_store_explicit(&t->working, t->threads - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->posted, 1, memory_order_release);
    take_share(t, 0);
    int32_t spins = 0;
    while (atomic_load_explicit(&t->working, memory_order_acquire) != 0) pause_briefly(&spins);
}

void fx_rt_parallel(fx_rt_call *call, fx_rt_kernel kernel, const fx_rt_job *job, int64_t n_chunks)
{
    share_out(call, kernel, job, n_chunks, NULL);
}

void fx_rt_parallel_profiled(fx_rt_call *call, fx_rt_kernel kernel, const fx_rt_job *job, int64_t n_chunks)
{
    share_out(call, kernel, job, n_chunks, call->profile);
}
