/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rounding.h: what passes that `precision` switches have changed of a graph's own rounding, in words for people. A node that
 * a rewrite has made carries it as meta, sentence by sentence with the names of the nodes that were there before; a pair of nodes
 * that were joined has it as `because` of its record in the program. Strict compilations have neither. */
#ifndef FX_PASSES_ROUNDING_H
#define FX_PASSES_ROUNDING_H

#include "ir/graph.h"

/* A dict from sentences to lists of names. */
#define FX_ROUNDING_KEY "fxjit.rounding"

/* This node's value is not rounded as the named node's would have been. */
fx_status fx__rounding_add(fx_node *node, const char *sentence, const char *name);
/* `old` goes, and `node`, made by a rewrite of that sentence, stands for it: its own name, or those that it got by the same
 * sentence. */
fx_status fx__rounding_succeed(fx_node *node, const char *sentence, const fx_node *old);
/* Whatever was said of `from` holds for `to`, which takes its place or is computed of it. */
fx_status fx__rounding_inherit(fx_node *to, const fx_node *from);
/* What was said of an earlier compilation is no concern of this one. */
fx_status fx__rounding_forget(fx_graph *graph);
/* The number of sentences; the i-th one, and its names as a list of strings. */
int32_t fx__rounding_count(const fx_node *node);
const char *fx__rounding_sentence(const fx_node *node, int32_t i);
const fx_attr *fx__rounding_names(const fx_node *node, int32_t i);

#endif
