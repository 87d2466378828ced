/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/index_ref.h: what operators on index tensors share: one index, and error bounds of operators that move elements. */
#ifndef FX_OPS_INDEX_REF_H
#define FX_OPS_INDEX_REF_H

#include "runtime/ref.h"

/* The index at these coordinates of a tensor of indices (right-aligned, broadcast), counted from the end when negative, into a dim
 * of this size; -1: outside. */
int64_t fx__index_at(const fx_tensor *indices, int32_t rank, const int64_t *at, int64_t size);
/* Whether any element of the errors of argument p is not 0: an index that may be another one. */
bool fx__index_in_doubt(const fx_rt_bound *call, int32_t p);
/* Every element of every error. */
void fx__index_no_bound(const fx_rt_bound *call);

#endif
