/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_reduce.c: losses over classes, order statistics, and functions whose constants depend on dims or dtype. */
#include "passes/spell.h"
#include <math.h>
#include <string.h>

#define EVALUATE(node, names, expression, out, ...) fx__spell_evaluate(node, names, (fx_attr[]){__VA_ARGS__}, expression, out)

/* ---- Losses over classes
 * --------------------------------------------------------------------------------------------------------- */

enum { INPUT, TARGET, WEIGHT, SIZE_AVERAGE, IGNORED, REDUCE, REDUCTION, SMOOTHING };

/* What the expressions below are of. x: log probabilities; c: the dim of classes; n: their number; mask: what counts; safe: the
 * classes, 0 where they do not count; share: how much each counts. */
#define NAMES "x target weight ignored c mask safe share n"

static fx_spelled prepare(fx_node *node, fx_attr v[9])
{
    if (fx__spell_evaluate(node, NAMES, v, "ne(target, ignored)", &v[5]) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (fx__spell_evaluate(node, NAMES, v, "where(mask, target, 0)", &v[6]) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    const char *share = v[2].kind == FX_ATTR_NONE ? "cast(mask, dtype(x))" : "where(mask, take(weight, safe), 0.0)";
    return fx__spell_evaluate(node, NAMES, v, share, &v[7]);
}

#define OF_CLASS "neg(squeeze(gather(x, c, unsqueeze(safe, c)), [c]))"

/* loss by element and what the mean divides by, then reduced */
static fx_spelled finish(fx_node *node, const fx_attr *how, fx_attr loss, fx_attr share, fx_attr *out)
{
    bool is_mean = how->kind == FX_ATTR_STR ? strcmp(how->u.s, "mean") == 0 : how->u.i == 1;
    return is_mean ? EVALUATE(node, "x share", "div(sum(x), sum(share))", out, loss, share)
                   : EVALUATE(node, "x how", "reduced(x, how)", out, loss, *how);
}

static fx_spelled nll(fx_node *node, const fx_attr *arg, fx_attr x, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &x);
    if (!type) return FX_SPELL_FAILED;
    fx_attr v[] = {x, arg[TARGET], arg[WEIGHT], arg[IGNORED], fx_int(type->rank > 1), fx_none(), fx_none(), fx_none(), fx_none()};
    fx_attr loss, smooth;
    if (type->rank == 0) return fx__spell_fail(node, "there are no classes");
    v[8] = fx_dim_attr(type->dim[type->rank > 1]);
    if (prepare(node, v) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (fx__spell_evaluate(node, NAMES, v, "where(mask, mul(" OF_CLASS ", share), 0.0)", &loss) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    if (!(arg[SMOOTHING].u.f > 0)) return finish(node, &arg[REDUCTION], loss, v[7], out);
    const int64_t sizes[FX_RANK] = {-1, 1, 1, 1, 1, 1, 1, 1};
    fx_attr along = fx_ints(node->graph, sizes, type->rank - (type->rank > 1));
    const char *all = v[2].kind == FX_ATTR_NONE ? "neg(sum(x, [c]))" : "neg(sum(mul(x, reshape(weight, along)), [c]))";
    fx_spelled done = EVALUATE(node, "x c weight along", all, &smooth, x, v[4], v[2], along);
    if (done == FX_SPELL_DONE)
        done = EVALUATE(node, "loss smooth mask e n", "add(mul(loss, sub(1.0, e)), mul(where(mask, smooth, 0.0), div(e, n)))",
                        &loss, loss, smooth, v[5], arg[SMOOTHING], v[8]);
    return done == FX_SPELL_DONE ? finish(node, &arg[REDUCTION], loss, v[7], out) : done;
}

fx_spelled fx__spell_build_nll(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    return nll(node, arg, arg[INPUT], out);
}

/* The target gives a probability for each class. */
static fx_spelled soft_entropy(fx_node *node, const fx_attr *arg, const fx_type *type, fx_attr logs, fx_attr *out)
{
    int32_t c = type->rank > 1;
    fx_attr weighted = logs, loss;
    const int64_t sizes[FX_RANK] = {-1, 1, 1, 1, 1, 1, 1, 1};
    fx_attr along = fx_ints(node->graph, sizes, type->rank - c), e = arg[SMOOTHING];
    if (arg[WEIGHT].kind != FX_ATTR_NONE &&
        EVALUATE(node, "x weight along", "mul(x, reshape(weight, along))", &weighted, logs, arg[WEIGHT], along) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    const char *of =
        e.u.f > 0 ? "neg(sum(mul(x, add(mul(target, sub(1.0, e)), div(e, n))), [c]))" : "neg(sum(mul(x, target), [c]))";
    if (EVALUATE(node, "x target e n c", of, &loss, weighted, arg[TARGET], e, fx_dim_attr(type->dim[c]), fx_int(c)) !=
        FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    return EVALUATE(node, "x how", "reduced(x, how)", out, loss, arg[REDUCTION]);
}

fx_spelled fx__spell_build_cross_entropy(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[INPUT]), *target = fx__spell_type(node, &arg[TARGET]);
    fx_attr logs;
    if (!type || !target) return FX_SPELL_FAILED;
    if (type->rank == 0) return fx__spell_fail(node, "there are no classes");
    if (EVALUATE(node, "x c", "log_softmax(x, c)", &logs, arg[INPUT], fx_int(type->rank > 1)) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    return fx_dtype_is_float(target->dtype) ? soft_entropy(node, arg, type, logs, out) : nll(node, arg, logs, out);
}

/* ---- Order statistics
 * ------------------------------------------------------------------------------------------------------------ */

/* The k-th smallest of a dim, counted from 0, and where it stands. */
static fx_spelled take_kth(fx_node *node, fx_attr x, int32_t dim, int64_t k, bool keepdim, fx_attr pair[2])
{
    fx_attr sorted;
    if (EVALUATE(node, "x dim", "sort(x, dim)", &sorted, x, fx_int(dim)) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    for (int i = 0; i < 2; i++) {
        const char *take = keepdim ? "slice(getitem(x, i), dim, k, end)" : "select(getitem(x, i), dim, k)";
        if (EVALUATE(node, "x i dim k end", take, &pair[i], sorted, fx_int(i), fx_int(dim), fx_int(k), fx_int(k + 1)) !=
            FX_SPELL_DONE)
            return FX_SPELL_FAILED;
    }
    return FX_SPELL_DONE;
}

/* A median of what holds NaN is NaN, and stands where the first one does. */
static fx_spelled spread_nan(fx_node *node, fx_attr x, int32_t dim, bool keepdim, fx_attr pair[2])
{
    const fx_type *type = fx__spell_type(node, &x);
    if (!type || !fx_dtype_is_float(type->dtype)) return type ? FX_SPELL_DONE : FX_SPELL_FAILED;
    const fx_attr values[] = {x, fx_int(dim), fx_bool(keepdim), pair[0], pair[1]};
    const char *names = "x dim keep value place";
    fx_spelled done =
        fx__spell_evaluate(node, names, values, "where(any(isnan(x), [dim], keep), argmax(x, dim, keep), place)", &pair[1]);
    if (done != FX_SPELL_DONE) return done;
    return fx__spell_evaluate(node, names, values, "where(any(isnan(x), [dim], keep), sum(x, [dim], keep), value)", &pair[0]);
}

/* kthvalue(k, dim), median(dim), median() */
fx_spelled fx__spell_build_kth(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr x = arg[0], pair[2];
    const fx_type *type = fx__spell_type(node, &x);
    bool is_median = fx__spell_is_called(node, "median");
    bool is_whole = is_median && (node->args.n + node->kwargs.n == 1);
    if (!type) return FX_SPELL_FAILED;
    bool is_scalar = type->rank == 0; /* as of one element, whose dim goes again */
    if ((is_whole || is_scalar) && EVALUATE(node, "x", "reshape(x, [-1])", &x, x) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    type = fx__spell_type(node, &x);
    int32_t dim = is_whole ? 0 : fx__spell_dim(node, arg[is_median ? 1 : 2].u.i, type->rank);
    if (dim < 0) return FX_SPELL_FAILED;
    if (!fx_dim_is_const(type->dim[dim]) || type->dim[dim] < 1)
        return fx__spell_fail(node, "the number of elements is not constant, or 0");
    int64_t n = type->dim[dim], k = is_median ? (n - 1) / 2 : arg[1].u.i - 1;
    bool keepdim = !is_whole && !is_scalar && arg[is_median ? 2 : 3].u.i;
    if (k < 0 || k >= n) return fx__spell_fail(node, "k is larger than the number of elements");
    if (take_kth(node, x, dim, k, keepdim, pair) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (is_median && spread_nan(node, x, dim, keepdim, pair) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    if (is_whole) return *out = pair[0], FX_SPELL_DONE;
    return EVALUATE(node, "pair", "tuple(pair)", out, fx_list(node->graph, pair, 2));
}

/* Between two of the sorted elements, as their distances say. */
fx_spelled fx__spell_build_quantile(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    fx_attr x = arg[0], low[2], high[2];
    bool is_whole = arg[2].kind == FX_ATTR_NONE, keepdim = !is_whole && arg[3].u.i;
    if (is_whole && EVALUATE(node, "x", "reshape(x, [-1])", &x, x) != FX_SPELL_DONE) return FX_SPELL_FAILED;
    const fx_type *type = fx__spell_type(node, &x);
    int32_t dim = type ? fx__spell_dim(node, is_whole ? 0 : arg[2].u.i, type->rank) : -1;
    if (dim < 0) return FX_SPELL_FAILED;
    if (type->rank == 0 || !fx_dim_is_const(type->dim[dim]) || type->dim[dim] < 1)
        return fx__spell_fail(node, "the number of elements is not constant, or 0");
    double q = arg[1].u.f, at = q * (double)(type->dim[dim] - 1);
    if (!(q >= 0 && q <= 1)) return fx__spell_fail(node, "q lies outside 0 to 1");
    int64_t below = (int64_t)at, above = below + (at > (double)below);
    if (take_kth(node, x, dim, below, keepdim, low) != FX_SPELL_DONE ||
        take_kth(node, x, dim, above, keepdim, high) != FX_SPELL_DONE ||
        EVALUATE(node, "a b part", "lerp(a, b, part)", &low[0], low[0], high[0], fx_float(at - (double)below)) != FX_SPELL_DONE ||
        spread_nan(node, x, dim, keepdim, low) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    *out = low[0];
    return FX_SPELL_DONE;
}

/* ---- Others
 * ---------------------------------------------------------------------------------------------------------------------- */

/* Parts of a dim are made shorter than maxnorm. */
fx_spelled fx__spell_build_renorm(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int32_t dim = type ? fx__spell_dim(node, arg[2].u.i, type->rank) : -1, n = 0;
    int64_t dims[FX_RANK];
    fx_attr norm;
    if (dim < 0) return FX_SPELL_FAILED;
    for (int32_t d = 0; d < type->rank; d++)
        if (d != dim) dims[n++] = d;
    if (n == 0) return fx__spell_fail(node, "a tensor of less than 2 dims");
    if (EVALUATE(node, "x p dims", "norm(x, p, dims, True)", &norm, arg[0], arg[1], fx_ints(node->graph, dims, n)) != FX_SPELL_DONE)
        return FX_SPELL_FAILED;
    return EVALUATE(node, "x norm most", "mul(x, where(gt(norm, most), div(most, add(norm, 1e-7)), 1.0))", out, arg[0], norm,
                    arg[3]);
}

static double largest_of(fx_dtype dtype)
{
    return dtype == FX_F16 ? 65504.0 : dtype == FX_F64 ? 0x1.fffffffffffffp1023 : dtype == FX_BF16 ? 0x1.fep127 : 0x1.fffffep127;
}

fx_spelled fx__spell_build_nan_to_num(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    *out = arg[0];
    if (!fx_dtype_is_float(type->dtype)) return FX_SPELL_DONE;
    double most = largest_of(type->dtype);
    const fx_attr nan = arg[1].kind == FX_ATTR_NONE ? fx_float(0) : arg[1],
                  high = arg[2].kind == FX_ATTR_NONE ? fx_float(most) : arg[2],
                  low = arg[3].kind == FX_ATTR_NONE ? fx_float(-most) : arg[3];
    return EVALUATE(node, "x nan high low",
                    "where(isnan(x), nan, where(isinf(x), where(gt(x, 0), high, where(lt(x, 0), low, x)), x))", out, arg[0], nan,
                    high, low);
}
