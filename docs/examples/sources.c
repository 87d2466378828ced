/* SPDX-License-Identifier: Apache-2.0 */
/* sources: a graph as Python, as torch.fx generates it, with a line of our own in it; and as C that traces it again. */
#include <fxjit/fxjit.h>
#include <string.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_softmax(fx_add(fx_relu(in[0]), 0.5), -1);
    return FX_OK;
}

/* A hook sees the body's lines, and may change them. */
static fx_status say_what_it_is(void *user, fx_lines *lines)
{
    return fx_lines_insert(lines, 0, user);
}

static int show(FX_TAKES char *text, const char *expected)
{
    if (text) puts(text);
    int missing = !text || !strstr(text, expected);
    fx_text_free(text);
    return missing;
}

int main(void)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_type type = {FX_F32, 2, {2, 3}};
    int32_t hook;
    int missing = 1;
    if (fx_trace(context, "Net", forward, NULL, &type, 1, 1, &module) == FX_OK) {
        fx_graph *graph = fx_module_graph(module);
        fx_node_rename(fx_graph_find(graph, "add"), "shifted");
        fx_graph_add_code_hook(graph, say_what_it_is, "# written by hand", &hook);
        missing =
            show(fx_graph_to_python(graph, NULL), "    # written by hand\n    relu = torch.ops.aten.relu.default(x);  x = None\n");
        missing += show(fx_module_to_readable(module), "shifted: \"f32[2, 3]\" = torch.ops.aten.add.Tensor(relu, 0.5);");
        missing += show(fx_graph_to_c(graph, "trace_net"), "return fx_trace_finish(scope, (fx_value[]){softmax}, 1, out);");
    }
    fx_context_print(context, stderr);
    fx_module_free(module);
    fx_context_free(context);
    return missing;
}
