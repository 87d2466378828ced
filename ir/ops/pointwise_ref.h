/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_ref.h: reference kernels of the element-wise operators. Operators that are one row of scalar.def get theirs
 * from the two lists: fx__ref_NAME applies the scalar to each element, in the result's dtype (comparisons: in the operands'
 * common dtype). The others have a loop of their own. */
#ifndef FX_OPS_POINTWISE_REF_H
#define FX_OPS_POINTWISE_REF_H

#include "runtime/ref.h"

/* operator, row of scalar.def. Logical operators work on bool because their result is bool. */
#define FX_POINTWISE_UNARY(X)                                                                                                      \
    X(abs, ABS)                                                                                                                    \
    X(bitwise_not, NOT)                                                                                                            \
    X(ceil, CEIL)                                                                                                                  \
    X(exp, EXP)                                                                                                                    \
    X(floor, FLOOR) X(isnan, ISNAN) X(log, LOG) X(logical_not, NOT) X(neg, NEG) X(relu, RELU) X(round, ROUND) X(sigmoid, SIGMOID)  \
        X(sqrt, SQRT) X(tanh, TANH) X(trunc, TRUNC) X(exp2, EXP2) X(expm1, EXPM1) X(log1p, LOG1P) X(log2, LOG2) X(log10, LOG10)    \
            X(erf, ERF) X(sin, SIN) X(cos, COS) X(tan, TAN) X(asin, ASIN) X(acos, ACOS) X(atan, ATAN) X(sinh, SINH) X(cosh, COSH)  \
                X(asinh, ASINH) X(acosh, ACOSH) X(atanh, ATANH)
#define FX_POINTWISE_BINARY(X)                                                                                                     \
    X(bitwise_and, AND)                                                                                                            \
    X(bitwise_or, OR)                                                                                                              \
    X(bitwise_xor, XOR)                                                                                                            \
    X(eq, EQ)                                                                                                                      \
    X(floor_divide, FLOORDIV) X(ge, GE) X(gt, GT) X(le, LE) X(logical_and, AND) X(logical_or, OR) X(logical_xor, XOR) X(lt, LT)    \
        X(maximum, MAX) X(minimum, MIN) X(mul, MUL) X(ne, NE) X(remainder, MOD) X(fmod, FMOD) X(atan2, ATAN2)                      \
            X(bitwise_left_shift, SHL) X(bitwise_right_shift, SHR)
#define FX_POINTWISE_OTHER(X)                                                                                                      \
    X(add)                                                                                                                         \
    X(clamp)                                                                                                                       \
    X(clamp_max)                                                                                                                   \
    X(clamp_min)                                                                                                                   \
    X(div) X(hardsigmoid) X(hardswish) X(hardtanh) X(leaky_relu) X(masked_fill) X(pow) X(reciprocal) X(relu6) X(rsqrt) X(rsub)     \
        X(sub) X(_to_copy) X(where)

#define FX_REF_DECLARE(name, ...) fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results);
FX_POINTWISE_UNARY(FX_REF_DECLARE)
FX_POINTWISE_BINARY(FX_REF_DECLARE)
FX_POINTWISE_OTHER(FX_REF_DECLARE)
#undef FX_REF_DECLARE

/* add, sub: the product of alpha and the second operand may be rounded or not. rsub: of the first. */
fx_status fx__bound_alpha(const fx_rt_bound *call);
/* eq, ne: where the errors reach from one value to the other, the answer may be either. */
fx_status fx__bound_equality(const fx_rt_bound *call);
fx_status fx__bound_floor_divide(const fx_rt_bound *call);
fx_status fx__bound_remainder(const fx_rt_bound *call);
fx_status fx__bound_fmod(const fx_rt_bound *call);
fx_status fx__bound_circle(const fx_rt_bound *call); /* sin, cos */
fx_status fx__bound_tangent(const fx_rt_bound *call);
fx_status fx__bound_alpha_reverse(const fx_rt_bound *call);

#endif
