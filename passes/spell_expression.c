/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_expression.c: torch's functions and methods that are no rows, as expressions of rows. A row of the table says what a
 * signature of some names means: "sub(input, tanh(input))". In expressions a word before a parenthesis is a row of the operator
 * table, or one of size(x, i)  shape(x)  dtype(x)  either(a, b): b where a is None  first(x): a tuple of which only x may be taken
 * Other words are parameters of the signature, dtypes ("i64") or None, True, False. */
#include "ir/op_schema.h"
#include "passes/spell.h"
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

/* Functions of the expressions themselves. *out_known: it is one. */
static bool call_own(speller *s, const char *word, const call *c, fx_attr *out, bool *out_known)
{
    bool wants_type = strcmp(word, "size") == 0 || strcmp(word, "shape") == 0 || strcmp(word, "dtype") == 0;
    bool is_first = strcmp(word, "first") == 0;
    *out_known = wants_type || is_first || strcmp(word, "either") == 0;
    if (!*out_known) return false;
    if (is_first) return *out = fx_tuple(s->node->graph, c->arg, 1), out->kind == FX_ATTR_TUPLE;
    if (!wants_type) return *out = c->arg[0].kind == FX_ATTR_NONE ? c->arg[1] : c->arg[0], true;
    const fx_type *type = type_of(s, &c->arg[0]);
    if (!type) return false;
    if (strcmp(word, "dtype") == 0) return *out = fx_dtype_attr(type->dtype), true;
    if (strcmp(word, "shape") == 0) return *out = fx__core_dims(s->node->graph, type), out->kind == FX_ATTR_LIST;
    int64_t at = c->arg[1].u.i < 0 ? c->arg[1].u.i + type->rank : c->arg[1].u.i;
    if (at < 0 || at >= type->rank) {
        fx__diag_node(s->node, FX_E_SHAPE, "its input has %d dims only", type->rank);
        return false;
    }
    *out = fx_dim_attr(type->dim[at]);
    return true;
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
    if (!node || fx__core_settle(node) != FX_OK) return false;
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

static bool read_expression(speller *s, fx_attr *out)
{
    char word[WORD];
    call c = {.n = 0};
    bool known;
    if (accept(s, '[')) return read_list(s, out);
    if (*s->at == '\'' || *s->at == '-' || (*s->at >= '0' && *s->at <= '9')) return read_literal(s, out);
    if (!read_word(s, word)) return malformed(s), false;
    if (!accept(s, '(')) return read_name(s, word, out) || (malformed(s), false);
    if (!read_arguments(s, &c)) return false;
    return call_own(s, word, &c, out, &known) || (!known && call_row(s, word, &c, out));
}

/* ---- The table -------------------------------------------------------------------------------------------------------------- */

static bool has_name(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)) != NULL; at += n)
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_FLOAT;
}

static bool has_value(const fx_attr *value, const fx_attr *wanted)
{
    if (!is_number(value) || !is_number(wanted)) return fx_attr_equal(value, wanted);
    double a = value->kind == FX_ATTR_INT ? (double)value->u.i : value->u.f;
    double b = wanted->kind == FX_ATTR_INT ? (double)wanted->u.i : wanted->u.f;
    return !(a < b) && !(a > b);
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
    if (n >= NAME) *name = 0;
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
        if (fx__op_fits(node->graph, node, schema.param, schema.n_params, arg) && condition_holds(s, row->when))
            return spell(row, &s, out);
        candidate = row;
    }
    if (!candidate || !report) return FX_SPELL_NO;
    fx__diag_node(node, FX_E_UNSUPPORTED, "these arguments are not supported; known is %s with %s%s%s", candidate->names,
                  candidate->signature, candidate->when ? ", " : "", candidate->when ? candidate->when : "");
    return FX_SPELL_FAILED;
}
