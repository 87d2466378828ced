/* SPDX-License-Identifier: Apache-2.0 */
/* output.c: JSON, files, failures and clocks. */
#include "tool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Errors -------------------------------------------------------------------------------------------------------------------- */

static char told[1024];

void tool_tell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(told, sizeof told, format, args);
    va_end(args);
    fprintf(stderr, "error: %s\n", told);
}

/* ---- Standard output ----------------------------------------------------------------------------------------------------------- */

/* At the end of the program, however it ends: what was printed must have arrived. */
static void check_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return;
    fprintf(stderr, "error: standard output: %s\n", errno ? strerror(errno) : "it could not be written");
    fflush(stderr);
    _exit(TOOL_FAILED);
}

void tool_watch_stdout(void)
{
    if (atexit(check_stdout) != 0) exit(TOOL_FAILED);
}

json_t *tool_text(const char *text)
{
    json_t *whole = json_string(text);
    char *clean = whole ? NULL : strdup(text);
    for (char *at = clean; at && *at; at++)
        if ((unsigned char)*at >= 0x80) *at = '?';
    if (clean) whole = json_string(clean);
    free(clean);
    return whole;
}

void tool_print_json(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (!text) {
        fprintf(stderr, "error: %s\n", fx_status_text(FX_E_OOM));
        exit(TOOL_FAILED);
    }
    puts(text);
    free(text);
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------- */

/* Beside the file that is meant, which may be behind a symbolic link; else NULL, as for what is no regular file. */
static FILE *open_temporary(tool_file *file)
{
    struct stat info;
    bool exists = stat(file->path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) return NULL;
    file->real = exists ? realpath(file->path, NULL) : strdup(file->path);
    size_t bytes = file->real ? strlen(file->real) + 32 : 0;
    file->temporary = malloc(bytes);
    if (!bytes || !file->temporary) return NULL;
    snprintf(file->temporary, bytes, "%s.%ld", file->real, (long)getpid());
    int to = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? info.st_mode & 0777 : 0666);
    FILE *out = to < 0 ? NULL : fdopen(to, "wb");
    if (to >= 0 && !out) close(to);
    return out;
}

static void forget(tool_file *file)
{
    free(file->real);
    free(file->temporary);
    file->real = file->temporary = NULL;
}

bool tool_file_open(tool_file *file, const char *path)
{
    *file = (tool_file){.path = path && strcmp(path, "-") != 0 ? path : NULL};
    if (!file->path) return (file->out = stdout) != NULL;
    file->out = open_temporary(file);
    if (file->out) return true;
    forget(file);
    file->out = fopen(path, "wb");
    if (!file->out) tool_tell("%s: %s", path, strerror(errno));
    return file->out != NULL;
}

int tool_file_close(tool_file *file, bool whole)
{
    if (!file->path) return whole ? TOOL_OK : TOOL_FAILED;
    errno = 0;
    bool good = !ferror(file->out) && fflush(file->out) == 0;
    good = fclose(file->out) == 0 && good;
    if (good && whole && file->temporary) good = rename(file->temporary, file->real) == 0;
    if (!file->why) file->why = errno;
    if (!good) tool_tell("%s: %s", file->path, file->why ? strerror(file->why) : "it could not be written");
    if (file->temporary && !(good && whole)) unlink(file->temporary);
    forget(file);
    return good && whole ? TOOL_OK : TOOL_FAILED;
}

int tool_write_file(const char *path, const char *text, size_t bytes)
{
    tool_file file;
    if (!tool_file_open(&file, path)) return TOOL_FAILED;
    if (fwrite(text, 1, bytes, file.out) != bytes) file.why = errno;
    return tool_file_close(&file, true);
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
    if (!why && *told) why = told;
    if (!why) fprintf(stderr, "error: %s\n", fx_status_text(status));
    if (json) tool_print_json(json_pack("{s:o}", "error", tool_text(why ? why : fx_status_text(status))));
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
