/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/names.c: refuses what LLVM would ignore with a line on stderr, and abort over later: names of CPUs and features that it
 * does not know. */
#include "codegen/names.h"
#include "ir/diag.h"
#include <string.h>

static bool knows(const char *const *names, const char *word, size_t bytes)
{
    for (; *names; names++)
        if (strncmp(*names, word, bytes) == 0 && (*names)[bytes] == 0) return true;
    return false;
}

static fx_status check_cpu(fx_context *context, const char *triple, const char *const *names, const char *cpu)
{
    int32_t n = 0;
    while (names[n]) n++;
    if (knows(names, cpu, strlen(cpu))) return FX_OK;
    const char *near = fx_nearest_word(cpu, names, n);
    fx__diag(context, FX_E_ARG, NULL, "CPU \"%s\" is unknown to LLVM for %s", cpu, triple);
    if (near) fx__diag_note(context, NULL, "did you mean \"%s\"?", near);
    return FX_E_ARG;
}

/* What calls between functions rely on: without it LLVM cannot place a value. */
static bool is_baseline(const char *word, size_t bytes)
{
    static const char *const baseline[] = {"64bit", "sse", "sse2", "neon", "fp-armv8", NULL};
    return knows(baseline, word, bytes);
}

/* One of "+name" and "-name". */
static fx_status check_feature(fx_context *context, const char *triple, const char *const *names, const char *word, size_t bytes)
{
    bool is_signed = word[0] == '+' || word[0] == '-';
    if (!is_signed || !knows(names, word + 1, bytes - 1))
        return fx__diag(context, FX_E_ARG, NULL, "feature \"%.*s\" is unknown to LLVM for %s; expected +NAME or -NAME", (int)bytes,
                        word, triple);
    if (word[0] == '-' && is_baseline(word + 1, bytes - 1))
        return fx__diag(context, FX_E_ARG, NULL, "no code can be made for %s with \"%.*s\"", triple, (int)bytes, word);
    return FX_OK;
}

fx_status fx__names_check(fx_context *context, const char *triple, const char *cpu, const char *features)
{
    bool x86 = strncmp(triple, "x86_64", 6) == 0;
    fx_status status = FX_OK;
    if (cpu) status = check_cpu(context, triple, x86 ? fx__names_x86_64_cpus : fx__names_aarch64_cpus, cpu);
    for (const char *at = features ? features : ""; *at;) {
        size_t bytes = strcspn(at, ",");
        fx_status one =
            bytes == 0 ? FX_OK
                       : check_feature(context, triple, x86 ? fx__names_x86_64_features : fx__names_aarch64_features, at, bytes);
        if (status == FX_OK) status = one;
        at += bytes + (at[bytes] == ',');
    }
    return status;
}
