/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation in inference, and instance_norm, which is that or a group_norm of one channel per group. All spellings
 * of batch normalisation become batch_norm, which lowers to one MAP over all axes with the scale and
 * the shift of a channel as expressions of its vectors. */
#include "ir/lower.h"
#include "ir/ops/check.h"

fx_status fx__batch_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__batch_norm_bound(const fx_rt_bound *call);
fx_status fx__native_batch_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__native_batch_norm_bound(const fx_rt_bound *call);
fx_status fx__batch_norm_no_training_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__batch_norm_no_training_bound(const fx_rt_bound *call);
fx_status fx__functional_batch_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__functional_batch_norm_bound(const fx_rt_bound *call);

fx_status fx__instance_norm_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__instance_norm_bound(const fx_rt_bound *call);

/* Arguments of the ATen rows. */
enum { INPUT, WEIGHT, BIAS, MEAN, VAR, TRAINING, MOMENTUM, EPS, USE_INPUT = TRAINING };

/* ---- Shapes -------------------------------------------------------------------------------------------------------------- */

/* Statistics of the batch's own; running ones change, which is taken out by functionalise (passes/train.c). */
static fx_status check_own(fx_call *call)
{
    FX_TRY(fx__check_rank(call, INPUT, 2, FX_RANK - 2));
    const fx_type *x = fx__call_type(call, INPUT);
    if (!fx_dim_is_const(x->dim[1]) || x->dim[1] == 0)
        return fx__call_error(call, FX_E_UNSUPPORTED, "%s channels; a constant number is needed", fx__check_dim(call, x->dim[1]).s);
    for (int32_t i = 1; i <= 4; i++) FX_TRY(fx__check_vector(call, i, x->dim[1]));
    return FX_OK;
}

static fx_status check_vectors(fx_call *call, int32_t mean, int32_t var, int32_t training)
{
    if (training >= 0 && fx__call_int(call, training)) return check_own(call);
    if (fx__call_is_none(call, mean) || fx__call_is_none(call, var))
        return fx__call_error(call, FX_E_ARG, "running_mean and running_var are needed in inference");
    FX_TRY(fx__check_rank(call, INPUT, 2, FX_RANK));
    for (int32_t i = 1; i <= 4; i++) FX_TRY(fx__check_vector(call, i, fx__call_type(call, INPUT)->dim[1]));
    return FX_OK;
}

static fx_status shape_batch_norm(fx_call *call)
{
    FX_TRY(check_vectors(call, MEAN, VAR, TRAINING));
    return fx__rule_shape_same(call);
}

static fx_status shape_functional(fx_call *call)
{
    FX_TRY(check_vectors(call, 1, 2, 5));
    return fx__rule_shape_same(call);
}

/* The saved statistics are empty in inference. */
static fx_status shape_with_saved(fx_call *call, fx_dim length)
{
    FX_TRY(fx__rule_shape_same(call));
    for (int32_t r = 1; r < 3; r++) {
        call->result[r].rank = 1;
        call->result[r].dim[0] = length;
    }
    return FX_OK;
}

static fx_status shape_native(fx_call *call)
{
    FX_TRY(check_vectors(call, MEAN, VAR, TRAINING));
    return shape_with_saved(call, fx__call_int(call, TRAINING) ? fx__call_type(call, INPUT)->dim[1] : 0);
}

static fx_status shape_no_training(fx_call *call)
{
    FX_TRY(check_vectors(call, MEAN, VAR, -1));
    return shape_with_saved(call, 0);
}

static fx_status shape_instance_norm(fx_call *call)
{
    FX_TRY(fx__check_rank(call, INPUT, 3, FX_RANK - 1));
    if (!fx__call_int(call, USE_INPUT)) FX_TRY(check_vectors(call, MEAN, VAR, -1));
    fx_dim channels = fx__call_type(call, INPUT)->dim[1];
    if (!fx_dim_is_const(channels)) return fx__call_error(call, FX_E_UNSUPPORTED, "the number of channels is symbolic");
    if (channels == 0) return fx__call_error(call, FX_E_SHAPE, "there are no channels");
    FX_TRY(fx__check_vector(call, WEIGHT, channels));
    FX_TRY(fx__check_vector(call, BIAS, channels));
    return fx__rule_shape_same(call);
}

/* ---- Lowering ------------------------------------------------------------------------------------------------------------ */

static uint16_t load_vector(fx_kb *k, fx_lower *lw, const fx_call *call, int32_t index, fx_index channel, fx_dtype dtype)
{
    return fx__kb_cast(k, dtype, fx__kb_load(k, fx__lower_arg(lw, call, index), &channel));
}

static fx_status lower_batch_norm(fx_lower *lw, const fx_call *call)
{
    if (fx__call_int(call, TRAINING)) return fx__lower_decline(lw, "statistics of the batch");
    const fx_type *out = &call->result[0];
    fx_dtype dtype = out->dtype == FX_F64 ? FX_F64 : FX_F32;
    fx_kb *k = fx__lower_kernel(lw, call);
    fx_index at[FX_RANK];
    for (int32_t d = 0; d < out->rank; d++) {
        char name[8] = {"nchwxyz"[d < 6 ? d : 6], (char)(d < 6 ? 0 : '0' + d), 0};
        at[d] = fx__index_axis(fx__kb_axis(k, name, out->dim[d], true));
    }
    uint16_t var = fx__kb_scalar(k, FX_SCALAR_ADD, load_vector(k, lw, call, VAR, at[1], dtype),
                                 fx__kb_imm(k, dtype, fx__call_float(call, EPS)));
    bool weighted = !fx__call_is_none(call, WEIGHT);
    uint16_t weight = weighted ? load_vector(k, lw, call, WEIGHT, at[1], dtype) : fx__kb_imm(k, dtype, 1);
    uint16_t scale = fx__kb_scalar(k, FX_SCALAR_DIV, weight, fx__kb_scalar(k, FX_SCALAR_SQRT, var, FX_NO_EXPR));
    uint16_t x = fx__kb_cast(k, dtype, fx__kb_load(k, fx__lower_arg(lw, call, INPUT), at));
    uint16_t centred = fx__kb_scalar(k, FX_SCALAR_SUB, x, load_vector(k, lw, call, MEAN, at[1], dtype));
    uint16_t y = fx__kb_scalar(k, FX_SCALAR_MUL, centred, scale);
    if (!fx__call_is_none(call, BIAS)) y = fx__kb_scalar(k, FX_SCALAR_ADD, y, load_vector(k, lw, call, BIAS, at[1], dtype));
    fx__kb_store(k, fx__lower_result(lw, call, 0), at, y);
    return fx__kb_finish(k);
}

static fx_node *swap(fx_graph *graph, const fx_call *call, fx_node *x, int32_t a, int32_t b)
{
    return x ? fx__check_insert(graph, call, FX_OP_transpose, (fx_attr[]){fx_node_attr(x), fx_int(a), fx_int(b)}, 3) : NULL;
}

/* [N, C, ...] as one image of C channels over [N, ...]: a group_norm of one channel per group. */
static fx_node *decompose_batch_norm(fx_graph *graph, const fx_call *call)
{
    const fx_attr *a = call->arg;
    if (!fx__call_int(call, TRAINING)) return NULL;
    fx_attr front = fx_int(0);
    fx_node *turned = swap(graph, call, a[INPUT].u.node, 0, 1);
    fx_node *image = turned ? fx__check_insert(graph, call, FX_OP_unsqueeze, (fx_attr[]){fx_node_attr(turned), front}, 2) : NULL;
    if (!image) return NULL;
    fx_attr channels = fx_int(fx__call_type(call, INPUT)->dim[1]);
    const fx_attr args[] = {fx_node_attr(image), channels, a[WEIGHT], a[BIAS], a[EPS], fx_bool(false)};
    fx_node *y = fx__check_insert(graph, call, FX_OP_group_norm, args, 6);
    y = y ? fx__check_insert(graph, call, FX_OP_select, (fx_attr[]){fx_node_attr(y), front, front}, 3) : NULL;
    return swap(graph, call, y, 0, 1);
}

static fx_node *decompose_functional(fx_graph *graph, const fx_call *call)
{
    const fx_attr *a = call->arg;
    const fx_attr args[] = {a[0], a[3], a[4], a[1], a[2], a[5], a[6], a[7], fx_bool(false)};
    return fx__check_insert(graph, call, FX_OP_batch_norm, args, 9);
}

/* ---- Rows that give the statistics, too ---- */

static fx_node *nothing(fx_graph *graph, const fx_call *call)
{
    const fx_attr none = fx_none(), dtype = fx_dtype_attr(call->result[1].dtype);
    return fx__check_insert(graph, call, FX_OP_zeros, (fx_attr[]){fx_ints(graph, &(int64_t){0}, 1), dtype, none, none, none}, 5);
}

/* In inference the statistics are empty; those of a batch are taken out by functionalise. */
static fx_node *with_nothing(fx_graph *graph, const fx_call *call, double momentum, double eps)
{
    const fx_attr *a = call->arg;
    const fx_attr args[] = {a[INPUT],       a[WEIGHT],          a[BIAS],       a[MEAN],       a[VAR],
                            fx_bool(false), fx_float(momentum), fx_float(eps), fx_bool(false)};
    fx_node *y = fx__check_insert(graph, call, FX_OP_batch_norm, args, 9), *empty = y ? nothing(graph, call) : NULL;
    if (!empty) return NULL;
    const fx_attr all = fx_list(graph, (fx_attr[]){fx_node_attr(y), fx_node_attr(empty), fx_node_attr(empty)}, 3);
    return fx__check_insert(graph, call, FX_OP_tuple, &all, 1);
}

static fx_node *decompose_native(fx_graph *graph, const fx_call *call)
{
    if (fx__call_int(call, TRAINING)) return NULL;
    return with_nothing(graph, call, fx__call_float(call, MOMENTUM), fx__call_float(call, EPS));
}

static fx_node *decompose_no_training(fx_graph *graph, const fx_call *call)
{
    return with_nothing(graph, call, fx__call_float(call, TRAINING), fx__call_float(call, MOMENTUM));
}

/* Statistics of the input's own: those of every channel of every image. */
static fx_node *decompose_instance_norm(fx_graph *graph, const fx_call *call)
{
    const fx_attr *a = call->arg;
    const fx_attr own[] = {a[INPUT], fx_int(fx__call_type(call, INPUT)->dim[1]), a[WEIGHT], a[BIAS], a[EPS], fx_bool(false)};
    const fx_attr given[] = {a[0], a[1], a[2], a[3], a[4], fx_bool(false), a[MOMENTUM], a[EPS], fx_bool(false)};
    if (fx__call_int(call, USE_INPUT)) return fx__check_insert(graph, call, FX_OP_group_norm, own, 6);
    return fx__check_insert(graph, call, FX_OP_batch_norm, given, 9);
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

const fx_op fx_op_batch_norm = {
    .name = "batch_norm",
    .target = "torch.ops.aten.batch_norm.default",
    .schema = "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
              "bool training=False, float momentum=0.1, float eps=1e-05, bool cudnn_enabled=False) -> Tensor",
    .names = "torch.batch_norm",
    .onnx = "BatchNormalization",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_batch_norm,
    .reference = fx__batch_norm_ref,
    .bound = fx__batch_norm_bound,
    .lower = lower_batch_norm,
    .decompose = decompose_batch_norm,
    .cases = (const fx_case[]){{"(f32[2, 3, 4, 5], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0, False)", "image"},
                               {"(f32[2, 17], f32[17], None, f32[17], f32[17], False, 0.1, 8.0, False)", "matrix, no bias"},
                               {"(f32[2, 3, 5], None, None, f32[3], f32[3], False, 0.1, 8.0, False)", "neither weight nor bias"},
                               {"(f32[1, 2, 2, 2, 3], f32[2], f32[2], f32[2], f32[2], False, 0.1, 8.0, False)", "volume"},
                               {"(f32[0, 3, 2], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0, False)", "empty batch"},
                               {"(f32[3, 4, 2, 5], f32[4], f32[4], None, None, True, 0.1, 0.5, False)", "the batch's statistics"},
                               {"(f32[7, 17], None, None, None, None, True, 0.1, 0.5, False)", "the batch's statistics, matrix"},
                               {"(f32[s0, 3, 4], f32[3], f32[3], None, None, True, 0.1, 0.5, False)", "the same, symbolic"},
                               {"(f32[s0, 3, s1], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0, False)", "symbolic"},
                               {NULL, NULL}},
};

const fx_op fx_op_functional_batch_norm = {
    .name = "functional_batch_norm",
    .target = "torch.nn.functional.batch_norm",
    .schema = "batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, Tensor? bias=None, "
              "bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor",
    .names = "",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_functional,
    .reference = fx__functional_batch_norm_ref,
    .bound = fx__functional_batch_norm_bound,
    .decompose = decompose_functional,
    .cases = (const fx_case[]){{"(f32[2, 3, 4, 5], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0)", "image"},
                               {"(f32[2, 3, 4], f32[3], f32[3], None, None, False, 0.1, 8.0)", "neither weight nor bias"},
                               {NULL, NULL}},
};

const fx_op fx_op_native_batch_norm = {
    .name = "native_batch_norm",
    .target = "torch.ops.aten.native_batch_norm.default",
    .schema = "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
              "bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
    .names = "torch.native_batch_norm torch.ops.aten._native_batch_norm_legit.default",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_native,
    .reference = fx__native_batch_norm_ref,
    .bound = fx__native_batch_norm_bound,
    .decompose = decompose_native,
    .cases = (const fx_case[]){{"(f32[2, 3, 4, 5], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0)", "image"},
                               {"(f32[4, 3, 5], f32[3], f32[3], None, None, True, 0.1, 0.5)", "the batch's statistics"},
                               {NULL, NULL}},
};

const fx_op fx_op_native_batch_norm_no_training = {
    .name = "native_batch_norm_no_training",
    .target = "torch.ops.aten._native_batch_norm_legit_no_training.default",
    .schema = "_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, "
              "Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
    .names = "",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_no_training,
    .reference = fx__batch_norm_no_training_ref,
    .bound = fx__batch_norm_no_training_bound,
    .decompose = decompose_no_training,
    .cases = (const fx_case[]){{"(f32[2, 3, 4, 5], f32[3], f32[3], f32[3], f32[3], 0.1, 8.0)", "image"}, {NULL, NULL}},
};

const fx_op fx_op_instance_norm = {
    .name = "instance_norm",
    .target = "torch.ops.aten.instance_norm.default",
    .schema = "instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
              "bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor",
    .names = "torch.instance_norm",
    .onnx = "InstanceNormalization",
    .family = "normalisation",
    .dtypes = FX_FLOATS,
    .shape = shape_instance_norm,
    .reference = fx__instance_norm_ref,
    .bound = fx__instance_norm_bound,
    .decompose = decompose_instance_norm,
    .cases = (const fx_case[]){{"(f32[2, 3, 4, 5], f32[3], f32[3], None, None, True, 0.1, 0.5, False)", "own statistics"},
                               {"(f32[2, 3, 17], None, None, None, None, True, 0.1, 0.5, False)", "neither weight nor bias"},
                               {"(f32[2, 3, 4], f32[3], f32[3], f32[3], f32[3], False, 0.1, 8.0, False)", "running statistics"},
                               {"(f32[s0, 3, 4, 4], f32[3], f32[3], None, None, True, 0.1, 0.5, False)", "symbolic"},
                               {NULL, NULL}},
};
