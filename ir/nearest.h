/* SPDX-License-Identifier: Apache-2.0 */
/* ir/nearest.h: how far two words are apart, for messages that guess what was meant. */
#ifndef FX_IR_NEAREST_H
#define FX_IR_NEAREST_H

#include "fxjit/types.h"

/* Letters to add, drop or replace; neighbours that changed places count once. Words that are too long are far apart. */
int fx__nearest_distance(const char *a, const char *b);

#endif
