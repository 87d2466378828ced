/* SPDX-License-Identifier: Apache-2.0 */
/* test/source/make.c: writes the graphs of test/source_graphs.c as C: make FILE. */
#include "fxjit/source.h"
#include "source_graphs.h"
#include <stdio.h>

static bool write_graph(FILE *out, const char *name, const char *function)
{
    fx_context *context = fx_context_new();
    fx_module *module = fx_test_source_graph(context, name);
    char *text = module ? fx_graph_to_c(fx_module_graph(module), function) : NULL;
    bool good = text && fputs(text, out) >= 0;
    if (!good) fx_context_print(context, stderr);
    fx_text_free(text);
    fx_module_free(module);
    fx_context_free(context);
    return good;
}

int main(int argc, char **argv)
{
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!out) return 2;
    bool good = true;
#define WRITE(name) good = good && write_graph(out, #name, "build_" #name);
    FX_SOURCE_GRAPHS(WRITE)
    return fclose(out) == 0 && good ? 0 : 1;
}
