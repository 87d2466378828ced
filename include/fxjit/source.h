/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/source.h: graphs and modules as source: Python as torch.fx generates it, the listing of print_readable, and C that
 * traces the graph anew. Each text belongs to the caller and is freed with fx_text_free; NULL when memory ends or, with
 * a diagnostic, when the graph has no such form. One thread at a time per context. */
#ifndef FXJIT_SOURCE_H
#define FXJIT_SOURCE_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fx_python_options {
    const char *root; /* what attributes and submodules are taken from; NULL: "self" */
    bool verbose;     /* comments with source locations, and shapes: `relu: "f32[2, 3]" = ...` */
    bool imports;     /* begins with the import statements that the code needs, so that it runs as it is */
} fx_python_options;

/* The function `forward`, as GraphModule.code of torch.fx 1.13 is, byte for byte: infix operators, values freed after their last
 * use. verbose is as in torch 2: "# File: m.py:3 in f, code: ...", from the node's meta "stack_trace" or its source location.
 * options NULL: all zero. */
FX_API FX_GIVES char *fx_graph_to_python(const fx_graph *graph, const fx_python_options *options);
/* A Python file of its own with one torch.nn.Module class per module, children nested in their parents, with parameters and buffers
 * of the right type and shape (values come by load_state_dict) and `forward`. As GraphModule.to_folder, in one file. Code of graphs
 * with nested inputs reads self._in_spec and self._out_spec, which the caller sets. */
FX_API FX_GIVES char *fx_module_to_python(const fx_module *module, const fx_python_options *options);
/* As print_readable: verbose code in a class, children that have graphs inside it. */
FX_API FX_GIVES char *fx_module_to_readable(const fx_module *module);

/* A C file with one function that traces the graph again:
 *     fx_status NAME(fx_context *context, const fx_tensor *tensors, fx_module **out);
 * It calls functions of fxjit/ops.h where these record the very same node, and fx_graph_create_node where they do not; the module
 * that comes out has an equal graph, names included (source locations are those of the C file), with symbols and what is assumed
 * about them, regions, bodies, nesting of inputs and outputs, and equal submodules. A comment on top lists the tensors that it is
 * given: those of the module, then those of its submodules, each before what is inside of it. name NULL: "build". */
FX_API FX_GIVES char *fx_graph_to_c(const fx_graph *graph, const char *name);

/* ---- Hooks on generated Python ------------------------------------------------------------------------------------------ */

/* The lines of a function's body, without line ends and without their common indentation. */
typedef struct fx_lines fx_lines;
FX_API int32_t fx_lines_count(const fx_lines *lines);
FX_API const char *fx_lines_at(const fx_lines *lines, int32_t index); /* NULL: no such line */
FX_API fx_status fx_lines_set(fx_lines *lines, int32_t index, const char *text);    /* FX_E_ARG: no such line */
FX_API fx_status fx_lines_insert(fx_lines *lines, int32_t index, const char *text); /* before line index; count: at the end */
FX_API fx_status fx_lines_delete(fx_lines *lines, int32_t index);
/* Changes the lines of every Python text made of this graph from now on (torch.fx's on_generate_code); a failure makes the text NULL.
 * Hooks are called in the order of adding, each on what the one before left. Copies of the graph have none. */
typedef fx_status (*fx_code_hook)(void *user, fx_lines *lines);
FX_API fx_status fx_graph_add_code_hook(fx_graph *graph, fx_code_hook hook, void *user, int32_t *out_id);
FX_API fx_status fx_graph_remove_code_hook(fx_graph *graph, int32_t id); /* FX_E_NOT_FOUND: no such hook */

#ifdef __cplusplus
}
#endif
#endif
