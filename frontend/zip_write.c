/* SPDX-License-Identifier: Apache-2.0 */
/* zip_write.c: writing stored entries, their data aligned by padding in an extra field, without times, so that equal contents give
 * equal bytes. The checksum of an entry is filled in when its data have been written. */
#include "frontend/zip.h"
#include <stdlib.h>
#include <string.h>

enum { EXTRA_ALIGN = 0xd935, EXTRA_ZIP64 = 1, LARGE_EXTRA = 20, VERSION = 20, VERSION_LARGE = 45, DATE = 0x21 /* 1980-01-01 */ };

uint32_t fx__zip_crc(uint32_t crc, const void *data, size_t bytes)
{
    static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    for (const uint8_t *at = data; bytes; at++, bytes--) {
        crc ^= *at;
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* A record under construction: no record here is longer. */
typedef struct record {
    uint8_t byte[256];
    size_t n;
} record;

static void put(record *r, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8) r->byte[r->n++] = (uint8_t)value;
}

static void put_bytes(record *r, const char *bytes, size_t n)
{
    memcpy(r->byte + r->n, bytes, n);
    r->n += n;
}

static void emit(fx_zip_writer *zip, const void *data, size_t bytes)
{
    if (!zip->failed && fwrite(data, 1, bytes, zip->out) != bytes) zip->failed = true;
    zip->at += bytes;
}

static uint32_t narrow(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* From "version needed" to the lengths of name and extra field: what local and central records share. */
static void put_facts(record *r, const struct fx_zip_written *e, size_t extra)
{
    put(r, e->bytes >= UINT32_MAX ? VERSION_LARGE : VERSION, 2);
    put(r, 1 << 11, 2); /* names are UTF-8 */
    put(r, 0, 2);       /* stored */
    put(r, 0, 2);
    put(r, DATE, 2);
    put(r, e->crc, 4);
    put(r, narrow(e->bytes), 4);
    put(r, narrow(e->bytes), 4);
    put(r, strlen(e->name), 2);
    put(r, extra, 2);
}

static void put_large(record *r, const struct fx_zip_written *e)
{
    if (e->bytes < UINT32_MAX) return;
    put(r, EXTRA_ZIP64, 2);
    put(r, 16, 2);
    put(r, e->bytes, 8);
    put(r, e->bytes, 8);
}

static size_t large_bytes(const struct fx_zip_written *e)
{
    return e->bytes < UINT32_MAX ? 0 : LARGE_EXTRA;
}

void fx__zip_begin(fx_zip_writer *zip, const char *name, uint64_t bytes)
{
    struct fx_zip_written *e = &zip->entry[zip->n++];
    *e = (struct fx_zip_written){.name = name, .offset = zip->at, .bytes = bytes};
    record r = {.n = 0};
    size_t fixed = 30 + strlen(name) + large_bytes(e) + 6; /* the padding's own header and the alignment that it tells */
    size_t pad = (FX_ZIP_ALIGN - (zip->at + fixed) % FX_ZIP_ALIGN) % FX_ZIP_ALIGN;
    put_bytes(&r, "PK\3\4", 4);
    put_facts(&r, e, large_bytes(e) + 6 + pad);
    put_bytes(&r, name, strlen(name));
    put_large(&r, e);
    put(&r, EXTRA_ALIGN, 2);
    put(&r, 2 + pad, 2);
    put(&r, FX_ZIP_ALIGN, 2);
    for (size_t i = 0; i < pad; i++) put(&r, 0, 1);
    emit(zip, r.byte, r.n);
}

void fx__zip_write(fx_zip_writer *zip, const void *data, size_t bytes)
{
    struct fx_zip_written *e = &zip->entry[zip->n - 1];
    e->crc = fx__zip_crc(e->crc, data, bytes);
    emit(zip, data, bytes);
}

static void fill_in_checksums(fx_zip_writer *zip)
{
    for (int32_t i = 0; i < zip->n && !zip->failed; i++) {
        record r = {.n = 0};
        put(&r, zip->entry[i].crc, 4);
        zip->failed = fseeko(zip->out, (off_t)zip->entry[i].offset + 14, SEEK_SET) != 0 || fwrite(r.byte, 1, 4, zip->out) != 4;
    }
    if (!zip->failed) zip->failed = fflush(zip->out) != 0;
}

static void put_central(fx_zip_writer *zip, const struct fx_zip_written *e)
{
    record r = {.n = 0};
    put_bytes(&r, "PK\1\2", 4);
    put(&r, VERSION_LARGE, 2);
    put_facts(&r, e, large_bytes(e));
    put(&r, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put(&r, 0, 4);         /* external attributes */
    put(&r, e->offset, 4); /* begin() stands below 4 GiB: only the last entry may be large */
    put_bytes(&r, e->name, strlen(e->name));
    put_large(&r, e);
    emit(zip, r.byte, r.n);
}

static void put_large_end(record *r, const fx_zip_writer *zip, uint64_t directory)
{
    put_bytes(r, "PK\6\6", 4);
    put(r, 44, 8);
    put(r, VERSION_LARGE, 2);
    put(r, VERSION_LARGE, 2);
    put(r, 0, 4 + 4);
    put(r, (uint64_t)zip->n, 8);
    put(r, (uint64_t)zip->n, 8);
    put(r, zip->at - directory, 8);
    put(r, directory, 8);
    put_bytes(r, "PK\6\7", 4);
    put(r, 0, 4);
    put(r, zip->at, 8);
    put(r, 1, 4);
}

bool fx__zip_finish(fx_zip_writer *zip)
{
    uint64_t directory = zip->at;
    record r = {.n = 0};
    for (int32_t i = 0; i < zip->n; i++) put_central(zip, &zip->entry[i]);
    if (directory >= UINT32_MAX) put_large_end(&r, zip, directory);
    put_bytes(&r, "PK\5\6", 4);
    put(&r, 0, 2 + 2);
    put(&r, (uint64_t)zip->n, 2);
    put(&r, (uint64_t)zip->n, 2);
    put(&r, zip->at - directory, 4);
    put(&r, narrow(directory), 4);
    put(&r, 0, 2);
    emit(zip, r.byte, r.n);
    fill_in_checksums(zip);
    return !zip->failed;
}
