/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/math.h: scalar.def on values of any lane count. Values are in register form (see emit.h). */
#ifndef FX_CODEGEN_MATH_H
#define FX_CODEGEN_MATH_H

#include "codegen/emit.h"
#include "ir/kir.h"

/* One row of scalar.def on operands of `dtype`; b is ignored by unary rows. */
LLVMValueRef fx__math_scalar(fx_e *e, fx_scalar_op op, fx_dtype dtype, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fx__math_cast(fx_e *e, fx_dtype from, fx_dtype to, LLVMValueRef a);
/* Between memory form and register form. */
LLVMValueRef fx__math_unpack(fx_e *e, fx_dtype dtype, LLVMValueRef stored);
LLVMValueRef fx__math_pack(fx_e *e, fx_dtype dtype, LLVMValueRef value);
/* One step of a reduction (not ARGMIN and ARGMAX), and the value that changes nothing. */
LLVMValueRef fx__math_combine(fx_e *e, fx_combine combine, fx_dtype dtype, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fx__math_identity(fx_e *e, fx_combine combine, fx_dtype dtype, int lanes);

/* ---- approx.c: within 4 ulp on f32 and f64, also for NaN, infinities, signed zeros and denormals ---------------------------- */
LLVMValueRef fx__approx_exp(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_log(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_tanh(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_sigmoid(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_exp2(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_expm1(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_log1p(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_log2(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_log10(fx_e *e, LLVMValueRef x);
LLVMValueRef fx__approx_erf(fx_e *e, LLVMValueRef x); /* f64: libm's */
/* approx_wide.c: f32 by formulas in f64; f64 by libm, lane by lane. op: SIN ... ATANH, POW, ATAN2. */
LLVMValueRef fx__approx_wide(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b);
/* libm's function of one or two f64, lane by lane; b may be NULL. */
LLVMValueRef fx__approx_libm(fx_e *e, const char *name, LLVMValueRef a, LLVMValueRef b);

#endif
