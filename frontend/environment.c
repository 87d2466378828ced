/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/environment.c: what the environment says of a compilation, where options say nothing: the one place that reads it.
 * FXJIT_VERIFY, FXJIT_DEBUG, FXJIT_LOG, FXJIT_DUMP and FXJIT_DUMP_DIR; docs/DEBUGGING.md. */
#include "frontend/watch.h"
#include "ir/diag.h"
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

typedef struct vocabulary {
    const char *variable;
    const char *const *words;
    int32_t n;
} vocabulary;

enum { WORD = 32, LINE = 128 };

static fx_status refuse(fx_context *context, const vocabulary *v, const char *text, size_t bytes)
{
    char word[WORD], known[LINE] = "";
    snprintf(word, sizeof word, "%.*s", (int)(bytes < WORD ? bytes : WORD - 1), text);
    const char *near = fx_nearest_word(word, v->words, v->n);
    for (int32_t i = 0, used = 0; i < v->n && used < LINE; i++)
        used += snprintf(known + used, (size_t)(LINE - used), "%s%s", i == 0 ? "" : i == v->n - 1 ? " and " : ", ", v->words[i]);
    return fx__diag(context, FX_E_ARG, NULL, "%s: '%s' is none of %s%s%s%s", v->variable, word, known, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

/* A bit for each word of a list with commas. */
static fx_status read_words(fx_context *context, const vocabulary *v, uint32_t *out)
{
    const char *text = variable(v->variable);
    *out = 0;
    while (text && *text) {
        size_t bytes = strcspn(text, ",");
        int32_t i = 0;
        while (i < v->n && (strlen(v->words[i]) != bytes || memcmp(v->words[i], text, bytes) != 0)) i++;
        if (i == v->n && bytes > 0) return refuse(context, v, text, bytes);
        if (i < v->n) *out |= 1u << i;
        text += bytes + (text[bytes] == ',');
    }
    return FX_OK;
}

static fx_status read_dump(fx_context *context, fx_compile_options *options)
{
    static const char *const forms[] = {"fx", "core", "program", "llvm", "asm", "obj", "all"};
    uint32_t found = 0;
    if (!options->dump) FX_TRY(read_words(context, &(vocabulary){"FXJIT_DUMP", forms, 7}, &found));
    options->dump |= found > FX_DUMP_ALL ? FX_DUMP_ALL : found;
    if (!options->dump_directory) options->dump_directory = variable("FXJIT_DUMP_DIR");
    if (!options->dump_directory) options->dump_directory = "fxjit-dump";
    return FX_OK;
}

/* The most talkative of several words counts. */
static fx_status read_log(fx_context *context, fx_compile_options *options)
{
    static const char *const levels[] = {"none", "warning", "info", "debug"};
    uint32_t found = 0;
    if (options->log_level == FX_LOG_NONE) FX_TRY(read_words(context, &(vocabulary){"FXJIT_LOG", levels, 4}, &found));
    for (int level = FX_LOG_DEBUG; level > FX_LOG_NONE && options->log_level == FX_LOG_NONE; level--)
        if (found >> level & 1) options->log_level = (fx_log_level)level;
    if (options->log_level == FX_LOG_NONE && options->log && !found) options->log_level = FX_LOG_INFO;
    return FX_OK;
}

static fx_status read_debug(fx_context *context, fx_compile_options *options)
{
    static const char *const debuggers[] = {"perf", "gdb"};
    uint32_t found;
    FX_TRY(read_words(context, &(vocabulary){"FXJIT_DEBUG", debuggers, 2}, &found));
    options->perf_map |= (found & 1) != 0;
    options->gdb |= (found & 2) != 0;
    return FX_OK;
}

fx_status fx__environment_options(fx_context *context, fx_compile_options *options)
{
    const char *verify = variable("FXJIT_VERIFY");
    if (verify && strcmp(verify, "0") != 0) options->verify = true;
    FX_TRY(read_debug(context, options));
    FX_TRY(read_log(context, options));
    return read_dump(context, options);
}
