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

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* Whether a word is in a list with commas. */
static bool has_word(const char *text, const char *word)
{
    while (text && *text) {
        size_t bytes = strcspn(text, ",");
        if (is_word(text, bytes, word)) return true;
        text += bytes + (text[bytes] == ',');
    }
    return false;
}

static fx_status read_dump(fx_context *context, const char *text, uint32_t *out)
{
    static const char *const forms[] = {"fx", "core", "program", "llvm", "asm", "obj"};
    while (*text) {
        size_t bytes = strcspn(text, ",");
        uint32_t found = is_word(text, bytes, "all") ? FX_DUMP_ALL : 0;
        for (uint32_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
            if (is_word(text, bytes, forms[i])) found = 1u << i;
        if (!found && bytes > 0)
            return fx__diag(context, FX_E_ARG, NULL, "FXJIT_DUMP: '%.*s' is none of fx, core, program, llvm, asm, obj and all", (int)bytes,
                            text);
        *out |= found;
        text += bytes + (text[bytes] == ',');
    }
    return FX_OK;
}

static fx_status read_log(fx_context *context, const char *text, fx_log_level *out)
{
    static const char *const levels[] = {"none", "warning", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, levels[i]) != 0) continue;
        *out = (fx_log_level)i;
        return FX_OK;
    }
    return fx__diag(context, FX_E_ARG, NULL, "FXJIT_LOG: '%s' is none of none, warning, info and debug", text);
}

fx_status fx__environment_options(fx_context *context, fx_compile_options *options)
{
    const char *verify = variable("FXJIT_VERIFY"), *log = variable("FXJIT_LOG"), *dump = variable("FXJIT_DUMP");
    if (verify && strcmp(verify, "0") != 0) options->verify = true;
    options->perf_map |= has_word(variable("FXJIT_DEBUG"), "perf");
    options->gdb |= has_word(variable("FXJIT_DEBUG"), "gdb");
    if (log && options->log_level == FX_LOG_NONE) FX_TRY(read_log(context, log, &options->log_level));
    if (options->log_level == FX_LOG_NONE && options->log) options->log_level = FX_LOG_INFO;
    if (dump && !options->dump) FX_TRY(read_dump(context, dump, &options->dump));
    if (!options->dump_directory) options->dump_directory = variable("FXJIT_DUMP_DIR");
    if (!options->dump_directory) options->dump_directory = "fxjit-dump";
    return FX_OK;
}
