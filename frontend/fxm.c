/* SPDX-License-Identifier: Apache-2.0 */
/* fxm.c: .fxm files: an archive of graph.json and weights.safetensors. Reading maps the file; the module's tensors lie in the
 * mapping, which goes with the module. */
#include "frontend/fxm.h"
#include "frontend/replace.h"
#include "frontend/safetensors.h"
#include "frontend/zip.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char graph_entry[] = "graph.json", weights_entry[] = "weights.safetensors";

/* ---- Reading ---------------------------------------------------------------------------------------------------------------- */

static void release_store(void *user, void *data)
{
    (void)data;
    fx__store_free(user);
}

static fx_status read_weights(fx_store *store, fx_arena *arena, const char *path, const fx_zip_entry *entry, fx_named_tensor **out,
                              int32_t *out_n)
{
    const char *name = fx__arena_format(arena, "%s: %s", path, weights_entry);
    *out_n = 0;
    if (!name) return FX_E_OOM;
    return entry->data ? fx__safetensors_read(store, arena, name, entry->data, entry->bytes, out, out_n) : FX_OK;
}

static fx_status read_archive(fx_context *context, fx_store *store, fx_arena *arena, const char *path, const void *data,
                              size_t bytes, fx_module **out)
{
    fx_zip_entry graph, weights;
    fx_named_tensor *tensors = NULL;
    int32_t n = 0;
    FX_TRY(fx__zip_find(context, path, data, bytes, graph_entry, &graph));
    FX_TRY(fx__zip_find(context, path, data, bytes, weights_entry, &weights));
    if (!graph.data) return fx__diag(context, FX_E_FORMAT, NULL, "%s: the archive has no %s", path, graph_entry);
    if (fx__zip_crc(0, graph.data, graph.bytes) != graph.crc)
        return fx__diag(context, FX_E_FORMAT, NULL, "%s: %s is damaged: its checksum differs", path, graph_entry);
    fx_status status = read_weights(store, arena, path, &weights, &tensors, &n);
    if (status == FX_E_OOM) return status;
    fx_status read = fx__fxm_read(context, (const char *)graph.data, graph.bytes, path, tensors, n, out);
    if (status == FX_OK || read != FX_OK) return status == FX_OK ? read : status;
    fx_module_free(*out);
    *out = NULL;
    return status;
}

fx_status fx__fxm_load(fx_context *context, fx_store *store, const char *path, const void *data, size_t bytes, fx_module **out)
{
    fx_arena *arena = fx__arena_new(context);
    fx_status status = arena ? read_archive(context, store, arena, path, data, bytes, out) : FX_E_OOM;
    fx__arena_free(arena);
    if (status != FX_OK) {
        fx__store_free(store);
        return status;
    }
    (*out)->on_free = release_store;
    (*out)->on_free_user = store;
    return FX_OK;
}

/* ---- Which tensors, under which keys ---------------------------------------------------------------------------------------- */

/* Tensors in the order of the tree; those that share memory share a key, the path of the first. */
typedef struct collection {
    fx_context *context;
    fx_arena *arena;
    fx_named_tensor *tensor;
    int32_t n, capacity;
    fx_map keys;  /* path -> the tensor's key */
    fx_map taken; /* key -> itself */
    fx_map data;  /* memory -> 1 + index of the first tensor there */
    fx_status status;
} collection;

static bool is_same(const fx_tensor *a, const fx_tensor *b)
{
    if (a->data != b->data || a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d] || (a->dim[d] > 1 && a->stride[d] != b->stride[d])) return false;
    return fx_tensor_elems(a) > 0;
}

/* A flat module may have "a.b" beside a submodule a with b. */
static const char *free_key(collection *c, const char *path)
{
    const char *key = fx__intern(c->context, path);
    for (int i = 2; key && fx__map_get(&c->taken, key); i++) {
        char *text = fx__arena_format(c->arena, "%s#%d", path, i);
        key = text ? fx__intern(c->context, text) : NULL;
    }
    return key && fx__map_put(&c->taken, key, (void *)(uintptr_t)key) ? key : NULL;
}

/* Several paths may be equal: the list of keys of one path, in order of visits. */
typedef struct path_keys {
    const char *key;
    struct path_keys *next;
} path_keys;

static bool put_key(collection *c, const char *path, const char *key)
{
    path_keys *one = FX_NEW(c->arena, path_keys), *list = fx__map_get(&c->keys, path);
    if (!one) return false;
    one->key = key;
    if (!list) return fx__map_put(&c->keys, path, one);
    while (list->next) list = list->next;
    list->next = one;
    return true;
}

static const char *add_tensor(collection *c, const char *path, const fx_tensor *tensor)
{
    intptr_t first = (intptr_t)fx__map_get(&c->data, tensor->data);
    if (first && is_same(&c->tensor[first - 1].tensor, tensor)) return c->tensor[first - 1].name;
    fx_named_tensor *grown = fx__arena_grow(c->arena, c->tensor, &c->capacity, c->n, sizeof *grown);
    const char *key = grown ? free_key(c, path) : NULL;
    if (!key) return NULL;
    c->tensor = grown;
    c->tensor[c->n++] = (fx_named_tensor){key, *tensor};
    if (!first && tensor->data && !fx__map_put(&c->data, tensor->data, (void *)(intptr_t)c->n)) return NULL;
    return key;
}

static void collect(void *user, const char *path, const fx_tensor *tensor, bool is_buffer)
{
    (void)is_buffer;
    collection *c = user;
    const char *kept = fx__intern(c->context, path), *key = kept ? add_tensor(c, kept, tensor) : NULL;
    if (!key || !put_key(c, kept, key)) c->status = fx__diag_oom(c->context);
    if (!tensor->data && fx_tensor_elems(tensor) > 0)
        c->status = fx__diag(c->context, FX_E_ARG, NULL, "tensor %s has no data to be written", path);
}

static fx_status collect_all(collection *c, fx_module *module)
{
    c->context = module->context;
    c->arena = fx__arena_new(module->context);
    if (!c->arena) return FX_E_OOM;
    fx__map_init(&c->keys, c->arena);
    fx__map_init(&c->taken, c->arena);
    fx__map_init(&c->data, c->arena);
    FX_TRY(fx_module_each_tensor(module, collect, c));
    return c->status;
}

/* Called once per tensor in the order of the visits. */
static const char *next_key(void *user, const char *path)
{
    collection *c = user;
    path_keys *list = fx__map_get(&c->keys, fx__intern(c->context, path));
    if (!list) return NULL;
    if (list->next) (void)fx__map_put(&c->keys, fx__intern(c->context, path), list->next);
    return list->key;
}

/* Large elements first: then all lie where their type wants them, without gaps. */
static int by_element(const void *a, const void *b)
{
    size_t x = fx_dtype_bytes(((const fx_named_tensor *const *)a)[0]->tensor.dtype);
    size_t y = fx_dtype_bytes(((const fx_named_tensor *const *)b)[0]->tensor.dtype);
    if (x != y) return x > y ? -1 : 1;
    return *(const fx_named_tensor *const *)a < *(const fx_named_tensor *const *)b ? -1 : 1;
}

static bool sort_tensors(collection *c)
{
    const fx_named_tensor **order = FX_NEW_ARRAY(c->arena, const fx_named_tensor *, c->n);
    fx_named_tensor *sorted = FX_NEW_ARRAY(c->arena, fx_named_tensor, c->n);
    if (!order || !sorted) return false;
    for (int32_t i = 0; i < c->n; i++) order[i] = &c->tensor[i];
    qsort((void *)order, (size_t)c->n, sizeof *order, by_element);
    for (int32_t i = 0; i < c->n; i++) sorted[i] = *order[i];
    c->tensor = sorted;
    return true;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

static fx_status write_tensor(fx_zip_writer *zip, const fx_tensor *tensor)
{
    fx_tensor packed;
    int64_t bytes = fx_tensor_bytes(tensor);
    if (bytes == 0) return FX_OK;
    if (fx_tensor_is_contiguous(tensor)) {
        fx__zip_write(zip, tensor->data, (size_t)bytes);
        return FX_OK;
    }
    FX_TRY(fx_tensor_alloc(tensor->dtype, tensor->rank, tensor->dim, &packed));
    fx_status status = fx_tensor_copy(&packed, tensor);
    if (status == FX_OK) fx__zip_write(zip, packed.data, (size_t)bytes);
    fx_tensor_release(&packed);
    return status;
}

static fx_status write_entries(collection *c, FILE *out, const fx_text *graph, const fx_text *header, const char *path)
{
    fx_zip_writer zip = {.out = out};
    uint64_t bytes = header->bytes;
    fx_status status = FX_OK;
    for (int32_t i = 0; i < c->n; i++) bytes += (uint64_t)fx_tensor_bytes(&c->tensor[i].tensor);
    fx__zip_begin(&zip, graph_entry, graph->bytes);
    fx__zip_write(&zip, graph->data, graph->bytes);
    fx__zip_begin(&zip, weights_entry, bytes);
    fx__zip_write(&zip, header->data, header->bytes);
    for (int32_t i = 0; i < c->n && status == FX_OK; i++) status = write_tensor(&zip, &c->tensor[i].tensor);
    if (status == FX_OK && !fx__zip_finish(&zip))
        status = fx__diag(c->context, FX_E_IO, NULL, "cannot write %s: %s", path, strerror(errno));
    return status;
}

static fx_status make_texts(collection *c, fx_module *module, fx_text *graph, fx_text *header)
{
    FX_TRY(collect_all(c, module));
    bool good = fx__fxm_write(graph, module, next_key, c) &&
                (!header || (sort_tensors(c) && fx__safetensors_header(header, c->tensor, c->n)));
    return good ? FX_OK : fx__diag_failure(c->context, FX_E_ARG);
}

static fx_status write_file(collection *c, const fx_text *graph, const fx_text *header, const char *path)
{
    fx_replacement file;
    fx_status status = fx__replace_open(c->context, path, &file);
    if (status == FX_OK) status = write_entries(c, file.out, graph, header, path);
    if (status == FX_OK) status = fx__replace_close(c->context, &file);
    if (status == FX_OK) status = fx__replace_commit(c->context, &file);
    fx__replace_drop(&file);
    return status;
}

fx_status fx_module_save(fx_module *module, const char *path)
{
    collection c = {.status = FX_OK};
    fx_text graph, header;
    fx__text_init(&graph, module->context);
    fx__text_init(&header, module->context);
    fx_status status = make_texts(&c, module, &graph, &header);
    if (status == FX_OK) status = write_file(&c, &graph, &header, path);
    fx_text_free(fx__text_finish(&graph));
    fx_text_free(fx__text_finish(&header));
    fx__arena_free(c.arena);
    return status;
}

/* Values of tensors are no part of the text, so missing data are no error. */
char *fx_module_to_json(fx_module *module)
{
    collection c = {.status = FX_OK};
    fx_text graph;
    fx__text_init(&graph, module->context);
    fx_status status = make_texts(&c, module, &graph, NULL);
    char *text = fx__text_finish(&graph);
    fx__arena_free(c.arena);
    if (status == FX_OK) return text;
    fx_text_free(text);
    return NULL;
}
