/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/watch_dump.c: dumps: to the callback, or into numbered files of a folder that is this compilation's alone: of the name that
 * was given where that is new or empty, else with .2, .3, ... behind it. */
#include "frontend/watch.h"
#include "ir/diag.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool fx__watch_dumps(const fx_compiled *it, fx_stage_form form)
{
    return it->watch && (it->options.dump >> form & 1u) != 0;
}

static fx_status fail(const fx_compiled *it, const char *path)
{
    return fx__diag(it->context, FX_E_IO, NULL, "a dump cannot be written: %s: %s", path, strerror(errno));
}

static bool is_empty(const char *path)
{
    DIR *folder = opendir(path);
    int entries = 0;
    while (folder && entries <= 2 && readdir(folder)) entries++; /* . and .. */
    if (folder) closedir(folder);
    return folder && entries <= 2;
}

enum { MOST_FOLDERS = 100000, PATH_BYTES = 4096 };

static fx_status make_folder(fx_compiled *it)
{
    char path[PATH_BYTES];
    for (int i = 1; i < MOST_FOLDERS; i++) {
        int length = i == 1 ? snprintf(path, sizeof path, "%s", it->options.dump_directory)
                            : snprintf(path, sizeof path, "%s.%d", it->options.dump_directory, i);
        errno = ENAMETOOLONG;
        if (length < 0 || (size_t)length >= sizeof path) break;
        if (mkdir(path, 0777) == 0 || (errno == EEXIST && is_empty(path))) {
            it->watch->directory = strdup(path);
            return it->watch->directory ? FX_OK : fx__diag_oom(it->context);
        }
        if (errno != EEXIST) break;
    }
    return fail(it, it->options.dump_directory);
}

static fx_status write_file(fx_compiled *it, fx_stage_form form, const char *pass, const char *text, size_t bytes)
{
    static const char *const extension[] = {"fx", "core.fx", "program", "ll", "s", "o"};
    char path[PATH_BYTES + 64];
    if (!it->watch->directory) FX_TRY(make_folder(it));
    snprintf(path, sizeof path, "%s/%03d-%s.%s", it->watch->directory, (int)it->watch->number, pass, extension[form]);
    FILE *out = fopen(path, "wb");
    if (!out) return fail(it, path);
    bool good = fwrite(text, 1, bytes, out) == bytes;
    good = fclose(out) == 0 && good;
    fx_status status = good ? FX_OK : fail(it, path);
    if (!good) remove(path); /* rather none than a part */
    return status;
}

fx_status fx__watch_dump(fx_compiled *it, fx_stage_form form, const char *pass, const char *text, size_t bytes)
{
    if (it->options.dump_text)
        it->options.dump_text(it->options.dump_user, form, pass, text, bytes);
    else
        FX_TRY(write_file(it, form, pass, text, bytes));
    it->watch->number++;
    return FX_OK;
}
