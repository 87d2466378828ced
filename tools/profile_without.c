/* SPDX-License-Identifier: Apache-2.0 */
/* profile_without.c: what a run takes without some units: runs with and without them in pairs, one right after the other, so that
 * what else the machine does meets both; the median of the pairs' differences, and how sure it is. Which of a pair comes first
 * alternates, so that a drift cancels out. */
#include "profile.h"
#include <math.h>
#include <stdlib.h>

enum { FEWEST_PAIRS = 10, MOST_PAIRS = 4096 };

typedef struct pairs {
    double *less, *with, *inside; /* [n] by pair: the difference; the run with all units; the units' own time in it */
    int32_t n;
} pairs;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorted already. */
static double median(const double *value, int32_t n)
{
    return n % 2 ? value[n / 2] : 0.5 * (value[n / 2 - 1] + value[n / 2]);
}

/* One run; *inside is what the units took in it, unless they are left out. */
static fx_status one_run(const profile_data *d, bool without, double *wall, double *inside)
{
    fx_profile *p;
    fx_profile_options o = {.runs = 1, .warm_up = -1, .leave_out = d->leave_out, .n_leave_out = without ? d->o->n_leave_out : 0};
    fx_status status = fx_profile_run(d->compiled, d->context, d->in.tensor, d->in.n, &o, &p);
    if (status != FX_OK) return status;
    *wall = p->wall_us;
    for (int i = 0; i < d->o->n_leave_out && !without; i++) *inside += p->unit[d->leave_out[i]].run_us;
    fx_profile_free(p);
    return FX_OK;
}

static fx_status one_pair(const profile_data *d, pairs *all)
{
    double us[2] = {0}, inside = 0;
    for (int half = 0; half < 2; half++) {
        bool without = (half + all->n) % 2;
        fx_status status = one_run(d, without, &us[without], &inside);
        if (status != FX_OK) return status;
    }
    all->with[all->n] = us[0];
    all->inside[all->n] = inside;
    all->less[all->n++] = us[0] - us[1];
    return FX_OK;
}

static fx_status all_pairs(const profile_data *d, pairs *all)
{
    double ignored, start = tool_seconds();
    int32_t least = d->o->runs > FEWEST_PAIRS ? d->o->runs : FEWEST_PAIRS;
    if (least > MOST_PAIRS) least = MOST_PAIRS;
    fx_status status = one_run(d, true, &ignored, &ignored);
    while (status == FX_OK && (all->n < least || (all->n < MOST_PAIRS && tool_seconds() - start < d->o->seconds)))
        status = one_pair(d, all);
    return status;
}

/* The median of n values lies between the k-th from either end with 95 % when k = (n - 1.96 sqrt(n)) / 2: a count of coin tosses.
 */
static void sum_up(pairs *all, profile_without *out)
{
    int32_t end = (int32_t)floor(0.5 * (all->n - 1.96 * sqrt(all->n)));
    qsort(all->less, (size_t)all->n, sizeof *all->less, by_value);
    qsort(all->with, (size_t)all->n, sizeof *all->with, by_value);
    qsort(all->inside, (size_t)all->n, sizeof *all->inside, by_value);
    *out = (profile_without){.pairs = all->n, .with_us = median(all->with, all->n), .inside_us = median(all->inside, all->n)};
    out->less_us = median(all->less, all->n);
    out->low_us = all->less[end];
    out->high_us = all->less[all->n - 1 - end];
}

fx_status profile_measure_without(const profile_data *d, profile_without *out)
{
    double *memory = calloc((size_t)3 * MOST_PAIRS, sizeof *memory);
    if (!memory) return FX_E_OOM;
    pairs all = {.less = memory, .with = memory + MOST_PAIRS, .inside = memory + 2 * MOST_PAIRS};
    fx_status status = all_pairs(d, &all);
    if (status == FX_OK) sum_up(&all, out);
    free(memory);
    return status;
}
