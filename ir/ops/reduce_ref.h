/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/reduce_ref.h: reference kernels of reductions over some axes, and their error bounds. */
#ifndef FX_OPS_REDUCE_REF_H
#define FX_OPS_REDUCE_REF_H

#include "runtime/ref.h"

fx_status fx__ref_sum(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_mean(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_prod(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_amax(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_amin(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_any(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_all(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_argmax(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_argmin(const fx_rt_arg *args, fx_tensor *results);

fx_status fx__bound_sum(const fx_rt_bound *call);
fx_status fx__bound_mean(const fx_rt_bound *call);
fx_status fx__bound_prod(const fx_rt_bound *call);
fx_status fx__bound_argmax(const fx_rt_bound *call);
fx_status fx__bound_argmin(const fx_rt_bound *call);

#endif
