/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_text.c: an explanation for people: a table of the units first, then whatever else was asked for. */
#include "frontend/explain.h"
#include "ir/graph.h"
#include "ir/op.h"
#include <fnmatch.h>
#include <string.h>

typedef struct printer {
    fx_text *text;
    const fx_explanation *e;
    const fx_explain_filter *filter;
    double scale; /* of bytes and operations in the table */
    bool chosen; /* a filter leaves something out: details are wanted */
} printer;

/* ---- Filters ------------------------------------------------------------------------------------------------------------- */

static bool name_matches(const char *pattern, const fx_node *node)
{
    const char *place = node->loc.function;
    return fnmatch(pattern, node->name, 0) == 0 || (place && fnmatch(pattern, place, 0) == 0);
}

static bool kernel_matches(const char *pattern, const fx_kernel_info *kernel)
{
    if (strcmp(pattern, kernel->name) == 0) return true;
    if (strncmp(pattern, "k_", 2) == 0) pattern += 2;
    return strlen(pattern) >= 4 && strncmp(pattern, kernel->hash + 2, strlen(pattern)) == 0;
}

bool fx_explain_wants(const fx_explanation *e, const fx_explain_filter *filter, int32_t unit)
{
    const fx_unit *u = &e->unit[unit];
    if (!filter) return true;
    if (filter->kernel && (u->kernel < 0 || !kernel_matches(filter->kernel, &e->kernel[u->kernel]))) return false;
    bool match = !filter->node;
    for (int32_t i = 0; i < u->n_nodes && !match; i++) match = name_matches(filter->node, u->nodes[i]);
    return match;
}

bool fx__explain_wants_kernel(const fx_explanation *e, const fx_explain_filter *filter, int32_t kernel)
{
    for (int32_t i = 0; i < e->n_unit; i++)
        if (e->unit[i].kernel == kernel && fx_explain_wants(e, filter, i)) return true;
    return false;
}

bool fx__explain_wants_node(const fx_explanation *e, const fx_explain_filter *filter, const fx_node *node)
{
    if (!filter || (!filter->node && !filter->kernel)) return true;
    if (filter->node && !name_matches(filter->node, node)) return false;
    for (int32_t i = 0; filter->kernel && i < e->n_unit; i++)
        for (int32_t n = 0; n < e->unit[i].n_nodes; n++)
            if (e->unit[i].nodes[n] == node && fx_explain_wants(e, filter, i)) return true;
    return !filter->kernel;
}

bool fx__explain_wants_pair(const fx_explanation *e, const fx_explain_filter *filter, const fx_neighbours *pair)
{
    return fx__explain_wants_node(e, filter, pair->from) || fx__explain_wants_node(e, filter, pair->to);
}

static bool is_among(const int32_t *list, int32_t n, int32_t value)
{
    for (int32_t i = 0; i < n; i++)
        if (list[i] == value) return true;
    return false;
}

bool fx__explain_wants_buffer(const fx_explanation *e, const fx_explain_filter *filter, int32_t buffer)
{
    if (!filter || (!filter->node && !filter->kernel)) return true;
    for (int32_t i = 0; i < e->n_unit; i++) {
        const fx_unit *u = &e->unit[i];
        if (!fx_explain_wants(e, filter, i)) continue;
        if (is_among(u->reads, u->n_reads, buffer) || is_among(u->writes, u->n_writes, buffer)) return true;
    }
    return false;
}

static bool name_is_wanted(const fx_explain_filter *filter, const fx_allowance *one)
{
    for (int32_t i = 0; i < one->n_nodes; i++)
        if (fnmatch(filter->node, one->nodes[i], 0) == 0) return true;
    return false;
}

bool fx__explain_wants_allowance(const fx_explanation *e, const fx_explain_filter *filter, int32_t index)
{
    const fx_allowance *one = &e->allowance[index];
    if (!filter || (!filter->node && !filter->kernel)) return true;
    if (one->unit >= 0 && fx_explain_wants(e, filter, one->unit)) return true;
    return !filter->kernel && name_is_wanted(filter, one);
}

/* ---- Numbers --------------------------------------------------------------------------------------------------------------- */

/* "1.6 MB" */
static const char *bytes_text(char out[24], int64_t bytes)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    int u = 0;
    for (; value >= 999.5 && u < 4; u++) value /= 1000;
    snprintf(out, 24, u == 0 || value >= 99.5 ? "%.0f %s" : "%.3g %s", value, unit[u]);
    return out;
}

/* One unit for a whole table: thousands or millions. */
static double scale_of(const fx_explanation *e)
{
    for (int32_t i = 0; i < e->n_unit; i++)
        if (e->unit[i].bytes_in + e->unit[i].bytes_out + e->unit[i].bytes_const >= 1000000 || e->unit[i].flop >= 10000000) return 1e-6;
    return 1e-3;
}

/* ---- Head and table ---------------------------------------------------------------------------------------------------------- */

static int32_t count_units(const fx_explanation *e, bool init)
{
    int32_t n = 0;
    for (int32_t i = 0; i < e->n_unit; i++) n += e->unit[i].init == init;
    return n;
}

static void put_head(const printer *p)
{
    const fx_explanation *e = p->e;
    char consts[24], workspace[24], state[24];
    int32_t units = count_units(e, false);
    fx__text_append(p->text, "For %s, %d thread%s, precision %s.\n", e->target, (int)e->threads, e->threads == 1 ? "" : "s",
                    e->precision);
    fx__text_append(p->text, "A run: %d unit%s, %d kernel%s, %.6g MFLOP, expected to take %.4g microseconds on one thread.\n",
                    (int)units, units == 1 ? "" : "s", (int)e->n_kernel, e->n_kernel == 1 ? "" : "s", (double)e->flop * 1e-6, e->expected_us);
    fx__text_append(p->text, "Memory: constants %s, workspace %s, state %s.\n", bytes_text(consts, e->const_bytes),
                    bytes_text(workspace, e->workspace_bytes), bytes_text(state, e->state_bytes));
}

static const char *word_of(const printer *p, const fx_unit *u)
{
    static const char *const words[] = {"", "call", "if", "loop", "assert"};
    return u->kernel >= 0 ? p->e->kernel[u->kernel].emitter : words[u->kind];
}

static void put_unit(const printer *p, const fx_unit *u)
{
    int64_t bytes = u->bytes_in + u->bytes_out + u->bytes_const;
    bool leaf = u->kind == FX_UNIT_RUN || u->kind == FX_UNIT_CALL;
    double us = u->expected_us * (double)u->turns, share = p->e->expected_us > 0 ? 100 * us / p->e->expected_us : 0;
    fx__text_append(p->text, "%5d  %-5s %-6s %-7s %9.3f %9.3f %9.3f %9.3f %7.1f %9.2f", (int)u->index,
                    u->kernel >= 0 ? p->e->kernel[u->kernel].name : "-", word_of(p, u),
                    u->kernel >= 0 ? p->e->kernel[u->kernel].tile : "-", p->scale * (double)u->bytes_in,
                    p->scale * (double)u->bytes_const, p->scale * (double)u->bytes_out, p->scale * (double)u->flop,
                    bytes > 0 ? (double)u->flop / (double)bytes : 0, u->expected_us);
    if (leaf && !u->init)
        fx__text_append(p->text, " %5.1f %%  %-7s ", share, u->bound);
    else
        fx__text_append(p->text, " %7s  %-7s ", "", "");
    fx__text_append(p->text, " %*s%s", 2 * (int)u->depth, "", u->label);
    if (u->turns != 1) fx__text_append(p->text, " (%lld turns)", (long long)u->turns);
    if (u->chunks > 1) fx__text_append(p->text, " [%lld chunks]", (long long)u->chunks);
    fx__text_append(p->text, "\n");
}

static void put_titles(const printer *p, bool init)
{
    char letter = p->scale < 1e-4 ? 'M' : 'k';
    fx__text_append(p->text, "\n%s\n%5s  %-5s %-6s %-7s %5cB in %4cB const %5cB out %5cFLOP  FLOP/B   exp. us   share  bound     what\n",
                    init ? "Once, when compiling" : "Units of a run; figures of one turn", "unit", "kern.", "emit", "tile", letter, letter,
                    letter, letter);
}

static void put_units(const printer *p, bool init)
{
    bool first = true;
    for (int32_t i = 0; i < p->e->n_unit; i++) {
        const fx_unit *u = &p->e->unit[i];
        if (u->init != init || !fx_explain_wants(p->e, p->filter, i)) continue;
        if (first) put_titles(p, init);
        first = false;
        put_unit(p, u);
    }
}

/* ---- Kernels ------------------------------------------------------------------------------------------------------------------ */

static void put_place(fx_text *text, const fx_loc *loc)
{
    if (!loc->file) return;
    fx__text_append(text, "  %s", loc->file);
    if (loc->line > 0) fx__text_append(text, ":%d", (int)loc->line);
    if (loc->function) fx__text_append(text, " in %s", loc->function);
}

static void put_nodes(const printer *p, const fx_unit *u)
{
    for (int32_t i = 0; i < u->n_nodes; i++) {
        const fx_node *node = u->nodes[i];
        fx__text_append(p->text, "    %%%s = %s", node->name, node->op ? fx_op_name(node->op) : node->target);
        put_place(p->text, &node->loc);
        fx__text_append(p->text, "\n");
    }
}

/* The lines between a kernel's head and its schedule. */
static void put_stages(const printer *p, const char *stages)
{
    for (const char *line = stages; *line;) {
        size_t bytes = strcspn(line, "\n");
        fx__text_append(p->text, "    %.*s\n", (int)bytes, line);
        line += bytes + (line[bytes] == '\n');
    }
}

static void put_kernel(const printer *p, int32_t index)
{
    const fx_kernel_info *k = &p->e->kernel[index];
    fx__text_append(p->text, "  %s, section %s: %d stage%s, %s\n", k->name, k->hash, (int)k->n_stages, k->n_stages == 1 ? "" : "s",
                    k->schedule);
    for (int32_t i = 0; i < p->e->n_unit; i++) {
        const fx_unit *u = &p->e->unit[i];
        if (u->kernel != index || !fx_explain_wants(p->e, p->filter, i)) continue;
        fx__text_append(p->text, "   unit %d, %s\n", (int)u->index, u->init ? "when compiling" : u->role);
        put_nodes(p, u);
    }
    if (p->chosen) put_stages(p, k->stages);
}

static void put_kernels(const printer *p)
{
    fx__text_append(p->text, "\nKernels\n");
    for (int32_t k = 0; k < p->e->n_kernel; k++)
        if (fx__explain_wants_kernel(p->e, p->filter, k)) put_kernel(p, k);
}

/* ---- Pairs, fallbacks, copies --------------------------------------------------------------------------------------------------- */

static void put_pairs(const printer *p)
{
    char bytes[24];
    int64_t saved = 0;
    int32_t joined = 0, apart = 0;
    for (int32_t i = 0; i < p->e->n_pair; i++) {
        const fx_neighbours *pair = &p->e->pair[i];
        if (!fx__explain_wants_pair(p->e, p->filter, pair)) continue;
        joined += pair->joined;
        apart += !pair->joined;
        if (pair->joined) saved += pair->bytes_saved;
    }
    fx__text_append(p->text, "\nNeighbours: %d joined, which saves %s of memory traffic; %d not\n", (int)joined,
                    bytes_text(bytes, saved), (int)apart);
    for (int32_t i = 0; i < p->e->n_pair; i++) {
        const fx_neighbours *pair = &p->e->pair[i];
        if (!fx__explain_wants_pair(p->e, p->filter, pair) || (pair->joined && !p->chosen)) continue;
        fx__text_append(p->text, "  %s %%%s -> %%%s: %s (%s%s%s)\n", pair->joined ? "+" : "-", pair->from->name, pair->to->name,
                        pair->reason, pair->verdict, pair->bytes_saved > 0 ? ", " : "",
                        pair->bytes_saved > 0 ? bytes_text(bytes, pair->bytes_saved) : "");
    }
}

static void put_fallbacks(const printer *p)
{
    fx__text_append(p->text, "\nFallbacks: %s\n", p->e->n_fallback ? "nodes that run through their reference kernels" : "none");
    for (int32_t i = 0; i < p->e->n_fallback; i++) fx__text_append(p->text, "  %s\n", p->e->fallback[i]);
}

static bool only_moves(const fx_unit *u)
{
    return !u->init && strcmp(u->role, "compute") != 0;
}

static void put_copies(const printer *p)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->e->n_unit; i++) n += only_moves(&p->e->unit[i]) && fx_explain_wants(p->e, p->filter, i);
    fx__text_append(p->text, "\nCopies and layout changes:%s\n", n ? "" : " none");
    for (int32_t i = 0; i < p->e->n_unit; i++) {
        const fx_unit *u = &p->e->unit[i];
        char bytes[24];
        if (!only_moves(u) || !fx_explain_wants(p->e, p->filter, i)) continue;
        bool told = strncmp(u->label, u->role, strlen(u->role)) == 0;
        fx__text_append(p->text, "  unit %d, %s%s%s, %s\n", (int)u->index, told ? "" : u->role, told ? "" : ": ", u->label,
                        bytes_text(bytes, u->bytes_in + u->bytes_out + u->bytes_const));
    }
}

/* ---- Memory ---------------------------------------------------------------------------------------------------------------------- */

static void put_shape(fx_text *text, const fx_buffer_info *b)
{
    fx__text_append(text, "%s[", fx_dtype_name(b->dtype));
    for (int32_t d = 0; d < b->rank; d++) fx__text_append(text, "%s%lld", d ? ", " : "", (long long)b->dim[d]);
    fx__text_append(text, "]");
}

static void put_buffer(const printer *p, const fx_buffer_info *b)
{
    char life[32] = "-";
    if (b->first >= 0) snprintf(life, sizeof life, "%d-%d", (int)b->first, (int)b->last);
    if (b->offset >= 0)
        fx__text_append(p->text, "  %-9s %11lld", b->kind, (long long)b->offset);
    else
        fx__text_append(p->text, "  %-9s %11s", b->kind, "-");
    fx__text_append(p->text, " %11lld  %-9s %%%s ", (long long)b->bytes, life, b->name);
    put_shape(p->text, b);
    if (b->parent >= 0) fx__text_append(p->text, ", a slice of %%%s", p->e->buffer[b->parent].name);
    if (b->reuses >= 0) fx__text_append(p->text, ", where %%%s was", p->e->buffer[b->reuses].name);
    fx__text_append(p->text, "\n");
}

static void put_memory(const printer *p)
{
    static const char *const kinds[] = {"input", "output", "state", "workspace", "const"};
    char scratch[24];
    fx__text_append(p->text, "\nMemory; scratch of one thread %s, in the workspace\n  %-9s %11s %11s  %-9s %s\n",
                    bytes_text(scratch, p->e->scratch_bytes), "kind", "offset", "bytes", "units", "buffer");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int32_t i = 0; i < p->e->n_buffer; i++)
            if (strcmp(p->e->buffer[i].kind, kinds[k]) == 0 && fx__explain_wants_buffer(p->e, p->filter, i))
                put_buffer(p, &p->e->buffer[i]);
}

/* ---- Precision, and nodes without a unit ------------------------------------------------------------------------------------------ */

static void put_allowance(const printer *p, const fx_allowance *one)
{
    const fx_unit *u = one->unit >= 0 ? &p->e->unit[one->unit] : NULL;
    if (u && u->kernel >= 0)
        fx__text_append(p->text, "  unit %d, %s: %s:", (int)u->index, p->e->kernel[u->kernel].name, one->what);
    else if (u)
        fx__text_append(p->text, "  unit %d: %s:", (int)u->index, one->what);
    else
        fx__text_append(p->text, "  a constant: %s:", one->what);
    for (int32_t i = 0; i < one->n_nodes; i++) fx__text_append(p->text, "%s %%%s", i ? "," : "", one->nodes[i]);
    fx__text_append(p->text, "\n");
}

static void put_precision(const printer *p)
{
    bool any = false;
    fx__text_append(p->text, "\nPrecision %s allowed\n", p->e->precision);
    for (int32_t i = 0; i < p->e->n_allowance; i++) {
        if (!fx__explain_wants_allowance(p->e, p->filter, i)) continue;
        put_allowance(p, &p->e->allowance[i]);
        any = true;
    }
    if (!any) fx__text_append(p->text, "  nothing: every node rounds for itself\n");
}

static void put_elsewhere(const printer *p)
{
    fx__text_append(p->text, "\nNodes that no unit computes\n");
    for (int32_t i = 0; i < p->e->n_elsewhere; i++) {
        const fx_node *node = p->e->elsewhere[i].node;
        if (!fx__explain_wants_node(p->e, p->filter, node)) continue;
        fx__text_append(p->text, "  %%%s: %s", node->name, p->e->elsewhere[i].what);
        if (node->opcode == FX_CALL_FUNCTION) fx__text_append(p->text, ", %s", node->op ? fx_op_name(node->op) : node->target);
        put_place(p->text, &node->loc);
        fx__text_append(p->text, "\n");
    }
}

char *fx_explanation_to_string(const fx_explanation *e, const fx_explain_filter *filter)
{
    fx_text text;
    fx__text_init(&text, fx__arena_context(e->memory));
    uint32_t parts = filter && filter->parts ? filter->parts : UINT32_MAX;
    printer p = {.text = &text, .e = e, .filter = filter, .scale = scale_of(e), .chosen = filter && (filter->node || filter->kernel)};
    put_head(&p);
    if (parts & FX_EXPLAIN_UNITS) put_units(&p, false);
    if (parts & FX_EXPLAIN_UNITS) put_units(&p, true);
    if (parts & FX_EXPLAIN_KERNELS) put_kernels(&p);
    if (parts & FX_EXPLAIN_PAIRS) put_pairs(&p);
    if (parts & FX_EXPLAIN_FALLBACKS) put_fallbacks(&p);
    if (parts & FX_EXPLAIN_COPIES) put_copies(&p);
    if (parts & FX_EXPLAIN_MEMORY) put_memory(&p);
    if (parts & FX_EXPLAIN_PRECISION) put_precision(&p);
    if (parts & FX_EXPLAIN_NODES) put_elsewhere(&p);
    return fx__text_finish(&text);
}
