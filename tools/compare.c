/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c: how far two tensors are apart. */
#include "tool.h"
#include <math.h>

static bool same_type(const fx_tensor *a, const fx_tensor *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++) same = a->dim[i] == b->dim[i];
    return same;
}

/* 0 for equal values, two NaNs among them; 64-bit integers, which do not fit a double, differ by 1 at least. */
static double difference(const fx_tensor *actual, const fx_tensor *expected, int64_t i)
{
    bool is_wide = actual->dtype == FX_I64 || actual->dtype == FX_U64;
    if (is_wide && fx_tensor_is_contiguous(actual) && fx_tensor_is_contiguous(expected)) {
        int64_t a = ((const int64_t *)actual->data)[i], b = ((const int64_t *)expected->data)[i];
        double apart = fabs(fx_tensor_get(actual, i) - fx_tensor_get(expected, i));
        return a == b ? 0 : fmax(1, apart);
    }
    double a = fx_tensor_get(actual, i), b = fx_tensor_get(expected, i);
    if (a == b || (isnan(a) && isnan(b))) return 0;
    return isnan(a) || isnan(b) ? (double)INFINITY : fabs(a - b);
}

static double ratio_of(double d, double tolerance)
{
    if (d == 0) return 0;
    return tolerance > 0 && isfinite(tolerance) ? d / tolerance : (double)INFINITY;
}

tool_error tool_compare(const fx_tensor *actual, const fx_tensor *expected, double rtol, double atol)
{
    tool_error e = {.same_type = same_type(actual, expected)};
    int64_t n = e.same_type ? fx_tensor_elems(expected) : 0;
    bool exact = !fx_dtype_is_float(expected->dtype);
    double scale = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = difference(actual, expected, i), b = fabs(fx_tensor_get(expected, i));
        double ratio = ratio_of(d, exact ? 0 : atol + rtol * b);
        if (isfinite(b) && b > scale) scale = b;
        if (d > e.max_abs) e.max_abs = d;
        if (ratio <= e.ratio) continue;
        e.ratio = ratio;
        e.worst = i;
    }
    if (n == 0) return e;
    e.max_rel = e.max_abs == 0 ? 0 : scale > 0 ? e.max_abs / scale : (double)INFINITY;
    e.actual = fx_tensor_get(actual, e.worst);
    e.expected = fx_tensor_get(expected, e.worst);
    return e;
}
