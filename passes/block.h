/* SPDX-License-Identifier: Apache-2.0 */
/* passes/block.h: kernels that a block of rows goes through: contractions whose columns are an inner axis, and row stages between
 * them (attention: scores, softmax, mean of the values). What fuse, algo and schedule must agree on. */
#ifndef FX_PASSES_BLOCK_H
#define FX_PASSES_BLOCK_H

#include "passes/tile.h"

/* The last outer axis counts rows. A group is a contraction with the MAPs over its columns, or the row stages between two such. */
typedef struct fx_block_group {
    uint8_t first, last; /* stages [first, last) */
    bool contracts;
    uint8_t columns;    /* contraction: its inner axis */
    uint16_t b, b_expr; /* contraction: the access that moves along the columns and not along the rows, and its LOAD */
    int64_t panel;      /* contraction: b is read from panels of so many columns, at the digits of the column; 0: it is not */
} fx_block_group;

enum { FX_BLOCK_GROUPS = 8 };
typedef struct fx_block_roles {
    fx_block_group group[FX_BLOCK_GROUPS];
    int n_group;
    uint8_t row;   /* outer axis */
    uint8_t sweep; /* axis along which all row stages run; FX_NO_AXIS: there are none */
} fx_block_roles;

/* False: the kernel is not of this form. fx__block_reads asks less: a part of such a kernel. */
bool fx__block_reads(const fx_program *program, const fx_kernel *kernel, fx_block_roles *out);
bool fx__block_roles(const fx_program *program, const fx_kernel *kernel, fx_block_roles *out);
/* The register tile of all its contractions: the best one for most columns, as wide as the panels where there are some. */
fx_tile fx__block_tile(const fx_target *target, const fx_program *program, const fx_kernel *kernel, const fx_block_roles *roles);

#endif
