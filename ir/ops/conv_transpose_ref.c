/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of transposed convolution: every input element adds its multiple of the window to the result, at
 * position * stride + k * dilation - padding. */
#include "ir/ops/contract_ref.h"
#include "ir/ops/window_ref.h"
#include <stdlib.h>

/* conv_transposeN(input, weight, bias, stride, padding, output_padding, groups, dilation) */
enum { INPUT, WEIGHT, BIAS, STRIDE, PADDING, OUTPUT_PADDING, GROUPS, DILATION };

typedef struct transposed {
    fx_wide wide;
    fx_window_ref w;
    const fx_tensor *x, *weight, *bias;
    fx_tensor *out;
    int32_t lead; /* 1: there is a batch dim */
    int64_t groups;
    void *term, *factor, *sum; /* two numbers; the result's spatial block */
} transposed;

static void load(const transposed *t, void *to, const fx_tensor *from, const int64_t *at)
{
    fx__contract_load(t->wide, to, 0, 1, 1, from->dtype, fx__ref_at(from, at), 1, 1);
}

/* Number of the result's position that input position i and window position k meet; -1: outside. */
static int64_t target(const fx_window_ref *w, const int64_t *i, const int64_t *k)
{
    int64_t number = 0;
    for (int32_t d = 0; d < w->n; d++) {
        int64_t o = i[d] * w->stride[d] + k[d] * w->dilation[d] - w->begin[d];
        if (o < 0 || o >= w->out[d]) return -1;
        number = number * w->out[d] + o;
    }
    return number;
}

/* Adds input channel `in` times its windows into output channel `o` of its group. */
static void add_channel(const transposed *t, int64_t batch, int64_t in, int64_t o)
{
    int64_t x_at[FX_RANK] = {0}, w_at[FX_RANK] = {in, o}, i[FX_RANK] = {0};
    if (t->lead) x_at[0] = batch;
    x_at[t->lead] = in;
    do {
        int64_t k[FX_RANK] = {0};
        for (int32_t d = 0; d < t->w.n; d++) x_at[t->lead + 1 + d] = i[d];
        load(t, t->term, t->x, x_at);
        do {
            int64_t to = target(&t->w, i, k);
            for (int32_t d = 0; d < t->w.n; d++) w_at[2 + d] = k[d];
            if (to < 0) continue;
            load(t, t->factor, t->weight, w_at);
            fx__contract_axpy(t->wide, t->sum, to, t->term, 0, t->factor, 0, 1, 1);
        } while (fx__ref_next(t->w.n, t->w.size, k));
    } while (fx__ref_next(t->w.n, t->w.in, i));
}

/* One output channel of one batch element: starts at the bias, is stored position by position. */
static void one_channel(const transposed *t, int64_t batch, int64_t channel)
{
    int64_t per_in = t->weight->dim[0] / t->groups, per_out = t->weight->dim[1], group = channel / per_out;
    int64_t at[FX_RANK] = {0}, position[FX_RANK] = {0}, n = 1, number = 0;
    for (int32_t d = 0; d < t->w.n; d++) n *= t->w.out[d];
    fx__contract_fill(t->wide, t->term, 1, t->term, 1); /* entry 1 is zero */
    if (t->bias) load(t, t->term, t->bias, &channel);
    fx__contract_fill(t->wide, t->sum, n, t->term, 0);
    for (int64_t in = group * per_in; in < (group + 1) * per_in && !fx__ref_empty(t->w.n, t->w.in); in++)
        add_channel(t, batch, in, channel % per_out);
    if (t->lead) at[0] = batch;
    at[t->lead] = channel;
    do {
        for (int32_t d = 0; d < t->w.n; d++) at[t->lead + 1 + d] = position[d];
        fx__contract_fill(t->wide, t->term, 1, t->sum, number++);
        fx__contract_store(t->wide, t->term, 1, t->out->dtype, fx__ref_at(t->out, at), 1);
    } while (fx__ref_next(t->w.n, t->w.out, position));
}

static fx_status run(fx_wide wide, const fx_rt_arg *args, fx_tensor *out)
{
    const fx_tensor *x = args[INPUT].u.tensor, *weight = args[WEIGHT].u.tensor;
    transposed t = {.wide = wide, .x = x, .weight = weight, .out = out, .groups = args[GROUPS].u.i, .w.n = weight->rank - 2};
    t.lead = x->rank - 1 - t.w.n;
    t.bias = args[BIAS].kind == FX_RT_TENSOR ? args[BIAS].u.tensor : NULL;
    int64_t n = 1;
    for (int32_t d = 0; d < t.w.n; d++) {
        t.w.in[d] = x->dim[t.lead + 1 + d];
        t.w.out[d] = out->dim[t.lead + 1 + d];
        t.w.size[d] = weight->dim[2 + d];
        n *= t.w.out[d];
    }
    fx__window_ref_read(&t.w, &args[STRIDE], &args[PADDING], &args[DILATION]);
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    t.term = fx__contract_rows(wide, 2);
    t.factor = fx__contract_rows(wide, 1);
    t.sum = fx__contract_rows(wide, n);
    bool ok = t.term && t.factor && t.sum;
    for (int64_t b = 0; ok && b < (t.lead ? x->dim[0] : 1); b++)
        for (int64_t c = 0; c < out->dim[t.lead]; c++) one_channel(&t, b, c);
    free(t.term);
    free(t.factor);
    free(t.sum);
    return ok ? FX_OK : FX_E_OOM;
}

fx_status fx__conv_transpose_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return run(fx__contract_wide(results->dtype), args, results);
}

fx_status fx__conv_transpose_bound(const fx_rt_bound *call)
{
    const fx_tensor *weight = call->args[WEIGHT].u.tensor;
    int64_t terms = weight->dim[0] / call->args[GROUPS].u.i + 1;
    for (int32_t d = 2; d < weight->rank; d++) terms *= weight->dim[d];
    return fx__contract_bound(call, 8, INPUT, WEIGHT, BIAS, terms + 1, run);
}
