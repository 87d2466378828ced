/* SPDX-License-Identifier: Apache-2.0 */
/* The .vec overloads of resampling, which take either the sizes of the result or a list of factors: each becomes the overload that
 * takes both one by one. */
#include "ir/ops/check.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DECLARE(name)                                                                                                              \
    fx_status fx__upsample_##name##_vec_ref(const fx_rt_arg *args, fx_tensor *results);                                            \
    fx_status fx__upsample_##name##_vec_bound(const fx_rt_bound *call);
DECLARE(nearest)
DECLARE(exact)
DECLARE(linear)
DECLARE(bicubic)

enum { SELF, SIZE, ALIGN, DIMS = 3 };

/* The factors are the last argument. */
static int32_t factors_of(const fx_call *call)
{
    int32_t n;
    fx__op_params(call->op, &n);
    return n - 1;
}

static fx_status scaled_size(const fx_call *call, int32_t d, fx_dim in, fx_dim *out)
{
    const fx_attr *factors = &call->arg[factors_of(call)];
    double factor = factors->u.items[d].u.f;
    if (!(factor > 0 && factor < 0x1p31)) return fx__call_error(call, FX_E_ARG, "factor %g of dim %d", factor, d);
    *out = fx_dim_is_const(in) ? (fx_dim)floor((double)in * factor) : fx__dim_mul(call->dims, in, (int64_t)factor);
    if (fx_dim_is_const(in) || factor == floor(factor)) return FX_OK;
    return fx__call_error(call, FX_E_UNSUPPORTED, "a symbolic size times %g", factor);
}

static fx_status sizes_of(const fx_call *call, int32_t n, fx_dim out[FX_RANK])
{
    const fx_type *x = fx__call_type(call, SELF);
    bool sized = !fx__call_is_none(call, SIZE), scaled = !fx__call_is_none(call, factors_of(call));
    FX_TRY(fx__check_rank(call, SELF, n + 2, n + 2));
    if (sized == scaled) return fx__call_error(call, FX_E_ARG, "needs either output_size or scale_factors");
    if (sized && fx__call_dims(call, SIZE, n, out) != n) return fx__call_error(call, FX_E_ARG, "output_size needs %d entries", n);
    if (sized) return FX_OK;
    if (call->arg[factors_of(call)].n != n) return fx__call_error(call, FX_E_ARG, "scale_factors needs %d entries", n);
    for (int32_t d = 0; d < n; d++) FX_TRY(scaled_size(call, d, x->dim[2 + d], &out[d]));
    return FX_OK;
}

static fx_status shape_vec(fx_call *call, int32_t n)
{
    fx_dim size[FX_RANK];
    FX_TRY(sizes_of(call, n, size));
    call->result[0] = *fx__call_type(call, SELF);
    for (int32_t d = 0; d < n; d++) {
        call->result[0].dim[2 + d] = size[d];
        if (!fx__dims_assume(call->dims, FX_GUARD_LE, 1, size[d], "an image has pixels") ||
            !fx__dims_assume(call->dims, FX_GUARD_LE, 1, fx__call_type(call, SELF)->dim[2 + d], "an image has pixels"))
            return fx__call_error(call, FX_E_SHAPE, "%s cannot be resampled to size %s",
                                  fx__check_type(call, fx__call_type(call, SELF)).s, fx__check_dim(call, size[d]).s);
    }
    return FX_OK;
}

static fx_status shape_1d(fx_call *call)
{
    return shape_vec(call, 1);
}
static fx_status shape_2d(fx_call *call)
{
    return shape_vec(call, 2);
}
static fx_status shape_3d(fx_call *call)
{
    return shape_vec(call, 3);
}

/* The overload without .vec in the table: same name, except for the ending. */
static const fx_op *plain_row(const fx_op *op)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(op->name) - strlen("_vec")), op->name);
    return fx__op_find(name);
}

static fx_node *decompose_vec(fx_graph *graph, const fx_call *call)
{
    const fx_attr *factors = &call->arg[factors_of(call)];
    int32_t n = call->result[0].rank - 2, n_args = 2;
    fx_attr size[FX_RANK], args[3 + DIMS] = {call->arg[SELF]};
    for (int32_t d = 0; d < n; d++) size[d] = fx_dim_attr(call->result[0].dim[2 + d]);
    args[1] = fx_list(graph, size, n);
    if (factors_of(call) > ALIGN) args[n_args++] = call->arg[ALIGN];
    for (int32_t d = 0; d < n; d++) args[n_args++] = factors->kind == FX_ATTR_NONE ? fx_none() : factors->u.items[d];
    return fx__check_insert(graph, call, (fx_op_code)fx__op_code(plain_row(call->op)), args, n_args);
}

#define VEC(name_, mark_, align_, dtypes_, n_, method_, cases_)                                                                    \
    const fx_op fx_op_upsample_##name_##_vec = {.name = "upsample_" #name_ "_vec",                                                 \
                                                .target = "torch.ops.aten." mark_ "upsample_" #name_ ".vec",                       \
                                                .schema =                                                                          \
                                                    mark_ "upsample_" #name_ ".vec(Tensor input, SymInt[]? output_size, " align_   \
                                                          "float[]? scale_factors) -> Tensor",                                     \
                                                .names = "",                                                                       \
                                                .family = "resampling",                                                            \
                                                .dtypes = dtypes_,                                                                 \
                                                .shape = shape_##n_##d,                                                            \
                                                .reference = fx__upsample_##method_##_vec_ref,                                     \
                                                .bound = fx__upsample_##method_##_vec_bound,                                       \
                                                .decompose = decompose_vec,                                                        \
                                                .cases = cases_}
#define ALIGNED "bool align_corners, "

static const fx_case cases_1d[] = {{"(f32[2, 3, 5], [12], None)", "size"}, {"(f32[2, 3, 5], None, [1.7])", "factor"}, {NULL, NULL}};
static const fx_case cases_2d[] = {{"(f32[1, 2, 5, 7], [6, 17], None)", "size"},
                                   {"(f32[1, 2, 5, 7], None, [1.3, 2.5])", "factors"},
                                   {"(f32[1, 2, s0, 4], None, [2.0, 1.5])", "symbolic"},
                                   {NULL, NULL}};
static const fx_case cases_3d[] = {{"(f32[1, 2, 2, 3, 4], None, [2.0, 1.5, 1.0])", NULL}, {NULL, NULL}};
static const fx_case cases_linear1d[] = {
    {"(f32[2, 3, 5], [12], False, None)", "size"}, {"(f32[2, 3, 5], None, True, [1.7])", "factor"}, {NULL, NULL}};
static const fx_case cases_linear2d[] = {{"(f32[1, 2, 5, 7], [6, 17], False, None)", "size"},
                                         {"(f32[1, 2, 5, 7], None, False, [1.3, 2.5])", "factors"},
                                         {"(f32[1, 2, 5, 7], None, True, [2.0, 2.0])", "corners"},
                                         {NULL, NULL}};
static const fx_case cases_linear3d[] = {{"(f32[1, 2, 2, 3, 4], None, False, [2.0, 1.5, 1.0])", NULL}, {NULL, NULL}};

VEC(bicubic2d, "", ALIGNED, FX_FLOATS, 2, bicubic, cases_linear2d);
VEC(bilinear2d, "", ALIGNED, FX_FLOATS, 2, linear, cases_linear2d);
VEC(linear1d, "", ALIGNED, FX_FLOATS, 1, linear, cases_linear1d);
VEC(nearest1d, "", "", FX_ANY, 1, nearest, cases_1d);
VEC(nearest2d, "", "", FX_ANY, 2, nearest, cases_2d);
VEC(nearest3d, "", "", FX_ANY, 3, nearest, cases_3d);
VEC(nearest_exact1d, "_", "", FX_ANY, 1, exact, cases_1d);
VEC(nearest_exact2d, "_", "", FX_ANY, 2, exact, cases_2d);
VEC(nearest_exact3d, "_", "", FX_ANY, 3, exact, cases_3d);
VEC(trilinear3d, "", ALIGNED, FX_FLOATS, 3, linear, cases_linear3d);
