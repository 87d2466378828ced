/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/draw.h: graphs as drawings (Graphviz, Mermaid), and the groups, by module, that nodes are drawn in. One thread at a time
 * per context. */
#ifndef FXJIT_DRAW_H
#define FXJIT_DRAW_H

#include "fxjit/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The modules that a graph's nodes come from, as a tree of groups: group 0 is the whole graph. A node's place is told by its meta
 * "module_path" ("layers.0.attention"; also of what was copied from a submodule's graph), the target of call_module, its name in an
 * ONNX file ("/layers.0/attention/MatMul"), or the parameter that it reads, the first of these that there is; other nodes lie in
 * the smallest group around what they are connected with, or around the ones before and behind them, whichever is smaller. */
typedef struct fx_groups fx_groups;
/* Names are copied; the groups are those of the graph as it is now. FX_E_OOM. */
FX_API fx_status fx_graph_groups(const fx_graph *graph, FX_GIVES fx_groups **out);
FX_API void fx_groups_free(FX_TAKES fx_groups *groups); /* NULL is allowed */
FX_API int32_t fx_groups_count(const fx_groups *groups);
FX_API const char *fx_groups_name(const fx_groups *groups, int32_t group); /* "attention"; "" for group 0; NULL: no such group */
FX_API int32_t fx_groups_parent(const fx_groups *groups, int32_t group);   /* less than group; -1 for group 0 */
FX_API int32_t fx_groups_of(const fx_groups *groups, const fx_node *node); /* 0 for nodes that the graph did not have */

/* What a drawing may show beside the graph; all zero: nothing. */
typedef struct fx_draw_options {
    const double *us;  /* [fx_graph_id_count] microseconds by fx_node_id; negative: not known. NULL: of no node */
    const bool *shown; /* [fx_graph_id_count]: nodes to draw, with the arrows between them; NULL: all */
} fx_draw_options;
/* Boxes are nodes with name, target, constant arguments and time, arrows are uses with the value's type and size, clusters are
 * groups. The text belongs to the caller (fx_text_free); NULL when memory ends. options NULL: all zero.
 * fx_graph_to_dot is the first without options. */
FX_API FX_GIVES char *fx_graph_to_dot_with(const fx_graph *graph, const fx_draw_options *options);
FX_API FX_GIVES char *fx_graph_to_mermaid(const fx_graph *graph, const fx_draw_options *options);

#ifdef __cplusplus
}
#endif
#endif
