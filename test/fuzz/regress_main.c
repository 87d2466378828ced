/* SPDX-License-Identifier: Apache-2.0 */
/* regress_main.c: a fuzz target as a plain test: every file of the folders given, whole, cut at each 64th byte, and with seeded bit
 * flips. A crash, a sanitizer's report or an abort is the failure. */
#include "fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUT = 64, FLIPS = 400 };

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In memory of exactly this size, so that a read behind it is seen. */
static void run_part(const uint8_t *data, size_t bytes)
{
    uint8_t *part = malloc(bytes ? bytes : 1);
    if (!part) abort();
    if (bytes) memcpy(part, data, bytes);
    (void)LLVMFuzzerTestOneInput(part, bytes);
    free(part);
}

static void run_variants(uint8_t *data, size_t bytes)
{
    uint64_t seed = bytes;
    run_part(data, bytes);
    for (size_t n = 0; n < bytes; n += CUT) run_part(data, n);
    for (int i = 0; i < FLIPS && bytes; i++) {
        uint64_t bit = next_random(&seed) % (8 * bytes);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        run_part(data, bytes);
        if (i % 16) data[bit / 8] ^= (uint8_t)(1u << bit % 8); /* some damage stays */
    }
}

static int run_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return 1;
    fseek(in, 0, SEEK_END);
    long size = ftell(in);
    rewind(in);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    size_t bytes = data && size > 0 ? fread(data, 1, (size_t)size, in) : 0;
    fclose(in);
    if (data) run_variants(data, bytes);
    free(data);
    return 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
    struct dirent **entries;
    char path[4096];
    int failed = 0, n = scandir(folder, &entries, visible, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        failed += run_file(path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    printf("%s: %d files\n", folder, n);
    return n < 1 || failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) failed += run_folder(argv[i]);
    return failed ? 1 : 0;
}
