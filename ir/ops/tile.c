/* SPDX-License-Identifier: Apache-2.0 */
/* Copies side by side and elements moved round: repeat, tile, roll, pixel_shuffle, pixel_unshuffle, channel_shuffle: all of them
 * views, or pieces joined anew. */
#include "ir/ops/check.h"

fx_status fx__repeat_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__roll_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pixel_shuffle_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__channel_shuffle_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pixel_unshuffle_ref(const fx_rt_arg *args, fx_tensor *results);

/* ---- repeat, tile ------------------------------------------------------------------------------------------------------------ */

/* Counts and sizes by dim of the result; missing ones are 1. */
typedef struct copies {
    int32_t rank;
    fx_dim count[FX_RANK], size[FX_RANK];
} copies;

static fx_status read_copies(const fx_call *call, bool may_be_fewer, copies *c)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim given[FX_RANK];
    int32_t n = fx__call_dims(call, 1, 0, given);
    if (n < 0) return FX_E_ARG;
    if (n < x->rank && !may_be_fewer) return fx__call_error(call, FX_E_ARG, "%d repeats for %s", n, fx__check_type(call, x).s);
    c->rank = n > x->rank ? n : x->rank;
    for (int32_t d = 0; d < c->rank; d++) {
        int32_t from = d - (c->rank - n), own = d - (c->rank - x->rank);
        c->count[d] = from < 0 ? 1 : given[from];
        c->size[d] = own < 0 ? 1 : x->dim[own];
        if (!fx__dims_assume(call->dims, FX_GUARD_LE, 0, c->count[d], "a count of copies"))
            return fx__call_error(call, FX_E_ARG, "%s copies of dim %d", fx__check_dim(call, c->count[d]).s, d);
    }
    return FX_OK;
}

static fx_status shape_copies(fx_call *call, bool may_be_fewer)
{
    copies c;
    FX_TRY(read_copies(call, may_be_fewer, &c));
    fx_type *out = &call->result[0];
    out->rank = c.rank;
    for (int32_t d = 0; d < c.rank; d++) out->dim[d] = fx__dim_mul(call->dims, c.count[d], c.size[d]);
    return FX_OK;
}

static fx_status shape_repeat(fx_call *call)
{
    return shape_copies(call, false);
}
static fx_status shape_tile(fx_call *call)
{
    return shape_copies(call, true);
}

static fx_attr dims_attr(fx_graph *graph, const fx_dim *dim, int32_t n)
{
    fx_attr items[2 * FX_RANK];
    for (int32_t i = 0; i < n; i++) items[i] = fx_dim_attr(dim[i]);
    return fx_list(graph, items, n);
}

static fx_node *apply(fx_graph *graph, const fx_call *call, fx_op_code op, fx_node *x, fx_attr second)
{
    return x ? fx__check_insert(graph, call, op, (fx_attr[]){fx_node_attr(x), second}, 2) : NULL;
}

/* Where there is no room for one more dim. */
static fx_node *join_copies(fx_graph *graph, const fx_call *call, int32_t dim, fx_dim count, fx_node *x)
{
    enum { COPIES = 64 };
    fx_attr pieces[COPIES];
    if (!fx_dim_is_const(count) || count < 1 || count > COPIES) return NULL;
    for (int32_t i = 0; i < count; i++) pieces[i] = fx_node_attr(x);
    return fx__check_insert(graph, call, FX_OP_cat, (fx_attr[]){fx_list(graph, pieces, (int32_t)count), fx_int(dim)}, 2);
}

/* One dim at a time: [.., size, ..] as [.., 1, size, ..], stretched, as [.., count * size, ..]. */
static fx_node *repeat_dim(fx_graph *graph, const fx_call *call, const copies *c, int32_t dim, fx_node *x, fx_dim *shape)
{
    fx_dim split[FX_RANK + 1];
    if (c->count[dim] == 1) return x;
    if (c->rank == FX_RANK) {
        shape[dim] = fx__dim_mul(call->dims, c->count[dim], c->size[dim]);
        return join_copies(graph, call, dim, c->count[dim], x);
    }
    for (int32_t d = 0; d <= c->rank; d++) split[d] = d < dim ? shape[d] : d == dim ? 1 : shape[d - 1];
    fx_node *apart = apply(graph, call, FX_OP_reshape, x, dims_attr(graph, split, c->rank + 1));
    split[dim] = c->count[dim];
    fx_node *stretched = apply(graph, call, FX_OP_expand, apart, dims_attr(graph, split, c->rank + 1));
    shape[dim] = fx__dim_mul(call->dims, c->count[dim], c->size[dim]);
    return apply(graph, call, FX_OP_reshape, stretched, dims_attr(graph, shape, c->rank));
}

static fx_node *decompose_copies(fx_graph *graph, const fx_call *call)
{
    copies c;
    fx_dim shape[FX_RANK];
    if (read_copies(call, true, &c) != FX_OK) return NULL;
    for (int32_t d = 0; d < c.rank; d++) shape[d] = c.size[d];
    fx_node *x = apply(graph, call, FX_OP_reshape, call->arg[0].u.node, dims_attr(graph, shape, c.rank));
    for (int32_t d = 0; d < c.rank && x; d++) x = repeat_dim(graph, call, &c, d, x, shape);
    return x;
}

/* ---- roll -------------------------------------------------------------------------------------------------------------------- */

/* Shifts by dim; without dims all elements move in row-major order, which *out_flat says. */
static fx_status read_shifts(const fx_call *call, int64_t *shift, bool *out_flat)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t given[FX_RANK], dims[FX_RANK];
    int32_t n = fx__call_ints(call, 1, 0, given), n_dims = fx__call_ints(call, 2, 0, dims);
    if (n < 0 || n_dims < 0) return FX_E_ARG;
    *out_flat = n_dims == 0;
    if (n != (n_dims ? n_dims : 1)) return fx__call_error(call, FX_E_ARG, "%d shifts for %d dims", n, n_dims);
    for (int32_t d = 0; d < FX_RANK; d++) shift[d] = 0;
    if (*out_flat) shift[0] = given[0];
    for (int32_t i = 0; i < n_dims; i++) {
        if (x->rank == 0) return fx__call_error(call, FX_E_SHAPE, "a scalar has no dims");
        int32_t d = fx__call_axis(call, dims[i], x->rank);
        if (d < 0) return FX_E_ARG;
        shift[d] += given[i];
    }
    return FX_OK;
}

static fx_status shape_roll(fx_call *call)
{
    int64_t shift[FX_RANK];
    bool flat;
    FX_TRY(read_shifts(call, shift, &flat));
    const fx_type *x = fx__call_type(call, 0);
    fx_dim all = fx__check_product(call, x, 0, x->rank);
    for (int32_t d = 0; d < (flat ? 1 : x->rank); d++) {
        fx_dim size = flat ? all : x->dim[d], way = shift[d] < 0 ? -shift[d] : shift[d];
        if (!fx_dim_is_const(size) && !fx__dims_assume(call->dims, FX_GUARD_LE, way, size, "a shift of less than all"))
            return fx__call_error(call, FX_E_UNSUPPORTED, "a shift by %lld of %s elements", (long long)shift[d],
                                  fx__check_dim(call, size).s);
    }
    return fx__rule_shape_same(call);
}

static fx_node *insert_slice(fx_graph *graph, const fx_call *call, fx_node *x, int32_t dim, fx_dim start, fx_dim end)
{
    const fx_attr args[] = {fx_node_attr(x), fx_int(dim), fx_dim_attr(start), fx_dim_attr(end), fx_int(1)};
    return fx__check_insert(graph, call, FX_OP_slice, args, 5);
}

/* The last `shift` ones first. A symbolic size is no smaller than the shift. */
static fx_node *roll_dim(fx_graph *graph, const fx_call *call, fx_node *x, int32_t dim, fx_dim size, int64_t shift)
{
    if (fx_dim_is_const(size)) shift = size > 0 ? (shift % size + size) % size : 0;
    if (shift == 0) return x;
    fx_dim first = shift < 0 ? -shift : fx__dim_sub(call->dims, size, shift);
    fx_node *tail = insert_slice(graph, call, x, dim, first, size), *head = insert_slice(graph, call, x, dim, 0, first);
    if (!tail || !head) return NULL;
    fx_attr pieces = fx_list(graph, (fx_attr[]){fx_node_attr(tail), fx_node_attr(head)}, 2);
    return fx__check_insert(graph, call, FX_OP_cat, (fx_attr[]){pieces, fx_int(dim)}, 2);
}

static fx_node *decompose_roll(fx_graph *graph, const fx_call *call)
{
    int64_t shift[FX_RANK];
    bool flat;
    if (read_shifts(call, shift, &flat) != FX_OK) return NULL;
    const fx_type *type = fx__call_type(call, 0);
    fx_node *x = call->arg[0].u.node;
    if (flat) {
        fx_dim all = fx__check_product(call, type, 0, type->rank);
        x = apply(graph, call, FX_OP_reshape, x, dims_attr(graph, &all, 1));
        if (x && shift[0] != 0) x = roll_dim(graph, call, x, 0, all, shift[0]);
        return apply(graph, call, FX_OP_reshape, x, dims_attr(graph, type->dim, type->rank));
    }
    for (int32_t d = 0; d < type->rank && x; d++)
        if (shift[d] != 0) x = roll_dim(graph, call, x, d, type->dim[d], shift[d]);
    return x == call->arg[0].u.node ? apply(graph, call, FX_OP_reshape, x, dims_attr(graph, type->dim, type->rank)) : x;
}

/* ---- pixel_shuffle -------------------------------------------------------------------------------------------------------------
 */

/* The factor; 0 after a diagnostic. */
static int64_t factor_of(const fx_call *call)
{
    int64_t r = fx__call_int(call, 1);
    if (fx__check_rank(call, 0, 3, FX_RANK - 2) != FX_OK) return 0;
    if (r >= 1 && r <= INT16_MAX) return r;
    fx__call_error(call, FX_E_ARG, "the factor is %lld, expected at least 1", (long long)r);
    return 0;
}

static bool divisible(const fx_call *call, fx_dim dim, int64_t by)
{
    return fx__check_equal(call, fx__dim_mod(call->dims, dim, by), 0, "a whole number of blocks");
}

static fx_status shape_shuffle(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t r = factor_of(call);
    if (r == 0) return FX_E_ARG;
    int32_t c = x->rank - 3;
    if (!divisible(call, x->dim[c], r * r))
        return fx__call_error(call, FX_E_SHAPE, "%s channels are no multiple of %lld", fx__check_dim(call, x->dim[c]).s,
                              (long long)(r * r));
    call->result[0] = *x;
    call->result[0].dim[c] = fx__dim_floordiv(call->dims, x->dim[c], r * r);
    for (int32_t d = c + 1; d < x->rank; d++) call->result[0].dim[d] = fx__dim_mul(call->dims, x->dim[d], r);
    return FX_OK;
}

static fx_status shape_unshuffle(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int64_t r = factor_of(call);
    if (r == 0) return FX_E_ARG;
    int32_t c = x->rank - 3;
    call->result[0] = *x;
    call->result[0].dim[c] = fx__dim_mul(call->dims, x->dim[c], r * r);
    for (int32_t d = c + 1; d < x->rank; d++) {
        if (!divisible(call, x->dim[d], r))
            return fx__call_error(call, FX_E_SHAPE, "dim %d of %s is no multiple of %lld", d, fx__check_type(call, x).s,
                                  (long long)r);
        call->result[0].dim[d] = fx__dim_floordiv(call->dims, x->dim[d], r);
    }
    return FX_OK;
}

/* Behind the leading dims: reshape to five dims, permute them, reshape to the result. */
static fx_node *rearrange(fx_graph *graph, const fx_call *call, const fx_dim five[5], const int64_t order[5])
{
    const fx_type *out = &call->result[0];
    int32_t lead = out->rank - 3;
    fx_dim shape[FX_RANK];
    int64_t dims[FX_RANK];
    for (int32_t d = 0; d < lead + 5; d++) {
        shape[d] = d < lead ? out->dim[d] : five[d - lead];
        dims[d] = d < lead ? d : lead + order[d - lead];
    }
    fx_node *apart = apply(graph, call, FX_OP_reshape, call->arg[0].u.node, dims_attr(graph, shape, lead + 5));
    fx_node *moved = apply(graph, call, FX_OP_permute, apart, fx_ints(graph, dims, lead + 5));
    return apply(graph, call, FX_OP_reshape, moved, dims_attr(graph, out->dim, out->rank));
}

static fx_node *decompose_shuffle(fx_graph *graph, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *out = &call->result[0];
    int64_t r = fx__call_int(call, 1);
    const fx_dim five[5] = {out->dim[out->rank - 3], r, r, x->dim[x->rank - 2], x->dim[x->rank - 1]};
    return rearrange(graph, call, five, (const int64_t[]){0, 3, 1, 4, 2});
}

static fx_node *decompose_unshuffle(fx_graph *graph, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *out = &call->result[0];
    int64_t r = fx__call_int(call, 1);
    const fx_dim five[5] = {x->dim[x->rank - 3], out->dim[out->rank - 2], r, out->dim[out->rank - 1], r};
    return rearrange(graph, call, five, (const int64_t[]){0, 2, 4, 1, 3});
}

/* ---- channel_shuffle ------------------------------------------------------------------------------------------------------------
 */

static fx_status shape_channels(fx_call *call)
{
    int64_t groups = fx__call_int(call, 1);
    FX_TRY(fx__check_rank(call, 0, 3, FX_RANK - 1));
    const fx_type *x = fx__call_type(call, 0);
    if (groups < 1) return fx__call_error(call, FX_E_ARG, "groups is %lld, expected at least 1", (long long)groups);
    if (!divisible(call, x->dim[1], groups))
        return fx__call_error(call, FX_E_SHAPE, "%s channels do not divide into %lld groups", fx__check_dim(call, x->dim[1]).s,
                              (long long)groups);
    return fx__rule_shape_same(call);
}

/* [N, groups, rest, ...] with groups and rest changing places. */
static fx_node *decompose_channels(fx_graph *graph, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim split[FX_RANK] = {x->dim[0], fx__call_int(call, 1)};
    split[2] = fx__dim_floordiv(call->dims, x->dim[1], split[1]);
    for (int32_t d = 2; d < x->rank; d++) split[d + 1] = x->dim[d];
    fx_node *apart = apply(graph, call, FX_OP_reshape, call->arg[0].u.node, dims_attr(graph, split, x->rank + 1));
    if (!apart) return NULL;
    fx_node *turned = fx__check_insert(graph, call, FX_OP_transpose, (fx_attr[]){fx_node_attr(apart), fx_int(1), fx_int(2)}, 3);
    return apply(graph, call, FX_OP_reshape, turned, dims_attr(graph, x->dim, x->rank));
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------------- */

#define MOVE(name_, target_, schema_, names_, onnx_, shape_, ref_, decompose_, cases_)                                             \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." target_,                                                              \
                                 .schema = schema_,                                                                                \
                                 .names = names_,                                                                                  \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "moves",                                                                                \
                                 .dtypes = FX_ANY,                                                                                 \
                                 .ulp = FX_ULP_EXACT,                                                                              \
                                 .shape = shape_,                                                                                  \
                                 .reference = ref_,                                                                                \
                                 .decompose = decompose_,                                                                          \
                                 .cases = cases_}

static const fx_case cases_repeat[] = {
    {"(f32[2, 3], [2, 1])", "rows"},
    {"(f32[2, 17], [1, 3])", "columns"},
    {"(f32[3], [2, 2])", "a new dim"},
    {"(i32[2, 3], [2, 1, 2])", "integers"},
    {"(f32[2, 3], [0, 2])", "no copies"},
    {"(f32[], [4])", "a scalar"},
    {"(f32[s0, 3], [1, 2])", "symbolic"},
    {"(f32[2, 3, 2, 1, 2, 1, 1, 1], [1, 2, 1, 1, 1, 1, 3, 1])", "many dims"},
    {NULL, NULL},
};
static const fx_case cases_tile[] = {
    {"(f32[2, 3], [2])", "columns"},
    {"(f32[3], [2, 2])", "a new dim"},
    {"(f32[4, 2], [])", "as it is"},
    {NULL, NULL},
};
static const fx_case cases_roll[] = {
    {"(f32[3, 17], [2], [1])", "columns"},
    {"(f32[3, 5], [-1, 7], [0, 1])", "two dims"},
    {"(i32[2, 3], [4])", "all elements"},
    {"(f32[0, 3], [1], [0])", "empty"},
    {"(f32[4], [4], [0])", "all round"},
    {"(f32[s0, 5], [2], [1])", "symbolic"},
    {NULL, NULL},
};
static const fx_case cases_shuffle[] = {
    {"(f32[2, 8, 3, 5], 2)", "blocks of four"},
    {"(f32[9, 2, 2], 3)", "no batch"},
    {"(f32[s0, 4, 3, 5], 2)", "symbolic"},
    {NULL, NULL},
};
static const fx_case cases_unshuffle[] = {
    {"(f32[2, 2, 4, 6], 2)", "blocks of four"},
    {"(f32[1, 3, 6], 3)", "no batch"},
    {"(f32[s0, 1, 4, 6], 2)", "symbolic"},
    {NULL, NULL},
};

MOVE(pixel_shuffle, "pixel_shuffle.default", "pixel_shuffle(Tensor self, int upscale_factor) -> Tensor",
     "torch.pixel_shuffle torch.nn.functional.pixel_shuffle", "DepthToSpace", shape_shuffle, fx__pixel_shuffle_ref,
     decompose_shuffle, cases_shuffle);
MOVE(pixel_unshuffle, "pixel_unshuffle.default", "pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
     "torch.pixel_unshuffle torch.nn.functional.pixel_unshuffle", "SpaceToDepth", shape_unshuffle, fx__pixel_unshuffle_ref,
     decompose_unshuffle, cases_unshuffle);
MOVE(repeat, "repeat.default", "repeat(Tensor self, SymInt[] repeats) -> Tensor", "method:repeat", "Tile", shape_repeat,
     fx__repeat_ref, decompose_copies, cases_repeat);
MOVE(roll, "roll.default", "roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor", "torch.roll method:roll", "",
     shape_roll, fx__roll_ref, decompose_roll, cases_roll);
MOVE(tile, "tile.default", "tile(Tensor self, SymInt[] dims) -> Tensor", "torch.tile method:tile", "Tile", shape_tile,
     fx__repeat_ref, decompose_copies, cases_tile);

const fx_op fx_op_channel_shuffle = {
    .name = "channel_shuffle",
    .target = "torch.ops.aten.channel_shuffle.default",
    .schema = "channel_shuffle(Tensor self, SymInt groups) -> Tensor",
    .names = "torch.channel_shuffle torch.nn.functional.channel_shuffle torch.ops.aten.native_channel_shuffle.default",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_channels,
    .reference = fx__channel_shuffle_ref,
    .decompose = decompose_channels,
    .cases =
        (const fx_case[]){
            {"(f32[2, 6, 3, 4], 2)", NULL}, {"(f32[1, 8, 17], 4)", "one dim"}, {"(f32[s0, 6, 2, 2], 3)", "symbolic"}, {NULL, NULL}},
};
