/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/onnx.h: what an ONNX adapter sees. An adapter translates one node: it reads inputs and attributes through the
 * functions below and builds nodes with ATen targets. Values pass as fx_attr: a node, or none for an absent optional input and
 * after an error; builders pass none through, so an adapter needs no tests of its own.
 *
 * Integers that say shapes (constants, results of Shape and of arithmetic on them) are known while importing, also when they
 * hold symbols: fx__onnx_known. They become tensors only when a node needs them as data. */
#ifndef FX_FRONTEND_ONNX_H
#define FX_FRONTEND_ONNX_H

#include "frontend/onnx_file.h"
#include "frontend/onnx_tensor.h"
#include "fxjit/compile.h"
#include "ir/graph.h"

enum { FX_ONNX_KNOWN = 256 }; /* longest list of known integers */

typedef struct fx_onnx_known {
    fx_dtype dtype; /* FX_I64, FX_I32 or FX_BOOL */
    int32_t rank;   /* 0 or 1 */
    int32_t n;
    fx_dim *item;
} fx_onnx_known;

typedef struct fx_onnx_fill {
    fx_type type;
    double value;
} fx_onnx_fill;

/* A named value of the file. */
typedef struct fx_onnx_slot {
    const char *name;
    int32_t producer; /* index of the node that gives it; -1: input or initializer */
    bool failed;      /* its producer was reported: users keep silent */
    bool absent;      /* an input that a call leaves out */
    fx_node *node;    /* NULL until somebody needs it as a tensor */
    const fx_onnx_tensor *initializer;
    bool has_tensor;
    fx_tensor tensor; /* constant */
    const fx_onnx_known *known;
    bool is_sequence; /* of items: only while importing */
    struct fx_onnx_slot *items;
    int32_t n_items;
    const fx_onnx_fill *fill; /* one number everywhere: a node only where the number alone will not do */
} fx_onnx_slot;

/* Where a model comes from. */
typedef struct fx_onnx_source {
    const char *file;      /* name for messages */
    const char *directory; /* of external data; NULL: refused */
    const void *data;
    size_t bytes;
    bool borrow; /* the bytes live as long as the store */
    const fx_fixed_input *fixed;
    int32_t n_fixed;
} fx_onnx_source;

/* The names of a graph that is being translated: the file's, a branch's, a function's. */
typedef struct fx_onnx_scope {
    struct fx_onnx_scope *outer; /* whose names are seen too; NULL: none */
    const fx_onnx_graph *graph;
    fx_map slots;
    const struct fx_onnx_call *caller; /* of the function around; NULL: none */
    const fx_onnx_function *function;
    int64_t opset;
    int32_t depth;
} fx_onnx_scope;

typedef struct fx_onnx_import {
    fx_context *context;
    fx_arena *arena;  /* of the import */
    fx_store *store;  /* behind the module's tensors */
    bool store_given; /* the module owns the store now */
    fx_module *module;
    fx_graph *graph;
    const char *file;
    fx_onnx_source source;
    fx_onnx_model model;
    fx_onnx_scope *scope; /* names that are seen now */
    int32_t n_nodes;      /* translated in graphs inside graphs */
    fx_map symbols;
    fx_map values;    /* node -> fx_tensor *: small values computed while importing (onnx_value.c) */
    fx_status status; /* first error */
} fx_onnx_import;

typedef struct fx_onnx_call {
    fx_onnx_import *import;
    const fx_onnx_node *node;
    const fx_onnx_scope *scope;
    int64_t opset;
    fx_loc loc;
    bool failed;
} fx_onnx_call;

/* One operator from one opset on. Inputs beyond max_in (-1: any number) and outputs beyond max_out are wrong arity. */
typedef struct fx_onnx_op {
    const char *name;
    int16_t since;
    int8_t min_in, max_in, max_out;
    void (*build)(fx_onnx_call *call);
} fx_onnx_op;

/* The row for an operator at an opset; NULL: none. *out_known tells whether another opset has one. */
const fx_onnx_op *fx__onnx_op(const char *name, int64_t opset, bool *out_known);

/* ---- Errors: "FILE: Conv node "conv1": ..." ------------------------------------------------------------------------------- */
void fx__onnx_error(fx_onnx_call *call, fx_status status, const char *format, ...) FX_PRINTF(3, 4);

/* ---- Inputs ----------------------------------------------------------------------------------------------------------------- */
static inline int32_t fx__onnx_inputs(const fx_onnx_call *call)
{
    return call->node->n_inputs;
}
bool fx__onnx_has(const fx_onnx_call *call, int32_t index);
fx_attr fx__onnx_in(fx_onnx_call *call, int32_t index);
/* A filled input as operand beside a tensor of this type (NULL: not known): a number when its dtype is that one and its shape adds
 * nothing; else the node. */
bool fx__onnx_is_fill(const fx_onnx_call *call, int32_t index);
fx_attr fx__onnx_operand(fx_onnx_call *call, int32_t index, const fx_type *beside);
/* The node behind a named value, made from a constant when there is none yet. */
fx_attr fx__onnx_slot_node(fx_onnx_call *call, fx_onnx_slot *slot);
/* Type of a value; NULL: none, or not known. */
const fx_type *fx__onnx_type(fx_attr value);
/* The same, but an error when it is not known. */
const fx_type *fx__onnx_need_type(fx_onnx_call *call, fx_attr value);
/* The constant behind an input; NULL: it is computed, or absent. */
const fx_tensor *fx__onnx_tensor(fx_onnx_call *call, int32_t index);
/* The same for a value of any name. */
const fx_tensor *fx__onnx_slot_tensor(fx_onnx_call *call, fx_onnx_slot *slot);
/* Its integers, if known; NULL: not known. */
const fx_onnx_known *fx__onnx_known(fx_onnx_call *call, int32_t index);
/* The same, but an error when they are not. */
const fx_onnx_known *fx__onnx_need_known(fx_onnx_call *call, int32_t index, const char *what);
/* Up to FX_RANK constant integers of an input or, before the operator had that input, of an attribute. -1: absent or failed. */
int32_t fx__onnx_ints_of(fx_onnx_call *call, int32_t index, const char *attr, int64_t out[FX_RANK]);

/* ---- Attributes ------------------------------------------------------------------------------------------------------------- */
const fx_onnx_attr *fx__onnx_attr(const fx_onnx_call *call, const char *name); /* NULL: absent */
int64_t fx__onnx_int(fx_onnx_call *call, const char *name, int64_t fallback);
double fx__onnx_float(fx_onnx_call *call, const char *name, double fallback);
const char *fx__onnx_text(fx_onnx_call *call, const char *name, const char *fallback);
/* Up to FX_RANK integers; -1: absent (or too many, reported). */
int32_t fx__onnx_ints(fx_onnx_call *call, const char *name, int64_t out[FX_RANK]);
/* -rank <= axis < rank made non-negative; 0 after an error. */
int32_t fx__onnx_axis(fx_onnx_call *call, int64_t axis, int32_t rank);

/* ---- Building --------------------------------------------------------------------------------------------------------------- */
/* A node with positional args; its type is inferred. target: "aten.relu.default". */
fx_attr fx__onnx_emit(fx_onnx_call *call, const char *target, const fx_attr *args, int32_t n);
/* The same, and it is output 0, whose name it bears. */
void fx__onnx_emit_out(fx_onnx_call *call, const char *target, const fx_attr *args, int32_t n);
#define FX_ARGS(...) (fx_attr[]){__VA_ARGS__}, (int32_t)(sizeof((fx_attr[]){__VA_ARGS__}) / sizeof(fx_attr))
#define FX_EMIT(call, target, ...) fx__onnx_emit((call), (target), FX_ARGS(__VA_ARGS__))
#define FX_GIVE(call, target, ...) fx__onnx_emit_out((call), (target), FX_ARGS(__VA_ARGS__))
/* An existing value, a constant tensor, or known integers become output `index`. */
void fx__onnx_give(fx_onnx_call *call, int32_t index, fx_attr value);
void fx__onnx_give_tensor(fx_onnx_call *call, int32_t index, const fx_tensor *tensor);
void fx__onnx_give_fill(fx_onnx_call *call, int32_t index, const fx_type *type, double value);
void fx__onnx_give_known(fx_onnx_call *call, int32_t index, const fx_onnx_known *known);
/* Reads a TensorProto held by an attribute. */
bool fx__onnx_read(fx_onnx_call *call, fx_wire message, fx_tensor *out);
fx_attr fx__onnx_cast(fx_onnx_call *call, fx_attr value, fx_dtype dtype);
/* Zeroed memory of the module for a constant; false after an error. */
bool fx__onnx_new_tensor(fx_onnx_call *call, fx_dtype dtype, int32_t rank, const int64_t *dim, fx_tensor *out);
/* A constant of the module's as a value. */
fx_attr fx__onnx_constant(fx_onnx_call *call, const fx_tensor *tensor);
/* A tensor filled with one value. */
fx_attr fx__onnx_full(fx_onnx_call *call, const fx_dim *dims, int32_t n, fx_dtype dtype, double value);
fx_attr fx__onnx_dims(fx_onnx_call *call, const fx_dim *dims, int32_t n); /* list of sizes */
fx_attr fx__onnx_list(fx_onnx_call *call, const int64_t *values, int32_t n);

/* Computes a new node's value when it is small and its inputs are constants (onnx_value.c). */
fx_status fx__onnx_evaluate(fx_onnx_import *import, fx_node *node);
/* The value of a constant or computed node; NULL: not known. */
const fx_tensor *fx__onnx_value(const fx_onnx_import *import, const fx_node *node);

/* The value of a name that the node sees; NULL: nothing defines it. */
fx_onnx_slot *fx__onnx_slot(const fx_onnx_import *import, const char *name);
/* Translates a graph in the place of the node (onnx.c): its inputs are bound to `in`, out[] receives the values of its outputs.
 * Branches see the names around them; a function's body does not. False after an error. */
bool fx__onnx_inline(fx_onnx_call *call, const fx_onnx_graph *graph, const fx_onnx_slot *in, int32_t n_in, fx_onnx_slot *out);
/* The graph of an attribute; false after an error. */
bool fx__onnx_graph(fx_onnx_call *call, const char *name, fx_onnx_graph *out);
/* The value of an input, and a value of another scope as output. */
fx_onnx_slot fx__onnx_input_value(fx_onnx_call *call, int32_t index);
void fx__onnx_give_value(fx_onnx_call *call, int32_t index, const fx_onnx_slot *value);

/* Evaluates a node over known integers (onnx_shape.c): false when it is no such node. */
bool fx__onnx_fold(fx_onnx_call *call);

/* Translates a whole file. The store, which may hold the file, becomes the module's, or is freed when anything fails. */
fx_status fx__onnx_import(fx_context *context, const fx_onnx_source *source, FX_TAKES fx_store *store, FX_GIVES fx_module **out);

#endif
