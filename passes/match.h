/* SPDX-License-Identifier: Apache-2.0 */
/* passes/match.h: the matcher behind fx_graph_rewrite and fx_graph_replace_pattern: a pattern made ready, and the match under way.
 */
#ifndef FX_PASSES_MATCH_H
#define FX_PASSES_MATCH_H

#include "passes/core.h"
#include "passes/pass.h"

typedef struct fx_matcher {
    fx_graph *graph;
    const fx_rewrite *rewrite;
    fx_arena *arena;
    /* the pattern, by position */
    int32_t n, n_inputs;
    fx_node **pattern;
    const fx_op **ops; /* what a call is bound to; NULL: compared as it is */
    fx_attr *bound;    /* its arguments */
    fx_map position;   /* pattern node -> 1 + position */
    int32_t *outputs;  /* [n_outputs] positions of what the output names */
    int32_t n_outputs;
    int32_t *anchors; /* [n_anchors] those of them that no other pattern node needs */
    int32_t n_anchors;
    int32_t first_new; /* nodes made by this rewrite have ids from here on and are not matched */
    /* the match under way */
    fx_node **nodes; /* [n] */
    fx_attr *values; /* [n] FX_ATTR_KIND_COUNT: not matched */
    int32_t *trail;  /* [n] positions matched so far, to take some back */
    int32_t n_trail;
    fx_map taken; /* node of an earlier match -> itself */
} fx_matcher;

/* Reads m->rewrite's pattern; the graph, the rewrite and the arena are set. Every problem is reported. */
fx_status fx__matcher_set_up(fx_matcher *m);
/* A match whose first anchor is `node`; m->nodes and m->values then hold it. */
bool fx__matcher_at(fx_matcher *m, fx_node *node);
/* Whether the pattern's node at this position is a call that the match found, and that goes with it. */
static inline bool fx__matcher_is_call(const fx_matcher *m, int32_t at)
{
    fx_opcode opcode = m->pattern[at]->opcode;
    return m->nodes[at] && opcode != FX_PLACEHOLDER && opcode != FX_GET_ATTR && opcode != FX_OUTPUT;
}
bool fx__matcher_has_call(const fx_matcher *m, const fx_node *node);
/* The position in the pattern of what the i-th output names. */
static inline fx_node *fx__matcher_output(const fx_matcher *m, int32_t i)
{
    return m->nodes[m->outputs[i]];
}

/* fx_graph_rewrite with a sentence that tells how replacements round otherwise than what was there (passes/rounding.h); NULL: they do not. */
fx_status fx__graph_rewrite(fx_graph *graph, const fx_rewrite *rewrite, const char *rounding, int32_t *out_count);

/* The nodes that a graph's output names, in order, with repetitions; -1 and nothing written when it has no output, or names
 * something else. out may be NULL to count. */
int32_t fx__match_outputs(const fx_graph *graph, const fx_attr **out);

#endif
