/* SPDX-License-Identifier: Apache-2.0 */
/* ir/intern.c: one copy of every text of a context, so that equal texts have equal pointers. Open addressing, linear probing,
 * at most half full; nothing is ever removed. */
#include "ir/context.h"
#include <string.h>

static uint64_t hash_text(const char *text, size_t bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}

/* The slot of a text, or the empty one where it belongs. */
static const char **find_slot(const fx_context *context, const char *text, size_t bytes)
{
    size_t mask = (size_t)context->cap_interned - 1, at = (size_t)hash_text(text, bytes) & mask;
    while (context->interned[at] && (strncmp(context->interned[at], text, bytes) != 0 || context->interned[at][bytes] != 0))
        at = (at + 1) & mask;
    return &context->interned[at];
}

static bool grow_table(fx_context *context)
{
    if (context->n_interned < context->cap_interned / 2) return true;
    if (context->cap_interned > INT32_MAX / 2) return false;
    const char **old = context->interned;
    int32_t n_old = context->cap_interned, n_new = n_old ? n_old * 2 : 128;
    const char **slots = fx__alloc(context, (size_t)n_new * sizeof *slots);
    if (!slots) return false;
    context->interned = slots;
    context->cap_interned = n_new;
    for (int32_t i = 0; i < n_old; i++)
        if (old[i]) *find_slot(context, old[i], strlen(old[i])) = old[i];
    fx__free(context, (void *)old);
    return true;
}

const char *fx__intern_n(fx_context *context, const char *text, size_t bytes)
{
    bytes = strnlen(text, bytes);
    if (!grow_table(context)) return NULL;
    const char **slot = find_slot(context, text, bytes);
    if (*slot) return *slot;
    char *copy = fx__arena_copy(context->strings, text, bytes);
    if (!copy) return NULL;
    context->n_interned++;
    return *slot = copy;
}

const char *fx__intern(fx_context *context, const char *text)
{
    return text ? fx__intern_n(context, text, strlen(text)) : NULL;
}
