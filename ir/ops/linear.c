/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: linear, matmul, mm, bmm, addmm, baddbmm. Every one lowers to a single kernel: rows, columns and batch outside,
 * a CONTRACT over k, and a MAP that scales, adds and stores. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__matmul_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__matmul_bound(const fx_rt_bound *call);
fx_status fx__linear_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__linear_bound(const fx_rt_bound *call);
fx_status fx__addmm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__addmm_bound(const fx_rt_bound *call);

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

static fx_status no_match(const fx_call *call, const char *what, int32_t a, int32_t b)
{
    const fx_param *params = fx__op_params(call->op, &(int32_t){0});
    return fx__call_error(call, FX_E_SHAPE, "%s %s and %s %s differ in %s", params[a].name,
                          fx__check_type(call, fx__call_type(call, a)).s, params[b].name,
                          fx__check_type(call, fx__call_type(call, b)).s, what);
}

static fx_status shape_linear(fx_call *call)
{
    FX_TRY(fx__check_rank(call, 0, 1, FX_RANK));
    FX_TRY(fx__check_rank(call, 1, 2, 2));
    const fx_type *x = fx__call_type(call, 0), *w = fx__call_type(call, 1);
    if (!fx__check_equal(call, x->dim[x->rank - 1], w->dim[1], "linear: input features")) return no_match(call, "features", 0, 1);
    FX_TRY(fx__check_vector(call, 2, w->dim[0]));
    fx_type *out = &call->result[0];
    out->rank = x->rank;
    for (int32_t d = 0; d < x->rank; d++) out->dim[d] = x->dim[d];
    out->dim[x->rank - 1] = w->dim[0];
    return FX_OK;
}

/* Batch dims of a type without its last `tail` dims. */
static fx_type batch_of(const fx_type *type, int32_t tail)
{
    fx_type batch = *type;
    batch.rank = type->rank > tail ? type->rank - tail : 0;
    return batch;
}

static fx_status shape_matmul(fx_call *call)
{
    FX_TRY(fx__check_rank(call, 0, 1, FX_RANK));
    FX_TRY(fx__check_rank(call, 1, 1, FX_RANK));
    const fx_type *a = fx__call_type(call, 0), *b = fx__call_type(call, 1);
    fx_dim k = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (!fx__check_equal(call, a->dim[a->rank - 1], k, "matmul: summed sizes")) return no_match(call, "the summed size", 0, 1);
    fx_type batch_a = batch_of(a, 2), batch_b = batch_of(b, 2), *out = &call->result[0];
    fx_dtype dtype = out->dtype;
    if (!fx__broadcast(call->dims, &batch_a, &batch_b, out)) return no_match(call, "batch sizes", 0, 1);
    out->dtype = dtype;
    if (a->rank > 1) out->dim[out->rank++] = a->dim[a->rank - 2];
    if (b->rank > 1) out->dim[out->rank++] = b->dim[b->rank - 1];
    return FX_OK;
}

/* a and b are arguments `at` and `at + 1`, both of `rank` dims. */
static fx_status shape_product(fx_call *call, int32_t at, int32_t rank)
{
    FX_TRY(fx__check_rank(call, at, rank, rank));
    FX_TRY(fx__check_rank(call, at + 1, rank, rank));
    const fx_type *a = fx__call_type(call, at), *b = fx__call_type(call, at + 1);
    if (!fx__check_equal(call, a->dim[rank - 1], b->dim[rank - 2], "matrix product: summed sizes"))
        return no_match(call, "the summed size", at, at + 1);
    if (rank == 3 && !fx__check_equal(call, a->dim[0], b->dim[0], "matrix product: batch sizes"))
        return no_match(call, "batch size", at, at + 1);
    fx_type *out = &call->result[0];
    out->rank = rank;
    for (int32_t d = 0; d < rank; d++) out->dim[d] = a->dim[d];
    out->dim[rank - 1] = b->dim[rank - 1];
    return FX_OK;
}

static fx_status shape_mm(fx_call *call)
{
    return shape_product(call, 0, 2);
}
static fx_status shape_bmm(fx_call *call)
{
    return shape_product(call, 0, 3);
}

static fx_status shape_added(fx_call *call, int32_t rank)
{
    FX_TRY(shape_product(call, 1, rank));
    fx_type product = call->result[0], sum;
    bool ok = fx__broadcast(call->dims, fx__call_type(call, 0), &product, &sum) && sum.rank == rank;
    for (int32_t d = 0; ok && d < rank; d++) ok = fx__check_equal(call, sum.dim[d], product.dim[d], "added to a matrix product");
    if (ok) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "self is %s, which does not expand to the product %s",
                          fx__check_type(call, fx__call_type(call, 0)).s, fx__check_type(call, &product).s);
}

static fx_status shape_addmm(fx_call *call)
{
    return shape_added(call, 2);
}
static fx_status shape_baddbmm(fx_call *call)
{
    return shape_added(call, 3);
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

/* The type in which sums are kept; loads are cast to it. */
static fx_dtype sum_dtype(fx_dtype dtype)
{
    if (dtype == FX_F16 || dtype == FX_BF16) return FX_F32;
    return dtype == FX_I8 || dtype == FX_U8 ? FX_I32 : dtype;
}

/* An outer axis called "m0", "n1", ...: kind and dim of the result. */
static fx_index outer(fx_kb *k, char kind, int32_t d, fx_dim extent)
{
    char name[8];
    snprintf(name, sizeof name, "%c%d", kind, d % 100);
    return fx__index_axis(fx__kb_axis(k, name, extent, true));
}

static uint16_t load(fx_kb *k, fx_lvalue value, const fx_index *at, fx_dtype dtype)
{
    return fx__kb_cast(k, dtype, fx__kb_load(k, value, at));
}

/* Indices of a broadcast operand: its batch dims are right-aligned with the result's first `batch` axes. */
static void batch_index(const fx_type *type, int32_t own, int32_t batch, const fx_type *out, fx_index *at)
{
    for (int32_t d = 0; d < own; d++) {
        int32_t axis = batch - own + d;
        bool repeated = type->dim[d] == 1 && out->dim[axis] != 1;
        at[d] = repeated ? fx__index_const(0) : fx__index_axis((uint8_t)axis);
    }
}

static fx_status lower_matmul(fx_lower *lw, const fx_call *call)
{
    const fx_type *a = fx__call_type(call, 0), *b = fx__call_type(call, 1), *out = &call->result[0];
    int32_t batch = out->rank - (a->rank > 1) - (b->rank > 1);
    fx_dtype sum = sum_dtype(out->dtype);
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index at_out[FX_RANK], at_a[FX_RANK], at_b[FX_RANK];
    for (int32_t d = 0; d < out->rank; d++) {
        char kind = d < batch ? 'b' : d == batch && a->rank > 1 ? 'm' : 'n';
        at_out[d] = outer(k, kind, d, out->dim[d]);
    }
    uint8_t red = fx__kb_axis(k, "k", a->dim[a->rank - 1], false);
    batch_index(a, a->rank > 2 ? a->rank - 2 : 0, batch, out, at_a);
    batch_index(b, b->rank > 2 ? b->rank - 2 : 0, batch, out, at_b);
    if (a->rank > 1) at_a[a->rank - 2] = at_out[batch];
    at_a[a->rank - 1] = fx__index_axis(red);
    at_b[b->rank > 1 ? b->rank - 2 : 0] = fx__index_axis(red);
    if (b->rank > 1) at_b[b->rank - 1] = at_out[out->rank - 1];
    uint16_t va = load(k, fx__lower_arg(lw, call, 0), at_a, sum), vb = load(k, fx__lower_arg(lw, call, 1), at_b, sum);
    fx_kresult c = fx__kb_contract(k, "c", &red, 1, va, vb);
    fx__kb_store(k, fx__lower_result(lw, call, 0), at_out, fx__kb_result(k, c));
    return fx__kb_finish(k);
}

static fx_status lower_linear(fx_lower *lw, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0), *out = &call->result[0];
    fx_dtype sum = sum_dtype(out->dtype);
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index at_out[FX_RANK], at_x[FX_RANK];
    int32_t last = out->rank - 1;
    for (int32_t d = 0; d <= last; d++) at_x[d] = at_out[d] = outer(k, d < last ? 'm' : 'n', d, out->dim[d]);
    uint8_t red = fx__kb_axis(k, "k", x->dim[last], false);
    at_x[last] = fx__index_axis(red);
    fx_index at_w[2] = {at_out[last], fx__index_axis(red)};
    uint16_t vx = load(k, fx__lower_arg(lw, call, 0), at_x, sum), vw = load(k, fx__lower_arg(lw, call, 1), at_w, sum);
    uint16_t c = fx__kb_result(k, fx__kb_contract(k, "c", &red, 1, vx, vw));
    if (!fx__call_is_none(call, 2)) c = fx__kb_scalar(k, FX_SCALAR_ADD, c, load(k, fx__lower_arg(lw, call, 2), &at_out[last], sum));
    fx__kb_store(k, fx__lower_result(lw, call, 0), at_out, c);
    return fx__kb_finish(k);
}

/* A negative factor of an unsigned product wraps, as the product does. */
static uint16_t scaled(fx_kb *k, uint16_t value, double factor)
{
    fx_dtype dtype = fx__kb_dtype(k, value);
    if (factor == 1) return value;
    uint16_t f = fx_dtype_is_int(dtype) ? fx__kb_imm_int(k, dtype, (int64_t)factor) : fx__kb_imm(k, dtype, factor);
    return fx__kb_scalar(k, FX_SCALAR_MUL, value, f);
}

static fx_status lower_addmm(fx_lower *lw, const fx_call *call)
{
    const fx_type *c = fx__call_type(call, 0), *a = fx__call_type(call, 1), *out = &call->result[0];
    fx_dtype sum = sum_dtype(out->dtype);
    fx_kb *k = fx__lower_kernel(lw, call);
    int32_t r = out->rank;
    fx_index at[FX_RANK], at_a[FX_RANK], at_b[FX_RANK], at_c[FX_RANK];
    for (int32_t d = 0; d < r; d++) at[d] = outer(k, d == r - 1 ? 'n' : d == r - 2 ? 'm' : 'b', d, out->dim[d]);
    uint8_t red = fx__kb_axis(k, "k", a->dim[r - 1], false);
    at_a[0] = at_b[0] = at[0];
    at_a[r - 2] = at[r - 2], at_a[r - 1] = fx__index_axis(red);
    at_b[r - 2] = fx__index_axis(red), at_b[r - 1] = at[r - 1];
    batch_index(c, c->rank, r, out, at_c);
    uint16_t va = load(k, fx__lower_arg(lw, call, 1), at_a, sum), vb = load(k, fx__lower_arg(lw, call, 2), at_b, sum);
    uint16_t v = scaled(k, fx__kb_result(k, fx__kb_contract(k, "c", &red, 1, va, vb)), fx__call_float(call, 4));
    double beta = fx__call_float(call, 3);
    if (beta != 0) v = fx__kb_scalar(k, FX_SCALAR_ADD, v, scaled(k, load(k, fx__lower_arg(lw, call, 0), at_c, sum), beta));
    fx__kb_store(k, fx__lower_result(lw, call, 0), at, v);
    return fx__kb_finish(k);
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_linear = {
    .name = "linear",
    .target = "torch.ops.aten.linear.default",
    .schema = "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    .names = "torch.nn.functional.linear torch._C._nn.linear",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_linear,
    .reference = fx__linear_ref,
    .bound = fx__linear_bound,
    .lower = lower_linear,
    .cases = (const fx_case[]){{"(f32[2, 3], f32[4, 3], f32[4])", "plain"},
                               {"(f32[2, 3], f32[4, 3])", "no bias"},
                               {"(f32[3], f32[4, 3], f32[4])", "vector input"},
                               {"(f32[2, 5, 3], f32[17, 3], f32[17])", "batch, columns beyond a vector"},
                               {"(f32[2, 1, 2, 19], f32[1, 19], f32[1])", "one output feature"},
                               {"(f32[0, 3], f32[4, 3], f32[4])", "empty batch"},
                               {"(f32[2, 0], f32[4, 0], f32[4])", "empty sum: the bias"},
                               {"(f32[1, 1], f32[1, 1], None)", "size 1"},
                               {"(f32[s0, 16], f32[33, 16], f32[33])", "symbolic batch"},
                               {NULL, NULL}},
};

const fx_op fx_op_matmul = {
    .name = "matmul",
    .target = "torch.ops.aten.matmul.default",
    .schema = "matmul(Tensor self, Tensor other) -> Tensor",
    .names = "torch.matmul operator.matmul method:matmul method:__matmul__",
    .onnx = "MatMul",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_matmul,
    .reference = fx__matmul_ref,
    .bound = fx__matmul_bound,
    .lower = lower_matmul,
    .cases = (const fx_case[]){{"(f32[2, 3], f32[3, 4])", "matrices"},
                               {"(f32[3], f32[3])", "dot"},
                               {"(f32[2, 3], f32[3])", "matrix and vector"},
                               {"(f32[3], f32[3, 4])", "vector and matrix"},
                               {"(f32[2, 3, 4], f32[4])", "batch and vector"},
                               {"(f32[4], f32[2, 4, 3])", "vector and batch"},
                               {"(f32[2, 3, 4], f32[4, 5])", "batch and matrix"},
                               {"(f32[3, 4], f32[2, 4, 5])", "matrix and batch"},
                               {"(f32[2, 1, 3, 4], f32[1, 3, 4, 5])", "both batches broadcast"},
                               {"(f32[3, 2, 4], f32[2, 3, 4, 17])", "batch ranks differ"},
                               {"(f32[2, 0], f32[0, 3])", "empty sum: zeros"},
                               {"(f32[0, 3], f32[3, 2])", "empty result"},
                               {"(f32[1, 1, 1], f32[1, 1])", "size 1"},
                               {"(f32[2, s0, 8], f32[2, 8, s0])", "symbolic scores"},
                               {"(f32[2, 4, s0], f32[s0, 5])", "symbolic sum"},
                               {NULL, NULL}},
};

const fx_op fx_op_mm = {
    .name = "mm",
    .target = "torch.ops.aten.mm.default",
    .schema = "mm(Tensor self, Tensor mat2) -> Tensor",
    .names = "torch.mm method:mm",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_mm,
    .reference = fx__matmul_ref,
    .bound = fx__matmul_bound,
    .lower = lower_matmul,
    .cases = (const fx_case[]){{"(f32[2, 3], f32[3, 4])", "plain"},
                               {"(f32[1, 19], f32[19, 35])", "one row"},
                               {"(f32[35, 19], f32[19, 1])", "one column"},
                               {"(f32[s0, 8], f32[8, 16])", "symbolic rows"},
                               {NULL, NULL}},
};

const fx_op fx_op_bmm = {
    .name = "bmm",
    .target = "torch.ops.aten.bmm.default",
    .schema = "bmm(Tensor self, Tensor mat2) -> Tensor",
    .names = "torch.bmm method:bmm",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_bmm,
    .reference = fx__matmul_ref,
    .bound = fx__matmul_bound,
    .lower = lower_matmul,
    .cases = (const fx_case[]){{"(f32[2, 3, 4], f32[2, 4, 5])", "plain"},
                               {"(f32[0, 3, 4], f32[0, 4, 5])", "empty batch"},
                               {"(f32[s0, 3, 4], f32[s0, 4, 5])", "symbolic batch"},
                               {NULL, NULL}},
};

const fx_op fx_op_addmm = {
    .name = "addmm",
    .target = "torch.ops.aten.addmm.default",
    .schema = "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .names = "torch.addmm method:addmm",
    .onnx = "Gemm",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_addmm,
    .reference = fx__addmm_ref,
    .bound = fx__addmm_bound,
    .lower = lower_addmm,
    .cases = (const fx_case[]){{"(f32[4], f32[2, 3], f32[3, 4])", "bias"},
                               {"(f32[2, 4], f32[2, 3], f32[3, 4])", "full"},
                               {"(f32[2, 1], f32[2, 3], f32[3, 4], 2, 3)", "column, scaled"},
                               {"(f32[], f32[2, 3], f32[3, 4], 0, 1)", "beta 0 ignores self"},
                               {"(f32[1], f32[s0, 3], f32[3, 4])", "symbolic rows"},
                               {NULL, NULL}},
};

const fx_op fx_op_baddbmm = {
    .name = "baddbmm",
    .target = "torch.ops.aten.baddbmm.default",
    .schema = "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .names = "torch.baddbmm method:baddbmm",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = fx__check_dtypes_equal,
    .shape = shape_baddbmm,
    .reference = fx__addmm_ref,
    .bound = fx__addmm_bound,
    .lower = lower_addmm,
    .cases = (const fx_case[]){{"(f32[2, 3, 5], f32[2, 3, 4], f32[2, 4, 5])", "plain"},
                               {"(f32[5], f32[2, 3, 4], f32[2, 4, 5], -1, 2)", "row, scaled"},
                               {NULL, NULL}},
};
