/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_layer_norm.c: layer normalisation as exporters write it out, mean, variance, quotient, gain and bias, becomes one
 * call: one kernel that reads its rows once instead of five times. */
#include "passes/rule.h"

enum { X, SHAPE, WEIGHT, BIAS, EPS, CUDNN, N_ARGS }; /* of layer_norm */

/* The dims of mean(x, dims, True, None) are the last ones of x; their number, or 0. */
static int32_t trailing_dims(const fx_node *mean)
{
    const fx_node *x = fx__rule_node(mean, 0);
    const fx_type *type = x ? fx_node_type(x, 0) : NULL;
    const fx_attr *dims = fx__arg(mean, 1), *keep = fx__arg(mean, 2);
    if (!type || dims->n < 1 || dims->n > type->rank || !keep->u.i || fx__arg(mean, 3)->kind != FX_ATTR_NONE) return 0;
    uint32_t seen = 0;
    for (int32_t i = 0; i < dims->n; i++) {
        if (dims->u.items[i].kind != FX_ATTR_INT) return 0;
        int64_t d = dims->u.items[i].u.i + (dims->u.items[i].u.i < 0 ? type->rank : 0);
        if (d < type->rank - dims->n || d >= type->rank) return 0;
        seen |= UINT32_C(1) << d;
    }
    return __builtin_popcount(seen) == dims->n ? dims->n : 0;
}

static bool is_number(const fx_attr *value, double wanted)
{
    return (value->kind == FX_ATTR_INT && (double)value->u.i == wanted) || (value->kind == FX_ATTR_FLOAT && value->u.f == wanted);
}

/* What the pattern's first call of this operator, other than the anchor, has matched. */
static const fx_node *first_of(const fx_match *match, fx_op_code code)
{
    const fx_node *pattern = match->pattern->first;
    for (int32_t i = 0; i < match->n_nodes; i++, pattern = pattern->next)
        if (pattern->opcode == FX_CALL_FUNCTION && match->nodes[i] != match->anchor && fx__op_is(match->nodes[i], code))
            return match->nodes[i];
    return NULL;
}

/* Every mean goes over the same last dims, differences and sums are not scaled, the power is a square. */
static bool is_norm(void *user, const fx_match *match)
{
    (void)user;
    int32_t n = 0;
    const fx_node *pattern = match->pattern->first;
    for (int32_t i = 0; i < match->n_nodes; i++, pattern = pattern->next) {
        const fx_node *node = match->nodes[i];
        if (pattern->opcode != FX_CALL_FUNCTION) continue;
        bool scaled = fx__op_is(node, FX_OP_add) || fx__op_is(node, FX_OP_sub);
        if (scaled && !is_number(fx__arg(node, 2), 1)) return false;
        if (fx__op_is(node, FX_OP_pow) && !is_number(fx__arg(node, 1), 2)) return false;
        if (fx__op_is(node, FX_OP_div) && fx__arg(node, 2)->kind != FX_ATTR_NONE) return false;
        if (!fx__op_is(node, FX_OP_mean)) continue;
        int32_t dims = trailing_dims(node);
        if (dims == 0 || (n != 0 && dims != n)) return false;
        n = dims;
    }
    const fx_attr *eps = fx__arg(first_of(match, FX_OP_add), 1);
    return n > 0 && (eps->kind == FX_ATTR_FLOAT || eps->kind == FX_ATTR_INT);
}

static fx_node *make_norm(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    const fx_node *mean = first_of(match, FX_OP_mean), *add = first_of(match, FX_OP_add);
    fx_node *x = fx__rule_node(first_of(match, FX_OP_sub), 0);
    const fx_type *type = fx_node_type(x, 0);
    int32_t n = fx__arg(mean, 1)->n;
    const fx_attr *eps = fx__arg(add, 1);
    fx_attr dims[FX_RANK];
    for (int32_t d = 0; d < n; d++) dims[d] = fx_dim_attr(type->dim[type->rank - n + d]);
    const fx_attr args[N_ARGS] = {[X] = fx_node_attr(x),
                                  [SHAPE] = fx_list(graph, dims, n),
                                  [EPS] = eps->kind == FX_ATTR_INT ? fx_float((double)eps->u.i) : *eps};
    return fx__core_call(match->anchor, "layer_norm", args, EPS + 1);
}

/* A gain or bias has the normalised shape, and the norm's dtype. */
static bool is_parameter(const fx_node *norm, const fx_node *value)
{
    const fx_type *out = norm ? fx_node_type(norm, 0) : NULL, *type = value ? fx_node_type(value, 0) : NULL;
    if (!out || !type || type->dtype != out->dtype || type->rank != fx__arg(norm, SHAPE)->n) return false;
    for (int32_t d = 0; d < type->rank; d++)
        if (type->dim[d] != out->dim[out->rank - type->rank + d]) return false;
    return true;
}

static const fx_node *norm_of(const fx_match *match)
{
    return first_of(match, FX_OP_layer_norm);
}

static fx_node *parameter_of(const fx_match *match)
{
    const fx_node *norm = norm_of(match);
    fx_node *a = fx__rule_node(match->anchor, 0), *b = fx__rule_node(match->anchor, 1);
    return a == norm ? b : a;
}

static bool fits(void *user, const fx_match *match)
{
    (void)user;
    if (fx__op_is(match->anchor, FX_OP_add) && !is_number(fx__arg(match->anchor, 2), 1)) return false;
    return is_parameter(norm_of(match), parameter_of(match));
}

static fx_node *add_parameter(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    (void)graph;
    const fx_node *norm = norm_of(match);
    fx_attr args[N_ARGS];
    for (int32_t i = 0; i < N_ARGS; i++) args[i] = *fx__arg(norm, i);
    args[fx__op_is(match->anchor, FX_OP_mul) ? WEIGHT : BIAS] = fx_node_attr(parameter_of(match));
    return fx__core_call(match->anchor, "layer_norm", args, N_ARGS);
}

#define CENTRED "sub(x, mean(x, [0], True))"
#define VARIANCE_OF(square) "add(mean(" square ", [0], True), 0.1)"
#define POWER VARIANCE_OF("pow(" CENTRED ", 2)")
#define PRODUCT VARIANCE_OF("mul(" CENTRED ", " CENTRED ")")
#define SQUARE VARIANCE_OF("square(" CENTRED ")")

static const fx_rule rules[] = {
    {"div(" CENTRED ", sqrt(" POWER "))", NULL, is_norm, make_norm, NULL},
    {"mul(" CENTRED ", rsqrt(" POWER "))", NULL, is_norm, make_norm, NULL},
    {"div(" CENTRED ", sqrt(" PRODUCT "))", NULL, is_norm, make_norm, NULL},
    {"mul(" CENTRED ", rsqrt(" PRODUCT "))", NULL, is_norm, make_norm, NULL},
    {"div(" CENTRED ", sqrt(" SQUARE "))", NULL, is_norm, make_norm, NULL},
    {"mul(" CENTRED ", rsqrt(" SQUARE "))", NULL, is_norm, make_norm, NULL},
    {"mul(layer_norm(x, [0], None, None), w)", NULL, fits, add_parameter, NULL},
    {"add(layer_norm(x, [0], w, None), b)", NULL, fits, add_parameter, NULL},
};

static const char rounding[] = "a layer normalisation that was written out is computed as one operator";

fx_status fx__rewrite_layer_norms(fx_graph *graph, bool *out_modified)
{
    return fx__rules_apply(graph, rules, (int32_t)(sizeof rules / sizeof rules[0]), rounding, out_modified);
}
