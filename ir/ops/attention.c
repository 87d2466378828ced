/* SPDX-License-Identifier: Apache-2.0 */
/* scaled_dot_product_attention: scores of queries and keys, their softmax along the keys, the mean of the values under it. Three
 * kernels over the same batch, head and query: a contraction whose epilogue scales and masks, rows, a contraction. `fuse` makes
 * them one, whose scores never leave a block of rows. Grouped heads are an axis of the query alone. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <math.h>
#include <stdio.h>

fx_status fx__attention_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__attention_bound(const fx_rt_bound *call);

enum { QUERY, KEY, VALUE, MASK, DROPOUT, CAUSAL, SCALE, GQA };

/* ---- Types --------------------------------------------------------------------------------------------------------------- */

static fx_status dtype_attention(fx_call *call)
{
    const fx_type *q = fx__call_type(call, QUERY), *mask = fx__call_type(call, MASK);
    for (int32_t i = KEY; i <= VALUE; i++)
        if (fx__call_type(call, i)->dtype != q->dtype)
            return fx__call_error(call, FX_E_TYPE, "query is %s, %s is %s; expected equal element types", fx_dtype_name(q->dtype),
                                  i == KEY ? "key" : "value", fx_dtype_name(fx__call_type(call, i)->dtype));
    if (mask && mask->dtype != FX_BOOL && mask->dtype != q->dtype)
        return fx__call_error(call, FX_E_TYPE, "attn_mask is %s, expected bool or %s", fx_dtype_name(mask->dtype),
                              fx_dtype_name(q->dtype));
    call->n_results = 1;
    call->result[0].dtype = q->dtype;
    return FX_OK;
}

static fx_status mismatch(const fx_call *call, const char *what)
{
    return fx__call_error(call, FX_E_SHAPE, "query %s, key %s and value %s differ in %s",
                          fx__check_type(call, fx__call_type(call, QUERY)).s, fx__check_type(call, fx__call_type(call, KEY)).s,
                          fx__check_type(call, fx__call_type(call, VALUE)).s, what);
}

/* Query heads per head of key and value; 0 after a diagnostic. */
static int64_t heads_per_group(const fx_call *call)
{
    const fx_type *q = fx__call_type(call, QUERY), *k = fx__call_type(call, KEY), *v = fx__call_type(call, VALUE);
    if (!fx__call_int(call, GQA)) return 1;
    bool good = q->rank >= 3 && k->rank == q->rank && v->rank == q->rank;
    fx_dim of_q = good ? q->dim[q->rank - 3] : 0, of_k = good ? k->dim[k->rank - 3] : 0;
    good = good && fx_dim_is_const(of_q) && fx_dim_is_const(of_k) && of_k > 0 && of_q % of_k == 0 && v->dim[v->rank - 3] == of_k;
    if (good && of_q > 0) return of_q / of_k;
    fx__call_error(call, FX_E_SHAPE, "enable_gqa: heads of %s do not divide into those of %s", fx__check_type(call, q).s,
                   fx__check_type(call, k).s);
    return 0;
}

/* Batch dims: those of all three, broadcast. Heads of key and value count as the query's when they are shared by groups. */
static bool batch_of(const fx_call *call, int64_t group, fx_type *out)
{
    fx_type batch[3], two;
    for (int32_t i = QUERY; i <= VALUE; i++) {
        batch[i] = *fx__call_type(call, i);
        batch[i].rank -= 2;
        if (i != QUERY && group > 1) batch[i].dim[batch[i].rank - 1] = batch[QUERY].dim[batch[QUERY].rank - 1];
    }
    return fx__broadcast(call->dims, &batch[QUERY], &batch[KEY], &two) && fx__broadcast(call->dims, &two, &batch[VALUE], out);
}

/* attn_mask expands to [batch..., queries, keys]. */
static fx_status check_mask(const fx_call *call, const fx_type *batch, fx_dim queries, fx_dim keys)
{
    const fx_type *mask = fx__call_type(call, MASK);
    if (!mask) return FX_OK;
    fx_type scores = *batch, both;
    scores.dtype = fx__call_type(call, QUERY)->dtype; /* for the message */
    scores.dim[scores.rank++] = queries;
    scores.dim[scores.rank++] = keys;
    bool good = fx__broadcast(call->dims, &scores, mask, &both) && both.rank == scores.rank;
    for (int32_t d = 0; good && d < scores.rank; d++) good = fx__check_equal(call, both.dim[d], scores.dim[d], "attn_mask expands");
    return good ? FX_OK
                : fx__call_error(call, FX_E_SHAPE, "attn_mask %s does not expand to the scores %s", fx__check_type(call, mask).s,
                                 fx__check_type(call, &scores).s);
}

static fx_status shape_attention(fx_call *call)
{
    for (int32_t i = QUERY; i <= VALUE; i++) FX_TRY(fx__check_rank(call, i, 2, FX_RANK - 1));
    const fx_type *q = fx__call_type(call, QUERY), *k = fx__call_type(call, KEY), *v = fx__call_type(call, VALUE);
    fx_type *out = &call->result[0], batch;
    fx_dtype dtype = out->dtype;
    if (fx__call_float(call, DROPOUT) != 0) return fx__call_error(call, FX_E_UNSUPPORTED, "dropout_p is not 0");
    if (fx__call_int(call, CAUSAL) && !fx__call_is_none(call, MASK))
        return fx__call_error(call, FX_E_ARG, "attn_mask and is_causal exclude each other");
    if (!fx__check_equal(call, q->dim[q->rank - 1], k->dim[k->rank - 1], "attention: features")) return mismatch(call, "features");
    if (!fx__check_equal(call, k->dim[k->rank - 2], v->dim[v->rank - 2], "attention: keys")) return mismatch(call, "keys");
    int64_t group = heads_per_group(call);
    if (group == 0) return FX_E_SHAPE;
    if (!batch_of(call, group, &batch)) return mismatch(call, "batch sizes");
    FX_TRY(check_mask(call, &batch, q->dim[q->rank - 2], k->dim[k->rank - 2]));
    *out = batch;
    out->dtype = dtype;
    out->dim[out->rank++] = q->dim[q->rank - 2];
    out->dim[out->rank++] = v->dim[v->rank - 1];
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

typedef struct attention {
    fx_lower *lower;
    const fx_call *call;
    fx_dtype dtype; /* computed in */
    int32_t batch;  /* batch dims of the result; the last one counts heads */
    int64_t group;  /* query heads per head of key and value */
    fx_type scores; /* [batch..., queries, keys]; grouped heads in two dims */
    fx_lvalue s, p; /* scores, and what softmax makes of them */
} attention;

/* Axes of the batch dims and, behind them, of the query: the same ones in each of the three kernels. */
static fx_kb *open_kernel(const attention *a, fx_index *at)
{
    fx_kb *k = fx__lower_kernel(a->lower, a->call);
    for (int32_t d = 0; d < a->scores.rank - 1; d++) {
        char name[8];
        snprintf(name, sizeof name, "%c%d", d == a->scores.rank - 2 ? 't' : 'b', (int)(d & 15));
        at[d] = fx__index_axis(fx__kb_axis(k, name, a->scores.dim[d], true));
    }
    return k;
}

static fx_index head_of_query(const attention *a, const fx_index *at)
{
    fx_index head = at[a->batch - 1];
    if (a->group == 1) return head;
    head.term[0].coef = a->group;
    head.term[head.n++] = at[a->batch].term[0];
    return head;
}

/* Index of an operand of the kernel's point: batch dims aligned with the result's, then a row and a column. */
static void operand_index(const attention *a, int32_t arg, const fx_index *at, fx_index row, fx_index column, fx_index *out)
{
    const fx_type *type = fx__call_type(a->call, arg), *result = &a->call->result[0];
    for (int32_t d = 0; d < type->rank - 2; d++) {
        int32_t axis = a->batch - (type->rank - 2) + d;
        bool shared_head = a->group > 1 && axis == a->batch - 1 && (arg == KEY || arg == VALUE);
        bool repeated = !shared_head && type->dim[d] == 1 && result->dim[axis] != 1;
        out[d] = repeated ? fx__index_const(0) : axis == a->batch - 1 && !shared_head ? head_of_query(a, at) : at[axis];
    }
    if (type->rank >= 2) out[type->rank - 2] = type->dim[type->rank - 2] == 1 && arg == MASK ? fx__index_const(0) : row;
    if (type->rank >= 1) out[type->rank - 1] = type->dim[type->rank - 1] == 1 && arg == MASK ? fx__index_const(0) : column;
}

static uint16_t load(const attention *a, fx_kb *k, int32_t arg, const fx_index *at)
{
    return fx__kb_load(k, fx__lower_arg(a->lower, a->call, arg), at);
}

static uint16_t scale_of(const attention *a, fx_kb *k)
{
    const fx_type *q = fx__call_type(a->call, QUERY);
    fx_dim features = q->dim[q->rank - 1];
    if (!fx__call_is_none(a->call, SCALE)) return fx__kb_imm(k, a->dtype, fx__call_float(a->call, SCALE));
    if (fx_dim_is_const(features)) return fx__kb_imm(k, a->dtype, features > 0 ? 1 / sqrt((double)features) : 0);
    uint16_t root = fx__kb_scalar(k, FX_SCALAR_SQRT, fx__kb_cast(k, a->dtype, fx__kb_dim(k, features)), FX_NO_EXPR);
    return fx__kb_scalar(k, FX_SCALAR_DIV, fx__kb_imm(k, a->dtype, 1), root);
}

static uint16_t masked(const attention *a, fx_kb *k, const fx_index *at, fx_index key, uint16_t score)
{
    fx_index index[FX_RANK], query = at[a->scores.rank - 2];
    uint16_t none = fx__kb_imm(k, a->dtype, -INFINITY);
    if (fx__call_int(a->call, CAUSAL)) {
        uint16_t row = fx__kb_coord(k, query.term[0].axis), column = fx__kb_coord(k, key.term[0].axis);
        return fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_LE, column, row), score, none);
    }
    if (fx__call_is_none(a->call, MASK)) return score;
    operand_index(a, MASK, at, query, key, index);
    uint16_t mask = load(a, k, MASK, index);
    if (fx__kb_dtype(k, mask) == FX_BOOL) return fx__kb_select(k, mask, score, none);
    return fx__kb_scalar(k, FX_SCALAR_ADD, score, fx__kb_cast(k, a->dtype, mask));
}

static fx_status lower_scores(attention *a)
{
    const fx_type *q = fx__call_type(a->call, QUERY);
    fx_index at[FX_RANK], index[FX_RANK];
    int32_t last = a->scores.rank - 1;
    fx_kb *k = open_kernel(a, at);
    at[last] = fx__index_axis(fx__kb_axis(k, "j", a->scores.dim[last], true));
    uint8_t red = fx__kb_axis(k, "d", q->dim[q->rank - 1], false);
    operand_index(a, QUERY, at, at[last - 1], fx__index_axis(red), index);
    uint16_t vq = fx__kb_cast(k, a->dtype, load(a, k, QUERY, index));
    operand_index(a, KEY, at, at[last], fx__index_axis(red), index);
    uint16_t vk = fx__kb_cast(k, a->dtype, load(a, k, KEY, index));
    fx_kresult c = fx__kb_contract(k, "c", &red, 1, vq, vk);
    uint16_t score = fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_result(k, c), scale_of(a, k));
    fx__kb_store(k, a->s, at, masked(a, k, at, at[last], score));
    return fx__kb_finish(k);
}

/* A row that is all -inf has no largest element to measure from, and a sum of 0. */
static fx_status lower_weights(attention *a)
{
    fx_index at[FX_RANK];
    int32_t last = a->scores.rank - 1;
    fx_kb *k = open_kernel(a, at);
    uint8_t j = fx__kb_axis(k, "j", a->scores.dim[last], false);
    at[last] = fx__index_axis(j);
    fx_kresult largest = fx__kb_reduce(k, "m", FX_COMBINE_MAX, &j, 1, fx__kb_load(k, a->s, at));
    int local = fx__kb_local(k, "e", a->dtype, &j, 1);
    fx__kb_map(k, &j, 1);
    uint16_t m = fx__kb_result(k, largest), none = fx__kb_imm(k, a->dtype, -INFINITY), zero = fx__kb_imm(k, a->dtype, 0);
    m = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_EQ, m, none), zero, m);
    uint16_t distance = fx__kb_scalar(k, FX_SCALAR_SUB, fx__kb_load(k, a->s, at), m);
    fx__kb_store_local(k, local, &at[last], fx__kb_scalar(k, FX_SCALAR_EXP, distance, FX_NO_EXPR));
    fx__kb_map(k, NULL, 0);
    fx_kresult sum = fx__kb_reduce(k, "l", FX_COMBINE_SUM, &j, 1, fx__kb_load_local(k, local, &at[last]));
    fx__kb_map(k, &j, 1);
    uint16_t l = fx__kb_result(k, sum), empty = fx__kb_scalar(k, FX_SCALAR_EQ, l, fx__kb_imm(k, a->dtype, 0));
    uint16_t inverse = fx__kb_scalar(k, FX_SCALAR_DIV, fx__kb_imm(k, a->dtype, 1), l);
    inverse = fx__kb_select(k, empty, fx__kb_imm(k, a->dtype, 0), inverse);
    fx__kb_store(k, a->p, at, fx__kb_scalar(k, FX_SCALAR_MUL, fx__kb_load_local(k, local, &at[last]), inverse));
    return fx__kb_finish(k);
}

static fx_status lower_mean(attention *a)
{
    const fx_type *out = &a->call->result[0];
    fx_index at[FX_RANK], index[FX_RANK];
    int32_t last = a->scores.rank - 1;
    fx_kb *k = open_kernel(a, at);
    fx_index column = fx__index_axis(fx__kb_axis(k, "e", out->dim[out->rank - 1], true));
    uint8_t red = fx__kb_axis(k, "j", a->scores.dim[last], false);
    at[last] = fx__index_axis(red);
    uint16_t vp = fx__kb_load(k, a->p, at);
    operand_index(a, VALUE, at, at[last], column, index);
    uint16_t vv = fx__kb_cast(k, a->dtype, load(a, k, VALUE, index));
    fx_kresult c = fx__kb_contract(k, "o", &red, 1, vp, vv);
    for (int32_t d = 0; d < a->batch; d++) index[d] = d == a->batch - 1 ? head_of_query(a, at) : at[d];
    index[a->batch] = at[last - 1];
    index[a->batch + 1] = column;
    fx__kb_store(k, fx__lower_result(a->lower, a->call, 0), index, fx__kb_result(k, c));
    return fx__kb_finish(k);
}

static fx_status lower_attention(fx_lower *lower, const fx_call *call)
{
    const fx_type *out = &call->result[0], *q = fx__call_type(call, QUERY), *k = fx__call_type(call, KEY);
    attention a = {.lower = lower,
                   .call = call,
                   .dtype = out->dtype == FX_F64 ? FX_F64 : FX_F32,
                   .batch = out->rank - 2,
                   .group = fx__call_int(call, GQA) ? q->dim[q->rank - 3] / k->dim[k->rank - 3] : 1};
    if (a.group > 1 && out->rank == FX_RANK) return fx__lower_decline(lower, "grouped heads of %d dims", FX_RANK);
    a.scores = (fx_type){.dtype = a.dtype};
    for (int32_t d = 0; d < a.batch; d++) a.scores.dim[a.scores.rank++] = out->dim[d];
    if (a.group > 1) {
        a.scores.dim[a.batch - 1] = k->dim[k->rank - 3];
        a.scores.dim[a.scores.rank++] = a.group;
    }
    a.scores.dim[a.scores.rank++] = q->dim[q->rank - 2];
    a.scores.dim[a.scores.rank++] = k->dim[k->rank - 2];
    a.s = fx__lower_temp(lower, "scores", &a.scores);
    a.p = fx__lower_temp(lower, "weights", &a.scores);
    FX_TRY(lower_scores(&a));
    FX_TRY(lower_weights(&a));
    return lower_mean(&a);
}

/* ---- Row ----------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_scaled_dot_product_attention = {
    .name = "scaled_dot_product_attention",
    .target = "torch.ops.aten.scaled_dot_product_attention.default",
    .schema = "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, "
              "bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
    .names = "torch.nn.functional.scaled_dot_product_attention torch._C._nn.scaled_dot_product_attention",
    .family = "linear",
    .dtypes = FX_FLOATS,
    .dtype = dtype_attention,
    .shape = shape_attention,
    .reference = fx__attention_ref,
    .bound = fx__attention_bound,
    .lower = lower_attention,
    .cases =
        (const fx_case[]){
            {"(f32[2, 3, 5, 8], f32[2, 3, 7, 8], f32[2, 3, 7, 4])", "batch and heads"},
            {"(f32[5, 8], f32[7, 8], f32[7, 8])", "matrices"},
            {"(f32[2, 5, 8], f32[2, 19, 8], f32[2, 19, 17], bool[5, 19])", "bool mask, tails"},
            {"(f32[2, 2, 5, 8], f32[2, 2, 7, 8], f32[2, 2, 7, 8], f32[2, 1, 1, 7])", "mask of the keys"},
            {"(f32[1, 2, 6, 8], f32[1, 2, 6, 8], f32[1, 2, 6, 8], None, 0.0, True)", "causal"},
            {"(f32[1, 2, 3, 8], f32[1, 2, 7, 8], f32[1, 2, 7, 8], None, 0.0, True, 0.25, False)", "causal, more keys than queries; scale"},
            {"(f32[2, 4, 3, 8], f32[2, 2, 5, 8], f32[2, 2, 5, 8], None, 0.0, False, None, True)", "grouped heads"},
            {"(f32[3, 1, 4], f32[2, 1, 6, 4], f32[6, 4])", "batches broadcast"},
            {"(f16[2, 3, 8], f16[2, 5, 8], f16[2, 5, 8], f16[3, 5])", "half"},
            {"(f32[2, 0, 8], f32[2, 5, 8], f32[2, 5, 8])", "no queries"},
            {"(f32[2, 3, 8], f32[2, 0, 8], f32[2, 0, 8])", "no keys: zeros"},
            {"(f32[1, 1, 1], f32[1, 1, 1], f32[1, 1, 1])", "size 1"},
            {"(f32[2, s0, 8], f32[2, s0, 8], f32[2, s0, 8], None, 0.0, True)", "symbolic, causal"},
            {"(f32[1, 2, s0, 16], f32[1, 2, s1, 16], f32[1, 2, s1, 16], bool[1, 1, s0, s1])", "symbolic, masked"},
            {NULL, NULL}},
};
