/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once (unit/oom.h) while graphs are traced, edited, rewritten, printed, read and written. */
#include "oom.h"
#include <unistd.h>

static fx_status trace_and_free(fx_context *context)
{
    fx_module *module = NULL;
    fx_status status = traced(context, 0, &module);
    fx_module_free(module);
    return status;
}

static fx_status compute_at_once(fx_context *context)
{
    static float values[ROWS * WIDE];
    fx_tensor tensor = fx_tensor_view(values, FX_F32, 2, (int64_t[]){ROWS, WIDE});
    fx_scope *scope = fx_scope_new(context);
    if (!scope) return FX_E_OOM;
    fx_value y = fx_softmax(fx_relu(fx_value_from(scope, &tensor)), -1);
    fx_status status = fx_value_ok(y) && fx_value_tensor(y) ? FX_OK : fx_context_status(context);
    fx_scope_free(scope);
    return status;
}

static fx_status print_and_parse(fx_context *context)
{
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status != FX_OK) return status;
    fx_graph *graph = fx_module_graph(module), *parsed = NULL, *clone = fx_graph_clone(graph);
    status = taken(fx_graph_to_string(graph), clone ? FX_OK : FX_E_OOM);
    status = taken(fx_graph_to_table(graph), status);
    status = taken(fx_graph_to_dot(graph), status);
    status = taken(fx_graph_to_mermaid(graph, NULL), status);
    status = taken(fx_node_to_string(fx_graph_first(graph)), status);
    char *text = fx_graph_to_fx(graph);
    if (status == FX_OK) status = text ? fx_graph_parse(context, "text", text, strlen(text), &parsed) : FX_E_OOM;
    if (status == FX_OK) status = fx_graph_lint(graph);
    if (status == FX_OK) status = fx_graph_propagate(graph);
    fx_text_free(text);
    if (parsed) {
        fx_module *owner = fx_graph_module(parsed);
        if (owner)
            fx_module_free(owner);
        else
            fx_graph_free(parsed);
    }
    fx_graph_free(clone);
    fx_module_free(module);
    return status;
}

static fx_status run_passes(fx_context *context)
{
    static const char *const names[] = {"normalise", "fold", "cse", "dce"};
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status != FX_OK) return status;
    fx_pass_manager *manager = fx_pass_manager_new(context);
    if (!manager) status = FX_E_OOM;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == FX_OK; i++)
        status = fx_pass_manager_add(manager, fx_pass_find(names[i]));
    bool modified;
    if (status == FX_OK) status = fx_pass_manager_run(manager, fx_module_graph(module), 3, &modified);
    fx_pass_manager_free(manager);
    fx_module_free(module);
    return status;
}

static fx_status edit(fx_context *context)
{
    fx_graph *graph = fx_graph_new(context);
    if (!graph) return FX_E_OOM;
    fx_node *x = fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {4}});
    fx_attr args[] = {fx_node_attr(x), fx_list(graph, (fx_attr[]){fx_int(1), fx_str(graph, "text")}, 2)};
    fx_node *y = x ? fx_graph_call(graph, "some.function", args, 2) : NULL;
    fx_node *z = y ? fx_graph_call(graph, "some.function", (fx_attr[]){fx_node_attr(y)}, 1) : NULL;
    fx_node *out = z ? fx_graph_output(graph, fx_node_attr(z)) : NULL;
    fx_status status = out ? FX_OK : fx_context_status(context);
    if (status == FX_OK && fx_node_replace_all_uses(y, x) < 0) status = fx_context_status(context);
    if (status == FX_OK) status = fx_graph_erase(graph, y);
    if (status == FX_OK) status = fx_node_set_target(z, "other.function");
    fx_graph_free(graph);
    return status;
}

static fx_status stay(void *user, fx_lines *lines)
{
    (void)user;
    return fx_lines_insert(lines, 0, "# hooked");
}

static fx_status write_sources(fx_context *context)
{
    int32_t id;
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status != FX_OK) return status;
    fx_graph *graph = fx_module_graph(module);
    status = fx_graph_add_code_hook(graph, stay, NULL, &id);
    if (status == FX_OK) status = fx_node_set_annotation(fx_graph_first(graph), "typing.Optional[torch.Tensor]");
    if (status == FX_OK) status = fx_node_set_meta(fx_graph_last(graph), "number", fx_int(1));
    status = taken(fx_graph_to_python(graph, &(fx_python_options){.verbose = true, .imports = true}), status);
    status = taken(fx_module_to_python(module, NULL), status);
    status = taken(fx_module_to_readable(module), status);
    status = taken(fx_graph_to_c(graph, NULL), status);
    fx_module_free(module);
    return status;
}

static void ignore(void *user, fx_node *node)
{
    (void)user;
    (void)node;
}

/* Setters one after the other; NULL: one of them had no memory. */
static fx_node *edit_nodes(fx_graph *graph)
{
    int32_t id;
    fx_attr x = fx_node_attr(fx_graph_placeholder(graph, "x", NULL)), args, kwargs, nested = fx_list(graph, &x, 1);
    fx_node *y = fx_graph_call(graph, "torch.relu", &x, 1), *z = fx_graph_call(graph, "torch.neg", &x, 1);
    bool good = y && z && fx_graph_observe(graph, &(fx_observer){.created = ignore}, &id) == FX_OK;
    good = good && fx_node_insert_arg(z, 1, nested) == FX_OK && fx_node_set_arg(z, 0, fx_node_attr(y)) == FX_OK;
    good = good && fx_node_set_kwarg(z, "k", nested) == FX_OK && fx_node_set_kwarg(z, "l", x) == FX_OK;
    good = good && fx_node_delete_kwarg(z, "k") == FX_OK && fx_node_rename(z, "zed") && fx_node_set_name(y, "why") == FX_OK;
    good = good && fx_node_set_meta(z, "k", fx_int(2)) == FX_OK && fx_node_normalized_args(y, true, &args, &kwargs) == FX_OK;
    good = good && fx_node_replace_all_uses_with(y, x.u.node, NULL) == 1 && fx_graph_push_before(graph, z) == FX_OK;
    good = good && fx_node_prepend(x.u.node, z) == FX_OK && fx_graph_pop_point(graph) == FX_OK;
    return good && fx_graph_legalize(graph) == FX_OK && fx_graph_output(graph, fx_node_attr(z)) ? z : NULL;
}

static fx_status edit_and_copy(fx_context *context)
{
    fx_graph *graph = fx_graph_new(context), *to = fx_graph_new(context);
    bool good = graph && to && edit_nodes(graph) && fx_context_add_side_effect(context, "my.log") == FX_OK;
    fx_attr value;
    good = good && fx_graph_copy(to, graph, NULL, &value) == FX_OK && fx_graph_output(to, value);
    if (to && !good && fx_graph_size(to)) good = fx_graph_lint(to) == FX_OK; /* all or nothing */
    fx_graph_free(to);
    fx_graph_free(graph);
    return good ? fx_context_status(context) : FX_E_OOM;
}

/* relu(x) becomes tanh(neg(x)), by a pattern of its own spelling. */
static fx_status replace_pattern(fx_context *context)
{
    static const char from[] = "graph {\n%x = placeholder \"x\"\n%r = call_method \"relu\"(%x)\n%output = output(%r)\n}\n";
    static const char to[] = "module \"to\"\nparameter \"w\" : f32[1]\ngraph {\n%x = placeholder \"x\"\n%w = get_attr \"w\"\n"
                             "%n = call_function \"torch.mul\"(%x, %w)\n%output = output(%n)\n}\n";
    fx_module *module = NULL;
    fx_graph *pattern = NULL, *replacement = NULL;
    fx_replacements *done = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status == FX_OK) status = fx_graph_parse(context, "from", from, strlen(from), &pattern);
    if (status == FX_OK) status = fx_graph_parse(context, "to", to, strlen(to), &replacement);
    fx_rewrite rewrite = {.pattern = pattern, .replacement = replacement};
    if (status == FX_OK) status = fx_graph_replace_pattern(fx_module_graph(module), &rewrite, &done);
    if (status == FX_OK && fx_replacements_count(done) != 1) status = FX_E_INTERNAL;
    fx_replacements_free(done);
    fx_graph_free(pattern);
    if (replacement) fx_module_free(fx_graph_module(replacement));
    fx_module_free(module);
    return status;
}

static fx_status hooked(void *user, fx_interpreter *interpreter, fx_node *node, fx_results *results)
{
    (void)user;
    return fx_interpreter_compute(interpreter, node, results);
}

static fx_status interpret_and_transform(fx_context *context)
{
    fx_module *module = NULL, *copy = NULL;
    static float values[ROWS * WIDE];
    fx_tensor x = fx_tensor_view(values, FX_F32, 2, (int64_t[]){ROWS, WIDE}), y = {0};
    fx_status status = traced(context, 0, &module);
    if (status == FX_OK) status = fx_transform(module, NULL, &copy);
    fx_interpreter *it = copy ? fx_interpreter_new(fx_module_graph(copy)) : NULL;
    if (status == FX_OK && !it) status = FX_E_OOM;
    if (status == FX_OK) status = fx_interpreter_override(it, fx_graph_last(fx_module_graph(copy)), hooked, NULL);
    if (status == FX_OK) status = fx_interpreter_give(it, fx_graph_first(fx_module_graph(copy)), &x, 1);
    if (status == FX_OK) status = fx_interpreter_run(it, NULL, 0, &y, 1);
    fx_tensor_release(&y);
    fx_interpreter_free(it);
    fx_module_free(copy);
    fx_module_free(module);
    return status;
}

static int32_t part_by_place(void *user, const fx_node *node)
{
    (void)user;
    int32_t part = fx_node_id(node) / 2 - 1;
    return part < 0 ? FX_SPLIT_OUTSIDE : part;
}

static bool supports_all(void *user, const fx_node *node)
{
    (void)user, (void)node;
    return true;
}

static fx_status split_and_join(fx_context *context)
{
    fx_module *module = NULL, *parts = NULL, *one = NULL;
    bool modified;
    fx_status status = traced(context, 0, &module);
    if (status == FX_OK) status = fx_split_module(module, part_by_place, NULL, &parts);
    if (status == FX_OK) status = fx_pass_find("inline")->run(fx_module_graph(parts), NULL, &modified);
    if (status == FX_OK) status = fx_partition_module(module, supports_all, NULL, NULL, &one, NULL);
    fx_module_free(parts);
    fx_module_free(one);
    fx_module_free(module);
    return status;
}

static fx_status more_passes(fx_context *context)
{
    static const char *const names[] = {"normalise_arguments", "insert_casts", "propagate",    "remove_dropout",
                                        "normalise",           "simplify",     "merge_matmul", "fuse_conv_bn"};
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    bool modified;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == FX_OK; i++)
        status = fx_pass_find(names[i])->run(fx_module_graph(module), NULL, &modified);
    fx_module_free(module);
    return status;
}

static fx_status analyse(fx_context *context)
{
    fx_module *module = NULL;
    fx_graph_stats stats;
    fx_review *review = NULL;
    fx_diff *diff = NULL;
    fx_status status = traced(context, 0, &module);
    if (status == FX_OK) status = fx_graph_measure(fx_module_graph(module), &stats);
    if (status == FX_OK) {
        status = taken(fx_graph_stats_to_string(fx_module_graph(module), &stats), FX_OK);
        fx_graph_stats_free(&stats);
    }
    if (status == FX_OK) status = fx_graph_review(fx_module_graph(module), 1, &review);
    if (status == FX_OK) status = taken(fx_review_to_string(review), FX_OK);
    fx_graph *clone = status == FX_OK ? fx_graph_clone(fx_module_graph(module)) : NULL;
    if (status == FX_OK && !clone) status = FX_E_OOM;
    if (status == FX_OK) status = fx_graph_erase(clone, fx_graph_last(clone));
    if (status == FX_OK) status = fx_graph_diff(fx_module_graph(module), clone, &diff);
    if (status == FX_OK) status = taken(fx_diff_to_string(diff), FX_OK);
    fx_diff_free(diff);
    fx_graph_free(clone);
    fx_review_free(review);
    fx_module_free(module);
    return status;
}

static fx_status load(fx_context *context, const char *path)
{
    fx_module *module = NULL;
    fx_status status = fx_load(context, path, &module);
    fx_module_free(module);
    return status;
}

static fx_status load_text(fx_context *context)
{
    return load(context, corpus("fuzz_fx/convnet.fx"));
}

static fx_status load_onnx(fx_context *context)
{
    return load(context, corpus("fuzz_onnx/shapes.onnx"));
}

static fx_status load_graph(fx_context *context)
{
    return load(context, corpus("fuzz_fxm/net.json"));
}

static fx_status load_and_save(fx_context *context)
{
    char path[64];
    fx_module *module = NULL;
    snprintf(path, sizeof path, "/tmp/fxjit-oom-%d.fxm", (int)getpid());
    fx_status status = fx_load(context, corpus("fuzz_fxm/mlp_dynamic.fxm"), &module);
    if (status == FX_OK) status = fx_module_save(module, path);
    if (status == FX_OK) status = taken(fx_module_to_json(module), FX_OK);
    fx_module_free(module);
    unlink(path);
    return status;
}

static void ignore_tensor(void *user, const char *path, const fx_tensor *tensor, bool is_buffer)
{
    (void)user, (void)path, (void)tensor, (void)is_buffer;
}

static fx_status grow_a_tree(fx_context *context)
{
    static float values[4];
    fx_tensor tensor = fx_tensor_view(values, FX_F32, 1, (int64_t[]){4});
    fx_module *module = fx_module_new(context, "net"), *inner = fx_module_new(context, "inner");
    fx_status status = module && inner ? fx_module_add_tensor(inner, "weight", &tensor, false, NULL, NULL) : FX_E_OOM;
    if (status == FX_OK) {
        status = fx_module_add_submodule(module, "a.b.c", inner);
        inner = NULL; /* taken, also when it fails */
    }
    if (status == FX_OK) status = fx_module_set_class(module, "nets.Net");
    if (status == FX_OK) status = fx_module_set_attribute(module, "size", fx_int(3));
    if (status == FX_OK) status = fx_module_each_tensor(module, ignore_tensor, NULL);
    if (status == FX_OK) status = fx_module_delete_tensor(module, "a.b.c.weight");
    if (status == FX_OK) (void)fx_module_delete_unused(module);
    fx_module_free(inner);
    fx_module_free(module);
    return status == FX_OK ? fx_context_status(context) : status;
}

/* torch's spellings, a body and a submodule to operators. */
static fx_status spell(fx_context *context)
{
    static const char *const names[] = {"inline", "spell", "functionalise", "normalise"};
    static const char text[] =
        "graph {\n%x = placeholder \"x\" : f32[2, 3]\n%s = call_method \"size\"(%x, 0)\n"
        "%m = call_function \"torch.max\"(%x, 1)\n%v = call_function \"operator.getitem\"(%m, 0)\n"
        "%w = call_method \"float\"(%v)\n%d = call_function \"operator.truediv\"(%w, %s)\n"
        "%i = call_function \"operator.getitem\"(%x, (..., slice(1, None, None)))\n%output = output((%d, %i))\n}\n";
    fx_graph *graph = NULL;
    fx_status status = fx_graph_parse(context, "spelled", text, strlen(text), &graph);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == FX_OK; i++) {
        bool modified;
        status = fx_pass_find(names[i])->run(graph, NULL, &modified);
    }
    fx_graph_free(graph);
    return status;
}

static fx_status save_and_load_tensor(fx_context *context)
{
    float values[6] = {1, 2, 3, 4, 5, 6};
    fx_tensor tensor = fx_tensor_view(values, FX_F32, 2, (int64_t[]){2, 3}), again = {0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/fxjit-oom-%d.npy", (int)getpid());
    fx_status status = fx_tensor_save_npy(context, path, &tensor);
    if (status == FX_OK) status = fx_tensor_load_npy(context, path, &again);
    fx_tensor_release(&again);
    unlink(path);
    return status;
}

START_TEST(graphs)
{
    sweep("trace", trace_and_free, 1000);
    sweep("compute at once", compute_at_once, 1000);
    sweep("print and parse", print_and_parse, 1000);
    sweep("passes", run_passes, 1000);
    sweep("edit", edit, 1000);
    sweep("grow a tree", grow_a_tree, 1000);
    sweep("spell", spell, 1000);
    sweep("edit and copy", edit_and_copy, 1000);
    sweep("write sources", write_sources, 1000);
}
END_TEST

START_TEST(rewriting)
{
    sweep("replace a pattern", replace_pattern, 300);
    sweep("interpret and transform", interpret_and_transform, 300);
    sweep("split and join", split_and_join, 300);
    sweep("more passes", more_passes, 300);
    sweep("analyse", analyse, 300);
}
END_TEST

START_TEST(files)
{
    sweep("load .fx", load_text, 1000);
    sweep("load .onnx", load_onnx, 1000);
    sweep("load graph.json", load_graph, 1000);
    sweep("load and save .fxm", load_and_save, 1000);
    sweep("save and load .npy", save_and_load_tensor, 1000);
}
END_TEST

FX_TESTS("oom", graphs, rewriting, files)
