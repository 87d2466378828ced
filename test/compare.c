/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"
#include "fxjit/bisect.h"
#include <math.h>
#include <stdio.h>

const char *fx_test_difference(const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound)
{
    static char text[256];
    fx_difference at;
    if (fx_tensor_agrees(actual, expected, bound, 0, &at)) return NULL;
    if (!at.same_type) return "dtype or shape differ";
    snprintf(text, sizeof text, "element %lld of %lld: expected %.9g, got %.9g, difference %.3g, bound %.3g", (long long)at.element,
             (long long)fx_tensor_elems(expected), at.expected, at.actual, fabs(at.expected - at.actual), at.bound);
    return text;
}
