/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_algebra.c: arithmetic that changes nothing goes. Only what is exact for every value: x + 0.0 would turn -0.0 into
 * 0.0 and stays, x - 0.0 and x + -0.0 do not; 0 * x and x - x are no constants, for the sake of infinities and NaN; where the
 * operation changes dtype or shape, it stays. */
#include "passes/rule.h"
#include <math.h>
#include <string.h>

static const fx_type *type_of_x(const fx_match *match)
{
    const fx_node *x = fx_match_node(match, "x");
    return x ? fx_node_type(x, 0) : NULL;
}

static bool keeps_type(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *x = fx_match_node(match, "x");
    return x && fx__core_same_type(match->anchor, x);
}

static bool is_integral(const fx_type *type)
{
    return type && (FX_INTS >> type->dtype & 1);
}

/* The constant operand of the anchor, which the matcher may have found on either side. */
static const fx_attr *literal_of(const fx_match *match)
{
    for (int32_t i = 0; i < 2; i++)
        if (fx__arg(match->anchor, i)->kind != FX_ATTR_NODE) return fx__arg(match->anchor, i);
    return NULL;
}

static bool is_zero(const fx_attr *value, bool negative)
{
    if (value->kind == FX_ATTR_INT) return value->u.i == 0 && !negative;
    return value->kind == FX_ATTR_FLOAT && value->u.f == 0 && (signbit(value->u.f) != 0) == negative;
}

static bool is_one(const fx_attr *value)
{
    return (value->kind == FX_ATTR_INT && value->u.i == 1) || (value->kind == FX_ATTR_FLOAT && value->u.f == 1);
}

/* x + -0.0 is x for every float, x + 0 for every integer. */
static bool adds_nothing(void *user, const fx_match *match)
{
    const fx_attr *literal = literal_of(match);
    return literal && keeps_type(user, match) && is_zero(literal, !is_integral(type_of_x(match)));
}

/* x - 0.0 is x for every float; x - -0.0 is x + 0.0. */
static bool subtracts_nothing(void *user, const fx_match *match)
{
    const fx_attr *literal = fx__arg(match->anchor, 1);
    return keeps_type(user, match) && is_zero(literal, false);
}

static bool has_one(void *user, const fx_match *match)
{
    const fx_attr *literal = literal_of(match);
    return literal && keeps_type(user, match) && is_one(literal);
}

static bool has_one_of_integers(void *user, const fx_match *match)
{
    return has_one(user, match) && is_integral(type_of_x(match));
}

static bool has_zero_bits(void *user, const fx_match *match)
{
    const fx_attr *literal = literal_of(match);
    return literal && literal->kind == FX_ATTR_INT && literal->u.i == 0 && keeps_type(user, match) && is_integral(type_of_x(match));
}

static bool has_all_bits(void *user, const fx_match *match)
{
    const fx_attr *literal = literal_of(match);
    return literal && literal->kind == FX_ATTR_INT && literal->u.i == -1 && keeps_type(user, match) &&
           is_integral(type_of_x(match));
}

static bool is_bool(void *user, const fx_match *match)
{
    const fx_type *type = type_of_x(match);
    return type && type->dtype == FX_BOOL && keeps_type(user, match);
}

/* Without a sign, the negated number is another one. */
static bool has_sign(void *user, const fx_match *match)
{
    const uint32_t unsigned_types = FX_BIT(U8) | FX_BIT(U16) | FX_BIT(U32) | FX_BIT(U64) | FX_BIT(BOOL);
    const fx_type *type = type_of_x(match);
    return type && !(unsigned_types >> type->dtype & 1) && keeps_type(user, match);
}

/* Both flips turn the same dims over. */
static bool flips_back(void *user, const fx_match *match)
{
    const fx_node *inner = fx__rule_node(match->anchor, 0);
    return keeps_type(user, match) && fx_attr_equal(fx__arg(match->anchor, 1), fx__arg(inner, 1));
}

/* Constants are compared: 0 is 0, 0.0 and -0.0, which the filters tell apart, and arguments left out have their defaults. */
static const fx_rule rules[] = {
    {"add(x, 0)", "x", adds_nothing, NULL, NULL},
    {"sub(x, 0)", "x", subtracts_nothing, NULL, NULL},
    {"mul(x, 1)", "x", has_one, NULL, NULL},
    {"div(x, 1)", "x", has_one, NULL, NULL},
    {"pow(x, 1)", "x", has_one, NULL, NULL},
    {"floor_divide(x, 1)", "x", has_one_of_integers, NULL, NULL},
    {"bitwise_or(x, 0)", "x", has_zero_bits, NULL, NULL},
    {"bitwise_xor(x, 0)", "x", has_zero_bits, NULL, NULL},
    {"bitwise_and(x, -1)", "x", has_all_bits, NULL, NULL},
    {"bitwise_left_shift(x, 0)", "x", has_zero_bits, NULL, NULL},
    {"bitwise_right_shift(x, 0)", "x", has_zero_bits, NULL, NULL},
    {"neg(neg(x))", "x", keeps_type, NULL, NULL},
    {"bitwise_not(bitwise_not(x))", "x", keeps_type, NULL, NULL},
    {"logical_not(logical_not(x))", "x", is_bool, NULL, NULL},
    {"abs(abs(x))", "abs(x)", NULL, NULL, NULL},
    {"abs(neg(x))", "abs(x)", has_sign, NULL, NULL},
    {"floor(floor(x))", "floor(x)", NULL, NULL, NULL},
    {"ceil(ceil(x))", "ceil(x)", NULL, NULL, NULL},
    {"trunc(trunc(x))", "trunc(x)", NULL, NULL, NULL},
    {"round(round(x))", "round(x)", NULL, NULL, NULL},
    {"maximum(x, x)", "x", keeps_type, NULL, NULL},
    {"minimum(x, x)", "x", keeps_type, NULL, NULL},
    {"where(c, x, x)", "x", keeps_type, NULL, NULL},
};

/* Any constants. */
static const fx_rule flips = {"flip(flip(x, [0]), [0])", "x", flips_back, NULL, NULL};

fx_status fx__rewrite_algebra(fx_graph *graph, bool *out_modified)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) FX_TRY(fx__rule_apply_exact(graph, &rules[i], NULL, out_modified));
    return fx__rule_apply(graph, &flips, NULL, out_modified);
}
