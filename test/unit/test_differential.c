/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs on real numbers, compared within the bound that the interpreter carries. */
#include "differential.h"
#include "harness.h"

START_TEST(real_numbers_agree_within_the_bound)
{
    fx_test_differential(0, 860, false);
}
END_TEST

FX_TESTS("differential", real_numbers_agree_within_the_bound)
