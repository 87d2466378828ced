/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python.h: Python source under construction. A file has global names, shared by its functions; each function has names for its
 * nodes, which differ from all globals (torch.fx's _Namespace). */
#ifndef FX_IR_PYTHON_H
#define FX_IR_PYTHON_H

#include "ir/lines.h"

typedef struct fx_python_file {
    fx_arena *arena;
    fx_context *context;
    fx_python_options options;
    fx_map globals;    /* interned qualified name -> interned name in the code */
    fx_lines *imports; /* one line per global that must be imported */
    struct fx_names *names; /* of all globals so far */
    fx_lines *wraps;        /* torch.fx.wrap("...") of all functions; NULL: each function has its own before it */
} fx_python_file;

typedef struct fx_python {
    fx_python_file *file;
    const fx_graph *graph;
    const char *root;
    struct fx_names *names;
    const char **name_of;   /* [ids of the graph]; NULL: not asked for yet */
    const fx_node **last_user; /* [ids]: after it the value is not needed; NULL: no user */
    fx_lines *body, *wraps;
    fx_text parameters; /* ", x, y : T = None" */
    const char *returns; /* annotation of the output; NULL */
    const char *place;  /* what the last comment on source locations spoke of; NULL: nothing yet */
    fx_status status;   /* of the first problem */
} fx_python;

fx_status fx__python_begin(fx_python_file *file, fx_context *context, const fx_python_options *options);
/* The text of one graph's function, without imports. */
FX_GIVES char *fx__python_function(fx_python_file *file, const fx_graph *graph, const char *root);
void fx__python_put_imports(fx_text *text, const fx_python_file *file);

/* ---- Names (ir/python_names.c) ------------------------------------------------------------------------------------------- */

bool fx__python_names_begin(fx_python *p);
/* The variable of a node; made when first asked for. */
const char *fx__python_name(fx_python *p, const fx_node *node);
/* How code refers to what has this qualified name: itself when it is torch's, else a global that is imported. */
const char *fx__python_global(fx_python *p, const char *qualified);
/* An annotation as code writes it: "typing_Union[torch.Tensor,NoneType]". */
const char *fx__python_annotation(fx_python *p, const char *annotation);
/* base.a.b; atoms that are no identifiers by getattr. */
void fx__python_path(fx_text *text, const char *base, const char *path);
void fx__python_value(fx_text *text, fx_python *p, const fx_attr *value);

/* ---- Calls (ir/python_call.c) ---------------------------------------------------------------------------------------------- */

/* One statement "name = call" without the values that it frees. */
void fx__python_call(fx_text *text, fx_python *p, const fx_node *node, const char *annotation);

/* ---- Nested inputs (ir/python_pytree.c) -------------------------------------------------------------------------------------- */

/* "self, d": the arguments that the graph's placeholders come from. Needs graph->in_spec. */
void fx__python_arguments(fx_text *text, const fx_graph *graph);

/* ---- Comments (ir/python_place.c) ------------------------------------------------------------------------------------------ */

/* The comment lines on where a node was traced, if that is elsewhere than the last one. */
fx_status fx__python_place(fx_python *p, const fx_node *node);
/* ": \"f32[2, 3]\""; NULL: the node has no single known type. */
const char *fx__python_shape(fx_python *p, const fx_node *node);

#endif
