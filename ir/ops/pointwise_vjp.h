/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/pointwise_vjp.h: gradient rules of element-wise operators. */
#ifndef FX_OPS_POINTWISE_VJP_H
#define FX_OPS_POINTWISE_VJP_H

#include "ir/grad.h"

fx_status fx__vjp_add(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_div(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_exp(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_log(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_mul(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_neg(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_relu(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_sigmoid(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_sqrt(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_sub(fx_grad *grad, const fx_call *call);
fx_status fx__vjp_tanh(fx_grad *grad, const fx_call *call);

#endif
