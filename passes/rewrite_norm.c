/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_norm.c: batch normalisation in evaluation mode goes into the constant weights of the convolution or linear layer
 * before it: w' = w * s and b' = (b - mean) * s + beta with s = gamma / sqrt(var + eps), per output channel. */
#include "passes/rule.h"

enum { INPUT, GAMMA, BETA, MEAN, VAR, TRAINING, MOMENTUM, EPS }; /* arguments of batch_norm */
enum { X, WEIGHT, BIAS };                                        /* of convN and linear */

static bool is_constant_or_none(const fx_attr *value)
{
    return value->kind == FX_ATTR_NONE || (value->kind == FX_ATTR_NODE && fx__core_is_constant(value->u.node));
}

static bool same_dtype(const fx_node *a, const fx_attr *b)
{
    if (b->kind != FX_ATTR_NODE) return true;
    const fx_type *type_a = fx_node_type(a, 0), *type_b = fx_node_type(b->u.node, 0);
    return type_a && type_b && type_a->dtype == type_b->dtype;
}

/* The layer's weights and the statistics are constants of one dtype, and training is off. */
static bool is_foldable(void *user, const fx_match *match)
{
    (void)user;
    const fx_node *norm = match->anchor, *layer = fx__rule_node(norm, INPUT), *weight = fx__rule_node(layer, WEIGHT);
    const fx_attr *training = fx__arg(norm, TRAINING), *eps = fx__arg(norm, EPS), *mean = fx__arg(norm, MEAN);
    if (training->kind != FX_ATTR_BOOL || training->u.i || eps->kind != FX_ATTR_FLOAT) return false;
    if (!weight || !fx__core_is_constant(weight) || !is_constant_or_none(fx__arg(layer, BIAS))) return false;
    if (mean->kind != FX_ATTR_NODE || fx__arg(norm, VAR)->kind != FX_ATTR_NODE || !same_dtype(weight, fx__arg(layer, BIAS)))
        return false;
    for (int32_t i = GAMMA; i <= VAR; i++)
        if (!is_constant_or_none(fx__arg(norm, i)) || !same_dtype(weight, fx__arg(norm, i))) return false;
    return true;
}

/* After a linear layer the channels are dim 1, which is the last one of a matrix only. */
static bool is_foldable_matrix(void *user, const fx_match *match)
{
    const fx_type *type = fx_node_type(match->anchor, 0);
    return type && type->rank == 2 && is_foldable(user, match);
}

/* Without a batch dim the channels are dim 0, and the normalisation speaks of dim 1. */
static bool is_foldable_image(void *user, const fx_match *match)
{
    const fx_type *type = fx_node_type(match->anchor, 0);
    const fx_node *weight = fx__rule_node(fx__rule_node(match->anchor, INPUT), WEIGHT);
    return type && weight && type->rank == fx_node_type(weight, 0)->rank && is_foldable(user, match);
}

static fx_attr call(fx_node *before, const char *name, fx_attr a, fx_attr b)
{
    if (a.kind == FX_ATTR_NONE) return a; /* an earlier call failed and said so */
    fx_node *node = fx__core_call(before, name, (const fx_attr[]){a, b}, b.kind == FX_ATTR_NONE ? 1 : 2);
    return node ? fx_node_attr(node) : fx_none();
}

static fx_attr make_scale(fx_node *norm)
{
    fx_attr deviation = call(norm, "sqrt", call(norm, "add", *fx__arg(norm, VAR), *fx__arg(norm, EPS)), fx_none());
    fx_attr gamma = *fx__arg(norm, GAMMA);
    return gamma.kind == FX_ATTR_NODE ? call(norm, "div", gamma, deviation) : call(norm, "reciprocal", deviation, fx_none());
}

/* One factor per row of the weight. */
static fx_attr scale_weight(fx_node *norm, fx_node *weight, fx_attr scale)
{
    int64_t shape[FX_RANK];
    int32_t rank = fx_node_type(weight, 0)->rank;
    for (int32_t d = 0; d < rank; d++) shape[d] = d == 0 ? -1 : 1;
    return call(norm, "mul", fx_node_attr(weight), call(norm, "reshape", scale, fx_ints(norm->graph, shape, rank)));
}

static fx_attr make_bias(fx_node *norm, fx_attr bias, fx_attr scale)
{
    fx_attr mean = *fx__arg(norm, MEAN), beta = *fx__arg(norm, BETA);
    fx_attr centred = bias.kind == FX_ATTR_NODE ? call(norm, "sub", bias, mean) : call(norm, "neg", mean, fx_none());
    fx_attr scaled = call(norm, "mul", centred, scale);
    return beta.kind == FX_ATTR_NODE ? call(norm, "add", scaled, beta) : scaled;
}

static fx_node *fold_norm(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    (void)graph;
    fx_node *norm = match->anchor, *layer = fx__rule_node(norm, INPUT);
    fx_attr args[FX_PARAMS], scale = make_scale(norm);
    if (scale.kind == FX_ATTR_NONE || layer->args.n > FX_PARAMS) return NULL;
    for (int32_t i = 0; i < layer->args.n; i++) args[i] = *fx__arg(layer, i);
    args[WEIGHT] = scale_weight(norm, fx__rule_node(layer, WEIGHT), scale);
    args[BIAS] = make_bias(norm, args[BIAS], scale);
    if (args[WEIGHT].kind == FX_ATTR_NONE || args[BIAS].kind == FX_ATTR_NONE) return NULL;
    return fx__core_call(norm, layer->op->target, args, layer->args.n);
}

/* ---- Other spellings of batch normalisation ------------------------------------------------------------------------------ */

static bool takes_first(void *user, const fx_match *match)
{
    (void)user;
    const fx_attr *index = fx__arg(match->anchor, 1);
    return index->kind == FX_ATTR_INT && index->u.i == 0;
}

static bool takes_first_in_eval(void *user, const fx_match *match)
{
    const fx_attr *training = fx__arg(fx__rule_node(match->anchor, 0), TRAINING);
    return takes_first(user, match) && training->kind == FX_ATTR_BOOL && !training->u.i;
}

/* getitem(native_batch_norm(...), 0): the last two arguments are momentum and eps, with or without `training` before them. */
static fx_node *plain_norm(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    (void)graph;
    const fx_node *native = fx__rule_node(match->anchor, 0);
    fx_attr args[EPS + 1];
    for (int32_t i = INPUT; i <= VAR; i++) args[i] = *fx__arg(native, i);
    args[TRAINING] = fx_bool(false);
    args[MOMENTUM] = *fx__arg(native, native->args.n - 2);
    args[EPS] = *fx__arg(native, native->args.n - 1);
    return fx__core_call(match->anchor, "batch_norm", args, EPS + 1);
}

static const fx_rule spellings[] = {
    {"getitem(native_batch_norm_no_training(x, g, h, m, v, 0.1, 0.1), 0)", NULL, takes_first, plain_norm, NULL},
    {"getitem(native_batch_norm(x, g, h, m, v, False, 0.1, 0.1), 0)", NULL, takes_first_in_eval, plain_norm, NULL},
};

static const fx_rule rules[] = {
    {"batch_norm(conv1d(x, w, b), g, h, m, v)", NULL, is_foldable_image, fold_norm, NULL},
    {"batch_norm(conv2d(x, w, b), g, h, m, v)", NULL, is_foldable_image, fold_norm, NULL},
    {"batch_norm(conv3d(x, w, b), g, h, m, v)", NULL, is_foldable_image, fold_norm, NULL},
    {"batch_norm(linear(x, w, b), g, h, m, v)", NULL, is_foldable_matrix, fold_norm, NULL},
};

fx_status fx__rewrite_norms(fx_graph *graph, bool *out_modified)
{
    const int32_t n_spelling = (int32_t)(sizeof spellings / sizeof spellings[0]), n = (int32_t)(sizeof rules / sizeof rules[0]);
    FX_TRY(fx__rules_apply(graph, spellings, n_spelling, "the first result of native_batch_norm is computed as batch_norm", out_modified));
    return fx__rules_apply(graph, rules, n, "batch normalisation is folded into the weights before it", out_modified);
}
