/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rule.h: rewrites written as expressions, "relu(relu(x))" to "relu(x)": names before a parenthesis are rows of the operator
 * table, other names stand for any value, constants for any constant, or, in exact rules, for numbers that are equal in single
 * precision. Arguments left out have their defaults. */
#ifndef FX_PASSES_RULE_H
#define FX_PASSES_RULE_H

#include "passes/core.h"
#include "passes/pass.h"

typedef struct fx_rule {
    const char *pattern, *replacement; /* replacement NULL: build */
    fx_match_filter filter;            /* may be NULL */
    fx_match_build build;
    const char *inner; /* NULL, or an expression that stands for "%s" in the pattern */
} fx_rule;

/* Applies one rule to the whole graph. rounding: a sentence, when what it makes may round otherwise than what was there; such rules belong
 * to the pass `rewrite` alone (passes/rounding.h). NULL: results stay what they were, bit for bit. */
fx_status fx__rule_apply(fx_graph *graph, const fx_rule *rule, const char *rounding, bool *out_modified);
fx_status fx__rules_apply(fx_graph *graph, const fx_rule *rules, int32_t n, const char *rounding, bool *out_modified);
/* The same for a rule whose constants are compared. */
fx_status fx__rule_apply_exact(fx_graph *graph, const fx_rule *rule, const char *rounding, bool *out_modified);

/* ---- For filters and builders: argument `index` of the matched anchor or of any node of a core graph. ---- */
static inline fx_node *fx__rule_node(const fx_node *node, int32_t index)
{
    const fx_attr *value = fx__arg(node, index);
    return value->kind == FX_ATTR_NODE ? value->u.node : NULL;
}

fx_status fx__rewrite_algebra(fx_graph *graph, bool *out_modified);     /* passes/rewrite_algebra.c */
fx_status fx__rewrite_casts(fx_graph *graph, bool *out_modified);       /* passes/rewrite.c */
fx_status fx__rewrite_layer_norms(fx_graph *graph, bool *out_modified); /* passes/rewrite_layer_norm.c */
fx_status fx__rewrite_scalars(fx_graph *graph, bool *out_modified);     /* passes/rewrite_scalar.c */
fx_status fx__rewrite_norms(fx_graph *graph, bool *out_modified);    /* passes/rewrite_norm.c */
fx_status fx__rewrite_products(fx_graph *graph, bool *out_modified); /* passes/rewrite_product.c */
fx_status fx__rewrite_spellings(fx_graph *graph, bool *out_modified); /* passes/rewrite_spelling.c */
fx_status fx__rewrite_views(fx_graph *graph, bool *out_modified);    /* passes/rewrite_view.c */

#endif
