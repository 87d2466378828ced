/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/approx_wide.c: functions too rare to deserve f32 polynomials of their own. f32 is computed in f64, where textbook
 * formulas lose nothing that rounding to f32 shows; f64 calls libm, lane by lane, and so does a vector of sines with an argument
 * too large for the reduction by two parts of pi/2. */
#include "codegen/math.h"
#include <math.h>
#include <string.h>

static LLVMValueRef real(LLVMValueRef like, fx_e *e, double value)
{
    return e_real(e, LLVMTypeOf(like), value);
}
static LLVMValueRef fcmp(fx_e *e, LLVMRealPredicate predicate, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFCmp(e->builder, predicate, a, b, "");
}
static LLVMValueRef add(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFAdd(e->builder, a, b, "");
}
static LLVMValueRef sub(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFSub(e->builder, a, b, "");
}
static LLVMValueRef mul(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFMul(e->builder, a, b, "");
}
static LLVMValueRef quotient(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFDiv(e->builder, a, b, "");
}
static LLVMValueRef size_of(fx_e *e, LLVMValueRef x)
{
    return e_intrinsic1(e, "llvm.fabs", x);
}
static LLVMValueRef root(fx_e *e, LLVMValueRef x)
{
    return e_intrinsic1(e, "llvm.sqrt", x);
}
static LLVMValueRef with_sign(fx_e *e, LLVMValueRef magnitude, LLVMValueRef sign)
{
    LLVMTypeRef type = LLVMTypeOf(sign);
    return e_intrinsic(e, "llvm.copysign", &type, 1, (LLVMValueRef[]){magnitude, sign}, 2);
}
static LLVMValueRef integers(fx_e *e, LLVMValueRef x)
{
    return LLVMBuildBitCast(e->builder, x, e_vec(e->ty_i64, e_lanes(x)), "");
}

static LLVMValueRef polynomial(fx_e *e, LLVMValueRef x, const double *c, int n)
{
    LLVMValueRef sum = real(x, e, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = e_fma(e, sum, x, real(x, e, c[i]));
    return sum;
}

/* ---- libm --------------------------------------------------------------------------------------------------------------- */

static LLVMValueRef call_one(fx_e *e, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef param[] = {e->ty_f64, e->ty_f64}, type = LLVMFunctionType(e->ty_f64, param, b ? 2 : 1, false);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, name);
    if (!fn) {
        unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
        fn = LLVMAddFunction(e->module, name, type);
        LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(e->context, nounwind, 0));
    }
    return LLVMBuildCall2(e->builder, type, fn, (LLVMValueRef[]){a, b}, b ? 2 : 1, "");
}

LLVMValueRef fx__approx_libm(fx_e *e, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    int lanes = e_lanes(a);
    if (lanes == 1) return call_one(e, name, a, b);
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef left = e_alloca(e, type, name), right = b ? e_alloca(e, type, name) : NULL;
    LLVMSetAlignment(left, 64);
    e_store(e, a, left);
    if (b) LLVMSetAlignment(right, 64), e_store(e, b, right);
    fx_loop loop = e_loop_begin(e, name, e_i64(e, 0), e_i64(e, lanes), 1, 0, NULL);
    LLVMValueRef at = e_at(e, e->ty_f64, left, loop.index);
    LLVMValueRef y = b ? e_load(e, e->ty_f64, e_at(e, e->ty_f64, right, loop.index)) : NULL;
    e_store(e, call_one(e, name, e_load(e, e->ty_f64, at), y), at);
    e_loop_end(e, &loop, NULL);
    return e_load(e, type, left);
}

/* ---- sin, cos, tan ------------------------------------------------------------------------------------------------------ */

/* Taylor's: the first term left out is below 1e-12 on [-pi/4, pi/4]. */
static const double sine[] = {-1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800};
static const double cosine[] = {-1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600};

typedef struct circle {
    LLVMValueRef sin, cos;
} circle;

/* For |x| <= 2^20: n pi/2 is subtracted in two parts, the first of which is exact times n. */
static circle near_circle(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef magic = real(x, e, 0x1.8p52), shifted = e_fma(e, x, real(x, e, 0x1.45f306dc9c883p-1), magic);
    LLVMValueRef n = sub(e, shifted, magic), quadrant = integers(e, shifted);
    LLVMValueRef rest = e_fma(e, n, real(x, e, -0x1.921fb544p0), x);
    rest = e_fma(e, n, real(x, e, -0x1.0b4611a626331p-34), rest);
    LLVMValueRef w = mul(e, rest, rest);
    LLVMValueRef s = e_fma(e, mul(e, rest, w), polynomial(e, w, sine, sizeof sine / sizeof *sine), rest);
    LLVMValueRef c = e_fma(e, w, polynomial(e, w, cosine, sizeof cosine / sizeof *cosine), real(x, e, 1));
    LLVMTypeRef type = LLVMTypeOf(quadrant);
    LLVMValueRef one = e_integer(e, type, 1), two = e_integer(e, type, 2), zero = LLVMConstNull(type);
    LLVMValueRef odd = e_icmp(e, LLVMIntNE, LLVMBuildAnd(e->builder, quadrant, one, ""), zero);
    LLVMValueRef lower = e_icmp(e, LLVMIntNE, LLVMBuildAnd(e->builder, quadrant, two, ""), zero);
    LLVMValueRef after = LLVMBuildAnd(e->builder, LLVMBuildAdd(e->builder, quadrant, one, ""), two, "");
    circle at = {e_select(e, odd, c, s), e_select(e, odd, s, c)};
    at.sin = e_select(e, lower, LLVMBuildFNeg(e->builder, at.sin, ""), at.sin);
    at.cos = e_select(e, e_icmp(e, LLVMIntNE, after, zero), LLVMBuildFNeg(e->builder, at.cos, ""), at.cos);
    return at;
}

static LLVMValueRef any_lane(fx_e *e, LLVMValueRef bits)
{
    if (e_lanes(bits) == 1) return bits;
    LLVMTypeRef word = LLVMIntTypeInContext(e->context, (unsigned)e_lanes(bits));
    return e_icmp(e, LLVMIntNE, LLVMBuildBitCast(e->builder, bits, word, ""), LLVMConstNull(word));
}

static LLVMValueRef circular_near(fx_e *e, fx_scalar_op op, LLVMValueRef x)
{
    circle at = near_circle(e, x);
    LLVMValueRef y = op == FX_SCALAR_SIN ? at.sin : op == FX_SCALAR_COS ? at.cos : quotient(e, at.sin, at.cos);
    return op == FX_SCALAR_COS ? y : e_select(e, fcmp(e, LLVMRealOEQ, x, real(x, e, 0)), x, y); /* keeps -0 */
}

static LLVMValueRef circular(fx_e *e, fx_scalar_op op, LLVMValueRef x)
{
    const char *name = op == FX_SCALAR_SIN ? "sin" : op == FX_SCALAR_COS ? "cos" : "tan";
    LLVMValueRef far = any_lane(e, fcmp(e, LLVMRealOGT, size_of(e, x), real(x, e, 0x1p20)));
    LLVMBasicBlockRef near_block = e_block(e, "near"), far_block = e_block(e, "far"), after = e_block(e, "after");
    e_branch(e, far, far_block, near_block);
    e_put(e, near_block);
    LLVMValueRef near = circular_near(e, op, x);
    LLVMBasicBlockRef near_end = e_here(e);
    e_goto(e, after);
    e_put(e, far_block);
    LLVMValueRef called = fx__approx_libm(e, name, x, NULL);
    LLVMBasicBlockRef far_end = e_here(e);
    e_goto(e, after);
    e_put(e, after);
    return e_phi2(e, near, near_end, called, far_end);
}

/* ---- Inverses ----------------------------------------------------------------------------------------------------------- */

/* (atan(z) / z - 1) / z^2 in z^2 for |z| <= tan(pi/8), interpolated at Chebyshev points to 1e-12. */
static const double arc[] = {-0.3333333333326583,  0.19999999949614752, -0.14285708085366208, 0.1111081875141966,
                             -0.09084084300473637, 0.0760463665221285,  -0.06026559832477382, 0.03294342955753195};

/* x >= 0: atan(x) = base + atan(z) with z = x, (x - 1) / (x + 1) or -1 / x. */
static LLVMValueRef arc_tangent_positive(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef one = real(x, e, 1), zero = real(x, e, 0);
    LLVMValueRef middle = fcmp(e, LLVMRealOGT, x, real(x, e, 0.41421356237309503)),
                 high = fcmp(e, LLVMRealOGT, x, real(x, e, 2.414213562373095));
    LLVMValueRef top = e_select(e, high, real(x, e, -1), e_select(e, middle, sub(e, x, one), x));
    LLVMValueRef bottom = e_select(e, high, x, e_select(e, middle, add(e, x, one), one));
    LLVMValueRef base =
        e_select(e, high, real(x, e, 0x1.921fb54442d18p0), e_select(e, middle, real(x, e, 0x1.921fb54442d18p-1), zero));
    LLVMValueRef z = quotient(e, top, bottom), w = mul(e, z, z);
    LLVMValueRef small = e_fma(e, mul(e, z, w), polynomial(e, w, arc, sizeof arc / sizeof *arc), z);
    return add(e, base, small);
}

static LLVMValueRef arc_tangent(fx_e *e, LLVMValueRef x)
{
    return with_sign(e, arc_tangent_positive(e, size_of(e, x)), x);
}

/* By |y| / |x|, which neither overflows nor vanishes: both are f32. Equal infinities count as 1, two zeros as 0. */
static LLVMValueRef arc_tangent2(fx_e *e, LLVMValueRef y, LLVMValueRef x)
{
    LLVMValueRef a = size_of(e, y), b = size_of(e, x), zero = real(x, e, 0), inf = real(x, e, INFINITY);
    LLVMValueRef ratio = quotient(e, a, b);
    LLVMValueRef both_inf = e_and(e, fcmp(e, LLVMRealOEQ, a, inf), fcmp(e, LLVMRealOEQ, b, inf));
    LLVMValueRef both_zero = e_and(e, fcmp(e, LLVMRealOEQ, a, zero), fcmp(e, LLVMRealOEQ, b, zero));
    ratio = e_select(e, both_inf, real(x, e, 1), e_select(e, both_zero, zero, ratio));
    LLVMValueRef angle = arc_tangent_positive(e, ratio), bits = integers(e, x);
    LLVMValueRef left = e_icmp(e, LLVMIntSLT, bits, LLVMConstNull(LLVMTypeOf(bits)));
    angle = e_select(e, left, sub(e, real(x, e, 0x1.921fb54442d18p1), angle), angle);
    return with_sign(e, angle, y);
}

static LLVMValueRef arc_sine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef one = real(x, e, 1), other = root(e, mul(e, sub(e, one, x), add(e, one, x)));
    return arc_tangent(e, quotient(e, x, other));
}

/* 2 atan(sqrt((1 - x) / (1 + x))): exact towards both ends */
static LLVMValueRef arc_cosine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef one = real(x, e, 1), ratio = quotient(e, sub(e, one, x), add(e, one, x));
    LLVMValueRef half = arc_tangent_positive(e, root(e, ratio));
    return add(e, half, half);
}

/* ---- Hyperbolic functions ----------------------------------------------------------------------------------------------- */

/* (t + t / (t + 1)) / 2 with t = exp(|x|) - 1 */
static LLVMValueRef hyperbolic_sine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef size = size_of(e, x), limit = real(x, e, 100);
    LLVMValueRef t = fx__approx_expm1(e, e_select(e, fcmp(e, LLVMRealOGT, size, limit), limit, size));
    LLVMValueRef sum = add(e, t, quotient(e, t, add(e, t, real(x, e, 1))));
    return with_sign(e, mul(e, sum, real(x, e, 0.5)), x);
}

static LLVMValueRef hyperbolic_cosine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef power = fx__approx_exp(e, size_of(e, x));
    return mul(e, add(e, power, quotient(e, real(x, e, 1), power)), real(x, e, 0.5));
}

/* log1p(a + a^2 / (1 + sqrt(1 + a^2))) with a = |x| */
static LLVMValueRef area_sine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef a = size_of(e, x), one = real(x, e, 1), square = mul(e, a, a);
    LLVMValueRef more = quotient(e, square, add(e, one, root(e, add(e, one, square))));
    LLVMValueRef y = fx__approx_log1p(e, add(e, a, more));
    return with_sign(e, e_select(e, fcmp(e, LLVMRealOEQ, a, real(x, e, INFINITY)), a, y), x);
}

/* log1p(d + sqrt(d (d + 2))) with d = x - 1 */
static LLVMValueRef area_cosine(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef d = sub(e, x, real(x, e, 1)), side = root(e, mul(e, d, add(e, d, real(x, e, 2))));
    LLVMValueRef y = fx__approx_log1p(e, add(e, d, side));
    return e_select(e, fcmp(e, LLVMRealOLT, d, real(x, e, 0)), real(x, e, NAN), y); /* also where d (d + 2) is positive again */
}

/* log1p(2 a / (1 - a)) / 2 with a = |x| */
static LLVMValueRef area_tangent(fx_e *e, LLVMValueRef x)
{
    LLVMValueRef a = size_of(e, x), ratio = quotient(e, add(e, a, a), sub(e, real(x, e, 1), a));
    return with_sign(e, mul(e, fx__approx_log1p(e, ratio), real(x, e, 0.5)), x);
}

/* ---- pow ---------------------------------------------------------------------------------------------------------------- */

static LLVMValueRef is_whole(fx_e *e, LLVMValueRef x)
{
    return fcmp(e, LLVMRealOEQ, e_intrinsic1(e, "llvm.trunc", x), x);
}

/* exp(y log|x|) and C's special cases: 1 for y = 0 and x = 1 even beside NaN, (-1)^(+-inf) = 1, NaN for a negative finite base
 * and a fraction, the base's sign for odd exponents. */
static LLVMValueRef power(fx_e *e, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->builder;
    LLVMValueRef one = real(x, e, 1), zero = real(x, e, 0), inf = real(x, e, INFINITY), base = size_of(e, x);
    LLVMValueRef size = fx__approx_exp(e, mul(e, y, fx__approx_log(e, base)));
    LLVMValueRef endless = fcmp(e, LLVMRealOEQ, size_of(e, y), inf);
    size = e_select(e, e_and(e, fcmp(e, LLVMRealOEQ, base, one), endless), one, size);
    LLVMValueRef half = mul(e, y, real(x, e, 0.5)), whole = is_whole(e, y);
    LLVMValueRef odd = e_and(e, whole, LLVMBuildNot(b, is_whole(e, half), ""));
    LLVMValueRef signed_size = e_select(e, odd, with_sign(e, size, x), size);
    LLVMValueRef fraction = e_and(e, fcmp(e, LLVMRealOLT, x, zero), fcmp(e, LLVMRealOGT, x, LLVMBuildFNeg(b, inf, "")));
    fraction = e_and(e, fraction, LLVMBuildNot(b, whole, ""));
    fraction = e_and(e, fraction, LLVMBuildNot(b, endless, ""));
    LLVMValueRef result = e_select(e, fraction, real(x, e, NAN), signed_size);
    LLVMValueRef always_one = LLVMBuildOr(b, fcmp(e, LLVMRealOEQ, x, one), fcmp(e, LLVMRealOEQ, y, zero), "");
    return e_select(e, always_one, one, result);
}

/* ---- Dispatch ----------------------------------------------------------------------------------------------------------- */

static LLVMValueRef formula(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b)
{
    switch (op) {
    case FX_SCALAR_ASIN:
        return arc_sine(e, a);
    case FX_SCALAR_ACOS:
        return arc_cosine(e, a);
    case FX_SCALAR_ATAN:
        return arc_tangent(e, a);
    case FX_SCALAR_SINH:
        return hyperbolic_sine(e, a);
    case FX_SCALAR_COSH:
        return hyperbolic_cosine(e, a);
    case FX_SCALAR_ASINH:
        return area_sine(e, a);
    case FX_SCALAR_ACOSH:
        return area_cosine(e, a);
    case FX_SCALAR_ATANH:
        return area_tangent(e, a);
    case FX_SCALAR_POW:
        return power(e, a, b);
    case FX_SCALAR_ATAN2:
        return arc_tangent2(e, a, b);
    default:
        return circular(e, op, a);
    }
}

LLVMValueRef fx__approx_wide(fx_e *e, fx_scalar_op op, LLVMValueRef a, LLVMValueRef b)
{
    bool binary = fx__scalar_operands(op) == 2;
    if (e_element(a) == e->ty_f64) return fx__approx_libm(e, fx__scalar_name(op), a, binary ? b : NULL);
    LLVMTypeRef narrow = LLVMTypeOf(a), wide = e_vec(e->ty_f64, e_lanes(a));
    LLVMValueRef x = LLVMBuildFPExt(e->builder, a, wide, ""), y = binary ? LLVMBuildFPExt(e->builder, b, wide, "") : NULL;
    return LLVMBuildFPTrunc(e->builder, formula(e, op, x, y), narrow, "");
}
