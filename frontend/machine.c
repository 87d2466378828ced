/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/machine.c: measures this machine with the loops of codegen/peak.c: each on one thread and on all at once, the best of a
 * few short rounds, so that neighbours disturb little. For reports only: no pass and no emitter reads what is found here. */
#include "codegen/codegen.h"
#include "fxjit/profile.h"
#include "frontend/machine.h"
#include "ir/diag.h"
#include "runtime/memory.h"
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 6, PEAK_STEPS = 60000, CLOCK_STEPS = 60000 };
static const int64_t round_bytes = (int64_t)32 << 20; /* that a round reads at least, however small the level */

/* ---- What there is ------------------------------------------------------------------------------------------------------ */

static bool read_line(const char *path, char *line, int bytes)
{
    FILE *in = fopen(path, "r");
    bool good = in && fgets(line, bytes, in);
    if (in) fclose(in);
    if (good) line[strcspn(line, "\n")] = 0;
    return good;
}

/* The system's word on one cache of the first core: false when there is no such. */
static bool cache_at(int index, int *level, int64_t *bytes)
{
    char path[96], kind[32], text[32], *unit;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/type", index);
    if (!read_line(path, kind, sizeof kind)) return false;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", index);
    *level = read_line(path, text, sizeof text) && strcmp(kind, "Instruction") != 0 ? (int)strtol(text, NULL, 10) : 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    *bytes = read_line(path, text, sizeof text) ? (int64_t)strtol(text, &unit, 10) : 0;
    if (*bytes > 0) *bytes <<= *unit == 'M' ? 20 : 10;
    return true;
}

static void find_levels(const fx_target *target, fx_machine *machine)
{
    static const char *const names[] = {"L1", "L2", "L3", "DRAM"};
    int64_t bytes;
    int level;
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) machine->level[i].name = names[i];
    for (int i = 0; cache_at(i, &level, &bytes); i++)
        if (level >= 1 && level < FX_MACHINE_LEVELS) machine->level[level - 1].bytes = bytes;
    if (machine->level[0].bytes <= 0) { /* a system that does not tell: what the compiler assumes */
        machine->level[0].bytes = target->l1;
        machine->level[1].bytes = target->l2;
        machine->level[2].bytes = target->l3;
    }
    machine->level[FX_MACHINE_LEVELS - 1].bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
}

void fx__machine_identify(const fx_target *target, fx_machine *machine)
{
    char line[256], model[64] = "";
    FILE *in = fopen("/proc/cpuinfo", "r");
    while (in && !*model && fgets(line, sizeof line, in)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        snprintf(model, sizeof model, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (in) fclose(in);
    snprintf(machine->cpu, sizeof machine->cpu, "%s%s%.24s", model, *model ? ", " : "", target->cpu);
    machine->threads = omp_get_num_procs();
    find_levels(target, machine);
}

/* ---- Measuring ---------------------------------------------------------------------------------------------------------- */

typedef struct work {
    const fx_peak *peak;
    int64_t bytes, times; /* each thread's; 0 bytes: multiply-adds */
    char **data;          /* [threads] */
} work;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double work_once(const work *w, int32_t thread)
{
    float sum, values[2] = {1e-9f, 1e-9f};
    if (w->bytes)
        w->peak->sweep(w->data[thread], w->bytes, w->times, &sum);
    else
        w->peak->loop(PEAK_STEPS, values);
    return w->bytes ? (double)w->bytes * (double)w->times : w->peak->flop * (double)PEAK_STEPS;
}

/* Threads that work in step: in each round all begin together, and the slowest one ends it. */
typedef struct crew {
    const work *work;
    pthread_mutex_t all_started; /* held until then */
    bool given_up;
    pthread_barrier_t barrier;
    double best; /* the first thread's */
    int32_t threads;
} crew;

typedef struct worker {
    crew *crew;
    int32_t index;
    pthread_t thread;
} worker;

static void *work_all(void *user)
{
    const worker *self = user;
    crew *c = self->crew;
    pthread_mutex_lock(&c->all_started);
    pthread_mutex_unlock(&c->all_started);
    if (c->given_up) return NULL;
    for (int round = 0; round <= ROUNDS; round++) { /* the first one warms caches */
        pthread_barrier_wait(&c->barrier);
        double start = now(), done = work_once(c->work, self->index);
        pthread_barrier_wait(&c->barrier);
        double speed = done * c->threads / (now() - start) * 1e-9;
        if (self->index == 0 && round > 0 && speed > c->best) c->best = speed;
    }
    return NULL;
}

static bool start_workers(crew *c, worker *workers)
{
    int32_t started = 1;
    pthread_mutex_lock(&c->all_started);
    for (int32_t i = 0; i < c->threads; i++) workers[i] = (worker){.crew = c, .index = i};
    while (started < c->threads && pthread_create(&workers[started].thread, NULL, work_all, &workers[started]) == 0) started++;
    c->given_up = started < c->threads;
    pthread_mutex_unlock(&c->all_started);
    if (!c->given_up) return true;
    for (int32_t i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
    return false;
}

/* In 1e9 per second, of all threads together. */
static fx_status measure_rate(const work *w, int32_t threads, double *out)
{
    crew c = {.work = w, .threads = threads};
    worker *workers = calloc((size_t)threads, sizeof *workers);
    pthread_mutex_init(&c.all_started, NULL);
    bool good = workers && pthread_barrier_init(&c.barrier, NULL, (unsigned)threads) == 0;
    if (good) {
        good = start_workers(&c, workers);
        if (good) work_all(&workers[0]);
        for (int32_t i = 1; i < threads && good; i++) pthread_join(workers[i].thread, NULL);
        pthread_barrier_destroy(&c.barrier);
    }
    pthread_mutex_destroy(&c.all_started);
    free(workers);
    *out = c.best;
    return good ? FX_OK : FX_E_OOM;
}

/* Bytes that fill this level and no smaller one: a good part of it, the last cache being shared with others; of memory, what no
 * cache can hold, but no more than an eighth. */
static int64_t bytes_for(const fx_machine *machine, int level, int32_t threads, int64_t step)
{
    int64_t inner = level ? machine->level[level - 1].bytes : 0, own = machine->level[level].bytes, bytes = own / 2;
    if (level == FX_MACHINE_LEVELS - 1) {
        int64_t most = own / 8, last = inner > 0 ? inner : machine->level[1].bytes;
        bytes = (2 * last < most ? 2 * last : most) / threads;
    } else if (level == FX_MACHINE_LEVELS - 2) {
        bytes = own / 2 / threads < 4 * inner ? own / 2 / threads : 4 * inner;
    }
    bytes -= bytes % step;
    return bytes > step ? bytes : step;
}

static fx_status sweep_level(fx_machine *machine, const fx_peak *peak, int level, bool all)
{
    int32_t threads = all ? machine->threads : 1;
    work w = {.peak = peak, .bytes = bytes_for(machine, level, threads, peak->sweep_bytes)};
    w.times = round_bytes / w.bytes + 1;
    w.data = calloc((size_t)threads, sizeof *w.data);
    bool good = w.data != NULL;
    for (int32_t t = 0; good && t < threads; t++) {
        w.data[t] = fx__memory_alloc((size_t)w.bytes);
        good = w.data[t] != NULL;
        if (good) memset(w.data[t], 0, (size_t)w.bytes);
    }
    fx_status status = good ? measure_rate(&w, threads, &machine->level[level].read_gbps[all]) : FX_E_OOM;
    for (int32_t t = 0; w.data && t < threads; t++) free(w.data[t]);
    free(w.data);
    return status;
}

/* What one thread does, all can do: what disturbs a measurement only makes it smaller. */
static void at_least_one(double rate[2])
{
    if (rate[1] < rate[0]) rate[1] = rate[0];
}

static fx_status measure(fx_machine *machine, const fx_peak *peak)
{
    work multiply = {.peak = peak};
    for (int i = 0; i < 2; i++) {
        FX_TRY(measure_rate(&multiply, i ? machine->threads : 1, &machine->gflops[i]));
        for (int level = 0; level < FX_MACHINE_LEVELS; level++)
            if (machine->level[level].bytes > 0) FX_TRY(sweep_level(machine, peak, level, i == 1));
    }
    at_least_one(machine->gflops);
    for (int level = 0; level < FX_MACHINE_LEVELS; level++) at_least_one(machine->level[level].read_gbps);
    for (int round = 0; round < ROUNDS; round++) {
        double ghz = fx__peak_clock(peak, CLOCK_STEPS);
        if (ghz > machine->clock_ghz) machine->clock_ghz = ghz;
    }
    machine->measured = (int64_t)time(NULL);
    return FX_OK;
}

fx_status fx_machine_measure(fx_context *context, fx_machine *out)
{
    fx_target target;
    fx_peak peak;
    *out = (fx_machine){.threads = 0};
    FX_TRY(fx__session_target(context, NULL, NULL, NULL, &target));
    fx__machine_identify(&target, out);
    fx_status status = fx__peak_open(context, &peak);
    if (status == FX_OK) status = measure(out, &peak);
    fx__peak_close(context, &peak);
    return status == FX_E_OOM ? fx__diag_oom(context) : status;
}

double fx_machine_gbps(const fx_machine *machine, int64_t bytes, bool all_threads)
{
    int64_t cores = all_threads ? machine->threads : 1;
    int level = 0;
    while (level < FX_MACHINE_LEVELS - 1) {
        int64_t room = machine->level[level].bytes * (level < FX_MACHINE_LEVELS - 2 ? cores : 1);
        if (bytes <= room) break;
        level++;
    }
    return machine->level[level].read_gbps[all_threads];
}
