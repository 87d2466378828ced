/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse.c: reads a program's text: everything but kernels and steps, which have files of their own. The grammar stands in
 * kir_print.c. */
#include "ir/kir_lex.h"
#include <inttypes.h>
#include <string.h>

int32_t fx__kparse_buf(fx_kparser *p)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_expect(p, '%')) return -1;
    size_t n = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && n + 1 < sizeof word) word[n++] = *p->at++;
    word[n] = 0;
    if (n == 0 && !fx__klex_word(p, word)) return -1;
    const char *key = fx__intern(p->context, word);
    intptr_t index = key ? (intptr_t)fx__map_get(&p->bufs, key) : 0;
    if (index == 0) fx__klex_fail(p, "unknown buffer %%%s", word);
    return (int32_t)index - 1;
}

/* ---- Head ----------------------------------------------------------------------------------------------------------------------
 */

static bool parse_count(fx_kparser *p, int32_t *out)
{
    int64_t value;
    if (!fx__klex_int(p, 0, INT32_MAX, &value)) return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_head_item(fx_kparser *p)
{
    fx_program *g = p->program;
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "inputs") == 0) return parse_count(p, &g->n_input);
    if (strcmp(word, "outputs") == 0) return parse_count(p, &g->n_output);
    if (strcmp(word, "states") == 0) return parse_count(p, &g->n_state);
    if (strcmp(word, "workspace") == 0) return fx__klex_dim(p, &g->workspace_bytes);
    if (strcmp(word, "consts") == 0) return fx__klex_int(p, 0, INT64_MAX, &g->const_bytes);
    if (strcmp(word, "state") == 0) return fx__klex_int(p, 0, INT64_MAX, &g->state_bytes);
    if (strcmp(word, "scratch") == 0) return fx__klex_int(p, 0, INT64_MAX, &g->scratch_bytes);
    bool *flag = strcmp(word, "placed") == 0      ? &g->placed
                 : strcmp(word, "scheduled") == 0 ? &g->scheduled
                 : strcmp(word, "planned") == 0   ? &g->planned
                                                  : NULL;
    if (!flag) return fx__klex_fail(p, "unknown word \"%s\"", word);
    *flag = true;
    return true;
}

static bool parse_head(fx_kparser *p)
{
    while (!fx__klex_at_end(p))
        if (!parse_head_item(p)) return false;
    return true;
}

static bool parse_sym_range(fx_kparser *p, fx_sym *sym)
{
    return fx__klex_expect_word(p, "in") && fx__klex_expect(p, '[') && fx__klex_int(p, INT64_MIN, INT64_MAX, &sym->lo) &&
           fx__klex_expect(p, ',') && fx__klex_int(p, sym->lo, INT64_MAX, &sym->hi) && fx__klex_expect(p, ']');
}

static bool parse_sym_source(fx_kparser *p, fx_sym *sym)
{
    int64_t input, axis;
    sym->counter = fx__klex_accept_word(p, "counter");
    if (!fx__klex_accept_word(p, "from")) return true;
    if (!fx__klex_expect_word(p, "input") || !fx__klex_int(p, 0, INT16_MAX, &input)) return false;
    if (!fx__klex_expect_word(p, "axis") || !fx__klex_int(p, 0, FX_RANK - 1, &axis)) return false;
    sym->input = (int16_t)input;
    sym->axis = (int16_t)axis;
    return true;
}

static bool sym_is_new(fx_kparser *p, const char *name)
{
    for (int32_t i = 0; i < fx__dims_sym_count(p->program->dims); i++)
        if (strcmp(fx__dims_sym(p->program->dims, i)->name, name) == 0)
            return fx__klex_fail(p, "symbol \"%s\" is defined twice", name);
    return true;
}

static bool parse_sym(fx_kparser *p)
{
    fx_sym sym = {.input = -1, .axis = -1, .multiple = 1};
    sym.name = fx__klex_name(p);
    if (!sym.name || !sym_is_new(p, sym.name) || !parse_sym_range(p, &sym)) return false;
    if (!fx__klex_expect_word(p, "hint") || !fx__klex_int(p, INT64_MIN, INT64_MAX, &sym.hint)) return false;
    if (fx__klex_accept_word(p, "multiple") && !fx__klex_int(p, 1, INT64_MAX, &sym.multiple)) return false;
    if (!parse_sym_source(p, &sym)) return false;
    return fx__dims_add_sym(p->program->dims, &sym) >= 0 || fx__klex_fail(p, "symbol \"%s\" is not possible", sym.name);
}

static bool parse_guard(fx_kparser *p)
{
    char word[FX_WORD_BYTES];
    fx_dim a, b;
    const char *why = NULL;
    if (!fx__klex_word(p, word)) return false;
    int kind = FX_GUARD_LE;
    while (kind >= 0 && strcmp(word, fx__kir_guard_word((fx_guard_kind)kind)) != 0) kind--;
    if (kind < 0) return fx__klex_fail(p, "unknown guard \"%s\"", word);
    if (!fx__klex_dim(p, &a) || !fx__klex_expect(p, ',') || !fx__klex_dim(p, &b)) return false;
    if (fx__klex_accept(p, ',') && !(why = fx__klex_string(p))) return false;
    return fx__dims_assume(p->program->dims, (fx_guard_kind)kind, a, b, why) || fx__klex_fail(p, "a guard that never holds");
}

/* ---- Buffers
 * --------------------------------------------------------------------------------------------------------------------- */

/* A number is the buffer's place, a word its name. */
static bool parse_buf_name(fx_kparser *p, fx_buf *buf, const char **out_key)
{
    char word[FX_WORD_BYTES];
    int64_t number = -1;
    if (!fx__klex_expect(p, '%')) return false;
    if (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        int32_t place = p->program->n_buf;
        if (!fx__klex_int(p, place, place, &number)) return false;
        snprintf(word, sizeof word, "%" PRId64, number);
    } else if (!fx__klex_word(p, word)) {
        return false;
    }
    *out_key = fx__intern(p->context, word);
    buf->name = number < 0 ? *out_key : NULL;
    if (!*out_key) return fx__klex_fail(p, "out of memory");
    return !fx__map_get(&p->bufs, *out_key) || fx__klex_fail(p, "buffer %%%s is defined twice", word);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_data(fx_kparser *p, fx_buf *buf)
{
    int64_t bytes = (int64_t)fx_dtype_bytes(buf->dtype);
    for (int d = 0; d < buf->rank; d++)
        if (!fx_dim_is_const(buf->dim[d]) || __builtin_mul_overflow(bytes, buf->dim[d], &bytes)) bytes = -1;
    fx__klex_skip(p);
    if (bytes == 0) fx__klex_expect_word(p, "_");
    if (bytes < 0 || p->end - p->at < 2 * bytes) return fx__klex_fail(p, "the table's bytes do not fit its type");
    unsigned char *data = FX_NEW_ARRAY(p->program->arena, unsigned char, bytes + 1);
    if (!data) return fx__klex_fail(p, "out of memory");
    for (int64_t i = 0; i < bytes; i++, p->at += 2) {
        int high = hex_digit(p->at[0]), low = hex_digit(p->at[1]);
        if (high < 0 || low < 0) return fx__klex_fail(p, "the table's bytes do not fit its type");
        data[i] = (unsigned char)(high * 16 + low);
    }
    buf->data = data;
    return true;
}

static bool parse_const(fx_kparser *p, fx_buf *buf)
{
    if (fx__klex_accept_word(p, "data")) return parse_data(p, buf);
    fx__klex_skip(p);
    if (!fx__klex_peek_number(p)) return true;
    if (!parse_count(p, &buf->index)) return false;
    buf->path = fx__klex_string(p);
    return buf->path != NULL;
}

static bool parse_buf_role(fx_kparser *p, fx_buf *buf)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    int role = FX_BUF_TEMP;
    while (role >= 0 && strcmp(word, fx__kir_buf_word((fx_role)role)) != 0) role--;
    if (role < 0) return fx__klex_fail(p, "unknown role \"%s\"", word);
    buf->role = (fx_role)role;
    if (role == FX_BUF_TEMP) return true;
    if (role == FX_BUF_CONST) return parse_const(p, buf);
    int32_t limit = role == FX_BUF_INPUT ? p->program->n_input : role == FX_BUF_OUTPUT ? p->program->n_output : p->program->n_state;
    if (!parse_count(p, &buf->index)) return false;
    if (role == FX_BUF_STATE && fx__klex_peek(p, '"') && !(buf->path = fx__klex_string(p))) return false;
    return buf->index < limit || fx__klex_fail(p, "%s %d, but the program has %d", word, buf->index, limit);
}

static bool parse_parent(fx_kparser *p, fx_buf *buf)
{
    int n;
    buf->parent = fx__kparse_buf(p);
    if (buf->parent < 0 || !fx__klex_dims(p, '[', ']', buf->at, &n)) return false;
    int rank = p->program->buf[buf->parent].rank;
    return (n == buf->rank && rank == n) || fx__klex_fail(p, "a slice of another rank than its parent");
}

/* -1: never. */
static bool parse_live(fx_kparser *p, fx_buf *buf)
{
    int64_t first, last;
    if (!fx__klex_int(p, -1, INT32_MAX, &first) || !fx__klex_int(p, -1, INT32_MAX, &last)) return false;
    buf->first = (int32_t)first;
    buf->last = (int32_t)last;
    return true;
}

static bool parse_buf_item(fx_kparser *p, fx_buf *buf)
{
    char word[FX_WORD_BYTES];
    int64_t align;
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "in") == 0) return parse_parent(p, buf);
    if (strcmp(word, "at") == 0) return fx__klex_dim(p, &buf->offset);
    if (strcmp(word, "live") == 0) return parse_live(p, buf);
    if (strcmp(word, "align") != 0) return fx__klex_fail(p, "unknown word \"%s\"", word);
    if (!fx__klex_int(p, 0, UINT32_MAX, &align)) return false;
    buf->align = (uint32_t)align;
    return true;
}

static bool parse_buf(fx_kparser *p)
{
    fx_buf buf = {.parent = -1, .index = -1};
    const char *key;
    int rank;
    if (!parse_buf_name(p, &buf, &key) || !fx__klex_expect(p, ':') || !fx__klex_dtype(p, &buf.dtype)) return false;
    if (!fx__klex_dims(p, '[', ']', buf.dim, &rank)) return false;
    buf.rank = (uint8_t)rank;
    if (!parse_buf_role(p, &buf)) return false;
    while (!fx__klex_at_end(p))
        if (!parse_buf_item(p, &buf)) return false;
    int32_t index = fx__program_add_buf(p->program, &buf);
    return (index >= 0 && fx__map_put(&p->bufs, key, (void *)(intptr_t)(index + 1))) || fx__klex_fail(p, "out of memory");
}

/* ---- Tail
 * ------------------------------------------------------------------------------------------------------------------------ */

static bool expect_arrow(fx_kparser *p)
{
    return fx__klex_expect(p, '-') && fx__klex_expect(p, '>');
}

static bool parse_writeback(fx_kparser *p)
{
    fx_program *g = p->program;
    int32_t from = fx__kparse_buf(p);
    if (from < 0 || !expect_arrow(p)) return false;
    int32_t to = fx__kparse_buf(p);
    if (to < 0) return false;
    fx_writeback *items = fx__arena_grow(g->arena, g->writeback, &g->cap_writeback, g->n_writeback, sizeof *items);
    if (!items) return fx__klex_fail(p, "out of memory");
    g->writeback = items;
    items[g->n_writeback++] = (fx_writeback){from, to};
    return true;
}

static bool parse_verdict(fx_kparser *p, fx_verdict *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(p, word)) return false;
    for (int v = 0; v < FX_WHY_COUNT; v++) {
        *out = (fx_verdict)v;
        if (strcmp(word, fx__kir_verdict_word((fx_verdict)v)) == 0) return true;
    }
    return fx__klex_fail(p, "unknown verdict \"%s\"", word);
}

static bool parse_why(fx_kparser *p)
{
    fx_why why = {.from = fx__kparse_node(p)};
    if (!why.from || !expect_arrow(p)) return false;
    why.to = fx__kparse_node(p);
    if (!why.to || !fx__klex_expect(p, ':') || !parse_verdict(p, &why.verdict)) return false;
    if (!fx__klex_expect_word(p, "saves") || !fx__klex_int(p, INT64_MIN, INT64_MAX, &why.bytes_saved)) return false;
    if (!fx__klex_expect_word(p, "cost") || !fx__klex_int(p, INT64_MIN, INT64_MAX, &why.cost)) return false;
    if (fx__klex_accept_word(p, "because") && !(why.because = fx__klex_string(p))) return false;
    return fx__program_add_why(p->program, &why) || fx__klex_fail(p, "out of memory");
}

/* ---- Program
 * --------------------------------------------------------------------------------------------------------------------- */

static bool parse_statement(fx_kparser *p)
{
    char word[FX_WORD_BYTES];
    const char *before = p->at;
    if (!fx__klex_word(p, word)) return false;
    if (strcmp(word, "program") == 0) return parse_head(p);
    if (strcmp(word, "sym") == 0) return parse_sym(p);
    if (strcmp(word, "guard") == 0) return parse_guard(p);
    if (strcmp(word, "buf") == 0) return parse_buf(p);
    if (strcmp(word, "kernel") == 0) return fx__kparse_kernel(p);
    if (strcmp(word, "writeback") == 0) return parse_writeback(p);
    if (strcmp(word, "why") == 0) return parse_why(p);
    if (strcmp(word, "init") == 0) return fx__kparse_step(p, &p->program->init, 0);
    p->at = before;
    return fx__kparse_step(p, &p->program->steps, 0);
}

/* A statement that failed inside a kernel or a block has left its "{" open: go on behind the line that closes it. */
static void recover(fx_kparser *p, const char *start, int32_t line)
{
    int depth = 0;
    p->at = start;
    p->line = line;
    p->failed = false;
    for (; p->at < p->end; p->at++) {
        if (*p->at == '\n' && depth <= 0) return;
        if (*p->at == '\n') p->line++;
        if (*p->at == '{') depth++;
        if (*p->at == '}') depth--;
    }
}

static void parse_all(fx_kparser *p)
{
    for (fx__klex_skip_lines(p); p->at < p->end && p->errors < FX_PARSE_ERRORS; fx__klex_skip_lines(p)) {
        const char *start = p->at;
        int32_t line = p->line;
        bool ok = parse_statement(p);
        if (ok && !fx__klex_at_end(p)) ok = fx__klex_fail(p, "the end of the line expected");
        if (ok) continue;
        if (!p->failed) p->errors++; /* out of memory: the context knows */
        recover(p, start, line);
    }
}

static bool start(fx_kparser *p, const char *text, size_t bytes)
{
    p->program = fx__program_new(p->context, NULL);
    if (!p->program) return false;
    char *copy = fx__arena_copy(p->program->arena, text, bytes);
    p->graph = FX_NEW(p->program->arena, fx_graph);
    if (!copy || !p->graph) return false;
    *p->graph = (fx_graph){.context = p->context, .arena = p->program->arena, .dims = p->program->dims, .core = true};
    p->at = copy;
    p->end = copy + strlen(copy);
    fx__map_init(&p->bufs, p->program->arena);
    fx__map_init(&p->kernels, p->program->arena);
    fx__map_init(&p->nodes, p->program->arena);
    return true;
}

fx_status fx__program_parse(fx_context *context, const char *name, const char *text, size_t bytes, fx_program **out)
{
    fx_kparser p = {.context = context, .line = 1, .name = name ? fx__intern(context, name) : NULL};
    *out = NULL;
    if (!start(&p, text, bytes)) {
        fx__program_free(p.program);
        return FX_E_OOM;
    }
    if ((size_t)(p.end - p.at) != bytes) fx__klex_fail(&p, "a zero byte in the text");
    p.failed = false;
    parse_all(&p);
    if (p.errors) {
        fx__program_free(p.program);
        return FX_E_FORMAT;
    }
    *out = p.program;
    return FX_OK;
}
