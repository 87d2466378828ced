/* SPDX-License-Identifier: Apache-2.0 */
/* ir/target.c: rows of known CPUs, and the description derived from LLVM's names. Cache sizes and widths are what vendors state;
 * a CPU without a row gets cautious ones, and its vector registers from its features. */
#include "ir/target.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include <string.h>

typedef struct {
    const char *name; /* LLVM's CPU name, or a prefix ending in '*' */
    int64_t l1, l2, l3;
    int32_t fma_per_cycle;
    double l2_bytes_per_cycle, dram_bytes_per_cycle, ghz;
    const char *features; /* implied by the name, whatever the feature string leaves out */
} cpu_row;

#define KIB(n) ((int64_t)(n) << 10)
#define V2 "+sse4.2 "
#define V3 V2 "+avx +avx2 +fma +f16c "
#define V4 V3 "+avx512f +avx512vl +avx512bw +avx512dq "

static const cpu_row x86_rows[] = {
    {"sapphirerapids", KIB(48), KIB(2048), KIB(1920), 2, 48, 8, 2.5, V4 "+avx512bf16 "},
    {"emeraldrapids", KIB(48), KIB(2048), KIB(2560), 2, 48, 8, 2.6, V4 "+avx512bf16 "},
    {"graniterapids", KIB(48), KIB(2048), KIB(3072), 2, 48, 8, 2.6, V4 "+avx512bf16 "},
    {"icelake-server", KIB(48), KIB(1280), KIB(1536), 2, 48, 8, 2.5, V4},
    {"cascadelake", KIB(32), KIB(1024), KIB(1408), 2, 48, 7, 2.4, V4},
    {"skylake-avx512", KIB(32), KIB(1024), KIB(1408), 2, 48, 7, 2.2, V4},
    {"znver5", KIB(48), KIB(1024), KIB(4096), 2, 48, 8, 4, V4 "+avx512bf16 "},
    {"znver4", KIB(32), KIB(1024), KIB(4096), 1, 32, 8, 3.5, V4 "+avx512bf16 "},
    {"znver3", KIB(32), KIB(512), KIB(4096), 2, 32, 8, 3.4, V3},
    {"znver2", KIB(32), KIB(512), KIB(4096), 2, 32, 8, 3.2, V3},
    {"alderlake", KIB(48), KIB(1280), KIB(3072), 2, 32, 12, 4.5, V3},
    {"skylake", KIB(32), KIB(256), KIB(2048), 2, 32, 10, 3.6, V3},
    {"haswell", KIB(32), KIB(256), KIB(2048), 2, 32, 8, 3.2, V3},
    {"x86-64-v4", KIB(32), KIB(1024), KIB(1024), 2, 32, 6, 2.5, V4},
    {"x86-64-v3", KIB(32), KIB(256), KIB(1024), 2, 32, 6, 3, V3},
    {"x86-64-v2", KIB(32), KIB(256), KIB(1024), 1, 16, 6, 3, V2},
    {"*", KIB(32), KIB(256), KIB(1024), 1, 16, 6, 3, ""},
};

static const cpu_row arm_rows[] = {
    {"neoverse-v2", KIB(64), KIB(2048), KIB(1024), 4, 32, 10, 3, "+neon +fp16 +bf16 "},
    {"neoverse-v1", KIB(64), KIB(1024), KIB(1024), 4, 32, 10, 2.6, "+neon +fp16 +bf16 "},
    {"neoverse-n2", KIB(64), KIB(1024), KIB(1024), 2, 32, 8, 3, "+neon +fp16 +bf16 "},
    {"neoverse-n1", KIB(64), KIB(1024), KIB(1024), 2, 32, 8, 2.6, "+neon +fp16 "},
    {"apple-*", KIB(128), KIB(3072), KIB(1024), 4, 32, 16, 3.5, "+neon +fp16 "},
    {"*", KIB(32), KIB(512), KIB(512), 2, 16, 6, 3, "+neon "},
};

static bool name_matches(const char *pattern, const char *name)
{
    size_t bytes = strlen(pattern);
    if (bytes > 0 && pattern[bytes - 1] == '*') return strncmp(pattern, name, bytes - 1) == 0;
    return strcmp(pattern, name) == 0;
}

static const cpu_row *find_row(const cpu_row *rows, const char *cpu)
{
    while (!name_matches(rows->name, cpu)) rows++;
    return rows;
}

/* Finds "+name" or "-name" as a whole word among comma- or space-separated features; the last mention counts. */
static int mentioned(const char *features, const char *name)
{
    int found = 0;
    size_t bytes = strlen(name);
    for (const char *at = features; (at = strpbrk(at, "+-")) != NULL; at++) {
        bool starts = at == features || at[-1] == ',' || at[-1] == ' ';
        bool ends = strncmp(at + 1, name, bytes) == 0 && (at[bytes + 1] == 0 || at[bytes + 1] == ',' || at[bytes + 1] == ' ');
        if (starts && ends) found = *at == '+' ? 1 : -1;
    }
    return found;
}

/* What each feature rests on: LLVM takes it away together with that. */
static const struct {
    const char *name, *needs;
} x86_needs[] = {
    {"avx512bf16", "avx512bw"}, {"avx512bw", "avx512f"}, {"avx512vl", "avx512f"}, {"avx512f", "avx2"}, {"avx512f", "fma"},
    {"avx512f", "f16c"},        {"avx2", "avx"},         {"fma", "avx"},          {"f16c", "avx"},     {"avx", "sse4.2"},
    {"sse4.2", "sse4.1"},       {"sse4.1", "ssse3"},     {"ssse3", "sse3"},
};

static bool is_taken_away(const fx_target *target, const char *name)
{
    if (mentioned(target->features, name) < 0) return true;
    for (size_t i = 0; i < sizeof x86_needs / sizeof x86_needs[0]; i++)
        if (strcmp(x86_needs[i].name, name) == 0 && is_taken_away(target, x86_needs[i].needs)) return true;
    return false;
}

/* What the feature string says; the CPU's row where it says nothing. */
static bool has(const fx_target *target, const cpu_row *row, const char *name)
{
    if (is_taken_away(target, name)) return false;
    return mentioned(target->features, name) > 0 || mentioned(row->features, name) > 0;
}

static void describe_x86(fx_target *target, const cpu_row *row)
{
    bool avx512 = has(target, row, "avx512f") && has(target, row, "avx512vl") && has(target, row, "avx512bw");
    bool avx2 = has(target, row, "avx2");
    target->vec_bytes = avx512 ? 64 : avx2 ? 32 : 16;
    target->vregs = avx512 ? 32 : 16;
    target->has_fma = has(target, row, "fma") || avx512;
    target->has_masked = avx512 || avx2;
    target->has_scalef = avx512;
    target->has_f16c = has(target, row, "f16c") || avx512;
    target->has_bf16 = has(target, row, "avx512bf16");
}

static void describe_arm(fx_target *target, const cpu_row *row)
{
    target->vec_bytes = 16;
    target->vregs = 32;
    target->has_fma = true;
    target->has_f16c = true;
    target->has_bf16 = has(target, row, "bf16");
}

fx_status fx__target_describe(fx_context *context, const char *triple, const char *cpu, const char *features, fx_target *out)
{
    *out = (fx_target){.triple = fx__intern(context, triple ? triple : ""),
                       .cpu = fx__intern(context, cpu ? cpu : ""),
                       .features = fx__intern(context, features ? features : "")};
    if (!out->triple || !out->cpu || !out->features) return fx__diag_oom(context);
    bool x86 = strncmp(out->triple, "x86_64", 6) == 0;
    bool arm = strncmp(out->triple, "aarch64", 7) == 0 || strncmp(out->triple, "arm64", 5) == 0;
    if (!x86 && !arm)
        return fx__diag(context, FX_E_UNSUPPORTED, NULL, "target triple '%s' is not supported; expected x86_64 or aarch64",
                        out->triple);
    const cpu_row *row = find_row(x86 ? x86_rows : arm_rows, out->cpu);
    out->l1 = row->l1;
    out->l2 = row->l2;
    out->l3 = row->l3;
    out->fma_per_cycle = row->fma_per_cycle;
    out->l2_bytes_per_cycle = row->l2_bytes_per_cycle;
    out->dram_bytes_per_cycle = row->dram_bytes_per_cycle;
    out->ghz = row->ghz;
    if (x86)
        describe_x86(out, row);
    else
        describe_arm(out, row);
    out->load_bytes_per_cycle = 2.0 * out->vec_bytes;
    out->reserve = out->vregs == 32 ? 3 : 1;
    return FX_OK;
}
