/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_attention.c: Attention and RotaryEmbedding, written out as products, softmax and views: passes put them together again
 * where a kernel is better. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <math.h>

/* ---- Small steps ---------------------------------------------------------------------------------------------------------------
 */

static fx_attr cut(fx_onnx_call *call, fx_attr x, int32_t axis, fx_dim from, fx_dim to, int64_t step)
{
    return FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_dim_attr(from), fx_dim_attr(to), fx_int(step));
}

static fx_attr join(fx_onnx_call *call, fx_attr a, fx_attr b, int32_t axis)
{
    fx_attr parts[] = {a, b};
    return FX_EMIT(call, "aten.cat.default", fx_list(call->import->graph, parts, 2), fx_int(axis));
}

static fx_attr permute(fx_onnx_call *call, fx_attr x, const int64_t order[4])
{
    return FX_EMIT(call, "aten.permute.default", x, fx__onnx_list(call, order, 4));
}

/* [B, L, H * D] as [B, H, L, D]; four dimensions stay as they are. */
static fx_attr heads_of(fx_onnx_call *call, fx_attr x, int64_t heads)
{
    const fx_type *type = fx__onnx_need_type(call, x);
    if (!type || type->rank == 4) return x;
    bool divides = type->rank == 3 && heads > 0 && fx_dim_is_const(type->dim[2]) && type->dim[2] % heads == 0;
    if (!divides) {
        fx__onnx_error(call, FX_E_SHAPE, "its inputs need [batch, steps, heads * size] and the number of heads, or 4 dimensions");
        return fx_none();
    }
    const fx_dim dims[] = {type->dim[0], type->dim[1], heads, type->dim[2] / heads};
    return permute(call, FX_EMIT(call, "aten.reshape.default", x, fx__onnx_dims(call, dims, 4)), (const int64_t[]){0, 2, 1, 3});
}

/* ---- Attention -----------------------------------------------------------------------------------------------------------------
 */

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, LENGTHS };
enum { SCORES, CAPPED, MASKED, PROBABILITIES }; /* qk_matmul_output_mode */

typedef struct attention {
    fx_onnx_call *call;
    fx_attr q, k, v; /* [B, H, L, D], [B, H, S, D], [B, H, S, E] */
    fx_dim rows, columns, past;
    fx_attr allowed;   /* where a position may look, none: everywhere */
    bool may_be_empty; /* some position may see nothing */
} attention;

static const fx_type *joined_past(attention *a, int32_t past, int32_t output, fx_attr *x)
{
    if (fx__onnx_has(a->call, past)) *x = join(a->call, fx__onnx_in(a->call, past), *x, 2);
    fx__onnx_give(a->call, output, *x);
    return fx__onnx_need_type(a->call, *x);
}

/* Every group of query heads reads one head of keys and values. */
static fx_attr for_groups(attention *a, fx_attr x, const fx_type *type, fx_dim heads)
{
    if (type->dim[1] == heads) return x;
    if (!fx_dim_is_const(heads) || !fx_dim_is_const(type->dim[1]) || type->dim[1] < 1 || heads % type->dim[1]) {
        fx__onnx_error(a->call, FX_E_SHAPE, "%lld heads cannot share %lld", (long long)heads, (long long)type->dim[1]);
        return fx_none();
    }
    const fx_dim wide[] = {type->dim[0], type->dim[1], heads / type->dim[1], type->dim[2], type->dim[3]};
    const fx_dim flat[] = {type->dim[0], heads, type->dim[2], type->dim[3]};
    fx_attr many = FX_EMIT(a->call, "aten.expand.default", FX_EMIT(a->call, "aten.unsqueeze.default", x, fx_int(2)),
                           fx__onnx_dims(a->call, wide, 5));
    return FX_EMIT(a->call, "aten.reshape.default", many, fx__onnx_dims(a->call, flat, 4));
}

static bool read_inputs(attention *a)
{
    fx_onnx_call *call = a->call;
    int64_t heads = fx__onnx_int(call, "q_num_heads", 0), shared = fx__onnx_int(call, "kv_num_heads", heads);
    a->q = heads_of(call, fx__onnx_in(call, Q), heads);
    a->k = heads_of(call, fx__onnx_in(call, K), shared);
    a->v = heads_of(call, fx__onnx_in(call, V), shared);
    const fx_type *q = fx__onnx_need_type(call, a->q), *k = fx__onnx_need_type(call, a->k);
    if (!q || !k || q->rank != 4 || k->rank != 4) return false;
    fx_dim own = k->dim[2];
    const fx_type *keys = joined_past(a, PAST_KEY, 1, &a->k), *values = joined_past(a, PAST_VALUE, 2, &a->v);
    if (!keys || !values) return false;
    a->rows = q->dim[2];
    a->columns = keys->dim[2];
    a->past = fx__dim_sub(call->import->graph->dims, a->columns, own);
    a->k = for_groups(a, a->k, keys, q->dim[1]);
    a->v = for_groups(a, a->v, values, q->dim[1]);
    return !call->failed;
}

static fx_attr both(attention *a, fx_attr x, fx_attr y)
{
    if (x.kind == FX_ATTR_NONE) return y;
    return y.kind == FX_ATTR_NONE ? x : FX_EMIT(a->call, "aten.logical_and.default", x, y);
}

static fx_attr positions(attention *a, fx_dim n)
{
    fx_tensor numbers;
    if (!fx_dim_is_const(n)) return FX_EMIT(a->call, "aten.arange.default", fx_dim_attr(n));
    if (!fx__onnx_new_tensor(a->call, FX_I64, 1, &n, &numbers)) return fx_none();
    for (int64_t i = 0; i < n; i++) ((int64_t *)numbers.data)[i] = i;
    return fx__onnx_constant(a->call, &numbers);
}

/* [B] as [B, 1, 1, 1]. */
static fx_attr lengths(attention *a)
{
    fx_attr value = fx__onnx_in(a->call, LENGTHS);
    for (int i = 0; i < 3; i++) value = FX_EMIT(a->call, "aten.unsqueeze.default", value, fx_int(-1));
    return value;
}

/* Row i sees the columns up to i and what lies before the first row: the past, or, with lengths, the keys before the last rows. */
static fx_attr causal(attention *a)
{
    fx_onnx_call *call = a->call;
    bool has_lengths = fx__onnx_has(call, LENGTHS);
    fx_attr rows = FX_EMIT(call, "aten.unsqueeze.default", positions(a, a->rows), fx_int(-1));
    if (!fx_dim_is_const(has_lengths ? a->rows : a->past)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "is_causal with a past of symbolic length");
        return fx_none();
    }
    fx_attr before = has_lengths ? FX_EMIT(call, "aten.sub.Scalar", lengths(a), fx_int(a->rows)) : fx_int(a->past);
    fx_attr last = has_lengths || a->past ? FX_EMIT(call, "aten.add.Tensor", rows, before) : rows;
    return FX_EMIT(call, "aten.le.Tensor", positions(a, a->columns), last);
}

/* A mask may be shorter than the keys: the rest is not seen. */
static fx_attr whole_mask(attention *a, fx_attr mask, const fx_type *type)
{
    fx_dim have = type->dim[type->rank - 1];
    if (have == a->columns || have == 1) return mask;
    fx_dim missing = fx__dim_sub(a->call->import->graph->dims, a->columns, have);
    const fx_dim pads[] = {0, missing};
    return FX_EMIT(a->call, "aten.constant_pad_nd.default", mask, fx__onnx_dims(a->call, pads, 2),
                   type->dtype == FX_BOOL ? fx_int(0) : fx_float(-(double)INFINITY));
}

/* The scores plus the mask; what may not be seen at all goes to a->allowed. */
static fx_attr masked(attention *a, fx_attr scores)
{
    fx_onnx_call *call = a->call;
    fx_attr mask = fx__onnx_in(call, MASK);
    const fx_type *type = mask.kind == FX_ATTR_NODE ? fx__onnx_need_type(call, mask) : NULL;
    if (type && type->rank > 0) mask = whole_mask(a, mask, type);
    if (fx__onnx_int(call, "is_causal", 0)) a->allowed = causal(a);
    if (fx__onnx_has(call, LENGTHS))
        a->allowed = both(a, a->allowed, FX_EMIT(call, "aten.lt.Tensor", positions(a, a->columns), lengths(a)));
    if (type && type->dtype == FX_BOOL) a->allowed = both(a, a->allowed, mask);
    if (type && type->dtype != FX_BOOL) scores = FX_EMIT(call, "aten.add.Tensor", scores, mask);
    a->may_be_empty = fx__onnx_has(call, LENGTHS) || (type && type->dtype == FX_BOOL);
    if (a->allowed.kind == FX_ATTR_NONE) return scores;
    return FX_EMIT(call, "aten.where.self", a->allowed, scores, fx_float(-(double)INFINITY));
}

static fx_attr capped(attention *a, fx_attr scores)
{
    double cap = fx__onnx_float(a->call, "softcap", 0);
    if (cap == 0) return scores;
    fx_attr bent = FX_EMIT(a->call, "aten.tanh.default", FX_EMIT(a->call, "aten.div.Scalar", scores, fx_float(cap)));
    return FX_EMIT(a->call, "aten.mul.Scalar", bent, fx_float(cap));
}

/* A row that sees nothing has probabilities 0. */
static fx_attr probabilities(attention *a, fx_attr scores)
{
    const fx_type *type = fx__onnx_type(scores);
    int64_t to = fx__onnx_int(a->call, "softmax_precision", 0);
    fx_dtype dtype = type ? type->dtype : FX_F32, wide = dtype;
    if (to > 0 && (to > FX_ONNX_TYPE_COUNT || !fx__onnx_dtype((int32_t)to, &wide)))
        fx__onnx_error(a->call, FX_E_TYPE, "softmax_precision %lld", (long long)to);
    fx_attr x = FX_EMIT(a->call, "aten.softmax.int", fx__onnx_cast(a->call, scores, wide), fx_int(-1), fx_none());
    x = fx__onnx_cast(a->call, x, dtype);
    return !a->may_be_empty ? x : FX_EMIT(a->call, "aten.where.self", a->allowed, x, fx_float(0));
}

static fx_attr scores_of(attention *a)
{
    const fx_type *q = fx__onnx_type(a->q);
    double size = q && fx_dim_is_const(q->dim[3]) ? (double)q->dim[3] : NAN;
    double scale = fx__onnx_float(a->call, "scale", 1 / sqrt(size));
    if (isnan(scale)) fx__onnx_error(a->call, FX_E_UNSUPPORTED, "heads of symbolic size need a scale");
    fx_attr turned = FX_EMIT(a->call, "aten.transpose.int", a->k, fx_int(2), fx_int(3));
    return FX_EMIT(a->call, "aten.mul.Scalar", FX_EMIT(a->call, "aten.matmul.default", a->q, turned), fx_float(scale));
}

static void give_result(attention *a, fx_attr result)
{
    const fx_type *type = fx__onnx_need_type(a->call, result), *q = fx__onnx_need_type(a->call, fx__onnx_in(a->call, Q));
    if (!type || !q || q->rank == 4) {
        fx__onnx_give(a->call, 0, result);
        return;
    }
    fx_dim flat[] = {type->dim[0], type->dim[2], fx__dim_mul(a->call->import->graph->dims, type->dim[1], type->dim[3])};
    FX_GIVE(a->call, "aten.reshape.default", permute(a->call, result, (const int64_t[]){0, 2, 1, 3}),
            fx__onnx_dims(a->call, flat, 3));
}

static void build_attention(fx_onnx_call *call)
{
    attention a = {.call = call, .allowed = fx_none()};
    int64_t mode = fx__onnx_int(call, "qk_matmul_output_mode", 0);
    if (!read_inputs(&a)) return;
    fx_attr step[4];
    step[SCORES] = scores_of(&a);
    step[CAPPED] = capped(&a, step[SCORES]);
    step[MASKED] = masked(&a, step[CAPPED]);
    step[PROBABILITIES] = probabilities(&a, step[MASKED]);
    if (mode >= 0 && mode <= PROBABILITIES) fx__onnx_give(call, 3, step[mode]);
    give_result(&a, FX_EMIT(call, "aten.matmul.default", step[PROBABILITIES], a.v));
}

/* ---- RotaryEmbedding ------------------------------------------------------------------------------------------------------------
 */

/* Of a table [positions, D / 2] or [B, L, D / 2]: [B, 1, L, half]. */
static fx_attr table_of(fx_onnx_call *call, int32_t index, fx_dim half)
{
    fx_attr table = fx__onnx_in(call, index);
    if (fx__onnx_has(call, 3)) table = FX_EMIT(call, "aten.embedding.default", table, fx__onnx_in(call, 3));
    const fx_type *type = fx__onnx_need_type(call, table);
    if (!type || type->rank != 3) return fx_none();
    return FX_EMIT(call, "aten.unsqueeze.default", cut(call, table, 2, 0, half, 1), fx_int(1));
}

/* Pairs (x1, x2) turned by their angles: halves of the size, or neighbours when interleaved. */
static fx_attr rotated(fx_onnx_call *call, fx_attr x, fx_dim size, bool interleaved)
{
    fx_attr cosine = table_of(call, 1, size / 2), sine = table_of(call, 2, size / 2);
    fx_attr x1 = interleaved ? cut(call, x, 3, 0, size, 2) : cut(call, x, 3, 0, size / 2, 1);
    fx_attr x2 = interleaved ? cut(call, x, 3, 1, size, 2) : cut(call, x, 3, size / 2, size, 1);
    fx_attr real =
        FX_EMIT(call, "aten.sub.Tensor", FX_EMIT(call, "aten.mul.Tensor", cosine, x1), FX_EMIT(call, "aten.mul.Tensor", sine, x2));
    fx_attr imaginary =
        FX_EMIT(call, "aten.add.Tensor", FX_EMIT(call, "aten.mul.Tensor", sine, x1), FX_EMIT(call, "aten.mul.Tensor", cosine, x2));
    if (!interleaved) return join(call, real, imaginary, 3);
    fx_attr pairs = join(call, FX_EMIT(call, "aten.unsqueeze.default", real, fx_int(-1)),
                         FX_EMIT(call, "aten.unsqueeze.default", imaginary, fx_int(-1)), 4);
    return FX_EMIT(call, "aten.flatten.using_ints", pairs, fx_int(3), fx_int(4));
}

static void build_rotary(fx_onnx_call *call)
{
    fx_attr input = fx__onnx_in(call, 0), x = heads_of(call, input, fx__onnx_int(call, "num_heads", 0));
    const fx_type *type = fx__onnx_need_type(call, x), *shape = fx__onnx_need_type(call, input);
    int64_t part = fx__onnx_int(call, "rotary_embedding_dim", 0);
    if (!type || !shape) return;
    fx_dim whole = type->dim[3], size = part > 0 ? part : whole;
    if (!fx_dim_is_const(size) || !fx_dim_is_const(whole) || size > whole || size % 2) {
        fx__onnx_error(call, FX_E_SHAPE, "%lld elements of each head cannot be turned", (long long)size);
        return;
    }
    fx_attr y = rotated(call, size < whole ? cut(call, x, 3, 0, size, 1) : x, size, fx__onnx_int(call, "interleaved", 0) != 0);
    if (size < whole) y = join(call, y, cut(call, x, 3, size, whole, 1), 3);
    if (shape->rank == 4)
        fx__onnx_give(call, 0, y);
    else
        FX_GIVE(call, "aten.reshape.default", permute(call, y, (const int64_t[]){0, 2, 1, 3}),
                fx__onnx_dims(call, shape->dim, shape->rank));
}

const fx_onnx_op fx__onnx_ops_attention[] = {
    {"Attention", 23, 3, 7, 4, build_attention},
    {"RotaryEmbedding", 23, 3, 4, 1, build_rotary},
    {0},
};
