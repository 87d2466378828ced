/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/softmax.c: softmax and log_softmax over one axis as stages of one kernel: the row's maximum, exponentials into a local,
 * their sum, their products with its inverse: one division for a row, as one for each element takes longer than the exponentials.
 * ATen has each under two names: softmax.int with a dtype, and _softmax as tracers write it. */
#include "ir/lower.h"
#include "ir/ops/softmax_ref.h"
#include <stdio.h>

static fx_status check_axis(const fx_call *call)
{
    return fx__call_axis(call, fx__call_int(call, 1), fx__call_type(call, 0)->rank) < 0 ? FX_E_ARG : FX_OK;
}

static fx_status shape_softmax(fx_call *call)
{
    FX_TRY(check_axis(call));
    return fx__rule_shape_same(call);
}

/* The dtype asked for, or self's. */
static fx_status dtype_softmax(fx_call *call)
{
    fx_dtype dtype = fx__call_type(call, 0)->dtype;
    fx__call_dtype(call, 2, &dtype);
    if (!fx_dtype_is_float(dtype))
        return fx__call_error(call, FX_E_TYPE, "%s is not defined on %s", call->op->name, fx_dtype_name(dtype));
    call->result[0].dtype = dtype;
    return FX_OK;
}

/* _softmax(..., half_to_float=True) gives f32. */
static fx_status dtype_half(fx_call *call)
{
    call->result[0].dtype = fx__call_int(call, 2) ? FX_F32 : fx__call_type(call, 0)->dtype;
    return FX_OK;
}

/* ---- Lowering -------------------------------------------------------------------------------------------------------------- */

typedef struct rows {
    fx_lower *lower;
    const fx_call *call;
    fx_kb *k;
    fx_dtype dtype; /* computed in */
    fx_index at[FX_RANK];
    uint8_t axis; /* along the row */
} rows;

static rows begin(fx_lower *lower, const fx_call *call)
{
    const fx_type *x = fx__call_type(call, 0);
    int32_t along = fx__call_axis(call, fx__call_int(call, 1), x->rank);
    rows r = {lower, call, fx__lower_kernel(lower, call), fx__scalar_compute(call->result[0].dtype), {{0}}, 0};
    for (int32_t d = 0; d < x->rank; d++) {
        char name[8];
        snprintf(name, sizeof name, "i%d", (int)(d & 15));
        if (d != along) r.at[d] = fx__index_axis(fx__kb_axis(r.k, name, x->dim[d], true));
    }
    r.axis = fx__kb_axis(r.k, "j", x->rank ? x->dim[along] : 1, false);
    if (x->rank) r.at[along] = fx__index_axis(r.axis);
    return r;
}

static uint16_t load(const rows *r)
{
    return fx__kb_cast(r->k, r->dtype, fx__kb_load(r->k, fx__lower_arg(r->lower, r->call, 0), r->at));
}

static uint16_t scalar2(const rows *r, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(r->k, op, a, b);
}

static uint16_t scalar1(const rows *r, fx_scalar_op op, uint16_t a)
{
    return fx__kb_scalar(r->k, op, a, FX_NO_EXPR);
}

static fx_status finish(const rows *r, uint16_t e)
{
    fx__kb_store(r->k, fx__lower_result(r->lower, r->call, 0), r->at, e);
    return fx__kb_finish(r->k);
}

static fx_status lower_softmax(fx_lower *lower, const fx_call *call)
{
    rows r = begin(lower, call);
    fx_index j = fx__index_axis(r.axis);
    fx_kresult largest = fx__kb_reduce(r.k, "m", FX_COMBINE_MAX, &r.axis, 1, load(&r));
    int local = fx__kb_local(r.k, "e", r.dtype, &r.axis, 1);
    fx__kb_map(r.k, &r.axis, 1);
    fx__kb_store_local(r.k, local, &j,
                       scalar1(&r, FX_SCALAR_EXP, scalar2(&r, FX_SCALAR_SUB, load(&r), fx__kb_result(r.k, largest))));
    fx__kb_map(r.k, NULL, 0);
    fx_kresult sum = fx__kb_reduce(r.k, "s", FX_COMBINE_SUM, &r.axis, 1, fx__kb_load_local(r.k, local, &j));
    fx__kb_map(r.k, &r.axis, 1);
    uint16_t inverse = scalar2(&r, FX_SCALAR_DIV, fx__kb_imm(r.k, r.dtype, 1), fx__kb_result(r.k, sum));
    return finish(&r, scalar2(&r, FX_SCALAR_MUL, fx__kb_load_local(r.k, local, &j), inverse));
}

/* x - max - log(sum): no local, the exponentials are not needed again. */
static fx_status lower_log_softmax(fx_lower *lower, const fx_call *call)
{
    rows r = begin(lower, call);
    fx_kresult largest = fx__kb_reduce(r.k, "m", FX_COMBINE_MAX, &r.axis, 1, load(&r));
    uint16_t e = scalar1(&r, FX_SCALAR_EXP, scalar2(&r, FX_SCALAR_SUB, load(&r), fx__kb_result(r.k, largest)));
    fx_kresult sum = fx__kb_reduce(r.k, "s", FX_COMBINE_SUM, &r.axis, 1, e);
    fx__kb_map(r.k, &r.axis, 1);
    uint16_t distance = scalar2(&r, FX_SCALAR_SUB, load(&r), fx__kb_result(r.k, largest));
    return finish(&r, scalar2(&r, FX_SCALAR_SUB, distance, scalar1(&r, FX_SCALAR_LOG, fx__kb_result(r.k, sum))));
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static const fx_case cases_dtype[] = {
    {"(f32[4, 10], -1)", "rows"},
    {"(f32[3, 65], 1)", "tails"},
    {"(f32[2, 5, 3], 1)", "middle"},
    {"(f32[7, 3], 0)", "columns"},
    {"(f32[3, 1], 1)", "size 1"},
    {"(f32[0, 4], 1)", "empty"},
    {"(f32[3, 0], 1)", "empty rows"},
    {"(f32[6], 0)", "vector"},
    {"(f16[3, 5], 1, f32)", "wider"},
    {"(f32[], 0)", "scalar"},
    {NULL, NULL},
};
static const fx_case cases_half[] = {
    {"(f32[4, 10], -1, False)", "rows"},
    {"(f16[3, 65], 1, False)", "half"},
    {"(f32[2, 5, 3], 1, False)", "middle"},
    {NULL, NULL},
};

#define SOFTMAX(name_, function_, overload_, schema_, dtype_, cases_, names_, onnx_)                                               \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ overload_,                                                     \
                                 .schema = #name_ schema_ " -> Tensor",                                                            \
                                 .names = names_,                                                                                  \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "softmax",                                                                              \
                                 .dtypes = FX_FLOATS,                                                                              \
                                 .dtype = dtype_,                                                                                  \
                                 .shape = shape_softmax,                                                                           \
                                 .reference = fx__ref_##function_,                                                                 \
                                 .bound = fx__bound_##function_,                                                                   \
                                 .lower = lower_##function_,                                                                       \
                                 .cases = cases_}
#define WITH_DTYPE "(Tensor self, int dim, ScalarType? dtype=None)"
#define WITH_HALF "(Tensor self, int dim, bool half_to_float)"

SOFTMAX(softmax, softmax, ".int", WITH_DTYPE, dtype_softmax, cases_dtype,
        "torch.softmax torch.nn.functional.softmax method:softmax", "Softmax");
SOFTMAX(log_softmax, log_softmax, ".int", WITH_DTYPE, dtype_softmax, cases_dtype,
        "torch.log_softmax torch.nn.functional.log_softmax method:log_softmax", "LogSoftmax");
SOFTMAX(_softmax, softmax, ".default", WITH_HALF, dtype_half, cases_half, "", "");
SOFTMAX(_log_softmax, log_softmax, ".default", WITH_HALF, dtype_half, cases_half, "", "");
