/* SPDX-License-Identifier: Apache-2.0 */
/* test/source_graphs.h: graphs that are written as C source when the tests are built, and traced again from it when they run. */
#ifndef FX_TEST_SOURCE_GRAPHS_H
#define FX_TEST_SOURCE_GRAPHS_H

#include "fxjit/graph.h"

/* Names, also of the functions that trace them: "build_" and the name. */
#define FX_SOURCE_GRAPHS(X) X(mlp) X(convnet) X(dynamic) X(moves) X(pool) X(shapes) X(traced) X(arguments) X(names) X(bodies) X(regions) X(assumed) X(tree) \
    X(nothing)

/* The module of this name; NULL: it could not be made. */
FX_GIVES fx_module *fx_test_source_graph(fx_context *context, const char *name);

#endif
