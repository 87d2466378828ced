/* SPDX-License-Identifier: Apache-2.0 */
/* embedding_bag: sums, means or largest values of bags of rows of a table. Bag b is the indices from offsets[b] to the next offset,
 * of any number, so its length is only known at run time: a LOOP turns as often as the longest bag is long, and each turn adds one
 * row to every bag that still has one. Offsets outside are clamped; a bag that ends before it begins is empty. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include "ir/ops/index.h"
#include <math.h>
#include <string.h>

fx_status fx__embedding_bag_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__embedding_bag_bound(const fx_rt_bound *call);
fx_status fx__functional_embedding_bag_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__functional_embedding_bag_bound(const fx_rt_bound *call);

enum { WEIGHT, INDICES, OFFSETS, BY_FREQ, MODE, SPARSE, PER_SAMPLE, LAST_OFFSET, PADDING };
enum { SUM, MEAN, MAX };

/* ---- Rules ------------------------------------------------------------------------------------------------------------------ */

static fx_status dtype_bag(fx_call *call)
{
    call->n_results = 4;
    call->result[0].dtype = fx__call_type(call, WEIGHT)->dtype;
    for (int32_t r = 1; r < 4; r++) call->result[r].dtype = FX_I64;
    return FX_OK;
}

static fx_status check_samples(const fx_call *call, int32_t samples, int32_t mode, const fx_type *like)
{
    const fx_type *given = fx__call_type(call, samples);
    if (!given) return FX_OK;
    if (mode != SUM) return fx__call_error(call, FX_E_UNSUPPORTED, "per_sample_weights needs mode 'sum'");
    bool fits = given->rank == like->rank;
    for (int32_t d = 0; fits && d < like->rank; d++)
        fits = fx__check_equal(call, given->dim[d], like->dim[d], "a weight per index");
    if (fits) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "per_sample_weights is %s, indices are %s", fx__check_type(call, given).s,
                          fx__check_type(call, like).s);
}

/* The last three results serve training; they are empty. */
static fx_status shape_bag(fx_call *call)
{
    FX_TRY(fx__check_rank(call, WEIGHT, 2, 2));
    FX_TRY(fx__check_rank(call, INDICES, 1, 1));
    FX_TRY(fx__check_rank(call, OFFSETS, 1, 1));
    FX_TRY(fx__pick_check(call, fx__call_type(call, INDICES)));
    FX_TRY(fx__pick_check(call, fx__call_type(call, OFFSETS)));
    int64_t mode = fx__call_int(call, MODE);
    if (mode < SUM || mode > MAX) return fx__call_error(call, FX_E_ARG, "mode is %lld, expected 0, 1 or 2", (long long)mode);
    FX_TRY(check_samples(call, PER_SAMPLE, (int32_t)mode, fx__call_type(call, INDICES)));
    fx_dim bags = fx__call_type(call, OFFSETS)->dim[0];
    if (fx__call_int(call, LAST_OFFSET)) bags = fx__dim_sub(call->dims, bags, 1);
    if (bags != FX_DIM_BAD && !fx__dims_assume(call->dims, FX_GUARD_LE, 0, bags, "the last offset is one more"))
        return fx__call_error(call, FX_E_SHAPE, "include_last_offset needs an offset");
    call->result[0].rank = 2;
    call->result[0].dim[0] = bags;
    call->result[0].dim[1] = fx__call_type(call, WEIGHT)->dim[1];
    for (int32_t r = 1; r < 4; r++) {
        call->result[r].rank = 1;
        call->result[r].dim[0] = 0;
    }
    return FX_OK;
}

/* ---- Lowering --------------------------------------------------------------------------------------------------------------- */

typedef struct bags {
    fx_lower *lower;
    const fx_call *call;
    fx_dim n, rows, bags, columns; /* indices; rows and columns of the table */
    fx_dtype dtype;                /* computed in */
    int64_t mode, padding;         /* padding -1: none */
} bags;

static uint16_t i64(fx_kb *k, int64_t value)
{
    return fx__kb_imm_int(k, FX_I64, value);
}
static uint16_t two(fx_kb *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(k, op, a, b);
}

static uint16_t clamped(fx_kb *k, uint16_t at, fx_dim n)
{
    return two(k, FX_SCALAR_MAX, two(k, FX_SCALAR_MIN, fx__kb_cast(k, FX_I64, at), fx__kb_dim(k, n)), i64(k, 0));
}

/* Where the bag of this axis begins and ends. */
static void ends(const bags *g, fx_kb *k, uint8_t bag, uint16_t *begin, uint16_t *end)
{
    fx_lvalue offsets = fx__lower_arg(g->lower, g->call, OFFSETS);
    fx_index here = fx__index_axis(bag), next = here;
    next.base = 1;
    *begin = clamped(k, fx__kb_load(k, offsets, &here), g->n);
    if (fx__call_int(g->call, LAST_OFFSET)) {
        *end = clamped(k, fx__kb_load(k, offsets, &next), g->n);
        return;
    }
    uint16_t behind = clamped(k, fx__kb_load_guarded(k, offsets, &next, 0), g->n);
    uint16_t has_next = two(k, FX_SCALAR_LT, two(k, FX_SCALAR_ADD, fx__kb_coord(k, bag), i64(k, 1)), fx__kb_dim(k, g->bags));
    *end = fx__kb_select(k, has_next, behind, fx__kb_dim(k, g->n));
}

/* The length of the longest bag, at least 0. */
static fx_lvalue longest(const bags *g)
{
    fx_type scalar = {.dtype = FX_I64};
    fx_lvalue most = fx__lower_temp(g->lower, "most", &scalar);
    fx_kb *k = fx__lower_kernel(g->lower, g->call);
    uint8_t bag = fx__kb_axis(k, "b", g->bags, false);
    uint16_t begin, end;
    ends(g, k, bag, &begin, &end);
    fx_kresult r = fx__kb_reduce(k, "m", FX_COMBINE_MAX, &bag, 1, two(k, FX_SCALAR_SUB, end, begin));
    fx__kb_store(k, most, NULL, two(k, FX_SCALAR_MAX, fx__kb_result(k, r), i64(k, 0)));
    return fx__kb_finish(k) == FX_OK ? most : FX_NO_LVALUE;
}

/* A temp over bags, or bags and columns, with this value everywhere. */
static fx_lvalue filled(const bags *g, const char *name, int32_t rank, double value)
{
    fx_type type = {.dtype = g->dtype, .rank = rank, .dim = {g->bags, g->columns}};
    fx_lvalue temp = fx__lower_temp(g->lower, name, &type);
    fx_kb *k = fx__lower_kernel(g->lower, g->call);
    fx_index at[2] = {fx__index_axis(fx__kb_axis(k, "b", g->bags, true))};
    if (rank == 2) at[1] = fx__index_axis(fx__kb_axis(k, "d", g->columns, true));
    fx__kb_store(k, temp, at, fx__kb_imm(k, g->dtype, value));
    return fx__kb_finish(k) == FX_OK ? temp : FX_NO_LVALUE;
}

/* This turn's index of a bag. */
typedef struct step {
    uint16_t row, inside; /* of the table; whether the bag has one more that counts */
    fx_index at;          /* of the index */
} step;

static step step_of(const bags *g, fx_kb *k, uint8_t bag, fx_dim turn)
{
    step s;
    uint16_t begin, end;
    ends(g, k, bag, &begin, &end);
    uint16_t at = two(k, FX_SCALAR_ADD, begin, fx__kb_dim(k, turn));
    s.inside = two(k, FX_SCALAR_LT, at, end);
    uint16_t last = two(k, FX_SCALAR_SUB, fx__kb_dim(k, g->n), i64(k, 1));
    s.at = (fx_index){.value = (int16_t)two(k, FX_SCALAR_MAX, two(k, FX_SCALAR_MIN, at, last), i64(k, 0))};
    uint16_t index = fx__kb_cast(k, FX_I64, fx__kb_load_gather(k, fx__lower_arg(g->lower, g->call, INDICES), &s.at));
    uint16_t from_end = two(k, FX_SCALAR_ADD, index, fx__kb_dim(k, g->rows));
    s.row = fx__kb_select(k, two(k, FX_SCALAR_LT, index, i64(k, 0)), from_end, index);
    if (g->padding >= 0) s.inside = two(k, FX_SCALAR_AND, s.inside, two(k, FX_SCALAR_NE, s.row, i64(k, g->padding)));
    return s;
}

static fx_status add_rows(const bags *g, fx_dim turn, fx_lvalue now, fx_lvalue next)
{
    fx_kb *k = fx__lower_kernel(g->lower, g->call);
    uint8_t bag = fx__kb_axis(k, "b", g->bags, true), column = fx__kb_axis(k, "d", g->columns, true);
    fx_index at[2] = {fx__index_axis(bag), fx__index_axis(column)};
    step s = step_of(g, k, bag, turn);
    fx_index from[2] = {{.value = (int16_t)s.row}, at[1]};
    uint16_t value = fx__kb_cast(k, g->dtype, fx__kb_load_gather(k, fx__lower_arg(g->lower, g->call, WEIGHT), from));
    if (!fx__call_is_none(g->call, PER_SAMPLE)) {
        uint16_t weight = fx__kb_load_gather(k, fx__lower_arg(g->lower, g->call, PER_SAMPLE), &s.at);
        value = two(k, FX_SCALAR_MUL, value, fx__kb_cast(k, g->dtype, weight));
    }
    uint16_t old = fx__kb_load(k, now, at);
    uint16_t joined = two(k, g->mode == MAX ? FX_SCALAR_MAX : FX_SCALAR_ADD, old, value);
    fx__kb_store(k, next, at, fx__kb_select(k, s.inside, joined, old));
    return fx__kb_finish(k);
}

static fx_status add_counts(const bags *g, fx_dim turn, fx_lvalue now, fx_lvalue next)
{
    fx_kb *k = fx__lower_kernel(g->lower, g->call);
    uint8_t bag = fx__kb_axis(k, "b", g->bags, true);
    fx_index at = fx__index_axis(bag);
    step s = step_of(g, k, bag, turn);
    uint16_t old = fx__kb_load(k, now, &at);
    uint16_t more = two(k, FX_SCALAR_ADD, old, fx__kb_imm(k, g->dtype, 1));
    fx__kb_store(k, next, &at, fx__kb_select(k, s.inside, more, old));
    return fx__kb_finish(k);
}

/* Means, and 0 for bags without rows. */
static fx_status finish(const bags *g, fx_lvalue total, fx_lvalue count)
{
    fx_kb *k = fx__lower_kernel(g->lower, g->call);
    fx_index at[2] = {fx__index_axis(fx__kb_axis(k, "b", g->bags, true)), fx__index_axis(fx__kb_axis(k, "d", g->columns, true))};
    uint16_t y = fx__kb_load(k, total, at);
    if (g->mode != SUM) {
        uint16_t n = fx__kb_load(k, count, at), zero = fx__kb_imm(k, g->dtype, 0);
        uint16_t mean = two(k, FX_SCALAR_DIV, y, n);
        y = fx__kb_select(k, two(k, FX_SCALAR_EQ, n, zero), zero, g->mode == MEAN ? mean : y);
    }
    fx__kb_store(k, fx__lower_result(g->lower, g->call, 0), at, y);
    return fx__kb_finish(k);
}

static fx_status add_all(const bags *g, fx_lvalue total, fx_lvalue count)
{
    fx_lower_loop loop;
    fx_lvalue most = longest(g);
    fx_dim turn = fx__lower_loop_begin(g->lower, g->n, &loop);
    if (turn == FX_DIM_BAD || most < 0) return FX_E_OOM;
    fx__lower_loop_times(g->lower, &loop, most);
    FX_TRY(add_rows(g, turn, total, fx__lower_loop_carry(g->lower, &loop, total)));
    if (g->mode != SUM) FX_TRY(add_counts(g, turn, count, fx__lower_loop_carry(g->lower, &loop, count)));
    return fx__lower_loop_end(g->lower, &loop);
}

static fx_status lower_bag(fx_lower *lower, const fx_call *call)
{
    const fx_type *weight = fx__call_type(call, WEIGHT);
    bags g = {.lower = lower,
              .call = call,
              .n = fx__call_type(call, INDICES)->dim[0],
              .rows = weight->dim[0],
              .bags = call->result[0].dim[0],
              .columns = weight->dim[1],
              .dtype = fx__scalar_compute(weight->dtype),
              .mode = fx__call_int(call, MODE),
              .padding = fx__call_is_none(call, PADDING) ? -1 : fx__call_int(call, PADDING)};
    fx_lvalue total = filled(&g, "total", 2, g.mode == MAX ? -INFINITY : 0), count = FX_NO_LVALUE;
    if (g.mode != SUM) count = filled(&g, "count", 1, 0);
    if (total < 0 || (g.mode != SUM && count < 0)) return FX_E_OOM;
    if (g.n != 0) FX_TRY(add_all(&g, total, count)); /* no loop has no turn */
    return finish(&g, total, count);
}

/* ---- As torch.nn.functional spells it: without offsets, rows of a matrix of indices are the bags
 * --------------------------------- */

enum { F_INPUT, F_WEIGHT, F_OFFSETS, F_MAX_NORM, F_NORM_TYPE, F_BY_FREQ, F_MODE, F_SPARSE, F_PER_SAMPLE, F_LAST_OFFSET, F_PADDING };

/* -1: unknown. */
static int32_t mode_of(const fx_call *call)
{
    static const char *const modes[] = {"sum", "mean", "max"};
    for (int32_t i = 0; i < 3; i++)
        if (strcmp(call->arg[F_MODE].u.s, modes[i]) == 0) return i;
    fx__call_error(call, FX_E_ARG, "mode is '%s', expected sum, mean or max", call->arg[F_MODE].u.s);
    return -1;
}

static fx_status dtype_functional(fx_call *call)
{
    fx_dtype dtype = fx__call_type(call, F_WEIGHT)->dtype;
    call->result[0].dtype = dtype;
    if (fx_dtype_is_float(dtype)) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "weight is %s, expected floats", fx_dtype_name(dtype));
}

static fx_status shape_functional(fx_call *call)
{
    const fx_type *index = fx__call_type(call, F_INPUT), *offsets = fx__call_type(call, F_OFFSETS);
    int32_t mode = mode_of(call);
    if (mode < 0) return FX_E_ARG;
    if (!fx__call_is_none(call, F_MAX_NORM))
        return fx__call_error(call, FX_E_UNSUPPORTED, "max_norm changes the weight; it is not supported");
    FX_TRY(fx__check_rank(call, F_WEIGHT, 2, 2));
    FX_TRY(fx__check_rank(call, F_INPUT, offsets ? 1 : 2, offsets ? 1 : 2));
    FX_TRY(fx__pick_check(call, index));
    if (offsets) FX_TRY(fx__pick_check(call, offsets));
    FX_TRY(check_samples(call, F_PER_SAMPLE, mode, index));
    if (!offsets && !fx__dims_assume(call->dims, FX_GUARD_LE, 1, index->dim[1], "bags have rows"))
        return fx__call_error(call, FX_E_UNSUPPORTED, "bags of no rows");
    fx_dim count = offsets ? offsets->dim[0] : index->dim[0];
    if (offsets && fx__call_int(call, F_LAST_OFFSET)) count = fx__dim_sub(call->dims, count, 1);
    call->result[0].rank = 2;
    call->result[0].dim[0] = count;
    call->result[0].dim[1] = fx__call_type(call, F_WEIGHT)->dim[1];
    return FX_OK;
}

static fx_attr flat(fx_graph *graph, const fx_call *call, fx_attr x)
{
    if (x.kind == FX_ATTR_NONE || !fx__call_is_none(call, F_OFFSETS)) return x;
    fx_attr all = fx_list(graph, (fx_attr[]){fx_int(-1)}, 1);
    fx_node *node = fx__check_insert(graph, call, FX_OP_reshape, (fx_attr[]){x, all}, 2);
    return node ? fx_node_attr(node) : fx_none();
}

/* 0, length, 2 length, ... */
static fx_attr even_offsets(fx_graph *graph, const fx_call *call)
{
    const fx_type *index = fx__call_type(call, F_INPUT);
    fx_attr none = fx_none();
    const fx_attr args[] = {fx_int(0), fx_dim_attr(index->dim[0]), fx_int(1), none, none, none, none};
    fx_node *count = fx__check_insert(graph, call, FX_OP_arange, args, 7);
    fx_attr length = fx_dim_attr(index->dim[1]);
    fx_node *node = count ? fx__check_insert(graph, call, FX_OP_mul, (fx_attr[]){fx_node_attr(count), length}, 2) : NULL;
    return node ? fx_node_attr(node) : fx_none();
}

static fx_node *decompose_functional(fx_graph *graph, const fx_call *call)
{
    const fx_attr *a = call->arg;
    fx_attr offsets = fx__call_is_none(call, F_OFFSETS) ? even_offsets(graph, call) : a[F_OFFSETS];
    fx_attr index = flat(graph, call, a[F_INPUT]), samples = flat(graph, call, a[F_PER_SAMPLE]);
    if (offsets.kind != FX_ATTR_NODE || index.kind != FX_ATTR_NODE) return NULL;
    bool last = !fx__call_is_none(call, F_OFFSETS) && fx__call_int(call, F_LAST_OFFSET);
    int64_t padding = fx__call_is_none(call, F_PADDING) ? -1 : fx__call_int(call, F_PADDING);
    if (padding < 0 && !fx__call_is_none(call, F_PADDING)) {
        fx_dim rows = fx__call_type(call, F_WEIGHT)->dim[0];
        if (!fx_dim_is_const(rows)) return NULL;
        padding += rows;
    }
    const fx_attr args[] = {a[F_WEIGHT],    index,   offsets,       fx_bool(false), fx_int(mode_of(call)),
                            fx_bool(false), samples, fx_bool(last), fx_int(padding)};
    fx_node *bag = fx__check_insert(graph, call, FX_OP_embedding_bag, args, 9);
    return bag ? fx__check_insert(graph, call, FX_OP_getitem, (fx_attr[]){fx_node_attr(bag), fx_int(0)}, 2) : NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_embedding_bag = {
    .name = "embedding_bag",
    .target = "torch.ops.aten.embedding_bag.padding_idx",
    .schema = "embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, "
              "bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None) -> "
              "(Tensor, Tensor, Tensor, Tensor)", /* a padding_idx below 0 is none, as in _embedding_bag */
    .names = "torch.ops.aten.embedding_bag.default torch.ops.aten._embedding_bag.default "
             "torch.ops.aten._embedding_bag_forward_only.default torch.embedding_bag",
    .family = "index",
    .dtypes = FX_FLOATS,
    .dtype = dtype_bag,
    .shape = shape_bag,
    .reference = fx__embedding_bag_ref,
    .bound = fx__embedding_bag_bound,
    .lower = lower_bag,
    .cases = (const fx_case[]){{"(f32[7, 16], i64[9], i64[4])", "sums"},
                               {"(f32[7, 16], i64[0], i64[2], False, 1)", "no rows"},
                               {"(f32[7, 17], i32[5], i32[3], False, 1)", "means"},
                               {"(f32[7, 5], i64[6], i64[3], False, 2)", "largest values"},
                               {"(f32[7, 4], i64[6], i64[4], False, 0, False, f32[6], True)", "weights, last offset"},
                               {"(f32[7, 4], i64[6], i64[3], False, 1, False, None, False, 1)", "padding"},
                               {"(f32[7, 4], i64[1], i64[2])", "one index"},
                               {"(f32[7, 4], i64[s0], i64[3])", "symbolic indices"},
                               {"(f32[7, 4], i64[5], i64[s0], False, 1)", "symbolic bags"},
                               {NULL, NULL}},
};

const fx_op fx_op_functional_embedding_bag = {
    .name = "functional_embedding_bag",
    .target = "torch.nn.functional.embedding_bag",
    .schema = "embedding_bag(Tensor input, Tensor weight, Tensor? offsets=None, float? max_norm=None, float norm_type=2.0, "
              "bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, Tensor? per_sample_weights=None, "
              "bool include_last_offset=False, int? padding_idx=None) -> Tensor",
    .names = "",
    .family = "index",
    .dtypes = FX_BIT(I64) | FX_BIT(I32),
    .dtype = dtype_functional,
    .shape = shape_functional,
    .reference = fx__functional_embedding_bag_ref,
    .bound = fx__functional_embedding_bag_bound,
    .decompose = decompose_functional,
    .cases = (const fx_case[]){{"(i64[2, 5], f32[7, 16])", "rows of indices"},
                               {"(i64[9], f32[7, 5], i64[4])", "offsets"},
                               {"(i64[3, 4], f32[7, 5], None, None, 2.0, False, 'sum', False, f32[3, 4])", "weights"},
                               {"(i64[3, 4], f32[7, 5], None, None, 2.0, False, 'max', False, None, False, 1)", "padding"},
                               {NULL, NULL}},
};
