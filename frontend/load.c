/* SPDX-License-Identifier: Apache-2.0 */
/* load.c: fx_load: a model file of any format, told by its content. The file is mapped; a mapping that weights lie in is unmapped with the module. */
#include "frontend/fxm.h"
#include "frontend/onnx.h"
#include "fxjit/compile.h"
#include <string.h>

/* fxjit's text has printable characters only; every ONNX file has a control character in its first bytes. */
static bool looks_like_text(const unsigned char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes && i < 64; i++)
        if (data[i] < ' ' && !strchr("\t\n\r", data[i])) return false;
    return bytes > 0;
}

static bool looks_like_archive(const unsigned char *data, size_t bytes)
{
    return bytes >= 4 && memcmp(data, "PK\3\4", 4) == 0;
}

/* A graph as JSON, without weights. */
static bool looks_like_json(const unsigned char *data, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && strchr(" \t\n\r", data[i]) && data[i]) i++;
    return i < bytes && data[i] == '{';
}

static fx_status load_fx(fx_context *context, const char *path, const void *data, size_t bytes, fx_module **out)
{
    fx_graph *graph = NULL;
    FX_TRY(fx_graph_parse(context, path, data, bytes, &graph));
    *out = fx__module_ensure(graph);
    if (*out) return FX_OK;
    fx_graph_free(graph);
    return FX_E_OOM;
}

static fx_status load_text(fx_context *context, const char *path, const void *data, size_t bytes, fx_module **out)
{
    if (looks_like_json(data, bytes)) return fx__fxm_read(context, data, bytes, path, NULL, 0, out);
    return load_fx(context, path, data, bytes, out);
}

/* The part of the path before the last slash: external weights lie there. */
static const char *folder_of(fx_context *context, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return fx__intern(context, ".");
    return fx__intern_n(context, path, slash == path ? 1 : (size_t)(slash - path));
}

static fx_status load_onnx(fx_context *context, fx_store *store, fx_onnx_source *source, fx_module **out)
{
    source->directory = folder_of(context, source->file);
    source->borrow = true;
    if (source->directory) return fx__onnx_import(context, source, store, out);
    fx__store_free(store);
    return FX_E_OOM;
}

fx_status fx_load_fixed(fx_context *context, const char *path, const fx_fixed_input *fixed, int32_t n_fixed, fx_module **out)
{
    fx_onnx_source source = {.file = path, .fixed = fixed, .n_fixed = n_fixed};
    fx_store *store = fx__store_new(context);
    if (!store) return FX_E_OOM;
    fx_status status = fx__store_map(store, path, &source.data, &source.bytes);
    if (status == FX_OK && source.bytes == 0) status = fx__diag(context, FX_E_FORMAT, NULL, "%s: the file is empty", path);
    if (status == FX_OK && looks_like_archive(source.data, source.bytes))
        return fx__fxm_load(context, store, path, source.data, source.bytes, out);
    if (status == FX_OK && !looks_like_text(source.data, source.bytes)) return load_onnx(context, store, &source, out);
    if (status == FX_OK) status = load_text(context, path, source.data, source.bytes, out);
    fx__store_free(store);
    return status;
}

fx_status fx_load(fx_context *context, const char *path, fx_module **out)
{
    return fx_load_fixed(context, path, NULL, 0, out);
}
