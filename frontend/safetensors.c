/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.c: reading and writing the header of a safetensors file. What the header says of the data is checked before any of it
 * is believed: known element types, sizes that fit the shapes, ranges inside the file that share no byte. */
#include "frontend/safetensors.h"
#include "frontend/json.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 << 20, HEADER_ALIGN = 64 };

static const struct {
    const char *name;
    fx_dtype dtype;
} dtypes[] = {{"F16", FX_F16}, {"F32", FX_F32}, {"F64", FX_F64},  {"BF16", FX_BF16}, {"I8", FX_I8},
              {"I16", FX_I16}, {"I32", FX_I32}, {"I64", FX_I64},  {"U8", FX_U8},     {"U16", FX_U16},
              {"U32", FX_U32}, {"U64", FX_U64}, {"BOOL", FX_BOOL}};

typedef struct range {
    uint64_t begin, end;
    const char *name;
} range;

typedef struct reading {
    fx_json json;
    fx_store *store;
    const uint8_t *data; /* behind the header */
    uint64_t bytes;
    fx_named_tensor *tensor;
    range *range;
    int32_t n;
} reading;

/* ---- One tensor ------------------------------------------------------------------------------------------------------------- */

static bool read_dtype(reading *r, const fx_json_at *at, const json_t *entry, fx_dtype *out)
{
    const char *name = NULL;
    if (!fx__json_text(&r->json, at, entry, "dtype", true, &name)) return false;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, name) != 0) continue;
        *out = dtypes[i].dtype;
        return true;
    }
    return fx__json_error(&r->json, at, "element type %.40s is not known", name);
}

/* Exactly or at most n non-negative integers; -1 after an error. */
static int32_t read_integers(reading *r, const fx_json_at *at, const json_t *entry, const char *key, int32_t n, int64_t *out)
{
    bool bad = false;
    const json_t *list = fx__json_list(&r->json, at, entry, key, &bad);
    if (!list) {
        if (!bad) fx__json_error(&r->json, at, "\"%s\" is missing", key);
        return -1;
    }
    if (json_array_size(list) > (size_t)n) {
        fx__json_error(&r->json, at, "\"%s\" has %zu entries; at most %d are possible", key, json_array_size(list), (int)n);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        out[i] = json_integer_value(item);
        if (json_is_integer(item) && out[i] >= 0) continue;
        fx__json_error(&r->json, at, "\"%s\" holds something else than non-negative integers", key);
        return -1;
    }
    return (int32_t)json_array_size(list);
}

/* Elements lie where their type wants them, or in a copy. */
static bool place(reading *r, const uint8_t *data, size_t bytes, fx_tensor *tensor)
{
    tensor->data = (void *)(uintptr_t)data;
    if ((uintptr_t)data % fx_dtype_bytes(tensor->dtype) == 0) return true;
    tensor->data = fx__store_alloc(r->store, bytes);
    if (!tensor->data) return fx__json_oom(&r->json);
    memcpy(tensor->data, data, bytes);
    return true;
}

static bool read_entry(reading *r, const char *name, const json_t *entry)
{
    fx_json_at at = fx__json_key(NULL, name);
    fx_dtype dtype = FX_F32;
    int64_t dim[FX_RANK], offset[2];
    if (!fx__json_is_object(&r->json, &at, entry)) return false;
    bool good = read_dtype(r, &at, entry, &dtype);
    int32_t rank = read_integers(r, &at, entry, "shape", FX_RANK, dim), n = read_integers(r, &at, entry, "data_offsets", 2, offset);
    if (!good || rank < 0 || n < 0) return false;
    if (n != 2) return fx__json_error(&r->json, &at, "\"data_offsets\" are not two");
    fx_tensor tensor = fx_tensor_view(NULL, dtype, rank, dim);
    uint64_t begin = (uint64_t)offset[0], end = (uint64_t)offset[1];
    if (begin > end || end > r->bytes) return fx__json_error(&r->json, &at, "its data lie outside the file");
    int64_t wanted = fx_tensor_bytes(&tensor);
    if (wanted < 0 || (uint64_t)wanted != end - begin)
        return fx__json_error(&r->json, &at, "its shape needs %lld bytes, it has %llu", (long long)wanted,
                              (unsigned long long)(end - begin));
    if (!place(r, r->data + begin, (size_t)(end - begin), &tensor)) return false;
    const char *kept = fx__intern(r->json.context, name);
    if (!kept) return fx__json_oom(&r->json);
    r->range[r->n] = (range){begin, end, kept};
    r->tensor[r->n++] = (fx_named_tensor){kept, tensor};
    return true;
}

/* ---- All of them ------------------------------------------------------------------------------------------------------------ */

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static void check_overlap(reading *r)
{
    qsort(r->range, (size_t)r->n, sizeof *r->range, by_begin);
    for (int32_t i = 1; i < r->n; i++) {
        if (r->range[i].begin >= r->range[i - 1].end) continue;
        fx_json_at at = fx__json_key(NULL, r->range[i].name);
        fx__json_error(&r->json, &at, "its data overlap those of %s", r->range[i - 1].name);
    }
}

static void read_all(reading *r, json_t *header)
{
    const char *name;
    json_t *entry;
    size_t count = json_object_size(header);
    r->tensor = FX_NEW_ARRAY(r->json.arena, fx_named_tensor, count);
    r->range = FX_NEW_ARRAY(r->json.arena, range, count);
    if (!r->tensor || !r->range) {
        fx__json_oom(&r->json);
        return;
    }
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (!*name)
            fx__json_error(&r->json, NULL, "a tensor has no name");
        else
            (void)read_entry(r, name, entry);
    }
    check_overlap(r);
}

static fx_status split_header(fx_context *context, const char *file, const uint8_t *data, size_t bytes, uint64_t *out)
{
    *out = 0;
    if (bytes < 8) return fx__diag(context, FX_E_FORMAT, NULL, "%s: the file is too short", file);
    for (int i = 8; i > 0; i--) *out = *out << 8 | data[i - 1];
    if (*out > bytes - 8 || *out > HEADER_MAX)
        return fx__diag(context, FX_E_FORMAT, NULL, "%s: the header's length %llu is beyond the file or above %d", file,
                        (unsigned long long)*out, (int)HEADER_MAX);
    if (*out < 2 || data[8] != '{') return fx__diag(context, FX_E_FORMAT, NULL, "%s: the header is no JSON object", file);
    return FX_OK;
}

fx_status fx__safetensors_read(fx_store *store, fx_arena *arena, const char *file, const void *data, size_t bytes,
                               fx_named_tensor **out, int32_t *out_n)
{
    uint64_t n_header;
    fx_context *context = fx__store_context(store);
    FX_TRY(split_header(context, file, data, bytes, &n_header));
    const uint8_t *start = (const uint8_t *)data + 8;
    reading r = {.json = {context, arena, file, 0, false}, .store = store, .data = start + n_header, .bytes = bytes - 8 - n_header};
    json_t *header = fx__json_parse(&r.json, (const char *)start, (size_t)n_header);
    if (header) read_all(&r, header);
    json_decref(header);
    *out = r.tensor;
    *out_n = r.n;
    return fx__json_status(&r.json);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

static const char *dtype_word(fx_dtype dtype)
{
    size_t i = 0;
    while (dtypes[i].dtype != dtype) i++;
    return dtypes[i].name;
}

static bool put_entry(fx_text *text, const fx_named_tensor *it, uint64_t begin, uint64_t end)
{
    if (!fx__json_put_text(text, it->name)) {
        fx__diag(text->context, FX_E_ARG, NULL, "tensor %s: its name is not UTF-8", it->name);
        return false;
    }
    fx__text_append(text, ":{\"dtype\":\"%s\",\"shape\":[", dtype_word(it->tensor.dtype));
    for (int32_t d = 0; d < it->tensor.rank; d++) fx__text_append(text, d ? ",%lld" : "%lld", (long long)it->tensor.dim[d]);
    fx__text_append(text, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin, (unsigned long long)end);
    return true;
}

bool fx__safetensors_header(fx_text *text, const fx_named_tensor *tensors, int32_t n)
{
    uint64_t at = 0;
    char length[8];
    fx__text_put(text, "\0\0\0\0\0\0\0\0{", 9);
    for (int32_t i = 0; i < n; i++) {
        uint64_t end = at + (uint64_t)fx_tensor_bytes(&tensors[i].tensor);
        if (i) fx__text_put(text, ",", 1);
        if (!put_entry(text, &tensors[i], at, end)) return false;
        at = end;
    }
    fx__text_put(text, "}", 1);
    while (text->bytes % HEADER_ALIGN && !text->failed) fx__text_put(text, " ", 1);
    if (text->failed) return false;
    uint64_t bytes = text->bytes - sizeof length;
    for (size_t i = 0; i < sizeof length; i++, bytes >>= 8) length[i] = (char)(bytes & 0xff);
    memcpy(text->data, length, sizeof length);
    return true;
}
