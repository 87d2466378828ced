/* SPDX-License-Identifier: Apache-2.0 */
/* Images as columns of blocks and back: im2col writes every window of an image, [N, C, H, W], as a column of [N, C kh kw, L];
 * col2im adds the columns up where windows overlap. im2col is one MAP with guarded loads; col2im is the transposed convolution with
 * weights that place element k of a block at position k of the window. */
#include "ir/ops/check.h"
#include "ir/ops/window.h"

fx_status fx__im2col_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__col2im_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__col2im_bound(const fx_rt_bound *call);

enum { SELF, KERNEL, DILATION, PADDING, STRIDE }; /* of im2col */

/* kernel: position of the parameters kernel_size, dilation, padding, stride. */
static fx_status read_blocks(const fx_call *call, int32_t kernel, fx_window *w)
{
    int64_t size[FX_RANK];
    if (fx__call_ints(call, kernel, 2, size) != 2) return fx__call_error(call, FX_E_ARG, "kernel_size needs 1 or 2 entries");
    *w = (fx_window){.n = 2};
    for (int32_t i = 0; i < 2; i++) {
        w->size[i] = size[i];
        if (size[i] < 1) return fx__call_error(call, FX_E_ARG, "kernel_size is %lld, expected at least 1", (long long)size[i]);
    }
    return fx__window_read(call, kernel + 3, kernel + 2, kernel + 1, w);
}

static fx_status count_blocks(const fx_call *call, const fx_window *w, const fx_dim *image, fx_dim out[2])
{
    for (int32_t i = 0; i < 2; i++) FX_TRY(fx__window_out(call, w, i, image[i], &out[i]));
    return FX_OK;
}

static fx_status shape_im2col(fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF);
    fx_window w;
    fx_dim blocks[2];
    FX_TRY(fx__check_rank(call, SELF, 3, 4));
    FX_TRY(read_blocks(call, KERNEL, &w));
    FX_TRY(count_blocks(call, &w, x->dim + x->rank - 2, blocks));
    fx_type *out = &call->result[0];
    out->rank = x->rank - 1;
    out->dim[0] = x->dim[0];
    out->dim[out->rank - 2] = fx__dim_mul(call->dims, x->dim[x->rank - 3], w.size[0] * w.size[1]);
    out->dim[out->rank - 1] = fx__dim_mul(call->dims, blocks[0], blocks[1]);
    return FX_OK;
}

static fx_index sum_of(const uint8_t *axis, const fx_dim *coef, int32_t n)
{
    fx_index index = {.value = -1};
    for (int32_t i = 0; i < n; i++)
        if (coef[i] != 0) index.term[index.n++] = (fx_term){.axis = axis[i], .coef = coef[i], .div = 1};
    return index;
}

static fx_status lower_im2col(fx_lower *lw, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF);
    int32_t lead = x->rank - 3;
    fx_window w;
    fx_dim blocks[2];
    fx_index from[FX_RANK], to[FX_RANK];
    FX_TRY(read_blocks(call, KERNEL, &w));
    FX_TRY(count_blocks(call, &w, x->dim + lead + 1, blocks));
    fx_kb *k = fx__lower_kernel(lw, call);
    if (lead) from[0] = to[0] = fx__index_axis(fx__kb_axis(k, "n", x->dim[0], true));
    uint8_t c = fx__kb_axis(k, "c", x->dim[lead], true), i = fx__kb_axis(k, "kh", w.size[0], true),
            j = fx__kb_axis(k, "kw", w.size[1], true), h = fx__kb_axis(k, "h", blocks[0], true),
            v = fx__kb_axis(k, "w", blocks[1], true);
    from[lead] = fx__index_axis(c);
    from[lead + 1] = fx__window_index(&w, 0, h, i);
    from[lead + 2] = fx__window_index(&w, 1, v, j);
    to[lead] = sum_of((uint8_t[]){c, i, j}, (fx_dim[]){w.size[0] * w.size[1], w.size[1], 1}, 3);
    to[lead + 1] = sum_of((uint8_t[]){h, v}, (fx_dim[]){blocks[1], 1}, 2);
    fx_lvalue value = fx__lower_arg(lw, call, SELF);
    bool leaves = fx__window_leaves(&w, x->dim + lead + 1);
    fx__kb_store(k, fx__lower_result(lw, call, 0), to,
                 leaves ? fx__kb_load_guarded(k, value, from, 0) : fx__kb_load(k, value, from));
    return fx__kb_finish(k);
}

/* ---- col2im --------------------------------------------------------------------------------------------------------------------
 */

enum { IMAGE = 1, C_KERNEL, C_DILATION, C_PADDING, C_STRIDE };

static fx_status read_image(const fx_call *call, fx_window *w, fx_dim image[2], fx_dim blocks[2])
{
    fx_dim size[FX_RANK];
    FX_TRY(read_blocks(call, C_KERNEL, w));
    if (fx__call_dims(call, IMAGE, 2, size) != 2) return fx__call_error(call, FX_E_ARG, "output_size needs 1 or 2 entries");
    image[0] = size[0];
    image[1] = size[1];
    return count_blocks(call, w, image, blocks);
}

static fx_status shape_col2im(fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF);
    fx_window w;
    fx_dim image[2], blocks[2];
    FX_TRY(fx__check_rank(call, SELF, 2, 3));
    FX_TRY(read_image(call, &w, image, blocks));
    int64_t block = w.size[0] * w.size[1];
    fx_dim rows = x->dim[x->rank - 2], columns = fx__dim_mul(call->dims, blocks[0], blocks[1]);
    if (!fx__check_equal(call, fx__dim_mod(call->dims, rows, block), 0, "rows are whole blocks") ||
        !fx__check_equal(call, x->dim[x->rank - 1], columns, "one column per window"))
        return fx__call_error(call, FX_E_SHAPE, "%s are no columns of %lld elements for %s windows", fx__check_type(call, x).s,
                              (long long)block, fx__check_dim(call, columns).s);
    fx_type *out = &call->result[0];
    out->rank = x->rank + 1;
    out->dim[0] = x->dim[0];
    out->dim[out->rank - 3] = fx__dim_floordiv(call->dims, rows, block);
    out->dim[out->rank - 2] = image[0];
    out->dim[out->rank - 1] = image[1];
    return FX_OK;
}

static fx_node *apply(fx_graph *graph, const fx_call *call, fx_op_code op, fx_node *x, const fx_dim *dim, int32_t n)
{
    fx_attr items[FX_RANK];
    for (int32_t i = 0; i < n; i++) items[i] = fx_dim_attr(dim[i]);
    return x ? fx__check_insert(graph, call, op, (fx_attr[]){fx_node_attr(x), fx_list(graph, items, n)}, 2) : NULL;
}

/* [channels * block, 1, kh, kw]: element k of a channel's block stands at position k. */
static fx_node *placing_weights(fx_graph *graph, const fx_call *call, const fx_window *w, int64_t channels)
{
    int64_t block = w->size[0] * w->size[1];
    fx_attr none = fx_none(), dtype = fx_dtype_attr(call->result[0].dtype);
    fx_node *ones = fx__check_insert(graph, call, FX_OP_eye, (fx_attr[]){fx_int(block), none, dtype, none, none, none}, 6);
    fx_node *window = apply(graph, call, FX_OP_reshape, ones, (fx_dim[]){block, 1, w->size[0], w->size[1]}, 4);
    return apply(graph, call, FX_OP_repeat, window, (fx_dim[]){channels, 1, 1, 1}, 4);
}

static fx_attr pair(fx_graph *graph, const int64_t *value)
{
    return fx_list(graph, (fx_attr[]){fx_int(value[0]), fx_int(value[1])}, 2);
}

static fx_node *decompose_col2im(fx_graph *graph, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, SELF), *out = &call->result[0];
    fx_dim image[2], blocks[2], split[FX_RANK] = {x->dim[0]}, channels = out->dim[out->rank - 3];
    int64_t rest[2];
    fx_window w;
    if (read_image(call, &w, image, blocks) != FX_OK || !fx_dim_is_const(channels) || channels < 1) return NULL;
    for (int32_t i = 0; i < 2; i++) {
        if (!fx_dim_is_const(image[i]) || w.begin[i] != w.end[i]) return NULL;
        rest[i] = (image[i] + 2 * w.begin[i] - (w.size[i] - 1) * w.dilation[i] - 1) % w.stride[i];
    }
    split[out->rank - 3] = x->dim[x->rank - 2];
    split[out->rank - 2] = blocks[0];
    split[out->rank - 1] = blocks[1];
    fx_node *columns = apply(graph, call, FX_OP_reshape, call->arg[SELF].u.node, split, out->rank);
    fx_node *weights = placing_weights(graph, call, &w, channels);
    if (!columns || !weights) return NULL;
    const fx_attr args[] = {fx_node_attr(columns), fx_node_attr(weights), fx_none(),        pair(graph, w.stride),
                            pair(graph, w.begin),  pair(graph, rest),     fx_int(channels), pair(graph, w.dilation)};
    return fx__check_insert(graph, call, FX_OP_conv_transpose2d, args, 8);
}

/* ---- Rows ----------------------------------------------------------------------------------------------------------------------
 */

const fx_op fx_op_im2col = {
    .name = "im2col",
    .target = "torch.ops.aten.im2col.default",
    .schema = "im2col(Tensor self, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Tensor",
    .names = "torch._C._nn.im2col torch.nn.functional.unfold",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_im2col,
    .reference = fx__im2col_ref,
    .lower = lower_im2col,
    .cases = (const fx_case[]){{"(f32[2, 3, 5, 6], [2, 3])", NULL},
                               {"(f32[1, 2, 6, 7], 3, 1, 1, 2)", "padding and stride"},
                               {"(f32[2, 7, 8], [2, 3], [2, 1], [1, 0], [1, 2])", "no batch dim, dilation"},
                               {"(f32[s0, 2, 4, 4], 2, 1, 0, 2)", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_col2im = {
    .name = "col2im",
    .target = "torch.ops.aten.col2im.default",
    .schema =
        "col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) "
        "-> Tensor",
    .names = "torch._C._nn.col2im torch.nn.functional.fold",
    .onnx = "Col2Im",
    .family = "moves",
    .dtypes = FX_FLOATS,
    .shape = shape_col2im,
    .reference = fx__col2im_ref,
    .bound = fx__col2im_bound,
    .decompose = decompose_col2im,
    .cases = (const fx_case[]){{"(f32[2, 18, 16], [5, 6], [2, 3])", "overlapping"},
                               {"(f32[1, 18, 12], [6, 7], 3, 1, 1, 2)", "padding and stride"},
                               {"(f32[12, 14], [7, 8], [2, 3], [2, 1], [1, 0], [1, 3])", "no batch dim, dilation"},
                               {"(f32[s0, 8, 4], [4, 4], 2, 1, 0, 2)", "symbolic"},
                               {NULL, NULL}},
};
