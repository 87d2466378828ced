/* SPDX-License-Identifier: Apache-2.0 */
/* npy.c: NumPy's .npy: "\x93NUMPY", version, header length, a Python dict literal with descr, fortran_order and shape, then the
 * elements. Only that literal is understood: a header with anything else in it, or of another size than the file has, is refused.
 */
#include "frontend/npy.h"
#include "frontend/onnx_tensor.h"
#include "fxjit/compile.h"
#include "ir/diag.h"
#include <errno.h>
#include <string.h>

typedef struct npy_type {
    const char *code;
    fx_dtype dtype;
} npy_type;

/* NumPy has no bfloat16; ml_dtypes writes it as two opaque bytes. */
static const npy_type npy_types[] = {{"f4", FX_F32}, {"f8", FX_F64}, {"f2", FX_F16},  {"V2", FX_BF16}, {"i1", FX_I8},
                                     {"i2", FX_I16}, {"i4", FX_I32}, {"i8", FX_I64},  {"u1", FX_U8},   {"u2", FX_U16},
                                     {"u4", FX_U32}, {"u8", FX_U64}, {"b1", FX_BOOL}, {"?", FX_BOOL}};
enum { NPY_TYPES = sizeof npy_types / sizeof npy_types[0], HEADER_ALIGN = 64 };

typedef struct npy_header {
    fx_dtype dtype;
    bool fortran, has_descr, has_order, has_shape;
    int32_t rank;
    int64_t dim[FX_RANK];
} npy_header;

/* ---- The dict literal: `at` points into text that ends before `end` --------------------------------------------------------- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static bool accept(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool accept_word(cursor *c, const char *word)
{
    size_t length = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
    c->at += length;
    return true;
}

static bool take_string(cursor *c, char *out, size_t capacity)
{
    size_t length = 0;
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    char quote = *c->at++;
    while (c->at < c->end && *c->at != quote && length + 1 < capacity) out[length++] = *c->at++;
    out[length] = 0;
    return accept(c, quote);
}

static bool take_size(cursor *c, int64_t *out)
{
    skip_space(c);
    int64_t value = 0;
    const char *first = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (value > (INT64_MAX - 9) / 10) return false;
        value = value * 10 + (*c->at - '0');
    }
    if (c->at < c->end && *c->at == 'L') c->at++; /* written by Python 2 */
    *out = value;
    return c->at > first;
}

static bool take_shape(cursor *c, npy_header *header)
{
    if (!accept(c, '(')) return false;
    while (!accept(c, ')')) {
        if (header->rank == FX_RANK || !take_size(c, &header->dim[header->rank])) return false;
        header->rank++;
        if (accept(c, ')')) return header->rank > 1; /* (3) is no tuple */
        if (!accept(c, ',')) return false;
    }
    return true;
}

static bool take_descr(cursor *c, npy_header *header)
{
    char text[16];
    if (!take_string(c, text, sizeof text)) return false;
    const char *code = text[0] && strchr("<|=", text[0]) ? text + 1 : text;
    for (int i = 0; i < NPY_TYPES; i++)
        if (strcmp(npy_types[i].code, code) == 0) {
            header->dtype = npy_types[i].dtype;
            return true;
        }
    return false;
}

static bool take_order(cursor *c, npy_header *header)
{
    header->fortran = accept_word(c, "True");
    return header->fortran || accept_word(c, "False");
}

/* What is wrong with the next entry; NULL: nothing. */
static const char *take_entry(cursor *c, npy_header *header)
{
    char key[24];
    if (!take_string(c, key, sizeof key) || !accept(c, ':')) return "malformed header";
    if (strcmp(key, "descr") == 0 && !header->has_descr) {
        header->has_descr = true;
        return take_descr(c, header) ? NULL : "fxjit has no such element type (or it is big-endian)";
    }
    if (strcmp(key, "fortran_order") == 0 && !header->has_order) {
        header->has_order = true;
        return take_order(c, header) ? NULL : "malformed fortran_order";
    }
    if (strcmp(key, "shape") == 0 && !header->has_shape) {
        header->has_shape = true;
        return take_shape(c, header) ? NULL : "malformed shape, or more than 8 dimensions";
    }
    return "unknown or repeated header entry";
}

static const char *take_dict(cursor *c, npy_header *header)
{
    if (!accept(c, '{')) return "malformed header";
    while (!accept(c, '}')) {
        const char *problem = take_entry(c, header);
        if (problem) return problem;
        if (accept(c, '}')) break;
        if (!accept(c, ',')) return "malformed header";
    }
    skip_space(c);
    if (c->at != c->end) return "malformed header";
    return header->has_descr && header->has_order && header->has_shape ? NULL : "incomplete header";
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------------- */

/* Finds the header's text and the data behind it. */
static const char *split_file(const uint8_t *data, size_t bytes, cursor *header, size_t *out_offset)
{
    if (bytes < 10 || memcmp(data, "\x93NUMPY", 6) != 0) return "not a .npy file";
    size_t prefix = data[6] == 1 ? 10 : 12;
    if (data[6] < 1 || data[6] > 3 || bytes < prefix) return "unknown .npy version";
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (prefix == 12) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > bytes - prefix) return "header longer than the file";
    *header = (cursor){(const char *)data + prefix, (const char *)data + prefix + length};
    *out_offset = prefix + length;
    return NULL;
}

static fx_tensor file_view(const npy_header *header, const void *data)
{
    fx_tensor view = fx_tensor_view((void *)(uintptr_t)data, header->dtype, header->rank, header->dim);
    int64_t stride = 1;
    for (int32_t i = 0; header->fortran && i < header->rank; i++) {
        view.stride[i] = stride;
        stride *= header->dim[i];
    }
    return view;
}

/* The elements in the file need not be aligned, so they are first moved as they lie. */
static fx_status copy_elements(const npy_header *header, const uint8_t *data, size_t bytes, fx_tensor *out)
{
    fx_status status = fx_tensor_alloc(header->dtype, header->rank, header->dim, out);
    if (status != FX_OK) return status;
    if (bytes) memcpy(out->data, data, bytes);
    if (!header->fortran || header->rank < 2 || !bytes) return FX_OK;
    fx_tensor turned;
    status = fx_tensor_alloc(header->dtype, header->rank, header->dim, &turned);
    fx_tensor view = file_view(header, out->data);
    if (status == FX_OK) status = fx_tensor_copy(&turned, &view);
    fx_tensor_release(out);
    *out = turned;
    return status;
}

fx_status fx__npy_read(fx_context *context, const char *name, const void *data, size_t bytes, fx_tensor *out)
{
    npy_header header = {0};
    cursor text;
    size_t offset = 0;
    const char *problem = split_file(data, bytes, &text, &offset);
    if (!problem) problem = take_dict(&text, &header);
    if (problem) return fx__diag(context, FX_E_FORMAT, NULL, "%s: %s", name, problem);
    fx_tensor shape = fx_tensor_view(NULL, header.dtype, header.rank, header.dim);
    int64_t want = fx_tensor_bytes(&shape);
    if (want < 0 || (uint64_t)want != bytes - offset)
        return fx__diag(context, FX_E_FORMAT, NULL, "%s: %zu bytes of elements where the shape needs %lld", name, bytes - offset,
                        (long long)want);
    fx_status status = copy_elements(&header, (const uint8_t *)data + offset, (size_t)want, out);
    return status == FX_OK ? FX_OK : fx__diag(context, status, NULL, "%s: cannot hold the array", name);
}

fx_status fx_tensor_load_npy(fx_context *context, const char *path, fx_tensor *out)
{
    const void *data = NULL;
    size_t bytes = 0;
    fx_store *store = fx__store_new(context);
    if (!store) return FX_E_OOM;
    fx_status status = fx__store_map(store, path, &data, &bytes);
    if (status == FX_OK) status = fx__npy_read(context, path, data, bytes, out);
    fx__store_free(store);
    return status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------------- */

static const char *code_of(fx_dtype dtype)
{
    for (int i = 0; i < NPY_TYPES; i++)
        if (npy_types[i].dtype == dtype) return npy_types[i].code;
    return NULL;
}

/* Prefix and header, padded so that the elements start on a multiple of 64 bytes. */
static void write_header(FILE *out, const fx_tensor *tensor)
{
    char text[512];
    int used = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                        fx_dtype_bytes(tensor->dtype) > 1 ? '<' : '|', code_of(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, i ? ", %lld" : "%lld", (long long)tensor->dim[i]);
    used += snprintf(text + used, sizeof text - (size_t)used, "%s), }", tensor->rank == 1 ? "," : "");
    int length = (10 + used + 1 + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, out);
    fputc(length & 255, out);
    fputc(length >> 8, out);
    fprintf(out, "%-*s\n", length - 1, text);
}

static fx_status write_elements(FILE *out, const fx_tensor *tensor)
{
    size_t bytes = (size_t)fx_tensor_bytes(tensor);
    if (fx_tensor_is_contiguous(tensor)) {
        if (bytes) fwrite(tensor->data, 1, bytes, out);
        return FX_OK;
    }
    fx_tensor packed;
    FX_TRY(fx_tensor_alloc(tensor->dtype, tensor->rank, tensor->dim, &packed));
    fx_status status = fx_tensor_copy(&packed, tensor);
    if (status == FX_OK) fwrite(packed.data, 1, bytes, out);
    fx_tensor_release(&packed);
    return status;
}

fx_status fx_tensor_save_npy(fx_context *context, const char *path, const fx_tensor *tensor)
{
    if (!tensor || tensor->rank < 0 || tensor->rank > FX_RANK || !code_of(tensor->dtype) || fx_tensor_bytes(tensor) < 0)
        return fx__diag(context, FX_E_ARG, NULL, "%s: not a tensor that .npy can hold", path);
    if (!tensor->data && fx_tensor_elems(tensor) > 0) return fx__diag(context, FX_E_ARG, NULL, "%s: the tensor has no data", path);
    FILE *out = fopen(path, "wb");
    if (!out) return fx__diag(context, FX_E_IO, NULL, "%s: cannot write: %s", path, strerror(errno));
    write_header(out, tensor);
    fx_status status = write_elements(out, tensor);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (status != FX_OK) return fx__diag(context, status, NULL, "%s: cannot write the array", path);
    return failed ? fx__diag(context, FX_E_IO, NULL, "%s: cannot write: %s", path, strerror(errno)) : FX_OK;
}
