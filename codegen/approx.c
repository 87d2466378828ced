/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/approx.c: exp, log, tanh, sigmoid, erf and their kin as polynomials, inline and for any lane count.
 *
 * exp     x = n ln2 + r with |r| <= ln2/2; exp(r) by a polynomial; the scaling by 2^n is exact up to one rounding.
 * log     x = 2^n m with m in [sqrt(1/2), sqrt(2)); log(m) by the odd series in f / (2 + f), f = m - 1.
 * tanh    t / (t + 2) with t = exp(2|x|) - 1, where t is formed without cancellation: 2^n (exp(r) - 1) + (2^n - 1).
 * sigmoid 1 / (1 + z) or z / (1 + z) with z = exp(-|x|), so that neither side overflows or loses the small end.
 * expm1   2^n ((exp(r) - 1) + (1 - 2^-n)), so that nothing cancels near 0.
 * log1p   log(u) + (x - (u - 1)) / u with u = 1 + x rounded: the second term is what the rounding lost.
 * erf     x + x p(x^2) below 0.92, 1 - exp(-q(x)) above; q interpolates -log(erfc).
 *
 * Integers come from floats by adding a number so large that the fraction falls off: unlike a conversion that is defined for
 * NaN too. With an exact kernel every operation rounds by itself, and all hosts agree. */
#include "codegen/math.h"
#include <math.h>

typedef struct form {
    LLVMTypeRef real, integer; /* lanes of each */
    int lanes, mantissa;
    bool wide; /* f64 */
} form;

static form form_of(fx_e *e, LLVMValueRef x)
{
    form t = {.real = LLVMTypeOf(x), .lanes = e_lanes(x), .wide = e_element(x) == e->ty_f64};
    t.integer = e_vec(t.wide ? e->ty_i64 : e->ty_i32, t.lanes);
    t.mantissa = t.wide ? 52 : 23;
    return t;
}

static LLVMValueRef bits_of(fx_e *e, const form *t, LLVMValueRef x)
{
    return LLVMBuildBitCast(e->builder, x, t->integer, "");
}
static LLVMValueRef real_of(fx_e *e, const form *t, LLVMValueRef x)
{
    return LLVMBuildBitCast(e->builder, x, t->real, "");
}
static LLVMValueRef real(fx_e *e, const form *t, double value)
{
    return e_real(e, t->real, value);
}
static LLVMValueRef integer(fx_e *e, const form *t, int64_t value)
{
    return e_integer(e, t->integer, value);
}

/* c[0] + c[1] x + ... */
static LLVMValueRef polynomial(fx_e *e, const form *t, LLVMValueRef x, const double *c, int n)
{
    LLVMValueRef sum = real(e, t, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = e_fma(e, sum, x, real(e, t, c[i]));
    return sum;
}

/* a < b ? c : d, where NaN in a takes d. */
static LLVMValueRef if_less(fx_e *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c, LLVMValueRef d)
{
    return e_select(e, LLVMBuildFCmp(e->builder, LLVMRealOLT, a, b, ""), c, d);
}

static LLVMValueRef at_least(fx_e *e, const form *t, LLVMValueRef x, double low)
{
    return if_less(e, x, real(e, t, low), real(e, t, low), x);
}

static LLVMValueRef at_most(fx_e *e, const form *t, LLVMValueRef x, double high)
{
    return e_select(e, LLVMBuildFCmp(e->builder, LLVMRealOGT, x, real(e, t, high), ""), real(e, t, high), x);
}

/* ---- exp ---------------------------------------------------------------------------------------------------------------- */

/* (exp(r) - 1 - r) / r^2: interpolated at Chebyshev points for f32 (1e-8 relative to exp), Taylor for f64. */
static const double exp32[] = {0.5, 0.16666576062275124, 0.04166655345865175, 0.008363333082182943, 0.001392637599580353};
static const double exp64[] = {1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
                               1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

typedef struct reduced {
    LLVMValueRef n, n_bits, rest; /* x = n ln2 + rest; n_bits: n as an integer */
} reduced;

static reduced reduce_exp(fx_e *e, const form *t, LLVMValueRef x)
{
    LLVMValueRef magic = real(e, t, t->wide ? 0x1.8p52 : 0x1.8p23);
    LLVMValueRef shifted = e_fma(e, x, real(e, t, 0x1.71547652b82fep0), magic); /* log2(e) */
    LLVMValueRef n = LLVMBuildFSub(e->builder, shifted, magic, "");
    LLVMValueRef n_bits = LLVMBuildSub(e->builder, bits_of(e, t, shifted), bits_of(e, t, magic), "");
    /* ln2 in two parts; the upper one has few enough bits that n times it is exact */
    LLVMValueRef rest = e_fma(e, n, real(e, t, t->wide ? -0x1.62e4p-1 : -0x1.63p-1), x);
    rest = e_fma(e, n, real(e, t, t->wide ? -0x1.7f7d1cf79abcap-20 : 0x1.bd0106p-13), rest);
    return (reduced){n, n_bits, rest};
}

/* exp(rest) - 1. */
static LLVMValueRef exp_minus_one(fx_e *e, const form *t, LLVMValueRef rest)
{
    LLVMValueRef p = t->wide ? polynomial(e, t, rest, exp64, sizeof exp64 / sizeof *exp64)
                             : polynomial(e, t, rest, exp32, sizeof exp32 / sizeof *exp32);
    return e_fma(e, LLVMBuildFMul(e->builder, rest, rest, ""), p, rest);
}

/* 2^n for integer n in the normal range. */
static LLVMValueRef power_of_two(fx_e *e, const form *t, LLVMValueRef n_bits)
{
    LLVMValueRef biased = LLVMBuildAdd(e->builder, n_bits, integer(e, t, t->wide ? 1023 : 127), "");
    return real_of(e, t, LLVMBuildShl(e->builder, biased, integer(e, t, t->mantissa), ""));
}

static bool has_scale(const fx_e *e, const form *t)
{
    return e->target->has_scalef && !e->exact && t->lanes == (t->wide ? 8 : 16);
}

/* p * 2^n with one rounding, also where the result is denormal or overflows. */
static LLVMValueRef scale(fx_e *e, const form *t, LLVMValueRef p, const reduced *x)
{
    if (has_scale(e, t)) {
        LLVMValueRef all = LLVMConstAllOnes(t->wide ? e->ty_i8 : e->ty_i16);
        LLVMValueRef arg[] = {p, x->n, p, all, e_i32(e, 4)};
        return e_intrinsic(e, t->wide ? "llvm.x86.avx512.mask.scalef.pd.512" : "llvm.x86.avx512.mask.scalef.ps.512", NULL, 0, arg,
                           5);
    }
    LLVMValueRef half = LLVMBuildAShr(e->builder, x->n_bits, integer(e, t, 1), "");
    LLVMValueRef other = LLVMBuildSub(e->builder, x->n_bits, half, "");
    p = LLVMBuildFMul(e->builder, p, power_of_two(e, t, half), "");
    return LLVMBuildFMul(e->builder, p, power_of_two(e, t, other), "");
}

LLVMValueRef fx__approx_exp(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    /* beyond these the result is inf or rounds to zero anyway, and inf - inf would make a NaN; the processor takes a hundred cycles to
     * find out that a result vanishes, and most scores of a masked attention do */
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
    LLVMValueRef vanishes = LLVMBuildFCmp(e->builder, LLVMRealOLT, x, real(e, &t, t.wide ? -746 : -104.5), "");
    x = at_most(e, &t, e_select(e, vanishes, zero, x), t.wide ? 710 : 89);
    reduced r = reduce_exp(e, &t, x);
    LLVMValueRef p = LLVMBuildFAdd(e->builder, exp_minus_one(e, &t, r.rest), real(e, &t, 1), "");
    return e_select(e, vanishes, zero, scale(e, &t, p, &r));
}

/* ---- tanh, sigmoid ------------------------------------------------------------------------------------------------------ */

/* a / b for normal b of moderate size. A division of 16 lanes takes longer than the rest of a sigmoid; an estimate of 14 bits and one
 * step of Newton's, whose last operation rounds, are within 1 ulp. */
static LLVMValueRef quotient(fx_e *e, const form *t, LLVMValueRef a, LLVMValueRef b)
{
    if (t->wide || !has_scale(e, t)) return LLVMBuildFDiv(e->builder, a, b, "");
    LLVMValueRef arg[] = {b, LLVMConstNull(t->real), LLVMConstAllOnes(e->ty_i16)};
    LLVMValueRef inverse = e_intrinsic(e, "llvm.x86.avx512.rcp14.ps.512", NULL, 0, arg, 3);
    LLVMValueRef first = LLVMBuildFMul(e->builder, a, inverse, "");
    LLVMValueRef rest = e_fma(e, LLVMBuildFNeg(e->builder, b, ""), first, a);
    return e_fma(e, rest, inverse, first);
}

static LLVMValueRef copy_sign(fx_e *e, LLVMValueRef magnitude, LLVMValueRef sign)
{
    LLVMTypeRef type = LLVMTypeOf(sign);
    return e_intrinsic(e, "llvm.copysign", &type, 1, (LLVMValueRef[]){magnitude, sign}, 2);
}

LLVMValueRef fx__approx_tanh(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMValueRef size = at_most(e, &t, e_intrinsic1(e, "llvm.fabs", x), t.wide ? 20 : 10); /* rounds to 1 from here on */
    reduced r = reduce_exp(e, &t, LLVMBuildFAdd(e->builder, size, size, ""));
    LLVMValueRef power = power_of_two(e, &t, r.n_bits);
    LLVMValueRef less = LLVMBuildFSub(e->builder, power, real(e, &t, 1), "");
    LLVMValueRef top = e_fma(e, power, exp_minus_one(e, &t, r.rest), less);
    LLVMValueRef bottom = LLVMBuildFAdd(e->builder, top, real(e, &t, 2), "");
    return copy_sign(e, quotient(e, &t, top, bottom), x);
}

LLVMValueRef fx__approx_sigmoid(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMValueRef z = fx__approx_exp(e, LLVMBuildFNeg(e->builder, e_intrinsic1(e, "llvm.fabs", x), ""));
    LLVMValueRef top = if_less(e, x, real(e, &t, 0), z, real(e, &t, 1));
    return quotient(e, &t, top, LLVMBuildFAdd(e->builder, z, real(e, &t, 1), ""));
}

/* ---- log ---------------------------------------------------------------------------------------------------------------- */

static const double log32[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9};
static const double log64[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
                               2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23};

/* log of a positive normal x, n0 added to its exponent. */
static LLVMValueRef log_normal(fx_e *e, const form *t, LLVMValueRef x, LLVMValueRef n0)
{
    LLVMBuilderRef b = e->builder;
    LLVMValueRef root_half = integer(e, t, t->wide ? INT64_C(0x3fe6a09e667f3bcd) : 0x3f3504f3);
    LLVMValueRef bits = bits_of(e, t, x);
    LLVMValueRef n_bits = LLVMBuildAShr(b, LLVMBuildSub(b, bits, root_half, ""), integer(e, t, t->mantissa), "");
    LLVMValueRef m = real_of(e, t, LLVMBuildSub(b, bits, LLVMBuildShl(b, n_bits, integer(e, t, t->mantissa), ""), ""));
    LLVMValueRef n = LLVMBuildFAdd(b, LLVMBuildSIToFP(b, n_bits, t->real, ""), n0, "");
    LLVMValueRef f = LLVMBuildFSub(b, m, real(e, t, 1), "");
    LLVMValueRef s = LLVMBuildFDiv(b, f, LLVMBuildFAdd(b, f, real(e, t, 2), ""), "");
    LLVMValueRef z = LLVMBuildFMul(b, s, s, "");
    LLVMValueRef p = t->wide ? polynomial(e, t, z, log64, sizeof log64 / sizeof *log64)
                             : polynomial(e, t, z, log32, sizeof log32 / sizeof *log32);
    /* log(1 + f) = f - (f^2/2 - s (f^2/2 + z p)): the small part is added to n ln2 last */
    LLVMValueRef half = LLVMBuildFMul(b, LLVMBuildFMul(b, f, real(e, t, 0.5), ""), f, "");
    LLVMValueRef inner = e_fma(e, z, p, half);
    LLVMValueRef low = e_fma(e, n, real(e, t, t->wide ? 0x1.7f7d1cf79abcap-20 : -0x1.bd0106p-13), LLVMBuildFMul(b, s, inner, ""));
    LLVMValueRef small = LLVMBuildFSub(b, f, LLVMBuildFSub(b, half, low, ""), "");
    return e_fma(e, n, real(e, t, t->wide ? 0x1.62e4p-1 : 0x1.63p-1), small);
}

LLVMValueRef fx__approx_log(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMBuilderRef b = e->builder;
    LLVMValueRef tiny = LLVMBuildFCmp(b, LLVMRealOLT, x, real(e, &t, t.wide ? 0x1p-1022 : 0x1p-126), "");
    LLVMValueRef lifted = LLVMBuildFMul(b, x, real(e, &t, t.wide ? 0x1p54 : 0x1p25), "");
    LLVMValueRef n0 = e_select(e, tiny, real(e, &t, t.wide ? -54 : -25), real(e, &t, 0));
    LLVMValueRef result = log_normal(e, &t, e_select(e, tiny, lifted, x), n0);
    LLVMValueRef zero = real(e, &t, 0), inf = real(e, &t, INFINITY), nan = real(e, &t, NAN);
    result = e_select(e, LLVMBuildFCmp(b, LLVMRealOEQ, x, zero, ""), real(e, &t, -INFINITY), result);
    result = e_select(e, LLVMBuildFCmp(b, LLVMRealOEQ, x, inf, ""), inf, result);
    return e_select(e, LLVMBuildFCmp(b, LLVMRealUGE, x, zero, ""), e_select(e, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), x, result),
                    nan);
}

/* ---- Kin of exp and log ------------------------------------------------------------------------------------------------- */

LLVMValueRef fx__approx_exp2(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    x = at_most(e, &t, at_least(e, &t, x, t.wide ? -1080 : -152), t.wide ? 1025 : 129);
    LLVMValueRef magic = real(e, &t, t.wide ? 0x1.8p52 : 0x1.8p23), shifted = LLVMBuildFAdd(e->builder, x, magic, "");
    reduced r = {.n = LLVMBuildFSub(e->builder, shifted, magic, "")};
    r.n_bits = LLVMBuildSub(e->builder, bits_of(e, &t, shifted), bits_of(e, &t, magic), "");
    LLVMValueRef part = LLVMBuildFSub(e->builder, x, r.n, ""); /* exact */
    LLVMValueRef rest = LLVMBuildFMul(e->builder, part, real(e, &t, 0x1.62e42fefa39efp-1), "");
    LLVMValueRef p = LLVMBuildFAdd(e->builder, exp_minus_one(e, &t, rest), real(e, &t, 1), "");
    return scale(e, &t, p, &r);
}

LLVMValueRef fx__approx_expm1(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMValueRef inside = at_most(e, &t, at_least(e, &t, x, t.wide ? -40 : -20), t.wide ? 710 : 89); /* -1 and inf beyond */
    reduced r = reduce_exp(e, &t, inside);
    /* 2^-n is nothing beside 1 long before it leaves the range of normal numbers */
    LLVMValueRef most = integer(e, &t, t.wide ? 1022 : 126), high = e_icmp(e, LLVMIntSGT, r.n_bits, most);
    LLVMValueRef minus = LLVMBuildNeg(e->builder, e_select(e, high, most, r.n_bits), "");
    LLVMValueRef less = LLVMBuildFSub(e->builder, real(e, &t, 1), power_of_two(e, &t, minus), "");
    LLVMValueRef y = scale(e, &t, LLVMBuildFAdd(e->builder, exp_minus_one(e, &t, r.rest), less, ""), &r);
    return e_select(e, LLVMBuildFCmp(e->builder, LLVMRealOEQ, x, real(e, &t, 0), ""), x, y); /* keeps -0 */
}

LLVMValueRef fx__approx_log1p(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMBuilderRef b = e->builder;
    LLVMValueRef one = real(e, &t, 1), u = LLVMBuildFAdd(b, x, one, "");
    LLVMValueRef lost = LLVMBuildFDiv(b, LLVMBuildFSub(b, x, LLVMBuildFSub(b, u, one, ""), ""), u, "");
    LLVMValueRef y = LLVMBuildFAdd(b, fx__approx_log(e, u), lost, "");
    /* where u is 0, infinite or negative the logarithm is the answer; where it is 1, x is */
    LLVMValueRef inside = LLVMBuildFCmp(b, LLVMRealOGT, u, real(e, &t, 0), "");
    inside = LLVMBuildAnd(b, inside, LLVMBuildFCmp(b, LLVMRealOLT, u, real(e, &t, INFINITY), ""), "");
    y = e_select(e, inside, y, fx__approx_log(e, u));
    return e_select(e, LLVMBuildFCmp(b, LLVMRealOEQ, u, one, ""), x, y);
}

LLVMValueRef fx__approx_log2(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    return LLVMBuildFMul(e->builder, fx__approx_log(e, x), real(e, &t, 0x1.71547652b82fep0), "");
}

LLVMValueRef fx__approx_log10(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    return LLVMBuildFMul(e->builder, fx__approx_log(e, x), real(e, &t, 0x1.bcb7b1526e50ep-2), "");
}

/* ---- erf ---------------------------------------------------------------------------------------------------------------- */

/* erf(x) / x - 1 in x^2 on [0, 0.85]; -log(erfc(x)) in x - 2.45 on [0.9, 4]. Interpolated at Chebyshev points. */
static const double erf_small[] = {0.12837915081444154,  -0.3761250078442785,  0.1128188109977221,
                                   -0.02676871099588066, 0.004995951235633717, -0.000600372197862241};
static const double erf_large[] = {7.541539598585677,      5.2583738428810864,     0.9422319544091734,
                                   0.01130227703354597,    -0.00227336941732687,   0.0004440512272887892,
                                   -8.202530341921074e-05, 1.3959810973708473e-05, -1.6430636556906173e-06};

LLVMValueRef fx__approx_erf(fx_e *e, LLVMValueRef x)
{
    form t = form_of(e, x);
    LLVMBuilderRef b = e->builder;
    if (t.wide) return fx__approx_libm(e, "erf", x, NULL);
    LLVMValueRef size = at_most(e, &t, e_intrinsic1(e, "llvm.fabs", x), 4); /* rounds to 1 from here on */
    LLVMValueRef square = LLVMBuildFMul(b, size, size, "");
    LLVMValueRef small = polynomial(e, &t, square, erf_small, sizeof erf_small / sizeof *erf_small);
    small = e_fma(e, size, small, size);
    LLVMValueRef centred = LLVMBuildFSub(b, size, real(e, &t, 2.45), "");
    LLVMValueRef q = polynomial(e, &t, centred, erf_large, sizeof erf_large / sizeof *erf_large);
    LLVMValueRef large = LLVMBuildFSub(b, real(e, &t, 1), fx__approx_exp(e, LLVMBuildFNeg(b, q, "")), "");
    return copy_sign(e, if_less(e, size, real(e, &t, 0.92), small, large), x);
}
