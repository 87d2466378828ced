/* SPDX-License-Identifier: Apache-2.0 */
/* ir/table.c: the graph as torch.fx's print_tabular writes it: tabulate's "simple" form with columns opcode, name, target, args and
 * kwargs. Functions are given by their qualified names, since Python's have addresses in them. */
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 5 };
static const char *const headers[COLUMNS] = {"opcode", "name", "target", "args", "kwargs"};

typedef struct table {
    const char **cell; /* [rows][COLUMNS] */
    int32_t n_rows;
    size_t width[COLUMNS];
    bool numeric[COLUMNS]; /* all cells are numbers: aligned right */
} table;

/* Characters, not bytes. */
static size_t display_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return end != text && *end == 0;
}

static const char *repr(fx_arena *arena, const fx_graph *graph, const fx_attr *value)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    fx__attr_repr(&text, graph, value);
    char *whole = fx__text_finish(&text);
    const char *copy = whole ? fx__arena_copy(arena, whole, strlen(whole)) : NULL;
    fx_text_free(whole);
    return copy;
}

/* str() of an operator overload leaves the package out. */
static const char *target_text(const fx_node *node)
{
    bool is_overload = node->opcode == FX_CALL_FUNCTION && strncmp(node->target, "torch.ops.", 10) == 0;
    return node->target + (is_overload ? 10 : 0);
}

static bool fill_row(table *t, fx_arena *arena, const fx_node *node)
{
    const char **row = t->cell + (size_t)t->n_rows++ * COLUMNS;
    row[0] = fx_opcode_name(node->opcode);
    row[1] = node->name;
    row[2] = target_text(node);
    row[3] = repr(arena, node->graph, &node->args);
    row[4] = repr(arena, node->graph, &node->kwargs);
    return row[3] && row[4];
}

static void measure(table *t)
{
    for (int c = 0; c < COLUMNS; c++) {
        /* tabulate never gives a column less than two characters more than its header's name */
        t->width[c] = display_width(headers[c]) + 2;
        t->numeric[c] = t->n_rows > 0;
        for (int32_t r = 0; r < t->n_rows; r++) {
            const char *cell = t->cell[r * COLUMNS + c];
            size_t width = display_width(cell);
            if (width > t->width[c]) t->width[c] = width;
            t->numeric[c] = t->numeric[c] && is_number(cell);
        }
    }
}

static void put_spaces(fx_text *text, size_t n)
{
    while (n--) fx__text_put(text, " ", 1);
}

static void put_row(fx_text *text, const table *t, const char *const *row)
{
    for (int c = 0; c < COLUMNS; c++) {
        size_t pad = t->width[c] - display_width(row[c]);
        if (c) put_spaces(text, 2);
        if (t->numeric[c]) put_spaces(text, pad);
        fx__text_put(text, row[c], strlen(row[c]));
        if (!t->numeric[c] && c + 1 < COLUMNS) put_spaces(text, pad);
    }
}

static void put_rule(fx_text *text, const table *t)
{
    for (int c = 0; c < COLUMNS; c++) {
        if (c) put_spaces(text, 2);
        for (size_t i = 0; i < t->width[c]; i++) fx__text_put(text, "-", 1);
    }
}

static char *print_table(const fx_graph *graph, fx_arena *arena)
{
    table t = {.cell = FX_NEW_ARRAY(arena, const char *, (size_t)graph->n_nodes *COLUMNS)};
    if (!t.cell) return NULL;
    FX_EACH_NODE(node, graph)
    if (!fill_row(&t, arena, node)) return NULL;
    measure(&t);
    fx_text text;
    fx__text_init(&text, graph->context);
    put_row(&text, &t, headers);
    fx__text_put(&text, "\n", 1);
    put_rule(&text, &t);
    for (int32_t r = 0; r < t.n_rows; r++) {
        fx__text_put(&text, "\n", 1);
        put_row(&text, &t, t.cell + (size_t)r * COLUMNS);
    }
    return fx__text_finish(&text);
}

char *fx_graph_to_table(const fx_graph *graph)
{
    fx_arena *arena = fx__arena_new(graph->context);
    char *text = arena ? print_table(graph, arena) : NULL;
    fx__arena_free(arena);
    return text;
}
