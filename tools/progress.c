/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c: one line on a terminal for work that takes more than a second: what the library tells, how many items are done, or, for
 * work that tells nothing, what it is and for how long: a thread of its own writes that. */
#include "tool.h"
#include <pthread.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended;
    pthread_t watcher;
    bool watched;     /* the thread runs */
    const char *what; /* goes on silently since `since`; NULL: somebody tells of it */
    double begin, since;
    bool shown, terminal;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static bool is_due(void)
{
    progress.shown = progress.shown || (progress.terminal && tool_seconds() - progress.begin > 1);
    return progress.shown;
}

static bool on_progress(void *user, const char *phase, int32_t percent)
{
    (void)user;
    pthread_mutex_lock(&progress.lock);
    progress.what = NULL;
    if (is_due()) fprintf(stderr, "\r\033[K%3d %% %s", (int)percent, phase);
    pthread_mutex_unlock(&progress.lock);
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
    pthread_mutex_lock(&progress.lock);
    progress.what = NULL;
    if (is_due()) fprintf(stderr, "\r\033[K%lld of %lld %s", (long long)done, (long long)total, what);
    pthread_mutex_unlock(&progress.lock);
}

/* Every second, until tool_progress_end. */
static void *watch(void *unused)
{
    struct timespec until;
    pthread_mutex_lock(&progress.lock);
    clock_gettime(CLOCK_REALTIME, &until);
    while (progress.watched) {
        until.tv_sec++;
        pthread_cond_timedwait(&progress.ended, &progress.lock, &until);
        if (progress.watched && progress.what && is_due())
            fprintf(stderr, "\r\033[K%s, %.0f s", progress.what, tool_seconds() - progress.since);
    }
    pthread_mutex_unlock(&progress.lock);
    return unused;
}

void tool_progress_silent(const char *what)
{
    progress.terminal = isatty(STDERR_FILENO) != 0;
    if (!progress.terminal) return;
    pthread_mutex_lock(&progress.lock);
    progress.what = what;
    progress.since = tool_seconds();
    if (!progress.watched) {
        progress.watched = true;
        progress.watched = pthread_create(&progress.watcher, NULL, watch, NULL) == 0;
    }
    pthread_mutex_unlock(&progress.lock);
}

void tool_progress_end(void)
{
    pthread_mutex_lock(&progress.lock);
    bool watched = progress.watched;
    progress.watched = false;
    progress.what = NULL;
    pthread_cond_signal(&progress.ended);
    pthread_mutex_unlock(&progress.lock);
    if (watched) pthread_join(progress.watcher, NULL);
    if (progress.shown) fprintf(stderr, "\r\033[K");
    progress.shown = false;
    progress.begin = tool_seconds();
}
