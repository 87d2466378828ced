/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise.c: element-wise operators. Those that are one row of scalar.def are one line here. */
#include "ir/lower.h"
#include "ir/op.h"
#include "ir/ops/pointwise_ref.h"

static const fx_case cases_unary[] = {
    {"(f32[2, 3])", NULL}, {"(f32[])", "scalar"}, {"(f32[0, 4])", "empty"}, {"(f32[1, 1, 5])", "size 1"}, {"(f32[3, 65])", "tails"}, {NULL, NULL},
};

#define UNARY(name_, scalar_, dtypes_, rule_, names_, onnx_)                                                                     \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                 \
                                 .target = "torch.ops.aten." #name_ ".default",                                                  \
                                 .schema = #name_ "(Tensor self) -> Tensor",                                                     \
                                 .names = names_,                                                                                \
                                 .onnx = onnx_,                                                                                  \
                                 .family = "element-wise",                                                                       \
                                 .dtypes = dtypes_,                                                                              \
                                 .scalar = 1 + FX_SCALAR_##scalar_,                                                              \
                                 .dtype = fx__rule_dtype_##rule_,                                                                \
                                 .shape = fx__rule_shape_same,                                                                   \
                                 .reference = fx__ref_##name_,                                                                   \
                                 .lower = fx__lower_scalar,                                                                      \
                                 .cases = cases_unary};

UNARY(relu, RELU, FX_NUMBERS, same, "torch.relu torch.nn.functional.relu method:relu module:torch.nn.ReLU", "Relu")

static const fx_case cases_binary[] = {
    {"(f32[2, 3], f32[2, 3])", NULL}, {"(f32[2, 3], f32[3])", "broadcast"},  {"(f32[2, 1], f32[1, 3])", "both broadcast"},
    {"(f32[], f32[4])", "0-dim"},     {"(f32[2, 3], 1.5)", "number"},        {"(f32[0, 3], f32[3])", "empty"},
    {"(i32[2, 3], f32[3])", "mixed"}, {"(f32[3, 65], f32[3, 65])", "tails"}, {NULL, NULL},
};

const fx_op fx_op_add = {
    .name = "add",
    .target = "torch.ops.aten.add.Tensor",
    .schema = "add(TensorOrScalar self, TensorOrScalar other, *, Scalar alpha=1) -> Tensor",
    .names = "torch.ops.aten.add.Scalar torch.add operator.add method:add method:__add__ method:__radd__",
    .onnx = "Add",
    .family = "element-wise",
    .dtypes = FX_ANY,
    .scalar = 1 + FX_SCALAR_ADD,
    .dtype = fx__rule_dtype_promote,
    .shape = fx__rule_shape_broadcast,
    .reference = fx__ref_add,
    .lower = fx__lower_scalar,
    .cases = cases_binary,
};
