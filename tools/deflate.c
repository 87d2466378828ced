/* SPDX-License-Identifier: Apache-2.0 */
/* deflate.c: packs text for a page: RFC 1951 with its fixed code, as base64, which browsers unpack by themselves. Generated code
 * shrinks to a fifth; no library is needed for it. Cost: linear, with at most CHAIN looks back per byte. */
#include "page.h"
#include <stdlib.h>
#include <string.h>

enum { HASH_BITS = 15, WINDOW = 32768, CHAIN = 48, MIN_MATCH = 3, MAX_MATCH = 258, END_OF_BLOCK = 256 };

typedef struct packer {
    const unsigned char *in;
    size_t n;
    unsigned char *out;
    size_t used, capacity;
    uint64_t bits;
    int n_bits;
    bool failed;
    int32_t head[1 << HASH_BITS]; /* last place with this hash, plus 1 */
    int32_t *before;              /* by place: the place before it with the same hash, plus 1 */
} packer;

/* ---- Bits -------------------------------------------------------------------------------------------------------------------- */

static void put_byte(packer *p, unsigned char byte)
{
    if (p->used == p->capacity) {
        size_t capacity = p->capacity * 2 + 4096;
        unsigned char *out = realloc(p->out, capacity);
        p->failed = p->failed || !out;
        if (!out) return;
        p->out = out;
        p->capacity = capacity;
    }
    p->out[p->used++] = byte;
}

static void put_bits(packer *p, unsigned value, int n)
{
    p->bits |= (uint64_t)value << p->n_bits;
    for (p->n_bits += n; p->n_bits >= 8; p->n_bits -= 8, p->bits >>= 8) put_byte(p, (unsigned char)p->bits);
}

/* Codes go highest bit first, other than numbers. */
static void put_code(packer *p, unsigned code, int n)
{
    unsigned reversed = 0;
    for (int i = 0; i < n; i++) reversed |= ((code >> i) & 1) << (n - 1 - i);
    put_bits(p, reversed, n);
}

static void put_symbol(packer *p, unsigned symbol)
{
    if (symbol < 144)
        put_code(p, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(p, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(p, symbol - 256, 7);
    else
        put_code(p, 0xc0 + symbol - 280, 8);
}

/* ---- Matches ----------------------------------------------------------------------------------------------------------------- */

/* Lengths and distances are ranges that double in size: a symbol and extra bits. `fine`: ranges per doubling, as a power of two. */
static unsigned range_of(unsigned value, unsigned fine, int *out_extra, unsigned *out_rest)
{
    int top = 31 - __builtin_clz(value | 1), extra = top - (int)fine;
    if (extra < 0) extra = 0;
    *out_extra = extra;
    *out_rest = value & ((1u << extra) - 1);
    return extra ? (unsigned)extra * (1u << fine) + (value >> extra) : value;
}

static void put_match(packer *p, unsigned length, unsigned distance)
{
    int extra;
    unsigned rest;
    if (length == MAX_MATCH) { /* has a symbol of its own */
        put_symbol(p, 285);
    } else {
        put_symbol(p, 257 + range_of(length - MIN_MATCH, 2, &extra, &rest));
        put_bits(p, rest, extra);
    }
    put_code(p, range_of(distance - 1, 1, &extra, &rest), 5);
    put_bits(p, rest, extra);
}

static unsigned hash_at(const packer *p, size_t at)
{
    uint32_t word = p->in[at] | (uint32_t)p->in[at + 1] << 8 | (uint32_t)p->in[at + 2] << 16;
    return (word * 2654435761u) >> (32 - HASH_BITS);
}

static void remember(packer *p, size_t at)
{
    if (at + MIN_MATCH > p->n) return;
    unsigned hash = hash_at(p, at);
    p->before[at] = p->head[hash];
    p->head[hash] = (int32_t)at + 1;
}

static unsigned match_length(const packer *p, size_t a, size_t b)
{
    unsigned most = p->n - b < MAX_MATCH ? (unsigned)(p->n - b) : MAX_MATCH, n = 0;
    while (n < most && p->in[a + n] == p->in[b + n]) n++;
    return n;
}

static unsigned find_match(const packer *p, size_t at, unsigned *out_distance)
{
    unsigned best = 0;
    if (at + MIN_MATCH > p->n) return 0;
    int32_t from = p->head[hash_at(p, at)];
    for (int i = 0; i < CHAIN && from > 0 && at - (size_t)(from - 1) <= WINDOW; i++, from = p->before[from - 1]) {
        unsigned length = match_length(p, (size_t)(from - 1), at);
        if (length <= best) continue;
        best = length;
        *out_distance = (unsigned)(at - (size_t)(from - 1));
    }
    return best >= MIN_MATCH ? best : 0;
}

static void pack(packer *p)
{
    put_bits(p, 1, 1); /* the last block, with the fixed code */
    put_bits(p, 1, 2);
    for (size_t at = 0; at < p->n;) {
        unsigned distance = 0, length = find_match(p, at, &distance);
        if (length)
            put_match(p, length, distance);
        else
            put_symbol(p, p->in[at]);
        for (size_t end = at + (length ? length : 1); at < end; at++) remember(p, at);
    }
    put_symbol(p, END_OF_BLOCK);
    put_bits(p, 0, 7); /* fills the last byte */
}

/* ---- Base64 ------------------------------------------------------------------------------------------------------------------ */

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

char *tool_deflate(const char *text, size_t bytes)
{
    packer *p = bytes < INT32_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p) return NULL;
    *p = (packer){.in = (const unsigned char *)text, .n = bytes, .before = malloc((bytes + 1) * sizeof *p->before)};
    if (p->before) pack(p);
    char *packed = p->before && !p->failed ? base64(p->out, p->used) : NULL;
    free(p->before);
    free(p->out);
    free(p);
    return packed;
}
