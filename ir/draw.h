/* SPDX-License-Identifier: Apache-2.0 */
/* ir/draw.h: what the drawings of graphs share (ir/draw.c): texts of types with sizes, of times, and the walk through groups. */
#ifndef FX_IR_DRAW_H
#define FX_IR_DRAW_H

#include "fxjit/draw.h"
#include "ir/graph.h"

typedef struct fx_drawing {
    fx_text text;
    const fx_graph *graph;
    const fx_draw_options *options;
    fx_groups *groups;
    fx_node **first, **next;  /* by group, by node id: the nodes of a group in graph order */
    int32_t *child, *sibling; /* by group; -1: none */
    int32_t *frame;           /* by group: itself, or the one around it in which its only node is drawn */
} fx_drawing;

/* Writes the whole drawing. Graphs are walked group by group: open(group), its nodes, its children, close(group); group 0 has
 * neither open nor close. Edges come last. NULL: out of memory. */
typedef struct fx_drawing_words {
    const char *head, *tail;
    void (*open)(fx_drawing *d, int32_t group, int depth);
    void (*close)(fx_drawing *d, int depth);
    void (*node)(fx_drawing *d, const fx_node *node, int depth);
    void (*edge)(fx_drawing *d, const fx_node *from, const fx_node *to);
} fx_drawing_words;
FX_GIVES char *fx__drawing_make(const fx_graph *graph, const fx_draw_options *options, const fx_drawing_words *words);
/* "f32[1, 64], 256 B"; results of a tuple one after the other; nothing when no type is known. */
void fx__drawing_types(fx_text *text, const fx_node *node);
/* The module of a node that has no frame of its own; NULL: the node has one, or its name tells. */
const char *fx__drawing_module(const fx_drawing *d, const fx_node *node);
/* "1.5 ms"; false: not known. */
bool fx__drawing_time(const fx_drawing *d, const fx_node *node, char text[32]);

#endif
