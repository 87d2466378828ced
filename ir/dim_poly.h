/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim_poly.h: inside of ir/dim*.c only: the table's structure and flat polynomials on the stack. */
#ifndef FX_IR_DIM_POLY_H
#define FX_IR_DIM_POLY_H

#include "ir/dim.h"

/* Larger expressions are refused with FX_DIM_BAD: sizes of tensors of rank FX_RANK stay far below. */
enum { FX_POLY_TERMS = 32, FX_POLY_DEGREE = 16 };

struct fx_dims {
    fx_arena *arena;
    fx_sym *sym;
    int32_t n_sym, cap_sym;
    fx_guard *guard;
    int32_t n_guard, cap_guard;
    fx_dim_node *node; /* handle = FX_DIM_BAD + 1 + index */
    int32_t n_node, cap_node;
    int32_t *slot; /* hash table of index + 1; 0: empty; a power of two */
    int32_t n_slot;
};

/* coef * product of atoms (sorted by fx__dim_order, repeated for powers). */
typedef struct fx_mono {
    int64_t coef;
    int32_t n;
    fx_dim atom[FX_POLY_DEGREE];
} fx_mono;
/* Sum of terms, highest degree first; no two alike, no coefficient 0. */
typedef struct fx_poly {
    int32_t n;
    bool bad; /* overflow or too large */
    fx_mono term[FX_POLY_TERMS];
} fx_poly;

int64_t fx__dim_gcd(int64_t a, int64_t b);
int64_t fx__dim_floor(int64_t a, int64_t b);
fx_dim fx__dim_intern(fx_dims *dims, fx_dim_op op, fx_dim a, fx_dim b, int64_t value);
/* Total order by structure, the same in every table that holds both: < 0, 0, > 0. */
int fx__dim_order(const fx_dims *dims, fx_dim a, fx_dim b);

fx_poly fx__poly_of(const fx_dims *dims, fx_dim dim);
void fx__poly_add(const fx_dims *dims, fx_poly *sum, const fx_poly *other, int64_t factor);
void fx__poly_mul(const fx_dims *dims, const fx_poly *a, const fx_poly *b, fx_poly *out);
/* a = q * b + r as integers, for every value of the symbols; r holds what does not divide. */
void fx__poly_divide(fx_dims *dims, const fx_poly *a, const fx_poly *b, fx_poly *q, fx_poly *r);
/* Bounds; -INT64_MAX and INT64_MAX stand for "unbounded". */
void fx__poly_range(const fx_dims *dims, const fx_poly *p, int64_t *out_lo, int64_t *out_hi);
bool fx__poly_not_negative(const fx_dims *dims, const fx_poly *p); /* provably, for all values of the symbols */
int64_t fx__mono_multiple(const fx_dims *dims, const fx_mono *term);
fx_dim fx__poly_build(fx_dims *dims, fx_poly *p);

#endif
