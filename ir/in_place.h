/* SPDX-License-Identifier: Apache-2.0 */
/* ir/in_place.h: what calls that change a tensor do, and which results share the memory of an argument: what the interpreter (which
 * does it) and the pass `functionalise` (which takes it apart) must agree on. */
#ifndef FX_IR_IN_PLACE_H
#define FX_IR_IN_PLACE_H

#include "ir/op.h"

typedef enum fx_in_place_kind {
    FX_IN_PLACE_NONE, /* no call that changes anything */
    FX_IN_PLACE_CALL, /* self = op(self, ...), op by fx__in_place_op */
    FX_IN_PLACE_COPY, /* self = argument 1, a tensor or a number: copy_, fill_ */
    FX_IN_PLACE_ZERO,
    FX_IN_PLACE_SETITEM, /* self[argument 1] = argument 2 */
    FX_IN_PLACE_NOTHING  /* detach_, requires_grad_ */
} fx_in_place_kind;
fx_in_place_kind fx__in_place_kind(const fx_node *node);
/* The pure operator of a call that is FX_IN_PLACE_CALL: add of add_, operator.iadd, relu(inplace=True). NULL: there is none. */
const fx_op *fx__in_place_op(const fx_node *node);
/* The arguments that the pure operator takes: without `inplace`, by position (the last one) or keyword. */
fx_attr fx__in_place_args(const fx_node *node);
fx_attr fx__in_place_kwargs(const fx_node *node);
/* Whether a function of torch.nn.functional is given inplace=True, by position or keyword. */
bool fx__in_place_flag(const fx_node *node);
/* The tensor that is changed; NULL: no tensor. */
fx_node *fx__in_place_target(const fx_node *node);

/* How a call's result lies in the memory of its first argument, as torch does it. */
typedef enum fx_alias_kind {
    FX_ALIAS_NONE,     /* memory of its own */
    FX_ALIAS_SELF,     /* the argument itself: detach, dropout in inference */
    FX_ALIAS_VIEW,     /* some of its elements: transpose, slice, expand, ... */
    FX_ALIAS_STRIDED,  /* a view where strides can express it, else a copy: reshape, flatten */
    FX_ALIAS_PACKED,   /* the argument itself when its elements lie in order, else a copy: contiguous */
    FX_ALIAS_SAME_TYPE /* the argument itself when it has the dtype already: to() */
} fx_alias_kind;
/* getitem is a VIEW of a tensor, or of what was taken apart into the tuple (see fx__alias_tuple). */
fx_alias_kind fx__alias_kind(const fx_node *node);
/* Whether the node's results are parts of its first argument: split, chunk, unbind. */
bool fx__alias_tuple(const fx_node *node);

/* What a view is a view of: argument 0, or that of the call that made its tuple; NULL: memory of its own. */
fx_node *fx__alias_base(const fx_node *node);

/* Batch normalisation in training changes its running statistics, if it has some. Where the rows' arguments stand; NULL: no such
 * row. */
typedef struct fx_train_layout {
    int32_t weight, bias, mean, var;
} fx_train_layout;
const fx_train_layout *fx__train_layout_of(const fx_node *node);
bool fx__train_is(const fx_node *node);
/* The running mean and variance that the call changes; NULL: it has none. */
void fx__train_targets(const fx_node *node, fx_node *out[2]);

/* A get_attr or placeholder node of a core graph that a write-back names: its tensor holds another value after the run, so that it
 * is no constant. Write-backs are copy_ calls; they take place together, when everything has been computed. */
bool fx__is_write_back(const fx_node *node);
bool fx__is_written_back(const fx_node *node);

/* Why a write cannot be: torch's sentence about views whose elements share memory. */
#define FX_OVERLAP_TEXT                                                                                                            \
    "more than one element of the written-to tensor refers to a single memory location; clone() the tensor before changing it"

#endif
