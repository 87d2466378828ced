/* SPDX-License-Identifier: Apache-2.0 */
/* tools/part.h: a part of a model, chosen by the names of nodes: of a graph these nodes and those around them, of compiled code the
 * kernels that compute them. */
#ifndef FX_TOOLS_PART_H
#define FX_TOOLS_PART_H

#include "fxjit/inspect.h"
#include "tool.h"

/* [fx_graph_id_count] by fx_node_id: nodes whose name, or place in its file, matches, what they read and who reads them. NULL after
 * a message on stderr, with the nearest name when none matches. Freed with free. */
bool *part_of_graph(const fx_graph *graph, const char *glob);
/* Texts of a graph with a line for each of its nodes. */
typedef enum part_form { PART_TEXT, PART_TABLE, PART_FX } part_form;
/* The lines of these nodes, and dots where others stood; a line end at the end. Freed with free; NULL: out of memory. */
char *part_of_text(const fx_graph *graph, const bool *shown, part_form form);

/* Whether the filter leaves a unit of the code; else a message with the nearest name. */
bool part_has_units(const fx_explanation *code, const fx_explain_filter *filter);
/* One form (program, llvm or asm) of every kernel that such a unit runs, each under a comment with the units. FX_E_OOM, or what
 * fx_explain_kernel says. */
fx_status part_print_kernels(FILE *out, const fx_compiled *compiled, const fx_explanation *code, const fx_explain_filter *filter,
                             fx_stage_form form);

#endif
