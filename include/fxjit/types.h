/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/types.h: the words every other header uses: element types, status codes, tensors, dimensions,
 * the context that owns diagnostics and memory, and the ownership marks of prototypes. */
#ifndef FXJIT_TYPES_H
#define FXJIT_TYPES_H

#include "fxjit/literal.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FX_API __attribute__((visibility("default")))
#define FX_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define FX_API
#define FX_PRINTF(text, first)
#endif

/* Ownership marks. They expand to nothing and are read by people.
 *   FX_GIVES  the caller owns the result and frees it with the type's _free function.
 *   FX_TAKES  the callee owns the argument from now on, also when it fails.
 *   FX_KEEPS  the argument is borrowed for the call only. Unmarked pointers are FX_KEEPS. */
#define FX_GIVES
#define FX_TAKES
#define FX_KEEPS

/* Highest number of dimensions of a tensor. */
#define FX_RANK 8

/* Element types: enumerator, name in fxjit's texts, name in torch, bytes per element. */
#define FX_DTYPE_MAP(X)                                                                                                          \
    X(F16, "f16", "torch.float16", 2)                                                                                            \
    X(F32, "f32", "torch.float32", 4)                                                                                            \
    X(F64, "f64", "torch.float64", 8)                                                                                            \
    X(BF16, "bf16", "torch.bfloat16", 2)                                                                                         \
    X(I8, "i8", "torch.int8", 1)                                                                                                 \
    X(I16, "i16", "torch.int16", 2)                                                                                              \
    X(I32, "i32", "torch.int32", 4)                                                                                              \
    X(I64, "i64", "torch.int64", 8)                                                                                              \
    X(U8, "u8", "torch.uint8", 1)                                                                                                \
    X(U16, "u16", "torch.uint16", 2)                                                                                             \
    X(U32, "u32", "torch.uint32", 4)                                                                                             \
    X(U64, "u64", "torch.uint64", 8)                                                                                             \
    X(BOOL, "bool", "torch.bool", 1)

typedef enum fx_dtype {
#define FX_DTYPE_ENUM(name, text, torch, bytes) FX_##name,
    FX_DTYPE_MAP(FX_DTYPE_ENUM)
#undef FX_DTYPE_ENUM
        FX_DTYPE_COUNT
} fx_dtype;

/* Bytes of one element; 0 for a value that is no fx_dtype. */
FX_API size_t fx_dtype_bytes(fx_dtype dtype);
/* "f32"; "?" for a value that is no fx_dtype. */
FX_API const char *fx_dtype_name(fx_dtype dtype);
/* "torch.float32". */
FX_API const char *fx_dtype_torch_name(fx_dtype dtype);
/* Reads either name. False and *out_dtype untouched when the text names no dtype. */
FX_API bool fx_dtype_parse(const char *text, fx_dtype *out_dtype);
FX_API bool fx_dtype_is_float(fx_dtype dtype);
FX_API bool fx_dtype_is_signed(fx_dtype dtype); /* floats and i8..i64 */
FX_API bool fx_dtype_is_int(fx_dtype dtype);    /* i8..i64, u8..u64; not bool */

/* Status codes: enumerator, value, sentence. The values are part of the run-time ABI. */
#define FX_STATUS_MAP(X)                                                                                                         \
    X(OK, 0, "success")                                                                                                          \
    X(E_ARG, 1, "invalid argument")                                                                                              \
    X(E_OOM, 2, "out of memory")                                                                                                 \
    X(E_IO, 3, "input or output failed")                                                                                         \
    X(E_FORMAT, 4, "malformed file or text")                                                                                     \
    X(E_TYPE, 5, "wrong element type")                                                                                           \
    X(E_SHAPE, 6, "wrong shape")                                                                                                 \
    X(E_UNSUPPORTED, 7, "not supported")                                                                                         \
    X(E_NOT_FOUND, 8, "not found")                                                                                               \
    X(E_GRAPH, 9, "ill-formed graph")                                                                                            \
    X(E_GUARD, 10, "a size breaks an assumption of the compiled code, or an assertion of the graph fails")                       \
    X(E_INDEX, 11, "an index lies outside its dimension")                                                                        \
    X(E_ALIAS, 12, "input and output memory overlap")                                                                            \
    X(E_CODEGEN, 13, "code generation failed")                                                                                   \
    X(E_INTERNAL, 14, "internal error")                                                                                          \
    X(E_CANCELLED, 15, "cancelled by its progress callback")

typedef enum fx_status {
#define FX_STATUS_ENUM(name, value, text) FX_##name = value,
    FX_STATUS_MAP(FX_STATUS_ENUM)
#undef FX_STATUS_ENUM
} fx_status;

/* The sentence of a status; "unknown status" otherwise. */
FX_API const char *fx_status_text(fx_status status);
/* The one of `names` [n] that differs from `word` in the fewest letters, for messages; NULL: none is like it. Thread-safe. */
FX_API const char *fx_nearest_word(const char *word, const char *const *names, int32_t n);

/* A tensor is a view: whoever made the memory owns it. Strides count elements and may be 0 (expanded) or negative (flipped).
 * A tensor of rank 0 has one element. A dimension may be 0. */
typedef struct fx_tensor {
    void *data;
    fx_dtype dtype;
    int32_t rank;
    int64_t dim[FX_RANK];
    int64_t stride[FX_RANK];
} fx_tensor;

/* Describes row-major memory: strides follow from dim. data may be NULL (a description without memory). */
FX_API fx_tensor fx_tensor_view(void *data, fx_dtype dtype, int32_t rank, const int64_t *dim);
/* Fills *out with new 64-byte-aligned, zeroed, row-major memory that fx_tensor_release frees.
 * FX_E_SHAPE when the size overflows, FX_E_OOM, FX_E_ARG for a bad dtype or rank. */
FX_API fx_status fx_tensor_alloc(fx_dtype dtype, int32_t rank, const int64_t *dim, FX_GIVES fx_tensor *out);
/* Frees what fx_tensor_alloc made and clears the pointer; other memory must not be given here. */
FX_API void fx_tensor_release(FX_TAKES fx_tensor *tensor);
/* Product of the dimensions; -1 when it overflows or a dimension is negative. */
FX_API int64_t fx_tensor_elems(const fx_tensor *tensor);
/* Bytes of the elements when packed; -1 on overflow. */
FX_API int64_t fx_tensor_bytes(const fx_tensor *tensor);
FX_API bool fx_tensor_is_contiguous(const fx_tensor *tensor);
/* Copies element by element between any strides; dtypes and dims must be equal (else FX_E_TYPE, FX_E_SHAPE). */
FX_API fx_status fx_tensor_copy(fx_tensor *to, const fx_tensor *from);
/* Reads or writes one element as double (integers above 2^53 round); index counts row-major elements. */
FX_API double fx_tensor_get(const fx_tensor *tensor, int64_t index);
FX_API void fx_tensor_set(fx_tensor *tensor, int64_t index, double value);

/* A dimension: a constant is its own value; an expression over symbols is a handle below FX_DIM_EXPR that only the
 * graph's dimension table can read (fx_graph_dim_text, fx_graph_dim_hint). */
typedef int64_t fx_dim;
#define FX_DIM_EXPR (-(INT64_C(1) << 62))
#define FX_DIM_BAD INT64_MIN /* overflow or out of memory: refused by every shape rule */
static inline bool fx_dim_is_const(fx_dim dim) { return dim >= FX_DIM_EXPR; }

/* What is known of a value before it exists. */
typedef struct fx_type {
    fx_dtype dtype;
    int32_t rank;
    fx_dim dim[FX_RANK];
} fx_type;

/* A context owns diagnostics and interned strings; everything made from it must be freed before it.
 * One thread at a time may use a context; different contexts are independent. */
typedef struct fx_context fx_context;

/* Memory hooks: all memory of a context comes from here. alloc returns 16-byte-aligned memory or NULL. */
typedef struct fx_allocator {
    void *(*alloc)(void *user, size_t bytes);
    void (*free)(void *user, void *memory, size_t bytes);
    void *user;
} fx_allocator;

FX_API FX_GIVES fx_context *fx_context_new(void);                             /* malloc and free; NULL when out of memory */
FX_API FX_GIVES fx_context *fx_context_new_with(const fx_allocator *allocator); /* the hooks must outlive the context */
FX_API void fx_context_free(FX_TAKES fx_context *context);

/* Diagnostics, oldest first: "error: what; operator, node, where it was traced, actual, expected" and notes. */
typedef enum fx_severity { FX_NOTE, FX_WARNING, FX_ERROR } fx_severity;
FX_API int32_t fx_context_diag_count(const fx_context *context);
FX_API const char *fx_context_diag(const fx_context *context, int32_t index, fx_severity *out_severity); /* valid until cleared */
FX_API fx_status fx_context_status(const fx_context *context); /* status of the first error since the last clear; FX_OK if none */
FX_API void fx_context_clear(fx_context *context);
FX_API void fx_context_print(const fx_context *context, FILE *out); /* one line per diagnostic */

/* "0.1.0" */
FX_API const char *fx_version(void);

#ifdef __cplusplus
}
#endif
#endif
