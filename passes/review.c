/* SPDX-License-Identifier: Apache-2.0 */
/* passes/review.c: what looks wrong or wasteful in a graph (fx_graph_review). A rule per function; rules read the graph, or a copy
 * that a pass has changed. */
#include "fxjit/analysis.h"
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

enum { FAN_OUT = 32 };

struct fx_review {
    fx_arena *arena;
    fx_finding *findings;
    int32_t n, capacity;
};

static fx_status add(fx_review *r, fx_severity severity, const char *rule, const fx_node *node, const char *text)
{
    fx_finding *findings = fx__arena_grow(r->arena, r->findings, &r->capacity, r->n, sizeof *findings);
    if (!findings || !text) return FX_E_OOM;
    r->findings = findings;
    findings[r->n++] = (fx_finding){severity, rule, node, text};
    return FX_OK;
}

/* ---- Form ------------------------------------------------------------------------------------------------------------------ */

static fx_status take_diagnostics(fx_review *r, fx_context *context, int32_t from)
{
    for (int32_t i = from; i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        const char *text = fx_context_diag(context, i, &severity);
        if (severity == FX_ERROR) FX_TRY(add(r, severity, "ill-formed", NULL, fx__arena_copy(r->arena, text, strlen(text))));
    }
    return FX_OK;
}

static fx_status review_form(fx_review *r, const fx_graph *graph)
{
    fx_diag_mark mark = fx__diag_mark(graph->context);
    fx_status status = fx_graph_lint(graph);
    if (status == FX_E_OOM) return status;
    status = take_diagnostics(r, graph->context, mark.n);
    fx__diag_rewind(graph->context, mark);
    return status;
}

static fx_status review_edges(fx_review *r, const fx_graph *graph)
{
    bool has_input = false;
    FX_EACH_NODE(node, graph) has_input |= node->opcode == FX_PLACEHOLDER;
    if (!fx_graph_output_node(graph)) FX_TRY(add(r, FX_ERROR, "no-output", NULL, "the graph has no output"));
    return has_input ? FX_OK : add(r, FX_WARNING, "no-input", NULL, "the graph has no input: its results are constants");
}

static fx_status review_uses(fx_review *r, const fx_node *node, int32_t fan_out)
{
    if (node->n_users >= fan_out)
        return add(r, FX_WARNING, "fan-out", node, fx__arena_format(r->arena, "%d nodes use it", (int)node->n_users));
    if (node->n_users || node->opcode == FX_OUTPUT) return FX_OK;
    if (node->opcode == FX_PLACEHOLDER) return add(r, FX_NOTE, "unused-input", node, "nothing uses this input");
    return fx_node_is_impure(node) ? FX_OK : add(r, FX_WARNING, "dead-code", node, "nothing uses its result: dce removes it");
}

/* ---- Waste ----------------------------------------------------------------------------------------------------------------- */

static bool is_any(const fx_node *node, const fx_op_code *codes, size_t n)
{
    const fx_op *op = fx__op_of(node);
    for (size_t i = 0; i < n && op; i++)
        if (op == fx__op(codes[i])) return true;
    return false;
}
#define IS_ANY(node, ...)                                                                                                          \
    is_any((node), (const fx_op_code[]){__VA_ARGS__}, sizeof((const fx_op_code[]){__VA_ARGS__}) / sizeof(fx_op_code))

static bool is_transpose(const fx_node *node)
{
    return IS_ANY(node, FX_OP_transpose, FX_OP_t, FX_OP_permute);
}

static bool is_renumbering(const fx_node *node)
{
    return IS_ANY(node, FX_OP_view, FX_OP_reshape, FX_OP_flatten, FX_OP_unflatten, FX_OP_squeeze, FX_OP_unsqueeze);
}

static bool is_involution(const fx_node *node)
{
    return IS_ANY(node, FX_OP_neg, FX_OP_logical_not, FX_OP_bitwise_not, FX_OP_reciprocal);
}

static bool is_idempotent(const fx_node *node)
{
    return IS_ANY(node, FX_OP_relu, FX_OP_relu6, FX_OP_abs, FX_OP_floor, FX_OP_ceil, FX_OP_trunc, FX_OP_sign);
}

/* Calls whose only effect can be on dtype, shape or memory. */
static bool is_conversion(const fx_node *node)
{
    return is_renumbering(node) || IS_ANY(node, FX_OP__to_copy, FX_OP_expand, FX_OP_contiguous, FX_OP_clone, FX_OP_alias);
}

static const fx_node *first_input(const fx_node *node)
{
    const fx_attr *first = node->args.n ? fx__arg(node, 0) : NULL;
    return first && first->kind == FX_ATTR_NODE ? first->u.node : NULL;
}

/* Rules about a call and the call before it. */
static fx_status review_pair(fx_review *r, const fx_node *node, const fx_node *before)
{
    bool same = fx__op_of(node) == fx__op_of(before);
    if (is_transpose(node) && is_transpose(before))
        return add(r, FX_WARNING, "double-transpose", node,
                   fx__arena_format(r->arena, "it transposes what %s transposed", before->name));
    if (same && is_involution(node))
        return add(r, FX_WARNING, "double-negation", node, fx__arena_format(r->arena, "it undoes %s", before->name));
    if (same && is_idempotent(node))
        return add(r, FX_WARNING, "repeated", node, fx__arena_format(r->arena, "%s did the same before", before->name));
    if (is_renumbering(node) && is_renumbering(before))
        return add(r, FX_NOTE, "view-chain", node, fx__arena_format(r->arena, "it and %s are one reshape", before->name));
    if (same && IS_ANY(node, FX_OP__to_copy))
        return add(r, FX_NOTE, "cast-chain", node, fx__arena_format(r->arena, "it casts what %s cast", before->name));
    return FX_OK;
}

static fx_status review_call(fx_review *r, const fx_node *node)
{
    const fx_node *before = first_input(node);
    if (!fx__op_of(node) || !before) return FX_OK;
    if (is_conversion(node) && fx__core_same_type(node, before))
        return add(r, FX_NOTE, "no-op", node, fx__arena_format(r->arena, "its result is %s", before->name));
    if (fx__core_is_constant(node)) return add(r, FX_NOTE, "constant", node, "it depends on constants only");
    return fx__op_of(before) ? review_pair(r, node, before) : FX_OK;
}

/* Nodes that cse takes out of a copy. */
static fx_status review_duplicates(fx_review *r, const fx_graph *graph)
{
    bool modified;
    fx_graph *copy = fx_graph_clone(graph);
    fx_status status = copy ? fx__pass_cse(copy, NULL, &modified) : fx__diag_failure(graph->context, FX_E_OOM);
    const fx_node *left = copy ? copy->first : NULL;
    FX_EACH_NODE(node, graph)
    {
        if (status != FX_OK) break;
        if (left && left->name == node->name)
            left = left->next;
        else
            status = add(r, FX_NOTE, "duplicate", node, "an earlier node computes the same: cse merges them");
    }
    fx_graph_free(copy);
    return status;
}

/* ---- All ------------------------------------------------------------------------------------------------------------------- */

static fx_status review_all(fx_review *r, const fx_graph *graph, int32_t fan_out)
{
    FX_TRY(review_form(r, graph));
    bool well_formed = r->n == 0;
    FX_TRY(review_edges(r, graph));
    FX_EACH_NODE(node, graph)
    {
        FX_TRY(review_uses(r, node, fan_out > 0 ? fan_out : FAN_OUT));
        if (well_formed) FX_TRY(review_call(r, node));
    }
    return well_formed ? review_duplicates(r, graph) : FX_OK;
}

/* Errors, warnings, notes; the order within each stays. */
static bool sort_findings(fx_review *r)
{
    fx_finding *sorted = FX_NEW_ARRAY(r->arena, fx_finding, r->n + 1);
    int32_t n = 0;
    for (int severity = FX_ERROR; sorted && severity >= FX_NOTE; severity--)
        for (int32_t i = 0; i < r->n; i++)
            if ((int)r->findings[i].severity == severity) sorted[n++] = r->findings[i];
    if (sorted) r->findings = sorted;
    return sorted != NULL;
}

fx_status fx_graph_review(const fx_graph *graph, int32_t fan_out, fx_review **out)
{
    fx_arena *arena = fx__arena_new(graph->context);
    fx_review *review = arena ? FX_NEW(arena, fx_review) : NULL;
    fx_status status = FX_E_OOM;
    *out = NULL;
    if (review) {
        review->arena = arena;
        status = review_all(review, graph, fan_out);
    }
    if (status == FX_OK && !sort_findings(review)) status = FX_E_OOM;
    if (status == FX_OK)
        *out = review;
    else
        fx__arena_free(arena);
    return status;
}

int32_t fx_review_count(const fx_review *review)
{
    return review->n;
}

const fx_finding *fx_review_get(const fx_review *review, int32_t index)
{
    return index >= 0 && index < review->n ? &review->findings[index] : NULL;
}

void fx_review_free(fx_review *review)
{
    if (review) fx__arena_free(review->arena);
}

char *fx_review_to_string(const fx_review *review)
{
    static const char *const words[] = {"note", "warning", "error"};
    fx_text text;
    fx__text_init(&text, fx__arena_context(review->arena));
    for (int32_t i = 0; i < review->n; i++) {
        const fx_finding *it = &review->findings[i];
        fx__text_append(&text, "%s: ", words[it->severity]);
        if (it->node) fx__text_append(&text, "%%%s: ", it->node->name);
        fx__text_append(&text, "%s [%s]\n", it->text, it->rule);
    }
    return fx__text_finish(&text);
}
