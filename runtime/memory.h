/* SPDX-License-Identifier: Apache-2.0 */
/* runtime/memory.h: memory for tensors, workspaces and weights. */
#ifndef FX_RUNTIME_MEMORY_H
#define FX_RUNTIME_MEMORY_H

#include <stddef.h>

/* Aligned to a cache line at least, never of 0 bytes, not initialised; NULL when there is none. To be freed by free. */
void *fx__memory_alloc(size_t bytes);

#endif
