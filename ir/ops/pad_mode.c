/* SPDX-License-Identifier: Apache-2.0 */
/* Padding with elements of the tensor itself: mirrored (reflection_pad), the outermost one again (replication_pad), or from the
 * other end (circular). One MAP over the result with gathered loads; pads below 0 crop. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <stdio.h>

fx_status fx__pad_reflect_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pad_replicate_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__pad_circular_ref(const fx_rt_arg *args, fx_tensor *results);

typedef enum mode { REFLECT, REPLICATE, CIRCULAR } mode;

/* ---- Shape ----------------------------------------------------------------------------------------------------------------- */

/* Pads by dim; the list says pairs (before, after) from the last dim on. */
static fx_status read_pads(const fx_call *call, fx_dim *before, fx_dim *after)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim given[FX_RANK] = {0};
    int32_t n = fx__call_dims(call, 1, 0, given);
    if (n < 0) return FX_E_ARG;
    if (n % 2 != 0 || n / 2 > x->rank) return fx__call_error(call, FX_E_ARG, "%d pads for %s", n, fx__check_type(call, x).s);
    for (int32_t d = 0; d < x->rank; d++) before[d] = after[d] = 0;
    for (int32_t i = 0; i < n; i++) *(i % 2 ? &after[x->rank - 1 - i / 2] : &before[x->rank - 1 - i / 2]) = given[i];
    return FX_OK;
}

/* How many elements a mode can put at one end. */
static bool has_enough(const fx_call *call, mode how, fx_dim pad, fx_dim size)
{
    if (fx_dim_is_const(pad) && pad <= 0) return true;
    fx_dim room = how == REFLECT ? fx__dim_sub(call->dims, size, 1) : size;
    if (how == REPLICATE) return fx__dims_assume(call->dims, FX_GUARD_LE, 1, size, "there is an element to repeat");
    return fx__dims_assume(call->dims, FX_GUARD_LE, pad, room, "a pad has no more than the tensor");
}

static fx_status shape(fx_call *call, mode how)
{
    const fx_type *x = fx__call_type(call, 0);
    fx_dim before[FX_RANK], after[FX_RANK];
    FX_TRY(read_pads(call, before, after));
    fx_type *out = &call->result[0];
    out->rank = x->rank;
    for (int32_t d = 0; d < x->rank; d++) {
        out->dim[d] = fx__dim_add(call->dims, fx__dim_add(call->dims, x->dim[d], before[d]), after[d]);
        if (out->dim[d] == FX_DIM_BAD) continue;
        if (!has_enough(call, how, before[d], x->dim[d]) || !has_enough(call, how, after[d], x->dim[d]) ||
            !fx__dims_assume(call->dims, FX_GUARD_LE, 0, out->dim[d], "a crop leaves a size of at least 0"))
            return fx__call_error(call, FX_E_SHAPE, "dim %d of %s cannot be padded by %s and %s", d, fx__check_type(call, x).s,
                                  fx__check_dim(call, before[d]).s, fx__check_dim(call, after[d]).s);
    }
    return FX_OK;
}

static fx_status shape_reflect(fx_call *call)
{
    return shape(call, REFLECT);
}
static fx_status shape_replicate(fx_call *call)
{
    return shape(call, REPLICATE);
}
static fx_status shape_circular(fx_call *call)
{
    return shape(call, CIRCULAR);
}

/* ---- Lowering -------------------------------------------------------------------------------------------------------------- */

static uint16_t two(fx_kb *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    return fx__kb_scalar(k, op, a, b);
}

/* The element of a dim of this size that stands at position `at`, which may lie outside. */
static uint16_t element(fx_kb *k, mode how, uint16_t at, fx_dim size)
{
    uint16_t zero = fx__kb_imm_int(k, FX_I64, 0), n = fx__kb_dim(k, size);
    uint16_t last = two(k, FX_SCALAR_SUB, n, fx__kb_imm_int(k, FX_I64, 1));
    if (how == REPLICATE) return two(k, FX_SCALAR_MIN, two(k, FX_SCALAR_MAX, at, zero), last);
    if (how == REFLECT) {
        uint16_t to_last = two(k, FX_SCALAR_SUB, last, fx__kb_scalar(k, FX_SCALAR_ABS, at, FX_NO_EXPR));
        return two(k, FX_SCALAR_SUB, last, fx__kb_scalar(k, FX_SCALAR_ABS, to_last, FX_NO_EXPR));
    }
    uint16_t below = fx__kb_select(k, two(k, FX_SCALAR_LT, at, zero), two(k, FX_SCALAR_ADD, at, n), at);
    return fx__kb_select(k, two(k, FX_SCALAR_LT, at, n), below, two(k, FX_SCALAR_SUB, at, n));
}

static fx_status lower(fx_lower *lw, const fx_call *call, mode how)
{
    const fx_type *out = &call->result[0], *x = fx__call_type(call, 0);
    fx_dim before[FX_RANK], after[FX_RANK];
    fx_index from[FX_RANK], to[FX_RANK];
    FX_TRY(read_pads(call, before, after));
    fx_kb *k = fx__lower_kernel(lw, call);
    for (int32_t d = 0; d < out->rank; d++) {
        char name[8];
        snprintf(name, sizeof name, "i%d", (int)(d & 15));
        uint8_t axis = fx__kb_axis(k, name, out->dim[d], true);
        from[d] = to[d] = fx__index_axis(axis);
        if (before[d] == 0 && after[d] == 0) continue;
        uint16_t at = two(k, FX_SCALAR_SUB, fx__kb_coord(k, axis), fx__kb_dim(k, before[d]));
        from[d] = (fx_index){.value = (int16_t)element(k, how, at, x->dim[d])};
    }
    fx__kb_store(k, fx__lower_result(lw, call, 0), to, fx__kb_load_gather(k, fx__lower_arg(lw, call, 0), from));
    return fx__kb_finish(k);
}

static fx_status lower_reflect(fx_lower *lw, const fx_call *call)
{
    return lower(lw, call, REFLECT);
}
static fx_status lower_replicate(fx_lower *lw, const fx_call *call)
{
    return lower(lw, call, REPLICATE);
}
static fx_status lower_circular(fx_lower *lw, const fx_call *call)
{
    return lower(lw, call, CIRCULAR);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static const fx_case cases_1d[] = {{"(f32[2, 3, 5], [2, 3])", NULL},     {"(f32[3, 17], [4, 0])", "no batch dim"},
                                   {"(f32[2, 6], [2, -1])", "crop"},     {"(i32[2, 4], [1, 1])", "integers"},
                                   {"(f32[s0, 5], [1, 2])", "symbolic"}, {NULL, NULL}};
static const fx_case cases_2d[] = {{"(f32[2, 3, 5, 4], [1, 2, 3, 4])", NULL},
                                   {"(f32[2, 4, 33], [1, 1, 0, 2])", "no batch dim"},
                                   {"(f32[1, 2, s0, 4], [1, 1, 2, 0])", "symbolic"},
                                   {NULL, NULL}};
static const fx_case cases_3d[] = {{"(f32[1, 2, 3, 4, 5], [1, 2, 3, 1, 0, 2])", NULL}, {NULL, NULL}};
static const fx_case cases_circular[] = {{"(f32[2, 3, 5], [5, 2])", "once round"},
                                         {"(f32[1, 2, 4, 17], [1, 2, 3, 0])", "two dims"},
                                         {"(f32[2, 6], [3, -1])", "crop"},
                                         {"(f32[2, s0], [1, 2])", "symbolic"},
                                         {NULL, NULL}};

#define PAD(name_, target_, method_, cases_)                                                                                       \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." target_ ".default",                                                   \
                                 .schema = target_ "(Tensor self, SymInt[] padding) -> Tensor",                                    \
                                 .names = "",                                                                                      \
                                 .onnx = "Pad",                                                                                    \
                                 .family = "moves",                                                                                \
                                 .dtypes = FX_ANY,                                                                                 \
                                 .shape = shape_##method_,                                                                         \
                                 .reference = fx__pad_##method_##_ref,                                                             \
                                 .lower = lower_##method_,                                                                         \
                                 .cases = cases_}

PAD(pad_circular, "_pad_circular", circular, cases_circular);
PAD(reflection_pad1d, "reflection_pad1d", reflect, cases_1d);
PAD(reflection_pad2d, "reflection_pad2d", reflect, cases_2d);
PAD(reflection_pad3d, "reflection_pad3d", reflect, cases_3d);
PAD(replication_pad1d, "replication_pad1d", replicate, cases_1d);
PAD(replication_pad2d, "replication_pad2d", replicate, cases_2d);
PAD(replication_pad3d, "replication_pad3d", replicate, cases_3d);
