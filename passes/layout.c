/* SPDX-License-Identifier: Apache-2.0 */
/* passes/layout.c: memory orders of values.
 *
 * Does     Results of convolutions, transposed ones too, are kept channels-last: their columns are then stored, and pooled, with
 *          stride 1. The order spreads forward through followers (element-wise, normalisation, pooling, concat, padding), and
 *          backward to followers whose users all have it.
 * Needs    A core graph with types.
 * Ensures  node->order and has_order of result 0; everything else is row-major. No node is added: a contraction reads its rows
 *          at any stride, and a value that leaves the graph is copied once.
 * Cost     Two walks over the nodes. */
#include "passes/pass.h"
#include <string.h>

/* Spatial dims of a convolution; 0: none. */
static int32_t conv_dims(const fx_node *node)
{
    if (fx__op_is(node, FX_OP_conv1d) || fx__op_is(node, FX_OP_conv_transpose1d)) return 1;
    if (fx__op_is(node, FX_OP_conv2d) || fx__op_is(node, FX_OP_conv_transpose2d)) return 2;
    return fx__op_is(node, FX_OP_conv3d) || fx__op_is(node, FX_OP_conv_transpose3d) ? 3 : 0;
}

/* May its result have any order at no cost, as long as its inputs have it too? */
static bool is_follower(const fx_node *node)
{
    static const fx_op_code moves[] = {FX_OP_cat, FX_OP_constant_pad_nd, FX_OP_clone, FX_OP_contiguous, FX_OP_dropout};
    if (!node->op || node->opcode != FX_CALL_FUNCTION || node->n_result < 1) return false;
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (fx__op_is(node, moves[i])) return true;
    static const char *const families[] = {"element-wise", "normalisation", "pooling"};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strcmp(node->op->family, families[i]) == 0) return true;
    return false;
}

static bool same_order(const fx_node *a, const fx_node *b)
{
    return a->has_order && b->has_order && memcmp(a->order, b->order, (size_t)a->result[0].rank) == 0;
}

static bool set_order(fx_node *node, const int8_t *order)
{
    memcpy(node->order, order, sizeof node->order);
    node->has_order = true;
    return true;
}

/* All dims but the channels, which stand before `spatial` dims, then the channels. */
static bool set_channels_last(fx_node *node, int32_t spatial)
{
    int8_t order[FX_RANK] = {0};
    int32_t rank = node->result[0].rank, channels = rank - spatial - 1, n = 0;
    if (channels < 0) return false;
    for (int32_t d = 0; d < rank; d++)
        if (d != channels) order[n++] = (int8_t)d;
    order[n] = (int8_t)channels;
    return set_order(node, order);
}

static bool spread_forward(fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_node *input = node->inputs[i];
        if (input->has_order && input->n_result > 0 && input->result[0].rank == node->result[0].rank)
            return set_order(node, input->order);
    }
    return false;
}

/* The order that every user of the value wants; NULL: some wants none, or another. */
static const fx_node *wanted(const fx_node *node)
{
    const fx_node *model = NULL;
    for (int32_t i = 0; i < node->n_users; i++) {
        const fx_node *user = node->users[i];
        bool takes = user->has_order && user->n_result > 0 && user->result[0].rank == node->result[0].rank &&
                     (conv_dims(user) > 0 || is_follower(user));
        if (!takes || (model && !same_order(model, user))) return NULL;
        model = user;
    }
    return model;
}

static bool spread_backward(fx_node *node)
{
    const fx_node *model = wanted(node);
    return model && set_order(node, model->order);
}

fx_status fx__pass_layout(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    for (fx_node *node = graph->first; node; node = node->next) {
        if (node->has_order || node->n_result < 1 || !node->result) continue;
        if (conv_dims(node) > 0)
            *out_modified |= set_channels_last(node, conv_dims(node));
        else if (is_follower(node))
            *out_modified |= spread_forward(node);
    }
    for (fx_node *node = graph->last; node; node = node->prev)
        if (!node->has_order && is_follower(node) && node->result) *out_modified |= spread_backward(node);
    return FX_OK;
}
