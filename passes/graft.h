/* SPDX-License-Identifier: Apache-2.0 */
/* passes/graft.h: building kernels out of parts of others: a kernel together with the buffers its arguments are bound to, and
 * copying a stage's expressions into a stage of another kernel under a change of axes. */
#ifndef FX_PASSES_GRAFT_H
#define FX_PASSES_GRAFT_H

#include "ir/kir.h"

/* A kernel under construction and its step's binding. */
typedef struct fx_bound {
    fx_program *program;
    fx_kernel *kernel;
    fx_bind bind[FX_ARGS];
} fx_bound;

/* The argument for a buffer: one that both read, or both store to (pieces of a concat), or a new one; -1 when the kernel is full.
 */
int fx__bound_add_arg(fx_bound *bound, const fx_arg *arg, int32_t buf);
/* Removes an argument that no access names any more; locals that lived in its rows move to the argument `heir` or (-1) to scratch.
 */
void fx__bound_drop_arg(fx_bound *bound, int arg, int heir);
/* Drops dead expressions and accesses, and read-only arguments that no access names any more. False: out of memory. */
bool fx__bound_drop_unused(fx_bound *bound);

typedef struct fx_graft fx_graft;
struct fx_graft {
    fx_program *program;
    const fx_kernel *from;
    const fx_kstage *stage; /* of from */
    fx_kernel *to;
    int to_stage;
    const fx_index *by; /* [from->n_axis] over the axes of `to`; NULL: the same axes */
    const uint8_t *arg; /* [from->n_arg]: arguments of `to`; NULL: the same */
    int stage_base;     /* added to the numbers of stages in FX_X_STAGE */
    /* Replaces a load: FX_NO_EXPR: leave it; *failed: the graft fails. May be NULL. */
    uint16_t (*load)(fx_graft *graft, const fx_access *access, bool *failed);
    void *user;
    uint16_t *memo; /* [stage->n_expr], filled by fx__graft_run */
};
/* Copies every expression of the stage, operands first; false when an index does not compose, something is full or memory ends. */
bool fx__graft_run(fx_graft *graft);
/* An access of `from` as an access of `to`; expressions it gathers by must have been grafted. */
bool fx__graft_access(const fx_graft *graft, const fx_access *access, fx_access *out);
/* An expression of stage to_stage converted to dtype. */
uint16_t fx__graft_cast(const fx_graft *graft, uint16_t expr, fx_dtype dtype);

/* The axis when the index is just that axis; FX_NO_AXIS otherwise. */
uint8_t fx__index_single(const fx_index *index);
/* The index without terms of axes of extent 1, which are always 0: two ways to write an index then look alike. */
fx_index fx__index_reduce(const fx_kernel *kernel, const fx_index *index);
bool fx__index_same(const fx_kernel *kernel, const fx_index *a, const fx_index *b);
/* Product of extents of the axes a stage runs over: outer, inner, reduced. */
fx_dim fx__stage_points(const fx_program *program, const fx_kernel *kernel, const fx_kstage *stage);

#endif
