/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_words.c: the words of the program's text form, one table per enumeration. */
#include "ir/kir_text.h"

const char *fx__kir_combine_word(fx_combine combine)
{
    static const char *const word[FX_COMBINE_COUNT] = {
        [FX_COMBINE_SUM] = "sum", [FX_COMBINE_PROD] = "prod", [FX_COMBINE_MIN] = "min",       [FX_COMBINE_MAX] = "max",
        [FX_COMBINE_AND] = "and", [FX_COMBINE_OR] = "or",     [FX_COMBINE_ARGMIN] = "argmin", [FX_COMBINE_ARGMAX] = "argmax",
    };
    return (unsigned)combine < FX_COMBINE_COUNT ? word[combine] : "?";
}

const char *fx__kir_emit_word(fx_emit emit)
{
    static const char *const word[] = {"none", "flat", "copy2d", "column", "row", "tile", "block"};
    return (unsigned)emit < sizeof word / sizeof word[0] ? word[emit] : "?";
}

const char *fx__kir_buf_word(fx_role role)
{
    static const char *const word[] = {"input", "output", "const", "state", "temp"};
    return (unsigned)role < sizeof word / sizeof word[0] ? word[role] : "?";
}

const char *fx__kir_arg_word(fx_arg_role role)
{
    static const char *const word[] = {"", "out", "inout", "const", "local"};
    return (unsigned)role < sizeof word / sizeof word[0] ? word[role] : "?";
}

const char *fx__kir_guard_word(fx_guard_kind kind)
{
    static const char *const word[] = {"eq", "ne", "le"};
    return (unsigned)kind < sizeof word / sizeof word[0] ? word[kind] : "?";
}

const char *fx__kir_verdict_word(fx_verdict verdict)
{
    static const char *const word[FX_WHY_COUNT] = {
#define VERDICT_WORD(name) #name,
        FX_VERDICT_MAP(VERDICT_WORD)
#undef VERDICT_WORD
    };
    return (unsigned)verdict < FX_WHY_COUNT ? word[verdict] : "?";
}

bool fx__kir_is_word(const char *name)
{
    if (!name || !*name) return false;
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        bool other = (*c >= '0' && *c <= '9') || *c == '.';
        if (!letter && !(other && c > name)) return false;
    }
    return true;
}
