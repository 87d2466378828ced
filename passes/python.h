/* SPDX-License-Identifier: Apache-2.0 */
/* passes/python.h: the parts of pass `python`: calls whose value Python computed beside the tensors (passes/python_value.c, numbers in
 * passes/python_number.c), and torch's functions as expressions of rows (passes/spelling*.c). */
#ifndef FX_PASSES_PYTHON_H
#define FX_PASSES_PYTHON_H

#include "passes/core.h"

typedef enum fx_python {
    FX_PYTHON_NO,    /* it is no such call */
    FX_PYTHON_DONE,  /* *out is its value */
    FX_PYTHON_FAILED /* reported */
} fx_python;

/* Sizes, dtypes, lengths, tuples and their items, arithmetic on numbers. */
fx_python fx__python_value(fx_node *node, fx_attr *out);
/* operator.*, builtins.* and math.* on numbers. */
fx_python fx__python_number(fx_node *node, const char *name, fx_attr *out);
/* A function or method of torch that is no row, or whose arguments no row takes: nodes before `node` that compute it. */
fx_python fx__spelling_value(fx_node *node, fx_attr *out);

/* ---- Spellings ---------------------------------------------------------------------------------------------------------- */

/* One signature of some names: functions by qualified name, methods as "method:NAME". A name may stand in several rows: the first
 * whose signature takes the arguments, and whose condition holds, is meant. */
typedef struct fx_spelling {
    const char *names;     /* by spaces */
    const char *signature; /* in the notation of schemas */
    const char *value;     /* an expression of rows, parameters and constants; NULL: build */
    const char *when;      /* "reduction='mean' p=2": parameters that must have these values; NULL: no condition */
    fx_python (*build)(fx_node *node, const fx_attr *arg, fx_attr *out); /* arguments in the signature's order */
} fx_spelling;
extern const fx_spelling fx__spellings[];
extern const int32_t fx__spelling_count;

/* Builders, passes/spelling_build.c. */
fx_python fx__spell_interpolate(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_index(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_to(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_movedim(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_reverse(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_variance(fx_node *node, const fx_attr *arg, fx_attr *out);
fx_python fx__spell_norm(fx_node *node, const fx_attr *arg, fx_attr *out);

#endif
