/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_compare.c: fx_tensor_agrees: two tensors element by element, within bounds or units of the last place. */
#include "fxjit/bisect.h"
#include "runtime/ref.h"
#include <math.h>
#include <string.h>

static bool is_same_type(const fx_tensor *a, const fx_tensor *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d];
    return same;
}

/* Integers of 64 bits do not fit a double. */
static bool is_same_element(const fx_tensor *a, const fx_tensor *b, int64_t i)
{
    bool wide = (a->dtype == FX_I64 || a->dtype == FX_U64) && fx_tensor_is_contiguous(a) && fx_tensor_is_contiguous(b);
    if (wide) return ((const int64_t *)a->data)[i] == ((const int64_t *)b->data)[i];
    double x = fx_tensor_get(a, i), y = fx_tensor_get(b, i);
    return x == y || (isnan(x) && isnan(y));
}

static double ulps(fx_dtype dtype, double actual, double expected)
{
    static const int digits[FX_DTYPE_COUNT] = {[FX_F16] = 11, [FX_F32] = 24, [FX_F64] = 53, [FX_BF16] = 8};
    static const int smallest[FX_DTYPE_COUNT] = {[FX_F16] = -24, [FX_F32] = -149, [FX_F64] = -1074, [FX_BF16] = -133};
    int exponent;
    if (!fx_dtype_is_float(dtype) || actual == expected || (isnan(actual) && isnan(expected))) return 0;
    if (!isfinite(actual) || !isfinite(expected)) return (double)INFINITY;
    (void)frexp(expected, &exponent);
    int place = exponent - digits[dtype];
    return fabs(actual - expected) / ldexp(1, place > smallest[dtype] ? place : smallest[dtype]);
}

/* The bound is the expected value's; the actual one has been rounded once more to its type, by half a unit of the last place. */
static double last_rounding(fx_dtype dtype, double value)
{
    return fx__ref_eps(dtype) * fabs(value) + fx__ref_tiny(dtype) / 2;
}

static bool is_within(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, double ulp, int64_t i)
{
    if (is_same_element(actual, expected, i)) return true;
    double a = fx_tensor_get(actual, i), b = fx_tensor_get(expected, i);
    if (!bound) return fx_dtype_is_float(actual->dtype) && ulps(actual->dtype, a, b) <= ulp;
    double limit = fx_tensor_get(bound, i);
    return !(limit < (double)INFINITY) || (limit > 0 && fabs(a - b) <= limit + last_rounding(actual->dtype, b));
}

static void describe(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, int64_t element,
                     fx_difference *out)
{
    int64_t rest = out->element = element;
    for (int32_t d = out->rank; d-- > 0; rest /= expected->dim[d]) out->position[d] = rest % expected->dim[d];
    out->actual = fx_tensor_get(actual, element);
    out->expected = fx_tensor_get(expected, element);
    out->bound = bound ? fx_tensor_get(bound, element) : 0;
    out->ulp = ulps(out->dtype, out->actual, out->expected);
}

bool fx_tensor_agrees(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, double ulp, fx_difference *out)
{
    fx_difference unused;
    if (!out) out = &unused;
    *out = (fx_difference){
        .same_type = is_same_type(actual, expected), .element = -1, .rank = expected->rank, .dtype = expected->dtype};
    if (!out->same_type) return false;
    int64_t n = fx_tensor_elems(expected);
    for (int64_t i = 0; i < n; i++) {
        if (is_within(actual, expected, bound, ulp, i)) continue;
        describe(actual, expected, bound, i, out);
        return false;
    }
    return true;
}

const char *fx_bisect_form_name(fx_bisect_form form)
{
    static const char *const names[] = {"core graph", "graph", "program", "native code", "schedule", "threads"};
    return form <= FX_BISECT_THREADS ? names[form] : "?";
}
