/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_product.c: products with a constant, transposed matrix become `linear`, whose weights lie row by row as the stored
 * parameter does, and a bias added to a `linear` without one becomes its bias. */
#include "passes/rule.h"

static int32_t rank_of(const fx_node *node)
{
    const fx_type *type = node ? fx_node_type(node, 0) : NULL;
    return type ? type->rank : -1;
}

/* permute(w, [1, 0]) of a constant matrix w. */
static bool is_transposed_weight(const fx_node *node)
{
    const fx_node *w = node ? fx__rule_node(node, 0) : NULL;
    const fx_attr *order = node ? fx__arg(node, 1) : NULL;
    if (rank_of(w) != 2 || !fx__core_is_constant(w) || order->n != 2) return false;
    return order->u.items[0].kind == FX_ATTR_INT && (order->u.items[0].u.i == 1 || order->u.items[0].u.i == -1);
}

static bool is_one(const fx_attr *value)
{
    return (value->kind == FX_ATTR_INT && value->u.i == 1) || (value->kind == FX_ATTR_FLOAT && value->u.f == 1.0);
}

static bool is_product(void *user, const fx_match *match)
{
    (void)user;
    return rank_of(fx__rule_node(match->anchor, 0)) >= 2 && is_transposed_weight(fx__rule_node(match->anchor, 1));
}

/* addmm(b, x, w^T), neither scaled, with a bias per column. */
static bool is_biased_product(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *node = match->anchor, *bias = fx__rule_node(node, 0);
    if (rank_of(bias) != 1 || !is_transposed_weight(fx__rule_node(node, 2))) return false;
    if (!is_one(fx__arg(node, 3)) || !is_one(fx__arg(node, 4))) return false;
    const fx_type *type = fx_node_type(node, 0);
    return type && fx_node_type(bias, 0)->dim[0] == type->dim[1];
}

/* add(linear(x, w), b): b is one value per output feature. */
static bool is_bias(const fx_node *linear, const fx_node *bias)
{
    if (!linear || !bias || fx__arg(linear, 2)->kind != FX_ATTR_NONE) return false;
    const fx_type *type = fx_node_type(linear, 0), *other = fx_node_type(bias, 0);
    if (!type || !other || other->rank != 1 || type->rank < 1 || other->dtype != type->dtype) return false;
    return fx__core_is_constant(bias) && other->dim[0] == type->dim[type->rank - 1];
}

static bool adds_bias(void *user, const fx_match *match)
{
    (void)user;
    if (!is_one(fx__arg(match->anchor, 2))) return false;
    return is_bias(fx_match_node(match, "linear_default"), fx_match_node(match, "b"));
}

static const fx_rule rules[] = {
    {"addmm(b, x, permute(w, [0]))", "linear(x, w, b)", is_biased_product, NULL, NULL},
    {"mm(x, permute(w, [0]))", "linear(x, w)", is_product, NULL, NULL},
    {"matmul(x, permute(w, [0]))", "linear(x, w)", is_product, NULL, NULL},
    {"add(linear(x, w, None), b)", "linear(x, w, b)", adds_bias, NULL, NULL},
};

static const char rounding[] = "a product with a transposed weight, and its bias, are computed as one linear layer";

fx_status fx__rewrite_products(fx_graph *graph, bool *out_modified)
{
    return fx__rules_apply(graph, rules, (int32_t)(sizeof rules / sizeof rules[0]), rounding, out_modified);
}
