/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    makes products of matrices with one and the same right-hand side, none of which needs another one's result, a single
 *          product: the left-hand sides are stacked, the result is cut into their rows.
 * Needs:   a core graph with types.
 * Ensures: equal values, bit for bit under the reference kernels, as rows do not see each other. Rows are constants.
 * Cost:    linear per right-hand side with more than one product. */
#include "passes/core.h"
#include "passes/pass.h"

enum { GROUP = 64 };

typedef struct group {
    fx_node *node[GROUP];
    int32_t n;
    fx_map follows; /* nodes that need one of these */
} group;

static const fx_type *matrix_type(const fx_attr *value)
{
    const fx_type *type = value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
    bool good = type && type->rank == 2 && fx_dim_is_const(type->dim[0]) && fx_dim_is_const(type->dim[1]);
    return good ? type : NULL;
}

static bool is_product(const fx_node *node)
{
    if (!fx__op_is(node, FX_OP_mm) && !fx__op_is(node, FX_OP_matmul) && !fx__op_is(node, FX_OP_linear)) return false;
    return matrix_type(fx__arg(node, 0)) && matrix_type(fx__arg(node, 1));
}

/* All but the left-hand side is the same. */
static bool is_partner(const fx_node *a, const fx_node *b)
{
    if (a->op != b->op || matrix_type(fx__arg(a, 0))->dtype != matrix_type(fx__arg(b, 0))->dtype) return false;
    for (int32_t i = 1; i < a->args.n; i++)
        if (!fx_attr_equal(fx__arg(a, i), fx__arg(b, i))) return false;
    return true;
}

static bool note_followers(group *g, fx_node *node)
{
    bool follows = false;
    for (int32_t i = 0; i < node->n_inputs; i++) follows |= fx__map_get(&g->follows, node->inputs[i]) != NULL;
    return !follows || fx__map_put(&g->follows, node, node);
}

/* The products that can be one with this one: later ones that need none of them. */
static bool collect(group *g, fx_node *first, fx_arena *scratch)
{
    fx__map_init(&g->follows, scratch);
    g->n = 1;
    g->node[0] = first;
    if (!fx__map_put(&g->follows, first, first)) return false;
    for (fx_node *node = first->next; node; node = node->next) {
        if (!note_followers(g, node)) return false;
        if (g->n == GROUP || !is_product(node) || !is_partner(first, node) || fx__map_get(&g->follows, node)) continue;
        g->node[g->n++] = node;
        if (!fx__map_put(&g->follows, node, node)) return false;
    }
    return true;
}

static fx_node *make_product(const group *g)
{
    fx_attr rows[GROUP], args[FX_PARAMS];
    fx_node *last = g->node[g->n - 1];
    for (int32_t i = 0; i < g->n; i++) rows[i] = *fx__arg(g->node[i], 0);
    const fx_attr cat_args[] = {fx_list(last->graph, rows, g->n), fx_int(0)};
    fx_node *cat = cat_args[0].kind == FX_ATTR_LIST ? fx__core_call(last, "cat", cat_args, 2) : NULL;
    for (int32_t i = 0; i < last->args.n && i < FX_PARAMS; i++) args[i] = *fx__arg(last, i);
    args[0] = fx_node_attr(cat);
    return cat ? fx__core_call(last, last->op->target, args, last->args.n) : NULL;
}

/* Users of the first products may stand before the last one, so the order is put right at the end. */
static fx_status merge(const group *g)
{
    fx_graph *graph = g->node[0]->graph;
    fx_node *last = g->node[g->n - 1], *product = make_product(g);
    int64_t start = 0;
    for (int32_t i = 0; product && i < g->n; i++) {
        int64_t end = start + matrix_type(fx__arg(g->node[i], 0))->dim[0];
        const fx_attr args[] = {fx_node_attr(product), fx_int(0), fx_int(start), fx_int(end)};
        fx_node *rows = fx__core_call(last, "slice", args, 4);
        if (!rows || fx_node_replace_all_uses(g->node[i], rows) < 0) return fx__diag_failure(graph->context, FX_E_GRAPH);
        start = end;
    }
    if (!product) return fx__diag_failure(graph->context, FX_E_GRAPH);
    for (int32_t i = 0; i < g->n; i++) FX_TRY(fx_graph_erase(graph, g->node[i]));
    return fx_graph_legalize(graph);
}

static fx_status merge_all(fx_graph *graph, fx_arena *scratch, bool *out_modified)
{
    group g;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode != FX_CALL_FUNCTION || !is_product(node)) continue;
        if (!collect(&g, node, scratch)) return FX_E_OOM;
        if (g.n == 1) continue;
        FX_TRY(merge(&g));
        *out_modified = true;
        next = graph->first; /* the order has changed */
    }
    return FX_OK;
}

fx_status fx__pass_merge_matmul(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    fx_arena *scratch = fx__arena_new(graph->context);
    if (!scratch) return FX_E_OOM;
    fx_status status = merge_all(graph, scratch, out_modified);
    fx__arena_free(scratch);
    return status;
}
