/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_pair.c: neighbours: every pair of nodes of which one reads what the other makes, whether they are in one unit, and
 * the reason that the passes have written down. */
#include "frontend/explain.h"
#include "ir/kir_text.h"
#include <string.h>

/* ---- Sentences --------------------------------------------------------------------------------------------------------------- */

static const char *sentence_of(fx_verdict verdict)
{
    static const char *const sentence[FX_WHY_COUNT] = {
        [FX_WHY_INLINE] = "computed where it is read, and never stored",
        [FX_WHY_TAIL] = "computed on the values while they are in registers",
        [FX_WHY_ROW] = "computed on rows that stay in scratch between two contractions",
        [FX_WHY_PROLOGUE] = "computed before the contraction that reads it",
        [FX_WHY_SIBLING] = "computed in one sweep over a common operand",
        [FX_WHY_PLACED] = "computed in its place in the larger value, which needs no copy",
        [FX_WHY_MULTI_USE] = "others read the value too, so that it must be stored",
        [FX_WHY_RECOMPUTE] = "reading it in place would compute it again and again",
        [FX_WHY_FOOTPRINT] = "a point of the reader needs many points of the value",
        [FX_WHY_ORDER] = "one of them changes a buffer in place, and the order of reads and writes must stay",
        [FX_WHY_BUDGET] = "the joined kernel would be too large",
        [FX_WHY_CYCLE] = "steps between the two read or write what they use",
        [FX_WHY_CONTROL] = "one of them stands in a loop or a branch of its own",
        [FX_WHY_CALL] = "one of them runs through its reference kernel",
        [FX_WHY_DTYPE] = "their types cannot be computed in one kernel",
        [FX_WHY_OPTION] = "joining is switched off",
    };
    return sentence[verdict];
}

/* ---- Records ----------------------------------------------------------------------------------------------------------------- */

typedef struct pairs {
    fx_explainer *x;
    fx_neighbours *list;
    int32_t n, capacity;
    const fx_node *to;
    bool failed;
} pairs;

static const fx_part *parts_of(const fx_explainer *x, const fx_node *node)
{
    return fx__map_get(&x->part, node);
}

static bool share_unit(const fx_part *a, const fx_part *b)
{
    for (; a; a = a->next)
        for (const fx_part *other = b; other; other = other->next)
            if (other->unit == a->unit) return true;
    return false;
}

/* The record of this very pair; else one between the units of the two. */
static const fx_why *find_why(const fx_explainer *x, const fx_node *from, const fx_node *to)
{
    const fx_why *found = NULL;
    const fx_part *of_from = parts_of(x, from), *of_to = parts_of(x, to);
    for (int32_t i = 0; i < x->program->n_why; i++) {
        const fx_why *why = &x->program->why[i];
        if (why->from == from && why->to == to) return why;
        if (found || !share_unit(parts_of(x, why->from), of_from) || !share_unit(parts_of(x, why->to), of_to)) continue;
        found = why;
    }
    return found;
}

static bool is_joining(fx_verdict verdict)
{
    return verdict <= FX_WHY_PLACED;
}

static fx_verdict guess(const fx_explainer *x, const fx_node *from, const fx_node *to)
{
    const fx_unit *a = &x->unit[parts_of(x, from)->unit], *b = &x->unit[parts_of(x, to)->unit];
    if (x->it->options.no_fusion || x->it->options.precision == FX_PRECISION_STRICT) return FX_WHY_OPTION;
    if (a->kind == FX_UNIT_CALL || b->kind == FX_UNIT_CALL) return FX_WHY_CALL;
    if (a->parent != b->parent || a->kind != FX_UNIT_RUN || b->kind != FX_UNIT_RUN) return FX_WHY_CONTROL;
    return FX_WHY_ORDER;
}

static void describe(const fx_explainer *x, fx_neighbours *pair)
{
    const fx_part *from = parts_of(x, pair->from), *to = parts_of(x, pair->to);
    const fx_why *why = find_why(x, pair->from, pair->to);
    pair->joined = share_unit(from, to);
    if (!pair->joined && x->unit[from->unit].init) {
        pair->verdict = "INIT";
        pair->reason = "computed once, when compiling";
        return;
    }
    if (pair->joined && (!why || !is_joining(why->verdict))) {
        pair->verdict = "ONE";
        pair->reason = "one kernel computes both";
        return;
    }
    if (!pair->joined && why && is_joining(why->verdict)) why = NULL;
    fx_verdict verdict = why ? why->verdict : guess(x, pair->from, pair->to);
    pair->verdict = fx__kir_verdict_word(verdict);
    pair->reason = sentence_of(verdict);
    pair->bytes_saved = why ? why->bytes_saved : 0;
    pair->cost = why ? why->cost : 0;
}

static void add_pair(pairs *p, const fx_node *from)
{
    for (int32_t i = p->n - 1; i >= 0 && p->list[i].to == p->to; i--)
        if (p->list[i].from == from) return;
    fx_neighbours *list = fx__arena_grow(p->x->arena, p->list, &p->capacity, p->n, sizeof *list);
    p->failed = p->failed || !list;
    if (!list) return;
    p->list = list;
    list[p->n] = (fx_neighbours){.from = from, .to = p->to, .reason = ""};
    describe(p->x, &list[p->n++]);
}

/* Who makes what a node reads: nodes that no unit computes are looked through. */
static void add_makers(pairs *p, const fx_node *reader)
{
    for (int32_t i = 0; i < reader->n_inputs && !p->failed; i++) {
        const fx_node *from = reader->inputs[i];
        if (parts_of(p->x, from))
            add_pair(p, from);
        else if (from->opcode == FX_CALL_FUNCTION)
            add_makers(p, from);
    }
}

fx_status fx__explain_pairs(fx_explainer *x)
{
    pairs p = {.x = x};
    FX_EACH_NODE(node, x->it->module->graph)
    {
        p.to = node;
        if (parts_of(x, node)) add_makers(&p, node);
        if (p.failed) return FX_E_OOM;
    }
    x->out->pair = p.list;
    x->out->n_pair = p.n;
    return FX_OK;
}
