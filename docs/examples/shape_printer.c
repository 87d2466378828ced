/* SPDX-License-Identifier: Apache-2.0 */
/* shape_printer: an interpreter of one's own that prints the shape of every value as it is computed. */
#include <fxjit/fxjit.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    fx_value x = fx_transpose(in[0], 0, 1);
    out[0] = fx_softmax(fx_matmul(in[0], x), -1);
    return FX_OK;
}

static void print_shape(const fx_node *node, const fx_tensor *tensor)
{
    printf("%-10s %s[", fx_node_name(node), fx_dtype_name(tensor->dtype));
    for (int32_t d = 0; d < tensor->rank; d++) printf("%s%lld", d ? ", " : "", (long long)tensor->dim[d]);
    printf("]\n");
}

/* Around every node: the default, then a line per result. */
static fx_status print_node(void *user, fx_interpreter *interpreter, fx_node *node, fx_results *results)
{
    fx_status status = fx_interpreter_dispatch(interpreter, node, results);
    for (int32_t i = 0; i < results->n && status == FX_OK; i++) print_shape(node, &results->tensor[i]);
    *(int *)user += results->n;
    return status;
}

int main(void)
{
    float data[2][3] = {{1, 2, 3}, {4, 5, 6}}, result[2][2];
    fx_tensor x = fx_tensor_view(data, FX_F32, 2, (int64_t[]){2, 3}), y = fx_tensor_view(result, FX_F32, 2, (int64_t[]){2, 2});
    int printed = 0;
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_interpreter *interpreter = NULL;
    fx_status status = fx_trace(context, "net", forward, NULL, &(fx_type){FX_F32, 2, {2, 3}}, 1, 1, &module);
    if (status == FX_OK && !(interpreter = fx_interpreter_new(fx_module_graph(module)))) status = FX_E_OOM;
    if (status == FX_OK) {
        fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.node = print_node, .user = &printed});
        status = fx_interpreter_run(interpreter, &x, 1, &y, 1);
    }
    fx_context_print(context, stderr);
    fx_interpreter_free(interpreter);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && printed == 4 ? 0 : 1;
}
