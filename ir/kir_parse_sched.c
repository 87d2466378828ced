/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_sched.c: reads a kernel's schedule and cost. */
#include "ir/kir_parse_kernel.h"
#include <string.h>

static bool parse_u8(fx_kernel_parser *k, uint8_t *out)
{
    int64_t value;
    if (!fx__klex_int(k->p, 0, UINT8_MAX, &value)) return false;
    *out = (uint8_t)value;
    return true;
}

static bool parse_i32(fx_kernel_parser *k, int32_t *out)
{
    int64_t value;
    if (!fx__klex_int(k->p, 0, INT32_MAX, &value)) return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_axis_or_none(fx_kernel_parser *k, uint8_t *out)
{
    *out = FX_NO_AXIS;
    return fx__klex_accept_word(k->p, "_") || fx__kparse_axis_word(k, out);
}

static bool parse_axis_list(fx_kernel_parser *k, uint8_t *out, uint8_t *out_n, int capacity)
{
    *out_n = 0;
    if (!fx__klex_expect(k->p, '(')) return false;
    do {
        if (*out_n == capacity) return fx__klex_fail(k->p, "more than %d axes", capacity);
        if (!fx__kparse_axis_word(k, &out[*out_n])) return false;
        ++*out_n;
    } while (fx__klex_accept(k->p, ','));
    return fx__klex_expect(k->p, ')');
}

static bool parse_kgroup(fx_kernel_parser *k, uint8_t out[FX_REDS])
{
    int n = 0;
    if (!fx__klex_expect(k->p, '(')) return false;
    do {
        if (n == FX_REDS) return fx__klex_fail(k->p, "more than %d groups", FX_REDS);
        if (!parse_u8(k, &out[n++])) return false;
    } while (fx__klex_accept(k->p, ','));
    return fx__klex_expect(k->p, ')');
}

static bool parse_fetch(fx_kernel_parser *k, fx_sched *s)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    if (strcmp(word, "a") != 0 && strcmp(word, "b") != 0) return fx__klex_fail(k->p, "expected a or b after fetch");
    return parse_i32(k, word[0] == 'a' ? &s->fetch_a : &s->fetch_b);
}

static bool parse_sched_item(fx_kernel_parser *k, fx_sched *s)
{
    fx_kparser *p = k->p;
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "vec") == 0) return parse_axis_or_none(k, &s->vec) && fx__klex_expect(p, '*') && parse_u8(k, &s->lanes);
    if (strcmp(word, "unroll") == 0) return parse_u8(k, &s->unroll);
    if (strcmp(word, "vec2") == 0) return parse_axis_or_none(k, &s->vec2);
    if (strcmp(word, "row") == 0) return parse_axis_or_none(k, &s->row);
    if (strcmp(word, "mr") == 0) return parse_u8(k, &s->mr);
    if (strcmp(word, "nv") == 0) return parse_u8(k, &s->nv);
    if (strcmp(word, "k") == 0) return parse_kgroup(k, s->kgroup);
    if (strcmp(word, "task") == 0) return parse_axis_list(k, s->task, &s->n_task, 3);
    if (strcmp(word, "grain") == 0) return fx__klex_int(p, 0, INT64_MAX, &s->grain);
    if (strcmp(word, "order") == 0) return parse_axis_list(k, s->order, &s->n_order, FX_AXES);
    if (strcmp(word, "block") == 0) return parse_i32(k, &s->block);
    if (strcmp(word, "fetch") == 0) return parse_fetch(k, s);
    if (strcmp(word, "pack") == 0) return s->pack = true;
    s->parallel = strcmp(word, "parallel") == 0;
    return s->parallel || fx__klex_fail(p, "unknown word \"%s\" in a schedule", word);
}

static bool parse_emit(fx_kernel_parser *k, fx_emit *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    for (int e = FX_EMIT_NONE; e <= FX_EMIT_BLOCK; e++) {
        *out = (fx_emit)e;
        if (strcmp(word, fx__kir_emit_word((fx_emit)e)) == 0) return true;
    }
    return fx__klex_fail(k->p, "unknown emitter \"%s\"", word);
}

bool fx__kparse_sched(fx_kernel_parser *k)
{
    k->kernel->sched.vec = k->kernel->sched.vec2 = k->kernel->sched.row = FX_NO_AXIS;
    if (!parse_emit(k, &k->kernel->sched.emit)) return false;
    while (!fx__klex_at_end(k->p))
        if (!parse_sched_item(k, &k->kernel->sched)) return false;
    return true;
}

bool fx__kparse_cost(fx_kernel_parser *k)
{
    static const char *const word[] = {"flop", "read", "write", "cycles"};
    fx_cost *c = &k->kernel->cost;
    int64_t *field[] = {&c->flop, &c->read_bytes, &c->write_bytes, &c->cycles};
    for (int i = 0; i < 4; i++)
        if (!fx__klex_expect_word(k->p, word[i]) || !fx__klex_int(k->p, 0, INT64_MAX, field[i])) return false;
    return true;
}
