/* SPDX-License-Identifier: Apache-2.0 */
/* test/compare.h: the one rule by which results of different engines are compared. */
#ifndef FX_TEST_COMPARE_H
#define FX_TEST_COMPARE_H

#include "fxjit/types.h"

/* NULL when equal; else a sentence (static buffer) with the first differing element.
 * bound: per element, from fx_interpret_bound, plus one rounding of the dtype; NULL: bit for bit (any NaN equals any NaN). */
const char *fx_test_difference(const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound);

#endif
