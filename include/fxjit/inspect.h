/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/inspect.h: what compiled code consists of, and why: units, kernels, neighbours that were joined or not, memory. Everything here
 * is known when compiling has ended; nothing is measured and nothing runs. */
#ifndef FXJIT_INSPECT_H
#define FXJIT_INSPECT_H

#include "fxjit/compile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One unit of the compiled program: a RUN of a kernel, a CALL of a reference kernel, an IF, a LOOP or an ASSERT, which ends a run. First
 * those of a run, in program order, bodies right after their IF or LOOP; behind them those that ran once, when compiling (init). */
typedef enum fx_unit_kind { FX_UNIT_RUN, FX_UNIT_CALL, FX_UNIT_IF, FX_UNIT_LOOP, FX_UNIT_ASSERT } fx_unit_kind;
typedef struct fx_unit {
    fx_unit_kind kind;
    int32_t index;         /* its own place in the list: the "step" of profiles */
    int32_t parent, depth; /* the IF or LOOP around it, -1: none; how many there are */
    int64_t turns;         /* how often a run executes it: turns of all loops around it, at the hints; 1 where a buffer says them */
    bool init;             /* runs once, when compiling */
    const char *label;     /* for people: "conv1 + bn1 + relu", from node names; unique is not promised */
    const fx_node *const *nodes; /* of the core graph, which it computes, in order; fx_node_loc says where they come from */
    int32_t n_nodes;
    int32_t kernel; /* RUN: index into kernels, else -1 */
    /* Of one turn, at the hints. CALL: an estimate, which is in no sum. IF and LOOP: of the longer branch, of all turns. */
    int64_t flop, bytes_in, bytes_out, bytes_const;
    double expected_us; /* one turn at one thread by the target's cost model */
    const char *bound;  /* what the cost model expects to limit it: "compute", "memory", "latency" (too little work to matter) */
    const int32_t *reads, *writes; /* indices of buffers */
    int32_t n_reads, n_writes;
    int64_t chunks;       /* into how many pieces it is cut for threads; 1: not shared */
    const char *role;     /* "compute", "copy", "layout" (a copy in another order), "pack" (weights into panels), "fill" */
    const char *why_call; /* CALL: the reason, else NULL */
} fx_unit;

typedef struct fx_kernel_info {
    const char *name, *hash; /* as in the program's text ("k3"); its symbol and the end of its section's name ("k_<hash>") */
    const char *emitter;     /* "flat", "copy2d", "column", "row", "tile", "block" */
    const char *tile;        /* what one turn of the innermost loops covers: "13x32" rows and columns, "64" elements */
    const char *schedule;    /* the schedule's text: tiles, vector axis, order */
    const char *stages;      /* the kernel's text, many lines */
    int32_t n_stages, n_units; /* units that run it */
    const char *precision;   /* what the precision setting allowed here, each sentence once; "" if nothing */
} fx_kernel_info;

/* What the precision setting allowed and STRICT forbids: a rewrite of the graph, or two nodes of one kernel without rounding between. */
typedef struct fx_allowance {
    int32_t unit;             /* which computes it; -1: none does, a constant */
    const char *what;         /* "batch normalisation is folded into the weights before it", "a product and a sum round once", ... */
    const char *const *nodes; /* names of the nodes concerned; those that a rewrite has replaced are in the graph as it came */
    int32_t n_nodes;
} fx_allowance;

/* A pair of nodes, one reading what the other makes, perhaps through views, of one unit or of two; or a value and the larger one in which
 * it is computed, "PLACED". */
typedef struct fx_neighbours {
    const fx_node *from, *to;
    bool joined;
    const char *verdict; /* "TAIL", "MULTI_USE", ... */
    const char *reason;  /* a sentence */
    int64_t bytes_saved; /* joined: memory traffic that is not needed; else: what joining would have saved */
    int64_t cost;        /* the rule's price: operations done again, 0: none */
} fx_neighbours;

typedef struct fx_buffer_info {
    const char *name;    /* as in the program's text, without % */
    const fx_node *node; /* whose value; NULL: several or none */
    const char *kind;    /* "input", "output", "const", "state", "workspace" */
    fx_dtype dtype;
    int32_t rank;
    int64_t dim[FX_RANK];  /* at the hints, in memory order */
    int64_t bytes, offset; /* offset within its kind's memory; -1: none */
    int32_t parent;        /* slice of this buffer, -1 */
    int32_t first, last;   /* units between which it holds a value; -1: no unit of a run uses it */
    int32_t reuses;        /* workspace: the latest earlier buffer whose place it takes, -1 */
} fx_buffer_info;

/* A node of the core graph that no unit computes, and why it needs none: "input", "output", "constant" (of the module), "folded"
 * (computed when compiling), "view" (an index into what it views), "item" (of a tuple), "placed" (its parts are computed in their
 * places), "written" (an input's or a buffer's new value). */
typedef struct fx_elsewhere {
    const fx_node *node;
    const char *what;
} fx_elsewhere;

typedef struct fx_explanation {
    const fx_unit *unit;
    int32_t n_unit;
    const fx_kernel_info *kernel;
    int32_t n_kernel;
    const fx_neighbours *pair;
    int32_t n_pair;
    const fx_buffer_info *buffer;
    int32_t n_buffer;
    const fx_elsewhere *elsewhere;
    int32_t n_elsewhere;
    const fx_allowance *allowance; /* none: every node rounds for itself, as the interpreter does */
    int32_t n_allowance;
    const char *const *fallback; /* "node (operator): reason" */
    int32_t n_fallback;
    int64_t workspace_bytes, scratch_bytes; /* all workspace at the hints; of that, for one thread's locals */
    int64_t const_bytes, state_bytes, flop;
    double expected_us; /* a run at one thread */
    int32_t threads;
    const char *precision, *target; /* "default"; "sapphirerapids (x86_64-...)" */
    void *memory;
} fx_explanation;

/* What compiled code consists of, and why. Nodes and texts of diagnostics belong to `compiled`, which must outlive the explanation.
 * Allocates from the context of the compiled module: one thread at a time. FX_E_OOM. */
FX_API fx_status fx_explain(const fx_compiled *compiled, FX_GIVES fx_explanation **out);
FX_API void fx_explanation_free(FX_TAKES fx_explanation *explanation); /* NULL is allowed */
/* Parts of an explanation's text. */
typedef enum fx_explain_part {
    FX_EXPLAIN_UNITS = 1,     /* one line for each unit: emitter, tile, bytes, operations, expected time */
    FX_EXPLAIN_KERNELS = 2,   /* nodes and where they come from, schedule; stages where a filter chooses */
    FX_EXPLAIN_PAIRS = 4,     /* neighbours that were not joined, and why */
    FX_EXPLAIN_FALLBACKS = 8, /* nodes that run through reference kernels */
    FX_EXPLAIN_COPIES = 16,   /* units that only move */
    FX_EXPLAIN_MEMORY = 32,   /* offsets, lives and reuse of buffers */
    FX_EXPLAIN_PRECISION = 64,
    FX_EXPLAIN_NODES = 128 /* nodes that no unit computes */
} fx_explain_part;
typedef struct fx_explain_filter {
    const char *node;   /* units with a node of such a name, or from such a place of its file, with * ? [...]; NULL: all */
    const char *kernel; /* units of this kernel, by name, by hash or its beginning; NULL: all */
    uint32_t parts;     /* of fx_explain_part; 0: all */
} fx_explain_filter;
/* For people, and as a JSON object with the names of the structures above (units, kernels, pairs, buffers, elsewhere, fallbacks and totals);
 * filter NULL: all. Freed with fx_text_free; NULL: out of memory. */
FX_API FX_GIVES char *fx_explanation_to_string(const fx_explanation *explanation, const fx_explain_filter *filter);
FX_API FX_GIVES char *fx_explanation_to_json(const fx_explanation *explanation, const fx_explain_filter *filter);
/* Does a filter let this unit through? */
FX_API bool fx_explain_wants(const fx_explanation *explanation, const fx_explain_filter *filter, int32_t unit);
/* Text of one kernel's form: FX_STAGE_PROGRAM, FX_STAGE_LLVM or FX_STAGE_ASM; freed with fx_text_free. FX_E_ARG: another form or no
 * such kernel; FX_E_CODEGEN, FX_E_OOM. */
FX_API fx_status fx_explain_kernel(const fx_compiled *compiled, int32_t kernel, fx_stage_form form, FX_GIVES char **out_text);

#ifdef __cplusplus
}
#endif
#endif
