/* SPDX-License-Identifier: Apache-2.0 */
/* replace.c: files that appear when they are whole. */
#include "frontend/replace.h"
#include "ir/diag.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fx_status fail(fx_context *context, const char *name, const char *why)
{
    return fx__diag(context, FX_E_IO, NULL, "cannot write %s: %s", name, why);
}

/* Several threads may write files of one name. */
static char *temporary_name(const char *path)
{
    static atomic_uint count;
    size_t bytes = strlen(path) + 40;
    char *name = malloc(bytes);
    if (name) snprintf(name, bytes, "%s.%ld.%x", path, (long)getpid(), atomic_fetch_add(&count, 1u));
    return name;
}

fx_status fx__replace_open(fx_context *context, const char *path, fx_replacement *out)
{
    struct stat there;
    bool exists = stat(path, &there) == 0;
    *out = (fx_replacement){.name = path};
    if (exists && !S_ISREG(there.st_mode))
        return fail(context, path, S_ISDIR(there.st_mode) ? strerror(EISDIR) : "what is there is no regular file");
    out->path = exists ? realpath(path, NULL) : strdup(path);
    out->temporary = out->path ? temporary_name(out->path) : NULL;
    if (!out->temporary) return fx__diag_oom(context);
    int file = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? there.st_mode & 0777 : 0666);
    out->out = file < 0 ? NULL : fdopen(file, "wb");
    if (out->out) return FX_OK;
    fx_status status = fail(context, path, strerror(errno));
    if (file >= 0) close(file);
    return status;
}

fx_status fx__replace_close(fx_context *context, fx_replacement *it)
{
    errno = 0;
    bool good = !ferror(it->out) && fflush(it->out) == 0;
    good = fclose(it->out) == 0 && good;
    it->out = NULL;
    return good ? FX_OK : fail(context, it->name, errno ? strerror(errno) : "its disk may be full");
}

fx_status fx__replace_commit(fx_context *context, fx_replacement *it)
{
    if (rename(it->temporary, it->path) != 0) return fail(context, it->name, strerror(errno));
    free(it->temporary);
    it->temporary = NULL;
    return FX_OK;
}

void fx__replace_drop(fx_replacement *it)
{
    if (it->out) fclose(it->out);
    if (it->temporary) unlink(it->temporary);
    free(it->temporary);
    free(it->path);
    *it = (fx_replacement){0};
}
