/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/math.c: one case per row of scalar.def, conversions, storage forms, combiners. The meaning is runtime/scalar.c's;
 * no operation here is LLVM poison for any operand. */
#include "codegen/math.h"
#include <math.h>

static LLVMValueRef zero_like(LLVMValueRef a)
{
    return LLVMConstNull(LLVMTypeOf(a));
}
static LLVMValueRef one_like(fx_e *e, LLVMValueRef a)
{
    return e_integer(e, LLVMTypeOf(a), 1);
}

static LLVMValueRef fcmp(fx_e *e, LLVMRealPredicate predicate, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFCmp(e->builder, predicate, a, b, "");
}

static LLVMValueRef binary_intrinsic(fx_e *e, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return e_intrinsic(e, name, &type, 1, (LLVMValueRef[]){a, b}, 2);
}

/* ---- Floats ------------------------------------------------------------------------------------------------------------- */

/* a < b ? b : a, except that NaN wins from either side; the hardware's own maximum gives its second operand, here a, for NaN,
 * and of a constant b it is known that it is none. */
static LLVMValueRef float_extreme(fx_e *e, LLVMValueRef a, LLVMValueRef b, bool want_max)
{
    LLVMValueRef picked = e_select(e, fcmp(e, want_max ? LLVMRealOLT : LLVMRealOGT, a, b), b, a);
    return e_select(e, fcmp(e, LLVMRealUNO, b, b), b, picked);
}

/* Whether a rest of division towards zero belongs to the next lower quotient. */
static LLVMValueRef rest_moves(fx_e *e, LLVMValueRef rest, LLVMValueRef b)
{
    LLVMValueRef zero = zero_like(rest);
    LLVMValueRef apart = LLVMBuildXor(e->builder, fcmp(e, LLVMRealOLT, rest, zero), fcmp(e, LLVMRealOLT, b, zero), "");
    return LLVMBuildAnd(e->builder, apart, fcmp(e, LLVMRealUNE, rest, zero), "");
}

/* The remainder of the truncated quotient, moved to the divisor's sign. */
static LLVMValueRef float_mod(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef rest = LLVMBuildFRem(e->builder, a, b, "");
    return e_select(e, rest_moves(e, rest, b), LLVMBuildFAdd(e->builder, rest, b, ""), rest);
}

/* runtime/scalar.c's divide_real step by step, without flags that would let steps be joined. */
static LLVMValueRef float_floordiv(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef builder = e->builder;
    LLVMValueRef v_one = e_real(e, LLVMTypeOf(a), 1), v_half = e_real(e, LLVMTypeOf(a), 0.5);
    LLVMValueRef rest = LLVMBuildFRem(builder, a, b, "");
    LLVMValueRef quotient = LLVMBuildFDiv(builder, LLVMBuildFSub(builder, a, rest, ""), b, "");
    quotient = e_select(e, rest_moves(e, rest, b), LLVMBuildFSub(builder, quotient, v_one, ""), quotient);
    LLVMValueRef below = e_intrinsic1(e, "llvm.floor", quotient);
    LLVMValueRef is_next = fcmp(e, LLVMRealOGT, LLVMBuildFSub(builder, quotient, below, ""), v_half);
    LLVMValueRef whole = e_select(e, is_next, LLVMBuildFAdd(builder, below, v_one, ""), below);
    return e_select(e, fcmp(e, LLVMRealOEQ, b, zero_like(b)), LLVMBuildFDiv(builder, a, b, ""), whole);
}

/* An intrinsic or an approximation of one number; NULL: op is neither. */
static LLVMValueRef float_unary(fx_e *e, fx_scalar_op op, LLVMValueRef a)
{
    static LLVMValueRef (*const approximation[FX_SCALAR_COUNT])(fx_e *, LLVMValueRef) = {
        [FX_SCALAR_EXP] = fx__approx_exp,     [FX_SCALAR_LOG] = fx__approx_log,         [FX_SCALAR_TANH] = fx__approx_tanh,
        [FX_SCALAR_EXP2] = fx__approx_exp2,   [FX_SCALAR_SIGMOID] = fx__approx_sigmoid, [FX_SCALAR_EXPM1] = fx__approx_expm1,
        [FX_SCALAR_LOG1P] = fx__approx_log1p, [FX_SCALAR_LOG2] = fx__approx_log2,       [FX_SCALAR_LOG10] = fx__approx_log10,
        [FX_SCALAR_ERF] = fx__approx_erf,
    };
    static const char *const intrinsic[FX_SCALAR_COUNT] = {
        [FX_SCALAR_ABS] = "llvm.fabs",  [FX_SCALAR_SQRT] = "llvm.sqrt",       [FX_SCALAR_FLOOR] = "llvm.floor",
        [FX_SCALAR_CEIL] = "llvm.ceil", [FX_SCALAR_ROUND] = "llvm.roundeven", [FX_SCALAR_TRUNC] = "llvm.trunc",
    };
    if (approximation[op]) return approximation[op](e, a);
    return intrinsic[op] ? e_intrinsic1(e, intrinsic[op], a) : NULL;
}

/* NULL: op compares nothing. */
static LLVMValueRef float_compare(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b)
{
    static const LLVMRealPredicate predicate[FX_SCALAR_COUNT] = {
        [FX_SCALAR_EQ] = LLVMRealOEQ, [FX_SCALAR_NE] = LLVMRealUNE, [FX_SCALAR_LT] = LLVMRealOLT,
        [FX_SCALAR_LE] = LLVMRealOLE, [FX_SCALAR_GT] = LLVMRealOGT, [FX_SCALAR_GE] = LLVMRealOGE,
    };
    return predicate[op] ? fcmp(e, predicate[op], a, b) : NULL; /* LLVMRealPredicateFalse is 0 */
}

static LLVMValueRef float_scalar(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef v_simple = float_unary(e, op, a);
    if (!v_simple) v_simple = float_compare(e, op, a, b);
    if (v_simple) return v_simple;
    switch (op) {
    case FX_SCALAR_NEG:
        return LLVMBuildFNeg(e->builder, a, "");
    case FX_SCALAR_RELU:
        return e_select(e, fcmp(e, LLVMRealOLT, a, zero_like(a)), zero_like(a), a);
    case FX_SCALAR_ISNAN:
        return fcmp(e, LLVMRealUNO, a, a);
    case FX_SCALAR_ADD:
        return e_fadd(e, a, b);
    case FX_SCALAR_SUB:
        return e_fsub(e, a, b);
    case FX_SCALAR_MUL:
        return e_fmul(e, a, b);
    case FX_SCALAR_DIV:
        return e_fdiv(e, a, b);
    case FX_SCALAR_FLOORDIV:
        return float_floordiv(e, a, b);
    case FX_SCALAR_MOD:
        return float_mod(e, a, b);
    case FX_SCALAR_MAX:
        return float_extreme(e, a, b, true);
    case FX_SCALAR_MIN:
        return float_extreme(e, a, b, false);
    case FX_SCALAR_FMOD:
        return LLVMBuildFRem(e->builder, a, b, "");
    case FX_SCALAR_SIN:
    case FX_SCALAR_COS:
    case FX_SCALAR_TAN:
    case FX_SCALAR_ASIN:
    case FX_SCALAR_ACOS:
    case FX_SCALAR_ATAN:
    case FX_SCALAR_SINH:
    case FX_SCALAR_COSH:
    case FX_SCALAR_ASINH:
    case FX_SCALAR_ACOSH:
    case FX_SCALAR_ATANH:
    case FX_SCALAR_POW:
    case FX_SCALAR_ATAN2:
        return fx__approx_wide(e, op, a, b);
    default:
        return a; /* AND, OR, XOR and shifts have no float form */
    }
}

/* ---- Integers and bool -------------------------------------------------------------------------------------------------- */

typedef struct quotient {
    LLVMValueRef quotient, rest;
} quotient;

/* Division by zero gives 0 and 0; INT_MIN / -1 wraps with remainder 0. The divisor that would trap is replaced by 1. */
static quotient divide(fx_e *e, LLVMValueRef a, LLVMValueRef b, bool has_sign)
{
    LLVMBuilderRef build = e->builder;
    LLVMValueRef zero = zero_like(a), by_zero = e_icmp(e, LLVMIntEQ, b, zero);
    if (!has_sign) {
        LLVMValueRef safe = e_select(e, by_zero, one_like(e, a), b);
        return (quotient){e_select(e, by_zero, zero, LLVMBuildUDiv(build, a, safe, "")),
                          e_select(e, by_zero, zero, LLVMBuildURem(build, a, safe, ""))};
    }
    LLVMValueRef by_minus_one = e_icmp(e, LLVMIntEQ, b, e_integer(e, LLVMTypeOf(a), -1));
    LLVMValueRef safe = e_select(e, by_zero, one_like(e, a), e_select(e, by_minus_one, one_like(e, a), b));
    LLVMValueRef q = LLVMBuildSDiv(build, a, safe, "");
    q = e_select(e, by_minus_one, LLVMBuildNeg(build, a, ""), q);
    return (quotient){e_select(e, by_zero, zero, q), LLVMBuildSRem(build, a, safe, "")}; /* safe 1: rest 0 */
}

/* Whether truncation went the wrong way for a floor: a rest is left and the signs differ. */
static LLVMValueRef must_floor(fx_e *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef rest)
{
    LLVMValueRef zero = zero_like(a);
    LLVMValueRef apart = e_icmp(e, LLVMIntSLT, LLVMBuildXor(e->builder, a, b, ""), zero);
    LLVMValueRef some = LLVMBuildAnd(e->builder, e_icmp(e, LLVMIntNE, rest, zero), apart, "");
    return LLVMBuildAnd(e->builder, some, e_icmp(e, LLVMIntNE, b, zero), "");
}

static LLVMValueRef int_divide(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b, bool has_sign)
{
    quotient q = divide(e, a, b, has_sign);
    if (op == FX_SCALAR_DIV || (!has_sign && op == FX_SCALAR_FLOORDIV)) return q.quotient;
    if (!has_sign || op == FX_SCALAR_FMOD) return q.rest;
    LLVMValueRef floors = must_floor(e, a, b, q.rest);
    if (op == FX_SCALAR_MOD) return e_select(e, floors, LLVMBuildAdd(e->builder, q.rest, b, ""), q.rest);
    return e_select(e, floors, LLVMBuildSub(e->builder, q.quotient, one_like(e, a), ""), q.quotient);
}

static LLVMValueRef int_compare(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b, bool has_sign)
{
    switch (op) {
    case FX_SCALAR_EQ:
        return e_icmp(e, LLVMIntEQ, a, b);
    case FX_SCALAR_NE:
        return e_icmp(e, LLVMIntNE, a, b);
    case FX_SCALAR_LT:
        return e_icmp(e, has_sign ? LLVMIntSLT : LLVMIntULT, a, b);
    case FX_SCALAR_LE:
        return e_icmp(e, has_sign ? LLVMIntSLE : LLVMIntULE, a, b);
    case FX_SCALAR_GT:
        return e_icmp(e, has_sign ? LLVMIntSGT : LLVMIntUGT, a, b);
    default:
        return e_icmp(e, has_sign ? LLVMIntSGE : LLVMIntUGE, a, b);
    }
}

static LLVMValueRef int_abs(fx_e *e, LLVMValueRef a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return e_intrinsic(e, "llvm.abs", &type, 1, (LLVMValueRef[]){a, e_i1(e, false)}, 2);
}

/* What the width allows; LLVM leaves the rest open. */
static LLVMValueRef shift(fx_e *e, bool left, bool has_sign, LLVMValueRef a, LLVMValueRef b)
{
    unsigned width = LLVMGetIntTypeWidth(e_element(a));
    LLVMValueRef last = e_integer(e, LLVMTypeOf(a), width - 1), over = e_icmp(e, LLVMIntUGT, b, last);
    LLVMValueRef safe = e_select(e, over, last, b);
    if (!left && has_sign) return LLVMBuildAShr(e->builder, a, safe, "");
    LLVMValueRef moved = left ? LLVMBuildShl(e->builder, a, safe, "") : LLVMBuildLShr(e->builder, a, safe, "");
    return e_select(e, over, zero_like(a), moved);
}

static LLVMValueRef int_scalar(fx_e *e, fx_scalar_op op, bool has_sign, LLVMValueRef a, LLVMValueRef b)
{
    switch (op) {
    case FX_SCALAR_NEG:
        return LLVMBuildNeg(e->builder, a, "");
    case FX_SCALAR_ABS:
        return has_sign ? int_abs(e, a) : a;
    case FX_SCALAR_RELU:
        return has_sign ? binary_intrinsic(e, "llvm.smax", a, zero_like(a)) : a;
    case FX_SCALAR_NOT:
        return LLVMBuildNot(e->builder, a, "");
    case FX_SCALAR_ADD:
        return LLVMBuildAdd(e->builder, a, b, "");
    case FX_SCALAR_SUB:
        return LLVMBuildSub(e->builder, a, b, "");
    case FX_SCALAR_MUL:
        return LLVMBuildMul(e->builder, a, b, "");
    case FX_SCALAR_DIV:
    case FX_SCALAR_FLOORDIV:
    case FX_SCALAR_MOD:
    case FX_SCALAR_FMOD:
        return int_divide(e, op, a, b, has_sign);
    case FX_SCALAR_SHL:
    case FX_SCALAR_SHR:
        return shift(e, op == FX_SCALAR_SHL, has_sign, a, b);
    case FX_SCALAR_MAX:
        return binary_intrinsic(e, has_sign ? "llvm.smax" : "llvm.umax", a, b);
    case FX_SCALAR_MIN:
        return binary_intrinsic(e, has_sign ? "llvm.smin" : "llvm.umin", a, b);
    case FX_SCALAR_AND:
        return LLVMBuildAnd(e->builder, a, b, "");
    case FX_SCALAR_OR:
        return LLVMBuildOr(e->builder, a, b, "");
    case FX_SCALAR_XOR:
        return LLVMBuildXor(e->builder, a, b, "");
    default:
        return fx__scalar_is_comparison(op) ? int_compare(e, op, a, b, has_sign) : a; /* rounding an integer */
    }
}

LLVMValueRef fx__math_scalar(fx_e *e, fx_scalar_op op, fx_dtype dtype, LLVMValueRef a, LLVMValueRef b)
{
    if (fx_dtype_is_float(dtype)) return float_scalar(e, op, a, b);
    if (dtype == FX_BOOL && op == FX_SCALAR_MAX) op = FX_SCALAR_OR;
    if (dtype == FX_BOOL && op == FX_SCALAR_MIN) op = FX_SCALAR_AND;
    return int_scalar(e, op, fx_dtype_is_signed(dtype), a, b);
}

/* ---- Conversions -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef float_to_int(fx_e *e, fx_dtype to, LLVMValueRef a)
{
    LLVMTypeRef type[] = {e_vec(e_type(e, to), e_lanes(a)), LLVMTypeOf(a)};
    return e_intrinsic(e, fx_dtype_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat", type, 2, &a, 1);
}

static LLVMValueRef int_to_int(fx_e *e, fx_dtype from, fx_dtype to, LLVMValueRef a)
{
    LLVMTypeRef type = e_vec(e_type(e, to), e_lanes(a));
    unsigned had = LLVMGetIntTypeWidth(e_element(a)), wants = LLVMGetIntTypeWidth(e_type(e, to));
    if (wants < had) return LLVMBuildTrunc(e->builder, a, type, "");
    if (wants == had) return a;
    return fx_dtype_is_signed(from) ? LLVMBuildSExt(e->builder, a, type, "") : LLVMBuildZExt(e->builder, a, type, "");
}

static LLVMValueRef float_to_float(fx_e *e, fx_dtype to, LLVMValueRef a)
{
    LLVMTypeRef type = e_vec(e_type(e, to), e_lanes(a));
    if (type == LLVMTypeOf(a)) return a; /* f16 and bf16 compute in f32 and round when stored */
    return to == FX_F64 ? LLVMBuildFPExt(e->builder, a, type, "") : LLVMBuildFPTrunc(e->builder, a, type, "");
}

LLVMValueRef fx__math_cast(fx_e *e, fx_dtype from, fx_dtype to, LLVMValueRef a)
{
    bool from_float = fx_dtype_is_float(from), to_float = fx_dtype_is_float(to);
    if (from == to) return a;
    if (from_float && to_float) return float_to_float(e, to, a);
    if (to == FX_BOOL) return from_float ? fcmp(e, LLVMRealUNE, a, zero_like(a)) : e_icmp(e, LLVMIntNE, a, zero_like(a));
    if (from_float) return float_to_int(e, to, a);
    if (!to_float) return int_to_int(e, from, to, a);
    LLVMTypeRef type = e_vec(e_type(e, to), e_lanes(a));
    return fx_dtype_is_signed(from) ? LLVMBuildSIToFP(e->builder, a, type, "") : LLVMBuildUIToFP(e->builder, a, type, "");
}

/* ---- Storage ------------------------------------------------------------------------------------------------------------ */

typedef struct half_types {
    LLVMTypeRef i16, i32, f16, f32;
} half_types;

static half_types half_types_of(fx_e *e, LLVMValueRef a)
{
    int n = e_lanes(a);
    return (half_types){e_vec(e->ty_i16, n), e_vec(e->ty_i32, n), e_vec(e->ty_f16, n), e_vec(e->ty_f32, n)};
}

static LLVMValueRef bf16_unpack(fx_e *e, LLVMValueRef stored)
{
    half_types t = half_types_of(e, stored);
    LLVMValueRef wide = LLVMBuildZExt(e->builder, stored, t.i32, "");
    return LLVMBuildBitCast(e->builder, LLVMBuildShl(e->builder, wide, e_integer(e, t.i32, 16), ""), t.f32, "");
}

/* To nearest even by an integer addition; the CPU's own conversion flushes denormals. */
static LLVMValueRef bf16_pack(fx_e *e, LLVMValueRef value)
{
    LLVMBuilderRef b = e->builder;
    half_types t = half_types_of(e, value);
    LLVMValueRef bits = LLVMBuildBitCast(b, value, t.i32, ""), sixteen = e_integer(e, t.i32, 16);
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, sixteen, ""), e_integer(e, t.i32, 1), "");
    LLVMValueRef sum = LLVMBuildAdd(b, LLVMBuildAdd(b, bits, e_integer(e, t.i32, 0x7fff), ""), odd, "");
    LLVMValueRef nan = LLVMBuildOr(b, bits, e_integer(e, t.i32, 0x400000), "");
    LLVMValueRef picked = e_select(e, fcmp(e, LLVMRealUNO, value, value), nan, sum);
    return LLVMBuildTrunc(b, LLVMBuildLShr(b, picked, sixteen, ""), t.i16, "");
}

/* Without the instruction: exponent and mantissa are moved into place and rescaled by a multiplication, which is exact and
 * normalises denormals. */
static LLVMValueRef f16_unpack_bits(fx_e *e, LLVMValueRef stored)
{
    LLVMBuilderRef b = e->builder;
    half_types t = half_types_of(e, stored);
    LLVMValueRef wide = LLVMBuildZExt(b, stored, t.i32, "");
    LLVMValueRef size = LLVMBuildAnd(b, wide, e_integer(e, t.i32, 0x7fff), "");
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildXor(b, wide, size, ""), e_integer(e, t.i32, 16), "");
    LLVMValueRef moved = LLVMBuildShl(b, size, e_integer(e, t.i32, 13), "");
    LLVMValueRef scaled = LLVMBuildFMul(b, LLVMBuildBitCast(b, moved, t.f32, ""), e_real(e, t.f32, 0x1p112), "");
    LLVMValueRef special = LLVMBuildOr(b, moved, e_integer(e, t.i32, 0x7f800000), "");
    LLVMValueRef is_special = e_icmp(e, LLVMIntUGE, size, e_integer(e, t.i32, 0x7c00));
    LLVMValueRef bits = e_select(e, is_special, special, LLVMBuildBitCast(b, scaled, t.i32, ""));
    return LLVMBuildBitCast(b, LLVMBuildOr(b, bits, sign, ""), t.f32, "");
}

/* Normal results: rebias and round by an addition. Denormal results: adding 0.5 leaves the rounded mantissa in the low bits. */
static LLVMValueRef f16_pack_bits(fx_e *e, LLVMValueRef value)
{
    LLVMBuilderRef b = e->builder;
    half_types t = half_types_of(e, value);
    LLVMValueRef bits = LLVMBuildBitCast(b, value, t.i32, "");
    LLVMValueRef size = LLVMBuildAnd(b, bits, e_integer(e, t.i32, 0x7fffffff), "");
    LLVMValueRef sign = LLVMBuildLShr(b, LLVMBuildXor(b, bits, size, ""), e_integer(e, t.i32, 16), "");
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, size, e_integer(e, t.i32, 13), ""), e_integer(e, t.i32, 1), "");
    LLVMValueRef rebias = e_integer(e, t.i32, 0xfff - (112 << 23));
    LLVMValueRef normal =
        LLVMBuildLShr(b, LLVMBuildAdd(b, LLVMBuildAdd(b, size, rebias, ""), odd, ""), e_integer(e, t.i32, 13), "");
    LLVMValueRef lifted = LLVMBuildFAdd(b, LLVMBuildBitCast(b, size, t.f32, ""), e_real(e, t.f32, 0.5), "");
    LLVMValueRef tiny = LLVMBuildSub(b, LLVMBuildBitCast(b, lifted, t.i32, ""), e_integer(e, t.i32, 126 << 23), "");
    LLVMValueRef result = e_select(e, e_icmp(e, LLVMIntULT, size, e_integer(e, t.i32, 113 << 23)), tiny, normal);
    LLVMValueRef is_big = e_icmp(e, LLVMIntUGE, size, e_integer(e, t.i32, 143 << 23));
    LLVMValueRef is_nan = e_icmp(e, LLVMIntUGT, size, e_integer(e, t.i32, 0x7f800000));
    result = e_select(e, is_big, e_select(e, is_nan, e_integer(e, t.i32, 0x7e00), e_integer(e, t.i32, 0x7c00)), result);
    return LLVMBuildTrunc(b, LLVMBuildOr(b, result, sign, ""), t.i16, "");
}

LLVMValueRef fx__math_unpack(fx_e *e, fx_dtype dtype, LLVMValueRef stored)
{
    if (dtype == FX_BOOL) return e_icmp(e, LLVMIntNE, stored, zero_like(stored));
    if (dtype == FX_BF16) return bf16_unpack(e, stored);
    if (dtype != FX_F16) return stored;
    if (!e->target->has_f16c) return f16_unpack_bits(e, stored);
    half_types t = half_types_of(e, stored);
    return LLVMBuildFPExt(e->builder, LLVMBuildBitCast(e->builder, stored, t.f16, ""), t.f32, "");
}

LLVMValueRef fx__math_pack(fx_e *e, fx_dtype dtype, LLVMValueRef value)
{
    if (dtype == FX_BOOL) return LLVMBuildZExt(e->builder, value, e_vec(e->ty_i8, e_lanes(value)), "");
    if (dtype == FX_BF16) return bf16_pack(e, value);
    if (dtype != FX_F16) return value;
    if (!e->target->has_f16c) return f16_pack_bits(e, value);
    half_types t = half_types_of(e, value);
    return LLVMBuildBitCast(e->builder, LLVMBuildFPTrunc(e->builder, value, t.f16, ""), t.i16, "");
}

/* ---- Combiners ---------------------------------------------------------------------------------------------------------- */

static fx_scalar_op combiner(fx_combine combine, fx_dtype dtype)
{
    switch (combine) {
    case FX_COMBINE_SUM:
        return dtype == FX_BOOL ? FX_SCALAR_OR : FX_SCALAR_ADD;
    case FX_COMBINE_PROD:
        return dtype == FX_BOOL ? FX_SCALAR_AND : FX_SCALAR_MUL;
    case FX_COMBINE_MIN:
        return FX_SCALAR_MIN;
    case FX_COMBINE_MAX:
        return FX_SCALAR_MAX;
    case FX_COMBINE_AND:
        return FX_SCALAR_AND;
    default:
        return FX_SCALAR_OR;
    }
}

LLVMValueRef fx__math_combine(fx_e *e, fx_combine combine, fx_dtype dtype, LLVMValueRef a, LLVMValueRef b)
{
    return fx__math_scalar(e, combiner(combine, dtype), dtype, a, b);
}

static fx_imm integer_end(fx_dtype dtype, bool highest)
{
    unsigned bits = (unsigned)fx_dtype_bytes(dtype) * 8;
    if (dtype == FX_BOOL) return (fx_imm){.i = highest};
    if (!fx_dtype_is_signed(dtype)) return (fx_imm){.u = highest ? UINT64_MAX >> (64 - bits) : 0};
    int64_t top = (int64_t)(UINT64_MAX >> (65 - bits));
    return (fx_imm){.i = highest ? top : -top - 1};
}

LLVMValueRef fx__math_identity(fx_e *e, fx_combine combine, fx_dtype dtype, int lanes)
{
    fx_imm value = {0};
    bool real = fx_dtype_is_float(dtype);
    switch (combine) {
    case FX_COMBINE_PROD:
        if (real)
            value.f = 1;
        else
            value.i = 1;
        break;
    case FX_COMBINE_MIN:
    case FX_COMBINE_ARGMIN:
        value = real ? (fx_imm){.f = INFINITY} : integer_end(dtype, true);
        break;
    case FX_COMBINE_MAX:
    case FX_COMBINE_ARGMAX:
        value = real ? (fx_imm){.f = -INFINITY} : integer_end(dtype, false);
        break;
    case FX_COMBINE_AND:
        value.i = -1;
        break;
    default:
        break; /* SUM, OR: all bits zero; for floats -0 would be the identity, but an empty sum is +0 */
    }
    return e_imm(e, dtype, value, lanes);
}
