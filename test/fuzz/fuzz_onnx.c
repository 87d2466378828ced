/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ONNX file: importing, checking and printing what came of it. */
#include "fuzz.h"
#include "fxjit/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    if (context && fx_import_onnx(context, data, bytes, "fuzz.onnx", NULL, &module) == FX_OK) {
        (void)fx_graph_lint(fx_module_graph(module));
        fx_text_free(fx_graph_to_string(fx_module_graph(module)));
    }
    fx_module_free(module);
    fx_context_free(context);
    return 0;
}
