/* SPDX-License-Identifier: Apache-2.0 */
/* passes/train.c: batch normalisation in training, written out: statistics over all dimensions but the channels', in f32 at least;
 * the running ones move towards them by `momentum`, the variance without bias. */
#include "passes/train.h"

/* ---- Writing it out ---------------------------------------------------------------------------------------------------------- */

/* The first failure makes all that follows NULL. */
typedef struct writer {
    fx_node *before;
    const fx_type *type; /* of the input */
    fx_dtype dtype;      /* of the statistics */
} writer;

static fx_node *call(const writer *w, const char *target, const fx_attr *args, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (args[i].kind == FX_ATTR_NODE && !args[i].u.node) return NULL;
    return fx__core_call(w->before, target, args, n);
}

static fx_node *binary(const writer *w, const char *target, fx_node *a, fx_attr b)
{
    const fx_attr args[] = {fx_node_attr(a), b};
    return call(w, target, args, 2);
}

static fx_node *in_dtype(const writer *w, fx_node *value, fx_dtype dtype)
{
    if (!value || (fx_node_type(value, 0) && fx_node_type(value, 0)->dtype == dtype)) return value;
    return binary(w, "_to_copy", value, fx_dtype_attr(dtype));
}

/* Over all dims but the channels', which stay with size 1. */
static fx_node *mean_of(const writer *w, fx_node *value)
{
    fx_attr dims[FX_RANK];
    int32_t n = 0;
    for (int32_t d = 0; d < w->type->rank; d++)
        if (d != 1) dims[n++] = fx_int(d);
    const fx_attr args[] = {fx_node_attr(value), fx_list(w->before->graph, dims, n), fx_bool(true)};
    return call(w, "mean", args, 3);
}

/* Between [C] and [1, C, 1, 1]. */
static fx_node *reshaped(const writer *w, fx_node *value, bool wide)
{
    fx_attr dims[FX_RANK];
    for (int32_t d = 0; d < w->type->rank; d++) dims[d] = d == 1 ? fx_dim_attr(w->type->dim[1]) : fx_int(1);
    fx_attr list = wide ? fx_list(w->before->graph, dims, w->type->rank) : fx_list(w->before->graph, &dims[1], 1);
    return binary(w, "reshape", value, list);
}

static fx_dim values_per_channel(const writer *w)
{
    fx_dim n = 1;
    for (int32_t d = 0; d < w->type->rank; d++)
        if (d != 1) n = fx__dim_mul(w->before->graph->dims, n, w->type->dim[d]);
    return n;
}

/* running * (1 - momentum) + statistic * momentum, in the type of running. */
static fx_node *moved(const writer *w, fx_node *running, fx_node *statistic, double momentum)
{
    fx_node *old = binary(w, "mul", in_dtype(w, running, w->dtype), fx_float(1 - momentum));
    fx_node *part = binary(w, "mul", reshaped(w, statistic, false), fx_float(momentum));
    const fx_type *type = fx_node_type(running, 0);
    return in_dtype(w, binary(w, "add", old, fx_node_attr(part)), type ? type->dtype : w->dtype);
}

static fx_node *without_bias(const writer *w, fx_node *var)
{
    fx_dim n = values_per_channel(w);
    fx_node *sum = binary(w, "mul", var, fx_dim_attr(n));
    return binary(w, "div", sum, fx_dim_attr(fx__dim_sub(w->before->graph->dims, n, 1)));
}

static fx_node *vector(const writer *w, const fx_attr *value)
{
    return value->kind == FX_ATTR_NODE ? reshaped(w, in_dtype(w, value->u.node, w->dtype), true) : NULL;
}

static fx_node *scaled(const writer *w, fx_node *value, const fx_attr *weight, const fx_attr *bias)
{
    if (weight->kind == FX_ATTR_NODE) value = binary(w, "mul", value, fx_node_attr(vector(w, weight)));
    if (bias->kind == FX_ATTR_NODE) value = binary(w, "add", value, fx_node_attr(vector(w, bias)));
    return in_dtype(w, value, w->type->dtype);
}

static bool is_result(const fx_node *node, int index)
{
    for (int32_t i = 0; i < node->n_users; i++)
        if (node->users[i]->args.n == 2 && fx__arg(node->users[i], 1)->kind == FX_ATTR_INT &&
            fx__arg(node->users[i], 1)->u.i == index)
            return true;
    return false;
}

fx_status fx__train_values(fx_node *node, fx_train_values *out)
{
    fx_attr bound[FX_PARAMS];
    const fx_train_layout *at = fx__train_layout_of(node);
    *out = (fx_train_values){0};
    FX_TRY(fx__op_bind(node->graph, node, fx__op_of(node), bound));
    fx_node *x = bound[0].kind == FX_ATTR_NODE ? bound[0].u.node : NULL;
    writer w = {.before = node, .type = x ? fx_node_type(x, 0) : NULL};
    if (!w.type || w.type->rank < 2) return fx__diag_node(node, FX_E_SHAPE, "the input's shape is not known, or has no channels");
    if (fx__dim_equal(node->graph->dims, values_per_channel(&w), 1))
        return fx__diag_node(node, FX_E_SHAPE, "training needs more than one value per channel");
    w.dtype = w.type->dtype == FX_F64 ? FX_F64 : FX_F32;
    fx_node *wide = in_dtype(&w, x, w.dtype), *mean = mean_of(&w, wide), *centred = binary(&w, "sub", wide, fx_node_attr(mean));
    fx_node *var = mean_of(&w, binary(&w, "mul", centred, fx_node_attr(centred)));
    fx_attr eps = bound[7].kind == FX_ATTR_NONE ? fx_float(1e-5) : bound[7];
    const fx_attr sum = fx_node_attr(binary(&w, "add", var, eps));
    fx_node *inverse = call(&w, "rsqrt", &sum, 1);
    out->result[0] = scaled(&w, binary(&w, "mul", centred, fx_node_attr(inverse)), &bound[at->weight], &bound[at->bias]);
    if (fx__op_of(node) == fx__op(FX_OP_native_batch_norm)) {
        if (is_result(node, 1)) out->result[1] = in_dtype(&w, reshaped(&w, mean, false), w.type->dtype);
        if (is_result(node, 2)) out->result[2] = in_dtype(&w, reshaped(&w, inverse, false), w.type->dtype);
    }
    double momentum = bound[6].kind == FX_ATTR_FLOAT ? bound[6].u.f : (double)bound[6].u.i;
    if (bound[at->mean].kind == FX_ATTR_NODE) out->running[0] = moved(&w, bound[at->mean].u.node, mean, momentum);
    if (bound[at->var].kind == FX_ATTR_NODE) out->running[1] = moved(&w, bound[at->var].u.node, without_bias(&w, var), momentum);
    bool good = out->result[0] && (bound[at->mean].kind != FX_ATTR_NODE || out->running[0]) &&
                (bound[at->var].kind != FX_ATTR_NODE || out->running[1]);
    return good ? FX_OK : FX_E_UNSUPPORTED;
}

static fx_status replace_items(fx_node *node, const fx_train_values *values)
{
    while (node->n_users) {
        fx_node *user = node->users[0];
        const fx_attr *index = user->args.n == 2 ? fx__arg(user, 1) : NULL;
        int64_t i = index && index->kind == FX_ATTR_INT ? index->u.i : -1;
        if (i < 0 || i > 2 || !values->result[i])
            return fx__diag_node(user, FX_E_UNSUPPORTED, "the results of a normalisation in training are used as a whole");
        FX_TRY(fx__core_replace(user, values->result[i]));
    }
    return fx_graph_erase(node->graph, node);
}

fx_status fx__train_replace(fx_node *node, const fx_train_values *values)
{
    bool is_tuple = fx__op_of(node) == fx__op(FX_OP_native_batch_norm);
    return is_tuple ? replace_items(node, values) : fx__core_replace(node, values->result[0]);
}
