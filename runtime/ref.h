/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/ref.h: how a reference kernel is called. Reference kernels define what operators mean: plain loops over strided
 * views, sums in double (long double for f64), no allocation that is not freed, no global state. */
#ifndef FX_RUNTIME_REF_H
#define FX_RUNTIME_REF_H

#include "fxjit/types.h"
#include "runtime/scalar.h"

/* One bound argument, in schema order. */
typedef struct fx_rt_arg {
    enum {
        FX_RT_NONE,
        FX_RT_INT,
        FX_RT_FLOAT,
        FX_RT_INTS,
        FX_RT_FLOATS,
        FX_RT_TENSOR,
        FX_RT_TENSORS,
        FX_RT_STR,
        FX_RT_DTYPE
    } kind;    /* bool: INT */
    int32_t n; /* INTS, FLOATS, TENSORS */
    union {
        int64_t i;
        double f;
        const int64_t *ints;
        const double *floats;
        const fx_tensor *tensor; /* TENSOR: one; TENSORS: n in a row */
        const char *s;
        fx_dtype dtype;
    } u;
} fx_rt_arg;

/* Computes results (allocated, right dtype and shape, any strides) from arguments. Data-dependent sizes: dims of a result are
 * upper bounds and the kernel lowers them. FX_E_INDEX and the like end the run. */
typedef fx_status (*fx_ref_fn)(const fx_rt_arg *args, fx_tensor *results);

/* The error bound that goes with a result: from tensors of absolute input error (same shapes, f64; NULL data: exact) to tensors
 * of absolute result error. eps is the relative rounding step of the result's dtype. */
typedef struct fx_rt_bound {
    const fx_rt_arg *args;       /* values */
    const fx_rt_arg *arg_errors; /* TENSOR and TENSORS entries hold f64 errors; others are NONE */
    const fx_tensor *results;    /* values */
    fx_tensor *errors;           /* f64, to be filled */
    double eps;
} fx_rt_bound;
typedef fx_status (*fx_bound_fn)(const fx_rt_bound *call);

/* ---- Small helpers that keep reference kernels plain -------------------------------------------------------------------- */

/* Odometer over dims: at[] counts through all coordinates in row-major order; false when done. Start with at = {0} after
 * checking that no dim is 0 (fx__ref_empty). */
bool fx__ref_next(int32_t rank, const int64_t *dim, int64_t *at);
bool fx__ref_empty(int32_t rank, const int64_t *dim);
/* Element addresses; fx__ref_bcast reads `tensor` at coordinates of a larger, right-aligned broadcast shape. */
void *fx__ref_at(const fx_tensor *tensor, const int64_t *at);
void *fx__ref_bcast(const fx_tensor *tensor, int32_t rank, const int64_t *at);
double fx__ref_get(const fx_tensor *tensor, const int64_t *at);             /* as double */
void fx__ref_set(const fx_tensor *tensor, const int64_t *at, double value); /* rounds to the dtype */
fx_imm fx__ref_load(const fx_tensor *tensor, const int64_t *at);
void fx__ref_store(const fx_tensor *tensor, const int64_t *at, fx_imm value);

/* Unit roundoff: half the distance from 1 to the next value; 0 for integers and bool. And the smallest positive value. */
double fx__ref_eps(fx_dtype dtype);
double fx__ref_tiny(fx_dtype dtype);

#endif
