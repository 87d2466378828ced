/* SPDX-License-Identifier: Apache-2.0 */
/* output.c: JSON, failures, clocks and progress. */
#include "tool.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void tool_print_json(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text) puts(text);
    free(text);
    json_decref(object);
}

static const char *first_error(const fx_context *context)
{
    for (int32_t i = 0; context && i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        const char *text = fx_context_diag(context, i, &severity);
        if (severity == FX_ERROR) return text;
    }
    return NULL;
}

int tool_fail(fx_context *context, fx_status status, bool json)
{
    const char *why = first_error(context);
    tool_progress_end();
    if (context) fx_context_print(context, stderr);
    if (!why) fprintf(stderr, "error: %s\n", fx_status_text(status));
    if (json) tool_print_json(json_pack("{s:s}", "error", why ? why : fx_status_text(status)));
    return TOOL_FAILED;
}

/* ---- Clocks ------------------------------------------------------------------------------------------------------------------ */

static double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tool_seconds(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

/* Age of the process by the kernel's books, which count in ticks: a tick less, so never too much. 0 when /proc does not tell. */
static double age_by_kernel(void)
{
    char text[1024];
    unsigned long long start = 0;
    FILE *in = fopen("/proc/self/stat", "r");
    if (!in) return 0;
    size_t bytes = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[bytes] = 0;
    const char *at = strrchr(text, ')'); /* the name in field 2 may hold anything */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%llu", &start) != 1) return 0;
    double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    return clock_seconds(CLOCK_BOOTTIME) - (double)start * tick - tick;
}

/* Until main one thread has worked, so the CPU time is the age unless it had to wait; it is finer than the kernel's ticks. */
double tool_process_seconds(void)
{
    static double start;
    if (start == 0) {
        double used = clock_seconds(CLOCK_PROCESS_CPUTIME_ID), age = age_by_kernel();
        start = tool_seconds() - (age > used ? age : used);
    }
    return tool_seconds() - start;
}

/* ---- Progress -----------------------------------------------------------------------------------------------------------------
 */

static struct {
    double begin;
    bool shown, terminal;
} progress;

static bool is_due(void)
{
    progress.shown = progress.shown || (progress.terminal && tool_seconds() - progress.begin > 1);
    return progress.shown;
}

static bool on_progress(void *user, const char *phase, int32_t percent)
{
    (void)user;
    if (is_due()) fprintf(stderr, "\r\033[K%3d %% %s", (int)percent, phase);
    return true;
}

void tool_progress_begin(tool_options *options)
{
    progress.begin = tool_seconds();
    progress.terminal = isatty(STDERR_FILENO) != 0;
    options->compile.progress = on_progress;
}

void tool_progress_items(const char *what, int64_t done, int64_t total)
{
    if (is_due()) fprintf(stderr, "\r\033[K%lld of %lld %s", (long long)done, (long long)total, what);
}

void tool_progress_end(void)
{
    if (progress.shown) fprintf(stderr, "\r\033[K");
    progress.shown = false;
    progress.begin = tool_seconds();
}
