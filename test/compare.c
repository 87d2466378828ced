/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"
#include "runtime/ref.h"
#include <math.h>
#include <string.h>

/* Half a unit of the last place: the bound is the expected value's, and the actual one has been rounded once more. */
static double last_rounding(fx_dtype dtype, double value)
{
    return fx__ref_eps(dtype) * fabs(value) + fx__ref_tiny(dtype) / 2;
}

/* An infinite bound says that nothing is known of this element, whatever it is. */
static bool equal(double expected, double actual, double bound)
{
    if (bound == INFINITY) return true;
    if (isnan(expected) || isnan(actual)) return isnan(expected) && isnan(actual);
    if (isinf(expected) || isinf(actual)) return expected == actual;
    return fabs(expected - actual) <= bound;
}

const char *fx_test_difference(const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound)
{
    static char text[256];
    if (expected->dtype != actual->dtype || expected->rank != actual->rank ||
        memcmp(expected->dim, actual->dim, (size_t)expected->rank * sizeof expected->dim[0]) != 0)
        return "dtype or shape differ";
    int64_t n = fx_tensor_elems(expected);
    for (int64_t i = 0; i < n; i++) {
        double e = fx_tensor_get(expected, i), a = fx_tensor_get(actual, i);
        double b = bound ? fx_tensor_get(bound, i) + last_rounding(expected->dtype, e) : 0;
        if (isnan(b)) b = INFINITY;
        if (equal(e, a, b)) continue;
        snprintf(text, sizeof text, "element %lld of %lld: expected %.9g, got %.9g, difference %.3g, bound %.3g", (long long)i,
                 (long long)n, e, a, fabs(e - a), b);
        return text;
    }
    return NULL;
}
