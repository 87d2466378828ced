/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once (unit/oom.h) while graphs are interpreted and compiled, and while somebody watches, measures and looks
 * into it. */
#include "oom.h"
#include "fxjit/bisect.h"
#include "fxjit/inspect.h"
#include "fxjit/profile.h"
#include "ir/graph.h"
#include <dirent.h>
#include <unistd.h>

static const fx_loc here = {"test_oom_engines.c", 1, NULL};

/* A leaf that changes its own buffer, and an input that is changed through views. */
static fx_status change_leaf(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    static float values[NARROW];
    (void)user;
    fx_tensor tensor = fx_tensor_view(values, FX_F32, 1, (int64_t[]){NARROW});
    fx_value count = fx_buffer(scope, "count", &tensor, NULL, NULL);
    out[0] = fx_mul(in[0], fx_add_(count, 1));
    return FX_OK;
}

static fx_status change(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_status status = fx_module_call(scope, "leaf", &(fx_nn){"Leaf", change_leaf, user}, in, 1, out, 1);
    if (status != FX_OK) return status;
    fx_value part = fx_narrow(fx_transpose(in[0], 0, 1), 0, 1, 2);
    fx_copy_(part, fx_mul(part, 2));
    fx_add_(fx_select(in[0], 0, 0), 1);
    return FX_OK;
}

static bool every_leaf(void *user, const char *path, const char *class_name)
{
    (void)user, (void)path, (void)class_name;
    return true;
}

static fx_status traced_changes(fx_context *context, fx_module **out)
{
    fx_scope *scope = fx_trace_begin(context, "changes");
    if (!scope) return FX_E_OOM;
    fx_trace_set_leaf(scope, every_leaf, NULL);
    fx_value in = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {ROWS, NARROW}}), result = FX_NO_VALUE;
    fx_status status = change(scope, &in, &result, NULL);
    if (status == FX_OK) return fx_trace_finish(scope, &result, 1, out);
    fx_scope_free(scope);
    return fx_context_status(context) == FX_E_OOM ? FX_E_OOM : status;
}

static fx_status run_changes(fx_context *context)
{
    static float values[ROWS * NARROW];
    fx_tensor in = fx_tensor_view(values, FX_F32, 2, (int64_t[]){ROWS, NARROW}), out = {0};
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_state *state = NULL;
    fx_status status = traced_changes(context, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled);
    if (status == FX_OK) status = fx_state_new(compiled, &state);
    if (status == FX_OK) status = fx_run_with(compiled, state, context, &in, 1, &out, 1);
    fx_tensor_release(&out);
    fx_state_free(state);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

/* A nested argument with a constant, an assertion, a nested output, and its path. */
static fx_status traced_nesting(fx_context *context, fx_module **out)
{
    const fx_type type = {FX_F32, 1, {NARROW}};
    fx_value leaves[2] = {{0}};
    fx_scope *scope = fx_trace_begin(context, "nesting");
    if (!scope) return FX_E_OOM;
    fx_nest leaf = fx_nest_input(&type), three = fx_nest_constant(fx_int(3));
    fx_status status = fx_trace_argument(scope, "d", &FX_NEST_DICT(fx_nest_key("a", leaf), fx_nest_key("b", three)), leaves, 2);
    fx_assert_async(fx_all(fx_gt(leaves[0], 0)), "positive");
    fx_value whole = FX_NO_VALUE;
    if (status == FX_OK)
        status = fx_wrapped_call(scope, &(fx_wrapped){.target = "lib.change", .forward = change_leaf}, leaves, 1, &whole, 1);
    fx_nest y = fx_nest_key("y", fx_nest_value(fx_relu(whole)));
    if (status == FX_OK) return fx_trace_finish_nested(scope, &FX_NEST_DICT(y), out);
    fx_scope_free(scope);
    return status;
}

static fx_status run_nesting(fx_context *context)
{
    float values[NARROW];
    int64_t three = 3;
    for (int i = 0; i < NARROW; i++) values[i] = 1;
    fx_tensor in[2] = {fx_tensor_view(values, FX_F32, 1, (int64_t[]){NARROW}), fx_tensor_view(&three, FX_I64, 0, NULL)}, out = {0};
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_status status = traced_nesting(context, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled);
    if (status == FX_OK) status = fx_run(compiled, context, in, 2, &out, 1);
    if (status == FX_OK && fx_module_find_output(module, "[\"y\"]") != 0) status = FX_E_OOM;
    fx_tensor_release(&out);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

static fx_status interpret_changes(fx_context *context)
{
    static const char text[] =
        "module \"m\"\nbuffer \"n\" : f32[3]\ngraph {\n%x = placeholder \"x\" : f32[3, 4]\n%n = get_attr \"n\"\n"
        "%t = call_method \"t\"(%x)\n%s = call_method \"__getitem__\"(%t, (slice(1, 3, None), None))\n"
        "%a = call_method \"add_\"(%s, %n)\n%b = call_method \"neg_\"(%n)\n"
        "%c = call_function \"operator.setitem\"(%x, (0, slice(None, None, 2)), 3.0)\n%output = output(%a)\n}\n";
    fx_graph *graph = NULL;
    fx_tensor in = {0}, out = {0};
    fx_status status = fx_graph_parse(context, "changes", text, sizeof text - 1, &graph);
    if (status == FX_OK) status = fx_tensor_alloc(FX_F32, 2, (int64_t[]){3, 4}, &in);
    if (status == FX_OK) status = fx_interpret(fx_graph_module(graph), &in, 1, &out, 1);
    fx_tensor_release(&in);
    fx_tensor_release(&out);
    if (graph) fx_module_free(fx_graph_module(graph));
    return status;
}

static float input_values[ROWS * WIDE];

static fx_tensor input(void)
{
    return fx_tensor_view(input_values, FX_F32, 2, (int64_t[]){ROWS, WIDE});
}

static fx_status interpret(fx_context *context)
{
    fx_module *module = NULL;
    fx_tensor x = input(), y = {0}, again = {0}, bound = {0};
    fx_status status = traced(context, 0, &module);
    if (status == FX_OK) status = fx_interpret(module, &x, 1, &y, 1);
    if (status == FX_OK) status = fx_interpret_bound(module, &x, 1, &again, &bound, 1);
    fx_tensor_release(&y);
    fx_tensor_release(&again);
    fx_tensor_release(&bound);
    fx_module_free(module);
    return status;
}

static fx_status explained(const fx_compiled *compiled)
{
    fx_explanation *explanation;
    const fx_explain_filter some = {.node = "*relu*"};
    fx_status status = fx_explain(compiled, &explanation);
    if (status != FX_OK) return status;
    status = taken(fx_explanation_to_string(explanation, NULL), status);
    status = taken(fx_explanation_to_string(explanation, &some), status);
    char *json = fx_explanation_to_json(explanation, NULL);
    memory.blocks += json != NULL; /* jansson's, which nobody counted */
    status = taken(json, status);
    for (int form = FX_STAGE_PROGRAM; form <= FX_STAGE_ASM && status == FX_OK; form++) {
        char *text = NULL;
        status = fx_explain_kernel(compiled, 0, (fx_stage_form)form, &text);
        fx_text_free(text);
    }
    fx_explanation_free(explanation);
    return status;
}

static fx_status compile_with(fx_context *context, int64_t batch, int32_t threads)
{
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_tensor x = input(), y = {0};
    fx_status status = traced(context, batch, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = threads}, &compiled);
    if (status == FX_OK) status = fx_run(compiled, context, &x, 1, &y, 1);
    if (status == FX_OK && !fx_compiled_closure(compiled)) status = FX_E_OOM;
    if (status == FX_OK) status = explained(compiled);
    fx_tensor_release(&y);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

static fx_status compile_and_run(fx_context *context)
{
    return compile_with(context, ROWS, 1);
}

static fx_status compile_a_symbol(fx_context *context)
{
    return compile_with(context, 0, 2);
}

static fx_status compile_file(fx_context *context, const char *path)
{
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_status status = fx_load(context, path, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

static fx_status compile_convolutions(fx_context *context)
{
    return compile_file(context, corpus("fuzz_onnx/convnet.onnx"));
}

static fx_status compile_moves(fx_context *context)
{
    return compile_file(context, corpus("fuzz_onnx/moves.onnx"));
}

static fx_status compile_pooling(fx_context *context)
{
    return compile_file(context, corpus("fuzz_onnx/pool.onnx"));
}

static fx_status compile_to_text(fx_context *context)
{
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    for (int form = FX_STAGE_FX; form <= FX_STAGE_OBJ && status == FX_OK; form++) {
        char *text = NULL;
        size_t bytes;
        status = fx_compile_text(module, NULL, 0, NULL, (fx_stage_form)form, &text, &bytes);
        fx_text_free(text);
    }
    fx_module_free(module);
    return status;
}

static fx_status emit_object(fx_context *context)
{
    char path[64], header[64];
    snprintf(path, sizeof path, "/tmp/fxjit-oom-%d.o", (int)getpid());
    snprintf(header, sizeof header, "/tmp/fxjit-oom-%d.h", (int)getpid());
    fx_module *module = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status == FX_OK) status = fx_emit_object(module, NULL, 0, NULL, NULL, path);
    if (status != FX_OK) /* nothing half-written */
        ck_assert(access(path, F_OK) != 0 && access(header, F_OK) != 0);
    unlink(path);
    unlink(header);
    fx_module_free(module);
    return status;
}

static fx_status fall_back(fx_context *context)
{
    static float values[24];
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_tensor x = fx_tensor_view(values, FX_F32, 2, (int64_t[]){4, 6}), y = {0};
    fx_scope *scope = fx_trace_begin(context, "net");
    if (!scope) return FX_E_OOM;
    fx_value in = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {4, 6}});
    fx_value sorted =
        fx_apply(fx_op_find("torch.ops.aten.argmax.default"), &(fx_trace_arg){.kind = FX_ARG_VALUE, .value = in}, 1, here);
    fx_status status = fx_trace_finish(scope, &sorted, 1, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1}, &compiled);
    if (status == FX_OK) status = fx_run(compiled, context, &x, 1, &y, 1);
    fx_tensor_release(&y);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

/* ---- Looking on ---------------------------------------------------------------------------------------------------------- */

static void ignore_line(void *user, fx_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

static void ignore_dump(void *user, fx_stage_form form, const char *pass, const char *text, size_t bytes)
{
    (void)user, (void)form, (void)pass, (void)text, (void)bytes;
}

static bool go_on(void *user, const char *phase, int32_t percent)
{
    (void)user, (void)phase, (void)percent;
    return true;
}

static fx_status compile_watched(fx_context *context, const fx_compile_options *options)
{
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_status status = traced(context, ROWS, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, options, &compiled);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

static fx_status tell_everything(fx_context *context)
{
    return compile_watched(context, &(fx_compile_options){.threads = 1,
                                                          .progress = go_on,
                                                          .log = ignore_line,
                                                          .log_level = FX_LOG_DEBUG,
                                                          .dump = FX_DUMP_ALL,
                                                          .dump_text = ignore_dump,
                                                          .gdb = true});
}

static void remove_folder(const char *path)
{
    char file[512];
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        unlink(file);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

static fx_status dump_files(fx_context *context)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/fxjit-oom-%d", (int)getpid());
    fx_status status = compile_watched(
        context, &(fx_compile_options){.threads = 1, .dump = FX_DUMP_CORE | FX_DUMP_PROGRAM, .dump_directory = path});
    remove_folder(path);
    return status;
}

static fx_status measure(fx_context *context)
{
    fx_module *module = NULL;
    fx_compiled *compiled = NULL;
    fx_profile *profile = NULL;
    fx_node_profile *nodes = NULL;
    fx_tensor x = input();
    fx_status status = traced(context, ROWS, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 2, .profile = true}, &compiled);
    const fx_profile_options options = {.runs = 2, .warm_up = 1, .traced_runs = 1};
    if (status == FX_OK) status = fx_profile_run(compiled, context, &x, 1, &options, &profile);
    if (status == FX_OK) status = fx_profile_interpreter(compiled, &x, 1, 1, &nodes);
    fx_profile_free(profile);
    fx_node_profile_free(nodes);
    fx_compiled_free(compiled);
    fx_module_free(module);
    return status;
}

/* What is kept of a machine; measuring takes a second. */
static fx_status keep_a_machine(fx_context *context)
{
    fx_machine machine = {.cpu = "a processor", .threads = 1, .clock_ghz = 1, .gflops = {1, 1}, .measured = 1}, again;
    for (int i = 0; i < FX_MACHINE_LEVELS; i++) machine.level[i] = (fx_machine_level){"L", 1, {1, 1}};
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/fxjit-oom-cache-%d", (int)getpid());
    setenv("XDG_CACHE_HOME", folder, 1);
    fx_status status = fx_machine_write(context, &machine);
    fx_status found = fx_machine_read(context, &again);
    return status != FX_OK ? status : found == FX_E_NOT_FOUND ? FX_OK : found; /* it is no machine that we are on */
}

static fx_status parsed(fx_context *context, const char *text, fx_module **out)
{
    fx_graph *graph;
    fx_status status = fx_graph_parse(context, "text", text, strlen(text), &graph);
    *out = status == FX_OK ? fx__module_ensure(graph) : NULL;
    if (status != FX_OK || *out) return status;
    fx_graph_free(graph);
    return FX_E_OOM;
}

#define GRAPH(lines) "graph {\n%x = placeholder \"x\" : f32[3, 20]\n" lines "%output = output(%r)\n}\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"(" args ")\n"
static const char fused[] = GRAPH(CALL("e", "exp.default", "%x") CALL("m", "mul.Tensor", "%e, %x") CALL("r", "add.Tensor", "%m, %x"));
static const char parts[] = GRAPH(CALL("e", "exp.default", "%x") CALL("m", "mul.Tensor", "%e, %x") CALL("r", "sub.Tensor", "%m, %x"));
static const char logarithm[] = GRAPH(CALL("n", "neg.default", "%x") CALL("r", "log.default", "%n"));

static void fill_input(float scale)
{
    for (int i = 0; i < ROWS * WIDE; i++) input_values[i] = scale * (float)(i * 7919 % 1009 + 1) / 97;
}

static fx_status search(fx_context *context)
{
    fx_module *module;
    fx_bisection *found = NULL;
    fx_tensor x = input();
    fx_compile_options strict = {.threads = 1, .precision = FX_PRECISION_STRICT, .no_fusion = true}, plain = {.threads = 1};
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/fxjit-oom-repro-%d", (int)getpid());
    fill_input(0.1f);
    fx_status status = parsed(context, fused, &module);
    if (status == FX_OK)
        status = fx_bisect(module, &x, 1, &(fx_bisect_options){.compile = &plain, .against = &strict, .progress = go_on}, &found);
    if (memory.fail_at == 0) ck_assert_int_eq(status, FX_OK); /* one side rounds once, the other twice */
    if (status == FX_OK) status = fx_bisection_save(found, folder);
    fx_bisection_free(found);
    fx_module_free(module);
    return status;
}

static fx_status find_infinity(fx_context *context)
{
    fx_module *module;
    fx_nonfinites *found = NULL;
    fx_tensor x = input();
    fill_input(0);
    fx_status status = parsed(context, logarithm, &module);
    for (int compiled = 0; compiled < 2 && status == FX_OK; compiled++) {
        status = fx_find_nonfinite(module, &x, 1, &(fx_compile_options){.threads = 1}, compiled, &found);
        if (status == FX_OK) ck_assert_int_eq(fx_nonfinites_count(found), 1);
        if (status == FX_OK) fx_nonfinites_free(found);
    }
    fx_module_free(module);
    return status;
}

static fx_status find_parting(fx_context *context)
{
    fx_module *a, *b = NULL;
    fx_parting *found = NULL;
    fx_tensor x = input();
    fill_input(0.1f);
    fx_status status = parsed(context, fused, &a);
    if (status == FX_OK) status = parsed(context, parts, &b);
    if (status == FX_OK) status = fx_find_parting(a, b, &x, 1, -1, &found);
    if (status == FX_OK) ck_assert_str_eq(found->node, "r");
    fx_parting_free(found);
    fx_module_free(a);
    fx_module_free(b);
    return status;
}

/* Folders within folders. */
static void remove_tree(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf /tmp/fxjit-oom-%s-%d", name, (int)getpid());
    ck_assert_int_eq(system(command), 0);
}

START_TEST(engines)
{
    sweep("interpret", interpret, 1000);
    sweep("interpret changes", interpret_changes, 300);
    sweep("compile and run changes", run_changes, 150);
    sweep("trace, compile and run nesting", run_nesting, 150);
    sweep("compile and run", compile_and_run, 150);
    sweep("compile a symbol", compile_a_symbol, 150);
    sweep("compile convolutions", compile_convolutions, 150);
    sweep("compile moves", compile_moves, 150);
    sweep("compile pooling", compile_pooling, 150);
    sweep("compile to text", compile_to_text, 150);
    sweep("emit an object", emit_object, 150);
    sweep("fall back", fall_back, 150);
}
END_TEST

START_TEST(watching)
{
    sweep("tell everything", tell_everything, 30);
    sweep("dump files", dump_files, 30);
    sweep("measure", measure, 30);
    sweep("keep a machine", keep_a_machine, 100);
    remove_tree("cache");
}
END_TEST

START_TEST(searching)
{
    sweep("search a mismatch", search, 6);
    sweep("find infinity", find_infinity, 30);
    sweep("find where graphs part", find_parting, 30);
    remove_tree("repro");
}
END_TEST

FX_TESTS("oom_engines", engines, watching, searching)
