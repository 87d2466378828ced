/* SPDX-License-Identifier: Apache-2.0 */
/* ir/saturate.h: counts of bytes and operations that stay at the largest number instead of overflowing: sizes that a file claims may be
 * near the end of what a number holds. */
#ifndef FX_IR_SATURATE_H
#define FX_IR_SATURATE_H

#include <stdint.h>

/* Of numbers that are not negative. */
static inline int64_t fx__saturate_add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static inline int64_t fx__saturate_mul(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

#endif
