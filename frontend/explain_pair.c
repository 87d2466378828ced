/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_pair.c: neighbours: every pair of nodes of which one reads what the other makes, whether they are in one unit, and
 * the reason that the passes have written down. */
#include "frontend/explain.h"
#include "ir/kir_text.h"
#include <inttypes.h>
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
        [FX_WHY_MULTI_USE] = "others read the value too, so that it is stored",
        [FX_WHY_RECOMPUTE] = "storing it costs less than computing it where it is read",
        [FX_WHY_FOOTPRINT] = "a point of the reader needs many points of the value",
        [FX_WHY_ORDER] = "the order of reads and writes must stay",
        [FX_WHY_BUDGET] = "the joined kernel would be too large",
        [FX_WHY_CYCLE] = "steps between the two use what they make or make what they need",
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
    const fx_node *whole; /* the value of parts that is looked through; NULL: none */
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

static bool is_joining(fx_verdict verdict)
{
    return verdict <= FX_WHY_PLACED;
}

/* The record of this very pair; else one between the units of the two. */
static const fx_why *find_why(const fx_explainer *x, const fx_neighbours *pair, const fx_node *whole)
{
    const fx_why *found = NULL;
    const fx_part *from = parts_of(x, pair->from), *to = parts_of(x, pair->to);
    for (int32_t i = 0; i < x->program->n_why; i++) {
        const fx_why *why = &x->program->why[i];
        if (is_joining(why->verdict) != pair->joined) continue;
        if ((why->from == pair->from || (whole && why->from == whole)) && why->to == pair->to) return why;
        if (!found && share_unit(parts_of(x, why->from), from) && share_unit(parts_of(x, why->to), to)) found = why;
    }
    return found;
}

static bool is_placed(const fx_explainer *x, const fx_node *from, const fx_node *to)
{
    for (int32_t i = 0; i < x->program->n_why; i++) {
        const fx_why *why = &x->program->why[i];
        if (why->verdict == FX_WHY_PLACED && why->from == from && why->to == to) return true;
    }
    return false;
}

/* Pairs that no pass looks at: those that are one from the start, and those with a step that is no kernel between them. */
static void describe_unrecorded(const fx_explainer *x, fx_neighbours *pair)
{
    const fx_part *reader = parts_of(x, pair->to);
    const fx_unit *from = &x->unit[parts_of(x, pair->from)->unit], *to = reader ? &x->unit[reader->unit] : from;
    bool off = x->it->options.no_fusion || x->it->options.precision == FX_PRECISION_STRICT;
    bool call = from->kind == FX_UNIT_CALL || to->kind == FX_UNIT_CALL;
    bool control = from->parent != to->parent || from->kind != FX_UNIT_RUN || to->kind != FX_UNIT_RUN;
    fx_verdict verdict = off ? FX_WHY_OPTION : call ? FX_WHY_CALL : control ? FX_WHY_CONTROL : FX_WHY_ORDER;
    pair->verdict = fx__kir_verdict_word(verdict);
    pair->reason = sentence_of(verdict);
    if (from->init && !to->init) {
        pair->verdict = "INIT";
        pair->reason = "the value is constant, and computed once, when compiling";
    }
    if (pair->joined) {
        pair->verdict = "ONE";
        pair->reason = "one kernel computes both";
    }
}

/* "what the verdict means: what exactly stood in the way (figures)". */
static const char *reason_of(const fx_explainer *x, const fx_why *why)
{
    const char *sentence = sentence_of(why->verdict), *because = why->because;
    if (why->verdict == FX_WHY_RECOMPUTE)
        return fx__arena_format(x->arena, "%s: %s (%" PRId64 " operations more)", sentence, because ? because : "", why->cost);
    if (why->verdict == FX_WHY_FOOTPRINT && because) return because;
    return because ? fx__arena_format(x->arena, "%s; %s", sentence, because) : sentence;
}

static bool describe(const fx_explainer *x, fx_neighbours *pair, const fx_node *whole)
{
    const fx_why *why = find_why(x, pair, whole);
    if (!why) {
        describe_unrecorded(x, pair);
        return true;
    }
    pair->verdict = fx__kir_verdict_word(why->verdict);
    pair->reason = reason_of(x, why);
    pair->bytes_saved = why->bytes_saved;
    pair->cost = why->cost;
    return pair->reason != NULL;
}

static void add_pair(pairs *p, const fx_node *from)
{
    for (int32_t i = p->n - 1; i >= 0 && p->list[i].to == p->to; i--)
        if (p->list[i].from == from) return;
    fx_neighbours *list = fx__arena_grow(p->x->arena, p->list, &p->capacity, p->n, sizeof *list);
    p->failed = p->failed || !list;
    if (!list) return;
    p->list = list;
    fx_neighbours *pair = &list[p->n++];
    *pair = (fx_neighbours){.from = from, .to = p->to};
    pair->joined = is_placed(p->x, from, p->to) || share_unit(parts_of(p->x, from), parts_of(p->x, p->to));
    p->failed = !describe(p->x, pair, p->whole);
}

/* Who makes what a node reads: nodes that no unit computes are looked through. */
static void add_makers(pairs *p, const fx_node *reader)
{
    for (int32_t i = 0; i < reader->n_inputs && !p->failed; i++) {
        const fx_node *from = reader->inputs[i];
        const fx_node *outer = p->whole;
        if (parts_of(p->x, from)) add_pair(p, from);
        if (parts_of(p->x, from) || from->opcode != FX_CALL_FUNCTION) continue;
        if (fx__explain_is_placed(p->x, from)) p->whole = from;
        add_makers(p, from);
        p->whole = outer;
    }
}

fx_status fx__explain_pairs(fx_explainer *x)
{
    pairs p = {.x = x};
    FX_EACH_NODE(node, x->it->module->graph)
    {
        p.to = node;
        p.whole = NULL;
        if (parts_of(x, node) || fx__explain_is_placed(x, node)) add_makers(&p, node);
        if (p.failed) return FX_E_OOM;
    }
    x->out->pair = p.list;
    x->out->n_pair = p.n;
    return FX_OK;
}
