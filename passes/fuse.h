/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse.h: inside of passes/fuse*.c: a pair of neighbouring kernels, and the rules that may join them. */
#ifndef FX_PASSES_FUSE_H
#define FX_PASSES_FUSE_H

#include "passes/graft.h"

enum { FX_FUSE_NODES = 32, FX_FUSE_ARGS = 12, FX_FUSE_EXPRS = 96 };

/* Producer and consumer RUN steps of the main block and one buffer between them. */
typedef struct fx_pair {
    fx_program *program;
    int32_t from, to; /* steps; from < to */
    int32_t buf;
    int from_arg, to_arg;
    const fx_kernel *producer, *consumer;
    bool sole;           /* nothing else reads buf: it need not be stored */
    int64_t cost;        /* rule's price in operations, for the record */
    const char *because; /* what exactly stands in the way; of what is joined, how it rounds otherwise */
} fx_pair;
/* A rule's refusal. */
static inline fx_verdict fx__fuse_refuse(fx_pair *pair, fx_verdict verdict, const char *because)
{
    pair->because = because;
    return verdict;
}

/* Rules: build the joined kernel in *out, or say why not. */
fx_verdict fx__fuse_inline(fx_pair *pair, fx_bound *out);
fx_verdict fx__fuse_tail(fx_pair *pair, fx_bound *out);
/* Joins the RUN steps at, at + 1, at + 2 of the main block by the rule ROW, if they are a chain that it is for. */
fx_status fx__fuse_rows(fx_program *program, int32_t at, bool *out_joined);

/* The stage and the store of a kernel that write an argument; false when there is more than one store. */
bool fx__fuse_store(const fx_kernel *kernel, int arg, int *out_stage, int *out_store);
/* The producer's store goes once over the whole buffer, at an index of its own axes. */
bool fx__fuse_covers(const fx_pair *pair);
bool fx__fuse_joined(fx_verdict verdict);
/* What joining the two changes of rounding, a sentence; NULL: nothing. */
const char *fx__fuse_rounding(const fx_pair *pair, bool has_fma);
/* Writes the pair down (fuse_why.c). */
fx_status fx__fuse_note(const fx_pair *pair, fx_verdict verdict);
bool fx__fuse_within_budget(const fx_kernel *kernel);

#endif
