/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/scalar.c: what each row of scalar.def means for one element, conversions between element types (f16 and bf16 in
 * software, to nearest even), and torch's type promotion. Plain C: this is the definition, not the fast path. */
#include "runtime/scalar.h"
#include <math.h>
#include <string.h>

typedef enum number_class { CLASS_FLOAT, CLASS_SIGNED, CLASS_UNSIGNED, CLASS_BOOL } number_class;

static number_class class_of(fx_dtype dtype)
{
    switch (dtype) {
    case FX_F16:
    case FX_F32:
    case FX_F64:
    case FX_BF16:
        return CLASS_FLOAT;
    case FX_U8:
    case FX_U16:
    case FX_U32:
    case FX_U64:
        return CLASS_UNSIGNED;
    case FX_BOOL:
        return CLASS_BOOL;
    default:
        return CLASS_SIGNED;
    }
}

/* ---- The table ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *classes;
    int operands, cost;
} rows[] = {
#define FX_SCALAR(name, text, operands, classes, cost) [FX_SCALAR_##name] = {text, #classes, operands, cost},
#include "runtime/scalar.def"
#undef FX_SCALAR
};

const char *fx__scalar_name(fx_scalar_op op)
{
    return rows[op].text;
}
int fx__scalar_operands(fx_scalar_op op)
{
    return rows[op].operands;
}
int fx__scalar_cost(fx_scalar_op op)
{
    return rows[op].cost;
}

int fx__scalar_find(const char *name)
{
    for (int op = 0; op < FX_SCALAR_COUNT; op++)
        if (strcmp(rows[op].text, name) == 0) return op;
    return -1;
}

bool fx__scalar_is_comparison(fx_scalar_op op)
{
    return op == FX_SCALAR_ISNAN || (op >= FX_SCALAR_EQ && op <= FX_SCALAR_GE);
}

bool fx__scalar_allows(fx_scalar_op op, fx_dtype dtype)
{
    static const char letter[] = {[CLASS_FLOAT] = 'F', [CLASS_SIGNED] = 'I', [CLASS_UNSIGNED] = 'I', [CLASS_BOOL] = 'B'};
    return strchr(rows[op].classes, letter[class_of(dtype)]) != NULL;
}

fx_scalar_op fx__scalar_on(fx_scalar_op op, fx_dtype dtype)
{
    if (dtype != FX_BOOL) return op;
    return op == FX_SCALAR_ADD ? FX_SCALAR_OR : op == FX_SCALAR_MUL ? FX_SCALAR_AND : op;
}

fx_dtype fx__scalar_compute(fx_dtype dtype)
{
    return dtype == FX_F16 || dtype == FX_BF16 ? FX_F32 : dtype;
}

/* ---- Integers ----------------------------------------------------------------------------------------------------------- */

/* Keeps the low bits of a 64-bit pattern, extended as dtype extends them. */
static fx_imm wrap(fx_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case FX_I8:
        return (fx_imm){.i = (int8_t)bits};
    case FX_I16:
        return (fx_imm){.i = (int16_t)bits};
    case FX_I32:
        return (fx_imm){.i = (int32_t)bits};
    case FX_U8:
        return (fx_imm){.u = (uint8_t)bits};
    case FX_U16:
        return (fx_imm){.u = (uint16_t)bits};
    case FX_U32:
        return (fx_imm){.u = (uint32_t)bits};
    case FX_BOOL:
        return (fx_imm){.i = bits != 0};
    default:
        return (fx_imm){.u = bits};
    }
}

static int64_t divide(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    return a / b;
}

static int64_t remainder_floored(int64_t a, int64_t b)
{
    if (b == 0 || b == -1) return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static int64_t divide_floored(int64_t a, int64_t b)
{
    int64_t quotient = divide(a, b);
    return b != 0 && b != -1 && a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static uint64_t apply_bits(fx_scalar_op op, uint64_t a, uint64_t b)
{
    switch (op) {
    case FX_SCALAR_NEG:
        return 0 - a;
    case FX_SCALAR_NOT:
        return ~a;
    case FX_SCALAR_ADD:
        return a + b;
    case FX_SCALAR_SUB:
        return a - b;
    case FX_SCALAR_MUL:
        return a * b;
    case FX_SCALAR_AND:
        return a & b;
    case FX_SCALAR_OR:
        return a | b;
    case FX_SCALAR_XOR:
        return a ^ b;
    case FX_SCALAR_EQ:
        return a == b;
    case FX_SCALAR_NE:
        return a != b;
    case FX_SCALAR_SHL: /* wrap() takes what leaves a narrower type */
        return b < 64 ? a << b : 0;
    default:
        return a; /* rounding an integer */
    }
}

static uint64_t apply_signed(fx_scalar_op op, int64_t a, int64_t b)
{
    switch (op) {
    case FX_SCALAR_ABS:
        return a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    case FX_SCALAR_RELU:
        return a < 0 ? 0 : (uint64_t)a;
    case FX_SCALAR_DIV:
        return (uint64_t)divide(a, b);
    case FX_SCALAR_FLOORDIV:
        return (uint64_t)divide_floored(a, b);
    case FX_SCALAR_MOD:
        return (uint64_t)remainder_floored(a, b);
    case FX_SCALAR_FMOD:
        return b == 0 || b == -1 ? 0 : (uint64_t)(a % b);
    case FX_SCALAR_SHR: /* floored division: C leaves >> of negative values to the compiler */
        return b < 0 || b > 62 ? (a < 0 ? UINT64_MAX : 0) : (uint64_t)divide_floored(a, INT64_C(1) << b);
    case FX_SCALAR_MAX:
        return (uint64_t)(a > b ? a : b);
    case FX_SCALAR_MIN:
        return (uint64_t)(a < b ? a : b);
    case FX_SCALAR_LT:
        return a < b;
    case FX_SCALAR_LE:
        return a <= b;
    case FX_SCALAR_GT:
        return a > b;
    case FX_SCALAR_GE:
        return a >= b;
    default:
        return apply_bits(op, (uint64_t)a, (uint64_t)b);
    }
}

static uint64_t apply_unsigned(fx_scalar_op op, uint64_t a, uint64_t b)
{
    switch (op) {
    case FX_SCALAR_DIV:
    case FX_SCALAR_FLOORDIV:
        return b ? a / b : 0;
    case FX_SCALAR_MOD:
    case FX_SCALAR_FMOD:
        return b ? a % b : 0;
    case FX_SCALAR_SHR:
        return b < 64 ? a >> b : 0;
    case FX_SCALAR_MAX:
        return a > b ? a : b;
    case FX_SCALAR_MIN:
        return a < b ? a : b;
    case FX_SCALAR_LT:
        return a < b;
    case FX_SCALAR_LE:
        return a <= b;
    case FX_SCALAR_GT:
        return a > b;
    case FX_SCALAR_GE:
        return a >= b;
    default:
        return apply_bits(op, a, b);
    }
}

static uint64_t apply_bool(fx_scalar_op op, int64_t a, int64_t b)
{
    return op == FX_SCALAR_NOT ? !a : apply_unsigned(op, (uint64_t)a, (uint64_t)b);
}

/* ---- Floats ------------------------------------------------------------------------------------------------------------- */

static double round_to(fx_dtype dtype, double value)
{
    return dtype == FX_F64 ? value : (double)(float)value;
}

static double float_unary(fx_scalar_op op, double a)
{
    switch (op) {
    case FX_SCALAR_NEG:
        return -a;
    case FX_SCALAR_ABS:
        return fabs(a);
    case FX_SCALAR_RELU:
        return a < 0 ? 0 : a;
    case FX_SCALAR_SQRT:
        return sqrt(a);
    case FX_SCALAR_EXP:
        return exp(a);
    case FX_SCALAR_LOG:
        return log(a);
    case FX_SCALAR_TANH:
        return tanh(a);
    case FX_SCALAR_SIGMOID:
        return 1 / (1 + exp(-a));
    case FX_SCALAR_FLOOR:
        return floor(a);
    case FX_SCALAR_CEIL:
        return ceil(a);
    case FX_SCALAR_EXP2:
        return exp2(a);
    case FX_SCALAR_EXPM1:
        return expm1(a);
    case FX_SCALAR_LOG1P:
        return log1p(a);
    case FX_SCALAR_LOG2:
        return log2(a);
    case FX_SCALAR_LOG10:
        return log10(a);
    case FX_SCALAR_ERF:
        return erf(a);
    case FX_SCALAR_SIN:
        return sin(a);
    case FX_SCALAR_COS:
        return cos(a);
    case FX_SCALAR_TAN:
        return tan(a);
    case FX_SCALAR_ASIN:
        return asin(a);
    case FX_SCALAR_ACOS:
        return acos(a);
    case FX_SCALAR_ATAN:
        return atan(a);
    case FX_SCALAR_SINH:
        return sinh(a);
    case FX_SCALAR_COSH:
        return cosh(a);
    case FX_SCALAR_ASINH:
        return asinh(a);
    case FX_SCALAR_ACOSH:
        return acosh(a);
    case FX_SCALAR_ATANH:
        return atanh(a);
    case FX_SCALAR_ROUND:
        return rint(a);
    default:
        return trunc(a);
    }
}

static double modulo(double a, double b)
{
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* The whole number that goes with modulo's rest, as Python and torch have it: the floor of a rounded quotient may be the next one.
 * What the rest leaves divides evenly but for rounding, which the nearest whole number undoes. */
static double divide_real(fx_dtype dtype, double a, double b)
{
    if (b == 0) return a / b;
    double rest = fmod(a, b), quotient = round_to(dtype, round_to(dtype, a - rest) / b);
    if (rest != 0 && (rest < 0) != (b < 0)) quotient = round_to(dtype, quotient - 1);
    double below = floor(quotient);
    return quotient - below > 0.5 ? round_to(dtype, below + 1) : below;
}

static double float_binary(fx_scalar_op op, fx_dtype dtype, double a, double b)
{
    switch (op) {
    case FX_SCALAR_ADD:
        return a + b;
    case FX_SCALAR_SUB:
        return a - b;
    case FX_SCALAR_MUL:
        return a * b;
    case FX_SCALAR_DIV:
        return a / b;
    case FX_SCALAR_FLOORDIV:
        return divide_real(dtype, a, b);
    case FX_SCALAR_MOD:
        return modulo(a, b);
    case FX_SCALAR_FMOD:
        return fmod(a, b);
    case FX_SCALAR_POW:
        return pow(a, b);
    case FX_SCALAR_ATAN2:
        return atan2(a, b);
    case FX_SCALAR_MAX:
        return isnan(a) || a >= b ? a : b;
    default:
        return isnan(a) || a <= b ? a : b; /* MIN */
    }
}

static bool float_compare(fx_scalar_op op, double a, double b)
{
    switch (op) {
    case FX_SCALAR_ISNAN:
        return isnan(a);
    case FX_SCALAR_EQ:
        return a == b;
    case FX_SCALAR_NE:
        return a != b;
    case FX_SCALAR_LT:
        return a < b;
    case FX_SCALAR_LE:
        return a <= b;
    case FX_SCALAR_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static fx_imm apply_float(fx_scalar_op op, fx_dtype dtype, double a, double b)
{
    if (fx__scalar_is_comparison(op)) return (fx_imm){.i = float_compare(op, a, b)};
    return (fx_imm){.f = round_to(dtype, rows[op].operands == 1 ? float_unary(op, a) : float_binary(op, dtype, a, b))};
}

fx_imm fx__scalar_apply(fx_scalar_op op, fx_dtype dtype, fx_imm a, fx_imm b)
{
    fx_dtype result = fx__scalar_is_comparison(op) ? FX_BOOL : dtype;
    switch (class_of(dtype)) {
    case CLASS_FLOAT:
        return apply_float(op, dtype, a.f, b.f);
    case CLASS_SIGNED:
        return wrap(result, apply_signed(op, a.i, b.i));
    case CLASS_UNSIGNED:
        return wrap(result, apply_unsigned(op, a.u, b.u));
    default:
        return wrap(FX_BOOL, apply_bool(op, a.i, b.i));
    }
}

/* ---- Conversions -------------------------------------------------------------------------------------------------------- */

/* [lowest, highest] of an integer dtype; the upper ends of the 64-bit types are the first double above. */
static fx_imm float_to_int(fx_dtype dtype, double value)
{
    static const struct {
        double lo, hi;
    } range[FX_DTYPE_COUNT] = {
        [FX_I8] = {-0x1p7, 0x1p7 - 1}, [FX_I16] = {-0x1p15, 0x1p15 - 1}, [FX_I32] = {-0x1p31, 0x1p31 - 1},
        [FX_I64] = {-0x1p63, 0x1p63},  [FX_U8] = {0, 0x1p8 - 1},         [FX_U16] = {0, 0x1p16 - 1},
        [FX_U32] = {0, 0x1p32 - 1},    [FX_U64] = {0, 0x1p64},
    };
    if (isnan(value)) return (fx_imm){.i = 0};
    if (value <= range[dtype].lo) value = range[dtype].lo;
    if (value >= range[dtype].hi) value = range[dtype].hi;
    if (dtype == FX_I64) return (fx_imm){.i = value >= 0x1p63 ? INT64_MAX : (int64_t)value};
    if (dtype == FX_U64) return (fx_imm){.u = value >= 0x1p64 ? UINT64_MAX : (uint64_t)value};
    return class_of(dtype) == CLASS_SIGNED ? (fx_imm){.i = (int64_t)value} : (fx_imm){.u = (uint64_t)value};
}

static fx_imm int_to_float(fx_dtype to, fx_dtype from, fx_imm value)
{
    bool is_unsigned = class_of(from) == CLASS_UNSIGNED;
    if (to == FX_F64) return (fx_imm){.f = is_unsigned ? (double)value.u : (double)value.i};
    return (fx_imm){.f = is_unsigned ? (double)(float)value.u : (double)(float)value.i}; /* rounded once, not twice */
}

fx_imm fx__scalar_cast(fx_dtype from, fx_dtype to, fx_imm value)
{
    bool from_float = class_of(from) == CLASS_FLOAT, to_float = class_of(to) == CLASS_FLOAT;
    if (from_float && to_float) return (fx_imm){.f = round_to(to, value.f)};
    if (to_float) return int_to_float(to, from, value);
    if (to == FX_BOOL) return (fx_imm){.i = from_float ? value.f != 0 : value.u != 0};
    return from_float ? float_to_int(to, value.f) : wrap(to, value.u);
}

double fx__scalar_to_double(fx_dtype dtype, fx_imm value)
{
    switch (class_of(dtype)) {
    case CLASS_FLOAT:
        return value.f;
    case CLASS_UNSIGNED:
        return (double)value.u;
    default:
        return (double)value.i;
    }
}

fx_imm fx__scalar_from_double(fx_dtype dtype, double value)
{
    return fx__scalar_cast(FX_F64, dtype, (fx_imm){.f = value});
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------- */

/* A 16-bit float: `mantissa` stored bits, smallest normal exponent `emin`, `infinity` the pattern of +inf. Exponent and
 * mantissa are added, so a mantissa that rounds up to the next power of two carries by itself. */
static uint16_t half_pack(double value, int mantissa, int emin, uint16_t infinity)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    value = fabs(value);
    if (isnan(value)) return (uint16_t)(sign | infinity | (1u << (mantissa - 1)));
    if (value == 0) return sign;
    if (isinf(value)) return (uint16_t)(sign | infinity);
    int e = ilogb(value);
    if (e > 200) return (uint16_t)(sign | infinity);
    if (e < emin) e = emin;
    uint64_t bits = ((uint64_t)(e - emin) << mantissa) + (uint64_t)rint(ldexp(value, mantissa - e));
    return (uint16_t)(sign | (bits < infinity ? bits : infinity));
}

static double half_unpack(uint16_t bits, int mantissa, int emin, uint16_t infinity)
{
    uint16_t magnitude = bits & 0x7fff;
    int field = magnitude >> mantissa, fraction = magnitude & ((1 << mantissa) - 1);
    double value;
    if (magnitude > infinity)
        value = NAN;
    else if (magnitude == infinity)
        value = INFINITY;
    else
        value = ldexp(field ? fraction + (1 << mantissa) : fraction, (field ? field - 1 : 0) + emin - mantissa);
    return bits & 0x8000 ? -value : value;
}

enum { F16_MANTISSA = 10, F16_EMIN = -14, F16_INF = 0x7c00, BF16_MANTISSA = 7, BF16_EMIN = -126, BF16_INF = 0x7f80 };

#define LOAD(type, at, field)                                                                                                      \
    do {                                                                                                                           \
        type element;                                                                                                              \
        memcpy(&element, at, sizeof element);                                                                                      \
        return (fx_imm){.field = element};                                                                                         \
    } while (0)

fx_imm fx__scalar_load(fx_dtype dtype, const void *at)
{
    uint16_t half;
    switch (dtype) {
    case FX_F16:
        memcpy(&half, at, 2);
        return (fx_imm){.f = half_unpack(half, F16_MANTISSA, F16_EMIN, F16_INF)};
    case FX_BF16:
        memcpy(&half, at, 2);
        return (fx_imm){.f = half_unpack(half, BF16_MANTISSA, BF16_EMIN, BF16_INF)};
    case FX_F32:
        LOAD(float, at, f);
    case FX_F64:
        LOAD(double, at, f);
    case FX_I8:
        LOAD(int8_t, at, i);
    case FX_I16:
        LOAD(int16_t, at, i);
    case FX_I32:
        LOAD(int32_t, at, i);
    case FX_I64:
        LOAD(int64_t, at, i);
    case FX_U8:
        LOAD(uint8_t, at, u);
    case FX_U16:
        LOAD(uint16_t, at, u);
    case FX_U32:
        LOAD(uint32_t, at, u);
    case FX_U64:
        LOAD(uint64_t, at, u);
    default:
        return (fx_imm){.i = *(const unsigned char *)at != 0};
    }
}

static void put(void *at, const void *element, size_t bytes)
{
    memcpy(at, element, bytes);
}

void fx__scalar_store(fx_dtype dtype, void *at, fx_imm value)
{
    switch (dtype) {
    case FX_F16:
        put(at, &(uint16_t){half_pack(value.f, F16_MANTISSA, F16_EMIN, F16_INF)}, 2);
        break;
    case FX_BF16:
        put(at, &(uint16_t){half_pack(value.f, BF16_MANTISSA, BF16_EMIN, BF16_INF)}, 2);
        break;
    case FX_F32:
        put(at, &(float){(float)value.f}, 4);
        break;
    case FX_F64:
        put(at, &value.f, 8);
        break;
    case FX_I8:
    case FX_U8:
        put(at, &(uint8_t){(uint8_t)value.u}, 1);
        break;
    case FX_I16:
    case FX_U16:
        put(at, &(uint16_t){(uint16_t)value.u}, 2);
        break;
    case FX_I32:
    case FX_U32:
        put(at, &(uint32_t){(uint32_t)value.u}, 4);
        break;
    case FX_I64:
    case FX_U64:
        put(at, &value.u, 8);
        break;
    default:
        put(at, &(uint8_t){value.u != 0}, 1);
        break;
    }
}

/* ---- Promotion ---------------------------------------------------------------------------------------------------------- */

static int width(fx_dtype dtype)
{
    static const int8_t bits[FX_DTYPE_COUNT] = {
        [FX_F16] = 16, [FX_F32] = 32, [FX_F64] = 64, [FX_BF16] = 16, [FX_I8] = 8,   [FX_I16] = 16, [FX_I32] = 32,
        [FX_I64] = 64, [FX_U8] = 8,   [FX_U16] = 16, [FX_U32] = 32,  [FX_U64] = 64, [FX_BOOL] = 1};
    return bits[dtype];
}

static fx_dtype signed_of_width(int bits)
{
    return bits <= 8 ? FX_I8 : bits <= 16 ? FX_I16 : bits <= 32 ? FX_I32 : FX_I64;
}

fx_dtype fx__scalar_promote(fx_dtype a, fx_dtype b)
{
    if (a == b) return a;
    if (class_of(a) == CLASS_BOOL) return b;
    if (class_of(b) == CLASS_BOOL) return a;
    bool a_float = class_of(a) == CLASS_FLOAT, b_float = class_of(b) == CLASS_FLOAT;
    if (a_float != b_float) return a_float ? a : b;
    if (a_float) return width(a) == width(b) ? FX_F32 : width(a) > width(b) ? a : b; /* f16 with bf16: f32 */
    if (class_of(a) == class_of(b)) return width(a) > width(b) ? a : b;
    fx_dtype sign = class_of(a) == CLASS_SIGNED ? a : b, without = class_of(a) == CLASS_SIGNED ? b : a;
    return width(sign) > width(without) ? sign : signed_of_width(2 * width(without));
}

void fx__promotion_add(fx_promotion *promotion, fx_operand_rank rank, fx_dtype dtype)
{
    int8_t *have = &promotion->dtype[rank];
    *have = (int8_t)(*have < 0 ? dtype : fx__scalar_promote((fx_dtype)*have, dtype));
}

/* A lower rank changes the result only by raising its category. */
static int combine(int higher, int lower)
{
    if (higher < 0 || lower < 0) return higher < 0 ? lower : higher;
    bool higher_float = class_of((fx_dtype)higher) == CLASS_FLOAT, lower_float = class_of((fx_dtype)lower) == CLASS_FLOAT;
    if (higher_float || (higher != FX_BOOL && !lower_float)) return higher;
    return (int)fx__scalar_promote((fx_dtype)higher, (fx_dtype)lower);
}

fx_dtype fx__promotion_result(const fx_promotion *promotion)
{
    int result = combine(promotion->dtype[FX_OPERAND_DIMS],
                         combine(promotion->dtype[FX_OPERAND_ZERO_DIM], promotion->dtype[FX_OPERAND_NUMBER]));
    return result < 0 ? FX_F32 : (fx_dtype)result;
}
