/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int fx_test_main(const char *name, const TTest *const *tests, int n_tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    tcase_set_timeout(cases, 600);
    for (int i = 0; i < n_tests; i++) tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

void fx_test_ok(fx_context *context, fx_status status, const char *what, const char *file, int line)
{
    if (status == FX_OK) return;
    if (context) fx_context_print(context, stderr);
    ck_abort_msg("%s:%d: %s gave %d (%s)", file, line, what, (int)status, fx_status_text(status));
}

void fx_test_diag(const fx_context *context, const char *text, const char *file, int line)
{
    for (int32_t i = 0; i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        if (strstr(fx_context_diag(context, i, &severity), text)) return;
    }
    fx_context_print(context, stderr);
    ck_abort_msg("%s:%d: no diagnostic contains \"%s\"", file, line, text);
}

static char *read_all(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    fseek(in, 0, SEEK_END);
    long bytes = ftell(in);
    rewind(in);
    char *text = malloc((size_t)bytes + 1);
    size_t got = fread(text, 1, (size_t)bytes, in);
    text[got] = 0;
    fclose(in);
    return text;
}

void fx_test_golden(const char *name, const char *text, const char *file, int line)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/test/golden/%s", FX_SOURCE_DIR, name);
    if (getenv("FXJIT_UPDATE_GOLDEN")) {
        FILE *out = fopen(path, "wb");
        ck_assert_msg(out != NULL, "cannot write %s", path);
        fputs(text, out);
        fclose(out);
        return;
    }
    char *expected = read_all(path);
    ck_assert_msg(expected != NULL, "%s:%d: no golden %s (write it with FXJIT_UPDATE_GOLDEN=1)", file, line, path);
    bool same = strcmp(expected, text) == 0;
    if (!same) fprintf(stderr, "--- expected (%s)\n%s\n--- actual\n%s\n", path, expected, text);
    free(expected);
    ck_assert_msg(same, "%s:%d: text differs from golden %s", file, line, name);
}

uint64_t fx_test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double fx_test_uniform(uint64_t *state, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(fx_test_random(state) >> 11) * 0x1p-53);
}

const char *fx_test_shared(const char *what)
{
    static char path[1024];
    struct stat info;
    snprintf(path, sizeof path, "%s/../shared", FX_SOURCE_DIR);
    if (stat(path, &info) == 0) return path;
    printf("skipped: %s (no ../shared)\n", what);
    return NULL;
}
