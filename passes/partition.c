/* SPDX-License-Identifier: Apache-2.0 */
/* passes/partition.c: parts as large as can be of the calls that somebody supports. From the last call to the first, each call
 * joins the parts of its users, unless a value would then leave a part and come back to it. */
#include "passes/split.h"
#include <string.h>

typedef struct partition {
    fx_module *module;
    fx_node_predicate supports;
    void *user;
    fx_partition_options options;
    fx_arena *scratch;
    int32_t *part; /* by node id; parts are called by the id of a node */
    int32_t *size; /* calls of each part */
    int32_t *mark; /* by node id: the last search that came here */
    int32_t n_marks;
} partition;

/* ---- Calls that go together ------------------------------------------------------------------------------------------------- */

static void assign_first(partition *p)
{
    FX_EACH_NODE(node, p->module->graph)
    {
        const fx_node *root = fx__split_root(node);
        if (root != node)
            p->part[node->id] = p->part[root->id];
        else if (fx__split_is_call(node) && p->supports(p->user, node))
            p->part[node->id] = node->id;
        else
            p->part[node->id] = FX_SPLIT_OUTSIDE;
        if (p->part[node->id] != FX_SPLIT_OUTSIDE) p->size[p->part[node->id]]++;
    }
}

/* ---- Joining ---------------------------------------------------------------------------------------------------------------- */

static bool is_inside(const partition *p, const fx_node *node, int32_t a, int32_t b)
{
    return p->part[node->id] == a || p->part[node->id] == b;
}

/* A value goes out of both parts, through nodes outside, and in again. Nodes are in order, so one walk finds it; a part that is
 * entered is left again with all its nodes. */
static bool returns(partition *p, int32_t a, int32_t b)
{
    int32_t mark = ++p->n_marks;
    for (bool changed = true; changed;) {
        changed = false;
        FX_EACH_NODE(node, p->module->graph)
        {
            bool inside = is_inside(p, node, a, b), reached = false;
            for (int32_t i = 0; i < node->n_inputs; i++) {
                const fx_node *input = node->inputs[i];
                bool outer = p->mark[input->id] == mark;
                if (inside && outer) return true;
                reached |= outer || (!inside && is_inside(p, input, a, b));
            }
            if (!reached || inside || p->mark[node->id] == mark) continue;
            p->mark[node->id] = mark;
            if (p->part[node->id] == FX_SPLIT_OUTSIDE || p->size[p->part[node->id]] == 1) continue;
            FX_EACH_NODE(other, p->module->graph)
            if (p->part[other->id] == p->part[node->id]) p->mark[other->id] = mark;
            changed = true; /* nodes before this one may follow from it now */
        }
    }
    return false;
}

static void join(const partition *p, int32_t a, int32_t b)
{
    p->size[a] += p->size[b];
    FX_EACH_NODE(node, p->module->graph)
    if (p->part[node->id] == b) p->part[node->id] = a;
}

static void join_users(partition *p, const fx_node *node)
{
    for (int32_t u = 0; u < node->n_users; u++) {
        int32_t a = p->part[node->id], b = p->part[node->users[u]->id];
        if (b != FX_SPLIT_OUTSIDE && a != b && !returns(p, a, b)) join(p, a, b);
    }
}

static void join_all(partition *p)
{
    for (const fx_node *node = p->module->graph->last; node; node = node->prev)
        if (p->part[node->id] != FX_SPLIT_OUTSIDE) join_users(p, node);
}

/* ---- What remains ----------------------------------------------------------------------------------------------------------- */

static bool counts(const partition *p, const fx_node *node)
{
    return fx__split_root(node) == node && !(p->options.non_compute && p->options.non_compute(p->options.user, node));
}

static int32_t count_calls(const partition *p, int32_t part)
{
    int32_t n = 0;
    FX_EACH_NODE(node, p->module->graph) n += p->part[node->id] == part && counts(p, node);
    return n;
}

/* Numbers from 0 in the order of first nodes; parts that are too small are none. */
static int32_t number_parts(partition *p, int32_t *number)
{
    int32_t n = 0;
    for (int32_t i = 0; i <= p->module->graph->next_id; i++) number[i] = FX_SPLIT_OUTSIDE - 1;
    FX_EACH_NODE(node, p->module->graph)
    {
        int32_t part = p->part[node->id];
        if (part == FX_SPLIT_OUTSIDE || number[part] >= FX_SPLIT_OUTSIDE) continue;
        number[part] = count_calls(p, part) >= (p->options.single ? 1 : 2) ? n++ : FX_SPLIT_OUTSIDE;
    }
    FX_EACH_NODE(node, p->module->graph)
    if (p->part[node->id] != FX_SPLIT_OUTSIDE) p->part[node->id] = number[p->part[node->id]];
    return n;
}

static const char *fused_name(void *user, fx_arena *scratch, int32_t part)
{
    (void)user;
    return fx__arena_format(scratch, "fused_%d", (int)part);
}

static fx_status run_partition(partition *p, fx_module **out, int32_t *out_parts)
{
    size_t n = (size_t)p->module->graph->next_id + 1;
    int32_t *number = FX_NEW_ARRAY(p->scratch, int32_t, n);
    p->part = FX_NEW_ARRAY(p->scratch, int32_t, n);
    p->mark = FX_NEW_ARRAY(p->scratch, int32_t, n);
    p->size = FX_NEW_ARRAY(p->scratch, int32_t, n);
    if (!number || !p->part || !p->size || !p->mark) return FX_E_OOM;
    assign_first(p);
    join_all(p);
    int32_t parts = number_parts(p, number);
    if (out_parts) *out_parts = parts;
    return fx__split(p->module, &(fx_splitting){p->part, fused_name, NULL}, out);
}

fx_status fx_partition_module(fx_module *module, fx_node_predicate supports, void *user, const fx_partition_options *options,
                              fx_module **out, int32_t *out_parts)
{
    partition p = {.module = module, .supports = supports, .user = user, .scratch = fx__arena_new(module->context)};
    *out = NULL;
    if (out_parts) *out_parts = 0;
    if (options) p.options = *options;
    if (!p.scratch) return FX_E_OOM;
    fx_status status = run_partition(&p, out, out_parts);
    fx__arena_free(p.scratch);
    return status;
}
