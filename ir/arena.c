/* SPDX-License-Identifier: Apache-2.0 */
/* ir/arena.c: memory that is freed all at once. An arena is a list of blocks, each twice as large as the one before (up to a
 * limit), served from the front; a request too large for that gets a block of its own. */
#include "ir/arena.h"
#include "ir/diag.h"
#include <string.h>

enum { BLOCK_FIRST = 4096, BLOCK_LAST = 1 << 20, ALIGN = 16 };

typedef struct arena_block {
    struct arena_block *next;
    size_t capacity; /* bytes after the header */
} arena_block;

struct fx_arena {
    fx_context *context;
    arena_block *blocks; /* newest first */
    char *free;
    size_t left, next_capacity;
};

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static char *block_data(arena_block *block)
{
    return (char *)block + round_up(sizeof *block);
}

fx_arena *fx__arena_new(fx_context *context)
{
    fx_arena *arena = fx__alloc(context, sizeof *arena);
    if (!arena) return NULL;
    arena->context = context;
    arena->next_capacity = BLOCK_FIRST;
    return arena;
}

void fx__arena_free(fx_arena *arena)
{
    if (!arena) return;
    for (arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        fx__free(arena->context, block);
    }
    fx__free(arena->context, arena);
}

fx_context *fx__arena_context(const fx_arena *arena)
{
    return arena->context;
}

static arena_block *add_block(fx_arena *arena, size_t capacity)
{
    arena_block *block = fx__alloc(arena->context, round_up(sizeof *block) + capacity);
    if (!block) return NULL;
    block->capacity = capacity;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

/* A request above a quarter of a block would waste the rest of the current one: it gets its own block, behind the current. */
static void *alloc_large(fx_arena *arena, size_t bytes)
{
    arena_block *current = arena->blocks;
    arena_block *block = add_block(arena, bytes);
    if (!block) return NULL;
    if (current) {
        arena->blocks = current;
        block->next = current->next;
        current->next = block;
    }
    return block_data(block);
}

static void *alloc_bytes(fx_arena *arena, size_t bytes)
{
    if (bytes > arena->left) {
        if (bytes > arena->next_capacity / 4) return alloc_large(arena, bytes);
        arena_block *block = add_block(arena, arena->next_capacity);
        if (!block) return NULL;
        arena->free = block_data(block);
        arena->left = block->capacity;
        if (arena->next_capacity < BLOCK_LAST) arena->next_capacity *= 2;
    }
    void *memory = arena->free;
    arena->free += bytes;
    arena->left -= bytes;
    return memory;
}

void *fx__arena_alloc(fx_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        fx__diag_oom(arena->context);
        return NULL;
    }
    return alloc_bytes(arena, bytes ? round_up(bytes) : ALIGN);
}

char *fx__arena_copy(fx_arena *arena, const char *text, size_t bytes)
{
    if (bytes == SIZE_MAX) return NULL;
    char *copy = fx__arena_alloc(arena, bytes + 1, 1);
    if (copy && bytes) memcpy(copy, text, bytes);
    return copy;
}

char *fx__arena_format(fx_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : fx__arena_alloc(arena, (size_t)length + 1, 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void *fx__arena_grow(fx_arena *arena, void *items, int32_t *capacity, int32_t count, size_t size)
{
    if (count < *capacity) return items;
    if (count > INT32_MAX / 2) {
        fx__diag_oom(arena->context);
        return NULL;
    }
    int32_t wanted = count < 4 ? 8 : count * 2;
    void *grown = fx__arena_alloc(arena, (size_t)wanted, size);
    if (!grown) return NULL;
    if (items) memcpy(grown, items, (size_t)*capacity * size);
    *capacity = wanted;
    return grown;
}
