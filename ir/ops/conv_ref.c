/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of convolution over one to three spatial dims. A row of the result (its last dim) is the sum of shifted and
 * strided rows of the input, each times one weight; where rows are short, a position of the result is a sum of rows of weights,
 * one for each output channel, each times one input. Inputs and weights are widened once. */
#include "ir/ops/contract_ref.h"
#include "ir/ops/window_ref.h"
#include <stdlib.h>

enum {
    SHORT_ROW = 8, /* rows with fewer results than this are short */
    CHANNELS = 16, /* output channels that are summed side by side */
};

typedef struct conv {
    fx_wide wide;
    fx_window_ref w;
    const fx_tensor *x, *weight, *bias; /* bias may be NULL */
    fx_tensor *out;
    int32_t lead;                /* 1: there is a batch dim */
    int64_t group_in, group_out; /* channels of one group */
    void *plane;                 /* [group_in][in...]: the group's input, widened */
    int64_t taps;                /* weights of one output channel */
    void *kernel;                /* [taps], or [taps][CHANNELS] for short rows: weights, widened */
    void *bias_wide, *sum;       /* [CHANNELS], and [last dim of the result] or [CHANNELS] */
} conv;

static int64_t product(const int64_t *dim, int32_t n)
{
    int64_t p = 1;
    for (int32_t i = 0; i < n; i++) p *= dim[i];
    return p;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a > 0 ? (a + b - 1) / b : -(-a / b);
}
static int64_t floor_div(int64_t a, int64_t b)
{
    return -ceil_div(-a, b);
}
static int64_t at_least_0(int64_t a)
{
    return a > 0 ? a : 0;
}

/* Dims of a tensor from `first` on that one stride walks through: returns the first of them, and their elements. */
static int32_t dense_tail(const fx_tensor *t, const int64_t *dim, int32_t first, int64_t *out_elems)
{
    int32_t d = t->rank - 1;
    *out_elems = dim[d];
    while (d > first && t->stride[d - 1] == t->stride[d] * dim[d]) *out_elems *= dim[--d];
    return d;
}

/* Widens a box of a tensor into rows[to], rows[to + step], ...: from `at` on, `channels` channels (the dim before the window's) by
 * all of the window's dims. */
static void widen(const conv *c, const fx_tensor *t, const int64_t *at, int64_t channels, void *rows, int64_t to, int64_t step)
{
    int32_t first = t->rank - c->w.n - 1;
    int64_t dim[FX_RANK], run, sub[FX_RANK] = {0};
    for (int32_t d = first; d < t->rank; d++) dim[d] = d == first ? channels : t->dim[d];
    if (fx__ref_empty(t->rank - first, dim + first)) return;
    int32_t tail = dense_tail(t, dim, first, &run);
    do {
        int64_t from[FX_RANK];
        for (int32_t d = 0; d < t->rank; d++) from[d] = at[d] + (d >= first && d < tail ? sub[d - first] : 0);
        fx__contract_load(c->wide, rows, to, step, 1, t->dtype, fx__ref_at(t, from), t->stride[t->rank - 1], run);
        to += run * step;
    } while (fx__ref_next(tail - first, dim + first, sub));
}

/* Adds weight k of a channel times its shifted input row; x_row: start of the input row, kw: column of the weight. */
static void add_row(const conv *c, int64_t weight_at, int64_t x_row, int64_t kw)
{
    const fx_window_ref *w = &c->w;
    int32_t l = w->n - 1;
    int64_t shift = kw * w->dilation[l] - w->begin[l]; /* input column of result column 0 */
    int64_t lo = at_least_0(ceil_div(-shift, w->stride[l])), hi = floor_div(w->in[l] - 1 - shift, w->stride[l]) + 1;
    if (hi > w->out[l]) hi = w->out[l];
    if (lo < hi)
        fx__contract_axpy(c->wide, c->sum, lo, c->kernel, weight_at, c->plane, x_row + lo * w->stride[l] + shift, w->stride[l],
                          hi - lo);
}

/* Start of the input row that weight row k sees from result row `at` (leading spatial coordinates); -1: outside. */
static int64_t input_row(const conv *c, int64_t channel, const int64_t *at, const int64_t *k)
{
    const fx_window_ref *w = &c->w;
    int64_t row = channel;
    for (int32_t d = 0; d < w->n - 1; d++) {
        int64_t i = at[d] * w->stride[d] + k[d] * w->dilation[d] - w->begin[d];
        if (i < 0 || i >= w->in[d]) return -1;
        row = row * w->in[d] + i;
    }
    return row * w->in[w->n - 1];
}

static void sum_row(const conv *c, const int64_t *at)
{
    const fx_window_ref *w = &c->w;
    int32_t l = w->n - 1;
    fx__contract_fill(c->wide, c->sum, w->out[l], c->bias_wide, 0);
    if (fx__ref_empty(w->n, w->size)) return;
    int64_t weight_at = 0;
    for (int64_t ic = 0; ic < c->group_in; ic++) {
        int64_t k[FX_RANK] = {0};
        do {
            int64_t row = input_row(c, ic, at, k);
            for (int64_t kw = 0; row >= 0 && kw < w->size[l]; kw++) add_row(c, weight_at + kw, row, kw);
            weight_at += w->size[l];
        } while (fx__ref_next(l, w->size, k));
    }
}

/* One output channel of one batch element. */
static void sum_channel(const conv *c, int64_t batch, int64_t channel)
{
    int64_t at[FX_RANK] = {channel}, row[FX_RANK] = {0}, out_at[FX_RANK] = {0};
    widen(c, c->weight, at, c->group_in, c->kernel, 0, 1);
    if (c->bias) fx__contract_load(c->wide, c->bias_wide, 0, 1, 1, c->bias->dtype, fx__ref_at(c->bias, &channel), 1, 1);
    if (c->lead) out_at[0] = batch;
    out_at[c->lead] = channel;
    do {
        sum_row(c, row);
        for (int32_t d = 0; d < c->w.n - 1; d++) out_at[c->lead + 1 + d] = row[d];
        fx__contract_store(c->wide, c->sum, c->w.out[c->w.n - 1], c->out->dtype, fx__ref_at(c->out, out_at),
                           c->out->stride[c->out->rank - 1]);
    } while (fx__ref_next(c->w.n - 1, c->w.out, row));
}

/* ---- Short rows ---------------------------------------------------------------------------------------------------------- */

static void sum_position(const conv *c, const int64_t *at, int64_t channels)
{
    const fx_window_ref *w = &c->w;
    int32_t l = w->n - 1;
    int64_t tap = 0;
    fx__contract_copy(c->wide, c->sum, c->bias_wide, channels);
    for (int64_t ic = 0; ic < c->group_in && c->taps > 0; ic++) {
        int64_t k[FX_RANK] = {0};
        do {
            int64_t row = input_row(c, ic, at, k), column = at[l] * w->stride[l] + k[l] * w->dilation[l] - w->begin[l];
            if (row >= 0 && column >= 0 && column < w->in[l])
                fx__contract_axpy(c->wide, c->sum, 0, c->plane, row + column, c->kernel, tap * CHANNELS, 1, channels);
            tap++;
        } while (fx__ref_next(w->n, w->size, k));
    }
}

/* Up to CHANNELS output channels of one batch element. */
static void sum_channels(const conv *c, int64_t batch, int64_t channel, int64_t channels)
{
    int64_t position[FX_RANK] = {0}, out_at[FX_RANK] = {0};
    for (int64_t o = 0; o < channels; o++)
        widen(c, c->weight, (int64_t[FX_RANK]){channel + o}, c->group_in, c->kernel, o, CHANNELS);
    if (c->bias)
        fx__contract_load(c->wide, c->bias_wide, 0, 1, 1, c->bias->dtype, fx__ref_at(c->bias, &channel), c->bias->stride[0],
                          channels);
    if (c->lead) out_at[0] = batch;
    out_at[c->lead] = channel;
    do {
        sum_position(c, position, channels);
        for (int32_t d = 0; d < c->w.n; d++) out_at[c->lead + 1 + d] = position[d];
        fx__contract_store(c->wide, c->sum, channels, c->out->dtype, fx__ref_at(c->out, out_at), c->out->stride[c->lead]);
    } while (fx__ref_next(c->w.n, c->w.out, position));
}

/* ---- Whole windows ------------------------------------------------------------------------------------------------------- */

/* Is the input as large as the window? Then input and weights of a channel lie alike, and each result is their dot product. */
static bool whole_window(const conv *c)
{
    const fx_window_ref *w = &c->w;
    bool whole = true;
    for (int32_t d = 0; d < w->n; d++)
        whole = whole && w->in[d] == w->size[d] && w->out[d] == 1 && w->begin[d] == 0 && (w->dilation[d] == 1 || w->size[d] == 1);
    return whole;
}

static void sum_window(const conv *c, int64_t batch, int64_t channel)
{
    int64_t at[FX_RANK] = {channel}, out_at[FX_RANK] = {0};
    widen(c, c->weight, at, c->group_in, c->kernel, 0, 1);
    if (c->bias) fx__contract_load(c->wide, c->bias_wide, 0, 1, 1, c->bias->dtype, fx__ref_at(c->bias, &channel), 1, 1);
    fx__contract_copy(c->wide, c->sum, c->bias_wide, 1);
    fx__contract_dot(c->wide, c->sum, c->plane, c->kernel, c->taps);
    if (c->lead) out_at[0] = batch;
    out_at[c->lead] = channel;
    fx__contract_store(c->wide, c->sum, 1, c->out->dtype, fx__ref_at(c->out, out_at), 1);
}

/* ---- All ---------------------------------------------------------------------------------------------------------------- */

static bool short_rows(const conv *c)
{
    int64_t row = c->w.out[c->w.n - 1];
    return row < SHORT_ROW && row < c->group_out;
}

static void sum_group(const conv *c, int64_t batch, int64_t first)
{
    bool whole = whole_window(c);
    int64_t step = short_rows(c) && !whole ? CHANNELS : 1;
    for (int64_t o = 0; o < c->group_out; o += step)
        if (whole)
            sum_window(c, batch, first + o);
        else if (step == 1)
            sum_channel(c, batch, first + o);
        else
            sum_channels(c, batch, first + o, c->group_out - o < step ? c->group_out - o : step);
}

static void sum_all(const conv *c, int64_t groups)
{
    int64_t batches = c->lead ? c->x->dim[0] : 1;
    for (int64_t b = 0; b < batches; b++)
        for (int64_t g = 0; g < groups; g++) {
            int64_t at[FX_RANK] = {b};
            at[c->lead] = g * c->group_in;
            widen(c, c->x, at, c->group_in, c->plane, 0, 1);
            sum_group(c, b, g * c->group_out);
        }
}

/* convN(input, weight, bias, stride, padding, dilation, ..., groups) */
static fx_status run(fx_wide wide, const fx_rt_arg *args, int64_t groups, fx_tensor *out)
{
    const fx_tensor *x = args[0].u.tensor, *weight = args[1].u.tensor;
    conv c = {.wide = wide, .x = x, .weight = weight, .out = out, .w.n = weight->rank - 2, .group_in = weight->dim[1]};
    c.group_out = weight->dim[0] / groups;
    c.lead = x->rank - 1 - c.w.n;
    c.bias = args[2].kind == FX_RT_TENSOR ? args[2].u.tensor : NULL;
    for (int32_t i = 0; i < c.w.n; i++) {
        c.w.in[i] = x->dim[c.lead + 1 + i];
        c.w.out[i] = out->dim[c.lead + 1 + i];
        c.w.size[i] = weight->dim[2 + i];
    }
    fx__window_ref_read(&c.w, &args[3], &args[4], &args[5]);
    if (fx__ref_empty(out->rank, out->dim)) return FX_OK;
    c.plane = fx__contract_rows(wide, c.group_in * product(c.w.in, c.w.n));
    c.taps = c.group_in * product(c.w.size, c.w.n);
    c.kernel = fx__contract_rows(wide, c.taps * (short_rows(&c) ? CHANNELS : 1));
    c.bias_wide = fx__contract_rows(wide, CHANNELS);
    c.sum = fx__contract_rows(wide, short_rows(&c) ? CHANNELS : c.w.out[c.w.n - 1]);
    bool ok = c.plane && c.kernel && c.bias_wide && c.sum;
    if (ok) sum_all(&c, groups);
    free(c.plane);
    free(c.kernel);
    free(c.bias_wide);
    free(c.sum);
    return ok ? FX_OK : FX_E_OOM;
}

/* groups is argument 6 of convN ... */
static fx_status run_conv(fx_wide wide, const fx_rt_arg *args, fx_tensor *out)
{
    return run(wide, args, args[6].u.i, out);
}
fx_status fx__conv_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return run_conv(fx__contract_wide(results->dtype), args, results);
}

/* ... and argument 8 of convolution(..., transposed, output_padding, groups). */
static fx_status run_convolution(fx_wide wide, const fx_rt_arg *args, fx_tensor *out)
{
    return run(wide, args, args[8].u.i, out);
}

fx_status fx__conv_transpose_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__conv_transpose_bound(const fx_rt_bound *call);

/* convolution's arguments in the order of conv_transposeN. */
static void transposed_order(const fx_rt_arg *args, fx_rt_arg out[8])
{
    static const int32_t from[8] = {0, 1, 2, 3, 4, 7, 8, 5};
    for (int32_t i = 0; i < 8; i++) out[i] = args[from[i]];
}

fx_status fx__convolution_ref(const fx_rt_arg *args, fx_tensor *results)
{
    fx_rt_arg other[8];
    if (!args[6].u.i) return run_convolution(fx__contract_wide(results->dtype), args, results);
    transposed_order(args, other);
    return fx__conv_transpose_ref(other, results);
}

static int64_t terms(const fx_rt_bound *call)
{
    const fx_tensor *weight = call->args[1].u.tensor;
    return product(weight->dim + 1, weight->rank - 1) + 1;
}

fx_status fx__conv_bound(const fx_rt_bound *call)
{
    return fx__contract_bound(call, 7, 0, 1, 2, terms(call), run_conv);
}

fx_status fx__convolution_bound(const fx_rt_bound *call)
{
    fx_rt_arg args[8], errors[8];
    if (!call->args[6].u.i) return fx__contract_bound(call, 9, 0, 1, 2, terms(call), run_convolution);
    transposed_order(call->args, args);
    transposed_order(call->arg_errors, errors);
    fx_rt_bound other = *call;
    other.args = args;
    other.arg_errors = errors;
    return fx__conv_transpose_bound(&other);
}
