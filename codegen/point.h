/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/point.h: the stages of one point of a kernel's outer axes, for some copies side by side and some lanes each. FLAT,
 * COLUMN and ROW are loops around it:
 *
 *   FLAT, COLUMN   the vector axis is an outer one: the emitter's loops make the copies, every stage runs on all of them.
 *   ROW            the vector axis is inner or reduced: the point makes copies in the innermost loop of a sweep.
 *
 * A copy is a distance from the loops' coordinates: dv along the vector axis, dr along the row axis. Constant strides make these
 * displacements of one address. Values that do not move along the vector axis are scalars until they meet a vector. */
#ifndef FX_CODEGEN_POINT_H
#define FX_CODEGEN_POINT_H

#include "codegen/frame.h"
#include "codegen/math.h"

enum { FX_COPIES = 32 };
typedef struct fx_copy {
    int64_t dv, dr;
    LLVMValueRef mask;    /* lanes that count; NULL: all */
    LLVMValueRef *result; /* [stages]: result of a REDUCE at this copy; NULL: none yet */
} fx_copy;

typedef struct fx_kpoint {
    fx_frame *f;
    uint8_t vec, row; /* axes along which copies lie here; FX_NO_AXIS: none */
    int lanes, rows;  /* of the copies made by fx__point_vec_loop: rows is how many lie along row */
    uint8_t sweep;    /* ROW: the axis sweeps run along in vectors; FX_NO_AXIS in FLAT and COLUMN */
    fx_copy copy[FX_COPIES];
    int n_copy;
    LLVMValueRef **hoisted; /* [stages][expressions] computed before the loops; NULL entries: not hoisted */
    uint8_t *safe;          /* [accesses] dims whose guard holds here: bit d */
} fx_kpoint;

/* One copy, in scalars. */
fx_status fx__point_open(fx_kpoint *p, fx_frame *f);

/* ---- value.c: expressions ------------------------------------------------------------------------------------------------ */

/* Value of an expression of a stage for one copy. memo: [expressions], NULL where not yet computed. */
LLVMValueRef fx__value_expr(fx_kpoint *p, int stage, int copy, uint16_t expr, LLVMValueRef *memo);
/* Stores a value of dtype `from`, converted to the argument's. */
void fx__value_store(fx_kpoint *p, int stage, int copy, uint16_t access, fx_dtype from, LLVMValueRef value, LLVMValueRef *memo);
/* Whether a guarded access is known to be outside at the copy's (constant) coordinates. */
bool fx__value_is_outside(fx_kpoint *p, int copy, uint16_t access);
/* A memo that starts with what was hoisted. */
LLVMValueRef *fx__value_memo(fx_kpoint *p, int stage);
/* Axes an expression depends on; results of other stages count as depending on all outer axes and the stage's inner ones. */
uint32_t fx__value_axes(const fx_kpoint *p, int stage, uint16_t expr);
/* Computes what does not depend on `axes` and is worth it; later memos start with it. */
void fx__value_hoist(fx_kpoint *p, int stage, uint32_t axes);
void fx__value_unhoist(fx_kpoint *p, int stage);

/* ---- reduce.c ------------------------------------------------------------------------------------------------------------ */

/* A REDUCE or CONTRACT whose reduced axes are plain loops: computes it for all copies into copy[].result. A prefix stores as it
 * goes. */
void fx__reduce_stage(fx_kpoint *p, int stage);
/* Values per accumulator: 2 for ARGMIN and ARGMAX (value, coordinate), else 1. */
int fx__reduce_width(const fx_kstage *stage);
void fx__reduce_identity(fx_kpoint *p, int stage, LLVMValueRef *acc);
/* Combines one copy's next value into acc; lanes that are masked out change nothing. axis: the reduced one (coordinates). */
void fx__reduce_step(fx_kpoint *p, int stage, int copy, LLVMValueRef *acc);
/* Combines n accumulators and their lanes into one scalar. */
LLVMValueRef fx__reduce_fold(fx_kpoint *p, int stage, LLVMValueRef *acc, int n);
fx_dtype fx__reduce_dtype(const fx_kstage *stage); /* of the result */

/* ---- point.c ------------------------------------------------------------------------------------------------------------- */

/* Inside a vector loop's body: the loop's copies once for each of n rows. */
void fx__point_set_rows(fx_kpoint *p, int n);
/* Emits all stages at the current outer point, for the copies there are. */
void fx__point_stages(fx_kpoint *p);
/* Of these stages alone, [first, last): they read no other's result. */
void fx__point_run(fx_kpoint *p, int first, int last);

/* A loop over [begin, end) of an axis in vectors: `unroll` of them per turn, then single ones, masked at the end. The body finds
 * the axis entered and the copies made; copy c carries carry[c * width] and on, all of them equal in number per vector. */
typedef void (*fx_vec_body)(fx_kpoint *p, void *user, LLVMValueRef *carry);
void fx__point_vec_loop(fx_kpoint *p, uint8_t axis, int unroll, LLVMValueRef *carry, int width, fx_vec_body body, void *user);

#endif
