/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dim.h: dimensions as expressions over symbols. A constant fx_dim is its own value; an expression is a handle into a table.
 * Expressions are kept in a normal form (sums of products of atoms; atoms are symbols and floordiv, mod, min, max), so that
 * two equal polynomials have equal handles. Tables only grow: a clone keeps all handles. */
#ifndef FX_IR_DIM_H
#define FX_IR_DIM_H

#include "ir/arena.h"

typedef struct fx_dims fx_dims;

typedef struct fx_sym {
    const char *name;
    int64_t lo, hi, hint, multiple;
    int16_t input, axis; /* where its value is read at entry; input -1: not bound yet */
    bool counter;        /* counts the turns of a LOOP step, which sets it; counters stand behind all other symbols */
} fx_sym;

/* An assumption somebody made; tested at entry, failing gives FX_E_GUARD. */
typedef enum fx_guard_kind { FX_GUARD_EQ, FX_GUARD_NE, FX_GUARD_LE } fx_guard_kind;
typedef struct fx_guard {
    fx_guard_kind kind;
    fx_dim a, b;
    const char *why;
} fx_guard;

FX_GIVES fx_dims *fx__dims_new(fx_context *context);
void fx__dims_free(FX_TAKES fx_dims *dims);
FX_GIVES fx_dims *fx__dims_clone(const fx_dims *dims);
int32_t fx__dims_sym_count(const fx_dims *dims);
int32_t fx__dims_param_count(const fx_dims *dims); /* of those that are no counters: they come first */
fx_sym *fx__dims_sym(fx_dims *dims, int32_t index);
int32_t fx__dims_add_sym(fx_dims *dims, const fx_sym *sym); /* -1: out of memory, or no counter behind counters */
int32_t fx__dims_guard_count(const fx_dims *dims);
const fx_guard *fx__dims_guard(const fx_dims *dims, int32_t index);
/* Records an assumption unless it is provable; false when it can never hold. */
bool fx__dims_assume(fx_dims *dims, fx_guard_kind kind, fx_dim a, fx_dim b, const char *why);

/* All of these fold constants at once and give FX_DIM_BAD on overflow, on a bad operand or when out of memory. */
fx_dim fx__dim_sym(fx_dims *dims, int32_t sym);
fx_dim fx__dim_add(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_sub(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_mul(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_floordiv(fx_dims *dims, fx_dim a, fx_dim b); /* exact polynomial division where it goes */
fx_dim fx__dim_ceildiv(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_mod(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_min(fx_dims *dims, fx_dim a, fx_dim b);
fx_dim fx__dim_max(fx_dims *dims, fx_dim a, fx_dim b);

/* Value for given symbol values; INT64_MIN on overflow. */
int64_t fx__dim_eval(const fx_dims *dims, fx_dim dim, const int64_t *sym_values);
int64_t fx__dim_hint(const fx_dims *dims, fx_dim dim);
void fx__dim_range(const fx_dims *dims, fx_dim dim, int64_t *out_lo, int64_t *out_hi);
/* The same under all assumptions recorded so far, which are tested at entry: for upper bounds of memory. */
void fx__dim_guarded_range(const fx_dims *dims, fx_dim dim, int64_t *out_lo, int64_t *out_hi);
int64_t fx__dim_multiple(const fx_dims *dims, fx_dim dim); /* a number that surely divides it; constants: themselves */
/* Provable relations; false means "not known". */
bool fx__dim_equal(const fx_dims *dims, fx_dim a, fx_dim b);
bool fx__dim_le(const fx_dims *dims, fx_dim a, fx_dim b);

/* Walks an expression for code generation: kind and operands of a handle. */
typedef enum fx_dim_op {
    FX_DIM_CONST,
    FX_DIM_SYM,
    FX_DIM_ADD,
    FX_DIM_MUL,
    FX_DIM_FLOORDIV,
    FX_DIM_MOD,
    FX_DIM_MIN,
    FX_DIM_MAX
} fx_dim_op;
typedef struct fx_dim_node {
    fx_dim_op op;
    fx_dim a, b;   /* operands (binary) */
    int64_t value; /* CONST: value; SYM: symbol index */
} fx_dim_node;
fx_dim_node fx__dim_node(const fx_dims *dims, fx_dim dim);

void fx__dim_print(const fx_dims *dims, fx_dim dim, fx_text *text); /* "s0*2 + 1" */
/* Reads what fx__dim_print wrote; advances *cursor; FX_DIM_BAD on a syntax error or an unknown symbol. */
fx_dim fx__dim_parse(fx_dims *dims, const char **cursor);

#endif
