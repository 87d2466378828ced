/* SPDX-License-Identifier: Apache-2.0 */
/* add_to_mul: changes a graph by hand: every addition becomes a product. */
#include <fxjit/fxjit.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_relu(fx_add(in[0], in[1]));
    return FX_OK;
}

static fx_status replace_additions(fx_graph *graph)
{
    const fx_op *add = fx_op_find("add");
    for (fx_node *node = fx_graph_first(graph), *next; node; node = next) {
        next = fx_node_next(node);
        if (fx_node_op(node) != add) continue;
        fx_attr args = fx_node_args(node);
        fx_graph_insert_before(graph, node);
        fx_node *product = fx_graph_call(graph, "torch.mul", args.u.items, 2);
        if (!product || fx_node_replace_all_uses(node, product) < 0) return fx_context_status(fx_graph_context(graph));
        fx_status status = fx_graph_erase(graph, node);
        if (status != FX_OK) return status;
    }
    fx_status status = fx_graph_propagate(graph); /* the new nodes have no types yet */
    return status == FX_OK ? fx_graph_lint(graph) : status;
}

int main(void)
{
    float a[3] = {1, -2, 3}, b[3] = {4, 5, 6}, y[3] = {0};
    fx_tensor inputs[2] = {fx_tensor_view(a, FX_F32, 1, (int64_t[]){3}), fx_tensor_view(b, FX_F32, 1, (int64_t[]){3})};
    fx_tensor output = fx_tensor_view(y, FX_F32, 1, (int64_t[]){3});
    fx_type types[2] = {{FX_F32, 1, {3}}, {FX_F32, 1, {3}}};
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_compiled *net = NULL;
    fx_status status = fx_trace(context, "M", forward, NULL, types, 2, 1, &module);
    if (status == FX_OK) status = replace_additions(fx_module_graph(module));
    if (status == FX_OK) status = fx_compile(module, NULL, 0, NULL, &net);
    if (status == FX_OK) status = fx_run(net, context, inputs, 2, &output, 1);
    printf("%g %g %g\n", (double)y[0], (double)y[1], (double)y[2]);
    fx_context_print(context, stderr);
    fx_compiled_free(net);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && y[0] == 4 && y[1] == 0 && y[2] == 18 ? 0 : 1;
}
