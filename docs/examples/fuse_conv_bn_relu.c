/* SPDX-License-Identifier: Apache-2.0 */
/* fuse_conv_bn_relu: batch normalisation goes into the weights of the convolution before it, then convolution and relu become one
 * node, a submodule with a graph of its own. Compiled code gives the same numbers before and after. */
#include <fxjit/fxjit.h>
#include <math.h>
#include <string.h>

enum { IN = 3, OUT = 4, SIDE = 8, ELEMENTS = OUT * SIDE * SIDE };

static float filter[OUT * IN * 9], mean[OUT], variance[OUT], gain[OUT], shift[OUT];

static fx_value parameter(fx_scope *scope, const char *path, float *data, int32_t rank, const int64_t *dim)
{
    fx_tensor tensor = fx_tensor_view(data, FX_F32, rank, dim);
    return fx_parameter(scope, path, &tensor, NULL, NULL);
}

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const int64_t shape[] = {OUT, IN, 3, 3}, channels[] = {OUT};
    (void)user;
    fx_value x = fx_conv2d(in[0], parameter(scope, "conv.weight", filter, 4, shape), FX_NO_VALUE,
                           &(fx_conv2d_options){.padding = FX_LIST(1, 1)});
    x = fx_batch_norm(x, parameter(scope, "bn.weight", gain, 1, channels), parameter(scope, "bn.bias", shift, 1, channels),
                      parameter(scope, "bn.running_mean", mean, 1, channels),
                      parameter(scope, "bn.running_var", variance, 1, channels));
    out[0] = fx_tanh(fx_relu(x));
    return FX_OK;
}

static bool is_part(void *user, const fx_node *node)
{
    (void)user;
    const fx_op *op = fx_node_op(node);
    return op && (op == fx_op_find("conv2d") || op == fx_op_find("relu"));
}

static fx_status run(fx_context *context, fx_module *module, const fx_tensor *x, float *data)
{
    fx_tensor y = fx_tensor_view(data, FX_F32, 4, (int64_t[]){1, OUT, SIDE, SIDE});
    fx_compiled *net = NULL;
    fx_status status = fx_compile(module, NULL, 0, NULL, &net);
    if (status == FX_OK) status = fx_run(net, context, x, 1, &y, 1);
    fx_compiled_free(net);
    return status;
}

static fx_status fold_norms(fx_module *module)
{
    static const char *const names[] = {"normalise", "fuse_conv_bn", "fold", "dce"};
    bool modified;
    fx_status status = FX_OK;
    for (int i = 0; i < 4 && status == FX_OK; i++) status = fx_pass_find(names[i])->run(fx_module_graph(module), NULL, &modified);
    return status;
}

static void print(const fx_module *module)
{
    char *text = fx_graph_to_string(fx_module_graph(module));
    if (text) puts(text);
    fx_text_free(text);
}

int main(void)
{
    float data[IN * SIDE * SIDE], before[ELEMENTS], after[ELEMENTS];
    for (int i = 0; i < IN * SIDE * SIDE; i++) data[i] = sinf((float)i);
    for (int i = 0; i < OUT * IN * 9; i++) filter[i] = cosf((float)i) / 5;
    for (int i = 0; i < OUT; i++) mean[i] = 0.1f * (float)i, variance[i] = 1 + mean[i], gain[i] = 2 - mean[i], shift[i] = 0.5f;
    fx_tensor x = fx_tensor_view(data, FX_F32, 4, (int64_t[]){1, IN, SIDE, SIDE});
    fx_context *context = fx_context_new();
    fx_module *module = NULL, *fused = NULL;
    int32_t parts = 0;
    fx_status status = fx_trace(context, "net", forward, NULL, &(fx_type){FX_F32, 4, {1, IN, SIDE, SIDE}}, 1, 1, &module);
    if (status == FX_OK) status = run(context, module, &x, before);
    if (status == FX_OK) status = fold_norms(module);
    if (status == FX_OK) status = fx_partition_module(module, is_part, NULL, NULL, &fused, &parts);
    if (status == FX_OK) print(fused);
    if (status == FX_OK) print(fx_module_submodule(fused, "fused_0"));
    if (status == FX_OK) status = run(context, fused, &x, after);
    double error = 0;
    for (int i = 0; i < ELEMENTS && status == FX_OK; i++) error = fmax(error, fabs((double)before[i] - (double)after[i]));
    printf("largest difference %g\n", error);
    fx_context_print(context, stderr);
    fx_module_free(fused);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && parts == 1 && error < 1e-5 ? 0 : 1;
}
