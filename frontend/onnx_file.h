/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/onnx_file.h: an ONNX file as structures. Names are interned in the context; tensor data stays where it lies in the
 * file until somebody reads the tensor. Subgraphs are kept as spans, so nesting costs nothing and never recurses. */
#ifndef FX_FRONTEND_ONNX_FILE_H
#define FX_FRONTEND_ONNX_FILE_H

#include "frontend/wire.h"
#include "fxjit/types.h"
#include "ir/arena.h"

/* TensorProto.DataType and the like, by the file's numbers. */
enum { FX_ONNX_STRING = 8, FX_ONNX_TYPE_COUNT = 27 };

typedef struct fx_onnx_tensor {
    const char *name; /* "" when it has none */
    int32_t type;     /* ONNX element type */
    int32_t rank;     /* above FX_RANK: too many dimensions */
    int64_t dim[FX_RANK];
    bool has_raw, external;
    fx_wire raw;
    fx_wire message; /* the whole TensorProto, for typed data fields */
    const char *location;
    int64_t offset, length; /* external; length -1: to what the shape demands */
} fx_onnx_tensor;

typedef enum fx_onnx_attr_type {
    FX_ONNX_FLOAT = 1,
    FX_ONNX_INT = 2,
    FX_ONNX_TEXT = 3,
    FX_ONNX_TENSOR = 4,
    FX_ONNX_GRAPH = 5,
    FX_ONNX_FLOATS = 6,
    FX_ONNX_INTS = 7,
    FX_ONNX_TEXTS = 8
} fx_onnx_attr_type;

typedef struct fx_onnx_attr {
    const char *name;
    int32_t type; /* 0 in old files: told by the field that is set */
    double f;
    int64_t i;
    const char *s;
    const char *ref; /* inside a function: the call's attribute of this name, if not "" */
    fx_wire message; /* tensor or graph */
    int32_t n, cap;  /* of ints or floats */
    int64_t *ints;
    double *floats;
    const char **strings;
    int32_t n_strings, cap_strings;
} fx_onnx_attr;

typedef struct fx_onnx_node {
    const char *name, *op, *domain;
    const char **inputs, **outputs; /* "" is an absent optional one */
    int32_t n_inputs, n_outputs, n_attrs;
    int32_t cap_inputs, cap_outputs, cap_attrs;
    fx_onnx_attr *attrs;
} fx_onnx_node;

/* A graph input or output. */
typedef struct fx_onnx_value {
    const char *name;
    bool is_tensor;
    int32_t type;
    int32_t rank;               /* -1: unknown; above FX_RANK: too many */
    int64_t dim[FX_RANK];       /* -1: unknown or named */
    const char *param[FX_RANK]; /* name of a symbolic dimension or NULL */
} fx_onnx_value;

typedef struct fx_onnx_graph {
    const char *name;
    fx_onnx_node *nodes;
    fx_onnx_tensor *tensors;
    fx_onnx_value *inputs, *outputs;
    int32_t n_nodes, n_tensors, n_inputs, n_outputs;
    int32_t cap_nodes, cap_tensors, cap_inputs, cap_outputs;
    bool has_sparse;
} fx_onnx_graph;

/* A function of the file: its body has names of its own. */
typedef struct fx_onnx_function {
    const char *name, *domain;
    const char **inputs, **outputs;
    int32_t n_inputs, n_outputs, cap_inputs, cap_outputs;
    fx_onnx_node defaults; /* attributes that have some */
    fx_onnx_graph body;    /* nodes only */
    int64_t opset;         /* of the default domain; 0: not stated */
} fx_onnx_function;

typedef struct fx_onnx_model {
    int64_t ir_version;
    int64_t opset; /* of the default domain; 0: not stated */
    bool has_graph;
    fx_onnx_graph graph;
    fx_onnx_function *functions;
    int32_t n_functions, cap_functions;
} fx_onnx_model;

/* Decodes everything but tensor data. FX_E_FORMAT with the byte offset of the damage, FX_E_OOM. */
fx_status fx__onnx_file_decode(fx_arena *arena, const char *file, const void *data, size_t bytes, fx_onnx_model *out);
/* Decodes the graph that an attribute holds. */
fx_status fx__onnx_file_graph(fx_arena *arena, const char *file, fx_wire message, fx_onnx_graph *out);
/* Decodes one TensorProto. */
fx_status fx__onnx_file_tensor(fx_arena *arena, const char *file, fx_wire message, fx_onnx_tensor *out);
/* "float32", "string", "float8e4m3fn"; "?" for a number that is no type. */
const char *fx__onnx_type_name(int32_t type);
/* False when fxjit has no such element type. */
bool fx__onnx_dtype(int32_t type, fx_dtype *out_dtype);

#endif
