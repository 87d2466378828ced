/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution over one to three spatial dims. Result positions that leave one remainder by the stride see the same
 * weights: each such phase is a dense convolution of its own with a part of the window, stored at every stride-th position. */
#include "ir/ops/check.h"
#include "ir/ops/window.h"

fx_status fx__conv_transpose_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__conv_transpose_bound(const fx_rt_bound *call);

enum { INPUT, WEIGHT, BIAS, STRIDE, PADDING, OUTPUT_PADDING, GROUPS, DILATION };

static fx_status read_window(const fx_call *call, fx_window *w)
{
    const fx_type *weight = fx__call_type(call, WEIGHT);
    *w = (fx_window){.n = weight->rank - 2};
    for (int32_t i = 0; i < w->n; i++) w->size[i] = weight->dim[2 + i];
    return fx__window_read(call, STRIDE, PADDING, DILATION, w);
}

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

static fx_status check_channels(const fx_call *call, fx_dim in, int64_t groups)
{
    const fx_type *weight = fx__call_type(call, WEIGHT);
    if (groups < 1) return fx__call_error(call, FX_E_ARG, "groups is %lld, expected at least 1", (long long)groups);
    if (!fx__check_equal(call, in, weight->dim[0], "input channels of a convolution"))
        return fx__call_error(call, FX_E_SHAPE, "input has %s channels, weight expects %s", fx__check_dim(call, in).s,
                              fx__check_dim(call, weight->dim[0]).s);
    if (!fx__check_equal(call, fx__dim_mod(call->dims, in, groups), 0, "input channels divide into groups"))
        return fx__call_error(call, FX_E_SHAPE, "%s input channels do not divide into %lld groups", fx__check_dim(call, in).s,
                              (long long)groups);
    return fx__check_vector(call, BIAS, fx__dim_mul(call->dims, weight->dim[1], groups));
}

/* (in - 1) * stride - padding + dilation * (size - 1) + output_padding + 1 */
static fx_status out_size(const fx_call *call, const fx_window *w, int32_t i, fx_dim in, int64_t extra, fx_dim *out)
{
    fx_dims *d = call->dims;
    if (extra < 0 || (extra >= w->stride[i] && extra >= w->dilation[i]))
        return fx__call_error(call, FX_E_ARG, "output_padding is %lld, expected less than stride or dilation", (long long)extra);
    fx_dim first = fx__dim_mul(d, fx__dim_sub(d, in, 1), w->stride[i]);
    fx_dim span = fx__dim_mul(d, fx__dim_sub(d, w->size[i], 1), w->dilation[i]);
    *out = fx__dim_add(d, fx__dim_add(d, first, span), extra + 1 - w->begin[i] - w->end[i]);
    if (*out == FX_DIM_BAD || fx__dims_assume(d, FX_GUARD_LE, 0, *out, "a result has no negative size")) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "the padding leaves a size of %s", fx__check_dim(call, *out).s);
}

static fx_status shape(fx_call *call, int32_t n)
{
    FX_TRY(fx__check_rank(call, WEIGHT, n + 2, n + 2));
    FX_TRY(fx__check_rank(call, INPUT, n + 1, n + 2));
    const fx_type *x = fx__call_type(call, INPUT), *weight = fx__call_type(call, WEIGHT);
    int32_t lead = x->rank - n - 1;
    int64_t extra[FX_RANK] = {0}, groups = fx__call_int(call, GROUPS);
    fx_window w;
    FX_TRY(check_channels(call, x->dim[lead], groups));
    FX_TRY(read_window(call, &w));
    int32_t count = fx__call_ints(call, OUTPUT_PADDING, n, extra);
    if (count != n) return fx__call_error(call, FX_E_ARG, "output_padding needs 1 or %d entries", n);
    fx_type *out = &call->result[0];
    out->rank = x->rank;
    out->dim[0] = x->dim[0];
    out->dim[lead] = fx__dim_mul(call->dims, weight->dim[1], groups);
    for (int32_t i = 0; i < n; i++) FX_TRY(out_size(call, &w, i, x->dim[lead + 1 + i], extra[i], &out->dim[lead + 1 + i]));
    return FX_OK;
}

static fx_status shape_conv_transpose1d(fx_call *call)
{
    return shape(call, 1);
}
static fx_status shape_conv_transpose2d(fx_call *call)
{
    return shape(call, 2);
}
static fx_status shape_conv_transpose3d(fx_call *call)
{
    return shape(call, 3);
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* One phase: result positions q * stride + rest, which see window positions first + j * step and input positions
 * q + shift - j * back. Without dilation step is the stride and back is 1. */
typedef struct phase {
    int64_t rest[FX_WINDOW_DIMS], first[FX_WINDOW_DIMS], shift[FX_WINDOW_DIMS], step[FX_WINDOW_DIMS], back[FX_WINDOW_DIMS];
    fx_dim points[FX_WINDOW_DIMS], taps[FX_WINDOW_DIMS];
} phase;

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The first window position k with k * dilation = at modulo the stride; they repeat after `step`. -1: none. */
static int64_t first_tap(int64_t at, int64_t stride, int64_t dilation, int64_t step)
{
    for (int64_t k = 0; k < step; k++)
        if ((at - k * dilation) % stride == 0) return k;
    return -1;
}

static void find_phase(fx_dims *dims, const fx_window *w, const fx_dim *out, int64_t number, phase *p)
{
    for (int32_t i = w->n - 1; i >= 0; i--) {
        int64_t s = w->stride[i];
        p->rest[i] = number % s;
        number /= s;
        int64_t at = p->rest[i] + w->begin[i], divisor = common_divisor(s, w->dilation[i]);
        p->step[i] = s / divisor;
        p->back[i] = w->dilation[i] / divisor;
        int64_t first = first_tap(at, s, w->dilation[i], p->step[i]);
        p->first[i] = first < 0 ? w->size[i] : first;
        p->shift[i] = first < 0 ? 0 : (at - first * w->dilation[i]) / s;
        p->points[i] = fx__dim_max(dims, 0, fx__dim_ceildiv(dims, fx__dim_sub(dims, out[i], p->rest[i]), s));
        p->taps[i] = w->size[i] > p->first[i] ? (w->size[i] - p->first[i] + p->step[i] - 1) / p->step[i] : 0;
    }
}

static fx_index affine(fx_dim base, uint8_t a, fx_dim a_coef, uint8_t b, fx_dim b_coef)
{
    fx_index index = {.base = base, .value = -1};
    if (a != FX_NO_AXIS) index.term[index.n++] = (fx_term){.axis = a, .coef = a_coef, .div = 1};
    if (b != FX_NO_AXIS) index.term[index.n++] = (fx_term){.axis = b, .coef = b_coef, .div = 1};
    return index;
}

typedef struct phase_kernel {
    fx_kb *k;
    uint8_t red[FX_REDS], n_red;
    fx_index x[FX_RANK], weight[FX_RANK], out[FX_RANK], channel;
    bool depthwise; /* one input channel per group */
} phase_kernel;

/* Outer axes n, positions, g, o; reduced axes: the phase's part of the window, ic. */
static void make_axes(phase_kernel *c, fx_lower *lw, const fx_call *call, const fx_window *w, const phase *p)
{
    const fx_type *x = fx__call_type(call, INPUT), *weight = fx__call_type(call, WEIGHT);
    int64_t groups = fx__call_int(call, GROUPS);
    fx_dim per_in = fx__dim_floordiv(fx__lower_dims(lw), weight->dim[0], groups), per_out = weight->dim[1];
    int32_t lead = x->rank - w->n - 1;
    uint8_t position[FX_WINDOW_DIMS], group = FX_NO_AXIS;
    if (lead) c->x[0] = c->out[0] = fx__index_axis(fx__kb_axis(c->k, "n", x->dim[0], true));
    for (int32_t i = 0; i < w->n; i++) position[i] = fx__kb_axis(c->k, fx__window_name(w, i), p->points[i], true);
    if (groups > 1) group = fx__kb_axis(c->k, "g", groups, true);
    uint8_t o = groups > 1 && per_out == 1 ? FX_NO_AXIS : fx__kb_axis(c->k, "o", per_out, true);
    for (int32_t i = 0; i < w->n; i++) {
        uint8_t j = c->red[c->n_red++] = fx__kb_axis(c->k, fx__window_kernel_name(w, i), p->taps[i], false);
        c->x[lead + 1 + i] = affine(p->shift[i], position[i], 1, j, -p->back[i]);
        c->weight[2 + i] = affine(p->first[i], j, p->step[i], FX_NO_AXIS, 0);
        c->out[lead + 1 + i] = affine(p->rest[i], position[i], w->stride[i], FX_NO_AXIS, 0);
    }
    uint8_t ic = c->depthwise ? FX_NO_AXIS : (c->red[c->n_red++] = fx__kb_axis(c->k, "ic", per_in, false));
    c->x[lead] = c->weight[0] = affine(0, group, per_in, ic, 1);
    c->weight[1] = o == FX_NO_AXIS ? fx__index_const(0) : fx__index_axis(o);
    c->channel = c->out[lead] = affine(0, group, per_out, o, 1);
}

static fx_status lower_phase(fx_lower *lw, const fx_call *call, const fx_window *w, const phase *p)
{
    fx_dtype dtype = call->result[0].dtype, sum = fx__scalar_compute(dtype);
    phase_kernel c = {.k = fx__lower_kernel(lw, call)};
    if (dtype == FX_I8 || dtype == FX_U8) sum = FX_I32;
    c.depthwise = fx__call_int(call, GROUPS) > 1 && fx__call_int(call, GROUPS) == fx__call_type(call, WEIGHT)->dim[0];
    make_axes(&c, lw, call, w, p);
    uint16_t a = fx__kb_cast(c.k, sum, fx__kb_load_guarded(c.k, fx__lower_arg(lw, call, INPUT), c.x, 0));
    uint16_t b = fx__kb_cast(c.k, sum, fx__kb_load(c.k, fx__lower_arg(lw, call, WEIGHT), c.weight));
    fx_kresult total = c.depthwise
                           ? fx__kb_reduce(c.k, "c", FX_COMBINE_SUM, c.red, c.n_red, fx__kb_scalar(c.k, FX_SCALAR_MUL, a, b))
                           : fx__kb_contract(c.k, "c", c.red, c.n_red, a, b);
    uint16_t y = fx__kb_result(c.k, total);
    if (!fx__call_is_none(call, BIAS)) {
        uint16_t bias = fx__kb_cast(c.k, sum, fx__kb_load(c.k, fx__lower_arg(lw, call, BIAS), &c.channel));
        y = fx__kb_scalar(c.k, FX_SCALAR_ADD, y, bias);
    }
    fx__kb_store(c.k, fx__lower_result(lw, call, 0), c.out, y);
    return fx__kb_finish(c.k);
}

static fx_status lower_conv_transpose(fx_lower *lw, const fx_call *call)
{
    enum { MOST_PHASES = 64 };
    fx_window w;
    phase p;
    int64_t phases = 1;
    FX_TRY(read_window(call, &w));
    for (int32_t i = 0; i < w.n; i++) {
        phases *= w.stride[i];
        if (!fx_dim_is_const(w.size[i]) || phases > MOST_PHASES) return fx__lower_decline(lw, "more than %d phases", MOST_PHASES);
    }
    int32_t first = call->result[0].rank - w.n;
    for (int64_t i = 0; i < phases; i++) {
        find_phase(fx__lower_dims(lw), &w, call->result[0].dim + first, i, &p);
        FX_TRY(lower_phase(lw, call, &w, &p));
    }
    return FX_OK;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_conv_transpose1d = {
    .name = "conv_transpose1d",
    .target = "torch.ops.aten.conv_transpose1d.default",
    .schema = "conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
              "int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor",
    .names = "torch.nn.functional.conv_transpose1d torch.conv_transpose1d",
    .onnx = "ConvTranspose",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv_transpose1d,
    .reference = fx__conv_transpose_ref,
    .bound = fx__conv_transpose_bound,
    .lower = lower_conv_transpose,
    .cases = (const fx_case[]){{"(f32[2, 3, 5], f32[3, 4, 3], f32[4], 2, 1, 1)", NULL}, {NULL, NULL}},
};

const fx_op fx_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .target = "torch.ops.aten.conv_transpose2d.input",
    .schema = "conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, "
              "int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor",
    .names = "torch.nn.functional.conv_transpose2d torch.conv_transpose2d",
    .onnx = "ConvTranspose",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv_transpose2d,
    .reference = fx__conv_transpose_ref,
    .bound = fx__conv_transpose_bound,
    .lower = lower_conv_transpose,
    .cases = (const fx_case[]){{"(f32[1, 3, 4, 5], f32[3, 4, 2, 2], f32[4], 2)", "window as large as the stride"},
                               {"(f32[2, 3, 4, 4], f32[3, 17, 3, 3], f32[17], 2, 1, 1)", "window larger than the stride"},
                               {"(f32[1, 2, 3, 4], f32[2, 3, 3, 2], None, 1, [1, 0])", "stride 1"},
                               {"(f32[1, 2, 3, 3], f32[2, 3, 1, 2], f32[3], 3, 0, [2, 0])", "window smaller than the stride"},
                               {"(f32[1, 4, 3, 3], f32[4, 3, 3, 3], f32[6], 2, 1, 0, 2)", "groups"},
                               {"(f32[1, 4, 3, 3], f32[4, 1, 2, 2], None, 2, 0, 0, 4)", "depthwise"},
                               {"(f32[1, 2, 4, 4], f32[2, 3, 3, 3], f32[3], 2, [2, 0, 1, 1])", "four paddings"},
                               {"(f32[2, 3, 3], f32[2, 3, 3, 3], f32[3])", "no batch dim"},
                               {"(f32[0, 2, 3, 3], f32[2, 3, 3, 3], f32[3], 2)", "empty batch"},
                               {"(f32[s0, 2, 3, 3], f32[2, 3, 3, 3], f32[3], 2, 1, 1)", "symbolic batch"},
                               {"(f32[1, 2, s0, s1], f32[2, 3, 2, 2], f32[3], 2)", "symbolic image"},
                               {"(f32[1, 2, 4, 5], f32[2, 3, 3, 2], f32[3], 1, 0, 0, 1, [2, 3])", "dilation"},
                               {"(f32[1, 2, 4, 5], f32[2, 3, 3, 3], f32[3], [2, 3], 1, 1, 1, [3, 2])", "dilation and stride"},
                               {"(f32[1, 2, 4, 5], f32[2, 3, 3, 3], f32[3], [4, 2], 0, 1, 1, [2, 4])", "positions without weights"},
                               {NULL, NULL}},
};

const fx_op fx_op_conv_transpose3d = {
    .name = "conv_transpose3d",
    .target = "torch.ops.aten.conv_transpose3d.input",
    .schema = "conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, "
              "int[3] output_padding=0, int groups=1, int[3] dilation=1) -> Tensor",
    .names = "torch.nn.functional.conv_transpose3d torch.conv_transpose3d",
    .onnx = "ConvTranspose",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv_transpose3d,
    .reference = fx__conv_transpose_ref,
    .bound = fx__conv_transpose_bound,
    .lower = lower_conv_transpose,
    .cases = (const fx_case[]){{"(f32[1, 3, 2, 3, 4], f32[3, 5, 2, 2, 2], f32[5], 2)", "window as large as the stride"},
                               {"(f32[2, 2, 3, 2, 3], f32[2, 17, 3, 2, 3], f32[17], [1, 2, 2], 1, [0, 1, 1])", "padding"},
                               {"(f32[4, 2, 3, 3], f32[4, 3, 2, 1, 2], None, 1, 0, 0, 2, 2)", "no batch dim, groups, dilation"},
                               {"(f32[s0, 2, 2, 3, 2], f32[2, 3, 2, 2, 2], f32[3], 2)", "symbolic batch"},
                               {NULL, NULL}},
};
