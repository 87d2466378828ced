/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dot.c: the graph for Graphviz: one box per node with name, target, constant arguments and time; arrows are uses with the
 * value's type and size; modules are clusters. */
#include "ir/draw.h"
#include <string.h>

static const char *const colours[FX_OPCODE_COUNT] = {
    [FX_PLACEHOLDER] = "lightblue", [FX_GET_ATTR] = "lightgrey",      [FX_CALL_FUNCTION] = "white",
    [FX_CALL_METHOD] = "white",     [FX_CALL_MODULE] = "lightyellow", [FX_OUTPUT] = "lightgreen",
};

/* Inside a quoted label; control characters would break the line. */
static void put_escaped(fx_text *text, const char *value)
{
    for (const char *at = value; *at; at++) {
        if (*at == '"' || *at == '\\') fx__text_put(text, "\\", 1);
        fx__text_put(text, (unsigned char)*at < 0x20 ? " " : at, 1);
    }
}

static void put_escaped_value(fx_text *text, const fx_graph *graph, const fx_attr *value)
{
    fx_text inner;
    fx__text_init(&inner, graph->context);
    fx__attr_repr(&inner, graph, value);
    char *whole = fx__text_finish(&inner);
    if (whole) put_escaped(text, whole);
    fx_text_free(whole);
}

static void put_constants(fx_text *text, const fx_node *node)
{
    for (int32_t i = 0; i < node->args.n; i++) {
        const fx_attr *value = &node->args.u.items[i];
        if (value->kind == FX_ATTR_NODE || value->kind == FX_ATTR_NONE || node->opcode == FX_OUTPUT) continue;
        fx__text_append(text, "\\n%d: ", (int)i);
        put_escaped_value(text, node->graph, value);
    }
    for (int32_t i = 0; i < node->kwargs.n; i++) {
        fx__text_append(text, "\\n");
        put_escaped(text, node->kwargs.keys[i]);
        fx__text_append(text, ": ");
        put_escaped_value(text, node->graph, &node->kwargs.u.items[i]);
    }
}

static void put_node(fx_drawing *d, const fx_node *node, int depth)
{
    fx_text *text = &d->text;
    const char *module = fx__drawing_module(d, node);
    char time[32];
    fx__text_append(text, "%*sn%d [fillcolor=%s, label=\"", 2 * depth, "", (int)node->id, colours[node->opcode]);
    put_escaped(text, node->name);
    if (strcmp(node->name, node->target) != 0) {
        fx__text_append(text, "\\n");
        put_escaped(text, node->target);
    }
    if (module) {
        fx__text_append(text, "\\nin ");
        put_escaped(text, module);
    }
    put_constants(text, node);
    if (fx__drawing_time(d, node, time)) fx__text_append(text, "\\n%s", time);
    fx__text_append(text, "\"];\n");
}

static void put_edge(fx_drawing *d, const fx_node *from, const fx_node *to)
{
    fx__text_append(&d->text, "  n%d -> n%d [label=\"  ", (int)from->id, (int)to->id); /* beside the arrow, not on it */
    fx__drawing_types(&d->text, from);
    fx__text_append(&d->text, "\"];\n");
}

static void open_group(fx_drawing *d, int32_t group, int depth)
{
    fx__text_append(&d->text, "%*ssubgraph cluster_%d {\n%*slabel=\"", 2 * depth, "", (int)group, 2 * depth + 2, "");
    put_escaped(&d->text, fx_groups_name(d->groups, group));
    fx__text_append(&d->text, "\";\n");
}

static void close_group(fx_drawing *d, int depth)
{
    fx__text_append(&d->text, "%*s}\n", 2 * depth, "");
}

char *fx_graph_to_dot_with(const fx_graph *graph, const fx_draw_options *options)
{
    static const char head[] = "digraph fx {\n"
                               "  node [shape=box, style=filled, fontname=\"monospace\"];\n"
                               "  edge [fontname=\"monospace\", fontsize=9];\n"
                               "  style=rounded; color=gray; labeljust=l; fontname=\"monospace\";\n";
    static const fx_drawing_words words = {head, "}\n", open_group, close_group, put_node, put_edge};
    return fx__drawing_make(graph, options, &words);
}

char *fx_graph_to_dot(const fx_graph *graph)
{
    return fx_graph_to_dot_with(graph, NULL);
}
