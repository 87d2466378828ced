/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's measurement: plausible and ordered as memory is, kept whole or not at all, and read again only where it belongs. */
#include "fxjit/profile.h"
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char cache[64];

static void use_new_cache(void)
{
    snprintf(cache, sizeof cache, "/tmp/fxjit_machine_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(cache));
    ck_assert_int_eq(setenv("XDG_CACHE_HOME", cache, 1), 0);
}

/* How many files there are, and the name of the last. */
static int find_file(char path[256])
{
    char command[128];
    int n = 0;
    snprintf(command, sizeof command, "find %s -type f", cache);
    FILE *in = popen(command, "r");
    while (fgets(path, 256, in)) {
        path[strcspn(path, "\n")] = 0;
        n++;
    }
    pclose(in);
    return n;
}

static void drop_cache(void)
{
    char path[256], folder[80];
    while (find_file(path) > 0) ck_assert_int_eq(unlink(path), 0);
    snprintf(folder, sizeof folder, "%s/fxjit", cache);
    rmdir(folder);
    ck_assert_int_eq(rmdir(cache), 0);
}

static fx_machine invented(fx_context *context)
{
    fx_machine m;
    ck_assert_int_eq(fx_machine_read(context, &m), FX_E_NOT_FOUND); /* fills in what needs no measurement */
    m.clock_ghz = 2.5;
    m.measured = 1234567890;
    for (int i = 0; i < 2; i++) {
        m.gflops[i] = 100 * (i + 1);
        for (int level = 0; level < FX_MACHINE_LEVELS; level++) m.level[level].read_gbps[i] = (i + 1) * 80.5 / (level + 1);
    }
    return m;
}

START_TEST(measurements_are_plausible)
{
    fx_context *context = fx_context_new();
    fx_machine m;
    CHECK_OK(context, fx_machine_measure(context, &m));
    ck_assert(m.threads >= 1 && m.clock_ghz > 0.2 && m.clock_ghz < 10 && strlen(m.cpu) > 0 && m.measured > 1600000000);
    ck_assert(m.gflops[0] > 1 && m.gflops[1] > 0.5 * m.gflops[0]);
    ck_assert(m.gflops[0] < 400 * m.clock_ghz); /* 4 units of 512 bits */
    int64_t inner = 0;
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) {
        if (m.level[i].bytes == 0) continue;
        ck_assert(m.level[i].bytes > inner && m.level[i].read_gbps[0] > 0.1 && m.level[i].read_gbps[1] > 0.1);
        inner = m.level[i].bytes;
    }
    ck_assert(m.level[0].read_gbps[0] > m.level[FX_MACHINE_LEVELS - 1].read_gbps[0]);
    ck_assert(m.level[0].read_gbps[0] < 300 * m.clock_ghz); /* 4 loads of 512 bits in a cycle */
    fx_context_free(context);
}
END_TEST

START_TEST(what_was_kept_is_read)
{
    fx_context *context = fx_context_new();
    char path[256];
    use_new_cache();
    fx_machine m = invented(context), again;
    CHECK_OK(context, fx_machine_write(context, &m));
    CHECK_OK(context, fx_machine_write(context, &m)); /* in the place of the first */
    ck_assert_int_eq(find_file(path), 1);
    CHECK_OK(context, fx_machine_read(context, &again));
    ck_assert_str_eq(again.cpu, m.cpu);
    ck_assert_int_eq(again.measured, m.measured);
    ck_assert(again.clock_ghz == m.clock_ghz && again.gflops[0] == 100 && again.gflops[1] == 200);
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) {
        ck_assert(again.level[i].bytes == m.level[i].bytes);
        ck_assert_double_eq_tol(again.level[i].read_gbps[1], m.level[i].read_gbps[1], 1e-3);
    }
    drop_cache();
    fx_context_free(context);
}
END_TEST

static void damage(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
}

START_TEST(what_does_not_belong_is_not_read)
{
    fx_context *context = fx_context_new();
    char path[256], text[512];
    use_new_cache();
    fx_machine m = invented(context), again;
    CHECK_OK(context, fx_machine_write(context, &m));
    find_file(path);
    const char *const wrong[] = {"", "fxjit 0.0.0\n", "fxjit 0.1.0\ncpu another\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        damage(path, wrong[i]);
        ck_assert_int_eq(fx_machine_read(context, &again), FX_E_NOT_FOUND);
    }
    snprintf(text, sizeof text,
             "fxjit 0.1.0\ncpu %s\nthreads %d\nmeasured 1 clock 2 gflops 1 2\nL1 1 2\nL2 1 nan\nL3 1 2\nDRAM 1 2\n", m.cpu,
             (int)m.threads);
    damage(path, text);
    ck_assert_int_eq(fx_machine_read(context, &again), FX_E_NOT_FOUND);
    ck_assert_int_eq(fx_context_diag_count(context), 0);
    memcpy(strstr(text, "nan"), "9.5", 3);
    damage(path, text);
    CHECK_OK(context, fx_machine_read(context, &again)); /* the text was right but for that */
    ck_assert(again.level[1].read_gbps[1] == 9.5);
    drop_cache();
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    ck_assert_int_eq(fx_machine_write(context, &m), FX_E_IO);
    CHECK_DIAG(context, "/proc/nowhere");
    fx_context_free(context);
}
END_TEST

START_TEST(bytes_find_their_level)
{
    fx_machine m = {
        .threads = 4,
        .level = {{"L1", 1000, {90, 360}}, {"L2", 10000, {60, 240}}, {"L3", 100000, {30, 80}}, {"DRAM", 1 << 30, {9, 20}}}};
    ck_assert(fx_machine_gbps(&m, 1000, false) == 90 && fx_machine_gbps(&m, 1001, false) == 60);
    ck_assert(fx_machine_gbps(&m, 4000, true) == 360 && fx_machine_gbps(&m, 40001, true) == 80);
    ck_assert(fx_machine_gbps(&m, 100000, true) == 80 && fx_machine_gbps(&m, 100001, true) == 20);
    ck_assert(fx_machine_gbps(&m, INT64_MAX, false) == 9);
    m.level[2].bytes = 0; /* a machine without */
    ck_assert(fx_machine_gbps(&m, 50000, false) == 9);
}
END_TEST

FX_TESTS("machine", measurements_are_plausible, what_was_kept_is_read, what_does_not_belong_is_not_read, bytes_find_their_level)
