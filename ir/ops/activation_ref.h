/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/activation_ref.h: reference kernels and bounds of activation.c. */
#ifndef FX_OPS_ACTIVATION_REF_H
#define FX_OPS_ACTIVATION_REF_H

#include "runtime/ref.h"

/* The fixed point of mean 0 and variance 1 (Klambauer et al. 2017, appendix). */
#define FX_SELU_ALPHA 1.6732632423543772848170429916717
#define FX_SELU_SCALE 1.0507009873554804934193349852946

#define FX_ACTIVATIONS(X)                                                                                                          \
    X(addcdiv)                                                                                                                     \
    X(addcmul)                                                                                                                     \
    X(celu)                                                                                                                        \
    X(elu)                                                                                                                         \
    X(gelu) X(hardshrink) X(isfinite) X(isinf) X(lerp) X(log_sigmoid) X(mish) X(prelu) X(selu) X(sign) X(silu) X(softplus)         \
        X(softshrink) X(softsign) X(square) X(threshold)

#define FX_REF_DECLARE(name) fx_status fx__ref_##name(const fx_rt_arg *args, fx_tensor *results);
FX_ACTIVATIONS(FX_REF_DECLARE)
#undef FX_REF_DECLARE

fx_status fx__bound_addcdiv(const fx_rt_bound *call);
fx_status fx__bound_addcmul(const fx_rt_bound *call);
fx_status fx__bound_gelu(const fx_rt_bound *call);
fx_status fx__bound_lerp(const fx_rt_bound *call);
fx_status fx__bound_mish(const fx_rt_bound *call);
fx_status fx__bound_celu(const fx_rt_bound *call);
fx_status fx__bound_elu(const fx_rt_bound *call);
fx_status fx__bound_silu(const fx_rt_bound *call);
fx_status fx__bound_softplus(const fx_rt_bound *call);

#endif
