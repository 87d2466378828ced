/* SPDX-License-Identifier: Apache-2.0 */
/* ir/fx_parse.c: reads the .fx text; the grammar stands at the top of ir/fx_print.c. A wrong statement is reported with its line
 * and skipped; uses of a name that a skipped statement defines are not reported again. Nesting is bounded, sizes are checked. */
#include "ir/fx_lex.h"
#include "ir/op.h"
#include <string.h>

enum { GRAPH_DEPTH = 8 };

/* One graph's names; a skipped statement's name maps to the scope itself. */
typedef struct scope {
    fx_reader *r;
    fx_graph *graph;
    fx_map nodes;
    int depth; /* of graphs */
} scope;

static fx_graph *read_graph(fx_reader *r, fx_graph *graph, int depth);
static bool read_value(scope *s, int depth, fx_attr *out);

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static const char *read_node_name(fx_reader *r)
{
    if (!fx__lex_expect(r, "%")) return NULL;
    const char *name = fx__lex_word_or_string(r);
    if (name && !*name) fx__lex_error(r, "a node name is empty");
    return name && *name ? name : NULL;
}

static bool read_node(scope *s, fx_attr *out)
{
    const char *name = read_node_name(s->r);
    if (!name) return false;
    fx_node *node = fx__map_get(&s->nodes, name);
    if (!node) return fx__lex_error(s->r, "unknown node %%%.80s", name);
    if ((void *)node == (void *)s) {
        s->r->bad = true; /* its own error was reported */
        return false;
    }
    *out = fx_node_attr(node);
    return true;
}

typedef struct list {
    fx_attr *items;
    const char **keys;
    int32_t n, cap_items, cap_keys;
} list;

static bool append(scope *s, list *l, const char *key, const fx_attr *value)
{
    fx_attr *items = fx__arena_grow(s->r->arena, l->items, &l->cap_items, l->n, sizeof *l->items);
    const char **keys = fx__arena_grow(s->r->arena, (void *)l->keys, &l->cap_keys, l->n, sizeof *l->keys);
    if (!items || !keys) {
        s->r->bad = true;
        return false;
    }
    l->items = items;
    l->keys = keys;
    l->items[l->n] = *value;
    l->keys[l->n++] = key;
    return true;
}

/* Values up to the closing mark; keyed: "key: value". *out_comma: a comma stood after the last one. */
static bool read_list(scope *s, const char *close, bool keyed, int depth, list *out, bool *out_comma)
{
    *out = (list){0};
    *out_comma = false;
    while (!fx__lex_accept(s->r, close)) {
        const char *key = NULL;
        fx_attr value;
        if (out->n && !*out_comma) return fx__lex_error(s->r, "expected ',' or '%s'", close);
        if (keyed && (!(key = fx__lex_word_or_string(s->r)) || !fx__lex_expect(s->r, ":"))) return false;
        if (!read_value(s, depth, &value) || !append(s, out, key, &value)) return false;
        *out_comma = fx__lex_accept(s->r, ",");
    }
    return true;
}

static bool made(scope *s, fx_attr_kind kind, fx_attr value, fx_attr *out)
{
    if (value.kind != kind) s->r->bad = true; /* out of memory, which is reported */
    *out = value;
    return value.kind == kind;
}

static bool read_sequence(scope *s, int depth, fx_attr *out)
{
    list items;
    bool comma;
    if (fx__lex_accept(s->r, "["))
        return read_list(s, "]", false, depth, &items, &comma) &&
               made(s, FX_ATTR_LIST, fx_list(s->graph, items.items, items.n), out);
    if (fx__lex_accept(s->r, "{"))
        return read_list(s, "}", true, depth, &items, &comma) &&
               made(s, FX_ATTR_DICT, fx_dict(s->graph, items.keys, items.items, items.n), out);
    if (!fx__lex_expect(s->r, "(") || !read_list(s, ")", false, depth, &items, &comma)) return false;
    if (items.n == 1 && !comma) return fx__lex_error(s->r, "a tuple of one value needs a comma after it");
    return made(s, FX_ATTR_TUPLE, fx_tuple(s->graph, items.items, items.n), out);
}

/* "word(" has been read. */
static bool read_triple(scope *s, fx_attr_kind kind, int depth, fx_attr *out)
{
    list items;
    bool comma;
    if (!read_list(s, ")", false, depth, &items, &comma)) return false;
    if (items.n != 3) return fx__lex_error(s->r, "a slice or range has 3 values, not %d", items.n);
    fx_attr value = fx_slice(s->graph, items.items[0], items.items[1], items.items[2]);
    if (value.kind == FX_ATTR_SLICE) value.kind = kind;
    return made(s, kind, value, out);
}

static bool read_text(scope *s, fx_attr_kind kind, fx_attr *out)
{
    const char *text = fx__lex_string(s->r);
    *out = (fx_attr){.kind = kind, .u.s = text};
    return text != NULL;
}

static bool read_complex(scope *s, fx_attr *out)
{
    *out = (fx_attr){.kind = FX_ATTR_COMPLEX};
    return fx__lex_float(s->r, &out->u.c[0]) && fx__lex_expect(s->r, ",") && fx__lex_float(s->r, &out->u.c[1]) &&
           fx__lex_expect(s->r, ")");
}

static bool read_region(scope *s, fx_attr *out)
{
    if (s->depth >= GRAPH_DEPTH) return fx__lex_error(s->r, "graphs are nested more than %d deep", (int)GRAPH_DEPTH);
    fx_graph *graph = fx_graph_new(s->r->context);
    if (!graph) {
        s->r->bad = true;
        return false;
    }
    fx__graph_adopt(s->graph, graph);
    int32_t errors = s->r->n_errors;
    read_graph(s->r, graph, s->depth + 1);
    if (s->r->n_errors > errors) s->r->bad = true;
    *out = (fx_attr){.kind = FX_ATTR_GRAPH, .u.graph = graph};
    return !s->r->bad;
}

static bool read_word_value(scope *s, int depth, fx_attr *out)
{
    fx_reader *r = s->r;
    if (fx__lex_accept_word(r, "None")) return *out = fx_none(), true;
    if (fx__lex_accept_word(r, "True")) return *out = fx_bool(true), true;
    if (fx__lex_accept_word(r, "False")) return *out = fx_bool(false), true;
    if (fx__lex_accept_word(r, "inf") || fx__lex_accept_word(r, "nan")) return r->at -= 3, fx__lex_number(r, out);
    if (fx__lex_accept_word(r, "graph")) return read_region(s, out);
    const char *word = fx__lex_word(r);
    if (!word || !fx__lex_expect(r, "(")) return false;
    if (strcmp(word, "slice") == 0) return read_triple(s, FX_ATTR_SLICE, depth, out);
    if (strcmp(word, "range") == 0) return read_triple(s, FX_ATTR_RANGE, depth, out);
    if (strcmp(word, "device") == 0) return read_text(s, FX_ATTR_DEVICE, out) && fx__lex_expect(r, ")");
    if (strcmp(word, "name") == 0) return read_text(s, FX_ATTR_NAME, out) && fx__lex_expect(r, ")");
    if (strcmp(word, "complex") == 0) return read_complex(s, out);
    *out = (fx_attr){.kind = FX_ATTR_DTYPE};
    if (strcmp(word, "dtype") == 0) return fx__lex_dtype(r, &out->u.dtype) && fx__lex_expect(r, ")");
    out->kind = FX_ATTR_SYMINT;
    if (strcmp(word, "dim") == 0) return fx__lex_dim(r, s->graph->dims, &out->u.dim) && fx__lex_expect(r, ")");
    return fx__lex_error(r, "unknown kind of value '%.40s'", word);
}

static bool read_value(scope *s, int depth, fx_attr *out)
{
    fx_reader *r = s->r;
    if (r->bad) return false;
    if (depth > FX_ATTR_DEPTH) return fx__lex_error(r, "values are nested more than %d deep", (int)FX_ATTR_DEPTH);
    fx__lex_space(r);
    switch (*r->at) {
    case '%':
        return read_node(s, out);
    case '"':
        return read_text(s, FX_ATTR_STR, out);
    case '(':
    case '[':
    case '{':
        return read_sequence(s, depth + 1, out);
    case '.':
        return *out = (fx_attr){.kind = FX_ATTR_ELLIPSIS}, fx__lex_expect(r, "...");
    default:
        return fx__lex_peek_word(r) ? read_word_value(s, depth + 1, out) : fx__lex_number(r, out);
    }
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

/* "key =" of a keyword argument; moves over it when it is one. */
static const char *accept_key(fx_reader *r)
{
    fx_reader before = *r;
    fx__lex_space(r);
    bool possible = *r->at == '"' || fx__lex_peek_word(r);
    const char *key = possible ? fx__lex_word_or_string(r) : NULL;
    if (key && fx__lex_accept(r, "=")) return key;
    if (!r->bad) *r = before;
    return NULL;
}

static bool read_args(scope *s, fx_node_spec *spec)
{
    list args = {0}, kwargs = {0};
    bool comma = true;
    while (!fx__lex_accept(s->r, ")")) {
        fx_attr value;
        if (!comma) return fx__lex_error(s->r, "expected ',' or ')'");
        const char *key = accept_key(s->r);
        if (!read_value(s, 1, &value)) return false;
        if (!key && kwargs.n) return fx__lex_error(s->r, "a positional argument after a keyword argument");
        if (!append(s, key ? &kwargs : &args, key, &value)) return false;
        comma = fx__lex_accept(s->r, ",");
    }
    return made(s, FX_ATTR_TUPLE, fx_tuple(s->graph, args.items, args.n), &spec->args) &&
           made(s, FX_ATTR_DICT, fx_dict(s->graph, kwargs.keys, kwargs.items, kwargs.n), &spec->kwargs);
}

static bool read_type(fx_reader *r, fx_dims *dims, fx_type *out)
{
    *out = (fx_type){0};
    if (!fx__lex_dtype(r, &out->dtype) || !fx__lex_expect(r, "[")) return false;
    while (!fx__lex_accept(r, "]")) {
        if (out->rank && !fx__lex_expect(r, ",")) return false;
        if (out->rank == FX_RANK) return fx__lex_error(r, "a type has more than %d dimensions", FX_RANK);
        fx_dim *dim = &out->dim[out->rank++];
        if (!fx__lex_dim(r, dims, dim)) return false;
        if (fx_dim_is_const(*dim) && *dim < 0) return fx__lex_error(r, "a size is negative");
    }
    return true;
}

typedef struct meta {
    fx_type type[FX_RESULTS];
    int32_t n_types, n_order, order[FX_RANK];
    bool has_order;
    const char *annotation;
    fx_attr facts;  /* DICT, or NONE */
    fx_graph *body; /* NULL: none; the reader's until the node is made */
} meta;

static bool read_types(scope *s, meta *m)
{
    do {
        if (m->n_types == FX_RESULTS) return fx__lex_error(s->r, "a node has more than %d results", (int)FX_RESULTS);
        fx_type *type = &m->type[m->n_types++];
        *type = (fx_type){.dtype = FX_DTYPE_COUNT};
        if (!fx__lex_accept(s->r, "?") && !read_type(s->r, s->graph->dims, type)) return false;
    } while (fx__lex_accept(s->r, ","));
    return true;
}

static bool check_order(fx_reader *r, const meta *m)
{
    uint32_t seen = 0;
    for (int32_t i = 0; i < m->n_order; i++) seen |= 1u << m->order[i];
    int32_t rank = m->n_types && m->type[0].dtype != FX_DTYPE_COUNT ? m->type[0].rank : FX_RANK;
    return (m->n_order == rank && seen == (1u << rank) - 1) ||
           fx__lex_error(r, "the order is no permutation of %d dimensions", rank);
}

static bool read_order(fx_reader *r, meta *m)
{
    if (!fx__lex_expect(r, "[")) return false;
    while (!fx__lex_accept(r, "]")) {
        if (m->n_order && !fx__lex_expect(r, ",")) return false;
        if (m->n_order == FX_RANK) return fx__lex_error(r, "an order has more than %d entries", FX_RANK);
        if (!fx__lex_small(r, FX_RANK, &m->order[m->n_order++])) return false;
    }
    return check_order(r, m);
}

static bool read_loc(fx_reader *r, fx_loc *loc)
{
    if (!(loc->file = fx__lex_string(r))) return false;
    if (fx__lex_accept(r, ":") && !fx__lex_small(r, INT32_MAX, &loc->line)) return false;
    if (fx__lex_accept_word(r, "in")) loc->function = fx__lex_string(r);
    return !r->bad;
}

static bool read_facts(scope *s, fx_attr *out)
{
    if (!read_value(s, 1, out)) return false;
    return out->kind == FX_ATTR_DICT || fx__lex_error(s->r, "meta is no dict");
}

static bool read_body(scope *s, fx_graph **out)
{
    if (s->depth >= GRAPH_DEPTH) return fx__lex_error(s->r, "graphs are nested more than %d deep", (int)GRAPH_DEPTH);
    int32_t errors = s->r->n_errors;
    if (!fx__lex_accept_word(s->r, "graph")) return fx__lex_error(s->r, "expected 'graph'");
    *out = fx_graph_new(s->r->context);
    if (*out) read_graph(s->r, *out, s->depth + 1);
    if (!*out || s->r->n_errors > errors) s->r->bad = true;
    return !s->r->bad;
}

static bool read_opcode(fx_reader *r, fx_opcode *out)
{
    const char *word = fx__lex_word(r);
    if (!word) return false;
    for (int i = 0; i < FX_OPCODE_COUNT; i++)
        if (strcmp(word, fx_opcode_name((fx_opcode)i)) == 0) return *out = (fx_opcode)i, true;
    return fx__lex_error(r, "'%.40s' is no opcode", word);
}

static bool set_facts(fx_node *node, const meta *m)
{
    for (int32_t i = 0; m->facts.kind == FX_ATTR_DICT && i < m->facts.n; i++)
        if (fx_node_set_meta(node, m->facts.keys[i], m->facts.u.items[i]) != FX_OK) return false;
    return fx_node_set_annotation(node, m->annotation) == FX_OK;
}

static bool set_body(fx_node *node, meta *m)
{
    fx_graph *body = m->body;
    m->body = NULL;
    return !body || fx_node_set_body(node, body) == FX_OK;
}

static bool make_node(scope *s, const fx_node_spec *spec, meta *m)
{
    int32_t before = fx_context_diag_count(s->r->context);
    fx_node *node = fx_graph_create_node(s->graph, spec);
    bool good = node && fx__map_put(&s->nodes, spec->name, node);
    for (int32_t i = 0; good && i < m->n_types; i++) {
        if (m->type[i].dtype == FX_DTYPE_COUNT)
            good = fx__node_reserve_results(node, i + 1) == FX_OK;
        else
            good = fx_node_set_type(node, i, &m->type[i]) == FX_OK;
    }
    for (int32_t d = 0; good && d < FX_RANK && d < m->n_order; d++) node->order[d] = (int8_t)m->order[d];
    if (good) node->has_order = m->has_order;
    if (good && set_facts(node, m) && set_body(node, m)) return true;
    if (fx_context_diag_count(s->r->context) > before)
        fx__diag_note(s->r->context, &(fx_loc){.file = s->r->name, .line = s->r->line}, "in this statement");
    s->r->n_errors++;
    s->r->bad = true;
    return false;
}

static bool read_rest(scope *s, fx_node_spec *spec, meta *m)
{
    fx_reader *r = s->r;
    if (!fx__lex_expect(r, "=") || !read_opcode(r, &spec->opcode)) return false;
    spec->target = spec->opcode == FX_OUTPUT ? "output" : fx__lex_string(r);
    if (!spec->target) return false;
    if (fx__lex_accept(r, "(") && !read_args(s, spec)) return false;
    if (fx__lex_accept(r, ":") && !read_types(s, m)) return false;
    if (fx__lex_accept_word(r, "order")) {
        m->has_order = true;
        if (!read_order(r, m)) return false;
    }
    if (fx__lex_accept_word(r, "as") && !(m->annotation = fx__lex_string(r))) return false;
    if (fx__lex_accept_word(r, "meta") && !read_facts(s, &m->facts)) return false;
    if (fx__lex_accept_word(r, "body") && !read_body(s, &m->body)) return false;
    return !fx__lex_accept(r, "@") || read_loc(r, &spec->loc);
}

static bool read_statement(scope *s)
{
    meta m = {.n_types = 0};
    fx_node_spec spec = {.keep_name = true, .name = read_node_name(s->r)};
    if (!spec.name) return false;
    if (fx__map_get(&s->nodes, spec.name)) return fx__lex_error(s->r, "node %%%.80s is defined twice", spec.name);
    if (read_rest(s, &spec, &m) && make_node(s, &spec, &m)) return true;
    fx_graph_free(m.body);
    fx__map_put(&s->nodes, spec.name, s);
    return false;
}

/* ---- Symbols and guards ------------------------------------------------------------------------------------------------ */

static bool expect_word(fx_reader *r, const char *word)
{
    return !r->bad && (fx__lex_accept_word(r, word) || fx__lex_error(r, "expected '%s'", word));
}

static bool read_binding(scope *s, int32_t *input, int32_t *axis)
{
    if (!fx__lex_accept_word(s->r, "input")) return true;
    return fx__lex_small(s->r, INT16_MAX, input) && expect_word(s->r, "axis") && fx__lex_small(s->r, FX_RANK, axis);
}

static bool read_symbol(scope *s)
{
    fx_reader *r = s->r;
    int64_t lo, hi, hint, multiple;
    int32_t input = -1, axis = 0, count = fx__dims_sym_count(s->graph->dims);
    const char *name = fx__lex_word(r);
    bool good = name && fx__lex_expect(r, "[") && fx__lex_int(r, &lo) && fx__lex_expect(r, ",") && fx__lex_int(r, &hi) &&
                fx__lex_expect(r, "]") && expect_word(r, "hint") && fx__lex_int(r, &hint) && expect_word(r, "multiple") &&
                fx__lex_int(r, &multiple) && read_binding(s, &input, &axis);
    if (!good) return false;
    if (fx_graph_symbol(s->graph, name, lo, hi, hint, multiple) == FX_DIM_BAD) return fx__lex_error(r, "symbol %.80s", name);
    fx_sym *sym = fx__dims_sym(s->graph->dims, count);
    sym->input = (int16_t)input;
    sym->axis = (int16_t)axis;
    return true;
}

static bool read_guard(scope *s)
{
    fx_reader *r = s->r;
    fx_dim a, b;
    fx_guard_kind kind = FX_GUARD_EQ;
    if (!fx__lex_dim(r, s->graph->dims, &a)) return false;
    if (fx__lex_accept(r, "!="))
        kind = FX_GUARD_NE;
    else if (fx__lex_accept(r, "<="))
        kind = FX_GUARD_LE;
    else if (!fx__lex_expect(r, "=="))
        return false;
    if (!fx__lex_dim(r, s->graph->dims, &b)) return false;
    fx__lex_space(r);
    const char *why = *r->at == '"' ? fx__lex_string(r) : NULL;
    return !r->bad && (fx__dims_assume(s->graph->dims, kind, a, b, why) || fx__lex_error(r, "this assumption can never hold"));
}

/* "in_spec" or "out_spec" has been read. */
static bool read_spec(scope *s, bool is_input)
{
    fx_graph *graph = s->graph;
    const char *spec = fx__lex_string(s->r);
    if (!spec) return false;
    fx_status status = fx_graph_set_specs(graph, is_input ? spec : graph->in_spec, is_input ? graph->out_spec : spec);
    return status == FX_OK || fx__lex_error(s->r, "no nesting of %s", is_input ? "arguments" : "results");
}

/* ---- Graphs and files -------------------------------------------------------------------------------------------------- */

/* "graph" has been read. */
static fx_graph *read_graph(fx_reader *r, fx_graph *graph, int depth)
{
    scope s = {.r = r, .graph = graph, .depth = depth};
    fx__map_init(&s.nodes, r->arena);
    int32_t line = r->line;
    bool core = fx__lex_accept_word(r, "core");
    if (!fx__lex_expect(r, "{")) return graph;
    int32_t errors = r->n_errors;
    while (!fx__lex_accept(r, "}")) {
        if (fx__lex_ended(r)) {
            fx__lex_error(r, "the graph that begins on line %d has no '}'", line);
            return graph;
        }
        bool good = fx__lex_accept_word(r, "symbol")     ? read_symbol(&s)
                    : fx__lex_accept_word(r, "assume")   ? read_guard(&s)
                    : fx__lex_accept_word(r, "in_spec")  ? read_spec(&s, true)
                    : fx__lex_accept_word(r, "out_spec") ? read_spec(&s, false)
                                                         : read_statement(&s);
        if (!good) fx__lex_recover(r);
    }
    if (core && r->n_errors == errors) {
        if (fx__graph_check_core(graph) == FX_OK)
            graph->core = true;
        else
            r->n_errors++;
    }
    return graph;
}

static bool read_tensor(fx_reader *r, fx_module *module, bool is_buffer)
{
    fx_type type;
    const char *path = fx__lex_string(r);
    if (!path || !fx__lex_expect(r, ":") || !read_type(r, module->graph->dims, &type)) return false;
    int64_t dim[FX_RANK] = {0};
    for (int32_t d = 0; d < type.rank; d++) dim[d] = type.dim[d]; /* symbols come later in the text: all sizes are constant */
    fx_tensor tensor = fx_tensor_view(NULL, type.dtype, type.rank, dim);
    if (fx_module_add_tensor(module, path, &tensor, is_buffer, NULL, NULL) == FX_OK) return true;
    return fx__lex_error(r, "tensor \"%.80s\"", path);
}

typedef fx_status (*set_name)(fx_module *module, int32_t index, const char *name);

static bool read_name(fx_reader *r, fx_module *module, set_name set)
{
    int32_t index;
    if (!fx__lex_small(r, 1 << 16, &index)) return false;
    const char *name = fx__lex_string(r);
    if (name && set(module, index, name) == FX_OK) return true;
    r->bad = true;
    return false;
}

static bool read_module(fx_reader *r, fx_graph *graph)
{
    const char *name = fx__lex_string(r);
    fx_module *module = name ? fx__module_ensure(graph) : NULL;
    if (!module) return false;
    module->name = name;
    for (;;) {
        bool good;
        if (fx__lex_accept_word(r, "parameter"))
            good = read_tensor(r, module, false);
        else if (fx__lex_accept_word(r, "buffer"))
            good = read_tensor(r, module, true);
        else if (fx__lex_accept_word(r, "input_name"))
            good = read_name(r, module, fx_module_set_input_name);
        else if (fx__lex_accept_word(r, "output_name"))
            good = read_name(r, module, fx_module_set_output_name);
        else
            return true;
        if (!good) fx__lex_recover(r);
    }
}

static void read_file(fx_reader *r, fx_graph *graph)
{
    if (fx__lex_accept_word(r, "module") && !read_module(r, graph)) fx__lex_recover(r);
    if (!expect_word(r, "graph")) return;
    read_graph(r, graph, 0);
    if (!r->bad && !fx__lex_ended(r)) fx__lex_error(r, "text after the graph");
}

fx_status fx_graph_parse(fx_context *context, const char *name, const char *text, size_t bytes, fx_graph **out)
{
    fx_arena *arena = fx__arena_new(context);
    fx_graph *graph = arena ? fx_graph_new(context) : NULL;
    fx_reader r = {.context = context, .arena = arena, .name = name ? name : "text", .line = 1};
    if (graph && (r.at = fx__arena_copy(arena, text, bytes)) != NULL) {
        r.end = r.at + bytes;
        read_file(&r, graph);
    }
    fx_status status = !r.at ? FX_E_OOM : r.n_errors ? FX_E_FORMAT : r.bad ? FX_E_OOM : FX_OK;
    if (status != FX_OK) status = fx__diag_failure(context, status);
    fx__arena_free(arena);
    if (status == FX_OK)
        *out = graph;
    else
        fx_graph_free(graph);
    return status;
}
