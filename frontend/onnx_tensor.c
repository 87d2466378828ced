/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_tensor.c: values of a TensorProto: raw bytes, typed data fields, or a range of a file beside the model. Sizes are checked
 * against the shape before anything is read, and files outside the model's folder are refused. */
#include "frontend/onnx_tensor.h"
#include "fxjit/compile.h"
#include "ir/diag.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    fx_store *store;
    fx_context *context;
    const char *file, *directory;
    const fx_onnx_tensor *tensor;
    bool borrow;
} reader;

static fx_status fault(const reader *r, fx_status status, const char *what)
{
    return fx__diag(r->context, status, NULL, "%s: tensor \"%s\": %s", r->file, r->tensor->name, what);
}

/* ---- Raw bytes ------------------------------------------------------------------------------------------------------------- */

static fx_status use_bytes(const reader *r, const void *data, bool borrow, fx_tensor *out)
{
    size_t bytes = (size_t)fx_tensor_bytes(out);
    if (borrow && (uintptr_t)data % fx_dtype_bytes(out->dtype) == 0) {
        out->data = (void *)(uintptr_t)data; /* read-only memory behind the one tensor type there is */
        return FX_OK;
    }
    out->data = fx__store_alloc(r->store, bytes);
    if (!out->data) return FX_E_OOM;
    if (bytes) memcpy(out->data, data, bytes);
    return FX_OK;
}

/* A bool is any non-zero byte in files, but only 0 and 1 in memory. */
static fx_status normalise_bools(const reader *r, fx_tensor *out)
{
    if (out->dtype != FX_BOOL) return FX_OK;
    size_t bytes = (size_t)fx_tensor_bytes(out);
    const uint8_t *from = out->data;
    bool clean = true;
    for (size_t i = 0; i < bytes; i++) clean = clean && from[i] <= 1;
    if (clean) return FX_OK;
    uint8_t *to = fx__store_alloc(r->store, bytes);
    if (!to) return FX_E_OOM;
    for (size_t i = 0; i < bytes; i++) to[i] = from[i] != 0;
    out->data = to;
    return FX_OK;
}

static fx_status read_raw(const reader *r, fx_tensor *out)
{
    if ((int64_t)fx__wire_left(&r->tensor->raw) != fx_tensor_bytes(out))
        return fault(r, FX_E_FORMAT, "raw_data does not fill its shape");
    return use_bytes(r, r->tensor->raw.at, r->borrow, out);
}

/* ---- Typed data fields ------------------------------------------------------------------------------------------------------ */

typedef struct typed_field {
    uint32_t number;
    fx_wire_type wire;
} typed_field;

static typed_field field_of(fx_dtype dtype)
{
    switch (dtype) {
    case FX_F32:
        return (typed_field){4, FX_WIRE_FIXED32};
    case FX_F64:
        return (typed_field){10, FX_WIRE_FIXED64};
    case FX_I64:
        return (typed_field){7, FX_WIRE_VARINT};
    case FX_U32:
    case FX_U64:
        return (typed_field){11, FX_WIRE_VARINT};
    default:
        return (typed_field){5, FX_WIRE_VARINT};
    }
}

/* Every dtype's bits are the low bytes of the value on the wire. */
static void put_bits(const fx_tensor *out, int64_t index, uint64_t bits)
{
    size_t size = fx_dtype_bytes(out->dtype);
    uint8_t *to = (uint8_t *)out->data + (size_t)index * size;
    if (out->dtype == FX_BOOL) bits = bits != 0;
    for (size_t i = 0; i < size; i++) to[i] = (uint8_t)(bits >> (8 * i));
}

/* Number of values in the field, -1 when the message is broken; stores them when `out` is not NULL. */
static int64_t walk_typed(const reader *r, typed_field want, const fx_tensor *out)
{
    fx_wire message = r->tensor->message;
    fx_wire_field field;
    int64_t count = 0;
    while (fx__wire_next(&message, &field) == FX_WIRE_OK) {
        if (field.number != want.number) continue;
        int64_t here = fx__wire_count(&field, want.wire);
        if (here < 0) return -1;
        uint64_t bits;
        for (int64_t i = 0; out && fx__wire_scalar(&field, want.wire, &bits) == FX_WIRE_OK; i++) put_bits(out, count + i, bits);
        count += here;
    }
    return count;
}

static fx_status read_typed(const reader *r, fx_tensor *out)
{
    typed_field want = field_of(out->dtype);
    if (walk_typed(r, want, NULL) != fx_tensor_elems(out)) return fault(r, FX_E_FORMAT, "its data does not fill its shape");
    out->data = fx__store_alloc(r->store, (size_t)fx_tensor_bytes(out));
    if (!out->data) return FX_E_OOM;
    return walk_typed(r, want, out) == fx_tensor_elems(out) ? FX_OK : fault(r, FX_E_FORMAT, "its data is malformed");
}

/* ---- External data ---------------------------------------------------------------------------------------------------------- */

static bool is_plain_path(const char *path)
{
    if (!*path || *path == '/' || strchr(path, '\\')) return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0)) return false;
    }
    return true;
}

/* Symbolic links may lead anywhere, so it is the resolved path that must lie in the folder, and that is opened. */
static bool lies_in(const char *folder, const char *real_path)
{
    char *real_folder = realpath(folder, NULL);
    if (!real_folder) return false;
    size_t length = strcmp(real_folder, "/") == 0 ? 0 : strlen(real_folder);
    bool inside = strncmp(real_folder, real_path, length) == 0 && real_path[length] == '/';
    free(real_folder);
    return inside;
}

static fx_status resolve(const reader *r, const char *joined, char path[PATH_MAX])
{
    if (!realpath(joined, path))
        return fx__diag(r->context, FX_E_IO, NULL, "%s: tensor \"%s\": %s: %s", r->file, r->tensor->name, joined, strerror(errno));
    return lies_in(r->directory, path) ? FX_OK : fault(r, FX_E_FORMAT, "its external data lies outside the model's folder");
}

static fx_status external_path(const reader *r, char path[PATH_MAX])
{
    char joined[PATH_MAX];
    const char *location = r->tensor->location;
    if (!r->directory) return fault(r, FX_E_FORMAT, "external data, but the model has no folder");
    if (!location || !is_plain_path(location)) return fault(r, FX_E_FORMAT, "its external data lies outside the model's folder");
    if (snprintf(joined, sizeof joined, "%s/%s", r->directory, location) >= PATH_MAX)
        return fault(r, FX_E_FORMAT, "too long a path");
    return resolve(r, joined, path);
}

static fx_status read_external(const reader *r, fx_tensor *out)
{
    char path[PATH_MAX];
    const void *data;
    size_t bytes;
    int64_t want = fx_tensor_bytes(out);
    FX_TRY(external_path(r, path));
    if (r->tensor->length >= 0 && r->tensor->length != want)
        return fault(r, FX_E_FORMAT, "its external length does not fill its shape");
    FX_TRY(fx__store_map(r->store, path, &data, &bytes));
    if ((uint64_t)r->tensor->offset > bytes || (uint64_t)want > bytes - (uint64_t)r->tensor->offset)
        return fault(r, FX_E_FORMAT, "its range ends behind its external file");
    if (want == 0) return use_bytes(r, path, false, out);
    return use_bytes(r, (const uint8_t *)data + r->tensor->offset, true, out);
}

/* ---- Together --------------------------------------------------------------------------------------------------------------- */

static fx_status describe(const reader *r, fx_tensor *out)
{
    const fx_onnx_tensor *tensor = r->tensor;
    fx_dtype dtype;
    if (!fx__onnx_dtype(tensor->type, &dtype))
        return fx__diag(r->context, FX_E_TYPE, NULL, "%s: tensor \"%s\": fxjit has no element type %s (%d)", r->file, tensor->name,
                        fx__onnx_type_name(tensor->type), (int)tensor->type);
    if (tensor->rank > FX_RANK) return fault(r, FX_E_UNSUPPORTED, "more than 8 dimensions");
    *out = fx_tensor_view(NULL, dtype, tensor->rank, tensor->dim);
    return fx_tensor_bytes(out) < 0 ? fault(r, FX_E_FORMAT, "its size overflows") : FX_OK;
}

fx_status fx__onnx_tensor_read(fx_store *store, const char *file, const char *directory, const fx_onnx_tensor *tensor, bool borrow,
                               fx_tensor *out)
{
    reader r = {store, fx__store_context(store), file, directory, tensor, borrow};
    FX_TRY(describe(&r, out));
    if (tensor->external)
        FX_TRY(read_external(&r, out));
    else if (tensor->has_raw)
        FX_TRY(read_raw(&r, out));
    else
        FX_TRY(read_typed(&r, out));
    return normalise_bools(&r, out);
}

/* ---- .pb files -------------------------------------------------------------------------------------------------------------- */

static fx_status copy_out(fx_context *context, const fx_tensor *from, const char *name, fx_tensor *out, char **out_name)
{
    fx_status status = fx_tensor_alloc(from->dtype, from->rank, from->dim, out);
    if (status != FX_OK) return fx__diag(context, status, NULL, "cannot hold tensor \"%s\"", name);
    if (fx_tensor_bytes(from)) memcpy(out->data, from->data, (size_t)fx_tensor_bytes(from));
    if (!out_name) return FX_OK;
    fx_text text;
    fx__text_init(&text, context);
    fx__text_append(&text, "%s", name);
    *out_name = fx__text_finish(&text);
    if (*out_name) return FX_OK;
    fx_tensor_release(out);
    return FX_E_OOM;
}

static fx_status load_pb(fx_store *store, fx_arena *arena, const char *path, fx_tensor *out, char **out_name)
{
    const void *data;
    size_t bytes;
    fx_onnx_tensor tensor;
    fx_tensor view;
    FX_TRY(fx__store_map(store, path, &data, &bytes));
    FX_TRY(fx__onnx_file_tensor(arena, path, fx__wire_span(data, bytes), &tensor));
    FX_TRY(fx__onnx_tensor_read(store, path, NULL, &tensor, true, &view));
    return copy_out(fx__store_context(store), &view, tensor.name, out, out_name);
}

fx_status fx_tensor_load_pb(fx_context *context, const char *path, fx_tensor *out, char **out_name)
{
    fx_store *store = fx__store_new(context);
    fx_arena *arena = store ? fx__arena_new(context) : NULL;
    fx_status status = arena ? load_pb(store, arena, path, out, out_name) : FX_E_OOM;
    fx__arena_free(arena);
    fx__store_free(store);
    return status;
}
