/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rule.c: reads the expressions of passes/rule.h into pattern graphs and hands them to fx_graph_rewrite. */
#include "passes/rule.h"
#include "passes/match.h"
#include "ir/fx_lex.h"
#include <string.h>

enum { RULE_DEPTH = 12, RULE_ARGS = 16, RULE_TEXT = 256 };

static bool read_value(fx_reader *r, fx_graph *graph, int depth, fx_attr *out);

static fx_node *find_placeholder(const fx_graph *graph, const char *name)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode == FX_PLACEHOLDER && strcmp(node->target, name) == 0) return node;
    return NULL;
}

static bool read_placeholder(fx_graph *graph, const char *name, fx_attr *out)
{
    fx_node *node = find_placeholder(graph, name);
    if (!node) node = fx_graph_placeholder(graph, name, NULL);
    *out = fx_node_attr(node);
    return node != NULL;
}

/* Values up to the closing mark. */
static int read_values(fx_reader *r, fx_graph *graph, const char *close, int depth, fx_attr *values)
{
    int n = 0;
    while (!fx__lex_accept(r, close)) {
        if (n == RULE_ARGS || (n && !fx__lex_expect(r, ","))) return -1;
        if (!read_value(r, graph, depth + 1, &values[n++])) return -1;
    }
    return n;
}

static bool read_call(fx_reader *r, fx_graph *graph, const char *name, int depth, fx_attr *out)
{
    fx_attr args[RULE_ARGS];
    const fx_op *op = fx__op_find(name);
    int n = op ? read_values(r, graph, ")", depth, args) : -1;
    fx_node *node = n < 0 ? NULL : fx_graph_call(graph, op->target, args, n);
    *out = fx_node_attr(node);
    return node || fx__lex_error(r, "in the call of %s", name);
}

static bool read_value(fx_reader *r, fx_graph *graph, int depth, fx_attr *out)
{
    fx_attr items[RULE_ARGS];
    if (depth > RULE_DEPTH) return fx__lex_error(r, "nested too deep");
    if (fx__lex_accept(r, "[")) {
        int n = read_values(r, graph, "]", depth, items);
        *out = n < 0 ? fx_none() : fx_list(graph, items, n);
        return n >= 0;
    }
    if (!fx__lex_peek_word(r)) return fx__lex_number(r, out);
    if (fx__lex_accept_word(r, "None")) return *out = fx_none(), true;
    if (fx__lex_accept_word(r, "True")) return *out = fx_bool(true), true;
    if (fx__lex_accept_word(r, "False")) return *out = fx_bool(false), true;
    const char *name = fx__lex_word(r);
    if (!name) return false;
    return fx__lex_accept(r, "(") ? read_call(r, graph, name, depth, out) : read_placeholder(graph, name, out);
}

/* The same placeholders in the same order: replacements are matched up by position. */
static bool copy_placeholders(fx_graph *graph, const fx_graph *pattern)
{
    FX_EACH_NODE(node, pattern)
    if (node->opcode == FX_PLACEHOLDER && !fx_graph_placeholder(graph, node->target, NULL)) return false;
    return true;
}

static fx_graph *read_rule(fx_context *context, fx_arena *arena, const char *text, const fx_graph *pattern)
{
    fx_reader r = {.context = context, .arena = arena, .name = text, .at = text, .end = text + strlen(text), .line = 1};
    fx_graph *graph = fx_graph_new(context);
    fx_attr value;
    bool good = graph && (!pattern || copy_placeholders(graph, pattern)) && read_value(&r, graph, 0, &value);
    if (good && fx__lex_ended(&r) && fx_graph_output(graph, value)) return graph;
    fx_graph_free(graph);
    return NULL;
}

static fx_status apply(fx_graph *graph, fx_arena *arena, const fx_rule *rule, const char *text, bool exact, const char *rounding,
                       bool *out_modified)
{
    fx_graph *pattern = read_rule(graph->context, arena, text, NULL), *replacement = NULL;
    if (!pattern) return fx__diag_failure(graph->context, FX_E_INTERNAL);
    if (rule->replacement && !(replacement = read_rule(graph->context, arena, rule->replacement, pattern))) {
        fx_graph_free(pattern);
        return fx__diag_failure(graph->context, FX_E_INTERNAL);
    }
    fx_rewrite rewrite = {.name = text, .pattern = pattern, .replacement = replacement, .filter = rule->filter, .build = rule->build,
                          .ignore_literals = !exact, .round_literals = exact};
    int32_t count = 0;
    fx_status status = fx__graph_rewrite(graph, &rewrite, rounding, &count);
    *out_modified |= count > 0;
    fx_graph_free(pattern);
    fx_graph_free(replacement);
    return status;
}

/* The row that a pattern's outermost call names. */
static const fx_op *root_of(const char *text)
{
    char name[64];
    size_t length = strcspn(text, "(");
    if (length >= sizeof name) return NULL;
    memcpy(name, text, length);
    name[length] = 0;
    return fx__op_find(name);
}

static bool graph_has(const fx_graph *graph, const fx_op *op)
{
    FX_EACH_NODE(node, graph)
    if (node->op == op) return true;
    return false;
}

static fx_status apply_rule(fx_graph *graph, const fx_rule *rule, bool exact, const char *rounding, bool *out_modified)
{
    char text[RULE_TEXT];
    FX_TRY(fx__tick(graph->context));
    const char *hole = strstr(rule->pattern, "%s");
    size_t before = hole ? (size_t)(hole - rule->pattern) : strlen(rule->pattern);
    snprintf(text, sizeof text, "%.*s%s%s", (int)before, rule->pattern, hole ? rule->inner : "", hole ? hole + 2 : "");
    const fx_op *root = root_of(text);
    if (root && !graph_has(graph, root)) return FX_OK; /* most rules have nothing to do in most graphs */
    fx_arena *arena = fx__arena_new(graph->context);
    if (!arena) return FX_E_OOM;
    fx_status status = apply(graph, arena, rule, text, exact, rounding, out_modified);
    fx__arena_free(arena);
    return status;
}

fx_status fx__rule_apply(fx_graph *graph, const fx_rule *rule, const char *rounding, bool *out_modified)
{
    return apply_rule(graph, rule, false, rounding, out_modified);
}

fx_status fx__rule_apply_exact(fx_graph *graph, const fx_rule *rule, const char *rounding, bool *out_modified)
{
    return apply_rule(graph, rule, true, rounding, out_modified);
}

fx_status fx__rules_apply(fx_graph *graph, const fx_rule *rules, int32_t n, const char *rounding, bool *out_modified)
{
    for (int32_t i = 0; i < n; i++) FX_TRY(fx__rule_apply(graph, &rules[i], rounding, out_modified));
    return FX_OK;
}
