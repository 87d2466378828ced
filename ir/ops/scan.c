/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums and products along one dim: a REDUCE that leaves each of its steps in a local, and a MAP that stores the local. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <stdio.h>

fx_status fx__cumsum_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__cumsum_bound(const fx_rt_bound *call);
fx_status fx__cumprod_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__cumprod_bound(const fx_rt_bound *call);

/* Integers and bool are summed in i64 unless told otherwise. */
static fx_status dtype_scan(fx_call *call)
{
    fx_dtype in = fx__call_type(call, 0)->dtype;
    call->result[0].dtype = fx_dtype_is_float(in) ? in : FX_I64;
    fx__call_dtype(call, 2, &call->result[0].dtype);
    return FX_OK;
}

static fx_status shape_scan(fx_call *call)
{
    fx_dtype dtype = call->result[0].dtype;
    const fx_type *x = fx__call_type(call, 0);
    if (fx__call_axis(call, fx__call_int(call, 1), x->rank) < 0) return FX_E_ARG;
    call->result[0] = *x;
    call->result[0].dtype = dtype;
    return FX_OK;
}

static uint8_t add_axis(fx_kb *k, int32_t d, fx_dim extent, bool outer)
{
    char name[8];
    snprintf(name, sizeof name, "%c%d", outer ? 'i' : 'r', (int)(d & 15));
    return fx__kb_axis(k, name, extent, outer);
}

static fx_status lower_scan(fx_lower *lower, const fx_call *call, fx_combine combine)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t dim = fx__call_axis(call, fx__call_int(call, 1), x->rank);
    if (x->rank == 0) {
        fx_pw pw = fx__pw_begin(lower, call);
        return fx__pw_finish(&pw, fx__pw_operand(&pw, 0, call->result[0].dtype));
    }
    fx_dtype dtype = fx__scalar_compute(call->result[0].dtype);
    if (dtype == FX_BOOL) return fx__lower_decline(lower, "running sums of truth values");
    fx_index at[FX_RANK];
    fx_kb *k = fx__lower_kernel(lower, call);
    for (int32_t d = 0; d < x->rank; d++)
        if (d != dim) at[d] = fx__index_axis(add_axis(k, d, x->dim[d], true));
    uint8_t r = add_axis(k, dim, x->dim[dim], false);
    at[dim] = fx__index_axis(r);
    int running = fx__kb_local(k, "l", dtype, &r, 1);
    fx__kb_scan(k, "c", combine, r, fx__kb_cast(k, dtype, fx__kb_load(k, fx__lower_arg(lower, call, 0), at)), running);
    fx__kb_map(k, &r, 1);
    fx__kb_store(k, fx__lower_result(lower, call, 0), at, fx__kb_load_local(k, running, &at[dim]));
    return fx__kb_finish(k);
}

static fx_status lower_cumsum(fx_lower *lower, const fx_call *call)
{
    return lower_scan(lower, call, FX_COMBINE_SUM);
}
static fx_status lower_cumprod(fx_lower *lower, const fx_call *call)
{
    return lower_scan(lower, call, FX_COMBINE_PROD);
}

static const fx_case cases_scan[] = {
    {"(f32[3, 17], 1)", "rows"},
    {"(f32[5, 4], 0)", "columns"},
    {"(f32[2, 3, 4], -2)", "middle"},
    {"(i32[3, 5], 1)", "integers"},
    {"(bool[7], 0)", "truth values"},
    {"(f32[3, 0], 1)", "nothing"},
    {"(f32[], 0)", "a scalar"},
    {"(f32[3, 5], 1, f64)", "dtype"},
    {"(f32[3, s0], 1)", "symbolic"},
    {"(f32[s0, 5], 1)", "symbolic rows"},
    {NULL, NULL},
};

#define SCAN(name_, onnx_)                                                                                                         \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ ".default",                                                    \
                                 .schema = #name_ "(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",                   \
                                 .names = "torch." #name_ " method:" #name_,                                                       \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "reduction",                                                                            \
                                 .dtypes = FX_ANY,                                                                                 \
                                 .dtype = dtype_scan,                                                                              \
                                 .shape = shape_scan,                                                                              \
                                 .reference = fx__##name_##_ref,                                                                   \
                                 .bound = fx__##name_##_bound,                                                                     \
                                 .lower = lower_##name_,                                                                           \
                                 .cases = cases_scan}

SCAN(cumprod, "CumProd");
SCAN(cumsum, "CumSum");
