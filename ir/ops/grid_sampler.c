/* SPDX-License-Identifier: Apache-2.0 */
/* grid_sampler_2d: an image, [N, C, H, W], read at the places of a grid, [N, h, w, 2], whose coordinates run from -1 to 1. One MAP
 * over the result with gathered loads; places and weights are computed in f64. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__grid_sampler_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__grid_sampler_bound(const fx_rt_bound *call);

enum { INPUT, GRID, MODE, EDGE, CORNERS };
enum { LINEAR, NEAREST, CUBIC };
enum { ZEROS, BORDER, REFLECTION };

static fx_status shape_grid(fx_call *call)
{
    FX_TRY(fx__check_rank(call, INPUT, 4, 4));
    FX_TRY(fx__check_rank(call, GRID, 4, 4));
    const fx_type *x = fx__call_type(call, INPUT), *grid = fx__call_type(call, GRID);
    int64_t mode = fx__call_int(call, MODE), edge = fx__call_int(call, EDGE);
    if (mode < LINEAR || mode > CUBIC || edge < ZEROS || edge > REFLECTION)
        return fx__call_error(call, FX_E_ARG, "interpolation_mode %lld, padding_mode %lld; expected 0, 1 or 2", (long long)mode,
                              (long long)edge);
    if (!fx__check_equal(call, x->dim[0], grid->dim[0], "a grid per image") || grid->dim[3] != 2)
        return fx__call_error(call, FX_E_SHAPE, "grid is %s, input is %s", fx__check_type(call, grid).s, fx__check_type(call, x).s);
    for (int32_t d = 2; d < 4; d++)
        if (!fx__dims_assume(call->dims, FX_GUARD_LE, 1, x->dim[d], "an image has pixels"))
            return fx__call_error(call, FX_E_SHAPE, "%s has no pixels", fx__check_type(call, x).s);
    call->result[0] = *x;
    call->result[0].dim[2] = grid->dim[1];
    call->result[0].dim[3] = grid->dim[2];
    return FX_OK;
}

/* ---- Lowering ---------------------------------------------------------------------------------------------------------------- */

enum { TAPS = 4 };

typedef struct taps {
    int32_t n;
    uint16_t index[TAPS], weight[TAPS], inside[TAPS]; /* i64, f64 (none: 1), bool */
} taps;

typedef struct sampler {
    fx_kb *k;
    fx_lower *lower;
    const fx_call *call;
    fx_index at[4];
} sampler;

static uint16_t f64(const sampler *s, double value)
{
    return fx__kb_imm(s->k, FX_F64, value);
}
static uint16_t two(const sampler *s, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(s->k, op, a, b);
}
static uint16_t one(const sampler *s, fx_scalar_op op, uint16_t a)
{
    return fx__kb_scalar(s->k, op, a, FX_NO_EXPR);
}
static uint16_t add(const sampler *s, uint16_t a, double b)
{
    return two(s, FX_SCALAR_ADD, a, f64(s, b));
}
static uint16_t times(const sampler *s, uint16_t a, double b)
{
    return two(s, FX_SCALAR_MUL, a, f64(s, b));
}
static uint16_t within(const sampler *s, uint16_t x, uint16_t lo, uint16_t hi)
{
    return two(s, FX_SCALAR_MIN, two(s, FX_SCALAR_MAX, x, lo), hi);
}

/* A place on the image: what is no number, as torch has it, is the first one. */
static uint16_t on_image(const sampler *s, uint16_t x, uint16_t last)
{
    uint16_t zero = f64(s, 0);
    return fx__kb_select(s->k, one(s, FX_SCALAR_ISNAN, x), zero, within(s, x, zero, last));
}

/* Thrown back at both ends until it lies between them. size and last in f64. */
static uint16_t reflected(const sampler *s, uint16_t x, uint16_t size, uint16_t last)
{
    bool corners = fx__call_int(s->call, CORNERS) != 0;
    double lo = corners ? 0 : -0.5;
    uint16_t span = corners ? last : size, zero = f64(s, 0), room = two(s, FX_SCALAR_MAX, span, f64(s, 1));
    uint16_t distance = one(s, FX_SCALAR_ABS, add(s, x, -lo));
    uint16_t turns = one(s, FX_SCALAR_FLOOR, two(s, FX_SCALAR_DIV, distance, room));
    uint16_t rest = two(s, FX_SCALAR_SUB, distance, two(s, FX_SCALAR_MUL, turns, room));
    uint16_t half = one(s, FX_SCALAR_FLOOR, times(s, turns, 0.5));
    uint16_t even = two(s, FX_SCALAR_EQ, times(s, half, 2), turns);
    uint16_t back = fx__kb_select(s->k, even, rest, two(s, FX_SCALAR_SUB, room, rest));
    uint16_t inside = on_image(s, add(s, back, lo), last);
    return fx__kb_select(s->k, two(s, FX_SCALAR_EQ, span, zero), zero, inside);
}

static uint16_t at_edge(const sampler *s, uint16_t x, uint16_t size, uint16_t last)
{
    if (fx__call_int(s->call, EDGE) == REFLECTION) return reflected(s, x, size, last);
    return fx__call_int(s->call, EDGE) == BORDER ? on_image(s, x, last) : x;
}

static void add_tap(const sampler *s, taps *t, uint16_t place, uint16_t weight, uint16_t size, uint16_t last)
{
    uint16_t zero = f64(s, 0);
    if (fx__call_int(s->call, MODE) == CUBIC) place = at_edge(s, place, size, last);
    t->inside[t->n] = two(s, FX_SCALAR_AND, two(s, FX_SCALAR_LE, zero, place), two(s, FX_SCALAR_LE, place, last));
    t->index[t->n] = fx__kb_cast(s->k, FX_I64, within(s, place, zero, last));
    t->weight[t->n++] = weight;
}

/* Keys' cubic convolution with a = -0.75, inside and outside of one step. */
static uint16_t cubic_near(const sampler *s, uint16_t t)
{
    uint16_t y = two(s, FX_SCALAR_MUL, add(s, times(s, t, 1.25), -2.25), two(s, FX_SCALAR_MUL, t, t));
    return add(s, y, 1);
}
static uint16_t cubic_far(const sampler *s, uint16_t t)
{
    uint16_t y = add(s, two(s, FX_SCALAR_MUL, add(s, times(s, t, -0.75), 3.75), t), -6);
    return add(s, two(s, FX_SCALAR_MUL, y, t), 3);
}

/* Taps of spatial dim d; the grid names the last dim first. */
static taps taps_of(const sampler *s, int32_t d)
{
    fx_dim in = fx__call_type(s->call, INPUT)->dim[2 + d];
    int64_t mode = fx__call_int(s->call, MODE);
    taps t = {.n = 0};
    fx_index from[4] = {s->at[0], s->at[2], s->at[3], fx__index_const(1 - d)};
    uint16_t g = fx__kb_cast(s->k, FX_F64, fx__kb_load(s->k, fx__lower_arg(s->lower, s->call, GRID), from));
    uint16_t size = fx__kb_cast(s->k, FX_F64, fx__kb_dim(s->k, in)), last = add(s, size, -1), shifted = add(s, g, 1);
    uint16_t x = times(s, two(s, FX_SCALAR_MUL, shifted, last), 0.5);
    if (!fx__call_int(s->call, CORNERS)) x = times(s, add(s, two(s, FX_SCALAR_MUL, shifted, size), -1), 0.5);
    if (mode != CUBIC) x = at_edge(s, x, size, last);
    if (mode == NEAREST) {
        add_tap(s, &t, one(s, FX_SCALAR_ROUND, x), FX_NO_EXPR, size, last);
        return t;
    }
    uint16_t below = one(s, FX_SCALAR_FLOOR, x), part = two(s, FX_SCALAR_SUB, x, below);
    uint16_t rest = two(s, FX_SCALAR_SUB, f64(s, 1), part);
    if (mode == LINEAR) {
        add_tap(s, &t, below, rest, size, last);
        add_tap(s, &t, add(s, below, 1), part, size, last);
        return t;
    }
    const uint16_t weight[TAPS] = {cubic_far(s, add(s, part, 1)), cubic_near(s, part), cubic_near(s, rest),
                                   cubic_far(s, add(s, rest, 1))};
    for (int32_t i = 0; i < TAPS; i++) add_tap(s, &t, add(s, below, i - 1), weight[i], size, last);
    return t;
}

static uint16_t sample(const sampler *s, const taps *rows, const taps *columns, fx_dtype dtype)
{
    uint16_t sum = FX_NO_EXPR;
    for (int32_t i = 0; i < rows->n; i++)
        for (int32_t j = 0; j < columns->n; j++) {
            fx_index from[4] = {s->at[0], s->at[1], {.value = (int16_t)rows->index[i]}, {.value = (int16_t)columns->index[j]}};
            uint16_t x = fx__kb_cast(s->k, dtype, fx__kb_load_gather(s->k, fx__lower_arg(s->lower, s->call, INPUT), from));
            uint16_t inside = two(s, FX_SCALAR_AND, rows->inside[i], columns->inside[j]);
            x = fx__kb_select(s->k, inside, x, fx__kb_imm(s->k, dtype, 0));
            if (rows->weight[i] != FX_NO_EXPR)
                x = two(s, FX_SCALAR_MUL, x, fx__kb_cast(s->k, dtype, two(s, FX_SCALAR_MUL, rows->weight[i], columns->weight[j])));
            sum = sum == FX_NO_EXPR ? x : two(s, FX_SCALAR_ADD, sum, x);
        }
    return sum;
}

static fx_status lower_grid(fx_lower *lower, const fx_call *call)
{
    static const char *const names[] = {"n", "c", "h", "w"};
    const fx_type *out = &call->result[0];
    sampler s = {.k = fx__lower_kernel(lower, call), .lower = lower, .call = call};
    for (int32_t d = 0; d < 4; d++) s.at[d] = fx__index_axis(fx__kb_axis(s.k, names[d], out->dim[d], true));
    taps rows = taps_of(&s, 0), columns = taps_of(&s, 1);
    fx__kb_store(s.k, fx__lower_result(lower, call, 0), s.at, sample(&s, &rows, &columns, fx__scalar_compute(out->dtype)));
    return fx__kb_finish(s.k);
}

const fx_op fx_op_grid_sampler_2d = {
    .name = "grid_sampler_2d",
    .target = "torch.ops.aten.grid_sampler_2d.default",
    .schema = "grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor",
    .names = "torch.ops.aten.grid_sampler.default torch.grid_sampler torch.grid_sampler_2d",
    .onnx = "GridSample",
    .family = "resampling",
    .dtypes = FX_FLOATS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_grid,
    .reference = fx__grid_sampler_ref,
    .bound = fx__grid_sampler_bound,
    .lower = lower_grid,
    .cases = (const fx_case[]){{"(f32[2, 3, 5, 4], f32[2, 3, 7, 2], 0, 0, False)", "linear, zeros"},
                               {"(f32[1, 2, 5, 7], f32[1, 3, 17, 2], 0, 1, True)", "linear, border, corners"},
                               {"(f32[1, 2, 5, 4], f32[1, 6, 5, 2], 0, 2, False)", "linear, reflection"},
                               {"(f32[1, 2, 4, 4], f32[1, 3, 9, 2], 1, 0, False)", "nearest"},
                               {"(f32[1, 1, 5, 6], f32[1, 3, 5, 2], 2, 2, True)", "cubic, reflection, corners"},
                               {"(f32[1, 1, 5, 6], f32[1, 3, 5, 2], 2, 0, False)", "cubic, zeros"},
                               {"(f32[1, 2, 1, 1], f32[1, 2, 2, 2], 0, 2, True)", "one pixel"},
                               {"(f32[s0, 2, 3, 3], f32[s0, 2, 4, 2], 0, 0, False)", "symbolic"},
                               {NULL, NULL}},
};
