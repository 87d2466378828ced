/* SPDX-License-Identifier: Apache-2.0 */
/* ir/nearest.c: what somebody who mistyped a word perhaps meant. */
#include "ir/nearest.h"
#include <string.h>

enum { LONGEST = 100 };

int fx__nearest_distance(const char *a, const char *b)
{
    int rows[3][LONGEST + 1], *before = rows[0], *above = rows[1], *row = rows[2];
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t j = 0; j <= m; j++) above[j] = before[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
        }
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

const char *fx_nearest_word(const char *word, const char *const *names, int32_t n)
{
    const char *best = NULL;
    int least = 1 + (int)strlen(word) / 2;
    for (int32_t i = 0; i < n; i++) {
        int d = fx__nearest_distance(word, names[i]);
        if (d >= least) continue;
        least = d;
        best = names[i];
    }
    return best;
}
