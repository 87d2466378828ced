/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_text.h: what the printer, the parser and the normaliser of programs share: the words of the text form, and the order in
 * which a stage's expressions stand in it. The grammar is at the top of kir_print.c. */
#ifndef FX_IR_KIR_TEXT_H
#define FX_IR_KIR_TEXT_H

#include "ir/kir.h"

/* Words by enumerator. */
const char *fx__kir_combine_word(fx_combine combine);
const char *fx__kir_emit_word(fx_emit emit);
const char *fx__kir_buf_word(fx_role role);
const char *fx__kir_arg_word(fx_arg_role role); /* "" for IN */
const char *fx__kir_guard_word(fx_guard_kind kind);
const char *fx__kir_verdict_word(fx_verdict verdict);

/* The live expressions of a stage in the order of the text: first those with a line of their own ("$0 = ..."), then the rest. */
typedef struct fx_linear {
    fx_context *context;
    uint16_t *order, n;
    bool *named; /* [n_expr of the stage]: has a line of its own */
} fx_linear;
bool fx__linear_init(fx_linear *linear, fx_context *context, const fx_kernel *kernel,
                     const fx_kstage *stage); /* false: out of memory */
void fx__linear_free(fx_linear *linear);
/* Operands of an expression in the order in which they are written: gathered indices of a load, then a, b, c. */
int fx__expr_inputs(const fx_kernel *kernel, const fx_expr *expr, uint16_t out[FX_RANK + 3]);
/* Roots of a stage in the order of the text: per store its gathered indices and (MAP) its value; REDUCE and CONTRACT: the value
 * first. */
int fx__stage_roots(const fx_kernel *kernel, const fx_kstage *stage, uint16_t out[FX_OUTS * (FX_RANK + 1) + 1]);
/* Puts a kernel's accesses and expressions into the order of the text and drops dead ones: parse(print(k)) equals k afterwards. */
fx_status fx__kernel_normalise(fx_program *program, fx_kernel *kernel);

/* Takes an axis that nothing uses out of the table and lowers the numbers of those behind it. */
void fx__kernel_remove_axis(fx_kernel *kernel, int axis);

/* A size: "4", "s0*2 + 1"; inside an index symbolic ones stand in parentheses. */
void fx__kir_print_dim(fx_text *text, const fx_program *program, fx_dim dim);
/* "name" where it can be read back bare, else quoted with escapes. */
void fx__kir_print_name(fx_text *text, const char *name);
bool fx__kir_is_word(const char *name); /* a letter or '_', then letters, digits, '_' and '.' */
/* An operator argument of a CALL step. */
void fx__kir_print_attr(fx_text *text, const fx_program *program, const fx_attr *attr);

enum { FX_NAME_BYTES = 40, FX_EXPR_DEPTH = 48, FX_TEXT_DEPTH = 128 };
/* What buffers are called in the text; out: [n_buf]. */
void fx__kir_buf_names(const fx_program *program, char (*out)[FX_NAME_BYTES]);

#endif
