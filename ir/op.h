/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op.h: the operator table. A row of ir/ops/ops.def names a descriptor, fx_op_NAME, that holds all there is to know of one
 * operator: data first, then hooks in life-cycle order. Adding an operator is one row and one descriptor. */
#ifndef FX_IR_OP_H
#define FX_IR_OP_H

#include "ir/graph.h"
#include "runtime/ref.h"

typedef struct fx_lower fx_lower; /* ir/lower.h */

enum { FX_RESULTS = 16, FX_PARAMS = 16 };

typedef enum fx_param_kind {
    FX_PARAM_TENSOR,
    FX_PARAM_TENSORS,
    FX_PARAM_OPERAND, /* "TensorOrScalar": one row for ATen's .Tensor and .Scalar overloads */
    FX_PARAM_INT, /* int and SymInt */
    FX_PARAM_INTS,
    FX_PARAM_FLOAT,
    FX_PARAM_FLOATS,
    FX_PARAM_BOOL,
    FX_PARAM_SCALAR, /* int or float (or bool) */
    FX_PARAM_DTYPE,
    FX_PARAM_STR,
    FX_PARAM_OTHER /* Layout, Device, MemoryFormat, Generator: accepted and ignored */
} fx_param_kind;

typedef struct fx_param {
    const char *name;
    fx_param_kind kind;
    bool optional; /* "?": None is allowed */
    bool has_default, keyword_only;
    int32_t list; /* INTS of this length, to which a single int expands; 0: any */
    fx_attr fallback; /* default */
} fx_param;

/* One use of an operator with its arguments bound in schema order: what rules and hooks see. */
typedef struct fx_call {
    fx_context *context;
    fx_dims *dims;
    const fx_op *op;
    const fx_node *node; /* for messages */
    const fx_attr *arg;  /* [parameters of op] */
    fx_type result[FX_RESULTS];
    int32_t n_results;
} fx_call;

/* Reading arguments. index counts the schema's parameters. */
const fx_type *fx__call_type(const fx_call *call, int32_t index);                /* of a tensor argument; NULL: None or unknown */
const fx_type *fx__call_list_type(const fx_call *call, int32_t index, int32_t i); /* of element i of a tensor list */
int32_t fx__call_list_count(const fx_call *call, int32_t index);                  /* elements of a tensor or int list; 0: None */
bool fx__call_is_none(const fx_call *call, int32_t index);
int64_t fx__call_int(const fx_call *call, int32_t index);
double fx__call_float(const fx_call *call, int32_t index);
bool fx__call_dtype(const fx_call *call, int32_t index, fx_dtype *out); /* false: None */
/* Dims of an int list (SymInts too); a single int fills `want` entries. Returns the count, -1 after a diagnostic. */
int32_t fx__call_dims(const fx_call *call, int32_t index, int32_t want, fx_dim out[FX_RANK]);
int32_t fx__call_ints(const fx_call *call, int32_t index, int32_t want, int64_t out[FX_RANK]); /* constants only */
/* A diagnostic naming operator, node and trace location. */
fx_status fx__call_error(const fx_call *call, fx_status status, const char *format, ...) FX_PRINTF(3, 4);
/* -rank <= axis < rank made non-negative; -1 after a diagnostic. */
int32_t fx__call_axis(const fx_call *call, int64_t axis, int32_t rank);

typedef struct fx_view fx_view;   /* ir/lower.h */
typedef struct fx_grad fx_grad;   /* ir/grad.h, with the first vjp rules */

/* One case of laws, gradients and benchmarks, in text: arguments in schema order, tensors as types:
 * "(f32[2, 3], f32[3], 2)", "([f32[2], f32[3]], 0)". A leading word names a restriction: "symbolic", "bench". */
typedef struct fx_case {
    const char *args;
    const char *note; /* what it is for */
} fx_case;

#define FX_ULP_EXACT (-1.0)

struct fx_op {
    const char *name;   /* "relu" */
    const char *target; /* "torch.ops.aten.relu.default" */
    const char *schema; /* "relu(Tensor self) -> Tensor" */
    const char *names;  /* other names: "torch.relu torch.nn.functional.relu method:relu operator.add", by spaces */
    const char *onnx;   /* ONNX operators that it serves, by spaces; for the coverage page */
    const char *family; /* page of the generated documentation: "element-wise" */
    uint32_t dtypes;    /* bit per fx_dtype of the first tensor (or the result, without tensors) that is allowed */
    bool impure;
    bool reads_values; /* data-dependent result sizes: CALL only */
    bool commutes;     /* the first two arguments may change places when all others have their defaults */
    int16_t scalar;    /* element-wise: 1 + fx_scalar_op that generic hooks use; 0: none */
    double ulp;        /* accuracy of an element-wise function in the compiled form; 0: 4; FX_ULP_EXACT: no rounding at all */
    fx_status (*dtype)(fx_call *call);                      /* sets dtypes of results (and n_results); NULL: that of the first tensor */
    fx_status (*shape)(fx_call *call);                      /* sets rank and dims of results */
    fx_ref_fn reference;                                    /* mandatory */
    fx_bound_fn bound;                                      /* NULL: first order plus ulp, by finite differences of the reference */
    fx_status (*view)(fx_view *view, const fx_call *call);  /* the result is a view of argument 0: how its index composes */
    fx_status (*lower)(fx_lower *lower, const fx_call *call); /* to kernel stages; FX_E_UNSUPPORTED after fx__lower_decline */
    fx_node *(*decompose)(fx_graph *graph, const fx_call *call); /* inserts nodes before call->node; NULL: not this one, see lower */
    fx_status (*vjp)(fx_grad *grad, const fx_call *call);
    const fx_case *cases; /* ends with {NULL} */
};

/* Parameters of the schema, parsed once per process when first asked for (thread-safe). NULL and count -1: malformed schema, or
 * an operator that is no row of the table. */
const fx_param *fx__op_params(const fx_op *op, int32_t *out_count);
int32_t fx__op_schema_results(const fx_op *op); /* 0: a list ("Tensor[]"), as long as the rules say */
/* Index of a parameter by name; -1. */
int32_t fx__op_param(const fx_op *op, const char *name);

typedef enum fx_op_code {
#define FX_OP(name) FX_OP_##name,
#include "ir/ops/ops.def"
#undef FX_OP
    FX_OP_COUNT
} fx_op_code;

const fx_op *fx__op(fx_op_code code);
static inline bool fx__op_is(const fx_node *node, fx_op_code code) { return node->op != NULL && node->op == fx__op(code); }
/* Position of an operator in the table; -1: no row of it. */
int32_t fx__op_code(const fx_op *op);
/* By target (with or without "torch.ops."), by short name or by any other name of the row. */
const fx_op *fx__op_find(const char *name);
/* The name that people write for a function by the module that torch.fx has recorded: "torch._C._nn.gelu" is
 * "torch.nn.functional.gelu", "torch.Tensor.add" is "method:add". False: the target is its own name, or is longer than room. */
bool fx__op_home(const char *target, char *out, size_t room);
/* Row that a call_function or call_method node stands for; NULL. */
const fx_op *fx__op_of(const fx_node *node);
/* Reports that nothing computes the node, with the row that its target was perhaps meant to be. FX_E_UNSUPPORTED. */
fx_status fx__op_unsupported(const fx_node *node);

/* Binds args and kwargs to the schema with defaults; writes one value per parameter. Numbers take the parameter's kind, one
 * integer becomes a list where the schema wants one, x.view(2, 3) gathers its sizes, tuples become lists; keywords that torch
 * spells in several ways (input, axis, keepdims) are known; unknown keywords that are None, False or private are ignored. */
fx_status fx__op_bind(fx_graph *graph, const fx_node *node, const fx_op *op, fx_attr out[FX_PARAMS]);
/* The same for a node of a pattern, whose placeholders may also stand for numbers and lists. */
fx_status fx__op_bind_pattern(fx_graph *pattern, const fx_node *node, const fx_op *op, fx_attr out[FX_PARAMS]);
/* The same to the parameters of any schema (ir/op_schema.h), without a word: false when the arguments do not fit. */
bool fx__op_fits(fx_graph *graph, const fx_node *node, const fx_param *params, int32_t n, fx_attr out[FX_PARAMS]);
/* Computes result types of a node whose inputs have types: bind, check dtypes, dtype rule, shape rule. Sets node's results. */
fx_status fx__op_infer(fx_node *node);
/* Fills call for a node of a core graph (arguments bound, results known). */
void fx__op_call(const fx_node *node, fx_call *out);

/* ---- Rules that many operators share (ir/ops/rules.c) ------------------------------------------------------------------- */

#define FX_BIT(dtype) (1u << FX_##dtype)
#define FX_FLOATS (FX_BIT(F16) | FX_BIT(F32) | FX_BIT(F64) | FX_BIT(BF16))
#define FX_INTS                                                                                                                  \
    (FX_BIT(I8) | FX_BIT(I16) | FX_BIT(I32) | FX_BIT(I64) | FX_BIT(U8) | FX_BIT(U16) | FX_BIT(U32) | FX_BIT(U64))
#define FX_NUMBERS (FX_FLOATS | FX_INTS)
#define FX_ANY (FX_NUMBERS | FX_BIT(BOOL))

fx_dtype fx__dtype_promote(fx_dtype a, fx_dtype b);   /* torch's table for two tensors */
fx_dtype fx__call_promoted(const fx_call *call);      /* of all tensors and of numbers that stand for tensors */
fx_status fx__rule_dtype_promote(fx_call *call);      /* all tensors, then scalars by torch's category rule */
fx_status fx__rule_dtype_float(fx_call *call);        /* integers and bool become f32 */
fx_status fx__rule_dtype_bool(fx_call *call);         /* bool */
fx_status fx__rule_dtype_same(fx_call *call);         /* of argument 0 */
fx_status fx__rule_shape_same(fx_call *call);         /* of argument 0 */
fx_status fx__rule_shape_broadcast(fx_call *call);    /* of all tensor arguments */
bool fx__broadcast(fx_dims *dims, const fx_type *a, const fx_type *b, fx_type *out); /* false: incompatible */

#endif
