/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of wide numbers and the reference matrix product; see contract_ref.h. Everything is a loop over rows, so that compilers
 * turn it into vectors and the oracle stays fast enough for whole models. */
#include "ir/ops/contract_ref.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 256, /* columns that are summed side by side ... */
    NARROW = 16, /* ... and where few rows use a panel, so that it is filled in cache */
    FEW_ROWS = 8,
    DOT_LANES = 8, /* partial sums of a dot product */
    PITCH_PAD = 8, /* numbers between rows of a panel: no power of two, so that a column does not fall into one cache set */
    MAX_ARGS = 16, /* parameters of an operator */
};

fx_wide fx__contract_wide(fx_dtype dtype)
{
    if (dtype == FX_F64) return FX_WIDE_LONG;
    return fx_dtype_is_float(dtype) ? FX_WIDE_DOUBLE : FX_WIDE_INT;
}

static size_t wide_bytes(fx_wide wide)
{
    return wide == FX_WIDE_LONG ? sizeof(long double) : sizeof(double);
}

void *fx__contract_rows(fx_wide wide, int64_t n)
{
    return calloc(n > 0 ? (size_t)n : 1, wide_bytes(wide));
}

static void load_f32(double *restrict rows, int64_t step, double factor, const float *restrict from, int64_t stride, int64_t n)
{
    if (step == 1 && stride == 1)
        for (int64_t i = 0; i < n; i++) rows[i] = factor * (double)from[i];
    else
        for (int64_t i = 0; i < n; i++) rows[i * step] = factor * (double)from[i * stride];
}

void fx__contract_load(fx_wide wide, void *rows, int64_t at, int64_t step, double factor, fx_dtype dtype, const void *from,
                       int64_t stride, int64_t n)
{
    if (dtype == FX_F32 && wide == FX_WIDE_DOUBLE) {
        load_f32((double *)rows + at, step, factor, from, stride, n);
        return;
    }
    int64_t bytes = stride * (int64_t)fx_dtype_bytes(dtype);
    for (int64_t i = 0; i < n; i++) {
        fx_imm value = fx__scalar_load(dtype, (const char *)from + i * bytes);
        if (wide == FX_WIDE_DOUBLE)
            ((double *)rows)[at + i * step] = factor * value.f;
        else if (wide == FX_WIDE_LONG)
            ((long double *)rows)[at + i * step] = (long double)factor * (long double)value.f;
        else
            ((uint64_t *)rows)[at + i * step] = (uint64_t)(int64_t)factor * value.u;
    }
}

static void axpy_double(double *restrict sum, double scale, const double *restrict x, int64_t step, int64_t n)
{
    if (step == 1)
        for (int64_t i = 0; i < n; i++) sum[i] += scale * x[i];
    else
        for (int64_t i = 0; i < n; i++) sum[i] += scale * x[i * step];
}

void fx__contract_axpy(fx_wide wide, void *sum, int64_t at, const void *scale, int64_t scale_at, const void *x, int64_t x_at,
                       int64_t x_step, int64_t n)
{
    if (wide == FX_WIDE_DOUBLE) {
        axpy_double((double *)sum + at, ((const double *)scale)[scale_at], (const double *)x + x_at, x_step, n);
    } else if (wide == FX_WIDE_LONG) {
        long double *to = (long double *)sum + at, a = ((const long double *)scale)[scale_at];
        for (int64_t i = 0; i < n; i++) to[i] += a * ((const long double *)x)[x_at + i * x_step];
    } else {
        uint64_t *to = (uint64_t *)sum + at, a = ((const uint64_t *)scale)[scale_at];
        for (int64_t i = 0; i < n; i++) to[i] += a * ((const uint64_t *)x)[x_at + i * x_step];
    }
}

static void dot_double(double *restrict sum, const double *restrict a, const double *restrict b, int64_t n)
{
    double lane[DOT_LANES] = {0};
    int64_t whole = n / DOT_LANES * DOT_LANES;
    for (int64_t i = 0; i < whole; i += DOT_LANES)
        for (int64_t l = 0; l < DOT_LANES; l++) lane[l] += a[i + l] * b[i + l];
    for (int64_t i = whole; i < n; i++) *sum += a[i] * b[i];
    for (int64_t l = 0; l < DOT_LANES; l++) *sum += lane[l];
}

void fx__contract_dot(fx_wide wide, void *sum, const void *a, const void *b, int64_t n)
{
    if (wide == FX_WIDE_DOUBLE)
        dot_double(sum, a, b, n);
    else
        for (int64_t i = 0; i < n; i++) fx__contract_axpy(wide, sum, 0, a, i, b, i, 1, 1);
}

void fx__contract_fill(fx_wide wide, void *rows, int64_t n, const void *value, int64_t value_at)
{
    size_t bytes = wide_bytes(wide);
    for (int64_t i = 0; i < n; i++) memcpy((char *)rows + (size_t)i * bytes, (const char *)value + (size_t)value_at * bytes, bytes);
}

void fx__contract_copy(fx_wide wide, void *rows, const void *from, int64_t n)
{
    memcpy(rows, from, (size_t)n * wide_bytes(wide));
}

void fx__contract_store(fx_wide wide, const void *rows, int64_t n, fx_dtype dtype, void *to, int64_t stride)
{
    int64_t bytes = stride * (int64_t)fx_dtype_bytes(dtype);
    for (int64_t i = 0; i < n; i++) {
        char *at = (char *)to + i * bytes;
        if (wide == FX_WIDE_DOUBLE)
            fx__scalar_store(dtype, at, (fx_imm){.f = ((const double *)rows)[i]});
        else if (wide == FX_WIDE_LONG)
            fx__scalar_store(dtype, at, (fx_imm){.f = (double)((const long double *)rows)[i]});
        else
            fx__scalar_store(dtype, at, (fx_imm){.u = ((const uint64_t *)rows)[i]});
    }
}

static void *matrix_at(const fx_matrix *m, int64_t i, int64_t j)
{
    return (char *)m->data + (i * m->row + j * m->col) * (int64_t)fx_dtype_bytes(m->dtype);
}

/* Columns [j0, j0 + n) of the product. panel: k * pitch, row: k, sum: n numbers. */
static void matmul_columns(const fx_matmul *mm, int64_t j0, int64_t n, void *panel, int64_t pitch, void *row, void *sum)
{
    for (int64_t j = 0; j < n; j++)
        fx__contract_load(mm->wide, panel, j, pitch, 1, mm->b.dtype, matrix_at(&mm->b, 0, j0 + j), mm->b.row, mm->k);
    for (int64_t i = 0; i < mm->m; i++) {
        fx__contract_load(mm->wide, row, 0, 1, mm->alpha, mm->a.dtype, matrix_at(&mm->a, i, 0), mm->a.col, mm->k);
        memset(sum, 0, (size_t)n * wide_bytes(mm->wide));
        if (mm->c && mm->beta != 0)
            fx__contract_load(mm->wide, sum, 0, 1, mm->beta, mm->c->dtype, matrix_at(mm->c, i, j0), mm->c->col, n);
        for (int64_t k = 0; k < mm->k; k++) fx__contract_axpy(mm->wide, sum, 0, row, k, panel, k * pitch, 1, n);
        fx__contract_store(mm->wide, sum, n, mm->out.dtype, matrix_at(&mm->out, i, j0), mm->out.col);
    }
}

static fx_matrix transposed(const fx_matrix *m)
{
    return (fx_matrix){m->data, m->dtype, m->col, m->row};
}

fx_status fx__contract_matmul(const fx_matmul *mm)
{
    if (mm->n < mm->m) { /* rows of the longer side: the product of the transposes, transposed */
        fx_matrix c = mm->c ? transposed(mm->c) : (fx_matrix){0};
        fx_matmul other = {.wide = mm->wide,
                           .m = mm->n,
                           .n = mm->m,
                           .k = mm->k,
                           .alpha = mm->alpha,
                           .beta = mm->beta,
                           .a = transposed(&mm->b),
                           .b = transposed(&mm->a),
                           .out = transposed(&mm->out),
                           .c = mm->c ? &c : NULL};
        return fx__contract_matmul(&other);
    }
    int64_t block = mm->m < FEW_ROWS ? NARROW : BLOCK, pitch = block + PITCH_PAD;
    void *panel = fx__contract_rows(mm->wide, mm->k * pitch), *row = fx__contract_rows(mm->wide, mm->k);
    void *sum = fx__contract_rows(mm->wide, block);
    bool ok = panel && row && sum;
    for (int64_t j = 0; ok && j < mm->n; j += block)
        matmul_columns(mm, j, mm->n - j < block ? mm->n - j : block, panel, pitch, row, sum);
    free(panel);
    free(row);
    free(sum);
    return ok ? FX_OK : FX_E_OOM;
}

/* ---- Bounds -------------------------------------------------------------------------------------------------------------- */

/* New dense f64 tensor of factor * |values| + errors (each left out when its part is 0 or absent). */
static fx_status magnitude(const fx_rt_arg *values, const fx_rt_arg *errors, double factor, fx_tensor *out)
{
    const fx_tensor *v = values->u.tensor;
    const fx_tensor *e = errors && errors->kind == FX_RT_TENSOR && errors->u.tensor->data ? errors->u.tensor : NULL;
    fx_status status = fx_tensor_alloc(FX_F64, v->rank, v->dim, out);
    if (status != FX_OK || fx__ref_empty(v->rank, v->dim)) return status;
    int64_t at[FX_RANK] = {0};
    do {
        double sum = factor == 0 ? 0 : factor * fabs(fx__ref_get(v, at));
        if (e) sum += fx__ref_get(e, at);
        fx__ref_set(out, at, sum);
    } while (fx__ref_next(v->rank, v->dim, at));
    return FX_OK;
}

/* run on fa|a| + error(a) if ea, fb|b| + error(b), fbias|bias| + error(bias) if fbias. */
static fx_status run_magnitudes(const fx_rt_bound *call, const fx_rt_arg *args, const int32_t index[3], const double factor[3],
                                const bool with_error[3], fx_contract_fn run, fx_tensor *result)
{
    fx_rt_arg copy[MAX_ARGS];
    fx_tensor tensor[3] = {{0}};
    memcpy(copy, args, sizeof copy);
    fx_status status = FX_OK;
    for (int32_t i = 0; i < 3 && status == FX_OK; i++) {
        if (index[i] < 0 || copy[index[i]].kind != FX_RT_TENSOR) continue;
        status = magnitude(&call->args[index[i]], with_error[i] ? &call->arg_errors[index[i]] : NULL, factor[i], &tensor[i]);
        copy[index[i]].u.tensor = &tensor[i];
    }
    if (status == FX_OK) status = run(FX_WIDE_DOUBLE, copy, result);
    for (int32_t i = 0; i < 3; i++)
        if (tensor[i].data) fx_tensor_release(&tensor[i]);
    return status;
}

static void add_into(fx_tensor *sum, const fx_tensor *more)
{
    if (fx__ref_empty(sum->rank, sum->dim)) return;
    int64_t at[FX_RANK] = {0};
    do fx__ref_set(sum, at, fx__ref_get(sum, at) + fx__ref_get(more, at));
    while (fx__ref_next(sum->rank, sum->dim, at));
}

fx_status fx__contract_bound(const fx_rt_bound *call, int32_t n_args, int32_t a, int32_t b, int32_t bias, int64_t terms,
                             fx_contract_fn run)
{
    const int32_t index[3] = {a, b, bias};
    double c = (double)(terms + 2) * call->eps;
    fx_rt_arg args[MAX_ARGS] = {{0}};
    memcpy(args, call->args, (size_t)n_args * sizeof *args);
    fx_status status = run_magnitudes(call, args, index, (double[]){1, c, c}, (bool[]){false, true, true}, run, call->errors);
    const fx_rt_arg *error = &call->arg_errors[a];
    if (status != FX_OK || error->kind != FX_RT_TENSOR || error->u.tensor->data == NULL) return status;
    fx_tensor more;
    status = fx_tensor_alloc(FX_F64, call->errors->rank, call->errors->dim, &more);
    if (status != FX_OK) return status;
    status = run_magnitudes(call, args, index, (double[]){0, 1, 0}, (bool[]){true, true, false}, run, &more);
    if (status == FX_OK) add_into(call->errors, &more);
    fx_tensor_release(&more);
    return status;
}
