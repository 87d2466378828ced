/* SPDX-License-Identifier: Apache-2.0 */
/* test/random_graph.h: seeded random modules for differential tests. Every row of the operator table takes part; a node that the
 * shape rules refuse is drawn again, so the generator needs no copy of those rules. */
#ifndef FX_TEST_RANDOM_GRAPH_H
#define FX_TEST_RANDOM_GRAPH_H

#include "fxjit/compile.h"

typedef struct fx_random_options {
    int32_t min_nodes, max_nodes; /* 0: 10 and 40 */
    bool exact;                   /* only operators that are exact on small integers, and small integers as weights */
    int32_t *drawn;               /* [fx_op_count()], counts what was drawn; may be NULL */
} fx_random_options;

/* A module with one to three inputs, weights of its own memory, and one to three outputs. NULL only when out of memory. */
fx_module *fx_test_random_module(fx_context *context, uint64_t seed, const fx_random_options *options);
/* Seeded inputs (or the exact kind) for a module's input types; the caller releases them. */
void fx_test_random_inputs(const fx_module *module, uint64_t seed, bool exact, fx_tensor *inputs);

#endif
