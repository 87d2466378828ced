/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that read where a tensor of indices says: embedding, index_select, index (x[i, :, j]), take, gather. Each is one MAP
 * over the result's elements with gathered loads. In all of them an index below 0 counts from the end, also where torch refuses it
 * (ONNX does not); one outside is clamped, never read, and the run returns FX_E_INDEX. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include "ir/ops/index.h"
#include <stdio.h>

fx_status fx__embedding_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__embedding_bound(const fx_rt_bound *call);
fx_status fx__functional_embedding_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__functional_embedding_bound(const fx_rt_bound *call);
fx_status fx__index_select_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__index_select_bound(const fx_rt_bound *call);
fx_status fx__index_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__index_bound(const fx_rt_bound *call);
fx_status fx__take_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__take_bound(const fx_rt_bound *call);
fx_status fx__gather_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__gather_bound(const fx_rt_bound *call);

/* ---- Picks: which indices go along which dim -------------------------------------------------------------------------------- */

fx_status fx__pick_check(const fx_call *call, const fx_type *index)
{
    if (index->dtype == FX_I64 || index->dtype == FX_I32) return FX_OK;
    if (index->dtype == FX_BOOL || index->dtype == FX_U8)
        return fx__call_error(call, FX_E_UNSUPPORTED, "a mask as index: how many elements it picks is only known at run time");
    return fx__call_error(call, FX_E_TYPE, "indices are %s, expected i64 or i32", fx_dtype_name(index->dtype));
}

fx_status fx__pick_add(const fx_call *call, fx_picks *p, int32_t d, const fx_attr *index)
{
    const fx_type *type = &index->u.node->result[0];
    FX_TRY(fx__pick_check(call, type));
    p->index[d] = index;
    p->n++;
    fx_type common = p->common;
    if (fx__broadcast(call->dims, &common, type, &p->common)) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "indices %s do not broadcast with %s", fx__check_type(call, type).s,
                          fx__check_type(call, &common).s);
}

fx_status fx__pick_list(const fx_call *call, int32_t list, fx_picks *p)
{
    const fx_attr *items = call->arg[list].u.items;
    int32_t n = fx__call_list_count(call, list), first = -1, last = -1;
    if (call->arg[list].kind == FX_ATTR_NODE) return fx__call_error(call, FX_E_UNSUPPORTED, "indices as results of one node");
    if (n > p->x->rank) return fx__call_error(call, FX_E_SHAPE, "%d indices for %s", n, fx__check_type(call, p->x).s);
    for (int32_t d = 0; d < n; d++) {
        if (items[d].kind == FX_ATTR_NONE) continue;
        FX_TRY(fx__pick_add(call, p, d, &items[d]));
        first = first < 0 ? d : first;
        last = d;
    }
    p->first = p->n > 0 && last - first + 1 == p->n ? first : 0;
    return FX_OK;
}

fx_status fx__pick_shape(const fx_call *call, const fx_picks *p, fx_type *out)
{
    fx_dtype dtype = out->dtype;
    int32_t kept = 0;
    if (p->x->rank - p->n + p->common.rank > FX_RANK)
        return fx__call_error(call, FX_E_SHAPE, "the result has more than %d dimensions", FX_RANK);
    *out = (fx_type){.dtype = dtype, .rank = p->x->rank - p->n + p->common.rank};
    for (int32_t d = 0; d < p->common.rank; d++) out->dim[p->first + d] = p->common.dim[d];
    for (int32_t d = 0; d < p->x->rank; d++) {
        if (p->index[d]) continue;
        out->dim[kept < p->first ? kept : kept + p->common.rank] = p->x->dim[d];
        kept++;
    }
    return FX_OK;
}

typedef fx_status (*picks_fn)(const fx_call *call, fx_picks *p);

static fx_status picks_embedding(const fx_call *call, fx_picks *p)
{
    FX_TRY(fx__check_rank(call, 0, 2, 2));
    return fx__pick_add(call, p, 0, &call->arg[1]);
}

/* A scalar index leaves a dim of size 1. */
static fx_status picks_select(const fx_call *call, fx_picks *p)
{
    FX_TRY(fx__check_rank(call, 0, 1, FX_RANK));
    FX_TRY(fx__check_rank(call, 2, 0, 1));
    p->first = fx__call_axis(call, fx__call_int(call, 1), p->x->rank);
    if (p->first < 0) return FX_E_ARG;
    p->common = (fx_type){.rank = 1, .dim = {1}};
    return fx__pick_add(call, p, p->first, &call->arg[2]);
}

static fx_status picks_index(const fx_call *call, fx_picks *p)
{
    return fx__pick_list(call, 1, p);
}

static fx_status shape_picks(fx_call *call, picks_fn read)
{
    fx_picks p = {.x = fx__call_type(call, 0)};
    FX_TRY(read(call, &p));
    return fx__pick_shape(call, &p, &call->result[0]);
}

static fx_status shape_embedding(fx_call *call)
{
    return shape_picks(call, picks_embedding);
}
static fx_status shape_index_select(fx_call *call)
{
    return shape_picks(call, picks_select);
}
static fx_status shape_index(fx_call *call)
{
    return shape_picks(call, picks_index);
}

/* ---- Lowering ---------------------------------------------------------------------------------------------------------------- */

/* An index into a dim of this size from the element of a tensor of indices. */
static fx_index picked(fx_kb *k, uint16_t element, fx_dim size)
{
    uint16_t index = fx__kb_cast(k, FX_I64, element), zero = fx__kb_imm_int(k, FX_I64, 0);
    uint16_t from_end = fx__kb_scalar(k, FX_SCALAR_ADD, index, fx__kb_dim(k, size));
    uint16_t inside = fx__kb_select(k, fx__kb_scalar(k, FX_SCALAR_LT, index, zero), from_end, index);
    return (fx_index){.value = (int16_t)inside};
}

static void result_axes(fx_kb *k, const fx_type *out, fx_index *at)
{
    for (int32_t d = 0; d < out->rank; d++) {
        char name[8];
        snprintf(name, sizeof name, "i%d", (int)(d & 15));
        at[d] = fx__index_axis(fx__kb_axis(k, name, out->dim[d], true));
    }
}

/* The index tensor's element for the common coordinates `at`. */
static uint16_t load_index(fx_kb *k, fx_lvalue index, const fx_type *type, int32_t common, const fx_index *at)
{
    fx_index own[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) own[d] = type->dim[d] == 1 ? fx__index_const(0) : at[common - type->rank + d];
    return fx__kb_load(k, index, own);
}

static fx_lvalue value_of_index(fx_lower *lw, const fx_call *call, int32_t list, int32_t d)
{
    bool is_list = call->arg[list].kind == FX_ATTR_LIST;
    return is_list ? fx__lower_list_arg(lw, call, list, d) : fx__lower_arg(lw, call, list);
}

/* indices: the parameter that holds them, one tensor or a list. */
static fx_status lower_picks(fx_lower *lw, const fx_call *call, picks_fn read, int32_t indices)
{
    fx_picks p = {.x = fx__call_type(call, 0)};
    fx_index at[FX_RANK], from[FX_RANK];
    int32_t kept = 0;
    FX_TRY(read(call, &p));
    fx_kb *k = fx__lower_kernel(lw, call);
    result_axes(k, &call->result[0], at);
    for (int32_t d = 0; d < p.x->rank; d++) {
        if (!p.index[d]) {
            from[d] = at[kept < p.first ? kept : kept + p.common.rank];
            kept++;
            continue;
        }
        const fx_type *type = &p.index[d]->u.node->result[0];
        from[d] = picked(k, load_index(k, value_of_index(lw, call, indices, d), type, p.common.rank, at + p.first), p.x->dim[d]);
    }
    fx__kb_store(k, fx__lower_result(lw, call, 0), at, fx__kb_load_gather(k, fx__lower_arg(lw, call, 0), from));
    return fx__kb_finish(k);
}

static fx_status lower_embedding(fx_lower *lw, const fx_call *call)
{
    return lower_picks(lw, call, picks_embedding, 1);
}
static fx_status lower_index_select(fx_lower *lw, const fx_call *call)
{
    return lower_picks(lw, call, picks_select, 2);
}
static fx_status lower_index(fx_lower *lw, const fx_call *call)
{
    return lower_picks(lw, call, picks_index, 1);
}

/* ---- gather ------------------------------------------------------------------------------------------------------------------ */

static fx_status shape_gather(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *index = fx__call_type(call, 2);
    FX_TRY(fx__check_rank(call, 0, 1, FX_RANK));
    FX_TRY(fx__pick_check(call, index));
    FX_TRY(fx__check_rank(call, 2, x->rank, x->rank));
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), x->rank);
    if (dim < 0) return FX_E_ARG;
    for (int32_t d = 0; d < x->rank; d++)
        if (d != dim && !fx__dims_assume(call->dims, FX_GUARD_LE, index->dim[d], x->dim[d], "gather stays inside"))
            return fx__call_error(call, FX_E_SHAPE, "index %s is larger than %s outside dim %d", fx__check_type(call, index).s,
                                  fx__check_type(call, x).s, dim);
    fx_dtype dtype = call->result[0].dtype;
    call->result[0] = *index;
    call->result[0].dtype = dtype;
    return FX_OK;
}

static fx_status lower_gather(fx_lower *lw, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), x->rank);
    fx_index at[FX_RANK], from[FX_RANK];
    fx_kb *k = fx__lower_kernel(lw, call);
    result_axes(k, &call->result[0], at);
    for (int32_t d = 0; d < x->rank; d++) from[d] = at[d];
    from[dim] = picked(k, fx__kb_load(k, fx__lower_arg(lw, call, 2), at), x->dim[dim]);
    fx__kb_store(k, fx__lower_result(lw, call, 0), at, fx__kb_load_gather(k, fx__lower_arg(lw, call, 0), from));
    return fx__kb_finish(k);
}

/* ---- take, and embedding as torch.nn.functional spells it -----------------------------------------------------------------------
 */

static fx_status shape_take(fx_call *call)
{
    const fx_type *index = fx__call_type(call, 1);
    FX_TRY(fx__pick_check(call, index));
    fx_dtype dtype = call->result[0].dtype;
    call->result[0] = *index;
    call->result[0].dtype = dtype;
    return FX_OK;
}

static fx_node *decompose_take(fx_graph *graph, const fx_call *call)
{
    fx_attr all = fx_list(graph, (fx_attr[]){fx_int(-1)}, 1);
    fx_node *flat = fx__check_insert(graph, call, FX_OP_reshape, (fx_attr[]){call->arg[0], all}, 2);
    if (!flat) return NULL;
    return fx__check_insert(graph, call, FX_OP_index, (fx_attr[]){fx_node_attr(flat), fx_list(graph, &call->arg[1], 1)}, 2);
}

enum { F_INPUT, F_WEIGHT, F_PADDING, F_MAX_NORM };

static fx_status dtype_functional(fx_call *call)
{
    call->result[0].dtype = fx__call_type(call, F_WEIGHT)->dtype;
    return FX_OK;
}

static fx_status shape_functional(fx_call *call)
{
    if (!fx__call_is_none(call, F_MAX_NORM))
        return fx__call_error(call, FX_E_UNSUPPORTED, "max_norm changes the weight; it is not supported");
    fx_picks p = {.x = fx__call_type(call, F_WEIGHT)};
    FX_TRY(fx__check_rank(call, F_WEIGHT, 2, 2));
    FX_TRY(fx__pick_add(call, &p, 0, &call->arg[F_INPUT]));
    return fx__pick_shape(call, &p, &call->result[0]);
}

static fx_node *decompose_functional(fx_graph *graph, const fx_call *call)
{
    const fx_attr args[] = {call->arg[F_WEIGHT], call->arg[F_INPUT], fx_int(-1), fx_bool(false), fx_bool(false)};
    return fx__check_insert(graph, call, FX_OP_embedding, args, 5);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_embedding = {
    .name = "embedding",
    .target = "torch.ops.aten.embedding.default",
    .schema = "embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, "
              "bool sparse=False) -> Tensor", /* the last three speak of training */
    .names = "torch.embedding",
    .onnx = "Gather",
    .family = "index",
    .dtypes = FX_ANY,
    .shape = shape_embedding,
    .reference = fx__embedding_ref,
    .bound = fx__embedding_bound,
    .lower = lower_embedding,
    .cases = (const fx_case[]){{"(f32[7, 16], i64[2, 5])", "words"},
                               {"(f32[7, 33], i32[9], 0)", "tails, padding"},
                               {"(f64[3, 4], i64[])", "one word"},
                               {"(i32[5, 3], i64[4])", "integers"},
                               {"(f32[7, 16], i64[0, 5])", "no words"},
                               {"(f32[7, 16], i64[2, s0])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_functional_embedding = {
    .name = "functional_embedding",
    .target = "torch.nn.functional.embedding",
    .schema = "embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, "
              "bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    .names = "",
    .family = "index",
    .dtypes = FX_BIT(I64) | FX_BIT(I32),
    .dtype = dtype_functional,
    .shape = shape_functional,
    .reference = fx__functional_embedding_ref,
    .bound = fx__functional_embedding_bound,
    .decompose = decompose_functional,
    .cases = (const fx_case[]){{"(i64[2, 5], f32[7, 16])", NULL}, {"(i32[3], f32[7, 5], 2)", "padding"}, {NULL, NULL}},
};

const fx_op fx_op_index_select = {
    .name = "index_select",
    .target = "torch.ops.aten.index_select.default",
    .schema = "index_select(Tensor self, int dim, Tensor index) -> Tensor",
    .names = "torch.index_select method:index_select",
    .onnx = "Gather",
    .family = "index",
    .dtypes = FX_ANY,
    .shape = shape_index_select,
    .reference = fx__index_select_ref,
    .bound = fx__index_select_bound,
    .lower = lower_index_select,
    .cases = (const fx_case[]){{"(f32[4, 17], 0, i64[6])", "rows"},
                               {"(f32[3, 5, 4], 1, i64[7])", "middle"},
                               {"(f32[3, 20], -1, i32[33])", "columns"},
                               {"(f32[3, 4], 1, i64[])", "a scalar index"},
                               {"(i32[5], 0, i64[3])", "vector"},
                               {"(f32[3, 4], 0, i64[0])", "nothing"},
                               {"(f32[s0, 4], 0, i64[5])", "symbolic rows"},
                               {"(f32[4, s0], 0, i64[s0])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_index = {
    .name = "index",
    .target = "torch.ops.aten.index.Tensor",
    .schema = "index.Tensor(Tensor self, Tensor?[] indices) -> Tensor",
    .names = "",
    .onnx = "Gather GatherND",
    .family = "index",
    .dtypes = FX_ANY,
    .shape = shape_index,
    .reference = fx__index_ref,
    .bound = fx__index_bound,
    .lower = lower_index,
    .cases = (const fx_case[]){{"(f32[4, 17], [i64[2, 3]])", "rows"},
                               {"(f32[3, 5, 4], [None, i64[2, 6]])", "middle"},
                               {"(f32[3, 5, 20], [i64[7], i32[7]])", "two dims"},
                               {"(f32[3, 5, 4], [i64[2, 1], None, i64[1, 6]])", "dims apart, broadcast"},
                               {"(f32[3, 5, 4], [i64[3, 1], i64[6], i64[]])", "every dim"},
                               {"(f32[3, 4], [])", "no indices"},
                               {"(i32[3, 4], [None, None])", "none that counts"},
                               {"(f32[3, 4], [i64[0, 2], i64[2]])", "nothing"},
                               {"(f32[s0, 4, 5], [None, i64[2]])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_take = {
    .name = "take",
    .target = "torch.ops.aten.take.default",
    .schema = "take(Tensor self, Tensor index) -> Tensor",
    .names = "torch.take method:take",
    .family = "index",
    .dtypes = FX_ANY,
    .shape = shape_take,
    .reference = fx__take_ref,
    .bound = fx__take_bound,
    .decompose = decompose_take,
    .cases =
        (const fx_case[]){
            {"(f32[3, 5], i64[2, 17])", NULL}, {"(i32[6], i64[])", "a scalar"}, {"(f32[s0, 2], i64[3])", "symbolic"}, {NULL, NULL}},
};

const fx_op fx_op_gather = {
    .name = "gather",
    .target = "torch.ops.aten.gather.default",
    .schema = "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    .names = "torch.gather method:gather",
    .onnx = "GatherElements",
    .family = "index",
    .dtypes = FX_ANY,
    .shape = shape_gather,
    .reference = fx__gather_ref,
    .bound = fx__gather_bound,
    .lower = lower_gather,
    .cases = (const fx_case[]){{"(f32[4, 17], 0, i64[6, 17])", "rows"},
                               {"(f32[4, 20], 1, i64[4, 33])", "columns"},
                               {"(f32[3, 5, 4], 1, i32[2, 7, 3])", "a smaller index"},
                               {"(i32[5], -1, i64[8])", "vector"},
                               {"(f32[3, 4], 1, i64[3, 0])", "nothing"},
                               {"(f32[s0, 4], 1, i64[s0, 2])", "symbolic"},
                               {NULL, NULL}},
};
