/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: the memory behind imported tensors. Files are mapped read-only and privately, so that weights are neither copied nor
 * kept twice by two processes; everything goes when the module is freed. */
#include "frontend/onnx_tensor.h"
#include "ir/diag.h"
#include "runtime/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct block {
    void *data;
    size_t bytes;
    const char *path; /* NULL: memory of fx__store_alloc */
} block;

struct fx_store {
    fx_context *context;
    fx_arena *arena;
    block *blocks;
    int32_t count, capacity;
};

fx_store *fx__store_new(fx_context *context)
{
    fx_arena *arena = fx__arena_new(context);
    fx_store *store = arena ? FX_NEW(arena, fx_store) : NULL;
    if (!store) {
        fx__arena_free(arena);
        return NULL;
    }
    store->context = context;
    store->arena = arena;
    return store;
}

void fx__store_free(fx_store *store)
{
    if (!store) return;
    for (int32_t i = 0; i < store->count; i++) {
        block *b = &store->blocks[i];
        if (!b->path)
            free(b->data);
        else if (b->bytes)
            munmap(b->data, b->bytes);
    }
    fx__arena_free(store->arena);
}

static block *new_block(fx_store *store)
{
    block *grown = fx__arena_grow(store->arena, store->blocks, &store->capacity, store->count, sizeof *grown);
    if (!grown) return NULL;
    store->blocks = grown;
    return &grown[store->count];
}

static fx_status io_error(fx_store *store, const char *path, const char *what)
{
    return fx__diag(store->context, FX_E_IO, NULL, "%s: cannot %s: %s", path, what, strerror(errno));
}

static fx_status map_open_file(fx_store *store, int file, const char *path, block *out)
{
    struct stat info;
    if (fstat(file, &info) != 0) return io_error(store, path, "read");
    if (!S_ISREG(info.st_mode)) return fx__diag(store->context, FX_E_IO, NULL, "%s: not a regular file", path);
    *out = (block){NULL, (size_t)info.st_size, path};
    if (info.st_size == 0) return FX_OK;
    out->data = mmap(NULL, out->bytes, PROT_READ, MAP_PRIVATE, file, 0);
    return out->data == MAP_FAILED ? io_error(store, path, "map") : FX_OK;
}

static fx_status map_new(fx_store *store, const char *path, block *out)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return io_error(store, path, "open");
    fx_status status = map_open_file(store, file, path, out);
    close(file);
    return status;
}

fx_status fx__store_map(fx_store *store, const char *path, const void **out_data, size_t *out_bytes)
{
    block *b = NULL;
    for (int32_t i = 0; i < store->count && !b; i++)
        if (store->blocks[i].path && strcmp(store->blocks[i].path, path) == 0) b = &store->blocks[i];
    if (!b) {
        b = new_block(store);
        const char *kept = b ? fx__arena_copy(store->arena, path, strlen(path)) : NULL;
        if (!kept) return FX_E_OOM;
        FX_TRY(map_new(store, kept, b));
        store->count++;
    }
    *out_data = b->data;
    *out_bytes = b->bytes;
    return FX_OK;
}

void *fx__store_alloc(fx_store *store, size_t bytes)
{
    block *b = new_block(store);
    if (!b) return NULL;
    b->path = NULL;
    b->bytes = bytes;
    b->data = fx__memory_alloc(bytes);
    if (!b->data) {
        (void)fx__diag_oom(store->context);
        return NULL;
    }
    store->count++;
    return b->data;
}

fx_context *fx__store_context(const fx_store *store)
{
    return store->context;
}
