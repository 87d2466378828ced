/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_ref.h: reference kernels of the element-wise operators. Rows of scalar.def get theirs from the lists here:
 * fx__ref_NAME applies the scalar to each element, in the result's dtype (comparisons: in the operands' common dtype). */
#ifndef FX_OPS_POINTWISE_REF_H
#define FX_OPS_POINTWISE_REF_H

#include "runtime/ref.h"

/* operator, row of scalar.def, row of scalar.def on bool */
#define FX_POINTWISE_UNARY(X)                                                                                                    \
    X(relu, RELU, RELU)
#define FX_POINTWISE_BINARY(X)                                                                                                   \
    X(add, ADD, OR)

#define FX_REF_DECLARE(name, scalar, on_bool) fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results);
FX_POINTWISE_UNARY(FX_REF_DECLARE)
FX_POINTWISE_BINARY(FX_REF_DECLARE)
#undef FX_REF_DECLARE


#endif
