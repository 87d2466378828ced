/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lines.h: lists of lines in an arena, behind fx_lines of fxjit/source.h. */
#ifndef FX_IR_LINES_H
#define FX_IR_LINES_H

#include "fxjit/source.h"
#include "ir/graph.h"

struct fx_lines {
    fx_arena *arena;
    const char **line;
    int32_t n, capacity;
};

fx_lines *fx__lines_new(fx_arena *arena);
/* Takes the text as the last line; it may be used again. */
fx_status fx__lines_add(fx_lines *lines, fx_text *text);
/* Runs the graph's code hooks over the lines. */
fx_status fx__lines_hooks(const fx_graph *graph, fx_lines *lines);

#endif
