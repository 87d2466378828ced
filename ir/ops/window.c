/* SPDX-License-Identifier: Apache-2.0 */
/* Sliding windows of convolution and pooling: attributes, result sizes, index expressions; see window.h. */
#include "ir/ops/window.h"
#include "ir/ops/check.h"
#include <string.h>

static fx_status wrong_count(const fx_call *call, int32_t index, int32_t n)
{
    return fx__call_error(call, FX_E_ARG, "%s needs 1 or %d entries", fx__op_params(call->op, &(int32_t){0})[index].name, n);
}

/* Ints that must be at least 1. */
static fx_status read_positive(const fx_call *call, int32_t index, int32_t n, int64_t *out)
{
    int64_t value[FX_RANK];
    int32_t count = fx__call_ints(call, index, n, value);
    if (count != n) return wrong_count(call, index, n);
    for (int32_t i = 0; i < n; i++) {
        if (value[i] < 1)
            return fx__call_error(call, FX_E_ARG, "%s is %lld, expected at least 1",
                                  fx__op_params(call->op, &(int32_t){0})[index].name, (long long)value[i]);
        out[i] = value[i];
    }
    return FX_OK;
}

/* Padding by name: "same" keeps the size, the odd one goes to the end. */
static fx_status read_named_padding(const fx_call *call, const char *name, fx_window *w)
{
    if (strcmp(name, "valid") == 0) return FX_OK;
    if (strcmp(name, "same") != 0) return fx__call_error(call, FX_E_ARG, "padding is '%s', expected 'same' or 'valid'", name);
    for (int32_t i = 0; i < w->n; i++) {
        if (w->stride[i] != 1)
            return fx__call_error(call, FX_E_ARG, "padding 'same' needs stride 1, got %lld", (long long)w->stride[i]);
        if (!fx_dim_is_const(w->size[i]))
            return fx__call_error(call, FX_E_UNSUPPORTED, "padding 'same' needs a constant kernel size");
        int64_t total = w->dilation[i] * (w->size[i] - 1);
        w->begin[i] = total / 2;
        w->end[i] = total - total / 2;
    }
    return FX_OK;
}

static fx_status read_padding(const fx_call *call, int32_t index, fx_window *w)
{
    if (call->arg[index].kind == FX_ATTR_STR) return read_named_padding(call, call->arg[index].u.s, w);
    int64_t value[FX_RANK];
    int32_t count = fx__call_ints(call, index, w->n, value);
    if (count == 0) return FX_OK;
    if (count != w->n && count != 2 * w->n) return wrong_count(call, index, w->n);
    for (int32_t i = 0; i < count; i++)
        if (value[i] < 0) return fx__call_error(call, FX_E_ARG, "padding is %lld, expected at least 0", (long long)value[i]);
    for (int32_t i = 0; i < w->n; i++) {
        w->begin[i] = value[i];
        w->end[i] = value[count == w->n ? i : w->n + i];
    }
    return FX_OK;
}

static bool is_empty(const fx_call *call, int32_t index)
{
    const fx_attr *value = &call->arg[index];
    return value->kind == FX_ATTR_NONE || ((value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE) && value->n == 0);
}

fx_status fx__window_read(const fx_call *call, int32_t stride, int32_t padding, int32_t dilation, fx_window *w)
{
    for (int32_t i = 0; i < w->n; i++) {
        w->stride[i] = fx_dim_is_const(w->size[i]) ? w->size[i] : 1; /* sizes of pooling are constants */
        w->dilation[i] = 1;
        w->begin[i] = w->end[i] = 0;
    }
    if (!is_empty(call, stride)) FX_TRY(read_positive(call, stride, w->n, w->stride));
    if (dilation >= 0) FX_TRY(read_positive(call, dilation, w->n, w->dilation));
    return read_padding(call, padding, w);
}

fx_status fx__window_out(const fx_call *call, const fx_window *w, int32_t i, fx_dim in, fx_dim *out)
{
    fx_dims *d = call->dims;
    fx_dim padded = fx__dim_add(d, in, w->begin[i] + w->end[i]);
    fx_dim extent = fx__dim_add(d, fx__dim_mul(d, w->dilation[i], fx__dim_sub(d, w->size[i], 1)), 1);
    if (padded == FX_DIM_BAD || extent == FX_DIM_BAD) return fx__call_error(call, FX_E_SHAPE, "a padded size overflows");
    if (!fx__dims_assume(d, FX_GUARD_LE, extent, padded, "a window fits into the padded input"))
        return fx__call_error(call, FX_E_SHAPE, "padded input size %s is smaller than the window, %s",
                              fx__check_dim(call, padded).s, fx__check_dim(call, extent).s);
    fx_dim room = fx__dim_sub(d, padded, extent);
    *out = fx__dim_add(d, w->ceil ? fx__dim_ceildiv(d, room, w->stride[i]) : fx__dim_floordiv(d, room, w->stride[i]), 1);
    if (w->ceil) { /* the last window begins inside the input or its leading padding */
        fx_dim begins = fx__dim_floordiv(d, fx__dim_add(d, in, w->begin[i] - 1), w->stride[i]);
        *out = fx__dim_min(d, *out, fx__dim_add(d, begins, 1));
    }
    return FX_OK;
}

fx_index fx__window_index(const fx_window *w, int32_t i, uint8_t out_axis, uint8_t window_axis)
{
    return (fx_index){
        .base = -w->begin[i],
        .n = 2,
        .term = {{.axis = out_axis, .coef = w->stride[i], .div = 1}, {.axis = window_axis, .coef = w->dilation[i], .div = 1}},
        .value = -1};
}

bool fx__window_leaves(const fx_window *w, const fx_dim *in)
{
    if (w->ceil) return true;
    for (int32_t i = 0; i < w->n; i++)
        if (w->begin[i] || w->end[i] || !fx_dim_is_const(in[i]) || !fx_dim_is_const(w->size[i])) return true;
    return false;
}

const char *fx__window_name(const fx_window *w, int32_t i)
{
    static const char *const names[] = {"d", "h", "w"};
    return names[FX_WINDOW_DIMS - w->n + i];
}

const char *fx__window_kernel_name(const fx_window *w, int32_t i)
{
    static const char *const names[] = {"kd", "kh", "kw"};
    return names[FX_WINDOW_DIMS - w->n + i];
}
