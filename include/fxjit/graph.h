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

/* A value of a kind with nothing in it: NONE and ELLIPSIS as they are, others to be filled in. */
static inline fx_attr fx_attr_of_kind(fx_attr_kind kind)
{
    fx_attr attr = FX_ZERO(fx_attr);
    attr.kind = kind;
    return attr;
}
static inline fx_attr fx_none(void) { return fx_attr_of_kind(FX_ATTR_NONE); }
static inline fx_attr fx_bool(bool value)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_BOOL);
    attr.u.i = value;
    return attr;
}
static inline fx_attr fx_int(int64_t value)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_INT);
    attr.u.i = value;
    return attr;
}
static inline fx_attr fx_float(double value)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_FLOAT);
    attr.u.f = value;
    return attr;
}
static inline fx_attr fx_complex(double real, double imaginary)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_COMPLEX);
    attr.u.c[0] = real;
    attr.u.c[1] = imaginary;
    return attr;
}
static inline fx_attr fx_dtype_attr(fx_dtype value)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_DTYPE);
    attr.u.dtype = value;
    return attr;
}
static inline fx_attr fx_node_attr(fx_node *value)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_NODE);
    attr.u.node = value;
    return attr;
}
/* A size: an INT when constant, else a SYMINT. */
static inline fx_attr fx_dim_attr(fx_dim value)
{
    fx_attr attr = fx_attr_of_kind(fx_dim_is_const(value) ? FX_ATTR_INT : FX_ATTR_SYMINT);
    if (attr.kind == FX_ATTR_INT) attr.u.i = value;
    else attr.u.dim = value;
    return attr;
}
/* A region of a control-flow operator: it becomes part of the graph whose node it is given to, and is freed with that. */
static inline fx_attr fx_graph_attr(fx_graph *region)
{
    fx_attr attr = fx_attr_of_kind(FX_ATTR_GRAPH);
    attr.u.graph = region;
    return attr;
}
static inline fx_attr fx_ellipsis(void) { return fx_attr_of_kind(FX_ATTR_ELLIPSIS); }
/* Copies of text, items and keys into the graph's memory. kind NONE is returned when memory runs out (the context says so). */
FX_API fx_attr fx_str(fx_graph *graph, const char *text);
FX_API fx_attr fx_tuple(fx_graph *graph, const fx_attr *items, int32_t n);
FX_API fx_attr fx_list(fx_graph *graph, const fx_attr *items, int32_t n);
FX_API fx_attr fx_ints(fx_graph *graph, const int64_t *values, int32_t n); /* list of INT */
FX_API fx_attr fx_dict(fx_graph *graph, const char *const *keys, const fx_attr *items, int32_t n);
FX_API fx_attr fx_slice(fx_graph *graph, fx_attr start, fx_attr stop, fx_attr step);
FX_API fx_attr fx_range(fx_graph *graph, fx_attr start, fx_attr stop, fx_attr step);
FX_API fx_attr fx_device(fx_graph *graph, const char *text);     /* "cpu", "cuda:0" */
FX_API fx_attr fx_name_attr(fx_graph *graph, const char *text);  /* "torch.strided" */
/* Same kind and value, nested; nodes by identity, floats by bits. */
FX_API bool fx_attr_equal(const fx_attr *a, const fx_attr *b);
/* Calls visit for the value itself if it has no items, else for every value inside it that has none, in order (torch.fx's
 * map_arg and map_aggregate for reading). Stops when visit returns false, and returns whether it went to the end. */
typedef bool (*fx_attr_visit)(void *user, const fx_attr *value);
FX_API bool fx_attr_each(const fx_attr *value, fx_attr_visit visit, void *user);
/* A copy of the value in the graph's memory with every value that has no items replaced by what map returns for it (torch.fx's
 * map_aggregate). *out is untouched on failure: FX_E_ARG when values are nested more than 64 deep, FX_E_OOM. */
typedef fx_attr (*fx_attr_map_fn)(void *user, const fx_attr *value);
FX_API fx_status fx_attr_map(fx_graph *graph, const fx_attr *value, fx_attr_map_fn map, void *user, fx_attr *out);

/* Where a node comes from: a line of C or Python, or a node of a file. */
typedef struct fx_loc {
    const char *file;     /* NULL: unknown */
    int32_t line;         /* 0: the file has no lines (ONNX) */
    const char *function; /* function, or the node's name in its file; may be NULL */
} fx_loc;
#define FX_HERE FX_LITERAL(fx_loc, __FILE__, __LINE__, __func__)

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
/* Reads such a text; FX_DIM_BAD and an error for unknown symbols and other text. */
FX_API fx_dim fx_graph_parse_dim(fx_graph *graph, const char *text);
FX_API int64_t fx_graph_dim_hint(const fx_graph *graph, fx_dim dim);
/* The graph's symbols, in the order of their making; NULL: index is beyond the last. */
FX_API const char *fx_graph_symbol_name(const fx_graph *graph, int32_t index);
/* The size, with a value for each symbol in that order; INT64_MIN where it overflows. */
FX_API int64_t fx_graph_dim_value(const fx_graph *graph, fx_dim dim, const int64_t *values);
/* Records what is assumed about sizes, unless it is known already; every run tests it (FX_E_GUARD, with `why`, which may be NULL).
 * FX_E_GUARD: it can never hold; FX_E_ARG: no size; FX_E_OOM. */
typedef enum fx_relation { FX_EQUAL, FX_NOT_EQUAL, FX_AT_MOST } fx_relation;
FX_API fx_status fx_graph_assume(fx_graph *graph, fx_dim a, fx_relation relation, fx_dim b, const char *why);

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
/* NULL and a diagnostic that says what was expected when the spec is malformed (E_ARG), refers to nodes of another graph
 * (E_GRAPH) or memory ends; the graph is then as it was. So it is with all functions that make a node. */
FX_API fx_node *fx_graph_create_node(fx_graph *graph, const fx_node_spec *spec);
FX_API fx_node *fx_graph_placeholder(fx_graph *graph, const char *name, const fx_type *type /* NULL: unknown */);
/* name may begin with * or **. default_value NULL: the input has none; annotation NULL: none. */
FX_API fx_node *fx_graph_placeholder_with(fx_graph *graph, const char *name, const fx_type *type, const fx_attr *default_value,
                                          const char *annotation);
/* Warns when the owning module has nothing at the path, as torch.fx does. */
FX_API fx_node *fx_graph_get_attr(fx_graph *graph, const char *path);
/* Positional args; target is a qualified name such as "torch.ops.aten.relu.default". */
FX_API fx_node *fx_graph_call(fx_graph *graph, const char *target, const fx_attr *args, int32_t n_args);
/* args TUPLE or NONE, kwargs DICT or NONE. */
FX_API fx_node *fx_graph_call_function(fx_graph *graph, const char *target, fx_attr args, fx_attr kwargs);
/* args[0] is the object; FX_E_ARG without one. */
FX_API fx_node *fx_graph_call_method(fx_graph *graph, const char *method, fx_attr args, fx_attr kwargs);
/* path: the submodule's, with dots. Warns when the owning module has no such submodule. */
FX_API fx_node *fx_graph_call_module(fx_graph *graph, const char *path, fx_attr args, fx_attr kwargs);
FX_API fx_node *fx_graph_output(fx_graph *graph, fx_attr value);
/* Erases a node without users: FX_E_GRAPH, with the users named and the graph as it was, when it has some or is of another graph.
 * The name is not released. The node's memory stays until the graph is freed. */
FX_API fx_status fx_graph_erase(fx_graph *graph, fx_node *node);
/* New nodes go before / after node, in the order of their making; NULL: before the first / after the last. Returns the earlier
 * point for fx_graph_set_point. A point whose node is erased becomes the next node's. */
typedef struct fx_point {
    fx_node *before; /* NULL: the end */
} fx_point;
FX_API fx_point fx_graph_insert_before(fx_graph *graph, fx_node *node);
FX_API fx_point fx_graph_insert_after(fx_graph *graph, fx_node *node);
FX_API void fx_graph_set_point(fx_graph *graph, fx_point point);
/* The same as a stack: torch.fx's `with graph.inserting_before(node):` is a push and a pop. FX_E_GRAPH: node of another graph, or
 * nothing to pop. */
FX_API fx_status fx_graph_push_before(fx_graph *graph, fx_node *node);
FX_API fx_status fx_graph_push_after(fx_graph *graph, fx_node *node);
FX_API fx_status fx_graph_pop_point(fx_graph *graph);
/* Copies a node of any graph; map gives the node here for each node used there (NULL result: E_GRAPH). */
typedef fx_node *(*fx_node_map)(void *user, fx_node *there);
FX_API fx_node *fx_graph_copy_node(fx_graph *graph, fx_node *node, fx_node_map map, void *user);
/* Copies all nodes of `from` but its output to the insertion point of `to`, with types and meta; symbols are taken over by name.
 * map[fx_node_id(node)] is node's counterpart in `to`, of fx_graph_id_count(from) entries: those that are set are taken as they are (and
 * their nodes not copied), the others are filled in; NULL: none is set, none wanted. *out_value is the output's value with its nodes
 * mapped (None without output; may be NULL). FX_E_GRAPH: `from` is `to`, or an entry is of a third graph. After a failure the nodes
 * copied until then are gone again. */
FX_API fx_status fx_graph_copy(fx_graph *to, const fx_graph *from, fx_node **map, fx_attr *out_value);
/* Copies nodes, names, meta and dimension table; equal handles mean equal dims in both. */
FX_API FX_GIVES fx_graph *fx_graph_clone(const fx_graph *graph);

FX_API fx_node *fx_graph_first(const fx_graph *graph);
FX_API fx_node *fx_graph_last(const fx_graph *graph);
FX_API fx_node *fx_node_next(const fx_node *node); /* take the next one before erasing a node */
FX_API fx_node *fx_node_prev(const fx_node *node);
FX_API int32_t fx_graph_size(const fx_graph *graph);
FX_API fx_node *fx_graph_find(const fx_graph *graph, const char *name); /* NULL: no such node */
/* Nodes of this opcode and target (NULL: any target) in graph order: writes the first `capacity` to out, returns how many there are. */
FX_API int32_t fx_graph_find_nodes(const fx_graph *graph, fx_opcode opcode, const char *target, fx_node **out, int32_t capacity);
FX_API fx_node *fx_graph_output_node(const fx_graph *graph);            /* NULL: none yet */
/* One more than the largest fx_node_id of the graph: the size of an array indexed by it. */
FX_API int32_t fx_graph_id_count(const fx_graph *graph);

/* Checks every rule of torch.fx's lint (opcodes, targets, paths atom by atom, names, order, nodes of other graphs), that an output
 * is last, and the types that operators demand; all problems become diagnostics, the first one's status is returned. A get_attr
 * that names a module's fact (fx_module_attribute) instead of a tensor is a warning, as in torch. */
FX_API fx_status fx_graph_lint(const fx_graph *graph);
/* Brings the nodes into an order in which every value stands before its users, moving as few as it must: nodes that can stay in
 * their order do, and the output goes last. FX_E_GRAPH when values depend on themselves: the circle is named, nothing is moved. */
FX_API fx_status fx_graph_legalize(fx_graph *graph);
/* Removes nodes without users, except impure ones (fx_node_is_impure). Returns the number removed. */
FX_API int32_t fx_graph_eliminate_dead_code(fx_graph *graph);
/* The same with another idea of impure; the output always stays. */
typedef bool (*fx_node_predicate)(void *user, const fx_node *node);
FX_API int32_t fx_graph_eliminate_dead_code_with(fx_graph *graph, fx_node_predicate is_impure, void *user);
/* Declares that calls of this function have an effect beside their results, in all graphs of the context (torch.fx's
 * has_side_effect); methods as "method:NAME". FX_E_ARG for an empty name. */
FX_API fx_status fx_context_add_side_effect(fx_context *context, const char *target);
/* Is told of edits: after a node was made, before one is erased (its arguments can still be read), and before `user_node` uses `with`
 * in the place of `old`. Functions may be NULL. They may edit the graph and remove observers, themselves too. */
typedef struct fx_observer {
    void (*created)(void *user, fx_node *node);
    void (*erased)(void *user, fx_node *node);
    void (*replaced)(void *user, fx_node *old, fx_node *with, fx_node *user_node);
    void *user;
} fx_observer;
/* Observers are called in the order of adding; *out_id names this one for fx_graph_unobserve. Copies of the graph have none. */
FX_API fx_status fx_graph_observe(fx_graph *graph, const fx_observer *observer, int32_t *out_id);
FX_API fx_status fx_graph_unobserve(fx_graph *graph, int32_t id); /* FX_E_NOT_FOUND: no such observer */
/* Computes dtype and shape of every node from the placeholders; unsupported operators are all reported (FX_E_UNSUPPORTED). */
FX_API fx_status fx_graph_propagate(fx_graph *graph);

/* How the arguments and the result of the function are nested that the graph came from, where its inputs and outputs are their leaves
 * (fxjit/trace.h, fx_trace_argument; torch.fx's pytrees): compact JSON of docs/FORMAT.md; NULL: they are not nested. set: copies both,
 * NULL removes; FX_E_FORMAT for other texts, nothing has changed then; FX_E_OOM. */
FX_API const char *fx_graph_in_spec(const fx_graph *graph);
FX_API const char *fx_graph_out_spec(const fx_graph *graph);
FX_API fx_status fx_graph_set_specs(fx_graph *graph, const char *in_spec, const char *out_spec);

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
/* Setters. Uses follow at once. FX_E_ARG for malformed values and indices outside, FX_E_GRAPH for nodes of other graphs or erased
 * ones; nothing has changed then. */
FX_API fx_status fx_node_set_args(fx_node *node, fx_attr args, fx_attr kwargs);
FX_API fx_status fx_node_set_arg(fx_node *node, int32_t index, fx_attr value);    /* an argument that is there */
FX_API fx_status fx_node_insert_arg(fx_node *node, int32_t index, fx_attr value); /* before argument index; n: after the last */
FX_API fx_status fx_node_set_kwarg(fx_node *node, const char *key, fx_attr value);  /* changes or adds */
FX_API fx_status fx_node_delete_kwarg(fx_node *node, const char *key);              /* FX_E_NOT_FOUND */
FX_API fx_status fx_node_set_target(fx_node *node, const char *target);
/* Gives a node the name, or the next free one like it, and returns it; NULL when memory ends. The old name is not released. */
FX_API const char *fx_node_rename(fx_node *node, const char *name);
/* The same with just this name; FX_E_ARG when it is taken. */
FX_API fx_status fx_node_set_name(fx_node *node, const char *name);
/* Moves `moved` before / after node, both of one graph (else FX_E_GRAPH). A node before or after itself: a warning, no effect. */
FX_API fx_status fx_node_prepend(fx_node *node, fx_node *moved);
FX_API fx_status fx_node_append(fx_node *node, fx_node *moved);
/* Whether a stands before b in their graph; false for nodes of different graphs and erased ones. O(1) between edits. */
FX_API bool fx_node_is_before(const fx_node *a, const fx_node *b);
FX_API int32_t fx_node_id(const fx_node *node); /* unique in its graph, never changes; below fx_graph_id_count */
/* The arguments as the schema of the operator (or the submodule's placeholders) names them, with defaults filled in: as many
 * positional ones as the node has, the others as keywords; kwargs_only: all of them as keywords. Single values become lists where
 * the schema wants lists. FX_E_UNSUPPORTED: no schema is known; FX_E_ARG, FX_E_TYPE: the arguments do not fit, the message lists the
 * schema. The node is only read; the values belong to its graph. */
FX_API fx_status fx_node_normalized_args(fx_node *node, bool kwargs_only, fx_attr *out_args, fx_attr *out_kwargs);
FX_API int32_t fx_node_user_count(const fx_node *node);
FX_API fx_node *fx_node_user(const fx_node *node, int32_t index); /* in order of first use */
FX_API int32_t fx_node_input_count(const fx_node *node);          /* distinct nodes used, args before kwargs */
FX_API fx_node *fx_node_input(const fx_node *node, int32_t index);
FX_API int32_t fx_node_replace_all_uses(fx_node *node, fx_node *with); /* number of users changed; -1 on error */
/* The same for those users for which filter returns true (NULL: all). propagate_meta: `with` takes over meta, types, annotation and
 * source location; an error when it has meta of its own. */
typedef struct fx_replace_options {
    fx_node_predicate filter;
    void *user;
    bool propagate_meta;
} fx_replace_options;
FX_API int32_t fx_node_replace_all_uses_with(fx_node *node, fx_node *with, const fx_replace_options *options);
/* Every use of `old` in this node's arguments becomes a use of `with`. */
FX_API fx_status fx_node_replace_input(fx_node *node, fx_node *old, fx_node *with);
/* Placeholders and outputs; functions with effects (of the operator table, declared, or known: assertions, in-place functions and
 * operators, setitem); in-place methods; submodules that hold such nodes. Other than torch.fx's, whose dead code elimination removes
 * writes in place. */
FX_API bool fx_node_is_impure(const fx_node *node);
FX_API fx_loc fx_node_loc(const fx_node *node);
FX_API void fx_node_set_loc(fx_node *node, fx_loc loc);
/* Type annotation as torch.fx prints it ("torch.Tensor", "typing.Optional[torch.Tensor]"); NULL: none. */
FX_API const char *fx_node_annotation(const fx_node *node);
FX_API fx_status fx_node_set_annotation(fx_node *node, const char *annotation);
/* Facts about a node by name, for passes and people: any value without nodes and graphs inside (FX_E_ARG), copied. In order of first
 * setting. Copies of a node have copies of them. "stack_trace" (text) is the traceback of Python's tracer, newest frame first, shown
 * in verbose sources; "is_wrapped" (bool) marks functions that torch.fx.wrap made leaves. */
FX_API fx_status fx_node_set_meta(fx_node *node, const char *key, fx_attr value);
FX_API const fx_attr *fx_node_meta(const fx_node *node, const char *key); /* NULL: not set; valid until the next change */
FX_API int32_t fx_node_meta_count(const fx_node *node);
FX_API const char *fx_node_meta_key(const fx_node *node, int32_t index); /* NULL: no such index */
FX_API fx_status fx_node_delete_meta(fx_node *node, const char *key);    /* FX_E_NOT_FOUND */
/* Type of result `index`; NULL when not known. */
FX_API const fx_type *fx_node_type(const fx_node *node, int32_t index);
FX_API int32_t fx_node_result_count(const fx_node *node);
FX_API fx_status fx_node_set_type(fx_node *node, int32_t index, const fx_type *type);
/* What a call means, as a graph of its own (a function that torch.fx.wrap keeps whole); NULL: the target says it. The body's
 * placeholders take the node's inputs in the order of fx_node_input, its output gives the node's value; get_attr and call_module
 * name things of the module around the node. Pass `inline` puts the body in the node's place. set: the body must belong to
 * nobody (fx_graph_new) and is the node's graph's from now on; FX_E_ARG when it does, or when the node is no call. NULL removes. */
FX_API fx_graph *fx_node_body(const fx_node *node);
FX_API fx_status fx_node_set_body(fx_node *node, FX_TAKES fx_graph *body);

/* ---- Modules ----------------------------------------------------------------------------------------------------------- */

/* A module owns a graph, named tensors (parameters and buffers) and submodules, all by dotted path. A module whose graph is empty
 * is a mere container. */
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
FX_API bool fx_module_tensor_is_buffer(const fx_module *module, int32_t index);
/* FX_E_NOT_FOUND. The memory is released; what borrowed it (compiled code, a copy) must be gone. */
FX_API fx_status fx_module_delete_tensor(fx_module *module, const char *path);
/* Modules that are missing on the way are made. FX_E_ARG when there is no submodule, or the path is taken, has an empty word, or is blocked by a tensor; the
 * tree is as before then. */
FX_API fx_status fx_module_add_submodule(fx_module *module, const char *path, FX_TAKES fx_module *submodule);
FX_API fx_module *fx_module_submodule(const fx_module *module, const char *path); /* NULL: no such path */
FX_API fx_status fx_module_delete_submodule(fx_module *module, const char *path); /* with all below; FX_E_NOT_FOUND */
/* Deletes every submodule that the graph does not need, by torch's rule: needed are the modules on the way to a target of get_attr or
 * call_module, and all below a called one. Returns how many are gone. */
FX_API int32_t fx_module_delete_unused(fx_module *module);
/* Own submodules, in order. */
FX_API int32_t fx_module_submodule_count(const fx_module *module);
FX_API const char *fx_module_submodule_path(const fx_module *module, int32_t index);
/* Every module, this one first with path "", parents before children; every tensor of the whole tree. Paths live for the call of
 * visit, which must not change the tree. FX_E_OOM. */
typedef void (*fx_module_visit)(void *user, const char *path, fx_module *module);
typedef void (*fx_tensor_visit)(void *user, const char *path, const fx_tensor *tensor, bool is_buffer);
FX_API fx_status fx_module_each(fx_module *module, fx_module_visit visit, void *user);
FX_API fx_status fx_module_each_tensor(fx_module *module, fx_tensor_visit visit, void *user);
/* Grows with every change of the graph, of the tree and of all below: compiled code of an older count is stale. */
FX_API uint64_t fx_module_edits(const fx_module *module);
/* For people, printing and filters: the qualified name of the class ("torch.nn.modules.conv.Conv2d"; NULL: not known), its facts by
 * name ("stride": (2, 2)), and whether it was in training mode (set: with all below). Attribute values are constants: no nodes,
 * symbolic sizes or graphs (FX_E_ARG); they are copied. */
FX_API const char *fx_module_class(const fx_module *module);
FX_API fx_status fx_module_set_class(fx_module *module, const char *class_name);
FX_API const fx_attr *fx_module_attribute(const fx_module *module, const char *name); /* NULL: none of this name */
FX_API fx_attr fx_module_attributes(const fx_module *module);                         /* DICT in order of setting, or NONE */
FX_API fx_status fx_module_set_attribute(fx_module *module, const char *name, fx_attr value);
FX_API bool fx_module_training(const fx_module *module);
FX_API void fx_module_set_training(fx_module *module, bool training);
/* Inputs and outputs of the graph, in order; names are node names or, for imported models, the file's names. */
FX_API int32_t fx_module_input_count(const fx_module *module);
FX_API int32_t fx_module_output_count(const fx_module *module);
FX_API const char *fx_module_input_name(const fx_module *module, int32_t index);
FX_API const char *fx_module_output_name(const fx_module *module, int32_t index);
FX_API const fx_type *fx_module_input_type(const fx_module *module, int32_t index);  /* NULL: not known */
FX_API const fx_type *fx_module_output_type(const fx_module *module, int32_t index); /* after fx_graph_propagate */
/* Changes every parameter, buffer, input and dtype argument of dtype `from` to `to`, in submodules and bodies too, and computes all
 * types anew (those of a graph of modules are forgotten: compiling finds them). */
FX_API fx_status fx_module_cast(fx_module *module, fx_dtype from, fx_dtype to);
FX_API fx_status fx_module_set_input_name(fx_module *module, int32_t index, const char *name);
FX_API fx_status fx_module_set_output_name(fx_module *module, int32_t index, const char *name);

#ifdef __cplusplus
}
#endif
#endif
