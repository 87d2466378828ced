/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph.h: the structures behind fxjit/graph.h. Other folders change graphs through the public functions only; reading the
 * fields below is allowed everywhere. */
#ifndef FX_IR_GRAPH_H
#define FX_IR_GRAPH_H

#include "fxjit/graph.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include "ir/dim.h"

struct fx_node {
    fx_graph *graph;
    fx_node *prev, *next;
    int32_t id;       /* unique in its graph, in order of creation */
    int32_t position; /* in graph order while graph->numbered */
    fx_opcode opcode;
    const char *name, *target; /* interned */
    const fx_op *op;           /* row of the operator table for target, or NULL */
    fx_attr args, kwargs;      /* TUPLE, DICT */
    fx_node **users;           /* each once, in order of first use */
    int32_t n_users, cap_users;
    fx_node **inputs; /* each once */
    int32_t n_inputs;
    bool erased;
    /* meta */
    fx_loc loc;
    fx_type *result; /* [n_result]; NULL: not known */
    int32_t n_result;
    int8_t order[FX_RANK]; /* memory order of result 0's dims, outermost first; valid when has_order (pass `layout`) */
    bool has_order;
    const char *annotation; /* interned; NULL: none */
    struct fx_meta *meta;   /* see ir/node_meta.c */
    int32_t n_meta, cap_meta;
    fx_graph *body; /* what the call means; NULL: the target says it */
};

struct fx_graph {
    fx_context *context;
    fx_arena *arena;
    fx_module *module;
    fx_dims *dims;
    fx_node *first, *last;
    fx_node *insert_before; /* NULL: the end */
    int32_t n_nodes, next_id;
    bool numbered; /* the nodes' positions are right */
    fx_point *points; /* earlier insertion points, see fx_graph_push_before */
    int32_t n_points, cap_points;
    struct fx_observers *observers; /* see ir/observe.c; NULL: none */
    struct fx_code_hooks *code_hooks; /* see ir/lines.c; NULL: none */
    struct fx_names *names; /* used names, see ir/names.c */
    uint64_t edits;
    bool core; /* normalised: only placeholder, get_attr, call_function of the table with all arguments bound, output */
    fx_graph *parent, *regions, *next_region; /* graphs inside values belong to, and are freed with, the graph of their node */
    const char *in_spec, *out_spec; /* how inputs and outputs are nested, as JSON of docs/FORMAT.md; NULL: not known */
    bool own_module; /* module exists for this graph's constants only and is freed with it (fx__module_ensure) */
};

typedef struct fx_module_tensor_entry {
    const char *path;
    fx_tensor tensor;
    bool is_buffer;
    fx_release release;
    void *release_user;
    void *given; /* the memory it came with, when `tensor` is the module's own copy (fx__module_own_tensor) */
    bool owns_copy;
} fx_module_tensor_entry;

/* Names by position; NULL where there is none. */
typedef struct fx_name_list {
    const char **name;
    int32_t n;
} fx_name_list;

struct fx_module {
    fx_context *context;
    fx_arena *arena;
    const char *name;
    fx_graph *graph;
    fx_module_tensor_entry *tensors;
    int32_t n_tensors, cap_tensors;
    fx_map tensor_index; /* interned path -> 1 + index */
    struct fx_submodule {
        const char *path;
        fx_module *module;
        bool borrowed; /* another module frees it */
    } *submodules;
    int32_t n_submodules, cap_submodules;
    fx_name_list input_names, output_names; /* where they differ from the nodes' */
    const char *class_name;                 /* qualified; NULL: not known */
    fx_attr attributes;                     /* DICT in the graph's memory */
    bool training;
    uint64_t edits; /* of the tree; the graph counts its own */
    fx_release on_free; /* e.g. unmaps the model file */
    void *on_free_user;
};

/* Whether a graph is what `core` promises; every deviation is reported (ir/lint.c). */
fx_status fx__graph_check_core(const fx_graph *graph);

#define FX_EACH_NODE(node, graph) for (fx_node *node = (graph)->first; node; node = node->next)

/* The names of ir/names.c: torch.fx's rule. Returns an interned unused name for a candidate and marks it used. */
const char *fx__names_create(struct fx_names *names, const char *candidate, bool exact); /* exact and taken: NULL */
const char *fx__names_peek(const struct fx_names *names, const char *candidate); /* what create would return; nothing is marked */
struct fx_names *fx__names_new(fx_arena *arena);
struct fx_names *fx__names_clone(fx_arena *arena, const struct fx_names *names); /* of the same context */
bool fx__names_is_used(const struct fx_names *names, const char *name);
/* The candidate of a target: last component, snake case, qualified rules of get_attr and call_module. */
const char *fx__names_candidate(fx_arena *arena, fx_opcode opcode, const char *target);

/* Calls visit for every NODE inside a value, in order; may be NULL-safe on empty values. */
void fx__attr_each_node(const fx_attr *value, void (*visit)(void *user, fx_node *node), void *user);
/* Deep copy into graph's memory with nodes and dims mapped; a NULL map keeps nodes. */
fx_attr fx__attr_copy(fx_graph *graph, const fx_attr *value, fx_node_map map, void *user);
/* torch.fx's printed form (strings unquoted, nodes with %) and Python's repr (strings quoted, nodes bare). */
void fx__attr_print(fx_text *text, const fx_graph *graph, const fx_attr *value);
void fx__attr_repr(fx_text *text, const fx_graph *graph, const fx_attr *value);
/* The repr with names that name_of gives to the nodes. */
typedef const char *(*fx_name_of)(void *user, const fx_node *node);
void fx__attr_repr_named(fx_text *text, const fx_graph *graph, const fx_attr *value, fx_name_of name_of, void *user);

/* Values with items[n]. */
bool fx__attr_has_items(fx_attr_kind kind);
bool fx__attr_has_symbol(const fx_attr *value); /* anywhere inside */
/* Well-formed, bounded in depth, and with nodes of this graph only; the first problem is reported. */
enum { FX_ATTR_DEPTH = 64 };
fx_status fx__attr_check(const fx_graph *graph, const fx_attr *value, int depth, const fx_loc *loc);
/* The graph of a region becomes part of `graph` and is freed with it. */
void fx__graph_adopt(fx_graph *graph, FX_TAKES fx_graph *region);

/* Parts of graphs and nodes, for ir/graph*.c and ir/node*.c. `what` says in messages whose arguments they are. */
fx_status fx__node_check_args(const fx_graph *graph, const char *what, const fx_loc *loc, fx_attr *args, fx_attr *kwargs);
void fx__graph_link(fx_graph *graph, fx_node *node, fx_node *before); /* NULL: at the end */
void fx__graph_unlink(fx_graph *graph, fx_node *node);
void fx__graph_number(const fx_graph *graph); /* makes the nodes' positions right */
fx_status fx__node_copy_meta(fx_node *to, const fx_node *from);  /* entries only; to's are replaced */
fx_status fx__node_copy_facts(fx_node *to, const fx_node *from, bool types); /* annotation, meta, layout and, if wanted, types */
fx_status fx__node_copy_body(fx_node *to, const fx_node *from); /* fx__node_copy_facts does this too */
void fx__observe_created(fx_node *node);
void fx__observe_erased(fx_node *node);
void fx__observe_replaced(fx_node *old, fx_node *with, fx_node *user_node);
/* "list", "Tensor" for a node, "None": what messages call a value. */
const char *fx__attr_word(fx_attr_kind kind);
fx_status fx__node_bind(fx_node *node, fx_attr args, fx_attr kwargs);
void fx__node_drop_inputs(fx_node *node);
void fx__node_adopt_regions(fx_node *node);
/* At least n results; new ones have no type yet. */
fx_status fx__node_reserve_results(fx_node *node, int32_t n);
/* Whether the target changes its first argument: "add_", operator.iadd, setitem, inplace=True. */
bool fx__node_is_in_place(const fx_node *node);

/* The module behind a graph's get_attr nodes. A graph without one, or whose module has another graph (a clone), gets one of its own
 * that borrows the other's tensors, so that passes may add constants. NULL: out of memory. */
fx_module *fx__module_ensure(fx_graph *graph);
/* A copy with memory of its own: tensors, submodules and graph. NULL after a diagnostic. */
FX_GIVES fx_module *fx__module_copy(const fx_module *module);
/* Adds a tensor under an unused path that begins with `stem` ("folded" gives "folded_0"), and returns the path; NULL on error. */
const char *fx__module_add_constant(fx_module *module, const char *stem, const fx_tensor *tensor, fx_release release, void *user);
/* The own submodule, from index `from` on, whose path is followed by a dot in `path`, and the rest after it; NULL: none. */
fx_module *fx__module_split_path(const fx_module *module, const char *path, int32_t from, int32_t *out_index, const char **out_rest);
/* An own submodule under this path as it is, dots too; on failure the caller still owns it. */
fx_status fx__module_attach(fx_module *module, const char *path, fx_module *submodule, bool borrowed);
/* A module without a module's name is called by the last word of its class. */
const char *fx__module_short_name(const char *class_name);
/* The tensor at a path in memory that may be written: the first time it becomes the module's own copy, and so do all tensors of the
 * module that are the same memory. NULL: no such path, or out of memory (which the context says). */
fx_tensor *fx__module_own_tensor(fx_module *module, const char *path);
/* An fx_release for tensors of fx_tensor_alloc. */
void fx__module_release_tensor(void *user, void *data);

fx_type fx__type_of_tensor(const fx_tensor *tensor);
/* "f32[2, s0]" */
void fx__type_print(fx_text *text, const fx_dims *dims, const fx_type *type);
bool fx__type_equal(const fx_type *a, const fx_type *b);
static inline int32_t fx__arg_count(const fx_node *node) { return node->args.n; }
static inline const fx_attr *fx__arg(const fx_node *node, int32_t index) { return &node->args.u.items[index]; }

#endif
