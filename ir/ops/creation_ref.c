/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of tensors made from numbers: full and its kin, arange, eye; and of triangles of matrices. */
#include "runtime/ref.h"

static fx_imm number(const fx_rt_arg *value, fx_dtype dtype)
{
    if (value->kind == FX_RT_FLOAT) return fx__scalar_cast(FX_F64, dtype, (fx_imm){.f = value->u.f});
    return fx__scalar_cast(FX_I64, dtype, (fx_imm){.i = value->u.i});
}

static fx_status fill(fx_tensor *result, fx_imm value)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do fx__ref_store(result, at, value);
    while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

/* full(size, fill_value, ...), full_like(self, fill_value, ...) */
fx_status fx__full_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return fill(results, number(&args[1], results->dtype));
}
/* new_full(self, size, fill_value, ...) */
fx_status fx__new_full_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return fill(results, number(&args[2], results->dtype));
}
fx_status fx__zeros_ref(const fx_rt_arg *args, fx_tensor *results)
{
    (void)args;
    return fill(results, fx__scalar_from_double(results->dtype, 0));
}
fx_status fx__ones_ref(const fx_rt_arg *args, fx_tensor *results)
{
    (void)args;
    return fill(results, fx__scalar_from_double(results->dtype, 1));
}

static double as_double(const fx_rt_arg *value)
{
    return value->kind == FX_RT_FLOAT ? value->u.f : (double)value->u.i;
}

/* arange(start, end, step, ...): without end, start is the end and numbers begin at 0. */
fx_status fx__arange_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_rt_arg zero = {.kind = FX_RT_INT}, *start = args[1].kind == FX_RT_NONE ? &zero : &args[0];
    for (int64_t i = 0; i < results->dim[0]; i++) {
        if (fx_dtype_is_float(results->dtype)) {
            fx__ref_set(results, &i, as_double(start) + (double)i * as_double(&args[2]));
        } else {
            int64_t value = number(start, FX_I64).i + i * number(&args[2], FX_I64).i;
            fx__ref_store(results, &i, fx__scalar_cast(FX_I64, results->dtype, (fx_imm){.i = value}));
        }
    }
    return FX_OK;
}

/* eye(n, m, ...) */
fx_status fx__eye_ref(const fx_rt_arg *args, fx_tensor *results)
{
    (void)args;
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do fx__ref_set(results, at, at[0] == at[1]);
    while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* Keeps column - row <= diagonal, or >= diagonal. */
static fx_status triangle(const fx_rt_arg *args, bool upper, fx_tensor *result)
{
    int64_t at[FX_RANK] = {0}, diagonal = args[1].u.i;
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        int64_t place = at[result->rank - 1] - at[result->rank - 2];
        bool kept = upper ? place >= diagonal : place <= diagonal;
        fx__ref_store(result, at, kept ? fx__ref_load(args[0].u.tensor, at) : fx__scalar_from_double(result->dtype, 0));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

fx_status fx__tril_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return triangle(args, false, results);
}
fx_status fx__triu_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return triangle(args, true, results);
}
