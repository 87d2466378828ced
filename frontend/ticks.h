/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/ticks.h: a clock that costs little to read: the processor's counter where it runs at one rate on all cores, calibrated
 * against CLOCK_MONOTONIC, else that clock itself. */
#ifndef FX_FRONTEND_TICKS_H
#define FX_FRONTEND_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

typedef struct fx_ticks {
    bool counter;
    double us; /* of one tick */
} fx_ticks;

static inline uint64_t fx__ticks_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static inline uint64_t fx__ticks_now(const fx_ticks *clock)
{
#if defined(__x86_64__)
    if (clock->counter) return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    if (clock->counter) {
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
        return count;
    }
#endif
    (void)clock;
    return fx__ticks_monotonic();
}

static inline bool fx__ticks_steady(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1); /* the counter neither stops nor changes its rate */
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

/* Takes two milliseconds: the ends' jitter of some 50 ns is then below 1e-4. */
static inline fx_ticks fx__ticks_open(void)
{
    fx_ticks clock = {fx__ticks_steady(), 1e-3};
    if (!clock.counter) return clock;
    uint64_t wall = fx__ticks_monotonic(), count = fx__ticks_now(&clock), end = wall;
    while (end - wall < 2000000) end = fx__ticks_monotonic();
    clock.us = 1e-3 * (double)(end - wall) / (double)(fx__ticks_now(&clock) - count);
    return clock;
}

#endif
