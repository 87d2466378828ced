/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution over one to three spatial dims, dense, grouped and depthwise, with padding of its own at each end. It lowers to
 * one kernel: batch, positions, groups and output channels outside; a CONTRACT over the window and the group's input channels,
 * or, where a group has a single one, a REDUCE over the window; a MAP that adds the bias. */
#include "ir/ops/check.h"
#include "ir/ops/window.h"
#include <string.h>

fx_status fx__conv_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__conv_bound(const fx_rt_bound *call);
fx_status fx__convolution_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__convolution_bound(const fx_rt_bound *call);

/* Argument positions that all rows share; groups is the last one. */
enum { INPUT, WEIGHT, BIAS, STRIDE, PADDING, DILATION, TRANSPOSED, OUTPUT_PADDING, CONVOLUTION_GROUPS };

static int64_t groups_of(const fx_call *call)
{
    int32_t n;
    fx__op_params(call->op, &n);
    return fx__call_int(call, n - 1);
}

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
    fx_dim expected = fx__dim_mul(call->dims, weight->dim[1], groups);
    if (!fx__check_equal(call, in, expected, "input channels of a convolution"))
        return fx__call_error(call, FX_E_SHAPE, "input has %s channels, weight expects %s; input %s, weight %s, groups %lld",
                              fx__check_dim(call, in).s, fx__check_dim(call, expected).s,
                              fx__check_type(call, fx__call_type(call, INPUT)).s, fx__check_type(call, weight).s,
                              (long long)groups);
    if (!fx__check_equal(call, fx__dim_mod(call->dims, weight->dim[0], groups), 0, "output channels divide into groups"))
        return fx__call_error(call, FX_E_SHAPE, "%s output channels do not divide into %lld groups",
                              fx__check_dim(call, weight->dim[0]).s, (long long)groups);
    return fx__check_vector(call, BIAS, weight->dim[0]);
}

static fx_status shape(fx_call *call, int32_t min_spatial, int32_t max_spatial)
{
    FX_TRY(fx__check_rank(call, WEIGHT, min_spatial + 2, max_spatial + 2));
    const fx_type *x = fx__call_type(call, INPUT), *weight = fx__call_type(call, WEIGHT);
    int32_t n = weight->rank - 2;
    FX_TRY(fx__check_rank(call, INPUT, n + 1, n + 2));
    int32_t lead = x->rank - n - 1;
    FX_TRY(check_channels(call, x->dim[lead], groups_of(call)));
    fx_window w;
    FX_TRY(read_window(call, &w));
    fx_type *out = &call->result[0];
    out->rank = x->rank;
    out->dim[0] = x->dim[0];
    out->dim[lead] = weight->dim[0];
    for (int32_t i = 0; i < n; i++) FX_TRY(fx__window_out(call, &w, i, x->dim[lead + 1 + i], &out->dim[lead + 1 + i]));
    return FX_OK;
}

static fx_status shape_conv1d(fx_call *call)
{
    return shape(call, 1, 1);
}
static fx_status shape_conv2d(fx_call *call)
{
    return shape(call, 2, 2);
}
static fx_status shape_conv3d(fx_call *call)
{
    return shape(call, 3, 3);
}

/* A transposed convolution as a call of the row that it stands for; false: there is none. */
static bool as_transposed(const fx_call *call, fx_attr args[8], fx_call *out)
{
    int32_t n = fx__call_type(call, WEIGHT)->rank - 2;
    static const fx_op_code rows[] = {FX_OP_conv_transpose1d, FX_OP_conv_transpose2d, FX_OP_conv_transpose3d};
    if (n < 1 || n > 3) return false;
    const fx_attr order[] = {call->arg[INPUT],
                             call->arg[WEIGHT],
                             call->arg[BIAS],
                             call->arg[STRIDE],
                             call->arg[PADDING],
                             call->arg[OUTPUT_PADDING],
                             call->arg[CONVOLUTION_GROUPS],
                             call->arg[DILATION]};
    memcpy(args, order, sizeof order);
    *out = *call;
    out->op = fx__op(rows[n - 1]);
    out->arg = args;
    return true;
}

static fx_status shape_convolution(fx_call *call)
{
    fx_attr args[8];
    fx_call other;
    if (!fx__call_int(call, TRANSPOSED)) return shape(call, 1, 3);
    if (!as_transposed(call, args, &other))
        return fx__call_error(call, FX_E_UNSUPPORTED, "transposed convolution over other than one to three dimensions");
    FX_TRY(other.op->shape(&other));
    call->result[0] = other.result[0];
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* Axes and indices of one convolution. */
typedef struct conv_kernel {
    fx_kb *k;
    fx_window w;
    fx_dtype sum;
    uint8_t red[FX_REDS], n_red;
    fx_index out[FX_RANK], x[FX_RANK], weight[FX_RANK], channel; /* channel: of the result */
    bool leaves;                                                 /* windows leave the input */
    bool depthwise;                                              /* one input channel per group */
} conv_kernel;

static fx_dtype sum_dtype(fx_dtype dtype)
{
    if (dtype == FX_F16 || dtype == FX_BF16) return FX_F32;
    return dtype == FX_I8 || dtype == FX_U8 ? FX_I32 : dtype;
}

/* group * size + within; an absent part is FX_NO_AXIS */
static fx_index channel_index(uint8_t group, fx_dim size, uint8_t within)
{
    fx_index index = {.value = -1};
    if (group != FX_NO_AXIS) index.term[index.n++] = (fx_term){.axis = group, .coef = size, .div = 1};
    if (within != FX_NO_AXIS) index.term[index.n++] = (fx_term){.axis = within, .coef = 1, .div = 1};
    return index;
}

/* Outer axes n, positions, g, o; reduced axes: window, ic. */
static void make_axes(conv_kernel *c, fx_lower *lw, const fx_call *call, int64_t groups)
{
    const fx_type *x = fx__call_type(call, INPUT), *weight = fx__call_type(call, WEIGHT), *out = &call->result[0];
    fx_dim per_group = fx__dim_floordiv(fx__lower_dims(lw), weight->dim[0], groups);
    int32_t n = c->w.n, lead = x->rank - n - 1;
    uint8_t position[FX_WINDOW_DIMS], group = FX_NO_AXIS, o = FX_NO_AXIS, ic = FX_NO_AXIS;
    if (lead) c->out[0] = c->x[0] = fx__index_axis(fx__kb_axis(c->k, "n", x->dim[0], true));
    for (int32_t i = 0; i < n; i++) position[i] = fx__kb_axis(c->k, fx__window_name(&c->w, i), out->dim[lead + 1 + i], true);
    if (groups > 1) group = fx__kb_axis(c->k, "g", groups, true);
    if (groups == 1 || per_group != 1) o = fx__kb_axis(c->k, "o", per_group, true);
    for (int32_t i = 0; i < n; i++) {
        uint8_t k = c->red[c->n_red++] = fx__kb_axis(c->k, fx__window_kernel_name(&c->w, i), c->w.size[i], false);
        c->out[lead + 1 + i] = fx__index_axis(position[i]);
        c->x[lead + 1 + i] = fx__window_index(&c->w, i, position[i], k);
        c->weight[2 + i] = fx__index_axis(k);
    }
    if (!c->depthwise) ic = c->red[c->n_red++] = fx__kb_axis(c->k, "ic", weight->dim[1], false);
    c->channel = c->out[lead] = c->weight[0] = channel_index(group, per_group, o);
    c->x[lead] = channel_index(group, weight->dim[1], ic);
    c->weight[1] = c->depthwise ? fx__index_const(0) : fx__index_axis(ic);
    c->leaves = fx__window_leaves(&c->w, x->dim + lead + 1);
}

static fx_status lower_conv(fx_lower *lw, const fx_call *call)
{
    int64_t groups = groups_of(call);
    conv_kernel c = {.sum = sum_dtype(call->result[0].dtype), .depthwise = groups > 1 && fx__call_type(call, WEIGHT)->dim[1] == 1};
    FX_TRY(read_window(call, &c.w));
    c.k = fx__lower_kernel(lw, call);
    make_axes(&c, lw, call, groups);
    fx_lvalue input = fx__lower_arg(lw, call, INPUT);
    uint16_t x = c.leaves ? fx__kb_load_guarded(c.k, input, c.x, 0) : fx__kb_load(c.k, input, c.x);
    uint16_t a = fx__kb_cast(c.k, c.sum, x);
    uint16_t b = fx__kb_cast(c.k, c.sum, fx__kb_load(c.k, fx__lower_arg(lw, call, WEIGHT), c.weight));
    fx_kresult sum = c.depthwise ? fx__kb_reduce(c.k, "c", FX_COMBINE_SUM, c.red, c.n_red, fx__kb_scalar(c.k, FX_SCALAR_MUL, a, b))
                                 : fx__kb_contract(c.k, "c", c.red, c.n_red, a, b);
    uint16_t y = fx__kb_result(c.k, sum);
    if (!fx__call_is_none(call, BIAS)) {
        uint16_t bias = fx__kb_cast(c.k, c.sum, fx__kb_load(c.k, fx__lower_arg(lw, call, BIAS), &c.channel));
        y = fx__kb_scalar(c.k, FX_SCALAR_ADD, y, bias);
    }
    fx__kb_store(c.k, fx__lower_result(lw, call, 0), c.out, y);
    return fx__kb_finish(c.k);
}

/* convolution and the overload with named padding become convN with numbers. */
static fx_node *insert_conv(fx_graph *graph, const fx_call *call, fx_attr padding)
{
    static const fx_op_code rows[] = {FX_OP_conv1d, FX_OP_conv2d, FX_OP_conv3d};
    int32_t n;
    fx__op_params(call->op, &n);
    const fx_attr args[] = {call->arg[INPUT], call->arg[WEIGHT],   call->arg[BIAS], call->arg[STRIDE],
                            padding,          call->arg[DILATION], call->arg[n - 1]};
    return fx__check_insert(graph, call, rows[fx__call_type(call, WEIGHT)->rank - 3], args, 7);
}

static fx_node *decompose_convolution(fx_graph *graph, const fx_call *call)
{
    fx_attr args[8];
    fx_call other;
    if (fx__call_int(call, TRANSPOSED))
        return as_transposed(call, args, &other) ? fx__check_insert(graph, call, (fx_op_code)fx__op_code(other.op), args, 8) : NULL;
    return insert_conv(graph, call, call->arg[PADDING]);
}

static fx_node *decompose_named_padding(fx_graph *graph, const fx_call *call)
{
    fx_window w;
    if (read_window(call, &w) != FX_OK) return NULL;
    int64_t both[2 * FX_WINDOW_DIMS];
    for (int32_t i = 0; i < w.n; i++) both[i] = w.begin[i], both[w.n + i] = w.end[i];
    return insert_conv(graph, call, fx_ints(graph, both, 2 * w.n));
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_conv1d = {
    .name = "conv1d",
    .target = "torch.ops.aten.conv1d.default",
    .schema = "conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, "
              "int groups=1) -> Tensor",
    .names = "torch.nn.functional.conv1d torch.conv1d",
    .onnx = "Conv",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv1d,
    .reference = fx__conv_ref,
    .bound = fx__conv_bound,
    .lower = lower_conv,
    .cases = (const fx_case[]){{"(f32[2, 3, 9], f32[4, 3, 3], f32[4], 2, 1)", "stride and padding"},
                               {"(f32[3, 9], f32[4, 3, 3], None, 1, [0, 3], 2)", "no batch, padding at the end, dilation"},
                               {"(f32[1, 4, 7], f32[4, 1, 3], f32[4], 1, 1, 1, 4)", "depthwise"},
                               {NULL, NULL}},
};

const fx_op fx_op_conv2d = {
    .name = "conv2d",
    .target = "torch.ops.aten.conv2d.default",
    .schema = "conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, "
              "int groups=1) -> Tensor",
    .names = "torch.nn.functional.conv2d torch.conv2d",
    .onnx = "Conv",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv2d,
    .reference = fx__conv_ref,
    .bound = fx__conv_bound,
    .lower = lower_conv,
    .cases =
        (const fx_case[]){{"(f32[1, 3, 5, 6], f32[4, 3, 3, 3], f32[4])", "plain"},
                          {"(f32[2, 3, 7, 8], f32[17, 3, 3, 3], f32[17], 2, 1)", "stride and padding"},
                          {"(f32[1, 3, 9, 9], f32[4, 3, 1, 1])", "1x1, no bias"},
                          {"(f32[2, 5, 8, 7], f32[6, 5, 1, 1], f32[6], [2, 3])", "1x1, strided"},
                          {"(f32[1, 2, 9, 10], f32[3, 2, 3, 2], f32[3], [1, 2], [2, 1], [2, 3])", "uneven attributes, dilated"},
                          {"(f32[1, 2, 6, 6], f32[3, 2, 3, 3], None, 2, [0, 0, 1, 1])", "padding at the end only"},
                          {"(f32[1, 2, 6, 5], f32[3, 2, 4, 2], f32[3], [2, 1], [3, 0, 1, 2], [1, 2])", "four paddings"},
                          {"(f32[1, 4, 6, 6], f32[6, 2, 3, 3], f32[6], 1, 1, 1, 2)", "two groups"},
                          {"(f32[1, 6, 9, 9], f32[9, 2, 3, 2], f32[9], 2, [1, 2, 0, 1], [2, 1], 3)", "groups with all else"},
                          {"(f32[2, 5, 7, 7], f32[5, 1, 3, 3], f32[5], 2, 1, 1, 5)", "depthwise"},
                          {"(f32[1, 4, 7, 6], f32[8, 1, 3, 3], None, 1, 1, 2, 4)", "depthwise, two outputs each, dilated"},
                          {"(f32[1, 33, 5, 5], f32[33, 1, 5, 5], f32[33], 1, 2, 1, 33)", "depthwise, as large as the input"},
                          {"(f32[3, 5, 6], f32[4, 3, 3, 3], f32[4], 1, 1)", "no batch dim"},
                          {"(f32[0, 3, 5, 6], f32[4, 3, 3, 3], f32[4])", "empty batch"},
                          {"(f32[1, 1, 1, 1], f32[1, 1, 1, 1], f32[1])", "size 1"},
                          {"(f32[1, 1, 2, 2], f32[2, 1, 3, 3], f32[2], 1, 1)", "window larger than the input"},
                          {"(f32[1, 1, 2, 2], f32[1, 1, 3, 3], f32[1], 3, 4)", "windows that lie in the padding alone"},
                          {"(f32[s0, 3, 8, 8], f32[16, 3, 3, 3], f32[16], 2, 1)", "symbolic batch"},
                          {"(f32[1, 3, s0, s1], f32[4, 3, 3, 3], f32[4], 1, 1)", "symbolic image"},
                          {NULL, NULL}},
};

const fx_op fx_op_conv3d = {
    .name = "conv3d",
    .target = "torch.ops.aten.conv3d.default",
    .schema = "conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] dilation=1, "
              "int groups=1) -> Tensor",
    .names = "torch.nn.functional.conv3d torch.conv3d",
    .onnx = "Conv",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv3d,
    .reference = fx__conv_ref,
    .bound = fx__conv_bound,
    .lower = lower_conv,
    .cases = (const fx_case[]){{"(f32[1, 2, 4, 5, 6], f32[3, 2, 2, 3, 3], f32[3], [1, 2, 1], [0, 1, 1])", "plain"},
                               {"(f32[1, 2, 3, 4, 4], f32[2, 1, 3, 3, 3], None, 1, 1, 1, 2)", "depthwise"},
                               {NULL, NULL}},
};

const fx_op fx_op_conv2d_padding = {
    .name = "conv2d_padding",
    .target = "torch.ops.aten.conv2d.padding",
    .schema = "conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding=\"valid\", "
              "int[2] dilation=1, int groups=1) -> Tensor",
    .names = "",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_conv2d,
    .reference = fx__conv_ref,
    .bound = fx__conv_bound,
    .decompose = decompose_named_padding,
    .cases = (const fx_case[]){{"(f32[1, 2, 5, 6], f32[3, 2, 3, 2], f32[3], 1, 'same', [2, 3])", "odd and even windows"},
                               {"(f32[1, 2, 5, 6], f32[3, 2, 3, 2], None, 2, 'valid')", "strided"},
                               {NULL, NULL}},
};

const fx_op fx_op_convolution = {
    .name = "convolution",
    .target = "torch.ops.aten.convolution.default",
    .schema = "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, "
              "bool transposed, int[] output_padding, int groups) -> Tensor",
    .names = "torch.convolution",
    .family = "convolution",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_convolution,
    .reference = fx__convolution_ref,
    .bound = fx__convolution_bound,
    .decompose = decompose_convolution,
    .cases = (const fx_case[]){{"(f32[1, 2, 5, 6], f32[3, 2, 3, 3], f32[3], [1, 1], [1, 1], [1, 1], False, [0, 0], 1)", "2-d"},
                               {"(f32[1, 4, 7], f32[2, 2, 3], None, [2], [1], [1], False, [0], 2)", "1-d, groups"},
                               {"(f32[1, 1, 3, 4, 5], f32[2, 1, 2, 2, 2], None, [1], [0], [1], False, [0], 1)", "3-d"},
                               {"(f32[1, 4, 3, 4], f32[4, 2, 3, 3], f32[4], [2], [1], [1], True, [1, 0], 2)", "transposed"},
                               {"(f32[1, 2, 2, 3, 2], f32[2, 3, 2, 2, 2], None, [2], [0], [1], True, [0], 1)", "3-d, transposed"},
                               {NULL, NULL}},
};
