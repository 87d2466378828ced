/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_view.c: rules on views: those that change nothing go, transpositions become permutations, permutations of
 * permutations one permutation, renumberings of renumberings one reshape. */
#include "passes/rule.h"
#include <string.h>

static bool keeps_type(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *input = fx__rule_node(match->anchor, 0);
    return input && fx__core_same_type(match->anchor, input);
}

/* ---- Permutations ------------------------------------------------------------------------------------------------------ */

/* The permutation of a permute node, without negative entries; false: not constant. */
static bool read_permutation(const fx_node *node, int64_t out[FX_RANK])
{
    const fx_attr *list = fx__arg(node, 1);
    const fx_type *type = fx_node_type(node, 0);
    if (!type || list->n != type->rank) return false;
    for (int32_t i = 0; i < list->n; i++) {
        if (list->u.items[i].kind != FX_ATTR_INT) return false;
        out[i] = list->u.items[i].u.i + (list->u.items[i].u.i < 0 ? type->rank : 0);
        if (out[i] < 0 || out[i] >= type->rank) return false;
    }
    return true;
}

static bool is_identity(void *user, const fx_match *match)
{
    (void)user;
    int64_t permutation[FX_RANK];
    if (!read_permutation(match->anchor, permutation)) return false;
    for (int32_t i = 0; i < fx__arg(match->anchor, 1)->n; i++)
        if (permutation[i] != i) return false;
    return true;
}

static fx_node *make_permute(fx_node *before, fx_node *x, const int64_t *permutation, int32_t rank)
{
    const fx_attr args[] = {fx_node_attr(x), fx_ints(before->graph, permutation, rank)};
    return fx__core_call(before, "permute", args, 2);
}

static fx_node *compose_permutes(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    (void)graph;
    fx_node *outer = match->anchor, *inner = fx__rule_node(outer, 0), *x = fx__rule_node(inner, 0);
    int64_t a[FX_RANK], b[FX_RANK], both[FX_RANK];
    if (!x || !read_permutation(inner, a) || !read_permutation(outer, b)) return NULL;
    int32_t rank = fx__arg(outer, 1)->n;
    for (int32_t i = 0; i < rank; i++) both[i] = a[b[i]];
    return make_permute(outer, x, both, rank);
}

/* transpose(x, d0, d1) and t(x). */
static fx_node *transpose_to_permute(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    (void)graph;
    fx_node *node = match->anchor, *x = fx__rule_node(node, 0);
    const fx_type *type = fx_node_type(node, 0);
    if (!x || !type || type->rank == 0) return x && type ? x : NULL;
    bool has_dims = node->args.n == 3;
    int64_t d0 = has_dims ? fx__arg(node, 1)->u.i : 0, d1 = has_dims ? fx__arg(node, 2)->u.i : type->rank - 1, permutation[FX_RANK];
    d0 += d0 < 0 ? type->rank : 0;
    d1 += d1 < 0 ? type->rank : 0;
    if (d0 < 0 || d1 < 0 || d0 >= type->rank || d1 >= type->rank) return NULL;
    for (int32_t i = 0; i < type->rank; i++) permutation[i] = i == d0 ? d1 : i == d1 ? d0 : i;
    return make_permute(node, x, permutation, type->rank);
}

/* ---- Renumberings ------------------------------------------------------------------------------------------------------ */

static bool is_static(const fx_type *type)
{
    for (int32_t d = 0; d < type->rank; d++)
        if (!fx_dim_is_const(type->dim[d])) return false;
    return true;
}

/* A shape given to the outer view means the same for the inner one's input; other outer views need their result's static shape. */
static fx_node *merge_views(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    fx_node *outer = match->anchor, *x = fx__rule_node(fx__rule_node(outer, 0), 0);
    const fx_type *type = fx_node_type(outer, 0);
    bool has_shape = strcmp(outer->op->name, "view") == 0 || strcmp(outer->op->name, "reshape") == 0;
    if (!x || !type || (!has_shape && !is_static(type))) return NULL;
    const fx_attr args[] = {fx_node_attr(x), is_static(type) ? fx__core_dims(graph, type) : *fx__arg(outer, 1)};
    return fx__core_call(outer, "reshape", args, 2);
}

static const fx_rule rules[] = {
    {"view(x, [0])", "x", keeps_type, NULL, NULL},
    {"reshape(x, [0])", "x", keeps_type, NULL, NULL},
    {"flatten(x)", "x", keeps_type, NULL, NULL},
    {"unflatten(x, 0, [0])", "x", keeps_type, NULL, NULL},
    {"squeeze(x)", "x", keeps_type, NULL, NULL},
    {"expand(x, [0])", "x", keeps_type, NULL, NULL},
    {"slice(x)", "x", keeps_type, NULL, NULL},
    {"narrow(x, 0, 0, 0)", "x", keeps_type, NULL, NULL},
    {"transpose(x, 0, 1)", NULL, NULL, transpose_to_permute, NULL},
    {"t(x)", NULL, NULL, transpose_to_permute, NULL},
    {"permute(permute(x, [0]), [0])", NULL, NULL, compose_permutes, NULL},
    {"permute(x, [0])", "x", is_identity, NULL, NULL},
};

/* Views that keep the row-major number of every element. */
static const char *const inner_views[] = {"view(x, [0])",         "reshape(x, [0])", "flatten(x)",
                                          "unflatten(x, 0, [0])", "squeeze(x)",      "unsqueeze(x, 0)"};
static const char *const outer_views[] = {"view(%s, [0])",         "reshape(%s, [0])", "flatten(%s)",
                                          "unflatten(%s, 0, [0])", "squeeze(%s)",      "unsqueeze(%s, 0)"};

fx_status fx__rewrite_views(fx_graph *graph, bool *out_modified)
{
    FX_TRY(fx__rules_apply(graph, rules, (int32_t)(sizeof rules / sizeof rules[0]), NULL, out_modified));
    for (size_t i = 0; i < sizeof outer_views / sizeof outer_views[0]; i++)
        for (size_t k = 0; k < sizeof inner_views / sizeof inner_views[0]; k++) {
            fx_rule rule = {.pattern = outer_views[i], .build = merge_views, .inner = inner_views[k]};
            FX_TRY(fx__rule_apply(graph, &rule, NULL, out_modified));
        }
    return FX_OK;
}
