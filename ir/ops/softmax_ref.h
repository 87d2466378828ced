/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/softmax_ref.h: reference kernels of softmax and log_softmax over one axis, and their error bounds. */
#ifndef FX_OPS_SOFTMAX_REF_H
#define FX_OPS_SOFTMAX_REF_H

#include "runtime/ref.h"

fx_status fx__ref_softmax(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ref_log_softmax(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__bound_softmax(const fx_rt_bound *call);
fx_status fx__bound_log_softmax(const fx_rt_bound *call);

#endif
