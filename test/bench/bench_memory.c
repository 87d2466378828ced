/* SPDX-License-Identifier: Apache-2.0 */
/* How fast one thread reads memory that it has read before, by how much there is of it: what bounds a model whose weights are read
 * once in each run. Prints GB/s, best of some runs.
 *
 *     bench_memory */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 20, LANES = 16, CHAINS = 8, STEP = LANES * CHAINS };
static const size_t least_bytes = (size_t)512 << 10, most_bytes = (size_t)512 << 20;

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Independent sums, so that nothing but the loads takes time. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static float sum(const vector *data, size_t n)
{
    vector chain[CHAINS] = {{0}};
    for (size_t i = 0; i < n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++) chain[c] += data[i + (size_t)c];
    float total = 0;
    for (int c = 0; c < CHAINS; c++)
        for (int lane = 0; lane < LANES; lane++) total += chain[c][lane];
    return total;
}

static double read_gbps(const vector *data, size_t bytes)
{
    size_t n = bytes / sizeof *data, repeat = most_bytes / 8 / bytes + 1;
    double best = 0;
    volatile float sink = sum(data, n);
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        for (size_t r = 0; r < repeat; r++) sink += sum(data, n);
        double rate = 1e-9 * (double)(bytes * repeat) / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

int main(void)
{
    vector *data = aligned_alloc(STEP, most_bytes);
    if (!data) return 1;
    memset(data, 0, most_bytes);
    for (size_t bytes = least_bytes; bytes <= most_bytes; bytes *= 2)
        printf("%7.1f MB  %6.1f GB/s\n", (double)bytes / (1 << 20), read_gbps(data, bytes));
    free(data);
    return 0;
}
