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
    bool plain;             /* variables are nodes of a graph without tracer (of a body, region or submodule), not values */
    const char *name;       /* of the file's function */
    const char *module;     /* expression for the graph's module; NULL: it has none */
    fx_map *functions;      /* body, region or submodule -> name of the function that makes it */
    fx_map *first;          /* module -> 1 + index of its first tensor */
    const char **variable;  /* [ids]: in C; NULL: not made yet */
    struct fx_names *words; /* C identifiers that are taken */
    struct fx_names *names; /* as they will be when the function runs: node names that are taken */
} fx_csource;

/* ---- csource.c -------------------------------------------------------------------------------------------------------------- */

bool fx__csource_begin(fx_csource *c);
void fx__csource_statement(fx_csource *c, const fx_node *node);
const char *fx__csource_variable(fx_csource *c, const fx_node *node);
/* An expression of type fx_node *. */
void fx__csource_node(fx_csource *c, const fx_node *node);
/* ---- csource_value.c, csource_call.c ---------------------------------------------------------------------------------------- */

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

/* ---- csource_module.c ------------------------------------------------------------------------------------------------------- */

/* One function for each graph or module inside this one, those inside before those that hold them. */
bool fx__csource_functions(const fx_csource *file, const fx_graph *graph);
bool fx__csource_modules(const fx_csource *file, const fx_module *module);
/* Gives every module of the tree its place in the row of tensors; the row, as lines of a comment. */
bool fx__csource_number(fx_csource *c, const fx_module *module, const char *path, int32_t *n);
/* Statements: the module's tensors, facts and submodules; symbols and assumptions; how inputs and outputs are nested. */
void fx__csource_contents(fx_csource *c);
void fx__csource_symbols(fx_csource *c);
void fx__csource_specs(fx_csource *c);
/* What cannot end the comment that it stands in. */
void fx__csource_remark(fx_csource *c, const char *text);

#endif
