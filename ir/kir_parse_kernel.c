/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_kernel.c: reads one kernel. Indices into arguments, axes, stages and expressions are in range in whatever comes out;
 * all other rules are the verifier's. */
#include "ir/kir_lex.h"
#include <inttypes.h>
#include <string.h>

typedef struct kernel_parser {
    fx_kparser *p;
    fx_kernel *kernel;
    fx_kstage stage;         /* being read */
    const char **stage_name; /* [255]; NULL for MAP */
    uint16_t *named;         /* expression of "$N" */
    int32_t n_named, cap_named;
    int depth;
} kernel_parser;

static int find_arg(const kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_arg; i++)
        if (strcmp(k->kernel->arg[i].name, name) == 0) return i;
    return -1;
}

static int find_axis(const kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_axis; i++)
        if (strncmp(k->kernel->axis[i].name, name, sizeof k->kernel->axis[i].name) == 0) return i;
    return -1;
}

static int find_stage(const kernel_parser *k, const char *name)
{
    for (int i = 0; i < k->kernel->n_stage; i++)
        if (k->stage_name[i] && strcmp(k->stage_name[i], name) == 0) return i;
    return -1;
}

static bool name_is_new(kernel_parser *k, const char *name)
{
    if (find_arg(k, name) < 0 && find_axis(k, name) < 0 && find_stage(k, name) < 0) return true;
    return fx__klex_fail(k->p, "\"%s\" is defined twice in one kernel", name);
}

static bool find_axis_word(kernel_parser *k, uint8_t *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    int axis = find_axis(k, word);
    if (axis < 0) return fx__klex_fail(k->p, "unknown axis \"%s\"", word);
    *out = (uint8_t)axis;
    return true;
}

/* ---- Expressions ---------------------------------------------------------------------------------------------------------------
 */

static uint16_t parse_expr(kernel_parser *k);

static uint16_t add_expr(kernel_parser *k, const fx_expr *expr)
{
    if (k->p->failed) return FX_NO_EXPR;
    uint16_t e = fx__stage_expr(k->p->program, &k->stage, expr);
    if (e == FX_NO_EXPR) fx__klex_fail(k->p, "out of memory, or more than %d expressions in a stage", FX_NO_EXPR - 1);
    return e;
}

static bool negate(kernel_parser *k, fx_index *index)
{
    return fx__index_scale(k->p->program->dims, index, -1, index) || fx__klex_fail(k->p, "not an index");
}

static bool parse_digits(kernel_parser *k, fx_term *term)
{
    *term = (fx_term){.axis = term->axis, .coef = 1, .div = 1, .mod = 0};
    if (fx__klex_accept(k->p, '/') && !fx__klex_size(k->p, &term->div)) return false;
    if (fx__klex_accept(k->p, '%') && !fx__klex_size(k->p, &term->mod)) return false;
    return term->div != 0 || fx__klex_fail(k->p, "a digit divided by 0");
}

static bool parse_axis_term(kernel_parser *k, fx_dim coef, fx_index *out)
{
    fx_term term = {0};
    if (!find_axis_word(k, &term.axis) || !parse_digits(k, &term)) return false;
    *out = fx__index_axis(term.axis);
    out->term[0] = term;
    return fx__index_scale(k->p->program->dims, out, coef, out) || fx__klex_fail(k->p, "the coefficient is too large");
}

/* [COEF "*"] axis digits | COEF | "{" EXPR "}" */
static bool parse_index_term(kernel_parser *k, fx_index *out)
{
    fx_dim coef;
    fx__klex_skip(k->p);
    if (fx__klex_accept(k->p, '{')) {
        uint16_t e = parse_expr(k);
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

static bool parse_index(kernel_parser *k, fx_index *out)
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

static bool parse_fill(kernel_parser *k, fx_access *access)
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
static bool parse_access(kernel_parser *k, const char *name, fx_access *out)
{
    int arg = find_arg(k, name);
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

static int add_access(kernel_parser *k, const fx_access *access)
{
    int number = k->p->failed ? -1 : fx__kernel_add_access(k->p->program, k->kernel, access);
    if (number < 0) fx__klex_fail(k->p, "out of memory, or too many accesses");
    return number;
}

static uint16_t parse_load(kernel_parser *k, const char *name)
{
    fx_access access;
    if (!parse_access(k, name, &access)) return FX_NO_EXPR;
    int number = add_access(k, &access);
    fx_expr e = {.op = FX_X_LOAD, .dtype = (uint8_t)k->kernel->arg[access.arg].dtype, .u.access = (uint16_t)number};
    return add_expr(k, &e);
}

static uint16_t parse_imm(kernel_parser *k)
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

static bool parse_operands(kernel_parser *k, const char *name, fx_expr *e)
{
    uint16_t *operand[3] = {&e->a, &e->b, &e->c};
    int n = fx__expr_operands(e);
    for (int i = 0; i < n; i++) {
        if (i && !fx__klex_expect(k->p, ',')) return false;
        *operand[i] = parse_expr(k);
        if (operand_or_none(e, i) == FX_NO_EXPR) return fx__klex_fail(k->p, "%s takes %d operands", name, n);
    }
    return fx__klex_expect(k->p, ')');
}

static uint16_t parse_dim_expr(kernel_parser *k)
{
    fx_expr e = {.op = FX_X_SYM, .dtype = FX_I64};
    return fx__klex_dim(k->p, &e.u.dim) && fx__klex_expect(k->p, ')') ? add_expr(k, &e) : FX_NO_EXPR;
}

/* The dtype that follows from the operands. */
static fx_dtype result_dtype(const kernel_parser *k, const fx_expr *e)
{
    if (e->op == FX_X_SELECT) return (fx_dtype)k->stage.expr[e->b].dtype;
    return fx__scalar_is_comparison((fx_scalar_op)e->scalar) ? FX_BOOL : (fx_dtype)k->stage.expr[e->a].dtype;
}

/* Behind "name(". */
static uint16_t parse_function(kernel_parser *k, const char *name)
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

static uint16_t parse_named(kernel_parser *k)
{
    int64_t number;
    if (!fx__klex_int(k->p, 0, k->n_named - 1, &number)) return FX_NO_EXPR;
    return k->named[number];
}

static uint16_t parse_plain_name(kernel_parser *k, const char *word)
{
    int axis = find_axis(k, word), stage = find_stage(k, word);
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

static uint16_t parse_word_expr(kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return FX_NO_EXPR;
    if (fx__klex_peek(k->p, '[')) return parse_load(k, word);
    if (fx__klex_accept(k->p, '(')) return parse_function(k, word);
    return parse_plain_name(k, word);
}

static uint16_t parse_primary(kernel_parser *k)
{
    fx__klex_skip(k->p);
    if (fx__klex_peek_number(k->p)) return parse_imm(k);
    if (fx__klex_accept(k->p, '$')) return parse_named(k);
    if (fx__klex_accept(k->p, '(')) {
        uint16_t e = parse_expr(k);
        return fx__klex_expect(k->p, ')') ? e : FX_NO_EXPR;
    }
    return parse_word_expr(k);
}

static uint16_t add_infix(kernel_parser *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    if (k->p->failed || a == FX_NO_EXPR || b == FX_NO_EXPR) return FX_NO_EXPR;
    return add_expr(k, &(fx_expr){.op = FX_X_SCALAR, .scalar = (uint8_t)op, .dtype = k->stage.expr[a].dtype, .a = a, .b = b});
}

static uint16_t parse_product(kernel_parser *k)
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

static uint16_t parse_expr(kernel_parser *k)
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

/* ---- Stages --------------------------------------------------------------------------------------------------------------------
 */

static bool add_axis(kernel_parser *k, const char *name, bool outer, uint8_t *out)
{
    fx_dim extent;
    if (strlen(name) >= sizeof k->kernel->axis[0].name)
        return fx__klex_fail(k->p, "axis name \"%s\" has more than %zu characters", name, sizeof k->kernel->axis[0].name - 1);
    if (!name_is_new(k, name) || !fx__klex_size(k->p, &extent)) return false;
    int axis = fx__kernel_add_axis(k->p->program, k->kernel, name, extent, outer);
    if (axis < 0) return fx__klex_fail(k->p, "more than %d axes", FX_AXES);
    *out = (uint8_t)axis;
    return true;
}

static bool parse_axis_ref(kernel_parser *k, uint8_t *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    int axis = find_axis(k, word);
    if (axis >= 0) {
        fx_dim extent;
        *out = (uint8_t)axis;
        if (!fx__klex_accept(k->p, ':')) return true;
        return fx__klex_size(k->p, &extent) &&
               (extent == k->kernel->axis[axis].extent || fx__klex_fail(k->p, "axis \"%s\" has two extents", word));
    }
    return fx__klex_accept(k->p, ':') ? add_axis(k, word, false, out) : fx__klex_fail(k->p, "unknown axis \"%s\"", word);
}

static bool parse_axis_refs(kernel_parser *k, uint8_t out[FX_REDS], uint8_t *out_n)
{
    *out_n = 0;
    while (!fx__klex_at_end(k->p) && fx__klex_peek_word(k->p)) {
        const char *before = k->p->at;
        if (*out_n && fx__klex_accept_word(k->p, "each")) {
            k->p->at = before;
            return true;
        }
        if (*out_n == FX_REDS) return fx__klex_fail(k->p, "more than %d axes", FX_REDS);
        if (!parse_axis_ref(k, &out[*out_n])) return false;
        ++*out_n;
    }
    return *out_n > 0 || fx__klex_fail(k->p, "an axis expected");
}

static bool add_store(kernel_parser *k, const fx_access *to, uint16_t value)
{
    if (k->stage.n_out == FX_OUTS) return fx__klex_fail(k->p, "more than %d stores in a stage", FX_OUTS);
    int access = add_access(k, to);
    if (access < 0) return false;
    k->stage.out[k->stage.n_out++] = (fx_store){.expr = value, .access = (uint16_t)access};
    return true;
}

static bool parse_map(kernel_parser *k, char word[FX_WORD_BYTES])
{
    k->stage.kind = FX_STAGE_MAP;
    for (;;) {
        fx_access to;
        if (!parse_access(k, word, &to) || !fx__klex_expect(k->p, '=')) return false;
        uint16_t value = parse_expr(k);
        if (value == FX_NO_EXPR || !add_store(k, &to, value)) return false;
        if (!fx__klex_accept(k->p, ';')) break;
        fx__klex_skip_lines(k->p);
        if (!fx__klex_word(k->p, word)) return false;
    }
    return !fx__klex_accept_word(k->p, "over") || parse_axis_refs(k, k->stage.inner, &k->stage.n_inner);
}

static bool parse_combine_word(kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    k->stage.kind = FX_STAGE_REDUCE;
    if (strcmp(word, "dot") == 0) {
        k->stage.kind = FX_STAGE_CONTRACT;
        return true;
    }
    for (int c = 0; c < FX_COMBINE_COUNT; c++) {
        k->stage.combine = (fx_combine)c;
        if (strcmp(word, fx__kir_combine_word((fx_combine)c)) == 0) return true;
    }
    return fx__klex_fail(k->p, "unknown combination \"%s\"", word);
}

static bool parse_combine_stores(kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    fx_access to;
    if (!fx__klex_accept_word(k->p, "to")) return true;
    do {
        if (!fx__klex_word(k->p, word) || !parse_access(k, word, &to) || !add_store(k, &to, FX_NO_EXPR)) return false;
    } while (fx__klex_accept(k->p, ','));
    return true;
}

static bool parse_combine(kernel_parser *k, const char *name)
{
    bool has_acc = fx__klex_accept(k->p, ':');
    if (!name_is_new(k, name) || (has_acc && !fx__klex_dtype(k->p, &k->stage.acc))) return false;
    k->stage.name = fx__intern(k->p->context, name);
    if (!fx__klex_expect(k->p, '=')) return false;
    k->stage.prefix = fx__klex_accept_word(k->p, "prefix");
    if (!parse_combine_word(k) || !fx__klex_expect(k->p, '(')) return false;
    k->stage.value = parse_expr(k);
    if (k->stage.value == FX_NO_EXPR || !fx__klex_expect(k->p, ')') || !parse_combine_stores(k)) return false;
    if (!has_acc) k->stage.acc = (fx_dtype)k->stage.expr[k->stage.value].dtype;
    if (fx__klex_accept_word(k->p, "over") && !parse_axis_refs(k, k->stage.red, &k->stage.n_red)) return false;
    return !fx__klex_accept_word(k->p, "each") || parse_axis_refs(k, k->stage.inner, &k->stage.n_inner);
}

/* "$N = EXPR;" lines. */
static bool parse_named_lines(kernel_parser *k)
{
    k->n_named = 0;
    while (fx__klex_accept(k->p, '$')) {
        int64_t number;
        if (!fx__klex_int(k->p, k->n_named, k->n_named, &number) || !fx__klex_expect(k->p, '=')) return false;
        uint16_t e = parse_expr(k);
        uint16_t *items = fx__arena_grow(k->p->program->arena, k->named, &k->cap_named, k->n_named, sizeof *items);
        if (e == FX_NO_EXPR || !items) return fx__klex_fail(k->p, "out of memory");
        k->named = items;
        k->named[k->n_named++] = e;
        if (!fx__klex_expect(k->p, ';')) return false;
        fx__klex_skip_lines(k->p);
    }
    return true;
}

/* Inner axes may be declared behind the expression that uses them: "over j:1000". They are read first. */
static bool declare_ahead(kernel_parser *k)
{
    fx_kparser *p = k->p;
    const char *start = p->at, *stop = p->at;
    char word[FX_WORD_BYTES];
    bool axes = false;
    while (stop < p->end && *stop != '\n') stop++;
    while (p->at < stop && !p->failed) {
        fx__klex_skip(p);
        if (!fx__klex_peek_word(p)) {
            if (p->at < stop) p->at++;
            continue;
        }
        if (!fx__klex_word(p, word)) return false;
        axes = axes || strcmp(word, "over") == 0 || strcmp(word, "each") == 0;
        uint8_t axis;
        if (axes && find_axis(k, word) < 0 && fx__klex_accept(p, ':') && !add_axis(k, word, false, &axis)) return false;
    }
    p->at = start;
    return !p->failed;
}

static bool parse_stage(kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    k->stage = (fx_kstage){.acc = FX_F32, .value = FX_NO_EXPR};
    k->depth = 0;
    if (!declare_ahead(k) || !parse_named_lines(k) || !fx__klex_word(k->p, word)) return false;
    bool map = fx__klex_peek(k->p, '[');
    if (!(map ? parse_map(k, word) : parse_combine(k, word))) return false;
    fx_kstage *stage = fx__kernel_add_stage(k->p->program, k->kernel, k->stage.kind);
    if (!stage) return fx__klex_fail(k->p, "out of memory, or more than %d stages", UINT8_MAX);
    *stage = k->stage;
    k->stage_name[k->kernel->n_stage - 1] = stage->name;
    return true;
}

/* ---- Head ----------------------------------------------------------------------------------------------------------------------
 */

static fx_arg_role parse_arg_role(kernel_parser *k)
{
    for (int role = FX_ARG_OUT; role <= FX_ARG_LOCAL; role++) {
        const char *before = k->p->at;
        if (!fx__klex_accept_word(k->p, fx__kir_arg_word((fx_arg_role)role))) continue;
        if (!fx__klex_peek(k->p, ':')) return (fx_arg_role)role;
        k->p->at = before; /* an argument of that name */
    }
    return FX_ARG_IN;
}

static void default_strides(kernel_parser *k, fx_arg *arg)
{
    fx_dim stride = 1;
    for (int d = arg->rank - 1; d >= 0; d--) {
        arg->stride[d] = stride;
        stride = fx__dim_mul(k->p->program->dims, stride, arg->dim[d]);
    }
}

static bool parse_strides(kernel_parser *k, fx_arg *arg)
{
    int n;
    if (!fx__klex_peek(k->p, '{')) {
        default_strides(k, arg);
        return true;
    }
    if (!fx__klex_dims(k->p, '{', '}', arg->stride, &n)) return false;
    return n == arg->rank || fx__klex_fail(k->p, "%d strides for %d dimensions", n, arg->rank);
}

static bool parse_arg(kernel_parser *k)
{
    fx_arg arg = {.role = parse_arg_role(k), .home = -1};
    char word[FX_WORD_BYTES];
    int rank;
    if (!fx__klex_word(k->p, word) || !name_is_new(k, word) || !fx__klex_expect(k->p, ':')) return false;
    arg.name = fx__intern(k->p->context, word);
    if (!arg.name || !fx__klex_dtype(k->p, &arg.dtype) || !fx__klex_dims(k->p, '[', ']', arg.dim, &rank)) return false;
    arg.rank = (uint8_t)rank;
    if (!parse_strides(k, &arg)) return false;
    if (arg.role == FX_ARG_LOCAL && fx__klex_accept_word(k->p, "in")) {
        if (!fx__klex_word(k->p, word)) return false;
        arg.home = (int8_t)find_arg(k, word);
        if (arg.home < 0) return fx__klex_fail(k->p, "unknown argument \"%s\"", word);
    }
    return fx__kernel_add_arg(k->kernel, &arg) >= 0 || fx__klex_fail(k->p, "more than %d arguments", FX_ARGS);
}

static bool parse_args(kernel_parser *k)
{
    if (!fx__klex_expect(k->p, '(')) return false;
    for (fx__klex_skip_lines(k->p); !fx__klex_accept(k->p, ')'); fx__klex_skip_lines(k->p)) {
        if (k->kernel->n_arg && !fx__klex_expect(k->p, ',')) return false;
        fx__klex_skip_lines(k->p);
        if (!parse_arg(k)) return false;
    }
    return true;
}

static bool parse_for(kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    uint8_t axis;
    bool outer = true;
    if (!fx__klex_expect_word(k->p, "for")) return false;
    while (!fx__klex_at_end(k->p)) {
        if (outer && fx__klex_accept(k->p, ';')) outer = false;
        if (fx__klex_at_end(k->p)) break;
        if (!fx__klex_word(k->p, word) || !fx__klex_expect(k->p, ':') || !add_axis(k, word, outer, &axis)) return false;
    }
    return true;
}

/* ---- Schedule and cost ---------------------------------------------------------------------------------------------------------
 */

static bool parse_u8(kernel_parser *k, uint8_t *out)
{
    int64_t value;
    if (!fx__klex_int(k->p, 0, UINT8_MAX, &value)) return false;
    *out = (uint8_t)value;
    return true;
}

static bool parse_i32(kernel_parser *k, int32_t *out)
{
    int64_t value;
    if (!fx__klex_int(k->p, 0, INT32_MAX, &value)) return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_axis_or_none(kernel_parser *k, uint8_t *out)
{
    *out = FX_NO_AXIS;
    return fx__klex_accept_word(k->p, "_") || find_axis_word(k, out);
}

static bool parse_axis_list(kernel_parser *k, uint8_t *out, uint8_t *out_n, int capacity)
{
    *out_n = 0;
    if (!fx__klex_expect(k->p, '(')) return false;
    do {
        if (*out_n == capacity) return fx__klex_fail(k->p, "more than %d axes", capacity);
        if (!find_axis_word(k, &out[*out_n])) return false;
        ++*out_n;
    } while (fx__klex_accept(k->p, ','));
    return fx__klex_expect(k->p, ')');
}

static bool parse_kgroup(kernel_parser *k, uint8_t out[FX_REDS])
{
    int n = 0;
    if (!fx__klex_expect(k->p, '(')) return false;
    do {
        if (n == FX_REDS) return fx__klex_fail(k->p, "more than %d groups", FX_REDS);
        if (!parse_u8(k, &out[n++])) return false;
    } while (fx__klex_accept(k->p, ','));
    return fx__klex_expect(k->p, ')');
}

static bool parse_sched_item(kernel_parser *k, fx_sched *s)
{
    fx_kparser *p = k->p;
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "vec") == 0) return parse_axis_or_none(k, &s->vec) && fx__klex_expect(p, '*') && parse_u8(k, &s->lanes);
    if (strcmp(word, "unroll") == 0) return parse_u8(k, &s->unroll);
    if (strcmp(word, "vec2") == 0) return parse_axis_or_none(k, &s->vec2);
    if (strcmp(word, "row") == 0) return parse_axis_or_none(k, &s->row);
    if (strcmp(word, "mr") == 0) return parse_u8(k, &s->mr);
    if (strcmp(word, "nv") == 0) return parse_u8(k, &s->nv);
    if (strcmp(word, "k") == 0) return parse_kgroup(k, s->kgroup);
    if (strcmp(word, "task") == 0) return parse_axis_list(k, s->task, &s->n_task, 3);
    if (strcmp(word, "grain") == 0) return fx__klex_int(p, 0, INT64_MAX, &s->grain);
    if (strcmp(word, "order") == 0) return parse_axis_list(k, s->order, &s->n_order, FX_AXES);
    if (strcmp(word, "block") == 0) return parse_i32(k, &s->block);
    if (strcmp(word, "ahead") == 0) return parse_i32(k, &s->ahead);
    s->parallel = strcmp(word, "parallel") == 0;
    return s->parallel || fx__klex_fail(p, "unknown word \"%s\" in a schedule", word);
}

static bool parse_emit(kernel_parser *k, fx_emit *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    for (int e = FX_EMIT_NONE; e <= FX_EMIT_TILE; e++) {
        *out = (fx_emit)e;
        if (strcmp(word, fx__kir_emit_word((fx_emit)e)) == 0) return true;
    }
    return fx__klex_fail(k->p, "unknown emitter \"%s\"", word);
}

static bool parse_sched(kernel_parser *k)
{
    k->kernel->sched.vec = k->kernel->sched.vec2 = k->kernel->sched.row = FX_NO_AXIS;
    if (!parse_emit(k, &k->kernel->sched.emit)) return false;
    while (!fx__klex_at_end(k->p))
        if (!parse_sched_item(k, &k->kernel->sched)) return false;
    return true;
}

static bool parse_cost(kernel_parser *k)
{
    static const char *const word[] = {"flop", "read", "write", "cycles"};
    fx_cost *c = &k->kernel->cost;
    int64_t *field[] = {&c->flop, &c->read_bytes, &c->write_bytes, &c->cycles};
    for (int i = 0; i < 4; i++)
        if (!fx__klex_expect_word(k->p, word[i]) || !fx__klex_int(k->p, 0, INT64_MAX, field[i])) return false;
    return true;
}

/* ---- Kernel --------------------------------------------------------------------------------------------------------------------
 */

/* A line that starts with a word which is not a stage's name ("sched row", not "sched = "). */
static bool at_line_word(kernel_parser *k, const char *word)
{
    const char *before = k->p->at;
    if (!fx__klex_accept_word(k->p, word)) return false;
    if (!fx__klex_peek(k->p, '=') && !fx__klex_peek(k->p, '[') && !fx__klex_peek(k->p, ':')) return true;
    k->p->at = before;
    return false;
}

static bool parse_body(kernel_parser *k)
{
    for (fx__klex_skip_lines(k->p); !fx__klex_accept(k->p, '}'); fx__klex_skip_lines(k->p)) {
        if (k->p->at >= k->p->end) return fx__klex_fail(k->p, "a kernel without end");
        bool ok = at_line_word(k, "sched") ? parse_sched(k) : at_line_word(k, "cost") ? parse_cost(k) : parse_stage(k);
        if (!ok) return false;
        if (!fx__klex_at_end(k->p)) return fx__klex_fail(k->p, "'%c' found, the end of the line expected", *k->p->at);
    }
    return true;
}

static bool register_kernel(kernel_parser *k, const char *name)
{
    fx_kparser *p = k->p;
    const char *key = fx__intern(p->context, name);
    if (!key) return fx__klex_fail(p, "out of memory");
    if (fx__map_get(&p->kernels, key)) return fx__klex_fail(p, "kernel \"%s\" is defined twice", name);
    int32_t index = fx__program_add_kernel(p->program, k->kernel);
    return (index >= 0 && fx__map_put(&p->kernels, key, (void *)(intptr_t)(index + 1))) || fx__klex_fail(p, "out of memory");
}

bool fx__kparse_kernel(fx_kparser *p)
{
    char name[FX_WORD_BYTES];
    kernel_parser k = {.p = p, .kernel = fx__kernel_new(p->program)};
    k.stage_name = FX_NEW_ARRAY(p->program->arena, const char *, UINT8_MAX + 1);
    if (!k.kernel || !k.stage_name) return fx__klex_fail(p, "out of memory");
    if (!fx__klex_word(p, name) || !parse_args(&k)) return false;
    k.kernel->exact = fx__klex_accept_word(p, "exact");
    if (!fx__klex_expect(p, '{')) return false;
    fx__klex_skip_lines(p);
    return parse_for(&k) && parse_body(&k) && register_kernel(&k, name);
}
