/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/analysis.h: what a graph consists of, what looks wrong or wasteful in it, and how two graphs differ. Nothing here changes a
 * graph. */
#ifndef FXJIT_ANALYSIS_H
#define FXJIT_ANALYSIS_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Counting ---------------------------------------------------------------------------------------------------------- */

/* Calls of one target. */
typedef struct fx_op_stats {
    const char *target;
    int64_t calls, flops, bytes;
} fx_op_stats;

/* Sizes with symbols count as their hints. */
typedef struct fx_graph_stats {
    int32_t nodes, by_opcode[FX_OPCODE_COUNT];
    int32_t depth;                                 /* calls on the longest way from an input to an output */
    int32_t max_fan_in, max_fan_out;               /* most inputs and most users of one node */
    const fx_node *widest_in, *widest_out;         /* the first such node; NULL: a graph without nodes */
    int64_t tensors, parameters, parameter_bytes;  /* read by get_attr and by called submodules, each once: how many, elements, bytes */
    int64_t flops;                                 /* of one run; a multiplication and an addition are two */
    int64_t bytes;                                 /* read and written by calls one by one; views move nothing */
    int32_t unknown;                               /* calls without operator or types, which are in none of the sums */
    const fx_op_stats *ops;                        /* [n_ops] most flops first, then most calls */
    int32_t n_ops;
    void *memory;
} fx_graph_stats;
/* Submodules and bodies count as what is in them in flops, bytes and ops, and as one call elsewhere. Flops are exact for products and
 * convolutions, one per element for element-wise operators, and estimates for the rest. FX_E_OOM. */
FX_API fx_status fx_graph_measure(const fx_graph *graph, FX_GIVES fx_graph_stats *out);
FX_API void fx_graph_stats_free(FX_TAKES fx_graph_stats *stats); /* what is inside; widest_* belong to the graph */
/* The work of one call by the same rules; false, and no work, where the operator or a type is not known. */
FX_API bool fx_node_work(const fx_node *node, int64_t *out_flops, int64_t *out_bytes);
/* A table for people; freed with fx_text_free; NULL: out of memory. */
FX_API FX_GIVES char *fx_graph_stats_to_string(const fx_graph *graph, const fx_graph_stats *stats);

/* ---- Reviewing --------------------------------------------------------------------------------------------------------- */

typedef struct fx_finding {
    fx_severity severity;
    const char *rule;    /* "ill-formed", "no-output", "no-input", "dead-code", "unused-input", "fan-out", "double-transpose",
                            "double-negation", "repeated", "no-op", "view-chain", "cast-chain", "duplicate", "constant" */
    const fx_node *node; /* NULL: the whole graph */
    const char *text;
} fx_finding;
typedef struct fx_review fx_review;
/* All findings, errors first, otherwise in the order of nodes. fan_out: from how many users on a node is one; 0: 32. Types make more
 * rules apply. What fx_graph_lint says are findings here and no diagnostics. FX_E_OOM. */
FX_API fx_status fx_graph_review(const fx_graph *graph, int32_t fan_out, FX_GIVES fx_review **out);
FX_API int32_t fx_review_count(const fx_review *review);
FX_API const fx_finding *fx_review_get(const fx_review *review, int32_t index); /* NULL: no such one */
FX_API void fx_review_free(FX_TAKES fx_review *review);
FX_API FX_GIVES char *fx_review_to_string(const fx_review *review); /* a line each; freed with fx_text_free */

/* ---- Comparing --------------------------------------------------------------------------------------------------------- */

typedef enum fx_change_kind { FX_ADDED, FX_REMOVED, FX_CHANGED } fx_change_kind;
/* A node is known by its name; order is not compared. */
typedef struct fx_change {
    fx_change_kind kind;
    const char *name;
    const char *field;          /* CHANGED: "opcode", "target", "args", "kwargs", "annotation" or "type"; else NULL */
    const char *before, *after; /* the field, or the whole node as fx_node_to_string has it; NULL where there is none */
} fx_change;
typedef struct fx_diff fx_diff;
/* What makes `after` out of `before`, which may be of different contexts: nodes removed and changed in the order of `before`, then
 * nodes added in the order of `after`. One change for each field. Texts belong to the diff. FX_E_OOM in the context of `before`. */
FX_API fx_status fx_graph_diff(const fx_graph *before, const fx_graph *after, FX_GIVES fx_diff **out);
FX_API int32_t fx_diff_count(const fx_diff *diff); /* 0: the graphs are equal */
FX_API const fx_change *fx_diff_get(const fx_diff *diff, int32_t index);
FX_API void fx_diff_free(FX_TAKES fx_diff *diff);
/* "+ node", "- node", "~ %name: field: before -> after", a line each; freed with fx_text_free. */
FX_API FX_GIVES char *fx_diff_to_string(const fx_diff *diff);

#ifdef __cplusplus
}
#endif
#endif
