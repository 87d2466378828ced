/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_nearest.c: which operator a target was perhaps meant to be: the row whose name differs in the fewest letters. */
#include "fxjit/compile.h"
#include "ir/nearest.h"
#include "ir/op.h"
#include <string.h>

enum { LONGEST = 63 };

/* "rleu" of torch.ops.aten.rleu.default, torch.rleu and x.rleu: the overload and what stands before are left out. */
static void take_name(char out[LONGEST + 1], const char *target)
{
    static const char aten[] = "torch.ops.aten.";
    const char *dot = strrchr(target, '.'), *word = dot ? dot + 1 : target;
    if (strncmp(target, aten, sizeof aten - 1) == 0) word = target + sizeof aten - 1;
    size_t length = strcspn(word, ".");
    if (length > LONGEST) length = LONGEST;
    memcpy(out, word, length);
    out[length] = 0;
}

const fx_op *fx_op_nearest(const char *target)
{
    char name[LONGEST + 1];
    take_name(name, target);
    const fx_op *best = NULL;
    int least = 1 + (int)strlen(name) / 3; /* stricter than for words: there are hundreds of names */
    for (int32_t i = 0; i < fx_op_count() && strlen(name) > 2; i++) {
        int d = fx__nearest_distance(name, fx_op_name(fx_op_at(i)));
        if (d >= least) continue;
        least = d;
        best = fx_op_at(i);
    }
    return best;
}

fx_status fx__op_unsupported(const fx_node *node)
{
    const fx_op *near = fx__op_of(node) ? NULL : fx_op_nearest(node->target);
    fx_status status = fx__diag_node(node, FX_E_UNSUPPORTED, "unsupported operator");
    if (near) fx__diag_note(node->graph->context, NULL, "did you mean %s?", near->target);
    return status;
}
