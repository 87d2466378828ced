/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a model file: an archive, or JSON; what is read must be written, and what was written must be read and written
 * alike. */
#include "fuzz.h"
#include "fxjit/compile.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool put_file(const char *path, const void *data, size_t bytes)
{
    FILE *out = fopen(path, "wb");
    bool good = out && fwrite(data, 1, bytes, out) == bytes;
    if (out) good = fclose(out) == 0 && good;
    return good;
}

static void fail(fx_context *context, const char *what)
{
    fprintf(stderr, "%s\n", what);
    fx_context_print(context, stderr);
    abort();
}

/* Written, read and written again. */
static void repeat(fx_context *context, fx_module *module)
{
    fx_module *again = NULL;
    char path[64];
    snprintf(path, sizeof path, "/tmp/fuzz_fxm_again.%ld", (long)getpid());
    char *first = fx_module_to_json(module);
    if (!first || fx_module_save(module, path) != FX_OK) fail(context, "cannot be written");
    if (fx_load(context, path, &again) != FX_OK) fail(context, "not read back");
    char *second = fx_module_to_json(again);
    if (!second || strcmp(first, second) != 0) fail(context, "written differently");
    fx_text_free(first);
    fx_text_free(second);
    fx_module_free(again);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    char path[64];
    snprintf(path, sizeof path, "/tmp/fuzz_fxm.%ld", (long)getpid());
    bool is_json = bytes && data[0] == '{';
    fx_status status = FX_E_IO;
    if (context && is_json)
        status = fx_import_graph(context, (const char *)data, bytes, "fuzz.json", NULL, 0, &module);
    else if (context && put_file(path, data, bytes))
        status = fx_load(context, path, &module);
    if (status == FX_OK) {
        (void)fx_graph_lint(fx_module_graph(module));
        fx_text_free(fx_graph_to_string(fx_module_graph(module)));
        fx_context_clear(context);
        if (fx_module_graph(module) && fx_module_tensor_count(module) >= 0) repeat(context, module);
    }
    fx_module_free(module);
    fx_context_free(context);
    unlink(path);
    return 0;
}
