/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower_loop.c: LOOP steps of operators that compute step by step, and ASSERT steps. A loop of one turn is no loop: its steps
 * stand where it would. */
#include "ir/lower_state.h"
#include <string.h>

/* ---- Counters ------------------------------------------------------------------------------------------------------------- */

static int32_t new_symbol(fx_lower *lower, fx_dim turns)
{
    fx_dims *dims = lower->program->dims;
    int64_t lo, hi, hint = fx__dim_hint(dims, turns);
    fx__dim_range(dims, turns, &lo, &hi);
    const char *name = fx__arena_format(lower->program->arena, "t%d", (int)lower->n_counter);
    fx_sym sym = {
        .name = name, .hi = hi > 0 ? hi - 1 : 0, .hint = hint / 2, .multiple = 1, .input = -1, .axis = -1, .counter = true};
    int32_t index = name ? fx__dims_add_sym(dims, &sym) : -1;
    fx_dim next = index < 0 ? FX_DIM_BAD : fx__dim_add(dims, fx__dim_sym(dims, index), 1);
    return next != FX_DIM_BAD && fx__dims_assume(dims, FX_GUARD_LE, next, turns, "a counter stays below its turns") ? index : -1;
}

/* NULL: out of memory. */
static fx_lower_counter *open_counter(fx_lower *lower, fx_dim turns)
{
    for (int32_t i = 0; i < lower->n_counter; i++)
        if (!lower->counter[i].open && lower->counter[i].turns == turns) return &lower->counter[i];
    fx_lower_counter *items =
        fx__arena_grow(lower->program->arena, lower->counter, &lower->cap_counter, lower->n_counter, sizeof *items);
    int32_t sym = items ? new_symbol(lower, turns) : -1;
    if (sym < 0) return NULL;
    lower->counter = items;
    items[lower->n_counter] = (fx_lower_counter){.turns = turns, .sym = sym};
    return &items[lower->n_counter++];
}

static void close_counter(fx_lower *lower, int32_t sym)
{
    for (int32_t i = 0; i < lower->n_counter; i++)
        if (lower->counter[i].sym == sym) lower->counter[i].open = false;
}

/* ---- Loops ---------------------------------------------------------------------------------------------------------------- */

fx_dim fx__lower_loop_begin(fx_lower *lower, fx_dim turns, fx_lower_loop *out)
{
    *out = (fx_lower_loop){.step = {.kind = FX_STEP_LOOP, .kernel = -1, .cond = -1, .turns = turns, .counter = -1},
                           .outer = lower->block,
                           .once = turns == 1};
    if (out->once) return 0;
    fx_lower_counter *counter = open_counter(lower, turns);
    if (!counter) return FX_DIM_BAD;
    counter->open = true;
    out->step.counter = counter->sym;
    lower->block = &out->step.body[0];
    return fx__dim_sym(lower->program->dims, counter->sym);
}

void fx__lower_loop_times(const fx_lower *lower, fx_lower_loop *loop, fx_lvalue turns)
{
    loop->step.cond = lower->value[turns].buf;
}

static bool add_lvalue(fx_arena *arena, fx_lvalue **list, int32_t *capacity, int32_t n, fx_lvalue value)
{
    fx_lvalue *items = fx__arena_grow(arena, *list, capacity, n, sizeof *items);
    if (!items) return false;
    *list = items;
    items[n] = value;
    return true;
}

fx_lvalue fx__lower_loop_carry(fx_lower *lower, fx_lower_loop *loop, fx_lvalue now)
{
    if (now < 0) return FX_NO_LVALUE;
    fx_arena *arena = lower->program->arena;
    const fx_home *home = &lower->value[now];
    const fx_buf *buf = &lower->program->buf[home->buf];
    fx_type type = home->type;
    fx_lvalue next = fx__lower_temp(lower, buf->name ? buf->name : "next", &type);
    if (next < 0 || !add_lvalue(arena, &loop->now, &loop->cap_now, loop->n_carry, now) ||
        !add_lvalue(arena, &loop->next, &loop->cap_next, loop->n_carry, next))
        return FX_NO_LVALUE;
    loop->n_carry++;
    return next;
}

static fx_status add_loop(fx_lower *lower, fx_lower_loop *loop)
{
    loop->step.carry = FX_NEW_ARRAY(lower->program->arena, fx_carry, loop->n_carry + 1);
    if (!loop->step.carry) return FX_E_OOM;
    for (int32_t i = 0; i < loop->n_carry; i++)
        loop->step.carry[i] = (fx_carry){lower->value[loop->now[i]].buf, lower->value[loop->next[i]].buf};
    loop->step.n_carry = loop->n_carry;
    return fx__lower_add_step(lower, &loop->step) ? FX_OK : FX_E_OOM;
}

fx_status fx__lower_loop_end(fx_lower *lower, fx_lower_loop *loop)
{
    lower->block = loop->outer;
    if (!loop->once) {
        close_counter(lower, loop->step.counter);
        return add_loop(lower, loop);
    }
    for (int32_t i = 0; i < loop->n_carry; i++) lower->value[loop->now[i]] = lower->value[loop->next[i]];
    return FX_OK;
}

/* ---- Values --------------------------------------------------------------------------------------------------------------- */

fx_lvalue fx__lower_copy_of(fx_lower *lower, const char *name, fx_lvalue value, fx_dtype dtype)
{
    if (value < 0) return FX_NO_LVALUE;
    fx_type type = lower->value[value].type;
    type.dtype = dtype;
    fx_lvalue copy = fx__lower_temp(lower, name, &type);
    return fx__lower_copy(lower, value, copy) == FX_OK ? copy : FX_NO_LVALUE;
}

/* Where a loop leaves a constant is known when it has run, not before. */
fx_status fx__lower_give(fx_lower *lower, const fx_call *call, int32_t result, fx_lvalue value)
{
    fx_lvalue to = fx__lower_result(lower, call, result);
    if (to < 0 || value < 0) return FX_E_OOM;
    if (lower->constant || lower->value[to].type.dtype != lower->value[value].type.dtype) return fx__lower_copy(lower, value, to);
    lower->value[to] = lower->value[value];
    return FX_OK;
}

/* ---- Assertions ----------------------------------------------------------------------------------------------------------- */

fx_status fx__lower_assert(fx_lower *lower, fx_lvalue condition, const char *message)
{
    if (condition < 0) return FX_E_OOM;
    const fx_step step = {.kind = FX_STEP_ASSERT, .kernel = -1, .cond = lower->value[condition].buf, .message = message};
    return fx__lower_add_step(lower, &step) ? FX_OK : FX_E_OOM;
}
