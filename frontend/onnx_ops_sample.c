/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_sample.c: GridSample: an image read at computed places. Planes have a row of their own (ir/ops/grid_sampler.c). For
 * lines and volumes: along each spatial axis a place has a few taps, positions and weights; the result is the sum over all
 * combinations of taps. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <string.h>

typedef enum edge_mode { ZEROS, BORDER, REFLECTION, EDGES } edge_mode;
enum { TAPS = 4, AXES = 3 };

typedef struct axis_taps {
    int32_t n;
    fx_attr at[TAPS], weight[TAPS], inside[TAPS]; /* i64, float (none: 1), bool (none: always) */
} axis_taps;

typedef struct sampler {
    fx_onnx_call *call;
    int32_t n_axes;
    edge_mode edge;
    bool nearest, cubic, corners;
    fx_attr image, grid; /* image: [N, spatial..., C] */
    const fx_type *type; /* of the input */
    axis_taps taps[AXES];
} sampler;

#define OP1(target, x) FX_EMIT(s->call, target, x)
#define OP2(target, x, y) FX_EMIT(s->call, target, x, y)

static fx_attr scaled(const sampler *s, fx_attr x, double factor, double offset)
{
    return OP2("aten.add.Scalar", OP2("aten.mul.Scalar", x, fx_float(factor)), fx_float(offset));
}

static fx_attr clamped(const sampler *s, fx_attr x, double lo, double hi)
{
    return FX_EMIT(s->call, "aten.clamp.default", x, fx_float(lo), fx_float(hi));
}

/* Thrown back at both ends until it lies between them. */
static fx_attr reflected(const sampler *s, fx_attr x, double size)
{
    double lo = s->corners ? 0 : -0.5, span = s->corners ? size - 1 : size;
    if (span <= 0) return OP2("aten.mul.Scalar", x, fx_float(0));
    fx_attr distance = OP1("aten.abs.default", OP2("aten.sub.Scalar", x, fx_float(lo)));
    fx_attr turns = OP1("aten.floor.default", OP2("aten.div.Scalar", distance, fx_float(span)));
    fx_attr rest = OP2("aten.sub.Tensor", distance, OP2("aten.mul.Scalar", turns, fx_float(span)));
    fx_attr even = OP2("aten.eq.Scalar", OP2("aten.remainder.Scalar", turns, fx_float(2)), fx_float(0));
    fx_attr there = scaled(s, rest, 1, lo), back = scaled(s, rest, -1, lo + span);
    return clamped(s, FX_EMIT(s->call, "aten.where.self", even, there, back), 0, size - 1);
}

static fx_attr within_edges(const sampler *s, fx_attr x, double size)
{
    if (s->edge == REFLECTION) return reflected(s, x, size);
    return s->edge == BORDER ? clamped(s, x, 0, size - 1) : x;
}

static void add_tap(const sampler *s, axis_taps *t, fx_attr position, fx_attr weight, double size)
{
    fx_attr at = s->cubic ? within_edges(s, position, size) : position;
    t->inside[t->n] = fx_none();
    if (s->edge == ZEROS) {
        fx_attr above = OP2("aten.ge.Scalar", at, fx_float(0)), below = OP2("aten.le.Scalar", at, fx_float(size - 1));
        t->inside[t->n] = OP2("aten.logical_and.default", above, below);
    }
    t->at[t->n] = fx__onnx_cast(s->call, clamped(s, at, 0, size - 1), FX_I64);
    t->weight[t->n++] = weight;
}

/* Convolution with Keys' kernel, a = -3/4: ((a + 2) d - (a + 3)) d^2 + 1 up to 1, ((d - 5) d + 8) d a - 4 a up to 2. */
static fx_attr cubic_near(const sampler *s, fx_attr d)
{
    fx_attr inner = OP2("aten.mul.Tensor", scaled(s, d, 1.25, -2.25), OP2("aten.mul.Tensor", d, d));
    return OP2("aten.add.Scalar", inner, fx_float(1));
}

static fx_attr cubic_far(const sampler *s, fx_attr d)
{
    fx_attr inner = OP2("aten.add.Scalar", OP2("aten.mul.Tensor", OP2("aten.sub.Scalar", d, fx_float(5)), d), fx_float(8));
    return scaled(s, OP2("aten.mul.Tensor", inner, d), -0.75, 3);
}

static void cubic_taps(const sampler *s, axis_taps *t, fx_attr below, fx_attr part, double size)
{
    for (int k = -1; k <= 2; k++) {
        fx_attr distance = k <= 0 ? scaled(s, part, 1, -k) : scaled(s, part, -1, k);
        fx_attr weight = k == 0 || k == 1 ? cubic_near(s, distance) : cubic_far(s, distance);
        add_tap(s, t, OP2("aten.add.Scalar", below, fx_float(k)), weight, size);
    }
}

/* Places of one axis: the grid says -1 to 1, from the first to the last element, or between their outer edges. */
static void make_taps(sampler *s, int32_t axis)
{
    axis_taps *t = &s->taps[axis];
    double size = (double)s->type->dim[2 + axis];
    fx_attr g = FX_EMIT(s->call, "aten.select.int", s->grid, fx_int(-1), fx_int(s->n_axes - 1 - axis));
    fx_attr x = s->corners ? scaled(s, g, (size - 1) / 2, (size - 1) / 2) : scaled(s, g, size / 2, (size - 1) / 2);
    if (!s->cubic) x = within_edges(s, x, size);
    if (s->nearest) {
        add_tap(s, t, OP1("aten.round.default", x), fx_none(), size);
        return;
    }
    fx_attr below = OP1("aten.floor.default", x), part = OP2("aten.sub.Tensor", x, below);
    if (s->cubic) {
        cubic_taps(s, t, below, part, size);
        return;
    }
    add_tap(s, t, below, scaled(s, part, -1, 1), size);
    add_tap(s, t, OP2("aten.add.Scalar", below, fx_float(1)), part, size);
}

/* 0 to n - 1 as [n, 1, ...]: which image of the batch. */
static fx_attr batch_index(const sampler *s)
{
    int64_t dim[FX_RANK] = {s->type->dim[0]};
    fx_tensor numbers;
    for (int32_t i = 1; i <= s->n_axes; i++) dim[i] = 1;
    if (!fx__onnx_new_tensor(s->call, FX_I64, s->n_axes + 1, dim, &numbers)) return fx_none();
    for (int64_t i = 0; i < dim[0]; i++) ((int64_t *)numbers.data)[i] = i;
    return fx__onnx_constant(s->call, &numbers);
}

static fx_attr both(const sampler *s, const char *target, fx_attr a, fx_attr b)
{
    if (a.kind == FX_ATTR_NONE) return b;
    return b.kind == FX_ATTR_NONE ? a : OP2(target, a, b);
}

/* One combination of taps: [N, places..., C]. */
static fx_attr sample(const sampler *s, const int32_t pick[AXES])
{
    fx_attr index[1 + AXES] = {batch_index(s)}, weight = fx_none(), inside = fx_none();
    for (int32_t i = 0; i < s->n_axes; i++) {
        const axis_taps *t = &s->taps[i];
        index[i + 1] = t->at[pick[i]];
        weight = both(s, "aten.mul.Tensor", weight, t->weight[pick[i]]);
        inside = both(s, "aten.logical_and.default", inside, t->inside[pick[i]]);
    }
    fx_attr value = OP2("aten.index.Tensor", s->image, fx_list(s->call->import->graph, index, s->n_axes + 1));
    if (inside.kind == FX_ATTR_NODE)
        value = FX_EMIT(s->call, "aten.where.self", OP2("aten.unsqueeze.default", inside, fx_int(-1)), value, fx_float(0));
    if (weight.kind == FX_ATTR_NODE) value = OP2("aten.mul.Tensor", value, OP2("aten.unsqueeze.default", weight, fx_int(-1)));
    return value;
}

static fx_attr sum_of_samples(const sampler *s)
{
    int32_t pick[AXES] = {0};
    fx_attr sum = fx_none();
    for (;;) {
        sum = both(s, "aten.add.Tensor", sum, sample(s, pick));
        int32_t axis = s->n_axes - 1;
        while (axis >= 0 && ++pick[axis] == s->taps[axis].n) pick[axis--] = 0;
        if (axis < 0 || s->call->failed) return sum;
    }
}

static bool is_word(fx_onnx_call *call, const char *attr, const char *fallback, const char *a, const char *b)
{
    const char *text = fx__onnx_text(call, attr, fallback);
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool read_modes(sampler *s)
{
    static const char *const edges[] = {"zeros", "border", "reflection"};
    s->nearest = is_word(s->call, "mode", "linear", "nearest", "nearest");
    s->cubic = is_word(s->call, "mode", "linear", "cubic", "bicubic");
    s->corners = fx__onnx_int(s->call, "align_corners", 0) != 0;
    for (s->edge = ZEROS; s->edge < EDGES; s->edge++)
        if (is_word(s->call, "padding_mode", "zeros", edges[s->edge], edges[s->edge])) break;
    bool known = s->nearest || s->cubic || is_word(s->call, "mode", "linear", "linear", "bilinear");
    if (!known || s->edge == EDGES) fx__onnx_error(s->call, FX_E_UNSUPPORTED, "mode or padding_mode is not known");
    return !s->call->failed;
}

static bool check_sizes(sampler *s, const fx_type *grid)
{
    bool good = s->n_axes >= 1 && s->n_axes <= AXES && grid->rank == s->type->rank && grid->dim[grid->rank - 1] == s->n_axes;
    for (int32_t d = 0; good && d < s->type->rank; d++) good = d == 1 || (fx_dim_is_const(s->type->dim[d]) && s->type->dim[d] > 0);
    if (!good) fx__onnx_error(s->call, FX_E_SHAPE, "needs images of constant size and a grid with one coordinate per axis");
    return good;
}

/* Whether the operator table has this one. */
static bool is_plane(const sampler *s, const fx_type *grid)
{
    return s->n_axes == 2 && grid->rank == 4 && grid->dtype == s->type->dtype && fx_dtype_is_float(grid->dtype);
}

static void give_plane(sampler *s, fx_attr x)
{
    int64_t mode = s->cubic ? 2 : s->nearest;
    FX_GIVE(s->call, "aten.grid_sampler_2d.default", x, s->grid, fx_int(mode), fx_int(s->edge), fx_bool(s->corners));
}

static void build_grid_sample(fx_onnx_call *call)
{
    sampler s = {.call = call, .grid = fx__onnx_in(call, 1)};
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *grid = fx__onnx_need_type(call, s.grid);
    int64_t last[FX_RANK], back[FX_RANK];
    s.type = fx__onnx_need_type(call, x);
    if (!s.type || !grid) return;
    int32_t rank = s.type->rank;
    s.n_axes = rank - 2;
    if (!read_modes(&s)) return;
    if (is_plane(&s, grid)) {
        give_plane(&s, x);
        return;
    }
    if (!check_sizes(&s, grid)) return;
    for (int32_t d = 0; d < rank; d++) {
        last[d] = d == 0 ? 0 : d == rank - 1 ? 1 : d + 1;
        back[d] = d == 0 ? 0 : d == 1 ? rank - 1 : d - 1;
    }
    s.image = FX_EMIT(call, "aten.permute.default", x, fx__onnx_list(call, last, rank));
    for (int32_t axis = 0; axis < s.n_axes; axis++) make_taps(&s, axis);
    FX_GIVE(call, "aten.permute.default", sum_of_samples(&s), fx__onnx_list(call, back, rank));
}

const fx_onnx_op fx__onnx_ops_sample[] = {
    {"GridSample", 16, 2, 2, 1, build_grid_sample},
    {0},
};
