/* SPDX-License-Identifier: Apache-2.0 */
/* passes/mutate.h: the parts of `functionalise`: pure spellings of in-place calls (passes/pure.c), writing through views
 * (passes/view_write.c), and indices x[1:3, None] as chains of views (passes/index.c). */
#ifndef FX_PASSES_MUTATE_H
#define FX_PASSES_MUTATE_H

#include "passes/core.h"

/* The base after `value` was written through `view`, made of nodes before `before`; NULL after a diagnostic. */
typedef fx_node *(*fx__view_write)(fx_node *before, const fx_node *view, fx_node *base, fx_node *value);
/* NULL: the node's result does not share its input's memory. */
fx__view_write fx__view_write_of(const fx_node *node);

/* The value of `self` after an in-place call: nodes before the call. NULL after a diagnostic. */
fx_node *fx__pure_value(fx_node *call, fx_node *self);
/* A tensor or number as a value of the type of `like`: cast and expanded. */
fx_node *fx__pure_spread(fx_node *before, fx_node *like, const fx_attr *value);

/* Whether a call is x[index] with an index that needs more than one selected element. */
bool fx__index_is_views(const fx_node *node);
/* x[index] as select, slice and unsqueeze nodes before `before`; x itself when the index takes all. NULL after a diagnostic. */
fx_node *fx__index_views(fx_node *before, fx_node *x, const fx_attr *index);

#endif
