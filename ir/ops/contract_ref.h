/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/contract_ref.h: rows of wide numbers, shared by the reference kernels of contractions. Elements are widened once
 * (double; long double for f64; 64-bit wrapping integers), summed as rows, and rounded once when stored. */
#ifndef FX_IR_OPS_CONTRACT_REF_H
#define FX_IR_OPS_CONTRACT_REF_H

#include "runtime/ref.h"

typedef enum fx_wide { FX_WIDE_DOUBLE, FX_WIDE_LONG, FX_WIDE_INT } fx_wide;

fx_wide fx__contract_wide(fx_dtype dtype);
/* n zeros, freed with free(); NULL when out of memory. */
void *fx__contract_rows(fx_wide wide, int64_t n);
/* rows[at + i * step] = factor * from[i * stride], i < n. `from` points into memory of dtype. */
void fx__contract_load(fx_wide wide, void *rows, int64_t at, int64_t step, double factor, fx_dtype dtype, const void *from,
                       int64_t stride, int64_t n);
/* sum[at + i] += scale[scale_at] * x[x_at + i * x_step], i < n. */
void fx__contract_axpy(fx_wide wide, void *sum, int64_t at, const void *scale, int64_t scale_at, const void *x, int64_t x_at,
                       int64_t x_step, int64_t n);
void fx__contract_fill(fx_wide wide, void *rows, int64_t n, const void *value, int64_t value_at); /* rows[0..n) = value[value_at] */
/* sum[0] += sum of a[i] * b[i], i < n. */
void fx__contract_dot(fx_wide wide, void *sum, const void *a, const void *b, int64_t n);
void fx__contract_copy(fx_wide wide, void *rows, const void *from, int64_t n);
void fx__contract_store(fx_wide wide, const void *rows, int64_t n, fx_dtype dtype, void *to, int64_t stride);

/* A matrix inside a tensor: element (i, j) at data + (i * row + j * col) elements. */
typedef struct fx_matrix {
    void *data;
    fx_dtype dtype;
    int64_t row, col;
} fx_matrix;
/* out[m, n] = beta * c[m, n] + alpha * sum over k of a[m, k] * b[k, n]; c NULL or beta 0: nothing is added. */
typedef struct fx_matmul {
    fx_wide wide;
    int64_t m, n, k;
    fx_matrix a, b, out;
    const fx_matrix *c;
    double alpha, beta;
} fx_matmul;
fx_status fx__contract_matmul(const fx_matmul *mm);

/* Error bound of a sum of products a * b (+ bias) with `terms` terms: the operator itself, run in double on
 * |a|, c|b| + error(b), c|bias| + error(bias) with c = (terms + 2) eps, plus run on error(a), |b| + error(b).
 * a, b, bias are argument indices; bias -1 or absent: none. */
typedef fx_status (*fx_contract_fn)(fx_wide wide, const fx_rt_arg *args, fx_tensor *result);
fx_status fx__contract_bound(const fx_rt_bound *call, int32_t n_args, int32_t a, int32_t b, int32_t bias, int64_t terms,
                             fx_contract_fn run);

#endif
