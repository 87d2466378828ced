/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_row.h: descriptors of element-wise operators in one line each. */
#ifndef FX_OPS_POINTWISE_ROW_H
#define FX_OPS_POINTWISE_ROW_H

#include "ir/lower.h"
#include "ir/ops/pointwise_ref.h"

#define ROW(name_, overload_, schema_, dtypes_, dtype_, shape_, ulp_, lower_, vjp_, cases_, names_, onnx_, ...)                    \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ "." overload_,                                                 \
                                 .schema = #name_ schema_ " -> Tensor",                                                            \
                                 .names = names_,                                                                                  \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "element-wise",                                                                         \
                                 .dtypes = dtypes_,                                                                                \
                                 .ulp = ulp_,                                                                                      \
                                 .dtype = dtype_,                                                                                  \
                                 .shape = shape_,                                                                                  \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .lower = lower_,                                                                                  \
                                 .vjp = vjp_,                                                                                      \
                                 .cases = cases_,                                                                                  \
                                 __VA_ARGS__}

/* A row of scalar.def with one operand, with two. */
#define SCALAR1(name_, scalar_, dtypes_, rule_, ulp_, vjp_, cases_, names_, onnx_, ...)                                            \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ ".default",                                                    \
                                 .schema = #name_ "(Tensor self) -> Tensor",                                                       \
                                 .names = "torch." #name_ " method:" #name_ " " names_,                                            \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "element-wise",                                                                         \
                                 .dtypes = dtypes_,                                                                                \
                                 .scalar = 1 + FX_SCALAR_##scalar_,                                                                \
                                 .ulp = ulp_,                                                                                      \
                                 .dtype = rule_,                                                                                   \
                                 .shape = fx__rule_shape_same,                                                                     \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .lower = fx__lower_scalar,                                                                        \
                                 .vjp = vjp_,                                                                                      \
                                 .cases = cases_,                                                                                  \
                                 __VA_ARGS__}
#define SCALAR2(name_, overload_, scalar_, dtypes_, rule_, ulp_, vjp_, cases_, names_, onnx_, ...)                                 \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ "." overload_,                                                 \
                                 .schema = #name_ "(TensorOrScalar self, TensorOrScalar other) -> Tensor",                         \
                                 .names = "torch." #name_ " method:" #name_ " torch.ops.aten." #name_ ".Scalar " names_,           \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "element-wise",                                                                         \
                                 .dtypes = dtypes_,                                                                                \
                                 .scalar = 1 + FX_SCALAR_##scalar_,                                                                \
                                 .ulp = ulp_,                                                                                      \
                                 .dtype = rule_,                                                                                   \
                                 .shape = fx__rule_shape_broadcast,                                                                \
                                 .reference = fx__ref_##name_,                                                                     \
                                 .lower = fx__lower_scalar,                                                                        \
                                 .vjp = vjp_,                                                                                      \
                                 .cases = cases_,                                                                                  \
                                 __VA_ARGS__}
#define EXACT FX_ULP_EXACT
#define ROUNDED 0.5 /* the correctly rounded value */
#define SAME fx__rule_dtype_same
#define PROMOTE fx__rule_dtype_promote
#define FLOAT fx__rule_dtype_float
#define BOOLEAN fx__rule_dtype_bool
#define BROADCAST fx__rule_shape_broadcast
#define KEEP fx__rule_shape_same

#endif
