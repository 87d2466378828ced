/* SPDX-License-Identifier: Apache-2.0 */
/* ir/context.c: the context: allocator hooks, interned strings, diagnostics; and the memory calls that go through the hooks.
 * Every block carries its size in front, because the free hook is told it. */
#include "ir/context.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK_HEADER = 16 }; /* keeps 16-byte alignment */

static void *malloc_hook(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void free_hook(void *user, void *memory, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(memory);
}

fx_context *fx_context_new(void)
{
    return fx_context_new_with(&(fx_allocator){.alloc = malloc_hook, .free = free_hook});
}

fx_context *fx_context_new_with(const fx_allocator *allocator)
{
    fx_context *context = allocator->alloc(allocator->user, sizeof *context);
    if (!context) return NULL;
    memset(context, 0, sizeof *context);
    context->allocator = *allocator;
    context->diags = context->inline_diags;
    context->cap_diags = FX_DIAG_INLINE;
    context->strings = fx__arena_new(context);
    fx__map_init(&context->effects, context->strings);
    if (context->strings) return context;
    fx_context_free(context);
    return NULL;
}

void fx_context_free(fx_context *context)
{
    if (!context) return;
    fx_allocator allocator = context->allocator;
    fx__diag_clear(context);
    if (context->diags != context->inline_diags) fx__free(context, context->diags);
    fx__free(context, (void *)context->interned);
    fx__arena_free(context->strings);
    allocator.free(allocator.user, context, sizeof *context);
}

void *fx__alloc(fx_context *context, size_t bytes)
{
    char *block = NULL;
    if (bytes <= SIZE_MAX - BLOCK_HEADER) block = context->allocator.alloc(context->allocator.user, bytes + BLOCK_HEADER);
    if (!block) {
        fx__diag_oom(context);
        return NULL;
    }
    memset(block, 0, bytes + BLOCK_HEADER);
    memcpy(block, &bytes, sizeof bytes);
    return block + BLOCK_HEADER;
}

void fx__free(fx_context *context, void *memory)
{
    if (!memory) return;
    char *block = (char *)memory - BLOCK_HEADER;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    context->allocator.free(context->allocator.user, block, bytes + BLOCK_HEADER);
}

fx_tick fx__tick_set(fx_context *context, fx_tick tick)
{
    fx_tick before = context->tick;
    context->tick = tick;
    return before;
}

fx_status fx__tick(fx_context *context)
{
    return context->tick.ask ? context->tick.ask(context->tick.user) : FX_OK;
}

const char *fx_version(void)
{
    return FXJIT_VERSION;
}
