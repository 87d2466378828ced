/* SPDX-License-Identifier: Apache-2.0 */
/* passes/view_stride.c: strides of views, for `functionalise`: they tell whether a reshape is a view or a copy, and whether a
 * view's elements share memory. Sizes may be symbolic; what cannot be proved equal is taken as different. */
#include "ir/lower.h"
#include "passes/mutate.h"
#include <string.h>

fx_strides fx__strides_packed(fx_graph *graph, const fx_type *type)
{
    fx_strides out = {.known = type != NULL};
    fx_dim stride = 1;
    for (int32_t d = type ? type->rank - 1 : -1; d >= 0; d--) {
        out.stride[d] = stride;
        stride = fx__dim_mul(graph->dims, stride, type->dim[d]);
    }
    return out;
}

bool fx__strides_overlap(const fx_type *type, const fx_strides *strides)
{
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] != 1 && strides->stride[d] == 0) return true;
    return false;
}

/* ---- By the row's view hook ----------------------------------------------------------------------------------------------------
 */

static bool compose(fx_dims *dims, const fx_view *view, const fx_strides *from, fx_strides *out)
{
    for (int32_t d = 0; d < view->in->rank; d++) {
        for (int t = 0; t < view->at[d].n; t++) {
            const fx_term *term = &view->at[d].term[t];
            if (term->div != 1 || term->mod != 0) return false;
            fx_dim step = fx__dim_mul(dims, term->coef, from->stride[d]);
            out->stride[term->axis] = fx__dim_add(dims, out->stride[term->axis], step);
        }
    }
    return true;
}

static bool by_hook(const fx_node *node, const fx_op *op, const fx_type *in, const fx_strides *from, fx_strides *out)
{
    fx_attr bound[FX_PARAMS];
    if (!op->view || fx__op_bind(node->graph, node, op, bound) != FX_OK) return false;
    fx_call call = {node->graph->context, node->graph->dims, op, node, bound, {node->result[0]}, 1};
    fx_view view = {.dims = node->graph->dims, .in = in, .out = &node->result[0]};
    return op->view(&view, &call) == FX_OK && compose(node->graph->dims, &view, from, out);
}

/* ---- Sizes anew ----------------------------------------------------------------------------------------------------------------
 */

static bool is_empty(const fx_type *type)
{
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] == 0) return true;
    return false;
}

/* Dims of the input that lie behind each other in memory are one run; the result's dims must divide into the same runs. */
static bool by_runs(fx_dims *dims, const fx_type *in, const fx_strides *from, const fx_type *to, fx_strides *out)
{
    int32_t at = to->rank - 1;
    fx_dim run = 1, made = 1, base = in->rank ? from->stride[in->rank - 1] : 1;
    for (int32_t d = in->rank - 1; d >= 0; d--) {
        run = fx__dim_mul(dims, run, in->dim[d]);
        bool goes_on = d > 0 && (in->dim[d - 1] == 1 || fx__dim_equal(dims, from->stride[d - 1], fx__dim_mul(dims, run, base)));
        if (goes_on) continue;
        for (; at >= 0 && (!fx__dim_equal(dims, made, run) || to->dim[at] == 1); at--) {
            out->stride[at] = fx__dim_mul(dims, made, base);
            made = fx__dim_mul(dims, made, to->dim[at]);
        }
        if (!fx__dim_equal(dims, made, run)) return false;
        base = d > 0 ? from->stride[d - 1] : 1;
        run = made = 1;
    }
    for (; at >= 0 && to->dim[at] == 1; at--) out->stride[at] = 1;
    return at < 0;
}

static bool by_sizes(const fx_node *node, const fx_type *in, const fx_strides *from, fx_strides *out)
{
    const fx_type *to = &node->result[0];
    if (is_empty(in)) {
        *out = fx__strides_packed(node->graph, to);
        return true;
    }
    return by_runs(node->graph->dims, in, from, to, out);
}

/* ---- All rows ------------------------------------------------------------------------------------------------------------------
 */

static bool is_packed(fx_graph *graph, const fx_type *type, const fx_strides *strides)
{
    fx_strides packed = fx__strides_packed(graph, type);
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] != 1 && !fx__dim_equal(graph->dims, packed.stride[d], strides->stride[d])) return false;
    return true;
}

/* A piece has the strides of the whole; unbind takes one dim away. */
static bool of_piece(const fx_node *node, const fx_type *whole, const fx_strides *from, fx_strides *out)
{
    *out = *from;
    const fx_node *producer = fx__arg(node, 0)->u.node;
    if (!fx__op_is(producer, FX_OP_unbind) && fx__op_of(producer) != fx__op(FX_OP_unbind)) return true;
    fx_attr bound[FX_PARAMS];
    if (fx__op_bind(node->graph, producer, fx__op_of(producer), bound) != FX_OK || bound[1].kind != FX_ATTR_INT) return false;
    int64_t dim = bound[1].u.i + (bound[1].u.i < 0 ? whole->rank : 0);
    for (int64_t d = dim; d + 1 < whole->rank; d++) out->stride[d] = from->stride[d + 1];
    return true;
}

bool fx__strides_of(const fx_node *node, const fx_node *base, const fx_strides *from, fx_strides *out)
{
    const fx_type *in = fx_node_type(base, 0);
    const fx_op *op = fx__op_of(node);
    *out = (fx_strides){.known = true};
    switch (fx__alias_kind(node)) {
    case FX_ALIAS_NONE:
        return false;
    case FX_ALIAS_SELF:
        *out = *from;
        return true;
    case FX_ALIAS_SAME_TYPE:
        *out = *from;
        return in && node->n_result > 0 && in->dtype == node->result[0].dtype;
    case FX_ALIAS_PACKED:
        *out = *from;
        return !in || !from->known || is_packed(node->graph, in, from);
    default:
        break;
    }
    if (!in || !from->known || node->n_result == 0) { /* nothing is known: as torch has it for packed tensors */
        *out = (fx_strides){0};
        return true;
    }
    if (fx__op_is(node, FX_OP_getitem)) return of_piece(node, in, from, out);
    bool renumbers =
        op == fx__op(FX_OP_view) || op == fx__op(FX_OP_reshape) || op == fx__op(FX_OP_flatten) || op == fx__op(FX_OP_unflatten);
    return renumbers ? by_sizes(node, in, from, out) : by_hook(node, op, in, from, out);
}
