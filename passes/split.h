/* SPDX-License-Identifier: Apache-2.0 */
/* passes/split.h: splitting a module, given each node's part. */
#ifndef FX_PASSES_SPLIT_H
#define FX_PASSES_SPLIT_H

#include "fxjit/passes.h"
#include "ir/graph.h"

/* part[node id]: the part of each call, FX_SPLIT_OUTSIDE elsewhere; name_of gives the submodule's name in scratch memory, NULL when
 * memory ends. */
typedef struct fx_splitting {
    const int32_t *part;
    const char *(*name_of)(void *user, fx_arena *scratch, int32_t part);
    void *user;
} fx_splitting;
fx_status fx__split(fx_module *module, const fx_splitting *splitting, FX_GIVES fx_module **out);

/* getitem of a tuple is where the call is that gives the tuple: what does not come from such a call, comes from itself. */
const fx_node *fx__split_root(const fx_node *node);

static inline bool fx__split_is_call(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE;
}

#endif
