/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim_text.c: dimension expressions as text, "s0*2 + floordiv(s1 + 1, 2) - 3", and back. Printing gives the normal form, so
 * reading it back gives an equal expression, and printing that gives the same text. */
#include "ir/dim_poly.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char *const function_name[] = {
    [FX_DIM_FLOORDIV] = "floordiv", [FX_DIM_MOD] = "mod", [FX_DIM_MIN] = "min", [FX_DIM_MAX] = "max"};

/* ---- Printing ---------------------------------------------------------------------------------------------------------- */

static void print_atom(const fx_dims *dims, fx_dim atom, fx_text *text)
{
    fx_dim_node node = fx__dim_node(dims, atom);
    if (node.op == FX_DIM_SYM) {
        fx__text_append(text, "%s", dims->sym[node.value].name);
        return;
    }
    fx__text_append(text, "%s(", function_name[node.op]);
    fx__dim_print(dims, node.a, text);
    fx__text_append(text, ", ");
    fx__dim_print(dims, node.b, text);
    fx__text_append(text, ")");
}

static void print_term(const fx_dims *dims, const fx_mono *term, fx_text *text)
{
    int64_t coef = term->coef < 0 ? -term->coef : term->coef;
    for (int32_t i = 0; i < term->n; i++) {
        if (i > 0) fx__text_append(text, "*");
        print_atom(dims, term->atom[i], text);
    }
    if (term->n == 0 || coef != 1) fx__text_append(text, term->n ? "*%" PRId64 : "%" PRId64, coef);
}

void fx__dim_print(const fx_dims *dims, fx_dim dim, fx_text *text)
{
    if (fx_dim_is_const(dim)) {
        fx__text_append(text, "%" PRId64, dim);
        return;
    }
    if (dim == FX_DIM_BAD) {
        fx__text_append(text, "?");
        return;
    }
    fx_poly p = fx__poly_of(dims, dim);
    for (int32_t i = 0; i < p.n; i++) {
        const char *sign = p.term[i].coef < 0 ? (i ? " - " : "-") : (i ? " + " : "");
        fx__text_append(text, "%s", sign);
        print_term(dims, &p.term[i], text);
    }
}

/* ---- Parsing ----------------------------------------------------------------------------------------------------------- */

static fx_dim parse_sum(fx_dims *dims, const char **cursor, int depth);

/* Moves over spaces and this character; stays where it is when something else follows. */
static bool accept(const char **cursor, char expected)
{
    const char *at = *cursor;
    while (*at == ' ') at++;
    if (*at != expected) return false;
    *cursor = at + 1;
    return true;
}

static fx_dim parse_number(const char **cursor)
{
    int64_t value = 0;
    bool overflow = false;
    for (; isdigit((unsigned char)**cursor); ++*cursor) {
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, (int64_t)(**cursor - '0'), &value);
    }
    return overflow ? FX_DIM_BAD : value;
}

static fx_dim find_symbol(fx_dims *dims, const char *name, size_t bytes)
{
    for (int32_t i = 0; i < dims->n_sym; i++)
        if (strlen(dims->sym[i].name) == bytes && memcmp(dims->sym[i].name, name, bytes) == 0) return fx__dim_sym(dims, i);
    return FX_DIM_BAD;
}

static fx_dim apply(fx_dims *dims, fx_dim_op op, fx_dim a, fx_dim b)
{
    switch (op) {
    case FX_DIM_FLOORDIV:
        return fx__dim_floordiv(dims, a, b);
    case FX_DIM_MOD:
        return fx__dim_mod(dims, a, b);
    case FX_DIM_MIN:
        return fx__dim_min(dims, a, b);
    default:
        return fx__dim_max(dims, a, b);
    }
}

static fx_dim parse_function(fx_dims *dims, const char *name, size_t bytes, const char **cursor, int depth)
{
    for (int op = FX_DIM_FLOORDIV; op <= FX_DIM_MAX; op++) {
        if (strlen(function_name[op]) != bytes || memcmp(function_name[op], name, bytes) != 0) continue;
        fx_dim a = parse_sum(dims, cursor, depth);
        if (a == FX_DIM_BAD || !accept(cursor, ',')) return FX_DIM_BAD;
        fx_dim b = parse_sum(dims, cursor, depth);
        return b != FX_DIM_BAD && accept(cursor, ')') ? apply(dims, (fx_dim_op)op, a, b) : FX_DIM_BAD;
    }
    return FX_DIM_BAD;
}

static fx_dim parse_factor(fx_dims *dims, const char **cursor, int depth)
{
    if (accept(cursor, '(')) {
        fx_dim inner = parse_sum(dims, cursor, depth);
        return accept(cursor, ')') ? inner : FX_DIM_BAD;
    }
    while (**cursor == ' ') ++*cursor;
    if (isdigit((unsigned char)**cursor)) return parse_number(cursor);
    const char *name = *cursor;
    while (isalnum((unsigned char)**cursor) || **cursor == '_') ++*cursor;
    size_t bytes = (size_t)(*cursor - name);
    if (bytes > 0 && accept(cursor, '(')) return parse_function(dims, name, bytes, cursor, depth);
    return find_symbol(dims, name, bytes);
}

static fx_dim parse_term(fx_dims *dims, const char **cursor, int depth)
{
    fx_dim product = parse_factor(dims, cursor, depth);
    while (product != FX_DIM_BAD && accept(cursor, '*')) product = fx__dim_mul(dims, product, parse_factor(dims, cursor, depth));
    return product;
}

/* The depth bound keeps hostile text from exhausting the stack. */
static fx_dim parse_sum(fx_dims *dims, const char **cursor, int depth)
{
    if (depth > 32) return FX_DIM_BAD;
    fx_dim sum =
        accept(cursor, '-') ? fx__dim_sub(dims, 0, parse_term(dims, cursor, depth + 1)) : parse_term(dims, cursor, depth + 1);
    while (sum != FX_DIM_BAD) {
        if (accept(cursor, '+'))
            sum = fx__dim_add(dims, sum, parse_term(dims, cursor, depth + 1));
        else if (accept(cursor, '-'))
            sum = fx__dim_sub(dims, sum, parse_term(dims, cursor, depth + 1));
        else
            break;
    }
    return sum;
}

fx_dim fx__dim_parse(fx_dims *dims, const char **cursor)
{
    return parse_sum(dims, cursor, 0);
}
