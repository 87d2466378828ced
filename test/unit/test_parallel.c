/* SPDX-License-Identifier: Apache-2.0 */
/* The team: every chunk runs exactly once, under any number of threads, nested, concurrent and after fork. */
#include "harness.h"
#include "fxjit/rt.h"
#include "runtime/ffi.h"
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 1000, KERNELS = 200 };

typedef struct work {
    _Atomic int32_t hits[CHUNKS];
    int64_t n;
} work;

static void count_hits(const fx_rt_job *job, int64_t lo, int64_t hi, void *scratch)
{
    work *w = job->arg[0];
    for (int64_t i = lo; i < hi; i++) atomic_fetch_add(&w->hits[i], 1);
    if (scratch) ((char *)scratch)[0] = 1;
}

static int32_t post_many(fx_rt_call *call)
{
    work *w = call->user;
    void *args[1] = {w};
    fx_rt_job job = {args, NULL};
    for (int k = 0; k < KERNELS; k++) fx_rt_parallel(call, count_hits, &job, w->n);
    return 42;
}

static void run_and_check(int32_t threads, int64_t n)
{
    work *w = calloc(1, sizeof *w);
    w->n = n;
    char scratch[8 * 64] = {0};
    fx_rt_call call = {.threads = threads, .user = w, .scratch = scratch, .scratch_bytes = 64};
    int32_t status = fx_rt_run(&call, post_many);
    ck_assert_int_eq(status, 42);
    for (int64_t i = 0; i < CHUNKS; i++) ck_assert_int_eq(w->hits[i], i < n ? KERNELS : 0);
    ck_assert_ptr_null(call.team);
    free(w);
}

START_TEST(every_chunk_runs_once)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, CHUNKS};
    static const int32_t threads[] = {1, 2, 3, 8};
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) run_and_check(threads[t], sizes[i]);
}
END_TEST

/* All threads but the first are slow. */
static void nap_and_count(const fx_rt_job *job, int64_t lo, int64_t hi, void *scratch)
{
    if (omp_get_thread_num() != 0) usleep(3000);
    count_hits(job, lo, hi, scratch);
    if (omp_get_thread_num() == 0) usleep(1000); /* the others get chunks, too */
}

static int32_t post_one(fx_rt_call *call)
{
    work *w = call->user;
    void *args[1] = {w};
    fx_rt_job job = {args, NULL};
    fx_rt_parallel(call, nap_and_count, &job, w->n);
    int32_t left = 0;
    for (int64_t i = 0; i < w->n; i++) left += w->hits[i] == 0;
    return left;
}

START_TEST(a_kernel_is_done_when_it_returns)
{
    for (int round = 0; round < 10; round++) {
        work *w = calloc(1, sizeof *w);
        w->n = 8;
        fx_rt_call call = {.threads = 2, .user = w};
        ck_assert_int_eq(fx_rt_run(&call, post_one), 0);
        free(w);
    }
}
END_TEST

START_TEST(inside_a_parallel_region_of_the_host)
{
#pragma omp parallel num_threads(2)
    run_and_check(4, 100);
}
END_TEST

static void *run_in_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) run_and_check(2, 100);
    return NULL;
}

START_TEST(concurrent_runs)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(in_a_forked_child)
{
    run_and_check(2, 100);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run_and_check(2, 100);
        _exit(0);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- Listening ---------------------------------------------------------------------------------------------------------- */

enum { LISTENERS = 3 };

typedef struct listener {
    fx_rt_profile base;
    int32_t inside[LISTENERS], shares[LISTENERS];
} listener;

static void on_enter(fx_rt_profile *base, int32_t thread)
{
    listener *l = (listener *)base;
    ck_assert_int_lt(thread, LISTENERS);
    ck_assert_int_eq(l->inside[thread]++, 0);
}

static void on_leave(fx_rt_profile *base, int32_t thread)
{
    listener *l = (listener *)base;
    ck_assert_int_eq(--l->inside[thread], 0);
    l->shares[thread]++;
}

static int32_t post_profiled(fx_rt_call *call)
{
    work *w = call->user;
    void *args[1] = {w};
    fx_rt_job job = {args, NULL};
    fx_rt_parallel_profiled(call, count_hits, &job, w->n);
    fx_rt_parallel(call, count_hits, &job, w->n);
    fx_rt_parallel_profiled(call, count_hits, &job, w->n);
    return 0;
}

/* Every thread tells of its share of a profiled kernel, once; the one between is nobody's business. */
START_TEST(threads_tell_a_listener)
{
    work *w = calloc(1, sizeof *w);
    w->n = 8;
    for (int listening = 0; listening < 2; listening++) {
        listener l = {.base = {.enter = on_enter, .leave = on_leave}};
        fx_rt_call call = {.threads = LISTENERS, .user = w, .profile = listening ? &l.base : NULL};
        ck_assert_int_eq(fx_rt_run(&call, post_profiled), 0);
        for (int t = 0; t < LISTENERS; t++) ck_assert_int_eq(l.shares[t], listening ? 2 : 0);
    }
    for (int64_t i = 0; i < w->n; i++) ck_assert_int_eq(w->hits[i], 6);
    free(w);
}
END_TEST

static int32_t add_all(const int32_t *a, const int32_t *b, int32_t *out, int64_t n, void *workspace)
{
    for (int64_t i = 0; i < n; i++) out[i] = a[i] + b[i] + (workspace ? 1 : 0);
    return 7;
}

START_TEST(call_by_signature)
{
    union {
        int32_t (*code)(const int32_t *, const int32_t *, int32_t *, int64_t, void *);
        void *data;
    } f = {add_all};
    int32_t a[2] = {1, 2}, b[2] = {10, 20}, out[2], result;
    void *pa = a, *pb = b, *po = out, *ws = a;
    int64_t n = 2;
    void *args[] = {&pa, &pb, &po, &n, &ws};
    ck_assert_int_eq(fx__ffi_call(f.data, (fx_signature){3, 1, true}, args, &result), FX_OK);
    ck_assert_int_eq(result, 7);
    ck_assert_int_eq(out[1], 23);
}
END_TEST

static int32_t sum_dims(void *user, void *const *args)
{
    return *(int32_t *)user + (int32_t)(*(int64_t *)args[1] + *(int64_t *)args[2]);
}

START_TEST(closure_receives_its_arguments)
{
    int32_t base = 100;
    fx_closure *closure = fx__ffi_closure_new((fx_signature){1, 2, false}, sum_dims, &base);
    ck_assert_ptr_nonnull(closure);
    union {
        void *data;
        int32_t (*code)(void *, int64_t, int64_t);
    } f = {fx__ffi_closure_code(closure)};
    ck_assert_int_eq(f.code(NULL, 3, 4), 107);
    fx__ffi_closure_free(closure);
}
END_TEST

FX_TESTS("parallel", every_chunk_runs_once, a_kernel_is_done_when_it_returns, inside_a_parallel_region_of_the_host, concurrent_runs,
         in_a_forked_child, threads_tell_a_listener, call_by_signature, closure_receives_its_arguments)
