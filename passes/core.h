/* SPDX-License-Identifier: Apache-2.0 */
/* passes/core.h: what graph passes share: making nodes of a core graph, and asking about them. */
#ifndef FX_PASSES_CORE_H
#define FX_PASSES_CORE_H

#include "ir/graph.h"
#include "ir/op.h"

/* Binds a call's arguments to its row's schema, if that changes anything, and infers its types when its inputs have some.
 * *out_modified (may be NULL) becomes true when arguments changed. */
fx_status fx__core_bind(fx_node *node, bool *out_modified);
fx_status fx__core_settle(fx_node *node);
/* Settles the nodes from `first` up to, and without, `end`, and gives those without a source location that of `end`. */
fx_status fx__core_settle_range(fx_node *first, fx_node *end);
fx_status fx__core_keep_module(fx_node *node, const fx_node *from); /* meta module_path, if the node has none */
/* A settled call before `before`; n values in schema order, defaults follow. NULL after a diagnostic. */
fx_node *fx__core_call(fx_node *before, const char *target, const fx_attr *args, int32_t n);
/* Replaces a node by an earlier one everywhere and erases it. */
fx_status fx__core_replace(fx_node *node, fx_node *with);

/* The same by a value of any kind: items of tuples, lists and dicts go to the getitem nodes that take them, everything else has the
 * value itself as argument. */
fx_status fx__core_give(fx_node *node, const fx_attr *value);

/* The value depends on constants only: a get_attr node, or a few calls on such. */
bool fx__core_is_constant(const fx_node *node);
bool fx__core_same_type(const fx_node *a, const fx_node *b); /* both known and equal */
/* A list of the dims of a type. */
fx_attr fx__core_dims(fx_graph *graph, const fx_type *type);

#endif
