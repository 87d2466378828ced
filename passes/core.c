/* SPDX-License-Identifier: Apache-2.0 */
/* passes/core.c: what graph passes share: making nodes of a core graph, and asking about them. */
#include "passes/core.h"
#include "ir/in_place.h"
#include "passes/rounding.h"
#include <string.h>

static bool is_bound(const fx_node *node, const fx_attr *bound, int32_t n)
{
    if (node->kwargs.n || node->args.n != n) return false;
    for (int32_t i = 0; i < n; i++)
        if (!fx_attr_equal(&node->args.u.items[i], &bound[i])) return false;
    return true;
}

fx_status fx__core_bind(fx_node *node, bool *out_modified)
{
    fx_attr bound[FX_PARAMS];
    int32_t n = 0;
    fx__op_params(node->op, &n);
    FX_TRY(fx__op_bind(node->graph, node, node->op, bound));
    if (is_bound(node, bound, n)) return FX_OK;
    fx_attr args = fx_tuple(node->graph, bound, n);
    if (args.kind == FX_ATTR_NONE) return FX_E_OOM;
    if (out_modified) *out_modified = true;
    return fx_node_set_args(node, args, fx_none());
}

static bool inputs_are_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return true;
}

fx_status fx__core_settle(fx_node *node)
{
    if (node->opcode != FX_CALL_FUNCTION || !node->op) return FX_OK;
    if (node->graph->core) FX_TRY(fx__core_bind(node, NULL));
    return inputs_are_typed(node) ? fx__op_infer(node) : FX_OK;
}

fx_status fx__core_keep_module(fx_node *node, const fx_node *from)
{
    const fx_attr *path = fx_node_meta(from, "module_path");
    return path && !fx_node_meta(node, "module_path") ? fx_node_set_meta(node, "module_path", *path) : FX_OK;
}

fx_status fx__core_settle_range(fx_node *first, fx_node *end)
{
    for (fx_node *node = first; node && node != end; node = node->next) {
        if (!node->loc.file && end) fx_node_set_loc(node, end->loc);
        FX_TRY(fx__core_settle(node));
    }
    return FX_OK;
}

fx_node *fx__core_call(fx_node *before, const char *target, const fx_attr *args, int32_t n)
{
    fx_graph *graph = before->graph;
    const fx_op *op = fx__op_find(target);
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = op ? op->target : target, .loc = before->loc};
    spec.name = op ? op->name : NULL;
    spec.args = fx_tuple(graph, args, n);
    if (spec.args.kind == FX_ATTR_NONE) return NULL;
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *node = fx_graph_create_node(graph, &spec);
    fx_graph_set_point(graph, point);
    return node && fx__core_keep_module(node, before) == FX_OK && fx__core_settle(node) == FX_OK ? node : NULL;
}

fx_status fx__core_replace(fx_node *node, fx_node *with)
{
    FX_TRY(fx__rounding_inherit(with, node));
    if (fx_node_replace_all_uses(node, with) < 0) return FX_E_GRAPH;
    return fx_graph_erase(node->graph, node);
}

struct giving {
    const fx_node *node;
    const fx_attr *value;
};

static fx_attr give(void *user, const fx_attr *value)
{
    const struct giving *g = user;
    return value->kind == FX_ATTR_NODE && value->u.node == g->node ? *g->value : *value;
}

/* The item that a getitem node takes from a value; NULL: it is no such node, or takes something else. */
static const fx_attr *item_taken(const fx_node *user, const fx_node *node, const fx_attr *value)
{
    bool is_getitem = user->opcode == FX_CALL_FUNCTION && strcmp(user->target, "operator.getitem") == 0 && user->args.n == 2;
    if (!is_getitem || fx__arg(user, 0)->kind != FX_ATTR_NODE || fx__arg(user, 0)->u.node != node) return NULL;
    const fx_attr *index = fx__arg(user, 1);
    if (value->kind == FX_ATTR_DICT && index->kind == FX_ATTR_STR) {
        for (int32_t i = 0; i < value->n; i++)
            if (strcmp(value->keys[i], index->u.s) == 0) return &value->u.items[i];
        return NULL;
    }
    if ((value->kind != FX_ATTR_TUPLE && value->kind != FX_ATTR_LIST) || index->kind != FX_ATTR_INT) return NULL;
    int64_t at = index->u.i < 0 ? index->u.i + value->n : index->u.i;
    return at >= 0 && at < value->n ? &value->u.items[at] : NULL;
}

static fx_status give_to_user(fx_node *user, const fx_node *node, const fx_attr *value)
{
    struct giving g = {node, value};
    fx_attr args, kwargs;
    FX_TRY(fx_attr_map(user->graph, &user->args, give, &g, &args));
    FX_TRY(fx_attr_map(user->graph, &user->kwargs, give, &g, &kwargs));
    return fx_node_set_args(user, args, kwargs);
}

fx_status fx__core_give(fx_node *node, const fx_attr *value)
{
    if (value->kind == FX_ATTR_NODE) return fx__core_replace(node, value->u.node);
    while (node->n_users) {
        fx_node *user = node->users[0];
        const fx_attr *item = item_taken(user, node, value);
        FX_TRY(item ? fx__core_give(user, item) : give_to_user(user, node, value));
    }
    return fx_graph_erase(node->graph, node);
}

static bool is_constant(const fx_node *node, int depth)
{
    if (node->opcode == FX_GET_ATTR) return !fx__is_written_back(node);
    if (depth == 0 || node->opcode != FX_CALL_FUNCTION || fx_node_is_impure(node) || node->n_inputs == 0) return false;
    if (fx__attr_has_symbol(&node->args)) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!is_constant(node->inputs[i], depth - 1)) return false;
    return true;
}

/* What is asked about are weights, a reshape or a scale away from their parameter; without a limit the walk could be exponential.
 */
bool fx__core_is_constant(const fx_node *node)
{
    return is_constant(node, 6);
}

bool fx__core_same_type(const fx_node *a, const fx_node *b)
{
    const fx_type *type_a = fx_node_type(a, 0), *type_b = fx_node_type(b, 0);
    return type_a && type_b && fx__type_equal(type_a, type_b);
}

fx_attr fx__core_dims(fx_graph *graph, const fx_type *type)
{
    fx_attr items[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) items[d] = fx_dim_attr(type->dim[d]);
    return fx_list(graph, items, type->rank);
}
