/* SPDX-License-Identifier: Apache-2.0 */
/* trace_and_print: topk(sum(relu(linear(x + w)))) as a graph: its nodes, its table, and its value by the interpreter. */
#include <fxjit/fxjit.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const fx_tensor *weights = user;
    fx_value w = fx_parameter(scope, "linear.weight", &weights[0], NULL, NULL);
    fx_value b = fx_parameter(scope, "linear.bias", &weights[1], NULL, NULL);
    fx_value rows = fx_sum(fx_relu(fx_linear(fx_add(in[0], w), w, b)), &(fx_sum_options){.dim = FX_LIST(-1)});
    out[0] = fx_topk(rows, 3);
    return FX_OK;
}

static fx_status show(fx_module *module, const fx_tensor *x)
{
    float values[3];
    int64_t indices[3];
    fx_tensor results[2] = {fx_tensor_view(values, FX_F32, 1, (int64_t[]){3}), fx_tensor_view(indices, FX_I64, 1, (int64_t[]){3})};
    char *text = fx_graph_to_string(fx_module_graph(module)), *table = fx_graph_to_table(fx_module_graph(module));
    if (text && table) printf("%s\n\n%s\n", text, table);
    fx_text_free(text);
    fx_text_free(table);
    fx_status status = fx_interpret(module, x, 1, results, 2);
    for (int i = 0; status == FX_OK && i < 3; i++) printf("row %d: %g\n", (int)indices[i], (double)values[i]);
    return status;
}

int main(void)
{
    float w[4][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}, b[4] = {0, 0, 0, -2};
    float data[4][4] = {{1, 2, 3, 4}, {-1, -2, -3, -4}, {5, 0, 0, 0}, {0, 0, 0, 9}};
    const int64_t square[] = {4, 4};
    fx_tensor weights[2] = {fx_tensor_view(w, FX_F32, 2, square), fx_tensor_view(b, FX_F32, 1, square)};
    fx_tensor x = fx_tensor_view(data, FX_F32, 2, square);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_trace(context, "M", forward, weights, &(fx_type){FX_F32, 2, {4, 4}}, 1, 1, &module);
    if (status == FX_OK) status = show(module, &x);
    fx_context_print(context, stderr);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK ? 0 : 1;
}
