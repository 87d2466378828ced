/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_fill.c: adapters of operators that make tensors from sizes or repeat a tensor's elements: Range, EyeLike, Trilu, Tile,
 * and padding with elements of the input. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>
#include <string.h>

/* ---- Made from sizes ----------------------------------------------------------------------------------------------------------
 */

static bool one_number(fx_onnx_call *call, int32_t index, double *out)
{
    const fx_tensor *tensor = fx__onnx_tensor(call, index);
    bool good = tensor && fx_tensor_elems(tensor) == 1;
    if (good)
        *out = fx_tensor_get(tensor, 0);
    else
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its input %d must be one number that is known when importing", (int)index);
    return good;
}

/* Whether sizes with symbols are among the limits; then the range is made at run time. */
static bool range_of_symbols(fx_onnx_call *call)
{
    const fx_onnx_known *limit[3];
    bool constant = true;
    for (int32_t i = 0; i < 3; i++) {
        limit[i] = fx__onnx_known(call, i);
        if (!limit[i] || limit[i]->n != 1) return false;
        constant = constant && fx_dim_is_const(limit[i]->item[0]);
    }
    if (constant) return false;
    FX_GIVE(call, "aten.arange.default", fx_dim_attr(limit[0]->item[0]), fx_dim_attr(limit[1]->item[0]),
            fx_dim_attr(limit[2]->item[0]), fx_dtype_attr(limit[0]->dtype));
    return true;
}

static void build_range(fx_onnx_call *call)
{
    double start, limit, delta;
    fx_tensor values;
    if (range_of_symbols(call)) return;
    if (!one_number(call, 0, &start) || !one_number(call, 1, &limit) || !one_number(call, 2, &delta)) return;
    double n = ceil((limit - start) / delta);
    if (!(n <= INT32_MAX)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "has no or too many elements");
        return;
    }
    int64_t dim = n > 0 ? (int64_t)n : 0;
    if (!fx__onnx_new_tensor(call, fx__onnx_tensor(call, 0)->dtype, 1, &dim, &values)) return;
    for (int64_t i = 0; i < dim; i++) fx_tensor_set(&values, i, start + (double)i * delta);
    fx__onnx_give_tensor(call, 0, &values);
}

/* The rows and columns of the last two axes, when they are constant. */
static const fx_type *matrix_type(fx_onnx_call *call, fx_attr x, int64_t size[2])
{
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type) return NULL;
    bool constant = type->rank >= 2;
    for (int32_t i = 0; i < 2 && constant; i++) {
        size[i] = type->dim[type->rank - 2 + i];
        constant = fx_dim_is_const(size[i]);
    }
    if (!constant) fx__onnx_error(call, FX_E_UNSUPPORTED, "needs matrices of constant size");
    return constant ? type : NULL;
}

static void build_eye_like(fx_onnx_call *call)
{
    int64_t size[2], k = fx__onnx_int(call, "k", 0), to = fx__onnx_int(call, "dtype", -1);
    const fx_type *type = matrix_type(call, fx__onnx_in(call, 0), size);
    fx_tensor eye;
    if (!type) return;
    fx_dtype dtype = type->dtype;
    if (to >= 0 && (to > FX_ONNX_TYPE_COUNT || !fx__onnx_dtype((int32_t)to, &dtype))) {
        fx__onnx_error(call, FX_E_TYPE, "fxjit has no element type %lld", (long long)to);
        return;
    }
    if (!fx__onnx_new_tensor(call, dtype, 2, size, &eye)) return;
    if (k <= -size[0] || k >= size[1]) k = size[1]; /* no element is on it */
    for (int64_t row = 0; row < size[0]; row++)
        if (row + k >= 0 && row + k < size[1]) fx_tensor_set(&eye, row * size[1] + row + k, 1);
    fx__onnx_give_tensor(call, 0, &eye);
}

static void build_trilu(fx_onnx_call *call)
{
    const fx_onnx_known *diagonal = fx__onnx_has(call, 1) ? fx__onnx_need_known(call, 1, "diagonal") : NULL;
    fx_attr k = diagonal && diagonal->n == 1 ? fx_dim_attr(diagonal->item[0]) : fx_int(0);
    FX_GIVE(call, fx__onnx_int(call, "upper", 1) ? "aten.triu.default" : "aten.tril.default", fx__onnx_in(call, 0), k);
}

/* ---- Running results -----------------------------------------------------------------------------------------------------------
 */

static fx_attr flipped(fx_onnx_call *call, fx_attr x, int64_t axis, bool wanted)
{
    return wanted ? FX_EMIT(call, "aten.flip.default", x, fx__onnx_list(call, &axis, 1)) : x;
}

/* The result of all elements before: moved by one, and `first` in the place of the first. */
static fx_attr excluded(fx_onnx_call *call, fx_attr x, const fx_type *type, int32_t axis, fx_attr first)
{
    int64_t pads[2 * FX_RANK] = {0};
    int32_t behind = type->rank - 1 - axis;
    pads[2 * behind] = 1;
    pads[2 * behind + 1] = -1;
    return FX_EMIT(call, "aten.constant_pad_nd.default", x, fx__onnx_list(call, pads, 2 * behind + 2), first);
}

/* In reverse: along the flipped axis, and back. */
static void build_running(fx_onnx_call *call, const char *target, int64_t first)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t axes[FX_RANK];
    bool reverse = fx__onnx_int(call, "reverse", 0) != 0;
    if (!type || fx__onnx_ints_of(call, 1, "axis", axes) != 1) {
        if (type && !call->failed) fx__onnx_error(call, FX_E_FORMAT, "its axis is not one number");
        return;
    }
    int32_t axis = fx__onnx_axis(call, axes[0], type->rank);
    fx_attr sums = FX_EMIT(call, target, flipped(call, x, axis, reverse), fx_int(axis), fx_dtype_attr(type->dtype));
    if (fx__onnx_int(call, "exclusive", 0)) sums = excluded(call, sums, type, axis, fx_int(first));
    fx__onnx_give(call, 0, flipped(call, sums, axis, reverse));
}

static void build_cumsum(fx_onnx_call *call)
{
    build_running(call, "aten.cumsum.default", 0);
}
static void build_cumprod(fx_onnx_call *call)
{
    build_running(call, "aten.cumprod.default", 1);
}

/* ---- Repeating ----------------------------------------------------------------------------------------------------------------
 */

/* An axis of size s repeated n times: [n, s] read as one axis. */
static fx_attr repeat_axis(fx_onnx_call *call, fx_attr x, int32_t axis, fx_dim n)
{
    const fx_type *type = fx__onnx_type(x);
    fx_dim wide[FX_RANK], flat[FX_RANK];
    if (!type || n == 1) return x;
    if (type->rank == FX_RANK) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "more than %d dimensions", FX_RANK - 1);
        return fx_none();
    }
    int32_t rank = type->rank;
    for (int32_t i = 0; i < rank; i++) flat[i] = wide[i + (i >= axis)] = type->dim[i];
    wide[axis] = n;
    flat[axis] = fx__dim_mul(call->import->graph->dims, type->dim[axis], n);
    fx_attr apart = FX_EMIT(call, "aten.unsqueeze.default", x, fx_int(axis));
    fx_attr many = FX_EMIT(call, "aten.expand.default", apart, fx__onnx_dims(call, wide, rank + 1));
    return FX_EMIT(call, "aten.reshape.default", many, fx__onnx_dims(call, flat, rank));
}

static void build_tile(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    const fx_onnx_known *repeats = fx__onnx_need_known(call, 1, "repeats");
    if (!type || !repeats) return;
    if (repeats->n != type->rank) {
        fx__onnx_error(call, FX_E_SHAPE, "%d repeats for %d dimensions", (int)repeats->n, (int)type->rank);
        return;
    }
    for (int32_t axis = 0; axis < repeats->n; axis++) x = repeat_axis(call, x, axis, repeats->item[axis]);
    fx__onnx_give(call, 0, x);
}

/* ---- Padding with elements of the input ----------------------------------------------------------------------------------------
 */

typedef enum pad_mode { PAD_EDGE, PAD_REFLECT, PAD_WRAP } pad_mode;

static fx_attr piece(fx_onnx_call *call, fx_attr x, int32_t axis, int64_t from, int64_t to)
{
    return FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_int(from), fx_int(to), fx_int(1));
}

/* `n` elements that stand before (or behind) an axis of this size. */
static fx_attr border(fx_onnx_call *call, fx_attr x, pad_mode mode, int32_t axis, int64_t n, bool before)
{
    const fx_type *type = fx__onnx_type(x);
    if (!type) return fx_none();
    int64_t size = type->dim[axis];
    fx_dim dims[FX_RANK];
    if (mode == PAD_WRAP) return before ? piece(call, x, axis, size - n, size) : piece(call, x, axis, 0, n);
    if (mode == PAD_REFLECT) {
        fx_attr part = before ? piece(call, x, axis, 1, n + 1) : piece(call, x, axis, size - 1 - n, size - 1);
        return FX_EMIT(call, "aten.flip.default", part, fx__onnx_list(call, &(int64_t){axis}, 1));
    }
    for (int32_t i = 0; i < type->rank; i++) dims[i] = i == axis ? n : type->dim[i];
    fx_attr edge = before ? piece(call, x, axis, 0, 1) : piece(call, x, axis, size - 1, size);
    return FX_EMIT(call, "aten.expand.default", edge, fx__onnx_dims(call, dims, type->rank));
}

static fx_attr pad_axis(fx_onnx_call *call, fx_attr x, pad_mode mode, int32_t axis, int64_t begin, int64_t end)
{
    const fx_type *type = fx__onnx_type(x);
    if (!type || (begin == 0 && end == 0)) return x;
    int64_t size = type->dim[axis], most = mode == PAD_EDGE ? INT32_MAX : mode == PAD_WRAP ? size : size - 1;
    if (!fx_dim_is_const(size) || size < 1 || begin < 0 || end < 0 || begin > most || end > most) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "pads of axis %d are negative, longer than the axis, or its size is not constant",
                       (int)axis);
        return fx_none();
    }
    fx_attr parts[3];
    int32_t n = 0;
    if (begin) parts[n++] = border(call, x, mode, axis, begin, true);
    parts[n++] = x;
    if (end) parts[n++] = border(call, x, mode, axis, end, false);
    return FX_EMIT(call, "aten.cat.default", fx_list(call->import->graph, parts, n), fx_int(axis));
}

void fx__onnx_pad_by_input(fx_onnx_call *call, const char *mode, const int64_t *pads, const int64_t *axes, int32_t n)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    pad_mode kind = strcmp(mode, "reflect") == 0 ? PAD_REFLECT : strcmp(mode, "wrap") == 0 ? PAD_WRAP : PAD_EDGE;
    if (!type) return;
    if (kind == PAD_EDGE && strcmp(mode, "edge") != 0) fx__onnx_error(call, FX_E_UNSUPPORTED, "mode \"%s\"", mode);
    for (int32_t i = 0; i < n && !call->failed; i++)
        x = pad_axis(call, x, kind, fx__onnx_axis(call, axes[i], type->rank), pads[i], pads[i + n]);
    fx__onnx_give(call, 0, x);
}

const fx_onnx_op fx__onnx_ops_fill[] = {
    {"CumProd", 26, 2, 2, 1, build_cumprod},
    {"CumSum", 11, 2, 2, 1, build_cumsum},
    {"EyeLike", 9, 1, 1, 1, build_eye_like},
    {"Range", 11, 3, 3, 1, build_range},
    {"Tile", 6, 2, 2, 1, build_tile},
    {"Trilu", 14, 1, 2, 1, build_trilu},
    {0},
};
