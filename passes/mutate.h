/* SPDX-License-Identifier: Apache-2.0 */
/* passes/mutate.h: the parts of `functionalise`: pure values of in-place calls (passes/pure.c), strides of views (view_stride.c),
 * writing through views (view_write.c), and indices x[1:3, None] as chains of views (passes/index.c). */
#ifndef FX_PASSES_MUTATE_H
#define FX_PASSES_MUTATE_H

#include "ir/in_place.h"
#include "passes/core.h"

/* ---- view_stride.c: how a value lies in the memory of the tensor that it is a view of ------------------------------------------ */

typedef struct fx_strides {
    bool known;
    fx_dim stride[FX_RANK]; /* elements */
} fx_strides;
/* Row-major; not known for a type that is not known. */
fx_strides fx__strides_packed(fx_graph *graph, const fx_type *type);
/* Of a node whose result shares the memory of `base`, which lies as `from` says. False: it is a copy after all. */
bool fx__strides_of(const fx_node *node, const fx_node *base, const fx_strides *from, fx_strides *out);
/* Whether several elements are one place in memory. */
bool fx__strides_overlap(const fx_type *type, const fx_strides *strides);

/* ---- view_write.c ---------------------------------------------------------------------------------------------------------------- */

/* The base after `value` was written through `view`, made of nodes before `before`; NULL after a diagnostic. base: the value of the
 * tensor that view is a view of; of a getitem of split, chunk or unbind, what was split. */
fx_node *fx__view_write(fx_node *before, const fx_node *view, fx_node *base, fx_node *value);
/* The view taken anew of another value of its base. */
fx_node *fx__view_again(fx_node *before, const fx_node *view, fx_node *base);

/* ---- pure.c ------------------------------------------------------------------------------------------------------------------------ */

/* The value of `self` after an in-place call: nodes before the call. NULL after a diagnostic. */
fx_node *fx__pure_value(fx_node *call, fx_node *self);
/* A tensor or number as a value of the type of `like`: cast and expanded. */
fx_node *fx__pure_spread(fx_node *before, fx_node *like, const fx_attr *value);
/* The same cast only; a number becomes a scalar. */
fx_node *fx__pure_cast(fx_node *before, const fx_attr *value, fx_dtype dtype);

/* ---- index.c ----------------------------------------------------------------------------------------------------------------------- */

/* Whether a call is x[index] with an index that needs more than one selected element. */
bool fx__index_is_views(const fx_node *node);
/* x[index] as select, slice and unsqueeze nodes before `before`; x itself when the index takes all. NULL after a diagnostic.
 * With `tensors`, whole dims stand where the index has tensors, which are put into tensors[dim of the result]; else these are
 * refused. */
fx_node *fx__index_views(fx_node *before, fx_node *x, const fx_attr *index, fx_node *tensors[FX_RANK]);

#endif
