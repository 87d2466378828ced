/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_image.c: spellings of windows over images: padding by word, norms over windows and channels, sampling grids. */
#include "passes/spell.h"
#include <string.h>

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

/* upsample_nearest and upsample_bilinear, which keeps corners */
fx_spelled fx__spell_build_upsample(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    bool is_linear = fx__spell_is_called(node, "upsample_bilinear");
    const fx_attr mode = {.kind = FX_ATTR_STR, .u.s = is_linear ? "bilinear" : "nearest"};
    const fx_attr all[] = {arg[0], arg[1], arg[2], mode, is_linear ? fx_bool(true) : fx_none(), fx_none(), fx_bool(false)};
    return fx__spell_build_interpolate(node, all, out);
}

/* The p-th root of the sum of p-th powers over each window. */
fx_spelled fx__spell_build_lp_pool(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    bool is_plane = fx__spell_is_called(node, "lp_pool2d"), is_list = arg[2].kind == FX_ATTR_LIST || arg[2].kind == FX_ATTR_TUPLE;
    double count = 1;
    for (int32_t i = 0; i < (is_plane ? 2 : 1); i++) {
        const fx_attr *size = is_list && i < arg[2].n ? &arg[2].u.items[i] : &arg[2];
        if (size->kind != FX_ATTR_INT) return fx__spell_fail(node, "kernel_size is no list of integers");
        count *= (double)size->u.i;
    }
    return EVALUATE(node, "x p kernel stride ceil count root",
                    is_plane ? "pow(mul(avg_pool2d(pow(x, p), kernel, stride, [0, 0], ceil), count), root)"
                             : "pow(mul(avg_pool1d(pow(x, p), kernel, stride, [0], ceil), count), root)",
                    out, arg[0], arg[1], arg[2], arg[3], arg[4], fx_float(count), fx_float(1 / arg[1].u.f));
}

/* Windows over channels: sums of shifted copies. */
fx_spelled fx__spell_build_local_response(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int64_t size = arg[1].u.i, pads[2 * FX_RANK] = {0};
    fx_attr squares, sum = fx_none(), part;
    if (!type) return FX_SPELL_FAILED;
    if (type->rank < 2 || size < 1 || size > 64)
        return fx__spell_fail(node, "windows of 1 to 64 channels of a tensor of 2 dims or more");
    int32_t at = 2 * (type->rank - 2);
    pads[at] = size / 2, pads[at + 1] = (size - 1) / 2;
    if (EVALUATE(node, "x pads", "constant_pad_nd(square(x), pads)", &squares, arg[0], fx_ints(node->graph, pads, at + 2)) !=
        FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    for (int64_t i = 0; i < size; i++) {
        if (EVALUATE(node, "x i n", "slice(x, 1, i, add(i, n))", &part, squares, fx_int(i), fx_dim_attr(type->dim[1])) !=
            FX_SPELL_DONE)
            return FX_SPELL_FAILED;
        if (i == 0)
            sum = part;
        else if (EVALUATE(node, "a b", "add(a, b)", &sum, sum, part) != FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    }
    return EVALUATE(node, "x sum alpha beta k", "div(x, pow(add(mul(sum, alpha), k), beta))", out, arg[0], sum,
                    fx_float(arg[2].u.f / (double)size), arg[3], arg[4]);
}

/* padding='valid' is none, 'same' keeps sizes; an odd one goes to the end. */
fx_spelled fx__spell_build_conv_padding(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[1]);
    int64_t pads[2 * FX_RANK] = {0};
    fx_attr x = arg[0];
    if (!type) return FX_SPELL_FAILED;
    bool is_same = strcmp(arg[4].u.s, "same") == 0;
    int32_t n = type->rank - 2;
    if ((!is_same && strcmp(arg[4].u.s, "valid") != 0) || n < 1 || n > 3)
        return fx__spell_fail(node, "padding is 'same' or 'valid'");
    for (int32_t i = 0; is_same && i < n; i++) {
        fx_dim size = type->dim[2 + i];
        if (!fx_dim_is_const(size) || arg[5].u.items[i].kind != FX_ATTR_INT)
            return fx__spell_fail(node, "a window of symbolic size");
        int64_t total = arg[5].u.items[i].u.i * (size - 1), at = 2 * (n - 1 - i);
        pads[at] = total / 2;
        pads[at + 1] = total - total / 2;
    }
    if (is_same && EVALUATE(node, "x pads", "constant_pad_nd(x, pads)", &x, x, fx_ints(node->graph, pads, 2 * n)) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    static const char *const rows[] = {"conv1d(x, w, b, stride, [0], dilation, groups)",
                                       "conv2d(x, w, b, stride, [0, 0], dilation, groups)",
                                       "conv3d(x, w, b, stride, [0, 0, 0], dilation, groups)"};
    return EVALUATE(node, "x w b stride dilation groups", rows[n - 1], out, x, arg[1], arg[2], arg[3], arg[5], arg[6]);
}

static int64_t index_of(const char *const *words, int32_t n, const char *word)
{
    for (int32_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

fx_spelled fx__spell_build_grid_sample(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    static const char *const modes[] = {"bilinear", "nearest", "bicubic"}, *const paddings[] = {"zeros", "border", "reflection"};
    int64_t mode = index_of(modes, 3, arg[2].u.s), padding = index_of(paddings, 3, arg[3].u.s);
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    if (mode < 0 || padding < 0 || type->rank != 4) return fx__spell_fail(node, "no such mode, or no batch of images");
    return EVALUATE(node, "x grid mode padding corners", "grid_sampler_2d(x, grid, mode, padding, corners)", out, arg[0], arg[1],
                    fx_int(mode), fx_int(padding), fx_bool(arg[4].kind == FX_ATTR_BOOL && arg[4].u.i));
}

/* Places of n pixels from -1 to 1: of their centres, or with the outer centres at the ends. */
static fx_spelled places(fx_node *node, fx_dim n, bool corners, fx_dtype dtype, fx_attr sizes, fx_attr *out)
{
    if (!fx_dim_is_const(n)) return fx__spell_fail(node, "a grid of symbolic size");
    double step = corners ? (n > 1 ? 2.0 / (double)(n - 1) : 0) : 2.0 / (double)n,
           first = corners ? (n > 1 ? -1 : 0) : step / 2 - 1;
    return EVALUATE(node, "n step first dtype sizes", "reshape(add(mul(cast(arange(n), dtype), step), first), sizes)", out,
                    fx_int(n), fx_float(step), fx_float(first), fx_dtype_attr(dtype), sizes);
}

fx_spelled fx__spell_build_affine_grid(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    bool corners = arg[2].kind == FX_ATTR_BOOL && arg[2].u.i;
    fx_attr x, y;
    if (!type) return FX_SPELL_FAILED;
    if (arg[1].n != 4 || type->rank != 3) return fx__spell_fail(node, "a grid that is no batch of images");
    for (int32_t i = 2; i < 4; i++)
        if (arg[1].u.items[i].kind != FX_ATTR_INT) return fx__spell_fail(node, "a grid of symbolic size");
    const int64_t down[] = {1, -1, 1, 1}, right[] = {1, 1, -1, 1};
    if (places(node, arg[1].u.items[2].u.i, corners, type->dtype, fx_ints(node->graph, down, 4), &y) != FX_SPELL_DONE ||
        places(node, arg[1].u.items[3].u.i, corners, type->dtype, fx_ints(node->graph, right, 4), &x) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    return EVALUATE(
        node, "t x y sizes",
        "add(add(mul(reshape(select(t, 2, 0), sizes), x), mul(reshape(select(t, 2, 1), sizes), y)), reshape(select(t, 2, "
        "2), sizes))",
        out, arg[0], x, y, fx_ints(node->graph, (const int64_t[]){-1, 1, 1, 2}, 4));
}
