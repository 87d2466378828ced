/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_vjp.c: gradient rules of element-wise operators. g is the gradient of the result y, x (a, b) are arguments. */
#include "ir/ops/pointwise_vjp.h"

static fx_attr flow(fx_grad *grad)
{
    return fx_node_attr(fx__grad_flow(grad, 0));
}
static fx_attr times(fx_grad *grad, fx_attr a, fx_attr b)
{
    return fx_node_attr(fx__grad_call2(grad, FX_OP_mul, a, b));
}

/* a + alpha b: g, alpha g */
fx_status fx__vjp_add(fx_grad *grad, const fx_call *call)
{
    FX_TRY(fx__grad_add(grad, 0, fx__grad_flow(grad, 0)));
    return fx__grad_add(grad, 1, times(grad, flow(grad), call->arg[2]).u.node);
}

/* a - alpha b: g, -alpha g */
fx_status fx__vjp_sub(fx_grad *grad, const fx_call *call)
{
    FX_TRY(fx__grad_add(grad, 0, fx__grad_flow(grad, 0)));
    return fx__grad_add(grad, 1, fx__grad_call1(grad, FX_OP_neg, times(grad, flow(grad), call->arg[2])));
}

/* a b: g b, g a */
fx_status fx__vjp_mul(fx_grad *grad, const fx_call *call)
{
    FX_TRY(fx__grad_add(grad, 0, times(grad, flow(grad), call->arg[1]).u.node));
    return fx__grad_add(grad, 1, times(grad, flow(grad), call->arg[0]).u.node);
}

/* a / b: g / b, -g y / b; a rounded quotient is constant almost everywhere */
fx_status fx__vjp_div(fx_grad *grad, const fx_call *call)
{
    if (!fx__call_is_none(call, 2)) return FX_OK;
    FX_TRY(fx__grad_add(grad, 0, fx__grad_call2(grad, FX_OP_div, flow(grad), call->arg[1])));
    fx_node *slope = fx__grad_call2(grad, FX_OP_div, times(grad, flow(grad), fx__grad_result(grad)), call->arg[1]);
    return fx__grad_add(grad, 1, fx__grad_call1(grad, FX_OP_neg, fx_node_attr(slope)));
}

/* -g */
fx_status fx__vjp_neg(fx_grad *grad, const fx_call *call)
{
    (void)call;
    return fx__grad_add(grad, 0, fx__grad_call1(grad, FX_OP_neg, flow(grad)));
}

/* g where x > 0 */
fx_status fx__vjp_relu(fx_grad *grad, const fx_call *call)
{
    const fx_attr args[] = {fx_node_attr(fx__grad_call2(grad, FX_OP_gt, call->arg[0], fx_int(0))), flow(grad), fx_int(0)};
    return fx__grad_add(grad, 0, fx__grad_call(grad, FX_OP_where, args, 3));
}

/* g y */
fx_status fx__vjp_exp(fx_grad *grad, const fx_call *call)
{
    (void)call;
    return fx__grad_add(grad, 0, times(grad, flow(grad), fx__grad_result(grad)).u.node);
}

/* g / x */
fx_status fx__vjp_log(fx_grad *grad, const fx_call *call)
{
    return fx__grad_add(grad, 0, fx__grad_call2(grad, FX_OP_div, flow(grad), call->arg[0]));
}

/* g / 2y */
fx_status fx__vjp_sqrt(fx_grad *grad, const fx_call *call)
{
    (void)call;
    return fx__grad_add(grad, 0, fx__grad_call2(grad, FX_OP_div, flow(grad), times(grad, fx__grad_result(grad), fx_int(2))));
}

/* g (1 - y y) */
fx_status fx__vjp_tanh(fx_grad *grad, const fx_call *call)
{
    fx_attr y = fx__grad_result(grad);
    fx_node *slope = fx__grad_call2(grad, FX_OP_rsub, times(grad, y, y), fx_int(1));
    (void)call;
    return fx__grad_add(grad, 0, times(grad, flow(grad), fx_node_attr(slope)).u.node);
}

/* g y (1 - y) */
fx_status fx__vjp_sigmoid(fx_grad *grad, const fx_call *call)
{
    fx_attr y = fx__grad_result(grad);
    fx_attr slope = times(grad, y, fx_node_attr(fx__grad_call2(grad, FX_OP_rsub, y, fx_int(1))));
    (void)call;
    return fx__grad_add(grad, 0, times(grad, flow(grad), slope).u.node);
}
