/* SPDX-License-Identifier: Apache-2.0 */
/* deflate.c: packs text for a page: raw RFC 1951 (zlib's) as base64, which browsers unpack by themselves. */
#include "page.h"
#include <stdlib.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

static char *base64(const unsigned char *in, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((n + 2) / 3 * 4 + 1), *at = text;
    if (!text) return NULL;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        for (int k = 0; k < 4; k++) *at++ = k > 1 && i + (size_t)k - 1 >= n ? '=' : digits[(word >> (18 - 6 * k)) & 63];
    }
    *at = 0;
    return text;
}

/* Bytes written to the room of deflateBound; 0: out of memory. A negative window size asks for no header. */
static size_t pack(z_stream *stream, unsigned char *out, uLong room)
{
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : 0;
}

char *tool_deflate(const char *text, size_t bytes)
{
    z_stream stream = {.next_in = (const Bytef *)text, .avail_in = (uInt)bytes};
    if (bytes >= INT32_MAX ||
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong room = deflateBound(&stream, (uLong)bytes);
    unsigned char *out = malloc(room);
    size_t packed = out ? pack(&stream, out, room) : 0;
    char *result = packed ? base64(out, packed) : NULL;
    free(out);
    deflateEnd(&stream);
    return result;
}
