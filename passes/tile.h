/* SPDX-License-Identifier: Apache-2.0 */
/* passes/tile.h: what algo (which packs panels) and schedule (which sets tiles) must agree on: the roles of a contraction's
 * factors and axes, and the size of the register tile. */
#ifndef FX_PASSES_TILE_H
#define FX_PASSES_TILE_H

#include "ir/kir.h"
#include "ir/target.h"

/* Stage 0 is a CONTRACT: B is the factor along whose own axis the result is stored with stride 1. */
enum { FX_SIBLINGS = 3 };
typedef struct fx_roles {
    uint16_t a, b;    /* accesses */
    uint16_t b_expr;  /* the LOAD of B in stage 0 */
    uint16_t store;   /* access of the last stage's first store */
    uint8_t vec, row; /* row FX_NO_AXIS: the tile has one row */
    bool in_a[FX_AXES], in_b[FX_AXES];
    /* CONTRACTs that read the same A over the same axes run in one sweep: stages 0 to contracts - 1, each with a B of its own. */
    uint8_t contracts;
    uint16_t sibling_b[FX_SIBLINGS], sibling_expr[FX_SIBLINGS]; /* of stages 1, 2, ... */
} fx_roles;

/* False: no register tile serves this contraction (no such axis, or it is written with inner axes). */
bool fx__tile_roles(const fx_program *program, const fx_kernel *kernel, fx_roles *out);
/* Does the first tile of rows make panels of B in scratch for the others? Where B lies in rows as the result does, is too large for
 * the second-level cache and is not constant: its strips are then read from afar once, not for every tile of rows. */
bool fx__tile_makes_panels(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_roles *roles);

typedef struct fx_tile {
    int32_t mr, nv;
    double cycles; /* per step of K, for all rows and columns */
} fx_tile;
/* What a tile is chosen by; sizes at the hints. */
typedef struct fx_tile_task {
    int32_t lanes;
    int64_t rows, columns; /* of the row axis (1: there is none) and of vec; other axes are no concern of the tile */
    int64_t row_bytes;     /* from one row of A to the next */
    int32_t contracts;     /* in one sweep */
    bool window;           /* A is read through a guard or at a sum of axes, as convolutions do: narrow tiles */
    bool far_rows;         /* rows of A lie a size apart that is known at run time only: each needs a pointer of its own */
} fx_tile_task;
fx_tile_task fx__tile_task(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_roles *roles);
/* The best tile; nv fixed when it is not 0. */
fx_tile fx__tile_choose(const fx_target *target, const fx_tile_task *task, int32_t nv);

#endif
