/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_table.c: what torch's functions and methods mean that are no rows of the operator table themselves, by signature.
 * One-to-one names stand in the rows (fx_op.names). Where a name has several signatures, those with more tensors come first: a
 * tensor may also stand for an integer that is known at run time only. */
#include "passes/spell.h"

/* Of dims, where it is finite: what exponents are taken relative to. */
#define LARGEST(keepdim) "masked_fill(amax(self, dim, " #keepdim "), isinf(amax(self, dim, " #keepdim ")), 0)"
/* Below zero, or the zero that divides to below zero. */
#define SIGNED(x) "logical_or(lt(" #x ", 0), lt(reciprocal(" #x "), 0))"
/* Magnitudes, so that no square overflows. */
#define LARGER "maximum(abs(self), abs(other))"
#define SMALLER "minimum(abs(self), abs(other))"
/* |self| in the type that both have together, floats at least. */
#define MAGNITUDE "add(abs(div(self, 1)), zeros_like(other))"
#define CENTRED "sub(self, mean(self, [1], True))"
#define DISTANCE(a, b) "norm(add(sub(" #a ", " #b "), eps), p, [-1])"
#define EUCLID(a, b) "norm(add(sub(" #a ", " #b "), 1e-06), 2, [-1])"
/* The scores of target classes beside all others. */
#define OF_TARGET "gather(input, 1, unsqueeze(target, 1))"

#define INDICES(n)                                                                                                                 \
    {                                                                                                                              \
        "F:max_pool" n "d_with_indices",                                                                                           \
            "(Tensor input, int[" n "] kernel_size, int[" n "]? stride=None, int[" n "] padding=0, int[" n                         \
            "] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor",                                            \
            "max_pool" n "d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)", NULL, NULL                    \
    }

const fx_spelling fx__spell_table[] = {
    /* Types and places */
    {"method:float", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, f32)", NULL, NULL},
    {"method:double", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, f64)", NULL, NULL},
    {"method:half", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, f16)", NULL, NULL},
    {"method:bfloat16", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, bf16)", NULL, NULL},
    {"method:long", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, i64)", NULL, NULL},
    {"method:int", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, i32)", NULL, NULL},
    {"method:short", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, i16)", NULL, NULL},
    {"method:char", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, i8)", NULL, NULL},
    {"method:byte", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, u8)", NULL, NULL},
    {"method:bool", "(Tensor self, *, MemoryFormat m=None) -> Tensor", "cast(self, bool)", NULL, NULL},
    {"method:type_as", "(Tensor self, Tensor other) -> Tensor", "cast(self, dtype(other))", NULL, NULL},
    {"method:type", "(Tensor self, ScalarType dtype) -> Tensor", "cast(self, dtype)", NULL, NULL},
    {"method:to torch.ops.aten.to.device torch.ops.aten.to.dtype torch.ops.aten.to.dtype_layout torch.ops.aten.to.other",
     "(Tensor self, Layout a=None, Layout b=None, Layout c=None, Layout d=None, Layout e=None, *, Layout dtype=None, Layout "
     "device=None, Layout other=None, Layout layout=None, Layout pin_memory=None, Layout non_blocking=None, Layout copy=None, "
     "Layout memory_format=None) -> Tensor",
     NULL, NULL, fx__spell_build_to},
    {"any:conj any:resolve_conj any:resolve_neg any:real any:conj_physical", "(Tensor self) -> Tensor", "self", NULL, NULL},
    {"any:isreal", "(Tensor self) -> Tensor", "full_like(self, True, dtype=bool)", NULL, NULL},
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
    {"any:rot90", "(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", NULL, NULL, fx__spell_build_rot90},
    {"any:hstack", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_join},
    {"any:vstack any:row_stack", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_join},
    {"any:dstack any:column_stack", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_join},
    {"any:atleast_1d any:atleast_2d any:atleast_3d", "(Tensor self) -> Tensor", NULL, NULL, fx__spell_build_at_least},
    {"any:meshgrid torch.ops.aten.meshgrid.indexing", "(Tensor[] tensors, *, str? indexing=None) -> Tensor", NULL, NULL,
     fx__spell_build_meshgrid},
    {"any:broadcast_tensors", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_broadcast},
    {"any:tensor_split torch.ops.aten.tensor_split.sections torch.ops.aten.tensor_split.indices",
     "(Tensor self, Layout indices_or_sections, int dim=0) -> Tensor", NULL, NULL, fx__spell_build_tensor_split},
    {"any:vsplit", "(Tensor self, Layout indices_or_sections) -> Tensor", NULL, NULL, fx__spell_build_tensor_split},
    {"any:hsplit", "(Tensor self, Layout indices_or_sections) -> Tensor", NULL, NULL, fx__spell_build_tensor_split},
    {"any:dsplit", "(Tensor self, Layout indices_or_sections) -> Tensor", NULL, NULL, fx__spell_build_tensor_split},
    {"any:repeat_interleave torch.ops.aten.repeat_interleave.self_int",
     "(Tensor self, Layout repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor", NULL, NULL, fx__spell_build_interleave},
    {"any:repeat_interleave torch.ops.aten.repeat_interleave.self_Tensor",
     "(Tensor self, Tensor repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor", NULL, NULL, fx__spell_build_interleave},
    {"any:diagonal torch.linalg.diagonal", "(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", NULL, NULL,
     fx__spell_build_diagonal},
    {"any:diag_embed", "(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", NULL, NULL, fx__spell_build_diag_embed},
    {"any:diag", "(Tensor self, int diagonal=0) -> Tensor", NULL, NULL, fx__spell_build_diag},
    {"any:diagflat", "(Tensor self, int offset=0) -> Tensor", NULL, NULL, fx__spell_build_diag},
    {"any:trace", "(Tensor self) -> Tensor", NULL, NULL, fx__spell_build_diag},
    {"any:as_strided", "(Tensor self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor", NULL, NULL,
     fx__spell_build_as_strided},
    {"method:unfold torch.ops.aten.unfold.default", "(Tensor self, int dimension, int size, int step) -> Tensor", NULL, NULL,
     fx__spell_build_unfold},
    {"method:sum_to_size", "(Tensor self, SymInt[] size) -> Tensor", NULL, NULL, fx__spell_build_sum_to_size},
    {"F:one_hot torch.ops.aten.one_hot.default", "(Tensor self, int num_classes) -> Tensor",
     "cast(eq(unsqueeze(self, -1), arange(num_classes)), i64)", NULL, NULL},

    /* Assertions */
    {"torch._assert_async torch.ops.aten._assert_async.default torch.fx.proxy.assert_fn", "(Tensor self) -> Tensor",
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
    {"any:aminmax", "(Tensor self, *, Layout dim=None, bool keepdim=False) -> Tensor", "tuple([amin(self), amax(self)])",
     "dim=None", NULL},
    {"any:aminmax", "(Tensor self, *, int dim, bool keepdim=False) -> Tensor",
     "tuple([amin(self, [dim], keepdim), amax(self, [dim], keepdim)])", NULL, NULL},
    {"torch.count_nonzero method:count_nonzero", "(Tensor self, int[]? dim=None) -> Tensor", "sum(ne(self, 0), dim)", NULL, NULL},
    {"torch.var method:var torch.std method:std torch.var_mean torch.std_mean torch.ops.aten.var.dim torch.ops.aten.std.dim "
     "torch.ops.aten.var_mean.dim torch.ops.aten.var.correction torch.ops.aten.std.correction torch.ops.aten.var_mean.correction",
     "(Tensor self, int[]? dim=None, Layout unbiased=None, bool keepdim=False, *, Layout correction=None) -> Tensor", NULL, NULL,
     fx__spell_build_variance},
    {"any:var any:std any:var_mean any:std_mean", "(Tensor self, bool unbiased) -> Tensor", NULL, NULL, fx__spell_build_variance},
    {"any:logsumexp torch.special.logsumexp", "(Tensor self, int[] dim, bool keepdim=False) -> Tensor",
     "add(log(sum(exp(sub(self, " LARGEST(True) ")), dim, keepdim)), " LARGEST(keepdim) ")", NULL, NULL},
    {"any:nansum", "(Tensor self, int[]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
     "sum(masked_fill(self, isnan(self), 0), dim, keepdim, dtype=dtype)", NULL, NULL},
    {"any:nanmean", "(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
     "div(sum(masked_fill(self, isnan(self), 0), dim, keepdim), sum(logical_not(isnan(self)), dim, keepdim))", NULL, NULL},
    {"any:dist", "(Tensor self, Tensor other, Scalar p=2) -> Tensor", "norm(reshape(sub(self, other), [-1]), p, [0])", NULL, NULL},
    {"any:msort", "(Tensor self) -> Tensor", "getitem(sort(self, 0), 0)", NULL, NULL},
    {"any:sort torch.ops.aten.sort.stable", "(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> Tensor",
     "sort(self, dim, descending)", NULL, NULL},
    {"any:argsort torch.ops.aten.argsort.stable", "(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor",
     "argsort(self, dim, descending)", NULL, NULL},
    {"any:kthvalue", "(Tensor self, int k, int dim=-1, bool keepdim=False) -> Tensor", NULL, NULL, fx__spell_build_kth},
    {"any:quantile", "(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor", NULL,
     "interpolation='linear'", fx__spell_build_quantile},
    {"any:median torch.ops.aten.median.dim", "(Tensor self, int dim, bool keepdim=False) -> Tensor", NULL, NULL,
     fx__spell_build_kth},
    {"any:median", "(Tensor self) -> Tensor", NULL, NULL, fx__spell_build_kth},
    {"any:searchsorted torch.ops.aten.searchsorted.Tensor",
     "(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False) -> Tensor",
     "cast(sum(logical_or(if(right, le(unsqueeze(sorted_sequence, -2), unsqueeze(self, -1)), lt(unsqueeze(sorted_sequence, -2), "
     "unsqueeze(self, -1))), unsqueeze(ne(self, self), -1)), [-1]), if(out_int32, i32, i64))",
     NULL, NULL},
    {"any:bucketize torch.ops.aten.bucketize.Tensor",
     "(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
     "cast(sum(logical_or(if(right, le(boundaries, unsqueeze(self, -1)), lt(boundaries, unsqueeze(self, -1))), "
     "unsqueeze(ne(self, self), -1)), [-1]), if(out_int32, i32, i64))",
     NULL, NULL},
    {"any:isin torch.ops.aten.isin.Tensor_Tensor",
     "(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor",
     "if(invert, logical_not(any(eq(unsqueeze(elements, -1), reshape(test_elements, [-1])), -1)), any(eq(unsqueeze(elements, -1), "
     "reshape(test_elements, [-1])), -1))",
     NULL, NULL},
    {"any:logcumsumexp", "(Tensor self, int dim) -> Tensor", NULL, NULL, fx__spell_build_logcumsumexp},
    {"any:diff", "(Tensor self, int n=1, int dim=-1) -> Tensor", "sub(slice(self, dim, 1), slice(self, dim, 0, -1))", "n=1", NULL},
    {"any:trapezoid any:trapz torch.ops.aten.trapezoid.dx torch.ops.aten.trapz.dx",
     "(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor",
     "mul(sum(add(slice(y, dim, 1), slice(y, dim, 0, -1)), [dim]), mul(dx, 0.5))", NULL, NULL},
    {"any:renorm", "(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor", NULL, NULL, fx__spell_build_renorm},
    {"any:cov", "(Tensor self) -> Tensor", "div(matmul(" CENTRED ", transpose(" CENTRED ", 0, 1)), sub(size(self, 1), 1))", NULL,
     NULL},
    {"any:take_along_dim", "(Tensor self, Tensor indices, int dim) -> Tensor", NULL, NULL, fx__spell_build_take_along},
    {"any:take_along_dim", "(Tensor self, Tensor indices) -> Tensor", "gather(reshape(self, [-1]), 0, reshape(indices, [-1]))",
     NULL, NULL},
    {"torch.nn.functional.softmin", "(Tensor input, int dim, int _stacklevel=3, ScalarType? dtype=None) -> Tensor",
     "softmax(neg(input), dim, dtype)", NULL, NULL},

    /* Arithmetic */
    {"any:dot any:vdot", "(Tensor self, Tensor other) -> Tensor", "sum(mul(self, other))", NULL, NULL},
    {"any:inner", "(Tensor self, Tensor other) -> Tensor", NULL, NULL, fx__spell_build_inner},
    {"any:mv torch.linalg.matmul", "(Tensor self, Tensor other) -> Tensor", "matmul(self, other)", NULL, NULL},
    {"any:addmv", "(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     "add(mul(self, beta), matmul(mat, vec), alpha=alpha)", NULL, NULL},
    {"any:addr", "(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     "add(mul(self, beta), mul(unsqueeze(vec1, 1), vec2), alpha=alpha)", NULL, NULL},
    {"any:addbmm", "(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
     "add(mul(self, beta), sum(bmm(batch1, batch2), [0]), alpha=alpha)", NULL, NULL},
    {"any:chain_matmul torch.linalg.multi_dot", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_chain},
    {"any:matrix_power torch.linalg.matrix_power", "(Tensor self, int n) -> Tensor", NULL, NULL, fx__spell_build_power},
    {"any:block_diag", "(Tensor[] tensors) -> Tensor", NULL, NULL, fx__spell_build_block_diag},
    {"any:tensordot", "(Tensor a, Tensor b, Layout dims=2) -> Tensor", NULL, NULL, fx__spell_build_tensordot},
    {"any:kron", "(Tensor self, Tensor other) -> Tensor", NULL, NULL, fx__spell_build_kron},
    {"any:cross", "(Tensor self, Tensor other, int? dim=None) -> Tensor", NULL, NULL, fx__spell_build_cross},
    {"torch.linalg.cross torch.ops.aten.linalg_cross.default", "(Tensor self, Tensor other, *, int dim=-1) -> Tensor", NULL, NULL,
     fx__spell_build_cross},
    {"any:bilinear F:bilinear", "(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor", NULL, NULL,
     fx__spell_build_bilinear},
    {"torch.cdist torch.ops.aten.cdist.default", "(Tensor x1, Tensor x2, float p=2.0, Layout compute_mode=None) -> Tensor",
     "norm(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), p, [-1])", NULL, NULL},
    {"torch.outer torch.ger method:outer method:ger", "(Tensor self, Tensor other) -> Tensor",
     "mul(unsqueeze(self, 1), unsqueeze(other, 0))", NULL, NULL},
    {"method:__rtruediv__ method:__rdiv__", "(Tensor self, TensorOrScalar other) -> Tensor", "div(other, self)", NULL, NULL},
    {"method:__rpow__", "(Tensor self, TensorOrScalar other) -> Tensor", "pow(other, self)", NULL, NULL},
    {"method:__rmatmul__", "(Tensor self, Tensor other) -> Tensor", "matmul(other, self)", NULL, NULL},
    {"operator.pos torch.positive method:positive", "(Tensor self) -> Tensor", "self", NULL, NULL},
    {"torch.logaddexp method:logaddexp", "(Tensor self, Tensor other) -> Tensor", FX_SPELL_LOGADDEXP, NULL, NULL},
    {"any:absolute", "(Tensor self) -> Tensor", "abs(self)", NULL, NULL},
    {"any:logaddexp2", "(Tensor self, Tensor other) -> Tensor",
     "where(logical_and(eq(self, other), isinf(self)), self, add(maximum(self, other), mul(log1p(exp2(neg(abs(sub(self, "
     "other))))), "
     "1.4426950408889634)))",
     NULL, NULL},
    {"any:frac", "(Tensor self) -> Tensor", "sub(self, trunc(self))", NULL, NULL},
    {"any:logit torch.special.logit", "(Tensor self, float? eps=None) -> Tensor",
     "if(eps, log(div(clamp(self, eps, sub(1, eps)), rsub(clamp(self, eps, sub(1, eps)), 1))), log(div(self, rsub(self, 1))))",
     NULL, NULL},
    {"any:deg2rad", "(Tensor self) -> Tensor", "mul(self, 0.017453292519943295)", NULL, NULL},
    {"any:rad2deg", "(Tensor self) -> Tensor", "mul(self, 57.29577951308232)", NULL, NULL},
    {"any:hypot", "(Tensor self, Tensor other) -> Tensor",
     "where(logical_or(isinf(self), isinf(other)), 1e999, where(eq(" LARGER ", 0), 0.0, mul(" LARGER
     ", sqrt(add(square(div(" SMALLER ", " LARGER ")), 1)))))",
     NULL, NULL},
    {"any:sgn", "(Tensor self) -> Tensor", "sign(self)", NULL, NULL},
    {"any:signbit", "(Tensor self) -> Tensor", SIGNED(self), NULL, NULL},
    {"any:copysign torch.ops.aten.copysign.Tensor", "(Tensor self, Tensor other) -> Tensor",
     "where(" SIGNED(other) ", neg(" MAGNITUDE "), " MAGNITUDE ")", NULL, NULL},
    {"torch.special.entr torch.ops.aten.special_entr.default", "(Tensor self) -> Tensor",
     "where(lt(self, 0), -1e999, where(eq(self, 0), 0.0, neg(mul(self, log(self)))))", NULL, NULL},
    {"any:vander", "(Tensor x, int? N=None, bool increasing=False) -> Tensor",
     "pow(unsqueeze(x, 1), if(increasing, arange(either(N, size(x, 0))), flip(arange(either(N, size(x, 0))), [0])))", NULL, NULL},
    {"any:masked_scatter", "(Tensor self, Tensor mask, Tensor source) -> Tensor",
     "where(mask, reshape(take(source, clamp_min(sub(cumsum(reshape(expand(mask, shape(self)), [-1]), 0), 1), 0)), shape(self)), "
     "self)",
     NULL, NULL},
    {"any:angle", "(Tensor self) -> Tensor", "where(isnan(self), self, where(lt(self, 0), 3.141592653589793, zeros_like(self)))",
     NULL, NULL},
    {"any:erfc torch.special.erfc torch.special.ndtr torch.ops.aten.special_erfc.default torch.ops.aten.special_ndtr.default",
     "(Tensor self) -> Tensor", NULL, NULL, fx__spell_build_erfc},
    {"any:sinc torch.special.sinc", "(Tensor self) -> Tensor",
     "where(eq(self, 0), 1.0, div(sin(mul(self, 3.141592653589793)), mul(self, 3.141592653589793)))", NULL, NULL},
    {"any:heaviside", "(Tensor self, Tensor values) -> Tensor", "where(eq(self, 0), values, cast(gt(self, 0), dtype(self)))", NULL,
     NULL},
    {"any:fmax", "(Tensor self, Tensor other) -> Tensor",
     "where(isnan(self), other, where(isnan(other), self, maximum(self, other)))", NULL, NULL},
    {"any:fmin", "(Tensor self, Tensor other) -> Tensor",
     "where(isnan(self), other, where(isnan(other), self, minimum(self, other)))", NULL, NULL},
    {"any:isposinf", "(Tensor self) -> Tensor", "logical_and(isinf(self), gt(self, 0))", NULL, NULL},
    {"any:isneginf", "(Tensor self) -> Tensor", "logical_and(isinf(self), lt(self, 0))", NULL, NULL},
    {"any:isclose", "(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
     "logical_or(eq(self, other), logical_and(isfinite(sub(self, other)), le(abs(sub(self, other)), add(mul(abs(other), rtol), "
     "atol))))",
     "equal_nan=False", NULL},
    {"any:nan_to_num", "(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor", NULL, NULL,
     fx__spell_build_nan_to_num},
    {"any:xlogy torch.special.xlogy torch.ops.aten.xlogy.Tensor", "(Tensor self, Tensor other) -> Tensor",
     "where(logical_and(eq(self, 0), logical_not(isnan(other))), 0.0, mul(self, log(other)))", NULL, NULL},
    {"any:float_power torch.ops.aten.float_power.Tensor_Scalar torch.ops.aten.float_power.Tensor_Tensor",
     "(Tensor self, TensorOrScalar exponent) -> Tensor", "pow(cast(self, f64), exponent)", NULL, NULL},
    {"any:ldexp torch.ops.aten.ldexp.Tensor", "(Tensor self, Tensor other) -> Tensor", "mul(self, exp2(other))", NULL, NULL},
    {"any:round torch.ops.aten.round.decimals", "(Tensor self, *, int decimals) -> Tensor",
     "div(round(mul(self, pow(10.0, decimals))), pow(10.0, decimals))", NULL, NULL},
    {"torch.special.expit", "(Tensor self) -> Tensor", "sigmoid(self)", NULL, NULL},
    {"torch.special.erf", "(Tensor self) -> Tensor", "erf(self)", NULL, NULL},
    {"torch.special.exp2", "(Tensor self) -> Tensor", "exp2(self)", NULL, NULL},
    {"torch.special.expm1", "(Tensor self) -> Tensor", "expm1(self)", NULL, NULL},
    {"torch.special.log1p", "(Tensor self) -> Tensor", "log1p(self)", NULL, NULL},
    {"torch.special.softmax", "(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", "softmax(self, dim, dtype)", NULL,
     NULL},
    {"torch.special.log_softmax", "(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor", "log_softmax(self, dim, dtype)",
     NULL, NULL},
    {"any:index_fill torch.ops.aten.index_fill.int_Scalar", "(Tensor self, int dim, Tensor index, Scalar value) -> Tensor", NULL,
     NULL, fx__spell_build_index_fill},
    {"method:where", "(Tensor self, Tensor condition, TensorOrScalar other) -> Tensor", "where(condition, self, other)", NULL,
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
    {"F:_threshold", "(Tensor input, float threshold, float value, bool inplace=False) -> Tensor",
     "threshold(input, threshold, value)", NULL, NULL},
    {"F:log_sigmoid F:logsigmoid", "(Tensor self) -> Tensor", "log_sigmoid(self)", NULL, NULL},
    {"F:rrelu torch.rrelu",
     "(Tensor input, float lower=0.125, float upper=0.3333333333333333, bool training=False, bool inplace=False) -> Tensor",
     "leaky_relu(input, mul(add(lower, upper), 0.5))", "training=False", NULL},
    {"torch.nn.functional.tanhshrink", "(Tensor input) -> Tensor", "sub(input, tanh(input))", NULL, NULL},
    {"torch.ops.aten.log_sigmoid_forward.default", "(Tensor self) -> Tensor", "first(log_sigmoid(self))", NULL, NULL},
    {"torch.nn.functional.alpha_dropout torch.nn.functional.feature_alpha_dropout",
     "(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> Tensor", "input", "training=False", NULL},
    {"torch.ops.aten.native_dropout.default", "(Tensor input, float p, bool? train) -> Tensor", "first(input)", "train=False",
     NULL},

    /* Norms */
    {"torch.norm method:norm", "(Tensor self, str p, int[]? dim=None, bool keepdim=False) -> Tensor", "norm(self, 2, dim, keepdim)",
     "p='fro'", NULL},
    {"torch.linalg.vector_norm",
     "(Tensor self, Scalar? ord=2, int[]? dim=None, bool keepdim=False, *, Layout dtype=None) -> Tensor",
     "norm(self, ord, dim, keepdim)", "dtype=None", NULL},
    {"torch.linalg.norm", "(Tensor self, Layout ord=None, int[]? dim=None, bool keepdim=False, *, Layout dtype=None) -> Tensor",
     NULL, "dtype=None", fx__spell_build_linalg_norm},
    {"torch.linalg.matrix_norm",
     "(Tensor self, Layout ord='fro', int[]? dim=[-2, -1], bool keepdim=False, *, Layout dtype=None) -> Tensor", NULL, "dtype=None",
     fx__spell_build_linalg_norm},
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
    {"torch.nn.functional.instance_norm",
     "(Tensor input, Tensor running_mean, Tensor running_var, Tensor? weight=None, Tensor? bias=None, "
     "bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> Tensor",
     "batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)", "use_input_stats=False", NULL},
    {"F:local_response_norm", "(Tensor input, int size, float alpha=0.0001, float beta=0.75, float k=1.0) -> Tensor", NULL, NULL,
     fx__spell_build_local_response},
    {"F:cosine_similarity any:cosine_similarity", "(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
     "div(sum(mul(x1, x2), [dim]), mul(clamp_min(sqrt(sum(mul(x1, x1), [dim])), eps), clamp_min(sqrt(sum(mul(x2, x2), [dim])), "
     "eps)))",
     NULL, NULL},

    /* Losses */
    {"F:mse_loss torch.mse_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "reduced(square(sub(input, target)), reduction)", NULL, NULL},
    {"torch.ops.aten.mse_loss.default", "(Tensor input, Tensor target, int reduction=1) -> Tensor",
     "reduced(square(sub(input, target)), reduction)", NULL, NULL},
    {"F:l1_loss torch.l1_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "reduced(abs(sub(input, target)), reduction)", NULL, NULL},
    {"torch.ops.aten.l1_loss.default", "(Tensor input, Tensor target, int reduction=1) -> Tensor",
     "reduced(abs(sub(input, target)), reduction)", NULL, NULL},
    {"F:smooth_l1_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean', float beta=1.0) -> "
     "Tensor",
     "reduced(if(beta, where(lt(abs(sub(input, target)), beta), mul(square(sub(input, target)), div(0.5, beta)), "
     "sub(abs(sub(input, target)), mul(beta, 0.5))), abs(sub(input, target))), reduction)",
     NULL, NULL},
    {"torch.ops.aten.smooth_l1_loss.default", "(Tensor input, Tensor target, int reduction=1, float beta=1.0) -> Tensor",
     "reduced(if(beta, where(lt(abs(sub(input, target)), beta), mul(square(sub(input, target)), div(0.5, beta)), "
     "sub(abs(sub(input, target)), mul(beta, 0.5))), abs(sub(input, target))), reduction)",
     NULL, NULL},
    {"F:huber_loss", "(Tensor input, Tensor target, str reduction='mean', float delta=1.0) -> Tensor",
     "reduced(where(lt(abs(sub(input, target)), delta), mul(square(sub(input, target)), 0.5), mul(sub(abs(sub(input, "
     "target)), mul(delta, 0.5)), delta)), reduction)",
     NULL, NULL},
    {"torch.ops.aten.huber_loss.default", "(Tensor input, Tensor target, int reduction=1, float delta=1.0) -> Tensor",
     "reduced(where(lt(abs(sub(input, target)), delta), mul(square(sub(input, target)), 0.5), mul(sub(abs(sub(input, "
     "target)), mul(delta, 0.5)), delta)), reduction)",
     NULL, NULL},
    {"F:binary_cross_entropy",
     "(Tensor input, Tensor target, Tensor? weight=None, Layout size_average=None, Layout reduce=None, str "
     "reduction='mean') -> Tensor",
     "reduced(if(weight, mul(neg(add(mul(target, clamp_min(log(input), -100)), mul(rsub(target, 1), "
     "clamp_min(log1p(neg(input)), -100)))), weight), neg(add(mul(target, clamp_min(log(input), -100)), mul(rsub(target, "
     "1), clamp_min(log1p(neg(input)), -100))))), reduction)",
     NULL, NULL},
    {"torch.ops.aten.binary_cross_entropy.default", "(Tensor input, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor",
     "reduced(if(weight, mul(neg(add(mul(target, clamp_min(log(input), -100)), mul(rsub(target, 1), "
     "clamp_min(log1p(neg(input)), -100)))), weight), neg(add(mul(target, clamp_min(log(input), -100)), mul(rsub(target, "
     "1), clamp_min(log1p(neg(input)), -100))))), reduction)",
     NULL, NULL},
    {"F:binary_cross_entropy_with_logits",
     "(Tensor input, Tensor target, Tensor? weight=None, Layout size_average=None, Layout reduce=None, str "
     "reduction='mean', Tensor? pos_weight=None) -> Tensor",
     "reduced(if(weight, mul(sub(mul(rsub(target, 1), input), if(pos_weight, mul(add(mul(sub(pos_weight, 1), target), 1), "
     "log_sigmoid(input)), log_sigmoid(input))), weight), sub(mul(rsub(target, 1), input), if(pos_weight, "
     "mul(add(mul(sub(pos_weight, 1), target), 1), log_sigmoid(input)), log_sigmoid(input)))), reduction)",
     NULL, NULL},
    {"any:binary_cross_entropy_with_logits",
     "(Tensor input, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1) -> Tensor",
     "reduced(if(weight, mul(sub(mul(rsub(target, 1), input), if(pos_weight, mul(add(mul(sub(pos_weight, 1), target), 1), "
     "log_sigmoid(input)), log_sigmoid(input))), weight), sub(mul(rsub(target, 1), input), if(pos_weight, "
     "mul(add(mul(sub(pos_weight, 1), target), 1), log_sigmoid(input)), log_sigmoid(input)))), reduction)",
     NULL, NULL},
    {"F:kl_div",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean', bool "
     "log_target=False) -> Tensor",
     "div(sum(if(log_target, mul(exp(target), sub(target, input)), sub(where(eq(target, 0), 0.0, mul(target, log(target))), "
     "mul(target, input)))), size(input, 0))",
     "reduction='batchmean'", NULL},
    {"F:kl_div",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean', bool "
     "log_target=False) -> Tensor",
     "reduced(if(log_target, mul(exp(target), sub(target, input)), sub(where(eq(target, 0), 0.0, mul(target, log(target))), "
     "mul(target, input))), reduction)",
     NULL, NULL},
    {"any:kl_div", "(Tensor input, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor",
     "reduced(if(log_target, mul(exp(target), sub(target, input)), sub(where(eq(target, 0), 0.0, mul(target, log(target))), "
     "mul(target, input))), reduction)",
     NULL, NULL},
    {"F:nll_loss",
     "(Tensor input, Tensor target, Tensor? weight=None, Layout size_average=None, int ignore_index=-100, Layout "
     "reduce=None, str reduction='mean', float label_smoothing=0.0) -> Tensor",
     NULL, NULL, fx__spell_build_nll},
    {"F:cross_entropy",
     "(Tensor input, Tensor target, Tensor? weight=None, Layout size_average=None, int ignore_index=-100, Layout "
     "reduce=None, str reduction='mean', float label_smoothing=0.0) -> Tensor",
     NULL, NULL, fx__spell_build_cross_entropy},
    {"F:margin_ranking_loss",
     "(Tensor input1, Tensor input2, Tensor target, float margin=0.0, Layout size_average=None, Layout reduce=None, str "
     "reduction='mean') -> Tensor",
     "reduced(clamp_min(add(mul(neg(target), sub(input1, input2)), margin), 0), reduction)", NULL, NULL},
    {"F:hinge_embedding_loss",
     "(Tensor input, Tensor target, float margin=1.0, Layout size_average=None, Layout reduce=None, str reduction='mean') "
     "-> Tensor",
     "reduced(add(where(ne(target, 1), clamp_min(rsub(input, margin), 0), 0.0), where(ne(target, -1), input, 0.0)), "
     "reduction)",
     NULL, NULL},
    {"F:soft_margin_loss",
     "(Tensor input, Tensor target, Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "reduced(neg(log_sigmoid(mul(target, input))), reduction)", NULL, NULL},
    {"F:multilabel_soft_margin_loss",
     "(Tensor input, Tensor target, Tensor? weight=None, Layout size_average=None, Layout reduce=None, str "
     "reduction='mean') -> Tensor",
     "reduced(mean(if(weight, mul(neg(add(mul(target, log_sigmoid(input)), mul(rsub(target, 1), log_sigmoid(neg(input))))), "
     "weight), neg(add(mul(target, log_sigmoid(input)), mul(rsub(target, 1), log_sigmoid(neg(input)))))), [-1]), reduction)",
     NULL, NULL},
    {"F:multi_margin_loss",
     "(Tensor input, Tensor target, int p=1, float margin=1.0, Tensor? weight=None, Layout size_average=None, Layout "
     "reduce=None, str reduction='mean') -> Tensor",
     "reduced(mean(if(weight, mul(mul(pow(clamp_min(add(sub(input, " OF_TARGET "), margin), 0), p), ne(arange(size(input, "
     "1)), unsqueeze(target, 1))), unsqueeze(index_select(weight, 0, target), 1)), mul(pow(clamp_min(add(sub(input, " OF_TARGET
     "), margin), 0), p), ne(arange(size(input, 1)), unsqueeze(target, 1)))), [1]), reduction)",
     NULL, NULL},
    {"F:gaussian_nll_loss",
     "(Tensor input, Tensor target, Tensor var, bool full=False, float eps=1e-06, str reduction='mean') -> Tensor",
     "reduced(if(full, add(mul(add(log(clamp_min(var, eps)), div(square(sub(input, target)), clamp_min(var, eps))), 0.5), "
     "0.9189385332046727), mul(add(log(clamp_min(var, eps)), div(square(sub(input, target)), clamp_min(var, eps))), 0.5)), "
     "reduction)",
     NULL, NULL},
    {"F:poisson_nll_loss",
     "(Tensor input, Tensor target, bool log_input=True, bool full=False, Layout size_average=None, float eps=1e-08, Layout "
     "reduce=None, str reduction='mean') -> Tensor",
     "reduced(if(full, add(if(log_input, sub(exp(input), mul(target, input)), sub(input, mul(target, log(add(input, "
     "eps))))), where(le(target, 1), 0.0, add(sub(mul(target, log(target)), target), mul(log(mul(target, "
     "6.283185307179586)), 0.5)))), if(log_input, sub(exp(input), mul(target, input)), sub(input, mul(target, "
     "log(add(input, eps)))))), reduction)",
     NULL, NULL},
    {"F:cosine_embedding_loss",
     "(Tensor input1, Tensor input2, Tensor target, float margin=0, Layout size_average=None, Layout reduce=None, str "
     "reduction='mean') -> Tensor",
     "reduced(add(where(eq(target, 1), rsub(div(sum(mul(input1, input2), [-1]), sqrt(mul(add(sum(mul(input1, input1), "
     "[-1]), 1e-12), add(sum(mul(input2, input2), [-1]), 1e-12)))), 1), 0.0), where(eq(target, -1), "
     "clamp_min(sub(div(sum(mul(input1, input2), [-1]), sqrt(mul(add(sum(mul(input1, input1), [-1]), 1e-12), "
     "add(sum(mul(input2, input2), [-1]), 1e-12)))), margin), 0), 0.0)), reduction)",
     NULL, NULL},
    {"F:pairwise_distance any:pairwise_distance",
     "(Tensor x1, Tensor x2, float p=2.0, float eps=1e-06, bool keepdim=False) -> Tensor",
     "norm(add(sub(x1, x2), eps), p, [-1], keepdim)", NULL, NULL},
    {"F:triplet_margin_loss",
     "(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2, float eps=1e-06, bool swap=False, "
     "Layout size_average=None, Layout reduce=None, str reduction='mean') -> Tensor",
     "reduced(clamp_min(add(sub(" DISTANCE(anchor, positive) ", if(swap, minimum(" DISTANCE(anchor, negative) ", " DISTANCE(
         positive, negative) "), " DISTANCE(anchor, negative) ")), margin), 0), reduction)",
     NULL, NULL},
    {"F:triplet_margin_with_distance_loss",
     "(Tensor anchor, Tensor positive, Tensor negative, *, Layout distance_function=None, float margin=1.0, bool "
     "swap=False, str reduction='mean') -> Tensor",
     "reduced(clamp_min(add(sub(" EUCLID(anchor, positive) ", if(swap, minimum(" EUCLID(anchor, negative) ", " EUCLID(
         positive, negative) "), " EUCLID(anchor, negative) ")), margin), 0), reduction)",
     "distance_function=None", NULL},

    /* Pooling, padding, resizing */
    {"torch.nn.functional.interpolate torch.nn.functional.upsample",
     "(Tensor input, Layout size=None, Layout scale_factor=None, str mode='nearest', Layout align_corners=None, "
     "Layout recompute_scale_factor=None, bool antialias=False) -> Tensor",
     NULL, "antialias=False", fx__spell_build_interpolate},
    {"F:upsample_nearest", "(Tensor input, Layout size=None, Layout scale_factor=None) -> Tensor", NULL, NULL,
     fx__spell_build_upsample},
    {"F:upsample_bilinear", "(Tensor input, Layout size=None, Layout scale_factor=None) -> Tensor", NULL, NULL,
     fx__spell_build_upsample},
    {"F:adaptive_max_pool1d", "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor",
     "getitem(adaptive_max_pool1d(input, output_size), 0)", "return_indices=False", NULL},
    {"F:adaptive_max_pool2d", "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor",
     "getitem(adaptive_max_pool2d(input, output_size), 0)", "return_indices=False", NULL},
    {"F:adaptive_max_pool3d", "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor",
     "getitem(adaptive_max_pool3d(input, output_size), 0)", "return_indices=False", NULL},
    {"F:adaptive_max_pool1d F:adaptive_max_pool1d_with_indices",
     "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor", "adaptive_max_pool1d(input, output_size)", NULL,
     NULL},
    {"F:adaptive_max_pool2d F:adaptive_max_pool2d_with_indices",
     "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor", "adaptive_max_pool2d(input, output_size)", NULL,
     NULL},
    {"F:adaptive_max_pool3d F:adaptive_max_pool3d_with_indices",
     "(Tensor input, Layout output_size, bool return_indices=False) -> Tensor", "adaptive_max_pool3d(input, output_size)", NULL,
     NULL},
    INDICES("1"),
    INDICES("2"),
    INDICES("3"),
    {"F:lp_pool1d F:lp_pool2d",
     "(Tensor input, float norm_type, Layout kernel_size, Layout stride=None, bool ceil_mode=False) -> Tensor", NULL, NULL,
     fx__spell_build_lp_pool},
    {"torch.conv1d F:conv1d torch.ops.aten.conv1d.padding",
     "(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding, int[1] dilation=1, int groups=1) -> "
     "Tensor",
     NULL, NULL, fx__spell_build_conv_padding},
    {"torch.conv2d F:conv2d torch.ops.aten.conv2d.padding",
     "(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding, int[2] dilation=1, int groups=1) -> "
     "Tensor",
     NULL, NULL, fx__spell_build_conv_padding},
    {"torch.conv3d F:conv3d torch.ops.aten.conv3d.padding",
     "(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding, int[3] dilation=1, int groups=1) -> "
     "Tensor",
     NULL, NULL, fx__spell_build_conv_padding},
    {"any:conv_tbc F:conv_tbc", "(Tensor input, Tensor weight, Tensor bias, int pad=0) -> Tensor",
     "permute(conv1d(permute(input, [1, 2, 0]), permute(weight, [2, 1, 0]), bias, [1], [pad]), [2, 0, 1])", NULL, NULL},
    {"F:grid_sample",
     "(Tensor input, Tensor grid, str mode='bilinear', str padding_mode='zeros', bool? align_corners=None) -> Tensor", NULL, NULL,
     fx__spell_build_grid_sample},
    {"F:affine_grid", "(Tensor theta, SymInt[] size, bool? align_corners=None) -> Tensor", NULL, NULL, fx__spell_build_affine_grid},
    {"torch.affine_grid_generator torch.ops.aten.affine_grid_generator.default",
     "(Tensor theta, SymInt[] size, bool align_corners) -> Tensor", NULL, NULL, fx__spell_build_affine_grid},
};
const int32_t fx__spell_count = (int32_t)(sizeof fx__spell_table / sizeof fx__spell_table[0]);
