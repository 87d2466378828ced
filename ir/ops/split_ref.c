/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of operators with several results, and of the selection of one. */
#include "runtime/ref.h"

static int32_t axis(const fx_tensor *t, int64_t d)
{
    return (int32_t)(d < 0 ? d + t->rank : d);
}

static fx_status copy_pieces(const fx_tensor *x, int32_t d, int64_t n, fx_tensor *results)
{
    fx_tensor piece = *x;
    int64_t offset = 0;
    for (int64_t i = 0; i < n; i++) {
        piece.dim[d] = results[i].dim[d];
        piece.data = (char *)x->data + offset * x->stride[d] * (int64_t)fx_dtype_bytes(x->dtype);
        offset += piece.dim[d];
        if (offset > x->dim[d]) return FX_E_SHAPE;
        fx_status status = fx_tensor_copy(&results[i], &piece);
        if (status != FX_OK) return status;
    }
    return offset == x->dim[d] ? FX_OK : FX_E_SHAPE;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* split(self, sizes, dim): one size stands for as many pieces as it takes. */
fx_status fx__split_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int32_t d = axis(x, args[2].u.i);
    int64_t n = args[1].n;
    if (n == 1) n = x->dim[d] == 0 ? 1 : ceil_div(x->dim[d], args[1].u.ints[0]);
    return copy_pieces(x, d, n, results);
}

/* chunk(self, chunks, dim) */
fx_status fx__chunk_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int32_t d = axis(x, args[2].u.i);
    int64_t size = ceil_div(x->dim[d], args[1].u.i);
    return copy_pieces(x, d, size ? ceil_div(x->dim[d], size) : args[1].u.i, results);
}

/* Row i along dim d, without that dim. */
static fx_tensor row(const fx_tensor *x, int32_t d, int64_t i)
{
    fx_tensor out = *x;
    out.data = (char *)x->data + i * x->stride[d] * (int64_t)fx_dtype_bytes(x->dtype);
    out.rank--;
    for (int32_t r = d; r < out.rank; r++) out.dim[r] = x->dim[r + 1], out.stride[r] = x->stride[r + 1];
    return out;
}

/* unbind(self, dim) */
fx_status fx__unbind_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int32_t d = axis(x, args[1].u.i);
    for (int64_t i = 0; i < x->dim[d]; i++) {
        fx_tensor piece = row(x, d, i);
        fx_status status = fx_tensor_copy(&results[i], &piece);
        if (status != FX_OK) return status;
    }
    return FX_OK;
}

/* tuple(tensors) */
fx_status fx__tuple_ref(const fx_rt_arg *args, fx_tensor *results)
{
    for (int32_t i = 0; i < args[0].n; i++) {
        fx_status status = fx_tensor_copy(&results[i], &args[0].u.tensor[i]);
        if (status != FX_OK) return status;
    }
    return FX_OK;
}

/* getitem(self, index): of a tuple the tensor, of a tensor (which has one dim more than the result) the row. */
fx_status fx__getitem_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor;
    int64_t i = args[1].u.i;
    if (args[0].n > 1 || x->rank == results->rank) return fx_tensor_copy(results, &x[i < 0 ? i + args[0].n : i]);
    fx_tensor piece = row(x, 0, i < 0 ? i + x->dim[0] : i);
    return fx_tensor_copy(results, &piece);
}
