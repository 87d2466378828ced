/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_expr.c: reads indices, accesses and expressions of a kernel, and finds the names in them. */
#include "ir/kir_parse_kernel.h"
#include <string.h>

int fx__kparse_find_arg(const fx_kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_arg; i++)
        if (strcmp(k->kernel->arg[i].name, name) == 0) return i;
    return -1;
}

int fx__kparse_find_axis(const fx_kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_axis; i++)
        if (strncmp(k->kernel->axis[i].name, name, sizeof k->kernel->axis[i].name) == 0) return i;
    return -1;
}

static int find_stage(const fx_kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_stage; i++)
        if (k->stage_name[i] && strcmp(k->stage_name[i], name) == 0) return i;
    return -1;
}

bool fx__kparse_name_is_new(fx_kernel_parser *k, const char *name)
{
    if (fx__kparse_find_arg(k, name) < 0 && fx__kparse_find_axis(k, name) < 0 && find_stage(k, name) < 0) return true;
    return fx__klex_fail(k->p, "\"%s\" is defined twice in one kernel", name);
}

bool fx__kparse_axis_word(fx_kernel_parser *k, uint8_t *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    int axis = fx__kparse_find_axis(k, word);
    if (axis < 0) return fx__klex_fail(k->p, "unknown axis \"%s\"", word);
    *out = (uint8_t)axis;
    return true;
}

/* ---- Expressions -------------------------------------------------------------------------------------------------------- */

static uint16_t add_expr(fx_kernel_parser *k, const fx_expr *expr)
{
    if (k->p->failed) return FX_NO_EXPR;
    uint16_t e = fx__stage_expr(k->p->program, &k->stage, expr);
    if (e == FX_NO_EXPR) fx__klex_fail(k->p, "out of memory, or more than %d expressions in a stage", FX_NO_EXPR - 1);
    return e;
}

static bool negate(fx_kernel_parser *k, fx_index *index)
{
    return fx__index_scale(k->p->program->dims, index, -1, index) || fx__klex_fail(k->p, "not an index");
}

static bool parse_digits(fx_kernel_parser *k, fx_term *term)
{
    *term = (fx_term){.axis = term->axis, .coef = 1, .div = 1, .mod = 0};
    if (fx__klex_accept(k->p, '/') && !fx__klex_size(k->p, &term->div)) return false;
    if (fx__klex_accept(k->p, '%') && !fx__klex_size(k->p, &term->mod)) return false;
    return term->div != 0 || fx__klex_fail(k->p, "a digit divided by 0");
}

static bool parse_axis_term(fx_kernel_parser *k, fx_dim coef, fx_index *out)
{
    fx_term term = {0};
    if (!fx__kparse_axis_word(k, &term.axis) || !parse_digits(k, &term)) return false;
    *out = fx__index_axis(term.axis);
    out->term[0] = term;
    return fx__index_scale(k->p->program->dims, out, coef, out) || fx__klex_fail(k->p, "the coefficient is too large");
}

/* [COEF "*"] axis digits | COEF | "{" EXPR "}" */
static bool parse_index_term(fx_kernel_parser *k, fx_index *out)
{
    fx_dim coef;
    fx__klex_skip(k->p);
    if (fx__klex_accept(k->p, '{')) {
        uint16_t e = fx__kparse_expr(k);
        *out = fx__index_const(0);
        out->value = (int16_t)e;
        if (e > INT16_MAX) fx__klex_fail(k->p, "too many expressions before a gathered index");
        return fx__klex_expect(k->p, '}');
    }
    if (fx__klex_peek_word(k->p)) return parse_axis_term(k, 1, out);
    if (!fx__klex_coef(k->p, &coef)) return false;
    if (fx__klex_accept(k->p, '*')) return parse_axis_term(k, coef, out);
    *out = fx__index_const(coef);
    return true;
}

static bool parse_index(fx_kernel_parser *k, fx_index *out)
{
    bool minus = fx__klex_accept(k->p, '-');
    if (!parse_index_term(k, out) || (minus && !negate(k, out))) return false;
    for (;;) {
        fx_index term;
        minus = fx__klex_accept(k->p, '-');
        if (!minus && !fx__klex_accept(k->p, '+')) return true;
        if (!parse_index_term(k, &term) || (minus && !negate(k, &term))) return false;
        if (!fx__index_add(k->p->program->dims, out, &term, out))
            return fx__klex_fail(k->p, "more than %d terms in an index", FX_TERMS);
    }
}

static bool parse_fill(fx_kernel_parser *k, fx_access *access)
{
    fx_dtype dtype = k->kernel->arg[access->arg].dtype;
    char number[FX_WORD_BYTES];
    bool is_float;
    access->guarded = true;
    if (dtype == FX_BOOL && fx__klex_accept_word(k->p, "true")) {
        access->fill.i = 1;
        return true;
    }
    return fx__klex_number(k->p, number, &is_float) && fx__klex_convert(k->p, number, is_float, dtype, &access->fill);
}

/* Behind the argument's name. */
bool fx__kparse_access(fx_kernel_parser *k, const char *name, fx_access *out)
{
    int arg = fx__kparse_find_arg(k, name);
    if (arg < 0) return fx__klex_fail(k->p, "unknown argument \"%s\"", name);
    int rank = k->kernel->arg[arg].rank;
    *out = (fx_access){.arg = (uint8_t)arg, .rank = (uint8_t)rank};
    if (!fx__klex_expect(k->p, '[')) return false;
    for (int d = 0; d < rank; d++) {
        if (d && !fx__klex_expect(k->p, ',')) return false;
        if (!parse_index(k, &out->at[d])) return false;
    }
    if (!fx__klex_accept(k->p, ']')) return fx__klex_fail(k->p, "%s has %d dimensions", name, rank);
    if (fx__klex_accept(k->p, '!')) out->clamped = true;
    return !fx__klex_accept(k->p, '?') || parse_fill(k, out);
}

int fx__kparse_add_access(fx_kernel_parser *k, const fx_access *access)
{
    int number = k->p->failed ? -1 : fx__kernel_add_access(k->p->program, k->kernel, access);
    if (number < 0) fx__klex_fail(k->p, "out of memory, or too many accesses");
    return number;
}

static uint16_t parse_load(fx_kernel_parser *k, const char *name)
{
    fx_access access;
    if (!fx__kparse_access(k, name, &access)) return FX_NO_EXPR;
    int number = fx__kparse_add_access(k, &access);
    fx_expr e = {.op = FX_X_LOAD, .dtype = (uint8_t)k->kernel->arg[access.arg].dtype, .u.access = (uint16_t)number};
    return add_expr(k, &e);
}

static uint16_t parse_imm(fx_kernel_parser *k)
{
    char number[FX_WORD_BYTES];
    bool is_float;
    fx_expr e = {.op = FX_X_IMM};
    if (!fx__klex_number(k->p, number, &is_float)) return FX_NO_EXPR;
    fx_dtype dtype = is_float ? FX_F32 : FX_I64;
    if (k->p->at < k->p->end && *k->p->at == '_') {
        k->p->at++;
        if (!fx__klex_dtype(k->p, &dtype)) return FX_NO_EXPR;
    }
    e.dtype = (uint8_t)dtype;
    return fx__klex_convert(k->p, number, is_float, dtype, &e.u.imm) ? add_expr(k, &e) : FX_NO_EXPR;
}

static uint16_t operand_or_none(const fx_expr *e, int i)
{
    return i == 0 ? e->a : i == 1 ? e->b : e->c;
}

static bool parse_operands(fx_kernel_parser *k, const char *name, fx_expr *e)
{
    uint16_t *operand[3] = {&e->a, &e->b, &e->c};
    int n = fx__expr_operands(e);
    for (int i = 0; i < n; i++) {
        if (i && !fx__klex_expect(k->p, ',')) return false;
        *operand[i] = fx__kparse_expr(k);
        if (operand_or_none(e, i) == FX_NO_EXPR) return fx__klex_fail(k->p, "%s takes %d operands", name, n);
    }
    return fx__klex_expect(k->p, ')');
}

static uint16_t parse_dim_expr(fx_kernel_parser *k)
{
    fx_expr e = {.op = FX_X_SYM, .dtype = FX_I64};
    return fx__klex_dim(k->p, &e.u.dim) && fx__klex_expect(k->p, ')') ? add_expr(k, &e) : FX_NO_EXPR;
}

/* The dtype that follows from the operands. */
static fx_dtype result_dtype(const fx_kernel_parser *k, const fx_expr *e)
{
    if (e->op == FX_X_SELECT) return (fx_dtype)k->stage.expr[e->b].dtype;
    return fx__scalar_is_comparison((fx_scalar_op)e->scalar) ? FX_BOOL : (fx_dtype)k->stage.expr[e->a].dtype;
}

/* Behind "name(". */
static uint16_t parse_function(fx_kernel_parser *k, const char *name)
{
    fx_dtype dtype;
    fx_expr e = {.op = FX_X_SCALAR};
    int op = fx__scalar_find(name);
    if (strcmp(name, "dim") == 0) return parse_dim_expr(k);
    if (strcmp(name, "select") == 0) {
        e.op = FX_X_SELECT;
    } else if (fx_dtype_parse(name, &dtype)) {
        e.op = FX_X_CAST;
        e.dtype = (uint8_t)dtype;
    } else if (op >= 0) {
        e.scalar = (uint8_t)op;
    } else {
        fx__klex_fail(k->p, "unknown function \"%s\"", name);
        return FX_NO_EXPR;
    }
    if (!parse_operands(k, name, &e)) return FX_NO_EXPR;
    if (e.op != FX_X_CAST) e.dtype = (uint8_t)result_dtype(k, &e);
    return add_expr(k, &e);
}

static uint16_t parse_named(fx_kernel_parser *k)
{
    int64_t number;
    if (!fx__klex_int(k->p, 0, k->n_named - 1, &number)) return FX_NO_EXPR;
    return k->named[number];
}

static uint16_t parse_plain_name(fx_kernel_parser *k, const char *word)
{
    int axis = fx__kparse_find_axis(k, word), stage = find_stage(k, word);
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return add_expr(k, &(fx_expr){.op = FX_X_IMM, .dtype = FX_BOOL, .u.imm.i = word[0] == 't'});
    if (axis >= 0) return add_expr(k, &(fx_expr){.op = FX_X_AXIS, .dtype = FX_I64, .u.axis = (uint16_t)axis});
    if (stage < 0) {
        fx__klex_fail(k->p, "unknown name \"%s\"", word);
        return FX_NO_EXPR;
    }
    fx_dtype dtype = fx__stage_dtype(&k->kernel->stage[stage]);
    return add_expr(k, &(fx_expr){.op = FX_X_STAGE, .dtype = (uint8_t)dtype, .u.stage = (uint16_t)stage});
}

static uint16_t parse_word_expr(fx_kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return FX_NO_EXPR;
    if (fx__klex_peek(k->p, '[')) return parse_load(k, word);
    if (fx__klex_accept(k->p, '(')) return parse_function(k, word);
    return parse_plain_name(k, word);
}

static uint16_t parse_primary(fx_kernel_parser *k)
{
    fx__klex_skip(k->p);
    if (fx__klex_peek_number(k->p)) return parse_imm(k);
    if (fx__klex_accept(k->p, '$')) return parse_named(k);
    if (fx__klex_accept(k->p, '(')) {
        uint16_t e = fx__kparse_expr(k);
        return fx__klex_expect(k->p, ')') ? e : FX_NO_EXPR;
    }
    return parse_word_expr(k);
}

static uint16_t add_infix(fx_kernel_parser *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    if (k->p->failed || a == FX_NO_EXPR || b == FX_NO_EXPR) return FX_NO_EXPR;
    return add_expr(k, &(fx_expr){.op = FX_X_SCALAR, .scalar = (uint8_t)op, .dtype = k->stage.expr[a].dtype, .a = a, .b = b});
}

static uint16_t parse_product(fx_kernel_parser *k)
{
    uint16_t e = parse_primary(k);
    while (!k->p->failed) {
        if (fx__klex_accept(k->p, '*'))
            e = add_infix(k, FX_SCALAR_MUL, e, parse_primary(k));
        else if (fx__klex_accept(k->p, '/'))
            e = add_infix(k, FX_SCALAR_DIV, e, parse_primary(k));
        else
            break;
    }
    return e;
}

uint16_t fx__kparse_expr(fx_kernel_parser *k)
{
    if (++k->depth > FX_TEXT_DEPTH) fx__klex_fail(k->p, "an expression nested more than %d times", FX_TEXT_DEPTH);
    uint16_t e = k->p->failed ? FX_NO_EXPR : parse_product(k);
    while (!k->p->failed) {
        if (fx__klex_accept(k->p, '+'))
            e = add_infix(k, FX_SCALAR_ADD, e, parse_product(k));
        else if (fx__klex_accept(k->p, '-'))
            e = add_infix(k, FX_SCALAR_SUB, e, parse_product(k));
        else
            break;
    }
    k->depth--;
    return k->p->failed ? FX_NO_EXPR : e;
}
