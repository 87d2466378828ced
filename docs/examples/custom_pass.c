/* SPDX-License-Identifier: Apache-2.0 */
/* custom_pass: a pass of one's own, x * x for pow(x, 2), beside the built-in ones, in the order that constraints ask for and again
 * until nothing changes; an observer says what happened. */
#include <fxjit/fxjit.h>

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    fx_value a = fx_pow(in[0], 2), b = fx_pow(in[0], 2); /* the same twice */
    (void)fx_exp(a);                                     /* nothing uses it */
    out[0] = fx_add(a, b);
    return FX_OK;
}

static bool is_square(const fx_node *node)
{
    fx_attr args = fx_node_args(node);
    if (fx_node_op(node) != fx_op_find("pow") || args.n != 2) return false;
    return args.u.items[1].kind == FX_ATTR_INT && args.u.items[1].u.i == 2;
}

static fx_status replace_squares(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    for (fx_node *node = fx_graph_first(graph); node; node = fx_node_next(node)) {
        if (!is_square(node)) continue;
        fx_attr x = fx_node_args(node).u.items[0], args[] = {x, x};
        fx_status status = fx_node_set_target(node, "torch.ops.aten.mul.Tensor");
        if (status == FX_OK) status = fx_node_set_args(node, fx_tuple(graph, args, 2), fx_none());
        if (status != FX_OK) return status;
        *out_modified = true;
    }
    return FX_OK;
}

static void report(void *user, const fx_pass_event *event)
{
    (void)user;
    if (event->after && event->modified) printf("round %d: %s changed the graph\n", (int)event->round, event->pass);
}

static fx_status optimise(fx_context *context, fx_graph *graph)
{
    fx_pass squares = {.name = "squares", .run = replace_squares, .after = (const char *const[]){"normalise", NULL}};
    fx_pass_manager *manager = fx_pass_manager_new(context);
    if (!manager) return FX_E_OOM;
    fx_pass_manager_check_each(manager, true); /* lints after every pass */
    fx_pass_manager_observe(manager, report, NULL);
    fx_status status = fx_pass_manager_add(manager, fx_pass_find("cse"));
    if (status == FX_OK) status = fx_pass_manager_add(manager, fx_pass_find("dce"));
    if (status == FX_OK) status = fx_pass_manager_add(manager, &squares);
    if (status == FX_OK) status = fx_pass_manager_add(manager, fx_pass_find("normalise"));
    if (status == FX_OK) status = fx_pass_manager_require(manager, "squares", "cse");
    if (status == FX_OK) status = fx_pass_manager_run(manager, graph, 8, NULL);
    for (int32_t i = 0; i < fx_pass_manager_count(manager); i++) printf("%s%s", i ? " " : "", fx_pass_manager_name(manager, i));
    putchar('\n');
    fx_pass_manager_free(manager);
    return status;
}

int main(void)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_trace(context, "net", forward, NULL, &(fx_type){FX_F32, 1, {4}}, 1, 1, &module);
    if (status == FX_OK) status = optimise(context, fx_module_graph(module));
    char *text = status == FX_OK ? fx_graph_to_string(fx_module_graph(module)) : NULL;
    int32_t nodes = text ? fx_graph_size(fx_module_graph(module)) : 0;
    if (text) puts(text);
    fx_text_free(text);
    fx_context_print(context, stderr);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && nodes == 4 ? 0 : 1; /* x, x * x, their sum, output */
}
