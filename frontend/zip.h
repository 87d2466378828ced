/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/zip.h: archives whose entries are stored, not compressed, so that what is in them can be mapped with the archive and
 * used where it lies. libzip neither tells where an entry's bytes lie nor places them; hence the few structures of the format here,
 * with those of entries above 4 GiB. Archives of many disks, encrypted and compressed entries are refused. */
#ifndef FX_FRONTEND_ZIP_H
#define FX_FRONTEND_ZIP_H

#include "fxjit/types.h"

typedef struct fx_zip_entry {
    const uint8_t *data; /* NULL: the archive has no such entry */
    size_t bytes;
    uint32_t crc;
} fx_zip_entry;

/* Finds an entry in an archive of `bytes` bytes. FX_E_FORMAT with a diagnostic when the archive is damaged, has the name twice, or
 * keeps it in a way that cannot be mapped. The checksum is not tested. */
fx_status fx__zip_find(fx_context *context, const char *file, const void *archive, size_t bytes, const char *name,
                       fx_zip_entry *out);

uint32_t fx__zip_crc(uint32_t crc, const void *data, size_t bytes); /* CRC-32; begins with 0 */

/* Writing. Any failure is kept, and told by fx__zip_finish. */
enum { FX_ZIP_ENTRIES = 4, FX_ZIP_ALIGN = 64 };
typedef struct fx_zip_writer {
    FILE *out; /* seekable, the caller's */
    uint64_t at;
    bool failed;
    int32_t n;
    struct fx_zip_written {
        const char *name; /* borrowed until the end */
        uint64_t offset, bytes;
        uint32_t crc;
    } entry[FX_ZIP_ENTRIES];
} fx_zip_writer;
/* The next entry, of exactly `bytes` bytes, which begin at a multiple of FX_ZIP_ALIGN in the file. */
void fx__zip_begin(fx_zip_writer *zip, const char *name, uint64_t bytes);
void fx__zip_write(fx_zip_writer *zip, const void *data, size_t bytes);
bool fx__zip_finish(fx_zip_writer *zip); /* false: errno says why */

#endif
