/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/graph.h: graphs, nodes, argument values and modules, as torch.fx has them.
 *
 * A graph is an ordered list of nodes with six opcodes. A node's args (a tuple) and kwargs (a dict) are nested immutable
 * values (fx_attr) that may refer to earlier nodes. Nodes and values live as long as their graph and are never freed singly. */
#ifndef FXJIT_GRAPH_H
#define FXJIT_GRAPH_H

#include "fxjit/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fx_graph fx_graph;
typedef struct fx_node fx_node;
typedef struct fx_module fx_module;
typedef struct fx_op fx_op;

typedef enum fx_opcode {
    FX_PLACEHOLDER,
    FX_GET_ATTR,
    FX_CALL_FUNCTION,
    FX_CALL_METHOD,
    FX_CALL_MODULE,
    FX_OUTPUT,
    FX_OPCODE_COUNT
} fx_opcode;
FX_API const char *fx_opcode_name(fx_opcode opcode); /* "call_function" */

/* ---- Argument values --------------------------------------------------------------------------------------------------- */

typedef enum fx_attr_kind {
    FX_ATTR_NONE,
    FX_ATTR_ELLIPSIS,
    FX_ATTR_BOOL,    /* i */
    FX_ATTR_INT,     /* i */
    FX_ATTR_FLOAT,   /* f */
    FX_ATTR_COMPLEX, /* c: real, imaginary */
    FX_ATTR_STR,     /* s */
    FX_ATTR_DTYPE,   /* dtype */
    FX_ATTR_DEVICE,  /* s: "cpu" */
    FX_ATTR_NAME,    /* s: another constant of torch, printed as it is: torch.strided, torch.channels_last */
    FX_ATTR_NODE,    /* node */
    FX_ATTR_TUPLE,   /* items[n] */
    FX_ATTR_LIST,    /* items[n] */
    FX_ATTR_DICT,    /* keys[n], items[n] */
    FX_ATTR_SLICE,   /* items[3]: start, stop, step */
    FX_ATTR_RANGE,   /* items[3] */
    FX_ATTR_SYMINT,  /* dim */
    FX_ATTR_GRAPH,   /* graph: a region of a control-flow operator */
    FX_ATTR_KIND_COUNT
} fx_attr_kind;

/* A nested immutable value; cheap to copy; items, keys and strings belong to the graph (or are static). */
typedef struct fx_attr {
    fx_attr_kind kind;
    int32_t n;
    const char *const *keys; /* DICT only */
    union {
        int64_t i;
        double f;
        double c[2];
        const char *s;
        fx_dtype dtype;
        fx_node *node;
        const struct fx_attr *items;
        fx_dim dim;
        fx_graph *graph;
    } u;
} fx_attr;

static inline fx_attr fx_none(void) { return (fx_attr){.kind = FX_ATTR_NONE}; }
static inline fx_attr fx_bool(bool value) { return (fx_attr){.kind = FX_ATTR_BOOL, .u.i = value}; }
static inline fx_attr fx_int(int64_t value) { return (fx_attr){.kind = FX_ATTR_INT, .u.i = value}; }
static inline fx_attr fx_float(double value) { return (fx_attr){.kind = FX_ATTR_FLOAT, .u.f = value}; }
static inline fx_attr fx_dtype_attr(fx_dtype value) { return (fx_attr){.kind = FX_ATTR_DTYPE, .u.dtype = value}; }
static inline fx_attr fx_node_attr(fx_node *value) { return (fx_attr){.kind = FX_ATTR_NODE, .u.node = value}; }
/* A size: an INT when constant, else a SYMINT. */
static inline fx_attr fx_dim_attr(fx_dim value)
{
    return fx_dim_is_const(value) ? fx_int(value) : (fx_attr){.kind = FX_ATTR_SYMINT, .u.dim = value};
}
/* Copies of text, items and keys into the graph's memory. kind NONE is returned when memory runs out (the context says so). */
FX_API fx_attr fx_str(fx_graph *graph, const char *text);
FX_API fx_attr fx_tuple(fx_graph *graph, const fx_attr *items, int32_t n);
FX_API fx_attr fx_list(fx_graph *graph, const fx_attr *items, int32_t n);
FX_API fx_attr fx_ints(fx_graph *graph, const int64_t *values, int32_t n); /* list of INT */
FX_API fx_attr fx_dict(fx_graph *graph, const char *const *keys, const fx_attr *items, int32_t n);
FX_API fx_attr fx_slice(fx_graph *graph, fx_attr start, fx_attr stop, fx_attr step);
/* Same kind and value, nested; nodes by identity, floats by bits. */
FX_API bool fx_attr_equal(const fx_attr *a, const fx_attr *b);

/* Where a node comes from: a line of C or Python, or a node of a file. */
typedef struct fx_loc {
    const char *file;     /* NULL: unknown */
    int32_t line;         /* 0: the file has no lines (ONNX) */
    const char *function; /* function, or the node's name in its file; may be NULL */
} fx_loc;
#define FX_HERE ((fx_loc){__FILE__, __LINE__, __func__})

/* ---- Graphs ------------------------------------------------------------------------------------------------------------ */

/* A graph of its own; most graphs belong to a module (fx_module_graph). */
FX_API FX_GIVES fx_graph *fx_graph_new(fx_context *context);
FX_API void fx_graph_free(FX_TAKES fx_graph *graph);
FX_API fx_context *fx_graph_context(const fx_graph *graph);
FX_API fx_module *fx_graph_module(const fx_graph *graph); /* owning module or NULL */
/* Adds a symbol and returns its dimension; sizes lie in [lo, hi] and are multiples of `multiple`; hint is a typical size. */
FX_API fx_dim fx_graph_symbol(fx_graph *graph, const char *name, int64_t lo, int64_t hi, int64_t hint, int64_t multiple);
/* "s0*2"; the text belongs to the graph. */
FX_API const char *fx_graph_dim_text(const fx_graph *graph, fx_dim dim);
FX_API int64_t fx_graph_dim_hint(const fx_graph *graph, fx_dim dim);

/* What fx_graph_create_node is told. name NULL: derived from target by torch.fx's rule; args kind TUPLE or NONE (empty);
 * kwargs kind DICT or NONE. Nodes are inserted at the insertion point (at first: the end). */
typedef struct fx_node_spec {
    fx_opcode opcode;
    const char *target;
    fx_attr args, kwargs;
    const char *name;
    bool keep_name; /* use name exactly (imported graphs); an error when it is taken */
    fx_loc loc;
} fx_node_spec;
/* NULL and a diagnostic when the spec is malformed (E_ARG), refers to nodes of another graph (E_GRAPH) or memory ends. */
FX_API fx_node *fx_graph_create_node(fx_graph *graph, const fx_node_spec *spec);
FX_API fx_node *fx_graph_placeholder(fx_graph *graph, const char *name, const fx_type *type /* NULL: unknown */);
FX_API fx_node *fx_graph_get_attr(fx_graph *graph, const char *path);
/* Positional args; target is a qualified name such as "torch.ops.aten.relu.default". */
FX_API fx_node *fx_graph_call(fx_graph *graph, const char *target, const fx_attr *args, int32_t n_args);
FX_API fx_node *fx_graph_output(fx_graph *graph, fx_attr value);
/* Erases a node without users: FX_E_GRAPH when it has users or is of another graph. The name is not released. */
FX_API fx_status fx_graph_erase(fx_graph *graph, fx_node *node);
/* New nodes go before / after node; NULL: before the first / after the last. Returns the earlier point for fx_graph_set_point. */
typedef struct fx_point {
    fx_node *before; /* NULL: the end */
} fx_point;
FX_API fx_point fx_graph_insert_before(fx_graph *graph, fx_node *node);
FX_API fx_point fx_graph_insert_after(fx_graph *graph, fx_node *node);
FX_API void fx_graph_set_point(fx_graph *graph, fx_point point);
/* Copies a node of any graph; map gives the node here for each node used there (NULL result: E_GRAPH). */
typedef fx_node *(*fx_node_map)(void *user, fx_node *there);
FX_API fx_node *fx_graph_copy_node(fx_graph *graph, fx_node *node, fx_node_map map, void *user);
/* Copies nodes, names, meta and dimension table; equal handles mean equal dims in both. */
FX_API FX_GIVES fx_graph *fx_graph_clone(const fx_graph *graph);

FX_API fx_node *fx_graph_first(const fx_graph *graph);
FX_API fx_node *fx_graph_last(const fx_graph *graph);
FX_API fx_node *fx_node_next(const fx_node *node); /* take the next one before erasing a node */
FX_API fx_node *fx_node_prev(const fx_node *node);
FX_API int32_t fx_graph_size(const fx_graph *graph);
FX_API fx_node *fx_graph_find(const fx_graph *graph, const char *name); /* NULL: no such node */
FX_API fx_node *fx_graph_output_node(const fx_graph *graph);            /* NULL: none yet */

/* Checks every rule of torch.fx's lint and the types that operators demand; all problems become diagnostics. */
FX_API fx_status fx_graph_lint(const fx_graph *graph);
/* Removes nodes without users, except impure ones. Returns the number removed. */
FX_API int32_t fx_graph_eliminate_dead_code(fx_graph *graph);
/* Computes dtype and shape of every node from the placeholders; unsupported operators are all reported (FX_E_UNSUPPORTED). */
FX_API fx_status fx_graph_propagate(fx_graph *graph);

/* Texts. Each result belongs to the caller and is freed with fx_text_free; NULL when out of memory. */
FX_API FX_GIVES char *fx_graph_to_string(const fx_graph *graph);  /* as torch.fx's str(graph) */
FX_API FX_GIVES char *fx_graph_to_table(const fx_graph *graph);   /* as torch.fx's print_tabular */
FX_API FX_GIVES char *fx_graph_to_fx(const fx_graph *graph);      /* the .fx text, which fx_graph_parse reads back */
FX_API FX_GIVES char *fx_graph_to_dot(const fx_graph *graph);     /* Graphviz */
FX_API FX_GIVES char *fx_node_to_string(const fx_node *node);     /* one line of str(graph) */
FX_API void fx_text_free(FX_TAKES char *text);
/* Reads .fx text; name is used in messages. All problems are reported with their lines. */
FX_API fx_status fx_graph_parse(fx_context *context, const char *name, const char *text, size_t bytes, FX_GIVES fx_graph **out);

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

FX_API fx_opcode fx_node_opcode(const fx_node *node);
FX_API const char *fx_node_name(const fx_node *node);
FX_API const char *fx_node_target(const fx_node *node);
FX_API const fx_op *fx_node_op(const fx_node *node); /* row of the operator table; NULL when the target is none */
FX_API fx_graph *fx_node_graph(const fx_node *node);
FX_API fx_attr fx_node_args(const fx_node *node);   /* TUPLE */
FX_API fx_attr fx_node_kwargs(const fx_node *node); /* DICT */
FX_API fx_status fx_node_set_args(fx_node *node, fx_attr args, fx_attr kwargs);
FX_API fx_status fx_node_set_target(fx_node *node, const char *target);
FX_API int32_t fx_node_user_count(const fx_node *node);
FX_API fx_node *fx_node_user(const fx_node *node, int32_t index); /* in order of first use */
FX_API int32_t fx_node_input_count(const fx_node *node);          /* distinct nodes used, args before kwargs */
FX_API fx_node *fx_node_input(const fx_node *node, int32_t index);
FX_API int32_t fx_node_replace_all_uses(fx_node *node, fx_node *with); /* number of users changed; -1 on error */
FX_API bool fx_node_is_impure(const fx_node *node);
FX_API fx_loc fx_node_loc(const fx_node *node);
FX_API void fx_node_set_loc(fx_node *node, fx_loc loc);
/* Type of result `index`; NULL when not known. */
FX_API const fx_type *fx_node_type(const fx_node *node, int32_t index);
FX_API int32_t fx_node_result_count(const fx_node *node);
FX_API fx_status fx_node_set_type(fx_node *node, int32_t index, const fx_type *type);

/* ---- Modules ----------------------------------------------------------------------------------------------------------- */

/* A module owns a graph and named tensors (parameters and buffers) by dotted path. */
FX_API FX_GIVES fx_module *fx_module_new(fx_context *context, const char *name);
FX_API void fx_module_free(FX_TAKES fx_module *module);
FX_API const char *fx_module_name(const fx_module *module);
FX_API fx_context *fx_module_context(const fx_module *module);
FX_API fx_graph *fx_module_graph(const fx_module *module);
/* The memory is borrowed and must outlive the module, or is freed by release(user, data) when the module is. */
typedef void (*fx_release)(void *user, void *data);
FX_API fx_status fx_module_add_tensor(fx_module *module, const char *path, const fx_tensor *tensor, bool is_buffer, fx_release release,
                                      void *user);
FX_API const fx_tensor *fx_module_tensor(const fx_module *module, const char *path); /* NULL: no such path */
FX_API int32_t fx_module_tensor_count(const fx_module *module);
FX_API const char *fx_module_tensor_path(const fx_module *module, int32_t index);
FX_API fx_status fx_module_add_submodule(fx_module *module, const char *path, FX_TAKES fx_module *submodule);
FX_API fx_module *fx_module_submodule(const fx_module *module, const char *path);
/* Grows with every change of the graph: compiled code of an older count is stale. */
FX_API uint64_t fx_module_edits(const fx_module *module);
/* Inputs and outputs of the graph, in order; names are node names or, for imported models, the file's names. */
FX_API int32_t fx_module_input_count(const fx_module *module);
FX_API int32_t fx_module_output_count(const fx_module *module);
FX_API const char *fx_module_input_name(const fx_module *module, int32_t index);
FX_API const char *fx_module_output_name(const fx_module *module, int32_t index);
FX_API const fx_type *fx_module_input_type(const fx_module *module, int32_t index);  /* NULL: not known */
FX_API const fx_type *fx_module_output_type(const fx_module *module, int32_t index); /* after fx_graph_propagate */
/* Changes every parameter, buffer, input and dtype argument of dtype `from` to `to`, and computes all types anew. */
FX_API fx_status fx_module_cast(fx_module *module, fx_dtype from, fx_dtype to);
FX_API fx_status fx_module_set_output_name(fx_module *module, int32_t index, const char *name);

#ifdef __cplusplus
}
#endif
#endif
