/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_special.c: spellings whose numbers need more than one formula: the tail of the error function, and running sums of
 * exponentials of any size. */
#include "passes/spell.h"

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

/* ---- The tail of the error function -------------------------------------------------------------------------------------------
 */

/* erfc(z) exp(z^2) (2 + z) / 2 as a polynomial of s = (2 - z) / (2 + z), which goes from 1 at z = 0 to -1: Chebyshev interpolation
 * of values with 60 digits, the highest power first. Relative error of the whole below 1e-13, most of it from exp. */
static const double tail[] = {3.8998439863678952e-08,  -1.6779744154995396e-08, -3.0768465616607242e-07, 3.1373149665471689e-07,
                              9.88990688624437e-07,    -2.163348004354962e-06,  -5.3522821222681396e-07, 8.2996485465021887e-06,
                              -1.0868096759557897e-05, -1.718362300975752e-05,  7.2243262118425793e-05,  -1.7153828697554924e-05,
                              -0.00033153855320613334, 0.00041864234849513292,  0.0015453062581772974,   -0.00323959197089751,
                              -0.010755330959019404,   0.018221115727628485,    0.13973604627836064,     0.34358034220725653,
                              0.51079135262101016};

/* In f64: beside 1, what erf leaves is nothing. Beyond 30 the tail is 0 in any type. */
static fx_spelled tail_of(fx_node *node, fx_attr x, fx_attr *out)
{
    fx_attr z, s, sum = fx_float(tail[0]);
    if (EVALUATE(node, "x", "clamp_max(abs(x), 30)", &z, x) != FX_SPELL_DONE ||
        EVALUATE(node, "z", "div(rsub(z, 2), add(z, 2))", &s, z) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    for (size_t i = 1; i < sizeof tail / sizeof tail[0]; i++)
        if (EVALUATE(node, "s sum c", "add(mul(s, sum), c)", &sum, s, sum, fx_float(tail[i])) != FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    fx_spelled done = EVALUATE(node, "z sum", "mul(exp(neg(mul(z, z))), mul(sum, div(2, add(z, 2))))", &sum, z, sum);
    if (done != FX_SPELL_DONE) return done;
    return EVALUATE(node, "x tail", "where(lt(x, 0), rsub(tail, 2), tail)", out, x, sum);
}

/* erfc, and ndtr: half the tail of -x / sqrt(2) */
fx_spelled fx__spell_build_erfc(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    bool is_normal = fx__spell_is_called(node, "ndtr") || fx__spell_is_called(node, "special_ndtr");
    fx_attr x;
    if (!type) return FX_SPELL_FAILED;
    fx_attr dtype = fx_dtype_attr(fx_dtype_is_float(type->dtype) ? type->dtype : FX_F32);
    const char *argument = is_normal ? "mul(cast(x, f64), -0.7071067811865476)" : "cast(x, f64)";
    if (EVALUATE(node, "x", argument, &x, arg[0]) != FX_SPELL_DONE || tail_of(node, x, &x) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    return EVALUATE(node, "x dtype", is_normal ? "cast(mul(x, 0.5), dtype)" : "cast(x, dtype)", out, x, dtype);
}

/* ---- Running sums of exponentials ---------------------------------------------------------------------------------------------
 */

/* Each element joined with the one `shift` before it. */
static fx_spelled join_shifted(fx_node *node, int32_t at, int64_t shift, fx_attr *x)
{
    int64_t pads[2 * FX_RANK] = {0};
    fx_attr before;
    pads[at] = shift, pads[at + 1] = -shift;
    if (EVALUATE(node, "x pads", "constant_pad_nd(x, pads, -1e999)", &before, *x, fx_ints(node->graph, pads, at + 2)) !=
        FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    return EVALUATE(node, "self other", FX_SPELL_LOGADDEXP, x, before, *x);
}

/* In rounds of doubled distance: one maximum for the whole row would lose what lies far below it. */
fx_spelled fx__spell_build_logcumsumexp(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int32_t dim = type ? fx__spell_dim(node, arg[1].u.i, type->rank) : -1;
    if (dim < 0) return FX_SPELL_FAILED;
    *out = arg[0];
    if (type->rank == 0) return FX_SPELL_DONE;
    if (!fx_dim_is_const(type->dim[dim])) return fx__spell_fail(node, "its dim has a symbolic size");
    for (int64_t shift = 1; shift < type->dim[dim]; shift *= 2)
        if (join_shifted(node, 2 * (type->rank - 1 - dim), shift, out) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    return FX_SPELL_DONE;
}
