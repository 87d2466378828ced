/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_number.c: Python's arithmetic on numbers: integers, which may be symbolic sizes, reals and truth values. */
#include "passes/spell.h"
#include <math.h>
#include <string.h>

typedef struct numbers {
    fx_node *node;
    fx_dims *dims;
    const fx_attr *a; /* [n], numbers all */
    int32_t n;
    bool has_float, has_symbol;
} numbers;

typedef fx_spelled (*number_fn)(const numbers *in, fx_attr *out);

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL || value->kind == FX_ATTR_FLOAT ||
           value->kind == FX_ATTR_SYMINT;
}

static double real(const fx_attr *value)
{
    return value->kind == FX_ATTR_FLOAT ? value->u.f : (double)value->u.i;
}

static fx_dim whole(const fx_attr *value)
{
    return value->kind == FX_ATTR_SYMINT ? value->u.dim : value->u.i;
}

static fx_spelled fail(const numbers *in, const char *why)
{
    fx__diag_node(in->node, FX_E_UNSUPPORTED, "%s", why);
    return FX_SPELL_FAILED;
}

static fx_spelled give_float(double value, fx_attr *out)
{
    *out = fx_float(value);
    return FX_SPELL_DONE;
}

static fx_spelled give_int(const numbers *in, fx_dim value, fx_attr *out)
{
    if (value == FX_DIM_BAD) return fail(in, "the arithmetic overflows");
    *out = fx_dim_attr(value);
    return FX_SPELL_DONE;
}

static fx_spelled symbolic(const numbers *in)
{
    return fail(in, "the value depends on a symbolic size");
}

/* ---- Arithmetic --------------------------------------------------------------------------------------------------------- */

static fx_spelled add(const numbers *in, fx_attr *out)
{
    if (in->has_float) return in->has_symbol ? symbolic(in) : give_float(real(&in->a[0]) + real(&in->a[1]), out);
    return give_int(in, fx__dim_add(in->dims, whole(&in->a[0]), whole(&in->a[1])), out);
}

static fx_spelled sub(const numbers *in, fx_attr *out)
{
    if (in->has_float) return in->has_symbol ? symbolic(in) : give_float(real(&in->a[0]) - real(&in->a[1]), out);
    return give_int(in, fx__dim_sub(in->dims, whole(&in->a[0]), whole(&in->a[1])), out);
}

static fx_spelled mul(const numbers *in, fx_attr *out)
{
    if (in->has_float) return in->has_symbol ? symbolic(in) : give_float(real(&in->a[0]) * real(&in->a[1]), out);
    return give_int(in, fx__dim_mul(in->dims, whole(&in->a[0]), whole(&in->a[1])), out);
}

static fx_spelled truediv(const numbers *in, fx_attr *out)
{
    if (in->has_symbol) return symbolic(in);
    if (real(&in->a[1]) == 0) return fail(in, "division by zero");
    return give_float(real(&in->a[0]) / real(&in->a[1]), out);
}

static double floored_rest(double a, double b)
{
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* Rounded down, as Python does: of numbers the quotient without the rest, which the nearest whole number is. */
static fx_spelled floordiv(const numbers *in, fx_attr *out)
{
    if (!in->has_symbol && real(&in->a[1]) == 0) return fail(in, "division by zero");
    if (in->has_float) {
        double x = real(&in->a[0]), y = real(&in->a[1]);
        return in->has_symbol ? symbolic(in) : give_float(round((x - floored_rest(x, y)) / y), out);
    }
    fx_dim a = whole(&in->a[0]), b = whole(&in->a[1]);
    if (in->has_symbol) return give_int(in, fx__dim_floordiv(in->dims, a, b), out);
    if (b == -1) return give_int(in, fx__dim_sub(in->dims, 0, a), out);
    return give_int(in, a / b - (a % b != 0 && (a < 0) != (b < 0)), out);
}

static fx_spelled mod(const numbers *in, fx_attr *out)
{
    if (!in->has_symbol && real(&in->a[1]) == 0) return fail(in, "division by zero");
    if (in->has_float) return in->has_symbol ? symbolic(in) : give_float(floored_rest(real(&in->a[0]), real(&in->a[1])), out);
    fx_dim a = whole(&in->a[0]), b = whole(&in->a[1]);
    if (in->has_symbol) return give_int(in, fx__dim_mod(in->dims, a, b), out);
    fx_dim rest = b == -1 ? 0 : a % b;
    return give_int(in, rest && (rest < 0) != (b < 0) ? rest + b : rest, out);
}

static fx_spelled power(const numbers *in, fx_attr *out)
{
    const fx_attr *e = &in->a[1];
    bool is_whole = !in->has_float && e->kind != FX_ATTR_SYMINT && e->u.i >= 0 && e->u.i < 64;
    if (!is_whole) return in->has_symbol ? symbolic(in) : give_float(pow(real(&in->a[0]), real(e)), out);
    fx_dim product = 1;
    for (int64_t i = 0; i < e->u.i; i++) product = fx__dim_mul(in->dims, product, whole(&in->a[0]));
    return give_int(in, product, out);
}

static fx_spelled negate(const numbers *in, fx_attr *out)
{
    if (in->has_float) return give_float(-in->a[0].u.f, out);
    return give_int(in, fx__dim_sub(in->dims, 0, whole(&in->a[0])), out);
}

static fx_spelled same(const numbers *in, fx_attr *out)
{
    *out = in->a[0].kind == FX_ATTR_BOOL ? fx_int(in->a[0].u.i) : in->a[0];
    return FX_SPELL_DONE;
}

static fx_spelled absolute(const numbers *in, fx_attr *out)
{
    if (in->has_float) return give_float(fabs(in->a[0].u.f), out);
    fx_dim a = whole(&in->a[0]);
    return give_int(in, !in->has_symbol && a < 0 ? fx__dim_sub(in->dims, 0, a) : a, out); /* sizes are not negative */
}

static fx_spelled bit_and(const numbers *in, fx_attr *out)
{
    if (in->has_float || in->has_symbol) return symbolic(in);
    bool is_bool = in->a[0].kind == FX_ATTR_BOOL && in->a[1].kind == FX_ATTR_BOOL;
    int64_t value = in->a[0].u.i & in->a[1].u.i;
    *out = is_bool ? fx_bool(value != 0) : fx_int(value);
    return FX_SPELL_DONE;
}

static fx_spelled bit_or(const numbers *in, fx_attr *out)
{
    if (in->has_float || in->has_symbol) return symbolic(in);
    bool is_bool = in->a[0].kind == FX_ATTR_BOOL && in->a[1].kind == FX_ATTR_BOOL;
    int64_t value = in->a[0].u.i | in->a[1].u.i;
    *out = is_bool ? fx_bool(value != 0) : fx_int(value);
    return FX_SPELL_DONE;
}

/* ---- Comparisons -------------------------------------------------------------------------------------------------------- */

static bool is_only_asserted(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_users; i++)
        if (!fx__spell_is_assertion(node->users[i])) return false;
    return node->n_users > 0;
}

/* What the graph asserts of its sizes is an assumption like those of shape rules: tested when compiled code is entered. */
static fx_spelled assume(const numbers *in, fx_guard_kind kind, fx_dim a, fx_dim b, fx_attr *out)
{
    if (!is_only_asserted(in->node)) return fail(in, "which of two sizes is larger is not known before the run");
    if (!fx__dims_assume(in->dims, kind, a, b, "the graph asserts it")) return fail(in, "the graph asserts what can never hold");
    *out = fx_bool(true);
    return FX_SPELL_DONE;
}

static fx_spelled compare_equal(const numbers *in, bool negated, fx_attr *out)
{
    if (!in->has_symbol) return *out = fx_bool((real(&in->a[0]) == real(&in->a[1])) != negated), FX_SPELL_DONE;
    fx_dim a = whole(&in->a[0]), b = whole(&in->a[1]);
    if (in->has_float) return symbolic(in);
    if (fx__dim_equal(in->dims, a, b)) return *out = fx_bool(!negated), FX_SPELL_DONE;
    bool differs = fx__dim_le(in->dims, fx__dim_add(in->dims, a, 1), b) || fx__dim_le(in->dims, fx__dim_add(in->dims, b, 1), a);
    if (differs) return *out = fx_bool(negated), FX_SPELL_DONE;
    return assume(in, negated ? FX_GUARD_NE : FX_GUARD_EQ, a, b, out);
}

/* a + offset <= b, or else b + (1 - offset) <= a. */
static fx_spelled compare_order(const numbers *in, int first, int64_t offset, fx_attr *out)
{
    const fx_attr *x = &in->a[first], *y = &in->a[1 - first];
    if (!in->has_symbol) return *out = fx_bool(offset ? real(x) < real(y) : real(x) <= real(y)), FX_SPELL_DONE;
    if (in->has_float) return symbolic(in);
    fx_dim a = fx__dim_add(in->dims, whole(x), offset), b = whole(y);
    if (fx__dim_le(in->dims, a, b)) return *out = fx_bool(true), FX_SPELL_DONE;
    if (fx__dim_le(in->dims, fx__dim_add(in->dims, b, 1), a)) return *out = fx_bool(false), FX_SPELL_DONE;
    return assume(in, FX_GUARD_LE, a, b, out);
}

static fx_spelled equal(const numbers *in, fx_attr *out)
{
    return compare_equal(in, false, out);
}
static fx_spelled unequal(const numbers *in, fx_attr *out)
{
    return compare_equal(in, true, out);
}
static fx_spelled less(const numbers *in, fx_attr *out)
{
    return compare_order(in, 0, 1, out);
}
static fx_spelled less_equal(const numbers *in, fx_attr *out)
{
    return compare_order(in, 0, 0, out);
}
static fx_spelled greater(const numbers *in, fx_attr *out)
{
    return compare_order(in, 1, 1, out);
}
static fx_spelled greater_equal(const numbers *in, fx_attr *out)
{
    return compare_order(in, 1, 0, out);
}

static fx_spelled extreme(const numbers *in, bool largest, fx_attr *out)
{
    *out = in->a[0];
    for (int32_t i = 1; i < in->n; i++) {
        const fx_attr *a = &in->a[i];
        if (in->has_float && in->has_symbol) return symbolic(in);
        if (in->has_symbol) {
            fx_dim x = whole(out), y = whole(a);
            fx_spelled r = give_int(in, largest ? fx__dim_max(in->dims, x, y) : fx__dim_min(in->dims, x, y), out);
            if (r != FX_SPELL_DONE) return r;
        } else if (largest ? real(a) > real(out) : real(a) < real(out)) {
            *out = *a;
        }
    }
    return FX_SPELL_DONE;
}

static fx_spelled largest(const numbers *in, fx_attr *out)
{
    return extreme(in, true, out);
}
static fx_spelled smallest(const numbers *in, fx_attr *out)
{
    return extreme(in, false, out);
}

/* ---- Conversions and functions of one number ----------------------------------------------------------------------------- */

static fx_spelled rounded(const numbers *in, double (*round)(double), fx_attr *out)
{
    if (!in->has_float) return same(in, out);
    double value = round(in->a[0].u.f);
    if (!(fabs(value) < 0x1p62)) return fail(in, "the number is no 64-bit integer");
    *out = fx_int((int64_t)value);
    return FX_SPELL_DONE;
}

static fx_spelled to_int(const numbers *in, fx_attr *out)
{
    return rounded(in, trunc, out);
}
static fx_spelled to_floor(const numbers *in, fx_attr *out)
{
    return rounded(in, floor, out);
}
static fx_spelled to_ceil(const numbers *in, fx_attr *out)
{
    return rounded(in, ceil, out);
}
static fx_spelled to_nearest(const numbers *in, fx_attr *out)
{
    return rounded(in, nearbyint, out);
}

static fx_spelled to_float(const numbers *in, fx_attr *out)
{
    return in->has_symbol ? symbolic(in) : give_float(real(&in->a[0]), out);
}

static fx_spelled to_bool(const numbers *in, fx_attr *out)
{
    if (in->has_symbol) return symbolic(in);
    *out = fx_bool(real(&in->a[0]) != 0);
    return FX_SPELL_DONE;
}

static fx_spelled not(const numbers *in, fx_attr *out)
{
    if (in->has_symbol) return symbolic(in);
    *out = fx_bool(real(&in->a[0]) == 0);
    return FX_SPELL_DONE;
}

static fx_spelled apply(const numbers *in, double (*function)(double), fx_attr *out)
{
    if (in->has_symbol) return symbolic(in);
    double value = function(real(&in->a[0]));
    return isnan(value) ? fail(in, "the number is outside the function's domain") : give_float(value, out);
}

static fx_spelled root(const numbers *in, fx_attr *out)
{
    return apply(in, sqrt, out);
}
static fx_spelled logarithm(const numbers *in, fx_attr *out)
{
    return apply(in, log, out);
}
static fx_spelled logarithm2(const numbers *in, fx_attr *out)
{
    return apply(in, log2, out);
}
static fx_spelled exponential(const numbers *in, fx_attr *out)
{
    return apply(in, exp, out);
}

static const struct {
    const char *name;
    int32_t least, most;
    number_fn apply;
} functions[] = {
    {"operator.add", 2, 2, add},
    {"operator.sub", 2, 2, sub},
    {"operator.mul", 2, 2, mul},
    {"operator.truediv", 2, 2, truediv},
    {"operator.floordiv", 2, 2, floordiv},
    {"operator.mod", 2, 2, mod},
    {"operator.pow", 2, 2, power},
    {"operator.neg", 1, 1, negate},
    {"operator.pos", 1, 1, same},
    {"operator.abs", 1, 1, absolute},
    {"operator.and_", 2, 2, bit_and},
    {"operator.or_", 2, 2, bit_or},
    {"operator.eq", 2, 2, equal},
    {"operator.ne", 2, 2, unequal},
    {"operator.lt", 2, 2, less},
    {"operator.le", 2, 2, less_equal},
    {"operator.gt", 2, 2, greater},
    {"operator.ge", 2, 2, greater_equal},
    {"operator.not_", 1, 1, not },
    {"operator.truth", 1, 1, to_bool},
    {"operator.index", 1, 1, same},
    {"operator.iadd", 2, 2, add},
    {"operator.isub", 2, 2, sub},
    {"operator.imul", 2, 2, mul},
    {"operator.ifloordiv", 2, 2, floordiv},
    {"operator.itruediv", 2, 2, truediv},
    {"builtins.int", 1, 1, to_int},
    {"builtins.float", 1, 1, to_float},
    {"builtins.bool", 1, 1, to_bool},
    {"builtins.abs", 1, 1, absolute},
    {"builtins.min", 2, 8, smallest},
    {"builtins.max", 2, 8, largest},
    {"builtins.round", 1, 1, to_nearest},
    {"builtins.pow", 2, 2, power},
    {"math.floor", 1, 1, to_floor},
    {"math.ceil", 1, 1, to_ceil},
    {"math.trunc", 1, 1, to_int},
    {"math.sqrt", 1, 1, root},
    {"math.log", 1, 1, logarithm},
    {"math.log2", 1, 1, logarithm2},
    {"math.exp", 1, 1, exponential},
    {"math.pow", 2, 2, power},
    {"math.fabs", 1, 1, absolute},
    {"torch.sym_int", 1, 1, to_int},
    {"torch.sym_max", 2, 2, largest},
    {"torch.sym_min", 2, 2, smallest},
    {"torch.sym_not", 1, 1, not },
};

fx_spelled fx__spell_number(fx_node *node, const char *name, fx_attr *out)
{
    numbers in = {.node = node, .dims = node->graph->dims, .a = node->args.u.items, .n = node->args.n};
    for (int32_t i = 0; i < in.n; i++) {
        if (!is_number(&in.a[i])) return FX_SPELL_NO;
        in.has_float |= in.a[i].kind == FX_ATTR_FLOAT;
        in.has_symbol |= in.a[i].kind == FX_ATTR_SYMINT;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i].name, name) == 0 && in.n >= functions[i].least && in.n <= functions[i].most)
            return functions[i].apply(&in, out);
    return FX_SPELL_NO;
}
