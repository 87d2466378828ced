/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_kernel.h: the state of reading one kernel, for the three files that do it: its head and stages (kir_parse_kernel.c),
 * indices and expressions (kir_parse_expr.c), its schedule and cost (kir_parse_sched.c). */
#ifndef FX_IR_KIR_PARSE_KERNEL_H
#define FX_IR_KIR_PARSE_KERNEL_H

#include "ir/kir_lex.h"

typedef struct fx_kernel_parser {
    fx_kparser *p;
    fx_kernel *kernel;
    fx_kstage stage;         /* being read */
    const char **stage_name; /* [255]; NULL for MAP */
    uint16_t *named;         /* expression of "$N" */
    int32_t n_named, cap_named;
    int depth;
} fx_kernel_parser;

/* ---- kir_parse_expr.c ---- */
int fx__kparse_find_arg(const fx_kernel_parser *k, const char *name);  /* -1 */
int fx__kparse_find_axis(const fx_kernel_parser *k, const char *name); /* -1 */
bool fx__kparse_name_is_new(fx_kernel_parser *k, const char *name);    /* among arguments, axes and stages; else reports */
bool fx__kparse_axis_word(fx_kernel_parser *k, uint8_t *out);
bool fx__kparse_access(fx_kernel_parser *k, const char *name, fx_access *out); /* behind the argument's name */
int fx__kparse_add_access(fx_kernel_parser *k, const fx_access *access);       /* -1 */
uint16_t fx__kparse_expr(fx_kernel_parser *k);                                 /* FX_NO_EXPR after a problem */
/* ---- kir_parse_sched.c: behind the words "sched" and "cost" ---- */
bool fx__kparse_sched(fx_kernel_parser *k);
bool fx__kparse_cost(fx_kernel_parser *k);

#endif
