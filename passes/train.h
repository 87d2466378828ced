/* SPDX-License-Identifier: Apache-2.0 */
/* passes/train.h: batch normalisation in training, for `functionalise`: it changes its running statistics. */
#ifndef FX_PASSES_TRAIN_H
#define FX_PASSES_TRAIN_H

#include "ir/in_place.h"
#include "passes/core.h"

typedef struct fx_train_values {
    fx_node *result[3]; /* normalised input, mean and 1 / deviation of the batch (NULL: not asked for) */
    fx_node *running[2];
} fx_train_values;
/* What a call computes, as nodes before it. */
fx_status fx__train_values(fx_node *node, fx_train_values *out);
/* Users of the call, or of its getitem nodes, use the values; the call is erased. */
fx_status fx__train_replace(fx_node *node, const fx_train_values *values);

#endif
