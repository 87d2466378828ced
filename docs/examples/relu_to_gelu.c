/* SPDX-License-Identifier: Apache-2.0 */
/* relu_to_gelu: replaces a pattern, both sides written as the C functions that compute them. */
#include <fxjit/fxjit.h>

static fx_status net(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    fx_value x = in[0];
    for (int i = 0; i < 3; i++) x = fx_mul(fx_relu(x), 2);
    out[0] = x;
    return FX_OK;
}

static fx_status relu(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_relu(in[0]);
    return FX_OK;
}

static fx_status gelu(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_gelu(in[0], &(fx_gelu_options){.approximate = "tanh"});
    return FX_OK;
}

static fx_status replace(fx_module *module, const fx_module *from, const fx_module *to, int32_t *out_count)
{
    fx_replacements *done;
    fx_rewrite rewrite = {.name = "relu to gelu", .pattern = fx_module_graph(from), .replacement = fx_module_graph(to)};
    fx_status status = fx_graph_replace_pattern(fx_module_graph(module), &rewrite, &done);
    if (status != FX_OK) return status;
    *out_count = fx_replacements_count(done);
    for (int32_t i = 0; i < *out_count; i++) {
        const fx_replaced *it = fx_replacements_get(done, i);
        printf("%s became %s\n", fx_node_name(it->match.anchor), fx_node_name(it->made[0]));
    }
    fx_replacements_free(done);
    return fx_graph_lint(fx_module_graph(module));
}

int main(void)
{
    fx_type type = {FX_F32, 2, {8, 16}};
    fx_context *context = fx_context_new();
    fx_module *module = NULL, *from = NULL, *to = NULL;
    int32_t count = 0;
    fx_status status = fx_trace(context, "net", net, NULL, &type, 1, 1, &module);
    if (status == FX_OK) status = fx_trace(context, "pattern", relu, NULL, &type, 1, 1, &from);
    if (status == FX_OK) status = fx_trace(context, "replacement", gelu, NULL, &type, 1, 1, &to);
    if (status == FX_OK) status = replace(module, from, to, &count);
    char *text = status == FX_OK ? fx_graph_to_string(fx_module_graph(module)) : NULL;
    if (text) puts(text);
    fx_text_free(text);
    fx_context_print(context, stderr);
    fx_module_free(module);
    fx_module_free(from);
    fx_module_free(to);
    fx_context_free(context);
    return status == FX_OK && count == 3 ? 0 : 1;
}
