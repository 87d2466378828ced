/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_table.c: what torch's functions and methods mean that are no rows of the operator table themselves, by signature.
 * One-to-one names stand in the rows (fx_op.names). Where a name has several signatures, those with more tensors come first: a
 * tensor may also stand for an integer that is known at run time only. */
#include "passes/spell.h"

const fx_spelling fx__spell_table[] = {
    /* Types and places */
    {"method:float", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, f32)", NULL, NULL},
    {"method:double", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, f64)", NULL, NULL},
    {"method:half", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, f16)", NULL, NULL},
    {"method:bfloat16", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, bf16)", NULL, NULL},
    {"method:long", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, i64)", NULL, NULL},
    {"method:int", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, i32)", NULL, NULL},
    {"method:short", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, i16)", NULL, NULL},
    {"method:char", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, i8)", NULL, NULL},
    {"method:byte", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, u8)", NULL, NULL},
    {"method:bool", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "_to_copy(self, bool)", NULL, NULL},
    {"method:type_as", "(Tensor self, Tensor other) -> Tensor", "_to_copy(self, dtype(other))", NULL, NULL},
    {"method:type", "(Tensor self, ScalarType dtype) -> Tensor", "_to_copy(self, dtype)", NULL, NULL},
    {"method:to torch.ops.aten.to.device torch.ops.aten.to.dtype_layout torch.ops.aten.to.other ",
     "(Tensor self, Layout a=None, Layout b=None, Layout c=None, Layout d=None, Layout e=None, *, Layout dtype=None, Layout "
     "device=None, "
     "Layout other=None, Layout layout=None, Layout pin_memory=None, Layout non_blocking=None, Layout copy=None, "
     "Layout memory_format=None) -> Tensor",
     NULL, NULL, fx__spell_build_to},
    {"method:cpu method:cuda method:detach_ method:requires_grad_ method:pin_memory method:share_memory_",
     "(Tensor self, Layout a=None, *, Layout b=None) -> Tensor", "self", NULL, NULL},

    /* Shapes */
    {"method:view_as method:reshape_as", "(Tensor self, Tensor other) -> Tensor", "reshape(self, shape(other))", NULL, NULL},
    {"method:expand_as", "(Tensor self, Tensor other) -> Tensor", "expand(self, shape(other))", NULL, NULL},
    {"torch.ravel method:ravel", "(Tensor self) -> Tensor", "reshape(self, [-1])", NULL, NULL},
    {"torch.adjoint method:adjoint", "(Tensor self) -> Tensor", "transpose(self, -2, -1)", NULL, NULL},
    {"builtins.getattr", "(Tensor self, str name) -> Tensor", "transpose(self, -2, -1)", "name='mT'", NULL},
    {"builtins.getattr", "(Tensor self, str name) -> Tensor", NULL, "name='T'", fx__spell_build_reverse},
    {"builtins.getattr", "(Tensor self, str name) -> Tensor", NULL, "name='H'", fx__spell_build_reverse},
    {"torch.movedim torch.moveaxis method:movedim method:moveaxis", "(Tensor self, int[] source, int[] destination) -> Tensor",
     NULL, NULL, fx__spell_build_movedim},
    {"torch.fliplr method:fliplr", "(Tensor self) -> Tensor", "flip(self, [1])", NULL, NULL},
    {"torch.flipud method:flipud", "(Tensor self) -> Tensor", "flip(self, [0])", NULL, NULL},
    {"operator.getitem method:__getitem__", "(Tensor self, Layout index) -> Tensor", NULL, NULL, fx__spell_build_index},
    {"torch.hstack", "(Tensor[] tensors) -> Tensor", "cat(tensors, 1)", NULL, NULL},
    {"torch.nn.functional.one_hot", "(Tensor self, int num_classes) -> Tensor",
     "_to_copy(eq(unsqueeze(self, -1), arange(num_classes)), i64)", NULL, NULL},

    /* Assertions */
    {"torch._assert_async torch.ops.aten._assert_async.default", "(Tensor self) -> Tensor",
     "_assert_async(self, 'Expected Tensor with single nonzero value, but got zero')", NULL, NULL},

    /* New tensors */
    {"torch.tensor torch.scalar_tensor torch.as_tensor torch.ops.aten.scalar_tensor.default",
     "(Scalar data, *, ScalarType? dtype=None, Layout layout=None, Device device=None, bool? pin_memory=None, bool "
     "requires_grad=False) "
     "-> Tensor",
     "full([], data, dtype=dtype)", NULL, NULL},

    /* Reductions */
    {"torch.max method:max", "(Tensor self, Tensor other) -> Tensor", "maximum(self, other)", NULL, NULL},
    {"torch.max method:max torch.ops.aten.max.dim", "(Tensor self, int dim, bool keepdim=False) -> Tensor",
     "tuple([amax(self, [dim], keepdim), argmax(self, dim, keepdim)])", NULL, NULL},
    {"torch.max method:max", "(Tensor self) -> Tensor", "amax(self)", NULL, NULL},
    {"torch.min method:min", "(Tensor self, Tensor other) -> Tensor", "minimum(self, other)", NULL, NULL},
    {"torch.min method:min torch.ops.aten.min.dim", "(Tensor self, int dim, bool keepdim=False) -> Tensor",
     "tuple([amin(self, [dim], keepdim), argmin(self, dim, keepdim)])", NULL, NULL},
    {"torch.min method:min", "(Tensor self) -> Tensor", "amin(self)", NULL, NULL},
    {"torch.aminmax method:aminmax", "(Tensor self, *, int dim, bool keepdim=False) -> Tensor",
     "tuple([amin(self, [dim], keepdim), amax(self, [dim], keepdim)])", NULL, NULL},
    {"torch.count_nonzero method:count_nonzero", "(Tensor self, int[]? dim=None) -> Tensor", "sum(ne(self, 0), dim)", NULL, NULL},
    {"torch.var method:var torch.std method:std torch.var_mean torch.std_mean", "(Tensor self, bool unbiased) -> Tensor", NULL,
     NULL, fx__spell_build_variance},
    {"torch.var method:var torch.std method:std torch.var_mean torch.std_mean torch.ops.aten.var.dim torch.ops.aten.std.dim "
     "torch.ops.aten.var_mean.dim torch.ops.aten.var.correction torch.ops.aten.std.correction torch.ops.aten.var_mean.correction",
     "(Tensor self, int[]? dim=None, Layout unbiased=None, bool keepdim=False, *, Layout correction=None) -> Tensor", NULL, NULL,
     fx__spell_build_variance},
    {"torch.nn.functional.softmin", "(Tensor input, int dim, int _stacklevel=3, ScalarType? dtype=None) -> Tensor",
     "softmax(neg(input), dim, dtype)", NULL, NULL},

    /* Arithmetic */
    {"torch.dot method:dot torch.inner torch.vdot", "(Tensor self, Tensor other) -> Tensor", "sum(mul(self, other))", NULL, NULL},
    {"torch.mv method:mv torch.linalg.matmul", "(Tensor self, Tensor other) -> Tensor", "matmul(self, other)", NULL, NULL},
    {"torch.outer torch.ger method:outer method:ger", "(Tensor self, Tensor other) -> Tensor",
     "mul(unsqueeze(self, 1), unsqueeze(other, 0))", NULL, NULL},
    {"method:__rtruediv__ method:__rdiv__", "(Tensor self, TensorOrScalar other) -> Tensor", "div(other, self)", NULL, NULL},
    {"method:__rpow__", "(Tensor self, TensorOrScalar other) -> Tensor", "pow(other, self)", NULL, NULL},
    {"method:__rmatmul__", "(Tensor self, Tensor other) -> Tensor", "matmul(other, self)", NULL, NULL},
    {"operator.pos torch.positive method:positive", "(Tensor self) -> Tensor", "self", NULL, NULL},
    {"torch.logaddexp method:logaddexp", "(Tensor self, Tensor other) -> Tensor",
     "add(maximum(self, other), log1p(exp(neg(abs(sub(self, other))))))", NULL, NULL},
    {"torch.frac method:frac", "(Tensor self) -> Tensor", "sub(self, trunc(self))", NULL, NULL},
    {"torch.logit method:logit", "(Tensor self) -> Tensor", "log(div(self, rsub(self, 1)))", NULL, NULL},
    {"torch.deg2rad method:deg2rad", "(Tensor self) -> Tensor", "mul(self, 0.017453292519943295)", NULL, NULL},
    {"torch.rad2deg method:rad2deg", "(Tensor self) -> Tensor", "mul(self, 57.29577951308232)", NULL, NULL},
    {"torch.hypot method:hypot", "(Tensor self, Tensor other) -> Tensor", "sqrt(add(mul(self, self), mul(other, other)))", NULL,
     NULL},

    /* Activations, with `inplace` by position */
    {"torch.nn.functional.relu", "(Tensor input, bool inplace) -> Tensor", "relu(input)", NULL, NULL},
    {"torch.nn.functional.relu6", "(Tensor input, bool inplace=False) -> Tensor", "relu6(input)", NULL, NULL},
    {"torch.nn.functional.silu", "(Tensor input, bool inplace=False) -> Tensor", "silu(input)", NULL, NULL},
    {"torch.nn.functional.mish", "(Tensor input, bool inplace=False) -> Tensor", "mish(input)", NULL, NULL},
    {"torch.nn.functional.hardswish", "(Tensor input, bool inplace=False) -> Tensor", "hardswish(input)", NULL, NULL},
    {"torch.nn.functional.hardsigmoid", "(Tensor input, bool inplace=False) -> Tensor", "hardsigmoid(input)", NULL, NULL},
    {"torch.nn.functional.selu", "(Tensor input, bool inplace=False) -> Tensor", "selu(input)", NULL, NULL},
    {"torch.nn.functional.elu", "(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor", "elu(input, alpha)", NULL, NULL},
    {"torch.nn.functional.celu", "(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor", "celu(input, alpha)", NULL, NULL},
    {"torch.nn.functional.leaky_relu", "(Tensor input, float negative_slope=0.01, bool inplace=False) -> Tensor",
     "leaky_relu(input, negative_slope)", NULL, NULL},
    {"torch.nn.functional.hardtanh", "(Tensor input, float min_val=-1.0, float max_val=1.0, bool inplace=False) -> Tensor",
     "hardtanh(input, min_val, max_val)", NULL, NULL},
    {"torch.nn.functional.threshold", "(Tensor input, float threshold, float value, bool inplace=False) -> Tensor",
     "threshold(input, threshold, value)", NULL, NULL},
    {"torch.nn.functional.tanhshrink", "(Tensor input) -> Tensor", "sub(input, tanh(input))", NULL, NULL},
    {"torch.ops.aten.log_sigmoid_forward.default", "(Tensor self) -> Tensor", "first(log_sigmoid(self))", NULL, NULL},
    {"torch.nn.functional.alpha_dropout torch.nn.functional.feature_alpha_dropout",
     "(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> Tensor", "input", "training=False", NULL},
    {"torch.ops.aten.native_dropout.default", "(Tensor input, float p, bool? train) -> Tensor", "first(input)", "train=False",
     NULL},

    /* Norms */
    {"torch.norm method:norm", "(Tensor self, str p, int[]? dim=None, bool keepdim=False) -> Tensor", "norm(self, 2, dim, keepdim)",
     "p='fro'", NULL},
    {"torch.linalg.vector_norm torch.linalg.norm",
     "(Tensor self, Scalar? ord=2, int[]? dim=None, bool keepdim=False, *, Layout dtype=None) -> Tensor",
     "norm(self, ord, dim, keepdim)", "dtype=None", NULL},
    {"torch.nn.functional.normalize", "(Tensor input, float p=2.0, int dim=1, float eps=1e-12) -> Tensor",
     "div(input, clamp_min(norm(input, p, [dim], True), eps))", NULL, NULL},
    {"torch.nn.functional.softmax", "(Tensor input, int dim, int _stacklevel, ScalarType? dtype=None) -> Tensor",
     "softmax(input, dim, dtype)", NULL, NULL},
    {"torch.nn.functional.log_softmax", "(Tensor input, int dim, int _stacklevel, ScalarType? dtype=None) -> Tensor",
     "log_softmax(input, dim, dtype)", NULL, NULL},
    {"torch.nn.functional.instance_norm",
     "(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? weight=None, Tensor? bias=None, "
     "bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> Tensor",
     "group_norm(input, size(input, 1), weight, bias, eps)", "use_input_stats=True", NULL},
    {"torch.nn.functional.cosine_similarity torch.cosine_similarity",
     "(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
     "div(sum(mul(x1, x2), [dim]), mul(clamp_min(sqrt(sum(mul(x1, x1), [dim])), eps), clamp_min(sqrt(sum(mul(x2, x2), [dim])), "
     "eps)))",
     NULL, NULL},

    /* Losses */
    {"torch.nn.functional.mse_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "mean(square(sub(input, target)))", "reduction='mean'", NULL},
    {"torch.nn.functional.mse_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "sum(square(sub(input, target)))", "reduction='sum'", NULL},
    {"torch.nn.functional.mse_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "square(sub(input, target))", "reduction='none'", NULL},
    {"torch.nn.functional.l1_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "mean(abs(sub(input, target)))", "reduction='mean'", NULL},
    {"torch.nn.functional.l1_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "sum(abs(sub(input, target)))", "reduction='sum'", NULL},
    {"torch.nn.functional.l1_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "abs(sub(input, target))", "reduction='none'", NULL},

    /* Pooling, padding, resizing */
    {"torch.nn.functional.interpolate torch.nn.functional.upsample",
     "(Tensor input, Layout size=None, Layout scale_factor=None, str mode='nearest', Layout align_corners=None, "
     "Layout recompute_scale_factor=None, bool antialias=False) -> Tensor",
     NULL, "antialias=False", fx__spell_build_interpolate},
};
const int32_t fx__spell_count = (int32_t)(sizeof fx__spell_table / sizeof fx__spell_table[0]);
