/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation over the elements of a row: layer_norm and rms_norm over the last dims, group_norm over groups of channels. One
 * kernel: the row's sum, the sum of squares about the mean, and a MAP over the row; rms_norm takes the squares as they are. The
 * native_ rows also give each row's mean and 1 / sqrt(var + eps). */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__layer_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__layer_norm_bound(const fx_rt_bound *call);
fx_status fx__native_layer_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__native_layer_norm_bound(const fx_rt_bound *call);
fx_status fx__native_group_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__native_group_norm_bound(const fx_rt_bound *call);
fx_status fx__rms_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__rms_norm_bound(const fx_rt_bound *call);
fx_status fx__group_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__group_norm_bound(const fx_rt_bound *call);

enum { INPUT, SHAPE, WEIGHT, BIAS, EPS, RMS_EPS = BIAS }; /* SHAPE is num_groups of group_norm */
enum { NATIVE_WEIGHT = 1, NATIVE_BIAS, NATIVE_N, NATIVE_C, NATIVE_HW, NATIVE_GROUPS, NATIVE_EPS }; /* of native_group_norm */

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

static fx_status check_parameter(const fx_call *call, int32_t index, const fx_type *x, int32_t n)
{
    if (fx__call_is_none(call, index)) return FX_OK;
    const fx_type *type = fx__call_type(call, index);
    bool fits = type->rank == n;
    for (int32_t d = 0; fits && d < n; d++)
        fits = fx__check_equal(call, type->dim[d], x->dim[x->rank - n + d], "parameters have the normalised shape");
    if (fits) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "%s is %s, expected the last %d dimensions of %s",
                          fx__op_params(call->op, &(int32_t){0})[index].name, fx__check_type(call, type).s, n,
                          fx__check_type(call, x).s);
}

/* The normalised dims are the last ones; there may be weights for them. */
static fx_status shape_last(fx_call *call)
{
    const fx_type *x = fx__call_type(call, INPUT);
    fx_dim dim[FX_RANK];
    int32_t n = fx__call_dims(call, SHAPE, 0, dim);
    if (n < 0) return FX_E_ARG;
    if (n == 0 || n > x->rank)
        return fx__call_error(call, FX_E_SHAPE, "normalized_shape has %d entries for %s", n, fx__check_type(call, x).s);
    for (int32_t d = 0; d < n; d++)
        if (!fx__check_equal(call, dim[d], x->dim[x->rank - n + d], "normalized_shape"))
            return fx__call_error(call, FX_E_SHAPE, "entry %d of normalized_shape is %s; input is %s", d,
                                  fx__check_dim(call, dim[d]).s, fx__check_type(call, x).s);
    FX_TRY(check_parameter(call, WEIGHT, x, n));
    return fx__rule_shape_same(call);
}

static fx_status shape_layer_norm(fx_call *call)
{
    FX_TRY(shape_last(call));
    return check_parameter(call, BIAS, fx__call_type(call, INPUT), fx__call_list_count(call, SHAPE));
}

static fx_status shape_native_layer_norm(fx_call *call)
{
    FX_TRY(shape_layer_norm(call));
    fx_type rows = call->result[0];
    for (int32_t i = 0; i < fx__call_list_count(call, SHAPE); i++) rows.dim[rows.rank - 1 - i] = 1;
    call->result[1] = call->result[2] = rows;
    return FX_OK;
}

static fx_status check_groups(fx_call *call, int64_t groups, int32_t weight, int32_t bias)
{
    FX_TRY(fx__check_rank(call, INPUT, 2, FX_RANK - 1));
    const fx_type *x = fx__call_type(call, INPUT);
    if (groups < 1) return fx__call_error(call, FX_E_ARG, "num_groups is %lld, expected at least 1", (long long)groups);
    if (!fx__check_equal(call, fx__dim_mod(call->dims, x->dim[1], groups), 0, "channels divide into groups"))
        return fx__call_error(call, FX_E_SHAPE, "%s channels do not divide into %lld groups", fx__check_dim(call, x->dim[1]).s,
                              (long long)groups);
    FX_TRY(fx__check_vector(call, weight, x->dim[1]));
    FX_TRY(fx__check_vector(call, bias, x->dim[1]));
    return fx__rule_shape_same(call);
}

static fx_status shape_group_norm(fx_call *call)
{
    return check_groups(call, fx__call_int(call, SHAPE), WEIGHT, BIAS);
}

/* The sizes among the arguments say again what the input says. */
static fx_status shape_native_group_norm(fx_call *call)
{
    int64_t groups = fx__call_int(call, NATIVE_GROUPS);
    FX_TRY(check_groups(call, groups, NATIVE_WEIGHT, NATIVE_BIAS));
    fx_type rows = {.dtype = call->result[0].dtype, .rank = 2, .dim = {call->result[0].dim[0], groups}};
    call->result[1] = call->result[2] = rows;
    return FX_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* One row: its kernel, its axes, and the indices of an element and of its parameters. */
typedef struct row {
    fx_lower *lower;
    const fx_call *call;
    fx_kb *k;
    fx_dtype dtype;
    uint8_t axis[FX_REDS], n;
    fx_dim elems;
    fx_index at[FX_RANK], parameter[FX_RANK], of_row[FX_RANK]; /* of_row: of its mean */
    int32_t weight, bias, eps;                                 /* arguments; bias -1: none */
} row;

static row begin(fx_lower *lower, const fx_call *call)
{
    fx_dtype dtype = call->result[0].dtype == FX_F64 ? FX_F64 : FX_F32;
    return (row){.lower = lower,
                 .call = call,
                 .k = fx__lower_kernel(lower, call),
                 .dtype = dtype,
                 .elems = 1,
                 .weight = WEIGHT,
                 .bias = BIAS,
                 .eps = EPS};
}

static fx_index outer(row *r, int32_t d, fx_dim extent)
{
    const char name[8] = {'i', (char)('0' + d), 0};
    return fx__index_axis(fx__kb_axis(r->k, name, extent, true));
}

static fx_index inner(row *r, int32_t d, fx_dim extent)
{
    const char name[8] = {'j', (char)('0' + d), 0};
    r->axis[r->n] = fx__kb_axis(r->k, name, extent, false);
    r->elems = fx__dim_mul(fx__lower_dims(r->lower), r->elems, extent);
    return fx__index_axis(r->axis[r->n++]);
}

static uint16_t two(row *r, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(r->k, op, a, b);
}

static uint16_t mean_of(row *r, fx_kresult sum)
{
    return two(r, FX_SCALAR_DIV, fx__kb_result(r->k, sum), fx__kb_cast(r->k, r->dtype, fx__kb_dim(r->k, r->elems)));
}

/* As it is given: of nothing it is 0. */
static uint16_t given_mean(row *r, fx_kresult sum)
{
    fx_dim divisor = fx__dim_max(fx__lower_dims(r->lower), r->elems, 1);
    return two(r, FX_SCALAR_DIV, fx__kb_result(r->k, sum), fx__kb_cast(r->k, r->dtype, fx__kb_dim(r->k, divisor)));
}

static uint16_t load(row *r, int32_t index, const fx_index *at)
{
    return fx__kb_cast(r->k, r->dtype, fx__kb_load(r->k, fx__lower_arg(r->lower, r->call, index), at));
}

static uint16_t centred(row *r, fx_kresult sum)
{
    return two(r, FX_SCALAR_SUB, load(r, INPUT, r->at), mean_of(r, sum));
}

/* 1 / sqrt(mean of squares + eps), from the sum of squares. */
static uint16_t scale_of(row *r, fx_kresult squares, double eps)
{
    uint16_t var = two(r, FX_SCALAR_ADD, mean_of(r, squares), fx__kb_imm(r->k, r->dtype, eps));
    return two(r, FX_SCALAR_DIV, fx__kb_imm(r->k, r->dtype, 1), fx__kb_scalar(r->k, FX_SCALAR_SQRT, var, FX_NO_EXPR));
}

static fx_status store(row *r, uint16_t y)
{
    if (!fx__call_is_none(r->call, r->weight)) y = two(r, FX_SCALAR_MUL, y, load(r, r->weight, r->parameter));
    if (r->bias >= 0 && !fx__call_is_none(r->call, r->bias)) y = two(r, FX_SCALAR_ADD, y, load(r, r->bias, r->parameter));
    fx__kb_store(r->k, fx__lower_result(r->lower, r->call, 0), r->at, y);
    return fx__kb_finish(r->k);
}

/* One number of the row, where somebody reads it. */
static void give(row *r, int32_t result, uint16_t e)
{
    fx__kb_store(r->k, fx__lower_result(r->lower, r->call, result), r->of_row, e);
}

static fx_status finish(row *r)
{
    fx_kresult sum = fx__kb_reduce(r->k, "s", FX_COMBINE_SUM, r->axis, r->n, load(r, INPUT, r->at));
    uint16_t d = centred(r, sum);
    fx_kresult squares = fx__kb_reduce(r->k, "q", FX_COMBINE_SUM, r->axis, r->n, two(r, FX_SCALAR_MUL, d, d));
    double eps = fx__call_float(r->call, r->eps);
    if (r->call->n_results == 3 && fx__check_uses(r->call, 1)) give(r, 1, given_mean(r, sum));
    if (r->call->n_results == 3 && fx__check_uses(r->call, 2)) give(r, 2, scale_of(r, squares, eps));
    fx__kb_map(r->k, r->axis, r->n);
    uint16_t scale = scale_of(r, squares, eps);
    return store(r, two(r, FX_SCALAR_MUL, centred(r, sum), scale));
}

static fx_status finish_rms(row *r)
{
    double least = r->dtype == FX_F64 ? 0x1p-52 : 0x1p-23; /* the step from 1 in the type that is computed in */
    uint16_t x = load(r, INPUT, r->at);
    fx_kresult squares = fx__kb_reduce(r->k, "q", FX_COMBINE_SUM, r->axis, r->n, two(r, FX_SCALAR_MUL, x, x));
    fx__kb_map(r->k, r->axis, r->n);
    bool given = !fx__call_is_none(r->call, RMS_EPS);
    uint16_t scale = scale_of(r, squares, given ? fx__call_float(r->call, RMS_EPS) : least);
    r->bias = -1;
    return store(r, two(r, FX_SCALAR_MUL, load(r, INPUT, r->at), scale));
}

/* Outer axes, then those of the row. FX_E_UNSUPPORTED: too many of them. */
static fx_status begin_last(fx_lower *lower, const fx_call *call, row *r)
{
    const fx_type *x = fx__call_type(call, INPUT);
    int32_t n = fx__call_list_count(call, SHAPE), first = x->rank - n;
    if (n > FX_REDS) return fx__lower_decline(lower, "normalisation over more than %d dimensions", FX_REDS);
    *r = begin(lower, call);
    for (int32_t d = 0; d < first; d++) r->of_row[d] = r->at[d] = outer(r, d, x->dim[d]);
    for (int32_t d = first; d < x->rank; d++) {
        r->parameter[d - first] = r->at[d] = inner(r, d, x->dim[d]);
        r->of_row[d] = fx__index_const(0);
    }
    return FX_OK;
}

static fx_status lower_layer_norm(fx_lower *lower, const fx_call *call)
{
    row r;
    FX_TRY(begin_last(lower, call, &r));
    return finish(&r);
}

static fx_status lower_rms_norm(fx_lower *lower, const fx_call *call)
{
    row r;
    FX_TRY(begin_last(lower, call, &r));
    return finish_rms(&r);
}

static fx_status lower_groups(row *r, int64_t groups)
{
    const fx_type *x = fx__call_type(r->call, INPUT);
    fx_dim per_group = fx__dim_floordiv(fx__lower_dims(r->lower), x->dim[1], groups);
    if (x->rank == 2 && per_group == 1) return fx__lower_decline(r->lower, "rows of one element");
    r->of_row[0] = r->at[0] = outer(r, 0, x->dim[0]);
    r->of_row[1] = r->at[1] = outer(r, 1, groups);
    if (per_group != 1) {
        r->at[1].term[0].coef = per_group;
        r->at[1].term[r->at[1].n++] = inner(r, 1, per_group).term[0];
    }
    for (int32_t d = 2; d < x->rank; d++) r->at[d] = inner(r, d, x->dim[d]);
    r->parameter[0] = r->at[1];
    return finish(r);
}

static fx_status lower_group_norm(fx_lower *lower, const fx_call *call)
{
    row r = begin(lower, call);
    return lower_groups(&r, fx__call_int(call, SHAPE));
}

static fx_status lower_native_group_norm(fx_lower *lower, const fx_call *call)
{
    row r = begin(lower, call);
    r.weight = NATIVE_WEIGHT;
    r.bias = NATIVE_BIAS;
    r.eps = NATIVE_EPS;
    return lower_groups(&r, fx__call_int(call, NATIVE_GROUPS));
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_layer_norm = {
    .name = "layer_norm",
    .target = "torch.ops.aten.layer_norm.default",
    .schema = "layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
              "bool cudnn_enable=True) -> Tensor",
    .names = "torch.nn.functional.layer_norm torch.layer_norm",
    .onnx = "LayerNormalization",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_layer_norm,
    .reference = fx__layer_norm_ref,
    .bound = fx__layer_norm_bound,
    .lower = lower_layer_norm,
    .cases = (const fx_case[]){{"(f32[4, 10], [10], f32[10], f32[10])", "rows"},
                               {"(f32[2, 3, 33], [33], f32[33], f32[33], 0.001)", "tails"},
                               {"(f32[2, 3, 4, 5], [4, 5], f32[4, 5], None)", "two dims, no bias"},
                               {"(f32[3, 7], [7])", "neither weight nor bias"},
                               {"(f32[3, 4], [3, 4])", "everything"},
                               {"(f32[5, 1], [1], f32[1], f32[1])", "size 1"},
                               {"(f32[0, 4], [4], f32[4], f32[4])", "empty"},
                               {"(f32[2, s0, 16], [16], f32[16], f32[16])", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_rms_norm = {
    .name = "rms_norm",
    .target = "torch.ops.aten.rms_norm.default",
    .schema = "rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
    .names = "torch.nn.functional.rms_norm torch.rms_norm",
    .onnx = "RMSNormalization",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_last,
    .reference = fx__rms_norm_ref,
    .bound = fx__rms_norm_bound,
    .lower = lower_rms_norm,
    .cases = (const fx_case[]){{"(f32[4, 10], [10], f32[10])", "rows, eps by the dtype"},
                               {"(f32[2, 3, 33], [33], f32[33], 0.001)", "tails"},
                               {"(f32[2, 3, 4, 5], [4, 5], f32[4, 5], 0.1)", "two dims"},
                               {"(f32[3, 7], [7])", "no weight"},
                               {"(f32[3, 4], [3, 4])", "everything"},
                               {"(f32[5, 1], [1], f32[1], 0.5)", "size 1"},
                               {"(f32[0, 4], [4], f32[4])", "empty"},
                               {"(f32[2, s0, 16], [16], f32[16], 0.00001)", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_group_norm = {
    .name = "group_norm",
    .target = "torch.ops.aten.group_norm.default",
    .schema = "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
              "bool cudnn_enabled=True) -> Tensor",
    .names = "torch.nn.functional.group_norm torch.group_norm",
    .onnx = "GroupNormalization",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_group_norm,
    .reference = fx__group_norm_ref,
    .bound = fx__group_norm_bound,
    .lower = lower_group_norm,
    .cases = (const fx_case[]){{"(f32[2, 6, 3, 5], 3, f32[6], f32[6])", "groups"},
                               {"(f32[2, 4, 17], 1, f32[4], None, 0.001)", "one group"},
                               {"(f32[1, 5, 4, 4], 5)", "instances"},
                               {"(f32[3, 8], 2, f32[8], f32[8])", "no positions"},
                               {"(f32[s0, 4, 3, 3], 2, f32[4], f32[4])", "symbolic batch"},
                               {"(f32[1, 4, s0, s1], 2, f32[4], f32[4])", "symbolic image"},
                               {NULL, NULL}},
};

const fx_op fx_op_native_layer_norm = {
    .name = "native_layer_norm",
    .target = "torch.ops.aten.native_layer_norm.default",
    .schema = "native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> "
              "(Tensor, Tensor, Tensor)",
    .names = "torch.native_layer_norm",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_native_layer_norm,
    .reference = fx__native_layer_norm_ref,
    .bound = fx__native_layer_norm_bound,
    .lower = lower_layer_norm,
    .cases = (const fx_case[]){{"(f32[4, 10], [10], f32[10], f32[10], 0.001)", "rows"},
                               {"(f32[2, 3, 33], [33], None, None, 0.001)", "tails"},
                               {"(f32[2, 3, 4, 5], [4, 5], f32[4, 5], None, 0.001)", "two dims"},
                               {"(f32[s0, 16], [16], f32[16], f32[16], 0.001)", "symbolic"},
                               {"(f32[2, 0], [0], None, None, 0.001)", "rows of nothing"},
                               {NULL, NULL}},
};

const fx_op fx_op_native_group_norm = {
    .name = "native_group_norm",
    .target = "torch.ops.aten.native_group_norm.default",
    .schema = "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps) "
              "-> (Tensor, Tensor, Tensor)",
    .names = "torch.native_group_norm",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_native_group_norm,
    .reference = fx__native_group_norm_ref,
    .bound = fx__native_group_norm_bound,
    .lower = lower_native_group_norm,
    .cases = (const fx_case[]){{"(f32[2, 6, 3, 5], f32[6], f32[6], 2, 6, 15, 3, 0.001)", "groups"},
                               {"(f32[1, 5, 4, 4], None, None, 1, 5, 16, 5, 0.001)", "instances"},
                               {"(f32[2, 4, 0], None, None, 2, 4, 0, 2, 0.001)", "groups of nothing"},
                               {NULL, NULL}},
};
