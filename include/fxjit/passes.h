/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/passes.h: graph passes, the pass manager, and pattern rewriting. Built-in passes use just these calls. */
#ifndef FXJIT_PASSES_H
#define FXJIT_PASSES_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pass changes a graph in place and says whether it did. */
typedef fx_status (*fx_pass_fn)(fx_graph *graph, void *user, bool *out_modified);
typedef struct fx_pass {
    const char *name;
    fx_pass_fn run;
    void *user;
    const char *const *after; /* names of passes that run before this one, NULL-terminated; NULL: none */
} fx_pass;

/* A list of passes with constraints on their order. One thread at a time may use a manager, as its context. */
typedef struct fx_pass_manager fx_pass_manager;
FX_API FX_GIVES fx_pass_manager *fx_pass_manager_new(fx_context *context); /* NULL: out of memory */
FX_API void fx_pass_manager_free(FX_TAKES fx_pass_manager *manager);
/* Copies the pass (user is kept as it is). FX_E_ARG: no name or no function. */
FX_API fx_status fx_pass_manager_add(fx_pass_manager *manager, const fx_pass *pass);
/* Every pass of the first name runs before every pass of the second; the same as naming `first` in the other's `after`. Both may be
 * added later. FX_E_ARG: a name is missing. */
FX_API fx_status fx_pass_manager_require(fx_pass_manager *manager, const char *first, const char *then);
/* Orders the passes: by the constraints, and otherwise in the order of adding. FX_E_ARG, with the order left as it was, when a
 * constraint names a pass that was not added, or when constraints form a cycle, which the message names. fx_pass_manager_run does
 * this by itself. */
FX_API fx_status fx_pass_manager_solve(fx_pass_manager *manager);
FX_API int32_t fx_pass_manager_count(const fx_pass_manager *manager);
FX_API const char *fx_pass_manager_name(const fx_pass_manager *manager, int32_t index); /* in order; NULL: no such pass */
/* Lints the graph after every pass. */
FX_API void fx_pass_manager_check_each(fx_pass_manager *manager, bool on);
/* Calls check after every pass, after the lint; what it returns ends the run unless it is FX_OK. NULL: no check. */
typedef fx_status (*fx_pass_check)(void *user, const char *pass, fx_graph *graph);
FX_API void fx_pass_manager_set_check(fx_pass_manager *manager, fx_pass_check check, void *user);
/* Told before and after every pass, the failing one included. NULL: nobody. */
typedef struct fx_pass_event {
    const char *pass;
    const fx_graph *graph;
    int32_t round;    /* 0, 1, ... */
    bool after;       /* false: the pass is about to run, and the fields below mean nothing */
    bool modified;    /* it said so */
    fx_status status; /* of the pass and the checks behind it */
    double seconds;   /* of the pass alone */
} fx_pass_event;
typedef void (*fx_pass_observer)(void *user, const fx_pass_event *event);
FX_API void fx_pass_manager_observe(fx_pass_manager *manager, fx_pass_observer observer, void *user);
/* Runs all passes, again while any modified the graph and fewer than max_rounds rounds were done; *out_modified (may be NULL): any
 * pass changed it in any round. The first status that is not FX_OK ends the run; a note names the pass. */
FX_API fx_status fx_pass_manager_run(fx_pass_manager *manager, fx_graph *graph, int32_t max_rounds, bool *out_modified);

/* Built-in passes by name; NULL: no such pass. Each file of passes/ says what its pass does, needs and ensures.
 *   any graph: inline, functionalise, normalise, cse, dce, propagate, insert_casts, remove_dropout, fuse_conv_bn, normalise_arguments
 *   core graphs (after normalise): decompose, rewrite, fold, simplify, merge_matmul, layout */
FX_API const fx_pass *fx_pass_find(const char *name);

/* ---- Splitting -----------------------------------------------------------------------------------------------------------
 *
 * The new module calls submodules; their graphs have the old nodes, under their names. Inputs and parameters stay outside; values of
 * other parts are placeholders named after their nodes; several results are a tuple, taken apart by getitem; a getitem goes with the
 * call whose results it selects from. The new module and its submodules borrow tensors and submodules of the old one, which must
 * outlive them and is not changed. Pass `inline` undoes it. Order is that of values: changes in place that others see are taken apart
 * before (pass `functionalise`). */

/* The part that a call belongs to: 0 or more; FX_SPLIT_OUTSIDE: none, the call stays in the outer graph. */
enum { FX_SPLIT_OUTSIDE = -1 };
typedef int32_t (*fx_part_of)(void *user, const fx_node *node);
/* torch.fx's split_module: submodules submod_0, submod_1 ... by the part's number. FX_E_GRAPH: parts need each other's results, the
 * message names them; FX_E_ARG: a part below FX_SPLIT_OUTSIDE; FX_E_OOM. */
FX_API fx_status fx_split_module(fx_module *module, fx_part_of part_of, void *user, FX_GIVES fx_module **out);
/* The same by a text in each call's meta "tag": submodules have the tags as names. FX_E_ARG: a tag that is not in the list or no
 * name; calls without a tag stay outside. */
FX_API fx_status fx_split_by_tag(fx_module *module, const char *const *tags, int32_t n_tags, FX_GIVES fx_module **out);

/* Parts as large as can be of the calls that `supports` accepts, such that no two parts need each other (torch.fx's
 * CapabilityBasedPartitioner): submodules fused_0, fused_1 ... in order. */
typedef struct fx_partition_options {
    bool single;                   /* parts of one call too */
    fx_node_predicate non_compute; /* calls that do not count as such: a part of these alone stays outside; NULL: none */
    void *user;                    /* of non_compute */
} fx_partition_options;
/* options NULL: zeroed. *out_parts (may be NULL): how many submodules there are. */
FX_API fx_status fx_partition_module(fx_module *module, fx_node_predicate supports, void *user, const fx_partition_options *options,
                                     FX_GIVES fx_module **out, int32_t *out_parts);

/* ---- Patterns ------------------------------------------------------------------------------------------------------------
 *
 * A pattern is a graph: read from text, built, or traced from a C function (fx_module_graph of what fx_trace gives). Its placeholders
 * match any value, its output names what is replaced: one value, or several as a tuple. A node matches a node of the same operator
 * however both are spelled (function, method, a leaf module that is one such call), with arguments bound to the operator's schema, in
 * either order where it commutes; where there is no operator, a node of the same opcode and target with equal arguments. A get_attr
 * matches any get_attr. Constants match when kind and value are equal (floats by bits). What a match computes on the way to its
 * outputs has no users outside it. ---- */

typedef struct fx_match {
    fx_node *anchor;         /* node matched by the first pattern output that no other one needs */
    fx_node **nodes;         /* [pattern nodes], by position in the pattern; placeholders give the matched inputs */
    int32_t n_nodes;
    const fx_graph *pattern;
    const fx_attr *values;   /* [pattern nodes]: what each stands for; a placeholder may stand for a number or a list */
} fx_match;
/* The graph's node matched by the pattern's node of this name. */
FX_API fx_node *fx_match_node(const fx_match *match, const char *pattern_name);
/* The value that it stands for; NULL: the pattern has no such node. */
FX_API const fx_attr *fx_match_value(const fx_match *match, const char *pattern_name);

typedef bool (*fx_match_filter)(void *user, const fx_match *match);
/* Builds the replacement before match->anchor and returns it; NULL keeps the match as it is. Patterns of one output only. */
typedef fx_node *(*fx_match_build)(void *user, fx_graph *graph, const fx_match *match);
/* The replacement graph for this match, which lives until the rewriting is done; NULL keeps the match as it is. */
typedef const fx_graph *(*fx_match_choose)(void *user, const fx_match *match);
typedef struct fx_rewrite {
    const char *name;            /* for messages */
    const fx_graph *pattern;
    const fx_graph *replacement; /* as many placeholders and outputs as the pattern, by position; or NULL and build, or choose */
    fx_match_filter filter;      /* may be NULL */
    fx_match_build build;
    void *user;
    bool ignore_literals; /* constants in the pattern match any constant */
    bool round_literals;  /* numbers match when they are equal in single precision, whole or not: 3, 3.0 and 3.00000001 */
    fx_match_choose choose; /* fx_graph_replace_pattern only */
} fx_rewrite;
/* Rewrites in one walk: each replacement is in place when what follows is looked at. Patterns of one output. Returns the number
 * through out_count (may be NULL). FX_E_ARG, and the graph unchanged: the pattern has no output, or dead code, or the replacement
 * other inputs. */
FX_API fx_status fx_graph_rewrite(fx_graph *graph, const fx_rewrite *rewrite, int32_t *out_count);

/* torch.fx's replace_pattern: finds all matches in the graph as it is, those that share no node with an earlier one, then replaces
 * them; where the input of one match is the output of another, it takes what replaced it. The replacement is inserted before the
 * first user of the outputs. Parameters and submodules of the replacement's module that the graph's module has not are copied to
 * it. Works on any graph, typed or not, normalised or not; types are inferred where inputs have some. FX_E_ARG, and the graph
 * unchanged: as for fx_graph_rewrite, and other numbers of outputs. */
typedef struct fx_replacements fx_replacements; /* all matches, in order of their anchors */
typedef struct fx_replaced {
    fx_match match; /* its nodes are erased from the graph, and may still be read while the graph lives */
    fx_node *const *made; /* [n_made] nodes that were inserted, in order */
    int32_t n_made;
} fx_replaced;
FX_API fx_status fx_graph_replace_pattern(fx_graph *graph, const fx_rewrite *rewrite, FX_GIVES fx_replacements **out /* may be NULL */);
FX_API int32_t fx_replacements_count(const fx_replacements *replacements);
FX_API const fx_replaced *fx_replacements_get(const fx_replacements *replacements, int32_t index); /* NULL: no such one */
FX_API void fx_replacements_free(FX_TAKES fx_replacements *replacements); /* before the graph's context; NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
