/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs on small integers, whose sums are exact in any order, compared bit for bit. */
#include "differential.h"
#include "harness.h"

START_TEST(small_integers_agree_bit_for_bit)
{
    fx_test_differential(100000, 800, true);
}
END_TEST

FX_TESTS("differential_exact", small_integers_agree_bit_for_bit)
