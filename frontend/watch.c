/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/watch.c: the hooks that the driver and the pipelines call while they work; what they lead to is in watch_log.c and
 * watch_dump.c. */
#include "frontend/watch.h"
#include "ir/diag.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* From within a pass. */
static fx_status tick(void *user)
{
    fx_compiled *it = user;
    fx_watch *w = it->watch;
    if (w->cancelled || fx__compile_now_ms() - w->told_ms >= (double)FX_WATCH_MS) return fx__watch_progress(it, w->phase, w->percent);
    return FX_OK;
}

fx_status fx__watch_open(fx_compiled *it)
{
    it->watch = calloc(1, sizeof *it->watch);
    if (!it->watch) return fx__diag_oom(it->context);
    it->watch->ms = it->watch->told_ms = fx__compile_now_ms();
    it->watch->phase = "graph";
    it->watch->n_diags = fx_context_diag_count(it->context);
    it->watch->outer = fx__tick_set(it->context, it->options.progress ? (fx_tick){tick, it} : (fx_tick){0});
    return FX_OK;
}

void fx__watch_close(fx_compiled *it)
{
    if (!it->watch) return;
    fx__watch_log_warnings(it);
    fx__tick_set(it->context, it->watch->outer);
    free(it->watch->directory);
    fx_text_free(it->watch->last_graph);
    fx_text_free(it->watch->last_program);
    free(it->watch);
    it->watch = NULL;
}

fx_status fx__watch_progress(fx_compiled *it, const char *phase, int32_t percent)
{
    fx_watch *w = it->watch;
    if (w->cancelled) return FX_E_CANCELLED; /* said once */
    w->phase = phase;
    w->percent = percent;
    w->told_ms = fx__compile_now_ms();
    if (!it->options.progress || it->options.progress(it->options.progress_user, phase, percent)) return FX_OK;
    w->cancelled = true;
    return fx__diag(it->context, FX_E_CANCELLED, NULL, "compiling was cancelled during %s", phase);
}

/* ---- Dumps of what passes leave ------------------------------------------------------------------------------------------------ */

/* Dumps a text that differs from the last one of its kind, and keeps it. Takes text. */
static fx_status dump_changed(fx_compiled *it, fx_stage_form form, const char *pass, FX_TAKES char *text, char **last)
{
    if (!text) return fx__diag_oom(it->context);
    fx_status status = *last && strcmp(*last, text) == 0 ? FX_OK : fx__watch_dump(it, form, pass, text, strlen(text));
    fx_text_free(*last);
    *last = text;
    return status;
}

static bool makes_core(const char *pass)
{
    return strcmp(pass, "normalise") == 0;
}

static fx_status dump_graph(fx_compiled *it, const char *pass, const fx_graph *graph)
{
    fx_stage_form form = graph->core || makes_core(pass) ? FX_STAGE_CORE : FX_STAGE_FX;
    if (!fx__watch_dumps(it, form)) return FX_OK;
    return dump_changed(it, form, pass, fx_graph_to_fx(graph), &it->watch->last_graph);
}

/* ---- Hooks ---------------------------------------------------------------------------------------------------------------------- */

enum { GRAPH_PASSES = 16, PROGRAM_PASSES = 7 }; /* about as many as there will be */

fx_status fx__watch_graph(void *user, const char *pass, fx_graph *graph)
{
    fx_compiled *it = user;
    int32_t percent = 100 * ++it->watch->n_graph / GRAPH_PASSES;
    FX_TRY(dump_graph(it, pass, graph));
    fx__watch_log_warnings(it);
    fx__watch_log_graph(it, pass, graph);
    it->watch->ms = fx__compile_now_ms();
    return fx__watch_progress(it, "graph", percent > 99 ? 99 : percent);
}

static int32_t percent_of(const char *pass)
{
    static const char *const passes[PROGRAM_PASSES] = {"lower", "fuse", "place", "algo", "schedule", "dedup", "plan"};
    for (int32_t i = 0; i < PROGRAM_PASSES; i++)
        if (strcmp(passes[i], pass) == 0) return 100 * (i + 1) / PROGRAM_PASSES;
    return 0;
}

fx_status fx__watch_program(void *user, const char *pass, const fx_program *program)
{
    fx_compiled *it = user;
    if (fx__watch_dumps(it, FX_STAGE_PROGRAM))
        FX_TRY(dump_changed(it, FX_STAGE_PROGRAM, pass, fx__program_print(program), &it->watch->last_program));
    fx__watch_log_warnings(it);
    fx__watch_log_program(it, pass, program);
    it->watch->ms = fx__compile_now_ms();
    return fx__watch_progress(it, "program", percent_of(pass));
}

/* ---- Code ----------------------------------------------------------------------------------------------------------------------- */

/* Kernels by number; the one behind the last is the entry. */
static fx_status dump_code(fx_compiled *it, fx_stage_form form)
{
    fx_codegen_options options = fx__compile_codegen_options(it);
    if (!fx__watch_dumps(it, form)) return FX_OK;
    for (int32_t i = 0; i <= it->program->n_kernel; i++) {
        char name[40] = "entry", *code;
        size_t bytes;
        if (i < it->program->n_kernel) snprintf(name, sizeof name, "k_%016" PRIx64, it->program->kernel[i]->hash);
        fx_code_form as = form == FX_STAGE_LLVM ? FX_CODE_LLVM : form == FX_STAGE_ASM ? FX_CODE_ASM : FX_CODE_OBJECT;
        FX_TRY(fx__codegen_module(it->program, &options, i, as, &code, &bytes));
        fx_status status = fx__watch_dump(it, form, name, code, bytes);
        fx_text_free(code);
        FX_TRY(status);
        FX_TRY(fx__watch_progress(it, "codegen", 0));
    }
    return FX_OK;
}

fx_status fx__watch_before_codegen(fx_compiled *it)
{
    return dump_code(it, FX_STAGE_LLVM);
}

fx_status fx__watch_after_codegen(fx_compiled *it)
{
    fx__watch_log_warnings(it);
    fx__watch_log(it, FX_LOG_INFO, "codegen: %d kernels, %.1f ms; link %.1f ms; init %.1f ms", (int)it->program->n_kernel,
                  fx__jit_ms(it->jit, "codegen"), fx__jit_ms(it->jit, "link"), fx__jit_ms(it->jit, "init"));
    FX_TRY(dump_code(it, FX_STAGE_ASM));
    return dump_code(it, FX_STAGE_OBJ);
}
