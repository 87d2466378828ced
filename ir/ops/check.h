/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/check.h: what the shape rules of many families share: texts of sizes and types for messages, equality of sizes that
 * may be symbolic (an assumption is recorded where it cannot be proved), and inserting nodes while decomposing. */
#ifndef FX_IR_OPS_CHECK_H
#define FX_IR_OPS_CHECK_H

#include "ir/op.h"

typedef struct fx_check_text {
    char s[96];
} fx_check_text;

/* "s0 + 1", "f32[2, s0]"; cut when too long. Used inside one call: fx__check_type(call, x).s */
fx_check_text fx__check_dim(const fx_call *call, fx_dim dim);
fx_check_text fx__check_type(const fx_call *call, const fx_type *type);
/* False when the sizes can never be equal; otherwise they are from now on, by proof or by a recorded assumption. */
bool fx__check_equal(const fx_call *call, fx_dim a, fx_dim b, const char *why);
/* FX_E_SHAPE unless lo <= rank <= hi. */
fx_status fx__check_rank(const fx_call *call, int32_t index, int32_t lo, int32_t hi);
/* FX_E_TYPE unless every present tensor argument has the dtype of the first one, which becomes that of the result. */
fx_status fx__check_dtypes_equal(fx_call *call);
/* FX_E_SHAPE when an optional vector argument is not [length]. */
fx_status fx__check_vector(const fx_call *call, int32_t index, fx_dim length);
/* Product of dims [from, to). */
fx_dim fx__check_product(const fx_call *call, const fx_type *type, int32_t from, int32_t to);
/* Whether anybody may read this result of several. */
bool fx__check_uses(const fx_call *call, int32_t result);
/* A node of a table operator before call->node, all arguments given, with its types; NULL after a diagnostic. */
fx_node *fx__check_insert(fx_graph *graph, const fx_call *call, fx_op_code op, const fx_attr *args, int32_t n_args);

#endif
