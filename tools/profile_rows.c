/* SPDX-License-Identifier: Apache-2.0 */
/* profile_rows.c: from measured units to rows: what each could take at best on the measured machine, and what bounds it. */
#include "profile.h"
#include "fxjit/analysis.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Below it, calling a kernel takes longer than its work. */
static const double latency_us = 0.3;

/* ---- The roof ----------------------------------------------------------------------------------------------------------- */

static int32_t threads_of(const profile_data *d, const fx_unit *unit)
{
    return unit->chunks > 1 && d->p->threads > 1 ? d->p->threads : 1;
}

/* Threads of the machine that are not used give nothing. */
static double scaled(const double both[2], const fx_machine *machine, int32_t threads)
{
    if (threads == 1) return both[0];
    return threads >= machine->threads ? both[1] : fmin(both[1], both[0] * threads);
}

/* Bytes that lie where `among` bytes fit, read by so many threads. */
static double memory_us(const profile_data *d, double bytes, int64_t among, int32_t threads, const char **level)
{
    const fx_machine *m = &d->machine;
    int at = 0;
    for (; at < FX_MACHINE_LEVELS - 1; at++) {
        int64_t room = m->level[at].bytes * (at < FX_MACHINE_LEVELS - 2 ? threads : 1);
        if (among <= room) break;
    }
    *level = m->level[at].name;
    return bytes / (scaled(m->level[at].read_gbps, m, threads) * 1e3);
}

/* Values come from where a unit's own bytes fit; so do weights that are read in every turn of a loop, while those that are read
 * once in a run come from where the whole run's bytes fit. */
static void find_roof(const profile_data *d, const fx_unit *unit, double turns, profile_row *row)
{
    int32_t threads = threads_of(d, unit);
    int64_t values = unit->bytes_in + unit->bytes_out;
    const char *near, *far;
    double compute = (double)unit->flop / (scaled(d->machine.gflops, &d->machine, threads) * 1e3);
    double of_values = memory_us(d, (double)values, values, threads, &near);
    int64_t between = turns > 1 ? values + unit->bytes_const : d->x->const_bytes + d->x->workspace_bytes;
    double of_weights = memory_us(d, (double)unit->bytes_const, between, threads, &far);
    double memory = of_values + of_weights;
    row->roof_us = turns * fmax(compute, memory);
    row->bound = compute >= memory ? "compute" : of_values >= of_weights ? near : far;
    if (fmax(compute, memory) < latency_us) row->bound = "latency";
}

/* ---- Rows --------------------------------------------------------------------------------------------------------------- */

static double interpreted_us(const profile_data *d, const fx_node *node)
{
    for (int32_t i = 0; d->nodes && i < d->nodes->n_node; i++)
        if (d->nodes->node[i].node == node) return d->nodes->node[i].median_us;
    return 0;
}

static profile_row unit_row(const profile_data *d, int32_t index)
{
    const fx_unit *unit = &d->x->unit[index];
    const fx_unit_time *time = &d->p->unit[index];
    double turns = (double)time->runs / (double)d->p->runs;
    bool holds = unit->kind == FX_UNIT_IF || unit->kind == FX_UNIT_LOOP;
    profile_row row = {.label = unit->label, .unit = index, .n = (int32_t)lround(turns), .us = time->own_us, .bound = ""};
    row.shared = threads_of(d, unit) > 1;
    row.balance = time->balance;
    row.known = unit->kind == FX_UNIT_RUN && time->runs > 0;
    if (holds) return row;
    for (int32_t i = 0; i < unit->n_nodes; i++) row.interpreted_us += interpreted_us(d, unit->nodes[i]);
    if (!row.known) return row;
    row.flop = turns * (double)unit->flop;
    row.bytes = turns * (double)(unit->bytes_in + unit->bytes_out + unit->bytes_const);
    row.expected_us = turns * unit->expected_us / threads_of(d, unit);
    find_roof(d, unit, turns, &row);
    return row;
}

static void join_rows(profile_row *to, const profile_row *from)
{
    if (from->us > to->us) to->bound = from->bound;
    to->balance = (to->balance * to->us + from->balance * from->us) / fmax(to->us + from->us, 1e-12);
    to->us += from->us;
    to->roof_us += from->roof_us;
    to->expected_us += from->expected_us;
    to->interpreted_us += from->interpreted_us;
    to->flop += from->flop;
    to->bytes += from->bytes;
    to->shared |= from->shared;
    to->n += from->n;
}

static int32_t kernel_rows(const profile_data *d, profile_row *rows)
{
    int32_t n = 0;
    for (int32_t i = 0; i < d->p->n_unit; i++) {
        int32_t kernel = d->x->unit[i].kernel, at = 0;
        while (kernel >= 0 && at < n && d->x->unit[rows[at].unit].kernel != kernel) at++;
        profile_row row = unit_row(d, i);
        if (kernel >= 0 && at < n)
            join_rows(&rows[at], &row);
        else
            rows[n++] = row;
    }
    return n;
}

/* A unit's time is shared out among its nodes by their operations: what a kernel does for each cannot be told apart. */
static int32_t node_rows_of(const profile_data *d, int32_t index, profile_row *rows)
{
    const fx_unit *unit = &d->x->unit[index];
    profile_row whole = unit_row(d, index);
    double sum = 0;
    int64_t flops, bytes;
    if (unit->kind == FX_UNIT_IF || unit->kind == FX_UNIT_LOOP || unit->n_nodes == 0) {
        rows[0] = whole;
        return 1;
    }
    for (int32_t i = 0; i < unit->n_nodes; i++) sum += fx_node_work(unit->nodes[i], &flops, &bytes) ? (double)flops + 1 : 1;
    for (int32_t i = 0; i < unit->n_nodes; i++) {
        double share = (fx_node_work(unit->nodes[i], &flops, &bytes) ? (double)flops + 1 : 1) / sum;
        rows[i] = whole;
        rows[i].label = fx_node_name(unit->nodes[i]);
        rows[i].us *= share;
        rows[i].roof_us *= share;
        rows[i].expected_us *= share;
        rows[i].flop *= share;
        rows[i].bytes *= share;
        rows[i].interpreted_us = interpreted_us(d, unit->nodes[i]);
    }
    return unit->n_nodes;
}

static bool add_node(profile_row *rows, int32_t n, const profile_row *row)
{
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(rows[i].label, row->label) != 0) continue;
        double interpreted = rows[i].interpreted_us; /* the node's, however many units it took part in */
        join_rows(&rows[i], row);
        rows[i].interpreted_us = interpreted;
        return false;
    }
    return true;
}

static int32_t node_rows(const profile_data *d, profile_row *rows)
{
    int32_t n = 0;
    for (int32_t i = 0; i < d->p->n_unit; i++) {
        int32_t end = n + node_rows_of(d, i, &rows[n]);
        for (int32_t r = n; r < end; r++)
            if (add_node(rows, n, &rows[r])) rows[n++] = rows[r];
    }
    return n;
}

static int by_time(const void *a, const void *b)
{
    const profile_row *x = a, *y = b;
    if (x->us != y->us) return x->us > y->us ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

profile_row *profile_rows(const profile_data *d, int32_t *out_n)
{
    size_t most = 1;
    for (int32_t i = 0; i < d->p->n_unit; i++) most += 1 + (size_t)d->x->unit[i].n_nodes;
    profile_row *rows = calloc(most, sizeof *rows);
    if (!rows) return NULL;
    if (d->o->by == PROFILE_BY_KERNEL) {
        *out_n = kernel_rows(d, rows);
    } else if (d->o->by == PROFILE_BY_NODE) {
        *out_n = node_rows(d, rows);
    } else {
        for (*out_n = 0; *out_n < d->p->n_unit; ++*out_n) rows[*out_n] = unit_row(d, *out_n);
    }
    qsort(rows, (size_t)*out_n, sizeof *rows, by_time);
    return rows;
}
