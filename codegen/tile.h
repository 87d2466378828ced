/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile.h: what the files of the tile emitter share. A sweep is one nest of loops over reduced axes that feeds the
 * accumulators of one or more CONTRACT stages; tile_plan.c finds its loops, operands and guards, tile_rows.c cuts the rows into
 * tiles, tile_sweep.c emits the micro-kernel and tile_fetch.c its prefetches, tile.c the loops around it, tile_map.c what follows. */
#ifndef FX_CODEGEN_TILE_H
#define FX_CODEGEN_TILE_H

#include "codegen/point.h"

enum {
    TILE_STREAMS = 8,
    TILE_CONTRACTS = 4,
    TILE_CLIPS = 6,
    TILE_RUNS = 16,
    TILE_CLASSES = 12,
    TILE_ROWS = 32,
    TILE_VECS = 8,
    TILE_STAGES = 16
};

/* One distinct operand load of a sweep. Strides are in elements; 0: does not move along that axis. */
typedef struct fx_tile_stream {
    uint16_t access, expr; /* the load, in the sweep's stage `stage` */
    uint8_t stage;
    fx_dim row, vec, red[FX_REDS];
    bool general; /* strides or guards have no simpler form: every element goes through the frame's load */
} fx_tile_stream;

/* Loop bounds of reduced axis `red` follow from dim `dim` of a guarded access; point: the dim moves with no reduced axis, and a
 * point outside empties the loop. */
typedef struct fx_tile_clip {
    uint8_t stream, dim, red;
    bool point;
} fx_tile_clip;

/* One loop: reduced axes [red, red + n_red) merged, `span` steps per unit of the first. */
typedef struct fx_tile_loop {
    uint8_t red, n_red;
    fx_dim extent, span, stride[TILE_STREAMS];
} fx_tile_loop;

typedef struct fx_tile_sweep {
    uint8_t stage[TILE_CONTRACTS], n_stage;
    fx_tile_stream stream[TILE_STREAMS];
    uint8_t n_stream, operand[TILE_CONTRACTS][2];
    fx_tile_clip clip[TILE_CLIPS];
    uint8_t n_clip;
    fx_tile_loop loop[FX_REDS];
    uint8_t n_loop;
    /* A guarded dim that moves with the row: which rows are inside depends on reduced axis guard_red (-1: on none). */
    bool row_guard, row_guard_static; /* static: the rows inside are known for every tile, see fx_tile_class */
    uint8_t guard_stream, guard_dim;
    int8_t guard_red;
} fx_tile_sweep;

/* Rows [r0, r1) of a tile are inside for k in [k0, k1) of the guard's reduced axis. */
typedef struct fx_tile_run {
    int32_t k0, k1, r0, r1;
} fx_tile_run;

/* `count` consecutive tiles of equal height whose rows are inside at the same places. n_run -1: all inside. */
typedef struct fx_tile_class {
    int64_t first, count, row;
    int32_t height, n_run;
    fx_tile_run run[TILE_RUNS];
} fx_tile_class;

typedef struct fx_tile_rows {
    fx_tile_class cls[TILE_CLASSES];
    int32_t n_class;
    int64_t tiles, low, more; /* `more` tiles of low + 1 rows, then tiles of low rows */
} fx_tile_rows;

typedef enum fx_tile_pack { TILE_NO_PANEL, TILE_MAKES_PANEL, TILE_READS_PANEL } fx_tile_pack;

/* What a tile is while it is being emitted: its rows and vectors, and the accumulators of a sweep. */
typedef struct fx_tile {
    fx_frame *f;
    fx_kpoint point;              /* one copy for each vector of each row, row by row */
    int row, vec, lanes;          /* axes, -1: none */
    int height, n_vec;            /* of this tile */
    int panel;                    /* axis of B's panels, -1: none */
    LLVMValueRef number;          /* of this tile in the loop over the rows */
    LLVMValueRef in_block;        /* which panel of its block, when sched.block is set */
    fx_tile_pack pack;            /* what this tile does with B's panel in scratch */
    LLVMValueRef scratch_panel;   /* the panel: [K][nv * lanes] of the accumulator's type */
    const fx_tile_class *cls;     /* rows inside; NULL: all, or decided at run time */
    LLVMValueRef mask[TILE_VECS]; /* lanes inside the vector axis; NULL: all of them */
    LLVMValueRef zeros;           /* where rows outside point to, when that is decided at run time */
    LLVMValueRef acc[E_CARRY];    /* [contract of the sweep][row][vector] */
} fx_tile;

/* ---- tile_map.c ---------------------------------------------------------------------------------------------------------- */

void fx__tile_begin(fx_tile *tile);                            /* makes the point's copies */
void fx__tile_keep(fx_tile *tile, const fx_tile_sweep *sweep); /* sums become results of their stages */
void fx__tile_emit_map(fx_tile *tile, int stage);
/* A load of a stage at row r and vector j, whatever its index and guard. */
LLVMValueRef fx__tile_load(fx_tile *tile, int stage, uint16_t expr, int r, int j);

/* ---- tile_sweep.c -------------------------------------------------------------------------------------------------------- */

/* Emits the nest of a sweep for the tile at the row and vector coordinates entered; leaves sums in tile->acc. */
void fx__tile_emit_sweep(fx_tile *tile, const fx_tile_sweep *sweep);
/* Index of an accumulator. */
static inline int fx__tile_acc(const fx_tile *tile, int contract, int row, int vec)
{
    return (contract * tile->height + row) * tile->n_vec + vec;
}

/* ---- tile_fetch.c -------------------------------------------------------------------------------------------------------- */

/* Does the factor move along vec and not with the row? */
bool fx__tile_is_panel(const fx_tile_stream *stream);
/* The innermost axis of the order, other than row and vec, along which a factor moves that does not move with the row; -1. */
int fx__tile_panel_axis(const fx_frame *f, const fx_tile_sweep *sweep, int row, int vec);
/* Prefetches what is due with `steps` steps of the innermost loop from `index` on; base: the stream's pointer at index 0. */
void fx__tile_fetch(fx_tile *tile, const fx_tile_stream *stream, const fx_tile_loop *loop, LLVMValueRef base, LLVMValueRef index,
                    int steps);

/* ---- tile_plan.c, tile_rows.c -------------------------------------------------------------------------------------------- */

/* Fills the sweep that starts at `stage` (a CONTRACT) and swallows the siblings behind it. rows: the classes of a static row axis
 * to be filled for the sweep's guard, or NULL. False: this form has no tile (the scheduler should not have chosen it). */
bool fx__tile_plan_sweep(const fx_program *program, const fx_kernel *kernel, int stage, int row, int vec, fx_tile_rows *rows,
                         fx_tile_sweep *out);
/* Elements that a row outside is read over, inside the loop of the guard's axis; 0: too many, or not constant. */
int64_t fx__tile_zero_span(const fx_kernel *kernel, const fx_tile_sweep *sweep);
/* Cuts `rows` rows into tiles of at most mr rows, evenly, and finds the classes of the sweep's row guard. False: too many of them,
 * or nothing constant to go by; then the guard is left to run time and the classes ignore it. */
bool fx__tile_plan_rows(const fx_kernel *kernel, const fx_tile_sweep *sweep, int row, int64_t rows, int mr, fx_tile_rows *out);

#endif
