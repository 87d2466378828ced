/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/meter.c: listens to profiled runs. Two reads of the clock bracket a unit, two more each thread's share of it; sums are
 * taken by the first thread when the unit is done, when nobody else writes. */
#include "frontend/meter.h"
#include "ir/diag.h"
#include <stdlib.h>

/* ---- Events ------------------------------------------------------------------------------------------------------------- */

static double since_origin(const fx_meters *m, uint64_t ticks)
{
    return (double)(int64_t)(ticks - m->origin) * m->clock.us;
}

static void note_event(fx_meters *m, int32_t unit, int32_t thread, uint64_t begin, uint64_t end)
{
    if (m->run >= m->options->traced_runs) return;
    if (m->n_event == m->cap_event) {
        int64_t cap = m->cap_event ? 2 * m->cap_event : 1024;
        fx_profile_event *grown = realloc(m->event, (size_t)cap * sizeof *grown);
        if (!grown) {
            m->lost = true;
            return;
        }
        m->event = grown;
        m->cap_event = cap;
    }
    m->event[m->n_event++] = (fx_profile_event){m->run, unit, thread, since_origin(m, begin), since_origin(m, end)};
}

/* ---- Listening ---------------------------------------------------------------------------------------------------------- */

static int32_t on_begin(fx_rt_profile *base, int32_t index)
{
    fx_meters *m = (fx_meters *)base;
    fx_meter *unit = &m->unit[index];
    if (m->timing) {
        const fx_profile_options *o = m->options;
        bool wanted = !unit->left_out && (!o->before || o->before(o->user, index));
        if (!wanted && !unit->stays) return 0;
    }
    unit->begin = fx__ticks_now(&m->clock);
    return 1;
}

static void on_enter(fx_rt_profile *base, int32_t thread)
{
    fx_meters *m = (fx_meters *)base;
    if (thread < FX_PROFILE_THREADS) m->slot[thread].enter = fx__ticks_now(&m->clock);
}

static void on_leave(fx_rt_profile *base, int32_t thread)
{
    fx_meters *m = (fx_meters *)base;
    if (thread >= FX_PROFILE_THREADS) return;
    m->slot[thread].leave = fx__ticks_now(&m->clock);
    m->slot[thread].told = true;
}

static void sum_shares(fx_meters *m, int32_t index, uint64_t end)
{
    fx_meter *unit = &m->unit[index];
    if (!m->slot[0].told) { /* not shared: all of it was the first thread's */
        unit->busy[0] += end - unit->begin;
        note_event(m, index, 0, unit->begin, end);
        return;
    }
    unit->wait += end - m->slot[0].leave;
    for (int32_t t = 0; t < m->threads; t++) {
        fx_meter_slot *slot = &m->slot[t];
        if (!slot->told) continue;
        unit->busy[t] += slot->leave - slot->enter;
        note_event(m, index, t, slot->enter, slot->leave);
    }
}

static void on_end(fx_rt_profile *base, int32_t index)
{
    fx_meters *m = (fx_meters *)base;
    fx_meter *unit = &m->unit[index];
    uint64_t end = fx__ticks_now(&m->clock), took = end - unit->begin;
    if (m->timing) {
        unit->ticks += took;
        unit->turns++;
        if (took < unit->min) unit->min = took;
        if (took > unit->max) unit->max = took;
        if (!unit->holds) sum_shares(m, index, end);
        if (unit->holds) note_event(m, index, 0, unit->begin, end);
        if (m->options->after) m->options->after(m->options->user, index, (double)took * m->clock.us);
    }
    for (int32_t t = 0; t < m->threads; t++) m->slot[t].told = false;
}

void fx__meters_begin_run(fx_meters *m)
{
    for (int32_t i = 0; i < m->n_unit; i++) {
        m->unit[i].ticks = 0;
        m->unit[i].turns = 0;
    }
    m->timing = true;
}

void fx__meters_end_run(fx_meters *m, uint64_t begin, uint64_t end)
{
    for (int32_t i = 0; i < m->n_unit; i++) {
        m->unit[i].total += m->unit[i].ticks;
        m->unit[i].runs += m->unit[i].turns;
    }
    note_event(m, -1, 0, begin, end);
    m->timing = false;
    m->run++;
}

/* ---- Meters ------------------------------------------------------------------------------------------------------------- */

static int32_t count_steps(const fx_block *block)
{
    int32_t n = block->n;
    for (int32_t i = 0; i < block->n; i++) n += count_steps(&block->step[i].body[0]) + count_steps(&block->step[i].body[1]);
    return n;
}

/* In the order in which the entry numbers its steps. */
static int32_t add_meters(fx_meter *unit, int32_t next, int32_t parent, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        int32_t self = next++;
        unit[self] = (fx_meter){.parent = parent, .min = UINT64_MAX};
        unit[self].holds = step->kind == FX_STEP_IF || step->kind == FX_STEP_LOOP;
        unit[self].stays = step->kind != FX_STEP_RUN && step->kind != FX_STEP_CALL;
        next = add_meters(unit, next, self, &step->body[0]);
        next = add_meters(unit, next, self, &step->body[1]);
    }
    return next;
}

static fx_status leave_out(fx_meters *m, fx_context *context)
{
    for (int32_t i = 0; i < m->options->n_leave_out; i++) {
        int32_t index = m->options->leave_out[i];
        if (index < 0 || index >= m->n_unit)
            return context ? fx__diag(context, FX_E_ARG, NULL, "there is no unit %d to leave out: there are %d", (int)index,
                                      (int)m->n_unit)
                           : FX_E_ARG;
        m->unit[index].left_out = true;
    }
    return FX_OK;
}

fx_status fx__meters_open(fx_meters *m, const fx_compiled *compiled, fx_context *context, const fx_profile_options *options)
{
    *m = (fx_meters){.listener = {on_begin, on_end, on_enter, on_leave}, .options = options};
    m->threads = compiled->threads < FX_PROFILE_THREADS ? compiled->threads : FX_PROFILE_THREADS;
    m->n_unit = count_steps(&compiled->program->steps);
    m->unit = calloc((size_t)m->n_unit + 1, sizeof *m->unit);
    if (!m->unit) return FX_E_OOM;
    add_meters(m->unit, 0, -1, &compiled->program->steps);
    m->clock = fx__ticks_open();
    return leave_out(m, context);
}

void fx__meters_close(fx_meters *m)
{
    free(m->unit);
    free(m->event);
}
