/* SPDX-License-Identifier: Apache-2.0 */
/* ir/target.h: what passes may know of the machine they compile for. Described, never measured: equal descriptions give equal code. */
#ifndef FX_IR_TARGET_H
#define FX_IR_TARGET_H

#include "fxjit/types.h"

typedef struct fx_target {
    const char *triple, *cpu, *features; /* LLVM's words; interned in the context */
    int32_t vec_bytes;   /* widest vector register worth using: 64, 32, 16 */
    int32_t vregs;       /* vector registers: 32, 16 */
    int32_t reserve;     /* kept free for addresses and broadcasts: 3 of 32, 1 of 16 */
    int64_t l1, l2, l3;  /* bytes per core (l3: of one core's share) */
    int32_t fma_per_cycle;
    double load_bytes_per_cycle, l2_bytes_per_cycle, dram_bytes_per_cycle;
    double ghz; /* of a core under lasting vector work: turns cycles into times for people, no choice depends on it */
    bool has_fma, has_masked, has_scalef, has_f16c, has_bf16;
} fx_target;

/* Fills a description from LLVM's names. Known CPUs have rows; others are derived from their features. */
fx_status fx__target_describe(fx_context *context, const char *triple, const char *cpu, const char *features, fx_target *out);
/* Lanes of a dtype in one vector. */
static inline int32_t fx__target_lanes(const fx_target *target, fx_dtype dtype)
{
    return target->vec_bytes / (int32_t)fx_dtype_bytes(dtype == FX_BOOL ? FX_I8 : dtype);
}

#endif
