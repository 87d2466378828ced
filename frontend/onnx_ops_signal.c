/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_signal.c: Fourier transforms as products with constant matrices, and the windows and filters that go with them. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>

#define TAU 6.283185307179586476925286766559

/* ---- Numbers of a node
 * ------------------------------------------------------------------------------------------------------------ */

static bool read_number(fx_onnx_call *call, int32_t index, double *out)
{
    const fx_tensor *tensor = fx__onnx_tensor(call, index);
    bool good = tensor && fx_tensor_elems(tensor) == 1;
    if (good)
        *out = fx_tensor_get(tensor, 0);
    else if (!call->failed)
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its input %d must be one number that is known when importing", (int)index);
    return good;
}

/* A size or a step: 1 and more. */
static bool read_count(fx_onnx_call *call, int32_t index, int64_t *out)
{
    double value;
    if (!read_number(call, index, &value)) return false;
    if (!(value >= 1 && value <= 1 << 20)) fx__onnx_error(call, FX_E_FORMAT, "its input %d is %g", (int)index, value);
    *out = call->failed ? 1 : (int64_t)value;
    return !call->failed;
}

static bool read_dtype(fx_onnx_call *call, fx_dtype *out)
{
    int64_t to = fx__onnx_int(call, "output_datatype", 1);
    bool good = to >= 0 && to <= FX_ONNX_TYPE_COUNT && fx__onnx_dtype((int32_t)to, out);
    if (!good) fx__onnx_error(call, FX_E_TYPE, "output_datatype %lld", (long long)to);
    return good;
}

/* ---- Windows
 * ------------------------------------------------------------------------------------------------------------------------ */

/* a - b cos t + c cos 2t over one period. */
static void give_window(fx_onnx_call *call, double a, double b, double c)
{
    int64_t size;
    fx_dtype dtype;
    fx_tensor window;
    if (!read_count(call, 0, &size) || !read_dtype(call, &dtype)) return;
    double period = (double)(fx__onnx_int(call, "periodic", 1) ? size : size - 1);
    if (!fx__onnx_new_tensor(call, dtype, 1, &size, &window)) return;
    for (int64_t i = 0; i < size; i++) {
        double t = period > 0 ? TAU * (double)i / period : 0;
        fx_tensor_set(&window, i, a - b * cos(t) + c * cos(2 * t));
    }
    fx__onnx_give_tensor(call, 0, &window);
}

static void build_hann(fx_onnx_call *call)
{
    give_window(call, 0.5, 0.5, 0);
}
static void build_hamming(fx_onnx_call *call)
{
    give_window(call, 25.0 / 46, 21.0 / 46, 0);
}
static void build_blackman(fx_onnx_call *call)
{
    give_window(call, 0.42, 0.5, 0.08);
}

/* ---- Fourier transforms
 * --------------------------------------------------------------------------------------------------------------- */

typedef struct transform {
    int64_t n, out; /* points; of the result */
    int32_t parts;  /* of the input: 1 real, 2 complex */
    bool inverse;
} transform;

/* [n * parts, out * 2]: rows by point and part, columns by frequency and part. */
static fx_attr fourier_matrix(fx_onnx_call *call, fx_dtype dtype, const transform *t)
{
    const int64_t dim[] = {t->n * t->parts, t->out * 2};
    double turn = t->inverse ? TAU / (double)t->n : -TAU / (double)t->n, scale = t->inverse ? 1 / (double)t->n : 1;
    fx_tensor matrix;
    if (!fx__onnx_new_tensor(call, dtype, 2, dim, &matrix)) return fx_none();
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t k = 0; k < t->out; k++) {
            double angle = turn * (double)(i * k % t->n), re = scale * cos(angle), im = scale * sin(angle);
            int64_t at = (i * t->parts * t->out + k) * 2, next = at + t->out * 2;
            fx_tensor_set(&matrix, at, re);
            fx_tensor_set(&matrix, at + 1, im);
            if (t->parts == 1) continue;
            fx_tensor_set(&matrix, next, -im);
            fx_tensor_set(&matrix, next + 1, re);
        }
    return fx__onnx_constant(call, &matrix);
}

/* The axis with n points of x cut or filled with zeros. */
static fx_attr with_length(fx_onnx_call *call, fx_attr x, const fx_type *type, int32_t axis, int64_t n)
{
    int64_t pads[2 * FX_RANK] = {0}, size = type->dim[axis];
    int32_t behind = type->rank - 1 - axis;
    if (size == n) return x;
    if (size > n) return FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_int(0), fx_int(n), fx_int(1));
    pads[2 * behind + 1] = n - size;
    return FX_EMIT(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pads, 2 * behind + 2), fx_int(0));
}

/* The axis moves beside the parts, both become one dimension, the product gives frequencies and parts, and back. */
static fx_attr transformed(fx_onnx_call *call, fx_attr x, int32_t axis, const transform *t)
{
    const fx_type *type = fx__onnx_type(x);
    int64_t order[FX_RANK], back[FX_RANK];
    fx_dim dims[FX_RANK];
    if (!type) return fx_none();
    int32_t rank = type->rank, n = 0;
    for (int32_t d = 0; d < rank - 1; d++)
        if (d != axis) order[n++] = d;
    order[n++] = axis;
    order[n] = rank - 1;
    for (int32_t d = 0; d < rank; d++) {
        back[order[d]] = d;
        dims[d] = type->dim[order[d]];
    }
    fx_attr beside = FX_EMIT(call, "aten.permute.default", x, fx__onnx_list(call, order, rank));
    fx_attr rows = FX_EMIT(call, "aten.flatten.using_ints", beside, fx_int(rank - 2), fx_int(rank - 1));
    fx_attr product = FX_EMIT(call, "aten.matmul.default", rows, fourier_matrix(call, type->dtype, t));
    dims[rank - 2] = t->out;
    dims[rank - 1] = 2;
    fx_attr apart = FX_EMIT(call, "aten.reshape.default", product, fx__onnx_dims(call, dims, rank));
    return FX_EMIT(call, "aten.permute.default", apart, fx__onnx_list(call, back, rank));
}

/* Real and imaginary part, or only the real one, in the last dimension; the axis is of constant size. */
static bool is_signal(fx_onnx_call *call, const fx_type *type, int32_t axis)
{
    if (type->rank >= 2 && axis < type->rank - 1 && (type->dim[type->rank - 1] == 1 || type->dim[type->rank - 1] == 2) &&
        fx_dim_is_const(type->dim[axis]))
        return true;
    fx__onnx_error(call, FX_E_SHAPE, "needs a constant size to transform, and 1 or 2 parts in the last dimension");
    return false;
}

static void build_dft(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK] = {call->opset >= 20 ? -2 : fx__onnx_int(call, "axis", 1)}, n = 0;
    if (!type || (fx__onnx_has(call, 2) && fx__onnx_ints_of(call, 2, "axis", axes) != 1)) return;
    int32_t axis = fx__onnx_axis(call, axes[0], type->rank);
    if (call->failed || !is_signal(call, type, axis)) return;
    if (fx__onnx_has(call, 1) ? !read_count(call, 1, &n) : (n = type->dim[axis]) < 1) return;
    bool half = fx__onnx_int(call, "onesided", 0) != 0;
    transform t = {n, half ? n / 2 + 1 : n, (int32_t)type->dim[type->rank - 1], fx__onnx_int(call, "inverse", 0) != 0};
    if (t.inverse && half)
        fx__onnx_error(call, FX_E_UNSUPPORTED, "inverse and onesided together");
    else
        fx__onnx_give(call, 0, transformed(call, with_length(call, x, type, axis, n), axis, &t));
}

/* signal [B, L, parts] to frames [B, F, n, parts]. */
static fx_attr frames_of(fx_onnx_call *call, fx_attr x, const fx_type *type, int64_t step, int64_t n)
{
    int64_t count = type->dim[1] >= n ? (type->dim[1] - n) / step + 1 : 0, elems = count * n;
    const fx_dim dims[] = {type->dim[0], count, n, type->dim[2]};
    fx_tensor at;
    if (!fx__onnx_new_tensor(call, FX_I64, 1, &elems, &at)) return fx_none();
    for (int64_t i = 0; i < elems; i++) ((int64_t *)at.data)[i] = i / n * step + i % n;
    fx_attr picked = FX_EMIT(call, "aten.index_select.default", x, fx_int(1), fx__onnx_constant(call, &at));
    return FX_EMIT(call, "aten.reshape.default", picked, fx__onnx_dims(call, dims, 4));
}

static void build_stft(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0), window = fx__onnx_in(call, 2);
    const fx_type *type = fx__onnx_need_type(call, x), *of_window = fx__onnx_type(window);
    int64_t step, n = of_window && of_window->rank == 1 ? of_window->dim[0] : 0;
    if (!type || !read_count(call, 1, &step) || (fx__onnx_has(call, 3) && !read_count(call, 3, &n))) return;
    if (type->rank != 3 || !fx_dim_is_const(n) || n < 1)
        fx__onnx_error(call, FX_E_SHAPE, "needs [batch, steps, parts] and a frame length");
    if (call->failed || !is_signal(call, type, 1)) return;
    fx_attr frames = frames_of(call, x, type, step, n);
    if (of_window) frames = FX_EMIT(call, "aten.mul.Tensor", frames, FX_EMIT(call, "aten.unsqueeze.default", window, fx_int(-1)));
    bool half = fx__onnx_int(call, "onesided", 1) != 0;
    transform t = {n, half ? n / 2 + 1 : n, (int32_t)type->dim[2], false};
    fx__onnx_give(call, 0, transformed(call, frames, 2, &t));
}

/* ---- Mel filters
 * ------------------------------------------------------------------------------------------------------------------------ */

static double mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* A column: from 0 at bin `low` up to 1 at `centre`, down to 0 at `high`. */
static void fill_triangle(fx_tensor *out, int64_t column, int64_t low, int64_t centre, int64_t high)
{
    int64_t bins = out->dim[0], columns = out->dim[1];
    for (int64_t j = low; j <= centre && j < bins; j++)
        fx_tensor_set(out, j * columns + column, centre == low ? 1 : (double)(j - low) / (double)(centre - low));
    for (int64_t j = centre; j < high && j < bins; j++)
        fx_tensor_set(out, j * columns + column, (double)(high - j) / (double)(high - centre));
}

static void build_mel(fx_onnx_call *call)
{
    int64_t columns, length, rate;
    double low, high;
    fx_dtype dtype;
    fx_tensor out;
    if (!read_count(call, 0, &columns) || !read_count(call, 1, &length) || !read_count(call, 2, &rate)) return;
    if (!read_number(call, 3, &low) || !read_number(call, 4, &high) || !read_dtype(call, &dtype)) return;
    const int64_t dim[] = {length / 2 + 1, columns};
    double step = (mel(high) - mel(low)) / (double)(columns + 2);
    int64_t *edge = FX_NEW_ARRAY(call->import->arena, int64_t, columns + 2);
    if (!edge || !(low >= 0 && high >= low && high < 1e9)) fx__onnx_error(call, FX_E_FORMAT, "edges of %g and %g hertz", low, high);
    if (call->failed || !fx__onnx_new_tensor(call, dtype, 2, dim, &out)) return;
    for (int64_t i = 0; i < columns + 2; i++)
        edge[i] = (int64_t)floor((double)(length + 1) * 700 * (pow(10, ((double)i * step + mel(low)) / 2595) - 1) / (double)rate);
    for (int64_t i = 0; i < columns; i++) fill_triangle(&out, i, edge[i], edge[i + 1], edge[i + 2]);
    fx__onnx_give_tensor(call, 0, &out);
}

const fx_onnx_op fx__onnx_ops_signal[] = {
    {"BlackmanWindow", 17, 1, 1, 1, build_blackman},
    {"DFT", 17, 1, 3, 1, build_dft},
    {"HammingWindow", 17, 1, 1, 1, build_hamming},
    {"HannWindow", 17, 1, 1, 1, build_hann},
    {"MelWeightMatrix", 17, 5, 5, 1, build_mel},
    {"STFT", 17, 2, 4, 1, build_stft},
    {0},
};
