/* SPDX-License-Identifier: Apache-2.0 */
/* sigmoid_to_neg: a transformer: executes a graph on the nodes of a new one, in which neg stands for sigmoid and softmax for
 * nothing. */
#include <fxjit/fxjit.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_relu(fx_softmax(fx_sigmoid(in[0]), -1));
    return FX_OK;
}

static fx_attr change(void *user, fx_transformer *transformer, const fx_transform_step *step)
{
    fx_transform_step changed = *step;
    ++*(int *)user;
    if (fx_node_op(step->node) == fx_op_find("softmax")) return step->args.u.items[0];
    if (fx_node_op(step->node) == fx_op_find("sigmoid")) changed.target = "torch.neg";
    return fx_transformer_emit(transformer, &changed);
}

int main(void)
{
    float data[3] = {-1, 0, 2}, result[3] = {0};
    fx_tensor x = fx_tensor_view(data, FX_F32, 1, (int64_t[]){3}), y = fx_tensor_view(result, FX_F32, 1, (int64_t[]){3});
    int calls = 0;
    fx_context *context = fx_context_new();
    fx_module *module = NULL, *changed = NULL;
    fx_transform_hooks hooks = {.opcode = {[FX_CALL_FUNCTION] = change}, .user = &calls};
    fx_status status = fx_trace(context, "net", forward, NULL, &(fx_type){FX_F32, 1, {3}}, 1, 1, &module);
    if (status == FX_OK) status = fx_transform(module, &hooks, &changed);
    char *text = status == FX_OK ? fx_graph_to_string(fx_module_graph(changed)) : NULL;
    if (text) puts(text);
    if (status == FX_OK) status = fx_interpret(changed, &x, 1, &y, 1);
    fx_text_free(text);
    fx_context_print(context, stderr);
    fx_module_free(changed); /* before the module that it borrows from */
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && calls == 3 && result[0] == 1 && result[2] == 0 ? 0 : 1;
}
