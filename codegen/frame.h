/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/frame.h: what all emitters share: one LLVM module per kernel with two functions in section .text.k_<hash>,
 *
 *     k_<hash>.body(ptr noalias arg..., [ptr error,] i64 sym..., i64 lo, i64 hi, ptr scratch)     runs chunks [lo, hi)
 *     k_<hash>(const fx_rt_job *, i64 lo, i64 hi, ptr scratch)                                     loads them from a job
 *
 * arg: the kernel's arguments in order, LOCALs left out. error: only when the kernel gathers (some access is clamped); the
 * call's error word, in a job the pointer after the last argument. sym: the kernel's symbols, ascending.
 *
 * Chunks are those at the top of passes/schedule.c. The call's chunks are a range of the task axes' iterations, walked row by
 * row: all task axes but the last are fixed, the last has a range. An emitter does
 *
 *     fx_nest nest;
 *     fx__frame_nest_begin(f, &nest, n);      enters the first n axes of f->order, tasks included
 *     ... the other axes of f->order, each over [f->begin, f->end) with a step of its own ...
 *     fx__frame_nest_end(f, &nest);
 *
 * Element offsets of all accesses are kept as partial sums that grow by one term as an axis is entered, so that an inner loop
 * adds only what changes in it. */
#ifndef FX_CODEGEN_FRAME_H
#define FX_CODEGEN_FRAME_H

#include "codegen/codegen.h"
#include "codegen/emit.h"

/* Element offset of an access: offset + sum of coef[axis] * coordinate, plus digits and gathered dims. Values are i64;
 * constants are LLVM constants. */
typedef struct fx_acc {
    LLVMValueRef offset;        /* base and all axes entered so far; gathered dims are left out */
    LLVMValueRef coef[FX_AXES]; /* NULL: does not move along the axis, or only by digits */
    uint32_t digits;            /* axes with digit terms */
    uint32_t gathered;          /* dims whose index is an expression's value */
} fx_acc;

typedef struct fx_frame {
    fx_e e;
    fx_context *context;
    const fx_program *program;
    const fx_kernel *kernel;
    fx_arena *arena;
    LLVMValueRef arg[FX_ARGS];    /* base pointers; a LOCAL with a home has its home's */
    LLVMValueRef lo, hi, scratch; /* chunks to run; this task's locals */
    LLVMValueRef error;           /* NULL when the kernel does not gather */
    LLVMValueRef *sym;            /* [program's symbols]; NULL: not used by the kernel */
    LLVMValueRef extent[FX_AXES];
    LLVMValueRef begin[FX_AXES], end[FX_AXES]; /* range of every axis in this call and row; of a TILE's row axis: its tiles */
    bool point[FX_AXES];                       /* one iteration: needs no loop */
    uint8_t order[FX_AXES], n_order;           /* sched.order; all outer axes for a kernel without a schedule */
    LLVMValueRef coord[FX_AXES];               /* coordinate inside the axis's loop; NULL outside */
    uint32_t late;                             /* axes whose digits are added where they are used (lanes and tiles) */
    fx_acc *acc;                               /* [kernel's accesses] */
    LLVMBasicBlockRef entry;                   /* dims and constants of the whole call are computed here */
    struct fx_dim_memo *memo;
    int32_t n_memo, cap_memo;
    fx_status status; /* first failure */
} fx_frame;

/* The emitter of each fx_emit; FX_E_CODEGEN with a diagnostic when the kernel is not what it can do. */
typedef fx_status (*fx_emitter)(fx_frame *f);
fx_status fx__emit_flat(fx_frame *f);
fx_status fx__emit_copy2d(fx_frame *f);
fx_status fx__emit_column(fx_frame *f);
fx_status fx__emit_row(fx_frame *f);
fx_status fx__emit_tile(fx_frame *f);
fx_status fx__emit_block(fx_frame *f);

/* Builds the module of a kernel: body and thunk. The caller emits f->e.module and then closes the frame. Not thread-safe for
 * one program (it reads the program's dims and reports to its context). */
fx_status fx__frame_build(fx_frame *f, LLVMContextRef context /* NULL: its own */, const fx_program *program,
                          const fx_kernel *kernel, const fx_target *target);
void fx__frame_close(fx_frame *f);
/* "k_<hash>" and "k_<hash>.body". */
void fx__frame_name(const fx_kernel *kernel, bool body, char out[40]);
/* Type of a kernel's body in module e; whether it takes the error word; pointers it takes. */
LLVMTypeRef fx__frame_body_type(const fx_e *e, const fx_program *program, const fx_kernel *kernel);
bool fx__frame_gathers(const fx_kernel *kernel);
/* Declares body or thunk in another module (the entry's). */
LLVMValueRef fx__frame_declare(fx_e *e, const fx_program *program, const fx_kernel *kernel, bool body);
/* Reports that an emitter cannot do this kernel. */
fx_status fx__frame_refuse(fx_frame *f, const char *why);

/* The value of a dim, i64, computed once in the entry block. */
LLVMValueRef fx__frame_dim(fx_frame *f, fx_dim dim);
/* The same at the builder's position of any function: sym[i] is symbol i. */
LLVMValueRef fx__frame_dim_value(fx_e *e, const fx_dims *dims, const LLVMValueRef *sym, fx_dim dim);
/* Number of chunks, from the extents (i64 values or constants) of the axes, at the builder's position of any function. */
LLVMValueRef fx__frame_chunk_count(fx_e *e, const fx_kernel *kernel, const LLVMValueRef *extent);

/* A loop over [f->begin, f->end) of an axis in steps; sets coord and the partial offsets. With step > 1 coord is the first of
 * the step's coordinates and the last step may reach past the end. */
typedef struct fx_axis_loop {
    fx_loop loop;
    uint8_t axis;
    bool looped;
    LLVMValueRef *saved; /* partial offsets outside */
} fx_axis_loop;
void fx__frame_axis_begin(fx_frame *f, fx_axis_loop *loop, uint8_t axis, int64_t step, int n_carry, const LLVMValueRef *init);
void fx__frame_axis_end(fx_frame *f, fx_axis_loop *loop, const LLVMValueRef *next);
/* The same without a loop: an axis at a given coordinate, for a while. */
LLVMValueRef *fx__frame_enter(fx_frame *f, uint8_t axis, LLVMValueRef coord); /* gives what leave needs */
void fx__frame_leave(fx_frame *f, uint8_t axis, LLVMValueRef *saved);

typedef struct fx_nest {
    fx_if any;
    fx_loop row;
    bool has_row;
    fx_axis_loop loop[FX_AXES];
    int n, n_outside; /* loops entered; those before the task axes */
} fx_nest;
void fx__frame_nest_begin(fx_frame *f, fx_nest *nest, int n);
void fx__frame_nest_end(fx_frame *f, fx_nest *nest);

/* ---- index.c: addresses -------------------------------------------------------------------------------------------------- */

/* Fills f->acc from the kernel's accesses. */
fx_status fx__index_open(fx_frame *f);
/* Pointer of an access that does not gather, at the coordinates entered so far. */
LLVMValueRef fx__index_ptr(fx_frame *f, uint16_t access);
/* Index into dim d of an access at coordinates (scalars or vectors), without the gathered part. */
LLVMValueRef fx__index_dim(fx_frame *f, const fx_access *access, int d, const LLVMValueRef *coord);
/* What an axis's digit terms add to the element offset at a coordinate (scalar or vector). */
LLVMValueRef fx__index_digits(fx_frame *f, const fx_access *access, uint8_t axis, LLVMValueRef coord);
/* a + b and a * b where either may be a scalar beside a vector. */
LLVMValueRef fx__index_add_wide(fx_e *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef fx__index_mul_wide(fx_e *e, LLVMValueRef a, LLVMValueRef b);
/* One dim's index as base + coef * axis without the axis's term (other axes at their coordinates): for clipping. coef 0: it
 * does not move; false: not affine along the axis or coef is not constant. */
bool fx__index_split(fx_frame *f, const fx_access *access, int d, uint8_t axis, LLVMValueRef *out_rest, int64_t *out_coef);
/* Element stride of an access along an axis where it is a constant; false otherwise. */
bool fx__index_stride(const fx_frame *f, uint16_t access, uint8_t axis, int64_t *out);
/* Whether the address, or the guard, depends on the axis (gathered indices not counted). */
bool fx__index_moves(const fx_frame *f, uint16_t access, uint8_t axis);
/* The arguments' dims and strides as values. */
LLVMValueRef fx__index_arg_dim(fx_frame *f, const fx_access *access, int d);
LLVMValueRef fx__index_arg_stride(fx_frame *f, const fx_access *access, int d);

#endif
