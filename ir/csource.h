/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource.h: C source under construction: see fx_graph_to_c in fxjit/source.h. */
#ifndef FX_IR_CSOURCE_H
#define FX_IR_CSOURCE_H

#include "fxjit/source.h"
#include "ir/graph.h"

typedef struct fx_csource {
    const fx_graph *graph;
    fx_arena *arena;
    fx_text *text;
    bool plain;              /* variables are nodes of a graph without tracer (the body of a call), not values */
    fx_map *bodies;          /* node -> name of the function that makes its body */
    const char **variable;   /* [ids]: in C; NULL: not made yet */
    struct fx_names *words;  /* C identifiers that are taken */
    struct fx_names *names;  /* as they will be when the function runs: node names that are taken */
} fx_csource;

const char *fx__csource_variable(fx_csource *c, const fx_node *node);
/* An expression of type fx_node *. */
void fx__csource_node(fx_csource *c, const fx_node *node);
/* A string literal. */
void fx__csource_string(fx_csource *c, const char *value);
/* An expression of type fx_attr. */
void fx__csource_value(fx_csource *c, const fx_attr *value);
/* An integer constant, as wide as it needs: 3, INT64_C(5000000000). */
void fx__csource_int(fx_csource *c, int64_t value);
/* A double: 0.1, INFINITY. */
void fx__csource_double(fx_csource *c, double value);
/* FX_F32 */
void fx__csource_dtype(fx_csource *c, fx_dtype dtype);
/* (fx_type){FX_F32, 2, {3, fx_graph_parse_dim(graph, "s0")}} */
void fx__csource_type(fx_csource *c, const fx_type *type);
/* Whether a function of fxjit/ops.h records just this call; and the expression that calls it. */
bool fx__csource_has_function(const fx_node *node);
void fx__csource_call(fx_csource *c, const fx_node *node);

#endif
