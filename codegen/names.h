/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/names.h: the CPUs and features that LLVM knows, NULL at the end; made by cmake/LlvmNames.cmake. */
#ifndef FX_CODEGEN_NAMES_H
#define FX_CODEGEN_NAMES_H

#include "ir/target.h"

extern const char *const fx__names_x86_64_cpus[], *const fx__names_x86_64_features[];
extern const char *const fx__names_aarch64_cpus[], *const fx__names_aarch64_features[];

/* Reports a CPU and every feature of a caller's that LLVM does not know, which it would ignore. NULL: none was given. FX_E_ARG. */
fx_status fx__names_check(fx_context *context, const char *triple, const char *cpu, const char *features);

#endif
