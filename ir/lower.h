/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower.h: what an operator's `view` and `lower` hooks use. A hook speaks of values in their own logical dims; where a value
 * lives, in which order and behind how many views, is the lowerer's business.
 *
 *     static fx_status lower_softmax(fx_lower *lw, const fx_call *call)   // over the last of two dims
 *     {
 *         const fx_type *x = fx__call_type(call, 0);
 *         fx_kb *k = fx__lower_kernel(lw, call);
 *         uint8_t i = fx__kb_axis(k, "i", x->dim[0], true), j = fx__kb_axis(k, "j", x->dim[1], false);
 *         fx_index at[2] = {fx__index_axis(i), fx__index_axis(j)};
 *         fx__kb_reduce(k, "m", FX_COMBINE_MAX, &j, 1, fx__kb_load(k, 0, at));          // one stage ...
 *         ...
 *         return fx__kb_finish(k);
 *     }
 *
 * Errors are sticky: after the first one every call does nothing and fx__kb_finish returns it. */
#ifndef FX_IR_LOWER_H
#define FX_IR_LOWER_H

#include "ir/kir.h"
#include "ir/op.h"

/* ---- Views: at[d] is the index into dim d of argument 0, over the dims of the result (term.axis counts result dims). -------- */
struct fx_view {
    fx_dims *dims;
    const fx_type *in, *out;
    fx_index at[FX_RANK];
};
/* Row-major renumbering from out's dims to in's dims, with digits only where needed. FX_E_UNSUPPORTED when not expressible. */
fx_status fx__view_reshape(fx_view *view);

/* ---- Kernels ------------------------------------------------------------------------------------------------------------ */

typedef struct fx_kb fx_kb; /* a kernel under construction */
typedef int32_t fx_lvalue;  /* a value the lowerer knows */
#define FX_NO_LVALUE (-1)

/* Says why this node is not lowered; the node becomes a CALL step and the report shows the reason. Returns FX_E_UNSUPPORTED. */
fx_status fx__lower_decline(fx_lower *lower, const char *format, ...) FX_PRINTF(2, 3);
fx_dims *fx__lower_dims(fx_lower *lower);
fx_arena *fx__lower_arena(fx_lower *lower);
/* The value of a tensor argument, of element i of a tensor-list argument, of a result. */
fx_lvalue fx__lower_arg(fx_lower *lower, const fx_call *call, int32_t index);
fx_lvalue fx__lower_list_arg(fx_lower *lower, const fx_call *call, int32_t index, int32_t i);
fx_lvalue fx__lower_result(fx_lower *lower, const fx_call *call, int32_t result);
/* An intermediate value between two kernels of one operator. */
fx_lvalue fx__lower_temp(fx_lower *lower, const char *name, const fx_type *type);
/* A small constant table (e.g. window bounds): copied. */
fx_lvalue fx__lower_table(fx_lower *lower, const char *name, const fx_type *type, const void *data);

/* Starts a kernel for the node of call. Several kernels may be made one after the other. */
fx_kb *fx__lower_kernel(fx_lower *lower, const fx_call *call);
uint8_t fx__kb_axis(fx_kb *k, const char *name, fx_dim extent, bool outer); /* outer axes first */

/* Expressions collect in the current stage: the stage is closed by reduce, contract, or the first store after them, see below. */
uint16_t fx__kb_load(fx_kb *k, fx_lvalue value, const fx_index *at);                      /* one index per logical dim */
uint16_t fx__kb_load_guarded(fx_kb *k, fx_lvalue value, const fx_index *at, double fill); /* fill where outside */
uint16_t fx__kb_load_gather(fx_kb *k, fx_lvalue value, const fx_index *at); /* indices hold .value; clamped and reported */
uint16_t fx__kb_imm(fx_kb *k, fx_dtype dtype, double value);
uint16_t fx__kb_imm_int(fx_kb *k, fx_dtype dtype, int64_t value);
uint16_t fx__kb_coord(fx_kb *k, uint8_t axis);              /* i64 */
uint16_t fx__kb_dim(fx_kb *k, fx_dim dim);                  /* i64 value of a size */
uint16_t fx__kb_cast(fx_kb *k, fx_dtype dtype, uint16_t a); /* no-op when equal */
uint16_t fx__kb_scalar(fx_kb *k, fx_scalar_op op, uint16_t a,
                       uint16_t b); /* dtype of a; bool for comparisons; b: FX_NO_EXPR for unary */
uint16_t fx__kb_select(fx_kb *k, uint16_t condition, uint16_t a, uint16_t b);
fx_dtype fx__kb_dtype(const fx_kb *k, uint16_t expr);

/* Stages. inner axes are those of the current value besides the outer ones. A stage's result is an expression of every later stage
 * that runs at the same point and inner axes. */
typedef struct fx_kresult {
    int16_t stage; /* -1: error */
} fx_kresult;
/* Begins a MAP stage over these inner axes (call it before the first expression; without a call the MAP has no inner axes). */
void fx__kb_map(fx_kb *k, const uint8_t *inner, uint8_t n_inner);
/* Ends the current stage as a REDUCE of expression e. inner axes as given to the fx__kb_map that began it. The accumulator's type
 * follows e: f32 for f16 and bf16. */
fx_kresult fx__kb_reduce(fx_kb *k, const char *name, fx_combine combine, const uint8_t *red, uint8_t n_red, uint16_t e);
/* Ends the current stage as a running REDUCE along one axis: each step's result is left in a local of that axis. */
void fx__kb_scan(fx_kb *k, const char *name, fx_combine combine, uint8_t red, uint16_t e, int local);
/* Ends the current stage as a CONTRACT: sum over red of a * b, both loads (casts allowed). */
fx_kresult fx__kb_contract(fx_kb *k, const char *name, const uint8_t *red, uint8_t n_red, uint16_t a, uint16_t b);
/* The result of an earlier stage as an expression of the current one. */
uint16_t fx__kb_result(fx_kb *k, fx_kresult result);
/* A local: scratch of one point, with dims = extents of these inner axes. */
int fx__kb_local(fx_kb *k, const char *name, fx_dtype dtype, const uint8_t *inner, uint8_t n_inner);
void fx__kb_store_local(fx_kb *k, int local, const fx_index *at, uint16_t e);
uint16_t fx__kb_load_local(fx_kb *k, int local, const fx_index *at);
/* Stores e (converted to the value's dtype) at a logical index of a result or temp. Stays in the current MAP stage. */
void fx__kb_store(fx_kb *k, fx_lvalue value, const fx_index *at, uint16_t e);
void fx__kb_store_guarded(fx_kb *k, fx_lvalue value, const fx_index *at, uint16_t e); /* points outside are skipped */
/* Ends the kernel, adds it to the program with a RUN step. */
fx_status fx__kb_finish(fx_kb *k);

/* ---- Loops, assertions --------------------------------------------------------------------------------------------------- */

/* Between begin and end, kernels are steps of the body. fx_lower_loop is no more than memory for the two.
 *
 *     fx_dim turn = fx__lower_loop_begin(lw, turns, &loop);                 // 0 <= turn < turns: indices may be made of it
 *     fx_lvalue next = fx__lower_loop_carry(lw, &loop, now);                // `now`: a temp that steps before have filled
 *     ... kernels that read `now` and store `next` ...
 *     FX_TRY(fx__lower_loop_end(lw, &loop));                                // `now`: the last turn's value */
typedef struct fx_lower_loop {
    fx_step step;
    fx_block *outer;
    bool once; /* no loop at all */
    fx_lvalue *now, *next;
    int32_t n_carry, cap_now, cap_next;
} fx_lower_loop;
fx_dim fx__lower_loop_begin(fx_lower *lower, fx_dim turns, fx_lower_loop *out); /* FX_DIM_BAD: out of memory */
/* No more turns than this value, a number that earlier steps have stored, says. A loop of one turn makes it whatever the value is. */
void fx__lower_loop_times(const fx_lower *lower, fx_lower_loop *loop, fx_lvalue turns);
fx_lvalue fx__lower_loop_carry(fx_lower *lower, fx_lower_loop *loop, fx_lvalue now);
fx_status fx__lower_loop_end(fx_lower *lower, fx_lower_loop *loop);
/* A temp of the same shape, filled from `value`. */
fx_lvalue fx__lower_copy_of(fx_lower *lower, const char *name, fx_lvalue value, fx_dtype dtype);
/* The run ends with FX_E_GUARD where this value, one element, is zero. */
fx_status fx__lower_assert(fx_lower *lower, fx_lvalue condition, const char *message);
/* This value is the node's result: without a copy where it may stay where it is. */
fx_status fx__lower_give(fx_lower *lower, const fx_call *call, int32_t result, fx_lvalue value);

/* ---- Element-wise operators (ir/ops/pointwise_lower.c): one outer axis per dim of result 0 -------------------------------- */

typedef struct fx_pw {
    fx_lower *lower;
    const fx_call *call;
    fx_kb *k;
    fx_index at[FX_RANK]; /* of result 0 */
} fx_pw;
fx_pw fx__pw_begin(fx_lower *lower, const fx_call *call);
/* Argument `index`, a tensor (broadcast to the result) or a number, converted to dtype. */
uint16_t fx__pw_operand(const fx_pw *pw, int32_t index, fx_dtype dtype);
uint16_t fx__pw_number(const fx_pw *pw, fx_dtype dtype, double value);
/* Stores e as result 0 and ends the kernel. */
fx_status fx__pw_finish(const fx_pw *pw, uint16_t e);
/* Rows of scalar.def: result = op(cast(arg0), cast(arg1)) with broadcasting. */
fx_status fx__lower_scalar(fx_lower *lower, const fx_call *call);

#endif
