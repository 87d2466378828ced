/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/compile.c: the driver. Read it from top to bottom and you have seen the whole way:
 *
 *     module ── copy ──► graph ── graph passes ──► core graph ── lower, program passes ──► program ── emit ──► native code
 *
 * Each step below is one function; fx_compile at the end calls them in that order. */
#include "frontend/watch.h"
#include "ir/interp.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double fx__compile_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static _Atomic int64_t compile_count;

int64_t fx_compile_count(void)
{
    return compile_count;
}

/* ---- 1. A copy of the module, typed by the examples ------------------------------------------------------------------------ */

static void note_phase(fx_compiled *it, const char *name, double ms)
{
    if (it->n_phase == FX_PHASES) return;
    it->phase[it->n_phase].name = name;
    it->phase[it->n_phase++].ms = ms;
}

static fx_status type_placeholder(fx_compiled *it, fx_node *node, int32_t index, const fx_tensor *examples, int32_t n_examples)
{
    const fx_type *known = fx_node_type(node, 0);
    if (!examples) {
        return known ? FX_OK
                     : fx__diag_node(node, FX_E_ARG, "input %d `%s` has no type: give example inputs", (int)index, node->name);
    }
    if (index >= n_examples) return fx__diag(it->context, FX_E_ARG, NULL, "no example for input %d `%s`", (int)index, node->name);
    if (known) return FX_OK;
    fx_type type = {.dtype = examples[index].dtype, .rank = examples[index].rank};
    memcpy(type.dim, examples[index].dim, sizeof type.dim);
    return fx_node_set_type(node, 0, &type);
}

static fx_status type_inputs(fx_compiled *it, const fx_tensor *examples, int32_t n_examples)
{
    fx_status status = FX_OK;
    int32_t index = 0;
    FX_EACH_NODE(node, it->module->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        fx_status one = type_placeholder(it, node, index++, examples, n_examples);
        if (status == FX_OK) status = one;
    }
    if (status == FX_OK && examples && n_examples != index)
        return fx__diag(it->context, FX_E_ARG, NULL, "the module has %d inputs, %d examples were given", (int)index,
                        (int)n_examples);
    return status;
}

fx_status fx__compile_prepare(fx_module *module, const fx_tensor *examples, int32_t n_examples, const fx_compile_options *options,
                              fx_compiled **out)
{
    *out = NULL;
    fx_compiled *it = calloc(1, sizeof *it);
    if (!it) return fx__diag_oom(module->context);
    if (options) it->options = *options;
    it->threads = it->options.threads > 0 ? it->options.threads : omp_get_num_procs();
    it->context = module->context;
    fx_graph *graph = fx_graph_clone(module->graph);
    it->module = graph ? fx__module_ensure(graph) : NULL;
    if (graph && !it->module) fx_graph_free(graph);
    fx_status status = it->module ? fx__environment_options(it->context, &it->options) : FX_E_OOM;
    if (status == FX_OK) status = fx__watch_open(it);
    if (status == FX_OK) status = type_inputs(it, examples, n_examples);
    if (status == FX_OK)
        status = fx__session_target(it->context, it->options.target_triple, it->options.target_cpu, it->options.target_features,
                                    &it->target);
    if (status != FX_OK) {
        fx_compiled_free(it);
        return status;
    }
    *out = it;
    return FX_OK;
}

/* ---- 2. Graph passes -------------------------------------------------------------------------------------------------------- */

fx_pass_options fx__compile_pass_options(fx_compiled *it)
{
    return (fx_pass_options){.target = &it->target,
                             .precision = it->options.precision,
                             .no_fusion = it->options.no_fusion,
                             .no_in_place = it->options.no_in_place,
                             .verify = it->options.verify,
                             .after = fx__watch_program,
                             .after_graph = fx__watch_graph,
                             .after_user = it};
}

fx_status fx__compile_graph(fx_compiled *it)
{
    fx_pass_options options = fx__compile_pass_options(it);
    double start = fx__compile_now_ms();
    FX_TRY(fx__watch_graph(it, "input", it->module->graph));
    FX_TRY(fx__pipeline_graph(it->module->graph, &options));
    note_phase(it, "graph", fx__compile_now_ms() - start);
    return FX_OK;
}

/* ---- 3. Program passes ------------------------------------------------------------------------------------------------------ */

static fx_status copy_interface(fx_compiled *it)
{
    fx_arena *arena = it->program->arena;
    it->n_input = fx_module_input_count(it->module);
    it->n_output = fx_module_output_count(it->module);
    it->input = FX_NEW_ARRAY(arena, fx_type, it->n_input + 1);
    it->output = FX_NEW_ARRAY(arena, fx_type, it->n_output + 1);
    it->input_name = FX_NEW_ARRAY(arena, const char *, it->n_input + 1);
    it->output_name = FX_NEW_ARRAY(arena, const char *, it->n_output + 1);
    if (!it->input || !it->output || !it->input_name || !it->output_name) return FX_E_OOM;
    for (int32_t i = 0; i < it->n_input; i++) {
        it->input[i] = *fx_module_input_type(it->module, i);
        it->input_name[i] = fx_module_input_name(it->module, i);
    }
    for (int32_t i = 0; i < it->n_output; i++) {
        it->output[i] = *fx_module_output_type(it->module, i);
        it->output_name[i] = fx_module_output_name(it->module, i);
    }
    return FX_OK;
}

fx_status fx__compile_program(fx_compiled *it)
{
    fx_pass_options options = fx__compile_pass_options(it);
    FX_TRY(fx__watch_progress(it, "program", 0));
    double start = fx__compile_now_ms();
    FX_TRY(fx__pipeline_program(it->module->graph, &options, &it->program));
    FX_TRY(copy_interface(it));
    FX_TRY(fx__state_collect(it));
    FX_TRY(fx__calls_collect(it));
    note_phase(it, "program", fx__compile_now_ms() - start);
    return FX_OK;
}

/* ---- 4. Native code --------------------------------------------------------------------------------------------------------- */

fx_codegen_options fx__compile_codegen_options(const fx_compiled *it)
{
    return (fx_codegen_options){.target = &it->target,
                                .threads = it->threads,
                                .profile = it->options.profile,
                                .perf_map = it->options.perf_map,
                                .gdb = it->options.gdb,
                                .progress = it->options.progress,
                                .progress_user = it->options.progress_user};
}

/* LLVM failed: every node is interpreted, and the report says so. */
static fx_status interpret_instead(fx_compiled *it)
{
    int32_t n = fx_context_diag_count(it->context);
    const char *reason = n ? fx_context_diag(it->context, n - 1, NULL) : "code generation failed"; /* the latest one is LLVM's */
    fx_graph *graph = it->module->graph;
    it->fallback = FX_NEW_ARRAY(it->program->arena, const char *, graph->n_nodes + 1);
    if (!it->fallback) return FX_E_OOM;
    it->n_fallback = 0;
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode != FX_CALL_FUNCTION) continue;
        const char *line = fx__arena_format(it->program->arena, "%s (%s): %s", node->name, fx_op_name(node->op), reason);
        if (!line) return FX_E_OOM;
        it->fallback[it->n_fallback++] = line;
    }
    return FX_OK;
}

/* Code for a processor that lacks its instructions would end the process. */
static fx_status check_runs_here(const fx_compiled *it)
{
    fx_target host;
    const fx_target *target = &it->target;
    FX_TRY(fx__session_target(it->context, NULL, NULL, NULL, &host));
    size_t arch = strcspn(host.triple, "-");
    bool same_arch = strncmp(host.triple, target->triple, arch + 1) == 0;
    bool lacks = target->vec_bytes > host.vec_bytes || target->vregs > host.vregs || (target->has_fma && !host.has_fma) ||
                 (target->has_f16c && !host.has_f16c) || (target->has_bf16 && !host.has_bf16);
    if (same_arch && !lacks) return FX_OK;
    return fx__diag(it->context, FX_E_UNSUPPORTED, NULL, "code for \"%s\" of %s cannot run on this machine, which is \"%s\" of %s",
                    target->cpu, target->triple, host.cpu, host.triple);
}

fx_status fx__compile_native(fx_compiled *it)
{
    static const char *const phases[] = {"codegen", "link", "init"};
    FX_TRY(check_runs_here(it));
    FX_TRY(fx__watch_progress(it, "codegen", 0));
    FX_TRY(fx__watch_before_codegen(it));
    compile_count++;
    fx_codegen_options options = fx__compile_codegen_options(it);
    fx_status status = fx__jit_new(it->program, &options, &it->jit);
    if (status == FX_E_CODEGEN) fx__watch_log(it, FX_LOG_WARNING, "codegen: LLVM failed, the interpreter will run everything");
    if (status == FX_E_CODEGEN) return interpret_instead(it);
    FX_TRY(status);
    fx_compiled_call(it, fx__jit_call(it->jit)); /* what the typed wrapper starts from */
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) note_phase(it, phases[i], fx__jit_ms(it->jit, phases[i]));
    return fx__watch_after_codegen(it);
}

/* ---- All of it -------------------------------------------------------------------------------------------------------------- */

typedef fx_status (*driver_step)(fx_compiled *it);

static fx_status run_steps(fx_compiled *it, const driver_step *steps)
{
    fx_status status = FX_OK;
    for (; *steps && status == FX_OK; steps++) status = (*steps)(it);
    return status;
}

static fx_status compile(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                         const driver_step *steps, fx_compiled **out)
{
    *out = NULL;
    fx_compiled *it;
    FX_TRY(fx__compile_prepare(module, example_inputs, n_inputs, options, &it));
    fx_status status = run_steps(it, steps);
    fx__watch_close(it);
    if (status == FX_OK) {
        *out = it;
    } else {
        fx_compiled_free(it);
    }
    return status;
}

fx_status fx_compile(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                     fx_compiled **out)
{
    static const driver_step steps[] = {fx__compile_graph, fx__compile_program, fx__compile_native, NULL};
    return compile(module, example_inputs, n_inputs, options, steps, out);
}

fx_status fx_compile_plan(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                          fx_compiled **out)
{
    static const driver_step steps[] = {fx__compile_graph, fx__compile_program, NULL};
    return compile(module, example_inputs, n_inputs, options, steps, out);
}

void fx_compiled_free(fx_compiled *it)
{
    if (!it) return;
    fx__watch_close(it);
    fx__run_free_spare(it);
    fx__state_drop(it);
    fx__ffi_closure_free(it->closure);
    fx__jit_free(it->jit);
    fx__program_free(it->program);
    fx_module_free(it->module);
    free(it);
}

/* ---- The text of every form ------------------------------------------------------------------------------------------------- */

static fx_status text_of_object(fx_compiled *it, char **out_text, size_t *out_bytes)
{
    fx_codegen_options options = fx__compile_codegen_options(it);
    return fx__aot_object(it->program, &options, NULL, 0, out_text, out_bytes);
}

static fx_status text_of_form(fx_compiled *it, fx_stage_form form, char **out_text, size_t *out_bytes)
{
    if (form == FX_STAGE_OBJ) return text_of_object(it, out_text, out_bytes);
    if (form == FX_STAGE_LLVM || form == FX_STAGE_ASM) {
        fx_codegen_options options = fx__compile_codegen_options(it);
        FX_TRY(fx__codegen_text(it->program, &options, form == FX_STAGE_ASM, out_text));
    } else {
        *out_text = form == FX_STAGE_PROGRAM ? fx__program_print(it->program) : fx_graph_to_fx(it->module->graph);
    }
    if (!*out_text) return fx__diag_oom(it->context);
    if (out_bytes) *out_bytes = strlen(*out_text);
    return FX_OK;
}

fx_status fx_compile_text(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                          fx_stage_form form, char **out_text, size_t *out_bytes)
{
    static const driver_step none[] = {NULL}, core[] = {fx__compile_graph, NULL},
                             program[] = {fx__compile_graph, fx__compile_program, NULL};
    *out_text = NULL;
    fx_compiled *it;
    FX_TRY(fx__compile_prepare(module, example_inputs, n_inputs, options, &it));
    fx_status status = run_steps(it, form == FX_STAGE_FX ? none : form == FX_STAGE_CORE ? core : program);
    if (status == FX_OK) status = text_of_form(it, form, out_text, out_bytes);
    fx_compiled_free(it);
    return status;
}

/* ---- What a compiled graph tells -------------------------------------------------------------------------------------------- */

size_t fx_compiled_const_bytes(const fx_compiled *it)
{
    return (size_t)it->program->const_bytes;
}
int32_t fx_compiled_kernel_count(const fx_compiled *it)
{
    return it->program->n_kernel;
}
uint64_t fx_compiled_code_hash(const fx_compiled *it)
{
    return it->jit ? fx__jit_code_hash(it->jit) : 0;
}
int32_t fx_compiled_fallback_count(const fx_compiled *it)
{
    return it->n_fallback;
}

int64_t fx_compiled_flop(const fx_compiled *it)
{
    return fx__program_flop(it->program, NULL);
}

const char *fx_compiled_fallback(const fx_compiled *it, int32_t index)
{
    return index >= 0 && index < it->n_fallback ? it->fallback[index] : NULL;
}

const char *fx_compiled_phase(const fx_compiled *it, int32_t index, double *out_ms)
{
    if (index < 0 || index >= it->n_phase) return NULL;
    if (out_ms) *out_ms = it->phase[index].ms;
    return it->phase[index].name;
}

double fx_measure_peak_gflops(fx_context *context)
{
    return fx__peak_gflops(context);
}
