/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/emit.h: short words for building LLVM IR. An fx_e is one function under construction in a module and context of its
 * own; helpers e_* append at the builder's position. A value of `lanes` lanes is a vector, or a plain scalar when lanes is 1.
 * Results are not tested one by one: the module verifier is the check. Values and blocks are named after axis and stage. */
#ifndef FX_CODEGEN_EMIT_H
#define FX_CODEGEN_EMIT_H

#include "ir/target.h"
#include "runtime/scalar.h"
#include <llvm-c/Core.h>

typedef struct fx_e {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMValueRef fn;
    LLVMTypeRef ty_void, ty_ptr, ty_i1, ty_i8, ty_i16, ty_i32, ty_i64, ty_f16, ty_f32, ty_f64;
    const fx_target *target;
    bool owns_context;
    bool exact; /* neither contract nor fma: equal results on every host */
} fx_e;

/* ---- Life: a module in a context of its own ------------------------------------------------------------------------------ */
void e_open(fx_e *e, const fx_target *target, const char *name);
void e_open_in(fx_e *e, LLVMContextRef context /* NULL: its own */, const fx_target *target, const char *name);
void e_close(fx_e *e); /* disposes of builder, module (unless it was taken: set to NULL) and its own context */
/* Adds a function and puts the builder at its entry block: nounwind, noalias pointers, target attributes; section may be NULL. */
LLVMValueRef e_function(fx_e *e, const char *name, LLVMTypeRef result, const LLVMTypeRef *param, unsigned n_param,
                        const char *section);
LLVMTypeRef e_function_type(LLVMValueRef fn);

/* ---- Types: in registers bool is i1 and f16, bf16 are f32; in memory bool is a byte, bf16 is i16 ---------------------------- */
LLVMTypeRef e_type(const fx_e *e, fx_dtype dtype);
LLVMTypeRef e_mem_type(const fx_e *e, fx_dtype dtype);
LLVMTypeRef e_vec(LLVMTypeRef element, int lanes);
int e_lanes(LLVMValueRef value); /* 1 for scalars */
LLVMTypeRef e_element(LLVMValueRef value);
bool e_is_float(LLVMValueRef value);

/* ---- Constants ---------------------------------------------------------------------------------------------------------- */
LLVMValueRef e_i1(const fx_e *e, bool value);
LLVMValueRef e_i32(const fx_e *e, int32_t value);
LLVMValueRef e_i64(const fx_e *e, int64_t value);
LLVMValueRef e_real(const fx_e *e, LLVMTypeRef type, double value);     /* type f32, f64 or a vector of them */
LLVMValueRef e_integer(const fx_e *e, LLVMTypeRef type, int64_t value); /* integer or vector of integers */
LLVMValueRef e_imm(const fx_e *e, fx_dtype dtype, fx_imm value, int lanes);
LLVMValueRef e_iota(const fx_e *e, LLVMTypeRef element, int lanes); /* 0, 1, 2, ... */
bool e_const(LLVMValueRef value, int64_t *out);                     /* integer constant? */

/* ---- Lanes -------------------------------------------------------------------------------------------------------------- */
LLVMValueRef e_splat(fx_e *e, LLVMValueRef scalar, int lanes); /* vectors are returned as they are */
LLVMValueRef e_extract(fx_e *e, LLVMValueRef vector, int lane);
LLVMValueRef e_shuffle(fx_e *e, LLVMValueRef a, LLVMValueRef b, const int *index, int n); /* -1: any lane */
LLVMValueRef e_mask_first(fx_e *e, int lanes, LLVMValueRef n);                            /* lanes below n (i64) */

/* ---- Memory: pointers count elements of a memory type; alignment is the element's unless stated -------------------------- */
LLVMValueRef e_at(fx_e *e, LLVMTypeRef element, LLVMValueRef ptr, LLVMValueRef index);
LLVMValueRef e_at_bytes(fx_e *e, LLVMValueRef ptr, LLVMValueRef bytes);
LLVMValueRef e_field(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr, size_t byte_offset); /* loads a struct's field */
LLVMValueRef e_load(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr);
void e_store(fx_e *e, LLVMValueRef value, LLVMValueRef ptr);
LLVMValueRef e_load_masked(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr, LLVMValueRef mask, LLVMValueRef other);
void e_store_masked(fx_e *e, LLVMValueRef value, LLVMValueRef ptr, LLVMValueRef mask);
/* ptrs: vector of pointers. */
LLVMValueRef e_gather(fx_e *e, LLVMTypeRef type, LLVMValueRef ptrs, LLVMValueRef mask, LLVMValueRef other);
void e_scatter(fx_e *e, LLVMValueRef value, LLVMValueRef ptrs, LLVMValueRef mask);
LLVMValueRef e_alloca(fx_e *e, LLVMTypeRef type, const char *name); /* in the entry block */

/* ---- Arithmetic: operands of equal type. Integer helpers are for addresses (no wrap) and drop x+0, x*1, x*0. --------------- */
LLVMValueRef e_add(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_sub(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_mul(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_min(fx_e *e, LLVMValueRef a, LLVMValueRef b); /* signed */
LLVMValueRef e_max(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_floordiv(fx_e *e, LLVMValueRef a, LLVMValueRef b); /* b > 0 */
LLVMValueRef e_ceildiv(fx_e *e, LLVMValueRef a, LLVMValueRef b);  /* b > 0 */
LLVMValueRef e_floormod(fx_e *e, LLVMValueRef a, LLVMValueRef b); /* b > 0 */
LLVMValueRef e_fadd(fx_e *e, LLVMValueRef a, LLVMValueRef b);     /* floats: `contract` unless exact */
LLVMValueRef e_fsub(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_fmul(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_fdiv(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_fma(fx_e *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c); /* a * b + c; rounds twice when exact or without fma */
LLVMValueRef e_icmp(fx_e *e, LLVMIntPredicate predicate, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef e_select(fx_e *e, LLVMValueRef condition, LLVMValueRef a, LLVMValueRef b); /* a scalar condition may choose vectors */
LLVMValueRef e_and(fx_e *e, LLVMValueRef a, LLVMValueRef b);                            /* NULL: all true */
/* "llvm.fma" with its overload types; n_type 0: none. */
LLVMValueRef e_intrinsic(fx_e *e, const char *name, const LLVMTypeRef *type, unsigned n_type, const LLVMValueRef *arg,
                         unsigned n_arg);
LLVMValueRef e_intrinsic1(fx_e *e, const char *name, LLVMValueRef a); /* overloaded on a's type */

/* ---- Control ------------------------------------------------------------------------------------------------------------ */
LLVMBasicBlockRef e_block(fx_e *e, const char *format, ...) FX_PRINTF(2, 3);
LLVMBasicBlockRef e_here(const fx_e *e);
void e_goto(fx_e *e, LLVMBasicBlockRef block); /* branches there */
void e_put(fx_e *e, LLVMBasicBlockRef block);  /* builder at its end */
void e_branch(fx_e *e, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
LLVMValueRef e_phi2(fx_e *e, LLVMValueRef a, LLVMBasicBlockRef from_a, LLVMValueRef b, LLVMBasicBlockRef from_b);

/* A counted loop, bottom-tested; a test in front keeps it from running when begin >= end (left out where constants tell).
 *     fx_loop l = e_loop_begin(e, "k", begin, end, 1, 2, init);   l.index, l.carry[i]: values inside the body
 *     e_loop_end(e, &l, next);                                    l.carry[i]: values after the loop */
enum { E_CARRY = 48 };
typedef struct fx_loop {
    LLVMValueRef index, end, carry[E_CARRY], init[E_CARRY];
    LLVMBasicBlockRef before, body, after; /* before: NULL when no test was needed */
    int64_t step;
    int n_carry;
} fx_loop;
fx_loop e_loop_begin(fx_e *e, const char *name, LLVMValueRef begin, LLVMValueRef end, int64_t step, int n_carry,
                     const LLVMValueRef *init);
void e_loop_end(fx_e *e, fx_loop *loop, const LLVMValueRef *next);

/* Runs what follows only if condition holds; no code for a constant true. */
typedef struct fx_if {
    LLVMBasicBlockRef after;
} fx_if;
fx_if e_if_begin(fx_e *e, const char *name, LLVMValueRef condition);
void e_if_end(fx_e *e, fx_if *branch);

#endif
