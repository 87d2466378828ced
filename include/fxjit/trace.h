/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/trace.h: one handle type, fx_value, that is either a concrete tensor or a proxy in a graph being traced.
 *
 * The same C function runs eagerly on tensors and records nodes on proxies:
 *
 *     static fx_value forward(fx_scope *scope, fx_value x) { return fx_relu(fx_linear(x, w, b)); }
 *
 * Operators (fxjit/ops.h) pass an invalid value through: the first error is kept in the context, with the line that
 * caused it, and one check at the end (fx_trace_finish, fx_value_ok) is enough. */
#ifndef FXJIT_TRACE_H
#define FXJIT_TRACE_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A scope owns the values made in it: eager intermediates, or the module being traced. */
typedef struct fx_scope fx_scope;

typedef struct fx_value {
    fx_scope *scope; /* NULL: invalid */
    int32_t id;
} fx_value;
#define FX_NO_VALUE FX_ZERO(fx_value) /* an absent optional tensor */

static inline bool fx_value_ok(fx_value value) { return value.scope != NULL; }
/* Known while tracing too; NULL for an invalid value. Owned by the scope. Sizes of parameters are numbers, also where those of inputs
 * are symbols. */
FX_API const fx_type *fx_value_type(fx_value value);
/* The tensor behind a concrete value. For a proxy: NULL and an error naming file and line. */
FX_API const fx_tensor *fx_value_tensor_at(fx_value value, const char *file, int32_t line);
#define fx_value_tensor(value) fx_value_tensor_at((value), __FILE__, __LINE__)
/* The node behind a proxy; NULL for a concrete value. */
FX_API fx_node *fx_value_node(fx_value value);
/* The graph being traced, for nodes that no function of fxjit/ops.h makes; NULL for an eager scope. */
FX_API fx_graph *fx_scope_graph(const fx_scope *scope);
/* The handle of a node of that graph; invalid, with an error, for other nodes. */
FX_API fx_value fx_value_of_node(fx_scope *scope, fx_node *node);

/* Eager computation: values are computed at once and freed with the scope. */
FX_API FX_GIVES fx_scope *fx_scope_new(fx_context *context);
FX_API void fx_scope_free(FX_TAKES fx_scope *scope);
/* A concrete value over borrowed memory. While tracing: a get_attr node, of the module's tensor in this memory or else of a new one,
 * `_tensor_constant0`, `_tensor_constant1`, ... */
FX_API fx_value fx_value_from(fx_scope *scope, const fx_tensor *tensor);

/* Tracing: everything done with the scope's proxies becomes nodes of a new module. */
FX_API FX_GIVES fx_scope *fx_trace_begin(fx_context *context, const char *module_name);
FX_API fx_value fx_trace_input(fx_scope *scope, const char *name, const fx_type *type);
/* The same as Python's signature may say more: a name that begins with * or **, a default (NULL: none; no nodes inside), an annotation as
 * torch.fx prints it ("torch.Tensor"; NULL: none). They are kept and printed; runs are given every input. */
FX_API fx_value fx_trace_input_with(fx_scope *scope, const char *name, const fx_type *type, const fx_attr *default_value,
                                    const char *annotation);
/* A symbolic size for fx_trace_input types. */
FX_API fx_dim fx_trace_symbol(fx_scope *scope, const char *name, int64_t lo, int64_t hi, int64_t hint);
/* A parameter by dotted path. While tracing: a get_attr node (memory borrowed until the module is freed, or freed by release);
 * in an eager scope: the tensor itself. */
FX_API fx_value fx_parameter(fx_scope *scope, const char *path, const fx_tensor *tensor, fx_release release, void *user);
/* The same for a buffer: a tensor that the module may change in place (fx_add_, fx_copy_, ...). An eager scope changes the memory
 * itself; of a traced module, the interpreter and compiled code keep values of their own from run to run (fx_state_new). */
FX_API fx_value fx_buffer(fx_scope *scope, const char *path, const fx_tensor *tensor, fx_release release, void *user);
/* Ends the trace: outputs in order (none when the graph was given its output by fx_graph_output). Frees the scope in every case. */
FX_API fx_status fx_trace_finish(FX_TAKES fx_scope *scope, const fx_value *outputs, int32_t n_outputs, FX_GIVES fx_module **out);

/* One call for all of it: traces forward(scope, inputs, outputs, user) with one proxy per input type. */
typedef fx_status (*fx_forward)(fx_scope *scope, const fx_value *inputs, fx_value *outputs, void *user);
FX_API fx_status fx_trace(fx_context *context, const char *name, fx_forward forward, void *user, const fx_type *input_types,
                          int32_t n_inputs, int32_t n_outputs, FX_GIVES fx_module **out);

/* ---- Nested and specialised inputs, nested outputs ------------------------------------------------------------------------- */

/* A tensor, or a list, tuple or dict of such: what a traced function takes as one argument, or gives. Made by the functions and macros
 * below, which only borrow what they are given:
 *     FX_NEST_DICT(fx_nest_key("boxes", FX_NEST_LIST(fx_nest_value(a), fx_nest_value(b))), fx_nest_key("n", fx_nest_constant(fx_int(3)))) */
typedef enum fx_nest_kind {
    FX_NEST_IS_INPUT,
    FX_NEST_IS_VALUE,
    FX_NEST_IS_CONSTANT,
    FX_NEST_IS_LIST,
    FX_NEST_IS_TUPLE,
    FX_NEST_IS_DICT
} fx_nest_kind;
typedef struct fx_nest {
    fx_nest_kind kind;
    int32_t n;                   /* LIST, TUPLE, DICT */
    const struct fx_nest *items; /* [n] */
    const char *key;             /* of an item of a DICT */
    const fx_type *type;         /* INPUT; NULL: unknown */
    fx_value value;              /* VALUE */
    fx_attr constant;            /* CONSTANT */
} fx_nest;
/* A leaf of an argument that stays an input (torch.fx's PH), and one of an output. */
static inline fx_nest fx_nest_input(const fx_type *type)
{
    fx_nest nest = FX_ZERO(fx_nest);
    nest.kind = FX_NEST_IS_INPUT;
    nest.type = type;
    return nest;
}
static inline fx_nest fx_nest_value(fx_value value)
{
    fx_nest nest = FX_ZERO(fx_nest);
    nest.kind = FX_NEST_IS_VALUE;
    nest.value = value;
    return nest;
}
/* Of an argument: what the function was specialised for. Of an output: None, a number, anything without nodes. */
static inline fx_nest fx_nest_constant(fx_attr constant)
{
    fx_nest nest = FX_ZERO(fx_nest);
    nest.kind = FX_NEST_IS_CONSTANT;
    nest.constant = constant;
    return nest;
}
static inline fx_nest fx_nest_key(const char *key, fx_nest item)
{
    item.key = key;
    return item;
}
#define FX_NEST_OF(kind, ...)                                                                                                     \
    FX_LITERAL(fx_nest, (kind), FX_ARRAY_COUNT(fx_nest, __VA_ARGS__), FX_ARRAY(fx_nest, __VA_ARGS__), NULL, NULL, {NULL, 0},       \
               {FX_ATTR_NONE, 0, NULL, {0}})
#define FX_NEST_LIST(...) FX_NEST_OF(FX_NEST_IS_LIST, __VA_ARGS__)
#define FX_NEST_TUPLE(...) FX_NEST_OF(FX_NEST_IS_TUPLE, __VA_ARGS__)
#define FX_NEST_DICT(...) FX_NEST_OF(FX_NEST_IS_DICT, __VA_ARGS__) /* items by fx_nest_key */

/* One argument of the traced function, in its place among those of fx_trace_input, as torch.fx makes it of `concrete_args`: every leaf
 * becomes an input `name_1`, `name_2`, ... in order. leaves[n_leaves] receives their values; FX_NO_VALUE for constants, which the
 * function knows. A constant is a bool, an integer, a real or None; the graph asserts that the caller passes the same, as a bool[], i64[]
 * or f64[] (else a run ends with FX_E_GUARD), or for None as a bool[0]. FX_E_ARG for another number of leaves, an eager scope, a kind
 * that has no place here, a dict's key that is missing, there twice or no UTF-8; FX_E_UNSUPPORTED for other constants; FX_E_OOM. */
FX_API fx_status fx_trace_argument(fx_scope *scope, const char *name, const fx_nest *nest, fx_value *leaves, int32_t n_leaves);
/* Ends the trace as fx_trace_finish does, with one nested output. Where some argument was nested too, the graph gives the flat list of
 * leaves and keeps how they were nested, as torch.fx's graphs do (docs/FORMAT.md, in_spec and out_spec). Runs give its tensors in order,
 * without the constants. */
FX_API fx_status fx_trace_finish_nested(FX_TAKES fx_scope *scope, const fx_nest *output, FX_GIVES fx_module **out);

/* Where an input or output of fx_run and its like stands in the nested arguments or the nested result, as Python writes it: `d["b"][0]`,
 * `["boxes"][0]`; an argument that is not nested has its name alone, a single output no text. For modules that were read from files,
 * too. Freed with fx_text_free; NULL for an index outside, or after a diagnostic (FX_E_OOM, FX_E_FORMAT). */
FX_API FX_GIVES char *fx_module_input_path(const fx_module *module, int32_t index);
FX_API FX_GIVES char *fx_module_output_path(const fx_module *module, int32_t index);
/* The index of the input or output at such a path; -1: there is none, or the leaf is a constant. */
FX_API int32_t fx_module_find_input(const fx_module *module, const char *path);
FX_API int32_t fx_module_find_output(const fx_module *module, const char *path);

/* ---- Modules of the host program ---------------------------------------------------------------------------------------- */

/* A struct with a forward function: user is the struct. class_name may be NULL. */
typedef struct fx_nn {
    const char *class_name;
    fx_forward forward;
    void *user;
} fx_nn;
/* Whether a module stays a call_module node with a submodule of its own graph; else its operators are recorded, and its parameters
 * under its path. Without a callback, and for inputs of symbolic sizes or of other types than at the path's first call, no module is a
 * leaf. */
typedef bool (*fx_is_leaf)(void *user, const char *path, const char *class_name);
FX_API void fx_trace_set_leaf(fx_scope *scope, fx_is_leaf is_leaf, void *user);
/* Calls a submodule by its path within the module that calls: "layer1", then inside of it "0", give "layer1.0". Eager scopes compute.
 * A leaf is traced at its first call and shared by later calls of the path. outputs are other memory than inputs. FX_E_GRAPH when a module calls itself, FX_E_ARG for
 * values of another scope or another number of outputs; what forward returns otherwise. */
FX_API fx_status fx_module_call(fx_scope *scope, const char *path, const fx_nn *module, const fx_value *inputs, int32_t n_inputs,
                                fx_value *outputs, int32_t n_outputs);

/* ---- Functions that stay whole --------------------------------------------------------------------------------------------- */

/* A function of the host program that a trace keeps as one call_function node (torch.fx.wrap), by its qualified name: "mylib.norm".
 * What it computes is traced, too, as the body of the node (fx_node_body), which compiling puts in its place; calls with inputs of the same
 * types share one trace of the same forward and user, unless it reads things of the module around it, which is another. Constants stand in the graph behind the inputs, for people; what forward does
 * with them is its own business. Parameters that it reads are those of the module around it. Eager scopes compute.
 * FX_E_ARG for values of another scope or a call without name or function; what forward returns otherwise; FX_E_OOM. */
typedef struct fx_wrapped {
    const char *target;
    fx_forward forward;
    void *user;
    const fx_attr *constants; /* [n_constants]; no nodes inside */
    int32_t n_constants;
} fx_wrapped;
FX_API fx_status fx_wrapped_call(fx_scope *scope, const fx_wrapped *function, const fx_value *inputs, int32_t n_inputs,
                                 fx_value *outputs, int32_t n_outputs);

/* ---- Questions about data --------------------------------------------------------------------------------------------------- */

/* What a C function may ask of a value to decide by. Eager values answer. A proxy has no data: the answer is 0 (NaN), and an error names
 * the line that asked, the node, and what to write instead (torch.fx's TraceError); the trace then ends with FX_E_ARG. FX_E_SHAPE where
 * more than one element is asked for. */
FX_API double fx_value_item_at(fx_value value, const char *file, int32_t line);
FX_API int64_t fx_value_int_at(fx_value value, const char *file, int32_t line); /* towards zero, as Python's int() */
FX_API bool fx_value_bool_at(fx_value value, const char *file, int32_t line);
#define fx_value_item(value) fx_value_item_at((value), __FILE__, __LINE__)
#define fx_value_int(value) fx_value_int_at((value), __FILE__, __LINE__)
#define fx_value_bool(value) fx_value_bool_at((value), __FILE__, __LINE__)
/* Size of the first dimension, of proxies too: types are known while tracing. A symbolic size has no number (-1 and an error): use
 * fx_value_type(value)->dim[0], which shapes and lists of sizes take. FX_E_SHAPE for a value of rank 0. */
FX_API int64_t fx_value_len_at(fx_value value, const char *file, int32_t line);
#define fx_value_len(value) fx_value_len_at((value), __FILE__, __LINE__)
/* value[0], value[1], ...: the n slices along the first dimension, or the n results of an operator that has several (fx_topk). Python's
 * `a, b = value`. false and an error, where there are not n. */
FX_API bool fx_value_unpack_at(fx_value value, fx_value *out, int32_t n, const char *file, int32_t line);
#define fx_value_unpack(value, out, n) fx_value_unpack_at((value), (out), (n), __FILE__, __LINE__)
/* Answers for proxies, as a tracer of torch.fx that overrides to_bool: true with *out set, or false for an error as above. What the
 * function then decides holds for that answer alone. NULL: none. */
typedef bool (*fx_answer)(void *user, const fx_node *node, double *out);
FX_API void fx_trace_set_answer(fx_scope *scope, fx_answer answer, void *user);
/* Refuses changes in place from now on (torch.fx's check_mutable_operations): FX_E_GRAPH with the line of the call. */
FX_API void fx_trace_set_functional(fx_scope *scope, bool functional);

/* Any operator (fx_op_find) with positional arguments in the order of its schema; the generated functions of fxjit/ops.h call this.
 * An invalid value, with an error in the context, for op NULL, too many arguments, values of different scopes, and whatever the
 * operator's rules refuse; without one where an argument is invalid already. */
typedef struct fx_trace_arg {
    enum { FX_ARG_ATTR, FX_ARG_VALUE, FX_ARG_VALUES } kind;
    fx_attr attr;           /* ATTR: no nodes inside */
    fx_value value;         /* VALUE: FX_NO_VALUE is None */
    const fx_value *values; /* VALUES */
    int32_t n;
} fx_trace_arg;
FX_API fx_value fx_apply(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc);
/* The in-place form: argument 0 becomes the result, in its own shape and dtype, and is given back. */
FX_API fx_value fx_apply_in_place(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc);

#ifdef __cplusplus
}
#endif
#endif
