/* SPDX-License-Identifier: Apache-2.0 */
/* ir/context.h: the structure behind fx_context, for ir/{context,arena,intern,diag}.c only. */
#ifndef FX_IR_CONTEXT_H
#define FX_IR_CONTEXT_H

#include "ir/arena.h"
#include "ir/diag.h"

/* More problems than anybody reads: a hostile file must not fill the memory with messages about itself. */
enum { FX_DIAG_MAX = 1000, FX_DIAG_INLINE = 4 };

typedef struct fx_diag_entry {
    fx_severity severity;
    char *text; /* NULL: `fixed` is the text */
    const char *fixed;
} fx_diag_entry;

struct fx_context {
    fx_allocator allocator;
    fx_arena *strings; /* interned texts */
    const char **interned;
    int32_t n_interned, cap_interned;
    fx_diag_entry *diags; /* inline_diags until it overflows, so that the first "out of memory" always has a place */
    fx_diag_entry inline_diags[FX_DIAG_INLINE];
    int32_t n_diags, cap_diags;
    fx_status status;
    bool oom_noted;
    fx_tick tick; /* fx__tick asks it */
    fx_map effects; /* interned target -> itself: fx_context_add_side_effect */
};

void fx__diag_clear(fx_context *context);

#endif
