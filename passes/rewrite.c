/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    simplifies the core graph by rules: calls that do nothing go, chains of views become one, products with transposed
 * weights become `linear`, constants of one element numbers, layer normalisation and activations written out one call, batch
 * normalisation goes into the weights before it. Needs:   a core graph with types. Ensures: types stay as they are. New arithmetic
 * is on constants only, as nodes: `fold` computes what is small, init steps the rest. Cost: rules times nodes; a rule whose
 * outermost operator is not in the graph costs one look at it. */
#include "passes/rule.h"

static bool is_eval(void *user, const fx_match *match)
{
    (void)user;
    const fx_attr *training = fx__arg(match->anchor, 2);
    return training->kind == FX_ATTR_BOOL && !training->u.i;
}

static bool keeps_type(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *input = fx__rule_node(match->anchor, 0);
    return input && fx__core_same_type(match->anchor, input);
}

/* f16 -> f32 -> f16: every value of the first dtype is one of the second. */
static bool widens_between(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *middle = fx__rule_node(match->anchor, 0), *first = middle ? fx__rule_node(middle, 0) : NULL;
    if (!first || !fx__core_same_type(match->anchor, first)) return false;
    const fx_type *narrow = fx_node_type(first, 0), *wide = fx_node_type(middle, 0);
    bool floats = (narrow->dtype == FX_F16 || narrow->dtype == FX_BF16) && wide && wide->dtype == FX_F32;
    return floats || (narrow->dtype == FX_F32 && wide && wide->dtype == FX_F64);
}

static const fx_rule rules[] = {
    {"dropout(x, 0.5, False)", "x", is_eval, NULL, NULL},
    {"functional_dropout(x)", "x", is_eval, NULL, NULL},
    {"alias(x)", "x", keeps_type, NULL, NULL},
    {"clone(x)", "x", keeps_type, NULL, NULL},
    {"contiguous(x)", "x", keeps_type, NULL, NULL},
    {"_to_copy(x)", "x", keeps_type, NULL, NULL},
    {"_to_copy(_to_copy(x))", "x", widens_between, NULL, NULL},
    {"relu(relu(x))", "relu(x)", NULL, NULL, NULL},
};

fx_status fx__rewrite_casts(fx_graph *graph, bool *out_modified)
{
    return fx__rules_apply(graph, rules, (int32_t)(sizeof rules / sizeof rules[0]), NULL, out_modified);
}

fx_status fx__pass_rewrite_exact(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    FX_TRY(fx__rewrite_casts(graph, out_modified));
    FX_TRY(fx__rewrite_scalars(graph, out_modified));
    FX_TRY(fx__rewrite_algebra(graph, out_modified));
    return fx__rewrite_views(graph, out_modified);
}

fx_status fx__pass_rewrite(fx_graph *graph, void *user, bool *out_modified)
{
    FX_TRY(fx__pass_rewrite_exact(graph, user, out_modified));
    FX_TRY(fx__rewrite_products(graph, out_modified));
    FX_TRY(fx__rewrite_layer_norms(graph, out_modified));
    FX_TRY(fx__rewrite_spellings(graph, out_modified));
    return fx__rewrite_norms(graph, out_modified);
}
