/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as .fx text; what is accepted must print, and what is printed must be accepted. */
#include "fuzz.h"
#include "fxjit/graph.h"
#include <stdlib.h>
#include <string.h>

static void read_again(fx_context *context, const fx_graph *graph)
{
    fx_graph *again = NULL;
    char *text = fx_graph_to_fx(graph);
    if (!text) return;
    fx_context_clear(context);
    if (fx_graph_parse(context, "again", text, strlen(text), &again) != FX_OK) {
        fprintf(stderr, "not read back:\n%s\n", text);
        fx_context_print(context, stderr);
        abort();
    }
    fx_graph_free(again);
    fx_text_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fx_context *context = fx_context_new();
    fx_graph *graph = NULL;
    if (context && fx_graph_parse(context, "fuzz.fx", (const char *)data, bytes, &graph) == FX_OK) {
        read_again(context, graph);
        (void)fx_graph_lint(graph);
        fx_graph_free(graph);
    }
    fx_context_free(context);
    return 0;
}
