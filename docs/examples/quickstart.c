#include <fxjit/fxjit.h>

/* softmax(relu(x @ w.T + b)): runs on tensors, and records a graph when given proxies. */
static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const fx_tensor *weights = user;
    fx_value w = fx_parameter(scope, "w", &weights[0], NULL, NULL), b = fx_parameter(scope, "b", &weights[1], NULL, NULL);
    out[0] = fx_softmax(fx_relu(fx_linear(in[0], w, b)), -1);
    return FX_OK;
}

int main(void)
{
    float w[3][4] = {{1, 0, 0, 1}, {0, 2, 0, -1}, {1, 1, 1, 1}}, b[3] = {0, 1, -1}, x[2][4] = {{1, 2, 3, 4}, {-1, 0, 1, 2}},
          y[2][3];
    fx_tensor weights[2] = {fx_tensor_view(w, FX_F32, 2, (int64_t[]){3, 4}), fx_tensor_view(b, FX_F32, 1, (int64_t[]){3})};
    fx_tensor input = fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 4}), output = fx_tensor_view(y, FX_F32, 2, (int64_t[]){2, 3});

    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_compiled *net = NULL;
    fx_status status = fx_trace(context, "quickstart", forward, weights, &(fx_type){FX_F32, 2, {2, 4}}, 1, 1, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, NULL, &net);
    if (status == FX_OK) status = fx_run(net, context, &input, 1, &output, 1);
    for (int i = 0; status == FX_OK && i < 2; i++) printf("%.4f %.4f %.4f\n", y[i][0], y[i][1], y[i][2]);

    fx_context_print(context, stderr); /* what went wrong, where, and why */
    fx_compiled_free(net);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK ? 0 : 1;
}
