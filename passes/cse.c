/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    lets later nodes that compute the same as an earlier one use that one.
 * Needs:   a linted, functional graph.
 * Ensures: no two pure nodes with equal opcode, target and arguments; nodes with effects stay.
 * Cost:    linear (a hash table of nodes). */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

typedef struct table {
    fx_node **slots;
    size_t mask;
} table;

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++) hash = mix(hash, (unsigned char)*text);
    return hash;
}

static uint64_t hash_value(uint64_t hash, const fx_attr *value)
{
    hash = mix(hash, (uint64_t)value->kind);
    switch (value->kind) {
    case FX_ATTR_NONE:
    case FX_ATTR_ELLIPSIS:
        return hash;
    case FX_ATTR_STR:
    case FX_ATTR_DEVICE:
    case FX_ATTR_NAME:
        return hash_text(hash, value->u.s);
    case FX_ATTR_DTYPE:
        return mix(hash, (uint64_t)value->u.dtype);
    case FX_ATTR_NODE:
        return mix(hash, (uint64_t)(unsigned)value->u.node->id);
    default:
        break;
    }
    if (!fx__attr_has_items(value->kind)) {
        uint64_t bits;
        memcpy(&bits, &value->u, sizeof bits);
        return mix(hash, bits);
    }
    for (int32_t i = 0; i < value->n; i++) hash = hash_value(hash, &value->u.items[i]);
    return hash;
}

static uint64_t hash_node(const fx_node *node)
{
    uint64_t hash = hash_text(mix(1, (uint64_t)node->opcode), node->target);
    return hash_value(hash_value(hash, &node->args), &node->kwargs);
}

static bool same_computation(const fx_node *a, const fx_node *b)
{
    return a->opcode == b->opcode && a->target == b->target && fx_attr_equal(&a->args, &b->args) &&
           fx_attr_equal(&a->kwargs, &b->kwargs);
}

/* The earlier node that computes the same; otherwise NULL, and the node is remembered. */
static fx_node *find_or_add(const table *t, fx_node *node)
{
    size_t at = (size_t)hash_node(node) & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask)
        if (same_computation(t->slots[at], node)) return t->slots[at];
    t->slots[at] = node;
    return NULL;
}

static bool is_candidate(const fx_node *node)
{
    return (node->opcode == FX_CALL_FUNCTION || node->opcode == FX_GET_ATTR) && !fx_node_is_impure(node);
}

static fx_status merge_nodes(fx_graph *graph, const table *t, bool *out_modified)
{
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        FX_TRY(fx__tick(graph->context));
        fx_node *earlier = is_candidate(node) ? find_or_add(t, node) : NULL;
        if (!earlier) continue;
        FX_TRY(fx__core_replace(node, earlier));
        *out_modified = true;
    }
    return FX_OK;
}

fx_status fx__pass_cse(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    size_t capacity = 16;
    while (capacity < 2 * (size_t)graph->n_nodes) capacity *= 2;
    table t = {fx__alloc(graph->context, capacity * sizeof(fx_node *)), capacity - 1};
    if (!t.slots) return FX_E_OOM;
    fx_status status = merge_nodes(graph, &t, out_modified);
    fx__free(graph->context, t.slots);
    return status;
}
