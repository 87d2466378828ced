/* SPDX-License-Identifier: Apache-2.0 */
/* passes/flops.h: what one call of the operator table costs. */
#ifndef FX_PASSES_FLOPS_H
#define FX_PASSES_FLOPS_H

#include "ir/op.h"

/* Operations of a call with known types; sizes with symbols are their hints. */
int64_t fx__flops_of(const fx_call *call);
int64_t fx__flops_elems(const fx_dims *dims, const fx_type *type);

#endif
