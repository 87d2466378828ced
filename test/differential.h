/* SPDX-License-Identifier: Apache-2.0 */
/* test/differential.h: random graphs through all forms. The interpreter says what a graph means; the core graph, the program after
 * every pass (evaluated with scalar loops), and native code on one and two threads must agree. The first form that differs is
 * named. FXJIT_SEEDS=N sets the number of graphs, FXJIT_SEED=K runs one. */
#ifndef FX_TEST_DIFFERENTIAL_H
#define FX_TEST_DIFFERENTIAL_H

#include <stdbool.h>
#include <stdint.h>

/* Graphs of the seeds from `first` on; prints how often each operator was drawn. With as many graphs as by default every row must
 * be drawn fifty times (exact: every row that is exact on integers). exact: small integers as data, results equal bit for bit. */
void fx_test_differential(uint64_t first, uint64_t default_graphs, bool exact);

#endif
