/* SPDX-License-Identifier: Apache-2.0 */
/* zip.c: finding stored entries in a mapped archive. Every offset and length is the file's claim, and checked against its size. */
#include "frontend/zip.h"
#include "ir/diag.h"
#include <string.h>

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 65535,
    FLAG_ENCRYPTED = 1,
    EXTRA_ZIP64 = 1
};

typedef struct archive {
    fx_context *context;
    const char *file;
    const uint8_t *data;
    uint64_t bytes;
    uint64_t directory, directory_bytes; /* offset and size of the central directory */
} archive;

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i > 0; i--) value = value << 8 | at[i - 1];
    return value;
}

static bool fits(const archive *a, uint64_t offset, uint64_t bytes)
{
    return offset <= a->bytes && bytes <= a->bytes - offset;
}

static bool has_mark(const archive *a, uint64_t offset, uint64_t bytes, const char *mark)
{
    return fits(a, offset, bytes) && memcmp(a->data + offset, mark, 4) == 0;
}

static fx_status broken(const archive *a, const char *what)
{
    return fx__diag(a->context, FX_E_FORMAT, NULL, "%s: the archive is damaged: %s", a->file, what);
}

/* ---- The directory ---------------------------------------------------------------------------------------------------------- */

/* The record at the end, before a comment that reaches exactly to the end of the file. */
static bool find_end(const archive *a, uint64_t *out)
{
    uint64_t least = a->bytes > END_BYTES + COMMENT_MAX ? a->bytes - END_BYTES - COMMENT_MAX : 0;
    for (uint64_t at = a->bytes >= END_BYTES ? a->bytes - END_BYTES + 1 : 0; at-- > least;) {
        if (!has_mark(a, at, END_BYTES, "PK\5\6") || number(a->data + at + 20, 2) != a->bytes - END_BYTES - at) continue;
        *out = at;
        return true;
    }
    return false;
}

static fx_status open_archive(archive *a)
{
    uint64_t end;
    if (!find_end(a, &end)) return broken(a, "it has no directory (cut short?)");
    if (number(a->data + end + 4, 2) != 0 || number(a->data + end + 6, 2) != 0) return broken(a, "it is one of several disks");
    a->directory_bytes = number(a->data + end + 12, 4);
    a->directory = number(a->data + end + 16, 4);
    if (end >= LOCATOR_BYTES && has_mark(a, end - LOCATOR_BYTES, LOCATOR_BYTES, "PK\6\7")) {
        uint64_t large = number(a->data + end - LOCATOR_BYTES + 8, 8);
        if (!has_mark(a, large, END64_BYTES, "PK\6\6")) return broken(a, "its 64-bit directory is not where it should be");
        a->directory_bytes = number(a->data + large + 40, 8);
        a->directory = number(a->data + large + 48, 8);
    }
    if (!fits(a, a->directory, a->directory_bytes)) return broken(a, "its directory lies outside the file");
    return FX_OK;
}

/* ---- Entries ---------------------------------------------------------------------------------------------------------------- */

typedef struct central {
    uint64_t flags, method, crc, packed, bytes, offset;
    size_t n_name, n_extra, n_comment;
    const uint8_t *name, *extra;
} central;

/* Sizes above 4 GiB stand in an extra field, in this order, those only that are 0xffffffff in the record. */
static bool read_large(central *c)
{
    const uint8_t *at = c->extra, *end = c->extra + c->n_extra;
    uint64_t *wide[] = {&c->bytes, &c->packed, &c->offset};
    while (end - at >= 4) {
        uint64_t id = number(at, 2), n = number(at + 2, 2);
        at += 4;
        if (n > (uint64_t)(end - at)) return false;
        for (int i = 0; i < 3 && id == EXTRA_ZIP64; i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (n < 8) return false;
            *wide[i] = number(at, 8);
            at += 8;
            n -= 8;
        }
        at += n;
    }
    return true;
}

static bool read_central(const archive *a, uint64_t at, uint64_t end, central *out)
{
    if (end - at < CENTRAL_BYTES || !has_mark(a, at, CENTRAL_BYTES, "PK\1\2")) return false;
    const uint8_t *r = a->data + at;
    *out = (central){number(r + 8, 2),
                     number(r + 10, 2),
                     number(r + 16, 4),
                     number(r + 20, 4),
                     number(r + 24, 4),
                     number(r + 42, 4),
                     (size_t)number(r + 28, 2),
                     (size_t)number(r + 30, 2),
                     (size_t)number(r + 32, 2),
                     r + CENTRAL_BYTES,
                     NULL};
    out->extra = out->name + out->n_name;
    return CENTRAL_BYTES + out->n_name + out->n_extra + out->n_comment <= end - at && read_large(out);
}

static fx_status locate(const archive *a, const central *c, const char *name, fx_zip_entry *out)
{
    if (out->data) return fx__diag(a->context, FX_E_FORMAT, NULL, "%s: the archive has two entries %s", a->file, name);
    if (c->method != 0 || c->flags & FLAG_ENCRYPTED || c->packed != c->bytes)
        return fx__diag(a->context, FX_E_FORMAT, NULL, "%s: entry %s is %s; entries must be stored as they are", a->file, name,
                        c->flags & FLAG_ENCRYPTED ? "encrypted" : "compressed");
    if (!has_mark(a, c->offset, LOCAL_BYTES, "PK\3\4")) return broken(a, "an entry is not where the directory says");
    const uint8_t *local = a->data + c->offset;
    uint64_t n_name = number(local + 26, 2), skip = LOCAL_BYTES + n_name + number(local + 28, 2);
    if (!fits(a, c->offset, skip) || n_name != c->n_name || memcmp(local + LOCAL_BYTES, c->name, c->n_name) != 0)
        return broken(a, "an entry's name differs from the directory's");
    if (!fits(a, c->offset + skip, c->bytes) || c->offset + skip + c->bytes > a->directory)
        return broken(a, "an entry reaches over its end");
    *out = (fx_zip_entry){local + skip, (size_t)c->bytes, (uint32_t)c->crc};
    return FX_OK;
}

fx_status fx__zip_find(fx_context *context, const char *file, const void *data, size_t bytes, const char *name, fx_zip_entry *out)
{
    archive a = {.context = context, .file = file, .data = data, .bytes = bytes};
    *out = (fx_zip_entry){0};
    FX_TRY(open_archive(&a));
    uint64_t at = a.directory, end = a.directory + a.directory_bytes;
    while (at < end) {
        central c;
        if (!read_central(&a, at, end, &c)) return broken(&a, "its directory makes no sense");
        if (c.n_name == strlen(name) && memcmp(c.name, name, c.n_name) == 0) FX_TRY(locate(&a, &c, name, out));
        at += CENTRAL_BYTES + c.n_name + c.n_extra + c.n_comment;
    }
    return FX_OK;
}
