/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of grid_sampler_2d: every element of the result is a weighted sum of the pixels round a place of the image. */
#include "runtime/ref.h"
#include <math.h>

enum { LINEAR, NEAREST, CUBIC };
enum { ZEROS, BORDER, REFLECTION };
enum { TAPS = 4 };

/* grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners) */
typedef struct sampling {
    const fx_tensor *x, *grid;
    int64_t mode, edge;
    bool corners;
} sampling;

typedef struct taps {
    int32_t n;
    int64_t index[TAPS]; /* -1: outside */
    double weight[TAPS];
} taps;

static double clamp(double x, double last)
{
    return fmin(fmax(x, 0), last);
}

static double reflected(const sampling *s, double x, double size)
{
    double lo = s->corners ? 0 : -0.5, span = s->corners ? size - 1 : size;
    if (span == 0) return 0;
    double distance = fabs(x - lo), turns = floor(distance / span), rest = distance - turns * span;
    return clamp((fmod(turns, 2) == 0 ? rest : span - rest) + lo, size - 1);
}

static double at_edge(const sampling *s, double x, double size)
{
    if (s->edge == REFLECTION) return reflected(s, x, size);
    return s->edge == BORDER ? clamp(x, size - 1) : x;
}

/* Keys' cubic convolution with a = -0.75. */
static double cubic(double t)
{
    return t <= 1 ? (1.25 * t - 2.25) * t * t + 1 : ((-0.75 * t + 3.75) * t - 6) * t + 3;
}

static void add_tap(const sampling *s, taps *t, double place, double weight, double size)
{
    if (s->mode == CUBIC) place = at_edge(s, place, size);
    t->index[t->n] = place >= 0 && place <= size - 1 ? (int64_t)place : -1;
    t->weight[t->n++] = weight;
}

static double place_of(const sampling *s, double g, double size)
{
    return s->corners ? (g + 1) * (size - 1) * 0.5 : ((g + 1) * size - 1) * 0.5;
}

static taps taps_of(const sampling *s, double g, double size)
{
    double x = place_of(s, g, size);
    taps t = {0};
    if (s->mode != CUBIC) x = at_edge(s, x, size);
    double below = floor(x), part = x - below;
    if (s->mode == NEAREST) {
        add_tap(s, &t, nearbyint(x), 1, size);
    } else if (s->mode == LINEAR) {
        add_tap(s, &t, below, 1 - part, size);
        add_tap(s, &t, below + 1, part, size);
    } else {
        for (int i = -1; i <= 2; i++) add_tap(s, &t, below + i, cubic(fabs(part - i)), size);
    }
    return t;
}

static double coordinate(const fx_tensor *grid, const int64_t *at, int32_t d)
{
    return fx__ref_get(grid, (int64_t[]){at[0], at[2], at[3], 1 - d});
}

/* Sum over the taps; of absolute values. */
static double sum_of(const fx_tensor *x, const taps *rows, const taps *columns, const int64_t *at, bool absolute)
{
    double sum = 0;
    for (int32_t i = 0; i < rows->n; i++)
        for (int32_t j = 0; j < columns->n; j++) {
            bool inside = rows->index[i] >= 0 && columns->index[j] >= 0;
            double pixel = inside ? fx__ref_get(x, (int64_t[]){at[0], at[1], rows->index[i], columns->index[j]}) : 0;
            double term = pixel * rows->weight[i] * columns->weight[j];
            sum += absolute ? fabs(term) : term;
        }
    return sum;
}

static sampling sampling_of(const fx_rt_arg *a)
{
    return (sampling){a[0].u.tensor, a[1].u.tensor, a[2].u.i, a[3].u.i, a[4].u.i != 0};
}

fx_status fx__grid_sampler_ref(const fx_rt_arg *args, fx_tensor *results)
{
    sampling s = sampling_of(args);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        taps rows = taps_of(&s, coordinate(s.grid, at, 0), (double)s.x->dim[2]);
        taps columns = taps_of(&s, coordinate(s.grid, at, 1), (double)s.x->dim[3]);
        fx__ref_set(results, at, sum_of(s.x, &rows, &columns, at, false));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* ---- Bound ---------------------------------------------------------------------------------------------------------------------
 */

static double error_at(const fx_rt_arg *error, const int64_t *at)
{
    return error->kind == FX_RT_TENSOR && error->u.tensor->data ? fx__ref_get(error->u.tensor, at) : 0;
}

/* The largest finite pixel: what a place may lead to, moved by its error. */
static double largest(const fx_tensor *x, const int64_t *at)
{
    double most = 0;
    for (int64_t i = 0; i < x->dim[2]; i++)
        for (int64_t j = 0; j < x->dim[3]; j++) {
            double pixel = fabs(fx__ref_get(x, (int64_t[]){at[0], at[1], i, j}));
            if (isfinite(pixel) && pixel > most) most = pixel;
        }
    return most;
}

/* Weights and places round in f64; a grid that is not exact moves the place: a linear weight changes by as much, a cubic one by
 * less than twice that; a nearest pixel may be another one. An infinite place is moved by nothing. 24 roundings of the terms. */
static double bound_at(const fx_rt_bound *call, const sampling *s, const int64_t *at)
{
    taps t[2];
    double moved = 0, most = largest(s->x, at);
    for (int32_t d = 0; d < 2; d++) {
        double size = (double)s->x->dim[2 + d], g = coordinate(s->grid, at, d);
        const int64_t place[] = {at[0], at[2], at[3], 1 - d};
        double error = error_at(&call->arg_errors[1], place);
        t[d] = taps_of(s, g, size);
        if (s->mode != NEAREST && isfinite(g)) moved += 16 * (error * size / 2 + 8 * 0x1p-53 * (fabs(g) + 2) * size);
        if (s->mode == NEAREST && error > 0) return INFINITY;
    }
    const fx_rt_arg *x_error = &call->arg_errors[0];
    bool some = x_error->kind == FX_RT_TENSOR && x_error->u.tensor->data;
    double own = 24 * call->eps * sum_of(s->x, &t[0], &t[1], at, true) + moved * 4 * most + fx__ref_tiny(call->results->dtype);
    double y = fabs(fx__ref_get(call->results, at)), narrow = call->eps * (isfinite(y) ? y : 0);
    own = isfinite(own) ? own + narrow : 0;
    return own + (some ? sum_of(x_error->u.tensor, &t[0], &t[1], at, true) : 0);
}

fx_status fx__grid_sampler_bound(const fx_rt_bound *call)
{
    sampling s = sampling_of(call->args);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return FX_OK;
    do fx__ref_set(call->errors, at, bound_at(call, &s, at));
    while (fx__ref_next(call->errors->rank, call->errors->dim, at));
    return FX_OK;
}
