/* SPDX-License-Identifier: Apache-2.0 */
/* ir/arena.h: memory that is freed all at once, growing arrays and text inside it. Context, graph, compile and pass scratch
 * each have one. Allocation failure gives NULL and is noted in the context (status FX_E_OOM); callers pass it up. */
#ifndef FX_IR_ARENA_H
#define FX_IR_ARENA_H

#include "fxjit/types.h"
#include <stdarg.h>

typedef struct fx_arena fx_arena;

FX_GIVES fx_arena *fx__arena_new(fx_context *context);
void fx__arena_free(FX_TAKES fx_arena *arena); /* NULL is allowed */
fx_context *fx__arena_context(const fx_arena *arena);
/* 16-byte aligned, zeroed. count * size may overflow: NULL. */
void *fx__arena_alloc(fx_arena *arena, size_t count, size_t size);
char *fx__arena_copy(fx_arena *arena, const char *text, size_t bytes); /* adds a final NUL */
char *fx__arena_format(fx_arena *arena, const char *format, ...) FX_PRINTF(2, 3);
#define FX_NEW(arena, type) ((type *)fx__arena_alloc((arena), 1, sizeof(type)))
#define FX_NEW_ARRAY(arena, type, count) ((type *)fx__arena_alloc((arena), (size_t)(count), sizeof(type)))

/* Grows `items` (of `capacity`, `size` bytes each) so that index `count` is valid; returns the array, NULL when out of memory.
 *     items = fx__arena_grow(arena, items, &capacity, count, sizeof *items); */
void *fx__arena_grow(fx_arena *arena, void *items, int32_t *capacity, int32_t count, size_t size);

/* Text under construction, on the context's allocator. A failed append makes the whole text NULL at the end. */
typedef struct fx_text {
    fx_context *context;
    char *data;
    size_t bytes, capacity;
    bool failed;
} fx_text;
void fx__text_init(fx_text *text, fx_context *context);
void fx__text_append(fx_text *text, const char *format, ...) FX_PRINTF(2, 3);
void fx__text_put(fx_text *text, const char *bytes, size_t count);
FX_GIVES char *fx__text_finish(fx_text *text); /* malloc'ed: freed with fx_text_free; NULL when out of memory */
/* Shortest decimal text that reads back to the same double, in Python's repr form ("1e-05", "0.1", "1.0", "inf"). */
void fx__text_double(fx_text *text, double value);
/* Reads digits with point and exponent, "inf" or "nan", whatever the locale; false when that is not all there is. */
bool fx__text_read_double(const char *text, size_t bytes, double *out);
bool fx__text_is_word(const char *text, size_t bytes); /* as below, for the first bytes of a text */
bool fx__text_is_identifier(const char *word); /* letters, digits, underscores; no digit first; not empty */
/* The same for a value of dtype f32: shortest text that reads back to the same float. */
void fx__text_float(fx_text *text, double value, fx_dtype dtype);

/* Interned strings of a context: equal texts have equal pointers. */
const char *fx__intern(fx_context *context, const char *text);
const char *fx__intern_n(fx_context *context, const char *text, size_t bytes);

/* Open-addressed map from pointer or string keys to pointers. Zero-initialised is empty. */
typedef struct fx_map {
    fx_arena *arena;
    struct fx_map_slot *slots;
    int32_t count, capacity;
} fx_map;
void fx__map_init(fx_map *map, fx_arena *arena);
void *fx__map_get(const fx_map *map, const void *key);           /* by pointer; interned strings too */
bool fx__map_put(fx_map *map, const void *key, void *value);     /* false: out of memory */
bool fx__map_copy(fx_map *to, const fx_map *from);               /* puts every entry */

#endif
