/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell.h: the parts of pass `spell`: calls whose value Python computed beside the tensors (passes/spell_value.c, numbers in
 * passes/spell_number.c), and torch's functions as expressions of rows (passes/spell_expression.c). */
#ifndef FX_PASSES_SPELL_H
#define FX_PASSES_SPELL_H

#include "passes/core.h"

typedef enum fx_spelled {
    FX_SPELL_NO,    /* it is no such call */
    FX_SPELL_DONE,  /* *out is its value */
    FX_SPELL_FAILED /* reported */
} fx_spelled;

/* Sizes, dtypes, lengths, tuples and their items, arithmetic on numbers. */
fx_spelled fx__spell_value(fx_node *node, fx_attr *out);
/* operator.*, builtins.* and math.* on numbers. */
fx_spelled fx__spell_number(fx_node *node, const char *name, fx_attr *out);
bool fx__spell_is_assertion(const fx_node *node); /* of a number, which passes know or assume */
/* A function or method of torch by the table of spellings: nodes before `node` that compute it. Arguments that no signature of its
 * name takes are reported if `report` is set. */
fx_spelled fx__spell_expression(fx_node *node, bool report, fx_attr *out);
bool fx__spell_expression_knows(const fx_node *node); /* the table has its name */

/* ---- Spellings ---------------------------------------------------------------------------------------------------------- */

/* One signature of some names: functions by qualified name, methods as "method:NAME". A name may stand in several rows: the first
 * whose signature takes the arguments, and whose condition holds, is meant. */
typedef struct fx_spelling {
    const char *names;     /* by spaces */
    const char *signature; /* in the notation of schemas */
    const char *value;     /* an expression of rows, parameters and constants; NULL: build */
    const char *when;      /* "reduction='mean' p=2": parameters that must have these values; NULL: no condition */
    fx_spelled (*build)(fx_node *node, const fx_attr *arg, fx_attr *out); /* arguments in the signature's order */
} fx_spelling;
extern const fx_spelling fx__spell_table[];
extern const int32_t fx__spell_count;

/* Builders, passes/spell_build.c. */
fx_spelled fx__spell_build_interpolate(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_spelled fx__spell_build_index(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_spelled fx__spell_build_to(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_spelled fx__spell_build_movedim(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_spelled fx__spell_build_reverse(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_spelled fx__spell_build_variance(fx_node *node, const fx_attr *arg, fx_attr *out);

#endif
