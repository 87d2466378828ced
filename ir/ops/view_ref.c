/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of operators whose result is a view of their input: the view is made as a tensor with other strides and
 * copied, so that a wrong size in a shape rule shows as FX_E_SHAPE. */
#include "runtime/ref.h"

static int64_t int_at(const fx_rt_arg *arg, int32_t i)
{
    return arg->kind == FX_RT_INTS ? arg->u.ints[i] : arg->u.i;
}
static int32_t int_count(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_INTS ? arg->n : arg->kind == FX_RT_INT;
}

static int32_t axis(const fx_tensor *t, int64_t d)
{
    return (int32_t)(d < 0 ? d + (t->rank ? t->rank : 1) : d);
}

static void *advanced(const fx_tensor *t, int64_t elems)
{
    return (char *)t->data + elems * (int64_t)fx_dtype_bytes(t->dtype);
}

/* Row-major order of both sides: view, reshape, flatten, unflatten, squeeze, unsqueeze. */
fx_status fx__reshape_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    if (fx_tensor_elems(x) != fx_tensor_elems(results)) return FX_E_SHAPE;
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    int64_t from[FX_RANK] = {0}, to[FX_RANK] = {0};
    do {
        fx__ref_store(results, to, fx__ref_load(x, from));
        fx__ref_next(x->rank, x->dim, from);
    } while (fx__ref_next(results->rank, results->dim, to));
    return FX_OK;
}

/* permute(self, dims) */
fx_status fx__permute_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *x;
    for (int32_t d = 0; d < x->rank; d++) {
        int32_t from = axis(x, int_at(&args[1], d));
        view.dim[d] = x->dim[from];
        view.stride[d] = x->stride[from];
    }
    return fx_tensor_copy(results, &view);
}

static fx_tensor swapped(const fx_tensor *x, int32_t a, int32_t b)
{
    fx_tensor view = *x;
    view.dim[a] = x->dim[b], view.stride[a] = x->stride[b];
    view.dim[b] = x->dim[a], view.stride[b] = x->stride[a];
    return view;
}

/* transpose(self, dim0, dim1) */
fx_status fx__transpose_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = x->rank ? swapped(x, axis(x, args[1].u.i), axis(x, args[2].u.i)) : *x;
    return fx_tensor_copy(results, &view);
}

fx_status fx__t_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = x->rank == 2 ? swapped(x, 0, 1) : *x;
    return fx_tensor_copy(results, &view);
}

/* expand(self, size): size-1 dims repeat, new dims stand in front. */
fx_status fx__expand_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *results;
    int32_t front = results->rank - x->rank;
    view.data = x->data;
    for (int32_t d = 0; d < results->rank; d++) {
        bool own = d >= front && x->dim[d - front] == results->dim[d];
        if (!own && d >= front && x->dim[d - front] != 1) return FX_E_SHAPE;
        view.stride[d] = own ? x->stride[d - front] : 0;
    }
    return fx_tensor_copy(results, &view);
}

static int64_t clamp_index(int64_t i, int64_t size)
{
    if (i < 0) i += size;
    return i < 0 ? 0 : i > size ? size : i;
}

/* slice(self, dim, start, end, step) */
fx_status fx__slice_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *x;
    int32_t d = axis(x, args[1].u.i);
    int64_t start = args[2].kind == FX_RT_NONE ? 0 : clamp_index(args[2].u.i, x->dim[d]);
    int64_t end = args[3].kind == FX_RT_NONE ? x->dim[d] : clamp_index(args[3].u.i, x->dim[d]), step = args[4].u.i;
    view.dim[d] = end > start ? (end - start + step - 1) / step : 0;
    view.data = advanced(x, start * x->stride[d]);
    view.stride[d] = step * x->stride[d];
    return fx_tensor_copy(results, &view);
}

/* narrow(self, dim, start, length) */
fx_status fx__narrow_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *x;
    int32_t d = axis(x, args[1].u.i);
    int64_t start = args[2].u.i < 0 ? args[2].u.i + x->dim[d] : args[2].u.i;
    if (start < 0 || start + args[3].u.i > x->dim[d]) return FX_E_INDEX;
    view.dim[d] = args[3].u.i;
    view.data = advanced(x, start * x->stride[d]);
    return fx_tensor_copy(results, &view);
}

/* select(self, dim, index) */
fx_status fx__select_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *x;
    int32_t d = axis(x, args[1].u.i);
    int64_t index = args[2].u.i < 0 ? args[2].u.i + x->dim[d] : args[2].u.i;
    if (index < 0 || index >= x->dim[d]) return FX_E_INDEX;
    view.data = advanced(x, index * x->stride[d]);
    view.rank--;
    for (int32_t i = d; i < view.rank; i++) view.dim[i] = x->dim[i + 1], view.stride[i] = x->stride[i + 1];
    return fx_tensor_copy(results, &view);
}

/* flip(self, dims) */
fx_status fx__flip_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    fx_tensor view = *x;
    if (fx__ref_empty(x->rank, x->dim)) return FX_OK;
    for (int32_t i = 0; i < int_count(&args[1]); i++) {
        int32_t d = axis(x, int_at(&args[1], i));
        if (x->rank == 0) continue;
        view.data = advanced(&view, (x->dim[d] - 1) * x->stride[d]);
        view.stride[d] = -x->stride[d];
    }
    return fx_tensor_copy(results, &view);
}
