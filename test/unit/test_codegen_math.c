/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of scalar.def on special values against runtime/scalar.c, in vectors, in scalars and exact; and the errors of exp, log,
 * tanh and sigmoid in units in the last place over samples of all magnitudes, against libm in a wider type. */
#include "native_run.h"

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

enum { SAMPLES = 1 << 17, FEWER = 1 << 14 }; /* fewer where libm in long double is slow */

static void open_unary(native *n, const char *op, const char *dtype, const char *result, long size, int lanes, bool exact)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\nbuf %%x: %s[%ld] input 0\nbuf %%y: %s[%ld] output 0\n"
        "kernel k0(x: %s[%ld], out y: %s[%ld])%s {\n  for i:%ld\n  y[i] = %s(x[i])\n  sched flat vec i*%d unroll 1 order(i)\n" COST
        "}\nrun k0(%%x, %%y)\n",
        dtype, size, result, size, dtype, size, result, size, exact ? " exact" : "", size, op, lanes);
    native_open(n, text, 1);
}

/* ---- Units in the last place -------------------------------------------------------------------------------------------- */

static float sample32(uint64_t *seed)
{
    uint32_t bits = (uint32_t)fx_test_random(seed);
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static double sample64(uint64_t *seed)
{
    uint64_t bits = fx_test_random(seed);
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

/* Half of the samples are any bit pattern, half of them where the functions are neither 0 nor 1 nor inf. */
static void fill_samples(fx_tensor *x, double range)
{
    static const double special[] = {0.0,       -0.0,      INFINITY,  -INFINITY,      NAN,       1,     -1,     0x1p-126, 0x1p-149,
                                     -0x1p-149, 0x1p-1022, 0x1p-1074, 88.72,          88.73,     -87.3, -103.9, -104.1,   709.7,
                                     709.8,     -745.1,    -745.2,    0x1.fffffep127, 0.34657359};
    uint64_t seed = 7;
    int64_t n = fx_tensor_elems(x), n_special = (int64_t)(sizeof special / sizeof special[0]);
    for (int64_t i = 0; i < n; i++) {
        double value = i < n_special        ? special[i]
                       : i % 2              ? fx_test_uniform(&seed, -range, range)
                       : x->dtype == FX_F32 ? (double)sample32(&seed)
                                            : sample64(&seed);
        fx_tensor_set(x, i, value);
    }
}

static long double exact_value(const char *op, double x)
{
    if (strcmp(op, "exp") == 0) return expl((long double)x);
    if (strcmp(op, "log") == 0) return logl((long double)x);
    if (strcmp(op, "tanh") == 0) return tanhl((long double)x);
#define EXACT(name)                                                                                                                \
    if (strcmp(op, #name) == 0) return name##l((long double)x);
    EXACT(exp2)
        EXACT(expm1) EXACT(log1p) EXACT(log2) EXACT(log10) EXACT(erf) EXACT(sin) EXACT(cos) EXACT(tan) EXACT(asin) EXACT(acos)
            EXACT(atan) EXACT(sinh) EXACT(cosh) EXACT(asinh) EXACT(acosh) EXACT(atanh)
#undef EXACT
                return 1 /
        (1 + expl(-(long double)x));
}

/* Distance in steps of the format at the exact value. */
static double ulps(fx_dtype dtype, double have, long double want)
{
    int mantissa = dtype == FX_F32 ? 23 : 52, emin = dtype == FX_F32 ? -126 : -1022;
    double rounded = dtype == FX_F32 ? (double)(float)want : (double)want;
    if (isnan(want)) return isnan(have) ? 0 : (double)INFINITY;
    if (isinf(rounded) || isinf(have)) return have == rounded ? 0 : (double)INFINITY;
    int e = want == 0 ? emin : ilogbl(want);
    if (e < emin) e = emin;
    return (double)fabsl(((long double)have - want) / ldexpl(1, e - mantissa));
}

static void measure(const char *op, fx_dtype dtype, int lanes, bool exact, int64_t samples)
{
    native n;
    open_unary(&n, op, fx_dtype_name(dtype), fx_dtype_name(dtype), samples, lanes, exact);
    native_tensors(&n, 1, 0, 1);
    fill_samples(&n.in[0], dtype == FX_F32 ? 110 : 760);
    ck_assert_int_eq(native_call(&n, 0), FX_OK);
    double worst = 0, at = 0;
    for (int64_t i = 0; i < samples; i++) {
        double x = fx_tensor_get(&n.in[0], i), have = fx_tensor_get(&n.out[0], i), error = ulps(dtype, have, exact_value(op, x));
        if (error > worst || isnan(error)) worst = error, at = x;
        if (x == 0 && strcmp(op, "tanh") == 0) ck_assert_int_eq(signbit(x) != 0, signbit(have) != 0);
    }
    printf("%-8s %s lanes %-2d%s: %.2f ulp at %.9g\n", op, fx_dtype_name(dtype), lanes, exact ? " exact" : "      ", worst, at);
    ck_assert_msg(worst <= 4, "%s %s: %.2f ulp at %.17g", op, fx_dtype_name(dtype), worst, at);
    native_close(&n);
}

START_TEST(transcendentals_are_within_four_ulp)
{
    static const char *const op[] = {"exp", "log", "tanh", "sigmoid", "exp2", "expm1", "log1p", "log2",  "log10", "erf",  "sin",
                                     "cos", "tan", "asin", "acos",    "atan", "sinh",  "cosh",  "asinh", "acosh", "atanh"};
    for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
        bool common = i < 4;
        for (int exact = 0; exact < 1 + common; exact++) {
            measure(op[i], FX_F32, 16, exact, common ? SAMPLES : FEWER);
            measure(op[i], FX_F32, 1, exact, common ? SAMPLES : FEWER);
            measure(op[i], FX_F64, 8, exact, common ? SAMPLES : FEWER);
            measure(op[i], FX_F64, 1, exact, common ? SAMPLES : FEWER);
        }
    }
}
END_TEST

/* ---- Every row on special values ---------------------------------------------------------------------------------------- */

enum { SPECIALS = 24 };

static double special_value(fx_dtype dtype, int i)
{
    static const double real[SPECIALS] = {0.0,  -0.0, 1,   -1,  0.5, -0.5, 1.5,      2.5,       -2.5,     3,    -3,    7,
                                          -7.5, 100,  1e9, 2.0, NAN, NAN,  INFINITY, -INFINITY, 0x1p-149, 1e30, 1e-30, -1e30};
    static const double integer[SPECIALS] = {0,  1,  -1, 2,  -2,  3,    -3,  5,    -5,  7,    8,     16,
                                             31, 32, 63, 64, 100, -100, 127, -128, 255, 1000, -1000, 12345};
    return fx_dtype_is_float(dtype) ? real[i] : dtype == FX_BOOL ? i % 2 : integer[i];
}

static fx_imm special(fx_dtype dtype, int i)
{
    if (dtype == FX_I64 && i == 20) return (fx_imm){.i = INT64_MIN};
    if (dtype == FX_I32 && i == 20) return (fx_imm){.i = INT32_MIN};
    if (dtype == FX_U64 && i == 20) return (fx_imm){.u = UINT64_MAX};
    return fx__scalar_from_double(dtype, special_value(dtype, i));
}

static bool is_approximate(fx_scalar_op op)
{
    return op == FX_SCALAR_EXP || op == FX_SCALAR_LOG || op == FX_SCALAR_TANH || op == FX_SCALAR_SIGMOID ||
           (op >= FX_SCALAR_EXP2 && op <= FX_SCALAR_ATANH) || op == FX_SCALAR_POW || op == FX_SCALAR_ATAN2;
}

static void binary_row(fx_scalar_op op, fx_dtype dtype, int lanes)
{
    char text[1024];
    const char *in = fx_dtype_name(dtype), *out = fx_dtype_name(fx__scalar_is_comparison(op) ? FX_BOOL : dtype);
    long size = SPECIALS * SPECIALS;
    bool unary = fx__scalar_operands(op) == 1;
    native n;
    snprintf(
        text, sizeof text,
        "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\nbuf %%a: %s[%ld] input 0\nbuf %%b: %s[%ld] input 1\n"
        "buf %%y: %s[%ld] output 0\nkernel k0(a: %s[%ld], b: %s[%ld], out y: %s[%ld]) {\n  for i:%ld\n  y[i] = %s(a[i]%s)\n"
        "  sched flat vec i*%d unroll 2 order(i)\n" COST "}\nrun k0(%%a, %s, %%y)\n",
        in, size, in, size, out, size, in, size, in, size, out, size, size, fx__scalar_name(op), unary ? "" : ", b[i]", lanes,
        "%b");
    native_open(&n, text, 1);
    native_tensors(&n, 1, 0, 1);
    size_t bytes = fx_dtype_bytes(dtype);
    for (int i = 0; i < SPECIALS * SPECIALS; i++) {
        fx__scalar_store(dtype, (char *)n.in[0].data + (size_t)i * bytes, special(dtype, i / SPECIALS));
        fx__scalar_store(dtype, (char *)n.in[1].data + (size_t)i * bytes, special(dtype, i % SPECIALS));
    }
    bool approximate = is_approximate(op);
    native_check(&n, approximate ? 5 : 0, approximate ? 4 * 0x1p-149 : 0);
    native_close(&n);
}

START_TEST(every_row_on_special_values)
{
    for (int op = 0; op < FX_SCALAR_COUNT; op++) {
        for (int dtype = 0; dtype < FX_DTYPE_COUNT; dtype++) {
            if (!fx__scalar_allows((fx_scalar_op)op, (fx_dtype)dtype)) continue;
            binary_row((fx_scalar_op)op, (fx_dtype)dtype, 8);
            binary_row((fx_scalar_op)op, (fx_dtype)dtype, 1);
        }
    }
}
END_TEST

/* f32 to every dtype on special values: ends of ranges, NaN, ties. */
START_TEST(casts_have_stated_values)
{
    static const double value[] = {0.0,
                                   -0.0,
                                   0.5,
                                   -0.5,
                                   1.5,
                                   127.4,
                                   127.6,
                                   128,
                                   -128.5,
                                   -129,
                                   255.5,
                                   256,
                                   32767.9,
                                   32768,
                                   65519,
                                   65520,
                                   65536,
                                   2147483520,
                                   2147483648.0,
                                   -2147483648.0,
                                   4294967296.0,
                                   9223371487098961920.0,
                                   9223372036854775808.0,
                                   1e20,
                                   -1e20,
                                   INFINITY,
                                   -INFINITY,
                                   NAN,
                                   0x1p-24,
                                   0x1p-25,
                                   0x1.8p-25,
                                   0x1p-149,
                                   1 + 0x1p-11,
                                   1 + 0x1p-8,
                                   1 + 0x1.8p-8,
                                   0x1.fep127,
                                   0x1.ffp127,
                                   0x1.fffffep127,
                                   6.1e-5,
                                   6.097e-5};
    long size = (long)(sizeof value / sizeof value[0]);
    for (int to = 0; to < FX_DTYPE_COUNT; to++) {
        native n;
        open_unary(&n, fx_dtype_name((fx_dtype)to), "f32", fx_dtype_name((fx_dtype)to), size, 16, false);
        native_tensors(&n, 1, 0, 1);
        for (long i = 0; i < size; i++) fx_tensor_set(&n.in[0], i, value[i]);
        native_check(&n, 0, 0);
        native_close(&n);
    }
}
END_TEST

FX_TESTS("codegen_math", transcendentals_are_within_four_ulp, every_row_on_special_values, casts_have_stated_values)
