/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_spelling.c: exporters and older code spell activations out as chains of arithmetic: gelu by erf or tanh, hardswish
 * by a clamp. Here such chains become one call, for which there are better kernels. Constants are compared, so a chain that only
 * looks alike stays as it is. */
#include "passes/rule.h"

/* Expressions with a hole, times what may stand there. */
typedef struct family {
    const char *const *outer, *const *inner;
    const char *replacement;
    fx_match_filter filter;
    fx_match_build build;
} family;

static const fx_type *type_of(const fx_match *match, const char *name)
{
    const fx_node *node = fx_match_node(match, name);
    return node ? fx_node_type(node, 0) : NULL;
}

/* Of one type with x, which is of floats: nothing was broadcast or converted on the way. */
static bool keeps_type_of_x(void *user, const fx_match *match)
{
    (void)user;
    const fx_type *type = type_of(match, "x");
    return type && fx_dtype_is_float(type->dtype) && fx__core_same_type(match->anchor, fx_match_node(match, "x"));
}

/* ---- gelu --------------------------------------------------------------------------------------------------------------- */

static const char *const erf_outer[] = {"mul(mul(x, add(erf(%s), 1)), 0.5)", "mul(mul(x, 0.5), add(erf(%s), 1))",
                                        "mul(x, mul(add(erf(%s), 1), 0.5))", "mul(x, add(mul(erf(%s), 0.5), 0.5))", NULL};
static const char *const erf_inner[] = {"div(x, 1.41421356237)", "mul(x, 0.70710678118)", NULL};

static const char *const tanh_outer[] = {"mul(mul(x, 0.5), add(tanh(mul(%s, 0.7978845608)), 1))",
                                         "mul(mul(x, add(tanh(mul(%s, 0.7978845608)), 1)), 0.5)",
                                         "mul(x, mul(add(tanh(mul(%s, 0.7978845608)), 1), 0.5))", NULL};
static const char *const tanh_inner[] = {"add(x, mul(pow(x, 3), 0.044715))", "add(x, mul(mul(mul(x, 0.044715), x), x))",
                                         "add(x, mul(mul(mul(x, x), x), 0.044715))", "mul(x, add(mul(mul(x, x), 0.044715), 1))",
                                         NULL};

static fx_node *tanh_gelu(void *user, fx_graph *graph, const fx_match *match)
{
    (void)user;
    fx_attr args[] = {*fx_match_value(match, "x"), fx_str(graph, "tanh")};
    return args[1].kind == FX_ATTR_NONE ? NULL : fx__core_call(match->anchor, "gelu", args, 2);
}

/* ---- The tables --------------------------------------------------------------------------------------------------------- */

static const family families[] = {
    {erf_outer, erf_inner, "gelu(x)", keeps_type_of_x, NULL},
    {tanh_outer, tanh_inner, NULL, keeps_type_of_x, tanh_gelu},
};

static const fx_rule rules[] = {
    {"div(clamp(add(x, 3), 0, 6), 6)", "hardsigmoid(x)", keeps_type_of_x, NULL, NULL},
    {"div(hardtanh(add(x, 3), 0, 6), 6)", "hardsigmoid(x)", keeps_type_of_x, NULL, NULL},
    {"div(relu6(add(x, 3)), 6)", "hardsigmoid(x)", keeps_type_of_x, NULL, NULL},
    {"div(mul(x, clamp(add(x, 3), 0, 6)), 6)", "hardswish(x)", keeps_type_of_x, NULL, NULL},
    {"div(mul(x, hardtanh(add(x, 3), 0, 6)), 6)", "hardswish(x)", keeps_type_of_x, NULL, NULL},
    {"div(mul(x, relu6(add(x, 3))), 6)", "hardswish(x)", keeps_type_of_x, NULL, NULL},
    {"mul(x, hardsigmoid(x))", "hardswish(x)", keeps_type_of_x, NULL, NULL},
    {"mul(x, sigmoid(x))", "silu(x)", keeps_type_of_x, NULL, NULL},
    {"mul(x, tanh(softplus(x)))", "mish(x)", keeps_type_of_x, NULL, NULL},
};

static const char rounding[] = "an activation that was written out is computed as one operator";

static fx_status apply_family(fx_graph *graph, const family *f, bool *out_modified)
{
    for (const char *const *outer = f->outer; *outer; outer++)
        for (const char *const *inner = f->inner; *inner; inner++) {
            fx_rule rule = {*outer, f->replacement, f->filter, f->build, *inner};
            FX_TRY(fx__rule_apply_exact(graph, &rule, rounding, out_modified));
        }
    return FX_OK;
}

fx_status fx__rewrite_spellings(fx_graph *graph, bool *out_modified)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) FX_TRY(apply_family(graph, &families[i], out_modified));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) FX_TRY(fx__rule_apply_exact(graph, &rules[i], rounding, out_modified));
    return FX_OK;
}
