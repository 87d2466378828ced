/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/watch.h: telling of a compilation while it goes on: progress, which may cancel it, log lines, dumps. Called by the driver
 * and, through the hooks in fx_pass_options, after every pass. */
#ifndef FX_FRONTEND_WATCH_H
#define FX_FRONTEND_WATCH_H

#include "frontend/compiled.h"

typedef struct fx_watch {
    int32_t number;   /* of the next dump */
    char *directory;  /* where dumps go; NULL: none was written yet */
    char *last_graph; /* texts of the last dumps, to tell what changed nothing */
    char *last_program;
    double ms;        /* when the last pass ended */
    double told_ms;   /* when progress was told last */
    const char *phase;
    int32_t percent;
    bool cancelled;
    fx_tick outer; /* what the context's tick was */
    int32_t n_nodes;
    int32_t n_graph; /* graph passes told of */
    int32_t n_diags; /* diagnostics that the log has had */
} fx_watch;

/* environment.c: fills in what options leave open. FX_E_ARG: a variable has no such value. */
fx_status fx__environment_options(fx_context *context, fx_compile_options *options);

/* How often progress is told from within a pass. */
enum { FX_WATCH_MS = 10 };
/* After it->options are set; until fx__watch_close, ticks of the context lead here. FX_E_OOM. */
fx_status fx__watch_open(fx_compiled *it);
void fx__watch_close(fx_compiled *it);
/* FX_E_CANCELLED: the callback said so. */
fx_status fx__watch_progress(fx_compiled *it, const char *phase, int32_t percent);
/* Hooks of fx_pass_options; user: the fx_compiled. */
fx_status fx__watch_graph(void *user, const char *pass, fx_graph *graph);
fx_status fx__watch_program(void *user, const char *pass, const fx_program *program);
/* Around code generation: LLVM before, the rest when it has succeeded; the latter logs what the JIT took, too. */
fx_status fx__watch_before_codegen(fx_compiled *it);
fx_status fx__watch_after_codegen(fx_compiled *it);

/* watch_log.c: lines, where the level asks for them. */
void fx__watch_log(const fx_compiled *it, fx_log_level level, const char *format, ...) FX_PRINTF(3, 4);
void fx__watch_log_warnings(fx_compiled *it); /* of the context, that came up since the last time */
void fx__watch_log_graph(fx_compiled *it, const char *pass, const fx_graph *graph);
void fx__watch_log_program(fx_compiled *it, const char *pass, const fx_program *program);

/* watch_dump.c: one dump, where it was asked for. */
bool fx__watch_dumps(const fx_compiled *it, fx_stage_form form);
fx_status fx__watch_dump(fx_compiled *it, fx_stage_form form, const char *pass, const char *text, size_t bytes);

#endif
