/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of images as columns of blocks, and back. */
#include "ir/ops/window_ref.h"
#include <math.h>

typedef struct blocks {
    fx_window_ref w;
    int32_t lead; /* 1: there is a batch dim */
} blocks;

static int64_t blocks_along(const fx_window_ref *w, int32_t i)
{
    return (w->in[i] + w->begin[i] + w->end[i] - (w->size[i] - 1) * w->dilation[i] - 1) / w->stride[i] + 1;
}

/* args: kernel_size, dilation, padding, stride */
static blocks read_blocks(const fx_rt_arg *args, int64_t height, int64_t width, int32_t lead)
{
    blocks b = {.w.n = 2, .w.in = {height, width}, .lead = lead};
    for (int32_t i = 0; i < 2; i++) b.w.size[i] = fx__window_ref_entry(&args[0], i, 1);
    fx__window_ref_read(&b.w, &args[3], &args[2], &args[1]);
    for (int32_t i = 0; i < 2; i++) b.w.out[i] = blocks_along(&b.w, i);
    return b;
}

/* im2col(self, kernel_size, dilation, padding, stride) */
fx_status fx__im2col_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    blocks b = read_blocks(args + 1, x->dim[x->rank - 2], x->dim[x->rank - 1], x->rank - 3);
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        int64_t row = at[b.lead], column = at[b.lead + 1];
        int64_t h = column / b.w.out[1] * b.w.stride[0] + row / b.w.size[1] % b.w.size[0] * b.w.dilation[0] - b.w.begin[0];
        int64_t v = column % b.w.out[1] * b.w.stride[1] + row % b.w.size[1] * b.w.dilation[1] - b.w.begin[1];
        bool inside = h >= 0 && h < b.w.in[0] && v >= 0 && v < b.w.in[1];
        from[0] = at[0];
        from[b.lead] = row / (b.w.size[0] * b.w.size[1]);
        from[b.lead + 1] = h;
        from[b.lead + 2] = v;
        fx__ref_store(results, at, inside ? fx__ref_load(x, from) : fx__scalar_from_double(results->dtype, 0));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* The window that holds `position` as its element k; -1: none. */
static int64_t window_of(const fx_window_ref *w, int32_t i, int64_t position, int64_t k)
{
    int64_t start = position + w->begin[i] - k * w->dilation[i];
    return start >= 0 && start % w->stride[i] == 0 && start / w->stride[i] < w->out[i] ? start / w->stride[i] : -1;
}

/* Sum over the blocks that cover this element of the image; of absolute values for bounds. */
static double sum_at(const blocks *b, const fx_tensor *x, const int64_t *at, bool absolute)
{
    int64_t from[FX_RANK] = {at[0]};
    double sum = 0;
    for (int64_t i = 0; i < b->w.size[0]; i++)
        for (int64_t j = 0; j < b->w.size[1]; j++) {
            int64_t h = window_of(&b->w, 0, at[b->lead + 1], i), v = window_of(&b->w, 1, at[b->lead + 2], j);
            if (h < 0 || v < 0) continue;
            from[b->lead] = (at[b->lead] * b->w.size[0] + i) * b->w.size[1] + j;
            from[b->lead + 1] = h * b->w.out[1] + v;
            double value = fx__ref_get(x, from);
            sum += absolute ? fabs(value) : value;
        }
    return sum;
}

/* col2im(self, output_size, kernel_size, dilation, padding, stride) */
static blocks image_of(const fx_rt_arg *args, const fx_tensor *out)
{
    return read_blocks(args + 2, out->dim[out->rank - 2], out->dim[out->rank - 1], out->rank - 3);
}

fx_status fx__col2im_ref(const fx_rt_arg *args, fx_tensor *results)
{
    blocks b = image_of(args, results);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do fx__ref_set(results, at, sum_at(&b, args[0].u.tensor, at, false));
    while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* As of every sum: (terms + 2) eps of the terms' sizes, and the errors. */
fx_status fx__col2im_bound(const fx_rt_bound *call)
{
    blocks b = image_of(call->args, call->results);
    const fx_rt_arg *error = &call->arg_errors[0];
    bool some = error->kind == FX_RT_TENSOR && error->u.tensor->data;
    double terms = (double)(b.w.size[0] * b.w.size[1] + 2);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return FX_OK;
    do {
        double own = terms * call->eps * sum_at(&b, call->args[0].u.tensor, at, true);
        fx__ref_set(call->errors, at, own + (some ? sum_at(&b, error->u.tensor, at, true) : 0));
    } while (fx__ref_next(call->errors->rank, call->errors->dim, at));
    return FX_OK;
}
