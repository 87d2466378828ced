/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_expression.c: torch's functions and methods that are no rows, as expressions of rows. A row of the table says what a
 * signature of some names means: "sub(input, tanh(input))". In expressions a word before a parenthesis is a row of the operator
 * table, or one of
 *   size(x, i)  shape(x)  dtype(x)  rank(x)   facts of a tensor
 *   if(a, x, y)       x, unless a is None, False or 0; the other one is not read
 *   either(a, b)      b where a is None
 *   cast(x, dtype)    x itself where it has this dtype
 *   reduced(x, how)   'mean', 'sum' or 'none' of a loss, or ATen's numbers for them
 *   first(x)          a tuple of which only x may be taken
 * add, sub, mul and div of numbers are numbers. Other words are parameters of the signature, dtypes ("i64") or None, True, False.
 */
#include "ir/op_schema.h"
#include "passes/spell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct speller {
    fx_node *node;
    const fx_schema *schema;
    const fx_attr *arg;
    const char *at;
} speller;

enum { ARGS = 12, WORD = 48, NAME = 160 };

static bool read_expression(speller *s, fx_attr *out);

static fx_spelled malformed(const speller *s)
{
    fx__diag_node(s->node, FX_E_INTERNAL, "its spelling is malformed near \"%.20s\"", s->at);
    return FX_SPELL_FAILED;
}

static bool accept(speller *s, char expected)
{
    while (*s->at == ' ') s->at++;
    if (*s->at != expected) return false;
    s->at++;
    return true;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool read_word(speller *s, char word[WORD])
{
    size_t n = 0;
    while (*s->at == ' ') s->at++;
    while (n + 1 < WORD && is_word(s->at[n])) n++;
    memcpy(word, s->at, n);
    word[n] = 0;
    s->at += n;
    return n > 0;
}

/* ---- Constants ------------------------------------------------------------------------------------------------------------ */

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_FLOAT;
}

static double real(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT ? (double)value->u.i : value->u.f;
}

static bool read_literal(speller *s, fx_attr *out)
{
    char *int_end, *float_end;
    while (*s->at == ' ') s->at++;
    if (*s->at == '\'') {
        size_t n = strcspn(s->at + 1, "'");
        *out = (fx_attr){.kind = FX_ATTR_STR, .u.s = fx__intern_n(s->node->graph->context, s->at + 1, n)};
        s->at += n + 2;
        return out->u.s != NULL;
    }
    int64_t whole = strtoll(s->at, &int_end, 10);
    double real = strtod(s->at, &float_end);
    if (float_end == s->at) return false;
    *out = int_end == float_end ? fx_int(whole) : fx_float(real);
    s->at = float_end;
    return true;
}

static bool read_name(speller *s, const char *word, fx_attr *out)
{
    fx_dtype dtype;
    for (int32_t i = 0; i < s->schema->n_params; i++)
        if (strcmp(s->schema->param[i].name, word) == 0) return *out = s->arg[i], true;
    if (strcmp(word, "None") == 0) return *out = fx_none(), true;
    if (strcmp(word, "True") == 0 || strcmp(word, "False") == 0) return *out = fx_bool(*word == 'T'), true;
    if (!fx_dtype_parse(word, &dtype)) return false;
    *out = fx_dtype_attr(dtype);
    return true;
}

/* ---- Calls ---------------------------------------------------------------------------------------------------------------- */

typedef struct call {
    fx_attr arg[ARGS], keyword[ARGS];
    const char *key[ARGS];
    int32_t n, n_keys;
} call;

/* "dtype=" before a value; moves over it. */
static const char *read_key(speller *s)
{
    const char *start = s->at;
    char word[WORD];
    if (read_word(s, word) && accept(s, '=')) return fx__intern(s->node->graph->context, word);
    s->at = start;
    return NULL;
}

static bool read_arguments(speller *s, call *c)
{
    while (!accept(s, ')')) {
        const char *key = read_key(s);
        if ((key ? c->n_keys : c->n) == ARGS) return false;
        if (!read_expression(s, key ? &c->keyword[c->n_keys] : &c->arg[c->n])) return false;
        if (key)
            c->key[c->n_keys++] = key;
        else
            c->n++;
        accept(s, ',');
    }
    return true;
}

static const fx_type *type_of(const speller *s, const fx_attr *value)
{
    const fx_type *type = value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
    if (!type) fx__diag_node(s->node, FX_E_UNSUPPORTED, "the type of its input is not known");
    return type;
}

static bool facts_of(speller *s, const char *word, const call *c, fx_attr *out)
{
    const fx_type *type = type_of(s, &c->arg[0]);
    if (!type) return false;
    if (strcmp(word, "dtype") == 0) return *out = fx_dtype_attr(type->dtype), true;
    if (strcmp(word, "rank") == 0) return *out = fx_int(type->rank), true;
    if (strcmp(word, "shape") == 0) return *out = fx__core_dims(s->node->graph, type), out->kind == FX_ATTR_LIST;
    int64_t at = c->arg[1].u.i < 0 ? c->arg[1].u.i + type->rank : c->arg[1].u.i;
    if (at < 0 || at >= type->rank) {
        fx__diag_node(s->node, FX_E_SHAPE, "its input has %d dims only", type->rank);
        return false;
    }
    *out = fx_dim_attr(type->dim[at]);
    return true;
}

static bool call_row(speller *s, const char *word, const call *c, fx_attr *out);

static bool call_cast(speller *s, const call *c, fx_attr *out)
{
    const fx_type *type = c->arg[0].kind == FX_ATTR_NODE ? fx_node_type(c->arg[0].u.node, 0) : NULL;
    bool is_same = type && c->arg[1].kind == FX_ATTR_DTYPE && type->dtype == c->arg[1].u.dtype;
    return is_same ? (*out = c->arg[0], true) : call_row(s, "_to_copy", c, out);
}

static bool call_reduced(speller *s, const call *c, fx_attr *out)
{
    static const char *const words[] = {"none", "mean", "sum"}; /* by ATen's numbers */
    const fx_attr *how = &c->arg[1];
    const call self = {.arg = {c->arg[0]}, .n = 1};
    for (int i = 0; i < 3; i++) {
        bool is_meant = how->kind == FX_ATTR_STR ? strcmp(how->u.s, words[i]) == 0 : how->kind == FX_ATTR_INT && how->u.i == i;
        if (is_meant) return i == 0 ? (*out = c->arg[0], true) : call_row(s, words[i], &self, out);
    }
    fx__diag_node(s->node, FX_E_ARG, "reduction is neither none, mean nor sum");
    return false;
}

static bool is_size(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_SYMINT;
}

/* Arithmetic of constants and sizes. */
static bool fold(speller *s, const char *word, const call *c, fx_attr *out)
{
    static const char operators[][4] = {"add", "sub", "mul", "div"};
    enum { ADD, SUB, MUL, DIV, NONE };
    const fx_attr *a = &c->arg[0], *b = &c->arg[1];
    fx_dims *dims = s->node->graph->dims;
    int op = 0;
    while (op < NONE && strcmp(word, operators[op]) != 0) op++;
    if (op == NONE || c->n != 2 || c->n_keys) return false;
    if (op != DIV && is_size(a) && is_size(b)) {
        fx_dim x = a->kind == FX_ATTR_INT ? a->u.i : a->u.dim, y = b->kind == FX_ATTR_INT ? b->u.i : b->u.dim;
        fx_dim value = op == ADD ? fx__dim_add(dims, x, y) : op == SUB ? fx__dim_sub(dims, x, y) : fx__dim_mul(dims, x, y);
        return value != FX_DIM_BAD && (*out = fx_dim_attr(value), true);
    }
    if (!is_number(a) || !is_number(b)) return false;
    double x = real(a), y = real(b);
    *out = fx_float(op == ADD ? x + y : op == SUB ? x - y : op == MUL ? x * y : x / y);
    return true;
}

/* Functions of the expressions themselves. *out_known: it is one. */
static bool call_own(speller *s, const char *word, const call *c, fx_attr *out, bool *out_known)
{
    static const char *const facts[] = {"size", "shape", "dtype", "rank"};
    *out_known = true;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(word, facts[i]) == 0) return facts_of(s, word, c, out);
    if (strcmp(word, "first") == 0) return *out = fx_tuple(s->node->graph, c->arg, 1), out->kind == FX_ATTR_TUPLE;
    if (strcmp(word, "either") == 0) return *out = c->arg[0].kind == FX_ATTR_NONE ? c->arg[1] : c->arg[0], true;
    if (strcmp(word, "cast") == 0) return call_cast(s, c, out);
    if (strcmp(word, "reduced") == 0) return call_reduced(s, c, out);
    return *out_known = fold(s, word, c, out);
}

static bool call_row(speller *s, const char *word, const call *c, fx_attr *out)
{
    fx_graph *graph = s->node->graph;
    const fx_op *op = fx__op_find(word);
    if (!op) return malformed(s), false;
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = op->target, .name = op->name, .loc = s->node->loc};
    spec.args = fx_tuple(graph, c->arg, c->n);
    spec.kwargs = fx_dict(graph, c->key, c->keyword, c->n_keys);
    fx_point point = fx_graph_insert_before(graph, s->node);
    fx_node *node = spec.args.kind == FX_ATTR_TUPLE ? fx_graph_create_node(graph, &spec) : NULL;
    fx_graph_set_point(graph, point);
    if (!node || fx__core_keep_module(node, s->node) != FX_OK || fx__core_settle(node) != FX_OK) return false;
    *out = fx_node_attr(node);
    return true;
}

/* ---- Expressions ----------------------------------------------------------------------------------------------------------- */

static bool read_list(speller *s, fx_attr *out)
{
    call c = {.n = 0};
    while (!accept(s, ']')) {
        if (c.n == ARGS || !read_expression(s, &c.arg[c.n++])) return false;
        accept(s, ',');
    }
    *out = fx_list(s->node->graph, c.arg, c.n);
    return out->kind == FX_ATTR_LIST;
}

/* Moves over an expression without reading it. */
static void skip_expression(speller *s)
{
    int depth = 0;
    for (; *s->at && !(depth == 0 && (*s->at == ',' || *s->at == ')')); s->at++) {
        if (*s->at == '\'') s->at += 1 + strcspn(s->at + 1, "'");
        depth += (*s->at == '(' || *s->at == '[') - (*s->at == ')' || *s->at == ']');
    }
}

static bool is_nothing(const fx_attr *value)
{
    bool is_whole = value->kind == FX_ATTR_BOOL || value->kind == FX_ATTR_INT;
    return value->kind == FX_ATTR_NONE || (is_whole && !value->u.i) ||
           (value->kind == FX_ATTR_FLOAT && !(value->u.f < 0 || value->u.f > 0));
}

static bool read_choice(speller *s, fx_attr *out)
{
    fx_attr condition;
    if (!read_expression(s, &condition) || !accept(s, ',')) return malformed(s), false;
    if (is_nothing(&condition)) skip_expression(s);
    bool has_value = is_nothing(&condition) || read_expression(s, out);
    if (!has_value || !accept(s, ',')) return false;
    if (!is_nothing(&condition)) skip_expression(s);
    return (!is_nothing(&condition) || read_expression(s, out)) && accept(s, ')');
}

static bool read_expression(speller *s, fx_attr *out)
{
    char word[WORD];
    call c = {.n = 0};
    bool known;
    if (accept(s, '[')) return read_list(s, out);
    if (*s->at == '\'' || *s->at == '-' || (*s->at >= '0' && *s->at <= '9')) return read_literal(s, out);
    if (!read_word(s, word)) return malformed(s), false;
    if (!accept(s, '(')) return read_name(s, word, out) || (malformed(s), false);
    if (strcmp(word, "if") == 0) return read_choice(s, out);
    if (!read_arguments(s, &c)) return false;
    return call_own(s, word, &c, out, &known) || (!known && call_row(s, word, &c, out));
}

/* `names` as the parameters of a schema that has nothing else. */
static void name_params(const char *names, fx_schema *schema)
{
    snprintf(schema->text, sizeof schema->text, "%s", names);
    schema->n_params = 0;
    for (char *at = schema->text; *at && schema->n_params < FX_PARAMS;) {
        schema->param[schema->n_params++].name = at;
        at += strcspn(at, " ");
        if (*at) *at++ = 0;
    }
}

fx_spelled fx__spell_evaluate(fx_node *node, const char *names, const fx_attr *values, const char *expression, fx_attr *out)
{
    fx_schema schema;
    name_params(names, &schema);
    speller s = {.node = node, .schema = &schema, .arg = values, .at = expression};
    return read_expression(&s, out) ? FX_SPELL_DONE : FX_SPELL_FAILED;
}

/* ---- The table -------------------------------------------------------------------------------------------------------------- */

/* "F:relu" is the function of torch.nn.functional; "any:frac" is torch's function, the method and ATen's operator. */
static bool is_called(const char *word, size_t n, const char *name)
{
    static const struct {
        const char *mark, *before, *after;
    } forms[] = {{"F:", "torch.nn.functional.", ""},
                 {"any:", "torch.", ""},
                 {"any:", "method:", ""},
                 {"any:", "torch.ops.aten.", ".default"},
                 {"", "", ""}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t mark = strlen(forms[i].mark), before = strlen(forms[i].before);
        if (n < mark || strncmp(word, forms[i].mark, mark) != 0 || strncmp(name, forms[i].before, before) != 0) continue;
        if (strncmp(name + before, word + mark, n - mark) == 0 && strcmp(name + before + n - mark, forms[i].after) == 0)
            return true;
    }
    return false;
}

static bool has_name(const char *names, const char *name)
{
    for (size_t n; *names; names += n + (names[n] == ' ')) {
        n = strcspn(names, " ");
        if (n && is_called(names, n, name)) return true;
    }
    return false;
}

static bool has_value(const fx_attr *value, const fx_attr *wanted)
{
    if (!is_number(value) || !is_number(wanted)) return fx_attr_equal(value, wanted);
    return !(real(value) < real(wanted)) && !(real(value) > real(wanted));
}

static bool condition_holds(speller s, const char *when)
{
    char word[WORD];
    fx_attr value, wanted;
    for (s.at = when; when && *s.at; accept(&s, ' ')) {
        if (!read_word(&s, word) || !accept(&s, '=') || !read_name(&s, word, &value)) return false;
        if (!read_literal(&s, &wanted) && !(read_word(&s, word) && read_name(&s, word, &wanted))) return false;
        if (!has_value(&value, &wanted)) return false;
    }
    return true;
}

/* `inplace` given as true: what the function computes is written to its input. */
static bool write_back(const speller *s, fx_attr *value)
{
    fx_graph *graph = s->node->graph;
    bool in_place = false;
    for (int32_t i = 0; i < s->schema->n_params; i++)
        in_place |= strcmp(s->schema->param[i].name, "inplace") == 0 && s->arg[i].kind == FX_ATTR_BOOL && s->arg[i].u.i;
    if (!in_place || value->kind != FX_ATTR_NODE || s->arg[0].kind != FX_ATTR_NODE) return true;
    fx_point point = fx_graph_insert_before(graph, s->node);
    fx_node *copy = fx_graph_call(graph, "torch.ops.aten.copy_.default", (fx_attr[]){s->arg[0], *value}, 2);
    fx_graph_set_point(graph, point);
    const fx_type *type = fx_node_type(s->arg[0].u.node, 0);
    if (!copy || (type && fx_node_set_type(copy, 0, type) != FX_OK)) return false;
    fx_node_set_loc(copy, s->node->loc);
    *value = fx_node_attr(copy);
    return true;
}

static fx_spelled spell(const fx_spelling *row, speller *s, fx_attr *out)
{
    if (row->build) return row->build(s->node, s->arg, out);
    s->at = row->value;
    return read_expression(s, out) && write_back(s, out) ? FX_SPELL_DONE : FX_SPELL_FAILED;
}

/* As the table has it; "" when the target is longer than any name. */
static void name_of(const fx_node *node, char name[NAME])
{
    int n = snprintf(name, NAME, "%s%s", node->opcode == FX_CALL_METHOD ? "method:" : "", node->target);
    if (node->opcode == FX_CALL_FUNCTION && fx__op_home(node->target, name, NAME)) return;
    if (n >= NAME) *name = 0;
}

/* Defaults that are lists lie in the schema: nodes outlive it. */
static void keep_lists(fx_graph *graph, fx_attr *arg, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (arg[i].kind == FX_ATTR_LIST) arg[i] = fx_list(graph, arg[i].u.items, arg[i].n);
}

bool fx__spell_expression_knows(const fx_node *node)
{
    char name[NAME];
    name_of(node, name);
    for (int32_t i = 0; *name && i < fx__spell_count; i++)
        if (has_name(fx__spell_table[i].names, name)) return true;
    return false;
}

fx_spelled fx__spell_expression(fx_node *node, bool report, fx_attr *out)
{
    char name[NAME];
    fx_attr arg[FX_PARAMS];
    fx_schema schema;
    name_of(node, name);
    const fx_spelling *candidate = NULL;
    for (int32_t i = 0; *name && i < fx__spell_count; i++) {
        const fx_spelling *row = &fx__spell_table[i];
        if (!has_name(row->names, name)) continue;
        speller s = {.node = node, .schema = &schema, .arg = arg, .at = row->signature};
        if (!fx__schema_parse(row->signature, &schema)) return malformed(&s);
        candidate = row;
        if (!fx__op_fits(node->graph, node, schema.param, schema.n_params, arg) || !condition_holds(s, row->when)) continue;
        keep_lists(node->graph, arg, schema.n_params);
        return spell(row, &s, out);
    }
    if (!candidate || !report) return FX_SPELL_NO;
    fx__diag_node(node, FX_E_UNSUPPORTED, "these arguments are not supported; known is %s with %s%s%s", candidate->names,
                  candidate->signature, candidate->when ? ", " : "", candidate->when ? candidate->when : "");
    return FX_SPELL_FAILED;
}
