/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_shape.c: evaluating nodes over integers that are known while importing. Exporters compute shapes with nodes (Shape, Gather,
 * Concat, Where, ...); here those become sizes again, symbols included, so that Reshape and its like see sizes and no data.
 * A node that is not covered here, or whose result would not fit, is left to its adapter. */
#include "frontend/onnx.h"
#include "ir/op.h"
#include <string.h>

typedef struct folder {
    fx_onnx_call *call;
    fx_dims *dims;
    const fx_onnx_known *in[3];
    int32_t n_in;
    fx_onnx_known out; /* item: room for FX_ONNX_KNOWN */
} folder;

static bool set_size(folder *f, int32_t rank, int64_t n)
{
    f->out.rank = rank;
    f->out.n = (int32_t)n;
    return n >= 0 && n <= FX_ONNX_KNOWN;
}

static bool put(folder *f, int32_t index, fx_dim value)
{
    if (value == FX_DIM_BAD) return false;
    f->out.item[index] = value;
    return f->out.dtype != FX_I32 || !fx_dim_is_const(value) || (value >= INT32_MIN && value <= INT32_MAX);
}

static bool copy_items(folder *f, const fx_onnx_known *from, int32_t rank)
{
    if (!set_size(f, rank, from->n)) return false;
    f->out.dtype = from->dtype;
    memcpy(f->out.item, from->item, (size_t)from->n * sizeof *from->item);
    return true;
}

/* ---- Shapes of tensors --------------------------------------------------------------------------------------------------------
 */

static bool shape_of(fx_onnx_call *call, fx_type *out)
{
    fx_onnx_slot *slot = fx__onnx_slot(call->import, call->node->inputs[0]);
    const fx_type *type = slot->node ? fx_node_type(slot->node, 0) : NULL;
    const fx_tensor *tensor = slot->node ? NULL : fx__onnx_tensor(call, 0);
    if (type)
        *out = *type;
    else if (tensor) {
        out->rank = tensor->rank;
        memcpy(out->dim, tensor->dim, sizeof out->dim);
    } else if (slot->fill) {
        *out = slot->fill->type;
    } else if (!slot->node && slot->known) {
        out->rank = slot->known->rank;
        out->dim[0] = slot->known->n;
    } else
        return false;
    return true;
}

static int64_t bounded(int64_t value, int64_t rank)
{
    value += value < 0 ? rank : 0;
    return value < 0 ? 0 : value > rank ? rank : value;
}

static bool fold_shape(folder *f)
{
    fx_type type;
    if (!shape_of(f->call, &type)) return false;
    int64_t start = bounded(fx__onnx_int(f->call, "start", 0), type.rank),
            end = bounded(fx__onnx_int(f->call, "end", type.rank), type.rank);
    if (!set_size(f, 1, end > start ? end - start : 0)) return false;
    for (int32_t i = 0; i < f->out.n; i++) f->out.item[i] = type.dim[start + i];
    return true;
}

static bool fold_size(folder *f)
{
    fx_type type;
    if (!shape_of(f->call, &type) || !set_size(f, 0, 1)) return false;
    fx_dim size = 1;
    for (int32_t i = 0; i < type.rank; i++) size = fx__dim_mul(f->dims, size, type.dim[i]);
    return put(f, 0, size);
}

/* ---- Arithmetic ----------------------------------------------------------------------------------------------------------------
 */

static fx_dim do_add(fx_dims *dims, fx_dim a, fx_dim b)
{
    return fx__dim_add(dims, a, b);
}
static fx_dim do_sub(fx_dims *dims, fx_dim a, fx_dim b)
{
    return fx__dim_sub(dims, a, b);
}
static fx_dim do_mul(fx_dims *dims, fx_dim a, fx_dim b)
{
    return fx__dim_mul(dims, a, b);
}
static fx_dim do_max(fx_dims *dims, fx_dim a, fx_dim b)
{
    return fx__dim_max(dims, a, b);
}
static fx_dim do_min(fx_dims *dims, fx_dim a, fx_dim b)
{
    return fx__dim_min(dims, a, b);
}

/* Truncation and floor agree for sizes; symbols are never negative, their differences may be. */
static fx_dim do_div(fx_dims *dims, fx_dim a, fx_dim b)
{
    int64_t lo_a, hi_a, lo_b, hi_b;
    if (fx_dim_is_const(a) && fx_dim_is_const(b)) return b == 0 || b == -1 ? FX_DIM_BAD : a / b;
    fx__dim_range(dims, a, &lo_a, &hi_a);
    fx__dim_range(dims, b, &lo_b, &hi_b);
    return lo_a >= 0 && lo_b > 0 ? fx__dim_floordiv(dims, a, b) : FX_DIM_BAD;
}

/* The sign of the divisor's, as fmod 0 has it; for sizes that is all the same. */
static fx_dim do_mod(fx_dims *dims, fx_dim a, fx_dim b)
{
    int64_t lo_a, hi_a, lo_b, hi_b;
    fx__dim_range(dims, a, &lo_a, &hi_a);
    fx__dim_range(dims, b, &lo_b, &hi_b);
    return lo_a >= 0 && lo_b > 0 ? fx__dim_mod(dims, a, b) : FX_DIM_BAD;
}

static fx_dim do_and(fx_dims *dims, fx_dim a, fx_dim b)
{
    return (void)dims, a && b;
}
static fx_dim do_or(fx_dims *dims, fx_dim a, fx_dim b)
{
    return (void)dims, a || b;
}

/* a < b, FX_DIM_BAD when that depends on symbols. */
static fx_dim do_less(fx_dims *dims, fx_dim a, fx_dim b)
{
    if (fx__dim_le(dims, b, a)) return 0;
    return fx__dim_le(dims, fx__dim_add(dims, a, 1), b) ? 1 : FX_DIM_BAD;
}

static fx_dim do_greater(fx_dims *dims, fx_dim a, fx_dim b)
{
    return do_less(dims, b, a);
}

/* FX_DIM_BAD: equality of these is not known. */
static fx_dim do_equal(fx_dims *dims, fx_dim a, fx_dim b)
{
    int64_t lo_a, hi_a, lo_b, hi_b;
    if (fx__dim_equal(dims, a, b)) return 1;
    fx__dim_range(dims, a, &lo_a, &hi_a);
    fx__dim_range(dims, b, &lo_b, &hi_b);
    return hi_a < lo_b || hi_b < lo_a ? 0 : FX_DIM_BAD;
}

static bool broadcast_size(folder *f, int32_t n_in)
{
    int32_t rank = 0, n = 1;
    for (int32_t i = 0; i < n_in; i++) {
        if (f->in[i]->rank > rank) rank = f->in[i]->rank;
        if (f->in[i]->n == 1) continue;
        if (n != 1 && n != f->in[i]->n) return false;
        n = f->in[i]->n;
    }
    return set_size(f, rank, n);
}

static fx_dim item(const fx_onnx_known *known, int32_t index)
{
    return known->item[known->n == 1 ? 0 : index];
}

static bool fold_binary(folder *f, fx_dim (*op)(fx_dims *, fx_dim, fx_dim), bool is_bool)
{
    if (f->n_in != 2 || f->in[0]->dtype != f->in[1]->dtype || f->in[0]->dtype == FX_BOOL || !broadcast_size(f, 2)) return false;
    f->out.dtype = is_bool ? FX_BOOL : f->in[0]->dtype;
    for (int32_t i = 0; i < f->out.n; i++)
        if (!put(f, i, op(f->dims, item(f->in[0], i), item(f->in[1], i)))) return false;
    return true;
}

/* Truth values are 0 and 1, without symbols. */
static bool fold_logic(folder *f, fx_dim (*op)(fx_dims *, fx_dim, fx_dim))
{
    if (f->n_in != 2 || f->in[0]->dtype != FX_BOOL || f->in[1]->dtype != FX_BOOL || !broadcast_size(f, 2)) return false;
    f->out.dtype = FX_BOOL;
    for (int32_t i = 0; i < f->out.n; i++) f->out.item[i] = op(f->dims, item(f->in[0], i), item(f->in[1], i));
    return true;
}

static bool fold_not(folder *f)
{
    if (f->in[0]->dtype != FX_BOOL || !copy_items(f, f->in[0], f->in[0]->rank)) return false;
    for (int32_t i = 0; i < f->out.n; i++) f->out.item[i] = !f->out.item[i];
    return true;
}

static bool fold_and(folder *f)
{
    return fold_logic(f, do_and);
}
static bool fold_or(folder *f)
{
    return fold_logic(f, do_or);
}
static bool fold_mod(folder *f)
{
    return !fx__onnx_int(f->call, "fmod", 0) && fold_binary(f, do_mod, false);
}
static bool fold_less(folder *f)
{
    return fold_binary(f, do_less, true);
}
static bool fold_greater(folder *f)
{
    return fold_binary(f, do_greater, true);
}
static bool fold_add(folder *f)
{
    return fold_binary(f, do_add, false);
}
static bool fold_sub(folder *f)
{
    return fold_binary(f, do_sub, false);
}
static bool fold_mul(folder *f)
{
    return fold_binary(f, do_mul, false);
}
static bool fold_div(folder *f)
{
    return fold_binary(f, do_div, false);
}
static bool fold_max(folder *f)
{
    return fold_binary(f, do_max, false);
}
static bool fold_min(folder *f)
{
    return fold_binary(f, do_min, false);
}
static bool fold_equal(folder *f)
{
    return fold_binary(f, do_equal, true);
}

static bool fold_neg(folder *f)
{
    f->out.dtype = f->in[0]->dtype;
    if (f->out.dtype == FX_BOOL || !set_size(f, f->in[0]->rank, f->in[0]->n)) return false;
    for (int32_t i = 0; i < f->out.n; i++)
        if (!put(f, i, fx__dim_sub(f->dims, 0, f->in[0]->item[i]))) return false;
    return true;
}

static bool fold_where(folder *f)
{
    if (f->in[0]->dtype != FX_BOOL || f->in[1]->dtype != f->in[2]->dtype || !broadcast_size(f, 3)) return false;
    f->out.dtype = f->in[1]->dtype;
    for (int32_t i = 0; i < f->out.n; i++)
        if (!put(f, i, item(item(f->in[0], i) ? f->in[1] : f->in[2], i))) return false;
    return true;
}

static bool fold_reduce_prod(folder *f)
{
    fx_dim product = 1;
    if (f->n_in != 1 || f->in[0]->rank != 1 || f->in[0]->dtype == FX_BOOL) return false;
    f->out.dtype = f->in[0]->dtype;
    for (int32_t i = 0; i < f->in[0]->n; i++) product = fx__dim_mul(f->dims, product, f->in[0]->item[i]);
    return set_size(f, fx__onnx_int(f->call, "keepdims", 1) ? 1 : 0, 1) && put(f, 0, product);
}

/* ---- Moving --------------------------------------------------------------------------------------------------------------------
 */

static bool fold_identity(folder *f)
{
    return copy_items(f, f->in[0], f->in[0]->rank);
}

static bool fold_cast(folder *f)
{
    fx_dtype dtype;
    int64_t to = fx__onnx_int(f->call, "to", 0);
    if (to < 0 || to > FX_ONNX_TYPE_COUNT || !fx__onnx_dtype((int32_t)to, &dtype)) return false;
    if ((dtype != FX_I64 && dtype != FX_I32) || !set_size(f, f->in[0]->rank, f->in[0]->n)) return false;
    f->out.dtype = dtype;
    for (int32_t i = 0; i < f->out.n; i++)
        if (!put(f, i, f->in[0]->item[i])) return false;
    return true;
}

static bool fold_unsqueeze(folder *f)
{
    return f->in[0]->rank == 0 && copy_items(f, f->in[0], 1);
}
static bool fold_squeeze(folder *f)
{
    return f->in[0]->n == 1 && copy_items(f, f->in[0], 0);
}

static bool fold_reshape(folder *f)
{
    const fx_onnx_known *shape = f->in[1];
    bool whole = shape->n == 0 ? f->in[0]->n == 1 : shape->n == 1 && (shape->item[0] == -1 || shape->item[0] == f->in[0]->n);
    return whole && copy_items(f, f->in[0], shape->n);
}

static bool fold_gather(folder *f)
{
    const fx_onnx_known *from = f->in[0], *at = f->in[1];
    if (from->rank != 1 || !set_size(f, at->rank, at->n)) return false;
    f->out.dtype = from->dtype;
    for (int32_t i = 0; i < at->n; i++) {
        int64_t index = at->item[i] < 0 ? at->item[i] + from->n : at->item[i];
        if (!fx_dim_is_const(at->item[i]) || index < 0 || index >= from->n) return false;
        f->out.item[i] = from->item[index];
    }
    return true;
}

static bool fold_slice(folder *f)
{
    int64_t start[FX_RANK], end[FX_RANK], axes[FX_RANK], steps[FX_RANK];
    fx_onnx_call *call = f->call;
    bool inputs = call->opset >= 10;
    int32_t n = inputs ? fx__onnx_ints_of(call, 1, "starts", start) : fx__onnx_ints(call, "starts", start);
    int32_t m = inputs ? fx__onnx_ints_of(call, 2, "ends", end) : fx__onnx_ints(call, "ends", end);
    int32_t k = fx__onnx_ints_of(call, 3, "axes", axes), s = fx__onnx_ints_of(call, 4, "steps", steps);
    if (n != 1 || m != 1 || f->in[0]->rank != 1 || (k == 1 && axes[0] != 0 && axes[0] != -1) || (s == 1 && steps[0] != 1))
        return false;
    int64_t first = bounded(start[0], f->in[0]->n), last = bounded(end[0], f->in[0]->n);
    if (!set_size(f, 1, last > first ? last - first : 0)) return false;
    f->out.dtype = f->in[0]->dtype;
    for (int32_t i = 0; i < f->out.n; i++) f->out.item[i] = f->in[0]->item[first + i];
    return true;
}

static bool fold_concat(folder *f)
{
    int32_t n = 0;
    f->out.dtype = f->in[0]->dtype;
    for (int32_t i = 0; i < fx__onnx_inputs(f->call); i++) {
        const fx_onnx_known *part = fx__onnx_known(f->call, i);
        if (!part || part->rank != 1 || part->dtype != f->out.dtype || !set_size(f, 1, (int64_t)n + part->n)) return false;
        if (part->n) memcpy(f->out.item + n, part->item, (size_t)part->n * sizeof *part->item);
        n += part->n;
    }
    return true;
}

static bool fold_constant_of_shape(folder *f)
{
    const fx_onnx_attr *value = fx__onnx_attr(f->call, "value");
    const fx_onnx_known *shape = f->in[0];
    fx_tensor tensor;
    if (!value || shape->n > 1 || (shape->n == 1 && (!fx_dim_is_const(shape->item[0]) || shape->item[0] > FX_ONNX_KNOWN)))
        return false;
    if (!fx__onnx_read(f->call, value->message, &tensor) || tensor.dtype != FX_I64 || fx_tensor_elems(&tensor) != 1) return false;
    if (!set_size(f, shape->n, shape->n ? shape->item[0] : 1)) return false;
    for (int32_t i = 0; i < f->out.n; i++)
        if (!put(f, i, *(const int64_t *)tensor.data)) return false;
    return true;
}

static bool fold_range(folder *f)
{
    fx_dim start = f->in[0]->item[0], limit = f->in[1]->item[0], delta = f->in[2]->item[0];
    if (!fx_dim_is_const(start) || !fx_dim_is_const(limit) || !fx_dim_is_const(delta) || delta == 0) return false;
    f->out.dtype = f->in[0]->dtype;
    int64_t distance;
    if (__builtin_sub_overflow(limit, start, &distance) || delta == INT64_MIN) return false;
    bool forward = (distance > 0) == (delta > 0);
    int64_t n = distance == 0 || !forward ? 0 : (distance + (delta > 0 ? delta - 1 : delta + 1)) / delta;
    if (!set_size(f, 1, n)) return false;
    for (int32_t i = 0; i < n; i++)
        if (!put(f, i, start + i * delta)) return false;
    return true;
}

/* ---- The table ------------------------------------------------------------------------------------------------------------------
 */

static const struct fold_row {
    const char *op;
    int32_t reads; /* inputs that must be known; 0: the type of input 0 is all that matters */
    bool (*fold)(folder *f);
} rows[] = {
    {"Add", 2, fold_add},
    {"And", 2, fold_and},
    {"Cast", 1, fold_cast},
    {"Concat", 1, fold_concat},
    {"ConstantOfShape", 1, fold_constant_of_shape},
    {"Div", 2, fold_div},
    {"Equal", 2, fold_equal},
    {"Gather", 2, fold_gather},
    {"Greater", 2, fold_greater},
    {"Identity", 1, fold_identity},
    {"Less", 2, fold_less},
    {"Max", 2, fold_max},
    {"Min", 2, fold_min},
    {"Mod", 2, fold_mod},
    {"Mul", 2, fold_mul},
    {"Neg", 1, fold_neg},
    {"Not", 1, fold_not},
    {"Or", 2, fold_or},
    {"Range", 3, fold_range},
    {"ReduceProd", 1, fold_reduce_prod},
    {"Reshape", 2, fold_reshape},
    {"Shape", 0, fold_shape},
    {"Size", 0, fold_size},
    {"Slice", 1, fold_slice},
    {"Squeeze", 1, fold_squeeze},
    {"Sub", 2, fold_sub},
    {"Unsqueeze", 1, fold_unsqueeze},
    {"Where", 3, fold_where},
};

static const struct fold_row *find_row(const char *op)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].op, op) == 0) return &rows[i];
    return NULL;
}

static bool read_inputs(folder *f, const struct fold_row *row)
{
    if (row->reads == 0) return fx__onnx_has(f->call, 0);
    f->n_in = fx__onnx_inputs(f->call);
    for (int32_t i = 0; i < row->reads; i++) {
        f->in[i] = fx__onnx_known(f->call, i);
        if (!f->in[i]) return false;
    }
    return true;
}

bool fx__onnx_fold(fx_onnx_call *call)
{
    const struct fold_row *row = find_row(call->node->op);
    folder f = {.call = call, .dims = call->import->graph->dims, .out = {.dtype = FX_I64}};
    if (!row || !read_inputs(&f, row)) return call->failed;
    fx_onnx_known *known = FX_NEW(call->import->arena, fx_onnx_known);
    f.out.item = FX_NEW_ARRAY(call->import->arena, fx_dim, FX_ONNX_KNOWN);
    if (!known || !f.out.item || !row->fold(&f)) return call->failed;
    *known = f.out;
    fx__onnx_give_known(call, 0, known);
    return true;
}
