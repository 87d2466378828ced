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
/* Assertions of numbers, sizes and types (passes/spell_assert.c). */
fx_spelled fx__spell_assertion(fx_node *node, fx_attr *out);
bool fx__spell_is_assertion(const fx_node *node); /* torch._assert and its kin on a condition */
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

/* What builders share. An expression whose words are these names, by spaces, with their values. */
fx_spelled fx__spell_evaluate(fx_node *node, const char *names, const fx_attr *values, const char *expression, fx_attr *out);
fx_spelled fx__spell_fail(const fx_node *node, const char *why);
/* The type of a value that is a tensor; NULL after a diagnostic. */
const fx_type *fx__spell_type(const fx_node *node, const fx_attr *value);
/* `dim` counted from 0 in a tensor of this rank; -1 after a diagnostic. */
int32_t fx__spell_dim(const fx_node *node, int64_t dim, int32_t rank);
/* Whether the function's name, without module, overload and what follows an underscore, is this. */
bool fx__spell_is_called(const fx_node *node, const char *name);

/* log(exp(self) + exp(other)); equal infinities have no difference. */
#define FX_SPELL_LOGADDEXP                                                                                                         \
    "where(logical_and(eq(self, other), isinf(self)), self, add(maximum(self, other), log1p(exp(neg(abs(sub(self, other)))))))"

#define FX_SPELL_BUILDERS(X)                                                                                                       \
    /* passes/spell_build.c */                                                                                                     \
    X(interpolate)                                                                                                                 \
    X(index) X(to) X(movedim) X(reverse) X(variance) /* passes/spell_shape.c: moving elements */                                   \
        X(join) X(at_least) X(meshgrid) X(broadcast) X(tensor_split) X(interleave) X(rot90) X(sum_to_size) X(index_fill)           \
            X(take_along) /* passes/spell_stride.c: every so many elements */                                                      \
        X(diagonal) X(diag_embed) X(diag) X(block_diag) X(as_strided) X(unfold) /* passes/spell_linear.c: products */              \
        X(inner) X(chain) X(power) X(tensordot) X(kron) X(cross) X(bilinear)                                                       \
            X(linalg_norm) /* passes/spell_reduce.c: losses over classes, order statistics, norms */                               \
        X(nll) X(cross_entropy) X(kth) X(quantile) X(renorm)                                                                       \
            X(nan_to_num)       /* passes/spell_special.c: formulas for all magnitudes */                                          \
        X(erfc) X(logcumsumexp) /* passes/spell_image.c: windows and images */                                                     \
        X(upsample) X(lp_pool) X(conv_padding) X(grid_sample) X(affine_grid) X(local_response)
#define FX_SPELL_BUILDER(name) fx_spelled fx__spell_build_##name(fx_node *node, const fx_attr *arg, fx_attr *out);
FX_SPELL_BUILDERS(FX_SPELL_BUILDER)

#endif
