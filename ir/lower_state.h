/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower_state.h: what stands behind fx_lower: the values of the graph and where they live. For ir/lower*.c and passes/lower.c.
 */
#ifndef FX_IR_LOWER_STATE_H
#define FX_IR_LOWER_STATE_H

#include "ir/lower.h"

/* Where a value lives: a buffer, and per buffer dim an index over the value's own dims (term.axis counts them). */
typedef struct fx_home {
    fx_type type;
    int32_t buf;
    fx_index at[FX_RANK];
} fx_home;

/* A counter of loops that turn so often; loops that do not contain each other share it, and with it their kernels' text. */
typedef struct fx_lower_counter {
    fx_dim turns;
    int32_t sym;
    bool open; /* a loop is being made */
} fx_lower_counter;

struct fx_lower {
    fx_context *context;
    fx_program *program;
    fx_home *value;
    int32_t n_value, cap_value;
    fx_map first;        /* node -> 1 + number of its first value */
    const fx_node *node; /* being lowered */
    bool constant;       /* its steps are init steps, its results CONST */
    fx_block *block;     /* of the loop being made; NULL: the program's steps, or init steps */
    fx_lower_counter *counter;
    int32_t n_counter, cap_counter;
    const char *declined;
    fx_lvalue copy_wanted; /* a home that no index can express: copy it, then try again; FX_NO_LVALUE */
};

/* New value in that home. FX_NO_LVALUE: out of memory. */
fx_lvalue fx__lower_add_value(fx_lower *lower, const fx_home *home);
/* New buffer for a value of this type, in memory order `order` (NULL: row-major), and the value. */
fx_lvalue fx__lower_add_buf(fx_lower *lower, const char *name, const fx_type *type, const int8_t *order);
/* The value's dims are the buffer's dims, in order, one to one. */
bool fx__home_is_whole(const fx_lower *lower, const fx_home *home);
/* home := home seen through view->at. false: not expressible. */
bool fx__home_compose(fx_lower *lower, const fx_home *in, const fx_view *view, fx_home *out);
/* Base and strides, in elements, over the value's dims; false: digits. */
bool fx__home_strides(const fx_lower *lower, const fx_home *home, fx_dim *out_base, fx_dim out_stride[FX_RANK]);
/* Makes a step of the current node. */
fx_step *fx__lower_add_step(fx_lower *lower, const fx_step *step);
/* A kernel that copies one value to another of the same shape. */
fx_status fx__lower_copy(fx_lower *lower, fx_lvalue from, fx_lvalue to);
/* Gives the value a buffer of its own, filled by a copy. */
fx_status fx__lower_materialise(fx_lower *lower, fx_lvalue value);

#endif
