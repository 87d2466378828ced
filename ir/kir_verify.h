/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_verify.h: between the verifier's parts: kernels (kir_verify_kernel.c, kir_verify_store.c) and programs (kir_verify.c,
 * kir_verify_order.c). */
#ifndef FX_IR_KIR_VERIFY_H
#define FX_IR_KIR_VERIFY_H

#include "ir/kir_text.h"

typedef struct fx_verifier {
    const fx_program *program;
    const char *pass;
    const fx_kernel *kernel; /* being looked at; NULL: steps */
    int32_t number;          /* of the kernel or step */
    int32_t problems;
} fx_verifier;

/* Reports a broken rule: "after PASS: kernel 3, rule 2 (bounds): ...". */
void fx__verify_fail(fx_verifier *v, const char *rule, const char *format, ...) FX_PRINTF(3, 4);
bool fx__verify_ranges(fx_verifier *v);                              /* 1; false: the others would read outside of arrays */
void fx__verify_dtypes(fx_verifier *v);                              /* 1 */
void fx__verify_scopes(fx_verifier *v);                              /* 1 */
void fx__verify_contracts(fx_verifier *v);                           /* 1 */
void fx__verify_bounds(fx_verifier *v);                              /* 2 */
void fx__verify_stores(fx_verifier *v);                              /* 3 */
void fx__verify_locals(fx_verifier *v);                              /* 4 */
void fx__verify_schedule(fx_verifier *v);                            /* 7 */
void fx__verify_run(fx_verifier *v, const fx_step *step, bool init); /* 5, 6 */
void fx__verify_call(fx_verifier *v, const fx_step *step);           /* 6 */
void fx__verify_order(fx_verifier *v);                               /* 6: init steps, steps, writebacks */

static inline bool fx__verify_is_written(const fx_arg *arg)
{
    return arg->role == FX_ARG_OUT || arg->role == FX_ARG_INOUT;
}
static inline bool fx__verify_in_program(const fx_program *program, int32_t buf)
{
    return buf >= 0 && buf < program->n_buf;
}

#endif
