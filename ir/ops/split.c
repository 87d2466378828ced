/* SPDX-License-Identifier: Apache-2.0 */
/* Operators with several results (split, chunk, unbind), tuple, which is several values as one, and getitem, which selects one. A
 * selected piece decomposes to a slice of the input and makes no kernel; so do the results of operators that inference needs only
 * the first of; of a tuple the value itself is taken. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__split_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__chunk_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__unbind_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__tuple_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__getitem_ref(const fx_rt_arg *args, fx_tensor *results);

/* ---- Pieces -------------------------------------------------------------------------------------------------------------- */

typedef struct pieces {
    int32_t dim, n;
    fx_dim size[FX_RESULTS];
} pieces;

static fx_status too_many(const fx_call *call, fx_dim n)
{
    return fx__call_error(call, FX_E_UNSUPPORTED, "%s pieces, at most %d are supported", fx__check_dim(call, n).s, FX_RESULTS);
}

static fx_status read_dim(const fx_call *call, int32_t index, pieces *p)
{
    const fx_type *x = fx__call_type(call, 0);
    if (x->rank == 0) return fx__call_error(call, FX_E_SHAPE, "a scalar has no pieces");
    p->dim = fx__call_axis(call, fx__call_int(call, index), x->rank);
    return p->dim < 0 ? FX_E_ARG : FX_OK;
}

/* Pieces of `size`, the last one maybe smaller; at least `least` pieces, of size 0, when there is nothing. */
static fx_status equal_pieces(const fx_call *call, fx_dim size, int64_t least, pieces *p)
{
    fx_dims *dims = call->dims;
    fx_dim whole = fx__call_type(call, 0)->dim[p->dim];
    fx_dim n = whole == 0 ? least : size == whole ? 1 : fx__dim_ceildiv(dims, whole, size);
    if (!fx_dim_is_const(n))
        return fx__call_error(call, FX_E_UNSUPPORTED, "the number of pieces, %s, is symbolic", fx__check_dim(call, n).s);
    if (n > FX_RESULTS) return too_many(call, n);
    p->n = (int32_t)n;
    for (int32_t i = 0; i < p->n; i++) {
        fx_dim rest = fx__dim_sub(dims, whole, fx__dim_mul(dims, size, i));
        p->size[i] = whole == 0 ? 0 : fx__dim_min(dims, size, rest);
    }
    return FX_OK;
}

static fx_status given_pieces(const fx_call *call, pieces *p)
{
    const fx_attr *list = &call->arg[1];
    fx_dim whole = fx__call_type(call, 0)->dim[p->dim], sum = 0;
    if (list->n > FX_RESULTS) return too_many(call, list->n);
    p->n = list->n;
    for (int32_t i = 0; i < p->n; i++) {
        const fx_attr *value = &list->u.items[i];
        if (value->kind == FX_ATTR_NODE) return fx__call_error(call, FX_E_UNSUPPORTED, "size %d is only known at run time", i);
        p->size[i] = value->kind == FX_ATTR_SYMINT ? value->u.dim : value->u.i;
        if (fx_dim_is_const(p->size[i]) && p->size[i] < 0) return fx__call_error(call, FX_E_ARG, "size %d is negative", i);
        sum = fx__dim_add(call->dims, sum, p->size[i]);
    }
    if (fx__check_equal(call, sum, whole, "pieces make up the whole")) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "sizes add up to %s, dim %d of %s does not", fx__check_dim(call, sum).s, p->dim,
                          fx__check_type(call, fx__call_type(call, 0)).s);
}

static fx_status pieces_split(const fx_call *call, pieces *p)
{
    FX_TRY(read_dim(call, 2, p));
    if (fx__call_list_count(call, 1) != 1) return given_pieces(call, p);
    fx_dim size[FX_RANK];
    if (fx__call_dims(call, 1, 1, size) != 1) return FX_E_ARG;
    bool nothing = fx__call_type(call, 0)->dim[p->dim] == 0;
    if (fx_dim_is_const(size[0]) && size[0] < (nothing ? 0 : 1))
        return fx__call_error(call, FX_E_ARG, "split_size is %lld", (long long)size[0]);
    return equal_pieces(call, size[0], 1, p);
}

static fx_status pieces_chunk(const fx_call *call, pieces *p)
{
    FX_TRY(read_dim(call, 2, p));
    int64_t chunks = fx__call_int(call, 1);
    if (chunks < 1) return fx__call_error(call, FX_E_ARG, "chunks is %lld, expected at least 1", (long long)chunks);
    return equal_pieces(call, fx__dim_ceildiv(call->dims, fx__call_type(call, 0)->dim[p->dim], chunks), chunks, p);
}

static fx_status pieces_unbind(const fx_call *call, pieces *p)
{
    FX_TRY(read_dim(call, 1, p));
    return equal_pieces(call, 1, 0, p);
}

typedef fx_status (*pieces_fn)(const fx_call *call, pieces *p);

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

static fx_status dtype_pieces(fx_call *call, pieces_fn read)
{
    pieces p = {0};
    FX_TRY(read(call, &p));
    call->n_results = p.n;
    return fx__rule_dtype_same(call);
}

static fx_status shape_pieces(fx_call *call, pieces_fn read)
{
    pieces p = {0};
    FX_TRY(read(call, &p));
    FX_TRY(fx__rule_shape_same(call));
    for (int32_t i = 0; i < p.n; i++) call->result[i].dim[p.dim] = p.size[i];
    return FX_OK;
}

static fx_status dtype_split(fx_call *call)
{
    return dtype_pieces(call, pieces_split);
}
static fx_status shape_split(fx_call *call)
{
    return shape_pieces(call, pieces_split);
}
static fx_status dtype_chunk(fx_call *call)
{
    return dtype_pieces(call, pieces_chunk);
}
static fx_status shape_chunk(fx_call *call)
{
    return shape_pieces(call, pieces_chunk);
}
static fx_status dtype_unbind(fx_call *call)
{
    return dtype_pieces(call, pieces_unbind);
}

static fx_status shape_unbind(fx_call *call)
{
    pieces p = {0};
    FX_TRY(pieces_unbind(call, &p));
    FX_TRY(fx__rule_shape_same(call));
    for (int32_t i = 0; i < p.n; i++) {
        fx_type *out = &call->result[i];
        out->rank--;
        for (int32_t d = p.dim; d < out->rank; d++) out->dim[d] = out->dim[d + 1];
    }
    return FX_OK;
}

/* ---- Lowering, for tuples that leave the graph as they are ------------------------------------------------------------------ */

/* result r = part [start, start + size) of the input along dim; `drop`: row start, without the dim. */
static fx_status lower_piece(fx_lower *lw, const fx_call *call, int32_t r, int32_t dim, fx_dim start, bool drop)
{
    const fx_type *out = &call->result[r];
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index from[FX_RANK], to[FX_RANK];
    if (drop) from[dim] = fx__index_const(start);
    for (int32_t d = 0; d < out->rank; d++) {
        const char name[8] = {'i', (char)('0' + d), 0};
        int32_t in = drop && d >= dim ? d + 1 : d;
        from[in] = to[d] = fx__index_axis(fx__kb_axis(k, name, out->dim[d], true));
        if (in == dim) from[in].base = start;
    }
    fx__kb_store(k, fx__lower_result(lw, call, r), to, fx__kb_load(k, fx__lower_arg(lw, call, 0), from));
    return fx__kb_finish(k);
}

static fx_status lower_pieces(fx_lower *lw, const fx_call *call, pieces_fn read, bool drop)
{
    pieces p = {0};
    FX_TRY(read(call, &p));
    fx_dim start = 0;
    for (int32_t r = 0; r < p.n; r++) {
        FX_TRY(lower_piece(lw, call, r, p.dim, start, drop));
        start = fx__dim_add(fx__lower_dims(lw), start, p.size[r]);
    }
    return FX_OK;
}

static fx_status lower_split(fx_lower *lw, const fx_call *call)
{
    return lower_pieces(lw, call, pieces_split, false);
}
static fx_status lower_chunk(fx_lower *lw, const fx_call *call)
{
    return lower_pieces(lw, call, pieces_chunk, false);
}
static fx_status lower_unbind(fx_lower *lw, const fx_call *call)
{
    return lower_pieces(lw, call, pieces_unbind, true);
}

/* ---- tuple --------------------------------------------------------------------------------------------------------------- */

static fx_status dtype_tuple(fx_call *call)
{
    call->n_results = fx__call_list_count(call, 0);
    if (call->n_results < 1 || call->n_results > FX_RESULTS) return too_many(call, call->n_results);
    for (int32_t i = 0; i < call->n_results; i++) call->result[i].dtype = fx__call_list_type(call, 0, i)->dtype;
    return FX_OK;
}

static fx_status shape_tuple(fx_call *call)
{
    for (int32_t i = 0; i < call->n_results; i++) call->result[i] = *fx__call_list_type(call, 0, i);
    return FX_OK;
}

/* Where the tuple is wanted as a whole. */
static fx_status lower_tuple(fx_lower *lw, const fx_call *call)
{
    for (int32_t r = 0; r < call->n_results; r++) {
        fx_kb *k = fx__lower_kernel(lw, call);
        fx_index at[FX_RANK];
        for (int32_t d = 0; d < call->result[r].rank; d++) {
            const char name[8] = {'i', (char)('0' + d), 0};
            at[d] = fx__index_axis(fx__kb_axis(k, name, call->result[r].dim[d], true));
        }
        fx__kb_store(k, fx__lower_result(lw, call, r), at, fx__kb_load(k, fx__lower_list_arg(lw, call, 0, r), at));
        FX_TRY(fx__kb_finish(k));
    }
    return FX_OK;
}

/* ---- getitem ------------------------------------------------------------------------------------------------------------- */

/* Several results are a tuple whatever gives them: submodules and inputs have no row, an item may be a tuple itself. */
static bool is_tuple(const fx_node *node)
{
    const fx_op *op = fx__op_of(node); /* of a method too */
    return (op && fx__op_schema_results(op) != 1) || node->n_result > 1;
}

/* The selected result of a tuple; -1 after a diagnostic. */
static int32_t selected(const fx_call *call)
{
    const fx_node *from = call->arg[0].u.node;
    int64_t i = fx__call_int(call, 1), n = from->n_result;
    if (i >= -n && i < n) return (int32_t)(i < 0 ? i + n : i);
    fx__call_error(call, FX_E_INDEX, "index %lld is outside the %lld results of %s", (long long)i, (long long)n, from->name);
    return -1;
}

static fx_status dtype_getitem(fx_call *call)
{
    if (call->arg[0].kind != FX_ATTR_NODE) return fx__call_error(call, FX_E_ARG, "an item of a list that is no node");
    const fx_node *from = call->arg[0].u.node;
    if (!is_tuple(from)) return fx__rule_dtype_same(call);
    int32_t i = selected(call);
    if (i < 0) return FX_E_INDEX;
    call->result[0] = from->result[i];
    return FX_OK;
}

static fx_status shape_getitem(fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    if (is_tuple(call->arg[0].u.node)) return FX_OK; /* the dtype rule has copied the whole type */
    if (x->rank == 0) return fx__call_error(call, FX_E_SHAPE, "a scalar has no rows");
    int64_t i = fx__call_int(call, 1);
    fx_dim least = i < 0 ? -i : i + 1;
    if (!fx__dims_assume(call->dims, FX_GUARD_LE, least, x->dim[0], "an index lies inside"))
        return fx__call_error(call, FX_E_INDEX, "index %lld is outside dim 0 of %s", (long long)i, fx__check_type(call, x).s);
    fx_type *out = &call->result[0];
    out->rank = x->rank - 1;
    for (int32_t d = 0; d < out->rank; d++) out->dim[d] = x->dim[d + 1];
    return FX_OK;
}

/* Piece i of a split or chunk as a slice. */
static fx_node *insert_slice(fx_graph *graph, const fx_call *call, const fx_call *from, pieces_fn read, int32_t i)
{
    pieces p = {0};
    if (read(from, &p) != FX_OK) return NULL;
    fx_dim start = 0;
    for (int32_t j = 0; j < i; j++) start = fx__dim_add(call->dims, start, p.size[j]);
    const fx_attr args[] = {from->arg[0], fx_int(p.dim), fx_dim_attr(start), fx_dim_attr(fx__dim_add(call->dims, start, p.size[i])),
                            fx_int(1)};
    return fx__check_insert(graph, call, FX_OP_slice, args, 5);
}

static fx_node *insert_select(fx_graph *graph, const fx_call *call, fx_attr x, fx_attr dim, int64_t i)
{
    return fx__check_insert(graph, call, FX_OP_select, (fx_attr[]){x, dim, fx_int(i)}, 3);
}

/* batch_norm of the arguments of a native one, whose eps and momentum are its last two. */
static fx_node *insert_batch_norm(fx_graph *graph, const fx_call *call, const fx_call *from, int32_t momentum)
{
    const fx_attr *a = from->arg;
    const fx_attr args[] = {a[0], a[1], a[2], a[3], a[4], fx_bool(false), a[momentum], a[momentum + 1], fx_bool(false)};
    return fx__check_insert(graph, call, FX_OP_batch_norm, args, 9);
}

static fx_node *insert_max_pool(fx_graph *graph, const fx_call *call, const fx_call *from)
{
    const fx_attr *a = from->arg;
    const fx_attr args[] = {a[0], a[1], a[2], a[3], a[4], a[5], fx_bool(false)};
    return fx__check_insert(graph, call, FX_OP_max_pool2d, args, 7);
}

/* Only where the result is wanted alone; other tuples stay. */
static fx_node *decompose_getitem(fx_graph *graph, const fx_call *call)
{
    const fx_node *node = call->arg[0].u.node;
    if (!is_tuple(node)) return insert_select(graph, call, call->arg[0], fx_int(0), fx__call_int(call, 1));
    int32_t i = selected(call);
    fx_call from;
    fx__op_call(node, &from);
    if (i < 0) return NULL;
    switch ((fx_op_code)fx__op_code(node->op)) {
    case FX_OP_tuple:
        return from.arg[0].u.items[i].u.node;
    case FX_OP_split:
        return insert_slice(graph, call, &from, pieces_split, i);
    case FX_OP_chunk:
        return insert_slice(graph, call, &from, pieces_chunk, i);
    case FX_OP_unbind:
        return insert_select(graph, call, from.arg[0], from.arg[1], i);
    case FX_OP_max_pool2d_with_indices:
        return i == 0 ? insert_max_pool(graph, call, &from) : NULL;
    case FX_OP_native_batch_norm:
        return i == 0 ? insert_batch_norm(graph, call, &from, 6) : NULL;
    case FX_OP_native_batch_norm_no_training:
        return i == 0 ? insert_batch_norm(graph, call, &from, 5) : NULL;
    default:
        return NULL;
    }
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_getitem = {
    .name = "getitem",
    .target = "operator.getitem",
    .schema = "getitem(Tensor[] self, int index) -> Tensor",
    .names = "_operator.getitem",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = dtype_getitem,
    .shape = shape_getitem,
    .reference = fx__getitem_ref,
    .decompose = decompose_getitem,
    .cases =
        (const fx_case[]){
            {"(f32[3, 4], 1)", "row"}, {"(f32[3], -1)", "last element"}, {"(f32[s0, 4], 0)", "symbolic"}, {NULL, NULL}},
};

const fx_op fx_op_split = {
    .name = "split",
    .target = "torch.ops.aten.split.Tensor",
    .schema = "split.Tensor(Tensor self, SymInt[] split_size, int dim=0) -> Tensor[]",
    .names = "torch.ops.aten.split_with_sizes.default torch.ops.aten.split.sizes torch.ops.aten.unsafe_split.Tensor "
             "torch.split method:split torch.functional.split method:split_with_sizes torch.split_with_sizes",
    .onnx = "Split",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = dtype_split,
    .shape = shape_split,
    .reference = fx__split_ref,
    .lower = lower_split,
    .cases = (const fx_case[]){{"(f32[6, 4], 2)", "equal"},
                               {"(f32[7, 4], 3)", "the last one is smaller"},
                               {"(f32[2, 9], [2, 3, 4], 1)", "given sizes"},
                               {"(f32[2, 9], [0, 9], -1)", "an empty piece"},
                               {"(f32[s0, 12], 4, 1)", "symbolic rows"},
                               {NULL, NULL}},
};

const fx_op fx_op_chunk = {
    .name = "chunk",
    .target = "torch.ops.aten.chunk.default",
    .schema = "chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
    .names = "torch.chunk method:chunk",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = dtype_chunk,
    .shape = shape_chunk,
    .reference = fx__chunk_ref,
    .lower = lower_chunk,
    .cases = (const fx_case[]){{"(f32[6, 4], 3)", "equal"},
                               {"(f32[7, 4], 3)", "the last one is smaller"},
                               {"(f32[2, 5], 4, 1)", "fewer than asked for"},
                               {"(f32[s0, 12], 3, -1)", "symbolic rows"},
                               {NULL, NULL}},
};

const fx_op fx_op_unbind = {
    .name = "unbind",
    .target = "torch.ops.aten.unbind.int",
    .schema = "unbind.int(Tensor self, int dim=0) -> Tensor[]",
    .names = "torch.unbind method:unbind",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = dtype_unbind,
    .shape = shape_unbind,
    .reference = fx__unbind_ref,
    .lower = lower_unbind,
    .cases =
        (const fx_case[]){{"(f32[3, 4])", "rows"}, {"(f32[2, 3, 4], 1)", "middle"}, {"(f32[2, s0], 0)", "symbolic"}, {NULL, NULL}},
};

const fx_op fx_op_tuple = {
    .name = "tuple",
    .target = "torch.ops.fxjit.tuple.default",
    .schema = "tuple(Tensor[] tensors) -> Tensor[]",
    .names = "",
    .family = "moves",
    .dtypes = FX_ANY,
    .ulp = FX_ULP_EXACT,
    .dtype = dtype_tuple,
    .shape = shape_tuple,
    .reference = fx__tuple_ref,
    .lower = lower_tuple,
    .cases = (const fx_case[]){{"([f32[3, 4], f32[2]])", "two"},
                               {"([f32[s0, 4], f32[], f32[0]])", "symbolic, scalar, empty"},
                               {NULL, NULL}},
};
