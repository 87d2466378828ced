/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of sliding windows for reference kernels; see window_ref.h. */
#include "ir/ops/window_ref.h"

int64_t fx__window_ref_entry(const fx_rt_arg *arg, int32_t i, int64_t fallback)
{
    if (arg->kind == FX_RT_INT) return arg->u.i;
    if (arg->kind != FX_RT_INTS || arg->n == 0) return fallback;
    return arg->u.ints[arg->n == 1 ? 0 : i];
}

void fx__window_ref_read(fx_window_ref *w, const fx_rt_arg *stride, const fx_rt_arg *padding, const fx_rt_arg *dilation)
{
    bool same = padding->kind == FX_RT_STR && padding->u.s[0] == 's', both = padding->kind == FX_RT_INTS && padding->n == 2 * w->n;
    for (int32_t i = 0; i < w->n; i++) {
        w->stride[i] = fx__window_ref_entry(stride, i, w->size[i]);
        w->dilation[i] = dilation ? fx__window_ref_entry(dilation, i, 1) : 1;
        int64_t total = w->dilation[i] * (w->size[i] - 1);
        w->begin[i] = same ? total / 2 : fx__window_ref_entry(padding, i, 0);
        w->end[i] = same ? total - total / 2 : fx__window_ref_entry(padding, both ? w->n + i : i, 0);
    }
}
