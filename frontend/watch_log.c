/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/watch_log.c: log lines. What a pass did is INFO, what it decided of single nodes DEBUG, and what a user may want to change
 * WARNING. */
#include "frontend/watch.h"
#include "ir/kir_text.h"
#include <inttypes.h>
#include <string.h>

static void put_line(const fx_compiled *it, fx_log_level level, const char *line)
{
    if (it->options.log)
        it->options.log(it->options.log_user, level, line);
    else
        fprintf(stderr, "fxjit: %s\n", line);
}

void fx__watch_log(const fx_compiled *it, fx_log_level level, const char *format, ...)
{
    char line[1024];
    if (level > it->options.log_level) return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    put_line(it, level, line);
}

void fx__watch_log_warnings(fx_compiled *it)
{
    fx_watch *w = it->watch;
    int32_t n = fx_context_diag_count(it->context);
    if (w->n_diags > n) w->n_diags = n; /* some were taken back */
    for (; w->n_diags < n; w->n_diags++) {
        fx_severity severity;
        const char *text = fx_context_diag(it->context, w->n_diags, &severity);
        if (text && severity == FX_WARNING) fx__watch_log(it, FX_LOG_WARNING, "%s", text);
    }
}

static double took(const fx_compiled *it)
{
    return fx__compile_now_ms() - it->watch->ms;
}

void fx__watch_log_graph(fx_compiled *it, const char *pass, const fx_graph *graph)
{
    fx_watch *w = it->watch;
    fx_log_level level = graph->n_nodes != w->n_nodes ? FX_LOG_INFO : FX_LOG_DEBUG;
    fx__watch_log(it, level, "%s: %d nodes, were %d; %.1f ms", pass, (int)graph->n_nodes, (int)w->n_nodes, took(it));
    w->n_nodes = graph->n_nodes;
}

static void log_calls(const fx_compiled *it, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        if (step->kind == FX_STEP_CALL)
            fx__watch_log(it, FX_LOG_WARNING, "lower: %s (%s) runs through its reference kernel: %s", step->node->name,
                          fx_op_name(step->op), step->why_call);
        for (int b = 0; b < 2; b++) log_calls(it, &step->body[b]);
    }
}

static void log_pairs(const fx_compiled *it, const fx_program *program)
{
    for (int32_t i = 0; i < program->n_why; i++) {
        const fx_why *why = &program->why[i];
        fx__watch_log(it, FX_LOG_DEBUG, "fuse: %s -> %s: %s, %" PRId64 " bytes%s%s", why->from->name, why->to->name,
                      fx__kir_verdict_word(why->verdict), why->bytes_saved, why->because ? "; " : "", why->because ? why->because : "");
    }
}

static void log_schedules(const fx_compiled *it, const fx_program *program)
{
    for (int32_t i = 0; i < program->n_kernel; i++) {
        const fx_kernel *k = program->kernel[i];
        fx__watch_log(it, FX_LOG_DEBUG, "schedule: k%d: %s, %d lanes, %d x %d, %" PRId64 " cycles%s", (int)i,
                      fx__kir_emit_word(k->sched.emit), k->sched.lanes, k->sched.mr, k->sched.nv, k->cost.cycles,
                      k->sched.parallel ? ", shared" : "");
    }
}

void fx__watch_log_program(fx_compiled *it, const char *pass, const fx_program *program)
{
    fx__watch_log(it, FX_LOG_INFO, "%s: %d steps, %d kernels, %d buffers; %.1f ms", pass, (int)(program->steps.n + program->init.n),
                  (int)program->n_kernel, (int)program->n_buf, took(it));
    if (strcmp(pass, "lower") == 0) log_calls(it, &program->steps);
    if (strcmp(pass, "fuse") == 0) log_pairs(it, program);
    if (strcmp(pass, "schedule") == 0) log_schedules(it, program);
    if (strcmp(pass, "plan") == 0)
        fx__watch_log(it, FX_LOG_INFO, "plan: workspace %" PRId64 " bytes, constants %" PRId64 ", state %" PRId64,
                      fx__dim_hint(program->dims, program->workspace_bytes), program->const_bytes, program->state_bytes);
}
