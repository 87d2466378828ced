/* SPDX-License-Identifier: Apache-2.0 */
/* test/cases.h: the cases of operator rows as graphs of one call, and inputs for them.
 *
 *     fx_module *m = fx_case_module(ctx, op, "(f32[2, 3], 1.5, [0, 1])", NULL);
 *     fx_case_tensors in = fx_case_random(m, &seed, -1, 1, 0, 4);
 *
 * A size may be a symbol, "f32[s0, 3]": in [0, 4096], hint 3.
 */
#ifndef FX_TEST_CASES_H
#define FX_TEST_CASES_H

#include "fxjit/compile.h"
#include "ir/op.h"

enum { FX_CASE_INPUTS = 24 };

/* How a case is changed before its graph is built. */
typedef struct fx_case_change {
    bool recast; /* every tensor of dtype `from` gets dtype `to` */
    fx_dtype from, to;
    bool symbolic; /* dim 0 of the first tensor becomes a symbol s0 in [0, 4096] with the case's size as hint */
} fx_case_change;

/* A module with one placeholder per tensor (x0, x1, ...), one call of op, and its results as outputs (of a tuple: through getitem
 * nodes); change may be NULL. NULL after a failed check. Types are not inferred: the caller does that (fx_graph_propagate,
 * fx__op_infer). */
fx_module *fx_case_module(fx_context *context, const fx_op *op, const char *args, const fx_case_change *change);
fx_node *fx_case_call(fx_module *module); /* the call */

/* Appends the call of a case to a graph. operand gives a node for each tensor of the case, or NULL to give up. NULL: given up, or a
 * size of the case is a symbol. */
typedef fx_node *(*fx_case_operand)(void *user, const fx_type *type);
fx_node *fx_case_append(fx_graph *graph, const fx_op *op, const char *args, fx_case_operand operand, void *user);
/* Infers the call's type and binds all its arguments: the module's graph becomes a core graph. */
fx_status fx_case_make_core(fx_module *module);
/* Dtype of the first float tensor of a case, else that of its first tensor; FX_DTYPE_COUNT without tensors. */
fx_dtype fx_case_dtype(const char *args);

typedef struct fx_case_tensors {
    fx_tensor tensor[FX_CASE_INPUTS];
    int32_t n;
} fx_case_tensors;
/* Random inputs for the placeholders (symbols at their hints): floats in [lo, hi), integers in [int_lo, int_hi]. */
fx_case_tensors fx_case_random(fx_module *module, uint64_t *seed, double lo, double hi, int64_t int_lo, int64_t int_hi);
void fx_case_release(fx_case_tensors *tensors);

#endif
