/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pass_table.c: the built-in graph passes by name, each with what must have run before it. */
#include "passes/pass.h"
#include <string.h>

static const char *const after_normalise[] = {"normalise", NULL};

static const fx_pass passes[] = {
    {"inline", fx__pass_inline, NULL, NULL},
    {"spell", fx__pass_spell, NULL, NULL},
    {"functionalise", fx__pass_functionalise, NULL, NULL},
    {"normalise", fx__pass_normalise, NULL, NULL},
    {"decompose", fx__pass_decompose, NULL, after_normalise},
    {"rewrite", fx__pass_rewrite, NULL, after_normalise},
    {"rewrite_exact", fx__pass_rewrite_exact, NULL, after_normalise},
    {"fold", fx__pass_fold, NULL, after_normalise},
    {"cse", fx__pass_cse, NULL, NULL},
    {"dce", fx__pass_dce, NULL, NULL},
    {"layout", fx__pass_layout, NULL, after_normalise},
    /* for programs; the pipeline does without them */
    {"propagate", fx__pass_propagate, NULL, NULL},
    {"simplify", fx__pass_simplify, NULL, after_normalise},
    {"merge_matmul", fx__pass_merge_matmul, NULL, after_normalise},
    {"insert_casts", fx__pass_insert_casts, NULL, NULL},
    {"remove_dropout", fx__pass_remove_dropout, NULL, NULL},
    {"fuse_conv_bn", fx__pass_fuse_conv_bn, NULL, NULL},
    {"normalise_arguments", fx__pass_normalise_arguments, NULL, NULL},
};

const fx_pass *fx_pass_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof passes / sizeof passes[0]; i++)
        if (strcmp(passes[i].name, name) == 0) return &passes[i];
    return NULL;
}
