/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_eval.h: between the two halves of the evaluator: programs (kir_eval.c) and one kernel (kir_eval_kernel.c). */
#ifndef FX_IR_KIR_EVAL_H
#define FX_IR_KIR_EVAL_H

#include "ir/kir_text.h"

/* Runs every point of a kernel. base: element 0 of each argument, NULL for LOCAL. *out_error: FX_E_INDEX after a clamped index. */
fx_status fx__kernel_eval(const fx_program *program, const fx_kernel *kernel, char *const *base, const int64_t *syms,
                          fx_status *out_error);
int64_t fx__eval_dim(const fx_program *program, fx_dim dim, const int64_t *syms);

#endif
