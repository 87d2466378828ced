/* SPDX-License-Identifier: Apache-2.0 */
/* ir/diag.h: reporting problems. A message says what failed, then operator, node, where it was traced, actual and expected. */
#ifndef FX_IR_DIAG_H
#define FX_IR_DIAG_H

#include "fxjit/graph.h"

/* Adds an error, returns its status. loc may be NULL. */
fx_status fx__diag(fx_context *context, fx_status status, const fx_loc *loc, const char *format, ...) FX_PRINTF(4, 5);
/* The same about a node: appends operator, node name and source location. */
fx_status fx__diag_node(const fx_node *node, fx_status status, const char *format, ...) FX_PRINTF(3, 4);
/* A get_attr node whose tensor is a type without values, as .fx text has it: FX_E_ARG. */
fx_status fx__diag_no_data(const fx_node *node);
/* An assertion of the graph that did not hold: FX_E_GUARD, in a context that need not be the node's. node may be NULL. */
fx_status fx__diag_assertion(fx_context *context, const fx_node *node, const char *message);
/* A second location or an explanation for the error before. */
void fx__diag_note(fx_context *context, const fx_loc *loc, const char *format, ...) FX_PRINTF(3, 4);
void fx__diag_warn(fx_context *context, const fx_loc *loc, const char *format, ...) FX_PRINTF(3, 4);
fx_status fx__diag_oom(fx_context *context);
/* What a failure is that came without a status: FX_E_OOM when memory has run out in this context, else `otherwise`. */
fx_status fx__diag_failure(const fx_context *context, fx_status otherwise);
/* A trial: what is reported after the mark is forgotten again, all but the end of memory. */
typedef struct fx_diag_mark {
    int32_t n;
    fx_status status;
} fx_diag_mark;
fx_diag_mark fx__diag_mark(const fx_context *context);
void fx__diag_rewind(fx_context *context, fx_diag_mark mark);
/* The context's allocator. */
void *fx__alloc(fx_context *context, size_t bytes); /* zeroed; NULL notes FX_E_OOM */
void fx__free(fx_context *context, void *memory);

/* Long work asks now and then, at least once for each node or kernel that it goes over, whether it is to go on: FX_OK, or the status
 * with which it ends. Nothing asks while ask is NULL. Returns what was set before. */
typedef struct fx_tick {
    fx_status (*ask)(void *user);
    void *user;
} fx_tick;
fx_tick fx__tick_set(fx_context *context, fx_tick tick);
fx_status fx__tick(fx_context *context);

/* Returns the status of a failing call from the function it stands in. */
#define FX_TRY(call)                                                                                                             \
    do {                                                                                                                         \
        fx_status fx_try_status_ = (call);                                                                                       \
        if (fx_try_status_ != FX_OK) return fx_try_status_;                                                                      \
    } while (0)

#endif
