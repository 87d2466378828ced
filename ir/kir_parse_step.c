/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_step.c: reads steps. Nodes that a step refers to are made anew: they carry the name, and for a CALL all that the
 * operator's hooks and reference kernel read (arguments, types). */
#include "ir/kir_lex.h"
#include <inttypes.h>
#include <string.h>

/* ---- Nodes ---------------------------------------------------------------------------------------------------------------------
 */

static fx_node *new_node(fx_kparser *p, fx_opcode opcode, const char *name)
{
    fx_node *node = FX_NEW(p->program->arena, fx_node);
    if (!node) {
        fx__klex_fail(p, "out of memory");
        return NULL;
    }
    *node = (fx_node){.graph = p->graph, .opcode = opcode, .name = name, .id = p->graph->next_id++};
    node->args = (fx_attr){.kind = FX_ATTR_TUPLE};
    node->kwargs = (fx_attr){.kind = FX_ATTR_DICT};
    return node;
}

fx_node *fx__kparse_node(fx_kparser *p)
{
    const char *name = fx__klex_name(p);
    fx_node *node = name ? fx__map_get(&p->nodes, name) : NULL;
    if (!name || node) return node;
    node = new_node(p, FX_CALL_FUNCTION, name);
    if (node && !fx__map_put(&p->nodes, name, node)) fx__klex_fail(p, "out of memory");
    return p->failed ? NULL : node;
}

static bool parse_nodes(fx_kparser *p, fx_step *step)
{
    int32_t capacity = 0;
    if (!fx__klex_accept_word(p, "nodes")) return true;
    do {
        const fx_node *node = fx__kparse_node(p);
        const fx_node **items = fx__arena_grow(p->program->arena, step->nodes, &capacity, step->n_nodes, sizeof *items);
        if (!node || !items) return fx__klex_fail(p, "out of memory");
        step->nodes = items;
        items[step->n_nodes++] = node;
    } while (fx__klex_accept(p, ','));
    return true;
}

/* ---- RUN -----------------------------------------------------------------------------------------------------------------------
 */

static bool parse_binds(fx_kparser *p, fx_step *step)
{
    int want = p->program->kernel[step->kernel]->n_arg, n = 0;
    if (!fx__klex_expect(p, '(')) return false;
    for (; !fx__klex_peek(p, ')'); n++) {
        if (n && !fx__klex_expect(p, ',')) return false;
        if (n == want) break;
        step->bind[n].buf = -1;
        if (fx__klex_accept_word(p, "_")) continue;
        step->bind[n].buf = fx__kparse_buf(p);
        if (step->bind[n].buf < 0) return false;
    }
    if (n != want || !fx__klex_peek(p, ')')) return fx__klex_fail(p, "the kernel takes %d arguments", want);
    return fx__klex_expect(p, ')');
}

static bool parse_run(fx_kparser *p, fx_step *step)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    const char *key = fx__intern(p->context, word);
    step->kind = FX_STEP_RUN;
    step->kernel = key ? (int32_t)(intptr_t)fx__map_get(&p->kernels, key) - 1 : -1;
    if (step->kernel < 0) return fx__klex_fail(p, "unknown kernel \"%s\"", word);
    return parse_binds(p, step) && parse_nodes(p, step);
}

/* ---- CALL ----------------------------------------------------------------------------------------------------------------------
 */

typedef struct call_parser {
    fx_kparser *p;
    fx_node **tensor; /* one per "$" */
    int32_t n_tensor, cap_tensor;
    int depth;
} call_parser;

static bool parse_attr(call_parser *c, fx_attr *out);

static bool parse_items(call_parser *c, char close, fx_attr *out)
{
    fx_attr *items = NULL;
    int32_t n = 0, capacity = 0;
    while (!fx__klex_accept(c->p, close)) {
        if (n && !fx__klex_expect(c->p, ',')) return false;
        fx_attr *grown = fx__arena_grow(c->p->program->arena, items, &capacity, n, sizeof *items);
        if (!grown) return fx__klex_fail(c->p, "out of memory");
        items = grown;
        if (!parse_attr(c, &items[n])) return false;
        n++;
    }
    out->n = n;
    out->u.items = items;
    return true;
}

static bool parse_tensor(call_parser *c, fx_attr *out)
{
    char name[32];
    snprintf(name, sizeof name, "arg%d", c->n_tensor);
    fx_node **items = fx__arena_grow(c->p->program->arena, c->tensor, &c->cap_tensor, c->n_tensor, sizeof(fx_node *));
    const char *interned = fx__intern(c->p->context, name);
    fx_node *node = interned ? new_node(c->p, FX_PLACEHOLDER, interned) : NULL;
    if (!items || !node) return fx__klex_fail(c->p, "out of memory");
    c->tensor = items;
    items[c->n_tensor++] = node;
    *out = fx_node_attr(node);
    return true;
}

static bool parse_number_attr(call_parser *c, fx_attr *out)
{
    char number[FX_WORD_BYTES];
    bool is_float;
    fx_imm value;
    if (!fx__klex_number(c->p, number, &is_float)) return false;
    if (!fx__klex_convert(c->p, number, is_float, is_float ? FX_F64 : FX_I64, &value)) return false;
    *out = is_float ? fx_float(value.f) : fx_int(value.i);
    return true;
}

static bool parse_quoted(call_parser *c, fx_attr_kind kind, fx_attr *out)
{
    *out = (fx_attr){.kind = kind, .u.s = fx__klex_string(c->p)};
    return out->u.s != NULL;
}

static bool parse_word_attr(call_parser *c, fx_attr *out)
{
    char word[FX_WORD_BYTES];
    fx_dtype dtype;
    if (!fx__klex_word(c->p, word)) return false;
    *out = fx_none();
    if (strcmp(word, "none") == 0) return true;
    if (strcmp(word, "device") == 0) return parse_quoted(c, FX_ATTR_DEVICE, out);
    if (strcmp(word, "name") == 0) return parse_quoted(c, FX_ATTR_NAME, out);
    *out = fx_bool(word[0] == 't');
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) return true;
    if (strcmp(word, "dim") == 0) {
        out->kind = FX_ATTR_SYMINT;
        return fx__klex_coef(c->p, &out->u.dim);
    }
    if (strcmp(word, "slice") == 0) {
        out->kind = FX_ATTR_SLICE;
        if (!fx__klex_expect(c->p, '(') || !parse_items(c, ')', out)) return false;
        return out->n == 3 || fx__klex_fail(c->p, "a slice has three parts");
    }
    if (!fx_dtype_parse(word, &dtype)) return fx__klex_fail(c->p, "unknown word \"%s\"", word);
    *out = fx_dtype_attr(dtype);
    return true;
}

static bool parse_attr_here(call_parser *c, fx_attr *out)
{
    fx_kparser *p = c->p;
    *out = (fx_attr){.kind = FX_ATTR_ELLIPSIS};
    fx__klex_skip(p);
    if (fx__klex_accept(p, '.')) return fx__klex_expect(p, '.') && fx__klex_expect(p, '.');
    if (fx__klex_accept(p, '$')) return parse_tensor(c, out);
    if (fx__klex_peek(p, '"')) return parse_quoted(c, FX_ATTR_STR, out);
    if (fx__klex_peek_number(p)) return parse_number_attr(c, out);
    out->kind = fx__klex_peek(p, '(') ? FX_ATTR_TUPLE : FX_ATTR_LIST;
    if (fx__klex_accept(p, '(')) return parse_items(c, ')', out);
    if (fx__klex_accept(p, '[')) return parse_items(c, ']', out);
    return parse_word_attr(c, out);
}

static bool parse_attr(call_parser *c, fx_attr *out)
{
    if (++c->depth > FX_TEXT_DEPTH) return fx__klex_fail(c->p, "values nested more than %d times", FX_TEXT_DEPTH);
    bool ok = parse_attr_here(c, out);
    c->depth--;
    return ok;
}

static bool parse_view(fx_kparser *p, fx_kview *view)
{
    int n;
    *view = (fx_kview){.buf = fx__kparse_buf(p)};
    if (view->buf < 0 || !fx__klex_dtype(p, &view->type.dtype) || !fx__klex_dims(p, '[', ']', view->type.dim, &n)) return false;
    view->type.rank = n;
    if (!fx__klex_dims(p, '{', '}', view->stride, &n) || !fx__klex_expect(p, '+')) return false;
    if (n != view->type.rank) return fx__klex_fail(p, "%d strides for %d dimensions", n, view->type.rank);
    return fx__klex_dim(p, &view->base);
}

static bool parse_views(fx_kparser *p, const char *word, fx_step *step, int32_t *capacity)
{
    if (!fx__klex_accept_word(p, word)) return true;
    do {
        fx_kview *items = fx__arena_grow(p->program->arena, step->view, capacity, step->n_view, sizeof *items);
        if (!items) return fx__klex_fail(p, "out of memory");
        step->view = items;
        if (!parse_view(p, &items[step->n_view])) return false;
        step->n_view++;
    } while (fx__klex_accept(p, ','));
    return true;
}

/* Types of the call's tensors and results are those of its views. */
static bool set_types(fx_kparser *p, const call_parser *c, const fx_step *step, fx_node *node)
{
    if (step->n_view_in != c->n_tensor) return fx__klex_fail(p, "%d tensors, but %d views", c->n_tensor, step->n_view_in);
    fx_type *type = FX_NEW_ARRAY(p->program->arena, fx_type, step->n_view + 1);
    if (!type) return fx__klex_fail(p, "out of memory");
    for (int32_t i = 0; i < step->n_view; i++) type[i] = step->view[i].type;
    for (int32_t i = 0; i < c->n_tensor; i++) {
        c->tensor[i]->result = &type[i];
        c->tensor[i]->n_result = 1;
    }
    node->result = type + step->n_view_in;
    node->n_result = step->n_view - step->n_view_in;
    return true;
}

static bool parse_call_node(call_parser *c, fx_step *step, fx_node **out)
{
    fx_kparser *p = c->p;
    fx_attr args = {.kind = FX_ATTR_TUPLE};
    const char *target = fx__klex_string(p);
    if (!target) return false;
    step->op = fx__op_find(target);
    if (!step->op) return fx__klex_fail(p, "unknown operator \"%s\"", target);
    if (!fx__klex_expect(p, '(') || !parse_items(c, ')', &args) || !fx__klex_expect_word(p, "as")) return false;
    const char *name = fx__klex_name(p);
    fx_node *node = name ? fx__map_get(&p->nodes, name) : NULL;
    if (!node && name) node = new_node(p, FX_CALL_FUNCTION, name);
    if (!node || !fx__map_put(&p->nodes, name, node)) return fx__klex_fail(p, "out of memory");
    node->op = step->op;
    node->target = target;
    node->args = args;
    step->node = *out = node;
    return true;
}

static bool parse_call(fx_kparser *p, fx_step *step)
{
    call_parser c = {.p = p};
    int32_t capacity = 0, params = 0;
    fx_node *node = NULL;
    step->kind = FX_STEP_CALL;
    if (!parse_call_node(&c, step, &node) || !parse_views(p, "in", step, &capacity)) return false;
    fx__op_params(step->op, &params);
    if (params != node->args.n) return fx__klex_fail(p, "%s takes %d arguments", step->op->name, params);
    step->n_view_in = step->n_view;
    if (!parse_views(p, "out", step, &capacity) || !set_types(p, &c, step, node)) return false;
    if (fx__klex_accept_word(p, "because") && !(step->why_call = fx__klex_string(p))) return false;
    return parse_nodes(p, step);
}

/* ---- ASSERT, IF, LOOP
 * ------------------------------------------------------------------------------------------------------------------
 */

static bool parse_assert(fx_kparser *p, fx_step *step)
{
    step->kind = FX_STEP_ASSERT;
    step->cond = fx__kparse_buf(p);
    return step->cond >= 0 && (step->message = fx__klex_string(p)) && parse_nodes(p, step);
}

static bool parse_braced(fx_kparser *p, fx_block *block, int depth)
{
    if (!fx__klex_expect(p, '{')) return false;
    for (fx__klex_skip_lines(p); !fx__klex_accept(p, '}'); fx__klex_skip_lines(p))
        if (!fx__kparse_step(p, block, depth + 1)) return false;
    return true;
}

static bool parse_if(fx_kparser *p, fx_step *step, int depth)
{
    step->kind = FX_STEP_IF;
    step->cond = fx__kparse_buf(p);
    if (step->cond < 0 || !parse_nodes(p, step) || !parse_braced(p, &step->body[0], depth)) return false;
    return !fx__klex_accept_word(p, "else") || parse_braced(p, &step->body[1], depth);
}

static bool parse_counter(fx_kparser *p, fx_step *step)
{
    fx_dims *dims = p->program->dims;
    const char *name = fx__klex_name(p);
    if (!name) return false;
    int32_t sym = fx__dims_sym_count(dims) - 1;
    while (sym >= 0 && strcmp(fx__dims_sym(dims, sym)->name, name) != 0) sym--;
    if (sym < 0 || !fx__dims_sym(dims, sym)->counter) return fx__klex_fail(p, "\"%s\" is no counter", name);
    step->counter = sym;
    return !fx__klex_accept(p, '<') || fx__klex_dim(p, &step->turns);
}

static bool parse_carries(fx_kparser *p, fx_step *step)
{
    int32_t capacity = 0;
    if (!fx__klex_accept_word(p, "carry")) return true;
    do {
        fx_carry *items = fx__arena_grow(p->program->arena, step->carry, &capacity, step->n_carry, sizeof *items);
        if (!items) return fx__klex_fail(p, "out of memory");
        step->carry = items;
        fx_carry *carry = &items[step->n_carry++];
        carry->now = fx__kparse_buf(p);
        if (carry->now < 0 || !fx__klex_expect(p, '/') || (carry->next = fx__kparse_buf(p)) < 0) return false;
    } while (fx__klex_accept(p, ','));
    return true;
}

static bool parse_loop(fx_kparser *p, fx_step *step, int depth)
{
    step->kind = FX_STEP_LOOP;
    if (fx__klex_peek(p, '%') && (step->cond = fx__kparse_buf(p)) < 0) return false;
    if (fx__klex_accept_word(p, "for") && !parse_counter(p, step)) return false;
    return parse_carries(p, step) && parse_nodes(p, step) && parse_braced(p, &step->body[0], depth);
}

bool fx__kparse_step(fx_kparser *p, fx_block *block, int depth)
{
    char word[FX_WORD_BYTES];
    fx_step step = {.kernel = -1, .cond = -1, .turns = -1, .counter = -1};
    bool ok;
    if (depth > FX_TEXT_DEPTH) return fx__klex_fail(p, "steps nested more than %d times", FX_TEXT_DEPTH);
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "run") == 0)
        ok = parse_run(p, &step);
    else if (strcmp(word, "call") == 0)
        ok = parse_call(p, &step);
    else if (strcmp(word, "assert") == 0)
        ok = parse_assert(p, &step);
    else if (strcmp(word, "if") == 0)
        ok = parse_if(p, &step, depth);
    else if (strcmp(word, "loop") == 0)
        ok = parse_loop(p, &step, depth);
    else
        return fx__klex_fail(p, "unknown statement \"%s\"", word);
    return ok && (fx__block_add(p->program, block, &step) || fx__klex_fail(p, "out of memory"));
}
