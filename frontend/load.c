/* SPDX-License-Identifier: Apache-2.0 */
/* load.c: fx_load: a model file of any format, told by its content. The file is mapped, and unmapped with the module. */
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

static fx_status load_fx(fx_context *context, const char *path, const void *data, size_t bytes, fx_module **out)
{
    fx_graph *graph = NULL;
    FX_TRY(fx_graph_parse(context, path, data, bytes, &graph));
    *out = fx__module_ensure(graph);
    if (*out) return FX_OK;
    fx_graph_free(graph);
    return FX_E_OOM;
}

/* The part of the path before the last slash: external weights lie there. */
static const char *folder_of(fx_context *context, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return fx__intern(context, ".");
    return fx__intern_n(context, path, slash == path ? 1 : (size_t)(slash - path));
}

static fx_status load_mapped(fx_context *context, fx_store *store, const char *path, const void *data, size_t bytes,
                             fx_module **out)
{
    if (!looks_like_text(data, bytes)) {
        const char *folder = folder_of(context, path);
        if (folder) return fx__onnx_import(context, path, folder, data, bytes, true, store, out);
        fx__store_free(store);
        return FX_E_OOM;
    }
    fx_status status = load_fx(context, path, data, bytes, out);
    fx__store_free(store);
    return status;
}

fx_status fx_load(fx_context *context, const char *path, fx_module **out)
{
    const void *data;
    size_t bytes;
    fx_store *store = fx__store_new(context);
    if (!store) return FX_E_OOM;
    fx_status status = fx__store_map(store, path, &data, &bytes);
    if (status == FX_OK && bytes == 0) status = fx__diag(context, FX_E_FORMAT, NULL, "%s: the file is empty", path);
    if (status == FX_OK) return load_mapped(context, store, path, data, bytes, out);
    fx__store_free(store);
    return status;
}
