/* SPDX-License-Identifier: Apache-2.0 */
/* ir/grad.h: reverse-mode differentiation of core graphs. fx__grad_build walks the calls backwards; at each one the row's vjp hook
 * turns the gradients of its results into gradients of its arguments, as ordinary nodes of the same graph:
 *
 *     static fx_status vjp_mul(fx_grad *g, const fx_call *call)          // d(a b) = b da + a db
 *     {
 *         fx_node *flow = fx__grad_flow(g, 0);
 *         FX_TRY(fx__grad_add(g, 0, fx__grad_call2(g, FX_OP_mul, fx_node_attr(flow), call->arg[1])));
 *         return fx__grad_add(g, 1, fx__grad_call2(g, FX_OP_mul, fx_node_attr(flow), call->arg[0]));
 *     }
 *
 * Builders pass NULL through: fx__grad_add reports it. */
#ifndef FX_IR_GRAD_H
#define FX_IR_GRAD_H

#include "ir/op.h"

/* ---- For vjp hooks --------------------------------------------------------------------------------------------------------- */

/* Gradient that flows into a result of the call; NULL: nothing depends on that result. Result 0 of a hook's call is never NULL when
 * the operator has one result. */
fx_node *fx__grad_flow(const fx_grad *grad, int32_t result);
/* The call's result 0 as an argument. */
fx_attr fx__grad_result(const fx_grad *grad);
/* A new call before the insertion point: the first n arguments, the rest are the schema's defaults. NULL after a diagnostic. */
fx_node *fx__grad_call(fx_grad *grad, fx_op_code op, const fx_attr *args, int32_t n);
fx_node *fx__grad_call1(fx_grad *grad, fx_op_code op, fx_attr a);
fx_node *fx__grad_call2(fx_grad *grad, fx_op_code op, fx_attr a, fx_attr b);
/* Adds a gradient to argument `index`: summed over dims that were broadcast, converted to the argument's dtype. A number has no
 * gradient and ignores it. gradient NULL: FX_E_OOM, or the error that was reported. */
fx_status fx__grad_add(fx_grad *grad, int32_t index, fx_node *gradient);
/* `dims` of an fx_type as an argument. */
fx_attr fx__grad_sizes(fx_grad *grad, const fx_type *type);

/* ---- For their callers ----------------------------------------------------------------------------------------------------- */

/* Appends nodes (before the output node) that compute the gradients of `of` (result 0), weighted by seed, with respect to each of
 * wrt; seed has the type of `of`. gradients[i] is NULL when `of` does not depend on wrt[i]. FX_E_UNSUPPORTED names every operator
 * on the way that has no rule. */
fx_status fx__grad_build(fx_graph *graph, fx_node *of, fx_node *seed, fx_node *const *wrt, int32_t n, fx_node **gradients);

#endif
