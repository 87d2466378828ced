/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/memory.c: memory for tensors, workspaces and weights. Large blocks are asked for in huge pages, where the system has
 * them: a product walks through many rows at once, each in a page of its own, and neighbouring small pages compete for the same
 * places in the second-level cache. */
#include "runtime/memory.h"
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

void *fx__memory_alloc(size_t bytes)
{
    size_t align = bytes >= HUGE_PAGE / 2 ? HUGE_PAGE : LINE; /* at most half of what is touched is never used */
    if (bytes > SIZE_MAX - HUGE_PAGE) return NULL;
    size_t whole = (bytes + (bytes == 0) + align - 1) / align * align;
    void *memory = aligned_alloc(align, whole);
#ifdef MADV_HUGEPAGE
    if (memory && align == HUGE_PAGE) (void)madvise(memory, whole, MADV_HUGEPAGE); /* only advice: small pages serve as well */
#endif
    return memory;
}
