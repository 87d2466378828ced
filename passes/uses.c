/* SPDX-License-Identifier: Apache-2.0 */
/* passes/uses.c: the index of uses.h: two sorted lists of places for each buffer. */
#include "passes/uses.h"
#include "passes/steps.h"
#include <string.h>

/* Where the first place that is not below `at` stands in the list. */
static int32_t lower_bound(const fx_places *places, int32_t at)
{
    int32_t low = 0, high = places->n;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (places->at[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool insert(fx_arena *arena, fx_places *places, int32_t at)
{
    int32_t *list = fx__arena_grow(arena, places->at, &places->cap, places->n, sizeof *list);
    if (!list) return false;
    places->at = list;
    int32_t index = lower_bound(places, at);
    memmove(list + index + 1, list + index, (size_t)(places->n++ - index) * sizeof *list);
    list[index] = at;
    return true;
}

static void erase(fx_places *places, int32_t at)
{
    int32_t begin = lower_bound(places, at), end = lower_bound(places, at + 1);
    if (begin == end) return;
    memmove(places->at + begin, places->at + end, (size_t)(places->n - end) * sizeof *places->at);
    places->n -= end - begin;
}

typedef struct visit {
    fx_uses *uses;
    int32_t at;
} visit;

static void note(void *user, int32_t buf, bool reads, bool writes)
{
    const visit *v = user;
    fx_uses *uses = v->uses;
    int32_t root = fx__buf_root(uses->program, buf);
    if (reads && !insert(uses->arena, &uses->reads[root], v->at)) uses->failed = true;
    if (writes && !insert(uses->arena, &uses->writes[root], v->at)) uses->failed = true;
}

static void forget(void *user, int32_t buf, bool reads, bool writes)
{
    const visit *v = user;
    int32_t root = fx__buf_root(v->uses->program, buf);
    if (reads) erase(&v->uses->reads[root], v->at);
    if (writes) erase(&v->uses->writes[root], v->at);
}

static void each_use(const fx_program *program, const fx_step *step, fx_use_fn fn, visit *v)
{
    fx__step_uses(program, step, fn, v);
    for (int i = 0; i < 2; i++)
        for (int32_t b = 0; b < step->body[i].n; b++) each_use(program, &step->body[i].step[b], fn, v);
}

void fx__uses_remove(fx_uses *uses, int32_t at)
{
    each_use(uses->program, &uses->program->steps.step[at], forget, &(visit){uses, at});
}

bool fx__uses_add(fx_uses *uses, int32_t at)
{
    each_use(uses->program, &uses->program->steps.step[at], note, &(visit){uses, at});
    return !uses->failed;
}

bool fx__uses_open(const fx_program *program, fx_arena *arena, fx_uses *out)
{
    *out = (fx_uses){.program = program,
                     .arena = arena,
                     .reads = FX_NEW_ARRAY(arena, fx_places, program->n_buf + 1),
                     .writes = FX_NEW_ARRAY(arena, fx_places, program->n_buf + 1)};
    if (!out->reads || !out->writes) return false;
    for (int32_t at = 0; at < program->steps.n; at++)
        if (!fx__uses_add(out, at)) return false;
    return true;
}

const fx_places *fx__uses_reads(const fx_uses *uses, int32_t buf)
{
    return &uses->reads[fx__buf_root(uses->program, buf)];
}

const fx_places *fx__uses_writes(const fx_uses *uses, int32_t buf)
{
    return &uses->writes[fx__buf_root(uses->program, buf)];
}

bool fx__places_within(const fx_places *places, int32_t begin, int32_t end)
{
    int32_t index = lower_bound(places, begin);
    return index < places->n && places->at[index] < end;
}

int32_t fx__places_first(const fx_places *places, int32_t ignore)
{
    for (int32_t i = 0; i < places->n; i++)
        if (places->at[i] != ignore) return places->at[i];
    return -1;
}
