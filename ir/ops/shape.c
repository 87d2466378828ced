/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements: cat (one MAP per piece, stored into its part), stack, constant_pad_nd (guarded loads), and those
 * that are the identity in a pure graph: clone, contiguous, alias, dropout in inference. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <string.h>

fx_status fx__copy_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__cat_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__stack_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__constant_pad_nd_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pad_ref(const fx_rt_arg *args, fx_tensor *results);

/* An outer axis called "i0", "i1", ... */
static fx_index outer(fx_kb *k, int32_t d, fx_dim extent)
{
    const char name[8] = {'i', (char)('0' + d), 0};
    return fx__index_axis(fx__kb_axis(k, name, extent, true));
}

/* ---- cat ----------------------------------------------------------------------------------------------------------------- */

/* An old habit of torch: tensors of shape [0] are left out, whatever the rank of the others. */
static bool left_out(const fx_type *type, int32_t rank)
{
    return type->rank == 1 && type->dim[0] == 0 && rank != 1;
}

/* The first piece that counts; -1: there are none, or only ones left out. */
static int32_t first_piece(const fx_call *call)
{
    int32_t n = fx__call_list_count(call, 0);
    for (int32_t i = 0; i < n; i++)
        if (!left_out(fx__call_list_type(call, 0, i), 0)) return i;
    return n > 0 ? 0 : -1;
}

static fx_status check_piece(const fx_call *call, int32_t i, const fx_type *first, int32_t dim)
{
    const fx_type *type = fx__call_list_type(call, 0, i);
    bool fits = type->rank == first->rank;
    for (int32_t d = 0; fits && d < type->rank; d++)
        fits = d == dim || fx__check_equal(call, type->dim[d], first->dim[d], "pieces of a cat");
    if (fits) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "tensor %d is %s, which differs from %s outside dim %d", i,
                          fx__check_type(call, type).s, fx__check_type(call, first).s, dim);
}

static fx_status shape_cat(fx_call *call)
{
    int32_t at = first_piece(call), n = fx__call_list_count(call, 0);
    if (at < 0) return fx__call_error(call, FX_E_ARG, "no tensors to join");
    const fx_type *first = fx__call_list_type(call, 0, at);
    if (first->rank == 0) return fx__call_error(call, FX_E_SHAPE, "scalars cannot be joined");
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), first->rank);
    if (dim < 0) return FX_E_ARG;
    fx_dim sum = 0;
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx__call_list_type(call, 0, i);
        if (left_out(type, first->rank)) continue;
        FX_TRY(check_piece(call, i, first, dim));
        sum = fx__dim_add(call->dims, sum, type->dim[dim]);
    }
    fx_dtype dtype = call->result[0].dtype;
    call->result[0] = *first;
    call->result[0].dtype = dtype;
    call->result[0].dim[dim] = sum;
    return FX_OK;
}

/* result[..., offset + i, ...] = piece[..., i, ...] */
static fx_status lower_piece(fx_lower *lw, const fx_call *call, int32_t i, int32_t dim, fx_dim offset)
{
    const fx_type *type = fx__call_list_type(call, 0, i);
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index from[FX_RANK], to[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) from[d] = to[d] = outer(k, d, type->dim[d]);
    to[dim].base = offset;
    uint16_t value = fx__kb_load(k, fx__lower_list_arg(lw, call, 0, i), from);
    fx__kb_store(k, fx__lower_result(lw, call, 0), to, fx__kb_cast(k, call->result[0].dtype, value));
    return fx__kb_finish(k);
}

static fx_status lower_cat(fx_lower *lw, const fx_call *call)
{
    int32_t n = fx__call_list_count(call, 0), rank = call->result[0].rank;
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), rank);
    fx_dim offset = 0;
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = fx__call_list_type(call, 0, i);
        if (left_out(type, rank) || type->dim[dim] == 0) continue;
        FX_TRY(lower_piece(lw, call, i, dim, offset));
        offset = fx__dim_add(fx__lower_dims(lw), offset, type->dim[dim]);
    }
    return FX_OK;
}

const fx_op fx_op_cat = {
    .name = "cat",
    .target = "torch.ops.aten.cat.default",
    .schema = "cat(Tensor[] tensors, int dim=0) -> Tensor",
    .names = "torch.cat torch.concat torch.concatenate torch.ops.aten.concat.default",
    .onnx = "Concat",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = fx__rule_dtype_promote,
    .shape = shape_cat,
    .reference = fx__cat_ref,
    .lower = lower_cat,
    .cases = (const fx_case[]){{"([f32[2, 3], f32[4, 3]], 0)", "rows"},
                               {"([f32[2, 3], f32[2, 17], f32[2, 1]], 1)", "columns"},
                               {"([f32[2, 3, 4], f32[2, 1, 4]], -2)", "negative dim"},
                               {"([f32[2, 3]], 0)", "one piece"},
                               {"([f32[2, 3], f32[0, 3], f32[1, 3]], 0)", "an empty piece"},
                               {"([f32[0], f32[2, 3]], 1)", "a piece of shape [0] is left out"},
                               {"([f32[0, 3], f32[0, 3]], 0)", "nothing at all"},
                               {"([f32[0], f32[0]], 0)", "empty vectors"},
                               {"([i32[2], f32[3]], 0)", "types are promoted"},
                               {"([f32[s0, 3], f32[2, 3]], 0)", "symbolic rows"},
                               {"([f32[s0, 3], f32[s0, 4]], 1)", "symbolic, columns"},
                               {"([f32[1, s0, 4], f32[1, s1, 4]], 1)", "two symbols"},
                               {NULL, NULL}},
};

/* ---- stack --------------------------------------------------------------------------------------------------------------- */

static fx_status shape_stack(fx_call *call)
{
    int32_t n = fx__call_list_count(call, 0);
    if (n == 0) return fx__call_error(call, FX_E_ARG, "no tensors to join");
    const fx_type *first = fx__call_list_type(call, 0, 0);
    if (first->rank == FX_RANK) return fx__call_error(call, FX_E_SHAPE, "the result has more than %d dimensions", FX_RANK);
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), first->rank + 1);
    if (dim < 0) return FX_E_ARG;
    for (int32_t i = 1; i < n; i++) FX_TRY(check_piece(call, i, first, -1));
    fx_type *out = &call->result[0];
    out->rank = first->rank + 1;
    for (int32_t d = 0; d < out->rank; d++) out->dim[d] = d == dim ? n : first->dim[d < dim ? d : d - 1];
    return FX_OK;
}

/* The i-th tensor of a list, which may be the results of one node. */
static fx_attr tensor_of_list(fx_graph *graph, const fx_call *call, int32_t i)
{
    if (call->arg[0].kind != FX_ATTR_NODE) return call->arg[0].u.items[i];
    fx_node *item = fx__check_insert(graph, call, FX_OP_getitem, (fx_attr[]){call->arg[0], fx_int(i)}, 2);
    return item ? fx_node_attr(item) : fx_none();
}

static fx_node *decompose_stack(fx_graph *graph, const fx_call *call)
{
    int32_t n = fx__call_list_count(call, 0);
    fx_attr dim = fx_int(fx__call_axis(call, fx__call_int(call, 1), call->result[0].rank));
    fx_attr *pieces = FX_NEW_ARRAY(graph->arena, fx_attr, n);
    if (pieces == NULL) return NULL;
    for (int32_t i = 0; i < n; i++) {
        fx_node *piece = fx__check_insert(graph, call, FX_OP_unsqueeze, (fx_attr[]){tensor_of_list(graph, call, i), dim}, 2);
        if (piece == NULL) return NULL;
        pieces[i] = fx_node_attr(piece);
    }
    return fx__check_insert(graph, call, FX_OP_cat, (fx_attr[]){fx_list(graph, pieces, n), dim}, 2);
}

const fx_op fx_op_stack = {
    .name = "stack",
    .target = "torch.ops.aten.stack.default",
    .schema = "stack(Tensor[] tensors, int dim=0) -> Tensor",
    .names = "torch.stack",
    .family = "moves",
    .dtypes = FX_ANY,
    .dtype = fx__rule_dtype_promote,
    .shape = shape_stack,
    .reference = fx__stack_ref,
    .decompose = decompose_stack,
    .cases = (const fx_case[]){{"([f32[2, 3], f32[2, 3]], 0)", "front"},
                               {"([f32[2, 3], f32[2, 3], f32[2, 3]], -1)", "back"},
                               {"([f32[], f32[]], 0)", "scalars"},
                               {"([f32[s0, 3], f32[s0, 3]], 1)", "symbolic"},
                               {NULL, NULL}},
};

/* ---- constant_pad_nd ------------------------------------------------------------------------------------------------------ */

enum { PAD_SELF, PAD_PAD, PAD_VALUE };

/* before[d], after[d] of every dim. */
static fx_status read_pads(const fx_call *call, fx_dim *before, fx_dim *after)
{
    const fx_type *x = fx__call_type(call, PAD_SELF);
    int32_t n = fx__call_list_count(call, PAD_PAD);
    if (n % 2 || n > 2 * x->rank)
        return fx__call_error(call, FX_E_ARG, "pad has %d entries, expected pairs for at most %d dimensions", n, x->rank);
    for (int32_t d = 0; d < x->rank; d++) {
        int32_t pair = 2 * (x->rank - 1 - d);
        before[d] = after[d] = 0;
        for (int32_t i = pair; i < pair + 2 && pair < n; i++) {
            const fx_attr *value = &call->arg[PAD_PAD].u.items[i];
            if (value->kind == FX_ATTR_NODE)
                return fx__call_error(call, FX_E_UNSUPPORTED, "entry %d of pad is only known at run time", i);
            *(i == pair ? &before[d] : &after[d]) = value->kind == FX_ATTR_SYMINT ? value->u.dim : value->u.i;
        }
    }
    return FX_OK;
}

static fx_status shape_pad(fx_call *call)
{
    const fx_type *x = fx__call_type(call, PAD_SELF);
    fx_dim before[FX_RANK], after[FX_RANK];
    FX_TRY(read_pads(call, before, after));
    fx_type *out = &call->result[0];
    *out = *x;
    for (int32_t d = 0; d < x->rank; d++) {
        out->dim[d] = fx__dim_add(call->dims, fx__dim_add(call->dims, x->dim[d], before[d]), after[d]);
        if (out->dim[d] != FX_DIM_BAD &&
            !fx__dims_assume(call->dims, FX_GUARD_LE, 0, out->dim[d], "a crop leaves a size of at least 0"))
            return fx__call_error(call, FX_E_SHAPE, "dim %d of %s becomes %s", d, fx__check_type(call, x).s,
                                  fx__check_dim(call, out->dim[d]).s);
    }
    return FX_OK;
}

static fx_status lower_pad(fx_lower *lw, const fx_call *call)
{
    const fx_type *out = &call->result[0];
    fx_dim before[FX_RANK], after[FX_RANK];
    FX_TRY(read_pads(call, before, after));
    double fill = fx__call_float(call, PAD_VALUE);
    if (call->arg[PAD_VALUE].kind == FX_ATTR_INT && (fill >= 0x1p63 || (int64_t)fill != call->arg[PAD_VALUE].u.i))
        return fx__lower_decline(lw, "the fill value is no double");
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index from[FX_RANK], to[FX_RANK];
    bool guarded = false;
    for (int32_t d = 0; d < out->rank; d++) {
        from[d] = to[d] = outer(k, d, out->dim[d]);
        from[d].base = fx__dim_sub(fx__lower_dims(lw), 0, before[d]);
        guarded = guarded || !fx__dim_le(fx__lower_dims(lw), before[d], 0) || !fx__dim_le(fx__lower_dims(lw), after[d], 0);
    }
    fx_lvalue x = fx__lower_arg(lw, call, PAD_SELF);
    uint16_t value = guarded ? fx__kb_load_guarded(k, x, from, fill) : fx__kb_load(k, x, from);
    fx__kb_store(k, fx__lower_result(lw, call, 0), to, value);
    return fx__kb_finish(k);
}

const fx_op fx_op_constant_pad_nd = {
    .name = "constant_pad_nd",
    .target = "torch.ops.aten.constant_pad_nd.default",
    .schema = "constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
    .names = "torch.constant_pad_nd",
    .onnx = "Pad",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_pad,
    .reference = fx__constant_pad_nd_ref,
    .lower = lower_pad,
    .cases = (const fx_case[]){{"(f32[2, 3], [1, 2])", "last dim"},
                               {"(f32[2, 3, 4], [1, 0, 0, 2, 3, 1], 7)", "all dims, value"},
                               {"(f32[2, 6], [-1, -2])", "crop"},
                               {"(f32[5, 17], [-1, 3, 2, -2], 1)", "crop and pad"},
                               {"(f32[2, 3], [-3, 0])", "to nothing"},
                               {"(f32[0, 3], [0, 0, 2, 1], 3)", "from nothing"},
                               {"(f32[2, 3], [-4, 4], 5)", "nothing of the input is left"},
                               {"(f32[], [])", "scalar"},
                               {"(f32[2, 3], [])", "nothing to do"},
                               {"(f32[s0, 3], [0, 0, 1, 1])", "symbolic"},
                               {"(f32[2, s0], [-1, 2], 1)", "symbolic, cropped"},
                               {NULL, NULL}},
};

enum { FPAD_MODE = 2, FPAD_VALUE };

/* The row of a mode that repeats elements of the tensor; NULL: constant, or after a diagnostic. */
static const fx_op *row_of_mode(const fx_call *call)
{
    static const struct {
        const char *mode;
        fx_op_code by_dims[3];
    } rows[] = {{"reflect", {FX_OP_reflection_pad1d, FX_OP_reflection_pad2d, FX_OP_reflection_pad3d}},
                {"replicate", {FX_OP_replication_pad1d, FX_OP_replication_pad2d, FX_OP_replication_pad3d}},
                {"circular", {FX_OP_pad_circular, FX_OP_pad_circular, FX_OP_pad_circular}}};
    const char *mode = call->arg[FPAD_MODE].u.s;
    int32_t dims = fx__call_list_count(call, PAD_PAD) / 2;
    if (strcmp(mode, "constant") == 0) return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(mode, rows[i].mode) == 0 && dims >= 1 && dims <= 3) return fx__op(rows[i].by_dims[dims - 1]);
    fx__call_error(call, FX_E_UNSUPPORTED, "mode '%s' over %d dimensions", mode, dims);
    return NULL;
}

static fx_status shape_functional_pad(fx_call *call)
{
    const fx_op *row = row_of_mode(call);
    if (row) return row->shape(call);
    return strcmp(call->arg[FPAD_MODE].u.s, "constant") == 0 ? shape_pad(call) : FX_E_UNSUPPORTED;
}

static fx_node *decompose_pad(fx_graph *graph, const fx_call *call)
{
    const fx_op *row = row_of_mode(call);
    fx_attr value = fx__call_is_none(call, FPAD_VALUE) ? fx_int(0) : call->arg[FPAD_VALUE];
    fx_attr args[] = {call->arg[PAD_SELF], call->arg[PAD_PAD], value};
    if (row) return fx__check_insert(graph, call, (fx_op_code)fx__op_code(row), args, 2);
    return fx__check_insert(graph, call, FX_OP_constant_pad_nd, args, 3);
}

const fx_op fx_op_pad = {
    .name = "pad",
    .target = "torch.ops.aten.pad.default",
    .schema = "pad(Tensor self, SymInt[] pad, str mode=\"constant\", float? value=None) -> Tensor",
    .names = "torch.nn.functional.pad torch._C._nn.pad",
    .onnx = "Pad",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_functional_pad,
    .reference = fx__pad_ref,
    .decompose = decompose_pad,
    .cases = (const fx_case[]){{"(f32[2, 3], [1, 2, 0, 1])", NULL},
                               {"(f32[2, 3], [1, -2], 'constant', 2.5)", "value"},
                               {"(f32[2, 3, 4], [1, 2], 'reflect')", "mirrored"},
                               {"(f32[2, 3, 4], [1, 2, 1, 1], 'replicate')", "the outermost again"},
                               {"(f32[2, 3, 4], [1, 2], 'circular')", "round"},
                               {NULL, NULL}},
};

/* ---- The identity --------------------------------------------------------------------------------------------------------- */

static fx_status view_identity(fx_view *view, const fx_call *call)
{
    (void)call;
    for (int32_t d = 0; d < view->in->rank; d++) view->at[d] = fx__index_axis((uint8_t)d);
    return FX_OK;
}

static fx_node *decompose_identity(fx_graph *graph, const fx_call *call)
{
    (void)graph;
    return call->arg[0].u.node;
}

static const fx_case cases_identity[] = {
    {"(f32[2, 3])", NULL}, {"(f32[])", "scalar"}, {"(f32[0, 4])", "empty"}, {"(f32[s0, 5])", "symbolic"}, {NULL, NULL}};

const fx_op fx_op_clone = {
    .name = "clone",
    .target = "torch.ops.aten.clone.default",
    .schema = "clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor",
    .names = "torch.ops.aten.lift_fresh_copy.default torch.clone method:clone",
    .onnx = "Identity",
    .family = "moves",
    .dtypes = FX_ANY,
    .reference = fx__copy_ref,
    .decompose = decompose_identity,
    .cases = cases_identity,
};

const fx_op fx_op_contiguous = {
    .name = "contiguous",
    .target = "torch.ops.aten.contiguous.default",
    .schema = "contiguous(Tensor self, *, MemoryFormat memory_format=contiguous_format) -> Tensor",
    .names = "method:contiguous",
    .family = "moves",
    .dtypes = FX_ANY,
    .reference = fx__copy_ref,
    .decompose = decompose_identity,
    .cases = cases_identity,
};

const fx_op fx_op_alias = {
    .name = "alias",
    .target = "torch.ops.aten.alias.default",
    .schema = "alias(Tensor self) -> Tensor",
    .names = "torch.ops.aten.detach.default torch.ops.aten.lift_fresh.default torch.detach method:detach",
    .onnx = "Identity",
    .family = "views",
    .dtypes = FX_ANY,
    .reference = fx__copy_ref,
    .view = view_identity,
    .decompose = decompose_identity,
    .cases = cases_identity,
};

static fx_status shape_dropout(fx_call *call)
{
    if (fx__call_int(call, 2))
        return fx__call_error(call, FX_E_UNSUPPORTED, "training=True: only inference is supported, call eval() before tracing");
    return fx__rule_shape_same(call);
}

static const fx_case cases_dropout[] = {{"(f32[2, 3], 0.5, False)", NULL}, {"(f32[s0, 5], 0.1, False)", "symbolic"}, {NULL, NULL}};

const fx_op fx_op_dropout = {
    .name = "dropout",
    .target = "torch.ops.aten.dropout.default",
    .schema = "dropout(Tensor input, float p, bool train) -> Tensor",
    .names = "torch.dropout",
    .onnx = "Dropout",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_dropout,
    .reference = fx__copy_ref,
    .decompose = decompose_identity,
    .cases = cases_dropout,
};

const fx_op fx_op_functional_dropout = {
    .name = "functional_dropout",
    .target = "torch.nn.functional.dropout",
    .schema = "dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
    .names = "torch.nn.functional.dropout1d torch.nn.functional.dropout2d torch.nn.functional.dropout3d",
    .family = "moves",
    .dtypes = FX_ANY,
    .shape = shape_dropout,
    .reference = fx__copy_ref,
    .decompose = decompose_identity,
    .cases = cases_dropout,
};
